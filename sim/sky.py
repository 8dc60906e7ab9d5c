"""Background light on one terminal's sensors: the sun, when it is in their fields.

| in | unit | out | unit |
| --- | --- | --- | --- |
| the sun's centre from the partner, over time | rad | background on each camera pixel, and its disc | W |
|  |  | background on the quad cell | W |

The sun's disc, 9.3 mrad, is wider than both fields: a pixel is in front of it or is not. The partner stands near the
middle of the fields, its distance from there, below a milliradian, is left out.
"""

import math

import numpy as np
from numpy.typing import NDArray

from sim.camera import CameraModel
from sim.link_budget import PLANCK, SPEED_OF_LIGHT, OpticsModel
from sim.quad_cell import QuadCellModel

_BOLTZMANN = 1.380_649e-23


class Sky:
    """Background over the run of one terminal.

    offset: the sun's centre from the partner, float64 (n, 2) in rad (small angles; farther away does not matter), at
    times `start_s + i step_s`; radiance: of the sun's disc in W/(m^2 sr nm); disc_rad: its angular radius.
    """

    def __init__(
        self,
        offset: NDArray[np.float64],
        step_s: float,
        radiance: float,
        disc_rad: float,
        optics: OpticsModel,
        camera: CameraModel,
        quad_cell: QuadCellModel,
    ) -> None:
        self._offset = offset
        self._step_s = step_s
        self._disc_rad = disc_rad
        collected = radiance * optics.filter_nm * optics.collecting_area_m2 * optics.reception()
        self._reception = optics.reception()
        pixel = (camera.pixel_urad * 1e-6) ** 2
        field = math.pi * (quad_cell.field_radius_urad * 1e-6) ** 2
        self._pixel_w = collected * pixel * optics.split.camera
        self._quad_w = collected * field * optics.split.quad_cell
        reach = disc_rad + math.sqrt(0.5) * camera.pixels * camera.pixel_urad * 1e-6
        separation = np.hypot(offset[:, 0], offset[:, 1])
        #: Whether the sun is in the camera's field, or so close that its edge may come or go within a second.
        self.near: NDArray[np.bool_] = separation < reach + 5e-3
        self._in_field = separation < reach
        edge = (separation - disc_rad) / (quad_cell.field_radius_urad * 1e-6)
        #: Background on the quad cell in W at each time; the limb crosses the field in proportion to its distance.
        self.on_quad_cell: NDArray[np.float64] = self._quad_w * np.clip(0.5 - 0.5 * edge, 0.0, 1.0)

    def noise_photons(self, t_s: float, wavelength_m: float, temperature_k: float) -> float:
        """Photons of the sun in each mode of the communication receiver at `t_s`, of one polarisation.

        1 / (exp(h nu / k T) - 1) less the receive loss while the receiver, one mode wide, looks at the disc.
        """
        i = min(int(t_s / self._step_s), len(self._offset) - 1)
        if math.hypot(*self._offset[i].tolist()) > self._disc_rad:
            return 0.0
        return self._reception / math.expm1(PLANCK * SPEED_OF_LIGHT / (wavelength_m * _BOLTZMANN * temperature_k))

    def on_camera(self, t_s: float) -> tuple[float, tuple[float, float, float] | None]:
        """Background in W on each pixel at `t_s`, and the disc (x, y, radius in rad) outside of which there is none."""
        i = min(int(t_s / self._step_s), len(self._offset) - 1)
        if not self._in_field[i]:
            return 0.0, None
        x, y = self._offset[i].tolist()
        return self._pixel_w, (x, y, self._disc_rad)
