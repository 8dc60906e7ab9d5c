"""Emulators in processes of their own, each behind a pseudo-terminal or TCP port that it makes itself."""

import os
import signal
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from threading import Event, Thread
from typing import Literal, Self

from flightsw.errors import BeamlockError, DeviceNotFound, DeviceTimeout
from hil.emulators.serving import serve, served
from hil.protocol import Kind
from hil.scenario import Scenario
from hil.transports import Transport
from hil.transports.address import SerialAddress, TcpAddress
from hil.transports.pty import PtyTransport
from hil.transports.tcp import Listener

#: Compiling what it runs may take so long, once an installation.
READY_S = 60.0
_END_S = 5.0
_LOCALHOST = "127.0.0.1"
_SPAWN = get_context("spawn")


class EmulatorProcess:
    """An emulator that can be started, killed, and started again. It ends when this process does, however that ends.

    As a context manager it is ready inside, and ended outside. Several start sooner if all are started before the
    first is waited for.
    """

    def __init__(
        self, kind: Kind, scenario: Scenario | None, terminal: str, seed: int, over: Literal["pty", "tcp"] = "pty"
    ) -> None:
        """As `hil.emulators.emulated.emulated`; for the encoder `scenario` may be None."""
        self.name = f"emulator of {terminal}-{kind.label}"
        self._device = kind, scenario, terminal, seed
        # over TCP, what is started again is where it was
        self._port = 0 if over == "tcp" else None
        self._address: SerialAddress | TcpAddress | None = None
        self._process: SpawnProcess | None = None
        self._pipe: Connection | None = None

    def __enter__(self) -> Self:
        self.start()
        try:
            self.wait_until_ready()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def address(self) -> SerialAddress | TcpAddress:
        """Where it is; a pseudo-terminal is another one each time that the emulator is started."""
        if self._address is None:
            raise DeviceNotFound(f"{self.name}: expected it to run, found it not started or ended: start it")
        return self._address

    @property
    def process_id(self) -> int | None:
        """Of the process; None while there is none."""
        return None if self._process is None else self._process.pid

    def connect(self) -> Transport:
        """A host's way to it, as `DeviceLink` wants one. Raises DeviceNotFound while it is not running."""
        return self.address.open()

    def start(self) -> None:
        """Start it, and do not wait until it is ready."""
        assert self._process is None, "an emulator is started once before it is ended"
        pipe, far = _SPAWN.Pipe()
        process = _SPAWN.Process(target=_run, args=(far, self._device, self._port), name=self.name, daemon=True)
        process.start()
        far.close()
        self._pipe, self._process = pipe, process

    def wait_until_ready(self) -> None:
        """Wait until it serves. Raises BeamlockError with what it says if it cannot, DeviceTimeout after READY_S."""
        assert self._pipe is not None and self._process is not None, "what is waited for has been started"
        if not wait([self._pipe], READY_S):
            raise DeviceTimeout(f"{self.name}: expected it to be ready within {READY_S:g} s, found that it is not yet")
        try:
            found = self._pipe.recv()
        except EOFError:
            self._process.join(_END_S)
            raise DeviceNotFound(
                f"{self.name}: expected it to get ready, found that it ended with exit code {self._process.exitcode}"
            ) from None
        if isinstance(found, int):
            self._port, self._address = found, TcpAddress(_LOCALHOST, found)
        elif isinstance(found, str):
            self._address = SerialAddress(found)
        else:
            raise BeamlockError(f"{self.name}: {found[0]}")

    def kill(self) -> None:
        """End it at once, as if it were unplugged."""
        if self._process is not None:
            self._process.kill()
            self.close()

    def close(self) -> None:
        """End it."""
        process, pipe = self._process, self._pipe
        self._process = self._pipe = self._address = None
        if process is not None and pipe is not None:
            pipe.close()
            process.join(_END_S)
            if process.exitcode is None:
                process.kill()
                process.join()
            process.close()


def _run(pipe: Connection, device: tuple[Kind, Scenario | None, str, int], port: int | None) -> None:
    """The emulator's process: says where it is, or in a tuple what is wrong, and ends when nobody holds the pipe."""
    # of a terminal's whole foreground, Ctrl-C is for the parent, which then ends this
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with_parent, args=(pipe,), daemon=True).start()
    try:
        emulator = served(*device)
        line = PtyTransport() if port is None else Listener(_LOCALHOST, port)
    except BeamlockError as error:
        pipe.send((str(error),))
        return
    pipe.send(line.path if isinstance(line, PtyTransport) else line.port)
    serve(emulator, line, Event())


def _end_with_parent(pipe: Connection) -> None:
    with suppress(EOFError, OSError):
        pipe.recv()
    # at once, whatever the emulator is about: nobody is there who could wait for it
    os._exit(0)
