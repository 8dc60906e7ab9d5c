"""Tones found in synthetic disturbances: the drift of OLYMPUS, sensor noise and lines that the test knows."""

import math

import numpy as np
import pytest
from scipy.signal import lfilter

from flightsw.pat import tones

URAD = 1e-6
OLYMPUS = math.sqrt(80.0 * math.pi / 2.0) * URAD
SECONDS = 2.5
LINES = {67.0: 0.8, 100.0: 0.9, 180.0: 0.6}


def disturbance(seed: int, lines: dict[float, float], rate: float = 5000.0, seconds: float = SECONDS) -> np.ndarray:
    """Two axes of drift at 1 Hz, 0.1 urad of noise and `lines` (Hz to urad rms) in rad."""
    rng = np.random.default_rng(seed)
    samples = round(seconds * rate)
    pole = math.exp(-2.0 * math.pi / rate)
    white = OLYMPUS * rng.standard_normal((2, samples))
    white[:, 1:] *= math.sqrt(1.0 - pole**2)
    axes = lfilter([1.0], [1.0, -pole], white) + 0.1 * URAD * rng.standard_normal((2, samples))
    t = np.arange(samples) / rate
    for frequency, rms in lines.items():
        phase = rng.uniform(0.0, 2.0 * math.pi, (2, 1))
        axes += math.sqrt(2.0) * rms * URAD * np.cos(2.0 * math.pi * frequency * t + phase)
    return axes


@pytest.mark.parametrize("rate", [2000.0, 5000.0, 10_000.0])
@pytest.mark.parametrize(
    "lines", [LINES, {61.37: 1.2, 143.21: 1.1, 412.9: 0.4, 871.66: 0.3}], ids=["PAT", "off the bins"]
)
def test_tones_are_found_within_a_tenth_of_a_hertz_and_their_rms_within_a_tenth(lines, rate) -> None:
    rms = {frequency: [] for frequency in lines}
    for seed in range(10):
        found = sorted(tones.identify(disturbance(seed, lines, rate), rate, 7), key=lambda tone: tone.frequency_hz)
        assert [tone.frequency_hz for tone in found] == pytest.approx(sorted(lines), abs=0.1)
        for frequency, tone in zip(sorted(lines), found, strict=True):
            rms[frequency].append(tone.rms_rad / URAD)
    for frequency, wanted in lines.items():
        # the drift within the line's width adds to a tone or takes from it, by chance
        assert np.mean(rms[frequency]) == pytest.approx(wanted, rel=0.05)
        assert np.sqrt(np.mean((np.array(rms[frequency]) - wanted) ** 2)) < 0.1 * wanted


def test_nothing_is_found_in_drift_and_noise() -> None:
    for seed in range(50):
        assert tones.identify(disturbance(seed, {}), 5000.0, 7) == []


def test_nothing_is_found_in_white_noise() -> None:
    for seed in range(50):
        axes = np.random.default_rng(seed).standard_normal((2, 12_500))
        assert tones.identify(axes, 5000.0, 7) == []


def test_a_line_that_a_low_order_filter_shapes_is_no_tone() -> None:
    # a broad hump of the platform, damped with a tenth of the critical
    rng = np.random.default_rng(1)
    radius, angle = math.exp(-0.1 * 2.0 * math.pi * 60.0 / 5000.0), 2.0 * math.pi * 60.0 / 5000.0
    axes = lfilter([1.0], [1.0, -2.0 * radius * math.cos(angle), radius**2], rng.standard_normal((2, 50_000)))
    assert tones.identify(axes, 5000.0, 7) == []


def test_strongest_come_first_and_at_most_as_many_as_asked_for() -> None:
    axes = disturbance(3, {60.0: 0.8, 120.0: 2.0, 240.0: 1.0, 480.0: 0.5})
    everything = tones.identify(axes, 5000.0, 7)
    assert [round(tone.frequency_hz) for tone in everything] == [120, 240, 60, 480]
    assert tones.identify(axes, 5000.0, 2) == everything[:2]
    assert tones.identify(axes, 5000.0, 0) == []


def test_a_tone_on_one_axis_counts_with_its_mean_power() -> None:
    axes = disturbance(4, {})
    axes[0] += math.sqrt(2.0) * URAD * np.cos(2.0 * math.pi * 150.0 * np.arange(axes.shape[1]) / 5000.0)
    (tone,) = tones.identify(axes, 5000.0, 7)
    assert tone.rms_rad == pytest.approx(math.sqrt(0.5) * URAD, rel=0.05)


def test_tones_below_30_hz_and_above_1_khz_are_not_looked_for() -> None:
    axes = disturbance(5, {12.0: 5.0, 40.0: 3.0, 950.0: 1.0, 1100.0: 2.0})
    assert [round(tone.frequency_hz) for tone in tones.identify(axes, 5000.0, 7)] == [40, 950]


def test_less_than_two_segments_give_no_tones() -> None:
    axes = disturbance(6, LINES)
    two_segments = 2 * 4096
    assert tones.identify(axes[:, : two_segments - 1], 5000.0, 7) == []
    assert len(tones.identify(axes[:, :two_segments], 5000.0, 7)) == 3


@pytest.mark.parametrize("lag", [0, 2, 5])
def test_the_disturbance_is_the_error_and_the_command_of_then(lag) -> None:
    rng = np.random.default_rng(7)
    truth, command = rng.standard_normal(500), rng.standard_normal(500)
    error = truth.copy()
    error[lag:] -= command[: 500 - lag]
    np.testing.assert_allclose(tones.disturbance(error, command, lag)[lag:], truth[lag:], atol=1e-12)


def test_a_lag_between_samples_is_interpolated() -> None:
    k = np.arange(300.0)
    moved = tones.disturbance(np.zeros(300), 3.0 * k, 2.3)
    np.testing.assert_allclose(moved[3:], 3.0 * (k[3:] - 2.3), atol=1e-9)


def test_single_precision_samples_are_summed_in_double() -> None:
    result = tones.disturbance(np.float32([1.0, 1.0]), np.float32([1e-9, 1e-9]), 0.0)
    assert result.dtype == np.float64
    assert result[0] - 1.0 == pytest.approx(1e-9, rel=1e-6)
