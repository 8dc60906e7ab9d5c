"""Convolutional code: CCSDS 131.0-B-5 section 3, basic (3.3) and punctured (3.4), with a soft-decision Viterbi decoder.

Constraint length 7, connection vectors G1 = 171 and G2 = 133 octal, the leftmost tap on the newest bit. Rate 1/2 sends
C1 and then the inverse of C2 for each bit; the punctured rates invert nothing and leave out what their patterns say.
The code is not terminated: the standard sends it as one stream. Symbols are numbered from the start of the puncture
period, and the number of a stream's first symbol is its phase: node synchronisation is the search for it.

The encoder's state is its last six bits, the newest in the most significant place. The two states that lead to a state
differ in their oldest bit, which both connection vectors tap, so their branches carry opposite symbols: one product sum
serves four branches. The decoder maximises the correlation of the path with the LLRs.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numba import njit
from numpy.typing import NDArray

from flightsw.errors import ConfigError, FrameError

Octets = NDArray[np.uint8]
Llrs = NDArray[np.float32] | NDArray[np.int8]
Rate = Literal["1/2", "2/3", "3/4", "5/6", "7/8"]

G1 = 0o171
G2 = 0o133
STATES = 64

# Which symbols of a puncture period are sent: C1, C2 (tables 3-1 and 3-2).
_PUNCTURE_PATTERNS = {
    "1/2": ("1", "1"),
    "2/3": ("10", "11"),
    "3/4": ("101", "110"),
    "5/6": ("10101", "11010"),
    "7/8": ("1000101", "1111010"),
}

# Float LLRs are rounded to quarters and limited to 32. Even at rate 1/2 and 2 dB that is a tenth of their deviation; at
# rate 7/8 and 7 dB their mean is 18, and half of that limit would clip most of them.
_LLR_STEPS = 4.0
_LLR_LIMIT = 127.0

# More than any path can gain on another before they can meet, six steps of two symbols.
_WRONG_START = -4096

# Trellis steps between two tracebacks: long against the traceback window, short enough for the first-level cache.
_BLOCK_STEPS = 1024

# The window within which survivors have merged, also at rate 7/8, whose loss is the largest (checked by simulation).
TRACEBACK_STEPS = 128


@dataclass(frozen=True, slots=True)
class ViterbiReport:
    """How the decoded paths agree with the channel.

    symbols: int64 (n,), received symbols that lie on the decoded path of each row; erased ones (LLR 0) do not count.
    corrected: int64 (n,), those whose hard decision the path contradicts: the channel's symbol errors as long as the
    decoder works, and far more with a wrong phase.
    """

    symbols: NDArray[np.int64]
    corrected: NDArray[np.int64]


class ConvolutionalCode:
    """One rate of the code. encode and decode_* take independent rows, encoder() and decoder() continue streams.

    Attributes:
        rate: as in "3/4".
        period_bits: information bits of a puncture period.
        period_symbols: channel symbols of a puncture period.
        sent: bool (period_bits, 2), whether C1 and C2 of a bit are sent.
        inverted: whether C2 is inverted.
    """

    def __init__(self, rate: Rate = "1/2") -> None:
        """Raise ConfigError for a rate that the standard does not have."""
        if rate not in _PUNCTURE_PATTERNS:
            raise ConfigError(f"convolutional rate: expected one of {get_args(Rate)}, found {rate!r}")
        self.rate = rate
        patterns = _PUNCTURE_PATTERNS[rate]
        self.period_bits = len(patterns[0])
        self.period_symbols = sum(pattern.count("1") for pattern in patterns)
        self.sent = np.array([[symbol == "1" for symbol in pair] for pair in zip(*patterns, strict=True)])
        self.inverted = rate == "1/2"
        self.encoder_tables = _encoder_tables(self.sent, self.inverted)

    def symbols(self, octets: int) -> int:
        """Channel symbols of that many information octets, counted from the start of a puncture period."""
        return self.symbols_of(0, 8 * octets)

    def encode(self, information: Octets) -> Octets:
        """Encode rows on their own, each from the all-zero state: uint8 (n, k) to uint8 (n, n_out).

        n_out is symbols(k) / 8, rounded up; the last octet is completed with the symbols of zero bits after the row.
        Raises FrameError for any other shape or type.
        """
        encoder = self.encoder(len(_octets("convolutional information octets", information)))
        return np.concatenate([encoder.encode(information), encoder.flush()], axis=1)

    def encoder(self, rows: int = 1) -> "ConvolutionalEncoder":
        """An encoder of that many parallel streams, in the all-zero state."""
        return ConvolutionalEncoder(self, rows)

    def decode_soft(
        self, llr: Llrs, *, phase: int = 0, known_start: bool = True, traceback: int = TRACEBACK_STEPS
    ) -> tuple[Octets, ViterbiReport]:
        """Decode rows on their own: LLRs (n, symbols), positive for 0, to uint8 (n, k) and a report.

        float32 LLRs are natural logarithms, rounded to quarters and limited to 32; int8 ones are taken as they are, on
        any scale; NaN and 0 are erasures. phase is the number of the first symbol in its puncture period. With
        known_start the encoder was in the all-zero state before that symbol's bit, as it is in encode(); otherwise it
        may have been in any. traceback is the window in trellis steps, a multiple of 8. k counts the whole octets all
        of whose symbols are there.

        Raises FrameError for another shape or type, ConfigError for an impossible phase or window.
        """
        decoder = self.decoder(len(_llrs(llr)), phase=phase, known_start=known_start, traceback=traceback)
        first, first_report = decoder.decode(llr)
        last, last_report = decoder.flush()
        report = ViterbiReport(
            first_report.symbols + last_report.symbols, first_report.corrected + last_report.corrected
        )
        return np.concatenate([first, last], axis=1), report

    def decode_hard(
        self, octets: Octets, *, phase: int = 0, known_start: bool = True, traceback: int = TRACEBACK_STEPS
    ) -> tuple[Octets, ViterbiReport]:
        """Decode rows of hard decisions, uint8 (n, n_out), eight symbols an octet; the rest as in decode_soft."""
        return self.decode_soft(hard_llr(octets), phase=phase, known_start=known_start, traceback=traceback)

    def decoder(
        self, rows: int = 1, *, phase: int = 0, known_start: bool = False, traceback: int = TRACEBACK_STEPS
    ) -> "ViterbiDecoder":
        """A decoder of that many parallel streams; the parameters are those of decode_soft."""
        return ViterbiDecoder(self, rows, phase, known_start, traceback)

    def symbols_of(self, step: int, steps: int) -> int:
        """Channel symbols of that many information bits, the first of which is bit number `step` of its period."""
        periods, rest = divmod(steps, self.period_bits)
        sent = np.roll(self.sent.sum(axis=1), -step)
        return periods * self.period_symbols + int(sent[:rest].sum())

    def steps_of(self, step: int, symbols: int) -> int:
        """Information bits that have all their symbols among that many; `step` as in symbols_of."""
        periods, rest = divmod(symbols, self.period_symbols)
        sent = np.cumsum(np.roll(self.sent.sum(axis=1), -step))
        return periods * self.period_bits + int(np.searchsorted(sent, rest, side="right"))


class ConvolutionalEncoder:
    """Parallel streams of one code; state, place in the puncture period and unfinished octet stay from call to call."""

    def __init__(self, code: ConvolutionalCode, rows: int) -> None:
        self._code = code
        self._state = np.zeros(rows, np.uint8)
        self._unfinished = np.zeros(rows, np.uint32)
        self._unfinished_symbols = 0
        self._step = 0

    def encode(self, information: Octets) -> Octets:
        """Continue the streams: uint8 (rows, k) to the octets that are complete by now, uint8 (rows, m).

        Raises FrameError for any other shape or type.
        """
        information = _octets("convolutional information octets", information, len(self._state))
        steps = 8 * information.shape[1]
        symbols = self._unfinished_symbols + self._code.symbols_of(self._step, steps)
        encoded = np.empty((len(information), symbols // 8), np.uint8)
        _encode(
            information,
            self._step,
            self._unfinished_symbols,
            *self._code.encoder_tables,
            self._state,
            self._unfinished,
            encoded,
        )
        self._step = (self._step + steps) % self._code.period_bits
        self._unfinished_symbols = symbols % 8
        return encoded

    def flush(self) -> Octets:
        """End the streams: the unfinished octet, uint8 (rows, 1), completed with symbols of zero bits; or (rows, 0).

        The encoder is then again in the all-zero state, at the start of a puncture period.
        """
        rows = len(self._state)
        octets = 1 if self._unfinished_symbols else 0
        rest = self.encode(np.zeros((rows, octets), np.uint8))[:, :octets]
        self._state[:] = 0
        self._unfinished[:] = 0
        self._unfinished_symbols = 0
        self._step = 0
        return rest


class ViterbiDecoder:
    """Parallel streams of one code; metrics, survivors and symbols not yet used stay from call to call."""

    def __init__(self, code: ConvolutionalCode, rows: int, phase: int, known_start: bool, traceback: int) -> None:
        if not 0 <= phase < code.period_symbols:
            raise ConfigError(
                f"convolutional phase: expected 0 to {code.period_symbols - 1} at rate {code.rate}, found {phase}"
            )
        if traceback < 8 or traceback % 8:
            raise ConfigError(f"convolutional traceback: expected a multiple of 8 steps, found {traceback}")
        self._code = code
        self._rows = rows
        self._start_phase = phase
        self._known_start = known_start
        self._traceback = traceback
        self._unused: NDArray[np.int8]
        self._steps_held: int
        self._reset()

    def decode(self, llr: Llrs) -> tuple[Octets, ViterbiReport]:
        """Continue the streams: LLRs (rows, any number) as in decode_soft, to the octets that are certain by now.

        The octets lag behind the symbols by the traceback window. Raises FrameError for any other shape or type.
        """
        llr = _llrs(llr, self._rows)
        self._unused = np.concatenate([self._unused, _quantise(llr)], axis=1)
        steps = self._code.steps_of(self._step, self._unused.shape[1]) // 8 * 8
        return self._advance(steps, steps + self._steps_held - self._traceback)

    def flush(self) -> tuple[Octets, ViterbiReport]:
        """End the streams: the rest of the whole octets, uint8 (rows, m), and a report; the decoder starts anew."""
        steps = self._code.steps_of(self._step, self._unused.shape[1])
        octets = (self._steps_held + steps) // 8
        # Erasures complete the last eight steps; they do not change which path to the last symbol is the best.
        self._unused = np.pad(self._unused, ((0, 0), (0, 16)))
        result = self._advance(-(-steps // 8) * 8, 8 * octets)
        self._reset()
        return result

    def _reset(self) -> None:
        pairs = np.cumsum(self._code.sent.sum(axis=1))
        self._step = int(np.searchsorted(pairs, self._start_phase, side="right"))
        missed = self._start_phase - (int(pairs[self._step - 1]) if self._step else 0)
        # A stream that starts with the second symbol of a pair has its first one erased.
        self._unused = np.zeros((self._rows, missed), np.int8)
        self._metrics = np.full((self._rows, STATES), _WRONG_START if self._known_start else 0, np.int16)
        self._metrics[:, 0] = 0
        self._survivors = np.zeros((self._rows, self._traceback // 8, STATES), np.uint8)
        self._pairs = np.zeros((self._rows, 2 * self._traceback), np.int16)
        self._steps_held = 0

    def _advance(self, steps: int, decided: int) -> tuple[Octets, ViterbiReport]:
        decided = max(decided, 0)
        octets = np.empty((self._rows, decided // 8), np.uint8)
        counts = np.zeros((self._rows, 2), np.int64)
        _decode(
            self._unused,
            self._code.sent,
            self._step,
            steps,
            self._steps_held,
            self._code.inverted,
            *_BRANCH_TABLES,
            self._metrics,
            self._survivors,
            self._pairs,
            octets,
            counts,
        )
        self._unused = self._unused[:, self._code.symbols_of(self._step, steps) :]
        self._step = (self._step + steps) % self._code.period_bits
        self._steps_held += steps - decided
        return octets, ViterbiReport(counts[:, 0], counts[:, 1])


def hard_llr(octets: Octets) -> NDArray[np.int8]:
    """Hard decisions as LLRs of +-1: uint8 (n, m) to int8 (n, 8 m). Raises FrameError for any other shape or type."""
    bits = np.unpackbits(_octets("hard-decision octets", octets), axis=1)
    return np.subtract(1, 2 * bits, dtype=np.int8)


def _octets(what: str, rows: Octets, count: int | None = None) -> Octets:
    if rows.ndim != 2 or rows.dtype != np.uint8 or (count is not None and len(rows) != count):
        expected = f"uint8 ({'n' if count is None else count}, k)"
        raise FrameError(what, expected=expected, found=f"{rows.dtype} {rows.shape}")
    # Numba would compile its kernels once more for read-only or strided arrays.
    return np.require(rows, requirements=["C", "W"])


def _llrs(llr: Llrs, count: int | None = None) -> Llrs:
    if llr.ndim != 2 or llr.dtype not in (np.float32, np.int8) or (count is not None and len(llr) != count):
        expected = f"float32 or int8 ({'n' if count is None else count}, symbols)"
        raise FrameError("convolutional LLRs", expected=expected, found=f"{llr.dtype} {llr.shape}")
    return llr


def _quantise(llr: Llrs) -> NDArray[np.int8]:
    if llr.dtype == np.int8:
        return np.asarray(llr, np.int8)
    limit = np.float32(_LLR_LIMIT / _LLR_STEPS)
    steps: NDArray[np.float32] = np.clip(llr.astype(np.float32), -limit, limit) * np.float32(_LLR_STEPS)
    quantised: NDArray[np.int8] = np.rint(np.nan_to_num(steps, copy=False)).astype(np.int8)
    return quantised


def _parity(word: int) -> int:
    return word.bit_count() & 1


def _encoder_tables(
    sent: NDArray[np.bool_], inverted: bool
) -> tuple[NDArray[np.uint32], NDArray[np.uint32], NDArray[np.uint32]]:
    """Symbols of an octet, which are the sum of what the state and what the octet itself contribute.

    Returns from_state uint32 (period, 64), from_octet uint32 (period, 256) and symbols uint32 (period,) for an octet
    that starts at each bit of the puncture period; the first symbol is the most significant bit.
    """
    period = len(sent)
    from_state = np.zeros((period, STATES), np.uint32)
    from_octet = np.zeros((period, 256), np.uint32)
    symbols = np.zeros(period, np.uint32)
    for step in range(period):
        pairs = [sent[(step + bit) % period] for bit in range(8)]
        symbols[step] = np.sum(pairs)
        for state in range(STATES):
            from_state[step, state] = _octet_symbols(state, 0, pairs, inverted=False)
        for octet in range(256):
            from_octet[step, octet] = _octet_symbols(0, octet, pairs, inverted)
    return from_state, from_octet, symbols


def _octet_symbols(state: int, octet: int, pairs: list[NDArray[np.bool_]], inverted: bool) -> int:
    symbols = 0
    for place, (c1_sent, c2_sent) in zip(range(7, -1, -1), pairs, strict=True):
        register = (octet >> place & 1) << 6 | state
        if c1_sent:
            symbols = symbols << 1 | _parity(register & G1)
        if c2_sent:
            symbols = symbols << 1 | _parity(register & G2) ^ inverted
        state = register >> 1
    return symbols


# Bits back to front: the newest bit of an octet is its last, and the most significant of the state.
_NEXT_STATE = np.array([int(f"{octet & 63:06b}"[::-1], 2) for octet in range(256)], np.uint8)

# The symbols of each content of the shift register, 0 as +1 and 1 as -1, int16 (128, 2).
_SIGNS = np.array([[1 - 2 * _parity(register & g) for g in (G1, G2)] for register in range(128)], np.int16)

# From every state whose oldest bit is 0, with a new bit 0: the other three branches of the butterfly follow from these.
_BRANCH_TABLES = (_SIGNS[0:64:2, 0].copy(), _SIGNS[0:64:2, 1].copy(), _SIGNS)


@njit(cache=True, nogil=True)
def _encode(
    information: Octets,
    step: int,
    unfinished_symbols: int,
    from_state: NDArray[np.uint32],
    from_octet: NDArray[np.uint32],
    symbols: NDArray[np.uint32],
    state: Octets,
    unfinished: NDArray[np.uint32],
    encoded: Octets,
) -> None:
    period = len(symbols)
    for row in range(len(information)):
        register = state[row]
        held = np.uint64(unfinished[row])
        count = unfinished_symbols
        place = step
        filled = 0
        for column in range(information.shape[1]):
            octet = information[row, column]
            held = held << np.uint64(symbols[place]) | np.uint64(from_state[place, register] ^ from_octet[place, octet])
            count += int(symbols[place])
            register = _NEXT_STATE[octet]
            place = (place + 8) % period
            while count >= 8:
                count -= 8
                encoded[row, filled] = held >> np.uint64(count)
                filled += 1
        state[row] = register
        unfinished[row] = held & np.uint64(0xFF)


@njit(cache=True, nogil=True)
def _decode(
    llr: NDArray[np.int8],
    sent: NDArray[np.bool_],
    step: int,
    steps: int,
    steps_held: int,
    inverted: bool,
    signs_c1: NDArray[np.int16],
    signs_c2: NDArray[np.int16],
    signs: NDArray[np.int16],
    metrics: NDArray[np.int16],
    survivors: NDArray[np.uint8],
    pairs: NDArray[np.int16],
    octets: Octets,
    counts: NDArray[np.int64],
) -> None:
    """Decode `steps` trellis steps, a multiple of 8, behind the held ones; decide as many octets as there is room for.

    survivors (rows, window / 8, 64) and pairs (rows, 2 window) hold what is not decided yet, and take up the new rest.
    """
    window = survivors.shape[1] * 8
    block_survivors = np.empty(((window + _BLOCK_STEPS) // 8, STATES), np.uint8)
    block_pairs = np.empty(2 * (window + _BLOCK_STEPS), np.int16)
    for row in range(len(llr)):
        held = steps_held
        block_survivors[: held // 8] = survivors[row, : held // 8]
        block_pairs[: 2 * held] = pairs[row, : 2 * held]
        place = step
        used = 0
        decided = 0
        remaining = steps
        while True:
            new = min(remaining, _BLOCK_STEPS)
            remaining -= new
            used, place = _depuncture(llr[row], sent, used, place, inverted, block_pairs[2 * held : 2 * (held + new)])
            _add_compare_select(
                block_pairs[2 * held : 2 * (held + new)],
                signs_c1,
                signs_c2,
                metrics[row],
                block_survivors[held // 8 : (held + new) // 8],
            )
            held += new
            count = max(held - window, 0) if remaining else 8 * (octets.shape[1] - decided)
            if count:
                state = _best(metrics[row])
                ready = octets[row, decided : decided + count // 8]
                _trace_back(block_survivors[: held // 8], state, ready, block_pairs, signs, counts[row])
                decided += count // 8
                held -= count
                block_survivors[: held // 8] = block_survivors[count // 8 : (count + held) // 8].copy()
                block_pairs[: 2 * held] = block_pairs[2 * count : 2 * (count + held)].copy()
            if remaining == 0:
                break
        survivors[row, : held // 8] = block_survivors[: held // 8]
        pairs[row, : 2 * held] = block_pairs[: 2 * held]


@njit(cache=True, nogil=True)
def _depuncture(
    llr: NDArray[np.int8], sent: NDArray[np.bool_], used: int, place: int, inverted: bool, pairs: NDArray[np.int16]
) -> tuple[int, int]:
    for i in range(len(pairs) // 2):
        for branch in range(2):
            value = 0
            if sent[place, branch]:
                value = int(llr[used])
                used += 1
            pairs[2 * i + branch] = -value if inverted and branch == 1 else value
        place += 1
        if place == len(sent):
            place = 0
    return used, place


@njit(cache=True, nogil=True)
def _add_compare_select(
    pairs: NDArray[np.int16],
    signs_c1: NDArray[np.int16],
    signs_c2: NDArray[np.int16],
    metrics: NDArray[np.int16],
    survivors: NDArray[np.uint8],
) -> None:
    """Advance the path metrics; survivors (steps / 8, 64) gets one bit a step, the newest least significant."""
    other = np.empty(STATES, np.int16)
    for group in range(len(survivors)):
        choices = survivors[group]
        for i in range(16 * group, 16 * (group + 1), 4):
            _butterflies(metrics, other, choices, signs_c1, signs_c2, pairs[i], pairs[i + 1])
            _butterflies(other, metrics, choices, signs_c1, signs_c2, pairs[i + 2], pairs[i + 3])


@njit(cache=True, nogil=True, inline="always")
def _butterflies(
    old: NDArray[np.int16],
    new: NDArray[np.int16],
    choices: NDArray[np.uint8],
    signs_c1: NDArray[np.int16],
    signs_c2: NDArray[np.int16],
    llr_c1: np.int16,
    llr_c2: np.int16,
) -> None:
    # Metrics grow without end and wrap around; their differences stay small, so the sign of an int16 difference tells
    # the larger one all the same, and nothing needs to be normalised.
    for pair in range(STATES // 2):
        gain = np.int16(signs_c1[pair] * llr_c1 + signs_c2[pair] * llr_c2)
        even = old[2 * pair]
        odd = old[2 * pair + 1]
        from_even = np.int16(even + gain)
        from_odd = np.int16(odd - gain)
        choice = np.int16(from_odd - from_even) > 0
        new[pair] = from_odd if choice else from_even
        choices[pair] = np.uint8(choices[pair] << 1 | choice)
        from_even = np.int16(even - gain)
        from_odd = np.int16(odd + gain)
        choice = np.int16(from_odd - from_even) > 0
        new[STATES // 2 + pair] = from_odd if choice else from_even
        choices[STATES // 2 + pair] = np.uint8(choices[STATES // 2 + pair] << 1 | choice)


@njit(cache=True, nogil=True)
def _best(metrics: NDArray[np.int16]) -> int:
    best = 0
    for state in range(1, STATES):
        if np.int16(metrics[state] - metrics[best]) > 0:
            best = state
    return best


@njit(cache=True, nogil=True)
def _trace_back(
    survivors: NDArray[np.uint8],
    state: int,
    octets: Octets,
    pairs: NDArray[np.int16],
    signs: NDArray[np.int16],
    counts: NDArray[np.int64],
) -> None:
    """Follow the path that ends in a state, through all survivors; put out the octets of its beginning, and count."""
    for group in range(len(survivors) - 1, len(octets) - 1, -1):
        for age in range(8):
            state = state << 1 & 63 | survivors[group, state] >> age & 1
    symbols = 0
    contradicted = 0
    for group in range(len(octets) - 1, -1, -1):
        octet = 0
        for age in range(8):
            register = state << 1 | survivors[group, state] >> age & 1
            octet |= (state >> 5) << age
            step = 8 * group + 7 - age
            for branch in range(2):
                llr = pairs[2 * step + branch]
                symbols += llr != 0
                contradicted += llr * signs[register, branch] < 0
            state = register & 63
        octets[group] = octet
    counts[0] += symbols
    counts[1] += contradicted
