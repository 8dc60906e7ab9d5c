"""What both terminals did: their modes as bars, events as marks, faults as shading."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from flightsw.pat.modes import Mode
from flightsw.services.events import Severity
from hil.report import style
from hil.report.intervals import Interval, acquisition
from hil.run_data import RunData

_LEAD_S, _TAIL_S = 0.15, 0.6
#: Least share of the axis that a bar must have for its name to fit in it, per letter.
_SHARE_PER_LETTER = 0.0085
_MARKS = {Severity.INFO: ("|", style.INK), Severity.LOW: ("v", "#d9a441"), Severity.MEDIUM: ("v", "#8250a0"), Severity.HIGH: ("v", style.FAULT)}


def timeline(run: RunData) -> Figure | str:
    """The whole run, and the acquisition enlarged."""
    if run.end_s == 0.0:
        return "The record holds no samples: there is no time to show."
    window = acquisition(run)
    figure = style.new_figure(3.3 if window is not None else 1.75)
    whole = (0.0, run.end_s)
    if window is None:
        _bars(figure.add_axes((0.06, 0.36, 0.925, 0.48)), run, whole, "whole run")
    else:
        _bars(figure.add_axes((0.06, 0.66, 0.925, 0.27)), run, whole, "whole run")
        near = max(window[0] - _LEAD_S, 0.0), min(window[1] + _TAIL_S, run.end_s)
        _bars(figure.add_axes((0.06, 0.23, 0.925, 0.27)), run, near, "first acquisition")
    used = {span.mode for terminal in run.terminals for span in terminal.modes}
    handles = [Patch(facecolor=style.MODES[mode], edgecolor="#c3cad2", linewidth=0.4, label=mode.name) for mode in Mode if mode in used]
    if run.faults:
        handles.append(Patch(facecolor=style.FAULT, alpha=0.25, label="fault"))
    figure.legend(handles=handles, loc="lower left", bbox_to_anchor=(0.055, 0.0), ncols=len(handles), columnspacing=1.2)
    return figure


def _bars(axes: Axes, run: RunData, window: Interval, title: str) -> None:
    left, right = window
    for row, terminal in enumerate(run.terminals):
        for span in terminal.modes:
            start_s, end_s = max(span.start_s, left), min(span.end_s, right)
            if start_s >= end_s:
                continue
            axes.barh(-row, end_s - start_s, 0.62, start_s, color=style.MODES[span.mode], edgecolor=style.PAPER, linewidth=0.5)
            if (end_s - start_s) / (right - left) > _SHARE_PER_LETTER * len(span.mode.name):
                colour = style.PAPER if span.mode in style.DARK else style.INK
                axes.text(0.5 * (start_s + end_s), -row, span.mode.name, ha="center", va="center", fontsize=7, color=colour)
        for event in terminal.events:
            if left <= event.time_s <= right and event.name != "MODE_CHANGE" or event.severity > Severity.INFO:
                mark, colour = _MARKS[event.severity]
                axes.plot(event.time_s, -row + 0.42, mark, color=colour, markersize=4.5, clip_on=True)
    for fault in run.faults:
        row = [terminal.name for terminal in run.terminals].index(fault.terminal)
        axes.axvspan(fault.start_s, fault.end_s, 0.5 * (1 - row), 0.5 * (2 - row), color=style.FAULT, alpha=0.13, linewidth=0, zorder=0)
        axes.hlines(-row - 0.41, fault.start_s, fault.end_s, color=style.FAULT, linewidth=2.0)
    axes.set_xlim(left, right)
    axes.set_ylim(-len(run.terminals) + 0.5, 0.5)
    axes.set_yticks([-row for row in range(len(run.terminals))], [terminal.name for terminal in run.terminals])
    for label, colour in zip(axes.get_yticklabels(), style.ACCENTS, strict=False):
        label.set_color(colour)
        label.set_fontweight("bold")
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel("time since the epoch [s]")
    axes.set_title(title)
