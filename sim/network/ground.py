"""Points on the ground: where they are among the satellites, and when clouds hide the sky from them.

| in | unit | out | unit |
| --- | --- | --- | --- |
| geodetic latitude, longitude, height (WGS 84) | deg, m | position, inertial (TEME), from Earth's centre | m |
| share of cloudy time, mean length of a spell | 1, s | cloudy or clear at each time | bool |

Earth turns by Greenwich mean sidereal time, as in SGP4's TEME; UTC stands for UT1 (below 0.9 s, 420 m at the equator)
and polar motion (10 m) is left out.

Validated against: `sgp4.propagation.gstime`; pole, equator and published Earth-centred coordinates of stations; a
satellite straight above; share and mean length of spells of the Markov chain.
"""

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from sim.configuration import WorldModel
from sim.orbit import EARTH_RADIUS, Vectors, check_epoch, julian_day

#: Polar over equatorial radius of the WGS 84 ellipsoid, 1 - f.
POLAR_RATIO = 1.0 - 1.0 / 298.257_223_563


class GroundPointModel(WorldModel):
    """A gateway or a user of the mesh."""

    name: str
    latitude_deg: float = Field(ge=-90, le=90, description="geodetic, north")
    longitude_deg: float = Field(ge=-180, le=180, description="east")
    height_m: float = Field(0.0, ge=-500, le=20_000, description="above the ellipsoid")
    kind: Literal["gateway", "user"]
    minimum_elevation_deg: float = Field(25.0, ge=0, lt=90)
    links: int | None = Field(None, ge=1, description="satellites at a time; none: all in sight")


class CloudsModel(WorldModel):
    """Clouds over each ground point, independent of each other: a chain of cloudy and clear spells."""

    share: float = Field(ge=0, lt=1, description="of time that is cloudy")
    mean_s: float = Field(gt=0, description="mean length of a cloudy spell")


def earth_fixed(points: Sequence[GroundPointModel]) -> Vectors:
    """Earth-fixed positions (G, 3) in m of geodetic coordinates on WGS 84 (NGA.STND.0036, eq. 4-14)."""
    latitude = np.radians([point.latitude_deg for point in points])
    longitude = np.radians([point.longitude_deg for point in points])
    height = np.array([point.height_m for point in points], dtype=np.float64)
    square = POLAR_RATIO**2
    normal = EARTH_RADIUS / np.sqrt(np.cos(latitude) ** 2 + square * np.sin(latitude) ** 2)
    from_axis = (normal + height) * np.cos(latitude)
    return np.stack(
        (from_axis * np.cos(longitude), from_axis * np.sin(longitude), (square * normal + height) * np.sin(latitude)),
        axis=-1,
    )


def sidereal_angle(epoch: datetime, t_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Greenwich mean sidereal time in rad (T,), 0 to 2 pi, at `t_s` (T,) s after `epoch` (IAU 1982).

    Aoki et al., Astron. Astrophys. 105 (1982). Raises ConfigError for an epoch without a time zone.
    """
    day, second = julian_day(check_epoch(epoch))
    days = day - _J2000_DAY + (second + np.asarray(t_s, dtype=np.float64)) / 86_400.0
    centuries = days / 36_525.0
    seconds = 67_310.548_41 + centuries * (8_640_184.812_866 + centuries * (0.093_104 - 6.2e-6 * centuries))
    angle: NDArray[np.float64] = 2.0 * math.pi * ((seconds / 86_400.0 + days) % 1.0)
    return angle


def positions(points: Sequence[GroundPointModel], epoch: datetime, t_s: NDArray[np.float64]) -> Vectors:
    """Inertial (TEME) positions (T, G, 3) in m at `t_s` (T,) s after `epoch`."""
    return inertial(earth_fixed(points), sidereal_angle(epoch, t_s))


def inertial(fixed: Vectors, angle: NDArray[np.float64]) -> Vectors:
    """Earth-fixed positions (G, 3), or (T, G, 3), in inertial axes (T, G, 3) at sidereal angles (T,).

    The negative angle turns the other way: inertial positions (T, S, 3) to Earth-fixed ones.
    """
    cosine, sine = np.cos(angle)[:, np.newaxis], np.sin(angle)[:, np.newaxis]
    x, y = fixed[..., 0], fixed[..., 1]
    turned = np.empty((len(angle), *fixed.shape[-2:]))
    turned[..., 0] = cosine * x - sine * y
    turned[..., 1] = sine * x + cosine * y
    turned[..., 2] = fixed[..., 2]
    return turned


def clouds(model: CloudsModel, points: int, t_s: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.bool_]:
    """True where a point is under clouds, (T, points), at `t_s` (T,), ascending.

    A stationary Markov chain of two states in continuous time, sampled: a spell ends at a constant rate.
    """
    times = np.asarray(t_s, dtype=np.float64)
    cloudy = np.empty((len(times), points), np.bool_)
    # what is left of the knowledge of the state one step before
    memory = np.exp(-np.diff(times, prepend=-math.inf) / (model.mean_s * (1.0 - model.share)))
    uniform = rng.random((len(times), points))
    state = np.zeros(points, np.bool_)
    for k in range(len(times)):
        state = uniform[k] < model.share + (state - model.share) * memory[k]
        cloudy[k] = state
    return cloudy


_J2000_DAY = 2_451_545.0
