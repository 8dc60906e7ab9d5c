"""Which terminals are to hold crosslinks with each other, decided anew at each replan time.

| policy | crosslinks |
| --- | --- |
| `grid` | in each shell: ahead and behind in the plane, and the nearest satellite of the planes left and right |
| `nearest` | the shortest first, as long as both ends have a free terminal that sees the other |
| `demand` | those with the greatest sum of the demand that crosses them, then `nearest` with what terminals are left |

The grid stands for good, but for bridges over satellites that are lost. The other two look at what is possible at a
replan time and at the next: range, Earth, rate of turn, field of regard, sun. A link that exists counts as shorter than
it is, since another in its place costs an acquisition: of a 53-degree shell at 550 km one in 27 goes in a minute,
without that one in four.

Validated against: degree and number of links of a 72 x 22 shell and of a star shell; brute-force greedy; the best of
all subsets for small demands.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.spatial import KDTree

from flightsw.errors import ConfigError
from sim.network.constellation import Constellation
from sim.network.demand import Demand, carry
from sim.network.grid import Grid
from sim.network.mounts import BLOCKED, misfit_of
from sim.network.terminals import Limits, Obstacle, TerminalsModel, body_axes, dazzled, in_reach
from sim.network.terminals import limits as limits_of
from sim.sun import sun_direction

Floats = NDArray[np.float64]
Policy = Literal["grid", "nearest", "demand"]

#: Misfit of a terminal that points at the partner already, below any angle's.
_HELD = -1.0
#: What the length of a link that exists is multiplied with: in the order of the nearest, and on the paths of demand.
_HELD_IN_ORDER, _HELD_ON_PATH = 0.5, 0.9


@dataclass(frozen=True, slots=True)
class CrosslinkPlan:
    """Which terminals hold each crosslink from each of R replan times on."""

    pairs: NDArray[np.int32]  # (E, 2) satellites a < b, each pair once, in order; all that are ever assigned
    mount: NDArray[np.int8]  # (R, E, 2) terminal of a and of b, -1 where the pair is not assigned

    @property
    def wanted(self) -> NDArray[np.bool_]:
        """Pairs that are assigned (R, E)."""
        return self.mount[:, :, 0] >= 0


def plan(
    constellation: Constellation,
    terminals: TerminalsModel,
    policy: Policy,
    t_replan_s: Floats,
    alive: NDArray[np.bool_],
    demand: Demand | None = None,
) -> CrosslinkPlan:
    """The crosslinks that `policy` assigns at `t_replan_s` (R,), ascending, with the satellites `alive` (R, S) or (S,).

    Raises ConfigError for a grid of satellites without planes and for the policy demand without any.
    """
    if policy == "demand" and demand is None:
        raise ConfigError("crosslinks: expected flows for the policy demand, found none; give flows, or take nearest")
    alive = np.broadcast_to(alive, (len(t_replan_s), len(constellation)))
    if policy == "grid":
        replans = _grids(constellation, terminals, alive)
    else:
        replans = list(_replans(constellation, terminals, t_replan_s, alive, demand if policy == "demand" else None))
    keys = np.unique(np.concatenate([key for key, _ in replans]))
    mount = np.full((len(replans), len(keys), 2), -1, np.int8)
    for row, (key, chosen) in zip(mount, replans, strict=True):
        row[np.searchsorted(keys, key)] = chosen
    return CrosslinkPlan(np.column_stack(np.divmod(keys, len(constellation))).astype(np.int32), mount)


def _grids(
    constellation: Constellation, terminals: TerminalsModel, alive: NDArray[np.bool_]
) -> list[tuple[NDArray[np.int64], NDArray[np.int8]]]:
    """As `_replans`, of the grid."""
    grid = Grid(constellation, terminals)
    masks, which = np.unique(alive, axis=0, return_inverse=True)
    links = [grid.links(mask) for mask in masks]
    made = [(pairs[:, 0].astype(np.int64) * len(constellation) + pairs[:, 1], mount) for pairs, mount in links]
    return [made[i] for i in which]


def _replans(
    constellation: Constellation,
    terminals: TerminalsModel,
    t_replan_s: Floats,
    alive: NDArray[np.bool_],
    demand: Demand | None,
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int8]]]:
    """Keys a S + b, ascending (n,), and terminals (n, 2) of the links from each replan time on."""
    limits = limits_of(terminals)
    last = t_replan_s[-1] + (t_replan_s[-1] - t_replan_s[-2] if len(t_replan_s) > 1 else 0.0)
    now = _candidates(constellation, limits, float(t_replan_s[0]))
    held_key, held_mount = np.zeros(0, np.int64), np.zeros((0, 2), np.int8)
    for r, until in enumerate([*t_replan_s[1:], last]):
        then = _candidates(constellation, limits, float(until))
        key, i, j = np.intersect1d(now[0], then[0], assume_unique=True, return_indices=True)
        length, misfit = now[1][i], np.maximum(now[2][i], then[2][j])
        now = then
        pairs = np.column_stack(np.divmod(key, len(constellation)))
        keep = np.all(alive[r, pairs], axis=1) & np.all(np.any(misfit < BLOCKED, axis=2), axis=1)
        key, pairs, length, misfit = key[keep], pairs[keep], length[keep], misfit[keep]

        _, i, j = np.intersect1d(key, held_key, assume_unique=True, return_indices=True)
        held = np.zeros(len(key), np.bool_)
        held[i] = True
        for end in range(2):
            at = i, end, held_mount[j, end]
            misfit[at] = np.where(misfit[at] < BLOCKED, _HELD, misfit[at])

        free = np.ones((len(constellation), len(terminals.mounts_deg)), np.bool_)
        mount = np.full((len(key), 2), -1, np.int8)
        if demand is not None:
            carry(demand, r, pairs, np.where(held, _HELD_ON_PATH, 1.0) * length, misfit, free, mount)
        order = np.argsort(np.where(held, _HELD_IN_ORDER, 1.0) * length, kind="stable")
        _nearest(pairs, order, misfit, free, mount)
        chosen = mount[:, 0] >= 0
        held_key, held_mount = key[chosen], mount[chosen]
        yield held_key, held_mount


def _candidates(constellation: Constellation, limits: Limits, t_s: float) -> tuple[NDArray[np.int64], Floats, Floats]:
    """All that range, Earth, turn and sun allow at `t_s`: keys (C,), length in m (C,), misfit (C, 2, M)."""
    t = np.array([t_s])
    position, velocity = (vectors[0] for vectors in constellation.states(t))
    sun = sun_direction(constellation.epoch, t, "TEME")[0]
    axes, turn = body_axes(position, velocity)
    near = KDTree(position).query_pairs(limits.range_m, output_type="ndarray").astype(np.int64)
    near = near[_possible(limits, position, velocity, turn, sun, near)]
    key = np.sort(near[:, 0] * len(position) + near[:, 1])
    pairs = np.column_stack(np.divmod(key, len(position)))
    length = np.linalg.norm(position[pairs[:, 1]] - position[pairs[:, 0]], axis=1)
    return key, length, misfit_of(limits, position, axes, pairs)


@njit(cache=True, nogil=True)
def _possible(
    limits: Limits, position: Floats, velocity: Floats, turn: Floats, sun: Floats, pairs: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Pairs (C,) that can hold a link if they have terminals that can point there."""
    possible = np.empty(len(pairs), np.bool_)
    for c in range(len(pairs)):
        a, b = pairs[c, 0], pairs[c, 1]
        reached = in_reach(limits, position, velocity, turn, a, b) == Obstacle.NONE
        possible[c] = reached and not dazzled(limits, position, sun, a, b)
    return possible


@njit(cache=True, nogil=True)
def _nearest(
    pairs: NDArray[np.int64], order: NDArray[np.int64], misfit: Floats, free: NDArray[np.bool_], mount: NDArray[np.int8]
) -> None:
    """Make in `order` the links for which both ends have a free terminal: into `mount` (C, 2), out of `free` (S, M)."""
    for c in order:
        if mount[c, 0] >= 0:
            continue
        i, j = _best(misfit[c, 0], free[pairs[c, 0]]), _best(misfit[c, 1], free[pairs[c, 1]])
        if i >= 0 and j >= 0:
            mount[c, 0], mount[c, 1] = i, j
            free[pairs[c, 0], i] = free[pairs[c, 1], j] = False


@njit(cache=True, nogil=True)
def _best(misfit: Floats, free: NDArray[np.bool_]) -> int:
    """The free terminal of least misfit; -1 if none can point."""
    best = -1
    for m in range(len(misfit)):
        if free[m] and misfit[m] < BLOCKED and (best < 0 or misfit[m] < misfit[best]):
            best = m
    return best
