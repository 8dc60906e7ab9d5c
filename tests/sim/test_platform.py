"""The platform's shaking, against closed forms of its processes and independent estimates from long runs.

Statistical limits are five standard errors, each computed where it is used; the seeds are fixed.
"""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit
from pydantic import ValidationError
from scipy.integrate import quad, trapezoid
from scipy.signal import welch
from scipy.stats import kstest

from flightsw.errors import ConfigError
from sim import platform
from sim.platform import PlatformModel, Section, Tone, columns, new_platform, sections, step

URAD2 = 1e-12
OLYMPUS_VARIANCE = 80.0 * math.pi / 2.0  # urad^2 per axis
QUIET = {"initial_error_urad": 0.0, "drift_urad_s": 0.0}


@njit
def _run(p, noise, out):
    for k in range(len(out)):
        out[k] = step(p, noise[k])


def run(model: PlatformModel, rate_hz: float, samples: int, seed: int = 1) -> np.ndarray:
    """Boresight error in urad, (samples, 2)."""
    rng = np.random.default_rng(seed)
    record = new_platform(model, rate_hz, rng)[()]
    out = np.empty((samples, 2))
    _run(record, rng.standard_normal((samples, columns(model))), out)
    return out * 1e6


def density_urad2_hz(parts: list[Section], frequency_hz: np.ndarray) -> np.ndarray:
    return sum(part.density(frequency_hz) for part in parts) / URAD2


def impulse_autocovariance(monkeypatch, section: Section, rate_hz: float, samples: int, lags: int) -> np.ndarray:
    """Autocovariance in the steady state, summed from the responses to one unit of each column of noise."""
    monkeypatch.setattr(platform, "sections", lambda _: [section])
    model = PlatformModel(**QUIET)
    total = np.zeros(lags)
    for column in range(section.order):
        record = new_platform(model, rate_hz, np.random.default_rng(0))
        record["vibration"] = 0.0
        noise = np.zeros((samples + lags, 2 * section.order))
        noise[0, column] = 1.0
        response = np.empty((samples + lags, 2))
        _run(record[()], noise, response)
        assert not response[:, 1].any(), "the first columns belong to the x axis alone"
        total += [response[:samples, 0] @ response[lag : samples + lag, 0] for lag in range(lags)]
    return total


def closed_form_autocovariance(section: Section, tau: np.ndarray) -> np.ndarray:
    w, damping = 2.0 * math.pi * section.frequency_hz, section.damping
    if damping is None:
        shape = np.exp(-w * tau)
    elif damping == 1.0:
        shape = np.exp(-w * tau) * (1.0 + w * tau)
    else:
        wd = w * np.sqrt(complex(1.0 - damping**2))
        shape = np.real(np.exp(-damping * w * tau) * (np.cos(wd * tau) + damping * w / wd * np.sin(wd * tau)))
    return section.variance_rad2 * shape


# OLYMPUS


def test_olympus_has_the_published_density_and_variance():
    frequency = np.array([0.0, 0.3, 1.0, 7.0, 300.0])
    parts = sections(PlatformModel(spectrum="olympus"))
    np.testing.assert_allclose(density_urad2_hz(parts, frequency), 80.0 / (1.0 + frequency**2), rtol=1e-12)
    variance, _ = quad(lambda f: density_urad2_hz(parts, f), 0.0, math.inf)
    assert math.sqrt(variance) == pytest.approx(11.21, abs=0.005)
    assert math.sqrt(2.0 * variance) == pytest.approx(15.85, abs=0.005)


@pytest.fixture(scope="module")
def olympus_50_hz() -> np.ndarray:
    return run(PlatformModel(spectrum="olympus", **QUIET), 50.0, 400_000)


def test_olympus_run_has_the_variance_per_axis_and_independent_axes(olympus_50_hz):
    phi = math.exp(-2.0 * math.pi / 50.0)
    effective = len(olympus_50_hz) * (1.0 - phi**2) / (1.0 + phi**2)
    error = math.sqrt(2.0 / effective)  # relative, of each axis' variance: 0.63 %
    assert olympus_50_hz.var(axis=0) == pytest.approx([OLYMPUS_VARIANCE] * 2, rel=5.0 * error)
    assert abs(np.corrcoef(olympus_50_hz.T)[0, 1]) < 5.0 / math.sqrt(effective)


def test_olympus_run_decorrelates_as_exp_of_minus_2_pi_f_tau(olympus_50_hz):
    n, phi = len(olympus_50_hz), math.exp(-2.0 * math.pi / 50.0)
    for lag in (1, 2, 5, 10, 20, 50):
        # Bartlett's variance of a sample autocorrelation of a first-order process, two axes averaged
        bartlett = (1.0 + phi**2) * (1.0 - phi ** (2 * lag)) / (1.0 - phi**2) - 2.0 * lag * phi ** (2 * lag)
        error = math.sqrt(bartlett / n / 2.0)
        found = np.mean([x[:-lag] @ x[lag:] / (x @ x) for x in olympus_50_hz.T])
        assert found == pytest.approx(math.exp(-2.0 * math.pi * lag / 50.0), abs=5.0 * error)


def test_olympus_sampled_slowly_is_folded_about_nyquist_and_not_cut():
    rate, segment = 10.0, 256
    x = run(PlatformModel(spectrum="olympus", **QUIET), rate, 1 << 19)
    frequency, found = welch(x, rate, "hann", segment, noverlap=0, axis=0)
    found = found.mean(axis=1)[2:-1]
    frequency = frequency[2:-1]
    images = np.arange(-20_000, 20_001)[:, None] * rate + frequency
    folded = (80.0 / (1.0 + images**2)).sum(axis=0)
    error = 1.0 / math.sqrt(2 * len(x) / segment)  # relative, of one bin: 1.6 %
    np.testing.assert_allclose(found, folded, rtol=5.0 * error)
    # a Hann window ties neighbours: about 1.5 bins to an independent one
    assert np.mean(found / folded) == pytest.approx(1.0, abs=5.0 * error * math.sqrt(1.5 / len(found)))
    assert folded[-1] > 2.0 * 80.0 / (1.0 + frequency[-1] ** 2), "so near Nyquist a cut spectrum would fail above"


# Micius

MICIUS = [((0.0, 1.0), 8.6), ((1.0, 10.0), 2.8), ((10.0, 50.0), 1.9), ((50.0, 100.0), 0.6)]


@pytest.mark.parametrize(("band", "rms_urad"), MICIUS)
def test_micius_sections_have_the_published_rms_in_each_band(band, rms_urad):
    parts = sections(PlatformModel(spectrum="micius"))
    power, _ = quad(lambda f: density_urad2_hz(parts, f), *band, limit=200)
    assert math.sqrt(power) == pytest.approx(rms_urad, rel=1e-3)


def test_micius_run_has_the_published_rms_in_each_band():
    rate, samples = 500.0, 1 << 21
    x = run(PlatformModel(spectrum="micius", **QUIET), rate, samples)
    duration = samples / rate
    spectrum = 2.0 * np.abs(np.fft.rfft(x, axis=0)) ** 2 / samples / rate
    frequency = np.fft.rfftfreq(samples, 1.0 / rate)
    parts = sections(PlatformModel(spectrum="micius"))
    for (low, high), rms_urad in MICIUS:
        grid = np.linspace(low, high, 20_001)
        density = density_urad2_hz(parts, grid)
        # each bin of a periodogram scatters by its own mean: 4 % in the slowest band, where there is least to average
        error = math.sqrt(trapezoid(density**2, grid) / duration / 2.0) / trapezoid(density, grid)
        assert error < 0.05
        within = (frequency > low) & (frequency <= high)
        power = spectrum[within].mean(axis=1).sum() / duration
        assert power == pytest.approx(rms_urad**2, rel=5.0 * error + 0.003), "0.3 % is folded in from above 400 Hz"


# a user's table


def worst_db(table: list[tuple[float, float]]) -> float:
    points = np.array(table)
    grid = np.union1d(np.geomspace(points[0, 0], points[-1, 0], 1009), points[:, 0])
    wanted = np.exp(np.interp(np.log(grid), np.log(points[:, 0]), np.log(points[:, 1])))
    found = density_urad2_hz(sections(PlatformModel(spectrum=table)), grid)
    return float(np.abs(10.0 * np.log10(found / wanted)).max())


@pytest.mark.parametrize(
    "table",
    [
        [(f, 80.0 / (1.0 + f**2)) for f in (0.01, 0.1, 0.3, 1.0, 3.0, 10.0, 100.0, 1000.0)],
        [(0.1, 1000.0), (1.0, 1.0), (500.0, 1e-3)],
        [(0.1, 10.0), (1.0, 10.0), (10.0, 0.1), (30.0, 1.0), (100.0, 0.01), (300.0, 0.001)],
        [(1e-5, 1e6), (500.0, 1e-6)],
    ],
    ids=["OLYMPUS", "slope -3", "hump at 30 Hz", "slow"],
)
def test_table_is_fitted_within_3_db_by_sections_that_have_room(table):
    assert worst_db(table) < 3.0
    assert len(sections(PlatformModel(spectrum=table))) <= platform.SECTIONS


@given(st.floats(-3, 0), st.floats(1.5, 4), st.floats(-4, 0), st.floats(-3, 3))
@settings(max_examples=20, deadline=None, derandomize=True)
def test_any_power_law_that_falls_by_up_to_the_fourth_power_is_fitted(decade, decades, slope, level):
    table = [(10.0 ** (decade + d), 10.0 ** (level + slope * d)) for d in (0.0, decades)]
    assert worst_db(table) < 3.0


def test_table_of_a_first_order_process_has_its_variance():
    frequency = np.geomspace(0.01, 1000.0, 60)
    table = [(f, 80.0 / (1.0 + f**2)) for f in frequency.tolist()]
    parts = sections(PlatformModel(spectrum=table))
    found, _ = quad(lambda f: density_urad2_hz(parts, f), 0.01, 100.0, limit=100)
    assert found == pytest.approx(OLYMPUS_VARIANCE, rel=0.05)


def test_table_of_one_section_is_fitted_by_that_section_and_takes_its_noise_alone():
    # of a section that the fit has to offer: the middle one of its 60 frequencies
    low, high = 0.1, 100.0
    centre = low / 3.0 * (4.5 * high / low) ** (30.0 / 59.0)
    frequency = np.geomspace(low, high, 200)
    density = Section(frequency_hz=centre, variance_rad2=4.0, damping=0.2).density(frequency)
    model = PlatformModel(spectrum=list(zip(frequency.tolist(), density.tolist(), strict=True)))
    (found,) = sections(model)
    assert (found.frequency_hz, found.damping) == pytest.approx((centre, 0.2))
    assert found.variance_rad2 == pytest.approx(4.0 * URAD2, rel=1e-6)
    assert columns(model) == 4


@pytest.mark.parametrize(
    "table",
    [
        [(0.1, 1.0), (50.0, 1.0), (50.5, 1e4), (51.0, 1.0), (100.0, 1.0)],
        [(0.1, 1.0), (10.0, 1.0), (10.1, 1e-4), (100.0, 1e-4)],
        [(0.1, 0.001), (1.0, 0.1), (10.0, 10.0)],
    ],
    ids=["a line between two points of a grid", "a cliff", "rising"],
)
def test_table_that_no_sections_fit_is_refused_with_advice(table):
    with pytest.raises(ConfigError, match=r"platform\.spectrum: expected .* found .* dB at .* Hz; .* tones"):
        sections(PlatformModel(spectrum=table))


@pytest.mark.parametrize("rate_hz", [1e3, 2e4])
def test_table_down_to_a_day_can_be_run_at_any_rate(rate_hz):
    x = run(PlatformModel(spectrum=[(1e-5, 1e6), (500.0, 1e-6)], **QUIET), rate_hz, 1000)
    assert np.isfinite(x).all()
    assert np.ptp(x) > 0.0


# sections


@pytest.mark.parametrize(
    "section",
    [
        Section(frequency_hz=3.0, variance_rad2=2e-10),
        Section(frequency_hz=3.0, variance_rad2=2e-10, damping=1.0),
        Section(frequency_hz=3.0, variance_rad2=2e-10, damping=0.2),
        Section(frequency_hz=3.0, variance_rad2=2e-10, damping=0.05),
        Section(frequency_hz=80.0, variance_rad2=2e-10, damping=0.2),
    ],
    ids=str,
)
def test_section_is_discretised_exactly(monkeypatch, section):
    rate, lags = 100.0, 30
    found = impulse_autocovariance(monkeypatch, section, rate, 4_000, lags)
    expected = closed_form_autocovariance(section, np.arange(lags) / rate)
    np.testing.assert_allclose(found, expected, atol=1e-9 * section.variance_rad2, rtol=0.0)


@pytest.mark.parametrize("damping", [0.05, 0.2, 1.0])
@pytest.mark.parametrize("turn", [1e-8, 1e-6, 1e-4, 2.9e-4, 3.1e-4, 1e-3, 0.1, 2.0])
def test_noise_of_one_step_is_the_integral_of_the_kicks_within_it(monkeypatch, damping, turn):
    section = Section(frequency_hz=turn * 1e4 / (2.0 * math.pi), variance_rad2=1e-10, damping=damping)
    monkeypatch.setattr(platform, "sections", lambda _: [section])
    a, b, c = new_platform(PlatformModel(), 1e4, np.random.default_rng(0))["noise"][0] / 1e-5
    found = np.array([a * a, a * b, b * b + c * c])

    # response of angle and scaled rate to a kick, time in units of 1 / w
    root = np.sqrt(complex(1.0 - damping**2)) or 1e-9
    angle = lambda s: math.exp(-damping * s) * (np.sin(root * s) / root).real  # noqa: E731
    rate = lambda s: math.exp(-damping * s) * (np.cos(root * s) - damping * np.sin(root * s) / root).real  # noqa: E731
    pairs = [(angle, angle), (angle, rate), (rate, rate)]
    expected = [4.0 * damping * quad(lambda s, f=f, g=g: f(s) * g(s), 0.0, turn, epsabs=0.0)[0] for f, g in pairs]
    # 1e-30 rad^2 of floor on the diagonal; the smallest steps take leading terms, good to 5e-4
    np.testing.assert_allclose(found, expected, rtol=6e-4, atol=2e-20)


def test_section_density_integrates_to_its_variance():
    for damping in (None, 0.05, 0.2, 1.0):
        section = Section(frequency_hz=7.0, variance_rad2=3.0, damping=damping)
        # half of it in place of the upper half: S(f) df with f = 49 / g
        low, _ = quad(section.density, 0.0, 7.0, limit=200)
        high, _ = quad(lambda g, s=section: s.density(49.0 / g) * 49.0 / g**2, 0.0, 7.0, limit=200)
        assert low + high == pytest.approx(3.0, rel=1e-7)


def test_second_order_density_is_the_transfer_function_of_an_oscillator_driven_by_white_noise():
    section = Section(frequency_hz=7.0, variance_rad2=3.0, damping=0.2)
    f = np.array([0.5, 6.0, 7.0, 30.0])
    response = 49.0 / (49.0 - f**2 + 2j * 0.2 * 7.0 * f)
    np.testing.assert_allclose(section.density(f) / section.density(np.array(0.0)), np.abs(response) ** 2, rtol=1e-12)


def test_vibration_is_stationary_from_the_first_sample():
    model = PlatformModel(spectrum="olympus", **QUIET)
    rng = np.random.default_rng(3)
    noise = rng.standard_normal((4_000, 2))
    first = [step(new_platform(model, 5_000.0, rng)[()], row) for row in noise]
    assert np.var(first) / URAD2 == pytest.approx(OLYMPUS_VARIANCE, rel=5.0 * math.sqrt(2.0 / 8_000))


# tones, bias, drift, scale


def test_tone_has_its_rms_and_frequency_on_both_axes():
    model = PlatformModel(spectrum="still", tones=[Tone(frequency_hz=67.0, rms_urad=1.35)], **QUIET)
    x = run(model, 5_000.0, 50_000)  # 670 whole periods
    np.testing.assert_allclose(np.sqrt((x**2).mean(axis=0)), 1.35, rtol=1e-9)
    lines = np.abs(np.fft.rfft(x, axis=0)) / len(x) * math.sqrt(2.0)
    np.testing.assert_allclose(lines[670], 1.35, rtol=1e-9)
    assert np.delete(lines, 670, axis=0).max() < 1e-9


def test_tones_add_up_and_keep_their_amplitude_over_a_million_samples():
    tones = [Tone(frequency_hz=f, rms_urad=rms) for f, rms in ((67.0, 0.8), (100.0, 0.9), (180.0, 0.6))]
    model = PlatformModel(spectrum="still", tones=tones, **QUIET)
    x = run(model, 5_000.0, 1_000_000)[-5_000:]
    np.testing.assert_allclose((x**2).mean(axis=0), 0.8**2 + 0.9**2 + 0.6**2, rtol=1e-8)


def test_tones_start_at_phases_of_their_own_spread_over_the_circle():
    model = PlatformModel(spectrum="still", tones=[Tone(frequency_hz=67.0, rms_urad=1.0)], **QUIET)
    rng = np.random.default_rng(4)
    states = np.array([new_platform(model, 5_000.0, rng)["tone"][:, 0] for _ in range(2_000)])
    phases = np.arctan2(states[..., 1], states[..., 0])
    assert kstest(phases.ravel(), "uniform", args=(-math.pi, 2.0 * math.pi)).pvalue > 1e-4
    difference = np.mod(phases[:, 0] - phases[:, 1], 2.0 * math.pi)
    assert kstest(difference, "uniform", args=(0.0, 2.0 * math.pi)).pvalue > 1e-4


def test_bias_and_drift_are_normal_with_the_stated_sigma_per_axis():
    model = PlatformModel(spectrum="still", initial_error_urad=200.0, drift_urad_s=0.1)
    rng = np.random.default_rng(5)
    records = [new_platform(model, 1_000.0, rng) for _ in range(4_000)]
    bias = np.array([r["bias"] for r in records]).ravel() * 1e6
    drift = np.array([r["drift"] for r in records]).ravel() * 1e6 * 1_000.0
    assert kstest(bias, "norm", args=(0.0, 200.0)).pvalue > 1e-4
    assert kstest(drift, "norm", args=(0.0, 0.1)).pvalue > 1e-4
    assert abs(np.corrcoef(bias, drift)[0, 1]) < 5.0 / math.sqrt(8_000)


def test_without_vibration_the_boresight_drifts_along_a_line():
    model = PlatformModel(spectrum="still", initial_error_urad=200.0, drift_urad_s=5.0)
    rng = np.random.default_rng(6)
    record = new_platform(model, 1_000.0, rng)
    bias, rate = record["bias"] * 1e6, record["drift"] * 1e6 * 1_000.0
    out = np.empty((3_000, 2))
    _run(record[()], np.empty((3_000, 0)), out)
    elapsed = np.arange(1, 3_001) / 1_000.0
    np.testing.assert_allclose(out * 1e6, bias + elapsed[:, None] * rate, rtol=1e-9)


def test_scale_multiplies_the_spectrum_alone():
    tone = [Tone(frequency_hz=20.0, rms_urad=3.0)]

    def path(**kinds) -> np.ndarray:
        return run(PlatformModel(**kinds), 1_000.0, 500, seed=7)

    still = path(spectrum="still")
    assert path(scale=0.0) == pytest.approx(still)
    assert path(scale=2.5, **QUIET) == pytest.approx(2.5 * path(**QUIET), rel=1e-6)
    once, twice = sections(PlatformModel(tones=tone)), sections(PlatformModel(tones=tone, scale=2.0))
    assert twice[0].variance_rad2 == pytest.approx(4.0 * once[0].variance_rad2)
    amplitude = [new_platform(PlatformModel(tones=tone, scale=s), 1e3, np.random.default_rng(1)) for s in (1.0, 2.0)]
    assert amplitude[0]["tone"] == pytest.approx(amplitude[1]["tone"])


def test_same_seed_same_path_and_another_seed_another():
    model = PlatformModel(spectrum="micius", tones=[Tone(frequency_hz=67.0, rms_urad=1.0)])
    first = run(model, 5_000.0, 200, seed=8)
    assert (first == run(model, 5_000.0, 200, seed=8)).all()
    assert (first != run(model, 5_000.0, 200, seed=9)).any(axis=0).all()


@pytest.mark.parametrize(("spectrum", "expected"), [("still", 0), ("olympus", 2), ("micius", 16)])
def test_step_takes_exactly_the_columns_it_states(spectrum, expected):
    model = PlatformModel(spectrum=spectrum)
    count = columns(model)
    assert count == expected
    base, touched = np.zeros(count + 1), []
    for column in range(count + 1):
        noise = base.copy()
        noise[column] = 1.0
        found = [np.empty((3, 2)) for _ in range(2)]
        for out, row in zip(found, (base, noise), strict=True):
            record = new_platform(model, 100.0, np.random.default_rng(1))[()]
            _run(record, np.tile(row, (3, 1)), out)
        touched.append((found[0] != found[1]).any())
    assert touched == [True] * count + [False]


# what is refused


@pytest.mark.parametrize(
    "wrong",
    [
        {"initial_error_urad": -1.0},
        {"initial_error_urad": math.inf},
        {"drift_urad_s": -0.1},
        {"scale": -1.0},
        {"scale": math.nan},
        {"spectrum": "loud"},
        {"spectrum": []},
        {"spectrum": [(1.0, 1.0)]},
        {"spectrum": [(0.0, 1.0), (1.0, 1.0)]},
        {"spectrum": [(1.0, 1.0), (1.0, 2.0)]},
        {"spectrum": [(2.0, 1.0), (1.0, 2.0)]},
        {"spectrum": [(1.0, 1.0), (2.0, 0.0)]},
        {"spectrum": [(1.0, 1.0), (2.0, math.inf)]},
        {"spectrum": [(1.0, 1.0, 1.0), (2.0, 1.0, 1.0)]},
        {"tones": [{"frequency_hz": 0.0, "rms_urad": 1.0}]},
        {"tones": [{"frequency_hz": 1.0, "rms_urad": 0.0}]},
        {"tones": [{"frequency_hz": 1.0}]},
        {"tones": [{"frequency_hz": 1.0, "rms_urad": 1.0}] * 9},
        {"jitter_urad": 1.0},
    ],
    ids=str,
)
def test_model_refuses(wrong):
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        PlatformModel(**wrong)


def test_model_takes_eight_tones_and_a_table_as_toml_gives_it():
    tone = {"frequency_hz": 1.0, "rms_urad": 1.0}
    model = PlatformModel.model_validate({"tones": [tone] * 8, "spectrum": [[1.0, 2.0], [10.0, 0.1]]})
    assert len(model.tones) == 8
    assert model.spectrum == [(1.0, 2.0), (10.0, 0.1)]
