"""Shortest-delay routing over one step's links.

| in | | out | |
| --- | --- | --- | --- |
| ends of M undirected links, their delays | nodes, s | least delay from each source to each node | s |
| sources | nodes | the node before each node on its shortest path | node |

A source at a time, Dijkstra's algorithm with a binary heap; the kernel lets go of the interpreter, so that threads
work on several steps at once.

Validated against: scipy.sparse.csgraph.dijkstra on random graphs, the closed form of a ring.
"""

from dataclasses import dataclass, field

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from flightsw.errors import ConfigError
from sim.network.connectivity import adjacency

Nodes = NDArray[np.int32]
Floats = NDArray[np.float64]


def shortest(
    n: int, a: ArrayLike, b: ArrayLike, delay_s: ArrayLike, sources: ArrayLike, relays: int | None = None
) -> tuple[Floats, Nodes]:
    """Least delay (Q, n) s from each source, inf without a path, and the node before each node (Q, n), -1 for none.

    a, b (M,): the links' ends among nodes 0..n-1; delay_s (M,): of a link, either way, 0 or more; sources (Q,).
    Nodes from `relays` on (ground points, where those of a mesh begin at S) only begin and end paths; none: all relay.
    Raises ConfigError for a node that does not exist and for a delay that is negative or not finite.
    """
    a, b = np.ascontiguousarray(a, dtype=np.int32), np.ascontiguousarray(b, dtype=np.int32)
    delay_s, sources = np.ascontiguousarray(delay_s, dtype=np.float64), np.ascontiguousarray(sources, dtype=np.int32)
    for nodes in (a, b, sources):
        if nodes.size and not 0 <= nodes.min() <= nodes.max() < n:
            raise ConfigError(
                f"routing: expected nodes from 0 to {n - 1}, found {nodes.min()} to {nodes.max()}; "
                "number satellites from 0 and ground points from the number of satellites on"
            )
    if delay_s.size and not 0.0 <= delay_s.min() <= delay_s.max() < np.inf:
        raise ConfigError(
            f"routing: expected link delays of 0 s or more, found {delay_s.min()} to {delay_s.max()}; "
            "leave out links that are down"
        )
    delay = np.full((len(sources), n), np.inf)
    predecessor = np.full((len(sources), n), -1, np.int32)
    _dijkstra(a, b, delay_s, sources, n if relays is None else relays, delay, predecessor)
    return delay, predecessor


def route(predecessor: Nodes, target: int) -> list[int]:
    """The nodes from the source to `target`, both included; empty without a path. predecessor (n,): the source's row.

    The source itself has no predecessor, so that the route from a node to itself is empty too.
    """
    nodes = [target]
    while predecessor[nodes[-1]] >= 0:
        nodes.append(int(predecessor[nodes[-1]]))
    return nodes[::-1] if len(nodes) > 1 else []


@dataclass(frozen=True, eq=False)
class Links:
    """Every link of a mesh, up or not: link l joins nodes a[l] and b[l]; each pair occurs once.

    A link has two directions that do not share capacity: number 2 l leads from a to b, 2 l + 1 from b to a.
    """

    n: int  # nodes
    a: Nodes  # (L,)
    b: Nodes  # (L,)
    _order: NDArray[np.int64] = field(init=False, repr=False)
    _keys: NDArray[np.int64] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Raise ConfigError if two links join the same pair of nodes."""
        keys = self._key(self.a, self.b)
        order = np.argsort(keys)
        twice = np.flatnonzero(np.diff(keys[order]) == 0)
        if twice.size:
            link = order[twice[0]]
            raise ConfigError(
                f"links: expected each pair of nodes once, found nodes {self.a[link]} and {self.b[link]} again "
                f"({twice.size} links too many); give every pair one link"
            )
        object.__setattr__(self, "_order", order)
        object.__setattr__(self, "_keys", keys[order])

    def along(self, nodes: ArrayLike) -> NDArray[np.int64]:
        """The directed links (H,) of a route over nodes (H + 1,), every step of which is a link."""
        nodes = np.asarray(nodes, dtype=np.int64)
        tail, head = nodes[:-1], nodes[1:]
        link = self._order[np.searchsorted(self._keys, self._key(tail, head))]
        directed: NDArray[np.int64] = 2 * link + (self.a[link] != tail)
        return directed

    def ends(self, directed: ArrayLike) -> tuple[Nodes, Nodes]:
        """The nodes (H,) that directed links (H,) leave and reach."""
        directed = np.asarray(directed, dtype=np.int64)
        link, back = directed >> 1, directed & 1 == 1
        return np.where(back, self.b[link], self.a[link]), np.where(back, self.a[link], self.b[link])

    def _key(self, a: ArrayLike, b: ArrayLike) -> NDArray[np.int64]:
        a, b = np.asarray(a, dtype=np.int64), np.asarray(b, dtype=np.int64)
        key: NDArray[np.int64] = np.minimum(a, b) * self.n + np.maximum(a, b)
        return key


@njit(cache=True, nogil=True)
def push(key: Floats, node: Nodes, size: int, at: float, u: int) -> int:
    """Add node `u` with key `at` to a binary heap of `size` entries, the least key first; returns the new size."""
    hole = size
    while hole and key[(hole - 1) >> 1] > at:
        key[hole], node[hole] = key[(hole - 1) >> 1], node[(hole - 1) >> 1]
        hole = (hole - 1) >> 1
    key[hole], node[hole] = at, u
    return size + 1


@njit(cache=True, nogil=True)
def pop(key: Floats, node: Nodes, size: int) -> int:
    """Remove the first entry of a binary heap of `size` entries; returns the new size."""
    size -= 1
    last, last_node = key[size], node[size]
    hole, child = 0, 1
    while child < size:
        if child + 1 < size and key[child + 1] < key[child]:
            child += 1
        if key[child] >= last:
            break
        key[hole], node[hole] = key[child], node[child]
        hole, child = child, 2 * child + 1
    key[hole], node[hole] = last, last_node
    return size


@njit(cache=True, nogil=True)
def _dijkstra(
    a: Nodes, b: Nodes, link_delay: Floats, sources: Nodes, relays: int, delay: Floats, predecessor: Nodes
) -> None:
    n = delay.shape[1]
    first, neighbour, link = adjacency(n, a, b)
    weight = link_delay[link]
    # a node is pushed again with each better delay, at most once a direction of a link; what is stale is skipped
    key = np.empty(2 * len(a) + 1, np.float64)
    node = np.empty(2 * len(a) + 1, np.int32)
    for q in range(len(sources)):
        best, before = delay[q], predecessor[q]
        best[sources[q]] = 0.0
        key[0], node[0], size = 0.0, sources[q], 1
        while size:
            at, u = key[0], node[0]
            size = pop(key, node, size)
            if at > best[u] or (u >= relays and u != sources[q]):
                continue
            for e in range(first[u], first[u + 1]):
                v, trial = neighbour[e], at + weight[e]
                if trial < best[v]:
                    best[v], before[v] = trial, u
                    size = push(key, node, size, trial, v)
