"""`beamlock validate`."""

import argparse
import os
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `beamlock validate`."""
    parser.epilog = "example: beamlock validate --quick --only 1 11"
    parser.add_argument("--quick", action="store_true", help="fewer samples: less than a minute on two cores")
    parser.add_argument("--only", type=int, nargs="+", metavar="N", help="these checks alone")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="J", help="processes (default: cores)")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the tables to FILE")


def execute(arguments: argparse.Namespace) -> int:
    """Check and print. Returns 0, or 1 if a check fails."""
    from flightsw.errors import ConfigError
    from hil.validation.suite import CHECKS, findings, interval, markdown, number, verdict
    from hil.workers import processes

    known = [check.number for check in CHECKS]
    wanted = known if arguments.only is None else sorted(set(arguments.only))
    unknown = [n for n in wanted if n not in known]
    if unknown:
        raise ConfigError(f"--only: expected checks from {known[0]} to {known[-1]}, found {unknown[0]}")
    if arguments.jobs < 1:
        raise ConfigError(f"--jobs: expected 1 or more, found {arguments.jobs}")
    if arguments.markdown is not None:
        # before the minutes that it takes to have something to write
        try:
            arguments.markdown.open("a").close()
        except OSError as error:
            raise ConfigError(
                f"--markdown {arguments.markdown}: expected a file that can be written, found: {error.strerror}"
            ) from None

    jobs = min(arguments.jobs, len(wanted))
    print(f"{len(wanted)} checks on {jobs} processes", flush=True)
    found = []
    for finding in findings(wanted, arguments.quick, processes(jobs)):
        found.append(finding)
        check = finding.check
        print(
            f"{check.number:2}. {check.title}: {verdict(finding.holds)}, {finding.wall_s:.1f} s, "
            f"{len(found)} of {len(wanted)}"
        )
        for figure in finding.figures:
            name = f"{figure.name} [{figure.unit}]" if figure.unit else figure.name
            print(
                f"    {verdict(figure.holds)}  {name}: {number(figure.measured.value)} "
                f"({interval(figure.measured)}), expected {figure.wanted}",
                flush=True,
            )
    found.sort(key=lambda finding: finding.check.number)
    failed = [finding.check.number for finding in found if not finding.holds]
    if arguments.markdown is not None:
        arguments.markdown.write_text(markdown(found, arguments.quick))
    print(f"failed: {', '.join(map(str, failed))}" if failed else "all checks hold")
    return 1 if failed else 0
