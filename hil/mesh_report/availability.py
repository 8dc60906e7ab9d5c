"""When each pair of gateways had a path, and how long it was."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from hil.mesh_report.look import end_s, time_axis, time_unit
from hil.mesh_tables import pair_names
from hil.report import style
from sim.network.record import MeshRecord

_COLUMNS = 900
#: Pairs of which each row can be named, and of which many.
_NAMED, _SOME = 70, 15
#: Opacity that a short interruption has at least, to be seen.
_FAINT = 0.35
_RED = 0.70, 0.15, 0.12


def availability(record: MeshRecord, summary: Mapping[str, Any]) -> Figure:
    """A row a pair, nearest first: delay relative to the vacuum bound, red without path; beside it the time without."""
    order = np.argsort(record.network.bound_s, kind="stable")
    names = pair_names(record)
    names = [names[pair] for pair in order]
    ratio, missing = columns(record.delay_s[:, order] / record.network.bound_s[order])
    height = 0.95 + (0.125 * len(order) if len(order) <= _NAMED else 6.2)
    bottom, tall = 0.45 / height, 1.0 - 0.6 / height
    figure = style.new_figure(height)
    axes, bars = figure.add_axes((0.155, bottom, 0.67, tall)), figure.add_axes((0.84, bottom, 0.09, tall))
    extent = (0.0, end_s(record) / time_unit(record)[0], len(order) - 0.5, -0.5)
    image = axes.imshow(ratio.T, aspect="auto", extent=extent, cmap="YlGnBu", vmin=1.0, vmax=3.0, interpolation="none")
    red = np.zeros((*missing.T.shape, 4))
    red[..., :3] = _RED
    red[..., 3] = np.where(missing.T > 0.0, _FAINT + (1.0 - _FAINT) * missing.T, 0.0)
    axes.imshow(red, aspect="auto", extent=extent, interpolation="none")
    time_axis(axes, record)
    rows = np.arange(len(order)) if len(order) <= _NAMED else np.linspace(0, len(order) - 1, _SOME).astype(int)
    axes.set_yticks(rows, [names[row] for row in rows], fontsize=6.3)
    axes.grid(visible=False)
    _without(bars, [summary["pairs"][name]["availability"] for name in names])
    scale = figure.add_axes((0.945, bottom, 0.010, min(tall, 1.6 / height)))
    figure.colorbar(image, cax=scale, extend="max").outline.set_visible(False)
    return figure


def _without(axes: Axes, available: list[float | None]) -> None:
    """Share of the time without path; a pair that never had one has been without it all the time."""
    share = [100.0 * (1.0 - (value or 0.0)) for value in available]
    axes.barh(range(len(share)), share, 0.75, color=style.FAULT)
    axes.set_ylim(len(share) - 0.5, -0.5)
    axes.set_xlim(0.0, max(1.0, 1.05 * max(share)))
    axes.set_xlabel("without path [%]")
    if not any(share):
        axes.text(0.5, 0.5, "never", transform=axes.transAxes, ha="center", color=style.MUTED)
    axes.xaxis.set_major_locator(MaxNLocator(3, prune="lower"))
    axes.tick_params(labelleft=False, left=False)
    axes.grid(visible=False, axis="y")


def columns(values: NDArray[np.floating]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Series (K, n) on the pixels of a picture: mean (C, n) of what is known, NaN for none, and share that is not."""
    known = ~np.isnan(values)
    starts = np.unique(np.linspace(0, len(values), _COLUMNS, endpoint=False).astype(int))
    steps = np.diff(starts, append=len(values))[:, np.newaxis]
    count = np.add.reduceat(known, starts, dtype=np.float64)
    total = np.add.reduceat(np.where(known, values, 0.0), starts, dtype=np.float64)
    return total / np.where(count > 0.0, count, np.nan), 1.0 - count / steps
