"""Speed of beamlock, each figure beside a limit or a peer that is measured in the same run."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hil.compilation import compile_kernels
from hil.lockstep import Lockstep
from hil.recorder import Recorder
from hil.scenario import load
from hil.world import build

_SCENARIO = "leo_crosslink"
_REPEATS = 3


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table. `wanted` is what the project asks of itself; `ratio` is to `peer`, measured beside it."""

    name: str
    measured: str
    wanted: str
    met: bool
    peer: str
    ratio: float


def figures() -> Iterator[Figure]:
    """Measure one figure after the other, and yield each when it is there."""
    yield from _lockstep()
    yield _first_run()
    yield _help()


def _lockstep() -> Iterator[Figure]:
    """A run with recording on, against the compiled step of the same run without flight software and recorder."""
    compile_kernels()
    scenario = load(_SCENARIO)
    with tempfile.TemporaryDirectory() as folder:

        def recorded() -> float:
            world = build(scenario, scenario.seed, int(scenario.duration_s), Path(folder))
            engine = Lockstep(scenario, world)
            with Recorder(Path(folder) / "record.mcap", world.names, b"{}", scenario.sample_rate_hz) as recorder:
                outcome = engine.run(recorder)
            return outcome.simulated_s / outcome.wall_s

        factor = _best(recorded)

        def bare() -> float:
            world = build(scenario, scenario.seed, int(scenario.duration_s), Path(folder))
            engine = Lockstep(scenario, world)
            begin = time.perf_counter()
            for frame in range(len(world.frames)):
                engine.step_hardware(frame)
            return scenario.duration_s / (time.perf_counter() - begin)

        limit = _best(bare)
    yield Figure(
        f"run {_SCENARIO}, both terminals at 10 kHz, recorded",
        f"{factor:.0f} x real time",
        ">= 100 x",
        factor >= 100.0,
        f"the compiled step and its noise alone, {limit:.0f} x",
        factor / limit,
    )


def _first_run() -> Figure:
    """A process of its own with an empty cache of compiled code: compilation, run and report."""
    with tempfile.TemporaryDirectory() as folder:
        fresh = {**os.environ, "NUMBA_CACHE_DIR": str(Path(folder) / "cache")}
        command = [sys.executable, "-m", "hil.cli", "run", _SCENARIO, "--out", str(Path(folder) / "run")]
        first = _timed(command, fresh)
        second = _timed(command, fresh)
    return Figure(
        "first run on a fresh machine, compilation and report included",
        f"{first:.1f} s",
        "< 60 s",
        first < 60.0,
        f"the same run again, {second:.1f} s",
        first / second,
    )


def _help() -> Figure:
    help_s = min(_timed([sys.executable, "-m", "hil.cli", "--help"], dict(os.environ)) for _ in range(_REPEATS))
    bare_s = min(_timed([sys.executable, "-c", "pass"], dict(os.environ)) for _ in range(_REPEATS))
    return Figure(
        "beamlock --help",
        f"{help_s:.2f} s",
        "< 0.5 s",
        help_s < 0.5,
        f"python -c pass, {bare_s:.2f} s",
        help_s / bare_s,
    )


def _best(measure: Callable[[], float]) -> float:
    return float(np.max([measure() for _ in range(_REPEATS)]))


def _timed(command: list[str], environment: dict[str, str]) -> float:
    begin = time.perf_counter()
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - begin
