"""The profile against the direct computation, at times that are not knots."""

import math
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from flightsw.errors import ConfigError
from flightsw.navigation.ephemeris import OemEphemeris
from flightsw.navigation.line_of_sight import LineOfSight, line_of_sight
from flightsw.navigation.pointing_profile import PointingAngles, PointingProfile

GM = 3.986004418e14
LOW = 6_378_137.0 + 550e3


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


# Own and partner, and the times to compare at. The closest approach is near 0 s in the two fast ones: two satellites on
# straight lines at right angles, one 50 km ahead, come as near as 50 km / sqrt(2).
GEOMETRIES = {
    "coplanar, 2,000 km": (Circle(LOW, 53.0), Circle(LOW, 53.0, phase=0.2897), (0.0, 300.0)),
    "next plane": (Circle(LOW, 53.0), Circle(LOW, 53.0, node_deg=15.0, phase=-0.1), (0.0, 3_000.0)),
    "behind, swinging across pi": (Circle(LOW, 53.0), Circle(LOW, 53.5, phase=-0.3), (0.0, 6_000.0)),
    "crossing at 35 km, 11 km/s": (Circle(LOW, 53.0), Circle(LOW, 143.0, phase=50e3 / LOW), (-150.0, 150.0)),
    "overhead at 60 km, 15 km/s": (Circle(LOW, 10.0), Circle(LOW + 60e3, 170.0, phase=1e-4), (-60.0, 60.0)),
    "high above low": (Circle(LOW, 97.0), Circle(42_164e3, 0.0, phase=0.5), (0.0, 1_500.0)),
}


def direction(azimuth: np.ndarray, elevation: np.ndarray) -> np.ndarray:
    return np.stack(
        [np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), -np.sin(elevation)], axis=-1
    )


def profiled(profile: PointingProfile, t: np.ndarray) -> PointingAngles:
    return PointingAngles(*np.array([profile.at(float(time)) for time in t]).T)


@pytest.mark.parametrize("name", GEOMETRIES)
@pytest.mark.parametrize("mounting", [0.0, 2.5])
def test_interpolation_error_is_far_below_the_beam(name: str, mounting: float) -> None:
    own, partner, (first, last) = GEOMETRIES[name]
    t = np.linspace(first + 1e-3, last, 1_997)
    found = profiled(PointingProfile(own, partner, mounting), t)
    truth: LineOfSight = line_of_sight(own, partner, t, mounting)
    error = direction(found.azimuth_rad, found.elevation_rad) - direction(truth.azimuth_rad, truth.elevation_rad)
    assert np.linalg.norm(error, axis=1).max() < 0.05e-6
    np.testing.assert_allclose(found.elevation_rad, truth.elevation_rad, rtol=0.0, atol=0.05e-6)
    np.testing.assert_allclose(found.light_time_s, truth.light_time_s, rtol=0.0, atol=1e-10)
    np.testing.assert_allclose(found.range_m, truth.range_m, rtol=0.0, atol=0.01)
    np.testing.assert_allclose(found.point_ahead_x_rad, truth.point_ahead_rad[:, 0], rtol=0.0, atol=0.01e-6)
    np.testing.assert_allclose(found.point_ahead_y_rad, truth.point_ahead_rad[:, 1], rtol=0.0, atol=0.01e-6)


def test_azimuth_itself_near_the_closest_approach() -> None:
    own, partner, _ = GEOMETRIES["crossing at 35 km, 11 km/s"]
    t = np.linspace(-5.0, 5.0, 1_001)
    found = profiled(PointingProfile(own, partner), t)
    truth = line_of_sight(own, partner, t)
    difference = np.angle(np.exp(1j * (found.azimuth_rad - truth.azimuth_rad)))
    assert np.abs(difference).max() < 0.1e-6
    assert np.abs(found.azimuth_rate).max() == pytest.approx(math.sqrt(2.0) * own.rate * LOW / 35.36e3, rel=0.01)
    np.testing.assert_allclose(found.point_ahead_x_rad, truth.point_ahead_rad[:, 0], rtol=0.0, atol=0.01e-6)


@pytest.mark.parametrize("name", ["coplanar, 2,000 km", "next plane", "crossing at 35 km, 11 km/s", "high above low"])
def test_rates_are_those_of_the_angles(name: str) -> None:
    own, partner, (first, last) = GEOMETRIES[name]
    t, step = np.linspace(first + 0.1, last - 0.1, 300), 1e-3
    found = profiled(PointingProfile(own, partner), t)
    before, after = (line_of_sight(own, partner, t + shift) for shift in (-step, step))
    azimuth_rate = np.angle(np.exp(1j * (after.azimuth_rad - before.azimuth_rad))) / (2.0 * step)
    elevation_rate = (after.elevation_rad - before.elevation_rad) / (2.0 * step)
    np.testing.assert_allclose(found.azimuth_rate, azimuth_rate, rtol=2e-6, atol=1e-8)
    np.testing.assert_allclose(found.elevation_rate, elevation_rate, rtol=2e-6, atol=1e-8)


@pytest.mark.parametrize("backwards", [False, True])
def test_azimuth_runs_on_across_pi_and_from_batch_to_batch(backwards: bool) -> None:
    own, partner, (first, last) = GEOMETRIES["behind, swinging across pi"]
    t = np.arange(first, last, 0.5)[:: -1 if backwards else 1]
    found = profiled(PointingProfile(own, partner), t)
    direct = line_of_sight(own, partner, t).azimuth_rad
    assert np.abs(np.diff(direct)).max() > 6.0  # it does cross
    assert np.abs(np.diff(found.azimuth_rad)).max() < 1e-3
    assert np.abs(np.diff(found.azimuth_rate)).max() < 1e-5


def test_azimuth_runs_on_through_turns() -> None:
    # Below a faster low orbit the azimuth of a high partner in another plane turns all the way round.
    own, partner = Circle(LOW, 60.0), Circle(LOW + 3_000e3, 100.0, node_deg=10.0, phase=0.3)
    t = np.arange(0.0, 30_000.0, 5.0)
    azimuth = profiled(PointingProfile(own, partner), t).azimuth_rad
    assert np.ptp(azimuth) > 2.0 * math.pi
    assert np.abs(np.diff(azimuth)).max() < 1.0
    direct = line_of_sight(own, partner, t).azimuth_rad
    np.testing.assert_allclose(np.angle(np.exp(1j * (azimuth - direct))), 0.0, atol=0.1e-6)


@pytest.mark.parametrize("spacing", [0.1, 0.3, 2.0, 10.0])
def test_every_spacing_and_the_edges_of_batches(spacing: float) -> None:
    own, partner, _ = GEOMETRIES["next plane"]
    profile = PointingProfile(own, partner, knot_spacing_s=spacing)
    edges = spacing * 64 * np.arange(-3, 8)
    t = np.concatenate([edges, np.nextafter(edges, -np.inf), np.nextafter(edges, np.inf), 0.1 * np.arange(64.0)])
    found, truth = profiled(profile, t), line_of_sight(own, partner, t)
    error = direction(found.azimuth_rad, found.elevation_rad) - direction(truth.azimuth_rad, truth.elevation_rad)
    assert np.linalg.norm(error, axis=1).max() < 0.1e-6


def test_order_of_asking_changes_nothing_but_whole_turns() -> None:
    own, partner, _ = GEOMETRIES["next plane"]
    t = np.random.default_rng(1).uniform(0.0, 3_000.0, 200)
    found = profiled(PointingProfile(own, partner), t)
    truth = line_of_sight(own, partner, t)
    np.testing.assert_allclose(np.angle(np.exp(1j * (found.azimuth_rad - truth.azimuth_rad))), 0.0, atol=1e-8)


def test_a_partner_straight_above_has_an_elevation_and_no_azimuth_rate() -> None:
    # Both hang over a pole, all but at rest, so that neither aberration nor light time tilts the line.
    class Hanging(Circle):
        def states(self, t_s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            position = np.zeros((t_s.size, 3))
            position[:, 2] = self.radius
            return position, np.tile([1e-160, 0.0, 0.0], (t_s.size, 1))

    found = PointingProfile(Hanging(LOW), Hanging(LOW + 500e3)).at(0.5)
    assert found.elevation_rad == pytest.approx(math.pi / 2, abs=1e-12)
    assert all(math.isfinite(value) for value in found)


def test_up_to_the_ends_of_a_product() -> None:
    path = Path(__file__).parent / "data" / "circular_orbit.oem"
    partner = OemEphemeris.read(path, datetime(2026, 3, 1, 12, tzinfo=UTC))
    own = Circle(LOW, 53.0, 30.0, phase=-0.2)
    own.frame = "EME2000"
    profile = PointingProfile(own, partner)
    # Useable from 180 s to 1,020 s, and from 1,800 s to 2,160 s.
    for t in (181.0, 999.9, 1_018.9, 1_801.0, 2_158.9):
        truth = line_of_sight(own, partner, np.array([t]))
        assert profile.at(t).azimuth_rad == pytest.approx(truth.azimuth_rad[0], abs=1e-8)
        assert profile.at(t).elevation_rad == pytest.approx(truth.elevation_rad[0], abs=1e-8)
    for t in (180.0, 1_020.0):
        with pytest.raises(ConfigError, match="pointing profile: expected a time between"):
            profile.at(t)
    for t in (179.0, 1_500.0, 3_000.0):
        with pytest.raises(ConfigError, match=r"circular_orbit\.oem: expected a time within"):
            profile.at(t)
    assert profile.at(500.0).range_m > 0.0


@pytest.mark.parametrize("span", [(0.0, 1.7), (-1.7, 0.0), (0.3, 2.3)])
def test_knots_stay_within_a_product_to_the_last_bit(span: tuple[float, float]) -> None:
    class Strict(Circle):
        def useable_span(self, t_s: float) -> tuple[float, float]:
            return span

        def states(self, t_s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            assert span[0] <= t_s.min() <= t_s.max() <= span[1]
            return super().states(t_s)

    profile = PointingProfile(Strict(LOW), Circle(LOW, phase=0.1), knot_spacing_s=0.1)
    for t in np.linspace(span[0] + 0.1, span[1] - 0.11, 10):
        assert profile.at(float(t)).elevation_rad == pytest.approx(-0.05, abs=1e-4)


@pytest.mark.parametrize("t", [math.nan, math.inf, -math.inf])
def test_times_must_be_finite(t: float) -> None:
    own, partner, _ = GEOMETRIES["coplanar, 2,000 km"]
    with pytest.raises(ConfigError, match="finite time"):
        PointingProfile(own, partner).at(t)


@pytest.mark.parametrize("spacing", [0.0, -1.0, math.nan, math.inf])
def test_knot_spacing_must_be_positive(spacing: float) -> None:
    own, partner, _ = GEOMETRIES["coplanar, 2,000 km"]
    with pytest.raises(ConfigError, match=r"knot spacing above 0 s"):
        PointingProfile(own, partner, knot_spacing_s=spacing)
