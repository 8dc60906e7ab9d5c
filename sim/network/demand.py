"""Crosslinks where the traffic wants them.

Demand crosses the links of its shortest path over all links that are possible. Which of those are made is the matching
of greatest total demand with as many links at a satellite as it has terminals to point at them: an integer programme
that HiGHS solves exactly. What paths then miss is routed again over links that are made or still possible.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_array

from sim.network.mounts import BLOCKED, suited
from sim.network.routing import route, shortest

Floats = NDArray[np.float64]

#: How often demand is routed: each time over what links and terminals the time before has left.
_ROUNDS = 4


@dataclass(frozen=True, slots=True)
class Demand:
    """What F flows ask for between Q ends, ground points or satellites."""

    range_m: NDArray[np.float32]  # (R, Q, S) from each end to each satellite; inf: not in sight; 0: the end itself
    source: NDArray[np.integer]  # (F,) ends
    destination: NDArray[np.integer]  # (F,)
    rate: Floats  # (F,) in any unit


def carry(
    demand: Demand,
    r: int,
    pairs: NDArray[np.int64],
    length: Floats,
    misfit: Floats,
    free: NDArray[np.bool_],
    mount: NDArray[np.int8],
) -> None:
    """Take from `free` (S, M) the terminals that demand asks for, and put them into `mount` (C, 2)."""
    for _ in range(_ROUNDS):
        allowed = (misfit < BLOCKED) & free[pairs]
        usable = np.flatnonzero((mount[:, 0] >= 0) | np.all(np.any(allowed, axis=2), axis=1))
        weight = np.zeros(len(pairs))
        weight[usable] = _crossing(demand, r, len(free), pairs[usable], length[usable])
        new = np.flatnonzero((weight > 0.0) & (mount[:, 0] < 0))
        if not len(new):
            return
        best = new[matching(pairs[new], allowed[new], weight[new])]
        mount[best] = suited(pairs[best], np.where(allowed[best], misfit[best], BLOCKED))
        free[pairs[best], mount[best]] = False


def _crossing(demand: Demand, r: int, satellites: int, pairs: NDArray[np.int64], length: Floats) -> Floats:
    """Sum of the rates that cross each of `pairs` (n, 2), ascending, on shortest paths over all of them."""
    end, satellite = np.nonzero(np.isfinite(demand.range_m[r]))
    nodes = satellites + demand.range_m.shape[1]
    a, b = np.concatenate((pairs[:, 0], satellite)), np.concatenate((pairs[:, 1], satellites + end))
    sources, row = np.unique(demand.source, return_inverse=True)
    along = np.concatenate((length, demand.range_m[r][end, satellite]))
    _, before = shortest(nodes, a, b, along, satellites + sources, satellites)
    key = pairs[:, 0] * satellites + pairs[:, 1]
    crossing = np.zeros(len(pairs))
    for source, destination, rate in zip(row, demand.destination, demand.rate, strict=True):
        hops = np.array(route(before[source], satellites + int(destination))[1:-1], np.int64)
        lower, upper = np.minimum(hops[:-1], hops[1:]), np.maximum(hops[:-1], hops[1:])
        crossing[np.searchsorted(key, lower * satellites + upper)] += rate
    return crossing


def matching(pairs: NDArray[np.int64], allowed: NDArray[np.bool_], weight: Floats) -> NDArray[np.int64]:
    """The links of greatest total weight that can be made together, as indices of `pairs`.

    pairs (n, 2) satellites; allowed (n, 2, M): terminals of either end that may hold the link; weight (n,), above 0.
    """
    n = len(pairs)
    link, end, terminal = np.nonzero(allowed)
    y = n + np.arange(len(link))
    # a link that is made has one terminal at either end; a terminal has one link at most
    ends = coo_array(
        (
            np.concatenate((np.ones(len(y)), np.full(2 * n, -1.0))),
            (np.concatenate((2 * link + end, np.arange(2 * n))), np.concatenate((y, np.repeat(np.arange(n), 2)))),
        )
    )
    _, of_satellite = np.unique(pairs[link, end] * allowed.shape[2] + terminal, return_inverse=True)
    terminals = coo_array((np.ones(len(y)), (of_satellite, y)), shape=(int(of_satellite.max()) + 1, n + len(y)))
    found = milp(
        np.concatenate((-weight, np.zeros(len(y)))),
        integrality=np.concatenate((np.ones(n), np.zeros(len(y)))),
        bounds=Bounds(0.0, 1.0),
        constraints=[LinearConstraint(ends.tocsr(), 0.0, 0.0), LinearConstraint(terminals.tocsr(), 0.0, 1.0)],
        options={"mip_rel_gap": 0.0},
    )
    return np.flatnonzero(found.x[:n] > 0.5)
