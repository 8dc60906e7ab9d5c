"""Bench of `uart_rx`: bits on the pin at the baud rate and beside it, broken stop bits, spikes, breaks."""

import cocotb
import numpy as np
import pytest
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, Timer

from hdl.tb.serial_line import SerialLine
from hdl.tb.simulation import simulate

BENCH = "hdl.tb.test_uart_rx"
ALL_OCTETS = bytes(range(256))


class Receiver:
    """The module, clocked and reset, and what it gives."""

    def __init__(self, dut, baud_error: float = 0.0) -> None:
        self.dut = dut
        self.octets = b""
        self.framing_errors = 0
        self.line = SerialLine(dut.rx, None, float(dut.BAUD.value) * (1 + baud_error))
        cocotb.start_soon(Clock(dut.clk, 2 * round(0.5e12 / int(dut.CLOCK_HZ.value)), unit="ps").start())

    async def start(self) -> None:
        """Reset, then look at every cycle."""
        self.dut.rst.value = 1
        for _ in range(3):
            await FallingEdge(self.dut.clk)
        self.dut.rst.value = 0
        cocotb.start_soon(self._watch())
        await self.line.idle(2)

    async def _watch(self) -> None:
        while True:
            await FallingEdge(self.dut.clk)
            if self.dut.octet_valid.value:
                self.octets += bytes([int(self.dut.octet.value)])
            self.framing_errors += int(self.dut.framing_error.value)


@cocotb.test(timeout_time=100, timeout_unit="ms")
@cocotb.parametrize(percent=[-3, 0, 3])
async def octets(dut, percent: int) -> None:
    """All octets without a gap, from a sender whose baud rate is off."""
    receiver = Receiver(dut, percent / 100)
    await receiver.start()
    await receiver.line.send(ALL_OCTETS)
    await receiver.line.idle(2)
    assert (receiver.octets, receiver.framing_errors) == (ALL_OCTETS, 0)


@cocotb.test(timeout_time=100, timeout_unit="ms")
async def any_phase(dut) -> None:
    """Start bits at random distances, so at any phase of the clock."""
    receiver = Receiver(dut)
    await receiver.start()
    rng = np.random.default_rng(1)
    sent = rng.integers(0, 256, 100, np.uint8).tobytes()
    for octet, gap in zip(sent, rng.uniform(0, 3, 100), strict=True):
        await receiver.line.send(bytes([octet]))
        await receiver.line.idle(gap)
    await receiver.line.idle(2)
    assert (receiver.octets, receiver.framing_errors) == (sent, 0)


@cocotb.test(timeout_time=100, timeout_unit="ms")
async def broken_stop_bit(dut) -> None:
    """A framing error each, no octet, and the next octet is right."""
    receiver = Receiver(dut)
    await receiver.start()
    for octet in (0x00, 0x5A, 0xFF):
        await receiver.line.send(bytes([octet]), stop=0)
        await receiver.line.idle(12)
        await receiver.line.send(bytes([octet]))
    await receiver.line.idle(2)
    assert (receiver.octets, receiver.framing_errors) == (b"\x00\x5a\xff", 3)


@cocotb.test(timeout_time=100, timeout_unit="ms")
async def line_break(dut) -> None:
    """A line that stays low is one framing error however long it lasts."""
    receiver = Receiver(dut)
    await receiver.start()
    dut.rx.value = 0
    await receiver.line.idle(50)
    dut.rx.value = 1
    await receiver.line.idle(2)
    await receiver.line.send(b"\xa5")
    await receiver.line.idle(2)
    assert (receiver.octets, receiver.framing_errors) == (b"\xa5", 1)


@cocotb.test(timeout_time=100, timeout_unit="ms")
async def short_start_bit(dut) -> None:
    """A line that is low for less than half a bit starts no octet."""
    receiver = Receiver(dut)
    await receiver.start()
    dut.rx.value = 0
    await receiver.line.idle(0.37)
    dut.rx.value = 1
    await receiver.line.idle(12)
    assert (receiver.octets, receiver.framing_errors) == (b"", 0)


@cocotb.test(timeout_time=100, timeout_unit="ms")
async def spikes(dut) -> None:
    """The wrong level for one sample in the middle of each bit, and on the idle line, changes nothing."""
    receiver = Receiver(dut)
    await receiver.start()
    period_ps = 2 * round(0.5e12 / int(dut.CLOCK_HZ.value))
    half_ps = round(receiver.line.bit_ps / 2) - period_ps // 2
    for octet in ALL_OCTETS:
        for n in range(12):
            level = (0xC00 | 0x200 | octet << 1) >> n & 1
            dut.rx.value = level
            await Timer(half_ps, "ps")
            dut.rx.value = 1 - level
            await Timer(period_ps - 2, "ps")
            dut.rx.value = level
            await Timer(half_ps, "ps")
    await receiver.line.idle(2)
    assert (receiver.octets, receiver.framing_errors) == (ALL_OCTETS, 0)


def test_uart_rx() -> None:
    # 8 1/3 clock periods a bit
    simulate("uart_rx", BENCH, {"CLOCK_HZ": 25_000_000, "BAUD": 3_000_000})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("clock_hz", "baud"), [(24_000_000, 3_000_000), (125_000_000, 3_000_000), (12_000_000, 115_200)]
)
def test_uart_rx_at_more_rates(clock_hz: int, baud: int) -> None:
    simulate("uart_rx", BENCH, {"CLOCK_HZ": clock_hz, "BAUD": baud})
