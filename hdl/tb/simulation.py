"""Builds an RTL module with Verilator and runs its cocotb bench, from plain pytest."""

import hashlib
import json
import os
from collections.abc import Mapping
from fcntl import LOCK_EX, flock
from pathlib import Path

from cocotb_tools.check_results import get_results
from cocotb_tools.runner import get_runner

from hdl.toolchain import BUILD, RTL, verilator_environment

Parameters = Mapping[str, int]

#: A build is the model of one module with one set of parameters; the same sources build once.
_ARGUMENTS = ["-Wall", "--language", "1364-2005", "-Wno-fatal", "-O3"]


def simulate(
    toplevel: str,
    bench: str,
    parameters: Parameters | None = None,
    settings: Mapping[str, str] | None = None,
    *,
    rtl: Path = RTL,
    coverage: bool = False,
    waves: bool = False,
    seed: int | None = None,
) -> Path:
    """Run every cocotb test of module `bench` on `toplevel`; returns the folder of the run.

    settings: environment variables that the bench reads. Raises ConfigError without a working Verilator, and an
    AssertionError naming the tests that failed.
    """
    environment = verilator_environment()
    folder = build_folder(toplevel, parameters or {}, rtl, coverage=coverage, waves=waves)
    before = dict(os.environ)
    os.environ.update({**environment, **(settings or {})})
    try:
        runner = get_runner("verilator")
        folder.mkdir(parents=True, exist_ok=True)
        # two tests of one model may start at once, in two processes
        with (folder / "lock").open("w") as lock:
            flock(lock, LOCK_EX)
            runner.build(
                sources=[rtl / f"{toplevel}.v"],
                hdl_toplevel=toplevel,
                includes=[rtl],
                parameters=dict(parameters or {}),
                build_args=[
                    *_ARGUMENTS,
                    "-y",
                    str(rtl),
                    *(["--coverage-line", "--coverage-toggle"] if coverage else []),
                ],
                build_dir=folder,
                waves=waves,
            )
        run = folder / bench.rpartition(".")[2]
        run.mkdir(exist_ok=True)
        results = runner.test(
            hdl_toplevel=toplevel, test_module=bench, build_dir=folder, test_dir=run, seed=seed, waves=waves
        )
    finally:
        os.environ.clear()
        os.environ.update(before)
    count, failed = get_results(Path(results))
    assert count > 0, f"{bench}: no test ran"
    assert failed == 0, f"{bench}: {failed} of {count} tests failed on {toplevel} with {dict(parameters or {})}"
    return run


def build_folder(toplevel: str, parameters: Parameters, rtl: Path, *, coverage: bool, waves: bool) -> Path:
    """Where the model of these sources and parameters is built."""
    digest = hashlib.sha256(json.dumps([sorted(parameters.items()), coverage, waves]).encode())
    for source in sorted(rtl.glob("*.v*")):
        digest.update(source.name.encode() + source.read_bytes())
    return (BUILD / f"{toplevel}-{digest.hexdigest()[:12]}").absolute()
