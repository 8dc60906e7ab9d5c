"""Records with known contents, whole, cut anywhere and spoilt, against what was written into them."""

import json
import struct

import numpy as np
import pytest

from flightsw.errors import ConfigError
from flightsw.hal import SAMPLE
from flightsw.operations import LIGHT_REFUSED, MODE_CHANGE, REASONS, Status
from flightsw.pat.modes import Mode, Role
from flightsw.services.dictionary import HOUSEKEEPING
from flightsw.services.events import DEVICE_LOST, Severity
from flightsw.services.pus.packet import Report, TelemetryCounter
from hil.kernel import TRUTH
from hil.recorder import Recorder, read
from hil.run_data import load

RATE = 2000
SECONDS = 8
NAMES = ("alpha", "bravo")
TIMELINE = [
    {"at_s": 2.0, "terminal": None, "command": None, "fault": "blockage", "duration_s": 1.5},
    {"at_s": 6.0, "terminal": "bravo", "command": None, "fault": "laser_off", "duration_s": 100.0},
    {"at_s": 99.0, "terminal": "bravo", "command": None, "fault": "laser_off", "duration_s": 1.0},
    {"at_s": 0.0, "terminal": None, "command": "acquire", "fault": None, "duration_s": None},
]
SCENARIO = {
    "name": "written", "seed": 5, "duration_s": SECONDS, "sample_rate_hz": RATE, "terminals": {n: {} for n in NAMES},
    "timeline": TIMELINE,
}  # fmt: skip
EVENTS = [
    MODE_CHANGE.at(0.01, Mode.STANDBY, Mode.POINT, REASONS.index("commanded to acquire")),
    LIGHT_REFUSED.at(1.5, 3.0, 4.0),
    MODE_CHANGE.at(2.25, Mode.POINT, Mode.SCAN, REASONS.index("pointed, initiator")),
    DEVICE_LOST.at(3.5, "alpha-camera is silent: größer"),
    MODE_CHANGE.at(7.0, Mode.SCAN, Mode.SAFE, REASONS.index("commanded"), severity=Severity.HIGH),
]
#: A packet of PUS telemetry with its structure's number in two octets ahead of the items (ECSS-E-ST-70-41C, 7.4.3).
ITEMS_AT = 6 + 7 + 7 + 2


def is_samples(message, terminal):
    return message.topic == f"{terminal}/telemetry" and message.data[7:9] == bytes([3, 26])


def random_records(dtype, rng):
    records = np.zeros((2, SECONDS * RATE), dtype)
    for name in dtype.names:
        records[name] = rng.standard_normal(records.shape)
    return records


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A record of random numbers: its folder, samples and truth (2, samples)."""
    folder = tmp_path_factory.mktemp("written")
    rng = np.random.default_rng(1)
    samples, truth = random_records(SAMPLE, rng), random_records(TRUTH, rng)
    due = list(EVENTS)
    with Recorder(folder / "record.mcap", NAMES, json.dumps(SCENARIO).encode(), RATE) as recorder:
        for second in range(SECONDS):
            for tenth in range(10):
                now = second + (tenth + 1) / 10
                while due and due[0].time_s <= now:
                    recorder.events(0, [due.pop(0)])
                status = [Status(Mode.SCAN, Role.INITIATOR, spot_x=now, scans=second) for _ in NAMES]
                recorder.housekeeping(now, status)
            part = slice(second * RATE, (second + 1) * RATE)
            recorder.second(second + 1.0, samples[:, part], truth[:, part])
    return folder, samples, truth


def test_everything_comes_back_as_it_was_written(written):
    folder, samples, truth = written
    run = load(folder)
    assert not run.cut and run.end_s == SECONDS and run.scenario == SCENARIO and run.rate_hz == RATE
    for i, terminal in enumerate(run.terminals):
        assert terminal.name == NAMES[i]
        assert np.array_equal(terminal.samples.values, samples[i])
        assert np.array_equal(terminal.truth.values, truth[i])
        assert np.allclose(terminal.samples.time_s, np.arange(SECONDS * RATE) / RATE, rtol=0, atol=1e-9)
        assert np.array_equal(terminal.housekeeping_time_s, np.arange(1, 10 * SECONDS + 1) / 10)
        assert np.allclose(terminal.housekeeping["spot_x"], terminal.housekeeping_time_s, rtol=1e-6)
        assert terminal.housekeeping["scans"].tolist() == [s for s in range(SECONDS) for _ in range(10)]
        both = terminal.in_step()
        assert len(both[0]) == len(both[1]) == SECONDS * RATE
    assert run.terminals[0].events == tuple(EVENTS) and run.terminals[1].events == ()


def test_samples_are_what_struct_reads_in_the_packets(written):
    folder, _, _ = written
    decoded = [
        struct.unpack_from(">5f", message.data, ITEMS_AT + 20 * k)
        for message in read(folder / "record.mcap")
        if is_samples(message, "bravo")
        for k in range(RATE // 10)
    ]
    assert load(folder).terminals[1].samples.values.tolist() == decoded


def test_modes_follow_from_the_events_without_a_gap(written):
    spans = load(written[0]).terminals[0].modes
    assert [(s.mode, s.start_s, s.end_s) for s in spans] == [
        (Mode.STANDBY, 0.0, 0.01), (Mode.POINT, 0.01, 2.25), (Mode.SCAN, 2.25, 7.0), (Mode.SAFE, 7.0, 8.0),
    ]  # fmt: skip
    assert [(s.mode, s.duration_s) for s in load(written[0]).terminals[1].modes] == [(Mode.STANDBY, 8.0)]


def test_faults_follow_from_the_timeline_and_end_with_the_record(written):
    faults = {(f.terminal, f.name, f.start_s, f.end_s) for f in load(written[0]).faults}
    assert faults == {
        ("alpha", "blockage", 2.0, 3.5), ("bravo", "blockage", 2.0, 3.5), ("bravo", "laser_off", 6.0, 8.0),
    }  # fmt: skip


def test_the_earth_in_between_is_a_fault_that_the_world_reports(written, tmp_path):
    (tmp_path / "record.mcap").write_bytes((written[0] / "record.mcap").read_bytes())
    summary = {"scenario": "written", "seed": 5, "performance": {"simulated_s": 8.0}}
    (tmp_path / "summary.json").write_text(json.dumps(summary))
    rows = [(4.0, "alpha: earth begins"), (5.0, "alpha: earth ends"), (7.5, "bravo: earth begins")]
    lines = [{"time_s": t, "terminal": "world", "severity": "INFO", "name": "FAULT", "text": x} for t, x in rows]
    (tmp_path / "events.jsonl").write_text("\n".join(map(json.dumps, lines)))
    run = load(tmp_path)
    earth = [(f.terminal, f.start_s, f.end_s) for f in run.faults if f.name == "earth"]
    assert earth == [("alpha", 4.0, 5.0), ("bravo", 7.5, 8.0)]
    assert [event.text for event in run.world_events] == [text for _, text in rows]
    (tmp_path / "events.jsonl").write_text("no event\n")
    with pytest.raises(ConfigError, match="line 1: expected an event"):
        load(tmp_path)


def test_a_record_cut_at_any_octet_reads_up_to_the_cut_and_says_so(written, tmp_path):
    folder, samples, truth = written
    whole = (folder / "record.mcap").read_bytes()
    rng = np.random.default_rng(2)
    # the ends, where the cut falls into lengths, the footer and the magic, and everywhere in between
    sizes = [*range(0, 120, 3), *rng.integers(120, len(whole), 60).tolist(), *range(len(whole) - 60, len(whole))]
    opened = 0
    for size in sizes:
        (tmp_path / "record.mcap").write_bytes(whole[:size])
        try:
            run = load(tmp_path)
        except ConfigError as error:
            # nothing but the first chunk may be missing altogether
            assert size < 200_000 and "cut before its first second" in str(error)
            continue
        opened += 1
        assert run.cut and run.summary is None and "The record was cut" in run.notes[0]
        # a chunk is a second
        assert run.end_s > SECONDS * size / len(whole) - 1.5
        for i, terminal in enumerate(run.terminals):
            assert np.array_equal(terminal.samples.values, samples[i, : len(terminal.samples)])
            assert np.array_equal(terminal.truth.values, truth[i, : len(terminal.truth)])
            both = terminal.in_step()
            assert np.array_equal(both[0].time_s, both[1].time_s)
    assert opened > 80


def test_a_packet_with_a_wrong_checksum_is_left_out_and_noted(written, tmp_path):
    folder, samples, _ = written
    octets = bytearray((folder / "record.mcap").read_bytes())
    packets = [message.data for message in read(folder / "record.mcap") if is_samples(message, "alpha")]
    octets[octets.index(packets[7]) + 1000] ^= 0x10
    (tmp_path / "record.mcap").write_bytes(octets)
    run = load(tmp_path)
    assert any("1 of " in note and "alpha have a wrong CRC-16" in note for note in run.notes)
    group = RATE // 10
    rest = np.delete(samples[0], np.arange(7 * group, 8 * group))
    assert np.array_equal(run.terminals[0].samples.values, rest)
    assert run.terminals[0].samples.time_s[7 * group] == pytest.approx(0.8)
    both = run.terminals[0].in_step()
    assert len(both[0]) == len(both[1]) == len(rest) and np.array_equal(both[0].time_s, both[1].time_s)


@pytest.mark.parametrize(
    ("odd", "says"),
    [
        (
            Report(3, 25, b"\x00\x01" + bytes(HOUSEKEEPING.dtype.itemsize + 3)),
            "housekeeping packets: expected one length",
        ),
        (Report(5, 1, b"\x03\xe7"), "event 999: expected one of the dictionary"),
        (
            Report(5, 1, b"\x00\x01\x00\x01"),
            "event 1: expected one of the dictionary, found: reason: expected 1 octets",
        ),
        (
            Report(5, 1, b"\x00\x01\x00\x09\x00"),
            "event 1: expected one of the dictionary, found: target: expected STANDBY",
        ),
    ],
)
def test_packets_that_the_dictionary_does_not_describe_are_refused(tmp_path, odd, says):
    class Odd(Recorder):
        def odd(self):
            packet = TelemetryCounter().packet(odd, 0)
            self._writer.add_message(self._telemetry[0], 0, packet, 0)

    with Odd(tmp_path / "record.mcap", NAMES, json.dumps(SCENARIO).encode(), RATE) as recorder:
        recorder.odd()
    with pytest.raises(ConfigError, match=says + ".*another version of the dictionary: run it again"):
        load(tmp_path)


def test_reports_of_other_services_are_no_events(tmp_path):
    class Answered(Recorder):
        def answer(self):
            counter = TelemetryCounter()
            for report in (Report(5, 8, b"\x01\x00\x01"), Report(17, 2), Report(1, 7, b"\x18\x01\xc0\x05")):
                self._writer.add_message(self._telemetry[0], 0, counter.packet(report, 0), 0)

    with Answered(tmp_path / "record.mcap", NAMES, json.dumps(SCENARIO).encode(), RATE) as recorder:
        recorder.answer()
    run = load(tmp_path)
    assert run.terminals[0].events == () and not any("CRC" in note for note in run.notes)


def test_an_empty_record_has_no_time(tmp_path):
    with Recorder(tmp_path / "record.mcap", NAMES, json.dumps(SCENARIO).encode(), RATE):
        pass
    run = load(tmp_path)
    assert run.end_s == 0.0 and not run.cut and all(not len(t.samples) for t in run.terminals)
    assert run.notes == ("There is no summary.json: the run did not come to its end.",)


def test_a_record_that_cannot_be_read_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"expected the folder of a run with record\.mcap, found none"):
        load(tmp_path)
    (tmp_path / "record.mcap").write_bytes(b"not a record at all" * 10)
    with pytest.raises(ConfigError, match="expected an MCAP record"):
        load(tmp_path)
    (tmp_path / "record.mcap").unlink()
    (tmp_path / "record.mcap").mkdir()
    with pytest.raises(ConfigError, match="expected a readable record"):
        load(tmp_path)
