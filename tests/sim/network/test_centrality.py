"""Betweenness against all paths, listed one by one, and closed forms."""

from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.network.centrality import betweenness


@st.composite
def meshes(draw):
    relays = draw(st.integers(1, 6))
    n = relays + draw(st.integers(0, 3))
    possible = [(i, j) for i, j in combinations(range(n), 2) if i < relays]
    # few different delays: many paths are equally short
    delays = draw(st.dictionaries(st.sampled_from(possible), st.integers(1, 3), max_size=14)) if possible else {}
    ends = draw(st.sets(st.integers(0, n - 1), min_size=min(2, n)))
    return n, relays, delays, sorted(ends)


def paths(delays, relays, source, target):
    """Every path without loops over relays, with its delay."""
    stack = [((source,), 0)]
    while stack:
        nodes, length = stack.pop()
        if nodes[-1] == target:
            yield nodes, length
            continue
        if len(nodes) > 1 and nodes[-1] >= relays:
            continue
        for edge, delay in delays.items():
            if nodes[-1] in edge:
                (other,) = set(edge) - {nodes[-1]}
                if other not in nodes:
                    stack.append(((*nodes, other), length + delay))


def by_hand(n, relays, delays, ends):
    through, pairs = [Fraction(0)] * n, 0
    for i, j in combinations(ends, 2):
        found = list(paths(delays, relays, i, j))
        if not found:
            continue
        pairs += 1
        shortest = [nodes for nodes, length in found if length == min(length for _, length in found)]
        for nodes in shortest:
            for node in nodes[1:-1]:
                through[node] += Fraction(1, len(shortest))
    return [float(share / max(pairs, 1)) for share in through]


def columns(delays):
    a, b = np.array(list(delays), np.int32).reshape(-1, 2).T
    return np.ascontiguousarray(a), np.ascontiguousarray(b), np.array(list(delays.values()), np.float64)


@given(meshes())
def test_betweenness_is_the_mean_share_of_shortest_paths(mesh):
    n, relays, delays, ends = mesh
    a, b, delay = columns(delays)
    # delays of which sums in another order differ in the last bit
    found = betweenness(n, a, b, 0.1e-3 * delay, relays, np.array(ends, np.int32))
    assert found == pytest.approx(by_hand(n, relays, delays, ends), abs=1e-12)


def test_the_hub_of_a_star_carries_everything():
    hub, rays = np.zeros(9, np.int32), np.arange(1, 10, dtype=np.int32)
    found = betweenness(10, hub, rays, np.full(9, 1e-3), 10, rays)
    assert found[0] == 1.0 and not found[1:].any()


def test_on_a_ring_the_paths_of_opposite_nodes_go_both_ways():
    ring = np.arange(8, dtype=np.int32)
    found = betweenness(8, ring, np.roll(ring, -1), np.full(8, 1e-3), 8, np.array([0, 4], np.int32))
    assert found.tolist() == [0.0, 0.5, 0.5, 0.5, 0.0, 0.5, 0.5, 0.5]


def test_no_path_goes_over_a_ground_point_that_is_as_near():
    # 0 and 2 are joined by satellite 1 and, in the same time, by ground point 3
    delays = dict.fromkeys([(0, 1), (1, 2), (0, 3), (2, 3), (0, 4), (2, 5)], 1e-3)
    found = betweenness(6, *columns(delays), 3, np.array([4, 5], np.int32))
    assert found.tolist() == [1.0, 1.0, 1.0, 0.0, 0.0, 0.0]
