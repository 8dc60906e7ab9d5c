"""Benches: which device of a terminal is simulated, Verilated, emulated, a board, or a recording; from TOML.

| binding | the device is |
| --- | --- |
| `sim:` | simulated, as every device that a bench does not name |
| `rtl:` | the encoder's Verilog in this process |
| `emulate:pty`, `emulate:tcp` | an emulator that the run starts, a process of its own behind a pseudo-terminal or TCP |
| `emulate:usb` | an emulator on the virtual USB bus; not for the encoder |
| `serial:`, `usb:`, `tcp:` | a board at that address, as `hil.transports.address` has it |
| `replay:FILE` | what a run recorded of this device |
"""

import os
from dataclasses import dataclass
from importlib.resources import files
from itertools import combinations
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from flightsw.errors import ConfigError
from hil.configuration import Model, checked, read_table, shipped_in
from hil.protocol import Kind
from hil.realtime import RealTimeModel
from hil.scenario import Scenario
from hil.transports import address
from hil.transports.address import Address, SerialAddress, UsbAddress

_OVER: tuple[Literal["pty", "tcp", "usb"], ...] = ("pty", "tcp", "usb")
_ADDRESSES = ("serial", "usb", "tcp")


@dataclass(frozen=True, slots=True)
class Simulated:
    """The simulated device."""

    def __str__(self) -> str:
        return "sim:"


@dataclass(frozen=True, slots=True)
class Rtl:
    """The encoder's Verilog, compiled into this process."""

    def __str__(self) -> str:
        return "rtl:"


@dataclass(frozen=True, slots=True)
class Emulated:
    """An emulator that the run starts itself."""

    over: Literal["pty", "tcp", "usb"]

    def __str__(self) -> str:
        return f"emulate:{self.over}"


@dataclass(frozen=True, slots=True)
class Attached:
    """A device that is there already: a board, or an emulator that somebody else started."""

    address: Address

    def __str__(self) -> str:
        return str(self.address)


@dataclass(frozen=True, slots=True)
class Replayed:
    """The device's traffic out of a run's record."""

    path: Path

    def __str__(self) -> str:
        return f"replay:{self.path}"


Binding = Simulated | Rtl | Emulated | Attached | Replayed


def binding(text: str, folder: Path = Path()) -> Binding:
    """A binding from its text; a relative file is taken from `folder`. Raises ConfigError: what was expected."""
    scheme, colon, rest = text.partition(":")
    if "\0" in text:
        raise ConfigError(f"binding {text!r}: expected text without a zero octet, found one")
    if colon and scheme in _ADDRESSES:
        return Attached(address.parse(text))
    for over in _OVER:
        if text == f"emulate:{over}":
            return Emulated(over)
    if scheme == "emulate":
        raise ConfigError(f"binding {text!r}: expected emulate:pty, emulate:tcp or emulate:usb, found {rest!r}")
    if scheme == "replay" and colon:
        if not rest:
            raise ConfigError(f"binding {text!r}: expected a run's record, as in replay:record.mcap, found {rest!r}")
        return Replayed(folder / rest)
    if text == "sim:":
        return Simulated()
    if text == "rtl:":
        return Rtl()
    raise ConfigError(
        f"binding {text!r}: expected sim:, rtl:, emulate:, serial:, usb:, tcp: or replay:, found none of them"
    )


class TerminalBench(Model):
    """Bindings of one terminal's devices, each written as text."""

    steering_mirror: Binding = Simulated()
    quad_cell: Binding = Simulated()
    gimbal: Binding = Simulated()
    camera: Binding = Simulated()
    laser: Binding = Simulated()
    point_ahead: Binding = Simulated()
    encoder: Binding = Simulated()
    fine_loop: Binding = Simulated()

    @property
    def bound(self) -> dict[Kind, Binding]:
        """The devices that are not simulated."""
        found: dict[Kind, Binding] = {kind: getattr(self, kind.label) for kind in Kind}
        return {kind: device for kind, device in found.items() if not isinstance(device, Simulated)}

    @field_validator("*", mode="plain")
    @classmethod
    def _of_text(cls, text: object, info: ValidationInfo) -> Binding:
        if not isinstance(text, str):
            raise ValueError("expected a binding as text, as in sim:")
        try:
            device = binding(text, (info.context or {}).get("folder", Path()))
        except ConfigError as error:
            # what was found is said of every key
            raise ValueError(str(error).rpartition(", found ")[0]) from None
        is_encoder = info.field_name == Kind.ENCODER.label
        if isinstance(device, Rtl) and not is_encoder:
            raise ValueError("expected rtl: for an encoder only, for no other device is Verilog")
        if is_encoder and device == Emulated("usb"):
            raise ValueError("expected emulate:pty or emulate:tcp, for the encoder's board has a serial line only")
        return device

    @model_validator(mode="after")
    def _fine_loop_has_its_own(self) -> Self:
        also = [kind.label for kind in (Kind.STEERING_MIRROR, Kind.QUAD_CELL) if kind in self.bound]
        if Kind.FINE_LOOP in self.bound and also:
            raise ValueError(
                "fine_loop: expected no other binding of the steering mirror and the quad cell, for the board that "
                f"closes the loop has both, found {' and '.join(also)} bound"
            )
        return self


class Bench(Model):
    """Which devices are not simulated, and what the run has to do for them."""

    name: str
    description: str
    sample_rate_hz: int | None = Field(
        None, ge=1000, le=30_000, multiple_of=100, description="of the fine loop; none: the scenario's"
    )
    encoder_rate_mbps: float | None = Field(
        None, gt=0, description="what the encoder's line can carry; none: whatever the scenario has"
    )
    timeout_ms: float = Field(200.0, gt=0, le=10_000, description="patience with a device's answer")
    real_time: RealTimeModel | None = Field(None, description="the run keeps wall time; none: as fast as it can")
    terminals: dict[str, TerminalBench] = Field(default_factory=dict, description="none: simulated")

    def terminal(self, name: str) -> TerminalBench:
        """Bindings of a terminal."""
        return self.terminals.get(name, TerminalBench())


ALL_SIMULATED = Bench(name="simulated", description="Every device simulated, as without a bench")


def check(bench: Bench, scenario: Scenario) -> None:
    """Hold a bench against the scenario that it is to run. Raises ConfigError.

    Terminals must be the scenario's. No two devices may be at one port: equal addresses, two paths to one device file,
    or a USB device that is bound with and without its serial number.
    """
    for name in bench.terminals:
        if name not in scenario.terminals:
            raise ConfigError(
                f"bench {bench.name}: terminals: expected {' or '.join(scenario.terminals)} of scenario "
                f"{scenario.name}, found {name}"
            )
    attached = [
        (f"{terminal}.{kind.label}", device.address)
        for terminal, devices in bench.terminals.items()
        for kind, device in devices.bound.items()
        if isinstance(device, Attached)
    ]
    for (one, its), (other, others) in combinations(attached, 2):
        if _same_port(its, others):
            raise ConfigError(
                f"bench {bench.name}: expected a port for each device, found {one} at {its} and {other} at {others}, "
                "which are one: bind one of them elsewhere"
            )


def shipped() -> dict[str, str]:
    """Names of the benches that come with the package, each with its description."""
    return shipped_in(files("hil").joinpath("benches"))


def load(name: str) -> Bench:
    """A bench by path, or by the name of one that is shipped.

    Raises ConfigError, in one line that names file and key, for everything that is wrong with it.
    """
    path, table = read_table("bench", name, files("hil").joinpath("benches"), f"those shipped: {', '.join(shipped())}")
    return checked(Bench, path, table, folder=path.parent)


def _same_port(one: Address, other: Address) -> bool:
    if isinstance(one, SerialAddress) and isinstance(other, SerialAddress):
        # a link to a device file is the port, and the baud rate no part of it
        return os.path.realpath(one.url) == os.path.realpath(other.url)
    if isinstance(one, UsbAddress) and isinstance(other, UsbAddress):
        # without a serial number it is the only device of its kind
        alike = (one.vendor, one.product) == (other.vendor, other.product)
        return alike and (one.serial == other.serial or None in (one.serial, other.serial))
    return one == other
