"""How late periods began and how long devices took: a histogram and a table."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from hil.realtime import Latency
from hil.report import style
from hil.report.tables import table
from hil.run_data import RunData

_COLOURS = (*style.ACCENTS, *style.TINTS, style.MUTED, style.INK)
_PER_DECADE = 10


def latency(run: RunData) -> Figure | str:
    """The histogram of a run."""
    return histogram(latencies(run))


def latencies(run: RunData) -> dict[str, Latency]:
    """What a run measured, by name; empty where everything was simulated."""
    states = {} if run.summary is None else run.summary.get("latency", {})
    return {name: Latency.of(state) for name, state in states.items()}


def devices(run: RunData) -> str:
    """What became of each device that is not simulated; as HTML."""
    rows = {} if run.summary is None else run.summary.get("devices", {})
    head = ("", "bound to", "asked", "not answered", "refused", "lost", "bad frames")
    keys = ("requests", "missed", "refused", "times_lost", "bad_frames")
    return table(head, [(n, row["binding"], *(style.number(row[k], 0) for k in keys)) for n, row in rows.items()])


def times(run: RunData) -> str:
    """The table of what a run measured; as HTML."""
    return latency_table(latencies(run))


def histogram(latencies: Mapping[str, Latency]) -> Figure | str:
    """Share of the times in each tenth of a decade, a line for each name; tolerances as dashed lines."""
    drawn = {name: latency for name, latency in latencies.items() if latency.count}
    if not drawn:
        return "Nothing ran in real time: there are no latencies to show."
    figure = style.new_figure(3.2)
    axes = figure.add_axes((0.06, 0.17, 0.92, 0.75))
    first_ns = max(1, min(latency.percentile(0.0) for latency in drawn.values()))
    last_ns = max(2 * first_ns, *(latency.max_ns for latency in drawn.values()))
    low, high = np.floor(np.log10(first_ns)), np.ceil(np.log10(last_ns))
    edges_ns = np.logspace(low, high, round((high - low) * _PER_DECADE) + 1)
    for k, (name, latency) in enumerate(drawn.items()):
        lower, upper, counts = latency.bins()
        middle = np.clip(0.5 * (lower + upper), edges_ns[0], edges_ns[-1])
        share = np.histogram(middle, edges_ns, weights=counts)[0] / latency.count
        colour = _COLOURS[k % len(_COLOURS)]
        axes.stairs(share, 1e-3 * edges_ns, color=colour, label=name, linewidth=1.2)
        if latency.tolerance_us is not None:
            axes.axvline(latency.tolerance_us, color=colour, linewidth=0.6, linestyle=(0, (4, 3)))
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(1e-3 * edges_ns[0], 1e-3 * edges_ns[-1])
    axes.set_ylim(0.5 / max(latency.count for latency in drawn.values()), 1.5)
    axes.set_xlabel("time [µs]")
    axes.set_ylabel("share")
    style.plain_decades(axes, "x")
    style.plain_decades(axes, "y")
    axes.legend(loc="upper right")
    return figure


def latency_table(latencies: Mapping[str, Latency]) -> str:
    """Count, late ones and percentiles, a row for each name; as HTML."""
    head = ("", "count", "late", "p50 [µs]", "p99 [µs]", "p99.9 [µs]", "max [µs]")
    rows = []
    for name, latency in latencies.items():
        figures = [value for _, value in latency.rows()]
        counts, times = figures[:2], figures[2:]
        rows.append((name, *(style.number(n, 0) for n in counts), *(style.number(t, 1) for t in times)))
    return table(head, rows)
