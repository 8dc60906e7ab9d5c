"""Powers from laser to detector, against the published link figures and integrals of the beam."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy import constants
from scipy.integrate import quad
from scipy.optimize import minimize_scalar

from sim.link_budget import (
    BeamModel,
    LaserModel,
    OpticsModel,
    SplitModel,
    aperture_efficiency,
    axial_intensity,
    beam_radius,
    budget,
    dbm,
    emitted_intensity,
    photon_energy,
)

PUBLISHED = LaserModel(signal=BeamModel(power_w=2.5, divergence_fwhm_urad=15.0))
LOSSLESS = OpticsModel(transmit_loss_db=0.0, receive_loss_db=0.0, wavefront_error_nm=0.0)
RANGE_M = 5_500e3


def test_irradiance_of_the_standard_link_without_losses_is_324_uw_per_m2():
    irradiance = emitted_intensity(PUBLISHED, LOSSLESS) / RANGE_M**2
    assert irradiance == pytest.approx(324.2e-6, abs=0.05e-6)


def test_light_of_25_uw_per_m2_on_8_cm_is_minus_39_dbm_and_393_photons_a_bit():
    power = 25e-6 * LOSSLESS.collecting_area_m2
    assert dbm(power) == pytest.approx(-39.01, abs=0.005)
    # 393 are those of -39.00 dBm; 25 uW/m^2 exactly make 392.2
    assert power / photon_energy(1550e-9) / 2.5e9 == pytest.approx(393.0, abs=1.0)


def test_beam_carries_its_power():
    radius = beam_radius(15e-6)
    peak = axial_intensity(2.5, radius)
    power, _ = quad(lambda r: peak * math.exp(-2.0 * (r / radius) ** 2) * 2.0 * math.pi * r, 0.0, 10.0 * radius)
    assert power == pytest.approx(2.5, rel=1e-9)


def test_beam_is_at_half_its_peak_at_half_its_full_width():
    radius = beam_radius(15e-6)
    assert math.exp(-2.0 * (7.5e-6 / radius) ** 2) == pytest.approx(0.5, rel=1e-12)
    assert 15e-6 / radius == pytest.approx(1.1774, abs=5e-5)
    assert BeamModel(power_w=1.0, divergence_fwhm_urad=15.0).radius_rad == pytest.approx(radius)


def test_photon_energy_is_h_nu():
    assert photon_energy(1550e-9) == pytest.approx(constants.h * constants.c / 1550e-9, rel=1e-12)


@pytest.mark.parametrize(("power", "level"), [(1e-3, 0.0), (2.0, 33.0103), (1e-9, -60.0)])
def test_dbm_is_ten_decades_over_a_milliwatt(power, level):
    assert dbm(power) == pytest.approx(level, abs=1e-4)


def test_no_power_is_minus_infinity_dbm():
    assert dbm(0.0) == -math.inf


def test_strehl_is_what_a_gaussian_wavefront_error_leaves_of_the_axial_intensity():
    optics = OpticsModel(wavefront_error_nm=80.0)
    phase = 2.0 * math.pi * 80.0 / 1550.0 * np.random.default_rng(1).standard_normal(1_000_000)
    assert optics.strehl(1550.0) == pytest.approx(abs(np.mean(np.exp(1j * phase))) ** 2, abs=1e-3)
    # Marechal's criterion of a diffraction-limited telescope
    assert OpticsModel(wavefront_error_nm=1550.0 / 14.0).strehl(1550.0) == pytest.approx(0.82, abs=0.005)
    assert OpticsModel(wavefront_error_nm=0.0).strehl(1550.0) == 1.0


def test_losses_in_db_are_factors():
    optics = OpticsModel(transmit_loss_db=3.0103, receive_loss_db=10.0, wavefront_error_nm=0.0)
    assert optics.transmission(1550.0) == pytest.approx(0.5, rel=1e-5)
    assert optics.reception() == pytest.approx(0.1)
    assert emitted_intensity(PUBLISHED, optics) == pytest.approx(0.5 * emitted_intensity(PUBLISHED, LOSSLESS), rel=1e-5)


@pytest.mark.parametrize("obscuration", [0.0, 0.3])
def test_collecting_area_is_that_of_the_ring(obscuration):
    area, _ = quad(lambda r: 2.0 * math.pi * r, 0.04 * obscuration, 0.04)
    assert OpticsModel(aperture_mm=80.0, obscuration=obscuration).collecting_area_m2 == pytest.approx(area)


def test_beacon_has_its_own_power_and_width_and_none_emits_nothing():
    signal = BeamModel(power_w=1.0, divergence_fwhm_urad=15.0)
    with_beacon = LaserModel(signal=signal, beacon=BeamModel(power_w=10.0, divergence_fwhm_urad=750.0))
    assert emitted_intensity(with_beacon, LOSSLESS, beacon=True) == pytest.approx(
        10.0 / 50.0**2 * emitted_intensity(with_beacon, LOSSLESS), rel=1e-12
    )
    assert emitted_intensity(LaserModel(signal=signal), LOSSLESS, beacon=True) == 0.0


# the aperture that cuts the beam off


@pytest.mark.parametrize(("truncation", "obscuration"), [(0.3, 0.0), (1.12, 0.0), (1.0, 0.25), (3.0, 0.4)])
def test_aperture_efficiency_is_the_field_on_the_axis_over_that_of_the_same_power_spread_evenly(
    truncation, obscuration
):
    # Fraunhofer: on the axis the field is the integral over the aperture, of radius 1; the laser's power is that of
    # the whole beam
    field, _ = quad(lambda r: math.exp(-((truncation * r) ** 2)) * 2.0 * math.pi * r, obscuration, 1.0)
    power, _ = quad(lambda r: math.exp(-2.0 * (truncation * r) ** 2) * 2.0 * math.pi * r, 0.0, math.inf)
    assert aperture_efficiency(truncation, obscuration) == pytest.approx(field**2 / (math.pi * power), rel=1e-9)


@pytest.mark.parametrize("obscuration", [0.0, 0.1, 0.2, 0.3])
def test_best_truncation_is_the_published_one(obscuration):
    best = minimize_scalar(lambda a: -aperture_efficiency(a, obscuration), bounds=(0.5, 2.0), method="bounded")
    # Klein and Degnan's approximation, good to 1 %
    assert best.x == pytest.approx(1.12 - 1.30 * obscuration**2 + 2.12 * obscuration**4, rel=0.01)
    if obscuration == 0.0:
        assert -best.fun == pytest.approx(0.8145, abs=5e-5)


def test_a_beam_that_is_cut_off_has_the_gain_of_the_aperture_and_a_wide_one_that_of_its_width():
    cut = LOSSLESS.model_copy(update={"truncation": 1.12})
    area = math.pi * 0.04**2
    # 15 urad of 1550 nm would take an aperture of more than 8 cm
    assert emitted_intensity(PUBLISHED, cut) == pytest.approx(2.5 * area * 0.8145 / 1550e-9**2, rel=1e-4)
    wide = LaserModel(signal=BeamModel(power_w=2.5, divergence_fwhm_urad=50.0))
    assert emitted_intensity(wide, cut) == emitted_intensity(wide, LOSSLESS)


# the budget


@given(
    power=st.floats(0.01, 20.0),
    fwhm=st.floats(5.0, 500.0),
    wavelength=st.floats(800.0, 1600.0),
    apertures=st.tuples(st.floats(10.0, 300.0), st.floats(10.0, 300.0)),
    losses=st.tuples(st.floats(0.0, 6.0), st.floats(0.0, 6.0)),
    wavefront=st.floats(0.0, 150.0),
    share=st.floats(0.01, 0.84),
    truncation=st.none() | st.floats(0.5, 3.0),
    distance_km=st.floats(10.0, 50_000.0),
    pointing=st.floats(0.05, 1.0),
)
def test_last_row_is_irradiance_times_area_times_losses(
    power, fwhm, wavelength, apertures, losses, wavefront, share, truncation, distance_km, pointing
):
    laser = LaserModel(signal=BeamModel(power_w=power, divergence_fwhm_urad=fwhm), wavelength_nm=wavelength)
    sender = OpticsModel(
        aperture_mm=apertures[0], truncation=truncation, transmit_loss_db=losses[0], wavefront_error_nm=wavefront
    )
    receiver = OpticsModel(
        aperture_mm=apertures[1],
        obscuration=0.2,
        receive_loss_db=losses[1],
        split=SplitModel(communication=share, quad_cell=0.0, camera=0.0),
    )
    rows = budget(laser, sender, receiver, distance_km * 1e3, pointing)
    assert rows[-1][1] == pytest.approx(sum(value for _, value, _ in rows[:-1]), abs=1e-9)

    # full width at half maximum: 4 ln 2 P / (pi FWHM^2) is the peak of a Gaussian of power P
    peak = 4.0 * math.log(2.0) * power / (math.pi * (fwhm * 1e-6) ** 2)
    if truncation is not None:
        # the field on the axis of a cut beam: its integral over the aperture, over the wavelength
        waist = apertures[0] * 0.5e-3 / truncation
        field = math.pi * waist**2 * (1.0 - math.exp(-(truncation**2))) / (wavelength * 1e-9)
        peak = min(peak, field**2 * 2.0 * power / (math.pi * waist**2))
    peak /= (distance_km * 1e3) ** 2
    area = math.pi * (apertures[1] * 0.5e-3) ** 2 * (1.0 - 0.2**2)
    strehl = math.exp(-((2.0 * math.pi * wavefront / wavelength) ** 2))
    received = peak * area * strehl * pointing * share * 10.0 ** (-(losses[0] + losses[1]) / 10.0)
    assert rows[-1][1] == pytest.approx(10.0 * math.log10(received * 1e3), abs=1e-6)


def test_each_row_is_named_once_with_its_unit():
    rows = budget(PUBLISHED, OpticsModel(), OpticsModel(), RANGE_M, 0.9)
    assert len({name for name, _, _ in rows}) == len(rows)
    assert [unit for _, _, unit in rows] == ["dBm"] + ["dB"] * (len(rows) - 2) + ["dBm"]
    values = {name: value for name, value, _ in rows}
    assert values["laser power"] == pytest.approx(33.979, abs=1e-3)
    assert values["free space"] == pytest.approx(20.0 * math.log10(1550e-9 / (4.0 * math.pi * RANGE_M)), abs=1e-9)
    assert values["pointing, mean"] == pytest.approx(-0.4576, abs=1e-4)
    assert values["transmit optics"] == values["receive optics"] == -1.5


def test_receiver_that_gets_no_share_gets_minus_infinity_dbm():
    blind = OpticsModel(split=SplitModel(communication=0.0))
    assert budget(PUBLISHED, OpticsModel(), blind, RANGE_M, 1.0)[-1][1] == -math.inf


# what is refused


@pytest.mark.parametrize(
    "wrong",
    [
        {"communication": 0.9, "quad_cell": 0.2, "camera": 0.0},
        {"communication": -0.1},
        {"quad_cell": 1.1},
        {"camera": math.nan},
        {"spectrometer": 0.1},
    ],
    ids=str,
)
def test_split_refuses(wrong):
    with pytest.raises(ValidationError):
        SplitModel(**wrong)


def test_split_says_how_much_its_shares_make():
    with pytest.raises(ValidationError, match=r"add up to at most 1, found 1\.3"):
        SplitModel(communication=0.5, quad_cell=0.5, camera=0.3)


def test_default_split_and_one_that_gives_all_away_make_exactly_one():
    split = SplitModel()
    assert split.communication + split.quad_cell + split.camera == pytest.approx(1.0)
    assert SplitModel(communication=0.7, quad_cell=0.2, camera=0.1).camera == 0.1


@pytest.mark.parametrize(
    "wrong",
    [
        {"aperture_mm": 0.0},
        {"obscuration": -0.1},
        {"obscuration": 1.0},
        {"truncation": 0.0},
        {"transmit_loss_db": -0.1},
        {"receive_loss_db": -0.1},
        {"wavefront_error_nm": -1.0},
        {"transmit_alignment_urad": (0.0, math.nan)},
        {"transmit_alignment_urad": (0.0,)},
        {"filter_nm": 0.0},
        {"split": {"communication": 2.0}},
        {"magnification": 20.0},
    ],
    ids=str,
)
def test_optics_refuse(wrong):
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        OpticsModel(**wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        {"wavelength_nm": 300.0},
        {"wavelength_nm": 3000.0},
        {"signal": {"power_w": 0.0, "divergence_fwhm_urad": 15.0}},
        {"signal": {"power_w": 1.0, "divergence_fwhm_urad": 0.0}},
        {"signal": {"power_w": 1.0}},
        {"beacon": {"power_w": -1.0, "divergence_fwhm_urad": 15.0}},
        {"pilot": {"power_w": 1.0, "divergence_fwhm_urad": 15.0}},
    ],
    ids=str,
)
def test_laser_refuses(wrong):
    signal = {"signal": {"power_w": 1.0, "divergence_fwhm_urad": 15.0}}
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        LaserModel.model_validate(signal | wrong)


def test_laser_needs_a_signal():
    with pytest.raises(ValidationError, match="signal"):
        LaserModel.model_validate({})
