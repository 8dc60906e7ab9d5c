"""What a dictionary is made of: items with their range and states, and what is laid out of them.

```
 Item --+--> PacketKind    telemetry packets of one form
        +--> EventKind     an event: severity, template of its message, arguments (flightsw.services.events)
        +--> CommandKind   a telecommand: arguments, the modes that it is allowed in
        +--> ParameterKind what an operator sets: default, whether it survives a restart
```

Each is declared once, beside what it belongs to; `flightsw.services.dictionary` gathers them. Everything is big-endian
and packed.
"""

import dataclasses
import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import construct
import numpy as np
from numpy.typing import NDArray

from flightsw.ccsds.space_packet import HEADER_OCTETS
from flightsw.ccsds.time_code import Cuc
from flightsw.errors import FrameError
from flightsw.pat.modes import Mode

Value = int | float | str | bytes
ALL_MODES = frozenset(Mode)

#: The time of packets and of commands: whole seconds since the epoch of the run in 4 octets, their fraction in 3.
TIME = Cuc()
TIME_OCTETS = TIME.octets
#: Length of the numbers of structures and of events, ahead of what is in their packets.
SID_OCTETS = 2

_TICKS = 1 << 8 * TIME.fractional_octets

_NUMBERS = {"u1": ">B", "u2": ">H", "u4": ">I", "f4": ">f", "f8": ">d"}
_CONSTRUCTS = {
    "u1": construct.Int8ub,
    "u2": construct.Int16ub,
    "u4": construct.Int32ub,
    "f4": construct.Float32b,
    "f8": construct.Float64b,
}
_TEXT_LENGTH = struct.Struct(">H")


class OutOfRange(FrameError):
    """A value is laid out as it should be, and beyond its range."""


@dataclass(frozen=True, slots=True)
class Item:
    """One value: name, kind, unit, what it means, names of its states, range (both ends in it), or its only value.

    kind: a NumPy type without byte order (u1, u2, u4, f4, f8); `time`, a CUC code of 7 octets, in microseconds since
    the epoch; `text`, UTF-8 with its length in 2 octets ahead; `octets`, the rest of the packet.
    """

    name: str
    kind: str
    unit: str
    meaning: str
    states: tuple[str, ...] = ()
    lowest: float | None = None
    highest: float | None = None
    fixed: int | None = None

    def require(self, value: Value) -> None:
        """Raise OutOfRange for a value beyond the range or the states."""
        if isinstance(value, str | bytes):
            return
        if self.fixed is not None and value != self.fixed:
            raise OutOfRange(self.name, expected=self.fixed, found=value)
        if self.states and not 0 <= value < len(self.states):
            raise OutOfRange(self.name, expected=" or ".join(self.states), found=value)
        lowest = -math.inf if self.lowest is None else self.lowest
        highest = math.inf if self.highest is None else self.highest
        if not (math.isfinite(value) and lowest <= value <= highest):
            bounds = f"{_bound(self.lowest)} to {_bound(self.highest)} {self.unit}".rstrip()
            raise OutOfRange(self.name, expected=bounds, found=f"{value:g}")

    def encode(self, value: Value) -> bytes:
        """Octets of a value. Raises FrameError for one that does not fit."""
        if isinstance(value, bytes):
            return value
        if isinstance(value, str):
            octets = value.encode()
            if len(octets) > 0xFFFF:
                raise FrameError(self.name, expected="at most 65535 octets", found=len(octets))
            return _TEXT_LENGTH.pack(len(octets)) + octets
        if self.kind == "time":
            return time_octets(int(value))
        try:
            return struct.pack(_NUMBERS[self.kind], value)
        except (struct.error, OverflowError):
            raise FrameError(self.name, expected=f"a value of {self.kind}", found=value) from None


class Reader:
    """Takes values off the front of octets."""

    def __init__(self, octets: bytes) -> None:
        self._octets = octets
        self._at = 0

    def take(self, item: Item) -> Value:
        """The next value, whatever its range. Raises FrameError if it is cut, or no text."""
        if item.kind == "octets":
            return self._next(len(self._octets) - self._at, item)
        if item.kind == "text":
            (length,) = _TEXT_LENGTH.unpack(self._next(_TEXT_LENGTH.size, item))
            try:
                return self._next(length, item).decode()
            except UnicodeDecodeError:
                raise FrameError(item.name, expected="UTF-8", found="something else") from None
        if item.kind == "time":
            return time_us(self._next(TIME_OCTETS, item))
        number = _NUMBERS[item.kind]
        value: float
        (value,) = struct.unpack(number, self._next(struct.calcsize(number), item))
        return value

    def value(self, item: Item) -> Value:
        """The next value. Raises FrameError as `take` does, and OutOfRange if it is beyond its range."""
        value = self.take(item)
        item.require(value)
        return value

    def packet(self, item: Item, largest: int) -> bytes:
        """The next octets as far as their space packet header says. Raises FrameError if that is cut or too long."""
        start = self._at
        head = self._next(HEADER_OCTETS, item)
        octets = HEADER_OCTETS + 1 + int.from_bytes(head[-2:], "big")
        if octets > largest:
            raise FrameError(item.name, expected=f"at most {largest} octets", found=octets)
        self._at = start
        return self._next(octets, item)

    def number(self, item: Item) -> int:
        """The next value, a whole number."""
        return int(self.value(item))

    def real(self, item: Item) -> float:
        """The next value, a number."""
        return float(self.value(item))

    def groups(self) -> range:
        """How many groups follow, 1 to 255, to iterate over."""
        return range(self.number(_COUNT))

    def end(self) -> None:
        """Raise FrameError unless everything has been taken."""
        if self._at != len(self._octets):
            raise FrameError("data", expected=f"{self._at} octets", found=len(self._octets))

    def _next(self, octets: int, item: Item) -> bytes:
        taken = self._octets[self._at : self._at + octets]
        if len(taken) < octets:
            raise FrameError(item.name, expected=f"{octets} octets", found=len(taken))
        self._at += octets
        return taken


def encode(items: Sequence[Item], values: Sequence[Value]) -> bytes:
    """Octets of values in order. Raises FrameError for one that does not fit."""
    return b"".join([item.encode(value) for item, value in zip(items, values, strict=True)])


def decode(items: Sequence[Item], octets: bytes) -> tuple[Value, ...]:
    """The values that fill the octets. Raises FrameError for a wrong length or what is no text."""
    reader = Reader(octets)
    values = tuple([reader.take(item) for item in items])
    reader.end()
    return values


def time_octets(microseconds: int) -> bytes:
    """Time since the epoch as a CUC code of 7 octets, whose steps of 60 ns keep microseconds apart.

    Raises FrameError for a time before the epoch or beyond 2^32 s.
    """
    seconds, rest = divmod(microseconds, 1_000_000)
    if not 0 <= seconds < 1 << 8 * TIME.basic_octets:
        raise FrameError("time", expected="0 to 2^32 s", found=f"{microseconds} us")
    return (seconds * _TICKS + rest * _TICKS // 1_000_000).to_bytes(TIME_OCTETS, "big")


def time_us(octets: bytes) -> int:
    """Microseconds since the epoch of a CUC code of 7 octets, to the nearest."""
    return (int.from_bytes(octets, "big") * 1_000_000 + _TICKS // 2) // _TICKS


@dataclass(frozen=True)
class PacketKind:
    """One kind of telemetry packet: `repeat` groups of its items follow each other, or one group.

    number: of packets of service 3, the structure identifier (SID), two octets ahead of the items; repeat: 0 is as many
    groups as there are.
    """

    name: str
    service: int
    subtype: int
    meaning: str
    items: tuple[Item, ...]
    number: int | None = None
    repeat: int = 1

    @property
    def head(self) -> bytes:
        """The octets ahead of the items."""
        return b"" if self.number is None else self.number.to_bytes(SID_OCTETS, "big")

    @cached_property
    def dtype(self) -> np.dtype[np.void]:
        """Layout of one group on the wire: big-endian, packed."""
        return np.dtype([(item.name, ">" + item.kind) for item in self.items])

    @cached_property
    def layout(self) -> construct.Construct:
        """The same layout for construct."""
        group = construct.Struct(*(item.name / _CONSTRUCTS[item.kind] for item in self.items))
        return group if self.repeat == 1 else construct.GreedyRange(group)

    def decode(self, data: bytes) -> NDArray[np.void]:
        """Groups of one packet as records of `dtype`, (groups,). Raises FrameError for a wrong length."""
        if not data or len(data) % self.dtype.itemsize:
            raise FrameError(
                f"{self.name} packet", expected=f"a multiple of {self.dtype.itemsize} octets", found=len(data)
            )
        return np.frombuffer(data, self.dtype)


def telemetered(kind: str, unit: str, meaning: str, states: tuple[str, ...] = ()) -> dict[str, Any]:
    """Metadata of a dataclass's field that is an item of telemetry, too."""
    return {"item": (kind, unit, meaning, states)}


def items_of(status: type[Any]) -> tuple[Item, ...]:
    """The items that the fields of a dataclass are."""
    return tuple(Item(field.name, *field.metadata["item"]) for field in dataclasses.fields(status))


@dataclass(frozen=True)
class CommandKind:
    """One telecommand of PUS service `service`, message subtype `subtype`.

    arguments: in order; those with a fixed value are not asked for. modes: those in which it is allowed.
    """

    name: str
    service: int
    subtype: int
    meaning: str
    arguments: tuple[Item, ...] = ()
    modes: frozenset[Mode] = ALL_MODES

    @property
    def asked(self) -> tuple[Item, ...]:
        """The arguments that an operator gives."""
        return tuple(item for item in self.arguments if item.fixed is None)

    def encode(self, *values: Value) -> bytes:
        """Application data of the command.

        Raises FrameError for a value that does not fit, and OutOfRange for one beyond its range.
        """
        if len(values) != len(self.asked):
            raise FrameError(f"arguments of {self.name}", expected=len(self.asked), found=len(values))
        rest = iter(values)
        octets = []
        for item in self.arguments:
            value = next(rest) if item.fixed is None else item.fixed
            item.require(value)
            octets.append(item.encode(value))
        return b"".join(octets)


@dataclass(frozen=True, slots=True)
class ParameterKind:
    """What an operator may set: its number among the on-board parameters, and whether it survives a restart."""

    number: int
    item: Item
    default: float
    survives: bool

    @property
    def name(self) -> str:
        """The item's name."""
        return self.item.name


def count(meaning: str) -> Item:
    """The number of groups that follow; the dictionary's commands have one, the services take up to 255."""
    return Item("count", "u1", "", meaning, fixed=1)


_COUNT = Item("count", "u1", "", "groups that follow", lowest=1)


def _bound(value: float | None) -> str:
    return "any" if value is None else f"{value:g}"
