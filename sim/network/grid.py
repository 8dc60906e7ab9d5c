"""The grid of a Walker shell: each satellite linked ahead and behind in its plane, and to the planes left and right.

The neighbour in the next plane is the one that is nearest over an orbit, and the terminals are those that suit the
lines of sight of an orbit best; both stay while both satellites live. What lost ones leave open `sim.network.bridges`
closes. Planes that run against each other are not linked: the seam of a star shell stays open. With three terminals
every second satellite of a plane looks left and the others right, and the last plane may not meet the first; with two,
each plane is a ring of its own. One shell is not linked to another.
"""

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from flightsw.errors import ConfigError
from sim.network.bridges import OpenEnds, Orbit, bridges
from sim.network.constellation import Constellation
from sim.network.mounts import misfit_of, suited
from sim.network.terminals import TerminalsModel, body_axes, limits
from sim.orbit import MU_EARTH

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

#: Times of an orbit at which neighbours and terminals are judged.
_ORBIT_TIMES = 24


class Grid:
    """The grid of a constellation of shells, whole and with satellites lost."""

    def __init__(self, constellation: Constellation, terminals: TerminalsModel) -> None:
        """Raises ConfigError for satellites that are not of a shell."""
        loose = int(np.count_nonzero(constellation.plane < 0))
        if loose:
            raise ConfigError(
                f"crosslinks: expected satellites of shells for the policy grid, found {loose} of {len(constellation)} "
                "without a plane; take the policy nearest or demand"
            )
        self._constellation, self._limits = constellation, limits(terminals)
        self._orbit = _orbit(constellation)
        found = _pairs(constellation, self._orbit, len(terminals.mounts_deg))
        self._forward = found[:, 0] > found[:, 1]  # column of the end that looks forward
        self._pairs = np.sort(found, axis=1)
        times = zip(self._orbit.position, self._orbit.axes, strict=True)
        misfit = [misfit_of(self._limits, position, axes, self._pairs) for position, axes in times]
        self._mount = suited(self._pairs, np.mean(misfit, axis=0))

    def links(self, alive: Mask) -> tuple[NDArray[np.int32], NDArray[np.int8]]:
        """Pairs a < b of the satellites `alive` (S,) that are linked (E, 2), in order, and the terminals (E, 2)."""
        living = alive[self._pairs]
        whole = living.all(axis=1)
        forward, backward = (self._open(living, side) for side in (self._forward, ~self._forward))
        pairs, mount = bridges(self._constellation, self._limits, self._orbit, forward, backward)
        upside_down = pairs[:, 0] > pairs[:, 1]
        pairs[upside_down], mount[upside_down] = pairs[upside_down, ::-1], mount[upside_down, ::-1]
        pairs = np.concatenate((self._pairs[whole], pairs))
        mount = np.concatenate((self._mount[whole], mount))
        # where few are left two may meet both ways round
        _, first = np.unique(pairs, axis=0, return_index=True)
        return pairs[first].astype(np.int32), mount[first].astype(np.int8)

    def _open(self, living: Mask, side: Mask) -> OpenEnds:
        """Living ends, in the column `side` (E,) of each link, whose partner is lost; living (E, 2)."""
        own = np.where(side, living[:, 1], living[:, 0])
        e = np.flatnonzero(own & ~living.all(axis=1))
        end = e, side[e].astype(np.int64)
        across = np.diff(self._constellation.plane[self._pairs[e]], axis=1)[:, 0] != 0
        return OpenEnds(self._pairs[end].astype(np.int64), self._mount[end].astype(np.int64), across)


def _orbit(constellation: Constellation) -> Orbit:
    start, velocity = (vectors[0] for vectors in constellation.states(np.zeros(1)))
    axis = 1.0 / (2.0 / np.linalg.norm(start, axis=1) - np.sum(velocity**2, axis=1) / MU_EARTH)
    period = 2.0 * math.pi * math.sqrt(float(axis.max()) ** 3 / MU_EARTH)
    position, velocity = constellation.states(np.linspace(0.0, period, _ORBIT_TIMES, endpoint=False))
    axes, turn = zip(*(body_axes(p, v) for p, v in zip(position, velocity, strict=True)), strict=True)
    return Orbit(position, velocity, np.stack(axes), np.stack(turn))


def _pairs(constellation: Constellation, orbit: Orbit, most: int) -> NDArray[np.int32]:
    """Pairs (E, 2) of the whole grid, at most `most` of a satellite, in order; first the end that looks forward."""
    links = np.zeros(len(constellation), np.int64)
    made: dict[tuple[int, int], tuple[int, int]] = {}
    for a, b in _neighbours(constellation, orbit.position, orbit.velocity):
        pair = min(a, b), max(a, b)
        if a != b and pair not in made and links[a] < most and links[b] < most:
            links[[a, b]] += 1
            made[pair] = a, b
    return np.array([made[pair] for pair in sorted(made)], np.int32).reshape(-1, 2)


def _neighbours(constellation: Constellation, position: Floats, velocity: Floats) -> Iterator[tuple[int, int]]:
    """Pairs of neighbours, those that count most first: one, and the one ahead or to the right of it.

    position, velocity (T, S, 3), over an orbit.
    """
    first: list[tuple[int, int]] = []
    second: list[tuple[int, int]] = []
    for shell in np.unique(constellation.shell):
        of_shell = np.flatnonzero(constellation.shell == shell)
        planes, slots = (int(index[of_shell].max()) + 1 for index in (constellation.plane, constellation.slot))
        number = of_shell[np.lexsort((constellation.slot[of_shell], constellation.plane[of_shell]))]
        number = number.reshape(planes, slots)
        normal = np.cross(position[0, number[:, 0]], velocity[0, number[:, 0]])
        shift = 0
        for p in range(planes):
            yield from zip(number[p].tolist(), np.roll(number[p], -1).tolist(), strict=True)
            q = (p + 1) % planes
            if normal[p] @ normal[q] <= 0.0:
                continue
            apart = position[:, number[p, 0], np.newaxis] - position[:, number[q]]
            ahead = int(np.argmin(np.mean(np.sum(apart**2, axis=2), axis=0)))
            across = list(zip(number[p].tolist(), np.roll(number[q], -ahead).tolist(), strict=True))
            # rows that run straight through all planes: odd and even places of such a row take turns
            odd = (p - shift) % 2
            first += across[odd::2]
            second += across[1 - odd :: 2]
            shift += ahead
    yield from first
    yield from second
