"""Events: what a terminal reports when something happens, for an operator to read."""

from enum import IntEnum
from typing import NamedTuple


class Severity(IntEnum):
    """ECSS-E-ST-70-41C, 6.5.2: informative, and low, medium and high severity anomaly."""

    INFO = 1
    LOW = 2
    MEDIUM = 3
    HIGH = 4


class Event(NamedTuple):
    """One event. `name` is a fixed identifier, `text` says what happened with the numbers of this time."""

    time_s: float
    severity: Severity
    name: str
    text: str
