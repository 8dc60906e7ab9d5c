"""Bench of `ccsds_convolutional_encoder`: against the sync marker as receivers know it, and the reference encoder."""

from typing import Any

import cocotb
import numpy as np

from flightsw.ccsds.coding import ConvolutionalCode
from flightsw.ccsds.coding.convolutional import Rate
from hdl.tb.rules import assert_no_bubble, reset_in_mid_frame, set_for_each_frame, watch_packing
from hdl.tb.simulation import simulate
from hdl.tb.stream import STALLS, StreamBench, assert_frames

BENCH = "hdl.tb.test_ccsds_convolutional_encoder"

#: By the value of `rate`; every other value passes octets as they are.
RATES: dict[int, Rate] = {1: "1/2", 2: "2/3", 3: "3/4", 4: "5/6", 5: "7/8"}

#: The marker's symbols that follow from it alone, as the receivers of gr-ccsds search for them: how many before them
#: still hang on earlier bits, how many there are, and their octets.
MARKER = bytes.fromhex("1ACFFC1D")
ENCODED_MARKER = {
    1: (12, 52, "81C971AA73D3E0"),
    2: (9, 39, "EAE0BF0A2A"),
    3: (8, 35, "E0CAFD53A0"),
    4: (8, 31, "AB2BE23A"),
    5: (7, 30, "B10BE624"),
}

LENGTHS = [1, 1, 2, 1, 1, 1, 3, *range(1, 12), 1, 1, 1, 40]


def _frames(lengths: list[int] = LENGTHS) -> list[bytes]:
    rng = np.random.default_rng(1)
    return [rng.bytes(length) for length in lengths]


def _encoded(rates: list[int], frames: list[bytes]) -> list[bytes]:
    """What the frames become one after the other; every change of rate begins a new stream."""
    expected, before = [], None
    for rate, frame in zip(rates, frames, strict=True):
        if rate != before and rate in RATES:
            encoder = ConvolutionalCode(RATES[rate]).encoder()
        before = rate
        if rate in RATES:
            frame = encoder.encode(np.frombuffer(frame, np.uint8)[np.newaxis])[0].tobytes()
        expected.append(frame)
    return expected


async def _start(dut: Any, rate: int) -> StreamBench:
    bench = StreamBench(dut)
    dut.rate.value = rate
    await bench.reset()
    bench.watch()
    cocotb.start_soon(watch_packing(dut))
    return bench


async def _assert_marker(bench: StreamBench, rate: int) -> None:
    (found,) = await bench.pass_frames([MARKER + bytes(2)])
    before, known, octets = ENCODED_MARKER[rate]
    bits = np.unpackbits(np.frombuffer(found, np.uint8))[before : before + known]
    expected = np.unpackbits(np.frombuffer(bytes.fromhex(octets), np.uint8))[:known]
    assert_frames([bits.tobytes()], [expected.tobytes()])


@cocotb.test()
@cocotb.parametrize(rate=list(RATES))
async def marker(dut: Any, rate: int) -> None:
    """The marker comes out as the receivers expect it."""
    await _assert_marker(await _start(dut, rate), rate)


@cocotb.test()
@cocotb.parametrize(rate=[0, *RATES], idle=list(STALLS), back_pressure=list(STALLS))
async def frames(dut: Any, rate: int, idle: str, back_pressure: str) -> None:
    """Frames at every place of the puncture period through every pair of stall patterns; the stream runs on."""
    bench = await _start(dut, rate)
    bench.stall(idle, back_pressure)
    sent = _frames()
    assert_frames(await bench.pass_frames(sent), _encoded([rate] * len(sent), sent))


@cocotb.test()
@cocotb.parametrize(rate=list(range(8)))
async def no_bubble(dut: Any, rate: int) -> None:
    """An octet in every cycle, also where frames meet in the middle of an octet."""
    bench = await _start(dut, rate)
    sent = _frames([*LENGTHS, *range(80, 120)])
    await assert_no_bubble(bench, sent, _encoded([rate] * len(sent), sent))


@cocotb.test()
@cocotb.parametrize(idle=["none", "single", "random"], back_pressure=["none", "long", "random"])
async def rate_of_each_frame(dut: Any, idle: str, back_pressure: str) -> None:
    """A new rate waits for the frame before, and for nothing else; within a frame, `rate` is not looked at."""
    bench = await _start(dut, 0)
    bench.stall(idle, back_pressure)
    rng = np.random.default_rng(3)
    rates = [int(rate) for rate in rng.integers(0, 8, 60).repeat(rng.integers(1, 4, 60))]
    sent = _frames([int(length) for length in rng.integers(1, 12, len(rates))])
    # 6 and 7 do as 0 does, but change the rate
    cocotb.start_soon(set_for_each_frame(dut, "rate", rates, [7 - rate for rate in rates]))
    assert_frames(await bench.pass_frames(sent), _encoded(rates, sent))


@cocotb.test()
@cocotb.parametrize(rate=[0, 3, 5], length=[1, 30], cycles=list(range(4, 10)))
async def reset_leaves_no_trace(dut: Any, rate: int, length: int, cycles: int) -> None:
    """A reset with a frame, or the rest of one, inside."""
    bench = await _start(dut, rate)
    await reset_in_mid_frame(bench, b"\xa5" * length, cycles)
    for after in (rate or 1, 2):
        dut.rate.value = after
        await _assert_marker(bench, after)


def test_convolutional_encoder() -> None:
    """All rates; the module has no parameters."""
    simulate("ccsds_convolutional_encoder", BENCH)
