"""The sun in the fields, against a black body and the geometry of a limb across a round field."""

import math

import numpy as np
import pytest
from scipy import constants

from sim.camera import CameraModel
from sim.link_budget import OpticsModel, SplitModel
from sim.quad_cell import QuadCellModel
from sim.sky import Sky

URAD = 1e-6
DISC = 4.65e-3
FIELD = 50.0 * URAD
CAMERA = CameraModel(pixels=64, pixel_urad=30.0)
#: From the middle of the camera's field to its corner.
CORNER = 32.0 * 30.0 * URAD * math.sqrt(2.0)


def planck(wavelength_m: float, temperature_k: float = 5772.0) -> float:
    """Radiance in W/(m^2 sr nm) of a black body."""
    x = constants.h * constants.c / (wavelength_m * constants.k * temperature_k)
    return 2.0 * constants.h * constants.c**2 / wavelength_m**5 / math.expm1(x) * 1e-9


def sky(offset, radiance: float = planck(1550e-9), step_s: float = 0.01, **kinds) -> Sky:
    only_quad = SplitModel(communication=0.0, quad_cell=1.0, camera=0.0)
    optics = OpticsModel(**({"receive_loss_db": 0.0, "split": only_quad, "filter_nm": 1.0} | kinds))
    cell = QuadCellModel(field_radius_urad=FIELD / URAD)
    return Sky(np.atleast_2d(np.array(offset, np.float64)), step_s, radiance, DISC, optics, CAMERA, cell)


def test_sun_in_a_field_of_100_urad_is_0_132_uw():
    """8 cm, 1 nm at 1550 nm; the field is 100 urad across."""
    assert sky((0.0, 0.0)).on_quad_cell[0] == pytest.approx(0.132e-6, rel=0.01)


def test_power_is_radiance_times_area_times_solid_angle_times_bandwidth_times_losses():
    split = SplitModel(communication=0.5, quad_cell=0.2, camera=0.05)
    found = sky(
        (0.0, 0.0), 1000.0, aperture_mm=100.0, obscuration=0.3, receive_loss_db=3.0103, filter_nm=2.5, split=split
    )
    collected = 1000.0 * math.pi * 0.05**2 * 0.91 * 0.5 * 2.5
    solid_angle = 2.0 * math.pi * (1.0 - math.cos(FIELD))
    assert found.on_quad_cell[0] == pytest.approx(collected * solid_angle * 0.2, rel=1e-4)
    pixel, disc = found.on_camera(0.0)
    assert pixel == pytest.approx(collected * (30.0 * URAD) ** 2 * 0.05, rel=1e-4)
    assert disc == (0.0, 0.0, DISC)


def test_camera_pixels_in_front_of_the_sun_hold_what_the_whole_field_would():
    """As many pixels as cover the quad cell's field take the same light."""
    split = SplitModel(communication=0.0, quad_cell=0.5, camera=0.5)
    found = sky((0.0, 0.0), split=split)
    pixels = math.pi * FIELD**2 / (30.0 * URAD) ** 2
    assert found.on_camera(0.0)[0] * pixels == pytest.approx(found.on_quad_cell[0])


# the limb


def test_limb_that_crosses_the_field_uncovers_it_in_about_the_proportion_of_the_area():
    depth = np.linspace(-1.5, 1.5, 301)  # distance of the limb from the middle of the field, in its radii
    offset = np.column_stack([DISC + depth * FIELD, np.zeros(len(depth))])
    found = sky(offset).on_quad_cell / sky((0.0, 0.0)).on_quad_cell[0]
    d = np.clip(depth, -1.0, 1.0)
    segment = (np.arccos(d) - d * np.sqrt(1.0 - d**2)) / math.pi
    # a straight line instead of the segment's area: at most 0.058 apart
    np.testing.assert_allclose(found, segment, atol=0.06)
    assert (np.diff(found) <= 0.0).all()
    assert found[150] == pytest.approx(0.5)
    assert found[depth <= -1.0] == pytest.approx(1.0)
    assert found[depth >= 1.0] == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("direction", [0.0, 1.0, 2.5, 4.0])
def test_limb_may_come_from_anywhere(direction):
    offset = DISC * np.array([math.cos(direction), math.sin(direction)])
    assert sky(offset).on_quad_cell[0] == pytest.approx(0.5 * sky((0.0, 0.0)).on_quad_cell[0])


def test_sun_far_away_leaves_both_sensors_dark():
    for offset in ((0.1, 0.0), (0.0, -3.0), (math.inf, 0.0)):
        found = sky(offset)
        assert found.on_quad_cell[0] == 0.0
        assert found.on_camera(0.0) == (0.0, None)
        assert not found.near[0]


def test_camera_has_background_as_long_as_the_disc_reaches_a_corner_of_its_field():
    touching, apart = DISC + CORNER - 1.0 * URAD, DISC + CORNER + 1.0 * URAD
    assert sky((touching, 0.0)).on_camera(0.0)[1] == (touching, 0.0, DISC)
    assert sky((apart, 0.0)).on_camera(0.0) == (0.0, None)


def test_near_comes_before_the_sun_does():
    second_of_leo = 1.1e-3  # rad that a line of sight fixed to the horizon turns in a second at 550 km
    offset = [[DISC + CORNER + second_of_leo, 0.0], [DISC + CORNER + 0.1, 0.0]]
    found = sky(offset)
    assert found.near.tolist() == [True, False]
    assert found.on_camera(0.0) == (0.0, None)


def test_camera_sees_the_disc_where_it_is_at_the_time_of_the_exposure():
    offset = np.column_stack([np.linspace(0.0, 1e-3, 11), np.linspace(0.0, -2e-3, 11)])
    found = sky(offset, step_s=0.5)
    for time, row in ((0.0, 0), (0.49, 0), (0.51, 1), (2.6, 5), (5.0, 10), (100.0, 10)):
        assert found.on_camera(time)[1] == pytest.approx((*offset[row], DISC))
    assert len(found.on_quad_cell) == len(found.near) == 11
