"""The CCSDS Orbit Ephemeris Message as a file: CCSDS 502.0-B-3, section 5 and the KVN syntax of section 7.

Read are versions 1.0, 2.0 and 3.0, which agree in all that is used here. Narrower than the standard: CENTER_NAME must
be EARTH, TIME_SYSTEM must be UTC and REF_FRAME inertial, and a state within a leap second (second 60, note to 7.5.10)
is refused. Wider: comments may stand anywhere and hold any character, keywords may come in any order, lines may have
any length. Covariance blocks (5.2.5) are skipped; accelerations are checked but not used.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import NoReturn

import numpy as np

from flightsw.errors import ConfigError
from flightsw.navigation.constants import FloatArray
from flightsw.navigation.epoch import DAY_S, second_of_day
from flightsw.navigation.frames import INERTIAL_FRAMES

_VERSIONS = ("1.0", "2.0", "3.0")
# Tables 5-2 and 5-3.
_HEADER_MANDATORY = ("CREATION_DATE", "ORIGINATOR")
_HEADER_OPTIONAL = ("CLASSIFICATION", "MESSAGE_ID")
_META_MANDATORY = (
    "OBJECT_NAME",
    "OBJECT_ID",
    "CENTER_NAME",
    "REF_FRAME",
    "TIME_SYSTEM",
    "START_TIME",
    "STOP_TIME",
)
_META_OPTIONAL = (
    "REF_FRAME_EPOCH",
    "USEABLE_START_TIME",
    "USEABLE_STOP_TIME",
    "INTERPOLATION",
    "INTERPOLATION_DEGREE",
)

# The standard names no interpolation for when the keywords are absent. Four states around the time hold a low orbit
# tabulated every minute to better than a micrometre, every five minutes to centimetres.
DEFAULT_METHOD = "HERMITE"
DEFAULT_DEGREE = 7

# Far outside of the solar system: larger numbers are damage, and could overflow in interpolation.
_LARGEST = 1e15

_TIME = re.compile(
    r"([0-9]{4})-(?:([0-9]{2})-([0-9]{2})|([0-9]{3}))T([0-9]{2}):([0-9]{2}):([0-9]{2}(?:\.[0-9]+)?)Z?", re.ASCII
)
_NUMBER = re.compile(r"[+-]?[0-9]+(?:\.[0-9]*)?(?:[Ee][+-]?[0-9]+)?", re.ASCII)
_DEGREE = re.compile(r"\+?[0-9]{1,4}", re.ASCII)
_ASSIGNMENT = re.compile(r"([A-Z_]+)\s*=\s*(.*)", re.ASCII)
_LINE_END = re.compile(r"\r\n|\n\r|\n|\r")


@dataclass(frozen=True, slots=True)
class OemSegment:
    """One metadata block and the states under it, SI, times in s since the scenario epoch.

    times (m,), position (m, 3), velocity (m, 3); `method` is HERMITE or LAGRANGE and takes `points` states for a time.
    `line` is where the metadata ends, for messages.
    """

    line: int
    object_name: str
    object_id: str
    frame: str
    useable_start: float
    useable_stop: float
    method: str
    points: int
    times: FloatArray
    position: FloatArray
    velocity: FloatArray


def read_segments(path: Path, epoch: datetime) -> tuple[OemSegment, ...]:
    """Read an OEM in KVN form; times are counted from `epoch`, a UTC datetime. Segments come in order of time.

    Raises ConfigError that names file, line, what was expected and what was found.
    """
    lines = _Lines(path)
    number, keyword, value = lines.assignment()
    if keyword != "CCSDS_OEM_VERS" or value not in _VERSIONS:
        lines.fail(number, f"CCSDS_OEM_VERS = one of {', '.join(_VERSIONS)}, in KVN form, as the first line")
    _block(lines, "META_START", _HEADER_MANDATORY, _HEADER_OPTIONAL)
    segments = [_segment(lines, epoch)]
    while lines.upcoming:
        lines.expect("META_START")
        segments.append(_segment(lines, epoch))
        _check_sequence(lines, segments[-2], segments[-1])
    return tuple(segments)


class _Lines:
    """The lines of a file that mean something, with their numbers."""

    def __init__(self, path: Path) -> None:
        try:
            text = path.read_bytes().decode("ascii", errors="replace")
        except (OSError, ValueError) as error:
            raise ConfigError(f"{path}: expected an OEM file to read, found {error}; check the path") from error
        self.path = path
        self._lines = self._meaningful(text)
        self._number = 0
        self.upcoming = ""
        self.taken = ""
        self._advance()

    @staticmethod
    def _meaningful(text: str) -> Iterator[tuple[int, str]]:
        for number, raw in enumerate(_LINE_END.split(text), start=1):
            line = raw.strip()
            if line and line.split(maxsplit=1)[0] != "COMMENT":
                yield number, line

    def _advance(self) -> None:
        self._number, self.upcoming = next(self._lines, (self._number, ""))

    def take(self) -> tuple[int, str]:
        """Return number and text of the next line, of the last number and "" at the end of the file."""
        number, self.taken = self._number, self.upcoming
        self._advance()
        return number, self.taken

    def assignment(self) -> tuple[int, str, str]:
        """Return number, keyword and value of the next line, "" for both if it is no assignment."""
        number, line = self.take()
        match = _ASSIGNMENT.fullmatch(line)
        return (number, match[1], match[2]) if match else (number, "", "")

    def expect(self, keyword: str) -> None:
        """Take a line that must be just this keyword."""
        number, line = self.take()
        if line != keyword:
            self.fail(number, keyword)

    def fail(self, number: int, expected: str, found: str | None = None, hint: str = "") -> NoReturn:
        """Raise the ConfigError for a line; what was found is the line last taken unless told."""
        text = self.taken if found is None else found
        shown = repr(text if len(text) <= 80 else text[:77] + "...") if text else "the end of the file"
        raise ConfigError(f"{self.path}, line {number}: expected {expected}, found {shown}{hint and '; ' + hint}")


@dataclass(frozen=True, slots=True)
class _Block:
    """The assignments of a header or metadata block: line number and value under each keyword."""

    entries: dict[str, tuple[int, str]]
    last_line: int

    def text(self, keyword: str) -> str:
        """Return a value with the spelling of 7.5.3 and 7.5.9 undone: upper case, single blanks; "" if absent."""
        return " ".join(self.entries.get(keyword, (0, ""))[1].upper().replace("_", " ").split())


def _block(lines: _Lines, end: str, mandatory: tuple[str, ...], optional: tuple[str, ...]) -> _Block:
    """Take assignments up to and including the line `end`."""
    entries: dict[str, tuple[int, str]] = {}
    while lines.upcoming != end:
        number, keyword, value = lines.assignment()
        if keyword not in mandatory and keyword not in optional:
            lines.fail(number, f"{end} or a keyword out of {', '.join(mandatory + optional)} with '=' and a value")
        if not value:
            lines.fail(number, f"a value for {keyword}")
        if keyword in entries:
            lines.fail(number, f"{keyword} once", hint=f"it is on line {entries[keyword][0]} already")
        entries[keyword] = (number, value)
    number, _ = lines.take()
    for keyword in mandatory:
        if keyword not in entries:
            lines.fail(number, f"{keyword} before {end}")
    return _Block(entries, number)


def _segment(lines: _Lines, epoch: datetime) -> OemSegment:
    """Take a metadata block after its META_START, its states and its covariances."""
    meta = _block(lines, "META_STOP", _META_MANDATORY, _META_OPTIONAL)
    for keyword, only in (("CENTER_NAME", "EARTH"), ("TIME_SYSTEM", "UTC")):
        number, value = meta.entries[keyword]
        if meta.text(keyword) != only:
            lines.fail(number, f"{keyword} = {only}", value, "convert the product")
    number, value = meta.entries["REF_FRAME"]
    frame = meta.text("REF_FRAME")
    if frame not in INERTIAL_FRAMES:
        lines.fail(number, f"an inertial REF_FRAME out of {', '.join(INERTIAL_FRAMES)}", value, "convert the product")

    times, states = _states(lines, epoch)
    start, stop = _useable_span(lines, meta, times, epoch)
    method, points = _interpolation(lines, meta, times.size)
    if lines.upcoming == "COVARIANCE_START":
        lines.take()
        while lines.upcoming != "COVARIANCE_STOP":
            number, line = lines.take()
            if line in ("", "META_START"):
                lines.fail(number, "COVARIANCE_STOP")
        lines.take()
    return OemSegment(
        line=meta.last_line,
        object_name=meta.entries["OBJECT_NAME"][1],
        object_id=meta.entries["OBJECT_ID"][1],
        frame=frame,
        useable_start=start,
        useable_stop=stop,
        method=method,
        points=points,
        times=times,
        position=states[:, :3],
        velocity=states[:, 3:],
    )


def _states(lines: _Lines, epoch: datetime) -> tuple[FloatArray, FloatArray]:
    """Take ephemeris data lines (5.2.4); return times (m,) in s and states (m, 6) in m and m/s."""
    times: list[float] = []
    states: list[list[float]] = []
    while lines.upcoming not in ("", "META_START", "COVARIANCE_START"):
        number, line = lines.take()
        fields = line.split()
        if len(fields) not in (7, 10):
            lines.fail(number, "an epoch and 6 or 9 numbers: position, velocity, acceleration")
        time = _time(lines, number, fields[0], epoch)
        if times and time <= times[-1]:
            lines.fail(number, "an epoch later than on the line before", fields[0])
        values = [_number(lines, number, field) for field in fields[1:]]
        times.append(time)
        states.append(values[:6])
    if len(times) < 2:
        number, _ = lines.take()
        lines.fail(number, "at least two ephemeris data lines after META_STOP")
    return np.array(times), np.array(states)


def _useable_span(lines: _Lines, meta: _Block, times: FloatArray, epoch: datetime) -> tuple[float, float]:
    """Return the useable times of a segment, the total ones where the file names no others."""
    span = []
    for useable, total in (("USEABLE_START_TIME", "START_TIME"), ("USEABLE_STOP_TIME", "STOP_TIME")):
        number, value = meta.entries[total]
        _time(lines, number, value, epoch)
        number, value = meta.entries.get(useable, (number, value))
        time = _time(lines, number, value, epoch)
        if not times[0] <= time <= times[-1]:
            lines.fail(
                number,
                f"a time from the first to the last state, {_utc(epoch, times[0])} to {_utc(epoch, times[-1])}",
                value,
                "no state is made up beyond them",
            )
        span.append(time)
    if span[0] >= span[1]:
        lines.fail(meta.last_line, "a stop time after the start time", f"a span of {span[1] - span[0]:g} s")
    return span[0], span[1]


def _interpolation(lines: _Lines, meta: _Block, states: int) -> tuple[str, int]:
    """Return the method, HERMITE or LAGRANGE, and the number of states that it takes for one time.

    A Hermite degree that is even is raised by one, since each state brings a position and a velocity.
    """
    if "INTERPOLATION" not in meta.entries:
        return DEFAULT_METHOD, min((DEFAULT_DEGREE + 1) // 2, states)
    number, value = meta.entries["INTERPOLATION"]
    method = meta.text("INTERPOLATION")
    if method not in ("HERMITE", "LAGRANGE", "LINEAR"):
        lines.fail(number, "INTERPOLATION = HERMITE, LAGRANGE or LINEAR", value)
    if "INTERPOLATION_DEGREE" not in meta.entries:
        lines.fail(number, "INTERPOLATION_DEGREE wherever there is INTERPOLATION (table 5-3)", value)
    number, value = meta.entries["INTERPOLATION_DEGREE"]
    degree = int(value) if _DEGREE.fullmatch(value) else 0
    if degree < 1 or (method == "LINEAR" and degree != 1):
        lines.fail(number, "INTERPOLATION_DEGREE = a whole number from 1, and 1 for LINEAR", value)
    points = degree // 2 + 1 if method == "HERMITE" else degree + 1
    if points > states:
        lines.fail(number, f"a degree that the {states} states below allow (5.2.4.7)", value)
    return ("HERMITE" if method == "HERMITE" else "LAGRANGE"), points


def _check_sequence(lines: _Lines, before: OemSegment, after: OemSegment) -> None:
    """Raise ConfigError unless a segment is of the same object and frame, and its useable span follows (5.2.4.4)."""
    for keyword, first, second in (
        ("OBJECT_ID", before.object_id, after.object_id),
        ("REF_FRAME", before.frame, after.frame),
    ):
        if first != second:
            lines.fail(after.line, f"{keyword} = {first} as in the segment before", second, "use one file an object")
    if after.useable_start < before.useable_stop:
        lines.fail(
            after.line,
            "useable time that begins where that of the segment before ends, or later",
            f"an overlap of {before.useable_stop - after.useable_start:g} s",
            "set USEABLE_START_TIME and USEABLE_STOP_TIME",
        )


def _time(lines: _Lines, number: int, text: str, epoch: datetime) -> float:
    """Return a time string of 7.5.10 in s since the epoch, its fraction to full precision."""
    match = _TIME.fullmatch(text)
    if match is not None:
        year, month, day, day_of_year, hour, minute, second = match.groups()
        try:
            if day_of_year is None:
                when = date(int(year), int(month), int(day))
            else:
                when = date(int(year), 1, 1) + timedelta(days=int(day_of_year) - 1)
        except (ValueError, OverflowError):
            when = None
        in_range = int(hour) < 24 and int(minute) < 60 and float(second) < 60.0
        if when is not None and in_range and when.year == int(year):
            seconds = int(hour) * 3600 + int(minute) * 60 + float(second)
            return (when.toordinal() - epoch.toordinal()) * DAY_S + (seconds - second_of_day(epoch))
    return lines.fail(number, "a UTC time like 2026-03-01T12:00:00.000 or 2026-060T12:00:00.000", text)


def _number(lines: _Lines, number: int, text: str) -> float:
    """Return a number of a data line, km to m."""
    value = 1e3 * float(text) if _NUMBER.fullmatch(text) else math.nan
    if not abs(value) < _LARGEST:
        lines.fail(number, "a number like -7000.123 or 1.5E+3, below 1E+12", text)
    return value


def _utc(epoch: datetime, t_s: float) -> str:
    """Write a time for a message."""
    return (epoch + timedelta(seconds=float(t_s))).replace(tzinfo=None).isoformat(timespec="milliseconds")
