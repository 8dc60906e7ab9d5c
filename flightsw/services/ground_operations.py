"""What operators see of the ground link, and what they ask for over it: files, ephemerides, keys.

Keys and associations by command are a subset of the SDLS extended procedures, CCSDS 355.1-B-1, see
`flightsw.services.security`; here they are functions of service 8, so they are verified as every telecommand is. No
function turns security off.
"""

from collections.abc import Callable
from functools import wraps
from pathlib import Path

from flightsw.ccsds.security.association import AssociationState, Verdict
from flightsw.errors import BeamlockError, ConfigError
from flightsw.services.cfdp.entity import Entity, Transfer
from flightsw.services.declarations import ALL_MODES, CommandKind, Item
from flightsw.services.events import EventKind, Severity
from flightsw.services.keys import KeyState
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
_CHALLENGE = Item("challenge", "text", "", "16 octets that were not used before, as 32 hexadecimal digits")
_LEAST = Item("counter", "u4", "", "the next number to send, or the lowest that is accepted")
KEY_VERIFY = function(27, "KEY_VERIFY", "Answer a challenge to prove an active key", (_KEY, _CHALLENGE), ALL_MODES)
KEY_INVENTORY = function(28, "KEY_INVENTORY", "Report the state of each key", (), ALL_MODES)
ASSOCIATION_STATUS = function(29, "ASSOCIATION_STATUS", "Report where an association stands", (_SPI,), ALL_MODES)
ASSOCIATION_COUNTER = function(
    30, "ASSOCIATION_COUNTER", "Raise the counter of an association, never lower it", (_SPI, _LEAST), ALL_MODES
)
FUNCTIONS = (
    SEND_FILE,
    LOAD_EPHEMERIS,
    KEY_ACTIVATE,
    KEY_DEACTIVATE,
    ASSOCIATION_START,
    ASSOCIATION_STOP,
    ASSOCIATION_REKEY,
    KEY_VERIFY,
    KEY_INVENTORY,
    ASSOCIATION_STATUS,
    ASSOCIATION_COUNTER,
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
KEY_PROOF = EventKind(
    44, "KEY_PROOF", Severity.INFO, "key {key} answers {proof}", (_KEY, Item("proof", "text", "", "hexadecimal digits"))
)
KEY_STATE = EventKind(
    45,
    "KEY_STATE",
    Severity.INFO,
    "key {key}: {state}",
    (_KEY, Item("state", "u1", "", "state of the key", tuple(state.name for state in KeyState))),
)
ASSOCIATION_STATE = EventKind(
    46,
    "ASSOCIATION_STATE",
    Severity.INFO,
    "association {association}: {state}, key {key}, counter {counter}",
    (
        _SPI,
        Item("state", "u1", "", "state of the association", tuple(state.name for state in AssociationState)),
        Item("key", "text", "", "number of its key, or none"),
        Item("counter", "text", "", "next number to send, or lowest that is accepted, or none"),
    ),
)
EVENTS = (FRAMES_REFUSED, FILE_ARRIVED, FILE_SENT, FILE_FAILED, KEY_PROOF, KEY_STATE, ASSOCIATION_STATE)


def functions(
    files: Entity,
    load_ephemeris: Callable[[str], None],
    security: SecurityServices | None,
    tell: Callable[..., None],
) -> dict[CommandKind, Callable[..., None]]:
    """What to call for each function; those of security only where there is some. tell: kind and values of an event."""
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
            KEY_VERIFY: lambda key, challenge: tell(KEY_PROOF, key, proof(security, key, challenge)),
            KEY_INVENTORY: lambda: _tell_keys(security, tell),
            ASSOCIATION_STATUS: lambda spi: tell(ASSOCIATION_STATE, spi, *_standing(security, spi)),
            ASSOCIATION_COUNTER: security.set_anti_replay_counter,
        }
    return {kind: _refusing(call) for kind, call in table.items()}


def proof(security: SecurityServices, key: int, challenge: str) -> str:
    """Hexadecimal digits that prove a key, for a challenge of 32. Raises ConfigError as `verify_key` does."""
    try:
        octets = bytes.fromhex(challenge)
    except ValueError:
        raise ConfigError(f"challenge: expected 32 hexadecimal digits, found {challenge!r}") from None
    return security.verify_key(key, octets).hex()


def _tell_keys(security: SecurityServices, tell: Callable[..., None]) -> None:
    for key, state in security.key_inventory().items():
        tell(KEY_STATE, key, list(KeyState).index(state))


def _standing(security: SecurityServices, spi: int) -> tuple[int, str, str]:
    state, key, counter = security.status(spi)
    return state, "none" if key is None else str(key), "none" if counter is None else str(counter)


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
