"""The compiled controller: residuals of PAT.md, saturation, dropouts, readings that are not numbers."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit
from scipy.signal import lfilter

from flightsw.hal import SAMPLE
from flightsw.pat import fine_loop, loop_design
from flightsw.pat.fine_loop import Law
from flightsw.pat.loop_design import Drift, LoopConditions, MirrorDynamics, Tone

URAD = 1e-6
RATE = 5000.0
NOISE = 0.1 * URAD
OLYMPUS = math.sqrt(80.0 * math.pi / 2.0) * URAD
POLE = math.exp(-2.0 * math.pi / RATE)  # of a corner at 1 Hz
TONES = [Tone(0.8 * URAD, 67.0), Tone(0.9 * URAD, 100.0), Tone(0.6 * URAD, 180.0)]
SLOPE = 31.0 * URAD
PRESENCE = 1e-9
LIGHT = 1e-8
DARK = 1e-10
IDEAL = MirrorDynamics(None, 0.2, 2, 1500.0 * URAD)
RESONANT = MirrorDynamics(2500.0, 0.2, 2, 1500.0 * URAD)


def conditions(tones: Sequence[Tone] = (), mirror: MirrorDynamics = IDEAL) -> LoopConditions:
    return LoopConditions([Drift(OLYMPUS, 1.0)], tones, NOISE, RATE, mirror)


def integrator(gain: float, mirror: MirrorDynamics = IDEAL) -> np.ndarray:
    return loop_design.integrator(conditions((), mirror), SLOPE, PRESENCE, gain)


def lqg(tones: Sequence[Tone] = (), mirror: MirrorDynamics = IDEAL) -> np.ndarray:
    return loop_design.lqg(conditions(tones, mirror), SLOPE, PRESENCE)


def notched() -> np.ndarray:
    return loop_design.proportional_integral(conditions(), SLOPE, PRESENCE, 0.05, 0.1, [400.0, 900.0])


LAWS = [integrator(0.4), notched(), lqg(), lqg(TONES), lqg(TONES, RESONANT)]
LAW_NAMES = ["integrator", "PI with notches", "LQG", "LQG with tones", "LQG with mirror dynamics"]


def closed_state() -> np.ndarray:
    state = fine_loop.new_state()
    state["closed"] = 1
    return state


@njit
def _drive(p, s, signals, power, follow):
    commands = np.empty_like(signals)
    for k in range(len(signals)):
        commands[k] = fine_loop.step(p[0], s[0], signals[k, 0], signals[k, 1], power[k], follow[k, 0], follow[k, 1])
    return commands


def drive(p: np.ndarray, s: np.ndarray, signals: np.ndarray, power: np.ndarray | float = LIGHT, follow=(0.0, 0.0)):
    """Commands (samples, 2) that the controller answers with to quad cell signals (samples, 2)."""
    n = len(signals)
    return _drive(
        p.reshape(1),
        s.reshape(1),
        np.ascontiguousarray(signals, np.float64),
        np.broadcast_to(power, n).astype(np.float64),
        np.broadcast_to(follow, (n, 2)).astype(np.float64),
    )


@njit
def _track(p, s, limit, disturbance, noise, power):
    errors = np.empty_like(disturbance)
    commands = np.empty_like(disturbance)
    under_way = np.zeros((2, 2))  # an ideal mirror: the angle is the command of two samples ago
    for k in range(len(disturbance)):
        error = disturbance[k] - under_way[0]
        signal = (error + noise[k]) / p[0].slope_rad
        command = fine_loop.step(p[0], s[0], signal[0], signal[1], power[k], 0.0, 0.0)
        errors[k] = error
        commands[k] = command
        under_way[0] = under_way[1]
        for axis in range(2):
            under_way[1, axis] = min(max(command[axis], -limit), limit)
    return errors, commands


def track(p, disturbance, noise=None, power: np.ndarray | float = LIGHT, limit: float = math.inf, s=None):
    """Errors and commands, each (samples, 2), of the closed loop around an ideal mirror that stops at `limit`."""
    n = len(disturbance)
    return _track(
        p.reshape(1),
        (closed_state() if s is None else s).reshape(1),
        limit,
        np.ascontiguousarray(disturbance),
        np.zeros((n, 2)) if noise is None else noise,
        np.broadcast_to(power, n).astype(np.float64),
    )


def drift(rng: np.random.Generator, samples: int) -> np.ndarray:
    """A first-order process sampled exactly, started in its steady state."""
    white = rng.standard_normal((samples, 2)) * OLYMPUS
    white[1:] *= math.sqrt(1.0 - POLE**2)
    return lfilter([1.0], [1.0, -POLE], white, axis=0)


@pytest.fixture(scope="module")
def world() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Drift, tones and sensor noise, each (samples, 2) in rad, over 300 s."""
    rng = np.random.default_rng(20)
    samples = int(300 * RATE)
    phase = 2.0 * math.pi * np.arange(samples)[:, None] / RATE
    tones = np.zeros((samples, 2))
    for tone in TONES:
        tones += math.sqrt(2.0) * tone.rms_rad * np.cos(tone.frequency_hz * phase + rng.uniform(0.0, 6.28, 2))
    return drift(rng, samples), tones, NOISE * rng.standard_normal((samples, 2))


def residual(p: np.ndarray, disturbance: np.ndarray, noise: np.ndarray) -> float:
    errors, _ = track(p, disturbance, noise)
    return float(np.sqrt(np.mean(errors[int(10 * RATE) :] ** 2))) / URAD


@pytest.mark.parametrize(
    ("p", "without_tones", "with_tones"),
    [
        (integrator(0.3), 0.92, 1.11),
        (integrator(0.47), 0.871, 0.962),
        (lqg(), 0.799, 0.884),
        (lqg(TONES), 0.799, 0.813),
    ],
    ids=["integrator 0.3", "integrator 0.47", "LQG without tone model", "LQG with tone modes"],
)
def test_simulated_residuals_are_those_published(p, without_tones, with_tones, world) -> None:
    disturbance, tones, noise = world
    assert residual(p, disturbance, noise) == pytest.approx(without_tones, rel=0.02)
    assert residual(p, disturbance + tones, noise) == pytest.approx(with_tones, rel=0.02)


def test_no_law_beats_the_two_step_prediction_from_noiseless_readings(world) -> None:
    bound = math.sqrt(1.0 - POLE**4) * OLYMPUS / URAD
    assert bound == pytest.approx(0.794, abs=5e-4)
    disturbance, _, noise = world
    # the residual is white beyond two samples: its rms over 2 x 290 s is uncertain by less than 0.1 %
    assert residual(lqg(), disturbance, noise) > bound * (1.0 - 3e-3)


def test_lqg_reaches_the_two_step_prediction_from_noisy_readings(world) -> None:
    process, noise_variance = OLYMPUS**2 * (1.0 - POLE**2), NOISE**2
    linear = process - noise_variance * (1.0 - POLE**2)
    predicted = 0.5 * (linear + math.sqrt(linear**2 + 4.0 * process * noise_variance))
    filtered = predicted * noise_variance / (predicted + noise_variance)
    bound = math.sqrt(POLE**4 * filtered + (1.0 + POLE**2) * process) / URAD
    disturbance, _, noise = world
    assert residual(lqg(), disturbance, noise) == pytest.approx(bound, rel=3e-3)


def test_a_single_tone_is_cancelled_once_the_filter_has_settled(world) -> None:
    _, tones, _ = world
    errors, _ = track(lqg(TONES), tones[: int(20 * RATE)])
    assert np.sqrt(np.mean(errors[int(15 * RATE) :] ** 2)) < 0.05 * np.sqrt(np.mean(tones**2))


@pytest.mark.parametrize("p", LAWS, ids=LAW_NAMES)
def test_impulse_response_is_that_of_the_design_matrices(p) -> None:
    a, b, c, d = loop_design._controller_space(p)
    expected = [d[0, 0]]
    state = b
    # alone, without the mirror, the LQG's controller is unstable: it meets the limit after 350 samples
    for _ in range(299):
        expected.append((c @ state)[0, 0])
        state = a @ state
    impulse = np.zeros((300, 2))
    impulse[0] = 1e-3, -2e-3
    commands = drive(p, closed_state(), impulse)
    measured = SLOPE * 1e-3
    np.testing.assert_allclose(commands[:, 0], measured * np.array(expected), rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(commands[:, 1], -2.0 * measured * np.array(expected), rtol=1e-9, atol=1e-15)


def test_integrator_adds_the_gain_times_the_angle() -> None:
    commands = drive(integrator(0.3), closed_state(), np.array([[0.01, 0.0], [0.02, 0.0], [-0.01, 0.05]]))
    np.testing.assert_allclose(commands[:, 0], 0.3 * SLOPE * np.array([0.01, 0.03, 0.02]), rtol=1e-12)
    np.testing.assert_allclose(commands[:, 1], 0.3 * SLOPE * np.array([0.0, 0.0, 0.05]), rtol=1e-12)


def test_proportional_part_acts_at_once_and_is_not_kept() -> None:
    p = loop_design.proportional_integral(conditions(), SLOPE, PRESENCE, 0.25, 0.1, [])
    commands = drive(p, closed_state(), np.array([[0.01, 0.0], [0.0, 0.0]]))
    np.testing.assert_allclose(commands[:, 0], SLOPE * 0.01 * np.array([0.35, 0.1]), rtol=1e-12)


def test_a_notch_lets_nothing_of_its_frequency_through() -> None:
    p = loop_design.proportional_integral(conditions(), SLOPE, PRESENCE, 1.0, 0.0, [400.0])
    k = np.arange(4000)
    tone = 0.01 * np.stack([np.sin(2.0 * math.pi * 400.0 * k / RATE), np.cos(2.0 * math.pi * 200.0 * k / RATE)], axis=1)
    commands = drive(p, closed_state(), tone)[2000:] / SLOPE
    assert np.max(np.abs(commands[:, 0])) < 1e-8
    assert np.max(np.abs(commands[:, 1])) > 0.009


@pytest.mark.parametrize("p", LAWS, ids=LAW_NAMES)
def test_the_axes_are_alike_and_apart(p) -> None:
    rng = np.random.default_rng(2)
    signals = 0.01 * rng.standard_normal((300, 2))
    commands = drive(p, closed_state(), signals)
    swapped = drive(p, closed_state(), signals[:, ::-1])
    alone = drive(p, closed_state(), signals * [1.0, 0.0])
    np.testing.assert_array_equal(commands, swapped[:, ::-1])
    np.testing.assert_array_equal(alone[:, 0], commands[:, 0])
    np.testing.assert_array_equal(alone[:, 1], 0.0)


@settings(max_examples=60, deadline=None)
@given(
    law=st.integers(0, len(LAWS) - 1),
    closed=st.booleans(),
    limit_urad=st.floats(1e-3, 1e4),
    signals=st.lists(
        st.tuples(*[st.floats(-1e6, 1e6) | st.sampled_from([math.nan, math.inf, -math.inf])] * 2),
        min_size=1,
        max_size=40,
    ),
    power=st.sampled_from([LIGHT, DARK, math.nan]),
    follow=st.tuples(*[st.floats(-1.0, 1.0)] * 2),
)
def test_commands_stay_within_the_limit_whatever_is_read(law, closed, limit_urad, signals, power, follow) -> None:
    p = LAWS[law].copy()
    p["limit_rad"] = limit_urad * URAD
    state = fine_loop.new_state()
    state["closed"] = closed
    commands = drive(p, state, np.array(signals), power, follow)
    assert np.all(np.abs(commands) <= limit_urad * URAD)


@pytest.mark.parametrize("p", LAWS, ids=LAW_NAMES)
def test_clamped_samples_are_counted(p) -> None:
    p = p.copy()
    p["limit_rad"] = 100.0 * URAD
    state = closed_state()
    commands = drive(p, state, np.full((500, 2), [1.0, 0.0]))
    at_limit = int(np.count_nonzero(np.abs(commands).max(axis=1) >= 100.0 * URAD))
    assert at_limit > 100
    assert state["samples"] == 500
    assert state["saturated"] == at_limit


@pytest.mark.parametrize("p", [integrator(0.4), lqg(), lqg(TONES)], ids=["integrator", "LQG", "LQG with tones"])
def test_recovery_from_a_long_saturation_takes_a_few_samples(p) -> None:
    limit = 100.0 * URAD
    k = np.arange(int(2 * RATE))[:, None]
    # beyond the mirror's reach for half a second, then back to half of it within 20 ms
    back = int(RATE)
    size = np.interp(k, [0, back - 2500, back - 2400, back, back + 100], [0.5, 0.5, 3.0, 3.0, 0.5]) * limit
    disturbance = np.hstack([size, -size])

    def recovery(told: float) -> int:
        """Samples from the end of the ramp until the error stays below 5 urad; the mirror stops at its limit anyhow."""
        q = p.copy()
        q["limit_rad"] = told
        errors, _ = track(q, disturbance, limit=limit)
        assert np.max(np.abs(errors[back - 2000 : back])) == pytest.approx(2.0 * limit, rel=1e-3)
        after = np.abs(errors[back + 100 :]).max(axis=1)
        late = np.flatnonzero(after > 5.0 * URAD)
        return int(late[-1]) + 1 if len(late) else 0

    assert recovery(told=limit) <= 10
    assert recovery(told=math.inf) > 100


def test_integrator_holds_in_the_dark() -> None:
    p = notched()
    state = closed_state()
    before = drive(p, state, np.full((50, 2), 0.01))
    notch, integral = state["notch"].copy(), state["integral"].copy()
    commands = drive(p, state, np.full((100, 2), 0.3), DARK)
    np.testing.assert_array_equal(commands, np.broadcast_to(integral, (100, 2)))
    np.testing.assert_array_equal(state["notch"], notch)
    assert np.all(np.abs(before[-1] - integral) < 0.1 * integral)  # all but the proportional part


def test_lqg_coasts_along_its_drift_model_in_the_dark() -> None:
    p = lqg()
    state = closed_state()
    last = drive(p, state, np.full((50, 2), [0.01, -0.02]))[-1]
    commands = drive(p, state, np.full((200, 2), 0.3), DARK)
    np.testing.assert_allclose(commands, last * POLE ** np.arange(1, 201)[:, None], rtol=1e-9)


def test_lqg_rides_a_tone_through_a_dropout() -> None:
    k = np.arange(int(12 * RATE))[:, None]
    tone = math.sqrt(2.0) * URAD * np.cos(2.0 * math.pi * 100.0 * k / RATE + np.array([0.0, 1.0]))
    gap = slice(int(10 * RATE), int(10.05 * RATE))  # five periods
    power = np.full(len(k), LIGHT)
    power[gap] = 0.0
    coasting, _ = track(lqg([Tone(URAD, 100.0)]), tone, power=power)
    holding, _ = track(integrator(0.4), tone, power=power)
    assert np.sqrt(np.mean(coasting[gap] ** 2)) < 0.1 * URAD
    assert np.sqrt(np.mean(holding[gap] ** 2)) > 0.9 * URAD


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("where", ["x", "y", "power"])
@pytest.mark.parametrize("p", LAWS, ids=LAW_NAMES)
def test_a_reading_that_is_no_number_is_counted_and_acts_as_darkness(p, where, bad) -> None:
    rng = np.random.default_rng(3)
    signals = 0.01 * rng.standard_normal((100, 2))
    dark = np.full(100, LIGHT)
    dark[40:43] = 0.0
    spoilt, power = signals.copy(), np.full(100, LIGHT)
    if where == "power":
        power[40:43] = bad
    else:
        spoilt[40:43, "xy".index(where)] = bad
    clean_state, state = closed_state(), closed_state()
    expected = drive(p, clean_state, signals, dark)
    np.testing.assert_array_equal(drive(p, state, spoilt, power), expected)
    assert (clean_state["invalid"], state["invalid"]) == (0, 3)


def test_presence_is_the_least_light_that_is_followed() -> None:
    p = integrator(0.4)
    signals = np.full((1, 2), 0.01)
    assert np.all(drive(p, closed_state(), signals, PRESENCE) > 0.0)
    assert np.all(drive(p, closed_state(), signals, np.nextafter(PRESENCE, 0.0)) == 0.0)


@pytest.mark.parametrize("p", LAWS, ids=LAW_NAMES)
def test_open_loop_follows_the_set_point(p) -> None:
    commands = drive(p, fine_loop.new_state(), np.full((20, 2), 0.1), follow=(3e-4, -2e-4))
    np.testing.assert_array_equal(commands, np.broadcast_to([3e-4, -2e-4], (20, 2)))


def test_integrator_closes_from_where_the_mirror_is() -> None:
    p, state = integrator(0.4), fine_loop.new_state()
    drive(p, state, np.zeros((5, 2)), follow=(3e-4, -2e-4))
    state["closed"] = 1
    np.testing.assert_array_equal(drive(p, state, np.zeros((1, 2))), [[3e-4, -2e-4]])


def test_lqg_that_watched_with_the_loop_open_closes_without_a_transient(world) -> None:
    _, tones, _ = world
    p, opened = lqg(TONES), int(10 * RATE)
    watching = fine_loop.new_state()
    drive(p, watching, tones[:opened] / SLOPE)
    watching["closed"] = 1
    after = tones[opened : opened + int(0.1 * RATE)]
    errors, _ = track(p, after, s=watching)
    unprepared, _ = track(p, after)
    tail = slice(2, None)  # the mirror needs two samples to get there
    assert np.sqrt(np.mean(errors[tail] ** 2)) < 0.1 * np.sqrt(np.mean(unprepared[tail] ** 2))


def test_load_keeps_the_drift_and_starts_changed_tones_from_rest() -> None:
    old = lqg([Tone(URAD, 67.0), Tone(URAD, 100.0)])
    new = lqg([Tone(URAD, 67.0), Tone(URAD, 120.0), Tone(URAD, 180.0)])
    parameters, state = old.copy(), closed_state()
    drive(parameters, state, 0.01 * np.random.default_rng(5).standard_normal((100, 2)))
    before = state.copy()
    assert np.all(before["mode"][:, :3, 0] != 0.0)
    fine_loop.load(parameters, state, new)
    np.testing.assert_array_equal(parameters, new)
    np.testing.assert_array_equal(state["mode"][:, :2], before["mode"][:, :2])
    np.testing.assert_array_equal(state["mode"][:, 2:], 0.0)
    for kept in ("closed", "mirror", "sent", "integral", "samples"):
        np.testing.assert_array_equal(state[kept], before[kept])


def test_load_changes_one_loop_of_several_in_place() -> None:
    parameters, states = np.stack([lqg(TONES), lqg(TONES)]), np.zeros(2, fine_loop.STATE)
    states["mode"] = 1.0
    fine_loop.load(parameters[1:].reshape(()), states[1:].reshape(()), lqg(TONES[:1]))
    assert (parameters[0]["modes"], parameters[1]["modes"]) == (4, 2)
    np.testing.assert_array_equal(states["mode"][0], 1.0)
    np.testing.assert_array_equal(states["mode"][1, :, :2], 1.0)
    np.testing.assert_array_equal(states["mode"][1, :, 2:4], 0.0)


def test_changing_the_law_under_way_does_not_move_the_mirror() -> None:
    parameters, state = lqg(), closed_state()
    last = drive(parameters, state, np.full((100, 2), [0.01, -0.02]))[-1]
    fine_loop.load(parameters, state, integrator(0.4))
    assert parameters["law"] == Law.PI
    np.testing.assert_allclose(drive(parameters, state, np.zeros((1, 2)))[0], last, rtol=1e-12)


def block(rng: np.random.Generator, samples: int = 100) -> np.ndarray:
    out = np.zeros(samples, SAMPLE)
    for name in ("error_x", "error_y", "mirror_x", "mirror_y"):
        out[name] = rng.normal(1e-6, 3e-6, samples)
    out["power_w"] = rng.uniform(0.0, 4e-9, samples)
    return out


def test_summary_of_a_block_is_that_of_numpy() -> None:
    samples = block(np.random.default_rng(6))
    lit = samples["power_w"] >= PRESENCE
    assert 10 < np.count_nonzero(lit) < 100
    expected = [
        np.mean(lit),
        *(np.sqrt(np.mean(samples[name][lit].astype(float) ** 2)) for name in ("error_x", "error_y")),
        *(np.mean(samples[name].astype(float)) for name in ("mirror_x", "mirror_y", "power_w")),
    ]
    *numbers, invalid = fine_loop.summarise(samples, PRESENCE)
    np.testing.assert_allclose(numbers, expected, rtol=1e-6)
    assert invalid is False


def test_summary_of_a_dark_block_has_no_error() -> None:
    samples = block(np.random.default_rng(7))
    samples["power_w"] = DARK
    assert fine_loop.summarise(samples, PRESENCE)[:3] == (0.0, 0.0, 0.0)


@pytest.mark.parametrize("name", ["error_x", "error_y", "power_w"])
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_summary_reports_a_reading_that_is_no_number_and_leaves_it_out(name, bad) -> None:
    samples = block(np.random.default_rng(8))
    samples["power_w"] = LIGHT
    rest = samples[np.arange(100) != 17]
    samples[name][17] = bad
    lit, rms_x, rms_y, *_, invalid = fine_loop.summarise(samples, PRESENCE)
    assert invalid is True
    assert lit == pytest.approx(0.99)
    assert rms_x == pytest.approx(np.sqrt(np.mean(rest["error_x"].astype(float) ** 2)), rel=1e-6)
    assert rms_y == pytest.approx(np.sqrt(np.mean(rest["error_y"].astype(float) ** 2)), rel=1e-6)
