"""Bench of `packet_writer`: messages of both sources, read by `flightsw.ccsds.space_packet`, under back-pressure."""

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, RisingEdge
from cocotbext.axi import AxiStreamBus, AxiStreamFrame, AxiStreamSink, AxiStreamSource

from flightsw.ccsds import space_packet
from hdl.tb.simulation import simulate
from hdl.tb.stream import CLOCK_NS, STALLS

BENCH = "hdl.tb.test_packet_writer"
APID = 0x106


class Writer:
    """The module with its two sources, whose lengths and counts are set ahead of each message."""

    def __init__(self, dut) -> None:
        self.dut = dut
        self.sources = {
            name: AxiStreamSource(AxiStreamBus.from_prefix(dut, f"s_{name}"), dut.clk, dut.rst)
            for name in ("reply", "sample")
        }
        self.sink = AxiStreamSink(AxiStreamBus.from_prefix(dut, "m_axis"), dut.clk, dut.rst)
        cocotb.start_soon(Clock(dut.clk, CLOCK_NS, unit="ns").start())

    async def reset(self) -> None:
        """Hold the reset for some cycles."""
        self.dut.time_us.value = 0
        self.dut.reply_room.value = 1
        self.dut.sample_room.value = 1
        await FallingEdge(self.dut.clk)
        self.dut.rst.value = 1
        for _ in range(3):
            await FallingEdge(self.dut.clk)
        self.dut.rst.value = 0

    def offer(self, name: str, message: bytes, count: int) -> None:
        """Offer a message of a source."""
        getattr(self.dut, f"{name}_octets").value = len(message)
        getattr(self.dut, f"{name}_count").value = count
        self.sources[name].send_nowait(AxiStreamFrame(message))

    async def packet(self) -> tuple[int, int, bytes]:
        """Count, time and user data of the next packet, whose header, length and CRC are right."""
        packet = space_packet.parse(bytes((await self.sink.recv()).tdata))
        assert (packet.apid, packet.telecommand, packet.sequence_flags) == (APID, False, 3)
        return packet.sequence_count, packet.time_us, packet.data


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(idle=list(STALLS), back_pressure=list(STALLS))
async def messages(dut, idle: str, back_pressure: str) -> None:
    """Messages of 2 to 238 octets, with a time that changes while they leave."""
    writer = Writer(dut)
    await writer.reset()
    for source in writer.sources.values():
        source.set_pause_generator(STALLS[idle]())
    writer.sink.set_pause_generator(STALLS[back_pressure]())
    rng = np.random.default_rng(1)
    for n, length in enumerate((2, 3, 18, 237, 238)):
        name = ("reply", "sample")[n % 2]
        message = rng.integers(0, 256, length, np.uint8).tobytes()
        count, time_us = int(rng.integers(1 << 14)), int(rng.integers(1 << 48))
        dut.time_us.value = time_us
        await RisingEdge(dut.clk)
        await RisingEdge(dut.clk)
        writer.offer(name, message, count)
        await RisingEdge(dut.m_axis_tvalid)
        dut.time_us.value = ~time_us & (1 << 48) - 1
        assert await writer.packet() == (count, time_us, message)


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def replies_first(dut) -> None:
    """A reply goes ahead of samples that wait too; without room its source waits, and the other does not."""
    writer = Writer(dut)
    await writer.reset()
    dut.reply_room.value = 0
    dut.sample_room.value = 0
    writer.offer("sample", b"samples", 1)
    writer.offer("reply", b"reply", 2)
    for _ in range(50):
        await FallingEdge(dut.clk)
        assert not dut.m_axis_tvalid.value
    dut.sample_room.value = 1
    assert await writer.packet() == (1, 0, b"samples")
    dut.sample_room.value = 0
    writer.offer("sample", b"more", 3)
    for _ in range(50):
        await FallingEdge(dut.clk)
        assert not dut.m_axis_tvalid.value
    dut.sample_room.value = 1
    dut.reply_room.value = 1
    assert await writer.packet() == (2, 0, b"reply")
    assert await writer.packet() == (3, 0, b"more")


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def reset_in_a_packet(dut) -> None:
    """What came before a reset is forgotten."""
    writer = Writer(dut)
    await writer.reset()
    writer.offer("reply", bytes(100), 1)
    for _ in range(40):
        await FallingEdge(dut.clk)
    await writer.reset()
    writer.sources["reply"].clear()
    writer.sink.clear()
    writer.offer("reply", b"new", 2)
    assert await writer.packet() == (2, 0, b"new")


def test_packet_writer() -> None:
    simulate("packet_writer", BENCH)
