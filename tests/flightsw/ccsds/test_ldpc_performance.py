"""Frame error rates of the LDPC decoders against published curves, belief propagation and the limit of finite blocks.

- C2: CCSDS 130.1-G-3 section 8 has a frame error rate of 1e-4 to 1e-5 at 3.9 to 4.1 dB.
- AR4JA: published curves are those of belief propagation. So is the decoder below, in double precision: the same
  codeblocks go through both.
- Nothing is much better than the normal approximation to the best code of that length and rate: Y. Polyanskiy, H. V.
  Poor and S. Verdu, "Channel coding rate in the finite blocklength regime", IEEE Trans. Inf. Theory 56 (2010). That
  guards the scale of Eb/N0 itself; a decibel is left to the codes.
"""

import numpy as np
import pytest
from numba import njit
from numpy.typing import NDArray
from scipy.special import ndtr
from scipy.stats import binomtest

from flightsw.ccsds.coding.ldpc import QuasiCyclicLdpc
from flightsw.ccsds.coding.ldpc_ar4ja import Ar4ja, Rate
from flightsw.ccsds.coding.ldpc_c2 import LdpcC2

BATCH = 250


def codeblocks(
    code: QuasiCyclicLdpc, ebn0_db: float, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Information and LLRs of a batch, binary antipodal signalling in white Gaussian noise."""
    information = rng.integers(0, 256, (BATCH, code.k), dtype=np.uint8)
    esn0 = np.float32(10 ** (ebn0_db / 10) * code.k / code.n_out)
    received = 1 - 2 * np.unpackbits(code.encode(information), axis=1).astype(np.float32)
    received += np.sqrt(0.5 / esn0) * rng.standard_normal(received.shape, np.float32)
    return information, 4 * esn0 * received


def frame_errors(code: QuasiCyclicLdpc, ebn0_db: float, frames: int, max_iterations: int = 100) -> int:
    """Frames lost; none may be wrong without being flagged."""
    rng = np.random.Generator(np.random.SFC64(1))
    lost = 0
    for _ in range(frames // BATCH):
        information, llr = codeblocks(code, ebn0_db, rng)
        decoded, report = code.decode(llr, max_iterations)
        wrong = (decoded != information).any(axis=1)
        assert not (wrong & ~report.uncorrectable).any()
        lost += np.count_nonzero(report.uncorrectable)
    return lost


def upper(errors: int, frames: int) -> float:
    """End of the Clopper-Pearson interval of 99 percent; lower() is its other one."""
    return float(binomtest(errors, frames).proportion_ci(0.99).high)


def lower(errors: int, frames: int) -> float:
    return float(binomtest(errors, frames).proportion_ci(0.99).low)


def normal_approximation(n: int, k: int, ebn0_db: float) -> float:
    """Frame error rate of the best code, by the capacity and dispersion of binary input and Gaussian noise."""
    esn0 = 10 ** (ebn0_db / 10) * k / n
    points, weights = np.polynomial.hermite_e.hermegauss(100)
    weights /= weights.sum()
    llr = 4 * esn0 * (1 + points * np.sqrt(0.5 / esn0))
    density = 1 - np.logaddexp(0, -llr) / np.log(2)
    capacity = weights @ density
    dispersion = weights @ (density - capacity) ** 2
    return float(ndtr(-(n * capacity - k + 0.5 * np.log2(n)) / np.sqrt(n * dispersion)))


@njit
def belief_propagation(
    llr: NDArray[np.float64],
    first: NDArray[np.int64],
    columns: NDArray[np.int64],
    max_iterations: int,
    posterior: NDArray[np.float64],
) -> bool:
    """Sum-product in double precision, check by check; posterior holds the LLRs of all columns."""
    messages = np.zeros(len(columns))
    logarithms = np.zeros(64)
    for _ in range(max_iterations):
        failed = False
        for check in range(len(first) - 1):
            parity = False
            for edge in range(first[check], first[check + 1]):
                parity ^= posterior[columns[edge]] <= 0
            failed |= parity
        if not failed:
            return True
        for check in range(len(first) - 1):
            start, end = first[check], first[check + 1]
            for edge in range(start, end):
                posterior[columns[edge]] -= messages[edge]
            total = 0.0
            negative = False
            for edge in range(start, end):
                value = posterior[columns[edge]]
                negative ^= value < 0
                logarithms[edge - start] = -np.log(np.tanh(min(max(abs(value), 1e-9), 40.0) / 2))
                total += logarithms[edge - start]
            for edge in range(start, end):
                others = max(total - logarithms[edge - start], 1e-15)
                message = -np.log(np.tanh(others / 2))
                messages[edge] = -message if negative ^ (posterior[columns[edge]] < 0) else message
            for edge in range(start, end):
                posterior[columns[edge]] += messages[edge]
    return False


def belief_propagation_errors(code: QuasiCyclicLdpc, ebn0_db: float, frames: int) -> int:
    check = code.parity_check
    rows: list[list[int]] = [[] for _ in range(check.block_rows * check.size)]
    for block_row, block_column, place in check.ones:
        for row in range(check.size):
            rows[block_row * check.size + row].append(block_column * check.size + (place + row) % check.size)
    first = np.cumsum([0, *map(len, rows)])
    columns = np.concatenate(rows)
    rng = np.random.Generator(np.random.SFC64(1))
    lost = 0
    for _ in range(frames // BATCH):
        information, llr = codeblocks(code, ebn0_db, rng)
        bits = np.unpackbits(information, axis=1)
        for row in range(BATCH):
            posterior = np.zeros(check.block_columns * check.size)
            posterior[: llr.shape[1]] = llr[row]
            decoded = belief_propagation(posterior.copy(), first, columns, 200, posterior)
            lost += not decoded or not np.array_equal(posterior[: bits.shape[1]] < 0, bits[row])
    return lost


def test_c2_keeps_to_the_published_curve() -> None:
    """The published 1e-4 is reached at 4.1 dB, as far as so few frames can tell; and the curve is steep before it."""
    frames = 30_000
    assert upper(frame_errors(LdpcC2(), 4.1, frames), frames) < 2e-4
    assert lower(frame_errors(LdpcC2(), 3.6, 1000), 1000) > 1e-2


@pytest.mark.parametrize(("rate", "ebn0_db"), [("1/2", 1.1), ("2/3", 1.9), ("4/5", 2.9)])
def test_ar4ja_is_within_0_2_db_of_belief_propagation(rate: Rate, ebn0_db: float) -> None:
    code = Ar4ja(1024, rate)
    frames = 250
    reference = belief_propagation_errors(code, ebn0_db, frames)
    assert 10 <= reference <= 60
    assert upper(frame_errors(code, ebn0_db + 0.2, 2000), 2000) < reference / frames
    assert frame_errors(code, ebn0_db, frames) < 1.5 * reference


@pytest.mark.parametrize(
    ("code", "ebn0_db"),
    [
        (LdpcC2(), 3.7),
        (Ar4ja(1024, "1/2"), 1.3),
        (Ar4ja(1024, "2/3"), 2.1),
        (Ar4ja(1024, "4/5"), 3.1),
        (Ar4ja(4096, "1/2"), 1.05),
        (Ar4ja(4096, "2/3"), 1.85),
        (Ar4ja(4096, "4/5"), 2.75),
    ],
    ids=lambda value: f"{value.name}-{8 * value.k}" if isinstance(value, QuasiCyclicLdpc) else None,
)
def test_no_better_than_possible_and_within_a_decibel_of_it(code: QuasiCyclicLdpc, ebn0_db: float) -> None:
    n, k = 8 * code.n_out, 8 * code.k
    frames = 1000
    errors = frame_errors(code, ebn0_db, frames)
    assert errors >= 5
    assert upper(errors, frames) > normal_approximation(n, k, ebn0_db)
    assert lower(errors, frames) < normal_approximation(n, k, ebn0_db - 1.0)


def test_normalised_rule_costs_ar4ja_less_than_0_3_db() -> None:
    frames = 2000
    corrected = frame_errors(Ar4ja(1024, "1/2"), 1.3, frames)
    assert frame_errors(Ar4ja(1024, "1/2", rule="normalised"), 1.6, frames) < corrected


@pytest.mark.slow
def test_c2_waterfall() -> None:
    """1e-4 is reached between 3.7 and 3.9 dB, some 1e-5 at 4.0 dB: as published, and without a floor before that."""
    assert lower(frame_errors(LdpcC2(), 3.7, 20_000), 20_000) > 1e-3
    assert upper(frame_errors(LdpcC2(), 3.9, 200_000), 200_000) < 1e-4
    assert upper(frame_errors(LdpcC2(), 4.0, 600_000), 600_000) < 2e-5


@pytest.mark.slow
@pytest.mark.parametrize(("rate", "ebn0_db"), [("1/2", 1.3), ("2/3", 2.1), ("4/5", 3.1)])
def test_ar4ja_is_within_a_twentieth_of_a_db_of_belief_propagation(rate: Rate, ebn0_db: float) -> None:
    code = Ar4ja(1024, rate)
    frames = 5000
    reference = belief_propagation_errors(code, ebn0_db, frames)
    assert frame_errors(code, ebn0_db + 0.05, frames, 200) < reference


@pytest.mark.slow
@pytest.mark.parametrize(
    ("bits", "rate", "ebn0_db"), [(1024, "1/2", 1.9), (1024, "2/3", 2.7), (1024, "4/5", 3.8), (4096, "1/2", 1.3)]
)
def test_ar4ja_reaches_1e_4(bits: int, rate: Rate, ebn0_db: float) -> None:
    frames = 100_000
    assert upper(frame_errors(Ar4ja(bits, rate), ebn0_db, frames), frames) < 1.5e-4
