"""Recorded sessions of a link, played back to a fresh link; and playbacks that are asked something else."""

import random
from collections.abc import Callable

import pytest
from cobs import cobs
from hypothesis import given
from hypothesis import strategies as st

from flightsw.ccsds import space_packet
from flightsw.ccsds.space_packet import Packet
from flightsw.errors import BeamlockError, DeviceDisconnected, DeviceNotFound, DeviceTimeout
from hil.device_side import Device, Handler
from hil.link import DeviceLink
from hil.protocol import WHOLE, Capability, Data, Kind
from hil.replay import DIFFERENCES_KEPT, Playback
from hil.traffic import Operation, TrafficLog, What, decode
from hil.transports import Framing
from hil.transports.in_process import pair


class Mirror(Handler):
    """A register, DATA that is answered by samples, and a heartbeat that nobody hears."""

    def __init__(self) -> None:
        self.device: Device | None = None
        self.value = 7

    def read(self, address: int) -> int:
        return self.value if address == 0 else super().read(address)

    def write(self, address: int, value: int) -> int:
        self.value = value
        return value

    def data(self, flags: int, octets: bytes) -> int:
        self.device.send_samples(octets)
        return len(octets)


class FlakyLine:
    """A simulated device on a line that loses, garbles and cuts, by seed; its clock moves whenever it is asked."""

    def __init__(self, framing: Framing, seed: int, flaky: float) -> None:
        self.framing = framing
        self.random = random.Random(seed)
        self.flaky = flaky
        self.now_ns = 1_000_000_000
        self.handler = Mirror()

    def clock_ns(self) -> int:
        self.now_ns += self.random.randrange(1, 100_000)
        return self.now_ns

    def connect(self):
        if self.random.random() < self.flaky:
            raise DeviceNotFound(f"flaky: expected a device, found none at {self.now_ns}")
        host, end = pair("flaky", self.framing, self.wait)
        device = Device(
            Kind.STEERING_MIRROR,
            end,
            self.handler,
            capabilities=Capability.STREAM,
            clock_us=lambda: self.clock_ns() // 1000 + 5_000_000,
        )
        self.handler.device = device
        write, read = host.write, host.read

        def flaky_write(octets: bytes) -> None:
            fate = self.random.random()
            if fate < self.flaky / 4:
                end.close()
            elif fate < self.flaky / 2:
                raise DeviceTimeout(f"flaky: full at {self.now_ns}")
            elif fate < self.flaky:
                octets = octets[: len(octets) // 2]
            write(octets)

        def flaky_read(timeout_s: float) -> bytes:
            fate = self.random.random()
            octets = b"" if fate < self.flaky / 2 else read(timeout_s)
            if not octets:
                self.now_ns += round(timeout_s * 1e9)
            return octets[1:] if fate < self.flaky else octets

        host.write, host.read = flaky_write, flaky_read
        self.device = device
        return host

    def wait(self, timeout_s: float) -> None:
        if timeout_s > 0:
            self.device.step()


CALLS: dict[str, Callable[[DeviceLink, int], object]] = {
    "read": lambda link, n: link.read(n % 2),
    "write": lambda link, n: link.write(0, n),
    "send": lambda link, n: link.send(n.to_bytes(4, "big") * 5, part_octets=8 + n % 13),
    "post": lambda link, n: link.post(Data(WHOLE, n.to_bytes(2, "big"))),
    "poll": lambda link, n: link.poll(n % 3 * 1e-3),
    "heartbeat": lambda link, n: link.heartbeat(),
    "stream": lambda link, n: link.stream(True, n),
    "open": lambda link, n: link.open(),
    "offset": lambda link, n: (link.clock_offset() or (None,))[0],
}
SCRIPTS = st.lists(st.tuples(st.sampled_from(sorted(CALLS)), st.integers(0, 65535)), max_size=25)


def session(link: DeviceLink, script: list[tuple[str, int]]) -> list[object]:
    """What a link gives, or raises, call by call; it is opened anew when the device is gone."""
    results: list[object] = []
    for name, n in [("open", 0), *script]:
        try:
            if not link.is_open and name != "open":
                link.open()
            results.append(CALLS[name](link, n))
        except BeamlockError as error:
            results.append((type(error), str(error)))
            if isinstance(error, DeviceDisconnected):
                link.close()
    results += [link.samples, link.counts, link.room, link.name]
    return results


def recorded(line: FlakyLine, script: list[tuple[str, int]]) -> tuple[list[object], list[Operation]]:
    log = TrafficLog(line.clock_ns)
    link = DeviceLink(Kind.STEERING_MIRROR, log.wrap(line.connect), clock_ns=log.clock_ns, timeout_s=0.002)
    results = session(link, script)
    return results, decode(log.take())


def played(playback: Playback, script: list[tuple[str, int]]) -> list[object]:
    link = DeviceLink(Kind.STEERING_MIRROR, playback.connect, clock_ns=playback.clock_ns, timeout_s=0.002)
    return session(link, script)


@given(SCRIPTS, st.sampled_from(Framing), st.integers(0, 1000), st.sampled_from([0.0, 0.1, 0.4]))
def test_a_link_does_again_what_it_did(script, framing, seed, flaky):
    results, operations = recorded(FlakyLine(framing, seed, flaky), script)
    playback = Playback(operations)
    assert played(playback, script) == results
    assert playback.differences == []
    assert playback.difference_count == 0
    assert playback.is_over
    # the playback is a line like any other, and may be on record again
    playback = Playback(operations)
    log = TrafficLog(playback.clock_ns)
    link = DeviceLink(Kind.STEERING_MIRROR, log.wrap(playback.connect), clock_ns=log.clock_ns, timeout_s=0.002)
    assert session(link, script) == results
    assert [o[1:] for o in decode(log.take())] == [o[1:] for o in operations]


def test_the_sessions_above_have_everything_in_them():
    script = [(name, n) for n in range(8) for name in sorted(CALLS)]
    results, operations = recorded(FlakyLine(Framing.STREAM, 17, 0.15), script)
    counts = results[-3]
    assert min(counts.retries, counts.timeouts, counts.bad_frames, counts.late, counts.samples_lost) > 0
    errors = {type(operation.failed()) for operation in operations if operation.what is What.FAILED}
    assert errors == {DeviceNotFound, DeviceDisconnected, DeviceTimeout}
    assert {operation.what for operation in operations} == set(What)
    assert sum(operation.what is What.OPENED for operation in operations) > 2


ONE_PACKET = ("write", "post")


@given(
    SCRIPTS.filter(lambda script: any(name in ONE_PACKET for name, _ in script)), st.sampled_from(Framing), st.data()
)
def test_a_changed_command_is_one_difference(script, framing, data):
    results, operations = recorded(FlakyLine(framing, 1, 0.0), script)
    place = data.draw(st.sampled_from([i for i, (name, _) in enumerate(script) if name in ONE_PACKET]))
    name, n = script[place]
    changed = [*script[:place], (name, n ^ 0x1A0), *script[place + 1 :]]
    playback = Playback(operations)
    assert played(playback, changed) == results
    (difference,) = playback.differences
    assert playback.difference_count == 1
    assert playback.is_over
    if name == "post":
        assert difference.expected.endswith(f": DATA flags 3 octets {n:04x}")
        assert difference.found.endswith(f": DATA flags 3 octets {n ^ 0x1A0:04x}")
    else:
        assert difference.expected.endswith(f": WRITE address 0 value {n}")
        assert difference.found.endswith(f": WRITE address 0 value {n ^ 0x1A0}")


def packet(data: str, count: int, time_us: int = 0, framing: Framing = Framing.STREAM) -> bytes:
    octets = space_packet.build(Packet(0x101, count, time_us, bytes.fromhex(data), telecommand=True))
    return octets if framing is Framing.TRANSFER else cobs.encode(octets) + b"\0"


def line(*operations: tuple[int, What, bytes], framing: Framing = Framing.STREAM) -> Playback:
    return Playback([Operation(0, What.OPENED, f"{framing.value} board".encode()), *map(Operation._make, operations)])


@pytest.mark.parametrize("framing", Framing)
def test_time_tags_and_delimiters_may_differ(framing):
    recorded = packet("02 0000", 5, 1000, framing)
    playback = line((1, What.WRITE, recorded), (2, What.WRITE, recorded), framing=framing)
    transport = playback.connect()
    assert (transport.name, transport.framing) == ("board", framing)
    transport.write(packet("02 0000", 5, 2000, framing))
    transport.write((b"\0" if framing is Framing.STREAM else b"") + recorded)
    assert playback.difference_count == 0


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (packet("02 0000", 6), "packet 6: READ address 0"),
        (packet("02 0001", 5), "packet 5: READ address 1"),
        (packet("05", 5), "packet 5: HEARTBEAT"),
        (packet("77 01", 5), "packet 5: no message, 7701"),
        (packet("02 0000", 5) * 2, "packet 5: READ address 0; packet 5: READ address 0"),
        (packet("02 0000", 5)[1:], "octets that are no packet, "),
        (b"", "octets that are no packet, none"),
        (packet("04 03" + "ab" * 70, 5), f"packet 5: DATA flags 3 octets {'ab' * 64}... (70 octets)"),
    ],
)
def test_everything_else_is_a_difference(found, told):
    playback = line((1_500_000_000, What.WRITE, packet("02 0000", 5)), (1_600_000_000, What.READ, b"x"))
    transport = playback.connect()
    transport.write(found)
    (difference,) = playback.differences
    assert (difference.time_ns, difference.expected) == (1_500_000_000, "packet 5: READ address 0")
    assert difference.found.startswith(told)
    assert str(difference).startswith(f"at 1.500000 s: expected packet 5: READ address 0, found {told}")
    assert transport.read(0.0) == b"x"


def test_octets_that_are_no_packet_are_compared_too():
    playback = line((1, What.WRITE, b"junk\0"), (1, What.WRITE, b"junk\0"))
    transport = playback.connect()
    transport.write(b"junk\0")
    assert playback.difference_count == 0
    transport.write(b"punk\0")
    assert playback.differences == [
        (1, "octets that are no packet, 6a756e6b00", "octets that are no packet, 70756e6b00")
    ]


def test_all_differences_are_counted_and_some_kept():
    writes = [(n, What.WRITE, packet("05", n)) for n in range(50)]
    playback = line(*writes)
    transport = playback.connect()
    for n in range(50):
        transport.write(packet("02 0000", n))
    assert playback.difference_count == 50
    assert [difference.time_ns for difference in playback.differences] == list(range(DIFFERENCES_KEPT))


def test_the_end_is_said():
    playback = line((1, What.READ, b"x"))
    assert not playback.is_over
    transport = playback.connect()
    # what is written beyond the end leaves what is still to be read
    with pytest.raises(DeviceDisconnected, match="the recording ends here"):
        transport.write(b"")
    assert transport.read(0.0) == b"x"
    assert playback.is_over
    for ask in (lambda: transport.read(0.0), lambda: transport.write(b""), playback.connect, Playback([]).connect):
        with pytest.raises(DeviceDisconnected, match="the recording ends here"):
            ask()
    transport.close()


def test_a_write_before_its_time_leaves_what_is_to_be_read():
    playback = line((1, What.READ, b"a"), (2, What.READ, b"b"), (3, What.WRITE, packet("05", 1)), (4, What.READ, b"c"))
    transport = playback.connect()
    transport.write(packet("05", 1))
    assert [transport.read(0.0) for _ in range(3)] == [b"a", b"b", b"c"]
    assert playback.difference_count == 0


def test_the_tag_of_a_read_that_nobody_asked_for_is_gone_with_the_next_write():
    playback = line((1, What.READ, b"a"), (2, What.WRITE, packet("05", 1)), (3, What.WRITE, packet("05", 2)))
    transport = playback.connect()
    transport.read(0.0)
    transport.write(packet("05", 1))
    assert playback.clock_ns() == 3


def test_who_waits_for_what_never_comes_comes_to_an_end():
    # the recorded host wrote next, this one waits
    playback = line((5_000_000, What.WRITE, packet("05", 1)))
    transport = playback.connect()
    for timeout_s, waited_ns in ((0.5, 500_000_000), (0.0, 501_000_000)):
        assert transport.read(timeout_s) == b""
        assert playback.clock_ns() == 5_000_000 + waited_ns
    transport.write(packet("05", 1))
    assert playback.clock_ns() == 5_000_000
    # a request that the recorded host did not make
    _, operations = recorded(FlakyLine(Framing.STREAM, 1, 0.0), [("heartbeat", 0)])
    playback = Playback(operations)
    link = DeviceLink(Kind.STEERING_MIRROR, playback.connect, clock_ns=playback.clock_ns)
    link.open()
    with pytest.raises(BeamlockError):
        link.read(0)
    assert playback.difference_count == 1


def test_a_device_that_is_opened_again_where_it_was_not():
    opened = (3, What.OPENED, b"stream other")
    playback = line((1, What.WRITE, packet("05", 1)), (2, What.READ, b"a"), opened)
    playback.connect()
    assert playback.connect().name == "other"
    assert playback.differences == [(0, "2 reads and writes before it", "the device opened again")]


def test_a_device_that_is_not_opened_again_where_it_was():
    playback = line((3, What.OPENED, b"stream other"), (4, What.WRITE, packet("05", 1)))
    transport = playback.connect()
    transport.write(packet("05", 1))
    assert playback.differences == [(0, "the device opened again", "packet 1: HEARTBEAT")]
    assert transport.read(0.0) == b""
    playback.connect().write(packet("05", 1))
    assert playback.difference_count == 1
    assert playback.is_over
