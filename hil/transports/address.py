"""Addresses of devices, as bench files and the command line have them.

| address | leads to |
| --- | --- |
| `serial:/dev/serial/by-id/NAME?baud=3000000` | a serial port, at 115200 Bd unless it says otherwise |
| `serial:URL` | any port that pyserial has a URL for: `socket://`, `rfc2217://`, `loop://`, `spy://` |
| `usb:1209:0001?serial=NAME` | the device with this vendor, product and, where there are several, serial number |
| `tcp:HOST:PORT` | a device on the network |
| `pty:` or `pty:PATH` | a new pseudo-terminal, which the device opens as a serial port, PATH being a link to it |
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from flightsw.errors import ConfigError
from hil.transports import Transport, pty, serial_port, tcp, usb

DEFAULT_BAUD = 115200

_USB_IDS = re.compile(r"([0-9a-fA-F]{4}):([0-9a-fA-F]{4})")
_TCP = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^\s:/?\[\]]+):(\d{1,5})")


class Address(Protocol):
    """Where a device is. Equal addresses are one device; as text an address is what `parse` takes."""

    def open(self) -> Transport:
        """Open the way there. Raises DeviceNotFound or DeviceAccess, or ConfigError if there are several devices."""


@dataclass(frozen=True, slots=True)
class SerialAddress:
    """A device file or a pyserial URL, and the baud rate."""

    url: str
    baud: int = DEFAULT_BAUD

    def __str__(self) -> str:
        return f"serial:{self.url}{'&' if '?' in self.url else '?'}baud={self.baud}"

    def open(self) -> Transport:
        """Open the port."""
        return serial_port.open_port(self.url, self.baud)


@dataclass(frozen=True, slots=True)
class UsbAddress:
    """Vendor, product and serial number; None takes the only one there is."""

    vendor: int
    product: int
    serial: str | None = None

    def __str__(self) -> str:
        return f"usb:{self.vendor:04x}:{self.product:04x}" + (f"?serial={self.serial}" if self.serial else "")

    def open(self) -> Transport:
        """Open the device's bulk endpoints."""
        return usb.UsbTransport(self.vendor, self.product, self.serial)


@dataclass(frozen=True, slots=True)
class TcpAddress:
    """Host and port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"tcp:[{self.host}]:{self.port}" if ":" in self.host else f"tcp:{self.host}:{self.port}"

    def open(self) -> Transport:
        """Connect."""
        return tcp.connect(self.host, self.port)


@dataclass(frozen=True, slots=True)
class PtyAddress:
    """A new pseudo-terminal, and where to link it."""

    link: Path | None = None

    def __str__(self) -> str:
        return f"pty:{self.link or ''}"

    def open(self) -> Transport:
        """Make the pseudo-terminal."""
        return pty.PtyTransport(self.link)


def parse(text: str) -> Address:
    """An address from its text. Raises ConfigError that says what was expected."""
    scheme, colon, rest = text.partition(":")
    parser = _PARSERS.get(scheme) if colon else None
    if parser is None:
        raise ConfigError(
            f"device address {text!r}: expected serial:, usb:, tcp: or pty: before it, found none of them"
        )
    return parser(text, rest)


def _serial(text: str, rest: str) -> Address:
    url, _, query = rest.partition("?")
    baud = DEFAULT_BAUD
    others = []
    for option in filter(None, query.split("&")):
        key, _, value = option.partition("=")
        if key == "baud":
            if not value.isascii() or not value.isdigit() or not 0 < int(value[:10]) < 1 << 32:
                raise _wrong(text, "a whole number of Bd after baud=", value)
            baud = int(value)
        elif "://" in url:
            others.append(option)
        else:
            raise _wrong(text, "no option but baud", key)
    if not url:
        raise _wrong(text, "a port, as in serial:/dev/ttyUSB0?baud=3000000", rest)
    return SerialAddress("?".join([url, "&".join(others)]) if others else url, baud)


def _usb(text: str, rest: str) -> Address:
    ids, _, query = rest.partition("?")
    found = _USB_IDS.fullmatch(ids)
    if found is None:
        raise _wrong(text, "vendor and product of 4 hexadecimal digits, as in usb:1209:0001", ids)
    key, _, serial = query.partition("=")
    if query and (key != "serial" or not serial):
        raise _wrong(text, "no option but serial=NAME", query)
    return UsbAddress(int(found[1], 16), int(found[2], 16), serial or None)


def _tcp(text: str, rest: str) -> Address:
    found = _TCP.fullmatch(rest)
    if found is None or not 0 < int(found[2]) < 1 << 16:
        raise _wrong(text, "host and port, as in tcp:localhost:5000", rest)
    return TcpAddress(found[1].strip("[]"), int(found[2]))


def _pty(text: str, rest: str) -> Address:
    if "\0" in rest or "?" in rest:
        raise _wrong(text, "nothing, or a path for a link", rest)
    return PtyAddress(Path(rest) if rest else None)


_PARSERS = {"serial": _serial, "usb": _usb, "tcp": _tcp, "pty": _pty}


def _wrong(text: str, expected: str, found: str) -> ConfigError:
    return ConfigError(f"device address {text!r}: expected {expected}, found {found!r}")
