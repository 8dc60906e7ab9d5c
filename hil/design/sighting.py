"""How far from a beam's axis the partner's camera still sees it, from the link and the sensor: the capture radius.

A beam of 1/e^2 radius w that passes at the distance b with the speed v brings a flash of
P exp(-2 b^2 / w^2) w sqrt(pi / 2) / v, a normal curve in time with the standard deviation w / (2 v). The camera
collects what falls within an exposure; the brightest pixel of the spot has to rise above the detector's threshold.
"""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf, ndtr

from flightsw.errors import ConfigError
from flightsw.pat.detection import threshold
from hil.scenario import TerminalModel
from sim.link_budget import emitted_intensity, photon_energy

_PHASES = 64


@dataclass(frozen=True, slots=True)
class Sighting:
    """A beam, and the camera that looks for it.

    beam_rad: 1/e^2 radius; per_s: electrons a second in the brightest pixel, on the axis; needed: electrons there that
    are detected; frame_s, exposure_s: of the camera.
    """

    beam_rad: float
    per_s: float
    needed: float
    frame_s: float
    exposure_s: float

    @classmethod
    def of(cls, transmitter: TerminalModel, receiver: TerminalModel, range_m: float) -> Self:
        """The signal beam of one terminal on the camera of the other, `range_m` away."""
        laser, optics, camera = transmitter.hardware.laser, receiver.hardware.optics, receiver.hardware.camera
        in_aperture = emitted_intensity(laser, transmitter.hardware.optics) / range_m**2 * optics.collecting_area_m2
        on_camera = in_aperture * optics.reception() * optics.split.camera
        electrons = on_camera * camera.quantum_efficiency / photon_energy(laser.wavelength_nm * 1e-9)
        settings = receiver.flight.detection
        noise = math.sqrt(settings.read_noise_electrons**2 + camera.dark_electrons)
        return cls(
            beam_rad=laser.signal.radius_rad,
            per_s=electrons * _brightest_pixel(camera.pixel_urad, camera.spot_radius_urad),
            needed=threshold(settings.false_alarms_per_image, camera.pixels**2) * noise,
            frame_s=1.0 / camera.frame_rate_hz,
            exposure_s=camera.exposure_ms * 1e-3,
        )

    def passing(self, speed: float) -> float:
        """Capture radius in rad of a beam that passes at `speed` (rad/s): mean over the phase of the exposures.

        Raises ConfigError if the flash is never seen.
        """
        spread_s = 0.5 * self.beam_rad / speed
        middle = (np.arange(_PHASES) + 0.5) / _PHASES * self.frame_s
        begin = self.frame_s * np.arange(-1, 2)[:, None]
        caught = ndtr((begin + self.exposure_s - middle) / spread_s) - ndtr((begin - middle) / spread_s)
        flash_s = self.beam_rad * math.sqrt(math.pi / 2.0) / speed
        return self._radius(flash_s * caught.max(axis=0))

    def staring(self) -> float:
        """Capture radius in rad of a beam that rests for a whole exposure. Raises ConfigError if it is never seen."""
        return self._radius(np.array([self.exposure_s]))

    def _radius(self, lit_s: NDArray[np.float64]) -> float:
        enough = np.maximum(self.per_s * lit_s / self.needed, 1.0)
        radius = self.beam_rad * float(np.mean(np.sqrt(0.5 * np.log(enough))))
        if radius == 0.0:
            raise ConfigError(
                f"search: expected a beam that the partner's camera sees, found at most {self.per_s * lit_s.max():.3g} "
                f"electrons where it takes {self.needed:.3g}; scan more slowly, or emit more light"
            )
        return radius


def _brightest_pixel(pixel: float, spot: float) -> float:
    """Share of a Gaussian spot on its brightest pixel, mean over where on the pixel the spot is."""
    place = (np.arange(64) + 0.5) / 64 - 0.5
    scale = math.sqrt(2.0) * pixel / spot
    return float(np.mean(0.5 * (erf(scale * (0.5 - place)) + erf(scale * (0.5 + place))))) ** 2
