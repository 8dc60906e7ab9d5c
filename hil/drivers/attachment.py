"""One device in service, or lost and asked for again."""

import time
from collections.abc import Callable
from typing import TypeVar

from flightsw.errors import BeamlockError, DeviceDisconnected, DeviceError, DeviceTimeout, ProtocolError
from flightsw.services.events import Severity
from hil.link import DeviceLink
from hil.protocol import Capability, Kind
from hil.realtime import Latency

#: A device that misses so many answers in a row is lost.
MISSES = 3
#: A device that streams and says nothing for so long is lost.
SILENCE_S = 1.0
#: How often a lost device is asked for.
RETRY_S = 0.5
#: A device that nothing was asked of for so long is asked for a heartbeat: else nobody would know that it is gone.
HEARTBEAT_S = 0.25

Tell = Callable[[Severity, str, str], None]
T = TypeVar("T")


class Attachment:
    """A device behind a link, which may vanish and come back.

    Attributes:
        in_service: whether the device answers.
        missed: answers that did not come, in all.
        refused: commands that the device did not take.
        times_lost: how often it was lost.
        latency: how long what was asked of it took.
    """

    def __init__(self, link: DeviceLink, tell: Tell) -> None:
        """`tell` reports an event: severity, name, text."""
        self.link = link
        self.in_service = False
        self.missed = self.refused = self.times_lost = 0
        self.latency = Latency()
        self._tell = tell
        self._in_a_row = 0
        self._next_try_s = 0.0
        self._asked = False
        self._next_heartbeat_s = 0.0
        self._refusal = ""
        self._shown = self._streams = False
        self._packets = 0
        self._heard_s = 0.0

    def open(self) -> None:
        """Connect for the first time. Raises what `DeviceLink.open` does."""
        self.link.open()
        self._begin()

    @property
    def shown(self) -> bool:
        """Whether the device is an emulator, which lives on what the world shows it."""
        return self.in_service and self._shown

    def ask(self, action: Callable[[], T]) -> T | None:
        """What the device makes of `action`; None if it is lost, refuses, or does not answer."""
        if not self.in_service:
            return None
        self._asked = True
        began_ns = time.monotonic_ns()
        try:
            answer = action()
        except DeviceTimeout as error:
            self.missed += 1
            self._in_a_row += 1
            if self._in_a_row >= MISSES:
                self._lose(error)
        except DeviceError as error:
            self._lose(error)
        except ProtocolError as error:
            self._refuse(error)
        else:
            self._in_a_row = 0
            self.latency.record(time.monotonic_ns() - began_ns)
            return answer
        return None

    def decode(self, decoder: Callable[[bytes], T], octets: bytes) -> T | None:
        """What a device's octets mean; None if they make no sense, which counts as a refusal."""
        try:
            return decoder(octets)
        except ProtocolError as error:
            self._refuse(error)
            return None

    def look_after(self, now_s: float) -> bool:
        """Once a frame: ask for a lost device, and whether a quiet one is there. True when it has just come back."""
        if self.in_service:
            self._check(now_s)
            return False
        if now_s < self._next_try_s:
            return False
        self._next_try_s = now_s + RETRY_S
        try:
            self.link.open()
        except BeamlockError:
            return False
        self._begin()
        self._tell(Severity.INFO, "DEVICE_BACK", f"{self.link.name} answers again")
        return True

    def close(self) -> None:
        """Let go of the device."""
        self.in_service = False
        self.link.close()

    def _begin(self) -> None:
        identity = self.link.identity
        assert identity is not None, "an open link knows its device"
        # an encoder's word is that of its RTL, and it sends codeblocks without being asked
        word = 0 if self.link.kind is Kind.ENCODER else identity.capabilities
        capabilities = Capability(word & int(Capability.STIMULUS | Capability.STREAM))
        self._shown = Capability.STIMULUS in capabilities
        self._in_a_row = 0
        self._refusal = ""
        self.in_service = True
        self._streams = Capability.STREAM in capabilities and not self._shown
        self._packets = -1
        if self._streams:
            self.ask(lambda: self.link.stream(True))

    def _check(self, now_s: float) -> None:
        if self.link.packets != self._packets:
            self._packets, self._heard_s = self.link.packets, now_s
        elif self._streams and now_s - self._heard_s > SILENCE_S:
            self._lose(DeviceTimeout(f"expected samples within {SILENCE_S:g} s, found none: is it running?"))
            return
        if now_s >= self._next_heartbeat_s and not self._asked:
            self.ask(self.link.heartbeat)
        if self._asked:
            self._asked = False
            self._next_heartbeat_s = now_s + HEARTBEAT_S

    def _lose(self, error: BeamlockError) -> None:
        self.in_service = False
        self.times_lost += 1
        self.link.close()
        disconnected = "gone" if isinstance(error, DeviceDisconnected) else "silent"
        self._tell(Severity.MEDIUM, "DEVICE_LOST", f"{self.link.name} is {disconnected}: {error}")

    def _refuse(self, error: ProtocolError) -> None:
        """Report a refusal once, and again when it is another."""
        self.refused += 1
        if str(error) != self._refusal:
            self._refusal = str(error)
            self._tell(Severity.LOW, "DEVICE_REFUSED", str(error))
