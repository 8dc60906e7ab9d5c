"""Collects what a simulation leaves behind, a step at a time."""

import numpy as np
from numpy.typing import NDArray

from sim.network.connectivity import articulation_points, disjoint_paths, label_components
from sim.network.crosslinks import State
from sim.network.failures import Standing
from sim.network.ground import inertial, sidereal_angle
from sim.network.mesh import Mesh
from sim.network.record import STATES, FlowSeries, Snapshots
from sim.network.routing import Floats, Links, Nodes
from sim.network.scenes import Scene
from sim.network.survey import Picture
from sim.network.topology import Step
from sim.network.traffic import FlowStep

Mask = NDArray[np.bool_]

#: Between snapshots, and how many there are at least.
_SNAPSHOT_S, _SNAPSHOTS = 60.0, 60
#: Snapshots of which losses are tried out.
_PICTURES = 4


class Series:
    """What is kept of every step."""

    def __init__(self, steps: int, pairs: int, flows: int, crosslinks: int) -> None:
        self.delay_s, self.outage_s = (np.zeros((steps, pairs + flows), np.float32) for _ in range(2))
        self.ideal_delay_s = np.zeros((steps, pairs), np.float32)
        self.states = np.zeros((steps, len(STATES)), np.int32)
        self.flows = FlowSeries(*(np.zeros((steps, flows), np.float32) for _ in range(6)))
        self._begun, self._assigned, self._up = (
            np.zeros(crosslinks, np.bool_),
            np.zeros(crosslinks),
            np.zeros(crosslinks),
        )

    def add(self, k: int, delay_s: Floats, outage_s: Floats, ideal_delay_s: Floats, state: NDArray[np.uint8]) -> None:
        """Delays and outages of pairs and flows (P + F,), ideal delays of pairs (P,), state of the crosslinks (E,)."""
        self.delay_s[k], self.outage_s[k], self.ideal_delay_s[k] = delay_s, outage_s, ideal_delay_s
        self.states[k] = np.bincount(state, minlength=len(STATES))
        # the first acquisition of all, at the start, is no outage
        self._begun |= state != State.ACQUIRING
        self._assigned += self._begun & (state != State.OFF)
        self._up += state == State.UP

    def add_flows(self, k: int, flows: FlowStep) -> None:
        """What became of the flows."""
        series = self.flows
        series.delay_s[k], series.sent_mb[k], series.delivered_mb[k] = flows.delay_s, flows.sent_mb, flows.delivered_mb
        series.lost_mb[k], series.queued_mb[k], series.custody_mb[k] = flows.lost_mb, flows.queued_mb, flows.custody_mb

    @property
    def availability(self) -> Floats:
        """Of each crosslink (E,)."""
        share = np.full(len(self._up), np.nan)
        np.divide(self._up, self._assigned, out=share, where=self._assigned > 0.0)
        return share


class Album:
    """Snapshots, and the pictures of links among them."""

    def __init__(self, mesh: Mesh, links: Links, crosslinks: int, flow_ends: Nodes) -> None:
        self._epoch, self._satellites, self._points = (
            mesh.constellation.epoch,
            len(mesh.constellation),
            len(mesh.points),
        )
        self._links, self._crosslinks, self._ends = links, crosslinks, flow_ends
        self._every = max(1, round(min(_SNAPSHOT_S, mesh.duration_s / _SNAPSHOTS) / mesh.step_s))
        count = -(-mesh.steps // self._every)
        self._pictured = set(np.linspace(count // _PICTURES, count - 1, _PICTURES).astype(int).tolist())
        self._rows: list[tuple[object, ...]] = []
        self.pictures: list[Picture] = []

    def add(
        self, k: int, t_s: float, scene: Scene, standing: Standing, usable: Mask, step: Step, routes: list[list[int]]
    ) -> None:
        """Look at step `k` if it is one to be kept. usable (G,): ground points that are up; routes: of the flows."""
        if k % self._every:
            return
        satellites, links = self._satellites, self._links
        fixed = inertial(scene.position[np.newaxis], -sidereal_angle(self._epoch, np.array([t_s])))[0]
        a, b = links.a[step.up], links.b[step.up]
        crosslinks = int(np.count_nonzero(step.up[: self._crosslinks]))
        label = label_components(satellites, a[:crosslinks], b[:crosslinks], standing.alive)
        if len(self._rows) in self._pictured:
            self.pictures.append(Picture(t_s, a, b, step.delay_s[step.up]))
        self._rows.append(
            (
                t_s,
                fixed.astype(np.float32),
                standing.alive,
                usable,
                step.state,
                np.column_stack((b[crosslinks:] - satellites, a[crosslinks:])),
                tuple(np.array(nodes, np.int32) for nodes in routes),
                disjoint_paths(links.n, a, b, satellites, self._ends),
                np.flatnonzero(articulation_points(satellites, a[:crosslinks], b[:crosslinks])).astype(np.int32),
                len(np.unique(label[standing.alive])),
            )
        )

    def snapshots(self) -> Snapshots:
        """All that were taken."""
        t_s, position, alive, ground_up, state, ground_links, routes, disjoint, articulation, parts = zip(
            *self._rows, strict=True
        )
        return Snapshots(
            t_s=np.array(t_s),
            position=np.array(position),
            alive=np.array(alive),
            ground_up=np.array(ground_up),
            state=np.array(state),
            ground_links=ground_links,
            routes=routes,
            disjoint=np.array(disjoint),
            articulation=articulation,
            components=np.array(parts, np.int32),
        )
