"""What an encoder that appends a check must do with frames of a wrong length."""

from collections.abc import Callable

import cocotb
import numpy as np
from cocotb.triggers import RisingEdge

from hdl.tb.stream import StreamBench, assert_frames


async def assert_wrong_lengths(bench: StreamBench, length: int, check: Callable[[bytes], bytes]) -> None:
    """Pass frames that are too short and too long between good ones.

    A short one must come out filled with zeros, a long one cut, both with every bit of the check inverted and
    `length_error` up for one cycle each; those between them as if nothing had happened. check: of a frame of `length`.
    """
    dut, errors = bench.dut, 0

    async def count() -> None:
        nonlocal errors
        while True:
            await RisingEdge(dut.clk)
            errors += int(dut.length_error.value)

    counter = cocotb.start_soon(count())
    rng = np.random.default_rng(3)
    lengths = [length, 1, length, length - 1, length + 1, length + 1, length, length // 2, 2 * length + 3, length]
    sent = [rng.bytes(max(n, 1)) for n in lengths]
    expected = []
    for frame in sent:
        whole = frame[:length].ljust(length, b"\0")
        inverted = bytes(0xFF ^ octet for octet in check(whole))
        expected.append(whole + (check(whole) if len(frame) == length else inverted))
    assert_frames(await bench.pass_frames(sent), expected)
    counter.cancel()
    wrong = sum(len(frame) != length for frame in sent)
    assert errors == wrong, f"length_error: expected {wrong} cycles, found {errors}"
