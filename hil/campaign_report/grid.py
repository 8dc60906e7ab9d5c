"""Success and time at each point of a campaign's grid."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from hil.campaign_report.data import CampaignData
from hil.link_simulation import wilson
from hil.report import style
from hil.report.tables import table

_MOST = 40


def points(data: CampaignData) -> dict[tuple[Any, ...], list[int]]:
    """The runs of each point of the grid, by its values; one point of no values if there is no grid."""
    found: dict[tuple[Any, ...], list[int]] = {}
    for run, point in enumerate(zip(*(data.column(key) for key in data.plan.grid), strict=True)):
        found.setdefault(point, []).append(run)
    return found


def success(data: CampaignData) -> Figure | str:
    """Share acquired with its Wilson interval, and median time with the middle 80 %, a line a point."""
    rows = points(data)
    if len(rows) > _MOST:
        return f"The grid has {len(rows)} points: the table below has them."
    height = 0.9 + 0.24 * len(rows)
    figure = style.new_figure(height)
    bottom, tall = 0.5 / height, 1.0 - 0.62 / height
    shares, medians = figure.add_axes((0.27, bottom, 0.33, tall)), figure.add_axes((0.65, bottom, 0.335, tall))
    for i, runs in enumerate(rows.values()):
        count = int(data.acquired[runs].sum())
        low, high = wilson(count, len(runs))
        shares.plot([100.0 * low, 100.0 * high], [i, i], color=style.TINTS[0], linewidth=3.0, solid_capstyle="butt")
        shares.plot(100.0 * count / len(runs), i, "o", color=style.ACCENTS[0], markersize=4.5)
        if count:
            early, half, late = np.nanquantile(data.times[runs], (0.1, 0.5, 0.9))
            medians.plot([early, late], [i, i], color=style.TINTS[1], linewidth=3.0, solid_capstyle="butt")
            medians.plot(half, i, "o", color=style.ACCENTS[1], markersize=4.5)
    for axes in (shares, medians):
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.set_yticks(range(len(rows)), [])
        axes.grid(visible=False, axis="y")
    shares.set_yticks(range(len(rows)), [", ".join(map(value, point)) for point in rows])
    shares.xaxis.set_major_locator(MaxNLocator(5))
    shares.set_xlabel("acquired [%], 95 % interval")
    medians.set_xlabel("acquisition time [s]: half of the runs, middle 80 %")
    medians.set_xlim(left=0.0)
    return figure


def success_table(data: CampaignData) -> str:
    """The same in figures, as HTML."""
    rows = []
    for point, runs in points(data).items():
        count = int(data.acquired[runs].sum())
        low, high = wilson(count, len(runs))
        times = data.times[runs][data.acquired[runs]]
        quantiles = [style.number(float(q), 2) for q in np.quantile(times, (0.5, 0.9, 0.99))] if count else ["–"] * 3
        mean = style.number(float(times.mean()), 2) if count else "–"
        interval = f"{100.0 * low:.2f} to {100.0 * high:.2f}"
        rows.append(
            (*map(value, point), str(len(runs)), f"{100.0 * count / len(runs):.2f}", interval, mean, *quantiles)
        )
    head = (*map(short, data.plan.grid), "runs", "acquired [%]", "95 % interval", "mean [s]", "50 %", "90 %", "99 %")
    return table(head, rows)


def short(key: str) -> str:
    """The end of a key that tells it from others for a reader."""
    return key.rpartition(".")[2] if key.startswith("both.") else ".".join(key.split(".")[1:2] + key.split(".")[-1:])


def value(entry: Any) -> str:
    """A value of a key for readers."""
    return style.number(entry) if isinstance(entry, float) else str(entry)
