"""The reference of the dictionary, `docs/dictionary.md`, written from the declarations.

`beamlock dictionary --markdown docs/dictionary.md` writes it; a test keeps the file in step.
"""

from collections.abc import Iterable, Sequence

from flightsw.pat.modes import Mode
from flightsw.services.declarations import CommandKind, Item, PacketKind
from flightsw.services.dictionary import COMMANDS, EVENTS, PACKETS, PARAMETERS, STATUS_ITEMS
from flightsw.services.pus.failure import FailureCode

_INTRODUCTION = """# Dictionary

What a terminal reports and what it can be told: PUS packets of ECSS-E-ST-70-41C, all of APID 1. Everything is
big-endian and packed; u1, u2, u4 are unsigned numbers of so many octets, f4 and f8 IEEE 754 numbers, `time` is a CUC
code of 4 octets of seconds and 3 of their fraction since the epoch of the run, `text` is UTF-8 with its length in 2
octets ahead, `octets` is the rest of the packet.

`beamlock dictionary --xtce FILE` writes the same as XTCE 1.2, `beamlock dictionary --commands` lists the names of
commands, as a shell's completion wants them: `compgen -W "$(beamlock dictionary --commands)" SET`.

This page is written by `beamlock dictionary --markdown docs/dictionary.md`.
"""

_ABOUT_COMMANDS = """\
Each is answered by service 1: TM(1,1) accepted, TM(1,3) begun, TM(1,7) done, as far as it asks for that; or TM(1,2),
TM(1,4), TM(1,8) with a code of why not, and the event `COMMAND_REFUSED` in words. Where an argument is a count, the
services take a list of 1 to 255; the commands here have 1.
"""
_ABOUT_EVENTS = """\
The report of an event is TM(5,severity), 1 to 4: its number in 2 octets, then the arguments. A change of mode is of
higher severity where a link is lost or SAFE is entered.
"""


def markdown() -> str:
    """The page."""
    parts = [
        _INTRODUCTION,
        "## Commands\n",
        _ABOUT_COMMANDS,
        *[_command(kind) for kind in COMMANDS.values()],
        "### Why a command is refused\n",
        _table(("code", "name"), [(str(code.value), f"`{code.name}`") for code in FailureCode]),
        "## Parameters\n",
        _table(
            ("number", "name", "kind", "value", "default", "survives a restart", "meaning"),
            [
                (
                    str(kind.number),
                    f"`{kind.name}`",
                    kind.item.kind,
                    _value(kind.item),
                    kind.item.states[int(kind.default)] if kind.item.states else f"{kind.default:g}",
                    "yes" if kind.survives else "no",
                    kind.item.meaning,
                )
                for kind in PARAMETERS
            ],
        ),
        "The items of housekeeping are on-board parameters, too, which can be read and monitored: numbers 1 to "
        f"{len(STATUS_ITEMS)}, in their order.\n",
        "## Events\n",
        _table(
            ("number", "name", "severity", "message", "arguments"),
            [
                (
                    str(kind.number),
                    f"`{kind.name}`",
                    kind.severity.name,
                    f"`{kind.template}`",
                    "; ".join(f"`{item.name}` {item.kind}, {item.meaning}" for item in kind.arguments),
                )
                for kind in EVENTS.values()
            ],
        ),
        _ABOUT_EVENTS,
        "## Telemetry\n",
        *[_packet(kind) for kind in PACKETS],
    ]
    return "\n".join(parts)


def _command(kind: CommandKind) -> str:
    modes = "" if kind.modes == frozenset(Mode) else f" Allowed in {_modes(kind.modes)}."
    head = f"### `{kind.name}`: TC({kind.service},{kind.subtype})\n\n{kind.meaning}.{modes}\n"
    return head + ("\n" + _items(kind.arguments) if kind.arguments else "")


def _packet(kind: PacketKind) -> str:
    number = "" if kind.number is None else f", structure {kind.number} in 2 octets, then"
    groups = "" if kind.repeat == 1 else ", again and again"
    head = f"### `{kind.name}`: TM({kind.service},{kind.subtype})\n\n{kind.meaning}{number}{groups}.\n"
    return head + ("\n" + _items(kind.items) if kind.items else "")


def _items(items: Sequence[Item]) -> str:
    return _table(
        ("name", "kind", "value", "meaning"),
        [(f"`{item.name}`", item.kind, _value(item), item.meaning) for item in items],
    )


def _value(item: Item) -> str:
    """States, fixed value or range, and unit."""
    if item.states:
        return ", ".join(f"{value} {name}" for value, name in enumerate(item.states))
    if item.fixed is not None:
        return f"always {item.fixed}"
    bounds = [f"{sign} {value:g}" for sign, value in ((">=", item.lowest), ("<=", item.highest)) if value is not None]
    return " ".join([", ".join(bounds), item.unit]).strip()


def _modes(modes: Iterable[Mode]) -> str:
    return ", ".join(mode.name for mode in sorted(modes))


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines) + "\n"
