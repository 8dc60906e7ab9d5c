"""Why a command is refused."""

from enum import IntEnum

from flightsw.errors import BeamlockError


class FailureCode(IntEnum):
    """Codes of reports of failed verification; which those are ECSS-E-ST-70-41C, 6.1.4.3, leaves to the mission.

    0 to 5 mean what ECSS-E-70-41A gave them.
    """

    ILLEGAL_APID = 0
    WRONG_LENGTH = 1
    WRONG_CHECKSUM = 2
    UNKNOWN_SERVICE = 3
    UNKNOWN_SUBTYPE = 4
    ILLEGAL_DATA = 5
    ILLEGAL_HEADER = 6
    OUT_OF_RANGE = 7
    NOT_ALLOWED_IN_MODE = 8
    EXPIRED = 9
    UNKNOWN_NUMBER = 10
    NO_ROOM = 11
    NOT_STORED = 12
    NOT_DONE = 13


class CommandRefused(BeamlockError):
    """A command that is not carried out: `code` for software, the text for people. Nothing of it has been done."""

    def __init__(self, code: FailureCode, text: str) -> None:
        super().__init__(text)
        self.code = code
