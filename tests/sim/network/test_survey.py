"""What losses would do, on a ring of satellites where each answer can be counted."""

import math

import numpy as np
import pytest

from sim.network.mesh import RoutingModel
from sim.network.survey import Picture, recovery_times, survey

SATELLITES = 12
HOP_S = 0.01
UP_S = 0.004


class Plain:
    """As much of a mesh as a survey looks at: one plane of satellites, three ground points."""

    plane = np.zeros(SATELLITES, np.int32)
    shell = np.zeros(SATELLITES, np.int32)
    policy = "demand"

    def __init__(self, routing: RoutingModel) -> None:
        self.routing, self.constellation, self.points = routing, self, (0, 1, 2)

    def __len__(self) -> int:
        return SATELLITES


def ring() -> Picture:
    """Points 0 and 1 see two satellites each, a quarter of the ring apart; point 2 sees one."""
    a = np.arange(SATELLITES)
    ground = np.array([(7, 0), (8, 0), (10, 1), (11, 1), (1, 2)])
    tail = np.concatenate((a, ground[:, 0])).astype(np.int32)
    head = np.concatenate(((a + 1) % SATELLITES, SATELLITES + ground[:, 1])).astype(np.int32)
    delay = np.concatenate((np.full(SATELLITES, HOP_S), np.full(len(ground), UP_S)))
    return Picture(0.0, tail, head, delay)


PAIRS = np.array([(0, 1), (0, 2), (1, 2)], np.int32)


def test_losses_on_a_ring_are_counted():
    mesh = Plain(RoutingModel(kind="precomputed", recompute_s=7))
    ends = np.array([(SATELLITES, SATELLITES + 1)], np.int32)
    found = survey([ring()], mesh, PAIRS, ends, np.random.SeedSequence(1))
    assert found.disjoint.tolist() == [[2, 1, 1]]
    assert found.connectivity.tolist() == [2]
    (cut,) = found.cut
    assert len(cut) == 2
    # satellite 1 alone sees point 2, and parts both of its pairs
    assert found.parted[0].tolist() == [2 if s == 1 else 0 for s in range(SATELLITES)]
    assert found.parted_ground.max() == 0
    used = {8, 9, 10, 11, 0, 1}
    assert [s for s in range(SATELLITES) if found.recovery_s[0, s] == 7] == sorted(used)
    curves = {curve.kind: curve.connected for curve in found.curves}
    assert set(curves) == {"random", "planes", "central"}
    assert all(curve.restored.size == 0 for curve in found.curves)
    assert all(curve[0].tolist() == [1.0] * curve.shape[1] for curve in curves.values())
    # each of the six carries two of the three ways: without 0 the other half of the ring is left, without 1 no way to 2
    assert curves["central"][:3, 0].tolist() == pytest.approx([1.0, 1.0, 1 / 3])
    assert curves["random"][6].mean() < curves["random"][1].mean() <= 1.0


def test_recovery_waits_for_the_news_of_both_breaks():
    routing = RoutingModel(kind="link_state", detection_s=0.05, processing_ms=2)
    nodes = SATELLITES + PAIRS[:1]
    recovery = recovery_times(ring(), SATELLITES + 3, SATELLITES, nodes, routing)
    # from point 0 over 8, 9 and 10: satellite 8 tells of the one link itself, 10 of the other over nine satellites
    far = 0.05 + 9 * (HOP_S + 0.002) + UP_S + 0.002
    assert recovery[9] == pytest.approx(far)
    assert {s for s in range(SATELLITES) if not math.isnan(recovery[s])} == {8, 9, 10}
