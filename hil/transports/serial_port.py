"""Serial ports, through pyserial: a device file, or any URL that pyserial knows."""

import contextlib
import errno
import grp
import os
import select
import time
from pathlib import Path
from typing import Any

import serial

from flightsw.errors import ConfigError, DeviceAccess, DeviceDisconnected, DeviceError, DeviceNotFound, DeviceTimeout
from hil.transports import WRITE_TIMEOUT_S, Framing
from hil.transports.descriptor import milliseconds, poll

_READ_OCTETS = 1 << 16
#: open(2) and the exclusive lock say this of a port that another program has.
_IN_USE = (errno.EBUSY, errno.EAGAIN)
_FORBIDDEN = (errno.EACCES, errno.EPERM)


class SerialTransport:
    """An open port, for this process alone.

    Ports with a file descriptor are waited for here, to the millisecond, and read and written without blocking, as
    changing pyserial's timeout would configure the port anew each time. The others (`loop://`, `rfc2217://`) keep
    pyserial's own waiting.
    """

    framing = Framing.STREAM

    def __init__(self, url: str, baud: int) -> None:
        """Open. Raises DeviceNotFound, DeviceAccess, or ConfigError for a URL or baud rate that cannot be."""
        self.name = f"serial:{url}"
        try:
            self._port = serial.serial_for_url(
                url, baudrate=baud, exclusive=True, timeout=0, write_timeout=WRITE_TIMEOUT_S
            )
        except (serial.SerialException, OSError) as error:
            raise _not_opened(self.name, url, error) from None
        except (ValueError, OverflowError) as error:
            raise ConfigError(
                f"{self.name}: expected a port or a pyserial URL, and a baud rate that it has, found {baud} Bd: {error}"
            ) from None
        # USB adapters hold octets back for up to 16 ms unless told not to; not every port can be told
        with contextlib.suppress(ValueError, AttributeError, NotImplementedError):
            self._port.set_low_latency_mode(True)
        descriptor = _descriptor(self._port)
        self._readable = self._writable = None
        if descriptor is not None:
            self._readable = poll(descriptor, select.POLLIN)
            self._writable = poll(descriptor, select.POLLOUT)
            self._port.write_timeout = 0

    def write(self, octets: bytes) -> None:
        """Send all of `octets`. Raises DeviceTimeout if the port does not take them."""
        try:
            if self._writable is None:
                self._port.write(octets)
                return
            deadline = time.monotonic() + WRITE_TIMEOUT_S
            while octets:
                if not self._writable.poll(milliseconds(deadline - time.monotonic())):
                    raise serial.SerialTimeoutException
                octets = octets[self._port.write(octets) :]
        except serial.SerialTimeoutException:
            raise DeviceTimeout(
                f"{self.name}: expected the port to take octets within {WRITE_TIMEOUT_S:g} s, found it full"
            ) from None
        except (OSError, ValueError, TypeError) as error:
            raise self._gone(error) from None

    def read(self, timeout_s: float) -> bytes:
        """What is there, at once; else what comes within `timeout_s`, or b""."""
        try:
            if self._readable is None:
                return self._read_waiting(timeout_s)
            if not self._readable.poll(milliseconds(timeout_s)):
                return b""
            octets: bytes = self._port.read(_READ_OCTETS)
            return octets
        except (OSError, ValueError, TypeError) as error:
            raise self._gone(error) from None

    def close(self) -> None:
        """Let go of the port."""
        # pyserial forgets to close a socket whose other side is gone already
        connection = getattr(self._port, "_socket", None)
        self._port.close()
        if connection is not None:
            connection.close()

    def _read_waiting(self, timeout_s: float) -> bytes:
        self._port.timeout = timeout_s
        octets: bytes = self._port.read(1)
        if octets:
            octets += self._port.read(self._port.in_waiting)
        return octets

    def _gone(self, error: Exception) -> DeviceDisconnected:
        return DeviceDisconnected(f"{self.name}: the device is gone ({error}): plug it in, then open it again")


def _descriptor(port: Any) -> int | None:
    try:
        descriptor: int = port.fileno()
    except (AttributeError, OSError):
        return None
    return descriptor


def _not_opened(name: str, url: str, error: OSError) -> DeviceError:
    # pyserial's socket:// wraps the error that has the number
    cause = error.__context__ if error.errno is None and isinstance(error.__context__, OSError) else error
    if cause.errno in _FORBIDDEN:
        return DeviceAccess(
            f"{name}: expected to be allowed to open it, found that only group {_group(url)} may: "
            f"run `sudo usermod -aG {_group(url)} $USER`, then log in again"
        )
    if cause.errno in _IN_USE:
        return DeviceAccess(f"{name}: expected a free port, found that another program has it: close that program")
    return DeviceNotFound(
        f"{name}: expected a serial port, found: {cause.strerror or error}: "
        "plug the device in, or correct the address (`ls /dev/serial/by-id`)"
    )


def _group(url: str) -> str:
    """Group of a device file; that of serial ports where it cannot be told, or would not do."""
    try:
        group = grp.getgrgid(Path(url).stat().st_gid).gr_name
    except (OSError, KeyError):
        return "dialout"
    return "dialout" if group == "root" or not os.path.isabs(url) else group
