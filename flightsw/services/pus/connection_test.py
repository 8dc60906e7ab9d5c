"""Service 17, test: ECSS-E-ST-70-41C, clause 6.17. Whether anybody is there."""

from flightsw.services.declarations import CommandKind, PacketKind, Reader
from flightsw.services.pus.packet import Report
from flightsw.services.pus.service import Service

SERVICE = 17
_PING, _PONG = 1, 2

COMMANDS = (CommandKind("PING", SERVICE, _PING, "Ask for a sign of life"),)
REPORTS = (PacketKind("alive", SERVICE, _PONG, "A sign of life", ()),)


class ConnectionTest(Service):
    """Service 17."""

    number = SERVICE

    def __init__(self) -> None:
        super().__init__({_PING: self._answer})

    def _answer(self, reader: Reader) -> list[Report]:
        reader.end()
        return [Report(SERVICE, _PONG)]
