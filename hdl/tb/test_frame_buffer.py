"""Bench of `frame_buffer`: random packets kept, dropped and begun anew, against a list of octets in Python."""

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, Timer

from hdl.tb.simulation import simulate

BENCH = "hdl.tb.test_frame_buffer"


class Buffer:
    """The module, clocked; what it gives is gathered into frames at a random pace."""

    def __init__(self, dut, pace: float) -> None:
        self.dut = dut
        self.frames: list[bytes] = []
        self.taken = 0
        self._begun = b""
        self._pace = pace
        self._rng = np.random.default_rng(2)
        cocotb.start_soon(Clock(dut.clk, 10, unit="ns").start())

    async def reset(self) -> None:
        """Hold the reset for some cycles."""
        for name in ("write", "last", "keep", "keep_last", "drop", "restart", "m_axis_tready"):
            getattr(self.dut, name).value = 0
        self.dut.rst.value = 1
        for _ in range(3):
            await FallingEdge(self.dut.clk)
        self.dut.rst.value = 0
        self._begun = b""

    async def step(self, **inputs: int) -> None:
        """One cycle with these inputs high."""
        dut = self.dut
        for name, value in inputs.items():
            getattr(dut, name).value = value
        dut.m_axis_tready.value = int(self._rng.random() < self._pace)
        await Timer(1, "ns")
        if dut.m_axis_tvalid.value and dut.m_axis_tready.value:
            self._begun += bytes([int(dut.m_axis_tdata.value)])
            self.taken += 1
            if dut.m_axis_tlast.value:
                self.frames.append(self._begun)
                self._begun = b""
        await FallingEdge(dut.clk)
        for name in inputs:
            getattr(dut, name).value = 0

    async def write(self, octets: bytes, last: bool = False) -> None:
        """The octets of a packet, which is then to be kept or dropped."""
        for n, octet in enumerate(octets):
            await self.step(write=1, octet=octet, last=int(last and n == len(octets) - 1))


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(pace=[0.0, 0.1, 1.0])
async def random_packets(dut, pace: float) -> None:
    """Frames come out whole, in order, and as they were kept; room and overflow are those of the list."""
    buffer = Buffer(dut, pace)
    await buffer.reset()
    size = int(dut.OCTETS.value)
    rng = np.random.default_rng(1)
    accepted, expected, committed = b"", [], 0
    for _ in range(400):
        octets = rng.integers(0, 256, rng.integers(1, size // 3), np.uint8).tobytes()
        last, first, good = rng.random(3) < (0.4, 0.2, 0.8)
        if first:
            await buffer.step(restart=1)
            accepted = b""
        await buffer.step()
        held = committed - buffer.taken + len(accepted)
        room = int(dut.room.value)
        # an octet that waits on the stream has left the memory, and one more is on its way there
        assert size - held <= room <= size - held + 2
        await buffer.write(octets, bool(last))
        overflow = bool(dut.overflow.value)
        if len(octets) <= room or pace == 0:
            assert overflow == (len(octets) > room)
        if good and not overflow:
            await buffer.step(keep=1, keep_last=int(last))
            accepted += octets
            if last:
                expected.append(accepted)
                committed += len(accepted)
                accepted = b""
        else:
            await buffer.step(drop=1)
        assert not dut.overflow.value
        assert bool(dut.in_frame.value) == bool(accepted)
    buffer._pace = 1.0
    while buffer.taken < committed:
        await buffer.step()
    for _ in range(10):
        await buffer.step()
    assert buffer.frames == expected
    assert len(expected) > (0 if pace == 0 else 20)


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def nothing_before_the_last_packet(dut) -> None:
    """A frame without its end, and a packet that is not kept, give nothing; a reset forgets them."""
    buffer = Buffer(dut, 1.0)
    await buffer.reset()
    await buffer.write(b"begun")
    await buffer.step(keep=1)
    await buffer.write(b"more", last=True)
    for _ in range(20):
        await buffer.step()
    assert not dut.m_axis_tvalid.value
    await buffer.reset()
    await buffer.write(b"new", last=True)
    await buffer.step(keep=1, keep_last=1)
    for _ in range(20):
        await buffer.step()
    assert buffer.frames == [b"new"]


def test_frame_buffer() -> None:
    simulate("frame_buffer", BENCH, {"OCTETS": 64})
