"""Crosslinks over the gaps that lost satellites leave in a grid.

A link whose one end is lost leaves the other end's terminal open. It looked forward, ahead in the plane or to the plane
on the right, or backward. A bridge joins a terminal that looked forward to one that looked backward: within a plane, or
from a plane to any on its right, no more than half of all planes on; always within a shell. The terminals must be able
to hold it all along an orbit. As many bridges are made as can be, and of such choices the shortest in sum.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from sim.network.constellation import Constellation
from sim.network.terminals import Limits, Obstacle, obstacle

Floats = NDArray[np.float64]
Index = NDArray[np.int64]

#: Of a bridge that cannot be, in m: above the sum of all others.
_IMPOSSIBLE = 1e12


class Orbit(NamedTuple):
    """All satellites at T times of an orbit, inertial."""

    position: Floats  # (T, S, 3) m
    velocity: Floats  # (T, S, 3) m/s
    axes: Floats  # (T, S, 3, 3) body axes
    turn: Floats  # (T, S, 3) their rate of turn, rad/s


class OpenEnds(NamedTuple):
    """Terminals whose partners are lost; arrays (n,)."""

    satellite: Index
    mount: Index
    across: NDArray[np.bool_]  # looked to another plane


def bridges(
    constellation: Constellation, limits: Limits, orbit: Orbit, forward: OpenEnds, backward: OpenEnds
) -> tuple[Index, Index]:
    """Pairs (B, 2) of satellites and their terminals (B, 2): the one that looked forward, then the one backward."""
    length = _lengths(limits._replace(cos_sun=2.0), orbit, forward, backward, _meet(constellation, forward, backward))
    row, column = linear_sum_assignment(length)
    made = length[row, column] < _IMPOSSIBLE
    row, column = row[made], column[made]
    return (
        np.column_stack((forward.satellite[row], backward.satellite[column])),
        np.column_stack((forward.mount[row], backward.mount[column])),
    )


def _meet(constellation: Constellation, forward: OpenEnds, backward: OpenEnds) -> NDArray[np.bool_]:
    """Which of the terminals that look forward may meet which of those that look backward (n, m)."""
    a, b = forward.satellite[:, np.newaxis], backward.satellite
    across, shell, plane = forward.across[:, np.newaxis], constellation.shell, constellation.plane
    planes = np.array([model.planes for model in constellation.shells])[shell[a]]
    right = (plane[b] - plane[a]) % planes
    within = ~across & (right == 0)
    beyond = across & (right >= 1) & (right <= planes // 2)
    allowed: NDArray[np.bool_] = (shell[a] == shell[b]) & (across == backward.across) & (within | beyond)
    return allowed


@njit(cache=True, nogil=True)
def _lengths(limits: Limits, orbit: Orbit, forward: OpenEnds, backward: OpenEnds, meet: NDArray[np.bool_]) -> Floats:
    """Mean length in m of the bridge between each two terminals (n, m); `_IMPOSSIBLE` if it cannot be held for good."""
    length = np.full(meet.shape, _IMPOSSIBLE)
    sun = np.zeros(3)
    times = len(orbit.position)
    for i in range(len(meet)):
        a, mount_a = forward.satellite[i], forward.mount[i]
        for j in range(meet.shape[1]):
            if not meet[i, j]:
                continue
            b, mount_b = backward.satellite[j], backward.mount[j]
            total = 0.0
            for t in range(times):
                position, velocity, axes, turn = orbit.position[t], orbit.velocity[t], orbit.axes[t], orbit.turn[t]
                if obstacle(limits, position, velocity, axes, turn, sun, a, b, mount_a, mount_b) != Obstacle.NONE:
                    break
                total += float(np.linalg.norm(position[b] - position[a]))
            else:
                length[i, j] = total / times
    return length
