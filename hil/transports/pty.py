"""Pseudo-terminal: this side plays the device, the other opens `path` as it would open a serial port.

As with a UART, the device does not notice whether a host is there: what it sends to nobody waits in the kernel's
buffer, and once that is full a write times out.
"""

import os
import tty
from pathlib import Path

from flightsw.errors import DeviceAccess
from hil.transports.descriptor import DescriptorTransport


class PtyTransport(DescriptorTransport):
    """The device's side of a new pseudo-terminal.

    Attributes:
        path: what the host opens: `link` where one was asked for, else the terminal itself.
    """

    def __init__(self, link: Path | None = None) -> None:
        """Make the pair, and `link` to it, in the place of an older link. Raises DeviceAccess if that cannot be."""
        self._link = link
        self._ends: list[int] = list(os.openpty())
        device, host = self._ends
        # nothing that is sent before the host opens its side may be echoed or changed
        tty.setraw(host)
        terminal = os.ttyname(host)
        self.path = str(link or terminal)
        super().__init__(f"pty:{self.path}", device)
        if link is not None:
            try:
                _replace(link, terminal)
            except OSError as error:
                self.close()
                raise DeviceAccess(
                    f"pty:{link}: expected a place for a link to {terminal}, found: {error.strerror}: take another path"
                ) from None

    def close(self) -> None:
        """Close both sides: a host that has the terminal open finds the device gone."""
        self._descriptor = None
        if self._link is not None and self._link.is_symlink() and self._link.readlink() == _terminal(self._ends):
            self._link.unlink()
        while self._ends:
            os.close(self._ends.pop())


def _replace(link: Path, terminal: str) -> None:
    if link.exists() and not link.is_symlink():
        raise FileExistsError(None, "a file that is no link")
    new = link.with_name(f"{link.name}.{os.getpid()}")
    new.symlink_to(terminal)
    new.replace(link)


def _terminal(ends: list[int]) -> Path | None:
    return Path(os.ttyname(ends[1])) if ends else None
