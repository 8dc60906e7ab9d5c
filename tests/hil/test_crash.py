"""Recorded runs in processes of their own, killed at random moments: what their records are good for afterwards."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from hil.bench import Bench
from hil.cli import main
from hil.recorder import is_complete, read
from hil.replay_run import replay
from hil.run import RECORD, run
from hil.run_data import load
from hil.scenario import load as scenario

RATE = 1000
SCENARIO = scenario("leo_crosslink")
#: The last second after whose report a run is killed.
LAST = 3
#: Of the run that nobody kills: long enough to hold what the others recorded.
WHOLE_S = LAST + 4
BENCHES = {
    "usb": {
        "alpha": dict.fromkeys(("steering_mirror", "quad_cell", "gimbal", "camera", "laser"), "emulate:usb"),
        "bravo": {"fine_loop": "emulate:usb"},
    },
    "real_time": {"alpha": {"steering_mirror": "emulate:pty", "quad_cell": "emulate:tcp"}},
}
#: Devices that are talked to in every frame.
BUSY = {
    "usb": ("alpha/steering_mirror", "alpha/quad_cell", "alpha/gimbal", "bravo/fine_loop"),
    "real_time": ("alpha/steering_mirror", "alpha/quad_cell"),
}
CHILD = """
import sys
from pathlib import Path
from hil.bench import Bench
from hil.run import run
from hil.scenario import load
if __name__ == "__main__":
    bench = Bench.model_validate_json(sys.argv[2])
    tell = lambda now_s, _: print(now_s, flush=True)
    run(load("leo_crosslink"), Path(sys.argv[1]), duration_s=float(sys.argv[3]), bench=bench, progress=tell)
"""


def bench(name: str) -> dict[str, object]:
    table = {"name": name, "description": "", "sample_rate_hz": RATE, "terminals": BENCHES[name]}
    return table | ({"real_time": {}} if name == "real_time" else {})


def killed(name: str, moment: int, folder: Path) -> float:
    """The last second that a run reported before it was killed: a random time after a random one."""
    rng = np.random.default_rng(moment)
    script = folder / "child.py"
    script.write_text(CHILD)
    command = [sys.executable, str(script), str(folder), json.dumps(bench(name)), str(WHOLE_S)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        begin = time.perf_counter()
        for _ in range(rng.integers(1, LAST, endpoint=True)):
            reported_s = float(child.stdout.readline())
            begin, before = time.perf_counter(), begin
        # the first one took as long as the program needs to start
        time.sleep(rng.uniform(0.0, min(1.0, begin - before)))
        child.kill()
        # there is an end to read once all are gone that could write, the emulators' processes among them
        rest = child.stdout.read().split()
    assert child.returncode == -signal.SIGKILL
    return float(rest[-1]) if rest else reported_s


def check(name: str, folder: Path, reported_s: float, capsys: pytest.CaptureFixture[str]) -> None:
    """Hold what a killed run left behind against what it had reported by then."""
    path = folder / RECORD
    assert not is_complete(path)
    data = load(folder)
    assert data.cut and data.summary is None
    assert data.notes[0] == f"The record was cut: it reaches {data.end_s:.1f} s of the {WHOLE_S} s asked for."
    # it may have been killed between the record of a second and the report
    samples = round(data.end_s * RATE)
    assert samples in (reported_s * RATE, (reported_s + 1.0) * RATE)
    for terminal in data.terminals:
        assert len(terminal.samples) == len(terminal.truth) == samples
        assert terminal.housekeeping_time_s.tolist() == [k / 10 for k in range(1, samples * 10 // RATE + 1)]
    times: dict[str, list[float]] = {}
    for message in read(path):
        times.setdefault(message.topic, []).append(message.time_s)
    for device in BUSY[name]:
        assert np.round(times[f"{device}/traffic"], 9).tolist() == [
            k / 100 for k in range(1, samples * 100 // RATE + 1)
        ]
    assert max(map(max, times.values())) < data.end_s + 1e-9

    assert main(["export", str(folder), "--csv"]) == 0
    assert "The record was cut" in capsys.readouterr().err
    for table in ("fine_samples", "truth"):
        assert len((folder / "export" / f"alpha_{table}.csv").read_text().splitlines()) == 1 + samples

    again = replay(path)
    assert again.cut and again.simulated_s == pytest.approx(data.end_s)
    assert again.identical, again.differences
    assert {device.replace("/", ".") for device in BUSY[name]} <= set(again.commands)
    assert all(again.commands.values())


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """What the same run records that nobody kills, but for the traffic's octets, which have time tags."""
    folder = tmp_path_factory.mktemp("whole")
    run(SCENARIO, folder, duration_s=WHOLE_S, bench=Bench.model_validate(bench("usb")))
    return messages(folder)


def messages(folder: Path) -> list[tuple[str, float, bytes]]:
    return [(m.topic, m.time_s, b"" if m.topic.endswith("/traffic") else m.data) for m in read(folder / RECORD)]


@pytest.mark.parametrize("moment", [0, 1, *(pytest.param(k, marks=pytest.mark.slow) for k in range(2, 45))])
def test_a_killed_run_leaves_all_but_its_last_second(moment, whole, tmp_path, capsys):
    check("usb", tmp_path, killed("usb", moment, tmp_path), capsys)
    left = messages(tmp_path)
    assert left == whole[: len(left)]


@pytest.mark.parametrize("moment", [47, *(pytest.param(k, marks=pytest.mark.slow) for k in (45, 46, 48, 49))])
def test_so_does_one_in_wall_time(moment, tmp_path, capsys):
    check("real_time", tmp_path, killed("real_time", moment, tmp_path), capsys)
