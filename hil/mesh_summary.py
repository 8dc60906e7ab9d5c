"""The figures of a simulated mesh: what is in its summary.json.

Latencies are one way. The start, until crosslinks are acquired and all pairs served, is a figure of its own and in no
other.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hil.mesh_scenario import MeshScenario
from hil.mesh_tables import pair_names
from sim.network.crosslinks import Cause, State
from sim.network.record import GAP_CAUSES, LOST_SHARE, STATES, LossCurve, MeshRecord
from sim.network.traffic import jitter

#: How satellites are lost that the summary tells of.
LOSSES = ("random", "planes", "central")


def summarise(scenario: MeshScenario, record: MeshRecord, wall_s: float) -> dict[str, Any]:
    """The summary of a simulation that took `wall_s`, as JSON can hold it; None stands for what there is none of."""
    network = record.network
    simulated_s = len(record.t_s) * scenario.step_s
    recovery = _recovery(record)
    running = record.t_s >= recovery["start_s"]
    return {
        "scenario": scenario.name,
        "seed": scenario.seed,
        "duration_s": simulated_s,
        "acquisition": scenario.links.acquisition,
        "satellites": len(network.satellites),
        "ground_points": len(network.ground),
        "crosslinks": _crosslinks(record, running),
        "pairs": _pairs(record, simulated_s),
        "flows": _flows(scenario, record, running),
        "recovery": recovery,
        "resilience": _resilience(record),
        "performance": {"wall_s": wall_s, "real_time_factor": simulated_s / wall_s},
    }


def _crosslinks(record: MeshRecord, running: NDArray[np.bool_]) -> dict[str, Any]:
    up = record.availability[np.isfinite(record.availability)]
    drops = record.events[record.events["before"] == State.UP]
    causes = np.bincount(drops["cause"], minlength=len(Cause))
    states = record.states[running].sum(axis=0)
    return {
        "pairs": len(record.network.crosslinks),
        "state_share": {name: float(count / max(states.sum(), 1)) for name, count in zip(STATES, states, strict=True)},
        "availability": {"mean": _number(up.mean()), "least": _number(up.min())} if up.size else None,
        "drops": {cause.name.lower(): int(causes[cause]) for cause in Cause if causes[cause]},
        "acquisitions": int(np.count_nonzero(record.events["after"] == State.UP)),
    }


def _pairs(record: MeshRecord, simulated_s: float) -> dict[str, Any]:
    network = record.network
    available = _availability(record.gaps, len(network.pairs), simulated_s)
    vary = jitter(record.delay_s.astype(np.float64))
    rows = {}
    for p, name in enumerate(pair_names(record)):
        rows[name] = {
            "latency_ms": _latency(record.delay_s[:, p]),
            "ideal_latency_ms": _latency(record.ideal_delay_s[:, p]),
            "jitter_ms": _number(vary[p] * 1e3),
            "availability": available[p],
            "fibre_ms": float(network.fibre_s[p] * 1e3),
            "bound_ms": float(network.bound_s[p] * 1e3),
        }
    return rows


def _flows(scenario: MeshScenario, record: MeshRecord, running: NDArray[np.bool_]) -> dict[str, Any]:
    flows, network = record.flows, record.network
    available = _availability(record.flow_gaps, len(network.flows), len(running) * scenario.step_s)
    counted_s = np.count_nonzero(running) * scenario.step_s
    vary = jitter(flows.delay_s.astype(np.float64))
    rows = {}
    for f, name in enumerate(network.flows):
        sent, delivered, lost = (
            float(series[running, f].sum(dtype=np.float64))
            for series in (flows.sent_mb, flows.delivered_mb, flows.lost_mb)
        )
        rows[name] = {
            "priority": scenario.flows[f].priority,
            "latency_ms": _latency(flows.delay_s[:, f]),
            "jitter_ms": _number(vary[f] * 1e3),
            "throughput_mbps": delivered / counted_s if counted_s else None,
            "loss": lost / sent if sent else None,
            "sent_mb": sent,
            "delivered_mb": delivered,
            "lost_mb": lost,
            "queued_mb": float(flows.queued_mb[-1, f]),
            "custody_mb": float(flows.custody_mb[-1, f]),
            "availability": available[f],
        }
    return rows


def _recovery(record: MeshRecord) -> dict[str, Any]:
    gaps = np.concatenate((record.gaps, record.flow_gaps))
    at_start = gaps["cause"] == GAP_CAUSES.index("start")
    length = gaps["length_s"][~at_start]
    causes = np.bincount(gaps["cause"][~at_start], minlength=len(GAP_CAUSES))
    return {
        "start_s": float(gaps["length_s"][at_start].max(initial=0.0)),
        "gaps": len(length),
        "not_over": int(np.count_nonzero(~gaps["over"][~at_start])),
        "causes": dict(zip(GAP_CAUSES[1:], causes[1:].tolist(), strict=True)),
        "median_s": _number(np.median(length)) if length.size else None,
        "p99_s": _number(np.percentile(length, 99)) if length.size else None,
        "longest_s": float(length.max()) if length.size else None,
    }


def _resilience(record: MeshRecord) -> dict[str, Any]:
    found, network, snapshots = record.resilience, record.network, record.snapshots
    recovery = found.recovery_s[np.isfinite(found.recovery_s)]
    lost = round(LOST_SHARE * len(network.satellites))
    return {
        "times_s": found.t_s.tolist(),
        "single_satellite": {
            "pairs_parted": int(found.parted.max()),
            "recovery_median_s": _number(np.median(recovery)) if recovery.size else None,
            "recovery_longest_s": _number(recovery.max()) if recovery.size else None,
        },
        "single_ground_point": {"other_pairs_parted": int(found.parted_ground.max(initial=0))},
        "disjoint_paths_least": int(found.disjoint.min()),
        "connectivity": found.connectivity.tolist(),
        "connected_after_loss": {
            "satellites": lost,
            **{curve.kind: _connected(curve, lost) for curve in found.curves},
        },
        "articulation_satellites": sorted({network.satellites[s] for row in snapshots.articulation[1:] for s in row}),
        "components_most": int(snapshots.components[1:].max(initial=1)),
        "smallest_cut": {
            name: [network.satellites[s] for s in cut] for name, cut in zip(network.flows, found.cut, strict=True)
        },
    }


def _connected(curve: LossCurve, lost: int) -> dict[str, float]:
    at_once = curve.connected[lost]
    figures = {"mean": float(at_once.mean()), "least": float(at_once.min())}
    return figures | ({"least_restored": float(curve.restored.min())} if curve.restored.size else {})


def _availability(gaps: NDArray[np.void], count: int, simulated_s: float) -> list[float | None]:
    """Share of the time after the start with service, of each; None for one that had none but the start."""
    first = gaps["cause"] == GAP_CAUSES.index("start")
    start, later = (
        np.bincount(gaps["of"][which], gaps["length_s"][which], minlength=count) for which in (first, ~first)
    )
    left = simulated_s - start
    return [float(1.0 - out / of) if of > 0.0 else None for out, of in zip(later, left, strict=True)]


def _latency(delay_s: NDArray[np.float32]) -> dict[str, float] | None:
    known = delay_s[np.isfinite(delay_s)].astype(np.float64) * 1e3
    if not known.size:
        return None
    median, p99 = np.percentile(known, (50, 99))
    return {"least": float(known.min()), "median": float(median), "p99": float(p99), "most": float(known.max())}


def _number(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None
