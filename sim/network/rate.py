"""The line rate of a crosslink by its range: as many bits as the light that arrives has photons for.

| in | unit | out | unit |
| --- | --- | --- | --- |
| hardware of both ends, mean pointing loss | | photons on the communication receiver | 1/s |
| photons that a bit needs, greatest rate | 1, bit/s | line rate at a range | bit/s |

The light is that of the link budget and falls with the square of the range, so that

    rate(range) = min(greatest rate, photons per second at this range / photons per bit).

Photons per bit are averaged over zeros and ones, as in `sim.receiver`, and hold the margin that is wanted; those of a
design point, a rate that is carried over a range, are what `photons_per_bit` gives. The terminals of leo_crosslink
receive 14,700 a bit at 2,000 km and 2.5 Gbit/s, where preamplified OOK needs 77 with its losses.

Validated against: the irradiance of a Gaussian beam, its inverse square; 393 photons a bit on 8 cm in 25 uW/m^2.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flightsw.errors import ConfigError
from sim.link_budget import budget, photon_energy
from sim.terminal import HardwareModel


@dataclass(frozen=True, slots=True)
class LineRate:
    """Line rate by range: call it."""

    photons_m2: float  # photons per second at 1 m, were that the far field
    photons_per_bit: float
    greatest: float  # bit/s

    def __call__(self, range_m: ArrayLike) -> NDArray[np.float64]:
        """Rate in bit/s at `range_m` (n,) m, above 0."""
        photons = self.photons_m2 / np.square(np.asarray(range_m, dtype=np.float64))
        return np.asarray(np.minimum(photons / self.photons_per_bit, self.greatest))

    @property
    def full_range_m(self) -> float:
        """Range up to which the greatest rate is carried."""
        return float(np.sqrt(self.photons_m2 / self.photons_per_bit / self.greatest))


def line_rate(
    transmitter: HardwareModel,
    receiver: HardwareModel,
    photons_per_bit: float,
    greatest: float,
    pointing_loss: float = 1.0,
) -> LineRate:
    """The line rate between two terminals, `greatest` bit/s at most; pointing_loss: mean factor, at most 1.

    Raises ConfigError for a rate or photons that are not above 0.
    """
    for name, value in (("photons per bit", photons_per_bit), ("greatest line rate", greatest)):
        if not value > 0.0:
            raise ConfigError(f"line rate: expected {name} above 0, found {value:g}; correct the scenario's link")
    return LineRate(_photons(transmitter, receiver, 1.0, pointing_loss), photons_per_bit, greatest)


def photons_per_bit(
    transmitter: HardwareModel, receiver: HardwareModel, range_m: float, rate: float, pointing_loss: float = 1.0
) -> float:
    """Photons that a bit has where `rate` bit/s are carried over `range_m`."""
    return _photons(transmitter, receiver, range_m, pointing_loss) / rate


def _photons(transmitter: HardwareModel, receiver: HardwareModel, range_m: float, pointing_loss: float) -> float:
    """Photons per second on the communication receiver."""
    level_dbm = budget(transmitter.laser, transmitter.optics, receiver.optics, range_m, pointing_loss)[-1][1]
    return float(1e-3 * 10.0 ** (level_dbm / 10.0)) / photon_energy(transmitter.laser.wavelength_nm * 1e-9)
