"""`beamlock replay`."""

import argparse
import sys
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `beamlock replay`."""
    parser.epilog = "example: beamlock run leo_crosslink --bench serial --out runs/bench && beamlock replay runs/bench"
    parser.add_argument(
        "run", type=Path, metavar="RUN", help="the folder of a run with attached devices, or its record"
    )


def execute(arguments: argparse.Namespace) -> int:
    """Replay and print what differs. Returns 0, or 1 if anything does."""
    from hil.cli.progress import bar
    from hil.replay_run import replay
    from hil.run import RECORD

    path = arguments.run / RECORD if arguments.run.is_dir() else arguments.run
    show = bar(None)
    found = replay(path, show)
    if show is not None:
        print(file=sys.stderr)
    for name, count in found.counts.items():
        print(f"{name:22} {found.commands[name]} messages, {count} differ")
        if name in found.unplayed:
            print("    not all that was recorded was asked for: commands are missing")
        for difference in found.differences[name]:
            print(f"    {difference}")
    print(f"replayed    {found.simulated_s:g} s{', all that there is of a record that was cut' if found.cut else ''}")
    print(f"commands    {'identical' if found.identical else 'differ'}")
    return 0 if found.identical else 1
