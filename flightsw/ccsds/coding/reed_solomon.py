"""Reed-Solomon codes RS(255,223) and RS(255,239): CCSDS 131.0-B-5 section 4, interleaved and shortened.

The generator's roots are alpha^(11 j), j = 128-E ... 127+E. With beta = alpha^11, itself primitive, these are
consecutive powers of beta, and a symbol's locator is beta to its degree: everything below counts in powers of beta.

Symbols stay in the basis of the wire. The code and the change of basis are both linear over GF(2), so the tables that
advance the parity register hold dual-basis symbols, and nothing is converted on the way.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numba import njit
from numpy.typing import NDArray

from flightsw.ccsds.coding.galois_field import FROM_DUAL, TO_DUAL, Octets, alpha_power, multiply, power_tables
from flightsw.errors import ConfigError, FrameError

Logarithms = NDArray[np.int64]

CODEWORD_SYMBOLS = 255
INTERLEAVE_DEPTHS = (1, 2, 3, 4, 5, 8)

_ROOT_STEP = 11
_BETA_POWERS, _BETA_LOGS = power_tables(alpha_power(_ROOT_STEP))

# [d, i]: logarithm of the i-th power of the inverse of the locator of degree d.
_INVERSE_LOCATOR_LOGS = (-np.outer(np.arange(256), np.arange(33)) % CODEWORD_SYMBOLS).astype(np.uint8)

# [i, bit, d]: the contribution of that bit of coefficient i to a polynomial's value at the inverse locator of degree d.
_CHIEN_ROWS = np.ascontiguousarray(
    _BETA_POWERS[_BETA_LOGS[1 << np.arange(8)][:, None] + _INVERSE_LOCATOR_LOGS.T[:, None, :]]
)

# Symbols that the parity register takes in at a time: with eight, its shift is a move of whole 64-bit words.
_STRIDE = 8
_REGISTER_OCTETS = 32
_OCTET = np.uint64(0xFF)
_OCTET_BITS = np.uint64(8)


@dataclass(frozen=True, slots=True)
class ReedSolomonReport:
    """What the decoder did to n codeblocks of I codewords each.

    corrected: int32 (n,), symbols changed in a codeblock, -1 where it is uncorrectable.
    uncorrectable: bool (n,), true where at least one codeword of the codeblock is uncorrectable.
    codeword_corrected: int16 (n, I), symbols found wrong in each codeword, -1 where it is uncorrectable.
    """

    corrected: NDArray[np.int32]
    uncorrectable: NDArray[np.bool_]
    codeword_corrected: NDArray[np.int16]


class ReedSolomon:
    """Encoder and decoder of one configuration of the code, for arrays of many codeblocks.

    Attributes:
        e: correctable symbol errors per codeword, 16 or 8.
        interleave: codewords per codeblock, I.
        virtual_fill: zero octets per codeblock, ahead of the information, that are not sent.
        basis: of the symbols in and out, "dual" as on the wire or "conventional".
        k: information octets per codeblock, (255 - 2e) I - virtual_fill.
        n_out: octets per codeblock on the wire, 255 I - virtual_fill.
    """

    def __init__(
        self,
        e: int = 16,
        interleave: int = 1,
        virtual_fill: int = 0,
        basis: Literal["dual", "conventional"] = "dual",
    ) -> None:
        """Raise ConfigError for a parameter that the standard does not allow."""
        if e not in (8, 16):
            raise ConfigError(f"Reed-Solomon e: expected 16 or 8, found {e}")
        if interleave not in INTERLEAVE_DEPTHS:
            raise ConfigError(f"Reed-Solomon interleave: expected one of {INTERLEAVE_DEPTHS}, found {interleave}")
        if basis not in ("dual", "conventional"):
            raise ConfigError(f"Reed-Solomon basis: expected 'dual' or 'conventional', found {basis!r}")
        full = (CODEWORD_SYMBOLS - 2 * e) * interleave
        if virtual_fill % interleave or not 0 <= virtual_fill < full:
            raise ConfigError(
                f"Reed-Solomon virtual_fill: expected a multiple of the interleave {interleave} from 0 to "
                f"{full - interleave}, found {virtual_fill}"
            )
        self.e = e
        self.interleave = interleave
        self.virtual_fill = virtual_fill
        self.basis = basis
        self.k = full - virtual_fill
        self.n_out = CODEWORD_SYMBOLS * interleave - virtual_fill
        identity = np.arange(256, dtype=np.uint8)
        self._to_wire, self._from_wire = (TO_DUAL, FROM_DUAL) if basis == "dual" else (identity, identity)
        self._parity_table = _parity_table(e, self._to_wire, self._from_wire)
        self._syndrome_logs = _syndrome_logs(e)

    def encode(self, information: Octets) -> Octets:
        """Append the parity: uint8 (n, k) to uint8 (n, n_out). Raises FrameError for any other shape or type."""
        information = _symbols("Reed-Solomon information", information, self.k)
        codeblocks = np.empty((len(information), self.n_out), np.uint8)
        _encode(information, self.interleave, 2 * self.e, self._parity_table, codeblocks)
        return codeblocks

    def decode(self, codeblocks: Octets, erasures: NDArray[np.bool_] | None = None) -> tuple[Octets, ReedSolomonReport]:
        """Correct every codeword with errors and erasures such that 2 errors + erasures <= 2e.

        codeblocks is uint8 (n, n_out); erasures is bool (n, n_out), true where a symbol is not to be trusted. Returns
        the information, uint8 (n, k), and a report. An uncorrectable codeblock is given back whole as it was received.
        Each erasure takes away from the certainty that a wrong correction is noticed; with 2e of them none is left.

        Raises FrameError for any other shape or type.
        """
        codeblocks = _symbols("Reed-Solomon codeblocks", codeblocks, self.n_out)
        if erasures is None:
            erasures = np.zeros((0, 0), np.bool_)
        elif erasures.shape != codeblocks.shape or erasures.dtype != np.bool_:
            raise FrameError(
                "Reed-Solomon erasures",
                expected=f"bool {codeblocks.shape}",
                found=f"{erasures.dtype} {erasures.shape}",
            )
        information = np.empty((len(codeblocks), self.k), np.uint8)
        codeword_corrected = np.zeros((len(codeblocks), self.interleave), np.int16)
        _decode(
            codeblocks,
            np.require(erasures, requirements=["C", "W"]),
            self._parity_table,
            self._syndrome_logs,
            _CHIEN_ROWS,
            self._to_wire,
            self._from_wire,
            information,
            codeword_corrected,
        )
        uncorrectable: NDArray[np.bool_] = np.any(codeword_corrected < 0, axis=1)
        corrected = np.where(uncorrectable, -1, codeword_corrected.sum(axis=1)).astype(np.int32)
        return information, ReedSolomonReport(corrected, uncorrectable, codeword_corrected)


def generator_polynomial(e: int) -> Octets:
    """The 2e + 1 coefficients of the generator in the conventional basis, highest degree first."""
    generator = np.ones(1, np.uint8)
    for j in range(128 - e, 128 + e):
        root = alpha_power(_ROOT_STEP * j)
        generator = np.append(generator, np.uint8(0)) ^ np.append(np.uint8(0), multiply(generator, root))
    return generator


def _symbols(what: str, rows: Octets, length: int) -> Octets:
    if rows.ndim != 2 or rows.shape[1] != length or rows.dtype != np.uint8:
        raise FrameError(what, expected=f"uint8 (n, {length})", found=f"{rows.dtype} {rows.shape}")
    # Numba would compile its kernels once more for read-only or strided arrays.
    return np.require(rows, requirements=["C", "W"])


def _parity_table(e: int, to_wire: Octets, from_wire: Octets) -> NDArray[np.uint64]:
    """uint64 (8, 256, 4): [slot, symbol] is the parity of that symbol followed by 7 - slot zero symbols.

    The first parity symbol is in the least significant octet of the first word; with e = 8 the last two words are zero.
    """
    parity = np.zeros((_STRIDE, 256, _REGISTER_OCTETS), np.uint8)
    parity[-1, :, : 2 * e] = multiply(np.arange(256, dtype=np.uint8)[:, None], generator_polynomial(e)[1:])
    for slot in range(_STRIDE - 1, 0, -1):
        parity[slot - 1, :, :-1] = parity[slot, :, 1:]
        parity[slot - 1] ^= parity[-1, parity[slot, :, 0]]
    on_wire: Octets = to_wire[parity[:, from_wire]]
    return on_wire.view("<u8").astype(np.uint64)


def _syndrome_logs(e: int) -> Logarithms:
    """int64 (2e, 2e): [i, j] is the logarithm of the factor of parity symbol i in syndrome j."""
    degrees = np.arange(2 * e - 1, -1, -1)
    return np.outer(degrees, np.arange(128 - e, 128 + e)) % CODEWORD_SYMBOLS


@njit(cache=True, nogil=True)
def _parity(
    codeblock: Octets, codeword: int, interleave: int, symbols: int, table: NDArray[np.uint64]
) -> tuple[np.uint64, np.uint64, np.uint64, np.uint64]:
    """Parity register after the information symbols of one codeword of an interleaved codeblock."""
    at = np.uint64(codeword)
    step = np.uint64(interleave)
    r0 = r1 = r2 = r3 = np.uint64(0)
    # Leading zero symbols leave the register at zero, so a first word of fewer symbols is one with zeros ahead.
    for slot in range(_STRIDE - symbols % _STRIDE, _STRIDE):
        symbol = codeblock[at]
        at += step
        r0 ^= table[slot, symbol, 0]
        r1 ^= table[slot, symbol, 1]
        r2 ^= table[slot, symbol, 2]
        r3 ^= table[slot, symbol, 3]
    for _ in range(symbols // _STRIDE):
        n0, n1, n2, n3 = r1, r2, r3, np.uint64(0)
        for slot in range(_STRIDE):
            symbol = codeblock[at] ^ (r0 & _OCTET)
            at += step
            r0 >>= _OCTET_BITS
            n0 ^= table[slot, symbol, 0]
            n1 ^= table[slot, symbol, 1]
            n2 ^= table[slot, symbol, 2]
            n3 ^= table[slot, symbol, 3]
        r0, r1, r2, r3 = n0, n1, n2, n3
    return r0, r1, r2, r3


@njit(cache=True, nogil=True)
def _encode(information: Octets, interleave: int, checks: int, table: NDArray[np.uint64], codeblocks: Octets) -> None:
    k = information.shape[1]
    for row in range(information.shape[0]):
        codeblocks[row, :k] = information[row]
        for codeword in range(interleave):
            register = _parity(information[row], codeword, interleave, k // interleave, table)
            at = k + codeword
            for word in range(checks // 8):
                octets = register[word]
                for _ in range(8):
                    codeblocks[row, at] = octets & _OCTET
                    octets >>= _OCTET_BITS
                    at += interleave


@njit(cache=True, nogil=True)
def _decode(
    codeblocks: Octets,
    erasures: NDArray[np.bool_],
    table: NDArray[np.uint64],
    syndrome_logs: Logarithms,
    chien_rows: Octets,
    to_wire: Octets,
    from_wire: Octets,
    information: Octets,
    codeword_corrected: NDArray[np.int16],
) -> None:
    checks = syndrome_logs.shape[0]
    k = information.shape[1]
    interleave = codeword_corrected.shape[1]
    sent = codeblocks.shape[1] // interleave
    difference = np.empty(checks, np.uint8)
    syndromes = np.empty(checks, np.uint8)
    locator = np.empty(checks + 1, np.uint8)
    degrees = np.empty(checks, np.int64)
    magnitudes = np.empty(checks, np.uint8)
    for row in range(codeblocks.shape[0]):
        codeblock = codeblocks[row]
        information[row] = codeblock[:k]
        failed = False
        for codeword in range(interleave):
            erased = 0
            locator[:] = 0
            locator[0] = 1
            if erasures.size:
                erased = _erasure_locator(erasures[row], codeword, interleave, locator)
            if erased > checks:
                codeword_corrected[row, codeword] = -1
                failed = True
                continue
            register = _parity(codeblock, codeword, interleave, k // interleave, table)
            if not _differs(codeblock, k + codeword, interleave, register, difference):
                continue
            _syndromes(difference, from_wire, syndrome_logs, syndromes)
            found = _error_locator(syndromes, erased, locator)
            if found < 0 or not _locate(locator, found, sent, chien_rows, degrees):
                codeword_corrected[row, codeword] = -1
                failed = True
                continue
            _magnitudes(syndromes, locator, degrees, found, magnitudes)
            for error in range(found):
                at = (sent - 1 - degrees[error]) * interleave + codeword
                if at < k:
                    information[row, at] ^= to_wire[magnitudes[error]]
                if magnitudes[error]:
                    codeword_corrected[row, codeword] += 1
        if failed:
            information[row] = codeblock[:k]


@njit(cache=True, nogil=True)
def _erasure_locator(erased: NDArray[np.bool_], codeword: int, interleave: int, locator: Octets) -> int:
    """Product of (1 - X x) over the erased symbols of a codeword. Returns their number, or 2e + 1 for any more."""
    sent = erased.size // interleave
    count = 0
    for symbol in range(sent):
        if erased[symbol * interleave + codeword]:
            count += 1
            if count == locator.size:
                break
            log = sent - 1 - symbol
            for i in range(count, 0, -1):
                locator[i] ^= _BETA_POWERS[_BETA_LOGS[locator[i - 1]] + log]
    return count


@njit(cache=True, nogil=True)
def _differs(
    codeblock: Octets,
    at: int,
    interleave: int,
    register: tuple[np.uint64, np.uint64, np.uint64, np.uint64],
    difference: Octets,
) -> bool:
    """Difference between the received parity and that of the received information; false if there is none."""
    any_difference = np.uint64(0)
    for word in range(difference.size // 8):
        octets = register[word]
        for i in range(8 * word, 8 * word + 8):
            octet = codeblock[at] ^ (octets & _OCTET)
            difference[i] = octet
            any_difference |= octet
            octets >>= _OCTET_BITS
            at += interleave
    return bool(any_difference != 0)


@njit(cache=True, nogil=True)
def _syndromes(difference: Octets, from_wire: Octets, syndrome_logs: Logarithms, syndromes: Octets) -> None:
    """Values of the received word at the generator's roots: those of its remainder, the difference in parity."""
    syndromes[:] = 0
    for i in range(difference.size):
        log = _BETA_LOGS[from_wire[difference[i]]]
        for j in range(syndromes.size):
            syndromes[j] ^= _BETA_POWERS[log + syndrome_logs[i, j]]


@njit(cache=True, nogil=True)
def _error_locator(syndromes: Octets, erased: int, locator: Octets) -> int:
    """Berlekamp-Massey, from the locator of erasures to that of errors too. Returns its degree, or -1 if too high."""
    checks = syndromes.size
    auxiliary = locator.copy()
    length = auxiliary_length = erased
    auxiliary_log = 0
    shift = 1
    for n in range(erased, checks):
        discrepancy = 0
        for i in range(length + 1):
            discrepancy ^= _BETA_POWERS[_BETA_LOGS[locator[i]] + _BETA_LOGS[syndromes[n - i]]]
        if discrepancy == 0:
            shift += 1
            continue
        discrepancy_log = _BETA_LOGS[discrepancy]
        factor_log = (discrepancy_log - auxiliary_log) % CODEWORD_SYMBOLS
        lengthens = 2 * length <= n + erased
        before = locator.copy() if lengthens else auxiliary
        for i in range(auxiliary_length + 1):
            locator[i + shift] ^= _BETA_POWERS[_BETA_LOGS[auxiliary[i]] + factor_log]
        shift += 1
        if lengthens:
            auxiliary = before
            auxiliary_length = length
            auxiliary_log = discrepancy_log
            shift = 1
            length = n + erased + 1 - length
    return length if 2 * length <= checks + erased else -1


@njit(cache=True, nogil=True)
def _locate(locator: Octets, found: int, sent: int, chien_rows: Octets, degrees: Logarithms) -> bool:
    """Chien search over the symbols that were sent; true if the locator has all its roots among them."""
    values = np.zeros(256, np.uint8)
    for i in range(found + 1):
        for bit in range(8):
            if locator[i] >> bit & 1:
                row = chien_rows[i, bit]
                for degree in range(row.size):
                    values[degree] ^= row[degree]
    roots = 0
    for degree in range(sent):
        if values[degree] == 0:
            degrees[roots] = degree
            roots += 1
            if roots == found:
                return True
    return False


@njit(cache=True, nogil=True)
def _magnitudes(syndromes: Octets, locator: Octets, degrees: Logarithms, found: int, magnitudes: Octets) -> None:
    """Forney's formula, with the first root at beta^(128-E)."""
    evaluator_logs = np.empty(found, np.int64)
    for j in range(found):
        coefficient = 0
        for i in range(j + 1):
            coefficient ^= _BETA_POWERS[_BETA_LOGS[locator[i]] + _BETA_LOGS[syndromes[j - i]]]
        evaluator_logs[j] = _BETA_LOGS[coefficient]
    first_root = 128 - syndromes.size // 2
    for error in range(found):
        degree = degrees[error]
        evaluator = 0
        derivative = 0
        for i in range(found):
            evaluator ^= _BETA_POWERS[evaluator_logs[i] + _INVERSE_LOCATOR_LOGS[degree, i]]
        for i in range(0, found, 2):
            derivative ^= _BETA_POWERS[_BETA_LOGS[locator[i + 1]] + _INVERSE_LOCATOR_LOGS[degree, i]]
        scale = (degree * (1 - first_root) - _BETA_LOGS[derivative]) % CODEWORD_SYMBOLS
        magnitudes[error] = _BETA_POWERS[_BETA_LOGS[evaluator] + scale]
