"""AOS frames against hand-assembled octets, values of other implementations, and the code's definition over GF(16)."""

import binascii
from functools import reduce
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flightsw.ccsds import aos_frame
from flightsw.ccsds.aos_frame import AosFormat, AosFrame, Bitstream
from flightsw.ccsds.frame_header_error_control import check_octets, correct
from flightsw.ccsds.transfer_frame import NO_PACKET_STARTS, ONLY_IDLE_DATA, FrameStatus
from flightsw.errors import ConfigError, FrameError

# Version 01, SCID 1010 1011, VCID 10 1010; count 0x000102; replay 0, cycle in use 1, spare 00, cycle 3.
BY_HAND = bytes.fromhex("6AEA 000102 43")

frames = st.builds(
    AosFrame,
    spacecraft_id=st.integers(0, 255),
    virtual_channel=st.integers(0, 63),
    frame_count=st.integers(0, (1 << 24) - 1),
    data=st.binary(max_size=40),
    ocf=st.none() | st.binary(min_size=4, max_size=4),
    replay=st.booleans(),
    cycle_in_use=st.just(False),
)


def with_crc(octets: bytes) -> bytes:
    return octets + binascii.crc_hqx(octets, 0xFFFF).to_bytes(2, "big")


def headers_of(*values: tuple[int, int]) -> np.ndarray:
    """Headers of (first 16 bits, signalling octet); the frame count between them is of no concern."""
    return np.array([[first >> 8, first & 255, 1, 2, 3, signalling] for first, signalling in values], np.uint8)


def gf16_product(a: int, b: int) -> int:
    value = reduce(lambda sum_, bit: sum_ ^ (a << bit if b >> bit & 1 else 0), range(4), 0)
    for bit in (6, 5, 4):
        value ^= (0b10011 << (bit - 4)) if value >> bit & 1 else 0
    return value


def test_a_frame_is_laid_out_as_by_hand():
    frame = AosFrame(0xAB, 42, 3 << 24 | 0x000102, bytes.fromhex("DEADBEEF"), cycle_in_use=True)
    # The check 9E2C and the header error control CE8E are computed independently by the project astro.
    plain = bytes.fromhex("6AEA00010243 DEADBEEF 9E2C")
    protected = bytes.fromhex("6AEA00010243 CE8E DEADBEEF 3934")
    assert aos_frame.build(frame) == plain
    assert aos_frame.build(frame, header_error_control=True) == protected
    assert aos_frame.parse(plain) == frame
    assert aos_frame.parse(protected, header_error_control=True) == frame


@given(frames, st.booleans())
def test_the_fields_of_a_frame_are_where_the_standard_has_them(frame, header_error_control):
    octets = aos_frame.build(frame, "none", header_error_control)
    bits = "".join(f"{octet:08b}" for octet in octets[:6])
    widths = {"version": 2, "scid": 8, "vcid": 6, "count": 24, "replay": 1, "in use": 1, "spare": 2, "cycle": 4}
    values = {}
    for name, width in widths.items():
        values[name], bits = int(bits[:width], 2), bits[width:]
    assert values == {
        "version": 1,
        "scid": frame.spacecraft_id,
        "vcid": frame.virtual_channel,
        "count": frame.frame_count,
        "replay": frame.replay,
        "in use": 0,
        "spare": 0,
        "cycle": 0,
    }
    assert octets[8 if header_error_control else 6 :] == frame.data + (frame.ocf or b"")
    assert aos_frame.parse(octets, "none", frame.ocf is not None, header_error_control) == frame


@pytest.mark.parametrize(
    ("octets", "what"),
    [
        (BY_HAND, "error control field"),
        (with_crc(BY_HAND[:5]), "at least 6 octets, found 5"),
        (with_crc(b"\x2a" + BY_HAND[1:]), "version: expected 1, found 0"),
        (with_crc(BY_HAND[:5] + b"\x73"), "spare bits: expected 0, found 3"),
    ],
)
def test_what_is_wrong_is_named(octets, what):
    with pytest.raises(FrameError, match=what):
        aos_frame.parse(octets)


@pytest.mark.parametrize(
    ("field", "value"),
    [("spacecraft_id", 256), ("virtual_channel", 64), ("frame_count", 1 << 24), ("frame_count", -1), ("ocf", b"")],
)
def test_fields_that_do_not_fit_are_refused(field, value):
    with pytest.raises(FrameError, match="expected"):
        aos_frame.build(AosFrame(1, 2, 3, b"abc")._replace(**{field: value}))


@given(st.binary(max_size=30), st.sampled_from(["none", "crc16"]), st.booleans(), st.booleans())
def test_arbitrary_octets_are_refused_with_a_frame_error(octets, fecf, ocf, header_error_control):
    for attempt in (
        lambda: aos_frame.parse(octets, fecf, ocf, header_error_control),
        lambda: aos_frame.parse_m_pdu(octets),
        lambda: aos_frame.parse_b_pdu(octets),
    ):
        try:
            attempt()
        except FrameError as error:
            assert error.expected != error.found


def test_header_error_control_is_that_of_yamcs():
    # org.yamcs.tctm.ccsds.error.AosFrameHeaderErrorCorr and its test.
    assert check_octets(headers_of((0x1234, 0x56), (0x369C, 0xFA))).tobytes().hex() == "94dc457c"
    right = headers_of((0x1234, 0x56))
    received = np.concatenate(
        [
            headers_of((0x1234, 0x56), (0x1234, 0x56), (0x1211, 0x56), (0x1234, 0xAA), (0x1230, 0x00)),
            np.array([[0x94, 0xDC], [0x94, 0x00], [0x94, 0xDC], [0x94, 0xDC], [0x94, 0xDC]], np.uint8),
        ],
        axis=1,
    )
    headers, symbols, uncorrectable = correct(received)
    assert (headers[:4, :6] == right).all()
    assert symbols.tolist() == [0, 2, 2, 2, 0]
    assert uncorrectable.tolist() == [False] * 4 + [True]
    assert (headers[4] == received[4]).all()


@given(st.integers(0, 0xFFFF), st.integers(0, 0xFF))
def test_header_error_control_has_the_roots_of_the_standard(first, signalling):
    check = check_octets(headers_of((first, signalling))).tobytes()
    symbols = [int(digit, 16) for digit in f"{first:04x}{signalling:02x}{check.hex()}"]
    alpha = 2
    for exponent in (6, 7, 8, 9):
        root = reduce(gf16_product, [alpha] * exponent)
        assert reduce(lambda value, symbol: gf16_product(value, root) ^ symbol, symbols, 0) == 0


def codeword_errors(symbols: tuple[int, ...]) -> np.ndarray:
    """All errors of exactly these of the 10 symbols, in the octets of a header with its error control field."""
    octets = (0, 1, 5, 6, 7)
    errors = np.zeros((15 ** len(symbols), 8), np.uint8)
    for row, values in enumerate(product(range(1, 16), repeat=len(symbols))):
        for symbol, value in zip(symbols, values, strict=True):
            errors[row, octets[symbol // 2]] ^= value << (0 if symbol % 2 else 4)
    return errors


@pytest.mark.parametrize("wrong", [1, 2])
def test_all_errors_of_one_and_of_two_symbols_are_corrected(wrong):
    header = headers_of((0x5ABC, 0x81))
    sent = np.concatenate([header, check_octets(header)], axis=1)
    for symbols in combinations(range(10), wrong):
        errors = codeword_errors(symbols)
        headers, counts, uncorrectable = correct(sent ^ errors)
        assert (headers == sent).all()
        assert (counts == wrong).all()
        assert not uncorrectable.any()


def test_errors_of_three_symbols_are_flagged_or_look_like_others():
    header = headers_of((0x5ABC, 0x81))
    sent = np.concatenate([header, check_octets(header)], axis=1)
    flagged = 0
    for symbols in combinations(range(10), 3):
        received = sent ^ codeword_errors(symbols)
        headers, counts, uncorrectable = correct(received)
        flagged += int(uncorrectable.sum())
        assert (counts[~uncorrectable] == 2).all()
        assert (headers[uncorrectable] == received[uncorrectable]).all()
        assert (check_octets(headers[~uncorrectable]) == headers[~uncorrectable, 6:]).all()
    # A code of minimum distance 5 with maximal separation has A_5 = 15 * C(10, 5) words of weight 5, from each of which
    # C(5, 3) errors of weight 3 are 2 away.
    assert flagged == 120 * 15**3 - 15 * 252 * 10


@given(st.lists(frames, min_size=1, max_size=5), st.booleans(), st.booleans(), st.booleans(), st.data())
def test_frames_in_bulk_are_those_built_one_by_one(some, ocf, header_error_control, cycle, data):
    pointers = [data.draw(st.integers(ONLY_IDLE_DATA, 9)) for _ in some]
    zones = np.frombuffer(b"".join(f.data.ljust(10, b"\0")[:10] for f in some), np.uint8).reshape(-1, 10)
    some = [
        frame._replace(
            spacecraft_id=77,
            virtual_channel=frame.virtual_channel % 63,
            frame_count=frame.frame_count | (9 << 24 if cycle else 0),
            data=aos_frame.build_m_pdu(pointer, zone.tobytes()),
            ocf=b"\1\2\3\4" if ocf else None,
            replay=False,
            cycle_in_use=cycle,
        )
        for frame, pointer, zone in zip(some, pointers, zones, strict=True)
    ]
    channel = AosFormat(
        20 + (4 if ocf else 0) + (2 if header_error_control else 0),
        77,
        ocf=ocf,
        header_error_control=header_error_control,
        count_cycle=cycle,
    )
    built = channel.build(
        zones,
        [frame.virtual_channel for frame in some],
        [frame.frame_count for frame in some],
        pointers,
        ocf=b"\1\2\3\4" if ocf else None,
    )
    one_by_one = [aos_frame.build(frame, header_error_control=header_error_control) for frame in some]
    assert [row.tobytes() for row in built] == one_by_one
    fields = channel.read(built)
    assert fields.status.tolist() == [FrameStatus.GOOD] * len(some)
    assert fields.virtual_channel.tolist() == [frame.virtual_channel for frame in some]
    assert fields.count.tolist() == [frame.frame_count for frame in some]
    assert fields.pointer.tolist() == pointers
    assert (fields.zones == zones).all()
    assert not fields.corrected.any()


def test_a_corrected_header_goes_before_the_check_of_the_frame():
    channel = AosFormat(30, 77, header_error_control=True)
    sent = channel.build(np.arange(18, dtype=np.uint8)[None, :].repeat(150, 0), 5, np.arange(150), 3)
    received = sent.copy()
    received[:, :8] ^= np.concatenate([codeword_errors((symbol,)) for symbol in range(10)])
    before = received.copy()
    fields = channel.read(received)
    assert (received == before).all()
    assert (fields.status == FrameStatus.GOOD).all()
    assert (fields.corrected == 1).all()
    assert (fields.virtual_channel == 5).all()
    assert (fields.count == np.arange(150)).all()
    for octets, right in zip(received[::7], sent[::7], strict=True):
        assert aos_frame.parse(octets.tobytes(), header_error_control=True) == aos_frame.parse(
            right.tobytes(), header_error_control=True
        )


def test_a_header_beyond_correction_is_unexpected():
    channel = AosFormat(30, 77, "none", header_error_control=True)
    (frame,) = channel.build(np.zeros((1, 20), np.uint8), 5, 0, 0)
    flagged = [errors for errors in codeword_errors((3, 6, 7)) if correct(frame[None, :8] ^ errors)[2][0]]
    # Master channel and signalling field are those of the channel, only the virtual channel and the check are wrong.
    frame[:8] ^= flagged[0]
    assert channel.read(frame[None, :]).status.tolist() == [FrameStatus.HEADER_UNEXPECTED]
    with pytest.raises(FrameError, match="at most 2 wrong symbols"):
        aos_frame.parse(frame.tobytes(), "none", header_error_control=True)


def test_headers_of_others_are_unexpected():
    channel = AosFormat(20, 77, "none")
    (frame,) = channel.build(np.zeros((1, 12), np.uint8), 1, 2, 3)
    flips = np.packbits(np.eye(8 * 8, 8 * 20, dtype=np.uint8), axis=1)
    unexpected = np.flatnonzero(channel.read(frame ^ flips).status == FrameStatus.HEADER_UNEXPECTED)
    # Version and SCID; cycle in use and spare; the M_PDU's spare, and pointers beyond the zone.
    assert unexpected.tolist() == [*range(10), 41, 42, 43, *range(48, 60)]


def test_channel_63_carries_only_idle_data_whatever_stands_in_it():
    channel = AosFormat(20, 77)
    idle = np.frombuffer(aos_frame.build(AosFrame(77, 63, 9, b"\xff" * 12)), np.uint8)[None, :]
    fields = channel.read(idle)
    assert (fields.status[0], fields.pointer[0], fields.count[0]) == (FrameStatus.GOOD, ONLY_IDLE_DATA, 9)


def test_packet_zones_by_hand():
    assert aos_frame.build_m_pdu(0x123, bytes(300)) == b"\x01\x23" + bytes(300)
    assert aos_frame.build_m_pdu(NO_PACKET_STARTS, b"a") == b"\x07\xffa"
    assert aos_frame.parse_m_pdu(b"\x07\xfea") == (ONLY_IDLE_DATA, b"a")
    for data, what in ((b"\0", "header of 2"), (b"\x08\0a", "spare bits"), (b"\0\1a", "below 1, found 1")):
        with pytest.raises(FrameError, match=what):
            aos_frame.parse_m_pdu(data)
    with pytest.raises(FrameError):
        aos_frame.build_m_pdu(1, b"a")


@pytest.mark.parametrize(
    ("bitstream", "octets"),
    [
        (Bitstream(b"\xaa\xbb", 16), "3FFF AABB"),
        (Bitstream(b"\xaa\xbb", 0), "3FFE AABB"),
        (Bitstream(b"\xaa\xbb", 1), "0000 AABB"),
        (Bitstream(b"\xaa\xbb", 15), "000E AABB"),
    ],
)
def test_bitstreams_by_hand(bitstream, octets):
    assert aos_frame.build_b_pdu(bitstream) == bytes.fromhex(octets)
    assert aos_frame.parse_b_pdu(bytes.fromhex(octets)) == bitstream


@pytest.mark.parametrize(("octets", "what"), [("00", "header of 2"), ("4000", "spare bits"), ("0010 AABB", "below 16")])
def test_what_is_no_bitstream_is_refused(octets, what):
    with pytest.raises(FrameError, match=what):
        aos_frame.parse_b_pdu(bytes.fromhex(octets))


@pytest.mark.parametrize("bitstream", [Bitstream(b"a", 9), Bitstream(b"a", -1), Bitstream(bytes(2100), 16383)])
def test_bitstreams_that_do_not_fit_are_refused(bitstream):
    with pytest.raises(FrameError, match="valid bits"):
        aos_frame.build_b_pdu(bitstream)


@pytest.mark.parametrize(
    "parameters", [{"length_octets": 10}, {"length_octets": 2049}, {"spacecraft_id": 256}, {"fecf": "crc32"}]
)
def test_managed_parameters_that_do_not_exist(parameters):
    with pytest.raises(ConfigError, match=f"{next(iter(parameters))}: expected"):
        AosFormat(**{"length_octets": 20, "spacecraft_id": 77, **parameters})
