"""The steering mirror, against closed forms of a second-order system held between samples."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit
from pydantic import ValidationError
from scipy.stats import kstest

from sim.mirror import DELAY, MirrorModel, new_mirror, step

URAD = 1e-6
PLAIN = {"delay_samples": 1, "dac_bits": None, "slew_rad_s": 1e9}
IDEAL = PLAIN | {"resonance_hz": None}


@njit
def _run(m, commands, out):
    for k in range(len(out)):
        step(m, commands[k, 0], commands[k, 1])
        out[k, 0] = m.angle[0]
        out[k, 1] = m.angle[1]


def run(mirror: np.void, commands: np.ndarray) -> np.ndarray:
    """Angles after each command, in rad; one axis given drives both, the second with the opposite sign."""
    if commands.ndim == 1:
        commands = np.column_stack([commands, -commands])
    out = np.empty(commands.shape)
    _run(mirror, np.ascontiguousarray(commands, dtype=np.float64), out)
    return out


def mirror(rate_hz: float = 10_000.0, **kinds) -> np.void:
    return new_mirror(MirrorModel(**kinds), rate_hz)[()]


def second_order_step(t: np.ndarray, resonance_hz: float, damping: float) -> np.ndarray:
    w = 2.0 * math.pi * resonance_hz
    if damping == 1.0:
        return 1.0 - np.exp(-w * t) * (1.0 + w * t)
    spread = np.sqrt(complex(damping**2 - 1.0))
    a, b = w * (-damping + spread), w * (-damping - spread)
    return np.real(1.0 + (b * np.exp(a * t) - a * np.exp(b * t)) / (a - b))


# dynamics


@pytest.mark.parametrize("damping", [0.05, 0.2, 1.0, 2.0])
@pytest.mark.parametrize("rate_hz", [5_000.0, 50_000.0])
def test_step_response_is_exact_at_every_sample(damping, rate_hz):
    found = run(mirror(rate_hz, damping=damping, resonance_hz=2_500.0, **PLAIN), np.full(200, 100.0 * URAD))
    t = np.arange(1, 201) / rate_hz
    expected = 100.0 * URAD * second_order_step(t, 2_500.0, damping)
    np.testing.assert_allclose(found, np.column_stack([expected, -expected]), atol=1e-10 * URAD, rtol=1e-9)


@pytest.mark.parametrize("damping", [0.1, 0.2, 0.7])
@pytest.mark.parametrize("tone_hz", [100.0, 1_000.0, 2_500.0, 5_000.0])
def test_amplitude_and_phase_at_a_tone_are_those_of_the_transfer_function(damping, tone_hz):
    rate = 20_000.0
    t = np.arange(8_000) / rate
    m = mirror(rate, damping=damping, resonance_hz=2_500.0, **PLAIN)
    out = run(m, 10.0 * URAD * np.sin(2.0 * np.pi * tone_hz * t))[4_000:, 0]  # the start has died out to exp(-300)
    t = t[4_000:] + 1.0 / rate
    found = 2.0 * np.mean(out * np.exp(-2j * np.pi * tone_hz * t)) / (10.0 * URAD / 1j)

    # a command held between samples is the tone and its images, each of which the mirror answers
    images = tone_hz + rate * np.arange(-5_000, 5_001)
    ratio = images / 2_500.0
    response = 1.0 / (1.0 - ratio**2 + 2j * damping * ratio)
    held = (1.0 - np.exp(-2j * np.pi * tone_hz / rate)) / (2j * np.pi * images / rate)
    assert found == pytest.approx((response * held).sum(), rel=1e-8)


def test_gain_at_resonance_is_one_over_twice_the_damping():
    t = np.arange(100_000) / 1e6
    out = run(mirror(1e6, damping=0.1, resonance_hz=2_500.0, **PLAIN), 10.0 * URAD * np.sin(2.0 * np.pi * 2_500.0 * t))
    assert out[50_000:].max() / (10.0 * URAD) == pytest.approx(5.0, rel=1e-4)


def test_mirror_without_resonance_is_where_it_is_told_to_be():
    commands = np.random.default_rng(1).uniform(-1.0, 1.0, (50, 2)) * 1e-3
    assert (run(mirror(**IDEAL), commands) == commands).all()


@pytest.mark.parametrize("delay", [1, 2, 3, DELAY])
def test_delay_is_in_whole_samples_and_one_is_the_sample_itself(delay):
    commands = np.random.default_rng(2).uniform(-1.0, 1.0, (50, 2)) * 1e-3
    found = run(mirror(**(IDEAL | {"delay_samples": delay})), commands)
    assert (found[delay - 1 :] == commands[: len(commands) - delay + 1]).all()
    assert not found[: delay - 1].any()


def test_delay_shifts_the_response_of_a_resonant_mirror_and_changes_nothing_else():
    commands = np.random.default_rng(3).uniform(-1.0, 1.0, (100, 2)) * 1e-4
    prompt = run(mirror(**PLAIN), commands)
    late = run(mirror(**(PLAIN | {"delay_samples": 4})), commands)
    np.testing.assert_allclose(late[3:], prompt[:-3], atol=1e-18)


# limits


def test_command_beyond_the_range_is_cut_to_it_and_counted_once_an_axis():
    m = mirror(**(IDEAL | {"range_urad": 1_500.0}))
    commands = np.array([[1_500.0, -1_500.0], [1_501.0, 0.0], [-9_000.0, 1_600.0], [10.0, -20.0]]) * URAD
    found = run(m, commands) / URAD
    assert found == pytest.approx(np.array([[1_500.0, -1_500.0], [1_500.0, 0.0], [-1_500.0, 1_500.0], [10.0, -20.0]]))
    assert m["beyond"] == 3


anything = st.one_of(st.floats(-0.01, 0.01), st.sampled_from([math.nan, math.inf, -math.inf, 1e300, 0.0]))


@given(
    st.lists(st.tuples(anything, anything), min_size=1, max_size=60),
    st.sampled_from([None, 300.0, 2_500.0, 20_000.0]),
    st.floats(0.01, 3.0),
    st.floats(0.1, 1e4),
    st.integers(1, DELAY),
    st.sampled_from([None, 8, 16]),
)
@settings(deadline=None)
def test_mirror_never_leaves_its_range_nor_exceeds_its_slew_rate(commands, resonance, damping, slew, delay, bits):
    m = mirror(resonance_hz=resonance, damping=damping, slew_rad_s=slew, delay_samples=delay, dac_bits=bits)
    found = run(m, np.array(commands))
    assert (np.abs(found) <= 1_500.0 * URAD).all()
    moved = np.diff(found, axis=0, prepend=0.0)
    assert (np.abs(moved) <= slew / 10_000.0 + 1e-12).all()
    outside = sum(not abs(value) <= 1_500.0 * URAD for pair in commands for value in pair)
    assert m["beyond"] == outside


def test_large_step_takes_the_time_that_the_slew_rate_gives():
    m = mirror(**(IDEAL | {"slew_rad_s": 0.5}))  # 50 urad a sample
    found = run(m, np.full(30, 1_000.0 * URAD))[:, 0] / URAD
    assert found == pytest.approx(np.minimum(50.0 * np.arange(1, 31), 1_000.0))


def test_converter_rounds_to_the_nearest_of_its_steps():
    m = mirror(**(IDEAL | {"dac_bits": 10, "range_urad": 512.0}))  # steps of 1 urad
    commands = np.linspace(-512.0, 512.0, 4_001)
    found = run(m, commands * URAD)[:, 0] / URAD
    assert found == pytest.approx(np.floor(commands + 0.5), abs=1e-9)
    assert m["beyond"] == 0


def test_converter_error_is_uniform_over_one_step():
    step_urad = 2.0 * 1_500.0 / 2**16
    commands = np.random.default_rng(4).uniform(-1_000.0, 1_000.0, 20_000)
    error = run(mirror(**(IDEAL | {"dac_bits": 16})), commands * URAD)[:, 0] / URAD - commands
    assert kstest(error, "uniform", args=(-0.5 * step_urad, step_urad)).pvalue > 1e-4


# faults


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_command_that_is_no_number_leaves_the_last_one_in_force_on_that_axis_alone(bad):
    m = mirror(**(IDEAL | {"dac_bits": 16}))
    before = run(m, np.array([[300.0, -200.0]]) * URAD)[0]
    after = run(m, np.array([[bad, 100.0]]) * np.array([1.0, URAD]))[0]
    assert after[0] == before[0]
    assert after[1] == pytest.approx(100.0 * URAD, abs=0.03 * URAD)
    assert m["beyond"] == 1


def test_stuck_mirror_stays_and_once_free_follows_the_newest_command():
    m = mirror(**IDEAL)
    run(m, np.array([[300.0, -200.0]]) * URAD)
    m["stuck"] = 1
    assert run(m, np.full((5, 2), 700.0 * URAD)) / URAD == pytest.approx(np.tile([300.0, -200.0], (5, 1)))
    m["stuck"] = 0
    assert run(m, np.full((1, 2), 650.0 * URAD)) / URAD == pytest.approx(np.full((1, 2), 650.0))


def test_mirror_starts_centred_and_stays_there():
    assert not run(mirror(), np.zeros((20, 2))).any()


# what is refused


@pytest.mark.parametrize(
    "wrong",
    [
        {"range_urad": 0.0},
        {"range_urad": math.inf},
        {"resonance_hz": 0.0},
        {"damping": 0.0},
        {"damping": math.nan},
        {"slew_rad_s": 0.0},
        {"dac_bits": 7},
        {"dac_bits": 25},
        {"dac_bits": 16.5},
        {"delay_samples": 0},
        {"delay_samples": DELAY + 1},
        {"range_mrad": 1.5},
    ],
    ids=str,
)
def test_model_refuses(wrong):
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        MirrorModel(**wrong)
