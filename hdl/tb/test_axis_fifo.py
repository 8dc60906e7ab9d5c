"""Bench of `axis_fifo`: what goes in comes out; full, empty, and everything between."""

import itertools
from typing import Any

import cocotb
import numpy as np
import pytest
from cocotb.triggers import ClockCycles, RisingEdge

from hdl.tb.rules import assert_no_bubble, reset_in_mid_frame, watch_packing
from hdl.tb.simulation import simulate
from hdl.tb.stream import STALLS, StreamBench, assert_frames

BENCH = "hdl.tb.test_axis_fifo"

#: Octets: every alignment at eight lanes, and more than any depth under test.
LENGTHS = [*range(1, 18), 1, 1, 8, 8, 3, 300, 1]


def _frames(lengths: list[int] = LENGTHS) -> list[bytes]:
    rng = np.random.default_rng(1)
    return [rng.bytes(length) for length in lengths]


async def _start(dut: Any) -> StreamBench:
    bench = StreamBench(dut)
    await bench.reset()
    bench.watch()
    cocotb.start_soon(watch_packing(dut))
    cocotb.start_soon(_watch_level(dut))
    return bench


async def _watch_level(dut: Any) -> None:
    """At every edge, `level` must be the beats that went in less those that came out, and room must be offered."""
    inside = 0
    while True:
        await RisingEdge(dut.clk)
        if dut.rst.value:
            inside = 0
            continue
        assert int(dut.level.value) == inside, f"level: expected {inside}, found {int(dut.level.value)}"
        assert bool(dut.s_axis_tready.value) == (inside < int(dut.DEPTH.value)), f"tready at level {inside}"
        inside += bool(dut.s_axis_tvalid.value and dut.s_axis_tready.value)
        inside -= bool(dut.m_axis_tvalid.value and dut.m_axis_tready.value)


@cocotb.test()
@cocotb.parametrize(idle=list(STALLS), back_pressure=list(STALLS))
async def frames(dut: Any, idle: str, back_pressure: str) -> None:
    """Frames of every alignment through every pair of stall patterns."""
    bench = await _start(dut)
    bench.stall(idle, back_pressure)
    assert_frames(await bench.pass_frames(_frames()), _frames())


@cocotb.test()
@cocotb.parametrize(side=["input", "output"])
async def no_bubble(dut: Any, side: str) -> None:
    """A beat in every cycle, in and out."""
    await assert_no_bubble(await _start(dut), _frames(), _frames(), side=side)


@cocotb.test()
async def fills_and_drains(dut: Any) -> None:
    """Nothing is taken out until nothing more goes in, again and again, so that the pointers wrap around."""
    bench = await _start(dut)
    depth = int(dut.DEPTH.value)
    lanes = len(dut.m_axis_tkeep)
    for n in range(5):
        sent = _frames([(depth - 1) * lanes, 2 * lanes, n + 1])
        bench.sink.pause = True
        passing = cocotb.start_soon(bench.pass_frames(sent))
        await ClockCycles(dut.clk, depth + 10)
        assert int(dut.level.value) == depth
        bench.sink.pause = False
        assert_frames(await passing, sent)


@cocotb.test()
@cocotb.parametrize(back_pressure=["none", "long"], cycles=[3, 4, 5, 6, 7, 20])
async def reset_leaves_no_trace(dut: Any, back_pressure: str, cycles: int) -> None:
    """A reset with beats inside."""
    bench = await _start(dut)
    bench.stall("none", back_pressure)
    await reset_in_mid_frame(bench, bytes(40), cycles)
    assert_frames(await bench.pass_frames(_frames([20, 30])), _frames([20, 30]))


QUICK = [(8, 16), (64, 4)]


@pytest.mark.parametrize(("width", "depth"), QUICK)
def test_fifo(width: int, depth: int) -> None:
    """A small one and the smallest."""
    simulate("axis_fifo", BENCH, {"DATA_WIDTH": width, "DEPTH": depth})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("width", "depth"), [pair for pair in itertools.product((8, 16, 32, 64), (4, 8, 128)) if pair not in QUICK]
)
def test_fifo_of_any_size(width: int, depth: int) -> None:
    """Every width at several depths."""
    simulate("axis_fifo", BENCH, {"DATA_WIDTH": width, "DEPTH": depth})
