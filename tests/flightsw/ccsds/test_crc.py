"""Checks against printed values, the standard library's CRCs and division of polynomials by hand."""

import binascii
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flightsw.ccsds.coding.crc import Crc, crc16, crc16_rows, crc32, crc32_rows
from flightsw.errors import ConfigError, FrameError

CHECK = b"123456789"


def remainder(message: bytes, width: int, polynomial: int, initial: int) -> int:
    """Remainder of the message, its first bits inverted by the register's preset, by long division of integers."""
    padded = max(len(message) * 8, width)
    dividend = int.from_bytes(message, "big") << (padded - len(message) * 8)
    dividend ^= initial << (padded - width)
    dividend <<= len(message) * 8 - padded + width
    divisor = polynomial | 1 << width
    while dividend.bit_length() > width:
        dividend ^= divisor << (dividend.bit_length() - width - 1)
    return dividend


def test_check_values():
    assert crc16(CHECK) == 0x29B1
    assert Crc(32, 0x20044009, 0xFFFFFFFF)(CHECK) == 0x4FD94EA8
    # The SDA header's and payload's polynomials; the catalogue's CRC-16/XMODEM, and CRC-32/CKSUM before its inversion.
    assert Crc(16, 0x1021, 0)(CHECK) == 0x31C3
    assert Crc(32, 0x04C11DB7, 0)(CHECK) == 0x765E7680 ^ 0xFFFFFFFF
    # Widths that are not whole octets: CRC-24/OPENPGP and CRC-31/PHILIPS before its inversion.
    assert Crc(24, 0x864CFB, 0xB704CE)(CHECK) == 0x21CF02
    assert Crc(31, 0x04C11DB7, 0x7FFFFFFF)(CHECK) == 0x0CE9E46C ^ 0x7FFFFFFF


@given(st.binary(max_size=100), st.integers(0, 0xFFFF))
def test_crc16_equals_that_of_binascii(message, initial):
    assert crc16(message) == binascii.crc_hqx(message, 0xFFFF)
    assert Crc(16, 0x1021, initial)(message) == binascii.crc_hqx(message, initial)


@given(st.binary(max_size=100))
def test_the_ethernet_polynomial_equals_zlib_mirrored(message):
    def mirrored(octets: bytes) -> bytes:
        return np.packbits(np.unpackbits(np.frombuffer(octets, np.uint8), bitorder="little")).tobytes()

    reflected = zlib.crc32(mirrored(message)) ^ 0xFFFFFFFF
    expected = int(f"{reflected:032b}"[::-1], 2)
    assert Crc(32, 0x04C11DB7, 0xFFFFFFFF)(message) == expected


@given(st.binary(min_size=4, max_size=100))
def test_crc32_is_the_remainder_of_a_division(message):
    assert crc32(message) == remainder(message, 32, 0x00A00805, 0)
    assert Crc(32, 0x20044009, 0xFFFFFFFF)(message) == remainder(message, 32, 0x20044009, 0xFFFFFFFF)


@pytest.mark.parametrize("length", [0, 1, 7, 8, 9, 1113, 1115])
def test_rows_are_checked_one_by_one(length):
    rows = np.random.default_rng(length).integers(0, 256, (5, length), dtype=np.uint8)
    assert crc16_rows(rows).dtype == np.uint16
    assert crc16_rows(rows).tolist() == [binascii.crc_hqx(row.tobytes(), 0xFFFF) for row in rows]
    if length >= 4:
        assert crc32_rows(rows).tolist() == [remainder(row.tobytes(), 32, 0x00A00805, 0) for row in rows]


def test_a_frame_with_its_check_leaves_nothing():
    frames = np.random.default_rng(1).integers(0, 256, (4, 50), dtype=np.uint8)
    with_crc16 = np.hstack([frames, crc16_rows(frames).astype(">u2")[:, None].view(np.uint8)])
    with_crc32 = np.hstack([frames, crc32_rows(frames).astype(">u4")[:, None].view(np.uint8)])
    assert not crc16_rows(with_crc16).any()
    assert not crc32_rows(with_crc32).any()
    with_crc16[2, 17] ^= 0x40
    assert np.flatnonzero(crc16_rows(with_crc16)).tolist() == [2]


def test_anything_that_holds_octets_will_do():
    array = np.frombuffer(CHECK, np.uint8)
    assert crc16(array) == crc16(bytearray(CHECK)) == crc16(memoryview(CHECK)) == 0x29B1
    assert crc16(np.repeat(array, 2)[::2]) == 0x29B1
    assert crc16_rows(np.asfortranarray(np.vstack([array, array]))).tolist() == [0x29B1, 0x29B1]


def test_bad_input():
    with pytest.raises(FrameError, match=r"expected uint8 \(n, length\), found uint8 \(9,\)"):
        crc16_rows(np.zeros(9, np.uint8))
    with pytest.raises(FrameError, match=r"expected uint8 \(length,\), found uint8 \(1, 9\)"):
        crc16(np.zeros((1, 9), np.uint8))
    with pytest.raises(FrameError, match=r"found int64 \(1, 9\)"):
        crc32(np.zeros(9, np.int64))
    with pytest.raises(ConfigError, match="width: expected 8 to 32 bits, found 40"):
        Crc(40, 1, 0)
    with pytest.raises(ConfigError, match="polynomial: expected at most 16 bits, found 0x11021"):
        Crc(16, 0x11021, 0xFFFF)
