"""Faults of the line between host and device, made on purpose: packets lost or damaged, devices gone, stuck, adrift.

`FaultyLine` stands between a link and its transport, works on whole packets, and leaves the framing as it is. A packet
has at most one of the faults that come by chance; those that last change packets before that.

A damaged packet is never taken for a right one. The CRC-16 misses one pattern in 65536, and a wrong bit in COBS moves
all that is behind it. So what is to go out is given, after what went out since the last delimiter, to the reader that
the receiver has: if that takes it for a packet, the damage is drawn again, or a delimiter put before the packet that
would have made one of the pieces.
"""

import math
import re
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from typing import Annotated, Any, Self

import numpy as np
from construct import GreedyRange
from numpy.random import Generator
from pydantic import BeforeValidator, Field, PlainSerializer, ValidationError, model_validator

from flightsw.ccsds.space_packet import HEADER_OCTETS, Packet
from flightsw.errors import ConfigError, DeviceDisconnected, DeviceNotFound
from hil.bodies import SAMPLES, decode_mirror_set_points, encode_mirror_angles
from hil.configuration import Model, first_problem
from hil.framing import DELIMITER, LARGEST_FRAME, build, frame, packet_reader
from hil.link import Direction
from hil.protocol import FIRST, Data, Kind, MessageError, Samples, decode, encode
from hil.transports import Framing, Transport

DEFAULT_SHARE = 0.01
LARGEST_FLIPS = 8


class Fault(StrEnum):
    """What goes wrong."""

    DROP = "drop"  #: a packet never comes
    CORRUPT = "corrupt"  #: 1 to 8 bits of it are wrong, those of a delimiter among them
    DELAY = "delay"  #: it comes later
    DUPLICATE = "duplicate"  #: it comes twice
    REORDER = "reorder"  #: it comes after the next one
    TRUNCATE = "truncate"  #: its end is missing, with or without the delimiter
    DISCONNECT = "disconnect"  #: the device is unplugged, and plugged in again
    STUCK = "stuck"  #: samples stay as the first were
    SATURATE = "saturate"  #: the mirror goes so far and no farther
    DRIFT = "drift"  #: the device's clock runs away


#: Faults of single packets, by chance, and what was done to the packet.
_DONE = {
    Fault.DROP: "dropped",
    Fault.CORRUPT: "corrupted",
    Fault.DELAY: "delayed",
    Fault.DUPLICATE: "duplicated",
    Fault.REORDER: "reordered",
    Fault.TRUNCATE: "truncated",
}
#: Faults that need a number of their own, and its key.
_NUMBERS = {Fault.DELAY: "delay_ms", Fault.SATURATE: "limit_urad", Fault.DRIFT: "drift_ppm"}
_BOUNDED = (Fault.DISCONNECT, Fault.STUCK, Fault.SATURATE)
#: Octets of one sample, for the kinds whose samples are rows.
_ROWS = {kind: body.subcon.sizeof() for kind, body in SAMPLES.items() if isinstance(body, GreedyRange)}
#: Kinds whose samples can be stuck.
SENSORS = (*_ROWS, Kind.CAMERA)
_TEXT = re.compile(r"([^:@=]+)\.(\w+):(\w+)(?:=([^@]*))?(?:@([^+]*)(?:\+(.*))?)?", re.DOTALL)
_TIMES = 1 << 64
#: A transfer of whole bulk packets that is shorter than its header says goes on in the next.
_BULK_PACKET = 64


def _kind(label: object) -> Kind:
    if isinstance(label, Kind):
        return label
    for kind in Kind:
        if kind.label == label:
            return kind
    raise ValueError(f"expected one of {', '.join(kind.label for kind in Kind)}")


class FaultModel(Model):
    """A fault of one device's line."""

    terminal: str = Field(pattern="^[^:@=]+$")
    device: Annotated[Kind, BeforeValidator(_kind), PlainSerializer(lambda kind: kind.label)]
    fault: Fault
    share: float = Field(DEFAULT_SHARE, ge=0, le=1, description="of packets, in each direction")
    at_s: float = Field(0.0, ge=0, le=86_400, description="when it begins")
    duration_s: float | None = Field(None, gt=0, le=86_400, description="none: to the end")
    delay_ms: float | None = Field(None, gt=0, le=60_000)
    limit_urad: float | None = Field(None, gt=0)
    drift_ppm: float | None = Field(None, ge=-1e6, le=1e6, description="of the device's clock against the host's")

    @model_validator(mode="after")
    def _what_the_fault_needs(self) -> Self:
        needed = _NUMBERS.get(self.fault)
        for key in _NUMBERS.values():
            number = getattr(self, key)
            if number is None and key == needed:
                raise ValueError(f"{self.fault}: expected {key}, found none")
            if number is not None and key != needed:
                raise ValueError(f"{self.fault}: expected no {key}, found {number:g}")
        if self.fault not in _DONE and self.share != DEFAULT_SHARE:
            raise ValueError(f"{self.fault}: expected no share of packets, for it has all, found {self.share:g}")
        if self.fault in _BOUNDED and self.duration_s is None:
            raise ValueError(f"{self.fault}: expected duration_s, found none")
        if self.fault is Fault.SATURATE and self.device is not Kind.STEERING_MIRROR:
            raise ValueError(f"saturate: expected a steering_mirror, found a {self.device.label}")
        if self.fault is Fault.STUCK and self.device not in SENSORS:
            sensors = ", ".join(kind.label for kind in SENSORS)
            raise ValueError(f"stuck: expected one of {sensors}, found {self.device.label}")
        return self

    @property
    def end_s(self) -> float:
        """When the fault ends, infinite if it does not."""
        return math.inf if self.duration_s is None else self.at_s + self.duration_s

    def __str__(self) -> str:
        numbers = [self.share] if self.fault in _DONE else []
        if self.fault in _NUMBERS:
            numbers.append(getattr(self, _NUMBERS[self.fault]))
        text = f"{self.terminal}.{self.device.label}:{self.fault}"
        if numbers:
            text += "=" + ",".join(map(_number, numbers))
        if self.at_s or self.duration_s is not None:
            text += f"@{_number(self.at_s)}"
        return text if self.duration_s is None else f"{text}+{_number(self.duration_s)}"


def parse(text: str) -> FaultModel:
    """A fault from the command line: `TERMINAL.DEVICE:FAULT[=NUMBER][@START+DURATION]`.

    The number is the share of packets, urad for saturate and ppm for drift; delay has share and ms: `delay=0.02,5`.
    Start and duration are in s. Raises ConfigError that says what was expected.
    """
    found = _TEXT.fullmatch(text)
    if found is None:
        raise ConfigError(
            f"fault {text!r}: expected TERMINAL.DEVICE:FAULT[=NUMBER][@START+DURATION], "
            "as in alpha.quad_cell:drop=0.02@10+5"
        )
    terminal, device, name, number, at, duration = found.groups()
    table = {"terminal": terminal, "device": device, "fault": name, "at_s": at, "duration_s": duration}
    if number is not None:
        keys = [*(["share"] if name in _DONE else []), *(key for fault, key in _NUMBERS.items() if fault == name)]
        numbers = number.split(",")
        if len(numbers) != len(keys):
            raise ConfigError(f"fault {text!r}: expected {' and '.join(keys) or 'no number'} after =, found {number!r}")
        table |= dict(zip(keys, numbers, strict=True))
    try:
        return FaultModel.model_validate({key: value for key, value in table.items() if value is not None})
    except ValidationError as error:
        raise ConfigError(f"fault {text!r}: {first_problem(error)}") from None


class FaultyLine:
    """The faults of one device's line, over all its connections.

    Attributes:
        counts: how often each fault was done: packets, or how often it began where it lasts.
    """

    def __init__(
        self,
        faults: Sequence[FaultModel],
        rng: Generator,
        now_s: Callable[[], float],
        tell: Callable[[str, str], object],
    ) -> None:
        """`now_s` is the time that the faults' are of; `tell` gets an event's name and text for each fault."""
        self.counts: Counter[Fault] = Counter()
        self._faults = faults
        self._rng = rng
        self._now_s = now_s
        self._tell = tell
        self._last_s = self._next_s = self._unplugged_s = -math.inf
        self._by_chance: list[FaultModel] = []
        self._lasting: list[FaultModel] = []
        self._stuck: dict[int, bytes] = {}
        self._part = 0

    def wrap(self, connect: Callable[[], Transport]) -> Callable[[], Transport]:
        """`connect` whose transports have these faults; DeviceNotFound while the device is unplugged."""

        def faulty() -> Transport:
            now_s = self._now()
            for fault in self._lasting:
                if fault.fault is Fault.DISCONNECT:
                    raise DeviceNotFound(f"{fault.device.label}: expected a device, found it unplugged, for a fault")
            return _FaultyTransport(connect(), self, now_s)

        return faulty

    def _now(self) -> float:
        """The time in s, once it is known which faults are in force."""
        now_s = self._now_s()
        if now_s >= self._next_s:
            self._change(now_s)
        return now_s

    def _change(self, now_s: float) -> None:
        last_s, self._last_s = self._last_s, now_s
        for fault in self._faults:
            if fault.fault in _DONE:
                continue
            if last_s < fault.at_s <= now_s:
                self._do(fault, f"{fault.fault} begins")
                if fault.fault is Fault.DISCONNECT:
                    self._unplugged_s = max(self._unplugged_s, fault.at_s)
                elif fault.fault is Fault.STUCK:
                    self._stuck.clear()
            if last_s < fault.end_s <= now_s:
                self._tell("FAULT", f"{fault.device.label}: {fault.fault} ends")
        in_force = [fault for fault in self._faults if fault.at_s <= now_s < fault.end_s]
        self._by_chance = [fault for fault in in_force if fault.fault in _DONE]
        self._lasting = [fault for fault in in_force if fault.fault not in _DONE]
        times = (time_s for fault in self._faults for time_s in (fault.at_s, fault.end_s))
        self._next_s = min((time_s for time_s in times if time_s > now_s), default=math.inf)

    def _do(self, fault: FaultModel, text: str) -> None:
        self.counts[fault.fault] += 1
        self._tell("FAULT", f"{fault.device.label}: {text}")

    def _by_lot(self, may_reorder: bool) -> FaultModel | None:
        """The fault that the next packet has."""
        for fault in self._by_chance:
            if self._rng.random() < fault.share and (may_reorder or fault.fault is not Fault.REORDER):
                return fault
        return None

    def _alter(self, packet: Packet, direction: Direction, now_s: float) -> Packet:
        """A packet after the faults that last."""
        for fault in self._lasting:
            if direction is Direction.TO_DEVICE:
                if fault.fault is Fault.SATURATE:
                    packet = _saturated(packet, fault)
            elif fault.fault is Fault.DRIFT:
                assert fault.drift_ppm is not None
                packet = packet._replace(
                    time_us=(packet.time_us + round(fault.drift_ppm * (now_s - fault.at_s))) % _TIMES
                )
            elif fault.fault is Fault.STUCK:
                packet = self._as_first(packet, fault.device)
        return packet

    def _as_first(self, packet: Packet, kind: Kind) -> Packet:
        samples = _message(packet)
        if not isinstance(samples, Samples) or not samples.octets:
            return packet
        # an image comes in parts, each of which stays as it was
        self._part = 0 if samples.flags & FIRST else self._part + 1
        octets = samples.octets
        first = self._stuck.setdefault(self._part, octets[: _ROWS.get(kind)])
        again = (first * -(-len(octets) // len(first)))[: len(octets)]
        return packet._replace(data=encode(samples._replace(octets=again)))


class _Way:
    """One direction of a connection: takes octets as they come, `emit` gets what goes on."""

    def __init__(self, line: FaultyLine, framing: Framing, direction: Direction, emit: Callable[[bytes], None]) -> None:
        self._line = line
        self._framing = framing
        self._direction = direction
        self._emit = emit
        self._begun = b""  # of a packet, kept
        self._passing = False  # a frame, or perhaps a transfer, whose beginning went on already
        self._open = b""  # what went on since the last delimiter, of packets that were damaged
        self._held: bytes | None = None
        self._delayed: list[tuple[float, bytes]] = []

    @property
    def due_s(self) -> float:
        """When the next packet that is delayed is to go on."""
        return math.inf if self._passing else min((due_s for due_s, _ in self._delayed), default=math.inf)

    def release(self, now_s: float) -> None:
        """Let packets go that were delayed until now."""
        if self._delayed and not self._passing:
            due = [octets for due_s, octets in self._delayed if due_s <= now_s]
            self._delayed = [(due_s, octets) for due_s, octets in self._delayed if due_s > now_s]
            for octets in due:
                self._pass_on(octets)

    def push(self, octets: bytes, now_s: float) -> None:
        line = self._line
        if not (line._by_chance or line._lasting or self._begun or self._open or self._held or self._delayed):
            self._passing = self._goes_on(octets)
            self._emit(octets)
            return
        for unit in self._transfers(octets) if self._framing is Framing.TRANSFER else self._frames(octets):
            if self._framing is Framing.STREAM and unit[:1] == DELIMITER:
                self._pass_on(unit)
            else:
                self._decide(unit, now_s)

    def _frames(self, octets: bytes) -> Iterator[bytes]:
        """Whole frames, each with its delimiter, and delimiters between them."""
        if self._passing:
            end = octets.find(DELIMITER) + 1
            self._passing = not end
            self._emit(octets[: end or None])
            octets = octets[end:] if end else b""
        *ended, self._begun = (self._begun + octets).split(DELIMITER)
        for octets in ended:
            yield octets + DELIMITER
        if len(self._begun) > LARGEST_FRAME:
            self._emit(self._begun)
            self._begun = b""
            self._passing = True

    def _transfers(self, octets: bytes) -> Iterator[bytes]:
        """Whole transfers: a read that times out in the midst of one gives what came so far."""
        if self._passing:
            self._passing = self._goes_on(octets)
            self._emit(octets)
            return
        joined, self._begun = self._begun + octets, b""
        length = HEADER_OCTETS + 1 + int.from_bytes(joined[4:HEADER_OCTETS], "big")
        if self._goes_on(octets) and len(joined) < length:
            self._begun = joined
        else:
            yield joined

    def _goes_on(self, octets: bytes) -> bool:
        """Whether what follows may be of the same frame or transfer."""
        if self._framing is Framing.TRANSFER:
            return len(octets) % _BULK_PACKET == 0
        return octets[-1:] != DELIMITER

    def _decide(self, unit: bytes, now_s: float) -> None:
        """Let a packet go on, or not, or something else in its place."""
        line = self._line
        if line._lasting:
            packet = self._packet(unit)
            altered = packet and line._alter(packet, self._direction, now_s)
            if altered and altered != packet:
                unit = frame(build(altered), self._framing)
        held, self._held = self._held, None
        fault = line._by_lot(may_reorder=held is None)
        if fault is not None:
            packet = self._packet(unit)
            which = "what is no packet" if packet is None else f"packet {packet.sequence_count}"
            line._do(fault, f"{_DONE[fault.fault]} {which} {self._direction.value}")
        match fault.fault if fault is not None else None:
            case Fault.DROP:
                pass
            case Fault.CORRUPT:
                self._damage(unit, self._flipped)
            case Fault.TRUNCATE:
                self._damage(unit, self._cut)
            case Fault.DELAY:
                assert fault is not None and fault.delay_ms is not None
                self._delayed.append((now_s + fault.delay_ms * 1e-3, unit))
            case Fault.REORDER:
                self._held = unit
            case Fault.DUPLICATE:
                self._pass_on(unit)
                self._pass_on(unit)
            case _:
                self._pass_on(unit)
        if held is not None:
            self._pass_on(held)

    def _packet(self, unit: bytes) -> Packet | None:
        return next(iter(packet_reader(self._framing).push(unit)), None)

    def _pass_on(self, unit: bytes) -> None:
        if self._open and self._is_taken(unit):
            unit = DELIMITER + unit
        self._go(unit)

    def _damage(self, unit: bytes, draw: Callable[[bytes], bytes]) -> None:
        damaged = draw(unit)
        while self._is_taken(damaged) or (self._framing is Framing.STREAM and self._is_taken(damaged + DELIMITER)):
            damaged = draw(unit)
        self._go(damaged)

    def _go(self, octets: bytes) -> None:
        if self._framing is Framing.STREAM:
            self._open = (self._open + octets).rpartition(DELIMITER)[2]
        self._emit(octets)

    def _is_taken(self, octets: bytes) -> bool:
        """Whether the receiver takes these octets for a packet, or for a transfer that goes on in the next."""
        reader = packet_reader(self._framing)
        packets = reader.push(self._open + octets)
        return bool(packets) or (self._framing is Framing.TRANSFER and not reader.bad_frames)

    def _flipped(self, unit: bytes) -> bytes:
        rng = self._line._rng
        octets = bytearray(unit)
        for bit in rng.integers(8 * len(unit), size=rng.integers(1, LARGEST_FLIPS, endpoint=True)).tolist():
            octets[bit >> 3] ^= 0x80 >> (bit & 7)
        return bytes(octets)

    def _cut(self, unit: bytes) -> bytes:
        rng = self._line._rng
        if self._framing is Framing.TRANSFER:
            return unit[: rng.integers(1, max(2, len(unit)))]
        return unit[: rng.integers(len(unit) - 1)] + (DELIMITER if rng.random() < 0.5 else b"")


class _FaultyTransport:
    """A transport with the faults of a line."""

    def __init__(self, transport: Transport, line: FaultyLine, opened_s: float) -> None:
        self.name = transport.name
        self.framing = transport.framing
        self._transport = transport
        self._line = line
        self._opened_s = opened_s
        self._inbox: deque[bytes] = deque()
        self._to_device = _Way(line, self.framing, Direction.TO_DEVICE, transport.write)
        self._from_device = _Way(line, self.framing, Direction.FROM_DEVICE, self._inbox.append)

    def write(self, octets: bytes) -> None:
        self._to_device.push(octets, self._plugged_in())

    def read(self, timeout_s: float) -> bytes:
        now_s = self._plugged_in()
        if not self._inbox:
            due_s = min(self._to_device.due_s, self._from_device.due_s)
            octets = self._transport.read(min(timeout_s, due_s - now_s))
            now_s = self._plugged_in()
            if octets:
                self._from_device.push(octets, now_s)
        if not self._inbox:
            return b""
        if self.framing is Framing.TRANSFER:
            return self._inbox.popleft()
        octets = b"".join(self._inbox)
        self._inbox.clear()
        return octets

    def close(self) -> None:
        self._transport.close()

    def _plugged_in(self) -> float:
        """The time in s, once packets that are due have gone on. Raises DeviceDisconnected."""
        now_s = self._line._now()
        # a device that was unplugged and is plugged in again has to be opened again
        if self._opened_s < self._line._unplugged_s:
            raise DeviceDisconnected(
                f"{self.name}: expected the device, found it unplugged, for a fault: open it again"
            )
        self._to_device.release(now_s)
        self._from_device.release(now_s)
        return now_s


def _saturated(packet: Packet, fault: FaultModel) -> Packet:
    data = _message(packet)
    if not isinstance(data, Data):
        return packet
    assert fault.limit_urad is not None
    limit = fault.limit_urad * 1e-6
    try:
        set_points = decode_mirror_set_points(data.octets)
    except MessageError:
        return packet
    return packet._replace(data=encode(data._replace(octets=encode_mirror_angles(np.clip(set_points, -limit, limit)))))


def _message(packet: Packet) -> Any:
    """The message in a packet, if there is one."""
    try:
        return decode(packet)
    except MessageError:
        return None


def _number(value: float) -> str:
    return repr(value).removesuffix(".0")
