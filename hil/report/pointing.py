"""How the true pointing error of both receive axes falls from the search's width to the fine loop's residual."""

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hil.report import style
from hil.report.envelope import envelope
from hil.report.intervals import Interval, acquisition, locks
from hil.run_data import RunData

_LEAD_S, _TAIL_S = 0.1, 1.0
_FWHM_PER_RADIUS = math.sqrt(2.0 * math.log(2.0))


def pointing(run: RunData) -> Figure | str:
    """Radial error in urad against time, on a logarithmic axis: the acquisition enlarged, and the whole run."""
    window = acquisition(run)
    if window is None:
        return "Neither terminal searched: the pointing error never had to fall."
    figure = style.new_figure(3.3)
    whole = (window[0], run.end_s)
    if locks(run):
        near = max(window[0] - _LEAD_S, 0.0), min(window[1] + _TAIL_S, run.end_s)
        first = figure.add_axes((0.06, 0.2, 0.44, 0.66))
        _panel(first, run, near, "acquisition")
        axes = figure.add_axes((0.545, 0.2, 0.44, 0.66), sharey=first)
        _panel(axes, run, whole, "whole run, from the search on")
        axes.set_ylabel("")
    else:
        axes = figure.add_axes((0.06, 0.2, 0.925, 0.66))
        _panel(axes, run, whole, "from the search on")
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower left", bbox_to_anchor=(0.055, -0.01), ncols=4)
    return figure


def _panel(axes: Axes, run: RunData, window: Interval, title: str) -> None:
    axes.set_yscale("log")
    for terminal, accent in zip(run.terminals, style.ACCENTS, strict=False):
        truth = terminal.truth.values
        radial = 1e6 * np.hypot(truth["error_x"], truth["error_y"])
        e = envelope(terminal.truth.time_s, radial, *window, columns=600)
        axes.fill_between(e.time_s, e.rms, e.high, color=accent, alpha=0.25, linewidth=0)
        axes.plot(
            e.time_s, e.rms, color=accent, linewidth=1.1, label=f"{terminal.name}, rms; shaded: up to the greatest"
        )
    axes.set_xlim(window)
    axes.set_ylim(*_limits(run, window))
    style.shade_faults(axes, run)
    for value, text in _marks(run):
        style.note(axes, value, text)
    style.plain_decades(axes, "y")
    style.mode_strip(axes, run)
    axes.set_xlabel("time since the epoch [s]")
    axes.set_ylabel("radial pointing error [µrad]")
    axes.set_title(title, pad=12)


def _limits(run: RunData, window: Interval) -> tuple[float, float]:
    """From a tenth of a microradian, below every residual, to above the greatest error that is seen."""
    highest = 10.0
    for terminal in run.terminals:
        truth, time_s = terminal.truth.values, terminal.truth.time_s
        seen = truth[slice(*np.searchsorted(time_s, window))]
        if len(seen):
            highest = max(highest, 1e6 * float(np.nanmax(np.hypot(seen["error_x"], seen["error_y"]))))
    return 0.1, 1.5 * highest


def _marks(run: RunData) -> list[tuple[float, str]]:
    """What the error has to pass on its way down, in urad; of the first terminal, as a scale."""
    settings = next(iter(run.scenario["terminals"].values()))
    beam = settings["hardware"]["laser"]["signal"]["divergence_fwhm_urad"] / _FWHM_PER_RADIUS
    return [
        (settings["flight"]["acquisition"]["uncertainty_urad"], "uncertainty, 1σ per axis"),
        (settings["hardware"]["quad_cell"]["field_radius_urad"], "field of the quad cell"),
        (beam, "beam, 1/e² radius"),
    ]
