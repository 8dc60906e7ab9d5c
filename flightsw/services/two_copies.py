"""Small files that outlive a loss of power: two copies with a checksum, each replaced as a whole, private to the owner.

```
 beamlock GENERATION SHA-256\n contents
```

A write returns when both copies are on the disk. Whatever moment the power goes, one copy is whole, and it holds what
was written last or the time before; damage to one copy later takes nothing away either. Who may write holds a lock.
Contents are secrets, as some files have keys.
"""

import fcntl
import hashlib
import os
import stat
from pathlib import Path
from typing import NamedTuple

from flightsw.errors import ConfigError
from flightsw.secret import Secret

_MAGIC = b"beamlock"
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class _Copy(NamedTuple):
    generation: int
    contents: Secret


def read(path: Path) -> Secret:
    """The newest whole contents.

    Raises ConfigError if there are none, and for a file that others than its owner may read or write.
    """
    return _newest(path).contents


class TwoCopies:
    """The right to write one such file; `close` it, or use it as a context manager."""

    def __init__(self, path: Path, initial: Secret | None = None) -> None:
        """Open a file, or with `initial` contents make it where there is none.

        Raises ConfigError as `read` does, and if the file is held by another process or cannot be written.
        """
        self.path = path
        self._lock = _locked(path)
        try:
            self._generation = 0
            if initial is not None and not exists(path):
                self.write(initial)
            newest = _newest(path)
            self._generation, self.contents = newest
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "TwoCopies":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let others write."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def write(self, contents: Secret) -> None:
        """Replace the contents; they are on the disk, twice, when this returns. Raises ConfigError if that fails."""
        generation = self._generation + 1
        head = b"%s %d %s\n" % (_MAGIC, generation, _checksum(generation, contents))
        try:
            for copy in _copies(self.path):
                _replace(copy, head, contents)
        except OSError as error:
            raise ConfigError(f"{self.path}: expected that it can be written, found: {error.strerror}") from None
        self._generation = generation
        self.contents = contents


def exists(path: Path) -> bool:
    """Whether there is any copy, whole or not."""
    return any(copy.exists() for copy in _copies(path))


def _copies(path: Path) -> tuple[Path, Path]:
    return path, path.with_name(path.name + ".copy")


def _newest(path: Path) -> _Copy:
    good = [copy for copy in map(_load, _copies(path)) if copy is not None]
    if not good:
        found = "two damaged copies" if exists(path) else "none"
        raise ConfigError(f"{path}: expected a file of beamlock's, found {found}")
    return max(good, key=lambda copy: copy.generation)


def _load(path: Path) -> _Copy | None:
    """One copy; None where it is missing or damaged."""
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if status.st_mode & _OTHERS or status.st_uid != os.geteuid():
                raise ConfigError(
                    f"{path}: expected a file that only its owner may read, this user; found mode "
                    f"{stat.S_IMODE(status.st_mode):04o} and user {status.st_uid}: chmod 600 {path}"
                )
            head = file.readline()
            contents = Secret(file.read())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(f"{path}: expected a file that can be read, found: {error.strerror}") from None
    words = head.rstrip(b"\n").split(b" ")
    if len(words) != 3 or words[0] != _MAGIC or not words[1].isdigit():
        return None
    generation = int(words[1])
    return _Copy(generation, contents) if words[2] == _checksum(generation, contents) else None


def _checksum(generation: int, contents: Secret) -> bytes:
    return hashlib.sha256(b"%d\n" % generation + contents.reveal()).hexdigest().encode()


def _replace(path: Path, head: bytes, contents: Secret) -> None:
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    rest = memoryview(head + contents.reveal())
    try:
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    fresh.replace(path)
    # without this, the name may still lead to the old file after a loss of power
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _locked(path: Path) -> int:
    lock = path.with_name(path.name + ".lock")
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigError(f"{lock}: expected that it can be written, found: {error.strerror}") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise ConfigError(
            f"{path}: expected a free file, found another process at work with it: end that one"
        ) from None
    return descriptor
