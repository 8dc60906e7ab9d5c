"""Interpolation of tabulated states, at many times at once, each time within its own window of the table.

Polynomials are taken in Newton's form with divided differences; a Hermite one repeats each node (J. Stoer and
R. Bulirsch, Introduction to Numerical Analysis, 2.1.3 and 2.1.5).
"""

import numpy as np
from numpy.typing import NDArray

from flightsw.navigation.constants import FloatArray


def windows(nodes_t: FloatArray, t: FloatArray, points: int) -> NDArray[np.intp]:
    """Return the indices (n, points) of the neighbours of each time `t` (n,), centred as far as the table reaches.

    `nodes_t` is (m,) and increasing, m >= points.
    """
    first = np.clip(np.searchsorted(nodes_t, t, side="right") - points // 2, 0, nodes_t.size - points)
    indices: NDArray[np.intp] = first[:, None] + np.arange(points)
    return indices


def hermite(
    nodes_t: FloatArray, position: FloatArray, velocity: FloatArray, t: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return position and velocity (n, 3) at `t` (n,), of degree 2 k - 1 through k states for each time.

    `nodes_t` is (n, k), `position` and `velocity` are (n, k, 3). The velocity is the derivative of the position.
    """
    nodes = np.repeat(nodes_t - t[:, None], 2, axis=1)
    table = np.repeat(position, 2, axis=1)
    first = np.empty_like(table[:, 1:])
    first[:, 0::2] = velocity
    first[:, 1::2] = np.diff(position, axis=1) / np.diff(nodes_t, axis=1)[..., None]
    table[:, 1:] = first
    return _newton_at_zero(nodes, _differences(nodes, table, done=1))


def lagrange(
    nodes_t: FloatArray, position: FloatArray, velocity: FloatArray, t: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return position and velocity (n, 3) at `t` (n,), of degree k - 1, each through its own k tabulated values.

    `nodes_t` is (n, k), `position` and `velocity` are (n, k, 3).
    """
    nodes = nodes_t - t[:, None]
    value, _ = _newton_at_zero(nodes, _differences(nodes, position.copy(), done=0))
    rate, _ = _newton_at_zero(nodes, _differences(nodes, velocity.copy(), done=0))
    return value, rate


def _differences(nodes: FloatArray, table: FloatArray, done: int) -> FloatArray:
    """Turn values (n, k, 3), differenced `done` times already, into Newton coefficients (n, k, 3), in place."""
    for order in range(done + 1, nodes.shape[1]):
        span = nodes[:, order:] - nodes[:, :-order]
        table[:, order:] = (table[:, order:] - table[:, order - 1 : -1]) / span[..., None]
    return table


def _newton_at_zero(nodes: FloatArray, coefficients: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return value and derivative (n, 3) at zero of Newton's form with `nodes` (n, k), `coefficients` (n, k, 3)."""
    value = coefficients[:, -1].copy()
    slope = np.zeros_like(value)
    for k in range(nodes.shape[1] - 2, -1, -1):
        distance = -nodes[:, k, None]
        slope = value + slope * distance
        value = coefficients[:, k] + value * distance
    return value, slope
