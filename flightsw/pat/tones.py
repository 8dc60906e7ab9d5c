"""Tones in the disturbance, found in the fine loop's own samples.

What the quad cell and the mirror add up to is the disturbance as if the mirror stood still; its lines are what wheels,
coolers and solar-array drives do to the platform.

Method: averaged periodogram with Hann windows (Welch, IEEE Trans. Audio Electroacoust. 15, 1967); a tone is a local
maximum that stands far above the median of its surroundings; its frequency by the parabola through three logarithms.
"""

import numpy as np
from numpy.typing import NDArray

from flightsw.pat.loop_design import Tone

_SEGMENT_S = 0.8192
_LOWEST_HZ = 30.0  # the loop rejects what is below, and the drift is too steep there for a median of the surroundings
_HIGHEST_HZ = 1000.0
_NEIGHBOURS = 24  # bins on each side that the median is taken over
_LINE = 3  # bins on each side that a Hann window spreads a line over
_ABOVE = 8.0  # times the median: misses no tone between two bins, and finds none in noise


def disturbance(error: NDArray[np.floating], command: NDArray[np.floating], lag_samples: float) -> NDArray[np.float64]:
    """Disturbance in rad from error and mirror command (samples,), the mirror `lag_samples` behind its command."""
    index = np.arange(len(command)) - lag_samples
    moved: NDArray[np.float64] = np.interp(index, np.arange(len(command)), command)
    return error + moved


def identify(axes: NDArray[np.float64], sample_rate_hz: float, at_most: int) -> list[Tone]:
    """The strongest tones in a disturbance, `axes` float64 (axes, samples) in rad; rms is per axis.

    Looks from 30 Hz to 1 kHz, at the mean power of the axes. Strongest first; none from less than two segments, 1.64 s.
    """
    segment = 2 * round(_SEGMENT_S * sample_rate_hz / 2)
    count = 2 * axes.shape[1] // segment - 1
    if count < 3:
        return []
    window = np.hanning(segment)
    power = np.zeros(segment // 2 + 1)
    for i in range(count):
        piece = axes[:, i * segment // 2 : i * segment // 2 + segment]
        piece = (piece - piece.mean(axis=1, keepdims=True)) * window
        power += np.mean(np.abs(np.fft.rfft(piece)) ** 2, axis=0)
    density = power * 2.0 / (count * sample_rate_hz * np.sum(window**2))
    bin_hz = sample_rate_hz / segment
    low, high = int(_LOWEST_HZ / bin_hz), min(int(_HIGHEST_HZ / bin_hz), len(density) - _NEIGHBOURS - 1)

    first = max(low, _NEIGHBOURS)
    around = np.lib.stride_tricks.sliding_window_view(density[first - _NEIGHBOURS :], 2 * _NEIGHBOURS + 1)
    floor = np.median(around, axis=1)
    bins = np.arange(first, high)
    here = density[bins]
    level = floor[bins - first]
    peak = (here > _ABOVE * level) & (here >= density[bins - 1]) & (here > density[bins + 1])
    tones = []
    for b, base in zip(bins[peak], level[peak], strict=True):
        left, middle, right = np.log(density[b - 1 : b + 2])
        shift = 0.5 * (left - right) / (left - 2.0 * middle + right)
        excess = np.sum(density[b - _LINE : b + _LINE + 1] - base) * bin_hz
        if excess > 0.0:
            tones.append(Tone(rms_rad=float(np.sqrt(excess)), frequency_hz=float((b + shift) * bin_hz)))
    tones.sort(key=lambda tone: -tone.rms_rad)
    return tones[:at_most]
