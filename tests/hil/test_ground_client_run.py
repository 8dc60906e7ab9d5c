"""A run in a process of its own, commanded over TCP: by an operator's lines, and by what they left in its schedule."""

import json
import re
import socket
import subprocess
import sys

import pytest

from hil.cli import main


def two_free_ports():
    """The first of two ports in a row that nobody has."""
    for _ in range(100):
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            at = first.getsockname()[1]
            try:
                second.bind(("127.0.0.1", at + 1))
            except OSError:
                continue
            return at
    raise AssertionError("no two ports in a row")


@pytest.fixture
def fly(tmp_path):
    """Start a run; its addresses, and what ends it."""
    started = []

    def start(duration_s):
        at = two_free_ports()
        line = ["run", "leo_crosslink", "--ground", f"tcp:{at}", "--duration-s", str(duration_s), "--no-report"]
        run = subprocess.Popen([sys.executable, "-m", "hil.cli", *line, "--out", str(tmp_path / "run")])
        started.append(run)
        return run, [f"tcp:{at}", f"tcp:{at + 1}"]

    yield start
    for run in started:
        run.kill()
        run.wait()


def ground(addresses, *lines):
    does = [word for line in lines for word in ("--do", line)]
    return main(["ground", *addresses, "--scenario", "leo_crosslink", "--wait-s", "60", *does])


def changes(folder):
    """Changes of mode, and when, of each terminal."""
    found = {"alpha": [], "bravo": []}
    for line in (folder / "events.jsonl").read_text().splitlines():
        event = json.loads(line)
        if event["name"] == "MODE_CHANGE":
            found[event["terminal"]].append((event["time_s"], event["text"]))
    return found


def test_an_operator_commands_the_whole_acquisition(fly, tmp_path, capsys):
    run, addresses = fly(8)
    assert ground(addresses, "alpha ACQUIRE", "bravo ACQUIRE", "wait mode=COMM 30") == 0
    printed = capsys.readouterr().out
    assert run.wait() == 0
    summary = json.loads((tmp_path / "run/summary.json").read_text())
    assert summary["acquisition"]["acquired"] and summary["ground"]["alpha"]["packets"] == 1
    for name, told in changes(tmp_path / "run").items():
        assert told[0][1] == "STANDBY -> POINT: commanded to acquire"
        assert told[-1][1] == "FINE_TRACK -> COMM: settled"
        seen = re.findall(rf"^{name} .*MODE_CHANGE: (.*)$", printed, re.M)
        # its last event may have come behind the housekeeping that ended the wait
        assert len(seen) >= len(told) - 1 and seen == [text for _, text in told][: len(seen)]


def test_the_schedule_does_it_unattended(fly, tmp_path, capsys):
    run, addresses = fly(9)
    lines = [f"{name} {line}" for name in ("alpha", "bravo") for line in ("@+1 ACQUIRE", "SCHEDULE_ENABLE")]
    assert ground(addresses, *lines) == 0
    printed = capsys.readouterr().out
    assert run.wait() == 0
    assert json.loads((tmp_path / "run/summary.json").read_text())["goal_met"]
    for name, told in changes(tmp_path / "run").items():
        (at_s,) = re.findall(rf"^{name} .*SCHEDULE_INSERT ACQUIRE role=AS_PLANNED at (\S+) s", printed, re.M)
        assert told[0][1] == "STANDBY -> POINT: commanded to acquire"
        # carried out in the frame after that, obeyed in the next
        assert told[0][0] == pytest.approx(float(at_s), abs=0.021)
        assert told[-1][1] == "FINE_TRACK -> COMM: settled"


def test_nobody_is_there(capsys):
    at = two_free_ports()
    assert main(["ground", f"tcp:{at}", "--do", "SAFE"]) == 3
    assert f"tcp:127.0.0.1:{at}: expected a spacecraft that listens there" in capsys.readouterr().err


@pytest.mark.parametrize("address", ["10015", "tcp:", "udp:1", "tcp:99999"])
def test_what_is_no_address(address, capsys):
    assert main(["ground", address]) == 2
    assert "ground link" in capsys.readouterr().err
