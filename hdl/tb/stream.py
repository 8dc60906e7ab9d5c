"""What the benches of streaming modules share: clock, reset, source, sink, and the rules of AXI4-Stream.

Stalls are cycles of a pattern: an idle pattern stops the source, a back-pressure pattern the sink. The product of both
with the payloads is the bench of a module.
"""

import itertools
import random
from collections.abc import Iterable, Iterator
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, RisingEdge, with_timeout
from cocotbext.axi import AxiStreamBus, AxiStreamFrame, AxiStreamSink, AxiStreamSource

CLOCK_NS = 10

#: Stalls by name: True stops the beat. None never stops; the random ones have a seed, so a failure comes again.
STALLS: dict[str, Any] = {
    "none": lambda: None,
    "alternate": lambda: itertools.cycle([False, True]),
    "long": lambda: itertools.cycle([False] * 3 + [True] * 17),
    "single": lambda: itertools.cycle([True] * 5 + [False]),
    "random": lambda: _random_stalls(7),
}


def _random_stalls(seed: int) -> Iterator[bool]:
    rng = random.Random(seed)
    while True:
        yield rng.random() < 0.5


class StreamBench:
    """A module with one stream in (`s_axis_`) and one out (`m_axis_`), clocked, watched, and fed with frames.

    A watcher checks at every clock edge that a beat which is offered and not taken stays as it is (AMBA AXI4-Stream,
    2.2.1), and counts the cycles.
    """

    def __init__(self, dut: Any) -> None:
        self.dut = dut
        self.source = AxiStreamSource(AxiStreamBus.from_prefix(dut, "s_axis"), dut.clk, dut.rst)
        self.sink = AxiStreamSink(AxiStreamBus.from_prefix(dut, "m_axis"), dut.clk, dut.rst)
        self.cycles = 0
        Clock(dut.clk, CLOCK_NS, unit="ns").start()

    async def reset(self, cycles: int = 3) -> None:
        """Hold the reset for some cycles and release it between two rising edges."""
        await FallingEdge(self.dut.clk)
        self.dut.rst.value = 1
        for _ in range(cycles):
            await FallingEdge(self.dut.clk)
        self.dut.rst.value = 0

    def stall(self, idle: str, back_pressure: str) -> None:
        """Set the pattern of the source's idle cycles and of the sink's back-pressure, names of `STALLS`."""
        self.source.set_pause_generator(STALLS[idle]())
        self.sink.set_pause_generator(STALLS[back_pressure]())

    def watch(self) -> None:
        """Start the watcher; it costs a Python step each cycle."""
        cocotb.start_soon(self._watch())

    async def _watch(self) -> None:
        dut, offered = self.dut, None
        while True:
            await RisingEdge(dut.clk)
            valid, ready = bool(dut.m_axis_tvalid.value), bool(dut.m_axis_tready.value)
            beat = (
                (dut.m_axis_tdata.value, dut.m_axis_tkeep.value, dut.m_axis_tlast.value)
                if valid and not dut.rst.value
                else None
            )
            if offered is not None and not dut.rst.value:
                assert beat == offered, (
                    f"cycle {self.cycles}: beat offered and not taken: expected {offered}, found {beat}"
                )
            offered = beat if valid and not ready else None
            self.cycles += 1

    async def pass_frames(self, frames: Iterable[bytes]) -> list[bytes]:
        """Send frames, and return as many as went in, in the order in which they came out.

        Raises SimTimeoutError where a frame does not come out within many times the cycles that all of them take.
        """
        sent = octets = 0
        for frame in frames:
            self.source.send_nowait(AxiStreamFrame(frame))
            sent += 1
            octets += len(frame)
        patience = CLOCK_NS * (10_000 + 40 * octets)
        return [bytes((await with_timeout(self.sink.recv(), patience, "ns")).tdata) for _ in range(sent)]


def assert_frames(found: list[bytes], expected: list[bytes]) -> None:
    """Compare frames octet for octet; the message says which frame and octet differ first."""
    for n, (got, want) in enumerate(zip(found, expected, strict=True)):
        if got != want:
            at = next((i for i, (a, b) in enumerate(zip(got, want, strict=False)) if a != b), min(len(got), len(want)))
            raise AssertionError(
                f"frame {n}, octet {at}: expected {want[at : at + 4].hex()}, found {got[at : at + 4].hex()}; "
                f"expected {len(want)} octets, found {len(got)}"
            )
