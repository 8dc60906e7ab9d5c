"""Check 14: point-ahead, SGP4 and orbit ephemeris messages, by the world's code and by the flight software's."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import sgp4
from numpy.typing import NDArray

from flightsw.hal import FRAME_S
from flightsw.navigation.oem import OemEphemeris
from flightsw.navigation.tle import TleEphemeris
from hil.acquisition import Runner
from hil.scenario import load
from hil.validation.check import Figure, at_most, equal, exact, near
from sim.oem import OemOrbit, write_oem
from sim.orbit import EARTH_RADIUS, J2Orbit, KeplerianElements, TleOrbit

_EPOCH = datetime(2026, 3, 20, 12, tzinfo=UTC)
#: Element sets that are there to be refused: their checksums are wrong.
_DAMAGED = (33333, 33334, 33335)

Array = NDArray[np.float64]


def navigation(
    quick: bool, scenario: str = "leo_crosslink", oem_step_s: float = 60.0, altitude_km: float = 550.0
) -> list[Figure]:
    """Point-ahead of neighbours in one plane, SGP4 against its verification set, a product against its source."""
    _, _, world = Runner(load(scenario), 1.0).run(1, until_acquired=True)
    lead = world.frames[0, 0]
    told = world.profiles[0].at(FRAME_S)
    neighbours = "2 omega d / c of circular orbits, d = 2,000 km"
    vectors = "AIAA 2006-6753: tcppver.out of the sgp4 package, printed to 10 um"
    satellites, world_m, flight_m = _verification()
    oem_world_m, oem_flight_m = _product_errors(oem_step_s, altitude_km)
    return [
        Figure(
            "point-ahead, world",
            "urad",
            near(14.61, neighbours, relative=0.005),
            exact(float(np.hypot(lead["lead_x"], lead["lead_y"])) * 1e6),
        ),
        Figure(
            "point-ahead, flight software",
            "urad",
            near(14.61, neighbours, relative=0.005),
            exact(float(np.hypot(told.point_ahead_x_rad, told.point_ahead_y_rad)) * 1e6),
        ),
        Figure("SGP4: satellites of the set", "", equal(29, vectors), exact(satellites)),
        Figure("SGP4: largest error, world", "m", at_most(2e-3, vectors), exact(world_m)),
        Figure("SGP4: largest error, flight software", "m", at_most(2e-3, vectors), exact(flight_m)),
        Figure("OEM: largest error, world", "m", at_most(1.0, "the integrated orbit"), exact(oem_world_m)),
        Figure("OEM: largest error, flight software", "m", at_most(1.0, "the integrated orbit"), exact(oem_flight_m)),
    ]


def _verification() -> tuple[int, float, float]:
    """Satellites compared, and the largest error of position in m of the world's SGP4 and the flight software's."""
    errors = []
    for line1, line2, rows in _verification_set():
        year, day = int(line1[18:20]), float(line1[20:32])
        midnight = datetime(year + (2000 if year < 57 else 1900), 1, 1, tzinfo=UTC) + timedelta(days=int(day) - 1)
        t_s = (day % 1.0) * 86_400.0 + 60.0 * rows[:, 0]
        both = TleOrbit(line1, line2, midnight), TleEphemeris(line1, line2, midnight)
        errors.append([float(np.abs(orbit.states(t_s)[0] - 1e3 * rows[:, 1:4]).max()) for orbit in both])
    world_m, flight_m = np.max(errors, axis=0).tolist()
    return len(errors), world_m, flight_m


def _verification_set() -> Iterator[tuple[str, str, Array]]:
    """Two lines and the printed states: minutes since the element set's epoch, km and km/s, (n, 7).

    Of a satellite that comes twice the first states count, those of its second are 3.5 years later.
    """
    folder = Path(sgp4.__file__).parent
    lines = [line[:69] for line in (folder / "SGP4-VER.TLE").read_text().splitlines() if line[:2] in ("1 ", "2 ")]
    printed: dict[int, list[list[float]]] = {}
    rows: list[list[float]] = []
    for line in (folder / "tcppver.out").read_text().splitlines():
        words = line.split()
        if words[1:] == ["xx"]:
            rows = []
            printed.setdefault(int(words[0]), rows)
        else:
            rows.append([float(word) for word in words[:7]])
    elements = {int(line1[2:7]): (line1, line2) for line1, line2 in zip(lines[::2], lines[1::2], strict=True)}
    for satellite, states in printed.items():
        if satellite not in _DAMAGED:
            yield *elements[satellite], np.array(states)


def _product_errors(step_s: float, altitude_km: float) -> tuple[float, float]:
    """Largest error of position in m between the states of a product of one hour: the world's reading, the flight's."""
    elements = KeplerianElements(EARTH_RADIUS + altitude_km * 1e3, 0.001, np.radians(53.0))
    orbit = J2Orbit(elements, _EPOCH)
    knots = np.arange(0.0, 3600.0 + step_s, step_s)
    between = np.random.default_rng(14).uniform(0.0, 3600.0, 5000)
    true, _ = orbit.states(between)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "product.oem"
        write_oem(path, _EPOCH, knots, *orbit.states(knots), object_name="ALPHA", object_id="2026-001A")
        readers = OemOrbit(path, _EPOCH), OemEphemeris.read(path, _EPOCH)
        world_m, flight_m = (float(np.linalg.norm(r.states(between)[0] - true, axis=1).max()) for r in readers)
    return world_m, flight_m
