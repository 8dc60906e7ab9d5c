"""How long a search takes, by the formulas of docs/acquisition.md: a distribution, and not only its mean.

A target at r, Rayleigh distributed, is touched by a spiral of pitch D once the path is R_c away from it: when the
spiral has come to R = r + D/2 - R_c + u, with u even in +-D/2, that is after pi R^2 / (D v). What is not detected, or
lies outside, is looked for in the next scan, which is wider; its error stays as it is within a time slot, and is
another in the next one, where the roles change. With slots of one scan each the error is drawn anew for every scan.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from flightsw.pat.scan import hexagonal

Values = NDArray[np.float64]
_TARGETS, _OFFSETS, _CELL_TARGETS = 500, 8, 20_000
#: Probability that is not worth another scan or slot.
_NEGLIGIBLE = 1e-5


@dataclass(frozen=True, slots=True)
class Schedule:
    """What a search does beside its pattern; angles in rad, times in s.

    radius: of the first scan; growth: factor on it after each; limit: largest; reset_s: between two; detected:
    probability that a target is found once it is touched; visible: that a
    slot has a target that can be found at all; slot_s, slots: time slots, and how many; pointed_s: at the
    start of a slot, before the scan begins; answer_s: from the touch to the end.
    """

    radius: float
    growth: float = 1.0
    limit: float = math.inf
    reset_s: float = 0.0
    detected: float = 1.0
    visible: float = 1.0
    slot_s: float = math.inf
    slots: int = 1
    pointed_s: float = 0.0
    answer_s: float = 0.0


@dataclass(frozen=True, slots=True)
class SearchTime:
    """Distribution of the time in s: rising `times` (n,), each of probability `weights` (n,)."""

    times: Values
    weights: Values

    @property
    def found(self) -> float:
        """Probability that the target is found at all."""
        return float(self.weights.sum())

    @property
    def mean(self) -> float:
        """Mean time in s of what is found."""
        return float(self.times @ self.weights) / self.found

    def quantile(self, p: float) -> float:
        """Time in s by which a share `p` of all targets is found, infinite if it never is."""
        below = np.cumsum(self.weights)
        i = int(np.searchsorted(below, p))
        return float(self.times[i]) if i < len(below) else math.inf

    def cdf(self, time_s: Values) -> Values:
        """Probability that the target is found by each time (m,)."""
        below = np.concatenate([[0.0], np.cumsum(self.weights)])
        found: Values = below[np.searchsorted(self.times, time_s, side="right")]
        return found


def spiral(sigma: float, pitch: float, speed: float, capture: float, schedule: Schedule) -> SearchTime:
    """Time of a spiral of `pitch` (rad) at `speed` (rad/s), seen out to `capture` (rad) from its axis."""
    offset = (np.arange(_OFFSETS) + 0.5) / _OFFSETS * pitch - 0.5 * pitch
    reach = np.maximum(sigma * _rayleigh(_TARGETS)[:, None] + 0.5 * pitch - capture + offset, 0.0).ravel()
    passed_s = math.pi * reach**2 / (pitch * speed)

    def duration_s(radius: float) -> float:
        return math.pi * radius**2 / (pitch * speed)

    def touched_s(radius: float) -> Values:
        return np.where(reach <= radius, passed_s, np.inf)

    return _repeat(schedule, duration_s, touched_s)


def step_stare(sigma: float, spacing: float, dwell_s: float, capture: float, schedule: Schedule) -> SearchTime:
    """Time of hexagonal cells `spacing` apart (rad), each held for `dwell_s` and seen out to `capture` (rad)."""
    distance = sigma * _rayleigh(_CELL_TARGETS)
    # by the golden angle no direction of the lattice is looked at more than another
    angle = math.pi * (3.0 - math.sqrt(5.0)) * np.arange(_CELL_TARGETS)
    targets = np.stack([distance * np.cos(angle), distance * np.sin(angle)], axis=1)

    def duration_s(radius: float) -> float:
        return hexagonal(radius, spacing, dwell_s).duration_s

    def touched_s(radius: float) -> Values:
        # a target lies within the capture radius of three cells at most, unless they overlap by far
        cells = hexagonal(radius, spacing, dwell_s).cells
        _, near = cKDTree(cells).query(targets, 3, distance_upper_bound=capture)
        first = near.min(axis=1)
        return np.where(first < len(cells), dwell_s * first, np.inf)

    return _repeat(schedule, duration_s, touched_s)


def _rayleigh(count: int) -> Values:
    """Distances of equal probability, in units of sigma."""
    p = (np.arange(count) + 0.5) / count
    distance: Values = np.sqrt(-2.0 * np.log1p(-p))
    return distance


def _repeat(
    schedule: Schedule, duration_s: Callable[[float], float], touched_s: Callable[[float], Values]
) -> SearchTime:
    radius = min(schedule.radius, schedule.limit)
    touched = touched_s(radius)
    left = np.full(len(touched), schedule.visible / len(touched))
    last_s = schedule.slot_s - schedule.pointed_s
    start_s = 0.0
    times, weights = [], []
    while start_s < last_s:
        seen = start_s + touched < last_s
        found = schedule.detected * left[seen]
        times.append(start_s + touched[seen])
        weights.append(found)
        left[seen] -= found
        start_s += duration_s(radius) + schedule.reset_s
        wider = min(schedule.growth * radius, schedule.limit)
        if wider == radius and (schedule.slot_s == math.inf or found.sum() < _NEGLIGIBLE):
            break
        if wider != radius:
            radius, touched = wider, touched_s(wider)
    again = 1.0 - schedule.visible + float(left.sum())
    slots = [n for n in range(schedule.slots) if again**n > _NEGLIGIBLE]
    time_s, weight = np.concatenate(times), np.concatenate(weights)
    time_s = np.concatenate([time_s + n * schedule.slot_s if n else time_s for n in slots])
    weight = np.concatenate([weight * again**n for n in slots])
    order = np.argsort(time_s)
    return SearchTime(schedule.pointed_s + time_s[order] + schedule.answer_s, weight[order])
