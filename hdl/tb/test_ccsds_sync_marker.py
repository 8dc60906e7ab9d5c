"""Bench of `ccsds_sync_marker`: against the markers that CCSDS 131.0-B-5, section 9, prints."""

import itertools
from typing import Any

import cocotb
import numpy as np
import pytest

from hdl.tb.rules import assert_no_bubble, reset_in_mid_frame, set_for_each_frame, watch_packing
from hdl.tb.simulation import simulate
from hdl.tb.stream import STALLS, StreamBench, assert_frames

BENCH = "hdl.tb.test_ccsds_sync_marker"

#: By MARKER_OCTETS.
MARKERS = {4: bytes.fromhex("1ACFFC1D"), 8: bytes.fromhex("034776C7272895B0")}

#: Octets: every alignment at eight lanes, each behind each other length's alignment somewhere.
LENGTHS = [*range(1, 18), 5, 1, 1, 8, 8, 4, 4, 3, 1]


def _frames(lengths: list[int] = LENGTHS) -> list[bytes]:
    rng = np.random.default_rng(1)
    return [rng.bytes(length) for length in lengths]


def _marked(dut: Any, enable: int, frame: bytes) -> bytes:
    return MARKERS[int(dut.MARKER_OCTETS.value)] + frame if enable else frame


async def _start(dut: Any, enable: int) -> StreamBench:
    bench = StreamBench(dut)
    dut.enable.value = enable
    await bench.reset()
    bench.watch()
    cocotb.start_soon(watch_packing(dut))
    return bench


@cocotb.test()
@cocotb.parametrize(enable=[0, 1], idle=list(STALLS), back_pressure=list(STALLS))
async def frames(dut: Any, enable: int, idle: str, back_pressure: str) -> None:
    """Frames of every alignment through every pair of stall patterns."""
    bench = await _start(dut, enable)
    bench.stall(idle, back_pressure)
    sent = _frames()
    assert_frames(await bench.pass_frames(sent), [_marked(dut, enable, frame) for frame in sent])


@cocotb.test()
@cocotb.parametrize(enable=[0, 1])
async def no_bubble(dut: Any, enable: int) -> None:
    """Frames of all alignments behind each other."""
    bench = await _start(dut, enable)
    sent = _frames([*LENGTHS, *range(250, 260)])
    await assert_no_bubble(bench, sent, [_marked(dut, enable, frame) for frame in sent])


@cocotb.test()
@cocotb.parametrize(idle=["none", "random"], back_pressure=["none", "random"])
async def enable_of_each_frame(dut: Any, idle: str, back_pressure: str) -> None:
    """Marked is what was enabled at the frame's first beat, whatever comes afterwards."""
    bench = await _start(dut, 0)
    bench.stall(idle, back_pressure)
    sent = _frames()
    enables = [int(bit) for bit in np.random.default_rng(2).integers(0, 2, len(sent))]
    cocotb.start_soon(set_for_each_frame(dut, "enable", enables, [1 - enable for enable in enables]))
    expected = [_marked(dut, enable, frame) for enable, frame in zip(enables, sent, strict=True)]
    assert_frames(await bench.pass_frames(sent), expected)


@cocotb.test()
@cocotb.parametrize(before=[0, 1], after=[0, 1], length=[1, 6, 30], cycles=list(range(3, 11)))
async def reset_leaves_no_trace(dut: Any, before: int, after: int, length: int, cycles: int) -> None:
    """A reset with a frame or its marker inside."""
    bench = await _start(dut, before)
    await reset_in_mid_frame(bench, bytes(length), cycles)
    dut.enable.value = after
    sent = _frames([10, 20])
    assert_frames(await bench.pass_frames(sent), [_marked(dut, after, frame) for frame in sent])


@pytest.mark.parametrize(("width", "octets"), [(8, 4), (64, 4)])
def test_sync_marker(width: int, octets: int) -> None:
    """Whole beats of the marker, and frames moved by half a beat."""
    simulate("ccsds_sync_marker", BENCH, {"DATA_WIDTH": width, "MARKER_OCTETS": octets})


@pytest.mark.slow
@pytest.mark.parametrize(("width", "octets"), list(itertools.product((8, 16, 32, 64), MARKERS)))
def test_sync_marker_of_any_width(width: int, octets: int) -> None:
    """Every width and marker."""
    simulate("ccsds_sync_marker", BENCH, {"DATA_WIDTH": width, "MARKER_OCTETS": octets})
