"""`beamlock ground`."""

import argparse
import sys
from collections import deque
from contextlib import ExitStack
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `beamlock ground`."""
    parser.description = (
        "Command spacecraft that `beamlock run SCENARIO --ground ADDRESS` flies, and see what they tell. On a terminal "
        "with a prompt, else line by line from standard input, up to the first line that fails."
    )
    parser.epilog = 'example: beamlock ground tcp:10015 tcp:10016 --do "alpha ACQUIRE AS_PLANNED"'
    parser.add_argument("addresses", nargs="+", metavar="ADDRESS", help="tcp:PORT, tcp:HOST:PORT or udp:PORT,PORT")
    parser.add_argument("--do", action="append", default=[], metavar="LINE", help="carry this out, then leave")
    parser.add_argument("--scenario", metavar="SCENARIO", help="that has the names of the spacecraft")
    parser.add_argument("--keys", type=Path, metavar="FILE", help="the ground's key store, for links with security")
    parser.add_argument("--first-key", type=int, default=1, metavar="N", help="of the first spacecraft (default 1)")
    parser.add_argument("--files", type=Path, metavar="DIR", help="where files go, in a folder for each spacecraft")
    parser.add_argument("--wait-s", type=float, default=0.0, metavar="S", help="for a run that is still to start")


def execute(arguments: argparse.Namespace) -> int:
    """Command and look. Returns 0, or 1 if a line failed."""
    from flightsw.services.ground_channel import KEYS
    from flightsw.services.keys import KeyStore
    from hil.ground import port
    from hil.ground.client.contact import Contact
    from hil.ground.client.note import Note
    from hil.ground.client.script import follow, lines_of
    from hil.ground.client.session import Session

    addresses = [port.parse(text) for text in arguments.addresses]
    names = {} if arguments.scenario is None else _names(arguments.scenario)
    notes: deque[Note] = deque()
    with ExitStack() as stack:
        keys = None if arguments.keys is None else stack.enter_context(KeyStore(arguments.keys))
        session = Session(
            [
                Contact(address, notes, names, arguments.first_key + KEYS * i, keys, arguments.keys, arguments.files)
                for i, address in enumerate(addresses)
            ],
            notes,
        )
        stack.enter_context(session)
        session.hear_all(arguments.wait_s)
        if arguments.do:
            return follow(session, arguments.do)
        if sys.stdin.isatty() and sys.stdout.isatty():
            from hil.ground.client.screen import interact

            interact(session)
            return 0
        return follow(session, lines_of(session, sys.stdin.fileno()))


def _names(scenario: str) -> dict[int, str]:
    from hil.scenario import load

    return {terminal.flight.spacecraft_id: name for name, terminal in load(scenario).terminals.items()}
