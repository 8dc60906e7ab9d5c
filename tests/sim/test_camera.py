"""The acquisition camera, against photon counts, the integral of a Gaussian over pixels and the mean-variance line."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy import constants
from scipy.special import ndtr

from sim.camera import Camera, CameraModel, expose, new_exposure

RATE_HZ = 10_000.0
WAVELENGTH = 1550e-9
URAD = 1e-6
CLEAN = {"dark_electrons": 0.0, "hot_pixels": 0, "full_well_electrons": 1e9}
OPEN = 90  # samples of 9 ms


class Silence:
    """A source of noise that is always zero, in the place of numpy's generator."""

    def choice(self, count: int, size: int, replace: bool) -> np.ndarray:
        return np.arange(size)

    def standard_normal(self, out: np.ndarray, dtype: type) -> None:
        out[:] = 0.0


def silent(**kinds) -> Camera:
    return Camera(CameraModel(**(CLEAN | kinds)), WAVELENGTH, RATE_HZ, Silence())


def noisy(seed: int = 1, **kinds) -> Camera:
    return Camera(CameraModel(**(CLEAN | kinds)), WAVELENGTH, RATE_HZ, np.random.default_rng(seed))


def electrons(energy_j: float, efficiency: float = 0.7) -> float:
    return energy_j * efficiency * WAVELENGTH / (constants.h * constants.c)


def background_w(level: float) -> float:
    """Power on a pixel that makes `level` electrons in an exposure of 9 ms."""
    return level / electrons(9e-3)


# the spot


@pytest.mark.parametrize("spot_urad", [10.0, 30.0, 100.0])
def test_electrons_in_the_spot_are_energy_over_photon_energy_times_efficiency(spot_urad):
    power = 3e-12
    image = silent(spot_radius_urad=spot_urad, quantum_efficiency=0.7).render(power * OPEN, 1e-4, -2e-4, 0.0, None)
    assert image.sum(dtype=np.float64) == pytest.approx(electrons(power * 9e-3), rel=1e-5)


@given(st.floats(-0.5, 0.5), st.floats(-0.5, 0.5), st.sampled_from([30.0, 45.0, 60.0]))
@settings(deadline=None, max_examples=40)
def test_centroid_of_the_image_is_the_direction_of_the_light(part_x, part_y, spot_urad):
    camera = silent(spot_radius_urad=spot_urad)
    x, y = (5.0 + part_x) * 30.0 * URAD, (-3.0 + part_y) * 30.0 * URAD
    image = camera.render(1e-9, x, y, 0.0, None).astype(np.float64)
    centres = np.arange(64) - 31.5  # pixels from the middle of the field; x along a row, y from row to row
    found_x, found_y = (image.sum(axis=axis) @ centres / image.sum() for axis in (0, 1))
    assert found_x == pytest.approx(x / (30.0 * URAD), abs=0.01)
    assert found_y == pytest.approx(y / (30.0 * URAD), abs=0.01)


@pytest.mark.parametrize("spot_urad", [15.0, 20.0, 25.0])
def test_spot_smaller_than_a_pixel_is_drawn_to_its_middle_as_sampling_has_it(spot_urad):
    """Poisson summation: harmonic k of the bias is (-1)^k exp(-2 pi^2 sigma^2 k^2) / (pi k), sigma in pixels."""
    camera = silent(spot_radius_urad=spot_urad)
    sigma = 0.5 * spot_urad / 30.0
    for part in (0.1, 0.25, 0.4, 0.6, 0.9):
        x = 3.0 + part
        image = camera.render(1e-9, x * 30.0 * URAD, 0.0, 0.0, None).astype(np.float64)
        found = image.sum(axis=0) @ (np.arange(64) - 31.5) / image.sum()
        harmonics = [(k, math.exp(-2.0 * (math.pi * sigma * k) ** 2) / (math.pi * k)) for k in (1, 2, 3)]
        bias = sum((-1.0) ** k * size * math.sin(2.0 * math.pi * k * (part - 0.5)) for k, size in harmonics)
        assert found - x == pytest.approx(bias, abs=1e-4)


def test_each_pixel_takes_its_integral_of_the_gaussian():
    image = silent(pixels=16, spot_radius_urad=40.0).render(1e-9, 17.0 * URAD, -8.0 * URAD, 0.0, None)
    edges = (np.arange(17) - 8.0) * 30.0
    share_x, share_y = (np.diff(ndtr((edges - centre) / 20.0)) for centre in (17.0, -8.0))  # sigma = w / 2
    expected = electrons(1e-9 / RATE_HZ) * share_y[:, None] * share_x
    # what lies beyond three radii is left out: less than 2e-8 of the whole
    np.testing.assert_allclose(image, expected, rtol=1e-5, atol=2e-8 * expected.sum())


@pytest.mark.parametrize(
    ("x_urad", "y_urad", "share"), [(960.0, 0.0, 0.5), (0.0, -960.0, 0.5), (960.0, 960.0, 0.25), (1_200.0, 0.0, 0.0)]
)
def test_only_the_part_of_a_spot_within_the_field_is_seen(x_urad, y_urad, share):
    image = silent().render(1e-9, x_urad * URAD, y_urad * URAD, 0.0, None)
    assert image.sum(dtype=np.float64) == pytest.approx(share * electrons(1e-9 / RATE_HZ), rel=1e-5)


def test_camera_states_its_field_its_pixel_and_its_readout():
    camera = silent(pixels=128, pixel_urad=20.0, readout_ms=15.0)
    assert camera.half_field_rad == pytest.approx(1_280e-6)
    assert camera.pixel_rad == pytest.approx(20e-6)
    assert camera.readout_s == pytest.approx(0.015)


# noise


def frames(camera: Camera, count: int, background: float = 0.0) -> np.ndarray:
    return np.array([camera.render(0.0, 0.0, 0.0, background, None) for _ in range(count)], np.float64)


def test_dark_frames_have_the_read_noise():
    stack = frames(noisy(read_noise_electrons=50.0), 30)
    n = stack.size
    assert stack.mean() == pytest.approx(0.0, abs=5.0 * 50.0 / math.sqrt(n))
    assert stack.std() == pytest.approx(50.0, rel=5.0 / math.sqrt(2.0 * n))
    neighbours = np.mean(stack[:, :, 1:] * stack[:, :, :-1]) / 50.0**2
    successive = np.mean(stack[1:] * stack[:-1]) / 50.0**2
    assert neighbours == pytest.approx(0.0, abs=5.0 / math.sqrt(n))
    assert successive == pytest.approx(0.0, abs=5.0 / math.sqrt(n))


def test_dark_electrons_have_a_mean_and_shot_noise():
    stack = frames(noisy(dark_electrons=400.0, read_noise_electrons=0.0), 30)
    assert stack.mean() == pytest.approx(400.0, abs=5.0 * 20.0 / math.sqrt(stack.size))
    assert stack.std() == pytest.approx(20.0, rel=5.0 / math.sqrt(2.0 * stack.size))


def test_variance_rises_with_the_mean_at_one_electron_an_electron_from_the_read_noise_on():
    levels = np.array([0.0, 1e3, 1e4, 3e4, 1e5])
    camera = noisy(read_noise_electrons=50.0)
    stacks = [frames(camera, 20, background_w(level)) for level in levels]
    means, variances = np.array([s.mean() for s in stacks]), np.array([s.var() for s in stacks])
    error = math.sqrt(2.0 / stacks[0].size)  # relative, of a variance
    np.testing.assert_allclose(means, levels, atol=5.0 * np.sqrt(1e5 / stacks[0].size))
    np.testing.assert_allclose(variances, levels + 50.0**2, rtol=5.0 * error)
    slope, offset = np.polyfit(levels, variances, 1, w=1.0 / (levels + 2_500.0))
    assert slope == pytest.approx(1.0, abs=0.02)
    assert offset == pytest.approx(2_500.0, rel=0.03)


def test_spot_has_shot_noise():
    camera = noisy(read_noise_electrons=0.0)
    light = 20_000.0 / electrons(1.0 / RATE_HZ)
    sums = [camera.render(light, 0.0, 0.0, 0.0, None).sum(dtype=np.float64) for _ in range(1_000)]
    assert np.mean(sums) == pytest.approx(20_000.0, abs=5.0 * math.sqrt(20_000.0 / 1_000))
    assert np.std(sums) == pytest.approx(math.sqrt(20_000.0), rel=5.0 / math.sqrt(2_000.0))


def test_pixels_fill_up_to_the_well_and_no_further():
    full = noisy(full_well_electrons=5_000.0).render(1e-3, 0.0, 0.0, background_w(100.0), None)
    assert full.max() == 5_000.0
    assert (full == 5_000.0).sum() >= 4
    assert silent(full_well_electrons=5_000.0).render(0.0, 0.0, 0.0, background_w(4_900.0), None).max() < 4_901.0


@pytest.mark.parametrize("count", [0, 4, 37])
def test_hot_pixels_are_as_many_as_stated_and_stand_above_the_dark_by_their_electrons(count):
    camera = noisy(hot_pixels=count, hot_electrons=5_000.0, dark_electrons=20.0, read_noise_electrons=0.0)
    assert sorted(np.unique(camera.dark)) == pytest.approx([20.0, 5_020.0] if count else [20.0])
    assert (camera.dark > 1_000.0).sum() == count
    hot = frames(camera, 10).mean(axis=0) > 1_000.0
    assert (hot == (camera.dark > 1_000.0)).all()


def test_hot_pixels_stand_elsewhere_on_another_camera():
    first, second = (noisy(seed, hot_pixels=10).dark > 1_000.0 for seed in (1, 2))
    assert (first != second).any()


# background


def test_even_background_makes_its_electrons_on_every_pixel():
    level = 1e-15
    image = silent().render(0.0, 0.0, 0.0, level, None)
    np.testing.assert_allclose(image, electrons(level * 9e-3), rtol=1e-6)


@pytest.mark.parametrize("exposure_ms", [9.0, 0.26, 0.01])
def test_background_and_spot_are_collected_for_the_same_time(exposure_ms):
    """A spot of many times the field is as good as an even background of the same light on each pixel."""
    camera = silent(exposure_ms=exposure_ms, pixels=16)
    samples = int(new_exposure(CameraModel(exposure_ms=exposure_ms), RATE_HZ)["open"])
    background = camera.render(0.0, 0.0, 0.0, 1e-15, None)
    np.testing.assert_allclose(background, electrons(1e-15 * samples / RATE_HZ), rtol=1e-6)


def test_disc_of_the_sun_lights_the_pixels_in_front_of_it_and_no_others():
    image = silent().render(0.0, 0.0, 0.0, background_w(1_000.0), (300.0 * URAD, -100.0 * URAD, 500.0 * URAD))
    centres = (np.arange(64) - 31.5) * 30.0
    inside = (centres - 300.0) ** 2 + (centres[:, None] + 100.0) ** 2 < 500.0**2
    np.testing.assert_allclose(image, np.where(inside, 1_000.0, 0.0), rtol=1e-5)
    assert 0.2 < inside.mean() < 0.25


def test_disc_that_covers_the_field_is_an_even_background_and_one_far_off_none():
    camera = silent()
    covered = camera.render(0.0, 0.0, 0.0, background_w(1_000.0), (0.0, 0.0, 4.65e-3))
    assert (covered == camera.render(0.0, 0.0, 0.0, background_w(1_000.0), None)).all()
    assert not camera.render(0.0, 0.0, 0.0, background_w(1_000.0), (0.01, 0.0, 4.65e-3)).any()


# the shutter


def shutter(**kinds) -> np.void:
    record = new_exposure(CameraModel(**kinds), RATE_HZ)[()]
    record["on"] = 1
    return record


@pytest.mark.parametrize(
    ("frame_rate_hz", "exposure_ms", "period", "opened"),
    [
        (100.0, 9.0, 100, 90),
        (50.0, 4.5, 200, 45),
        (30.0, 33.0, 333, 330),
        (100.0, 10.0, 100, 100),
        (100.0, 0.01, 100, 1),
    ],
)
def test_exposures_come_once_a_period_and_last_as_long_as_stated(frame_rate_hz, exposure_ms, period, opened):
    record = shutter(frame_rate_hz=frame_rate_hz, exposure_ms=exposure_ms)
    completed = []
    for sample in range(3 * period):
        expose(record, 2.0, 0.0, 0.0)
        if record["ready"]:
            completed.append(sample)
            assert record["ready_light"] == pytest.approx(2.0 * opened)
            record["ready"] = 0
    assert completed == [opened - 1 + i * period for i in range(3)]


@pytest.mark.parametrize("exposure_ms", [9.0, 9.1, 0.1])
def test_age_counts_samples_since_the_middle_of_the_exposure(exposure_ms):
    record = shutter(exposure_ms=exposure_ms)
    opened = round(exposure_ms * 10.0)
    for elapsed in range(1, 101):  # samples since the shutter opened
        expose(record, 1.0, 0.0, 0.0)
        if record["ready"]:
            assert abs(record["age"] - (elapsed - opened / 2.0)) <= 0.5
    assert record["age"] == pytest.approx(100.0 - opened / 2.0, abs=0.5)


def test_position_is_the_mean_weighted_by_the_light_while_the_shutter_is_open():
    rng = np.random.default_rng(1)
    power, x, y = rng.uniform(0.0, 1.0, 200), rng.normal(size=200), rng.normal(size=200)
    record = shutter()
    for i in range(200):
        expose(record, power[i], x[i], y[i])
    second = slice(100, 190)
    assert record["ready_light"] == pytest.approx(power[second].sum())
    assert record["ready_x"] == pytest.approx(np.average(x[second], weights=power[second]))
    assert record["ready_y"] == pytest.approx(np.average(y[second], weights=power[second]))


def test_exposure_in_the_dark_is_ready_without_light():
    record = shutter()
    for _ in range(90):
        expose(record, 0.0, 1.0, 1.0)
    assert (record["ready"], record["ready_light"], record["ready_x"], record["ready_y"]) == (1, 0.0, 0.0, 0.0)


def test_camera_that_is_off_collects_nothing():
    record = shutter()
    record["on"] = 0
    for _ in range(200):
        expose(record, 1.0, 0.0, 0.0)
    assert (record["ready"], record["light"], record["clock"]) == (0, 0.0, 0)


# what is refused


@pytest.mark.parametrize(
    "wrong",
    [
        {"pixels": 8},
        {"pixels": 264},
        {"pixels": 60},
        {"pixel_urad": 0.0},
        {"spot_radius_urad": 0.0},
        {"frame_rate_hz": 0.0},
        {"frame_rate_hz": 100.1},
        {"exposure_ms": 0.0},
        {"exposure_ms": 10.1},
        {"exposure_ms": 5.1, "frame_rate_hz": 200.0},
        {"readout_ms": -1.0},
        {"quantum_efficiency": 0.0},
        {"quantum_efficiency": 1.1},
        {"read_noise_electrons": -1.0},
        {"dark_electrons": -1.0},
        {"full_well_electrons": 0.0},
        {"full_well_electrons": math.inf},
        {"hot_pixels": -1},
        {"hot_pixels": 257},
        {"hot_electrons": -1.0},
        {"gain_db": 3.0},
    ],
    ids=str,
)
def test_model_refuses(wrong):
    with pytest.raises(ValidationError, match="|".join(wrong)):
        CameraModel(**wrong)


def test_exposure_may_be_as_long_as_a_frame_of_a_slow_camera():
    assert CameraModel(frame_rate_hz=20.0, exposure_ms=50.0).exposure_ms == 50.0


def test_smallest_sensor_takes_the_most_hot_pixels():
    camera = noisy(pixels=16, hot_pixels=256, hot_electrons=10.0)
    assert (camera.dark == 10.0).all()
