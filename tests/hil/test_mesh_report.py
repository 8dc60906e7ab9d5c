"""The pages of a mesh: of a record that is made up, with figures that are known beforehand."""

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.path import Path as Outline

from flightsw.errors import ConfigError
from hil.mesh_report import write_report
from hil.mesh_report.animation import animation
from hil.mesh_report.availability import columns
from hil.mesh_report.geography import below, cut, land, tracks
from hil.mesh_report.headline import tiles_of
from hil.mesh_report.labels import beside
from hil.mesh_report.latency import named_pairs
from hil.mesh_report.look import clock
from hil.mesh_report.page import page
from hil.mesh_scenario import MeshScenario
from hil.mesh_summary import summarise
from sim.network.record import (
    EVENT,
    GAP,
    STATES,
    FlowSeries,
    LossCurve,
    MeshRecord,
    Network,
    Resilience,
    Snapshots,
)

R = 7e6
GROUND = {"Quito": (0.0, -78.5), "Libreville": (0.4, 9.4), "Singapore": (1.3, 103.8)}


def at(longitude_deg, latitude_deg, radius=R):
    longitude, latitude = np.radians(longitude_deg), np.radians(latitude_deg)
    return radius * np.stack(
        np.broadcast_arrays(
            np.cos(latitude) * np.cos(longitude), np.cos(latitude) * np.sin(longitude), np.sin(latitude)
        ),
        axis=-1,
    )


def a_scenario(**changes):
    ground = [{"name": n, "kind": "gateway", "latitude_deg": a, "longitude_deg": o} for n, (a, o) in GROUND.items()]
    table = {
        "name": "ring",
        "description": "six satellites",
        "epoch": "2026-03-20T12:00:00Z",
        "duration_s": 600,
        "shells": [{"name": "r", "altitude_km": 622, "inclination_deg": 1, "planes": 1, "satellites_per_plane": 6}],
        "ground": ground,
        "flows": [{"source": "Quito", "destination": "Singapore", "rate_mbps": 100}],
    }
    return MeshScenario.model_validate(table | changes)


def a_record(gateways=3, flows=1, served=True, names=tuple(f"r-{i}" for i in range(6))):
    """Six satellites over the equator, a degree on each snapshot; pairs at 20 ms, then 30 ms, at the end 40 ms."""
    steps, shots, ring = 600, 10, np.arange(6)
    pairs = np.array([(a, b) for a in range(gateways) for b in range(a + 1, gateways)], np.int32)
    latitude, longitude = np.array(list(GROUND.values())[:gateways]).T
    crosslinks = np.column_stack((ring, (ring + 1) % 6)).astype(np.int32)
    network = Network(
        epoch=datetime(2026, 3, 20, 12, tzinfo=UTC),
        satellites=names,
        shell=np.zeros(6, np.int32),
        plane=np.zeros(6, np.int32),
        ground=tuple(GROUND)[:gateways],
        gateway=np.ones(gateways, np.bool_),
        latitude_deg=latitude,
        longitude_deg=longitude,
        ground_position=at(longitude, latitude, 6.378e6),
        crosslinks=crosslinks,
        pairs=pairs,
        fibre_s=0.0147 * (1.0 + np.arange(len(pairs))),
        bound_s=0.01 * (1.0 + np.arange(len(pairs))),
        flows=("Quito - Singapore",) * flows,
        flow_ends=np.array([[6, 6 + gateways - 1]] * flows, np.int32).reshape(-1, 2),
    )
    delay = np.full((steps, len(pairs)), 0.020, np.float32)
    delay[540:], delay[598:] = 0.030, 0.040
    state = np.full((shots, 6), 2, np.uint8)
    state[0], state[5, 2], state[7, 5] = 1, 3, 0
    if not served:
        delay[:], state[:] = np.nan, 1
    path = np.array([6, 0, 1, 2, 6 + gateways - 1] if served else [], np.int32)
    gaps = np.zeros(2 if served else 0, GAP)
    if served:
        gaps["of"], gaps["start_s"], gaps["length_s"], gaps["cause"], gaps["over"] = 0, (0, 100), (4, 6), (0, 1), True
    flow = np.full((steps, flows), 100.0, np.float32)
    nothing = np.zeros_like(flow)
    events = np.array([(0.0, 2, 0, 1, 7), (5.0, 2, 1, 2, 9), (300.0, 2, 2, 3, 5)], EVENT)
    share = np.arange(4) / 6
    return MeshRecord(
        network=network,
        t_s=np.arange(float(steps)),
        delay_s=delay,
        ideal_delay_s=delay * np.float32(0.9),
        gaps=gaps,
        states=np.repeat(
            np.array([np.bincount(row, minlength=len(STATES)) for row in state], np.int32), steps // shots, axis=0
        ),
        availability=np.array([1.0, 1.0, 0.9, 1.0, 1.0, 1.0]) if served else np.full(6, np.nan),
        events=events if served else events[:1],
        flows=FlowSeries(
            delay_s=np.full_like(flow, 0.025 if served else np.nan),
            sent_mb=flow,
            delivered_mb=0.75 * flow if served else nothing,
            lost_mb=0.25 * flow if served else nothing,
            queued_mb=nothing,
            custody_mb=nothing if served else np.cumsum(flow, axis=0, dtype=np.float32),
        ),
        flow_gaps=np.zeros(0, GAP),
        snapshots=Snapshots(
            t_s=60.0 * np.arange(shots),
            position=at(60.0 * ring + np.arange(shots)[:, np.newaxis], 0.0).astype(np.float32),
            alive=np.ones((shots, 6), np.bool_),
            ground_up=np.ones((shots, gateways), np.bool_),
            state=state,
            ground_links=(np.zeros((0, 2), np.int32),) * shots,
            routes=((path,) * flows,) * shots,
            disjoint=np.full((shots, flows), 2, np.int32),
            articulation=(np.zeros(0, np.int32),) * shots,
            components=np.ones(shots, np.int32),
        ),
        resilience=Resilience(
            t_s=np.array([300.0]),
            disjoint=np.full((1, len(pairs)), 2, np.int32),
            cut=(np.array([1, 4], np.int32),) * flows,
            connectivity=np.array([2], np.int32),
            parted=np.zeros((1, 6), np.int32),
            parted_ground=np.zeros((1, gateways), np.int32),
            recovery_s=np.array([[0.123, np.nan, 0.045, np.nan, np.nan, np.nan]]),
            curves=(
                LossCurve("random", share, np.column_stack((1.0 - share, 0.9 - share**2)), np.array([0.97, 0.98])),
            ),
        ),
    )


class Page(HTMLParser):
    """Headings, cells, tiles and links of a page, and what its scripts hold."""

    def __init__(self, html):
        super().__init__()
        self.headings, self.cells, self.words, self.loads, self.scripts, self.inside = [], [], [], [], [], ("", {})
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.inside = tag, dict(attrs)
        self.loads += [v for k, v in attrs if k in ("src", "href", "xlink:href") and v and v[0] != "#"]

    def handle_endtag(self, tag):
        self.inside = "", {}

    def handle_data(self, data):
        tag, attributes = self.inside
        self.words.append(data.strip())
        if tag in ("h1", "h2"):
            self.headings.append(data.strip())
        if tag == "td":
            self.cells.append(data)
        if tag == "script":
            self.scripts.append((attributes.get("id"), data))


def test_the_page_is_self_contained_and_has_every_section(tmp_path):
    scenario, record = a_scenario(), a_record()
    path = write_report(tmp_path, record, summarise(scenario, record, 1.0), scenario)
    html = path.read_text()
    found = Page(html)
    assert path.name == "report.html" and (tmp_path / "animation.html").is_file()
    assert found.headings == [
        "ring", "Map", "Delay over time", "Delay by distance", "Against ideal links", "Availability", "Recovery",
        "Crosslinks", "Resilience", "Flows",
    ]  # fmt: skip
    # images inside of the figures are part of the page
    assert [link for link in found.loads if not link.startswith("data:")] == ["animation.html"]
    assert "<script" not in html and "@import" not in html and html.count("<svg") == 9
    cells = "|".join(found.cells)
    # least, median, 99 % over the run, over ideal links, fibre, vacuum; 596 s after the start, 6 of them without
    assert f"Quito - Singapore|20.00|20.00|30.00|18.00|29.40|20.00|{100.0:.3f}" in cells
    assert "Quito - Singapore|4|25.00|25.00|25.00|0.000|75.0|25.000|0|0|100.000" in cells
    assert "Quito - Libreville|100.00|6|no path|over" in cells
    # 5 % of six satellites is none
    assert "at random|95.00 %|90.00 %|97.00 %" in cells
    assert "r-0|0|123 ms|r-2|0|45 ms" in cells and "Quito - Singapore|2|r-1, r-4" in cells


def test_the_tiles_are_those_of_the_summary():
    scenario, record = a_scenario(), a_record()
    summary = summarise(scenario, record, 1.0)
    tiles = {label: (value, unit, remark) for label, value, unit, remark in tiles_of(record, summary)}
    least = 100.0 * (1.0 - 6.0 / 596.0)
    assert tiles["satellites"] == ("6", "", "3 gateways, 3 pairs")
    assert tiles["availability"] == (f"{(200.0 + least) / 3.0:.3f}", "%", f"mean of all pairs; least {least:.3f} %")
    assert tiles["Quito - Singapore"] == ("20.0", "ms", "one way, median; fibre 29.4, vacuum 20.0 ms")
    assert tiles["longest recovery"][:2] == ("6.0", "s") and tiles["all served after"][0] == "4.0"
    # after the start of 4 s acquiring until 60 s, one of six out for another 60 s, one not assigned for 60 s
    assert tiles["crosslinks up"][0] == f"{100.0 * (6 * 540 - 60 - 60) / (6 * 596 - 60):.2f}"


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (a_record(gateways=2, flows=0), {"no flow", "After its start the network served"}),
        (a_record(served=False), {"None of Quito - Singapore had a path", "no delay to show", "none came up"}),
    ],
)
def test_what_there_is_nothing_of_is_said_in_words(record, said):
    if len(record.network.pairs) == 1:
        record = replace(record, gaps=record.gaps[:0])
    scenario = a_scenario(flows=a_scenario().flows[: len(record.network.flows)])
    html = page(record, summarise(scenario, record, 1.0), scenario)
    words = " ".join(Page(html).words)
    assert {text for text in said if text not in words} == set()
    assert ("Flows" in Page(html).headings) == bool(record.network.flows) and "nan" not in words.split()


def test_a_folder_that_is_not_there_is_named(tmp_path):
    scenario, record = a_scenario(), a_record()
    with pytest.raises(ConfigError, match="nowhere: expected a folder that can be written"):
        write_report(tmp_path / "nowhere", record, summarise(scenario, record, 1.0), scenario)


def test_delays_are_shown_of_pairs_with_flows_either_way_round():
    record = a_record()
    network = replace(record.network, flow_ends=np.array([[3, 4], [8, 7]], np.int32), flows=("r-3 - r-4", "back"))
    assert list(named_pairs(replace(record, network=network))) == [2]
    without = replace(network, flow_ends=np.zeros((0, 2), np.int32), flows=())
    assert list(named_pairs(replace(record, network=without))) == [0, 1, 2]


# ---- the map


def test_places_below_are_longitude_and_latitude():
    longitude, latitude = np.array([0.0, 90.0, -170.0, 45.0]), np.array([0.0, 30.0, -60.0, 89.0])
    assert below(at(longitude, latitude)) == pytest.approx(np.column_stack((longitude, latitude)))


def test_a_track_across_the_date_line_goes_out_at_one_edge_and_comes_in_at_the_other():
    start, end = (160.0, 50.0), (-170.0, 30.0)
    line = tracks(at(*start)[np.newaxis], at(*end)[np.newaxis])
    gap = np.flatnonzero(np.isnan(line[:-1, 0]))
    assert len(gap) == 1 and np.isnan(line[-1]).all()
    out, back = line[gap[0] - 1], line[gap[0] + 1]
    # where the great circle crosses 180 degrees: 20 degrees on from the start, of 30
    west, east = np.tan(np.radians([start[1], end[1]]))
    latitude = np.degrees(np.arctan((west * np.sin(np.radians(10)) + east * np.sin(np.radians(20))) / 0.5))
    assert out == pytest.approx([180.0, latitude], abs=0.05) and back == pytest.approx([-180.0, latitude], abs=0.05)
    assert np.all(np.diff(line[: gap[0], 0]) > 0.0) and np.all(np.diff(line[gap[0] + 1 : -1, 0]) > 0.0)
    assert line[0] == pytest.approx(start) and line[-2] == pytest.approx(end)


def test_a_line_half_of_which_lies_beyond_the_date_line_is_cut_in_its_middle():
    west = cut(np.array([[[170.0, 0.0], [-170.0, 10.0]]]))
    east = cut(np.array([[[-170.0, 10.0], [170.0, 0.0]]]))
    nan = [np.nan, np.nan]
    np.testing.assert_allclose(west, [[170, 0], [180, 5], nan, [-180, 5], [-170, 10], nan])
    np.testing.assert_allclose(east, [[-170, 10], [-180, 5], nan, [180, 5], [170, 0], nan])


@given(st.lists(st.tuples(st.floats(-180, 180), st.floats(-89, 89)), min_size=4, max_size=4))
def test_no_track_jumps_across_the_map(ends):
    a, b = at(*np.array(ends[:2]).T), at(*np.array(ends[2:]).T)
    line = tracks(a, b)
    jump = np.abs(np.diff(line[:, 0]))
    assert not np.any(jump > 180.0) and not np.any(np.abs(line[:, 0]) > 180.0 + 1e-9)
    assert np.count_nonzero(np.isnan(line[:, 0])) >= 2


def test_land_is_where_land_is():
    outlines = [Outline(outline) for outline in land()]

    def is_land(longitude, latitude):
        return any(outline.contains_point((longitude, latitude)) for outline in outlines)

    dry = [(-3.7, 40.4), (37.6, 55.8), (36.8, -1.3), (-90, 42), (-48, -15.8), (77, 28.6), (116, 40), (134, -24),
           (-42, 72), (138.5, 36), (47, -19), (175.5, -39), (0, -80), (-112, 34), (90, 60)]  # fmt: skip
    wet = [(0, 0), (-150, 0), (80, -20), (-40, 30), (18, 36), (-90, 25), (34, 43), (150, 30), (-20, -60), (65, 15),
           (0, 75), (-60, 60)]  # fmt: skip
    assert [place for place in dry if not is_land(*place)] == []
    assert [place for place in wet if is_land(*place)] == []
    points = np.concatenate(land())
    assert np.abs(points).max(axis=0) == pytest.approx([180.0, 90.0])


def test_names_of_neighbours_stand_on_either_side_and_stay_on_the_map():
    names = ["Chicago", "New York", "Auckland"]
    sides = [side for side, _, _ in beside(names, np.array([[-87.6, 41.9], [-74.0, 40.7], [174.8, -36.9]]))]
    assert sides == ["right", "left", "right"]
    assert beside(["Lagos"], np.array([[3.4, 6.5]]))[0][0] == "left"


def test_columns_of_a_picture_keep_means_and_short_interruptions():
    values = np.ones((90_000, 2), np.float32)
    values[:50_000, 0] = 3.0
    values[100:103, 1] = np.nan
    mean, missing = columns(values)
    assert mean.shape == missing.shape == (900, 2)
    assert mean[:500, 0] == pytest.approx(3.0) and mean[500:, 0] == pytest.approx(1.0)
    assert missing[1, 1] == pytest.approx(0.03) and np.count_nonzero(missing) == 1 and mean[1, 1] == 1.0
    few, none = columns(np.full((5, 1), np.nan))
    assert len(few) == 5 and np.isnan(few).all() and (none == 1.0).all()


def test_clock_times():
    assert [clock(t) for t in (0.0, 59.6, 3723.0, 86_400.0)] == ["0:00:00", "0:01:00", "1:02:03", "24:00:00"]


# ---- the animation


def held(html):
    return json.loads(dict(Page(html).scripts)["data"])


def values(text, kind, *shape):
    return np.frombuffer(base64.b64decode(text), kind).reshape(shape)


def test_the_animation_holds_the_record():
    record = a_record()
    html = animation(record, a_scenario())
    data, snapshots = held(html), record.snapshots
    assert Page(html).loads == [] and "http" not in html and "__DATA__" not in html
    # half a unit is what rounding leaves, 7,000 km in 32,767 units
    assert data["unit_m"] == pytest.approx(R / 32_767)
    position = values(data["position"], "<i2", 10, 6, 3) * data["unit_m"]
    assert np.abs(position - snapshots.position).max() <= 0.5 * data["unit_m"] + 1.0
    ground = values(data["ground"], "<i2", 3, 3) * data["unit_m"]
    assert np.abs(ground - record.network.ground_position).max() <= 0.5 * data["unit_m"] + 1.0
    assert np.array_equal(values(data["state"], "u1", 10, 6), snapshots.state)
    assert np.array_equal(values(data["crosslinks"], "<i4", 6, 2), record.network.crosslinks)
    assert values(data["alive"], "u1", 10, 6).all() and values(data["up"], "u1", 10, 3).all()
    assert values(data["delay_s"], "<f4", 10, 1) == pytest.approx(0.025)
    assert data["routes"] == [[[6, 0, 1, 2, 8]]] * 10 and data["t_s"] == [60.0 * q for q in range(10)]
    assert data["epoch"] == 1_774_008_000 and data["points"] == list(GROUND)


def test_a_name_cannot_end_the_script():
    names = ("</script><b>", *(f"r-{i}" for i in range(1, 6)))
    html = animation(a_record(names=names), a_scenario())
    assert held(html)["satellites"] == list(names) and "</script><b>" not in html


def test_a_day_of_a_large_shell_stays_below_5_mb():
    record, shots, satellites, crosslinks = a_record(), 1440, 1584, 3168
    network = replace(
        record.network,
        satellites=tuple(f"shell-{i // 22:02d}-{i % 22:02d}" for i in range(satellites)),
        crosslinks=np.zeros((crosslinks, 2), np.int32),
    )
    snapshots = replace(
        record.snapshots,
        t_s=60.0 * np.arange(shots),
        position=np.broadcast_to(np.float32(R), (shots, satellites, 3)),
        alive=np.broadcast_to(True, (shots, satellites)),
        ground_up=np.broadcast_to(True, (shots, 3)),
        state=np.broadcast_to(np.uint8(2), (shots, crosslinks)),
        routes=record.snapshots.routes * (shots // 10),
    )
    long = replace(record, network=network, snapshots=snapshots, t_s=144.0 * np.arange(600.0))
    html = animation(long, a_scenario())
    data = held(html)
    step_s = data["t_s"][1] - data["t_s"][0]
    assert 3_000_000 < len(html) < 5_000_000
    assert len(values(data["state"], "u1", -1, crosslinks)) == len(data["t_s"]) == len(data["routes"])
    assert data["t_s"] == [step_s * q for q in range(len(data["t_s"]))] and data["t_s"][-1] > 86_400 - 60 - step_s
