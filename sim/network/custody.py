"""Custody of data while no path exists: store and forward by contact plan.

| in | | out | |
| --- | --- | --- | --- |
| contacts: from node to node, open from, until, delay | s | earliest arrival at each node, and over which contact | s |
| data that has no path, each step's links, grants | Mb | what moves this step and over which links, what arrived | Mb |

A contact plan lists the links that are foreseen. Data goes the way that arrives first (schedule-aware bundle routing,
CCSDS 734.3-B-1, the earliest arrival of a first bit; volume is settled when the contact is open, by the same shares as
all other traffic). A node accepts data with its custody, so that data is at one node at any time and arrives once. A
contact that should be open but is down is not counted on until it is up, and every custodian knows so at once.

Validated against: exhaustive search over small contact plans.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import takewhile

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sim.network.backlog import Backlog, Chunk
from sim.network.routing import Floats, Links, Nodes, pop, push

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class ContactPlan:
    """Contacts in ascending order of `tail`; a contact carries data that leaves in [start_s, end_s)."""

    n: int  # nodes
    tail: Nodes  # (C,) the node that sends
    head: Nodes  # (C,) the node that receives
    link: NDArray[np.int64]  # (C,) directed link, as `routing.Links` numbers them
    start_s: Floats  # (C,)
    end_s: Floats  # (C,)
    delay_s: Floats  # (C,)

    def earliest(
        self, source: int, at_s: float, usable: Mask | None = None, relays: int | None = None
    ) -> tuple[Floats, Nodes]:
        """Earliest arrival (n,) s of data at `source` at `at_s`, inf for never, and the last contact (n,), -1 for none.

        usable (C,): contacts that may be counted on, none: all; nodes from `relays` on only begin and end ways.
        """
        arrival = np.full(self.n, np.inf)
        over = np.full(self.n, -1, np.int32)
        usable = np.ones(len(self.tail), np.bool_) if usable is None else usable
        first = np.searchsorted(self.tail, np.arange(self.n + 1))
        contacts = (first, self.head, self.start_s, self.end_s, self.delay_s, usable)
        _earliest(source, at_s, *contacts, self.n if relays is None else relays, arrival, over)
        return arrival, over

    def way(self, over: Nodes, target: int) -> list[int]:
        """The contacts to `target` in order, from the last contacts `over` (n,); empty where there is none."""
        contacts: list[int] = []
        node = target
        while over[node] >= 0:
            contacts.append(int(over[node]))
            node = int(self.tail[over[node]])
        return contacts[::-1]


class ContactLog:
    """Collects a contact plan from the links that are foreseen at each step."""

    def __init__(self, links: Links) -> None:
        self._links = links
        self._since = np.full(len(links.a), np.inf)
        self._delay = np.zeros(len(links.a))
        self._closed: list[tuple[NDArray[np.int64], Floats, Floats, Floats]] = []

    def step(self, t_s: float, up: Mask, delay_s: Floats) -> None:
        """The links `up` (L,) are up from `t_s` to the next step; a contact has the delay (L,) s at which it opens."""
        was_up = np.isfinite(self._since)
        self._close(was_up & ~up, t_s)
        opened = up & ~was_up
        self._since[opened], self._delay[opened] = t_s, delay_s[opened]

    def plan(self, end_s: float) -> ContactPlan:
        """The plan of all contacts, those that are still open until `end_s`."""
        self._close(np.isfinite(self._since), end_s)
        link, start, end, delay = (np.concatenate(column) for column in zip(*self._closed, strict=True))
        directed = np.concatenate((2 * link, 2 * link + 1))
        tail, head = self._links.ends(directed)
        order = np.argsort(tail, kind="stable")
        start, end, delay = (np.tile(column, 2)[order] for column in (start, end, delay))
        return ContactPlan(self._links.n, tail[order], head[order], directed[order], start, end, delay)

    def _close(self, ending: Mask, t_s: float) -> None:
        link = np.flatnonzero(ending)
        self._closed.append((link, self._since[link], np.full(len(link), t_s), self._delay[link]))
        self._since[link] = np.inf


@dataclass(frozen=True, slots=True)
class Move:
    """Data that can go on now: over links that are up, to where it waits for the next contact or has arrived."""

    flow: int
    tail: int  # node
    head: int  # node
    links: NDArray[np.int64]  # (H,) directed
    delay_s: float
    mb: float


class Custody:
    """The data that waits at nodes for contacts."""

    def __init__(self, plan: ContactPlan, targets: Nodes, relays: int | None = None) -> None:
        """Start empty; targets (F,): node to which each flow goes; relays: as for `ContactPlan.earliest`."""
        self._plan, self._targets, self._relays = plan, targets, relays
        self._store: dict[tuple[int, int], Backlog] = {}

    def keep(self, flow: int, node: int, chunks: Iterable[Chunk]) -> None:
        """Take custody of data of `flow` at `node`."""
        self._store.setdefault((flow, node), Backlog()).put(chunks)

    def held_mb(self) -> Floats:
        """Data in custody of each flow (F,) Mb."""
        held = np.zeros(len(self._targets))
        for (flow, _), backlog in self._store.items():
            held[flow] += backlog.mb
        return held

    def moves(self, t_s: float, up: Mask) -> list[Move]:
        """What could go on over the links `up` (L,) from `t_s` on."""
        if not self._store:
            return []
        plan = self._plan
        open_now = (plan.start_s <= t_s) & (t_s < plan.end_s)
        usable = (t_s < plan.end_s) & (~open_now | up[plan.link >> 1])
        over = {node: plan.earliest(node, t_s, usable, self._relays)[1] for node in {node for _, node in self._store}}
        moves = []
        for (flow, node), backlog in self._store.items():
            way = plan.way(over[node], int(self._targets[flow]))
            stretch = list(takewhile(lambda contact: open_now[contact], way))
            if stretch:
                head, delay = int(plan.head[stretch[-1]]), float(plan.delay_s[stretch].sum())
                moves.append(Move(flow, node, head, plan.link[stretch], delay, backlog.mb))
        return moves

    def carry(self, move: Move, mb: float) -> list[Chunk]:
        """Carry up to `mb` of a move; returns what has reached its flow's target."""
        backlog = self._store[move.flow, move.tail]
        chunks = backlog.take(mb)
        if backlog.mb == 0.0:
            del self._store[move.flow, move.tail]
        if move.head == self._targets[move.flow]:
            return chunks
        self.keep(move.flow, move.head, chunks)
        return []


@njit(cache=True, nogil=True)
def _earliest(
    source: int,
    at_s: float,
    first: NDArray[np.int64],
    head: Nodes,
    start_s: Floats,
    end_s: Floats,
    delay_s: Floats,
    usable: Mask,
    relays: int,
    arrival: Floats,
    over: Nodes,
) -> None:
    # waiting is allowed and the delay of a contact is constant, so that data that is earlier at a node stays earlier
    key = np.empty(len(head) + 1, np.float64)
    node = np.empty(len(head) + 1, np.int32)
    arrival[source] = at_s
    size = push(key, node, 0, at_s, source)
    while size:
        at, u = key[0], node[0]
        size = pop(key, node, size)
        if at > arrival[u] or (u >= relays and u != source):
            continue
        for c in range(first[u], first[u + 1]):
            leaving = max(at, start_s[c])
            v, trial = head[c], leaving + delay_s[c]
            if usable[c] and leaving < end_s[c] and trial < arrival[v]:
                arrival[v], over[v] = trial, c
                size = push(key, node, size, trial, v)
