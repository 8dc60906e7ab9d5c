"""Counters that never go back, over restarts and losses of power, because they are kept ahead.

What is on the disk is at or above the counter at every moment: before it passes the mark on the disk, a mark that is
`ahead` of it is written. A restart goes on at the mark. So a sender uses no number twice, and a receiver takes none
twice; the price is that a restart gives up to `ahead` numbers away.
"""

import json
from pathlib import Path

from flightsw.errors import ConfigError
from flightsw.secret import Secret
from flightsw.services.two_copies import TwoCopies


class Counter:
    """One counter: `value` is the lowest number that was not used."""

    def __init__(self, counters: "Counters", name: str, ahead: int) -> None:
        self._counters = counters
        self._name = name
        self._ahead = ahead
        self.value = counters.marks[name]

    def raise_to(self, value: int) -> None:
        """Use all numbers below `value`. Raises ConfigError for one that is lower, or if it cannot be kept."""
        if value < self.value:
            raise ConfigError(f"counter of {self._name}: expected at least {self.value}, found {value}")
        if value > self._counters.marks[self._name]:
            self._counters.keep(self._name, value + self._ahead)
        self.value = value


class Counters:
    """All counters of one file, which one process holds at a time; `close` it.

    Attributes:
        marks: what is on the disk for each name.
    """

    def __init__(self, path: Path) -> None:
        """Open the file, or make it. Raises ConfigError if it is damaged, held by another process or not private."""
        self._file = TwoCopies(path, Secret(b"{}"))
        # the checksum is right, so this was written here
        self.marks: dict[str, int] = json.loads(self._file.contents.reveal())
        self._given: set[str] = set()

    def close(self) -> None:
        """Let another process have them."""
        self._file.close()

    def start(self, name: str) -> None:
        """Begin a counter at 0, or leave it where it is."""
        if name not in self.marks:
            self.keep(name, 0)

    def get(self, name: str, ahead: int) -> Counter:
        """A counter, once. Raises ConfigError if it never began, or if somebody has it already."""
        if name not in self.marks:
            raise ConfigError(
                f"{self._file.path}: expected the counter of {name}, found none; numbers may have been used before: "
                f"deactivate {name} and activate a new one"
            )
        if name in self._given:
            raise ConfigError(f"counter of {name}: expected one user, found a second: give each its own key")
        self._given.add(name)
        return Counter(self, name, ahead)

    def release(self, name: str) -> None:
        """Take a counter back from its user; it goes on at its mark."""
        self._given.discard(name)

    def keep(self, name: str, mark: int) -> None:
        """Write a mark."""
        marks = {**self.marks, name: mark}
        self._file.write(Secret(json.dumps(marks, sort_keys=True).encode()))
        self.marks = marks
