"""AR4JA codes against published generator matrices and parity-check matrices built from permutations."""

import zlib

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import sparse

from flightsw.ccsds.coding.ldpc_ar4ja import _PHI, _THETA, Ar4ja, Rate

RATES: tuple[Rate, ...] = ("1/2", "2/3", "4/5")
NINE = [(k, rate) for k in (1024, 4096, 16384) for rate in RATES]

# The first 32 parity bits of the first row of each row of circulants, from the tables of the library labrador-ldpc 1.2
# (A. Greig). They depend on every permutation of a code.
FIRST_PARITY = {
    (1024, "1/2"): "CFA794F4 56508378 48F42033 1B58F88E BE9C169D D57DBB24 4C330B2D 4CF0B0C7",
    (1024, "2/3"): "51236781 D73C205B 4748E951 4780DCB2 69748DFE D3A714B6 222461B6 AE882552 "
    "4FFBAD88 2D0E0CAB 1BAA1475 32942F7F E5C492DB F8366DDA 5EBD4BD3 0DB9D180",
    (1024, "4/5"): "678ECB51 42B27625 EC900397 5616101C 9D41634C 5D7254B5 42819F61 89EE2A44 "
    "4A8FEA09 9BE0A7B3 848B1FE5 BDDF3BAE CF726C27 75C63782 6F2A6DF8 BAABADC3 "
    "E6EC82F1 4BBAA331 503FD586 D70390E6 2A5088BD 18FEFECE 1A8F8616 FFC03A59 "
    "7BE8519D EC25DC05 5147F90A 6A80EA6F 75582272 6A0DDA1D 6E9FEFF0 32FEFCAF",
    (4096, "1/2"): "616DB583 5E6381A7 25453670 6230DEF1 AC5F866D 900AA496 FDB4463E 59CA1335",
    (4096, "2/3"): "80924F64 A099B776 FEFBA8CE 5B6D534E E24D7C17 E16A7B75 B4035630 413A0F58 "
    "DD8CE660 A5C8A028 C7DF1E82 8E1D4E30 A98B4DE6 DAB0C7C6 775369B5 CEA89305",
    (4096, "4/5"): "473BC533 667AA815 FE9FF6C2 081E779B 7FB352B2 403149A1 14EB386A AAB1061E "
    "434D8612 B7BA8906 85B68FFC 905330D7 E864E5EE 5C9B0F85 B7E0C9A5 CCF8A4E1 "
    "AFC3076A 2DF5B029 9A41F048 22735E1E A7300569 A69C0252 A22B2A6C 89A79E9C "
    "CFA794F4 56508378 48F42033 1B58F88E BE9C169D D57DBB24 4C330B2D 4CF0B0C7",
}

# CRC-32 of all phi, M by M, j by j, k by k, as 16-bit numbers, of their transcription in ldpc-toolbox (D. Estevez).
PHI_CRC = 0x72A03DF7

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
    published = FIRST_PARITY[k, rate].split()
    messages = np.zeros((len(published), k), np.uint8)
    messages[np.arange(len(published)), np.arange(len(published)) * BLOCK_SIZE[k, rate] // 4] = 1
    codeblocks = Ar4ja(k, rate).encode(np.packbits(messages, axis=1))
    assert [row.tobytes().hex().upper() for row in codeblocks[:, k // 8 : k // 8 + 4]] == published


def test_tables_are_those_of_another_transcription() -> None:
    """Two of the tables are only used at k = 16384, whose generator matrices nobody prints."""
    numbers = np.array([_PHI[size] for size in sorted(_PHI)], ">u2")
    assert numbers.shape == (7, 4, 26)
    assert zlib.crc32(numbers.tobytes()) == PHI_CRC


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
