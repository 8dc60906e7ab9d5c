"""Speed of the security of frames beside the bare algorithm over the same octets."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import numpy as np
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from flightsw.ccsds.aos_frame import AosFormat
from flightsw.ccsds.security.association import AssociationSettings
from flightsw.ccsds.security.frames import FrameSecurity
from flightsw.services import keys
from flightsw.services.keys import KeyStore
from flightsw.services.security import SecurityServices
from hil.benchmark import Figure

_FRAME_OCTETS = 1115
#: As many as a link of 1 Gb/s has in a flight software frame of 10 ms.
_FRAMES = 1121
_REPEATS = 40
_WANTED_GBPS = 1.0


def figures() -> Iterator[Figure]:
    """Measure, and yield one figure after the other."""
    with TemporaryDirectory() as folder:
        yield from _protected(Path(folder))


def _protected(folder: Path) -> Iterator[Figure]:
    outer = AosFormat(_FRAME_OCTETS, spacecraft_id=7)
    (folder / "receiver").mkdir()
    keys.generate(folder / "keys", [1])
    (folder / "receiver" / "keys").touch(mode=0o600)
    (folder / "receiver" / "keys").write_bytes((folder / "keys").read_bytes())
    with _End(folder, "send") as sender, _End(folder / "receiver", "receive") as receiver:
        apply, process = FrameSecurity(outer, sender.associations), FrameSecurity(outer, receiver.associations)
        inner = apply.inner
        zones = np.random.default_rng(1).integers(0, 256, (_FRAMES, inner.zone_octets), dtype=np.uint8)
        frames = inner.build(zones, 1, np.arange(_FRAMES), 0)
        # header and MAC are no plain text
        text = [row[6:].tobytes() for row in frames]
        aead = AESGCM(os.urandom(32))
        vectors = iter(range(1 << 60))

        def bare() -> object:
            return [aead.encrypt(next(vectors).to_bytes(12, "big"), each, b"header of frame") for each in text]

        sealed = [aead.encrypt(n.to_bytes(12, "big"), each, b"") for n, each in enumerate(text, 1 << 61)]

        def bare_back() -> object:
            return [aead.decrypt(n.to_bytes(12, "big"), each, b"") for n, each in enumerate(sealed, 1 << 61)]

        yield _figure("protected", lambda: apply.apply(frames), bare)
        fresh = [apply.apply(frames) for _ in range(_REPEATS)]
        yield _figure("checked and opened", lambda: process.process(fresh.pop(0)), bare_back)


class _End:
    """One end with an association of its own."""

    def __init__(self, folder: Path, direction: Literal["send", "receive"]) -> None:
        self._store = KeyStore(folder / "keys")
        self._store.activate(1)
        settings = AssociationSettings(
            spi=1,
            direction=direction,
            suite="AES-256-GCM",
            kind="aos",
            spacecraft_id=7,
            virtual_channels=(1,),
            key_id=1,
        )
        self._services = SecurityServices(self._store, [settings], folder / "associations")
        self.associations = self._services.associations

    def __enter__(self) -> "_End":
        return self

    def __exit__(self, *_: object) -> None:
        self._services.close()
        self._store.close()


def _figure(what: str, ours: Callable[[], object], peer: Callable[[], object]) -> Figure:
    # turn by turn, so that whatever else the machine does meets both
    seconds, peer_seconds = zip(*((_timed(ours), _timed(peer)) for _ in range(_REPEATS)), strict=True)
    speed, limit = (_FRAMES * _FRAME_OCTETS * 8e-9 / float(np.median(each)) for each in (seconds, peer_seconds))
    return Figure(
        f"AOS frames of {_FRAME_OCTETS} octets {what}: AES-256-GCM, numbers kept, CRC-16; one core",
        f"{speed:.2f} Gb/s",
        f">= {_WANTED_GBPS:g} Gb/s",
        speed >= _WANTED_GBPS,
        f"AESGCM of the package cryptography over the same plain text, frame by frame, {limit:.2f} Gb/s",
        speed / limit,
    )


def _timed(action: Callable[[], object]) -> float:
    # of this process: what one core can do, whatever else it is busy with
    begin = time.process_time()
    action()
    return time.process_time() - begin
