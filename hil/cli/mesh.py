"""`beamlock mesh`."""

import argparse
import os
import sys
from pathlib import Path
from typing import Any


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `beamlock mesh`."""
    parser.epilog = "example: beamlock mesh small_72 --seed 7 --out meshes/first"
    parser.add_argument("scenario", nargs="?", metavar="SCENARIO", help="a TOML file, or the name of a shipped one")
    parser.add_argument("--list", action="store_true", help="list the shipped scenarios")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder (default: runs/SCENARIO-SEED)")
    parser.add_argument("--seed", type=int, metavar="N", help="seed of everything random (default: the scenario's)")
    parser.add_argument("--duration-s", type=float, metavar="S", help="simulated time (default: the scenario's)")
    parser.add_argument(
        "--links", metavar="TIMES", help="acquisition times: measured, zero, or the campaign.parquet of a campaign"
    )
    parser.add_argument("--no-report", action="store_true", help="leave out report.html")
    parser.add_argument("--runs", type=int, metavar="N", help="a campaign: N simulations, each with a seed of its own")
    parser.add_argument("--jobs", type=int, metavar="J", help="processes of a campaign (default: one a CPU)")
    parser.add_argument(
        "--dask", metavar="tcp://HOST:PORT", help="a Dask scheduler, and its workers instead of processes"
    )
    parser.add_argument("--link", metavar="A,B", help="write scenario.toml of two satellites for `beamlock run`")
    parser.add_argument("--at-s", type=float, default=0.0, metavar="S", help="of --link: not before (default: 0)")


def execute(arguments: argparse.Namespace) -> int:
    """Simulate, and print what came of it. Returns 0."""
    from flightsw.errors import ConfigError
    from hil.mesh_scenario import load, shipped

    if arguments.list:
        for name, description in shipped().items():
            print(f"{name:16} {description}")
        return 0
    if arguments.scenario is None:
        raise ConfigError("mesh: expected a SCENARIO, found none; `beamlock mesh --list` shows those that ship")
    for option, least in (("seed", 0), ("runs", 1), ("jobs", 1), ("at_s", 0)):
        value = getattr(arguments, option)
        if value is not None and value < least:
            raise ConfigError(f"--{option.replace('_', '-')}: expected at least {least}, found {value:g}")
    scenario = _changed(load(arguments.scenario), arguments)
    folder = arguments.out or Path("runs") / f"{scenario.name}-{scenario.seed}"
    if arguments.link is not None:
        return _link(scenario, arguments.link, arguments.at_s, folder)
    if arguments.runs is not None:
        return _campaign(scenario, arguments, folder)
    return _run(scenario, folder, not arguments.no_report)


def _changed(scenario: Any, arguments: argparse.Namespace) -> Any:
    """The scenario with what the command line says instead, checked again."""
    from pydantic import ValidationError

    from flightsw.errors import ConfigError
    from hil.configuration import first_problem

    table = scenario.model_dump()
    for key in ("seed", "duration_s"):
        value = getattr(arguments, key)
        if value is not None:
            table[key] = value
    if arguments.links is not None:
        table["links"]["acquisition"] = arguments.links
    try:
        return type(scenario).model_validate(table)
    except ValidationError as error:
        raise ConfigError(f"{arguments.scenario}: {first_problem(error)}") from None


def _run(scenario: Any, folder: Path, report: bool) -> int:
    from hil.cli.progress import bar
    from hil.mesh import run_mesh

    show = bar(scenario.duration_s)
    finished = run_mesh(scenario, folder, show)
    if show is not None:
        print(file=sys.stderr)
    _print_summary(finished.summary)
    if report:
        from hil.mesh_report import write_report

        print(f"report      {write_report(folder, finished.record, finished.summary, scenario)}")
    return 0


def _link(scenario: Any, names: str, at_s: float, folder: Path) -> int:
    from flightsw.errors import ConfigError
    from hil.failed_run import SCENARIO, as_toml
    from hil.mesh_link import link_scenario

    pair = names.split(",")
    if len(pair) != 2:
        raise ConfigError(f"--link {names}: expected two satellites, A,B, found {len(pair)}")
    found = link_scenario(scenario, pair[0].strip(), pair[1].strip(), at_s)
    path = folder / SCENARIO
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(as_toml(found))
    except OSError as error:
        raise ConfigError(f"{path}: expected a file that can be written, found: {error.strerror}") from None
    print(f"scenario    {path}, {found.description}")
    print(f"            beamlock run {path}")
    return 0


def _campaign(scenario: Any, arguments: argparse.Namespace, folder: Path) -> int:
    import numpy as np

    from hil.mesh_campaign import TABLE, mesh_campaign
    from hil.mesh_tables import require_pyarrow
    from hil.workers import dask, processes

    require_pyarrow()
    runs = arguments.runs
    workers = processes(arguments.jobs or os.cpu_count() or 1) if arguments.dask is None else dask(arguments.dask)
    show = sys.stderr.isatty()

    def progress(done: int) -> None:
        print(f"\r{done} of {runs} runs", end="\n" if done == runs else "", file=sys.stderr, flush=True)

    rows = mesh_campaign(scenario, runs, folder, workers, progress if show else None)
    print(f"runs        {runs}, table {folder / TABLE}")
    for key, name, scale, unit in (
        ("crosslinks.availability.mean", "crosslinks", 100.0, "% up"),
        ("pairs.availability.least", "least pair", 100.0, "% served"),
        ("recovery.longest_s", "longest gap", 1.0, "s"),
    ):
        values = scale * np.array([row[key] for row in rows if row[key] is not None], np.float64)
        if values.size:
            print(f"{name:11} {values.mean():.4g} {unit}, {values.min():.4g} to {values.max():.4g}")
    return 0


def _print_summary(summary: dict[str, Any]) -> None:
    crosslinks, recovery, resilience = summary["crosslinks"], summary["recovery"], summary["resilience"]
    share = ", ".join(f"{100 * part:.2f} % {name}" for name, part in crosslinks["state_share"].items() if part)
    drops = ", ".join(f"{count} {cause}" for cause, count in crosslinks["drops"].items()) or "none"
    print(f"mesh        {summary['satellites']} satellites, {summary['ground_points']} ground points")
    print(f"crosslinks  {crosslinks['pairs']}: {share}; drops: {drops}")
    served = [pair for pair in summary["pairs"].values() if pair["latency_ms"] is not None]
    faster = sum(pair["latency_ms"]["median"] < pair["fibre_ms"] for pair in served)
    worst = min((pair["availability"] or 0.0 for pair in summary["pairs"].values()), default=0.0)
    print(f"pairs       {len(summary['pairs'])}: {faster} faster than fibre, least availability {100 * worst:.4f} %")
    for name, flow in summary["flows"].items():
        latency = flow["latency_ms"]
        one_way = "nothing arrived" if latency is None else f"{latency['median']:.2f} ms, 99 % {latency['p99']:.2f} ms"
        print(f"flow        {name}: {flow['throughput_mbps']:.0f} Mb/s, lost {100 * flow['loss']:.3f} %, {one_way}")
    longest = "none" if recovery["longest_s"] is None else f"the longest {recovery['longest_s']:.2f} s"
    print(f"gaps        {recovery['gaps']} after the start of {recovery['start_s']:.0f} s, {longest}")
    from hil.mesh_summary import LOSSES

    single, lost = resilience["single_satellite"], resilience["connected_after_loss"]
    recovered = single["recovery_longest_s"]
    again = "" if recovered is None else f", new routes within {recovered:.2f} s"
    print(f"one lost    parts {single['pairs_parted']} pairs{again}")
    for figure, what in (("least", "pairs connected at once"), ("least_restored", "and when planned anew")):
        kinds = [f"{kind} {100 * lost[kind][figure]:.1f} %" for kind in LOSSES if figure in lost.get(kind, ())]
        if kinds:
            print(f"{lost['satellites']:<4} lost    {what}, at least: {', '.join(kinds)}")
    performance = summary["performance"]
    print(f"speed       {summary['duration_s']:g} s in {performance['wall_s']:.1f} s")
