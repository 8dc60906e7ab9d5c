"""Space packets, CCSDS 133.0-B-2: the primary header (clause 4.1.3), packets one at a time and in bulk, idle packets.

Packets of devices and of data carry a secondary header of 8 octets, the time in microseconds since the epoch of the
run; those of services have that of PUS, in `flightsw.services.pus.packet`. Each ends with a CRC-16 over the whole
packet (the packet error control of ECSS-E-ST-70-41C, 7.4.4.1, polynomial 0x1021).
Idle packets (4.1.4.2.3) have neither.
"""

from collections.abc import Iterator
from enum import IntEnum
from typing import NamedTuple

import numpy as np
from construct import BitsInteger, BitStruct, Flag
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike, NDArray

from flightsw.ccsds.coding.crc import crc16, crc16_rows
from flightsw.ccsds.header_rows import HeaderRows, build_header
from flightsw.ccsds.packets import Packets
from flightsw.errors import FrameError

HEADER = BitStruct(
    "version" / BitsInteger(3),
    "telecommand" / Flag,
    "secondary_header" / Flag,
    "apid" / BitsInteger(11),
    "sequence_flags" / BitsInteger(2),
    "sequence_count" / BitsInteger(14),
    "length_minus_one" / BitsInteger(16),
)
HEADER_OCTETS = 6
TIME_OCTETS = 8
CRC_OCTETS = 2
OVERHEAD = HEADER_OCTETS + TIME_OCTETS + CRC_OCTETS
LARGEST_DATA_FIELD = 65536
LARGEST_USER_DATA = LARGEST_DATA_FIELD - TIME_OCTETS - CRC_OCTETS
SMALLEST_PACKET = HEADER_OCTETS + 1
IDLE_APID = 2047
SEQUENCE_COUNTS = 1 << 14

_ROWS = HeaderRows(HEADER)
_DATA_AT = HEADER_OCTETS + TIME_OCTETS
_IDLE_FILL = b"\x55"


class SequenceFlags(IntEnum):
    """Which part of a service data unit a packet carries."""

    CONTINUATION = 0
    FIRST = 1
    LAST = 2
    UNSEGMENTED = 3


class PacketHeader(NamedTuple):
    """The primary header of one packet; data_octets is the length of the packet data field, secondary header included.

    The APID is 0 to 2047, of which 2047 says that the packet is idle.
    """

    apid: int
    sequence_count: int
    data_octets: int
    sequence_flags: SequenceFlags = SequenceFlags.UNSEGMENTED
    telecommand: bool = False
    secondary_header: bool = True


class Packet(NamedTuple):
    """One packet: where it belongs, its time in microseconds, and its user data."""

    apid: int
    sequence_count: int
    time_us: int
    data: bytes
    sequence_flags: SequenceFlags = SequenceFlags.UNSEGMENTED
    telecommand: bool = False


def build_packet_header(header: PacketHeader) -> bytes:
    """The 6 octets of a primary header. Raises FrameError for a field that does not fit."""
    return build_header(
        HEADER,
        version=0,
        telecommand=header.telecommand,
        secondary_header=header.secondary_header,
        apid=header.apid,
        sequence_flags=header.sequence_flags,
        sequence_count=header.sequence_count,
        length_minus_one=header.data_octets - 1,
    )


def parse_packet_header(octets: bytes) -> PacketHeader:
    """The primary header at the start of a packet. Raises FrameError if it is cut or of another version."""
    if len(octets) < HEADER_OCTETS:
        raise FrameError("space packet header", expected=f"{HEADER_OCTETS} octets", found=len(octets))
    header = HEADER.parse(octets[:HEADER_OCTETS])
    if header.version != 0:
        raise FrameError("space packet version", expected=0, found=header.version)
    return PacketHeader(
        header.apid,
        header.sequence_count,
        header.length_minus_one + 1,
        SequenceFlags(header.sequence_flags),
        header.telecommand,
        header.secondary_header,
    )


def build(packet: Packet) -> bytes:
    """Octets of one packet. Raises FrameError for a field that does not fit, and for the APID of idle packets."""
    _require_apid(packet.apid)
    if not 0 <= packet.time_us < 1 << 8 * TIME_OCTETS:
        raise FrameError("space packet time", expected=f"0 to 2^{8 * TIME_OCTETS} - 1 us", found=packet.time_us)
    header = build_packet_header(
        PacketHeader(
            packet.apid,
            packet.sequence_count,
            TIME_OCTETS + len(packet.data) + CRC_OCTETS,
            packet.sequence_flags,
            packet.telecommand,
        )
    )
    octets = header + packet.time_us.to_bytes(TIME_OCTETS, "big") + packet.data
    return octets + crc16(octets).to_bytes(CRC_OCTETS, "big")


def idle_packet(octets: int) -> bytes:
    """An idle packet of that many octets in all. Raises FrameError unless they are 7 to 65542."""
    header = build_packet_header(PacketHeader(IDLE_APID, 0, octets - HEADER_OCTETS, secondary_header=False))
    return header + _IDLE_FILL * (octets - HEADER_OCTETS)


def telemetry_packets(
    apid: int,
    first_count: int,
    time_us: NDArray[np.int64],
    rows: NDArray[np.uint8],
    sequence_flags: ArrayLike = SequenceFlags.UNSEGMENTED,
) -> NDArray[np.uint8]:
    """Packets of one APID with data of one length: `time_us` (n,), `rows` uint8 (n, octets) -> uint8 (n, octets + 16).

    Sequence counts run on from `first_count`, modulo 2^14; `sequence_flags` is one for all packets, or (n,). Raises
    FrameError for an APID or a length that does not fit.
    """
    n, octets = rows.shape
    _require_apid(apid)
    if octets > LARGEST_USER_DATA:
        raise FrameError("space packet user data", expected=f"at most {LARGEST_USER_DATA} octets", found=octets)
    packets = np.empty((n, octets + OVERHEAD), np.uint8)
    packets[:, :HEADER_OCTETS] = _ROWS.pack(
        n,
        secondary_header=1,
        apid=apid,
        sequence_flags=sequence_flags,
        sequence_count=(first_count + np.arange(n)) % SEQUENCE_COUNTS,
        length_minus_one=octets + TIME_OCTETS + CRC_OCTETS - 1,
    )
    packets[:, HEADER_OCTETS:_DATA_AT] = time_us.astype(">u8").view(np.uint8).reshape(n, TIME_OCTETS)
    packets[:, _DATA_AT:-CRC_OCTETS] = rows
    packets[:, -CRC_OCTETS:] = crc16_rows(packets[:, :-CRC_OCTETS]).astype(">u2").view(np.uint8).reshape(n, CRC_OCTETS)
    return packets


def parse(octets: bytes) -> Packet:
    """One packet from its octets. Raises FrameError for a wrong version, length or checksum."""
    if len(octets) < OVERHEAD:
        raise FrameError("space packet", expected=f"at least {OVERHEAD} octets", found=len(octets))
    header = parse_packet_header(octets)
    length = HEADER_OCTETS + header.data_octets
    if length != len(octets):
        raise FrameError("space packet length", expected=length, found=len(octets))
    if not header.secondary_header:
        raise FrameError("space packet secondary header flag", expected=1, found=0)
    checksum = int.from_bytes(octets[-CRC_OCTETS:], "big")
    expected = crc16(octets[:-CRC_OCTETS])
    if checksum != expected:
        raise FrameError("space packet CRC-16", expected=f"{expected:04x}", found=f"{checksum:04x}")
    return Packet(
        header.apid,
        header.sequence_count,
        int.from_bytes(octets[HEADER_OCTETS:_DATA_AT], "big"),
        octets[_DATA_AT:-CRC_OCTETS],
        header.sequence_flags,
        header.telecommand,
    )


def split(stream: bytes) -> Iterator[Packet]:
    """Packets end to end in `stream`, in order. Raises FrameError at the first that is not whole or not right."""
    at = 0
    while at < len(stream):
        length = HEADER_OCTETS + parse_packet_header(stream[at:]).data_octets
        yield parse(stream[at : at + length])
        at += length


def read(packets: Packets) -> tuple[list[Packet], int]:
    """All packets that `parse` would take, in order, and the number of the others; many times faster than `parse`."""
    begins = packets.fences[:-1]
    lengths = np.diff(packets.fences)
    right = np.zeros(len(packets), np.bool_)
    for length in np.unique(lengths[lengths >= OVERHEAD]).tolist():
        group = np.flatnonzero(lengths == length)
        right[group] = crc16_rows(sliding_window_view(packets.octets, length)[begins[group]]) == 0
    long_enough = np.flatnonzero(right)
    if not len(long_enough):
        return [], len(packets)
    heads = sliding_window_view(packets.octets, _DATA_AT)[begins[long_enough]]
    right[long_enough] &= (_ROWS.unpack(heads, "version") == 0) & (_ROWS.unpack(heads, "secondary_header") == 1)
    right[long_enough] &= _ROWS.unpack(heads, "length_minus_one") + 1 == lengths[long_enough] - HEADER_OCTETS
    heads = heads[right[long_enough]]
    octets = packets.octets.tobytes()
    return [
        Packet(apid, count, time_us, octets[begin + _DATA_AT : begin + length - CRC_OCTETS], _FLAGS[flags], command)
        for apid, count, time_us, begin, length, flags, command in zip(
            _ROWS.unpack(heads, "apid").tolist(),
            _ROWS.unpack(heads, "sequence_count").tolist(),
            heads[:, HEADER_OCTETS:].copy().view(">u8")[:, 0].tolist(),
            begins[right].tolist(),
            lengths[right].tolist(),
            _ROWS.unpack(heads, "sequence_flags").tolist(),
            (_ROWS.unpack(heads, "telecommand") == 1).tolist(),
            strict=True,
        )
    ], int(np.sum(~right))


_FLAGS = tuple(SequenceFlags)


def _require_apid(apid: int) -> None:
    if not 0 <= apid < IDLE_APID:
        raise FrameError("space packet APID", expected=f"0 to {IDLE_APID - 1}", found=apid)
