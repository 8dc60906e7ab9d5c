"""Losses on a shell whose planes hang together like a ring, worked out by hand."""

from datetime import UTC, datetime

import numpy as np
import pytest

from sim.network.constellation import Constellation, ShellModel
from sim.network.restoration import connected_after
from sim.network.terminals import TerminalsModel

EPOCH = datetime(2026, 3, 20, 12, tzinfo=UTC)
PLANES, SLOTS = 24, 12
SATELLITES = PLANES * SLOTS
#: Ground points 0 to 3, each linked to two satellites of one plane: 1, 4, 10 and 16.
SEEN_PLANES = (1, 4, 10, 16)
GROUND = np.array([(SLOTS * p + s, SATELLITES + g) for g, p in enumerate(SEEN_PLANES) for s in (2, 3)], np.int32)
PAIRS = SATELLITES + np.array([(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)], np.int32)
TERMINALS = TerminalsModel(sun_exclusion_deg=0.0)


@pytest.fixture(scope="module")
def space():
    model = ShellModel(
        name="a", altitude_km=1200, inclination_deg=60, planes=PLANES, satellites_per_plane=SLOTS, phasing=9
    )
    return Constellation.of_shells([model], EPOCH)


def planes(*lost):
    return np.concatenate([np.arange(SLOTS * p, SLOTS * p + SLOTS, dtype=np.int32) for p in lost])


def shares(space, lost, terminals=TERMINALS, policy="grid"):
    return connected_after(space, terminals, policy, 0.0, SATELLITES + 4, GROUND, PAIRS, np.array(lost))


def test_lost_planes_part_the_ring_until_crosslinks_bridge_them(space):
    lost = [planes(0, 2), planes(3, 13), planes(4, 7), planes(20, 21)]
    at_once, restored = shares(space, lost)
    # 1 | 4 10 16;  4 10 | 16 1;  a point whose satellites are lost has no path again;  all in one arc
    assert at_once == pytest.approx([3 / 6, 2 / 6, 3 / 6, 6 / 6])
    assert restored == pytest.approx([1, 1, 3 / 6, 1])


def test_what_terminals_do_not_reach_stays_parted(space):
    # the grid needs 3,930 km in its planes; over a lost plane partners are up to 4,430 km apart
    near = TERMINALS.model_copy(update={"range_km": 4_000.0})
    at_once, restored = shares(space, [planes(0, 2)], near)
    assert at_once == restored == pytest.approx([3 / 6])


def test_a_policy_that_looks_about_finds_other_ways_too(space):
    at_once, restored = shares(space, [planes(0, 2), planes(4, 7)], policy="nearest")
    assert (restored >= at_once).all()
    assert restored == pytest.approx([1, 3 / 6])
