"""How long acquisition took: by size, and how many runs were still without it, with what the formulas expect."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from hil.campaign_report.data import CampaignData
from hil.campaign_report.expected import expected
from hil.report import style

_BINS = 60
_POINTS = 400


def times(data: CampaignData) -> Figure | str:
    """Density on the left, share not yet acquired on the right."""
    seen = np.sort(data.times[data.acquired])
    if not len(seen):
        return "No run acquired: there is no time to show."
    figure = style.new_figure(2.8)
    density, tail = figure.add_axes((0.06, 0.16, 0.42, 0.78)), figure.add_axes((0.565, 0.16, 0.42, 0.78))
    # the slowest hundredth would press all others into the first bins
    last_s = float(np.quantile(seen, 0.99)) if len(seen) >= 100 else float(seen[-1])
    edges = np.linspace(min(float(seen[0]), last_s) - 0.02 * last_s, 1.02 * last_s, min(_BINS, 8 + len(seen) // 5))
    counts, _ = np.histogram(seen, edges)
    density.stairs(counts / data.runs / np.diff(edges), edges, color=style.ACCENTS[0], fill=True, alpha=0.35)
    density.stairs(counts / data.runs / np.diff(edges), edges, color=style.ACCENTS[0], label=f"{data.runs} runs")
    share = 1.0 - np.arange(1, len(seen) + 1) / data.runs
    tail.step(seen, share, where="post", color=style.ACCENTS[0])
    grid = np.concatenate([edges, np.geomspace(edges[-1], 1.05 * max(float(seen[-1]), edges[-1]), _POINTS)[1:]])
    curve = expected(data, grid)
    dashed: dict[str, Any] = {"color": style.INK, "linewidth": 0.9, "linestyle": (0, (4, 3))}
    if not isinstance(curve, str):
        bins = np.diff(curve[: len(edges)]) / np.diff(edges)
        density.plot(0.5 * (edges[1:] + edges[:-1]), bins, label="by the formulas", **dashed)
        tail.plot(grid, 1.0 - curve, **dashed)
    density.set_ylabel("density [1/s]")
    density.set_xlabel("acquisition time [s]")
    density.set_xlim(edges[0], edges[-1])
    density.legend(loc="upper right")
    tail.set_yscale("log")
    tail.set_ylim(0.5 / data.runs, 1.3)
    tail.set_xscale("log")
    tail.set_xlim(0.9 * float(seen[0]), 1.05 * float(seen[-1]))
    tail.set_ylabel("share of runs not yet acquired")
    tail.set_xlabel("time since the command [s]")
    style.plain_decades(tail, "y")
    ticks = [base * 10.0**power for power in range(-2, 5) for base in (1.0, 2.0, 3.0, 5.0)]
    low, high = tail.get_xlim()
    tail.set_xticks([tick for tick in ticks if low <= tick <= high], minor=False)
    tail.xaxis.set_major_formatter("{x:g}")
    tail.xaxis.set_minor_locator(NullLocator())
    for percent in (50, 90, 99):
        at_s = float(np.quantile(seen, percent / 100.0))
        tail.annotate(
            f"{percent} %: {at_s:.2f} s",
            (at_s, 1.0 - percent / 100.0 * len(seen) / data.runs),
            (-6.0, -4.0),
            textcoords="offset points",
            ha="right",
            va="top",
            fontsize=7.0,
            color=style.INK,
        )
    if isinstance(curve, str):
        density.set_title(curve, fontsize=7.0, fontweight="normal", color=style.MUTED)
    return figure
