"""Bench of `cobs_decoder`: against the package `cobs`, with packets at every border of its blocks, and with garbage."""

import cocotb
import numpy as np
from cobs import cobs
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge

from hdl.tb.simulation import simulate

BENCH = "hdl.tb.test_cobs_decoder"


def packets() -> list[bytes]:
    """Packets with few and many zeros, around the 254 octets of a whole block."""
    rng = np.random.default_rng(1)
    ones = [bytes([1]) * length for length in (1, 2, 253, 254, 255, 256, 508, 509, 600)]
    with_zeros = [one[: len(one) // 2] + b"\0" + one[len(one) // 2 :] for one in ones]
    at_the_ends = [b"\0", b"\0\0", b"\0" + ones[3], ones[3] + b"\0", ones[3] + b"\0\0"]
    sparse = [(rng.integers(0, 256, 700) * (rng.random(700) < 0.4)).astype(np.uint8).tobytes() for _ in range(5)]
    return ones + with_zeros + at_the_ends + sparse


class Decoder:
    """The module, clocked, and the packets that it gives: octets, or None where one is not good."""

    def __init__(self, dut) -> None:
        self.dut = dut
        self.packets: list[bytes | None] = []
        self._begun = b""
        cocotb.start_soon(Clock(dut.clk, 10, unit="ns").start())

    async def reset(self) -> None:
        """Hold the reset for some cycles."""
        self.dut.s_valid.value = 0
        self.dut.s_lost.value = 0
        self.dut.rst.value = 1
        for _ in range(3):
            await FallingEdge(self.dut.clk)
        self.dut.rst.value = 0

    async def step(self, octet: int | None = None, lost: int = 0) -> None:
        """One cycle, with an octet or without."""
        self.dut.s_octet.value = octet or 0
        self.dut.s_valid.value = octet is not None
        self.dut.s_lost.value = lost
        await FallingEdge(self.dut.clk)
        if self.dut.m_valid.value:
            self._begun += bytes([int(self.dut.m_octet.value)])
        if self.dut.packet_end.value:
            self.packets.append(self._begun if self.dut.packet_good.value else None)
            self._begun = b""

    async def send(self, octets: bytes, idle: int = 0) -> None:
        """Octets, each with `idle` cycles behind it."""
        for octet in octets:
            await self.step(octet)
            for _ in range(idle):
                await self.step()


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(idle=[0, 2])
async def whole_packets(dut, idle: int) -> None:
    """Every packet as the package encoded it, one behind the other."""
    decoder = Decoder(dut)
    await decoder.reset()
    for packet in packets():
        await decoder.send(cobs.encode(packet) + b"\0", idle)
    assert decoder.packets == packets()


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def broken_packets(dut) -> None:
    """Cut blocks and lost octets are told; the next packet is right; delimiters alone are no packet."""
    decoder = Decoder(dut)
    await decoder.reset()
    await decoder.send(b"\0\0")
    for packet in packets():
        encoded = cobs.encode(packet)
        await decoder.send(encoded[:-1] + b"\0" if encoded[-1] != 1 else b"\x02\0")
        await decoder.send(encoded)
        await decoder.step(lost=1)
        await decoder.send(b"\0\0")
        await decoder.step(lost=1)
        await decoder.send(b"\0" + encoded + b"\0")
    expected = [verdict for packet in packets() for verdict in (None, None, None, packet)]
    assert decoder.packets == expected


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def reset_in_a_packet(dut) -> None:
    """What came before a reset is forgotten."""
    decoder = Decoder(dut)
    await decoder.reset()
    await decoder.send(b"\x09abc")
    await decoder.reset()
    decoder._begun = b""
    await decoder.send(cobs.encode(b"new") + b"\0")
    assert decoder.packets == [b"new"]


def test_cobs_decoder() -> None:
    simulate("cobs_decoder", BENCH)
