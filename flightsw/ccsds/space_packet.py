"""Space packets, CCSDS 133.0-B-2: the primary header (clause 4.1.3) and packets of one kind in bulk.

Every packet of beamlock carries a secondary header of 8 octets, the time in microseconds since the epoch of the run,
and ends with a CRC-16 over the whole packet (the packet error control of ECSS-E-ST-70-41C, 7.4.4.1, polynomial 0x1021).
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from construct import BitsInteger, BitStruct, Enum, Flag
from numpy.typing import NDArray

from flightsw.ccsds.coding.crc import crc16, crc16_rows
from flightsw.errors import FrameError

HEADER = BitStruct(
    "version" / BitsInteger(3),
    "type" / Enum(BitsInteger(1), telemetry=0, telecommand=1),
    "secondary_header" / Flag,
    "apid" / BitsInteger(11),
    "sequence_flags" / Enum(BitsInteger(2), continuation=0, first=1, last=2, unsegmented=3),
    "sequence_count" / BitsInteger(14),
    "length_minus_one" / BitsInteger(16),
)
HEADER_OCTETS = 6
TIME_OCTETS = 8
CRC_OCTETS = 2
OVERHEAD = HEADER_OCTETS + TIME_OCTETS + CRC_OCTETS
LARGEST_DATA_FIELD = 65536
_COUNTS = 1 << 14


class Packet(NamedTuple):
    """One packet: where it belongs, its time in microseconds, and its user data."""

    apid: int
    sequence_count: int
    time_us: int
    data: bytes


def telemetry_packets(
    apid: int, first_count: int, time_us: NDArray[np.int64], rows: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """Packets of one APID with data of one length: `time_us` (n,), `rows` uint8 (n, octets) -> uint8 (n, octets + 16).

    Sequence counts run on from `first_count`, modulo 2^14. Raises FrameError for an APID or a length that does not fit.
    """
    n, octets = rows.shape
    if not 0 <= apid < 2047:
        raise FrameError("space packet APID", expected="0 to 2046", found=apid)
    if octets + TIME_OCTETS + CRC_OCTETS > LARGEST_DATA_FIELD:
        raise FrameError("space packet data field", expected=f"at most {LARGEST_DATA_FIELD} octets", found=octets + 10)
    packets = np.empty((n, octets + OVERHEAD), np.uint8)
    header = np.empty((n, 3), ">u2")
    header[:, 0] = 0x0800 | apid
    header[:, 1] = 0xC000 | (first_count + np.arange(n)) % _COUNTS
    header[:, 2] = octets + TIME_OCTETS + CRC_OCTETS - 1
    packets[:, :HEADER_OCTETS] = header.view(np.uint8)
    at = HEADER_OCTETS + TIME_OCTETS
    packets[:, HEADER_OCTETS:at] = time_us.astype(">u8").view(np.uint8).reshape(n, TIME_OCTETS)
    packets[:, at:-CRC_OCTETS] = rows
    packets[:, -CRC_OCTETS:] = crc16_rows(packets[:, :-CRC_OCTETS]).astype(">u2").view(np.uint8).reshape(n, CRC_OCTETS)
    return packets


def parse(octets: bytes) -> Packet:
    """One packet from its octets. Raises FrameError for a wrong version, length or checksum."""
    if len(octets) < OVERHEAD:
        raise FrameError("space packet", expected=f"at least {OVERHEAD} octets", found=len(octets))
    header = HEADER.parse(octets[:HEADER_OCTETS])
    if header.version != 0:
        raise FrameError("space packet version", expected=0, found=header.version)
    length = HEADER_OCTETS + header.length_minus_one + 1
    if length != len(octets):
        raise FrameError("space packet length", expected=length, found=len(octets))
    if not header.secondary_header:
        raise FrameError("space packet secondary header flag", expected=1, found=0)
    checksum = int.from_bytes(octets[-CRC_OCTETS:], "big")
    expected = crc16(octets[:-CRC_OCTETS])
    if checksum != expected:
        raise FrameError("space packet CRC-16", expected=f"{expected:04x}", found=f"{checksum:04x}")
    at = HEADER_OCTETS + TIME_OCTETS
    time_us = int.from_bytes(octets[HEADER_OCTETS:at], "big")
    return Packet(header.apid, header.sequence_count, time_us, octets[at:-CRC_OCTETS])


def split(stream: bytes) -> Iterator[Packet]:
    """Packets end to end in `stream`, in order. Raises FrameError at the first that is not whole or not right."""
    at = 0
    while at < len(stream):
        if len(stream) - at < HEADER_OCTETS:
            raise FrameError("space packet header", expected=f"{HEADER_OCTETS} octets", found=len(stream) - at)
        length = HEADER_OCTETS + int.from_bytes(stream[at + 4 : at + 6], "big") + 1
        yield parse(stream[at : at + length])
        at += length
