"""The grid of shells, whole and with satellites lost: degree, number of links, neighbours, terminals."""

import math
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from flightsw.errors import ConfigError
from sim.network.constellation import Constellation, ShellModel
from sim.network.grid import Grid
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


def grid(space, terminals, lost=()):
    alive = np.ones(len(space), np.bool_)
    alive[list(lost)] = False
    return Grid(space, terminals).links(alive)


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


def as_set(pairs, mount):
    return set(map(tuple, np.hstack((pairs, mount)).tolist()))


def test_over_a_lost_satellite_its_neighbours_link_with_each_other(large):
    lost = 30 * 22 + 5
    whole, mounts = grid(large, FOUR)
    at = np.any(whole == lost, axis=1)
    other = whole[at] != lost
    around, freed = whole[at][other], mounts[at][other]
    beside = large.plane[around] != 30
    pairs, mount = grid(large, FOUR, [lost])
    assert len(pairs) == 3168 - 4 + 2
    new = as_set(pairs, mount) - as_set(whole, mounts)
    assert {link[:2] for link in new} == {tuple(sorted(around[side].tolist())) for side in (beside, ~beside)}
    ends = {end for a, b, i, j in new for end in ((a, i), (b, j))}
    assert ends == set(zip(around.tolist(), freed.tolist(), strict=True)), "the terminals that the loss freed"
    position = large.states(np.zeros(1))[0][0]
    along = np.linalg.norm(np.diff(position[around[~beside]], axis=0))
    assert along == pytest.approx(2.0 * (6378.137e3 + 550e3) * math.sin(2.0 * math.pi / 22), rel=2e-3)


def test_over_two_lost_in_a_row_of_a_plane_no_range_reaches(large):
    # 2 a sin(3 pi/22), 5,750 km, and Earth is in between from 4,900 km on; nor are other planes' gaps of use
    lost = np.array([30 * 22 + 5, 30 * 22 + 6, 33 * 22 + 2, 33 * 22 + 3])
    pairs, _ = grid(large, TerminalsModel(range_km=20_000, **AROUND), lost)
    plane, _ = planes_and_slots(large, pairs)
    within = plane[:, 0] == plane[:, 1]
    assert [(within & (plane[:, 0] == p)).sum() for p in (30, 31, 33)] == [22 - 3, 22, 22 - 3]
    assert degrees(pairs, 1584)[lost + np.array([-1, 1, -1, 1])].tolist() == [3, 3, 3, 3]


@pytest.mark.parametrize("block", [1, 2, 3, 4])
def test_over_lost_planes_every_satellite_has_a_partner_that_it_can_hold(large, can_link, block):
    gaps = [*range(8, 8 + block), 40]
    lost = np.flatnonzero(np.isin(large.plane, gaps))
    whole = grid(large, FOUR)
    old = as_set(*whole)
    parted = [link for link in old if not {link[0], link[1]} & set(lost.tolist())]
    left = 1584 - len(lost)
    assert parts(np.array(parted)[:, :2], 1584) == 2 + len(lost)
    pairs, mount = grid(large, FOUR, lost)
    assert parts(pairs, 1584) == 1 + len(lost)
    assert (degrees(pairs, 1584)[np.setdiff1d(np.arange(1584), lost)] == 4).all()
    assert len(pairs) == 2 * left
    new = as_set(pairs, mount) - old
    assert {(int(large.plane[a]), int(large.plane[b])) for a, b, _, _ in new} == {(7, 8 + block), (39, 41)}
    position, velocity = large.states(np.array([0.0, 1700.0, 4100.0]))
    for a, b, i, j in sorted(new)[::5]:
        for p, v in zip(position, velocity, strict=True):
            # the sun behind Earth
            assert can_link(FOUR, p, v, -p[a], a, b, i, j)


@pytest.mark.parametrize(
    ("lost", "bridged"),
    [
        ((5, 6, 7, 10), (9, 11)),  # 8 and 9 are neighbours already
        ((5, 6, 7, 9), (8, 10)),  # neighbours in 8 are nearer, and linked already
    ],
)
def test_what_a_wide_gap_leaves_open_is_used_for_no_other(lost, bridged):
    space = constellation(shell(altitude_km=1200, inclination_deg=60, planes=24, satellites_per_plane=20, phasing=9))
    around = TerminalsModel(**AROUND)
    new = as_set(*grid(space, around, np.flatnonzero(np.isin(space.plane, lost)))) - as_set(*grid(space, around))
    assert {(int(space.plane[a]), int(space.plane[b])) for a, b, _, _ in new} == {bridged}
    assert len(new) == 20


def test_terminals_that_do_not_reach_leave_the_gap_open(large):
    # neighbouring planes are 540 to 726 km apart, those beyond up to 1,450 km; in the plane 1,972 km
    lost = np.flatnonzero(np.isin(large.plane, (8, 40)))
    near = FOUR.model_copy(update={"range_km": 1_300})
    pairs, mount = grid(large, near, lost)
    assert as_set(pairs, mount) <= as_set(*grid(large, near))


def test_the_seam_stays_open_whatever_is_lost(star):
    rng = np.random.default_rng(5)
    wide = TerminalsModel(range_km=20_000, turn_mrad_s=100.0, clearance_km=0.0)
    whole = Grid(star, wide)
    for lost in ([0], [6], [0, 6], [0, 1], [3], [2, 3, 4]):
        alive = ~np.isin(star.plane, lost) & (rng.random(70) > 0.1)
        pairs, _ = whole.links(alive)
        plane = star.plane[pairs]
        assert (np.abs(np.diff(plane)) <= 3).all()
    # the planes at the seam have lost nothing there
    pairs, _ = whole.links(np.isin(star.plane, (0, 6)))
    assert len(pairs) == 20


SMALL = {
    "delta": shell(planes=6, satellites_per_plane=7, phasing=2, altitude_km=4000),
    "star": shell(planes=5, satellites_per_plane=8, phasing=2, altitude_km=4000, inclination_deg=87, pattern="star"),
    "two planes": shell(planes=2, satellites_per_plane=4, phasing=1, altitude_km=8000),
    "one plane": shell(planes=1, satellites_per_plane=6, altitude_km=8000),
}
GRIDS = {
    (name, terminals): (space, Grid(space, TerminalsModel(mounts_deg=mounts, range_km=15_000, **AROUND)))
    for name, space in (
        (name, constellation(model, model.model_copy(update={"name": "b"}))) for name, model in SMALL.items()
    )
    for terminals, mounts in enumerate(((0.0, 180.0), (0.0, 180.0, 90.0), (0.0, 180.0, 90.0, -90.0)), 2)
}


@given(st.sampled_from(sorted(GRIDS)), st.floats(0.0, 1.0), st.integers(0, 2**32 - 1))
def test_whatever_is_lost_no_terminal_is_taken_twice_and_no_link_is_given_up(which, share, seed):
    space, whole = GRIDS[which]
    alive = np.random.default_rng(seed).random(len(space)) >= share
    pairs, mount = whole.links(alive)
    assert (pairs.dtype, mount.dtype, pairs.shape) == (np.int32, np.int8, mount.shape)
    assert alive[pairs].all()
    assert (pairs[:, 0] < pairs[:, 1]).all() and (np.diff(pairs @ [len(space), 1]) > 0).all()
    assert (space.shell[pairs[:, 0]] == space.shell[pairs[:, 1]]).all()
    assert ((mount >= 0) & (mount < which[1])).all()
    held = np.stack((pairs, mount), axis=-1).reshape(-1, 2)
    assert len(np.unique(held, axis=0)) == len(held)
    kept = {link for link in as_set(*whole.links(np.ones_like(alive))) if alive[[link[0], link[1]]].all()}
    assert kept <= as_set(pairs, mount)
