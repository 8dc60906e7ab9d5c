"""Telecommands as an operator writes them: `ACQUIRE role=INITIATOR`, `SET_POINTING_BIAS_X 1e-4`.

Arguments come by name or in order, states by their names, times in seconds, octets in hexadecimal, on-board parameters
and events by name or number. Everything is checked against the dictionary before it is sent.
"""

import shlex
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import NamedTuple

from flightsw.errors import ConfigError, FrameError
from flightsw.pat.modes import Mode
from flightsw.services.declarations import CommandKind, Item, Reader, Value
from flightsw.services.dictionary import COMMANDS, EVENTS, PARAMETERS, STATUS_ITEMS
from flightsw.services.pus.packet import Telecommand

#: Items that have a number on board, by that.
NUMBERED: dict[int, Item] = {**STATUS_ITEMS, **{kind.number: kind.item for kind in PARAMETERS}}
#: Arguments that are numbers of what has a name.
_NAMED: dict[str, dict[str, int]] = {
    "parameter": {item.name: number for number, item in NUMBERED.items()},
    "event": {kind.name: kind.number for kind in EVENTS.values()},
}
#: What an argument that has this state is where it is left out.
_LEFT_OUT = "AS_PLANNED"


class Request(NamedTuple):
    """A telecommand to be sent: its kind, and the values of its arguments."""

    kind: CommandKind
    values: tuple[Value, ...]

    def __str__(self) -> str:
        return " ".join([self.kind.name, *_shown(self.kind, self.values)])


def words(line: str) -> list[str]:
    """The words of a line, quoted ones whole, without what is behind a #. Raises ConfigError for an open quote."""
    try:
        return shlex.split(line, comments=True)
    except ValueError as error:
        raise ConfigError(f"{line!r}: expected quotes in pairs, found: {error}") from None


def request(name: str, arguments: Sequence[str]) -> Request:
    """A telecommand from its words.

    Raises ConfigError for an unknown command or argument, one too many or too few, and a value beyond its range.
    """
    kind = COMMANDS.get(name.upper())
    if kind is None:
        raise ConfigError(f"{name}: expected a command; {nearest(name.upper(), COMMANDS) or '`commands` lists them'}")
    given: dict[str, str] = {}
    names = [item.name for item in kind.asked]
    for word in arguments:
        named, equals, text = word.partition("=")
        if not equals:
            free = [each for each in names if each not in given]
            if not free:
                raise ConfigError(f"{kind.name}: expected {usage(kind)}, found {word} as well")
            named, text = free[0], word
        elif named not in names:
            raise ConfigError(f"{kind.name}: expected {usage(kind)}, found {word}{_also(named, names)}")
        elif named in given:
            raise ConfigError(f"{kind.name} {named}: expected one value, found two")
        given[named] = text
    given |= {item.name: _LEFT_OUT for item in kind.asked if item.name not in given and _LEFT_OUT in item.states}
    if missing := [each for each in names if each not in given]:
        raise ConfigError(f"{kind.name}: expected {usage(kind)}, found no {', no '.join(missing)}")
    values = tuple([value(kind.name, item, given[item.name]) for item in kind.asked])
    try:
        kind.encode(*values)
    except FrameError as error:
        raise ConfigError(f"{kind.name} {error}") from None
    return Request(kind, values)


def value(where: str, item: Item, text: str) -> Value:
    """The value of an item from text. Raises ConfigError, which begins with `where`, for what the item cannot be."""
    named = _NAMED.get(item.name, {name: number for number, name in enumerate(item.states)})
    if text.upper() in named or text in named:
        return named.get(text, named.get(text.upper(), 0))
    try:
        found = _number(item, text)
        item.require(found)
        item.encode(found)
    except ValueError:
        expected = " or ".join(item.states) or _KINDS[item.kind]
        raise ConfigError(f"{where} {item.name}: expected {expected}, found {text!r}{_also(text, named)}") from None
    except FrameError as error:
        raise ConfigError(f"{where} {error}{_also(text, named)}") from None
    return found


def shown(item: Item, value: Value) -> str:
    """A value for people: its state's name, or the number with its unit."""
    if item.states and isinstance(value, int | float) and 0 <= value < len(item.states):
        return item.states[int(value)]
    if item.name in _NAMED and (names := [name for name, number in _NAMED[item.name].items() if number == value]):
        return names[0]
    if isinstance(value, bytes):
        return value.hex()
    if item.kind == "time":
        value = float(value) / 1e6
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return f"{text} {item.unit}".rstrip()


def usage(kind: CommandKind) -> str:
    """How a command is written: `SET_POINTING_BIAS_X pointing_bias_x=-0.001..0.001 rad`."""
    return " ".join([kind.name, *map(_usage, kind.asked)])


def explanation(kind: CommandKind) -> str:
    """What `help` says of a command."""
    modes = (
        "" if kind.modes == frozenset(Mode) else ", allowed in " + ", ".join(mode.name for mode in sorted(kind.modes))
    )
    lines = [f"{usage(kind)}", f"  {kind.meaning}{modes}; TC({kind.service},{kind.subtype})"]
    lines += [f"  {item.name:12} {item.meaning}" for item in kind.asked]
    return "\n".join(lines)


def described(command: Telecommand) -> str:
    """A telecommand that was on board, as an operator would write it."""
    for kind in COMMANDS.values():
        if (kind.service, kind.subtype) == (command.service, command.subtype):
            reader = Reader(command.data)
            try:
                taken = [(item, reader.value(item)) for item in kind.arguments]
                reader.end()
            except FrameError:
                continue
            return str(Request(kind, tuple([value for item, value in taken if item.fixed is None])))
    return f"TC({command.service},{command.subtype}) {command.data.hex()}"


def nearest(text: str, names: Iterable[str]) -> str:
    """`did you mean X?`, or nothing where no name is near."""
    near = get_close_matches(text, list(names), n=1)
    return f"did you mean {near[0]}?" if near else ""


_KINDS = {
    "u1": "a whole number of 0 to 255",
    "u2": "a whole number of 0 to 65535",
    "u4": "a whole number of 0 to 4294967295",
    "f4": "a number",
    "f8": "a number",
    "time": "seconds since the epoch",
    "octets": "hexadecimal digits",
}


def _number(item: Item, text: str) -> Value:
    """Raises ValueError for text that is no value of the item's kind."""
    if item.kind == "text":
        return text
    if item.kind == "octets":
        return bytes.fromhex(text)
    if item.kind == "time":
        return round(float(text) * 1e6)
    return float(text) if item.kind.startswith("f") else int(text, 0)


def _usage(item: Item) -> str:
    text = f"{item.name}={_range(item)}"
    return f"[{text}]" if _LEFT_OUT in item.states else text


def _range(item: Item) -> str:
    if item.states:
        return "|".join(item.states)
    if item.lowest is None and item.highest is None:
        return f"{item.kind.upper()} {item.unit}".rstrip()
    ends = ["" if end is None else f"{end:g}" for end in (item.lowest, item.highest)]
    return f"{'..'.join(ends)} {item.unit}".rstrip()


def _shown(kind: CommandKind, values: Sequence[Value]) -> list[str]:
    return [f"{item.name}={shown(item, value)}" for item, value in zip(kind.asked, values, strict=True)]


def _also(text: str, names: Iterable[str]) -> str:
    names = list(names)
    near = nearest(text, names) or nearest(text.upper(), names)
    return f"; {near}" if near else ""
