"""TM transfer frames, CCSDS 132.0-B-3 clause 4.1: one at a time, and many of one physical channel at once."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from construct import BitsInteger, BitStruct, Flag
from numpy.typing import NDArray

from flightsw.ccsds.header_rows import HeaderRows, build_header
from flightsw.ccsds.transfer_frame import (
    LARGEST_ZONE_11_BIT,
    OCF_OCTETS,
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
from flightsw.errors import ConfigError, FrameError

HEADER = BitStruct(
    "version" / BitsInteger(2),
    "spacecraft_id" / BitsInteger(10),
    "virtual_channel" / BitsInteger(3),
    "ocf" / Flag,
    "master_count" / BitsInteger(8),
    "count" / BitsInteger(8),
    "secondary_header" / Flag,
    "synchronization" / Flag,
    "packet_order" / Flag,
    "segment_length" / BitsInteger(2),
    "pointer" / BitsInteger(11),
)
HEADER_OCTETS = 6
SECONDARY_HEADER = BitStruct("version" / BitsInteger(2), "length" / BitsInteger(6))

_VERSION = 0
_UNSEGMENTED = 3
_COUNTS = 256
_ROWS = HeaderRows(HEADER)
_MANAGED = ("version", "spacecraft_id", "ocf", "secondary_header", "synchronization", "segment_length")


class TmFrame(NamedTuple):
    """One frame. zone is what lies between the headers and the operational control field.

    pointer is the first header pointer, or NO_PACKET_STARTS or ONLY_IDLE_DATA. With the synchronization flag the zone
    holds virtual channel access data instead of packets, and pointer is a number of 11 bits without meaning here.
    """

    spacecraft_id: int
    virtual_channel: int
    master_count: int
    frame_count: int
    pointer: int
    zone: bytes
    ocf: bytes | None = None
    secondary_header: bytes | None = None
    synchronization: bool = False


def build(frame: TmFrame, fecf: Fecf = "crc16") -> bytes:
    """Octets of one frame. Raises FrameError for a field that does not fit."""
    if frame.ocf is not None and len(frame.ocf) != OCF_OCTETS:
        raise FrameError("TM operational control field", expected=f"{OCF_OCTETS} octets", found=len(frame.ocf))
    pointer = frame.pointer
    if not frame.synchronization:
        require_pointer("TM", pointer, len(frame.zone))
        pointer = int(pointer_codes(pointer))
    header = build_header(
        HEADER,
        version=_VERSION,
        spacecraft_id=frame.spacecraft_id,
        virtual_channel=frame.virtual_channel,
        ocf=frame.ocf is not None,
        master_count=frame.master_count,
        count=frame.frame_count,
        secondary_header=frame.secondary_header is not None,
        synchronization=frame.synchronization,
        packet_order=False,
        segment_length=_UNSEGMENTED,
        pointer=pointer,
    )
    if frame.secondary_header is not None:
        header += build_header(SECONDARY_HEADER, version=0, length=len(frame.secondary_header))
        header += frame.secondary_header
    return with_fecf(header + frame.zone + (frame.ocf or b""), fecf)


def parse(octets: bytes, fecf: Fecf = "crc16") -> TmFrame:
    """One frame from its octets. Raises FrameError for a wrong length, check or field."""
    contents = without_fecf("TM frame", octets, fecf)
    if len(contents) < HEADER_OCTETS:
        raise FrameError("TM frame", expected=f"a header of {HEADER_OCTETS} octets", found=len(contents))
    header = HEADER.parse(contents[:HEADER_OCTETS])
    if header.version != _VERSION:
        raise FrameError("TM frame version", expected=_VERSION, found=header.version)
    rest = contents[HEADER_OCTETS:]
    secondary_header = None
    if header.secondary_header:
        secondary_header, rest = _split_secondary_header(rest)
    ocf = None
    if header.ocf:
        if len(rest) < OCF_OCTETS:
            raise FrameError("TM operational control field", expected=f"{OCF_OCTETS} octets", found=len(rest))
        rest, ocf = rest[:-OCF_OCTETS], rest[-OCF_OCTETS:]
    pointer = header.pointer
    if not header.synchronization:
        if header.segment_length != _UNSEGMENTED:
            raise FrameError("TM segment length identifier", expected=_UNSEGMENTED, found=header.segment_length)
        pointer = int(pointers_of_codes(pointer))
        require_pointer("TM", pointer, len(rest))
    return TmFrame(
        header.spacecraft_id,
        header.virtual_channel,
        header.master_count,
        header.count,
        pointer,
        rest,
        ocf,
        secondary_header,
        header.synchronization,
    )


def _split_secondary_header(octets: bytes) -> tuple[bytes, bytes]:
    if not octets:
        raise FrameError("TM secondary header", expected="at least 1 octet", found=0)
    header = SECONDARY_HEADER.parse(octets[:1])
    if header.version != 0:
        raise FrameError("TM secondary header version", expected=0, found=header.version)
    if header.length >= len(octets):
        raise FrameError("TM secondary header", expected=f"{header.length} octets", found=len(octets) - 1)
    return octets[1 : 1 + header.length], octets[1 + header.length :]


@dataclass(frozen=True)
class TmFormat(FrameFormat):
    """Managed parameters of a channel of TM frames that carry packets, without a secondary header.

    Attributes:
        idle_virtual_channel: of frames that carry only idle data; it may carry packets as well.
    """

    idle_virtual_channel: int = 7

    kind = "TM"
    virtual_channels = 8
    largest_spacecraft_id = 1023
    largest_length_octets = 2048
    largest_zone_octets = LARGEST_ZONE_11_BIT
    idle_channel_carries_packets = True

    def __post_init__(self) -> None:
        """Raise ConfigError for managed parameters that the standard does not allow."""
        super().__post_init__()
        if not 0 <= self.idle_virtual_channel < self.virtual_channels:
            raise ConfigError(f"TM idle_virtual_channel: expected 0 to 7, found {self.idle_virtual_channel}")

    @property
    def header_octets(self) -> int:
        """Octets ahead of the zone."""
        return HEADER_OCTETS

    @property
    def count_modulus(self) -> int:
        """Values that the virtual channel frame count takes."""
        return _COUNTS

    def _headers(
        self,
        n: int,
        virtual_channel: NDArray[np.int64],
        count: NDArray[np.int64],
        pointer: NDArray[np.int64],
        master_count: int,
    ) -> Octets:
        return _ROWS.pack(
            n,
            **self._managed,
            virtual_channel=virtual_channel,
            master_count=(master_count + np.arange(n)) % _COUNTS,
            count=count,
            pointer=pointer_codes(pointer),
        )

    def _read_headers(self, headers: Octets) -> HeaderFields:
        managed = _ROWS.pack(1, **self._managed)
        return HeaderFields(
            ~np.any((headers ^ managed) & _ROWS.mask(*_MANAGED), axis=1),
            _ROWS.unpack(headers, "virtual_channel"),
            _ROWS.unpack(headers, "count"),
            pointers_of_codes(_ROWS.unpack(headers, "pointer")),
        )

    @property
    def _managed(self) -> dict[str, int]:
        return {
            "version": _VERSION,
            "spacecraft_id": self.spacecraft_id,
            "ocf": self.ocf,
            "segment_length": _UNSEGMENTED,
        }
