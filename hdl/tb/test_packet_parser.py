"""Bench of `packet_parser`: packets of `flightsw.ccsds.space_packet`, whole and with every kind of damage."""

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge

from flightsw.ccsds import space_packet
from flightsw.ccsds.coding import crc16
from flightsw.ccsds.space_packet import Packet
from hdl.tb.simulation import simulate

BENCH = "hdl.tb.test_packet_parser"
APID = 0x106
HELLO, READ, WRITE, DATA, HEARTBEAT, STREAM = 1, 2, 3, 4, 5, 6


class Parser:
    """The module, clocked, and all that it says.

    Attributes:
        requests: (id, count, body, error) of each request.
        verdicts: "good", "bad" or "dropped" of each packet.
        kept: octets and last flags of the packets of DATA that were kept, and whether each ends a frame.
    """

    def __init__(self, dut) -> None:
        self.dut = dut
        self.requests: list[tuple[int, int, bytes, int]] = []
        self.verdicts: list[str] = []
        self.kept: list[tuple[bytes, list[int], int]] = []
        self.restarts = 0
        self._written: list[tuple[int, int]] = []
        cocotb.start_soon(Clock(dut.clk, 10, unit="ns").start())

    async def reset(self) -> None:
        """Hold the reset for some cycles."""
        for name in ("octet_valid", "packet_end", "data_overflow", "data_in_frame"):
            getattr(self.dut, name).value = 0
        self.dut.request_ready.value = 1
        self.dut.rst.value = 1
        for _ in range(3):
            await FallingEdge(self.dut.clk)
        self.dut.rst.value = 0

    async def step(self) -> None:
        """One cycle; what is up in it is noted before its end."""
        dut = self.dut
        if dut.request.value:
            body = int(dut.request_body.value).to_bytes(6, "big")
            self.requests.append(
                (int(dut.request_id.value), int(dut.request_count.value), body, int(dut.request_error.value))
            )
        if dut.data_restart.value:
            self.restarts += 1
        if dut.data_write.value:
            self._written.append((int(dut.data_octet.value), int(dut.data_last.value)))
        assert not (dut.data_keep.value and dut.data_drop.value)
        if dut.data_keep.value:
            octets = bytes(octet for octet, _ in self._written)
            self.kept.append((octets, [last for _, last in self._written], int(dut.data_keep_last.value)))
        if dut.data_keep.value or dut.data_drop.value:
            self._written.clear()
        for verdict in ("dropped", "good", "bad"):
            if getattr(dut, verdict).value:
                self.verdicts.append(verdict)
                break
        await FallingEdge(dut.clk)

    async def send(self, octets: bytes, good: int = 1, spacing: int = 4) -> None:
        """The octets of a packet, `spacing` cycles apart, and its end."""
        for octet in octets:
            self.dut.octet.value = octet
            self.dut.octet_valid.value = 1
            for _ in range(spacing):
                await self._settled_step()
        self.dut.packet_end.value = 1
        self.dut.packet_good.value = good
        for _ in range(spacing):
            await self._settled_step()

    async def _settled_step(self) -> None:
        # half a cycle ahead of the edge the combinational outputs have settled
        await cocotb.triggers.Timer(1, "ns")
        await self.step()
        self.dut.octet_valid.value = 0
        self.dut.packet_end.value = 0


def packet(data: bytes, count: int = 7, apid: int = APID, telecommand: bool = True) -> bytes:
    """A command packet."""
    return space_packet.build(Packet(apid, count, 99, data, telecommand=telecommand))


def with_crc(octets: bytes) -> bytes:
    """The packet with its CRC made anew, after something else was changed."""
    return octets[:-2] + crc16(octets[:-2]).to_bytes(2, "big")


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def requests(dut) -> None:
    """Each message with its count and body."""
    parser = Parser(dut)
    await parser.reset()
    bodies = {
        HELLO: b"\x01",
        READ: b"\x12\x34",
        WRITE: b"\x12\x34\xde\xad\xbe\xef",
        HEARTBEAT: b"",
        STREAM: b"\x01\0\x05",
    }
    for count, (message, body) in enumerate(bodies.items()):
        await parser.send(packet(bytes([message]) + body, 0x2A00 + count))
    for count, (message, body) in enumerate(bodies.items()):
        found = parser.requests[count]
        assert found[:2] == (message, 0x2A00 + count)
        assert found[2][: len(body)] == body
        assert found[3] == 0
    assert parser.verdicts == ["good"] * len(bodies)


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def wrong_lengths(dut) -> None:
    """A body of another length is a bad length, an unknown id an unknown message; both are answered."""
    parser = Parser(dut)
    await parser.reset()
    lengths = {HELLO: 1, READ: 2, WRITE: 6, HEARTBEAT: 0, STREAM: 3}
    expected = []
    for message in range(9):
        for length in range(9):
            await parser.send(packet(bytes([message]) + bytes(length)))
            if message == DATA:
                expected.append(2 if length < 2 else 5)
            else:
                expected.append(1 if message not in lengths else 0 if length == lengths[message] else 2)
    assert [error for *_, error in parser.requests] == expected


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def single_bits(dut) -> None:
    """No packet with one wrong bit passes, wherever it is."""
    parser = Parser(dut)
    await parser.reset()
    whole = packet(bytes([DATA, 3]) + b"some octets")
    for bit in range(8 * len(whole)):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 0x80 >> bit % 8
        await parser.send(bytes(damaged))
    assert parser.verdicts == ["bad"] * 8 * len(whole)
    assert parser.requests == [] and parser.kept == []


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def headers(dut) -> None:
    """Packets whose CRC is right and whose header is not; HELLO to another APID passes."""
    parser = Parser(dut)
    await parser.reset()
    read = packet(bytes([READ, 0, 0]))
    await parser.send(packet(bytes([READ, 0, 0]), apid=0x105))
    await parser.send(packet(bytes([READ, 0, 0]), apid=0x006))
    await parser.send(packet(bytes([READ, 0, 0]), telecommand=False))
    await parser.send(with_crc(bytes([read[0] | 0x20]) + read[1:]))
    await parser.send(with_crc(bytes([read[0] & ~0x08]) + read[1:]))
    await parser.send(with_crc(read[:2] + bytes([read[2] & 0x7F]) + read[3:]))
    await parser.send(with_crc(read[:5] + bytes([read[5] + 1]) + read[6:]))
    await parser.send(with_crc(read[:4] + bytes([8]) + read[5:]))
    await parser.send(with_crc(read[:6]))
    await parser.send(b"")
    await parser.send(read, good=0)
    assert parser.verdicts == ["bad"] * 11
    await parser.send(packet(bytes([HELLO, 1]), apid=0x101))
    await parser.send(read)
    assert parser.verdicts[11:] == ["good"] * 2


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def data(dut) -> None:
    """Octets of DATA without the CRC, `last` with the last one where the flag says so."""
    parser = Parser(dut)
    await parser.reset()
    dut.data_in_frame.value = 1
    rng = np.random.default_rng(1)
    for flags, length in [(3, 1), (0, 2), (1, 3), (2, 100), (3, 1200)]:
        octets = rng.integers(0, 256, length, np.uint8).tobytes()
        await parser.send(packet(bytes([DATA, flags]) + octets))
        lasts = [0] * (length - 1) + [flags >> 1]
        assert parser.kept.pop() == (octets, lasts, flags >> 1)
    assert parser.restarts == 3
    assert [error for *_, error in parser.requests] == [0] * 5


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def refused_data(dut) -> None:
    """DATA that does not fit, has no beginning or comes while a request is being carried out is taken back."""
    parser = Parser(dut)
    await parser.reset()
    part = packet(bytes([DATA, 0]) + b"part")
    await parser.send(part)
    dut.data_in_frame.value = 1
    dut.data_overflow.value = 1
    await parser.send(part)
    dut.data_overflow.value = 0
    dut.request_ready.value = 0
    await parser.send(part)
    dut.request_ready.value = 1
    assert parser.kept == []
    await parser.send(part)
    assert [octets for octets, *_ in parser.kept] == [b"part"]
    assert [error for *_, error in parser.requests] == [5, 6, 0]
    assert parser.verdicts == ["good", "good", "dropped", "good"]


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def too_long(dut) -> None:
    """A packet longer than the parser counts is bad, though its header and CRC are right."""
    parser = Parser(dut)
    await parser.reset()
    dut.data_in_frame.value = 1
    await parser.send(packet(bytes([DATA, 0]) + bytes(2028)))
    await parser.send(packet(bytes([DATA, 0]) + bytes(2029)))
    await parser.send(packet(bytes([DATA, 0]) + bytes(2028 + 2048)))
    assert parser.verdicts == ["good", "bad", "bad"]


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def reset_in_a_packet(dut) -> None:
    """What came before a reset is forgotten."""
    parser = Parser(dut)
    await parser.reset()
    whole = packet(bytes([READ, 0, 8]))
    for octet in whole[:-4]:
        dut.octet.value = octet
        dut.octet_valid.value = 1
        await parser._settled_step()
    await parser.reset()
    await parser.send(whole)
    assert parser.verdicts == ["good"]


def test_packet_parser() -> None:
    simulate("packet_parser", BENCH)
