"""From one terminal's laser to the other's detectors: Gaussian beams, apertures and losses, named one by one.

| in | unit | out | unit |
| --- | --- | --- | --- |
| pointing error of the beam | rad | radiant intensity toward the partner | W/sr |
| range | m | irradiance at the aperture, power on each detector | W/m^2, W |

A beam has 1/e^2 half-angle w = FWHM / 1.1774; its axial intensity is 2 P / (pi w^2), a gain of 8 / w^2. An aperture of
area A that cuts a Gaussian beam off gives it no more than a gain of 4 pi A / lambda^2 times its efficiency.

Source of the efficiency: B. J. Klein and J. J. Degnan, "Optical antenna gain. 1: transmitting antennas", Appl. Opt. 13
(1974). Validated against: 324.2 uW/m^2 for 2.5 W, 15 urad FWHM and 5,500 km without losses; 25 uW/m^2 on 8 cm is
-39.01 dBm; the field of the cut beam integrated over the aperture, and its best efficiency, 0.8145 at 1.12.
"""

import math
from typing import Self

from pydantic import Field, model_validator

from sim.configuration import WorldModel

SPEED_OF_LIGHT = 299_792_458.0
PLANCK = 6.626_070_15e-34
FWHM_PER_RADIUS = math.sqrt(2.0 * math.log(2.0))


def beam_radius(fwhm_rad: float) -> float:
    """1/e^2 half-angle in rad of a Gaussian beam of full width at half maximum `fwhm_rad`."""
    return fwhm_rad / FWHM_PER_RADIUS


def axial_intensity(power_w: float, radius_rad: float) -> float:
    """Radiant intensity in W/sr on the axis of a Gaussian beam of 1/e^2 half-angle `radius_rad`."""
    return 2.0 * power_w / (math.pi * radius_rad**2)


def aperture_efficiency(truncation: float, obscuration: float) -> float:
    """Share of the gain 4 pi A / lambda^2 of an aperture of area A that a Gaussian beam in it has on its axis.

    truncation: radius of the aperture over the 1/e^2 radius of the beam there; obscuration: share of the diameter.
    """
    square = truncation**2
    return 2.0 / square * (math.exp(-square * obscuration**2) - math.exp(-square)) ** 2


def photon_energy(wavelength_m: float) -> float:
    """Energy in J of one photon."""
    return PLANCK * SPEED_OF_LIGHT / wavelength_m


def dbm(power_w: float) -> float:
    """Power in dBm; minus infinity for no power."""
    return 10.0 * math.log10(power_w / 1e-3) if power_w > 0.0 else -math.inf


class BeamModel(WorldModel):
    """A Gaussian beam."""

    power_w: float = Field(gt=0, description="average, at the laser's output")
    divergence_fwhm_urad: float = Field(gt=0, description="full width at half maximum in the far field")

    @property
    def radius_rad(self) -> float:
        """1/e^2 half-angle in rad."""
        return beam_radius(self.divergence_fwhm_urad * 1e-6)


class LaserModel(WorldModel):
    """What a terminal emits: the signal, and a beacon if it has one."""

    signal: BeamModel
    beacon: BeamModel | None = None
    wavelength_nm: float = Field(1550.0, gt=300, lt=3000)


class SplitModel(WorldModel):
    """How the received light is shared."""

    communication: float = Field(0.849, ge=0, le=1)
    quad_cell: float = Field(0.15, ge=0, le=1)
    camera: float = Field(0.001, ge=0, le=1)

    @model_validator(mode="after")
    def _no_light_is_made(self) -> Self:
        total = self.communication + self.quad_cell + self.camera
        if total > 1.0 + 1e-9:
            raise ValueError(f"expected shares that add up to at most 1, found {total:g}")
        return self


class OpticsModel(WorldModel):
    """Telescope and optical bench of a terminal."""

    aperture_mm: float = Field(80.0, gt=0)
    obscuration: float = Field(0.0, ge=0, lt=1, description="share of the aperture's diameter")
    truncation: float | None = Field(
        None,
        gt=0,
        description="radius of the aperture over the 1/e^2 radius of the beam in it; none: nothing is cut off",
    )
    transmit_loss_db: float = Field(1.5, ge=0)
    receive_loss_db: float = Field(1.5, ge=0)
    wavefront_error_nm: float = Field(80.0, ge=0, description="rms, on the way out")
    transmit_alignment_urad: tuple[float, float] = Field((0.0, 0.0), description="transmit axis from receive axis")
    filter_nm: float = Field(1.0, gt=0, description="width of the receiver's optical filter")
    split: SplitModel = SplitModel()

    @property
    def collecting_area_m2(self) -> float:
        """Area in m^2 that collects light."""
        return math.pi / 4.0 * (self.aperture_mm * 1e-3) ** 2 * (1.0 - self.obscuration**2)

    def strehl(self, wavelength_nm: float) -> float:
        """Share of the axial intensity that the wavefront error leaves, exp(-(2 pi sigma / lambda)^2) (Marechal)."""
        return math.exp(-((2.0 * math.pi * self.wavefront_error_nm / wavelength_nm) ** 2))

    def transmission(self, wavelength_nm: float) -> float:
        """Factor on the axial intensity between the laser and free space."""
        return float(10.0 ** (-self.transmit_loss_db / 10.0)) * self.strehl(wavelength_nm)

    def gain_limit(self, wavelength_nm: float) -> float:
        """The largest gain that a beam cut off by the aperture has, on its axis; infinite for one that is not."""
        if self.truncation is None:
            return math.inf
        turns = math.pi * self.aperture_mm * 1e6 / wavelength_nm
        return turns**2 * aperture_efficiency(self.truncation, self.obscuration)

    def reception(self) -> float:
        """Factor between the light in the aperture and the light before the splitters."""
        return float(10.0 ** (-self.receive_loss_db / 10.0))


def emitted_intensity(laser: LaserModel, optics: OpticsModel, beacon: bool = False) -> float:
    """Axial intensity in W/sr that leaves the telescope; 0 for a beacon that is not there."""
    beam = laser.beacon if beacon else laser.signal
    if beam is None:
        return 0.0
    limit = beam.power_w * optics.gain_limit(laser.wavelength_nm) / (4.0 * math.pi)
    return min(axial_intensity(beam.power_w, beam.radius_rad), limit) * optics.transmission(laser.wavelength_nm)


def budget(
    laser: LaserModel, transmitter: OpticsModel, receiver: OpticsModel, range_m: float, pointing_loss: float
) -> list[tuple[str, float, str]]:
    """The link budget, one named row a line: (name, value, unit).

    pointing_loss: mean factor of the pointing error, as measured. The last row is the sum of all above.
    """
    beam = laser.signal
    gain = 8.0 / beam.radius_rad**2
    wavelength_m = laser.wavelength_nm * 1e-9
    space = (wavelength_m / (4.0 * math.pi * range_m)) ** 2
    collecting = 4.0 * math.pi * receiver.collecting_area_m2 / wavelength_m**2
    rows = [
        ("laser power", dbm(beam.power_w), "dBm"),
        ("transmit gain, 8 / w^2", _db(gain), "dB"),
        ("cut by the aperture", _db(min(transmitter.gain_limit(laser.wavelength_nm) / gain, 1.0)), "dB"),
        ("transmit optics", -transmitter.transmit_loss_db, "dB"),
        ("wavefront error", _db(transmitter.strehl(laser.wavelength_nm)), "dB"),
        ("pointing, mean", _db(pointing_loss), "dB"),
        ("free space", _db(space), "dB"),
        ("receive gain", _db(collecting), "dB"),
        ("receive optics", -receiver.receive_loss_db, "dB"),
        ("share of the communication receiver", _db(receiver.split.communication), "dB"),
    ]
    return [*rows, ("power on the communication receiver", sum(row[1] for row in rows), "dBm")]


def _db(factor: float) -> float:
    return 10.0 * math.log10(factor) if factor > 0.0 else -math.inf
