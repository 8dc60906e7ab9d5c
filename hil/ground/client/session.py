"""All spacecraft in contact, in one loop: no threads, nothing waits but here."""

import select
import time
from collections import deque
from collections.abc import Callable, Sequence

from flightsw.errors import DeviceTimeout
from hil.ground.client.contact import Contact
from hil.ground.client.identification import FRAME_OCTETS
from hil.ground.client.note import Note

#: The timers of COP-1 and of files are looked at this often.
_ROUND_S = 0.05
#: A run that listens sends its first frame within this, once its models are built.
_HEARD_S = 30.0


class Session:
    """Use it as a context manager.

    Attributes:
        contacts: in the order of their addresses.
        notes: what an operator should read; take with `popleft`.
    """

    def __init__(self, contacts: Sequence[Contact], notes: deque[Note]) -> None:
        self.contacts = contacts
        self.notes = notes

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *_: object) -> None:
        for contact in self.contacts:
            contact.close()

    def turn(self, longest_s: float = _ROUND_S, also: Sequence[int] = ()) -> list[int]:
        """One round of all contacts, after at most `longest_s`; which descriptors of `also` can be read."""
        lines = [each for each in (contact.fileno() for contact in self.contacts) if each is not None]
        ready, _, _ = select.select([*lines, *also], [], [], longest_s)
        now_s = time.monotonic()
        for contact in self.contacts:
            contact.turn(now_s)
        return [each for each in also if each in ready]

    def until(self, over: Callable[[], bool], after_each: Callable[[], None]) -> None:
        """Go on until it is over. `after_each`: called after each round."""
        while not over():
            self.turn()
            after_each()

    def hear_all(self, patience_s: float) -> None:
        """Go on until all spacecraft are heard. Where nobody listens for longer than `patience_s`, give up.

        Raises DeviceError.
        """
        begin_s = time.monotonic()
        while silent := [contact for contact in self.contacts if not contact.is_up]:
            self.turn()
            waited_s = time.monotonic() - begin_s
            for contact in silent:
                if contact.problem is not None and waited_s > patience_s:
                    raise contact.problem
                if waited_s > max(patience_s, _HEARD_S):
                    raise DeviceTimeout(
                        f"{contact.address}: expected AOS or TM frames of {FRAME_OCTETS} octets, found none within "
                        f"{waited_s:.0f} s: see its run"
                    )
