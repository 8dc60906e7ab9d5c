"""Mean elements with secular J2, against closed forms, known orbits and the secular rates inside SGP4."""

import math
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sgp4.api import WGS72, Satrec

from flightsw.errors import ConfigError
from flightsw.navigation.ephemeris import KeplerianElements, KeplerJ2Ephemeris, OffsetEphemeris
from flightsw.navigation.kepler import eccentric_anomaly

EPOCH = datetime(2026, 3, 1, tzinfo=UTC)
GM = 3.986004418e14
DAY_S = 86_400.0


def orbit(
    a_m: float, e: float = 0.0, i_deg: float = 53.0, raan_deg: float = 0.0, w_deg: float = 0.0, m_deg: float = 0.0
):
    angles = [math.radians(angle) for angle in (i_deg, raan_deg, w_deg, m_deg)]
    return KeplerJ2Ephemeris(KeplerianElements(a_m, e, *angles), EPOCH)


def node_of(ephemeris: KeplerJ2Ephemeris, t_s: np.ndarray) -> np.ndarray:
    position, velocity = ephemeris.states(t_s)
    momentum = np.cross(position, velocity)
    return np.unwrap(np.arctan2(momentum[:, 0], -momentum[:, 1]))


def test_state_at_the_node_of_a_circular_orbit() -> None:
    a = 6_928_137.0
    position, velocity = orbit(a, i_deg=53.0, raan_deg=90.0).states(np.array([0.0]))
    np.testing.assert_allclose(position, [[0.0, a, 0.0]], atol=1e-6)
    speed, i = math.sqrt(GM / a), math.radians(53.0)
    # J2 turns the plane and speeds up the motion within it by less than 0.2 %.
    np.testing.assert_allclose(velocity, [[-speed * math.cos(i), 0.0, speed * math.sin(i)]], atol=2e-3 * speed)


def test_perigee_apogee_and_vis_viva() -> None:
    a, e = 26_600_000.0, 0.74
    ephemeris = orbit(a, e, i_deg=63.4, w_deg=270.0)
    half_turn = math.pi / ephemeris.mean_anomaly_rate
    t = np.linspace(0.0, 2.0 * half_turn, 101)
    position, velocity = ephemeris.states(t)
    radius = np.linalg.norm(position, axis=1)
    np.testing.assert_allclose(radius[[0, 50, 100]], [a * (1 - e), a * (1 + e), a * (1 - e)], rtol=1e-12)
    speed = np.linalg.norm(velocity, axis=1)
    np.testing.assert_allclose(speed, np.sqrt(GM * (2.0 / radius - 1.0 / a)), rtol=5e-4)


# Altitude and inclination of flown orbits that keep pace with the Sun; both are published to 0.5 %.
@pytest.mark.parametrize(("height_km", "i_deg"), [(705.0, 98.2), (786.0, 98.5), (820.0, 98.7)])
def test_sun_synchronous_orbits_turn_with_the_sun(height_km: float, i_deg: float) -> None:
    nodes = node_of(orbit(6_378_137.0 + 1e3 * height_km, i_deg=i_deg), np.linspace(0.0, 10.0 * DAY_S, 11))
    rate = math.degrees(nodes[-1] - nodes[0]) / 10.0
    assert rate == pytest.approx(0.9856, rel=0.012)


def test_perigee_stands_still_at_the_critical_inclination() -> None:
    critical = math.degrees(math.acos(1.0 / math.sqrt(5.0)))
    assert critical == pytest.approx(63.4349, abs=1e-4)
    ephemeris = orbit(26_600_000.0, 0.7, i_deg=critical, w_deg=270.0)
    perigees = 2.0 * math.pi / ephemeris.mean_anomaly_rate * np.array([0.0, 100.0])
    position, _ = ephemeris.states(perigees)
    latitude = np.degrees(np.arcsin(position[:, 2] / np.linalg.norm(position, axis=1)))
    np.testing.assert_allclose(latitude, -critical, atol=1e-6)


@pytest.mark.parametrize(("n_rev_day", "e", "i_deg"), [(15.05, 0.001, 53.0), (14.2, 0.01, 98.6), (13.0, 0.1, 30.0)])
def test_secular_rates_agree_with_those_of_sgp4(n_rev_day: float, e: float, i_deg: float) -> None:
    satellite = Satrec()
    satellite.sgp4init(
        WGS72, "i", 1, 27_819.0, 0.0, 0.0, 0.0, e, 1.0, math.radians(i_deg), 2.0, n_rev_day * 2 * math.pi / 1440, 0.5
    )
    elements = KeplerianElements(1e3 * satellite.radiusearthkm * satellite.a, e, math.radians(i_deg), 0.5, 1.0, 2.0)
    ephemeris = KeplerJ2Ephemeris(elements, EPOCH)
    # SGP4 adds J2^2 and J4 terms, about J2 of the J2 term itself.
    assert ephemeris.node_rate == pytest.approx(satellite.nodedot / 60.0, rel=4e-3)
    assert ephemeris.perigee_rate == pytest.approx(satellite.argpdot / 60.0, rel=2e-2)
    assert ephemeris.mean_anomaly_rate == pytest.approx(satellite.mdot / 60.0, rel=5e-6)


def test_velocity_is_the_derivative_of_position() -> None:
    ephemeris = orbit(8_000_000.0, 0.1, i_deg=98.0, raan_deg=40.0, w_deg=70.0, m_deg=10.0)
    t = np.linspace(0.0, 20_000.0, 50)
    step = 0.05
    difference = (ephemeris.states(t + step)[0] - ephemeris.states(t - step)[0]) / (2.0 * step)
    np.testing.assert_allclose(ephemeris.states(t)[1], difference, atol=1e-5)


@given(st.floats(-1e3, 1e3), st.floats(0.0, 0.9999))
def test_keplers_equation_is_solved(mean_anomaly: float, eccentricity: float) -> None:
    anomaly = eccentric_anomaly(np.array([mean_anomaly]), eccentricity)[0]
    assert anomaly - eccentricity * math.sin(anomaly) == pytest.approx(mean_anomaly, abs=1e-11)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"semi_major_axis_m": 6928.137}, "in km"),
        ({"semi_major_axis_m": math.nan}, "finite semi_major_axis_m"),
        ({"eccentricity": 1.0}, "eccentricity < 1, found 1.0"),
        ({"eccentricity": 0.1}, "perigee radius above 6378137 m, found 6235323 m"),
        ({"inclination_rad": 53.0}, "is it in deg"),
    ],
)
def test_impossible_elements_are_named(change: dict[str, float], message: str) -> None:
    values = {
        "semi_major_axis_m": 6_928_137.0,
        "eccentricity": 0.0,
        "inclination_rad": 0.9,
        "raan_rad": 0.0,
        "argument_of_perigee_rad": 0.0,
        "mean_anomaly_rad": 0.0,
    }
    with pytest.raises(ConfigError, match=message):
        KeplerJ2Ephemeris(KeplerianElements(**(values | change)), EPOCH)


def test_rotating_frames_are_refused() -> None:
    elements = KeplerianElements(6_928_137.0, 0.0, 0.9, 0.0, 0.0, 0.0)
    with pytest.raises(ConfigError, match="ITRF2000"):
        KeplerJ2Ephemeris(elements, EPOCH, frame="ITRF2000")


def test_offset_is_radial_along_and_across() -> None:
    # At its node, with node at 0 and 90 deg inclination, this orbit is at +x and moves to +z: R = x, T = z, N = -y.
    truth = orbit(7_000_000.0, i_deg=90.0)
    position, velocity = truth.states(np.array([0.0]))
    wrong_position, wrong_velocity = OffsetEphemeris(truth, 1.0, 20.0, 300.0).states(np.array([0.0]))
    np.testing.assert_allclose(wrong_position - position, [[1.0, -300.0, 20.0]], atol=1e-6)
    # The error turns about N = -y at the rate v/r: z to -x, x to z.
    rate = np.linalg.norm(velocity) / 7_000_000.0
    np.testing.assert_allclose(wrong_velocity - velocity, [[-20.0 * rate, 0.0, rate]], atol=1e-6)


def test_offset_moves_as_its_velocity_says() -> None:
    wrong = OffsetEphemeris(orbit(7_000_000.0, 0.01, i_deg=70.0), 100.0, 2_000.0, 300.0)
    t, step = np.linspace(0.0, 6_000.0, 20), 0.05
    difference = (wrong.states(t + step)[0] - wrong.states(t - step)[0]) / (2.0 * step)
    # The turning of the plane by J2, 1e-6 rad/s of the 2 km, is not in the velocity of the error.
    np.testing.assert_allclose(wrong.states(t)[1], difference, atol=5e-3)
    assert wrong.frame == "TEME"
    assert wrong.useable_span(0.0) == (-math.inf, math.inf)
