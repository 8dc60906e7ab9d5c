"""Emulators of a terminal on the virtual USB bus.

They work in the thread of the host that waits for them: quicker than a thread for each, and a run in simulated time is
the same each time.
"""

import time
from collections.abc import Callable, Iterable
from functools import partial

from hil.device_side import Device
from hil.emulators.emulated import emulated
from hil.protocol import Kind
from hil.scenario import Scenario
from hil.transports import Framing, Transport
from hil.transports.in_process import pair
from hil.transports.usb import UsbTransport
from hil.transports.virtual_usb import PRODUCT, VENDOR, VirtualBus, VirtualUsbDevice


class EmulatorBus:
    """A bus with emulators of one terminal, all plugged in.

    Attributes:
        bus: pyusb's backend.
        emulators: what is emulated, by kind.
    """

    def __init__(self, kinds: Iterable[Kind], scenario: Scenario, terminal: str, seed: int) -> None:
        """As `hil.emulators.emulated.emulated`."""
        self.bus = VirtualBus()
        self.emulators = {kind: emulated(kind, scenario, terminal, seed) for kind in kinds}
        self._plugged: dict[Kind, VirtualUsbDevice] = {}
        for kind in self.emulators:
            self.plug(kind)

    def connect(self, kind: Kind) -> Callable[[], Transport]:
        """A host's way to a device, as `DeviceLink` wants one."""
        return partial(UsbTransport, VENDOR, PRODUCT, self.emulators[kind].name, self.bus)

    def plug(self, kind: Kind) -> None:
        """Plug a device in again, which is as it was when it was unplugged."""
        self.unplug(kind)
        emulator = self.emulators[kind]
        host, end = pair(emulator.name, Framing.TRANSFER)
        host.wait = _worker(emulator.device(end))
        self._plugged[kind] = VirtualUsbDevice(host, emulator.name)
        self.bus.plug(self._plugged[kind])

    def unplug(self, kind: Kind) -> None:
        """Unplug a device, if it is plugged in: a host finds it gone."""
        device = self._plugged.pop(kind, None)
        if device is not None:
            self.bus.unplug(device)


def _worker(device: Device) -> Callable[[float], None]:
    def work(timeout_s: float) -> None:
        # where nothing came, nothing will: the host is waiting here
        if not device.step():
            time.sleep(timeout_s)

    return work
