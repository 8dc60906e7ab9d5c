"""Who sees whom, and how far apart points on the ground are.

| in | unit | out | unit |
| --- | --- | --- | --- |
| positions of satellites and ground points, inertial | m | height of the ray above Earth | m |
|  |  | elevation above the geodetic horizon; in sight or not | rad; bool |
| two ground points | deg | great circle; delay in fibre, and the least in vacuum | m, s |

Earth is a sphere of the equatorial radius for rays between satellites, as in sim.geometry, and the WGS 84 ellipsoid
for elevations. Rays are straight: no refraction, which lifts a satellite at 5 deg by 0.16 deg.

Validated against: spherical trigonometry of pairs on a shell; a satellite straight above, on the horizon and at the
slant range of a given elevation; printed great-circle distances.
"""

import math
from collections.abc import Sequence

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sim.geometry import SPEED_OF_LIGHT
from sim.network.constellation import Constellation
from sim.network.ground import POLAR_RATIO, GroundPointModel, earth_fixed, positions
from sim.orbit import EARTH_RADIUS

#: Mean radius of Earth, (2a + b)/3 of WGS 84.
MEAN_RADIUS = 6_371_008.8  # m
#: Group index of silica fibre at 1550 nm (ITU-T G.652 fibres: 1.467 to 1.469).
FIBRE_INDEX = 1.468
_BLOCK = 64


@njit(cache=True, nogil=True)
def earth_clearance(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Least height in m above the equatorial radius of the ray between the positions `a` and `b` (3,) m."""
    ax, ay, az = a[0], a[1], a[2]
    dx, dy, dz = b[0] - ax, b[1] - ay, b[2] - az
    square = dx * dx + dy * dy + dz * dz
    # where the straight line is nearest to Earth's centre, or the lower end
    along = -(ax * dx + ay * dy + az * dz) / square if square > 0.0 else 0.0
    along = min(max(along, 0.0), 1.0)
    x, y, z = ax + along * dx, ay + along * dy, az + along * dz
    return math.sqrt(x * x + y * y + z * z) - EARTH_RADIUS


@njit(cache=True, nogil=True)
def clear_pairs(position: NDArray[np.float64], clearance_m: float, range_m: float) -> NDArray[np.int32]:
    """Pairs a < b of satellites (P, 2) no further apart than `range_m`, their ray no lower than `clearance_m`.

    position (S, 3) m. Every pair is looked at: 1.25 million of 1,584 satellites.
    """
    satellites = len(position)
    count = 0
    found = np.empty((1024, 2), np.int32)
    for a in range(satellites):
        for b in range(a + 1, satellites):
            dx = position[b, 0] - position[a, 0]
            dy = position[b, 1] - position[a, 1]
            dz = position[b, 2] - position[a, 2]
            if dx * dx + dy * dy + dz * dz > range_m * range_m:
                continue
            if earth_clearance(position[a], position[b]) < clearance_m:
                continue
            if count == len(found):
                longer = np.empty((2 * count, 2), np.int32)
                longer[:count] = found
                found = longer
            found[count, 0], found[count, 1] = a, b
            count += 1
    return found[:count]


@njit(cache=True, nogil=True)
def elevations(ground: NDArray[np.float64], satellites: NDArray[np.float64]) -> NDArray[np.float64]:
    """Elevation in rad (G, S) of satellites (S, 3) above the geodetic horizon of ground points (G, 3), both in m."""
    elevation = np.empty((len(ground), len(satellites)))
    for g in range(len(ground)):
        up = _up(ground[g])
        for s in range(len(satellites)):
            climb, distance = _climb(ground[g], up, satellites[s])
            elevation[g, s] = math.asin(min(max(climb / distance, -1.0), 1.0))
    return elevation


@njit(cache=True, nogil=True)
def visible(
    ground: NDArray[np.float64], satellites: NDArray[np.float64], minimum_elevation: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """True (G, S) where a satellite (S, 3) stands at or above a point's (G, 3) minimum elevation (G,) rad."""
    seen = np.empty((len(ground), len(satellites)), np.bool_)
    for g in range(len(ground)):
        up = _up(ground[g])
        sine = math.sin(minimum_elevation[g])
        for s in range(len(satellites)):
            climb, distance = _climb(ground[g], up, satellites[s])
            seen[g, s] = climb >= sine * distance
    return seen


def minimum_elevations(points: Sequence[GroundPointModel]) -> NDArray[np.float64]:
    """The points' minimum elevation in rad (G,)."""
    return np.radians([point.minimum_elevation_deg for point in points])


def unseen(
    constellation: Constellation, points: Sequence[GroundPointModel], t_s: NDArray[np.float64]
) -> list[GroundPointModel]:
    """The points that see no satellite at any of `t_s` (T,)."""
    minimum = minimum_elevations(points)
    seen = np.zeros(len(points), np.bool_)
    for start in range(0, len(t_s), _BLOCK):
        block = t_s[start : start + _BLOCK]
        satellites, _ = constellation.states(block)
        ground = positions(points, constellation.epoch, block)
        for k in range(len(block)):
            seen |= visible(ground[k], satellites[k], minimum).any(axis=1)
        if seen.all():
            break
    return [point for point, sees in zip(points, seen, strict=True) if not sees]


def great_circle(a: GroundPointModel, b: GroundPointModel) -> float:
    """Distance in m over a sphere of `MEAN_RADIUS`, heights left out; within 0.6 % of the geodesic on the ellipsoid."""
    lat_a, lat_b = math.radians(a.latitude_deg), math.radians(b.latitude_deg)
    half_north = 0.5 * (lat_b - lat_a)
    half_east = 0.5 * math.radians(b.longitude_deg - a.longitude_deg)
    haversine = math.sin(half_north) ** 2 + math.cos(lat_a) * math.cos(lat_b) * math.sin(half_east) ** 2
    return 2.0 * MEAN_RADIUS * math.asin(math.sqrt(min(haversine, 1.0)))


def fibre_delay(a: GroundPointModel, b: GroundPointModel) -> float:
    """Time in s of light in a fibre laid along the great circle: no cable does better."""
    return great_circle(a, b) * FIBRE_INDEX / SPEED_OF_LIGHT


def vacuum_delay(a: GroundPointModel, b: GroundPointModel) -> float:
    """Time in s of light in vacuum along the great circle: the bound of any path that stays above the ground."""
    return great_circle(a, b) / SPEED_OF_LIGHT


def chord_delay(a: GroundPointModel, b: GroundPointModel) -> float:
    """Time in s of light along the straight line through Earth: the bound of anything at all."""
    start, end = earth_fixed((a, b))
    return float(np.linalg.norm(end - start)) / SPEED_OF_LIGHT


@njit(cache=True, nogil=True)
def _up(ground: NDArray[np.float64]) -> tuple[float, float, float]:
    """The geodetic vertical at a point near the ellipsoid; the poles lie along z, inertial or Earth-fixed alike."""
    x, y, z = ground[0], ground[1], ground[2] / (POLAR_RATIO * POLAR_RATIO)
    norm = math.sqrt(x * x + y * y + z * z)
    return x / norm, y / norm, z / norm


@njit(cache=True, nogil=True)
def _climb(
    ground: NDArray[np.float64], up: tuple[float, float, float], satellite: NDArray[np.float64]
) -> tuple[float, float]:
    """How far a satellite is above the horizontal plane of a point, and its distance, in m."""
    x, y, z = satellite[0] - ground[0], satellite[1] - ground[1], satellite[2] - ground[2]
    return x * up[0] + y * up[1] + z * up[2], math.sqrt(x * x + y * y + z * z)
