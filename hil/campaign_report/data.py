"""A complete campaign, read a column at a time: a hundred thousand runs have a hundred columns that no figure needs."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyarrow import parquet

from flightsw.errors import ConfigError
from hil.campaign_plan import Campaign
from hil.campaign_store import TABLE, read


@dataclass(frozen=True)
class CampaignData:
    """What a campaign is, and its table; columns have one entry a run, in run order."""

    folder: Path
    plan: Campaign
    names: frozenset[str]
    runs: int

    def column(self, name: str) -> list[Any]:
        """The entries of a column, None where a run has none; nothing but None for a column that is not there."""
        if name not in self.names:
            return [None] * self.runs
        entries: list[Any] = parquet.read_table(self.folder / TABLE, columns=[name])[name].to_pylist()
        return entries

    def numbers(self, name: str) -> NDArray[np.float64]:
        """The entries of a column of numbers, float64 (runs,), NaN where a run has none."""
        return np.array(self.column(name), np.float64)

    def rows(self, runs: list[int]) -> list[dict[str, Any]]:
        """Some runs with every figure that the table has of them."""
        found: list[dict[str, Any]] = parquet.read_table(self.folder / TABLE).take(runs).to_pylist()
        return found

    @cached_property
    def acquired(self) -> NDArray[np.bool_]:
        """Which runs acquired, (runs,)."""
        return np.array(self.column("acquisition.acquired"), np.bool_)

    @cached_property
    def times(self) -> NDArray[np.float64]:
        """Acquisition time in s, (runs,), NaN for a run that did not acquire."""
        return self.numbers("acquisition.time_s")

    @property
    def terminals(self) -> list[str]:
        """Names of the two terminals."""
        return list(self.plan.scenario.terminals)


def load(folder: Path) -> CampaignData:
    """The campaign in a folder. Raises ConfigError if there is none, or if it is not complete."""
    plan = read(folder)
    path = folder / TABLE
    if not path.exists():
        raise ConfigError(f"{path}: expected the table of a complete campaign, found none; go on with --resume")
    try:
        metadata = parquet.read_metadata(path)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"{path}: expected a Parquet table, found: {error}; remove it, and make it by --resume"
        ) from None
    return CampaignData(folder, plan, frozenset(metadata.schema.to_arrow_schema().names), metadata.num_rows)
