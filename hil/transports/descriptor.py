"""Octets through a file descriptor that does not block: what serial ports, TCP and pseudo-terminals have in common."""

import os
import select
from math import ceil

from flightsw.errors import DeviceDisconnected, DeviceTimeout
from hil.transports import WRITE_TIMEOUT_S, Framing

_READ_OCTETS = 1 << 16


class DescriptorTransport:
    """A stream over a descriptor, which is the subclass's to close."""

    framing = Framing.STREAM

    def __init__(self, name: str, descriptor: int) -> None:
        os.set_blocking(descriptor, False)
        self.name = name
        self._descriptor: int | None = descriptor
        self._readable = _poll(descriptor, select.POLLIN)
        self._writable = _poll(descriptor, select.POLLOUT)

    def write(self, octets: bytes) -> None:
        """Send all of `octets`. Raises DeviceTimeout if the other side does not take them."""
        descriptor = self._open()
        rest = octets
        try:
            while rest:
                try:
                    rest = rest[os.write(descriptor, rest) :]
                except BlockingIOError:
                    if not self._writable.poll(milliseconds(WRITE_TIMEOUT_S)):
                        raise DeviceTimeout(
                            f"{self.name}: expected the other side to take octets within {WRITE_TIMEOUT_S:g} s, "
                            f"found it full with {len(rest)} of {len(octets)} left"
                        ) from None
        except OSError as error:
            raise self._gone(error) from None

    def read(self, timeout_s: float) -> bytes:
        """What is there, at once; else what comes within `timeout_s`, in whole ms, or b""."""
        descriptor = self._open()
        if not self._readable.poll(milliseconds(timeout_s)):
            return b""
        try:
            octets = os.read(descriptor, _READ_OCTETS)
        except BlockingIOError:
            return b""
        except OSError as error:
            raise self._gone(error) from None
        if not octets:
            raise self._gone()
        return octets

    def _open(self) -> int:
        if self._descriptor is None:
            raise DeviceDisconnected(f"{self.name}: expected an open line, found it closed: open it again")
        return self._descriptor

    def _gone(self, error: OSError | None = None) -> DeviceDisconnected:
        cause = f" ({error.strerror})" if error is not None else ""
        return DeviceDisconnected(f"{self.name}: the other side is gone{cause}: connect it, then open it again")


def milliseconds(seconds: float) -> int:
    """A timeout for poll, rounded up."""
    return ceil(seconds * 1000) if seconds > 0 else 0


def _poll(descriptor: int, events: int) -> select.poll:
    poller = select.poll()
    poller.register(descriptor, events)
    return poller
