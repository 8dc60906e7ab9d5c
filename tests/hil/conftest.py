"""Runs that several tests look at, made once a session."""

from collections.abc import Callable
from pathlib import Path

import pytest

from hil.lockstep import Lockstep, Outcome
from hil.scenario import Scenario, load
from hil.world import build


@pytest.fixture(scope="session")
def scenario() -> Callable[..., Scenario]:
    """A shipped scenario with some of its settings changed: `scenario("leo_crosslink", {"flight.tracking.law": "pi"})`.

    Keys are paths below a terminal, applied to both; keys that begin with "/" are paths below the scenario.
    """

    def changed(name: str, changes: dict[str, object] | None = None) -> Scenario:
        table = load(name).model_dump()
        for key, value in (changes or {}).items():
            roots = [table] if key.startswith("/") else list(table["terminals"].values())
            *path, last = key.removeprefix("/").split(".")
            for node in roots:
                for part in path:
                    node = node[part]
                node[last] = value
        return Scenario.model_validate(table)

    return changed


@pytest.fixture(scope="session")
def fly(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., tuple[Lockstep, Outcome]]:
    """Run a scenario without a record: `fly(scenario, seed, duration_s, until=None)`."""

    def run(
        scenario: Scenario, seed: int, duration_s: int, until: Callable[[Outcome], bool] | None = None
    ) -> tuple[Lockstep, Outcome]:
        folder: Path = tmp_path_factory.mktemp("products")
        engine = Lockstep(scenario, build(scenario, seed, duration_s, folder))
        outcome = engine.run(until=until)
        assert not [event for _, event in outcome.events if event.name == "FRAME_FAILED"]
        return engine, outcome

    return run
