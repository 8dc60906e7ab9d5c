"""Bench of `axis_register`: what goes in comes out, at full speed, and no path leads through."""

import itertools
from typing import Any

import cocotb
import numpy as np
import pytest
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, ReadOnly, Timer

from hdl.tb.rules import assert_no_bubble, reset_in_mid_frame, watch_packing
from hdl.tb.simulation import simulate
from hdl.tb.stream import STALLS, StreamBench, assert_frames

BENCH = "hdl.tb.test_axis_register"

LENGTHS = [*range(1, 18), 1, 1, 64, 3]


def _frames(lengths: list[int] = LENGTHS) -> list[bytes]:
    rng = np.random.default_rng(1)
    return [rng.bytes(length) for length in lengths]


async def _start(dut: Any) -> StreamBench:
    bench = StreamBench(dut)
    await bench.reset()
    bench.watch()
    cocotb.start_soon(watch_packing(dut))
    return bench


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
async def outputs_are_registers(dut: Any) -> None:
    """Within a cycle, no output follows an input."""
    outputs = (dut.s_axis_tready, dut.m_axis_tvalid, dut.m_axis_tdata, dut.m_axis_tkeep, dut.m_axis_tlast)
    Clock(dut.clk, 10, unit="ns").start()
    dut.rst.value = 1
    await FallingEdge(dut.clk)
    dut.rst.value = 0
    rng = np.random.default_rng(2)
    for valid, ready in itertools.product((0, 1), repeat=2):
        for _ in range(20):
            await FallingEdge(dut.clk)
            await ReadOnly()
            before = [output.value for output in outputs]
            await Timer(1, unit="ns")
            dut.s_axis_tvalid.value = valid
            dut.m_axis_tready.value = ready
            dut.s_axis_tdata.value = int(rng.integers(0, 256))
            dut.s_axis_tlast.value = int(rng.integers(0, 2))
            await ReadOnly()
            assert [output.value for output in outputs] == before


@cocotb.test()
@cocotb.parametrize(back_pressure=["none", "alternate", "long"], cycles=[3, 4, 5, 6, 7, 20])
async def reset_leaves_no_trace(dut: Any, back_pressure: str, cycles: int) -> None:
    """A reset with one or two beats inside."""
    bench = await _start(dut)
    bench.stall("none", back_pressure)
    await reset_in_mid_frame(bench, bytes(40), cycles)
    assert_frames(await bench.pass_frames(_frames([20, 30])), _frames([20, 30]))


@pytest.mark.parametrize("width", [64])
def test_axis_register(width: int) -> None:
    """The widest."""
    simulate("axis_register", BENCH, {"DATA_WIDTH": width})


@pytest.mark.slow
@pytest.mark.parametrize("width", [8, 16, 32])
def test_axis_register_of_any_width(width: int) -> None:
    """All others."""
    simulate("axis_register", BENCH, {"DATA_WIDTH": width})
