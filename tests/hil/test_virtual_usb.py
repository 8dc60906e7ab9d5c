"""The virtual bus seen by pyusb itself, and our transport on it: descriptors, transfers, and every way to fail."""

import array
import errno
import threading

import pytest
import usb.core
import usb.util
from hypothesis import given
from hypothesis import strategies as st

from flightsw.errors import (
    ConfigError,
    DeviceAccess,
    DeviceDisconnected,
    DeviceNotFound,
    DeviceTimeout,
    ProtocolError,
)
from hil.transports import Framing, address, in_process
from hil.transports import usb as usb_transport
from hil.transports.usb import UsbTransport
from hil.transports.virtual_usb import PRODUCT, VENDOR, VirtualBus, VirtualUsbDevice

# USB 2.0, tables 9-8, 9-10, 9-12 and 9-13, by hand
DEVICE_BY_HAND = "12 01 0002 00 00 00 40 0912 0100 0001 01 02 03 01"
CONFIGURATION_BY_HAND = (
    "09 02 2000 01 01 00 80 32  09 04 00 00 02 FF 00 00 02  07 05 01 02 4000 00  07 05 81 02 4000 00"
)


@pytest.fixture
def bus():
    return VirtualBus()


@pytest.fixture
def plug(bus):
    """`plug(serial)` plugs a device in, and returns it and its end of the line."""

    def plugged(serial="left"):
        port, end = in_process.pair(framing=Framing.TRANSFER)
        device = VirtualUsbDevice(port, serial)
        bus.plug(device)
        return device, end

    return plugged


@pytest.fixture
def opened(bus):
    """`opened(serial=None)` opens the transport, and closes it at the end of the test."""
    transports = []

    def opened(serial=None):
        transports.append(UsbTransport(VENDOR, PRODUCT, serial, bus))
        return transports[-1]

    yield opened
    for transport in transports:
        transport.close()


def find(bus):
    return usb.core.find(backend=bus, idVendor=VENDOR, idProduct=PRODUCT)


def test_pyusb_finds_a_device_with_its_strings(bus, plug):
    plug("left-1")
    device = find(bus)
    assert (device.manufacturer, device.product, device.serial_number) == ("beamlock", "beamlock device", "left-1")
    assert device.langids == (0x0409,)
    assert device.speed == usb.util.SPEED_FULL
    assert device.parent is None
    assert "left-1" in str(device)
    usb.util.dispose_resources(device)


def test_descriptors_are_laid_out_as_by_hand(bus, plug):
    plug()
    device = find(bus)
    for kind, by_hand in ((1, DEVICE_BY_HAND), (2, CONFIGURATION_BY_HAND)):
        octets = bytes.fromhex(by_hand)
        assert device.ctrl_transfer(0x80, 6, kind << 8, 0, 255).tobytes() == octets
        assert device.ctrl_transfer(0x80, 6, kind << 8, 0, 9).tobytes() == octets[:9]
    assert device.ctrl_transfer(0x80, 6, 0x0303, 0x0409, 255).tobytes() == b"\x0a\x03l\0e\0f\0t\0"
    configuration = device[0]
    interface = configuration[0, 0]
    assert (configuration.bNumInterfaces, interface.bInterfaceClass, interface.bNumEndpoints) == (1, 0xFF, 2)
    assert [endpoint.bEndpointAddress for endpoint in interface] == [0x01, 0x81]
    assert all(usb.util.endpoint_type(endpoint.bmAttributes) == usb.util.ENDPOINT_TYPE_BULK for endpoint in interface)
    usb.util.dispose_resources(device)


def test_what_a_device_does_not_have(bus, plug):
    plug()
    device = find(bus)
    for request in ((0x80, 6, 0x0304, 0), (0x80, 6, 0x0201, 0), (0x80, 6, 0x0F00, 0), (0xC0, 1, 0, 0)):
        with pytest.raises(usb.core.USBError) as caught:
            device.ctrl_transfer(*request, 255)
        assert caught.value.errno == errno.EPIPE
    for configuration in (2, 1):
        handle = bus.open_device(device.address)
        if configuration == 2:
            with pytest.raises(usb.core.USBError) as caught:
                bus.set_configuration(handle, configuration)
            assert caught.value.errno == errno.ENOENT
    with pytest.raises(IndexError):
        bus.get_configuration_descriptor(device.address, 1)
    with pytest.raises(IndexError):
        bus.get_interface_descriptor(device.address, 1, 0, 0)
    assert not device.is_kernel_driver_active(0)
    usb.util.dispose_resources(device)


def test_pyusb_transfers(bus, plug):
    _, end = plug()
    device = find(bus)
    device.set_configuration()
    device.set_interface_altsetting(0, 0)
    assert device.write(0x01, b"ping") == 4
    assert end.read(0.0) == b"ping"
    end.write(bytes(100))
    assert len(device.read(0x81, 64)) == 64
    assert len(device.read(0x81, 64)) == 36
    with pytest.raises(usb.core.USBTimeoutError):
        device.read(0x81, 64, 1)
    # a buffer that is no whole number of the bus's packets overflows, as it does on a real bus
    end.write(bytes(100))
    with pytest.raises(usb.core.USBError) as caught:
        device.read(0x81, 50)
    assert caught.value.errno == errno.EOVERFLOW
    device.reset()
    assert device.write(0x01, b"ping") == 4
    usb.util.dispose_resources(device)


def test_an_interface_has_one_user(bus, plug):
    plug()
    first, second = find(bus), find(bus)
    first.set_configuration()
    usb.util.claim_interface(first, 0)
    with pytest.raises(usb.core.USBError) as caught:
        usb.util.claim_interface(second, 0)
    assert caught.value.errno == errno.EBUSY
    usb.util.release_interface(first, 0)
    usb.util.claim_interface(second, 0)
    # libusb: LIBUSB_ERROR_NOT_FOUND for an interface that is not claimed
    with pytest.raises(usb.core.USBError) as caught:
        bus.bulk_write(bus.open_device(first.address), 0x01, 0, array.array("B", b"x"), 100)
    assert (caught.value.errno, caught.value.backend_error_code) == (errno.ENOENT, -5)
    for device in (first, second):
        usb.util.dispose_resources(device)


def test_a_text_too_long_for_its_descriptor():
    with pytest.raises(ConfigError, match="at most 126 characters, found 127"):
        VirtualUsbDevice(in_process.pair()[0], "x" * 127)


@given(st.lists(st.integers(1, 300), min_size=1, max_size=8))
def test_a_write_is_a_transfer_and_a_read_is_one(lengths):
    bus = VirtualBus()
    port, end = in_process.pair(framing=Framing.TRANSFER)
    bus.plug(VirtualUsbDevice(port, "left"))
    transport = UsbTransport(VENDOR, PRODUCT, None, bus)
    for n in [*lengths, 64, 128]:
        transport.write(bytes(n))
        assert end.read(0.0) == bytes(n)
        end.write(b"\x01" * n)
        assert transport.read(0.0) == b"\x01" * n
    transport.close()


def test_without_the_empty_packet_a_full_transfer_does_not_end(bus, plug):
    _, end = plug()
    device = find(bus)
    device.set_configuration()
    device.write(0x01, bytes(64))
    assert end.read(0.0) == b""
    device.write(0x01, b"")
    assert end.read(0.0) == bytes(64)
    usb.util.dispose_resources(device)


def test_the_longest_packet_is_one_transfer(plug, opened):
    _, end = plug()
    transport = opened()
    end.write(bytes(65542))
    assert transport.read(0.0) == bytes(65542)


def test_a_read_waits_no_longer_than_told(plug, opened):
    device, _ = plug()
    waits = []
    device.port.wait = waits.append
    transport = opened()
    assert (transport.framing, transport.name) == (Framing.TRANSFER, "usb:1209:0001")
    for timeout_s in (0.0, 0.0005, 0.25):
        assert transport.read(timeout_s) == b""
    # whole ms, and never 0, which is forever to libusb
    assert waits == [0.001, 0.001, 0.25]


def test_the_serial_number_tells_devices_apart(plug, opened):
    _, left = plug("left")
    _, right = plug("right")
    opened("right").write(b"r")
    opened("left").write(b"l")
    assert (left.read(0.0), right.read(0.0)) == (b"l", b"r")
    with pytest.raises(ConfigError, match=r"expected one such device, found 2: add \?serial= with one of left, right"):
        opened()
    with pytest.raises(DeviceNotFound, match="found those with serial number left, right"):
        opened("middle")


def test_nothing_is_plugged_in(opened):
    with pytest.raises(
        DeviceNotFound, match=r"usb:1209:0001: expected such a device on the bus, found none: plug it in"
    ):
        opened()
    with pytest.raises(DeviceNotFound, match=r"usb:1209:0001\?serial=left: expected such a device"):
        opened("left")


@pytest.mark.parametrize("serial", [None, "left"])
def test_a_device_without_permission_says_what_rule_to_install(plug, opened, serial):
    device, _ = plug()
    device.permitted = False
    rule = 'SUBSYSTEM=="usb", ATTR{idVendor}=="1209", ATTR{idProduct}=="0001", MODE="0660", TAG+="uaccess"'
    with pytest.raises(DeviceAccess) as caught:
        opened(serial)
    assert rule in str(caught.value)
    assert "/etc/udev/rules.d/70-beamlock.rules" in str(caught.value)
    device.permitted = True
    opened(serial)


def test_a_claimed_interface(plug, opened):
    device, _ = plug()
    device.claimed_elsewhere = True
    with pytest.raises(DeviceAccess, match="expected a free interface, found that another program"):
        opened()
    device.claimed_elsewhere = False
    first = opened()
    with pytest.raises(DeviceAccess, match="expected a free interface"):
        opened()
    first.close()
    opened()


def test_a_stall_is_cleared(plug, opened):
    device, end = plug()
    transport = opened()
    device.stalled = {0x01, 0x81}
    with pytest.raises(ProtocolError, match="endpoint 0x01: expected a transfer, found it stalled"):
        transport.write(b"x")
    with pytest.raises(ProtocolError, match="endpoint 0x81: expected a transfer, found it stalled"):
        transport.read(0.0)
    transport.write(b"ping")
    assert end.read(0.0) == b"ping"
    end.write(b"pong")
    assert transport.read(0.0) == b"pong"


def test_a_device_that_is_unplugged_and_plugged_in_again(bus, plug, opened):
    device, end = plug()
    transport = opened()
    bus.unplug(device)
    for attempt in (lambda: transport.read(0.0), lambda: transport.write(b"x")):
        with pytest.raises(DeviceDisconnected, match=r"the device is gone \(No such device\): plug it in, then open"):
            attempt()
    transport.close()
    with pytest.raises(DeviceNotFound):
        opened()
    bus.plug(device)
    # the old handle is of the old device
    with pytest.raises(DeviceDisconnected):
        transport.read(0.0)
    opened().write(b"again")
    assert end.read(0.0) == b"again"


def test_a_stall_at_the_moment_of_unplugging(bus, plug, opened, monkeypatch):
    device, _ = plug()
    transport = opened()
    device.stalled = {0x01}
    stalled = bus.bulk_write

    def then_unplug(*args):
        try:
            return stalled(*args)
        finally:
            bus.unplug(device)

    monkeypatch.setattr(bus, "bulk_write", then_unplug)
    with pytest.raises(DeviceDisconnected):
        transport.write(b"x")


def test_unplugging_ends_a_read(bus, plug, opened):
    device, end = plug()
    transport = opened()
    reading = threading.Event()

    def wait(timeout_s):
        reading.set()
        end.read(timeout_s)

    device.port.wait = wait
    unplugging = threading.Thread(target=lambda: (reading.wait(), bus.unplug(device), end.close()))
    unplugging.start()
    with pytest.raises(DeviceDisconnected):
        transport.read(10.0)
    unplugging.join()


def test_an_emulator_that_ends_is_a_device_that_is_gone(plug, opened):
    _, end = plug()
    transport = opened()
    end.close()
    for attempt in (lambda: transport.read(0.0), lambda: transport.write(b"x")):
        with pytest.raises(DeviceDisconnected):
            attempt()


def test_a_device_that_takes_nothing(plug, opened, monkeypatch):
    monkeypatch.setattr(in_process, "LARGEST_BUFFER", 10)
    plug()
    transport = opened()
    with pytest.raises(DeviceTimeout, match="expected the device to take 11 octets within 1 s, found that it took 0"):
        transport.write(bytes(11))


def test_a_device_that_takes_half_of_it(bus, plug, opened, monkeypatch):
    plug()
    transport = opened()
    monkeypatch.setattr(bus, "bulk_write", lambda *_: 4)
    with pytest.raises(DeviceTimeout, match=r"expected the device to take 10 octets .* found that it took 4"):
        transport.write(bytes(10))


def test_an_error_that_no_one_thought_of(bus, plug, opened, monkeypatch):
    plug()
    transport = opened()

    def fails(*_):
        raise usb.core.USBError("Overflow", -8, errno.EOVERFLOW)

    monkeypatch.setattr(bus, "bulk_read", fails)
    with pytest.raises(ProtocolError, match="expected to read, found: Overflow"):
        transport.read(0.0)


def test_a_device_without_bulk_endpoints(plug, opened):
    device, _ = plug()
    device.endpoint_descriptors = (device.endpoint_descriptors[0],) * 2
    with pytest.raises(DeviceNotFound, match="expected a vendor-specific interface with bulk endpoints in and out"):
        opened()


def test_a_device_without_serial_number(bus, plug, opened):
    device, _ = plug()
    plug("right")
    device.device_descriptor = device.device_descriptor[:16] + b"\0" + device.device_descriptor[17:]
    with pytest.raises(ConfigError, match="with one of None, right"):
        opened()


def test_the_real_bus_has_no_such_device():
    with pytest.raises(DeviceNotFound, match="expected such a device on the bus, found none"):
        address.parse("usb:1209:0001?serial=no-such-device").open()


def test_where_the_system_has_no_libusb_that_of_the_package_does(monkeypatch):
    package = object()
    monkeypatch.setattr(usb.backend.libusb1, "get_backend", lambda: None)
    monkeypatch.setattr(usb_transport.libusb_package, "get_libusb1_backend", lambda: package)
    assert usb_transport.libusb() is package
    monkeypatch.setattr(usb_transport.libusb_package, "get_libusb1_backend", lambda: None)
    with pytest.raises(DeviceAccess, match=r"expected libusb 1\.0, found none: install libusb-package"):
        usb_transport.libusb()
