"""Items, commands and events against `struct`, the time code's own module, and words of people."""

import math
import struct
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flightsw.ccsds.time_code import Cuc
from flightsw.errors import FrameError
from flightsw.services.declarations import (
    CommandKind,
    Item,
    OutOfRange,
    Reader,
    decode,
    encode,
    time_octets,
    time_us,
)
from flightsw.services.dictionary import COMMANDS, EVENTS, HOUSEKEEPING, PACKETS, PARAMETERS, STATUS_ITEMS
from flightsw.services.events import DEVICE_LOST, EventKind, Severity

U1, U2, F4 = Item("a", "u1", "", ""), Item("b", "u2", "", ""), Item("c", "f4", "rad", "")
TEXT = Item("d", "text", "", "")
EVERY = (U1, U2, F4, TEXT, Item("e", "time", "s", ""), Item("f", "octets", "", ""))


def test_values_are_laid_out_as_struct_has_them():
    octets = encode((U1, U2, F4, TEXT), (7, 300, -1.5, "µ"))
    assert octets == struct.pack(">BHf", 7, 300, -1.5) + b"\x00\x02\xc2\xb5"
    assert decode((U1, U2, F4, TEXT), octets) == (7, 300, -1.5, "µ")


@pytest.mark.parametrize("value", [-1, 256, 1 << 70])
def test_a_value_that_does_not_fit_is_refused(value):
    with pytest.raises(FrameError, match="a: expected a value of u1"):
        U1.encode(value)


@given(st.binary(max_size=40))
def test_any_octets_decode_or_are_refused(octets):
    try:
        values = decode(EVERY, octets)
    except FrameError:
        return
    assert len(values) == 6
    again = encode(EVERY, values)
    # a time is rounded to the microsecond, all else comes back
    assert (len(again) == len(octets) and again[:7] == octets[:7]) or math.isnan(values[2])


@given(st.integers(0, (1 << 32) * 1_000_000 - 1))
def test_microseconds_survive_the_time_code(microseconds):
    octets = time_octets(microseconds)
    assert Cuc(4, 3).decode(octets) == Fraction((microseconds << 24) // 1_000_000, 1 << 24)
    assert time_us(octets) == microseconds


def test_a_second_and_a_half_is_what_the_standard_says():
    # CCSDS 301.0-B-4, 3.2: 4 octets of seconds, and the binary fraction of one
    assert time_octets(1_500_000) == bytes.fromhex("00000001800000")


def test_a_time_before_the_epoch_is_refused():
    with pytest.raises(FrameError, match="time: expected 0 to 2"):
        time_octets(-1)


@pytest.mark.parametrize(
    ("item", "good", "bad", "says"),
    [
        (Item("x", "f4", "rad", "", lowest=-1.0, highest=1.0), [-1.0, 0, 1.0], [1.0001, -2.0, math.nan], "-1 to 1 rad"),
        (Item("x", "u1", "", "", ("OFF", "ON")), [0, 1], [2, 255], "OFF or ON"),
        (Item("x", "u1", "", "", fixed=3), [3], [0, 4], "expected 3"),
        (Item("x", "f8", "", ""), [1e300], [math.inf, math.nan], "any to any"),
    ],
)
def test_ranges_include_their_ends_and_nothing_else(item, good, bad, says):
    for value in good:
        item.require(value)
    for value in bad:
        with pytest.raises(OutOfRange, match=says):
            item.require(value)


def test_a_command_asks_for_what_is_not_fixed():
    kind = CommandKind("X", 8, 1, "", (Item("n", "u1", "", "", fixed=9), U2))
    assert kind.encode(258) == b"\x09\x01\x02"
    with pytest.raises(FrameError, match="arguments of X: expected 1, found 2"):
        kind.encode(1, 2)
    with pytest.raises(FrameError, match="b: expected a value of u2, found 65536"):
        kind.encode(65536)
    ranged = CommandKind("Y", 8, 1, "", (Item("n", "u1", "", "", highest=4),))
    with pytest.raises(OutOfRange, match="n: expected any to 4, found 5"):
        ranged.encode(5)


def test_a_packet_within_octets_ends_where_its_header_says():
    packet = bytes.fromhex("1801c0000003") + b"four"
    reader = Reader(packet + b"rest")
    assert reader.packet(U1, 100) == packet
    with pytest.raises(FrameError, match="at most 9 octets, found 10"):
        Reader(packet).packet(U1, 9)
    with pytest.raises(FrameError, match="expected 10 octets, found 9"):
        Reader(packet[:-1]).packet(U1, 100)


ANGLED = EventKind(99, "PARTED", Severity.LOW, "{who} left at {c:.2f} rad", (Item("who", "u1", "", "", ("A", "B")), F4))


def test_an_event_says_the_same_from_its_octets():
    event = ANGLED.at(2.5, 1, 0.1)
    assert event[:4] == (2.5, Severity.LOW, "PARTED", "B left at 0.10 rad")
    assert event.values == (1, struct.unpack(">f", struct.pack(">f", 0.1))[0])
    assert ANGLED.encode(event) == struct.pack(">Bf", 1, 0.1)
    assert ANGLED.told(2.5, ANGLED.encode(event), Severity.LOW) == event
    assert ANGLED.at(2.5, 0, 0.1, severity=Severity.HIGH).severity == Severity.HIGH


def test_an_event_of_no_state_is_refused():
    with pytest.raises(FrameError, match="who: expected A or B, found 2"):
        ANGLED.told(0.0, struct.pack(">Bf", 2, 0.1), Severity.LOW)


def test_an_event_with_a_text_alone_may_come_without_values():
    bare = DEVICE_LOST.at(1.0, "camera")._replace(values=())
    assert DEVICE_LOST.encode(bare) == b"\x00\x06camera"


def test_the_dictionary_has_nothing_twice():
    assert len({kind.number for kind in EVENTS.values()}) == len(EVENTS)
    assert len({(k.service, k.subtype, k.number) for k in PACKETS}) == len({k.name for k in PACKETS}) == len(PACKETS)
    numbers = [*STATUS_ITEMS, *[kind.number for kind in PARAMETERS]]
    assert len(set(numbers)) == len(numbers)
    fixed = [(k.service, k.subtype, tuple(item.fixed for item in k.arguments)) for k in COMMANDS.values()]
    assert len(set(fixed)) == len(fixed)
    # a name that is declared twice would hide the other
    for names in (EVENTS, COMMANDS):
        assert all(name == kind.name and name.isupper() for name, kind in names.items())


def test_every_event_can_be_told_in_words():
    values = {"u1": 1, "u2": 2, "u4": 3, "f4": 0.5, "f8": 0.25, "text": "so"}
    for kind in EVENTS.values():
        event = kind.at(0.0, *[values[item.kind] for item in kind.arguments])
        assert event.text and "{" not in event.text


def test_housekeeping_is_packed_in_the_order_of_the_status():
    assert HOUSEKEEPING.items[0].name == "mode" and HOUSEKEEPING.items[-1].name == "faults_inhibited"
    assert HOUSEKEEPING.dtype.itemsize == 1 + 1 + 4 + 1 + 16 * 4 + 2 * 4
