"""Acquisitions by the thousand: runs of a scenario of which nothing is recorded.

What does not depend on the seed is computed once a process, for the last few scenarios that it has seen: the course of
the two satellites here; the scan's pitch and the fine loop's gains where they are designed.
"""

import math
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

from hil.compilation import compile_kernels
from hil.lockstep import Lockstep, Outcome
from hil.scenario import Scenario
from hil.world import Course, Encounter, World, course, draw


class Runner:
    """Runs one scenario with any number of seeds: the worlds and the events of `beamlock run`, without a record."""

    def __init__(self, scenario: Scenario, duration_s: float | None = None) -> None:
        """duration_s: instead of the scenario's, in whole seconds. Raises ConfigError as `hil.world.course` does."""
        compile_kernels()
        self.scenario = scenario
        duration_s = math.floor(scenario.duration_s if duration_s is None else duration_s)
        self._course = _course(Encounter.of(scenario, duration_s))

    def run(self, seed: int, until_acquired: bool) -> tuple[Lockstep, Outcome, World]:
        """One run to the end of the scenario or, with `until_acquired`, until both fine loops are closed.

        `hil.run.summarise` makes figures of the engine and the outcome. Raises ConfigError for settings that contradict
        each other.
        """
        world = draw(self.scenario, self._course, seed)
        engine = Lockstep(self.scenario, world)
        outcome = engine.run(until=_acquired if until_acquired else None)
        return engine, outcome, world


# A course takes 200 octets a frame, 70 MB an hour; four are what the points of a grid over orbits may come back to.
@lru_cache(maxsize=4)
def _course(encounter: Encounter) -> Course:
    with TemporaryDirectory() as folder:
        return course(encounter, Path(folder))


def _acquired(outcome: Outcome) -> bool:
    return outcome.acquired_s is not None
