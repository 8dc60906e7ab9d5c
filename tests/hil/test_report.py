"""The report of a run, of one that was cut too, and what its figures are computed with."""

import json
from dataclasses import replace
from html.parser import HTMLParser
from importlib.resources import files

import numpy as np
import pytest

from flightsw.errors import ConfigError
from flightsw.pat.modes import Mode
from flightsw.services.dictionary import FINE_SAMPLES, HOUSEKEEPING
from flightsw.services.events import Event, Severity
from flightsw.services.pus.packet import parse_telemetry
from hil.cli import main
from hil.recorder import read
from hil.report import tables, write_report
from hil.report.envelope import envelope
from hil.report.intervals import both, without
from hil.report.page import page
from hil.report.residual import mirror_angle
from hil.report.sky import _scans, _search, _tagged
from hil.report.spectrum import thinned, welch
from hil.run_data import load
from sim.mirror import MIRROR, MirrorModel, new_mirror, step


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
        "Residual spectrum in COMM", "Residual by size", "Received power", "What became of the data",
        "Mirror stroke and gimbal",
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
    housekeeping, samples = [], []
    for message in read(folder / "record.mcap"):
        if message.topic == "alpha/telemetry":
            packet = parse_telemetry(message.data)
            if packet[:2] == (3, 25):
                housekeeping.append(HOUSEKEEPING.layout.parse(packet.data[2:]))
            elif packet[:2] == (3, 26) and len(samples) < 2000:
                samples.extend(FINE_SAMPLES.layout.parse(packet.data[2:]))
    alpha = run.terminals[0]
    assert len(alpha.housekeeping) == len(housekeeping) == 80
    for name in ("mode", "gimbal_elevation", "spot_x"):
        assert alpha.housekeeping[name].tolist() == [row[name] for row in housekeeping]
    assert alpha.samples.values["mirror_x"][:1000].tolist() == [row.mirror_x for row in samples[:1000]]
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


def test_a_record_cut_anywhere_opens_and_says_so(folder, tmp_path):
    whole = (folder / "record.mcap").read_bytes()
    # early, while the search is on, as it is answered, just locked, and in the footer
    for size in (900_000, 2_700_000, 3_000_000, 3_300_000, len(whole) - 1):
        (tmp_path / "record.mcap").write_bytes(whole[:size])
        run = load(tmp_path)
        assert run.cut and run.summary is None and "cut" in run.notes[0]
        assert run.end_s >= (size - 400_000) / len(whole) * 8.0 - 1.0
        page = write_report(tmp_path).read_text()
        assert "The record was cut" in page and "no verdict" in page
    (tmp_path / "record.mcap").write_bytes(whole[:100])
    with pytest.raises(ConfigError, match="cut before its first second"):
        write_report(tmp_path)


def test_a_summary_of_another_run_is_left_out(folder, tmp_path):
    (tmp_path / "record.mcap").write_bytes((folder / "record.mcap").read_bytes())
    summary = json.loads((folder / "summary.json").read_text())
    (tmp_path / "summary.json").write_text(json.dumps({**summary, "seed": 999}))
    (tmp_path / "events.jsonl").write_text("")
    run = load(tmp_path)
    assert run.summary is None and any("another run" in note for note in run.notes)


def test_a_tone_stands_out_of_thinned_noise_and_keeps_its_power():
    rng = np.random.default_rng(1)
    t = np.arange(300_000) / 10_000
    signal = 0.2 * rng.standard_normal(len(t)) + np.sqrt(2.0) * 0.9 * np.sin(2.0 * np.pi * 100.0 * t)
    spectrum = welch(signal, 10_000)
    assert spectrum.power(100.0, 2.0) == pytest.approx(0.81, rel=0.02)
    assert spectrum.cumulative_rms[-1] == pytest.approx(np.std(signal), rel=0.01)
    drawn = thinned(spectrum)
    assert len(drawn.density) < 700
    assert drawn.frequency_hz[np.argmax(drawn.density)] == pytest.approx(100.0, rel=0.01)
    # white noise of 0.2 rms over 5 kHz: 8e-6 per Hz, wherever it is looked at
    assert np.median(drawn.density[drawn.frequency_hz > 200.0]) == pytest.approx(0.04 / 5000.0, rel=0.03)


def test_an_envelope_is_what_a_loop_over_the_pixels_finds():
    rng = np.random.default_rng(3)
    time_s = np.arange(5003) / 1000.0
    values = rng.standard_normal(5003).astype(np.float32)
    values[[100, 2000]] = np.nan, np.inf
    values[3000:3010] = np.nan
    found = envelope(time_s, values, 0.5, 4.5, columns=400)
    pixels = values[500:4500].reshape(400, 10).astype(np.float64)
    assert len(found.low) == 400 and np.isnan(found.mean[250])
    for k, pixel in enumerate(pixels):
        seen = pixel[np.isfinite(pixel)]
        if len(seen):
            got = found.low[k], found.mean[k], found.rms[k], found.high[k]
            assert got == pytest.approx((seen.min(), seen.mean(), np.sqrt(np.mean(seen**2)), seen.max()), rel=1e-6)
            assert 0.5 + 0.01 * k <= found.time_s[k] < 0.51 + 0.01 * k
    assert len(envelope(time_s, values, 7.0, 8.0).low) == 0


@pytest.mark.parametrize(
    "settings", [{}, {"resonance_hz": None, "delay_samples": 1}, {"resonance_hz": 900, "damping": 0.7}]
)
def test_the_mirror_is_where_the_world_moves_it(settings):
    model = MirrorModel(dac_bits=None, **settings)
    rng = np.random.default_rng(4)
    command = np.cumsum(rng.standard_normal((4000, 2)), axis=0) * 1e-7
    mirror = new_mirror(model, 10_000)
    record = np.zeros(1, MIRROR)
    record[0] = mirror
    moved = []
    for x, y in command:
        moved.append(record[0]["angle"].copy())
        step(record[0], float(x), float(y))
    found = mirror_angle(model, 10_000, command)
    # the world's mirror begins at nought, the found one at the first command
    assert np.allclose(found[500:], np.array(moved)[500:], rtol=0, atol=1e-12)


def test_the_spot_on_the_sky_is_where_the_partner_really_is(folder):
    run = load(folder)
    for index, terminal in enumerate(run.terminals):
        locked = next(s.start_s for s in terminal.modes if s.mode.name == "FINE_TRACK")
        search = _search(run, index, locked)
        detected_s = search.detections_s[-1]
        partner = search.partner[search.around(detected_s, 0.03, 0.0)].mean(axis=0)
        pixel = run.scenario["terminals"][terminal.name]["hardware"]["camera"]["pixel_urad"]
        assert np.hypot(*(search.spot(detected_s) - partner)) < pixel
        if search.scans:
            # the beam of the time that the tag tells came as near to the partner as the search is drawn
            tagged = _tagged(search, detected_s)
            assert np.hypot(*(tagged - partner).T).min() < 2.0 * 20.0
            now = search.mirror[search.around(detected_s, 0.01, 0.0)][-1]
            assert np.hypot(*(now - partner)) > 100.0


def test_a_scan_that_begins_anew_is_told_from_those_before(tmp_path):
    scenario = tmp_path / "dark.toml"
    text = files("sim").joinpath("scenarios", "leo_crosslink.toml").read_text()
    scenario.write_text(text + '[[timeline]]\nat_s = 0\nterminal = "bravo"\nfault = "laser_off"\nduration_s = 99\n')
    assert main(["run", str(scenario), "--duration-s", "11", "--out", str(tmp_path / "run")]) == 1
    run = load(tmp_path / "run")
    search = _search(run, 0, run.end_s)
    earlier, last = _scans(search, search.during(Mode.SCAN))
    assert search.detections_s == () and len(earlier) > 1000
    assert np.hypot(*last[0]) < 1.0 < 500.0 < np.hypot(*earlier[-1])
    # radius of the first scan: three times 200 urad; the second is wider
    assert np.hypot(*earlier.T).max() == pytest.approx(600.0, rel=0.02) and np.hypot(*last.T).max() > 400.0
    page = (tmp_path / "run" / "report.html").read_text()
    assert "No answer was believed" in page and "no residual to analyse" in page and "laser off" in page


def test_intervals_overlap_and_are_cut_as_sets_of_moments_are():
    rng = np.random.default_rng(5)
    for _ in range(50):
        a, b = (
            list(zip(*np.sort(rng.choice(200, 8, replace=False)).reshape(-1, 2).T.tolist(), strict=True)) for _ in "ab"
        )
        moments = np.arange(200) + 0.5
        inside = [np.any([(lo < moments) & (moments < hi) for lo, hi in x], axis=0) for x in (a, b)]
        for found, wanted in ((both(a, b), inside[0] & inside[1]), (without(a, b), inside[0] & ~inside[1])):
            hits = [(lo < moments) & (moments < hi) for lo, hi in found] or [np.zeros(200, bool)]
            assert np.array_equal(np.any(hits, axis=0), wanted) and np.sum(hits) == wanted.sum()


def test_texts_of_a_scenario_are_escaped(folder, tmp_path):
    run = load(folder)
    hostile = '<script>alert("&")</script>'
    run.scenario["description"] = hostile
    alpha = replace(run.terminals[0], events=(*run.terminals[0].events, Event(7.0, Severity.LOW, "A", hostile)))
    page_of = page(replace(run, terminals=(alpha, run.terminals[1])))
    assert "<script" not in page_of and page_of.count("&lt;script&gt;") == 2


def test_light_refused_again_and_again_is_one_row(folder):
    run = load(folder)
    refused = tuple(Event(5.0 + 0.01 * k, Severity.LOW, "LIGHT_REFUSED", f"light at ({k}, 0) urad") for k in range(40))
    alpha = replace(run.terminals[0], events=(*run.terminals[0].events, *refused))
    rows = tables.events(replace(run, terminals=(alpha, run.terminals[1])))
    assert rows.count("LIGHT_REFUSED") == 1 and "(and 39 more until 5.39 s)" in rows
