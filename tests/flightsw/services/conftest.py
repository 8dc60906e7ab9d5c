"""A terminal that stands on the bench: its devices do as they are told and see what a test shows them."""

import math

import numpy as np
import pytest

from flightsw.hal import SAMPLE, Angles, Devices, Image
from flightsw.navigation.pointing_profile import PointingAngles
from flightsw.pat.fine_loop import PARAMETERS
from flightsw.settings import TerminalSettings
from flightsw.terminal import Terminal

RATE = 1000
PIXELS = 32
PIXEL_RAD = 30e-6


class StandingGimbal:
    """off: of the encoder from the command, or NaN; broken: it does not answer."""

    def __init__(self):
        self.at = Angles(0.0, 0.0)
        self.off = 0.0
        self.broken = False

    def command(self, azimuth_rad, elevation_rad, azimuth_rate, elevation_rate):
        self.at = Angles(azimuth_rad, elevation_rad)

    def angles(self):
        if self.broken:
            raise ValueError("no answer")
        return Angles(self.at.azimuth_rad, self.at.elevation_rad + self.off)


class StaringCamera:
    """spot: where light is, in pixels right of the middle, or None for the dark; dead: no images."""

    def __init__(self):
        self.on = self.dead = False
        self.spot = None

    def enable(self, on):
        self.on = on

    def image(self):
        if self.dead or not self.on:
            return None
        pixels = np.zeros((PIXELS, PIXELS), np.float32)
        if self.spot is not None:
            column = PIXELS // 2 + self.spot
            pixels[PIXELS // 2 - 1 : PIXELS // 2 + 1, column - 1 : column + 1] = 20_000.0
        return Image(pixels, 0.0)


class WatchedLaser:
    """dead: never shines; leaks: always does, whatever it is told."""

    def __init__(self):
        self.on = (False, False)
        self.dead = self.leaks = False

    def emit(self, signal, beacon):
        self.on = (signal, beacon)

    def emits(self):
        return self.leaks or (any(self.on) and not self.dead)


class StandingMirror:
    """off: of its sensor from the command, in rad."""

    def __init__(self):
        self.at = (0.0, 0.0)
        self.off = 0.0

    def command(self, x_rad, y_rad):
        self.at = (x_rad, y_rad)

    def lead(self):
        return self.at[0] + self.off, self.at[1]


class StandingLoop:
    """samples: what it returns in each frame; asked: the largest set-point of all, in rad."""

    sample_rate_hz = float(RATE)

    def __init__(self):
        self.samples = np.zeros(RATE // 100, SAMPLE)
        self.asked = 0.0
        self.held = None
        self.closed = False

    def configure(self, parameters):
        assert parameters.dtype == PARAMETERS

    def follow(self, trajectory):
        largest = float(np.abs(trajectory).max())
        self.asked = max(self.asked, math.inf if math.isnan(largest) else largest)
        self.held, self.closed = None, False

    def hold(self, x_rad, y_rad):
        self.follow(np.array([[x_rad, y_rad]]))
        self.held = (x_rad, y_rad)

    def close(self):
        self.held, self.closed = None, True

    def block(self):
        return self.samples


class StillProfile:
    def at(self, now_s):
        return PointingAngles(0.1, 0.2, 0.0, 0.0, 1e6, 3e-3, 1e-5, 0.0)


@pytest.fixture
def make_terminal():
    def make(parameters=None, settings=None):
        devices = Devices(StandingGimbal(), StaringCamera(), WatchedLaser(), StandingMirror(), StandingLoop())
        settings = TerminalSettings(spacecraft_id=1) if settings is None else settings
        hot = np.zeros((PIXELS, PIXELS), bool)
        return Terminal("alpha", settings, devices, StillProfile(), 2, "any", hot, parameters)

    return make


@pytest.fixture
def terminal(make_terminal):
    return make_terminal()
