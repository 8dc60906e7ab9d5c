"""The crosslinks' states step by step, against passages that are worked out by hand."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.network.acquisition import AcquisitionTimes
from sim.network.crosslinks import Cause, Crosslinks, State
from sim.network.terminals import TerminalsModel
from sim.orbit import EARTH_RADIUS, MU_EARTH

RADIUS = EARTH_RADIUS + 550e3
SPEED = math.sqrt(MU_EARTH / RADIUS)
MODEL = TerminalsModel(mounts_deg=(0.0, 180.0), turn_mrad_s=50.0, range_km=6_000.0, clearance_km=100.0, slew_deg_s=1.0)
SUN = np.array([0.0, 0.0, 1.0])
FIVE = AcquisitionTimes([5.0])
OFF, ACQUIRING, UP, OUT, FAILED = State


def plane(*phases):
    """Positions and velocities (S, 3) of satellites on one circular orbit about z."""
    phase = np.array(phases)
    zero = np.zeros_like(phase)
    position = RADIUS * np.column_stack((np.cos(phase), np.sin(phase), zero))
    return position, SPEED * np.column_stack((-np.sin(phase), np.cos(phase), zero))


class Passage:
    """Crosslinks at steps of 1 s; what is not said stays as it is."""

    def __init__(self, pairs, mount, acquisition=FIVE, model=MODEL, satellites=3, seed=1):
        self.links = Crosslinks(np.array(pairs, np.int32), satellites, model, acquisition, 1.0, seed)
        self.mount = np.array(mount, np.int8)
        self.alive = np.ones(satellites, np.bool_)
        self.ephemeris_ok = np.ones(satellites, np.bool_)
        self.sun = SUN
        self.k = 0

    def step(self, position, velocity):
        state, _ = self.links.step(self.k, position, velocity, self.sun, self.mount, self.alive, self.ephemeris_ok)
        self.k += 1
        return [State(s) for s in state]

    def steps(self, n, phases):
        return [self.step(*plane(*phases)) for _ in range(n)]


def events(links):
    return [
        (float(e["time_s"]), int(e["crosslink"]), State(e["before"]), State(e["after"]), Cause(e["cause"]))
        for e in links.events
    ]


# a slew of 0.3 rad, 17.2 deg at 1 deg/s, and 5 s: up after 22.2 s
TO_UP = [ACQUIRING] * 23 + [UP] * 7
APART, TANGENT = 0.6, 2.0 * math.acos((EARTH_RADIUS + 100e3) / RADIUS)


def test_a_new_link_is_up_a_slew_and_an_acquisition_later():
    passage = Passage([(0, 1)], [(0, 1)], satellites=2)
    assert passage.steps(30, (0.0, APART)) == [[state] for state in TO_UP]
    assert events(passage.links) == [
        (0.0, 0, OFF, ACQUIRING, Cause.ASSIGNED),
        (23.0, 0, ACQUIRING, UP, Cause.ACQUIRED),
    ]


def test_range_is_that_between_the_satellites():
    links = Passage([(0, 1), (0, 2)], [(0, 1), (-1, -1)]).links
    well = np.ones(3, np.bool_)
    _, range_m = links.step(0, *plane(0.0, 0.2, 0.5), SUN, np.array([(0, 1), (-1, -1)], np.int8), well, well)
    assert range_m == pytest.approx([2.0 * RADIUS * math.sin(0.1), 2.0 * RADIUS * math.sin(0.25)])


@pytest.mark.parametrize(
    ("cause", "phases", "sun", "model"),
    [
        (Cause.EARTH, (0.0, 1.001 * TANGENT), SUN, MODEL),
        (
            Cause.RANGE,
            (0.0, 1.002 * APART),
            SUN,
            MODEL.model_copy(update={"range_km": 2.001e-3 * RADIUS * math.sin(0.3)}),
        ),
        (Cause.REGARD, (0.0, -APART), SUN, MODEL),
        (Cause.SUN, (0.0, APART), np.array([math.cos(0.3 + math.pi / 2), math.sin(0.3 + math.pi / 2), 0.0]), MODEL),
    ],
)
def test_what_comes_in_between_costs_an_acquisition(cause, phases, sun, model):
    passage = Passage([(0, 1)], [(0, 1)], satellites=2, model=model)
    passage.steps(30, (0.0, APART))
    passage.sun = sun
    assert passage.steps(4, phases) == [[OUT]] * 4
    passage.sun = SUN
    # the terminals still point there: no slew
    assert passage.steps(8, (0.0, APART)) == [[ACQUIRING]] * 5 + [[UP]] * 3
    assert events(passage.links)[2:] == [
        (30.0, 0, UP, OUT, cause),
        (34.0, 0, OUT, ACQUIRING, Cause.CLEAR),
        (39.0, 0, ACQUIRING, UP, Cause.ACQUIRED),
    ]


def test_a_line_of_sight_that_turns_too_fast_is_out():
    passage = Passage([(0, 1)], [(0, 1)], satellites=2)
    passage.steps(30, (0.0, APART))
    position, velocity = plane(0.0, APART)
    # 50 mrad/s over the chord, across the line of sight
    velocity[1, 2] = 51e-3 * np.linalg.norm(position[1] - position[0])
    assert passage.step(position, velocity) == [OUT]
    assert events(passage.links)[-1][-1] == Cause.TURN


def test_a_slew_that_is_cut_short_counts_as_not_begun():
    passage = Passage([(0, 1)], [(0, 1)], satellites=2)
    assert passage.steps(10, (0.0, APART)) == [[ACQUIRING]] * 10
    assert passage.steps(1, (0.0, 1.001 * TANGENT)) == [[OUT]]
    assert passage.steps(30, (0.0, APART)) == [[state] for state in TO_UP]


def test_a_terminal_that_is_assigned_to_another_satellite_slews_there():
    phases = (0.0, 0.2, 0.5)
    first, second = [(0, 1), (-1, -1)], [(-1, -1), (0, 1)]
    passage = Passage([(0, 1), (0, 2)], first)
    # 0.1 rad, 5.7 deg, and 5 s
    assert passage.steps(20, phases) == [[ACQUIRING, OFF]] * 11 + [[UP, OFF]] * 9
    passage.mount = np.array(second, np.int8)
    # satellite 2 turns its terminal from rest by 0.25 rad, 14.3 deg; satellite 0 by 0.15 rad only
    assert passage.steps(25, phases) == [[OFF, ACQUIRING]] * 20 + [[OFF, UP]] * 5
    passage.mount = np.array(first, np.int8)
    # satellite 1 still points there; satellite 0 turns back by 0.15 rad, 8.6 deg
    assert passage.steps(20, phases) == [[ACQUIRING, OFF]] * 14 + [[UP, OFF]] * 6
    assert events(passage.links)[2:5] == [
        (20.0, 0, UP, OFF, Cause.RELEASED),
        (20.0, 1, OFF, ACQUIRING, Cause.ASSIGNED),
        (40.0, 1, ACQUIRING, UP, Cause.ACQUIRED),
    ]


def test_another_terminal_for_the_same_pair_is_a_new_link():
    model = MODEL.model_copy(update={"mounts_deg": (0.0, 180.0, 0.0, 180.0)})
    passage = Passage([(0, 1)], [(0, 1)], satellites=2, model=model)
    passage.steps(30, (0.0, APART))
    passage.mount = np.array([(2, 1)], np.int8)
    assert passage.steps(30, (0.0, APART)) == [[state] for state in TO_UP]
    assert events(passage.links)[2] == (30.0, 0, UP, ACQUIRING, Cause.RELEASED)


def test_a_lost_satellite_takes_its_links_along_and_acquires_again():
    passage = Passage([(0, 1), (0, 2)], [(0, 1), (-1, -1)])
    passage.steps(20, (0.0, 0.2, 0.5))
    passage.alive[[1, 2]] = False
    assert passage.steps(3, (0.0, 0.2, 0.5)) == [[FAILED, OFF]] * 3
    passage.alive[:] = True
    assert passage.steps(7, (0.0, 0.2, 0.5)) == [[ACQUIRING, OFF]] * 5 + [[UP, OFF]] * 2
    assert events(passage.links)[2:4] == [
        (20.0, 0, UP, FAILED, Cause.LOSS),
        (23.0, 0, FAILED, ACQUIRING, Cause.CLEAR),
    ]


def test_with_a_wrong_ephemeris_nothing_is_acquired_and_what_is_up_stays():
    passage = Passage([(0, 1), (0, 2)], [(0, 1), (-1, -1)])
    passage.steps(20, (0.0, 0.2, 0.5))
    passage.ephemeris_ok[0] = False
    assert passage.steps(50, (0.0, 0.2, 0.5)) == [[UP, OFF]] * 50
    passage.mount = np.array([(-1, -1), (0, 1)], np.int8)
    assert passage.steps(50, (0.0, 0.2, 0.5)) == [[OFF, ACQUIRING]] * 50
    passage.ephemeris_ok[0] = True
    # the slew of 14.3 s is done; acquisition begins
    assert passage.steps(7, (0.0, 0.2, 0.5)) == [[OFF, ACQUIRING]] * 5 + [[OFF, UP]] * 2


def test_an_acquisition_during_which_the_ephemeris_turns_wrong_begins_again():
    passage = Passage([(0, 1)], [(0, 1)], satellites=2)
    passage.steps(20, (0.0, APART))
    passage.ephemeris_ok[1] = False
    assert passage.steps(10, (0.0, APART)) == [[ACQUIRING]] * 10
    passage.ephemeris_ok[1] = True
    assert passage.steps(7, (0.0, APART)) == [[ACQUIRING]] * 5 + [[UP]] * 2


def test_each_acquisition_takes_a_time_of_its_own():
    passage = Passage([(0, 1)], [(0, 1)], AcquisitionTimes([0.5, 40.5]), satellites=2)
    lasted = []
    for _ in range(60):
        seen = passage.steps(80, (0.0, APART))
        lasted.append(seen.index([UP]))
        passage.steps(1, (0.0, -APART))
    # even over 0.5 to 40.5 s, seen at the next step
    assert len(set(lasted[1:])) > 15
    assert np.mean(lasted[1:]) == pytest.approx(21.0, abs=5.0)


def test_ideal_links_are_up_as_soon_as_they_can_be():
    passage = Passage([(0, 1)], [(0, 1)], AcquisitionTimes.zero(), satellites=2)
    phases = [0.0, TANGENT * 0.999, TANGENT * 1.001, TANGENT * 0.999]
    assert [passage.step(*plane(0.0, phase))[0] for phase in phases[1:]] == [UP, OUT, UP]
    assert [event[2:] for event in events(passage.links)] == [
        (OFF, UP, Cause.ASSIGNED),
        (UP, OUT, Cause.EARTH),
        (OUT, UP, Cause.CLEAR),
    ]


WIDE = TerminalsModel(
    mounts_deg=(0.0, 120.0, -120.0), field_of_regard_deg=100.0, turn_mrad_s=8.0, slew_deg_s=10.0, sun_exclusion_deg=30.0
)


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**32 - 1), zero=st.booleans())
def test_no_link_is_up_where_it_cannot_be(seed, zero, can_link):
    """Random satellites that jump about, random plans and losses; ideal links are up wherever they can be."""
    rng = np.random.default_rng(seed)
    satellites, pairs = 6, [(a, b) for a in range(6) for b in range(a + 1, 6)]
    times = AcquisitionTimes.zero() if zero else AcquisitionTimes([0.0, 1.0, 4.0])
    passage = Passage(pairs, np.full((15, 2), -1), times, WIDE, satellites, seed)
    for _ in range(12):
        if rng.random() < 0.5 or passage.k == 0:
            position = np.array([0.0, 0.0, 4.0]) + rng.standard_normal((satellites, 3))
            position *= RADIUS / np.linalg.norm(position, axis=1)[:, np.newaxis]
            velocity = np.cross(position, [0.0, 1.0, 0.0] + 0.3 * rng.standard_normal((satellites, 3)))
            velocity *= SPEED / np.linalg.norm(velocity, axis=1)[:, np.newaxis]
        if rng.random() < 0.5:
            assigned = rng.random((15, 1)) < 0.7
            passage.mount = np.where(assigned, rng.integers(0, 3, (15, 2)), -1).astype(np.int8)
        passage.alive = rng.random(satellites) < 0.9
        passage.sun = rng.standard_normal(3)
        passage.sun /= np.linalg.norm(passage.sun)
        for state, (a, b), (i, j) in zip(passage.step(position, velocity), pairs, passage.mount.tolist(), strict=True):
            if i < 0:
                assert state == OFF
            elif not (passage.alive[a] and passage.alive[b]):
                assert state == FAILED
            elif not can_link(WIDE, position, velocity, passage.sun, a, b, i, j):
                assert state == OUT
            elif zero:
                assert state == UP
            else:
                assert state in (ACQUIRING, UP)


def test_events_tell_every_change_and_the_seed_tells_all():
    rng = np.random.default_rng(3)
    pairs = [(a, b) for a in range(8) for b in range(a + 1, 8)]
    phases = np.cumsum(rng.normal(0.0, 0.02, (60, 8)), axis=0) + np.linspace(0.0, 1.0, 8)

    def run(seed):
        passage = Passage(pairs, [(0, 1)] * 28, AcquisitionTimes([0.0, 9.0]), MODEL, 8, seed)
        return np.array([passage.step(*plane(*phase)) for phase in phases]), passage.links.events

    states, told = run(1)
    state = np.zeros(28, np.uint8)
    for k in range(60):
        now = told[told["time_s"] == k]
        assert (state[now["crosslink"]] == now["before"]).all()
        state[now["crosslink"]] = now["after"]
        assert (state == states[k]).all()
    assert len(told) > 100
    assert (run(1)[0] == states).all()
    assert (run(2)[0] != states).any()
