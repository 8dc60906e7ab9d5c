"""Checks 7, 8 and 9: what pointing jitter does to the received light, by the beam and the platform of the world."""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.optimize import brentq, minimize_scalar

from hil.validation.beams import beam, intensities
from hil.validation.check import Estimate, Figure, exact, mean, minimum, near, share
from sim import optics, platform
from sim.platform import PlatformModel, Section, sections
from sim.receiver import Receiver, ReceiverModel

_URAD = 1e-6
_BLOCK = 500_000
_LOSS = "beta density of the pointing loss: Kiasaleh, Opt. Eng. 33, 3748, 1994"
_BEST = "Toyoshima et al., J. Opt. Soc. Am. A 19, 567, 2002"

Array = NDArray[np.float64]


def fades(quick: bool, w_urad: float = 15.0, sigma_urad: float = 2.0, bias_urad: float = 3.0) -> list[Figure]:
    """Mean and depth of the pointing loss."""
    rng = np.random.default_rng(7)
    centred, biased = beam(w_urad), beam(w_urad, bias_urad)
    means: list[tuple[float, float]] = []
    deep = 0
    blocks = 40 if quick else 160
    for _ in range(blocks):
        errors = sigma_urad * _URAD * rng.standard_normal((_BLOCK, 2))
        gain, off = (intensities(o, errors) / o["signal_intensity"][0] for o in (centred, biased))
        means.append((float(gain.mean()), float(off.mean())))
        deep += int(np.count_nonzero(gain < 0.5))
    on_axis, off_axis = np.transpose(means)
    return [
        Figure("E[I]", "", near(0.9336, _LOSS, absolute=1e-3), mean(on_axis)),
        Figure(
            "E[I] with the bias",
            "",
            near(0.8664, f"{_LOSS}, times exp(-2 b^2 / (w^2 + 4 sigma^2))", absolute=1e-3),
            mean(off_axis),
        ),
        Figure("P(I < 0.5)", "", near(5.84e-5, _LOSS, relative=0.1), share(deep, blocks * _BLOCK)),
    ]


def best_divergence(quick: bool, sigma_urad: float = 2.0, outage: float = 1e-3) -> list[Figure]:
    """The beam width that does with the least power, for an outage and for a mean error rate of thermal-noise OOK."""
    rng = np.random.default_rng(8)
    ratios = np.linspace(4.2, 6.6, 13)
    beams = [beam(ratio * sigma_urad) for ratio in ratios]
    rank = round(outage * _BLOCK)
    levels = []
    for _ in range(10 if quick else 40):
        errors = sigma_urad * _URAD * rng.standard_normal((_BLOCK, 2))
        # the light that is there with probability 1 - outage
        levels.append([np.partition(intensities(o, errors), rank)[rank] for o in beams])
    best = minimum(ratios, -np.log(levels))
    return [
        Figure(f"w/sigma, outage {outage:g}", "", near(5.26, "2 sqrt(ln(1 / outage))", absolute=0.1), best),
        *(
            Figure(f"w/sigma, mean BER {rate:g}", "", near(value, _BEST, absolute=0.1), _best_for(rate, sigma_urad))
            for rate, value in {1e-6: 5.99, 1e-9: 7.37}.items()
        ),
    ]


def _best_for(error_rate: float, sigma_urad: float) -> Estimate:
    """Least laser power for a mean bit error rate, by quadrature over the pointing error."""
    thermal = ReceiverModel(
        kind="apd_ook",
        implementation_loss_db=0.0,
        apd_efficiency=1.0,
        apd_gain=1.0,
        apd_excess_noise=1.0,
        apd_thermal_electrons=1e6,
    )
    receiver = Receiver(thermal)
    node, weight = np.polynomial.legendre.leggauss(600)
    radius = 5.0 * (node + 1.0)  # in sigma
    density = 5.0 * weight * radius * np.exp(-0.5 * radius**2)
    errors = sigma_urad * _URAD * np.stack([radius, np.zeros_like(radius)], axis=1)

    def power(ratio: float) -> float:
        """Logarithm of the photons per W/sr that are needed."""
        light = intensities(beam(ratio * sigma_urad), errors)
        light /= light.max()

        def excess(log_photons: float) -> float:
            wrong = float(density @ receiver.error_probability(math.exp(log_photons) * light))
            return math.log(max(wrong, 1e-300) / error_rate)

        # the light on the axis was set to one: a wider beam has less of it
        return float(brentq(excess, 10.0, 40.0, xtol=1e-9)) + 2.0 * math.log(ratio)

    return exact(float(minimize_scalar(power, bounds=(4.0, 10.0), method="bounded", options={"xatol": 1e-4}).x))


@njit(nogil=True)
def _count_fades(
    p: NDArray[np.void], o: NDArray[np.void], least: float, noise: Array, fading: bool
) -> tuple[int, int, bool]:
    """Fades that begin and samples in fades while the platform moves by `noise` (n, columns); whether one goes on."""
    begun = 0
    faded = 0
    for k in range(len(noise)):
        x, y = platform.step(p[0], noise[k])
        intensity, _ = optics.emit(o[0], x, y, 0.0, 0.0)
        if intensity < least:
            faded += 1
            if not fading:
                begun += 1
        fading = intensity < least
    return begun, faded, fading


def vibration(frequency_hz: float) -> PlatformModel:
    """A platform that shakes as an oscillator driven by white noise does, whose rms frequency is its natural one.

    The table spans what makes one of the sections that the platform's fit has to offer just this oscillator.
    """
    oscillator = Section(frequency_hz=frequency_hz, variance_rad2=4.0, damping=0.2)
    low = 0.1
    high = low / 4.5 * (3.0 / low) ** (59.0 / 30.0)
    frequency = frequency_hz * np.geomspace(low, high, 200)
    table = list(zip(frequency.tolist(), oscillator.density(frequency).tolist(), strict=True))
    return PlatformModel(initial_error_urad=0.0, drift_urad_s=0.0, spectrum=table)


def bursts(quick: bool, theta_0_sigma: float = 3.0, rms_frequency_hz: float = 70.7) -> list[Figure]:
    """Rate and length of fades in the time series of a shaking platform's light."""
    model = vibration(rms_frequency_hz)
    sigma = math.sqrt(sum(part.variance_rad2 for part in sections(model)))
    rate_hz = 20_000.0
    rng = np.random.Generator(np.random.SFC64(9))
    record = platform.new_platform(model, rate_hz, rng).reshape(1)
    o = beam(15.0)
    least = float(intensities(o, np.array([[theta_0_sigma * sigma, 0.0]]))[0])
    block_s = 10.0
    noise = np.empty((round(block_s * rate_hz), platform.columns(model)))
    fading = False
    counts = []
    for _ in range(600 if quick else 2400):
        rng.standard_normal(out=noise)
        begun, faded, fading = _count_fades(record, o, least, noise, fading)
        counts.append((begun, faded))
    begun, faded = np.transpose(counts).astype(np.float64)
    ratio = float(faded.sum() / begun.sum())
    source = "crossings of a Rayleigh envelope: Rice, Bell Syst. Tech. J. 27, 109, 1948"
    to_ms = 1e3 / rate_hz
    # a ratio of two means: its scatter is that of what one block has beyond the ratio
    beyond = mean((faded - ratio * begun) / begun.mean() * to_ms)
    return [
        Figure("fades", "1/s", near(5.91, source, relative=0.03), mean(begun / block_s)),
        Figure(
            "mean length",
            "ms",
            near(1.88, source, relative=0.02),
            Estimate(ratio * to_ms, ratio * to_ms + beyond.low, ratio * to_ms + beyond.high),
        ),
    ]
