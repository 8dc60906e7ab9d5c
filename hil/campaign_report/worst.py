"""The worst runs of a campaign, and what went wrong in them."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from flightsw.pat.modes import Mode
from flightsw.services.events import Severity
from hil.campaign_report.data import CampaignData
from hil.campaign_report.grid import short, value
from hil.report.style import number
from hil.report.tables import table
from hil.run import EVENTS

_MOST = 10
#: Of the campaign's folder, `hil.campaign_store`.
_FAILED = "failed"
_LONG = {
    Mode.REACQUIRE: "to find it again",
    Mode.COARSE_TRACK: "on the camera alone",
    Mode.SAFE: "in SAFE",
}
_LONG_S = 0.5


def worst(data: CampaignData) -> list[int]:
    """The ten worst runs: first those without acquisition, then those that missed their goal, then the slowest."""
    met = np.array(data.column("goal_met"), np.bool_)
    order = np.lexsort((-np.nan_to_num(data.times), met, data.acquired))
    return [int(run) for run in order[:_MOST]]


def worst_table(data: CampaignData) -> str:
    """Their seeds, times, and what went wrong, as HTML."""
    keys = data.plan.keys
    head = ("run", "seed", "time [s]", "what went wrong", *(["with"] if keys else []))
    lines = []
    for row in data.rows(worst(data)):
        took = "–" if row["acquisition.time_s"] is None else number(row["acquisition.time_s"], 2)
        varied = ", ".join(f"{short(key)} {value(_rounded(row[key]))}" for key in keys)
        lines.append((str(row["run"]), str(row["seed"]), took, trouble(data, row), *([varied] if keys else [])))
    return table(head, lines, numeric=False)


def trouble(data: CampaignData, row: Mapping[str, Any]) -> str:
    """What went wrong in a run, in words, from its figures and, of a failed one, its events."""
    if row["error"] is not None:
        return str(row["error"])

    def seconds(name: str, mode: Mode) -> float:
        return row.get(f"modes.{name}.{mode.name}") or 0.0

    found = []
    scans, locks = row["acquisition.attempts"], row["acquisition.false_locks"]
    if not row["acquisition.acquired"]:
        saw = [name for name in data.terminals if seconds(name, Mode.COARSE_TRACK)]
        found.append(f"not acquired in {scans} scans, {' and '.join(saw) or 'neither'} saw the other's light")
    elif scans > 1:
        found.append(f"missed in {scans - 1} scan{'s' if scans > 2 else ''}")
    if row["acquisition.acquired"] and not row["goal_met"]:
        found.append("acquired, and not in COMM at the end")
    if locks:
        found.append(f"{locks} false lock{'s' if locks > 1 else ''}")
    for mode, text in _LONG.items():
        longest = max(seconds(name, mode) for name in data.terminals)
        if longest >= _LONG_S:
            found.append(f"{longest:.1f} s {text}")
    if last := last_trouble(data.folder / _FAILED / str(row["run"]) / EVENTS):
        found.append(f"last: {last}")
    return "; ".join(found) or "nothing: found late in the first scan"


def last_trouble(path: Path) -> str:
    """The last event of a record that was more than a remark, nothing if there is none."""
    try:
        events = [json.loads(line) for line in path.read_text().splitlines()]
    except OSError:
        return ""
    grave = [e for e in events if Severity[e["severity"]] > Severity.LOW]
    return f"{grave[-1]['terminal']} at {grave[-1]['time_s']:.2f} s, {grave[-1]['text']}" if grave else ""


def _rounded(entry: Any) -> Any:
    return float(f"{entry:.4g}") if isinstance(entry, float) else entry
