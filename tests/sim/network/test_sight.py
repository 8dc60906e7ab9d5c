"""Lines of sight and distances against spherical trigonometry, constructed directions and printed values."""

import math
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sgp4.api import jday
from sgp4.propagation import gstime

from sim.network.constellation import Constellation, ShellModel
from sim.network.ground import GroundPointModel, earth_fixed, positions
from sim.network.sight import (
    chord_delay,
    clear_pairs,
    earth_clearance,
    elevations,
    fibre_delay,
    great_circle,
    minimum_elevations,
    unseen,
    vacuum_delay,
    visible,
)

EPOCH = datetime(2026, 3, 20, 12, tzinfo=UTC)
RADIUS = 6_378_137.0
LIGHT = 299_792_458.0


def point(latitude_deg, longitude_deg, name="here", **changes):
    return GroundPointModel(name=name, latitude_deg=latitude_deg, longitude_deg=longitude_deg, kind="user", **changes)


def shell(**changes):
    model = {"name": "shell", "altitude_km": 550, "inclination_deg": 53, "planes": 72, "satellites_per_plane": 22}
    return ShellModel(**(model | changes))


def directions(rng, count):
    vectors = rng.standard_normal((count, 3))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_the_ray_between_equal_heights_is_lowest_half_way():
    """r cos(psi/2) - R for a central angle psi; the lower end where the line's perigee lies outside."""
    r = RADIUS + 550e3
    for degrees in (0.0, 5.0, 47.0, 120.0, 180.0):
        half = math.radians(degrees) / 2
        a, b = (r * np.array([math.cos(x), math.sin(x), 0.0]) for x in (-half, half))
        assert earth_clearance(a, b) == pytest.approx(r * math.cos(half) - RADIUS, abs=1e-6)
    up = np.array([0.0, 0.0, 1.0])
    assert earth_clearance(r * up, (r + 1e6) * up) == pytest.approx(550e3, abs=1e-6)
    assert earth_clearance((r + 1e6) * up, r * up) == pytest.approx(550e3, abs=1e-6)


def tangent_pairs(position, clearance_m):
    """Pairs whose central angle is no more than what both see of a sphere at that height, by trigonometry."""
    radius = np.linalg.norm(position, axis=1)
    cosine = np.clip(position @ position.T / np.outer(radius, radius), -1.0, 1.0)
    horizon = np.arccos((RADIUS + clearance_m) / radius)
    clear = np.arccos(cosine) <= horizon[:, np.newaxis] + horizon
    return np.argwhere(np.triu(clear, 1))


@pytest.mark.parametrize("clearance_m", [0.0, 100e3])
def test_visible_pairs_of_the_shell_are_those_of_spherical_trigonometry(clearance_m):
    position = Constellation.of_shells([shell(phasing=39)], EPOCH).states(np.array([777.0]))[0][0]
    pairs = clear_pairs(position, clearance_m, 1e9)
    np.testing.assert_array_equal(pairs, tangent_pairs(position, clearance_m))
    # the ideal shell, by the angle between (node, argument of latitude) on a sphere: SGP4 moves some across the limit
    plane, slot = np.divmod(np.arange(1_584), 22)
    node, u = 2 * math.pi * plane / 72, 2 * math.pi * (slot / 22 + 39 * plane / 1_584)
    i = math.radians(53)
    ideal = np.column_stack(
        (
            np.cos(node) * np.cos(u) - np.sin(node) * np.sin(u) * math.cos(i),
            np.sin(node) * np.cos(u) + np.cos(node) * np.sin(u) * math.cos(i),
            np.sin(u) * math.sin(i),
        )
    )
    limit = 2.0 * math.acos((RADIUS + clearance_m) / (RADIUS + 550e3))
    count = np.count_nonzero(np.triu(np.arccos(np.clip(ideal @ ideal.T, -1.0, 1.0)) <= limit, 1))
    assert len(pairs) == pytest.approx(count, rel=0.005)


def test_visible_pairs_of_a_ring_by_counting():
    """22 in a ring at 550 km: above 0 and 100 km each sees 2 ahead, above 400 km one."""
    position = Constellation.of_shells([shell(planes=1)], EPOCH).states(np.zeros(1))[0][0]
    for clearance_m in (0.0, 100e3, 400e3):
        ahead = math.floor(math.degrees(2 * math.acos((RADIUS + clearance_m) / (RADIUS + 550e3))) / (360 / 22))
        assert len(clear_pairs(position, clearance_m, 1e9)) == 22 * ahead, clearance_m


def test_range_limits_pairs():
    rng = np.random.default_rng(1)
    position = directions(rng, 120) * rng.uniform(6.9e6, 7.5e6, (120, 1))
    distance = np.linalg.norm(position[:, np.newaxis] - position, axis=2)
    near = {tuple(pair) for pair in np.argwhere(np.triu(distance <= 3e6, 1)).tolist()}
    expected = sorted(near & {tuple(pair) for pair in tangent_pairs(position, 50e3).tolist()})
    assert clear_pairs(position, 50e3, 3e6).tolist() == [list(pair) for pair in expected]
    assert len(expected) > 100
    assert clear_pairs(position[:1], 0.0, 1e9).shape == (0, 2)


@pytest.mark.parametrize("latitude_deg", [-90.0, -33.0, 0.0, 45.0, 51.5])
def test_elevation_of_a_constructed_direction(latitude_deg):
    """A satellite at a bearing and an elevation from the horizon of east, north and the ellipsoid's normal."""
    latitude, longitude = math.radians(latitude_deg), math.radians(-70.0)
    place = earth_fixed([point(latitude_deg, -70.0, height_m=500.0)])
    up = np.array(
        [math.cos(latitude) * math.cos(longitude), math.cos(latitude) * math.sin(longitude), math.sin(latitude)]
    )
    east = np.array([-math.sin(longitude), math.cos(longitude), 0.0])
    north = np.cross(up, east)
    degrees = np.array([-20.0, 0.0, 5.0, 25.0, 60.0, 90.0])
    satellites = np.stack(
        [place[0] + 1.2e6 * (math.cos(e) * (0.6 * east + 0.8 * north) + math.sin(e) * up) for e in np.radians(degrees)]
    )
    # the normal through a point 500 m up is good to 1e-6 rad
    np.testing.assert_allclose(np.degrees(elevations(place, satellites)[0]), degrees, rtol=0, atol=1e-4)
    seen = visible(place, satellites, np.radians([24.999]))
    assert seen.tolist() == [[False, False, False, True, True, True]]
    assert visible(place, satellites, np.radians([25.001])).tolist() == [[False, False, False, False, True, True]]


def test_elevation_by_the_triangle_with_earths_centre():
    """tan(el) = (cos psi - R/r) / sin psi for a satellite a central angle psi away, both on the equator."""
    r, psi = RADIUS + 550e3, np.radians([1.0, 8.0, 15.0, 23.0, 40.0])
    satellites = r * np.column_stack((np.cos(psi), np.sin(psi), np.zeros(5)))
    expected = np.arctan((np.cos(psi) - RADIUS / r) / np.sin(psi))
    ground = np.array([[RADIUS, 0.0, 0.0]])
    np.testing.assert_allclose(elevations(ground, satellites)[0], expected, rtol=0, atol=1e-12)


def test_a_satellite_stands_straight_above_its_sub_satellite_point():
    ring = Constellation.of_shells([shell(inclination_deg=0, planes=1)], EPOCH)
    position = ring.states(np.array([1_800.0]))[0]
    day, fraction = jday(2026, 3, 20, 12, 30, 0)
    east = math.atan2(position[0, 4, 1], position[0, 4, 0]) - gstime(day + fraction)
    ground = positions([point(0.0, math.degrees(math.remainder(east, 2 * math.pi)))], EPOCH, np.array([1_800.0]))
    # SGP4 lets an equatorial satellite swing 20 m to the north and south
    assert math.degrees(elevations(ground[0], position[0])[0, 4]) == pytest.approx(90.0, abs=0.01)


def test_points_that_see_nothing_are_returned():
    constellation = Constellation.of_shells([shell(planes=12, satellites_per_plane=12)], EPOCH)
    arctic, city = point(84.0, 10.0, "arctic"), point(48.0, 10.0, "city")
    # 53 deg and a footprint of 8.6 deg at 25 deg of elevation end at 62 deg
    edge = point(64.0, 10.0, "edge", minimum_elevation_deg=25)
    low = point(64.0, 10.0, "low", minimum_elevation_deg=5)
    t = np.arange(0.0, 86_400.0, 60.0)
    assert [place.name for place in unseen(constellation, [arctic, city, edge, low], t)] == ["arctic", "edge"]
    assert unseen(constellation, [], t) == []


def test_minimum_elevations_in_radians():
    np.testing.assert_allclose(
        minimum_elevations([point(0, 0), point(0, 0, minimum_elevation_deg=90 - 1e-9)]),
        [0.436_332_312_998_582_4, math.pi / 2],
        atol=1e-9,
    )


NEW_YORK, LONDON = point(40.7128, -74.0060), point(51.5074, -0.1278)


def test_great_circles():
    assert great_circle(NEW_YORK, LONDON) == pytest.approx(5_570.23e3, abs=50.0)
    assert great_circle(point(0, -90), point(0, 90)) == pytest.approx(math.pi * 6_371_008.8, rel=1e-12)
    assert great_circle(point(90, 0), point(0, 77)) == pytest.approx(10_007.557e3, abs=1.0)
    assert great_circle(point(0, 179), point(0, -179)) == pytest.approx(222.39e3, rel=1e-4)
    assert great_circle(LONDON, LONDON) == 0.0


coordinates = st.tuples(st.floats(-90, 90), st.floats(-180, 180))


@settings(max_examples=200)
@given(coordinates, coordinates)
def test_the_angle_between_unit_vectors_agrees(a, b):
    def unit(place):
        lat, lon = map(math.radians, place)
        return np.array([math.cos(lat) * math.cos(lon), math.cos(lat) * math.sin(lon), math.sin(lat)])

    u, v = unit(a), unit(b)
    angle = math.atan2(np.linalg.norm(np.cross(u, v)), u @ v)
    # haversines are ill-conditioned near the antipode: a metre there
    assert great_circle(point(*a), point(*b)) == pytest.approx(angle * 6_371_008.8, abs=1.0)


def test_delays():
    assert fibre_delay(NEW_YORK, LONDON) == pytest.approx(27.276e-3, abs=2e-6)
    assert vacuum_delay(NEW_YORK, LONDON) == pytest.approx(5_570.23e3 / LIGHT, rel=1e-5)
    assert chord_delay(point(0, 0), point(0, 180)) == pytest.approx(2 * RADIUS / LIGHT, rel=1e-12)
    assert chord_delay(point(90, 0), point(-90, 0)) == pytest.approx(2 * 6_356_752.3142 / LIGHT, rel=1e-10)
    assert chord_delay(NEW_YORK, LONDON) < vacuum_delay(NEW_YORK, LONDON) < fibre_delay(NEW_YORK, LONDON)
