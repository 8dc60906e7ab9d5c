"""The mesh over time: against a ring's closed form, a simulation of ideal links, and losses worked out by hand."""

import dataclasses
import math
from datetime import UTC, datetime

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.constants import speed_of_light
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra
from sgp4.api import jday
from sgp4.propagation import gstime

from flightsw.errors import ConfigError
from sim.network.acquisition import AcquisitionTimes
from sim.network.constellation import Constellation, ShellModel
from sim.network.failures import GatewaysLost, SatellitesLost
from sim.network.ground import CloudsModel, GroundPointModel
from sim.network.mesh import GatewaysModel, Mesh, RoutingModel
from sim.network.record import GAP_CAUSES
from sim.network.simulation import simulate
from sim.network.terminals import TerminalsModel
from sim.network.traffic import FlowModel

EPOCH = datetime(2026, 3, 20, 12, tzinfo=UTC)
EQUATOR = 6_378_137.0
RADIUS = EQUATOR + 1_000e3
MU = 3.986_004_418e14
#: Terminals that only Earth stops.
WIDE = TerminalsModel(
    field_of_regard_deg=180,
    elevation_deg=(-90, 90),
    range_km=50_000,
    turn_mrad_s=1e3,
    clearance_km=50,
    sun_exclusion_deg=0,
)


class Ring(Constellation):
    """Satellites evenly on a circle above the equator, to the digit."""

    def __init__(self, satellites: int) -> None:
        shell = ShellModel(name="ring", altitude_km=1_000, inclination_deg=0, planes=1, satellites_per_plane=satellites)
        like = Constellation.of_shells([shell], EPOCH)
        super().__init__(like.names, [like.tle(i) for i in range(satellites)], EPOCH, [shell])

    def states(self, t_s: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        rate = math.sqrt(MU / RADIUS**3)
        angle = 2 * np.pi * np.arange(len(self)) / len(self) + rate * np.asarray(t_s)[:, np.newaxis]
        zero = np.zeros_like(angle)
        position = RADIUS * np.stack((np.cos(angle), np.sin(angle), zero), axis=2)
        return position, RADIUS * rate * np.stack((-np.sin(angle), np.cos(angle), zero), axis=2)


def point(name: str, latitude: float, longitude: float, elevation: float = 10.0) -> GroundPointModel:
    return GroundPointModel(
        name=name,
        latitude_deg=latitude,
        longitude_deg=longitude,
        kind="gateway",
        minimum_elevation_deg=elevation,
    )


def mesh(constellation: Constellation, points: list[GroundPointModel], **changes: object) -> Mesh:
    plain = Mesh(
        constellation=constellation,
        points=points,
        terminals=WIDE,
        policy="grid",
        replan_s=60.0,
        acquisition=AcquisitionTimes.zero(),
        line_rate=lambda range_m: np.full(len(range_m), 10e9),
        clouds=None,
        routing=RoutingModel(),
        flows=(),
        gateways=GatewaysModel(),
        failures=(),
        duration_s=120.0,
        step_s=10.0,
        seed=1,
    )
    return dataclasses.replace(plain, **changes)


def on_ring(t_s: float, longitudes: list[float], satellites: int) -> list[list[tuple[int, float]]]:
    """Of each point on the equator: the satellites above 10 deg with their distance, from plane triangles."""
    sidereal = gstime(sum(jday(2026, 3, 20, 12, 0, 0)) + t_s / 86_400)
    found = []
    for longitude in longitudes:
        seen = []
        for s in range(satellites):
            apart = 2 * np.pi * s / satellites + math.sqrt(MU / RADIUS**3) * t_s - sidereal - math.radians(longitude)
            up, along = RADIUS * math.cos(apart) - EQUATOR, RADIUS * math.sin(apart)
            if math.degrees(math.atan2(up, abs(along))) >= 10.0:
                seen.append((s, math.hypot(up, along)))
        found.append(seen)
    return found


CITIES = [point("west", 0, 0), point("east", 0, 100)]


def test_the_latency_of_a_ring_is_that_of_its_chords():
    record = simulate(mesh(Ring(20), CITIES))
    chord = 2 * RADIUS * math.sin(math.pi / 20)
    for t_s, (delay,) in zip(record.t_s, record.delay_s, strict=True):
        west, east = on_ring(t_s, [0.0, 100.0], 20)
        paths = [up + min((i - j) % 20, (j - i) % 20) * chord + down for i, up in west for j, down in east]
        assert delay == pytest.approx(min(paths) / speed_of_light, rel=1e-6)


def test_zero_acquisition_equals_a_simulation_of_ideal_links():
    shell = ShellModel(name="d", altitude_km=1_150, inclination_deg=50, planes=8, satellites_per_plane=9, phasing=4)
    points = [point("a", 51.5, 0.0), point("b", -26.2, 28.0), point("c", 1.3, 103.8)]
    constellation = Constellation.of_shells([shell], EPOCH)
    record = simulate(mesh(constellation, points, duration_s=600.0, step_s=60.0))
    assert np.array_equal(record.delay_s, record.ideal_delay_s, equal_nan=True)
    assert not len(record.gaps)

    position, _ = constellation.states(record.t_s)
    a, b = record.network.crosslinks.T
    assert len(a) == 2 * 72
    sources = []
    for k, t_s in enumerate(record.t_s):
        start, end = position[k, a], position[k, b]
        share = np.linspace(0, 1, 1001)[:, np.newaxis, np.newaxis]
        lowest = np.linalg.norm(start + share * (end - start), axis=2).min(axis=0)
        clear = lowest >= EQUATOR + 50e3
        sidereal = gstime(sum(jday(2026, 3, 20, 12, 0, 0)) + t_s / 86_400)
        tail, head, length = [*a[clear]], [*b[clear]], [*np.linalg.norm(end - start, axis=1)[clear]]
        for g, where in enumerate(points):
            latitude, longitude = math.radians(where.latitude_deg), math.radians(where.longitude_deg) + sidereal
            up = np.array(
                [math.cos(latitude) * math.cos(longitude), math.cos(latitude) * math.sin(longitude), math.sin(latitude)]
            )
            # the ellipsoid's normal, and a point on it
            flat = np.array([1.0, 1.0, (1 - 1 / 298.257_223_563) ** 2])
            ground = EQUATOR * up * flat / math.sqrt(float(up @ (flat * up)))
            sight = position[k] - ground
            distance = np.linalg.norm(sight, axis=1)
            seen = sight @ up >= math.sin(math.radians(10)) * distance
            head += [72 + g] * int(seen.sum())
            tail += np.flatnonzero(seen).tolist()
            length += distance[seen].tolist()
        graph = csr_array((length, (tail, head)), shape=(75, 75))
        sources.append(dijkstra(graph, directed=False, indices=[72, 73]) / speed_of_light)
    expected = np.array([(of[0, 73], of[0, 74], of[1, 74]) for of in sources])
    assert record.delay_s == pytest.approx(expected, rel=1e-6)


def test_crosslinks_that_take_time_are_not_there_at_once():
    slow = simulate(mesh(Ring(20), CITIES, acquisition=AcquisitionTimes([30.0]), step_s=1.0, duration_s=60.0))
    (start,) = slow.gaps
    assert GAP_CAUSES[start["cause"]] == "start" and start["over"]
    # every terminal looks along its track, 9 deg above its neighbours, and slews at 5 deg/s
    assert start["length_s"] == pytest.approx(30 + 9 / 5, abs=1.0)
    assert np.isfinite(slow.ideal_delay_s).all()


def on_the_way() -> str:
    """A satellite in the middle of the way from west to east at 30 s."""
    west, east = on_ring(30.0, [0.0, 100.0], 20)
    last = max(west, key=lambda seen: (seen[0] + 10) % 20)[0]
    first = min(east, key=lambda seen: (seen[0] + 10) % 20)[0]
    return f"ring-00-{(last + ((first - last) % 20) // 2) % 20:02d}"


def lost(routing: RoutingModel, custody: bool = False):
    """A flow over a ring of which a satellite on the way fails at 30 s; the rest of the ring leads there as well."""
    flow = FlowModel(source="west", destination="east", rate_mbps=100, custody=custody)
    failure = SatellitesLost(kind="satellites", names=[on_the_way()], at_s=30)
    return simulate(
        mesh(Ring(20), CITIES, routing=routing, flows=[flow], failures=[failure], step_s=1.0, duration_s=60.0)
    )


def test_a_precomputed_route_recovers_when_the_loss_is_known():
    record = lost(RoutingModel(kind="precomputed", recompute_s=5))
    (gap,) = record.gaps
    assert (gap["start_s"], gap["length_s"], GAP_CAUSES[gap["cause"]]) == (30, 5, "stale route")
    assert record.flows.lost_mb.sum() == pytest.approx(5 * 100)
    assert record.flows.delivered_mb.sum() == pytest.approx(55 * 100)
    # the other way round the ring is longer
    assert record.delay_s[-1, 0] > 1.5 * record.delay_s[0, 0]


def test_news_of_a_loss_travel_at_the_speed_of_light():
    record = lost(RoutingModel(kind="link_state", detection_s=0.05, processing_ms=10))
    (gap,) = record.gaps
    west, _ = on_ring(30.0, [0.0, 100.0], 20)
    chord = 2 * RADIUS * math.sin(math.pi / 20)
    failed = int(on_the_way()[-2:])
    # two links of the route are down: one neighbour's news come straight, the other's the long way round the ring;
    # every satellite on the way takes its time, and the source too
    straight = min((d + h * chord) / speed_of_light + 0.01 * (h + 1) for s, d in west for h in [(failed - 1 - s) % 20])
    round_it = min((d + h * chord) / speed_of_light + 0.01 * (h + 1) for s, d in west for h in [(s - failed - 1) % 20])
    assert straight < round_it
    assert gap["length_s"] == pytest.approx(0.05 + round_it, rel=1e-5)


def test_the_next_plan_bridges_a_lost_satellite():
    failure = SatellitesLost(kind="satellites", names=[on_the_way()], at_s=30)
    record = simulate(mesh(Ring(20), CITIES, failures=[failure], step_s=10.0, duration_s=120.0))
    failed = int(on_the_way()[-2:])
    left = [s for s in range(20) if s != failed]
    chord, bridge = (2 * RADIUS * math.sin(part * math.pi / 20) for part in (1, 2))
    for k in range(6, 12):
        paths = []
        for i, up in on_ring(record.t_s[k], [0.0, 100.0], 20)[0]:
            for j, down in on_ring(record.t_s[k], [0.0, 100.0], 20)[1]:
                if failed not in (i, j):
                    # over the satellites that are left, one hop of which is the bridge
                    forward = range(left.index(i), left.index(i) + (left.index(j) - left.index(i)) % 19)
                    bridged = any((left[h % 19] + 1) % 20 == failed for h in forward)
                    paths.append(up + len(forward) * chord + bridged * (bridge - chord) + down)
        assert record.delay_s[k, 0] == pytest.approx(min(paths) / speed_of_light, rel=1e-6)
    assert record.delay_s[5, 0] > 1.5 * record.delay_s[6, 0]


def test_custody_loses_nothing():
    record = lost(RoutingModel(kind="precomputed", recompute_s=5), custody=True)
    flows = record.flows
    assert flows.lost_mb.sum() == 0
    assert flows.delivered_mb.sum() + flows.queued_mb[-1] + flows.custody_mb[-1] == pytest.approx(60 * 100)


def test_one_satellite_carries_data_from_sight_to_sight():
    """Store and forward: what one point sends up, the satellite holds until it sees the other."""
    flow = FlowModel(source="west", destination="east", rate_mbps=10, custody=True)
    record = simulate(mesh(Ring(1), CITIES, flows=[flow], duration_s=7_000.0, step_s=10.0))
    # with the terminals of one satellite there is never a path
    assert np.isnan(record.delay_s).all()
    sees = [[bool(seen) for seen in on_ring(t, [0.0, 100.0], 1)] for t in record.t_s]
    up, down = (np.flatnonzero([row[i] for row in sees]) for i in range(2))
    first = down[down > up[0]][0]
    delivered = np.flatnonzero(record.flows.delivered_mb[:, 0])
    assert delivered[0] == pytest.approx(first, abs=1)
    assert record.flows.lost_mb.sum() == 0
    assert record.flows.delay_s[delivered[0], 0] > 600


def test_a_lost_gateway_takes_its_own_pairs_and_no_others():
    points = [*CITIES, point("south", -5, 50)]
    failure = GatewaysLost(kind="gateways", names=["east"], at_s=30, until_s=60)
    record = simulate(mesh(Ring(20), points, failures=[failure], step_s=1.0, duration_s=90.0))
    out = np.isnan(record.delay_s)
    pairs = [tuple(record.network.ground[g] for g in pair) for pair in record.network.pairs]
    for p, pair in enumerate(pairs):
        assert out[30:60, p].all() == ("east" in pair)
        assert not out[:30, p].any() and not out[61:, p].any()
    assert record.resilience.parted_ground.max() == 0


def test_a_lost_satellite_has_no_ground_links():
    seen = [s for s, _ in on_ring(30.0, [0.0], 20)[0]]
    names = [f"ring-00-{s:02d}" for s in seen[1:]]
    failure = SatellitesLost(kind="satellites", names=names, at_s=30)
    record = simulate(mesh(Ring(20), CITIES, failures=[failure], step_s=1.0, duration_s=60.0))
    before, after = (now[now[:, 0] == 0, 1] for now in (record.snapshots.ground_links[k] for k in (29, 31)))
    assert set(before) == set(seen) and set(after) == {seen[0]}


def test_satellites_in_sight_change_as_foreseen_and_cost_nothing():
    record = simulate(mesh(Ring(20), CITIES, step_s=1.0, duration_s=600.0))
    routes = {tuple(of_flow) for of_flow in map(bytes, record.snapshots.state)}
    assert len(record.gaps) == 0 and len(routes) == 1
    links = {tuple(map(tuple, now)) for now in record.snapshots.ground_links}
    assert len(links) > 2


def test_limited_links_keep_their_satellite_until_it_sets():
    one = [point.model_copy(update={"links": 1}) for point in CITIES]
    record = simulate(mesh(Ring(20), one, step_s=10.0, duration_s=600.0))
    for now, t_s in zip(record.snapshots.ground_links, record.snapshots.t_s, strict=True):
        assert sorted(now[:, 0]) == [0, 1]
        for g, satellite in now:
            assert satellite in [s for s, _ in on_ring(t_s, [0.0, 100.0], 20)[g]]
    held = [now[now[:, 0] == 0][0, 1] for now in record.snapshots.ground_links]
    # a satellite is in sight for 12 of the minutes of an orbit of 105; one that was left is not taken again
    assert len(set(held)) == 1 + np.count_nonzero(np.diff(held))


def test_clouds_and_chance_repeat_with_the_seed():
    cloudy = mesh(Ring(20), CITIES, clouds=CloudsModel(share=0.3, mean_s=60), step_s=1.0)
    one, again, other = (simulate(dataclasses.replace(cloudy, seed=seed)) for seed in (1, 1, 2))
    assert np.array_equal(one.delay_s, again.delay_s, equal_nan=True)
    assert not np.array_equal(one.delay_s, other.delay_s, equal_nan=True)
    assert np.isnan(one.delay_s).any() and len(one.gaps)


def test_paths_over_a_shell_beat_fibre_where_it_is_long():
    shell = ShellModel(name="s", altitude_km=550, inclination_deg=53, planes=72, satellites_per_plane=22, phasing=39)
    points = [
        point("New York", 40.71, -74.01, 25),
        point("London", 51.51, -0.13, 25),
        point("Johannesburg", -26.20, 28.05, 25),
        point("Singapore", 1.35, 103.82, 25),
        point("Paris", 48.86, 2.35, 25),
    ]
    record = simulate(
        mesh(
            Constellation.of_shells([shell], EPOCH), points, terminals=TerminalsModel(), duration_s=1200.0, step_s=60.0
        )
    )
    names = [tuple(points[g].name for g in pair) for pair in record.network.pairs]
    round_trip = dict(zip(names, 2e3 * np.median(record.delay_s, axis=0), strict=True))
    fibre = dict(zip(names, 2e3 * record.network.fibre_s, strict=True))
    assert (record.delay_s > record.network.bound_s).all()
    for pair in (("New York", "London"), ("London", "Singapore"), ("London", "Johannesburg")):
        assert round_trip[pair] < fibre[pair]
    assert round_trip["London", "Paris"] > fibre["London", "Paris"]
    # Handley, "Delay is not an option" (HotNets 2018): 55 ms in great-circle fibre, and less over a dense shell
    assert fibre["New York", "London"] == pytest.approx(55, abs=1)
    assert 38 < round_trip["New York", "London"] < 50


def test_bad_input_is_named():
    far = [point("west", 0, 0), point("north", 80, 0), point("pole", 90, 0)]
    with pytest.raises(ConfigError, match=r"2 of 3 that never do: north \(80 deg\), pole \(90 deg\)"):
        simulate(mesh(Ring(20), far))
    flow = FlowModel(source="west", destination="Atlantis", rate_mbps=1)
    with pytest.raises(ConfigError, match="1 unknown: Atlantis; satellites are called like ring-00-00"):
        simulate(mesh(Ring(20), CITIES, flows=[flow]))
