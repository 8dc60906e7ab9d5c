"""What may follow in a line: spacecraft, words, commands, arguments, states, items, files."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from flightsw.services.declarations import CommandKind
from flightsw.services.dictionary import COMMANDS
from hil.ground.client.archive import ITEMS
from hil.ground.client.console import WORDS
from hil.ground.spacecraft import RECORDING


def candidates(line: str, spacecraft: Sequence[str], files: Sequence[str]) -> list[str]:
    """What the last word of a line may become, in order. files: names of those on board."""
    *words, last = line.split(" ")
    words = [word for word in words if word and not word.startswith("@") and word not in spacecraft]
    return [each for each in _possible(words, last, spacecraft, files) if each.startswith(last)] or [
        each for each in _possible(words, last, spacecraft, files) if each.upper().startswith(last.upper())
    ]


def _possible(words: Sequence[str], last: str, spacecraft: Sequence[str], files: Sequence[str]) -> list[str]:
    if not words:
        return [*spacecraft, *WORDS, *sorted(COMMANDS)]
    if words[0] == "own":
        words = words[1:]
        if not words:
            return [name for name in sorted(COMMANDS) if name.startswith(("KEY_", "ASSOCIATION_"))]
    first, *rest = words
    if first in ("watch", "plot", "wait"):
        return _items(first == "wait", last, spacecraft)
    if first in ("get", "load"):
        return [RECORDING, *files]
    if first == "put":
        return _paths(last)
    if first == "commands":
        return sorted(COMMANDS)
    if first == "help":
        return [*WORDS, *sorted(COMMANDS)]
    kind = COMMANDS.get(first.upper())
    return [] if kind is None else _arguments(kind, rest)


def _arguments(kind: CommandKind, given: Sequence[str]) -> list[str]:
    """Arguments that are missing, with their states; those of the next one without its name, too."""
    named = {word.partition("=")[0] for word in given if "=" in word}
    missing = [item for item in kind.asked if item.name not in named][sum("=" not in word for word in given) :]
    with_name = [f"{item.name}={state}" for item in missing for state in item.states or ("",)]
    return [*with_name, *(missing[0].states if missing else ())]


def _items(with_values: bool, last: str, spacecraft: Sequence[str]) -> list[str]:
    names = [*ITEMS, *[f"{each}.{name}" for each in spacecraft for name in ITEMS]]
    if not with_values:
        return names
    named, equals, _ = last.partition("=")
    if not equals:
        return [f"{name}=" for name in names]
    item = ITEMS.get(named.rpartition(".")[2])
    return [] if item is None else [f"{named}={state}" for state in item.states]


def _paths(last: str) -> list[str]:
    folder = Path(last if last.endswith("/") else last.rpartition("/")[0] + "/" if "/" in last else ".")
    ahead = last.rpartition("/")[0] + "/" if "/" in last else ""
    return sorted(_named(ahead, folder))


def _named(ahead: str, folder: Path) -> Iterable[str]:
    try:
        return [f"{ahead}{each.name}{'/' if each.is_dir() else ''}" for each in folder.iterdir()]
    except OSError:
        return []
