"""Scenarios of the mesh: TOML files read into a model, checked as a whole before anything is simulated."""

from importlib.resources import files
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from hil.configuration import Epoch, Model, checked, read_table, shipped_in
from sim.network.assignment import Policy
from sim.network.constellation import ShellModel
from sim.network.failures import FailureModel
from sim.network.ground import CloudsModel, GroundPointModel
from sim.network.mesh import GatewaysModel, RoutingModel
from sim.network.terminals import TerminalsModel
from sim.network.traffic import FlowModel

MEASURED, ZERO = "measured", "zero"


class CrosslinksModel(Model):
    """Who links with whom, how long that takes, and what the links carry."""

    policy: Policy = "grid"
    replan_s: float = Field(60.0, gt=0)
    acquisition: str = Field(
        MEASURED, description="measured: as leo_crosslink; zero: links at once; or the campaign.parquet of a campaign"
    )
    hardware: str = Field(
        "leo_crosslink", description="a scenario of `beamlock run`: its terminals make the link budget"
    )
    line_rate_mbps: float = Field(10_000.0, gt=0, description="at most")
    photons_per_bit: float = Field(500.0, gt=0, description="that a bit is to have, margin included")


class MeshScenario(Model):
    """Everything that a simulation of the mesh needs, and nothing drawn at random yet."""

    name: str
    description: str
    epoch: Epoch
    duration_s: float = Field(gt=0, le=7 * 86_400)
    step_s: float = Field(1.0, gt=0, le=60)
    seed: int = Field(1, ge=0)
    shells: list[ShellModel] = Field(default_factory=list)
    tle_file: Path | None = Field(None, description="instead of shells: element sets of two lines, or three")
    terminals: TerminalsModel = TerminalsModel()
    links: CrosslinksModel = CrosslinksModel()
    ground: list[GroundPointModel]
    clouds: CloudsModel | None = None
    routing: RoutingModel = RoutingModel()
    flows: list[FlowModel] = Field(default_factory=list)
    gateways: GatewaysModel = GatewaysModel()
    failures: list[FailureModel] = Field(default_factory=list)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if bool(self.shells) == (self.tle_file is not None):
            raise ValueError(f"expected shells or tle_file, found {'both' if self.shells else 'neither'}")
        if self.duration_s < self.step_s:
            raise ValueError(f"duration_s: expected at least step_s of {self.step_s:g}, found {self.duration_s:g}")
        names = [point.name for point in self.ground]
        again = sorted({name for name in names if names.count(name) > 1})
        if again:
            raise ValueError(f"ground: expected each name once, found {len(again)} again: {', '.join(again)}")
        gateways = sum(point.kind == "gateway" for point in self.ground)
        if gateways < 2:
            raise ValueError(f"ground: expected two gateways or more, found {gateways}")
        return self


def shipped() -> dict[str, str]:
    """Names of the scenarios that come with the package, each with its description."""
    return shipped_in(files("sim.network").joinpath("scenarios"))


def load(name: str) -> MeshScenario:
    """A scenario by path, or by the name of one that is shipped.

    Raises ConfigError, in one line that names file and key, for everything that is wrong with it.
    """
    path, table = read_table(
        "mesh scenario",
        name,
        files("sim.network").joinpath("scenarios"),
        "`beamlock mesh --list` shows those shipped",
    )
    # file names are taken from the scenario's own folder
    links = table.get("links", {})
    if isinstance(table.get("tle_file"), str):
        table["tle_file"] = str(path.parent / table["tle_file"])
    if isinstance(links, dict) and links.get("acquisition") not in (None, MEASURED, ZERO):
        links["acquisition"] = str(path.parent / str(links["acquisition"]))
    return checked(MeshScenario, path, table)
