"""The grid of shells: degree, number of links, neighbours, terminals."""

from datetime import UTC, datetime

import numpy as np
import pytest
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from flightsw.errors import ConfigError
from sim.network.constellation import Constellation, ShellModel
from sim.network.grid import grid
from sim.network.terminals import TerminalsModel

EPOCH = datetime(2026, 3, 20, 12, tzinfo=UTC)
FOUR = TerminalsModel()
AROUND = {"field_of_regard_deg": 180.0}


def shell(**kinds):
    return ShellModel(**{"name": "a", "altitude_km": 550, "inclination_deg": 53} | kinds)


def constellation(*shells):
    return Constellation.of_shells(shells, EPOCH)


@pytest.fixture(scope="module")
def large():
    return constellation(shell(planes=72, satellites_per_plane=22, phasing=39))


@pytest.fixture(scope="module")
def star():
    return constellation(
        shell(altitude_km=1000, inclination_deg=87, planes=7, satellites_per_plane=10, phasing=3, pattern="star")
    )


def degrees(pairs, satellites):
    return np.bincount(pairs.ravel(), minlength=satellites)


def parts(pairs, satellites):
    return connected_components(coo_array((np.ones(len(pairs)), pairs.T), shape=(satellites,) * 2), directed=False)[0]


def planes_and_slots(space, pairs):
    return space.plane[pairs], space.slot[pairs]


def test_the_large_shell_has_3168_links_and_four_at_each_satellite(large):
    pairs, _ = grid(large, FOUR)
    assert len(pairs) == 3168
    assert (degrees(pairs, 1584) == 4).all()
    assert parts(pairs, 1584) == 1
    assert (np.diff(pairs @ [1584, 1]) > 0).all(), "pairs stand in order, each once"
    plane, slot = planes_and_slots(large, pairs)
    within = plane[:, 0] == plane[:, 1]
    assert within.sum() == 1584
    assert set((np.diff(slot[within]) % 22).ravel()) == {1, 21}
    assert set((np.diff(plane[~within]) % 72).ravel()) == {1, 71}


def test_neighbours_across_are_the_nearest_over_an_orbit_also_where_the_planes_close(large):
    pairs, _ = grid(large, FOUR)
    plane, _ = planes_and_slots(large, pairs)
    # 95.6 minutes at 550 km
    position, _ = large.states(np.arange(0.0, 95.6 * 60.0, 95.6 * 60.0 / 36))

    def apart(a, b):
        return np.sqrt(np.mean(np.sum((position[:, a] - position[:, b]) ** 2, axis=-1), axis=0))

    across = pairs[plane[:, 0] != plane[:, 1]]
    length = apart(*across.T)
    assert length == pytest.approx(np.full(1584, length.mean()), rel=0.01)
    for a, b in across[::97]:
        others = np.flatnonzero(large.plane == large.plane[b])
        assert others[np.argmin([apart(a, other) for other in others])] == b


def test_the_seam_of_a_star_shell_is_open(star):
    pairs, _ = grid(star, FOUR)
    plane, _ = planes_and_slots(star, pairs)
    # 70 in planes, 6 gaps between neighbouring planes of 10 each
    assert len(pairs) == 70 + 60
    assert set(np.abs(np.diff(plane)).ravel()) == {0, 1}
    degree = degrees(pairs, 70)
    assert (degree[np.isin(star.plane, (0, 6))] == 3).all()
    assert (degree[~np.isin(star.plane, (0, 6))] == 4).all()


@pytest.mark.parametrize("terminals", [2, 3, 4, 5])
@pytest.mark.parametrize("planes", [1, 2, 3, 6])
@pytest.mark.parametrize("slots", [1, 2, 6])
def test_no_satellite_has_more_links_than_terminals(terminals, planes, slots):
    space = constellation(shell(planes=planes, satellites_per_plane=slots, phasing=planes - 1, altitude_km=8000))
    model = TerminalsModel(mounts_deg=(0.0,) * terminals, **AROUND)
    pairs, mount = grid(space, model)
    assert (degrees(pairs, len(space)) <= min(terminals, 4)).all()
    assert len(np.unique(pairs, axis=0)) == len(pairs)
    assert (pairs[:, 0] < pairs[:, 1]).all()
    held = np.stack((pairs, mount), axis=-1).reshape(-1, 2)
    assert len(np.unique(held, axis=0)) == len(held), "no terminal twice"
    assert ((mount >= 0) & (mount < terminals)).all()


def test_with_three_terminals_a_shell_is_one_network(large):
    pairs, _ = grid(large, TerminalsModel(mounts_deg=(0.0, 180.0, 90.0), **AROUND))
    assert parts(pairs, 1584) == 1
    assert (degrees(pairs, 1584) <= 3).all()
    # two thirds along the planes, a third across, but for what the closing of the planes costs
    assert len(pairs) > 0.98 * 1.5 * 1584


@pytest.mark.parametrize("phasing", range(8))
def test_with_three_terminals_neighbours_take_turns_at_any_phasing(phasing):
    space = constellation(shell(planes=8, satellites_per_plane=6, phasing=phasing, altitude_km=8000))
    pairs, _ = grid(space, TerminalsModel(mounts_deg=(0.0, 180.0, 90.0), **AROUND))
    across = pairs[space.plane[pairs[:, 0]] != space.plane[pairs[:, 1]]]
    sides = np.zeros((8, 2), np.int64)
    for p, q in np.sort(space.plane[across], axis=1):
        left, right = (p, q) if q - p == 1 else (q, p)
        sides[left, 0] += 1
        sides[right, 1] += 1
    # half of a plane looks to either side; where the planes close they may not meet
    assert (sides[1:7] == 3).all()
    assert sides[0, 0] == sides[7, 1] == 3
    assert sides[0, 1] == sides[7, 0]
    assert sides[0, 1] in (0, 3)


def test_with_two_terminals_each_plane_is_a_ring(large):
    pairs, _ = grid(large, TerminalsModel(mounts_deg=(0.0, 180.0)))
    assert parts(pairs, 1584) == 72
    assert (degrees(pairs, 1584) == 2).all()


def test_links_use_the_terminals_that_look_that_way(star):
    pairs, mount = grid(star, TerminalsModel(mounts_deg=(90.0, 180.0, -90.0, 0.0)))
    plane, slot = planes_and_slots(star, pairs)
    within = plane[:, 0] == plane[:, 1]
    for a, b, i, j in np.column_stack((slot, mount))[within]:
        assert (i, j) == ((3, 1) if (b - a) % 10 == 1 else (1, 3))
    assert set(mount[~within].ravel().tolist()) == {0, 2}


def test_two_shells_are_two_networks():
    space = constellation(
        shell(planes=4, satellites_per_plane=6, altitude_km=1500),
        shell(planes=3, satellites_per_plane=7, altitude_km=1600, name="b"),
    )
    pairs, _ = grid(space, FOUR)
    assert (space.shell[pairs[:, 0]] == space.shell[pairs[:, 1]]).all()
    assert parts(pairs, len(space)) == 2


def test_satellites_without_a_plane_have_no_grid(large, tmp_path):
    file = tmp_path / "two.tle"
    file.write_text("\n".join(line for i in range(2) for line in large.tle(i)))
    with pytest.raises(ConfigError, match=r"found 2 of 2 without a plane"):
        grid(Constellation.of_tle_file(file, EPOCH), FOUR)
