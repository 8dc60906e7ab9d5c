"""Service 5, event reporting: ECSS-E-ST-70-41C, clause 6.5. The subtype of a report is the severity of its event."""

from collections.abc import Mapping

from flightsw.services.declarations import CommandKind, Item, PacketKind, Reader, count, encode
from flightsw.services.events import Event, EventKind
from flightsw.services.pus.failure import CommandRefused, FailureCode
from flightsw.services.pus.packet import Report
from flightsw.services.pus.service import Service

SERVICE = 5
_ENABLE, _DISABLE, _DESCRIBE, _DISABLED = 5, 6, 7, 8

EVENT = Item("event", "u2", "", "number of the event")
_EVENTS = (count("events"), EVENT)
_COUNT = Item("count", "u1", "", "number of events")

COMMANDS = (
    CommandKind("EVENT_ENABLE", SERVICE, _ENABLE, "Report events of these kinds again", _EVENTS),
    CommandKind("EVENT_DISABLE", SERVICE, _DISABLE, "Report events of these kinds no more", _EVENTS),
    CommandKind("EVENT_LIST_DISABLED", SERVICE, _DESCRIBE, "Report which events are disabled"),
)
REPORTS = (
    PacketKind(
        "events_disabled",
        SERVICE,
        _DISABLED,
        "Events that are not reported",
        (_COUNT, Item("members", "octets", "", "their numbers")),
    ),
)


class EventReporting(Service):
    """Service 5, of the kinds of event by name."""

    number = SERVICE

    def __init__(self, kinds: Mapping[str, EventKind]) -> None:
        super().__init__(
            {
                _ENABLE: lambda reader: self._switch(reader, True),
                _DISABLE: lambda reader: self._switch(reader, False),
                _DESCRIBE: self._describe,
            }
        )
        self._kinds = kinds
        self._numbers = {kind.number for kind in kinds.values()}
        self._disabled: set[int] = set()

    def reports(self, event: Event) -> list[Report]:
        """The report of an event, or none if its kind is disabled."""
        kind = self._kinds[event.name]
        return [] if kind.number in self._disabled else [report(kind, event)]

    def _switch(self, reader: Reader, on: bool) -> list[Report]:
        numbers = {reader.number(EVENT) for _ in reader.groups()}
        reader.end()
        if unknown := numbers - self._numbers:
            raise CommandRefused(FailureCode.UNKNOWN_NUMBER, f"no event has the number {min(unknown)}")
        self._disabled = self._disabled - numbers if on else self._disabled | numbers
        return []

    def _describe(self, reader: Reader) -> list[Report]:
        reader.end()
        numbers = sorted(self._disabled)
        return [
            Report(SERVICE, _DISABLED, encode([_COUNT, *[EVENT for _ in numbers]], [len(numbers), *numbers])),
        ]


def report(kind: EventKind, event: Event) -> Report:
    """The report of an event of this kind: its number, then its arguments."""
    return Report(SERVICE, event.severity, EVENT.encode(kind.number) + kind.encode(event))
