"""Bench of `cobs_encoder`: against the package `cobs`, for every kind of packet up to its 254 octets."""

import cocotb
import numpy as np
from cobs import cobs
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge
from cocotbext.axi import AxiStreamBus, AxiStreamFrame, AxiStreamSink, AxiStreamSource

from hdl.tb.simulation import simulate
from hdl.tb.stream import CLOCK_NS, STALLS

BENCH = "hdl.tb.test_cobs_encoder"


def packets() -> list[bytes]:
    """Packets with and without zeros, at both ends and in the middle."""
    rng = np.random.default_rng(1)
    ones = [bytes([1]) * length for length in (1, 2, 253, 254)]
    zeros = [bytes(length) for length in (1, 2, 254)]
    mixed = [b"\0" + ones[2], ones[2] + b"\0", b"a\0b", b"\0a\0"]
    sparse = [(rng.integers(0, 256, n) * (rng.random(n) < 0.5)).astype(np.uint8).tobytes() for n in range(1, 255, 60)]
    return ones + zeros + mixed + sparse


async def _start(dut) -> tuple[AxiStreamSource, AxiStreamSink]:
    cocotb.start_soon(Clock(dut.clk, CLOCK_NS, unit="ns").start())
    source = AxiStreamSource(AxiStreamBus.from_prefix(dut, "s_axis"), dut.clk, dut.rst)
    sink = AxiStreamSink(AxiStreamBus.from_prefix(dut, "m_axis"), dut.clk, dut.rst)
    await _reset(dut)
    return source, sink


async def _reset(dut) -> None:
    await FallingEdge(dut.clk)
    dut.rst.value = 1
    for _ in range(3):
        await FallingEdge(dut.clk)
    dut.rst.value = 0


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(idle=list(STALLS), back_pressure=list(STALLS))
async def encode(dut, idle: str, back_pressure: str) -> None:
    """Every packet as the package encodes it, with its delimiter."""
    source, sink = await _start(dut)
    source.set_pause_generator(STALLS[idle]())
    sink.set_pause_generator(STALLS[back_pressure]())
    for packet in packets():
        source.send_nowait(AxiStreamFrame(packet))
    for packet in packets():
        assert bytes((await sink.recv()).tdata) == cobs.encode(packet) + b"\0"


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def queue(dut) -> None:
    """As many packets as there are slots go in while nothing goes out, and `used` counts them."""
    source, sink = await _start(dut)
    slots = int(dut.PACKETS.value)
    sink.pause = True
    for n in range(slots + 1):
        source.send_nowait(AxiStreamFrame(bytes([n + 1, 0, n + 1])))
    for _ in range(20 * slots):
        await FallingEdge(dut.clk)
    assert int(dut.used.value) == slots
    assert not int(dut.s_axis_tready.value)
    sink.pause = False
    for n in range(slots + 1):
        assert bytes((await sink.recv()).tdata) == cobs.encode(bytes([n + 1, 0, n + 1])) + b"\0"
    await FallingEdge(dut.clk)
    assert int(dut.used.value) == 0


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def reset_in_a_packet(dut) -> None:
    """What came before a reset is forgotten."""
    source, sink = await _start(dut)
    source.send_nowait(AxiStreamFrame(b"whole"))
    source.send_nowait(AxiStreamFrame(bytes(range(200))))
    for _ in range(60):
        await FallingEdge(dut.clk)
    await _reset(dut)
    source.clear()
    sink.clear()
    await source.send(AxiStreamFrame(b"new"))
    assert bytes((await sink.recv()).tdata) == cobs.encode(b"new") + b"\0"


def test_cobs_encoder() -> None:
    simulate("cobs_encoder", BENCH, {"PACKETS": 4})
