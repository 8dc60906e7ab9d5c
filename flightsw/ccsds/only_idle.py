"""Only idle data: the sequence that fills frames without packets, CCSDS 132.0-B-3 annex D and 732.1-B-3 annex H.

A register of 32 cells, 1 + D + D^2 + D^22 + D^32 in Fibonacci form, starts with all ones and is never started anew from
one frame to the next. CCSDS 732.0-B-4 leaves the contents of AOS idle frames to the mission; the same sequence serves.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

Octets = NDArray[np.uint8]

_CELLS = 32


class OnlyIdleData:
    """The sequence, taken piece by piece."""

    def __init__(self) -> None:
        bits = [1] * _CELLS
        for n in range(8 * _CELLS - _CELLS):
            bits.append(bits[n] ^ bits[n + 10] ^ bits[n + 30] ^ bits[n + 31])
        self._ahead = np.packbits(np.array(bits, np.uint8))

    def take(self, n_octets: int) -> Octets:
        """The next n_octets, uint8 (n_octets,)."""
        sequence = np.empty(_CELLS + n_octets, np.uint8)
        sequence[:_CELLS] = self._ahead
        _extend(sequence)
        self._ahead = sequence[n_octets:].copy()
        return sequence[:n_octets]


@njit(cache=True, nogil=True)
def _extend(sequence: Octets) -> None:
    # Over GF(2) the eighth power of the recurrence relates bits at eight times the distances, which are whole octets.
    for n in range(sequence.size - 32):
        sequence[n + 32] = sequence[n] ^ sequence[n + 10] ^ sequence[n + 30] ^ sequence[n + 31]
