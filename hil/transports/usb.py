"""USB, through pyusb: a pair of bulk endpoints of a vendor-specific interface.

Each space packet is one transfer. It ends with a packet of the bus that is shorter than the endpoint's largest
(USB 2.0, 5.8.3), so a transfer that fills its last packet is followed by an empty one.
"""

import array
import errno
from math import ceil

import libusb_package
import usb.backend.libusb1
import usb.core
import usb.util

from flightsw.errors import (
    BeamlockError,
    ConfigError,
    DeviceAccess,
    DeviceDisconnected,
    DeviceNotFound,
    DeviceTimeout,
    ProtocolError,
)
from hil.transports import WRITE_TIMEOUT_S, Framing

UDEV_FILE = "/etc/udev/rules.d/70-beamlock.rules"
#: The largest space packet and more, in whole packets of any bus speed, lest the bus overflow it.
_BUFFER_OCTETS = 0x10400
_GONE = (errno.ENODEV, errno.EIO, errno.ENOENT, errno.ENXIO, errno.ESHUTDOWN)
_VENDOR_SPECIFIC = 0xFF
_BULK = usb.util.ENDPOINT_TYPE_BULK


class UsbTransport:
    """An open device, its interface claimed."""

    framing = Framing.TRANSFER

    def __init__(
        self, vendor: int, product: int, serial: str | None = None, backend: usb.backend.IBackend | None = None
    ) -> None:
        """Find, open and claim. `backend` is pyusb's; without one it is libusb, the system's or that of libusb-package.

        Raises DeviceNotFound, DeviceAccess, DeviceDisconnected, or ConfigError where several devices answer.
        """
        self.name = f"usb:{vendor:04x}:{product:04x}" + (f"?serial={serial}" if serial else "")
        self._buffer = array.array("B", bytes(_BUFFER_OCTETS))
        self._udev_rule = (
            f'SUBSYSTEM=="usb", ATTR{{idVendor}}=="{vendor:04x}", ATTR{{idProduct}}=="{product:04x}", '
            'MODE="0660", TAG+="uaccess"'
        )
        try:
            self._device = self._find(vendor, product, serial, backend or libusb())
        except usb.core.USBError as error:
            raise self._failed(error, "open") from None
        try:
            self._claim()
        except usb.core.USBError as error:
            usb.util.dispose_resources(self._device)
            raise self._failed(error, "claim") from None
        except BeamlockError:
            usb.util.dispose_resources(self._device)
            raise

    def write(self, octets: bytes) -> None:
        """Send `octets` as one transfer. Raises DeviceTimeout if the device does not take it."""
        self._send(octets)
        if len(octets) % self._out.wMaxPacketSize == 0:
            self._send(b"")

    def read(self, timeout_s: float) -> bytes:
        """The next transfer, or what came of it within `timeout_s` (in whole ms, at least 1), or b""."""
        try:
            # to libusb, 0 ms are forever
            count = self._device.read(self._in, self._buffer, max(1, ceil(timeout_s * 1000)))
        except usb.core.USBTimeoutError:
            return b""
        except usb.core.USBError as error:
            raise self._failed(error, "read", self._in) from None
        return self._buffer[:count].tobytes()

    def close(self) -> None:
        """Release the interface and the device."""
        usb.util.dispose_resources(self._device)

    def _find(self, vendor: int, product: int, serial: str | None, backend: usb.backend.IBackend) -> usb.core.Device:
        alike = list(usb.core.find(find_all=True, backend=backend, idVendor=vendor, idProduct=product))
        if serial is None and len(alike) == 1:
            return alike[0]
        try:
            numbers = [_serial_number(device) for device in alike]
        finally:
            for device in alike:
                usb.util.dispose_resources(device)
        if serial is None and alike:
            raise ConfigError(
                f"{self.name}: expected one such device, found {len(alike)}: "
                f"add ?serial= with one of {', '.join(map(str, numbers))}"
            )
        if serial not in numbers:
            raise DeviceNotFound(
                f"{self.name}: expected such a device on the bus, found "
                f"{'those with serial number ' + ', '.join(map(str, numbers)) if alike else 'none'}: "
                "plug it in, or correct the address (`lsusb`)"
            )
        return alike[numbers.index(serial)]

    def _claim(self) -> None:
        device = self._device
        try:
            configuration = device.get_active_configuration()
        except usb.core.USBError as error:
            if error.errno is not None:
                raise
            device.set_configuration()
            configuration = device.get_active_configuration()
        for interface in configuration:
            bulk = [e for e in interface if usb.util.endpoint_type(e.bmAttributes) == _BULK]
            ends = {usb.util.endpoint_direction(e.bEndpointAddress): e for e in bulk}
            if interface.bInterfaceClass == _VENDOR_SPECIFIC and len(ends) == 2:
                self._in, self._out = ends[usb.util.ENDPOINT_IN], ends[usb.util.ENDPOINT_OUT]
                usb.util.claim_interface(device, interface)
                return
        raise DeviceNotFound(
            f"{self.name}: expected a vendor-specific interface with bulk endpoints in and out, found none: "
            "correct the address, or flash beamlock's firmware"
        )

    def _send(self, octets: bytes) -> None:
        try:
            taken = self._device.write(self._out, octets, round(WRITE_TIMEOUT_S * 1000))
        except usb.core.USBTimeoutError:
            taken = -1
        except usb.core.USBError as error:
            raise self._failed(error, "write", self._out) from None
        if taken != len(octets):
            raise DeviceTimeout(
                f"{self.name}: expected the device to take {len(octets)} octets within {WRITE_TIMEOUT_S:g} s, "
                f"found that it took {max(taken, 0)}"
            )

    def _failed(self, error: usb.core.USBError, doing: str, endpoint: usb.core.Endpoint = None) -> BeamlockError:
        if error.errno == errno.EPIPE and endpoint is not None:
            return self._stalled(endpoint)
        if error.errno in (errno.EACCES, errno.EPERM):
            return DeviceAccess(
                f"{self.name}: expected to be allowed to open it, found that udev does not allow it: "
                f"put this line into {UDEV_FILE}: {self._udev_rule} "
                "and run `sudo udevadm control --reload && sudo udevadm trigger`"
            )
        if error.errno == errno.EBUSY:
            return DeviceAccess(
                f"{self.name}: expected a free interface, found that another program or a kernel driver "
                "has claimed it: close that program, or unbind the driver"
            )
        if error.errno in _GONE:
            return DeviceDisconnected(
                f"{self.name}: the device is gone ({error.strerror}): plug it in, then open it again"
            )
        return ProtocolError(f"{self.name}: expected to {doing}, found: {error.strerror} (errno {error.errno})")

    def _stalled(self, endpoint: usb.core.Endpoint) -> BeamlockError:
        where = f"{self.name}: endpoint {endpoint.bEndpointAddress:#04x}"
        try:
            endpoint.clear_halt()
        except usb.core.USBError as error:
            return self._failed(error, "clear the halt")
        return ProtocolError(f"{where}: expected a transfer, found it stalled; the halt is cleared: ask again")


def libusb() -> usb.backend.IBackend:
    """The backend for real buses. Raises DeviceAccess if there is no libusb."""
    backend = usb.backend.libusb1.get_backend() or libusb_package.get_libusb1_backend()
    if backend is None:
        raise DeviceAccess("usb: expected libusb 1.0, found none: install libusb-package (pip) or libusb-1.0-0 (apt)")
    return backend


def _serial_number(device: usb.core.Device) -> str | None:
    """Serial number of a device. Raises USBError where the device may not be opened."""
    if not device.iSerialNumber:
        return None
    # Device.serial_number would hide missing permission behind a ValueError
    languages = usb.util.get_langids(device)
    number: str | None = usb.util.get_string(device, device.iSerialNumber, languages[0]) if languages else None
    return number
