"""What is settled before the first step: names, the plan of crosslinks, the contacts that custodians know of."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from flightsw.errors import ConfigError
from sim.network.acquisition import AcquisitionTimes
from sim.network.assignment import CrosslinkPlan, plan
from sim.network.centrality import betweenness
from sim.network.custody import ContactLog, ContactPlan
from sim.network.demand import Demand
from sim.network.failures import Failures, Standing
from sim.network.mesh import Mesh
from sim.network.routing import Nodes
from sim.network.scenes import scene
from sim.network.sight import minimum_elevations, unseen, visible
from sim.network.topology import Topology

Floats = NDArray[np.float64]

#: Times at which a ground point is asked whether it sees a satellite.
_LOOK_S = 10.0
#: Step of the contact plan.
_CONTACT_STEP_S = 10.0


def refuse_unseen(mesh: Mesh) -> None:
    """Raise ConfigError for ground points that see no satellite at any time: which, and how many."""
    never = unseen(mesh.constellation, mesh.points, np.arange(0.0, mesh.duration_s, _LOOK_S))
    if never:
        named = ", ".join(f"{point.name} ({point.latitude_deg:g} deg)" for point in never[:8])
        more = f" and {len(never) - 8} more" if len(never) > 8 else ""
        raise ConfigError(
            f"ground: expected every point to see a satellite at some time, found {len(never)} of {len(mesh.points)} "
            f"that never do: {named}{more}; lower minimum_elevation_deg, or take them out"
        )


def flow_ends(mesh: Mesh) -> Nodes:
    """Nodes (F, 2) of each flow's source and destination. Raises ConfigError for names that are not there."""
    names = [*mesh.constellation.names, *(point.name for point in mesh.points)]
    node = {name: i for i, name in enumerate(names)}
    ends = [(flow.source, flow.destination) for flow in mesh.flows]
    unknown = sorted({name for pair in ends for name in pair if name not in node})
    if unknown:
        raise ConfigError(
            f"flows: expected names of ground points or satellites, found {len(unknown)} unknown: "
            f"{', '.join(unknown[:8])}; satellites are called like {names[0]}"
        )
    return np.array([[node[name] for name in pair] for pair in ends], np.int32).reshape(-1, 2)


def crosslink_plan(mesh: Mesh, ends: Nodes, failures: Failures) -> CrosslinkPlan:
    """The crosslinks that the policy assigns, without satellites known as lost at a replan time.

    ends (F, 2) nodes of flows. Whoever plans knows of a loss `recompute_s` after it.
    """
    times = np.arange(0.0, mesh.duration_s, mesh.replan_s)
    all_alive = np.ones(len(mesh.constellation), np.bool_)
    demand = _demand(mesh, ends, times) if mesh.policy == "demand" else None

    def planned(at: Floats, alive: NDArray[np.bool_]) -> CrosslinkPlan:
        return plan(mesh.constellation, mesh.terminals, mesh.policy, at, alive, demand)

    first = planned(times, all_alive)
    if not mesh.failures:
        return first
    for at_s in sorted(model.at_s for model in mesh.failures):
        # the most central are those of the time of their loss
        failures.at(at_s, central(mesh, first, at_s))
    known = [float(t) for t in times - mesh.routing.recompute_s]
    alive = [failures.at(t, central(mesh, first, t)).alive for t in known]
    return planned(times, np.array(alive))


def central(mesh: Mesh, crosslinks: CrosslinkPlan, t_s: float) -> Callable[[], Floats]:
    """Gives the centrality of each satellite (S,), for the pairs of gateways, in the network foreseen at `t_s`."""

    def centrality() -> Floats:
        satellites, points = len(mesh.constellation), len(mesh.points)
        topology = Topology(crosslinks, mesh, AcquisitionTimes.zero(), mesh.step_s, np.random.SeedSequence(0))
        step = topology.step(round(t_s / mesh.step_s), scene(mesh, t_s), all_well(mesh), np.zeros(points, np.bool_))
        gateways = np.flatnonzero([point.kind == "gateway" for point in mesh.points])
        ends = (satellites + gateways).astype(np.int32)
        links, up = topology.links, step.foreseen
        return betweenness(links.n, links.a[up], links.b[up], step.delay_s[up], satellites, ends)[:satellites]

    return centrality


def all_well(mesh: Mesh) -> Standing:
    """Nothing has failed."""
    satellites, points = len(mesh.constellation), len(mesh.points)
    return Standing(*(np.ones(count, np.bool_) for count in (satellites, points, satellites)))


def contact_plan(mesh: Mesh, crosslinks: CrosslinkPlan) -> ContactPlan:
    """The contacts foreseen for the whole simulation, good to 10 s."""
    points = len(mesh.points)
    step_s = max(mesh.step_s, _CONTACT_STEP_S)
    topology = Topology(crosslinks, mesh, mesh.acquisition, step_s, np.random.SeedSequence(0))
    log = ContactLog(topology.links)
    times = np.arange(0.0, mesh.duration_s, step_s)
    for k, t_s in enumerate(times):
        step = topology.step(k, scene(mesh, float(t_s)), all_well(mesh), np.zeros(points, np.bool_))
        log.step(float(t_s), step.foreseen, step.delay_s)
    return log.plan(float(times[-1]) + step_s)


def _demand(mesh: Mesh, ends: Nodes, times: Floats) -> Demand:
    """What the flows ask for, at each replan time."""
    satellites = len(mesh.constellation)
    nodes, index = np.unique(ends, return_inverse=True)
    index = index.reshape(ends.shape).astype(np.int32)
    range_m = np.full((len(times), len(nodes), satellites), np.inf, np.float32)
    minimum = minimum_elevations(mesh.points)
    for r, t_s in enumerate(times):
        now = scene(mesh, float(t_s))
        seen = visible(now.ground, now.position, minimum)
        for e, node in enumerate(nodes):
            if node < satellites:
                range_m[r, e, node] = 0.0
            else:
                g = node - satellites
                distance = np.linalg.norm(now.position - now.ground[g], axis=1)
                range_m[r, e, seen[g]] = distance[seen[g]]
    return Demand(range_m, index[:, 0], index[:, 1], np.array([flow.rate_mbps for flow in mesh.flows]))
