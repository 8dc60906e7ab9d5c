"""Attached sync markers and frame synchronisation: CCSDS 131.0-B-5 section 9.

The synchronizer takes a stream of hard or soft bits in pieces of any size and gives back the codeblocks or frames
between the markers. The standard leaves the strategy to the receiver; this is the usual one:

    SEARCH  every bit position is tried, in both polarities, until one is a marker with few enough errors;
    CHECK   the markers of the following frames must be there too, or the search goes on one bit behind the candidate;
    LOCK    the marker is only looked for where it is due, and a bit or two around; a flywheel carries over a few that
            are missing, and beyond them the search takes up again right behind the last marker that was seen.

No frame is lost to CHECK or to a flywheel that spins in vain: both keep the bits that a new search may need.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Literal

import numpy as np
from numba import njit
from numpy.typing import NDArray

from flightsw.ccsds.coding.galois_field import Octets
from flightsw.errors import ConfigError, FrameError

Llrs = NDArray[np.float32]

ASM_32 = bytes.fromhex("1ACFFC1D")
"""Uncoded, convolutional, Reed-Solomon, concatenated and rate 7/8 LDPC."""
ASM_64 = bytes.fromhex("034776C7272895B0")
"""LDPC of rates 1/2, 2/3 and 4/5, and turbo code of rate 1/2."""

_MAX_MARKER_OCTETS = 8
_MAX_SLIP_BITS = 16

# A window into packed bits is read as whole octets and may touch some behind the last bit.
_PADDING = _MAX_MARKER_OCTETS + 1

# Keeps the sums over a marker finite, whatever a demodulator calls certain.
_LLR_LIMIT = np.float32(1e6)

_SEARCH_BLOCK = 512

# Elements of a pushed piece that are taken in at a time.
_PART = 1 << 18


class SynchronizerState(IntEnum):
    """Where the synchronizer stands."""

    SEARCH = 0
    CHECK = 1
    LOCK = 2


_SEARCH = int(SynchronizerState.SEARCH)
_CHECK = int(SynchronizerState.CHECK)
_LOCK = int(SynchronizerState.LOCK)

_SETTINGS = np.dtype(
    [
        ("marker", np.uint64),
        ("mask", np.uint64),
        ("marker_bits", np.int64),
        ("period_bits", np.int64),
        ("search_errors", np.int64),
        ("check_errors", np.int64),
        ("lock_errors", np.int64),
        ("check_frames", np.int64),
        ("flywheel", np.int64),
        ("slip_bits", np.int64),
    ]
)

# position: SEARCH, first bit to try; CHECK, the candidate; LOCK, where the next marker is due. frames_end: of the last
# frame whose marker was seen. Positions count bits from the start of the stream.
_STATE = np.dtype(
    [
        ("state", np.int64),
        ("inverted", np.bool_),
        ("position", np.int64),
        ("last_marker", np.int64),
        ("frames_end", np.int64),
        ("misses", np.int64),
        ("frames", np.int64),
        ("missed_markers", np.int64),
        ("slips", np.int64),
        ("inverted_frames", np.int64),
        ("lost_locks", np.int64),
        ("rejected", np.int64),
        ("skipped_bits", np.int64),
    ]
)

_FOUND = np.dtype(
    [
        ("position", np.int64),
        ("errors", np.float32),
        ("missed", np.bool_),
        ("inverted", np.bool_),
        ("slip", np.int8),
    ]
)


@dataclass(frozen=True, slots=True)
class SynchronizedFrames:
    """Frames in the order in which they were found, and how each was found.

    frames: uint8 (n, frame_octets) or, from soft bits, float32 (n, 8 frame_octets); polarity is corrected.
    position: int64 (n,), bits from the start of the stream to the frame's marker. After a lost lock it may step back.
    marker_errors: float32 (n,), wrong bits in the marker; of soft bits, their share of the marker's total magnitude.
    missed: bool (n,), no marker was seen and the flywheel placed the frame.
    inverted: bool (n,), the bits came with inverted polarity.
    slip: int8 (n,), bits inserted (positive) or lost (negative) since the previous frame's marker.
    """

    frames: Octets | Llrs
    position: NDArray[np.int64]
    marker_errors: NDArray[np.float32]
    missed: NDArray[np.bool_]
    inverted: NDArray[np.bool_]
    slip: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.position)


@dataclass(frozen=True, slots=True)
class SynchronizerCounts:
    """Totals since the start of the stream.

    bits: taken in. frames: given back. missed_markers: frames among them that only the flywheel placed. slips: markers
    found a bit or two off. inverted: frames with inverted polarity. lost_locks: times the flywheel ran out. rejected:
    candidates that CHECK refused. skipped_bits: bits that are in no frame with a marker.
    """

    bits: int
    frames: int
    missed_markers: int
    slips: int
    inverted: int
    lost_locks: int
    rejected: int
    skipped_bits: int


class FrameSynchronizer:
    """Finds frames of fixed length in a stream of bits at any alignment. Noise is counted, never raised."""

    def __init__(
        self,
        frame_octets: int,
        marker: bytes = ASM_32,
        samples: Literal["octets", "bits", "llrs"] = "octets",
        *,
        search_errors: int | None = None,
        check_errors: int | None = None,
        lock_errors: int | None = None,
        check_frames: int = 1,
        flywheel: int = 2,
        slip_bits: int = 2,
    ) -> None:
        """Set up a search for frames of frame_octets octets, each behind a marker of 1 to 8 octets.

        samples says what push() takes: "octets", packed bits, most significant first; "bits", one to an element;
        "llrs", soft bits, positive for 0. The tolerances are wrong bits in a marker, by default a sixteenth of its bits
        in SEARCH, an eighth in CHECK, a quarter in LOCK. A marker off its due place or of the other polarity must be as
        good as in CHECK. check_frames is the number of further markers that CHECK asks for, flywheel the number of
        missing markers in a row that LOCK bears, slip_bits the greatest slip that LOCK follows.

        Raises ConfigError for values that contradict each other.
        """
        if not 1 <= len(marker) <= _MAX_MARKER_OCTETS:
            raise ConfigError(f"sync marker: expected 1 to {_MAX_MARKER_OCTETS} octets, found {len(marker)}")
        if samples not in ("octets", "bits", "llrs"):
            raise ConfigError(f"synchronizer samples: expected 'octets', 'bits' or 'llrs', found {samples!r}")
        if frame_octets < 1:
            raise ConfigError(f"synchronizer frame_octets: expected at least 1, found {frame_octets}")
        marker_bits = 8 * len(marker)
        tolerances = (
            marker_bits // 16 if search_errors is None else search_errors,
            marker_bits // 8 if check_errors is None else check_errors,
            marker_bits // 4 if lock_errors is None else lock_errors,
        )
        if not 0 <= tolerances[0] <= tolerances[1] <= tolerances[2] < marker_bits / 2:
            raise ConfigError(
                "synchronizer tolerances: expected 0 <= search_errors <= check_errors <= lock_errors < "
                f"{marker_bits // 2}, half the marker, found {tolerances}"
            )
        most_slip = min(_MAX_SLIP_BITS, 4 * frame_octets)
        if check_frames < 0 or flywheel < 0 or not 0 <= slip_bits <= most_slip:
            raise ConfigError(
                "synchronizer check_frames, flywheel, slip_bits: expected none below 0 and slip_bits at most "
                f"{most_slip}, found {(check_frames, flywheel, slip_bits)}"
            )
        self.frame_octets = frame_octets
        self.marker = marker
        self.samples = samples
        self._settings = np.zeros(1, _SETTINGS)
        self._settings[0] = (
            int.from_bytes(marker.ljust(8, b"\0"), "big"),
            int.from_bytes((b"\xff" * len(marker)).ljust(8, b"\0"), "big"),
            marker_bits,
            marker_bits + 8 * frame_octets,
            *tolerances,
            check_frames,
            flywheel,
            slip_bits,
        )
        self._state = np.zeros(1, _STATE)
        self._soft = samples == "llrs"
        self._bits_per_element = 1 if self._soft else 8
        self._frame_elements = 8 * frame_octets // self._bits_per_element
        self._store: NDArray[Any] = np.zeros(_PADDING, np.float32 if self._soft else np.uint8)
        # Elements begin:end of the store are kept; store[0] is element `dropped` of the stream.
        self._begin = self._end = self._dropped = 0
        self._stop = 0

    @property
    def state(self) -> SynchronizerState:
        """Where the synchronizer stands after the last push."""
        return SynchronizerState(int(self._state[0]["state"]))

    @property
    def counts(self) -> SynchronizerCounts:
        """Totals since the start of the stream."""
        state = self._state[0]
        return SynchronizerCounts(
            bits=self._stop,
            frames=int(state["frames"]),
            missed_markers=int(state["missed_markers"]),
            slips=int(state["slips"]),
            inverted=int(state["inverted_frames"]),
            lost_locks=int(state["lost_locks"]),
            rejected=int(state["rejected"]),
            skipped_bits=int(state["skipped_bits"]),
        )

    def push(self, samples: bytes | bytearray | memoryview | NDArray[Any]) -> SynchronizedFrames:
        """Take in the next piece of the stream, of any length, and give back the frames that it completes.

        Raises FrameError if the piece is not one-dimensional or not of the type that the synchronizer was set up for.
        """
        piece = samples if isinstance(samples, np.ndarray) else np.frombuffer(samples, np.uint8)
        kinds, expected = {
            "octets": ("u", "uint8 (n,)"),
            "bits": ("ub", "uint8 or bool (n,)"),
            "llrs": ("f", "floating point (n,)"),
        }[self.samples]
        if piece.ndim != 1 or piece.dtype.kind not in kinds or (not self._soft and piece.dtype.itemsize != 1):
            raise FrameError(f"synchronizer {self.samples}", expected=expected, found=f"{piece.dtype} {piece.shape}")
        batches = []
        # A part at a time, so that the store stays in the cache and small, however long the piece.
        for start in range(0, piece.size, _PART):
            part = piece[start : start + _PART]
            if self.samples == "octets":
                self._append(part)
                self._stop += 8 * part.size
            elif self.samples == "bits":
                self._append_bits(part)
                self._stop += part.size
            else:
                self._append(np.clip(part, -_LLR_LIMIT, _LLR_LIMIT))
                self._stop += part.size
            batches += self._advance(final=False)
        return self._joined(batches)

    def flush(self) -> SynchronizedFrames:
        """End the stream: give back whole frames that still wait for CHECK, and start anew behind the last bit."""
        batches = self._advance(final=True)
        state = self._state[0]
        state["skipped_bits"] += max(0, self._stop - max(state["position"], state["frames_end"]))
        state["state"] = _SEARCH
        # What follows starts on an element of its own.
        self._stop += -self._stop % self._bits_per_element
        state["position"] = state["frames_end"] = self._stop
        self._begin = self._end
        return self._joined(batches)

    def _append(self, elements: NDArray[Any]) -> None:
        kept = self._end - self._begin
        if self._end + elements.size + _PADDING > self._store.size:
            needed = kept + elements.size + _PADDING
            store = self._store if 2 * needed <= self._store.size else np.zeros(2 * needed, self._store.dtype)
            store[:kept] = self._store[self._begin : self._end]
            self._store = store
            self._dropped += self._begin
            self._begin, self._end = 0, kept
        self._store[self._end : self._end + elements.size] = elements
        self._end += elements.size

    def _append_bits(self, bits: NDArray[np.bool_] | Octets) -> None:
        loose = self._stop % 8
        if loose:
            self._end -= 1
            bits = np.concatenate([np.unpackbits(self._store[self._end : self._end + 1], count=loose), bits])
        self._append(np.packbits(bits))

    def _advance(self, *, final: bool) -> list[tuple[Octets | Llrs, NDArray[np.void]]]:
        """Frames, and how they were found, in all bits that are there."""
        origin = self._dropped * self._bits_per_element
        octets = np.zeros(0, np.uint8) if self._soft else self._store
        llrs = self._store if self._soft else np.zeros(0, np.float32)
        capacity = (self._end - self._begin) * self._bits_per_element // int(self._settings[0]["period_bits"]) + 1
        batches = []
        count = capacity
        while count == capacity:
            found = np.zeros(capacity, _FOUND)
            count = _synchronize(octets, llrs, origin, self._stop, final, self._settings, self._state, found)
            if count:
                batches.append((self._extract(octets, llrs, found[:count], origin), found[:count]))
        self._forget(origin)
        return batches

    def _joined(self, batches: list[tuple[Octets | Llrs, NDArray[np.void]]]) -> SynchronizedFrames:
        if not batches:
            frames = np.zeros((0, self._frame_elements), self._store.dtype)
            found = np.zeros(0, _FOUND)
        elif len(batches) == 1:
            frames, found = batches[0]
        else:
            frames = np.concatenate([frames for frames, _ in batches])
            found = np.concatenate([found for _, found in batches])
        return SynchronizedFrames(frames, *(found[name].copy() for name in _FOUND.names or ()))

    def _extract(self, octets: Octets, llrs: Llrs, found: NDArray[np.void], origin: int) -> Octets | Llrs:
        first = found["position"] + int(self._settings[0]["marker_bits"]) - origin
        inverted = np.ascontiguousarray(found["inverted"])
        frames = np.empty((len(found), self._frame_elements), self._store.dtype)
        if self._soft:
            _extract_llrs(llrs, first, inverted, frames)
        else:
            _extract_octets(octets, first, inverted, frames)
        return frames

    def _forget(self, origin: int) -> None:
        """Let go of all elements that lie before what a later step, or a search after a lost lock, may look at."""
        state = self._state[0]
        needed = state["position"]
        if state["state"] == _LOCK:
            needed = min(needed, state["last_marker"])
        self._begin = max(self._begin, (int(needed) - origin) // self._bits_per_element)
        self._begin = min(self._begin, self._end)


def cadu(codeblocks: Octets, marker: bytes = ASM_32) -> Octets:
    """Channel access data units: each codeblock or frame with the marker ahead, uint8 (n, m) to (n, len(marker) + m).

    Raises FrameError for any other shape or type.
    """
    if codeblocks.ndim != 2 or codeblocks.dtype != np.uint8:
        raise FrameError("codeblocks", expected="uint8 (n, m)", found=f"{codeblocks.dtype} {codeblocks.shape}")
    units = np.empty((codeblocks.shape[0], len(marker) + codeblocks.shape[1]), np.uint8)
    units[:, : len(marker)] = np.frombuffer(marker, np.uint8)
    units[:, len(marker) :] = codeblocks
    return units


@njit(cache=True, nogil=True)
def _synchronize(
    octets: Octets,
    llrs: Llrs,
    origin: int,
    stop: int,
    final: bool,
    settings: NDArray[np.void],
    state: NDArray[np.void],
    found: NDArray[np.void],
) -> int:
    """Run the state machine over the bits origin ... stop - 1. Returns the number of frames, at most as many as fit."""
    c = settings[0]
    s = state[0]
    count = 0
    while count < found.size:
        if s.state == _SEARCH:
            at = origin + _search(octets, llrs, s.position - origin, stop - origin, c)
            s.skipped_bits += max(0, at - max(s.position, s.frames_end))
            s.position = at
            if at + c.marker_bits > stop:
                break
            s.inverted = 2 * _marker_errors(octets, llrs, at - origin, c) > c.marker_bits
            s.state = _CHECK
        elif s.state == _CHECK:
            seen = 0
            refused = False
            while seen < c.check_frames and not refused:
                at = s.position + (seen + 1) * c.period_bits
                if at + c.marker_bits > stop:
                    break
                refused = _polar_errors(octets, llrs, at - origin, c, s.inverted) > c.check_errors
                seen += 1
            if refused:
                s.rejected += 1
                s.skipped_bits += s.position >= s.frames_end
                s.position += 1
                s.state = _SEARCH
            elif seen < c.check_frames and not final:
                break
            else:
                s.state = _LOCK
                s.last_marker = s.position
                s.misses = 0
        else:
            if s.position + c.slip_bits + c.marker_bits > stop:
                break
            errors, slip, turned = _look_around(octets, llrs, s.position - origin, c, s.inverted)
            missed = errors > c.lock_errors
            if missed and s.misses == c.flywheel:
                s.lost_locks += 1
                s.position = s.last_marker + c.marker_bits
                s.state = _SEARCH
                continue
            if s.position + slip + c.period_bits > stop:
                break
            s.position += slip
            s.inverted = s.inverted != turned
            frame = found[count]
            frame.position = s.position
            frame.errors = errors
            frame.missed = missed
            frame.inverted = s.inverted
            frame.slip = slip
            count += 1
            s.frames += 1
            s.inverted_frames += s.inverted
            s.slips += slip != 0
            if missed:
                s.misses += 1
                s.missed_markers += 1
            else:
                s.misses = 0
                s.last_marker = s.position
                s.frames_end = s.position + c.period_bits
            s.position += c.period_bits
    return count


@njit(cache=True, nogil=True)
def _look_around(octets: Octets, llrs: Llrs, due: int, c: Any, inverted: bool) -> tuple[float, int, bool]:
    """Errors, slip and change of polarity of the marker that is due: no slip, unless only another place is a marker."""
    due_errors = _polar_errors(octets, llrs, due, c, inverted)
    if due_errors <= c.check_errors:
        return due_errors, 0, False
    best, best_slip, best_turned = due_errors, 0, False
    for slip in range(-c.slip_bits, c.slip_bits + 1):
        errors = _polar_errors(octets, llrs, due + slip, c, inverted)
        turned = errors > c.marker_bits - errors
        errors = min(errors, c.marker_bits - errors)
        if errors <= c.check_errors and errors < best:
            best, best_slip, best_turned = errors, slip, turned
    return best, best_slip, best_turned


@njit(cache=True, nogil=True)
def _polar_errors(octets: Octets, llrs: Llrs, at: int, c: Any, inverted: bool) -> float:
    errors = _marker_errors(octets, llrs, at, c)
    return c.marker_bits - errors if inverted else errors


@njit(cache=True, nogil=True)
def _marker_errors(octets: Octets, llrs: Llrs, at: int, c: Any) -> float:
    """Wrong bits of a marker at a bit of the store; more than half of them say that it is inverted."""
    if llrs.size:
        return _soft_errors(llrs, at, c)
    octet = at >> 3
    window = np.uint64(0)
    for i in range(octet, octet + _MAX_MARKER_OCTETS):
        window = window << np.uint64(8) | np.uint64(octets[i])
    return float(_wrong_bits(window, octets[octet + _MAX_MARKER_OCTETS], at & 7, c.marker, c.mask))


@njit(cache=True, nogil=True)
def _wrong_bits(window: np.uint64, behind: np.uint8, shift: int, marker: np.uint64, mask: np.uint64) -> np.uint64:
    """Set bits in the difference between the marker and 64 bits that start `shift` bits into a window of 72."""
    left = np.uint64(shift)
    x = ((window << left | np.uint64(behind) >> (np.uint64(8) - left)) ^ marker) & mask
    x -= x >> np.uint64(1) & np.uint64(0x5555555555555555)
    x = (x & np.uint64(0x3333333333333333)) + (x >> np.uint64(2) & np.uint64(0x3333333333333333))
    x = (x + (x >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return (x * np.uint64(0x0101010101010101)) >> np.uint64(56)


@njit(cache=True, nogil=True)
def _soft_errors(llrs: Llrs, at: int, c: Any) -> float:
    """Share of the magnitude that is on the wrong side, in bits.

    Where most bits say next to nothing, the few others would too easily pass for a marker: half of it is wrong then.
    """
    wrong = total = energy = 0.0
    for i in range(c.marker_bits):
        llr = llrs[at + i]
        total += abs(llr)
        energy += llr * llr
        one = (c.marker >> np.uint64(63 - i)) & np.uint64(1)
        if (llr < 0) != (one == 1):
            wrong += abs(llr)
    if total > 0 and 2 * total * total >= c.marker_bits * energy:
        return float(c.marker_bits * wrong / total)
    return float(c.marker_bits / 2)


@njit(cache=True, nogil=True)
def _search(octets: Octets, llrs: Llrs, start: int, stop: int, c: Any) -> int:
    """First place from start on where a whole marker of either polarity is, or the first where none fits any more."""
    end = stop - c.marker_bits + 1
    if end <= start:
        return start
    if llrs.size:
        return _search_soft(llrs, start, end, c)
    return _search_hard(octets, start, end, c)


@njit(cache=True, nogil=True)
def _search_hard(octets: Octets, start: int, end: int, c: Any) -> int:
    few = np.uint64(c.search_errors)
    many = np.uint64(c.marker_bits - c.search_errors)
    marker = c.marker
    mask = c.mask
    first = start >> 3
    window = np.uint64(0)
    for i in range(first, first + _MAX_MARKER_OCTETS):
        window = window << np.uint64(8) | np.uint64(octets[i])
    for octet in range(first, ((end - 1) >> 3) + 1):
        behind = octets[octet + _MAX_MARKER_OCTETS]
        hits = 0
        for shift in range(8):
            wrong = _wrong_bits(window, behind, shift, marker, mask)
            hits += int(wrong <= few or wrong >= many)
        if hits:
            for at in range(max(start, 8 * octet), min(end, 8 * octet + 8)):
                wrong = _wrong_bits(window, behind, at & 7, marker, mask)
                if wrong <= few or wrong >= many:
                    return at
        window = window << np.uint64(8) | np.uint64(behind)
    return end


@njit(cache=True, nogil=True)
def _search_soft(llrs: Llrs, start: int, end: int, c: Any) -> int:
    # Bit by bit of the marker over a block of places, so that the sums of a block advance side by side. A hair of slack
    # keeps rounding from hiding a place; _soft_errors has the last word.
    least = np.float32((1 - 2 * c.search_errors / c.marker_bits) * 0.999)
    correlation = np.empty(_SEARCH_BLOCK, np.float32)
    magnitude = np.empty(_SEARCH_BLOCK, np.float32)
    for block in range(start, end, _SEARCH_BLOCK):
        places = min(_SEARCH_BLOCK, end - block)
        correlation[:] = 0
        magnitude[:] = 0
        for bit in range(c.marker_bits):
            one = (c.marker >> np.uint64(63 - bit)) & np.uint64(1)
            sign = np.float32(-1.0) if one == 1 else np.float32(1.0)
            piece = llrs[block + bit : block + bit + places]
            for place in range(places):
                correlation[place] += sign * piece[place]
                magnitude[place] += abs(piece[place])
        for place in range(places):
            if abs(correlation[place]) >= least * magnitude[place]:
                errors = _soft_errors(llrs, block + place, c)
                if min(errors, c.marker_bits - errors) <= c.search_errors:
                    return block + place
    return end


@njit(cache=True, nogil=True)
def _extract_octets(octets: Octets, first: NDArray[np.int64], inverted: NDArray[np.bool_], frames: Octets) -> None:
    for row in range(frames.shape[0]):
        at = first[row] >> 3
        left = np.uint32(first[row] & 7)
        right = np.uint32(8) - left
        flip = np.uint8(255 if inverted[row] else 0)
        for i in range(frames.shape[1]):
            frames[row, i] = (octets[at + i] << left | octets[at + i + 1] >> right) ^ flip


@njit(cache=True, nogil=True)
def _extract_llrs(llrs: Llrs, first: NDArray[np.int64], inverted: NDArray[np.bool_], frames: Llrs) -> None:
    for row in range(frames.shape[0]):
        sign = np.float32(-1.0 if inverted[row] else 1.0)
        piece = llrs[first[row] : first[row] + frames.shape[1]]
        for i in range(piece.size):
            frames[row, i] = sign * piece[i]
