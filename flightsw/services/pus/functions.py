"""Service 8, function management: ECSS-E-ST-70-41C, clause 6.8. What a terminal does when it is told to."""

from collections.abc import Callable, Mapping

from flightsw.pat.modes import Mode
from flightsw.services.declarations import CommandKind, Item, Reader
from flightsw.services.pus.failure import CommandRefused, FailureCode
from flightsw.services.pus.packet import Report
from flightsw.services.pus.service import Service

SERVICE = 8
_PERFORM = 1
_FUNCTION = Item("function", "u1", "", "number of the function")


def function(number: int, name: str, meaning: str, arguments: tuple[Item, ...], modes: frozenset[Mode]) -> CommandKind:
    """The command that asks for one function; its number comes first in the data."""
    fixed = Item(_FUNCTION.name, _FUNCTION.kind, "", _FUNCTION.meaning, fixed=number)
    return CommandKind(name, SERVICE, _PERFORM, meaning, (fixed, *arguments), modes)


class Functions(Service):
    """Service 8. functions: what to call for each, with the values of its arguments; mode: the present mode."""

    number = SERVICE

    def __init__(self, functions: Mapping[CommandKind, Callable[..., None]], mode: Callable[[], Mode]) -> None:
        super().__init__({_PERFORM: self._perform})
        self._functions = {kind.arguments[0].fixed: (kind, call) for kind, call in functions.items()}
        self._mode = mode

    def _perform(self, reader: Reader) -> list[Report]:
        number = reader.number(_FUNCTION)
        if number not in self._functions:
            raise CommandRefused(FailureCode.UNKNOWN_NUMBER, f"no function has the number {number}")
        kind, call = self._functions[number]
        values = [reader.value(item) for item in kind.asked]
        reader.end()
        mode = self._mode()
        if mode not in kind.modes:
            allowed = ", ".join(allowed.name for allowed in sorted(kind.modes))
            raise CommandRefused(
                FailureCode.NOT_ALLOWED_IN_MODE, f"{kind.name} is allowed in {allowed}, and not in {mode.name}"
            )
        call(*values)
        return []
