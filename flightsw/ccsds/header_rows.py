"""Headers of packets and frames, one or many at once, from one construct declaration."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flightsw.errors import FrameError

Octets = NDArray[np.uint8]


def build_header(declaration: Any, **values: int) -> bytes:
    """One header, a construct BitStruct, from the value of each field.

    Raises FrameError for a value that does not fit into its field.
    """
    for field in declaration.subcon.subcons:
        largest = (1 << field.sizeof()) - 1
        if not 0 <= values[field.name] <= largest:
            raise FrameError(field.name.replace("_", " "), expected=f"0 to {largest}", found=values[field.name])
    octets: bytes = declaration.build(values)
    return octets


@dataclass(frozen=True, slots=True)
class _Field:
    first_bit: int
    bits: int

    @property
    def octets(self) -> range:
        return range(self.first_bit // 8, (self.first_bit + self.bits + 7) // 8)

    def left_shift(self, octet: int) -> int:
        """Places by which the field's value moves left to lie over an octet of the header; right where negative."""
        return 8 * (octet + 1) - self.first_bit - self.bits


class HeaderRows:
    """Packs and unpacks arrays of one kind of header, a construct BitStruct.

    Attributes:
        octets: length of the header.
    """

    def __init__(self, declaration: Any) -> None:
        self._fields: dict[str, _Field] = {}
        first_bit = 0
        for field in declaration.subcon.subcons:
            bits = field.sizeof()
            self._fields[field.name] = _Field(first_bit, bits)
            first_bit += bits
        self.octets = first_bit // 8

    def pack(self, n: int, **values: ArrayLike) -> Octets:
        """Headers, uint8 (n, octets), from a value or n values of each field; fields that are not given are zero.

        Raises FrameError for a value that does not fit into its field.
        """
        rows = np.zeros((n, self.octets), np.uint8)
        for name, value in values.items():
            field = self._fields[name]
            column = np.asarray(value, np.int64)
            if column.size and (column.min() < 0 or column.max() >= 1 << field.bits):
                wrong = int(column.min()) if column.min() < 0 else int(column.max())
                raise FrameError(name.replace("_", " "), expected=f"0 to {(1 << field.bits) - 1}", found=wrong)
            for octet in field.octets:
                shift = field.left_shift(octet)
                moved = column << shift if shift >= 0 else column >> -shift
                rows[:, octet] |= (moved & 0xFF).astype(np.uint8)
        return rows

    def unpack(self, rows: Octets, name: str) -> NDArray[np.int64]:
        """One field of headers, uint8 (n, octets or more), as int64 (n,)."""
        field = self._fields[name]
        column = np.zeros(len(rows), np.int64)
        for octet in field.octets:
            shift = field.left_shift(octet)
            octets = rows[:, octet].astype(np.int64)
            column |= octets >> shift if shift >= 0 else octets << -shift
        column &= (1 << field.bits) - 1
        return column

    def mask(self, *names: str) -> Octets:
        """Ones in the bits of the named fields, zeros elsewhere: uint8 (octets,)."""
        mask: Octets = self.pack(1, **{name: (1 << self._fields[name].bits) - 1 for name in names})[0]
        return mask
