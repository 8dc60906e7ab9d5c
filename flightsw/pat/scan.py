"""Scan patterns: where the beam points at each moment of a search, and how finely the search must be drawn.

A pattern maps the time since the scan began to a point on the sky around the expected line of sight. It can be asked
for any time, so the place where the beam was one round trip ago is one call away.

Spiral: Archimedean, pitch D, at constant linear speed v: t = s / v, s = D/(4 pi) (phi sqrt(1 + phi^2) + asinh phi).
Step-stare: hexagonal cells, nearest first, each held for a dwell time. Raster: rows, boustrophedon.

Source of the miss probability under jitter: `docs/acquisition.md`, derived from independent errors on each track.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np
from numba import njit
from numpy.typing import NDArray

from flightsw.errors import ConfigError


class Pattern(Protocol):
    """One scan of the uncertainty cone."""

    @property
    def duration_s(self) -> float:
        """Time until the last point of the pattern."""

    @property
    def speed(self) -> float:
        """Speed of the beam on the sky in rad/s, the dwell counted in."""

    def position(self, t_s: float) -> tuple[float, float]:
        """Point x, y in rad at `t_s` since the scan began; the first or last point before and after it."""

    def trajectory(self, t_s: float, step_s: float, out: NDArray[np.float64]) -> None:
        """Fill `out`, float64 (samples, 2), with the points at t_s, t_s + step_s, ..."""


@dataclass(frozen=True, slots=True)
class Spiral:
    """Archimedean spiral from the centre to `radius` with `pitch`, both in rad, at `speed` in rad/s."""

    radius: float
    pitch: float
    speed: float

    @property
    def duration_s(self) -> float:
        """Length of the spiral over its speed, about pi r^2 / (D v)."""
        phi = 2.0 * math.pi * self.radius / self.pitch
        return _spiral_length(phi) * self.pitch / (4.0 * math.pi) / self.speed

    def position(self, t_s: float) -> tuple[float, float]:
        """Point at `t_s`."""
        return _spiral_point(min(max(t_s, 0.0), self.duration_s), self.pitch, self.speed)

    def trajectory(self, t_s: float, step_s: float, out: NDArray[np.float64]) -> None:
        """Points from `t_s` on."""
        _spiral_trajectory(t_s, step_s, self.duration_s, self.pitch, self.speed, out)


@njit(cache=True, nogil=True)
def _spiral_length(phi: float) -> float:
    return phi * math.sqrt(1.0 + phi * phi) + math.asinh(phi)


@njit(cache=True, nogil=True)
def _spiral_point(t_s: float, pitch: float, speed: float) -> tuple[float, float]:
    length = 4.0 * math.pi * speed * t_s / pitch
    phi = math.sqrt(length) if length > 1.0 else 0.5 * length
    # Newton on the arc length; its derivative is 2 sqrt(1 + phi^2)
    for _ in range(3):
        phi -= (_spiral_length(phi) - length) / (2.0 * math.sqrt(1.0 + phi * phi))
    radius = pitch * phi / (2.0 * math.pi)
    return radius * math.cos(phi), radius * math.sin(phi)


@njit(cache=True, nogil=True)
def _spiral_trajectory(
    t_s: float, step_s: float, duration_s: float, pitch: float, speed: float, out: NDArray[np.float64]
) -> None:
    for k in range(out.shape[0]):
        t = min(max(t_s + k * step_s, 0.0), duration_s)
        out[k, 0], out[k, 1] = _spiral_point(t, pitch, speed)


@dataclass(frozen=True, slots=True)
class StepStare:
    """Cells that are held one after the other: `cells` float64 (cells, 2) in rad, each for `dwell_s`."""

    cells: NDArray[np.float64]
    dwell_s: float
    spacing: float

    @property
    def duration_s(self) -> float:
        """Cells times dwell."""
        return len(self.cells) * self.dwell_s

    @property
    def speed(self) -> float:
        """One spacing per dwell."""
        return self.spacing / self.dwell_s

    def position(self, t_s: float) -> tuple[float, float]:
        """The cell that is held at `t_s`."""
        x, y = self.cells[min(max(int(t_s / self.dwell_s), 0), len(self.cells) - 1)]
        return float(x), float(y)

    def trajectory(self, t_s: float, step_s: float, out: NDArray[np.float64]) -> None:
        """Cells from `t_s` on."""
        index = ((t_s + step_s * np.arange(len(out))) / self.dwell_s).astype(np.int64)
        out[:] = self.cells[np.clip(index, 0, len(self.cells) - 1)]


def hexagonal(radius: float, spacing: float, dwell_s: float) -> StepStare:
    """Hexagonal cells whose centres lie `spacing` apart, nearest first, as many as cover a disc of `radius` (rad).

    A cell covers a circle of spacing / sqrt(3), the distance from a centre to the corners of its hexagon.
    """
    reach = radius + spacing / math.sqrt(3.0)
    n = math.ceil(reach / spacing * 2.0 / math.sqrt(3.0)) + 1
    i, j = np.meshgrid(np.arange(-n, n + 1), np.arange(-n, n + 1))
    cells = np.stack([spacing * (i + 0.5 * j).ravel(), spacing * math.sqrt(0.75) * j.ravel()], axis=1)
    distance = np.hypot(cells[:, 0], cells[:, 1])
    # a cell is needed when some part of its hexagon lies inside the disc; whole rings keep the order simple
    needed = _hexagon_reaches(cells, spacing, radius)
    cells, distance = cells[needed], distance[needed]
    angle = np.arctan2(cells[:, 1], cells[:, 0])
    order = np.lexsort((angle, np.round(distance / spacing, 6)))
    return StepStare(cells=cells[order], dwell_s=dwell_s, spacing=spacing)


def _hexagon_reaches(cells: NDArray[np.float64], spacing: float, radius: float) -> NDArray[np.bool_]:
    """Which hexagons come nearer to the centre than `radius`."""
    normal = np.array([[math.cos(a), math.sin(a)] for a in np.arange(6) * math.pi / 3.0])
    corner = (
        np.array([[math.cos(a), math.sin(a)] for a in (np.arange(6) + 0.5) * math.pi / 3.0]) * spacing / math.sqrt(3.0)
    )
    inside = np.all(-cells @ normal.T <= 0.5 * spacing + 1e-15, axis=1)
    corners = cells[:, None, :] + corner
    edge = np.roll(corners, -1, axis=1) - corners
    along = np.clip(-np.sum(corners * edge, axis=2) / np.sum(edge**2, axis=2), 0.0, 1.0)
    nearest = np.min(np.linalg.norm(corners + along[:, :, None] * edge, axis=2), axis=1)
    reaches: NDArray[np.bool_] = inside | (nearest < radius)
    return reaches


@dataclass(frozen=True, slots=True)
class Raster:
    """Rows of a square of half-width `radius`, `pitch` apart (rad), back and forth at `speed` (rad/s)."""

    radius: float
    pitch: float
    speed: float

    @property
    def rows(self) -> int:
        """Rows that cover the square."""
        return max(math.ceil(2.0 * self.radius / self.pitch), 1)

    @property
    def duration_s(self) -> float:
        """Length of all rows and of the steps between them over the speed."""
        return (self.rows * 2.0 * self.radius + (self.rows - 1) * self.pitch) / self.speed

    def position(self, t_s: float) -> tuple[float, float]:
        """Point at `t_s`."""
        out = np.empty((1, 2))
        self.trajectory(t_s, 0.0, out)
        return float(out[0, 0]), float(out[0, 1])

    def trajectory(self, t_s: float, step_s: float, out: NDArray[np.float64]) -> None:
        """Points from `t_s` on."""
        t = np.clip(t_s + step_s * np.arange(len(out)), 0.0, self.duration_s)
        row, along = np.divmod(t * self.speed, 2.0 * self.radius + self.pitch)
        row = np.minimum(row, self.rows - 1)
        forward = np.minimum(along, 2.0 * self.radius) - self.radius
        out[:, 0] = np.where(row % 2 == 0, forward, -forward)
        first = -0.5 * (self.rows - 1) * self.pitch
        out[:, 1] = first + row * self.pitch + np.maximum(along - 2.0 * self.radius, 0.0)


def miss_probability(pitch: float, capture_radius: float, jitter: float) -> float:
    """Probability that a spiral passes a target without touching it, all three in one unit.

    jitter: rms per axis, independent from track to track. P = 1/D integral over u in +-D/2 of the product over tracks k
    of (1 - Pr(|u + k D + j| < R_c)), j normal: the tracks are straight on the scale of a pitch.
    """
    offsets = (np.arange(2000) + 0.5) / 2000 * pitch - 0.5 * pitch
    if jitter == 0.0:
        return float(np.mean(np.abs(offsets) >= capture_radius))
    reach = math.ceil((capture_radius + 8.0 * jitter) / pitch) + 1
    survive = np.ones_like(offsets)
    scale = 1.0 / (math.sqrt(2.0) * jitter)
    from scipy.special import erf

    for k in range(-reach, reach + 1):
        centre = offsets + k * pitch
        survive *= 1.0 - 0.5 * (erf(scale * (centre + capture_radius)) - erf(scale * (centre - capture_radius)))
    return float(np.mean(survive))


@lru_cache
def track_pitch(capture_radius: float, jitter: float, wanted: float) -> float:
    """The widest pitch that touches a target with probability `wanted`, in the unit of `capture_radius` and `jitter`.

    Never wider than twice the capture radius. Raises ConfigError when even a tenth of the capture radius is too wide.
    """
    narrow, wide = 0.1 * capture_radius, 2.0 * capture_radius
    if miss_probability(narrow, capture_radius, jitter) > 1.0 - wanted:
        raise ConfigError(
            f"scan: expected a pitch that is touched with probability {wanted:g}, found none above a tenth of the "
            f"capture radius {capture_radius:.3g} with jitter {jitter:.3g}; widen the beam or ask for less"
        )
    while wide - narrow > 1e-4 * capture_radius:
        middle = 0.5 * (narrow + wide)
        if miss_probability(middle, capture_radius, jitter) > 1.0 - wanted:
            wide = middle
        else:
            narrow = middle
    return narrow


def mean_time_to_touch(sigma: float, pitch: float, speed: float, capture_radius: float) -> float:
    """Mean time in s until a spiral first touches a target with Gaussian error `sigma` per axis (angles in rad).

    pi/(D v) (2 sigma^2 + 2 sigma d sqrt(pi/2) + d^2 + D^2/12) with d = D/2 - R_c.
    """
    d = 0.5 * pitch - capture_radius
    square = 2.0 * sigma**2 + 2.0 * sigma * d * math.sqrt(math.pi / 2.0) + d**2 + pitch**2 / 12.0
    return math.pi / (pitch * speed) * square
