"""Emulators on their lines: processes that come and go, the virtual USB bus, and the encoder board's RTL."""

import os
import select
import signal
import subprocess
import sys
from functools import partial
from threading import Event, Thread

import numpy as np
import pytest

from flightsw.ccsds.coding import Randomizer, ReedSolomon, cadu, crc16_rows
from flightsw.errors import BeamlockError, ConfigError, DeviceDisconnected, DeviceNotFound
from hdl.verilated_board import BoardModel
from hil import bodies
from hil.emulators.bus import EmulatorBus
from hil.emulators.emulated import emulated
from hil.emulators.encoder import EncoderBoard
from hil.emulators.process import EmulatorProcess
from hil.emulators.serving import served
from hil.link import DeviceLink
from hil.parts import Joiner
from hil.protocol import Kind
from hil.scenario import load
from hil.transports.in_process import pair

SCENARIO = load("leo_crosslink")
ALPHA = next(iter(SCENARIO.terminals))
#: More than any of this takes; nothing waits so long unless it is broken.
FOREVER_S = 60.0

PARENT = """
from hil.emulators.process import EmulatorProcess
from hil.protocol import Kind
from hil.scenario import load

if __name__ == "__main__":
    scenario = load("leo_crosslink")
    with EmulatorProcess(Kind.LASER, scenario, next(iter(scenario.terminals)), 1) as emulator:
        print(emulator.process_id, flush=True)
        input()
"""


def ended(process: int) -> bool:
    """Whether a process ends, on a descriptor that this process got while it ran."""
    return bool(select.select([process], [], [], FOREVER_S)[0])


def stimulated(link: DeviceLink, rows: np.ndarray) -> bytes:
    """Samples of a quad cell that sees `rows`."""
    link.stimulate(bodies.encode_quad_stimulus(rows))
    (received,) = link.samples
    link.samples.clear()
    return received.samples.octets


def expected(rows: np.ndarray) -> bytes:
    """The same, of an emulator that nobody has asked before."""
    handler = emulated(Kind.QUAD_CELL, SCENARIO, ALPHA, 1).handler
    handler.stimulus(bodies.encode_quad_stimulus(rows))
    return handler.samples


ROWS = np.array([[1e-6, 2e-6, 1e-9, 0.0], [0.0, -1e-6, 1e-9, 1e-9]])


def test_an_emulator_in_a_process_of_its_own_behind_a_pseudo_terminal():
    with EmulatorProcess(Kind.QUAD_CELL, SCENARIO, ALPHA, 1) as emulator:
        with DeviceLink(Kind.QUAD_CELL, emulator.connect, timeout_s=FOREVER_S) as link:
            assert stimulated(link, ROWS) == expected(ROWS)
            emulator.kill()
            with pytest.raises(DeviceDisconnected):
                link.heartbeat()
        with pytest.raises(DeviceNotFound, match=f"emulator of {ALPHA}-quad_cell: expected it to run"):
            link.open()


def test_over_tcp_hosts_come_and_go_and_a_restart_is_where_it_was():
    emulator = EmulatorProcess(Kind.QUAD_CELL, SCENARIO, ALPHA, 1, over="tcp")
    with emulator:
        address = emulator.address
        for _ in range(2):
            with DeviceLink(Kind.QUAD_CELL, emulator.connect, timeout_s=FOREVER_S) as link:
                link.heartbeat()
        link.open()
        emulator.kill()
        with pytest.raises(DeviceDisconnected):
            link.heartbeat()
        with pytest.raises(DeviceNotFound):
            DeviceLink(Kind.QUAD_CELL, address.open).open()
        emulator.start()
        emulator.wait_until_ready()
        assert emulator.address == address
        link.open()
        assert stimulated(link, ROWS) == expected(ROWS)
        link.close()


def test_an_emulator_that_cannot_be_says_why():
    with pytest.raises(BeamlockError, match=f"emulator of gamma-laser: .* expected terminal {ALPHA} or"):
        EmulatorProcess(Kind.LASER, SCENARIO, "gamma", 1).__enter__()
    with pytest.raises(ConfigError, match="emulator of a laser: expected a scenario, found none"):
        served(Kind.LASER, None, ALPHA, 1)


def test_an_emulator_that_dies_before_it_is_ready_is_noticed():
    emulator = EmulatorProcess(Kind.LASER, SCENARIO, ALPHA, 1)
    emulator.start()
    os.kill(emulator.process_id, signal.SIGKILL)
    with pytest.raises(DeviceNotFound, match="expected it to get ready, found that it ended with exit code -9"):
        emulator.wait_until_ready()
    emulator.close()


def test_an_emulator_ends_with_its_parent_however_that_ends(tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    parent = subprocess.Popen([sys.executable, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with parent:
        child = os.pidfd_open(int(parent.stdout.readline()))
        parent.kill()
        assert ended(child)
        os.close(child)


def test_emulators_on_the_bus_are_unplugged_and_plugged_in_again():
    bus = EmulatorBus([Kind.QUAD_CELL, Kind.CAMERA], SCENARIO, ALPHA, 1)
    cell, camera = (DeviceLink(kind, bus.connect(kind)) for kind in (Kind.QUAD_CELL, Kind.CAMERA))
    with cell, camera:
        assert cell.identity.unique_id != camera.identity.unique_id
        assert stimulated(cell, ROWS) == expected(ROWS)
        camera.send(bodies.encode_camera_enable(True))
        camera.stimulate(bodies.encode_exposure(bodies.Exposure(1.5, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, np.inf)))
        joiner = Joiner()
        *_, image = [joiner.push(s.flags, s.octets, s.sequence) for _, s in camera.samples]
        assert bodies.decode_image(image).time_s == 1.5
        bus.unplug(Kind.QUAD_CELL)
        with pytest.raises(DeviceDisconnected):
            cell.heartbeat()
        with pytest.raises(DeviceNotFound):
            cell.open()
        camera.heartbeat()
        bus.plug(Kind.QUAD_CELL)
        cell.open()
        # its noise goes on
        assert stimulated(cell, ROWS) != expected(ROWS)


def test_a_host_that_waits_for_a_silent_device_sleeps(monkeypatch):
    slept = []
    monkeypatch.setattr("time.sleep", slept.append)
    bus = EmulatorBus([Kind.LASER], SCENARIO, ALPHA, 1)
    with DeviceLink(Kind.LASER, bus.connect(Kind.LASER)) as link:
        slept.clear()
        link.heartbeat()
        assert slept == []
        assert link.poll(0.05) == 0
    assert slept == [0.05]


@pytest.fixture(scope="module")
def encoder():
    """A link to an encoder board in another thread; its code is shortened, to be quick."""
    host, end = pair()
    stop = Event()
    model = BoardModel({"INTERLEAVE": 5, "FILL": 1000})
    board = Thread(target=partial(EncoderBoard(model).serve, end, stop))
    board.start()
    with DeviceLink(Kind.ENCODER, lambda: host, timeout_s=FOREVER_S) as link:
        yield link
    stop.set()
    board.join()


def test_the_encoder_board_encodes_at_its_pins(encoder):
    code = ReedSolomon(16, 5, 1000)
    frames = np.random.default_rng(1).integers(0, 256, (3, code.k - 2), dtype=np.uint8)
    check = crc16_rows(frames).astype(">u2").view(np.uint8).reshape(-1, 2)
    line = cadu(Randomizer("131071").apply(code.encode(np.concatenate([frames, check], axis=1)))).tobytes()
    for frame in frames:
        encoder.send(frame.tobytes())
    found = b""
    for _ in range(10_000):
        encoder.poll(0.01)
        found += b"".join(received.samples.octets for received in encoder.samples)
        encoder.samples.clear()
        if len(found) >= len(line):
            break
    assert found == line


def test_the_encoder_board_answers_when_it_has_idled(encoder):
    assert encoder.read(0) == int.from_bytes(b"BLTM", "big")
