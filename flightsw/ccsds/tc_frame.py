"""TC transfer frames, CCSDS 232.0-B-4 clause 4.1, their segment header (4.1.3.2.2) and control commands (4.1.3.3)."""

from collections.abc import Iterator
from typing import NamedTuple

from construct import BitsInteger, BitStruct, Flag

from flightsw.ccsds.header_rows import build_header
from flightsw.ccsds.space_packet import SequenceFlags
from flightsw.ccsds.transfer_frame import FECF_OCTETS, Fecf, with_fecf, without_fecf
from flightsw.errors import FrameError

HEADER = BitStruct(
    "version" / BitsInteger(2),
    "bypass" / Flag,
    "control_command" / Flag,
    "spare" / BitsInteger(2),
    "spacecraft_id" / BitsInteger(10),
    "virtual_channel" / BitsInteger(6),
    "length_minus_one" / BitsInteger(10),
    "sequence_number" / BitsInteger(8),
)
HEADER_OCTETS = 5
SEGMENT_HEADER = BitStruct("sequence_flags" / BitsInteger(2), "map_id" / BitsInteger(6))

UNLOCK = b"\x00"
"""Data field of the control command that ends a lockout."""

# One octet less than the information of a codeblock.
_LARGEST_FILL = 6

_SET_V_R = b"\x82\x00"


class TcFrame(NamedTuple):
    """One frame. bypass is set in type B frames, control_command where data is one for the receiver itself."""

    spacecraft_id: int
    virtual_channel: int
    sequence_number: int
    data: bytes
    bypass: bool = False
    control_command: bool = False


class Segment(NamedTuple):
    """Data field of a frame of a virtual channel that uses segment headers."""

    map_id: int
    data: bytes
    flags: SequenceFlags = SequenceFlags.UNSEGMENTED


def build(frame: TcFrame, fecf: Fecf = "crc16") -> bytes:
    """Octets of one frame. Raises FrameError for a field that does not fit, and for an empty data field."""
    _require_fecf(fecf)
    if not frame.data:
        raise FrameError("TC data field", expected="at least 1 octet", found=0)
    header = build_header(
        HEADER,
        version=0,
        bypass=frame.bypass,
        control_command=frame.control_command,
        spare=0,
        spacecraft_id=frame.spacecraft_id,
        virtual_channel=frame.virtual_channel,
        length_minus_one=HEADER_OCTETS + len(frame.data) + FECF_OCTETS[fecf] - 1,
        sequence_number=frame.sequence_number,
    )
    return with_fecf(header + frame.data, fecf)


def parse(octets: bytes, fecf: Fecf = "crc16") -> TcFrame:
    """One frame from its octets. Raises FrameError for a wrong length, check or field."""
    length = frame_octets(octets, fecf)
    if length != len(octets):
        raise FrameError("TC frame length", expected=length, found=len(octets))
    contents = without_fecf("TC frame", octets, fecf)
    header = HEADER.parse(contents[:HEADER_OCTETS])
    if header.spare:
        raise FrameError("TC spare bits", expected=0, found=header.spare)
    if header.control_command and not header.bypass:
        raise FrameError("TC bypass and control command flags", expected="00, 10 or 11", found="01")
    return TcFrame(
        header.spacecraft_id,
        header.virtual_channel,
        header.sequence_number,
        contents[HEADER_OCTETS:],
        header.bypass,
        header.control_command,
    )


def frame_octets(octets: bytes, fecf: Fecf = "crc16") -> int:
    """Length of the frame at the start of the octets, by its header. Raises FrameError if that cannot be one."""
    _require_fecf(fecf)
    if len(octets) < HEADER_OCTETS:
        raise FrameError("TC frame", expected=f"a header of {HEADER_OCTETS} octets", found=len(octets))
    header = HEADER.parse(octets[:HEADER_OCTETS])
    if header.version != 0:
        raise FrameError("TC frame version", expected=0, found=header.version)
    least = HEADER_OCTETS + 1 + FECF_OCTETS[fecf]
    if header.length_minus_one + 1 < least:
        raise FrameError("TC frame length", expected=f"at least {least}", found=header.length_minus_one + 1)
    length: int = header.length_minus_one + 1
    return length


def split(data: bytes, fecf: Fecf = "crc16") -> Iterator[TcFrame]:
    """Frames at the start of what a CLTU carried, end to end; behind them, fill that makes a codeblock whole.

    Raises FrameError at the first frame that is not whole or not right.
    """
    at = 0
    while at < len(data):
        rest = data[at:]
        try:
            length = frame_octets(rest, fecf)
            frame = parse(rest[:length], fecf)
        except FrameError:
            if len(rest) <= _LARGEST_FILL:
                return
            raise
        yield frame
        at += length


def set_v_r(value: int) -> bytes:
    """Data field of the control command that sets the next expected sequence number. Raises FrameError if not 0-255."""
    if not 0 <= value < 256:
        raise FrameError("V(R)", expected="0 to 255", found=value)
    return _SET_V_R + bytes([value])


def build_segment(segment: Segment) -> bytes:
    """Octets of a segment. Raises FrameError for a MAP identifier that does not fit."""
    return build_header(SEGMENT_HEADER, sequence_flags=segment.flags, map_id=segment.map_id) + segment.data


def parse_segment(octets: bytes) -> Segment:
    """Segment from the data field of a frame. Raises FrameError if it is empty."""
    if not octets:
        raise FrameError("TC segment", expected="at least 1 octet", found=0)
    header = SEGMENT_HEADER.parse(octets[:1])
    return Segment(header.map_id, octets[1:], SequenceFlags(header.sequence_flags))


def _require_fecf(fecf: Fecf) -> None:
    if fecf not in ("none", "crc16"):
        raise FrameError("TC frame error control field", expected="none or crc16", found=fecf)
