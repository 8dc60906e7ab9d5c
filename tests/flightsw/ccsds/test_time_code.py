"""Time codes against hand-assembled octets, the calendar and the spacepackets package."""

from datetime import UTC, date, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from spacepackets.ccsds.time import CdsShortTimestamp

from flightsw.ccsds.time_code import Cds, CdsTime, Cuc
from flightsw.errors import ConfigError, FrameError

cuc_layouts = st.builds(Cuc, st.integers(1, 7), st.integers(0, 10), st.sampled_from(["1958", "agency"]))
cds_layouts = st.builds(Cds, st.sampled_from([2, 3]), st.sampled_from([0, 2, 4]), st.sampled_from(["1958", "agency"]))


@pytest.mark.parametrize(
    ("layout", "p_field"),
    [
        (Cuc(4, 3, "agency"), "2F"),
        (Cuc(4, 2, "1958"), "1E"),
        (Cuc(1, 0, "1958"), "10"),
        (Cuc(5, 3, "1958"), "9F 20"),
        (Cuc(2, 4, "agency"), "A7 04"),
        (Cuc(7, 10, "agency"), "AF 7C"),
    ],
)
def test_cuc_p_fields_by_hand(layout, p_field):
    octets = bytes.fromhex(p_field)
    assert layout.p_field == octets
    assert Cuc.from_p_field(octets + b"\xff") == (layout, len(octets))


@pytest.mark.parametrize(
    ("layout", "time_s", "octets"),
    [
        (Cuc(4, 0), 1, "00000001"),
        (Cuc(4, 0), 0x12345678, "12345678"),
        (Cuc(4, 1), 1.5, "00000001 80"),
        (Cuc(2, 3), Fraction(1, 3), "0000 555555"),
        (Cuc(1, 2), 255.99999, "FF FFFF"),
        (Cuc(1, 10), Fraction(1, 1 << 80), "00 00000000000000000001"),
    ],
)
def test_cuc_times_by_hand(layout, time_s, octets):
    assert layout.encode(time_s) == bytes.fromhex(octets)


@given(cuc_layouts, st.data())
def test_cuc_times_are_kept_to_the_last_bit(layout, data):
    parts = data.draw(st.integers(0, 256**layout.octets - 1))
    time_s = layout.decode(parts.to_bytes(layout.octets, "big"))
    assert time_s == Fraction(parts, 256**layout.fractional_octets)
    assert layout.encode(time_s) == parts.to_bytes(layout.octets, "big")
    assert layout.encode(time_s + Fraction(1, 3 * 256**layout.fractional_octets)) == layout.encode(time_s)


@pytest.mark.parametrize("time_s", [-1, -1e-9, 256, float("nan"), float("inf"), 10**400])
def test_cuc_times_out_of_range_are_refused(time_s):
    with pytest.raises(FrameError, match=r"expected 0 to 2\^8 s"):
        Cuc(1, 1).encode(time_s)


@pytest.mark.parametrize(
    ("octets", "what"),
    [
        ("", "P-field: expected 1 octet, found 0"),
        ("40", "code: expected 001 or 010, found 100"),
        ("9F", "second octet of the CUC P-field: expected 1 octet"),
        ("9F A0", "no reserved bits set, found 10100000"),
        ("9F 21", "no reserved bits set, found 00100001"),
    ],
)
def test_what_is_no_cuc_p_field_is_refused(octets, what):
    with pytest.raises(FrameError, match=what):
        Cuc.from_p_field(bytes.fromhex(octets))


@pytest.mark.parametrize(
    ("layout", "p_field"),
    [(Cds(), "40"), (Cds(3), "44"), (Cds(2, 2), "41"), (Cds(2, 4), "42"), (Cds(3, 4, "agency"), "4E")],
)
def test_cds_p_fields_by_hand(layout, p_field):
    assert layout.p_field == bytes.fromhex(p_field)
    assert Cds.from_p_field(layout.p_field + b"\xff") == (layout, 1)


@pytest.mark.parametrize(
    ("layout", "time", "octets"),
    [
        (Cds(), CdsTime(1, 0), "0001 00000000"),
        (Cds(), CdsTime(0x1234, 86_399_999), "1234 05265BFF"),
        (Cds(), CdsTime(0, 86_400_999), "0000 05265FE7"),
        (Cds(3, 2), CdsTime(1, 1, 2), "000001 00000001 0002"),
        (Cds(2, 4), CdsTime(0xFFFF, 0, 999_999_999), "FFFF 00000000 3B9AC9FF"),
    ],
)
def test_cds_times_by_hand(layout, time, octets):
    assert layout.encode(time) == bytes.fromhex(octets)
    assert layout.decode(bytes.fromhex(octets)) == time


# Before 1970, spacepackets 0.32.0 takes the time of day off instead of adding it.
@given(st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1)))
def test_cds_times_are_those_of_the_calendar_and_of_spacepackets(moment):
    moment = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    day = (moment.date() - date(1958, 1, 1)).days
    millisecond = (moment - datetime.combine(moment.date(), datetime.min.time())) // timedelta(milliseconds=1)
    octets = Cds().p_field + Cds().encode(CdsTime(day, millisecond))
    theirs = CdsShortTimestamp.unpack(octets)
    assert (theirs.ccsds_days, theirs.ms_of_day) == (day, millisecond)
    assert abs(theirs.as_datetime() - moment.replace(tzinfo=UTC)) < timedelta(milliseconds=1)
    assert theirs.pack() == octets


@pytest.mark.parametrize(
    ("layout", "time"),
    [
        (Cds(), CdsTime(65536, 0)),
        (Cds(), CdsTime(-1, 0)),
        (Cds(), CdsTime(0, 86_401_000)),
        (Cds(), CdsTime(0, 0, 1)),
        (Cds(2, 2), CdsTime(0, 0, 1000)),
        (Cds(2, 4), CdsTime(0, 0, 10**9)),
    ],
)
def test_cds_times_out_of_range_are_refused(layout, time):
    with pytest.raises(FrameError, match=r"CDS (day|millisecond|submillisecond): expected 0 to"):
        layout.encode(time)


@pytest.mark.parametrize(
    ("octets", "what"),
    [("", "found 0"), ("C0", "extension"), ("20", "code: expected 100, found 010"), ("43", "submillisecond code")],
)
def test_what_is_no_cds_p_field_is_refused(octets, what):
    with pytest.raises(FrameError, match=what):
        Cds.from_p_field(bytes.fromhex(octets))


@given(st.binary(max_size=20), cuc_layouts, cds_layouts)
def test_arbitrary_octets_are_refused_with_a_frame_error(octets, cuc, cds):
    for kind, layout in ((Cuc, cuc), (Cds, cds)):
        try:
            found, at = kind.from_p_field(octets)
        except FrameError:
            found, at = layout, 0
        try:
            time = found.decode(octets[at:])
        except FrameError:
            continue
        assert found.encode(time) == octets[at:]


@pytest.mark.parametrize(
    "make",
    [
        lambda: Cuc(0),
        lambda: Cuc(8),
        lambda: Cuc(4, 11),
        lambda: Cuc(4, -1),
        lambda: Cuc(epoch="1970"),
        lambda: Cds(4),
        lambda: Cds(2, 3),
        lambda: Cds(epoch="1970"),
    ],
)
def test_layouts_that_do_not_exist(make):
    with pytest.raises(ConfigError, match="expected"):
        make()
