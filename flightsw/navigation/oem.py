"""An ephemeris tabulated in a CCSDS Orbit Ephemeris Message (CCSDS 502.0-B-3, section 5)."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from os import PathLike
from pathlib import Path
from typing import Self

import numpy as np

from flightsw.errors import ConfigError
from flightsw.navigation.constants import FloatArray
from flightsw.navigation.epoch import checked_times, utc_epoch
from flightsw.navigation.interpolation import hermite, lagrange, windows
from flightsw.navigation.oem_file import OemSegment, read_segments


class OemEphemeris:
    """States interpolated between those of a file, never across its segments (5.2.4.6).

    Interpolation is that of the file, Hermite of degree 7 where it names none (of less where a segment has less than
    four states). At the shared endpoint of two segments the later one counts.
    """

    def __init__(self, segments: Sequence[OemSegment], epoch: datetime, source: str) -> None:
        """Take segments of one object and frame in order of time; `source` names them in errors."""
        self.epoch = utc_epoch(epoch)
        self.frame = segments[0].frame
        self.object_name = segments[0].object_name
        self.object_id = segments[0].object_id
        self._source = source
        self._segments = tuple(segments)
        self._starts = np.array([segment.useable_start for segment in segments])
        self._stops = np.array([segment.useable_stop for segment in segments])
        self._spans = _joined(self._segments)

    @classmethod
    def read(cls, path: str | PathLike[str], epoch: datetime) -> Self:
        """Read a file in KVN form; raises ConfigError naming file, line, what was expected and what was found."""
        start = utc_epoch(epoch)
        return cls(read_segments(Path(path), start), start, str(path))

    def useable_span(self, t_s: float) -> tuple[float, float]:
        """Return first and last time of the unbroken useable span around `t_s`; raises ConfigError outside of all."""
        for first, last in self._spans:
            if first <= t_s <= last:
                return first, last
        raise self._outside(t_s)

    def states(self, t_s: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return position (n, 3) in m and velocity (n, 3) in m/s at `t_s` (n,), s since the scenario epoch.

        Raises ConfigError, naming the useable spans and the time, for a time outside of them.
        """
        times = checked_times(t_s)
        which = np.searchsorted(self._starts, times, side="right") - 1
        outside = (which < 0) | (times > self._stops[which])
        if outside.any():
            raise self._outside(float(times[outside][0]))
        position, velocity = np.empty((times.size, 3)), np.empty((times.size, 3))
        for index in np.unique(which):
            here = which == index
            position[here], velocity[here] = _interpolate(self._segments[index], times[here])
        return position, velocity

    def _outside(self, t_s: float) -> ConfigError:
        """Make the error for a time without a state."""
        spans = " and ".join(f"{self._when(first)} to {self._when(last)}" for first, last in self._spans)
        return ConfigError(
            f"{self._source}: expected a time within {spans}, found {self._when(t_s)}; get a product for that time"
        )

    def _when(self, t_s: float) -> str:
        """Write a time both ways, UTC as far as the calendar goes."""
        try:
            utc = (self.epoch + timedelta(seconds=t_s)).replace(tzinfo=None).isoformat(timespec="milliseconds")
        except (OverflowError, ValueError):
            return f"{t_s:.3f} s"
        return f"{t_s:.3f} s ({utc})"


def _interpolate(segment: OemSegment, times: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return position and velocity (n, 3) of a segment at times (n,) within it."""
    window = windows(segment.times, times, segment.points)
    method = hermite if segment.method == "HERMITE" else lagrange
    return method(segment.times[window], segment.position[window], segment.velocity[window], times)


def _joined(segments: Sequence[OemSegment]) -> list[tuple[float, float]]:
    """Return the useable spans, those that share an endpoint joined."""
    spans: list[tuple[float, float]] = []
    for segment in segments:
        if spans and segment.useable_start == spans[-1][1]:
            spans[-1] = (spans[-1][0], segment.useable_stop)
        else:
            spans.append((segment.useable_start, segment.useable_stop))
    return spans
