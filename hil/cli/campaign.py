"""`beamlock campaign`."""

import argparse
import os
import sys
import time
from pathlib import Path
from typing import Any

EXIT_INTERRUPTED = 130
_COMPARE = "compare"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `beamlock campaign`."""
    parser.epilog = (
        "example: beamlock campaign leo_crosslink --runs 10000 --out campaigns/first "
        "--vary 'both.hardware.platform.initial_error_urad=uniform(100, 300)'"
    )
    parser.usage = "%(prog)s [options] SCENARIO --runs N --out DIR\n       %(prog)s compare DIR DIR"
    parser.add_argument(
        "scenario",
        nargs="+",
        metavar="SCENARIO",
        help="a TOML file, or the name of a shipped one; or compare, and two DIR",
    )
    parser.add_argument("--runs", type=int, metavar="N", help="at each point of the grid")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder of the campaign")
    parser.add_argument("--seed", type=int, metavar="S", help="of the campaign (default: the scenario's)")
    parser.add_argument(
        "--until", choices=("acquired", "end"), default="acquired", help="end of each run (default: acquired)"
    )
    parser.add_argument(
        "--vary",
        action="append",
        default=[],
        metavar="KEY=DISTRIBUTION",
        help="drawn anew for each run: normal(m, s), uniform(a, b), loguniform(a, b), choice(a, b, ...) or a value; "
        "keys as in docs/scenario.md; may be repeated",
    )
    parser.add_argument(
        "--grid", action="append", default=[], metavar="KEY=A,B,C", help="values that are all combined; may be repeated"
    )
    workers = parser.add_mutually_exclusive_group()
    workers.add_argument("--jobs", type=int, metavar="J", help="processes (default: one a CPU)")
    workers.add_argument(
        "--dask", metavar="tcp://HOST:PORT", help="a Dask scheduler, and its workers instead of processes"
    )
    parser.add_argument("--resume", action="store_true", help="go on with the campaign in DIR")
    parser.add_argument("--stop-when", metavar="CONDITION", help='end early, as in "ci(p_acquired) < 0.002"')
    parser.add_argument("--no-report", action="store_true", help="leave out report.html")


def execute(arguments: argparse.Namespace) -> int:
    """Count, and print what came of it. Returns 0, or 130 after Ctrl-C."""
    from flightsw.errors import ConfigError
    from hil.scenario import load
    from hil.variation import assignment, values

    try:
        from hil.campaign import campaign
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"campaign: expected the package {error.name}, found none; pip install 'beamlock[export]'"
        ) from None
    from hil.campaign_plan import Campaign
    from hil.workers import dask, processes

    first, *others = arguments.scenario
    if first == _COMPARE:
        from hil.cli.campaign_compare import compare

        if len(others) != 2:
            raise ConfigError(f"campaign compare: expected the folders of two campaigns, found {len(others)}")
        return compare(Path(others[0]), Path(others[1]))
    if others or arguments.runs is None or arguments.out is None:
        raise ConfigError(
            "campaign: expected one SCENARIO, --runs N and --out DIR; `beamlock campaign --help` shows all"
        )

    for option, value, least in (("runs", arguments.runs, 1), ("seed", arguments.seed, 0), ("jobs", arguments.jobs, 1)):
        if value is not None and value < least:
            raise ConfigError(f"--{option}: expected at least {least}, found {value}")
    scenario = load(first)
    vary = _once("--vary", [assignment("--vary", text, "KEY=normal(5, 1) or the like") for text in arguments.vary])
    grid = _once("--grid", [assignment("--grid", text, "KEY=1,2,3") for text in arguments.grid])
    plan = Campaign(
        scenario=scenario,
        seed=scenario.seed if arguments.seed is None else arguments.seed,
        runs=arguments.runs,
        until=arguments.until,
        grid={key: values(key, text) for key, text in grid.items()},
        vary=vary,
        stop_when=arguments.stop_when,
    )
    workers = processes(arguments.jobs or os.cpu_count() or 1) if arguments.dask is None else dask(arguments.dask)
    begin = time.perf_counter()
    show = (_line, _recorded) if sys.stderr.isatty() else (None, None)
    try:
        try:
            campaign(plan, arguments.out, workers, arguments.resume, *show)
        finally:
            if sys.stderr.isatty():
                print(file=sys.stderr)
    except KeyboardInterrupt:
        print("beamlock: interrupted; what is done is kept, go on with --resume", file=sys.stderr)
        return EXIT_INTERRUPTED
    _print_counts(arguments.out)
    if not arguments.no_report:
        from hil.campaign_report import write_campaign_report

        print(f"report      {write_campaign_report(arguments.out)}")
    print(f"wall time   {time.perf_counter() - begin:.1f} s")
    return 0


def _once(option: str, assignments: list[tuple[str, str]]) -> dict[str, str]:
    from flightsw.errors import ConfigError

    found: dict[str, str] = {}
    for key, value in assignments:
        if key in found:
            raise ConfigError(f"{option} {key}: expected once, found it again")
        found[key] = value
    return found


def _line(p: Any) -> None:
    rate = p.done_now / p.wall_s
    left_s = (p.total - p.done) / rate
    done = f"{p.done} of {p.total} runs, {p.acquired} acquired, {rate:.1f} runs/s, {left_s:.0f} s left"
    print(f"\r{done:79}", end="", file=sys.stderr, flush=True)


def _recorded(done: int, total: int) -> None:
    print(f"\r{f'{done} of {total} failed runs recorded':79}", end="", file=sys.stderr, flush=True)


def _print_counts(folder: Path) -> None:
    import numpy as np
    from pyarrow import parquet

    from hil.campaign_store import TABLE
    from hil.link_simulation import wilson

    columns = ["goal_met", "error", "acquisition.acquired", "acquisition.time_s"]
    table = parquet.read_table(folder / TABLE, columns=columns)
    met, errors, acquired, times = (table[name] for name in columns)
    runs, count = len(table), sum(acquired.to_pylist())
    low, high = wilson(count, runs)
    print(f"runs        {runs}, table {folder / TABLE}")
    print(f"acquired    {count}: {100 * count / runs:.2f} % (95 % interval {100 * low:.2f} to {100 * high:.2f} %)")
    if count:
        time_s = times.drop_null().to_numpy()
        p50, p90, p99 = np.percentile(time_s, (50, 90, 99))
        print(f"time        mean {time_s.mean():.2f} s, half {p50:.2f} s, 90 % {p90:.2f} s, 99 % {p99:.2f} s")
    missed = met.to_pylist().count(False)
    raised = len(errors.drop_null())
    print(f"goal missed {missed}{f', of which {raised} by an error' if raised else ''}")
    if missed:
        print(f"            {folder / 'failed'} has scenario and record of each")
