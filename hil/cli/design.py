"""`beamlock design`."""

import argparse
from pathlib import Path
from typing import Any


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `beamlock design`."""
    parser.epilog = "example: beamlock design scan leo_crosslink --objective p99"
    aids = parser.add_subparsers(dest="aid", metavar="AID", required=True)
    scan = aids.add_parser(
        "scan", help="pitch, speed, radius and dwell of the search that takes least, and runs around it"
    )
    scan.add_argument("scenario", metavar="SCENARIO", help="a TOML file, or the name of a shipped one")
    scan.add_argument(
        "--objective", choices=("mean", "p99"), default="mean", help="of the acquisition time (default: mean)"
    )
    scan.add_argument("--runs", type=int, default=200, metavar="N", help="at each point (default: 200)")
    scan.add_argument("--jobs", type=int, metavar="J", help="processes (default: one a CPU)")
    scan.add_argument("--out", type=Path, metavar="DIR", help="keep the tables of the runs there")
    loop = aids.add_parser("loop", help="residual against gain, rate and delay for each controller, with margins")
    loop.add_argument("scenario", metavar="SCENARIO", help="a TOML file, or the name of a shipped one")
    loop.add_argument("--terminal", metavar="NAME", help="whose loop (default: the first terminal's)")
    loop.add_argument("--out", type=Path, metavar="DIR", help="write loop.html and loop.png there")


def execute(arguments: argparse.Namespace) -> int:
    """Print the design. Returns 0, or 1 if the runs do not confirm it."""
    from hil.scenario import load

    scenario = load(arguments.scenario)
    return _scan(scenario, arguments) if arguments.aid == "scan" else _loop(scenario, arguments)


def _scan(scenario: Any, arguments: argparse.Namespace) -> int:
    import os
    from tempfile import TemporaryDirectory

    from flightsw.errors import ConfigError
    from hil.workers import processes

    try:
        from hil.design import scan
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"design scan: expected the package {error.name}, found none; pip install 'beamlock[export]'"
        ) from None
    for option, value in (("runs", arguments.runs), ("jobs", arguments.jobs)):
        if value is not None and value < 1:
            raise ConfigError(f"--{option}: expected at least 1, found {value}")
    search, objective = scan.observe(scenario), arguments.objective
    now, then = scan.present(search), scan.best(search, objective)
    limits = scan.limits(search)
    print(f"{'':22}{'present':>10}{'best':>10}{'limit':>10}")
    for name, value in now.values.items():
        print(f"{name:22}{value:10.4g}{then.values[name]:10.4g}{limits[name]:10.4g}")
    for label, p in (("mean", None), ("90 %", 0.9), ("99 %", 0.99)):
        a, b = (d.predicted.mean if p is None else d.predicted.quantile(p) for d in (now, then))
        print(f"{f'{label} by the formulas':22}{a:8.2f} s{b:8.2f} s")
    print(f"of which {search.pointed_s:.2f} s to point; radius in units of the uncertainty", flush=True)
    with TemporaryDirectory() as folder:
        workers = processes(arguments.jobs or os.cpu_count() or 1)
        at_present, around = scan.confirm(scenario, (now, then), arguments.runs, arguments.out or Path(folder), workers)
    print(f"\n{f'{arguments.runs} runs each':22}{'acquired':>10}{objective + ' [s]':>10}  95 % interval")
    for label, point in (("present", at_present), ("best", around[0]), *(("beside", p) for p in around[1:])):
        low, high = point.interval(objective)
        value = float(scan.STATISTICS[objective](point.times))
        where = "" if label != "beside" else ", ".join(f"{name} {v:g}" for name, v in point.values.items())
        print(f"{label:22}{point.acquired:10}{value:10.2f}  {low:.2f} to {high:.2f}  {where}".rstrip())
    return verdict(at_present, around, objective)


def verdict(at_present: Any, around: list[Any], objective: Any) -> int:
    """Print whether runs confirm the first point of `around` as the best. Returns 0 if they do, else 1."""
    from hil.design.scan import better

    best, beside = around[0], around[1:]
    # so many neighbours are given so many chances
    winners = [point for point in beside if better(point, best, objective, 1.0 - 0.05 / len(beside))]
    if better(at_present, best, objective, 0.95):
        print("not confirmed: the present search takes less")
        return 1
    if winners:
        where = "; ".join(", ".join(f"{name} {value:g}" for name, value in point.values.items()) for point in winners)
        print(f"not confirmed: it takes less at {where}")
        return 1
    gain = (
        "less than the present search" if better(best, at_present, objective, 0.95) else "as much as the present search"
    )
    print(f"confirmed: the best takes {gain}, and no neighbour takes less")
    return 0


def _loop(scenario: Any, arguments: argparse.Namespace) -> int:
    from hil.design import loop_page
    from hil.design.loop import LAWS, design, loop_of

    swept = loop_of(scenario, arguments.terminal)
    designs = [design(swept, law) for law in LAWS]
    rows = [loop_page.HEAD, *map(loop_page.row, designs)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(loop_page.HEAD))]
    for row in rows:
        print(
            row[0].ljust(widths[0]),
            *(text.rjust(width) for text, width in zip(row[1:], widths[1:], strict=True)),
            sep="  ",
        )
    rate, delay = swept.rate_hz / 1e3, swept.settings.loop_delay_samples
    print(f"at {rate:g} kHz and {delay} samples of delay, per axis; the scenario flies {LAWS[swept.settings.law]}")
    if arguments.out is not None:
        name = arguments.terminal or next(iter(scenario.terminals))
        loop_page.write(swept, designs, f"{scenario.name}, {name}", arguments.out)
        print(f"report      {arguments.out / 'loop.html'}")
    return 0
