"""Runs without a record: the same as recorded ones, one by one and in any order, with little computed twice."""

import gc
import json
import weakref

import pytest

from flightsw.errors import ConfigError
from flightsw.pat import loop_design
from hil import acquisition, world
from hil.acquisition import Runner
from hil.run import run, summarise


def what_happened(runner, seed):
    """All that a run until acquisition says, to the last bit of the mirror's last command."""
    engine, outcome, _ = runner.run(seed, until_acquired=True)
    status = [terminal.status for terminal in engine.terminals]
    return outcome.acquired_s, outcome.events, [(s.mirror_x, s.mirror_y, s.range_m, s.point_ahead_x) for s in status]


@pytest.mark.parametrize("name", ["leo_crosslink", "leo_geo"])
def test_a_run_is_that_of_beamlock_run(scenario, tmp_path, name):
    """Made from the same seed by a runner that has made others before."""
    recorded = run(scenario(name), tmp_path, seed=5, duration_s=8)
    runner = Runner(scenario(name), 8)
    runner.run(4, until_acquired=True)
    engine, outcome, of = runner.run(5, until_acquired=False)
    summary = summarise(scenario(name), 5, engine, outcome, 0.0)
    for figures in (summary, recorded.summary):
        del figures["performance"]
    assert summary == recorded.summary
    assert summary["acquisition"]["acquired"] and outcome.simulated_s == 8.0
    rows = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    assert [(row["terminal"], row["text"]) for row in rows] == [(who, event.text) for who, event in outcome.events]
    assert of is engine.world


def test_a_run_does_not_depend_on_those_before_it(scenario):
    one, other = Runner(scenario("leo_crosslink")), Runner(scenario("leo_crosslink"))
    forth = [what_happened(one, seed) for seed in (1, 2, 3)]
    back = [what_happened(other, seed) for seed in (3, 2, 1)]
    assert forth == back[::-1]
    assert forth[0] != forth[1]


def test_a_run_until_acquired_ends_with_the_frame_in_which_both_loops_are_closed(scenario):
    runner = Runner(scenario("leo_crosslink"))
    _, early, _ = runner.run(3, until_acquired=True)
    _, whole, _ = runner.run(3, until_acquired=False)
    assert early.simulated_s == early.acquired_s == whole.acquired_s
    assert whole.simulated_s == 60.0
    assert early.events == whole.events[: len(early.events)]


def test_a_run_that_does_not_acquire_goes_to_its_end(scenario):
    blind = scenario("leo_crosslink", {"flight.tracking.presence_nw": 1e9})
    engine, outcome, _ = Runner(blind, 3.9).run(1, until_acquired=True)
    assert outcome.acquired_s is None
    assert outcome.simulated_s == 3.0
    assert summarise(blind, 1, engine, outcome, 0.0)["goal_met"] is False


@pytest.fixture
def courses(monkeypatch):
    """The encounters whose course is computed, none known before."""
    computed = []

    def counted(encounter, folder):
        computed.append(encounter)
        return world.course(encounter, folder)

    monkeypatch.setattr(acquisition, "course", counted)
    acquisition._course.cache_clear()
    yield computed
    acquisition._course.cache_clear()


def test_a_course_is_computed_once_for_all_seeds_and_all_hardware(scenario, courses):
    for error in (100.0, 200.0):
        runner = Runner(scenario("leo_crosslink", {"hardware.platform.initial_error_urad": error}), 2)
        for seed in range(2):
            runner.run(seed, until_acquired=False)
    assert len(courses) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"mounting_azimuth_deg": 10.0},
        {"orbit.kepler.inclination_deg": 54.0},
        {"orbit.kepler.j2": False},
    ],
)
def test_another_encounter_has_a_course_of_its_own(scenario, courses, changes):
    one = Runner(scenario("leo_crosslink"), 2).run(1, until_acquired=False)[2]
    other = Runner(scenario("leo_crosslink", changes), 2).run(1, until_acquired=False)[2]
    assert len(courses) == 2
    assert (one.frames != other.frames).any()


def test_another_time_has_a_course_of_its_own(scenario, courses):
    """Elements at another epoch look the same, but not with the sun."""
    for epoch, duration_s in (("2026-03-20T12:00:00Z", 1), ("2026-03-20T13:00:00Z", 1), ("2026-03-20T13:00:00Z", 2)):
        Runner(scenario("leo_crosslink", {"/epoch": epoch}), duration_s)
    assert [(encounter.epoch.hour, encounter.duration_s) for encounter in courses] == [(12, 1), (13, 1), (13, 2)]


def test_both_loops_of_many_runs_are_designed_once(scenario, monkeypatch):
    """What no run before had: a drift of its own."""
    designed, design = [], loop_design.lqg

    def counted(*arguments):
        designed.append(arguments)
        return design(*arguments)

    monkeypatch.setattr(loop_design, "lqg", counted)
    runner = Runner(scenario("leo_crosslink", {"flight.tracking.drift_rms_urad": 11.777}), 1)
    for seed in range(3):
        runner.run(seed, until_acquired=False)
    assert len(designed) == 1


def test_a_run_that_is_over_keeps_no_memory(scenario):
    runner = Runner(scenario("leo_crosslink"), 1)
    engine, _, of = runner.run(1, until_acquired=False)
    kept = [weakref.ref(engine), weakref.ref(of.hardware[0]), weakref.ref(engine.terminals[0])]
    del engine, of
    gc.collect()
    assert [reference() for reference in kept] == [None, None, None]


def test_terminals_behind_the_earth_are_refused_at_once(scenario):
    hidden = scenario("leo_crosslink").model_dump()
    hidden["terminals"]["bravo"]["orbit"]["kepler"]["mean_anomaly_deg"] = 180.0
    with pytest.raises(ConfigError, match="expected alpha and bravo in sight of each other"):
        Runner(type(scenario("leo_crosslink")).model_validate(hidden))


def test_terminals_that_are_too_close_for_the_sample_rate_are_refused(scenario):
    close = scenario("leo_crosslink", {"/sample_rate_hz": 1000}).model_dump()
    close["terminals"]["bravo"]["orbit"]["kepler"]["mean_anomaly_deg"] = 2.0
    runner = Runner(type(scenario("leo_crosslink")).model_validate(close), 1)
    with pytest.raises(ConfigError, match="farther apart than two samples of light time"):
        runner.run(1, until_acquired=True)
