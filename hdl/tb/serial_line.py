"""The far end of a UART: bits on the pins, octets in Python. It shares nothing with the RTL but the baud rate."""

from typing import Any

import cocotb
from cocotb.queue import Queue
from cocotb.triggers import FallingEdge, Timer


class SerialLine:
    """Sends octets to a pin and gathers those that another pin sends: start bit, 8 bits, low bit first, stop bit.

    Attributes:
        octets: what came, in order.
        broken: octets whose stop bit was low.
    """

    def __init__(self, to_device: Any, from_device: Any, baud: float) -> None:
        """`baud` may be off the device's own, to try how far."""
        self.bit_ps = 1e12 / baud
        self.octets: Queue[int] = Queue()
        self.broken = 0
        self._to_device = to_device
        self._from_device = from_device
        if to_device is not None:
            to_device.value = 1
        if from_device is not None:
            cocotb.start_soon(self._receive())

    async def send(self, octets: bytes, stop: int = 1) -> None:
        """Send octets without a gap; `stop` 0 breaks the stop bit of each."""
        # times are rounded from the start of all, so that no error adds up
        sent = 0
        for octet in octets:
            word = stop << 9 | octet << 1
            for n in range(10):
                self._to_device.value = word >> n & 1
                await self._wait(sent, sent + 1)
                sent += 1
        self._to_device.value = 1

    async def idle(self, bits: float) -> None:
        """Leave the line as it is for a time."""
        await Timer(round(bits * self.bit_ps), "ps")

    async def read(self, count: int) -> bytes:
        """The next `count` octets."""
        return bytes([await self.octets.get() for _ in range(count)])

    async def _receive(self) -> None:
        while True:
            await FallingEdge(self._from_device)
            await self._wait(0, 1.5)
            octet = 0
            for n in range(8):
                octet |= int(self._from_device.value) << n
                await self._wait(n + 1.5, n + 2.5)
            if int(self._from_device.value):
                self.octets.put_nowait(octet)
            else:
                self.broken += 1

    async def _wait(self, start: float, stop: float) -> None:
        await Timer(round(stop * self.bit_ps) - round(start * self.bit_ps), "ps")
