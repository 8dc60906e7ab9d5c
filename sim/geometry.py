"""What one terminal sees of the other: apparent direction, range, light time and point-ahead angle, at frame times.

```
        x forward                    azimuth: from the gimbal's zero, right-handed about z
       /                             elevation: out of the local horizontal, positive away from Earth
      o---- y = -(orbit normal)      line of sight (cos el cos az, cos el sin az, -sin el)
      |                              the gimbal's frame is the body frame turned about z by the mounting azimuth
      z nadir
```

| in | unit | out | unit |
| --- | --- | --- | --- |
| orbits of both satellites | m, m/s | apparent azimuth, elevation, and two derivatives | rad, rad/s, rad/s^2 |
| frame times | s | range, one-way light time | m, s |
| mounting azimuth | rad | point-ahead angle, cross-elevation and elevation | rad |
|  |  | height of the ray above Earth | m |

Light that arrives at t left the partner at t - tau; light that leaves at t arrives at t + tau'. Both times are solved,
and both directions are carried into the satellite's moving frame by special relativity's exact aberration formula.
The physics is evaluated on a coarse grid that is refined until a spline of degree 7 agrees with it half way between the
knots; the derivatives are the spline's own, so that a Taylor step from one frame meets the next.

Validated against: chords and 2 v_perp/c of circular orbits, 14.61 urad for co-planar neighbours 2,000 km apart at
550 km; light time solved by root finding; the classical aberration angle; evaluation at every frame without a spline.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.constants import speed_of_light
from scipy.interpolate import BSpline, make_interp_spline
from scipy.optimize import brentq

from flightsw.errors import ConfigError
from sim.orbit import EARTH_RADIUS, Orbit, Vectors

SPEED_OF_LIGHT = float(speed_of_light)

Times = NDArray[np.float64]

#: The finest spacing of knots: a passage that calls for a finer one is smoothed.
FINEST_STEP = 0.05  # s
_COARSEST_STEP = 5.0  # s
_DEGREE = 7
_SEARCH_STEP = 10.0  # s
_SEARCH_BLOCK = 60.0  # s

#: How far spline and physics may be apart half way between knots: two angles, range, point-ahead, radius, climb.
_TOLERANCE = np.array([1e-10, 1e-10, 1e-2, 1e-10, 1e-10, 1e-1, 1e-1])


@dataclass(frozen=True, slots=True)
class Geometry:
    """One terminal's view of the other at n frame times; arrays (n,) unless a shape is given."""

    t_s: Times
    azimuth: NDArray[np.float64]  # rad, without jumps, the first within +-pi
    azimuth_rate: NDArray[np.float64]  # rad/s
    azimuth_acceleration: NDArray[np.float64]  # rad/s^2
    elevation: NDArray[np.float64]  # rad
    elevation_rate: NDArray[np.float64]  # rad/s
    elevation_acceleration: NDArray[np.float64]  # rad/s^2
    range_m: NDArray[np.float64]  # from where the light left to where it arrives
    light_time_s: NDArray[np.float64]
    point_ahead: NDArray[np.float64]  # rad (n, 2): cross-elevation, elevation
    earth_clearance_m: NDArray[np.float64]  # least height of the ray between them; negative: Earth is in the way


def geometry(own: Orbit, partner: Orbit, t_s: Times, mounting_azimuth_rad: float) -> Geometry:
    """The partner as terminal `own` sees it at `t_s` (n,), ascending, n >= 1.

    The orbits are asked for no more than 0.5 s and a light time outside of `t_s`. Interpolation errs by less than
    1 nrad, except within `FINEST_STEP` of a passage through the gimbal's zenith, where the azimuth jumps.

    Raises ConfigError for orbits of different epochs or frames, and for those that their ephemeris does not cover.
    """
    _check_pair(own, partner)
    t_s = np.asarray(t_s, dtype=np.float64)
    start, stop = float(t_s[0]), float(t_s[-1])
    if stop - start < 1.0:
        start, stop = start - 0.5, stop + 0.5
    spline = _refine(lambda t: _view(own, partner, t, mounting_azimuth_rad), start, stop)
    azimuth, elevation, range_m, lead_x, lead_y, radius, climb = spline(t_s).T
    angles = BSpline(spline.t, spline.c[:, :2], spline.k)
    rate, acceleration = angles(t_s, nu=1), angles(t_s, nu=2)
    turns = 2.0 * math.pi * round(azimuth[0] / (2.0 * math.pi))
    return Geometry(
        t_s=t_s,
        azimuth=azimuth - turns,
        azimuth_rate=rate[:, 0],
        azimuth_acceleration=acceleration[:, 0],
        elevation=elevation,
        elevation_rate=rate[:, 1],
        elevation_acceleration=acceleration[:, 1],
        range_m=range_m,
        light_time_s=range_m / SPEED_OF_LIGHT,
        point_ahead=np.column_stack((lead_x, lead_y)),
        earth_clearance_m=_clearance(radius, climb, range_m),
    )


def next_opening(
    own: Orbit, partner: Orbit, t0_s: float, horizon_s: float = 86_400.0, clearance_m: float = 100e3
) -> float | None:
    """The first time from `t0_s` on at which the ray clears Earth by `clearance_m`, in s; None within the horizon.

    `t0_s` itself if the ray is clear then. The time is good to a millisecond; openings shorter than 10 s may be missed.
    Raises ConfigError as `geometry` does; an ephemeris must reach a minute beyond the opening.
    """
    _check_pair(own, partner)

    def excess(t: Times) -> NDArray[np.float64]:
        position, _, sight = _incoming(own, partner, t)
        range_m = np.linalg.norm(sight, axis=1)
        radius = np.linalg.norm(position, axis=1)
        return _clearance(radius, np.sum(position * sight, axis=1) / range_m, range_m) - clearance_m

    end = t0_s + horizon_s
    start = t0_s
    while start < end:
        # a minute at a time, so that an orbit is not integrated over a whole day for an opening that is near
        stop = min(start + _SEARCH_BLOCK, end)
        t = np.linspace(start, stop, math.ceil((stop - start) / _SEARCH_STEP) + 1)
        clear = np.flatnonzero(excess(t) >= 0.0)
        if clear.size:
            first = int(clear[0])
            if first == 0:
                return float(t[0])
            return float(brentq(lambda x: excess(np.array([x]))[0], t[first - 1], t[first], xtol=1e-4))
        start = stop
    return None


def gimbal_axes(position: Vectors, velocity: Vectors, mounting_azimuth_rad: float) -> NDArray[np.float64]:
    """Unit vectors of the gimbal's frame in inertial components (n, 3, 3): row x, row y, row z.

    position (n, 3) m, velocity (n, 3) m/s. The body's z points to Earth's centre, y against the orbit normal; x is the
    direction of flight on a circular orbit and its horizontal part on any other.
    """
    z = -_unit(position)
    y = -_unit(np.cross(position, velocity))
    x = np.cross(y, z)
    cosine, sine = math.cos(mounting_azimuth_rad), math.sin(mounting_azimuth_rad)
    return np.stack((cosine * x + sine * y, cosine * y - sine * x, z), axis=1)


def apparent_direction(direction: Vectors, velocity: Vectors) -> Vectors:
    """The unit vector (n, 3) under which a moving observer sees light that comes from `direction` (n, 3).

    velocity (n, 3) m/s. Stellar aberration without approximation: the Lorentz transformation of a ray (Einstein 1905,
    section 7). Light that leaves obeys the same formula with the velocity reversed.
    """
    beta = velocity / SPEED_OF_LIGHT
    along = np.sum(direction * beta, axis=1, keepdims=True)
    root = np.sqrt(1.0 - np.sum(beta * beta, axis=1, keepdims=True))
    seen: Vectors = (root * direction + (1.0 + along / (1.0 + root)) * beta) / (1.0 + along)
    return seen


def line_of_sight(azimuth: NDArray[np.float64], elevation: NDArray[np.float64]) -> Vectors:
    """The unit vector in the gimbal's frame (n, 3) at `azimuth` and `elevation` (n,) rad."""
    horizontal = np.cos(elevation)
    return np.stack((horizontal * np.cos(azimuth), horizontal * np.sin(azimuth), -np.sin(elevation)), axis=-1)


def offset(direction: Vectors, azimuth: NDArray[np.float64], elevation: NDArray[np.float64]) -> NDArray[np.float64]:
    """Components of `direction` (n, 3), gimbal's frame, along cross-elevation and elevation (n, 2) at a pointing (n,).

    For a direction near the pointing these are the small angles between them, in rad.
    """
    zero = np.zeros_like(azimuth)
    x = np.stack((-np.sin(azimuth), np.cos(azimuth), zero), axis=-1)
    y = line_of_sight(azimuth, elevation + 0.5 * math.pi)
    return np.stack((np.sum(direction * x, axis=-1), np.sum(direction * y, axis=-1)), axis=-1)


def _check_pair(own: Orbit, partner: Orbit) -> None:
    """Raise ConfigError unless both orbits speak of the same time and the same axes."""
    if own.epoch != partner.epoch:
        raise ConfigError(
            f"orbits: expected one epoch for both satellites, found {own.epoch.isoformat()} and "
            f"{partner.epoch.isoformat()}; build both with the scenario's epoch"
        )
    if own.frame != partner.frame:
        raise ConfigError(
            f"orbits: expected one inertial frame for both satellites, found {own.frame} and {partner.frame}; "
            "give both ephemerides in the same frame (a TLE and Keplerian elements are TEME)"
        )


def _incoming(own: Orbit, partner: Orbit, t: Times) -> tuple[Vectors, Vectors, Vectors]:
    """Own position and velocity at t, and the vector from there to where the light of t left the partner; (n, 3)."""
    position, velocity = own.states(t)
    return position, velocity, _to_partner(position, partner, t, -1.0)


def _to_partner(position: Vectors, partner: Orbit, t: Times, sense: float) -> Vectors:
    """Vector (n, 3) from `position` to the partner one light time before (-1) or after (+1) t."""
    light_time = np.zeros_like(t)
    sight = position
    # each pass shrinks the error by v/c: after three, 2,000 km are good to 0.1 um
    for _ in range(3):
        sight = partner.states(t + sense * light_time)[0] - position
        light_time = np.linalg.norm(sight, axis=1) / SPEED_OF_LIGHT
    return sight


def _view(own: Orbit, partner: Orbit, t: Times, mounting_azimuth_rad: float) -> NDArray[np.float64]:
    """Columns (n, 7): azimuth, elevation, range, point-ahead x and y, radius of own orbit, its slope along the ray."""
    position, velocity, sight = _incoming(own, partner, t)
    axes = gimbal_axes(position, velocity, mounting_azimuth_rad)
    range_m = np.linalg.norm(sight, axis=1)
    seen = _resolve(axes, apparent_direction(_unit(sight), velocity))
    aim = _resolve(axes, apparent_direction(_unit(_to_partner(position, partner, t, 1.0)), -velocity))
    azimuth = np.arctan2(seen[:, 1], seen[:, 0])
    elevation = np.arctan2(-seen[:, 2], np.hypot(seen[:, 0], seen[:, 1]))
    lead = offset(aim - seen, azimuth, elevation)
    radius = np.linalg.norm(position, axis=1)
    climb = np.sum(position * sight, axis=1) / range_m
    return np.column_stack((azimuth, elevation, range_m, lead, radius, climb))


def _clearance(
    radius: NDArray[np.float64], climb: NDArray[np.float64], range_m: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Least height above the equatorial radius of a ray of `range_m` that starts at `radius`; all (n,) m.

    climb: projection of the start's position on the ray. Where the perigee of the straight line is not between the
    satellites, the lower end of the ray is its lowest point.
    """
    along = np.clip(-climb, 0.0, range_m)
    square = radius * radius + along * (2.0 * climb + along)
    lowest: NDArray[np.float64] = np.sqrt(np.maximum(square, 0.0)) - EARTH_RADIUS
    return lowest


def _refine(sample: Callable[[Times], NDArray[np.float64]], start: float, stop: float) -> BSpline:
    """A spline through `sample` (n, 7), column 0 an angle that wraps, on knots as fine as `_TOLERANCE` asks for."""
    count = max(_DEGREE + 1, math.ceil((stop - start) / _COARSEST_STEP))
    t = np.linspace(start, stop, count + 1)
    values = sample(t)
    while True:
        merged = np.empty(2 * len(t) - 1)
        merged[::2] = t
        merged[1::2] = 0.5 * (t[1:] + t[:-1])
        finer = np.empty((len(merged), values.shape[1]))
        finer[::2] = values
        finer[1::2] = sample(merged[1::2])
        smooth = finer.copy()
        smooth[:, 0] = np.unwrap(finer[:, 0])
        trial = make_interp_spline(t, smooth[::2], k=_DEGREE)
        error = np.abs(trial(merged[1::2]) - smooth[1::2])
        if (error < _TOLERANCE).all() or merged[1] - merged[0] <= FINEST_STEP:
            return make_interp_spline(merged, smooth, k=_DEGREE)
        t, values = merged, finer


def _resolve(axes: NDArray[np.float64], vectors: Vectors) -> Vectors:
    """Components of `vectors` (n, 3) along `axes` (n, 3, 3)."""
    resolved: Vectors = np.einsum("nij,nj->ni", axes, vectors)
    return resolved


def _unit(vectors: Vectors) -> Vectors:
    unit: Vectors = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    return unit
