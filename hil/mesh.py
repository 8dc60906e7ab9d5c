"""A simulation of the mesh from scenario to files: what `beamlock mesh` does.

```
DIR/summary.json               figures of pairs, flows, crosslinks, recovery, resilience
DIR/delays.parquet             a row a step, a column a pair of gateways
DIR/flows.parquet              a row a step and flow
DIR/crosslinks.parquet         a row a crosslink
DIR/crosslink_events.parquet   a row a change of state
DIR/gaps.parquet               a row a time without service
DIR/report.html                the page
DIR/animation.html             the network in motion
```
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flightsw.errors import ConfigError
from hil.mesh_scenario import MEASURED, ZERO, MeshScenario
from hil.mesh_summary import summarise
from hil.mesh_tables import read_acquisition_times, write_tables
from hil.scenario import load as load_run_scenario
from sim.network.acquisition import AcquisitionTimes, leo_crosslink
from sim.network.constellation import Constellation
from sim.network.mesh import Mesh
from sim.network.rate import LineRate, line_rate
from sim.network.record import MeshRecord
from sim.network.simulation import simulate

SUMMARY = "summary.json"


@dataclass(frozen=True, slots=True)
class MeshRun:
    """A finished simulation."""

    folder: Path
    record: MeshRecord
    summary: dict[str, Any]


def run_mesh(scenario: MeshScenario, folder: Path, progress: Callable[[float, float], None] | None = None) -> MeshRun:
    """Simulate a scenario; summary and tables go to `folder`.

    Raises ConfigError if the scenario cannot be simulated, or the folder cannot be written.
    """
    mesh = build(scenario)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        begin = time.perf_counter()
        record = simulate(mesh, progress)
        summary = summarise(scenario, record, time.perf_counter() - begin)
        (folder / SUMMARY).write_text(json.dumps(summary, indent=2) + "\n")
        write_tables(record, folder)
    except OSError as error:
        raise ConfigError(f"{folder}: expected a folder that can be written, found: {error.strerror}") from None
    return MeshRun(folder, record, summary)


def build(scenario: MeshScenario) -> Mesh:
    """The mesh of a scenario. Raises ConfigError for satellites, hardware or acquisition times that it cannot have."""
    return Mesh(
        constellation=constellation(scenario),
        points=scenario.ground,
        terminals=scenario.terminals,
        policy=scenario.links.policy,
        replan_s=scenario.links.replan_s,
        acquisition=_acquisition(scenario.links.acquisition),
        line_rate=_line_rate(scenario),
        clouds=scenario.clouds,
        routing=scenario.routing,
        flows=scenario.flows,
        gateways=scenario.gateways,
        failures=scenario.failures,
        duration_s=scenario.duration_s,
        step_s=scenario.step_s,
        seed=scenario.seed,
    )


def constellation(scenario: MeshScenario) -> Constellation:
    """The satellites of a scenario. Raises ConfigError for those that cannot be."""
    if scenario.tle_file is not None:
        return Constellation.of_tle_file(scenario.tle_file, scenario.epoch)
    return Constellation.of_shells(scenario.shells, scenario.epoch)


def _acquisition(source: str) -> AcquisitionTimes:
    if source == MEASURED:
        return leo_crosslink()
    if source == ZERO:
        return AcquisitionTimes.zero()
    return AcquisitionTimes(read_acquisition_times(Path(source)))


def _line_rate(scenario: MeshScenario) -> LineRate:
    links = scenario.links
    one, other = (terminal.hardware for terminal in load_run_scenario(links.hardware).terminals.values())
    return line_rate(one, other, links.photons_per_bit, links.line_rate_mbps * 1e6)
