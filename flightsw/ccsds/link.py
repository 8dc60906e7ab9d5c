"""From transfer frames to the bits of the line and back, by a link profile.

```
 frames --> block code --> randomizer --> interleaver --> sync marker --> convolutional code --> line
 frames <-- FECF <-- block decoder <-- randomizer <-- deinterleaver <-- synchronizer <-- Viterbi <-- line
```

CCSDS 131.0-B-5 gives the order (clauses 9 and 10): the randomizer restarts with each codeblock, does not cover the
marker, and comes before the convolutional code. The interleaver is beamlock's own, see `flightsw.ccsds.interleaver`.
A decoder never raises on noise: it counts.
"""

from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from flightsw.ccsds.coding.convolutional import ConvolutionalCode, ViterbiDecoder, hard_llr
from flightsw.ccsds.coding.crc import crc16_rows
from flightsw.ccsds.coding.ldpc import QuasiCyclicLdpc
from flightsw.ccsds.coding.randomizer import Randomizer
from flightsw.ccsds.coding.reed_solomon import ReedSolomon
from flightsw.ccsds.coding.synchronizer import FrameSynchronizer, SynchronizedFrames, cadu
from flightsw.ccsds.interleaver import Deinterleaver, Interleaver, span_of
from flightsw.ccsds.profile import LinkProfile
from flightsw.errors import ConfigError, FrameError

Octets = NDArray[np.uint8]
Llrs = NDArray[np.float32]
_LDPC_ITERATIONS = 30
# From hard decisions a bit is as sure as a channel that just lets the code work.
_HARD_LLR = np.float32(4.0)
_PHASE_SYMBOLS = 16_384


@dataclass(slots=True)
class LinkStatistics:
    """What a decoder saw.

    frames: good ones, given out; corrected_symbols: in them, octets of Reed-Solomon or bits of LDPC; uncorrectable:
    codeblocks beyond the code; bad_checks: frames whose FECF is wrong; lost: frames that were due between
    the first and the last marker seen and did not come out; bit_slips, missed_markers, lost_locks: of the synchronizer.
    corrected_frames: good frames that needed correction.
    """

    frames: int = 0
    corrected_frames: int = 0
    corrected_symbols: int = 0
    uncorrectable: int = 0
    bad_checks: int = 0
    lost: int = 0
    bit_slips: int = 0
    missed_markers: int = 0
    lost_locks: int = 0

    def as_dict(self) -> dict[str, int]:
        """Counts by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def interleaver_span(profile: LinkProfile, line_rate_hz: float | None, unit_octets: int) -> int:
    """Units over which the channel interleaver of a profile spreads a codeblock, 1 where it has none.

    Raises ConfigError for an interleaver without the line rate in Hz, which turns its depth into units.
    """
    depth_s = profile.coding.interleaver_ms * 1e-3
    if depth_s == 0.0:
        return 1
    if line_rate_hz is None:
        raise ConfigError("interleaver: expected the line rate, which turns its depth in ms into units; found none")
    return span_of(depth_s, line_rate_hz, 8 * unit_octets)


def line_octets(unit_octets: int, convolutional: str) -> float:
    """Octets of the line that a unit, codeblock and marker, takes behind a convolutional code of that rate, or none."""
    if convolutional == "none":
        return float(unit_octets)
    information, symbols = convolutional.split("/")
    return unit_octets * int(symbols) / int(information)


def require_frames(frames: Octets, length: int) -> None:
    """Raise FrameError for what is not uint8 (n, length)."""
    if frames.ndim != 2 or frames.shape[1] != length:
        raise FrameError("transfer frames", expected=f"uint8 (n, {length})", found=f"{frames.dtype} {frames.shape}")


class LinkEncoder:
    """The sending side. `line_rate_hz` is needed with an interleaver only."""

    def __init__(self, profile: LinkProfile, line_rate_hz: float | None = None) -> None:
        coding = profile.coding
        self.profile = profile
        self._code = coding.block_code()
        self._randomizer = None if coding.randomizer == "none" else Randomizer(coding.randomizer)
        self.codeblock_octets = profile.frame.length_octets if self._code is None else self._code.n_out
        self.unit_octets = self.codeblock_octets + len(coding.marker)
        self._interleaver = Interleaver(
            self.codeblock_octets, interleaver_span(profile, line_rate_hz, self.unit_octets)
        )
        self._convolutional = (
            None if coding.convolutional == "none" else ConvolutionalCode(coding.convolutional).encoder()
        )

    @property
    def line_octets_per_frame(self) -> float:
        """Octets of the line that one transfer frame takes."""
        return line_octets(self.unit_octets, self.profile.coding.convolutional)

    def encode(self, frames: Octets) -> Octets:
        """Octets of the line, (m,), for frames uint8 (n, length). Raises FrameError for frames of another length."""
        require_frames(frames, self.profile.frame.length_octets)
        codeblocks = frames if self._code is None else self._code.encode(frames)
        if self._randomizer is not None:
            codeblocks = self._randomizer.apply(codeblocks)
        return self._to_line(self._interleaver.push(codeblocks))

    def flush(self) -> Octets:
        """What is still under way in interleaver and convolutional code."""
        octets = self._to_line(self._interleaver.flush())
        if self._convolutional is not None:
            octets = np.concatenate([octets, self._convolutional.flush()[0]])
        return octets

    def _to_line(self, rows: Octets) -> Octets:
        octets = cadu(rows, self.profile.coding.marker).reshape(-1)
        return octets if self._convolutional is None else self._convolutional.encode(octets[None, :])[0]


class LinkDecoder:
    """The receiving side: push what comes from the line, take good frames.

    samples: "octets" for hard bits, packed; "llrs" for soft bits, positive for 0.
    """

    def __init__(
        self,
        profile: LinkProfile,
        samples: Literal["octets", "llrs"] = "octets",
        line_rate_hz: float | None = None,
    ) -> None:
        coding = profile.coding
        self.profile = profile
        self.statistics = LinkStatistics()
        self._samples = samples
        self._code = coding.block_code()
        self._randomizer = None if coding.randomizer == "none" else Randomizer(coding.randomizer)
        codeblock_octets = profile.frame.length_octets if self._code is None else self._code.n_out
        self._unit_bits = 8 * (codeblock_octets + len(coding.marker))
        self._viterbi: ViterbiDecoder | None = None
        # soft bits are worth keeping up to the block decoder only where it can use them
        self._soft = samples == "llrs" and coding.convolutional == "none" and isinstance(self._code, QuasiCyclicLdpc)
        self._synchronizer = FrameSynchronizer(codeblock_octets, coding.marker, "llrs" if self._soft else "octets")
        columns = codeblock_octets * (8 if self._soft else 1)
        span = interleaver_span(profile, line_rate_hz, codeblock_octets + len(coding.marker))
        self._deinterleaver = Deinterleaver(columns, span, 8 if self._soft else 1)
        self._signs: Llrs | None = None
        if self._soft and self._randomizer is not None:
            self._signs = (1.0 - 2.0 * np.unpackbits(self._randomizer.sequence(codeblock_octets))).astype(np.float32)
        self._held: list[Octets | Llrs] = []
        self._unpacked = np.zeros(0, np.bool_)
        self._first_bit = -1
        self._units = 0

    def push(self, received: Octets | Llrs) -> Octets:
        """Good frames, uint8 (n, length), that are complete after `received`: uint8 (m,) packed, or float32 (m,)."""
        bits = self._decode_convolutional(received)
        return self._blocks(self._synchronizer.push(bits)) if bits is not None else self._no_frames()

    def flush(self) -> Octets:
        """The frames that are still under way."""
        parts = []
        if len(self._unpacked):
            parts.append(self._pack(np.zeros(8 - len(self._unpacked), np.bool_)))
        if self.profile.coding.convolutional != "none":
            if self._viterbi is None and self._held:
                parts.append(self._start_viterbi())
            if self._viterbi is not None:
                parts.append(self._viterbi.flush()[0][0])
        frames = [self._blocks(self._synchronizer.push(part)) for part in parts]
        frames.append(self._blocks(self._synchronizer.flush()))
        return np.concatenate(frames)

    def _no_frames(self) -> Octets:
        return np.zeros((0, self.profile.frame.length_octets), np.uint8)

    def _decode_convolutional(self, received: Octets | Llrs) -> Octets | Llrs | None:
        """Bits ahead of the convolutional code; None while the place in its puncture period is not known."""
        if self.profile.coding.convolutional == "none":
            if self._soft or self._samples == "octets":
                return received
            return self._pack(np.asarray(received, np.float32) < 0.0)
        if self._viterbi is not None:
            decoded: Octets = self._viterbi.decode(self._as_soft(received))[0][0]
            return decoded
        self._held.append(received)
        symbols = sum(len(piece) for piece in self._held) * (1 if self._samples == "llrs" else 8)
        return self._start_viterbi() if symbols >= _PHASE_SYMBOLS else None

    def _pack(self, ones: NDArray[np.bool_]) -> Octets:
        """Whole octets of a stream of bits; the rest waits for the next piece."""
        bits = np.concatenate([self._unpacked, ones])
        whole = len(bits) // 8 * 8
        self._unpacked = bits[whole:]
        return np.packbits(bits[:whole])

    def _as_soft(self, received: NDArray[Any]) -> Llrs | NDArray[np.int8]:
        if self._samples == "llrs":
            return np.asarray(received, np.float32)[None, :]
        return hard_llr(np.asarray(received, np.uint8)[None, :])

    def _start_viterbi(self) -> Octets:
        """Find the phase of the stream, that under which the decoder changes the fewest symbols, and start with it."""
        rate = self.profile.coding.convolutional
        assert rate != "none", "called with a convolutional code only"
        code = ConvolutionalCode(rate)
        soft = self._as_soft(np.concatenate([np.asarray(piece) for piece in self._held]))
        self._held = []
        trial = soft[:, :_PHASE_SYMBOLS]
        changes = [
            int(code.decode_soft(trial, phase=phase, known_start=False)[1].corrected[0])
            for phase in range(code.period_symbols)
        ]
        self._viterbi = code.decoder(1, phase=int(np.argmin(changes)), known_start=False)
        decoded: Octets = self._viterbi.decode(soft)[0][0]
        return decoded

    def _blocks(self, found: SynchronizedFrames) -> Octets:
        """Good frames among the units that the synchronizer found."""
        counts = self._synchronizer.counts
        statistics = self.statistics
        statistics.bit_slips, statistics.missed_markers = counts.slips, counts.missed_markers
        statistics.lost_locks = counts.lost_locks
        if len(found) == 0:
            return self._no_frames()
        units, missing = self._in_line(found)
        rows, gone = self._deinterleaver.push(units, missing)
        present = ~gone.all(axis=1)
        rows, gone = rows[present], gone[present]
        if len(rows) == 0:
            return self._no_frames()
        frames, corrected, good = self._decode_block(rows, gone)
        if self.profile.frame.fecf:
            checked = np.equal(crc16_rows(frames), 0)
            statistics.bad_checks += int(np.count_nonzero(good & ~checked))
            good = np.logical_and(good, checked)
        statistics.frames += int(np.count_nonzero(good))
        statistics.corrected_symbols += int(corrected[good].sum())
        statistics.corrected_frames += int(np.count_nonzero(corrected[good]))
        statistics.lost = max(self._units - (self._deinterleaver.span - 1) - statistics.frames, 0)
        return frames[good]

    def _in_line(self, found: SynchronizedFrames) -> tuple[Octets | Llrs, NDArray[np.bool_]]:
        """Units in their places, with empty rows where some did not come."""
        if self._first_bit < 0:
            self._first_bit = int(found.position[0])
        # slips move the bits by a few; a unit is thousands
        place = np.round((found.position - self._first_bit) / self._unit_bits).astype(np.int64) - self._units
        fresh = place >= 0
        place, frames = place[fresh], found.frames[fresh]
        if len(place) == 0:
            return frames, np.zeros(0, np.bool_)
        count = int(place.max()) + 1
        units = np.zeros((count, frames.shape[1]), frames.dtype)
        missing = np.ones(count, np.bool_)
        units[place] = frames
        missing[place] = False
        self._units += count
        return units, missing

    def _decode_block(
        self, rows: NDArray[Any], gone: NDArray[np.bool_]
    ) -> tuple[Octets, NDArray[np.int32], NDArray[np.bool_]]:
        """Frames, symbols corrected in each, and which of them are good as far as the code can tell."""
        code = self._code
        if self._soft:
            assert isinstance(code, QuasiCyclicLdpc), "soft bits are kept for LDPC codes only"
            llr = np.where(gone, np.float32(0.0), rows).astype(np.float32)
            if self._signs is not None:
                llr *= self._signs
            frames, report = code.decode(llr, _LDPC_ITERATIONS)
        else:
            octets = np.asarray(rows, np.uint8)
            if self._randomizer is not None:
                octets = self._randomizer.apply(octets)
            if code is None:
                whole = np.asarray(~gone.any(axis=1), np.bool_)
                return octets, np.zeros(len(octets), np.int32), whole
            if isinstance(code, ReedSolomon):
                erasures = gone if gone.any() else None
                frames, report_rs = code.decode(octets, erasures)
                self.statistics.uncorrectable += int(np.count_nonzero(report_rs.uncorrectable))
                return frames, report_rs.corrected, ~report_rs.uncorrectable
            signs = 1.0 - 2.0 * np.unpackbits(octets, axis=1).astype(np.float32)
            llr = np.where(np.repeat(gone, 8, axis=1), np.float32(0.0), _HARD_LLR * signs).astype(np.float32)
            frames, report = code.decode(llr, _LDPC_ITERATIONS)
        self.statistics.uncorrectable += int(np.count_nonzero(report.uncorrectable))
        return frames, report.corrected, ~report.uncorrectable
