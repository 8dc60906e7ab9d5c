"""The machinery of quasi-cyclic codes against polynomial arithmetic done otherwise and a min-sum decoder row by row."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from flightsw.ccsds.coding.ldpc import (
    ParityCheck,
    QuasiCyclicLdpc,
    _box_plus,
    _divide,
    _inverse,
    _layers,
    _product,
)
from flightsw.ccsds.coding.ldpc_ar4ja import Ar4ja
from flightsw.ccsds.coding.ldpc_c2 import LdpcC2
from flightsw.errors import ConfigError, FrameError

CODES = {
    "C2": LdpcC2,
    "AR4JA 1/2": lambda: Ar4ja(1024, "1/2"),
    "AR4JA 2/3": lambda: Ar4ja(1024, "2/3"),
    "AR4JA 4/5": lambda: Ar4ja(1024, "4/5"),
}


def coefficients(polynomial: int) -> NDArray[np.int64]:
    return np.array([polynomial >> i & 1 for i in range(max(polynomial.bit_length(), 1))])


def number(coefficients_: NDArray[np.int64]) -> int:
    return sum(int(bit) << i for i, bit in enumerate(coefficients_ % 2))


def check_rows(check: ParityCheck) -> list[list[int]]:
    """Columns of the ones of each row of the matrix."""
    rows: list[list[int]] = [[] for _ in range(check.block_rows * check.size)]
    for block_row, block_column, place in check.ones:
        for row in range(check.size):
            rows[block_row * check.size + row].append(block_column * check.size + (place + row) % check.size)
    return rows


def test_layers_end_where_cyclic_places_meet() -> None:
    """Ones 150 apart in a circulant of 200 are 50 apart the other way round: 32 rows are the most that fit."""
    layers, edges, rows = _layers(ParityCheck(200, [(0, 0, 20), (0, 0, 170), (0, 1, 3)], 1, 2, 1), [0])
    assert rows == 32
    assert layers.tolist() == [[3 * i, 3, 32] for i in range(6)] + [[18, 3, 8]]
    assert edges[-3:].tolist() == [[0, (192 + 20) % 200], [0, (192 + 170) % 200], [200, 195]]
    assert _layers(ParityCheck(200, [(0, 0, 0), (0, 0, 5)], 1, 2, 1), [0])[2] == 5


@settings(max_examples=200, deadline=None)
@given(a=st.integers(0, 2**90 - 1), b=st.integers(0, 2**90 - 1))
def test_product_is_a_cyclic_convolution(a: int, b: int) -> None:
    full = np.convolve(coefficients(a), coefficients(b))
    folded = np.zeros(180, np.int64)
    folded[: len(full)] = full
    assert _product(a, b, 90) == number(folded[:90] + folded[90:])


@settings(max_examples=200, deadline=None)
@given(a=st.integers(0, 2**80), b=st.integers(1, 2**40))
def test_division_leaves_a_smaller_rest(a: int, b: int) -> None:
    quotient, rest = _divide(a, b)
    assert rest.bit_length() < b.bit_length()
    assert number(np.convolve(coefficients(quotient), coefficients(b))) ^ rest == a


@settings(max_examples=200, deadline=None)
@given(a=st.integers(1, 2**64 - 1))
def test_modulo_a_power_of_x_plus_1_odd_polynomials_have_an_inverse(a: int) -> None:
    inverse = _inverse(a, 1 << 64 | 1)
    if a.bit_count() % 2:
        assert inverse is not None
        assert _product(a, inverse, 64) == 1
    else:
        assert inverse is None


@pytest.mark.parametrize("name", CODES)
def test_rows_of_a_layer_have_no_bit_in_common(name: str) -> None:
    code = CODES[name]()
    rows = check_rows(code.parity_check)
    size = code.parity_check.size
    found = []
    for first, degree, count in code._layers.astype(int):
        edges = code._edges[first : first + degree].astype(int)
        columns = [[block + (start + lane) % size for block, start in edges] for lane in range(count)]
        assert len({column for row in columns for column in row}) == count * degree
        found += [sorted(row) for row in columns]
    assert sorted(found) == sorted(sorted(row) for row in rows)


def test_box_plus_is_that_of_belief_propagation_within_a_step() -> None:
    """All pairs of a message and a magnitude, in eighths; beyond those tabulated it is the lesser of the two."""
    found = np.array([[_box_plus(np.int16(a), np.int16(b)) for b in range(250)] for a in range(128)])
    a, b = np.arange(128)[:, None], np.arange(250)[None, :]
    errors = found - 16 * np.arctanh(np.tanh(a / 16) * np.tanh(b / 16))
    assert np.abs(errors).max() < 1.5
    assert np.sqrt(np.mean(errors**2)) < 0.25
    assert all(_box_plus(np.int16(16383), np.int16(a)) == a for a in range(128))


def row_by_row(
    llr: NDArray[np.float32], code: QuasiCyclicLdpc, order: list[int], normalisation: int, max_iterations: int
) -> tuple[NDArray[np.bool_], int]:
    """Normalised min-sum in eighths, one row after the other, with plain Python integers."""
    check = code.parity_check
    rows = check_rows(check)
    fill = check.information_blocks * check.size - 8 * code.k
    columns = check.block_columns * check.size
    posterior = np.zeros(columns, int)
    posterior[:fill] = 10**6
    sent = min(len(llr), columns - fill)
    posterior[fill : fill + sent] = np.clip(np.rint(8 * llr[:sent].astype(float)), -127, 127)
    messages = {(row, column): 0 for row, members in enumerate(rows) for column in members}
    for iteration in range(max_iterations + 1):
        decided = (posterior != 0).all()
        if decided and not any(np.count_nonzero(posterior[row] < 0) % 2 for row in rows):
            break
        if iteration == max_iterations:
            return posterior[fill:] < 0, -1
        for block_row in order:
            for row in range(block_row * check.size, (block_row + 1) * check.size):
                incoming = [int(posterior[column]) - messages[row, column] for column in rows[row]]
                for i, column in enumerate(rows[row]):
                    others = incoming[:i] + incoming[i + 1 :]
                    magnitude = (min(min(abs(value) for value in others), 127) * normalisation + 8) // 16
                    negative = sum(value < 0 for value in others) % 2
                    messages[row, column] = -magnitude if negative else magnitude
                    posterior[column] = incoming[i] + messages[row, column]
    return posterior[fill:] < 0, iteration


@pytest.mark.parametrize(("name", "ebn0_db", "frames"), [("C2", 3.9, 2), ("AR4JA 4/5", 3.3, 6), ("AR4JA 1/2", 2.0, 4)])
def test_layered_decoder_is_min_sum_row_by_row(name: str, ebn0_db: float, frames: int) -> None:
    base = CODES[name]()
    order = list(range(base.parity_check.block_rows))
    fill = base.parity_check.information_blocks * base.parity_check.size - 8 * base.k
    code = QuasiCyclicLdpc(
        "normalised",
        base.parity_check,
        modulus=base._modulus,
        rule="normalised",
        normalisation=12,
        layer_order=order,
        virtual_fill=fill,
        punctured_blocks=0 if name == "C2" else 4,
        filler_bits=2 if name == "C2" else 0,
    )
    rng = np.random.default_rng(4)
    information = rng.integers(0, 256, (frames, code.k), dtype=np.uint8)
    esn0 = 10 ** (ebn0_db / 10) * code.k / code.n_out
    signs = 1 - 2 * np.unpackbits(code.encode(information), axis=1).astype(np.float32)
    received = signs + rng.normal(0, np.sqrt(0.5 / esn0), signs.shape)
    llr = (4 * esn0 * received).astype(np.float32)
    decoded, report = code.decode(llr, max_iterations=12)
    for row in range(frames):
        bits, iterations = row_by_row(llr[row], code, order, 12, 12)
        assert iterations == (-1 if report.uncorrectable[row] else report.iterations[row])
        assert np.array_equal(np.packbits(bits[: 8 * code.k]), decoded[row])
        if iterations >= 0:
            assert report.iterations[row] > 0
            sent = 8158 if name == "C2" else llr.shape[1]
            assert report.corrected[row] == np.count_nonzero((received[row] * signs[row] < 0)[:sent])


@pytest.mark.parametrize("name", CODES)
def test_a_codeword_needs_no_correction(name: str) -> None:
    code = CODES[name]()
    information = np.random.default_rng(0).integers(0, 256, (5, code.k), dtype=np.uint8)
    llr = 3 - 6 * np.unpackbits(code.encode(information), axis=1).astype(np.float32)
    decoded, report = code.decode(llr)
    assert np.array_equal(decoded, information)
    assert not report.corrected.any()
    assert not report.uncorrectable.any()
    # Punctured bits are only known after one iteration.
    assert (report.iterations == (0 if name == "C2" else 1)).all()


@pytest.mark.parametrize("name", CODES)
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), errors=st.integers(0, 12), erasures=st.integers(0, 12))
def test_a_few_errors_and_erasures_are_corrected_and_counted(name: str, seed: int, errors: int, erasures: int) -> None:
    code = CODES[name]()
    rng = np.random.default_rng(seed)
    information = rng.integers(0, 256, (1, code.k), dtype=np.uint8)
    llr = 4 - 8 * np.unpackbits(code.encode(information), axis=1).astype(np.float32)
    # Two more bits at the end of C2 are not part of the code.
    places = rng.permutation(llr.shape[1] - 2)[: errors + erasures]
    llr[0, places[:errors]] *= -1
    llr[0, places[errors:]] = rng.choice([0, np.nan], erasures)
    decoded, report = code.decode(llr)
    assert np.array_equal(decoded, information)
    assert report.corrected[0] == errors
    assert not report.uncorrectable[0]


@pytest.mark.parametrize("name", CODES)
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10**6), scale=st.sampled_from([0.01, 1.0, 1e3, 3e38]))
def test_noise_is_flagged_without_complaint(name: str, seed: int, scale: float) -> None:
    code = CODES[name]()
    rng = np.random.default_rng(seed)
    llr = (rng.uniform(-1, 1, (2, 8 * code.n_out)) * scale).astype(np.float32)
    llr[rng.random(llr.shape) < 0.05] = np.inf
    llr[rng.random(llr.shape) < 0.05] = np.nan
    decoded, report = code.decode(llr, max_iterations=3)
    assert decoded.shape == (2, code.k)
    assert report.uncorrectable.all()
    assert (report.corrected == -1).all()
    assert (report.iterations == 3).all()


@pytest.mark.parametrize("name", CODES)
def test_erased_codeblock_is_not_the_zero_word(name: str) -> None:
    code = CODES[name]()
    for erased in (0.0, np.nan):
        _, report = code.decode(np.full((1, 8 * code.n_out), erased, np.float32))
        assert report.uncorrectable.all()


@pytest.mark.parametrize("name", CODES)
def test_nan_is_zero_and_infinity_is_certainty(name: str) -> None:
    code = CODES[name]()
    rng = np.random.default_rng(12)
    llr = rng.normal(0, 5, (4, 8 * code.n_out)).astype(np.float32)
    llr[:, ::5], llr[:, 1::50], llr[:, 2::50] = np.nan, np.inf, -np.inf
    finite = np.nan_to_num(llr, nan=0.0, posinf=20.0, neginf=-20.0)
    assert np.array_equal(code.decode(llr, 5)[0], code.decode(finite, 5)[0])


@pytest.mark.parametrize("name", CODES)
def test_codeblocks_do_not_depend_on_each_other(name: str) -> None:
    code = CODES[name]()
    rng = np.random.default_rng(8)
    information = rng.integers(0, 256, (6, code.k), dtype=np.uint8)
    codeblocks = code.encode(information)
    mean = np.float32(4 if name == "AR4JA 1/2" else 12)
    llr = mean - 2 * mean * np.unpackbits(codeblocks, axis=1).astype(np.float32)
    llr += rng.normal(0, np.sqrt(2 * mean), llr.shape).astype(np.float32)
    llr[2] = rng.normal(0, 3, llr.shape[1])
    frozen = llr.copy()
    frozen.flags.writeable = False
    decoded, report = code.decode(frozen, 30)
    backwards, backwards_report = code.decode(llr[::-1], 30)
    assert np.array_equal(decoded, backwards[::-1])
    assert np.array_equal(report.iterations, backwards_report.iterations[::-1])
    assert report.uncorrectable.tolist() == [False, False, True, False, False, False]
    assert np.array_equal(code.encode(information[::-1]), codeblocks[::-1])
    assert code.encode(information[:0]).shape == (0, code.n_out)
    assert code.decode(llr[:0])[0].shape == (0, code.k)


@pytest.mark.parametrize("name", CODES)
def test_normalised_rule_takes_any_scale(name: str) -> None:
    """Amplitudes instead of LLRs, or an estimate of the noise that is far off."""
    code = LdpcC2() if name == "C2" else Ar4ja(1024, CODES[name]().rate, rule="normalised")  # type: ignore[attr-defined]
    rng = np.random.default_rng(6)
    information = rng.integers(0, 256, (20, code.k), dtype=np.uint8)
    mean = np.float32(4 if name == "AR4JA 1/2" else 12)
    llr = mean - 2 * mean * np.unpackbits(code.encode(information), axis=1).astype(np.float32)
    llr += rng.normal(0, np.sqrt(2 * mean), llr.shape).astype(np.float32)
    for scale in (0.25, 0.5, 1.0, 2.0):
        assert np.array_equal(code.decode(llr * np.float32(scale))[0], information)


def test_errors_say_what_was_expected() -> None:
    code = LdpcC2()
    with pytest.raises(FrameError, match=r"expected uint8 \(n, 892\), found uint8 \(1, 891\)"):
        code.encode(np.zeros((1, 891), np.uint8))
    with pytest.raises(FrameError, match=r"found int64"):
        code.encode(np.zeros((1, 892), np.int64))  # type: ignore[arg-type]
    with pytest.raises(FrameError, match=r"expected float32 \(n, 8160\), found float32 \(8160,\)"):
        code.decode(np.zeros(8160, np.float32))
    with pytest.raises(FrameError, match="found float64"):
        code.decode(np.zeros((1, 8160)))  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="max_iterations: expected 1 or more, found 0"):
        code.decode(np.zeros((1, 8160), np.float32), max_iterations=0)
    with pytest.raises(ConfigError, match="2048"):
        Ar4ja(2048)
    with pytest.raises(ConfigError, match="3/4"):
        Ar4ja(1024, "3/4")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="exact"):
        LdpcC2(rule="exact")  # type: ignore[arg-type]
