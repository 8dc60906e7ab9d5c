"""A terminal's command handler: telecommand packets in, telemetry packets out, by the services of ECSS-E-ST-70-41C.

```
 packet --> form, length, checksum --> APID, service, subtype --> arguments, mode --> service --> terminal
                |                          |                        |                   |
                +--> TM(1,2) --------------+                        +--> TM(1,4)        +--> TM(1,8) or its reports
```

What is refused is counted by its reason and told in an event, too. Nothing that a packet holds raises anything.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial

from flightsw.ccsds.space_packet import SEQUENCE_COUNTS
from flightsw.errors import BeamlockError, ConfigError, FrameError
from flightsw.hal import FRAME_RATE_HZ
from flightsw.operations import (
    ACQUIRE,
    FAULT_ENABLE,
    FAULT_INHIBIT,
    HOUSEKEEPING_STRUCTURE,
    LEARN_TONES,
    SAFE,
    STANDBY,
)
from flightsw.pat.modes import Command, Role
from flightsw.secret import Secret
from flightsw.services.declarations import CommandKind, OutOfRange, Value
from flightsw.services.dictionary import EVENTS, STATUS_ITEMS
from flightsw.services.events import EventKind
from flightsw.services.parameters import OnBoardParameters
from flightsw.services.pus.connection_test import ConnectionTest
from flightsw.services.pus.event_reporting import EventReporting
from flightsw.services.pus.failure import CommandRefused, FailureCode
from flightsw.services.pus.functions import Functions
from flightsw.services.pus.housekeeping import Housekeeping
from flightsw.services.pus.monitoring import Monitoring
from flightsw.services.pus.packet import (
    TERMINAL_APID,
    Acknowledge,
    Report,
    Telecommand,
    TelemetryCounter,
    parse_telecommand,
)
from flightsw.services.pus.parameter_management import ParameterManagement
from flightsw.services.pus.schedule import REQUESTS_SKIPPED, Schedule
from flightsw.services.pus.service import Service
from flightsw.services.pus.verification import COMMAND_REFUSED, REQUEST_OCTETS, Stage, failure, stage_of, success
from flightsw.services.two_copies import TwoCopies
from flightsw.terminal import Terminal

_HOUSEKEEPING_FRAMES = FRAME_RATE_HZ // 10


class Commanding:
    """Carries out telecommands for one terminal.

    schedule: the file of the schedule, made with `schedule.EMPTY` where there was none; now_s: the present time, by
    which what is in it may have expired; functions: those of service 8 beside the terminal's own, which may raise
    CommandRefused. Raises ConfigError if the file is of something else.
    """

    def __init__(
        self,
        terminal: Terminal,
        schedule: TwoCopies | None = None,
        now_s: float = 0.0,
        functions: Mapping[CommandKind, Callable[..., None]] | None = None,
    ) -> None:
        self.refused: Counter[FailureCode] = Counter()
        self._terminal = terminal
        self._store = schedule
        self._now_s = now_s
        self._counter = TelemetryCounter()
        board = OnBoardParameters(terminal.status, STATUS_ITEMS, terminal.parameters)
        self._housekeeping = Housekeeping(board, {HOUSEKEEPING_STRUCTURE: (tuple(STATUS_ITEMS), _HOUSEKEEPING_FRAMES)})
        self._events = EventReporting(EVENTS)
        self._schedule = Schedule(self._keep)
        self._monitoring = Monitoring(board, self._tell)
        service_8 = Functions(
            {
                ACQUIRE: lambda role: terminal.command(Command.ACQUIRE, None if role == 0 else Role(role - 1)),
                STANDBY: lambda: terminal.command(Command.STANDBY),
                SAFE: lambda: terminal.command(Command.SAFE),
                LEARN_TONES: terminal.learn_tones,
                FAULT_INHIBIT: terminal.faults.inhibit,
                FAULT_ENABLE: terminal.faults.enable,
                **(functions or {}),
            },
            lambda: terminal.mode,
        )
        services: tuple[Service, ...] = (
            self._housekeeping,
            self._events,
            service_8,
            self._schedule,
            self._monitoring,
            ConnectionTest(),
            ParameterManagement(board),
        )
        self._services = {service.number: service for service in services}
        if schedule is not None:
            self._restore(schedule)

    def receive(self, packet: bytes, now_s: float) -> list[bytes]:
        """Carry out one telecommand packet; the telemetry packets that answer it. Raises nothing, whatever it holds."""
        self._now_s = now_s
        return self._packets(self._answer(packet))

    def frame(self, now_s: float) -> list[bytes]:
        """Once a frame, after the terminal's: telemetry packets of what is due, and of the terminal's events.

        The events stay with the terminal; whoever runs it takes them away before its next frame.
        """
        self._now_s = now_s
        now_us = round(now_s * 1e6)
        reports: list[Report] = []
        due = self._schedule.due(now_us)
        if due and not self._schedule.enabled:
            self._tell(REQUESTS_SKIPPED, len(due), 0)
            due = []
        for packet in due:
            reports += self._answer(packet)
        reports += self._monitoring.frame(now_us)
        reports += self._housekeeping.frame()
        for event in self._terminal.events:
            reports += self._events.reports(event)
        return self._packets(reports)

    def _answer(self, packet: bytes) -> list[Report]:
        acknowledge = Acknowledge.NONE
        try:
            command = parse_telecommand(packet)
            acknowledge = command.acknowledge
            reports = self._carry_out(command)
        except CommandRefused as refusal:
            return self._refuse(packet, acknowledge, refusal.code, refusal)
        except OutOfRange as error:
            return self._refuse(packet, acknowledge, FailureCode.OUT_OF_RANGE, error)
        except FrameError as error:
            return self._refuse(packet, acknowledge, FailureCode.ILLEGAL_DATA, error)
        told = partial(success, command.request, acknowledge)
        return [*told(Stage.ACCEPTANCE, Stage.START), *reports, *told(Stage.COMPLETION)]

    def _carry_out(self, command: Telecommand) -> list[Report]:
        if command.apid != TERMINAL_APID:
            raise CommandRefused(FailureCode.ILLEGAL_APID, f"expected APID {TERMINAL_APID}, found {command.apid}")
        service = self._services.get(command.service)
        if service is None:
            known = ", ".join(map(str, sorted(self._services)))
            raise CommandRefused(FailureCode.UNKNOWN_SERVICE, f"expected a service of {known}, found {command.service}")
        return service.handle(command, round(self._now_s * 1e6))

    def _refuse(self, packet: bytes, acknowledge: Acknowledge, code: FailureCode, why: BeamlockError) -> list[Report]:
        self.refused[code] += 1
        service, subtype = packet[7:9].ljust(2, b"\0")
        sequence_count = int.from_bytes(packet[2:4], "big") % SEQUENCE_COUNTS
        self._tell(COMMAND_REFUSED, service, subtype, sequence_count, code, str(why))
        if code == FailureCode.NOT_STORED:
            self._terminal.miss_storage()
        request = packet[:REQUEST_OCTETS]
        if len(request) < REQUEST_OCTETS:
            # there is nothing to name it by in a report
            return []
        passed = [stage for stage in Stage if stage < stage_of(code)]
        return [*success(request, acknowledge, *passed), failure(request, code)]

    def _tell(self, kind: EventKind, *values: Value) -> None:
        self._terminal.tell(self._now_s, kind, *values)

    def _packets(self, reports: list[Report]) -> list[bytes]:
        time_us = round(self._now_s * 1e6)
        return [self._counter.packet(report, time_us) for report in reports]

    def _keep(self, octets: bytes) -> None:
        if self._store is None:
            return
        try:
            self._store.write(Secret(octets))
        except ConfigError as error:
            raise CommandRefused(FailureCode.NOT_STORED, str(error)) from None

    def _restore(self, store: TwoCopies) -> None:
        try:
            expired = self._schedule.restore(store.contents.reveal(), round(self._now_s * 1e6))
        except FrameError as error:
            raise ConfigError(f"{store.path}: expected the schedule of a terminal, found: {error}") from None
        if expired:
            self._tell(REQUESTS_SKIPPED, expired, 1)
