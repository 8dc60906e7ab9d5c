"""The quad cell, against the integral of a Gaussian spot over quadrants and the published noise-equivalent angle."""

import math

import numpy as np
import pytest
from numba import njit
from pydantic import ValidationError
from scipy import constants
from scipy.special import erf

from sim.quad_cell import NOISE_COLUMNS, QuadCellModel, new_quad_cell, noise_equivalent_angle, read

RATE_HZ = 10_000.0
WAVELENGTH = 1550e-9
URAD = 1e-6
SILENT = np.zeros(NOISE_COLUMNS)
#: Signal of the error curve for an angle of one spot radius, near the centre.
SLOPE = 2.0 * math.sqrt(2.0 / math.pi)


@njit
def _run(q, x, y, power, noise, out):
    for k in range(len(out)):
        out[k, 0], out[k, 1], out[k, 2] = read(q, x, y, power, noise[k], 0)


def cell(**kinds) -> np.void:
    return new_quad_cell(QuadCellModel(**({"read_noise_electrons": 0.0} | kinds)), RATE_HZ, WAVELENGTH)[()]


def electrons_per_watt(efficiency: float = 0.8) -> float:
    """Photoelectrons of one sample, from the constants of CODATA."""
    return efficiency * WAVELENGTH / (constants.h * constants.c) / RATE_HZ


def monte_carlo(q: np.void, electrons: float, samples: int = 400_000, x: float = 0.0, seed: int = 1) -> np.ndarray:
    """Signals and light of `samples` readings, (samples, 3)."""
    out = np.empty((samples, 3))
    noise = np.random.default_rng(seed).standard_normal((samples, NOISE_COLUMNS))
    _run(q, x, 0.0, electrons / electrons_per_watt(), noise, out)
    return out


# the error curve


@pytest.mark.parametrize("x", [-1.2, -0.5, -0.01, 0.0, 0.3, 0.8])
@pytest.mark.parametrize("y", [-0.4, 0.0, 0.6])
def test_signals_follow_erf_of_sqrt_2_x_over_w_on_each_axis_alone(x, y):
    w = 50.0 * URAD
    signal_x, signal_y, _ = read(cell(spot_radius_urad=50.0, field_radius_urad=300.0), x * w, y * w, 1e-9, SILENT, 0)
    assert signal_x == pytest.approx(erf(math.sqrt(2.0) * x), abs=1e-12)
    assert signal_y == pytest.approx(erf(math.sqrt(2.0) * y), abs=1e-12)


def test_signals_are_the_shares_of_a_gaussian_spot_summed_over_the_quadrants():
    w, x, y = 50.0, 21.0, -13.0
    axis = (np.arange(-2_000, 2_000) + 0.5) * 0.1
    shape_x, shape_y = np.exp(-2.0 * ((axis - x) / w) ** 2), np.exp(-2.0 * ((axis - y) / w) ** 2)
    spot = shape_y[:, None] * shape_x
    right, upper = spot[:, axis > 0].sum() / spot.sum(), spot[axis > 0].sum() / spot.sum()
    found = read(cell(spot_radius_urad=w, field_radius_urad=300.0), x * URAD, y * URAD, 1e-9, SILENT, 0)
    assert found[:2] == pytest.approx((2.0 * right - 1.0, 2.0 * upper - 1.0), abs=1e-6)


def test_slope_at_the_centre_is_that_of_the_error_curve():
    w = 50.0 * URAD
    signal, _, _ = read(cell(spot_radius_urad=50.0), 1e-4 * w, 0.0, 1e-9, SILENT, 0)
    assert signal / 1e-4 == pytest.approx(SLOPE, rel=1e-6)


# light


@pytest.mark.parametrize("power", [1e-12, 1e-9, 1e-6])
def test_light_is_read_in_watts(power):
    assert read(cell(), 0.0, 0.0, power, SILENT, 0)[2] == pytest.approx(power, rel=1e-12)


def test_electrons_are_photons_times_quantum_efficiency():
    for efficiency in (0.3, 0.8, 1.0):
        assert cell(quantum_efficiency=efficiency)["electrons_per_w"] == pytest.approx(electrons_per_watt(efficiency))


def test_field_stop_passes_the_middle_halves_a_spot_on_its_edge_and_blocks_beyond():
    q = cell(spot_radius_urad=20.0, field_radius_urad=100.0)
    for direction in (0.0, 1.0, 2.5, 4.0):
        x, y = math.cos(direction) * URAD, math.sin(direction) * URAD

        def passed(radius, x=x, y=y):
            return read(q, radius * x, radius * y, 1.0, SILENT, 0)[2]

        assert [passed(r) for r in (0.0, 40.0, 79.0)] == [pytest.approx(1.0)] * 3
        assert passed(100.0) == pytest.approx(0.5)
        # a straight edge: Gaussian of standard deviation w / 2
        assert passed(110.0) == pytest.approx(0.1587, abs=1e-4)
        assert passed(200.0) < 1e-9
        fall = [passed(r) for r in np.linspace(0.0, 200.0, 401)]
        assert (np.diff(fall) <= 1e-12).all()


# noise


def test_noise_equivalent_angle_is_the_published_one():
    expected = math.sqrt(math.pi / 8.0) * math.sqrt(1000.0 + 4.0 * 20.0**2) / 1000.0
    assert expected == pytest.approx(0.03195, abs=5e-6)
    assert noise_equivalent_angle(1.0, 1000.0, 20.0) == pytest.approx(expected, rel=1e-12)
    # 400,000 readings give the scatter to 0.11 %; the noise in the sum adds half of its 0.26 % relative variance
    scatter = monte_carlo(cell(read_noise_electrons=20.0), 1000.0)[:, :2].std(axis=0) / SLOPE
    assert scatter == pytest.approx([0.03195, 0.03195], rel=0.01)


@pytest.mark.parametrize(("electrons", "noise"), [(1e4, 0.0), (1e4, 200.0), (1e6, 1000.0)])
def test_scatter_of_the_signals_follows_the_noise_equivalent_angle(electrons, noise):
    expected = math.sqrt(math.pi / 8.0) * math.sqrt(electrons + 4.0 * noise**2) / electrons
    scatter = monte_carlo(cell(read_noise_electrons=noise), electrons)[:, :2].std(axis=0) / SLOPE
    assert scatter == pytest.approx([expected, expected], rel=0.01)


def test_background_adds_its_shot_noise_and_no_offset():
    q = cell(read_noise_electrons=30.0)
    q["background"] = 2e5
    readings = monte_carlo(q, 1e5)
    expected = math.sqrt(math.pi / 8.0) * math.sqrt(1e5 + 2e5 + 4.0 * 30.0**2) / 1e5
    assert readings[:, :2].std(axis=0) / SLOPE == pytest.approx([expected, expected], rel=0.01)
    error = 5.0 / math.sqrt(len(readings))
    assert readings[:, :2].mean(axis=0) == pytest.approx([0.0, 0.0], abs=error * expected * SLOPE)
    light = readings[:, 2] * electrons_per_watt()
    spread = math.sqrt(1e5 + 2e5 + 4.0 * 30.0**2)
    assert light.mean() == pytest.approx(1e5, abs=error * spread)
    assert light.std() == pytest.approx(spread, rel=0.01)


def test_shot_noise_of_a_spot_on_one_side_is_that_of_a_binomial_share():
    """Without read noise the right-hand share of S electrons has the variance p (1 - p) / S."""
    q = cell(spot_radius_urad=50.0, field_radius_urad=300.0)
    readings = monte_carlo(q, 1e5, x=30.0 * URAD)
    share = 0.5 * (1.0 + erf(math.sqrt(2.0) * 0.6))
    assert readings[:, 0].mean() == pytest.approx(2.0 * share - 1.0, abs=2e-5)
    assert readings[:, 0].std() == pytest.approx(2.0 * math.sqrt(share * (1.0 - share) / 1e5), rel=0.01)


def test_four_quadrants_have_noise_of_their_own():
    q = cell(read_noise_electrons=100.0)
    power = 1e5 / electrons_per_watt()
    sigma = math.sqrt(1e5 / 4.0 + 100.0**2)
    signs = np.empty((4, 2))
    for column in range(4):
        noise = np.zeros(4)
        noise[column] = 1.0
        x, y, light = read(q, 0.0, 0.0, power, noise, 0)
        assert light * electrons_per_watt() == pytest.approx(1e5 + sigma)
        signs[column] = np.array([x, y]) * (1e5 + sigma) / sigma
    assert sorted(np.round(signs, 9).tolist()) == [[-1, -1], [-1, 1], [1, -1], [1, 1]]


def test_cell_takes_its_own_columns_of_the_noise_and_no_others():
    noise = np.full(9, math.nan)
    noise[3:7] = 0.5, -1.0, 0.2, 0.1
    q = cell(read_noise_electrons=100.0)
    assert read(q, 0.0, 0.0, 1e-9, noise, 3) == read(q, 0.0, 0.0, 1e-9, noise[3:7].copy(), 0)
    assert math.isfinite(sum(read(q, 0.0, 0.0, 1e-9, noise, 3)))


# no light, no cell


def test_cell_in_the_dark_reads_zero():
    assert read(cell(), 0.0, 0.0, 0.0, SILENT, 0) == (0.0, 0.0, 0.0)


def test_noise_that_leaves_no_light_in_sum_reads_zero_and_not_a_ratio_of_noise():
    q = cell(read_noise_electrons=1000.0)
    assert read(q, 0.0, 0.0, 1.0 / electrons_per_watt(), np.array([1.0, -1.0, -1.0, -1.0]), 0) == (0.0, 0.0, 0.0)


def test_signals_are_bounded_without_noise():
    for radius in (1e-5, 1e-3, 0.1):
        x, y, light = read(cell(), radius, -radius, 1e-9, SILENT, 0)
        assert 0.0 <= x <= 1.0 and -1.0 <= y <= 0.0 and light >= 0.0


def test_dead_cell_reads_nan():
    q = cell()
    q["dead"] = 1
    assert all(math.isnan(value) for value in read(q, 0.0, 0.0, 1e-9, SILENT, 0))


# what is refused


@pytest.mark.parametrize(
    "wrong",
    [
        {"spot_radius_urad": 0.0},
        {"spot_radius_urad": math.nan},
        {"field_radius_urad": 0.0},
        {"quantum_efficiency": 0.0},
        {"quantum_efficiency": 1.01},
        {"read_noise_electrons": -1.0},
        {"spot_radius_mrad": 0.05},
    ],
    ids=str,
)
def test_model_refuses(wrong):
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        QuadCellModel(**wrong)
