"""Keys and distributions of campaigns, against closed forms of their moments."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flightsw.errors import ConfigError
from hil.variation import assignment, distribution, require_keys, values, with_values

ERROR = "both.hardware.platform.initial_error_urad"


def drawn(text, count=4000):
    draw = distribution("key", text)
    rng = np.random.default_rng(1)
    return [draw(rng) for _ in range(count)]


def test_a_normal_distribution_has_its_mean_and_sigma():
    sample = drawn("normal(200, 30)")
    # four standard errors
    assert np.mean(sample) == pytest.approx(200.0, abs=4 * 30 / math.sqrt(4000))
    assert np.std(sample) == pytest.approx(30.0, abs=4 * 30 / math.sqrt(8000))


def test_a_uniform_distribution_has_its_mean_and_stays_within():
    sample = drawn("uniform(-1, 3)")
    assert -1.0 <= min(sample) < -0.98 and 2.98 < max(sample) <= 3.0
    assert np.mean(sample) == pytest.approx(1.0, abs=4 * 4 / math.sqrt(12 * 4000))


def test_a_loguniform_distribution_has_as_many_below_the_geometric_mean_as_above():
    sample = drawn("loguniform(1e-3, 10)")
    assert min(sample) >= 1e-3 and max(sample) <= 10.0
    assert np.mean(np.array(sample) < 0.1) == pytest.approx(0.5, abs=4 * 0.5 / math.sqrt(4000))


@pytest.mark.parametrize(
    ("text", "among"),
    [
        ("choice(1, 2, 3)", {1, 2, 3}),
        ("choice(1, 2.5)", {1.0, 2.5}),
        ("choice(lqg, pi)", {"lqg", "pi"}),
        ("choice(true, false)", {True, False}),
        ("7", {7}),
        ("spiral", {"spiral"}),
    ],
)
def test_a_choice_or_a_constant_takes_each_of_its_values_and_no_other(text, among):
    sample = drawn(text, 200)
    assert set(sample) == among
    assert {type(value) for value in sample} == {type(value) for value in among}


@pytest.mark.parametrize(
    "text",
    [
        "normal(1)",
        "normal(1, 0)",
        "normal(1, -2)",
        "normal(a, b)",
        "uniform(2, 1)",
        "uniform(1, inf)",
        "uniform(-1e308, 1e308)",
        "loguniform(0, 1)",
        "loguniform(-1, 1)",
        "gauss(0, 1)",
        "choice()",
        "choice(1, x)",
        "choice(1, true)",
        "nan",
        "normal(1, 2",
        "",
    ],
)
def test_an_impossible_distribution_is_refused_with_its_key(text):
    with pytest.raises(ConfigError, match=r"^some\.key: expected ") as caught:
        distribution("some.key", text)
    assert "\n" not in str(caught.value)


@given(st.text() | st.from_regex(r"(normal|uniform|loguniform|choice)\([-0-9.e, a-z]*\)", fullmatch=True))
def test_any_text_draws_values_or_is_refused(text):
    try:
        draw = distribution("key", text)
    except ConfigError:
        return
    value = draw(np.random.default_rng(0))
    assert isinstance(value, bool | int | float | str)
    assert not isinstance(value, float) or math.isfinite(value)


@given(st.lists(st.floats(-1e12, 1e12), min_size=1) | st.lists(st.integers(-(10**12), 10**12), min_size=1))
def test_values_are_those_that_were_written(numbers):
    assert values("key", ",".join(map(repr, numbers))) == numbers


@pytest.mark.parametrize("text", ["key", "=1", "key=", ""])
def test_an_assignment_without_both_sides_is_refused(text):
    with pytest.raises(ConfigError, match=r"^--vary .*: expected KEY=1"):
        assignment("--vary", text, "KEY=1")


def test_both_sets_both_terminals_and_a_path_one(scenario):
    base = scenario("leo_crosslink")
    changed = with_values(base, {ERROR: 50, "terminals.alpha.flight.tracking.law": "pi", "sample_rate_hz": 5000})
    assert [t.hardware.platform.initial_error_urad for t in changed.terminals.values()] == [50.0, 50.0]
    assert [t.flight.tracking.law for t in changed.terminals.values()] == ["pi", "lqg"]
    assert changed.sample_rate_hz == 5000
    assert base.sample_rate_hz == 10_000


def test_rows_of_lists_have_numbers(scenario):
    base = scenario("leo_crosslink")
    key = "both.hardware.platform.tones.1.rms_urad"
    require_keys(base, [key])
    tones = with_values(base, {key: 2.5}).terminals["bravo"].hardware.platform.tones
    assert [tone.rms_urad for tone in tones] == [0.8, 2.5, 0.6]


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("both.hardware.platform.inital_error_urad", f"the nearest is {ERROR}"),
        ("terminals.alpha.hardware.mirror.range", "the nearest is terminals.alpha.hardware.mirror.range_urad"),
        ("sample_rate", "the nearest is sample_rate_hz"),
        ("both.hardware.platform.tones.7.rms_urad", "unknown key"),
        ("both.hardware.platform.tones.x.rms_urad", "unknown key"),
        ("both.hardware.laser.beacon.power_w", "unknown key"),
        ("duration_s.x", "unknown key"),
        ("both.hardware", "that of a table"),
        ("both.hardware.platform.tones", "that of a table or list"),
        ("seed", "a seed of its own"),
    ],
)
def test_a_key_that_cannot_vary_is_refused(scenario, key, said):
    with pytest.raises(ConfigError) as caught:
        require_keys(scenario("leo_crosslink"), [key])
    assert str(caught.value).startswith(f"{key}: ")
    assert said in str(caught.value)


def test_a_value_that_two_keys_set_is_refused(scenario):
    with pytest.raises(ConfigError, match=f"set by {ERROR} too"):
        require_keys(scenario("leo_crosslink"), [ERROR, ERROR.replace("both", "terminals.bravo")])


def test_a_value_that_the_model_refuses_is_said_with_key_and_value(scenario):
    with pytest.raises(ConfigError, match=r"initial_error_urad=-1.*initial_error_urad: .*greater than or equal to 0"):
        with_values(scenario("leo_crosslink"), {ERROR: -1})
