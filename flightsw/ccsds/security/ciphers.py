"""The two algorithms of the baseline modes, CCSDS 355.0-B-2 annex E, with 256-bit keys and a 128-bit MAC.

| suite | service | security header | numbers |
| --- | --- | --- | --- |
| AES-256-GCM (E1, E3, E4) | authenticated encryption | SPI, 96-bit initialization vector | the vector itself |
| AES-256-CMAC (E2) | authentication | SPI, 32-bit sequence number | the sequence number |

A vector is a counter, as 4.1.1.4.2 allows, so it is the sequence number as well. Of the octets ahead of the data, the
bits that the authentication bit mask keeps are authenticated (4.2.3.4 d); the vector is not one of them (4.2.2.6.2 h),
as the algorithm depends on it by itself. Encryption alone is not offered: whoever can flip bits on the line could flip
those of the plain text.
"""

import hmac
from typing import ClassVar, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.cmac import CMAC

from flightsw.secret import Secret

KEY_OCTETS = 32
MAC_OCTETS = 16
SPI_OCTETS = 2


class Cipher(Protocol):
    """One algorithm with one key, for one security association.

    A protected data field is security header, data and MAC. `prefix` is what lies ahead of it, masked.
    """

    number_octets: ClassVar[int]

    def __init__(self, spi: int, key: Secret) -> None: ...

    def seal(self, number: int, prefix: bytes, data: bytes) -> bytes:
        """The protected data field."""
        ...

    def number(self, protected: bytes) -> int:
        """The number in a security header; a protected data field has at least its header."""
        ...

    def open(self, prefix: bytes, protected: bytes) -> bytes | None:
        """The data; None where the MAC is wrong."""
        ...


class Gcm:
    """AES-256-GCM, NIST SP 800-38D."""

    number_octets: ClassVar[int] = 12

    def __init__(self, spi: int, key: Secret) -> None:
        self._spi = spi.to_bytes(SPI_OCTETS, "big")
        self._masked_header = self._spi + bytes(self.number_octets)
        self._aead = AESGCM(key.reveal())

    def seal(self, number: int, prefix: bytes, data: bytes) -> bytes:
        """Header, cipher text and MAC."""
        vector = number.to_bytes(12, "big")
        return self._spi + vector + self._aead.encrypt(vector, data, prefix + self._masked_header)

    def number(self, protected: bytes) -> int:
        """The initialization vector."""
        return int.from_bytes(protected[2:14], "big")

    def open(self, prefix: bytes, protected: bytes) -> bytes | None:
        """The plain text; None where the MAC is wrong."""
        try:
            return self._aead.decrypt(protected[2:14], protected[14:], prefix + self._masked_header)
        except InvalidTag:
            return None


class Cmac:
    """AES-256-CMAC, NIST SP 800-38B."""

    number_octets: ClassVar[int] = 4

    def __init__(self, spi: int, key: Secret) -> None:
        self._spi = spi.to_bytes(SPI_OCTETS, "big")
        self._cmac = CMAC(AES(key.reveal()))

    def seal(self, number: int, prefix: bytes, data: bytes) -> bytes:
        """Header, data and MAC."""
        authentic = self._spi + number.to_bytes(self.number_octets, "big") + data
        return authentic + self._mac(prefix, authentic)

    def number(self, protected: bytes) -> int:
        """The sequence number."""
        return int.from_bytes(protected[2:6], "big")

    def open(self, prefix: bytes, protected: bytes) -> bytes | None:
        """The data; None where the MAC is wrong."""
        authentic, mac = protected[:-MAC_OCTETS], protected[-MAC_OCTETS:]
        return authentic[6:] if hmac.compare_digest(self._mac(prefix, authentic), mac) else None

    def _mac(self, prefix: bytes, authentic: bytes) -> bytes:
        cmac = self._cmac.copy()
        cmac.update(prefix + authentic)
        return cmac.finalize()


SUITES: dict[str, type[Cipher]] = {"AES-256-GCM": Gcm, "AES-256-CMAC": Cmac}
