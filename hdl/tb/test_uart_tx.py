"""Bench of `uart_tx`: octets read off the pin, and the baud rate measured over many of them."""

import cocotb
import pytest
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, RisingEdge
from cocotb.utils import get_sim_time

from hdl.tb.serial_line import SerialLine
from hdl.tb.simulation import simulate

BENCH = "hdl.tb.test_uart_tx"
ALL_OCTETS = bytes(range(256))


async def _start(dut) -> SerialLine:
    """Clock and reset the module; what it sends is gathered."""
    line = SerialLine(None, dut.tx, float(dut.BAUD.value))
    cocotb.start_soon(Clock(dut.clk, 2 * round(0.5e12 / int(dut.CLOCK_HZ.value)), unit="ps").start())
    dut.s_axis_tvalid.value = 0
    dut.rst.value = 1
    for _ in range(3):
        await FallingEdge(dut.clk)
    dut.rst.value = 0
    assert int(dut.tx.value) == 1
    return line


async def _offer(dut, octets: bytes) -> None:
    await RisingEdge(dut.clk)
    for octet in octets:
        dut.s_axis_tdata.value = octet
        dut.s_axis_tvalid.value = 1
        while True:
            await FallingEdge(dut.clk)
            taken = int(dut.s_axis_tready.value)
            await RisingEdge(dut.clk)
            if taken:
                break
    dut.s_axis_tvalid.value = 0


@cocotb.test(timeout_time=100, timeout_unit="ms")
async def octets(dut) -> None:
    """All octets on offer without a pause arrive, at the baud rate to a clock period over all of them."""
    line = await _start(dut)
    cocotb.start_soon(_offer(dut, ALL_OCTETS))
    await FallingEdge(dut.tx)
    begun_ps = get_sim_time("ps")
    assert await line.read(255) == ALL_OCTETS[:255]
    await FallingEdge(dut.tx)
    period_ps = 1e12 / int(dut.CLOCK_HZ.value)
    assert abs(get_sim_time("ps") - begun_ps - 2550 * line.bit_ps) <= 2 * period_ps
    assert await line.read(1) == b"\xff"
    assert line.broken == 0


@cocotb.test(timeout_time=100, timeout_unit="ms")
async def one_by_one(dut) -> None:
    """Octets with rests between them; the line is high as long as it rests."""
    line = await _start(dut)
    for octet in (0x00, 0x01, 0x80, 0xFF, 0x55):
        await _offer(dut, bytes([octet]))
        assert await line.read(1) == bytes([octet])
        await line.idle(7.3)
        assert int(dut.tx.value) == 1
        assert line.octets.empty()


def test_uart_tx() -> None:
    # 8 1/3 clock periods a bit
    simulate("uart_tx", BENCH, {"CLOCK_HZ": 25_000_000, "BAUD": 3_000_000})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("clock_hz", "baud"), [(24_000_000, 3_000_000), (125_000_000, 3_000_000), (12_000_000, 921_600)]
)
def test_uart_tx_at_more_rates(clock_hz: int, baud: int) -> None:
    simulate("uart_tx", BENCH, {"CLOCK_HZ": clock_hz, "BAUD": baud})
