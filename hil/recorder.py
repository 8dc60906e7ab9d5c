"""The record of a run: raw CCSDS packets of both terminals, and the truth beside them, in one MCAP file.

| topic | content |
| --- | --- |
| `NAME/telemetry` | PUS packets, as `flightsw.services.dictionary` declares them |
| `NAME/truth` | a tenth of a second of `hil.kernel.TRUTH`, little-endian: what nobody measures |
| `NAME/KIND/traffic` | what went over the line of a device in 10 ms, as `hil.traffic` has it |
| `data` | a second of `hil.data_link.STRIP`, little-endian, in runs with a payload |
| `bench` | what devices are bound to, as JSON, once, where any is attached |
| `payload` | the file that is sent, once, where any device is attached |
| `scenario` | the scenario with the seed as JSON, once |

A chunk is a simulated second, and goes to the system when the second is over: what a killed process leaves behind ends
with a whole second, of telemetry, truth and the traffic of every device alike. Nothing of the wall clock goes into the
file, but for time tags in traffic: the same run gives the same octets.
"""

import io
import json
import os
import struct
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from mcap.exceptions import McapError
from mcap.reader import NonSeekingReader
from mcap.writer import CompressionType, Writer
from numpy.typing import NDArray

from flightsw.errors import ConfigError
from flightsw.hal import SAMPLE
from flightsw.operations import Status
from flightsw.services.dictionary import EVENTS, FINE_SAMPLES, HOUSEKEEPING, PacketKind
from flightsw.services.events import Event
from flightsw.services.pus.event_reporting import report
from flightsw.services.pus.packet import TelemetryCounter
from hil.kernel import TRUTH
from hil.protocol import Kind
from hil.traffic import Operation, decode

HOUSEKEEPING_HZ = 10
SCENARIO, BENCH, PAYLOAD = "scenario", "bench", "payload"
_LIBRARY = "beamlock"
_BIG_ENDIAN_SAMPLE = SAMPLE.newbyteorder(">")
_MAGIC = b"\x89MCAP0\r\n"
#: MCAP's footer: opcode 2 and the length of what follows, two offsets and a checksum; then the magic closes the file.
_FOOTER = struct.pack("<BQ", 2, 20)
_ENDING_OCTETS = len(_FOOTER) + 20 + len(_MAGIC)


class Recorder:
    """Writes one run. Use it as a context manager: leaving it closes the file."""

    def __init__(self, path: Path, terminals: Sequence[str], scenario_json: bytes, sample_rate_hz: int) -> None:
        self._file = path.open("wb")
        self._writer = Writer(self._file, chunk_size=sys.maxsize, compression=CompressionType.NONE)
        self._writer.start(profile="", library=_LIBRARY)
        packet = self._writer.register_schema("ccsds_space_packet", "", b"")
        truth = self._writer.register_schema("beamlock_truth", "", str(TRUTH.descr).encode())
        scenario = self._writer.register_channel(SCENARIO, "json", 0)
        self._telemetry = [self._writer.register_channel(f"{t}/telemetry", "ccsds", packet) for t in terminals]
        self._truth = [self._writer.register_channel(f"{t}/truth", "raw", truth) for t in terminals]
        self._data = self._writer.register_channel("data", "raw", 0)
        self._traffic: dict[str, int] = {}
        self._counters = [TelemetryCounter() for _ in terminals]
        self._housekeeping: list[list[tuple[Any, ...]]] = [[] for _ in terminals]
        self._times_us: list[int] = []
        self._group = sample_rate_hz // HOUSEKEEPING_HZ
        self._writer.add_message(scenario, 0, scenario_json, 0)

    def __enter__(self) -> "Recorder":
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.finish()
        self._file.close()

    def housekeeping(self, now_s: float, statuses: Sequence[Status]) -> None:
        """Keep the state of all terminals at `now_s`, to be written with the second that it belongs to."""
        self._times_us.append(round(now_s * 1e6))
        for rows, status in zip(self._housekeeping, statuses, strict=True):
            rows.append(tuple(getattr(status, item.name) for item in HOUSEKEEPING.items))

    def events(self, terminal: int, events: Sequence[Event]) -> None:
        """Write events of one terminal."""
        for event in events:
            time_us = round(event.time_s * 1e6)
            packet = self._counters[terminal].packet(report(EVENTS[event.name], event), time_us)
            self._writer.add_message(self._telemetry[terminal], time_us * 1000, packet, time_us * 1000)

    def second(self, end_s: float, samples: NDArray[np.void], truth: NDArray[np.void]) -> None:
        """Write what was kept, and the samples up to `end_s`: SAMPLE and TRUTH, both (terminals, samples).

        The samples come in whole tenths of a second.
        """
        groups = samples.shape[1] // self._group
        starts_us = np.round((end_s - (groups - np.arange(groups)) / HOUSEKEEPING_HZ) * 1e6).astype(np.int64)
        for i, rows in enumerate(self._housekeeping):
            if rows:
                packed = np.array(rows, HOUSEKEEPING.dtype)
                octets = packed.view(np.uint8).reshape(len(rows), -1)
                self._write(i, HOUSEKEEPING, np.array(self._times_us), octets)
            rows.clear()
            packed = samples[i].astype(_BIG_ENDIAN_SAMPLE).view(np.uint8).reshape(groups, -1)
            self._write(i, FINE_SAMPLES, starts_us, packed)
            raw = truth[i].view(np.uint8).reshape(groups, -1)
            for time_us, row in zip(starts_us.tolist(), raw, strict=True):
                self._writer.add_message(self._truth[i], time_us * 1000, row.tobytes(), time_us * 1000)
        self._times_us.clear()
        self._writer.flush()

    def bench(self, about: Mapping[str, Any], payload: bytes) -> None:
        """Write what a replay has to know of the bench, and what is sent through its encoders."""
        for topic, encoding, octets in ((BENCH, "json", json.dumps(about).encode()), (PAYLOAD, "raw", payload)):
            self._writer.add_message(self._writer.register_channel(topic, encoding, 0), 0, octets, 0)

    def traffic(self, now_s: float, terminal: str, kind: Kind, octets: bytes) -> None:
        """Write what went over a device's line up to `now_s`."""
        topic = traffic_topic(terminal, kind)
        channel = self._traffic.get(topic)
        if channel is None:
            channel = self._traffic[topic] = self._writer.register_channel(topic, "beamlock_traffic", 0)
        time_ns = round(now_s * 1e9)
        self._writer.add_message(channel, time_ns, octets, time_ns)

    def data(self, end_s: float, strip: NDArray[np.void]) -> None:
        """Write what became of the data's frames in the second up to `end_s`: records of `hil.data_link.STRIP`."""
        time_ns = round(end_s * 1e9)
        self._writer.add_message(self._data, time_ns, strip.tobytes(), time_ns)

    def _write(self, terminal: int, kind: PacketKind, times_us: NDArray[np.int64], rows: NDArray[np.uint8]) -> None:
        number = np.broadcast_to(np.frombuffer(kind.head, np.uint8), (len(rows), len(kind.head)))
        packets = self._counters[terminal].packets(kind.service, kind.subtype, times_us, np.hstack([number, rows]))
        channel = self._telemetry[terminal]
        for time_us, packet in zip(times_us.tolist(), packets, strict=True):
            self._writer.add_message(channel, time_us * 1000, packet.tobytes(), time_us * 1000)


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a record: its topic, its time in s, its octets."""

    topic: str
    time_s: float
    data: bytes


def read(path: Path) -> Iterator[Message]:
    """Messages of a record in the order of writing; a record that was cut ends with its last whole chunk.

    Raises ConfigError for a file that is not a record, is damaged, or cannot be read.
    """
    try:
        with _Record(path) as file:
            head = file.read(len(_MAGIC))
            if not _MAGIC.startswith(head):
                raise ConfigError(f"{path}: expected an MCAP record, found a file that begins with {head!r}")
            file.seek(0)
            for _, channel, message in NonSeekingReader(file).iter_messages(log_time_order=False):
                yield Message(channel.topic, message.log_time * 1e-9, message.data)
    except FileNotFoundError:
        raise ConfigError(f"{path}: expected the record of a run, found no file") from None
    except OSError as error:
        raise ConfigError(f"{path}: expected a readable record, found: {error.strerror}") from None
    except (McapError, struct.error, ValueError, OverflowError):
        # the reader meets the end of a cut file anywhere, within a length as readily as behind it; what was closed
        # as it should be has no such end
        if is_complete(path):
            raise ConfigError(
                f"{path}: expected a whole record, found one that is damaged: take another copy, or run it again"
            ) from None


class _Record(io.BufferedReader):
    """A file for MCAP's reader, which takes every length in it for true, and would have room made for it."""

    def __init__(self, path: Path) -> None:
        super().__init__(io.FileIO(path))
        self._size = path.stat().st_size

    def read(self, size: int | None = -1) -> bytes:
        """At most what the file has."""
        return super().read(self._size if size is None else min(size, self._size))


def traffic_topic(terminal: str, kind: Kind) -> str:
    """Topic of a device's traffic."""
    return f"{terminal}/{kind.label}/traffic"


def recorded(path: Path, terminal: str, kind: Kind) -> list[Operation]:
    """What went over the line of a device, operation by operation.

    Raises ConfigError for a file that is no record, or has nothing of that device.
    """
    wanted = traffic_topic(terminal, kind)
    log = bytearray()
    others = set()
    for message in read(path):
        if message.topic == wanted:
            log += message.data
        elif message.topic.endswith("/traffic"):
            others.add(message.topic.removesuffix("/traffic").replace("/", "."))
    if not log:
        raise ConfigError(
            f"{path}: expected traffic of {terminal}.{kind.label}, found that of {', '.join(sorted(others)) or 'none'}"
        )
    return decode(bytes(log))


def is_complete(path: Path) -> bool:
    """Whether a record was closed as it should be, and not cut: it ends in MCAP's footer and closing magic.

    Raises ConfigError for a file that cannot be read.
    """
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(size - _ENDING_OCTETS, 0))
            ending = file.read()
    except OSError as error:
        raise ConfigError(f"{path}: expected a readable record, found: {error.strerror}") from None
    return len(ending) == _ENDING_OCTETS and ending.startswith(_FOOTER) and ending.endswith(_MAGIC)
