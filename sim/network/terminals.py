"""The terminals of each satellite of a mesh: what they can point at, how far they reach, how fast they turn.

| in | unit | out | unit |
| --- | --- | --- | --- |
| position and velocity of all satellites, inertial | m, m/s | body axes and their rate of turn | 1, rad/s |
| two satellites, a terminal on each | index | whether they can hold a link, and if not why | `Obstacle` |

Body axes are those of `sim.geometry`: z to Earth's centre, y against the orbit normal, x along the flight. A terminal
sits at an azimuth about z, right-handed from x: 90 deg is the starboard side. Its elevation is positive away from
Earth. The line of sight is straight and without light time: 18 ms at 5,500 km, and 0.1 mrad of aberration.

Validated against: great circles seen from a sphere, the rate of two satellites that pass, Earth's tangent, the sun
placed by hand.
"""

import math
from enum import IntEnum
from typing import NamedTuple, Self

import numpy as np
from numba import njit
from numpy.typing import NDArray
from pydantic import Field, model_validator

from sim.configuration import WorldModel
from sim.orbit import EARTH_RADIUS

Floats = NDArray[np.float64]


class Obstacle(IntEnum):
    """Why two terminals cannot hold a link; the first that applies."""

    NONE = 0
    RANGE = 1
    EARTH = 2
    REGARD = 3  # outside of a terminal's field of regard
    TURN = 4  # the line of sight turns too fast for a terminal
    SUN = 5  # in a terminal's field


class TerminalsModel(WorldModel):
    """The terminals of a satellite, the same on all of a mesh."""

    mounts_deg: tuple[float, ...] = Field(
        (0.0, 180.0, 0.0, 180.0), min_length=2, max_length=5, description="azimuth of each from the direction of flight"
    )
    field_of_regard_deg: float = Field(90.0, gt=0, le=180, description="half-angle, in azimuth")
    elevation_deg: tuple[float, float] = Field((-60.0, 30.0), description="lowest and highest, above the horizontal")
    slew_deg_s: float = Field(5.0, gt=0)
    turn_mrad_s: float = Field(5.0, gt=0, description="fastest turn of the line of sight that is followed")
    range_km: float = Field(5_000.0, gt=0)
    clearance_km: float = Field(100.0, ge=0, description="least height of a beam above the equatorial radius")
    sun_exclusion_deg: float = Field(3.0, ge=0, le=90, description="from the line of sight to the sun's centre")

    @model_validator(mode="after")
    def _lowest_below_highest(self) -> Self:
        low, high = self.elevation_deg
        if not -90.0 <= low < high <= 90.0:
            raise ValueError(
                f"elevation_deg: expected lowest below highest, both within -90 to 90, found {low:g}, {high:g}"
            )
        return self

    @property
    def slew_rad_s(self) -> float:
        """Rate at which a terminal turns to a new partner."""
        return math.radians(self.slew_deg_s)

    def mount_axes(self) -> Floats:
        """Where each terminal points at rest, at elevation 0, body axes (M, 3)."""
        azimuth = np.radians(self.mounts_deg)
        return np.column_stack((np.cos(azimuth), np.sin(azimuth), np.zeros(len(azimuth))))


class Limits(NamedTuple):
    """`TerminalsModel` as the kernels read it."""

    mounts: Floats  # (M, 3)
    cos_regard: float
    sin_lowest: float
    sin_highest: float
    range_m: float
    clearance_m: float
    turn_rad_s: float
    cos_sun: float  # 2: no exclusion


def limits(model: TerminalsModel) -> Limits:
    """The limits of `model`, in SI units."""
    low, high = model.elevation_deg
    return Limits(
        mounts=model.mount_axes(),
        cos_regard=math.cos(math.radians(model.field_of_regard_deg)) if model.field_of_regard_deg < 180.0 else -2.0,
        sin_lowest=math.sin(math.radians(low)),
        sin_highest=math.sin(math.radians(high)),
        range_m=model.range_km * 1e3,
        clearance_m=model.clearance_km * 1e3,
        turn_rad_s=model.turn_mrad_s * 1e-3,
        cos_sun=math.cos(math.radians(model.sun_exclusion_deg)) if model.sun_exclusion_deg > 0.0 else 2.0,
    )


@njit(cache=True, nogil=True)
def body_axes(position: Floats, velocity: Floats) -> tuple[Floats, Floats]:
    """Body axes (S, 3, 3), rows x, y, z in inertial components, and their rate of turn (S, 3) rad/s, inertial.

    position (S, 3) m, velocity (S, 3) m/s.
    """
    count = len(position)
    axes, turn = np.empty((count, 3, 3)), np.empty((count, 3))
    for s in range(count):
        rx, ry, rz = position[s, 0], position[s, 1], position[s, 2]
        vx, vy, vz = velocity[s, 0], velocity[s, 1], velocity[s, 2]
        hx, hy, hz = ry * vz - rz * vy, rz * vx - rx * vz, rx * vy - ry * vx
        square = rx * rx + ry * ry + rz * rz
        radius, momentum = math.sqrt(square), math.sqrt(hx * hx + hy * hy + hz * hz)
        zx, zy, zz = -rx / radius, -ry / radius, -rz / radius
        yx, yy, yz = -hx / momentum, -hy / momentum, -hz / momentum
        axes[s, 0] = yy * zz - yz * zy, yz * zx - yx * zz, yx * zy - yy * zx
        axes[s, 1] = yx, yy, yz
        axes[s, 2] = zx, zy, zz
        turn[s] = hx / square, hy / square, hz / square
    return axes, turn


@njit(cache=True, nogil=True)
def in_regard(limits: Limits, mount: int, x: float, y: float, z: float) -> bool:
    """Whether a terminal can point along the unit vector x, y, z in body axes."""
    horizontal = math.sqrt(x * x + y * y)
    across = x * limits.mounts[mount, 0] + y * limits.mounts[mount, 1]
    return bool(across >= limits.cos_regard * horizontal and limits.sin_lowest <= -z <= limits.sin_highest)


@njit(cache=True, nogil=True)
def in_reach(limits: Limits, position: Floats, velocity: Floats, turn: Floats, a: int, b: int) -> int:
    """Whether range, Earth and rate of turn let satellites a and b hold a link, wherever their terminals are."""
    rx, ry, rz = position[a, 0], position[a, 1], position[a, 2]
    dx, dy, dz = position[b, 0] - rx, position[b, 1] - ry, position[b, 2] - rz
    square = dx * dx + dy * dy + dz * dz
    if not 0.0 < square <= limits.range_m * limits.range_m:
        return Obstacle.RANGE
    along = min(max(-(rx * dx + ry * dy + rz * dz) / square, 0.0), 1.0)
    lowest = limits.clearance_m + EARTH_RADIUS
    if (rx + along * dx) ** 2 + (ry + along * dy) ** 2 + (rz + along * dz) ** 2 < lowest * lowest:
        return Obstacle.EARTH
    ux, uy, uz = velocity[b, 0] - velocity[a, 0], velocity[b, 1] - velocity[a, 1], velocity[b, 2] - velocity[a, 2]
    for end in (a, b):
        # the partner's velocity in this end's body axes; the sense of d does not matter to the rate
        wx, wy, wz = turn[end, 0], turn[end, 1], turn[end, 2]
        vx, vy, vz = ux - (wy * dz - wz * dy), uy - (wz * dx - wx * dz), uz - (wx * dy - wy * dx)
        radial = vx * dx + vy * dy + vz * dz
        across = vx * vx + vy * vy + vz * vz - radial * radial / square
        if across > limits.turn_rad_s * limits.turn_rad_s * square:
            return Obstacle.TURN
    return Obstacle.NONE


@njit(cache=True, nogil=True)
def dazzled(limits: Limits, position: Floats, sun: Floats, a: int, b: int) -> bool:
    """Whether the sun is in the field of either terminal of a link; Earth's shadow is a cylinder. sun (3,) unit."""
    dx, dy, dz = position[b, 0] - position[a, 0], position[b, 1] - position[a, 1], position[b, 2] - position[a, 2]
    cosine = (dx * sun[0] + dy * sun[1] + dz * sun[2]) / math.sqrt(dx * dx + dy * dy + dz * dz)
    if abs(cosine) < limits.cos_sun:
        return False
    end = a if cosine > 0.0 else b
    rx, ry, rz = position[end, 0], position[end, 1], position[end, 2]
    climb = rx * sun[0] + ry * sun[1] + rz * sun[2]
    return bool(climb >= 0.0 or rx * rx + ry * ry + rz * rz - climb * climb >= EARTH_RADIUS * EARTH_RADIUS)


@njit(cache=True, nogil=True)
def seen_from(axes: Floats, position: Floats, own: int, partner: int) -> tuple[float, float, float]:
    """Unit vector from satellite `own` to `partner` in the body axes of `own`."""
    dx = position[partner, 0] - position[own, 0]
    dy = position[partner, 1] - position[own, 1]
    dz = position[partner, 2] - position[own, 2]
    scale = 1.0 / math.sqrt(dx * dx + dy * dy + dz * dz)
    return (
        (axes[own, 0, 0] * dx + axes[own, 0, 1] * dy + axes[own, 0, 2] * dz) * scale,
        (axes[own, 1, 0] * dx + axes[own, 1, 1] * dy + axes[own, 1, 2] * dz) * scale,
        (axes[own, 2, 0] * dx + axes[own, 2, 1] * dy + axes[own, 2, 2] * dz) * scale,
    )


@njit(cache=True, nogil=True)
def obstacle(
    limits: Limits,
    position: Floats,
    velocity: Floats,
    axes: Floats,
    turn: Floats,
    sun: Floats,
    a: int,
    b: int,
    mount_a: int,
    mount_b: int,
) -> int:
    """Why terminal `mount_a` of satellite a and `mount_b` of b cannot hold a link; `Obstacle.NONE` if they can."""
    found = in_reach(limits, position, velocity, turn, a, b)
    if found == Obstacle.RANGE or found == Obstacle.EARTH:
        return found
    ax, ay, az = seen_from(axes, position, a, b)
    bx, by, bz = seen_from(axes, position, b, a)
    if not (in_regard(limits, mount_a, ax, ay, az) and in_regard(limits, mount_b, bx, by, bz)):
        return Obstacle.REGARD
    if found == Obstacle.NONE and dazzled(limits, position, sun, a, b):
        return Obstacle.SUN
    return found
