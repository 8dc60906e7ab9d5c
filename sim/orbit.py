"""Where a satellite is: SGP4 from two-line elements, or Keplerian elements integrated with Earth's oblateness.

| in | unit | out | unit |
| --- | --- | --- | --- |
| time since the scenario's epoch | s (UTC) | position, inertial, from Earth's centre | m |
| two-line elements, or osculating Keplerian elements | text; m, rad | velocity | m/s |

A UTC day has 86,400 s here, as in SGP4: a leap second within a run is not modelled. SGP4 is that of Vallado et al.,
"Revisiting Spacetrack Report #3" (AIAA 2006-6753), in the package `sgp4`; the field is WGS 84's mu and radius with J2.

Validated against: the SGP4 verification set (tcppver.out); Kepler's closed form; energy and the axial angular momentum,
which J2 conserves; the secular node rate -1.5 J2 n (R/p)^2 cos i; DOP853 at tight tolerance.
"""

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, Protocol, Self

import numpy as np
from numba import njit
from numpy.typing import NDArray
from sgp4.api import WGS72, Satrec

from flightsw.errors import ConfigError

Vectors = NDArray[np.float64]

#: Inertial axes: true equator and mean equinox of date, or the J2000 family (EME2000, GCRF, ICRF: 0.1 urad apart).
Frame = Literal["TEME", "EME2000"]

MU_EARTH = 3.986_004_418e14  # m^3/s^2
EARTH_RADIUS = 6_378_137.0  # m, equatorial
J2_EARTH = 1.082_626_68e-3
J2000 = datetime(2000, 1, 1, 12, tzinfo=UTC)


class Orbit(Protocol):
    """The motion of one satellite."""

    @property
    def epoch(self) -> datetime:
        """Time zero, with its time zone."""

    @property
    def frame(self) -> Frame:
        """The inertial frame of `states`."""

    def states(self, t_s: NDArray[np.float64]) -> tuple[Vectors, Vectors]:
        """Position in m (n, 3) and velocity in m/s (n, 3) at `t_s` (n,), seconds since the epoch.

        Raises ConfigError where the ephemeris does not reach.
        """


@dataclass(frozen=True, slots=True)
class KeplerianElements:
    """Osculating elements at the scenario's epoch, on the equator of date. Angles in rad."""

    semi_major_axis_m: float
    eccentricity: float
    inclination_rad: float
    raan_rad: float = 0.0
    argument_of_perigee_rad: float = 0.0
    mean_anomaly_rad: float = 0.0


class TleOrbit:
    """SGP4 from two-line elements."""

    frame: Frame = "TEME"

    def __init__(self, line1: str, line2: str, epoch: datetime) -> None:
        """Read the two lines. Raises ConfigError for a line that is not of a two-line element set, and says why."""
        lines = check_tle(line1, line2)
        self.satellite = lines[0][2:7].strip()
        self.epoch = check_epoch(epoch)
        self._satrec = Satrec.twoline2rv(*lines, WGS72)
        self._day, self._second = julian_day(self.epoch)

    @classmethod
    def from_file(cls, path: str | Path, epoch: datetime) -> Self:
        """The satellite of a file with two lines, or three with a name. Raises ConfigError naming the file."""
        lines = [line for line in read_text(path).splitlines() if line.strip()]
        if len(lines) not in (2, 3):
            raise ConfigError(
                f"{path}: expected two lines of elements, or three with a name; found {len(lines)} lines; "
                "keep one satellite in the file"
            )
        try:
            return cls(lines[-2], lines[-1], epoch)
        except ConfigError as error:
            raise ConfigError(f"{path}: {error}") from None

    def states(self, t_s: NDArray[np.float64]) -> tuple[Vectors, Vectors]:
        """Position (n, 3) m and velocity (n, 3) m/s at `t_s` (n,). Raises ConfigError: SGP4's complaint in words."""
        t_s = np.asarray(t_s, dtype=np.float64)
        # the whole day apart from its fraction: one Julian date in a float64 resolves only 40 us, 0.3 m of flight
        code, position, velocity = self._satrec.sgp4_array(
            np.full(len(t_s), self._day), (self._second + t_s) / 86_400.0
        )
        bad = (code != 0) | ~np.isfinite(position).all(axis=1)
        if bad.any():
            first = int(np.argmax(bad))
            found = SGP4_ERRORS.get(int(code[first]), "a position that is not a number")
            raise ConfigError(
                f"TLE of satellite {self.satellite}: expected an orbit at {t_s[first]:.3f} s from the epoch, found "
                f"{found} (SGP4 code {code[first]}); check the elements, or take some nearer to {self.epoch:%Y-%m-%d}"
            )
        return position * 1e3, velocity * 1e3


class J2Orbit:
    """Keplerian elements integrated under a point mass and J2, on demand: only the interval that was asked for."""

    frame: Frame = "TEME"

    def __init__(self, elements: KeplerianElements, epoch: datetime, *, j2: bool = True) -> None:
        """Start at `elements`, osculating at `epoch`; j2=False leaves two bodies.

        Raises ConfigError for elements that are no closed orbit above Earth's surface.
        """
        perigee_m = elements.semi_major_axis_m * (1.0 - elements.eccentricity)
        if not 0.0 <= elements.eccentricity < 1.0:
            raise ConfigError(
                f"orbit: expected an eccentricity of 0 to below 1, found {elements.eccentricity:g}; give a closed orbit"
            )
        if not EARTH_RADIUS < perigee_m < math.inf:
            raise ConfigError(
                f"orbit: expected a perigee above Earth's surface, {EARTH_RADIUS / 1e3:.3f} km from its centre, found "
                f"{perigee_m / 1e3:.3f} km; raise semi_major_axis or lower eccentricity"
            )
        self.epoch = check_epoch(epoch)
        self._j2 = J2_EARTH if j2 else 0.0
        start = np.concatenate(cartesian(elements))
        self._first = 0  # index of the node in row 0, counted from the epoch
        self._nodes: NDArray[np.float64] = _integrate(start, 0, _SUBSTEPS, NODE_STEP / _SUBSTEPS, self._j2)

    def states(self, t_s: NDArray[np.float64]) -> tuple[Vectors, Vectors]:
        """Position (n, 3) m and velocity (n, 3) m/s at `t_s` (n,)."""
        t_s = np.asarray(t_s, dtype=np.float64)
        if t_s.size == 0:
            return np.empty((0, 3)), np.empty((0, 3))
        index = np.floor(t_s / NODE_STEP).astype(np.int64)
        self._reach(int(index.min()), int(index.max()) + 1)
        s = (t_s - index * NODE_STEP) / NODE_STEP
        row = index - self._first
        return _hermite(self._nodes[row], self._nodes[row + 1], s[:, np.newaxis])

    def _reach(self, first: int, last: int) -> None:
        """Integrate on until the nodes `first` to `last` are there."""
        missing = self._first - first
        if missing > 0:
            count = max(missing, _CHUNK)
            before = _integrate(self._nodes[0, :6].copy(), count, _SUBSTEPS, -NODE_STEP / _SUBSTEPS, self._j2)
            self._nodes = np.concatenate((before[:0:-1], self._nodes))
            self._first -= count
        missing = last - (self._first + len(self._nodes) - 1)
        if missing > 0:
            count = max(missing, _CHUNK)
            after = _integrate(self._nodes[-1, :6].copy(), count, _SUBSTEPS, NODE_STEP / _SUBSTEPS, self._j2)
            self._nodes = np.concatenate((self._nodes, after[1:]))


def cartesian(elements: KeplerianElements) -> tuple[Vectors, Vectors]:
    """Position (3,) m and velocity (3,) m/s of osculating elements (Vallado, Fundamentals of Astrodynamics, 2.6)."""
    e = elements.eccentricity
    mean = math.remainder(elements.mean_anomaly_rad, 2.0 * math.pi)
    anomaly = mean + math.copysign(0.85 * e, mean)
    for _ in range(50):
        correction = (anomaly - e * math.sin(anomaly) - mean) / (1.0 - e * math.cos(anomaly))
        anomaly -= correction
        if abs(correction) < 1e-15:
            break
    a, root = elements.semi_major_axis_m, math.sqrt(1.0 - e * e)
    sine, cosine = math.sin(anomaly), math.cos(anomaly)
    speed = math.sqrt(MU_EARTH / a) / (1.0 - e * cosine)
    toward_perigee, toward_motion = _perifocal(elements)
    position = a * ((cosine - e) * toward_perigee + root * sine * toward_motion)
    velocity = speed * (-sine * toward_perigee + root * cosine * toward_motion)
    return position, velocity


def check_epoch(epoch: datetime) -> datetime:
    """`epoch` in UTC. Raises ConfigError for one without a time zone."""
    if epoch.tzinfo is None:
        raise ConfigError(f"epoch: expected a time zone, as in 2026-03-20T12:00:00Z, found {epoch.isoformat()}; add Z")
    return epoch.astimezone(UTC)


def julian_day(epoch: datetime) -> tuple[float, float]:
    """The Julian date of `epoch` (UTC): the noon before it in days, and the seconds from there."""
    elapsed = epoch - J2000
    return 2_451_545.0 + elapsed.days, elapsed.seconds + elapsed.microseconds * 1e-6


def check_tle(line1: str, line2: str) -> tuple[str, str]:
    """Both lines without trailing blanks. Raises ConfigError where they are no two-line element set, and says why."""
    lines = line1.rstrip(), line2.rstrip()
    for number, line in enumerate(lines, start=1):
        _check_tle_line(line, number)
    first, second = (line[2:7].strip() for line in lines)
    if first != second:
        raise ConfigError(
            f"TLE: expected the same satellite number in both lines, found {first} in line 1 and {second} in line 2; "
            "take both lines of one satellite"
        )
    return lines


def read_text(path: str | Path) -> str:
    """The text of an ephemeris file. Raises ConfigError naming the file."""
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(f"{path}: expected an ephemeris file, found none; mind the path") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: expected a readable text file, found: {error}") from None


#: Nodes between which a quintic in position, velocity and acceleration is exact to a micrometre in any Earth orbit.
NODE_STEP = 10.0  # s
_SUBSTEPS = 10
_CHUNK = 32

#: What SGP4's error codes mean.
SGP4_ERRORS = {
    1: "a mean eccentricity outside 0 to 1",
    2: "a mean motion below zero",
    3: "an eccentricity outside 0 to 1 after perturbation",
    4: "a semi-latus rectum below zero",
    6: "a satellite that has decayed",
}

_NUMBER = r" *[+-]?\d*\.\d+ *"
_POWER = r" *[+-]?\d+[+-]\d"
#: The columns of each line: name, first and last column counted from 1, form.
_TLE_FIELDS: tuple[tuple[tuple[str, int, int, str], ...], ...] = (
    (
        ("satellite number", 3, 7, r"[0-9A-HJ-NP-Z ][0-9 ]{3}\d"),
        ("year of the epoch", 19, 20, r"\d\d"),
        ("day of the epoch", 21, 32, r"[ \d]{2}\d\.\d{8}"),
        ("first derivative of mean motion", 34, 43, _NUMBER),
        ("second derivative of mean motion", 45, 52, _POWER),
        ("drag term", 54, 61, _POWER),
    ),
    (
        ("satellite number", 3, 7, r"[0-9A-HJ-NP-Z ][0-9 ]{3}\d"),
        ("inclination", 9, 16, _NUMBER),
        ("right ascension of the node", 18, 25, _NUMBER),
        ("eccentricity", 27, 33, r"\d{7}"),
        ("argument of perigee", 35, 42, _NUMBER),
        ("mean anomaly", 44, 51, _NUMBER),
        ("mean motion", 53, 63, _NUMBER),
    ),
)


def _check_tle_line(line: str, number: int) -> None:
    """Raise ConfigError unless `line` is line `number` of a two-line element set."""
    where = f"TLE line {number}"
    if len(line) != 69 or not line.isascii():
        raise ConfigError(f"{where}: expected 69 ASCII characters, found {len(line)} in {line!r}; copy the line whole")
    if line[:2] != f"{number} ":
        raise ConfigError(f"{where}: expected it to begin with '{number} ', found {line[:2]!r}; mind the lines' order")
    expected = sum(int(c) if c.isdecimal() else c == "-" for c in line[:68]) % 10
    if line[68] != str(expected):
        raise ConfigError(f"{where}: expected checksum {expected}, found {line[68]!r}; copy the line again")
    for name, first, last, form in _TLE_FIELDS[number - 1]:
        found = line[first - 1 : last]
        if not re.fullmatch(form, found):
            raise ConfigError(
                f"{where}: expected the {name} in columns {first}-{last}, found {found!r}; mind the columns"
            )
        # SGP4's reader takes what stands before a field for a part of it
        if first > 3 and name != "day of the epoch" and line[first - 2] != " ":
            raise ConfigError(
                f"{where}: expected a blank before the {name} in column {first - 1}, found {line[first - 2]!r}; "
                "copy the line again"
            )


def _perifocal(elements: KeplerianElements) -> tuple[Vectors, Vectors]:
    """Unit vectors toward perigee and, in the plane, a quarter turn ahead of it."""
    cos_o, sin_o = math.cos(elements.raan_rad), math.sin(elements.raan_rad)
    cos_w, sin_w = math.cos(elements.argument_of_perigee_rad), math.sin(elements.argument_of_perigee_rad)
    cos_i, sin_i = math.cos(elements.inclination_rad), math.sin(elements.inclination_rad)
    node = np.array([cos_o, sin_o, 0.0])
    ahead = np.array([-sin_o * cos_i, cos_o * cos_i, sin_i])
    return cos_w * node + sin_w * ahead, cos_w * ahead - sin_w * node


@njit(cache=True, nogil=True)
def _accelerate(state: NDArray[np.float64], j2: float, out: NDArray[np.float64]) -> None:
    """Velocity and acceleration of `state` (6,) into `out` (6,): point mass and J2, the pole along z."""
    x, y, z = state[0], state[1], state[2]
    square = x * x + y * y + z * z
    pull = -MU_EARTH / (square * math.sqrt(square))
    flat = 1.5 * j2 * EARTH_RADIUS * EARTH_RADIUS / square
    tilt = 5.0 * z * z / square
    out[0], out[1], out[2] = state[3], state[4], state[5]
    out[3] = pull * x * (1.0 + flat * (1.0 - tilt))
    out[4] = pull * y * (1.0 + flat * (1.0 - tilt))
    out[5] = pull * z * (1.0 + flat * (3.0 - tilt))


@njit(cache=True, nogil=True)
def _integrate(state: NDArray[np.float64], count: int, substeps: int, step_s: float, j2: float) -> NDArray[np.float64]:
    """`count` nodes beyond `state`, Runge-Kutta of order 4: rows of position, velocity, acceleration (count + 1, 9).

    With steps of 1 s the local error is 1e-10 m in low orbit, so the order is no limit.
    """
    nodes = np.empty((count + 1, 9))
    k1, k2, k3, k4 = np.empty(6), np.empty(6), np.empty(6), np.empty(6)
    for node in range(count + 1):
        _accelerate(state, j2, k1)
        nodes[node, :6] = state
        nodes[node, 6:] = k1[3:]
        if node == count:
            break
        for _ in range(substeps):
            _accelerate(state, j2, k1)
            _accelerate(state + 0.5 * step_s * k1, j2, k2)
            _accelerate(state + 0.5 * step_s * k2, j2, k3)
            _accelerate(state + step_s * k3, j2, k4)
            state = state + step_s / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4)
    return nodes


def _hermite(start: Vectors, stop: Vectors, s: NDArray[np.float64]) -> tuple[Vectors, Vectors]:
    """Position and velocity at `s` in 0..1 (n, 1) on the quintic between two rows of nodes (n, 9)."""
    h = NODE_STEP
    p, v, a = start[:, :3], start[:, 3:6] * h, start[:, 6:] * (h * h)
    # what the second-order Taylor polynomial leaves at s = 1 in position, velocity and acceleration
    dp = stop[:, :3] - p - v - 0.5 * a
    dv = stop[:, 3:6] * h - v - a
    da = stop[:, 6:] * (h * h) - a
    c3 = 10.0 * dp - 4.0 * dv + 0.5 * da
    c4 = -15.0 * dp + 7.0 * dv - da
    c5 = 6.0 * dp - 3.0 * dv + 0.5 * da
    position = p + s * (v + s * (0.5 * a + s * (c3 + s * (c4 + s * c5))))
    velocity = v + s * (a + s * (3.0 * c3 + s * (4.0 * c4 + s * 5.0 * c5)))
    return position, velocity / h
