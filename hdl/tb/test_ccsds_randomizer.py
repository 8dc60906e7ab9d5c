"""Bench of `ccsds_randomizer`: against the octets that CCSDS 131.0-B-5, section 10, prints, and the reference model."""

import os
from typing import Any, Literal

import cocotb
import numpy as np
import pytest

from flightsw.ccsds.coding import Randomizer
from hdl.tb.rules import assert_no_bubble, reset_in_mid_frame, set_for_each_frame, watch_packing
from hdl.tb.simulation import simulate
from hdl.tb.stream import STALLS, StreamBench, assert_frames

BENCH = "hdl.tb.test_ccsds_randomizer"

#: The environment variable that asks for the long tests.
SLOW = "BEAMLOCK_SLOW"

#: By the value of `mode`.
KINDS: dict[int, Literal["255", "131071"]] = {1: "255", 2: "131071"}
PRINTED = {
    1: bytes.fromhex("FF480EC09A0D70BC8E2C93ADA7B746CE"),
    2: bytes.fromhex("1C71B91BA9BA8457B4BC5054"),
}

#: Octets: all alignments at eight lanes, and both sides of the shorter period of 255 octets.
LENGTHS = [*range(1, 20), 254, 255, 256, 511]


def _frames(lengths: list[int]) -> list[bytes]:
    rng = np.random.default_rng(1)
    return [rng.bytes(length) for length in lengths]


def _randomized(mode: int, frame: bytes) -> bytes:
    if mode not in KINDS:
        return frame
    return bytes(Randomizer(KINDS[mode]).apply(np.frombuffer(frame, np.uint8)[np.newaxis])[0])


async def _start(dut: Any, mode: int) -> StreamBench:
    bench = StreamBench(dut)
    dut.mode.value = mode
    await bench.reset()
    bench.watch()
    cocotb.start_soon(watch_packing(dut))
    return bench


@cocotb.test()
@cocotb.parametrize(mode=list(PRINTED))
async def printed(dut: Any, mode: int) -> None:
    """Frames of zeros come out as the sequence that the standard prints."""
    bench = await _start(dut, mode)
    found = await bench.pass_frames([bytes(len(PRINTED[mode]))] * 3)
    assert_frames(found, [PRINTED[mode]] * 3)


@cocotb.test()
@cocotb.parametrize(mode=[0, 1, 2, 3], idle=list(STALLS), back_pressure=list(STALLS))
async def frames(dut: Any, mode: int, idle: str, back_pressure: str) -> None:
    """Frames of every alignment through every pair of stall patterns."""
    bench = await _start(dut, mode)
    bench.stall(idle, back_pressure)
    sent = _frames(LENGTHS[:19] if mode else LENGTHS[:9])
    assert_frames(await bench.pass_frames(sent), [_randomized(mode, frame) for frame in sent])


@cocotb.test()
@cocotb.parametrize(mode=[1, 2])
async def no_bubble(dut: Any, mode: int) -> None:
    """Frames of all lengths behind each other, also beyond the period of 255 octets."""
    bench = await _start(dut, mode)
    sent = _frames(LENGTHS)
    await assert_no_bubble(bench, sent, [_randomized(mode, frame) for frame in sent])


@cocotb.test()
@cocotb.parametrize(idle=["none", "random"], back_pressure=["none", "random"])
async def mode_of_each_frame(dut: Any, idle: str, back_pressure: str) -> None:
    """The mode is that of the frame's first beat, whatever it is afterwards; frames are right behind each other."""
    bench = await _start(dut, 0)
    bench.stall(idle, back_pressure)
    sent = _frames(LENGTHS[:18])
    modes = [2, 1, 0, 2, 3, 1] * 3
    cocotb.start_soon(set_for_each_frame(dut, "mode", modes, [3 - mode for mode in modes]))
    expected = [_randomized(mode, frame) for mode, frame in zip(modes, sent, strict=True)]
    assert_frames(await bench.pass_frames(sent), expected)


@cocotb.test()
@cocotb.parametrize(cycles=[5, 6, 7, 8, 9])
async def reset_leaves_no_trace(dut: Any, cycles: int) -> None:
    """A reset with a frame inside; the next frame starts the sequence anew."""
    bench = await _start(dut, 1)
    await reset_in_mid_frame(bench, bytes(100), cycles)
    dut.mode.value = 2
    assert_frames(await bench.pass_frames([bytes(12)]), [PRINTED[2]])


@cocotb.test(skip=SLOW not in os.environ)
async def whole_period(dut: Any) -> None:
    """One frame longer than the period of 131071 octets."""
    bench = await _start(dut, 2)
    await assert_no_bubble(bench, _frames([131_100]), [_randomized(2, frame) for frame in _frames([131_100])])


@pytest.mark.parametrize("width", [8, 64])
def test_randomizer(width: int) -> None:
    """The narrowest and the widest."""
    simulate("ccsds_randomizer", BENCH, {"DATA_WIDTH": width})


@pytest.mark.slow
@pytest.mark.parametrize("width", [8, 16, 32, 64])
def test_randomizer_at_length(width: int) -> None:
    """Every width, with the long tests."""
    simulate("ccsds_randomizer", BENCH, {"DATA_WIDTH": width}, {SLOW: "1"})
