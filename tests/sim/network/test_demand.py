"""Links by demand, against the best of all subsets."""

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.network.demand import Demand, carry, matching
from sim.network.mounts import BLOCKED


def can_be_made(pairs, allowed, links):
    """Whether each satellite has a terminal of its own for each of its links, by trying all."""
    for satellite in np.unique(pairs[links]):
        asked = [
            np.flatnonzero(allowed[link, end]) for link in links for end in (0, 1) if pairs[link, end] == satellite
        ]
        if not any(len(set(choice)) == len(choice) for choice in itertools.product(*asked)):
            return False
    return True


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 2**32 - 1), terminals=st.integers(1, 3), links=st.integers(1, 9))
def test_matching_is_the_best_of_all_subsets(seed, terminals, links):
    rng = np.random.default_rng(seed)
    every = np.array(list(itertools.combinations(range(5), 2)))
    pairs = every[rng.permutation(10)[:links]]
    allowed = rng.random((links, 2, terminals)) < 0.7
    allowed[np.arange(links), :, rng.integers(0, terminals, links)] = True
    weight = rng.uniform(0.1, 10.0, links)
    best = max(
        float(weight[list(subset)].sum())
        for n in range(links + 1)
        for subset in itertools.combinations(range(links), n)
        if can_be_made(pairs, allowed, list(subset))
    )
    found = matching(pairs, allowed, weight)
    assert can_be_made(pairs, allowed, found.tolist())
    assert abs(weight[found].sum() - best) < 1e-9


def test_what_a_path_lacks_is_routed_over_what_is_left():
    """Both flows want the short way 0-1-3; the heavier gets it, and the other the way round by 2.

    Satellites 0 and 3 have two terminals, 1 and 2 as well, but one of 0 sees only 1 and the other only 2.
    """
    pairs = np.array([(0, 1), (0, 2), (1, 3), (2, 3)])
    length = np.array([1.0, 2.0, 1.0, 2.0])
    misfit = np.zeros((4, 2, 2))
    misfit[0, 0, 1] = misfit[1, 0, 0] = BLOCKED
    # satellite 1 has one terminal at all
    misfit[0, 1, 1] = misfit[2, 0, 1] = BLOCKED
    range_m = np.full((1, 3, 4), np.inf, np.float32)
    range_m[0, 0, 0] = range_m[0, 1, 3] = range_m[0, 2, 1] = 0.0
    # from 0 to 3 much, from 0 to 1 more
    demand = Demand(range_m, np.array([0, 0]), np.array([1, 2]), np.array([5.0, 8.0]))
    free, mount = np.ones((4, 2), np.bool_), np.full((4, 2), -1, np.int8)
    carry(demand, 0, pairs, length, misfit, free, mount)
    # the link 0-1 carries 13 and takes the terminal of 1; the way to 3 is then by 2
    assert (mount[:, 0] >= 0).tolist() == [True, True, False, True]
    assert mount[0].tolist() == [0, 0]
    assert mount[1, 0] == 1
    held = np.stack((pairs, mount), axis=-1)[mount[:, 0] >= 0].reshape(-1, 2)
    assert not free[tuple(held.T)].any()
    assert free.sum() == 8 - len(held)


def test_demand_between_ends_without_sight_asks_for_nothing():
    range_m = np.full((1, 2, 2), np.inf, np.float32)
    demand = Demand(range_m, np.array([0]), np.array([1]), np.array([1.0]))
    mount = np.full((1, 2), -1, np.int8)
    carry(demand, 0, np.array([(0, 1)]), np.ones(1), np.zeros((1, 2, 2)), np.ones((2, 2), np.bool_), mount)
    assert (mount == -1).all()
