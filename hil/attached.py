"""All devices of a bench that are not simulated: started, connected, on record, and let go again."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from typing import Any, NamedTuple, Self

import numpy as np

from flightsw.errors import ConfigError
from flightsw.services.events import Severity
from hil.bench import Attached, Bench, Binding, Emulated, Replayed, Rtl
from hil.bodies import Register
from hil.drivers.attachment import Attachment
from hil.emulators.bus import EmulatorBus
from hil.emulators.process import EmulatorProcess
from hil.faults import FaultModel, FaultyLine
from hil.link import DeviceLink
from hil.protocol import Kind
from hil.realtime import Latency
from hil.recorder import recorded
from hil.replay import Playback
from hil.scenario import Scenario
from hil.traffic import TrafficLog
from hil.transports import Transport


class DeviceEvent(NamedTuple):
    """What happened to a terminal's device."""

    terminal: str
    severity: Severity
    name: str
    text: str


class DeviceTraffic(NamedTuple):
    """Operations on a device's line, as `hil.traffic` encodes them."""

    terminal: str
    kind: Kind
    octets: bytes


class AttachedDevices:
    """The devices of all terminals. Use it as a context manager: inside they are in service, outside let go.

    Attributes:
        now_s: the run's time, which the engine keeps up to date.
    """

    def __init__(self, bench: Bench, scenario: Scenario, seed: int, faults: Sequence[FaultModel] = ()) -> None:
        """Nothing is started yet. Raises ConfigError for a fault of a device that has no line."""
        self.now_s = 0.0
        self._scenario = scenario
        self._seed = seed
        self._faults = faults
        self._timeout_s = 1e-3 * bench.timeout_ms
        self._bindings: dict[tuple[str, Kind], Binding] = {
            (name, kind): binding
            for name in scenario.terminals
            for kind, binding in bench.terminal(name).bound.items()
            if not isinstance(binding, Rtl)
        }
        self._attachments: dict[tuple[str, Kind], Attachment] = {}
        self._logs: dict[tuple[str, Kind], TrafficLog] = {}
        self._events: list[DeviceEvent] = []
        self._stack = ExitStack()
        self._buses: dict[str, EmulatorBus] = {}
        self.playbacks: dict[tuple[str, Kind], Playback] = {}
        for fault in faults:
            if (fault.terminal, fault.device) not in self._bindings:
                raise ConfigError(
                    f"fault {fault}: expected a device with a line, found {fault.terminal}.{fault.device.label} "
                    f"simulated: bind it in a bench, as to emulate:pty"
                )

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def of(self, terminal: str) -> Mapping[Kind, Attachment]:
        """The devices of a terminal."""
        return {kind: a for (name, kind), a in self._attachments.items() if name == terminal}

    @property
    def host_closes_a_loop(self) -> bool:
        """Whether some fine loop is closed by the host over devices of the bench."""
        return any(kind in (Kind.QUAD_CELL, Kind.STEERING_MIRROR) for _, kind in self._bindings)

    def take_events(self) -> list[DeviceEvent]:
        """What happened to the devices since the last call."""
        events, self._events = self._events, []
        return events

    def traffic(self) -> Iterator[DeviceTraffic]:
        """What went over the lines since the last call."""
        for (terminal, kind), log in self._logs.items():
            octets = log.take()
            if octets:
                yield DeviceTraffic(terminal, kind, octets)

    def latencies(self) -> dict[str, Latency]:
        """How long each device took to answer, by terminal and kind."""
        return {_name(key): attachment.latency for key, attachment in self._attachments.items()}

    def bindings(self) -> dict[str, str]:
        """What each device is bound to, by terminal and kind."""
        return {_name(key): str(binding) for key, binding in self._bindings.items()}

    def summary(self) -> dict[str, Any]:
        """Figures of each device, by terminal and kind."""
        rows = {}
        for key, attachment in self._attachments.items():
            identity = attachment.link.identity
            rows[_name(key)] = {
                "binding": str(self._bindings[key]),
                "unique_id": None if identity is None else identity.unique_id.hex(),
                "firmware": None if identity is None else f"{identity.major}.{identity.minor}.{identity.patch}",
                "in_service": attachment.in_service,
                "times_lost": attachment.times_lost,
                "missed": attachment.missed,
                "refused": attachment.refused,
                **asdict(attachment.link.counts),
            }
        return rows

    def _start(self) -> None:
        processes = {
            key: EmulatorProcess(key[1], self._scenario, key[0], self._seed, binding.over)
            for key, binding in self._bindings.items()
            if isinstance(binding, Emulated) and binding.over != "usb"
        }
        # all at once, and then waited for: each has a Python to start
        for process in processes.values():
            self._stack.callback(process.close)
            process.start()
        self._buses = {name: self._bus(name) for name in self._scenario.terminals}
        for process in processes.values():
            process.wait_until_ready()
        for key, binding in self._bindings.items():
            match binding:
                case Attached(address):
                    connect = address.open
                case Replayed(path):
                    self.playbacks[key] = Playback(recorded(path, *key))
                    connect = self.playbacks[key].connect
                case _:
                    connect = processes[key].connect if key in processes else self._buses[key[0]].connect(key[1])
            self._attach(key, connect)

    def _bus(self, terminal: str) -> EmulatorBus:
        kinds = [kind for (name, kind), b in self._bindings.items() if name == terminal and b == Emulated("usb")]
        return EmulatorBus(kinds, self._scenario, terminal, self._seed)

    def _attach(self, key: tuple[str, Kind], connect: Callable[[], Transport]) -> None:
        terminal, kind = key
        playback = self.playbacks.get(key)
        log = self._logs[key] = TrafficLog(time.monotonic_ns if playback is None else playback.clock_ns)

        def tell(severity: Severity, name: str, text: str) -> None:
            self._events.append(DeviceEvent(terminal, severity, name, text))

        faults = [fault for fault in self._faults if (fault.terminal, fault.device) == key]
        if faults:
            entropy = [self._seed, list(self._scenario.terminals).index(terminal), int(kind)]
            line = FaultyLine(
                faults,
                np.random.default_rng(entropy),
                lambda: self.now_s,
                lambda name, text: tell(Severity.INFO, name, text),
            )
            connect = line.wrap(connect)
        link = DeviceLink(kind, log.wrap(connect), timeout_s=self._timeout_s, clock_ns=log.clock_ns)
        attachment = self._attachments[key] = Attachment(link, tell)
        self._stack.callback(attachment.close)
        attachment.open()
        if attachment.shown:
            self._require_rate(link)

    def _require_rate(self, link: DeviceLink) -> None:
        """Raise ConfigError for an emulator that lives at another rate than the world."""
        wanted, found = self._scenario.sample_rate_hz, link.read(Register.SAMPLE_RATE_HZ)
        if found not in (0, wanted):
            raise ConfigError(
                f"{link.name}: expected an emulator of {wanted} samples a second, found {found}: start it with a "
                "scenario of that rate, or set sample_rate_hz in the bench"
            )


def _name(key: tuple[str, Kind]) -> str:
    terminal, kind = key
    return f"{terminal}.{kind.label}"
