"""A device's traffic played back: a transport that answers as the device did, and compares what is written.

A `DeviceLink` that has the playback's `connect` and `clock_ns`, and is asked the same, does what it did when
`hil.traffic` logged it, octet for octet. If the flight software asks something else, that is a difference: it is kept,
and the device answers as it did all the same.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from flightsw.ccsds.space_packet import Packet
from flightsw.errors import DeviceDisconnected
from hil.framing import packet_reader
from hil.protocol import MessageError, decode
from hil.traffic import Operation, What
from hil.transports import Framing, Transport

#: Differences that are kept in full; all are counted.
DIFFERENCES_KEPT = 10
#: Octets of a message that are shown to people.
_SHOWN_OCTETS = 64
#: What a read that finds nothing takes at least, so that whoever waits comes to an end.
_SHORTEST_WAIT_NS = 1_000_000


class Difference(NamedTuple):
    """A call that is not as it was: the recorded time in ns, what was recorded, and what was done."""

    time_ns: int
    expected: str
    found: str

    def __str__(self) -> str:
        return f"at {self.time_ns * 1e-9:.6f} s: expected {self.expected}, found {self.found}"


class Playback:
    """Plays the traffic of one device.

    Attributes:
        differences: the first `DIFFERENCES_KEPT` of them.
        difference_count: all of them.
    """

    def __init__(self, operations: Iterable[Operation]) -> None:
        self.differences: list[Difference] = []
        self.difference_count = 0
        self._operations = deque(operations)
        self._last_ns = self._operations[0].time_ns if self._operations else 0
        self._waited_ns = 0
        self._just_read = False

    @property
    def is_over(self) -> bool:
        """Whether all that was recorded is played."""
        return not self._operations

    def clock_ns(self) -> int:
        """Time for the link: that which `TrafficLog.clock_ns` told at this place."""
        time_ns = self._last_ns
        if self._just_read:
            self._just_read = False
        elif self._operations and self._operations[0].what is not What.READ:
            time_ns = self._operations[0].time_ns
        return time_ns + self._waited_ns

    def connect(self) -> Transport:
        """The next transport that was opened.

        Raises the error where opening it failed, and DeviceDisconnected at the end of the recording.
        """
        left_out = 0
        while self._operations and self._operations[0].what in (What.READ, What.WRITE):
            self._operations.popleft()
            left_out += 1
        if left_out:
            self._differ(f"{left_out} reads and writes before it", "the device opened again")
        operation = self._take(0)
        if operation.what is What.FAILED:
            raise operation.failed()
        return _PlayedTransport(self, *operation.opened())

    def _read(self, timeout_s: float) -> bytes:
        if self._operations and self._operations[0].what in (What.WRITE, What.OPENED):
            self._waited_ns += max(round(timeout_s * 1e9), _SHORTEST_WAIT_NS)
            return b""
        operation = self._take(0)
        if operation.what is What.FAILED:
            raise operation.failed()
        self._just_read = True
        return operation.octets

    def _write(self, octets: bytes, framing: Framing) -> None:
        # what was read before it, and is not yet, is still to be read
        place = next((i for i, operation in enumerate(self._operations) if operation.what is not What.READ), -1)
        if place >= 0 and self._operations[place].what is What.OPENED:
            self._differ("the device opened again", _told(octets, framing))
            return
        operation = self._take(place)
        if operation.what is What.FAILED:
            raise operation.failed()
        expected = operation.octets
        if octets != expected and _compared(octets, framing) != _compared(expected, framing):
            self._differ(_told(expected, framing), _told(octets, framing))

    def _take(self, place: int) -> Operation:
        if not self._operations or place < 0:
            raise DeviceDisconnected("replay: expected more traffic, found none: the recording ends here")
        operation = self._operations[place]
        del self._operations[place]
        self._last_ns = operation.time_ns
        self._waited_ns = 0
        self._just_read = False
        return operation

    def _differ(self, expected: str, found: str) -> None:
        self.difference_count += 1
        if len(self.differences) < DIFFERENCES_KEPT:
            self.differences.append(Difference(self._last_ns, expected, found))


class _PlayedTransport:
    """One connection of a recording."""

    def __init__(self, playback: Playback, framing: Framing, name: str) -> None:
        self.name = name
        self.framing = framing
        self._playback = playback

    def write(self, octets: bytes) -> None:
        self._playback._write(octets, self.framing)

    def read(self, timeout_s: float) -> bytes:
        return self._playback._read(timeout_s)

    def close(self) -> None:
        """A recording has nothing to let go of."""


def _compared(octets: bytes, framing: Framing) -> Sequence[Packet | bytes]:
    """What of a write has to be as it was: its packets but for their time, or what is there instead of packets."""
    packets = packet_reader(framing).push(octets)
    return [packet._replace(time_us=0) for packet in packets] or [octets]


def _told(octets: bytes, framing: Framing) -> str:
    """A write, for people."""
    packets = packet_reader(framing).push(octets)
    return "; ".join(map(_message, packets)) or f"octets that are no packet, {_hex(octets)}"


def _message(packet: Packet) -> str:
    try:
        message = decode(packet)
    except MessageError:
        what = f"no message, {_hex(packet.data)}"
    else:
        name = type(message).__name__.upper()
        fields = message._asdict().items()
        what = " ".join([name, *(f"{key} {_hex(v) if isinstance(v, bytes) else v}" for key, v in fields)])
    return f"packet {packet.sequence_count}: {what}"


def _hex(octets: bytes) -> str:
    shown = octets[:_SHOWN_OCTETS].hex() or "none"
    return shown if len(octets) <= _SHOWN_OCTETS else f"{shown}... ({len(octets)} octets)"
