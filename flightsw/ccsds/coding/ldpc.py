"""Quasi-cyclic LDPC codes: what the codes of CCSDS 131.0-B-5 section 7 share.

A parity-check matrix is an array of circulants; each is given by the columns of the ones in its first row, and every
further row is the one above shifted right by one. Circulants are polynomials modulo x^size + 1, so the generator matrix
follows from the parity-check matrix by elimination with polynomials instead of bits. Its circulants are dense.

The encoder takes in an octet of every information block at a time, the last ones first, and turns the parity by eight
places between two of them (Horner's rule).

The decoder is layered min-sum: D. E. Hocevar, "A reduced complexity decoder architecture via layered decoding of LDPC
codes", IEEE SiPS 2004. A layer is a run of rows, within one row of circulants, that have no bit in common; its rows are
the lanes of vector instructions. There are two rules for what a check says to a bit:

- normalised: the least magnitude of the other bits, times a constant. J. Chen and M. P. C. Fossorier, "Near optimum
  universal belief propagation based decoding of low-density parity check codes", IEEE Trans. Commun. 50 (2002).
- corrected: to the least reliable bit the sum in the sense of belief propagation, "box-plus", of the other magnitudes;
  to all others that of all. C. Jones et al., "Approximate-MIN* constraint node updating for LDPC code decoding",
  MILCOM 2003. As fast, without a constant to tune, and as good as belief propagation also where punctured bits and low
  check degrees make the normalised rule lose 0.2 dB.

The normalised rule takes LLRs of nearly any scale, a quarter to twice the true one. The corrected rule needs the true
scale: twice costs half a decibel, and from half of it on hardly a codeblock is decoded.

                       one layer, for each of its edges (a one of a circulant)
    posterior --(cyclic window)--> minus old message --> least magnitude, magnitude of the rest, product of signs
    posterior <--(cyclic window)-- plus new message  <-- magnitude and sign of the other bits
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

import numpy as np
from numba import njit
from numpy.typing import NDArray

from flightsw.errors import ConfigError, FrameError

Octets = NDArray[np.uint8]
Llrs = NDArray[np.float32]
Rule = Literal["normalised", "corrected"]

# LLRs and messages are eighths, limited to what an int8 holds: fine against the deviation of the LLRs at the working
# point of any of the codes, 2 at least, and 16 is beyond any LLR that the decoder may have to overrule.
_LLR_STEPS = np.float32(8.0)
_LIMIT = np.int16(127)
_LLR_LIMIT = np.float32(_LIMIT)

# The posterior of a bit that is known to be zero: no sum of messages comes near. Magnitudes start beyond it.
_KNOWN_ZERO = 8192
_BEYOND = np.int16(16383)

# Rows of a layer at most, a multiple of the lanes of any vector unit; a larger layer would leave the first-level cache.
_MAX_LAYER_ROWS = 256
_LANES = 32

# Normalising constants are counted in sixteenths; none is the corrected rule.
_CORRECTED = np.int16(0)
_SCALE_SHIFT = 4
_SCALE_HALF = np.int16(8)

# ln(1 + exp(-x)) is about (2.6 - x) / 4 up to there, by simulation the best of the straight lines.
_CORRECTION_END = np.int16(21)
_CORRECTION_SHIFT = 2

# Places in arrays are unsigned in the inner loops: Numba would take negative ones for distances from the end, and then
# LLVM does not vectorise.
_ZERO = np.uint64(0)


@dataclass(frozen=True, slots=True)
class LdpcReport:
    """What the decoder did to n codeblocks.

    corrected: int32 (n,), received bits that the decoder changed, -1 where the codeblock is uncorrectable.
    uncorrectable: bool (n,), true where no codeword was reached within the allowed iterations.
    iterations: int32 (n,), passes over all layers; 0 where the hard decisions were a codeword already.
    """

    corrected: NDArray[np.int32]
    uncorrectable: NDArray[np.bool_]
    iterations: NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class ParityCheck:
    """A parity-check matrix of circulants, the information blocks first.

    size: rows of a circulant.
    ones: (block row, block column, column of the one in the circulant's first row) for each one of the first rows.
    block_rows, block_columns: of the array of circulants.
    information_blocks: block columns of information; the others are parity.
    """

    size: int
    ones: Sequence[tuple[int, int, int]]
    block_rows: int
    block_columns: int
    information_blocks: int


class QuasiCyclicLdpc:
    """Encoder and decoder of one quasi-cyclic code, for arrays of many codeblocks.

    Attributes:
        parity_check: the parity-check matrix.
        k: information octets per codeblock.
        n_out: octets per codeblock on the wire.
    """

    def __init__(
        self,
        name: str,
        parity_check: ParityCheck,
        *,
        modulus: int,
        rule: Rule,
        normalisation: int,
        layer_order: Sequence[int],
        virtual_fill: int = 0,
        punctured_blocks: int = 0,
        filler_bits: int = 0,
    ) -> None:
        """Set a code up.

        modulus: the polynomial, a factor of x^size + 1, modulo which the parity part of the matrix is invertible; its
        bit i is the coefficient of x^i.
        rule: of the decoder, see the head of the module.
        normalisation: the constant of the normalised rule in sixteenths.
        layer_order: block rows in the order of decoding.
        virtual_fill: zero bits in front of the information, not sent.
        punctured_blocks: block columns at the end that are not sent.
        filler_bits: zero bits at the end of a codeblock.

        Raises ConfigError for a rule that does not exist.
        """
        if rule not in get_args(Rule):
            raise ConfigError(f"{name} rule: expected one of {get_args(Rule)}, found {rule!r}")
        self.name = name
        self.parity_check = parity_check
        size = parity_check.size
        sent = (parity_check.block_columns - punctured_blocks) * size - virtual_fill
        self.k = (parity_check.information_blocks * size - virtual_fill) // 8
        self.n_out = (sent + filler_bits) // 8
        self._modulus = modulus
        self._normalisation = np.int16(normalisation) if rule == "normalised" else _CORRECTED
        self._virtual_fill = virtual_fill
        self._sent_parity_blocks = parity_check.block_columns - parity_check.information_blocks - punctured_blocks
        self._sent = sent
        self._layers, self._edges, self._lanes = _layers(parity_check, layer_order)

    @cached_property
    def generator(self) -> NDArray[np.uint8]:
        """First rows of the circulants of the generator matrix, right of the identity: uint8 bits.

        The shape is (information blocks, parity blocks, size), punctured blocks included.
        """
        return _generator(self.parity_check, self._modulus)

    @cached_property
    def _encoder_table(self) -> NDArray[np.uint64]:
        return _encoder_table(self.generator[:, : self._sent_parity_blocks])

    def encode(self, information: Octets) -> Octets:
        """Append the parity: uint8 (n, k) to uint8 (n, n_out). Raises FrameError for any other shape or type."""
        if information.ndim != 2 or information.shape[1] != self.k or information.dtype != np.uint8:
            raise FrameError(
                f"{self.name} information octets",
                expected=f"uint8 (n, {self.k})",
                found=f"{information.dtype} {information.shape}",
            )
        information = np.require(information, requirements=["C", "W"])
        codeblocks = np.zeros((len(information), self.n_out), np.uint8)
        check = self.parity_check
        _encode(information, self._virtual_fill, check.size, check.information_blocks, self._encoder_table, codeblocks)
        return codeblocks

    def decode(self, llr: Llrs, max_iterations: int = 50) -> tuple[Octets, LdpcReport]:
        """Decode LLRs, natural logarithms and positive for 0: float32 (n, 8 n_out) to uint8 (n, k) and a report.

        LLRs are rounded to eighths and limited to 16; NaN and 0 are erasures. A codeblock is corrected when all checks
        hold and no bit is undecided. Of an uncorrectable one the information is the last guess.

        Raises FrameError for any other shape or type, ConfigError for less than one iteration.
        """
        if llr.ndim != 2 or llr.shape[1] != 8 * self.n_out or llr.dtype != np.float32:
            raise FrameError(
                f"{self.name} LLRs", expected=f"float32 (n, {8 * self.n_out})", found=f"{llr.dtype} {llr.shape}"
            )
        if max_iterations < 1:
            raise ConfigError(f"{self.name} max_iterations: expected 1 or more, found {max_iterations}")
        llr = np.require(llr, requirements=["C", "W"])
        information = np.empty((len(llr), self.k), np.uint8)
        corrected = np.empty(len(llr), np.int32)
        iterations = np.empty(len(llr), np.int32)
        _decode(
            llr,
            self._virtual_fill,
            self._sent,
            self.parity_check.block_columns * self.parity_check.size,
            np.uint64(self.parity_check.size),
            self._layers,
            self._edges,
            self._lanes,
            self._normalisation,
            max_iterations,
            information,
            corrected,
            iterations,
        )
        return information, LdpcReport(corrected, corrected < 0, iterations)


def _layers(check: ParityCheck, order: Sequence[int]) -> tuple[NDArray[np.uint64], NDArray[np.uint64], int]:
    """Cut the block rows into layers.

    Returns layers (layers, 3): first edge, edges, rows; edges (edges, 2): first column of the block column, and the
    column within it in the layer's first row; and the rows of all layers but the last ones of block rows.
    """
    limit = _MAX_LAYER_ROWS
    for row, column, place in check.ones:
        for other_row, other_column, other_place in check.ones:
            if (row, column) == (other_row, other_column) and place < other_place:
                distance = other_place - place
                limit = min(limit, distance, check.size - distance)
    rows = min(limit // _LANES * _LANES or limit, check.size)
    layers = []
    edges: list[tuple[int, int]] = []
    for block_row in order:
        for first in range(0, check.size, rows):
            members = [
                (column * check.size, (first + place) % check.size)
                for row, column, place in check.ones
                if row == block_row
            ]
            layers.append((len(edges), len(members), min(rows, check.size - first)))
            edges += members
    return np.array(layers, np.uint64), np.array(edges, np.uint64), rows


def _generator(check: ParityCheck, modulus: int) -> NDArray[np.uint8]:
    """Solve for the parity blocks that each information block asks for, by Gauss-Jordan elimination."""
    size = check.size
    # A row vector times a circulant is a product of polynomials; this matrix acts from the other side: it is reversed.
    matrix = [[0] * check.block_columns for _ in range(check.block_rows)]
    for row, column, place in check.ones:
        matrix[row][column] ^= 1 << (-place % size)
    parity = range(check.information_blocks, check.block_columns)
    for done, column in enumerate(parity):
        for pivot in range(done, check.block_rows):
            inverse = _inverse(matrix[pivot][column], modulus)
            if inverse is not None:
                break
        else:
            raise AssertionError("the parity part of the matrix has no inverse modulo the given polynomial")
        matrix[done], matrix[pivot] = matrix[pivot], matrix[done]
        pivot_row = [_product(inverse, entry, size) for entry in matrix[done]]
        matrix[done] = pivot_row
        for row in range(check.block_rows):
            factor = matrix[row][column]
            if row != done and factor:
                matrix[row] = [
                    entry ^ _product(factor, pivot_entry, size)
                    for entry, pivot_entry in zip(matrix[row], pivot_row, strict=True)
                ]
    generator = np.zeros((check.information_blocks, len(parity), size), np.uint8)
    for information in range(check.information_blocks):
        for row in range(len(parity)):
            circulant = _divide(matrix[row][information], modulus)[1]
            generator[information, row] = [circulant >> place & 1 for place in range(size)]
    return generator


def _product(a: int, b: int, size: int) -> int:
    """Product of binary polynomials modulo x^size + 1."""
    if a.bit_count() > b.bit_count():
        a, b = b, a
    product = 0
    while a:
        lowest = a & -a
        product ^= b * lowest
        a ^= lowest
    return product & (1 << size) - 1 ^ product >> size


def _divide(a: int, b: int) -> tuple[int, int]:
    quotient = 0
    while (shift := a.bit_length() - b.bit_length()) >= 0:
        quotient ^= 1 << shift
        a ^= b << shift
    return quotient, a


def _inverse(a: int, modulus: int) -> int | None:
    """Inverse of a polynomial modulo another by Euclid's algorithm; None if they have a factor in common."""
    remainder, next_remainder = modulus, _divide(a, modulus)[1]
    coefficient, next_coefficient = 0, 1
    while next_remainder:
        quotient, rest = _divide(remainder, next_remainder)
        remainder, next_remainder = next_remainder, rest
        product = 0
        for place in range(quotient.bit_length()):
            if quotient >> place & 1:
                product ^= next_coefficient << place
        coefficient, next_coefficient = next_coefficient, coefficient ^ product
    return coefficient if remainder == 1 else None


def _encoder_table(generator: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Parity of the first octet of each information block, uint64 (information blocks, 32, parity blocks, words), flat.

    Entries 0-15 are those of the octet's first four bits, 16-31 of its last four. A parity block takes up whole words,
    its bits to the left.
    """
    blocks, parity_blocks, size = generator.shape
    words = -(-size // 64)
    parity = np.zeros((blocks, 32, parity_blocks, 64 * words), np.uint8)
    for half in range(2):
        for nibble in range(16):
            for bit in range(4):
                if nibble >> (3 - bit) & 1:
                    parity[:, 16 * half + nibble, :, :size] ^= np.roll(generator, 4 * half + bit, axis=2)
    return np.packbits(parity).view(">u8").astype(np.uint64)


@njit(cache=True, nogil=True)
def _encode(
    information: Octets, virtual_fill: int, size: int, blocks: int, table: NDArray[np.uint64], codeblocks: Octets
) -> None:
    octets = information.shape[1]
    lead_octets = -(-virtual_fill // 8)
    lead_bits = 8 * lead_octets - virtual_fill
    padded = np.zeros(lead_octets + octets + 1, np.uint8)
    parity = np.empty(len(table) // (32 * blocks), np.uint64)
    groups = -(-size // 8)
    for row in range(len(information)):
        padded[lead_octets : lead_octets + octets] = information[row]
        parity[:] = np.uint64(0)
        mask = 0xFF << (8 * groups - size) & 0xFF
        for group in range(groups - 1, -1, -1):
            _turn_by_octet(parity, size)
            for block in range(blocks):
                bit = lead_bits + block * size + 8 * group
                pair = int(padded[bit >> 3]) << 8 | int(padded[(bit >> 3) + 1])
                octet = pair >> (8 - (bit & 7)) & mask
                first = np.uint64((32 * block + (octet >> 4)) * len(parity))
                second = np.uint64((32 * block + 16 + (octet & 15)) * len(parity))
                for word in range(np.uint64(len(parity))):
                    parity[word] ^= table[first + word] ^ table[second + word]
            mask = 0xFF
        codeblocks[row, :octets] = information[row]
        _put_bits(parity, size, codeblocks[row, octets:])


@njit(cache=True, nogil=True)
def _turn_by_octet(parity: NDArray[np.uint64], size: int) -> None:
    words = -(-size // 64)
    unused = np.uint64(64 * words - size)
    for first in range(0, len(parity), words):
        last = first + words - 1
        carry = parity[last] >> unused & np.uint64(0xFF)
        for word in range(first, last + 1):
            value = parity[word]
            parity[word] = value >> np.uint64(8) | carry << np.uint64(56)
            carry = value & np.uint64(0xFF)
        parity[last] = parity[last] >> unused << unused


@njit(cache=True, nogil=True)
def _put_bits(parity: NDArray[np.uint64], size: int, octets: Octets) -> None:
    """Write the parity blocks one behind the other; the octets were zero."""
    words = -(-size // 64)
    end = 0
    for first in range(0, len(parity), words):
        for place in range(0, size, 8):
            value = int(parity[first + (place >> 6)] >> np.uint64(56 - (place & 63)) & np.uint64(0xFF))
            octets[end >> 3] |= value >> (end & 7)
            if end & 7:
                octets[(end >> 3) + 1] |= value << (8 - (end & 7)) & 0xFF
            end += min(8, size - place)


@njit(cache=True, nogil=True)
def _decode(
    llr: Llrs,
    virtual_fill: int,
    sent: int,
    columns: int,
    size: np.uint64,
    layers: NDArray[np.uint64],
    edges: NDArray[np.uint64],
    lanes: int,
    normalisation: np.int16,
    max_iterations: int,
    information: Octets,
    corrected: NDArray[np.int32],
    iterations: NDArray[np.int32],
) -> None:
    posterior = np.empty(columns, np.int16)
    messages = np.empty((len(edges), lanes), np.int8)
    incoming = np.zeros((layers[:, 1].max(), lanes), np.int16)
    scratch = np.empty((5, lanes), np.int16)
    for row in range(len(llr)):
        posterior[:virtual_fill] = _KNOWN_ZERO
        _quantise(llr[row, :sent], posterior[virtual_fill : virtual_fill + sent])
        posterior[virtual_fill + sent :] = 0
        messages[:] = 0
        count = 0
        converged = _is_codeword(posterior, size, layers, edges, scratch)
        while not converged and count < max_iterations:
            for layer in range(len(layers)):
                first, degree, rows = layers[layer]
                _update_layer(posterior, size, edges, first, degree, rows, normalisation, messages, incoming, scratch)
            count += 1
            converged = _is_codeword(posterior, size, layers, edges, scratch)
        iterations[row] = count
        corrected[row] = _changes(llr[row], posterior[virtual_fill : virtual_fill + sent]) if converged else -1
        _hard_decisions(posterior[virtual_fill:], information[row])


@njit(cache=True, nogil=True)
def _quantise(llr: Llrs, quantised: NDArray[np.int16]) -> None:
    for i in range(len(llr)):
        steps = llr[i] * _LLR_STEPS
        # Written such that NaN becomes zero.
        limited = min(max(steps, -_LLR_LIMIT), _LLR_LIMIT) if abs(steps) >= np.float32(0.0) else np.float32(0.0)
        quantised[i] = np.int16(np.rint(limited))


@njit(cache=True, nogil=True)
def _changes(llr: Llrs, posterior: NDArray[np.int16]) -> int:
    changes = 0
    for i in range(len(posterior)):
        changes += (llr[i] > 0 and posterior[i] < 0) or (llr[i] < 0 and posterior[i] > 0)
    return changes


@njit(cache=True, nogil=True)
def _hard_decisions(posterior: NDArray[np.int16], octets: Octets) -> None:
    for i in range(len(octets)):
        octet = 0
        for bit in range(8):
            octet = octet << 1 | (posterior[8 * i + bit] < 0)
        octets[i] = octet


@njit(cache=True, nogil=True)
def _is_codeword(
    posterior: NDArray[np.int16],
    size: np.uint64,
    layers: NDArray[np.uint64],
    edges: NDArray[np.uint64],
    scratch: NDArray[np.int16],
) -> bool:
    signs = scratch[0]
    undecided = scratch[1]
    for layer in range(len(layers)):
        first, degree, rows = layers[layer]
        signs[:] = 0
        undecided[:] = 0
        for edge in range(first, first + degree):
            block, start = edges[edge]
            head = min(rows, size - start)
            _add_signs(posterior, block + start, signs, undecided, _ZERO, head)
            _add_signs(posterior, block, signs, undecided, head, rows - head)
        failed = False
        for lane in range(rows):
            failed |= signs[lane] < 0 or undecided[lane] != 0
        if failed:
            return False
    return True


@njit(cache=True, nogil=True)
def _add_signs(
    posterior: NDArray[np.int16],
    first: np.uint64,
    signs: NDArray[np.int16],
    undecided: NDArray[np.int16],
    first_lane: np.uint64,
    lanes: np.uint64,
) -> None:
    for lane in range(lanes):
        value = posterior[first + lane]
        signs[first_lane + lane] ^= value
        undecided[first_lane + lane] |= np.int16(value == 0)


@njit(cache=True, nogil=True)
def _update_layer(
    posterior: NDArray[np.int16],
    size: np.uint64,
    edges: NDArray[np.uint64],
    first: np.uint64,
    degree: np.uint64,
    rows: np.uint64,
    normalisation: np.int16,
    messages: NDArray[np.int8],
    incoming: NDArray[np.int16],
    scratch: NDArray[np.int16],
) -> None:
    """One layer of min-sum. Lanes beyond the rows of a short layer are computed too, and not used."""
    least = scratch[0]
    rest = scratch[1]
    signs = scratch[2]
    to_least = scratch[3]
    to_others = scratch[4]
    least[:] = _BEYOND
    rest[:] = _BEYOND
    signs[:] = 0
    for i in range(degree):
        edge = first + i
        block, start = edges[edge]
        head = min(rows, size - start)
        _subtract(posterior, block + start, messages, edge, incoming, i, _ZERO, head)
        _subtract(posterior, block, messages, edge, incoming, i, head, rows - head)
        if normalisation == _CORRECTED:
            _collect_corrected(incoming, i, least, rest, signs)
        else:
            _collect_normalised(incoming, i, least, rest, signs)
    if normalisation == _CORRECTED:
        _finish_corrected(least, rest, to_least, to_others)
    else:
        _finish_normalised(least, rest, normalisation, to_least, to_others)
    for i in range(degree):
        edge = first + i
        block, start = edges[edge]
        head = min(rows, size - start)
        _emit(incoming, i, least, to_least, to_others, signs, messages, edge)
        _put(posterior, block + start, incoming, i, _ZERO, head)
        _put(posterior, block, incoming, i, head, rows - head)


@njit(cache=True, nogil=True)
def _subtract(
    posterior: NDArray[np.int16],
    first: np.uint64,
    messages: NDArray[np.int8],
    edge: np.uint64,
    incoming: NDArray[np.int16],
    row: int,
    first_lane: np.uint64,
    lanes: np.uint64,
) -> None:
    for i in range(lanes):
        incoming[row, first_lane + i] = np.int16(posterior[first + i] - messages[edge, first_lane + i])


@njit(cache=True, nogil=True)
def _put(
    posterior: NDArray[np.int16],
    first: np.uint64,
    incoming: NDArray[np.int16],
    row: int,
    first_lane: np.uint64,
    lanes: np.uint64,
) -> None:
    for i in range(lanes):
        posterior[first + i] = incoming[row, first_lane + i]


@njit(cache=True, nogil=True)
def _collect_normalised(
    incoming: NDArray[np.int16],
    row: int,
    least: NDArray[np.int16],
    rest: NDArray[np.int16],
    signs: NDArray[np.int16],
) -> None:
    """Rest is the second least magnitude."""
    for lane in range(np.uint64(len(least))):
        value = incoming[row, lane]
        magnitude = np.int16(max(value, np.int16(-value)))
        rest[lane] = min(rest[lane], max(least[lane], magnitude))
        least[lane] = min(least[lane], magnitude)
        signs[lane] ^= value


@njit(cache=True, nogil=True)
def _finish_normalised(
    least: NDArray[np.int16],
    rest: NDArray[np.int16],
    normalisation: np.int16,
    to_least: NDArray[np.int16],
    to_others: NDArray[np.int16],
) -> None:
    for lane in range(np.uint64(len(least))):
        product = np.int16(min(rest[lane], _LIMIT) * normalisation)
        to_least[lane] = np.int16(np.int16(product + _SCALE_HALF) >> _SCALE_SHIFT)
        product = np.int16(min(least[lane], _LIMIT) * normalisation)
        to_others[lane] = np.int16(np.int16(product + _SCALE_HALF) >> _SCALE_SHIFT)


@njit(cache=True, nogil=True)
def _collect_corrected(
    incoming: NDArray[np.int16],
    row: int,
    least: NDArray[np.int16],
    rest: NDArray[np.int16],
    signs: NDArray[np.int16],
) -> None:
    """Rest is the box-plus sum of all but the least magnitude."""
    for lane in range(np.uint64(len(least))):
        value = incoming[row, lane]
        magnitude = np.int16(max(value, np.int16(-value)))
        rest[lane] = _box_plus(rest[lane], max(least[lane], magnitude))
        least[lane] = min(least[lane], magnitude)
        signs[lane] ^= value


@njit(cache=True, nogil=True)
def _finish_corrected(
    least: NDArray[np.int16], rest: NDArray[np.int16], to_least: NDArray[np.int16], to_others: NDArray[np.int16]
) -> None:
    for lane in range(np.uint64(len(least))):
        to_least[lane] = min(rest[lane], _LIMIT)
        to_others[lane] = min(_box_plus(rest[lane], least[lane]), _LIMIT)


@njit(cache=True, nogil=True)
def _box_plus(a: np.int16, b: np.int16) -> np.int16:
    """2 atanh(tanh(a/2) tanh(b/2)) of two magnitudes: min(a, b) - ln(1 + exp(-|a - b|)) + ln(1 + exp(-(a + b)))."""
    less = min(a, b)
    more = max(a, b)
    difference = _correction(np.int16(more - less))
    total = _correction(np.int16(more + less))
    return max(np.int16(np.int16(less - difference) + total), np.int16(0))


@njit(cache=True, nogil=True)
def _correction(magnitude: np.int16) -> np.int16:
    return max(np.int16(np.int16(_CORRECTION_END - magnitude) >> _CORRECTION_SHIFT), np.int16(0))


@njit(cache=True, nogil=True)
def _emit(
    incoming: NDArray[np.int16],
    row: int,
    least: NDArray[np.int16],
    to_least: NDArray[np.int16],
    to_others: NDArray[np.int16],
    signs: NDArray[np.int16],
    messages: NDArray[np.int8],
    edge: np.uint64,
) -> None:
    """Put out the new messages and turn the incoming ones into posteriors."""
    for lane in range(np.uint64(len(least))):
        value = incoming[row, lane]
        magnitude = np.int16(max(value, np.int16(-value)))
        others = to_least[lane] if magnitude == least[lane] else to_others[lane]
        negative = np.int16(np.int16(signs[lane] ^ value) >> 15)
        message = np.int16(np.int16(others ^ negative) - negative)
        messages[edge, lane] = np.int8(message)
        incoming[row, lane] = np.int16(value + message)
