"""Flooding against a line by hand and an event simulation; what sources believe and lose, step by step, by hand."""

import heapq

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.network.knowledge import Interruption, LinkState, Precomputed, interruption, known_at, shortest_believed
from sim.network.routing import Links, route


def line(n: int) -> Links:
    return Links(n, np.arange(n - 1, dtype=np.int32), np.arange(1, n, dtype=np.int32))


def flood(n: int, links: list[tuple[int, int, float]], starts: dict[int, float], processing_s: float) -> list[float]:
    """Each copy of the news is an event: a node takes in the first copy, and sends one over each of its links."""
    first = [np.inf] * n
    copies = [(at, node) for node, at in starts.items()]
    heapq.heapify(copies)
    while copies:
        at, node = heapq.heappop(copies)
        if first[node] < np.inf:
            continue
        first[node] = at
        for a, b, delay in links:
            if node in (a, b):
                heapq.heappush(copies, (at + delay + processing_s, b if node == a else a))
    return first


@settings(deadline=None)
@given(st.integers(2, 15), st.integers(0, 2**32 - 1))
def test_flooding_is_an_event_simulation(n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    links = [(a, b, rng.uniform(1e-3, 7e-3)) for a in range(n) for b in range(a + 1, n) if rng.random() < 0.3]
    ends = np.array([rng.choice(n, 2, replace=False) for _ in range(4)])
    found = rng.uniform(0.0, 10.0, 4)
    a, b, delay = (np.array(column) for column in zip(*links, strict=True)) if links else (np.zeros(0),) * 3
    arrival = known_at(n, a, b, delay, ends, found, np.arange(n), 2e-4)
    for c in range(4):
        expected = flood(n, links, dict.fromkeys(ends[c], found[c]), 2e-4)
        np.testing.assert_allclose(arrival[:, c], expected, rtol=1e-12)


def test_news_on_a_line_of_links() -> None:
    # 0 - 1 - 2 - 3 - 4, 5 ms a link, 0.2 ms a hop; the link 3 - 4 goes down at 7 s and its ends find out 50 ms later
    links, delay = line(5), np.full(4, 0.005)
    state = LinkState(links, np.array([0, 2, 3, 4], np.int32), detection_s=0.05, processing_s=2e-4)
    up, foreseen = np.ones(4, np.bool_), np.ones(4, np.bool_)
    assert state.step(6.0, 1.0, up, delay, foreseen).up.all()
    up[3] = False
    belief = state.step(7.0, 1.0, up, delay, foreseen)
    np.testing.assert_allclose(belief.known_at_s[:, 3], 7.05 + 5.2e-3 * np.array([3, 1, 0, 0]), rtol=1e-14)
    assert not belief.up[:, 3].any()
    assert belief.up[:, :3].all()


def test_news_in_flight_arrives_in_a_later_step() -> None:
    links, delay = line(3), np.array([0.03, 0.005])
    state = LinkState(links, np.array([0], np.int32), detection_s=0.015, processing_s=0.0)
    up, foreseen = np.ones(2, np.bool_), np.zeros(2, np.bool_)
    state.step(0.0, 0.01, up, delay, foreseen)
    up[1] = False
    believed = [bool(state.step(0.01 * k, 0.01, up, delay, foreseen).up[0, 1]) for k in range(1, 7)]
    # the change of 0.01 s is found at 0.025 s and known at 0.055 s
    assert believed == [True, True, True, True, False, False]


def test_a_source_that_is_cut_off_learns_when_it_is_reached_again() -> None:
    links, delay = line(4), np.full(3, 0.01)
    state = LinkState(links, np.array([0, 3], np.int32), detection_s=0.05, processing_s=0.0)
    foreseen = np.ones(3, np.bool_)
    state.step(0.0, 1.0, np.array([True, True, True]), delay, foreseen)
    state.step(1.0, 1.0, np.array([False, True, True]), delay, foreseen)
    belief = state.step(2.0, 1.0, np.array([False, True, False]), delay, foreseen)
    assert belief.up.tolist() == [[False, True, True], [False, True, False]]
    belief = state.step(9.0, 1.0, np.array([True, True, False]), delay, foreseen)
    assert belief.up[0].tolist() == [True, True, False]
    # an end of the link found out long ago; it speaks as soon as there is a way, and over two links
    assert belief.known_at_s[0, 2] == pytest.approx(9.02)
    assert belief.known_at_s[0, 0] == pytest.approx(9.05)


def test_what_is_foreseen_is_known_at_once() -> None:
    links, delay = line(3), np.full(2, 0.01)
    observers = np.array([0], np.int32)
    for knowledge in (LinkState(links, observers, 0.05, 0.0), Precomputed(links, observers, 5.0)):
        knowledge.step(0.0, 1.0, np.array([True, True]), delay, np.array([True, True]))
        belief = knowledge.step(1.0, 1.0, np.array([True, False]), delay, np.array([True, False]))
        assert belief.up.tolist() == [[True, False]]
        assert belief.known_at_s[0, 1] == 1.0


def test_a_difference_from_the_foreseen_topology_is_corrected_after_the_recompute_time() -> None:
    links, delay = line(2), np.full(1, 0.01)
    knowledge = Precomputed(links, np.array([0, 1], np.int32), 2.5)
    #              lost at 1 s; back at 6 s; planned off at 10 s; planned on at 12 s, but up only at 13 s
    up = [True, False, False, False, False, False, True, True, True, True, False, False, False, True, True, True]
    foreseen = [True] * 10 + [False, False] + [True] * 4
    believed, known = [], []
    for k in range(len(up)):
        belief = knowledge.step(float(k), 1.0, np.array([up[k]]), delay, np.array([foreseen[k]]))
        believed.append(bool(belief.up[0, 0]))
        known.append(float(belief.known_at_s[1, 0]))
    assert believed == [True] * 3 + [False] * 5 + [True] * 2 + [False] * 2 + [True] * 4
    assert known[1:4] == [3.5] * 3
    assert known[6:9] == [8.5] * 3
    assert (known[10], known[12], known[13]) == (10.0, 14.5, 13.0)


def test_each_source_routes_over_what_it_believes() -> None:
    # two ways from 0 to 3: over 1, the shorter, and over 2
    links = Links(4, np.array([0, 1, 0, 2], np.int32), np.array([1, 3, 2, 3], np.int32))
    delay = np.array([0.001, 0.001, 0.002, 0.002])
    believed = np.array([[True, True, True, True], [True, False, True, True]])
    found, before = shortest_believed(links, believed, delay, np.array([0, 3], np.int32))
    assert (found[0, 3], found[1, 0]) == (0.002, 0.004)
    assert (route(before[0], 3), route(before[1], 0)) == ([0, 1, 3], [3, 2, 0])


NONE = np.zeros(0, np.int64)
OVER_0, OVER_1, OVER_1_AND_2 = np.array([0]), np.array([2]), np.array([2, 4])


@pytest.mark.parametrize(
    ("before", "after", "up", "known", "expected"),
    [
        (OVER_0, OVER_0, [1, 1, 1], [0.0, 0.0, 0.0], Interruption(0.0, 0.0, -1)),
        (OVER_0, OVER_1, [1, 1, 1], [0.0, 10.2, 0.0], Interruption(0.0, 0.0, -1)),
        (OVER_0, OVER_1, [0, 1, 1], [10.2, 0.0, 0.0], Interruption(0.2, 0.0, 0)),
        (OVER_0, OVER_0, [0, 1, 1], [np.inf, 0.0, 0.0], Interruption(1.0, 0.0, 0)),
        (OVER_0, NONE, [0, 1, 1], [10.2, 0.0, 0.0], Interruption(0.2, 0.8, 0)),
        (OVER_1_AND_2, OVER_0, [1, 0, 0], [0.0, 10.1, 10.4], Interruption(0.4, 0.0, 2)),
        (OVER_0, OVER_1_AND_2, [0, 1, 0], [10.3, 0.0, np.inf], Interruption(1.0, 0.0, 0)),
        (OVER_0, OVER_1_AND_2, [1, 1, 0], [0.0, 10.0, 12.0], Interruption(1.0, 0.0, 4)),
        (NONE, OVER_1_AND_2, [0, 1, 1], [0.0, 10.3, 9.0], Interruption(0.0, 0.3, -1)),
        (NONE, OVER_1, [0, 0, 1], [0.0, 8.0, 9.0], Interruption(1.0, 0.0, 2)),
        (NONE, NONE, [0, 0, 0], [0.0, 0.0, 0.0], Interruption(0.0, 1.0, -1)),
    ],
)
def test_what_a_change_costs_a_flow(
    before: np.ndarray, after: np.ndarray, up: list[int], known: list[float], expected: Interruption
) -> None:
    found = interruption(before, after, np.array(up, np.bool_), np.array(known), 10.0, 1.0)
    assert (found.lost_s, found.waiting_s) == pytest.approx((expected.lost_s, expected.waiting_s))
    assert found.broken == expected.broken
