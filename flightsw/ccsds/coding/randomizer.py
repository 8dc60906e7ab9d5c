"""Pseudo-randomizers: CCSDS 131.0-B-5 section 10 ("131071" and "255") and CCSDS 231.0-B-4 ("tc").

The sequence starts anew with every codeblock or frame and never covers the sync marker. It is applied after the block
code and before the convolutional code. "255" also serves CCSDS 142.0-B-1.
"""

from functools import cache
from typing import Literal

import numpy as np

from flightsw.ccsds.coding.galois_field import Octets
from flightsw.errors import ConfigError, FrameError

# Bit n + degree of a sequence is the sum of the bits n + tap; the first bits are those of the seed as they come out.
_GENERATORS = {
    "131071": ((0, 14), "00011100011100011"),
    "255": ((0, 3, 5, 7), "11111111"),
    "tc": ((0, 1, 2, 3, 4, 6), "11111111"),
}


class Randomizer:
    """One of the standard pseudo-random sequences, added to the bits of codeblocks or frames. It is its own inverse."""

    def __init__(self, kind: Literal["131071", "255", "tc"]) -> None:
        """Raise ConfigError for an unknown kind."""
        if kind not in _GENERATORS:
            raise ConfigError(f"randomizer: expected one of {tuple(_GENERATORS)}, found {kind!r}")
        self.kind = kind

    def sequence(self, n_octets: int) -> Octets:
        """The first n_octets of the sequence, uint8 (n_octets,)."""
        # A period of an odd number of bits is one of as many octets.
        return np.resize(_period(self.kind), n_octets)

    def apply(self, rows: Octets) -> Octets:
        """Randomize, or derandomize, each row from the sequence's start: uint8 (n, length), a new array of that shape.

        Raises FrameError for any other shape or type.
        """
        if rows.ndim != 2 or rows.dtype != np.uint8:
            raise FrameError("randomizer input", expected="uint8 (n, length)", found=f"{rows.dtype} {rows.shape}")
        return np.bitwise_xor(rows, self.sequence(rows.shape[1]))


@cache
def _period(kind: str) -> Octets:
    """Octets of the sequence until it repeats."""
    taps, seed = _GENERATORS[kind]
    period = (1 << len(seed)) - 1
    bits = [int(bit) for bit in seed]
    for n in range(period - len(seed)):
        bits.append(sum(bits[n + tap] for tap in taps) & 1)
    return np.packbits(np.tile(np.array(bits, np.uint8), 8))
