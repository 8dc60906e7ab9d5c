"""Bit error rates of the Viterbi decoder against union bounds and the figure that issue 3 asks for.

The bounds add up the distance spectra of J. P. Odenwalder (1970; rate 1/2) and of D. Haccoun and G. Begin, "High-rate
punctured convolutional codes for Viterbi and sequential decoding", IEEE Trans. Commun. 37 (1989): information weights
of the paths at the free distance and beyond, for a puncture period. CCSDS 130.1-G-3 section 4 has the curves.
"""

import numpy as np
import pytest
from scipy.special import ndtr

from flightsw.ccsds.coding.convolutional import ConvolutionalCode, Rate

SPECTRA: dict[str, tuple[int, int, tuple[int, ...]]] = {
    "1/2": (10, 2, (36, 211, 1404, 11633, 77433, 502690)),
    "2/3": (6, 1, (3, 70, 285, 1276, 6160, 27128)),
    "3/4": (5, 1, (42, 201, 1492, 10469, 62935)),
    "5/6": (4, 1, (92, 528, 8694, 79453)),
    "7/8": (3, 1, (9, 500, 7437, 105707)),
}


def union_bound(rate: Rate, ebn0_db: float) -> float:
    code = ConvolutionalCode(rate)
    esn0 = 10 ** (ebn0_db / 10) * code.period_bits / code.period_symbols
    distance, step, known = SPECTRA[rate]
    # The weights beyond the tabulated ones go on to grow as the last two do.
    growth = known[-1] / known[-2]
    weights = [*known, *(known[-1] * growth**i for i in range(1, 20))]
    bound = sum(weight * ndtr(-np.sqrt(2 * (distance + step * i) * esn0)) for i, weight in enumerate(weights))
    return float(bound / code.period_bits)


def bit_error_rate(
    rate: Rate, ebn0_db: float, bits: int, *, three_bits: bool = False, traceback: int = 128, seed: int = 1
) -> float:
    """Monte Carlo over binary antipodal signalling in white Gaussian noise, in a few long rows."""
    code = ConvolutionalCode(rate)
    rng = np.random.Generator(np.random.SFC64(seed))
    esn0 = 10 ** (ebn0_db / 10) * code.period_bits / code.period_symbols
    sigma = np.float32(np.sqrt(0.5 / esn0))
    octets = 125_000
    errors = 0
    for _ in range(bits // (8 * octets)):
        information = rng.integers(0, 256, (1, octets), dtype=np.uint8)
        signs = 1 - 2 * np.unpackbits(code.encode(information), axis=1).astype(np.float32)
        received = signs + sigma * rng.standard_normal(signs.shape, np.float32)
        if three_bits:
            # Eight levels with the usual spacing of about half a deviation, as odd numbers.
            levels = np.clip(np.floor(received / (0.55 * sigma)), -4, 3)
            decoded, _ = code.decode_soft((2 * levels + 1).astype(np.int8), traceback=traceback)
        else:
            decoded, _ = code.decode_soft(received * np.float32(4 * esn0), traceback=traceback)
        # The end of a row lacks the symbols that would protect it.
        errors += int(np.bitwise_count(decoded ^ information)[:, :-8].sum())
    return errors / bits


def test_three_bit_decisions_reach_1e_5_within_0_2_db_of_4_4_db() -> None:
    assert bit_error_rate("1/2", 4.6, 16_000_000, three_bits=True) < 1e-5


def test_fine_decisions_gain_about_0_2_db_over_three_bits() -> None:
    assert bit_error_rate("1/2", 4.4, 16_000_000) < 1e-5


@pytest.mark.parametrize(("rate", "ebn0_db"), [("1/2", 3.6), ("2/3", 4.1), ("3/4", 4.6), ("5/6", 5.2), ("7/8", 5.6)])
def test_bit_error_rate_keeps_to_the_union_bound(rate: Rate, ebn0_db: float) -> None:
    """Within 0.1 dB above and 0.25 dB below; some 60 bursts of errors, so that 0.1 dB are three deviations."""
    measured = bit_error_rate(rate, ebn0_db, 6_000_000)
    assert measured < union_bound(rate, ebn0_db - 0.1)
    assert measured > union_bound(rate, ebn0_db + 0.25)


@pytest.mark.slow
@pytest.mark.parametrize(("three_bits", "ebn0_db"), [(True, 4.4), (False, 4.2)])
def test_1e_5_at_the_textbook_value(three_bits: bool, ebn0_db: float) -> None:
    assert 0.5e-5 < bit_error_rate("1/2", ebn0_db, 400_000_000, three_bits=three_bits) < 1.2e-5


@pytest.mark.slow
@pytest.mark.parametrize(("rate", "ebn0_db"), [("1/2", 4.4), ("2/3", 4.7), ("3/4", 5.3), ("5/6", 6.0), ("7/8", 6.7)])
def test_traceback_window_costs_nothing(rate: Rate, ebn0_db: float) -> None:
    short = bit_error_rate(rate, ebn0_db, 100_000_000)
    assert short <= 1.02 * bit_error_rate(rate, ebn0_db, 100_000_000, traceback=256)
    assert short < union_bound(rate, ebn0_db - 0.1)
