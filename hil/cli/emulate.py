"""`beamlock emulate`."""

import argparse
import sys
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

from hil.protocol import Kind

if TYPE_CHECKING:
    from hil.transports.address import SerialAddress, TcpAddress
    from hil.transports.pty import PtyTransport
    from hil.transports.tcp import Listener


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `beamlock emulate`."""
    parser.description = (
        "The device side of the wire protocol around a simulated device, or around the RTL of the encoder's board, "
        "until Ctrl-C. Prints the address for a bench file."
    )
    parser.epilog = "example: beamlock emulate steering_mirror --pty /tmp/mirror"
    parser.add_argument("kind", metavar="KIND", choices=[kind.label for kind in Kind], help="%(choices)s")
    line = parser.add_mutually_exclusive_group(required=True)
    line.add_argument("--pty", nargs="?", const=True, metavar="LINK", help="on a pseudo-terminal, LINK leading to it")
    line.add_argument("--tcp", metavar="HOST:PORT", help="on TCP, for hosts that connect there")
    parser.add_argument(
        "--scenario", default="leo_crosslink", metavar="S", help="whose hardware it is (default: %(default)s)"
    )
    parser.add_argument("--terminal", metavar="NAME", help="(default: the scenario's first)")
    parser.add_argument("--seed", type=int, metavar="N", help="of its noise (default: the scenario's)")


def execute(arguments: argparse.Namespace) -> int:
    """Serve until Ctrl-C. Returns 0."""
    from flightsw.errors import ConfigError
    from hil.emulators.serving import serve, served
    from hil.scenario import load

    if arguments.seed is not None and arguments.seed < 0:
        raise ConfigError(f"--seed: expected 0 or more, found {arguments.seed}")
    scenario = load(arguments.scenario)
    terminal = arguments.terminal or next(iter(scenario.terminals))
    seed = scenario.seed if arguments.seed is None else arguments.seed
    try:
        device = served(Kind[arguments.kind.upper()], scenario, terminal, seed, _say)
        line, address = _line(arguments.pty, arguments.tcp)
        try:
            print(address, flush=True)
            serve(device, line, Event())
        finally:
            line.close()
    except KeyboardInterrupt:
        return 0
    return 0


def _line(pty: str | bool | None, tcp: str | None) -> "tuple[PtyTransport | Listener, SerialAddress | TcpAddress]":
    """The device's end of the line, and what a host opens."""
    from hil.transports.address import SerialAddress, TcpAddress, parse
    from hil.transports.pty import PtyTransport
    from hil.transports.tcp import Listener

    if tcp is None:
        terminal = PtyTransport(Path(pty) if isinstance(pty, str) else None)
        return terminal, SerialAddress(terminal.path)
    address = parse(f"tcp:{tcp}")
    assert isinstance(address, TcpAddress)
    return Listener(address.host, address.port), address


def _say(text: str) -> None:
    print(f"beamlock: {text}", file=sys.stderr, flush=True)
