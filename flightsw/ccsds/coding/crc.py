"""Cyclic redundancy checks of CCSDS frames, most significant bit first, without reflection or final inversion.

crc16 is the frame error control field of CCSDS 132.0-B-3 (4.1.6), 732.0-B-4 (4.1.6) and 232.0-B-4 (4.1.4), and packet
error control alike. crc32 is its 32-bit alternative in USLP, CCSDS 732.1-B-3 annex B. Other checks are instances of
Crc: that of CCSDS 142.0-B-1 is Crc(32, 0x20044009, 0xFFFFFFFF), that of SDA OCT payloads Crc(32, 0x04C11DB7, 0).
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from flightsw.ccsds.coding.galois_field import Octets
from flightsw.errors import ConfigError, FrameError

# Octets that the register takes in at a time.
_STRIDE = 8


class Crc:
    """One check: width in bits (8 to 32), polynomial without its highest term, initial register value."""

    def __init__(self, width: int, polynomial: int, initial: int) -> None:
        """Raise ConfigError for a width beyond 8 to 32 bits or for values that do not fit into the width."""
        if not 8 <= width <= 32:
            raise ConfigError(f"CRC width: expected 8 to 32 bits, found {width}")
        for name, value in (("polynomial", polynomial), ("initial", initial)):
            if not 0 <= value < 1 << width:
                raise ConfigError(f"CRC {name}: expected at most {width} bits, found {value:#x}")
        self.width = width
        self.polynomial = polynomial
        self.initial = initial
        # Left-aligned in 32 bits, checks of every width take the same steps.
        self._spare_bits = 32 - width
        self._register = np.uint32(initial << self._spare_bits)
        self._table = _table(polynomial << self._spare_bits)

    def __call__(self, data: bytes | bytearray | memoryview | Octets) -> int:
        """Check of one message: bytes or uint8 (length,). Raises FrameError for any other shape or type."""
        octets = data if isinstance(data, np.ndarray) else np.frombuffer(data, np.uint8)
        if octets.ndim != 1:
            raise FrameError("CRC data", expected="uint8 (length,)", found=f"{octets.dtype} {octets.shape}")
        return int(self.rows(octets[None, :])[0])

    def rows(self, data: Octets) -> NDArray[np.uint32]:
        """Check of each row: uint8 (n, length) to uint32 (n,). Raises FrameError for any other shape or type."""
        if data.ndim != 2 or data.dtype != np.uint8:
            raise FrameError("CRC data", expected="uint8 (n, length)", found=f"{data.dtype} {data.shape}")
        # Numba would compile its kernel once more for read-only or strided arrays.
        data = np.require(data, requirements=["C", "W"])
        checks = np.empty(len(data), np.uint32)
        _checks(data, self._register, self._table, checks)
        return checks >> np.uint32(self._spare_bits)


def crc16(data: bytes | bytearray | memoryview | Octets) -> int:
    """CRC-16 of a frame or packet: 0x1021, register preset to ones."""
    return _CRC16(data)


def crc16_rows(data: Octets) -> NDArray[np.uint16]:
    """CRC-16 of each row, uint8 (n, length) to uint16 (n,); zero where a row ends in its own correct CRC-16."""
    return _CRC16.rows(data).astype(np.uint16)


def crc32(data: bytes | bytearray | memoryview | Octets) -> int:
    """USLP's CRC-32 of a frame: 0x00A00805, register preset to zero."""
    return _CRC32(data)


def crc32_rows(data: Octets) -> NDArray[np.uint32]:
    """USLP's CRC-32 of each row, uint8 (n, length) to uint32 (n,); zero where a row ends in its own correct CRC-32."""
    return _CRC32.rows(data)


def _table(polynomial: int) -> NDArray[np.uint32]:
    """uint32 (8, 256): [slot, octet] is the register after that octet and 7 - slot zero octets."""
    table = np.zeros((_STRIDE, 256), np.uint32)
    for octet in range(256):
        register = octet << 24
        for _ in range(8):
            register = (register << 1) ^ (polynomial if register >> 31 else 0)
            register &= 0xFFFFFFFF
        table[-1, octet] = register
    for slot in range(_STRIDE - 1, 0, -1):
        table[slot - 1] = (table[slot] << np.uint32(8)) ^ table[-1, table[slot] >> np.uint32(24)]
    return table


@njit(cache=True, nogil=True)
def _checks(data: Octets, initial: np.uint32, table: NDArray[np.uint32], checks: NDArray[np.uint32]) -> None:
    octet = np.uint32(0xFF)
    length = data.shape[1]
    whole = length - length % _STRIDE
    for row in range(data.shape[0]):
        register = initial
        for at in range(0, whole, _STRIDE):
            ahead = np.uint32(0)
            for slot in range(4):
                shift = np.uint32(24 - 8 * slot)
                ahead ^= table[slot, ((register >> shift) & octet) ^ data[row, at + slot]]
            for slot in range(4, _STRIDE):
                ahead ^= table[slot, data[row, at + slot]]
            register = ahead
        for at in range(whole, length):
            register = (register << np.uint32(8)) ^ table[
                _STRIDE - 1, ((register >> np.uint32(24)) & octet) ^ data[row, at]
            ]
        checks[row] = register


_CRC16 = Crc(16, 0x1021, 0xFFFF)
_CRC32 = Crc(32, 0x00A00805, 0)
