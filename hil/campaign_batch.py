"""One batch of a campaign's runs, wherever it is done: the campaign goes there as JSON, rows come back as Parquet."""

import errno
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from typing import Any

import pyarrow
from pyarrow import parquet

from hil.acquisition import Runner
from hil.campaign_plan import Campaign
from hil.run import summarise
from hil.variation import with_values

#: Of the summary: what all runs share, what the row says itself, and what depends on the machine.
_LEFT_OUT = {
    "scenario",
    "seed",
    "goal_met",
    "performance.wall_s",
    "performance.real_time_factor",
    "performance.compile_s",
}
_AXES = ("x", "y")


@dataclass(frozen=True, slots=True)
class Batch:
    """The rows of a batch, as a Parquet file, and how many of its runs acquired."""

    index: int
    table: bytes
    acquired: int


def run_batch(campaign_json: str, index: int) -> Batch:
    """Do the runs of a batch. A run that raises has a row that says so.

    Raises OSError and MemoryError: those are the machine's, and not the run's.
    """
    campaign = _campaign(campaign_json)
    rows = [_row(campaign, run) for run in campaign.batch(index)]
    file = BytesIO()
    names = list(dict.fromkeys(name for row in rows for name in row))
    table = pyarrow.table({name: [row.get(name) for row in rows] for name in names})
    parquet.write_table(table, file)
    acquired = sum(row["acquisition.acquired"] for row in rows)
    return Batch(index, file.getvalue(), acquired)


def raise_what_is_the_machines(error: Exception) -> None:
    """Raise what is no property of the run: an OSError, a MemoryError, and a full disk that another error came of."""
    if isinstance(error, OSError | MemoryError):
        raise error
    cause = error.__context__
    if isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT):
        raise cause


def figures(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Every figure of a part of a summary with its name: keys joined with dots, rows of a list by item or number."""
    if isinstance(value, dict):
        for key, below in value.items():
            yield from figures(below, f"{name}.{key}" if name else key)
    elif isinstance(value, list):
        for i, below in enumerate(value):
            if isinstance(below, dict) and "item" in below:
                yield re.sub(r"[^\w.]+", "_", f"{name}.{below['item']}_{below['unit'].lower()}"), below["value"]
            else:
                yield from figures(below, f"{name}.{i if isinstance(below, dict) else _AXES[i]}")
    else:
        yield name, value


def _row(campaign: Campaign, run: int) -> dict[str, Any]:
    seed, values = campaign.draw(run)
    row = {"run": run, "seed": seed, **values, "goal_met": False, "error": None}
    row |= {"acquisition.acquired": False, "acquisition.time_s": None}
    early = campaign.until == "acquired"
    try:
        scenario = with_values(campaign.scenario, values)
        engine, outcome, _ = Runner(scenario).run(seed, early)
        summary = summarise(scenario, seed, engine, outcome, 0.0)
    except Exception as error:
        raise_what_is_the_machines(error)
        return {**row, "error": f"{type(error).__name__}: {error}"}
    row["goal_met"] = outcome.acquired_s is not None if early else summary["goal_met"]
    return row | {name: value for name, value in figures(summary, "") if name not in _LEFT_OUT}


@lru_cache(maxsize=1)
def _campaign(text: str) -> Campaign:
    return Campaign.model_validate_json(text)
