"""Packets against hand-assembled octets and the spacepackets package; units against what was lost of them."""

import binascii

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spacepackets.ccsds.spacepacket import PacketType, SpacePacketHeader

from flightsw.ccsds import space_packet
from flightsw.ccsds.encapsulation_packet import idle_packet as encapsulation_idle_packet
from flightsw.ccsds.packets import Packets, delimit
from flightsw.ccsds.segmentation import Reassembler, ServiceDataUnit, segment
from flightsw.ccsds.space_packet import Packet, PacketHeader, SequenceFlags
from flightsw.errors import FrameError

# Version 0, telemetry, secondary header, APID 0x123; unsegmented, count 0x1234; 10 + 3 octets; time 0x0102030405060708.
BY_HAND = bytes.fromhex("0923 D234 000C 0102030405060708 AABBCC")

packets = st.builds(
    Packet,
    apid=st.integers(0, 2046),
    sequence_count=st.integers(0, 0x3FFF),
    time_us=st.integers(0, 2**64 - 1),
    data=st.binary(max_size=60),
    sequence_flags=st.sampled_from(SequenceFlags),
    telecommand=st.booleans(),
)


def with_crc(octets: bytes) -> bytes:
    return octets + binascii.crc_hqx(octets, 0xFFFF).to_bytes(2, "big")


def test_a_packet_is_laid_out_as_by_hand():
    packet = Packet(0x123, 0x1234, 0x0102030405060708, b"\xaa\xbb\xcc")
    assert space_packet.build(packet) == with_crc(BY_HAND)
    assert space_packet.parse(with_crc(BY_HAND)) == packet


@given(packets)
def test_headers_are_those_of_spacepackets(packet):
    octets = space_packet.build(packet)
    theirs = SpacePacketHeader.unpack(octets)
    assert theirs.ccsds_version == 0
    assert theirs.packet_type == (PacketType.TC if packet.telecommand else PacketType.TM)
    assert theirs.sec_header_flag
    assert theirs.apid == packet.apid
    assert theirs.seq_flags == packet.sequence_flags
    assert theirs.seq_count == packet.sequence_count
    assert theirs.data_len + 7 == len(octets)
    assert theirs.pack() == octets[:6]
    assert space_packet.parse(octets) == packet
    assert list(space_packet.split(octets * 2)) == [packet, packet]


@given(
    st.integers(0, 2047), st.integers(0, 0x3FFF), st.integers(1, 65536), st.sampled_from(SequenceFlags), st.booleans()
)
def test_a_header_alone(apid, count, data_octets, flags, secondary_header):
    header = PacketHeader(apid, count, data_octets, flags, True, secondary_header)
    theirs = SpacePacketHeader(PacketType.TC, apid, count, data_octets - 1, secondary_header, flags)
    assert space_packet.build_packet_header(header) == theirs.pack()
    assert space_packet.parse_packet_header(theirs.pack()) == header


@pytest.mark.parametrize(
    ("field", "value"),
    [("apid", 2047), ("apid", -1), ("sequence_count", 1 << 14), ("time_us", 1 << 64), ("data", bytes(65527))],
)
def test_fields_that_do_not_fit_are_refused(field, value):
    with pytest.raises(FrameError, match="expected"):
        space_packet.build(Packet(1, 2, 3, b"")._replace(**{field: value}))


@pytest.mark.parametrize(
    ("octets", "what"),
    [
        (b"", "at least 16"),
        (with_crc(b"\x29" + BY_HAND[1:]), "version: expected 0, found 1"),
        (with_crc(b"\x01" + BY_HAND[1:]), "secondary header flag"),
        (with_crc(BY_HAND + b"\0"), "length: expected 19, found 20"),
        (BY_HAND + b"\0\0", "CRC-16: expected [0-9a-f]{4}, found 0000"),
    ],
)
def test_what_is_wrong_is_named(octets, what):
    with pytest.raises(FrameError, match=what):
        space_packet.parse(octets)


@given(st.binary(max_size=80))
def test_arbitrary_octets_are_refused_with_a_frame_error(octets):
    for attempt in (
        space_packet.parse,
        lambda o: list(space_packet.split(o)),
        delimit,
        space_packet.parse_packet_header,
    ):
        try:
            attempt(octets)
        except FrameError as error:
            assert error.expected != error.found


@pytest.mark.parametrize("octets", [7, 8, 300, 65542])
def test_idle_packets(octets):
    idle = space_packet.idle_packet(octets)
    theirs = SpacePacketHeader.unpack(idle)
    assert (len(idle), theirs.data_len + 7, theirs.apid, theirs.sec_header_flag) == (octets, octets, 2047, False)
    assert theirs.packet_type == PacketType.TM
    assert theirs.seq_flags == 3


@pytest.mark.parametrize("octets", [0, 6, 65543])
def test_idle_packets_of_other_lengths_are_refused(octets):
    with pytest.raises(FrameError):
        space_packet.idle_packet(octets)


@pytest.mark.parametrize(
    ("octets", "header"),
    [(1, "E0"), (2, "E1 02"), (255, "E1 FF"), (256, "E2 00 0100"), (65535, "E2 00 FFFF")],
)
def test_encapsulation_idle_packets(octets, header):
    idle = encapsulation_idle_packet(octets)
    assert len(idle) == octets
    assert idle.startswith(bytes.fromhex(header))
    assert delimit(idle + b"\xe0").fences.tolist() == [0, octets, octets + 1]


@pytest.mark.parametrize("octets", [0, 65536])
def test_encapsulation_idle_packets_of_other_lengths_are_refused(octets):
    with pytest.raises(FrameError):
        encapsulation_idle_packet(octets)


@given(st.lists(st.binary(min_size=5, max_size=5), max_size=5), st.integers(0, 0x3FFF), st.sampled_from(SequenceFlags))
def test_packets_in_bulk_are_those_built_one_by_one(data, first_count, flags):
    rows = np.frombuffer(b"".join(data), np.uint8).reshape(-1, 5)
    times = np.arange(len(data)) * 10**12
    found = space_packet.telemetry_packets(99, first_count, times, rows, flags)
    assert [row.tobytes() for row in found] == [
        space_packet.build(Packet(99, (first_count + i) % 0x4000, i * 10**12, d, flags)) for i, d in enumerate(data)
    ]


def test_bulk_packets_refuse_what_does_not_fit():
    for apid, octets in ((2047, 1), (1, 65527)):
        with pytest.raises(FrameError):
            space_packet.telemetry_packets(apid, 0, np.zeros(1, np.int64), np.zeros((1, octets), np.uint8))


# Of version 1, without secondary header, and with a wrong length, but each with a right check.
WRONG = [with_crc(b"\x29" + BY_HAND[1:]), with_crc(b"\x01" + BY_HAND[1:]), with_crc(BY_HAND + b"\0")]


@given(
    st.lists(
        st.one_of(packets.map(space_packet.build), st.binary(min_size=1, max_size=40), st.sampled_from(WRONG)),
        max_size=12,
    )
)
def test_reading_in_bulk_finds_what_parse_finds(pieces):
    expected = []
    for piece in pieces:
        try:
            expected.append(space_packet.parse(piece))
        except FrameError:
            continue
    fences = np.cumsum([0, *map(len, pieces)])
    found, others = space_packet.read(Packets(np.frombuffer(b"".join(pieces), np.uint8), fences))
    assert found == expected
    assert others == len(pieces) - len(expected)


@given(st.lists(packets, max_size=10), st.data())
def test_a_stream_is_delimited_by_the_lengths_in_it(sent, data):
    octets = [space_packet.build(packet) for packet in sent]
    found = delimit(b"".join(octets))
    assert list(found) == octets
    assert len(found) == len(octets)
    if sent:
        cut = data.draw(st.integers(1, len(octets[-1]) - 1))
        with pytest.raises(FrameError, match=f"packet at octet {len(b''.join(octets[:-1]))}: expected a whole packet"):
            delimit(b"".join(octets)[:-cut])


def test_encapsulation_packets_of_other_protocols_are_delimited():
    some = ["E9 03 01", "EA FF 0005 01", "EB FF FFFF 0000000A 0102"]
    assert [octets.hex() for octets in delimit(bytes.fromhex("".join(some)))] == [
        octets.replace(" ", "").lower() for octets in some
    ]


@pytest.mark.parametrize(
    ("octets", "what"),
    [
        ("20 00 00 00 00 00 00", "packet version at octet 0: expected 0 or 7, found 1"),
        ("E0 E4", "packet at octet 1: expected a whole packet"),
        ("E1 01", "packet at octet 0: expected a whole packet"),
        ("E3 00 0000 FFFFFFFF", "packet at octet 0: expected a whole packet"),
    ],
)
def test_what_begins_no_packet_is_refused(octets, what):
    with pytest.raises(FrameError, match=what):
        delimit(bytes.fromhex(octets))


def test_a_unit_in_three_segments():
    unit = ServiceDataUnit(7, 1_000_000, bytes(range(25)))
    found = [space_packet.parse(octets) for octets in segment(unit, 0x3FFF, 10)]
    assert found == [
        Packet(7, 0x3FFF, 1_000_000, bytes(range(10)), SequenceFlags.FIRST),
        Packet(7, 0, 1_000_000, bytes(range(10, 20)), SequenceFlags.CONTINUATION),
        Packet(7, 1, 1_000_000, bytes(range(20, 25)), SequenceFlags.LAST),
    ]


@pytest.mark.parametrize(("octets", "lengths"), [(0, [0]), (10, [10]), (20, [10, 10]), (21, [10, 10, 1])])
def test_units_of_round_lengths(octets, lengths):
    found = [space_packet.parse(packet) for packet in segment(ServiceDataUnit(7, 5, bytes(octets)), 0, 10)]
    assert [len(packet.data) for packet in found] == lengths
    assert Reassembler().push(found) == [ServiceDataUnit(7, 5, bytes(octets))]


def test_segments_that_do_not_fit_are_refused():
    for unit, octets in ((b"a", 0), (b"a", 65527), (bytes((1 << 14) + 1), 1)):
        with pytest.raises(FrameError):
            segment(ServiceDataUnit(1, 0, unit), 0, octets)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from([5, 6]), st.binary(max_size=30)), max_size=12),
    st.integers(1, 8),
    st.integers(0, 0x3FFF),
    st.data(),
)
def test_units_arrive_unless_a_segment_was_lost(units, data_octets, first_count, data):
    counts = {5: first_count, 6: 100}
    sent = []
    for number, (apid, octets) in enumerate(units):
        unit = ServiceDataUnit(apid, number, octets)
        parts = [space_packet.parse(p) for p in segment(unit, counts[apid], data_octets)]
        counts[apid] += len(parts)
        sent += [(unit, part) for part in parts]
    lost = data.draw(st.sets(st.integers(0, max(0, len(sent) - 1)), max_size=len(sent) // 2))
    received = [pair for i, pair in enumerate(sent) if i not in lost]
    damaged = {unit.time_us for i, (unit, _) in enumerate(sent) if i in lost}
    seen = list(dict.fromkeys(unit for unit, _ in received))
    reassembler = Reassembler()
    cut = data.draw(st.integers(0, len(received)))
    found = reassembler.push(p for _, p in received[:cut]) + reassembler.push(p for _, p in received[cut:])
    whole = [unit for unit in seen if unit.time_us not in damaged]
    assert sorted(found, key=lambda unit: unit.time_us) == sorted(whole, key=lambda unit: unit.time_us)
    for apid in (5, 6):
        counted = reassembler.counts(apid)
        mine = [i for i, (unit, _) in enumerate(sent) if unit.apid == apid]
        arrived = [i for i in mine if i not in lost]
        between = [i for i in mine if arrived and arrived[0] <= i <= arrived[-1]]
        assert counted.packets == len(arrived)
        assert counted.units == sum(unit.apid == apid for unit in whole)
        assert counted.missing_packets == len(between) - len(arrived)
        assert counted.steps_back == 0
        # A unit whose last segment is the last that is missing may still be under way.
        incomplete = [unit for unit in seen if unit.apid == apid and unit.time_us in damaged]
        assert 0 <= len(incomplete) - counted.dropped_units <= 1


def parts_of(time_us: int, first_count: int, n: int) -> list[Packet]:
    unit = ServiceDataUnit(1, time_us, bytes([time_us]) * n)
    return [space_packet.parse(octets) for octets in segment(unit, first_count, 1)]


def test_a_loss_of_a_whole_round_of_the_count_joins_nothing():
    a, b = parts_of(1, 0, 3), parts_of(2, 0, 3)
    reassembler = Reassembler()
    assert reassembler.push([a[0], b[1], b[2]]) == []
    assert reassembler.counts(1).missing_packets == 0
    assert reassembler.counts(1).dropped_units == 2


def test_a_unit_without_end_is_dropped():
    first, middle, last = parts_of(1, 0, 3)
    endless = [first, *(middle._replace(sequence_count=i % 0x4000) for i in range(1, 0x4000 + 1))]
    reassembler = Reassembler()
    assert reassembler.push([*endless, last._replace(sequence_count=1)]) == []
    assert reassembler.counts(1).dropped_units == 1


def test_a_repeated_segment_is_not_put_in_twice():
    first, middle, last = parts_of(1, 0, 3)
    reassembler = Reassembler()
    assert reassembler.push([first, middle, middle, last]) == []
    counts = reassembler.counts(1)
    assert (counts.steps_back, counts.missing_packets, counts.dropped_units) == (1, 0, 1)


def test_an_apid_that_was_never_heard_of_has_no_counts():
    assert Reassembler().counts(9).packets == 0
