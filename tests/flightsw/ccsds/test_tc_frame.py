"""TC frames and control words against hand-assembled octets and a division of polynomials."""

import binascii

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flightsw.ccsds import clcw, tc_frame
from flightsw.ccsds.clcw import Clcw
from flightsw.ccsds.space_packet import SequenceFlags
from flightsw.ccsds.tc_frame import Segment, TcFrame
from flightsw.errors import FrameError

# Version 00, bypass 1, control 0, spare 00, SCID 10 1010 0101; VCID 10 1010, length 10; sequence number 0x5A.
BY_HAND = bytes.fromhex("22A5 A809 5A AABBCC")

frames = st.builds(
    TcFrame,
    spacecraft_id=st.integers(0, 1023),
    virtual_channel=st.integers(0, 63),
    sequence_number=st.integers(0, 255),
    data=st.binary(min_size=1, max_size=40),
    bypass=st.just(True),
    control_command=st.booleans(),
)


def with_crc(octets: bytes) -> bytes:
    return octets + binascii.crc_hqx(octets, 0xFFFF).to_bytes(2, "big")


def test_a_frame_is_laid_out_as_by_hand():
    frame = TcFrame(0x2A5, 42, 0x5A, b"\xaa\xbb\xcc", bypass=True)
    assert tc_frame.build(frame) == with_crc(BY_HAND)
    assert tc_frame.parse(with_crc(BY_HAND)) == frame
    assert tc_frame.build(frame, "none") == bytes.fromhex("22A5 A807 5A AABBCC")


@given(frames, st.sampled_from(["none", "crc16"]))
def test_the_fields_of_a_frame_are_where_the_standard_has_them(frame, fecf):
    octets = tc_frame.build(frame, fecf)
    word = int.from_bytes(octets[:5], "big")
    assert word >> 38 == 0
    assert word >> 37 & 1 == frame.bypass
    assert word >> 36 & 1 == frame.control_command
    assert word >> 34 & 3 == 0
    assert word >> 24 & 0x3FF == frame.spacecraft_id
    assert word >> 18 & 0x3F == frame.virtual_channel
    assert (word >> 8 & 0x3FF) + 1 == len(octets)
    assert word & 0xFF == frame.sequence_number
    assert octets[5 : 5 + len(frame.data)] == frame.data
    assert tc_frame.parse(octets, fecf) == frame


def test_the_longest_frame():
    assert len(tc_frame.build(TcFrame(1, 2, 3, bytes(1017)))) == 1024
    with pytest.raises(FrameError, match="length minus one: expected 0 to 1023, found 1024"):
        tc_frame.build(TcFrame(1, 2, 3, bytes(1018)))


@pytest.mark.parametrize(
    ("octets", "what"),
    [
        (BY_HAND[:4], "a header of 5 octets"),
        (b"\x62" + BY_HAND[1:], "version: expected 0, found 1"),
        (with_crc(BY_HAND[:3] + b"\x06" + BY_HAND[4:]), "at least 8, found 7"),
        (with_crc(BY_HAND + b"\0"), "length: expected 10, found 11"),
        (BY_HAND + b"\0\0", "error control field"),
        (with_crc(b"\x26" + BY_HAND[1:]), "spare bits: expected 0, found 1"),
        (with_crc(b"\x12" + BY_HAND[1:]), "flags: expected 00, 10 or 11, found 01"),
    ],
)
def test_what_is_wrong_is_named(octets, what):
    with pytest.raises(FrameError, match=what):
        tc_frame.parse(octets)


@pytest.mark.parametrize(
    ("field", "value"),
    [("spacecraft_id", 1024), ("virtual_channel", 64), ("sequence_number", 256), ("data", b"")],
)
def test_fields_that_do_not_fit_are_refused(field, value):
    with pytest.raises(FrameError, match="expected"):
        tc_frame.build(TcFrame(1, 2, 3, b"abc")._replace(**{field: value}))


@given(st.binary(max_size=30), st.sampled_from(["none", "crc16", "crc32"]))
def test_arbitrary_octets_are_refused_with_a_frame_error(octets, fecf):
    for attempt in (tc_frame.parse, lambda o, f: list(tc_frame.split(o, f)), lambda o, f: tc_frame.parse_segment(o)):
        try:
            attempt(octets, fecf)
        except FrameError as error:
            assert error.expected != error.found


@given(st.lists(frames, min_size=1, max_size=4), st.integers(0, 6), st.sampled_from(["none", "crc16"]))
def test_frames_are_delimited_and_fill_is_left(some, fill, fecf):
    data = b"".join(tc_frame.build(frame, fecf) for frame in some)
    assert list(tc_frame.split(data + b"\x55" * fill, fecf)) == some


def test_too_much_of_what_is_no_frame_is_refused():
    with pytest.raises(FrameError, match="version"):
        list(tc_frame.split(b"\x55" * 7))


def test_segments_by_hand():
    octets = bytes.fromhex("6A AABB")
    assert tc_frame.build_segment(Segment(42, b"\xaa\xbb", SequenceFlags.FIRST)) == octets
    assert tc_frame.parse_segment(octets) == Segment(42, b"\xaa\xbb", SequenceFlags.FIRST)
    assert tc_frame.build_segment(Segment(0, b"")) == b"\xc0"
    for map_id in (64, -1):
        with pytest.raises(FrameError, match="map id"):
            tc_frame.build_segment(Segment(map_id, b""))


def test_control_commands_by_hand():
    assert tc_frame.UNLOCK == b"\0"
    assert tc_frame.set_v_r(0x5A) == bytes.fromhex("82005A")
    with pytest.raises(FrameError):
        tc_frame.set_v_r(256)


@pytest.mark.parametrize(
    ("word", "octets"),
    [
        (Clcw(0, 0), "01000000"),
        (Clcw(63, 0), "01FC0000"),
        (Clcw(0, 0, status=7), "1D000000"),
        (Clcw(0, 0, no_rf_available=True), "01008000"),
        (Clcw(0, 0, no_bit_lock=True), "01004000"),
        (Clcw(0, 0, lockout=True), "01002000"),
        (Clcw(0, 0, wait=True), "01001000"),
        (Clcw(0, 0, retransmit=True), "01000800"),
        (Clcw(0, 0, farm_b_counter=3), "01000600"),
        (Clcw(0, 255), "010000FF"),
        (Clcw(0, 0, cop_in_effect=0), "00000000"),
        (Clcw(42, 0x7B, True, False, True, 2, True, False, 5), "15A8AC7B"),
    ],
)
def test_control_words_by_hand(word, octets):
    assert clcw.pack(word) == bytes.fromhex(octets)
    assert clcw.unpack(bytes.fromhex(octets)) == word


@pytest.mark.parametrize(
    ("octets", "what"),
    [("010000", "4 octets, found 3"), ("81000000", "type: expected 0, found 1"), ("21000000", "version")],
)
def test_what_is_no_control_word_is_refused(octets, what):
    with pytest.raises(FrameError, match=what):
        clcw.unpack(bytes.fromhex(octets))


@pytest.mark.parametrize(("field", "value"), [("virtual_channel", 64), ("farm_b_counter", 4), ("report_value", -1)])
def test_fields_that_do_not_fit_a_control_word_are_refused(field, value):
    with pytest.raises(FrameError, match="expected"):
        clcw.pack(Clcw(1, 2)._replace(**{field: value}))


@given(st.binary(min_size=4, max_size=4))
def test_a_control_word_keeps_all_bits_but_the_spare_ones(octets):
    try:
        word = clcw.unpack(octets)
    except FrameError:
        assert octets[0] & 0xE0
    else:
        assert clcw.pack(word) == bytes([octets[0], octets[1] & 0xFC, octets[2] & 0xFE, octets[3]])
