"""The device's end of the wire protocol: emulators are handlers behind it."""

import time
from collections.abc import Callable
from threading import Event

from flightsw.ccsds.space_packet import SEQUENCE_COUNTS, Packet
from flightsw.errors import BeamlockError, ConfigError, DeviceDisconnected, DeviceTimeout, FrameError
from hil.framing import DELIMITER, build, frame, packet_reader
from hil.parts import PART_OCTETS, split
from hil.protocol import (
    OVERRUN,
    PROTOCOL_VERSION,
    Accepted,
    Alive,
    Capability,
    Data,
    Error,
    ErrorCode,
    Heartbeat,
    Hello,
    Identity,
    Kind,
    Message,
    MessageError,
    Read,
    Reply,
    Samples,
    Status,
    Stimulated,
    Stimulus,
    Stream,
    Streaming,
    Value,
    Write,
    Written,
    decode,
    encode,
    error_text,
)
from hil.transports import Framing, Transport

#: How often a device that serves looks whether it should stop.
PATIENCE_S = 0.05


def process_clock_us() -> int:
    """The clock of a device that has no other: us of this process's monotonic time."""
    return time.monotonic_ns() // 1000


class Handler:
    """What a device does with each message. A subclass overrides those that it knows; the others are refused.

    To refuse a message, a method raises MessageError. FrameError and ConfigError become codes 2 and 5, any other
    BeamlockError code 7.

    Attributes:
        samples: octets of samples that the message under way has made; the device sends them before its reply.
    """

    samples = b""

    def read(self, address: int) -> int:
        """Value of a register."""
        raise MessageError(ErrorCode.NO_SUCH_REGISTER, f"register: expected one that is there, found {address:#06x}")

    def write(self, address: int, value: int) -> int:
        """Set a register and return it as it then stands."""
        raise MessageError(ErrorCode.NO_SUCH_REGISTER, f"register: expected one that is there, found {address:#06x}")

    def data(self, flags: int, octets: bytes) -> int:
        """Take octets and return the room for more, at most 65535."""
        raise _unknown("DATA")

    def status(self) -> Status:
        """Status for a heartbeat."""
        return Status(0)

    def stream(self, enable: bool, decimation: int) -> tuple[bool, int]:
        """Start or stop samples; returns both as they then stand."""
        raise _unknown("STREAM")

    def stimulus(self, octets: bytes) -> None:
        """See what the world shows."""
        raise _unknown("STIMULUS")


class Device:
    """Serves one host over one transport.

    Attributes:
        refused: messages that were answered by ERROR.
        unsent: packets that the transport did not take.
    """

    def __init__(
        self,
        kind: Kind,
        transport: Transport,
        handler: Handler,
        *,
        unique_id: bytes = bytes(8),
        firmware: tuple[int, int, int] = (0, 1, 0),
        capabilities: Capability = Capability(0),  # noqa: B008
        clock_us: Callable[[], int] = process_clock_us,
    ) -> None:
        """`clock_us` is the device's clock; it has not to agree with the host's."""
        self.refused = 0
        self.unsent = 0
        self._kind = kind
        self._transport = transport
        self._handler = handler
        self._identity = Identity(PROTOCOL_VERSION, kind.octet, *firmware, int(capabilities), unique_id)
        self._clock_us = clock_us
        self._started_us = clock_us()
        self._reader = packet_reader(transport.framing)
        self._streamed = 0
        self._sequence = 0
        self._overrun = False
        self._torn = False

    @property
    def bad_frames(self) -> int:
        """Frames that came and were no packet."""
        return self._reader.bad_frames

    def step(self, timeout_s: float = 0.0) -> bool:
        """Answer what has come, or comes within `timeout_s`; returns whether anything came.

        Raises DeviceDisconnected if the host is gone.
        """
        octets = self._transport.read(timeout_s)
        if not octets:
            return False
        for packet in self._reader.push(octets):
            self._answer(packet)
        return True

    def serve(self, stop: Event) -> None:
        """Answer until `stop` is set or the host is gone."""
        try:
            while not stop.is_set():
                self.step(PATIENCE_S)
        except DeviceDisconnected:
            return

    def send_samples(self, octets: bytes, time_us: int | None = None, part_octets: int = PART_OCTETS) -> None:
        """Send samples, in parts if long; `time_us` is that of the first on the device's clock, now if not given.

        Samples that the transport does not take are lost, and the next ones say so.
        """
        at_us = self._clock_us() if time_us is None else time_us
        for flags, part in split(octets, part_octets):
            self._overrun = not self._send([self._samples(flags, part, at_us)])

    def _answer(self, packet: Packet) -> None:
        hello = packet.data[:1] == _HELLO
        # a host learns of the wrong device on its port from the reply to HELLO, and only from that
        if not packet.telecommand or (packet.apid != self._kind and not hello):
            return
        try:
            data = encode(self._reply(decode(packet)))
        except BeamlockError as error:
            self.refused += 1
            code = error.code if isinstance(error, MessageError) else _code(error)
            text = error.text if isinstance(error, MessageError) else str(error)
            data = encode(Error(code, error_text(text).decode("ascii")))
        now_us = self._clock_us()
        reply = self._framed(packet.sequence_count, now_us, data)
        made = self._handler.samples
        if made:
            self._handler.samples = b""
            parts = [self._samples(flags, part, now_us) for flags, part in split(made)]
            self._overrun = not self._send([*parts, reply])
        else:
            self._send([reply])

    def _reply(self, message: Message) -> Reply:
        handler = self._handler
        match message:
            case Hello():
                # whatever version the host speaks, it learns from the reply's first octet which one this device does
                return self._identity
            case Read(address):
                return Value(address, handler.read(address))
            case Write(address, value):
                return Written(address, handler.write(address, value))
            case Data(flags, octets):
                return Accepted(handler.data(flags, octets))
            case Heartbeat():
                uptime_ms = (self._clock_us() - self._started_us) // 1000
                return Alive(handler.status(), uptime_ms & 0xFFFFFFFF)
            case Stream(enable, decimation):
                if enable > 1 or decimation < 1:
                    raise MessageError(
                        ErrorCode.OUT_OF_RANGE,
                        f"STREAM: expected enable 0 or 1 and decimation from 1, found {enable} and {decimation}",
                    )
                streaming, stands = handler.stream(enable == 1, decimation)
                return Streaming(int(streaming), stands)
            case Stimulus(octets):
                handler.stimulus(octets)
                return Stimulated()
            case _:
                raise _unknown(type(message).__name__.upper())

    def _samples(self, flags: int, part: bytes, time_us: int) -> bytes:
        """What goes over the line for one message of samples."""
        samples = Samples(self._sequence, flags | (OVERRUN if self._overrun else 0), part)
        self._sequence = (self._sequence + 1) & 0xFFFFFFFF
        count = self._streamed
        self._streamed = (count + 1) % SEQUENCE_COUNTS
        return self._framed(count, time_us, encode(samples))

    def _framed(self, count: int, time_us: int, data: bytes) -> bytes:
        return frame(build(Packet(self._kind, count, time_us, data)), self._transport.framing)

    def _send(self, frames: list[bytes]) -> bool:
        """Send packets, on a stream in one write; returns whether the transport took them."""
        if self._transport.framing is Framing.STREAM:
            # behind half a frame, a delimiter
            frames = [(DELIMITER if self._torn else b"") + b"".join(frames)]
        try:
            for octets in frames:
                self._transport.write(octets)
        except DeviceTimeout:
            self.unsent += len(frames)
            self._torn = True
            return False
        self._torn = False
        return True


_HELLO = encode(Hello())[:1]


def _code(error: BeamlockError) -> ErrorCode:
    if isinstance(error, FrameError):
        return ErrorCode.BAD_LENGTH
    if isinstance(error, ConfigError):
        return ErrorCode.OUT_OF_RANGE
    return ErrorCode.HARDWARE_FAULT


def _unknown(name: str) -> MessageError:
    return MessageError(ErrorCode.UNKNOWN_MESSAGE, f"{name}: expected a message for this kind of device")
