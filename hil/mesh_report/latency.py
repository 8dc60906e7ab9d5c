"""Delay of the pairs: over time, by distance, and what terminals that need time to acquire add to it."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from hil.mesh_report.look import ROUTES, end_s, time_axis, time_unit
from hil.mesh_tables import pair_names
from hil.report import style
from hil.report.envelope import envelope
from sim.geometry import SPEED_OF_LIGHT
from sim.network.record import MeshRecord

#: Pairs drawn over time if no flow names any.
_SOME = 4


def over_time(record: MeshRecord) -> Figure | str:
    """Delay of the pairs that flows are between; without such, of some from the shortest to the longest."""
    shown, names = named_pairs(record), pair_names(record)
    if np.isnan(record.delay_s[:, list(shown)]).all():
        return f"None of {', '.join(names[pair] for pair in shown)} had a path at the end of any step."
    unit_s, _ = time_unit(record)
    figure = style.new_figure(3.2)
    axes = figure.add_axes((0.055, 0.14, 0.7, 0.82))
    for pair, colour in shown.items():
        seen = envelope(record.t_s, 1e3 * record.delay_s[:, pair], 0.0, end_s(record))
        axes.fill_between(seen.time_s / unit_s, seen.low, seen.high, color=colour, alpha=0.25, linewidth=0)
        axes.plot(seen.time_s / unit_s, seen.mean, color=colour, label=names[pair])
        axes.axhline(1e3 * record.network.fibre_s[pair], color=colour, linewidth=0.8, linestyle=(0, (5, 3)))
        axes.axhline(1e3 * record.network.bound_s[pair], color=colour, linewidth=0.8, linestyle=(0, (1, 2)))
    axes.plot([], [], color=style.MUTED, linewidth=0.8, linestyle=(0, (5, 3)), label="great-circle fibre")
    axes.plot([], [], color=style.MUTED, linewidth=0.8, linestyle=(0, (1, 2)), label="vacuum bound")
    axes.set_ylabel("one-way delay [ms]")
    axes.set_ylim(bottom=0.0)
    time_axis(axes, record)
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0))
    return figure


def by_distance(record: MeshRecord) -> Figure | str:
    """Delay of all pairs against their distance along the ground; beside it the delay relative to fibre."""
    served = np.flatnonzero(~np.isnan(record.delay_s).all(axis=0))
    if not len(served):
        return "No pair of gateways had a path at the end of any step: there is no delay to show."
    low, half, high = 1e3 * np.nanquantile(record.delay_s[:, served].astype(np.float64), (0.01, 0.5, 0.99), axis=0)
    fibre, bound = 1e3 * record.network.fibre_s[served], 1e3 * record.network.bound_s[served]
    distance = 1e-6 * bound * SPEED_OF_LIGHT * 1e-3
    figure = style.new_figure(3.6)
    left, right = figure.add_axes((0.055, 0.13, 0.42, 0.83)), figure.add_axes((0.56, 0.13, 0.425, 0.83))
    for axes, scale in ((left, np.ones(len(served))), (right, fibre)):
        axes.vlines(distance, low / scale, high / scale, color=style.TINTS[0], linewidth=1.6)
        axes.plot(distance, half / scale, "o", color=style.ACCENTS[0], markersize=2.8, markeredgewidth=0)
        axes.set_xlabel("great-circle distance [thousand km]")
        axes.set_xlim(0.0, 1.04 * float(distance.max()))
    far = np.array([0.0, 1.04 * float(distance.max())])
    per_distance = bound[0] / distance[0], fibre[0] / distance[0]
    left.plot(far, per_distance[1] * far, color=style.INK, linewidth=0.9, linestyle=(0, (5, 3)), label="fibre")
    left.plot(far, per_distance[0] * far, color=style.INK, linewidth=0.9, linestyle=(0, (1, 2)), label="vacuum bound")
    left.plot([], [], "o", color=style.ACCENTS[0], markersize=2.8, label="median; line: 1 to 99 %")
    left.set_ylabel("one-way delay [ms]")
    left.set_ylim(bottom=0.0)
    left.legend(loc="upper left")
    style.note(right, 1.0, "great-circle fibre")
    style.note(right, per_distance[0] / per_distance[1], "vacuum bound")
    right.set_ylabel("delay, as a multiple of that in fibre")
    right.set_ylim(0.0, min(4.0, 1.1 * float((high / fibre).max())))
    return figure


def against_ideal(record: MeshRecord) -> Figure | str:
    """Share of pairs with a path over time, and extra delay: as simulated, and with links that are up at once."""
    have, could = ~np.isnan(record.delay_s), ~np.isnan(record.ideal_delay_s)
    if not could.any():
        return "No pair of gateways had a path, not even with links that acquire at once."
    unit_s, _ = time_unit(record)
    figure = style.new_figure(2.9)
    left, right = figure.add_axes((0.055, 0.16, 0.5, 0.8)), figure.add_axes((0.635, 0.16, 0.35, 0.8))
    rows = ((could, style.TINTS[1], 2.4, "ideal links"), (have, style.ACCENTS[0], 1.0, "as simulated"))
    for paths, colour, width, label in rows:
        share = 100.0 * paths.mean(axis=1)
        seen = envelope(record.t_s, share, 0.0, end_s(record))
        left.fill_between(seen.time_s / unit_s, seen.low, seen.high, color=colour, alpha=0.3, linewidth=0)
        left.plot(
            seen.time_s / unit_s, seen.mean, color=colour, linewidth=width, label=f"{label}, mean {share.mean():.3f} %"
        )
    left.set_ylabel("pairs with a path [%]")
    left.set_ylim(-2.0, 103.0)
    left.legend(loc="lower right")
    time_axis(left, record)
    _extra(right, record, have & could)
    return figure


def _extra(axes: Axes, record: MeshRecord, both: NDArray[np.bool_]) -> None:
    """How often how much longer than over ideal links; differences below a microsecond are of rounding."""
    extra = 1e3 * (record.delay_s[both] - record.ideal_delay_s[both])
    extra = np.sort(extra[extra > 1e-3])
    axes.set_xlabel("longer than over ideal links by [ms]")
    axes.set_ylabel("share of pairs and steps [%]")
    if not len(extra):
        axes.text(0.5, 0.5, "never longer", transform=axes.transAxes, ha="center", color=style.MUTED)
        return
    kept = np.unique(np.linspace(0, len(extra) - 1, 500).astype(int))
    share = 100.0 * (len(extra) - kept) / np.count_nonzero(both)
    axes.step(extra[kept], share, where="post", color=style.ACCENTS[0])
    axes.set_xscale("log")
    axes.set_yscale("log")
    style.plain_decades(axes, "x")
    style.plain_decades(axes, "y")


def named_pairs(record: MeshRecord) -> dict[int, str]:
    """Pairs of gateways that flows are between, with the colour of the flow; without such, some near and far ones."""
    index = {frozenset(pair.tolist()): i for i, pair in enumerate(record.network.pairs)}
    flows = [frozenset(ends.tolist()) for ends in record.network.flow_ends - len(record.network.satellites)]
    found = {index[ends]: colour for ends, colour in zip(flows, ROUTES, strict=False) if ends in index}
    if found:
        return found
    order = np.argsort(record.network.bound_s, kind="stable")
    some = order[np.unique(np.linspace(0, len(order) - 1, _SOME).astype(int))]
    return dict(zip(some.tolist(), ROUTES, strict=False))
