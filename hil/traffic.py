"""What went over the line of one device, call by call, in order: the log behind record and replay.

An operation is one call of the host on the device's transport. `OPERATION` declares how it is written, 12 octets before
its own; what runs is `struct`. A log is operations end to end.

| what | its octets |
| --- | --- |
| WRITE | what was written |
| READ | what was read, none if the time ran out |
| OPENED | framing and name of the transport that `connect` made, as `stream pty:/dev/pts/3` |
| FAILED | class and text of the error that a call raised, as `DeviceTimeout pty:/dev/pts/3: expected ...` |

Time tags are the very times that the link was told, if its clock is the log's `clock_ns`: a link that is told them
again, by `hil.replay`, decides again as it did.
"""

import struct
from collections.abc import Callable
from enum import IntEnum
from typing import NamedTuple

from construct import BitsInteger, BitStruct, Bytes, Int64sb, Struct, this

from flightsw import errors
from flightsw.errors import BeamlockError, ProtocolError
from hil.transports import Framing, Transport

OPERATION = Struct(
    "time_ns" / Int64sb,
    "head" / BitStruct("what" / BitsInteger(2), "length" / BitsInteger(30)),
    "octets" / Bytes(this.head.length),
)

_HEAD = struct.Struct(">qI")
_LENGTH_BITS = 30
_LENGTH = (1 << _LENGTH_BITS) - 1
#: Errors that a transport, or making one, raises.
_ERRORS: dict[str, type[BeamlockError]] = {
    error.__name__: error
    for error in (
        errors.ConfigError,
        errors.DeviceError,
        errors.DeviceNotFound,
        errors.DeviceAccess,
        errors.DeviceDisconnected,
        errors.DeviceTimeout,
    )
}


class What(IntEnum):
    """What a call did."""

    WRITE = 0
    READ = 1
    OPENED = 2
    FAILED = 3


_WRITE, _READ, _OPENED, _FAILED = (what << _LENGTH_BITS for what in What)


class Operation(NamedTuple):
    """One call, with its time in ns on the log's clock."""

    time_ns: int
    what: What
    octets: bytes

    def opened(self) -> tuple[Framing, str]:
        """Framing and name of the transport. Raises ProtocolError unless this is an OPENED that makes sense."""
        word, text = self._words(What.OPENED)
        try:
            return Framing(word), text
        except ValueError:
            raise _wrong(f"the framing {' or '.join(f.value for f in Framing)}", repr(word)) from None

    def failed(self) -> BeamlockError:
        """The error. Raises ProtocolError unless this is a FAILED that makes sense."""
        word, text = self._words(What.FAILED)
        if word not in _ERRORS:
            raise _wrong(f"an error of {', '.join(_ERRORS)}", repr(word))
        return _ERRORS[word](text)

    def _words(self, what: What) -> tuple[str, str]:
        if self.what is not what:
            raise _wrong(what.name, self.what.name)
        try:
            word, _, text = self.octets.decode().partition(" ")
        except UnicodeDecodeError as error:
            raise _wrong(f"{what.name} with UTF-8", f"octet {self.octets[error.start]:#04x}") from None
        return word, text


class TrafficLog:
    """Logs one device's transports, one after the other."""

    def __init__(self, clock_ns: Callable[[], int]) -> None:
        self._clock_ns = clock_ns
        self._log = bytearray()
        self._told_ns: int | None = None
        self._read_ns: int | None = None

    def clock_ns(self) -> int:
        """Time for the link: just after a read its tag, else now, which becomes the tag of a write that follows."""
        time_ns = self._read_ns
        if time_ns is None:
            time_ns = self._told_ns = self._clock_ns()
        else:
            self._read_ns = None
        return time_ns

    def wrap(self, connect: Callable[[], Transport]) -> Callable[[], Transport]:
        """`connect` whose transports are logged."""

        def logged() -> Transport:
            try:
                transport = connect()
            except BeamlockError as error:
                self._failed(error)
                raise
            self._opened(transport)
            return _LoggedTransport(transport, self)

        return logged

    def take(self) -> bytes:
        """The operations since the last call, as `decode` takes them."""
        octets = bytes(self._log)
        self._log.clear()
        return octets

    def _wrote(self, octets: bytes) -> None:
        self._add(_WRITE, octets)

    def _did_read(self, octets: bytes) -> None:
        self._told_ns = None
        self._read_ns = time_ns = self._clock_ns()
        self._log += _HEAD.pack(time_ns, _READ | len(octets)) + octets

    def _opened(self, transport: Transport) -> None:
        self._add(_OPENED, f"{transport.framing.value} {transport.name}".encode(errors="replace"))

    def _failed(self, error: BeamlockError) -> None:
        self._add(_FAILED, f"{type(error).__name__} {error}".encode(errors="replace"))

    def _add(self, what: int, octets: bytes) -> None:
        time_ns = self._told_ns
        self._told_ns = self._read_ns = None
        self._log += _HEAD.pack(self._clock_ns() if time_ns is None else time_ns, what | len(octets)) + octets


class _LoggedTransport:
    """A transport that tells a log what it does."""

    __slots__ = ("_log", "_transport", "framing", "name")

    def __init__(self, transport: Transport, log: TrafficLog) -> None:
        self.name = transport.name
        self.framing = transport.framing
        self._transport = transport
        self._log = log

    def write(self, octets: bytes) -> None:
        try:
            self._transport.write(octets)
        except BeamlockError as error:
            self._log._failed(error)
            raise
        self._log._wrote(octets)

    def read(self, timeout_s: float) -> bytes:
        try:
            octets = self._transport.read(timeout_s)
        except BeamlockError as error:
            self._log._failed(error)
            raise
        self._log._did_read(octets)
        return octets

    def close(self) -> None:
        self._transport.close()


def decode(octets: bytes) -> list[Operation]:
    """The operations of a log. Raises ProtocolError for octets that are none."""
    operations: list[Operation] = []
    at = 0
    while at < len(octets):
        begin = at + _HEAD.size
        if begin > len(octets):
            raise _wrong(f"{_HEAD.size} octets at {at}", len(octets) - at)
        time_ns, head = _HEAD.unpack_from(octets, at)
        at = begin + (head & _LENGTH)
        if at > len(octets):
            raise _wrong(f"{head & _LENGTH} octets at {begin}", len(octets) - begin)
        operation = Operation(time_ns, _WHATS[head >> _LENGTH_BITS], octets[begin:at])
        if operation.what is What.OPENED:
            operation.opened()
        elif operation.what is What.FAILED:
            operation.failed()
        operations.append(operation)
    return operations


_WHATS = tuple(What)


def _wrong(expected: str, found: object) -> ProtocolError:
    return ProtocolError(f"traffic of a device: expected {expected}, found {found}: is the record whole?")
