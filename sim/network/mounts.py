"""Which terminals of a satellite suit which of its links.

The misfit of a terminal is 1 - cos of the angle between its axis and the line of sight; one that cannot point there, or
that is taken, is blocked.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from sim.network.terminals import Limits, in_regard, seen_from

Floats = NDArray[np.float64]

#: Misfit of a terminal that is out of the question; above any angle's.
BLOCKED = 10.0


def suited(pairs: NDArray[np.integer], misfit: Floats) -> NDArray[np.int8]:
    """Terminals (E, 2) of least total misfit (E, 2, M), a different one for each link of a satellite."""
    mount = np.full(pairs.shape, -1, np.int8)
    ends = pairs.ravel()
    order = np.argsort(ends, kind="stable")
    for links in np.split(order, np.flatnonzero(np.diff(ends[order])) + 1):
        edge, end = np.divmod(links, 2)
        row, column = linear_sum_assignment(misfit[edge, end])
        mount[edge[row], end[row]] = column
    return mount


@njit(cache=True, nogil=True)
def misfit_of(limits: Limits, position: Floats, axes: Floats, pairs: NDArray[np.integer]) -> Floats:
    """1 - cos of the angle from each terminal's axis to the line of sight (C, 2, M); `BLOCKED`: it cannot point."""
    mounts = len(limits.mounts)
    misfit = np.empty((len(pairs), 2, mounts))
    for c in range(len(pairs)):
        for end in range(2):
            x, y, z = seen_from(axes, position, pairs[c, end], pairs[c, 1 - end])
            for m in range(mounts):
                if in_regard(limits, m, x, y, z):
                    misfit[c, end, m] = 1.0 - x * limits.mounts[m, 0] - y * limits.mounts[m, 1]
                else:
                    misfit[c, end, m] = BLOCKED
    return misfit
