"""Failures: when they begin and end, what they are of, and what is said of those that cannot be."""

from datetime import UTC, datetime

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from flightsw.errors import ConfigError
from sim.network.constellation import Constellation, ShellModel
from sim.network.failures import FailureModel, Failures
from sim.network.ground import GroundPointModel

CONSTELLATION = Constellation.of_shells(
    [
        ShellModel(name="low", altitude_km=550, inclination_deg=53, planes=4, satellites_per_plane=5),
        ShellModel(name="polar", altitude_km=1000, inclination_deg=87, planes=2, satellites_per_plane=10),
    ],
    datetime(2026, 3, 20, 12, tzinfo=UTC),
)
PLACES = {"London": (51.5, -0.1), "Paris": (48.9, 2.4), "New York": (40.7, -74.0)}
POINTS = [
    GroundPointModel(name=name, latitude_deg=latitude, longitude_deg=longitude, kind="gateway")
    for name, (latitude, longitude) in PLACES.items()
]


def read(**keys):
    return TypeAdapter(FailureModel).validate_python(keys)


def failures(*tables, seed=1):
    return Failures([read(**table) for table in tables], CONSTELLATION, POINTS, np.random.default_rng(seed))


def not_asked():
    raise AssertionError("nobody asked for centrality")


def lost(standing):
    return [np.flatnonzero(~mask).tolist() for mask in (standing.alive, standing.ground_up, standing.ephemeris_ok)]


def test_a_failure_begins_and_ends_on_time():
    timeline = failures({"kind": "satellites", "at_s": 10, "until_s": 20, "names": ["low-00-01", "polar-01-09"]})
    for t_s, expected in ((0, []), (9.9, []), (10, [1, 39]), (19.9, [1, 39]), (20, [])):
        assert lost(timeline.at(t_s, not_asked)) == [expected, [], []]


def test_failures_add_up_and_last_for_good_without_an_end():
    timeline = failures(
        {"kind": "satellites", "at_s": 0, "until_s": 50, "names": ["low-00-00"]},
        {"kind": "satellites", "at_s": 20, "names": ["low-00-00", "low-00-03"]},
        {"kind": "gateways", "at_s": 20, "until_s": 30, "names": ["New York"]},
        {"kind": "ephemeris", "at_s": 20, "until_s": 30, "names": ["low-01-00"]},
    )
    assert lost(timeline.at(10, not_asked)) == [[0], [], []]
    assert lost(timeline.at(20, not_asked)) == [[0, 3], [2], [5]]
    assert lost(timeline.at(1e6, not_asked)) == [[0, 3], [], []]


def test_a_share_is_drawn_once_from_the_seed():
    table = {"kind": "satellites", "at_s": 5, "share": 0.25}
    first, again, other = (lost(failures(table, seed=seed).at(5, not_asked))[0] for seed in (1, 1, 2))
    assert len(first) == len(other) == 10
    assert first == again != other
    timeline = failures(table)
    assert lost(timeline.at(6, not_asked)) == lost(timeline.at(60, not_asked)) == [first, [], []]


@pytest.mark.parametrize(("share", "count"), [(1.0, 10), (0.5, 5), (0.01, 1)])
def test_a_plane_loses_its_own_satellites(share, count):
    timeline = failures({"kind": "plane", "at_s": 0, "shell": "polar", "plane": 1, "share": share})
    (satellites, *rest) = lost(timeline.at(0, not_asked))
    assert len(satellites) == count and set(satellites) <= set(range(30, 40))
    assert rest == [[], []]


def test_the_most_central_satellites_are_those_at_the_time_of_the_loss():
    timeline = failures({"kind": "central", "at_s": 10, "until_s": 30, "count": 2})
    share = np.zeros(40)
    share[[7, 12, 30]] = 0.2, 0.4, 0.3
    assert lost(timeline.at(9, not_asked)) == [[], [], []]
    assert lost(timeline.at(10, lambda: share)) == [[12, 30], [], []]
    assert lost(timeline.at(20, not_asked)) == [[12, 30], [], []]
    assert lost(timeline.at(30, not_asked)) == [[], [], []]


# London and Paris are 344 km apart, London and New York 5,570 km
@pytest.mark.parametrize(("radius_km", "expected"), [(300, [0]), (400, [0, 1]), (5500, [0, 1]), (5650, [0, 1, 2])])
def test_jamming_silences_the_ground_points_of_the_region(radius_km, expected):
    timeline = failures(
        {"kind": "jamming", "at_s": 0, "latitude_deg": 51.5, "longitude_deg": -0.1, "radius_km": radius_km}
    )
    assert lost(timeline.at(0, not_asked)) == [[], expected, []]


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"kind": "satellites", "names": ["low-00-00", "x", "y"]}, r"satellites, found 2 unknown: x, y; .*low-00-00"),
        ({"kind": "ephemeris", "names": list("abcdefg")}, r"found 7 unknown: a, b, c, d, e, \.\.\."),
        ({"kind": "gateways", "names": ["Rome"]}, "ground points, found 1 unknown: Rome"),
        ({"kind": "plane", "shell": "high", "plane": 0}, "shells, found 1 unknown: high"),
        ({"kind": "plane", "shell": "low", "plane": 4}, "plane of low from 0 to 3, found 4"),
        ({"kind": "central", "count": 41}, "at most 40 satellites, found 41"),
        (
            {"kind": "jamming", "latitude_deg": 51.5, "longitude_deg": 10.0, "radius_km": 99},
            r"within 99 km of 51\.5, 10 deg, found none of 3; the nearest is \d+ km",
        ),
    ],
)
def test_a_failure_of_what_is_not_there_is_refused(table, said):
    with pytest.raises(ConfigError, match=said):
        failures({"at_s": 0, **table})


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"kind": "satellites", "at_s": 0}, "names or share"),
        ({"kind": "satellites", "at_s": 0, "names": ["a"], "share": 0.5}, "names or share"),
        ({"kind": "satellites", "at_s": 0, "share": 1.5}, "less than or equal to 1"),
        ({"kind": "gateways", "at_s": 5, "until_s": 5, "names": ["a"]}, "until_s after at_s = 5, found 5"),
        ({"kind": "gateways", "at_s": -1, "names": ["a"]}, "greater than or equal to 0"),
        ({"kind": "central", "at_s": 0, "count": 1, "share": 0.5}, "not permitted"),
        ({"kind": "meteor", "at_s": 0}, "meteor"),
    ],
)
def test_a_failure_that_makes_no_sense_is_refused(table, said):
    with pytest.raises(ValidationError, match=said):
        read(**table)
