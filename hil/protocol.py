"""The wire protocol between the host and its devices: messages, one a space packet. `docs/protocol.md` describes it.

| octets | what |
| --- | --- |
| 6 | primary header of the space packet; the APID is the kind of device, packet type 1 goes to the device |
| 8 | time in microseconds on the sender's clock |
| 1 | message id |
| n | body, big-endian, as `BODIES` declares it |
| 2 | CRC-16 of all that is before it |

The declarations are construct's; what runs is `struct`, compiled from them. How packets go over a line is in
`hil.framing`, what the octets in DATA, SAMPLES and STIMULUS mean for each kind of device in `hil.bodies`.
"""

import struct
from enum import IntEnum, IntFlag
from typing import Any, NamedTuple

from construct import (
    Bytes,
    Checksum,
    Construct,
    FixedSized,
    FormatField,
    GreedyBytes,
    GreedyString,
    Int8ub,
    Int16ub,
    Int32ub,
    Int64ub,
    RawCopy,
    Struct,
    Switch,
    this,
)

from flightsw.ccsds import space_packet
from flightsw.ccsds.coding.crc import crc16
from flightsw.ccsds.space_packet import Packet
from flightsw.errors import ProtocolError

PROTOCOL_VERSION = 1
ERROR_TEXT_LARGEST = 120
UNIQUE_ID_OCTETS = 8

#: A reply's id is that of its request with this bit set.
REPLY = 0x80

#: Flags of DATA and SAMPLES: which part of a frame the octets are, and whether samples are missing before them.
FIRST = 1
LAST = 2
OVERRUN = 4
WHOLE = FIRST | LAST


class Kind(IntEnum):
    """Kinds of device; the value is the APID of their packets."""

    STEERING_MIRROR = 0x101
    QUAD_CELL = 0x102
    GIMBAL = 0x103
    CAMERA = 0x104
    LASER = 0x105
    ENCODER = 0x106
    FINE_LOOP = 0x107
    POINT_AHEAD = 0x108

    @property
    def label(self) -> str:
        """The kind's name in bench files and messages."""
        return self.name.lower()

    @property
    def octet(self) -> int:
        """The kind as HELLO's reply has it."""
        return self & 0xFF


def kind_name(octet: int) -> str:
    """Name of the kind that HELLO's reply gives as one octet, or the octet itself where no kind has it."""
    return next((kind.label for kind in Kind if kind.octet == octet), f"device of unknown kind {octet:#04x}")


class Capability(IntFlag):
    """What a device can do beyond its kind's duty."""

    STREAM = 1  #: sends SAMPLES by itself once STREAM has switched them on
    STIMULUS = 2  #: is an emulator, and takes what the world shows it


class Status(IntFlag):
    """Status octet of a heartbeat; bits 3 to 7 belong to the kind of device."""

    FAULT = 1
    STREAMING = 2
    OVERRUN = 4  #: samples or input were lost since the last heartbeat


class ErrorCode(IntEnum):
    """Why a message was refused."""

    UNKNOWN_MESSAGE = 1
    BAD_LENGTH = 2
    NO_SUCH_REGISTER = 3
    READ_ONLY = 4
    OUT_OF_RANGE = 5
    BUSY = 6
    HARDWARE_FAULT = 7
    WRONG_PROTOCOL_VERSION = 8


class MessageError(ProtocolError):
    """A message that its receiver does not take.

    The receiver raises it, a device sends it back as ERROR, and the host raises it again where it asked.

    Attributes:
        code: an ErrorCode, or a number that this version of the protocol does not know.
        text: what was expected and found.
    """

    def __init__(self, code: int, text: str, where: str = "") -> None:
        name = ErrorCode(code).name.lower().replace("_", " ") if code in _CODES else f"code {code}"
        super().__init__(f"{where}{': ' if where else ''}{name}: {text}")
        self.code = code
        self.text = text


_CODES = frozenset(ErrorCode)


class Hello(NamedTuple):
    """Who is there?"""

    protocol: int = PROTOCOL_VERSION


class Identity(NamedTuple):
    """Reply to Hello; kind is the low octet of the APID, unique_id 8 octets that no other device has."""

    protocol: int
    kind: int
    major: int
    minor: int
    patch: int
    capabilities: int
    unique_id: bytes


class Read(NamedTuple):
    """Ask for a register."""

    address: int


class Value(NamedTuple):
    """Reply to Read."""

    address: int
    value: int


class Write(NamedTuple):
    """Set a register. A register is a state: writing it twice is writing it once."""

    address: int
    value: int


class Written(NamedTuple):
    """Reply to Write: the value as it now stands."""

    address: int
    value: int


class Data(NamedTuple):
    """Octets for the device; flags are of FIRST and LAST."""

    flags: int
    octets: bytes


class Accepted(NamedTuple):
    """Reply to Data: free octets in the device's input buffer."""

    room: int


class Heartbeat(NamedTuple):
    """Are you alive?"""


class Alive(NamedTuple):
    """Reply to Heartbeat; status has the bits of Status."""

    status: int
    uptime_ms: int


class Stream(NamedTuple):
    """Start (1) or stop (0) samples; one of `decimation` is sent."""

    enable: int
    decimation: int = 1


class Streaming(NamedTuple):
    """Reply to Stream, as it now stands."""

    enable: int
    decimation: int


class Stimulus(NamedTuple):
    """What the world shows an emulated device."""

    octets: bytes


class Stimulated(NamedTuple):
    """Reply to Stimulus."""


class Samples(NamedTuple):
    """Samples that a device sends by itself; the packet's time is that of the first. Flags: FIRST, LAST, OVERRUN."""

    sequence: int
    flags: int
    octets: bytes


class Error(NamedTuple):
    """Reply in the place of any other."""

    code: int
    text: str


Request = Hello | Read | Write | Data | Heartbeat | Stream | Stimulus
Reply = Identity | Value | Written | Accepted | Alive | Streaming | Stimulated | Error
Message = Request | Reply | Samples

_REGISTER = {"address": Int16ub, "value": Int32ub}
_STREAM = {"enable": Int8ub, "decimation": Int16ub}

#: Message id and body of each message, as construct declares them.
BODIES: dict[type[Message], tuple[int, Construct]] = {
    Hello: (0x01, Struct("protocol" / Int8ub)),
    Identity: (
        0x81,
        Struct(
            "protocol" / Int8ub,
            "kind" / Int8ub,
            "major" / Int8ub,
            "minor" / Int8ub,
            "patch" / Int8ub,
            "capabilities" / Int32ub,
            "unique_id" / Bytes(UNIQUE_ID_OCTETS),
        ),
    ),
    Read: (0x02, Struct("address" / Int16ub)),
    Value: (0x82, Struct(**_REGISTER)),
    Write: (0x03, Struct(**_REGISTER)),
    Written: (0x83, Struct(**_REGISTER)),
    Data: (0x04, Struct("flags" / Int8ub, "octets" / GreedyBytes)),
    Accepted: (0x84, Struct("room" / Int16ub)),
    Heartbeat: (0x05, Struct()),
    Alive: (0x85, Struct("status" / Int8ub, "uptime_ms" / Int32ub)),
    Stream: (0x06, Struct(**_STREAM)),
    Streaming: (0x86, Struct(**_STREAM)),
    Stimulus: (0x07, Struct("octets" / GreedyBytes)),
    Stimulated: (0x87, Struct()),
    Samples: (0xC0, Struct("sequence" / Int32ub, "flags" / Int8ub, "octets" / GreedyBytes)),
    Error: (0xFF, Struct("code" / Int8ub, "text" / GreedyString("ascii"))),
}

#: A whole packet, as construct declares it.
PACKET = Struct(
    "covered"
    / RawCopy(
        Struct(
            "header" / space_packet.HEADER,
            "time_us" / Int64ub,
            "message"
            / FixedSized(
                this.header.length_minus_one + 1 - space_packet.TIME_OCTETS - space_packet.CRC_OCTETS,
                Struct("id" / Int8ub, "body" / Switch(this.id, dict(BODIES.values()))),
            ),
        )
    ),
    "crc" / Checksum(Int16ub, crc16, this.covered.data),
)

ERROR_ID = BODIES[Error][0]
SAMPLES_ID = BODIES[Samples][0]


class _Form:
    """One kind of message: its declaration, compiled."""

    def __init__(self, message: type[Message], identifier: int, body: Any) -> None:
        self.message = message
        self.id = identifier
        self.name = message.__name__.upper()
        self.to_device = identifier < REPLY
        fields = ""
        self.tail: Construct | None = None
        for field in body.subcons:
            layout = field.subcon
            if isinstance(layout, FormatField):
                fields += layout.fmtstr[1:]
            elif isinstance(layout, Bytes):
                fields += f"{layout.length}s"
            else:
                self.tail = layout
        self._pack = struct.Struct(">B" + fields)
        # the id is known by then
        self._unpack = struct.Struct(">x" + fields)

    def pack(self, message: Message) -> bytes:
        if self.tail is None:
            return self._pack.pack(self.id, *message)
        fields: tuple[Any, ...] = message
        tail = fields[-1] if self.message is not Error else error_text(fields[-1])
        return self._pack.pack(self.id, *fields[:-1]) + bytes(tail)

    def unpack(self, data: bytes) -> Message:
        octets = self._unpack.size
        if len(data) != octets and (self.tail is None or len(data) < octets):
            expected = f"{octets - 1} octets" if self.tail is None else f"at least {octets - 1} octets"
            raise MessageError(ErrorCode.BAD_LENGTH, f"{self.name}: expected {expected}, found {len(data) - 1}")
        fields: tuple[Any, ...] = self._unpack.unpack_from(data)
        if self.tail is not None:
            fields += (data[octets:] if self.message is not Error else _text(data[octets:]),)
        return self.message._make(fields)


_FORMS = {message: _Form(message, *declared) for message, declared in BODIES.items()}
_BY_ID = {form.id: form for form in _FORMS.values()}
_IDS = ", ".join(f"{form.id:#04x}" for form in _FORMS.values())


def message_id(message: type[Message]) -> int:
    """Id of a kind of message."""
    return _FORMS[message].id


def error_text(text: str) -> bytes:
    """What ERROR carries of a text: ASCII, cut where it is too long."""
    return text.encode("ascii", "replace")[:ERROR_TEXT_LARGEST]


def encode(message: Message) -> bytes:
    """User data of a message's packet. Raises ProtocolError for a field that does not fit."""
    form = _FORMS[type(message)]
    try:
        return form.pack(message)
    except (struct.error, TypeError) as error:
        raise ProtocolError(f"{form.name}: expected fields that fit the wire, found {message}: {error}") from None


def decode(packet: Packet) -> Message:
    """The message in a packet. Raises MessageError if there is none, or one that is not made as it should be."""
    data = packet.data
    form = _BY_ID.get(data[0]) if data else None
    if form is None:
        found = f"{data[0]:#04x}" if data else "no octet"
        raise MessageError(ErrorCode.UNKNOWN_MESSAGE, f"message id: expected one of {_IDS}; found {found}")
    if form.to_device is not packet.telecommand:
        expected, found = ("command", "telemetry") if form.to_device else ("telemetry", "command")
        raise MessageError(
            ErrorCode.UNKNOWN_MESSAGE, f"{form.name}: expected a {expected} packet, found a {found} packet"
        )
    return form.unpack(data)


def _text(octets: bytes) -> str:
    if len(octets) > ERROR_TEXT_LARGEST:
        raise MessageError(
            ErrorCode.BAD_LENGTH, f"ERROR text: expected at most {ERROR_TEXT_LARGEST} octets, found {len(octets)}"
        )
    try:
        return octets.decode("ascii")
    except UnicodeDecodeError as error:
        raise MessageError(
            ErrorCode.OUT_OF_RANGE, f"ERROR text: expected ASCII, found octet {octets[error.start]:#04x}"
        ) from None
