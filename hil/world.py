"""From a scenario to the world: true orbits and geometry, ephemeris products with errors, hardware."""

import math
from dataclasses import dataclass
from datetime import datetime
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
from sim.geometry import geometry, next_opening
from sim.oem import write_oem
from sim.orbit import J2Orbit, KeplerianElements, OemOrbit, Orbit, TleOrbit
from sim.sky import Sky
from sim.sun import SOLAR_RADIUS_RAD, solar_radiance, sun_offset
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


def build(scenario: Scenario, seed: int, duration_s: float, folder: Path | None) -> World:
    """Draw what is random with `seed` and compute what is not, for `duration_s`. Products go to `folder`.

    Raises ConfigError if the terminals cannot see each other at the start, and says when they will.
    """
    names = list(scenario.terminals)
    models = list(scenario.terminals.values())
    seeds = np.random.SeedSequence(seed).spawn(4)
    orbits = [_orbit(model.orbit, scenario.epoch, name) for name, model in scenario.terminals.items()]
    _require_sight(names, orbits, scenario)

    count = round(duration_s * FRAME_RATE_HZ)
    times = np.arange(count) * FRAME_S
    frames = np.zeros((count, 2), GEOMETRY)
    skies = []
    blocked = np.zeros(count, np.bool_)
    for i in range(2):
        mounting = math.radians(models[i].mounting_azimuth_deg)
        g = geometry(orbits[i], orbits[1 - i], times, mounting)
        column = frames[:, i]
        column["azimuth"], column["elevation"] = g.azimuth_rad, g.elevation_rad
        column["azimuth_rate"], column["elevation_rate"] = g.azimuth_rate_rad_s, g.elevation_rate_rad_s
        column["azimuth_acceleration"] = g.azimuth_acceleration_rad_s2
        column["elevation_acceleration"] = g.elevation_acceleration_rad_s2
        column["cos_elevation"] = np.cos(g.elevation_rad)
        column["range_m"], column["light_time_s"] = g.range_m, g.light_time_s
        column["lead_x"], column["lead_y"] = g.point_ahead_rad.T
        blocked |= g.earth_clearance_m < _CLEARANCE_M
        offset = sun_offset(orbits[i], scenario.epoch, times, g.azimuth_rad, g.elevation_rad, mounting)
        hardware = models[i].hardware
        radiance = solar_radiance(models[1 - i].hardware.laser.wavelength_nm * 1e-9)
        skies.append(
            Sky(offset, FRAME_S, radiance, SOLAR_RADIUS_RAD, hardware.optics, hardware.camera, hardware.quad_cell)
        )
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
    profiles = [
        PointingProfile(products[i], products[1 - i], math.radians(models[i].mounting_azimuth_deg)) for i in range(2)
    ]
    return World(
        names=(names[0], names[1]),
        frames=frames,
        blocked=blocked,
        sky=(skies[0], skies[1]),
        hardware=hardware_pair,
        profiles=(profiles[0], profiles[1]),
    )
