"""The log of a device's line: its octets by hand and by construct, and what a transport's calls become."""

import pytest
from construct import GreedyRange
from hypothesis import given
from hypothesis import strategies as st

from flightsw import errors
from flightsw.errors import DeviceNotFound, DeviceTimeout, ProtocolError
from hil.traffic import OPERATION, Operation, TrafficLog, What, decode
from hil.transports import Framing

# time, what in two bits and length in thirty, octets
BY_HAND = bytes.fromhex(
    "0000000000000001 8000000A 73747265616D20707479"  # OPENED "stream pty"
    "0000000000000102 00000003 00AB00"  # WRITE
    "0000000000010000 40000002 0100"  # READ
    "0000000100000000 40000000"  # READ of nothing
    "0000000100000005 C0000012 44657669636554696D656F75742066756C6C"  # FAILED "DeviceTimeout full"
)
OPERATIONS = [
    Operation(1, What.OPENED, b"stream pty"),
    Operation(258, What.WRITE, b"\0\xab\0"),
    Operation(65536, What.READ, b"\x01\0"),
    Operation(1 << 32, What.READ, b""),
    Operation((1 << 32) + 5, What.FAILED, b"DeviceTimeout full"),
]
ERRORS = ["ConfigError", "DeviceError", "DeviceNotFound", "DeviceAccess", "DeviceDisconnected", "DeviceTimeout"]


class Line:
    """A transport that reads and writes what it is told, or fails."""

    name = "pty"
    framing = Framing.STREAM

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.answer: bytes | Exception = b""
        self.closed = False

    def write(self, octets: bytes) -> None:
        self.read(0.0)
        self.written.append(octets)

    def read(self, timeout_s: float) -> bytes:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def close(self) -> None:
        self.closed = True


class Clock:
    """Tells one time after the other."""

    def __init__(self, *times: int) -> None:
        self.times = list(times)

    def __call__(self) -> int:
        return self.times.pop(0)


def test_octets_by_hand():
    assert decode(BY_HAND) == OPERATIONS
    assert OPERATIONS[0].opened() == (Framing.STREAM, "pty")
    error = OPERATIONS[4].failed()
    assert (type(error), str(error)) == (DeviceTimeout, "full")


def test_a_log_of_calls():
    line = Line()
    log = TrafficLog(Clock(1, 258, 65536, 1 << 32, (1 << 32) + 5))
    transport = log.wrap(lambda: line)()
    assert (transport.name, transport.framing) == ("pty", Framing.STREAM)
    transport.write(b"\0\xab\0")
    line.answer = b"\x01\0"
    assert transport.read(0.1) == b"\x01\0"
    line.answer = b""
    assert transport.read(0.1) == b""
    line.answer = DeviceTimeout("full")
    with pytest.raises(DeviceTimeout, match="full"):
        transport.write(b"abc")
    transport.close()
    assert line.written == [b"\0\xab\0"]
    assert line.closed
    assert log.take() == BY_HAND
    assert log.take() == b""


def test_what_fails_is_logged_and_raised():
    log = TrafficLog(Clock(1, 2, 3))

    def connect():
        raise DeviceNotFound("pty: gone \udcff")

    with pytest.raises(DeviceNotFound, match="gone"):
        log.wrap(connect)()
    line = Line()
    line.name = "pty \udcff"
    transport = log.wrap(lambda: line)()
    line.answer = DeviceTimeout("")
    with pytest.raises(DeviceTimeout):
        transport.read(0.0)
    first, second, third = decode(log.take())
    assert first == (1, What.FAILED, b"DeviceNotFound pty: gone ?")
    assert second == (2, What.OPENED, b"stream pty ?")
    assert third == (3, What.FAILED, b"DeviceTimeout ")


def test_tags_are_what_the_link_was_told():
    log = TrafficLog(Clock(10, 20, 30, 40, 50, 60, 70))
    transport = log.wrap(Line)()
    assert log.clock_ns() == 20
    transport.write(b"a")
    transport.read(0.0)
    assert log.clock_ns() == 30
    assert log.clock_ns() == 40
    assert log.clock_ns() == 50
    transport.write(b"b")
    # a link with another clock does not ask
    transport.write(b"c")
    transport.read(0.0)
    assert [operation.time_ns for operation in decode(log.take())] == [10, 20, 30, 50, 60, 70]


def test_a_time_that_was_told_before_a_read_is_not_the_tag_of_a_later_write():
    log = TrafficLog(Clock(10, 20, 30, 40))
    transport = log.wrap(Line)()
    assert log.clock_ns() == 20
    transport.read(0.0)
    transport.write(b"a")
    assert [operation.time_ns for operation in decode(log.take())] == [10, 30, 40]


def test_the_tag_of_a_read_that_nobody_asked_for_is_gone_with_the_next_write():
    log = TrafficLog(Clock(10, 20, 30, 40))
    transport = log.wrap(Line)()
    transport.read(0.0)
    transport.write(b"a")
    assert log.clock_ns() == 40


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
OPERATIONS_OF_ANY_KIND = st.one_of(
    st.tuples(st.sampled_from([What.WRITE, What.READ]), st.binary(max_size=300)),
    st.tuples(st.just(What.OPENED), st.builds("{} {}".format, st.sampled_from(["stream", "transfer"]), TEXTS)),
    st.tuples(st.just(What.FAILED), st.builds("{} {}".format, st.sampled_from(ERRORS), TEXTS)),
)


@given(st.lists(st.tuples(st.integers(0, 2**63 - 1), OPERATIONS_OF_ANY_KIND), max_size=8))
def test_construct_declares_what_is_read_and_written(rows):
    line = Line()
    log = TrafficLog(Clock(*(time_ns for time_ns, _ in rows)))
    expected = []

    def connect():
        if isinstance(line.answer, Exception):
            raise line.answer
        return line

    transport = TrafficLog(Clock(0)).wrap(connect)()
    transport._log = log
    for time_ns, (what, content) in rows:
        octets = content if isinstance(content, bytes) else content.encode()
        expected.append({"time_ns": time_ns, "head": {"what": what, "length": len(octets)}, "octets": octets})
        line.answer = b""
        if what is What.WRITE:
            transport.write(octets)
        elif what is What.READ:
            line.answer = octets
            transport.read(0.0)
        elif what is What.OPENED:
            framing, _, name = content.partition(" ")
            line.framing, line.name = Framing(framing), name
            log.wrap(connect)()
        else:
            name, _, text = content.partition(" ")
            line.answer = getattr(errors, name)(text)
            with pytest.raises(errors.BeamlockError):
                log.wrap(connect)()
    octets = log.take()
    assert octets == GreedyRange(OPERATION).build(expected)
    found = decode(octets)
    assert found == [(row["time_ns"], row["head"]["what"], row["octets"]) for row in expected]
    for operation, (_, (what, content)) in zip(found, rows, strict=True):
        if what is What.OPENED:
            framing, name = operation.opened()
            assert f"{framing.value} {name}" == content
        elif what is What.FAILED:
            error = operation.failed()
            assert f"{type(error).__name__} {error}" == content


@pytest.mark.parametrize(
    ("octets", "what"),
    [
        (BY_HAND[:5], "expected 12 octets at 0, found 5"),
        (BY_HAND[:14], "expected 10 octets at 12, found 2"),
        (BY_HAND[:-1], "expected 18 octets at 75, found 17"),
        (BY_HAND.replace(b"stream", b"strewn"), "expected the framing stream or transfer, found 'strewn'"),
        (BY_HAND.replace(b"Device", b"Voodoo"), "expected an error of ConfigError, .*, found 'VoodooTimeout'"),
        (BY_HAND.replace(b"full", b"ful\xff"), "expected FAILED with UTF-8, found octet 0xff"),
    ],
)
def test_garbage_is_named(octets, what):
    with pytest.raises(ProtocolError, match=what):
        decode(octets)


def test_an_operation_is_asked_for_what_it_is():
    with pytest.raises(ProtocolError, match="expected OPENED, found WRITE"):
        OPERATIONS[1].opened()
    with pytest.raises(ProtocolError, match="expected FAILED, found OPENED"):
        OPERATIONS[0].failed()


@given(st.binary(max_size=80) | st.integers(0, len(BY_HAND)).map(lambda n: BY_HAND[:n] + bytes(3) + BY_HAND[n:]))
def test_arbitrary_octets_are_read_as_construct_reads_them_or_refused(octets):
    try:
        operations = decode(octets)
    except ProtocolError:
        return
    rows = GreedyRange(OPERATION).parse(octets)
    assert operations == [(row.time_ns, row.head.what, row.octets) for row in rows]
    assert 12 * len(rows) + sum(len(row.octets) for row in rows) == len(octets)
