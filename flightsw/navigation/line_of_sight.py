"""From two ephemerides to the angles that a terminal points at.

Body axes: z to nadir, y opposite to the orbit normal, x completes the right-handed triad (along the velocity of a
circular orbit). The gimbal axes are the body axes turned by `mounting_azimuth_rad` about z. In gimbal axes the line of
sight is (cos el cos az, cos el sin az, -sin el): elevation is positive away from Earth.

| Quantity | Definition |
| --- | --- |
| received light | seen now, emitted by the partner a light time ago |
| apparent direction | where the received light comes from in the moving frame of the own satellite |
| emission direction | where to send light now, in that frame, so that it meets the partner a light time from now |
| point-ahead angle | emission minus apparent direction: 2 v_perp/c, v_perp the relative velocity across the line |

Aberration by the own velocity is taken to first order in v/c; the second order is 0.6 nrad in low orbit. The motion of
Earth around the Sun shifts both ends alike and drops out. Relativity, refraction and the offset of the terminal from
the centre of mass are left out. Validated against closed forms of circular orbits and an exact Lorentz transformation
in tests/flightsw/test_navigation_line_of_sight.py.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flightsw.errors import ConfigError
from flightsw.navigation.constants import ATMOSPHERE_HEIGHT, EARTH_RADIUS, SPEED_OF_LIGHT, FloatArray
from flightsw.navigation.ephemeris import Ephemeris
from flightsw.navigation.epoch import checked_times
from flightsw.navigation.frames import require_same_axes
from flightsw.navigation.vectors import cross

# A step changes the light time by v/c of the step before it: the one after a step of 1 ns would be below 0.1 ps.
_LIGHT_TIME_CONVERGED_S = 1e-9
_MOST_LIGHT_TIME_STEPS = 10

# An opening shorter than the coarse step may be missed: too short to acquire in.
_COARSE_STEP_S = 10.0
_COARSE_STEPS_AT_ONCE = 360
# Halve a coarse step to below 1 ms.
_BISECTIONS = 14


@dataclass(frozen=True, slots=True)
class LineOfSight:
    """Pointing at n times, in gimbal axes.

    azimuth_rad (n,) in (-pi, pi] and elevation_rad (n,): the apparent direction; range_m and range_rate (n,): distance
    at that time and its rate in m/s; light_time_s (n,): one way, of the received light; point_ahead_rad (n, 2): what to
    add to the apparent direction for the emitted beam, x = cross-elevation (azimuth times cos el), y = elevation;
    earth_blocked bool (n,): the straight line passes within Earth's radius and 100 km of atmosphere.
    """

    azimuth_rad: FloatArray
    elevation_rad: FloatArray
    range_m: FloatArray
    range_rate: FloatArray
    light_time_s: FloatArray
    point_ahead_rad: FloatArray
    earth_blocked: NDArray[np.bool_]


def line_of_sight(
    own: Ephemeris, partner: Ephemeris, t_s: FloatArray, mounting_azimuth_rad: float = 0.0
) -> LineOfSight:
    """Return where `own` must point to see and to hit `partner` at times `t_s` (n,), s since the scenario epoch.

    Raises ConfigError where an ephemeris has no state (the partner's is asked a light time before and after as well),
    for frames that differ, and for two ephemerides at one place.
    """
    require_same_axes(own.frame, partner.frame)
    times = checked_times(t_s)
    own_position, own_velocity = own.states(times)
    partner_position, partner_velocity = partner.states(times)
    apart = partner_position - own_position
    distance = _distance(apart)
    received, light_time = _light_path(own_position, partner, times, distance, direction=-1.0)
    emitted, _ = _light_path(own_position, partner, times, distance, direction=1.0)

    axes = gimbal_axes(own_position, own_velocity, mounting_azimuth_rad)
    beta = own_velocity / SPEED_OF_LIGHT
    apparent = _in_axes(axes, _unit(_unit(received) + beta))
    emission = _in_axes(axes, _unit(_unit(emitted) - beta))
    azimuth = np.arctan2(apparent[:, 1], apparent[:, 0])
    azimuth = np.where(azimuth <= -math.pi, math.pi, azimuth)
    elevation = np.arctan2(-apparent[:, 2], np.hypot(apparent[:, 0], apparent[:, 1]))
    return LineOfSight(
        azimuth_rad=azimuth,
        elevation_rad=elevation,
        range_m=distance,
        range_rate=np.einsum("ij,ij->i", apart, partner_velocity - own_velocity) / distance,
        light_time_s=light_time,
        point_ahead_rad=np.stack(
            [np.einsum("ij,ij->i", axis, emission - apparent) for axis in directions(azimuth, elevation)[1:]], axis=1
        ),
        earth_blocked=_clearance(own_position, partner_position) < 0.0,
    )


def next_opening(own: Ephemeris, partner: Ephemeris, t0_s: float, horizon_s: float = 86_400.0) -> float | None:
    """Return the first time from `t0_s` on, to 1 ms, at which Earth is not in between; `t0_s` itself if it is not then.

    None if there is none within `horizon_s` or before an ephemeris ends. Steps of 10 s, then bisection: an opening
    shorter than a step may be missed. Raises ConfigError if an ephemeris has no state at `t0_s`, or for frames that
    differ.
    """
    require_same_axes(own.frame, partner.frame)
    if not (math.isfinite(t0_s) and math.isfinite(horizon_s)):
        raise ConfigError(f"next opening: expected a finite start and horizon, found {t0_s} s and {horizon_s} s")
    end = min(t0_s + horizon_s, own.useable_span(t0_s)[1], partner.useable_span(t0_s)[1])

    def is_open(t_s: FloatArray) -> NDArray[np.bool_]:
        return _clearance(own.states(t_s)[0], partner.states(t_s)[0]) >= 0.0

    chunk_s = _COARSE_STEP_S * _COARSE_STEPS_AT_ONCE
    for chunk in range(math.ceil((end - t0_s) / chunk_s) if end > t0_s else 0):
        start = t0_s + chunk * chunk_s
        times = np.minimum(start + _COARSE_STEP_S * np.arange(_COARSE_STEPS_AT_ONCE + 1), end)
        opened = np.flatnonzero(is_open(times))
        if not opened.size:
            continue
        first = int(opened[0])
        blocked, clear = float(times[max(first - 1, 0)]), float(times[first])
        for _ in range(_BISECTIONS):
            middle = 0.5 * (blocked + clear)
            if is_open(np.array([middle]))[0]:
                clear = middle
            else:
                blocked = middle
        return clear
    return None


def gimbal_axes(position: FloatArray, velocity: FloatArray, mounting_azimuth_rad: float) -> FloatArray:
    """Return the gimbal axes x, y, z as rows (n, 3, 3) of unit vectors in the frame of position and velocity (n, 3)."""
    nadir = -_unit(position)
    right = -_unit(cross(position, velocity))
    forward = cross(right, nadir)
    cos_m, sin_m = math.cos(mounting_azimuth_rad), math.sin(mounting_azimuth_rad)
    return np.stack([cos_m * forward + sin_m * right, cos_m * right - sin_m * forward, nadir], axis=1)


def directions(azimuth: FloatArray, elevation: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the unit vectors (n, 3) along the line of sight, cross-elevation and elevation, in gimbal axes."""
    cos_a, sin_a, cos_e, sin_e = np.cos(azimuth), np.sin(azimuth), np.cos(elevation), np.sin(elevation)
    return (
        np.stack([cos_e * cos_a, cos_e * sin_a, -sin_e], axis=1),
        np.stack([-sin_a, cos_a, np.zeros_like(azimuth)], axis=1),
        np.stack([-sin_e * cos_a, -sin_e * sin_a, -cos_e], axis=1),
    )


def _light_path(
    own_position: FloatArray, partner: Ephemeris, times: FloatArray, distance: FloatArray, direction: float
) -> tuple[FloatArray, FloatArray]:
    """Return the vector (n, 3) to the partner at the other end of the light's way, and the light time (n,).

    The other end is a light time before `times` for `direction` -1, after them for 1; `distance` (n,) is a first guess.
    """
    light_time = distance / SPEED_OF_LIGHT
    for _ in range(_MOST_LIGHT_TIME_STEPS):
        path = partner.states(times + direction * light_time)[0] - own_position
        before, light_time = light_time, _distance(path) / SPEED_OF_LIGHT
        if np.all(np.abs(light_time - before) < _LIGHT_TIME_CONVERGED_S):
            return path, light_time
    raise ConfigError(
        f"light time: expected to converge in {_MOST_LIGHT_TIME_STEPS} steps, found it does not; "
        "check the ephemerides for speeds near that of light"
    )


def _clearance(own_position: FloatArray, partner_position: FloatArray) -> FloatArray:
    """Return by how much (n,), m, the line between the two stays above the atmosphere; negative below."""
    path = partner_position - own_position
    length_squared = _distance(path) ** 2
    share = np.clip(-np.einsum("ij,ij->i", own_position, path) / length_squared, 0.0, 1.0)
    nearest: FloatArray = np.linalg.norm(own_position + share[:, None] * path, axis=1)
    return nearest - (EARTH_RADIUS + ATMOSPHERE_HEIGHT)


def _distance(path: FloatArray) -> FloatArray:
    """Return lengths (n,); raises ConfigError where the two ends of the link fall together."""
    distance: FloatArray = np.linalg.norm(path, axis=1)
    if (distance < 1.0).any():
        raise ConfigError(
            "line of sight: expected two satellites apart, found them within 1 m; check the two ephemerides"
        )
    return distance


def _unit(vectors: FloatArray) -> FloatArray:
    """Return unit vectors (n, 3)."""
    unit: FloatArray = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


def _in_axes(axes: FloatArray, vectors: FloatArray) -> FloatArray:
    """Return vectors (n, 3) in axes (n, 3, 3) given as rows."""
    components: FloatArray = np.einsum("nij,nj->ni", axes, vectors)
    return components
