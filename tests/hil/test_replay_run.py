"""Recorded runs and sessions, played back to the flight software and the drivers of today, and to others."""

import importlib.util
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from mcap.writer import Writer

from flightsw.errors import ConfigError
from hil.attached import AttachedDevices
from hil.bench import Bench
from hil.cli import main
from hil.faults import parse
from hil.protocol import Kind
from hil.recorder import SCENARIO, read
from hil.replay_run import replay
from hil.run import RECORD, Run, run

FOLDER = Path(__file__).with_name("data") / "sessions"
ON_USB = ("steering_mirror", "quad_cell", "gimbal", "camera", "laser", "point_ahead")


def bench(devices: dict[str, str], **keys: object) -> Bench:
    return Bench.model_validate({"name": "b", "description": "", "terminals": {"alpha": devices}, **keys})


def on_usb(*devices: str, timeout_ms: float = 1000) -> Bench:
    return bench(dict.fromkeys(devices, "emulate:usb"), timeout_ms=timeout_ms)


@pytest.fixture(scope="session")
def slow(scenario):
    """`leo_crosslink` at 1 kHz."""
    return scenario("leo_crosslink", {"/sample_rate_hz": 1000})


def two_terminals(*devices: str, over: str = "emulate:usb") -> Bench:
    """Devices of alpha, and the board that closes bravo's fine loop."""
    terminals = {"alpha": dict.fromkeys(devices, over), "bravo": {"fine_loop": over}}
    return Bench.model_validate({"name": "b", "description": "", "timeout_ms": 1000, "terminals": terminals})


@pytest.fixture(scope="session")
def flown(slow, tmp_path_factory) -> Run:
    """Two seconds, in which the gimbals slew."""
    return run(slow, tmp_path_factory.mktemp("flown"), duration_s=2, bench=two_terminals("steering_mirror"))


@pytest.fixture(scope="session")
def acquired(slow, tmp_path_factory) -> Run:
    """Five seconds, to the link."""
    flown = run(slow, tmp_path_factory.mktemp("acquired"), duration_s=5, bench=two_terminals(*ON_USB))
    assert flown.goal_met
    return flown


def assert_identical(flown: Run) -> None:
    found = replay(flown.folder / RECORD)
    assert found.differences == {name: [] for name in flown.summary["devices"]} and found.identical
    # as much was asked again as the run had asked
    assert found.commands == {name: row["requests"] for name, row in flown.summary["devices"].items()}
    assert min(found.commands.values()) > 1
    assert found.simulated_s == flown.summary["performance"]["simulated_s"] and not found.cut


def changed(record: Path, to: Path, change: Callable[[dict], None]) -> Path:
    """A copy of a record with another scenario in it."""
    with to.open("wb") as file:
        writer, channels = Writer(file), {}
        writer.start()
        for message in read(record):
            octets = message.data
            if message.topic == SCENARIO:
                table = json.loads(octets)
                change(table)
                octets = json.dumps(table).encode()
            if message.topic not in channels:
                channels[message.topic] = writer.register_channel(message.topic, "", 0)
            time_ns = round(message.time_s * 1e9)
            writer.add_message(channels[message.topic], time_ns, octets, time_ns)
        writer.finish()
    return to


def test_a_replay_commands_what_was_commanded_to_devices_of_every_kind(acquired):
    assert_identical(acquired)


@pytest.mark.parametrize("devices", [ON_USB, ("fine_loop",)], ids=len)
def test_a_replay_of_faulty_lines(devices, slow, tmp_path):
    by_chance = ("drop=0.02", "corrupt=0.02", "truncate=0.02", "duplicate=0.02", "reorder=0.02", "delay=0.02,15")
    faults = [
        f"alpha.{device}:{fault}" for device in devices for fault in (*by_chance, "disconnect@0.6+0.7", "drift=99")
    ]
    flown = run(slow, tmp_path, duration_s=2, bench=on_usb(*devices, timeout_ms=3), faults=[*map(parse, faults)])
    assert all(row["times_lost"] for row in flown.summary["devices"].values())
    assert any(row["bad_frames"] for row in flown.summary["devices"].values())
    assert_identical(flown)


def test_a_replay_of_wall_time(slow, tmp_path):
    devices = {"steering_mirror": "emulate:usb", "quad_cell": "emulate:pty"}
    flown = run(slow, tmp_path, duration_s=3, bench=bench(devices, timeout_ms=20, real_time={}))
    assert_identical(flown)


def test_a_replay_of_an_encoder_board(slow, tmp_path):
    devices = bench({"encoder": "emulate:pty"}, encoder_rate_mbps=0.5, timeout_ms=2000)
    flown = run(slow, tmp_path, duration_s=6, bench=devices, payload=bytes(range(256)) * 12)
    assert flown.summary["data"]["sha256_match"]
    assert_identical(flown)


def test_a_recording_as_a_binding_is_the_run_again_without_hardware(acquired, slow, tmp_path):
    """Telemetry and truth of both terminals, bit for bit."""
    record = acquired.folder / RECORD
    run(slow, tmp_path, duration_s=5, bench=two_terminals(*ON_USB, over=f"replay:{record}"))

    def seen(record: Path) -> list[tuple[str, float, bytes]]:
        return [(m.topic, m.time_s, m.data) for m in read(record) if m.topic.endswith(("telemetry", "truth"))]

    assert len(seen(record)) > 200
    assert seen(tmp_path / RECORD) == seen(record)


def test_a_recording_that_ends_is_a_device_that_is_gone(flown, slow, tmp_path):
    again = bench({"steering_mirror": f"replay:{flown.folder / RECORD}"}, timeout_ms=5)
    row = run(slow, tmp_path, duration_s=3, bench=again).summary["devices"]["alpha.steering_mirror"]
    assert row["times_lost"] == 1 and not row["in_service"]
    assert row["requests"] == flown.summary["devices"]["alpha.steering_mirror"]["requests"] + 1


def other_gain(scenario: dict) -> None:
    scenario["terminals"]["bravo"]["flight"]["tracking"]["presence_nw"] *= 2


def other_scan(scenario: dict) -> None:
    scenario["terminals"]["alpha"]["flight"]["acquisition"]["scan_speed_mrad_s"] *= 1.5


def test_another_setting_of_the_flight_software_is_a_difference(flown, tmp_path):
    found = replay(changed(flown.folder / RECORD, tmp_path / "other.mcap", other_gain))
    assert not found.identical and found.counts == {"alpha.steering_mirror": 0, "bravo.fine_loop": 1}
    (difference,) = found.differences["bravo.fine_loop"]
    # CONFIGURE, whose first octet is 1
    configured = re.compile(r"packet \d+: DATA flags 3 octets 01")
    assert configured.match(difference.expected) and configured.match(difference.found)
    assert re.match(r"at \d+\.\d{6} s: expected packet \d+: DATA", str(difference))


def test_another_scan_is_a_difference(acquired, tmp_path):
    found = replay(changed(acquired.folder / RECORD, tmp_path / "other.mcap", other_scan))
    assert found.counts["alpha.steering_mirror"] > len(found.differences["alpha.steering_mirror"]) == 10
    assert not found.identical
    assert all(d.expected != d.found for d in found.differences["alpha.steering_mirror"])


def test_the_command_says_whether_commands_are_identical(flown, tmp_path, capsys):
    assert main(["replay", str(flown.folder)]) == 0
    told = capsys.readouterr().out
    assert "commands    identical" in told and "replayed    2 s\n" in told
    other = changed(flown.folder / RECORD, tmp_path / "other.mcap", other_gain)
    assert main(["replay", str(other)]) == 1
    told = capsys.readouterr().out
    assert "commands    differ" in told and re.search(r"1 differ\n    at .* expected packet \d+: DATA", told)


def test_a_record_that_was_cut_is_replayed_as_far_as_it_goes(flown, tmp_path, capsys):
    whole = (flown.folder / RECORD).read_bytes()
    cut = tmp_path / "cut.mcap"
    cut.write_bytes(whole[: len(whole) * 2 // 3])
    assert main(["replay", str(cut)]) == 0
    told = capsys.readouterr().out
    assert "all that there is of a record that was cut" in told and "commands    identical" in told
    found = replay(cut)
    assert found.cut and found.identical and 0.0 < found.simulated_s < 2.0


def test_what_cannot_be_replayed(slow, tmp_path, capsys):
    simulated = run(slow, tmp_path / "simulated", duration_s=1)
    text = tmp_path / "text.mcap"
    text.write_text("not a record")
    for path, found in [
        (simulated.folder, "expected the record of a run with attached devices, found none attached"),
        (text, "expected an MCAP record, found a file that begins with b'not a re'"),
        (tmp_path / "none.mcap", "expected the record of a run, found no file"),
        (tmp_path, "expected the record of a run, found no file"),
    ]:
        assert main(["replay", str(path)]) == 2
        assert found in capsys.readouterr().err


def test_a_scenario_that_is_none_any_more(flown, tmp_path):
    old = changed(flown.folder / RECORD, tmp_path / "old.mcap", lambda scenario: scenario.pop("terminals"))
    with pytest.raises(ConfigError, match="expected a scenario as this version of beamlock has them"):
        replay(old)


def _sessions():
    spec = importlib.util.spec_from_file_location("sessions", FOLDER / "record.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SESSIONS = _sessions()


@pytest.mark.parametrize("kind", list(Kind), ids=lambda kind: kind.label)
def test_a_recorded_session_of_each_kind_is_asked_and_understood_as_it_was(kind):
    path = FOLDER / f"{kind.label}.mcap"
    played = bench({kind.label: f"replay:{path}"}, timeout_ms=SESSIONS.TIMEOUT_MS)
    with AttachedDevices(played, SESSIONS.SCENARIO, 1) as attached:
        results = list(SESSIONS.SESSIONS[kind](attached.of("alpha")[kind]))
    (playback,) = attached.playbacks.values()
    assert playback.differences == [] and playback.is_over and attached.take_events() == []
    (expected,) = (message.data for message in read(path) if message.topic == SESSIONS.RESULTS)
    assert results == json.loads(expected)
    # they show something
    assert len({str(result) for result in results}) > 2
    assert path.stat().st_size < 100_000
