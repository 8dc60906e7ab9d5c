"""Service 11, time-based scheduling: ECSS-E-ST-70-41C, clause 6.11. Telecommands that are carried out at their time.

A request is told by its source, APID and sequence count. The whole schedule is `octets`, for keeping over a restart:
what is due by then has expired, and is not carried out a second time.
"""

from collections.abc import Callable
from dataclasses import dataclass

from flightsw.errors import FrameError
from flightsw.services.declarations import CommandKind, Item, PacketKind, Reader, count, encode, time_octets
from flightsw.services.events import EventKind, Severity
from flightsw.services.pus.failure import CommandRefused, FailureCode
from flightsw.services.pus.packet import Report, parse_telecommand
from flightsw.services.pus.service import Service

SERVICE = 11
_ENABLE, _DISABLE, _RESET, _INSERT, _DELETE = 1, 2, 3, 4, 5
_DETAILS, _REPORT_DETAILS, _SUMMARY, _REPORT_SUMMARY = 10, 16, 13, 17
#: As many as one report can list, of a size that one packet can hold.
MOST_REQUESTS = 255
LARGEST_REQUEST = 248

_TIME = Item("time", "time", "s", "when it is carried out, since the epoch")
_PACKET = Item("telecommand", "octets", "", "a whole telecommand packet")
_SOURCE = Item("source", "u2", "", "source of the request")
_APID = Item("apid", "u2", "", "APID of the request")
_SEQUENCE = Item("sequence_count", "u2", "", "sequence count of the request")
_COUNT = Item("count", "u1", "", "number of requests")
_ENABLED = Item("enabled", "u1", "", "whether requests are carried out", ("DISABLED", "ENABLED"))
_REQUEST = (_SOURCE, _APID, _SEQUENCE)

COMMANDS = (
    CommandKind("SCHEDULE_ENABLE", SERVICE, _ENABLE, "Carry out what is in the schedule"),
    CommandKind("SCHEDULE_DISABLE", SERVICE, _DISABLE, "Let what is due pass by, until the schedule is enabled again"),
    CommandKind("SCHEDULE_RESET", SERVICE, _RESET, "Empty the schedule and disable it"),
    CommandKind(
        "SCHEDULE_INSERT", SERVICE, _INSERT, "Carry out telecommands later", (count("requests"), _TIME, _PACKET)
    ),
    CommandKind("SCHEDULE_DELETE", SERVICE, _DELETE, "Take requests out", (count("requests"), *_REQUEST)),
    CommandKind("SCHEDULE_DETAILS", SERVICE, _REPORT_DETAILS, "Report all requests with their telecommands"),
    CommandKind("SCHEDULE_SUMMARY", SERVICE, _REPORT_SUMMARY, "Report all requests with their times"),
)
REPORTS = (
    PacketKind(
        "schedule_details",
        SERVICE,
        _DETAILS,
        "Requests of the schedule in order of time",
        (_COUNT, Item("members", "octets", "", "time and telecommand packet of each")),
    ),
    PacketKind(
        "schedule_summary",
        SERVICE,
        _SUMMARY,
        "Requests of the schedule in order of time",
        (_COUNT, Item("members", "octets", "", "time, source, APID and sequence count of each")),
    ),
)
#: What is kept of an empty schedule that is disabled.
EMPTY = bytes(2)

REQUESTS_SKIPPED = EventKind(
    25,
    "REQUESTS_SKIPPED",
    Severity.LOW,
    "{requests} telecommands of the schedule were not carried out: {why}",
    (
        Item("requests", "u1", "", "how many"),
        Item("why", "u1", "", "what kept them", ("THE_SCHEDULE_WAS_DISABLED", "THEY_EXPIRED_BEFORE_THE_RESTART")),
    ),
)
EVENTS = (REQUESTS_SKIPPED,)


@dataclass(frozen=True, slots=True)
class _Request:
    time_us: int
    packet: bytes
    name: tuple[int, int, int]


class Schedule(Service):
    """Service 11. changed: called when what must survive a restart has changed, ahead of the change.

    It gets the `octets` to be; if it raises CommandRefused, nothing changes.
    """

    number = SERVICE

    def __init__(self, changed: Callable[[bytes], None]) -> None:
        super().__init__(
            {
                _ENABLE: lambda reader: self._switch(reader, True),
                _DISABLE: lambda reader: self._switch(reader, False),
                _RESET: self._reset,
                _INSERT: self._insert,
                _DELETE: self._delete,
                _REPORT_DETAILS: self._details,
                _REPORT_SUMMARY: self._summary,
            }
        )
        self._changed = changed
        self._requests: list[_Request] = []
        self.enabled = False

    def __len__(self) -> int:
        return len(self._requests)

    def restore(self, octets: bytes, now_us: int) -> int:
        """Take over a schedule that was kept; how many of its requests have expired, and are left out.

        Raises FrameError for octets that are no schedule.
        """
        reader = Reader(octets)
        self.enabled = bool(reader.number(_ENABLED))
        kept = [_request(reader) for _ in range(reader.number(_COUNT))]
        reader.end()
        self._requests = [request for request in kept if request.time_us > now_us]
        return len(kept) - len(self._requests)

    def due(self, now_us: int) -> list[bytes]:
        """Telecommands whose time has come, in order of time, taken out; to be carried out if `enabled`."""
        if not self._requests or self._requests[0].time_us > now_us:
            return []
        ready = [request.packet for request in self._requests if request.time_us <= now_us]
        del self._requests[: len(ready)]
        return ready

    def _change(self, enabled: bool, requests: list[_Request]) -> None:
        octets = _ENABLED.encode(enabled) + _COUNT.encode(len(requests))
        self._changed(octets + b"".join([time_octets(request.time_us) + request.packet for request in requests]))
        self.enabled, self._requests = enabled, requests

    def _switch(self, reader: Reader, on: bool) -> list[Report]:
        reader.end()
        self._change(on, self._requests)
        return []

    def _reset(self, reader: Reader) -> list[Report]:
        reader.end()
        self._change(False, [])
        return []

    def _insert(self, reader: Reader) -> list[Report]:
        fresh = [_request(reader) for _ in reader.groups()]
        reader.end()
        for request in fresh:
            if request.time_us <= self.now_us:
                late_s = (self.now_us - request.time_us) * 1e-6
                raise CommandRefused(
                    FailureCode.EXPIRED,
                    f"expected a time after {self.now_us * 1e-6:.6f} s, found one {late_s:.6f} s earlier",
                )
        names = [request.name for request in (*self._requests, *fresh)]
        if len(set(names)) < len(names):
            raise CommandRefused(
                FailureCode.UNKNOWN_NUMBER, "a request of that source, APID and count is there already"
            )
        if len(names) > MOST_REQUESTS:
            raise CommandRefused(FailureCode.NO_ROOM, f"expected at most {MOST_REQUESTS} requests, found {len(names)}")
        self._change(self.enabled, sorted([*self._requests, *fresh], key=lambda request: request.time_us))
        return []

    def _delete(self, reader: Reader) -> list[Report]:
        wanted = {(reader.number(_SOURCE), reader.number(_APID), reader.number(_SEQUENCE)) for _ in reader.groups()}
        reader.end()
        if unknown := wanted - {request.name for request in self._requests}:
            source, apid, sequence_count = min(unknown)
            raise CommandRefused(
                FailureCode.UNKNOWN_NUMBER,
                f"no request of source {source}, APID {apid} and count {sequence_count} is in the schedule",
            )
        self._change(self.enabled, [request for request in self._requests if request.name not in wanted])
        return []

    def _details(self, reader: Reader) -> list[Report]:
        reader.end()
        listed = b"".join([time_octets(request.time_us) + request.packet for request in self._requests])
        return [Report(SERVICE, _DETAILS, _COUNT.encode(len(self._requests)) + listed)]

    def _summary(self, reader: Reader) -> list[Report]:
        reader.end()
        listed = b"".join([encode((_TIME, *_REQUEST), (request.time_us, *request.name)) for request in self._requests])
        return [Report(SERVICE, _SUMMARY, _COUNT.encode(len(self._requests)) + listed)]


def _request(reader: Reader) -> _Request:
    """The next time and telecommand. Raises FrameError, also where the telecommand itself would be refused."""
    time_us = reader.number(_TIME)
    packet = reader.packet(_PACKET, LARGEST_REQUEST)
    try:
        command = parse_telecommand(packet)
    except CommandRefused as error:
        raise FrameError("telecommand in the schedule", expected="a whole one", found=str(error)) from None
    return _Request(time_us, packet, (command.source, command.apid, command.sequence_count))
