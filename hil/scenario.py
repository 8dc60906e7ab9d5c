"""Scenarios: TOML files read into models, checked as a whole before anything runs.

A scenario names two terminals. What both share stands in `[both]`; `[terminals.NAME]` adds to it or overrides it.
"""

from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from flightsw.settings import TerminalSettings
from hil.configuration import Epoch, Model, checked, read_table, shipped_in
from hil.faults import FaultModel
from sim.terminal import HardwareModel


class KeplerModel(Model):
    """Osculating Keplerian elements at the scenario's epoch."""

    semi_major_axis_km: float = Field(gt=6378.0)
    eccentricity: float = Field(0.0, ge=0, lt=1)
    inclination_deg: float = Field(ge=0, le=180)
    raan_deg: float = 0.0
    argument_of_perigee_deg: float = 0.0
    mean_anomaly_deg: float = 0.0
    j2: bool = True


class OrbitModel(Model):
    """Where a satellite is, said in one of four ways."""

    kepler: KeplerModel | None = None
    tle: tuple[str, str] | None = Field(None, description="the two lines")
    tle_file: Path | None = Field(None, description="a file with two lines, or three with a name")
    oem_file: Path | None = Field(None, description="CCSDS OEM, KVN")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        given = [name for name in ("kepler", "tle", "tle_file", "oem_file") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"expected one of kepler, tle, tle_file, oem_file, found {', '.join(given) or 'none'}")
        return self


class EphemerisErrorModel(Model):
    """Error of the ephemeris product that the flight software is given, 1 sigma, drawn once a run."""

    radial_m: float = Field(5.0, ge=0)
    along_track_m: float = Field(20.0, ge=0)
    cross_track_m: float = Field(5.0, ge=0)


class TerminalModel(Model):
    """One terminal: its orbit, its hardware, its flight software's settings."""

    orbit: OrbitModel
    mounting_azimuth_deg: float | None = Field(
        None, description="of the gimbal's zero, from the direction of flight; none: toward the partner at the start"
    )
    ephemeris_error: EphemerisErrorModel = EphemerisErrorModel()
    hardware: HardwareModel
    flight: TerminalSettings

    @model_validator(mode="after")
    def _within_the_hardware(self) -> Self:
        asked, has = self.flight.tracking.mirror_range_urad, self.hardware.mirror.range_urad
        if asked > has:
            raise ValueError(
                f"flight.tracking.mirror_range_urad: expected at most the mirror's range of {has:g} urad, "
                f"found {asked:g}"
            )
        return self


class TimelineEntry(Model):
    """A command to a terminal, or a fault, at a time."""

    at_s: float = Field(ge=0)
    terminal: str | None = Field(None, description="none: both")
    command: Literal["acquire", "standby", "safe"] | None = None
    fault: (
        Literal[
            "blockage",
            "quad_cell_dead",
            "mirror_stuck",
            "camera_dead",
            "gimbal_stuck",
            "gimbal_encoder_dead",
            "point_ahead_stuck",
            "laser_off",
            "laser_stuck",
            "clock_jump",
            "frames_missed",
        ]
        | None
    ) = None
    duration_s: float | None = Field(None, gt=0, description="of the fault")

    @model_validator(mode="after")
    def _command_or_fault(self) -> Self:
        if (self.command is None) == (self.fault is None):
            raise ValueError("expected either a command or a fault")
        if self.fault is not None and self.duration_s is None:
            raise ValueError(f"fault {self.fault}: expected duration_s")
        return self


class DataModel(Model):
    """What the link carries in COMM: the line's rate makes photons per bit, the carried rate what a run computes."""

    profile: str = Field("aos_rs_i5", description="of the link: a TOML file, or the name of one that ships")
    line_rate_mbps: float = Field(2500.0, gt=0)
    carried_rate_mbps: float = Field(100.0, gt=0, description="bits that a run carries, to scale the line down")
    bit_slips_per_s: float = Field(0.0, ge=0, description="of carried bits, in each direction")

    @model_validator(mode="after")
    def _scaled_down(self) -> Self:
        if self.carried_rate_mbps > self.line_rate_mbps:
            raise ValueError(
                f"carried_rate_mbps: expected at most line_rate_mbps of {self.line_rate_mbps:g}, "
                f"found {self.carried_rate_mbps:g}"
            )
        return self


class Scenario(Model):
    """Everything that a run needs, and nothing drawn at random yet."""

    name: str
    description: str
    epoch: Epoch
    duration_s: float = Field(gt=0, le=86_400)
    seed: int = Field(1, ge=0)
    sample_rate_hz: int = Field(10_000, ge=1000, le=30_000, multiple_of=100)
    fade_dbm: float = Field(-60.0, description="light in the aperture below which the link fades")
    data: DataModel = DataModel()
    terminals: dict[str, TerminalModel]
    timeline: list[TimelineEntry] = Field(default_factory=list)
    faults: list[FaultModel] = Field(default_factory=list)

    @model_validator(mode="after")
    def _two_terminals(self) -> Self:
        names = list(self.terminals)
        if len(names) != 2:
            raise ValueError(f"terminals: expected two, found {len(names)}")
        ids = [t.flight.spacecraft_id for t in self.terminals.values()]
        if ids[0] == ids[1]:
            raise ValueError(f"terminals: expected two different spacecraft_id, found {ids[0]} twice")
        for entry in self.timeline:
            if entry.terminal is not None and entry.terminal not in names:
                raise ValueError(f"timeline: expected terminal {' or '.join(names)}, found {entry.terminal}")
        for fault in self.faults:
            if fault.terminal not in names:
                raise ValueError(f"faults: expected terminal {' or '.join(names)}, found {fault.terminal}")
        return self


def shipped() -> dict[str, str]:
    """Names of the scenarios that come with the package, each with its description."""
    return shipped_in(files("sim").joinpath("scenarios"))


def load(name: str) -> Scenario:
    """A scenario by path, or by the name of one that is shipped.

    Raises ConfigError, in one line that names file and key, for everything that is wrong with it.
    """
    path, table = read_table(
        "scenario", name, files("sim").joinpath("scenarios"), "`beamlock run --list` shows those shipped"
    )
    return checked(Scenario, path, _spread(table, path.parent))


def _spread(table: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Lay `[both]` under each terminal, and take file names from the scenario's own folder."""
    both = table.pop("both", {})
    terminals = table.get("terminals")
    if isinstance(terminals, dict):
        merged = {name: _merge(both, own) if isinstance(own, dict) else own for name, own in terminals.items()}
        for terminal in merged.values():
            orbit = terminal.get("orbit", {}) if isinstance(terminal, dict) else {}
            for key in ("tle_file", "oem_file"):
                if isinstance(orbit, dict) and isinstance(orbit.get(key), str):
                    orbit[key] = str(folder / orbit[key])
        table["terminals"] = merged
    return table


def _merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        known = merged.get(key)
        merged[key] = _merge(known, value) if isinstance(known, dict) and isinstance(value, dict) else value
    return merged
