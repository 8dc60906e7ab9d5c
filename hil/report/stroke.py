"""How far the mirrors are driven, what the gimbals take over of that, and where the gimbals point."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hil.report import style
from hil.report.envelope import envelope
from hil.run_data import RunData, TerminalData

_NAMES = ("cross-elevation", "elevation")
_ROWS = (0.70, 0.40, 0.10)
_HEIGHT = 0.215


def stroke(run: RunData) -> Figure | str:
    """Mirror command in µrad, learnt pointing bias in µrad and gimbal angles in degrees against time."""
    if not all(len(terminal.samples) and len(terminal.housekeeping) for terminal in run.terminals):
        return "The record holds no samples of one of the terminals."
    figure = style.new_figure(5.0)
    for i, terminal in enumerate(run.terminals):
        left = 0.065 + 0.495 * i
        mirror, bias, gimbal = (figure.add_axes((left, bottom, 0.425, _HEIGHT)) for bottom in _ROWS)
        _mirror(mirror, run, i, terminal)
        _housekeeping(bias, run, i, terminal, ("bias_x", "bias_y"), 1e6)
        _housekeeping(gimbal, run, i, terminal, ("gimbal_azimuth", "gimbal_elevation"), 180.0 / np.pi)
        bias.set_title("pointing bias that the gimbal took over")
        gimbal.set_title("gimbal, azimuth in the darker and elevation in the lighter colour")
        gimbal.set_xlabel("time since the epoch [s]")
        for axes, label in ((mirror, "mirror [µrad]"), (bias, "bias [µrad]"), (gimbal, "gimbal [deg]")):
            axes.set_ylabel(label)
            axes.yaxis.set_label_coords(-0.115, 0.5)
            style.shade_faults(axes, run, terminal.name)
        style.mode_strip(mirror, run)
        for axes in (mirror, bias):
            axes.tick_params(labelbottom=False)
    return figure


def _mirror(axes: Axes, run: RunData, index: int, terminal: TerminalData) -> None:
    colours = style.ACCENTS[index], style.TINTS[index]
    greatest = 0.0
    for axis, name in reversed(list(enumerate(("mirror_x", "mirror_y")))):
        values = terminal.samples.values[name]
        e = envelope(terminal.samples.time_s, values, 0.0, run.end_s, columns=450)
        axes.fill_between(e.time_s, 1e6 * e.low, 1e6 * e.high, color=colours[axis], alpha=0.7, linewidth=0.3)
        finite = np.abs(values[np.isfinite(values)])
        greatest = max(greatest, 1e6 * float(finite.max(initial=0.0)))
    settings = run.scenario["terminals"][terminal.name]["flight"]["tracking"]
    limit = float(settings["mirror_range_urad"])
    axes.set_xlim(0.0, run.end_s)
    axes.set_title(
        f"{terminal.name}: {greatest:.0f} of {limit:g} µrad of the mirror's range used", color=colours[0], pad=12
    )
    if greatest > 0.7 * limit:
        for sign in (-1.0, 1.0):
            style.note(axes, sign * limit, "range")


def _housekeeping(
    axes: Axes, run: RunData, index: int, terminal: TerminalData, names: tuple[str, str], scale: float
) -> None:
    colours = style.ACCENTS[index], style.TINTS[index]
    for axis in (1, 0):
        axes.plot(terminal.housekeeping_time_s, scale * terminal.housekeeping[names[axis]], color=colours[axis])
    axes.set_xlim(0.0, run.end_s)
