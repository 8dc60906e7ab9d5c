"""Ephemerides in files: CCSDS 502.0-B-3, Orbit Ephemeris Message, in keyword = value notation (clauses 5 and 7).

| in | unit | out | unit |
| --- | --- | --- | --- |
| file: epochs (UTC), position, velocity | km, km/s | position and velocity at any covered time | m, m/s |
| arrays for `write_oem` | s, m, m/s | file |  |

Each segment is interpolated by its own method and never across its ends (5.2.4.6): linear, Lagrange on the six
components, or Hermite on positions and velocities together, the degree being the polynomial's. The standard names no
method for a file that gives none: Lagrange of degree 7, or less in a short segment, is taken. Useable spans may meet
but not overlap (5.2.4.4); the later one holds where they meet. Comments are taken anywhere, more freely than 7.8.9 has
it. Accelerations are checked for their form and not used; covariances are passed over.

Only Earth-centred inertial frames and UTC are taken: EME2000, GCRF and ICRF count as one, for they differ by 0.1 urad.

Validated against: polynomials of the interpolation's degree, which it must reproduce; a file written by hand on a
circular orbit; the numerical orbit between its samples.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from flightsw.errors import ConfigError
from sim.orbit import Frame, Vectors, check_epoch, read_text

Method = Literal["LINEAR", "LAGRANGE", "HERMITE"]

#: How far outside of a useable span the interpolation may be carried on: the light time of any Earth orbit, and more.
EDGE = 1.0  # s

_FRAMES: Mapping[str, Frame] = {
    "TEME": "TEME",
    "EME2000": "EME2000",
    "J2000": "EME2000",
    "GCRF": "EME2000",
    "ICRF": "EME2000",
}
_HEADER_REQUIRED = ("CREATION_DATE", "ORIGINATOR")
_HEADER_OPTIONAL = ("CLASSIFICATION", "MESSAGE_ID")
_META_REQUIRED = ("OBJECT_NAME", "OBJECT_ID", "CENTER_NAME", "REF_FRAME", "TIME_SYSTEM", "START_TIME", "STOP_TIME")
_META_OPTIONAL = (
    "REF_FRAME_EPOCH",
    "USEABLE_START_TIME",
    "USEABLE_STOP_TIME",
    "INTERPOLATION",
    "INTERPOLATION_DEGREE",
)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_CALENDAR = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(\.\d+)?Z?", re.ASCII)
_ORDINAL = re.compile(r"(\d{4})-(\d{3})T(\d\d):(\d\d):(\d\d)(\.\d+)?Z?", re.ASCII)
_METHODS: tuple[Method, ...] = ("LINEAR", "LAGRANGE", "HERMITE")
_HIGHEST_DEGREE = 30
#: Distances from Earth's centre in km: outside of them a state is in a wrong unit, or not one of Earth's satellites.
_LOWEST, _LARGEST = 6_378.0, 1e7


@dataclass(frozen=True, slots=True)
class Segment:
    """One block of an ephemeris: m states with the way to interpolate between them."""

    object_name: str
    object_id: str
    frame: Frame
    method: Method
    degree: int
    reference: datetime  # UTC, to which the times below are counted
    useable_s: tuple[float, float]  # the span in which the segment may be used
    t_s: NDArray[np.float64]  # (m,), rising
    position: Vectors  # m (m, 3)
    velocity: Vectors  # m/s (m, 3)


class OemOrbit:
    """A satellite whose orbit a CCSDS OEM file gives."""

    def __init__(self, path: str | Path, epoch: datetime) -> None:
        """Read the file. Raises ConfigError that names file, line, what was expected and what was found."""
        self.epoch = check_epoch(epoch)
        self._path = path
        self._segments = parse_oem(read_text(path), str(path))
        self._shifts = [(segment.reference - self.epoch).total_seconds() for segment in self._segments]

    @property
    def frame(self) -> Frame:
        """The inertial frame of the file."""
        return self._segments[0].frame

    def states(self, t_s: NDArray[np.float64]) -> tuple[Vectors, Vectors]:
        """Position (n, 3) m and velocity (n, 3) m/s at `t_s` (n,), seconds since the epoch.

        A span reaches `EDGE` further than the file says, since light that is seen at its start left before.
        Raises ConfigError for a time that no segment covers.
        """
        t_s = np.asarray(t_s, dtype=np.float64)
        nearest = np.full(len(t_s), np.inf)
        chosen = np.zeros(len(t_s), dtype=np.int64)
        for number, (segment, shift) in enumerate(zip(self._segments, self._shifts, strict=True)):
            start, stop = segment.useable_s
            outside = np.maximum(np.maximum(start + shift - t_s, t_s - stop - shift), 0.0)
            closer = outside <= nearest
            nearest[closer], chosen[closer] = outside[closer], number
        if not (nearest <= EDGE).all():
            self._refuse(float(t_s[np.argmax(~(nearest <= EDGE))]))
        position, velocity = np.empty((len(t_s), 3)), np.empty((len(t_s), 3))
        for number in np.unique(chosen):
            here = chosen == number
            position[here], velocity[here] = _interpolate(self._segments[number], t_s[here] - self._shifts[number])
        return position, velocity

    def _refuse(self, t_s: float) -> None:
        first, last = self._segments[0], self._segments[-1]
        spans = f"{_timestamp(first.reference, first.useable_s[0])} to {_timestamp(last.reference, last.useable_s[1])}"
        if len(self._segments) > 1:
            spans += f", without the gaps between its {len(self._segments)} segments"
        found = _timestamp(self.epoch, t_s) if abs(t_s) < 1e9 else f"{t_s:g} s from the epoch"
        raise ConfigError(
            f"{self._path}: expected a time within {spans}, found {found}; "
            "take a longer ephemeris or move the scenario's epoch"
        )


def parse_oem(text: str, name: str) -> tuple[Segment, ...]:
    """The segments of an OEM, in the order of the file; `name` stands for it in messages.

    Raises ConfigError that names file, line, what was expected and what was found.
    """
    lines = _Lines(text, name)
    _header(lines)
    segments: list[Segment] = []
    while lines.text is not None:
        segment = _segment(lines)
        if segments:
            _check_sequel(lines, segments[-1], segment)
        segments.append(segment)
    return tuple(segments)


def write_oem(
    path: str | Path,
    epoch: datetime,
    t_s: NDArray[np.float64],
    position: Vectors,
    velocity: Vectors,
    *,
    object_name: str,
    object_id: str,
    frame: Frame = "TEME",
    method: Method = "HERMITE",
    degree: int = 7,
    creation_date: datetime | None = None,
) -> None:
    """Write one segment: states at `t_s` (m,) after `epoch`; position (m, 3) m, velocity (m, 3) m/s.

    Position is written to 1 um, velocity to 1 nm/s, time to 1 ns. The file bears `creation_date`, or the time of day.
    Raises ConfigError for states that no reader could interpolate, or a path that cannot be written.
    """
    epoch = check_epoch(epoch)
    t_s = np.asarray(t_s, dtype=np.float64)
    needed = _points(method, degree)
    if not (t_s.shape == (len(position),) == (len(velocity),) and np.shape(position) == np.shape(velocity)):
        raise ConfigError(
            f"{path}: expected as many positions and velocities as times, found shapes {t_s.shape}, "
            f"{np.shape(position)} and {np.shape(velocity)}; sample all at the same times"
        )
    if len(t_s) < needed:
        raise ConfigError(
            f"{path}: expected at least {needed} states for {method} of degree {degree}, found {len(t_s)}; "
            "sample a longer span or lower the degree"
        )
    if not (np.isfinite(position).all() and np.isfinite(velocity).all() and (np.diff(t_s) >= 1e-9).all()):
        raise ConfigError(f"{path}: expected finite states at rising times, found others; mind the sampling")
    stamps = [_timestamp(epoch, float(t)) for t in t_s]
    lines = [
        "CCSDS_OEM_VERS = 3.0",
        f"CREATION_DATE = {_timestamp(check_epoch(creation_date or datetime.now(UTC)), 0.0)}",
        "ORIGINATOR = BEAMLOCK",
        "",
        "META_START",
        f"OBJECT_NAME = {_one_line(object_name, path)}",
        f"OBJECT_ID = {_one_line(object_id, path)}",
        "CENTER_NAME = EARTH",
        f"REF_FRAME = {frame}",
        "TIME_SYSTEM = UTC",
        f"START_TIME = {stamps[0]}",
        f"STOP_TIME = {stamps[-1]}",
        f"INTERPOLATION = {method}",
        f"INTERPOLATION_DEGREE = {degree}",
        "META_STOP",
        "",
    ]
    for stamp, r, v in zip(stamps, np.asarray(position) / 1e3, np.asarray(velocity) / 1e3, strict=True):
        lines.append(" ".join([stamp, *(f"{x:.9f}" for x in r), *(f"{x:.12f}" for x in v)]))
    try:
        Path(path).write_text("\n".join(lines) + "\n", encoding="ascii", newline="\n")
    except OSError as error:
        raise ConfigError(
            f"{path}: expected a file that can be written, found: {error}; mind folder and rights"
        ) from None


#: Values of a block by keyword, each with the number of its line.
_Block = dict[str, tuple[str, int]]


class _Lines:
    """A cursor over the lines that count: neither blank nor comment. `text` is None at the end of the file."""

    def __init__(self, text: str, name: str) -> None:
        self._lines = text.split("\n")
        self._name = name
        self.number = 0
        self.text: str | None = None
        self.advance()

    def advance(self) -> None:
        while self.number < len(self._lines):
            self.number += 1
            text = self._lines[self.number - 1].strip()
            if text and text.split(maxsplit=1)[0] != "COMMENT":
                self.text = text
                return
        self.text = None

    @property
    def found(self) -> str:
        """The line under the cursor, as a message quotes it."""
        if self.text is None:
            return "the end of the file"
        return repr(self.text if len(self.text) <= 60 else self.text[:57] + "...")

    def error(self, expected: str, found: str, advice: str, line: int | None = None) -> ConfigError:
        return ConfigError(f"{self._name}, line {line or self.number}: expected {expected}, found {found}; {advice}")

    def pair(self) -> tuple[str, str] | None:
        """Keyword and value under the cursor, or None if it stands on something else."""
        keyword, equals, value = (self.text or "").partition("=")
        return (keyword.strip(), value.strip()) if equals else None

    def block(self, required: tuple[str, ...], optional: tuple[str, ...], stop: str) -> _Block:
        """Read keyword = value lines up to the line `stop`, where the cursor is left."""
        values: _Block = {}
        while self.text != stop:
            pair = self.pair()
            if pair is None:
                raise self.error(f"a keyword, an equals sign and a value, or {stop}", self.found, "mind the notation")
            keyword, value = pair
            if keyword not in required + optional:
                raise self.error(f"one of {', '.join(required + optional)}", repr(keyword), "mind the spelling")
            if keyword in values:
                raise self.error(f"{keyword} once", f"it again after line {values[keyword][1]}", "remove one")
            if not value:
                raise self.error(f"a value for {keyword}", "none", "add it")
            values[keyword] = value, self.number
            self.advance()
        for keyword in required:
            if keyword not in values:
                raise self.error(f"{keyword} before {stop}", "none", "add it")
        return values

    def time(self, text: str, line: int | None = None) -> tuple[datetime, float]:
        """A UTC time code (7.5.10): the whole second, and the fraction apart, for which `datetime` is too coarse."""
        try:
            if match := _CALENDAR.fullmatch(text):
                year, month, day, hour, minute, second = (int(x) for x in match.groups()[:6])
                return datetime(year, month, day, hour, minute, second, tzinfo=UTC), float(match[7] or 0)
            if match := _ORDINAL.fullmatch(text):
                year, day, hour, minute, second = (int(x) for x in match.groups()[:5])
                whole = datetime(year, 1, 1, hour, minute, second, tzinfo=UTC) + timedelta(days=day - 1)
                if whole.year == year:
                    return whole, float(match[6] or 0)
        except (ValueError, OverflowError):
            pass
        advice = "give the time in UTC; a leap second cannot be read"
        raise self.error("a time as 2026-03-20T12:00:00.000 or 2026-079T12:00:00.000", repr(text[:40]), advice, line)


def _header(lines: _Lines) -> None:
    keyword, version = lines.pair() or ("", "")
    if keyword != "CCSDS_OEM_VERS":
        raise lines.error("CCSDS_OEM_VERS = 3.0", lines.found, "give an OEM in keyword = value notation")
    if version not in ("1.0", "2.0", "3.0"):
        raise lines.error("version 1.0, 2.0 or 3.0", repr(version[:40]), "convert the file")
    lines.advance()
    header = lines.block(_HEADER_REQUIRED, _HEADER_OPTIONAL, "META_START")
    lines.time(*header["CREATION_DATE"])


def _segment(lines: _Lines) -> Segment:
    """Read metadata, states and covariances, up to the next segment or the end."""
    if lines.text != "META_START":
        raise lines.error("META_START, COVARIANCE_START or another state", lines.found, "mind the order of the blocks")
    lines.advance()
    meta = lines.block(_META_REQUIRED, _META_OPTIONAL, "META_STOP")
    stop_line = lines.number
    frame = _metadata(lines, meta)
    reference, fraction = lines.time(*meta["START_TIME"])

    def since(keyword: str) -> float:
        whole, part = lines.time(*meta[keyword])
        return (whole - reference).total_seconds() + part

    start, stop = fraction, since("STOP_TIME")
    lines.advance()
    t_s, states = _states(lines, reference, (start, stop))
    first = max(t_s[0], since("USEABLE_START_TIME") if "USEABLE_START_TIME" in meta else start)
    last = min(t_s[-1], since("USEABLE_STOP_TIME") if "USEABLE_STOP_TIME" in meta else stop)
    if first > last:
        found = f"{_timestamp(reference, first)} to {_timestamp(reference, last)}"
        raise lines.error("a useable span that holds states", found, "mind the times of the metadata", stop_line)
    method, degree = _method(lines, meta, len(t_s), stop_line)
    _skip_covariance(lines)
    return Segment(
        object_name=meta["OBJECT_NAME"][0],
        object_id=meta["OBJECT_ID"][0],
        frame=frame,
        method=method,
        degree=degree,
        reference=reference,
        useable_s=(first, last),
        t_s=np.array(t_s),
        position=np.array(states)[:, :3] * 1e3,
        velocity=np.array(states)[:, 3:6] * 1e3,
    )


def _metadata(lines: _Lines, meta: _Block) -> Frame:
    """Check what the world can only take in one way; the frame."""
    for keyword, wanted, advice in (
        ("CENTER_NAME", "EARTH", "give an orbit about Earth"),
        ("TIME_SYSTEM", "UTC", "convert the epochs"),
    ):
        value, line = meta[keyword]
        if value.upper() != wanted:
            raise lines.error(f"{keyword} = {wanted}", repr(value[:40]), advice, line)
    value, line = meta["REF_FRAME"]
    if value.upper() not in _FRAMES:
        raise lines.error(f"REF_FRAME one of {', '.join(_FRAMES)}", repr(value[:40]), "convert the states", line)
    return _FRAMES[value.upper()]


def _states(lines: _Lines, reference: datetime, span: tuple[float, float]) -> tuple[list[float], list[list[float]]]:
    """The lines of states: times in s after `reference`, and six numbers each, km and km/s."""
    t_s: list[float] = []
    states: list[list[float]] = []
    while lines.text is not None and lines.text[0].isdigit():
        words = lines.text.split()
        if len(words) not in (7, 10):
            expected = "an epoch, position and velocity, or acceleration as well: 7 or 10 fields"
            raise lines.error(expected, f"{len(words)} fields", "complete the line")
        whole, part = lines.time(words[0])
        t = (whole - reference).total_seconds() + part
        if not span[0] <= t <= span[1]:
            advice = "mind START_TIME and STOP_TIME of the segment"
            expected = f"an epoch from {_timestamp(reference, span[0])} to {_timestamp(reference, span[1])}"
            raise lines.error(expected, repr(words[0]), advice)
        if t_s and t <= t_s[-1]:
            raise lines.error(f"an epoch after {_timestamp(reference, t_s[-1])}", repr(words[0]), "sort the states")
        numbers = [_number(lines, word) for word in words[1:]]
        distance = math.hypot(*numbers[:3])
        if distance < _LOWEST:
            advice = "give positions in km"
            raise lines.error(f"a position at least {_LOWEST:g} km from Earth's centre", f"{distance:g} km", advice)
        t_s.append(t)
        states.append(numbers[:6])
        lines.advance()
    if not t_s:
        raise lines.error("a state: epoch, position and velocity", lines.found, "add the states after META_STOP")
    return t_s, states


def _number(lines: _Lines, word: str) -> float:
    value = float(word) if _NUMBER.fullmatch(word) else math.inf
    if not abs(value) < _LARGEST:
        raise lines.error("a number in km, km/s or km/s^2", repr(word[:40]), "mind the notation")
    return value


def _method(lines: _Lines, meta: _Block, count: int, stop_line: int) -> tuple[Method, int]:
    """How to interpolate `count` states."""
    if "INTERPOLATION" not in meta:
        return ("LAGRANGE", min(7, count - 1)) if count > 1 else ("HERMITE", 1)
    value, line = meta["INTERPOLATION"]
    for method in _METHODS:
        if value.upper() == method:
            break
    else:
        raise lines.error(f"INTERPOLATION one of {', '.join(_METHODS)}", repr(value[:40]), "choose another", line)
    if "INTERPOLATION_DEGREE" not in meta:
        raise lines.error("INTERPOLATION_DEGREE with INTERPOLATION", "none", "add it", line)
    value, line = meta["INTERPOLATION_DEGREE"]
    degree = int(value) if re.fullmatch(r"\d{1,3}", value, re.ASCII) else 0
    if not 1 <= degree <= _HIGHEST_DEGREE:
        raise lines.error(f"a degree of 1 to {_HIGHEST_DEGREE}", repr(value[:40]), "choose another", line)
    if count < _points(method, degree):
        expected = f"at least {_points(method, degree)} states for {method} of degree {degree}"
        raise lines.error(expected, f"{count}", "lower the degree or add states", stop_line)
    return method, degree


def _points(method: Method, degree: int) -> int:
    """States that one interpolation uses."""
    if method == "LINEAR":
        return 2
    # each state gives Hermite two conditions; an even degree is raised to the next odd one
    return degree + 1 if method == "LAGRANGE" else degree // 2 + 1


def _skip_covariance(lines: _Lines) -> None:
    if lines.text != "COVARIANCE_START":
        return
    begin = lines.number
    while lines.text != "COVARIANCE_STOP":
        if lines.text is None:
            raise lines.error("COVARIANCE_STOP", "the end of the file", f"close the block of line {begin}")
        lines.advance()
    lines.advance()


def _check_sequel(lines: _Lines, before: Segment, after: Segment) -> None:
    """Raise ConfigError unless a segment carries on the one before: same object (5.1.3), same frame, later."""
    where = max(lines.number - 1, 1)
    for keyword, was, now in (
        ("OBJECT_ID", before.object_id, after.object_id),
        ("REF_FRAME", before.frame, after.frame),
    ):
        if was != now:
            expected = f"{keyword} {was[:40]} as in the segment before"
            raise lines.error(expected, repr(now[:40]), "keep one file for each satellite and frame", where)
    if (after.reference - before.reference).total_seconds() + after.useable_s[0] < before.useable_s[1]:
        expected = f"a segment that is useable from {_timestamp(before.reference, before.useable_s[1])} on"
        found = f"one from {_timestamp(after.reference, after.useable_s[0])}"
        raise lines.error(expected, found, "sort the segments, or give USEABLE_START_TIME and _STOP_TIME", where)


def _interpolate(segment: Segment, t: NDArray[np.float64]) -> tuple[Vectors, Vectors]:
    """Position and velocity (n, 3) at `t` (n,) s after the segment's reference, from the states nearest around each."""
    count = _points(segment.method, segment.degree)
    interval = np.searchsorted(segment.t_s, t, side="right") - 1
    first = np.clip(interval - (count - 1) // 2, 0, len(segment.t_s) - count)
    rows = first[:, np.newaxis] + np.arange(count)
    nodes = segment.t_s[rows] - t[:, np.newaxis]
    position, velocity = segment.position[rows], segment.velocity[rows]
    if segment.method == "HERMITE":
        return _newton(np.repeat(nodes, 2, axis=1), np.repeat(position, 2, axis=1), velocity)
    value, _ = _newton(nodes, np.concatenate((position, velocity), axis=2), None)
    return value[:, :3], value[:, 3:]


def _newton(
    nodes: NDArray[np.float64], values: NDArray[np.float64], slopes: NDArray[np.float64] | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Value and slope at 0 (n, k) of the polynomial through `values` (n, m, k) at `nodes` (n, m): divided differences.

    With `slopes` (n, m/2, k) the nodes come in pairs, and the difference of a pair is its slope.
    """
    c = values.copy()
    count = nodes.shape[1]
    for order in range(1, count):
        gap = (nodes[:, order:] - nodes[:, :-order])[:, :, np.newaxis]
        difference = c[:, order:] - c[:, order - 1 : -1]
        if order == 1 and slopes is not None:
            gap[:, ::2] = 1.0
            difference[:, ::2] = slopes
        c[:, order:] = difference / gap
    value, slope = c[:, -1].copy(), np.zeros_like(c[:, -1])
    for k in range(count - 2, -1, -1):
        arm = -nodes[:, k, np.newaxis]
        slope = value + arm * slope
        value = c[:, k] + arm * value
    return value, slope


def _timestamp(reference: datetime, seconds: float) -> str:
    """The UTC time `seconds` after `reference`, to a nanosecond and without needless zeros beyond milliseconds."""
    whole = reference.replace(microsecond=0)
    nanoseconds = round((seconds + reference.microsecond * 1e-6) * 1e9)
    try:
        whole += timedelta(seconds=nanoseconds // 1_000_000_000)
    except OverflowError:
        return f"{seconds:g} s from {reference:%Y-%m-%dT%H:%M:%S}"
    fraction = f"{nanoseconds % 1_000_000_000:09d}"
    return f"{whole:%Y-%m-%dT%H:%M:%S}.{fraction[:3]}{fraction[3:].rstrip('0')}"


def _one_line(text: str, path: str | Path) -> str:
    if not text.strip() or not text.isascii() or not text.isprintable():
        raise ConfigError(f"{path}: expected a name in printable ASCII, found {text!r}; rename the object")
    return text
