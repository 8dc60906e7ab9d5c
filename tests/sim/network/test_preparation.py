"""The plan of crosslinks: from when on it knows of a loss."""

from datetime import UTC, datetime

import numpy as np

from sim.network.acquisition import AcquisitionTimes
from sim.network.constellation import Constellation, ShellModel
from sim.network.failures import Failures, SatellitesLost
from sim.network.mesh import GatewaysModel, Mesh, RoutingModel
from sim.network.preparation import crosslink_plan
from sim.network.terminals import TerminalsModel

EPOCH = datetime(2026, 3, 20, 12, tzinfo=UTC)
#: From and until when: one is over 120 s; one becomes known too late for 240 s, and its end too late for 300 s.
LOSSES = [(61.0, 130.0), (236.0, 300.0)]


def test_the_plan_does_without_a_satellite_once_its_loss_is_known():
    shell = ShellModel(name="a", altitude_km=550, inclination_deg=53, planes=3, satellites_per_plane=22)
    space = Constellation.of_shells([shell], EPOCH)
    lost = [SatellitesLost(kind="satellites", names=["a-00-05"], at_s=at, until_s=until) for at, until in LOSSES]
    mesh = Mesh(
        constellation=space,
        points=[],
        terminals=TerminalsModel(),
        policy="grid",
        replan_s=60.0,
        acquisition=AcquisitionTimes.zero(),
        line_rate=lambda range_m: range_m,
        clouds=None,
        routing=RoutingModel(recompute_s=5.0),
        flows=[],
        gateways=GatewaysModel(),
        failures=lost,
        duration_s=480.0,
        step_s=1.0,
        seed=1,
    )
    ends = np.zeros((0, 2), np.int32)
    planned = crosslink_plan(mesh, ends, Failures(lost, space, [], np.random.default_rng(1)))
    wanted = [{tuple(pair) for pair in planned.pairs[row].tolist()} for row in planned.wanted]
    assert [(4, 5) in links for links in wanted] == [True, True, False, True, True, False, True, True]
    assert [(4, 6) in links for links in wanted] == [False, False, True, False, False, True, False, False]
