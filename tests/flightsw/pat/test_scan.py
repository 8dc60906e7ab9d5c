"""Scan patterns against their geometry, Monte Carlo, and the formulas and tables of PAT.md, in urad where not said."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit
from scipy.spatial import cKDTree

from flightsw.errors import ConfigError
from flightsw.pat.scan import (
    Pattern,
    Raster,
    Spiral,
    StepStare,
    hexagonal,
    mean_time_to_touch,
    miss_probability,
    track_pitch,
)

URAD = 1e-6


def path(pattern: Pattern, step_s: float) -> np.ndarray:
    """The whole pattern, (samples, 2), its last point included."""
    out = np.empty((math.ceil(pattern.duration_s / step_s) + 1, 2))
    pattern.trajectory(0.0, step_s, out)
    return out


def disc(radius: float, step: float) -> np.ndarray:
    """Points of a square grid within a disc, and its edge."""
    line = np.arange(-radius, radius + step, step)
    x, y = np.meshgrid(line, line)
    grid = np.stack([x.ravel(), y.ravel()], axis=1)
    angle = np.linspace(0.0, 2.0 * math.pi, 720)
    edge = radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return np.concatenate([grid[np.hypot(grid[:, 0], grid[:, 1]) <= radius], edge])


PATTERNS = [
    Spiral(600.0 * URAD, 30.0 * URAD, 8e-3),
    Raster(300.0 * URAD, 40.0 * URAD, 4e-3),
    hexagonal(200.0 * URAD, 60.0 * URAD, 0.02),
]
NAMES = ["spiral", "raster", "step-stare"]


@pytest.mark.parametrize("pattern", PATTERNS, ids=NAMES)
def test_a_trajectory_is_the_positions_at_its_times(pattern) -> None:
    out = np.empty((500, 2))
    # it begins before the pattern and ends after it
    step = 1.3 * pattern.duration_s / 500
    pattern.trajectory(-0.1 * pattern.duration_s, step, out)
    times = -0.1 * pattern.duration_s + step * np.arange(500)
    np.testing.assert_allclose(out, [pattern.position(float(t)) for t in times], atol=1e-12)


@pytest.mark.parametrize("pattern", PATTERNS, ids=NAMES)
def test_before_and_after_a_pattern_the_beam_stays_at_its_ends(pattern) -> None:
    first, last = pattern.position(0.0), pattern.position(pattern.duration_s)
    assert pattern.position(-5.0) == first
    assert pattern.position(pattern.duration_s + 5.0) == last
    assert math.dist(first, last) > 100.0 * URAD


def test_spiral_moves_at_a_constant_linear_speed() -> None:
    spiral = Spiral(600.0 * URAD, 30.0 * URAD, 8e-3)
    step = 1e-5
    moved = np.linalg.norm(np.diff(path(spiral, step)[:-1], axis=0), axis=1)
    # the chord of a step of 0.08 urad is short of its arc by a part in 10^5 on the innermost curve
    np.testing.assert_allclose(moved / step, 8e-3, rtol=1e-4)


def test_turns_of_a_spiral_lie_a_pitch_apart() -> None:
    points = path(Spiral(600.0 * URAD, 30.0 * URAD, 8e-3), 1e-5)
    radius = np.hypot(points[:, 0], points[:, 1])
    turned = np.unwrap(np.arctan2(points[1:, 1], points[1:, 0]))
    outward = np.interp(np.arange(1.0, 20.0) * 2.0 * math.pi, turned, radius[1:])
    np.testing.assert_allclose(outward, np.arange(1.0, 20.0) * 30.0 * URAD, rtol=1e-6)


def test_spiral_ends_at_its_radius() -> None:
    spiral = Spiral(600.0 * URAD, 30.0 * URAD, 8e-3)
    assert math.hypot(*spiral.position(spiral.duration_s)) == pytest.approx(600.0 * URAD, rel=1e-9)
    assert spiral.position(0.0) == (0.0, 0.0)


@pytest.mark.parametrize(("radius", "rel"), [(60.0, 0.05), (600.0, 1e-3), (6000.0, 1e-5)])
def test_duration_of_a_spiral_tends_to_area_over_pitch_and_speed(radius, rel) -> None:
    spiral = Spiral(radius * URAD, 30.0 * URAD, 8e-3)
    area = math.pi * (radius * URAD) ** 2
    assert spiral.duration_s == pytest.approx(area / (30.0 * URAD * 8e-3), rel=rel)


def test_spiral_passes_every_point_of_its_disc_within_half_a_pitch() -> None:
    spiral = Spiral(600.0, 30.0, 8e3)
    distance, _ = cKDTree(path(spiral, 1e-4)).query(disc(600.0 - 15.0, 3.0))
    assert np.max(distance) <= 15.0 * 1.001


def test_raster_passes_every_point_of_its_square_within_half_a_pitch() -> None:
    line = np.linspace(-300.0, 300.0, 201)
    square = np.stack([v.ravel() for v in np.meshgrid(line, line)], axis=1)
    for pitch in (40.0, 43.0, 600.0, 700.0):
        raster = Raster(300.0, pitch, 8e3)
        distance, _ = cKDTree(path(raster, 1e-4)).query(square)
        assert np.max(distance) <= 0.5 * pitch * 1.001


def test_raster_draws_no_row_that_it_does_not_need() -> None:
    assert [Raster(300.0, pitch, 1.0).rows for pitch in (200.0, 199.0, 600.0, 601.0)] == [3, 4, 1, 1]


def test_raster_moves_at_a_constant_speed_along_its_rows() -> None:
    points = path(Raster(300.0, 40.0, 8e3), 1e-5)
    moved = np.abs(np.diff(points[:-1], axis=0)).sum(axis=1)  # rows and steps lie along the axes
    np.testing.assert_allclose(moved, 8e-2, rtol=1e-9)


def test_raster_takes_the_length_of_its_rows_and_steps() -> None:
    assert Raster(300.0, 200.0, 100.0).duration_s == pytest.approx((3 * 600.0 + 2 * 200.0) / 100.0)
    assert Raster(300.0, 200.0, 100.0).position(1e9) == pytest.approx((300.0, 200.0))


def test_step_stare_of_the_lunar_uplink_has_19_cells() -> None:
    # a 110 urad beacon: each cell covers 55 urad; 191 urad of uncertainty; 5 s each, PAT.md
    pattern = hexagonal(191.0 * URAD, math.sqrt(3.0) * 55.0 * URAD, 5.0)
    assert len(pattern.cells) == 19
    assert pattern.duration_s == 95.0


def test_19_cells_reach_as_far_as_the_inner_corners_of_their_outline() -> None:
    # the nearest corner of the outline lies sqrt(13) sides of a hexagon from the centre: 198.3 urad
    cells = hexagonal(191.0, math.sqrt(3.0) * 55.0, 5.0).cells

    def farthest(radius: float) -> float:
        return float(np.max(cKDTree(cells).query(disc(radius, 1.0))[0]))

    assert farthest(math.sqrt(13.0) * 55.0) <= 55.0 * (1.0 + 1e-6)
    assert farthest(math.sqrt(13.0) * 55.0 + 2.0) > 55.0


@pytest.mark.parametrize(
    ("in_spacings", "count"), [(0.1, 1), (0.5 - 1e-6, 1), (0.5 + 1e-6, 7), (1.15, 7), (1.16, 13), (1.5 + 1e-6, 19)]
)
def test_a_hexagonal_scan_has_the_cells_that_reach_into_its_disc(in_spacings, count) -> None:
    # the first ring begins at half a spacing, the second at 2 / sqrt(3) of it with its corners, at 1.5 with its sides
    assert len(hexagonal(in_spacings, 1.0, 1.0).cells) == count


@settings(max_examples=40, deadline=None)
@given(radius=st.floats(0.0, 400.0), spacing=st.floats(20.0, 200.0))
def test_hexagonal_cells_cover_the_disc_nearest_first_on_one_lattice(radius, spacing) -> None:
    cells = hexagonal(radius, spacing, 1.0).cells
    tree = cKDTree(cells)
    assert np.max(tree.query(disc(radius, max(radius / 30.0, 1.0)))[0]) <= spacing / math.sqrt(3.0) * (1.0 + 1e-9)
    distance = np.hypot(cells[:, 0], cells[:, 1])
    assert distance[0] == 0.0
    assert np.all(np.diff(distance) >= -1e-6 * spacing)
    if len(cells) > 1:
        np.testing.assert_allclose(tree.query(cells, k=2)[0][:, 1], spacing, rtol=1e-9)


def test_a_cell_is_held_for_its_dwell_and_then_left_for_the_next() -> None:
    pattern = StepStare(np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]), dwell_s=0.5, spacing=1.0)
    assert [pattern.position(t) for t in (0.0, 0.49, 0.51, 0.99, 1.01)] == [(0, 0), (0, 0), (1, 0), (1, 0), (0, 1)]
    assert pattern.speed == 2.0


@njit
def _first_touches(points, targets, capture):
    """Index of the first point within `capture` of each target, or -1."""
    found = np.full(len(targets), -1)
    for i in range(len(targets)):
        for k in range(len(points)):
            x, y = points[k, 0] - targets[i, 0], points[k, 1] - targets[i, 1]
            if x * x + y * y <= capture * capture:
                found[i] = k
                break
    return found


@pytest.mark.parametrize(
    ("sigma", "pitch", "capture", "speed"),
    [(200.0, 30.0, 20.0, 8e3), (120.0, 30.0, 17.0, 4e3), (100.0, 28.0, 20.0, 8e3)],
)
def test_mean_time_to_touch_is_that_of_a_monte_carlo(sigma, pitch, capture, speed) -> None:
    rng = np.random.default_rng(1)
    targets = sigma * rng.standard_normal((20_000, 2))
    step = 2.0 / speed
    found = _first_touches(path(Spiral(5.5 * sigma, pitch, speed), step), targets, capture)
    assert np.all(found >= 0)
    # the times are exponential: their mean is uncertain by 1 / sqrt(20,000) = 0.7 %
    assert step * np.mean(found) == pytest.approx(mean_time_to_touch(sigma, pitch, speed, capture), rel=0.025)


def test_mean_time_to_touch_of_the_example_is_that_of_its_terms() -> None:
    # pi/(30 x 8000) (2 x 200^2 - 2 x 200 x 5 x sqrt(pi/2) + 25 + 75)
    assert mean_time_to_touch(200.0, 30.0, 8e3, 20.0) == pytest.approx(1.0157, abs=2e-4)


def test_mean_time_to_hit_a_point_is_exponential() -> None:
    # with a capture radius of half the pitch and many pitches to a sigma, T = 2 pi sigma^2 / (D v)
    expected = 2.0 * math.pi * 500.0**2 / (10.0 * 8e3)
    assert mean_time_to_touch(500.0, 10.0, 8e3, 5.0) == pytest.approx(expected, rel=1e-4)


PUBLISHED = {
    1.2: {0.1: "1.5e-10", 0.2: "1.6e-4", 0.3: "3.9e-3", 0.4: "1.5e-2"},
    1.4: {0.1: "2.4e-7", 0.2: "1.2e-3", 0.3: "1.07e-2", 0.4: "2.9e-2"},
    1.6: {0.1: "6.1e-5", 0.2: "6.3e-3", 0.3: "2.46e-2", 0.4: "5.0e-2"},
}


@pytest.mark.parametrize("jitter", [0.1, 0.2, 0.3, 0.4])
@pytest.mark.parametrize("pitch", [1.2, 1.4, 1.6])
def test_miss_probability_is_that_of_the_table(pitch, jitter) -> None:
    printed = PUBLISHED[pitch][jitter]
    last_digit = 10.0 ** (int(printed.split("e")[1]) - len(printed.split("e")[0].split(".")[1]))
    assert miss_probability(pitch, 1.0, jitter) == pytest.approx(float(printed), abs=0.51 * last_digit)


def test_miss_probability_is_that_of_a_monte_carlo() -> None:
    rng = np.random.default_rng(2)
    tracks = 1.6 * np.arange(-4, 5)
    offset = rng.uniform(-0.8, 0.8, (400_000, 1))
    missed = np.all(np.abs(offset + tracks + 0.3 * rng.standard_normal((400_000, 9))) >= 1.0, axis=1)
    assert miss_probability(1.6, 1.0, 0.3) == pytest.approx(np.mean(missed), rel=0.05)


@pytest.mark.parametrize(("pitch", "missed"), [(1.0, 0.0), (1.99, 0.0), (2.5, 0.2), (4.0, 0.5)])
def test_without_jitter_the_gaps_between_the_tracks_are_missed(pitch, missed) -> None:
    assert miss_probability(pitch, 1.0, 0.0) == pytest.approx(missed, abs=1e-3)
    assert miss_probability(pitch, 1.0, 1e-6) == pytest.approx(missed, abs=1e-3)


def test_miss_probability_depends_on_ratios_alone() -> None:
    assert miss_probability(24e-6, 20e-6, 4e-6) == pytest.approx(miss_probability(1.2, 1.0, 0.2), rel=1e-9)


@settings(max_examples=25, deadline=None)
@given(jitter=st.floats(0.05, 0.5), wanted=st.floats(0.6, 0.9999))
def test_track_pitch_is_touched_with_the_wanted_probability_and_is_the_widest(jitter, wanted) -> None:
    pitch = track_pitch(20.0, 20.0 * jitter, wanted)
    assert miss_probability(pitch, 20.0, 20.0 * jitter) <= 1.0 - wanted
    if pitch < 2.0 * 20.0 - 1e-2:
        assert miss_probability(pitch + 1e-2, 20.0, 20.0 * jitter) > 1.0 - wanted


@pytest.mark.parametrize(("pitch", "jitter"), [(1.2, 0.3), (1.4, 0.2), (1.6, 0.1), (1.6, 0.4)])
def test_track_pitch_inverts_the_table(pitch, jitter) -> None:
    wanted = 1.0 - float(PUBLISHED[pitch][jitter])
    assert track_pitch(20.0, 20.0 * jitter, wanted) / 20.0 == pytest.approx(pitch, rel=0.01)


def test_track_pitch_is_never_wider_than_the_capture_diameter() -> None:
    assert track_pitch(20.0, 0.0, 0.99) == pytest.approx(40.0, abs=0.01)
    assert track_pitch(20.0, 0.0, 0.5) == pytest.approx(40.0, abs=0.01)


def test_a_probability_that_no_pitch_reaches_is_refused() -> None:
    # a target is touched 2 R_c / D = 20 times at a tenth, so it is missed with e^-20 = 2e-9 under much jitter
    with pytest.raises(ConfigError, match="found none above a tenth of the capture radius 20 with jitter 400"):
        track_pitch(20.0, 400.0, 1.0 - 1e-12)
