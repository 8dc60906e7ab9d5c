"""What a spacecraft told: the latest value of each item, their past, its events, and reports in words.

Items are those of housekeeping and the parameters, by name. A structure that an operator has defined is known once its
description has come: `HOUSEKEEPING_DESCRIBE`.
"""

from collections import deque
from collections.abc import Callable, Sequence
from functools import partial

from flightsw.errors import FrameError
from flightsw.operations import HOUSEKEEPING_STRUCTURE
from flightsw.services.declarations import Item, PacketKind, Reader, Value
from flightsw.services.dictionary import COMMANDS, EVENTS, PACKETS, STATUS_ITEMS
from flightsw.services.events import Event, Severity
from flightsw.services.pus import event_reporting, housekeeping
from flightsw.services.pus.packet import Telemetry, parse_telecommand
from flightsw.services.pus.schedule import LARGEST_REQUEST
from hil.ground.client.telecommand import NUMBERED, described, shown

#: Values of an item that are kept: ten minutes at ten a second.
_KEPT = 6000
_EVENTS_KEPT = 1000

ITEMS: dict[str, Item] = {item.name: item for item in NUMBERED.values()}

_EVENT_KINDS = {kind.number: kind for kind in EVENTS.values()}
_PACKET_KINDS = {(kind.service, kind.subtype): kind for kind in PACKETS}
_BY_NAME = {kind.name: kind for kind in PACKETS}
_STRUCTURE, _ENABLED, _INTERVAL, _COUNT, _ = _BY_NAME["housekeeping_structure"].items
_TRANSITION = {item.name: item for item in _BY_NAME["monitor_transition"].items}
_TIME, _PACKET = COMMANDS["SCHEDULE_INSERT"].asked
(_PARAMETER,) = COMMANDS["GET_PARAMETER"].asked
#: What stands again and again in the reports that are lists.
_ROWS: dict[str, tuple[Item, ...]] = {
    "events_disabled": COMMANDS["EVENT_DISABLE"].asked,
    "schedule_summary": (_TIME, *COMMANDS["SCHEDULE_DELETE"].asked),
    "monitor_definitions": (*COMMANDS["MONITOR_ADD"].asked, _ENABLED),
    "monitor_statuses": (_TRANSITION["monitor"], _ENABLED, _TRANSITION["now"]),
}


class Archive:
    """What one spacecraft told.

    Attributes:
        now_s: the time on board of the last packet.
        values: latest value of each item by name.
        past: time and value of numbers and states by name, oldest first.
        events: the last ones.
    """

    def __init__(self) -> None:
        self.now_s: float | None = None
        self.values: dict[str, Value] = {}
        self.past: dict[str, deque[tuple[float, float]]] = {}
        self.events: deque[Event] = deque(maxlen=_EVENTS_KEPT)
        self._structures: dict[int, list[Item]] = {HOUSEKEEPING_STRUCTURE: list(STATUS_ITEMS.values())}
        self._unknown: set[int] = set()

    def begin(self) -> None:
        """Forget the time and the latest values, which may be of another run."""
        self.now_s = None
        self.values.clear()

    def take(self, telemetry: Telemetry) -> tuple[Severity, str] | None:
        """Take in a packet of any service but 1; what an operator should read of it, with how grave that is.

        Raises FrameError for one that is not as the dictionary has it.
        """
        self.now_s = telemetry.time_us * 1e-6
        reader = Reader(telemetry.data)
        if telemetry.service == event_reporting.SERVICE and telemetry.subtype in list(Severity):
            return self._event(telemetry, reader)
        if (telemetry.service, telemetry.subtype) == (housekeeping.SERVICE, housekeeping.REPORT):
            return self._structure(reader)
        kind = _PACKET_KINDS.get((telemetry.service, telemetry.subtype))
        if kind is None:
            raise FrameError("telemetry", expected="a packet of the dictionary", found=telemetry[:2])
        return Severity.INFO, f"{kind.meaning}: {self._words(kind, reader) or 'none'}" if kind.items else kind.meaning

    def _words(self, kind: PacketKind, reader: Reader) -> str:
        if kind.name == "housekeeping_structure":
            return self._description(reader)
        if kind.items[-1].kind != "octets":
            return _row(kind.items, reader)
        row: Callable[[], str] = partial(_row, _ROWS.get(kind.name, ()), reader)
        if kind.name == "parameter_values":
            row = partial(self._parameter, reader)
        elif kind.name == "schedule_details":
            row = partial(_request, reader)
        return "; ".join([row() for _ in range(reader.number(_COUNT))])

    def _keep(self, item: Item, value: Value) -> None:
        assert self.now_s is not None
        self.values[item.name] = value
        if isinstance(value, int | float):
            past = self.past.setdefault(item.name, deque(maxlen=_KEPT))
            if past and past[-1][0] > self.now_s:
                # another run has begun
                past.clear()
            past.append((self.now_s, float(value)))

    def _event(self, telemetry: Telemetry, reader: Reader) -> tuple[Severity, str]:
        kind = _EVENT_KINDS.get(reader.number(event_reporting.EVENT))
        if kind is None:
            raise FrameError("event", expected="one of the dictionary", found=telemetry.data[:2].hex())
        event = kind.told(telemetry.time_us * 1e-6, telemetry.data[2:], Severity(telemetry.subtype))
        self.events.append(event)
        return event.severity, f"{event.name}: {event.text}"

    def _structure(self, reader: Reader) -> tuple[Severity, str] | None:
        number = reader.number(_STRUCTURE)
        items = self._structures.get(number)
        if items is None:
            if number in self._unknown:
                return None
            self._unknown.add(number)
            return Severity.LOW, f"structure {number} is not known here: HOUSEKEEPING_DESCRIBE {number} asks for it"
        for item in items:
            self._keep(item, reader.take(item))
        return None

    def _description(self, reader: Reader) -> str:
        number, enabled, interval = reader.number(_STRUCTURE), reader.number(_ENABLED), reader.number(_INTERVAL)
        members = [_numbered(reader) for _ in range(reader.number(_COUNT))]
        self._structures[number] = members
        names = ", ".join(item.name for item in members)
        return f"structure {number}, {_ENABLED.states[enabled]}, every {interval} frames: {names}"

    def _parameter(self, reader: Reader) -> str:
        item = _numbered(reader)
        value = reader.take(item)
        self._keep(item, value)
        return f"{item.name} {shown(item, value)}"


def _numbered(reader: Reader) -> Item:
    number = reader.number(_PARAMETER)
    if number not in NUMBERED:
        raise FrameError("on-board parameter", expected="one of the dictionary", found=number)
    return NUMBERED[number]


def _row(items: Sequence[Item], reader: Reader) -> str:
    return ", ".join([f"{item.name} {shown(item, reader.take(item))}" for item in items])


def _request(reader: Reader) -> str:
    at = shown(_TIME, reader.take(_TIME))
    return f"{at} {described(parse_telecommand(reader.packet(_PACKET, LARGEST_REQUEST)))}"
