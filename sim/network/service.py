"""Whether pairs of nodes are served: the delay over the route in use, and for how long of a step there is none.

| in, each step | unit | out, of each pair | unit |
| --- | --- | --- | --- |
| shortest paths over what each source believes | s | delay over the route in use at the end of the step | s |
| links that are up, what sources have not learnt yet | | part of the step without service | s |

A source sends along the route that it believes to be the shortest. As long as it does not know that a link of it is
down, or knows no route, the pair is not served (`knowledge.interruption`). Links that come and go as foreseen cost
nothing: the source changes its route at that moment.

Validated against: interruptions worked out by hand on a ring of satellites.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sim.network import resilience
from sim.network.knowledge import Belief, interruption
from sim.network.record import GAP
from sim.network.routing import Floats, Links, Nodes, route

Mask = NDArray[np.bool_]
Route = NDArray[np.int64]

_NO_ROUTE = np.zeros(0, np.int64)


@dataclass(frozen=True, slots=True)
class News:
    """What some source has wrong or has learnt only within a step; the knowledge of one step, kept."""

    t_s: float
    believed: Mask | None  # (Q, L), None: every source knows all
    late: NDArray[np.intp]  # links whose present state some source learns after `t_s`
    known_at_s: Floats  # (Q, len(late))
    broken: Mask  # (n,) nodes at the ends of links that are down and not known to be by everyone from `t_s` on

    @classmethod
    def of(cls, belief: Belief, links: Links, up: Mask, t_s: float) -> Self:
        """What of `belief` is needed when the step after has changed it."""
        wrong, late, down = _scan(belief.up, belief.known_at_s, up, t_s)
        broken = np.zeros(links.n, np.bool_)
        broken[links.a[down]] = broken[links.b[down]] = True
        known = belief.known_at_s[:, late]
        return cls(t_s, belief.up.copy() if wrong else None, late, known, broken)

    def known(self, source: int, links: int) -> Floats:
        """When the source learns of the present state of each link (L,); those that it has long known: -inf."""
        row = np.full(links, -np.inf)
        row[self.late] = self.known_at_s[source]
        return row


class Service:
    """The routes in use between pairs of nodes."""

    def __init__(self, links: Links, pairs: Nodes) -> None:
        """Serve `pairs` (P, 2): row of the source in the shortest paths, node of the target."""
        self._links, self._pairs = links, pairs
        self._before: Nodes | None = None
        self._served = np.zeros(len(pairs), np.bool_)

    def step(self, delay_s: Floats, before: Nodes, up: Mask, news: News, step_s: float) -> tuple[Floats, Floats]:
        """Delay in s and time without service in s of each pair, both (P,), in the step of `news`.

        The delay of a route that is broken is NaN, that of a pair without a route inf.
        delay_s, before (Q, n): shortest paths over what each source believes, and the nodes before on them.
        """
        rows, targets = self._pairs.T
        delay = delay_s[rows, targets]
        there = np.isfinite(delay)
        if self._before is None:
            # what ran before the start is not known
            self._before, self._served = before, there
        doubtful = ~there | ~self._served
        if news.broken.any():
            doubtful |= _meets(self._before, self._pairs, news.broken) | _meets(before, self._pairs, news.broken)
        outage = np.zeros(len(delay))
        for p in np.flatnonzero(doubtful).tolist():
            old, new = self._route(self._before, p), self._route(before, p)
            found = interruption(old, new, up, news.known(rows[p], len(up)), news.t_s, step_s)
            outage[p] = found.lost_s + found.waiting_s
            if not up[new >> 1].all():
                delay[p] = np.nan
        self._before, self._served = before, there
        return delay, outage

    def _route(self, before: Nodes, pair: int) -> Route:
        row, target = self._pairs[pair]
        nodes = route(before[row], int(target))
        return self._links.along(nodes) if nodes else _NO_ROUTE


def gaps(outage_s: NDArray[np.floating], delay_s: NDArray[np.floating], step_s: float) -> NDArray[np.void]:
    """Times without service as `record.GAP`, by pair and time. outage_s, delay_s (K, P) as `Service.step` gives them.

    Steps that follow each other without full service are one gap; its length is the sum of what they lack.
    """
    runs = resilience.gaps(outage_s <= 0.0, step_s)
    start = np.rint(runs.start_s / step_s).astype(np.int64)
    stop = start + np.rint(runs.length_s / step_s).astype(np.int64)

    def within(series: NDArray[np.floating] | Mask) -> Floats:
        """Sum of a series (K, P) over each gap."""
        total = np.pad(np.cumsum(series, axis=0, dtype=np.float64), ((1, 0), (0, 0)))
        return np.asarray(total[stop, runs.pair] - total[start, runs.pair])

    found = np.zeros(len(runs), GAP)
    found["of"], found["start_s"], found["length_s"] = runs.pair, runs.start_s, within(outage_s)
    found["cause"] = np.where(start == 0, 0, np.where(within(np.isposinf(delay_s)) > 0.0, 1, 2))
    found["over"] = runs.recovered
    return found


@njit(cache=True, nogil=True)
def _scan(
    believed: Mask, known_at_s: Floats, up: Mask, t_s: float
) -> tuple[bool, NDArray[np.int64], NDArray[np.int64]]:
    """Whether any source is wrong about any link; links that one learns of late; of these and those, the ones down."""
    sources, links = believed.shape
    late, down = np.zeros(links, np.bool_), np.zeros(links, np.bool_)
    wrong = False
    for q in range(sources):
        for i in range(links):
            error = believed[q, i] != up[i]
            wrong |= error
            new = known_at_s[q, i] > t_s
            late[i] |= new
            down[i] |= (error or new) and not up[i]
    return wrong, np.flatnonzero(late), np.flatnonzero(down)


@njit(cache=True, nogil=True)
def _meets(before: Nodes, pairs: Nodes, broken: Mask) -> Mask:
    """Pairs (P,) whose route has two nodes in a row that are `broken` (n,)."""
    met = np.zeros(len(pairs), np.bool_)
    for p in range(len(pairs)):
        row, node = pairs[p]
        while before[row, node] >= 0:
            last = before[row, node]
            if broken[node] and broken[last]:
                met[p] = True
                break
            node = last
    return met
