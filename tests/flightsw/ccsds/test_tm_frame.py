"""TM frames against hand-assembled octets, the spacepackets package and the sequence printed for idle frames."""

import binascii

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from spacepackets.ccsds.tm_frame import TmTransferFrame

from flightsw.ccsds import tm_frame
from flightsw.ccsds.frame_formats import frame_format
from flightsw.ccsds.only_idle import OnlyIdleData
from flightsw.ccsds.tm_frame import TmFormat, TmFrame
from flightsw.ccsds.transfer_frame import NO_PACKET_STARTS, ONLY_IDLE_DATA, FrameStatus
from flightsw.errors import ConfigError, FrameError

# Version 00, SCID 10 1010 0101, VC 101, OCF 1; counts 0x12, 0x34; flags 000, segment length 11, pointer 000 0000 0010.
BY_HAND = bytes.fromhex("2A5B 12 34 1802 AABBCC 01020304")

frames = st.builds(
    TmFrame,
    spacecraft_id=st.integers(0, 1023),
    virtual_channel=st.integers(0, 7),
    master_count=st.integers(0, 255),
    frame_count=st.integers(0, 255),
    pointer=st.one_of(st.integers(0, 9), st.sampled_from([NO_PACKET_STARTS, ONLY_IDLE_DATA])),
    zone=st.binary(min_size=10, max_size=40),
    ocf=st.none() | st.binary(min_size=4, max_size=4),
    secondary_header=st.none() | st.binary(max_size=63),
    synchronization=st.just(False),
)


def with_crc(octets: bytes) -> bytes:
    return octets + binascii.crc_hqx(octets, 0xFFFF).to_bytes(2, "big")


def test_a_frame_is_laid_out_as_by_hand():
    frame = TmFrame(0x2A5, 5, 0x12, 0x34, 2, b"\xaa\xbb\xcc", b"\1\2\3\4")
    assert tm_frame.build(frame) == with_crc(BY_HAND)
    assert tm_frame.parse(with_crc(BY_HAND)) == frame
    assert tm_frame.build(frame, "none") == BY_HAND
    assert tm_frame.parse(BY_HAND, "none") == frame


def test_a_secondary_header_is_laid_out_as_by_hand():
    # Secondary header flag; version 00, length 2.
    octets = with_crc(bytes.fromhex("2A5A 12 34 9FFE 02 0102 AABBCC"))
    frame = TmFrame(0x2A5, 5, 0x12, 0x34, ONLY_IDLE_DATA, b"\xaa\xbb\xcc", None, b"\1\2")
    assert tm_frame.build(frame) == octets
    assert tm_frame.parse(octets) == frame


@given(frames)
def test_frames_are_those_of_spacepackets(frame):
    octets = tm_frame.build(frame)
    theirs = TmTransferFrame.unpack(octets, len(octets), True)
    header, status = theirs.primary_header, theirs.primary_header.frame_datafield_status
    assert header.master_channel_id.transfer_frame_version == 0
    assert header.master_channel_id.spacecraft_id == frame.spacecraft_id
    assert header.vc_id == frame.virtual_channel
    assert header.master_ch_frame_count == frame.master_count
    assert header.vc_frame_count == frame.frame_count
    assert status.segment_len_id == 3
    assert not status.sync_flag
    assert status.first_header_pointer == {NO_PACKET_STARTS: 2047, ONLY_IDLE_DATA: 2046}.get(
        frame.pointer, frame.pointer
    )
    assert theirs.data_field == frame.zone
    assert theirs.op_ctrl_field == frame.ocf
    assert (theirs.secondary_header and theirs.secondary_header.data_field) == frame.secondary_header
    assert theirs.pack() == octets
    assert tm_frame.parse(octets) == frame


def test_access_data_has_no_pointer():
    frame = TmFrame(1, 2, 3, 4, 0x7FF, b"abc", synchronization=True)
    octets = tm_frame.build(frame)
    assert octets[4:6] == b"\x5f\xff"
    assert tm_frame.parse(octets) == frame


@pytest.mark.parametrize(
    ("octets", "what"),
    [
        (b"\0", "at least 2 octets"),
        (with_crc(BY_HAND[:5]), "a header of 6 octets"),
        (BY_HAND + b"\0\0", "error control field: expected [0-9a-f]{4}, found 0000"),
        (with_crc(b"\x6a" + BY_HAND[1:]), "version: expected 0, found 1"),
        (with_crc(BY_HAND[:4] + b"\x10" + BY_HAND[5:]), "segment length identifier: expected 3, found 2"),
        (with_crc(BY_HAND[:5] + b"\x03" + BY_HAND[6:]), "first header pointer: expected below 3, found 3"),
        (with_crc(BY_HAND[:9]), "operational control field"),
        (with_crc(bytes.fromhex("000000009FFE")), "secondary header: expected at least 1"),
        (with_crc(bytes.fromhex("000000009FFE 40 00")), "secondary header version: expected 0, found 1"),
        (with_crc(bytes.fromhex("000000009FFE 02 00")), "secondary header: expected 2 octets, found 1"),
    ],
)
def test_what_is_wrong_is_named(octets, what):
    with pytest.raises(FrameError, match=what):
        tm_frame.parse(octets)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("spacecraft_id", 1024),
        ("virtual_channel", 8),
        ("master_count", 256),
        ("frame_count", -1),
        ("pointer", 3),
        ("pointer", -3),
        ("ocf", b"123"),
        ("secondary_header", bytes(64)),
    ],
)
def test_fields_that_do_not_fit_are_refused(field, value):
    with pytest.raises(FrameError, match="expected"):
        tm_frame.build(TmFrame(1, 2, 3, 4, 0, b"abc")._replace(**{field: value}))


@given(st.binary(max_size=40), st.sampled_from(["none", "crc16", "crc32"]))
def test_arbitrary_octets_are_refused_with_a_frame_error(octets, fecf):
    try:
        frame = tm_frame.parse(octets, fecf)
    except FrameError:
        return
    # What is taken is a frame, but for the packet order flag, which means nothing where packets are carried.
    rebuilt = bytearray(tm_frame.build(frame, fecf))
    assert frame.synchronization or bytes([*octets[:4], octets[4] & ~0x20, *octets[5:]]) == rebuilt or fecf != "none"


@given(st.lists(frames, min_size=1, max_size=5), st.booleans(), st.sampled_from(["none", "crc16"]))
def test_frames_in_bulk_are_those_built_one_by_one(some, ocf, fecf):
    some = [
        frame._replace(
            spacecraft_id=77,
            master_count=(250 + i) % 256,
            zone=frame.zone[:10],
            ocf=bytes([i] * 4) if ocf else None,
            secondary_header=None,
        )
        for i, frame in enumerate(some)
    ]
    channel = TmFormat(16 + (4 if ocf else 0) + (2 if fecf == "crc16" else 0), 77, fecf, ocf)
    built = channel.build(
        np.array([list(frame.zone) for frame in some], np.uint8),
        [frame.virtual_channel for frame in some],
        [frame.frame_count for frame in some],
        [frame.pointer for frame in some],
        master_count=250,
        ocf=np.arange(len(some), dtype=np.uint8)[:, None].repeat(4, axis=1) if ocf else None,
    )
    assert [row.tobytes() for row in built] == [tm_frame.build(frame, fecf) for frame in some]
    fields = channel.read(built)
    assert fields.status.tolist() == [FrameStatus.GOOD] * len(some)
    assert fields.virtual_channel.tolist() == [frame.virtual_channel for frame in some]
    assert fields.count.tolist() == [frame.frame_count for frame in some]
    assert fields.pointer.tolist() == [frame.pointer for frame in some]
    assert [row.tobytes() for row in fields.zones] == [frame.zone for frame in some]
    assert (fields.ocf is None) == (not ocf)
    if fields.ocf is not None:
        assert [row.tobytes() for row in fields.ocf] == [frame.ocf for frame in some]


def test_any_wrong_bit_fails_the_check():
    channel = TmFormat(20, 77)
    (frame,) = channel.build(np.arange(12, dtype=np.uint8)[None, :], 1, 2, 3)
    flips = np.packbits(np.eye(8 * 20, dtype=np.uint8), axis=1)
    assert (channel.read(frame ^ flips).status == FrameStatus.CHECK_FAILED).all()


def test_headers_of_others_are_unexpected():
    channel = TmFormat(20, 77, "none")
    (frame,) = channel.build(np.zeros((1, 14), np.uint8), 1, 2, 3)
    flips = np.packbits(np.eye(8 * 6, 8 * 20, dtype=np.uint8), axis=1)
    unexpected = np.flatnonzero(channel.read(frame ^ flips).status == FrameStatus.HEADER_UNEXPECTED)
    # Version and SCID; OCF flag; secondary header, synchronization; segment length; and pointers beyond the zone.
    assert unexpected.tolist() == [*range(12), 15, 32, 33, 35, 36, *range(37, 44)]


@given(st.lists(st.binary(min_size=20, max_size=20), max_size=5), st.sampled_from(["none", "crc16"]))
def test_noise_in_bulk_is_told_by_the_status(rows, fecf):
    noise = np.frombuffer(b"".join(rows), np.uint8).reshape(-1, 20)
    fields = TmFormat(20, 77, fecf).read(noise)
    for row, status in zip(rows, fields.status, strict=True):
        try:
            frame = tm_frame.parse(row, fecf)
        except FrameError:
            assert status != FrameStatus.GOOD
        else:
            managed = frame.spacecraft_id == 77 and frame.ocf is None and frame.secondary_header is None
            assert (status == FrameStatus.GOOD) == (managed and not frame.synchronization)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"zones": np.zeros((1, 13), np.uint8)}, "zones"),
        ({"zones": np.zeros((1, 14))}, "zones"),
        ({"virtual_channel": 8}, "virtual channel: expected 0 to 7, found 8"),
        ({"count": 256}, "count: expected 0 to 255, found 256"),
        ({"count": -1}, "count: expected 0 to 255, found -1"),
        ({"pointer": 14}, "first header pointer: expected below 14, found 14"),
        ({"pointer": -3}, "first header pointer"),
        ({"ocf": b"1234"}, "operational control field: expected none"),
    ],
)
def test_bulk_building_refuses_what_does_not_fit(changes, what):
    values = {"zones": np.zeros((1, 14), np.uint8), "virtual_channel": 0, "count": 0, "pointer": 0, **changes}
    with pytest.raises(FrameError, match=what):
        TmFormat(20, 77, "none").build(**values)


@pytest.mark.parametrize("ocf", [None, b"123", np.zeros((2, 4), np.uint8), np.zeros((1, 4))])
def test_a_missing_control_field_is_refused(ocf):
    with pytest.raises(FrameError, match="operational control field: expected 4 octets"):
        TmFormat(20, 77, "none", ocf=True).build(np.zeros((1, 10), np.uint8), 0, 0, 0, ocf=ocf)


def test_bulk_reading_refuses_other_lengths():
    with pytest.raises(FrameError, match=r"expected uint8 \(n, 20\), found uint8 \(1, 21\)"):
        TmFormat(20, 77).read(np.zeros((1, 21), np.uint8))


@pytest.mark.parametrize(
    ("parameters", "what"),
    [
        ({"length_octets": 8}, "length_octets: expected 9 to 2048"),
        ({"length_octets": 2049}, "length_octets"),
        ({"spacecraft_id": 1024}, "spacecraft_id: expected 0 to 1023, found 1024"),
        ({"fecf": "crc32"}, "fecf"),
        ({"idle_virtual_channel": 8}, "idle_virtual_channel"),
    ],
)
def test_managed_parameters_that_do_not_exist(parameters, what):
    with pytest.raises(ConfigError, match=what):
        TmFormat(**{"length_octets": 20, "spacecraft_id": 77, **parameters})


def test_formats_by_name():
    assert frame_format("tm", 1115, 77, "none", True) == TmFormat(1115, 77, "none", True)
    assert [frame_format(kind, 1115, 77).kind for kind in ("tm", "aos", "uslp")] == ["TM", "AOS", "USLP"]
    with pytest.raises(ConfigError, match="expected one of tm, aos, uslp, found tc"):
        frame_format("tc", 1115, 77)


def test_only_idle_data_is_the_printed_sequence():
    # CCSDS 132.0-B-3 annex D and 732.1-B-3 annex H.
    printed = bytes.fromhex("FFFFFFFF6DB6D861451F11F19716723CBE7E00B1")
    source = OnlyIdleData()
    assert b"".join(source.take(n).tobytes() for n in (0, 1, 7, 12)) == printed


def test_only_idle_data_obeys_its_recurrence_bit_by_bit():
    bits = np.unpackbits(OnlyIdleData().take(5000))
    assert bits[:32].all()
    assert (bits[32:] == bits[:-32] ^ bits[10:-22] ^ bits[30:-2] ^ bits[31:-1]).all()
