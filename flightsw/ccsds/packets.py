"""Packets end to end in a stream of octets, and their extraction from the zones of transfer frames.

Two kinds of packet say their own length: space packets (packet version number 0, CCSDS 133.0-B-2 clause 4.1.3) and
encapsulation packets (7, CCSDS 133.1-B-3 clause 4.1.2).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numba import njit
from numpy.typing import NDArray

from flightsw.ccsds.transfer_frame import NO_PACKET_STARTS
from flightsw.errors import FrameError

Octets = NDArray[np.uint8]

LONGEST_PACKET = 65542
"""The longest space packet. Encapsulation packets may be longer by their standard, but are refused here."""

# No packet but an idle one is shorter.
_SHORTEST_DATA_PACKET = 2

_HEADER_CUT = 0
_MALFORMED = -1

_STATE = np.dtype(
    [
        ("at", np.int64),
        ("packets", np.int64),
        ("idle_packets", np.int64),
        ("dropped_packets", np.int64),
        ("contradictions", np.int64),
    ]
)
_UNSYNCHRONIZED = -1


@dataclass(frozen=True, slots=True)
class Packets:
    """Whole packets end to end.

    octets: uint8 (m,). fences: int64 (n + 1,), packet i is octets[fences[i] : fences[i + 1]].
    """

    octets: Octets
    fences: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.fences) - 1

    def __iter__(self) -> Iterator[bytes]:
        octets = self.octets.tobytes()
        fences = self.fences.tolist()
        return (octets[begin:end] for begin, end in pairwise(fences))


@dataclass(frozen=True, slots=True)
class ExtractionCounts:
    """Totals since the start.

    packets: given back. idle_packets: left out. dropped_packets: begun, but not received to their end.
    contradictions: places where a packet's length and the first header pointer disagree, or where no packet is.
    """

    packets: int
    idle_packets: int
    dropped_packets: int
    contradictions: int


class PacketExtractor:
    """Puts the packets of one virtual channel together again from the zones of its frames."""

    def __init__(self) -> None:
        self._state = np.zeros(1, _STATE)
        self._state["at"] = _UNSYNCHRONIZED
        self._carry = np.zeros(0, np.uint8)

    @property
    def counts(self) -> ExtractionCounts:
        """Totals since the start."""
        state = self._state[0]
        return ExtractionCounts(*(int(state[name]) for name in ExtractionCounts.__slots__))

    def push(self, zones: Octets, pointers: NDArray[np.int64], after_loss: NDArray[np.bool_]) -> Packets:
        """Whole packets, without idle ones, that the next frames complete.

        zones is uint8 (n, zone_octets), pointers int64 (n,) with first header pointers or NO_PACKET_STARTS, after_loss
        bool (n,), true where frames are missing ahead of this one. Whatever the octets are, nothing is raised.
        """
        n, zone_octets = zones.shape
        base = len(self._carry)
        stream = np.empty(base + zones.size, np.uint8)
        stream[:base] = self._carry
        stream[base:].reshape(n, zone_octets)[:] = zones
        octets = np.empty_like(stream)
        # Pages that are never written to cost nothing.
        fences = np.empty(len(stream) // _SHORTEST_DATA_PACKET + 2, np.int64)
        found = _extract(stream, base, zone_octets, pointers, after_loss, self._state, octets, fences)
        at = int(self._state[0]["at"])
        self._carry = stream[len(stream) if at == _UNSYNCHRONIZED else at :].copy()
        if at != _UNSYNCHRONIZED:
            self._state["at"] = 0
        fences = fences[: found + 1].copy()
        return Packets(octets[: fences[-1]], fences)


def delimit(stream: bytes | bytearray | memoryview | Octets) -> Packets:
    """Whole packets end to end, found by their lengths; a copy of the stream.

    Raises FrameError at the first octet that begins no packet, and where the last packet is cut.
    """
    octets = np.array(np.frombuffer(stream, np.uint8) if not isinstance(stream, np.ndarray) else stream)
    if octets.ndim != 1 or octets.dtype != np.uint8:
        raise FrameError("packets", expected="uint8 (n,)", found=f"{octets.dtype} {octets.shape}")
    fences = np.empty(len(octets) + 1, np.int64)
    found, at = _delimit(octets, fences)
    if at != len(octets):
        version = int(octets[at] >> 5)
        if version not in (0, 7):
            raise FrameError(f"packet version at octet {at}", expected="0 or 7", found=version)
        raise FrameError(f"packet at octet {at}", expected="a whole packet", found=f"{len(octets) - at} octets")
    return Packets(octets, fences[: found + 1].copy())


@njit(cache=True, nogil=True)
def _packet_octets(stream: Octets, at: int, stop: int) -> int:
    """Length of the packet at an octet of the stream, which ends at `stop`; or _HEADER_CUT or _MALFORMED."""
    if at >= stop:
        return _HEADER_CUT
    version = stream[at] >> 5
    if version == 0:
        if at + 6 > stop:
            return _HEADER_CUT
        return 7 + 256 * int(stream[at + 4]) + int(stream[at + 5])
    if version != 7:
        return _MALFORMED
    length_of_length = int(stream[at] & 3)
    header = 1 << length_of_length
    if at + header > stop:
        return _HEADER_CUT
    if length_of_length == 0:
        return 1 if _is_idle(stream, at) else _MALFORMED
    length = 0
    for i in range(at + header // 2, at + header):
        length = 256 * length + int(stream[i])
    return length if header <= length <= LONGEST_PACKET else _MALFORMED


@njit(cache=True, nogil=True)
def _is_idle(stream: Octets, at: int) -> bool:
    """Whether the packet at an octet of the stream, its header whole, is an idle one."""
    if stream[at] >> 5 == 0:
        return bool(stream[at] & 7 == 7 and stream[at + 1] == 0xFF)
    return bool(stream[at] & 0x1C == 0)


@njit(cache=True, nogil=True)
def _delimit(stream: Octets, fences: NDArray[np.int64]) -> tuple[int, int]:
    """Number of whole packets, whose ends go to fences, and where the next one would begin."""
    found = 0
    at = 0
    fences[0] = 0
    while True:
        octets = _packet_octets(stream, at, stream.size)
        if octets <= 0 or at + octets > stream.size:
            return found, at
        at += octets
        found += 1
        fences[found] = at


@njit(cache=True, nogil=True)
def _extract(
    stream: Octets,
    base: int,
    zone_octets: int,
    pointers: NDArray[np.int64],
    after_loss: NDArray[np.bool_],
    states: NDArray[np.void],
    packets: Octets,
    fences: NDArray[np.int64],
) -> int:
    """Copy the whole packets of the stream, zones from `base` on, to `packets`. Returns how many.

    state.at is where the packet under way begins, in the stream.
    """
    state = states[0]
    found = 0
    written = 0
    fences[0] = 0
    for frame in range(pointers.size):
        start = base + frame * zone_octets
        stop = start + zone_octets
        if after_loss[frame] and state.at != _UNSYNCHRONIZED:
            state.dropped_packets += state.at < start
            state.at = _UNSYNCHRONIZED
        if state.at != _UNSYNCHRONIZED:
            next_start = state.at
            if next_start < start:
                octets = _packet_octets(stream, state.at, stop)
                if octets == _MALFORMED:
                    next_start = -1
                elif octets == _HEADER_CUT:
                    next_start = stop
                else:
                    next_start += octets
            due = next_start - start if next_start < stop else NO_PACKET_STARTS
            if next_start < start or due != pointers[frame]:
                state.dropped_packets += state.at < start
                state.contradictions += 1
                state.at = _UNSYNCHRONIZED
        if state.at == _UNSYNCHRONIZED:
            if pointers[frame] == NO_PACKET_STARTS:
                continue
            state.at = start + pointers[frame]
        while True:
            octets = _packet_octets(stream, state.at, stop)
            if octets == _MALFORMED:
                state.contradictions += 1
                state.at = _UNSYNCHRONIZED
                break
            if octets == _HEADER_CUT or state.at + octets > stop:
                break
            if _is_idle(stream, state.at):
                state.idle_packets += 1
            else:
                packets[written : written + octets] = stream[state.at : state.at + octets]
                written += octets
                found += 1
                fences[found] = written
                state.packets += 1
            state.at += octets
    return found
