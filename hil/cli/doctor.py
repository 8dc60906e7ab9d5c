"""`beamlock doctor`."""

import argparse
import json
import sys
from collections.abc import Sequence

from hil.doctor import Area, Check, Verdict, examine

_INDENT = 25
_COLOURS = {Verdict.OK: "\033[32m", Verdict.WARN: "\033[33m", Verdict.MISSING: "\033[31m"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `beamlock doctor`."""
    parser.description = (
        "What this machine has of what beamlock can use, and what to do about the rest. A check says ok; warn: works, "
        "but not as well as it could; or missing: that part does not work. The exit code is 0 when nothing is missing "
        "that plain simulation or a part named with --need cannot do without, else 1."
    )
    parser.epilog = "example: beamlock doctor --need serial --need hdl"
    parser.add_argument("--json", action="store_true", help="print the list as JSON")
    parser.add_argument(
        "--need",
        action="append",
        default=[],
        choices=[str(area) for area in Area],
        help="a part that must work too; may be given again",
    )


def execute(arguments: argparse.Namespace) -> int:
    """Check and print. Returns 0, or 1 if something is missing that is needed."""
    needed = {Area.SIMULATION, *map(Area, arguments.need)}
    checks: list[Check] = []
    for check in examine():
        if not arguments.json:
            _print(check, new_area=not checks or checks[-1].area != check.area)
        checks.append(check)
    ready = {area: not any(c.area == area and c.verdict == Verdict.MISSING for c in checks) for area in Area}
    if arguments.json:
        print(json.dumps({"ready": ready, "checks": [_row(check) for check in checks]}, indent=2))
    else:
        _print_sum(checks, [area for area in Area if not ready[area]])
    return 0 if all(ready[area] for area in needed) else 1


def _row(check: Check) -> dict[str, str]:
    return {name: getattr(check, name) for name in ("area", "name", "verdict", "found", "advice")}


def _print(check: Check, new_area: bool) -> None:
    if new_area:
        print(check.area)
    verdict = f"{check.verdict:8}"
    if sys.stdout.isatty():
        verdict = f"{_COLOURS[check.verdict]}{verdict}\033[0m"
    print(f"  {verdict}{check.name:15}{check.found}", flush=True)
    if check.advice:
        print(f"{'':{_INDENT}}-> {check.advice}", flush=True)


def _print_sum(checks: Sequence[Check], broken: Sequence[Area]) -> None:
    counts = ", ".join(f"{sum(check.verdict == verdict for check in checks)} {verdict}" for verdict in Verdict)
    print(f"{counts}; " + (f"does not work: {', '.join(broken)}" if broken else "every part works"))
