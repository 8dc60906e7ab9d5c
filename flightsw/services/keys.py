"""The key store: 256-bit keys by number, each in one state of its life, in a file that only its owner may read.

```
 pre-activation --> active --> deactivated --> destroyed
```

A key works while it is active, and never again. Its counter begins with its activation, in a file beside the store.
Both ends get the same store with keys in pre-activation and activate them on their own; a store that is copied later
has no counters, and its active keys are refused: their numbers may have been used.
"""

import json
import os
from collections.abc import Iterable
from enum import Enum
from pathlib import Path
from typing import NamedTuple

from flightsw.ccsds.security.ciphers import KEY_OCTETS
from flightsw.errors import ConfigError
from flightsw.secret import Secret
from flightsw.services import two_copies
from flightsw.services.counters import Counter, Counters
from flightsw.services.two_copies import TwoCopies

LARGEST_KEY_ID = 65535


class KeyState(Enum):
    """CCSDS 354.0-M-1 and 355.1-B-1."""

    PRE_ACTIVATION = "pre-activation"
    ACTIVE = "active"
    DEACTIVATED = "deactivated"
    DESTROYED = "destroyed"


class _Key(NamedTuple):
    state: KeyState
    octets: Secret


def generate(path: Path, key_ids: Iterable[int]) -> None:
    """Make a store with fresh random keys.

    Raises ConfigError for numbers that are not 0 to 65535 or none at all, and for a store that is there already.
    """
    wanted = sorted(set(key_ids))
    if not wanted or not 0 <= wanted[0] <= wanted[-1] <= LARGEST_KEY_ID:
        raise ConfigError(f"key ids: expected some of 0 to {LARGEST_KEY_ID}, found {wanted or 'none'}")
    for each in (path, _counters_path(path)):
        if two_copies.exists(each):
            raise ConfigError(f"{each}: expected no file, found one: move the old store and its counters away")
    with TwoCopies(path, _dump({key_id: _Key(KeyState.PRE_ACTIVATION, _random()) for key_id in wanted})):
        pass


def inventory(path: Path) -> dict[int, KeyState]:
    """State of each key of a store, which may be in use. Raises ConfigError as `two_copies.read` does."""
    return {key_id: key.state for key_id, key in _parse(path, two_copies.read(path)).items()}


class KeyStore:
    """A store at work, which one process holds at a time; `close` it, or use it as a context manager."""

    def __init__(self, path: Path) -> None:
        """Open a store. Raises ConfigError if there is none, or it is damaged, not private or held by another."""
        self._path = path
        self._file = TwoCopies(path)
        try:
            self._keys = _parse(path, self._file.contents)
            self._counters = Counters(_counters_path(path))
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> "KeyStore":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let another process have it."""
        self._counters.close()
        self._file.close()

    @property
    def states(self) -> dict[int, KeyState]:
        """State of each key."""
        return {key_id: key.state for key_id, key in self._keys.items()}

    def activate(self, key_id: int) -> None:
        """Raises ConfigError unless the key is in pre-activation."""
        self._require(key_id, KeyState.PRE_ACTIVATION)
        # the counter first: an active key without one would be taken for a copied store
        self._counters.start(_name(key_id))
        self._set(key_id, KeyState.ACTIVE)

    def deactivate(self, key_id: int) -> None:
        """Raises ConfigError unless the key is active."""
        self._require(key_id, KeyState.ACTIVE)
        self._set(key_id, KeyState.DEACTIVATED)

    def destroy(self, key_id: int) -> None:
        """Overwrite a key with zeros in the store. Raises ConfigError for an active key, or one that is destroyed."""
        self._require(key_id, KeyState.PRE_ACTIVATION, KeyState.DEACTIVATED)
        self._set(key_id, KeyState.DESTROYED, Secret(bytes(KEY_OCTETS)))

    def octets(self, key_id: int) -> Secret:
        """An active key. Raises ConfigError for any other."""
        self._require(key_id, KeyState.ACTIVE)
        return self._keys[key_id].octets

    def counter(self, key_id: int, ahead: int) -> Counter:
        """The counter of an active key, for one user. Raises ConfigError if it has one, or if the counter is lost."""
        self._require(key_id, KeyState.ACTIVE)
        return self._counters.get(_name(key_id), ahead)

    def release(self, key_id: int) -> None:
        """Take the counter of a key back."""
        self._counters.release(_name(key_id))

    def _require(self, key_id: int, *states: KeyState) -> None:
        if key_id not in self._keys:
            raise ConfigError(f"{self._path}: expected a key of {_ranges(self._keys)}, found {key_id}")
        state = self._keys[key_id].state
        if state not in states:
            expected = " or ".join(each.value for each in states)
            raise ConfigError(f"{self._path}: expected key {key_id} in state {expected}, found {state.value}")

    def _set(self, key_id: int, state: KeyState, octets: Secret | None = None) -> None:
        keys = {**self._keys, key_id: _Key(state, octets or self._keys[key_id].octets)}
        self._file.write(_dump(keys))
        self._keys = keys


def _counters_path(path: Path) -> Path:
    return path.with_name(path.name + ".counters")


def _name(key_id: int) -> str:
    return f"key {key_id}"


def _ranges(keys: Iterable[int]) -> str:
    ids = sorted(keys)
    starts = [key_id for key_id in ids if key_id - 1 not in ids]
    ends = [key_id for key_id in ids if key_id + 1 not in ids]
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in zip(starts, ends, strict=True))


def _random() -> Secret:
    return Secret(os.urandom(KEY_OCTETS))


def _dump(keys: dict[int, _Key]) -> Secret:
    rows = {str(key_id): [key.state.value, key.octets.reveal().hex()] for key_id, key in sorted(keys.items())}
    return Secret(json.dumps(rows, indent=0).encode())


def _parse(path: Path, contents: Secret) -> dict[int, _Key]:
    keys = _read(contents)
    if keys is None:
        raise ConfigError(f"{path}: expected a key store, found another file of beamlock's")
    return keys


def _read(contents: Secret) -> dict[int, _Key] | None:
    # nothing is raised where the keys are in plain text
    try:
        return {
            int(key_id): _Key(KeyState(state), Secret(bytes.fromhex(octets)))
            for key_id, (state, octets) in json.loads(contents.reveal()).items()
        }
    except (ValueError, TypeError, AttributeError):
        return None
