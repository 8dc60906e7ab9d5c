"""Acquisition times, against the campaign's own figures and the geometric distribution."""

import math

import numpy as np
import pytest

from flightsw.errors import ConfigError
from sim.network.acquisition import AcquisitionTimes, leo_crosslink


def test_leo_crosslink_has_the_quantiles_of_the_campaign():
    # of the 10,000 runs, as numpy.quantile gave them from campaign.parquet
    drawn = leo_crosslink().draw(np.random.default_rng(1), 200_000)
    assert np.quantile(drawn, (0.01, 0.1, 0.5, 0.9)) == pytest.approx((2.63, 2.72, 3.22, 4.67), rel=0.01)
    assert np.quantile(drawn, 0.99) == pytest.approx(11.15, rel=0.05)
    assert drawn.min() >= 2.60
    assert drawn.max() <= 22.19
    assert leo_crosslink().probability == 1.0


def test_between_samples_times_are_spread_evenly():
    drawn = AcquisitionTimes([4.0, 0.0, 1.0]).draw(np.random.default_rng(1), 100_000)
    # half of them even over 0 to 1, half over 1 to 4
    assert np.quantile(drawn, (0.25, 0.5, 0.75)) == pytest.approx((0.5, 1.0, 2.5), abs=0.05)


def test_failed_attempts_cost_a_timeout_each():
    times = AcquisitionTimes([5.0, math.inf, 5.0, 5.0], timeout_s=20.0)
    assert times.probability == 0.75
    drawn = times.draw(np.random.default_rng(1), 100_000)
    assert set(np.unique(drawn)) >= {5.0, 25.0, 45.0}
    # mean failures before a success are (1 - P) / P, and P of the attempts need none
    assert drawn.mean() == pytest.approx(5.0 + 20.0 / 3.0, rel=0.02)
    assert np.mean(drawn == 5.0) == pytest.approx(0.75, abs=0.01)


def test_zero_is_zero():
    assert AcquisitionTimes.zero().is_zero
    assert not AcquisitionTimes.zero().draw(np.random.default_rng(1), 10).any()
    assert not AcquisitionTimes([0.0, 1.0]).is_zero
    assert not AcquisitionTimes([0.0, math.inf]).is_zero


@pytest.mark.parametrize(
    ("samples", "words"),
    [([1.0, -1.0, math.nan], "2 of 3"), ([math.inf], "none in 1"), ([], "none in 0")],
)
def test_samples_that_mean_nothing_are_refused(samples, words):
    with pytest.raises(ConfigError, match=words):
        AcquisitionTimes(samples)
