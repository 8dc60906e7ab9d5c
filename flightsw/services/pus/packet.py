"""PUS packets, ECSS-E-ST-70-41C: telecommands (clause 7.4.4) and telemetry (7.4.3), with their secondary headers.

```
 telecommand | primary header 6 | version 2, acknowledge | service | subtype | source 2 | data | CRC-16 |
 telemetry   | primary header 6 | version 2 | service | subtype | count 2 | destination 2 | time 7 | data | CRC-16 |
```

The time is a CUC code, CCSDS 301.0-B-4, of 4 and 3 octets since the epoch of the run, without P-field: what ground
systems read, shorter than the 8 octets of microseconds that devices send, and fine enough to come back to the same
microsecond.
"""

from enum import IntFlag
from typing import NamedTuple

import numpy as np
from construct import BitsInteger, BitStruct
from numpy.typing import NDArray

from flightsw.ccsds.coding.crc import crc16, crc16_rows
from flightsw.ccsds.header_rows import HeaderRows, build_header
from flightsw.ccsds.space_packet import (
    CRC_OCTETS,
    HEADER,
    HEADER_OCTETS,
    LARGEST_DATA_FIELD,
    SEQUENCE_COUNTS,
    PacketHeader,
    SequenceFlags,
    build_packet_header,
)
from flightsw.errors import FrameError
from flightsw.services.declarations import TIME, TIME_OCTETS, time_us
from flightsw.services.pus.failure import CommandRefused, FailureCode

#: The application process of a terminal's flight software.
TERMINAL_APID = 1
VERSION = 2
MESSAGE_COUNTS = 1 << 16

TELECOMMAND_HEADER = BitStruct(
    "version" / BitsInteger(4),
    "acknowledgements" / BitsInteger(4),
    "service" / BitsInteger(8),
    "subtype" / BitsInteger(8),
    "source" / BitsInteger(16),
)
TELEMETRY_HEADER = BitStruct(
    "version" / BitsInteger(4),
    "time_reference_status" / BitsInteger(4),
    "service" / BitsInteger(8),
    "subtype" / BitsInteger(8),
    "message_count" / BitsInteger(16),
    "destination" / BitsInteger(16),
)
COMMAND_DATA_AT = HEADER_OCTETS + 5
SERVICE_AT = HEADER_OCTETS + 1
TIME_AT = HEADER_OCTETS + 7
TELEMETRY_DATA_AT = TIME_AT + TIME_OCTETS
LARGEST_TELEMETRY_DATA = LARGEST_DATA_FIELD + HEADER_OCTETS - TELEMETRY_DATA_AT - CRC_OCTETS
_SMALLEST_COMMAND = COMMAND_DATA_AT + CRC_OCTETS

_PRIMARY_ROWS = HeaderRows(HEADER)
_SECONDARY_ROWS = HeaderRows(TELEMETRY_HEADER)
_TICK_BITS = 8 * TIME.fractional_octets
_MICROSECONDS = 1_000_000


class Acknowledge(IntFlag):
    """Successes that a telecommand wants to be told; failures are told always."""

    NONE = 0
    ACCEPTANCE = 1
    START = 2
    PROGRESS = 4
    COMPLETION = 8
    ALL = 15


class Telecommand(NamedTuple):
    """One telecommand: service, message subtype, application data, and where it belongs."""

    service: int
    subtype: int
    data: bytes = b""
    sequence_count: int = 0
    acknowledge: Acknowledge = Acknowledge.ALL
    source: int = 0
    apid: int = TERMINAL_APID

    @property
    def request(self) -> bytes:
        """The request identifier of its verification reports: the first 4 octets of the packet."""
        return build_packet_header(PacketHeader(self.apid, self.sequence_count, 1, telecommand=True))[:4]


class Report(NamedTuple):
    """What a service has to tell: service, message subtype and source data of a telemetry packet."""

    service: int
    subtype: int
    data: bytes = b""


class Telemetry(NamedTuple):
    """One telemetry packet."""

    service: int
    subtype: int
    data: bytes
    time_us: int
    sequence_count: int
    message_count: int
    apid: int = TERMINAL_APID


def build_telecommand(command: Telecommand) -> bytes:
    """Octets of a telecommand. Raises FrameError for a field that does not fit."""
    octets = (
        build_packet_header(
            PacketHeader(
                command.apid,
                command.sequence_count,
                COMMAND_DATA_AT - HEADER_OCTETS + len(command.data) + CRC_OCTETS,
                telecommand=True,
            )
        )
        + build_header(
            TELECOMMAND_HEADER,
            version=VERSION,
            acknowledgements=command.acknowledge,
            service=command.service,
            subtype=command.subtype,
            source=command.source,
        )
        + command.data
    )
    return octets + crc16(octets).to_bytes(CRC_OCTETS, "big")


def parse_telecommand(octets: bytes) -> Telecommand:
    """A telecommand from its octets. Raises CommandRefused for a wrong form, length, checksum or version."""
    if len(octets) < _SMALLEST_COMMAND:
        raise CommandRefused(
            FailureCode.WRONG_LENGTH, f"expected at least {_SMALLEST_COMMAND} octets, found {len(octets)}"
        )
    primary = HEADER.parse(octets[:HEADER_OCTETS])
    length = HEADER_OCTETS + primary.length_minus_one + 1
    if length != len(octets):
        raise CommandRefused(FailureCode.WRONG_LENGTH, f"expected {length} octets, found {len(octets)}")
    found, expected = int.from_bytes(octets[-CRC_OCTETS:], "big"), crc16(octets[:-CRC_OCTETS])
    if found != expected:
        raise CommandRefused(FailureCode.WRONG_CHECKSUM, f"expected {expected:04x}, found {found:04x}")
    header = TELECOMMAND_HEADER.parse(octets[HEADER_OCTETS:COMMAND_DATA_AT])
    forms = (
        ("packet version", 0, primary.version),
        ("packet type", 1, int(primary.telecommand)),
        ("secondary header flag", 1, int(primary.secondary_header)),
        ("sequence flags", int(SequenceFlags.UNSEGMENTED), primary.sequence_flags),
        ("PUS version", VERSION, header.version),
    )
    for what, wanted, value in forms:
        if value != wanted:
            raise CommandRefused(FailureCode.ILLEGAL_HEADER, f"{what}: expected {wanted}, found {value}")
    return Telecommand(
        header.service,
        header.subtype,
        octets[COMMAND_DATA_AT:-CRC_OCTETS],
        primary.sequence_count,
        Acknowledge(header.acknowledgements),
        header.source,
        primary.apid,
    )


def telemetry_packets(
    service: int,
    subtype: int,
    first_count: int,
    first_message_count: int,
    time_us: NDArray[np.int64],
    rows: NDArray[np.uint8],
) -> NDArray[np.uint8]:
    """Telemetry of one kind and length: `time_us` (n,), data uint8 (n, octets) -> packets uint8 (n, octets + 22).

    Sequence and message counts run on from the first ones. Raises FrameError for what does not fit, times included.
    """
    n, octets = rows.shape
    if octets > LARGEST_TELEMETRY_DATA:
        raise FrameError("telemetry data", expected=f"at most {LARGEST_TELEMETRY_DATA} octets", found=octets)
    seconds, rest = np.divmod(time_us, _MICROSECONDS)
    if n and not (seconds.min() >= 0 and seconds.max() < 1 << 8 * TIME.basic_octets):
        raise FrameError("time", expected="0 to 2^32 s", found=f"{time_us.min()} to {time_us.max()} us")
    ticks = (seconds << _TICK_BITS) | ((rest << _TICK_BITS) // _MICROSECONDS)
    packets = np.empty((n, TELEMETRY_DATA_AT + octets + CRC_OCTETS), np.uint8)
    packets[:, :HEADER_OCTETS] = _PRIMARY_ROWS.pack(
        n,
        secondary_header=1,
        apid=TERMINAL_APID,
        sequence_flags=SequenceFlags.UNSEGMENTED,
        sequence_count=(first_count + np.arange(n)) % SEQUENCE_COUNTS,
        length_minus_one=packets.shape[1] - HEADER_OCTETS - 1,
    )
    packets[:, HEADER_OCTETS:TIME_AT] = _SECONDARY_ROWS.pack(
        n,
        version=VERSION,
        service=service,
        subtype=subtype,
        message_count=(first_message_count + np.arange(n)) % MESSAGE_COUNTS,
    )
    packets[:, TIME_AT:TELEMETRY_DATA_AT] = ticks.astype(">u8").view(np.uint8).reshape(n, 8)[:, -TIME_OCTETS:]
    packets[:, TELEMETRY_DATA_AT:-CRC_OCTETS] = rows
    packets[:, -CRC_OCTETS:] = crc16_rows(packets[:, :-CRC_OCTETS]).astype(">u2").view(np.uint8).reshape(n, CRC_OCTETS)
    return packets


def times_us(packets: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Times in microseconds since the epoch, int64 (n,), of telemetry packets uint8 (n, octets)."""
    code = np.zeros((len(packets), 8), np.uint8)
    code[:, -TIME_OCTETS:] = packets[:, TIME_AT:TELEMETRY_DATA_AT]
    ticks = code.view(">u8")[:, 0].astype(np.int64)
    rest = ticks & ((1 << _TICK_BITS) - 1)
    return (ticks >> _TICK_BITS) * _MICROSECONDS + ((rest * _MICROSECONDS + (1 << (_TICK_BITS - 1))) >> _TICK_BITS)


class TelemetryCounter:
    """Makes telemetry packets of reports, and counts them: all of them, and those of each service and subtype."""

    def __init__(self) -> None:
        self._count = 0
        self._messages: dict[tuple[int, int], int] = {}

    def packets(
        self, service: int, subtype: int, time_us: NDArray[np.int64], rows: NDArray[np.uint8]
    ) -> NDArray[np.uint8]:
        """As `telemetry_packets`, with the counts that are next."""
        messages = self._messages.get((service, subtype), 0)
        packets = telemetry_packets(service, subtype, self._count, messages, time_us, rows)
        self._count = (self._count + len(packets)) % SEQUENCE_COUNTS
        self._messages[service, subtype] = (messages + len(packets)) % MESSAGE_COUNTS
        return packets

    def packet(self, report: Report, time_us: int) -> bytes:
        """The packet of one report."""
        row = np.frombuffer(report.data, np.uint8)[None, :]
        octets: bytes = self.packets(report.service, report.subtype, np.array([time_us]), row)[0].tobytes()
        return octets


def parse_telemetry(octets: bytes) -> Telemetry:
    """A telemetry packet from its octets. Raises FrameError for a wrong form, length or checksum."""
    if len(octets) < TELEMETRY_DATA_AT + CRC_OCTETS:
        raise FrameError(
            "telemetry packet", expected=f"at least {TELEMETRY_DATA_AT + CRC_OCTETS} octets", found=len(octets)
        )
    primary = HEADER.parse(octets[:HEADER_OCTETS])
    length = HEADER_OCTETS + primary.length_minus_one + 1
    if length != len(octets):
        raise FrameError("telemetry packet length", expected=length, found=len(octets))
    if crc16(octets):
        raise FrameError("telemetry packet CRC-16", expected=0, found=f"{crc16(octets):04x}")
    header = TELEMETRY_HEADER.parse(octets[HEADER_OCTETS:TIME_AT])
    forms = ((0, primary.version), (0, primary.telecommand), (1, primary.secondary_header), (VERSION, header.version))
    if any(wanted != value for wanted, value in forms):
        raise FrameError("telemetry packet", expected="telemetry of PUS version 2", found=octets[:7].hex())
    return Telemetry(
        header.service,
        header.subtype,
        octets[TELEMETRY_DATA_AT:-CRC_OCTETS],
        time_us(octets[TIME_AT:TELEMETRY_DATA_AT]),
        primary.sequence_count,
        header.message_count,
        primary.apid,
    )
