"""Mean Keplerian elements carried on by the secular rates of J2.

First-order secular rates after Y. Kozai, "The motion of a close Earth satellite", Astron. J. 64 (1959) 367, and
D. Brouwer, Astron. J. 64 (1959) 378, with n = sqrt(GM/a^3), p = a (1 - e^2), k = 3/4 J2 (R/p)^2:
node -2 k n cos i, perigee k n (5 cos^2 i - 1), mean anomaly n + k n sqrt(1 - e^2) (3 cos^2 i - 1).
Short-period terms, some km in low orbit, drag and everything else are left out.
"""

import math
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from flightsw.errors import ConfigError
from flightsw.navigation.constants import EARTH_GM, EARTH_J2, EARTH_RADIUS, FloatArray
from flightsw.navigation.epoch import checked_times, utc_epoch
from flightsw.navigation.frames import INERTIAL_FRAMES

# The error of a Newton step is of the order of the square of the step before it.
_CONVERGED_RAD = 1e-9
_MOST_NEWTON_STEPS = 50


@dataclass(frozen=True, slots=True)
class KeplerianElements:
    """Mean elements (not osculating ones: those carry the short-period terms) at the scenario epoch, m and rad."""

    semi_major_axis_m: float
    eccentricity: float
    inclination_rad: float
    raan_rad: float
    argument_of_perigee_rad: float
    mean_anomaly_rad: float


def eccentric_anomaly(mean_anomaly: FloatArray, eccentricity: float) -> FloatArray:
    """Solve Kepler's equation M = E - e sin E for E (n,) in rad, on the same turn as `mean_anomaly` (n,) in rad.

    Newton's method from E = M + 0.85 e sign(sin M) (J. M. A. Danby, Celest. Mech. 40 (1987) 303). Raises ConfigError if
    it does not converge.
    """
    anomaly = mean_anomaly + 0.85 * eccentricity * np.sign(np.sin(mean_anomaly))
    for _ in range(_MOST_NEWTON_STEPS):
        residual = anomaly - eccentricity * np.sin(anomaly) - mean_anomaly
        step = residual / (1.0 - eccentricity * np.cos(anomaly))
        anomaly = anomaly - step
        if np.all(np.abs(step) < _CONVERGED_RAD):
            return anomaly
    raise ConfigError(
        f"Kepler's equation: expected to converge in {_MOST_NEWTON_STEPS} steps, found it does not at eccentricity "
        f"{eccentricity}; use an eccentricity further below 1"
    )


class KeplerJ2Ephemeris:
    """An orbit from mean elements at the scenario epoch, with the secular rates of J2 in node, perigee and anomaly.

    Raises ConfigError for elements that are not an orbit around Earth, or a frame that is not inertial.
    """

    def __init__(self, elements: KeplerianElements, epoch: datetime, *, frame: str = "TEME") -> None:
        _check(elements)
        if frame not in INERTIAL_FRAMES:
            raise ConfigError(f"Keplerian elements: expected a frame out of {INERTIAL_FRAMES}, found {frame!r}")
        self.elements = elements
        self.epoch = utc_epoch(epoch)
        self.frame = frame
        eccentricity = elements.eccentricity
        cos_i = math.cos(elements.inclination_rad)
        mean_motion = math.sqrt(EARTH_GM / elements.semi_major_axis_m**3)
        parameter = elements.semi_major_axis_m * (1.0 - eccentricity**2)
        strength = 0.75 * EARTH_J2 * (EARTH_RADIUS / parameter) ** 2 * mean_motion
        self.node_rate = -2.0 * strength * cos_i
        self.perigee_rate = strength * (5.0 * cos_i**2 - 1.0)
        self.mean_anomaly_rate = mean_motion + strength * math.sqrt(1.0 - eccentricity**2) * (3.0 * cos_i**2 - 1.0)

    def useable_span(self, t_s: float) -> tuple[float, float]:
        """Return an infinite span: elements have no end."""
        return -math.inf, math.inf

    def states(self, t_s: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return position (n, 3) in m and velocity (n, 3) in m/s at `t_s` (n,), s since the scenario epoch.

        The velocity is the derivative of this very position, the turning of the orbit included. Raises ConfigError for
        times that are not finite.
        """
        times = checked_times(t_s)
        elements = self.elements
        node = elements.raan_rad + self.node_rate * times
        perigee = elements.argument_of_perigee_rad + self.perigee_rate * times
        eccentricity = elements.eccentricity
        anomaly = eccentric_anomaly(elements.mean_anomaly_rad + self.mean_anomaly_rate * times, eccentricity)

        semi_minor_axis = elements.semi_major_axis_m * math.sqrt(1.0 - eccentricity**2)
        along_perigee = elements.semi_major_axis_m * (np.cos(anomaly) - eccentricity)
        along_motion = semi_minor_axis * np.sin(anomaly)
        anomaly_rate = self.mean_anomaly_rate / (1.0 - eccentricity * np.cos(anomaly))
        perigee_axis, motion_axis, normal = _perifocal_axes(node, elements.inclination_rad, perigee)
        position = along_perigee[:, None] * perigee_axis + along_motion[:, None] * motion_axis
        along_ellipse = (-elements.semi_major_axis_m * np.sin(anomaly) * anomaly_rate)[:, None] * perigee_axis + (
            semi_minor_axis * np.cos(anomaly) * anomaly_rate
        )[:, None] * motion_axis
        turning = self.perigee_rate * normal + np.array([0.0, 0.0, self.node_rate])
        return position, along_ellipse + np.cross(turning, position)


def _perifocal_axes(
    node: FloatArray, inclination: float, perigee: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the unit vectors (n, 3) towards perigee, 90 degrees ahead of it in the plane, and along the normal."""
    cos_n, sin_n, cos_w, sin_w = np.cos(node), np.sin(node), np.cos(perigee), np.sin(perigee)
    cos_i, sin_i = math.cos(inclination), math.sin(inclination)
    towards_perigee = np.stack(
        [cos_n * cos_w - sin_n * sin_w * cos_i, sin_n * cos_w + cos_n * sin_w * cos_i, sin_w * sin_i], axis=1
    )
    ahead = np.stack(
        [-cos_n * sin_w - sin_n * cos_w * cos_i, -sin_n * sin_w + cos_n * cos_w * cos_i, cos_w * sin_i], axis=1
    )
    normal = np.stack([sin_n * sin_i, -cos_n * sin_i, np.full_like(node, cos_i)], axis=1)
    return towards_perigee, ahead, normal


def _check(elements: KeplerianElements) -> None:
    """Raise ConfigError unless the elements are finite and their ellipse stays above the surface of Earth."""
    for name in KeplerianElements.__slots__:
        value = getattr(elements, name)
        if not math.isfinite(value):
            raise ConfigError(f"Keplerian elements: expected a finite {name}, found {value}")
    if not 0.0 <= elements.eccentricity < 1.0:
        raise ConfigError(f"Keplerian elements: expected 0 <= eccentricity < 1, found {elements.eccentricity}")
    if not 0.0 <= elements.inclination_rad <= math.pi:
        raise ConfigError(
            f"Keplerian elements: expected 0 <= inclination_rad <= pi, found {elements.inclination_rad}; is it in deg?"
        )
    perigee = elements.semi_major_axis_m * (1.0 - elements.eccentricity)
    if perigee <= EARTH_RADIUS:
        raise ConfigError(
            f"Keplerian elements: expected a perigee radius above {EARTH_RADIUS:.0f} m, found {perigee:.0f} m; "
            "is the semi-major axis in km?"
        )
