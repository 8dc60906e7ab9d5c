"""What services have in common: a handler for each message subtype."""

from collections.abc import Callable, Mapping
from typing import ClassVar

from flightsw.services.declarations import Reader
from flightsw.services.pus.failure import CommandRefused, FailureCode
from flightsw.services.pus.packet import Report, Telecommand

#: Carries out one telecommand, given its application data. Raises CommandRefused or FrameError, having done nothing.
Handler = Callable[[Reader], list[Report]]


class Service:
    """One service. Its telecommands are carried out at `now_us`, microseconds since the epoch."""

    number: ClassVar[int]

    def __init__(self, handlers: Mapping[int, Handler]) -> None:
        self._handlers = handlers
        self.now_us = 0

    def handle(self, command: Telecommand, now_us: int) -> list[Report]:
        """Carry out a telecommand, and return what it asked for.

        Raises CommandRefused, or FrameError for data that are not laid out as they should be; then nothing is done.
        """
        handler = self._handlers.get(command.subtype)
        if handler is None:
            raise CommandRefused(
                FailureCode.UNKNOWN_SUBTYPE,
                f"expected a subtype of {', '.join(map(str, self._handlers))}, found {command.subtype}",
            )
        self.now_us = now_us
        return handler(Reader(command.data))
