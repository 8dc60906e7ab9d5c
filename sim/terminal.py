"""The hardware of one terminal on its satellite, as one record that the lockstep kernel steps.

| part | module |
| --- | --- |
| platform that shakes | `sim.platform` |
| gimbal, steering mirror | `sim.gimbal`, `sim.mirror` |
| optics, beams | `sim.optics`, `sim.link_budget` |
| camera, quad cell, receiver | `sim.camera`, `sim.quad_cell`, `sim.receiver` |
"""

import numpy as np
from numpy.typing import NDArray

from sim import gimbal, mirror, optics, platform, quad_cell
from sim.camera import EXPOSURE, Camera, CameraModel, new_exposure
from sim.configuration import WorldModel
from sim.gimbal import GIMBAL, GimbalModel
from sim.link_budget import LaserModel, OpticsModel
from sim.mirror import MIRROR, MirrorModel
from sim.optics import OPTICS
from sim.platform import PLATFORM, PlatformModel
from sim.quad_cell import NOISE_COLUMNS, QUAD_CELL, QuadCellModel
from sim.receiver import ReceiverModel

TERMINAL = np.dtype(
    [
        ("platform", PLATFORM),
        ("gimbal", GIMBAL),
        ("mirror", MIRROR),
        ("optics", OPTICS),
        ("quad_cell", QUAD_CELL),
        ("exposure", EXPOSURE),
    ]
)


class HardwareModel(WorldModel):
    """The hardware of one terminal, as a scenario describes it."""

    platform: PlatformModel = PlatformModel()
    gimbal: GimbalModel = GimbalModel()
    mirror: MirrorModel = MirrorModel()
    optics: OpticsModel = OpticsModel()
    laser: LaserModel
    camera: CameraModel = CameraModel()
    quad_cell: QuadCellModel = QuadCellModel()
    receiver: ReceiverModel = ReceiverModel()


class Hardware:
    """One terminal's hardware: its record, its camera and its sources of randomness."""

    def __init__(
        self, model: HardwareModel, partner: HardwareModel, sample_rate_hz: float, seed: np.random.SeedSequence
    ) -> None:
        initial, noise, image = (np.random.Generator(np.random.SFC64(child)) for child in seed.spawn(3))
        wavelength_m = partner.laser.wavelength_nm * 1e-9
        rate = sample_rate_hz
        self.model = model
        self.record: NDArray[np.void] = np.zeros((), TERMINAL)
        self.record["platform"] = platform.new_platform(model.platform, rate, initial)
        self.record["gimbal"] = gimbal.new_gimbal(model.gimbal, rate)
        self.record["mirror"] = mirror.new_mirror(model.mirror, rate)
        self.record["optics"] = optics.new_optics(model.laser, model.optics, partner.laser)
        self.record["quad_cell"] = quad_cell.new_quad_cell(model.quad_cell, rate, wavelength_m)
        self.record["exposure"] = new_exposure(model.camera, rate)
        self.camera = Camera(model.camera, wavelength_m, rate, image)
        self.platform_columns = platform.columns(model.platform)
        self._noise = noise

    @property
    def noise_columns(self) -> int:
        """Columns of white noise that one sample takes: the platform's, then the quad cell's."""
        return self.platform_columns + NOISE_COLUMNS

    def draw_noise(self, out: NDArray[np.float64]) -> None:
        """Fill `out`, float64 contiguous, with standard normal numbers."""
        self._noise.standard_normal(out=out)
