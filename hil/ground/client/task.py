"""What an operator may wait for: a telecommand, a file that is sent or arrives, an item that has a value."""

import time
from collections.abc import Callable
from typing import Protocol

from flightsw.services.cfdp.entity import Transfer
from hil.ground.client.contact import Contact
from hil.ground.client.verification import SentCommand


class Task(Protocol):
    """Something that is under way."""

    @property
    def over(self) -> bool:
        """It is done, or has failed."""

    @property
    def failure(self) -> str:
        """Why it has failed, once it has; else nothing."""


class FileTask:
    """A file on its way; with `command`, one that was asked for by that."""

    def __init__(self, contact: Contact, is_it: Callable[[Transfer], bool], command: SentCommand | None = None) -> None:
        """`is_it`: whether a transfer is the one."""
        self._contact = contact
        self._is_it = is_it
        self._command = command
        self._before = len(contact.files.transfers)

    @property
    def over(self) -> bool:
        """It is there, or will not be."""
        return self._end() is not None or bool(self.failure)

    @property
    def failure(self) -> str:
        """Why it will not be there."""
        end = self._end()
        if end is not None:
            return "" if end.complete else f"{end.name}: {end.condition.name}"
        if self._command is not None and self._command.failure:
            return self._command.failure
        return "" if self._contact.is_up else "the connection was lost"

    def _end(self) -> Transfer | None:
        return next(filter(self._is_it, self._contact.files.transfers[self._before :]), None)


class Condition:
    """Something that is to be so within `longest_s`; `found` says what is there instead."""

    def __init__(self, holds: Callable[[], bool], found: Callable[[], str], longest_s: float) -> None:
        self._holds = holds
        self._found = found
        self._end_s = time.monotonic() + longest_s
        self._longest_s = longest_s

    @property
    def over(self) -> bool:
        """It is so, or the time is over."""
        return self._holds() or time.monotonic() > self._end_s

    @property
    def failure(self) -> str:
        """What there was when the time was over."""
        late = time.monotonic() > self._end_s and not self._holds()
        return f"not within {self._longest_s:g} s, {self._found()}" if late else ""
