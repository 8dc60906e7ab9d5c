"""The timeline of a run: commands that are due, and faults that are in force."""

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from flightsw.hal import FRAME_S
from flightsw.pat.modes import Command
from hil.scenario import TimelineEntry

_COMMANDS = {"acquire": Command.ACQUIRE, "standby": Command.STANDBY, "safe": Command.SAFE}
EARTH = "earth"


class Timeline:
    """Commands and faults of a scenario, in time. A scenario without a command lets both terminals acquire at once.

    blocked: bool (frames,), the frames in which the Earth is in the way; faults_only: commands are left to operators.
    """

    def __init__(
        self,
        entries: Sequence[TimelineEntry],
        names: Sequence[str],
        blocked: NDArray[np.bool_],
        faults_only: bool = False,
    ) -> None:
        self._commands: list[tuple[float, int, Command]] = []
        self._faults: list[tuple[float, float, int, str]] = []
        for entry in entries:
            for i, name in enumerate(names):
                if entry.terminal not in (None, name):
                    continue
                if entry.command is not None:
                    self._commands.append((entry.at_s, i, _COMMANDS[entry.command]))
                elif entry.fault is not None:
                    self._faults.append((entry.at_s, entry.at_s + (entry.duration_s or math.inf), i, entry.fault))
        if not self._commands:
            self._commands = [(0.0, i, Command.ACQUIRE) for i in range(len(names))]
        if faults_only:
            self._commands = []
        for start, end in _intervals(blocked):
            self._faults.extend((start * FRAME_S, end * FRAME_S, i, EARTH) for i in range(len(names)))
        self._commands.sort()
        ends = [t for start, end, _, _ in self._faults for t in (start, end)]
        self._changes = sorted({t for t, _, _ in self._commands} | set(ends) - {math.inf})
        self._at = 0
        self.next_s = self._changes[0] if self._changes else math.inf

    def advance(self, now_s: float) -> None:
        """Move on past everything that is due at `now_s`."""
        while self._at < len(self._changes) and self._changes[self._at] <= now_s:
            self._at += 1
        self.next_s = self._changes[self._at] if self._at < len(self._changes) else math.inf

    def commands(self, since_s: float, now_s: float) -> Iterator[tuple[int, Command]]:
        """Commands due after `since_s` and up to `now_s`: terminal and command."""
        return ((i, command) for t, i, command in self._commands if since_s < t <= now_s)

    def in_force(self, now_s: float) -> set[tuple[int, str]]:
        """Faults in force at `now_s`: terminal and fault."""
        return {(i, fault) for start, end, i, fault in self._faults if start <= now_s < end}


def _intervals(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First index and index after the last of each run of true flags."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]
