"""The fine steering mirror: second-order dynamics, range, slew rate, converter steps and the delay of the loop.

| in | unit | out | unit |
| --- | --- | --- | --- |
| commanded angle x, y | rad on the sky | angle x, y | rad on the sky |

Validated against: the step response and the frequency response of a second-order system; the delay in whole samples.
"""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray
from pydantic import Field
from scipy.linalg import expm

from flightsw.hal import Record
from sim.configuration import WorldModel

DELAY = 8

MIRROR = np.dtype(
    [
        ("limit", "f8"),  # rad
        ("quantum", "f8"),  # rad, 0 for a converter without steps
        ("slew", "f8"),  # rad per sample
        ("delay", "i8"),  # samples, at least 1
        ("transition", "f8", (4,)),
        ("input", "f8", (2,)),
        ("angle", "f8", (2,)),  # rad
        ("rate", "f8", (2,)),  # rad/s
        ("sent", "f8", (2, DELAY)),  # commands in the delay line, newest first
        ("stuck", "i8"),  # a fault: the mirror stays where it is
        ("measured", "i8"),  # the angle is what a real mirror's sensor says: it is not for this model to move
        ("beyond", "i8"),  # commands beyond the range
    ]
)


class MirrorModel(WorldModel):
    """A fine steering mirror, its angles as they appear on the sky."""

    range_urad: float = Field(1500.0, gt=0, description="largest angle per axis")
    resonance_hz: float | None = Field(2500.0, gt=0, description="none: the mirror is where it is told to be")
    damping: float = Field(0.2, gt=0)
    slew_rad_s: float = Field(5.0, gt=0)
    dac_bits: int | None = Field(16, ge=8, le=24, description="none: no steps")
    delay_samples: int = Field(2, ge=1, le=DELAY, description="from the measurement to the mirror's drive")


def new_mirror(model: MirrorModel, sample_rate_hz: float) -> NDArray[np.void]:
    """A centred mirror: record of `MIRROR`, shape ()."""
    mirror = np.zeros((), MIRROR)
    mirror["limit"] = model.range_urad * 1e-6
    mirror["quantum"] = 2.0 * model.range_urad * 1e-6 / 2**model.dac_bits if model.dac_bits else 0.0
    mirror["slew"] = model.slew_rad_s / sample_rate_hz
    mirror["delay"] = model.delay_samples
    if model.resonance_hz is None:
        mirror["input"] = 1.0, 0.0
    else:
        w = 2.0 * math.pi * model.resonance_hz
        held = np.array([[0.0, 1.0, 0.0], [-(w**2), -2.0 * model.damping * w, w**2], [0.0, 0.0, 0.0]])
        discrete = expm(held / sample_rate_hz)
        mirror["transition"] = discrete[:2, :2].ravel()
        mirror["input"] = discrete[:2, 2]
    return mirror


@njit(cache=True, nogil=True)
def step(m: Record, command_x: float, command_y: float) -> None:
    """Take one command, in rad, and move one sample on; the new position is in `m.angle`."""
    if m.measured != 0:
        return
    for axis in range(2):
        command = command_x if axis == 0 else command_y
        if not abs(command) <= m.limit:
            m.beyond += 1
            command = min(max(command, -m.limit), m.limit) if math.isfinite(command) else m.sent[axis, 0]
        if m.quantum > 0.0:
            command = m.quantum * math.floor(command / m.quantum + 0.5)
        for i in range(m.delay - 1, 0, -1):
            m.sent[axis, i] = m.sent[axis, i - 1]
        m.sent[axis, 0] = command
        if m.stuck != 0:
            continue
        drive = m.sent[axis, m.delay - 1]
        angle = m.transition[0] * m.angle[axis] + m.transition[1] * m.rate[axis] + m.input[0] * drive
        rate = m.transition[2] * m.angle[axis] + m.transition[3] * m.rate[axis] + m.input[1] * drive
        moved = angle - m.angle[axis]
        if moved > m.slew:
            angle = m.angle[axis] + m.slew
        elif moved < -m.slew:
            angle = m.angle[axis] - m.slew
        m.angle[axis] = min(max(angle, -m.limit), m.limit)
        m.rate[axis] = rate
