"""What is kept of a failed run: a scenario that repeats it alone, and a record of it."""

import shutil
from pathlib import Path

import tomli_w

from hil.campaign_batch import raise_what_is_the_machines
from hil.campaign_plan import Campaign
from hil.campaign_store import UNFINISHED
from hil.run import run
from hil.scenario import Scenario
from hil.variation import with_values

SCENARIO, ERROR = "scenario.toml", "error.txt"


def keep_failed_run(campaign_json: str, index: int, folder: Path) -> None:
    """Make the folder of a failed run, whole or not at all.

    It has the scenario, its seed included, and all that `beamlock run` writes but the report, or `error.txt` if the run
    raises. Raises OSError if the folder cannot be written.
    """
    campaign = Campaign.model_validate_json(campaign_json)
    seed, values = campaign.draw(index)
    unfinished = folder.with_name(folder.name + UNFINISHED)
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        unfinished.mkdir(parents=True)
        _run(with_values(campaign.scenario, values).model_copy(update={"seed": seed}), unfinished)
        unfinished.replace(folder)
    except OSError:
        # what it takes may be what the others lack
        shutil.rmtree(unfinished, ignore_errors=True)
        raise


def _run(scenario: Scenario, folder: Path) -> None:
    (folder / SCENARIO).write_text(as_toml(scenario))
    try:
        run(scenario, folder)
    except Exception as error:
        raise_what_is_the_machines(error)
        (folder / ERROR).write_text(f"{type(error).__name__}: {error}\n")


def as_toml(scenario: Scenario) -> str:
    """The file that `hil.scenario.load` reads as this scenario."""
    return tomli_w.dumps({**scenario.model_dump(mode="json", exclude_none=True), "epoch": scenario.epoch})
