"""What every streaming module must keep, whatever it computes: full beats, no bubble, no trace of a reset."""

from collections.abc import Sequence
from typing import Any

import cocotb
from cocotb.triggers import ClockCycles, RisingEdge
from cocotbext.axi import AxiStreamFrame

from hdl.tb.stream import StreamBench, assert_frames


async def assert_no_bubble(
    bench: StreamBench, frames: Sequence[bytes], expected: Sequence[bytes], *, side: str = "output"
) -> None:
    """Pass frames at full speed and look at one side: from its first beat to its last, one must move in every cycle."""
    stream = {"output": "m_axis", "input": "s_axis"}[side]
    valid, ready = (getattr(bench.dut, f"{stream}_{name}") for name in ("tvalid", "tready"))
    moved: list[bool] = []

    async def watch() -> None:
        while True:
            await RisingEdge(bench.dut.clk)
            moved.append(bool(valid.value and ready.value))

    watcher = cocotb.start_soon(watch())
    found = await bench.pass_frames(frames)
    watcher.cancel()
    assert_frames(found, list(expected))
    busy = moved[moved.index(True) : len(moved) - moved[::-1].index(True)]
    assert all(busy), (
        f"{side}: expected a beat in each of {len(busy)} cycles, found none in {busy.count(False)}, "
        f"the first of them cycle {busy.index(False)}"
    )


async def watch_packing(dut: Any) -> None:
    """At every edge: a beat on offer is full, but for the last of a frame, which holds at least its first lane."""
    full = (1 << len(dut.m_axis_tkeep)) - 1
    while True:
        await RisingEdge(dut.clk)
        if dut.m_axis_tvalid.value and not dut.rst.value:
            keep, last = int(dut.m_axis_tkeep.value), bool(dut.m_axis_tlast.value)
            assert keep == full or (last and keep and not keep & (keep + 1)), f"tkeep: found {keep:b} at tlast {last:d}"


async def reset_in_mid_frame(bench: StreamBench, frame: bytes, cycles: int) -> None:
    """Send a frame over and over, and reset for a cycle after so many, whatever is inside; both ends forget it too."""
    for _ in range(cycles):
        bench.source.send_nowait(AxiStreamFrame(frame))
    await ClockCycles(bench.dut.clk, cycles)
    bench.source.clear()
    await bench.reset(cycles=1)
    bench.sink.clear()


async def set_for_each_frame(dut: Any, setting: str, values: Sequence[int], wrong: Sequence[int]) -> None:
    """Hold a setting at a frame's value until its first beat is taken, and at a wrong one for the rest of the frame."""
    for value, other in zip(values, wrong, strict=True):
        dut[setting].value = value
        last = False
        while not last:
            await RisingEdge(dut.clk)
            if dut.s_axis_tvalid.value and dut.s_axis_tready.value:
                dut[setting].value = other
                last = bool(dut.s_axis_tlast.value)
