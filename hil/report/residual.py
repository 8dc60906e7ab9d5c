"""What the fine loop leaves of the platform's disturbance: by frequency, and by size."""

import math
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from flightsw.services.events import Event
from hil.report import style
from hil.report.intervals import Interval, in_use, longest
from hil.report.spectrum import Spectrum, thinned, welch
from hil.run_data import RunData, TerminalData
from sim.mirror import MirrorModel, new_mirror

_LEAST_S = 0.5
_MIRROR_SETTLING_S = 0.05
_AXES = ("x", "y")
_NAMES = ("cross-elevation", "elevation")


@dataclass(frozen=True, slots=True)
class Tracking:
    """Signals of one terminal while it tracked undisturbed, float64 (samples, 2) in urad, axis by axis.

    error: true error of the receive axis; disturbance: that error plus the mirror's angle, what a fixed mirror leaves.
    """

    interval: Interval
    error: NDArray[np.float64]
    disturbance: NDArray[np.float64]


def undisturbed(run: RunData, terminal: TerminalData) -> Tracking | None:
    """The longest time in COMM without faults, from the last change of gains on; None if below half a second."""
    samples, truth = terminal.in_step()
    interval = longest(in_use(run))
    if interval is None or not len(truth):
        return None
    # of a record that was cut one terminal may reach further than the other
    last_s = min(interval[1], float(truth.time_s[-1]))
    changes = [event.time_s for event in terminal.events if _changes_gains(event) and interval[0] < event.time_s]
    changes = [time_s + _LEAST_S for time_s in changes if time_s + 4.0 * _LEAST_S < last_s]
    interval = max([interval[0], *changes]), last_s
    if interval[1] - interval[0] < _LEAST_S:
        return None
    part = slice(*np.searchsorted(truth.time_s, interval))
    error = _columns(truth.values[part], "error")
    model = MirrorModel.model_validate(run.scenario["terminals"][terminal.name]["hardware"]["mirror"])
    angle = mirror_angle(model, run.rate_hz, _columns(samples.values[part], "mirror"))
    settled = int(_MIRROR_SETTLING_S * run.rate_hz)
    return Tracking(interval, error[settled:], (error + angle)[settled:])


def mirror_angle(model: MirrorModel, rate_hz: int, command: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where a mirror is that was told `command`, (samples, 2) in any unit, and rested at the first before.

    The delay and the resonance of `sim.mirror`, without its range, slew rate and converter steps.
    """
    from scipy.signal import lfilter

    mirror = new_mirror(model, rate_hz)
    (a, b, c, d), (p, q) = mirror["transition"], mirror["input"]
    numerator = [0.0] * model.delay_samples + [p, b * q - d * p]
    denominator = [1.0, -(a + d), a * d - b * c]
    rest = command[0]
    moved: NDArray[np.float64] = rest + np.asarray(lfilter(numerator, denominator, command - rest, axis=0))
    return moved


def _changes_gains(event: Event) -> bool:
    return event.name == "TONES_IDENTIFIED"


def _columns(records: NDArray[np.void], name: str) -> NDArray[np.float64]:
    return 1e6 * np.stack([records[f"{name}_{axis}"] for axis in _AXES], axis=1).astype(np.float64)


def spectra(run: RunData) -> Figure | str:
    """Spectral density of error and disturbance per axis, and the cumulative rms of the error below it."""
    parts = [(i, t, part) for i, t in enumerate(run.terminals) if (part := undisturbed(run, t)) is not None]
    if not parts:
        return (
            "The terminals were never both in COMM without a fault for half a second: there is no residual to analyse."
        )
    figure = style.new_figure(4.7)
    density: Axes | None = None
    for place, (i, terminal, part) in enumerate(parts):
        left = 0.06 + 0.485 * place
        density = figure.add_axes((left, 0.44, 0.44, 0.50), sharey=density)
        rms = figure.add_axes((left, 0.14, 0.44, 0.24), sharex=density)
        tones = run.scenario["terminals"][terminal.name]["hardware"]["platform"]["tones"]
        frequencies = [float(tone["frequency_hz"]) for tone in tones]
        _draw(density, rms, part, run.rate_hz, frequencies, i)
        start_s, end_s = part.interval
        density.set_title(f"{terminal.name}, {start_s:.1f} s to {end_s:.1f} s", color=style.ACCENTS[i])
        if place == 0:
            density.set_ylabel("density [µrad²/Hz]")
            rms.set_ylabel("cumulative rms [µrad]")
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles[::-1], labels[::-1], loc="lower left", bbox_to_anchor=(0.055, -0.01), ncols=4)
    return figure


def _draw(density: Axes, rms: Axes, part: Tracking, rate_hz: float, tones: list[float], index: int) -> None:
    colours = style.ACCENTS[index], style.TINTS[index]
    errors = [welch(part.error[:, axis], rate_hz) for axis in range(2)]
    disturbances = [welch(part.disturbance[:, axis], rate_hz) for axis in range(2)]
    density.set_xscale("log")
    density.set_yscale("log")
    lowest = math.inf
    for axis in (1, 0):
        for spectrum, colour, what in (
            (disturbances[axis], ("#5c6773", "#b4bcc6")[axis], "platform, with the mirror fixed"),
            (errors[axis], colours[axis], "residual"),
        ):
            drawn = thinned(spectrum)
            lowest = min(lowest, float(drawn.density.min()))
            density.plot(
                drawn.frequency_hz, drawn.density, color=colour, linewidth=0.8, label=f"{what}, {_NAMES[axis]}"
            )
        total = errors[axis].cumulative_rms
        keep = _thin(errors[axis])
        rms.plot(errors[axis].frequency_hz[keep], total[keep], color=colours[axis], linewidth=1.2)
    ends = [float(spectrum.cumulative_rms[-1]) for spectrum in errors]
    rms.set_ylim(0.0, 1.25 * max(ends))
    rms.text(
        0.99,
        0.93,
        f"{ends[0]:.2f} and {ends[1]:.2f} µrad in all",
        transform=rms.transAxes,
        ha="right",
        va="top",
        fontsize=7.5,
    )
    for tone in tones:
        gain = _rejection_db(errors, disturbances, tone)
        for axes in (density, rms):
            axes.axvline(tone, color=style.MUTED, linewidth=0.5, linestyle=(0, (2, 2)), zorder=0)
        density.annotate(
            f"{tone:g} Hz, {style.number(gain, 0)} dB",
            (tone, 1.0),
            (-2.0, -2.0),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            rotation=90,
            ha="right",
            va="top",
            fontsize=6.5,
            color=style.MUTED,
        )
    density.set_xlim(errors[0].frequency_hz[0], 0.5 * rate_hz)
    density.set_ylim(bottom=0.3 * lowest)
    style.plain_decades(density, "x")
    style.plain_decades(density, "y")
    density.tick_params(labelbottom=False)
    rms.set_xlabel("frequency [Hz]")


def _thin(spectrum: Spectrum) -> NDArray[np.int64]:
    """Indices that are evenly spread on a logarithmic axis, the last one among them."""
    spread = np.geomspace(1, len(spectrum.frequency_hz), 400).astype(np.int64) - 1
    return np.unique(spread)


def _rejection_db(errors: list[Spectrum], disturbances: list[Spectrum], tone_hz: float) -> float:
    """What is left of the power around a tone, mean of both axes, in dB."""
    width = 4.0 * errors[0].step_hz
    left = sum(spectrum.power(tone_hz, width) for spectrum in errors)
    there = sum(spectrum.power(tone_hz, width) for spectrum in disturbances)
    return 10.0 * math.log10(left / there) if left > 0.0 and there > 0.0 else math.nan


def histogram(run: RunData) -> Figure | str:
    """Radial error of both terminals against the Rayleigh distribution of the same rms: density, and share beyond."""
    parts = [(i, t, part) for i, t in enumerate(run.terminals) if (part := undisturbed(run, t)) is not None]
    if not parts:
        return "The terminals were never both in COMM without a fault for half a second: there is no residual to count."
    figure = style.new_figure(2.7)
    shape, tail = figure.add_axes((0.06, 0.25, 0.42, 0.71)), figure.add_axes((0.565, 0.25, 0.42, 0.71))
    tail.set_yscale("log")
    furthest, least = 0.0, 1.0
    for i, terminal, part in parts:
        radial = np.sort(np.hypot(part.error[:, 0], part.error[:, 1]))
        sigma = math.sqrt(0.5 * float(np.mean(radial**2)))
        counts, edges = np.histogram(radial, 80, density=True)
        shape.stairs(counts, edges, color=style.ACCENTS[i], label=f"{terminal.name}, σ = {sigma:.2f} µrad per axis")
        # one point a step of the tail's size: evenly spread ranks would spend them all on the bulk
        ranks = np.unique(np.geomspace(1, len(radial), 300).astype(np.int64))
        tail.plot(radial[-ranks], ranks / len(radial), color=style.ACCENTS[i])
        r = np.linspace(0.0, 1.1 * radial[-1], 200)
        gauss = np.exp(-0.5 * (r / sigma) ** 2)
        label = "Rayleigh of the same σ" if i == parts[-1][0] else None
        shape.plot(r, r / sigma**2 * gauss, color=style.INK, linewidth=0.8, linestyle=(0, (4, 3)), label=label)
        tail.plot(r, gauss, color=style.INK, linewidth=0.8, linestyle=(0, (4, 3)))
        furthest, least = max(furthest, float(r[-1])), min(least, 1.0 / len(radial))
    for axes in (shape, tail):
        axes.set_xlabel("radial error [µrad]")
    shape.set_xlim(0.0, 0.8 * furthest)
    tail.set_xlim(0.0, furthest)
    shape.set_ylim(bottom=0.0)
    shape.set_ylabel("density [1/µrad]")
    tail.set_ylim(0.5 * least, 1.5)
    tail.set_ylabel("share of samples beyond")
    style.plain_decades(tail, "y")
    handles, labels = shape.get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower left", bbox_to_anchor=(0.055, -0.015), ncols=3)
    return figure
