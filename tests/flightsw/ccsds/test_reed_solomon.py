"""Reed-Solomon against the printed values of CCSDS 131.0-B-5, libfec's parities, `reedsolo`, `galois` and theory."""

from math import comb

import galois
import numpy as np
import pytest
import reedsolo
from hypothesis import given, settings
from hypothesis import strategies as st

from flightsw.ccsds.coding.galois_field import FROM_DUAL, TO_DUAL
from flightsw.ccsds.coding.reed_solomon import ReedSolomon, generator_polynomial
from flightsw.errors import ConfigError, FrameError

CHECK_DATA = np.arange(223, dtype=np.uint8)[None, :]
CHECK_PARITY = {
    "dual": "4ffb92dd557ec67f27fb8982cf58f8fd028ad117fcef6b2793d0418826578651",
    "conventional": "2fbd4fb4748494b9acd554627212eeb3ebed41191de1d36320ea49290b25abcf",
}
DUAL_ROWS = (0x8D, 0xEF, 0xEC, 0x86, 0xFA, 0x99, 0xAF, 0x7B)
GENERATOR_EXPONENTS = {
    16: (0, 249, 59, 66, 4, 43, 126, 251, 97, 30, 3, 213, 50, 66, 170, 5, 24),
    8: (0, 30, 230, 49, 235, 129, 81, 76, 173),
}


def field_powers() -> list[int]:
    """Powers of alpha by shift and reduction alone."""
    powers = [1]
    while len(powers) < 255:
        doubled = powers[-1] << 1
        powers.append(doubled ^ 0x187 if doubled > 255 else doubled)
    return powers


POWERS = field_powers()
LOGS = {power: exponent for exponent, power in enumerate(POWERS)}


def times(a: int, b: int) -> int:
    return POWERS[(LOGS[a] + LOGS[b]) % 255] if a and b else 0


def value_at(symbols: np.ndarray, exponent: int) -> int:
    """Horner's rule at a power of alpha, the first symbol being that of the highest degree."""
    value = 0
    for symbol in symbols.tolist():
        value = times(value, POWERS[exponent % 255]) ^ symbol
    return value


def random_octets(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.integers(0, 256, shape, dtype=np.uint8)


def spoil(rng: np.random.Generator, codewords: np.ndarray, errors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Change exactly errors[i] symbols of codeword i. Returns the codewords and the places in random order."""
    order = rng.permuted(np.broadcast_to(np.arange(codewords.shape[1]), codewords.shape), axis=1)
    hit = np.empty_like(codewords, dtype=np.bool_)
    np.put_along_axis(hit, order, np.arange(codewords.shape[1]) < errors[:, None], axis=1)
    changes = rng.integers(1, 256, codewords.shape, dtype=np.uint8)
    return codewords ^ np.where(hit, changes, 0).astype(np.uint8), order


@pytest.mark.parametrize("basis", ["dual", "conventional"])
def test_check_value(basis):
    codeblock = ReedSolomon(basis=basis).encode(CHECK_DATA)
    assert codeblock[0, :223].tobytes() == CHECK_DATA.tobytes()
    assert codeblock[0, 223:].tobytes().hex() == CHECK_PARITY[basis]


@pytest.mark.parametrize("e", [16, 8])
def test_generator_polynomial_has_the_printed_exponents(e):
    exponents = [LOGS[int(coefficient)] for coefficient in generator_polynomial(e)]
    half = list(GENERATOR_EXPONENTS[e])
    assert exponents == half + half[-2::-1]


def test_dual_basis_by_linearity_from_the_printed_rows():
    for symbol in range(256):
        image = 0
        for power, row in zip(range(7, -1, -1), DUAL_ROWS, strict=True):
            image ^= row if symbol >> power & 1 else 0
        assert TO_DUAL[symbol] == image
        assert FROM_DUAL[image] == symbol


def test_dual_basis_by_its_definition():
    """z_i is the trace of the symbol times alpha^(117 i): no table is needed for that."""
    for symbol in range(256):
        image = 0
        for i in range(8):
            conjugate = times(symbol, POWERS[117 * i % 255])
            trace = 0
            for _ in range(8):
                trace ^= conjugate
                conjugate = times(conjugate, conjugate)
            image = image << 1 | trace
        assert TO_DUAL[symbol] == image


def test_parity_equals_that_of_reedsolo():
    reference = reedsolo.RSCodec(32, nsize=255, fcr=112, prim=0x187, generator=0xAD)
    data = random_octets(np.random.default_rng(1), 20, 223)
    for row, codeblock in zip(data, ReedSolomon(basis="conventional").encode(data), strict=True):
        assert codeblock.tobytes() == bytes(reference.encode(row.tobytes()))


@pytest.fixture(scope="module")
def field():
    return galois.GF(2**8, irreducible_poly=0x187, primitive_element=2)


@pytest.mark.parametrize("e", [16, 8])
def test_parity_equals_that_of_galois(field, e):
    k = 255 - 2 * e
    reference = galois.ReedSolomon(255, k, field=field, alpha=field.primitive_element**11, c=128 - e)
    data = random_octets(np.random.default_rng(e), 300, k)
    assert np.array_equal(ReedSolomon(e, basis="conventional").encode(data), np.asarray(reference.encode(field(data))))
    dual = np.asarray(reference.encode(field(FROM_DUAL[data])))
    assert np.array_equal(ReedSolomon(e, basis="dual").encode(data), TO_DUAL[dual])


@pytest.mark.parametrize("basis", ["dual", "conventional"])
@pytest.mark.parametrize("fill", [0, 1, 3, 88, 200])
@pytest.mark.parametrize("interleave", [1, 2, 3, 4, 5, 8])
@pytest.mark.parametrize("e", [16, 8])
def test_every_interleaved_codeword_is_zero_at_the_roots(e, interleave, fill, basis):
    code = ReedSolomon(e, interleave, fill * interleave, basis)
    assert (code.k, code.n_out) == ((255 - 2 * e - fill) * interleave, (255 - fill) * interleave)
    codeblock = code.encode(random_octets(np.random.default_rng(fill), 1, code.k))[0]
    symbols = FROM_DUAL[codeblock] if basis == "dual" else codeblock
    codeword = symbols[interleave - 1 :: interleave]
    assert not any(value_at(codeword, 11 * j) for j in range(128 - e, 128 + e))
    assert value_at(codeword, 11 * (127 - e)) or value_at(codeword, 11 * (128 + e))


def test_ten_thousand_patterns_within_capability():
    rng = np.random.default_rng(2)
    code = ReedSolomon()
    data = random_octets(rng, 10_000, 223)
    erased = rng.integers(0, 33, 10_000)
    wrong = rng.integers(0, (32 - erased) // 2 + 1)
    wrong[:100], erased[:100] = 16, 0
    wrong[100:200], erased[100:200] = 0, 32
    received, order = spoil(rng, code.encode(data), wrong)
    erasures = np.zeros(received.shape, np.bool_)
    place = np.arange(255)
    marked = (place >= wrong[:, None]) & (place < (wrong + erased)[:, None])
    np.put_along_axis(erasures, order, marked, axis=1)
    lost = np.where(erasures, random_octets(rng, *received.shape), received)
    changed = (lost != code.encode(data)).sum(axis=1)

    decoded, report = code.decode(lost, erasures)

    assert np.array_equal(decoded, data)
    assert not report.uncorrectable.any()
    assert np.array_equal(report.corrected, changed)


@pytest.mark.parametrize("basis", ["dual", "conventional"])
@pytest.mark.parametrize(("e", "interleave", "fill"), [(16, 5, 0), (16, 8, 136), (8, 4, 4), (8, 1, 230)])
def test_interleaved_errors_are_counted_by_codeword(e, interleave, fill, basis):
    rng = np.random.default_rng(3)
    code = ReedSolomon(e, interleave, fill, basis)
    data = random_octets(rng, 40, code.k)
    by_codeword = code.encode(data).reshape(40, -1, interleave).transpose(0, 2, 1).reshape(40 * interleave, -1)
    wrong = rng.integers(0, e + 1, 40 * interleave)
    received = spoil(rng, by_codeword, wrong)[0].reshape(40, interleave, -1).transpose(0, 2, 1).reshape(40, -1)
    decoded, report = code.decode(received)
    assert np.array_equal(decoded, data)
    assert np.array_equal(report.codeword_corrected, wrong.reshape(40, interleave))
    assert np.array_equal(report.corrected, wrong.reshape(40, interleave).sum(axis=1))


def test_seventeen_errors_are_flagged_and_the_codeblock_comes_back_as_received():
    rng = np.random.default_rng(4)
    code = ReedSolomon()
    received, _ = spoil(rng, code.encode(random_octets(rng, 20_000, 223)), np.full(20_000, 17))
    decoded, report = code.decode(received)
    # Theory says one in 16!.
    assert report.uncorrectable.all()
    assert (report.corrected == -1).all()
    assert np.array_equal(decoded, received[:, :223])


def test_one_uncorrectable_codeword_leaves_its_whole_codeblock_as_received():
    rng = np.random.default_rng(5)
    code = ReedSolomon(interleave=5)
    received = code.encode(random_octets(rng, 1, code.k))
    received[0, 0 : 5 * 17 : 5] ^= 1
    received[0, 1 : 5 * 16 : 5] ^= 1
    decoded, report = code.decode(received)
    assert report.codeword_corrected.tolist() == [[-1, 16, 0, 0, 0]]
    assert report.corrected.tolist() == [-1]
    assert np.array_equal(decoded, received[:, : code.k])


@pytest.mark.parametrize(("e", "erased"), [(8, 0), (8, 6), (16, 24), (16, 23)])
def test_garbage_passes_for_a_codeword_as_often_as_theory_says(e, erased):
    """The chance is the share of all words that lie within the decoding radius of some codeword."""
    rng = np.random.default_rng(6)
    n = 60_000 if erased else 200_000
    received = random_octets(rng, n, 255)
    erasures = np.zeros(received.shape, np.bool_)
    erasures[:, rng.choice(255, erased, replace=False)] = True
    _, report = ReedSolomon(e).decode(received, erasures)
    sent = 255 - erased
    radius = (2 * e - erased) // 2
    expected = n * sum(comb(sent, i) * 255**i for i in range(radius + 1)) / 256 ** (2 * e - erased)
    passed = int((~report.uncorrectable).sum())
    assert abs(passed - expected) < 5 * expected**0.5 + 1


def test_more_erasures_than_parity_are_never_trusted():
    code = ReedSolomon(8, 2)
    silence = np.zeros((1, code.n_out), np.uint8)
    erasures = np.zeros(silence.shape, np.bool_)
    erasures[0, : 2 * 16] = True
    assert code.decode(silence, erasures)[1].codeword_corrected.tolist() == [[0, 0]]
    erasures[0, 2 * 16] = True
    assert code.decode(silence, erasures)[1].codeword_corrected.tolist() == [[-1, 0]]


def test_an_error_in_the_virtual_fill_is_uncorrectable():
    full = np.zeros((1, 223), np.uint8)
    full[0, 99] = 1
    received = ReedSolomon().encode(full)[:, 100:]
    assert ReedSolomon(virtual_fill=100).decode(received)[1].uncorrectable.all()
    assert not ReedSolomon(virtual_fill=99).decode(ReedSolomon().encode(full)[:, 99:])[1].uncorrectable.any()


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_any_pattern_within_capability_is_corrected(data):
    e = data.draw(st.sampled_from([16, 8]))
    fill = data.draw(st.integers(0, 254 - 2 * e))
    code = ReedSolomon(e, 1, fill, data.draw(st.sampled_from(["dual", "conventional"])))
    information = np.frombuffer(data.draw(st.binary(min_size=code.k, max_size=code.k)), np.uint8)[None, :]
    received = code.encode(information)
    erased = data.draw(st.integers(0, min(2 * e, code.n_out)))
    wrong = data.draw(st.integers(0, min((2 * e - erased) // 2, code.n_out - erased)))
    places = data.draw(st.permutations(range(code.n_out)))
    erasures = np.zeros(received.shape, np.bool_)
    erasures[0, places[:erased]] = True
    for place in places[: erased + wrong]:
        received[0, place] ^= data.draw(st.integers(1, 255))
    decoded, report = code.decode(received, erasures)
    assert np.array_equal(decoded, information)
    assert report.corrected[0] == erased + wrong


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_garbage_is_flagged_or_turned_into_a_codeword_nearby(data):
    code = ReedSolomon(8, 1, 200, "conventional")
    seed = data.draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    received = random_octets(rng, 30, code.n_out)
    erasures = rng.random(received.shape) < data.draw(st.floats(0, 0.5))
    decoded, report = code.decode(received, erasures)
    for i in np.flatnonzero(~report.uncorrectable):
        changed = code.encode(decoded[i : i + 1])[0] != received[i]
        assert 2 * (changed & ~erasures[i]).sum() + erasures[i].sum() <= 16
        assert changed.sum() == report.corrected[i]
    assert np.array_equal(decoded[report.uncorrectable], received[report.uncorrectable, : code.k])


def test_read_only_and_strided_arrays_are_as_good_as_any():
    rng = np.random.default_rng(7)
    code = ReedSolomon()
    wide = random_octets(rng, 6, 2 * 223)
    strided = wide[::2, ::2]
    frozen = np.frombuffer(strided.tobytes(), np.uint8).reshape(3, 223)
    codeblocks = code.encode(np.ascontiguousarray(strided))
    assert np.array_equal(code.encode(strided), codeblocks)
    assert np.array_equal(code.encode(frozen), codeblocks)
    assert np.array_equal(code.decode(np.asfortranarray(codeblocks))[0], strided)


def test_no_codeblocks_at_all():
    code = ReedSolomon()
    assert code.encode(np.zeros((0, 223), np.uint8)).shape == (0, 255)
    decoded, report = code.decode(np.zeros((0, 255), np.uint8), np.zeros((0, 255), np.bool_))
    assert decoded.shape == (0, 223)
    assert report.corrected.shape == report.uncorrectable.shape == (0,)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"e": 12}, "expected 16 or 8, found 12"),
        ({"interleave": 6}, r"expected one of \(1, 2, 3, 4, 5, 8\), found 6"),
        ({"interleave": 5, "virtual_fill": 7}, "multiple of the interleave 5 from 0 to 1110, found 7"),
        ({"virtual_fill": 223}, "from 0 to 222, found 223"),
        ({"virtual_fill": -1}, "found -1"),
        ({"basis": "dal"}, "found 'dal'"),
    ],
)
def test_parameters_beyond_the_standard(parameters, message):
    with pytest.raises(ConfigError, match=message):
        ReedSolomon(**parameters)


def test_arrays_of_the_wrong_form():
    code = ReedSolomon(interleave=5)
    with pytest.raises(FrameError) as error:
        code.encode(np.zeros((2, 1114), np.uint8))
    assert (error.value.expected, error.value.found) == ("uint8 (n, 1115)", "uint8 (2, 1114)")
    with pytest.raises(FrameError, match=r"expected uint8 \(n, 1275\), found int64 \(2, 1275\)"):
        code.decode(np.zeros((2, 1275), np.int64))
    with pytest.raises(FrameError, match=r"expected bool \(2, 1275\), found bool \(1, 1275\)"):
        code.decode(np.zeros((2, 1275), np.uint8), np.zeros((1, 1275), np.bool_))
    with pytest.raises(FrameError, match=r"found uint8 \(1275,\)"):
        code.decode(np.zeros(1275, np.uint8))
