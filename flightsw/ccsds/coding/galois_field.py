"""GF(256) as CCSDS 131.0-B-5 section 4 and annex F define it: x^8 + x^7 + x^2 + x + 1, and Berlekamp's dual basis.

A symbol is an octet. In the conventional basis its most significant bit is the coefficient of alpha^7; in the dual
basis, the one on the wire, its most significant bit is z0.
"""

import numpy as np
from numpy.typing import NDArray

Octets = NDArray[np.uint8]

FIELD_POLYNOMIAL = 0x187
ALPHA = 0x02

# Annex F gives the basis change by its images of alpha^7 ... alpha^0.
_DUAL_OF_ALPHA_POWERS = (0x8D, 0xEF, 0xEC, 0x86, 0xFA, 0x99, 0xAF, 0x7B)

# The logarithm of zero: any sum that contains it lands in the part of the power table that is zero.
LOG_OF_ZERO = 511


def power_tables(primitive_element: int = ALPHA) -> tuple[Octets, NDArray[np.int64]]:
    """Powers and logarithms to the base of a primitive element.

    Returns (powers, logs), of 1024 and of 256 elements: powers[logs[a] + logs[b]] is the product of a and b for all
    octets a and b, zero included.
    """
    powers = np.zeros(1024, np.uint8)
    logs = np.full(256, LOG_OF_ZERO, np.int64)
    value = 1
    for exponent in range(255):
        powers[exponent] = powers[exponent + 255] = value
        logs[value] = exponent
        value = _product(value, primitive_element)
    return powers, logs


def multiply(a: Octets | int, b: Octets | int) -> Octets:
    """Product of symbols in the conventional basis, element by element, with NumPy's broadcasting."""
    product: Octets = _POWERS[_LOGS[a] + _LOGS[b]]
    return product


def alpha_power(exponent: int) -> int:
    """The root alpha of the field polynomial to an integer exponent, in the conventional basis."""
    return int(_POWERS[exponent % 255])


def _product(a: int, b: int) -> int:
    product = 0
    while b:
        if b & 1:
            product ^= a
        a <<= 1
        if a & 0x100:
            a ^= FIELD_POLYNOMIAL
        b >>= 1
    return product


def _dual_basis_tables() -> tuple[Octets, Octets]:
    octets = np.arange(256)
    to_dual = np.zeros(256, np.uint8)
    for place, image in enumerate(_DUAL_OF_ALPHA_POWERS):
        to_dual ^= np.where(octets >> (7 - place) & 1, image, 0).astype(np.uint8)
    from_dual = np.empty(256, np.uint8)
    from_dual[to_dual] = octets
    return to_dual, from_dual


_POWERS, _LOGS = power_tables()
TO_DUAL, FROM_DUAL = _dual_basis_tables()
