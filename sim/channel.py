"""The channel between two modems: bits in, bits or soft bits out, by the light of the run.

| in | unit | out | unit |
| --- | --- | --- | --- |
| octets sent | - | octets with errors, or log-likelihood ratios | - |
| light on the communication receiver over the time that they take | W | errors made, slips made | 1 |

Validated against: counted errors against the error probability; bit slips counted.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.link_budget import photon_energy
from sim.receiver import Receiver, ReceiverModel

# where more than this share of bits is wrong, errors are drawn bit by bit
_DENSE = 0.01
_LEVELS = np.geomspace(1e-4, 1e6, 2001)


@dataclass(slots=True)
class ChannelCounts:
    """What the channel did to the bits so far."""

    bits: int = 0
    errors: int = 0
    slips: int = 0


class OpticalChannel:
    """One direction of a link.

    line_rate_hz: bits per second, which makes photons per bit of the light; slips_per_second: mean rate of bits that
    are lost or doubled, per second of `line_rate_hz`.
    """

    def __init__(
        self,
        receiver: ReceiverModel,
        wavelength_m: float,
        line_rate_hz: float,
        rng: np.random.Generator,
        slips_per_second: float = 0.0,
    ) -> None:
        self._receiver = Receiver(receiver)
        self._photons_per_w = 1.0 / (photon_energy(wavelength_m) * line_rate_hz)
        self._slips_per_bit = slips_per_second / line_rate_hz
        self._rng = rng
        self._tables: dict[float, NDArray[np.float64]] = {}
        self.counts = ChannelCounts()

    def photons_per_bit(self, power_w: NDArray[np.floating]) -> NDArray[np.float64]:
        """Signal photons per bit of light on the communication receiver, in W."""
        return np.asarray(power_w, np.float64) * self._photons_per_w

    def hard(
        self, octets: NDArray[np.uint8], power_w: NDArray[np.floating], background: float = 0.0
    ) -> NDArray[np.uint8]:
        """Octets (m,) as they are received while the light is `power_w` (n,), spread evenly over the octets.

        Bit slips, if any, change the number of octets by rounding: a lost or doubled bit shifts all that follow.
        """
        bits = 8 * len(octets)
        self.counts.bits += bits
        received = octets.copy()
        if bits == 0:
            return received
        probability = self._error_probability(self.photons_per_bit(power_w), background)
        edges = np.round(np.linspace(0, bits, len(power_w) + 1)).astype(np.int64)
        dense = probability > _DENSE
        sizes = np.diff(edges)
        counts = self._rng.binomial(sizes, np.where(dense, 0.0, probability))
        if counts.any() or dense.any():
            hit = np.repeat(np.arange(len(sizes)), counts)
            wrong = np.zeros(bits, np.bool_)
            wrong[edges[hit] + self._rng.integers(0, sizes[hit])] = True
            for i in np.flatnonzero(dense):
                wrong[edges[i] : edges[i + 1]] = self._rng.random(sizes[i]) < probability[i]
            self.counts.errors += int(np.count_nonzero(wrong))
            received ^= np.packbits(wrong)
        return self._slip(received)

    def _error_probability(self, photons: NDArray[np.float64], background: float) -> NDArray[np.float64]:
        """Error probability from a table of 200 light levels a decade, good to a thousandth."""
        if background not in self._tables:
            self._tables[background] = np.log(self._receiver.error_probability(_LEVELS, background) + 1e-300)
        place = np.log(np.clip(photons, _LEVELS[0], _LEVELS[-1]))
        return np.asarray(np.exp(np.interp(place, np.log(_LEVELS), self._tables[background])))

    def soft(
        self, octets: NDArray[np.uint8], power_w: NDArray[np.floating], background: float = 0.0
    ) -> NDArray[np.float32]:
        """Log-likelihood ratios (8 m,) of octets (m,), positive for 0, as in `hard` but without slips."""
        bits = np.unpackbits(octets)
        photons = self.photons_per_bit(power_w)
        sample = np.minimum(np.arange(len(bits)) * len(photons) // max(len(bits), 1), len(photons) - 1)
        llr = self._receiver.soft_bits(bits, photons[sample], self._rng, background)
        self.counts.bits += len(bits)
        self.counts.errors += int(np.count_nonzero((llr < 0) != (bits == 1)))
        return llr

    def _slip(self, octets: NDArray[np.uint8]) -> NDArray[np.uint8]:
        slips = int(self._rng.poisson(8 * len(octets) * self._slips_per_bit)) if self._slips_per_bit else 0
        if slips == 0:
            return octets
        self.counts.slips += slips
        bits = np.unpackbits(octets)
        for at in np.sort(self._rng.integers(0, len(bits), slips))[::-1]:
            bits = np.delete(bits, at) if self._rng.random() < 0.5 else np.insert(bits, at, bits[at])
        whole = math.floor(len(bits) / 8) * 8
        return np.packbits(bits[:whole])
