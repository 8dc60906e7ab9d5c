"""The crosslinks: how many were in each state over time, how long each was up, and what took them down."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from hil.mesh_report.look import STATE_COLOURS, end_s, time_axis, time_unit
from hil.report import style
from hil.report.envelope import envelope
from sim.network.crosslinks import Cause, State
from sim.network.record import MeshRecord

#: From the bottom up, so that what is not up stands out at the top.
_ORDER = (State.UP, State.ACQUIRING, State.OUT, State.FAILED)
_CAUSES = {
    Cause.RANGE: "beyond range",
    Cause.EARTH: "Earth in the way",
    Cause.REGARD: "outside the field of regard",
    Cause.TURN: "turns too fast",
    Cause.SUN: "sun in the field",
    Cause.LOSS: "an end is lost",
    Cause.RELEASED: "released by the plan",
}
_POINTS = 500


def crosslinks(record: MeshRecord) -> Figure | str:
    """States over time above; below, the availability of each crosslink, and the causes of drops."""
    if not len(record.network.crosslinks):
        return "The plan assigned no crosslink."
    figure = style.new_figure(4.7)
    _states(figure.add_axes((0.055, 0.56, 0.76, 0.42)), record)
    _availability(figure.add_axes((0.055, 0.10, 0.42, 0.32)), record)
    _drops(figure.add_axes((0.68, 0.10, 0.27, 0.32)), record)
    return figure


def _states(axes: Axes, record: MeshRecord) -> None:
    unit_s, _ = time_unit(record)
    series = {
        kind: envelope(record.t_s, record.states[:, kind].astype(np.float64), 0.0, end_s(record)) for kind in _ORDER
    }
    time = series[State.UP].time_s / unit_s
    axes.stackplot(
        time,
        [series[kind].mean for kind in _ORDER],
        colors=[STATE_COLOURS[kind] for kind in _ORDER],
        labels=[kind.name.lower() for kind in _ORDER],
        linewidth=0,
    )
    least = series[State.UP].low
    axes.plot(time, least, color=style.INK, linewidth=0.6, label="up, least")
    total = record.states[:, list(_ORDER)].sum(axis=1)
    # what is not up is often a few in thousands: the axis begins below the least that were up after the start
    settled = least[len(least) // 10 :]
    most, least_up = float(total.max()), float(settled.min())
    axes.set_ylim(max(0.0, least_up - 0.5 * (most - least_up) - 1.0), most + 0.05 * (most - least_up) + 0.2)
    axes.yaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.set_ylabel("assigned crosslinks")
    time_axis(axes, record)
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), reverse=True)


def _availability(axes: Axes, record: MeshRecord) -> None:
    """Share of the crosslinks that were up for less than some share of their time."""
    seen = np.sort(record.availability[np.isfinite(record.availability)])
    axes.set_xlabel("time not up, of the time assigned [%]")
    axes.set_ylabel("crosslinks with more [%]")
    if not len(seen):
        axes.text(0.5, 0.5, "none came up", transform=axes.transAxes, ha="center", color=style.MUTED)
        return
    down = 100.0 * (1.0 - seen[::-1])
    kept = np.unique(np.linspace(0, len(down) - 1, _POINTS).astype(int))
    ever = 100.0 * float(np.mean(down > 0.0))
    axes.step(
        np.append(0.0, down[kept]),
        np.append(ever, 100.0 * (1.0 - (kept + 1) / len(down))),
        where="post",
        color=style.ACCENTS[0],
    )
    axes.set_xlim(0.0, max(1.05 * float(down[-1]), 0.1))
    axes.set_ylim(0.0, max(1.1 * ever, 1.0))


def _drops(axes: Axes, record: MeshRecord) -> None:
    """Crosslinks that were up and are no longer, by cause."""
    drops = record.events[record.events["before"] == State.UP]
    counts = np.bincount(drops["cause"], minlength=len(Cause))
    axes.barh(range(len(_CAUSES)), [counts[cause] for cause in _CAUSES], 0.6, color=style.ACCENTS[0])
    for row, cause in enumerate(_CAUSES):
        axes.annotate(f"{counts[cause]}", (counts[cause], row), (4.0, 0.0), textcoords="offset points", va="center",
                      fontsize=7.0)  # fmt: skip
    axes.set_yticks(range(len(_CAUSES)), list(_CAUSES.values()))
    axes.set_ylim(len(_CAUSES) - 0.5, -0.5)
    axes.set_xlim(0.0, 1.15 * max(1, int(counts.max())))
    axes.set_xlabel("drops of crosslinks that were up")
    axes.grid(visible=False, axis="y")
