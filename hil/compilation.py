"""Compiling the kernels before time counts: the first call of each, on arrays of the right kind.

Numba keeps what it compiled beside the sources, so on every run but the first of an installation this only loads.
"""

import time

import numpy as np

from flightsw.ccsds.coding.crc import crc16_rows
from flightsw.hal import SAMPLE
from flightsw.pat import fine_loop
from flightsw.pat.detection import Detector
from flightsw.pat.scan import Spiral
from hil.kernel import GEOMETRY, TALLY, TRUTH, run_frame
from sim.camera import Camera, CameraModel
from sim.terminal import TERMINAL


def compile_kernels() -> float:
    """Compile or load every kernel of a lockstep run; returns the seconds it took."""
    begin = time.perf_counter()
    world = np.zeros(2, TERMINAL)
    parameters, states = np.zeros(2, fine_loop.PARAMETERS), np.zeros(2, fine_loop.STATE)
    for record in (world["mirror"]["delay"], world["exposure"]["period"], parameters["delay"]):
        record[:] = 1
    world["quad_cell"]["spot"] = world["quad_cell"]["electrons_per_w"] = world["gimbal"]["quantum"] = 1.0
    world["gimbal"]["damping"] = world["optics"]["signal_intensity"] = 1.0
    frames = np.zeros((1, 2), GEOMETRY)
    frames["range_m"], frames["light_time_s"] = 1e6, 1e-3
    samples, truth = np.zeros((2, 200), SAMPLE), np.zeros((2, 200), TRUTH)
    noise = np.zeros((200, 8))
    run_frame(
        0,
        1e-4,
        world,
        parameters,
        states,
        frames[0],
        (noise[:100], noise[:100]),
        np.zeros(2, np.int64),
        np.zeros((2, 100, 2)),
        np.zeros((2, 256, 2)),
        samples[:, :100],
        truth[:, :100],
        np.zeros(2, TALLY),
    )
    fine_loop.summarise(samples[0, :100], 1e-9)
    spiral = Spiral(1e-4, 1e-5, 1e-2)
    spiral.position(0.01)
    spiral.trajectory(0.0, 1e-4, np.zeros((2, 2)))
    camera = Camera(CameraModel(), 1.55e-6, 1e4, np.random.Generator(np.random.SFC64(0)))
    image = camera.render(1e-9, 0.0, 0.0, 0.0, None)
    Detector(5.0, np.zeros(image.shape, np.bool_), 3e-5, 50.0).find(image)
    crc16_rows(np.zeros((2, 64), np.uint8))
    return time.perf_counter() - begin
