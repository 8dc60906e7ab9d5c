"""Bench of `board_core` at its pins: a UART bit stream in, a UART bit stream out.

Packets are made and read by `flightsw.ccsds.space_packet` and the package `cobs`, codeblocks made by
`flightsw.ccsds.coding`.
"""

import struct

import cocotb
import numpy as np
import pytest
from cobs import cobs
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, with_timeout

from flightsw.ccsds import space_packet
from flightsw.ccsds.coding import Randomizer, ReedSolomon, cadu, crc16
from flightsw.ccsds.space_packet import Packet
from hdl.tb.serial_line import SerialLine
from hdl.tb.simulation import simulate

BENCH = "hdl.tb.test_board_core"
APID = 0x106
HELLO, READ, WRITE, DATA, HEARTBEAT, STREAM = 1, 2, 3, 4, 5, 6
SAMPLES, ERROR = 0xC0, 0xFF
FIRST, LAST = 1, 2
ID, CAPABILITIES, CONTROL, STATUS, FRAMES_IN, LENGTH_ERRORS = 0x00, 0x08, 0x14, 0x18, 0x20, 0x38
BAD_PACKETS, GOOD_PACKETS, FRAMING_ERRORS, SCRATCH, DROPPED_REQUESTS = 0x80, 0x84, 0x88, 0x8C, 0x90
LARGEST_PACKET = 254
UNIQUE_ID = 0x0A0B0C0D


class Host:
    """The host's end: sends requests, sorts what comes into replies and samples, checks the form of every packet."""

    def __init__(self, dut) -> None:
        self.dut = dut
        self.clock_hz = int(dut.CLOCK_HZ.value)
        self.code = ReedSolomon(int(dut.E.value), int(dut.INTERLEAVE.value), int(dut.FILL.value))
        self.frame_octets = self.code.k - 2
        self.line = SerialLine(dut.rx, dut.tx, float(dut.BAUD.value))
        self.replies: list[Packet] = []
        self.samples: list[Packet] = []
        self.count = 100
        self.sequence = -1
        period_ps = 2 * round(1e12 / self.clock_hz / 2)
        cocotb.start_soon(Clock(dut.clk, period_ps, unit="ps").start())

    async def reset(self) -> None:
        """Hold the reset for some cycles."""
        self.dut.rst.value = 1
        for _ in range(4):
            await FallingEdge(self.dut.clk)
        self.dut.rst.value = 0

    async def next_packet(self) -> Packet:
        """The next packet of the device, whose form is checked."""
        encoded = b""
        while octet := await with_timeout(self.line.octets.get(), 20, "ms"):
            encoded += bytes([octet])
        octets = cobs.decode(encoded)
        assert len(octets) <= LARGEST_PACKET
        packet = space_packet.parse(octets)
        assert (packet.apid, packet.telecommand, packet.sequence_flags) == (APID, False, 3)
        return packet

    async def _receive_until(self, packets: list[Packet]) -> Packet:
        while not packets:
            packet = await self.next_packet()
            (self.samples if packet.data[0] == SAMPLES else self.replies).append(packet)
        return packets.pop(0)

    def packet(self, data: bytes, apid: int = APID) -> bytes:
        """A command packet with the next sequence count."""
        self.count += 1
        return space_packet.build(Packet(apid, self.count, 0x0102030405060708, data, telecommand=True))

    async def send(self, octets: bytes) -> None:
        """Send the octets of a packet."""
        await self.line.send(cobs.encode(octets) + b"\0")

    async def reply(self) -> bytes:
        """User data of the next reply, which has the count of the last request."""
        packet = await self._receive_until(self.replies)
        assert packet.sequence_count == self.count
        return packet.data

    async def request(self, data: bytes) -> bytes:
        """Send a request and wait for its reply."""
        await self.send(self.packet(data))
        return await self.reply()

    async def read(self, address: int) -> int:
        """Value of a register."""
        reply = await self.request(struct.pack(">BH", READ, address))
        answered, value = struct.unpack(">HI", reply[1:])
        assert (reply[0], answered) == (READ | 0x80, address)
        return value

    async def write(self, address: int, value: int) -> int:
        """Set a register; what it then holds."""
        reply = await self.request(struct.pack(">BHI", WRITE, address, value))
        answered, written = struct.unpack(">HI", reply[1:])
        assert (reply[0], answered) == (WRITE | 0x80, address)
        return written

    async def data(self, octets: bytes, flags: int = FIRST | LAST) -> bytes:
        """Send octets of a frame and wait for the reply."""
        return await self.request(bytes([DATA, flags]) + octets)

    async def codeblock(self) -> bytes:
        """Octets of the next codeblock, out of SAMPLES whose sequence has no gap."""
        octets = b""
        while True:
            packet = await self._receive_until(self.samples)
            sequence, flags = struct.unpack(">IB", packet.data[1:6])
            self.sequence += 1
            assert sequence == self.sequence
            assert packet.sequence_count == sequence % 2**14
            assert bool(flags & FIRST) == (not octets)
            octets += packet.data[6:]
            if flags & LAST:
                return octets

    def frame(self, seed: int) -> bytes:
        """A random frame without its FECF."""
        return np.random.default_rng(seed).integers(0, 256, self.frame_octets, np.uint8).tobytes()

    def unit(self, frame: bytes, kind: str | None = "131071") -> bytes:
        """What the reference makes of a frame."""
        information = frame + crc16(frame).to_bytes(2, "big")
        codeblock = self.code.encode(np.frombuffer(information, np.uint8)[None])
        return cadu(Randomizer(kind).apply(codeblock) if kind else codeblock).tobytes()


async def _host(dut) -> Host:
    host = Host(dut)
    await host.reset()
    return host


@cocotb.test(timeout_time=200, timeout_unit="ms")
async def hello(dut) -> None:
    """Identity, for any APID: a host on the wrong port learns from it what is there."""
    host = await _host(dut)
    lanes = int(dut.DATA_WIDTH.value) // 8
    capabilities = 0x0100_1000 + lanes + (int(dut.INTERLEAVE.value) << 16)
    expected = struct.pack(">BBBBBBIQ", 0x81, 1, 0x06, 0, 1, 0, capabilities, UNIQUE_ID)
    assert await host.request(bytes([HELLO, 1])) == expected
    await host.send(host.packet(bytes([HELLO, 9]), apid=0x101))
    assert await host.reply() == expected
    assert await host.read(BAD_PACKETS) == 0


@cocotb.test(timeout_time=200, timeout_unit="ms")
async def registers(dut) -> None:
    """Registers of the encoder and of the board; those that are not there, and those that are read-only."""
    host = await _host(dut)
    assert await host.read(ID) == int.from_bytes(b"BLTM")
    assert await host.read(CONTROL) == 0b000_1_10_1_1
    assert await host.write(CONTROL, 0b000_1_01_1_1) == 0b000_1_01_1_1
    assert await host.write(SCRATCH, 0xDEADBEEF) == 0xDEADBEEF
    assert await host.read(SCRATCH) == 0xDEADBEEF
    assert await host.request(struct.pack(">BH", READ, 0x1C)) == bytes([ERROR, 3])
    assert await host.request(struct.pack(">BH", READ, 0x94)) == bytes([ERROR, 3])
    assert await host.request(struct.pack(">BH", READ, 0x1080)) == bytes([ERROR, 3])
    assert await host.request(struct.pack(">BHI", WRITE, 0x94, 0)) == bytes([ERROR, 3])
    assert await host.request(struct.pack(">BHI", WRITE, ID, 0)) == bytes([ERROR, 4])
    assert await host.request(struct.pack(">BHI", WRITE, GOOD_PACKETS, 0)) == bytes([ERROR, 4])
    assert await host.read(GOOD_PACKETS) == 12


@cocotb.test(timeout_time=200, timeout_unit="ms")
async def heartbeat(dut) -> None:
    """Uptime in ms and the time tag in us run with the simulator's time."""
    host = await _host(dut)
    uptimes, tags, times = [], [], []
    for _ in range(2):
        await host.send(host.packet(bytes([HEARTBEAT])))
        packet = await host._receive_until(host.replies)
        times.append(cocotb.utils.get_sim_time("us"))
        kind, status, uptime = struct.unpack(">BBI", packet.data)
        assert (kind, status) == (0x85, 0b010)
        uptimes.append(uptime)
        tags.append(packet.time_us)
        await host.line.idle(9000)
    assert abs((tags[1] - tags[0]) - (times[1] - times[0])) <= 2
    assert uptimes[1] - uptimes[0] == round((times[1] - times[0]) / 1000)
    assert await host.request(struct.pack(">BBH", STREAM, 1, 7)) == struct.pack(">BBH", 0x86, 1, 7)


@cocotb.test(timeout_time=200, timeout_unit="ms")
async def frames(dut) -> None:
    """Whole frames in one and in several DATA packets, one behind the other, with the settings changed in between."""
    host = await _host(dut)
    first, second, third = (host.frame(seed) for seed in (1, 2, 3))
    room = int(dut.BUFFER_OCTETS.value)
    assert await host.data(first) == struct.pack(">BH", 0x84, room - len(first))
    cuts = [0, 1, 2, len(second) // 2, len(second)]
    for n in range(len(cuts) - 1):
        flags = (FIRST if n == 0 else 0) | (LAST if n == len(cuts) - 2 else 0)
        assert (await host.data(second[cuts[n] : cuts[n + 1]], flags))[0] == 0x84
    assert await host.codeblock() == host.unit(first)
    assert await host.codeblock() == host.unit(second)
    await host.write(CONTROL, 0b000_1_00_1_1)
    await host.data(third)
    assert await host.codeblock() == host.unit(third, None)
    assert await host.read(FRAMES_IN) == 3
    assert await host.read(LENGTH_ERRORS) == 0


@cocotb.test(timeout_time=200, timeout_unit="ms")
async def zeros_and_ones(dut) -> None:
    """Frames that COBS has most to do with: zeros alone, and no zero in more than 254 octets."""
    host = await _host(dut)
    for frame in (bytes(host.frame_octets), bytes([0xFF]) * host.frame_octets):
        await host.data(frame)
        assert await host.codeblock() == host.unit(frame)


@cocotb.test(timeout_time=200, timeout_unit="ms")
async def damaged_packets(dut) -> None:
    """What is not a good packet is dropped without an answer, counted, and leaves no octet in the encoder."""
    host = await _host(dut)
    frame = host.frame(4)
    whole = bytes([DATA, FIRST | LAST])
    bad = bytearray(host.packet(whole + host.frame(5)))
    bad[60] ^= 0x10
    await host.send(bad)
    short = host.packet(whole + host.frame(6))
    await host.send(short[:-1])
    await host.send(short[:20] + short[21:])
    await host.send(host.packet(whole + host.frame(7), apid=0x105))
    reply = bytearray(host.packet(bytes([READ, 0, 0])))
    reply[0] &= 0xEF
    reply[-2:] = crc16(bytes(reply[:-2])).to_bytes(2, "big")
    await host.send(reply)
    encoded = cobs.encode(host.packet(bytes([READ, 0, 0])))
    await host.line.send(encoded[:-1] + b"\0")
    await host.line.send(b"\x11\x22\x33\0")
    await host.line.send(b"\0\0\0")
    await host.data(frame)
    assert await host.codeblock() == host.unit(frame)
    assert await host.read(BAD_PACKETS) == 7
    assert await host.read(FRAMES_IN) == 1
    assert await host.read(FRAMING_ERRORS) == 0


@cocotb.test(timeout_time=200, timeout_unit="ms")
async def garbage(dut) -> None:
    """After octets of no sense, broken stop bits and a break, a delimiter brings the device back."""
    host = await _host(dut)
    rng = np.random.default_rng(8)
    await host.line.send(rng.integers(1, 256, 800, np.uint8).tobytes() + b"\0")
    await host.line.send(b"\x55\xaa\x0f", stop=0)
    dut.rx.value = 0
    await host.line.idle(35)
    dut.rx.value = 1
    await host.line.idle(20)
    # an octet that is lost on the line makes its packet bad, whatever is left of it
    encoded = cobs.encode(host.packet(bytes([READ, 0, 0])))
    await host.line.send(b"\0" + encoded)
    await host.line.send(b"\xff", stop=0)
    await host.line.idle(2)
    await host.line.send(b"\0")
    assert (await host.request(bytes([HELLO, 1])))[0] == 0x81
    assert await host.read(BAD_PACKETS) == 3
    assert await host.read(FRAMING_ERRORS) >= 3


@cocotb.test(timeout_time=200, timeout_unit="ms")
async def refused_messages(dut) -> None:
    """Each refusal has its code: unknown message, bad length, a part of a frame that has not begun."""
    host = await _host(dut)
    for data, code in [
        (bytes([0x07, 1, 2]), 1),
        (bytes([0x81]), 1),
        (bytes([HELLO]), 2),
        (bytes([HELLO, 1, 1]), 2),
        (bytes([READ, 0]), 2),
        (bytes([WRITE, 0, 0, 0, 0, 0]), 2),
        (bytes([WRITE, 0, 0, 0, 0, 0, 0, 0]), 2),
        (bytes([HEARTBEAT, 0]), 2),
        (bytes([STREAM, 1, 0]), 2),
        (bytes([DATA]), 2),
        (bytes([DATA, FIRST]), 2),
        (bytes([DATA, LAST, 1, 2]), 5),
    ]:
        assert await host.request(data) == bytes([ERROR, code]), data.hex()
    assert await host.read(BAD_PACKETS) == 0


@cocotb.test(timeout_time=200, timeout_unit="ms")
async def full_buffer(dut) -> None:
    """DATA that does not fit is refused and leaves what is there; a first part begins the frame anew."""
    host = await _host(dut)
    room = int(dut.BUFFER_OCTETS.value)
    left = room
    while left > 20:
        part = min(1000, left - 20)
        flags = FIRST if left == room else 0
        left -= part
        assert await host.data(bytes(part), flags) == struct.pack(">BH", 0x84, left)
    assert await host.data(bytes(21), LAST) == bytes([ERROR, 6])
    assert (await host.request(bytes([HEARTBEAT])))[1] == 0b110
    assert (await host.request(bytes([HEARTBEAT])))[1] == 0b010
    assert await host.data(bytes(20), 0) == struct.pack(">BH", 0x84, 0)
    assert await host.data(bytes(1), 0) == bytes([ERROR, 6])
    frame = host.frame(9)
    assert await host.data(frame) == struct.pack(">BH", 0x84, room - len(frame))
    assert await host.codeblock() == host.unit(frame)


@cocotb.test(timeout_time=200, timeout_unit="ms")
async def requests_while_samples_leave(dut) -> None:
    """Requests that do not wait for each other are all answered, in order, among the samples."""
    host = await _host(dut)
    frame = host.frame(10)
    await host.data(frame)
    requests = [host.packet(struct.pack(">BHI", WRITE, SCRATCH, n)) for n in range(5)]
    await host.line.send(b"".join(cobs.encode(request) + b"\0" for request in requests))
    for n in range(5):
        reply = await host._receive_until(host.replies)
        assert reply.data == struct.pack(">BHI", 0x83, SCRATCH, n)
        assert reply.sequence_count == host.count - 4 + n
    assert await host.codeblock() == host.unit(frame)
    assert await host.read(DROPPED_REQUESTS) == 0


def test_board_core() -> None:
    """The chain of the iCEBreaker with little to send."""
    simulate("board_core", BENCH, {"UNIQUE_ID": UNIQUE_ID, "INTERLEAVE": 1, "BUFFER_OCTETS": 512})


# the ULX3S's clock of 100 MHz would be 33 cycles a bit, and says nothing that the bench of the UART does not
@pytest.mark.slow
@pytest.mark.parametrize(
    "parameters",
    [
        # the baud rate is no divisor of this clock
        {"INTERLEAVE": 2, "BUFFER_OCTETS": 1024, "DATA_WIDTH": 64, "CLOCK_HZ": 25_000_000},
        {"INTERLEAVE": 5, "BUFFER_OCTETS": 4096},
        {"INTERLEAVE": 8, "BUFFER_OCTETS": 8192, "DATA_WIDTH": 64},
    ],
    ids=["64bit", "icebreaker", "ulx3s"],
)
def test_as_on_the_board(parameters: dict[str, int]) -> None:
    simulate("board_core", BENCH, {"UNIQUE_ID": UNIQUE_ID, **parameters})
