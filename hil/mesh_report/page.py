"""The page of a mesh: one self-contained HTML file."""

from collections.abc import Mapping
from typing import Any

from hil.mesh_report.availability import availability
from hil.mesh_report.crosslinks import crosslinks
from hil.mesh_report.flows import flow_table, pair_table, waiting
from hil.mesh_report.headline import headline
from hil.mesh_report.latency import against_ideal, by_distance, named_pairs, over_time
from hil.mesh_report.network_map import network_map
from hil.mesh_report.recovery import longest, recovery
from hil.mesh_report.resilience import curves, losses
from hil.mesh_scenario import MeshScenario
from hil.mesh_tables import pair_names
from hil.report import style
from hil.report.document import document, picture
from sim.network.record import MeshRecord

_MAP = (
    "The network half-way through the run. Links by state, satellites, gateways and users, and the routes that the "
    "flows take. Land is drawn by eye, for orientation."
)
_OVER_TIME = (
    "One-way delay along the route in use, of the pairs that flows are between; in the shade the least and the "
    "greatest of each pixel. A gap is a time without path. Dashed: light in a fibre along the great circle, which no "
    "cable attains; dotted: light in vacuum, along the ground, which no path of a mesh can beat."
)
_BY_DISTANCE = (
    "All pairs of gateways over the run. Light in vacuum is faster than in fibre by half, so that the way up to the "
    "satellites and the corners of the route pay from some distance on."
)
_IDEAL = (
    "The same network with links that are up as soon as they are possible, and changes known everywhere at once. Left: "
    "pairs with a path at the end of each step; right: how much longer the delay was, over all pairs and steps."
)
_AVAILABILITY = (
    "A row for each pair of gateways, the nearest on top. Colour: delay relative to the vacuum bound; red: no path, "
    "pale if for a part of the pixel only. Bars: share of the time after the start without service."
)
_CROSSLINKS = (
    "Above: crosslinks by state, the mean of each pixel; the axis does not begin at zero. Below: how many crosslinks "
    "were not up for more than a share of the time that they were assigned, and why those that were up dropped."
)
_RECOVERY = (
    "Times without service of pairs and flows. Start: until the first path; no path: until links were acquired or in "
    "sight again; stale route: until the source knew of a break on its route."
)
_CURVES = (
    "Left: pairs of gateways with a path when a share of the satellites is lost at once, mean over times and draws, "
    "shaded from least to greatest. The cross is what is asked of a backbone, a triangle what is left once crosslinks "
    "are planned anew. Right: paths between the ends of each flow that have no satellite in common, drawn side by side "
    "where equal."
)
_WAITING = (
    "Above: each flow after the start, its delay with the wait, and what waits at the end. Below: its data over time, "
    "the mean of each pixel; in the shade the least and the greatest."
)


def page(record: MeshRecord, summary: Mapping[str, Any], scenario: MeshScenario) -> str:
    """The whole report as HTML."""
    names = pair_names(record)
    with style.applied():
        sections = {
            "Map": picture(network_map(record, len(record.snapshots.t_s) // 2), "Map", _MAP),
            "Delay over time": picture(over_time(record), "Delay over time", _OVER_TIME)
            + pair_table(summary, [names[pair] for pair in named_pairs(record)]),
            "Delay by distance": picture(by_distance(record), "Delay by distance", _BY_DISTANCE),
            "Against ideal links": picture(against_ideal(record), "Against ideal links", _IDEAL),
            "Availability": picture(availability(record, summary), "Availability", _AVAILABILITY),
            "Recovery": picture(recovery(record), "Recovery", _RECOVERY) + longest(record),
            "Crosslinks": picture(crosslinks(record), "Crosslinks", _CROSSLINKS),
            "Resilience": picture(curves(record), "Resilience", _CURVES) + losses(record, summary),
        }
        if record.network.flows:
            sections["Flows"] = flow_table(summary) + picture(waiting(record), "Flows", _WAITING)
    footer = (
        "Figures of all pairs are in summary.json of this folder, series in its Parquet files; "
        '<a href="animation.html">animation.html</a> shows the network in motion.'
    )
    return document(f"mesh {scenario.name}", headline(record, summary, scenario), sections, footer)
