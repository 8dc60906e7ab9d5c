"""Gains that follow what the loop's own samples tell of the tones."""

import math

import numpy as np
import pytest
from scipy.linalg import expm
from scipy.special import erf

from flightsw.hal import SAMPLE
from flightsw.pat import loop_design
from flightsw.pat.fine_loop import Law
from flightsw.pat.gains import Gains, loop_conditions, quad_cell_slope
from flightsw.settings import TrackingSettings

URAD = 1e-6
RATE = 5000.0
BLOCK = 50


class Recorder:
    """Blocks of a closed loop's samples: a mirror that wanders, and drift, noise and tones on both axes."""

    def __init__(self, lines: dict[float, float], seed: int = 0, lag: int = 2) -> None:
        self.lines = lines
        self._rng = np.random.default_rng(seed)
        self._lag = lag
        self._time = 0
        self._angle = np.zeros(2)
        self._commands = np.zeros((lag, 2))

    def block(self) -> np.ndarray:
        t = (self._time + np.arange(BLOCK)) / RATE
        self._time += BLOCK
        steps = 0.5 * URAD * self._rng.standard_normal((BLOCK, 2))
        command = self._angle + np.cumsum(steps, axis=0)
        self._angle = command[-1]
        mirror = np.concatenate([self._commands, command])
        self._commands = mirror[BLOCK:]
        truth = 0.1 * URAD * self._rng.standard_normal((BLOCK, 2))
        for frequency, rms in self.lines.items():
            truth += math.sqrt(2.0) * rms * URAD * np.cos(2.0 * math.pi * frequency * t[:, None] + np.array([0.0, 1.0]))
        out = np.zeros(BLOCK, SAMPLE)
        error = truth - mirror[:BLOCK]
        out["error_x"], out["error_y"] = error.T
        out["mirror_x"], out["mirror_y"] = command.T
        out["power_w"] = 1e-8
        return out


def feed(gains: Gains, recorder: Recorder, seconds: float) -> list[float]:
    """Times in s of the blocks after which the gains had changed."""
    return [(i + 1) / 100 for i in range(round(100 * seconds)) if gains.collect(recorder.block())]


def settings(**values: object) -> TrackingSettings:
    return TrackingSettings.model_validate({"mirror_resonance_hz": None, **values})


def frequencies(gains: Gains) -> list[float]:
    return sorted(tone.frequency_hz for tone in gains.tones)


def test_lqg_learns_the_tones_and_is_designed_for_them() -> None:
    tracking = settings(law="lqg")
    gains = Gains(tracking, RATE)
    assert gains.parameters["law"] == Law.LQG
    assert (gains.parameters["modes"], gains.tones) == (1, [])
    before = gains.parameters.copy()
    assert feed(gains, Recorder({67.0: 0.8, 100.0: 0.9, 180.0: 0.6}), 5.0) == [2.5]
    assert frequencies(gains) == pytest.approx([67.0, 100.0, 180.0], abs=0.1)
    assert sorted(t.rms_rad / URAD for t in gains.tones) == pytest.approx([0.6, 0.8, 0.9], rel=0.1)
    assert gains.parameters["modes"] == 4
    real = loop_conditions(
        tracking, RATE, [loop_design.Tone(URAD, 67.0), loop_design.Tone(URAD, 100.0), loop_design.Tone(URAD, 180.0)]
    )
    deaf, told = (loop_design.evaluate(p, real).tone_rejection_db for p in (before, gains.parameters))
    assert all(after < then - 15.0 for then, after in zip(deaf, told, strict=True))


def test_as_many_tones_as_allowed_are_taken_the_strongest_first() -> None:
    gains = Gains(settings(tones_at_most=2), RATE)
    feed(gains, Recorder({67.0: 0.8, 100.0: 0.9, 180.0: 0.6}), 2.5)
    assert frequencies(gains) == pytest.approx([67.0, 100.0], abs=0.1)


def test_tones_that_stay_leave_the_gains_alone_and_tones_that_move_are_learnt_anew() -> None:
    gains, recorder = Gains(settings(), RATE), Recorder({100.0: 0.9})
    # 2.5 s of samples, 10 s of pause, and so on
    assert feed(gains, recorder, 25.0) == [2.5]
    kept = gains.parameters
    recorder.lines = {110.0: 0.9}
    assert feed(gains, recorder, 12.5) == [2.5]
    assert frequencies(gains) == pytest.approx([110.0], abs=0.1)
    assert gains.parameters is not kept


def test_tones_that_end_are_forgotten() -> None:
    gains, recorder = Gains(settings(), RATE), Recorder({100.0: 0.9})
    feed(gains, recorder, 2.5)
    recorder.lines = {}
    assert feed(gains, recorder, 12.5) == [12.5]
    assert (gains.tones, gains.parameters["modes"]) == ([], 1)


def test_a_restart_throws_half_collected_samples_away() -> None:
    gains, recorder = Gains(settings(), RATE), Recorder({100.0: 0.9})
    feed(gains, recorder, 2.0)
    gains.restart()
    assert feed(gains, recorder, 3.0) == [2.5]


@pytest.mark.parametrize(
    "values",
    [
        {"law": "integrator"},
        {"law": "lqg", "tones": []},
        {"law": "lqg", "tones": [{"frequency_hz": 67.0, "rms_urad": 0.8}]},
    ],
    ids=["integrator", "LQG without tones", "LQG with tones given"],
)
def test_what_is_not_to_be_identified_never_changes(values) -> None:
    gains = Gains(settings(**values), RATE)
    before = gains.parameters.copy()
    assert feed(gains, Recorder({100.0: 0.9}), 14.0) == []
    np.testing.assert_array_equal(gains.parameters, before)


def test_given_tones_are_in_the_design_from_the_start() -> None:
    gains = Gains(settings(tones=[{"frequency_hz": 67.0, "rms_urad": 0.8}]), RATE)
    assert (gains.tones[0].frequency_hz, gains.tones[0].rms_rad) == (67.0, pytest.approx(0.8 * URAD))
    assert gains.parameters["modes"] == 2
    turn = 2.0 * math.pi * 67.0 / RATE
    assert gains.parameters["transition"][1][0] == pytest.approx(math.cos(turn), rel=1e-4)


def test_integrator_takes_the_gain_that_is_set_and_the_best_otherwise() -> None:
    assert Gains(settings(law="integrator", integrator_gain=0.3), RATE).parameters["integral"] == 0.3
    best = Gains(settings(law="integrator", tones=[]), RATE).parameters
    assert best["integral"] == pytest.approx(0.47, abs=0.02)
    assert (best["proportional"], best["notches"]) == (0.0, 0)


def test_integrator_is_never_given_notches() -> None:
    tones = [{"frequency_hz": 700.0, "rms_urad": 2.0}]
    assert Gains(settings(law="integrator", tones=tones), RATE).parameters["notches"] == 0


def test_pi_puts_no_notch_where_its_loop_rejects_the_tone() -> None:
    gains = Gains(settings(law="pi"), RATE)
    feed(gains, Recorder({67.0: 0.8, 100.0: 0.9, 180.0: 0.6}), 2.5)
    assert len(gains.tones) == 3
    assert gains.parameters["notches"] == 0


def test_pi_puts_a_notch_where_its_loop_would_amplify_the_tone() -> None:
    tones = [{"frequency_hz": 700.0, "rms_urad": 2.0}]
    tracking = settings(law="pi", tones=tones)
    gains = Gains(tracking, RATE)
    conditions = loop_conditions(tracking, RATE, gains.tones)
    bare = loop_design.integrator(conditions, 1.0, 1.0, float(gains.parameters["integral"]))
    assert loop_design.evaluate(bare, conditions).tone_rejection_db[0] > 1.0
    assert gains.parameters["notches"] == 1
    figures = loop_design.evaluate(gains.parameters, conditions)
    assert figures.tone_rejection_db[0] == pytest.approx(0.0, abs=1e-6)
    assert figures.stable


@pytest.mark.parametrize("rate", [2000.0, 5000.0, 10_000.0])
@pytest.mark.parametrize("law", ["integrator", "pi", "lqg"])
@pytest.mark.parametrize("lines", [[67.0, 100.0, 180.0], [45.0, 130.0, 333.0, 512.0, 700.0, 900.0]], ids=["3", "6"])
def test_every_law_is_stable_whatever_tones_it_is_told(law, lines, rate) -> None:
    tracking = TrackingSettings.model_validate(
        {"law": law, "tones": [{"frequency_hz": f, "rms_urad": 1.0 + 0.1 * i} for i, f in enumerate(lines)]}
    )
    gains = Gains(tracking, rate)
    assert loop_design.evaluate(gains.parameters, loop_conditions(tracking, rate, gains.tones)).stable


def test_conditions_are_the_settings_in_si_units() -> None:
    tracking = TrackingSettings(
        drift_rms_urad=7.0,
        drift_corner_hz=2.0,
        noise_urad=0.3,
        mirror_resonance_hz=1800.0,
        mirror_damping=0.1,
        loop_delay_samples=3,
        mirror_range_urad=900.0,
    )
    conditions = loop_conditions(tracking, 4000.0, [])
    (drift,) = conditions.drifts
    plant = conditions.mirror
    assert (drift.rms_rad, drift.corner_hz) == (pytest.approx(7e-6), 2.0)
    assert (conditions.noise_rad, conditions.sample_rate_hz) == (pytest.approx(0.3e-6), 4000.0)
    assert (plant.resonance_hz, plant.damping, plant.delay_samples) == (1800.0, 0.1, 3)
    assert plant.limit_rad == pytest.approx(900e-6)


def test_slope_of_the_quad_cell_is_that_of_its_error_function() -> None:
    step = 1e-4 * 50.0 * URAD
    signal = erf(math.sqrt(2.0) * step / (50.0 * URAD))
    assert quad_cell_slope(50.0 * URAD) * signal == pytest.approx(step, rel=1e-6)


@pytest.mark.parametrize(("resonance", "damping", "delay"), [(None, 0.2, 2), (2500.0, 0.2, 2), (1200.0, 0.7, 3)])
def test_lag_is_that_of_the_mirror_behind_a_ramp(resonance, damping, delay) -> None:
    gains = Gains(
        settings(mirror_resonance_hz=resonance, mirror_damping=damping, loop_delay_samples=delay, tones=[]), RATE
    )
    samples, angle, rate = 2000, 0.0, 0.0
    if resonance is not None:
        w = 2.0 * math.pi * resonance
        over = expm(np.array([[0.0, 1.0, 0.0], [-(w**2), -2.0 * damping * w, w**2], [0.0, 0.0, 0.0]]) / RATE)
    for k in range(samples):
        command = k - delay + 1.0  # the ramp u_k = k, the drive of one sample held until the next
        angle, rate = (over @ [angle, rate, command])[:2] if resonance is not None else (command, 0.0)
    assert gains._lag() == pytest.approx(samples - angle, abs=0.03)
