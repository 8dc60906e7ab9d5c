"""The links of a mesh at each step: those that are up, those that the plan foresees, those that ideal terminals had.

| in, each step | unit | out | |
| --- | --- | --- | --- |
| positions, velocities, inertial | m, m/s | up, foreseen, ideal: whether each of the L links is there | bool |
| what stands, clouds | | one-way delay of each link | s |

Links 0..E-1 are the crosslinks of the plan, and E + g S + s is the link of ground point g to satellite s. A ground link
is there while the satellite stands high enough: ground stations know when it rises. With a limited number of links a
point takes the satellites that are nearest, and keeps each until it sets.

*Foreseen* is what geometry and plan promise: a crosslink as soon as it has been possible for longer than nearly all
slews and acquisitions take, and no failure or cloud. *Ideal* is the truth with terminals that acquire at once.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sim.geometry import SPEED_OF_LIGHT
from sim.network.acquisition import AcquisitionTimes
from sim.network.assignment import CrosslinkPlan
from sim.network.crosslinks import Crosslinks, State
from sim.network.failures import Standing
from sim.network.mesh import Mesh
from sim.network.routing import Links
from sim.network.scenes import Scene
from sim.network.sight import minimum_elevations, visible

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

#: Share of acquisitions that have ended when a crosslink counts as foreseen.
_FORESEEN_SHARE = 0.99
_DRAWS = 10_000


@dataclass(frozen=True, slots=True)
class Step:
    """The links of one step; arrays (L,) but for `state`."""

    up: Mask
    foreseen: Mask
    ideal: Mask
    delay_s: Floats  # of each link, there or not
    state: NDArray[np.uint8]  # (E,) of the crosslinks: `crosslinks.State`


class Topology:
    """The links of a mesh, a step after the other."""

    def __init__(
        self,
        plan: CrosslinkPlan,
        mesh: Mesh,
        acquisition: AcquisitionTimes,
        step_s: float,
        seed: np.random.SeedSequence,
    ) -> None:
        """The links of `mesh`, if its satellites follow `plan`; step_s: from step to step, `mesh`'s own or another."""
        satellites, points = len(mesh.constellation), mesh.points
        self._plan, self._step_s, self._replan_s = plan, step_s, mesh.replan_s
        self._elevation = minimum_elevations(points)
        self._most = np.array([point.links or satellites for point in points], np.int64)

        def crosslinks(times: AcquisitionTimes) -> Crosslinks:
            return Crosslinks(plan.pairs, satellites, mesh.terminals, times, step_s, seed)

        zero = AcquisitionTimes.zero()
        self.crosslinks = crosslinks(acquisition)
        self._promised = crosslinks(zero)
        # without failures the truth is what is foreseen
        self._ideal = crosslinks(zero) if mesh.failures else self._promised
        shape = len(points), satellites
        self._held = np.zeros(shape, np.bool_)
        self._promised_held = np.zeros(shape, np.bool_) if mesh.failures else self._held
        self._patience_s = 0.0
        if not acquisition.is_zero:
            times = acquisition.draw(np.random.default_rng(0), _DRAWS)
            self._patience_s = 180.0 / mesh.terminals.slew_deg_s + float(np.quantile(times, _FORESEEN_SHARE))
        self._possible_since = np.full(len(plan.pairs), np.inf)
        grid = np.indices(shape, np.int32).reshape(2, -1)
        self.links = Links(
            satellites + len(points),
            np.concatenate((plan.pairs[:, 0], grid[1])),
            np.concatenate((plan.pairs[:, 1], satellites + grid[0])),
        )

    def step(self, k: int, scene: Scene, standing: Standing, cloudy: Mask) -> Step:
        """The links at step `k`, which follows the one before. cloudy (G,): sky hidden."""
        t_s = k * self._step_s
        mount = self._plan.mount[min(int(t_s / self._replan_s + 1e-9), len(self._plan.mount) - 1)]
        where = scene.position, scene.velocity, scene.sun
        all_well = np.ones_like(standing.alive)
        state, range_m = self.crosslinks.step(k, *where, mount, standing.alive, standing.ephemeris_ok)
        possible = self._promised.step(k, *where, mount, all_well, all_well)[0] == State.UP
        ideal = possible
        if self._ideal is not self._promised:
            ideal = self._ideal.step(k, *where, mount, standing.alive, standing.ephemeris_ok)[0] == State.UP
        self._possible_since[~possible] = np.inf
        self._possible_since[possible & np.isinf(self._possible_since)] = t_s
        foreseen = t_s - self._possible_since >= self._patience_s
        if k == 0:
            # before the start the network has long been running
            foreseen = possible
            self._possible_since[possible] = -np.inf

        seen = visible(scene.ground, scene.position, self._elevation)
        distance = _distances(scene.ground, scene.position)
        promised = self._promised_held
        if promised is not self._held:
            _hold(seen, distance, self._most, promised)
        _hold(seen & standing.alive, distance, self._most, self._held)
        usable = standing.ground_up & ~cloudy
        ground = self._held & usable[:, np.newaxis]
        return Step(
            up=np.concatenate((state == State.UP, ground.ravel())),
            foreseen=np.concatenate((foreseen, promised.ravel())),
            ideal=np.concatenate((ideal, ground.ravel())),
            delay_s=np.concatenate((range_m, distance.ravel())) / SPEED_OF_LIGHT,
            state=state.copy(),
        )


@njit(cache=True, nogil=True)
def _distances(ground: Floats, satellites: Floats) -> Floats:
    """Distances (G, S) m."""
    distance = np.empty((len(ground), len(satellites)))
    for g in range(len(ground)):
        for s in range(len(satellites)):
            x = satellites[s, 0] - ground[g, 0]
            y = satellites[s, 1] - ground[g, 1]
            z = satellites[s, 2] - ground[g, 2]
            distance[g, s] = np.sqrt(x * x + y * y + z * z)
    return distance


@njit(cache=True, nogil=True)
def _hold(seen: Mask, distance: Floats, most: NDArray[np.int64], held: Mask) -> None:
    """Let each point hold satellites that it sees, up to `most` (G,): those of `held` (G, S), then the nearest."""
    for g in range(len(held)):
        count = 0
        for s in range(held.shape[1]):
            held[g, s] &= seen[g, s]
            count += held[g, s]
        if most[g] >= held.shape[1]:
            held[g] = seen[g]
            continue
        while count < most[g]:
            best, nearest = -1, np.inf
            for s in range(held.shape[1]):
                if seen[g, s] and not held[g, s] and distance[g, s] < nearest:
                    best, nearest = s, distance[g, s]
            if best < 0:
                break
            held[g, best] = True
            count += 1
