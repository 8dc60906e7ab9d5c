"""The look of the report's figures: one palette, one type size, no ornament.

Colours hold for colour-blind readers (blue against vermilion for the terminals, pale to dark for the modes) and in grey
print. Each terminal keeps its colour throughout; its x axis is drawn in it, its y axis in the lighter tint.
"""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from flightsw.pat.modes import Mode
from hil.run_data import RunData

INK, MUTED, GRID, PAPER = "#1d2733", "#6a7684", "#e4e8ed", "#ffffff"
ACCENTS = ("#0b69a8", "#c2501c")
TINTS = ("#86bfe4", "#efb08d")
FAULT = "#b3261e"
MODES = {
    Mode.STANDBY: "#eef0f3",
    Mode.POINT: "#cfd5dc",
    Mode.SCAN: "#f2d98b",
    Mode.STARE: "#f7ebc0",
    Mode.COARSE_TRACK: "#d9a441",
    Mode.FINE_TRACK: "#8fcbbb",
    Mode.COMM: "#2f8f7f",
    Mode.REACQUIRE: "#b58cc9",
    Mode.SAFE: "#b3261e",
}
#: Modes whose bars are dark enough for white text.
DARK = frozenset({Mode.COMM, Mode.SAFE})
WIDTH_IN = 10.6

_SETTINGS: dict[str, Any] = {
    "font.size": 8.0,
    "font.family": ["DejaVu Sans"],
    "text.color": INK,
    "axes.edgecolor": "#aab3bd",
    "axes.labelcolor": INK,
    "axes.linewidth": 0.6,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 8.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.minor.width": 0.4,
    "ytick.minor.width": 0.4,
    "lines.linewidth": 1.0,
    "legend.frameon": False,
    "legend.fontsize": 7.5,
    "legend.handlelength": 1.6,
    "svg.fonttype": "none",
    "path.simplify_threshold": 0.2,
}
#: A hundredth of a point is less than any screen shows; matplotlib writes four digits more.
_LONG_NUMBER = re.compile(r"(\.\d\d)\d+")
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@contextmanager
def applied() -> Iterator[None]:
    """Draw in the report's style while in this context; matplotlib's settings are as before afterwards."""
    with matplotlib.rc_context(cast(Any, _SETTINGS)):
        yield


def new_figure(height_in: float, width_in: float = WIDTH_IN) -> Figure:
    """An empty figure."""
    return Figure(figsize=(width_in, height_in))


def to_svg(figure: Figure, salt: str, title: str) -> str:
    """The figure as an SVG element for HTML: scales with its container, and text is text in the page's own font.

    salt: a name of its own for each figure of a page, so that clip paths of two figures never share an id; title: what
    a screen reader says.
    """
    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": salt}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r'(<svg [^>]*?) width="[^"]*" height="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)
    svg = re.sub(r' d="[^"]*"', lambda match: _LONG_NUMBER.sub(r"\1", match[0]), svg)
    svg = svg.replace("'DejaVu Sans'", "var(--font)")
    label = title.replace("&", "&amp;").replace('"', "&quot;")
    return svg.replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1)


def number(value: float, digits: int | None = None) -> str:
    """A number for readers: so many digits behind the point, or as many as it takes, with a true minus sign."""
    text = f"{value:g}" if digits is None else f"{value:.{digits}f}"
    return text.replace("-", "−")


def power_of_ten(exponent: int) -> str:
    """10 to a whole power in letters, as in 10⁻³."""
    return "10" + str(exponent).translate(_SUPERSCRIPTS)


def plain_decades(axes: Axes, which: str) -> None:
    """Label the decades of a logarithmic axis ("x" or "y") as 0.1, 1, 10, or with powers where that gets long."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    def text(value: float, _: int | None = None) -> str:
        exponent = round(float(f"{value:e}".partition("e")[2]))
        return f"{value:g}" if -3 < exponent < 5 else power_of_ten(exponent)

    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_locator(LogLocator(numticks=12))
    axis.set_major_formatter(FuncFormatter(text))
    axis.set_minor_formatter(NullFormatter())


def shade_faults(axes: Axes, run: RunData, terminal: str | None = None) -> None:
    """Shade the times with a fault, of one terminal or of any."""
    intervals = {(f.start_s, f.end_s) for f in run.faults if terminal in (None, f.terminal)}
    for start_s, end_s in sorted(intervals):
        axes.axvspan(start_s, end_s, color=FAULT, alpha=0.08, linewidth=0, zorder=0)


def note(axes: Axes, value: float, text: str) -> None:
    """A dashed line across the axes at `value`, with a text at its right end."""
    paper = {"facecolor": PAPER, "edgecolor": "none", "pad": 0.5, "alpha": 0.75}
    axes.axhline(value, color=MUTED, linewidth=0.6, linestyle=(0, (4, 3)), zorder=1)
    transform = axes.get_yaxis_transform()
    axes.text(0.995, value, text, transform=transform, ha="right", va="center", fontsize=6.8, color=MUTED, bbox=paper)


def mode_strip(axes: Axes, run: RunData) -> None:
    """A thin band above a time axis with the modes of the terminals, the first one on top."""
    strip = axes.inset_axes((0.0, 1.015, 1.0, 0.05))
    strip.set_axis_off()
    limits = axes.get_xlim()
    for row, terminal in enumerate(run.terminals):
        for span in terminal.modes:
            if span.end_s > limits[0] and span.start_s < limits[1]:
                strip.barh(-row, span.duration_s, 0.8, span.start_s, color=MODES[span.mode], linewidth=0)
    strip.set_xlim(limits)
    strip.set_ylim(-len(run.terminals) + 0.5, 0.5)
