"""Serial ports, through pyserial: a device file, or any URL that pyserial knows."""

import contextlib
import errno
import grp
import os
import termios
from pathlib import Path
from typing import Any

import serial

from flightsw.errors import ConfigError, DeviceAccess, DeviceDisconnected, DeviceError, DeviceNotFound, DeviceTimeout
from hil.transports import WRITE_TIMEOUT_S, Framing, Transport
from hil.transports.descriptor import DescriptorTransport

#: open(2) and the exclusive lock say this of a port that another program has.
_IN_USE = (errno.EBUSY, errno.EAGAIN)
_FORBIDDEN = (errno.EACCES, errno.EPERM)


def open_port(url: str, baud: int) -> Transport:
    """Open a port, for this process alone.

    Raises DeviceNotFound, DeviceAccess, or ConfigError for a URL or baud rate that cannot be.
    """
    name = f"serial:{url}"
    try:
        port = serial.serial_for_url(url, baudrate=baud, exclusive=True, timeout=0, write_timeout=WRITE_TIMEOUT_S)
    except (serial.SerialException, OSError) as error:
        raise _not_opened(name, url, error) from None
    except (ValueError, LookupError, OverflowError, termios.error) as error:
        raise ConfigError(
            f"{name}: expected a port or a pyserial URL, and a baud rate that it has, found {baud} Bd: {error}"
        ) from None
    # USB adapters hold octets back for up to 16 ms unless told not to; not every port can be told
    with contextlib.suppress(ValueError, AttributeError, NotImplementedError):
        port.set_low_latency_mode(True)
    return NativePort(name, port) if type(port) is serial.Serial else UrlPort(name, port)


class NativePort(DescriptorTransport):
    """A device file, which pyserial opened, locked and configured.

    It is read and written without pyserial, whose timeouts would configure the port anew each time that they change.
    """

    def __init__(self, name: str, port: Any) -> None:
        self._port = port
        super().__init__(name, port.fileno())

    def close(self) -> None:
        """Let go of the port."""
        self._descriptor = None
        self._port.close()


class UrlPort:
    """A port of another kind: `socket://`, `rfc2217://`, `loop://`, `spy://`."""

    framing = Framing.STREAM

    def __init__(self, name: str, port: Any) -> None:
        self.name = name
        self._port = port

    def write(self, octets: bytes) -> None:
        """Send all of `octets`. Raises DeviceTimeout if the port does not take them."""
        try:
            self._port.write(octets)
        except serial.SerialTimeoutException:
            raise DeviceTimeout(
                f"{self.name}: expected the port to take octets within {WRITE_TIMEOUT_S:g} s, found it full"
            ) from None
        except OSError as error:
            raise self._gone(error) from None

    def read(self, timeout_s: float) -> bytes:
        """What is there, at once; else what comes within `timeout_s`, or b""."""
        try:
            self._port.timeout = timeout_s
            octets: bytes = self._port.read(1)
            waiting = self._port.in_waiting if octets else 0
            return octets + self._port.read(waiting) if waiting else octets
        except OSError as error:
            raise self._gone(error) from None

    def close(self) -> None:
        """Let go of the port."""
        # pyserial forgets to close a socket whose other side is gone already
        connection = getattr(self._port, "_socket", None)
        self._port.close()
        if connection is not None:
            connection.close()

    def _gone(self, error: Exception) -> DeviceDisconnected:
        return DeviceDisconnected(f"{self.name}: the device is gone ({error}): connect it, then open it again")


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
    what = os.strerror(cause.errno) if cause.errno is not None and cause.errno > 0 else cause.strerror or error
    return DeviceNotFound(
        f"{name}: expected a serial port, found: {what}: "
        "plug the device in, or correct the address (`ls /dev/serial/by-id`)"
    )


def _group(url: str) -> str:
    """Group of a device file; that of serial ports where it cannot be told, or would not do."""
    try:
        group = grp.getgrgid(Path(url).stat().st_gid).gr_name
    except (OSError, KeyError):
        return "dialout"
    return "dialout" if group == "root" else group
