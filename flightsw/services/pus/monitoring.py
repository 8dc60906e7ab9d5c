"""Service 12, on-board monitoring: ECSS-E-ST-70-41C, clause 6.12. Limits of on-board parameters, with persistence.

A definition checks its parameter once in an interval of frames of 10 ms. Its status changes when as many checks in a
row as its repetition have found the same; each change is an event and part of a check transition report.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import IntEnum

from flightsw.services.declarations import CommandKind, Item, PacketKind, Reader, Value, count, encode
from flightsw.services.events import EventKind, Severity
from flightsw.services.parameters import OnBoardParameters
from flightsw.services.pus.failure import CommandRefused, FailureCode
from flightsw.services.pus.packet import Report
from flightsw.services.pus.service import Service

SERVICE = 12
_ENABLE, _DISABLE, _ADD, _DELETE, _DESCRIBE, _DESCRIPTION, _TRANSITION = 1, 2, 5, 6, 8, 9, 12
_REPORT_STATUS, _STATUSES, _ENABLE_ALL, _DISABLE_ALL = 13, 14, 15, 16
_MOST_DEFINITIONS = 255


class Status(IntEnum):
    """What a definition has found."""

    UNCHECKED = 0
    WITHIN = 1
    BELOW = 2
    ABOVE = 3
    NO_NUMBER = 4


_STATES = tuple(status.name for status in Status)
_MONITOR = Item("monitor", "u2", "", "number of the definition")
_PARAMETER = Item("parameter", "u2", "", "number of an on-board parameter")
_INTERVAL = Item("interval", "u4", "frames", "from one check to the next, in frames of 10 ms", lowest=1)
_REPETITION = Item("repetition", "u1", "", "checks in a row that must agree", lowest=1)
_LOW = Item("low", "f8", "", "the least that is within, in the parameter's unit", lowest=-1e300, highest=1e300)
_HIGH = Item("high", "f8", "", "the most that is within, in the parameter's unit", lowest=-1e300, highest=1e300)
_VALUE = Item("value", "f8", "", "the value that was found last")
_BEFORE = Item("before", "u1", "", "status before", _STATES)
_NOW = Item("now", "u1", "", "status now", _STATES)
_NAME = Item("name", "text", "", "name of the on-board parameter")
_ENABLED = Item("enabled", "u1", "", "whether it is checked", ("DISABLED", "ENABLED"))
_TIME = Item("time", "time", "s", "when, since the epoch")
_COUNT = Item("count", "u1", "", "number of definitions")
_DEFINITION = (_MONITOR, _PARAMETER, _INTERVAL, _REPETITION, _LOW, _HIGH)
_MONITORS = (count("definitions"), _MONITOR)

COMMANDS = (
    CommandKind("MONITOR_ENABLE", SERVICE, _ENABLE, "Check these definitions", _MONITORS),
    CommandKind("MONITOR_DISABLE", SERVICE, _DISABLE, "Check these definitions no more", _MONITORS),
    CommandKind(
        "MONITOR_ADD",
        SERVICE,
        _ADD,
        "Define what is within limits; it is not checked until it is enabled",
        (count("definitions"), *_DEFINITION),
    ),
    CommandKind("MONITOR_DELETE", SERVICE, _DELETE, "Forget definitions that are not enabled", _MONITORS),
    CommandKind("MONITOR_DESCRIBE", SERVICE, _DESCRIBE, "Report definitions", _MONITORS),
    CommandKind("MONITOR_STATUS", SERVICE, _REPORT_STATUS, "Report the status of all definitions"),
    CommandKind("MONITORING_ENABLE", SERVICE, _ENABLE_ALL, "Let monitoring work"),
    CommandKind("MONITORING_DISABLE", SERVICE, _DISABLE_ALL, "Let monitoring rest"),
)
REPORTS = (
    PacketKind(
        "monitor_definitions",
        SERVICE,
        _DESCRIPTION,
        "Definitions of monitoring",
        (_COUNT, Item("members", "octets", "", "each as it was added, and whether it is enabled")),
    ),
    PacketKind(
        "monitor_transition",
        SERVICE,
        _TRANSITION,
        "A definition's status has changed",
        (_COUNT, _MONITOR, _PARAMETER, _VALUE, _BEFORE, _NOW, _TIME),
    ),
    PacketKind(
        "monitor_statuses",
        SERVICE,
        _STATUSES,
        "Statuses of all definitions",
        (_COUNT, Item("members", "octets", "", "number, whether it is enabled and status of each")),
    ),
)
OUT_OF_LIMITS = EventKind(
    30,
    "OUT_OF_LIMITS",
    Severity.MEDIUM,
    "{name} is {value:g}, {now}: monitor {monitor} allows {low:g} to {high:g}",
    (_MONITOR, _NAME, _VALUE, _NOW, _LOW, _HIGH),
)
WITHIN_LIMITS = EventKind(
    31, "WITHIN_LIMITS", Severity.INFO, "{name} is {value:g}, within monitor {monitor}", (_MONITOR, _NAME, _VALUE)
)
EVENTS = (OUT_OF_LIMITS, WITHIN_LIMITS)


@dataclass(slots=True)
class Definition:
    """One definition: what is checked, how often, how many times in a row, and what is within (ends included)."""

    number: int
    parameter: int
    interval: int
    repetition: int
    low: float
    high: float
    enabled: bool = False
    status: Status = Status.UNCHECKED
    found: Status = Status.UNCHECKED  # in the last checks
    times: int = 0  # in a row
    since: int = 0  # frames since the last check

    def rest(self) -> None:
        """Forget what was found."""
        self.status = self.found = Status.UNCHECKED
        self.times = self.since = 0

    def check(self, value: float) -> Status | None:
        """Take a value; the status before if it changes, or None."""
        if math.isnan(value):
            found = Status.NO_NUMBER
        elif value < self.low:
            found = Status.BELOW
        else:
            found = Status.ABOVE if value > self.high else Status.WITHIN
        self.times = min(self.times + 1, self.repetition) if found == self.found else 1
        self.found = found
        if self.times < self.repetition or found == self.status:
            return None
        before, self.status = self.status, found
        return before


class Monitoring(Service):
    """Service 12. tell: takes an event's kind and values."""

    number = SERVICE

    def __init__(self, board: OnBoardParameters, tell: Callable[..., None]) -> None:
        super().__init__(
            {
                _ENABLE: lambda reader: self._switch(reader, True),
                _DISABLE: lambda reader: self._switch(reader, False),
                _ADD: self._add,
                _DELETE: self._delete,
                _DESCRIBE: self._describe,
                _REPORT_STATUS: self._report_statuses,
                _ENABLE_ALL: lambda reader: self._switch_all(reader, True),
                _DISABLE_ALL: lambda reader: self._switch_all(reader, False),
            }
        )
        self._board = board
        self._tell = tell
        self._definitions: dict[int, Definition] = {}
        self.enabled = True

    def frame(self, now_us: int) -> list[Report]:
        """Check what is due, once a frame; reports of what has changed."""
        reports = []
        for definition in self._definitions.values() if self.enabled else ():
            definition.since += 1
            if definition.enabled and definition.since >= definition.interval:
                definition.since = 0
                value = self._board.read(definition.parameter)
                before = definition.check(value)
                # to be found within at the first look is no news
                if before is not None and (before, definition.status) != (Status.UNCHECKED, Status.WITHIN):
                    reports.append(self._transition(definition, value, before, now_us))
        return reports

    def _transition(self, definition: Definition, value: float, before: Status, now_us: int) -> Report:
        number, name, now = definition.number, self._board.item(definition.parameter).name, definition.status
        if now == Status.WITHIN:
            self._tell(WITHIN_LIMITS, number, name, value)
        else:
            self._tell(OUT_OF_LIMITS, number, name, value, now, definition.low, definition.high)
        values: tuple[Value, ...] = (1, number, definition.parameter, value, before, now, now_us)
        items = (_COUNT, _MONITOR, _PARAMETER, _VALUE, _BEFORE, _NOW, _TIME)
        return Report(SERVICE, _TRANSITION, encode(items, values))

    def _add(self, reader: Reader) -> list[Report]:
        fresh: dict[int, Definition] = {}
        for _ in reader.groups():
            number, parameter, interval, repetition = (reader.number(item) for item in _DEFINITION[:4])
            low, high = reader.real(_LOW), reader.real(_HIGH)
            self._board.item(parameter)
            if number in self._definitions or number in fresh:
                raise CommandRefused(FailureCode.UNKNOWN_NUMBER, f"monitor {number} is there already: delete it first")
            if low > high:
                raise CommandRefused(FailureCode.OUT_OF_RANGE, f"expected low <= high, found {low:g} and {high:g}")
            fresh[number] = Definition(number, parameter, interval, repetition, low, high)
        reader.end()
        if len(self._definitions) + len(fresh) > _MOST_DEFINITIONS:
            raise CommandRefused(FailureCode.NO_ROOM, f"there is room for {_MOST_DEFINITIONS} definitions: delete some")
        self._definitions.update(fresh)
        return []

    def _delete(self, reader: Reader) -> list[Report]:
        named = self._named(reader)
        for definition in named:
            if definition.enabled:
                raise CommandRefused(
                    FailureCode.UNKNOWN_NUMBER, f"monitor {definition.number} is enabled: disable it first"
                )
        for definition in named:
            self._definitions.pop(definition.number, None)
        return []

    def _switch(self, reader: Reader, on: bool) -> list[Report]:
        for definition in self._named(reader):
            definition.enabled = on
            definition.rest()
        return []

    def _switch_all(self, reader: Reader, on: bool) -> list[Report]:
        reader.end()
        self.enabled = on
        for definition in self._definitions.values():
            definition.rest()
        return []

    def _describe(self, reader: Reader) -> list[Report]:
        named = self._named(reader)
        listed = [
            encode(
                (*_DEFINITION, _ENABLED), (d.number, d.parameter, d.interval, d.repetition, d.low, d.high, d.enabled)
            )
            for d in named
        ]
        return [Report(SERVICE, _DESCRIPTION, _COUNT.encode(len(named)) + b"".join(listed))]

    def _report_statuses(self, reader: Reader) -> list[Report]:
        reader.end()
        known: Iterable[Definition] = self._definitions.values()
        listed = [encode((_MONITOR, _ENABLED, _NOW), (d.number, d.enabled, d.status)) for d in known]
        return [Report(SERVICE, _STATUSES, _COUNT.encode(len(listed)) + b"".join(listed))]

    def _named(self, reader: Reader) -> list[Definition]:
        """The definitions that a telecommand lists."""
        numbers = [reader.number(_MONITOR) for _ in reader.groups()]
        reader.end()
        for number in numbers:
            if number not in self._definitions:
                raise CommandRefused(FailureCode.UNKNOWN_NUMBER, f"no monitor has the number {number}")
        return [self._definitions[number] for number in numbers]
