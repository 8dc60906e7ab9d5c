"""The sun against equinoxes and solstices, Meeus's example, radiation laws and the published background."""

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from scipy.integrate import quad

from flightsw.errors import ConfigError
from sim.geometry import gimbal_axes, line_of_sight
from sim.orbit import J2Orbit, KeplerianElements
from sim.sun import (
    ASTRONOMICAL_UNIT,
    SUN_RADIUS,
    collected_power,
    spectral_irradiance,
    spectral_radiance,
    sun_offset,
    sun_position,
)

EPOCH = datetime(2026, 3, 20, 12, tzinfo=UTC)


def angles(moment, frame="TEME"):
    """Right ascension, declination (deg), distance (au)."""
    x, y, z = sun_position(moment, np.array([0.0]), frame)[0]
    return (
        math.degrees(math.atan2(y, x)) % 360.0,
        math.degrees(math.atan2(z, math.hypot(x, y))),
        math.hypot(x, y, z) / ASTRONOMICAL_UNIT,
    )


@pytest.mark.parametrize(
    ("moment", "right_ascension"),
    [
        ("2000-03-20T07:35", 0.0),
        ("2000-06-21T01:48", 90.0),
        ("2000-09-22T17:28", 180.0),
        ("2000-12-21T13:37", 270.0),
        ("2024-03-20T03:06", 0.0),
        ("2024-06-20T20:51", 90.0),
        ("2024-09-22T12:44", 180.0),
        ("2024-12-21T09:21", 270.0),
        ("2026-03-20T14:46", 0.0),
    ],
)
def test_equinoxes_and_solstices(moment, right_ascension):
    """Published to the minute. The declination is extreme at the solstices and nil at the equinoxes."""
    found, declination, _ = angles(datetime.fromisoformat(moment + "+00:00"))
    assert (found - right_ascension + 180.0) % 360.0 - 180.0 == pytest.approx(0.0, abs=0.011)
    expected = 23.438 * math.sin(math.radians(right_ascension))
    assert declination == pytest.approx(expected, abs=0.01)


def test_meeus_example_25a():
    """Astronomical Algorithms: 1992 October 13, 0h TD: 198.38083 deg, -7.78507 deg, 0.99766 au."""
    right_ascension, declination, distance = angles(datetime(1992, 10, 13, tzinfo=UTC) - timedelta(seconds=59))
    assert right_ascension == pytest.approx(198.38083, abs=0.01)
    assert declination == pytest.approx(-7.78507, abs=0.01)
    assert distance == pytest.approx(0.99766, abs=1e-4)


def test_perihelion_and_aphelion():
    """2026 January 3 at 0.98330 au, July 6 at 1.01664 au."""
    assert angles(datetime(2026, 1, 3, 17, tzinfo=UTC))[2] == pytest.approx(0.98330, abs=1e-4)
    assert angles(datetime(2026, 7, 6, 17, tzinfo=UTC))[2] == pytest.approx(1.01664, abs=1e-4)


def test_the_frame_of_j2000_lags_by_precession():
    """50.29 arcsec a year of longitude; none at the epoch J2000."""
    for years in (0, 26):
        moment = datetime(2000, 1, 1, 12, tzinfo=UTC) + timedelta(days=365.25 * years)
        date, j2000 = (sun_position(moment, np.array([0.0]), frame)[0] for frame in ("TEME", "EME2000"))
        between = math.degrees(np.linalg.norm(np.cross(date, j2000)) / (date @ j2000))
        assert between == pytest.approx(50.29 / 3600 * years, abs=1e-3)
        assert years == 0 or np.cross(j2000, date)[2] > 0.0  # eastward


def test_time_runs_from_the_epoch():
    later = sun_position(EPOCH, np.array([0.0, 86_400.0]), "TEME")
    np.testing.assert_allclose(
        later[1], sun_position(EPOCH + timedelta(days=1), np.array([0.0]), "TEME")[0], rtol=1e-12
    )
    with pytest.raises(ConfigError, match="time zone"):
        sun_position(datetime(2026, 3, 20), np.array([0.0]), "TEME")


ORBIT = J2Orbit(KeplerianElements(6_928_137.0, 0.0, 0.9, 1.0, 0.0, 2.0), EPOCH)
T = np.array([0.0, 400.0, 2_000.0, 3_500.0])
MOUNTING = 0.6


def toward_the_sun():
    """Azimuth and elevation of the sun's geometric direction, worked out vector by vector."""
    r, v = ORBIT.states(T)
    sight = sun_position(EPOCH, T, "TEME") - r
    x, y, z = (np.sum(gimbal_axes(r, v, MOUNTING)[:, k] * sight, axis=1) for k in range(3))
    return np.arctan2(y, x), -np.arctan2(z, np.hypot(x, y)), sight, v


def test_offset_of_a_pointing_at_the_sun_is_the_aberration():
    azimuth, elevation, sight, v = toward_the_sun()
    offset = sun_offset(ORBIT, T, azimuth, elevation, MOUNTING)
    transverse = np.linalg.norm(np.cross(sight, v), axis=1) / np.linalg.norm(sight, axis=1)
    np.testing.assert_allclose(offset.separation, transverse / 299_792_458.0, rtol=1e-4)
    np.testing.assert_allclose(np.hypot(offset.x, offset.y), offset.separation, rtol=1e-12)
    np.testing.assert_allclose(offset.radius, math.radians(0.2678), rtol=1e-3)  # 16' 4" in March


def test_offset_has_the_signs_of_the_gimbal():
    azimuth, elevation, _, _ = toward_the_sun()
    at = sun_offset(ORBIT, T, azimuth, elevation, MOUNTING)
    below = sun_offset(ORBIT, T, azimuth, elevation - 1e-3, MOUNTING)
    left = sun_offset(ORBIT, T, azimuth - 1e-3 / np.cos(elevation), elevation, MOUNTING)
    np.testing.assert_allclose(below.y - at.y, 1e-3, rtol=1e-3)
    np.testing.assert_allclose(below.x - at.x, 0.0, atol=1e-6)
    np.testing.assert_allclose(left.x - at.x, 1e-3, rtol=1e-3)


def test_separation_of_a_distant_pointing():
    azimuth, elevation, _, _ = toward_the_sun()
    opposite = sun_offset(ORBIT, T, azimuth + math.pi, -elevation, MOUNTING)
    np.testing.assert_allclose(opposite.separation, math.pi, atol=1e-4)
    other = sun_offset(ORBIT, T, azimuth + 1.0, elevation, MOUNTING)
    between = np.sum(line_of_sight(azimuth, elevation) * line_of_sight(azimuth + 1.0, elevation), axis=1)
    np.testing.assert_allclose(other.separation, np.arccos(between), atol=3e-5)
    np.testing.assert_allclose(np.hypot(other.x, other.y), other.separation, rtol=1e-12)


def test_the_sun_sets_behind_earth():
    """An orbit over the terminator never loses the equinox sun; one in its plane does, for asin(R/r)/pi of a turn."""
    t = np.arange(0.0, 5_740.0, 2.0)
    zero = np.zeros_like(t)
    sun = math.radians(angles(EPOCH)[0])
    terminator = J2Orbit(KeplerianElements(6_928_137.0, 0.0, math.pi / 2, sun + math.pi / 2), EPOCH, j2=False)
    assert not sun_offset(terminator, t, zero, zero, 0.0).behind_earth.any()
    noon = J2Orbit(KeplerianElements(6_928_137.0, 0.0, math.pi / 2, sun), EPOCH, j2=False)
    dark = sun_offset(noon, t, zero, zero, 0.0).behind_earth
    assert not dark[0]  # under the sun
    assert dark.mean() == pytest.approx(math.asin(6_378_137.0 / 6_928_137.0) / math.pi, abs=1e-3)


def test_black_body_laws():
    """Stefan-Boltzmann's total, the nominal 1361 W/m^2 at 1 au, and Wien's displacement."""
    total = math.pi * quad(spectral_radiance, 1e-8, 1e-3, points=[1e-7, 5e-7, 1e-6, 1e-5], limit=500)[0]
    assert total == pytest.approx(5.670_374_419e-8 * 5772.0**4, rel=1e-6)
    assert total * (SUN_RADIUS / ASTRONOMICAL_UNIT) ** 2 == pytest.approx(1361.0, rel=1e-3)
    wavelength = np.linspace(450e-9, 550e-9, 2001)
    peak = wavelength[np.argmax([spectral_radiance(x) for x in wavelength])]
    assert peak == pytest.approx(2.897_771_955e-3 / 5772.0, abs=1e-10)


def test_published_background():
    assert spectral_irradiance(1550e-9) * 1e-9 == pytest.approx(0.2267, rel=0.01)
    assert collected_power(1550e-9, 1e-9, 0.08, 100e-6) == pytest.approx(0.132e-6, rel=0.01)


def test_a_field_wider_than_the_sun_collects_the_whole_disc():
    whole = spectral_irradiance(1550e-9) * 1e-9 * math.pi * 0.04**2
    assert collected_power(1550e-9, 1e-9, 0.08, 0.1) == pytest.approx(whole, rel=1e-12)
