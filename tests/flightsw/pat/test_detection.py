"""Detection on synthetic camera images: Gaussian spots integrated over pixels, noise, hot pixels and the sun's limb."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import erf, ndtr
from scipy.stats import norm

from flightsw.pat.detection import Detection, Detector, hot_pixel_mask, threshold

SIZE = 64
DARK = 20.0
READ = 50.0
NOISE = math.sqrt(READ**2 + DARK)
PIXEL_RAD = 30e-6
ROWS, COLUMNS = np.mgrid[0:SIZE, 0:SIZE] + 0.5 - SIZE / 2


def detector(false_alarms: float = 1e-6, mask: np.ndarray | None = None, pixel_rad: float = 1.0) -> Detector:
    """A detector whose angles are pixels, unless said."""
    trusted = np.zeros((SIZE, SIZE), bool) if mask is None else mask
    return Detector(threshold(false_alarms, SIZE**2), trusted, pixel_rad, READ)


def spot(x: float, y: float, electrons: float, radius: float = 1.0) -> np.ndarray:
    """Electrons of a Gaussian spot of 1/e^2 `radius` at x, y, all in pixels from the middle of the image."""
    scale = math.sqrt(2.0) / radius
    share_x = 0.5 * (erf(scale * (COLUMNS + 0.5 - x)) - erf(scale * (COLUMNS - 0.5 - x)))
    share_y = 0.5 * (erf(scale * (ROWS + 0.5 - y)) - erf(scale * (ROWS - 0.5 - y)))
    return electrons * share_x * share_y


def expose(rng: np.random.Generator, mean: np.ndarray | float = DARK, well: float = math.inf) -> np.ndarray:
    """An image with Gaussian shot and read noise around `mean` electrons."""
    noise = np.sqrt(np.broadcast_to(mean, (SIZE, SIZE)) + READ**2) * rng.standard_normal((SIZE, SIZE))
    return np.minimum(mean + noise, well).astype(np.float32)


@pytest.mark.parametrize("rate", [1e-9, 1e-6, 0.05])
def test_threshold_is_the_gaussian_tail_shared_by_the_pixels(rate) -> None:
    assert norm.sf(threshold(rate, 4096)) * 4096 == pytest.approx(rate, rel=1e-9)


def test_false_alarms_come_at_about_the_wanted_rate() -> None:
    rng = np.random.default_rng(1)
    found = sum(detector(0.05).find(expose(rng)) is not None for _ in range(4000))
    # the border is not looked at, the level of a block is uncertain by an eighth of the noise
    wanted = 0.05 * ((SIZE - 10) / SIZE) ** 2
    assert found / 4000 == pytest.approx(wanted, rel=0.35)


def test_no_false_alarm_at_the_rate_that_flies() -> None:
    rng = np.random.default_rng(2)
    assert not any(detector(1e-6).find(expose(rng)) for _ in range(1500))


@pytest.mark.parametrize("snr", [4.0, 6.0, 8.0])
def test_detection_probability_is_that_of_a_pixel_above_the_threshold(snr) -> None:
    # one lit pixel, so that its distribution is known: a spot spreads over four and more
    rng = np.random.default_rng(3)
    mean = np.full((SIZE, SIZE), DARK)
    mean[30, 35] += snr * NOISE
    spread = math.sqrt(mean[30, 35] + READ**2) / NOISE
    tries = 600
    found = sum(detector(1e-4).find(expose(rng, mean)) is not None for _ in range(tries))
    expected = norm.sf((threshold(1e-4, SIZE**2) - snr) / spread)
    assert found / tries == pytest.approx(expected, abs=4.0 * math.sqrt(expected * (1.0 - expected) / tries) + 0.02)


def test_detection_probability_rises_with_the_light() -> None:
    rng = np.random.default_rng(4)
    share = [
        np.mean([
            detector().find(expose(rng, DARK + spot(*rng.uniform(-20, 20, 2), electrons))) is not None
            for _ in range(200)
        ])
        for electrons in (200.0, 600.0, 800.0, 1000.0, 1400.0)
    ]  # fmt: skip
    assert share[0] < 0.02
    assert share[-1] > 0.98
    assert np.all(np.diff(share) > 0.0)


@pytest.mark.parametrize("radius", [1.0, 1.5, 2.0])
@pytest.mark.parametrize(("electrons", "pixels"), [(1e4, 0.06), (1e5, 0.01), (1e6, 0.004)])
def test_centroid_is_the_truth_to_a_small_part_of_a_pixel(electrons, pixels, radius) -> None:
    rng = np.random.default_rng(5)
    errors = []
    for x, y in rng.uniform(-25.0, 25.0, (100, 2)):
        found = detector().find(expose(rng, DARK + spot(x, y, electrons, radius)))
        errors += [found.x_rad - x, found.y_rad - y]
    assert np.sqrt(np.mean(np.square(errors))) < pixels
    assert abs(np.mean(errors)) < 0.5 * pixels


def test_error_of_the_centroid_is_about_two_pixels_over_the_snr() -> None:
    rng = np.random.default_rng(6)
    for radius in (1.0, 1.5, 2.0):
        for electrons in (4e3, 1e4, 1e5):
            errors, snr = [], []
            for x, y in rng.uniform(-25.0, 25.0, (100, 2)):
                found = detector().find(expose(rng, DARK + spot(x, y, electrons, radius)))
                if found is not None:
                    errors += [found.x_rad - x, found.y_rad - y]
                    snr.append(found.snr)
            assert len(snr) == 100
            assert 1.0 < np.sqrt(np.mean(np.square(errors))) * np.mean(snr) < 4.0


def test_a_spot_is_told_in_radians_electrons_and_noise() -> None:
    rng = np.random.default_rng(7)
    found = detector(pixel_rad=PIXEL_RAD).find(expose(rng, DARK + spot(10.25, -7.5, 1e5)))
    assert (found.x_rad, found.y_rad) == pytest.approx((10.25 * PIXEL_RAD, -7.5 * PIXEL_RAD), abs=0.02 * PIXEL_RAD)
    assert found.electrons == pytest.approx(1e5, rel=0.02)
    peak = spot(10.25, -7.5, 1e5).max() / NOISE
    assert found.snr == pytest.approx(peak, rel=0.05)


def test_column_is_cross_elevation_and_row_is_elevation() -> None:
    image = np.full((SIZE, SIZE), DARK, np.float32)
    image[40, 20] = 1e4
    assert detector().find(image) == Detection(-11.5, 8.5, pytest.approx(1e4, rel=0.01), pytest.approx(198.8, rel=0.01))


def test_the_brightest_of_two_spots_is_taken() -> None:
    rng = np.random.default_rng(8)
    found = detector().find(expose(rng, DARK + spot(-15.0, 5.0, 2e4) + spot(12.0, -9.0, 4e4)))
    assert (found.x_rad, found.y_rad) == pytest.approx((12.0, -9.0), abs=0.1)


@pytest.mark.parametrize("electrons", [1e6, 1e7, 1e8])
def test_a_saturated_spot_is_found_within_a_third_of_a_pixel(electrons) -> None:
    rng = np.random.default_rng(9)
    for x, y in rng.uniform(-25.0, 25.0, (60, 2)):
        found = detector().find(expose(rng, DARK + spot(x, y, electrons), well=200_000.0))
        assert math.hypot(found.x_rad - x, found.y_rad - y) < 1.0 / 3.0


def test_a_gradient_of_the_background_neither_alarms_nor_moves_the_spot() -> None:
    rng = np.random.default_rng(10)
    background = DARK + 1500.0 + 20.0 * COLUMNS + 10.0 * ROWS  # electrons; 160 from a block to the next
    assert not any(detector().find(expose(rng, background)) for _ in range(100))
    for x, y in rng.uniform(-25.0, 25.0, (50, 2)):
        found = detector().find(expose(rng, background + spot(x, y, 3e4)))
        assert math.hypot(found.x_rad - x, found.y_rad - y) < 0.25


def test_an_even_bright_background_does_not_alarm() -> None:
    rng = np.random.default_rng(11)
    for level in (1e3, 1e4, 1e5):
        assert not any(detector().find(expose(rng, level)) for _ in range(50))


def limb(angle: float, offset: float, electrons: float, blur: float = 0.0) -> np.ndarray:
    """A straight edge: `electrons` beyond `offset` pixels from the middle, in the direction `angle`."""
    beyond = COLUMNS * math.cos(angle) + ROWS * math.sin(angle) - offset
    return DARK + electrons * (ndtr(beyond / blur) if blur else (beyond > 0.0))


@pytest.mark.parametrize("blur", [0.0, 1.0])
@pytest.mark.parametrize("electrons", [100.0, 200.0, 300.0, 600.0, 3e3, 3e4, 1e6])
def test_the_limb_of_the_sun_is_never_a_spot(electrons, blur) -> None:
    rng = np.random.default_rng(12)
    for _ in range(400):
        image = expose(rng, limb(rng.uniform(0.0, 2.0 * math.pi), rng.uniform(-46.0, 46.0), electrons, blur), 200_000.0)
        assert detector().find(image) is None


@pytest.mark.parametrize("side", range(4))
@pytest.mark.parametrize("rows_lit", range(1, 12))
def test_the_limb_along_a_side_of_the_image_is_never_a_spot(rows_lit, side) -> None:
    rng = np.random.default_rng(13)
    for electrons in (200.0, 600.0, 3e4):
        image = expose(rng, limb(0.5 * math.pi * side, SIZE / 2 - rows_lit, electrons))
        assert detector().find(image) is None


@pytest.mark.parametrize("legs", range(1, 16))
def test_the_limb_across_a_corner_of_the_image_is_never_a_spot(legs) -> None:
    rng = np.random.default_rng(14)
    for corner in range(4):
        angle = 0.25 * math.pi + 0.5 * math.pi * corner
        image = expose(rng, limb(angle, (SIZE - legs) / math.sqrt(2.0), 3e4))
        assert detector().find(image) is None


def test_the_partner_beside_a_sliver_of_the_sun_is_still_found() -> None:
    rng = np.random.default_rng(15)
    found = detector().find(expose(rng, limb(0.0, SIZE / 2 - 3.0, 3e4) + spot(-4.0, 6.0, 2e4)))
    assert (found.x_rad, found.y_rad) == pytest.approx((-4.0, 6.0), abs=0.1)


@pytest.mark.parametrize("side", [-1.0, 1.0])
def test_the_field_ends_five_pixels_before_the_image(side) -> None:
    rng = np.random.default_rng(16)
    for away, seen in ((5.5, True), (2.5, False)):
        place = side * (SIZE / 2 - away)
        assert (detector().find(expose(rng, DARK + spot(place, 0.5, 1e5, 0.5))) is not None) is seen
        assert (detector().find(expose(rng, DARK + spot(0.5, place, 1e5, 0.5))) is not None) is seen


def test_hot_pixels_in_the_mask_are_not_seen() -> None:
    rng = np.random.default_rng(17)
    hot = np.zeros((SIZE, SIZE), bool)
    hot[10, 20] = hot[40, 41] = True
    image = expose(rng, DARK + 5e3 * hot)
    assert detector().find(image) is not None
    assert detector(mask=hot).find(image) is None
    found = detector(mask=hot).find(expose(rng, DARK + 5e3 * hot + spot(8.0, 10.5, 1e5)))
    assert (found.x_rad, found.y_rad) == pytest.approx((8.0, 10.5), abs=0.5)  # a hot pixel lies in the spot


@pytest.mark.parametrize("images", [1, 8, 32])
def test_hot_pixel_mask_is_exactly_the_hot_pixels(images) -> None:
    rng = np.random.default_rng(18)
    hot = np.zeros((SIZE, SIZE), bool)
    hot.flat[rng.choice(SIZE**2, 25, replace=False)] = True
    # twice the excess that stands out: eight times the noise of the mean
    mean = DARK + 16.0 * NOISE / math.sqrt(images) * hot
    dark = np.stack([expose(rng, mean) for _ in range(images)])
    np.testing.assert_array_equal(hot_pixel_mask(dark, READ), hot)


def test_dead_pixels_are_masked_too() -> None:
    rng = np.random.default_rng(19)
    dark = np.stack([expose(rng, 5000.0) for _ in range(16)])
    dark[:, 12, 13] = 0.0
    mask = hot_pixel_mask(dark, READ)
    assert np.argwhere(mask).tolist() == [[12, 13]]


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("where", ["beside the spot", "in its window", "on its ring", "in every block"])
def test_pixels_that_are_no_numbers_are_ignored(where, bad) -> None:
    rng = np.random.default_rng(20)
    image = expose(rng, DARK + spot(3.5, 2.5, 1e5))
    row, column = SIZE // 2 + 2, SIZE // 2 + 3
    assert image[row, column] == image.max()
    spoilt = image.copy()
    if where == "beside the spot":
        spoilt[row + 8, column + 3] = bad
    elif where == "in its window":
        spoilt[row + 3, column + 3] = bad
    elif where == "on its ring":
        spoilt[row - 5 : row + 6, column + 5] = bad
    else:
        spoilt[1::8, 1::8] = bad
    found = detector().find(spoilt)
    assert (found.x_rad, found.y_rad) == pytest.approx((3.5, 2.5), abs=0.05)
    assert found.electrons == pytest.approx(1e5, rel=0.02)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_an_image_without_a_number_shows_nothing(bad) -> None:
    assert detector().find(np.full((SIZE, SIZE), bad, np.float32)) is None


@settings(max_examples=150, deadline=None)
@given(
    image=arrays(
        np.float32, st.tuples(*[st.integers(0, 40)] * 2), elements=st.floats(width=32), fill=st.floats(width=32)
    ),
    read_noise=st.floats(1e-3, 1e4),
    masked=st.booleans(),
)
def test_no_image_raises_and_what_is_found_is_finite_and_in_the_field(image, read_noise, masked) -> None:
    mask = np.zeros(image.shape, bool)
    mask[::3, ::2] = masked
    found = Detector(5.0, mask, 1.0, read_noise).find(image)
    if found is not None:
        assert all(math.isfinite(number) for number in found)
        assert abs(found.x_rad) <= image.shape[1] / 2
        assert abs(found.y_rad) <= image.shape[0] / 2
        assert found.snr > 5.0 * (1.0 - 1e-6)


@pytest.mark.parametrize("shape", [(63, 100), (61, 71), (17, 23)])
def test_all_of_an_image_of_any_shape_is_looked_at(shape) -> None:
    for row in {*range(5, shape[0] - 5, 3), shape[0] - 6}:
        for column in (5, shape[1] // 2, shape[1] - 6):
            image = np.full(shape, DARK, np.float32)
            image[row, column] = 1e4
            found = Detector(5.0, np.zeros(shape, bool), 1.0, READ).find(image)
            assert (found.x_rad, found.y_rad) == (column + 0.5 - shape[1] / 2, row + 0.5 - shape[0] / 2)
