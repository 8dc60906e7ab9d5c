"""The head of a mesh's report: what was simulated, and the figures that one asks for first."""

from collections.abc import Mapping
from html import escape
from typing import Any

import numpy as np

from hil.mesh_report.latency import named_pairs
from hil.mesh_report.look import clock
from hil.mesh_scenario import MeshScenario
from hil.mesh_tables import pair_names
from hil.report.document import tile
from sim.network.record import MeshRecord


def headline(record: MeshRecord, summary: Mapping[str, Any], scenario: MeshScenario) -> str:
    """The head as HTML."""
    tiles = "".join(tile(*entry) for entry in tiles_of(record, summary))
    failures = f" · {len(scenario.failures)} failures" if scenario.failures else ""
    performance, epoch = summary["performance"], f"{record.network.epoch:%Y-%m-%d %H:%M:%S} UTC"
    return f"""<p class="kicker">beamlock mesh</p>
<h1>{escape(scenario.name)}</h1>
<p class="description">{escape(scenario.description)}</p>
<p class="facts">seed {summary["seed"]} · {clock(summary["duration_s"])} from {epoch} in steps of
{scenario.step_s:g} s, simulated in {performance["wall_s"]:.1f} s · crosslinks by {escape(scenario.links.policy)} ·
acquisition {escape(summary["acquisition"])} · routing {escape(scenario.routing.kind.replace("_", " "))}{failures}</p>
<div class="tiles">{tiles}</div>"""


def tiles_of(record: MeshRecord, summary: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    """Label, value, unit and remark of each tile."""
    crosslinks, recovery = summary["crosslinks"], summary["recovery"]
    available = [pair["availability"] for pair in summary["pairs"].values()]
    served = [value or 0.0 for value in available]
    gateways = int(np.count_nonzero(record.network.gateway))
    states = crosslinks["state_share"]
    assigned = sum(share for name, share in states.items() if name != "off")
    up = f"{100.0 * states['up'] / assigned:.2f}" if assigned else "–"
    rows = [
        ("satellites", f"{summary['satellites']:,}".replace(",", " "), "", f"{gateways} gateways, {len(served)} pairs"),
        ("crosslinks up", up, "%", f"mean, of {crosslinks['pairs']} that are assigned at some time"),
        (
            "availability",
            f"{100.0 * np.mean(served):.3f}",
            "%",
            f"mean of all pairs; least {100.0 * min(served):.3f} %",
        ),
    ]
    name = pair_names(record)[next(iter(named_pairs(record)))]
    pair = summary["pairs"][name]
    if pair["latency_ms"] is not None:
        rows.append(
            (
                name,
                f"{pair['latency_ms']['median']:.1f}",
                "ms",
                f"one way, median; fibre {pair['fibre_ms']:.1f}, vacuum {pair['bound_ms']:.1f} ms",
            )
        )
    gaps = f"{recovery['gaps']} times without service"
    if recovery["not_over"]:
        gaps += f", {recovery['not_over']} not over at the end"
    longest = recovery["longest_s"]
    rows.append(
        ("longest recovery", "none", "", gaps) if longest is None else ("longest recovery", *_seconds(longest), gaps)
    )
    rows.append(("all served after", f"{recovery['start_s']:.1f}", "s", "from the start, with no crosslink acquired"))
    return rows


def _seconds(value: float) -> tuple[str, str]:
    return (f"{value:,.1f}".replace(",", " "), "s") if value >= 1.0 else (f"{1e3 * value:.0f}", "ms")
