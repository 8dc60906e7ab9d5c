"""TCP: a device on the network, and the listener of an emulator."""

import socket

from flightsw.errors import DeviceAccess, DeviceNotFound, DeviceTimeout
from hil.transports.descriptor import DescriptorTransport

CONNECT_TIMEOUT_S = 5.0


class TcpTransport(DescriptorTransport):
    """One connection."""

    def __init__(self, connection: socket.socket, name: str) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = connection
        super().__init__(name, connection.fileno())

    def close(self) -> None:
        """Close the connection."""
        self._descriptor = None
        self._socket.close()


def connect(host: str, port: int) -> TcpTransport:
    """Connect to a device. Raises DeviceNotFound if nobody listens there."""
    name = f"tcp:{host}:{port}"
    try:
        connection = socket.create_connection((host, port), timeout=CONNECT_TIMEOUT_S)
    except OSError as error:
        raise DeviceNotFound(
            f"{name}: expected a device that listens there, found: {error.strerror or error}: "
            "start it, or correct host and port"
        ) from None
    return TcpTransport(connection, name)


class Listener:
    """Waits for hosts at a port; port 0 takes any that is free.

    Attributes:
        port: the port in use.
    """

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listen. Raises DeviceAccess if the port is taken or not allowed."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            self._socket = socket.create_server((host, port), family=family)
        except OSError as error:
            raise DeviceAccess(
                f"tcp:{host}:{port}: expected a port to listen at, found: {error.strerror or error}: "
                "stop what uses it, or take another"
            ) from None
        self.port: int = self._socket.getsockname()[1]
        self._host = host

    def accept(self, timeout_s: float) -> TcpTransport:
        """The next host that connects. Raises DeviceTimeout if none does in time."""
        self._socket.settimeout(timeout_s)
        try:
            connection, peer = self._socket.accept()
        except (TimeoutError, BlockingIOError):
            raise DeviceTimeout(
                f"tcp:{self._host}:{self.port}: expected a host to connect within {timeout_s:g} s, found none"
            ) from None
        return TcpTransport(connection, f"tcp:{peer[0]}:{peer[1]}")

    def close(self) -> None:
        """Stop listening."""
        self._socket.close()
