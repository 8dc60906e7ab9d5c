"""The flows: what became of their data, in a table and over time."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from hil.mesh_report.look import ROUTES, end_s, time_axis, time_unit
from hil.report import style
from hil.report.envelope import envelope
from hil.report.tables import table
from sim.network.record import MeshRecord

_HEAD = (
    "flow", "priority", "delay [ms]: least", "median", "99 %", "jitter", "Mb/s", "lost [%]", "queued [Mb]",
    "custody [Mb]", "served [%]",
)  # fmt: skip
_PAIR_HEAD = ("pair", "delay [ms]: least", "median", "99 %", "over ideal links", "fibre", "vacuum", "served [%]")


def flow_table(summary: Mapping[str, Any]) -> str:
    """A row a flow, as HTML."""
    rows = []
    for name, flow in summary["flows"].items():
        loss = "–" if flow["loss"] is None else f"{100.0 * flow['loss']:.3f}"
        queued, custody = f"{flow['queued_mb']:.0f}", f"{flow['custody_mb']:.0f}"
        rows.append(
            (
                name,
                str(flow["priority"]),
                *_latency(flow["latency_ms"]),
                _value(flow["jitter_ms"], 3),
                _value(flow["throughput_mbps"], 1),
                loss,
                queued,
                custody,
                _served(flow["availability"]),
            )
        )
    return table(_HEAD, rows)


def pair_table(summary: Mapping[str, Any], names: list[str]) -> str:
    """A row a pair of gateways, as HTML."""
    rows = []
    for name in names:
        pair = summary["pairs"][name]
        ideal = pair["ideal_latency_ms"]
        rows.append(
            (
                name,
                *_latency(pair["latency_ms"]),
                _value(ideal and ideal["median"], 2),
                _value(pair["fibre_ms"], 2),
                _value(pair["bound_ms"], 2),
                _served(pair["availability"]),
            )
        )
    return table(_PAIR_HEAD, rows)


def waiting(record: MeshRecord) -> Figure | str:
    """Data that is delivered, lost, queued and in custody over time; rows in which there is nothing are left out."""
    names = record.network.flows[: len(ROUTES)]
    steps_s = end_s(record) / len(record.t_s)
    rows = (
        ("delivered [Mb/s]", record.flows.delivered_mb / steps_s),
        ("lost [Mb/s]", record.flows.lost_mb / steps_s),
        ("queued [Mb]", record.flows.queued_mb),
        ("in custody [Mb]", record.flows.custody_mb),
    )
    shown = [(label, values) for label, values in rows if values.any()]
    if not shown:
        return "No data was sent."
    unit_s, _ = time_unit(record)
    height = 0.45 + 1.25 * len(shown)
    figure = style.new_figure(height)
    for row, (label, values) in enumerate(shown):
        axes = figure.add_axes((0.065, (0.42 + 1.25 * (len(shown) - 1 - row)) / height, 0.69, 1.05 / height))
        for i in range(len(names)):
            if values[:, i].any():
                seen = envelope(record.t_s, values[:, i].astype(np.float64), 0.0, end_s(record))
                axes.fill_between(seen.time_s / unit_s, seen.low, seen.high, color=ROUTES[i], alpha=0.25, linewidth=0)
                axes.plot(seen.time_s / unit_s, seen.mean, color=ROUTES[i])
        axes.set_ylabel(label)
        axes.set_ylim(bottom=0.0)
        time_axis(axes, record)
        if row < len(shown) - 1:
            axes.set_xlabel("")
            axes.tick_params(labelbottom=False)
    handles = [Line2D([], [], color=colour, label=name) for name, colour in zip(names, ROUTES, strict=False)]
    figure.legend(handles=handles, loc="upper left", bbox_to_anchor=(0.765, 1.0))
    return figure


def _latency(latency: Mapping[str, float] | None) -> tuple[str, str, str]:
    if latency is None:
        return "–", "–", "–"
    return _value(latency["least"], 2), _value(latency["median"], 2), _value(latency["p99"], 2)


def _value(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _served(availability: float | None) -> str:
    return "–" if availability is None else f"{100.0 * availability:.3f}"
