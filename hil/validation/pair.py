"""Two terminals' hardware in the compiled step of the lockstep engine, with no flight software: what checks drive.

The terminals stand still, `range_m` apart, each in the middle of the other's field; light takes its time.
"""

import math

import numpy as np
from numpy.typing import NDArray

from flightsw.hal import SAMPLE
from flightsw.pat import fine_loop
from hil.kernel import GEOMETRY, TALLY, TRUTH, run_frame
from sim.link_budget import SPEED_OF_LIGHT
from sim.terminal import TERMINAL, Hardware, HardwareModel


class Pair:
    """`world`: records of `TERMINAL` (2,); `parameters`, `states`: of the fine loops (2,); all may be changed."""

    def __init__(self, model: HardwareModel, sample_rate_hz: float, range_m: float, seed: int) -> None:
        """Both terminals have the hardware of `model`, and noise of their own."""
        self._rate = sample_rate_hz
        children = np.random.SeedSequence(seed).spawn(2)
        self._hardware = [Hardware(model, model, sample_rate_hz, child) for child in children]
        self.world = np.zeros(2, TERMINAL)
        for i, hardware in enumerate(self._hardware):
            self.world[i] = hardware.record
        self.parameters = np.zeros(2, fine_loop.PARAMETERS)
        self.parameters["delay"] = 1
        self.states = np.zeros(2, fine_loop.STATE)
        self._geometry = np.zeros(2, GEOMETRY)
        self._geometry["cos_elevation"] = 1.0
        self._geometry["range_m"], self._geometry["light_time_s"] = range_m, range_m / SPEED_OF_LIGHT
        longest = range_m / SPEED_OF_LIGHT * sample_rate_hz + 2.0
        self._ring = np.zeros((2, 1 << math.ceil(math.log2(2.0 * longest)), 2))
        self._columns = np.array([hardware.platform_columns for hardware in self._hardware])
        self._done = 0

    def run(self, follow: NDArray[np.float64]) -> tuple[NDArray[np.void], NDArray[np.void]]:
        """Run on for `follow.shape[1]` samples; set-points of open loops in rad, (2, n, 2).

        Returns `SAMPLE` (2, n) and `TRUTH` (2, n).
        """
        n = follow.shape[1]
        samples, truth = np.zeros((2, n), SAMPLE), np.zeros((2, n), TRUTH)
        noise = [np.empty((n, hardware.noise_columns)) for hardware in self._hardware]
        for hardware, out in zip(self._hardware, noise, strict=True):
            hardware.draw_noise(out)
        run_frame(
            self._done,
            1.0 / self._rate,
            self.world,
            self.parameters,
            self.states,
            self._geometry,
            (noise[0], noise[1]),
            self._columns,
            follow,
            self._ring,
            samples,
            truth,
            np.zeros(2, TALLY),
        )
        self._done += n
        return samples, truth
