"""Bench of `ccsds_crc16`: against the printed check value, 29B1 of "123456789", and the CRC of Python's binascii."""

import binascii
import itertools

import cocotb
import numpy as np
import pytest

from hdl.tb.lengths import assert_wrong_lengths
from hdl.tb.rules import assert_no_bubble, reset_in_mid_frame
from hdl.tb.simulation import simulate
from hdl.tb.stream import STALLS, StreamBench, assert_frames

BENCH = "hdl.tb.test_ccsds_crc16"


def _check(frame: bytes) -> bytes:
    return binascii.crc_hqx(frame, 0xFFFF).to_bytes(2, "big")


def _frames(dut, count: int) -> list[bytes]:
    rng = np.random.default_rng(1)
    return [rng.bytes(int(dut.FRAME_OCTETS.value)) for _ in range(count)]


async def _start(dut) -> StreamBench:
    bench = StreamBench(dut)
    dut.enable.value = 1
    await bench.reset()
    bench.watch()
    return bench


@cocotb.test()
@cocotb.parametrize(idle=list(STALLS), back_pressure=list(STALLS))
async def frames(dut, idle: str, back_pressure: str) -> None:
    """Random frames through every pair of stall patterns."""
    bench = await _start(dut)
    bench.stall(idle, back_pressure)
    sent = _frames(dut, 5)
    assert_frames(await bench.pass_frames(sent), [frame + _check(frame) for frame in sent])


@cocotb.test()
async def printed_value(dut) -> None:
    """The check value of this CRC, where the frames are as long."""
    bench = await _start(dut)
    if int(dut.FRAME_OCTETS.value) == 9:
        assert_frames(await bench.pass_frames([b"123456789"]), [b"123456789\x29\xb1"])


@cocotb.test()
async def no_bubble(dut) -> None:
    """Frames behind each other at full speed."""
    bench = await _start(dut)
    sent = _frames(dut, 30)
    await assert_no_bubble(bench, sent, [frame + _check(frame) for frame in sent])


@cocotb.test()
@cocotb.parametrize(back_pressure=["none", "random"])
async def wrong_lengths(dut, back_pressure: str) -> None:
    """Frames too short and too long are flagged and fail their check; those behind them are clean."""
    bench = await _start(dut)
    bench.stall("none", back_pressure)
    await assert_wrong_lengths(bench, int(dut.FRAME_OCTETS.value), _check)


@cocotb.test()
@cocotb.parametrize(cycles=[3, 4, 5, 6, 9])
async def reset_leaves_no_trace(dut, cycles: int) -> None:
    """A reset with a frame or its check inside."""
    bench = await _start(dut)
    sent = _frames(dut, 3)
    await reset_in_mid_frame(bench, sent[0], cycles)
    assert_frames(await bench.pass_frames(sent), [frame + _check(frame) for frame in sent])


@cocotb.test()
async def bypass(dut) -> None:
    """With `enable` low, frames of any length pass; the next enabled frame gets its check."""
    bench = await _start(dut)
    sent, others = _frames(dut, 2), [bytes(range(n)) for n in (1, 7, 8, 9, 20)]
    assert_frames(await bench.pass_frames(sent), [frame + _check(frame) for frame in sent])
    dut.enable.value = 0
    assert_frames(await bench.pass_frames(others), others)
    dut.enable.value = 1
    assert_frames(await bench.pass_frames(sent), [frame + _check(frame) for frame in sent])


@pytest.mark.parametrize(("width", "octets"), [(8, 9), (64, 9), (64, 15)])
def test_frames(width: int, octets: int) -> None:
    simulate("ccsds_crc16", BENCH, {"DATA_WIDTH": width, "FRAME_OCTETS": octets})


@pytest.mark.slow
@pytest.mark.parametrize(("width", "octets"), list(itertools.product((8, 16, 32, 64), (*range(2, 19), 1113))))
def test_every_alignment(width: int, octets: int) -> None:
    simulate("ccsds_crc16", BENCH, {"DATA_WIDTH": width, "FRAME_OCTETS": octets})
