"""What a simulation of the mesh leaves behind: series over all steps, pictures of the network at some of them.

Indices: satellites 0..S-1; ground points 0..G-1; node of satellite s is s, of ground point g is S + g. Steps 0..K-1,
snapshots 0..Q-1; crosslinks 0..E-1, pairs of gateways 0..P-1, flows 0..F-1. Earth-fixed axes: x toward the meridian of
Greenwich, z along the axis of rotation. Where there is no path a delay is NaN.
"""

from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

#: State of a crosslink: not assigned; slew and acquisition under way; up; assigned but not possible; an end is lost.
STATES = ("off", "acquiring", "up", "out", "failed")

#: What a time without service began with: the run itself; no path; a route over a link that was down, not yet known.
GAP_CAUSES = ("start", "no path", "stale route")

#: A time without service of a pair or flow (`of`); `over`: it ended before the run did. Lengths are finer than a step.
GAP = np.dtype([("of", "i4"), ("start_s", "f8"), ("length_s", "f8"), ("cause", "u1"), ("over", "?")])
EVENT = np.dtype([("time_s", "f8"), ("crosslink", "i4"), ("before", "u1"), ("after", "u1"), ("cause", "u1")])


#: Share of the satellites whose loss a mesh is to bear.
LOST_SHARE = 0.05


@dataclass(frozen=True, slots=True)
class Network:
    """What does not change during a simulation."""

    epoch: datetime
    satellites: tuple[str, ...]
    shell: NDArray[np.int32]  # (S,) index of the shell, -1 for satellites of a TLE file
    plane: NDArray[np.int32]  # (S,) within the shell, or -1
    ground: tuple[str, ...]
    gateway: NDArray[np.bool_]  # (G,) gateway, otherwise user
    latitude_deg: NDArray[np.float64]  # (G,)
    longitude_deg: NDArray[np.float64]  # (G,)
    ground_position: NDArray[np.float64]  # (G, 3) m, Earth-fixed
    crosslinks: NDArray[np.int32]  # (E, 2) satellites; every pair that the plan ever assigns
    pairs: NDArray[np.int32]  # (P, 2) ground points; every pair of gateways
    fibre_s: NDArray[np.float64]  # (P,) one way along the great circle in fibre
    bound_s: NDArray[np.float64]  # (P,) one way along the great circle in vacuum
    flows: tuple[str, ...]
    flow_ends: NDArray[np.int32]  # (F, 2) nodes


@dataclass(frozen=True, slots=True)
class Snapshots:
    """The network at some steps."""

    t_s: NDArray[np.float64]  # (Q,)
    position: NDArray[np.float32]  # (Q, S, 3) m, Earth-fixed
    alive: NDArray[np.bool_]  # (Q, S)
    ground_up: NDArray[np.bool_]  # (Q, G) neither lost, nor under cloud, nor jammed
    state: NDArray[np.uint8]  # (Q, E) index into STATES
    ground_links: tuple[NDArray[np.int32], ...]  # Q times (n, 2): ground point, satellite
    routes: tuple[tuple[NDArray[np.int32], ...], ...]  # Q times F times the nodes of a flow's route, none: empty
    disjoint: NDArray[np.int32]  # (Q, F) paths between a flow's ends that share no satellite
    articulation: tuple[NDArray[np.int32], ...]  # Q times the satellites whose loss parts the satellites that are up
    components: NDArray[np.int32]  # (Q,) parts of the network of satellites that are alive; 1: all of one piece


@dataclass(frozen=True, slots=True)
class FlowSeries:
    """What became of each flow at each step; (K, F)."""

    delay_s: NDArray[np.float32]  # mean of what arrived, path and wait; NaN: nothing did
    sent_mb: NDArray[np.float32]  # Mb offered in the step
    delivered_mb: NDArray[np.float32]
    lost_mb: NDArray[np.float32]
    queued_mb: NDArray[np.float32]  # at the source at the end of the step
    custody_mb: NDArray[np.float32]  # kept for want of a path at the end of the step


@dataclass(frozen=True, slots=True)
class LossCurve:
    """Share of the pairs of gateways that have a path when a share of the satellites is lost."""

    kind: str  # "random", "planes" or "central"
    share: NDArray[np.float64]  # (X,) of satellites lost
    connected: NDArray[np.float64]  # (X, R) of pairs, for R draws at all times surveyed
    #: (R0,) of pairs, for the draws of the first time, when `LOST_SHARE` of the satellites is lost and crosslinks are
    #: planned anew; empty where demand plans them.
    restored: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))


@dataclass(frozen=True, slots=True)
class Resilience:
    """What losses would do to the links that are up at C of the steps."""

    t_s: NDArray[np.float64]  # (C,)
    disjoint: NDArray[np.int32]  # (C, P) paths of a pair that share no satellite
    cut: tuple[NDArray[np.int32], ...]  # F times: a smallest set of satellites that parts a flow's ends, at the first
    connectivity: NDArray[np.int32]  # (C,) fewest satellites whose loss parts those that have a crosslink
    parted: NDArray[np.int32]  # (C, S) pairs that the loss of this satellite alone parts
    parted_ground: NDArray[np.int32]  # (C, G) pairs of other ground points that the loss of this one parts
    recovery_s: NDArray[np.float64]  # (C, S) until all pairs routed over a satellite have a new route; NaN: none is
    curves: tuple[LossCurve, ...]


@dataclass(frozen=True, slots=True)
class MeshRecord:
    """One simulation of the mesh."""

    network: Network
    t_s: NDArray[np.float64]  # (K,) since the epoch
    delay_s: NDArray[np.float32]  # (K, P) one way over the route in use at the end of the step; NaN: none that works
    ideal_delay_s: NDArray[np.float32]  # (K, P) with terminals that acquire at once and changes known at once
    gaps: NDArray[np.void]  # GAP of the pairs of gateways
    states: NDArray[np.int32]  # (K, 5) crosslinks in each of STATES
    availability: NDArray[np.float64]  # (E,) time up, of the time that the crosslink was assigned; NaN: never
    events: NDArray[np.void]  # EVENT: changes of the crosslinks' state; cause: `crosslinks.Cause`
    flows: FlowSeries
    flow_gaps: NDArray[np.void]  # GAP of the flows
    snapshots: Snapshots
    resilience: Resilience
