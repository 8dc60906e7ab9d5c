"""The report and the export of a run, and records that were cut."""

import csv
import json
from html.parser import HTMLParser

import numpy as np
import pyarrow.parquet
import pytest

from flightsw.ccsds.space_packet import parse
from flightsw.errors import ConfigError
from flightsw.services.dictionary import FINE_SAMPLES, HOUSEKEEPING
from hil.cli import main
from hil.recorder import read
from hil.report import write_report
from hil.report.spectrum import welch
from hil.run_data import load


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("run")
    assert main(["run", "leo_crosslink", "--duration-s", "8", "--seed", "3", "--out", str(out), "--no-report"]) == 0
    return out


class Outline(HTMLParser):
    """Headings, and the balance of tags."""

    def __init__(self):
        super().__init__()
        self.headings, self.open, self.links = [], [], []

    def handle_starttag(self, tag, attrs):
        if tag not in ("meta", "path", "use", "rect", "br"):
            self.open.append(tag)
        self.links += [v for k, v in attrs if k in ("src", "href", "xlink:href") and v and v[0] != "#"]

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        if self.open and self.open[-1] == tag:
            self.open.pop()

    def handle_data(self, data):
        if self.open and self.open[-1] in ("h1", "h2"):
            self.headings.append(data)


def test_the_report_is_one_self_contained_page_with_every_section(folder):
    page = write_report(folder).read_text()
    outline = Outline()
    outline.feed(page)
    assert [text.strip() for text in outline.headings] == [
        "leo_crosslink", "Modes", "Search on the sky", "Pointing error from acquisition to fine tracking",
        "Residual spectrum in COMM", "Residual by size", "Received power", "Mirror stroke and gimbal",
        "Link budget and tracking", "Time in each mode, and blockages", "Events",
    ]  # fmt: skip
    assert outline.links == [] and "<script" not in page
    assert page.count("<svg") == 7 and len(page) < 4_000_000


def test_the_same_run_gives_the_same_report(folder):
    assert write_report(folder).read_bytes() == write_report(folder).read_bytes()


def test_a_run_that_never_acquires_has_a_report_that_says_so(tmp_path):
    assert main(["run", "leo_crosslink", "--duration-s", "1", "--out", str(tmp_path)]) == 1
    assert "goal not met" in (tmp_path / "report.html").read_text()


def test_a_beacon_search_has_a_report(tmp_path):
    assert main(["run", "smallsat", "--duration-s", "5", "--out", str(tmp_path)]) == 0
    assert (tmp_path / "report.html").stat().st_size > 50_000


def test_bulk_decoding_equals_packet_by_packet_decoding_with_construct(folder):
    run = load(folder)
    rows = {HOUSEKEEPING.apid: [], FINE_SAMPLES.apid: []}
    for message in read(folder / "record.mcap"):
        if message.topic == "alpha/telemetry":
            packet = parse(message.data)
            if packet.apid == HOUSEKEEPING.apid:
                rows[packet.apid].append(HOUSEKEEPING.layout.parse(packet.data))
            elif packet.apid == FINE_SAMPLES.apid and len(rows[packet.apid]) < 2000:
                rows[packet.apid].extend(FINE_SAMPLES.layout.parse(packet.data))
    alpha = run.terminals[0]
    assert len(alpha.housekeeping) == len(rows[HOUSEKEEPING.apid]) == 80
    for name in ("mode", "gimbal_elevation", "spot_x"):
        assert alpha.housekeeping[name].tolist() == [row[name] for row in rows[HOUSEKEEPING.apid]]
    assert alpha.samples.values["mirror_x"][:1000].tolist() == [r.mirror_x for r in rows[FINE_SAMPLES.apid][:1000]]
    assert alpha.samples.time_s[-1] == pytest.approx(8.0 - 1e-4)


def test_the_figures_of_the_summary_follow_from_the_recorded_truth(folder):
    run = load(folder)
    for terminal in run.terminals:
        start = next(span.start_s for span in terminal.modes if span.mode.name == "COMM")
        part = terminal.truth.values[terminal.truth.time_s > start + 0.02]
        rms = [float(np.sqrt(np.mean(part[axis].astype(np.float64) ** 2))) * 1e6 for axis in ("error_x", "error_y")]
        assert run.summary["tracking"][terminal.name]["residual_rms_urad"] == pytest.approx(rms, rel=0.01)
        power = 10.0 * np.log10(np.mean(part["power_w"].astype(np.float64)) / 1e-3)
        assert run.summary["link"]["received_power_dbm"][terminal.name] == pytest.approx(power, abs=0.05)


def test_the_spectrum_of_a_sine_has_its_power_at_its_frequency():
    t = np.arange(200_000) / 10_000
    spectrum = welch(3.0 * np.sin(2.0 * np.pi * 123.0 * t), 10_000)
    peak = np.argmax(spectrum.density)
    assert spectrum.frequency_hz[peak] == pytest.approx(123.0, abs=1.0)
    assert np.trapezoid(spectrum.density, spectrum.frequency_hz) == pytest.approx(4.5, rel=0.01)


@pytest.mark.parametrize("kind", ["--parquet", "--csv"])
def test_exported_tables_hold_what_was_recorded(folder, tmp_path, kind):
    assert main(["export", str(folder), kind, "--out", str(tmp_path)]) == 0
    names = {f"{t}_{n}" for t in ("alpha", "bravo") for n in ("housekeeping", "fine_samples", "truth", "events")}
    assert {p.stem for p in tmp_path.iterdir()} == names
    alpha = load(folder).terminals[0]
    if kind == "--parquet":
        table = pyarrow.parquet.read_table(tmp_path / "alpha_fine_samples.parquet").to_pydict()
        modes = pyarrow.parquet.read_table(tmp_path / "alpha_housekeeping.parquet").to_pydict()["mode"]
    else:
        rows = list(csv.DictReader((tmp_path / "alpha_fine_samples.csv").read_text().splitlines()))
        table = {name: [float(row[name]) for row in rows] for name in rows[0]}
        modes = [row["mode"] for row in csv.DictReader((tmp_path / "alpha_housekeeping.csv").read_text().splitlines())]
    assert set(table) == {"time_s", "error_x_rad", "error_y_rad", "mirror_x_rad", "mirror_y_rad", "power_w"}
    assert table["mirror_x_rad"] == alpha.samples.values["mirror_x"].tolist()
    assert modes[0] == "POINT" and modes[-1] == "COMM"


def test_export_of_nothing_is_refused(tmp_path, capsys):
    assert main(["export", str(tmp_path), "--csv"]) == 2
    assert "expected the folder of a run" in capsys.readouterr().err


def test_a_record_cut_anywhere_opens_and_says_so(folder, tmp_path):
    whole = (folder / "record.mcap").read_bytes()
    rng = np.random.default_rng(7)
    for size in sorted(rng.integers(400_000, len(whole) - 1, 12).tolist()):
        (tmp_path / "record.mcap").write_bytes(whole[:size])
        run = load(tmp_path)
        assert run.cut and run.summary is None and "cut" in run.notes[0]
        assert run.end_s >= (size - 400_000) / len(whole) * 8.0 - 1.0
        write_report(tmp_path)
    (tmp_path / "record.mcap").write_bytes(whole[:100])
    with pytest.raises(ConfigError, match="cut before its first second"):
        load(tmp_path)


def test_a_file_that_is_no_record_is_refused(tmp_path):
    (tmp_path / "record.mcap").write_bytes(b"not a record at all" * 10)
    with pytest.raises(ConfigError, match="expected an MCAP record"):
        load(tmp_path)


def test_a_summary_of_another_run_is_left_out(folder, tmp_path):
    (tmp_path / "record.mcap").write_bytes((folder / "record.mcap").read_bytes())
    summary = json.loads((folder / "summary.json").read_text())
    (tmp_path / "summary.json").write_text(json.dumps({**summary, "seed": 999}))
    (tmp_path / "events.jsonl").write_text("")
    run = load(tmp_path)
    assert run.summary is None and any("another run" in note for note in run.notes)
