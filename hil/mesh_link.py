"""One crosslink of a mesh as a scenario of its own, for `beamlock run` to look at closely."""

from datetime import timedelta

import numpy as np

from flightsw.errors import ConfigError
from hil.mesh import constellation
from hil.mesh_scenario import MeshScenario
from hil.scenario import OrbitModel, Scenario
from hil.scenario import load as load_run_scenario
from sim.network.sight import earth_clearance

_SEARCH_STEP_S = 1.0
_BLOCK = 60


def link_scenario(scenario: MeshScenario, one: str, other: str, at_s: float) -> Scenario:
    """The scenario of satellites `one` and `other` from the first time on, `at_s` or later, at which they can link.

    Terminals are those of `links.hardware`, on the satellites' two-line elements. Raises ConfigError for satellites
    that are not there, or that range and Earth keep apart until the end of the mesh's scenario.
    """
    satellites = constellation(scenario)
    unknown = [name for name in (one, other) if name not in satellites.names]
    if unknown or one == other:
        raise ConfigError(
            f"--link {one},{other}: expected two satellites of {scenario.name}, found "
            f"{' and '.join(unknown) + ' unknown' if unknown else 'one twice'}; they are called like "
            f"{satellites.names[0]}"
        )
    index = [satellites.names.index(name) for name in (one, other)]
    times = np.arange(at_s, scenario.duration_s, _SEARCH_STEP_S)
    for block in np.split(times, range(_BLOCK, len(times), _BLOCK)):
        position = satellites.states(block)[0][:, index]
        for t_s, (a, b) in zip(block, position, strict=True):
            range_km = float(np.linalg.norm(b - a)) * 1e-3
            clearance_km = earth_clearance(a, b) * 1e-3
            if range_km <= scenario.terminals.range_km and clearance_km >= max(scenario.terminals.clearance_km, 100.0):
                return _of(
                    scenario, {name: satellites.tle(i) for name, i in zip((one, other), index, strict=True)}, t_s
                )
    raise ConfigError(
        f"--link {one},{other}: expected satellites that can link, found them out of range or behind the Earth from "
        f"{at_s:g} to {scenario.duration_s:g} s; give a pair of crosslinks.parquet"
    )


def _of(scenario: MeshScenario, elements: dict[str, tuple[str, str]], t_s: float) -> Scenario:
    hardware = load_run_scenario(scenario.links.hardware)
    terminals = {
        name: terminal.model_copy(update={"orbit": OrbitModel(tle=tle), "mounting_azimuth_deg": None})
        for (name, tle), terminal in zip(elements.items(), hardware.terminals.values(), strict=True)
    }
    one, other = elements
    return hardware.model_copy(
        update={
            "name": f"{one}_{other}",
            "description": f"{one} and {other} of {scenario.name}, {t_s:g} s after its epoch",
            "epoch": scenario.epoch + timedelta(seconds=float(t_s)),
            "seed": scenario.seed,
            "terminals": terminals,
        }
    )
