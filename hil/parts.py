"""Frames and images that are longer than a message: cut into parts, and put together again."""

from collections.abc import Iterator
from enum import Enum

from hil.protocol import FIRST, LAST

#: Octets in one message where the sender has no reason for another length.
PART_OCTETS = 8192
LARGEST_WHOLE = 1 << 26


def split(octets: bytes, part_octets: int = PART_OCTETS) -> Iterator[tuple[int, bytes]]:
    """Parts of at most `part_octets` with their flags; one part, if an empty one, of no octets."""
    for at in range(0, max(1, len(octets)), part_octets):
        flags = (FIRST if at == 0 else 0) | (LAST if at + part_octets >= len(octets) else 0)
        yield flags, octets[at : at + part_octets]


class _State(Enum):
    WAITING = 0  # for a beginning
    JOINING = 1
    SKIPPING = 2  # the rest of what was dropped


class Joiner:
    """Puts parts together; drops what has no beginning, no end, a part missing, or more than `largest` octets.

    Attributes:
        dropped: wholes of which something came, but not all; neighbours that lost the parts between them count as one.
    """

    def __init__(self, largest: int = LARGEST_WHOLE) -> None:
        self.dropped = 0
        self._largest = largest
        self._parts: list[bytes] = []
        self._octets = 0
        self._next = 0
        self._state = _State.WAITING

    def push(self, flags: int, octets: bytes, sequence: int | None = None) -> bytes | None:
        """The whole, if this part ends it. `sequence` counts parts modulo 2^32, where the sender counts them."""
        if flags & FIRST:
            self._drop()
            self._state = _State.JOINING
        elif self._state is not _State.JOINING:
            self.dropped += self._state is _State.WAITING
            self._state = _State.WAITING if flags & LAST else _State.SKIPPING
            return None
        elif sequence is not None and sequence != self._next:
            self._drop(then=_State.WAITING if flags & LAST else _State.SKIPPING)
            return None
        self._parts.append(octets)
        self._octets += len(octets)
        if sequence is not None:
            self._next = (sequence + 1) & 0xFFFFFFFF
        if self._octets > self._largest:
            self._drop(then=_State.WAITING if flags & LAST else _State.SKIPPING)
            return None
        if not flags & LAST:
            return None
        whole = b"".join(self._parts)
        self._clear(_State.WAITING)
        return whole

    def _drop(self, then: _State = _State.WAITING) -> None:
        self.dropped += self._state is _State.JOINING
        self._clear(then)

    def _clear(self, then: _State) -> None:
        self._parts.clear()
        self._octets = 0
        self._state = then
