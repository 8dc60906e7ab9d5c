"""USLP transfer frames, CCSDS 732.1-B-3 clause 4.1: one at a time, and many of one physical channel at once.

Arrays of frames are for packets that span frames of one length (construction rule 000), with one MAP to a virtual
channel. The frame error control field is the CRC-16 of 4.1.6, or the CRC-32 of annex B where both ends agree on it.
Truncated frames (annex D) are refused.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from construct import BitsInteger, BitStruct, Flag
from numpy.typing import NDArray

from flightsw.ccsds.header_rows import HeaderRows, build_header
from flightsw.ccsds.transfer_frame import (
    FECF_OCTETS,
    NO_PACKET_STARTS,
    OCF_OCTETS,
    ONLY_IDLE_DATA,
    Fecf,
    FrameFormat,
    HeaderFields,
    Octets,
    with_fecf,
    without_fecf,
)
from flightsw.errors import ConfigError, FrameError

# The frame count of 0 to 7 octets follows.
HEADER = BitStruct(
    "version" / BitsInteger(4),
    "spacecraft_id" / BitsInteger(16),
    "destination" / Flag,
    "virtual_channel" / BitsInteger(6),
    "map_id" / BitsInteger(4),
    "end_of_header" / Flag,
    "length_minus_one" / BitsInteger(16),
    "bypass" / Flag,
    "protocol_control" / Flag,
    "spare" / BitsInteger(2),
    "ocf" / Flag,
    "count_octets" / BitsInteger(3),
)
HEADER_OCTETS = 7
DATA_FIELD_HEADER = BitStruct("rule" / BitsInteger(3), "upid" / BitsInteger(5))
POINTER_OCTETS = 2
LARGEST_COUNT_OCTETS = 7
IDLE_VIRTUAL_CHANNEL = 63

PACKETS_SPAN_FRAMES = 0b000
ACCESS_UNIT_STARTS = 0b001
ACCESS_UNIT_CONTINUES = 0b010
NO_SEGMENTATION = 0b111
RULES_WITH_POINTER = (PACKETS_SPAN_FRAMES, ACCESS_UNIT_STARTS, ACCESS_UNIT_CONTINUES)

UPID_PACKETS = 0
UPID_IDLE = 31

_VERSION = 0b1100
_LARGEST_FRAME = 65536
_ALL_ONES = 0xFFFF
_ROWS = HeaderRows(HEADER)
_DATA_FIELD_ROWS = HeaderRows(DATA_FIELD_HEADER)
_MANAGED = (
    "version",
    "spacecraft_id",
    "destination",
    "end_of_header",
    "length_minus_one",
    "protocol_control",
    "spare",
    "ocf",
    "count_octets",
)


class UslpFrame(NamedTuple):
    """One frame. zone is its data field behind construction rule, UPID and, where the rule has one, pointer.

    pointer is the first header pointer (rule 000) or the last valid octet (001 and 010), NO_PACKET_STARTS where it is
    all ones: no packet starts, or the access unit goes on.
    """

    spacecraft_id: int
    virtual_channel: int
    map_id: int
    rule: int
    upid: int
    zone: bytes
    pointer: int | None = None
    frame_count: int = 0
    count_octets: int = 0
    ocf: bytes | None = None
    destination: bool = False
    bypass: bool = False
    protocol_control: bool = False


def build(frame: UslpFrame, fecf: Fecf = "crc16") -> bytes:
    """Octets of one frame. Raises FrameError for a field that does not fit."""
    if frame.ocf is not None and len(frame.ocf) != OCF_OCTETS:
        raise FrameError("USLP operational control field", expected=f"{OCF_OCTETS} octets", found=len(frame.ocf))
    if not 0 <= frame.count_octets <= LARGEST_COUNT_OCTETS:
        raise FrameError("USLP frame count octets", expected=f"0 to {LARGEST_COUNT_OCTETS}", found=frame.count_octets)
    if not 0 <= frame.frame_count < 256**frame.count_octets:
        raise FrameError("USLP frame count", expected=f"{frame.count_octets} octets", found=frame.frame_count)
    data_field = build_header(DATA_FIELD_HEADER, rule=frame.rule, upid=frame.upid) + _pointer(frame) + frame.zone
    contents = frame.frame_count.to_bytes(frame.count_octets, "big") + data_field + (frame.ocf or b"")
    header = build_header(
        HEADER,
        version=_VERSION,
        spacecraft_id=frame.spacecraft_id,
        destination=frame.destination,
        virtual_channel=frame.virtual_channel,
        map_id=frame.map_id,
        end_of_header=False,
        length_minus_one=HEADER_OCTETS + len(contents) + FECF_OCTETS[fecf] - 1,
        bypass=frame.bypass,
        protocol_control=frame.protocol_control,
        spare=0,
        ocf=frame.ocf is not None,
        count_octets=frame.count_octets,
    )
    return with_fecf(header + contents, fecf)


def parse(octets: bytes, fecf: Fecf = "crc16") -> UslpFrame:
    """One frame from its octets. Raises FrameError for a wrong length, check or field, and for a truncated frame."""
    contents = without_fecf("USLP frame", octets, fecf)
    if len(contents) < HEADER_OCTETS:
        raise FrameError("USLP frame", expected=f"a header of {HEADER_OCTETS} octets", found=len(contents))
    header = HEADER.parse(contents[:HEADER_OCTETS])
    for name, expected in (("version", _VERSION), ("end_of_header", False), ("spare", 0)):
        if header[name] != expected:
            raise FrameError(f"USLP {name.replace('_', ' ')}", expected=int(expected), found=int(header[name]))
    if header.length_minus_one + 1 != len(octets):
        raise FrameError("USLP frame length", expected=header.length_minus_one + 1, found=len(octets))
    rest = contents[HEADER_OCTETS:]
    around = header.count_octets + 1 + (OCF_OCTETS if header.ocf else 0)
    if len(rest) < around:
        raise FrameError("USLP frame", expected=f"at least {around} octets behind the header", found=len(rest))
    count, rest = rest[: header.count_octets], rest[header.count_octets :]
    ocf = None
    if header.ocf:
        rest, ocf = rest[:-OCF_OCTETS], rest[-OCF_OCTETS:]
    data_field = DATA_FIELD_HEADER.parse(rest[:1])
    pointer, zone = _split_pointer(data_field.rule, rest[1:])
    return UslpFrame(
        header.spacecraft_id,
        header.virtual_channel,
        header.map_id,
        data_field.rule,
        data_field.upid,
        zone,
        pointer,
        int.from_bytes(count, "big"),
        header.count_octets,
        ocf,
        header.destination,
        header.bypass,
        header.protocol_control,
    )


def _pointer(frame: UslpFrame) -> bytes:
    if frame.rule not in RULES_WITH_POINTER:
        if frame.pointer is not None:
            raise FrameError(f"USLP pointer with rule {frame.rule:03b}", expected="none", found=frame.pointer)
        return b""
    if frame.pointer is None or not NO_PACKET_STARTS <= frame.pointer < len(frame.zone):
        raise FrameError("USLP pointer", expected=f"{NO_PACKET_STARTS} to {len(frame.zone) - 1}", found=frame.pointer)
    return (frame.pointer % (_ALL_ONES + 1)).to_bytes(POINTER_OCTETS, "big")


def _split_pointer(rule: int, octets: bytes) -> tuple[int | None, bytes]:
    if rule not in RULES_WITH_POINTER:
        return None, octets
    if len(octets) < POINTER_OCTETS:
        raise FrameError("USLP pointer", expected=f"{POINTER_OCTETS} octets", found=len(octets))
    pointer, zone = int.from_bytes(octets[:POINTER_OCTETS], "big"), octets[POINTER_OCTETS:]
    if pointer == _ALL_ONES:
        return NO_PACKET_STARTS, zone
    if pointer >= len(zone):
        raise FrameError("USLP pointer", expected=f"below {len(zone)}", found=pointer)
    return pointer, zone


@dataclass(frozen=True)
class UslpFormat(FrameFormat):
    """Managed parameters of a channel of USLP frames of one length that carry packets.

    Attributes:
        map_id: multiplexer access point of the packets.
        destination: whether the spacecraft identifier names the destination instead of the source.
        count_octets: of the virtual channel frame count, 0 to 7; without it, no loss of frames is seen.
        bypass: whether frames are of the expedited service instead of the sequence-controlled one.
    """

    map_id: int = 0
    destination: bool = False
    count_octets: int = 4
    bypass: bool = True

    kind = "USLP"
    virtual_channels = 64
    largest_spacecraft_id = 65535
    largest_length_octets = _LARGEST_FRAME
    largest_zone_octets = _ALL_ONES
    fecf_kinds = ("none", "crc16", "crc32")
    # Clause 4.1.4.3.4 completes a zone with an encapsulation idle packet.
    idle_packets = "encapsulation"

    def __post_init__(self) -> None:
        """Raise ConfigError for managed parameters that the standard does not allow."""
        if not 0 <= self.count_octets <= LARGEST_COUNT_OCTETS:
            raise ConfigError(f"USLP count_octets: expected 0 to {LARGEST_COUNT_OCTETS}, found {self.count_octets}")
        if not 0 <= self.map_id < 16:
            raise ConfigError(f"USLP map_id: expected 0 to 15, found {self.map_id}")
        super().__post_init__()

    @property
    def header_octets(self) -> int:
        """Octets ahead of the zone, those of the data field header included."""
        return HEADER_OCTETS + self.count_octets + 1 + POINTER_OCTETS

    @property
    def count_modulus(self) -> int:
        """Values that the virtual channel frame count takes."""
        return 1 << 8 * self.count_octets

    @property
    def idle_virtual_channel(self) -> int:
        """Virtual channel of frames that carry only idle data."""
        return IDLE_VIRTUAL_CHANNEL

    def _headers(
        self,
        n: int,
        virtual_channel: NDArray[np.int64],
        count: NDArray[np.int64],
        pointer: NDArray[np.int64],
        master_count: int,
    ) -> Octets:
        # Clauses 4.1.4.1.5 to 4.1.4.1.9: an idle frame is an access unit of idle data that fills the zone of MAP 0.
        idle = pointer == ONLY_IDLE_DATA
        header = _ROWS.pack(
            n,
            **self._managed,
            virtual_channel=virtual_channel,
            map_id=np.where(idle, 0, self.map_id),
            bypass=np.where(idle, 0, self.bypass),
        )
        data_field = _DATA_FIELD_ROWS.pack(
            n,
            rule=np.where(idle, ACCESS_UNIT_STARTS, PACKETS_SPAN_FRAMES),
            upid=np.where(idle, UPID_IDLE, UPID_PACKETS),
        )
        pointer = np.where(idle, self.zone_octets - 1, pointer % (_ALL_ONES + 1))
        return np.concatenate(
            [header, _big_endian(count, self.count_octets), data_field, _big_endian(pointer, POINTER_OCTETS)], axis=1
        )

    def _read_headers(self, headers: Octets) -> HeaderFields:
        managed = _ROWS.pack(1, **self._managed)
        expected = ~np.any((headers[:, :HEADER_OCTETS] ^ managed) & _ROWS.mask(*_MANAGED), axis=1)
        virtual_channel = _ROWS.unpack(headers, "virtual_channel")
        idle = virtual_channel == IDLE_VIRTUAL_CHANNEL
        data_field = headers[:, HEADER_OCTETS + self.count_octets :]
        packets = _ROWS.unpack(headers, "map_id") == self.map_id
        packets &= _ROWS.unpack(headers, "bypass") == self.bypass
        packets &= _DATA_FIELD_ROWS.unpack(data_field, "rule") == PACKETS_SPAN_FRAMES
        packets &= _DATA_FIELD_ROWS.unpack(data_field, "upid") == UPID_PACKETS
        pointer = _integer(data_field[:, 1:])
        pointer[pointer == _ALL_ONES] = NO_PACKET_STARTS
        pointer[idle] = ONLY_IDLE_DATA
        count = _integer(headers[:, HEADER_OCTETS : HEADER_OCTETS + self.count_octets])
        return HeaderFields(expected & (packets | idle), virtual_channel, count, pointer)

    @property
    def _managed(self) -> dict[str, int]:
        return {
            "version": _VERSION,
            "spacecraft_id": self.spacecraft_id,
            "destination": self.destination,
            "length_minus_one": self.length_octets - 1,
            "ocf": self.ocf,
            "count_octets": self.count_octets,
        }


def _big_endian(values: NDArray[np.int64], octets: int) -> Octets:
    if values.size and not 0 <= int(values.min()) <= int(values.max()) < 256**octets:
        raise FrameError("USLP frame count", expected=f"{octets} octets", found=f"{values.min()} to {values.max()}")
    return values.astype(">i8").view(np.uint8).reshape(-1, 8)[:, 8 - octets :]


def _integer(octets: Octets) -> NDArray[np.int64]:
    value = np.zeros(len(octets), np.int64)
    for column in octets.T:
        value = value << 8 | column
    return value
