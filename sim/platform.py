"""The satellite that shakes: attitude bias, slow drift, micro-vibration and tones, seen as motion of the boresight.

| in | unit | out | unit |
| --- | --- | --- | --- |
| white noise, one column per state of the spectrum's sections | 1 | boresight error x, y | rad |

The micro-vibration is a sum of independent Gauss-Markov sections of first and second order, each discretised exactly:
the sampled spectrum is the continuous one folded about the Nyquist frequency, not cut there.

Validated against: the variance and the spectrum of each section in closed form; OLYMPUS 15.85 urad rms radial; the
band values of Micius.
"""

import itertools
import math
from typing import Literal

import numpy as np
from numba import njit
from numpy.typing import NDArray
from pydantic import Field, field_validator
from scipy.optimize import nnls

from flightsw.errors import ConfigError
from flightsw.hal import Record
from sim.configuration import WorldModel

SECTIONS = 16
TONES = 8

#: OLYMPUS: S(f) = 160 / (1 + f^2) urad^2/Hz, one-sided, both axes together, so half of it on each.
OLYMPUS_URAD2_HZ = 160.0
#: Micius in orbit, before its fine loop: band edges in Hz and rms in urad per axis within each band.
MICIUS_BANDS_HZ = ((0.0, 1.0), (1.0, 10.0), (10.0, 50.0), (50.0, 100.0))
MICIUS_RMS_URAD = (8.6, 2.8, 1.9, 0.6)
_WORST_FIT_DB = 3.0
_FIT_ITERATIONS = 20_000
#: Share of the table below which a section is rounding error of the fit, and not worth its columns of noise.
_LEAST_SHARE = 1e-6

PLATFORM = np.dtype(
    [
        ("bias", "f8", (2,)),  # rad
        ("drift", "f8", (2,)),  # rad per sample
        ("sections", "i8"),
        ("order", "i8", (SECTIONS,)),
        ("transition", "f8", (SECTIONS, 4)),
        ("noise", "f8", (SECTIONS, 3)),  # lower triangle of the Cholesky factor of the step's covariance
        ("vibration", "f8", (2, SECTIONS, 2)),
        ("tones", "i8"),
        ("rotation", "f8", (TONES, 2)),  # cosine and sine of a sample's phase
        ("tone", "f8", (2, TONES, 2)),
    ]
)


class Tone(WorldModel):
    """A line in the spectrum, the same rms on both axes, with a phase of its own on each."""

    frequency_hz: float = Field(gt=0)
    rms_urad: float = Field(gt=0)


class PlatformModel(WorldModel):
    """How well the satellite knows and holds its attitude."""

    initial_error_urad: float = Field(200.0, ge=0, description="1 sigma per axis")
    drift_urad_s: float = Field(0.1, ge=0, description="1 sigma per axis of a constant rate")
    spectrum: Literal["olympus", "micius", "still"] | list[tuple[float, float]] = Field(
        "olympus", description="a name, or a table of [frequency_hz, urad2_hz] per axis, one-sided"
    )
    scale: float = Field(1.0, ge=0, description="factor on the spectrum's rms")
    tones: list[Tone] = Field([], max_length=TONES)

    @field_validator("spectrum")
    @classmethod
    def _rising_table(cls, spectrum: object) -> object:
        if isinstance(spectrum, list):
            frequency = [row[0] for row in spectrum]
            if len(spectrum) < 2 or frequency[0] <= 0 or any(b <= a for a, b in itertools.pairwise(frequency)):
                raise ValueError("expected at least two rows [frequency_hz, urad2_hz] with rising frequencies above 0")
            if min(row[1] for row in spectrum) <= 0:
                raise ValueError("expected spectral densities above 0 urad2_hz")
        return spectrum


class Section(WorldModel):
    """One Gauss-Markov process. Second order with `damping`, first order without."""

    frequency_hz: float
    variance_rad2: float
    damping: float | None = None

    @property
    def order(self) -> int:
        """States of the section."""
        return 1 if self.damping is None else 2

    def density(self, frequency_hz: NDArray[np.float64]) -> NDArray[np.float64]:
        """One-sided spectral density in rad^2/Hz at each frequency."""
        ratio = frequency_hz / self.frequency_hz
        if self.damping is None:
            return self.variance_rad2 * 2.0 / (math.pi * self.frequency_hz) / (1.0 + ratio**2)
        shape = (1.0 - ratio**2) ** 2 + (2.0 * self.damping * ratio) ** 2
        return self.variance_rad2 * 4.0 * self.damping / (math.pi * self.frequency_hz) / shape


def sections(model: PlatformModel) -> list[Section]:
    """The sections that make up the model's spectrum, for one axis. Raises ConfigError if a table cannot be met."""
    if model.spectrum == "still" or model.scale == 0.0:
        return []
    if model.spectrum == "olympus":
        variance = OLYMPUS_URAD2_HZ / 2.0 * math.pi / 2.0
        found = [Section(frequency_hz=1.0, variance_rad2=variance)]
    elif model.spectrum == "micius":
        found = _fit_bands()
    else:
        assert isinstance(model.spectrum, list)
        found = _fit_table(model.spectrum)
    factor = (model.scale * 1e-6) ** 2
    return [s.model_copy(update={"variance_rad2": s.variance_rad2 * factor}) for s in found]


def _fit_bands() -> list[Section]:
    basis = [Section(frequency_hz=f, variance_rad2=1.0, damping=1.0) for f in np.geomspace(0.05, 80.0, 40)]
    columns = []
    for section in basis:
        rows = []
        for low, high in MICIUS_BANDS_HZ:
            frequency = np.linspace(low, high, 4001)
            rows.append(np.trapezoid(section.density(frequency), frequency))
        columns.append(rows)
    wanted = np.square(MICIUS_RMS_URAD)
    weights, _ = nnls(np.array(columns).T / wanted[:, None], np.ones(len(wanted)))
    return _kept(basis, weights)


def _fit_table(table: list[tuple[float, float]]) -> list[Section]:
    points = np.array(table)
    frequency = np.union1d(np.geomspace(points[0, 0], points[-1, 0], 200), points[:, 0])
    wanted = np.exp(np.interp(np.log(frequency), np.log(points[:, 0]), np.log(points[:, 1])))
    centres = np.geomspace(points[0, 0] / 3.0, points[-1, 0] * 1.5, 60)
    basis = [Section(frequency_hz=f, variance_rad2=1.0, damping=d) for d in (None, 1.0, 0.2, 0.05) for f in centres]
    shares = np.array([section.density(frequency) for section in basis]).T / wanted[:, None]
    peaks = shares.max(axis=0)
    shares /= peaks  # now a weight is the largest part of the table that its section makes up anywhere
    kept = np.arange(len(basis))
    while True:
        weights, _ = nnls(shares[:, kept], np.ones(len(frequency)), maxiter=_FIT_ITERATIONS)
        kept, weights = kept[weights > _LEAST_SHARE], weights[weights > _LEAST_SHARE]
        if len(kept) <= SECTIONS:
            break
        kept = np.delete(kept, np.argmin(weights))
    error_db = np.abs(10.0 * np.log10(np.maximum(shares[:, kept] @ weights, 1e-300)))
    worst = int(np.argmax(error_db))
    if error_db[worst] > _WORST_FIT_DB:
        raise ConfigError(
            f"platform.spectrum: expected a table that {SECTIONS} sections fit within {_WORST_FIT_DB:g} dB, found "
            f"{error_db[worst]:.1f} dB at {frequency[worst]:.3g} Hz; smooth the table or give its lines as tones"
        )
    return _kept([basis[i] for i in kept], weights / peaks[kept])


def _kept(basis: list[Section], weights: NDArray[np.float64]) -> list[Section]:
    return [
        section.model_copy(update={"variance_rad2": float(weight)})
        for section, weight in zip(basis, weights, strict=True)
        if weight > 0.0
    ]


def columns(model: PlatformModel) -> int:
    """Columns of white noise that `step` takes."""
    return 2 * sum(section.order for section in sections(model))


def new_platform(model: PlatformModel, sample_rate_hz: float, rng: np.random.Generator) -> NDArray[np.void]:
    """The platform at the start: record of `PLATFORM`, shape (), its bias, drift and vibration drawn from `rng`."""
    platform = np.zeros((), PLATFORM)
    step_s = 1.0 / sample_rate_hz
    platform["bias"] = rng.standard_normal(2) * model.initial_error_urad * 1e-6
    platform["drift"] = rng.standard_normal(2) * model.drift_urad_s * 1e-6 * step_s
    parts = sections(model)
    platform["sections"] = len(parts)
    for i, section in enumerate(parts):
        transition = _transition(section, step_s)
        covariance = _step_covariance(section, transition, step_s)
        factor = np.linalg.cholesky(covariance + 1e-30 * np.eye(2))
        platform["order"][i] = section.order
        platform["transition"][i] = transition.ravel()
        platform["noise"][i] = factor[0, 0], factor[1, 0], factor[1, 1]
        start = rng.standard_normal((2, 2)) * math.sqrt(section.variance_rad2)
        platform["vibration"][:, i, : section.order] = start[:, : section.order]
    platform["tones"] = len(model.tones)
    for i, tone in enumerate(model.tones):
        angle = 2.0 * math.pi * tone.frequency_hz * step_s
        platform["rotation"][i] = math.cos(angle), math.sin(angle)
        phase = rng.uniform(0.0, 2.0 * math.pi, 2)
        amplitude = math.sqrt(2.0) * tone.rms_urad * 1e-6
        platform["tone"][:, i, 0] = amplitude * np.cos(phase)
        platform["tone"][:, i, 1] = amplitude * np.sin(phase)
    return platform


def _transition(section: Section, step_s: float) -> NDArray[np.float64]:
    """Exact transition over one sample, in coordinates in which the stationary covariance is a multiple of unity."""
    w = 2.0 * math.pi * section.frequency_hz
    if section.damping is None:
        return np.diag([math.exp(-w * step_s), 0.0])
    from scipy.linalg import expm

    matrix: NDArray[np.float64] = expm(step_s * np.array([[0.0, w], [-w, -2.0 * section.damping * w]]))
    return matrix


def _step_covariance(section: Section, transition: NDArray[np.float64], step_s: float) -> NDArray[np.float64]:
    """Covariance of the noise that enters in one sample."""
    covariance: NDArray[np.float64] = section.variance_rad2 * (np.eye(2) - transition @ transition.T)
    if section.damping is None:
        covariance[1, 1] = 1.0
        return covariance
    turn = 2.0 * math.pi * section.frequency_hz * step_s
    if turn < 3e-4:  # the difference above would be rounding error: leading terms instead, good to a part in 2,000
        kick = section.variance_rad2 * 4.0 * section.damping * turn
        covariance[:] = kick * np.array([[turn**2 / 3.0, turn / 2.0], [turn / 2.0, 1.0]])
    return covariance


@njit(cache=True, nogil=True)
def step(p: Record, noise: NDArray[np.float64]) -> tuple[float, float]:
    """Move one sample on; return the boresight error x, y in rad. `noise`: standard normal, float64 (columns,)."""
    x = 0.0
    y = 0.0
    column = 0
    for axis in range(2):
        p.bias[axis] += p.drift[axis]
        total = p.bias[axis]
        for i in range(p.sections):
            state = p.vibration[axis, i]
            if p.order[i] == 1:
                state[0] = p.transition[i, 0] * state[0] + p.noise[i, 0] * noise[column]
                column += 1
            else:
                first = p.transition[i, 0] * state[0] + p.transition[i, 1] * state[1] + p.noise[i, 0] * noise[column]
                state[1] = (
                    p.transition[i, 2] * state[0]
                    + p.transition[i, 3] * state[1]
                    + p.noise[i, 1] * noise[column]
                    + p.noise[i, 2] * noise[column + 1]
                )
                state[0] = first
                column += 2
            total += state[0]
        for i in range(p.tones):
            tone = p.tone[axis, i]
            first = p.rotation[i, 0] * tone[0] - p.rotation[i, 1] * tone[1]
            tone[1] = p.rotation[i, 1] * tone[0] + p.rotation[i, 0] * tone[1]
            tone[0] = first
            total += first
        if axis == 0:
            x = total
        else:
            y = total
    return x, y
