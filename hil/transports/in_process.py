"""Two ends in one process, for simulated devices, tests, and the virtual USB bus.

With threads, an end that reads waits for the other to write. Without, give `wait`: an end that would wait calls it
instead, with the time in s that it would wait, and the caller lets the other side work for so long in its own time.
"""

from collections import deque
from collections.abc import Callable
from threading import Condition

from flightsw.errors import DeviceDisconnected, DeviceTimeout
from hil.transports import Framing

#: What an end keeps of what nobody reads.
LARGEST_BUFFER = 1 << 22


class InProcessTransport:
    """One end; `pair` makes two.

    Attributes:
        wait: called in the place of waiting, with the time in s.
    """

    def __init__(self, name: str, framing: Framing, changed: Condition) -> None:
        self.name = name
        self.framing = framing
        self.wait: Callable[[float], object] | None = None
        self._changed = changed
        self._far: InProcessTransport = self
        self._inbox: deque[bytes] = deque()
        self._octets = 0
        self._closed = False

    def write(self, octets: bytes) -> None:
        """Send all of `octets`. Raises DeviceTimeout if the other side has too much unread already."""
        with self._changed:
            self._require_both_ends()
            far = self._far
            if far._octets + len(octets) > LARGEST_BUFFER:
                raise DeviceTimeout(
                    f"{self.name}: expected the other side to read, found {far._octets} octets that it did not"
                )
            far._inbox.append(bytes(octets))
            far._octets += len(octets)
            self._changed.notify_all()

    def read(self, timeout_s: float) -> bytes:
        """What is there, at once; else what comes within `timeout_s`, or b"". A transfer at a time where so framed."""
        if not self._inbox and self.wait is not None and not self._either_closed():
            self.wait(timeout_s)
            timeout_s = 0.0
        with self._changed:
            if not self._inbox:
                self._require_both_ends()
                if timeout_s > 0:
                    self._changed.wait_for(lambda: self._inbox or self._either_closed(), timeout_s)
            if not self._inbox:
                self._require_both_ends()
                return b""
            if self.framing is Framing.TRANSFER:
                octets = self._inbox.popleft()
            else:
                octets = b"".join(self._inbox)
                self._inbox.clear()
            self._octets -= len(octets)
            return octets

    def close(self) -> None:
        """Close this end: the other reads what is still there, and then finds it gone."""
        with self._changed:
            self._closed = True
            self._inbox.clear()
            self._octets = 0
            self._changed.notify_all()

    def _either_closed(self) -> bool:
        return self._closed or self._far._closed

    def _require_both_ends(self) -> None:
        if self._closed:
            raise DeviceDisconnected(f"{self.name}: expected an open line, found it closed: open it again")
        if self._far._closed:
            raise DeviceDisconnected(f"{self.name}: the other side is gone: connect it, then open it again")


def pair(
    name: str = "in-process", framing: Framing = Framing.STREAM, wait: Callable[[float], object] | None = None
) -> tuple[InProcessTransport, InProcessTransport]:
    """Both ends of a new line: the host's, which calls `wait`, and the device's."""
    changed = Condition()
    host, device = (InProcessTransport(name, framing, changed) for _ in range(2))
    host._far, device._far = device, host
    host.wait = wait
    return host, device
