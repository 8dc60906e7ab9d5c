"""Events: what a terminal reports when something happens, for an operator to read."""

from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from flightsw.services.declarations import Item, Value, decode, encode


class Severity(IntEnum):
    """ECSS-E-ST-70-41C, 6.5.2: informative, and low, medium and high severity anomaly; the subtype of its report."""

    INFO = 1
    LOW = 2
    MEDIUM = 3
    HIGH = 4


class Event(NamedTuple):
    """One event. `name` is a fixed identifier, `text` says what happened with the numbers of this time, `values`.

    An event of a kind with a text alone may come without values.
    """

    time_s: float
    severity: Severity
    name: str
    text: str
    values: tuple[Value, ...] = ()


@dataclass(frozen=True)
class EventKind:
    """One kind of event: its number, name, severity, the template of its message, and the arguments in that.

    The template is one of str.format; arguments with states stand in it by their states' names. Some kinds are graver
    at one time than at another: then the severity is that of most times.
    """

    number: int
    name: str
    severity: Severity
    template: str
    arguments: tuple[Item, ...] = ()

    def at(self, time_s: float, *values: Value, severity: Severity | None = None) -> Event:
        """An event of this kind, with its values rounded to what its packet can hold.

        Raises FrameError for a value that does not fit.
        """
        return self.told(time_s, encode(self.arguments, values), self.severity if severity is None else severity)

    def told(self, time_s: float, octets: bytes, severity: Severity) -> Event:
        """The event whose arguments these octets are. Raises FrameError where they are of another kind."""
        values = decode(self.arguments, octets)
        for item, value in zip(self.arguments, values, strict=True):
            if item.states:
                item.require(value)
        shown = {
            item.name: item.states[int(value)] if item.states else value
            for item, value in zip(self.arguments, values, strict=True)
        }
        return Event(time_s, severity, self.name, self.template.format_map(shown), values)

    def encode(self, event: Event) -> bytes:
        """Octets of an event's arguments."""
        return encode(self.arguments, event.values or (event.text,) * len(self.arguments))


def _told(number: int, name: str, severity: Severity, meaning: str) -> EventKind:
    return EventKind(number, name, severity, "{what}", (Item("what", "text", "", meaning),))


#: What those who look after the devices tell of them; the text is theirs.
DEVICE_LOST = _told(10, "DEVICE_LOST", Severity.MEDIUM, "the device, and why it counts as lost")
DEVICE_BACK = _told(11, "DEVICE_BACK", Severity.INFO, "the device that answers again")
DEVICE_REFUSED = _told(12, "DEVICE_REFUSED", Severity.LOW, "the device, and what it does not take")
FAULT = _told(13, "FAULT", Severity.INFO, "the fault that a test puts on the line of a device")

EVENTS = (DEVICE_LOST, DEVICE_BACK, DEVICE_REFUSED, FAULT)
