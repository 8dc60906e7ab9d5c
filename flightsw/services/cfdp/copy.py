"""The file of one transfer, as cfdp-py's handlers want to see a filestore."""

import zlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import numpy as np
from cfdppy.filestore import NativeFilestore
from spacepackets.cfdp import ChecksumType, FilestoreResponseStatusCode

from flightsw.services.cfdp.filestore import Filestore

_CHUNK_OCTETS = 1 << 20


class Rejection(Exception):
    """The filestore refused. cfdp-py lets some kinds of OSError pass in silence, so it gets to see none."""


def modular_checksum(octets: bytes, before: int = 0) -> int:
    """Sum of the 32-bit words of a file, modulo 2^32 (727.0-B-5, 4.2.2); `before` covers whole words."""
    words = np.frombuffer(octets.ljust(-(-len(octets) // 4) * 4, b"\0"), ">u4")
    return (before + int(words.sum(dtype=np.uint64))) & 0xFFFFFFFF


CHECKSUMS: dict[ChecksumType, Callable[[bytes, int], int]] = {
    ChecksumType.NULL_CHECKSUM: lambda octets, before: 0,
    ChecksumType.MODULAR: modular_checksum,
    ChecksumType.CRC_32: zlib.crc32,
}


class FileCopy(NativeFilestore):
    """One file that is read to be sent, or written as it arrives. Every operation may raise Rejection."""

    def __init__(self, filestore: Filestore, file: BinaryIO | None = None) -> None:
        super().__init__()
        self._filestore = filestore
        self._file = file
        self._name = ""

    def is_directory(self, path: Path) -> bool:
        """No name of a transfer is that of a folder."""
        return False

    def file_exists(self, path: Path) -> bool:
        """There is a file from the start to send one, and none to receive one."""
        return self._file is not None

    def create_file(self, file: Path) -> FilestoreResponseStatusCode:
        """Begin to receive the file of that name."""
        self._name = str(file)
        try:
            self._file = self._filestore.create(self._name)
        except OSError as error:
            raise Rejection(error.strerror) from None
        return FilestoreResponseStatusCode.CREATE_SUCCESS

    def file_size(self, file: Path) -> int:
        """Octets of the file."""
        return self._opened().seek(0, 2)

    def read_data(self, file: Path, offset: int | None, read_len: int | None = None) -> bytes:
        """Octets from `offset` on."""
        try:
            opened = self._opened()
            opened.seek(offset or 0)
            return opened.read(-1 if read_len is None else read_len)
        except OSError as error:
            raise Rejection(error.strerror) from None

    def write_data(self, file: Path, data: bytes, offset: int | None) -> None:
        """Put octets at `offset`."""
        try:
            opened = self._opened()
            opened.seek(offset or 0)
            opened.write(data)
        except OSError as error:
            raise Rejection(error.strerror) from None

    def calculate_checksum(
        self, checksum_type: ChecksumType, file_path: Path, size_to_verify: int, segment_len: int = 0
    ) -> bytes:
        """Checksum of the first octets of the file, of one of the types in `CHECKSUMS`."""
        add, checksum, left = CHECKSUMS[checksum_type], 0, size_to_verify
        try:
            opened = self._opened()
            opened.seek(0)
            while left > 0 and (chunk := opened.read(min(left, _CHUNK_OCTETS))):
                checksum = add(chunk, checksum)
                left -= len(chunk)
        except OSError as error:
            raise Rejection(error.strerror) from None
        return checksum.to_bytes(4, "big")

    def close(self) -> None:
        """Let go of a file that was sent."""
        self._opened().close()

    def settle(self, whole: bool) -> None:
        """Keep what was received if it is whole, else discard it."""
        file, self._file = self._file, None
        if file is None:
            return
        try:
            (self._filestore.keep if whole else self._filestore.discard)(self._name, file)
        except OSError as error:
            if whole:
                raise Rejection(error.strerror) from None

    def _opened(self) -> BinaryIO:
        if self._file is None:
            raise Rejection("no file")
        return self._file
