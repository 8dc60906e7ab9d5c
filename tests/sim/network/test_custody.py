"""Earliest arrival against exhaustive search; custody over contacts by hand, and its single delivery."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.network.custody import ContactLog, ContactPlan, Custody
from sim.network.routing import Links


def contact_plan(n: int, contacts: list[tuple[int, int, float, float, float]]) -> ContactPlan:
    """Contacts (from, to, start, end, delay)."""
    contacts = sorted(contacts)
    tail, head, start, end, delay = zip(*contacts, strict=True) if contacts else ((),) * 5
    nodes = (np.array(tail, np.int32), np.array(head, np.int32), np.arange(len(contacts), dtype=np.int64))
    return ContactPlan(n, *nodes, *(np.array(column, np.float64) for column in (start, end, delay)))


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32 - 1))
def test_earliest_arrival_is_that_of_an_exhaustive_search(seed: int) -> None:
    rng = np.random.default_rng(seed)
    contacts = []
    for _ in range(rng.integers(0, 7)):
        tail, head = rng.choice(4, 2, replace=False)
        start = rng.uniform(0.0, 50.0)
        contacts.append((int(tail), int(head), start, start + rng.uniform(0.0, 30.0), rng.uniform(0.0, 5.0)))
    contacts.sort()
    usable = rng.random(len(contacts)) < 0.8
    best = np.array([10.0, np.inf, np.inf, np.inf])
    for count in range(1, len(contacts) + 1):
        for order in permutations(range(len(contacts)), count):
            node, at = 0, 10.0
            for c in order:
                tail, head, start, end, delay = contacts[c]
                at = max(at, start)
                if tail != node or at >= end or not usable[c]:
                    break
                node, at = head, at + delay
            else:
                best[node] = min(best[node], at)
    plan = contact_plan(4, contacts)
    arrival, over = plan.earliest(0, 10.0, usable)
    np.testing.assert_allclose(arrival, best, rtol=1e-14)
    for target in range(1, 4):
        node, at = 0, 10.0
        for c in plan.way(over, target):
            assert plan.tail[c] == node
            node, at = int(plan.head[c]), max(at, plan.start_s[c]) + plan.delay_s[c]
        assert node == (target if np.isfinite(best[target]) else 0)
        assert at == pytest.approx(best[target] if np.isfinite(best[target]) else 10.0)


def test_nodes_beyond_the_relays_only_end_ways() -> None:
    plan = contact_plan(3, [(0, 2, 0.0, 9.0, 1.0), (2, 1, 0.0, 9.0, 1.0)])
    assert plan.earliest(0, 0.0)[0].tolist() == [0.0, 2.0, 1.0]
    assert plan.earliest(0, 0.0, relays=2)[0].tolist() == [0.0, np.inf, 1.0]
    assert plan.earliest(2, 0.0, relays=2)[0].tolist() == [np.inf, 1.0, 0.0]


def test_a_plan_is_collected_step_by_step() -> None:
    links = Links(3, np.array([0, 2], np.int32), np.array([1, 1], np.int32))
    log = ContactLog(links)
    for k, up in enumerate(([1, 0], [1, 1], [0, 1], [1, 1])):
        log.step(10.0 * k, np.array(up, np.bool_), np.array([0.1, 0.2]) + k)
    plan = log.plan(40.0)
    found = zip(plan.tail, plan.head, plan.link, plan.start_s, plan.end_s, plan.delay_s, strict=True)
    assert sorted(tuple(float(value) for value in contact) for contact in found) == [
        (0, 1, 0, 0.0, 20.0, 0.1),
        (0, 1, 0, 30.0, 40.0, 3.1),
        (1, 0, 1, 0.0, 20.0, 0.1),
        (1, 0, 1, 30.0, 40.0, 3.1),
        (1, 2, 3, 10.0, 40.0, 1.2),
        (2, 1, 2, 10.0, 40.0, 1.2),
    ]
    assert (np.diff(plan.tail) >= 0).all()


def store_and_forward() -> tuple[Links, ContactPlan]:
    """Ground 3 sees satellite 0 for 10 s, 0 meets 1 and 2 at 20 s; 1 sees ground 4 at 40 s, 2 does at 60 s."""
    links = Links(5, np.array([0, 0, 1, 0, 2], np.int32), np.array([3, 1, 4, 2, 4], np.int32))
    log = ContactLog(links)
    opening = np.array([0.0, 20.0, 40.0, 20.0, 60.0])
    for t in np.arange(0.0, 80.0):
        log.step(t, (opening <= t) & (t < opening + 10.0), np.full(5, 0.01))
    return links, log.plan(80.0)


def test_data_is_carried_from_contact_to_contact() -> None:
    _, plan = store_and_forward()
    custody = Custody(plan, np.array([4], np.int32), relays=3)
    custody.keep(0, 3, [(0.0, 100.0)])
    seen, arrived = [], []
    for t in np.arange(0.0, 80.0):
        up = np.isin(np.arange(5), plan.link[(plan.start_s <= t) & (t < plan.end_s)] >> 1)
        for move in custody.moves(t, up):
            seen.append((t, move.tail, move.head, move.links.tolist()))
            arrived += [(t + move.delay_s - sent_s, mb) for sent_s, mb in custody.carry(move, 60.0)]
    # 60 Mb a step: the last 40 Mb go one step later, each hop
    assert seen == [
        (0.0, 3, 0, [1]),
        (1.0, 3, 0, [1]),
        (20.0, 0, 1, [2]),
        (21.0, 0, 1, [2]),
        (40.0, 1, 4, [4]),
        (41.0, 1, 4, [4]),
    ]
    np.testing.assert_allclose(arrived, [(40.01, 60.0), (41.01, 40.0)])
    assert custody.held_mb().tolist() == [0.0]


def test_a_contact_that_fails_is_planned_around() -> None:
    _, plan = store_and_forward()
    custody = Custody(plan, np.array([4], np.int32), relays=3)
    custody.keep(0, 0, [(0.0, 100.0)])
    up = np.array([0, 0, 0, 1, 0], np.bool_)
    moves = custody.moves(20.0, up)
    assert [(move.tail, move.head) for move in moves] == [(0, 2)]
    # when the link is back before the data has left, the earlier way counts again
    assert [(move.tail, move.head) for move in custody.moves(21.0, np.array([0, 1, 0, 1, 0], np.bool_))] == [(0, 1)]
    assert custody.moves(70.0, np.zeros(5, np.bool_)) == []
    assert custody.held_mb().tolist() == [100.0]


def test_open_contacts_in_a_row_are_taken_in_one_move() -> None:
    plan = contact_plan(4, [(0, 1, 0.0, 9.0, 0.01), (1, 2, 0.0, 9.0, 0.02), (2, 3, 5.0, 9.0, 0.04)])
    custody = Custody(plan, np.array([3], np.int32))
    custody.keep(0, 0, [(0.0, 1.0)])
    (move,) = custody.moves(0.0, np.ones(2, np.bool_))
    assert (move.head, move.links.tolist(), move.mb) == (2, [0, 1], 1.0)
    assert move.delay_s == pytest.approx(0.03)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1))
def test_what_is_kept_is_delivered_once_or_still_held(seed: int) -> None:
    rng = np.random.default_rng(seed)
    links, plan = store_and_forward()
    custody = Custody(plan, np.array([4, 3, 1], np.int32), relays=3)
    kept, arrived = {}, {}
    for t in np.arange(0.0, 80.0):
        if rng.random() < 0.3:
            flow, node = int(rng.integers(3)), int(rng.choice([0, 2]))
            custody.keep(flow, node, [(t, 10.0)])
            kept[flow, t] = 10.0
        for move in custody.moves(t, rng.random(5) < 0.7):
            tail, head = links.ends(move.links)
            assert (tail[0], head[-1]) == (move.tail, move.head)
            for sent_s, mb in custody.carry(move, rng.uniform(0.0, 15.0)):
                assert move.head == [4, 3, 1][move.flow]
                arrived[move.flow, sent_s] = arrived.get((move.flow, sent_s), 0.0) + mb
    for key, mb in arrived.items():
        assert mb <= kept[key] + 1e-6
    for flow in range(3):
        total = sum(mb for (f, _), mb in kept.items() if f == flow) - sum(
            mb for (f, _), mb in arrived.items() if f == flow
        )
        assert custody.held_mb()[flow] == pytest.approx(total, abs=1e-6)
