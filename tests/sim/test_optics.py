"""The beams on the sky, against the Gaussian's closed form and the statistics of its pointing loss."""

import math

import numpy as np
import pytest
from numba import njit
from scipy.integrate import quad
from scipy.stats import kstest

from sim.link_budget import BeamModel, LaserModel, OpticsModel, SplitModel
from sim.optics import emit, new_optics

URAD = 1e-6
SIGNAL = BeamModel(power_w=2.5, divergence_fwhm_urad=15.0)
WIDE = BeamModel(power_w=10.0, divergence_fwhm_urad=750.0)
RADIUS = 15.0 * URAD / math.sqrt(2.0 * math.log(2.0))
LOSSLESS = OpticsModel(transmit_loss_db=0.0, receive_loss_db=0.0, wavefront_error_nm=0.0)


@njit
def _run(o, angles, out):
    for k in range(len(out)):
        out[k], _ = emit(o, angles[k, 0], angles[k, 1], 0.0, 0.0)


def lit(laser: LaserModel | None = None, optics: OpticsModel = LOSSLESS) -> np.void:
    laser = laser or LaserModel(signal=SIGNAL, beacon=WIDE)
    record = new_optics(laser, optics, laser)[()]
    record["signal_on"] = record["beacon_on"] = 1
    return record


def gains(o: np.void, angles: np.ndarray) -> np.ndarray:
    out = np.empty(len(angles))
    _run(o, np.ascontiguousarray(angles), out)
    return out / o["signal_intensity"]


# the beam


@pytest.mark.parametrize("theta", [0.0, 0.3, 1.0, 2.5])
@pytest.mark.parametrize("direction", [0.0, 1.0, 2.5, 4.0])
def test_intensity_falls_as_exp_of_minus_2_theta_squared_over_w_squared(theta, direction):
    x, y = theta * RADIUS * math.cos(direction), theta * RADIUS * math.sin(direction)
    signal, beacon = emit(lit(), x, y, 0.0, 0.0)
    peak = 2.0 * 2.5 / (math.pi * RADIUS**2)
    assert signal == pytest.approx(peak * math.exp(-2.0 * theta**2), rel=1e-9)
    wide = 50.0 * RADIUS
    assert beacon == pytest.approx(2.0 * 10.0 / (math.pi * wide**2) * math.exp(-2.0 * (theta / 50.0) ** 2), rel=1e-9)


def test_published_link_gets_324_uw_per_m2_on_axis_and_half_of_it_7_5_urad_off():
    o = lit()
    assert emit(o, 0.0, 0.0, 0.0, 0.0)[0] / 5_500e3**2 == pytest.approx(324.2e-6, abs=0.05e-6)
    assert emit(o, 0.0, 7.5 * URAD, 0.0, 0.0)[0] / 5_500e3**2 == pytest.approx(162.1e-6, abs=0.05e-6)


def test_intensity_over_the_sky_is_the_power_that_the_optics_let_through():
    optics = OpticsModel(transmit_loss_db=1.5, wavefront_error_nm=80.0)
    o = lit(optics=optics)
    power, _ = quad(lambda r: emit(o, r * URAD, 0.0, 0.0, 0.0)[0] * 2.0 * math.pi * r * URAD**2, 0.0, 200.0, limit=100)
    strehl = math.exp(-((2.0 * math.pi * 80.0 / 1550.0) ** 2))
    assert power == pytest.approx(2.5 * 10.0**-0.15 * strehl, rel=1e-8)


# pointing loss


@pytest.mark.parametrize("ratio", [2.0, 4.0, 7.0])
def test_mean_and_distribution_of_the_pointing_loss_are_those_of_a_gaussian_error(ratio):
    """w = ratio sigma, beta = w^2 / (4 sigma^2): E[I] = beta / (beta + 1), P(I < x) = x^beta."""
    sigma = RADIUS / ratio
    loss = gains(lit(), sigma * np.random.default_rng(1).standard_normal((200_000, 2)))
    beta = ratio**2 / 4.0
    spread = math.sqrt(beta / (beta + 2.0) - (beta / (beta + 1.0)) ** 2)
    assert loss.mean() == pytest.approx(beta / (beta + 1.0), abs=5.0 * spread / math.sqrt(len(loss)))
    assert kstest(loss, lambda x: np.asarray(x) ** beta).pvalue > 1e-4


def test_bias_multiplies_the_mean_by_its_own_factor():
    sigma, bias = RADIUS / 4.0, 0.7 * RADIUS
    o = lit(optics=LOSSLESS.model_copy(update={"transmit_alignment_urad": (0.0, bias / URAD)}))
    loss = gains(o, sigma * np.random.default_rng(2).standard_normal((200_000, 2)))
    expected = 4.0 / 5.0 * math.exp(-2.0 * bias**2 / (RADIUS**2 + 4.0 * sigma**2))
    assert loss.mean() == pytest.approx(expected, abs=5.0 * loss.std() / math.sqrt(len(loss)))


# the lead of the beam


def test_beam_is_at_its_peak_when_the_commanded_lead_is_the_true_one():
    o = lit()
    peak = emit(o, 0.0, 0.0, 0.0, 0.0)
    o["point_ahead"] = 40.0 * URAD, -10.0 * URAD
    assert emit(o, 0.0, 0.0, 40.0 * URAD, -10.0 * URAD) == pytest.approx(peak)
    # a lead that is not taken costs what the same angle off axis does
    o["point_ahead"] = 0.0
    assert emit(o, 0.0, 0.0, 14.61 * URAD, 0.0) == pytest.approx(emit(o, 14.61 * URAD, 0.0, 0.0, 0.0))


def test_receive_axis_ahead_of_the_partner_makes_up_for_a_lead_that_is_missing():
    # the partner appears behind the axis by just what the beam should lead
    assert emit(lit(), -14.61 * URAD, 3.0 * URAD, 14.61 * URAD, -3.0 * URAD) == pytest.approx(
        emit(lit(), 0.0, 0.0, 0.0, 0.0)
    )


def test_alignment_shifts_the_beam_and_a_lead_takes_it_back():
    o = lit(optics=LOSSLESS.model_copy(update={"transmit_alignment_urad": (3.0, -4.0)}))
    assert gains(o, np.zeros((1, 2)))[0] == pytest.approx(math.exp(-2.0 * (5.0 * URAD / RADIUS) ** 2))
    o["point_ahead"] = -3.0 * URAD, 4.0 * URAD
    assert gains(o, np.zeros((1, 2)))[0] == pytest.approx(1.0)


# switches and shares


@pytest.mark.parametrize("signal", [0, 1])
@pytest.mark.parametrize("beacon", [0, 1])
def test_each_beam_is_switched_on_its_own(signal, beacon):
    o = lit()
    o["signal_on"], o["beacon_on"] = signal, beacon
    assert [power > 0.0 for power in emit(o, 0.0, 0.0, 0.0, 0.0)] == [bool(signal), bool(beacon)]


def test_terminal_starts_dark_on_a_clear_path():
    laser = LaserModel(signal=SIGNAL, beacon=WIDE)
    o = new_optics(laser, LOSSLESS, laser)[()]
    assert emit(o, 0.0, 0.0, 0.0, 0.0) == (0.0, 0.0)
    assert o["clear"] == 1.0


def test_terminal_without_a_beacon_emits_none_though_switched_on():
    assert emit(lit(LaserModel(signal=SIGNAL)), 0.0, 0.0, 0.0, 0.0)[1] == 0.0


@pytest.mark.parametrize(("beacon", "sees"), [(None, 0), (WIDE, 1)])
def test_camera_sees_the_beacon_if_the_partner_has_one(beacon, sees):
    own = LaserModel(signal=SIGNAL, beacon=None if beacon else WIDE)
    assert new_optics(own, LOSSLESS, LaserModel(signal=SIGNAL, beacon=beacon))["camera_sees_beacon"] == sees


def test_aperture_and_shares_are_those_of_the_receiving_optics():
    optics = OpticsModel(
        aperture_mm=100.0,
        obscuration=0.3,
        receive_loss_db=3.0103,
        split=SplitModel(communication=0.6, quad_cell=0.3, camera=0.1),
    )
    o = new_optics(LaserModel(signal=SIGNAL), optics, LaserModel(signal=SIGNAL))
    assert o["aperture"] == pytest.approx(math.pi * 0.05**2 * 0.91 * 0.5, rel=1e-5)
    assert (o["receiver_share"], o["quad_share"], o["camera_share"]) == (0.6, 0.3, 0.1)
