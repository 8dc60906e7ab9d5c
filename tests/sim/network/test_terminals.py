"""What two terminals can see of each other, against angles and rates found another way."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from sim.geometry import gimbal_axes
from sim.network.terminals import Obstacle, TerminalsModel, body_axes, dazzled, in_reach, in_regard, limits, obstacle
from sim.orbit import EARTH_RADIUS, MU_EARTH

RADIUS = EARTH_RADIUS + 550e3
SPEED = math.sqrt(MU_EARTH / RADIUS)
ANYWHERE = {"mounts_deg": (0.0, 180.0), "field_of_regard_deg": 180.0, "elevation_deg": (-90.0, 90.0)}
NO_SUN = np.array([1.0, 0.0, 0.0])


def orbit(phase, inclination=0.0, node=0.0, radius=RADIUS):
    """Position and velocity on a circular orbit, angles in rad."""
    speed = math.sqrt(MU_EARTH / radius)
    node_axis = np.array([math.cos(node), math.sin(node), 0.0])
    across = np.array(
        [
            -math.sin(node) * math.cos(inclination),
            math.cos(node) * math.cos(inclination),
            math.sin(inclination),
        ]
    )
    position = radius * (math.cos(phase) * node_axis + math.sin(phase) * across)
    return position, speed * (math.cos(phase) * across - math.sin(phase) * node_axis)


def satellites(*orbits):
    position, velocity = (np.array(vectors) for vectors in zip(*orbits, strict=True))
    return position, velocity, *body_axes(position, velocity)


def reach(model, *orbits):
    position, velocity, _, turn = satellites(*orbits)
    return in_reach(limits(model), position, velocity, turn, 0, 1)


angles = st.floats(-math.pi, math.pi)


@given(phase=angles, inclination=st.floats(0.0, math.pi), node=angles)
def test_body_axes_are_those_of_a_single_terminal_and_turn_once_an_orbit(phase, inclination, node):
    position, velocity, axes, turn = satellites(orbit(phase, inclination, node))
    assert axes[0] == pytest.approx(gimbal_axes(position, velocity, 0.0)[0], abs=1e-12)
    normal = [math.sin(node) * math.sin(inclination), -math.cos(node) * math.sin(inclination), math.cos(inclination)]
    assert turn[0] == pytest.approx(SPEED / RADIUS * np.array(normal), abs=1e-12)


@pytest.mark.parametrize(("factor", "found"), [(0.9999, Obstacle.NONE), (1.0001, Obstacle.RANGE)])
def test_range_ends_at_the_chord(factor, found):
    model = TerminalsModel(**ANYWHERE, range_km=2.0 * RADIUS * math.sin(0.15) / 1e3)
    assert reach(model, orbit(0.0), orbit(0.3 * factor)) == found


def test_two_satellites_in_one_place_hold_no_link():
    assert reach(TerminalsModel(**ANYWHERE), orbit(1.0), orbit(1.0)) == Obstacle.RANGE


@pytest.mark.parametrize(("factor", "found"), [(0.9999, Obstacle.NONE), (1.0001, Obstacle.EARTH)])
def test_earth_is_in_the_way_below_the_clearance(factor, found):
    model = TerminalsModel(**ANYWHERE, range_km=10_000.0, clearance_km=120.0)
    tangent = 2.0 * math.acos((EARTH_RADIUS + 120e3) / RADIUS)
    assert reach(model, orbit(0.0), orbit(tangent * factor)) == found


def test_neighbours_in_a_plane_stand_still_for_each_other():
    assert reach(TerminalsModel(**ANYWHERE, turn_mrad_s=1e-6), orbit(0.0), orbit(0.2)) == Obstacle.NONE


@given(
    first=st.tuples(angles, st.floats(0.1, 3.0), angles),
    second=st.tuples(angles, st.floats(0.1, 3.0), angles, st.floats(6.6e6, 8e6)),
)
def test_a_link_is_refused_where_its_direction_in_body_axes_turns_too_fast(first, second):
    """The rate is that of the direction from a satellite, in axes of `sim.geometry`, a little before and after."""

    def direction(shift, own, partner):
        turned = [
            orbit(phase + shift * math.sqrt(MU_EARTH / radius**3), inclination, node, radius)
            for phase, inclination, node, radius in (own, partner)
        ]
        sight = turned[1][0] - turned[0][0]
        axes = gimbal_axes(turned[0][0][np.newaxis], turned[0][1][np.newaxis], 0.0)[0]
        return axes @ (sight / np.linalg.norm(sight))

    ends = (*first, RADIUS), second
    if np.linalg.norm(orbit(*ends[0])[0] - orbit(*ends[1])[0]) < 20e3:
        return
    rate = max(np.linalg.norm(direction(0.01, *pair) - direction(-0.01, *pair)) / 0.02 for pair in (ends, ends[::-1]))
    if rate < 1e-6:
        return
    for factor, allowed in ((1.001, True), (0.999, False)):
        model = TerminalsModel(**ANYWHERE, range_km=20_000.0, clearance_km=0.0, turn_mrad_s=rate * 1e3 * factor)
        found = reach(model, orbit(*ends[0]), orbit(*ends[1]))
        assert found == Obstacle.EARTH or found == (Obstacle.NONE if allowed else Obstacle.TURN)


@given(
    azimuth=st.floats(-180.0, 180.0),
    elevation=st.floats(-89.0, 89.0),
    mount=st.floats(-180.0, 180.0),
    regard=st.floats(1.0, 180.0),
    low=st.floats(-90.0, 0.0),
    high=st.floats(1.0, 90.0),
)
def test_regard_is_a_sector_of_azimuth_and_a_band_of_elevation(azimuth, elevation, mount, regard, low, high):
    off = abs((azimuth - mount + 180.0) % 360.0 - 180.0)
    if min(abs(off - regard), abs(elevation - low), abs(elevation - high)) < 1e-4:
        return
    bounds = limits(TerminalsModel(mounts_deg=(mount, 0.0), field_of_regard_deg=regard, elevation_deg=(low, high)))
    a, e = math.radians(azimuth), math.radians(elevation)
    seen = in_regard(bounds, 0, math.cos(e) * math.cos(a), math.cos(e) * math.sin(a), -math.sin(e))
    assert seen == (off <= regard and low <= elevation <= high)


def test_a_neighbour_ahead_is_in_the_regard_of_the_front_and_not_of_the_rear():
    position, velocity, axes, turn = satellites(orbit(0.0), orbit(0.2))
    bounds = limits(TerminalsModel(mounts_deg=(0.0, 180.0), field_of_regard_deg=60.0))
    geometry = bounds, position, velocity, axes, turn, NO_SUN
    assert obstacle(*geometry, 0, 1, 0, 1) == Obstacle.NONE
    assert obstacle(*geometry, 0, 1, 1, 1) == Obstacle.REGARD
    assert obstacle(*geometry, 0, 1, 0, 0) == Obstacle.REGARD


def test_starboard_is_at_90_degrees():
    # flying east above the equator, the south is to the right
    position, velocity, axes, turn = satellites(orbit(0.0), orbit(-0.1, math.pi / 2.0))
    for azimuth, found in ((90.0, Obstacle.NONE), (-90.0, Obstacle.REGARD)):
        bounds = limits(
            TerminalsModel(mounts_deg=(azimuth, 0.0), field_of_regard_deg=30.0, turn_mrad_s=1e3, clearance_km=0.0)
        )
        # the partner flies south to north and has this satellite ahead
        assert obstacle(bounds, position, velocity, axes, turn, NO_SUN, 0, 1, 0, 1) == found


@pytest.mark.parametrize("end", [0, 1])
@pytest.mark.parametrize(("off_deg", "blind"), [(2.99, True), (3.01, False), (90.0, False), (180.0, True)])
def test_the_sun_blinds_the_end_that_looks_at_it(end, off_deg, blind):
    position = np.array([[RADIUS, 0.0, 0.0], [RADIUS, 2e6, 0.0]])
    along = np.array([0.0, 1.0 if end == 0 else -1.0, 0.0])
    off = math.radians(off_deg)
    sun = math.cos(off) * along + math.sin(off) * np.array([0.0, 0.0, 1.0])
    assert dazzled(limits(TerminalsModel(sun_exclusion_deg=3.0)), position, sun, 0, 1) == blind
    assert not dazzled(limits(TerminalsModel(sun_exclusion_deg=0.0)), position, sun, 0, 1)


@pytest.mark.parametrize(("height", "blind"), [(-1e3, False), (1e3, True)])
@pytest.mark.parametrize("end", [0, 1])
def test_the_sun_behind_earth_blinds_nobody(end, height, blind):
    # one satellite looks along x past Earth's limb at the other, which is in the light
    position = np.array([[-1e6, EARTH_RADIUS + height, 0.0], [1e6, EARTH_RADIUS + height, 0.0]])
    bounds = limits(TerminalsModel(sun_exclusion_deg=3.0))
    assert dazzled(bounds, position, np.array([1.0, 0.0, 0.0]), end, 1 - end) == blind


@pytest.mark.parametrize(
    "wrong",
    [
        {"mounts_deg": (0.0,)},
        {"mounts_deg": (0.0,) * 6},
        {"elevation_deg": (10.0, -10.0)},
        {"elevation_deg": (-91.0, 0.0)},
        {"range_km": 0.0},
        {"reach_km": 1.0},
    ],
)
def test_terminals_that_cannot_be_are_refused(wrong):
    with pytest.raises(ValidationError):
        TerminalsModel(**wrong)
