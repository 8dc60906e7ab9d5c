"""Emulated sensors: quad cell and camera."""

import math

import numpy as np
from numpy.typing import NDArray

from flightsw.hal import Image
from flightsw.pat.gains import quad_cell_slope
from hil.bodies import (
    Register,
    decode_camera_enable,
    decode_exposure,
    decode_quad_stimulus,
    encode_image,
    encode_quad_samples,
)
from hil.emulators.emulator import Emulator
from hil.emulators.kernels import read_quad_cell
from sim.camera import Camera, CameraModel
from sim.quad_cell import NOISE_COLUMNS, QuadCellModel, new_quad_cell


class QuadCellEmulator(Emulator):
    """A quad cell that takes a sample of each row of light that it is shown.

    Attributes:
        cell: record of `sim.quad_cell.QUAD_CELL`, shape (1,).
        slope_rad: angle for an error signal of 1 near the centre.
    """

    def __init__(
        self, model: QuadCellModel, sample_rate_hz: int, wavelength_m: float, rng: np.random.Generator
    ) -> None:
        super().__init__({Register.SAMPLE_RATE_HZ: sample_rate_hz})
        self.cell = new_quad_cell(model, sample_rate_hz, wavelength_m).reshape(1)
        self.slope_rad = quad_cell_slope(model.spot_radius_urad * 1e-6)
        self._rng = rng
        self._read(np.empty((0, 4)))  # compiles

    @property
    def faulty(self) -> bool:
        """Whether the cell is dead."""
        return bool(self.cell["dead"][0])

    def stimulus(self, octets: bytes) -> None:
        """Take a sample of each row."""
        self.send(encode_quad_samples(self._read(decode_quad_stimulus(octets))))

    def _read(self, seen: NDArray[np.float64]) -> NDArray[np.float32]:
        noise = self._rng.standard_normal((len(seen), NOISE_COLUMNS))
        samples = np.empty((len(seen), 3), np.float32)
        read_quad_cell(self.cell, seen, noise, self.slope_rad, samples)
        return samples


class CameraEmulator(Emulator):
    """A camera that makes an image of each exposure that it is shown while it is enabled.

    Attributes:
        enabled: whether it is.
    """

    def __init__(self, model: CameraModel, sample_rate_hz: int, wavelength_m: float, rng: np.random.Generator) -> None:
        super().__init__({Register.SAMPLE_RATE_HZ: 0})
        self.enabled = False
        self._camera = Camera(model, wavelength_m, sample_rate_hz, rng)
        # compiles, with noise of another's
        Camera(model, wavelength_m, sample_rate_hz, np.random.default_rng()).render(0.0, 0.0, 0.0, 0.0, None)

    def command(self, octets: bytes) -> None:
        """Start or stop exposing."""
        self.enabled = decode_camera_enable(octets)

    def stimulus(self, octets: bytes) -> None:
        """Make an image."""
        seen = decode_exposure(octets)
        if not self.enabled:
            return
        sun = None if math.isinf(seen.disc_radius_rad) else (seen.disc_x_rad, seen.disc_y_rad, seen.disc_radius_rad)
        pixels = self._camera.render(seen.light_w, seen.x_rad, seen.y_rad, seen.background_w, sun)
        self.send(encode_image(Image(pixels, seen.time_s)))
