"""`beamlock devices`."""

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import usb.core
import usb.util
from serial.tools import list_ports

from flightsw.ccsds.space_packet import Packet
from flightsw.errors import BeamlockError, DeviceTimeout
from hil import doctor
from hil.framing import DELIMITER, UNSEGMENTED, build, frame, packet_reader
from hil.link import RETRIES, TIMEOUT_S, DeviceLink
from hil.protocol import Capability, Hello, Kind, encode
from hil.realtime import Latency
from hil.transports import Framing, Transport
from hil.transports import usb as usb_transport
from hil.transports.address import Address, UsbAddress, parse

HEARTBEATS = 100
#: Where udev links ports by maker, product, serial number and interface: names that stay as ports come and go.
BY_ID = Path("/dev/serial/by-id")
_VENDOR_SPECIFIC = 0xFF
_KINDS = frozenset(Kind)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `beamlock devices`."""
    parser.description = (
        "Without an address: serial ports and USB devices that are there, each as the address that a bench file takes. "
        "With addresses: who answers at each, how fast, and by what clock; the exit code is 3 where nobody does."
    )
    parser.epilog = "example: beamlock devices 'serial:/dev/ttyUSB0?baud=3000000' usb:1209:0001"
    parser.add_argument("addresses", nargs="*", metavar="ADDRESS", help="as in a bench file: serial:, usb: or tcp:")


def execute(arguments: argparse.Namespace) -> int:
    """List, or ask. Returns 0, or 3 if an address has no device that answers as it should."""
    from hil.cli import EXIT_DEVICE

    if not arguments.addresses:
        _list()
        return 0
    code = 0
    for address in [parse(text) for text in arguments.addresses]:
        try:
            _ask(address)
        except BeamlockError as error:
            if arguments.debug:
                raise
            print(f"beamlock: {error}", file=sys.stderr)
            code = EXIT_DEVICE
    return code


def _list() -> None:
    print("serial ports")
    ports = sorted(list_ports.comports())
    links = {link.resolve(): link for link in sorted(BY_ID.glob("*"))}
    for port in ports:
        ids = f"{port.vid:04x}:{port.pid:04x}" if port.vid is not None else ""
        _print_row(f"serial:{links.get(Path(port.device).resolve(), port.device)}", port.description, ids)
    machine = doctor.Machine()
    if ports:
        _print_advice("at 115200 Bd; for another rate add ?baud=3000000, or what the device has")
    _print_advice(doctor.serial_ports(machine).advice)
    _print_advice(doctor.serial_permission(machine).advice)
    print("USB devices")
    adapters = {(port.vid, port.pid) for port in ports}
    found = [device for device in _vendor_specific() if (device.idVendor, device.idProduct) not in adapters]
    for device in found:
        _print_usb(device)
    if not found:
        _print_advice("none with an interface for beamlock; plug a board in, `lsusb` shows all that are there")


def _print_usb(device: usb.core.Device) -> None:
    advice = ""
    try:
        serial, product = device.serial_number, device.product or ""
    except (ValueError, usb.core.USBError):
        # pyusb says the same of a device that may not be opened and of one that has no texts
        serial, product = None, ""
        advice = "may not be opened: `beamlock devices` with this address says what to do"
    finally:
        usb.util.dispose_resources(device)
    _print_row(str(UsbAddress(device.idVendor, device.idProduct, serial)), product)
    _print_advice(advice)


def _print_row(*columns: str) -> None:
    print("  " + "  ".join(column for column in columns if column and column != "n/a"))


def _print_advice(advice: str) -> None:
    if advice:
        print(f"  -> {advice}")


def _vendor_specific() -> Iterator[usb.core.Device]:
    """USB devices with an interface such as boards have. Raises DeviceAccess where there is no libusb."""
    for device in usb.core.find(find_all=True, backend=usb_transport.libusb()):
        if any(
            interface.bInterfaceClass == _VENDOR_SPECIFIC for configuration in device for interface in configuration
        ):
            yield device


def _ask(address: Address) -> None:
    """Print who is there. Raises BeamlockError where nobody is, or not as it should be."""
    transport = address.open()
    try:
        kind = _kind(transport)
    except BaseException:
        transport.close()
        raise
    with DeviceLink(kind, lambda: transport) as link:
        latency = Latency()
        for _ in range(HEARTBEATS):
            begun_ns = time.monotonic_ns()
            link.heartbeat()
            latency.record(time.monotonic_ns() - begun_ns)
        _print_device(address, link, latency)


def _kind(transport: Transport) -> Kind:
    """The kind of device, which is the APID of all that it sends. Raises DeviceTimeout if nothing of a device comes."""
    reader = packet_reader(transport.framing)
    hello = frame(build(Packet(Kind.ENCODER, 0, 0, encode(Hello()), UNSEGMENTED, True)), transport.framing)
    for _ in range(1 + RETRIES):
        # the device may have half a frame of whoever was here before
        transport.write(DELIMITER + hello if transport.framing is Framing.STREAM else hello)
        deadline = time.monotonic() + TIMEOUT_S
        while (remaining_s := deadline - time.monotonic()) > 0:
            for packet in reader.push(transport.read(remaining_s)):
                if packet.apid in _KINDS and not packet.telecommand:
                    return Kind(packet.apid)
    raise DeviceTimeout(
        f"{transport.name}: expected a device that answers, found "
        + (
            f"{reader.octets} octets, and no packet of a device: do both sides have the same baud rate, and does this "
            "device speak the protocol?"
            if reader.octets
            else "silence: is it powered, and is this its port?"
        )
    )


def _print_device(address: Address, link: DeviceLink, latency: Latency) -> None:
    identity, offset = link.identity, link.clock_offset()
    # an open link has both
    assert identity is not None and offset is not None
    emulated = ", emulated" if identity.capabilities & Capability.STIMULUS else ""
    print(address)
    print(f"  kind        {link.kind.label}{emulated}")
    print(f"  firmware    {identity.major}.{identity.minor}.{identity.patch}")
    print(f"  unique id   {identity.unique_id.hex()}")
    print(f"  round trip  {latency.percentile(50) / 1e3:.0f} us, median of {latency.count}")
    print(
        f"  clock       {offset.offset_us / 1e6:+.6f} s from the host's, known to {offset.uncertainty_us:.0f} us",
        flush=True,
    )
