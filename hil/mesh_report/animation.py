"""The network in motion: a page that holds the snapshots and draws them on a canvas, moving in between.

What the page holds is JSON, arrays in it are base64 of little-endian values:

| key | type | what |
| --- | --- | --- |
| position | int16 (Q, S, 3) | Earth-fixed, in units of `unit_m` |
| state | uint8 (Q, E) | of each crosslink, index into `states` |
| alive, up | uint8 (Q, S), (Q, G) | satellites and ground points that work |
| crosslinks | int32 (E, 2) | satellites |
| ground | int16 (G, 3) | as position |
| delay_s | float32 (Q, F) | of each flow, NaN for none |
| routes | Q x F lists of nodes | of each flow |
"""

import base64
import json
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hil.mesh_report.geography import below, land
from hil.mesh_report.labels import beside
from hil.mesh_scenario import MeshScenario
from sim.network.record import STATES, MeshRecord

#: Bytes of arrays, before base64 makes four of three: the page stays below 5 MB.
_MOST_BYTES = 3_000_000
_GREATEST = 32_767


def animation(record: MeshRecord, scenario: MeshScenario) -> str:
    """The whole page as HTML."""
    page = files("hil.mesh_report").joinpath("animation.html").read_text(encoding="utf-8")
    # a name may hold what ends a script
    data = json.dumps(content(record, scenario), separators=(",", ":")).replace("<", "\\u003c")
    return page.replace("__DATA__", data)


def content(record: MeshRecord, scenario: MeshScenario) -> dict[str, Any]:
    """What the page holds; of a long run every second, third ... snapshot, so that it stays small."""
    network, snapshots = record.network, record.snapshots
    satellites, ground = len(network.satellites), len(network.ground)
    each = 7 * satellites + len(network.crosslinks) + ground
    stride = -(-each * len(snapshots.t_s) // _MOST_BYTES)
    kept = np.arange(0, len(snapshots.t_s), stride)
    unit_m = float(max(np.abs(snapshots.position).max(), np.abs(network.ground_position).max())) / _GREATEST
    steps = np.searchsorted(record.t_s, snapshots.t_s[kept])
    return {
        "name": scenario.name,
        "description": scenario.description,
        "epoch": network.epoch.timestamp(),
        "t_s": snapshots.t_s[kept].tolist(),
        "unit_m": unit_m,
        "satellites": network.satellites,
        "points": network.ground,
        "beside": beside(network.ground, below(network.ground_position)),
        "gateway": network.gateway.tolist(),
        "flows": network.flows,
        "states": STATES,
        "position": _base64(np.rint(snapshots.position[kept] / unit_m), "<i2"),
        "ground": _base64(np.rint(network.ground_position / unit_m), "<i2"),
        "crosslinks": _base64(network.crosslinks, "<i4"),
        "state": _base64(snapshots.state[kept], "u1"),
        "alive": _base64(snapshots.alive[kept], "u1"),
        "up": _base64(snapshots.ground_up[kept], "u1"),
        "delay_s": _base64(record.flows.delay_s[steps], "<f4"),
        "routes": [[route.tolist() for route in snapshots.routes[q]] for q in kept],
        "land": [outline.ravel().tolist() for outline in land()],
    }


def _base64(values: NDArray[Any], kind: str) -> str:
    return base64.b64encode(values.astype(kind).tobytes()).decode("ascii")
