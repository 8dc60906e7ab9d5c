"""A file over a lossy link, segment by segment, re-sent where the return link says that it is missing.

```
 sender   --- segment i of n, n --->  receiver
          <-- first missing, bitmap --
```

Segments and reports are the user data of space packets, so any frame that carries packets carries them. A segment is
sent again when a report shows it missing and it was sent longer ago than an answer takes. This is a service of its own,
small enough for a demonstration of the link; CFDP is the standard for files (CCSDS 727.0-B-5).
"""

import hashlib
from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flightsw.ccsds.space_packet import Packet, telemetry_packets
from flightsw.errors import ConfigError

SEGMENT_APID = 100
REPORT_APID = 101
SEGMENT_OCTETS = 1000
#: A receiver makes room for a whole file at its first segment: a forged one may not take all memory.
LARGEST_FILE_OCTETS = 1 << 30
#: Segments that one report speaks of, from the first missing one on.
REPORT_SEGMENTS = 8192
_PREFIX = np.dtype([("index", ">u4"), ("count", ">u4"), ("size", ">u8")])


@dataclass(frozen=True, slots=True)
class Report:
    """What a receiver has: all segments before `first_missing`, and of those from there on where `have` is true."""

    first_missing: int
    have: NDArray[np.bool_]


class FileSender:
    """Hands out the packets of a file, the missing ones first. Raises ConfigError for an empty or a too large file."""

    def __init__(self, data: bytes, resend_after_s: float) -> None:
        if not data:
            raise ConfigError("payload: expected a file with at least one octet, found an empty one")
        if len(data) > LARGEST_FILE_OCTETS:
            raise ConfigError(
                f"payload: expected at most {LARGEST_FILE_OCTETS} octets, found {len(data)}; split the file"
            )
        count = -(-len(data) // SEGMENT_OCTETS)
        padded = np.zeros((count, SEGMENT_OCTETS), np.uint8)
        padded.reshape(-1)[: len(data)] = np.frombuffer(data, np.uint8)
        prefix = np.zeros(count, _PREFIX)
        prefix["index"], prefix["count"], prefix["size"] = np.arange(count), count, len(data)
        rows = np.concatenate([prefix.view(np.uint8).reshape(count, -1), padded], axis=1)
        self._packets = telemetry_packets(SEGMENT_APID, 0, np.zeros(count, np.int64), rows)
        self._resend_after_s = resend_after_s
        self._sent_s = np.full(count, -np.inf)
        #: Time in s at which each segment was sent first.
        self.first_sent_s = np.full(count, -np.inf)
        self._acknowledged = np.zeros(count, np.bool_)
        self._queue = deque(range(count))
        self.sent = 0
        self.resent = 0

    @property
    def segments(self) -> int:
        """Segments of the file."""
        return len(self._acknowledged)

    @property
    def done(self) -> bool:
        """Every segment is known to have arrived."""
        return bool(self._acknowledged.all())

    def take(self, octets: int, now_s: float) -> list[bytes]:
        """Packets to send now, in all at most `octets` long."""
        taken = []
        length = self._packets.shape[1]
        while self._queue and octets >= length:
            i = self._queue.popleft()
            if self._acknowledged[i]:
                continue
            if self.first_sent_s[i] == -np.inf:
                self.first_sent_s[i] = now_s
            else:
                self.resent += 1
            self._sent_s[i] = now_s
            self.sent += 1
            octets -= length
            taken.append(self._packets[i].tobytes())
        return taken

    def hear(self, report: Report, now_s: float) -> None:
        """Take a report: what arrived is done with, what is overdue is queued again."""
        first = report.first_missing
        self._acknowledged[:first] = True
        spoken = slice(first, min(first + len(report.have), len(self._acknowledged)))
        have = report.have[: spoken.stop - spoken.start]
        self._acknowledged[spoken] |= have
        overdue = first + np.flatnonzero(~have & (now_s - self._sent_s[spoken] > self._resend_after_s))
        again = [int(i) for i in overdue if self.first_sent_s[i] > -np.inf]
        # what is queued again counts as sent now, or the next report would queue it once more
        self._sent_s[again] = now_s
        self._queue.extendleft(reversed(again))


class FileReceiver:
    """Puts a file together from its segments, in whatever order they come."""

    def __init__(self) -> None:
        self._segments: NDArray[np.uint8] | None = None
        self._have = np.zeros(0, np.bool_)
        self._size = 0

    @property
    def complete(self) -> bool:
        """Every segment is there."""
        return len(self._have) > 0 and bool(self._have.all())

    @property
    def data(self) -> bytes:
        """The file, zeros where segments are missing."""
        return b"" if self._segments is None else self._segments.tobytes()[: self._size]

    @property
    def sha256(self) -> str:
        """Hash of `data`, in hexadecimal."""
        return hashlib.sha256(self.data).hexdigest()

    def accept(self, packet: Packet) -> int | None:
        """Take a segment and return its number; None for one that is there already, or does not fit to the others."""
        if len(packet.data) != _PREFIX.itemsize + SEGMENT_OCTETS:
            return None
        prefix = np.frombuffer(packet.data, _PREFIX, 1)[0]
        index, count, size = int(prefix["index"]), int(prefix["count"]), int(prefix["size"])
        if self._segments is None:
            fits = 0 < size <= count * SEGMENT_OCTETS < size + SEGMENT_OCTETS
            if not fits or size > LARGEST_FILE_OCTETS:
                return None
            self._segments = np.zeros((count, SEGMENT_OCTETS), np.uint8)
            self._have = np.zeros(count, np.bool_)
            self._size = size
        if count != len(self._have) or size != self._size or index >= count or self._have[index]:
            return None
        self._segments[index] = np.frombuffer(packet.data, np.uint8, offset=_PREFIX.itemsize)
        self._have[index] = True
        return index

    def report(self) -> bytes:
        """User data of a report packet."""
        missing = np.flatnonzero(~self._have)
        first = int(missing[0]) if len(missing) else len(self._have)
        bitmap = np.packbits(self._have[first : first + REPORT_SEGMENTS])
        return first.to_bytes(4, "big") + bitmap.tobytes()


def parse_report(data: bytes) -> Report | None:
    """A report from the user data of its packet; None for one that is too short."""
    if len(data) < 4:
        return None
    return Report(
        int.from_bytes(data[:4], "big"), np.unpackbits(np.frombuffer(data, np.uint8, offset=4)).astype(np.bool_)
    )
