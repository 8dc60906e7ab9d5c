"""Where all satellites of a mesh are: Walker shells, or a file of two-line elements, both by SGP4.

| in | unit | out | unit |
| --- | --- | --- | --- |
| shells, or a file of element sets | km, deg; text | position of each satellite, inertial (TEME) | m |
| time since the scenario's epoch | s (UTC) | velocity | m/s |

A shell is a set of two-line elements like any other: its satellites stand where `beamlock run` finds them from `tle`.
What a TLE can say limits them to 0.0001 deg, 6 m along the orbit. Pattern and phasing: J. G. Walker, "Satellite
constellations", JBIS 37 (1984). The mean eccentricity is zero, which in SGP4 is close to the frozen orbit: at 550 km
and 53 deg the height varies by 7 km to either side, the same way for all satellites of a shell.

Validated against: SGP4 from the exported lines, to the last bit; the mean radius over an orbit; spacing of the nodes
and phasing of neighbouring planes; the distance between neighbours in a plane, 2 a sin(pi/n).
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator
from sgp4.api import WGS72, Satrec, SatrecArray
from sgp4.earth_gravity import wgs72
from sgp4.exporter import export_tle

from flightsw.errors import ConfigError
from sim.configuration import WorldModel
from sim.orbit import EARTH_RADIUS, SGP4_ERRORS, Vectors, check_epoch, check_tle, julian_day, read_text

#: Below this height a satellite is in the atmosphere, and the shell counts as one that intersects Earth.
LOWEST_ALTITUDE = 100e3  # m
#: Element sets further than this from the scenario's epoch are stale: kilometres off.
STALE_DAYS = 30.0


class ShellModel(WorldModel):
    """A Walker shell of circular orbits: `planes` planes, their nodes spread over 360 deg (delta) or 180 deg (star)."""

    name: str
    altitude_km: float = Field(description="mean, above the equatorial radius")
    inclination_deg: float = Field(ge=0, le=180)
    planes: int = Field(ge=1)
    satellites_per_plane: int = Field(ge=1)
    phasing: int = Field(0, ge=0, description="Walker's F: a plane is F x 360 deg / satellites ahead of the one before")
    pattern: Literal["delta", "star"] = "delta"
    raan_deg: float = Field(0.0, description="node of the first plane, inertial")

    @model_validator(mode="after")
    def _phasing_below_planes(self) -> Self:
        if self.phasing >= self.planes:
            raise ValueError(f"phasing: expected 0 to planes - 1 = {self.planes - 1}, found {self.phasing}")
        return self

    @property
    def satellites(self) -> int:
        """How many there are in all planes."""
        return self.planes * self.satellites_per_plane


class Constellation:
    """Satellites 0 to S-1; index arrays are (S,)."""

    def __init__(
        self,
        names: Sequence[str],
        lines: Sequence[tuple[str, str]],
        epoch: datetime,
        shells: Sequence[ShellModel] = (),
    ) -> None:
        """Satellites with these `names` and checked two-line elements; `shells`, if they make up the list in order.

        Raises ConfigError for satellites that SGP4 cannot place at the epoch: which, and how many.
        """
        self.names = tuple(names)
        self.shells = tuple(shells)
        self.epoch = check_epoch(epoch)
        # -1 where a satellite belongs to no shell
        self.shell, self.plane, self.slot = (np.full(len(names), -1, np.int32) for _ in range(3))
        start = 0
        for k, shell in enumerate(shells):
            of_shell = slice(start, start + shell.satellites)
            self.shell[of_shell] = k
            self.plane[of_shell], self.slot[of_shell] = np.divmod(
                np.arange(shell.satellites), shell.satellites_per_plane
            )
            start += shell.satellites
        self._lines = tuple(lines)
        self._satrecs = SatrecArray([Satrec.twoline2rv(*pair, WGS72) for pair in lines])
        self._day, self._second = julian_day(self.epoch)
        self.states(np.zeros(1))

    def __len__(self) -> int:
        return len(self.names)

    @classmethod
    def of_shells(cls, shells: Sequence[ShellModel], epoch: datetime) -> Self:
        """The shells one after the other, each plane by plane, at their places at `epoch` (to 0.5 ms).

        Satellites are called SHELL-PLANE-SLOT, both counted from 0. Raises ConfigError for shells that intersect Earth
        and for two of one name.
        """
        low = [
            f"{shell.name} ({shell.altitude_km:g} km)" for shell in shells if shell.altitude_km * 1e3 < LOWEST_ALTITUDE
        ]
        if low:
            raise ConfigError(
                f"shells: expected an altitude of at least {LOWEST_ALTITUDE / 1e3:g} km, found {len(low)} of "
                f"{len(shells)} that intersect the Earth or its atmosphere: {_listed(low)}; raise altitude_km"
            )
        again = _repeated(shell.name for shell in shells)
        if again:
            raise ConfigError(
                f"shells: expected a name of its own for each, found {len(again)} given more than once: "
                f"{_listed(again)}; rename them"
            )
        names, lines = [], []
        for shell in shells:
            for plane in range(shell.planes):
                for slot in range(shell.satellites_per_plane):
                    names.append(f"{shell.name}-{plane:02d}-{slot:02d}")
                    lines.append(_elements(shell, plane, slot, len(names), epoch))
        return cls(names, lines, epoch, shells)

    @classmethod
    def of_tle_file(cls, path: str | Path, epoch: datetime) -> Self:
        """The satellites of a file of element sets, two lines each, or three with a name before them.

        A satellite without a name is called by its number. Raises ConfigError naming the file: for lines that are no
        element set, satellites that come twice, sets more than `STALE_DAYS` from `epoch`, and satellites that SGP4
        cannot place there.
        """
        names, lines = _read_tle_file(path)
        again = _repeated(line1[2:7].strip() for line1, _ in lines) or _repeated(names)
        if again:
            raise ConfigError(
                f"{path}: expected each satellite once, found {len(again)} more than once: {_listed(again)}; "
                "keep one element set of each"
            )
        moment = check_epoch(epoch)
        age_days = [(moment - _epoch_of(line1)).total_seconds() / 86_400.0 for line1, _ in lines]
        stale = [f"{name} ({age:+.0f} d)" for name, age in zip(names, age_days, strict=True) if abs(age) > STALE_DAYS]
        if stale:
            raise ConfigError(
                f"{path}: expected element sets within {STALE_DAYS:g} days of {moment:%Y-%m-%d}, found {len(stale)} of "
                f"{len(lines)} that are not: {_listed(stale)}; take a file of that date, or move the scenario's epoch"
            )
        try:
            return cls(names, lines, moment)
        except ConfigError as error:
            raise ConfigError(f"{path}: {error}") from None

    def tle(self, satellite: int) -> tuple[str, str]:
        """The two lines of a satellite, as `beamlock run` reads them."""
        return self._lines[satellite]

    def states(self, t_s: NDArray[np.float64]) -> tuple[Vectors, Vectors]:
        """Position in m and velocity in m/s, both (T, S, 3), at `t_s` (T,), seconds since the epoch.

        An hour of 1,584 satellites at 1 s is 274 MB: ask for a minute at a time. Raises ConfigError for satellites that
        SGP4 cannot place: which, how many, and why.
        """
        t_s = np.asarray(t_s, dtype=np.float64)
        # the whole day apart from its fraction, as in sim.orbit
        code, position, velocity = self._satrecs.sgp4(np.full(len(t_s), self._day), (self._second + t_s) / 86_400.0)
        bad = (code != 0) | ~np.isfinite(position).all(axis=2)
        if bad.any():
            self._refuse(bad, code, t_s)
        position, velocity = (np.multiply(km.swapaxes(0, 1), 1e3, order="C") for km in (position, velocity))
        return position, velocity

    def _refuse(self, bad: NDArray[np.bool_], code: NDArray[np.uint8], t_s: NDArray[np.float64]) -> None:
        """Raise ConfigError for the satellites that have a `bad` state (S, T)."""
        lost = np.flatnonzero(bad.any(axis=1))
        described = []
        for satellite in lost:
            first = int(np.argmax(bad[satellite]))
            found = SGP4_ERRORS.get(int(code[satellite, first]), "a position that is not a number")
            described.append(f"{self.names[satellite]} ({found} at {t_s[first]:g} s)")
        raise ConfigError(
            f"constellation: expected an orbit for every satellite, found {len(lost)} of {len(self)} without: "
            f"{_listed(described)}; remove them, or take elements nearer to {self.epoch:%Y-%m-%d}"
        )


def _elements(shell: ShellModel, plane: int, slot: int, number: int, epoch: datetime) -> tuple[str, str]:
    """The two lines of a satellite of a shell, under the satellite number `number`."""
    spread = 2.0 * math.pi if shell.pattern == "delta" else math.pi
    node = math.radians(shell.raan_deg) + spread * plane / shell.planes
    anomaly = 2.0 * math.pi * (slot / shell.satellites_per_plane + shell.phasing * plane / shell.satellites)
    day, second = julian_day(check_epoch(epoch))
    satrec = Satrec()
    satrec.sgp4init(
        WGS72,
        "i",
        number,
        day - _SGP4_DAY_ZERO + second / 86_400.0,
        0.0,
        0.0,
        0.0,
        0.0,
        0.0,
        math.radians(shell.inclination_deg),
        anomaly % (2.0 * math.pi),
        _mean_motion(shell),
        node % (2.0 * math.pi),
    )
    lines: tuple[str, str] = export_tle(satrec)
    return lines


def _mean_motion(shell: ShellModel) -> float:
    """Kozai mean motion in rad/min, with which SGP4's radius is the shell's on average over an orbit.

    At zero eccentricity SGP4 makes of Kozai's n the semi-major axis a with n = sqrt(mu/a^3) (1 + k/a^2), and gives the
    radius a mean of a - k/a, where k = 0.75 J2 R^2 (3 cos^2 i - 1) (Spacetrack Report No. 3, section 6).
    """
    k = 0.75 * wgs72.j2 * (3.0 * math.cos(math.radians(shell.inclination_deg)) ** 2 - 1.0)
    radius = (EARTH_RADIUS / 1e3 + shell.altitude_km) / wgs72.radiusearthkm
    a = 0.5 * (radius + math.sqrt(radius**2 + 4.0 * k))
    return float(wgs72.xke / a**1.5 * (1.0 + k / a**2))


def _read_tle_file(path: str | Path) -> tuple[list[str], list[tuple[str, str]]]:
    """Names and lines of a file's satellites. Raises ConfigError naming file and line."""
    rows = [(number, line) for number, line in enumerate(read_text(path).splitlines(), start=1) if line.strip()]
    names: list[str] = []
    lines: list[tuple[str, str]] = []
    k = 0
    while k < len(rows):
        name = ""
        if not rows[k][1].startswith(("1 ", "2 ")):
            name = rows[k][1].removeprefix("0 ").strip()
            k += 1
        pair = [line for _, line in rows[k : k + 2]]
        if len(pair) < 2:
            raise ConfigError(
                f"{path}: expected two lines of elements at the end, found {len(pair)}; complete the file"
            )
        try:
            lines.append(check_tle(*pair))
        except ConfigError as error:
            raise ConfigError(f"{path}, from line {rows[k][0]} on: {error}") from None
        names.append(name or pair[0][2:7].strip())
        k += 2
    if not lines:
        raise ConfigError(f"{path}: expected two-line element sets, found an empty file; put one satellite in at least")
    return names, lines


def _epoch_of(line1: str) -> datetime:
    """The epoch of a checked first line; years from 57 on are of the 20th century (AIAA 2006-6753, appendix B)."""
    year = int(line1[18:20])
    return datetime(year + (1900 if year >= 57 else 2000), 1, 1, tzinfo=UTC) + timedelta(days=float(line1[20:32]) - 1.0)


def _repeated(names: Iterable[str]) -> list[str]:
    """Those that come more than once."""
    return [name for name, count in Counter(names).items() if count > 1]


def _listed(names: Sequence[str]) -> str:
    """The first few, and how many more there are."""
    more = len(names) - _LISTED
    return ", ".join(names[:_LISTED]) + (f" and {more} more" if more > 0 else "")


_LISTED = 8
_SGP4_DAY_ZERO = 2_433_281.5  # 1949-12-31 00:00
