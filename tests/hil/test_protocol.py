"""Messages and frames against octets written by hand, construct's declarations, space packets and COBS's examples."""

import re
import tracemalloc
from pathlib import Path

import pytest
from cobs import cobs
from hypothesis import given
from hypothesis import strategies as st

from flightsw.ccsds import space_packet
from flightsw.ccsds.space_packet import Packet, SequenceFlags
from flightsw.errors import FrameError, ProtocolError
from hil import framing, protocol
from hil.framing import Fault, StreamReader, TransferReader, build, frame, packet_reader, parse
from hil.protocol import (
    Accepted,
    Alive,
    Data,
    Error,
    ErrorCode,
    Heartbeat,
    Hello,
    Identity,
    Kind,
    MessageError,
    Read,
    Samples,
    Stimulated,
    Stimulus,
    Stream,
    Streaming,
    Value,
    Write,
    Written,
    decode,
    encode,
)
from hil.transports import Framing

DOCUMENT = Path(__file__).parents[2] / "docs" / "protocol.md"

BY_HAND = [
    (Hello(1), "01 01"),
    (
        Identity(1, 6, 0, 2, 3, 0x01020304, bytes(range(0xA0, 0xA8))),
        "81 01 06 00 02 03 01020304 A0A1A2A3A4A5A6A7",
    ),
    (Read(0x1234), "02 1234"),
    (Value(0x1234, 0xDEADBEEF), "82 1234 DEADBEEF"),
    (Write(1, 2), "03 0001 00000002"),
    (Written(1, 2), "83 0001 00000002"),
    (Data(3, b"\x00\xff"), "04 03 00FF"),
    (Data(1, b""), "04 01"),
    (Accepted(0xFFFE), "84 FFFE"),
    (Heartbeat(), "05"),
    (Alive(5, 86400000), "85 05 05265C00"),
    (Stream(1, 10), "06 01 000A"),
    (Streaming(0, 1), "86 00 0001"),
    (Stimulus(b"ab"), "07 6162"),
    (Stimulated(), "87"),
    (Samples(0xFFFFFFFF, 7, b"\x01"), "C0 FFFFFFFF 07 01"),
    (Error(3, "no"), "FF 03 6E6F"),
]

u8, u16, u32 = (st.integers(0, (1 << bits) - 1) for bits in (8, 16, 32))
octets = st.binary(max_size=80)
ascii_text = st.text(st.characters(max_codepoint=127), max_size=120)
messages = st.one_of(
    st.builds(Hello, u8),
    st.builds(Identity, u8, u8, u8, u8, u8, u32, st.binary(min_size=8, max_size=8)),
    st.builds(Read, u16),
    st.builds(Value, u16, u32),
    st.builds(Write, u16, u32),
    st.builds(Written, u16, u32),
    st.builds(Data, u8, octets),
    st.builds(Accepted, u16),
    st.just(Heartbeat()),
    st.builds(Alive, u8, u32),
    st.builds(Stream, u8, u16),
    st.builds(Streaming, u8, u16),
    st.builds(Stimulus, octets),
    st.just(Stimulated()),
    st.builds(Samples, u32, u8, octets),
    st.builds(Error, u8, ascii_text),
)
packets = st.builds(
    Packet,
    apid=st.integers(0, 2046),
    sequence_count=st.integers(0, 0x3FFF),
    time_us=st.integers(0, 2**64 - 1),
    data=octets,
    sequence_flags=st.just(SequenceFlags.UNSEGMENTED),
    telecommand=st.booleans(),
)


def crc_bit_by_bit(octets: bytes) -> bytes:
    register = 0xFFFF
    for octet in octets:
        for bit in range(7, -1, -1):
            out = register >> 15 ^ octet >> bit & 1
            register = (register << 1 ^ (0x1021 if out else 0)) & 0xFFFF
    return register.to_bytes(2, "big")


def packet_of(data: bytes, telecommand: bool) -> Packet:
    return Packet(Kind.ENCODER, 0, 0, data, telecommand=telecommand)


def is_request(message: object) -> bool:
    return isinstance(message, protocol.Request)


@pytest.mark.parametrize(("message", "by_hand"), BY_HAND)
def test_messages_are_laid_out_as_by_hand(message, by_hand):
    data = bytes.fromhex(by_hand)
    assert encode(message) == data
    found = decode(packet_of(data, is_request(message)))
    assert found == message
    assert type(found) is type(message)


def test_every_message_was_laid_out_by_hand():
    assert {type(message) for message, _ in BY_HAND} == set(protocol.BODIES)


def test_a_packet_is_laid_out_as_by_hand():
    # version 0, type 1, secondary header, APID 0x101; unsegmented, count 5; 8 + 3 + 2 octets; 1 s; READ of 0x0010
    by_hand = bytes.fromhex("1901 C005 000C 00000000000F4240 02 0010")
    packet = Packet(Kind.STEERING_MIRROR, 5, 1_000_000, encode(Read(0x10)), telecommand=True)
    assert build(packet) == by_hand + crc_bit_by_bit(by_hand)
    assert parse(by_hand + crc_bit_by_bit(by_hand)) == packet


@pytest.mark.parametrize(
    ("kind", "apid"),
    [
        ("steering_mirror", 0x101),
        ("quad_cell", 0x102),
        ("gimbal", 0x103),
        ("camera", 0x104),
        ("laser", 0x105),
        ("encoder", 0x106),
        ("fine_loop", 0x107),
        ("point_ahead", 0x108),
    ],
)
def test_kinds(kind, apid):
    assert Kind(apid).label == kind
    assert Kind(apid).octet == apid - 0x100
    assert protocol.kind_name(apid - 0x100) == kind


def test_a_kind_that_nobody_knows_has_a_name_all_the_same():
    assert protocol.kind_name(0x99) == "device of unknown kind 0x99"


@given(messages, st.sampled_from(Kind), st.integers(0, 0x3FFF), st.integers(0, 2**64 - 1))
def test_construct_declares_what_struct_does(message, kind, count, time_us):
    packet = Packet(kind, count, time_us, encode(message), telecommand=is_request(message))
    body = message._asdict()
    header = {
        "version": 0,
        "telecommand": packet.telecommand,
        "secondary_header": True,
        "apid": kind,
        "sequence_flags": 3,
        "sequence_count": count,
        "length_minus_one": len(packet.data) + 9,
    }
    identifier = protocol.message_id(type(message))
    value = {"header": header, "time_us": time_us, "message": {"id": identifier, "body": body}}
    declared = protocol.PACKET.build({"covered": {"value": value}})
    assert build(packet) == declared
    found = protocol.PACKET.parse(declared).covered.value.message.body
    assert type(message)(**{name: found[name] for name in body}) == message
    assert decode(parse(declared)) == message


@given(packets)
def test_packets_are_space_packets(packet):
    assert build(packet) == space_packet.build(packet)
    assert parse(space_packet.build(packet)) == packet


@given(
    st.one_of(
        octets,
        packets.map(space_packet.build),
        st.builds(
            lambda p, flags: space_packet.build(p._replace(sequence_flags=flags)), packets, st.sampled_from(range(4))
        ),
        st.builds(lambda o: o + crc_bit_by_bit(o), octets),
        st.builds(lambda p, o: space_packet.build(p) + o, packets, octets),
    )
)
def test_what_is_no_space_packet_is_no_packet(octets):
    try:
        expected = space_packet.parse(octets)
    except FrameError:
        assert isinstance(parse(octets), Fault)
    else:
        whole = expected.sequence_flags == SequenceFlags.UNSEGMENTED
        assert parse(octets) == (expected if whole else Fault.HEADER)


@pytest.mark.parametrize(
    "change",
    [{"apid": 2047}, {"sequence_count": 1 << 14}, {"time_us": -1}, {"time_us": 1 << 64}, {"data": bytes(65527)}],
)
def test_packets_that_do_not_fit_are_refused(change):
    with pytest.raises(ProtocolError, match=r"expected .* found"):
        build(Packet(1, 2, 3, b"")._replace(**change))


@pytest.mark.parametrize(
    "message", [Read(1 << 16), Write(0, -1), Alive(256, 0), Hello("1"), Data(0, "text"), Samples(1 << 32, 0, b"")]
)
def test_messages_that_do_not_fit_are_refused(message):
    with pytest.raises(ProtocolError, match="expected fields that fit the wire, found"):
        encode(message)


@pytest.mark.parametrize(
    ("data", "telecommand", "code", "what"),
    [
        ("", True, ErrorCode.UNKNOWN_MESSAGE, "found no octet"),
        ("08", True, ErrorCode.UNKNOWN_MESSAGE, "found 0x08"),
        ("01 01", False, ErrorCode.UNKNOWN_MESSAGE, "HELLO: expected a command packet, found a telemetry packet"),
        ("87", True, ErrorCode.UNKNOWN_MESSAGE, "STIMULATED: expected a telemetry packet, found a command packet"),
        ("02 00", True, ErrorCode.BAD_LENGTH, "READ: expected 2 octets, found 1"),
        ("02 000000", True, ErrorCode.BAD_LENGTH, "READ: expected 2 octets, found 3"),
        ("04", True, ErrorCode.BAD_LENGTH, "DATA: expected at least 1 octets, found 0"),
        ("C0 00000001", False, ErrorCode.BAD_LENGTH, "SAMPLES: expected at least 5 octets, found 4"),
        ("FF 01 80", False, ErrorCode.OUT_OF_RANGE, "ERROR text: expected ASCII, found octet 0x80"),
        ("FF 01" + 121 * "41", False, ErrorCode.BAD_LENGTH, "ERROR text: expected at most 120 octets, found 121"),
    ],
)
def test_malformed_messages_are_named(data, telecommand, code, what):
    with pytest.raises(MessageError, match=what) as caught:
        decode(packet_of(bytes.fromhex(data), telecommand))
    assert caught.value.code == code


@given(octets, st.booleans())
def test_arbitrary_user_data_is_a_message_or_a_protocol_error(data, telecommand):
    try:
        message = decode(packet_of(data, telecommand))
    except ProtocolError:
        return
    assert encode(message) == data


def test_error_text_is_cut_and_made_ascii():
    assert encode(Error(1, "é" + "x" * 200)) == b"\xff\x01?" + b"x" * 119


def test_an_error_code_of_a_later_version_has_a_message():
    assert str(MessageError(99, "what?", "mirror on port")) == "mirror on port: code 99: what?"


@pytest.mark.parametrize(
    ("plain", "encoded"),
    [
        # Cheshire and Baker, and the boundary at 254 octets
        (b"\x00", b"\x01\x01"),
        (b"\x11\x22\x00\x33", b"\x03\x11\x22\x02\x33"),
        (b"\x11\x00\x00\x00", b"\x02\x11\x01\x01\x01"),
        (bytes(range(1, 255)), b"\xff" + bytes(range(1, 255))),
        (bytes(range(1, 256)), b"\xff" + bytes(range(1, 255)) + b"\x02\xff"),
    ],
)
def test_frames_of_a_stream_are_cobs(plain, encoded):
    assert frame(plain, Framing.STREAM) == encoded + b"\0"
    assert frame(plain, Framing.TRANSFER) == plain


@given(st.lists(packets, max_size=6), st.data())
def test_packets_come_out_of_a_stream_however_it_is_cut(sent, data):
    stream = b"".join(cobs.encode(space_packet.build(packet)) + b"\0" for packet in sent)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    reader = StreamReader()
    found = []
    for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += reader.push(stream[begin:end])
    assert found == sent
    assert (reader.good, reader.bad_frames, reader.octets) == (len(sent), 0, len(stream))


@given(st.lists(st.tuples(octets, packets), min_size=1, max_size=6))
def test_a_stream_is_back_in_step_at_the_next_delimiter(pieces):
    reader = StreamReader()
    found = []
    for garbage, packet in pieces:
        found += reader.push(garbage + b"\0" + cobs.encode(space_packet.build(packet)) + b"\0")
    assert found == [packet for _, packet in pieces]


def test_a_wrong_octet_is_always_found():
    packet = Packet(
        Kind.STEERING_MIRROR, 5, 0x0001020304050607, encode(Data(3, b"\x3f\x00\x00\x00\x12\x34")), telecommand=True
    )
    line = frame(build(packet), Framing.STREAM)
    damaged = [line[:at] + bytes([octet]) + line[at + 1 :] for at in range(len(line)) for octet in range(256)]
    damaged += [line[:at] + line[at + 1 :] for at in range(len(line))]
    damaged += [line[:at] + line[at : at + 1] + line[at:] for at in range(len(line) - 1)]
    damaged += [line[:at] + line[end:] for at in range(len(line)) for end in range(at + 2, len(line))]
    for octets in damaged:
        if octets.rstrip(b"\0") != line.rstrip(b"\0"):
            reader = StreamReader()
            # the delimiter behind it closes what the damage left open
            assert reader.push(octets + b"\0") == []
            assert reader.bad_frames >= 1 or not octets.strip(b"\0")
            assert reader.push(line) == [packet]


def test_faults_are_counted_by_kind():
    right = build(Packet(1, 2, 3, b"data"))
    reader = StreamReader()
    for wrong in (right[:12], right + b"\0", right[:-1] + bytes([right[-1] ^ 1]), bytes([right[0] | 0x20]) + right[1:]):
        reader.push(cobs.encode(wrong) + b"\0")
    reader.push(b"\x05a\0" + b"\0\0")
    assert reader.bad == {Fault.LENGTH: 2, Fault.CRC: 1, Fault.HEADER: 1, Fault.CODING: 1}
    assert reader.bad_frames == 5


def test_the_longest_packet_goes_through():
    packet = Packet(1, 2, 3, bytes(range(256)) * 255 + bytes(246))
    assert len(packet.data) == space_packet.LARGEST_USER_DATA
    line = frame(build(packet), Framing.STREAM)
    assert len(line) <= framing.LARGEST_FRAME + 1
    reader = StreamReader()
    assert [found for at in range(0, len(line), 1000) for found in reader.push(line[at : at + 1000])] == [packet]
    whole = Packet(1, 2, 3, b"\xff" * space_packet.LARGEST_USER_DATA)
    assert StreamReader().push(frame(build(whole), Framing.STREAM)) == [whole]


def test_a_stream_without_delimiter_takes_no_memory():
    reader = StreamReader()
    chunk = b"\x55" * 4096
    tracemalloc.start()
    try:
        for _ in range(1000):
            assert reader.push(chunk) == []
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * framing.LARGEST_FRAME
    assert reader.bad == {Fault.OVERSIZE: 1}
    packet = Packet(1, 2, 3, b"data")
    assert reader.push(chunk + b"\0" + frame(build(packet), Framing.STREAM)) == [packet]
    assert reader.bad_frames == 1


@given(st.lists(st.binary(max_size=200), max_size=10), st.sampled_from(Framing))
def test_arbitrary_octets_are_counted_and_left_out(pieces, kind):
    reader = packet_reader(kind)
    found = [packet for piece in pieces for packet in reader.push(piece)]
    assert len(found) == reader.good
    assert reader.octets == sum(map(len, pieces))


def test_garbage_without_end_looks_like_another_baud_rate():
    reader = StreamReader()
    reader.push(b"\x91\x3f\0" * 7)
    assert not reader.looks_like_baud_mismatch
    reader.push(b"\x91\x3f\0")
    assert reader.looks_like_baud_mismatch
    reader.push(frame(build(Packet(1, 2, 3, b"")), Framing.STREAM))
    assert not reader.looks_like_baud_mismatch


@given(st.lists(packets, max_size=5), st.booleans())
def test_each_transfer_is_a_packet(sent, in_parts):
    reader = TransferReader()
    found = []
    for packet in sent:
        transfer = space_packet.build(packet)
        # a read that times out ends where a packet of the bus does
        for at in range(0, len(transfer), 64) if in_parts else ():
            found += reader.push(transfer[at : at + 64])
        found += reader.push(transfer) if not in_parts else []
    assert found == sent
    assert reader.bad_frames == 0


def test_a_transfer_that_never_ends_takes_no_other_with_it():
    reader = TransferReader()
    packet = Packet(1, 2, 3, b"data")
    assert reader.push(space_packet.build(Packet(1, 2, 3, bytes(200)))[:64]) == []
    assert reader.push(build(packet)) == [packet]
    assert reader.bad_frames == 1


def test_the_examples_of_the_document_are_right():
    examples = re.findall(r"^([A-Z]+): `((?:[0-9A-F]{2} )*[0-9A-F]{2})`$", DOCUMENT.read_text(), re.MULTILINE)
    assert len(examples) >= 3
    for name, line in examples:
        octets = cobs.decode(bytes.fromhex(line)[:-1])
        assert octets[-2:] == crc_bit_by_bit(octets[:-2])
        message = decode(space_packet.parse(octets))
        assert type(message).__name__.upper() == name
