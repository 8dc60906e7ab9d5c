"""`beamlock emulate`: what it prints is what a host opens, until Ctrl-C."""

import signal
import socket
import subprocess
import sys

import pytest

from hil.bodies import Register
from hil.cli import main
from hil.link import DeviceLink
from hil.protocol import Kind
from hil.transports import address


def emulating(*arguments: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "hil.cli", "emulate", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@pytest.mark.parametrize("over", ["pty", "tcp"])
def test_the_address_that_it_prints_leads_to_the_device_until_ctrl_c(over, tmp_path):
    link_to_it = tmp_path / "mirror"
    line = ["--pty", str(link_to_it)] if over == "pty" else ["--tcp", f"127.0.0.1:{free_port()}"]
    with emulating("steering_mirror", *line, "--terminal", "bravo", "--seed", "3") as emulator:
        printed = emulator.stdout.readline().strip()
        assert printed == (f"serial:{link_to_it}?baud=115200" if over == "pty" else f"tcp:{line[1]}")
        with DeviceLink(Kind.STEERING_MIRROR, address.parse(printed).open, timeout_s=10.0) as link:
            assert link.read(Register.LIMIT_NRAD) == 1_500_000
        emulator.send_signal(signal.SIGINT)
        assert emulator.wait() == 0
        assert emulator.stdout.read() == emulator.stderr.read() == ""
    assert not link_to_it.is_symlink()


@pytest.mark.parametrize(
    ("arguments", "code", "what"),
    [
        (["laser", "--pty", "--scenario", "nowhere"], 2, "scenario nowhere: expected a TOML file or one of"),
        (["laser", "--pty", "--terminal", "gamma"], 2, "leo_crosslink: expected terminal alpha or bravo, found gamma"),
        (["laser", "--pty", "--seed", "-1"], 2, "--seed: expected 0 or more, found -1"),
        (["laser", "--tcp", "nowhere"], 2, "expected host and port, as in tcp:localhost:5000, found 'nowhere'"),
        (["laser", "--pty", "/nowhere/laser"], 3, "pty:/nowhere/laser: expected a place for a link to"),
    ],
)
def test_bad_input_is_one_line(arguments, code, what, capsys):
    assert main(["emulate", *arguments]) == code
    error = capsys.readouterr().err
    assert what in error
    assert error.count("\n") == 1


def test_a_port_in_use_is_said_to_be(capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["emulate", "laser", "--tcp", f"127.0.0.1:{port}"]) == 3
    assert f"tcp:127.0.0.1:{port}: expected a port to listen at, found" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["laser"], ["sextant", "--pty"], ["laser", "--pty", "x", "--tcp", "y:1"]])
def test_usage_is_shown_where_it_is_not_followed(arguments, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["emulate", *arguments])
    assert stopped.value.code == 2
    assert "usage: beamlock emulate" in capsys.readouterr().err
