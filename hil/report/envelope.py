"""Ten thousand samples a second on a thousand pixels: least, mean and greatest value of each pixel's samples."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32] | NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Envelope:
    """One row a pixel, (columns,): time of its middle in s, least, mean, rms and greatest value; NaN for none."""

    time_s: NDArray[np.float64]
    low: NDArray[np.float64]
    mean: NDArray[np.float64]
    rms: NDArray[np.float64]
    high: NDArray[np.float64]


def envelope(
    time_s: NDArray[np.float64], values: Floats, start_s: float, end_s: float, columns: int = 1000
) -> Envelope:
    """Envelope of the samples with start_s <= time < end_s, `time_s` rising. Values that are not finite do not count.

    All pixels hold equally many samples, so some at the end may be left out; with fewer samples than columns each gets
    its own.
    """
    first, last = np.searchsorted(time_s, (start_s, end_s))
    t, v = time_s[first:last], np.asarray(values[first:last])
    if not len(t):
        nothing = np.zeros(0)
        return Envelope(nothing, nothing, nothing, nothing, nothing)
    each = -(-len(t) // columns)
    t, v = t[: len(t) // each * each], v[: len(t) // each * each]
    starts = np.arange(0, len(t), each)
    ends = np.append(starts[1:], len(t)) - 1
    finite = np.isfinite(v)
    clean = np.where(finite, v, 0.0).astype(np.float64)
    count = np.add.reduceat(finite, starts, dtype=np.float64)
    count[count == 0.0] = np.nan
    hidden = v if finite.all() else np.where(finite, v, np.nan)
    return Envelope(
        time_s=0.5 * (t[starts] + t[ends]),
        low=np.fmin.reduceat(hidden, starts).astype(np.float64),
        mean=np.add.reduceat(clean, starts) / count,
        rms=np.sqrt(np.add.reduceat(clean**2, starts) / count),
        high=np.fmax.reduceat(hidden, starts).astype(np.float64),
    )
