"""Curves of losses against a search after each loss and closed forms; gaps against runs of a series."""

import math
from itertools import combinations, groupby

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import breadth_first_order

from sim.network.resilience import gaps, loss_curve, plane_orders, random_orders


@st.composite
def losses(draw):
    relays = draw(st.integers(1, 8))
    n = relays + draw(st.integers(2, 3))
    possible = [(i, j) for i, j in combinations(range(n), 2) if i < relays]
    edges = draw(st.lists(st.sampled_from(possible), max_size=20))
    order = draw(st.permutations(range(relays)))[: draw(st.integers(0, relays))]
    pairs = draw(st.lists(st.sampled_from(list(combinations(range(n), 2))), min_size=1, max_size=6))
    return n, relays, edges, order, pairs


def have_path(n, relays, edges, lost, pair):
    """By SciPy: edges of the pair's ends and of relays that are left."""
    kept = [(i, j) for i, j in edges if not {i, j} & lost and all(v < relays or v in pair for v in (i, j))]
    graph = coo_array((np.ones(2 * len(kept)), np.array(kept + [e[::-1] for e in kept], int).reshape(-1, 2).T), (n, n))
    return not set(pair) & lost and pair[1] in breadth_first_order(graph.tocsr(), pair[0], return_predecessors=False)


@given(losses())
def test_the_curve_is_the_share_of_pairs_with_a_path_after_each_loss(case):
    n, relays, edges, order, pairs = case
    a, b = np.array(edges, np.int32).reshape(-1, 2).T.copy()
    orders = np.array([order, order[::-1]], np.int32).reshape(2, -1)
    found = loss_curve(n, a, b, relays, np.array(pairs, np.int32), orders)
    assert found.shape == (2, len(order) + 1)
    for row, lost_in_order in zip(found, (order, order[::-1]), strict=True):
        for k, share in enumerate(row):
            lost = set(lost_in_order[:k])
            assert share == pytest.approx(np.mean([have_path(n, relays, edges, lost, pair) for pair in pairs]))


def test_two_points_that_share_satellites_stay_connected_until_the_last_of_them_is_lost():
    # of 12 satellites without crosslinks 3 are in sight of both: the chance that k losses took all is that of choosing
    sight = np.array([0, 1, 2], np.int32)
    a, b = np.tile(sight, 2), np.repeat([12, 13], 3).astype(np.int32)
    order = random_orders(12, 12, 4000, np.random.default_rng(3))
    found = loss_curve(14, a, b, 12, np.array([[12, 13]], np.int32), order).mean(axis=0)
    expected = [1.0 - math.comb(9, k - 3) / math.comb(12, k) if k >= 3 else 1.0 for k in range(13)]
    assert found == pytest.approx(expected, abs=4.0 * 0.5 / math.sqrt(4000))


def test_planes_are_lost_one_after_the_other():
    plane = np.repeat(np.arange(5, dtype=np.int32), 4)
    order = plane_orders(plane, 20, 30, np.random.default_rng(1))
    assert (np.sort(order, axis=1) == np.arange(20)).all()
    by_plane = plane[order].reshape(30, 5, 4)
    assert (by_plane == by_plane[:, :, :1]).all()
    assert len({tuple(row) for row in by_plane[:, :, 0]}) > 20
    assert len({tuple(row % 4) for row in order[:, :4]}) > 10
    assert (plane_orders(plane, 7, 30, np.random.default_rng(1)) == order[:, :7]).all()


@given(st.lists(st.lists(st.booleans(), min_size=3, max_size=3), min_size=1, max_size=12))
def test_gaps_are_the_runs_without_a_path(series):
    found = gaps(np.array(series), 0.5)
    expected = []
    for pair in range(3):
        for path, run in groupby(enumerate(row[pair] for row in series), key=lambda item: item[1]):
            steps = [k for k, _ in run]
            if not path:
                expected.append((pair, 0.5 * steps[0], 0.5 * len(steps), steps[-1] + 1 < len(series)))
    assert list(zip(found.pair, found.start_s, found.length_s, found.recovered, strict=True)) == expected
    assert len(found) == len(expected)
