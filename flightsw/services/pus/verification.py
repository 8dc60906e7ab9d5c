"""Service 1, request verification: ECSS-E-ST-70-41C, clause 6.1.

Each report names the request by the first 4 octets of its packet. A failure adds a code of one octet.
"""

from enum import IntEnum

from flightsw.services.declarations import Item, PacketKind
from flightsw.services.events import EventKind, Severity
from flightsw.services.pus.failure import FailureCode
from flightsw.services.pus.packet import Acknowledge, Report

SERVICE = 1
REQUEST_OCTETS = 4


class Stage(IntEnum):
    """How far a request has come; the value is the subtype of the report of success, and of failure one more."""

    ACCEPTANCE = 1
    START = 3
    COMPLETION = 7

    @property
    def acknowledge(self) -> Acknowledge:
        """The flag of a telecommand that asks for the report of success."""
        return Acknowledge[self.name]


_REQUEST = (
    Item("request_packet", "u2", "", "first two octets of the telecommand's packet: version, type, flag and APID"),
    Item("request_sequence", "u2", "", "the next two: sequence flags and count"),
)
_CODE = Item("failure_code", "u1", "", "why it was refused", tuple(code.name for code in FailureCode))

REPORTS = tuple(
    kind
    for stage in Stage
    for kind in (
        PacketKind(f"{stage.name.lower()}_succeeded", SERVICE, stage, f"{stage.name.capitalize()} succeeded", _REQUEST),
        PacketKind(
            f"{stage.name.lower()}_failed",
            SERVICE,
            stage + 1,
            f"{stage.name.capitalize()} failed",
            (*_REQUEST, _CODE),
        ),
    )
)

COMMAND_REFUSED = EventKind(
    20,
    "COMMAND_REFUSED",
    Severity.LOW,
    "command {service}.{subtype}, count {sequence_count}, is refused, {failure_code}: {what}",
    (
        Item("service", "u1", "", "its service"),
        Item("subtype", "u1", "", "its message subtype"),
        Item("sequence_count", "u2", "", "its sequence count"),
        _CODE,
        Item("what", "text", "", "what was expected and what was found"),
    ),
)
EVENTS = (COMMAND_REFUSED,)

_STAGES = {
    FailureCode.OUT_OF_RANGE: Stage.START,
    FailureCode.NOT_ALLOWED_IN_MODE: Stage.START,
    FailureCode.EXPIRED: Stage.START,
    FailureCode.UNKNOWN_NUMBER: Stage.START,
    FailureCode.NO_ROOM: Stage.START,
    FailureCode.NOT_STORED: Stage.COMPLETION,
    FailureCode.NOT_DONE: Stage.COMPLETION,
}


def stage_of(code: FailureCode) -> Stage:
    """The stage at which a request fails that is refused with this code: its form counts at its acceptance."""
    return _STAGES.get(code, Stage.ACCEPTANCE)


def success(request: bytes, acknowledge: Acknowledge, *stages: Stage) -> list[Report]:
    """Reports of success of these stages, where they are asked for."""
    return [Report(SERVICE, stage, request) for stage in stages if stage.acknowledge in acknowledge]


def failure(request: bytes, code: FailureCode) -> Report:
    """The report of a failure."""
    return Report(SERVICE, stage_of(code) + 1, request + bytes([code]))
