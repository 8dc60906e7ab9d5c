"""Parameters, which operators set, and on-board parameters, which are both they and the items of the status.

What survives a restart lies in a file with a checksum and two copies, as `flightsw.services.two_copies` keeps it, and
is there before a new value is in force.
"""

import json
from collections.abc import Iterable, Mapping

from flightsw.errors import ConfigError
from flightsw.secret import Secret
from flightsw.services.declarations import Item, OutOfRange, ParameterKind
from flightsw.services.pus.failure import CommandRefused, FailureCode
from flightsw.services.two_copies import TwoCopies


class Parameters:
    """Values of parameters by name."""

    def __init__(self, kinds: Iterable[ParameterKind], store: TwoCopies | None = None) -> None:
        """Defaults, and what `store` holds; a value that a former dictionary allowed and this one does not is dropped.

        `store` has been made with `NOTHING` where there was none. Raises ConfigError if it is of something else.
        """
        self.kinds = {kind.name: kind for kind in kinds}
        self._values = {name: kind.default for name, kind in self.kinds.items()}
        self._store = store
        if store is not None:
            for name, value in _kept(store).items():
                if name in self.kinds and _is_allowed(self.kinds[name].item, value):
                    self._values[name] = value

    def __getitem__(self, name: str) -> float:
        return self._values[name]

    def set(self, values: Mapping[str, float]) -> None:
        """Set all of these or none.

        Raises OutOfRange for a value beyond its range, and CommandRefused where the store cannot be written.
        """
        for name, value in values.items():
            self.kinds[name].item.require(value)
        fresh = {**self._values, **values}
        if self._store is not None and any(self.kinds[name].survives for name in values):
            kept = {name: value for name, value in fresh.items() if self.kinds[name].survives}
            try:
                self._store.write(Secret(json.dumps(kept).encode()))
            except ConfigError as error:
                raise CommandRefused(FailureCode.NOT_STORED, str(error)) from None
        self._values = fresh


#: What a store holds at first.
NOTHING = Secret(b"{}")


def _kept(store: TwoCopies) -> dict[str, float]:
    try:
        kept = json.loads(store.contents.reveal())
        return {str(name): float(value) for name, value in kept.items()}
    except (ValueError, AttributeError, TypeError):
        raise ConfigError(f"{store.path}: expected the parameters of a terminal, found something else") from None


def _is_allowed(item: Item, value: float) -> bool:
    try:
        item.require(value)
    except OutOfRange:
        return False
    return True


class OnBoardParameters:
    """Everything that has a number: items of the terminal's status, which are read alone, and parameters."""

    def __init__(self, status: object, items: Mapping[int, Item], parameters: Parameters) -> None:
        self.parameters = parameters
        self._status = status
        self._items = {**items, **{kind.number: kind.item for kind in parameters.kinds.values()}}
        self._settable = {kind.number: name for name, kind in parameters.kinds.items()}

    def item(self, number: int) -> Item:
        """What has this number. Raises CommandRefused if nothing has."""
        if number not in self._items:
            raise CommandRefused(FailureCode.UNKNOWN_NUMBER, f"no on-board parameter has the number {number}")
        return self._items[number]

    def settable(self, number: int) -> str:
        """Name of the parameter of this number. Raises CommandRefused if it is none that can be set."""
        item = self.item(number)
        if number not in self._settable:
            raise CommandRefused(FailureCode.UNKNOWN_NUMBER, f"{item.name} is telemetry and cannot be set")
        return self._settable[number]

    def read(self, number: int) -> float:
        """The present value. Raises CommandRefused if nothing has this number."""
        name = self.item(number).name
        return self.parameters[name] if number in self._settable else getattr(self._status, name)
