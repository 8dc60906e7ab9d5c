"""The light that reaches both apertures, and its fades."""

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from hil.report import style
from hil.report.envelope import envelope
from hil.report.intervals import Interval, in_use
from hil.run_data import RunData, TerminalData

_ZOOM_S = 0.1
_DEPTH_DB = 12.0


@dataclass(frozen=True, slots=True)
class Fade:
    """The least light below the threshold while the link was in use: whose, when, how much."""

    index: int
    time_s: float
    power_w: float


def received_power(run: RunData) -> Figure | str:
    """Power in dBm against time, a panel a terminal; beside it the deepest fade enlarged, if there is one."""
    if not any(terminal.truth.values["power_w"].any() for terminal in run.terminals):
        return "No light reached either aperture in this run."
    fade = deepest_fade(run)
    width = 0.925 if fade is None else 0.60
    figure = style.new_figure(3.6)
    panels: list[Axes] = []
    for i, terminal in enumerate(run.terminals):
        shared = panels[0] if panels else None
        axes = figure.add_axes((0.06, 0.58 - 0.45 * i, width, 0.32), sharex=shared, sharey=shared)
        _panel(axes, run, i, terminal)
        panels.append(axes)
    panels[0].tick_params(labelbottom=False)
    panels[-1].set_xlabel("time since the epoch [s]")
    threshold = float(run.scenario["fade_dbm"])
    least = [float(_dbm(power.min())) for t in run.terminals if len(power := in_use_w(run, t))]
    greatest = max(float(t.truth.values["power_w"].max(initial=0.0)) for t in run.terminals)
    bottom = max(min([threshold, *least]) - 3.0, threshold - _DEPTH_DB)
    panels[0].set_ylim(bottom, max(float(_dbm(greatest)), threshold) + 3.0)
    for axes in panels:
        style.mode_strip(axes, run)
    if fade is not None:
        _zoom(figure.add_axes((0.725, 0.13, 0.26, 0.77)), run, fade)
    return figure


def in_use_w(run: RunData, terminal: TerminalData) -> NDArray[np.float32]:
    """Light in the aperture, in W, at all samples at which the link was in use and undisturbed; (samples,)."""
    power, time_s = terminal.truth.values["power_w"], terminal.truth.time_s
    parts = [power[slice(*np.searchsorted(time_s, interval))] for interval in in_use(run)]
    return np.concatenate([power[:0], *parts])


def deepest_fade(run: RunData) -> Fade | None:
    """The deepest fade that no fault explains; None if the light never fell below the threshold without one."""
    threshold_w = 1e-3 * 10.0 ** (float(run.scenario["fade_dbm"]) / 10.0)
    found = []
    for i, terminal in enumerate(run.terminals):
        for interval in in_use(run):
            part = slice(*np.searchsorted(terminal.truth.time_s, interval))
            power = terminal.truth.values["power_w"][part]
            if len(power) and power.min() < threshold_w:
                at = int(power.argmin())
                found.append(Fade(i, float(terminal.truth.time_s[part][at]), float(power[at])))
    return min(found, key=lambda fade: fade.power_w, default=None)


def _panel(axes: Axes, run: RunData, index: int, terminal: TerminalData) -> None:
    accent = style.ACCENTS[index]
    e = envelope(terminal.truth.time_s, terminal.truth.values["power_w"], 0.0, run.end_s, columns=800)
    axes.fill_between(e.time_s, _dbm(e.low), _dbm(e.high), color=accent, alpha=0.3, linewidth=0)
    axes.plot(e.time_s, _dbm(e.mean), color=accent, linewidth=1.0)
    axes.set_xlim(0.0, run.end_s)
    _threshold(axes, run)
    style.shade_faults(axes, run, terminal.name)
    axes.set_ylabel("power [dBm]")
    used = in_use_w(run, terminal)
    title = f"light in the aperture of {terminal.name}"
    if len(used):
        mean, least = (style.number(float(_dbm(value)), 1) for value in (used.mean(), used.min()))
        title = f"{title}: in use {mean} dBm in the mean, {least} dBm at least"
    elif not terminal.truth.values["power_w"].any():
        title = f"no light reached {terminal.name}"
    axes.set_title(title, color=accent, pad=11)


def _zoom(axes: Axes, run: RunData, fade: Fade) -> None:
    terminal = run.terminals[fade.index]
    window: Interval = (fade.time_s - 0.5 * _ZOOM_S, fade.time_s + 0.5 * _ZOOM_S)
    part = slice(*np.searchsorted(terminal.truth.time_s, window))
    time_ms = 1e3 * (terminal.truth.time_s[part] - fade.time_s)
    power = terminal.truth.values["power_w"][part]
    axes.plot(time_ms, _dbm(power), color=style.ACCENTS[fade.index], linewidth=0.8)
    _threshold(axes, run)
    threshold = float(run.scenario["fade_dbm"])
    lowest = float(_dbm(fade.power_w))
    highest = max(float(_dbm(float(power.max()))), threshold)
    axes.set_ylim(max(lowest, threshold - 2.0 * _DEPTH_DB) - 1.5, highest + 2.0)
    axes.set_xlim(-500.0 * _ZOOM_S, 500.0 * _ZOOM_S)
    axes.set_xlabel(f"time since {fade.time_s:.4f} s [ms]")
    axes.set_title(f"deepest fade: {terminal.name}", color=style.ACCENTS[fade.index], pad=11)


def _threshold(axes: Axes, run: RunData) -> None:
    threshold = float(run.scenario["fade_dbm"])
    style.note(axes, threshold, f"fade below {style.number(threshold)} dBm")


def _dbm(power_w: float | NDArray[np.float32] | NDArray[np.float64]) -> NDArray[np.float64]:
    """Power in dBm; far below every axis for none."""
    return 10.0 * np.log10(np.maximum(np.asarray(power_w, np.float64), 1e-30) / 1e-3)
