"""The OEM reader against a file written by hand, the writer against the reader and the numerical orbit."""

import contextlib
import math
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flightsw.errors import ConfigError
from sim.oem import OemOrbit, parse_oem, write_oem
from sim.orbit import J2Orbit, KeplerianElements

EPOCH = datetime(2026, 3, 20, 12, tzinfo=UTC)
HAND_WRITTEN = Path(__file__).parent / "data" / "hand_written.oem"
TEXT = HAND_WRITTEN.read_text()


def test_reads_what_the_hand_wrote():
    first, second = parse_oem(TEXT, "hand")
    assert (first.object_name, first.object_id, first.frame) == ("HAND WRITTEN", "2026-001A", "EME2000")
    assert (first.method, first.degree, len(first.t_s)) == ("LAGRANGE", 2, 5)
    assert (second.method, second.degree, len(second.t_s)) == ("HERMITE", 3, 3)
    assert first.reference + timedelta(seconds=first.useable_s[0]) == datetime(2026, 3, 20, 12, 0, 10, tzinfo=UTC)
    assert second.reference == datetime(2026, 3, 20, 12, 1, 30, tzinfo=UTC)


def test_lagrange_reproduces_a_parabola_between_uneven_nodes():
    t = np.linspace(10.0, 89.9, 50)
    position, velocity = OemOrbit(HAND_WRITTEN, EPOCH).states(t)
    np.testing.assert_allclose(position, np.column_stack((7e6 - t**2, 7500 * t, np.full(50, 1e4))), rtol=0, atol=1e-6)
    np.testing.assert_allclose(
        velocity, np.column_stack((-2 * t, np.full(50, 7500.0), np.zeros(50))), rtol=0, atol=1e-6
    )


def test_hermite_reproduces_a_cubic_and_its_slope():
    u = np.linspace(0.0, 60.0, 50)
    position, velocity = OemOrbit(HAND_WRITTEN, EPOCH).states(90.0 + u)
    np.testing.assert_allclose(position[:, 0], 8e6 + 1e3 * u - u**2 + 0.01 * u**3, rtol=0, atol=1e-6)
    np.testing.assert_allclose(velocity[:, 0], 1e3 - 2 * u + 0.03 * u**2, rtol=0, atol=1e-6)
    np.testing.assert_allclose(velocity[:, 1], -7000.0, rtol=0, atol=1e-6)


def test_the_epoch_shifts_the_time_line():
    early = OemOrbit(HAND_WRITTEN, EPOCH - timedelta(hours=1, microseconds=500_000))
    position, _ = early.states(np.array([3650.5]))
    np.testing.assert_allclose(position[0], (7e6 - 2500.0, 375e3, 1e4), rtol=0, atol=1e-6)


def test_no_interpolation_across_segments():
    before, after = OemOrbit(HAND_WRITTEN, EPOCH).states(np.array([89.999, 90.0]))[0]
    assert before[0] == pytest.approx(7e6 - 89.999**2, abs=1e-3)
    assert after[0] == pytest.approx(8e6, abs=1e-3)


@pytest.mark.parametrize("t", [8.9, 151.1, -1e12, math.nan])
def test_a_time_that_is_not_covered(t):
    with pytest.raises(ConfigError, match=r"hand_written.oem: expected a time within 2026-03-20T12:00:10.000 to 2026"):
        OemOrbit(HAND_WRITTEN, EPOCH).states(np.array([t]))


def test_a_light_time_before_the_start_is_covered():
    position, _ = OemOrbit(HAND_WRITTEN, EPOCH).states(np.array([9.9]))
    assert position[0, 1] == pytest.approx(74_250.0, abs=1e-3)


def edited(old, new, count=1):
    assert old in TEXT
    return TEXT.replace(old, new, count)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"line 1: expected CCSDS_OEM_VERS = 3.0, found the end of the file"),
        ('<?xml version="1.0"?>', r"line 1: expected CCSDS_OEM_VERS"),
        (edited("VERS = 2.0", "VERS = 4.0"), r"line 1: expected version 1.0, 2.0 or 3.0, found '4.0'"),
        (edited("ORIGINATOR = NOBODY", ""), r"line 7: expected ORIGINATOR before META_START"),
        (
            edited("TIME_SYSTEM          = UTC", "TIME_SYSTEM = TAI"),
            r"line 13: expected TIME_SYSTEM = UTC, found 'TAI'",
        ),
        (edited("= Earth", "= MARS"), r"line 11: expected CENTER_NAME = EARTH, found 'MARS'"),
        (edited("= EME2000", "= ITRF2000"), r"line 12: expected REF_FRAME one of .*, found 'ITRF2000'"),
        (edited("OBJECT_NAME ", "OBJEKT_NAME "), r"line 9: expected one of OBJECT_NAME, .*, found 'OBJEKT_NAME'"),
        (edited("OBJECT_ID   ", "OBJECT_NAME "), r"line 10: expected OBJECT_NAME once, found it again after line 9"),
        (edited("INTERPOLATION_DEGREE = 2", ""), r"line 18: expected INTERPOLATION_DEGREE with INTERPOLATION"),
        (edited("= LAGRANGE", "= SPLINE"), r"line 18: expected INTERPOLATION one of .*, found 'SPLINE'"),
        (edited("DEGREE = 2", "DEGREE = 5"), r"line 20: expected at least 6 states for LAGRANGE of degree 5, found 5"),
        (edited("DEGREE = 2", "DEGREE = 0"), r"line 19: expected a degree of 1 to 30, found '0'"),
        (edited("7.5  0.0\n", "7.5\n"), r"line 23: expected an epoch, position .*, found 6 fields"),
        (edited("6999.6", "nan"), r"line 24: expected a number in km, km/s or km/s\^2, found 'nan'"),
        (edited("6999.6", "6_999"), r"line 24: expected a number"),
        (edited("6999.6", "1e999"), r"line 24: expected a number"),
        (edited("6999.6", "99.6"), r"line 24: expected a position at least 6378 km"),
        (edited("12:00:50 ", "12:00:19 "), r"line 25: expected an epoch after 2026-03-20T12:00:20.000, found"),
        (edited("12:01:00Z", "12:01:60Z"), r"line 26: expected a time as .*, found '2026-03-20T12:01:60Z'"),
        (edited("12:01:40  ", "12:01:41  "), r"line 27: expected an epoch from .* to 2026-03-20T12:01:40.000, found"),
        (edited("2026-079T12:01:30 ", "2026-366T12:01:30 "), r"line 52: expected a time as"),
        (
            edited("USEABLE_STOP_TIME    = 2026-03-20T12:01:30", ""),
            r"expected a segment that is useable from .*12:01:40",
        ),
        (edited("12:01:30\nSTOP", "11:01:30\nSTOP"), r"line 20: expected a useable span that holds states"),
        (edited("= ICRF", "= TEME"), r"expected REF_FRAME EME2000 as in the segment before, found 'TEME'"),
        (edited("2026-001A", "2026-001B"), r"expected OBJECT_ID 2026-001B as in the segment before, found '2026-001A'"),
        (
            edited("COVARIANCE_STOP", ""),
            r"expected COVARIANCE_STOP, found the end of the file; close the block of line 29",
        ),
        (TEXT[: TEXT.index("COMMENT  Epochs")], r"expected a state: epoch, position and velocity, found the end"),
        (TEXT + "EPOCH = 2026-03-20T12:00:00\n", r"expected META_START, COVARIANCE_START or another state"),
    ],
)
def test_errors_name_line_expected_and_found(text, message):
    with pytest.raises(ConfigError, match=message) as caught:
        parse_oem(text, "some.oem")
    assert str(caught.value).startswith("some.oem, line ")
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ConfigError, match="expected an ephemeris file, found none"):
        OemOrbit(tmp_path / "none.oem", EPOCH)
    (tmp_path / "binary.oem").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="expected a readable text file"):
        OemOrbit(tmp_path / "binary.oem", EPOCH)


def parse_or_refuse(text):
    with contextlib.suppress(ConfigError):
        parse_oem(text, "garbage")


@given(st.text(max_size=300))
def test_garbage_is_refused(text):
    parse_or_refuse(text)
    parse_or_refuse("CCSDS_OEM_VERS = 3.0\nCREATION_DATE=2026-03-20T12:00:00\nORIGINATOR=X\nMETA_START\n" + text)


@settings(max_examples=300)
@given(
    st.integers(0, len(TEXT)),
    st.integers(0, 80),
    st.text(st.sampled_from("0123456789.:-+TZeE =\n\r\tMETA²٣"), max_size=40),
)
def test_a_damaged_file_is_read_or_refused(start, length, patch):
    parse_or_refuse(TEXT[:start] + patch + TEXT[start + length :])


@given(st.permutations(TEXT.splitlines()))
def test_shuffled_lines_are_read_or_refused(lines):
    parse_or_refuse("\n".join(lines))


@pytest.mark.parametrize(
    ("method", "degree", "step"), [("HERMITE", 7, 30.0), ("LAGRANGE", 7, 30.0), ("HERMITE", 11, 120.0)]
)
def test_a_written_ephemeris_is_the_orbit_that_was_sampled(tmp_path, method, degree, step):
    orbit = J2Orbit(KeplerianElements(6_928_137.0, 0.001, 0.9, 1.0, 2.0, 3.0), EPOCH)
    nodes = np.arange(-600.0, 1200.1, step)
    path = tmp_path / "orbit.oem"
    write_oem(
        path, EPOCH, nodes, *orbit.states(nodes), object_name="A", object_id="2026-001A", method=method, degree=degree
    )
    read = OemOrbit(path, EPOCH)
    assert read.frame == "TEME"
    t = np.linspace(0.0, 600.0, 997)
    for got, truth, tolerance in zip(read.states(t), orbit.states(t), (2e-3, 1e-4), strict=True):
        np.testing.assert_allclose(got, truth, rtol=0, atol=tolerance)


def test_linear_interpolation_runs_along_the_chord(tmp_path):
    position = np.array([[7e6, 0.0, 0.0], [7e6, 1e5, 0.0], [7e6, 1e5, 1e5]])
    velocity = np.array([[0.0, 7e3, 0.0], [0.0, 8e3, 0.0], [0.0, 0.0, 0.0]])
    path = tmp_path / "chord.oem"
    write_oem(
        path, EPOCH, np.array([0.0, 10.0, 20.0]), position, velocity,
        object_name="A", object_id="1", method="LINEAR", degree=1,
    )  # fmt: skip
    position, velocity = OemOrbit(path, EPOCH).states(np.array([2.5, 15.0]))
    np.testing.assert_allclose(position, [[7e6, 2.5e4, 0.0], [7e6, 1e5, 5e4]], atol=1e-6)
    np.testing.assert_allclose(velocity, [[0.0, 7.25e3, 0.0], [0.0, 4e3, 0.0]], atol=1e-9)


def test_fractions_of_a_microsecond_survive(tmp_path):
    epoch = datetime(2026, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
    t = np.arange(8) * 10.0 + 1.23e-7
    position = np.column_stack((np.full(8, 7e6), 7500.0 * t, np.zeros(8)))
    path = tmp_path / "fine.oem"
    write_oem(path, epoch, t, position, np.tile([0.0, 7500.0, 0.0], (8, 1)), object_name="A", object_id="1")
    assert "START_TIME = 2026-12-31T23:59:59.999999123\n" in path.read_text()
    np.testing.assert_allclose(OemOrbit(path, epoch).states(np.array([35.0]))[0][0, 1], 262_500.0, rtol=0, atol=1e-5)


def test_the_writer_keeps_to_the_standard(tmp_path):
    path = tmp_path / "plain.oem"
    t = np.arange(8) * 10.0
    position = np.column_stack((np.full(8, 7e6), 7500.0 * t, np.zeros(8)))
    velocity = np.tile([0.0, 7500.0, 0.0], (8, 1))
    created = datetime(2026, 3, 1, tzinfo=UTC)
    write_oem(
        path,
        EPOCH,
        t,
        position,
        velocity,
        object_name="ALPHA",
        object_id="2026-001A",
        frame="EME2000",
        creation_date=created,
    )
    lines = path.read_bytes().decode("ascii").split("\n")
    assert lines[:3] == ["CCSDS_OEM_VERS = 3.0", "CREATION_DATE = 2026-03-01T00:00:00.000", "ORIGINATOR = BEAMLOCK"]
    assert lines[4:15] == [
        "META_START",
        "OBJECT_NAME = ALPHA",
        "OBJECT_ID = 2026-001A",
        "CENTER_NAME = EARTH",
        "REF_FRAME = EME2000",
        "TIME_SYSTEM = UTC",
        "START_TIME = 2026-03-20T12:00:00.000",
        "STOP_TIME = 2026-03-20T12:01:10.000",
        "INTERPOLATION = HERMITE",
        "INTERPOLATION_DEGREE = 7",
        "META_STOP",
    ]
    assert lines[17].split() == [
        "2026-03-20T12:00:10.000", "7000.000000000", "75.000000000", "0.000000000",
        "0.000000000000", "7.500000000000", "0.000000000000",
    ]  # fmt: skip
    assert max(len(line) for line in lines) <= 254


@pytest.mark.parametrize(
    ("t", "count", "name", "message"),
    [
        (np.arange(3.0), 3, "A", "at least 4 states for HERMITE of degree 7, found 3"),
        (np.arange(8.0), 7, "A", "as many positions and velocities as times"),
        (np.zeros(8), 8, "A", "finite states at rising times"),
        (np.arange(8.0), 8, "A\nB", "a name in printable ASCII"),
    ],
)
def test_the_writer_refuses(tmp_path, t, count, name, message):
    states = np.full((count, 3), 7e6)
    with pytest.raises(ConfigError, match=message):
        write_oem(tmp_path / "bad.oem", EPOCH, t, states, states, object_name=name, object_id="1")


def test_a_path_that_cannot_be_written(tmp_path):
    states = np.full((8, 3), 7e6)
    with pytest.raises(ConfigError, match="expected a file that can be written"):
        write_oem(tmp_path / "none" / "x.oem", EPOCH, np.arange(8.0), states, states, object_name="A", object_id="1")
