"""What operators see of the ground link, and what they ask for over it: files, ephemerides, keys.

Keys and associations by command are a subset of the SDLS extended procedures, CCSDS 355.1-B-1, see
`flightsw.services.security`; here they are functions of service 8, so they are verified as every telecommand is. No
function turns security off.
"""

from collections.abc import Callable
from functools import wraps
from pathlib import Path

from flightsw.ccsds.security.association import Verdict
from flightsw.errors import BeamlockError
from flightsw.services.cfdp.entity import Entity, Transfer
from flightsw.services.declarations import ALL_MODES, CommandKind, Item
from flightsw.services.events import EventKind, Severity
from flightsw.services.pus.failure import CommandRefused, FailureCode
from flightsw.services.pus.functions import function
from flightsw.services.security import SecurityServices

_NAME = Item("name", "text", "", "of a file on board")
_KEY = Item("key", "u2", "", "number of a key")
_SPI = Item("association", "u2", "", "number of a security association")

SEND_FILE = function(20, "SEND_FILE", "Send a file to the ground, class 2", (_NAME,), ALL_MODES)
LOAD_EPHEMERIS = function(
    21, "LOAD_EPHEMERIS", "Point by the partner's ephemeris in a file, CCSDS OEM, from now on", (_NAME,), ALL_MODES
)
KEY_ACTIVATE = function(22, "KEY_ACTIVATE", "Let a key be used", (_KEY,), ALL_MODES)
KEY_DEACTIVATE = function(23, "KEY_DEACTIVATE", "Let a key be used no more, ever", (_KEY,), ALL_MODES)
ASSOCIATION_START = function(24, "ASSOCIATION_START", "Put an association that has a key to work", (_SPI,), ALL_MODES)
ASSOCIATION_STOP = function(
    25, "ASSOCIATION_STOP", "Stop an association, but the last one that takes telecommands", (_SPI,), ALL_MODES
)
ASSOCIATION_REKEY = function(
    26, "ASSOCIATION_REKEY", "Give a stopped association another active key", (_SPI, _KEY), ALL_MODES
)
FUNCTIONS = (
    SEND_FILE,
    LOAD_EPHEMERIS,
    KEY_ACTIVATE,
    KEY_DEACTIVATE,
    ASSOCIATION_START,
    ASSOCIATION_STOP,
    ASSOCIATION_REKEY,
)

FRAMES_REFUSED = EventKind(
    40,
    "FRAMES_REFUSED",
    Severity.MEDIUM,
    "{frames} telecommand frames were dropped: {reason}",
    (
        Item("frames", "u4", "", "how many since the last such event"),
        Item("reason", "u1", "", "what security found", tuple(verdict.name for verdict in Verdict)),
    ),
)
_FILE = Item("name", "text", "", "of the file")
FILE_ARRIVED = EventKind(41, "FILE_ARRIVED", Severity.INFO, "{name} is on board", (_FILE,))
FILE_SENT = EventKind(42, "FILE_SENT", Severity.INFO, "{name} is on the ground", (_FILE,))
FILE_FAILED = EventKind(
    43,
    "FILE_FAILED",
    Severity.LOW,
    "{name} did not get through: {condition}",
    (_FILE, Item("condition", "text", "", "condition of the transaction, as 727.0-B-5 names it")),
)
EVENTS = (FRAMES_REFUSED, FILE_ARRIVED, FILE_SENT, FILE_FAILED)


def functions(
    files: Entity, load_ephemeris: Callable[[str], None], security: SecurityServices | None
) -> dict[CommandKind, Callable[..., None]]:
    """What to call for each function; those of security only where there is some."""
    table: dict[CommandKind, Callable[..., object]] = {
        SEND_FILE: lambda name: files.put(Path(name), name),
        LOAD_EPHEMERIS: load_ephemeris,
    }
    if security is not None:
        table |= {
            KEY_ACTIVATE: security.activate_key,
            KEY_DEACTIVATE: security.deactivate_key,
            ASSOCIATION_START: security.start,
            ASSOCIATION_STOP: security.stop,
            ASSOCIATION_REKEY: security.rekey,
        }
    return {kind: _refusing(call) for kind, call in table.items()}


def told(transfer: Transfer) -> tuple[EventKind, str] | tuple[EventKind, str, str]:
    """The event of a transfer that is over, and its arguments."""
    if not transfer.complete:
        return FILE_FAILED, transfer.name, transfer.condition.name
    return (FILE_SENT if transfer.sent else FILE_ARRIVED), transfer.name


def _refusing(call: Callable[..., object]) -> Callable[..., None]:
    @wraps(call)
    def checked(*values: object) -> None:
        try:
            call(*values)
        except CommandRefused:
            raise
        except BeamlockError as error:
            raise CommandRefused(FailureCode.NOT_DONE, str(error)) from None

    return checked
