"""The grid of a Walker shell: each satellite linked ahead and behind in its plane, and to the planes left and right.

The neighbour in the next plane is the one that is nearest over an orbit, and the terminals are those that suit the
lines of sight of an orbit best; both stay for good. Planes that run against each other are not linked: the seam of a
star shell stays open. With three terminals every second satellite of a plane looks left and the others right, and the
last plane may not meet the first; with two, each plane is a ring of its own. One shell is not linked to another.
"""

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from flightsw.errors import ConfigError
from sim.network.constellation import Constellation
from sim.network.mounts import misfit_of, suited
from sim.network.terminals import TerminalsModel, body_axes, limits
from sim.orbit import MU_EARTH

Floats = NDArray[np.float64]

#: Times of an orbit at which neighbours and terminals are judged.
_ORBIT_TIMES = 24


def grid(constellation: Constellation, terminals: TerminalsModel) -> tuple[NDArray[np.int32], NDArray[np.int8]]:
    """Pairs a < b of satellites (E, 2), in order, and the terminals of both ends (E, 2).

    Raises ConfigError for satellites that are not of a shell.
    """
    loose = int(np.count_nonzero(constellation.plane < 0))
    if loose:
        raise ConfigError(
            f"crosslinks: expected satellites of shells for the policy grid, found {loose} of {len(constellation)} "
            "without a plane; take the policy nearest or demand"
        )
    start, velocity = (vectors[0] for vectors in constellation.states(np.zeros(1)))
    axis = 1.0 / (2.0 / np.linalg.norm(start, axis=1) - np.sum(velocity**2, axis=1) / MU_EARTH)
    period = 2.0 * math.pi * math.sqrt(float(axis.max()) ** 3 / MU_EARTH)
    position, velocity = constellation.states(np.linspace(0.0, period, _ORBIT_TIMES, endpoint=False))

    most = len(terminals.mounts_deg)
    links = np.zeros(len(constellation), np.int64)
    made: set[tuple[int, int]] = set()
    for pair in _neighbours(constellation, position, velocity):
        a, b = sorted(pair)
        if a != b and (a, b) not in made and links[a] < most and links[b] < most:
            links[[a, b]] += 1
            made.add((a, b))
    pairs = np.array(sorted(made), np.int32).reshape(-1, 2)
    bounds = limits(terminals)
    misfit = [misfit_of(bounds, p, body_axes(p, v)[0], pairs) for p, v in zip(position, velocity, strict=True)]
    return pairs, suited(pairs, np.mean(misfit, axis=0))


def _neighbours(constellation: Constellation, position: Floats, velocity: Floats) -> Iterator[tuple[int, int]]:
    """Pairs of neighbours, those that count most first. position, velocity (T, S, 3), over an orbit."""
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
