"""What TM, AOS and USLP transfer frames have in common: arrays of many frames of one physical channel.

A frame is primary header, data zone, operational control field if there is one, frame error control field if there is
one. The managed parameters are those of a FrameFormat; a frame that contradicts them belongs to somebody else or is
damaged. Packets run through the data zones of a virtual channel without regard to where a frame ends, and the first
header pointer of each frame says where in its zone the first packet begins.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flightsw.ccsds.coding.crc import crc16, crc16_rows, crc32, crc32_rows
from flightsw.errors import ConfigError, FrameError

Octets = NDArray[np.uint8]
Fecf = Literal["none", "crc16", "crc32"]

NO_PACKET_STARTS = -1
"""First header pointer of a zone in which no packet begins, whatever its code on the wire."""
ONLY_IDLE_DATA = -2
"""First header pointer of a frame that carries only idle data, whatever its code on the wire."""

LARGEST_ZONE_11_BIT = 0x7FE
"""Octets of a zone all of which a first header pointer of 11 bits can point to, beside its two codes."""

OCF_OCTETS = 4
FECF_OCTETS: dict[Fecf, int] = {"none": 0, "crc16": 2, "crc32": 4}


_POINTER_CODES_11_BIT = {NO_PACKET_STARTS: 0x7FF, ONLY_IDLE_DATA: 0x7FE}


class FrameStatus(IntEnum):
    """What the receiver found: a good frame, a wrong frame error control field, or a header that is not as managed."""

    GOOD = 0
    CHECK_FAILED = 1
    HEADER_UNEXPECTED = 2


@dataclass(frozen=True, slots=True)
class FrameFields:
    """Fields of n received frames. All but status mean something only where the status is GOOD.

    status: uint8 (n,), of FrameStatus.
    virtual_channel, count: int64 (n,), virtual channel and its frame count.
    pointer: int64 (n,), first header pointer, or NO_PACKET_STARTS or ONLY_IDLE_DATA.
    zones: uint8 (n, zone_octets), a view of the frames.
    ocf: uint8 (n, 4), a view of the frames, or None.
    corrected: uint8 (n,), header symbols that the frame header error control corrected; only AOS has one.
    """

    status: Octets
    virtual_channel: NDArray[np.int64]
    count: NDArray[np.int64]
    pointer: NDArray[np.int64]
    zones: Octets
    ocf: Octets | None
    corrected: Octets


@dataclass(frozen=True, slots=True)
class HeaderFields:
    """What a format reads in the headers of n frames; expected is False where they are not as managed."""

    expected: NDArray[np.bool_]
    virtual_channel: NDArray[np.int64]
    count: NDArray[np.int64]
    pointer: NDArray[np.int64]


@dataclass(frozen=True)
class FrameFormat(ABC):
    """Managed parameters of a physical channel with frames of one length, and what follows from them.

    Attributes:
        length_octets: of a frame, from the header to the frame error control field.
        spacecraft_id: of the master channel.
        fecf: frame error control field, "none", "crc16" or (USLP only) "crc32".
        ocf: whether frames carry an operational control field.
    """

    length_octets: int
    spacecraft_id: int
    fecf: Fecf = "crc16"
    ocf: bool = False

    kind: ClassVar[str]
    virtual_channels: ClassVar[int]
    largest_spacecraft_id: ClassVar[int]
    largest_length_octets: ClassVar[int]
    largest_zone_octets: ClassVar[int]
    fecf_kinds: ClassVar[tuple[Fecf, ...]] = ("none", "crc16")
    idle_packets: ClassVar[Literal["space", "encapsulation"]] = "space"
    idle_channel_carries_packets: ClassVar[bool] = False

    def __post_init__(self) -> None:
        """Raise ConfigError for managed parameters that the standard does not allow."""
        if self.fecf not in self.fecf_kinds:
            raise ConfigError(f"{self.kind} fecf: expected one of {self.fecf_kinds}, found {self.fecf!r}")
        if not 0 <= self.spacecraft_id <= self.largest_spacecraft_id:
            raise ConfigError(
                f"{self.kind} spacecraft_id: expected 0 to {self.largest_spacecraft_id}, found {self.spacecraft_id}"
            )
        around = self.length_octets - self.zone_octets
        largest = min(self.largest_length_octets, self.largest_zone_octets + around)
        if not around < self.length_octets <= largest:
            raise ConfigError(
                f"{self.kind} length_octets: expected {around + 1} to {largest} with these fields, "
                f"found {self.length_octets}"
            )

    @property
    def zone_octets(self) -> int:
        """Octets of packets in a frame."""
        return self.length_octets - self.header_octets - (OCF_OCTETS if self.ocf else 0) - FECF_OCTETS.get(self.fecf, 0)

    @property
    @abstractmethod
    def header_octets(self) -> int:
        """Octets ahead of the zone."""

    @property
    @abstractmethod
    def count_modulus(self) -> int:
        """Values that the virtual channel frame count takes."""

    @property
    @abstractmethod
    def idle_virtual_channel(self) -> int:
        """Virtual channel of frames that carry only idle data."""

    @abstractmethod
    def _headers(
        self,
        n: int,
        virtual_channel: NDArray[np.int64],
        count: NDArray[np.int64],
        pointer: NDArray[np.int64],
        master_count: int,
    ) -> Octets:
        """Headers, uint8 (n, header_octets)."""

    @abstractmethod
    def _read_headers(self, headers: Octets) -> HeaderFields:
        """Fields of headers, uint8 (n, header_octets)."""

    def _correct(self, frames: Octets) -> tuple[Octets, Octets, NDArray[np.bool_]]:
        """Frames with corrected headers; symbols corrected, uint8 (n,); where that was impossible, bool (n,)."""
        return frames, np.zeros(len(frames), np.uint8), np.zeros(len(frames), np.bool_)

    def build(
        self,
        zones: Octets,
        virtual_channel: ArrayLike,
        count: ArrayLike,
        pointer: ArrayLike,
        *,
        master_count: int = 0,
        ocf: bytes | Octets | None = None,
    ) -> Octets:
        """Frames, uint8 (n, length_octets), around data zones, uint8 (n, zone_octets).

        virtual_channel, count and pointer are one value or (n,); pointer may be NO_PACKET_STARTS or ONLY_IDLE_DATA.
        master_count is the first frame's master channel frame count, which only TM has. ocf is one field of 4 octets
        for all frames, or uint8 (n, 4), where the format has one.

        Raises FrameError for a shape, type or value that does not fit.
        """
        _require(f"{self.kind} zones", zones, self.zone_octets)
        n = len(zones)
        pointers = np.broadcast_to(np.asarray(pointer, np.int64), n)
        if n:
            require_pointer(self.kind, int(pointers.min()), self.zone_octets)
            require_pointer(self.kind, int(pointers.max()), self.zone_octets)
        frames = np.empty((n, self.length_octets), np.uint8)
        at = self.header_octets
        frames[:, :at] = self._headers(
            n,
            np.broadcast_to(np.asarray(virtual_channel, np.int64), n),
            np.broadcast_to(np.asarray(count, np.int64), n),
            pointers,
            master_count,
        )
        frames[:, at : at + self.zone_octets] = zones
        at += self.zone_octets
        ocf_rows = self.ocf_rows(ocf, n)
        if ocf_rows is not None:
            frames[:, at : at + OCF_OCTETS] = ocf_rows
        if self.fecf == "crc16":
            frames[:, -2:] = crc16_rows(frames[:, :-2]).astype(">u2").view(np.uint8).reshape(n, 2)
        elif self.fecf == "crc32":
            frames[:, -4:] = crc32_rows(frames[:, :-4]).astype(">u4").view(np.uint8).reshape(n, 4)
        return frames

    def ocf_rows(self, ocf: bytes | Octets | None, n: int) -> Octets | None:
        """The operational control field of n frames, uint8 (4,) or (n, 4), or None if the format has none.

        Raises FrameError for anything else, and for one that is missing or that has no place.
        """
        if ocf is None and not self.ocf:
            return None
        rows = np.frombuffer(ocf or b"", np.uint8) if ocf is None or isinstance(ocf, bytes) else ocf
        if not self.ocf or rows.dtype != np.uint8 or rows.shape not in ((OCF_OCTETS,), (n, OCF_OCTETS)):
            raise FrameError(
                f"{self.kind} operational control field",
                expected=f"4 octets or uint8 ({n}, 4)" if self.ocf else "none in this format",
                found=f"{rows.dtype} {rows.shape}",
            )
        return rows

    def read(self, frames: Octets) -> FrameFields:
        """Check frames, uint8 (n, length_octets), and read their fields. Damage is told by the status, never raised.

        Raises FrameError for any other shape or type.
        """
        _require(f"{self.kind} frames", frames, self.length_octets)
        frames, corrected, uncorrectable = self._correct(frames)
        fields = self._read_headers(frames[:, : self.header_octets])
        expected = fields.expected & ~uncorrectable
        expected &= (fields.pointer >= ONLY_IDLE_DATA) & (fields.pointer < self.zone_octets)
        status = np.where(expected, np.uint8(FrameStatus.GOOD), np.uint8(FrameStatus.HEADER_UNEXPECTED))
        if self.fecf != "none":
            wrong = (crc16_rows(frames) if self.fecf == "crc16" else crc32_rows(frames)) != 0
            status[wrong] = FrameStatus.CHECK_FAILED
        at = self.header_octets + self.zone_octets
        return FrameFields(
            status,
            fields.virtual_channel,
            fields.count,
            fields.pointer,
            frames[:, self.header_octets : at],
            frames[:, at : at + OCF_OCTETS] if self.ocf else None,
            corrected,
        )


def pointer_codes(pointers: ArrayLike) -> NDArray[np.int64]:
    """First header pointers as the 11 bits of TM and AOS frames."""
    codes = np.array(pointers, np.int64)
    for meaning, code in _POINTER_CODES_11_BIT.items():
        codes[codes == meaning] = code
    return codes


def pointers_of_codes(codes: ArrayLike) -> NDArray[np.int64]:
    """First header pointers from the 11 bits of TM and AOS frames."""
    pointers = np.array(codes, np.int64)
    for meaning, code in _POINTER_CODES_11_BIT.items():
        pointers[pointers == code] = meaning
    return pointers


def require_pointer(kind: str, pointer: int, zone_octets: int) -> None:
    """Raise FrameError for a first header pointer that points beyond its zone."""
    if not ONLY_IDLE_DATA <= pointer < zone_octets:
        raise FrameError(f"{kind} first header pointer", expected=f"below {zone_octets}", found=pointer)


def with_fecf(frame: bytes, fecf: Fecf) -> bytes:
    """A frame without its frame error control field, and that field behind it."""
    if fecf == "crc16":
        return frame + crc16(frame).to_bytes(2, "big")
    if fecf == "crc32":
        return frame + crc32(frame).to_bytes(4, "big")
    return frame


def without_fecf(what: str, frame: bytes, fecf: Fecf) -> bytes:
    """A frame without its frame error control field. Raises FrameError if that is wrong."""
    octets = FECF_OCTETS[fecf]
    if not octets:
        return frame
    if len(frame) < octets:
        raise FrameError(what, expected=f"at least {octets} octets", found=len(frame))
    contents = frame[:-octets]
    expected = (crc16 if fecf == "crc16" else crc32)(contents).to_bytes(octets, "big")
    if frame[-octets:] != expected:
        raise FrameError(f"{what} error control field", expected=expected.hex(), found=frame[-octets:].hex())
    return contents


def _require(what: str, rows: Octets, length: int) -> None:
    if rows.ndim != 2 or rows.shape[1] != length or rows.dtype != np.uint8:
        raise FrameError(what, expected=f"uint8 (n, {length})", found=f"{rows.dtype} {rows.shape}")
