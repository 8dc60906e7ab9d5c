"""How long pairs of gateways and flows were without service, and why."""

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from hil.mesh_tables import pair_names
from hil.report import style
from hil.report.tables import table
from sim.network.record import GAP_CAUSES, MeshRecord

#: A decade.
_BINS = 10
_COLOURS = dict(zip(GAP_CAUSES, (style.TINTS[0], style.ACCENTS[1], "#d9a441"), strict=True))
_MOST = 10


def recovery(record: MeshRecord) -> Figure | str:
    """Times without service by length and cause on the left; how many were longer on the right."""
    gaps = np.concatenate((record.gaps, record.flow_gaps))
    if not len(gaps):
        return "No pair of gateways and no flow was without service at any time."
    figure = style.new_figure(2.9)
    left, right = figure.add_axes((0.055, 0.16, 0.42, 0.8)), figure.add_axes((0.56, 0.16, 0.29, 0.8))
    length = np.maximum(gaps["length_s"], 1e-4)
    decades = np.floor(np.log10(length.min())), np.ceil(np.log10(1.01 * length.max()))
    edges = np.logspace(*decades, 1 + _BINS * int(decades[1] - decades[0]))
    shown = [(name, length[gaps["cause"] == i]) for i, name in enumerate(GAP_CAUSES)]
    shown = [(name, values) for name, values in shown if len(values)]
    labels = [f"{name}: {len(values)}" for name, values in shown]
    colours = [_COLOURS[name] for name, _ in shown]
    left.hist([values for _, values in shown], edges.tolist(), stacked=True, color=colours, label=labels)
    for (name, values), label in zip(shown, labels, strict=True):
        ordered = np.sort(values)
        right.step(ordered, np.arange(len(ordered), 0, -1), where="pre", color=_COLOURS[name], label=label)
    left.set_ylabel("times without service")
    right.set_ylabel("as long or longer")
    right.set_yscale("log")
    style.plain_decades(right, "y")
    for axes in (left, right):
        axes.set_xscale("log")
        axes.set_xlim(edges[0], edges[-1])
        style.plain_decades(axes, "x")
        axes.set_xlabel("length [s]")
    right.legend(loc="upper left", bbox_to_anchor=(1.02, 1.0))
    return figure


def longest(record: MeshRecord) -> str:
    """The longest times without service but the start, as HTML."""
    rows = []
    for names, gaps in ((pair_names(record), record.gaps), (record.network.flows, record.flow_gaps)):
        rows += [(names[gap["of"]], gap) for gap in gaps[gaps["cause"] != GAP_CAUSES.index("start")]]
    rows.sort(key=lambda row: -row[1]["length_s"])
    if not rows:
        return "<p>After its start the network served all pairs and flows at all times.</p>"
    return table(("longest, after the start", "from [s]", "length [s]", "cause", ""), [_row(*r) for r in rows[:_MOST]])


def _row(name: str, gap: NDArray[np.void]) -> tuple[str, ...]:
    over = "over" if gap["over"] else "until the end"
    return name, f"{gap['start_s']:.2f}", f"{gap['length_s']:.3g}", GAP_CAUSES[gap["cause"]], over
