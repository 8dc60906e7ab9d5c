"""What an ephemeris is, and every kind of it that flies.

| Kind | Source | Frame |
| --- | --- | --- |
| `TleEphemeris` | two-line element set, SGP4 | TEME |
| `KeplerJ2Ephemeris` | mean Keplerian elements, secular J2 | as told, TEME unless told |
| `OemEphemeris` | CCSDS 502.0-B-3 orbit ephemeris message | REF_FRAME of the file |
| `OffsetEphemeris` | another ephemeris, with a constant error | that of the other |

The frame is called the inertial frame below; `frame` has its name.
"""

from typing import Protocol

import numpy as np

from flightsw.navigation.constants import FloatArray
from flightsw.navigation.kepler import KeplerianElements, KeplerJ2Ephemeris
from flightsw.navigation.oem import OemEphemeris
from flightsw.navigation.tle import TleEphemeris
from flightsw.navigation.vectors import cross

__all__ = [
    "Ephemeris",
    "KeplerJ2Ephemeris",
    "KeplerianElements",
    "OemEphemeris",
    "OffsetEphemeris",
    "TleEphemeris",
]


class Ephemeris(Protocol):
    """Where a satellite is, as its flight software knows it."""

    @property
    def frame(self) -> str:
        """Name of the inertial frame of the states, one of `frames.INERTIAL_FRAMES`."""

    def states(self, t_s: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return position (n, 3) in m and velocity (n, 3) in m/s at `t_s` (n,), s since the scenario epoch.

        Raises ConfigError where the product has no state.
        """

    def useable_span(self, t_s: float) -> tuple[float, float]:
        """Return first and last time, s since the epoch, of the unbroken span of states around `t_s`.

        An infinite end is one that the product does not set. Raises ConfigError where the product has no state.
        """


class OffsetEphemeris:
    """An ephemeris off by a constant error in the RTN frame: what a product with errors looks like.

    R is radial, N along the orbital angular momentum and T = N x R, along the track (CCSDS 502.0-B-3, 3.2.4.11). The
    error turns with the orbit, and its motion is part of the velocity.
    """

    def __init__(
        self, ephemeris: Ephemeris, radial_m: float = 0.0, along_track_m: float = 0.0, cross_track_m: float = 0.0
    ) -> None:
        self._ephemeris = ephemeris
        self._offset_rtn = (radial_m, along_track_m, cross_track_m)

    @property
    def frame(self) -> str:
        """Frame of the ephemeris underneath."""
        return self._ephemeris.frame

    def useable_span(self, t_s: float) -> tuple[float, float]:
        """Return the span of the ephemeris underneath; raises ConfigError like it."""
        return self._ephemeris.useable_span(t_s)

    def states(self, t_s: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return position (n, 3) in m and velocity (n, 3) in m/s, both with the error; raises ConfigError like it."""
        position, velocity = self._ephemeris.states(t_s)
        momentum = cross(position, velocity)
        radius = np.linalg.norm(position, axis=1, keepdims=True)
        radial = position / radius
        normal = momentum / np.linalg.norm(momentum, axis=1, keepdims=True)
        along = cross(normal, radial)
        offset = self._offset_rtn[0] * radial + self._offset_rtn[1] * along + self._offset_rtn[2] * normal
        return position + offset, velocity + cross(momentum / radius**2, offset)
