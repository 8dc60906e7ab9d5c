"""The gimbal's servo, against the closed forms of a limited slew, of dry friction and of a second-order system."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit
from pydantic import ValidationError

from sim.gimbal import GimbalModel, new_gimbal, step

RATE_HZ = 5_000.0
URAD = 1e-6
STEP_22_BITS = 2.0 * math.pi / 2**22  # 1.5 urad
BANDWIDTH = 2.0 * math.pi * 4.0
DAMPING = 0.8
SPEED, ACCELERATION = math.radians(5.0), math.radians(10.0)  # the default limits
FINE = {"encoder_bits": 32, "friction_mrad_s2": 0.0}


@njit
def _run(g, out):
    for k in range(len(out)):
        step(g)
        for axis in range(2):
            out[k, axis, 0] = g.angle[axis]
            out[k, axis, 1] = g.rate[axis]
            out[k, axis, 2] = g.reading[axis]
            out[k, axis, 3] = g.command[axis]


class Run:
    """Angle, rate, reading and command of one axis after each sample."""

    def __init__(self, gimbal: np.void, seconds: float, rate_hz: float = RATE_HZ, axis: int = 0) -> None:
        out = np.empty((round(seconds * rate_hz), 2, 4))
        _run(gimbal, out)
        self.angle, self.rate, self.reading, self.command = out[:, axis].T
        self.time = np.arange(1, len(out) + 1) / rate_hz


def gimbal(
    command: float = 0.0, command_rate: float = 0.0, axis: int = 0, rate_hz: float = RATE_HZ, **kinds
) -> np.void:
    record = new_gimbal(GimbalModel(**kinds), rate_hz)[()]
    record["command"][axis] = command
    record["command_rate"][axis] = command_rate
    return record


def last_outside(run: Run, target: float, tolerance: float) -> float:
    """Time in s after which the angle stays within `tolerance` of `target`."""
    return float(run.time[np.flatnonzero(np.abs(run.angle - target) > tolerance)[-1]])


# slews


@pytest.mark.parametrize("distance", [0.1, 0.5, 2.0])
def test_long_slew_takes_the_time_of_its_profile(distance):
    """Full acceleration to the rate limit, then braking at half the limit: v^2 = a e at a distance e from the end."""
    near = 5e-3
    found = last_outside(Run(gimbal(distance), distance / SPEED + 2.0), distance, near)
    profile = distance / SPEED + 1.5 * SPEED / ACCELERATION - 2.0 * math.sqrt(near / ACCELERATION)
    # the rate loop follows its set-point 1 / damping = 25 ms late, a few times over a slew
    assert found == pytest.approx(profile, abs=2.0 / (2.0 * DAMPING * BANDWIDTH))
    fastest_possible = distance / SPEED + SPEED / ACCELERATION - math.sqrt(2.0 * near / ACCELERATION)
    assert found >= fastest_possible


def test_long_slew_settles_within_a_quarter_of_a_second_of_the_time_optimal_trapezoid():
    distance = 0.5
    trapezoid = distance / SPEED + SPEED / ACCELERATION
    settled = last_outside(Run(gimbal(distance), 9.0), distance, 30.0 * URAD)
    assert trapezoid <= settled < trapezoid + 0.25


def test_short_slew_is_limited_by_acceleration():
    distance = 0.02  # the rate limit is reached only from 2 v^2 / a = 44 mrad on
    run = Run(gimbal(distance), 3.0)
    # up at a, down at a / 2: the peak speed v has v^2 / (2 a) + v^2 / a = distance
    assert run.rate.max() == pytest.approx(math.sqrt(2.0 / 3.0 * ACCELERATION * distance), rel=0.05)
    assert last_outside(run, distance, 1e-4) > 2.0 * math.sqrt(distance / ACCELERATION)


@pytest.mark.parametrize("distance", [1e-3, 0.01, 0.1, 0.5])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_slew_overshoots_by_less_than_a_pixel_of_the_camera(distance, sign):
    run = Run(gimbal(sign * distance), distance / SPEED + 2.0)
    assert (sign * run.angle - distance).max() < 30.0 * URAD


def test_both_axes_slew_alike_and_apart():
    still = Run(gimbal(0.1, axis=1), 1.0, axis=0)
    moving = Run(gimbal(0.1, axis=1), 1.0, axis=1)
    assert not still.angle.any()
    assert (moving.angle == Run(gimbal(0.1, axis=0), 1.0, axis=0).angle).all()


@given(
    st.lists(st.tuples(st.floats(-3, 3), st.floats(-0.3, 0.3)), min_size=1, max_size=8),
    st.floats(0.01, 30.0),
    st.floats(0.1, 100.0),
    st.floats(0.2, 20.0),
    st.floats(0.0, 50.0),
)
@settings(deadline=None, max_examples=60)
def test_rate_and_acceleration_stay_within_their_limits(commands, speed, acceleration, bandwidth, friction):
    record = gimbal(
        rate_limit_deg_s=speed,
        acceleration_limit_deg_s2=acceleration,
        bandwidth_hz=bandwidth,
        friction_mrad_s2=friction,
    )
    runs = []
    for angle, rate in commands:
        record["command"][0], record["command_rate"][0] = angle, rate
        runs.append(Run(record, 0.2))
    rates = np.concatenate([[0.0], *(run.rate for run in runs)])
    angles = np.concatenate([[0.0], *(run.angle for run in runs)])
    assert np.abs(rates).max() <= math.radians(speed) * (1.0 + 1e-12)
    # friction helps the motor to brake
    limit = math.radians(acceleration) + friction * 1e-3
    assert np.abs(np.diff(rates)).max() * RATE_HZ <= limit * (1.0 + 1e-9)
    np.testing.assert_allclose(np.diff(angles) * RATE_HZ, rates[1:], atol=1e-9)


# small motions


def test_small_step_is_that_of_a_second_order_system_with_the_stated_bandwidth():
    rate = 50_000.0
    run = Run(gimbal(10.0 * URAD, rate_hz=rate, **FINE), 0.5, rate)
    w, wd = BANDWIDTH, BANDWIDTH * math.sqrt(1.0 - DAMPING**2)
    shape = np.cos(wd * run.time) + DAMPING * w / wd * np.sin(wd * run.time)
    expected = 1.0 - np.exp(-DAMPING * w * run.time) * shape
    # the Euler step of 20 us is 1/2000 of 1 / w
    np.testing.assert_allclose(run.angle / (10.0 * URAD), expected, atol=1e-3)


@pytest.mark.parametrize("ramp", [1e-4, 1e-3, 2e-2, -2e-2])
def test_ramp_is_tracked_with_the_lag_that_friction_leaves(ramp):
    friction = 20e-3
    run = Run(gimbal(0.0, ramp, friction_mrad_s2=20.0, encoder_bits=28), 4.0)
    assert run.command[-1] == pytest.approx(4.0 * ramp, rel=1e-9)
    late = run.time > 3.0
    lag = (run.command - run.angle)[late].mean() * math.copysign(1.0, ramp)
    # the reading that the servo uses is one sample old
    expected = friction / BANDWIDTH**2 - abs(ramp) / RATE_HZ
    assert lag == pytest.approx(expected, abs=0.05 * URAD)
    assert run.rate[late].mean() == pytest.approx(ramp, rel=1e-3)


def test_ramp_is_tracked_without_lag_when_there_is_no_friction():
    run = Run(gimbal(0.0, 1e-3, **FINE), 4.0)
    assert (run.command - run.angle)[-1] == pytest.approx(-1e-3 / RATE_HZ, abs=1e-9)


# friction and encoder


@given(st.floats(-0.02, 0.02), st.sampled_from([0.2, 5.0, 20.0]), st.sampled_from([16, 22, 26]))
@settings(deadline=None, max_examples=30)
def test_standing_error_is_bounded_by_friction_and_the_encoder(target, friction, bits):
    run = Run(gimbal(target, friction_mrad_s2=friction, encoder_bits=bits), 3.0)
    bound = friction * 1e-3 / BANDWIDTH**2 + math.pi / 2**bits
    assert abs(run.angle[-1] - target) <= bound + 1e-9


def test_step_within_the_dead_band_of_friction_moves_nothing_and_one_beyond_it_does():
    dead = 20e-3 / BANDWIDTH**2  # 31.7 urad
    assert not Run(gimbal(0.98 * dead, friction_mrad_s2=20.0), 0.2).angle.any()
    assert Run(gimbal(1.02 * dead + STEP_22_BITS, friction_mrad_s2=20.0), 0.2).angle.any()


def test_friction_that_holds_more_than_an_encoder_step_brings_the_gimbal_to_a_dead_stop():
    run = Run(gimbal(0.01, friction_mrad_s2=20.0), 3.0)
    late = run.time > 2.0
    assert np.ptp(run.angle[late]) == 0.0
    assert not run.rate[late].any()


@pytest.mark.parametrize("part", [0.0, 0.25, 0.5, 0.9])
def test_gimbal_comes_to_rest_without_hunting_between_encoder_steps(part):
    run = Run(gimbal((1_000.0 + part) * STEP_22_BITS), 4.0)
    assert np.ptp(run.angle[run.time > 3.0]) < 0.1 * STEP_22_BITS


@pytest.mark.parametrize("bits", [10, 16, 22])
def test_reading_is_the_nearest_whole_step_of_the_encoder(bits):
    quantum = 2.0 * math.pi / 2**bits
    run = Run(gimbal(0.123, encoder_bits=bits, park_azimuth_deg=-1.0), 3.0)
    whole = run.reading / quantum
    np.testing.assert_allclose(whole, np.round(whole), atol=1e-6)
    assert np.abs(run.reading - run.angle).max() <= 0.5 * quantum * (1.0 + 1e-9)
    assert np.ptp(run.reading) > 0.12


def test_gimbal_starts_parked_with_a_reading_that_its_encoder_can_give():
    model = GimbalModel(park_azimuth_deg=30.001, park_elevation_deg=-12.345, encoder_bits=12)
    record = new_gimbal(model, RATE_HZ)
    park = np.radians([30.001, -12.345])
    assert record["angle"] == pytest.approx(park)
    assert record["command"] == pytest.approx(park)
    assert record["reading"] == pytest.approx(np.round(park / (math.pi / 2**11)) * math.pi / 2**11)
    assert not record["rate"].any()


# what is refused


@pytest.mark.parametrize(
    "wrong",
    [
        {"rate_limit_deg_s": 0.0},
        {"rate_limit_deg_s": math.inf},
        {"acceleration_limit_deg_s2": 0.0},
        {"bandwidth_hz": 0.0},
        {"encoder_bits": 9},
        {"encoder_bits": 33},
        {"friction_mrad_s2": -0.1},
        {"park_azimuth_deg": math.nan},
        {"park_elevation_deg": math.inf},
        {"backlash_urad": 1.0},
    ],
    ids=str,
)
def test_model_refuses(wrong):
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        GimbalModel(**wrong)
