"""An emulated device on a line: which one, and one host after the other."""

from collections.abc import Callable
from threading import Event
from typing import Protocol

from flightsw.errors import ConfigError, DeviceTimeout
from hdl.verilated_board import BoardModel
from hil.device_side import PATIENCE_S
from hil.emulators.emulated import emulated
from hil.emulators.encoder import ICEBREAKER, EncoderBoard
from hil.protocol import Kind
from hil.scenario import Scenario
from hil.transports import Transport
from hil.transports.pty import PtyTransport
from hil.transports.tcp import Listener


class Served(Protocol):
    """A device that can be put on a line."""

    def serve(self, transport: Transport, stop: Event) -> None:
        """Answer a host until `stop` is set or it is gone."""
        ...


def served(
    kind: Kind,
    scenario: Scenario | None,
    terminal: str,
    seed: int,
    announce: Callable[[str], None] | None = None,
) -> Served:
    """The emulated device of that kind; `announce` is told before RTL is compiled.

    Raises ConfigError where scenario or terminal will not do, or without a working Verilator.
    """
    if kind is Kind.ENCODER:
        return EncoderBoard(BoardModel(ICEBREAKER, announce=announce))
    if scenario is None:
        raise ConfigError(f"emulator of a {kind.label}: expected a scenario, found none: only the encoder needs none")
    return emulated(kind, scenario, terminal, seed)


def serve(device: Served, line: PtyTransport | Listener, stop: Event) -> None:
    """Answer the hosts of a pseudo-terminal, which come and go unseen, or those that connect, until `stop` is set."""
    if isinstance(line, PtyTransport):
        device.serve(line, stop)
        return
    while not stop.is_set():
        try:
            transport = line.accept(PATIENCE_S)
        except DeviceTimeout:
            continue
        try:
            device.serve(transport, stop)
        finally:
            transport.close()
