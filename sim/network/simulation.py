"""The mesh over time: from satellites that move to data that arrives, a step at a time.

```
 scenes ----------> Topology ------> Knowledge ------> shortest paths ---> Service, Traffic ---> MeshRecord
 (a block ahead,    (links up,       (what each        (two threads)       (who is served,
  in a thread)       foreseen)        source believes)                      what arrives)
```

Within a step all stands still but news, which spread.

Validated against: the closed form of a ring of satellites; ideal links, equal to acquisition times of zero.
"""

import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.geometry import SPEED_OF_LIGHT
from sim.network.custody import ContactLog, Custody
from sim.network.failures import Failures, Standing
from sim.network.ground import clouds, earth_fixed
from sim.network.knowledge import Knowledge, LinkState, Precomputed, shortest_believed
from sim.network.mesh import Mesh
from sim.network.preparation import central, contact_plan, crosslink_plan, flow_ends, refuse_unseen
from sim.network.record import MeshRecord, Network
from sim.network.recording import Album, Series
from sim.network.routing import Floats, Nodes, route, shortest
from sim.network.scenes import Scene, scenes
from sim.network.service import News, Service, gaps
from sim.network.sight import fibre_delay, vacuum_delay
from sim.network.survey import survey
from sim.network.topology import Step, Topology
from sim.network.traffic import FlowStep, Traffic

Mask = NDArray[np.bool_]
Paths = tuple[Floats, Nodes]

#: Steps by which shortest paths may lag behind the links.
_AHEAD = 6
_NO_ROUTE = np.zeros(0, np.int64)


def simulate(mesh: Mesh, progress: Callable[[float, float], None] | None = None) -> MeshRecord:
    """Simulate a mesh; `progress` is told the simulated and the wall time in s.

    Raises ConfigError for ground points that never see a satellite, for names that are not there, and as the parts do.
    """
    simulation = _Simulation(mesh)
    begin = time.perf_counter()
    pending: deque[_Pending] = deque()
    with ThreadPoolExecutor(2) as pool, closing(scenes(mesh, simulation.t_s, pool)) as all_scenes:
        for k, scene in enumerate(all_scenes):
            pending.append(simulation.start(k, scene, pool))
            if len(pending) > _AHEAD:
                simulation.finish(pending.popleft())
            if progress is not None:
                progress((k + 1) * mesh.step_s, time.perf_counter() - begin)
        while pending:
            simulation.finish(pending.popleft())
    return simulation.record()


@dataclass(frozen=True, slots=True)
class _Pending:
    """A step whose shortest paths are under way."""

    k: int
    scene: Scene
    standing: Standing
    usable: Mask  # (G,) ground points that are up
    step: Step
    news: News
    paths: Future[Paths]
    ideal: Future[Paths]


class _Simulation:
    """The parts of a simulation, and what goes between them."""

    def __init__(self, mesh: Mesh) -> None:
        refuse_unseen(mesh)
        self._mesh = mesh
        self.t_s: Floats = np.arange(mesh.steps, dtype=np.float64) * mesh.step_s
        cloud_seed, failure_seed, link_seed, self._survey_seed = np.random.SeedSequence(mesh.seed).spawn(4)
        self._cloudy = np.zeros((mesh.steps, len(mesh.points)), np.bool_)
        if mesh.clouds is not None:
            self._cloudy = clouds(mesh.clouds, len(mesh.points), self.t_s, np.random.default_rng(cloud_seed))
        self._failures = Failures(mesh.failures, mesh.constellation, mesh.points, np.random.default_rng(failure_seed))
        self._flow_ends = flow_ends(mesh)
        self._plan = crosslink_plan(mesh, self._flow_ends, self._failures)
        self._topology = Topology(self._plan, mesh, mesh.acquisition, mesh.step_s, link_seed)
        self._links = self._topology.links

        self._pairs = _pairs_of_gateways(mesh)
        ends = np.concatenate((len(mesh.constellation) + self._pairs, self._flow_ends))
        self._sources, row = np.unique(ends[:, 0], return_inverse=True)
        self._routes = np.column_stack((row, ends[:, 1])).astype(np.int32)
        self._knowledge = self._knowledge_of_sources()
        self._service = Service(self._links, self._routes)
        self._traffic = self._traffic_of_flows() if mesh.flows else None
        self._album = Album(mesh, self._links, len(self._plan.pairs), self._flow_ends)
        self._series = Series(mesh.steps, len(self._pairs), len(mesh.flows), len(self._plan.pairs))

    def start(self, k: int, scene: Scene, pool: ThreadPoolExecutor) -> _Pending:
        """Links and knowledge of step `k`, and its shortest paths under way."""
        t_s = float(self.t_s[k])
        standing = self._failures.at(t_s, central(self._mesh, self._plan, t_s))
        step = self._topology.step(k, scene, standing, self._cloudy[k])
        belief = self._knowledge.step(t_s, self._mesh.step_s, step.up, step.delay_s, step.foreseen)
        news = News.of(belief, self._links, step.up, t_s)
        paths = pool.submit(self._shortest, step.up, news.believed, step.delay_s)
        as_ideal = news.believed is None and np.array_equal(step.up, step.ideal)
        ideal = paths if as_ideal else pool.submit(self._shortest, step.ideal, None, step.delay_s)
        return _Pending(k, scene, standing, standing.ground_up & ~self._cloudy[k], step, news, paths, ideal)

    def finish(self, pending: _Pending) -> None:
        """Service and traffic of a step, when its shortest paths are there."""
        k, step, pairs = pending.k, pending.step, len(self._pairs)
        delay, before = pending.paths.result()
        in_use, outage = self._service.step(delay, before, step.up, pending.news, self._mesh.step_s)
        rows, targets = self._routes[:pairs].T
        ideal = pending.ideal.result()[0][rows, targets]
        self._series.add(k, in_use, outage, np.where(np.isfinite(ideal), ideal, np.nan), step.state)
        routes = [route(before[row], int(target)) for row, target in self._routes[pairs:]]
        if self._traffic is not None:
            self._series.add_flows(k, self._carry(self._traffic, pending, routes, delay))
        self._album.add(k, float(self.t_s[k]), pending.scene, pending.standing, pending.usable, step, routes)

    def record(self) -> MeshRecord:
        """All that was collected."""
        mesh, series, pairs = self._mesh, self._series, len(self._pairs)
        return MeshRecord(
            network=self._network(),
            t_s=self.t_s,
            delay_s=np.where(np.isfinite(series.delay_s), series.delay_s, np.float32(np.nan))[:, :pairs],
            ideal_delay_s=series.ideal_delay_s,
            gaps=gaps(series.outage_s[:, :pairs], series.delay_s[:, :pairs], mesh.step_s),
            states=series.states,
            availability=series.availability,
            events=self._topology.crosslinks.events,
            flows=series.flows,
            flow_gaps=gaps(series.outage_s[:, pairs:], series.delay_s[:, pairs:], mesh.step_s),
            snapshots=self._album.snapshots(),
            resilience=survey(self._album.pictures, mesh, self._pairs, self._flow_ends, self._survey_seed),
        )

    def _shortest(self, up: Mask, believed: Mask | None, delay_s: Floats) -> Paths:
        """From each source over what it believes, or over what is up."""
        links, relays = self._links, len(self._mesh.constellation)
        if believed is None:
            return shortest(links.n, links.a[up], links.b[up], delay_s[up], self._sources, relays)
        return shortest_believed(links, believed, delay_s, self._sources, relays)

    def _carry(self, traffic: Traffic, pending: _Pending, routes: list[list[int]], delay_s: Floats) -> FlowStep:
        mesh, links, step, crosslinks = self._mesh, self._links, pending.step, len(self._plan.pairs)
        rows, targets = self._routes[len(self._pairs) :].T
        capacity_mbps = np.full(len(links.a), mesh.gateways.rate_mbps)
        capacity_mbps[:crosslinks] = mesh.line_rate(step.delay_s[:crosslinks] * SPEED_OF_LIGHT) * 1e-6
        return traffic.step(
            pending.news.t_s,
            mesh.step_s,
            [links.along(nodes) if nodes else _NO_ROUTE for nodes in routes],
            delay_s[rows, targets],
            step.up,
            [pending.news.known(int(row), len(links.a)) for row in rows],
            np.repeat(capacity_mbps, 2),
        )

    def _knowledge_of_sources(self) -> Knowledge:
        routing, relays = self._mesh.routing, len(self._mesh.constellation)
        if routing.kind == "precomputed":
            return Precomputed(self._links, self._sources, routing.recompute_s)
        return LinkState(self._links, self._sources, routing.detection_s, routing.processing_ms * 1e-3, relays)

    def _traffic_of_flows(self) -> Traffic:
        mesh, relays = self._mesh, len(self._mesh.constellation)
        keeps = any(flow.custody for flow in mesh.flows)
        contacts = contact_plan(mesh, self._plan) if keeps else ContactLog(self._links).plan(0.0)
        custody = Custody(contacts, self._flow_ends[:, 1], relays)
        node_mbps = np.full(self._links.n, np.inf)
        node_mbps[relays:] = mesh.gateways.rate_mbps
        return Traffic(mesh.flows, self._flow_ends, self._links, node_mbps, mesh.gateways.queue_mb, custody)

    def _network(self) -> Network:
        constellation, points = self._mesh.constellation, self._mesh.points
        ends = [(points[a], points[b]) for a, b in self._pairs]
        return Network(
            epoch=constellation.epoch,
            satellites=constellation.names,
            shell=constellation.shell,
            plane=constellation.plane,
            ground=tuple(point.name for point in points),
            gateway=np.array([point.kind == "gateway" for point in points]),
            latitude_deg=np.array([point.latitude_deg for point in points]),
            longitude_deg=np.array([point.longitude_deg for point in points]),
            ground_position=earth_fixed(points),
            crosslinks=self._plan.pairs,
            pairs=self._pairs,
            fibre_s=np.array([fibre_delay(a, b) for a, b in ends]),
            bound_s=np.array([vacuum_delay(a, b) for a, b in ends]),
            flows=tuple(f"{flow.source} - {flow.destination}" for flow in self._mesh.flows),
            flow_ends=self._flow_ends,
        )


def _pairs_of_gateways(mesh: Mesh) -> Nodes:
    """Ground points (P, 2), every two gateways once."""
    gateways = np.flatnonzero([point.kind == "gateway" for point in mesh.points])
    one, other = np.triu_indices(len(gateways), 1)
    return np.column_stack((gateways[one], gateways[other])).astype(np.int32)
