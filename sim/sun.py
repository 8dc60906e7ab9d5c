"""The sun: where it stands relative to a line of sight, and the light that it puts into a field of view.

| in | unit | out | unit |
| --- | --- | --- | --- |
| epoch, time | UTC, s | position of the sun, inertial, from Earth's centre | m |
| orbit, pointing direction | rad | offset of the sun's centre, separation, angular radius | rad |
| wavelength | m | spectral irradiance outside the atmosphere | W/m^2/m |
| bandwidth, aperture, field of view | m, m, rad | power collected | W |

The position is the low-precision formula of the Astronomical Almanac (section C), good to 0.01 deg (175 urad) from 1950
to 2050; UTC stands for UT1 and TT, which adds less than 0.001 deg. The light is that of a black body at 5772 K (nominal
solar effective temperature and radius, IAU 2015 resolution B3); lines and limb darkening are left out.

Validated against: equinoxes and solstices of 2000, 2024 and 2026, Meeus's example 25.a, perihelion distance;
Stefan-Boltzmann's law and the nominal irradiance of 1361 W/m^2; 0.132 uW in a field of 100 urad at 1550 nm.
"""

import math
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from scipy.constants import Boltzmann, Planck, astronomical_unit

from sim.geometry import SPEED_OF_LIGHT, apparent_direction, gimbal_axes, line_of_sight, offset
from sim.orbit import EARTH_RADIUS, J2000, Frame, Orbit, Vectors, check_epoch

SUN_RADIUS = 6.957e8  # m
SUN_TEMPERATURE = 5772.0  # K
ASTRONOMICAL_UNIT = float(astronomical_unit)  # m


@dataclass(frozen=True, slots=True)
class SunOffset:
    """The sun in a terminal's field; arrays (n,)."""

    x: NDArray[np.float64]  # rad, cross-elevation
    y: NDArray[np.float64]  # rad, elevation
    separation: NDArray[np.float64]  # rad, from the pointing direction to the sun's centre
    radius: NDArray[np.float64]  # rad, angular
    behind_earth: NDArray[np.bool_]  # the sun's centre is hidden


def sun_position(epoch: datetime, t_s: NDArray[np.float64], frame: Frame) -> Vectors:
    """Apparent position in m (n, 3) of the sun from Earth's centre at `t_s` (n,) s after `epoch`.

    Annual aberration is in it. Raises ConfigError for an epoch without a time zone.
    """
    elapsed = check_epoch(epoch) - J2000
    days = elapsed.days + (elapsed.seconds + elapsed.microseconds * 1e-6 + np.asarray(t_s, dtype=np.float64)) / 86_400.0
    anomaly = np.radians(357.528 + 0.985_600_3 * days)
    longitude = 280.460 + 0.985_647_4 * days + 1.915 * np.sin(anomaly) + 0.020 * np.sin(2.0 * anomaly)
    obliquity = 23.439 - 4e-7 * days
    if frame == "EME2000":
        # general precession; the ecliptic's own turning, 0.013 deg a century, is below the formula's error
        longitude = longitude - 1.397 / 36_525.0 * days
        obliquity = np.full_like(days, 23.439)
    distance = ASTRONOMICAL_UNIT * (1.000_14 - 0.016_71 * np.cos(anomaly) - 0.000_14 * np.cos(2.0 * anomaly))
    longitude, obliquity = np.radians(longitude), np.radians(obliquity)
    direction = np.stack(
        (np.cos(longitude), np.cos(obliquity) * np.sin(longitude), np.sin(obliquity) * np.sin(longitude)), axis=-1
    )
    position: Vectors = distance[..., np.newaxis] * direction
    return position


def sun_direction(epoch: datetime, t_s: NDArray[np.float64], frame: Frame) -> Vectors:
    """Unit vectors (n, 3) from Earth's centre to the sun, as `sun_position` has them."""
    position = sun_position(epoch, t_s, frame)
    direction: Vectors = position / np.linalg.norm(position, axis=1, keepdims=True)
    return direction


def sun_offset(
    orbit: Orbit,
    t_s: NDArray[np.float64],
    azimuth: NDArray[np.float64],
    elevation: NDArray[np.float64],
    mounting_azimuth_rad: float,
) -> SunOffset:
    """The sun's centre relative to a pointing direction (n,) rad of a gimbal on `orbit` at `t_s` (n,).

    x and y lie along cross-elevation and elevation, and hypot(x, y) is the separation: small-angle coordinates near the
    axis, an azimuthal equidistant map of the sky away from it. Parallax and the satellite's aberration are in it, 47
    and 25 urad in low orbit. Raises ConfigError where the orbit's ephemeris does not reach.
    """
    position, velocity = orbit.states(t_s)
    sight = sun_position(orbit.epoch, t_s, orbit.frame) - position
    distance = np.linalg.norm(sight, axis=1)
    direction = sight / distance[:, np.newaxis]
    axes = gimbal_axes(position, velocity, mounting_azimuth_rad)
    seen = np.einsum("nij,nj->ni", axes, apparent_direction(direction, velocity))
    plane = offset(seen, azimuth, elevation)
    sine = np.hypot(plane[:, 0], plane[:, 1])
    separation = np.arctan2(sine, np.sum(seen * line_of_sight(azimuth, elevation), axis=1))
    stretch = np.divide(separation, sine, out=np.ones_like(sine), where=sine > 0.0)
    climb = np.sum(position * direction, axis=1)
    miss = np.sqrt(np.maximum(np.sum(position * position, axis=1) - climb * climb, 0.0))
    return SunOffset(
        x=plane[:, 0] * stretch,
        y=plane[:, 1] * stretch,
        separation=separation,
        radius=np.arcsin(SUN_RADIUS / distance),
        behind_earth=(climb < 0.0) & (miss < EARTH_RADIUS),
    )


def spectral_radiance(wavelength_m: float, temperature_k: float = SUN_TEMPERATURE) -> float:
    """Planck's law: W per m^2 of source, sr and m of wavelength."""
    energy = float(Planck) * SPEED_OF_LIGHT / wavelength_m
    return 2.0 * SPEED_OF_LIGHT * energy / wavelength_m**4 / math.expm1(energy / (float(Boltzmann) * temperature_k))


def spectral_irradiance(wavelength_m: float, distance_m: float = ASTRONOMICAL_UNIT) -> float:
    """Sunlight outside the atmosphere: W per m^2 and m of wavelength (1e-9 of it is per nm)."""
    return spectral_radiance(wavelength_m) * math.pi * (SUN_RADIUS / distance_m) ** 2


def collected_power(wavelength_m: float, bandwidth_m: float, aperture_m: float, field_rad: float) -> float:
    """Sunlight in W behind a round aperture of diameter `aperture_m` in a field of full cone angle `field_rad`.

    The field lies on the disc, or has the disc in it; the filter of `bandwidth_m` is narrow against the spectrum.
    """
    half_angle = min(0.5 * field_rad, SUN_RADIUS / ASTRONOMICAL_UNIT)
    etendue = math.pi * half_angle**2 * math.pi * (0.5 * aperture_m) ** 2
    return spectral_radiance(wavelength_m) * bandwidth_m * etendue
