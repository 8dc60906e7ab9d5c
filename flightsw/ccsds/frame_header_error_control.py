"""Frame header error control of AOS frames, CCSDS 732.0-B-4 clause 4.1.2.6.5.

A shortened Reed-Solomon code (10,6) over GF(16), x^4 + x + 1, with the roots alpha^6 ... alpha^9. Its six information
symbols are the octets 0, 1 and 5 of the header, high half first: master channel, virtual channel and signalling field,
but not the virtual channel frame count. It corrects any two symbols.

The code is linear, so the sum of the received check symbols and those of the received information depends on the error
alone: one table look-up finds it.
"""

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

Octets = NDArray[np.uint8]

CHECK_OCTETS = 2
_PROTECTED = [0, 1, 5]
_CODEWORD = [*_PROTECTED, 6, 7]
_UNCORRECTABLE = np.uint8(255)

_FIELD_POLYNOMIAL = 0x13
_FIRST_ROOT = 6
_CHECK_SYMBOLS = 4
_SYMBOLS = 10


def check_octets(headers: Octets) -> Octets:
    """The field for headers, uint8 (n, 6 or more), as uint8 (n, 2)."""
    return _checks(headers[:, _PROTECTED]).astype(">u2").view(np.uint8).reshape(-1, CHECK_OCTETS)


def correct(headers: Octets) -> tuple[Octets, Octets, NDArray[np.bool_]]:
    """Correct headers with their error control field, uint8 (n, 8 or more).

    Returns the headers, a copy; the symbols corrected in each, uint8 (n,); and where more than two were wrong, bool
    (n,): those headers are given back as they were received.
    """
    received = headers[:, _PROTECTED[-1] + 1 :][:, :CHECK_OCTETS]
    syndromes = _checks(headers[:, _PROTECTED]) ^ (received[:, 0].astype(np.uint16) << 8 | received[:, 1])
    symbols = _WRONG_SYMBOLS[syndromes]
    uncorrectable = symbols == _UNCORRECTABLE
    corrected = headers.copy()
    corrected[:, _CODEWORD] ^= _ERRORS[syndromes]
    return corrected, np.where(uncorrectable, np.uint8(0), symbols), uncorrectable


def _checks(information: Octets) -> NDArray[np.uint16]:
    """The four check symbols of the information octets, uint8 (n, 3), as uint16 (n,)."""
    first, second, third = information.T
    checks: NDArray[np.uint16] = _CHECKS[0, first] ^ _CHECKS[1, second] ^ _CHECKS[2, third]
    return checks


def _product(a: int, b: int) -> int:
    product = 0
    for bit in range(4):
        product ^= (a << bit) * (b >> bit & 1)
    for bit in (6, 5, 4):
        product ^= (_FIELD_POLYNOMIAL << bit - 4) * (product >> bit & 1)
    return product


def _generator() -> list[int]:
    """Coefficients below the highest, highest degree first."""
    generator = [1]
    root = 1
    for exponent in range(1, _FIRST_ROOT + _CHECK_SYMBOLS):
        root = _product(root, 2)
        if exponent >= _FIRST_ROOT:
            shifted = [*generator, 0]
            for i, coefficient in enumerate(generator):
                shifted[i + 1] ^= _product(coefficient, root)
            generator = shifted
    return generator[1:]


def _check_table() -> NDArray[np.uint16]:
    """uint16 (3, 256): [octet, value] is the check field of that information octet alone."""
    generator = _generator()
    table = np.zeros((len(_PROTECTED), 256), np.uint16)
    for octet in range(len(_PROTECTED)):
        for value in range(256):
            symbols = [0] * (_SYMBOLS - _CHECK_SYMBOLS)
            symbols[2 * octet : 2 * octet + 2] = value >> 4, value & 15
            register = [0] * _CHECK_SYMBOLS
            for symbol in symbols:
                feedback = register[0] ^ symbol
                register = [a ^ _product(feedback, b) for a, b in zip([*register[1:], 0], generator, strict=True)]
            table[octet, value] = sum(symbol << 4 * (3 - i) for i, symbol in enumerate(register))
    return table


def _error_tables() -> tuple[Octets, Octets]:
    """uint8 (65536, 5), the error in the codeword's octets, and uint8 (65536,), its symbols, for each syndrome."""
    octets = np.zeros((_SYMBOLS, 16, len(_CODEWORD)), np.uint8)
    for symbol in range(_SYMBOLS):
        octets[symbol, :, symbol // 2] = np.arange(16) << (0 if symbol % 2 else 4)
    syndromes = _checks(octets[..., :3].reshape(-1, 3)) ^ octets[..., 3:].reshape(-1, 2).view(">u2")[:, 0]
    syndromes = syndromes.reshape(_SYMBOLS, 16)
    errors = np.zeros((1 << 16, len(_CODEWORD)), np.uint8)
    wrong = np.full(1 << 16, _UNCORRECTABLE, np.uint8)
    wrong[0] = 0
    for symbol in range(_SYMBOLS):
        errors[syndromes[symbol, 1:]] = octets[symbol, 1:]
        wrong[syndromes[symbol, 1:]] = 1
    for a, b in combinations(range(_SYMBOLS), 2):
        both = syndromes[a, 1:, None] ^ syndromes[b, None, 1:]
        errors[both] = octets[a, 1:, None] ^ octets[b, None, 1:]
        wrong[both] = 2
    return errors, wrong


_CHECKS = _check_table()
_ERRORS, _WRONG_SYMBOLS = _error_tables()
