"""The command line: exit codes, one-line errors, and what a run leaves behind."""

import json
import os
import subprocess
import sys

import pytest

from hil.cli import main

TLE = """ISS (ZARYA)
1 25544U 98067A   08264.51782528 -.00002182  00000-0 -11606-4 0  2927
2 25544  51.6416 247.4627 0006703 130.5360 325.0288 15.72125391563537
"""

SCENARIO = """
name = "mine"
description = "a TLE of the user and a Keplerian orbit"
epoch = {epoch}
duration_s = 2
[both.hardware.laser]
signal = {{ power_w = 1, divergence_fwhm_urad = 20 }}
[terminals.a]
orbit.{orbit}
flight.spacecraft_id = 1
[terminals.b]
orbit.kepler = {{ semi_major_axis_km = 7100, {plane}, mean_anomaly_deg = {anomaly} }}
flight.spacecraft_id = 2
"""


@pytest.fixture
def write(tmp_path):
    def scenario(**changes):
        fields = {
            "epoch": "2008-09-20T12:25:40Z",
            "orbit": 'tle_file = "iss.tle"',
            "plane": "inclination_deg = 51.64, raan_deg = 247.46",
            "anomaly": 96,
            **changes,
        }
        (tmp_path / "iss.tle").write_text(fields.pop("tle", TLE))
        path = tmp_path / "mine.toml"
        path.write_text(SCENARIO.format(**fields))
        return str(path)

    return scenario


def said(capsys, arguments, code):
    assert main(arguments) == code
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "Traceback" not in error
    return error


def test_a_run_leaves_its_files_and_prints_its_figures(tmp_path, capsys):
    out = tmp_path / "run"
    assert main(["run", "leo_crosslink", "--duration-s", "8", "--seed", "4", "--out", str(out), "--no-report"]) == 0
    assert {"record.mcap", "events.jsonl", "summary.json"} <= {p.name for p in out.iterdir()}
    summary = json.loads((out / "summary.json").read_text())
    assert summary["scenario"] == "leo_crosslink" and summary["seed"] == 4 and summary["goal_met"] is True
    assert summary["acquisition"]["acquired"] is True and summary["acquisition"]["attempts"] >= 1
    assert sum(summary["modes"]["alpha"].values()) == pytest.approx(8.0)
    assert summary["link"]["point_ahead_urad"] == pytest.approx(14.61, rel=5e-3)
    assert summary["link"]["range_km"] == pytest.approx(2000, rel=5e-3)
    text = capsys.readouterr().out
    assert "goal        met" in text and "\r" not in text
    for line in (out / "events.jsonl").read_text().splitlines():
        assert set(json.loads(line)) == {"time_s", "terminal", "severity", "name", "text"}


def test_a_run_that_does_not_acquire_misses_its_goal(tmp_path):
    assert main(["run", "leo_crosslink", "--duration-s", "1", "--out", str(tmp_path), "--no-report"]) == 1


def test_the_same_seed_gives_the_same_octets_and_another_seed_does_not(tmp_path):
    records = []
    for name, seed in (("a", "5"), ("b", "5"), ("c", "6")):
        main(["run", "rough_ride", "--duration-s", "6", "--seed", seed, "--out", str(tmp_path / name), "--no-report"])
        records.append((tmp_path / name / "record.mcap").read_bytes())
    assert records[0] == records[1]
    assert records[0] != records[2]


def test_a_user_s_tle_is_flown(write, tmp_path):
    assert main(["run", write(), "--out", str(tmp_path / "run"), "--no-report"]) == 1
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert 0 < summary["link"]["range_km"] < 5000


def test_a_tle_with_a_wrong_checksum_is_refused(write, capsys, tmp_path):
    path = write(tle=TLE.replace("0  2927", "0  2928"))
    error = said(capsys, ["run", path, "--out", str(tmp_path)], 2)
    assert "checksum" in error and "7" in error and "8" in error and "iss.tle" in error


def test_terminals_with_the_earth_in_between_are_told_when_they_will_see_each_other(write, capsys, tmp_path):
    error = said(capsys, ["run", write(anomaly=280), "--out", str(tmp_path)], 2)
    assert "Earth in between" in error and "they see each other from 2008-09-20T" in error


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run"], "expected a SCENARIO"),
        (["run", "absent.toml"], "expected a scenario file"),
        (["run", "nonsense"], "leo_crosslink"),
        (["run", "leo_crosslink", "--seed", "-1"], "--seed: expected 0 or more, found -1"),
        (["run", "leo_crosslink", "--duration-s", "0"], "expected at least 1 s"),
        (["run", "leo_crosslink", "--out", "/proc/nowhere"], "/proc/nowhere"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(capsys, arguments, words):
    assert words in said(capsys, arguments, 2)


def test_an_oem_file_that_ends_too_early_is_refused(write, capsys, tmp_path):
    assert main(["run", "leo_crosslink", "--duration-s", "1", "--out", str(tmp_path / "a"), "--no-report"]) == 1
    (tmp_path / "mine.oem").write_bytes((tmp_path / "a" / "alpha.oem").read_bytes())
    path = write(orbit='oem_file = "mine.oem"', epoch="2026-03-20T12:00:00Z", plane="inclination_deg = 53", anomaly=15)
    error = said(capsys, ["run", path, "--out", str(tmp_path / "b"), "--duration-s", "600"], 2)
    assert "mine.oem" in error and "expected a time within" in error


def test_help_imports_nothing_heavy():
    code = "import sys; from hil.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass\n"
    code += "print(sorted(sys.modules))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=dict(os.environ))
    assert "example: beamlock run" in out.stdout
    for heavy in ("numpy", "numba", "pydantic", "scipy", "matplotlib", "construct", "mcap"):
        assert f"'{heavy}'" not in out.stdout
