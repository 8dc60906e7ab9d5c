"""The line rate by range, against the irradiance of the beam."""

import math

import numpy as np
import pytest
from scipy import constants

from flightsw.errors import ConfigError
from hil.scenario import load
from sim.link_budget import BeamModel, LaserModel, OpticsModel, SplitModel
from sim.network.rate import line_rate, photons_per_bit
from sim.terminal import HardwareModel

TERMINAL = HardwareModel(laser=LaserModel(signal=BeamModel(power_w=2.5, divergence_fwhm_urad=15.0)))
LOSSLESS = TERMINAL.model_copy(
    update={
        "optics": OpticsModel(
            transmit_loss_db=0.0,
            receive_loss_db=0.0,
            wavefront_error_nm=0.0,
            split=SplitModel(communication=1.0, quad_cell=0.0, camera=0.0),
        )
    }
)


def test_a_bit_of_the_published_link_has_the_photons_of_its_irradiance():
    # 324.2 uW/m^2 over 5,500 km, on 8 cm, at 1550 nm and 2.5 Gbit/s
    expected = 324.2e-6 * math.pi * 0.04**2 / (constants.h * constants.c / 1550e-9) / 2.5e9
    assert photons_per_bit(LOSSLESS, LOSSLESS, 5_500e3, 2.5e9) == pytest.approx(expected, rel=2e-4)


def test_leo_crosslink_at_2000_km_has_the_photons_of_its_campaign():
    # -23.2604 dBm on the communication receiver at 1,999.95 km, from campaign.parquet
    expected = 1e-3 * 10.0**-2.32604 / (constants.h * constants.c / 1550e-9) / 2.5e9
    alpha, bravo = (terminal.hardware for terminal in load("leo_crosslink").terminals.values())
    assert photons_per_bit(alpha, bravo, 1_999.95e3, 2.5e9) == pytest.approx(expected, rel=2e-5)


def test_rate_falls_with_the_square_of_the_range_below_the_greatest():
    rate = line_rate(TERMINAL, TERMINAL, 100.0, 1e9)
    full = rate.full_range_m
    assert rate([0.1 * full, 0.999 * full]).tolist() == [1e9, 1e9]
    assert rate(np.array([2.0, 3.0]) * full) == pytest.approx([1e9 / 4.0, 1e9 / 9.0])


def test_the_design_range_carries_the_design_rate():
    per_bit = photons_per_bit(TERMINAL, TERMINAL, 3_000e3, 2.5e9, pointing_loss=0.8)
    rate = line_rate(TERMINAL, TERMINAL, per_bit, 2.5e9, pointing_loss=0.8)
    assert rate.full_range_m == pytest.approx(3_000e3)
    # the pointing loss costs as much as bits that need more photons
    assert line_rate(TERMINAL, TERMINAL, per_bit / 0.8, 2.5e9).full_range_m == pytest.approx(3_000e3)


@pytest.mark.parametrize(("per_bit", "greatest"), [(0.0, 1e9), (100.0, -1.0), (math.nan, 1e9)])
def test_rates_that_cannot_be_are_refused(per_bit, greatest):
    with pytest.raises(ConfigError, match="above 0"):
        line_rate(TERMINAL, TERMINAL, per_bit, greatest)
