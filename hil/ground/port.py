"""Where the ground system of a spacecraft connects: TCP or UDP, polled, never waited for.

| address | frames down | CLTUs up |
| --- | --- | --- |
| `tcp:PORT`, `tcp:HOST:PORT` | CADUs end to end, to all who connect | from one of them at a time |
| `udp:PORT,PORT`, `udp:[HOST:]PORT,[HOST:]PORT` | one frame in a datagram, to the second port | at the first port |

Without a host it is the loopback interface. Frames that a ground system is too slow for are dropped whole, and counted.
"""

import re
import socket
from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import Protocol

from flightsw.ccsds.coding.synchronizer import ASM_32, cadu
from flightsw.ccsds.transfer_frame import Octets
from flightsw.errors import ConfigError, DeviceAccess

LOOPBACK = "127.0.0.1"
_PIECE = 1 << 16
#: Octets that may wait for one ground system: some seconds of the downlink.
_MOST_WAITING = 1 << 22
_HOST = r"(?:(\[[0-9a-fA-F:.]+\]|[^\s:/,\[\]]+):)?"
_TCP = re.compile(rf"tcp:{_HOST}(\d{{1,5}})")
_UDP = re.compile(rf"udp:{_HOST}(\d{{1,5}}),{_HOST}(\d{{1,5}})")


@dataclass(frozen=True, slots=True)
class PortAddress:
    """Where to listen; with `to`, by UDP, and where to send the frames."""

    host: str
    port: int
    to: tuple[str, int] | None = None

    def __str__(self) -> str:
        at = f"{_bracketed(self.host)}:{self.port}"
        return f"tcp:{at}" if self.to is None else f"udp:{at},{_bracketed(self.to[0])}:{self.to[1]}"

    @property
    def is_loopback(self) -> bool:
        """Whether nobody beyond this machine is reached."""
        return all(_is_loopback(host) for host in (self.host, *(self.to or ())[:1]))

    def following(self, number: int) -> "PortAddress":
        """The address of a further spacecraft: all ports that much higher."""
        to = None if self.to is None else (self.to[0], self.to[1] + number)
        return replace(self, port=self.port + number, to=to)

    def open(self) -> "Port":
        """Listen. Raises DeviceAccess if the port is taken or not allowed."""
        return TcpPort(self) if self.to is None else UdpPort(self)


def parse(text: str) -> PortAddress:
    """An address from text. Raises ConfigError."""
    if match := _TCP.fullmatch(text):
        address = PortAddress(_host(match[1]), int(match[2]))
    elif match := _UDP.fullmatch(text):
        address = PortAddress(_host(match[1]), int(match[2]), (_host(match[3]), int(match[4])))
    else:
        raise ConfigError(f"ground link {text!r}: expected tcp:PORT, tcp:HOST:PORT or udp:PORT,PORT")
    if not all(0 < port < 1 << 16 for port in (address.port, *(address.to or ())[1:])):
        raise ConfigError(f"ground link {text!r}: expected ports of 1 to 65535")
    return address


class Port(Protocol):
    """One spacecraft's port.

    Attributes:
        dropped: frames that nobody took.
    """

    dropped: int

    def receive(self) -> bytes:
        """What has come up since the last call."""

    def send(self, frames: Octets) -> None:
        """Send frames, uint8 (n, octets)."""

    def close(self) -> None:
        """Close it, and all connections."""


class TcpPort:
    """Frames to everybody who is connected; telecommands from whoever sent the first, until that one leaves."""

    def __init__(self, address: PortAddress) -> None:
        family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        try:
            self._socket = socket.create_server((address.host, address.port), family=family)
        except OSError as error:
            raise _not_to_be_had(address, error) from None
        self._socket.setblocking(False)
        self._waiting: dict[socket.socket, bytearray] = {}
        self._commander: socket.socket | None = None
        self.dropped = 0

    def receive(self) -> bytes:
        """What the one who commands has sent since the last call; whoever else sends is disconnected."""
        self._accept()
        received = b""
        for connection in list(self._waiting):
            try:
                piece = connection.recv(_PIECE)
            except BlockingIOError:
                continue
            except OSError:
                piece = b""
            if not piece or self._commander not in (None, connection):
                self._leave(connection)
                continue
            self._commander = connection
            received += piece
        return received

    def send(self, frames: Octets) -> None:
        """Send frames, as far as each connection takes them."""
        units = cadu(frames, ASM_32).tobytes()
        for connection, waiting in list(self._waiting.items()):
            if len(waiting) + len(units) > _MOST_WAITING:
                self.dropped += len(frames)
            else:
                waiting += units
            try:
                while waiting:
                    del waiting[: connection.send(waiting)]
            except BlockingIOError:
                pass
            except OSError:
                self._leave(connection)

    def close(self) -> None:
        """Close it, and all connections."""
        for connection in list(self._waiting):
            self._leave(connection)
        self._socket.close()

    def _accept(self) -> None:
        try:
            connection, _ = self._socket.accept()
        except OSError:
            return
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._waiting[connection] = bytearray()

    def _leave(self, connection: socket.socket) -> None:
        del self._waiting[connection]
        connection.close()
        if self._commander is connection:
            self._commander = None


class UdpPort:
    """A datagram for each frame down, and for each CLTU up."""

    def __init__(self, address: PortAddress) -> None:
        assert address.to is not None
        self._to = address.to
        self._socket = socket.socket(socket.AF_INET6 if ":" in address.host else socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self._socket.bind((address.host, address.port))
        except OSError as error:
            self._socket.close()
            raise _not_to_be_had(address, error) from None
        self._socket.setblocking(False)
        self.dropped = 0

    def receive(self) -> bytes:
        """The datagrams that have come since the last call, end to end."""
        received = b""
        while len(received) < _PIECE:
            try:
                received += self._socket.recv(_PIECE)
            except OSError:
                break
        return received

    def send(self, frames: Octets) -> None:
        """Send each frame; where nobody listens, it is gone."""
        for frame in frames:
            try:
                self._socket.sendto(frame.tobytes(), self._to)
            except OSError:
                self.dropped += 1

    def close(self) -> None:
        """Close it."""
        self._socket.close()


def _host(found: str | None) -> str:
    return LOOPBACK if found is None else found.strip("[]")


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _not_to_be_had(address: PortAddress, error: OSError) -> DeviceAccess:
    return DeviceAccess(
        f"{address}: expected a port to listen at, found: {error.strerror or error}: stop what uses it, or take another"
    )
