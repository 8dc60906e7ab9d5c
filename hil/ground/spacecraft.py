"""A terminal's spacecraft as the ground sees it: what it keeps over a restart, and its link through a port.

```
FOLDER/parameters, schedule, transactions, associations    each in two copies
FOLDER/files/                                               files that were sent up, and those that can be sent down
FOLDER/files/telemetry.packets                              the recording: every telemetry packet since the start
```
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from flightsw.ccsds.security.association import AssociationState, Verdict
from flightsw.errors import ConfigError
from flightsw.hal import FRAME_RATE_HZ
from flightsw.navigation.ephemeris import OemEphemeris
from flightsw.operations import PARAMETERS
from flightsw.secret import Secret
from flightsw.services import ground_operations
from flightsw.services.cfdp.entity import Entity
from flightsw.services.cfdp.filestore import FolderFilestore
from flightsw.services.cfdp.handlers import Timing
from flightsw.services.commanding import Commanding
from flightsw.services.counters import Counters
from flightsw.services.declarations import Value
from flightsw.services.events import EventKind
from flightsw.services.ground_channel import KEYS, SEGMENT_OCTETS, WAYS, GroundChannel
from flightsw.services.ground_link import GroundLink
from flightsw.services.keys import KeyStore
from flightsw.services.parameters import NOTHING, Parameters
from flightsw.services.pus.schedule import EMPTY
from flightsw.services.security import SecurityServices
from flightsw.services.two_copies import TwoCopies
from flightsw.terminal import Terminal
from hil.ground.port import PortAddress
from hil.scenario import Scenario

#: Entity of the ground in transfers of files; a spacecraft's is its identifier.
GROUND_ENTITY = 0
FILE_TIMING = Timing(answer_s=2.0, limit=30, inactivity_s=120.0)
RECORDING = "telemetry.packets"
_FILES = "files"


@dataclass(frozen=True, slots=True)
class GroundSettings:
    """How the spacecraft of a run are reached.

    address: of the first one's port, those of further ones follow. keys: the key store of both spacecraft, none for
    links in the clear. kind: of the frames down.
    """

    address: PortAddress
    keys: Path | None = None
    kind: Literal["aos", "tm"] = "aos"


class Memory:
    """What one spacecraft keeps, and its port. Use it as a context manager.

    Attributes:
        name: of its terminal.
        address, port: where the ground connects.
        parameters: those that survive a restart among them.
        schedule: the file of the schedule.
        files: the entity that transfers files, with the folder of all files.
        security: keys and associations, or None for a link in the clear.
    """

    def __init__(self, folder: Path, channel: GroundChannel, keys: KeyStore | None, address: PortAddress) -> None:
        """Open or make the folder, and open the port.

        Raises ConfigError for what is damaged, held by another run, or lacks its keys, DeviceAccess for the port.
        """
        self.name = folder.name
        self.folder = folder
        self.channel = channel
        self.address = address
        try:
            (folder / _FILES).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"{folder}: expected a folder that can be made, found: {error.strerror}") from None
        with ExitStack() as stack:
            self.port = address.open()
            stack.callback(self.port.close)
            kept = stack.enter_context(TwoCopies(folder / "parameters", NOTHING))
            self.parameters = Parameters(PARAMETERS, kept)
            self.schedule = stack.enter_context(TwoCopies(folder / "schedule", Secret(EMPTY)))
            transactions = Counters(folder / "transactions")
            stack.callback(transactions.close)
            transactions.start(_FILES)
            self._transactions = transactions.get(_FILES, 0)
            self.files = Entity(
                channel.spacecraft_id,
                GROUND_ENTITY,
                FolderFilestore(folder / _FILES),
                FILE_TIMING,
                self._transactions.value,
                SEGMENT_OCTETS,
            )
            self.security = (
                None if keys is None else open_security(channel, keys, folder / "associations", on_board=True)
            )
            if self.security is not None:
                stack.callback(self.security.close)
            self._stack = stack.pop_all()

    def __enter__(self) -> "Memory":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def keep_transactions(self) -> None:
        """Keep the number of the next file: none may be used again."""
        if self.files.next_transaction > self._transactions.value:
            self._transactions.raise_to(self.files.next_transaction)


@contextmanager
def remembered(settings: GroundSettings, scenario: Scenario, folder: Path) -> Iterator[list[Memory]]:
    """What the spacecraft of a scenario keep in the run's folder, a folder each. Raises as `Memory` does."""
    with ExitStack() as stack:
        keys = None if settings.keys is None else stack.enter_context(KeyStore(settings.keys))
        yield [
            stack.enter_context(
                Memory(folder / name, channel_of(scenario, i, settings.kind), keys, settings.address.following(i))
            )
            for i, name in enumerate(scenario.terminals)
        ]


def channel_of(scenario: Scenario, i: int, kind: Literal["aos", "tm"] = "aos") -> GroundChannel:
    """Channel of a scenario's `i`-th terminal, from 0."""
    spacecraft_id = list(scenario.terminals.values())[i].flight.spacecraft_id
    return GroundChannel(spacecraft_id, kind, first_key=1 + KEYS * i)


class Spacecraft:
    """One terminal on its ground link. Use it as a context manager.

    Attributes:
        name: of the terminal.
        about: where it is reached, and how.
        link: its end of the link.
    """

    def __init__(self, terminal: Terminal, memory: Memory, epoch: datetime) -> None:
        """`epoch`: of the terminal's time, for ephemerides."""
        self.name = memory.name
        channel = memory.channel
        secured = (
            "in the clear" if memory.security is None else f"keys {channel.first_key} to {channel.first_key + KEYS - 1}"
        )
        self.about = f"{self.name}: {memory.address}, spacecraft {channel.spacecraft_id}, {channel.kind}, {secured}"
        self._terminal = terminal
        self._memory = memory
        self._port = memory.port
        self._epoch = epoch
        functions = ground_operations.functions(memory.files, self._load_ephemeris, memory.security, self._tell)
        commanding = Commanding(terminal, memory.schedule, 0.0, functions)
        self.link = GroundLink(memory.channel, terminal, commanding, memory.files, memory.security)
        self._files = memory.folder / _FILES
        # what was recorded before a restart is gone with it: sequence counts begin anew
        self._recording = (self._files / RECORDING).open("wb")
        self._frames = 0
        self._now_s = 0.0

    def __enter__(self) -> "Spacecraft":
        return self

    def __exit__(self, *_: object) -> None:
        self._recording.close()

    def frame(self, now_s: float) -> None:
        """Once a frame, after the terminal's and before its events are taken away."""
        self._now_s = now_s
        self.link.receive(self._port.receive(), now_s)
        try:
            self._memory.keep_transactions()
        except ConfigError:
            self._terminal.miss_storage()
        self._port.send(self.link.frames(now_s))
        try:
            self._record()
        except OSError:
            self._terminal.miss_storage()

    def _record(self) -> None:
        for packet in self.link.telemetry:
            self._recording.write(packet)
        self._frames += 1
        if self._frames % FRAME_RATE_HZ == 0:
            self._recording.flush()

    def summary(self) -> dict[str, Any]:
        """What came up the line, and what became of it."""
        refused = {each.name.lower(): n for each, n in self.link.verdicts.items() if n and each is not Verdict.ACCEPTED}
        return {**self.link.counts._asdict(), "refused": refused, "frames_not_taken": self._port.dropped}

    def _tell(self, kind: EventKind, *values: Value) -> None:
        self._terminal.tell(self._now_s, kind, *values)

    def _load_ephemeris(self, name: str) -> None:
        try:
            path = FolderFilestore(self._files).path(name)
        except OSError as error:
            raise ConfigError(f"{name}: expected a file on board, found: {error.strerror}") from None
        self._terminal.load_ephemeris(OemEphemeris.read(path, self._epoch), self._now_s)


def open_security(channel: GroundChannel, keys: KeyStore, path: Path, on_board: bool) -> SecurityServices:
    """Keys and associations of one end. Raises ConfigError unless each way has an association at work."""
    security = SecurityServices(keys, channel.associations(on_board), path)
    working = {
        (each.settings.spi - channel.first_key) % WAYS
        for each in security.associations
        if each.state is AssociationState.OPERATIONAL
    }
    if len(working) < WAYS:
        security.close()
        first, last = channel.first_key, channel.first_key + WAYS - 1
        raise ConfigError(
            f"ground link of spacecraft {channel.spacecraft_id}: expected keys {first} to {last} active, found "
            f"{len(working)} of {WAYS} associations at work: `beamlock keys activate FILE {first}-{last}` at each end"
        )
    return security
