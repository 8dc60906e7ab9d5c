"""The network on a map of Earth at one time: satellites, links by state, the routes of the flows."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hil.mesh_report.geography import below, land, tracks
from hil.mesh_report.labels import beside
from hil.mesh_report.look import ROUTES, STATE_COLOURS, clock
from hil.report import style
from sim.network.crosslinks import State
from sim.network.record import MeshRecord

_LAND, _SATELLITE = "#e6e9ed", "#47515c"
_WIDTHS = {State.UP: 0.5, State.ACQUIRING: 1.2, State.OUT: 1.2, State.FAILED: 0.9}
#: Links and satellites from which on they are drawn finer.
_MANY = 800


def network_map(record: MeshRecord, snapshot: int) -> Figure:
    """The map of one snapshot."""
    figure = style.new_figure(5.75)
    axes = figure.add_axes((0.035, 0.13, 0.955, 0.83))
    for outline in land():
        axes.fill(*outline.T, color=_LAND, linewidth=0, zorder=0)
    _links(axes, record, snapshot)
    _routes(axes, record, snapshot)
    _satellites(axes, record, snapshot)
    _ground(axes, record, snapshot)
    axes.set_xlim(-180.0, 180.0)
    axes.set_ylim(-90.0, 90.0)
    axes.set_aspect("equal")
    axes.set_xticks(range(-180, 181, 30), [_degrees(d, "WE") for d in range(-180, 181, 30)])
    axes.set_yticks(range(-90, 91, 30), [_degrees(d, "SN") for d in range(-90, 91, 30)])
    axes.set_title(f"{clock(float(record.snapshots.t_s[snapshot]))} after the epoch")
    handles, labels = axes.get_legend_handles_labels()
    legend = figure.legend(handles, labels, loc="lower center", bbox_to_anchor=(0.5, -0.005), ncols=6)
    for line in legend.get_lines():
        line.set_linewidth(2.0)
    return figure


def _links(axes: Axes, record: MeshRecord, snapshot: int) -> None:
    position, state = record.snapshots.position[snapshot], record.snapshots.state[snapshot]
    counts = np.bincount(state, minlength=len(State))
    for kind, width in _WIDTHS.items():
        if counts[kind]:
            a, b = record.network.crosslinks[state == kind].T
            fine = 0.5 if kind == State.UP and counts[kind] > _MANY else 1.0
            axes.plot(
                *tracks(position[a], position[b]).T,
                color=STATE_COLOURS[kind],
                linewidth=fine * width,
                label=f"{kind.name.lower()}: {counts[kind]}",
                zorder=1.0 if kind == State.UP else 2.0,
            )


def _routes(axes: Axes, record: MeshRecord, snapshot: int) -> None:
    network = record.network
    node = np.concatenate((record.snapshots.position[snapshot], network.ground_position))
    for i, (name, route) in enumerate(zip(network.flows, record.snapshots.routes[snapshot], strict=True)):
        if i < len(ROUTES) and len(route):
            line: dict[str, Any] = {"color": ROUTES[i], "linewidth": 2.0, "alpha": 0.85, "label": name}
            axes.plot(*tracks(node[route[:-1]], node[route[1:]]).T, **line, zorder=3)


def _satellites(axes: Axes, record: MeshRecord, snapshot: int) -> None:
    alive = record.snapshots.alive[snapshot]
    place = below(record.snapshots.position[snapshot])
    size = 1.5 if len(alive) > _MANY else 2.6
    axes.plot(*place[alive].T, "o", color=_SATELLITE, markersize=size, markeredgewidth=0, label="satellite", zorder=4)
    if not alive.all():
        lost = f"lost: {np.count_nonzero(~alive)}"
        axes.plot(*place[~alive].T, "x", color=style.FAULT, markersize=5.0, markeredgewidth=1.2, label=lost, zorder=5)


def _ground(axes: Axes, record: MeshRecord, snapshot: int) -> None:
    network, up = record.network, record.snapshots.ground_up[snapshot]
    place = below(network.ground_position)
    kinds = (
        ("gateway", network.gateway & up, "^", style.INK),
        ("user", ~network.gateway & up, "s", style.INK),
        ("ground point that is out", ~up, "v", style.FAULT),
    )
    for label, which, marker, colour in kinds:
        if which.any():
            axes.plot(*place[which].T, marker, color=colour, markersize=5.0, markeredgecolor=style.PAPER, label=label,
                      linestyle="", zorder=6)  # fmt: skip
    paper = {"facecolor": style.PAPER, "edgecolor": "none", "pad": 0.4, "alpha": 0.7}
    for name, (x, y), (side, right, up_by) in zip(network.ground, place, beside(network.ground, place), strict=True):
        axes.annotate(name, (x, y), (right, up_by), textcoords="offset points", ha=side, va="center", fontsize=6.8,
                      zorder=7, bbox=paper)  # fmt: skip


def _degrees(value: int, letters: str) -> str:
    return f"{abs(value)}°{letters[value > 0] if value else ''}"
