"""What an operator can say in a line: telecommands, and words for what the ground itself does.

```
[SPACECRAFT] [@TIME] COMMAND [ARGUMENT ...]        a telecommand; with @120 or @+5 into the schedule
put get load own watch plot wait events sent links commands help quit
```
"""

import re
from collections.abc import Callable, Sequence
from operator import eq, gt, lt
from pathlib import Path

from flightsw.errors import ConfigError
from flightsw.services.declarations import Item, Value
from flightsw.services.dictionary import COMMANDS
from hil.ground.client import telecommand
from hil.ground.client.archive import ITEMS
from hil.ground.client.contact import Contact
from hil.ground.client.note import Note
from hil.ground.client.plot import braille, picture
from hil.ground.client.session import Session
from hil.ground.client.task import Condition, FileTask, Task

#: The words that are no telecommands: how they are used, and what they do.
WORDS = {
    "put": ("put FILE [NAME]", "send a file, to be called NAME on board"),
    "get": ("get NAME", "have a file sent down into the folder of --files"),
    "load": ("load NAME", "point by the ephemeris in a file on board"),
    "own": ("own COMMAND ...", "do what a command about keys or associations says at this end of the link"),
    "wait": ("wait ITEM=VALUE [S]", "until an item has a value, or is beyond it with < or >; fails after S seconds"),
    "watch": ("watch [ITEM ...]", "the latest values, until a key is pressed"),
    "plot": ("plot ITEM [--png FILE]", "an item's past as a curve, until a key is pressed, or as a picture"),
    "events": ("events [N]", "the last events"),
    "sent": ("sent [N]", "the last telecommands, and how far they have come"),
    "links": ("links", "the state of each link"),
    "commands": ("commands [PREFIX]", "telecommands and their arguments"),
    "help": ("help [COMMAND]", "about one, or about these words"),
    "quit": ("quit", "leave"),
}
_LONGEST_WAIT_S = 60.0
_CURVE = 18
_LAST = 20
_CONDITION = re.compile(r"(?:([^.=<>]+)\.)?([a-z_]+)([=<>])(.+)")
_COMPARISONS: dict[str, Callable[[float, float], bool]] = {"=": eq, "<": lt, ">": gt}
#: Draws what is to be seen in so many characters and lines.
Render = Callable[[int, int], str]


class Console:
    """Carries lines out.

    Attributes:
        left: the operator has said `quit`.
        names: of files that were spoken of.
    """

    def __init__(self, session: Session, write: Callable[[str], None], show: Callable[[Render], None]) -> None:
        """`write`: takes answers of some lines; `show`: takes what is to be seen for a while."""
        self.left = False
        self.names: list[str] = []
        self._session = session
        self._write = write
        self._show = show
        self._words: dict[str, Callable[[Contact | None, list[str]], Task | None]] = {
            "put": self._put,
            "get": self._get,
            "load": self._load,
            "own": self._own,
            "wait": self._wait,
            "watch": self._watch,
            "plot": self._plot,
            "events": self._events,
            "sent": self._sent,
            "links": self._links,
            "commands": self._commands,
            "help": self._help,
            "quit": self._quit,
        }

    @property
    def contacts(self) -> dict[str, Contact]:
        """Those of the session by name."""
        return {contact.name: contact for contact in self._session.contacts}

    def execute(self, line: str) -> Task | None:
        """Carry out a line; what may be waited for, if there is something.

        Raises ConfigError for what cannot be understood, DeviceDisconnected for a spacecraft that is not heard.
        """
        words = telecommand.words(line)
        named: Contact | None = None
        at = ""
        while words and (words[0] in self.contacts or words[0].startswith("@")):
            word = words.pop(0)
            if word.startswith("@"):
                at = word
            else:
                named = self.contacts[word]
        if not words:
            if named is None and not at:
                return None
            raise ConfigError(f"{line.strip()}: expected a command behind it, found none; `help` tells more")
        first, rest = words[0], words[1:]
        if first in self._words and not at:
            return self._words[first](named, rest)
        if first.upper() not in COMMANDS:
            raise ConfigError(f"{first}: expected a command; {self._near(first)}")
        request = telecommand.request(first, rest)
        contact = self._one(named, first)
        return contact.command(request, _time(contact, at) if at else None)

    def _near(self, word: str) -> str:
        known = [*COMMANDS, *WORDS, *self.contacts]
        return (
            telecommand.nearest(word, known)
            or telecommand.nearest(word.upper(), known)
            or "`help` and `commands` list them"
        )

    def _one(self, named: Contact | None, what: str) -> Contact:
        """The spacecraft that is meant."""
        if named is not None:
            return named
        names = list(self.contacts)
        if len(names) > 1:
            raise ConfigError(f"{what}: expected {' or '.join(names)} ahead of it, found none")
        return self.contacts[names[0]]

    def _put(self, named: Contact | None, words: list[str]) -> Task:
        path, name = _between(words, 1, 2, "put")[0], words[-1] if len(words) > 1 else Path(words[0]).name
        contact = self._one(named, "put")
        try:
            octets = Path(path).read_bytes()
        except OSError as error:
            raise ConfigError(f"put {path}: expected a file that can be read, found: {error.strerror}") from None
        number = contact.files.put(octets, name)
        self.names.append(name)
        return FileTask(contact, lambda transfer: transfer.sent and transfer.number == number)

    def _get(self, named: Contact | None, words: list[str]) -> Task:
        (name,) = _between(words, 1, 1, "get")
        contact = self._one(named, "get")
        contact.files.place(name)
        command = contact.command(telecommand.request("SEND_FILE", [f"name={name}"]))
        return FileTask(contact, lambda transfer: not transfer.sent and transfer.name == name, command)

    def _load(self, named: Contact | None, words: list[str]) -> Task:
        (name,) = _between(words, 1, 1, "load")
        return self._one(named, "load").command(telecommand.request("LOAD_EPHEMERIS", [f"name={name}"]))

    def _own(self, named: Contact | None, words: list[str]) -> None:
        if not words:
            raise ConfigError(f"own: expected {WORDS['own'][0]}, found no command")
        contact, request = self._one(named, "own"), telecommand.request(words[0], words[1:])
        self._write(f"{contact.name:8} own {request}: {contact.own(request)}")

    def _wait(self, named: Contact | None, words: list[str]) -> Task:
        condition, *rest = _between(words, 1, 2, "wait")
        match = _CONDITION.fullmatch(condition)
        if match is None:
            raise ConfigError(f"wait {condition}: expected ITEM=VALUE, ITEM<VALUE or ITEM>VALUE")
        contacts, name, item = self._items(f"{match[1]}.{match[2]}" if match[1] else match[2], named)
        wanted = telecommand.value("wait", item, match[4])
        compare = _COMPARISONS[match[3]]
        try:
            longest_s = float(rest[0]) if rest else _LONGEST_WAIT_S
        except ValueError:
            raise ConfigError(f"wait {condition}: expected a time in s, found {rest[0]!r}") from None

        def holds() -> bool:
            found = [contact.archive.values.get(name) for contact in contacts]
            return all(value is not None and compare(value, wanted) for value in found)  # type: ignore[arg-type]

        def found() -> str:
            return ", ".join(f"{contact.name}.{name}={_latest(contact, name)}" for contact in contacts)

        return Condition(holds, found, longest_s)

    def _watch(self, named: Contact | None, words: list[str]) -> None:
        chosen = [self._items(word, named) for word in words] or [
            (self._meant(named), name, item) for name, item in ITEMS.items()
        ]
        self._show(lambda width, height: _table(chosen, self._meant(named), height))

    def _plot(self, named: Contact | None, words: list[str]) -> None:
        name, *rest = _between(words, 1, 3, "plot")
        contacts, item_name, item = self._items(name, named)
        if rest and (rest[0] != "--png" or len(rest) < 2):
            raise ConfigError(f"plot: expected {WORDS['plot'][0]}, found {' '.join(words)}")
        contact = self._one(contacts[0] if len(contacts) == 1 else None, f"plot {name}")
        title = f"{contact.name}.{item_name}"
        past = contact.archive.past
        if rest:
            picture(title, item, past.get(item_name, ()), Path(rest[1]))
            self._write(rest[1])
        else:
            self._show(lambda width, height: braille(title, item, past.get(item_name, ()), width, min(height, _CURVE)))

    def _events(self, named: Contact | None, words: list[str]) -> None:
        n = _number(words, "events")
        told = [(event, contact.name) for contact in self._meant(named) for event in contact.archive.events]
        told.sort(key=lambda each: each[0].time_s)
        for event, name in told[-n:]:
            self._write(str(Note(name, event.time_s, event.severity, f"{event.name}: {event.text}")))

    def _sent(self, named: Contact | None, words: list[str]) -> None:
        n = _number(words, "sent")
        for contact in self._meant(named):
            for command in contact.verification.commands[-n:]:
                self._write(f"{contact.name:8} {command}")

    def _links(self, named: Contact | None, words: list[str]) -> None:
        _between(words, 0, 0, "links")
        for contact in self._meant(named):
            self._write(f"{contact.name:8} {contact.state()}")

    def _commands(self, _: Contact | None, words: list[str]) -> None:
        prefix = _between(words, 0, 1, "commands")[0].upper() if words else ""
        for name in sorted(COMMANDS):
            if name.startswith(prefix):
                self._write(telecommand.usage(COMMANDS[name]))

    def _help(self, _: Contact | None, words: list[str]) -> None:
        if not words:
            self._write(_HELP + "\n".join(f"  {usage:28} {meaning}" for usage, meaning in WORDS.values()))
        elif words[0] in WORDS:
            self._write("\n  ".join(WORDS[words[0]]))
        elif words[0].upper() in COMMANDS:
            self._write(telecommand.explanation(COMMANDS[words[0].upper()]))
        else:
            raise ConfigError(f"help {words[0]}: expected a command; {self._near(words[0])}")

    def _quit(self, _: Contact | None, words: list[str]) -> None:
        _between(words, 0, 0, "quit")
        self.left = True

    def _meant(self, named: Contact | None) -> list[Contact]:
        return list(self._session.contacts) if named is None else [named]

    def _items(self, word: str, named: Contact | None) -> tuple[list[Contact], str, Item]:
        """An item by `name` or `spacecraft.name`: whose it is, its name, and what it is."""
        who, dot, name = word.rpartition(".")
        if dot and who not in self.contacts:
            near = telecommand.nearest(who, self.contacts)
            raise ConfigError(f"{word}: expected {' or '.join(self.contacts)}, found {who}; {near}".rstrip("; "))
        if name not in ITEMS:
            near = telecommand.nearest(name, ITEMS)
            raise ConfigError(f"{word}: expected an item of housekeeping or a parameter; {near}".rstrip("; "))
        return self._meant(self.contacts[who] if dot else named), name, ITEMS[name]


_HELP = """\
[SPACECRAFT] COMMAND [ARGUMENT ...]        a telecommand, its arguments in order or as NAME=VALUE
[SPACECRAFT] @120 COMMAND [ARGUMENT ...]   into the schedule, for 120 s since the epoch of the run; @+5 is in 5 s
"""


def _between(words: list[str], fewest: int, most: int, word: str) -> list[str]:
    if not fewest <= len(words) <= most:
        raise ConfigError(f"{word}: expected {WORDS[word][0]}, found {len(words)} words behind it")
    return words


def _number(words: list[str], word: str) -> int:
    _between(words, 0, 1, word)
    if words and not (words[0].isascii() and words[0].isdigit() and int(words[0])):
        raise ConfigError(f"{word}: expected {WORDS[word][0]}, found {words[0]!r}")
    return int(words[0]) if words else _LAST


def _time(contact: Contact, text: str) -> float:
    """The time that `@120` or `@+5` says, in s since the epoch of the run."""
    match = re.fullmatch(r"@(\+?)(\d+(?:\.\d*)?)", text)
    if match is None:
        raise ConfigError(f"{text}: expected a time in s since the epoch as @120, or from now on as @+5")
    if match[1] and contact.archive.now_s is None:
        raise ConfigError(f"{text}: expected telemetry that tells the time on board, found none yet")
    return float(match[2]) + (contact.archive.now_s or 0.0 if match[1] else 0.0)


def _latest(contact: Contact, name: str) -> str:
    found: Value | None = contact.archive.values.get(name)
    return "-" if found is None else telecommand.shown(ITEMS[name], found)


def _table(chosen: Sequence[tuple[list[Contact], str, Item]], contacts: Sequence[Contact], height: int) -> str:
    times = [f"{'-' if each.archive.now_s is None else f'{each.archive.now_s:.2f} s':>16}" for each in contacts]
    lines = [
        " ".join([f"{'':20}", *[f"{each.name:>16}" for each in contacts]]),
        " ".join([f"{'time':20}", *times]),
    ]
    for whose, name, _ in chosen:
        cells = [f"{_latest(each, name) if each in whose else '':>16}" for each in contacts]
        lines.append(" ".join([f"{name:20}", *cells]))
    return "\n".join(lines[:height])
