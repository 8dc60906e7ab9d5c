"""Packets on the line: octets of one packet, COBS with a delimiter on streams, bare transfers on USB.

COBS: Cheshire and Baker, "Consistent Overhead Byte Stuffing", IEEE/ACM Transactions on Networking 7 (1999). An encoded
packet has no zero octet, so a zero after it is a sure end, and a receiver is back in step at the next one whatever
happened before. The CRC-16 then tells packets from what merely looks like one: it finds every error burst of up to 16
bits and every three wrong bits; of arbitrary octets of the right length one in 65536 passes.
"""

import binascii
import struct
from abc import ABC, abstractmethod
from collections import Counter
from enum import Enum

from cobs import cobs

from flightsw.ccsds.space_packet import (
    CRC_OCTETS,
    HEADER_OCTETS,
    IDLE_APID,
    LARGEST_USER_DATA,
    OVERHEAD,
    SEQUENCE_COUNTS,
    TIME_OCTETS,
    Packet,
    SequenceFlags,
)
from flightsw.errors import ProtocolError
from hil.transports import Framing

DELIMITER = b"\0"
LARGEST_PACKET = OVERHEAD + LARGEST_USER_DATA
#: COBS adds an octet, and one more for each 254 of the packet.
LARGEST_FRAME = LARGEST_PACKET + 1 + LARGEST_PACKET // 254
#: Bad frames, and none good, that look like another baud rate.
MISMATCH_FRAMES = 8

#: Members of enumerations, looked up once: Python 3.11 takes 0.1 us for it.
UNSEGMENTED = SequenceFlags.UNSEGMENTED
_TRANSFER = Framing.TRANSFER

_HEAD = struct.Struct(">HHHQ")
_DATA_AT = HEADER_OCTETS + TIME_OCTETS
_TELECOMMAND = 0x1000
_SECONDARY_HEADER = 0x0800
_APID = 0x07FF
_VERSION_AND_SECONDARY_HEADER = 0xE800
_UNSEGMENTED_BITS = 0xC000
#: A USB transfer in parts of this, the largest packet of a full-speed bulk endpoint, may not have come to its end.
_BULK_PACKET = 64


class Fault(Enum):
    """What was wrong with a frame."""

    CODING = "no COBS"
    LENGTH = "length is not that of the header"
    HEADER = "not an unsegmented packet of version 0 with a secondary header"
    CRC = "wrong CRC-16"
    OVERSIZE = "no delimiter for longer than the longest packet"


def build(packet: Packet) -> bytes:
    """Octets of an unsegmented packet, as `space_packet.build` makes them. Raises ProtocolError if one does not fit."""
    apid, count, time_us, data, _, telecommand = packet
    if not (0 <= apid < IDLE_APID and 0 <= count < SEQUENCE_COUNTS and 0 <= time_us < 1 << 64):
        raise ProtocolError(f"packet: expected APID, sequence count and time that fit, found {packet[:3]}")
    if len(data) > LARGEST_USER_DATA:
        raise ProtocolError(f"packet: expected at most {LARGEST_USER_DATA} octets of user data, found {len(data)}")
    head = _SECONDARY_HEADER | apid | (_TELECOMMAND if telecommand else 0)
    octets = _HEAD.pack(head, _UNSEGMENTED_BITS | count, len(data) + TIME_OCTETS + CRC_OCTETS - 1, time_us) + data
    # the standard library's CRC is flightsw's crc16, and fast on single packets
    return octets + binascii.crc_hqx(octets, 0xFFFF).to_bytes(CRC_OCTETS, "big")


def parse(octets: bytes) -> Packet | Fault:
    """A packet from its octets, or what is wrong with them."""
    if len(octets) < OVERHEAD:
        return Fault.LENGTH
    head, sequence, length_minus_one, time_us = _HEAD.unpack_from(octets)
    if head & _VERSION_AND_SECONDARY_HEADER != _SECONDARY_HEADER or sequence < _UNSEGMENTED_BITS:
        return Fault.HEADER
    if length_minus_one + 1 + HEADER_OCTETS != len(octets):
        return Fault.LENGTH
    if binascii.crc_hqx(octets, 0xFFFF):
        return Fault.CRC
    return Packet(
        head & _APID,
        sequence & ~_UNSEGMENTED_BITS,
        time_us,
        octets[_DATA_AT:-CRC_OCTETS],
        UNSEGMENTED,
        head & _TELECOMMAND != 0,
    )


def frame(octets: bytes, framing: Framing) -> bytes:
    """What goes over a line of that framing for the octets of one packet."""
    return octets if framing is _TRANSFER else cobs.encode(octets) + DELIMITER


class PacketReader(ABC):
    """Takes octets as they come and gives the packets in them; what is no packet is counted and left out.

    Attributes:
        octets: octets taken.
        good: packets given.
        bad: frames left out, by fault; `bad_frames` counts all of them.
    """

    def __init__(self) -> None:
        self.octets = 0
        self.good = 0
        self.bad_frames = 0
        self.bad: Counter[Fault] = Counter()

    @abstractmethod
    def push(self, octets: bytes) -> list[Packet]:
        """Packets that are whole with these octets, in order."""

    @property
    def looks_like_baud_mismatch(self) -> bool:
        """Frame after frame was bad and none good, as it is when both sides differ in baud rate."""
        return self.good == 0 and self.bad_frames >= MISMATCH_FRAMES

    def _accept(self, octets: bytes, packets: list[Packet]) -> bool:
        found = parse(octets)
        if isinstance(found, Fault):
            self._leave_out(found)
            return False
        self.good += 1
        packets.append(found)
        return True

    def _leave_out(self, fault: Fault) -> None:
        self.bad[fault] += 1
        self.bad_frames += 1


class StreamReader(PacketReader):
    """Packets of a stream of octets. Keeps at most one frame."""

    def __init__(self) -> None:
        super().__init__()
        self._begun = bytearray()
        self._oversize = False

    def push(self, octets: bytes) -> list[Packet]:
        """Packets that are whole with these octets, in order."""
        self.octets += len(octets)
        packets: list[Packet] = []
        frames = octets.split(DELIMITER)
        rest = frames.pop()
        if frames:
            if self._begun:
                self._begun += frames[0]
                frames[0] = bytes(self._begun)
                self._begun.clear()
            if self._oversize:
                self._oversize = False
                del frames[0]
            for encoded in frames:
                if encoded:
                    self._decode(encoded, packets)
        if not self._oversize:
            self._begun += rest
            if len(self._begun) > LARGEST_FRAME:
                self._leave_out(Fault.OVERSIZE)
                self._begun.clear()
                self._oversize = True
        return packets

    def _decode(self, encoded: bytes, packets: list[Packet]) -> None:
        try:
            octets = cobs.decode(encoded)
        except cobs.DecodeError:
            self._leave_out(Fault.CODING)
        else:
            self._accept(octets, packets)


class TransferReader(PacketReader):
    """Packets of bulk transfers, each a packet. Keeps at most one that has begun."""

    def __init__(self) -> None:
        super().__init__()
        self._begun = b""

    def push(self, octets: bytes) -> list[Packet]:
        """The packet that is whole with this transfer; none while it goes on.

        A read that times out in the midst of a transfer returns what came so far, and the next read the rest.
        """
        self.octets += len(octets)
        packets: list[Packet] = []
        begun, self._begun = self._begun, b""
        joined = begun + octets
        if len(octets) % _BULK_PACKET == 0 and len(joined) < _length(joined):
            self._begun = joined
        elif not self._accept(joined, packets) and begun:
            self._accept(octets, packets)
        return packets


def packet_reader(framing: Framing) -> PacketReader:
    """A reader for a line of that framing."""
    return TransferReader() if framing is _TRANSFER else StreamReader()


def _length(octets: bytes) -> int:
    """Octets of the packet that begins so, as its header has it."""
    return HEADER_OCTETS + 1 + int.from_bytes(octets[4:HEADER_OCTETS], "big")
