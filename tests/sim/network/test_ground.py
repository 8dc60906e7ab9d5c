"""Ground points against SGP4's sidereal time, published coordinates and closed forms; clouds by statistics."""

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from sgp4.api import jday
from sgp4.propagation import gstime

from flightsw.errors import ConfigError
from sim.network.ground import CloudsModel, GroundPointModel, clouds, earth_fixed, inertial, positions, sidereal_angle

EPOCH = datetime(2026, 3, 20, 12, tzinfo=UTC)


def point(latitude_deg, longitude_deg, height_m=0.0):
    return GroundPointModel(
        name="here", latitude_deg=latitude_deg, longitude_deg=longitude_deg, height_m=height_m, kind="gateway"
    )


@pytest.mark.parametrize(
    ("place", "metres", "within"),
    [
        (point(90.0, 0.0), (0.0, 0.0, 6_356_752.3142), 1e-4),  # WGS 84's printed semi-minor axis
        (point(0.0, 90.0, 100.0), (0.0, 6_378_237.0, 0.0), 1e-6),
        # the site of Vallado's example of range, azimuth and elevation; his equatorial radius is 0.7 m less
        (point(-7.906_635_7, -14.4025, 56.0), (6_119_400.269, -1_571_479.555, -871_561.181), 1.0),
        # Wettzell (WTZR), ITRF; four decimals of a degree are 11 m
        (point(49.1442, 12.8789, 666.0), (4_075_580.6, 931_853.8, 4_801_568.1), 11.0),
    ],
)
def test_earth_fixed_coordinates(place, metres, within):
    np.testing.assert_allclose(earth_fixed([place])[0], metres, rtol=0, atol=within)


def test_sidereal_time_is_that_of_sgp4():
    for moment in (EPOCH, datetime(2000, 1, 1, 3, 4, 5, tzinfo=UTC), datetime(2057, 12, 31, 23, 59, 59, tzinfo=UTC)):
        t = np.array([0.0, 1.0, 43_210.0, 864_000.0])
        for seconds, angle in zip(t, sidereal_angle(moment, t), strict=True):
            then = moment + timedelta(seconds=float(seconds))
            day, fraction = jday(then.year, then.month, then.day, then.hour, then.minute, then.second)
            # one Julian date in a float64 is good to 40 us: 3 nrad
            assert math.remainder(angle - gstime(day + fraction), 2.0 * math.pi) == pytest.approx(0.0, abs=5e-9)


def test_the_earth_turns_once_in_a_sidereal_day():
    t = np.array([0.0, 86_164.090_53 / 4, 86_164.090_53])
    x, y, z = positions([point(30.0, 20.0)], EPOCH, t)[:, 0].T
    angle = np.arctan2(y, x)
    assert math.remainder(angle[1] - angle[0] - math.pi / 2, 2 * math.pi) == pytest.approx(0.0, abs=1e-8)
    assert math.remainder(angle[2] - angle[0], 2 * math.pi) == pytest.approx(0.0, abs=1e-8)
    np.testing.assert_array_equal(z, z[0])


def test_inertial_axes_turn_east_and_back():
    fixed = np.array([[1.0, 0.0, 5.0], [0.0, 2.0, 6.0]])
    turned = inertial(fixed, np.array([0.0, math.pi / 2]))
    np.testing.assert_allclose(turned, [fixed, [[0.0, 1.0, 5.0], [-2.0, 0.0, 6.0]]], atol=1e-15)
    np.testing.assert_allclose(inertial(turned, np.array([0.0, -math.pi / 2])), [fixed, fixed], atol=1e-15)


def test_an_epoch_without_time_zone_is_refused():
    with pytest.raises(ConfigError, match="epoch: expected a time zone"):
        positions([point(0, 0)], datetime(2026, 3, 20), np.zeros(1))


def test_share_of_cloudy_time_from_the_start_on():
    model = CloudsModel(share=0.3, mean_s=600.0)
    times = np.sort(np.random.default_rng(1).uniform(0.0, 864_000.0, 400))
    cloudy = clouds(model, 20_000, times, np.random.default_rng(2))
    assert cloudy.shape == (400, 20_000)
    # a binomial share of 20,000 has a sigma of 0.0032: at the first time, at the last, and at every one
    np.testing.assert_allclose(cloudy.mean(axis=1), 0.3, atol=4.5 * 0.0032)


def test_spells_have_the_mean_length():
    model = CloudsModel(share=0.25, mean_s=200.0)
    cloudy = clouds(model, 400, np.arange(0.0, 40_000.0, 1.0), np.random.default_rng(3))
    begun = np.count_nonzero(cloudy[1:] & ~cloudy[:-1])
    # 20,000 spells; steps of 1 s miss the shortest gaps, 0.2 % of them
    assert np.count_nonzero(cloudy) / begun == pytest.approx(200.0, rel=0.02)


def test_the_correlation_dies_at_the_rate_of_both_spells():
    """exp(-(1/mean cloudy + 1/mean clear) t), with clear spells of mean_s (1 - share) / share."""
    model = CloudsModel(share=0.4, mean_s=900.0)
    first, then = clouds(model, 200_000, np.array([0.0, 300.0]), np.random.default_rng(4)).astype(float)
    expected = math.exp(-(1 / 900.0 + 1 / (900.0 * 0.6 / 0.4)) * 300.0)
    assert np.corrcoef(first, then)[0, 1] == pytest.approx(expected, abs=0.01)


def test_no_share_no_clouds():
    assert not clouds(CloudsModel(share=0.0, mean_s=1.0), 100, np.arange(50.0), np.random.default_rng(5)).any()
