"""Keys and associations by command: a subset of the SDLS extended procedures, CCSDS 355.1-B-1, without a transport.

Key management: activation, deactivation, verification, inventory. Association management: start, stop, rekey, status,
set and read of the anti-replay counter. Over-the-air rekeying is left out: both ends get all keys before launch. Each
procedure is a method that a telecommand handler calls; what it did is on the disk when it returns, and a refusal is a
ConfigError in one line. No procedure makes an end take frames without a MAC.
"""

import hashlib
import hmac
import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from flightsw.ccsds.security.association import (
    Associations,
    AssociationSettings,
    AssociationState,
    Counter,
    SecurityAssociation,
)
from flightsw.ccsds.security.ciphers import MAC_OCTETS
from flightsw.errors import ConfigError
from flightsw.secret import Secret
from flightsw.services.keys import KeyState, KeyStore
from flightsw.services.two_copies import TwoCopies

CHALLENGE_OCTETS = 16
_VERIFICATION = b"beamlock key verification"


class AssociationStatus(NamedTuple):
    """State, key and next number of one association; None without a key."""

    state: AssociationState
    key_id: int | None
    counter: int | None


class SecurityServices:
    """The procedures of one end, over its key store and associations; `close` it.

    Attributes:
        associations: for FrameSecurity and TcSecurity.
    """

    def __init__(self, keys: KeyStore, settings: Sequence[AssociationSettings], path: Path) -> None:
        """Take up where the last run stopped; `path` is the file that keeps what was commanded.

        An association that no command has touched is operational if the key of its settings is active. Raises
        ConfigError if two associations have one key, if a key's counter is lost, or for a damaged file.
        """
        self.associations = Associations(settings)
        self._keys = keys
        self._file = TwoCopies(path, Secret(b"{}"))
        self._commanded: dict[str, tuple[int, bool]] = json.loads(self._file.contents.reveal())
        try:
            for association in self.associations:
                self._resume(association)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Give the keys' counters back, and let another process have the file."""
        for association in self.associations:
            if association.key_id is not None:
                self._keys.release(association.key_id)
        self._file.close()

    def activate_key(self, key_id: int) -> None:
        """Raises ConfigError unless the key is in pre-activation."""
        self._keys.activate(key_id)

    def deactivate_key(self, key_id: int) -> None:
        """Raises ConfigError unless the key is active and no association at work has it; those that are stopped
        lose it.
        """
        users = [each for each in self.associations if each.key_id == key_id]
        for each in users:
            if each.state is AssociationState.OPERATIONAL:
                raise ConfigError(
                    f"key {key_id}: expected that no association at work has it, found that {each.settings.spi} does: "
                    "stop that first"
                )
        self._keys.deactivate(key_id)
        for each in users:
            each.expire()
            self._keys.release(key_id)

    def verify_key(self, key_id: int, challenge: bytes) -> bytes:
        """Proof that this end has an active key, 16 octets, for a challenge of 16 octets that was not used before.

        HMAC-SHA256 under a key that is derived from the one to verify. The standard's baseline encrypts the challenge
        under the key itself, with a vector that the other end, sending with the same key, may use as well. Raises
        ConfigError for a key that is not active or a challenge of another length.
        """
        if len(challenge) != CHALLENGE_OCTETS:
            raise ConfigError(f"challenge: expected {CHALLENGE_OCTETS} octets, found {len(challenge)}")
        derived = hmac.digest(self._keys.octets(key_id).reveal(), _VERIFICATION, hashlib.sha256)
        return hmac.digest(derived, key_id.to_bytes(2, "big") + challenge, hashlib.sha256)[:MAC_OCTETS]

    def key_inventory(self) -> dict[int, KeyState]:
        """State of each key."""
        return self._keys.states

    def start(self, spi: int) -> None:
        """Raises ConfigError unless the association is keyed and stopped."""
        association = self.associations[spi]
        association.start()
        self._keep(association)

    def stop(self, spi: int) -> None:
        """Raises ConfigError unless the association is at work, and for the last one of a channel of telecommands."""
        association = self.associations[spi]
        if self._is_last_for_commands(association):
            raise ConfigError(
                f"association {spi}: expected another one at work for its telecommands, found this one alone: "
                "start another first"
            )
        association.stop()
        self._keep(association)

    def rekey(self, spi: int, key_id: int) -> None:
        """Give an association that is stopped another active key, whose counter goes on.

        Raises ConfigError for an association at work, a key that is not active or that another association has.
        """
        association = self.associations[spi]
        if association.state is AssociationState.OPERATIONAL:
            raise ConfigError(f"association {spi} to be rekeyed: expected it stopped, found it at work: stop it first")
        before = association.key_id
        self._key(association, key_id)
        if before is not None:
            self._keys.release(before)
        self._keep(association)

    def status(self, spi: int) -> AssociationStatus:
        """Where an association stands."""
        association = self.associations[spi]
        counter = association.counter
        return AssociationStatus(association.state, association.key_id, None if counter is None else counter.value)

    def read_anti_replay_counter(self, spi: int) -> int:
        """Next number to send, or lowest that is accepted. Raises ConfigError without a key."""
        return self._counter(spi).value

    def set_anti_replay_counter(self, spi: int, value: int) -> None:
        """Raise it, never lower it: a receiver would take old frames again, a sender use vectors twice.

        Raises ConfigError for a value that is lower or beyond the numbers that there are.
        """
        counter = self._counter(spi)
        most = 1 << 8 * self.associations[spi].settings.cipher.number_octets
        if not counter.value <= value < most:
            raise ConfigError(f"anti-replay counter of {spi}: expected {counter.value} to {most - 1}, found {value}")
        counter.raise_to(value)

    def _counter(self, spi: int) -> Counter:
        counter = self.associations[spi].counter
        if counter is None:
            raise ConfigError(f"association {spi}: expected it keyed, found it without a key: rekey it")
        return counter

    def _resume(self, association: SecurityAssociation) -> None:
        settings = association.settings
        key_id, operational = self._commanded.get(str(settings.spi), (settings.key_id, True))
        if self._keys.states.get(key_id) is not KeyState.ACTIVE:
            return
        self._key(association, key_id)
        if operational:
            association.start()

    def _key(self, association: SecurityAssociation, key_id: int) -> None:
        settings = association.settings
        counter = self._keys.counter(key_id, settings.kept_ahead)
        association.rekey(key_id, settings.cipher(settings.spi, self._keys.octets(key_id)), counter)

    def _keep(self, association: SecurityAssociation) -> None:
        assert association.key_id is not None, "what was started, stopped or rekeyed has a key"
        entry = (association.key_id, association.state is AssociationState.OPERATIONAL)
        self._commanded = {**self._commanded, str(association.settings.spi): entry}
        self._file.write(Secret(json.dumps(self._commanded, sort_keys=True).encode()))

    def _is_last_for_commands(self, association: SecurityAssociation) -> bool:
        """Whether no other association takes telecommand frames of its virtual channel."""
        settings = association.settings
        at_work = [
            each
            for each in self.associations
            if each.state is AssociationState.OPERATIONAL
            and (each.settings.kind, each.settings.direction) == ("tc", "receive")
            and each.settings.spacecraft_id == settings.spacecraft_id
            and each.settings.virtual_channels == settings.virtual_channels
        ]
        return at_work == [association]
