"""The view between satellites against closed forms of circular orbits, root finding and the physics at every frame."""

import dataclasses
import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from scipy.optimize import brentq

from flightsw.errors import ConfigError
from sim.geometry import _view, apparent_direction, geometry, gimbal_axes, line_of_sight, next_opening, offset
from sim.oem import OemOrbit, write_oem
from sim.orbit import EARTH_RADIUS, MU_EARTH, J2Orbit, KeplerianElements, TleOrbit

C = 299_792_458.0
EPOCH = datetime(2026, 3, 20, 12, tzinfo=UTC)
RADIUS = 6_928_137.0
RATE = math.sqrt(MU_EARTH / RADIUS**3)
SEPARATION = 2.0 * math.asin(1_000e3 / RADIUS)  # of neighbours 2,000 km apart
FRAMES = np.arange(0.0, 60.0, 0.01)


INCLINATION = math.radians(53)


def circular(angle, *, inclination=INCLINATION, node=0.0, radius=RADIUS, j2=False):
    elements = KeplerianElements(radius, 0.0, inclination, node, 0.0, angle)
    return J2Orbit(elements, EPOCH, j2=j2)


BEHIND, AHEAD = circular(0.0), circular(SEPARATION)

#: Pairs that try the interpolation: neighbours, crossing planes, a meeting 240 km apart.
PAIRS = {
    "co-planar": (circular(0.0, j2=True), circular(SEPARATION, j2=True)),
    "crossing": (circular(0.0, j2=True), circular(0.2, inclination=math.radians(97), node=0.4, j2=True)),
    "head-on": (
        circular(-0.03, j2=True),
        circular(-0.03, inclination=math.radians(127), node=0.06, radius=RADIUS + 200e3, j2=True),
    ),
    "eccentric": (circular(0.0), J2Orbit(KeplerianElements(26_600e3, 0.7, 1.1, 0.1, 0.0, 0.02), EPOCH)),
}


def test_chord_dip_and_aberration_of_neighbours():
    """In the plane everything is known: while light is under way, the partner moves on by RATE times the light time."""
    for own, partner, sense, mounting in ((BEHIND, AHEAD, 1.0, 0.0), (AHEAD, BEHIND, -1.0, math.pi)):
        light_time = brentq(lambda x, s=sense: 2 * RADIUS * math.sin((SEPARATION - s * RATE * x) / 2) - C * x, 0.0, 0.1)
        dip = (SEPARATION - sense * RATE * light_time) / 2
        beta = sense * RATE * RADIUS / C
        seen = math.acos((math.cos(dip) + beta) / (1 + beta * math.cos(dip)))  # aberration, relativistic
        view = geometry(own, partner, FRAMES, mounting)
        np.testing.assert_allclose(view.light_time_s, light_time, rtol=0, atol=1e-15 * C)
        np.testing.assert_allclose(view.range_m, C * light_time, rtol=0, atol=1e-3)
        np.testing.assert_allclose(view.elevation, -seen, rtol=0, atol=1e-10)
        np.testing.assert_allclose(view.azimuth, 0.0, rtol=0, atol=1e-10)
        np.testing.assert_allclose(view.azimuth_rate, 0.0, rtol=0, atol=1e-10)
        np.testing.assert_allclose(view.elevation_rate, 0.0, rtol=0, atol=1e-10)


def test_point_ahead_of_neighbours():
    """14.61 urad: 2 v_perp / c, with v_perp the orbital rate times the range. Ahead it is down, behind it is up."""
    ahead = geometry(BEHIND, AHEAD, FRAMES, 0.0).point_ahead
    behind = geometry(AHEAD, BEHIND, FRAMES, math.pi).point_ahead
    expected = 2.0 * RATE * 2_000e3 / C
    assert expected == pytest.approx(14.61e-6, abs=0.005e-6)
    # the range at which light travels differs from 2,000 km by v/c, 2.5e-5 of it, at most twice
    np.testing.assert_allclose(ahead[:, 1], -expected, rtol=1e-4)
    np.testing.assert_allclose(behind[:, 1], expected, rtol=1e-4)
    np.testing.assert_allclose(ahead[:, 0], 0.0, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", ["crossing", "head-on"])
def test_point_ahead_is_twice_the_transverse_velocity_over_c(name):
    own, partner = PAIRS[name]
    t = np.linspace(0.0, 20.0, 41)
    view = geometry(own, partner, t, 0.3)
    r, v = own.states(t)
    rp, vp = partner.states(t)
    axes = gimbal_axes(r, v, 0.3)
    relative = np.einsum("nij,nj->ni", axes, vp - v)
    sight = np.einsum("nij,nj->ni", axes, rp - r)
    azimuth = np.arctan2(sight[:, 1], sight[:, 0])
    elevation = np.arctan2(-sight[:, 2], np.hypot(sight[:, 0], sight[:, 1]))
    expected = 2.0 * offset(relative, azimuth, elevation) / C
    # what is left is of the order (v/c)^2 and of the turning of the line of sight within a light time
    np.testing.assert_allclose(view.point_ahead, expected, rtol=0, atol=2e-3 * np.abs(expected).max())
    assert np.abs(expected[:, 0]).max() > 1e-6


def test_light_time_solves_its_equation():
    own, partner = PAIRS["crossing"]
    t = np.array([0.0, 17.3, 42.0])
    view = geometry(own, partner, t, 0.0)
    for k, now in enumerate(t):
        here = own.states(np.array([now]))[0][0]

        def excess(tau, now=now, here=here):
            return C * tau - np.linalg.norm(partner.states(np.array([now - tau]))[0][0] - here)

        assert view.light_time_s[k] == pytest.approx(brentq(excess, 0.0, 0.1, xtol=1e-15), abs=1e-13)


@pytest.mark.parametrize("name", list(PAIRS))
def test_a_beam_with_point_ahead_arrives_where_the_partner_will_look(name):
    """Send along the commanded direction; at arrival the partner must see it come from just there."""
    own, partner = PAIRS[name]
    t = np.array([1.0, 9.0, 20.0])
    r, v = own.states(t)
    view = geometry(own, partner, t, 0.4)
    seen = line_of_sight(view.azimuth, view.elevation)
    x = np.stack((-np.sin(view.azimuth), np.cos(view.azimuth), 0 * t), axis=1)
    y = line_of_sight(view.azimuth, view.elevation + math.pi / 2)
    aim = seen + view.point_ahead[:, :1] * x + view.point_ahead[:, 1:] * y
    aim /= np.linalg.norm(aim, axis=1)[:, None]
    sent = apparent_direction(np.einsum("nij,ni->nj", gimbal_axes(r, v, 0.4), aim), v)
    for k in range(3):

        def miss(tau, k=k):
            return C * tau - np.linalg.norm(partner.states(t[k : k + 1] + tau)[0][0] - r[k])

        tau = brentq(miss, 0.0, 0.5, xtol=1e-15)
        arrival = t[k : k + 1] + tau
        rp, vp = partner.states(arrival)
        np.testing.assert_allclose(r[k] + C * tau * sent[k], rp[0], rtol=0, atol=1e-9 * C * tau)
        back = geometry(partner, own, arrival, 0.0)
        received = np.einsum("nij,nj->ni", gimbal_axes(rp, vp, 0.0), apparent_direction(-sent[k : k + 1], vp))
        np.testing.assert_allclose(line_of_sight(back.azimuth, back.elevation), received, rtol=0, atol=1e-9)


def test_aberration_angle():
    """tan(angle to the velocity) = sin / (gamma (cos + beta)), and unit length."""
    angle = np.linspace(0.1, 3.0, 7)
    for speed in (7.6e3, 0.5 * C):
        beta = speed / C
        direction = np.column_stack((np.cos(angle), np.sin(angle), np.zeros(7)))
        seen = apparent_direction(direction, np.tile([speed, 0.0, 0.0], (7, 1)))
        expected = np.arctan2(np.sin(angle) * math.sqrt(1 - beta**2), np.cos(angle) + beta)
        np.testing.assert_allclose(np.arctan2(seen[:, 1], seen[:, 0]), expected, rtol=0, atol=1e-14)
        np.testing.assert_allclose(np.linalg.norm(seen, axis=1), 1.0, rtol=0, atol=1e-14)


def test_axes_on_the_equator():
    """Over the prime meridian, eastward: x east, y south, z down; turned by 90 degrees x points south."""
    r, v = np.array([[RADIUS, 0.0, 0.0]]), np.array([[100.0, 7.6e3, 0.0]])
    np.testing.assert_allclose(gimbal_axes(r, v, 0.0)[0], [[0, 1, 0], [0, 0, -1], [-1, 0, 0]], atol=1e-15)
    np.testing.assert_allclose(gimbal_axes(r, v, math.pi / 2)[0], [[0, 0, -1], [0, -1, 0], [-1, 0, 0]], atol=1e-15)


def test_directions_of_azimuth_and_elevation():
    """A partner to starboard is at +90 degrees; one further from Earth is at positive elevation."""
    equator = circular(0.0, inclination=0.0)
    # a quarter turn before its node at 90 degrees east the partner stands 0.1 rad south of longitude zero
    partner = circular(-math.pi / 2, inclination=0.1, node=math.pi / 2)
    south = geometry(equator, partner, np.array([0.0]), 0.0)
    assert south.azimuth[0] == pytest.approx(math.pi / 2, abs=1e-4)
    assert south.elevation[0] == pytest.approx(-0.05, abs=1e-4)
    turned = geometry(equator, partner, np.array([0.0]), 0.4)
    assert turned.azimuth[0] == pytest.approx(south.azimuth[0] - 0.4, abs=1e-12)
    above = geometry(equator, circular(0.02, inclination=0.0, radius=RADIUS + 500e3), np.array([0.0]), 0.0)
    assert above.elevation[0] == pytest.approx(math.atan2(500e3, 0.02 * (RADIUS + 500e3)), abs=0.01)


@pytest.mark.parametrize("name", list(PAIRS))
def test_interpolation_against_the_physics_at_every_frame(name):
    own, partner = PAIRS[name]
    t = FRAMES[::3]
    for a, b, mounting in ((own, partner, 0.0), (partner, own, math.pi)):
        view = geometry(a, b, t, mounting)
        truth = _view(a, b, t, mounting)
        wrapped = np.angle(np.exp(1j * (view.azimuth - truth[:, 0])))
        np.testing.assert_allclose(wrapped, 0.0, rtol=0, atol=1e-9)
        np.testing.assert_allclose(view.elevation, truth[:, 1], rtol=0, atol=1e-9)
        np.testing.assert_allclose(view.range_m, truth[:, 2], rtol=0, atol=1e-3)
        np.testing.assert_allclose(view.point_ahead, truth[:, 3:5], rtol=0, atol=1e-9)
        assert np.abs(np.diff(view.azimuth)).max() < 0.1


@pytest.mark.parametrize("name", list(PAIRS))
def test_a_frame_carries_to_the_next(name):
    view = geometry(*PAIRS[name], FRAMES, 0.0)
    h = 0.01
    for angle, rate, acceleration in (
        (view.azimuth, view.azimuth_rate, view.azimuth_acceleration),
        (view.elevation, view.elevation_rate, view.elevation_acceleration),
    ):
        predicted = angle + h * (rate + 0.5 * h * acceleration)
        np.testing.assert_allclose(predicted[:-1], angle[1:], rtol=0, atol=1e-9)
        central = (angle[2:] - angle[:-2]) / (2 * h)
        np.testing.assert_allclose(rate[1:-1], central, rtol=0, atol=1e-7)


def test_the_azimuth_does_not_jump_where_it_passes_the_rear():
    """Seen from the middle of three in a row, the last one is astern: mounted forward, it stands at +-180 degrees."""
    own = circular(SEPARATION, inclination=0.0)
    partner = circular(0.0, inclination=1e-3, node=-0.03)
    view = geometry(own, partner, np.arange(0.0, 1200.0, 1.0), 0.0)
    assert view.azimuth.min() < math.pi < view.azimuth.max() or view.azimuth.min() < -math.pi < view.azimuth.max()
    assert np.abs(np.diff(view.azimuth)).max() < 1e-3
    assert abs(view.azimuth[0]) <= math.pi


@pytest.mark.parametrize("count", [1, 2, 5])
def test_few_frames(count):
    whole = geometry(*PAIRS["crossing"], FRAMES, 0.2)
    few = geometry(*PAIRS["crossing"], FRAMES[100 : 100 + count], 0.2)
    for field in dataclasses.fields(whole):
        got, expected = getattr(few, field.name), getattr(whole, field.name)[100 : 100 + count]
        tolerance = 1e-3 if field.name.endswith("_m") else 1e-9
        np.testing.assert_allclose(got, expected, rtol=0, atol=tolerance, err_msg=field.name)


@pytest.mark.parametrize("separation_deg", [16.6, 40.0, 60.0])
def test_clearance_is_the_middle_of_the_chord(separation_deg):
    separation = math.radians(separation_deg)
    view = geometry(BEHIND, circular(separation), np.array([0.0, 1.0]), 0.0)
    expected = RADIUS * math.cos(separation / 2) - EARTH_RADIUS
    # within a light time the partner moves by 150 m
    np.testing.assert_allclose(view.earth_clearance_m, expected, rtol=0, atol=100.0)


def test_clearance_toward_a_higher_satellite_is_that_of_the_lower_end():
    above = circular(0.001, radius=RADIUS + 500e3)
    for own, partner in ((BEHIND, above), (above, BEHIND)):
        clearance = geometry(own, partner, np.array([0.0]), 0.0).earth_clearance_m
        np.testing.assert_allclose(clearance, RADIUS - EARTH_RADIUS, rtol=0, atol=1.0)


def test_next_opening_of_an_overtaking_pair():
    """Circles of two radii in a plane: the ray clears 100 km when the angle falls to the sum of both horizon angles."""
    outer = 7_578_137.0
    limit = EARTH_RADIUS + 100e3
    visible = math.acos(limit / RADIUS) + math.acos(limit / outer)
    closing = RATE - math.sqrt(MU_EARTH / outer**3)
    start = visible + 500.0 * closing
    # the inner one chases; its light reaches the outer one later: the angle that counts is off by rate times light time
    light_time = (math.sqrt(RADIUS**2 - limit**2) + math.sqrt(outer**2 - limit**2)) / C
    opening = next_opening(circular(0.0), circular(start, radius=outer), 0.0)
    delay = (RATE - closing) * light_time / closing
    assert opening == pytest.approx(500.0 - delay, abs=5e-3)
    assert next_opening(circular(0.0), circular(start, radius=outer), 0.0, horizon_s=490.0) is None
    lower = next_opening(circular(0.0), circular(start, radius=outer), 0.0, clearance_m=0.0)
    assert lower is not None and lower < opening


def test_next_opening_of_a_pair_that_is_open_or_never():
    assert next_opening(BEHIND, AHEAD, 12.5) == 12.5
    assert next_opening(BEHIND, circular(math.pi), 0.0, horizon_s=6000.0) is None
    assert next_opening(BEHIND, AHEAD, 0.0, horizon_s=0.0) is None


def test_two_line_elements_and_ephemeris_files_are_smooth_as_well(tmp_path):
    line1 = "1 25544U 98067A   26079.50000000  .00016717  00000-0  10270-3 0  9009"
    lines2 = [
        "2 25544  51.6400 208.9163 0006317  69.9862  25.2906 15.50000000    06",
        "2 25544  51.6400 208.9163 0006317  69.9862  40.2906 15.50000000    03",
    ]
    lines2 = [line[:68] + str(sum(int(c) for c in line[:68] if c.isdigit()) % 10) for line in lines2]
    line1 = line1[:68] + str(sum(int(c) if c.isdigit() else c == "-" for c in line1[:68]) % 10)
    own, partner = (TleOrbit(line1, line2, EPOCH) for line2 in lines2)
    nodes = np.arange(0.0, 181.0, 20.0)
    path = tmp_path / "partner.oem"
    write_oem(path, EPOCH, nodes, *partner.states(nodes), object_name="B", object_id="1", method="LAGRANGE")
    for other in (partner, OemOrbit(path, EPOCH)):
        view = geometry(own, other, np.arange(0.0, 180.0, 0.01), 0.0)
        predicted = view.elevation + 0.01 * (view.elevation_rate + 0.005 * view.elevation_acceleration)
        np.testing.assert_allclose(predicted[:-1], view.elevation[1:], rtol=0, atol=1e-9)
        truth = _view(own, other, view.t_s[::50], 0.0)
        np.testing.assert_allclose(view.elevation[::50], truth[:, 1], rtol=0, atol=1e-9)
        np.testing.assert_allclose(view.azimuth[::50], truth[:, 0], rtol=0, atol=1e-9)


def test_pairs_that_do_not_belong_together(tmp_path):
    late = J2Orbit(KeplerianElements(RADIUS, 0.0, 0.9), EPOCH + timedelta(seconds=1))
    with pytest.raises(ConfigError, match="expected one epoch for both satellites, found 2026-03-20T12:00:00"):
        geometry(BEHIND, late, FRAMES, 0.0)
    path = tmp_path / "ahead.oem"
    t = np.arange(-60.0, 200.0, 10.0)
    write_oem(path, EPOCH, t, *AHEAD.states(t), object_name="A", object_id="1", frame="EME2000")
    with pytest.raises(ConfigError, match="expected one inertial frame for both satellites, found TEME and EME2000"):
        next_opening(BEHIND, OemOrbit(path, EPOCH), 0.0)
