"""Optical receivers: from photons per bit to error probability and soft bits.

| in | unit | out | unit |
| --- | --- | --- | --- |
| signal, averaged over zeros and ones | photons per bit | bit error probability | 1 |
| background | photons per mode; APD and photon counting: per bit | log-likelihood ratio of a bit, positive for 0 | 1 |

| Receiver | Statistic of a bit | Error probability |
| --- | --- | --- |
| preamplified OOK | energy in a mode: exponential for 0, noncentral for 1 | 1/2 (e^-T + 1 - Q1(sqrt 4N, sqrt 2T)) |
| DPSK | energies in two modes, one of them lit | 1/2 e^-N |
| APD OOK | Gaussian, variance of 1 above that of 0 | 1/2 erfc(Q / sqrt 2) |
| photon-counting OOK | count: Poisson, mean b for 0, b + 2N for 1 | 1/2 (P(n >= T given 0) + P(n < T given 1)) |

N is the mean of the signal over the noise of a mode, of counts the signal itself. The amplifier is ideal, one noise
photon a mode; background in the mode adds to it. The counter is ideal too: it counts each photon, none else, and b is
the background; in the dark it errs by 1/2 e^-2N, the quantum limit of OOK. Thresholds follow the received power without
lag.

Sources: P. A. Humblet and M. Azizoglu, "On the bit error rate of lightwave systems with optical amplifiers", J.
Lightwave Technol. 9 (1991); J. R. Pierce, "Optical channels: practical limits with photon counting", IEEE Trans.
Commun. 26 (1978). Validated against: 38.4 photons per bit at 1e-9 for preamplified OOK, 20.03 for DPSK, 10.02 for
photon counting, and counted errors of drawn bits.
"""

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.special import chndtr, erfc, i0e, pdtr, pdtrc

from sim.configuration import WorldModel

Array = NDArray[np.float64]

# background in photons per bit that is as good as none: no ratio of likelihoods is infinite
_DARK = 1e-12


class ReceiverModel(WorldModel):
    """The receiver behind the communication share of the light."""

    kind: Literal["preamplified_ook", "dpsk", "apd_ook", "photon_counting_ook"] = "preamplified_ook"
    implementation_loss_db: float = Field(3.0, ge=0)
    apd_efficiency: float = Field(0.8, gt=0, le=1)
    apd_gain: float = Field(10.0, ge=1)
    apd_excess_noise: float = Field(4.0, ge=1)
    apd_thermal_electrons: float = Field(500.0, ge=0, description="rms in one bit")


class Receiver:
    """Error probabilities and soft bits of one receiver. All photons are per bit, averaged over zeros and ones."""

    def __init__(self, model: ReceiverModel) -> None:
        self._model = model
        self._loss = 10.0 ** (-model.implementation_loss_db / 10.0)

    def error_probability(self, photons: Array, background: float = 0.0) -> Array:
        """Bit error probability for `photons` (n,); `background` in photons per mode, or per bit.

        Which of the two depends on the receiver: see above.
        """
        signal = np.asarray(photons, np.float64) * self._loss
        if self._model.kind == "dpsk":
            return np.asarray(0.5 * np.exp(-signal / (1.0 + background)))
        if self._model.kind == "preamplified_ook":
            one = 2.0 * signal / (1.0 + background)
            threshold = _ook_threshold(one)
            return np.asarray(0.5 * (np.exp(-threshold) + chndtr(2.0 * threshold, 2.0, 2.0 * one)))
        if self._model.kind == "photon_counting_ook":
            without = background + _DARK
            one = 2.0 * np.maximum(signal, _DARK)
            most = np.ceil(one / np.log1p(one / without)) - 1.0  # photons that still make a 0
            return np.asarray(0.5 * (pdtrc(most, without) + pdtr(most, without + one)))
        zero, one, noise_zero, noise_one = self._apd(signal, background)
        q = (one - zero) / (noise_zero + noise_one)
        return np.asarray(0.5 * erfc(q / math.sqrt(2.0)))

    def soft_bits(
        self, bits: NDArray[np.uint8], photons: Array, rng: np.random.Generator, background: float = 0.0
    ) -> NDArray[np.float32]:
        """Log-likelihood ratios, float32 (n,), of `bits` uint8 (n,) received with `photons` (n,): ln p(0) - ln p(1)."""
        signal = np.asarray(photons, np.float64) * self._loss
        n = len(bits)
        soft: NDArray[np.float32]
        if self._model.kind == "dpsk":
            energy = 2.0 * signal / (1.0 + background)
            lit = _energy(energy, rng)
            dark = rng.standard_exponential(n)
            ratio = _log_i0(2.0 * np.sqrt(energy * lit)) - _log_i0(2.0 * np.sqrt(energy * dark))
            soft = np.where(bits == 0, ratio, -ratio).astype(np.float32)
            return soft
        if self._model.kind == "preamplified_ook":
            one = 2.0 * signal / (1.0 + background)
            statistic = np.where(bits == 1, _energy(one, rng), rng.standard_exponential(n))
            soft = (one - _log_i0(2.0 * np.sqrt(one * statistic))).astype(np.float32)
            return soft
        if self._model.kind == "photon_counting_ook":
            without = background + _DARK
            one = 2.0 * signal
            count = rng.poisson(np.where(bits == 1, without + one, without))
            soft = (one - count * np.log1p(one / without)).astype(np.float32)
            return soft
        zero, one, noise_zero, noise_one = self._apd(signal, background)
        statistic = np.where(bits == 1, one, zero) + np.where(bits == 1, noise_one, noise_zero) * rng.standard_normal(n)
        ratio = 0.5 * ((statistic - one) / noise_one) ** 2 - 0.5 * ((statistic - zero) / noise_zero) ** 2
        soft = (ratio + np.log(noise_one / noise_zero)).astype(np.float32)
        return soft

    def _apd(self, signal: Array, background: float) -> tuple[Array, Array, Array, Array]:
        """Means and standard deviations of 0 and 1, in electrons after the gain."""
        m = self._model
        dark = m.apd_efficiency * background * np.ones_like(signal)
        lit = dark + m.apd_efficiency * 2.0 * signal
        shot = m.apd_gain**2 * m.apd_excess_noise
        thermal = m.apd_thermal_electrons**2 + 1e-12
        return m.apd_gain * dark, m.apd_gain * lit, np.sqrt(shot * dark + thermal), np.sqrt(shot * lit + thermal)


def _energy(mean: Array, rng: np.random.Generator) -> Array:
    """Energy in a mode with a signal of `mean` photons and one noise photon."""
    real = np.sqrt(mean) + rng.standard_normal(len(mean)) * math.sqrt(0.5)
    imaginary = rng.standard_normal(len(mean)) * math.sqrt(0.5)
    return np.asarray(real**2 + imaginary**2)


def _log_i0(x: Array) -> Array:
    return np.asarray(np.log(i0e(x)) + x)


def _ook_threshold(one: Array) -> Array:
    """Energy at which 0 and 1 are equally likely: one = ln I0(2 sqrt(one T)), by bisection over T / one."""
    low, high = np.zeros_like(one), np.ones_like(one) + 2.0 / np.maximum(one, 1e-9)
    for _ in range(60):
        middle = 0.5 * (low + high)
        above = _log_i0(2.0 * one * np.sqrt(middle)) > one
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    return np.asarray(one * 0.5 * (low + high))
