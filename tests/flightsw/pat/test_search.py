"""The initiator's search: which scan is drawn when, and which light is believed to be an answer to it."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from flightsw.errors import ConfigError
from flightsw.pat.detection import Detection
from flightsw.pat.scan import Raster, Spiral, StepStare
from flightsw.pat.search import Search
from flightsw.settings import TerminalSettings

URAD = 1e-6
C = 299_792_458.0
LIGHT_TIME_S = 5_000e3 / C
RESPONDER_S = 0.015
RATE = 10_000.0


def settings(**acquisition: object) -> TerminalSettings:
    return TerminalSettings.model_validate(
        {"spacecraft_id": 1, "acquisition": {"pitch_urad": 30.0, "scan_speed_mrad_s": 4.0, **acquisition}}
    )


class Mirror:
    """Records what the fine loop is asked to follow."""

    def __init__(self) -> None:
        self.frames: list[np.ndarray] = []

    def follow(self, trajectory: np.ndarray) -> None:
        self.frames.append(trajectory.copy())


def spot(x_rad: float, y_rad: float) -> Detection:
    return Detection(float(x_rad), float(y_rad), 1e4, 20.0)


def draw(search: Search, mirror: Mirror, begin_s: float, end_s: float) -> list[float]:
    """Run frames of 10 ms from `begin_s` to `end_s`; returns the times at which a scan began."""
    frames = range(round(begin_s * 100), round(end_s * 100))
    return [frame / 100 for frame in frames if search.follow(frame / 100, mirror)]


def scanning(values: TerminalSettings, until_s: float, begin_s: float = 10.0) -> tuple[Search, np.ndarray]:
    """A search under way since `begin_s`, and where its beam was, (samples, 2), sample k at begin_s + k / RATE."""
    search, mirror = Search(values, RATE), Mirror()
    search.resume(begin_s)
    draw(search, mirror, begin_s, until_s)
    return search, np.concatenate(mirror.frames)


#: The first scan, 600 urad in radius, takes 9.42 s: pi 600^2 / (30 x 4000).
SCAN_S = 9.42
SEARCH, BEAM = scanning(settings(), 10.0 + SCAN_S)


@hypothesis_settings(max_examples=100, deadline=None)
@given(flash_s=st.floats(0.0, SCAN_S - 0.01), late_s=st.floats(-0.009, 0.009))
def test_light_from_where_the_beam_was_one_round_trip_and_a_reaction_ago_is_an_answer(flash_s, late_s) -> None:
    x, y = BEAM[round(flash_s * RATE)]
    image_s = 10.0 + flash_s + 2.0 * LIGHT_TIME_S + RESPONDER_S + late_s
    assert SEARCH.answers(spot(x, y), image_s, LIGHT_TIME_S)


@pytest.mark.parametrize("away_urad", [85.0, 130.0, 300.0, 800.0])
@pytest.mark.parametrize("direction", np.arange(0.0, 2.0 * math.pi, math.pi / 4.0))
def test_light_from_elsewhere_is_no_answer(away_urad, direction) -> None:
    x, y = BEAM[round(9.0 * RATE)]
    elsewhere = spot(x + away_urad * URAD * math.cos(direction), y + away_urad * URAD * math.sin(direction))
    # the gate of 40 urad around a path of +-10 ms at 4 mrad/s ends at 80 urad
    assert not SEARCH.answers(elsewhere, 19.0 + 2.0 * LIGHT_TIME_S + RESPONDER_S, LIGHT_TIME_S)


def test_the_gate_around_the_path_is_as_wide_as_set() -> None:
    search, beam = scanning(settings(time_tag_error_ms=0.1), 10.0 + SCAN_S)
    x, y = beam[round(9.0 * RATE)]
    outward = np.array([x, y]) / math.hypot(x, y)
    image_s = 19.0 + 2.0 * LIGHT_TIME_S + RESPONDER_S
    for away, believed in ((39.0, True), (-39.0, True), (41.0, False), (-41.0, False)):
        place = np.array([x, y]) + away * URAD * outward
        assert search.answers(spot(*place), image_s, LIGHT_TIME_S) is believed


def test_without_back_up_the_true_answer_over_5000_km_is_refused() -> None:
    # the beam has moved on by 4 mrad/s x 48 ms = 193 urad since, most of it in a straight line
    for flash_s in (5.0, 7.0, 9.0):
        for back_up in (True, False):
            search, beam = scanning(settings(back_up_by_time_tag=back_up), 10.0 + SCAN_S)
            x, y = beam[round(flash_s * RATE)]
            image_s = 10.0 + flash_s + 2.0 * LIGHT_TIME_S + RESPONDER_S
            assert search.answers(spot(x, y), image_s, LIGHT_TIME_S) is back_up


def test_a_scan_that_is_taken_up_again_goes_back_to_before_the_flash() -> None:
    search, beam = scanning(settings(), 19.4)
    flash = beam[round(9.0 * RATE)]
    assert search.answers(spot(*flash), 19.0 + 2.0 * LIGHT_TIME_S + RESPONDER_S, LIGHT_TIME_S)
    mirror = Mirror()
    search.resume(25.0)
    assert draw(search, mirror, 25.0, 25.4) == [25.0]
    again = np.concatenate(mirror.frames)
    # twice the largest error of the tag before the flash
    np.testing.assert_allclose(again, beam[round(8.98 * RATE) : round(8.98 * RATE) + len(again)], atol=0.01 * URAD)
    assert np.min(np.hypot(*(again - flash).T)) < 0.5 * URAD


def test_a_flash_at_the_very_beginning_resumes_from_the_centre() -> None:
    search, beam = scanning(settings(), 10.2)
    assert search.answers(spot(*beam[50]), 10.005 + 2.0 * LIGHT_TIME_S + RESPONDER_S, LIGHT_TIME_S)
    mirror = Mirror()
    search.resume(25.0)
    draw(search, mirror, 25.0, 25.01)
    np.testing.assert_array_equal(mirror.frames[0][0], [0.0, 0.0])


def test_without_an_answer_a_search_resumes_from_the_beginning() -> None:
    search, beam = scanning(settings(), 19.0)
    mirror = Mirror()
    search.resume(25.0)
    draw(search, mirror, 25.0, 25.1)
    np.testing.assert_allclose(np.concatenate(mirror.frames), beam[:1000], atol=1e-12)


def test_each_window_is_wider_than_the_last_until_the_mirrors_range() -> None:
    values = TerminalSettings.model_validate(
        {
            "spacecraft_id": 1,
            "acquisition": {
                "uncertainty_urad": 50.0, "window_sigma": 2.0, "window_growth": 1.5, "pitch_urad": 30.0,
                "scan_speed_mrad_s": 8.0, "scan_reset_s": 0.2,
            },
            "tracking": {"mirror_range_urad": 300.0},
        }
    )  # fmt: skip
    search, mirror = Search(values, RATE), Mirror()
    search.resume(0.0)
    radii = [100.0, 150.0, 225.0, 300.0, 300.0]
    expected, now = [], 0.0
    for radius in radii:
        expected.append(now)
        now += math.pi * radius**2 / (30.0 * 8000.0) + 0.2
    begun = draw(search, mirror, 0.0, now - 0.3)
    # a scan begins with a frame, and the end of one is noticed by the next
    assert begun == pytest.approx(expected, abs=0.06)
    path = np.concatenate(mirror.frames)
    for start, radius in zip(begun, radii[:-1], strict=False):
        after = path[round(start * RATE) :][: round((math.pi * radius**2 / (30.0 * 8000.0) + 0.1) * RATE)]
        assert np.max(np.hypot(after[:, 0], after[:, 1])) == pytest.approx(radius * URAD, rel=1e-3)
    assert np.max(np.abs(path)) <= 300.0 * URAD * (1.0 + 1e-9)


def test_between_two_scans_the_beam_rests_for_the_reset_time() -> None:
    search, mirror = Search(settings(window_sigma=0.3, scan_reset_s=0.4), RATE), Mirror()
    search.resume(0.0)
    # the first scan takes 0.10 s, the second begins at 0.5 s
    assert draw(search, mirror, 0.0, 0.6) == [0.0, pytest.approx(0.5, abs=0.02)]
    path = np.concatenate(mirror.frames)
    still = np.flatnonzero(np.all(path[1:] == path[:-1], axis=1)) / RATE
    assert still[-1] - still[0] == pytest.approx(0.4, abs=0.02)
    assert len(still) == pytest.approx(0.4 * RATE, abs=0.02 * RATE)


def test_restart_goes_back_to_the_first_window() -> None:
    search, mirror = Search(settings(window_sigma=0.3, scan_reset_s=0.0), RATE), Mirror()
    search.resume(0.0)
    assert len(draw(search, mirror, 0.0, 3.0)) > 1
    assert search.pattern.radius > 60.5 * URAD
    search.restart()
    assert search.pattern.radius == pytest.approx(60.0 * URAD)


def test_reacquisition_draws_the_small_spiral_again_and_again() -> None:
    values = settings()
    search, mirror = Search(values, RATE), Mirror()
    search.near(5.0)
    begun = draw(search, mirror, 5.0, 8.0)
    assert isinstance(search.pattern, Spiral)
    assert len(begun) >= 3
    assert np.diff(begun) == pytest.approx(search.pattern.duration_s, abs=0.03)
    path = np.concatenate(mirror.frames)
    assert np.max(np.hypot(path[:, 0], path[:, 1])) == pytest.approx(
        values.handover.reacquire_radius_urad * URAD, rel=1e-3
    )


def test_after_reacquisition_the_wide_search_begins_anew() -> None:
    search, mirror = Search(settings(window_sigma=1.0, scan_reset_s=0.0), RATE), Mirror()
    search.resume(0.0)
    draw(search, mirror, 0.0, 4.0)
    search.near(4.0)
    draw(search, mirror, 4.0, 5.0)
    search.resume(5.0)
    assert search.pattern.radius == pytest.approx(200.0 * URAD)


def test_near_is_within_twice_the_radius_of_reacquisition() -> None:
    search = Search(settings(), RATE)
    radius = 2.0 * settings().handover.reacquire_radius_urad * URAD
    assert search.is_near(spot(0.99 * radius, 0.0))
    assert search.is_near(spot(0.0, -0.99 * radius))
    assert not search.is_near(spot(0.75 * radius, 0.75 * radius))


def test_the_pattern_is_the_one_that_is_set() -> None:
    spiral = Search(settings(), RATE).pattern
    raster = Search(settings(pattern="raster"), RATE).pattern
    cells = Search(settings(pattern="step_stare", capture_radius_urad=40.0, dwell_ms=50.0), RATE).pattern
    assert isinstance(spiral, Spiral)
    assert (spiral.radius, spiral.pitch, spiral.speed) == pytest.approx((600.0 * URAD, 30.0 * URAD, 4e-3))
    assert isinstance(raster, Raster)
    assert (raster.radius, raster.pitch, raster.speed) == pytest.approx((600.0 * URAD, 30.0 * URAD, 4e-3))
    assert isinstance(cells, StepStare)
    assert (cells.spacing, cells.dwell_s) == pytest.approx((math.sqrt(3.0) * 40.0 * URAD, 0.05))


def test_without_a_given_pitch_it_follows_from_jitter_and_probability() -> None:
    # PAT.md: D = 1.4 R_c misses 2.9e-2 under a jitter of 0.4 R_c
    values = settings(pitch_urad=None, capture_radius_urad=20.0, jitter_urad=8.0, wanted_probability=1.0 - 0.029)
    assert Search(values, RATE).pattern.pitch == pytest.approx(28.0 * URAD, rel=0.01)


def test_a_first_window_beyond_the_mirrors_range_is_refused() -> None:
    values = TerminalSettings.model_validate({"spacecraft_id": 1, "tracking": {"mirror_range_urad": 599.0}})
    with pytest.raises(ConfigError, match=r"range of 599 urad, found a radius of 600 urad"):
        Search(values, RATE)


def test_a_probability_that_no_pitch_reaches_is_refused() -> None:
    with pytest.raises(ConfigError, match="widen the beam or ask for less"):
        Search(settings(pitch_urad=None, jitter_urad=400.0, wanted_probability=1.0 - 1e-12), RATE)
