"""The laser outside of the modes that emit, and the mirror beyond its range: not with any command."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from flightsw.interlock import LaserInterlock, LimitedFineLoop
from flightsw.pat.modes import Mode, ModeManager
from flightsw.settings import TerminalSettings

LIMIT = 1e-3


class Recorded:
    def __init__(self):
        self.told = []

    def emit(self, *beams):
        self.told.append(beams)

    def follow(self, trajectory):
        self.told.append(trajectory)

    def hold(self, *angles):
        self.told.append(np.array(angles))


@pytest.mark.parametrize("beams", [(True, True), (True, False), (False, True), (False, False)])
@pytest.mark.parametrize("mode", list(Mode))
def test_light_leaves_in_the_modes_that_emit_alone_and_never_while_inhibited(mode, beams):
    modes = ModeManager(TerminalSettings(spacecraft_id=1))
    laser = Recorded()
    interlock = LaserInterlock(laser, modes)
    modes.mode = mode
    interlock.emit(*beams)
    dark = mode in (Mode.STANDBY, Mode.POINT, Mode.SAFE)
    assert laser.told[-1] == ((False, False) if dark else beams)
    assert interlock.lit == any(laser.told[-1])
    interlock.inhibited = True
    interlock.emit(*beams)
    assert laser.told[-1] == (False, False) and not interlock.lit


angles = st.floats(allow_nan=True, allow_infinity=True) | st.floats(-2 * LIMIT, 2 * LIMIT)


@given(arrays.arrays(np.float64, (5, 2), elements=angles), angles, angles)
def test_the_mirror_is_sent_nowhere_beyond_its_range(trajectory, x, y):
    for asked, command in ((trajectory, "follow"), (np.array([x, y]), "hold")):
        device = Recorded()
        loop = LimitedFineLoop(device, LIMIT)
        if command == "follow":
            loop.follow(asked)
        else:
            loop.hold(*asked.tolist())
        (told,) = device.told
        within = np.abs(asked) <= LIMIT
        assert np.array_equal(told[within], asked[within])
        assert loop.beyond == (not within.all())
        beyond = ~within & ~np.isnan(asked)
        if command == "follow":
            assert np.array_equal(told[beyond], np.copysign(LIMIT, asked[beyond]))
        assert (np.abs(told) <= LIMIT).all()


def test_an_angle_within_the_range_is_no_fault():
    loop = LimitedFineLoop(Recorded(), LIMIT)
    loop.hold(LIMIT, -LIMIT)
    assert not loop.beyond
    loop.hold(0.0, math.nan)
    assert loop.beyond
