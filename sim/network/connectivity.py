"""What hangs together, and by how much: questions on the graph of one step, answered exactly.

| in | out |
| --- | --- |
| n nodes; edges `a`, `b` (M,), undirected | components, articulation points, vertex connectivity |
| the first `relays` nodes pass data on, the others are only ends; pairs of nodes | paths that share no node, cuts |

In a mesh the satellites are the relays and the ground points the ends of paths: no data goes down and up again on its
way. No edge joins two nodes that are not relays. Nodes and edges come in any order; an edge may be there twice.

Sources: Tarjan, "Depth-first search and linear graph algorithms" (SIAM J. Comput. 1, 1972); Menger's theorem, with
nodes split in two and the maximum flow of Dinic (Soviet Math. Doklady 11, 1970); Esfahanian and Hakimi, "On computing
the connectivities of graphs and digraphs" (Networks 14, 1984).
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

Nodes = NDArray[np.int32]
Mask = NDArray[np.bool_]


@njit(cache=True, nogil=True)
def label_components(n: int, a: Nodes, b: Nodes, alive: Mask) -> Nodes:
    """The component of each of the first n nodes, over edges among those of them `alive`, named by its lowest node."""
    label = np.arange(n, dtype=np.int32)
    for e in range(len(a)):
        if a[e] < n and b[e] < n and alive[a[e]] and alive[b[e]]:
            i, j = root_of(label, a[e]), root_of(label, b[e])
            label[max(i, j)] = min(i, j)
    for v in range(n):
        label[v] = root_of(label, v)
    return label


@njit(cache=True, nogil=True)
def articulation_points(n: int, a: Nodes, b: Nodes) -> Mask:
    """Nodes (n,) whose loss parts the component that they are in."""
    first, neighbour, _ = adjacency(n, a, b)
    found = np.zeros(n, np.bool_)
    order = np.full(n, -1, np.int32)  # in which depth-first search came to the node
    low = np.empty(n, np.int32)  # the earliest node that can be reached from below it
    parent = np.full(n, -1, np.int32)
    cursor = first[:-1].copy()
    visited = 0
    for root in range(n):
        if order[root] >= 0:
            continue
        order[root] = low[root] = visited
        visited += 1
        branches = 0
        node = root
        while node >= 0:
            if cursor[node] < first[node + 1]:
                other = neighbour[cursor[node]]
                cursor[node] += 1
                if order[other] >= 0:
                    low[node] = min(low[node], order[other])
                    continue
                parent[other] = node
                order[other] = low[other] = visited
                visited += 1
                node = other
                continue
            above = parent[node]
            if above == root:
                branches += 1
            elif above >= 0 and low[node] >= order[above]:
                found[above] = True
            if above >= 0:
                low[above] = min(low[above], low[node])
            node = above
        found[root] = branches > 1
    return found


@njit(cache=True, nogil=True)
def single_losses(n: int, a: Nodes, b: Nodes, relays: int, pairs: Nodes) -> Mask:
    """Which `pairs` (P, 2) that have a path lose it with each node (n, P); a node's own pairs are not counted."""
    first, neighbour, _ = adjacency(n, a, b)
    alive = np.ones(n, np.bool_)
    before = _joined(label_components(relays, a, b, alive), first, neighbour, relays, pairs, alive)
    parted = np.empty((n, len(pairs)), np.bool_)
    for node in range(n):
        alive[node] = False
        after = _joined(label_components(relays, a, b, alive), first, neighbour, relays, pairs, alive)
        for p in range(len(pairs)):
            parted[node, p] = before[p] and not after[p] and pairs[p, 0] != node and pairs[p, 1] != node
        alive[node] = True
    return parted


@njit(cache=True, nogil=True)
def disjoint_paths(n: int, a: Nodes, b: Nodes, relays: int, pairs: Nodes) -> Nodes:
    """How many paths that share no node but their ends each of `pairs` (P, 2) has, the ends being different (P,)."""
    graph = _split(n, a, b, relays)
    paths = np.empty(len(pairs), np.int32)
    for p in range(len(pairs)):
        capacity, direct = _between(graph, pairs[p, 0], pairs[p, 1])
        paths[p] = direct + _flow(graph, capacity, pairs[p, 0], pairs[p, 1], n)
    return paths


def smallest_cut(n: int, a: Nodes, b: Nodes, relays: int, source: int, target: int) -> Nodes | None:
    """A smallest set of relays whose loss leaves no path between two nodes, in ascending order.

    Of the sets of that size, the one nearest to `source`. Empty if there is no path as it is; None if an edge joins the
    two, which no loss cuts.
    """
    graph = _split(n, a, b, relays)
    capacity, direct = _between(graph, source, target)
    if direct:
        return None
    _flow(graph, capacity, source, target, n)
    reached = _levels(graph, capacity, 2 * source + 1, 2 * target) >= 0
    return np.flatnonzero(reached[: 2 * relays : 2] & ~reached[1 : 2 * relays : 2]).astype(np.int32)


@njit(cache=True, nogil=True)
def vertex_connectivity(n: int, a: Nodes, b: Nodes) -> int:
    """The least number of nodes whose loss parts the graph, or leaves but one; 0 if it is in parts. n >= 1.

    By Esfahanian and Hakimi: a smallest cut that spares the node with the fewest neighbours parts it from a node that
    is none of them; any other parts two of its neighbours.
    """
    first, neighbour, _ = adjacency(n, a, b)
    least, pivot = n, 0
    for node in range(n):
        degree = len(np.unique(neighbour[first[node] : first[node + 1]]))
        if degree < least:
            least, pivot = degree, node
    around = np.unique(neighbour[first[pivot] : first[pivot + 1]])
    beside = np.zeros(n, np.bool_)
    beside[around] = True
    graph = _split(n, a, b, n)
    for node in range(n):
        if node != pivot and not beside[node]:
            capacity, _ = _between(graph, pivot, node)
            least = min(least, _flow(graph, capacity, pivot, node, least))
    for i in range(len(around)):
        for j in range(i):
            capacity, direct = _between(graph, around[i], around[j])
            if direct == 0:
                least = min(least, _flow(graph, capacity, around[i], around[j], least))
    return least


@njit(cache=True, nogil=True)
def adjacency(n: int, a: Nodes, b: Nodes) -> tuple[Nodes, Nodes, Nodes]:
    """Where the edges of each node begin (n + 1,), the neighbours at their other ends and the edges (2 M,).

    Those of node v are in `[first[v] : first[v + 1]]`.
    """
    first = np.zeros(n + 1, np.int32)
    for e in range(len(a)):
        first[a[e] + 1] += 1
        first[b[e] + 1] += 1
    for v in range(n):
        first[v + 1] += first[v]
    neighbour, edge = np.empty(2 * len(a), np.int32), np.empty(2 * len(a), np.int32)
    cursor = first[:-1].copy()
    for e in range(len(a)):
        neighbour[cursor[a[e]]], edge[cursor[a[e]]] = b[e], e
        cursor[a[e]] += 1
        neighbour[cursor[b[e]]], edge[cursor[b[e]]] = a[e], e
        cursor[b[e]] += 1
    return first, neighbour, edge


@njit(cache=True, nogil=True)
def root_of(parent: Nodes, node: int) -> int:
    """The root of a node's tree in a forest (n,) of disjoint sets; halves the way there."""
    while parent[node] != node:
        parent[node] = parent[parent[node]]
        node = parent[node]
    return node


@njit(cache=True, nogil=True)
def _joined(label: Nodes, first: Nodes, neighbour: Nodes, relays: int, pairs: Nodes, alive: Mask) -> Mask:
    """Which pairs (P, 2) touch a common component of relays; `label` (relays,)."""
    touched = np.full(relays, -1, np.int32)  # the pair whose first end touches the component
    joined = np.zeros(len(pairs), np.bool_)
    for p in range(len(pairs)):
        for end in range(2):
            node = pairs[p, end]
            # a relay is its own way in
            ways = first[node + 1] - first[node] if node >= relays else 1
            for k in range(ways):
                relay = neighbour[first[node] + k] if node >= relays else node
                if not alive[relay]:
                    continue
                if end == 0:
                    touched[label[relay]] = p
                elif touched[label[relay]] == p:
                    joined[p] = True
                    break
    return joined


@njit(cache=True, nogil=True)
def _split(n: int, a: Nodes, b: Nodes, relays: int) -> tuple[Nodes, Nodes, Nodes, NDArray[np.int8]]:
    """The flow network of node-disjoint paths: where the arcs of a node begin, their heads, their reverses, capacities.

    Node v becomes 2 v, where arcs come in, and 2 v + 1, where they go out, and an arc of capacity 1 between them: one
    path goes through a relay, none through another node. An edge between nodes then never carries more than 1, so that
    2 sets no limit.
    """
    arcs = n + 2 * len(a)
    tail, head = np.empty(2 * arcs, np.int32), np.empty(2 * arcs, np.int32)
    limit = np.zeros(2 * arcs, np.int8)
    for v in range(n):
        tail[2 * v], head[2 * v] = 2 * v, 2 * v + 1
        limit[2 * v] = 1 if v < relays else 0
    for e in range(len(a)):
        i = 2 * (n + 2 * e)
        tail[i], head[i] = 2 * a[e] + 1, 2 * b[e]
        tail[i + 2], head[i + 2] = 2 * b[e] + 1, 2 * a[e]
        limit[i] = limit[i + 2] = 2
    for i in range(0, 2 * arcs, 2):
        tail[i + 1], head[i + 1] = head[i], tail[i]
    first = np.zeros(2 * n + 1, np.int32)
    for i in range(2 * arcs):
        first[tail[i] + 1] += 1
    for v in range(2 * n):
        first[v + 1] += first[v]
    place = np.empty(2 * arcs, np.int32)
    cursor = first[:-1].copy()
    for i in range(2 * arcs):
        place[i] = cursor[tail[i]]
        cursor[tail[i]] += 1
    heads, reverse, capacity = np.empty(2 * arcs, np.int32), np.empty(2 * arcs, np.int32), np.empty(2 * arcs, np.int8)
    for i in range(2 * arcs):
        heads[place[i]] = head[i]
        reverse[place[i]] = place[i ^ 1]
        capacity[place[i]] = limit[i]
    return first, heads, reverse, capacity


@njit(cache=True, nogil=True)
def _between(
    graph: tuple[Nodes, Nodes, Nodes, NDArray[np.int8]], source: int, target: int
) -> tuple[NDArray[np.int8], int]:
    """Capacities without the edge that joins two nodes directly, and 1 if there was one."""
    first, head, _, capacity = graph
    left = capacity.copy()
    direct = 0
    for arc in range(first[2 * source + 1], first[2 * source + 2]):
        if head[arc] == 2 * target and left[arc] > 0:
            left[arc] = 0
            direct = 1
    return left, direct


@njit(cache=True, nogil=True)
def _levels(
    graph: tuple[Nodes, Nodes, Nodes, NDArray[np.int8]], capacity: NDArray[np.int8], start: int, end: int
) -> Nodes:
    """Arcs from `start` to each node over arcs that have capacity left, -1: not reached before `end` was."""
    first, head, _, _ = graph
    level = np.full(len(first) - 1, -1, np.int32)
    queue = np.empty(len(level), np.int32)
    level[start] = 0
    queue[0] = start
    taken, put = 0, 1
    while taken < put and level[end] < 0:
        node = queue[taken]
        taken += 1
        for arc in range(first[node], first[node + 1]):
            if capacity[arc] > 0 and level[head[arc]] < 0:
                level[head[arc]] = level[node] + 1
                queue[put] = head[arc]
                put += 1
    return level


@njit(cache=True, nogil=True)
def _flow(
    graph: tuple[Nodes, Nodes, Nodes, NDArray[np.int8]],
    capacity: NDArray[np.int8],
    source: int,
    target: int,
    most: int,
) -> int:
    """Paths from source to target, up to `most`, taken from `capacity`: Dinic's blocking flows, a path at a time."""
    first, head, reverse, _ = graph
    start, end = 2 * source + 1, 2 * target
    path = np.empty(len(first), np.int32)
    flow = 0
    while flow < most:
        level = _levels(graph, capacity, start, end)
        if level[end] < 0:
            break
        cursor = first[:-1].copy()
        node, depth = start, 0
        while flow < most:
            if node == end:
                for i in range(depth):
                    capacity[path[i]] -= 1
                    capacity[reverse[path[i]]] += 1
                flow += 1
                node, depth = start, 0
                continue
            while cursor[node] < first[node + 1]:
                arc = cursor[node]
                if capacity[arc] > 0 and level[head[arc]] == level[node] + 1:
                    break
                cursor[node] += 1
            if cursor[node] < first[node + 1]:
                path[depth] = cursor[node]
                node = head[cursor[node]]
                depth += 1
            elif depth > 0:
                depth -= 1
                node = head[reverse[path[depth]]]
                cursor[node] += 1
            else:
                break
    return flow
