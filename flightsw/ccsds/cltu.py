"""Communications link transmission units: CCSDS 231.0-B-4 section 3 (BCH code), 5 (CLTU) and 6 (randomizer).

A CLTU is a start sequence, codeblocks of the code BCH(63,56) and a tail sequence that is no codeblock: the receiver
takes codeblocks until the first that it cannot decode.

The randomizer covers the frames. Whether it also covers the fill of the last codeblock makes no difference to a
receiver, which delimits frames by their length; implementations differ, so that is a parameter.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from flightsw.ccsds.coding.randomizer import Randomizer
from flightsw.errors import FrameError

Octets = NDArray[np.uint8]

START_SEQUENCE = b"\xeb\x90"
TAIL_SEQUENCE = bytes.fromhex("C5C5C5C5C5C5C579")
FILL = 0x55
INFORMATION_OCTETS = 7
CODEBLOCK_OCTETS = 8

_START = int.from_bytes(START_SEQUENCE, "big")
_START_BITS = 16
_CODEBLOCK_BITS = 8 * CODEBLOCK_OCTETS
_GENERATOR = 0xC5
_PARITY_BITS = 7
_PARITY = np.uint8(0x7F)
_UNCORRECTABLE = -1

# A start sequence at any bit and the codeblock behind it: until then nobody knows whether a CLTU begins there.
_UNDECIDED_OCTETS = 11

# Codeblocks that are decoded at a time: few at first, for most start sequences in noise are false ones.
_FIRST_BATCH = 4
_LARGEST_BATCH = 4096


class Cltu(NamedTuple):
    """What one CLTU of a stream carried: whole frames and fill, end to end.

    position is the bit of the stream where the start sequence begins; codeblocks the number of good ones, and corrected
    that of those with a wrong bit. tail says that an undecodable codeblock ended it, not the end of the stream.
    """

    data: bytes
    position: int
    codeblocks: int
    corrected: int
    tail: bool


@dataclass(frozen=True, slots=True)
class CltuCounts:
    """Totals of one stream.

    start_sequences: found. false_starts: of those, with no good codeblock behind them. codeblocks: good ones.
    corrected: of those, with a wrong bit.
    """

    start_sequences: int
    false_starts: int
    codeblocks: int
    corrected: int


def encode(frames: bytes, randomize: bool = False, randomize_fill: bool = False) -> bytes:
    """CLTU of one or more frames end to end. Raises FrameError if there is none."""
    if not frames:
        raise FrameError("CLTU", expected="at least 1 octet", found=0)
    fill = bytes([FILL]) * (-len(frames) % INFORMATION_OCTETS)
    if not randomize:
        data = frames + fill
    elif randomize_fill:
        data = _randomized(frames + fill)
    else:
        data = _randomized(frames) + fill
    codeblocks = bch_encode(np.frombuffer(data, np.uint8).reshape(-1, INFORMATION_OCTETS))
    return START_SEQUENCE + codeblocks.tobytes() + TAIL_SEQUENCE


def decode(
    stream: bytes | Octets, randomized: bool = False, start_errors: int = 1, correct: bool = True
) -> tuple[list[Cltu], CltuCounts]:
    """CLTUs in a stream of octets, at any bit of it, in order; and counts. Noise is counted, never raised.

    start_errors is the number of wrong bits borne in a start sequence; with correct=False the code only detects errors,
    up to three in a codeblock. Raises FrameError for an array that is not uint8 (n,).
    """
    octets = np.frombuffer(stream, np.uint8) if isinstance(stream, bytes) else stream
    if octets.ndim != 1 or octets.dtype != np.uint8:
        raise FrameError("CLTU stream", expected="uint8 (n,)", found=f"{octets.dtype} {octets.shape}")
    found = []
    candidates = false_starts = resume = 0
    for position in _start_positions(octets, start_errors).tolist():
        if position < resume:
            continue
        candidates += 1
        information, corrected, tail = _codeblocks(octets, position + _START_BITS, correct)
        if not len(information):
            false_starts += 1
            continue
        # Like the receiver of clause 5.3, which looks for no start sequence in codeblocks that are good.
        resume = position + _START_BITS + _CODEBLOCK_BITS * len(information)
        data = information.tobytes()
        found.append(Cltu(_randomized(data) if randomized else data, position, len(information), corrected, tail))
    counts = CltuCounts(
        candidates,
        false_starts,
        sum(cltu.codeblocks for cltu in found),
        sum(cltu.corrected for cltu in found),
    )
    return found, counts


class CltuReceiver:
    """Takes CLTUs out of a stream that comes in pieces of any length, once each is whole.

    Attributes:
        overlong: CLTUs that were dropped because they had no end in sight.
    """

    def __init__(self, longest_octets: int = 1 << 14) -> None:
        """`longest_octets`: of a CLTU, with its start and tail sequences."""
        self._longest = longest_octets
        self._held = b""
        self.overlong = 0

    def push(self, octets: bytes) -> list[bytes]:
        """What the CLTUs that these octets complete carried: whole frames and fill, end to end."""
        if not octets:
            return []
        self._held += octets
        found, _ = decode(self._held)
        whole = [each for each in found if each.tail]
        # what may still become a start sequence stays, and what is behind the last codeblock that was given out
        keep = len(self._held) - _UNDECIDED_OCTETS
        if whole:
            keep = max(keep, whole[-1].position // 8 + len(START_SEQUENCE) + CODEBLOCK_OCTETS * whole[-1].codeblocks)
        if len(found) > len(whole):
            keep = found[-1].position // 8
            if len(self._held) - keep > self._longest:
                self.overlong += 1
                keep = len(self._held)
        self._held = self._held[max(keep, 0) :]
        return [each.data for each in whole]


def bch_encode(information: Octets) -> Octets:
    """Codeblocks, uint8 (n, 8), of information, uint8 (n, 7): complemented parity and a zero filler bit behind it.

    Raises FrameError for any other shape or type.
    """
    _require("BCH information", information, INFORMATION_OCTETS)
    codeblocks = np.empty((len(information), CODEBLOCK_OCTETS), np.uint8)
    codeblocks[:, :-1] = information
    codeblocks[:, -1] = (_parity(information) ^ _PARITY) << 1
    return codeblocks


def bch_decode(codeblocks: Octets, correct: bool = True) -> tuple[Octets, NDArray[np.int8]]:
    """Information, uint8 (n, 7), of codeblocks, uint8 (n, 8), and the bits corrected in each, int8 (n,).

    The latter is 0 or 1, or -1 where the codeblock is not to be had: two wrong bits always, three or more sometimes;
    with correct=False, where any bit is wrong. The filler bit is not looked at. Raises FrameError for any other shape
    or type.
    """
    _require("BCH codeblocks", codeblocks, CODEBLOCK_OCTETS)
    syndromes = _parity(codeblocks[:, :-1]) ^ (codeblocks[:, -1] >> 1) ^ _PARITY
    corrected = np.where(syndromes == 0, np.int8(0), np.int8(_UNCORRECTABLE))
    information = codeblocks[:, :-1].copy()
    if correct:
        corrected[_IS_SINGLE_ERROR[syndromes]] = 1
        information ^= _SINGLE_ERRORS[syndromes]
    return information, corrected


def _parity(information: Octets) -> Octets:
    parity = np.zeros(len(information), np.uint8)
    for table, octets in zip(_PARITIES, information.T, strict=True):
        parity ^= table[octets]
    return parity


def _remainder(polynomial: int, bits: int) -> int:
    """Remainder of a polynomial of that many bits, times x^7, by the generator."""
    polynomial <<= _PARITY_BITS
    for bit in range(bits + _PARITY_BITS - 1, _PARITY_BITS - 1, -1):
        if polynomial >> bit & 1:
            polynomial ^= _GENERATOR << (bit - _PARITY_BITS)
    return polynomial


def _parity_table() -> Octets:
    """uint8 (7, 256): [octet, value] is the parity of that information octet alone."""
    bits = 8 * INFORMATION_OCTETS
    table = np.zeros((INFORMATION_OCTETS, 256), np.uint8)
    for octet in range(INFORMATION_OCTETS):
        for value in range(256):
            table[octet, value] = _remainder(value << 8 * (INFORMATION_OCTETS - 1 - octet), bits)
    return table


def _single_error_tables() -> tuple[NDArray[np.bool_], Octets]:
    """For each syndrome, bool (128,) whether it is that of one wrong bit, and uint8 (128, 7) that information bit."""
    single = np.zeros(1 << _PARITY_BITS, np.bool_)
    errors = np.zeros((1 << _PARITY_BITS, INFORMATION_OCTETS), np.uint8)
    single[1 << np.arange(_PARITY_BITS)] = True
    for octet in range(INFORMATION_OCTETS):
        for bit in range(8):
            syndrome = _PARITIES[octet, 1 << bit]
            single[syndrome] = True
            errors[syndrome, octet] = 1 << bit
    return single, errors


def _start_positions(octets: Octets, errors: int) -> NDArray[np.int64]:
    """Bits of the stream at which a start sequence with few enough errors begins, in order."""
    if len(octets) < 2:
        return np.zeros(0, np.int64)
    padded = np.append(octets, np.uint8(0)).astype(np.uint32)
    windows = padded[:-2] << 16 | padded[1:-1] << 8 | padded[2:]
    wrong = np.stack([np.bitwise_count(windows >> (8 - shift) & 0xFFFF ^ _START) for shift in range(8)], axis=1).ravel()
    wrong = wrong[: 8 * len(octets) - _START_BITS + 1]
    return np.flatnonzero(wrong <= errors)


def _codeblocks(octets: Octets, first_bit: int, correct: bool) -> tuple[Octets, int, bool]:
    """Information of the good codeblocks from a bit of the stream on; how many were corrected; if a bad one follows."""
    parts = [np.zeros((0, INFORMATION_OCTETS), np.uint8)]
    corrected = 0
    batch = _FIRST_BATCH
    while True:
        n = min(batch, (8 * len(octets) - first_bit) // _CODEBLOCK_BITS)
        if n == 0:
            return np.concatenate(parts), corrected, False
        information, bits = bch_decode(_aligned(octets, first_bit, n).reshape(n, CODEBLOCK_OCTETS), correct)
        bad = np.flatnonzero(bits == _UNCORRECTABLE)
        good = int(bad[0]) if len(bad) else n
        parts.append(information[:good])
        corrected += int(bits[:good].sum())
        if good < n:
            return np.concatenate(parts), corrected, True
        first_bit += n * _CODEBLOCK_BITS
        batch = min(2 * batch, _LARGEST_BATCH)


def _aligned(octets: Octets, first_bit: int, n_codeblocks: int) -> Octets:
    """Octets of codeblocks that begin at any bit of the stream."""
    at, shift = divmod(first_bit, 8)
    window = octets[at : at + n_codeblocks * CODEBLOCK_OCTETS + 1].astype(np.uint16)
    if shift == 0:
        return window[: n_codeblocks * CODEBLOCK_OCTETS].astype(np.uint8)
    return (window[:-1] << shift | window[1:] >> (8 - shift)).astype(np.uint8)


def _randomized(data: bytes) -> bytes:
    return _RANDOMIZER.apply(np.frombuffer(data, np.uint8)[None, :]).tobytes()


def _require(what: str, rows: Octets, length: int) -> None:
    if rows.ndim != 2 or rows.shape[1] != length or rows.dtype != np.uint8:
        raise FrameError(what, expected=f"uint8 (n, {length})", found=f"{rows.dtype} {rows.shape}")


_PARITIES = _parity_table()
_IS_SINGLE_ERROR, _SINGLE_ERRORS = _single_error_tables()
_RANDOMIZER = Randomizer("tc")
