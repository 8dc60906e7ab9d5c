"""Two-line element sets, propagated by SGP4.

Form of the lines: F. R. Hoots and R. L. Roehrich, Spacetrack Report No. 3 (1980), with the Alpha-5 satellite numbers of
space-track.org. Propagation: D. A. Vallado et al., "Revisiting Spacetrack Report #3", AIAA 2006-6753, through the
`sgp4` package with the WGS 72 constants that element sets are fitted with. States are in TEME.
"""

import math
import re
from datetime import datetime, timedelta
from typing import NamedTuple

import numpy as np
from sgp4.api import WGS72, Satrec

from flightsw.errors import ConfigError
from flightsw.navigation.constants import FloatArray
from flightsw.navigation.epoch import DAY_S, checked_times, second_of_day, utc_epoch

_LENGTH = 69
_JULIAN_DATE_OF_ORDINAL_0 = 1_721_424.5


class _Field(NamedTuple):
    """A field of a line: columns from 1, as the format is always described, its form and an example of it."""

    name: str
    first: int
    last: int
    form: str
    example: str


_SATELLITE = _Field("satellite number", 3, 7, r"[ 0-9A-HJ-NP-Z][ 0-9]{3}[0-9]", "25544")
_ANGLE_FORM = r"[ 0-9]{2}[0-9]\.[0-9]{4}"
_POWER_FORM = r"[ +-][0-9]{5}[ +-][0-9]"
_FIELDS = {
    1: (
        _SATELLITE,
        _Field("epoch", 19, 32, r"[0-9]{2}[ 0-9]{2}[0-9]\.[0-9]{8}", "26045.50000000"),
        _Field("first derivative of mean motion", 34, 43, r"[ +-]\.[0-9]{8}", " .00012345"),
        _Field("second derivative of mean motion", 45, 52, _POWER_FORM, " 00000-0"),
        _Field("drag term", 54, 61, _POWER_FORM, " 12345-3"),
    ),
    2: (
        _SATELLITE,
        _Field("inclination", 9, 16, _ANGLE_FORM, " 53.0000"),
        _Field("right ascension of the node", 18, 25, _ANGLE_FORM, "123.4567"),
        _Field("eccentricity", 27, 33, r"[0-9]{7}", "0001234"),
        _Field("argument of perigee", 35, 42, _ANGLE_FORM, "123.4567"),
        _Field("mean anomaly", 44, 51, _ANGLE_FORM, "123.4567"),
        _Field("mean motion", 53, 63, r"[ 0-9][0-9]\.[0-9]{8}", "15.05000000"),
    ),
}

_SGP4_ERRORS = {
    1: "the mean eccentricity has left the range 0 to 1",
    2: "the mean motion has fallen below zero",
    3: "the perturbed eccentricity has left the range 0 to 1",
    4: "the semi-latus rectum has fallen below zero",
    6: "the satellite has decayed",
}


def checksum(line: str) -> int:
    """Return the checksum of the first 68 columns: the sum of all digits, 1 for each minus sign, modulo 10."""
    return sum(int(c) if c in "0123456789" else c == "-" for c in line[: _LENGTH - 1]) % 10


class TleEphemeris:
    """A two-line element set under SGP4.

    Raises ConfigError for lines that do not have the form or the checksum, naming line, expected and found.
    """

    frame = "TEME"

    def __init__(self, line1: str, line2: str, epoch: datetime) -> None:
        lines = (line1.rstrip(), line2.rstrip())
        for number, line in enumerate(lines, start=1):
            _check(number, line)
        self.satellite = lines[0][2:7].strip()
        if lines[1][2:7].strip() != self.satellite:
            raise ConfigError(
                f"TLE line 2, columns 3-7: expected satellite number {self.satellite} of line 1, "
                f"found {lines[1][2:7].strip()}; pair the lines of one satellite"
            )
        self.epoch = utc_epoch(epoch)
        self._day = _JULIAN_DATE_OF_ORDINAL_0 + self.epoch.toordinal()
        self._second = second_of_day(self.epoch)
        self._satellite = Satrec.twoline2rv(*lines, WGS72)

    def useable_span(self, t_s: float) -> tuple[float, float]:
        """Return an infinite span: how far an element set is trusted is the caller's matter."""
        return -math.inf, math.inf

    def states(self, t_s: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return position (n, 3) in m and velocity (n, 3) in m/s, TEME, at `t_s` (n,), s since the scenario epoch.

        Raises ConfigError where SGP4 has no state, with its reason.
        """
        times = checked_times(t_s)
        errors, position_km, velocity_km_s = self._satellite.sgp4_array(
            np.full_like(times, self._day), (self._second + times) / DAY_S
        )
        if errors.any():
            first = int(np.flatnonzero(errors)[0])
            raise ConfigError(self._no_state(int(errors[first]), float(times[first])))
        return 1e3 * position_km, 1e3 * velocity_km_s

    def _no_state(self, code: int, t_s: float) -> str:
        """Say in words why there is no state at a time."""
        reason = _SGP4_ERRORS.get(code, f"SGP4 error {code}")
        try:
            when = f" ({(self.epoch + timedelta(seconds=t_s)).isoformat()})"
        except OverflowError:
            when = ""
        return (
            f"TLE of satellite {self.satellite}: expected a state {t_s:.3f} s after the epoch{when}, found that "
            f"{reason}; use an element set of about that time"
        )


def _check(number: int, line: str) -> None:
    """Raise ConfigError unless a line has its length, number, checksum and the form of each field."""
    if len(line) != _LENGTH:
        raise ConfigError(f"TLE line {number}: expected {_LENGTH} columns, found {len(line)} in {line!r}")
    if not line.isascii() or line[:2] != f"{number} ":
        raise ConfigError(f"TLE line {number}: expected it to begin with '{number} ', found {line[:2]!r}")
    if line[-1] != str(checksum(line)):
        raise ConfigError(
            f"TLE line {number}: expected checksum {checksum(line)}, found {line[-1]}; "
            "the line is damaged, fetch it again"
        )
    for field in _FIELDS[number]:
        found = line[field.first - 1 : field.last]
        if re.fullmatch(field.form, found) is None:
            raise ConfigError(
                f"TLE line {number}, columns {field.first}-{field.last}: expected {field.name} like "
                f"{field.example!r}, found {found!r}"
            )
        # SGP4's reader takes what stands before a field for a part of it
        if field is not _SATELLITE and line[field.first - 2] != " ":
            raise ConfigError(
                f"TLE line {number}, column {field.first - 1}: expected a blank before the {field.name}, "
                f"found {line[field.first - 2]!r}; the line is damaged, fetch it again"
            )
