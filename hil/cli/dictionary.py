"""`beamlock dictionary`."""

import argparse
from pathlib import Path

from flightsw.errors import ConfigError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `beamlock dictionary`."""
    parser.epilog = "example: beamlock dictionary --xtce beamlock.xml"
    form = parser.add_mutually_exclusive_group(required=True)
    form.add_argument("--xtce", type=Path, metavar="FILE", help="write it as XTCE 1.2, for ground systems")
    form.add_argument("--markdown", type=Path, metavar="FILE", help="write it as a page to read")
    form.add_argument("--commands", action="store_true", help="print the names of all commands, one a line")


def execute(arguments: argparse.Namespace) -> int:
    """Write or print it. Returns 0; raises ConfigError for a file that cannot be written."""
    from flightsw.services.dictionary import COMMANDS

    if arguments.commands:
        print("\n".join(sorted(COMMANDS)))
    elif arguments.xtce is not None:
        from hil.xtce import xtce

        _write(arguments.xtce, xtce())
    else:
        from hil.dictionary_reference import markdown

        _write(arguments.markdown, markdown())
    return 0


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: expected a file that can be written, found: {error.strerror}") from None
    print(path)
