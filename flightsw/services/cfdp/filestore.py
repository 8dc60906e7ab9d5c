"""Where the files of transfers come from and go to: a folder that no name leads out of, or memory.

What arrives is kept apart until it is whole. Every operation raises OSError where it fails.
"""

import errno
import os
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Protocol

_PART = ".part"


class Filestore(Protocol):
    """Files by name. `create` opens one that arrives; it is there under its name once `keep` returns."""

    def source(self, name: str) -> BinaryIO:
        """The file, to be read."""

    def create(self, name: str) -> BinaryIO:
        """An empty file, to be written and read."""

    def keep(self, name: str, file: BinaryIO) -> None:
        """Close what `create` opened, and put it in the place of what has that name."""

    def discard(self, name: str, file: BinaryIO) -> None:
        """Close what `create` opened, and forget it."""


class FolderFilestore:
    """The files in a folder. A name is a path relative to it, through folders that are there already."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()

    def source(self, name: str) -> BinaryIO:
        """The file, to be read."""
        return self.path(name).open("rb")

    def create(self, name: str) -> BinaryIO:
        """An empty file beside the place that the name says."""
        part = _part(self.path(name))
        part.unlink(missing_ok=True)
        return part.open("x+b")

    def keep(self, name: str, file: BinaryIO) -> None:
        """Write what is left to the disk, and rename: after a loss of power there is the old file or the new one."""
        place = self.path(name)
        with file:
            file.flush()
            os.fsync(file.fileno())
        _part(place).replace(place)

    def discard(self, name: str, file: BinaryIO) -> None:
        """Remove what arrived."""
        # a full disk may refuse what is still to be written, which nobody wants any more
        with suppress(OSError):
            file.close()
        _part(self.path(name)).unlink(missing_ok=True)

    def path(self, name: str) -> Path:
        """Where the file of that name is. Raises OSError for a name that leads out of the folder, or to a folder."""
        if "\0" in name:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
        # links are followed, and may lead out as well
        place = Path(os.path.realpath(self._folder / name))
        if not place.is_relative_to(self._folder):
            raise PermissionError(errno.EACCES, "a name that leads out of the filestore", name)
        if place == self._folder or place.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), name)
        return place


class MemoryFilestore:
    """Files that are gone with the process.

    Attributes:
        files: what is there, by name.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def source(self, name: str) -> BinaryIO:
        """The file, to be read."""
        if name not in self.files:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
        return BytesIO(self.files[name])

    def create(self, name: str) -> BinaryIO:
        """An empty file that has no name yet."""
        return BytesIO()

    def keep(self, name: str, file: BinaryIO) -> None:
        """Give the file its name."""
        file.seek(0)
        self.files[name] = file.read()

    def discard(self, name: str, file: BinaryIO) -> None:
        """Forget the file."""
        file.close()


def _part(place: Path) -> Path:
    return place.with_name(place.name + _PART)
