"""AR4JA codes against published generator matrices and parity-check matrices built from permutations."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import sparse

from flightsw.ccsds.coding.ldpc_ar4ja import _PHI, _THETA, Ar4ja, Rate

RATES: tuple[Rate, ...] = ("1/2", "2/3", "4/5")
NINE = [(k, rate) for k in (1024, 4096, 16384) for rate in RATES]

# The first 256 parity bits of the first information bit, from the tables of the library labrador-ldpc 1.2 (A. Greig).
# Nothing but the inverse of the whole parity part of the right matrix gives these.
FIRST_PARITY = {
    (1024, "1/2"): "CFA794F49FA5A0D88BB31D8FCA7EA8BBA7AE7EE8A68580E3E922F9E13359B284",
    (1024, "2/3"): "51236781781D416AB0C8419FA21559A85F14E1E4D88726F1762F6ED6CF32F06D",
    (1024, "4/5"): "678ECB51FE821D5CFA5F424BF55927AA3E82691332E04B0C4F88862B803432EF",
    (4096, "1/2"): "616DB583006DB99954780CD6DFC9908772D8260D390B1D462A8F62DE88092161",
    (4096, "2/3"): "80924F648C014F2C73889C8B87D0491FA9FA060D2902D7ACC8B679CF61EEB5D9",
    (4096, "4/5"): "473BC533A12C3596F642673D0DBF1142079A3868E1A6F556F0DF3DCA4493AE54",
}

# Table 7-2.
BLOCK_SIZE = {
    (1024, "1/2"): 512,
    (1024, "2/3"): 256,
    (1024, "4/5"): 128,
    (4096, "1/2"): 2048,
    (4096, "2/3"): 1024,
    (4096, "4/5"): 512,
    (16384, "1/2"): 8192,
    (16384, "2/3"): 4096,
    (16384, "4/5"): 2048,
}

# 7.4.2.3, as it is printed: rows of blocks, P5+P6 a sum of permutations.
RATE_1_2 = ["0 0 I 0 I+P1", "I I 0 I P2+P3+P4", "I P5+P6 0 P7+P8 I"]
EXTENSION_2_3 = ["0 0", "P9+P10+P11 I", "I P12+P13+P14"]
EXTENSION_4_5 = ["0 0 0 0", "P21+P22+P23 I P15+P16+P17 I", "I P24+P25+P26 I P18+P19+P20"]
LAYOUT = {
    "1/2": RATE_1_2,
    "2/3": [" ".join(rows) for rows in zip(EXTENSION_2_3, RATE_1_2, strict=True)],
    "4/5": [" ".join(rows) for rows in zip(EXTENSION_4_5, EXTENSION_2_3, RATE_1_2, strict=True)],
}


def permutation(k: int, size: int) -> sparse.csr_array:
    """Row i has its one in column pi_k(i), i one by one."""
    quarter = size // 4
    columns = []
    for i in range(size):
        j = 4 * i // size
        columns.append(quarter * ((_THETA[k - 1] + j) % 4) + (_PHI[size][j][k - 1] + i) % quarter)
    assert sorted(columns) == list(range(size))
    return sparse.csr_array((np.ones(size, np.uint8), (np.arange(size), columns)), shape=(size, size))


def parity_check_matrix(k: int, rate: Rate) -> sparse.csr_array:
    size = BLOCK_SIZE[k, rate]

    def block(text: str) -> sparse.csr_array:
        total = sparse.csr_array((size, size), dtype=np.uint8)
        for term in text.split("+"):
            if term == "I":
                total = total + sparse.eye_array(size, dtype=np.uint8, format="csr")
            elif term != "0":
                total = total + permutation(int(term[1:]), size)
        return total

    return sparse.csr_array(sparse.block_array([[block(text) for text in row.split()] for row in LAYOUT[rate]]))


def full_words(code: Ar4ja, information: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Codewords with their punctured bits, by multiplication with the generator matrix, circulant by circulant."""
    generator = code.generator
    blocks, parity_blocks, size = generator.shape
    words = [information]
    for column in range(parity_blocks):
        parity = np.zeros((len(information), size), np.int64)
        for block in range(blocks):
            spectrum = np.fft.rfft(information[:, block * size : (block + 1) * size].astype(float), axis=1)
            spectrum *= np.fft.rfft(generator[block, column].astype(float))
            parity += np.rint(np.fft.irfft(spectrum, size, axis=1)).astype(np.int64)
        words.append((parity % 2).astype(np.uint8))
    return np.concatenate(words, axis=1)


@pytest.mark.parametrize(("k", "rate"), FIRST_PARITY)
def test_generator_matrix_is_the_published_one(k: int, rate: Rate) -> None:
    message = np.zeros((1, k // 8), np.uint8)
    message[0, 0] = 0x80
    codeblock = Ar4ja(k, rate).encode(message)[0]
    assert codeblock[k // 8 : k // 8 + 32].tobytes().hex().upper() == FIRST_PARITY[k, rate]


@pytest.mark.parametrize(("k", "rate"), NINE)
def test_codewords_satisfy_all_checks(k: int, rate: Rate) -> None:
    """G H^T = 0 on random messages, of which each would be wrong with probability 1/2 per wrong row of the product."""
    code = Ar4ja(k, rate)
    size = BLOCK_SIZE[k, rate]
    information = np.random.default_rng(k).integers(0, 256, (24, k // 8), dtype=np.uint8)
    words = full_words(code, np.unpackbits(information, axis=1))
    matrix = parity_check_matrix(k, rate)
    assert matrix.shape == (3 * size, words.shape[1])
    assert not ((matrix @ words.T) % 2).any()
    assert np.array_equal(np.unpackbits(code.encode(information), axis=1), words[:, :-size])
    assert code.n_out * int(rate[0]) == code.k * int(rate[2])


@pytest.mark.parametrize("rate", RATES)
def test_all_unit_messages_satisfy_all_checks(rate: Rate) -> None:
    """G H^T = 0 on all rows of G."""
    code = Ar4ja(1024, rate)
    words = full_words(code, np.eye(1024, dtype=np.uint8))
    assert not ((parity_check_matrix(1024, rate) @ words.T) % 2).any()
    sent = np.unpackbits(code.encode(np.packbits(np.eye(1024, dtype=np.uint8), axis=1)), axis=1)
    assert np.array_equal(sent, words[:, : sent.shape[1]])


@pytest.mark.parametrize(("k", "rate"), [(1024, "1/2"), (4096, "1/2"), (16384, "1/2"), (4096, "2/3"), (16384, "2/3")])
def test_graph_has_no_cycles_of_four(k: int, rate: Rate) -> None:
    """The permutations were chosen for girth: no two checks share two bits. The other codes have some such cycles."""
    matrix = parity_check_matrix(k, rate).astype(np.int32)
    shared = (matrix @ matrix.T).tocoo()
    assert shared.data[shared.row != shared.col].max() == 1


@pytest.mark.parametrize(("k", "rate"), NINE)
def test_check_degrees_are_those_of_the_protograph(k: int, rate: Rate) -> None:
    """CCSDS 130.1-G-3 section 8: no two ones of a block coincide."""
    degrees = parity_check_matrix(k, rate).astype(np.int32).sum(axis=1)
    assert set(degrees.tolist()) == {"1/2": {3, 6}, "2/3": {3, 10}, "4/5": {3, 18}}[rate]


@pytest.mark.parametrize(("k", "rate"), NINE)
def test_every_code_decodes(k: int, rate: Rate) -> None:
    code = Ar4ja(k, rate)
    rng = np.random.default_rng(2)
    information = rng.integers(0, 256, (4, k // 8), dtype=np.uint8)
    signs = 1 - 2 * np.unpackbits(code.encode(information), axis=1).astype(np.float32)
    # One decibel and a half above where half the frames of the longest codes get lost.
    esn0 = 10 ** ({"1/2": 2.3, "2/3": 3.0, "4/5": 4.0}[rate] / 10) * code.k / code.n_out
    received = signs + rng.normal(0, np.sqrt(0.5 / esn0), signs.shape)
    decoded, report = code.decode((4 * esn0 * received).astype(np.float32))
    assert np.array_equal(decoded, information)
    assert np.array_equal(report.corrected, np.count_nonzero(received * signs < 0, axis=1))
    assert (report.iterations < 20).all()
