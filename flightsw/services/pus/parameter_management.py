"""Service 20, parameter management: ECSS-E-ST-70-41C, clause 6.20. Values of on-board parameters read and set."""

from collections.abc import Iterable

from flightsw.services.declarations import CommandKind, Item, PacketKind, ParameterKind, Reader, count, encode
from flightsw.services.parameters import OnBoardParameters
from flightsw.services.pus.packet import Report
from flightsw.services.pus.service import Service

SERVICE = 20
_GET, _VALUES, _SET = 1, 2, 3

_PARAMETER = Item("parameter", "u2", "", "number of an on-board parameter")
_COUNT = Item("count", "u1", "", "number of on-board parameters")

COMMANDS = (
    CommandKind("GET_PARAMETER", SERVICE, _GET, "Report on-board parameters", (count("parameters"), _PARAMETER)),
)
REPORTS = (
    PacketKind(
        "parameter_values",
        SERVICE,
        _VALUES,
        "Values of on-board parameters",
        (_COUNT, Item("members", "octets", "", "the number of each, and its value as the dictionary has it")),
    ),
)


def setters(parameters: Iterable[ParameterKind]) -> tuple[CommandKind, ...]:
    """A command for each parameter that sets it."""
    return tuple(
        CommandKind(
            f"SET_{kind.name.upper()}",
            SERVICE,
            _SET,
            f"Set: {kind.item.meaning}",
            (
                count("parameters"),
                Item("parameter", "u2", "", "number of the parameter", fixed=kind.number),
                kind.item,
            ),
        )
        for kind in parameters
    )


class ParameterManagement(Service):
    """Service 20."""

    number = SERVICE

    def __init__(self, board: OnBoardParameters) -> None:
        super().__init__({_GET: self._get, _SET: self._set})
        self._board = board

    def _get(self, reader: Reader) -> list[Report]:
        numbers = [reader.number(_PARAMETER) for _ in reader.groups()]
        reader.end()
        items = [item for number in numbers for item in (_PARAMETER, self._board.item(number))]
        values = [value for number in numbers for value in (number, self._board.read(number))]
        return [Report(SERVICE, _VALUES, encode([_COUNT, *items], [len(numbers), *values]))]

    def _set(self, reader: Reader) -> list[Report]:
        values: dict[str, float] = {}
        for _ in reader.groups():
            number = reader.number(_PARAMETER)
            name = self._board.settable(number)
            values[name] = reader.real(self._board.item(number))
        reader.end()
        self._board.parameters.set(values)
        return []
