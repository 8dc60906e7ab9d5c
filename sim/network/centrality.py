"""Which satellites carry the most: the share of the shortest paths between some ends that go through each node.

| in | | out | |
| --- | --- | --- | --- |
| ends of M undirected links, their delays | nodes, s | betweenness of each node, 0 to 1 | share of paths |
| ends of the paths, of which there are at least two | nodes |  |  |

Source: Brandes, "A faster algorithm for betweenness centrality" (J. Math. Sociol. 25, 2001), in the variant for chosen
sources and targets of Brandes, "On variants of shortest-path betweenness centrality" (Social Networks 30, 2008).
"""

import numpy as np
from numba import njit

from sim.network.connectivity import adjacency
from sim.network.routing import Floats, Nodes, shortest

#: Paths whose delays differ by less, 0.3 mm, are equally short: sums of the same delays in another order are.
TIE_S = 1e-12


def betweenness(n: int, a: Nodes, b: Nodes, delay_s: Floats, relays: int, ends: Nodes) -> Floats:
    """Mean over the pairs of `ends` that have a path of the share of their shortest paths through each node (n,).

    a, b (M,): the links, of nodes 0..n-1; delay_s (M,): above `TIE_S`; nodes from `relays` on are only ends of paths.
    A pair's own ends do not count. All zero if no pair has a path. Raises ConfigError as `shortest` does.
    """
    delay, _ = shortest(n, a, b, delay_s, ends, relays)
    through, paths = _accumulate(n, a, b, delay_s, relays, ends, delay)
    return through / max(paths, 1)


@njit(cache=True, nogil=True)
def _accumulate(
    n: int, a: Nodes, b: Nodes, link_delay: Floats, relays: int, ends: Nodes, delay: Floats
) -> tuple[Floats, int]:
    """Sum over ordered pairs of ends of the share of paths through each node (n,), and the number of pairs."""
    first, neighbour, link = adjacency(n, a, b)
    is_end = np.zeros(n, np.bool_)
    is_end[ends] = True
    through = np.zeros(n)
    pairs = 0
    count, beyond = np.empty(n), np.empty(n)  # shortest paths from the source; pairs' shares that go on from the node
    before = np.empty(2 * len(a), np.int32)  # nodes one before on shortest paths, from where a node's neighbours begin
    befores = np.empty(n, np.int32)
    for q in range(len(ends)):
        source, least = ends[q], delay[q]
        order = np.argsort(least)
        count[:] = 0.0
        beyond[:] = 0.0
        befores[:] = 0
        count[source] = 1.0
        reached = 1
        while reached < n and least[order[reached]] < np.inf:
            node = order[reached]
            reached += 1
            for k in range(first[node], first[node + 1]):
                near = neighbour[k]
                passes = near < relays or near == source
                if passes and abs(least[near] + link_delay[link[k]] - least[node]) < TIE_S:
                    before[first[node] + befores[node]] = near
                    befores[node] += 1
                    count[node] += count[near]
        for i in range(reached - 1, 0, -1):
            node = order[i]
            through[node] += beyond[node]
            pairs += is_end[node]
            share = (is_end[node] + beyond[node]) / count[node]
            for k in range(first[node], first[node] + befores[node]):
                beyond[before[k]] += count[before[k]] * share
    return through, pairs
