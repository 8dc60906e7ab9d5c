"""Power spectral density of a signal, and how it is thinned for a logarithmic axis."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: Longest segment of the Welch average: it sets the lowest frequency and the width of a tone's line.
_SEGMENT_S = 4.0
_LEAST_SEGMENTS = 4


@dataclass(frozen=True, slots=True)
class Spectrum:
    """One-sided power spectral density: frequency in Hz and density in the signal's unit squared per Hz, both (n,)."""

    frequency_hz: NDArray[np.float64]
    density: NDArray[np.float64]

    @property
    def step_hz(self) -> float:
        """Distance between two frequencies."""
        return float(self.frequency_hz[1] - self.frequency_hz[0])

    @property
    def cumulative_rms(self) -> NDArray[np.float64]:
        """Rms of everything from the lowest frequency up to each one, (n,), in the signal's unit."""
        return np.sqrt(np.cumsum(self.density) * self.step_hz)

    def power(self, frequency_hz: float, half_width_hz: float) -> float:
        """Mean square of the signal within a band around a frequency, in the signal's unit squared."""
        band = np.abs(self.frequency_hz - frequency_hz) <= half_width_hz
        return float(self.density[band].sum() * self.step_hz)


def welch(signal: NDArray[np.float32] | NDArray[np.float64], rate_hz: float) -> Spectrum:
    """Welch average with Hann windows and half overlap. Segments are at most 4 s, and at least four fit in the signal.

    The mean of each segment is taken out and its bin at 0 Hz left out.
    """
    from scipy.signal import welch as average

    longest = min(int(_SEGMENT_S * rate_hz), 2 * len(signal) // (_LEAST_SEGMENTS + 1))
    segment = 1 << (longest.bit_length() - 1)
    frequency, density = average(signal, rate_hz, "hann", segment, detrend="constant")
    return Spectrum(frequency[1:], density[1:].astype(np.float64))


def thinned(spectrum: Spectrum, per_decade: int = 160) -> Spectrum:
    """Bins of equal width on a logarithmic axis, each the mean of its densities, so that areas stay what they are.

    Frequencies that lie farther apart than the bins stay as they are. The result is for drawing, not evenly spaced.
    """
    which = np.floor(np.log10(spectrum.frequency_hz) * per_decade).astype(np.int64)
    _, starts, counts = np.unique(which, return_index=True, return_counts=True)
    return Spectrum(
        np.add.reduceat(spectrum.frequency_hz, starts) / counts, np.add.reduceat(spectrum.density, starts) / counts
    )
