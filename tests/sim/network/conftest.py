"""Whether two satellites can hold a crosslink, by angles between vectors, apart from the kernels."""

import math

import numpy as np
import pytest

from sim.network.terminals import TerminalsModel
from sim.orbit import EARTH_RADIUS


def angle(a, b):
    """Between two vectors, in rad."""
    return math.atan2(np.linalg.norm(np.cross(a, b)), a @ b)


def sights(position, velocity, end, other):
    """Azimuth, elevation in deg and rate of turn in rad/s of satellite `other` as seen from `end`."""
    up = position[end] / np.linalg.norm(position[end])
    normal = np.cross(position[end], velocity[end])
    forward, right = np.cross(normal, up), -normal
    sight = position[other] - position[end]
    azimuth = math.degrees(math.atan2(sight @ right / np.linalg.norm(right), sight @ forward / np.linalg.norm(forward)))
    elevation = 90.0 - math.degrees(angle(sight, up))
    turning = velocity[other] - velocity[end] - np.cross(normal / np.sum(position[end] ** 2), sight)
    rate = np.linalg.norm(np.cross(sight, turning)) / np.sum(sight**2)
    return azimuth, elevation, rate


@pytest.fixture(scope="session")
def can_link():
    """A function of terminals, positions, velocities (S, 3), sun (3,), two satellites and a terminal of each."""

    def linked(model: TerminalsModel, position, velocity, sun, a, b, mount_a, mount_b) -> bool:
        sight = position[b] - position[a]
        line = position[a] + np.linspace(0.0, 1.0, 401)[:, np.newaxis] * sight
        if np.linalg.norm(sight) > model.range_km * 1e3:
            return False
        if np.linalg.norm(line, axis=1).min() - EARTH_RADIUS < model.clearance_km * 1e3:
            return False
        for end, other, mount in ((a, b, mount_a), (b, a, mount_b)):
            azimuth, elevation, rate = sights(position, velocity, end, other)
            off = abs((azimuth - model.mounts_deg[mount] + 180.0) % 360.0 - 180.0)
            low, high = model.elevation_deg
            if rate > model.turn_mrad_s * 1e-3 or off > model.field_of_regard_deg or not low <= elevation <= high:
                return False
            depth = math.pi - angle(position[end], sun)
            shaded = depth < math.pi / 2.0 and np.linalg.norm(position[end]) * math.sin(depth) < EARTH_RADIUS
            looked = angle(position[other] - position[end], sun)
            if math.degrees(looked) <= model.sun_exclusion_deg and not shaded:
                return False
        return True

    return linked
