"""Crosslinks of the policies that look about, against greedy and shortest paths done by hand."""

import itertools
from datetime import UTC, datetime

import numpy as np
import pytest
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra

from flightsw.errors import ConfigError
from sim.network.assignment import plan
from sim.network.constellation import Constellation, ShellModel
from sim.network.demand import Demand
from sim.network.terminals import TerminalsModel
from sim.sun import sun_position

EPOCH = datetime(2026, 3, 20, 12, tzinfo=UTC)
TIMES = np.array([0.0, 60.0, 120.0, 180.0])
TWO = TerminalsModel(mounts_deg=(0.0, 180.0), field_of_regard_deg=180.0, turn_mrad_s=10.0)
FIXED = TerminalsModel(mounts_deg=(0.0, 180.0, 90.0), field_of_regard_deg=60.0)


@pytest.fixture(scope="module")
def space():
    shell = ShellModel(name="a", altitude_km=1200, inclination_deg=60, planes=6, satellites_per_plane=9, phasing=2)
    return Constellation.of_shells([shell], EPOCH)


@pytest.fixture(scope="module")
def possible(space, can_link):
    """Terminals with which each pair can hold a link from one time to the next: {(a, b): {(i, j), ...}}."""

    def at(model, *times):
        found = {}
        every = range(len(model.mounts_deg))
        for t in map(np.atleast_1d, times):
            position, velocity = (vectors[0] for vectors in space.states(t))
            sun = sun_position(EPOCH, t, "TEME")[0]
            now = {
                (a, b): {
                    ends
                    for ends in itertools.product(every, every)
                    if can_link(model, position, velocity, sun, a, b, *ends)
                }
                for a, b in itertools.combinations(range(len(space)), 2)
                if np.linalg.norm(position[a] - position[b]) <= model.range_km * 1e3
            }
            found = {pair: found[pair] & now[pair] for pair in found.keys() & now.keys()} if found else now
        return {pair: ends for pair, ends in found.items() if ends}

    return at


def links(planned, r):
    wanted = planned.wanted[r]
    return dict(
        zip(map(tuple, planned.pairs[wanted].tolist()), map(tuple, planned.mount[r, wanted].tolist()), strict=True)
    )


def lengths(space, t):
    position = space.states(np.array([t]))[0][0]
    return np.linalg.norm(position[:, np.newaxis] - position, axis=-1)


def test_nearest_is_greedy_over_what_is_possible_until_the_next_replan(space, possible):
    apart = lengths(space, 0.0)
    open_to = possible(TWO, 0.0, 60.0)
    free, expected = dict.fromkeys(range(len(space)), 2), set()
    for a, b in sorted(open_to, key=lambda pair: apart[pair]):
        if free[a] and free[b]:
            free[a] -= 1
            free[b] -= 1
            expected.add((a, b))
    planned = plan(space, TWO, "nearest", TIMES[:2], np.ones(len(space), np.bool_))
    assert set(links(planned, 0)) == expected
    assert len(expected) > 20


@pytest.mark.parametrize("model", [TWO, FIXED])
def test_nearest_assigns_what_is_possible_and_leaves_nothing_that_could_be_added(space, possible, model):
    alive = np.ones((4, len(space)), np.bool_)
    alive[1:3, 7] = False
    planned = plan(space, model, "nearest", TIMES, alive)
    assert planned.mount.shape == (4, len(planned.pairs), 2)
    assert ((planned.mount[..., 0] < 0) == (planned.mount[..., 1] < 0)).all()
    for r, until in enumerate([60.0, 120.0, 180.0, 240.0]):
        open_to = possible(model, TIMES[r], until)
        made = links(planned, r)
        held = [(s, m) for pair, ends in made.items() for s, m in zip(pair, ends, strict=True)]
        assert len(held) == len(set(held)), "no terminal twice"
        assert all(ends in open_to[pair] for pair, ends in made.items())
        assert all(alive[r, list(pair)].all() for pair in made)
        for (a, b), ends in open_to.items():
            if (a, b) not in made and alive[r, [a, b]].all():
                assert not any((a, i) not in held and (b, j) not in held for i, j in ends)


def test_links_that_exist_are_kept_before_shorter_ones(space):
    alive = np.ones(len(space), np.bool_)
    model = TWO.model_copy(update={"turn_mrad_s": 5.0})
    times = 120.0 * np.arange(12)
    planned = plan(space, model, "nearest", times, alive)
    fresh = [plan(space, model, "nearest", times[r] + [0.0, 120.0], alive) for r in range(12)]
    kept, found_again = (
        sum(len(before.keys() & after.keys()) for before, after in itertools.pairwise(chosen))
        for chosen in ([links(planned, r) for r in range(12)], [links(one, 0) for one in fresh])
    )
    assert kept > 1.2 * found_again


def test_demand_takes_the_shortest_path_over_what_is_possible(space, possible):
    apart = lengths(space, 0.0)
    open_to = np.array(sorted(possible(TWO, 0.0, 60.0)))
    graph = coo_array((apart[tuple(open_to.T)], open_to.T), shape=apart.shape)
    source, destination = 3, 22
    _, before = dijkstra(graph.tocsr(), directed=False, indices=source, return_predecessors=True)
    path = [destination]
    while path[-1] != source:
        path.append(int(before[path[-1]]))
    assert len(path) > 3
    range_m = np.full((2, 2, len(space)), np.inf, np.float32)
    range_m[:, [0, 1], [source, destination]] = 0.0
    demand = Demand(range_m, np.array([0]), np.array([1]), np.array([100.0]))
    planned = plan(space, TWO, "demand", TIMES[:2], np.ones(len(space), np.bool_), demand)
    assert {tuple(sorted(hop)) for hop in itertools.pairwise(path)} <= set(links(planned, 0))


def test_demand_without_flows_is_refused(space):
    with pytest.raises(ConfigError, match="expected flows"):
        plan(space, TWO, "demand", TIMES, np.ones(len(space), np.bool_))


def test_the_grid_stands_but_for_where_satellites_are_lost():
    shell = ShellModel(name="a", altitude_km=8000, inclination_deg=60, planes=6, satellites_per_plane=9, phasing=2)
    space = Constellation.of_shells([shell], EPOCH)
    alive = np.ones((4, len(space)), np.bool_)
    alive[1:3, 4] = False
    planned = plan(space, TerminalsModel(range_km=20_000), "grid", TIMES, alive)
    whole, without = links(planned, 0), links(planned, 1)
    assert links(planned, 3) == whole
    assert links(planned, 2) == without
    assert sum(4 in pair for pair in whole) == 4
    new = without.items() - whole.items()
    assert without.items() - new == {(pair, ends) for pair, ends in whole.items() if 4 not in pair}
    assert (3, 5) in dict(new)
