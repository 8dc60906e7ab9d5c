"""Design aids against closed forms, published figures, the detector itself and small simulations of their own."""

import math
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flightsw.errors import ConfigError
from flightsw.pat.detection import Detector, threshold
from flightsw.pat.scan import mean_time_to_touch
from flightsw.settings import ToneSettings
from hil.cli import main
from hil.cli.design import verdict
from hil.design import loop, loop_page, scan
from hil.design.loop import GAINS, LAWS, RATES_HZ, Loop
from hil.design.prediction import detected, initiator, predict, situation
from hil.design.search_time import Schedule, SearchTime, spiral, step_stare
from hil.design.sighting import Sighting
from hil.scenario import load
from hil.variation import with_values
from hil.workers import Workers
from sim.camera import Camera
from sim.platform import PlatformModel, Tone, sections

URAD = 1e-6
SIGMA = 200 * URAD
LEO = load("leo_crosslink")
ACQUISITION = "both.flight.acquisition."


class Here(Executor):
    """Does a task when it is submitted."""

    def submit(self, task, /, *arguments):
        future = Future()
        future.set_result(task(*arguments))
        return future


@contextmanager
def here():
    yield Here()


# --- how long a search takes


def test_a_spiral_takes_as_long_as_published():
    # published: sigma 200, pitch 30, capture 20 urad, 8 mrad/s
    found = spiral(SIGMA, 30 * URAD, 8e-3, 20 * URAD, Schedule(6 * SIGMA))
    assert found.mean == pytest.approx(1.012, rel=0.005) and found.quantile(0.9) == pytest.approx(2.35, rel=0.01)
    assert found.mean == pytest.approx(mean_time_to_touch(SIGMA, 30 * URAD, 8e-3, 20 * URAD), rel=0.003)
    assert found.found == pytest.approx(1.0, abs=1e-6)


def repeated(k, p, reset):
    """Mean time in T of scans to k sigma, the error drawn anew for each: a slot has one scan."""
    pitch, speed = 10 * URAD, 2.5e-3
    unit_s = 2.0 * math.pi * SIGMA**2 / (pitch * speed)
    slot_s = (0.5 * k**2 + reset) * unit_s
    schedule = Schedule(k * SIGMA, reset_s=reset * unit_s, detected=p, slot_s=slot_s, slots=300)
    return spiral(SIGMA, pitch, speed, 0.5 * pitch, schedule).mean / unit_s


@given(st.floats(0.8, 3.5), st.floats(0.5, 1.0), st.floats(0.05, 2.0))
def test_repeated_scans_take_as_long_as_their_closed_form(k, p, reset):
    x = 0.5 * k**2
    within = 1.0 - math.exp(-x)
    expected = 1.0 + (1.0 / p - 1.0) * x / within + reset * (1.0 / (p * within) - 1.0)
    assert repeated(k, p, reset) == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize(("p", "reset", "best"), [(0.9, 0.5, 2.04), (0.9, 0.1, 1.51), (0.99, 0.1, 2.29)])
def test_the_best_radius_of_repeated_scans_is_the_published_one(p, reset, best):
    radii = np.arange(best - 0.3, best + 0.3, 0.02)
    means = np.polynomial.Polynomial.fit(radii, [repeated(k, p, reset) for k in radii], 4)
    fine = np.linspace(radii[0], radii[-1], 2001)
    assert fine[np.argmin(means(fine))] == pytest.approx(best, abs=0.03)


def test_the_cells_of_the_lunar_uplink_take_as_long_as_published():
    # the LLCD uplink: 19 cells of 5 s for 191 urad with a beacon of 110 urad
    found = step_stare(63.7 * URAD, math.sqrt(3.0) * 55 * URAD, 5.0, 55 * URAD, Schedule(191 * URAD))
    assert found.found == pytest.approx(0.9973, abs=5e-4) and found.mean == pytest.approx(15.6, rel=0.01)
    assert found.times[-1] <= 18 * 5.0


def test_a_search_of_widening_scans_in_slots_takes_as_long_as_one_that_is_played():
    pitch, speed, capture = 40 * URAD, 8e-3, 18 * URAD
    schedule = Schedule(
        radius=1.5 * SIGMA, growth=1.4, limit=2.5 * SIGMA, reset_s=0.3, detected=0.8, visible=0.9, slot_s=6.0, slots=3,
        pointed_s=1.0, answer_s=0.1,
    )  # fmt: skip
    rng = np.random.default_rng(5)
    times = []
    for _ in range(20_000):
        for slot in range(schedule.slots):
            seen = rng.random() < schedule.visible
            x, y = SIGMA * rng.standard_normal(2)
            reach = max(math.hypot(x, y) + 0.5 * pitch - capture + (rng.random() - 0.5) * pitch, 0.0)
            touch_s, radius, now_s = math.pi * reach**2 / (pitch * speed), schedule.radius, schedule.pointed_s
            while now_s < schedule.slot_s:
                hit_s = now_s + touch_s
                if seen and reach <= radius and hit_s < schedule.slot_s and rng.random() < schedule.detected:
                    times.append(slot * schedule.slot_s + hit_s + schedule.answer_s)
                    break
                now_s += math.pi * radius**2 / (pitch * speed) + schedule.reset_s
                radius = min(radius * schedule.growth, schedule.limit)
            else:
                continue
            break
    found = spiral(SIGMA, pitch, speed, capture, schedule)
    assert found.found == pytest.approx(len(times) / 20_000, abs=0.005)
    assert found.mean == pytest.approx(np.mean(times), rel=0.02)
    for share in (0.2, 0.5, 0.9):
        assert found.quantile(share) == pytest.approx(
            np.quantile([*times, *[99.0] * (20_000 - len(times))], share), rel=0.03
        )


@given(st.lists(st.floats(0.0, 100.0), min_size=1, max_size=30), st.floats(0.1, 1.0))
def test_quantile_and_distribution_are_each_others_inverse(times, share):
    found = SearchTime(np.sort(times), np.full(len(times), share / len(times)))
    for p in (0.05, 0.5 * share, 0.999 * share):
        at = found.quantile(p)
        assert found.cdf(np.array([at]))[0] >= p - 1e-12
        assert found.cdf(np.array([np.nextafter(at, -1.0)]))[0] <= p + 1e-12
    assert found.quantile(min(share + 0.01, 1.01)) == math.inf


# --- how far the beam is seen


def test_a_resting_beam_is_detected_out_to_the_capture_radius_and_no_further():
    alpha, bravo = LEO.terminals.values()
    sighting = Sighting.of(alpha, bravo, 2e6)
    radius = sighting.staring()
    rng = np.random.default_rng(4)
    camera = Camera(bravo.hardware.camera, 1550e-9, 10_000, rng)
    detector = Detector(threshold(1e-6, 64**2), np.zeros((64, 64), np.bool_), 30e-6, 50.0)
    detector = replace(detector, mask=camera.dark > 100.0)
    # 2.5 W, w 12.74 urad, 1.5 dB and the wavefront on the way out, 80 mm and 1.5 dB on the way in, a thousandth of it
    w = 15e-6 / 1.17741
    on_axis = 2.0 * 2.5 / (math.pi * w**2) / 2e6**2 * math.pi / 4.0 * 0.08**2 * 10**-0.3 * 1e-3
    on_axis *= math.exp(-((2.0 * math.pi * 80.0 / 1550.0) ** 2))

    def seen(aside):
        light = 90 * on_axis * math.exp(-2.0 * (aside / w) ** 2)
        places = rng.uniform(-300e-6, 300e-6, (100, 2))
        return sum(detector.find(camera.render(light, x, y, 0.0, None)) is not None for x, y in places)

    assert seen(0.95 * radius) > 95 and seen(1.05 * radius) < 5 and 20 < seen(radius) < 90


def test_a_passing_beam_is_seen_as_far_as_its_flash_has_light():
    sighting = Sighting(beam_rad=10e-6, per_s=1e9, needed=1000.0, frame_s=0.01, exposure_s=0.009)
    speed = 5e-3
    radii = []
    for middle in np.arange(0.0, 0.01, 1e-4):
        t = np.arange(-0.02, 0.02, 1e-5)
        flash = 1e9 * np.exp(-2.0 * (speed * t / 10e-6) ** 2) * 1e-5
        within = [flash[(t + middle >= b) & (t + middle < b + 0.009)].sum() for b in (-0.01, 0.0, 0.01)]
        radii.append(10e-6 * math.sqrt(0.5 * math.log(max(within) / 1000.0)))
    assert sighting.passing(speed) == pytest.approx(np.mean(radii), rel=2e-3)
    assert sighting.passing(8e-3) < sighting.passing(4e-3) < sighting.staring()
    with pytest.raises(ConfigError, match="scan more slowly, or emit more light"):
        replace(sighting, per_s=1e4).passing(speed)


# --- what a scenario's search should take


def test_the_answer_of_a_fast_beam_is_believed_less_often():
    def share(**settings):
        values = {ACQUISITION + key: value for key, value in settings.items()}
        return detected(situation(with_values(LEO, values), 2000.0, 2.5))

    assert share(scan_speed_mrad_s=8.0) > 0.999
    # tags are off by 10 ms at most, and at 0.1 rad/s the beam has moved on by 1,000 urad
    assert share(scan_speed_mrad_s=100.0) < 0.5
    # two light times and the partner's reaction are 28 ms: 230 urad at 8 mrad/s, far beyond the gate of 40
    assert share(scan_speed_mrad_s=8.0, back_up_by_time_tag=False) < 0.05
    # at a pitch of 90 urad a beam seen out to 30 slips past a third of all targets
    assert share(pitch_urad=90.0) == pytest.approx(60.0 / 90.0, abs=0.03)


def test_a_search_without_a_formula_is_refused():
    for name, values, said in (
        ("smallsat", {}, "a beacon"),
        ("leo_crosslink", {ACQUISITION + "pattern": "raster"}, "raster"),
    ):
        with pytest.raises(ConfigError, match=f"found {said}"):
            situation(with_values(load(name), values), 2000.0, 2.5)


def test_who_initiates_follows_from_ids_and_roles():
    assert initiator(LEO) == "alpha" and initiator(load("leo_geo")) == "leo"
    assert initiator(with_values(LEO, {"terminals.bravo.flight.spacecraft_id": 5})) == "bravo"


@pytest.fixture(scope="module")
def observed():
    return scan.observe(LEO)


def test_a_run_tells_when_the_search_begins(observed):
    # both gimbals turn by 8.3 degrees at 10 deg/s^2 and 5 deg/s at most: 2.1 s, and then settle for 0.2 s
    assert 2.3 < observed.pointed_s < 2.8 and observed.range_m == pytest.approx(2e6, rel=1e-3)


def test_the_best_search_is_within_the_limits_and_none_around_it_takes_less(observed):
    now, then = scan.present(observed), scan.best(observed, "mean")
    most = scan.limits(observed)
    assert now.values == {"pitch_urad": pytest.approx(35.78, abs=0.01), "scan_speed_mrad_s": 8.0, "window_sigma": 3.0}
    assert all(then.values[name] <= most[name] for name in most)
    assert then.predicted.mean < now.predicted.mean
    for name in then.values:
        for factor in (0.8, 1.2):
            values = {ACQUISITION + key: value for key, value in then.values.items()}
            values[ACQUISITION + name] *= factor
            beside = predict(situation(with_values(LEO, values), observed.range_m / 1e3, observed.pointed_s))
            assert beside.mean > then.predicted.mean - 0.02


def test_cells_are_held_no_longer_than_an_exposure_needs():
    search = scan.observe(with_values(LEO, {ACQUISITION + "pattern": "step_stare"}))
    most, then = scan.limits(search), scan.best(search, "p99")
    # a frame of 10 ms and an exposure of 9 ms
    assert most["dwell_ms"] == 20.0 == then.values["dwell_ms"]
    assert then.predicted.quantile(0.99) < scan.present(search).predicted.quantile(0.99)


def test_runs_around_the_best_point_say_whether_it_is_confirmed(scenario, tmp_path, monkeypatch):
    monkeypatch.setattr("hil.campaign.processes", lambda _: Workers(1, here))
    short = scenario("leo_crosslink", {"/sample_rate_hz": 1000, "/duration_s": 3})
    values = {"pitch_urad": 45.0, "scan_speed_mrad_s": 20.0, "window_sigma": 3.5}
    now = scan.present(scan.observe(short))
    present, around = scan.confirm(short, (now, scan.Design(values, now.predicted)), 3, tmp_path, Workers(1, here))
    assert present.values == {name: pytest.approx(value, rel=1e-3) for name, value in now.values.items()}
    assert len(present.times) == 3 and [len(point.times) for point in around] == [3] * 9
    assert around[0].values == {"pitch_urad": 45.0, "scan_speed_mrad_s": 20.0}
    assert sorted({point.values["scan_speed_mrad_s"] for point in around}) == [14.3, 20.0, 28.0]
    for point in (present, *around):
        # a run that did not acquire counts with its whole length, which no other has
        assert np.sum(point.times == 3.0) == 3 - point.acquired and np.all(point.times > 2.4)
    assert 3 < sum(point.acquired for point in around) < 27


def test_the_verdict_goes_by_more_than_chance(capsys):
    rng = np.random.default_rng(6)

    def point(mean_s, speed):
        return scan.Measured({"scan_speed_mrad_s": speed}, mean_s + 0.5 * rng.standard_normal(400), 400)

    best = point(3.0, 20.0)
    assert verdict(point(3.5, 8.0), [best, point(3.02, 14.0)], "mean") == 0
    assert "less than the present search" in capsys.readouterr().out
    assert verdict(point(3.0, 8.0), [best, point(3.4, 14.0)], "mean") == 0
    assert "as much as the present search" in capsys.readouterr().out
    assert verdict(point(2.7, 8.0), [best, point(3.4, 14.0)], "mean") == 1
    assert "the present search takes less" in capsys.readouterr().out
    assert verdict(point(3.5, 8.0), [best, point(2.7, 14.0)], "mean") == 1
    assert "it takes less at scan_speed_mrad_s 14" in capsys.readouterr().out
    low, high = best.interval("mean")
    # the mean of 400 with standard deviation 0.5
    assert low < best.times.mean() < high and high - low == pytest.approx(3.92 * 0.5 / 20.0, rel=0.15)


@pytest.fixture
def quick_sweeps(monkeypatch):
    for module in (loop, loop_page):
        monkeypatch.setattr(module, "RATES_HZ", (5000, 10_000))
        monkeypatch.setattr(module, "DELAYS", (2, 3))


def test_what_cannot_be_designed_is_refused_in_one_line(tmp_path, capsys, quick_sweeps):
    occupied = tmp_path / "file"
    occupied.write_text("")
    for words, said in (
        (["scan", "smallsat"], "there is no formula"),
        (["scan", "leo_crosslink", "--runs", "0"], "--runs: expected at least 1"),
        (["loop", "leo_crosslink", "--terminal", "charlie"], "expected alpha or bravo"),
        (["loop", "leo_crosslink", "--out", str(occupied)], "expected a folder that can be written"),
    ):
        assert main(["design", *words]) == 2
        message = capsys.readouterr().err
        assert said in message and message.count("\n") == 1


# --- the fine loop

TONES = [(67.0, 0.8), (100.0, 0.9), (180.0, 0.6)]


def ideal(tones, **settings):
    """The published loop: 5 kHz, two samples of delay, 0.1 urad of noise, a mirror without dynamics, OLYMPUS."""
    own = loop.loop_of(LEO, None).settings.model_copy(
        update={
            "mirror_resonance_hz": None,
            "tones": [ToneSettings(frequency_hz=f, rms_urad=rms) for f, rms in tones],
            **settings,
        }
    )
    return Loop(own, PlatformModel(tones=[Tone(frequency_hz=f, rms_urad=rms) for f, rms in tones]), 5000)


@pytest.mark.parametrize(
    ("law", "gain", "olympus", "with_tones"),
    [("integrator", 0.3, 0.92, 1.11), ("integrator", 0.47, 0.871, 0.962), ("lqg", None, 0.799, 0.813)],
)
def test_residuals_are_those_of_the_published_table(law, gain, olympus, with_tones):
    for tones, expected in (([], olympus), (TONES, with_tones)):
        found = loop.design(ideal(tones, law=law, integrator_gain=gain), law)
        assert found.residual_rad * 1e6 == pytest.approx(expected, rel=0.015)
        assert found.integral == gain


@pytest.mark.parametrize("delay", [1, 2, 3, 5])
def test_margins_of_an_integrator_behind_a_delay_are_those_of_its_closed_form(delay):
    # g z^-d / (1 - 1/z): its phase is (1/2 - d) w - pi/2, its size g / (2 sin(w/2))
    gain = 0.2
    found = loop.design(ideal([], law="integrator", integrator_gain=gain, loop_delay_samples=delay), "integrator")
    assert found.most_gain * gain == pytest.approx(2.0 * math.sin(math.pi / (4.0 * delay - 2.0)), rel=2e-3)
    crossing = 2.0 * math.asin(0.5 * gain)
    phase = math.degrees(0.5 * math.pi - (delay - 0.5) * crossing)
    assert found.phase_margin_deg == pytest.approx(phase, abs=0.5)
    assert found.least_gain == 0.0 and found.figures.stable


def test_folding_keeps_the_power_and_adds_what_is_beyond_nyquist():
    frequency = np.geomspace(1e-4, 500.0, 20_000)
    for platform, variance in ((PlatformModel(), 80.0 * math.pi / 2.0), (PlatformModel(scale=2.0), 160.0 * math.pi)):
        density = loop.folded(platform, frequency, 1000.0)
        assert np.trapezoid(density, frequency) * 1e12 == pytest.approx(variance, rel=1e-3)
    micius = PlatformModel(spectrum="micius")
    total = sum(section.variance_rad2 for section in sections(micius))
    assert np.trapezoid(loop.folded(micius, frequency, 1000.0), frequency) == pytest.approx(total, rel=1e-3)


def test_residual_against_gain_is_least_at_the_best_gain_and_ends_where_the_loop_does():
    swept = ideal([], law="integrator")
    residual = loop.against_gain(swept, "integrator")
    assert GAINS[np.nanargmin(residual)] == pytest.approx(1.0, rel=0.06)
    # 0.46 is best and 1.0 unstable with two samples of delay
    assert np.isnan(residual[GAINS > 2.2]).all() and not np.isnan(residual[GAINS < 2.1]).any()


def test_a_faster_loop_and_a_shorter_delay_leave_less():
    swept = loop.loop_of(LEO, "bravo")
    assert np.all(np.diff(loop.against_delay(swept, "lqg")) > 0.0)
    by_rate = loop.against_rate(ideal([]), "integrator")
    assert np.all(np.diff(by_rate) < 0.0)
    # published, radial, at 1, 5 and 10 kHz: 2.66, 1.19, 0.85
    chosen = [RATES_HZ.index(rate) for rate in (1000, 5000, 10_000)]
    assert by_rate[chosen] * 1e6 * math.sqrt(2.0) == pytest.approx([2.66, 1.19, 0.85], rel=0.04)


def test_a_pi_law_that_is_not_set_leaves_no_more_than_the_best_integrator():
    swept = ideal(TONES, loop_delay_samples=5)
    pi, integrator = loop.design(swept, "pi"), loop.design(swept, "integrator")
    assert pi.figures.stable and pi.residual_rad <= integrator.residual_rad * 1.0001
    assert pi.proportional > 0.1 and integrator.proportional == 0.0


def test_the_command_prints_a_line_a_controller_and_writes_page_and_picture(tmp_path, capsys, quick_sweeps):
    assert main(["design", "loop", "leo_crosslink", "--out", str(tmp_path)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in said[1:4]] == list(LAWS.values())
    assert "at 10 kHz and 2 samples of delay" in said[4]
    page = (tmp_path / "loop.html").read_text()
    assert page.count("<svg") == 1 and "http" not in page.replace("http://www.w3.org", "")
    assert (tmp_path / "loop.png").read_bytes().startswith(b"\x89PNG")
