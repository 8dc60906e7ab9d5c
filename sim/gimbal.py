"""The two-axis gimbal: a servo with rate and acceleration limits, encoder steps and dry friction.

| in | unit | out | unit |
| --- | --- | --- | --- |
| commanded angle and rate, azimuth and elevation | rad, rad/s | angle | rad |
|  |  | encoder reading | rad |

Validated against: the time of a rate-limited slew, the standing error under dry friction, the encoder's step.
"""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray
from pydantic import Field

from flightsw.hal import Record
from sim.configuration import WorldModel

GIMBAL = np.dtype(
    [
        ("step_s", "f8"),
        ("rate_limit", "f8"),  # rad/s
        ("acceleration_limit", "f8"),  # rad/s^2
        ("quantum", "f8"),  # rad of one encoder step
        ("friction", "f8"),  # rad/s^2 of dry friction
        ("stiffness", "f8"),  # 1/s^2
        ("damping", "f8"),  # 1/s
        ("command", "f8", (2,)),  # rad
        ("command_rate", "f8", (2,)),  # rad/s
        ("angle", "f8", (2,)),  # rad
        ("rate", "f8", (2,)),  # rad/s
        ("reading", "f8", (2,)),  # rad
        ("measured", "i8"),  # angle and rate are what a real gimbal's encoder says: it moves on at that rate
    ]
)


class GimbalModel(WorldModel):
    """A two-axis gimbal with its own servo."""

    rate_limit_deg_s: float = Field(5.0, gt=0)
    acceleration_limit_deg_s2: float = Field(10.0, gt=0)
    bandwidth_hz: float = Field(4.0, gt=0)
    encoder_bits: int = Field(22, ge=10, le=32)
    friction_mrad_s2: float = Field(0.2, ge=0)
    park_azimuth_deg: float = 0.0
    park_elevation_deg: float = 0.0


def new_gimbal(model: GimbalModel, sample_rate_hz: float) -> NDArray[np.void]:
    """A gimbal at its park position: record of `GIMBAL`, shape ()."""
    gimbal = np.zeros((), GIMBAL)
    w = 2.0 * math.pi * model.bandwidth_hz
    gimbal["step_s"] = 1.0 / sample_rate_hz
    gimbal["rate_limit"] = math.radians(model.rate_limit_deg_s)
    gimbal["acceleration_limit"] = math.radians(model.acceleration_limit_deg_s2)
    gimbal["quantum"] = 2.0 * math.pi / 2**model.encoder_bits
    gimbal["friction"] = model.friction_mrad_s2 * 1e-3
    gimbal["stiffness"] = w**2
    gimbal["damping"] = 1.6 * w
    park = math.radians(model.park_azimuth_deg), math.radians(model.park_elevation_deg)
    gimbal["angle"] = gimbal["command"] = park
    gimbal["reading"] = gimbal["quantum"] * np.floor(gimbal["angle"] / gimbal["quantum"] + 0.5)
    return gimbal


@njit(cache=True, nogil=True)
def step(g: Record) -> None:
    """Move one sample on; the new position is in `g.angle`, the encoder's in `g.reading`."""
    for axis in range(2):
        if g.measured != 0:
            g.angle[axis] += g.rate[axis] * g.step_s
            continue
        g.command[axis] += g.command_rate[axis] * g.step_s
        error = g.command[axis] - g.reading[axis]
        # braking at half the limit leaves the servo that takes over near the end a slope that the limit can follow
        fastest = min(g.rate_limit, math.sqrt(g.acceleration_limit * abs(error)))
        pull = g.stiffness / g.damping * error
        wanted = min(max(pull, -fastest), fastest) + g.command_rate[axis]
        drive = g.damping * (wanted - g.rate[axis])
        drive = min(max(drive, -g.acceleration_limit), g.acceleration_limit)
        if g.rate[axis] == 0.0:
            if abs(drive) <= g.friction:
                continue
            rate = (drive - math.copysign(g.friction, drive)) * g.step_s
        else:
            rate = g.rate[axis] + (drive - math.copysign(g.friction, g.rate[axis])) * g.step_s
            if rate * g.rate[axis] < 0.0 and abs(drive) <= g.friction:
                rate = 0.0
        g.rate[axis] = min(max(rate, -g.rate_limit), g.rate_limit)
        g.angle[axis] += g.rate[axis] * g.step_s
        g.reading[axis] = g.quantum * math.floor(g.angle[axis] / g.quantum + 0.5)
