"""Connectivity against brute force over all sets of nodes on small meshes, SciPy on large ones, and closed forms."""

from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components, maximum_flow

from sim.network import connectivity


@st.composite
def meshes(draw, most_relays=7):
    """Nodes, relays, edges (one of them twice) without any between two ground points."""
    relays = draw(st.integers(1, most_relays))
    n = relays + draw(st.integers(2, 3))
    possible = [(i, j) for i, j in combinations(range(n), 2) if i < relays]
    edges = draw(st.lists(st.sampled_from(possible), max_size=18))
    return n, relays, edges


def columns(edges):
    a, b = np.array(edges, np.int32).reshape(-1, 2).T
    return np.ascontiguousarray(a), np.ascontiguousarray(b)


def reach(edges, source, relays, lost=()):
    """Nodes that a path from `source` comes to, all but its ends being relays."""
    found, queue = {source}, [source]
    while queue:
        node = queue.pop()
        if node != source and node >= relays:
            continue
        for edge in edges:
            if node in edge:
                (other,) = set(edge) - {node}
                if other not in found and other not in lost:
                    found.add(other)
                    queue.append(other)
    return found


def smallest_cuts(edges, relays, source, target):
    """Every smallest set of relays that parts the two, by trying them all; none for neighbours."""
    inner = [v for v in range(relays) if v not in (source, target)]
    for size in range(len(inner) + 1):
        cuts = [set(lost) for lost in combinations(inner, size) if target not in reach(edges, source, relays, lost)]
        if cuts:
            return cuts
    return []


def torus(rows, columns_):
    v = np.arange(rows * columns_).reshape(rows, columns_)
    a = np.concatenate((v.ravel(), v.ravel())).astype(np.int32)
    b = np.concatenate((np.roll(v, -1, 0).ravel(), np.roll(v, -1, 1).ravel())).astype(np.int32)
    return rows * columns_, a, b


@given(meshes(), st.data())
def test_components_are_those_of_scipy(mesh, data):
    n, _, edges = mesh
    lost = data.draw(st.sets(st.integers(0, n - 1)))
    label = connectivity.label_components(n, *columns(edges), np.array([v not in lost for v in range(n)]))
    a, b = columns([edge for edge in edges if not set(edge) & lost])
    _, expected = connected_components(coo_array((np.ones(len(a)), (a, b)), (n, n)), directed=False)
    assert all(label[v] == np.flatnonzero(expected == expected[v])[0] for v in range(n))


@given(meshes())
def test_an_articulation_point_parts_its_component(mesh):
    n, _, edges = mesh
    found = connectivity.articulation_points(n, *columns(edges))
    for v in range(n):
        rest = reach(edges, v, n) - {v}
        assert found[v] == any(reach(edges, w, n, {v}) != rest for w in rest)


def test_every_node_inside_a_line_is_an_articulation_point():
    line = np.arange(5000, dtype=np.int32)
    found = connectivity.articulation_points(5000, line[:-1], line[1:])
    assert not found[0] and not found[-1] and found[1:-1].all()


@given(meshes())
def test_each_single_loss_parts_the_pairs_that_it_parts(mesh):
    n, relays, edges = mesh
    pairs = np.array(list(combinations(range(n), 2)), np.int32)
    parted = connectivity.single_losses(n, *columns(edges), relays, pairs)
    for v in range(n):
        for p, (i, j) in enumerate(pairs):
            before, after = j in reach(edges, i, relays), j in reach(edges, i, relays, {v})
            assert parted[v, p] == (v not in (i, j) and before and not after)


@given(meshes())
def test_disjoint_paths_are_as_many_as_the_smallest_cut_has_nodes(mesh):
    n, relays, edges = mesh
    pairs = list(combinations(range(n), 2))
    paths = connectivity.disjoint_paths(n, *columns(edges), relays, np.array(pairs, np.int32))
    for (i, j), found in zip(pairs, paths, strict=True):
        others = [edge for edge in edges if set(edge) != {i, j}]
        assert found == len(smallest_cuts(others, relays, i, j)[0]) + (len(others) < len(edges))


@given(meshes())
def test_the_smallest_cut_is_the_one_nearest_to_the_source(mesh):
    n, relays, edges = mesh
    a, b = columns(edges)
    for i, j in combinations(range(n), 2):
        cut = connectivity.smallest_cut(n, a, b, relays, i, j)
        known = smallest_cuts(edges, relays, i, j)
        if not known:
            assert cut is None
            continue
        assert set(cut.tolist()) in known
        assert list(cut) == sorted(cut)
        before = reach(edges, i, relays, set(cut.tolist()))
        assert all(before <= reach(edges, i, relays, other) for other in known)


@given(meshes(most_relays=5))
def test_vertex_connectivity_is_the_smallest_set_that_parts_the_graph(mesh):
    n, _, edges = mesh

    def in_parts(lost):
        left = set(range(n)) - set(lost)
        return len(left) == 1 or reach(edges, min(left), n, lost) != left

    expected = next(size for size in range(n) if any(in_parts(lost) for lost in combinations(range(n), size)))
    assert connectivity.vertex_connectivity(n, *columns(edges)) == expected


@pytest.mark.parametrize(("n", "edges", "expected"), [(1, [], 0), (2, [(0, 1)], 1), (2, [], 0)])
def test_vertex_connectivity_of_next_to_nothing(n, edges, expected):
    assert connectivity.vertex_connectivity(n, *columns(edges)) == expected


def test_vertex_connectivity_of_ring_grid_and_complete_graph():
    ring = np.arange(100, dtype=np.int32)
    assert connectivity.vertex_connectivity(100, ring, np.roll(ring, -1)) == 2
    assert connectivity.vertex_connectivity(*torus(8, 9)) == 4
    # each edge twice: an edge is no more than one path
    assert connectivity.vertex_connectivity(6, *columns(2 * list(combinations(range(6), 2)))) == 5


def test_the_node_with_the_fewest_neighbours_may_be_the_one_that_holds_the_graph_together():
    two_cliques = [*combinations(range(6), 2), *combinations(range(6, 12), 2)]
    assert connectivity.vertex_connectivity(13, *columns([*two_cliques, *((12, v) for v in (0, 1, 6, 7))])) == 1


def test_the_only_link_between_two_rings_is_found():
    edges = [*pairwise([*range(6), 0]), *pairwise([*range(6, 12), 6]), (2, 8)]
    a, b = columns(edges)
    assert list(np.flatnonzero(connectivity.articulation_points(12, a, b))) == [2, 8]
    assert connectivity.smallest_cut(12, a, b, 12, 0, 11).tolist() == [2]
    assert connectivity.smallest_cut(12, a, b, 12, 11, 0).tolist() == [8]


def test_a_constellation_with_losses_has_the_disjoint_paths_of_scipy():
    satellites, a, b = torus(72, 22)
    rng = np.random.default_rng(5)
    left = rng.random(satellites) < 0.75
    kept = left[a] & left[b]
    # each point sees nine neighbours along a plane
    ground = satellites + np.repeat(np.arange(6), 9)
    sight = (22 * rng.integers(72, size=(6, 1)) + np.arange(9)).ravel()
    a = np.concatenate((a[kept], ground[left[sight]])).astype(np.int32)
    b = np.concatenate((b[kept], sight[left[sight]])).astype(np.int32)
    n = satellites + 6
    pairs = np.array(list(combinations(range(satellites, n), 2)), np.int32)
    paths = connectivity.disjoint_paths(n, a, b, satellites, pairs)
    tails = np.concatenate((2 * np.arange(n), 2 * a + 1, 2 * b + 1))
    heads = np.concatenate((2 * np.arange(n) + 1, 2 * b, 2 * a))
    capacity = (tails % 2 == 1) | (tails < 2 * satellites)
    network = coo_array((capacity.astype(np.int32), (tails, heads)), (2 * n, 2 * n)).tocsr()
    expected = [maximum_flow(network, 2 * i + 1, 2 * j).flow_value for i, j in pairs]
    assert paths.tolist() == expected
    assert len(set(expected)) > 2
