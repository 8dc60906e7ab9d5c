"""Shares against closed forms and a linear programme; priorities, queues, loss and custody by hand; conservation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy.optimize import linprog

from sim.network.custody import ContactLog, Custody
from sim.network.routing import Links
from sim.network.traffic import FlowModel, FlowStep, Traffic, jitter, max_min


def routes(*resources: list[int]) -> list[np.ndarray]:
    return [np.array(used, np.int64) for used in resources]


def fair(demand: np.ndarray, used: list[np.ndarray], capacity: np.ndarray) -> np.ndarray:
    """Max-min shares by linear programmes: raise the least share as far as it goes, fix whom that stops, go on."""
    count = len(demand)
    uses = np.array([[np.count_nonzero(path == r) for path in used] for r in range(len(capacity))])
    fixed = np.full(count, np.nan)
    while np.isnan(fixed).any():
        free = np.isnan(fixed)
        bounds = [(0.0, d) if f else (x, x) for d, f, x in zip(demand, free, fixed, strict=True)]
        above = np.zeros((free.sum(), count + 1))
        above[np.arange(free.sum()), np.flatnonzero(free)], above[:, -1] = -1.0, 1.0
        limits = np.vstack((np.column_stack((uses, np.zeros(len(capacity)))), above))
        rights = np.concatenate((capacity, np.zeros(free.sum())))
        cost = np.zeros(count + 1)
        cost[-1] = -1.0
        level = linprog(cost, limits, rights, bounds=[*bounds, (0.0, None)]).x[-1]
        least = [(level, d) if f else (x, x) for d, f, x in zip(demand, free, fixed, strict=True)]
        for f in np.flatnonzero(free):
            most = -linprog(-np.eye(count)[f], uses, capacity + 1e-9, bounds=[(min(a, b), b) for a, b in least]).fun
            if most < level + 1e-6:
                fixed[f] = level
    return fixed


def test_shares_of_one_link() -> None:
    same = np.zeros(3, np.int64)
    found = max_min(np.array([1.0, 9.0, 9.0]), same, routes([0], [0], [0]), np.array([10.0]))
    np.testing.assert_allclose(found, [1.0, 4.5, 4.5], rtol=1e-14)


def test_a_long_flow_shares_each_link_with_a_short_one() -> None:
    # the parking lot: links of 10, 4 and 6; flow 0 over all three, one more over each
    same = np.zeros(4, np.int64)
    found = max_min(np.full(4, 99.0), same, routes([0, 1, 2], [0], [1], [2]), np.array([10.0, 4.0, 6.0]))
    np.testing.assert_allclose(found, [2.0, 8.0, 2.0, 4.0], rtol=1e-14)


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 5), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_shares_are_those_of_the_linear_programmes(flows: int, resources: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    demand, capacity = rng.uniform(1.0, 10.0, flows), rng.uniform(1.0, 10.0, resources)
    used = [rng.choice(resources, rng.integers(1, resources + 1), replace=False) for _ in range(flows)]
    found = max_min(demand, np.zeros(flows, np.int64), used, capacity)
    np.testing.assert_allclose(found, fair(demand, used, capacity), atol=1e-5)


@settings(deadline=None)
@given(st.integers(1, 12), st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_no_class_notices_those_behind_it(flows: int, resources: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    demand, capacity = rng.uniform(0.0, 10.0, flows), rng.uniform(0.0, 10.0, resources)
    priority = rng.integers(0, 4, flows)
    used = [rng.choice(resources, rng.integers(1, resources + 1), replace=False) for _ in range(flows)]
    found = max_min(demand, priority, used, capacity)
    load = np.zeros(resources)
    for share, path in zip(found, used, strict=True):
        load[path] += share
    assert (load <= capacity + 1e-9).all()
    for level in range(4):
        kept = np.flatnonzero(priority <= level)
        alone = max_min(demand[kept], priority[kept], [used[f] for f in kept], capacity)
        np.testing.assert_array_equal(found[kept], alone)


class Line:
    """Nodes 0 - 1 - 2, one link each, and flows from 0 to 2 over both, or to 1 over the first."""

    def __init__(self, *flows: FlowModel, queue_mb: float = 1e6, node_mbps: tuple[float, ...] = (np.inf,) * 3) -> None:
        self.links = Links(3, np.array([0, 1], np.int32), np.array([1, 2], np.int32))
        self.flows = flows
        targets = np.array([int(flow.destination) for flow in flows], np.int32)
        log = ContactLog(self.links)
        log.step(0.0, np.ones(2, np.bool_), np.full(2, 0.01))
        self.custody = Custody(log.plan(1e6), targets)
        ends = np.column_stack((np.zeros_like(targets), targets))
        self.traffic = Traffic(flows, ends, self.links, np.array(node_mbps), queue_mb, self.custody)
        self.known_at = np.full(2, -np.inf)

    def step(self, t_s: float, mbps: float = 100.0, up: tuple[int, int] = (1, 1), route: bool = True) -> FlowStep:
        paths = [np.array([0, 2][: int(flow.destination)] if route else [], np.int64) for flow in self.flows]
        delay = np.array([0.01 * len(path) if route else np.inf for path in paths])
        known = [self.known_at] * len(self.flows)
        return self.traffic.step(t_s, 1.0, paths, delay, np.array(up, np.bool_), known, mbps * np.repeat(up, 2))


def flow(rate_mbps: float, priority: int = 4, custody: bool = False, destination: str = "2") -> FlowModel:
    return FlowModel(source="0", destination=destination, rate_mbps=rate_mbps, priority=priority, custody=custody)


def test_what_fits_is_delivered_after_the_path() -> None:
    found = Line(flow(30.0), flow(60.0, destination="1")).step(0.0)
    assert found.sent_mb.tolist() == found.delivered_mb.tolist() == [30.0, 60.0]
    np.testing.assert_allclose(found.delay_s, [0.02, 0.01], rtol=1e-12)
    assert not np.any((found.lost_mb, found.queued_mb, found.custody_mb))


def test_a_queue_waits_its_turn_and_then_is_cut() -> None:
    # 40 Mb/s offered to 30 Mb/s: the queue grows by 10 Mb a step to its 25 Mb, then 10 Mb a step are lost
    line = Line(flow(40.0), queue_mb=25.0)
    steps = [line.step(float(k), mbps=30.0) for k in range(5)]
    assert [float(found.queued_mb[0]) for found in steps] == [10.0, 20.0, 25.0, 25.0, 25.0]
    assert [float(found.lost_mb[0]) for found in steps] == [0.0, 0.0, 5.0, 10.0, 10.0]
    assert all(found.delivered_mb[0] == 30.0 for found in steps)
    # step 1 carries 10 Mb of step 0 and 20 of its own, step 2 carries 20 Mb of step 1 and 10 of its own
    np.testing.assert_allclose([found.delay_s[0] for found in steps[:3]], [0.02, 0.02 + 10 / 30, 0.02 + 20 / 30])


def test_the_newest_data_is_dropped() -> None:
    line = Line(flow(40.0), queue_mb=60.0)
    delays = [float(line.step(float(k), mbps=10.0).delay_s[0]) for k in range(8)]
    # 40 Mb of step 0 and of step 1 go in 4 steps each; from step 2 on 30 Mb are lost, each time of the step's own
    np.testing.assert_allclose(delays, 0.02 + np.array([0.0, 1.0, 2.0, 3.0, 3.0, 4.0, 5.0, 6.0]))


def test_a_full_queue_pushes_out_the_lower_priority() -> None:
    line = Line(flow(40.0, priority=7), flow(40.0, priority=0), queue_mb=50.0)
    line.step(0.0, route=False)
    found = line.step(1.0, route=False)
    assert found.queued_mb.tolist() == [0.0, 50.0]
    assert found.lost_mb.tolist() == [50.0, 30.0]


def test_a_node_sends_and_receives_no_more_than_it_can() -> None:
    flows = flow(40.0), flow(40.0, priority=3), flow(40.0, destination="1")
    assert Line(*flows, node_mbps=(70.0, 0.0, 99.0)).step(0.0).delivered_mb.tolist() == [30.0, 40.0, 0.0]
    assert Line(*flows, node_mbps=(99.0, 99.0, 50.0)).step(0.0).delivered_mb.tolist() == [10.0, 40.0, 40.0]


def test_what_a_node_sends_leaves_room_for_what_it_receives() -> None:
    links = Links(2, np.array([0], np.int32), np.array([1], np.int32))
    ends = np.array([[0, 1], [1, 0]], np.int32)
    custody = Custody(ContactLog(links).plan(0.0), ends[:, 1])
    traffic = Traffic([flow(40.0), flow(40.0)], ends, links, np.full(2, 50.0), 1e6, custody)
    paths, known = [np.array([0]), np.array([1])], [np.array([-np.inf])] * 2
    found = traffic.step(0.0, 1.0, paths, np.full(2, 0.01), np.array([True]), known, np.full(2, 45.0))
    assert found.delivered_mb.tolist() == [40.0, 40.0]


def test_data_sent_into_a_break_is_lost_until_the_source_knows() -> None:
    line = Line(flow(20.0), flow(20.0, custody=True))
    line.step(0.0)
    line.known_at = np.array([-np.inf, 1.25])
    found = line.step(1.0, up=(1, 0), route=False)
    # the source learns after 0.25 s; what comes later queues
    assert found.delivered_mb.tolist() == [0.0, 0.0]
    assert found.lost_mb.tolist() == [5.0, 0.0]
    assert found.queued_mb.tolist() == [15.0, 15.0]
    assert found.custody_mb.tolist() == [0.0, 5.0]
    found = line.step(2.0, up=(1, 0), route=False)
    assert found.queued_mb.tolist() == [35.0, 0.0]
    assert found.custody_mb.tolist() == [0.0, 40.0]
    line.known_at = np.array([-np.inf, 3.5])
    found = line.step(3.0)
    # of the 100 Mb of link 1 - 2, custody gets its 5 Mb at node 1 and 35 Mb at node 0, the new data 20 Mb
    assert found.delivered_mb.tolist() == [40.0, 60.0]
    assert found.queued_mb.tolist() == [15.0, 0.0]
    assert found.custody_mb.tolist() == [0.0, 0.0]
    np.testing.assert_allclose(found.delay_s[0], 0.02 + (15.0 * 2.0 + 20.0 * 1.0) / 40.0)


def test_a_new_route_takes_over_when_the_source_knows_of_the_break() -> None:
    # 0 - 1 - 2 breaks; 0 - 2 is the other way
    links = Links(3, np.array([0, 1, 0], np.int32), np.array([1, 2, 2], np.int32))
    over, direct = np.array([0, 2]), np.array([4])
    log = ContactLog(links)
    log.step(0.0, np.array([True, False, False]), np.full(3, 0.01))
    flows = [flow(20.0), flow(20.0, custody=True)]
    ends = np.array([[0, 2], [0, 2]], np.int32)
    traffic = Traffic(flows, ends, links, np.full(3, np.inf), 1e6, Custody(log.plan(1e6), ends[:, 1]))
    always, known, capacity = [np.full(3, -np.inf)] * 2, [np.array([-np.inf, 1.25, -np.inf])] * 2, np.full(6, 100.0)
    traffic.step(0.0, 1.0, [over, over], np.full(2, 0.02), np.array([True, True, True]), always, capacity)
    found = traffic.step(1.0, 1.0, [direct] * 2, np.full(2, 0.01), np.array([True, False, True]), known, capacity)
    assert found.delivered_mb.tolist() == [15.0, 15.0]
    assert found.lost_mb.tolist() == [5.0, 0.0]
    assert found.custody_mb.tolist() == [0.0, 5.0]
    np.testing.assert_allclose(found.delay_s, 0.01)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1), st.lists(st.booleans(), min_size=1, max_size=4))
def test_all_that_is_sent_is_somewhere(seed: int, custody: list[bool]) -> None:
    rng = np.random.default_rng(seed)
    flows = [flow(rng.uniform(1.0, 50.0), int(rng.integers(8)), kept, str(rng.integers(1, 3))) for kept in custody]
    line = Line(*flows, queue_mb=60.0)
    total = np.zeros(len(flows))
    for k in range(30):
        line.known_at = k + rng.uniform(-2.0, 2.0, 2)
        found = line.step(float(k), rng.uniform(0.0, 100.0), tuple(rng.random(2) < 0.6), bool(rng.random() < 0.7))
        for column in (found.delivered_mb, found.lost_mb, found.queued_mb, found.custody_mb):
            assert (column >= 0.0).all()
        assert found.queued_mb.sum() <= 60.0 + 1e-6
        assert not found.lost_mb[np.array(custody)].any()
        total += found.sent_mb - found.delivered_mb - found.lost_mb
        np.testing.assert_allclose(total, found.queued_mb + found.custody_mb, atol=1e-6)


def test_jitter_is_the_mean_step_of_the_delay() -> None:
    nan = np.nan
    delay = np.array([[0.010, nan, 0.01], [0.013, 0.02, nan], [0.011, 0.02, 0.03], [0.011, nan, nan]])
    found = jitter(delay)
    np.testing.assert_allclose(found, [0.005 / 3, 0.0, nan], atol=1e-15)


def test_a_flow_has_two_ends() -> None:
    with pytest.raises(ValidationError, match="'Oslo' as source and destination"):
        FlowModel(source="Oslo", destination="Oslo", rate_mbps=1.0)
