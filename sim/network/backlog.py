"""Data that waits its turn: amounts in order of arrival, each with the time at which it was sent.

Amounts are in Mb, times in s. Data leaves at the head; what does not fit is dropped at the tail.
"""

from collections import deque
from collections.abc import Iterable

#: A thousandth of a bit is rounding, not data: it goes with what it was parted from.
_CRUMB_MB = 1e-9

#: Data of one age: when it was sent (s), how much (Mb).
Chunk = tuple[float, float]


class Backlog:
    """One flow's data at one node."""

    def __init__(self) -> None:
        self._chunks: deque[Chunk] = deque()

    @property
    def mb(self) -> float:
        """How much waits, in Mb."""
        return sum(mb for _, mb in self._chunks)

    def put(self, chunks: Iterable[Chunk]) -> None:
        """Add data behind all that waits."""
        self._chunks.extend(chunk for chunk in chunks if chunk[1] > 0.0)

    def take(self, mb: float) -> list[Chunk]:
        """Remove `mb` from the head, the oldest first, or what there is."""
        taken: list[Chunk] = []
        while mb > 0.0 and self._chunks:
            sent_s, here = self._chunks.popleft()
            if here > mb + _CRUMB_MB:
                self._chunks.appendleft((sent_s, here - mb))
                here = mb
            taken.append((sent_s, here))
            mb -= here
        return taken

    def drop(self, mb: float) -> float:
        """Remove `mb` from the tail, or what there is; returns how much that was."""
        left = mb
        while left > 0.0 and self._chunks:
            sent_s, here = self._chunks.pop()
            if here > left:
                self._chunks.append((sent_s, here - left))
                return mb
            left -= here
        return mb - left
