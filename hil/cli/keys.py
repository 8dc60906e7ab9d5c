"""`beamlock keys generate|list|activate|deactivate`. No key is ever printed."""

import argparse
from pathlib import Path

from flightsw.errors import ConfigError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `beamlock keys`."""
    parser.epilog = "example: beamlock keys generate keys --ids 1-8"
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    generate = actions.add_parser("generate", help="a store of fresh keys; give both ends a copy before any is active")
    listing = actions.add_parser("list", help="the keys of a store, each with its state")
    activate = actions.add_parser("activate", help="let keys be used, and begin their counters")
    deactivate = actions.add_parser("deactivate", help="let keys be used no more, ever")
    for sub in (generate, listing, activate, deactivate):
        sub.add_argument("store", type=Path, metavar="FILE")
    generate.add_argument("--ids", default="1-8", metavar="A-B", help="ids, as in 1-8 or 1,2,5 (default 1-8)")
    for sub in (activate, deactivate):
        sub.add_argument("ids", metavar="IDS", help="as in 3 or 1-3")


def execute(arguments: argparse.Namespace) -> int:
    """Do it, and say what was done. Returns 0."""
    from flightsw.services import keys

    store = arguments.store
    if arguments.action == "list":
        for key_id, state in keys.inventory(store).items():
            print(f"{key_id:5d}  {state.value}")
        return 0
    ids = parse_ids(arguments.ids)
    if arguments.action == "generate":
        keys.generate(store, ids)
    else:
        with keys.KeyStore(store) as opened:
            for key_id in ids:
                (opened.activate if arguments.action == "activate" else opened.deactivate)(key_id)
    print(f"{store}: {len(ids)} {'key' if len(ids) == 1 else 'keys'} {arguments.action}d")
    return 0


def parse_ids(text: str) -> list[int]:
    """Key ids from text as `1-3,7`, in order. Raises ConfigError for any other text and for ids beyond 65535."""
    from flightsw.services.keys import LARGEST_KEY_ID

    ids: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.partition("-")
        bounds = (first, last if dash else first)
        if not all(
            each.isascii() and each.isdigit() and len(each) < 6 and int(each) <= LARGEST_KEY_ID for each in bounds
        ):
            raise ConfigError(f"ids: expected numbers of 0 to {LARGEST_KEY_ID}, as in 1-3,7; found {text!r}")
        ids.update(range(int(bounds[0]), int(bounds[1]) + 1))
    if not ids:
        raise ConfigError(f"ids: expected at least one, found {text!r}")
    return sorted(ids)
