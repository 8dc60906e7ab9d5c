"""From a scenario to the world: true orbits and geometry, ephemeris products with errors, hardware."""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from flightsw.errors import ConfigError
from flightsw.hal import FRAME_RATE_HZ, FRAME_S
from flightsw.navigation.ephemeris import Ephemeris, OffsetEphemeris
from flightsw.navigation.oem import OemEphemeris
from flightsw.navigation.pointing_profile import PointingProfile
from flightsw.navigation.tle import TleEphemeris
from hil.kernel import GEOMETRY
from hil.scenario import EphemerisErrorModel, OrbitModel, Scenario, TerminalModel
from sim.geometry import Geometry, geometry, next_opening
from sim.oem import OemOrbit, write_oem
from sim.orbit import J2Orbit, KeplerianElements, Orbit, TleOrbit
from sim.sky import Sky
from sim.sun import spectral_radiance, sun_offset
from sim.terminal import Hardware

# The products reach beyond the run: light time, and the knots of the pointing profile.
_MARGIN_S = 120.0
_PRODUCT_STEP_S = 10.0
_CLEARANCE_M = 100e3


@dataclass(frozen=True, slots=True)
class Encounter:
    """Two satellites and a time: all that a `Course` follows from."""

    scenario: str
    names: tuple[str, str]
    epoch: datetime
    duration_s: float
    orbits: tuple[OrbitModel, OrbitModel]
    mountings_deg: tuple[float | None, float | None]

    @classmethod
    def of(cls, scenario: Scenario, duration_s: float) -> Self:
        """The encounter of a scenario's terminals."""
        (one, a), (other, b) = scenario.terminals.items()
        mountings = a.mounting_azimuth_deg, b.mounting_azimuth_deg
        return cls(scenario.name, (one, other), scenario.epoch, duration_s, (a.orbit, b.orbit), mountings)


@dataclass(frozen=True, slots=True)
class Course:
    """What is true of an encounter whatever is drawn. `frames`: GEOMETRY (frames, 2); one entry a terminal elsewhere.

    sun: its centre from the partner in rad, (frames, 2), half a turn away while the Earth hides it; sun_radius: rad;
    mountings: azimuth of the gimbal's zero in rad; products: ephemerides without the error of a run.
    """

    names: tuple[str, str]
    frames: NDArray[np.void]
    blocked: NDArray[np.bool_]
    sun: tuple[NDArray[np.float64], NDArray[np.float64]]
    sun_radius: tuple[float, float]
    mountings: tuple[float, float]
    products: tuple[Ephemeris, Ephemeris]


@dataclass(frozen=True, slots=True)
class World:
    """Everything that is true in one run. `frames`: GEOMETRY (frames, 2); one entry a terminal elsewhere."""

    names: tuple[str, str]
    frames: NDArray[np.void]
    blocked: NDArray[np.bool_]
    sky: tuple[Sky, Sky]
    hardware: tuple[Hardware, Hardware]
    profiles: tuple[PointingProfile, PointingProfile]


def build(scenario: Scenario, seed: int, duration_s: float, folder: Path) -> World:
    """Draw what is random with `seed` and compute what is not, for `duration_s`. Products go to `folder`.

    Raises ConfigError as `course` and `draw` do.
    """
    return draw(scenario, course(Encounter.of(scenario, duration_s), folder), seed)


def course(encounter: Encounter, folder: Path) -> Course:
    """Compute what does not depend on the seed. Products go to `folder`, which is not needed afterwards.

    Raises ConfigError if the terminals cannot see each other at the start, and says when they will.
    """
    orbits = [_orbit(model, encounter.epoch) for model in encounter.orbits]
    _require_sight(encounter, orbits)

    count = round(encounter.duration_s * FRAME_RATE_HZ)
    times = np.arange(count, dtype=np.float64) * np.float64(FRAME_S)
    frames = np.zeros((count, 2), GEOMETRY)
    blocked = np.zeros(count, np.bool_)
    mountings = [_mounting(encounter.mountings_deg[i], orbits[i], orbits[1 - i]) for i in range(2)]
    suns = []
    for i in range(2):
        g = geometry(orbits[i], orbits[1 - i], times, mountings[i])
        column = frames[:, i]
        for angle in ("azimuth", "elevation"):
            for derivative in ("", "_rate", "_acceleration"):
                column[angle + derivative] = getattr(g, angle + derivative)
        column["cos_elevation"] = np.cos(g.elevation)
        column["range_m"], column["light_time_s"] = g.range_m, g.light_time_s
        column["lead_x"], column["lead_y"] = g.point_ahead.T
        blocked |= g.earth_clearance_m < _CLEARANCE_M
        suns.append(_sun(orbits[i], g, mountings[i]))
    products = [_product(encounter, i, orbits[i], folder) for i in range(2)]
    return Course(
        names=encounter.names,
        frames=frames,
        blocked=blocked,
        sun=(suns[0][0], suns[1][0]),
        sun_radius=(suns[0][1], suns[1][1]),
        mountings=(mountings[0], mountings[1]),
        products=(products[0], products[1]),
    )


def draw(scenario: Scenario, course: Course, seed: int) -> World:
    """Draw what is random with `seed`: hardware and errors of the ephemeris products.

    Raises ConfigError for terminals that are too close for the sample rate.
    """
    rate, frames = scenario.sample_rate_hz, course.frames
    if float(frames["light_time_s"].min()) * rate < 2.0:
        raise ConfigError(
            f"{scenario.name}: expected terminals farther apart than two samples of light time, found a range of "
            f"{frames['range_m'].min() / 1e3:.1f} km; raise sample_rate_hz or move them apart"
        )
    one, other = scenario.terminals.values()
    seeds = np.random.SeedSequence(seed).spawn(4)
    rng = np.random.default_rng(seeds[2])
    products = [
        _with_error(product, model.ephemeris_error, rng)
        for product, model in zip(course.products, (one, other), strict=True)
    ]
    return World(
        names=course.names,
        frames=frames,
        blocked=course.blocked,
        sky=(_sky(one, other, course, 0), _sky(other, one, course, 1)),
        hardware=(
            Hardware(one.hardware, other.hardware, rate, seeds[0]),
            Hardware(other.hardware, one.hardware, rate, seeds[1]),
        ),
        profiles=(
            PointingProfile(products[0], products[1], course.mountings[0]),
            PointingProfile(products[1], products[0], course.mountings[1]),
        ),
    )


def _orbit(model: OrbitModel, epoch: datetime) -> Orbit:
    if model.tle is not None:
        return TleOrbit(*model.tle, epoch)
    if model.tle_file is not None:
        return TleOrbit.from_file(model.tle_file, epoch)
    if model.oem_file is not None:
        return OemOrbit(model.oem_file, epoch)
    k = model.kepler
    assert k is not None, "the model holds exactly one of the four"
    elements = KeplerianElements(
        semi_major_axis_m=k.semi_major_axis_km * 1e3,
        eccentricity=k.eccentricity,
        inclination_rad=math.radians(k.inclination_deg),
        raan_rad=math.radians(k.raan_deg),
        argument_of_perigee_rad=math.radians(k.argument_of_perigee_deg),
        mean_anomaly_rad=math.radians(k.mean_anomaly_deg),
    )
    return J2Orbit(elements, epoch, j2=k.j2)


def _mounting(azimuth_deg: float | None, own: Orbit, partner: Orbit) -> float:
    """Azimuth in rad of the gimbal's zero, from the direction of flight."""
    if azimuth_deg is not None:
        return math.radians(azimuth_deg)
    return float(geometry(own, partner, np.zeros(1), 0.0).azimuth[0])


def _sun(orbit: Orbit, g: Geometry, mounting: float) -> tuple[NDArray[np.float64], float]:
    """The sun's centre from the partner (n, 2) and its angular radius, in rad."""
    sun = sun_offset(orbit, g.t_s, g.azimuth, g.elevation, mounting)
    offset = np.stack([sun.x, sun.y], axis=1)
    offset[sun.behind_earth] = math.pi
    return offset, float(sun.radius[0])


def _sky(model: TerminalModel, partner: TerminalModel, course: Course, i: int) -> Sky:
    radiance_per_nm = spectral_radiance(partner.hardware.laser.wavelength_nm * 1e-9) * 1e-9
    hardware = model.hardware
    return Sky(
        course.sun[i],
        FRAME_S,
        radiance_per_nm,
        course.sun_radius[i],
        hardware.optics,
        hardware.camera,
        hardware.quad_cell,
    )


def _require_sight(encounter: Encounter, orbits: list[Orbit]) -> None:
    opening_s = next_opening(orbits[0], orbits[1], 0.0, clearance_m=_CLEARANCE_M)
    if opening_s == 0.0:
        return
    epoch = encounter.epoch
    if opening_s is None:
        when = "they do not see each other within a day"
    else:
        when = f"they see each other from {epoch + timedelta(seconds=opening_s):%Y-%m-%dT%H:%M:%SZ} on"
    raise ConfigError(
        f"{encounter.scenario}: expected {' and '.join(encounter.names)} in sight of each other at "
        f"{epoch:%Y-%m-%dT%H:%M:%SZ}, found the Earth in between; {when}: move the epoch"
    )


def _product(encounter: Encounter, i: int, orbit: Orbit, folder: Path) -> Ephemeris:
    """What the flight software is told of an orbit but for errors: the user's own product, or one made of the truth."""
    source, epoch = encounter.orbits[i], encounter.epoch
    if source.tle is not None:
        return TleEphemeris(*source.tle, epoch)
    if source.tle_file is not None:
        line1, line2 = [line for line in source.tle_file.read_text().splitlines() if line.strip()][-2:]
        return TleEphemeris(line1, line2, epoch)
    if source.oem_file is not None:
        return OemEphemeris.read(source.oem_file, epoch)
    name = encounter.names[i]
    t = np.arange(-_MARGIN_S, encounter.duration_s + _MARGIN_S + _PRODUCT_STEP_S, _PRODUCT_STEP_S)
    path = folder / f"{name}.oem"
    position, velocity = orbit.states(t)
    write_oem(path, epoch, t, position, velocity, object_name=name, object_id=name, creation_date=epoch)
    return OemEphemeris.read(path, epoch)


def _with_error(product: Ephemeris, error: EphemerisErrorModel, rng: np.random.Generator) -> Ephemeris:
    sigma = error.radial_m, error.along_track_m, error.cross_track_m
    radial, along, cross = rng.standard_normal(3) * sigma
    return OffsetEphemeris(product, float(radial), float(along), float(cross))
