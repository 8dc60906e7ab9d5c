"""What losses would do: curves of satellites lost at random, by planes or from the most central; single losses."""

from collections.abc import Mapping
from html import escape
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from hil.mesh_report.look import ROUTES, time_axis, time_unit
from hil.report import style
from hil.report.tables import table
from sim.network.record import LOST_SHARE, MeshRecord

_CURVES = {
    "random": (style.ACCENTS[0], "at random"),
    "planes": ("#2a7d4f", "plane by plane"),
    "central": (style.ACCENTS[1], "the most central first"),
}
#: What is asked of a backbone: so many pairs left with so many satellites lost, in %.
_LOST, _LEFT = 100.0 * LOST_SHARE, 99.0
_MOST = 8


def curves(record: MeshRecord) -> Figure:
    """Share of pairs left against satellites lost on the left; on the right paths of each flow that share none."""
    figure = style.new_figure(3.3)
    left, right = figure.add_axes((0.055, 0.14, 0.42, 0.82)), figure.add_axes((0.56, 0.14, 0.25, 0.82))
    for curve in record.resilience.curves:
        colour, label = _CURVES[curve.kind]
        share, connected = 100.0 * curve.share, 100.0 * curve.connected
        left.fill_between(share, connected.min(axis=1), connected.max(axis=1), color=colour, alpha=0.15, linewidth=0)
        left.plot(share, connected.mean(axis=1), color=colour, label=label)
        if curve.restored.size:
            left.plot(_LOST, 100.0 * curve.restored.min(), "^", color=colour, markersize=5.0, label="_")
    left.plot(_LOST, _LEFT, "+", color=style.INK, markersize=9.0, label=f"{_LEFT:g} % at {_LOST:g} %")
    if any(curve.restored.size for curve in record.resilience.curves):
        left.plot([], [], "^", color=style.MUTED, markersize=5.0, label="planned anew, least")
    left.set_xlabel("satellites lost [%]")
    left.set_ylabel("pairs with a path [%]")
    left.set_xlim(0.0, 50.0)
    left.set_ylim(0.0, 103.0)
    left.legend(loc="lower left")
    _disjoint(right, record)
    return figure


def _disjoint(axes: Axes, record: MeshRecord) -> None:
    snapshots, (unit_s, _) = record.snapshots, time_unit(record)
    for i, name in enumerate(record.network.flows[: len(ROUTES)]):
        # side by side where they are equal
        height = snapshots.disjoint[:, i] + 0.08 * i
        axes.step(snapshots.t_s / unit_s, height, where="post", color=ROUTES[i], label=name)
    axes.set_ylabel("paths that share no satellite")
    axes.set_ylim(bottom=0.0)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    time_axis(axes, record)
    if record.network.flows:
        axes.legend(loc="upper left", bbox_to_anchor=(1.02, 1.0))
    else:
        axes.text(0.5, 0.5, "no flow", transform=axes.transAxes, ha="center", color=style.MUTED)


def losses(record: MeshRecord, summary: Mapping[str, Any]) -> str:
    """What any single loss does, what 5 % lost do, and the smallest cuts, as HTML."""
    found = summary["resilience"]
    single = found["single_satellite"]
    after = found["connected_after_loss"]
    rows = [
        ("pairs parted by the loss of any one satellite, at most", str(single["pairs_parted"])),
        ("until pairs have new routes after that, longest", _seconds(single["recovery_longest_s"])),
        ("until pairs have new routes after that, median", _seconds(single["recovery_median_s"])),
        (
            "pairs of others parted by the loss of any one ground point, at most",
            str(found["single_ground_point"]["other_pairs_parted"]),
        ),
        ("paths of a pair that share no satellite, at least", str(found["disjoint_paths_least"])),
        ("parts that the satellites fell into, at most", str(found["components_most"])),
        ("satellites whose loss parts the others, at least", str(min(found["connectivity"]))),
        ("satellites that alone held others to the rest at some time", str(len(found["articulation_satellites"]))),
    ]
    left = [
        (label, *(_percent(after[kind].get(key)) for key in ("mean", "least", "least_restored")))
        for kind, (_, label) in _CURVES.items()
        if kind in after
    ]
    lost = table((f"pairs left, {after['satellites']} lost", "mean", "least", "planned anew"), left)
    cuts = [(name, str(len(cut)) if cut else "–", _names(cut) or "–") for name, cut in found["smallest_cut"].items()]
    times = ", ".join(f"{t_s:g}" for t_s in record.resilience.t_s)
    told = f"<p>Of the links that were up at {times} s.</p>"
    held = _names(found["articulation_satellites"])
    alone = f"<p>Held others alone: {escape(held)}.</p>" if held else ""
    first = told + table(("what a loss does", ""), rows) + alone + lost
    second = table(("smallest set that parts", "satellites", "which"), cuts, numeric=False) if cuts else ""
    return f'<div class="tables"><div>{first}</div><div>{second}{_worst(record)}</div></div>'


def _worst(record: MeshRecord) -> str:
    """The single losses that hurt most: pairs parted, then the longest recovery."""
    found, network = record.resilience, record.network
    parted = found.parted.max(axis=0)
    recovery = np.nan_to_num(found.recovery_s).max(axis=0)
    rows = [
        (network.satellites[s], str(parted[s]), _seconds(float(recovery[s])))
        for s in np.lexsort((-recovery, -parted))[:_MOST]
    ]
    ground = found.parted_ground.max(axis=0)
    rows += [(network.ground[g], str(ground[g]), "–") for g in np.argsort(-ground, kind="stable")[:_MOST] if ground[g]]
    return table(("worst single losses", "pairs parted", "recovery"), rows)


def _names(names: list[str]) -> str:
    more = f" and {len(names) - _MOST} more" if len(names) > _MOST else ""
    return ", ".join(names[:_MOST]) + more


def _seconds(value: float | None) -> str:
    return "–" if not value else f"{value:.3g} s" if value >= 1.0 else f"{1e3 * value:.3g} ms"


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100.0 * share:.2f} %"
