"""Shortest delays against scipy and against the closed form of a ring; routes and links by hand."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from flightsw.errors import ConfigError
from sim.network.routing import Links, route, shortest


@st.composite
def graphs(draw: st.DrawFn) -> tuple[int, np.ndarray, np.ndarray, np.ndarray]:
    n = draw(st.integers(1, 30))
    pairs = np.array([(a, b) for a in range(n) for b in range(a + 1, n)], np.int32).reshape(-1, 2)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kept = pairs[rng.random(len(pairs)) < draw(st.sampled_from((0.03, 0.1, 0.3, 1.0)))]
    return n, kept[:, 0], kept[:, 1], rng.uniform(1e-3, 7e-3, len(kept))


def reference(n: int, a: np.ndarray, b: np.ndarray, delay: np.ndarray, **options: object) -> np.ndarray:
    """Scipy's delays between all nodes."""
    return dijkstra(csr_array((delay, (a, b)), shape=(n, n)), **options)


@settings(deadline=None)
@given(graphs())
def test_delays_are_scipys_and_routes_add_up_to_them(graph: tuple[int, np.ndarray, np.ndarray, np.ndarray]) -> None:
    n, a, b, delay = graph
    sources = np.arange(n, dtype=np.int32)[::2]
    found, predecessor = shortest(n, a, b, delay, sources)
    np.testing.assert_allclose(found, reference(n, a, b, delay, directed=False, indices=sources), rtol=1e-13)
    weight = {(int(u), int(v)): d for u, v, d in zip(np.r_[a, b], np.r_[b, a], np.r_[delay, delay], strict=True)}
    for q, source in enumerate(sources):
        for target in range(n):
            nodes = route(predecessor[q], target)
            if target == source or np.isinf(found[q, target]):
                assert nodes == []
            else:
                assert (nodes[0], nodes[-1]) == (source, target)
                steps = sum(weight[step] for step in pairwise(nodes))
                assert steps == pytest.approx(found[q, target], rel=1e-12)


@settings(deadline=None)
@given(graphs(), st.integers(0, 29))
def test_nodes_beyond_the_relays_only_end_paths(
    graph: tuple[int, np.ndarray, np.ndarray, np.ndarray], relays: int
) -> None:
    n, a, b, delay = graph
    found, _ = shortest(n, a, b, delay, np.arange(n), relays)
    for source in range(n):
        # out of a node that does not relay lead no links, except when the path begins there
        ahead, back = (a < relays) | (a == source), (b < relays) | (b == source)
        tail, head = np.r_[a[ahead], b[back]], np.r_[b[ahead], a[back]]
        expected = reference(n, tail, head, np.r_[delay[ahead], delay[back]], indices=source)
        np.testing.assert_allclose(found[source], expected, rtol=1e-13)


def test_a_ring_has_half_its_links_at_most() -> None:
    n = 22
    nodes = np.arange(n)
    found, _ = shortest(n, nodes, (nodes + 1) % n, np.full(n, 0.005), nodes)
    apart = np.abs(nodes[:, None] - nodes)
    np.testing.assert_allclose(found, 0.005 * np.minimum(apart, n - apart), atol=1e-15)


def test_what_cannot_be_a_graph_is_refused() -> None:
    with pytest.raises(ConfigError, match="nodes from 0 to 2, found 1 to 3"):
        shortest(3, [0], [1], [1.0], [1, 3])
    with pytest.raises(ConfigError, match="found -1 to 0"):
        shortest(3, [-1, 0], [1, 2], [1.0, 1.0], [0])
    for delay in (-1.0, np.nan, np.inf):
        with pytest.raises(ConfigError, match="0 s or more"):
            shortest(3, [0], [1], [delay], [0])
    with pytest.raises(ConfigError, match=r"nodes 0 and 1 again \(1 links too many\)"):
        Links(3, np.array([0, 0, 1], np.int32), np.array([1, 2, 0], np.int32))


def test_directions_of_links_along_a_route() -> None:
    links = Links(5, np.array([3, 1, 0], np.int32), np.array([4, 3, 1], np.int32))
    directed = links.along([0, 1, 3, 4])
    assert directed.tolist() == [4, 2, 0]
    assert links.along([4, 3, 1, 0]).tolist() == [1, 3, 5]
    tail, head = links.ends(directed)
    assert (tail.tolist(), head.tolist()) == ([0, 1, 3], [1, 3, 4])
    assert [end.tolist() for end in links.ends([1, 3, 5])] == [[4, 3, 1], [3, 1, 0]]
