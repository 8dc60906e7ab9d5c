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
    """Write the tables and print their paths. Returns 0."""
    from hil.export import export

    for path in export(arguments.run, arguments.out or arguments.run / "export", arguments.parquet):
        print(path)
    return 0
