"""What a campaign is: a scenario, what varies, how many runs, and when to stop.

Seed and values of run k come from SeedSequence([seed of the campaign, k]) and nothing else: it does not matter who does
a run, when, or beside which others. Batches follow from the number of runs alone, and so does where a campaign may end.
"""

import math
import re
from collections.abc import Mapping
from functools import partial
from importlib.metadata import version
from typing import Literal

import numpy as np
from pydantic import Field, field_validator

from flightsw.errors import ConfigError
from hil.configuration import Model
from hil.link_simulation import wilson
from hil.scenario import Scenario
from hil.variation import Value, distribution, require_keys, with_values

#: Batches of a campaign of this size or less have one run each.
_BATCHES = 64
_RUNS_A_BATCH = 50
_STOP = re.compile(r"\s*ci\(\s*p_acquired\s*\)\s*<\s*(\S+)\s*")
_SEEDS = 1 << 48


class Campaign(Model):
    """A campaign, as `campaign.json` has it."""

    beamlock: str = Field(default_factory=partial(version, "beamlock"), description="version that makes it")
    scenario: Scenario
    seed: int = Field(ge=0)
    runs: int = Field(ge=1, description="at each point of the grid")
    until: Literal["acquired", "end"]
    grid: dict[str, list[Value]] = Field(default_factory=dict, description="values of each key, all combined")
    vary: dict[str, str] = Field(default_factory=dict, description="distribution of each key")
    stop_when: str | None = Field(None, description="as in ci(p_acquired) < 0.002")

    @field_validator("scenario")
    @classmethod
    def _found_from_anywhere(cls, scenario: Scenario) -> Scenario:
        """File names of orbits, absolute: workers and failed runs are elsewhere."""
        orbits = {name: terminal.orbit for name, terminal in scenario.terminals.items()}
        files = {
            f"terminals.{name}.orbit.{key}": str(getattr(orbit, key).absolute())
            for name, orbit in orbits.items()
            for key in ("tle_file", "oem_file")
            if getattr(orbit, key) is not None
        }
        return with_values(scenario, files)

    @property
    def total(self) -> int:
        """Runs of the whole campaign."""
        return self.runs * math.prod(self._shape)

    @property
    def batches(self) -> int:
        """Batches of the whole campaign."""
        return math.ceil(self.total / self._batch)

    @property
    def keys(self) -> list[str]:
        """Every key that differs between runs: grid first."""
        return [*self.grid, *self.vary]

    def batch(self, index: int) -> range:
        """The runs of a batch."""
        return range(index * self._batch, min((index + 1) * self._batch, self.total))

    def draw(self, run: int) -> tuple[int, dict[str, Value]]:
        """Seed of a run, and its value of each key. Points of the grid take turns."""
        rng = np.random.default_rng(np.random.SeedSequence([self.seed, run]))
        seed = int(rng.integers(_SEEDS))
        point = np.unravel_index(run % math.prod(self._shape), self._shape)
        values = {key: among[i] for (key, among), i in zip(self.grid.items(), point, strict=True)}
        return seed, values | {key: distribution(key, text)(rng) for key, text in self.vary.items()}

    def scenario_of(self, run: int) -> Scenario:
        """The scenario of a run. Raises ConfigError if it refuses the run's values."""
        return with_values(self.scenario, self.draw(run)[1])

    def check(self) -> None:
        """Try runs: the first of each point of the grid, some more, and those with the extremes of each key.

        Raises ConfigError for an unknown key, an impossible distribution, a value that the scenario refuses, or a
        condition to stop that cannot be read.
        """
        require_keys(self.scenario, self.keys)
        points = math.prod(self._shape)
        drawn = [self.draw(run)[1] for run in range(self.total if self.vary else points)]
        tried = set(range(min(max(points, _RUNS_A_BATCH), len(drawn))))
        for key in self.vary:
            column = [row[key] for row in drawn]
            extremes = set(column) if isinstance(column[0], str) else {min(column), max(column)}
            tried |= {column.index(value) for value in extremes}
        for run in sorted(tried):
            with_values(self.scenario, drawn[run])
        _ = self._width

    def complete(self, acquired: Mapping[int, int]) -> int | None:
        """Batches after which the campaign is over, None while it is not. `acquired`: runs that did, by batch done.

        What stops it early is looked for batch by batch in run order, whatever order they were done in.
        """
        count, limit = 0, self._width
        for index in range(self.batches):
            if index not in acquired:
                return None
            count += acquired[index]
            if limit is not None:
                low, high = wilson(count, self.batch(index).stop)
                if high - low < limit:
                    return index + 1
        return self.batches

    @property
    def _batch(self) -> int:
        return min(max(self.total // _BATCHES, 1), _RUNS_A_BATCH)

    @property
    def _shape(self) -> list[int]:
        return [len(among) for among in self.grid.values()]

    @property
    def _width(self) -> float | None:
        """Width of the interval of `stop_when`."""
        if self.stop_when is None:
            return None
        match = _STOP.fullmatch(self.stop_when)
        try:
            width = float(match[1]) if match else 0.0
        except ValueError:
            width = 0.0
        if not 0.0 < width < 1.0:
            raise ConfigError(f"--stop-when: expected ci(p_acquired) < X with 0 < X < 1, found {self.stop_when}")
        return width
