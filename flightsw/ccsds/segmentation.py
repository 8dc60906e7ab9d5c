"""Service data units longer than a packet: segmentation and reassembly by sequence flags, CCSDS 133.0-B-2 4.1.3.4.2.

All segments of a unit carry the unit's time, and a unit has at most 2^14 segments. So no two of its segments have the
same sequence count, and segments of different units differ in their time: a loss, even of a whole round of the
sequence count, never joins what does not belong together.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from flightsw.ccsds.packets import Packets
from flightsw.ccsds.space_packet import (
    LARGEST_USER_DATA,
    SEQUENCE_COUNTS,
    Packet,
    SequenceFlags,
    telemetry_packets,
)
from flightsw.errors import FrameError

# A count that is behind by less than this was seen before; otherwise the count ran on, over a loss.
_PAST_COUNTS = SEQUENCE_COUNTS // 16


class ServiceDataUnit(NamedTuple):
    """What was put into one packet or several of an APID, and its time in microseconds."""

    apid: int
    time_us: int
    data: bytes


def segment(unit: ServiceDataUnit, first_count: int, data_octets: int = LARGEST_USER_DATA) -> Packets:
    """Packets with at most data_octets octets of the unit each, whose sequence counts run on from first_count.

    The next unit of the APID goes on with the count first_count + len(packets), modulo 2^14. Raises FrameError for an
    APID or data_octets that does not fit, and for a unit of more than 2^14 segments.
    """
    if not 1 <= data_octets <= LARGEST_USER_DATA:
        raise FrameError("segment", expected=f"1 to {LARGEST_USER_DATA} octets", found=data_octets)
    n = max(1, -(-len(unit.data) // data_octets))
    if n > SEQUENCE_COUNTS:
        raise FrameError(
            "service data unit", expected=f"at most {SEQUENCE_COUNTS * data_octets} octets", found=len(unit.data)
        )
    flags = np.full(n, SequenceFlags.CONTINUATION)
    flags[0] = SequenceFlags.FIRST
    flags[-1] = SequenceFlags.LAST if n > 1 else SequenceFlags.UNSEGMENTED
    time_us = np.full(n, unit.time_us)
    data = np.frombuffer(unit.data, np.uint8)
    whole = data[: (n - 1) * data_octets].reshape(n - 1, data_octets)
    last = data[(n - 1) * data_octets :][None, :]
    parts = [
        telemetry_packets(unit.apid, first_count, time_us[:-1], whole, flags[:-1]),
        telemetry_packets(unit.apid, first_count + n - 1, time_us[-1:], last, flags[-1:]),
    ]
    lengths = np.repeat([part.shape[1] for part in parts], [n - 1, 1])
    return Packets(np.concatenate([part.ravel() for part in parts]), np.concatenate([[0], np.cumsum(lengths)]))


@dataclass(frozen=True, slots=True)
class ReassemblyCounts:
    """Totals of one APID since the start.

    packets: taken in. missing_packets: by the sequence count. steps_back: packets whose count was seen just before.
    units: given back. dropped_units: of which some segment was seen, but not all.
    """

    packets: int = 0
    missing_packets: int = 0
    steps_back: int = 0
    units: int = 0
    dropped_units: int = 0


@dataclass(slots=True)
class _Stream:
    """One APID: the unit under way, if any, and the time of the last unit that was dropped."""

    last_count: int | None = None
    segments: list[bytes] = field(default_factory=list)
    time_us: int = 0
    dropped_time_us: int | None = None
    packets: int = 0
    missing_packets: int = 0
    steps_back: int = 0
    units: int = 0
    dropped_units: int = 0


class Reassembler:
    """Puts service data units of all APIDs together again. A unit of which a segment is missing is dropped."""

    def __init__(self) -> None:
        self._streams: dict[int, _Stream] = {}

    def counts(self, apid: int) -> ReassemblyCounts:
        """Totals of one APID."""
        stream = self._streams.get(apid, _Stream())
        return ReassemblyCounts(*(getattr(stream, name) for name in ReassemblyCounts.__slots__))

    def push(self, packets: Iterable[Packet]) -> list[ServiceDataUnit]:
        """Take in the next packets, in the order of their arrival, and give back the units that they complete."""
        units = []
        for packet in packets:
            stream = self._streams.setdefault(packet.apid, _Stream())
            data = _take(stream, packet)
            if data is not None:
                stream.units += 1
                units.append(ServiceDataUnit(packet.apid, packet.time_us, data))
        return units


def _take(stream: _Stream, packet: Packet) -> bytes | None:
    """Take one packet in; the data of the unit that it completes, if it does."""
    stream.packets += 1
    if stream.last_count is not None:
        missing = (packet.sequence_count - stream.last_count - 1) % SEQUENCE_COUNTS
        if missing >= SEQUENCE_COUNTS - _PAST_COUNTS:
            stream.steps_back += 1
        else:
            stream.missing_packets += missing
        if missing:
            _drop(stream)
    stream.last_count = packet.sequence_count
    if packet.sequence_flags in (SequenceFlags.FIRST, SequenceFlags.UNSEGMENTED):
        _drop(stream)
        if packet.sequence_flags == SequenceFlags.UNSEGMENTED:
            return packet.data
        stream.time_us = packet.time_us
        stream.segments.append(packet.data)
        return None
    if stream.segments and (stream.time_us != packet.time_us or len(stream.segments) == SEQUENCE_COUNTS):
        _drop(stream)
    if not stream.segments:
        if stream.dropped_time_us != packet.time_us:
            stream.dropped_units += 1
            stream.dropped_time_us = packet.time_us
        return None
    stream.segments.append(packet.data)
    if packet.sequence_flags == SequenceFlags.CONTINUATION:
        return None
    unit = b"".join(stream.segments)
    stream.segments.clear()
    return unit


def _drop(stream: _Stream) -> None:
    """Drop the unit under way, if any."""
    if stream.segments:
        stream.dropped_units += 1
        stream.dropped_time_us = stream.time_us
        stream.segments.clear()
