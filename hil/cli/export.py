"""`beamlock export`."""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `beamlock export`."""
    parser.epilog = "example: beamlock export runs/leo_crosslink-1 --parquet"
    parser.add_argument("run", type=Path, metavar="RUN", help="the folder of a run")
    kind = parser.add_mutually_exclusive_group(required=True)
    kind.add_argument("--parquet", action="store_true", help="Parquet (needs pyarrow)")
    kind.add_argument("--csv", action="store_true", help="comma-separated values")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where to (default: RUN/export)")


def execute(arguments: argparse.Namespace) -> int:
    """Write the tables and print their paths; what must be known of the record goes to stderr. Returns 0."""
    import sys

    from hil.export import export
    from hil.run_data import load

    run = load(arguments.run)
    for note in run.notes:
        print(f"beamlock: {note}", file=sys.stderr)
    for path in export(run, arguments.out or arguments.run / "export", arguments.parquet):
        print(path)
    return 0
