"""Ways to a device: serial port, USB, TCP, pseudo-terminal, and a pair of ends in one process.

`hil.transports.address` opens one from its address. A transport carries octets and knows nothing of the protocol, but
for how packets are told apart on it.
"""

from enum import Enum
from typing import Protocol

#: How long a write waits for a line that takes nothing.
WRITE_TIMEOUT_S = 1.0


class Framing(Enum):
    """How packets are told apart."""

    STREAM = "stream"  #: a stream of octets: each packet COBS-encoded, a zero octet after it
    TRANSFER = "transfer"  #: a write is a transfer, a read returns one: each packet bare


class Transport(Protocol):
    """An open way to a device.

    Every method raises DeviceDisconnected when the other side is gone. Opening again is making a new transport.
    """

    @property
    def name(self) -> str:
        """Where this leads to, for people."""

    @property
    def framing(self) -> Framing:
        """How packets are told apart."""

    def write(self, octets: bytes) -> None:
        """Send all of `octets`. Raises DeviceTimeout if the other side does not take them."""

    def read(self, timeout_s: float) -> bytes:
        """What is there, at once; else what comes within `timeout_s`, or b"" if nothing does."""

    def close(self) -> None:
        """Let go of the device. Closing twice is closing once."""
