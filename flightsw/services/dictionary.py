"""The dictionary: every telemetry packet, event, command and parameter of a terminal, gathered from where it belongs.

What follows from it: the layouts that the recorder writes and the services check, `beamlock dictionary`, its XTCE
(`hil.xtce`) and `docs/dictionary.md` (`hil.dictionary_reference`).
"""

from flightsw import operations
from flightsw.operations import FINE_SAMPLES, HOUSEKEEPING, PARAMETERS
from flightsw.services import events, ground_operations
from flightsw.services.declarations import CommandKind, Item, PacketKind
from flightsw.services.events import EventKind
from flightsw.services.pus import (
    connection_test,
    event_reporting,
    housekeeping,
    monitoring,
    parameter_management,
    schedule,
    verification,
)

__all__ = [
    "COMMANDS",
    "EVENTS",
    "FINE_SAMPLES",
    "HOUSEKEEPING",
    "PACKETS",
    "PARAMETERS",
    "STATUS_ITEMS",
    "CommandKind",
    "EventKind",
    "Item",
    "PacketKind",
]

#: Items of the terminal's status by their number among the on-board parameters; those of parameters begin at 257.
STATUS_ITEMS: dict[int, Item] = dict(enumerate(HOUSEKEEPING.items, 1))

PACKETS: tuple[PacketKind, ...] = (
    *operations.PACKETS,
    *verification.REPORTS,
    *housekeeping.REPORTS,
    *event_reporting.REPORTS,
    *schedule.REPORTS,
    *monitoring.REPORTS,
    *connection_test.REPORTS,
    *parameter_management.REPORTS,
)

#: Kinds of event by name.
EVENTS: dict[str, EventKind] = {
    kind.name: kind
    for kinds in (
        operations.EVENTS,
        events.EVENTS,
        verification.EVENTS,
        schedule.EVENTS,
        monitoring.EVENTS,
        ground_operations.EVENTS,
    )
    for kind in kinds
}

#: Commands by name.
COMMANDS: dict[str, CommandKind] = {
    kind.name: kind
    for kinds in (
        operations.FUNCTIONS,
        ground_operations.FUNCTIONS,
        parameter_management.setters(PARAMETERS),
        parameter_management.COMMANDS,
        housekeeping.COMMANDS,
        event_reporting.COMMANDS,
        schedule.COMMANDS,
        monitoring.COMMANDS,
        connection_test.COMMANDS,
    )
    for kind in kinds
}
