"""What each source knows of the links, and when: distributed link state, or a topology computed ahead.

| in, each step | | out | |
| --- | --- | --- | --- |
| which of the L links are up, their delays | s | which links each source believes to be up | |
| which of them the plan foresees to be up | | when it learnt of each link's present state | s |

A source sends by what it knows (source routing): `shortest_believed` finds its paths, and `interruption` says how much
of the step a flow loses on the old route, or waits for a new one.

In *link state* (RFC 2328, OSPF, is the model) the ends of a link find a change after the detection time, and flood
it over the links that are up: a hop costs its propagation and the receiver's processing. Nodes that were cut off learn
from the ends when they are reached again. *Precomputed* routing has the foreseen topology in every node; where the
links differ from it, a centre has the difference known everywhere one recompute time after it began.

Validated against: a line by hand, an event simulation of flooding on random graphs.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sim.network.routing import Floats, Links, Nodes, shortest

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Belief:
    """What Q sources know of L links by the end of a step; the arrays change with the next step."""

    up: Mask  # (Q, L)
    known_at_s: Floats  # (Q, L) when the present state of the link became or becomes known; inf: when is not known


@dataclass(frozen=True, slots=True)
class Interruption:
    """What a step does to a flow whose route changes."""

    lost_s: float  # time for which the source sends into a link that is down
    waiting_s: float  # time for which it knows no route
    broken: int  # the directed link that is down; -1: none


class Knowledge(Protocol):
    """How news of the links reaches the sources."""

    def step(self, t_s: float, step_s: float, up: Mask, delay_s: Floats, foreseen: Mask) -> Belief:
        """The belief over [t_s, t_s + step_s), in which the links `up` (L,) are up; delay_s (L,) of all links.

        foreseen (L,): the links that the plan expects to be up at `t_s`. At the first step all is known.
        """


def known_at(
    n: int,
    a: ArrayLike,
    b: ArrayLike,
    delay_s: ArrayLike,
    ends: ArrayLike,
    found_at_s: ArrayLike,
    observers: ArrayLike,
    processing_s: float,
    relays: int | None = None,
) -> Floats:
    """When each observer learns of each change (Q, C) s; inf for one that no flood reaches.

    a, b, delay_s (M,): links that are up, as for `routing.shortest`; ends (C, 2): the nodes that find the change and
    flood it, at found_at_s (C,); observers (Q,) nodes; processing_s: of a node, before it uses or forwards the news.
    The first copy to arrive counts. Raises ConfigError as `shortest` does.
    """
    away, _ = shortest(n, a, b, np.asarray(delay_s) + processing_s, observers, relays)
    ends = np.asarray(ends)
    first: Floats = np.asarray(found_at_s) + np.minimum(away[:, ends[:, 0]], away[:, ends[:, 1]])
    return first


class LinkState:
    """Every node floods what its own links do; a change that the plan foresees, its ends announce ahead."""

    def __init__(
        self, links: Links, observers: Nodes, detection_s: float, processing_s: float, relays: int | None = None
    ) -> None:
        """The belief is that of the nodes `observers` (Q,); relays: as for `routing.shortest`."""
        self._links, self._observers, self._relays = links, observers, relays
        self._detection_s, self._processing_s = detection_s, processing_s
        self._ends = np.stack((links.a, links.b), axis=1)
        self._found_at = np.full(len(links.a), -np.inf)
        self._unsettled = np.zeros(len(links.a), np.bool_)
        self._known_at = np.full((len(observers), len(links.a)), -np.inf)
        self._believed: Mask | None = None

    def step(self, t_s: float, step_s: float, up: Mask, delay_s: Floats, foreseen: Mask) -> Belief:
        """As `Knowledge.step`. A flood runs over the links of the step in which it starts."""
        if self._believed is None:
            self._believed = np.tile(up, (len(self._observers), 1))
            self._up, self._foreseen = up.copy(), foreseen.copy()
        believed, known = self._believed, self._known_at
        changed = up != self._up
        expected = changed & (foreseen != self._foreseen) & (foreseen == up)
        self._up, self._foreseen = up.copy(), foreseen.copy()
        believed[:, expected], known[:, expected] = up[expected], t_s
        news = changed & ~expected
        known[:, news], self._found_at[news] = np.inf, t_s + self._detection_s
        self._unsettled = (self._unsettled | news) & ~expected
        under_way = np.flatnonzero(self._unsettled & (self._found_at < t_s + step_s))
        if under_way.size:
            arrival = known_at(
                self._links.n,
                self._links.a[up],
                self._links.b[up],
                delay_s[up],
                self._ends[under_way],
                np.maximum(self._found_at[under_way], t_s),
                self._observers,
                self._processing_s,
                self._relays,
            )
            # what is in flight since an earlier step arrives before what starts now
            arrival = np.minimum(arrival, known[:, under_way])
            here = arrival < t_s + step_s
            known[:, under_way] = arrival
            believed[:, under_way] = np.where(here, up[under_way], believed[:, under_way])
            self._unsettled[under_way] = ~here.all(axis=0)
        return Belief(believed, known)


class Precomputed:
    """Every node holds the foreseen topology; a difference is known everywhere `recompute_s` after it began."""

    def __init__(self, links: Links, observers: Nodes, recompute_s: float) -> None:
        """The belief is that of the nodes `observers` (Q,)."""
        self._shape = (len(observers), len(links.a))
        self._recompute_s = recompute_s
        self._since = np.full(len(links.a), np.inf)
        self._known_at = np.full(len(links.a), -np.inf)
        self._believed: Mask | None = None

    def step(self, t_s: float, step_s: float, up: Mask, delay_s: Floats, foreseen: Mask) -> Belief:
        """As `Knowledge.step`. What is foreseen but does not happen is believed until the correction."""
        if self._believed is None:
            self._believed, self._foreseen = up.copy(), foreseen.copy()
        believed, known, since = self._believed, self._known_at, self._since
        turned = foreseen != self._foreseen
        self._foreseen = foreseen.copy()
        believed[turned], known[turned], since[turned] = foreseen[turned], t_s, np.inf
        wrong = believed != up
        known[~wrong & np.isfinite(since)] = t_s
        since[wrong] = np.minimum(since[wrong], t_s)
        known[wrong] = since[wrong] + self._recompute_s
        corrected = wrong & (known < t_s + step_s)
        believed[corrected] = up[corrected]
        since[~wrong | corrected] = np.inf
        return Belief(np.broadcast_to(believed, self._shape), np.broadcast_to(known, self._shape))


def shortest_believed(
    links: Links, believed: Mask, delay_s: Floats, sources: Nodes, relays: int | None = None
) -> tuple[Floats, Nodes]:
    """`routing.shortest` of each source (Q,) over the links that it believes to be up: delay and predecessor (Q, n).

    believed (Q, L); delay_s (L,). Sources that believe the same, which most do most of the time, are taken together.
    """
    delay = np.empty((len(sources), links.n))
    before = np.empty((len(sources), links.n), np.int32)
    alike: dict[bytes, list[int]] = {}
    for q, row in enumerate(believed):
        alike.setdefault(row.tobytes(), []).append(q)
    for rows in alike.values():
        kept = believed[rows[0]]
        delay[rows], before[rows] = shortest(
            links.n, links.a[kept], links.b[kept], delay_s[kept], sources[rows], relays
        )
    return delay, before


def interruption(
    before: NDArray[np.int64], after: NDArray[np.int64], up: Mask, known_at_s: Floats, t_s: float, step_s: float
) -> Interruption:
    """What [t_s, t_s + step_s) costs a flow that had the route `before` and has `after` by the end of the step.

    before, after (H,): directed links, empty without a route; up (L,): the truth; known_at_s (L,): the source's row.
    The source leaves the old route when it knows of every break on it, and takes a new one when it knows all its links.
    """
    broken_before = before[~up[before >> 1]]
    broken_after = after[~up[after >> 1]]
    news = before[:0]
    if broken_before.size:
        news = broken_before
    elif not before.size:
        news = after
    switch = float(np.clip(known_at_s[news >> 1].max(initial=t_s) - t_s, 0.0, step_s))
    lost, waiting = (switch, 0.0) if before.size else (0.0, switch)
    if broken_after.size:
        lost += step_s - switch
    if not after.size:
        waiting += step_s - switch
    broken = broken_before if broken_before.size and switch > 0.0 else broken_after
    return Interruption(lost, waiting, int(broken[0]) if broken.size else -1)
