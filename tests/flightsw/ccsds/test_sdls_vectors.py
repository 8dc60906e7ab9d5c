"""AES-256-GCM and AES-256-CMAC of protected data fields against the vectors that NIST printed.

The vectors' associated data is not that of a frame. GHASH is linear, so a MAC over other associated data follows from
the printed one; the GHASH here is this file's own.
"""

from pathlib import Path

import cryptography_vectors
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB

from flightsw.ccsds.security.ciphers import Cmac, Gcm
from flightsw.secret import Secret

_FOLDER = Path(cryptography_vectors.__file__).parent
SPI = 0x1234
PREFIX = bytes.fromhex("0001FC")


def _vectors(name, separator):
    """Blocks of `name separator value` lines, and under "section" the last bracketed settings."""
    section, blocks = {}, []
    for line in (_FOLDER / name).read_text().splitlines():
        line = line.strip()
        if line.startswith("["):
            key, _, value = line.strip("[]").partition(" = ")
            section[key] = int(value)
        elif line.upper().startswith("COUNT"):
            blocks.append({"section": dict(section)})
        elif line == "FAIL":
            blocks[-1]["FAIL"] = True
        elif line and not line.startswith("#"):
            key, _, value = line.partition(separator)
            blocks[-1][key.strip()] = bytes.fromhex(value.strip())
    return blocks


def _gcm_vectors(name, pick):
    """Some of each length, with the vector and MAC lengths of a frame."""
    found = [v for v in _vectors(name, "=") if v["section"]["IVlen"] == 96 and v["section"]["Taglen"] == 128]
    assert len(found) > 300
    return found[::pick]


def _ghash(key, associated, cipher_text):
    subkey = int.from_bytes(Cipher(AES(key), ECB()).encryptor().update(bytes(16)), "big")
    blocks = b"".join(part + bytes(-len(part) % 16) for part in (associated, cipher_text))
    blocks += (8 * len(associated)).to_bytes(8, "big") + (8 * len(cipher_text)).to_bytes(8, "big")
    state = 0
    for at in range(0, len(blocks), 16):
        state ^= int.from_bytes(blocks[at : at + 16], "big")
        product, shifted = 0, subkey
        for bit in range(127, -1, -1):
            product ^= shifted * (state >> bit & 1)
            shifted = shifted >> 1 ^ (0xE1 << 120) * (shifted & 1)
        state = product
    return state.to_bytes(16, "big")


def _mac_in_a_frame(vector):
    frame = _ghash(vector["Key"], PREFIX + SPI.to_bytes(2, "big") + bytes(12), vector["CT"])
    printed = _ghash(vector["Key"], vector["AAD"], vector["CT"])
    return bytes(a ^ b ^ c for a, b, c in zip(vector["Tag"], frame, printed, strict=True))


@pytest.mark.parametrize("vector", _gcm_vectors("ciphers/AES/GCM/gcmEncryptExtIV256.rsp", 5))
def test_gcm_encrypts_as_printed(vector):
    sealed = Gcm(SPI, Secret(vector["Key"])).seal(int.from_bytes(vector["IV"], "big"), PREFIX, vector["PT"])
    assert sealed == SPI.to_bytes(2, "big") + vector["IV"] + vector["CT"] + _mac_in_a_frame(vector)


@pytest.mark.parametrize("vector", _gcm_vectors("ciphers/AES/GCM/gcmDecrypt256.rsp", 5))
def test_gcm_decrypts_and_refuses_as_printed(vector):
    protected = SPI.to_bytes(2, "big") + vector["IV"] + vector["CT"] + _mac_in_a_frame(vector)
    cipher = Gcm(SPI, Secret(vector["Key"]))
    assert cipher.open(PREFIX, protected) == (None if "FAIL" in vector else vector["PT"])
    assert cipher.number(protected) == int.from_bytes(vector["IV"], "big")


@pytest.mark.parametrize("vector", [v for v in _vectors("CMAC/nist-800-38b-aes256.txt", "=") if len(v["MESSAGE"]) >= 8])
@pytest.mark.parametrize("prefix_octets", [0, 2])
def test_cmac_is_as_printed(vector, prefix_octets):
    """Prefix, SPI, sequence number and data are one message."""
    message, at = vector["MESSAGE"], prefix_octets
    cipher = Cmac(int.from_bytes(message[at : at + 2], "big"), Secret(vector["KEY"]))
    sealed = cipher.seal(int.from_bytes(message[at + 2 : at + 6], "big"), message[:at], message[at + 6 :])
    assert sealed == message[at:] + vector["OUTPUT"]
    assert cipher.open(message[:at], sealed) == message[at + 6 :]
    assert cipher.open(message[:at], sealed[:-1] + bytes([sealed[-1] ^ 1])) is None
