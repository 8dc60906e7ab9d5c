"""`beamlock devices`: what is listed, and who answers over ptys and the virtual bus."""

import re
import threading

import pytest
import serial.tools.list_ports
from serial.tools.list_ports_common import ListPortInfo

from flightsw.errors import DeviceAccess, DeviceTimeout
from hil.cli import devices, main
from hil.device_side import Device, Handler, process_clock_us
from hil.protocol import Capability, Kind, Status
from hil.transports import Framing, in_process
from hil.transports import usb as usb_transport
from hil.transports.pty import PtyTransport
from hil.transports.virtual_usb import VirtualBus, VirtualUsbDevice

UNIQUE_ID = bytes.fromhex("0123456789ABCDEF")
AHEAD_US = 5_000_000


class Counting(Handler):
    """Counts heartbeats."""

    def __init__(self) -> None:
        self.heartbeats = 0

    def status(self) -> Status:
        self.heartbeats += 1
        return Status(0)


@pytest.fixture
def serve():
    """`serve(transport, kind, ...)` runs a device, whose clock is 5 s ahead, to the end of the test."""
    stop = threading.Event()
    threads, transports = [], []

    def serve(transport, kind, handler, capabilities=Capability.STREAM):
        device = Device(
            kind,
            transport,
            handler,
            unique_id=UNIQUE_ID,
            firmware=(1, 2, 3),
            capabilities=capabilities,
            clock_us=lambda: process_clock_us() + AHEAD_US,
        )
        transports.append(transport)
        threads.append(threading.Thread(target=device.serve, args=(stop,)))
        threads[-1].start()
        return device

    yield serve
    stop.set()
    for thread in threads:
        thread.join()
    for transport in transports:
        transport.close()


@pytest.fixture
def bus(monkeypatch):
    """The only USB bus that there is."""
    bus = VirtualBus()
    monkeypatch.setattr(usb_transport, "libusb", lambda: bus)
    return bus


@pytest.fixture
def ports(monkeypatch, tmp_path):
    """`ports(*(device, description, vendor and product))` are the serial ports that there are."""
    monkeypatch.setattr(devices, "BY_ID", tmp_path / "by-id")
    (tmp_path / "by-id").mkdir()

    def ports(*rows):
        found = []
        for device, description, ids in rows:
            port = ListPortInfo(device)
            port.description = description
            port.vid, port.pid = ids or (None, None)
            found.append(port)
        monkeypatch.setattr(serial.tools.list_ports, "comports", lambda: found)

    ports()
    return ports


def plug(bus, serial_number="quad-1", vendor=0x1209):
    port, end = in_process.pair(framing=Framing.TRANSFER)
    device = VirtualUsbDevice(port, serial_number, vendor=vendor, name="quad cell")
    bus.plug(device)
    return device, end


def lines(capsys):
    return capsys.readouterr().out.splitlines()


def test_who_answers_on_a_pty(serve, capsys):
    pty, handler = PtyTransport(), Counting()
    serve(pty, Kind.STEERING_MIRROR, handler, Capability.STREAM | Capability.STIMULUS)
    assert main(["devices", f"serial:{pty.path}?baud=3000000"]) == 0
    address, kind, firmware, unique_id, round_trip, clock = lines(capsys)
    assert address == f"serial:{pty.path}?baud=3000000"
    assert kind == "  kind        steering_mirror, emulated"
    assert firmware == "  firmware    1.2.3"
    assert unique_id == "  unique id   0123456789abcdef"
    assert re.fullmatch(r"  round trip  [1-9]\d* us, median of 100", round_trip) and handler.heartbeats >= 100
    offset_s, known_us = re.fullmatch(r"  clock       (\S+) s from the host's, known to (\d+) us", clock).groups()
    assert offset_s.startswith("+") and abs(float(offset_s) * 1e6 - AHEAD_US) <= float(known_us) + 1


def test_who_answers_on_usb(serve, bus, capsys):
    for number, kind in (("quad-1", Kind.QUAD_CELL), ("laser-1", Kind.LASER)):
        serve(plug(bus, number)[1], kind, Counting())
    assert main(["devices", "usb:1209:0001?serial=laser-1", "usb:1209:0001?serial=quad-1"]) == 0
    text = lines(capsys)
    assert [text[0], text[1]] == ["usb:1209:0001?serial=laser-1", "  kind        laser"]
    assert [text[6], text[7]] == ["usb:1209:0001?serial=quad-1", "  kind        quad_cell"]


def test_each_address_has_its_own_error_in_one_line(serve, bus, capsys, tmp_path):
    pty = PtyTransport()
    serve(pty, Kind.LASER, Counting())
    plug(bus, "camera-1", vendor=0x16C0)[0].permitted = False
    asked = [f"serial:{tmp_path}/absent", "tcp:localhost:1", "usb:1209:0001", "usb:16c0:0001", f"serial:{pty.path}"]
    assert main(["devices", *asked]) == 3
    captured = capsys.readouterr()
    absent, tcp, usb, denied = captured.err.splitlines()
    assert absent.startswith(f"beamlock: serial:{tmp_path}/absent: expected a serial port, found: No such file")
    assert tcp.startswith("beamlock: tcp:localhost:1: expected a device that listens there")
    assert usb.startswith("beamlock: usb:1209:0001: expected such a device on the bus, found none")
    assert 'ATTR{idVendor}=="16c0", ATTR{idProduct}=="0001"' in denied and usb_transport.UDEV_FILE in denied
    assert "  kind        laser" in captured.out


@pytest.fixture
def impatient(monkeypatch):
    """Silence is sure after 30 ms."""
    monkeypatch.setattr(devices, "TIMEOUT_S", 0.01)


def test_nobody_answers(impatient, capsys):
    pty = PtyTransport()
    assert main(["devices", f"serial:{pty.path}"]) == 3
    assert capsys.readouterr().err == (
        f"beamlock: serial:{pty.path}: expected a device that answers, found silence: "
        "is it powered, and is this its port?\n"
    )
    with pytest.raises(DeviceTimeout):
        main(["--debug", "devices", f"serial:{pty.path}"])
    pty.close()


def test_what_comes_is_no_packet(impatient, bus, capsys):
    plug(bus)[1].write(b"\x55\xaa" * 20)
    assert main(["devices", "usb:1209:0001"]) == 3
    assert capsys.readouterr().err == (
        "beamlock: usb:1209:0001: expected a device that answers, found 40 octets, and no packet of a device: "
        "do both sides have the same baud rate, and does this device speak the protocol?\n"
    )


def test_what_was_sent_itself_is_no_device(impatient, capsys):
    assert main(["devices", "serial:loop://"]) == 3
    assert "and no packet of a device" in capsys.readouterr().err


def test_a_device_of_another_protocol_version(serve, capsys):
    pty = PtyTransport()
    device = serve(pty, Kind.GIMBAL, Counting())
    device._identity = device._identity._replace(protocol=0)
    assert main(["devices", f"serial:{pty.path}"]) == 3
    error = capsys.readouterr().err
    assert error.startswith(f"beamlock: gimbal on serial:{pty.path}: expected protocol version 1, found 0")


def test_an_address_that_is_none_is_bad_input(capsys):
    assert main(["devices", "gpib:1"]) == 2
    assert capsys.readouterr().err.startswith("beamlock: device address 'gpib:1': expected serial:")


def test_the_list_gives_addresses(ports, bus, capsys, tmp_path):
    board, plain = tmp_path / "ttyUSB0", tmp_path / "ttyS0"
    for node in (board, plain):
        node.touch()
    link = tmp_path / "by-id" / "usb-1BitSquared_iCEBreaker_1-if01-port0"
    link.symlink_to(board)
    ports((str(plain), "n/a", None), (str(board), "iCEBreaker V1.0e", (0x0403, 0x6010)))
    plug(bus, "quad-1")
    plug(bus, "adapter", vendor=0x0403)
    plug(bus, "camera-1", vendor=0x16C0)[0].permitted = False
    assert main(["devices"]) == 0
    assert lines(capsys) == [
        "serial ports",
        f"  serial:{plain}",
        f"  serial:{link}  iCEBreaker V1.0e  0403:6010",
        "  -> at 115200 Bd; for another rate add ?baud=3000000, or what the device has",
        "USB devices",
        "  usb:1209:0001?serial=quad-1  quad cell",
        "  usb:0403:0001?serial=adapter  quad cell",
        "  usb:16c0:0001",
        "  -> may not be opened: `beamlock devices` with this address says what to do",
    ]


def test_the_list_of_a_machine_without_any(ports, bus, capsys):
    assert main(["devices"]) == 0
    head, advice, usb, usb_advice = lines(capsys)
    assert (head, usb) == ("serial ports", "USB devices")
    assert advice.startswith("  -> plug a board in") and usb_advice.startswith("  -> none with an interface")


def test_serial_adapters_are_not_listed_as_usb_devices(ports, bus, capsys, tmp_path):
    (tmp_path / "ttyUSB0").touch()
    ports((str(tmp_path / "ttyUSB0"), "adapter", (0x0403, 0x0001)))
    plug(bus, "adapter", vendor=0x0403)
    assert main(["devices"]) == 0
    assert not any("usb:" in line for line in lines(capsys))


def test_a_port_that_may_not_be_opened(ports, bus, capsys):
    ports(("/dev/ttyABSENT0", "n/a", None))
    assert main(["devices"]) == 0
    assert any(re.match(r"  -> sudo usermod -aG dialout \S+, then log in again", line) for line in lines(capsys))


def test_no_libusb(ports, monkeypatch, capsys):
    def absent():
        raise DeviceAccess("usb: expected libusb 1.0, found none")

    monkeypatch.setattr(usb_transport, "libusb", absent)
    assert main(["devices"]) == 3
    captured = capsys.readouterr()
    assert "serial ports" in captured.out and captured.err == "beamlock: usb: expected libusb 1.0, found none\n"
