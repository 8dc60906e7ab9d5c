"""Many simulations of a mesh, each with its seed: a row of figures each, on the workers of `beamlock campaign`."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from flightsw.errors import ConfigError
from hil.mesh import build
from hil.mesh_scenario import MeshScenario
from hil.mesh_summary import summarise
from hil.workers import Workers
from sim.network.simulation import simulate

TABLE = "mesh_campaign.parquet"


def mesh_campaign(
    scenario: MeshScenario, runs: int, folder: Path, workers: Workers, progress: Callable[[int], None] | None = None
) -> list[dict[str, Any]]:
    """Simulate with the seeds from the scenario's on, one after the other; the rows are returned and go to `folder`.

    A row has the figures of the summary but those of pairs, `flows.NAME.loss` and the like as names, and of the pairs
    the least availability. Raises ConfigError as the simulation does, or if the folder cannot be written.
    """
    import pyarrow
    from pyarrow import parquet

    build(scenario)
    seeds = range(scenario.seed, scenario.seed + runs)
    rows = []
    with closing(workers.results(_row, [(scenario.model_dump_json(), seed) for seed in seeds])) as results:
        for row in results:
            rows.append(row)
            if progress is not None:
                progress(len(rows))
    rows.sort(key=lambda row: int(row["seed"]))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        parquet.write_table(pyarrow.Table.from_pylist(rows), folder / TABLE, compression="zstd")
    except OSError as error:
        raise ConfigError(f"{folder}: expected a folder that can be written, found: {error.strerror}") from None
    return rows


def _row(scenario_json: str, seed: int) -> dict[str, Any]:
    scenario = MeshScenario.model_validate_json(scenario_json).model_copy(update={"seed": seed})
    summary = summarise(scenario, simulate(build(scenario)), 1.0)
    pairs = summary.pop("pairs").values()
    del summary["performance"]
    row = dict(_flat(summary, ""))
    row["pairs.availability.least"] = min((p["availability"] or 0.0 for p in pairs), default=None)
    return row


def _flat(table: dict[str, Any], path: str) -> list[tuple[str, Any]]:
    rows: list[tuple[str, Any]] = []
    for key, value in table.items():
        if isinstance(value, dict):
            rows += _flat(value, f"{path}{key}.")
        elif not isinstance(value, list):
            rows.append((f"{path}{key}", value))
    return rows
