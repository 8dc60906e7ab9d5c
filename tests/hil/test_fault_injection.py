"""Faults of a scenario's timeline in the loop: each is found by its row within its time, and answered."""

import math

import numpy as np
import pytest

from flightsw.hal import LASER_HOLD_FRAMES
from flightsw.pat.modes import Mode
from flightsw.services.fault_protection import EVENTS, WATCHDOG_PERIODS
from hil.simulated import SimulatedLaser
from sim.optics import OPTICS

NAMES = {kind.name for kind in EVENTS} | {"FRAME_FAILED"}
IN_COMM_S = 8.0

#: Fault, scenario, when, row, the longest time in s until it is found, what alpha comes to.
CASES = [
    ("quad_cell_dead", "leo_crosslink", IN_COMM_S, "QUAD_CELL_INVALID", 0.06, Mode.SAFE),
    ("gimbal_encoder_dead", "leo_crosslink", IN_COMM_S, "ENCODER_INVALID", 0.06, Mode.SAFE),
    ("gimbal_stuck", "cross_plane", IN_COMM_S, "POINTING_OFF", 0.5, None),
    ("gimbal_stuck", "cross_plane", IN_COMM_S, "GIMBAL_STUCK", 10.5, Mode.STANDBY),
    ("mirror_stuck", "leo_crosslink", IN_COMM_S, "MIRROR_STUCK", 12.0, Mode.STANDBY),
    ("laser_off", "leo_crosslink", IN_COMM_S, "LASER_DARK", 0.32, None),
    ("clock_jump", "leo_crosslink", IN_COMM_S, "TIME_JUMPED", 0.01, Mode.SAFE),
    # nothing is looked for before the gimbal has arrived, after some seconds
    ("camera_dead", "leo_crosslink", 0.0, "CAMERA_SILENT", 16.0, Mode.STANDBY),
    ("point_ahead_stuck", "cross_plane", 0.0, "POINT_AHEAD_OFF", 10.12, Mode.STANDBY),
]


@pytest.fixture(scope="module")
def strike(scenario, fly):
    """Run with a fault of alpha: the engine, the outcome, and names and times of what fault protection told."""

    def run(fault, name="leo_crosslink", at_s=IN_COMM_S, lasts_s=8, *more):
        entry = {"at_s": at_s, "terminal": "alpha", "fault": fault, "duration_s": 100.0}
        timeline = [{"at_s": 0.0, "command": "acquire"}, entry, *more]
        flown = scenario(name, {"/timeline": timeline})
        engine, outcome = fly(flown, 3, int(at_s) + lasts_s)
        return engine, outcome, [(e.name, e.time_s) for who, e in outcome.events if who == "alpha" and e.name in NAMES]

    return run


def is_dark(engine):
    optics = engine._records["optics"][0]
    return not optics["signal_on"] and not optics["beacon_on"]


@pytest.mark.parametrize(("fault", "name", "at_s", "row", "longest_s", "comes_to"), CASES)
def test_a_fault_is_found_and_answered(strike, fault, name, at_s, row, longest_s, comes_to):
    engine, _, events = strike(fault, name, at_s, math.ceil(longest_s) + 2)
    # a clock that jumps tells its own time
    found_s = next(time_s for name, time_s in events if name == row) - (10.0 if fault == "clock_jump" else 0.0)
    assert at_s <= found_s <= at_s + longest_s + 1e-6
    assert min(time_s for _, time_s in events) >= at_s
    if comes_to is not None:
        assert engine.terminals[0].mode == comes_to and is_dark(engine)


def test_flight_software_that_stands_still_is_brought_to_safe_and_its_laser_is_dark_before(strike):
    engine, outcome, events = strike("frames_missed", lasts_s=4)
    assert [name for name, _ in events] == ["FRAME_LATE", "FRAME_MISSED"] and is_dark(engine)
    # the frame at the very time of the fault is the first that is missed
    assert outcome.mode_s[0][Mode.SAFE] == pytest.approx(4.0 - 0.01 * (WATCHDOG_PERIODS - 1), abs=0.0101)
    assert LASER_HOLD_FRAMES < WATCHDOG_PERIODS


def test_a_laser_that_does_not_go_dark_is_found(strike):
    standby = {"at_s": 9.0, "terminal": "alpha", "command": "standby"}
    engine, _, events = strike("laser_stuck", "leo_crosslink", IN_COMM_S, 4, standby)
    ((name, time_s),) = events
    assert name == "LASER_LIT" and 9.0 < time_s < 9.32
    assert engine.terminals[0].mode == Mode.SAFE


def test_a_simulated_laser_goes_dark_when_nobody_commands_it():
    record = np.zeros((), OPTICS)
    laser = SimulatedLaser(record)
    for _ in range(3):
        laser.emit(True, True)
        for _ in range(LASER_HOLD_FRAMES):
            laser.step()
            assert record["signal_on"] and record["beacon_on"] and laser.emits()
        laser.step()
        assert not record["signal_on"] and not record["beacon_on"] and not laser.emits()
    laser.emit(True, False)
    for _ in range(100):
        laser.step()
        laser.emit(True, False)
        assert record["signal_on"] and not record["beacon_on"]


def test_healthy_terminals_have_no_faults(scenario, fly):
    for name in ("leo_crosslink", "cross_plane", "leo_geo", "smallsat", "rough_ride"):
        _, outcome = fly(scenario(name), 300, 30)
        assert outcome.acquired_s is not None
        assert [event for _, event in outcome.events if event.name in NAMES] == [], name
