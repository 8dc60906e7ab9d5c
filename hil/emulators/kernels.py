"""Simulated devices over many samples, compiled: each sample is what `hil.kernel` makes of one in lockstep."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from flightsw.pat import fine_loop
from hil.kernel import fingerprint_of
from sim import gimbal, mirror, quad_cell

Kernel = Callable[..., Any]


def _cached(fingerprint: int) -> tuple[Kernel, Kernel, Kernel, Kernel]:
    """The kernels under a cache of compiled code that knows of the modules they were fused from."""

    @njit(cache=True, nogil=True)
    def move_mirror(mirrors: NDArray[np.void], set_points: NDArray[np.float32], angles: NDArray[np.float32]) -> None:
        m = mirrors[0]
        if fingerprint != 0:
            for k in range(set_points.shape[0]):
                mirror.step(m, set_points[k, 0], set_points[k, 1])
                angles[k, 0] = m.angle[0]
                angles[k, 1] = m.angle[1]

    @njit(cache=True, nogil=True)
    def move_gimbal(gimbals: NDArray[np.void], samples: int) -> None:
        if fingerprint != 0:
            for _ in range(samples):
                gimbal.step(gimbals[0])

    @njit(cache=True, nogil=True)
    def read_quad_cell(
        cells: NDArray[np.void],
        seen: NDArray[np.float64],
        noise: NDArray[np.float64],
        slope_rad: float,
        samples: NDArray[np.float32],
    ) -> None:
        q = cells[0]
        if fingerprint != 0:
            for k in range(seen.shape[0]):
                q.background = seen[k, 3] * q.electrons_per_w
                x, y, light = quad_cell.read(q, seen[k, 0], seen[k, 1], seen[k, 2], noise[k], 0)
                samples[k, 0] = x * slope_rad
                samples[k, 1] = y * slope_rad
                samples[k, 2] = light

    @njit(cache=True, nogil=True)
    def run_fine_loop(
        parameters: NDArray[np.void],
        states: NDArray[np.void],
        mirrors: NDArray[np.void],
        cells: NDArray[np.void],
        seen: NDArray[np.float64],
        noise: NDArray[np.float64],
        set_points: NDArray[np.float64],
        first: int,
        block: NDArray[np.void],
    ) -> None:
        p, s, m, q = parameters[0], states[0], mirrors[0], cells[0]
        last = set_points.shape[0] - 1
        if fingerprint != 0:
            for k in range(seen.shape[0]):
                q.background = seen[k, 3] * q.electrons_per_w
                line_x = seen[k, 0] - m.angle[0]
                line_y = seen[k, 1] - m.angle[1]
                error_x, error_y, light = quad_cell.read(q, line_x, line_y, seen[k, 2], noise[k], 0)
                at = min(first + k, last)
                x, y = fine_loop.step(p, s, error_x, error_y, light, set_points[at, 0], set_points[at, 1])
                sample = block[k]
                sample.error_x = error_x * p.slope_rad
                sample.error_y = error_y * p.slope_rad
                sample.mirror_x = x
                sample.mirror_y = y
                sample.power_w = light
                mirror.step(m, x, y)

    return move_mirror, move_gimbal, read_quad_cell, run_fine_loop


#: Each takes arrays of one record, of `sim` or `flightsw.pat.fine_loop`, and arrays with a row for each sample.
move_mirror, move_gimbal, read_quad_cell, run_fine_loop = _cached(
    fingerprint_of((fine_loop, gimbal, mirror, quad_cell))
)
