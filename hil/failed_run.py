"""What is kept of a failed run: a scenario that repeats it alone, and a record of it."""

import shutil
from pathlib import Path

import tomli_w

from hil.campaign_plan import Campaign
from hil.campaign_store import UNFINISHED
from hil.run import run
from hil.scenario import Scenario
from hil.variation import with_values

SCENARIO, ERROR = "scenario.toml", "error.txt"


def keep_failed_run(campaign_json: str, index: int, folder: Path, recorded: bool) -> None:
    """Make the folder of a failed run, whole or not at all.

    It has the scenario, its seed included, and, if `recorded`, all that `beamlock run` writes but the report; what
    could not be made has `error.txt` in its place. Raises OSError if the folder cannot be written.
    """
    campaign = Campaign.model_validate_json(campaign_json)
    seed, values = campaign.draw(index)
    unfinished = folder.with_name(folder.name + UNFINISHED)
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    try:
        scenario = with_values(campaign.scenario, values).model_copy(update={"seed": seed})
        (unfinished / SCENARIO).write_text(as_toml(scenario))
        if recorded:
            run(scenario, unfinished)
    except OSError:
        raise
    except Exception as error:
        (unfinished / ERROR).write_text(f"{type(error).__name__}: {error}\n")
    unfinished.replace(folder)


def as_toml(scenario: Scenario) -> str:
    """The file that `hil.scenario.load` reads as this scenario."""
    return tomli_w.dumps({**scenario.model_dump(mode="json", exclude_none=True), "epoch": scenario.epoch})
