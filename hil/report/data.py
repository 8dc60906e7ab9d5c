"""What became of the data: pointing error, light and transfer frames on one time axis."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hil.report import style
from hil.report.envelope import envelope
from hil.run_data import RunData

_MARGIN_S = 0.1
_LIMIT = 1e-12


def data(run: RunData) -> Figure | str:
    """The strip, from the first to the last transfer frame."""
    strip = run.data
    busy = np.flatnonzero(strip["good"] + strip["lost"] > 0)
    if not len(busy):
        return "This run carried no data: `beamlock run --payload FILE` sends a file during COMM."
    start_s = max(float(strip["time_s"][busy[0]]) - _MARGIN_S, 0.0)
    end_s = min(float(strip["time_s"][busy[-1]]) + _MARGIN_S, run.end_s)
    figure = style.new_figure(4.2)
    rows = [figure.add_axes((0.06, 0.11 + 0.29 * (2 - row), 0.925, 0.24)) for row in range(3)]
    _errors(rows[0], run, start_s, end_s)
    _light(rows[1], run, start_s, end_s)
    _frames(rows[2], run)
    for axes in rows:
        axes.set_xlim(start_s, end_s)
        style.shade_faults(axes, run)
    for axes in rows[:2]:
        axes.tick_params(labelbottom=False)
    rows[2].set_xlabel("time since the epoch [s]")
    return figure


def _errors(axes: Axes, run: RunData, start_s: float, end_s: float) -> None:
    for terminal, colour in zip(run.terminals, style.ACCENTS, strict=True):
        truth = terminal.truth
        radial = 1e6 * np.hypot(truth.values["error_x"], truth.values["error_y"])
        seen = envelope(truth.time_s, radial, start_s, end_s)
        axes.fill_between(seen.time_s, seen.low, seen.high, color=colour, alpha=0.25, linewidth=0)
        axes.plot(seen.time_s, seen.rms, color=colour, label=f"{terminal.name}, rms; shaded: least to greatest")
    axes.set_yscale("log")
    style.plain_decades(axes, "y")
    axes.set_ylabel("error [µrad]")
    axes.legend(loc="lower right", bbox_to_anchor=(1.0, 0.98), ncols=2)


def _light(axes: Axes, run: RunData, start_s: float, end_s: float) -> None:
    terminal = run.terminals[1]
    seen = envelope(terminal.truth.time_s, terminal.truth.values["power_w"], start_s, end_s)
    low, mean, high = (10.0 * np.log10(np.maximum(v, _LIMIT) / 1e-3) for v in (seen.low, seen.mean, seen.high))
    axes.fill_between(seen.time_s, low, high, color=style.ACCENTS[1], alpha=0.25, linewidth=0)
    axes.plot(seen.time_s, mean, color=style.ACCENTS[1])
    axes.set_ylabel(f"light at {terminal.name} [dBm]")


def _frames(axes: Axes, run: RunData) -> None:
    strip = run.data
    axes.step(strip["time_s"], strip["good"], where="pre", color=style.ACCENTS[1], label="good frames in 10 ms")
    lost = strip["lost"] > 0
    axes.vlines(strip["time_s"][lost], 0, strip["lost"][lost], color=style.FAULT, linewidth=1.4, label="lost")
    axes.set_ylabel("transfer frames")
    axes.set_ylim(bottom=0)
    axes.legend(loc="lower right", bbox_to_anchor=(1.0, 0.98), ncols=2)
