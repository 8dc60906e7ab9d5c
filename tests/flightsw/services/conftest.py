"""A terminal that stands on the bench: its devices do as they are told and see nothing."""

import numpy as np
import pytest

from flightsw.hal import SAMPLE, Angles, Devices
from flightsw.navigation.pointing_profile import PointingAngles
from flightsw.pat.fine_loop import PARAMETERS
from flightsw.settings import TerminalSettings
from flightsw.terminal import Terminal

RATE = 1000


class StandingGimbal:
    def __init__(self):
        self.at = Angles(0.0, 0.0)

    def command(self, azimuth_rad, elevation_rad, azimuth_rate, elevation_rate):
        self.at = Angles(azimuth_rad, elevation_rad)

    def angles(self):
        return self.at


class DarkCamera:
    def enable(self, on):
        self.on = on

    def image(self):
        return None


class WatchedLaser:
    def __init__(self):
        self.on = (False, False)

    def emit(self, signal, beacon):
        self.on = (signal, beacon)


class StandingMirror:
    def command(self, x_rad, y_rad):
        self.at = (x_rad, y_rad)


class DarkLoop:
    sample_rate_hz = float(RATE)

    def configure(self, parameters):
        assert parameters.dtype == PARAMETERS

    def follow(self, trajectory):
        self.trajectory = trajectory

    def hold(self, x_rad, y_rad):
        self.held = (x_rad, y_rad)

    def close(self):
        self.closed = True

    def block(self):
        return np.zeros(RATE // 100, SAMPLE)


class StillProfile:
    def at(self, now_s):
        return PointingAngles(0.1, 0.2, 0.0, 0.0, 1e6, 3e-3, 0.0, 0.0)


@pytest.fixture
def make_terminal():
    def make(parameters=None):
        devices = Devices(StandingGimbal(), DarkCamera(), WatchedLaser(), StandingMirror(), DarkLoop())
        settings = TerminalSettings(spacecraft_id=1)
        return Terminal("alpha", settings, devices, StillProfile(), 2, "any", np.zeros((32, 32), bool), parameters)

    return make


@pytest.fixture
def terminal(make_terminal):
    return make_terminal()
