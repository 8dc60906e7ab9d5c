"""Service 3, housekeeping: ECSS-E-ST-70-41C, clause 6.3. Structures of on-board parameters, reported periodically.

An interval is a number of frames of 10 ms. Structures with more than one group of values are no part of this.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flightsw.services.declarations import CommandKind, Item, PacketKind, Reader, count, encode
from flightsw.services.parameters import OnBoardParameters
from flightsw.services.pus.failure import CommandRefused, FailureCode
from flightsw.services.pus.packet import Report
from flightsw.services.pus.service import Service

SERVICE, REPORT = 3, 25
_CREATE, _DELETE, _ENABLE, _DISABLE, _DESCRIBE, _DESCRIPTION, _REPORT_ONCE, _SET_INTERVAL = 1, 3, 5, 6, 9, 10, 27, 31
_MOST_STRUCTURES = 64

_STRUCTURE = Item("structure", "u2", "", "number of the structure", lowest=1)
_INTERVAL = Item("interval", "u4", "frames", "from one report to the next, in frames of 10 ms", lowest=1)
_PARAMETER = Item("parameter", "u2", "", "number of an on-board parameter")
_NONE_REPEATED = Item("repeated", "u1", "", "groups of values that a packet has more than once", fixed=0)
_ENABLED = Item("enabled", "u1", "", "whether it is reported periodically", ("DISABLED", "ENABLED"))
_COUNT = Item("parameters", "u1", "", "number of on-board parameters")
_STRUCTURES = (count("structures"), _STRUCTURE)

COMMANDS = (
    CommandKind(
        "HOUSEKEEPING_CREATE",
        SERVICE,
        _CREATE,
        "Define a structure of on-board parameters; it is not reported until it is enabled",
        (_STRUCTURE, _INTERVAL, count("on-board parameters"), _PARAMETER, _NONE_REPEATED),
    ),
    CommandKind("HOUSEKEEPING_DELETE", SERVICE, _DELETE, "Forget structures that are not enabled", _STRUCTURES),
    CommandKind("HOUSEKEEPING_ENABLE", SERVICE, _ENABLE, "Report structures periodically", _STRUCTURES),
    CommandKind("HOUSEKEEPING_DISABLE", SERVICE, _DISABLE, "Report structures no more", _STRUCTURES),
    CommandKind("HOUSEKEEPING_DESCRIBE", SERVICE, _DESCRIBE, "Report what structures are made of", _STRUCTURES),
    CommandKind("HOUSEKEEPING_REPORT", SERVICE, _REPORT_ONCE, "Report the values of structures once, now", _STRUCTURES),
    CommandKind(
        "HOUSEKEEPING_INTERVAL",
        SERVICE,
        _SET_INTERVAL,
        "Change how often structures are reported",
        (*_STRUCTURES, _INTERVAL),
    ),
)
REPORTS = (
    PacketKind(
        "housekeeping_structure",
        SERVICE,
        _DESCRIPTION,
        "What a structure is made of",
        (_STRUCTURE, _ENABLED, _INTERVAL, _COUNT, Item("members", "octets", "", "their numbers, and a zero octet")),
    ),
)


@dataclass(slots=True)
class _Structure:
    parameters: tuple[int, ...]
    interval: int
    enabled: bool = False
    since: int = 0  # frames since the last report


class Housekeeping(Service):
    """Service 3.

    declared: structures of the dictionary, which are enabled from the start and stay: numbers of their on-board
    parameters, and their interval.
    """

    number = SERVICE

    def __init__(self, board: OnBoardParameters, declared: Mapping[int, tuple[Sequence[int], int]]) -> None:
        super().__init__(
            {
                _CREATE: self._create,
                _DELETE: self._delete,
                _ENABLE: lambda reader: self._switch(reader, True),
                _DISABLE: lambda reader: self._switch(reader, False),
                _DESCRIBE: lambda reader: [_description(*entry) for entry in self._named(reader).items()],
                _REPORT_ONCE: lambda reader: [self._report(*entry) for entry in self._named(reader).items()],
                _SET_INTERVAL: self._set_interval,
            }
        )
        self._board = board
        self._declared = frozenset(declared)
        self._structures = {
            number: _Structure(tuple(parameters), interval, enabled=True)
            for number, (parameters, interval) in declared.items()
        }

    def frame(self) -> list[Report]:
        """The reports that are due, once a frame."""
        due = []
        for number, structure in self._structures.items():
            structure.since += 1
            if structure.enabled and structure.since >= structure.interval:
                structure.since = 0
                due.append(self._report(number, structure))
        return due

    def _create(self, reader: Reader) -> list[Report]:
        number, interval = reader.number(_STRUCTURE), reader.number(_INTERVAL)
        parameters = tuple([reader.number(_PARAMETER) for _ in reader.groups()])
        reader.number(_NONE_REPEATED)
        reader.end()
        for parameter in parameters:
            self._board.item(parameter)
        if number in self._structures:
            raise CommandRefused(FailureCode.UNKNOWN_NUMBER, f"structure {number} is there already: delete it first")
        if len(self._structures) >= _MOST_STRUCTURES:
            raise CommandRefused(FailureCode.NO_ROOM, f"there are {_MOST_STRUCTURES} structures already: delete one")
        self._structures[number] = _Structure(parameters, interval)
        return []

    def _delete(self, reader: Reader) -> list[Report]:
        named = self._named(reader)
        for number, structure in named.items():
            if structure.enabled or number in self._declared:
                raise CommandRefused(
                    FailureCode.UNKNOWN_NUMBER, f"structure {number} is enabled or of the dictionary, and stays"
                )
        for number in named:
            del self._structures[number]
        return []

    def _switch(self, reader: Reader, on: bool) -> list[Report]:
        for structure in self._named(reader).values():
            structure.enabled, structure.since = on, 0
        return []

    def _set_interval(self, reader: Reader) -> list[Report]:
        wanted = [(reader.number(_STRUCTURE), reader.number(_INTERVAL)) for _ in reader.groups()]
        reader.end()
        for structure, interval in [(self._known(number), interval) for number, interval in wanted]:
            structure.interval, structure.since = interval, 0
        return []

    def _named(self, reader: Reader) -> dict[int, _Structure]:
        """The structures that a telecommand lists."""
        numbers = [reader.number(_STRUCTURE) for _ in reader.groups()]
        reader.end()
        return {number: self._known(number) for number in numbers}

    def _known(self, number: int) -> _Structure:
        if number not in self._structures:
            raise CommandRefused(FailureCode.UNKNOWN_NUMBER, f"no structure has the number {number}")
        return self._structures[number]

    def _report(self, number: int, structure: _Structure) -> Report:
        items = [_STRUCTURE, *[self._board.item(parameter) for parameter in structure.parameters]]
        values = [number, *[self._board.read(parameter) for parameter in structure.parameters]]
        return Report(SERVICE, REPORT, encode(items, values))


def _description(number: int, structure: _Structure) -> Report:
    members = structure.parameters
    items = [_STRUCTURE, _ENABLED, _INTERVAL, _COUNT, *[_PARAMETER for _ in members], _NONE_REPEATED]
    values = [number, structure.enabled, structure.interval, len(members), *members, 0]
    return Report(SERVICE, _DESCRIPTION, encode(items, values))
