"""Builds an RTL module with Verilator and runs its cocotb bench, from plain pytest."""

import hashlib
import json
import os
from collections.abc import Mapping
from fcntl import LOCK_EX, flock
from pathlib import Path

from cocotb_tools.check_results import get_results
from cocotb_tools.runner import get_runner

from hdl.model_library import Parameters, sources
from hdl.toolchain import BUILD, COVERAGE, RTL, WAVES, has_fst, verilator_environment

#: A build is the model of one module with one set of parameters; the same sources build once.
_ARGUMENTS = ["-Wall", "--language", "1364-2005", "-Wno-fatal", "-O3"]


def simulate(
    toplevel: str,
    bench: str,
    parameters: Parameters | None = None,
    settings: Mapping[str, str] | None = None,
    *,
    rtl: Path = RTL,
    seed: int | None = None,
) -> Path:
    """Run every cocotb test of module `bench` on `toplevel`; returns the folder of the run.

    settings: environment variables that the bench reads. With COVERAGE set, lines and toggles are counted, too; with
    WAVES set, waves are kept in the folder of the run, FST where the header lz4.h is there, else VCD. Raises
    ConfigError without a working Verilator, and an AssertionError naming the tests that failed.
    """
    environment = verilator_environment()
    coverage = os.environ.get(COVERAGE)
    waves = WAVES in os.environ
    folder = build_folder(toplevel, parameters or {}, rtl, coverage=coverage is not None, waves=waves)
    before = dict(os.environ)
    os.environ.update({**environment, **(settings or {})})
    # the runner names the results after the test that it finds here, in a folder that it chooses
    os.environ.pop("PYTEST_CURRENT_TEST", None)
    exit_code: object = 0
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
                    *(["--trace-fst"] if waves and has_fst(environment) else []),
                ],
                build_dir=folder,
                waves=waves,
            )
        run = folder / bench.rpartition(".")[2]
        run.mkdir(exist_ok=True)
        plusargs = (
            [] if coverage is None else [f"+verilator+coverage+file+{_data(Path(coverage), run, settings or {})}"]
        )
        try:
            runner.test(
                hdl_toplevel=toplevel,
                test_module=bench,
                build_dir=folder,
                test_dir=run,
                seed=seed,
                waves=waves,
                plusargs=plusargs,
            )
        except SystemExit as end:
            # what the runner makes of a failed test; where there are results, they say more
            exit_code = end.code
    finally:
        os.environ.clear()
        os.environ.update(before)
    results = run / "results.xml"
    assert results.exists(), f"{bench}: the simulator ended with exit code {exit_code} and no results"
    count, failed = get_results(results)
    assert count > 0, f"{bench}: no test ran"
    assert failed == 0, f"{bench}: {failed} of {count} tests failed on {toplevel} with {dict(parameters or {})}"
    return run


def build_folder(toplevel: str, parameters: Parameters, rtl: Path, *, coverage: bool, waves: bool) -> Path:
    """Where the model of these sources and parameters is built."""
    digest = hashlib.sha256(json.dumps([sorted(parameters.items()), coverage, waves]).encode())
    for source in sources(toplevel, rtl):
        digest.update(source.name.encode() + source.read_bytes())
    return (BUILD / f"{toplevel}-{digest.hexdigest()[:12]}").absolute()


def _data(folder: Path, run: Path, settings: Mapping[str, str]) -> Path:
    """The file in `folder` for the coverage of a run, which is known by its model, bench and settings."""
    digest = hashlib.sha256(json.dumps(sorted(settings.items())).encode()).hexdigest()[:12]
    return folder.absolute() / f"{run.parent.name}-{run.name}-{digest}.dat"
