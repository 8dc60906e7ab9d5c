"""From a scenario to the world: true orbits and geometry, ephemeris products with errors, hardware."""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flightsw.errors import ConfigError
from flightsw.hal import FRAME_RATE_HZ, FRAME_S
from flightsw.navigation.ephemeris import Ephemeris, OffsetEphemeris
from flightsw.navigation.oem import OemEphemeris
from flightsw.navigation.pointing_profile import PointingProfile
from flightsw.navigation.tle import TleEphemeris
from hil.kernel import GEOMETRY
from hil.scenario import OrbitModel, Scenario, TerminalModel
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

    Raises ConfigError if the terminals cannot see each other at the start, and says when they will.
    """
    names = list(scenario.terminals)
    models = list(scenario.terminals.values())
    seeds = np.random.SeedSequence(seed).spawn(4)
    orbits = [_orbit(model.orbit, scenario.epoch) for model in models]
    _require_sight(names, orbits, scenario)

    count = round(duration_s * FRAME_RATE_HZ)
    times = np.arange(count, dtype=np.float64) * np.float64(FRAME_S)
    frames = np.zeros((count, 2), GEOMETRY)
    skies = []
    blocked = np.zeros(count, np.bool_)
    mountings = [_mounting(models[i], orbits[i], orbits[1 - i]) for i in range(2)]
    for i in range(2):
        mounting = mountings[i]
        g = geometry(orbits[i], orbits[1 - i], times, mounting)
        column = frames[:, i]
        for angle in ("azimuth", "elevation"):
            for derivative in ("", "_rate", "_acceleration"):
                column[angle + derivative] = getattr(g, angle + derivative)
        column["cos_elevation"] = np.cos(g.elevation)
        column["range_m"], column["light_time_s"] = g.range_m, g.light_time_s
        column["lead_x"], column["lead_y"] = g.point_ahead.T
        blocked |= g.earth_clearance_m < _CLEARANCE_M
        skies.append(_sky(models[i], models[1 - i], orbits[i], g, mounting))
    rate = scenario.sample_rate_hz
    if float(frames["light_time_s"].min()) * rate < 2.0:
        raise ConfigError(
            f"{scenario.name}: expected terminals farther apart than two samples of light time, found a range of "
            f"{frames['range_m'].min() / 1e3:.1f} km; raise sample_rate_hz or move them apart"
        )
    hardware_pair = (
        Hardware(models[0].hardware, models[1].hardware, rate, seeds[0]),
        Hardware(models[1].hardware, models[0].hardware, rate, seeds[1]),
    )
    rng = np.random.default_rng(seeds[2])
    products = [
        _product(name, model, orbit, scenario.epoch, duration_s, folder, rng)
        for name, model, orbit in zip(names, models, orbits, strict=True)
    ]
    profiles = [PointingProfile(products[i], products[1 - i], mountings[i]) for i in range(2)]
    return World(
        names=(names[0], names[1]),
        frames=frames,
        blocked=blocked,
        sky=(skies[0], skies[1]),
        hardware=hardware_pair,
        profiles=(profiles[0], profiles[1]),
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


def _mounting(model: TerminalModel, own: Orbit, partner: Orbit) -> float:
    """Azimuth in rad of the gimbal's zero, from the direction of flight."""
    if model.mounting_azimuth_deg is not None:
        return math.radians(model.mounting_azimuth_deg)
    return float(geometry(own, partner, np.zeros(1), 0.0).azimuth[0])


def _sky(model: TerminalModel, partner: TerminalModel, orbit: Orbit, g: Geometry, mounting: float) -> Sky:
    sun = sun_offset(orbit, g.t_s, g.azimuth, g.elevation, mounting)
    offset = np.stack([sun.x, sun.y], axis=1)
    offset[sun.behind_earth] = math.pi
    radiance_per_nm = spectral_radiance(partner.hardware.laser.wavelength_nm * 1e-9) * 1e-9
    hardware = model.hardware
    return Sky(
        offset,
        FRAME_S,
        radiance_per_nm,
        float(sun.radius[0]),
        hardware.optics,
        hardware.camera,
        hardware.quad_cell,
    )


def _require_sight(names: list[str], orbits: list[Orbit], scenario: Scenario) -> None:
    opening_s = next_opening(orbits[0], orbits[1], 0.0, clearance_m=_CLEARANCE_M)
    if opening_s == 0.0:
        return
    if opening_s is None:
        when = "they do not see each other within a day"
    else:
        when = f"they see each other from {scenario.epoch + timedelta(seconds=opening_s):%Y-%m-%dT%H:%M:%SZ} on"
    raise ConfigError(
        f"{scenario.name}: expected {names[0]} and {names[1]} in sight of each other at "
        f"{scenario.epoch:%Y-%m-%dT%H:%M:%SZ}, found the Earth in between; {when}: move the epoch"
    )


def _product(
    name: str,
    model: TerminalModel,
    orbit: Orbit,
    epoch: datetime,
    duration_s: float,
    folder: Path,
    rng: np.random.Generator,
) -> Ephemeris:
    """What the flight software is told of an orbit: the user's own product, or one made of the truth, with errors."""
    source = model.orbit
    product: Ephemeris
    if source.tle is not None:
        product = TleEphemeris(*source.tle, epoch)
    elif source.tle_file is not None:
        line1, line2 = [line for line in source.tle_file.read_text().splitlines() if line.strip()][-2:]
        product = TleEphemeris(line1, line2, epoch)
    elif source.oem_file is not None:
        product = OemEphemeris.read(source.oem_file, epoch)
    else:
        t = np.arange(-_MARGIN_S, duration_s + _MARGIN_S + _PRODUCT_STEP_S, _PRODUCT_STEP_S)
        path = folder / f"{name}.oem"
        position, velocity = orbit.states(t)
        write_oem(path, epoch, t, position, velocity, object_name=name, object_id=name, creation_date=epoch)
        product = OemEphemeris.read(path, epoch)
    e = model.ephemeris_error
    radial, along, cross = rng.standard_normal(3) * (e.radial_m, e.along_track_m, e.cross_track_m)
    return OffsetEphemeris(product, float(radial), float(along), float(cross))
