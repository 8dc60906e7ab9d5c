"""USLP frames against hand-assembled octets and the spacepackets package."""

import binascii

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from spacepackets.uslp.frame import (
    FixedFrameProperties,
    FrameType,
    TransferFrame,
    VarFrameProperties,
)

from flightsw.ccsds import uslp_frame
from flightsw.ccsds.transfer_frame import NO_PACKET_STARTS, ONLY_IDLE_DATA, FrameStatus
from flightsw.ccsds.uslp_frame import UslpFormat, UslpFrame
from flightsw.errors import ConfigError, FrameError

# Version 1100, SCID 0x04D2, destination, VCID 42, MAP 5; length 18; count of 2 octets, 0x0102; rule 000, UPID 0,
# pointer 0. The check was computed independently by the project astro.
BY_HAND = bytes.fromhex("C04D2D4A 0011 02 0102 00 0000 DEADBEEF 0E51")
# The same project's frame with OCF, rule 111 and no frame count.
WITH_OCF = bytes.fromhex("C0064020 000F 08 E0 0102 AABBCCDD 778E")

frames = st.builds(
    UslpFrame,
    spacecraft_id=st.integers(0, 0xFFFF),
    virtual_channel=st.integers(0, 63),
    map_id=st.integers(0, 15),
    rule=st.integers(0, 7),
    upid=st.integers(0, 31),
    zone=st.binary(min_size=1, max_size=40),
    pointer=st.none(),
    count_octets=st.integers(0, 7),
    ocf=st.none() | st.binary(min_size=4, max_size=4),
    destination=st.booleans(),
    bypass=st.booleans(),
    protocol_control=st.booleans(),
    frame_count=st.integers(0, 256**7 - 1),
).map(
    lambda frame: frame._replace(
        frame_count=frame.frame_count % 256**frame.count_octets,
        pointer=(frame.frame_count % (len(frame.zone) + 1)) - 1 if frame.rule < 3 else None,
    )
)


def test_frames_are_laid_out_as_by_hand():
    frame = UslpFrame(1234, 42, 5, 0, 0, bytes.fromhex("DEADBEEF"), 0, 258, 2, destination=True)
    assert uslp_frame.build(frame) == BY_HAND
    assert uslp_frame.parse(BY_HAND) == frame
    frame = UslpFrame(100, 1, 0, 0b111, 0, b"\1\2", ocf=bytes.fromhex("AABBCCDD"))
    assert uslp_frame.build(frame) == WITH_OCF
    assert uslp_frame.parse(WITH_OCF) == frame


@given(frames)
def test_frames_are_those_of_spacepackets(frame):
    octets = uslp_frame.build(frame)
    if frame.rule < 3:
        theirs = TransferFrame.unpack(octets, FrameType.FIXED, FixedFrameProperties(len(octets), False, True))
    else:
        theirs = TransferFrame.unpack(octets, FrameType.VARIABLE, VarFrameProperties(False, True, 0))
    header, field = theirs.header, theirs.tfdf
    assert (header.scid, header.vcid, header.map_id) == (frame.spacecraft_id, frame.virtual_channel, frame.map_id)
    assert header.src_dest == frame.destination
    assert header.frame_len + 1 == len(octets)
    assert header.bypass_seq_ctrl_flag == frame.bypass
    assert header.prot_ctrl_cmd_flag == frame.protocol_control
    assert header.vcf_count_len == frame.count_octets
    assert (header.vcf_count or 0) == frame.frame_count
    assert (field.tfdz_contr_rules, field.uslp_ident, field.tfdz) == (frame.rule, frame.upid, frame.zone)
    assert field.fhp_or_lvop == (0xFFFF if frame.pointer == NO_PACKET_STARTS else frame.pointer)
    assert theirs.op_ctrl_field == frame.ocf
    assert octets[-2:] == binascii.crc_hqx(octets[:-2], 0xFFFF).to_bytes(2, "big")
    assert uslp_frame.parse(octets) == frame


@given(frames)
def test_a_frame_with_crc32_leaves_no_remainder(frame):
    octets = uslp_frame.build(frame, "crc32")
    dividend = int.from_bytes(octets, "big")
    while dividend.bit_length() > 32:
        dividend ^= 0x1_00A0_0805 << (dividend.bit_length() - 33)
    assert dividend == 0
    assert uslp_frame.parse(octets, "crc32") == frame


def without_check(octets: bytes) -> bytes:
    """With the length that the frame has without its error control field."""
    return octets[:4] + (len(octets) - 3).to_bytes(2, "big") + octets[6:-2]


@pytest.mark.parametrize(
    ("octets", "what"),
    [
        (BY_HAND[:6], "a header of 7 octets"),
        (b"\xb0" + without_check(BY_HAND)[1:], "version: expected 12, found 11"),
        (without_check(BY_HAND)[:3] + b"\x4b" + without_check(BY_HAND)[4:], "end of header: expected 0, found 1"),
        (without_check(BY_HAND)[:6] + b"\x12" + without_check(BY_HAND)[7:], "spare: expected 0, found 1"),
        (without_check(BY_HAND)[:-1], "frame length: expected 16, found 15"),
        (without_check(BY_HAND)[:10] + b"\0\4" + without_check(BY_HAND)[12:], "pointer: expected below 4, found 4"),
        (bytes.fromhex("C0064020 0006 08"), "at least 5 octets behind the header, found 0"),
        (bytes.fromhex("C0064020 0008 00 00 00"), "pointer: expected 2 octets, found 1"),
    ],
)
def test_what_is_wrong_is_named(octets, what):
    with pytest.raises(FrameError, match=what):
        uslp_frame.parse(octets, "none")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("spacecraft_id", 65536),
        ("virtual_channel", 64),
        ("map_id", 16),
        ("rule", 8),
        ("upid", 32),
        ("pointer", 3),
        ("pointer", None),
        ("pointer", -2),
        ("count_octets", 8),
        ("count_octets", -1),
        ("frame_count", 256),
        ("frame_count", -1),
        ("ocf", b"123"),
        ("zone", bytes(65536)),
    ],
)
def test_fields_that_do_not_fit_are_refused(field, value):
    with pytest.raises(FrameError, match="expected"):
        uslp_frame.build(UslpFrame(1, 2, 3, 0, 0, b"abc", 0, 0, 1)._replace(**{field: value}))


def test_a_rule_without_pointer_takes_none():
    with pytest.raises(FrameError, match="rule 111: expected none, found 0"):
        uslp_frame.build(UslpFrame(1, 2, 3, 7, 0, b"abc", 0))


@given(
    st.one_of(st.binary(max_size=30), st.binary(max_size=20).map(BY_HAND[:4].__add__)),
    st.sampled_from(["none", "crc16"]),
)
def test_arbitrary_octets_are_refused_with_a_frame_error(octets, fecf):
    try:
        frame = uslp_frame.parse(octets, fecf)
    except FrameError:
        return
    assert uslp_frame.build(frame, fecf) == octets


@given(
    st.lists(frames, min_size=1, max_size=5),
    st.booleans(),
    st.sampled_from(["none", "crc16", "crc32"]),
    st.integers(0, 7),
    st.booleans(),
)
def test_frames_in_bulk_are_those_built_one_by_one(some, ocf, fecf, count_octets, flag):
    some = [
        frame._replace(
            spacecraft_id=0xBEEF,
            virtual_channel=frame.virtual_channel % 63,
            map_id=11,
            rule=0,
            upid=0,
            zone=frame.zone.ljust(10, b"\0")[:10],
            pointer=frame.virtual_channel % 11 - 1,
            count_octets=count_octets,
            frame_count=frame.frame_count % 256**count_octets,
            ocf=b"\1\2\3\4" if ocf else None,
            destination=flag,
            bypass=not flag,
            protocol_control=False,
        )
        for frame in some
    ]
    expected = [uslp_frame.build(frame, fecf) for frame in some]
    channel = UslpFormat(
        len(expected[0]), 0xBEEF, fecf, ocf, map_id=11, destination=flag, count_octets=count_octets, bypass=not flag
    )
    built = channel.build(
        np.array([list(frame.zone) for frame in some], np.uint8),
        [frame.virtual_channel for frame in some],
        [frame.frame_count for frame in some],
        [frame.pointer for frame in some],
        ocf=b"\1\2\3\4" if ocf else None,
    )
    assert [row.tobytes() for row in built] == expected
    fields = channel.read(built)
    assert fields.status.tolist() == [FrameStatus.GOOD] * len(some)
    assert fields.virtual_channel.tolist() == [frame.virtual_channel for frame in some]
    assert fields.count.tolist() == [frame.frame_count for frame in some]
    assert fields.pointer.tolist() == [frame.pointer for frame in some]
    assert [row.tobytes() for row in fields.zones] == [frame.zone for frame in some]


def test_an_idle_frame_is_an_access_unit_on_map_0_of_channel_63():
    channel = UslpFormat(30, 1, map_id=5, count_octets=1)
    (idle,) = channel.build(np.zeros((1, 17), np.uint8), 63, 200, ONLY_IDLE_DATA)
    frame = uslp_frame.parse(idle.tobytes())
    assert (frame.virtual_channel, frame.map_id, frame.rule, frame.upid, frame.pointer) == (63, 0, 0b001, 31, 16)
    fields = channel.read(idle[None, :])
    assert (fields.status[0], fields.pointer[0], fields.count[0]) == (FrameStatus.GOOD, ONLY_IDLE_DATA, 200)


def test_headers_of_others_are_unexpected():
    channel = UslpFormat(30, 0xBEEF, "none", map_id=5, count_octets=1)
    (frame,) = channel.build(np.zeros((1, 19), np.uint8), 0, 2, 3)
    flips = np.packbits(np.eye(8 * 11, 8 * 30, dtype=np.uint8), axis=1)
    unexpected = np.flatnonzero(channel.read(frame ^ flips).status == FrameStatus.HEADER_UNEXPECTED)
    # All but the virtual channel, the count and the pointer's lower bits.
    assert unexpected.tolist() == [*range(21), *range(27, 56), *range(64, 83), 83]


def test_any_wrong_bit_fails_either_check():
    flips = np.packbits(np.eye(8 * 30, dtype=np.uint8), axis=1)
    for fecf in ("crc16", "crc32"):
        channel = UslpFormat(30, 1, fecf)
        (frame,) = channel.build(np.zeros((1, channel.zone_octets), np.uint8), 0, 2, 3)
        assert (channel.read(frame ^ flips).status == FrameStatus.CHECK_FAILED).all()


def test_a_count_that_does_not_fit_is_refused():
    channel = UslpFormat(30, 1, count_octets=1)
    for count in (256, -1):
        with pytest.raises(FrameError, match="frame count: expected 1 octets"):
            channel.build(np.zeros((1, channel.zone_octets), np.uint8), 0, count, 3)


@pytest.mark.parametrize(
    "parameters",
    [
        {"length_octets": 16},
        {"length_octets": 65537},
        {"spacecraft_id": 65536},
        {"fecf": "crc24"},
        {"map_id": 16},
        {"count_octets": 8},
    ],
)
def test_managed_parameters_that_do_not_exist(parameters):
    with pytest.raises(ConfigError, match=f"{next(iter(parameters))}: expected"):
        UslpFormat(**{"length_octets": 30, "spacecraft_id": 77, **parameters})
