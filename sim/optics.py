"""What one terminal sends toward the other and takes in: beams on the sky, one light time apart.

| in | unit | out | unit |
| --- | --- | --- | --- |
| boresight error, mirror, point-ahead | rad | intensity toward the partner, signal and beacon | W/sr |
| the partner's intensity one light time ago, range | W/sr, m | light on quad cell, camera, receiver | W |

Validated against: exp(-2 theta^2 / w^2) off axis; the link budget in closed form.
"""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from flightsw.hal import Record
from sim.link_budget import LaserModel, OpticsModel, emitted_intensity

OPTICS = np.dtype(
    [
        ("signal_on", "i8"),
        ("beacon_on", "i8"),
        ("signal_intensity", "f8"),  # W/sr on the axis
        ("beacon_intensity", "f8"),
        ("signal_shape", "f8"),  # -2 / w^2, 1/rad^2
        ("beacon_shape", "f8"),
        ("point_ahead", "f8", (2,)),  # rad, as commanded
        ("alignment", "f8", (2,)),  # rad, transmit axis from receive axis
        ("aperture", "f8"),  # m^2, receive loss included
        ("quad_share", "f8"),
        ("camera_share", "f8"),
        ("receiver_share", "f8"),
        ("camera_sees_beacon", "i8"),
        ("clear", "f8"),  # transmission of the path to this terminal: 0 while something is in the way
    ]
)


def new_optics(laser: LaserModel, optics: OpticsModel, partner: LaserModel) -> NDArray[np.void]:
    """A dark terminal: record of `OPTICS`, shape ()."""
    record = np.zeros((), OPTICS)
    record["signal_intensity"] = emitted_intensity(laser, optics)
    record["beacon_intensity"] = emitted_intensity(laser, optics, beacon=True)
    record["signal_shape"] = -2.0 / laser.signal.radius_rad**2
    record["beacon_shape"] = -2.0 / laser.beacon.radius_rad**2 if laser.beacon else 0.0
    record["alignment"] = np.array(optics.transmit_alignment_urad) * 1e-6
    record["aperture"] = optics.collecting_area_m2 * optics.reception()
    record["quad_share"] = optics.split.quad_cell
    record["camera_share"] = optics.split.camera
    record["receiver_share"] = optics.split.communication
    record["camera_sees_beacon"] = partner.beacon is not None
    record["clear"] = 1.0
    return record


@njit(cache=True, nogil=True)
def emit(o: Record, line_x: float, line_y: float, lead_x: float, lead_y: float) -> tuple[float, float]:
    """Intensity in W/sr toward the partner, signal and beacon.

    line_x, line_y: where the partner appears relative to the receive axis, in rad; lead_x, lead_y: the true point-ahead
    angle in rad. The beam is right when the receive axis is on the partner and the commanded lead is the true one.
    """
    x = o.point_ahead[0] + o.alignment[0] - lead_x - line_x
    y = o.point_ahead[1] + o.alignment[1] - lead_y - line_y
    square = x * x + y * y
    signal = o.signal_intensity * math.exp(o.signal_shape * square) if o.signal_on != 0 else 0.0
    beacon = o.beacon_intensity * math.exp(o.beacon_shape * square) if o.beacon_on != 0 else 0.0
    return signal, beacon
