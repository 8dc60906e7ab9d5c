"""Files to and from one spacecraft, by CFDP: a folder of the ground, and transactions whose numbers are used once."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from flightsw.errors import ConfigError
from flightsw.services.cfdp.entity import Entity, Transfer
from flightsw.services.cfdp.filestore import FolderFilestore, MemoryFilestore
from flightsw.services.counters import Counters
from flightsw.services.ground_channel import SEGMENT_OCTETS
from hil.ground.spacecraft import FILE_TIMING, GROUND_ENTITY

_COUNTER = "files"


class GroundFiles:
    """The ground's end; `close` it.

    Attributes:
        entity: for the station.
        transfers: those that are over.
    """

    def __init__(self, folder: Path | None, name: str, spacecraft_id: int) -> None:
        """`folder`: has a folder of the spacecraft's `name`, or is None: then nothing can be put or asked for.

        Raises ConfigError for a folder that cannot be made, or is held by another client.
        """
        self.transfers: list[Transfer] = []
        self._folder: FolderFilestore | None = None
        self._stack = ExitStack()
        if folder is None:
            self.entity = Entity(GROUND_ENTITY, spacecraft_id, MemoryFilestore(), FILE_TIMING)
            return
        try:
            (folder / name).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"{folder / name}: expected a folder that can be made, found: {error.strerror}") from None
        self._folder = FolderFilestore(folder / name)
        counters = Counters(folder / f"{name}.transactions")
        self._stack.callback(counters.close)
        counters.start(_COUNTER)
        self._next = counters.get(_COUNTER, 0)
        self.entity = Entity(GROUND_ENTITY, spacecraft_id, self._folder, FILE_TIMING, self._next.value, SEGMENT_OCTETS)

    def close(self) -> None:
        """Let another client have the numbers."""
        self._stack.close()

    def put(self, octets: bytes, name: str) -> int:
        """Begin to send a file; the number of its transfer. Raises ConfigError for a name that is too long or empty."""
        self.place(name)
        number = self.entity.put(octets, name)
        self._next.raise_to(self.entity.next_transaction)
        return number

    def place(self, name: str) -> Path:
        """Where a file of that name is. Raises ConfigError where there are no files, or the name leads elsewhere."""
        if self._folder is None:
            raise ConfigError(f"{name}: expected --files DIR for transfers of files, found none")
        try:
            return self._folder.path(name)
        except OSError as error:
            raise ConfigError(f"{name}: expected a name in the folder of --files, found: {error.strerror}") from None

    def finished(self) -> Iterator[Transfer]:
        """Transfers that have come to their end since the last call."""
        while self.entity.finished:
            transfer = self.entity.finished.popleft()
            self.transfers.append(transfer)
            yield transfer
