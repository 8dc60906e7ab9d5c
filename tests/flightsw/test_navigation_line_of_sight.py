"""Line of sight against closed forms of circular orbits, and against an exact and separate computation."""

import math
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq

from flightsw.errors import ConfigError
from flightsw.navigation.ephemeris import KeplerianElements, KeplerJ2Ephemeris, OffsetEphemeris
from flightsw.navigation.line_of_sight import line_of_sight, next_opening

C = 299_792_458.0
GM = 3.986004418e14
EARTH = 6_378_137.0
LOW = EARTH + 550e3
NOW = np.array([0.0])


class Circle:
    """A circular orbit in closed form; `phase` is the angle from its node at time 0."""

    frame = "TEME"

    def __init__(self, radius: float, i_deg: float = 0.0, node_deg: float = 0.0, phase: float = 0.0) -> None:
        self.radius, self.phase, self.rate = radius, phase, math.sqrt(GM / radius**3)
        i, node = math.radians(i_deg), math.radians(node_deg)
        self.p = np.array([math.cos(node), math.sin(node), 0.0])
        self.q = np.array([-math.sin(node) * math.cos(i), math.cos(node) * math.cos(i), math.sin(i)])

    def useable_span(self, t_s: float) -> tuple[float, float]:
        return -math.inf, math.inf

    def states(self, t_s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        u = (self.phase + self.rate * t_s)[:, None]
        return (
            self.radius * (np.cos(u) * self.p + np.sin(u) * self.q),
            self.radius * self.rate * (np.cos(u) * self.q - np.sin(u) * self.p),
        )

    def state(self, t_s: float) -> tuple[np.ndarray, np.ndarray]:
        position, velocity = self.states(np.array([t_s]))
        return position[0], velocity[0]


def separation(distance: float, radius: float = LOW) -> float:
    """The angle at Earth's centre of a chord 2 a sin(theta/2)."""
    return 2.0 * math.asin(distance / (2.0 * radius))


def test_point_ahead_of_coplanar_neighbours_2000_km_apart() -> None:
    epoch = datetime(2026, 3, 1, tzinfo=UTC)
    own, partner = (
        KeplerJ2Ephemeris(KeplerianElements(LOW, 0.0, math.radians(53.0), 1.0, 0.0, anomaly), epoch)
        for anomaly in (0.0, separation(2_000e3))
    )
    sight = line_of_sight(own, partner, np.linspace(0.0, 5_700.0, 20))
    np.testing.assert_allclose(sight.range_m, 2_000e3, rtol=1e-9)
    # Published for 550 km: 14.61 urad. It leads downwards: the partner ahead falls along its circle.
    np.testing.assert_allclose(np.linalg.norm(sight.point_ahead_rad, axis=1), 14.61e-6, rtol=5e-3)
    np.testing.assert_allclose(sight.point_ahead_rad[:, 1], -14.61e-6, rtol=5e-3)


@pytest.mark.parametrize("distance", [100e3, 2_000e3, 4_900e3])
def test_coplanar_neighbour_in_closed_form(distance: float) -> None:
    theta = separation(distance)
    own, partner = Circle(LOW, 53.0), Circle(LOW, 53.0, phase=theta)
    sight = line_of_sight(own, partner, np.array([0.0, 777.0]))
    speed = own.rate * LOW
    # Light that leaves at theta - w tau; the chord from there is theta' / 2 below the horizontal.
    tau = brentq(lambda t: 2.0 * LOW * math.sin((theta - own.rate * t) / 2.0) - C * t, 0.0, 0.1, xtol=1e-18)
    below = (theta - own.rate * tau) / 2.0
    aberration = math.sin(below) * speed / C
    np.testing.assert_allclose(sight.light_time_s, tau, rtol=1e-12)
    np.testing.assert_allclose(sight.elevation_rad, -below + aberration, rtol=0.0, atol=1e-9)
    np.testing.assert_allclose(sight.azimuth_rad, 0.0, rtol=0.0, atol=1e-12)
    np.testing.assert_allclose(sight.range_m, distance, rtol=1e-12)
    np.testing.assert_allclose(sight.point_ahead_rad[:, 1], -2.0 * own.rate * distance / C, rtol=1e-4)


@pytest.mark.parametrize(
    ("partner", "azimuth_deg", "elevation_deg"),
    [
        (Circle(LOW, phase=1e-2), 0.0, -math.degrees(0.5e-2)),
        (Circle(LOW, phase=-1e-2), 180.0, -math.degrees(0.5e-2)),
        (Circle(LOW + 300e3), None, 90.0),
        (Circle(LOW - 200e3), None, -90.0),
        # A quarter ahead of its node is the place of greatest latitude: to the left, which is -y.
        (Circle(LOW, i_deg=0.5, node_deg=-90.0, phase=math.pi / 2), -90.0, -0.25),
        (Circle(LOW, i_deg=0.5, node_deg=90.0, phase=-math.pi / 2), 90.0, -0.25),
    ],
)
def test_body_axes(partner: Circle, azimuth_deg: float | None, elevation_deg: float) -> None:
    sight = line_of_sight(Circle(LOW), partner, NOW)
    assert math.degrees(sight.elevation_rad[0]) == pytest.approx(elevation_deg, abs=0.01)
    if azimuth_deg is not None:
        assert math.degrees(sight.azimuth_rad[0]) == pytest.approx(azimuth_deg, abs=0.01)


@pytest.mark.parametrize(("mounting_deg", "azimuth_deg"), [(0.0, 90.0), (90.0, 0.0), (-90.0, 180.0), (180.0, -90.0)])
def test_mounting_azimuth_yaws_the_gimbal(mounting_deg: float, azimuth_deg: float) -> None:
    partner = Circle(LOW, i_deg=0.5, node_deg=90.0, phase=-math.pi / 2)
    body = line_of_sight(Circle(LOW), partner, NOW)
    turned = line_of_sight(Circle(LOW), partner, NOW, math.radians(mounting_deg))
    difference = math.remainder(turned.azimuth_rad[0] - math.radians(azimuth_deg), 2.0 * math.pi)
    assert abs(math.degrees(difference)) < 0.01
    assert turned.elevation_rad[0] == pytest.approx(body.elevation_rad[0], abs=1e-12)
    np.testing.assert_allclose(turned.point_ahead_rad, body.point_ahead_rad, atol=1e-15)


def test_azimuth_of_exactly_half_a_turn_is_positive() -> None:
    sight = line_of_sight(Circle(LOW), Circle(LOW, phase=-0.2), np.linspace(0.0, 6_000.0, 200))
    np.testing.assert_allclose(np.abs(sight.azimuth_rad), math.pi, rtol=1e-12)
    assert (sight.azimuth_rad > -math.pi).all()


def lorentz(direction: np.ndarray, velocity: np.ndarray) -> np.ndarray:
    """The direction of a light ray in a frame that moves with `velocity`, exactly."""
    beta = velocity / C
    gamma = 1.0 / math.sqrt(1.0 - beta @ beta)
    along = beta @ direction
    moved = direction / gamma - beta + gamma / (gamma + 1.0) * along * beta
    return moved / (1.0 - along)


def exact(own: Circle, partner: Circle, t: float) -> tuple[np.ndarray, np.ndarray, float]:
    """Apparent and emission direction as unit vectors, and the light time received, by root finding."""
    position, velocity = own.state(t)

    def path(tau: float) -> np.ndarray:
        return partner.state(t + tau)[0] - position

    received = brentq(lambda tau: float(np.linalg.norm(path(-tau))) - C * tau, 0.0, 1.0, xtol=1e-17)
    emitted = brentq(lambda tau: float(np.linalg.norm(path(tau))) - C * tau, 0.0, 1.0, xtol=1e-17)
    apparent = -lorentz(-path(-received) / np.linalg.norm(path(-received)), velocity)
    emission = lorentz(path(emitted) / np.linalg.norm(path(emitted)), velocity)
    return apparent, emission, received


def axes(own: Circle, t: float) -> np.ndarray:
    position, velocity = own.state(t)
    down = -position / np.linalg.norm(position)
    normal = np.cross(position, velocity)
    right = -normal / np.linalg.norm(normal)
    return np.array([np.cross(right, down), right, down])


circles = st.builds(
    Circle,
    radius=st.floats(EARTH + 300e3, EARTH + 2_000e3),
    i_deg=st.floats(0.0, 180.0),
    node_deg=st.floats(0.0, 360.0),
    phase=st.floats(0.0, 6.3),
)


@settings(max_examples=60, deadline=None)
@given(circles, circles, st.floats(0.0, 6_000.0))
def test_against_exact_light_time_and_aberration(own: Circle, partner: Circle, t: float) -> None:
    (here, own_velocity), (there, partner_velocity) = own.state(t), partner.state(t)
    distance = float(np.linalg.norm(there - here))
    if distance < 50e3:
        return
    sight = line_of_sight(own, partner, np.array([t]))
    apparent, emission, tau = exact(own, partner, t)
    rows = axes(own, t)
    az, el = sight.azimuth_rad[0], sight.elevation_rad[0]
    found = np.array([math.cos(el) * math.cos(az), math.cos(el) * math.sin(az), -math.sin(el)])
    # Left out: half of (v/c)^2, 0.4 nrad at most.
    np.testing.assert_allclose(found, rows @ apparent, rtol=0.0, atol=1e-9)
    assert sight.light_time_s[0] == pytest.approx(tau, abs=1e-12)
    assert sight.range_m[0] == pytest.approx(distance, rel=1e-12)

    point_ahead = np.linalg.norm(sight.point_ahead_rad[0])
    assert point_ahead == pytest.approx(float(np.linalg.norm(emission - apparent)), abs=2e-9)
    relative = partner_velocity - own_velocity
    across = relative - (relative @ (there - here)) * (there - here) / distance**2
    # 2 v_perp / c; what remains is the change of direction within the light time, to second order.
    assert point_ahead == pytest.approx(2.0 * float(np.linalg.norm(across)) / C, abs=2e-8)


def test_point_ahead_axes_are_cross_elevation_and_elevation() -> None:
    own, partner = Circle(LOW, 53.0), Circle(LOW + 100e3, 60.0, 20.0, phase=0.1)
    t = 400.0
    sight = line_of_sight(own, partner, np.array([t]))
    apparent, emission, _ = exact(own, partner, t)
    angles = []
    for direction in (apparent, emission):
        x, y, z = axes(own, t) @ direction
        angles.append((math.atan2(y, x), math.asin(-z)))
    (az, el), (emission_az, emission_el) = angles
    expected = [(emission_az - az) * math.cos(el), emission_el - el]
    np.testing.assert_allclose(sight.point_ahead_rad[0], expected, rtol=0.0, atol=3e-9)


def test_greatest_point_ahead_is_that_of_opposite_orbits() -> None:
    sight = line_of_sight(Circle(LOW), Circle(LOW + 60e3, i_deg=180.0), NOW)
    # Published: up to about 101 urad across planes.
    assert np.linalg.norm(sight.point_ahead_rad[0]) == pytest.approx(101e-6, rel=0.01)


def test_earth_blocks_chords_that_dip_below_the_atmosphere() -> None:
    # A chord between equal radii comes as near as a cos(theta/2).
    limit = 2.0 * math.acos((EARTH + 100e3) / LOW)
    for theta, blocked in ((limit - 1e-6, False), (limit + 1e-6, True), (math.pi, True), (0.01, False)):
        sight = line_of_sight(Circle(LOW, 53.0), Circle(LOW, 53.0, phase=theta), NOW)
        assert sight.earth_blocked.dtype == np.bool_
        assert bool(sight.earth_blocked[0]) is blocked
    assert 2.0 * LOW * math.sin(limit / 2.0) == pytest.approx(4_915e3, rel=1e-2)


def test_a_partner_above_the_nearest_point_of_the_ray_is_seen() -> None:
    # The line through both passes near Earth's centre, but beyond the own terminal.
    sight = line_of_sight(Circle(LOW), Circle(LOW + 1_000e3), NOW)
    assert not sight.earth_blocked[0]


def test_next_opening_in_closed_form() -> None:
    low, high = Circle(LOW), Circle(EARTH + 1_200e3, phase=math.pi)
    grazing = math.acos((EARTH + 100e3) / low.radius) + math.acos((EARTH + 100e3) / high.radius)
    expected = (math.pi - grazing) / (low.rate - high.rate)
    for own, partner in ((low, high), (high, low)):
        found = next_opening(own, partner, 0.0)
        assert found == pytest.approx(expected, abs=2e-3)
        assert found >= expected
        assert not line_of_sight(own, partner, np.array([found])).earth_blocked[0]
        assert next_opening(own, partner, expected + 1.0) == expected + 1.0
        assert next_opening(own, partner, 0.0, horizon_s=expected - 1.0) is None
        assert next_opening(own, partner, 100.0, horizon_s=expected) == pytest.approx(expected, abs=2e-3)


def test_no_opening_between_opposite_ends_of_an_orbit() -> None:
    assert next_opening(Circle(LOW), Circle(LOW, phase=math.pi), 0.0) is None


class Ending(Circle):
    """An orbit whose product ends."""

    def useable_span(self, t_s: float) -> tuple[float, float]:
        return 0.0, 500.0

    def states(self, t_s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if t_s.min() < 0.0 or t_s.max() > 500.0:
            raise ConfigError("outside")
        return super().states(t_s)


def test_next_opening_asks_no_further_than_the_products_reach() -> None:
    assert next_opening(Circle(LOW), Ending(LOW, phase=math.pi), 0.0) is None


def test_frames_must_agree() -> None:
    own, partner = Circle(LOW), Circle(LOW, phase=0.1)
    partner.frame = "GCRF"
    for ask in (lambda: line_of_sight(own, partner, NOW), lambda: next_opening(own, partner, 0.0)):
        with pytest.raises(ConfigError, match="found TEME and GCRF"):
            ask()
    own.frame = "EME2000"
    assert line_of_sight(own, partner, NOW).range_m[0] > 0.0
    own.frame = "ITRF2000"
    with pytest.raises(ConfigError, match="expected an inertial frame"):
        line_of_sight(own, partner, NOW)


def test_one_satellite_twice_is_refused() -> None:
    with pytest.raises(ConfigError, match="two satellites apart"):
        line_of_sight(Circle(LOW), Circle(LOW), NOW)


def test_an_ephemeris_error_turns_the_line_of_sight_by_its_angle() -> None:
    own, partner = Circle(LOW), Circle(LOW, phase=separation(2_000e3))
    truth = line_of_sight(own, partner, NOW)
    wrong = line_of_sight(own, OffsetEphemeris(partner, cross_track_m=-200.0), NOW)
    # 200 m to the right at 2,000 km: 100 urad.
    level = math.cos(truth.elevation_rad[0])
    assert (wrong.azimuth_rad[0] - truth.azimuth_rad[0]) * level == pytest.approx(100e-6, rel=1e-3)
    assert wrong.elevation_rad[0] - truth.elevation_rad[0] == pytest.approx(0.0, abs=1e-8)
