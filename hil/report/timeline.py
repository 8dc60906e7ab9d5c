"""What both terminals did: their modes as bars, events as marks, faults as shading."""

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from flightsw.pat.modes import Mode
from flightsw.services.events import Event, Severity
from hil.report import style
from hil.report.intervals import Interval, acquisition, locks
from hil.run_data import RunData

_LEAD_S, _TAIL_S = 0.15, 0.6
#: Least share of the axis that a bar must have for its name to fit in it, per letter.
_SHARE_PER_LETTER = 0.0085
_MARKS = {
    Severity.INFO: ("|", style.INK),
    Severity.LOW: ("v", "#d9a441"),
    Severity.MEDIUM: ("v", "#8250a0"),
    Severity.HIGH: ("v", style.FAULT),
}


def timeline(run: RunData) -> Figure | str:
    """The whole run, and the acquisition enlarged if it succeeded."""
    if run.end_s == 0.0:
        return "The record holds no samples: there is no time to show."
    window = acquisition(run) if locks(run) else None
    figure = style.new_figure(1.75 if window is None else 3.15)
    whole = (0.0, run.end_s)
    if window is None:
        bars = [_bars(figure.add_axes((0.06, 0.40, 0.925, 0.46)), run, whole, "whole run")]
    else:
        near = max(window[0] - _LEAD_S, 0.0), min(window[1] + _TAIL_S, run.end_s)
        bars = [
            _bars(figure.add_axes((0.06, 0.67, 0.925, 0.26)), run, whole, "whole run"),
            _bars(figure.add_axes((0.06, 0.23, 0.925, 0.26)), run, near, "first acquisition"),
        ]
    bars[-1].set_xlabel("time since the epoch [s]")
    used = {span.mode for terminal in run.terminals for span in terminal.modes}
    handles: list[Artist] = [
        Patch(facecolor=style.MODES[mode], edgecolor="#c3cad2", linewidth=0.4, label=mode.name)
        for mode in Mode
        if mode in used
    ]
    severities = {event.severity for terminal in run.terminals for event in terminal.events if _is_marked(event)}
    for severity in sorted(severities):
        mark, colour = _MARKS[severity]
        handles.append(Line2D([], [], marker=mark, color=colour, linewidth=0, markersize=4.5, label=_LABELS[severity]))
    figure.legend(
        handles=handles,
        loc="lower left",
        bbox_to_anchor=(0.055, -0.01),
        ncols=len(handles),
        columnspacing=1.0,
        handlelength=1.2,
    )
    return figure


_LABELS = {Severity.INFO: "event", Severity.LOW: "low", Severity.MEDIUM: "medium", Severity.HIGH: "high severity"}


def _is_marked(event: Event) -> bool:
    """Changes of mode show as bars, unless they are anomalies."""
    return event.name != "MODE_CHANGE" or event.severity > Severity.INFO


def _bars(axes: Axes, run: RunData, window: Interval, title: str) -> Axes:
    left, right = window
    for row, terminal in enumerate(run.terminals):
        for span in terminal.modes:
            start_s, end_s = max(span.start_s, left), min(span.end_s, right)
            if start_s >= end_s:
                continue
            colour = style.MODES[span.mode]
            axes.barh(-row, end_s - start_s, 0.56, start_s, color=colour, edgecolor=style.PAPER, linewidth=0.5)
            if (end_s - start_s) / (right - left) > _SHARE_PER_LETTER * len(span.mode.name):
                ink = style.PAPER if span.mode in style.DARK else style.INK
                axes.text(
                    0.5 * (start_s + end_s), -row, span.mode.name, ha="center", va="center", fontsize=7, color=ink
                )
        for event in terminal.events:
            if left <= event.time_s <= right and _is_marked(event):
                mark, colour = _MARKS[event.severity]
                axes.plot(event.time_s, -row + 0.39, mark, color=colour, markersize=4.5)
        for fault in run.faults:
            start_s, end_s = max(fault.start_s, left), min(fault.end_s, right)
            if fault.terminal == terminal.name and start_s < end_s:
                axes.hlines(-row - 0.36, start_s, end_s, color=style.FAULT, linewidth=2.2)
                # the name stands behind the line, or on its end where there is no room
                behind = end_s < right - 0.1 * (right - left)
                axes.annotate(
                    fault.name.replace("_", " "),
                    (end_s, -row - 0.37),
                    (3.0 if behind else 0.0, 0.0),
                    textcoords="offset points",
                    color=style.FAULT,
                    fontsize=6.5,
                    ha="left" if behind else "right",
                    va="center",
                    bbox={"facecolor": style.PAPER, "edgecolor": "none", "pad": 0.3},
                )
    axes.set_xlim(left, right)
    axes.set_ylim(-len(run.terminals) + 0.4, 0.5)
    axes.set_yticks([-row for row in range(len(run.terminals))], [terminal.name for terminal in run.terminals])
    for label, colour in zip(axes.get_yticklabels(), style.ACCENTS, strict=False):
        label.set_color(colour)
        label.set_fontweight("bold")
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="y", visible=False)
    axes.set_title(title)
    return axes
