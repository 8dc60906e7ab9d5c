"""The host's link against devices that behave, over every transport, and against scripted ones that do not."""

import threading
from collections.abc import Callable

import pytest
from cobs import cobs
from hypothesis import given
from hypothesis import strategies as st

from flightsw.ccsds import space_packet
from flightsw.ccsds.space_packet import Packet
from flightsw.errors import ConfigError, DeviceDisconnected, DeviceError, DeviceTimeout, FrameError, ProtocolError
from hil.device_side import Device, Handler
from hil.link import DeviceLink, Direction
from hil.parts import Joiner
from hil.protocol import (
    FIRST,
    LAST,
    OVERRUN,
    WHOLE,
    Accepted,
    Capability,
    Data,
    ErrorCode,
    Heartbeat,
    Identity,
    Kind,
    MessageError,
    Read,
    Status,
    Stimulus,
    Stream,
    Streaming,
    Value,
)
from hil.transports import Framing
from hil.transports.in_process import pair
from hil.transports.pty import PtyTransport
from hil.transports.serial_port import open_port
from hil.transports.tcp import Listener, connect
from hil.transports.usb import UsbTransport
from hil.transports.virtual_usb import PRODUCT, VENDOR, VirtualBus, VirtualUsbDevice

UNIQUE_ID = bytes.fromhex("0123456789ABCDEF")


class Mirror(Handler):
    """A handler with two registers, an input buffer of 1000 octets, and samples on request."""

    def __init__(self) -> None:
        self.registers = {0: 0x1234, 1: 0}
        self.joiner = Joiner()
        self.frames: list[bytes] = []
        self.seen: list[bytes] = []
        self.streaming = (False, 1)
        self.error: Exception | None = None

    def read(self, address: int) -> int:
        if self.error is not None:
            raise self.error
        return self.registers[address] if address in self.registers else super().read(address)

    def write(self, address: int, value: int) -> int:
        if address == 0:
            raise MessageError(ErrorCode.READ_ONLY, "register 0: expected one that may be written")
        if address not in self.registers:
            return super().write(address, value)
        self.registers[address] = value & 0xFF
        return self.registers[address]

    def data(self, flags: int, octets: bytes) -> int:
        if len(octets) > 1000:
            raise MessageError(ErrorCode.BUSY, f"buffer: expected at most 1000 octets, found {len(octets)}")
        frame = self.joiner.push(flags, octets)
        if frame is not None:
            self.frames.append(frame)
        return 1000 - len(octets)

    def status(self) -> Status:
        return Status.FAULT | Status.STREAMING

    def stream(self, enable: bool, decimation: int) -> tuple[bool, int]:
        self.streaming = enable, min(decimation, 100)
        return self.streaming

    def stimulus(self, octets: bytes) -> None:
        self.seen.append(octets)


class Clock:
    """Simulated time in ns."""

    def __init__(self) -> None:
        self.now = 5_000_000_000

    def __call__(self) -> int:
        return self.now


class Bench:
    """A device and its host in one thread: the device works while the host waits, and time passes as it waits.

    A request takes 30 us there and 10 us back.
    """

    def __init__(self, framing: Framing = Framing.STREAM, kind: Kind = Kind.STEERING_MIRROR, **options) -> None:
        self.clock = Clock()
        self.handler = Mirror()
        self.octets: list[tuple[Direction, int, bytes]] = []
        self.device: Device | None = None
        self.connected = 0

        def connect():
            host, end = pair("bench", framing, self.wait)
            self.end = end
            self.device = Device(
                kind,
                end,
                self.handler,
                unique_id=UNIQUE_ID,
                firmware=(1, 2, 3),
                capabilities=Capability.STREAM,
                clock_us=lambda: self.clock.now // 1000 + 777_000,
            )
            self.connected += 1
            return host

        self.link = DeviceLink(
            Kind.STEERING_MIRROR,
            connect,
            clock_ns=self.clock,
            on_octets=lambda *octets: self.octets.append(octets),
            **options,
        )

    def wait(self, timeout_s: float) -> None:
        if timeout_s > 0:
            self.clock.now += 30_000
            self.device.step()
            self.clock.now += 10_000
        self.clock.now += 0 if self.link._transport._inbox else round(timeout_s * 1e9)


class Script:
    """A device of octets: `answers` makes, of each packet that comes, the octets that go back."""

    def __init__(self, answers: Callable[[Packet], bytes], kind: Kind = Kind.STEERING_MIRROR, **options) -> None:
        self.clock = Clock()
        self.answers = answers
        self.packets: list[Packet] = []
        self.link = DeviceLink(kind, self.connect, clock_ns=self.clock, **options)

    def connect(self):
        host, self.end = pair("script", wait=self.wait)
        return host

    def wait(self, timeout_s: float) -> None:
        for frame in filter(None, self.end.read(0.0).split(b"\0")):
            self.packets.append(space_packet.parse(cobs.decode(frame)))
            self.end.write(self.answers(self.packets[-1]))
        self.clock.now += 0 if self.link._transport._inbox else round(timeout_s * 1e9)


def line(data: str | bytes, count: int, apid: int = 0x101, time_us: int = 0, telecommand: bool = False) -> bytes:
    octets = bytes.fromhex(data) if isinstance(data, str) else data
    return cobs.encode(space_packet.build(Packet(apid, count, time_us, octets, telecommand=telecommand))) + b"\0"


IDENTITY = "81 01 01 00 00 01 00000000 0000000000000007"


def well_behaved(packet: Packet) -> bytes:
    replies = {0x01: IDENTITY, 0x02: "82 0005 0000002A", 0x04: "84 0064", 0x05: "85 00 00000001"}
    return line(replies[packet.data[0]], packet.sequence_count)


def with_hello(answers: Callable[[Packet], bytes]) -> Callable[[Packet], bytes]:
    return lambda packet: well_behaved(packet) if packet.data[0] == 0x01 else answers(packet)


@pytest.mark.parametrize("framing", Framing)
def test_every_message_has_its_reply(framing):
    bench = Bench(framing)
    handler = bench.handler
    with bench.link as link:
        assert link.identity == Identity(1, 0x01, 1, 2, 3, Capability.STREAM, UNIQUE_ID)
        assert link.name == "steering_mirror on bench"
        assert link.read(0) == 0x1234
        assert link.write(1, 0x1FF) == 0xFF
        assert link.read(1) == 0xFF
        assert link.send(b"abc") == 997
        assert link.room == 997
        assert link.send(bytes(range(256)) * 4, part_octets=600) == 1000 - 424
        assert handler.frames == [b"abc", bytes(range(256)) * 4]
        alive = link.heartbeat()
        assert Status(alive.status) == Status.FAULT | Status.STREAMING
        assert alive.uptime_ms == 0
        bench.clock.now += 1_234_000_000
        assert link.heartbeat().uptime_ms == 1234
        assert link.stream(True, 1000) == Streaming(1, 100)
        assert handler.streaming == (True, 100)
        link.stimulate(b"light")
        assert handler.seen == [b"light"]
        assert link.counts.requests == 11
        assert link.counts.late == link.counts.retries == link.counts.bad_frames == 0


def test_the_first_octets_are_a_delimiter_and_hello():
    script = Script(well_behaved)
    sent = []
    script.link._on_octets = lambda direction, time_ns, octets: sent.append((direction, time_ns, octets))
    with script.link:
        start = sent[0]
        assert start[:2] == (Direction.TO_DEVICE, 5_000_000_000)
        assert start[2][:1] == b"\0"
        packet = space_packet.parse(cobs.decode(start[2][1:-1]))
        assert packet == Packet(0x101, 1, 5_000_000, b"\x01\x01", telecommand=True)
        assert sent[1] == (Direction.FROM_DEVICE, 5_000_000_000, line(IDENTITY, 1))


def test_every_octet_is_observed():
    bench = Bench()
    with bench.link as link:
        link.read(0)
        link.send(b"abc")
    to_device = b"".join(octets for direction, _, octets in bench.octets if direction is Direction.TO_DEVICE)
    commands = [space_packet.parse(cobs.decode(frame)) for frame in to_device.split(b"\0") if frame]
    assert [packet.data.hex() for packet in commands] == ["0101", "020000", "0403616263"]
    from_device = b"".join(octets for direction, _, octets in bench.octets if direction is Direction.FROM_DEVICE)
    replies = [space_packet.parse(cobs.decode(frame)) for frame in from_device.split(b"\0") if frame]
    assert [packet.sequence_count for packet in replies] == [packet.sequence_count for packet in commands]
    assert [packet.data[:1].hex() for packet in replies] == ["81", "82", "84"]
    times = [time_ns for _, time_ns, _ in bench.octets]
    assert times == sorted(times)


def test_the_clock_offset_is_within_its_uncertainty():
    bench = Bench()
    with bench.link as link:
        for _ in range(10):
            link.heartbeat()
            bench.clock.now += 10_000_000
        found = link.clock_offset()
    # 30 us there and 10 us back look like 20 us each way
    assert found.offset_us == pytest.approx(777_010, abs=2)
    assert abs(found.offset_us - 777_000) <= found.uncertainty_us <= 25


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (MessageError(ErrorCode.BUSY, "wait"), 6),
        (MessageError(200, "something new"), 200),
        (FrameError("frame", expected=1, found=2), 2),
        (ConfigError("gain"), 5),
        (DeviceError("piezo"), 7),
        (ProtocolError("piezo"), 7),
    ],
)
def test_refusals_arrive_with_code_and_text(error, code):
    bench = Bench()
    bench.handler.error = error
    with bench.link as link:
        with pytest.raises(MessageError, match="steering_mirror on bench: ") as caught:
            link.read(0)
        assert caught.value.code == code
        assert caught.value.text == (error.text if isinstance(error, MessageError) else str(error))
        assert bench.device.refused == 1
        bench.handler.error = None
        assert link.read(0) == 0x1234


@pytest.mark.parametrize(
    ("ask", "code", "text"),
    [
        (lambda link: link.read(7), ErrorCode.NO_SUCH_REGISTER, "expected one that is there, found 0x0007"),
        (lambda link: link.write(7, 0), ErrorCode.NO_SUCH_REGISTER, "found 0x0007"),
        (lambda link: link.write(0, 0), ErrorCode.READ_ONLY, "expected one that may be written"),
        (lambda link: link.send(bytes(1001)), ErrorCode.BUSY, "expected at most 1000 octets, found 1001"),
        (lambda link: link.stream(True, 0), ErrorCode.OUT_OF_RANGE, "decimation from 1, found 1 and 0"),
    ],
)
def test_what_a_device_refuses(ask, code, text):
    with Bench().link as link, pytest.raises(MessageError, match=text) as caught:
        ask(link)
    assert caught.value.code == code


def test_a_handler_that_knows_nothing_refuses_everything():
    bench = Bench()
    bench.handler = Handler()
    with bench.link as link:
        for ask in (lambda: link.send(b""), lambda: link.stream(True), lambda: link.stimulate(b"")):
            with pytest.raises(MessageError) as caught:
                ask()
            assert caught.value.code == ErrorCode.UNKNOWN_MESSAGE
        assert link.heartbeat().status == 0


def test_a_handler_that_answers_nonsense_is_a_device_with_a_fault():
    bench = Bench()
    bench.handler.registers[0] = 1 << 32
    with bench.link as link, pytest.raises(MessageError) as caught:
        link.read(0)
    assert caught.value.code == ErrorCode.HARDWARE_FAULT


def test_the_wrong_device_is_named():
    bench = Bench(kind=Kind.QUAD_CELL)
    with pytest.raises(ProtocolError) as caught:
        bench.link.open()
    assert "expected a steering_mirror, found a quad_cell (APID 0x102, id 0123456789abcdef)" in str(caught.value)
    assert not bench.link.is_open


def test_a_device_of_another_kind_answers_hello_only():
    bench = Bench(kind=Kind.QUAD_CELL)
    host, end = pair()
    device = Device(Kind.QUAD_CELL, end, bench.handler)
    host.write(line("02 0000", 1, apid=0x101, telecommand=True) + line("01 01", 2, apid=0x101, telecommand=True))
    host.write(line("82 0000 00000000", 3, apid=0x102) + line("02 0000", 4, apid=0x102, telecommand=True))
    device.step()
    replies = [space_packet.parse(cobs.decode(frame)) for frame in host.read(0.0).split(b"\0") if frame]
    assert [(packet.apid, packet.sequence_count, packet.data[0]) for packet in replies] == [
        (0x102, 2, 0x81),
        (0x102, 4, 0x82),
    ]


@pytest.mark.parametrize(
    ("reply", "what"),
    [
        ("81 00", "expected protocol version 1, found 0, which is older: flash newer firmware"),
        ("81 02 0000000000", "expected protocol version 1, found 2, which is newer: update beamlock"),
        ("81", "reply to HELLO: IDENTITY: expected 17 octets, found 0"),
        ("81 01 01", "reply to HELLO: IDENTITY: expected 17 octets, found 2"),
        (
            "81 01 99 00 00 01 00000000 0000000000000007",
            "expected a steering_mirror, found a device of unknown kind 0x99",
        ),
        ("FF 08 74776F", "wrong protocol version: two"),
        ("FF 01 80", "reply to HELLO: ERROR text: expected ASCII"),
    ],
)
def test_replies_to_hello_that_will_not_do(reply, what):
    script = Script(lambda packet: line(reply, packet.sequence_count))
    with pytest.raises(ProtocolError, match=what):
        script.link.open()
    assert not script.link.is_open


def test_a_silent_device():
    script = Script(lambda packet: b"", timeout_s=0.1, retries=3)
    with pytest.raises(DeviceTimeout, match=r"expected a reply to HELLO within 0.1 s, asked 4 times, found silence"):
        script.link.open()
    assert len(script.packets) == 4
    assert {packet.sequence_count for packet in script.packets} == {1}
    assert script.clock.now == 5_400_000_000
    assert (script.link.counts.timeouts, script.link.counts.retries) == (4, 3)


def test_another_baud_rate_is_guessed_at():
    script = Script(lambda packet: b"\x9e\xf0\0\x1c\x8e\0\xfe\xfe")
    with pytest.raises(ProtocolError, match=r"expected packets, found 24 octets of garbage .*same baud rate"):
        script.link.open()


def test_a_line_that_is_looped_back_is_said_to_be():
    link = DeviceLink(Kind.STEERING_MIRROR, lambda: open_port("loop://", 115200), timeout_s=0.01, retries=0)
    with pytest.raises(ProtocolError, match="expected a device, found what was sent itself"):
        link.open()


def test_idempotent_messages_are_repeated():
    attempts = []

    def third_time(packet):
        attempts.append(packet)
        return line("82 0005 0000002A", packet.sequence_count) if len(attempts) == 3 else b""

    script = Script(with_hello(third_time))
    with script.link as link:
        assert link.read(5) == 42
        assert link.counts.retries == 2
    assert len({(packet.sequence_count, packet.data) for packet in attempts}) == 1


@pytest.mark.parametrize("ask", [lambda link: link.send(b"x"), lambda link: link.stimulate(b"x")])
def test_others_are_sent_once(ask):
    script = Script(with_hello(lambda packet: b""))
    with script.link as link, pytest.raises(DeviceTimeout, match=r"within 0.1 s, found silence"):
        ask(link)
    assert len(script.packets) == 2


def test_a_request_that_was_lost_is_preceded_by_a_delimiter():
    script = Script(with_hello(lambda packet: b""), retries=1)
    sent = []
    script.link._on_octets = lambda direction, time_ns, octets: sent.append(octets)
    with script.link as link:
        del sent[:]
        with pytest.raises(DeviceTimeout):
            link.heartbeat()
    assert [octets[0] == 0 for octets in sent] == [False, True]


def test_a_repeated_request_does_not_mislead_the_clock():
    attempts = []

    def second_time(packet):
        attempts.append(packet)
        return line("82 0005 0000002A", packet.sequence_count, time_us=1) if len(attempts) == 2 else b""

    script = Script(with_hello(second_time))
    with script.link as link:
        before = link.clock_offset().offset_us
        link.read(5)
        assert link.clock_offset().offset_us == before


def test_late_replies_are_left_out():
    script = Script(with_hello(lambda packet: b""))
    with script.link as link:
        with pytest.raises(DeviceTimeout):
            link.send(b"x")
        script.end.write(line("84 0001", script.packets[-1].sequence_count))
        script.answers = with_hello(lambda packet: line("84 0002", packet.sequence_count))
        assert link.send(b"y") == 2
        assert link.counts.late == 1


def test_what_is_left_over_from_before_is_no_reply_to_hello():
    script = Script(well_behaved)
    connect = script.connect

    def with_left_overs():
        host = connect()
        script.end.write(line("82 0000 00000000", 1) + line(IDENTITY, 1, apid=0x102) + b"\x05half")
        return host

    script.link = DeviceLink(Kind.STEERING_MIRROR, with_left_overs, clock_ns=script.clock)
    with script.link as link:
        assert link.identity.unique_id == bytes(7) + b"\x07"
        assert (link.counts.late, link.counts.foreign) == (1, 1)


@pytest.mark.parametrize(
    ("reply", "what"),
    [
        ("85 00 00000000", "expected a reply to READ, found ALIVE"),
        ("82 0000", "reply to READ: VALUE: expected 6 octets, found 2"),
        ("99", "reply to READ: message id: expected one of"),
    ],
)
def test_a_reply_to_another_question(reply, what):
    script = Script(with_hello(lambda packet: line(reply, packet.sequence_count)))
    with script.link as link, pytest.raises(ProtocolError, match=what):
        link.read(5)


def test_packets_that_are_not_for_this_host_are_counted():
    strange = (
        line("82 0000 00000000", 2, apid=0x102)
        + line(b"", 2)
        + line("02 0000", 2)
        + line("02 0000", 2, telecommand=True)
    )
    script = Script(with_hello(lambda packet: strange + well_behaved(packet)))
    with script.link as link:
        assert link.read(5) == 42
        assert (link.counts.foreign, link.counts.malformed, link.counts.echoed) == (1, 2, 1)


def test_samples_stream_into_a_queue():
    bench = Bench(samples_kept=3)
    with bench.link as link:
        for i in range(4):
            bench.device.send_samples(bytes([i]), time_us=1000 + i)
        assert link.heartbeat()
        assert link.poll() == 3
        assert [(time_us, *samples) for time_us, samples in link.samples] == [
            (1000 + i, i, WHOLE, bytes([i])) for i in (1, 2, 3)
        ]
        assert (link.counts.samples_lost, link.counts.samples_overrun) == (0, 1)
        link.samples.clear()
        bench.device.send_samples(b"abcde", part_octets=2)
        assert link.poll() == 3
        assert [samples.flags for _, samples in link.samples] == [FIRST, 0, LAST]
        assert link.samples[0].time_us == bench.clock.now // 1000 + 777_000


@given(st.integers(0, 2**32 - 1), st.lists(st.integers(0, 5), max_size=10))
def test_lost_samples_are_counted_by_the_stream_sequence(sequence, gaps):
    script = Script(well_behaved)
    with script.link as link:
        sequences = [sequence]
        for gap in gaps:
            sequences.append((sequences[-1] + 1 + gap) % 2**32)
        for count, number in enumerate(sequences):
            script.end.write(line(b"\xc0" + number.to_bytes(4, "big") + b"\x03", count))
        link.poll()
        assert [samples.sequence for _, samples in link.samples] == sequences
        assert link.counts.samples_lost == sum(gaps)


def test_samples_that_come_again_or_late_or_broken_are_left_out():
    script = Script(well_behaved)
    with script.link as link:
        for number in (5, 5, 7, 6):
            script.end.write(line(f"C0 {number:08X} 03", 0))
        script.end.write(line("C0 00", 0) + line("C0 00000008 03", 0, apid=0x102))
        assert link.poll() == 2
        counts = link.counts
        assert (counts.samples_lost, counts.samples_repeated, counts.malformed, counts.foreign) == (1, 2, 1, 1)


def test_a_stream_that_begins_anew_has_lost_nothing():
    script = Script(with_hello(lambda packet: line("86 01 0001", packet.sequence_count)))
    with script.link as link:
        for number in (100, 0):
            link.stream(True)
            script.end.write(line(f"C0 {number:08X} 03", 0))
            link.poll()
        assert (link.counts.samples_lost, link.counts.samples_repeated) == (0, 0)


def test_samples_that_found_no_room_are_said_to_be_missing():
    bench = Bench()
    with bench.link as link:
        write, full = bench.end.write, [True]

        def refuse(octets):
            if full.pop():
                raise DeviceTimeout("full")
            write(octets)

        bench.end.write = refuse
        bench.device.send_samples(b"lost")
        assert bench.device.unsent == 1
        full += [False]
        bench.device.send_samples(b"kept")
        assert link.poll() == 1
        assert link.samples[0].samples == (1, WHOLE | OVERRUN, b"kept")
        # behind half a frame, a delimiter
        assert bench.octets[-1][2][:1] == b"\0"


def test_posted_messages_do_not_wait():
    bench = Bench()
    with bench.link as link:
        for octets in (b"a", b"bc"):
            link.post(Data(WHOLE, octets))
        assert bench.handler.frames == []
        bench.device.step()
        assert bench.handler.frames == [b"a", b"bc"]
        link.poll()
        assert link.room == 998
        assert link.counts.late == link.counts.unanswered == 0


def test_a_refusal_of_a_posted_message_is_raised_by_poll():
    bench = Bench()
    with bench.link as link:
        link.post(Data(WHOLE, bytes(1001)))
        assert link.read(0) == 0x1234
        with pytest.raises(MessageError, match="busy: buffer: expected at most 1000 octets, found 1001"):
            link.poll()
        assert link.poll() == 0


def test_posted_messages_without_reply_are_counted():
    script = Script(with_hello(lambda packet: b""))
    with script.link as link:
        for _ in range(300):
            link.post(Heartbeat())
        assert link.counts.unanswered == 44
        link.poll()
        replies = ("85 00 00000000", "84 0001", "FF 01 80")
        for packet, reply in zip(script.packets[-3:], replies, strict=True):
            script.end.write(line(reply, packet.sequence_count))
        link.poll()
        assert link.counts.malformed == 2
    assert link.counts.unanswered == 44 + 253


def test_a_device_that_goes_and_comes_back():
    bench = Bench()
    link = bench.link
    link.open()
    bench.device.send_samples(b"kept")
    link.poll()
    bench.end.close()
    for ask in (lambda: link.read(0), link.poll, lambda: link.post(Heartbeat())):
        with pytest.raises(DeviceDisconnected):
            ask()
    assert link.open().unique_id == UNIQUE_ID
    assert bench.connected == 2
    assert link.read(0) == 0x1234
    assert len(link.samples) == 1
    link.close()
    link.close()
    with pytest.raises(DeviceDisconnected, match="expected an open link, found it closed: open it"):
        link.read(0)


def test_a_write_that_fails_leaves_half_a_frame():
    bench = Bench()
    with bench.link as link:
        transport = link._transport
        write = transport.write

        def fail(octets):
            write(octets[:5])
            raise DeviceTimeout("full")

        transport.write = fail
        with pytest.raises(DeviceTimeout, match="full"):
            link.send(b"x")
        transport.write = write
        assert link.send(b"y") == 999
        assert bench.device.bad_frames == 1


def test_replies_are_of_the_type_that_was_asked_for():
    with Bench().link as link:
        assert link.request(Read(0), Value, timeout_s=1.0) == Value(0, 0x1234)
        assert link.request(Data(WHOLE, b""), Accepted) == Accepted(1000)
        with pytest.raises(ProtocolError, match="expected a reply to STREAM, found STREAMING"):
            link.request(Stream(1), Accepted)
        with pytest.raises(ProtocolError, match="expected fields that fit"):
            link.request(Read(1 << 16), Value)


@given(st.lists(st.binary(max_size=60), max_size=8), st.sampled_from(Framing))
def test_arbitrary_octets_do_not_upset_a_device(pieces, framing):
    host, end = pair(framing=framing)
    device = Device(Kind.STEERING_MIRROR, end, Mirror())
    for octets in pieces:
        host.write(octets)
    device.step()
    for octets in pieces:
        # a right packet around arbitrary user data
        packet = space_packet.build(Packet(0x101, 1, 0, octets, telecommand=True))
        host.write(packet if framing is Framing.TRANSFER else b"\0" + cobs.encode(packet) + b"\0")
        device.step()


@given(st.lists(st.binary(max_size=60), max_size=8))
def test_arbitrary_octets_do_not_upset_a_host(pieces):
    script = Script(with_hello(lambda packet: b"".join(pieces) + b"\0" + well_behaved(packet)))
    with script.link as link:
        assert link.read(5) == 42
    for octets in pieces:
        script = Script(with_hello(lambda packet, octets=octets: line(octets, packet.sequence_count)), retries=0)
        with script.link as link:
            try:
                link.read(5)
            except (ProtocolError, DeviceTimeout):
                continue


class Ends:
    """A transport for the host and one for the device, over a kernel or a virtual bus; `gone` takes the device away."""

    def __init__(self, over: str, tmp_path) -> None:
        self.over = over
        self.link = tmp_path / "mirror"
        self.listener = Listener() if over == "tcp" else None
        self.bus = VirtualBus() if over == "usb" else None
        self.usb_device: VirtualUsbDevice | None = None
        self.device = None
        self.appear()

    def appear(self) -> None:
        if self.over == "serial":
            self.device = PtyTransport(self.link)
        elif self.over == "usb":
            port, self.device = pair(framing=Framing.TRANSFER)
            self.usb_device = VirtualUsbDevice(port, "left")
            self.bus.plug(self.usb_device)

    def connect(self):
        if self.over == "serial":
            return open_port(str(self.link), 3000000)
        if self.over == "tcp":
            host = connect("127.0.0.1", self.listener.port)
            self.device = self.listener.accept(10.0)
            return host
        return UsbTransport(VENDOR, PRODUCT, "left", self.bus)

    def gone(self) -> None:
        self.device.close()
        if self.usb_device is not None:
            self.bus.unplug(self.usb_device)

    def close(self) -> None:
        self.device.close()
        if self.listener is not None:
            self.listener.close()


@pytest.mark.parametrize("over", ["serial", "tcp", "usb"])
def test_a_device_over_every_transport_that_goes_and_comes_back(over, tmp_path):
    ends = Ends(over, tmp_path)
    image = bytes(range(256)) * 128
    served = []

    def connect():
        transport = ends.connect()
        handler = Mirror()
        device = Device(Kind.STEERING_MIRROR, ends.device, handler, unique_id=UNIQUE_ID)
        handler.stimulus = lambda octets: device.send_samples(octets * 128, part_octets=5000)
        stop = threading.Event()
        thread = threading.Thread(target=device.serve, args=(stop,))
        thread.start()
        served.append((stop, thread))
        return transport

    link = DeviceLink(Kind.STEERING_MIRROR, connect, timeout_s=10.0)
    try:
        for _ in range(2):
            assert link.open().unique_id == UNIQUE_ID
            assert link.write(1, 0x55) == 0x55
            assert link.send(bytes(640), part_octets=64) == 936
            link.stimulate(bytes(range(256)))
            joiner = Joiner()
            whole = None
            while whole is None:
                while link.samples:
                    _, samples = link.samples.popleft()
                    whole = joiner.push(samples.flags, samples.octets, samples.sequence)
                link.poll(10.0) if whole is None else None
            assert whole == image
            found = link.clock_offset()
            assert abs(found.offset_us) <= found.uncertainty_us
            served[-1][0].set()
            ends.gone()
            with pytest.raises(DeviceDisconnected):
                while True:
                    link.poll(10.0)
            link.close()
            ends.appear()
    finally:
        link.close()
        for stop, thread in served:
            stop.set()
            thread.join()
        ends.close()
    assert link.counts.bad_frames == link.counts.samples_lost == link.counts.timeouts == 0


def test_stimulus_is_for_emulators():
    bench = Bench()
    with bench.link as link:
        link.post(Stimulus(b"x"))
        bench.device.step()
        assert bench.handler.seen == [b"x"]
