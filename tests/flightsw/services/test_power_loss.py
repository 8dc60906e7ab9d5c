"""Parameters and the schedule after `kill -9`: what was acknowledged is there, and nothing is half done."""

import random
import signal
import struct
import subprocess
import sys

import pytest

from flightsw.operations import PARAMETERS
from flightsw.services.parameters import Parameters
from flightsw.services.pus.packet import Telecommand
from flightsw.services.pus.schedule import Schedule
from flightsw.services.two_copies import TwoCopies

_USER = """
import struct, sys
from pathlib import Path
from flightsw.operations import PARAMETERS
from flightsw.secret import Secret
from flightsw.services.declarations import time_octets
from flightsw.services.parameters import NOTHING, Parameters
from flightsw.services.pus.packet import Telecommand, build_telecommand
from flightsw.services.pus.schedule import EMPTY, Schedule
from flightsw.services.two_copies import TwoCopies

folder = Path(sys.argv[1])
parameters = Parameters(PARAMETERS, TwoCopies(folder / "parameters", NOTHING))
store = TwoCopies(folder / "schedule", Secret(EMPTY))
schedule = Schedule(lambda octets: store.write(Secret(octets)))
schedule.restore(store.contents.reveal(), 0)
schedule.handle(Telecommand(11, 3), 0)
for k in range(900):
    parameters.set({"pointing_bias_x": k * 1e-6})
    packet = build_telecommand(Telecommand(17, 1, sequence_count=k))
    schedule.handle(Telecommand(11, 4, b"\\x01" + time_octets(1_000_000 + k) + packet), 0)
    if k > 0:
        schedule.handle(Telecommand(11, 5, struct.pack(">BHHH", 1, 0, 1, k - 1)), 0)
    print(k, flush=True)
"""


def _kept(folder):
    """The number that the parameters have, and those of the requests in the schedule."""
    with TwoCopies(folder / "parameters") as store:
        value = Parameters(PARAMETERS, store)["pointing_bias_x"]
    schedule = Schedule(lambda octets: None)
    with TwoCopies(folder / "schedule") as store:
        assert schedule.restore(store.contents.reveal(), 0) == 0
    ((_, _, data),) = schedule.handle(Telecommand(11, 17), 0)
    return round(value * 1e6), [number for _, _, _, number in struct.iter_unpack(">7sHHH", data[1:])]


def _kill_users(folder, kills):
    rng = random.Random(1)
    for _ in range(kills):
        command = [sys.executable, "-c", _USER, str(folder)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            acknowledged = [int(process.stdout.readline()) for _ in range(rng.randrange(1, 40))]
            process.send_signal(signal.SIGKILL)
            rest = process.stdout.read()
        acknowledged += [int(line) for line in rest.splitlines(keepends=True) if line.endswith("\n")]
        last = acknowledged[-1]
        value, requests = _kept(folder)
        assert value in (last, last + 1)
        assert requests in ([last], [last, last + 1], [last + 1])


def test_what_was_acknowledged_outlives_a_kill(tmp_path):
    _kill_users(tmp_path, 2)


@pytest.mark.slow
def test_what_was_acknowledged_outlives_a_hundred_kills(tmp_path):
    _kill_users(tmp_path, 100)
