"""A virtual USB bus: a backend for pyusb that hosts emulated devices, with the descriptors and the errors of real ones.

A device is described by octets, as USB 2.0 chapter 9 lays them out; what pyusb asks for is parsed from those. Each
device has one vendor-specific interface with a bulk endpoint in and one out, which lead to a `Transport`: a transfer
out is a write to it, a transfer in is a read from it.
"""

import array
import errno
import os
from collections.abc import Iterator
from types import SimpleNamespace

import usb.backend
import usb.core
from construct import Int8ul, Int16ul, Struct

from flightsw.errors import ConfigError, DeviceDisconnected, DeviceTimeout
from hil.transports import Transport

#: pid.codes' numbers for tests; no product has them.
VENDOR = 0x1209
PRODUCT = 0x0001
ENDPOINT_OUT = 0x01
ENDPOINT_IN = 0x81

_DEVICE, _CONFIGURATION, _STRING, _INTERFACE, _ENDPOINT = 1, 2, 3, 4, 5
_ENGLISH = 0x0409
_GET_DESCRIPTOR = 0x80, 6
_BULK = 2
_LARGEST_BULK_PACKET = 64
_FULL_SPEED = 2
#: libusb's number for each errno, as its pyusb backend reports them.
_LIBUSB = {errno.EACCES: -3, errno.ENODEV: -4, errno.ENOENT: -5, errno.EBUSY: -6, errno.EOVERFLOW: -8, errno.EPIPE: -9}
_TIMEOUT = -7

#: USB 2.0, table 9-8.
DEVICE_DESCRIPTOR = Struct(
    "bLength" / Int8ul,
    "bDescriptorType" / Int8ul,
    "bcdUSB" / Int16ul,
    "bDeviceClass" / Int8ul,
    "bDeviceSubClass" / Int8ul,
    "bDeviceProtocol" / Int8ul,
    "bMaxPacketSize0" / Int8ul,
    "idVendor" / Int16ul,
    "idProduct" / Int16ul,
    "bcdDevice" / Int16ul,
    "iManufacturer" / Int8ul,
    "iProduct" / Int8ul,
    "iSerialNumber" / Int8ul,
    "bNumConfigurations" / Int8ul,
)
#: USB 2.0, table 9-10.
CONFIGURATION_DESCRIPTOR = Struct(
    "bLength" / Int8ul,
    "bDescriptorType" / Int8ul,
    "wTotalLength" / Int16ul,
    "bNumInterfaces" / Int8ul,
    "bConfigurationValue" / Int8ul,
    "iConfiguration" / Int8ul,
    "bmAttributes" / Int8ul,
    "bMaxPower" / Int8ul,
)
#: USB 2.0, table 9-12.
INTERFACE_DESCRIPTOR = Struct(
    "bLength" / Int8ul,
    "bDescriptorType" / Int8ul,
    "bInterfaceNumber" / Int8ul,
    "bAlternateSetting" / Int8ul,
    "bNumEndpoints" / Int8ul,
    "bInterfaceClass" / Int8ul,
    "bInterfaceSubClass" / Int8ul,
    "bInterfaceProtocol" / Int8ul,
    "iInterface" / Int8ul,
)
#: USB 2.0, table 9-13.
ENDPOINT_DESCRIPTOR = Struct(
    "bLength" / Int8ul,
    "bDescriptorType" / Int8ul,
    "bEndpointAddress" / Int8ul,
    "bmAttributes" / Int8ul,
    "wMaxPacketSize" / Int16ul,
    "bInterval" / Int8ul,
)


class VirtualUsbDevice:
    """A device that can be plugged into a `VirtualBus`.

    Attributes:
        port: where its bulk endpoints lead.
        permitted: whether the user may open it.
        claimed_elsewhere: whether another program has its interface.
        stalled: endpoints that are halted, until the host clears them.
    """

    def __init__(
        self,
        port: Transport,
        serial: str,
        vendor: int = VENDOR,
        product: int = PRODUCT,
        name: str = "beamlock device",
        maker: str = "beamlock",
    ) -> None:
        """Describe it. Raises ConfigError for a text too long for its descriptor."""
        self.port = port
        self.serial = serial
        self.permitted = True
        self.claimed_elsewhere = False
        self.stalled: set[int] = set()
        self.configured = 0
        self.claimed_by: _Handle | None = None
        self.out = bytearray()
        self.pending = b""
        self.device_descriptor: bytes = DEVICE_DESCRIPTOR.build(
            {
                "bLength": DEVICE_DESCRIPTOR.sizeof(),
                "bDescriptorType": _DEVICE,
                "bcdUSB": 0x0200,
                "bDeviceClass": 0,
                "bDeviceSubClass": 0,
                "bDeviceProtocol": 0,
                "bMaxPacketSize0": 64,
                "idVendor": vendor,
                "idProduct": product,
                "bcdDevice": 0x0100,
                "iManufacturer": 1,
                "iProduct": 2,
                "iSerialNumber": 3,
                "bNumConfigurations": 1,
            }
        )
        self.interface_descriptor: bytes = INTERFACE_DESCRIPTOR.build(
            {
                "bLength": INTERFACE_DESCRIPTOR.sizeof(),
                "bDescriptorType": _INTERFACE,
                "bInterfaceNumber": 0,
                "bAlternateSetting": 0,
                "bNumEndpoints": 2,
                "bInterfaceClass": 0xFF,
                "bInterfaceSubClass": 0,
                "bInterfaceProtocol": 0,
                "iInterface": 2,
            }
        )
        self.endpoint_descriptors: tuple[bytes, ...] = tuple(
            ENDPOINT_DESCRIPTOR.build(
                {
                    "bLength": ENDPOINT_DESCRIPTOR.sizeof(),
                    "bDescriptorType": _ENDPOINT,
                    "bEndpointAddress": address,
                    "bmAttributes": _BULK,
                    "wMaxPacketSize": _LARGEST_BULK_PACKET,
                    "bInterval": 0,
                }
            )
            for address in (ENDPOINT_OUT, ENDPOINT_IN)
        )
        below = self.interface_descriptor + b"".join(self.endpoint_descriptors)
        own = CONFIGURATION_DESCRIPTOR.build(
            {
                "bLength": CONFIGURATION_DESCRIPTOR.sizeof(),
                "bDescriptorType": _CONFIGURATION,
                "wTotalLength": CONFIGURATION_DESCRIPTOR.sizeof() + len(below),
                "bNumInterfaces": 1,
                "bConfigurationValue": 1,
                "iConfiguration": 0,
                "bmAttributes": 0x80,
                "bMaxPower": 50,
            }
        )
        self.configuration_descriptor: bytes = own + below
        texts = [_ENGLISH.to_bytes(2, "little"), *(text.encode("utf-16-le") for text in (maker, name, serial))]
        self.string_descriptors = tuple(_string_descriptor(text) for text in texts)

    def descriptor(self, kind: int, index: int) -> bytes | None:
        """Octets of a descriptor, or None for one that the device does not have."""
        if kind == _STRING and index < len(self.string_descriptors):
            return self.string_descriptors[index]
        if index == 0:
            return {_DEVICE: self.device_descriptor, _CONFIGURATION: self.configuration_descriptor}.get(kind)
        return None

    def reset(self) -> None:
        """Forget all that a host did."""
        self.stalled.clear()
        self.configured = 0
        self.claimed_by = None
        self.out.clear()
        self.pending = b""


class _Handle:
    """A device that a host has open."""

    def __init__(self, device: VirtualUsbDevice, address: int) -> None:
        self.device = device
        self.address = address


class VirtualBus(usb.backend.IBackend):  # type: ignore[misc]  # pyusb has no types
    """The bus. Give it to pyusb, or `UsbTransport`, as backend. Methods but `plug` and `unplug` are pyusb's."""

    def __init__(self) -> None:
        self._devices: dict[int, VirtualUsbDevice] = {}
        self._next_address = 1

    def plug(self, device: VirtualUsbDevice) -> None:
        """Plug a device in; it gets a new address."""
        device.reset()
        self._devices[self._next_address] = device
        self._next_address += 1

    def unplug(self, device: VirtualUsbDevice) -> None:
        """Unplug a device: whoever has it open finds it gone."""
        self._devices = {address: other for address, other in self._devices.items() if other is not device}

    def enumerate_devices(self) -> Iterator[int]:
        """Addresses of the devices."""
        return iter(tuple(self._devices))

    def get_parent(self, dev: int) -> None:
        """There is no hub."""

    def get_device_descriptor(self, dev: int) -> SimpleNamespace:
        """Device descriptor, and the place on the bus."""
        fields = DEVICE_DESCRIPTOR.parse(self._device(dev).device_descriptor)
        return _namespace(fields, bus=1, address=dev, port_number=dev, port_numbers=(dev,), speed=_FULL_SPEED)

    def get_configuration_descriptor(self, dev: int, config: int) -> SimpleNamespace:
        """Configuration descriptor."""
        _require_first(config)
        return _namespace(CONFIGURATION_DESCRIPTOR.parse(self._device(dev).configuration_descriptor))

    def get_interface_descriptor(self, dev: int, intf: int, alt: int, config: int) -> SimpleNamespace:
        """Interface descriptor."""
        _require_first(intf, alt, config)
        return _namespace(INTERFACE_DESCRIPTOR.parse(self._device(dev).interface_descriptor))

    def get_endpoint_descriptor(self, dev: int, ep: int, intf: int, alt: int, config: int) -> SimpleNamespace:
        """Endpoint descriptor."""
        _require_first(intf, alt, config)
        fields = ENDPOINT_DESCRIPTOR.parse(self._device(dev).endpoint_descriptors[ep])
        # pyusb expects these of audio devices' descriptors, and libusb gives 0 to others
        return _namespace(fields, bRefresh=0, bSynchAddress=0)

    def open_device(self, dev: int) -> _Handle:
        """Open a device. Raises EACCES where that is not permitted."""
        device = self._device(dev)
        if not device.permitted:
            raise _error(errno.EACCES)
        return _Handle(device, dev)

    def close_device(self, dev_handle: _Handle) -> None:
        """Close a device and release what was claimed."""
        if dev_handle.device.claimed_by is dev_handle:
            dev_handle.device.claimed_by = None

    def set_configuration(self, dev_handle: _Handle, config_value: int) -> None:
        """Set the configuration. Raises ENOENT for one that the device does not have."""
        device = self._opened(dev_handle)
        if config_value not in (0, 1):
            raise _error(errno.ENOENT)
        device.configured = config_value

    def get_configuration(self, dev_handle: _Handle) -> int:
        """Value of the active configuration, 0 for none."""
        return self._opened(dev_handle).configured

    def set_interface_altsetting(self, dev_handle: _Handle, intf: int, altsetting: int) -> None:
        """There is one setting only."""
        self._claimed(dev_handle, intf)
        if altsetting != 0:
            raise _error(errno.ENOENT)

    def claim_interface(self, dev_handle: _Handle, intf: int) -> None:
        """Claim the interface. Raises EBUSY where another has it."""
        device = self._opened(dev_handle)
        if intf != 0 or not device.configured:
            raise _error(errno.ENOENT)
        if device.claimed_elsewhere or device.claimed_by not in (None, dev_handle):
            raise _error(errno.EBUSY)
        device.claimed_by = dev_handle

    def release_interface(self, dev_handle: _Handle, intf: int) -> None:
        """Release the interface."""
        self._claimed(dev_handle, intf).claimed_by = None

    def bulk_write(self, dev_handle: _Handle, ep: int, intf: int, data: "array.array[int]", timeout: int) -> int:
        """Write packets of the bus; the transfer is the device's once a short one ends it."""
        device = self._ready(dev_handle, ep, intf)
        device.out += data.tobytes()
        if len(data) % _LARGEST_BULK_PACKET or not data:
            transfer = bytes(device.out)
            device.out.clear()
            try:
                device.port.write(transfer)
            except DeviceTimeout:
                raise _timeout() from None
            except DeviceDisconnected:
                raise _error(errno.ENODEV) from None
        return len(data)

    def bulk_read(self, dev_handle: _Handle, ep: int, intf: int, buff: "array.array[int]", timeout: int) -> int:
        """Read a transfer, or as much of it as goes into the buffer."""
        device = self._ready(dev_handle, ep, intf)
        if not device.pending:
            try:
                device.pending = device.port.read(timeout / 1000)
            except DeviceDisconnected:
                raise _error(errno.ENODEV) from None
            self._ready(dev_handle, ep, intf)
        if not device.pending:
            raise _timeout()
        if len(device.pending) > len(buff) and len(buff) % _LARGEST_BULK_PACKET:
            device.pending = b""
            raise _error(errno.EOVERFLOW)
        octets, device.pending = device.pending[: len(buff)], device.pending[len(buff) :]
        buff[: len(octets)] = array.array("B", octets)
        return len(octets)

    def ctrl_transfer(
        self,
        dev_handle: _Handle,
        bmRequestType: int,
        bRequest: int,
        wValue: int,
        wIndex: int,
        data: "array.array[int]",
        timeout: int,
    ) -> int:
        """Standard request GET_DESCRIPTOR; the device stalls any other."""
        device = self._opened(dev_handle)
        descriptor = device.descriptor(*divmod(wValue, 256)) if (bmRequestType, bRequest) == _GET_DESCRIPTOR else None
        if descriptor is None:
            raise _error(errno.EPIPE)
        octets = descriptor[: len(data)]
        data[: len(octets)] = array.array("B", octets)
        return len(octets)

    def clear_halt(self, dev_handle: _Handle, ep: int) -> None:
        """Clear a stalled endpoint."""
        self._opened(dev_handle).stalled.discard(ep)

    def reset_device(self, dev_handle: _Handle) -> None:
        """Reset the device; the host keeps it open, and claimed."""
        device = self._opened(dev_handle)
        configured, claimed_by = device.configured, device.claimed_by
        device.reset()
        device.configured, device.claimed_by = configured, claimed_by

    def is_kernel_driver_active(self, dev_handle: _Handle, intf: int) -> bool:
        """No driver binds to a vendor-specific interface."""
        self._opened(dev_handle)
        return False

    def _device(self, address: int) -> VirtualUsbDevice:
        device = self._devices.get(address)
        if device is None:
            raise _error(errno.ENODEV)
        return device

    def _opened(self, handle: _Handle) -> VirtualUsbDevice:
        return self._device(handle.address)

    def _claimed(self, handle: _Handle, interface: int) -> VirtualUsbDevice:
        device = self._opened(handle)
        if interface != 0 or device.claimed_by is not handle:
            raise _error(errno.ENOENT)
        return device

    def _ready(self, handle: _Handle, endpoint: int, interface: int) -> VirtualUsbDevice:
        device = self._claimed(handle, interface)
        if endpoint in device.stalled:
            raise _error(errno.EPIPE)
        return device


def _string_descriptor(text: bytes) -> bytes:
    """USB 2.0, tables 9-15 and 9-16."""
    if len(text) > 252:
        raise ConfigError(f"USB string descriptor: expected at most 126 characters, found {len(text) // 2}")
    return bytes([2 + len(text), _STRING]) + text


def _namespace(fields: dict[str, int], **more: object) -> SimpleNamespace:
    named = {name: value for name, value in fields.items() if not name.startswith("_")}
    return SimpleNamespace(**named, **more, extra_descriptors=b"")


def _require_first(*indices: int) -> None:
    if any(indices):
        raise IndexError(f"expected index 0 of the only descriptor, found {indices}")


def _error(number: int) -> usb.core.USBError:
    return usb.core.USBError(os.strerror(number), _LIBUSB[number], number)


def _timeout() -> usb.core.USBTimeoutError:
    return usb.core.USBTimeoutError(os.strerror(errno.ETIMEDOUT), _TIMEOUT, errno.ETIMEDOUT)
