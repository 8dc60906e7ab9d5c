"""OEM files: a hand-written one on a closed-form orbit, every kind of damage, and garbage."""

import math
import re
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flightsw.errors import ConfigError
from flightsw.navigation.interpolation import hermite, lagrange
from flightsw.navigation.oem import OemEphemeris

EXAMPLE = Path(__file__).parent / "data" / "circular_orbit.oem"
# Not at noon as in the file: the times must be counted from here.
EPOCH = datetime(2026, 3, 1, 11, 50, 0, 250_000, tzinfo=UTC)
NOON_S = 599.75
GM = 3.986004418e14
RADIUS = 6_928_137.0


def circular(t_s: np.ndarray, lead: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """The orbit of the file in closed form."""
    i, node = math.radians(53.0), math.radians(30.0)
    rate = math.sqrt(GM / RADIUS**3)
    u = (rate * t_s + lead)[:, None]
    ascending = np.array([math.cos(node), math.sin(node), 0.0])
    ahead = np.array([-math.sin(node) * math.cos(i), math.cos(node) * math.cos(i), math.sin(i)])
    return (
        RADIUS * (np.cos(u) * ascending + np.sin(u) * ahead),
        RADIUS * rate * (-np.sin(u) * ascending + np.cos(u) * ahead),
    )


@pytest.mark.parametrize(
    ("first_s", "last_s", "lead"), [(180.0, 599.0, 0.0), (600.0, 1020.0, 1e-4), (1800.0, 2160.0, 0.0)]
)
def test_interpolation_on_the_closed_form(first_s: float, last_s: float, lead: float) -> None:
    since_noon = np.linspace(first_s, last_s, 97)
    position, velocity = OemEphemeris.read(EXAMPLE, EPOCH).states(NOON_S + since_noon)
    expected_position, expected_velocity = circular(since_noon, lead)
    # The file is rounded to 1 mm and 1 um/s.
    np.testing.assert_allclose(position, expected_position, rtol=0.0, atol=5e-3)
    np.testing.assert_allclose(velocity, expected_velocity, rtol=0.0, atol=2e-4)


def test_what_the_file_says_of_itself() -> None:
    ephemeris = OemEphemeris.read(str(EXAMPLE), EPOCH)
    assert ephemeris.frame == "EME2000"
    assert ephemeris.object_name == "TERMINAL A"
    assert ephemeris.object_id == "2026-001A"


def test_times_in_any_order_and_across_segments() -> None:
    since_noon = np.array([1900.0, 200.0, 700.0, 600.0, 300.0])
    position, _ = OemEphemeris.read(EXAMPLE, EPOCH).states(NOON_S + since_noon)
    for t, found in zip(since_noon, position, strict=True):
        expected, _ = circular(np.array([t]), 1e-4 if 600.0 <= t <= 1020.0 else 0.0)
        np.testing.assert_allclose(found, expected[0], rtol=0.0, atol=5e-3)


def test_spans_join_at_a_shared_endpoint_and_end_at_a_gap() -> None:
    ephemeris = OemEphemeris.read(EXAMPLE, EPOCH)
    assert ephemeris.useable_span(NOON_S + 300.0) == (NOON_S + 180.0, NOON_S + 1020.0)
    assert ephemeris.useable_span(NOON_S + 1800.0) == (NOON_S + 1800.0, NOON_S + 2160.0)


@pytest.mark.parametrize("since_noon", [-1.0, 179.9, 1020.1, 1500.0, 2160.1, 1e9])
def test_times_outside_name_spans_and_time(since_noon: float) -> None:
    ephemeris = OemEphemeris.read(EXAMPLE, EPOCH)
    t = NOON_S + since_noon
    message = re.escape("779.750 s (2026-03-01T12:03:00.000) to 1619.750 s (2026-03-01T12:17:00.000) and ")
    with pytest.raises(ConfigError, match=rf"circular_orbit\.oem: expected a time within {message}.*found {t:.3f} s"):
        ephemeris.states(np.array([NOON_S + 300.0, t]))
    with pytest.raises(ConfigError, match=message):
        ephemeris.useable_span(t)


# --- the parser, a line changed at a time ---------------------------------------------------------------------------

# Lines of the file: 1 version, 4 creation date, 13 reference frame, 20 degree, 23 first state, 37 covariance.
CHANGES = {
    "another message": (1, "CCSDS_OPM_VERS = 3.0", "line 1: expected CCSDS_OEM_VERS"),
    "a later version": (1, "CCSDS_OEM_VERS = 4.0", "line 1: expected CCSDS_OEM_VERS = one of 1.0, 2.0, 3.0"),
    "XML": (1, '<?xml version="1.0"?>', "in KVN form"),
    "no originator": (5, "", "line 8: expected ORIGINATOR before META_START"),
    "unknown header keyword": (
        6,
        "MESSAGE_NUMBER = 1",
        "line 6: expected META_START or a keyword out of CREATION_DATE",
    ),
    "no value": (10, "OBJECT_NAME =", "line 10: expected a value for OBJECT_NAME"),
    "twice": (11, "OBJECT_NAME = B", "line 11: expected OBJECT_NAME once, found 'OBJECT_NAME = B'; it is on line 10"),
    "Mars": (12, "CENTER_NAME = MARS", "line 12: expected CENTER_NAME = EARTH, found 'MARS'"),
    "rotating frame": (13, "REF_FRAME = ITRF2000", "line 13: expected an inertial REF_FRAME out of EME2000"),
    "GPS time": (14, "TIME_SYSTEM = GPS", "line 14: expected TIME_SYSTEM = UTC, found 'GPS'"),
    "no time system": (14, "", "line 21: expected TIME_SYSTEM before META_STOP"),
    "month 13": (16, "USEABLE_START_TIME = 2026-13-01T12:03:00", "line 16: expected a UTC time"),
    "useable before the first state": (16, "USEABLE_START_TIME = 2026-03-01T11:59:00", "line 16: expected a time from"),
    "useable span reversed": (17, "USEABLE_STOP_TIME = 2026-03-01T12:02:00", "found 'a span of -60 s'"),
    "unknown interpolation": (19, "INTERPOLATION = SPLINE", "line 19: expected INTERPOLATION = HERMITE, LAGRANGE"),
    "no degree": (20, "", "line 19: expected INTERPOLATION_DEGREE wherever"),
    "degree 0": (20, "INTERPOLATION_DEGREE = 0", "line 20: expected INTERPOLATION_DEGREE = a whole number"),
    "degree too high": (20, "INTERPOLATION_DEGREE = 29", "line 20: expected a degree that the 14 states below allow"),
    "no META_STOP": (21, "", "line 23: expected META_STOP or a keyword"),
    "a number short": (24, "2026-03-01T12:01:00 1 2 3 4 5", "line 24: expected an epoch and 6 or 9 numbers"),
    "not a number": (24, "2026-03-01T12:01:00 1 2 3 4 5 nan", "line 24: expected a number like -7000.123 or 1.5E+3"),
    "too large": (24, "2026-03-01T12:01:00 1 2 3 4 5 1E300", "line 24: expected a number"),
    "not a time": (24, "12:01:00 1 2 3 4 5 6", "line 24: expected a UTC time like"),
    "day 366": (24, "2026-366T12:01:00 1 2 3 4 5 6", "line 24: expected a UTC time like"),
    "leap second": (24, "2026-03-01T23:59:60 1 2 3 4 5 6", "line 24: expected a UTC time like"),
    "time repeated": (24, "2026-03-01T12:00:00 1 2 3 4 5 6", "line 24: expected an epoch later than"),
    "covariance without end": (46, "", "line 48: expected COVARIANCE_STOP, found 'META_START'"),
    "another object": (50, "OBJECT_ID = 2026-001B", "line 60: expected OBJECT_ID = 2026-001A"),
    "another frame": (52, "REF_FRAME = TEME", "line 60: expected REF_FRAME = EME2000"),
    "overlap": (55, "USEABLE_START_TIME = 2026-060T12:09:00", "line 60: expected useable time that begins"),
}


def write(path: Path, changes: dict[int, str]) -> Path:
    lines = EXAMPLE.read_text().splitlines()
    for number, text in changes.items():
        lines[number - 1] = text
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize("name", CHANGES)
def test_damage_is_named_with_its_line(name: str, tmp_path: Path) -> None:
    number, text, message = CHANGES[name]
    path = write(tmp_path / "damaged.oem", {number: text})
    with pytest.raises(ConfigError) as caught:
        OemEphemeris.read(path, EPOCH)
    assert str(path) in str(caught.value)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", ["", "\n\n", "COMMENT nothing else\n"])
def test_empty_files(content: str, tmp_path: Path) -> None:
    path = tmp_path / "empty.oem"
    path.write_text(content)
    with pytest.raises(ConfigError, match="found the end of the file"):
        OemEphemeris.read(path, EPOCH)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing.oem"):
        with pytest.raises(ConfigError, match="check the path"):
            OemEphemeris.read(path, EPOCH)


def test_an_epoch_without_time_zone_is_refused() -> None:
    with pytest.raises(ConfigError, match="time zone"):
        OemEphemeris.read(EXAMPLE, datetime(2026, 3, 1))


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_and_comments_do_not_matter(end: str, tmp_path: Path) -> None:
    path = tmp_path / "other.oem"
    lines = [line for text in EXAMPLE.read_text().splitlines() for line in (text, "COMMENT é", "")]
    path.write_bytes(end.join(lines).encode())
    t = np.array([NOON_S + 333.0])
    np.testing.assert_array_equal(OemEphemeris.read(path, EPOCH).states(t), OemEphemeris.read(EXAMPLE, EPOCH).states(t))


@pytest.mark.parametrize("frame", ["ICRF", "GCRF", "TEME", "TOD"])
def test_inertial_frames_are_kept_by_name(frame: str, tmp_path: Path) -> None:
    path = write(tmp_path / "frame.oem", {13: f"REF_FRAME = {frame}", 52: f"REF_FRAME = {frame}"})
    text = path.read_text().replace("REF_FRAME = EME2000", f"REF_FRAME = {frame}")
    path.write_text(text)
    assert OemEphemeris.read(path, EPOCH).frame == frame


def table(step_s: float, states: int, keywords: str) -> str:
    """An OEM on the closed-form orbit with 1 um of resolution."""
    t = step_s * np.arange(states)
    position, velocity = circular(t)
    stamps = [f"2026-03-01T{12 + int(s // 3600):02d}:{int(s // 60) % 60:02d}:{s % 60:09.6f}" for s in t]
    rows = [
        " ".join([stamp, *(f"{v / 1e3:.9f}" for v in p), *(f"{v / 1e3:.12f}" for v in q)])
        for stamp, p, q in zip(stamps, position, velocity, strict=True)
    ]
    meta = (
        "CCSDS_OEM_VERS = 2.0\nCREATION_DATE = 2026-03-01T00:00:00\nORIGINATOR = TEST\nMETA_START\nOBJECT_NAME = A\n"
        "OBJECT_ID = A\nCENTER_NAME = EARTH\nREF_FRAME = ICRF\nTIME_SYSTEM = UTC\n"
        f"START_TIME = {stamps[0]}\nSTOP_TIME = {stamps[-1]}\n{keywords}META_STOP\n"
    )
    return meta + "\n".join(rows) + "\n"


@pytest.mark.parametrize(
    ("step_s", "states", "keywords", "error_m"),
    [
        (60.0, 20, "", 5e-6),
        (300.0, 12, "", 0.1),
        (60.0, 3, "", 1e-3),
        (60.0, 20, "INTERPOLATION = HERMITE\nINTERPOLATION_DEGREE = 3\n", 0.5),
        (60.0, 20, "INTERPOLATION = LAGRANGE\nINTERPOLATION_DEGREE = 8\n", 1e-3),
        # A chord sags by n^2 h^2 a / 8 below its arc: 3.74 km for steps of a minute.
        (60.0, 20, "INTERPOLATION = LINEAR\nINTERPOLATION_DEGREE = 1\n", 3.76e3),
    ],
)
def test_interpolation_error_by_method(
    step_s: float, states: int, keywords: str, error_m: float, tmp_path: Path
) -> None:
    path = tmp_path / "table.oem"
    path.write_text(table(step_s, states, keywords))
    t = np.linspace(0.0, step_s * (states - 1), 501)
    position, _ = OemEphemeris.read(path, EPOCH).states(t + NOON_S)
    error = np.linalg.norm(position - circular(t)[0], axis=1)
    assert error.max() < error_m
    if "LINEAR" in keywords:
        assert error.max() > 3.7e3


def test_interpolants_reproduce_polynomials() -> None:
    t = np.array([-0.3, 0.7, 3.2])
    nodes = np.tile(np.array([-1.0, 0.0, 1.5, 4.0]), (3, 1))
    seventh = np.polynomial.Polynomial([3.0, -1.0, 0.5, 0.25, -0.1, 0.02, 0.3, -0.05])
    cubic = np.polynomial.Polynomial([1.0, -2.0, 0.5, 0.25])

    def stack(values: np.ndarray) -> np.ndarray:
        return np.stack([values, 2.0 * values, -values], axis=-1)

    position, velocity = hermite(nodes, stack(seventh(nodes)), stack(seventh.deriv()(nodes)), t)
    np.testing.assert_allclose(position, stack(seventh(t)), rtol=1e-9)
    np.testing.assert_allclose(velocity, stack(seventh.deriv()(t)), rtol=1e-9)
    position, velocity = lagrange(nodes, stack(cubic(nodes)), stack(cubic.deriv()(nodes)), t)
    np.testing.assert_allclose(position, stack(cubic(t)), rtol=1e-12)
    np.testing.assert_allclose(velocity, stack(cubic.deriv()(t)), rtol=1e-12)


# --- garbage --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("garbage") / "garbage.oem"


def read_or_refuse(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    try:
        ephemeris = OemEphemeris.read(path, EPOCH)
        position, velocity = ephemeris.states(np.array([NOON_S + 300.0, NOON_S + 1900.0]))
    except ConfigError as error:
        assert "\n" not in str(error)
    else:
        assert np.isfinite(position).all()
        assert np.isfinite(velocity).all()


@given(st.binary(max_size=300))
def test_bytes_are_refused(scratch: Path, content: bytes) -> None:
    read_or_refuse(scratch, content)


WORDS = [
    "META_START", "META_STOP", "COVARIANCE_START", "COVARIANCE_STOP", "COMMENT", "=", "CCSDS_OEM_VERS = 3.0",
    "REF_FRAME = TEME", "START_TIME = 0000-000T00:00:00", "STOP_TIME = 9999-365T23:59:59.999999999999999999",
    "INTERPOLATION_DEGREE = 9999", "INTERPOLATION = LINEAR", "2026-03-01T12:00:00 1 2 3 4 5 6", "1E99999", "٣", "\x00",
    "9999-12-31T23:59:59 9E11 9E11 9E11 9E11 9E11 9E11", "0001-01-01T00:00:00 0 0 0 0 0 0", "",
]  # fmt: skip


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_a_good_file_cut_and_spliced_is_read_or_refused(scratch: Path, data: st.DataObject) -> None:
    content = EXAMPLE.read_text()
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(content)))
        length = data.draw(st.integers(0, 200))
        patch = data.draw(st.one_of(st.sampled_from(WORDS), st.text(max_size=10), st.just("\n")))
        content = content[:start] + patch + content[start + length :]
    read_or_refuse(scratch, content.encode("utf-8", errors="replace"))
