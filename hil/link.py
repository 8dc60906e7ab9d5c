"""The host's end of the wire protocol: one device behind one transport.

Nothing runs in the background. A request waits for its reply and takes in, on the way, whatever else the device sends;
between requests `poll` does. Timeouts and time tags are of one clock, which a simulation may replace by its own.
"""

import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple, TypeVar

from flightsw.ccsds.space_packet import SEQUENCE_COUNTS, Packet
from flightsw.errors import DeviceDisconnected, DeviceTimeout, ProtocolError
from hil.clock_offset import ClockOffset, Offset
from hil.framing import DELIMITER, UNSEGMENTED, PacketReader, build, frame, packet_reader
from hil.parts import PART_OCTETS, split
from hil.protocol import (
    ERROR_ID,
    PROTOCOL_VERSION,
    REPLY,
    SAMPLES_ID,
    Accepted,
    Alive,
    Data,
    Error,
    Heartbeat,
    Hello,
    Identity,
    Kind,
    Message,
    MessageError,
    Read,
    Request,
    Samples,
    Stimulated,
    Stimulus,
    Stream,
    Streaming,
    Value,
    Write,
    Written,
    decode,
    encode,
    kind_name,
    message_id,
)
from hil.transports import Framing, Transport

TIMEOUT_S = 0.1
RETRIES = 2
SAMPLES_KEPT = 4096
#: Posted messages whose replies are waited for.
POSTED_KEPT = 256
#: A device may be told these twice without harm.
IDEMPOTENT = (Hello, Read, Write, Heartbeat, Stream)

#: Left-over reads of an earlier connection that are taken in before HELLO.
_LEFT_OVER_READS = 16
_IDENTIFICATION = (message_id(Identity), ERROR_ID)
_SEQUENCES = 1 << 32
#: A stream sequence that is so far ahead is one that comes late, or again.
_LATE = 1 << 31

R = TypeVar("R", Identity, Value, Written, Accepted, Alive, Streaming, Stimulated)


class Direction(Enum):
    """Which way octets went."""

    TO_DEVICE = "to device"
    FROM_DEVICE = "from device"


class Received(NamedTuple):
    """Samples, and the time in us of the first of them on the device's clock."""

    time_us: int
    samples: Samples


@dataclass(slots=True)
class Counts:
    """What happened on a link since it was made, over all its connections."""

    requests: int = 0
    retries: int = 0
    timeouts: int = 0
    #: replies that nobody waited for any more
    late: int = 0
    #: packets of other kinds of device
    foreign: int = 0
    #: packets that came back as they were sent
    echoed: int = 0
    #: packets without a fault that hold no message, or not one for a host
    malformed: int = 0
    #: posted messages whose reply never came
    unanswered: int = 0
    #: messages of samples that never came, by their stream sequence
    samples_lost: int = 0
    #: those that came again, or behind a later one, and were left out
    samples_repeated: int = 0
    #: those that came while the queue was full, and pushed out the oldest
    samples_overrun: int = 0
    #: frames that were no packet
    bad_frames: int = 0


class DeviceLink:
    """One device. `open` it, or use it as a context manager.

    Attributes:
        kind: the kind of device that has to be there.
        identity: the device's reply to HELLO, once open.
        room: free octets of the device's input buffer, as it last said.
        samples: what streams in, oldest first; take with `popleft`.
        counts: what happened.
    """

    def __init__(
        self,
        kind: Kind,
        connect: Callable[[], Transport],
        *,
        timeout_s: float = TIMEOUT_S,
        retries: int = RETRIES,
        samples_kept: int = SAMPLES_KEPT,
        clock_ns: Callable[[], int] = time.monotonic_ns,
        on_octets: Callable[[Direction, int, bytes], object] | None = None,
    ) -> None:
        """`connect` opens the transport, each time anew; `on_octets` gets every write and read with its time in ns."""
        self.kind = kind
        self.identity: Identity | None = None
        self.room: int | None = None
        self.samples: deque[Received] = deque(maxlen=samples_kept)
        self.counts = Counts()
        self._connect = connect
        self._timeout_s = timeout_s
        self._retries = retries
        self._clock_ns = clock_ns
        self._on_octets = on_octets
        self._transport: Transport | None = None
        self._name = kind.label
        self._reader: PacketReader = packet_reader(Framing.STREAM)
        self._clock = ClockOffset()
        self._count = 0
        self._awaited: int | None = None
        self._identifying = False
        self._reply: Packet | None = None
        self._posted: OrderedDict[int, Request] = OrderedDict()
        self._refusals: deque[MessageError] = deque(maxlen=POSTED_KEPT)
        self._next_sequence: int | None = None
        self._resynchronise = True

    def __enter__(self) -> "DeviceLink":
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def name(self) -> str:
        """Kind and address, for people."""
        return self._name

    @property
    def packets(self) -> int:
        """Packets without a fault that came since the link was opened."""
        return self._reader.good

    @property
    def is_open(self) -> bool:
        """Whether the link has a transport; the device may be gone all the same."""
        return self._transport is not None

    def open(self) -> Identity:
        """Connect, again if need be, and ask who is there.

        Raises DeviceNotFound and DeviceAccess as `connect` does, DeviceTimeout if nobody answers, ProtocolError if what
        answers is of another kind or protocol version, or makes no sense.
        """
        self.close()
        self._transport = self._connect()
        self._name = f"{self.kind.label} on {self._transport.name}"
        self._reader = packet_reader(self._transport.framing)
        self._clock = ClockOffset()
        self._posted.clear()
        self._refusals.clear()
        self._next_sequence = None
        self.room = None
        self._resynchronise = True
        try:
            self.identity = self._identify()
        except BaseException:
            self.close()
            raise
        return self.identity

    def close(self) -> None:
        """Let go of the device; samples that came stay."""
        transport, self._transport = self._transport, None
        self.identity = None
        if transport is not None:
            self.counts.unanswered += len(self._posted)
            self._posted.clear()
            transport.close()

    def read(self, address: int) -> int:
        """Value of a register."""
        return self.request(Read(address), Value).value

    def write(self, address: int, value: int) -> int:
        """Set a register; returns the value as it then stands."""
        return self.request(Write(address, value), Written).value

    def send(self, octets: bytes, part_octets: int = PART_OCTETS) -> int:
        """Send DATA, in parts if long, each once; returns the room that is left in the device's buffer."""
        for flags, part in split(octets, part_octets):
            room = self.request(Data(flags, part), Accepted).room
        return room

    def heartbeat(self) -> Alive:
        """Ask for the device's status."""
        return self.request(Heartbeat(), Alive)

    def stream(self, enable: bool, decimation: int = 1) -> Streaming:
        """Start or stop samples."""
        self._next_sequence = None
        return self.request(Stream(int(enable), decimation), Streaming)

    def stimulate(self, octets: bytes) -> None:
        """Show an emulated device what it sees."""
        self.request(Stimulus(octets), Stimulated)

    def clock_offset(self) -> Offset | None:
        """Device time minus host time, now, with its uncertainty; from the round trips of all requests."""
        return self._clock.at(self._clock_ns() / 1000)

    def request(self, message: Request, reply: type[R], timeout_s: float | None = None) -> R:
        """Send a message and wait for its reply.

        Raises DeviceTimeout if there is none, after retries where the message is idempotent; MessageError if the device
        refuses; ProtocolError for another reply; DeviceDisconnected if the device is gone.
        """
        packet = self._exchange(message, self._timeout_s if timeout_s is None else timeout_s)
        answer = self._decode(packet, message)
        if not isinstance(answer, reply):
            raise self._wrong_reply(message, answer)
        if isinstance(answer, Accepted):
            self.room = answer.room
        return answer

    def post(self, message: Request) -> None:
        """Send a message and go on: its reply is taken in by whatever reads next, and a refusal raised by `poll`."""
        if len(self._posted) == POSTED_KEPT:
            self._posted.popitem(last=False)
            self.counts.unanswered += 1
        count = self._next_count()
        self._posted[count] = message
        self._send(count, message)

    def poll(self, timeout_s: float = 0.0) -> int:
        """Take in what has come, or comes within `timeout_s`; returns the number of samples that wait.

        Raises MessageError for a posted message that was refused.
        """
        self._receive(timeout_s)
        if self._refusals:
            raise self._refusals.popleft()
        return len(self.samples)

    def _identify(self) -> Identity:
        # a reply of before, taken for one to HELLO, would be mistaken for a very short round trip
        for _ in range(_LEFT_OVER_READS):
            if not self._receive(0.0)[1]:
                break
        self._identifying = True
        try:
            packet = self._exchange(Hello(), self._timeout_s)
        except DeviceTimeout:
            raise self._silence() or self._no_answer(Hello(), self._timeout_s) from None
        finally:
            self._identifying = False
        version = packet.data[1] if len(packet.data) > 1 else None
        if version is not None and version != PROTOCOL_VERSION:
            older = "older: flash newer firmware" if version < PROTOCOL_VERSION else "newer: update beamlock"
            raise ProtocolError(
                f"{self._name}: expected protocol version {PROTOCOL_VERSION}, found {version}, which is {older}"
            )
        identity = self._decode(packet, Hello())
        assert isinstance(identity, Identity)
        if packet.apid != self.kind or identity.kind != self.kind.octet:
            raise ProtocolError(
                f"{self._name}: expected a {self.kind.label}, found a {kind_name(identity.kind)} "
                f"(APID {packet.apid:#05x}, id {identity.unique_id.hex()}): correct the bench, or plug it in elsewhere"
            )
        return identity

    def _silence(self) -> ProtocolError | None:
        """What is wrong where octets come, but no reply."""
        reader = self._reader
        if self.counts.echoed and reader.good:
            return ProtocolError(
                f"{self._name}: expected a device, found what was sent itself: the line is looped back, or echoes"
            )
        if reader.octets and not reader.good:
            faults = ", ".join(f"{n} x {fault.value}" for fault, n in reader.bad.items()) or "no whole frame"
            return ProtocolError(
                f"{self._name}: expected packets, found {reader.octets} octets of garbage ({faults}): "
                "do both sides have the same baud rate, and does this device speak the protocol?"
            )
        return None

    def _exchange(self, message: Request, timeout_s: float) -> Packet:
        count = self._next_count()
        self.counts.requests += 1
        attempts = 1 + (self._retries if isinstance(message, IDEMPOTENT) else 0)
        for attempt in range(attempts):
            self.counts.retries += attempt > 0
            packet, sent_ns, received_ns = self._attempt(count, message, timeout_s)
            if packet is None:
                self.counts.timeouts += 1
                self._resynchronise = True
                continue
            # of a message that was sent twice, nobody knows which sending the reply is to
            if attempt == 0:
                self._clock.observe(sent_ns / 1000, packet.time_us, received_ns / 1000)
            if packet.data[0] == ERROR_ID:
                error = self._decode(packet, message)
                assert isinstance(error, Error)
                raise MessageError(error.code, error.text, self._name)
            return packet
        raise self._no_answer(message, timeout_s)

    def _attempt(self, count: int, message: Request, timeout_s: float) -> tuple[Packet | None, int, int]:
        self._awaited = count
        self._reply = None
        try:
            sent_ns = self._send(count, message)
            deadline_ns = sent_ns + round(timeout_s * 1e9)
            now_ns = sent_ns
            while True:
                remaining_ns = deadline_ns - now_ns
                now_ns, _ = self._receive(max(0, remaining_ns) * 1e-9)
                # what came in time is read once more, however late this process was given the processor
                if self._reply is not None or remaining_ns <= 0:
                    return self._reply, sent_ns, now_ns
        finally:
            self._awaited = None

    def _send(self, count: int, message: Request) -> int:
        """Write a message; returns when, in ns."""
        transport = self._required()
        now_ns = self._clock_ns()
        packet = Packet(self.kind, count, now_ns // 1000, encode(message), UNSEGMENTED, True)
        octets = frame(build(packet), transport.framing)
        if self._resynchronise and transport.framing is Framing.STREAM:
            octets = DELIMITER + octets
        # until this has gone through, the device may have half a frame
        self._resynchronise = True
        transport.write(octets)
        self._resynchronise = False
        if self._on_octets is not None:
            self._on_octets(Direction.TO_DEVICE, now_ns, octets)
        return now_ns

    def _receive(self, timeout_s: float) -> tuple[int, int]:
        """Read once, and sort what came; returns when, in ns, and the number of octets."""
        octets = self._required().read(timeout_s)
        now_ns = self._clock_ns()
        if octets:
            if self._on_octets is not None:
                self._on_octets(Direction.FROM_DEVICE, now_ns, octets)
            reader = self._reader
            bad_frames = reader.bad_frames
            packets = reader.push(octets)
            self.counts.bad_frames += reader.bad_frames - bad_frames
            for packet in packets:
                self._sort(packet)
        return now_ns, len(octets)

    def _sort(self, packet: Packet) -> None:
        if packet.telecommand:
            self.counts.echoed += 1
        elif not packet.data or packet.data[0] < REPLY:
            self.counts.malformed += 1
        elif self._identifying and packet.sequence_count == self._awaited and packet.data[0] in _IDENTIFICATION:
            self._reply = packet
        elif packet.apid != self.kind:
            self.counts.foreign += 1
        elif packet.data[0] == SAMPLES_ID:
            self._take_samples(packet)
        elif packet.sequence_count == self._awaited and not self._identifying:
            self._reply = packet
        elif packet.sequence_count in self._posted:
            self._take_posted(packet, self._posted.pop(packet.sequence_count))
        else:
            self.counts.late += 1

    def _take_samples(self, packet: Packet) -> None:
        try:
            samples = decode(packet)
        except MessageError:
            self.counts.malformed += 1
            return
        assert isinstance(samples, Samples)
        if self._next_sequence is not None:
            ahead = (samples.sequence - self._next_sequence) % _SEQUENCES
            if ahead >= _LATE:
                self.counts.samples_repeated += 1
                return
            self.counts.samples_lost += ahead
        self._next_sequence = (samples.sequence + 1) % _SEQUENCES
        self.counts.samples_overrun += len(self.samples) == self.samples.maxlen
        self.samples.append(Received(packet.time_us, samples))

    def _take_posted(self, packet: Packet, message: Request) -> None:
        try:
            reply = decode(packet)
        except MessageError:
            self.counts.malformed += 1
            return
        if isinstance(reply, Error):
            self._refusals.append(MessageError(reply.code, reply.text, self._name))
        elif message_id(type(reply)) != message_id(type(message)) | REPLY:
            self.counts.malformed += 1
        elif isinstance(reply, Accepted):
            self.room = reply.room

    def _next_count(self) -> int:
        self._count = (self._count + 1) % SEQUENCE_COUNTS
        return self._count

    def _required(self) -> Transport:
        if self._transport is None:
            raise DeviceDisconnected(f"{self._name}: expected an open link, found it closed: open it")
        return self._transport

    def _decode(self, packet: Packet, message: Request) -> Message:
        try:
            return decode(packet)
        except MessageError as error:
            raise ProtocolError(f"{self._name}: reply to {_name(message)}: {error.text}") from None

    def _no_answer(self, message: Request, timeout_s: float) -> DeviceTimeout:
        times = f", asked {1 + self._retries} times" if isinstance(message, IDEMPOTENT) else ""
        return DeviceTimeout(
            f"{self._name}: expected a reply to {_name(message)} within {timeout_s:g} s{times}, found silence: "
            "is the device powered, and is this its port?"
        )

    def _wrong_reply(self, message: Request, found: object) -> ProtocolError:
        return ProtocolError(f"{self._name}: expected a reply to {_name(message)}, found {_name(found)}")


def _name(message: object) -> str:
    return type(message).__name__.upper()
