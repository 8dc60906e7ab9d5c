"""AOS transfer frames, CCSDS 732.0-B-4 clause 4.1: one at a time, and many of one physical channel at once.

The data field of a frame holds an M_PDU (packets, 4.1.4.2), a B_PDU (a bitstream, 4.1.4.3), access data or, on virtual
channel 63, only idle data. Arrays of frames are for packets.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from construct import BitsInteger, BitStruct, Flag
from numpy.typing import NDArray

from flightsw.ccsds.frame_header_error_control import CHECK_OCTETS, check_octets, correct
from flightsw.ccsds.header_rows import HeaderRows, build_header
from flightsw.ccsds.transfer_frame import (
    LARGEST_ZONE_11_BIT,
    OCF_OCTETS,
    ONLY_IDLE_DATA,
    Fecf,
    FrameFormat,
    HeaderFields,
    Octets,
    pointer_codes,
    pointers_of_codes,
    require_pointer,
    with_fecf,
    without_fecf,
)
from flightsw.errors import FrameError

HEADER = BitStruct(
    "version" / BitsInteger(2),
    "spacecraft_id" / BitsInteger(8),
    "virtual_channel" / BitsInteger(6),
    "count" / BitsInteger(24),
    "replay" / Flag,
    "cycle_in_use" / Flag,
    "spare" / BitsInteger(2),
    "cycle" / BitsInteger(4),
)
HEADER_OCTETS = 6
M_PDU_HEADER = BitStruct("spare" / BitsInteger(5), "pointer" / BitsInteger(11))
B_PDU_HEADER = BitStruct("spare" / BitsInteger(2), "pointer" / BitsInteger(14))
PDU_HEADER_OCTETS = 2
IDLE_VIRTUAL_CHANNEL = 63

_VERSION = 1
_COUNT_BITS = 24
_CYCLE_BITS = 4
_ALL_BITS_VALID = 0x3FFF
_NO_BITS_VALID = 0x3FFE

_ROWS = HeaderRows(HEADER)
_M_PDU_ROWS = HeaderRows(M_PDU_HEADER)
_MANAGED = ("version", "spacecraft_id", "cycle_in_use", "spare")


class AosFrame(NamedTuple):
    """One frame. data is its data field, between header and operational control field.

    frame_count has 24 bits, or 28 with cycle_in_use, when the virtual channel frame count cycle extends it.
    """

    spacecraft_id: int
    virtual_channel: int
    frame_count: int
    data: bytes
    ocf: bytes | None = None
    replay: bool = False
    cycle_in_use: bool = False


class Bitstream(NamedTuple):
    """The data zone of a B_PDU, whole octets, and how many of its bits are valid, from the first."""

    octets: bytes
    valid_bits: int


def build(frame: AosFrame, fecf: Fecf = "crc16", header_error_control: bool = False) -> bytes:
    """Octets of one frame. Raises FrameError for a field that does not fit."""
    if frame.ocf is not None and len(frame.ocf) != OCF_OCTETS:
        raise FrameError("AOS operational control field", expected=f"{OCF_OCTETS} octets", found=len(frame.ocf))
    count_bits = _COUNT_BITS + (_CYCLE_BITS if frame.cycle_in_use else 0)
    if not 0 <= frame.frame_count < 1 << count_bits:
        raise FrameError("AOS frame count", expected=f"0 to {(1 << count_bits) - 1}", found=frame.frame_count)
    header = build_header(
        HEADER,
        version=_VERSION,
        spacecraft_id=frame.spacecraft_id,
        virtual_channel=frame.virtual_channel,
        count=frame.frame_count % (1 << _COUNT_BITS),
        replay=frame.replay,
        cycle_in_use=frame.cycle_in_use,
        spare=0,
        cycle=frame.frame_count >> _COUNT_BITS,
    )
    if header_error_control:
        header += check_octets(np.frombuffer(header, np.uint8)[None, :]).tobytes()
    return with_fecf(header + frame.data + (frame.ocf or b""), fecf)


def parse(octets: bytes, fecf: Fecf = "crc16", ocf: bool = False, header_error_control: bool = False) -> AosFrame:
    """One frame from its octets, its header corrected if it has an error control field.

    Raises FrameError for a wrong length, check or field.
    """
    header_octets = HEADER_OCTETS + (CHECK_OCTETS if header_error_control else 0)
    least = header_octets + (OCF_OCTETS if ocf else 0)
    if header_error_control and len(octets) >= header_octets:
        octets = _corrected(octets)
    contents = without_fecf("AOS frame", octets, fecf)
    if len(contents) < least:
        raise FrameError("AOS frame", expected=f"at least {least} octets", found=len(contents))
    header = HEADER.parse(contents[:HEADER_OCTETS])
    if header.version != _VERSION:
        raise FrameError("AOS frame version", expected=_VERSION, found=header.version)
    if header.spare:
        raise FrameError("AOS spare bits", expected=0, found=header.spare)
    data_end = len(contents) - (OCF_OCTETS if ocf else 0)
    return AosFrame(
        header.spacecraft_id,
        header.virtual_channel,
        header.count + (header.cycle << _COUNT_BITS if header.cycle_in_use else 0),
        contents[header_octets:data_end],
        contents[data_end:] if ocf else None,
        header.replay,
        header.cycle_in_use,
    )


def build_m_pdu(pointer: int, zone: bytes) -> bytes:
    """Data field with packets; pointer is the first header pointer, NO_PACKET_STARTS or ONLY_IDLE_DATA.

    Raises FrameError for a pointer that does not fit.
    """
    require_pointer("AOS", pointer, len(zone))
    return build_header(M_PDU_HEADER, spare=0, pointer=int(pointer_codes(pointer))) + zone


def parse_m_pdu(data: bytes) -> tuple[int, bytes]:
    """First header pointer and packet zone of a data field. Raises FrameError for a wrong length or field."""
    header = _parse_pdu_header("M_PDU", M_PDU_HEADER, data)
    zone = data[PDU_HEADER_OCTETS:]
    pointer = int(pointers_of_codes(header))
    require_pointer("AOS", pointer, len(zone))
    return pointer, zone


def build_b_pdu(bitstream: Bitstream) -> bytes:
    """Data field with a bitstream. Raises FrameError if the valid bits are more than there are, or cannot be told."""
    octets, valid_bits = bitstream
    bits = 8 * len(octets)
    if not 0 <= valid_bits <= bits:
        raise FrameError("B_PDU valid bits", expected=f"0 to {bits}", found=valid_bits)
    if valid_bits == bits:
        pointer = _ALL_BITS_VALID
    elif valid_bits == 0:
        pointer = _NO_BITS_VALID
    elif valid_bits > _NO_BITS_VALID:
        raise FrameError("B_PDU valid bits", expected=f"{bits}, or at most {_NO_BITS_VALID}", found=valid_bits)
    else:
        pointer = valid_bits - 1
    return build_header(B_PDU_HEADER, spare=0, pointer=pointer) + octets


def parse_b_pdu(data: bytes) -> Bitstream:
    """Bitstream of a data field. Raises FrameError for a wrong length or field."""
    pointer = _parse_pdu_header("B_PDU", B_PDU_HEADER, data)
    octets = data[PDU_HEADER_OCTETS:]
    if pointer == _ALL_BITS_VALID:
        return Bitstream(octets, 8 * len(octets))
    if pointer == _NO_BITS_VALID:
        return Bitstream(octets, 0)
    if pointer >= 8 * len(octets):
        raise FrameError("B_PDU pointer", expected=f"below {8 * len(octets)}", found=pointer)
    return Bitstream(octets, pointer + 1)


def _parse_pdu_header(what: str, declaration: BitStruct, data: bytes) -> int:
    if len(data) < PDU_HEADER_OCTETS:
        raise FrameError(what, expected=f"a header of {PDU_HEADER_OCTETS} octets", found=len(data))
    header = declaration.parse(data[:PDU_HEADER_OCTETS])
    if header.spare:
        raise FrameError(f"{what} spare bits", expected=0, found=header.spare)
    pointer: int = header.pointer
    return pointer


def _corrected(octets: bytes) -> bytes:
    header_octets = HEADER_OCTETS + CHECK_OCTETS
    header, _, uncorrectable = correct(np.frombuffer(octets[:header_octets], np.uint8)[None, :])
    if uncorrectable[0]:
        raise FrameError("AOS header", expected="at most 2 wrong symbols", found=f"more, in {octets[:8].hex()}")
    return header.tobytes() + octets[header_octets:]


@dataclass(frozen=True)
class AosFormat(FrameFormat):
    """Managed parameters of a channel of AOS frames that carry packets.

    Attributes:
        header_error_control: whether headers carry their own error control field.
        count_cycle: whether the virtual channel frame count has 28 bits instead of 24.
    """

    header_error_control: bool = False
    count_cycle: bool = False

    kind = "AOS"
    virtual_channels = 64
    largest_spacecraft_id = 255
    largest_length_octets = 2048
    largest_zone_octets = LARGEST_ZONE_11_BIT

    @property
    def header_octets(self) -> int:
        """Octets ahead of the zone, those of the M_PDU header included."""
        return HEADER_OCTETS + (CHECK_OCTETS if self.header_error_control else 0) + PDU_HEADER_OCTETS

    @property
    def count_modulus(self) -> int:
        """Values that the virtual channel frame count takes."""
        return 1 << (_COUNT_BITS + (_CYCLE_BITS if self.count_cycle else 0))

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
        header = _ROWS.pack(
            n,
            **self._managed,
            virtual_channel=virtual_channel,
            count=count % (1 << _COUNT_BITS),
            cycle=count >> _COUNT_BITS,
        )
        parts = [header, _M_PDU_ROWS.pack(n, pointer=pointer_codes(pointer))]
        if self.header_error_control:
            parts.insert(1, check_octets(header))
        return np.concatenate(parts, axis=1)

    def _correct(self, frames: Octets) -> tuple[Octets, Octets, NDArray[np.bool_]]:
        if not self.header_error_control:
            return super()._correct(frames)
        at = HEADER_OCTETS + CHECK_OCTETS
        headers, corrected, uncorrectable = correct(frames[:, :at])
        if corrected.any():
            frames = frames.copy()
            frames[:, :at] = headers
        return frames, corrected, uncorrectable

    def _read_headers(self, headers: Octets) -> HeaderFields:
        managed = _ROWS.pack(1, **self._managed)
        virtual_channel = _ROWS.unpack(headers, "virtual_channel")
        count = _ROWS.unpack(headers, "count")
        if self.count_cycle:
            count |= _ROWS.unpack(headers, "cycle") << _COUNT_BITS
        m_pdu = headers[:, -PDU_HEADER_OCTETS:]
        pointer = pointers_of_codes(_M_PDU_ROWS.unpack(m_pdu, "pointer"))
        # An idle frame has no M_PDU header, so nothing is known of what stands in its place.
        idle = virtual_channel == IDLE_VIRTUAL_CHANNEL
        pointer[idle] = ONLY_IDLE_DATA
        expected = ~np.any((headers[:, :HEADER_OCTETS] ^ managed) & _ROWS.mask(*_MANAGED), axis=1)
        expected &= idle | (_M_PDU_ROWS.unpack(m_pdu, "spare") == 0)
        return HeaderFields(expected, virtual_channel, count, pointer)

    @property
    def _managed(self) -> dict[str, int]:
        return {"version": _VERSION, "spacecraft_id": self.spacecraft_id, "cycle_in_use": self.count_cycle}
