"""The ground's side of a spacecraft's port, polled, never waited for: CADUs in, CLTUs out.

The addresses are those of `hil.ground.port`. By UDP the ground listens at the second port and sends to the first.
"""

import errno
import os
import socket
from typing import Any, Protocol

from flightsw.ccsds.coding.synchronizer import ASM_32
from flightsw.errors import ConfigError, DeviceAccess, DeviceDisconnected, DeviceNotFound
from hil.ground.port import PortAddress

_PIECE = 1 << 16
_ON_ITS_WAY = (errno.EINPROGRESS, errno.EALREADY, errno.EWOULDBLOCK)


class Line(Protocol):
    """One connection."""

    def fileno(self) -> int:
        """Its file descriptor, which can be read when something has come."""

    def receive(self) -> bytes:
        """CADUs that have come since the last call, end to end.

        Raises DeviceNotFound if nobody listens there, and DeviceDisconnected if the other end has gone.
        """

    def send(self, octets: bytes) -> None:
        """Send CLTUs. Raises DeviceDisconnected if the other end has gone."""

    def close(self) -> None:
        """Close it."""


class TcpLine:
    """A connection by TCP, which comes about while it is polled."""

    def __init__(self, address: PortAddress) -> None:
        """Begin to connect. Raises ConfigError for a host that is not known."""
        self._address = address
        try:
            family, _, _, _, to = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)[0]
        except OSError as error:
            raise ConfigError(f"{address}: expected a host, found: {error.strerror}") from None
        self._to: Any = to  # of as many fields as its family has
        self._socket = socket.socket(family, socket.SOCK_STREAM)
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connected = False
        self._waiting = bytearray()

    def fileno(self) -> int:
        """Its file descriptor."""
        return self._socket.fileno()

    def receive(self) -> bytes:
        """What has come since the last call."""
        if not self._connected:
            self._connected = self._try_to_connect()
        received = b""
        while self._connected:
            try:
                piece = self._socket.recv(_PIECE)
            except BlockingIOError:
                break
            except OSError as error:
                raise self._gone(error.strerror) from None
            if not piece:
                if received:
                    break
                raise self._gone("end of the connection")
            received += piece
        return received

    def send(self, octets: bytes) -> None:
        """Send, as far as the connection takes it; the rest goes with the next call."""
        self._waiting += octets
        try:
            while self._waiting and self._connected:
                del self._waiting[: self._socket.send(self._waiting)]
        except BlockingIOError:
            pass
        except OSError as error:
            raise self._gone(error.strerror) from None

    def close(self) -> None:
        """Close it."""
        self._socket.close()

    def _try_to_connect(self) -> bool:
        code = self._socket.connect_ex(self._to)
        if code not in (0, errno.EISCONN, *_ON_ITS_WAY):
            raise DeviceNotFound(
                f"{self._address}: expected a spacecraft that listens there, found: {os.strerror(code)}: "
                f"start `beamlock run SCENARIO --ground {self._address}`, or correct the address"
            )
        return code in (0, errno.EISCONN)

    def _gone(self, why: str | None) -> DeviceDisconnected:
        return DeviceDisconnected(f"{self._address}: expected the spacecraft to stay, found: {why}")


class UdpLine:
    """Datagrams with a frame each, and with CLTUs."""

    def __init__(self, address: PortAddress) -> None:
        """Listen for frames. Raises DeviceAccess if the port is taken or not allowed."""
        assert address.to is not None
        self._to = address.host, address.port
        self._socket = socket.socket(socket.AF_INET6 if ":" in address.to[0] else socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self._socket.bind(address.to)
        except OSError as error:
            self._socket.close()
            raise DeviceAccess(
                f"{address}: expected to listen at {address.to[1]}, found: {error.strerror}: stop what uses it"
            ) from None
        self._socket.setblocking(False)

    def fileno(self) -> int:
        """Its file descriptor."""
        return self._socket.fileno()

    def receive(self) -> bytes:
        """The frames that have come since the last call, markers ahead of them."""
        received = b""
        while True:
            try:
                received += ASM_32 + self._socket.recv(_PIECE)
            except OSError:
                return received

    def send(self, octets: bytes) -> None:
        """Send; where nobody listens, it is gone, and COP-1 sends it again."""
        try:
            if octets:
                self._socket.sendto(octets, self._to)
        except OSError:
            pass

    def close(self) -> None:
        """Close it."""
        self._socket.close()


def open_line(address: PortAddress) -> Line:
    """Begin to connect, or listen. Raises ConfigError for an unknown host, DeviceAccess for a port that is taken."""
    return TcpLine(address) if address.to is None else UdpLine(address)
