"""`beamlock mesh` from scenario to files."""

import json
from pathlib import Path

import numpy as np
import pyarrow
import pytest
from pyarrow import parquet
from sgp4.api import Satrec

from flightsw.errors import ConfigError
from hil.cli import main
from hil.failed_run import as_toml
from hil.mesh import MeshRun, build, run_mesh
from hil.mesh_link import link_scenario
from hil.mesh_scenario import MeshScenario, load, shipped
from hil.mesh_tables import read_acquisition_times
from hil.scenario import load as load_run_scenario
from sim.network.simulation import simulate


def changed(name: str = "small_72", **changes: object) -> MeshScenario:
    return MeshScenario.model_validate({**load(name).model_dump(), **changes})


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> MeshRun:
    """Five minutes of small_72, four satellites lost on the way."""
    failures = [{"kind": "central", "count": 4, "at_s": 120}]
    return run_mesh(changed(duration_s=300, failures=failures), tmp_path_factory.mktemp("mesh"))


def test_the_summary_is_that_of_the_tables(finished):
    summary = json.loads((finished.folder / "summary.json").read_text())
    assert summary == json.loads(json.dumps(finished.summary))
    table = parquet.read_table(finished.folder / "delays.parquet")
    assert table["time_s"].to_pylist() == list(range(300))
    for name, row in summary["pairs"].items():
        known = table[f"{name}_s"].to_numpy()
        known = 1e3 * np.sort(known[np.isfinite(known)])
        assert row["latency_ms"]["least"] == pytest.approx(known[0])
        assert row["latency_ms"]["median"] == pytest.approx(np.median(known))
        assert row["bound_ms"] < row["latency_ms"]["least"]
        assert row["ideal_latency_ms"]["median"] <= row["latency_ms"]["median"] + 0.5
    flows = parquet.read_table(finished.folder / "flows.parquet").to_pylist()
    start_s = summary["recovery"]["start_s"]
    for name, row in summary["flows"].items():
        counted = [step for step in flows if step["flow"] == name and step["time_s"] >= start_s]
        assert row["delivered_mb"] == pytest.approx(sum(step["delivered_mb"] for step in counted), rel=1e-6)
        assert row["loss"] == pytest.approx(
            sum(step["lost_mb"] for step in counted) / sum(step["sent_mb"] for step in counted)
        )


def test_losses_and_gaps_are_reported(finished):
    summary, record = finished.summary, finished.record
    gaps = parquet.read_table(finished.folder / "gaps.parquet").to_pylist()
    later = [gap["length_s"] for gap in gaps if gap["cause"] != "start"]
    assert summary["recovery"]["gaps"] == len(later) > 0
    assert summary["recovery"]["longest_s"] == pytest.approx(max(later), rel=1e-6)
    assert {gap["start_s"] for gap in gaps if gap["cause"] != "start"} == {120.0}
    alive = record.snapshots.alive[record.snapshots.t_s >= 120]
    assert (len(record.network.satellites) - alive.sum(axis=1) == 4).all()
    events = parquet.read_table(finished.folder / "crosslink_events.parquet").to_pylist()
    lost = [event for event in events if event["cause"] == "loss"]
    assert {event["after"] for event in lost} == {"failed"} and {event["time_s"] for event in lost} == {120.0}
    assert summary["crosslinks"]["drops"]["loss"] == sum(event["before"] == "up" for event in lost)


@pytest.mark.parametrize("name", ["small_72", "polar_300", "shell_1584"])
def test_no_single_loss_parts_a_pair_of_those_that_ship(name):
    scenario = changed(name, duration_s=900, step_s=30, flows=[])
    scenario = scenario.model_copy(update={"links": scenario.links.model_copy(update={"acquisition": "zero"})})
    record = simulate(build(scenario))
    found, satellites = record.resilience, len(record.network.satellites)
    assert found.parted.max() == found.parted_ground.max() == 0
    assert found.disjoint.min() >= 2
    assert not len(record.gaps)
    bound = 0.5 if scenario.routing.kind == "link_state" else scenario.routing.recompute_s
    assert 0 < np.nanmax(found.recovery_s) <= bound
    for curve in found.curves:
        assert curve.restored.min() >= 0.99
        if curve.kind != "planes":
            assert curve.connected[round(0.05 * satellites)].min() >= 0.99


def test_a_crosslink_becomes_a_scenario_of_its_own(tmp_path):
    scenario = load("small_72")
    found = link_scenario(scenario, "small-02-03", "small-02-04", 100.0)
    assert (found.epoch - scenario.epoch).total_seconds() == 100
    path = tmp_path / "scenario.toml"
    path.write_text(as_toml(found))
    again = load_run_scenario(str(path))
    assert list(again.terminals) == ["small-02-03", "small-02-04"]
    places = []
    for terminal in again.terminals.values():
        satellite = Satrec.twoline2rv(*terminal.orbit.tle)
        code, position, _ = satellite.sgp4(2461120.0, 100 / 86400)
        assert code == 0
        places.append(position)
    # 2 a sin(pi/9), the mean radius being the shell's
    assert np.linalg.norm(np.subtract(*places)) == pytest.approx(2 * (6378.137 + 1400) * np.sin(np.pi / 9), rel=2e-3)


def test_links_that_cannot_be_are_refused():
    with pytest.raises(ConfigError, match="small-09-00 unknown; they are called like small-00-00"):
        link_scenario(load("small_72"), "small-00-00", "small-09-00", 0.0)
    with pytest.raises(ConfigError, match="out of range or behind the Earth from 0 to 3600 s"):
        link_scenario(load("small_72"), "small-00-00", "small-04-08", 0.0)


def test_acquisition_times_come_from_a_campaign(tmp_path):
    path = tmp_path / "campaign.parquet"
    parquet.write_table(pyarrow.table({"run": [0, 1, 2], "acquisition.time_s": [3.5, None, 2.5]}), path)
    assert read_acquisition_times(path).tolist() == [3.5, np.inf, 2.5]
    parquet.write_table(pyarrow.table({"run": [0]}), path)
    for other in (path, tmp_path / "none.parquet"):
        with pytest.raises(ConfigError, match=r"expected the campaign.parquet of a campaign, found"):
            read_acquisition_times(other)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"shells": []}, "expected shells or tle_file, found neither"),
        ({"tle_file": "some.txt"}, "expected shells or tle_file, found both"),
        ({"duration_s": 0.5}, "duration_s: expected at least step_s of 1, found 0.5"),
        ({"ground": load("small_72").model_dump()["ground"][-1:]}, "expected two gateways or more, found 0"),
        ({"ground": load("small_72").model_dump()["ground"] * 2}, "expected each name once, found 13 again"),
    ],
)
def test_a_scenario_that_makes_no_mesh_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        changed(**changes)


def test_shells_that_meet_the_earth_are_named():
    shells = [{**load("small_72").model_dump()["shells"][0], "altitude_km": 40}]
    with pytest.raises(ConfigError, match=r"found 1 of 1 that intersect the Earth or its atmosphere: small \(40 km\)"):
        build(changed(shells=shells))


def test_a_file_of_elements_takes_the_place_of_shells(tmp_path):
    scenario = load("small_72")
    satellites = build(scenario).constellation
    lines = [line for i, name in enumerate(satellites.names) for line in (name, *satellites.tle(i))]
    (tmp_path / "all.tle").write_text("\n".join(lines))
    text = Path(str(_shipped_file("small_72"))).read_text()
    start, end = text.index("[[shells]]"), text.index("[terminals]")
    path = tmp_path / "mesh.toml"
    path.write_text('tle_file = "all.tle"\n' + (text[:start] + text[end:]).replace('"grid"', '"nearest"'))
    mesh = build(load(str(path)))
    assert mesh.constellation.names == satellites.names and mesh.policy == "nearest"
    position, _ = mesh.constellation.states(np.array([77.0]))
    assert np.array_equal(position, satellites.states(np.array([77.0]))[0])


def _shipped_file(name: str) -> Path:
    import sim.network

    return Path(sim.network.__file__).parent / "scenarios" / f"{name}.toml"


def test_the_command_lists_runs_and_writes(tmp_path, capsys):
    assert main(["mesh", "--list"]) == 0
    names = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert names == [*shipped()] == ["polar_300", "shell_1584", "small_72"]
    folder = tmp_path / "out"
    arguments = ["mesh", "small_72", "--duration-s", "30", "--links", "zero", "--seed", "4", "--no-report"]
    assert main([*arguments, "--out", str(folder)]) == 0
    out = capsys.readouterr().out
    assert "mesh        72 satellites, 13 ground points" in out and "144: 100.00 % up" in out
    assert json.loads((folder / "summary.json").read_text())["seed"] == 4
    assert main(["mesh", "small_72", "--link", "small-00-00,small-00-01", "--out", str(folder)]) == 0
    assert load_run_scenario(str(folder / "scenario.toml")).name == "small-00-00_small-00-01"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "expected a SCENARIO, found none"),
        (["no_such"], "expected a TOML file or one of polar_300, shell_1584, small_72; found neither"),
        (["small_72", "--seed", "-1"], "--seed: expected at least 0, found -1"),
        (["small_72", "--duration-s", "0"], "duration_s: Input should be greater than 0"),
        (["small_72", "--link", "small-00-00"], "expected two satellites, A,B, found 1"),
    ],
)
def test_bad_arguments_are_one_line(arguments, message, capsys):
    assert main(["mesh", *arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
