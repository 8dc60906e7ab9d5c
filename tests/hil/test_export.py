"""Exported tables, read back by other software, against the octets of the packets."""

import csv
import struct
import sys

import numpy as np
import pyarrow.parquet
import pytest

from flightsw.services.dictionary import HOUSEKEEPING
from hil.cli import main
from hil.recorder import read

BLOCKED = """
[[timeline]]
at_s = 5
fault = "blockage"
duration_s = 1
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run of 7 s with a blockage, and so with events of the world."""
    from importlib.resources import files

    scenario = tmp_path_factory.mktemp("scenario") / "blocked.toml"
    scenario.write_text(files("sim").joinpath("scenarios", "leo_crosslink.toml").read_text() + BLOCKED)
    out = tmp_path_factory.mktemp("run")
    assert main(["run", str(scenario), "--duration-s", "7", "--out", str(out), "--no-report"]) == 0
    return out


@pytest.fixture(scope="module")
def packets(folder):
    """Items of the telemetry packets of alpha by service and subtype, with their times in us, decoded by hand."""
    found = {}
    for message in read(folder / "record.mcap"):
        if message.topic == "alpha/telemetry":
            service, subtype, _, _, seconds, parts = struct.unpack_from(">7xBBHHI3s", message.data)
            time_us = seconds * 1_000_000 + round(int.from_bytes(parts, "big") * 1e6 / (1 << 24))
            found.setdefault((service, subtype), []).append((time_us, message.data[22:-2]))
    return found


def exported(folder, out, kind, table):
    assert main(["export", str(folder), kind, "--out", str(out)]) == 0
    if kind == "--parquet":
        return pyarrow.parquet.read_table(out / f"{table}.parquet").to_pydict()
    rows = list(csv.DictReader((out / f"{table}.csv").read_text().splitlines()))
    return {name: [row[name] for row in rows] for name in rows[0]}


@pytest.mark.parametrize("kind", ["--parquet", "--csv"])
def test_fine_samples_are_those_in_the_packets(folder, packets, tmp_path, kind):
    table = exported(folder, tmp_path, kind, "alpha_fine_samples")
    values = np.concatenate([np.frombuffer(data, ">f4").reshape(-1, 5) for _, data in packets[3, 26]])
    assert list(table) == ["time_s", "error_x_rad", "error_y_rad", "mirror_x_rad", "mirror_y_rad", "power_w"]
    for column, name in enumerate(list(table)[1:]):
        assert np.array_equal(np.array(table[name], np.float64).astype(np.float32), values[:, column])
    starts = np.array([time_us for time_us, _ in packets[3, 26]]) * 1e-6
    times = (starts[:, None] + np.arange(1000) * 1e-4).ravel()
    assert np.allclose(np.array(table["time_s"], np.float64), times, rtol=0, atol=1e-9)


@pytest.mark.parametrize("kind", ["--parquet", "--csv"])
def test_housekeeping_has_modes_by_name_and_numbers_as_sent(folder, packets, tmp_path, kind):
    table = exported(folder, tmp_path, kind, "alpha_housekeeping")
    rows = [struct.unpack(">BBIB16f2I", data) for _, data in packets[3, 25]]
    assert list(table["mode"]) == [HOUSEKEEPING.items[0].states[row[0]] for row in rows]
    assert {"POINT", "SCAN", "COMM"} <= set(table["mode"]) and set(table["role"]) == {"INITIATOR"}
    for name, column in (("gimbal_elevation_rad", 6), ("spot_snr", 16), ("range_m", 17)):
        assert np.array_equal(
            np.array(table[name], np.float64).astype(np.float32), np.float32([r[column] for r in rows])
        )
    assert [float(t) for t in table["time_s"]] == [time_us / 1e6 for time_us, _ in packets[3, 25]]


@pytest.mark.parametrize("kind", ["--parquet", "--csv"])
def test_events_of_the_terminals_and_of_the_world(folder, tmp_path, kind):
    events = exported(folder, tmp_path, kind, "alpha_events")
    assert list(events) == ["time_s", "severity", "name", "text"]
    assert events["text"][0] == "STANDBY -> POINT: commanded to acquire" and events["severity"][0] == "INFO"
    world = exported(folder, tmp_path, kind, "world_events")
    assert [float(t) for t in world["time_s"]] == [5.0, 5.0, 6.0, 6.0]
    assert world["text"][3] == "bravo: blockage ends"


def test_parquet_tells_unit_and_meaning(folder, tmp_path):
    assert main(["export", str(folder), "--parquet", "--out", str(tmp_path)]) == 0
    schema = pyarrow.parquet.read_schema(tmp_path / "bravo_truth.parquet")
    assert schema.names == ["time_s", "error_x_rad", "error_y_rad", "transmit_w_sr", "power_w"]
    assert schema.field("transmit_w_sr").metadata[b"unit"] == b"W/sr"
    assert b"aperture" in schema.field("power_w").metadata[b"meaning"]
    assert b'"leo_crosslink"' in schema.metadata[b"beamlock_scenario"]


def test_a_cut_record_is_exported_up_to_the_cut_and_noted(folder, tmp_path, capsys):
    (tmp_path / "record.mcap").write_bytes((folder / "record.mcap").read_bytes()[:2_000_000])
    assert main(["export", str(tmp_path), "--csv"]) == 0
    told = capsys.readouterr()
    assert "The record was cut" in told.err and str(tmp_path / "export" / "alpha_truth.csv") in told.out
    assert len((tmp_path / "export" / "alpha_truth.csv").read_text().splitlines()) > 10_000


def test_parquet_without_pyarrow_is_one_clear_line(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert main(["export", str(folder), "--parquet", "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "pyarrow" in error and "--csv" in error
    assert not (tmp_path / "out").exists()
    assert main(["export", str(folder), "--csv", "--out", str(tmp_path / "out")]) == 0


@pytest.mark.parametrize("name", ["nowhere", "."])
def test_a_folder_without_a_run_is_refused(tmp_path, capsys, name):
    assert main(["export", str(tmp_path / name), "--csv"]) == 2
    assert "expected the folder of a run with record.mcap, found none" in capsys.readouterr().err


def test_a_place_that_cannot_be_written_is_refused(folder, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main(["export", str(folder), "--csv", "--out", str(tmp_path / "file" / "below")]) == 2
    assert "expected a folder that can be written" in capsys.readouterr().err
