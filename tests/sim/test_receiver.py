"""Receivers and the channel, against published photons per bit and counted errors."""

import math

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import ncx2, poisson

from sim.channel import OpticalChannel
from sim.link_budget import photon_energy
from sim.receiver import Receiver, ReceiverModel

WAVELENGTH, RATE = 1.55e-6, 1e9


def receiver(kind, **keys):
    return Receiver(ReceiverModel(kind=kind, implementation_loss_db=0.0, **keys))


@pytest.mark.parametrize(
    ("kind", "photons"), [("preamplified_ook", 38.4), ("dpsk", 20.03), ("photon_counting_ook", 10.02)]
)
def test_photons_per_bit_at_one_error_in_a_billion(kind, photons):
    r = receiver(kind)
    found = brentq(lambda n: math.log10(r.error_probability(np.array([n]))[0]) + 9.0, 1.0, 100.0)
    assert 10.0 * math.log10(found / photons) == pytest.approx(0.0, abs=0.1)


def test_an_apd_without_noise_of_its_own_follows_the_gaussian_q():
    r = receiver("apd_ook", apd_efficiency=1.0, apd_gain=1.0, apd_excess_noise=1.0, apd_thermal_electrons=50.0)
    # photons that separate the means by 6 standard deviations on either side: 2 N = 6 (sqrt(2 N + 2500) + 50)
    n = brentq(lambda n: 2.0 * n - 6.0 * (math.sqrt(2.0 * n + 2500.0) + 50.0), 1.0, 1e4)
    assert r.error_probability(np.array([n]))[0] == pytest.approx(9.866e-10, rel=1e-3)


@pytest.mark.parametrize("kind", ["preamplified_ook", "dpsk", "apd_ook"])
def test_soft_bits_err_as_often_as_the_formula_says_and_mean_what_they_say(kind):
    r, rng = receiver(kind, apd_thermal_electrons=30.0), np.random.default_rng(1)
    bits = rng.integers(0, 2, 400_000).astype(np.uint8)
    for photons in (3.0, 6.0):
        llr = r.soft_bits(bits, np.full(len(bits), photons), rng)
        expected = r.error_probability(np.array([photons]))[0]
        wrong = np.mean((llr < 0.0) != (bits == 1))
        # the APD's threshold by likelihood is a little better than the formula's
        low = 0.85 if kind == "apd_ook" else 1.0
        assert low * expected - 4e-4 * math.sqrt(expected / 0.02) < wrong < expected + 4e-4 * math.sqrt(expected / 0.02)
        near = np.abs(llr + 2.0) < 0.2
        assert np.count_nonzero(near) > 100
        assert np.mean(bits[near]) == pytest.approx(1.0 / (1.0 + math.exp(-2.0)), abs=0.1)


def test_background_in_the_mode_acts_like_less_signal():
    r = receiver("preamplified_ook")
    assert r.error_probability(np.array([20.0]), 1.0)[0] == pytest.approx(r.error_probability(np.array([10.0]))[0])


def test_error_probability_of_ook_is_the_best_of_all_thresholds():
    one = 2.0 * 12.0
    best = min(0.5 * (math.exp(-t) + ncx2.cdf(2.0 * t, 2, 2.0 * one)) for t in np.linspace(1.0, one, 2000))
    assert receiver("preamplified_ook").error_probability(np.array([12.0]))[0] == pytest.approx(best, rel=1e-3)


def test_a_counter_in_the_dark_errs_only_when_no_photon_of_a_1_comes():
    photons = np.array([0.0, 0.5, 3.0, 10.0, 100.0])
    found = receiver("photon_counting_ook").error_probability(photons)
    np.testing.assert_allclose(found, 0.5 * np.exp(-2.0 * photons), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("background", [0.01, 1.0, 30.0])
def test_error_probability_of_counting_is_the_best_of_all_thresholds(background):
    photons, least = np.array([0.3, 2.0, 12.0, 40.0]), np.arange(400)[:, None]
    wrong = poisson.sf(least - 1, background) + poisson.cdf(least - 1, background + 2.0 * photons)
    found = receiver("photon_counting_ook").error_probability(photons, background)
    np.testing.assert_allclose(found, 0.5 * wrong.min(axis=0), rtol=1e-9)


@pytest.mark.parametrize("background", [0.0, 1.5])
def test_soft_bits_of_counting_mean_what_they_say(background):
    r, rng = receiver("photon_counting_ook"), np.random.default_rng(4)
    bits = rng.integers(0, 2, 400_000).astype(np.uint8)
    llr = r.soft_bits(bits, np.full(len(bits), 2.0), rng, background)
    assert np.isfinite(llr).all()
    values, place, count = np.unique(llr, return_inverse=True, return_counts=True)
    ones = np.bincount(place, bits) / count
    meant = 1.0 / (1.0 + np.exp(values.astype(np.float64)))
    deviations = np.sqrt(meant * (1.0 - meant) / count)
    assert np.count_nonzero(count > 1000) >= 2
    assert np.all(np.abs(ones - meant) <= 5.0 * deviations + 1e-6)
    wrong = np.mean((llr < 0.0) != (bits == 1))
    assert wrong == pytest.approx(r.error_probability(np.array([2.0]), background)[0], abs=5.0 * math.sqrt(0.1 / 4e5))


def channel(seed=1, **keys):
    model = ReceiverModel(kind="dpsk", implementation_loss_db=0.0)
    return OpticalChannel(model, WAVELENGTH, RATE, np.random.default_rng(seed), **keys)


@pytest.mark.parametrize("photons", [1.0, 3.0, 8.0])
def test_hard_bits_err_at_the_rate_of_their_light(photons):
    octets = np.zeros(1_000_000, np.uint8)
    c = channel()
    out = c.hard(octets, np.full(10, photons * photon_energy(WAVELENGTH) * RATE))
    errors = int(np.unpackbits(out).sum())
    expected = 8e6 * 0.5 * math.exp(-photons)
    assert errors == c.counts.errors
    assert errors == pytest.approx(expected, abs=5.0 * math.sqrt(expected))


def test_a_fade_hits_the_bits_that_were_in_it_alone():
    power = np.full(100, 100.0 * photon_energy(WAVELENGTH) * RATE)
    power[40:50] = 0.0
    out = np.unpackbits(channel().hard(np.zeros(100_000, np.uint8), power)).reshape(100, -1).mean(axis=1)
    assert np.all(out[:40] == 0.0) and np.all(out[50:] == 0.0)
    assert np.all(np.abs(out[40:50] - 0.5) < 0.03)


def test_slips_are_made_as_often_as_asked_and_shift_the_rest():
    c = channel(slips_per_second=RATE / 1e5)
    power = np.full(1, 100.0 * photon_energy(WAVELENGTH) * RATE)
    data = np.random.default_rng(2).integers(0, 256, 125_000, dtype=np.uint8)
    out = c.hard(data, power)
    assert 1 <= c.counts.slips <= 30
    assert abs(len(out) - len(data)) <= 4 and not np.array_equal(out[-1000:], data[-1000:])
