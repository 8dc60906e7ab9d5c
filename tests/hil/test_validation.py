"""The validation: its statistics, checks that hold as they are and fail when a parameter is off, the command."""

import math
import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from hil.cli import main
from hil.validation import fading, links, navigation, search, suite, terminals, tracking
from hil.validation.check import (
    Check,
    Estimate,
    Figure,
    at_least,
    at_most,
    deviation,
    equal,
    exact,
    mean,
    minimum,
    near,
    quantile,
    share,
    within_db,
)

DOCUMENT = Path(__file__).parents[2] / "docs" / "validation.md"


# estimates


def covered(estimate, truth: float, draws: int = 200) -> float:
    """Share of intervals that hold the truth; `estimate(rng)` makes one."""
    found = [estimate(np.random.default_rng(seed)) for seed in range(draws)]
    return float(np.mean([e.low <= truth <= e.high for e in found]))


@pytest.mark.parametrize(
    ("estimate", "truth"),
    [
        (lambda rng: mean(rng.standard_normal(6) + 3.0), 3.0),
        (lambda rng: share(int(rng.binomial(500, 0.02)), 500), 0.02),
        (lambda rng: quantile(rng.exponential(size=1000), 0.9), math.log(10.0)),
        (lambda rng: deviation(2.0 * rng.standard_normal(300)), 2.0),
        (lambda rng: mean(rng.standard_normal((20, 50)).__pow__(2).mean(axis=1)).root(), 1.0),
        (lambda rng: minimum(GRID, (GRID - 0.2) ** 2 + 0.05 * rng.standard_normal((12, len(GRID)))), 0.2),
    ],
    ids=["mean", "share", "quantile", "deviation", "root of a mean", "minimum"],
)
def test_95_percent_of_the_intervals_hold_the_truth(estimate, truth):
    # 200 intervals know their share to 1.5 %
    assert covered(estimate, truth) == pytest.approx(0.95, abs=0.045)


GRID = np.linspace(-1.0, 1.0, 9)


def test_none_of_many_is_still_bounded_above_by_four_in_so_many():
    none = share(0, 1000)
    assert (none.value, none.low) == (0.0, 0.0)
    assert none.high == pytest.approx(3.84 / 1003.84, rel=1e-3)


def test_a_quantile_among_values_that_never_came_is_infinite():
    times = np.array([1.0] * 980 + [math.inf] * 20)
    assert quantile(times, 0.5) == Estimate(1.0, 1.0, 1.0)
    last = quantile(times, 0.98)
    assert (last.low, last.high) == (1.0, math.inf)
    assert not Figure("f", "s", at_most(100.0, "a"), last).holds


@pytest.mark.parametrize(
    ("expected", "least", "most", "wanted"),
    [
        (near(2.0, "a", relative=0.01), 1.98, 2.02, "2 m ± 1 %"),
        (near(-39.0, "a", absolute=0.1), -39.1, -38.9, "-39 m ± 0.1"),
        (within_db(100.0, "a", 3.0103), 50.0, 200.0, "100 m ± 3.0103 dB"),
        (equal(19, "a"), 19.0, 19.0, "19 m"),
        (at_most(0.3, "a"), -math.inf, 0.3, "≤ 0.3 m"),
        (at_least(0.99, "a"), 0.99, math.inf, "≥ 0.99 m"),
    ],
)
def test_what_is_accepted_is_what_is_written(expected, least, most, wanted):
    assert (expected.least, expected.most) == pytest.approx((least, most))
    assert Figure("f", "m", expected, exact(1.0)).wanted == wanted


@pytest.mark.parametrize(
    ("low", "high", "holds"), [(0.995, 1.005, True), (0.985, 1.001, False), (0.999, 1.02, False), (0.9, 1.1, False)]
)
def test_a_figure_holds_when_its_whole_interval_does(low, high, holds):
    assert Figure("f", "", near(1.0, "a", relative=0.01), Estimate(1.0, low, high)).holds is holds


def test_a_value_that_is_no_number_fails():
    assert not Figure("f", "", near(1.0, "a", relative=0.01), exact(math.nan)).holds


# the checks

SPOILT = [
    (partial(search.spiral, True), {"pitch_urad": 33.0}, "mean time to the first touch"),
    (partial(search.spiral, True), {"capture_urad": 14.0}, "share missed"),
    (partial(search.step_stare, True), {"sigma_urad": 66.0}, "share found"),
    (partial(search.step_stare, True), {"dwell_s": 5.2}, "mean time until found"),
    (partial(terminals.light_time, True), {"answer_delay_ms": 3.0}, "angle swept until the answer"),
    (partial(tracking.quad_cell_noise, True), {"read_noise_electrons": 21.0}, "NEA"),
    (partial(links.link, True), {"divergence_fwhm_urad": 14.8}, "irradiance without losses"),
    (partial(links.link, True), {"aperture_mm": 82.0}, "the same per bit"),
    (partial(navigation.navigation, True), {"scenario": "cross_plane"}, "point-ahead, world"),
    (partial(navigation.navigation, True), {"oem_step_s": 1200.0}, "OEM: largest error, flight software"),
]


def verdicts(figures: list[Figure]) -> dict[str, bool]:
    return {figure.name: figure.holds for figure in figures}


@pytest.mark.parametrize(
    "measure",
    [
        search.spiral,
        search.step_stare,
        terminals.light_time,
        tracking.quad_cell_noise,
        links.link,
        navigation.navigation,
    ],
    ids=lambda measure: measure.__name__,
)
def test_quick_checks_hold(measure):
    assert [name for name, holds in verdicts(measure(True)).items() if not holds] == []


@pytest.mark.parametrize(("measure", "off", "name"), SPOILT, ids=lambda value: str(value)[:40])
def test_a_check_fails_when_one_of_its_inputs_is_off(measure, off, name):
    assert verdicts(measure(**off))[name] is False


SPOILT_AT_LENGTH = [
    (partial(search.repeated_scans, True), {"detection": 0.88}, "mean time, k = 1.3"),
    (partial(search.scan_jitter, True), {"jitter_over_capture": 0.32}, "share missed, D/R_c 1.6"),
    (partial(terminals.full_runs, True), {"duration_s": 4.0}, "share acquired within 100 s"),
    (partial(fading.fades, True), {"sigma_urad": 2.1}, "P(I < 0.5)"),
    (partial(fading.fades, True), {"bias_urad": 3.05}, "E[I] with the bias"),
    (partial(fading.best_divergence, True), {"outage": 2e-3}, "w/sigma, outage 0.002"),
    (partial(fading.bursts, True), {"rms_frequency_hz": 74.0}, "mean length"),
    (partial(fading.bursts, True), {"theta_0_sigma": 3.02}, "fades"),
    (partial(tracking.fine_loop_table, True), {"noise_urad": 0.3}, "LQG with tone modes, OLYMPUS and tones"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("measure", "off", "name"), SPOILT_AT_LENGTH, ids=lambda value: str(value)[:40])
def test_a_long_check_fails_when_one_of_its_inputs_is_off(measure, off, name):
    assert verdicts(measure(**off))[name] is False


def test_a_residual_fails_against_a_loop_that_is_a_sample_slower():
    pair = tracking.loop_pair(5000.0, 3, 0.1, ())
    parameters = tracking.controllers(5000.0, 2, 0.1)["integrator, gain 0.3"]
    measured = tracking.residual(pair, parameters, 5000.0, 20.0)
    assert measured.low > 0.92 * 1.015


def test_the_vibration_is_an_oscillator_of_the_wanted_rms_frequency():
    parts = fading.sections(fading.vibration(70.7))
    variance = sum(part.variance_rad2 for part in parts)
    assert all(part.damping is not None for part in parts)
    assert math.sqrt(sum(p.variance_rad2 * p.frequency_hz**2 for p in parts) / variance) == pytest.approx(
        70.7, rel=1e-6
    )


# the suite


def test_there_are_the_fourteen_checks_of_the_issue():
    assert [check.number for check in suite.CHECKS] == list(range(1, 15))


def test_the_document_is_of_these_checks_and_their_inputs():
    text = DOCUMENT.read_text()
    for check in suite.CHECKS:
        assert f"## {check.number}. {check.title}\n" in text
        assert f"Inputs: {check.inputs}." in text
    rows = re.findall(r"^\| (?!Figure|---).*\| (\w+) \|$", text, re.MULTILINE)
    assert len(rows) > 50
    assert set(rows) == {"holds"}


def test_a_failing_figure_is_said_in_the_document():
    check = Check(3, "Something", partial(links.link, power_w=2.6))
    text = suite.markdown([suite.Finding(check, tuple(check.measure(True)), 1.0)], quick=True)
    assert "1 checks, 1 of them failed." in text
    row = next(line for line in text.splitlines() if line.startswith("| irradiance without losses"))
    _, expected, source, *measured = row.strip("| ").split(" | ")
    assert expected == "324.2 uW/m^2 ± 0.1 dB"
    assert "Siegman" in source
    assert measured == ["337.13 uW/m^2", "exact", "fails"]


def test_the_command_runs_checks_on_processes_and_writes_the_document(tmp_path, capsys):
    out = tmp_path / "validation.md"
    code = main(["validate", "--quick", "--only", "13", "5", "--jobs", "2", "--markdown", str(out)])
    printed = capsys.readouterr().out
    assert code == 0
    assert "2 checks on 2 processes" in printed and "13. Link budget and receivers: holds" in printed
    assert printed.endswith("all checks hold\n")
    headings = [line for line in out.read_text().splitlines() if line.startswith("## ")]
    assert headings == ["## 5. Light time", "## 13. Link budget and receivers"]


def test_the_command_fails_when_a_check_does(monkeypatch, capsys):
    check = Check(13, "Link budget", partial(links.link, power_w=2.6))
    finding = suite.Finding(check, tuple(check.measure(True)), 1.0)
    monkeypatch.setattr(suite, "findings", lambda numbers, quick, workers: iter([finding]))
    assert main(["validate", "--quick", "--only", "13"]) == 1
    assert capsys.readouterr().out.endswith("failed: 13\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--only", "15"], "--only: expected checks from 1 to 14, found 15"),
        (["--only", "3", "0"], "--only: expected checks from 1 to 14, found 0"),
        (["--jobs", "0"], "--jobs: expected 1 or more, found 0"),
        (["--markdown", "/nowhere/at/all.md"], "--markdown /nowhere/at/all.md: expected a file that can be written"),
    ],
)
def test_bad_input_is_refused_before_anything_runs(arguments, message, capsys):
    assert main(["validate", *arguments]) == 2
    assert message in capsys.readouterr().err
