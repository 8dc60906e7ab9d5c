"""The command `beamlock`. Only the subcommand that is asked for is imported, so help is there at once."""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from flightsw.errors import BeamlockError, DeviceError
from hil.linear_algebra import on_one_thread

_COMMANDS = {
    "run": "one run of a scenario, with a report",
    "campaign": "ten thousand runs of a scenario, counted",
    "mesh": "a constellation of terminals as one network: latency, availability, resilience",
    "validate": "the models against formulas and published figures, a table",
    "design": "the best search, and the fine loop against gain, rate and delay, of a scenario",
    "link": "encode, decode or simulate a link by its profile",
    "replay": "the flight software again on a run's recorded traffic, its commands compared",
    "export": "a run's record as Parquet or CSV",
    "hdl": "the encoder's Verilog: list, lint, test, prove, synthesise, build for a board",
    "devices": "serial ports and USB devices that are there, and who answers at an address",
    "emulate": "a device, simulated or in RTL, behind a pseudo-terminal or TCP",
    "ground": "command spacecraft in flight and see what they tell: a small operator's client",
    "dictionary": "commands, telemetry, events and parameters as XTCE or Markdown",
    "keys": "keys of the security of frames: generate, list, activate, deactivate",
    "doctor": "what this machine has for simulation, real time, serial, USB and HDL, and what to do about the rest",
    "benchmark": "speed, side by side with limits and peers",
}
_EXAMPLE = "example: beamlock run leo_crosslink --seed 7 --out runs/first"
EXIT_GOAL_MISSED, EXIT_BAD_INPUT, EXIT_DEVICE = 1, 2, 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code: 0, 1 goal missed, 2 bad input, 3 a device failed."""
    on_one_thread()
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    parser = argparse.ArgumentParser(
        prog="beamlock",
        description="Flight software for laser communication terminals, in the loop with a simulator or hardware.",
        epilog=_EXAMPLE,
    )
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    asked = next((word for word in arguments if not word.startswith("-")), None)
    for name, summary in _COMMANDS.items():
        sub = commands.add_parser(name, help=summary, description=summary.capitalize() + ".")
        if name == asked:
            import_module(f"hil.cli.{name}").add_arguments(sub)
    parsed = parser.parse_args(arguments)
    try:
        return int(import_module(f"hil.cli.{parsed.command}").execute(parsed))
    except BeamlockError as error:
        if parsed.debug:
            raise
        print(f"beamlock: {error}", file=sys.stderr)
        return EXIT_DEVICE if isinstance(error, DeviceError) else EXIT_BAD_INPUT
    except BrokenPipeError:
        # whoever read the output has seen enough; the interpreter must not try to flush the rest
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123
        return 0
    except KeyboardInterrupt:
        print("beamlock: interrupted", file=sys.stderr)
        return 130
