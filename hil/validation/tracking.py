"""Checks 10, 11 and 12: quad cell and fine loop, through the compiled step and a full run."""

import math
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.signal import periodogram
from scipy.special import erf

from flightsw.pat import loop_design
from flightsw.pat.gains import quad_cell_slope
from flightsw.pat.loop_design import Drift, LoopConditions, MirrorDynamics, Tone
from flightsw.pat.modes import Mode
from hil.run import run
from hil.run_data import TerminalData, load
from hil.scenario import Scenario
from hil.scenario import load as load_scenario
from hil.validation.check import Estimate, Figure, at_least, at_most, deviation, mean, near
from hil.validation.pair import Pair
from sim import platform, quad_cell
from sim.link_budget import BeamModel, LaserModel, OpticsModel, emitted_intensity
from sim.mirror import MirrorModel
from sim.platform import MICIUS_BANDS_HZ, MICIUS_RMS_URAD, PlatformModel
from sim.quad_cell import NOISE_COLUMNS, QuadCellModel
from sim.terminal import HardwareModel

_URAD = 1e-6
_SETTLE_S = 10.0
_LOOP_RANGE_M = 1000e3
_QUADRANTS = "sqrt(pi / 8) sqrt(S + 4 sigma_n^2) / S; Tyler and Fried, J. Opt. Soc. Am. 72, 804, 1982"
_OLYMPUS = "Wittig et al., Proc. SPIE 1218, 1990"
_MICIUS = "Angular micro-vibration of the Micius satellite measured by an optical sensor, 2021"

Array = NDArray[np.float64]


@njit(nogil=True)
def _read(q: NDArray[np.void], power_w: float, noise: Array, out: Array) -> None:
    for k in range(len(out)):
        out[k, 0], out[k, 1], _ = quad_cell.read(q[0], 0.0, 0.0, power_w, noise[k], 0)


def quad_cell_noise(quick: bool, electrons: float = 1000.0, read_noise_electrons: float = 20.0) -> list[Figure]:
    """Noise-equivalent angle of a spot in the middle, in its 1/e^2 radius w; `read_noise_electrons` a quadrant."""
    model = QuadCellModel(read_noise_electrons=read_noise_electrons)
    record = quad_cell.new_quad_cell(model, 10_000.0, 1550e-9).reshape(1)
    noise = np.random.default_rng(10).standard_normal((500_000 if quick else 4_000_000, NOISE_COLUMNS))
    readings = np.empty((len(noise), 2))
    _read(record, electrons / float(record["electrons_per_w"][0]), noise, readings)
    measured = deviation(quad_cell_slope(1.0) * readings.reshape(-1))
    bound = _cramer_rao_bound(electrons, read_noise_electrons)
    ratio = Estimate(measured.value / bound, measured.low / bound, measured.high / bound)
    fisher = near(1.0, "Fisher information of four Gaussian readings", relative=0.01)
    return [
        Figure("NEA", "w", near(0.03195, _QUADRANTS, relative=0.01), measured),
        Figure("NEA over the Cramér-Rao bound", "", fisher, ratio),
    ]


def _cramer_rao_bound(electrons: float, read_noise: float) -> float:
    """Least scatter, in w, of any unbiased estimate of x from four Gaussian readings, by differences of their means."""
    step = 1e-4

    def means(x: float) -> Array:
        right = 0.5 * (1.0 + erf(math.sqrt(2.0) * x))
        return 0.5 * electrons * np.array([right, right, 1.0 - right, 1.0 - right])

    slope = (means(step) - means(-step)) / (2.0 * step)
    variance = means(0.0) + read_noise**2
    # the second term: the variance of a reading, shot noise, moves with x as well
    return float(1.0 / math.sqrt(np.sum(slope**2 / variance + 0.5 * (slope / variance) ** 2)))


_DRIFT = Drift(math.sqrt(80.0 * math.pi / 2.0) * _URAD, 1.0)
_TONES = (Tone(0.8 * _URAD, 67.0), Tone(0.9 * _URAD, 100.0), Tone(0.6 * _URAD, 180.0))
#: Residuals in urad, from the frequency response of the linear loop: under OLYMPUS, under OLYMPUS and tones.
_PUBLISHED = {
    "integrator, gain 0.3": (0.92, 1.11),
    "integrator, gain 0.47": (0.871, 0.962),
    "LQG without tone model": (0.799, 0.884),
    "LQG with tone modes": (0.799, 0.813),
}
_TWO_STEP_URAD = 0.794


def loop_pair(rate_hz: float, delay: int, noise_urad: float, tones: Sequence[Tone]) -> Pair:
    """Two terminals under OLYMPUS, mirrors ideal behind `delay` samples, in light that makes noise of `noise_urad`."""
    cell = QuadCellModel(read_noise_electrons=0.0)
    electrons = (quad_cell_slope(cell.spot_radius_urad) / noise_urad) ** 2
    light_w = electrons / float(quad_cell.new_quad_cell(cell, rate_hz, 1550e-9)["electrons_per_w"])
    optics = OpticsModel()
    received = optics.collecting_area_m2 * optics.reception() * optics.split.quad_cell / _LOOP_RANGE_M**2

    def laser(power_w: float) -> LaserModel:
        # so wide that no error of pointing takes light away
        return LaserModel(signal=BeamModel(power_w=power_w, divergence_fwhm_urad=1e5))

    hardware = HardwareModel(
        platform=PlatformModel(
            initial_error_urad=0.0,
            drift_urad_s=0.0,
            spectrum="olympus",
            tones=[platform.Tone(frequency_hz=t.frequency_hz, rms_urad=t.rms_rad / _URAD) for t in tones],
        ),
        mirror=MirrorModel(resonance_hz=None, dac_bits=None, slew_rad_s=1e6, delay_samples=delay),
        optics=optics,
        laser=laser(light_w / (received * emitted_intensity(laser(1.0), optics))),
        quad_cell=cell,
    )
    return Pair(hardware, rate_hz, _LOOP_RANGE_M, seed=11)


def controllers(rate_hz: float, delay: int, noise_urad: float) -> dict[str, NDArray[np.void]]:
    """The controllers of the table, records of `fine_loop.PARAMETERS`."""
    mirror = MirrorDynamics(None, 0.2, delay, 1500.0 * _URAD)
    slope = quad_cell_slope(QuadCellModel().spot_radius_urad) * _URAD
    presence_w = 1e-12
    plain, told = (LoopConditions((_DRIFT,), t, noise_urad * _URAD, rate_hz, mirror) for t in ((), _TONES))
    return {
        "integrator, gain 0.3": loop_design.integrator(plain, slope, presence_w, 0.3),
        "integrator, gain 0.47": loop_design.integrator(plain, slope, presence_w, 0.47),
        "LQG without tone model": loop_design.lqg(plain, slope, presence_w),
        "LQG with tone modes": loop_design.lqg(told, slope, presence_w),
    }


def residual(pair: Pair, parameters: NDArray[np.void], rate_hz: float, duration_s: float) -> Estimate:
    """Rms error per axis in urad of both terminals' closed loops over some time after they have settled."""
    pair.world["optics"]["signal_on"] = 1
    pair.parameters[:] = parameters
    pair.states["closed"] = 1
    second = np.zeros((2, round(rate_hz), 2))
    squares = []
    for k in range(round(_SETTLE_S + duration_s)):
        _, truth = pair.run(second)
        if k >= _SETTLE_S:
            x, y = truth["error_x"].astype(np.float64), truth["error_y"].astype(np.float64)
            squares.append([np.mean(x**2, axis=1), np.mean(y**2, axis=1)])
    # five seconds are longer than anything that OLYMPUS remembers
    blocks = np.reshape(squares, (-1, 5, 4)).mean(axis=1).reshape(-1) / _URAD**2
    return mean(blocks).root()


def fine_loop_table(
    quick: bool, sample_rate_hz: float = 5000.0, delay_samples: int = 2, noise_urad: float = 0.1
) -> list[Figure]:
    """Residual of each controller under OLYMPUS, without and with tones of 0.8, 0.9, 0.6 urad at 67, 100, 180 Hz."""
    source = f"linear loop in closed form; disturbance: {_OLYMPUS}"
    duration_s = 60.0 if quick else 300.0
    figures = []
    for name, parameters in controllers(sample_rate_hz, delay_samples, noise_urad).items():
        for tones, value in zip(((), _TONES), _PUBLISHED[name], strict=True):
            pair = loop_pair(sample_rate_hz, delay_samples, noise_urad, tones)
            measured = residual(pair, parameters, sample_rate_hz, duration_s)
            label = f"{name}, OLYMPUS{' and tones' if tones else ''}"
            figures.append(Figure(label, "urad", near(value, source, relative=0.015), measured))
            if name.startswith("LQG") and not tones:
                bound = at_least(
                    _TWO_STEP_URAD * (1.0 - 0.005), "two-step prediction, sigma sqrt(1 - exp(-8 pi / 5000)): 0.794 urad"
                )
                figures.append(Figure(f"{label}, against the bound", "urad", bound, measured))
    return figures


@njit(nogil=True)
def _shake(p: NDArray[np.void], noise: Array, out: Array) -> None:
    for k in range(len(out)):
        out[k, 0], out[k, 1] = platform.step(p[0], noise[k])


def micius(quick: bool, scenario: str = "leo_crosslink", law: Literal["lqg", "integrator"] = "lqg") -> list[Figure]:
    """The platform of Micius under full runs: what goes in, and what the loop leaves of it, urad rms per axis."""
    shaken = _with_platform(load_scenario(scenario), law)
    bands = [f"{low:g} to {high:g} Hz" for low, high in MICIUS_BANDS_HZ]
    flown = (0.16, 0.26, 0.25, 0.28)
    incoming = _incoming(next(iter(shaken.terminals.values())).hardware.platform, 40 if quick else 160)
    with TemporaryDirectory() as folder:
        runs = [_outgoing(shaken, seed, 40.0, Path(folder)) for seed in range(1, 3 if quick else 9)]
    outgoing = np.concatenate(runs)
    return [
        *(
            Figure(f"in, {band}", "urad", near(value, _MICIUS, relative=0.05), mean(incoming[:, i]).root())
            for i, (band, value) in enumerate(zip(bands, MICIUS_RMS_URAD, strict=True))
        ),
        *(
            Figure(f"out, {band}", "urad", at_most(value, f"flown: {_MICIUS}"), mean(outgoing[:, i]).root())
            for i, (band, value) in enumerate(zip(bands, flown, strict=True))
        ),
        Figure(
            "out, total up to Nyquist",
            "urad",
            at_most(0.3, "below what was flown, 0.47 urad"),
            mean(outgoing[:, -1]).root(),
        ),
    ]


def _with_platform(scenario: Scenario, law: str) -> Scenario:
    table = scenario.model_dump()
    for terminal in table["terminals"].values():
        terminal["hardware"]["platform"] |= {"spectrum": "micius", "tones": []}
        terminal["flight"]["tracking"]["law"] = law
    return Scenario.model_validate(table)


def _incoming(model: PlatformModel, blocks: int) -> Array:
    """Mean square in each band, urad^2, (blocks, bands)."""
    rate_hz, rng = 500.0, np.random.Generator(np.random.SFC64(12))
    still = model.model_copy(update={"initial_error_urad": 0.0, "drift_urad_s": 0.0})
    record = platform.new_platform(still, rate_hz, rng).reshape(1)
    noise = np.empty((round(400.0 * rate_hz), platform.columns(still)))
    out = np.empty((len(noise), 2))
    rows = []
    for _ in range(blocks):
        rng.standard_normal(out=noise)
        _shake(record, noise, out)
        rows.append(_band_powers(out / _URAD, rate_hz).mean(axis=0))
    return np.array(rows)


def _outgoing(scenario: Scenario, seed: int, duration_s: float, folder: Path) -> Array:
    """Mean square in each band and in all, urad^2, of each axis of both terminals, (4, bands + 1)."""
    run(scenario, folder, seed, duration_s)
    rows = []
    for terminal in load(folder).terminals:
        errors = _settled(terminal, duration_s)
        rows.append(np.column_stack([_band_powers(errors, scenario.sample_rate_hz), np.mean(errors**2, axis=0)]))
    return np.concatenate(rows)


def _settled(terminal: TerminalData, duration_s: float) -> Array:
    """Errors in urad, (n, 2), from some seconds into COMM on."""
    begin_s = terminal.spans(Mode.COMM)[0].start_s + _SETTLE_S
    truth = terminal.truth.values[terminal.truth.time_s >= begin_s]
    return np.stack([truth["error_x"], truth["error_y"]], axis=1).astype(np.float64) / _URAD


def _band_powers(signal: Array, rate_hz: float) -> Array:
    """Mean square of each column of a signal (n, columns) in each of Micius' bands, (columns, bands)."""
    frequency, density = periodogram(signal, rate_hz, axis=0)
    inside = [(low < frequency) & (frequency <= high) for low, high in MICIUS_BANDS_HZ]
    return np.stack([density[band].sum(axis=0) * frequency[1] for band in inside], axis=1)
