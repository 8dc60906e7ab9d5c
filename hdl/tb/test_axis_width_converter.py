"""Bench of `axis_width_converter`: the same octets in beats of another width."""

import itertools
from typing import Any

import cocotb
import numpy as np
import pytest
from cocotb.triggers import RisingEdge

from hdl.tb.rules import assert_no_bubble, reset_in_mid_frame, watch_packing
from hdl.tb.simulation import simulate
from hdl.tb.stream import STALLS, StreamBench, assert_frames

BENCH = "hdl.tb.test_axis_width_converter"

#: Octets: every alignment at eight lanes.
LENGTHS = [*range(1, 18), 1, 1, 8, 8, 3, 64, 1]


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
async def narrower_side_never_rests(dut: Any) -> None:
    """A beat in every cycle on the narrower side."""
    side = "output" if int(dut.S_WIDTH.value) >= int(dut.M_WIDTH.value) else "input"
    await assert_no_bubble(await _start(dut), _frames(), _frames(), side=side)


@cocotb.test()
async def packed(dut: Any) -> None:
    """Every frame takes as few beats as its octets fill, and only its last one is not full."""
    bench = await _start(dut)
    lanes = int(dut.M_WIDTH.value) // 8
    keeps: list[int] = []

    async def watch() -> None:
        while True:
            await RisingEdge(dut.clk)
            if dut.m_axis_tvalid.value and dut.m_axis_tready.value:
                keeps.append(int(dut.m_axis_tkeep.value))

    cocotb.start_soon(watch())
    await bench.pass_frames(_frames())
    full, expected = (1 << lanes) - 1, []
    for length in LENGTHS:
        beats, rest = divmod(length, lanes)
        expected += [full] * beats + ([(1 << rest) - 1] if rest else [])
    assert keeps == expected


@cocotb.test()
@cocotb.parametrize(back_pressure=["none", "alternate"], cycles=list(range(3, 14)))
async def reset_leaves_no_trace(dut: Any, back_pressure: str, cycles: int) -> None:
    """A reset with a part of a beat inside."""
    bench = await _start(dut)
    bench.stall("none", back_pressure)
    await reset_in_mid_frame(bench, bytes(40), cycles)
    assert_frames(await bench.pass_frames(_frames([5, 30])), _frames([5, 30]))


QUICK = [(64, 8), (8, 64)]


@pytest.mark.parametrize(("input_width", "output_width"), QUICK)
def test_width_converter(input_width: int, output_width: int) -> None:
    """The largest ratios."""
    simulate("axis_width_converter", BENCH, {"S_WIDTH": input_width, "M_WIDTH": output_width})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("input_width", "output_width"),
    [pair for pair in itertools.product((8, 16, 32, 64), repeat=2) if pair not in QUICK],
)
def test_width_converter_of_any_widths(input_width: int, output_width: int) -> None:
    """All other pairs of widths, equal ones too."""
    simulate("axis_width_converter", BENCH, {"S_WIDTH": input_width, "M_WIDTH": output_width})
