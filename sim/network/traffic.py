"""Flows: strict priorities, fair shares, queues at the sources, loss, and custody.

| in, each step | | out, of each flow | |
| --- | --- | --- | --- |
| route by which each source sends, its delay | s | sent, delivered and lost in the step | Mb |
| links that are up, when sources know of changes | s | queued and in custody at its end | Mb |
| capacity of each direction of a link | Mb/s | mean delay of what was delivered: path and wait | s |

A step treats data as a fluid. Each flow wants all its waiting data carried; a class of priority gets what the classes
before it leave, max-min fair within the class. What is not granted waits at the source, where the same rule shares the
queue and drops the rest at the tail. What is sent into a link that is down is lost, or, where the flow asks for it, is
kept in custody by the node ahead of the break; so is what has no route. Data in custody at a node goes on as a flow of
its own, of the same class.

Validated against: closed forms of shared links, the linear programme of max-min fairness, conservation of data.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numba import njit
from numpy.typing import NDArray
from pydantic import Field, model_validator

from sim.configuration import WorldModel
from sim.network.backlog import Backlog, Chunk
from sim.network.custody import Custody
from sim.network.knowledge import Interruption, interruption
from sim.network.routing import Floats, Links, Nodes

Mask = NDArray[np.bool_]
Route = NDArray[np.int64]


class FlowModel(WorldModel):
    """Data that is sent at a constant rate from one ground point or satellite to another."""

    source: str = Field(min_length=1, description="name of a ground point or satellite")
    destination: str = Field(min_length=1, description="name of a ground point or satellite")
    rate_mbps: float = Field(gt=0, description="rate at which the source offers data")
    priority: int = Field(default=4, ge=0, le=7, description="class: 0 goes first, 7 last")
    custody: bool = Field(default=False, description="keep data while no path exists, instead of losing it")

    @model_validator(mode="after")
    def _check_ends(self) -> Self:
        if self.source == self.destination:
            raise ValueError(f"a flow needs two ends, found {self.source!r} as source and destination")
        return self


@dataclass(frozen=True, slots=True)
class FlowStep:
    """What became of each flow in a step; all (F,)."""

    sent_mb: Floats
    delivered_mb: Floats
    lost_mb: Floats
    queued_mb: Floats  # at the source, at the end of the step
    custody_mb: Floats  # at the end of the step
    delay_s: Floats  # mean over what was delivered; NaN: nothing was


class Traffic:
    """All flows of a mesh."""

    def __init__(
        self,
        flows: Sequence[FlowModel],
        ends: Nodes,
        links: Links,
        node_mbps: Floats,
        queue_mb: float,
        custody: Custody,
    ) -> None:
        """Set up flows between nodes `ends` (F, 2).

        node_mbps (n,): what a node sends as the first of a route at most, and what it receives as the last; queue_mb:
        what waits at one source at most, data in custody not counted.
        """
        self._ends, self._links, self._custody = ends, links, custody
        self._node_mbps, self._queue_mb = node_mbps, np.full(links.n, queue_mb)
        self._rate = np.array([flow.rate_mbps for flow in flows], np.float64)
        self._priority = np.array([flow.priority for flow in flows], np.int64)
        self._kept = [flow.custody for flow in flows]
        self._backlog = [Backlog() for _ in flows]
        self._route: list[Route] = [np.zeros(0, np.int64) for _ in flows]

    def step(
        self,
        t_s: float,
        step_s: float,
        routes: Sequence[Route],
        path_delay_s: Floats,
        up: Mask,
        known_at_s: Sequence[Floats],
        capacity_mbps: Floats,
    ) -> FlowStep:
        """Offer and carry the data of [t_s, t_s + step_s).

        routes: F times the directed links (H,) that the source believes in by the end of the step, empty for none;
        path_delay_s (F,) of each; up (L,); known_at_s: F times the row (L,) of the flow's source, as in
        `knowledge.Belief`; capacity_mbps (2 L,) of each direction of a link.
        """
        changes = zip(self._route, routes, known_at_s, strict=True)
        breaks = [interruption(before, after, up, known, t_s, step_s) for before, after, known in changes]
        # a source without a new route stays on the old one until it knows of the break
        paths = [after if after.size else before for before, after in zip(self._route, routes, strict=True)]
        self._route = list(routes)
        sending_s = np.array([step_s - found.waiting_s for found in breaks])
        for f, backlog in enumerate(self._backlog):
            backlog.put([(t_s, self._rate[f] * step_s)])
            if self._kept[f] and sending_s[f] == 0.0:
                self._custody.keep(f, int(self._ends[f, 0]), backlog.take(backlog.mb))
        # who loses the route sends what falls into the time until then, who gets one sends all that waits for it
        share = np.where([route.size > 0 for route in routes], sending_s > 0.0, sending_s / step_s)
        moves = self._custody.moves(t_s, up)
        granted = max_min(
            np.concatenate((share * self._waiting(), [move.mb for move in moves])),
            np.concatenate((self._priority, self._priority[[move.flow for move in moves]])),
            [self._resources(ends, path[up[path >> 1]]) for ends, path in zip(self._ends, paths, strict=True)]
            + [self._resources((move.tail, move.head), move.links) for move in moves],
            np.concatenate((capacity_mbps, self._node_mbps, self._node_mbps)) * step_s,
        )
        arrived: list[list[Chunk]] = [[] for _ in breaks]  # of each flow, with the delay in place of the time
        lost = np.zeros(len(breaks))
        for f, found in enumerate(breaks):
            stopped = granted[f] * found.lost_s / sending_s[f] if found.lost_s else 0.0
            lost[f] = self._stop(f, found, self._backlog[f].take(stopped))
            passed = self._backlog[f].take(granted[f] - stopped)
            arrived[f] += [(t_s + path_delay_s[f] - sent_s, mb) for sent_s, mb in passed]
        for move, mb in zip(moves, granted[len(breaks) :], strict=True):
            passed = self._custody.carry(move, mb)
            arrived[move.flow] += [(t_s + move.delay_s - sent_s, mb) for sent_s, mb in passed]
        lost += self._overflow()
        delivered = np.array([sum(mb for _, mb in chunks) for chunks in arrived])
        weight = np.array([sum(delay * mb for delay, mb in chunks) for chunks in arrived])
        delay = np.divide(weight, delivered, out=np.full(len(breaks), np.nan), where=delivered > 0.0)
        return FlowStep(self._rate * step_s, delivered, lost, self._waiting(), self._custody.held_mb(), delay)

    def _waiting(self) -> Floats:
        return np.array([backlog.mb for backlog in self._backlog], np.float64)

    def _resources(self, ends: NDArray[np.int32] | tuple[int, int], directed: Route) -> Route:
        """A route's directed links, what its first node sends and what its last receives: indices of the capacities."""
        links, nodes = 2 * len(self._links.a), self._links.n
        return np.concatenate((directed, np.array((links + ends[0], links + nodes + ends[1]), np.int64)))

    def _stop(self, flow: int, found: Interruption, chunks: list[Chunk]) -> float:
        """Data that meets a link that is down; returns how much of it is lost."""
        if chunks and self._kept[flow]:
            self._custody.keep(flow, int(self._links.ends([found.broken])[0][0]), chunks)
            return 0.0
        return sum(mb for _, mb in chunks)

    def _overflow(self) -> Floats:
        """Cut the queues to their limit; returns what is lost (F,): flows with custody lose nothing."""
        waiting, lost = self._waiting(), np.zeros(len(self._backlog))
        room = max_min(waiting, self._priority, list(self._ends[:, :1].astype(np.int64)), self._queue_mb)
        for f in np.flatnonzero(room < waiting):
            excess = float(waiting[f] - room[f])
            if self._kept[f]:
                self._custody.keep(int(f), int(self._ends[f, 0]), self._backlog[f].take(excess))
            else:
                lost[f] = self._backlog[f].drop(excess)
        return lost


def max_min(demand: Floats, priority: NDArray[np.int64], used: Sequence[Route], capacity: Floats) -> Floats:
    """Shares (F,) by strict priority, the lowest number first, max-min fair within a class, in the unit of `demand`.

    demand (F,), finite; used: F times the resources (H,) that a flow uses; capacity (R,) of each resource. No share can
    be raised without lowering one of the same class that is no higher (Bertsekas & Gallager 1992, section 6.5.2, by
    filling: all shares rise together until their flow is content or a resource is full).
    """
    first = np.concatenate(([0], np.cumsum([len(resources) for resources in used]))).astype(np.int64)
    present, resource = np.unique(np.concatenate([np.zeros(0, np.int64), *used]), return_inverse=True)
    granted, left = np.zeros(len(demand)), capacity[present]
    for level in np.unique(priority):
        _fill(demand, priority == level, first, resource, left, granted)
    return granted


def jitter(delay_s: Floats) -> Floats:
    """Mean absolute difference of delay between successive steps (F,) s of delays (K, F), NaN where none is known.

    The one-way delay variation of RFC 3393 and RFC 5481 (IPDV), each step taken as one packet; a step without delay
    ends a sequence. NaN for a flow that has no two delays in succession.
    """
    difference = np.abs(np.diff(delay_s, axis=0))
    known = np.isfinite(difference)
    total, count = np.where(known, difference, 0.0).sum(axis=0), known.sum(axis=0)
    mean: Floats = np.divide(total, count, out=np.full(delay_s.shape[1], np.nan), where=count > 0)
    return mean


@njit(cache=True, nogil=True)
def _fill(
    demand: Floats,
    rising: Mask,
    first: NDArray[np.int64],
    resource: NDArray[np.int64],
    left: Floats,
    granted: Floats,
) -> None:
    """Fill one class: flows `rising` (F,), over what is `left` (R,) of the resources."""
    users = np.empty(len(left), np.int64)
    while True:
        users[:] = 0
        rise = np.inf
        for f in range(len(demand)):
            if rising[f]:
                rise = min(rise, demand[f] - granted[f])
                for i in range(first[f], first[f + 1]):
                    users[resource[i]] += 1
        if rise == np.inf:
            return
        for r in range(len(left)):
            if users[r]:
                rise = min(rise, left[r] / users[r])
        for r in range(len(left)):
            # what is full is exactly 0, whatever the rounding
            if users[r]:
                left[r] = left[r] - rise * users[r] if left[r] / users[r] > rise else 0.0
        for f in range(len(demand)):
            if rising[f]:
                content = demand[f] - granted[f] <= rise
                granted[f] = demand[f] if content else granted[f] + rise
                rising[f] = not content
                for i in range(first[f], first[f + 1]):
                    if left[resource[i]] == 0.0:
                        rising[f] = False
