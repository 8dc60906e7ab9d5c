"""What losses do to a mesh, and how long it takes to recover.

| in | out |
| --- | --- |
| edges of one step, pairs of nodes | pairs that each single loss parts; share of pairs left as satellites are lost |
| whether each pair has a path, a step at a time | the gaps: when, how long, over or not |

Nodes and edges are those of `sim.network.connectivity`: satellites first, ground points after them as ends of paths.

A curve of losses is made backwards: satellites come back one at a time and sets of connected ones merge, so that the
whole curve costs as much as one look at the graph (Newman and Ziff, "Fast Monte Carlo algorithm for site or bond
percolation", Phys. Rev. E 64, 016706, 2001).
"""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sim.network.connectivity import Mask, Nodes, adjacency, root_of

Floats = NDArray[np.float64]


def random_orders(relays: int, most: int, repetitions: int, rng: np.random.Generator) -> Nodes:
    """Orders (repetitions, most) in which satellites are lost: any of them, at random."""
    return plane_orders(np.arange(relays, dtype=np.int32), most, repetitions, rng)


def plane_orders(plane: Nodes, most: int, repetitions: int, rng: np.random.Generator) -> Nodes:
    """Orders (repetitions, most) in which whole planes are lost, one after the other, at random.

    plane (S,): the number of each satellite's plane, 0 or more, no number in two shells. Within a plane the order is
    random, too.
    """
    planes = int(plane.max()) + 1
    drawn = [np.argsort(rng.permutation(planes)[plane] + rng.random(len(plane))) for _ in range(repetitions)]
    return np.stack(drawn)[:, :most].astype(np.int32)


@njit(cache=True, nogil=True)
def loss_curve(n: int, a: Nodes, b: Nodes, relays: int, pairs: Nodes, order: Nodes) -> Floats:
    """Share of `pairs` (P, 2) with a path once the first k satellites of each `order` (R, L) are lost: (R, L + 1).

    P >= 1. A pair one of whose ends is lost has no path.
    """
    first, neighbour, _ = adjacency(n, a, b)
    repetitions, losses = order.shape
    share = np.empty((repetitions, losses + 1))
    ends = np.unique(pairs)
    column = np.searchsorted(ends, pairs.ravel()).reshape(pairs.shape)
    parent = np.empty(relays, np.int32)
    here = np.empty(relays, np.bool_)
    touched = np.empty((relays, len(ends)), np.bool_)  # ends of pairs that a set of satellites reaches
    joined = np.empty(len(pairs), np.bool_)
    for r in range(repetitions):
        here[:] = False
        touched[:] = False
        joined[:] = False
        for e in range(len(ends)):
            if ends[e] < relays:
                touched[ends[e], e] = True
            else:
                touched[neighbour[first[ends[e]] : first[ends[e] + 1]], e] = True
        lost = np.zeros(relays, np.bool_)
        lost[order[r]] = True
        back = np.concatenate((np.flatnonzero(~lost).astype(np.int32), order[r, ::-1]))
        for k in range(relays):
            if k >= relays - losses:
                share[r, relays - k] = joined.mean()
            satellite = back[k]
            parent[satellite] = satellite
            here[satellite] = True
            _join(joined, column, touched[satellite], touched[satellite])
            for i in range(first[satellite], first[satellite + 1]):
                if neighbour[i] < relays and here[neighbour[i]]:
                    one, other = root_of(parent, satellite), root_of(parent, neighbour[i])
                    if one != other:
                        _join(joined, column, touched[one], touched[other])
                        touched[one] |= touched[other]
                        parent[other] = one
        share[r, 0] = joined.mean()
    return share


@dataclass(frozen=True, slots=True)
class Gaps:
    """Times without a path, by pair and time; arrays (n,)."""

    pair: Nodes
    start_s: Floats  # of the first step without a path
    length_s: Floats  # to the first step with one, or to the end of the last step
    recovered: Mask  # there was a path again

    def __len__(self) -> int:
        return len(self.pair)


def gaps(path: Mask, step_s: float) -> Gaps:
    """The gaps in `path` (K, P): whether each pair, or flow, has a path in use at each step.

    The length of a gap is its recovery time, good to a step. One that starts at 0 is the start of the run, no loss.
    """
    edge = np.diff(np.pad(~path, ((1, 1), (0, 0))).astype(np.int8), axis=0)
    pair, start = np.nonzero(edge.T == 1)
    _, stop = np.nonzero(edge.T == -1)
    return Gaps(
        pair.astype(np.int32),
        step_s * start.astype(np.float64),
        step_s * (stop - start).astype(np.float64),
        stop < len(path),
    )


@njit(cache=True, nogil=True)
def _join(joined: Mask, column: NDArray[np.int64], one: Mask, other: Mask) -> None:
    """Mark the pairs whose ends are reached by one set of satellites and by another that it meets."""
    for p in range(len(joined)):
        if not joined[p]:
            i, j = column[p, 0], column[p, 1]
            joined[p] = (one[i] and other[j]) or (other[i] and one[j])
