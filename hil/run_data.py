"""A finished run as arrays: what telemetry, truth and events say, decoded from its record in bulk.

```
 record.mcap --> packets --> housekeeping, fine samples, events --+
            \\--> truth ------------------------------------------+--> RunData --> report, export
 events.jsonl --> what the world did; summary.json --> the figures-+
```

The record alone suffices: a run that was killed has no summary, and reads up to the cut.
"""

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flightsw.ccsds.coding.crc import crc16_rows
from flightsw.ccsds.space_packet import CRC_OCTETS
from flightsw.errors import ConfigError, FrameError
from flightsw.operations import MODE_CHANGE
from flightsw.pat.modes import Mode
from flightsw.services.declarations import SID_OCTETS
from flightsw.services.dictionary import EVENTS as EVENT_KINDS
from flightsw.services.dictionary import FINE_SAMPLES, HOUSEKEEPING, PacketKind
from flightsw.services.events import Event, Severity
from flightsw.services.pus import event_reporting
from flightsw.services.pus.packet import SERVICE_AT, TELEMETRY_DATA_AT, times_us
from hil.data_link import STRIP
from hil.kernel import TRUTH
from hil.lockstep import WORLD
from hil.recorder import is_complete, read
from hil.run import EVENTS, RECORD, SUMMARY
from hil.timeline import EARTH

_ITEMS_AT = TELEMETRY_DATA_AT + SID_OCTETS
_SEVERITIES = frozenset(Severity)
_OTHER_DICTIONARY = "the record is of another version of the dictionary: run it again"
_NO_SAMPLES = np.zeros(0, np.int64)


@dataclass(frozen=True)
class Series:
    """Samples at an even rate, in groups as they were recorded.

    start_us: int64 (groups,), time of the first sample of each group in microseconds since the epoch; rows: records
    (groups, samples per group). Groups are in order of time; where one is missing, time leaps.
    """

    start_us: NDArray[np.int64]
    rows: NDArray[np.void]
    rate_hz: int

    def __len__(self) -> int:
        return self.rows.size

    @property
    def values(self) -> NDArray[np.void]:
        """Records (samples,), oldest first."""
        return self.rows.reshape(-1)

    @cached_property
    def time_s(self) -> NDArray[np.float64]:
        """Time of each sample in s since the epoch, float64 (samples,)."""
        within = np.arange(self.rows.shape[1]) / self.rate_hz
        return (self.start_us[:, None] / 1e6 + within).reshape(-1)

    def at(self, start_us: NDArray[np.int64]) -> "Series":
        """The groups that begin at these times, each of which must be there."""
        if len(start_us) == len(self.start_us):
            return self
        return Series(start_us, self.rows[np.searchsorted(self.start_us, start_us)], self.rate_hz)


@dataclass(frozen=True, slots=True)
class Span:
    """A terminal in one mode, from `start_s` until before `end_s`."""

    mode: Mode
    start_s: float
    end_s: float

    @property
    def duration_s(self) -> float:
        """Length of the span in s."""
        return self.end_s - self.start_s


@dataclass(frozen=True)
class TerminalData:
    """What one terminal reported and what was true of it.

    housekeeping: records of the dictionary's items (packets,), SI units; samples: with the fields of
    `flightsw.hal.SAMPLE`; truth: of `hil.kernel.TRUTH`; modes: without a gap from 0 s to the end of the record.
    """

    name: str
    housekeeping_time_s: NDArray[np.float64]
    housekeeping: NDArray[np.void]
    samples: Series
    truth: Series
    events: tuple[Event, ...]
    modes: tuple[Span, ...]

    def spans(self, *modes: Mode) -> list[Span]:
        """The spans in these modes, in order of time."""
        return [span for span in self.modes if span.mode in modes]

    def in_step(self) -> tuple[Series, Series]:
        """Samples and truth of the same times: all of both, unless the record was cut or a packet was left out."""
        shared = np.intersect1d(self.samples.start_us, self.truth.start_us)
        return self.samples.at(shared), self.truth.at(shared)


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault of one terminal, as `hil.scenario.TimelineEntry` names them, or the Earth in between."""

    terminal: str
    name: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class RunData:
    """One run. `scenario` has the seed and the duration that were run; `summary` is None for a run that was killed.

    data: records of `hil.data_link.STRIP`, (frames of 10 ms,), none without a payload; cut: the record was not closed;
    end_s: the time up to which it reaches; notes: what a reader must know of it, a sentence each.
    """

    folder: Path
    scenario: dict[str, Any]
    terminals: tuple[TerminalData, ...]
    faults: tuple[Fault, ...]
    world_events: tuple[Event, ...]
    summary: dict[str, Any] | None
    data: NDArray[np.void]
    cut: bool
    end_s: float
    notes: tuple[str, ...]

    @property
    def rate_hz(self) -> int:
        """Samples of the fine loop per second."""
        return int(self.scenario["sample_rate_hz"])


def load(folder: Path) -> RunData:
    """Read a run folder.

    Raises ConfigError if there is no run in it, or if its record is damaged or was cut before the first second was
    written.
    """
    path = folder / RECORD
    if not path.exists():
        raise ConfigError(f"{folder}: expected the folder of a run with {RECORD}, found none; `beamlock run` makes one")
    payloads: dict[str, list[bytes]] = defaultdict(list)
    times_us: dict[str, list[int]] = defaultdict(list)
    for message in read(path):
        payloads[message.topic].append(message.data)
        times_us[message.topic].append(round(message.time_s * 1e6))
    cut = not is_complete(path)
    if not payloads["scenario"]:
        found = "a record that was cut before its first second" if cut else "a record of something else"
        raise ConfigError(f"{path}: expected the record of a run, found {found}; run it again")
    try:
        scenario = json.loads(payloads["scenario"][0])
        rate_hz = int(scenario["sample_rate_hz"])
    except (ValueError, KeyError, TypeError):
        raise ConfigError(f"{path}: expected a scenario in it as JSON, found something else; run it again") from None

    notes: list[str] = []
    parts = []
    for name in scenario["terminals"]:
        truth = _truth(payloads[f"{name}/truth"], times_us[f"{name}/truth"], rate_hz)
        parts.append((name, _telemetry(name, payloads[f"{name}/telemetry"], notes), truth))
    end_s = max((float(truth.time_s[-1]) + 1.0 / rate_hz for _, _, truth in parts if len(truth)), default=0.0)
    if cut:
        notes.insert(0, f"The record was cut: it reaches {end_s:.1f} s of the {scenario['duration_s']:g} s asked for.")
    summary = None if cut else _summary(folder / SUMMARY, scenario, end_s, notes)
    world_events = () if summary is None else _world_events(folder / EVENTS)
    return RunData(
        folder=folder,
        scenario=scenario,
        terminals=tuple(_terminal(name, packets, truth, rate_hz, end_s) for name, packets, truth in parts),
        faults=_faults(scenario, world_events, end_s),
        world_events=world_events,
        summary=summary,
        data=np.frombuffer(b"".join(payloads["data"]), STRIP),
        cut=cut,
        end_s=end_s,
        notes=tuple(notes),
    )


@dataclass(frozen=True, slots=True)
class _Packets:
    """Items of packets of one length: their places in the record (n,), times (n,) and octets (n, octets)."""

    place: NDArray[np.int64]
    time_us: NDArray[np.int64]
    octets: NDArray[np.uint8]


def _telemetry(terminal: str, packets: Sequence[bytes], notes: list[str]) -> dict[bytes, list[_Packets]]:
    """Packets by their form, then by length; those with a wrong checksum are left out and noted.

    A form is service, subtype and the number of the structure or the event.
    """
    alike: dict[tuple[bytes, int], list[int]] = defaultdict(list)
    for place, packet in enumerate(packets):
        form = packet[SERVICE_AT : SERVICE_AT + 2] + packet[TELEMETRY_DATA_AT:_ITEMS_AT]
        alike[form, len(packet)].append(place)
    found: dict[bytes, list[_Packets]] = defaultdict(list)
    wrong = 0
    for (form, length), places in alike.items():
        octets = np.frombuffer(b"".join([packets[place] for place in places]), np.uint8).reshape(-1, length)
        if length < TELEMETRY_DATA_AT + CRC_OCTETS:
            wrong += len(octets)
            continue
        right = crc16_rows(octets) == 0
        wrong += int(np.count_nonzero(~right))
        octets = octets[right]
        found[form].append(_Packets(np.array(places)[right], times_us(octets), octets[:, _ITEMS_AT:-CRC_OCTETS]))
    if wrong:
        notes.append(f"{wrong} of {len(packets)} packets of {terminal} have a wrong CRC-16 and were left out.")
    return found


def _terminal(
    name: str, packets: dict[bytes, list[_Packets]], truth: Series, rate_hz: int, end_s: float
) -> TerminalData:
    housekeeping_us, housekeeping = _records(packets, HOUSEKEEPING)
    samples_us, samples = _records(packets, FINE_SAMPLES)
    events = tuple(event for _, event in sorted(_events(packets), key=itemgetter(0)))
    return TerminalData(
        name=name,
        housekeeping_time_s=housekeeping_us / 1e6,
        housekeeping=housekeeping.reshape(-1),
        samples=Series(samples_us, samples, rate_hz),
        truth=truth,
        events=events,
        modes=_modes(events, end_s),
    )


def _records(packets: dict[bytes, list[_Packets]], kind: PacketKind) -> tuple[NDArray[np.int64], NDArray[np.void]]:
    """Times (packets,) and records (packets, groups) in native byte order of packets of one kind, which are all alike.

    Raises ConfigError for packets that the dictionary does not describe.
    """
    native = kind.dtype.newbyteorder("=")
    groups = packets.get(bytes([kind.service, kind.subtype]) + kind.head)
    if not groups:
        return _NO_SAMPLES, np.zeros((0, 0), native)
    lengths = [group.octets.shape[1] for group in groups]
    if len(lengths) > 1 or lengths[0] % kind.dtype.itemsize:
        found = " and ".join(str(length) for length in lengths)
        raise ConfigError(
            f"{kind.name} packets: expected one length, a multiple of {kind.dtype.itemsize} octets, found {found}; "
            + _OTHER_DICTIONARY
        )
    return groups[0].time_us, np.ascontiguousarray(groups[0].octets).view(kind.dtype).astype(native)


def _truth(payloads: Sequence[bytes], times_us: Sequence[int], rate_hz: int) -> Series:
    if not payloads:
        return Series(_NO_SAMPLES, np.zeros((0, 0), TRUTH), rate_hz)
    rows = np.frombuffer(b"".join(payloads), TRUTH.newbyteorder("<")).reshape(len(payloads), -1)
    return Series(np.array(times_us), rows.astype(TRUTH), rate_hz)


def _events(packets: dict[bytes, list[_Packets]]) -> Iterator[tuple[int, Event]]:
    """Events with their places in the record. Raises ConfigError for those that the dictionary does not describe."""
    kinds = {kind.number: kind for kind in EVENT_KINDS.values()}
    for form, groups in packets.items():
        service, subtype, number = form[0], form[1], int.from_bytes(form[2:], "big")
        if service != event_reporting.SERVICE or subtype not in _SEVERITIES:
            continue
        for group in groups:
            for place, time_us, octets in zip(group.place.tolist(), group.time_us.tolist(), group.octets, strict=True):
                try:
                    event = kinds[number].told(time_us / 1e6, octets.tobytes(), Severity(subtype))
                except (KeyError, FrameError) as error:
                    raise ConfigError(
                        f"event {number}: expected one of the dictionary, found: {error}; " + _OTHER_DICTIONARY
                    ) from None
                yield place, event


def _modes(events: Sequence[Event], end_s: float) -> tuple[Span, ...]:
    """Modes between the changes that the events report, from STANDBY at the epoch on to the end of the record.

    Events are written ahead of the second that they belong to: a record that was cut may hold some beyond its end.
    """
    changes = [(0.0, Mode.STANDBY)]
    for event in events:
        if event.name == MODE_CHANGE.name and event.time_s < end_s:
            _, target, _ = event.values
            changes.append((event.time_s, Mode(int(target))))
    ends = [*(time_s for time_s, _ in changes[1:]), end_s]
    return tuple(Span(mode, start_s, end) for (start_s, mode), end in zip(changes, ends, strict=True))


def _faults(scenario: dict[str, Any], world_events: Sequence[Event], end_s: float) -> tuple[Fault, ...]:
    """Faults of the timeline that began before the end, and times with the Earth in between, as the world reported."""
    faults: list[Fault] = []
    for entry in scenario["timeline"]:
        start_s = float(entry["at_s"])
        if entry["fault"] is not None and start_s < end_s:
            names = [entry["terminal"]] if entry["terminal"] is not None else list(scenario["terminals"])
            until_s = min(start_s + float(entry["duration_s"]), end_s)
            faults.extend(Fault(name, entry["fault"], start_s, until_s) for name in names)
    begun: dict[str, float] = {}
    for event in world_events:
        name, _, what = event.text.partition(": ")
        if what == f"{EARTH} begins":
            begun[name] = event.time_s
        elif what == f"{EARTH} ends":
            faults.append(Fault(name, EARTH, begun.pop(name), event.time_s))
    faults.extend(Fault(name, EARTH, start_s, end_s) for name, start_s in begun.items())
    return tuple(faults)


def _world_events(path: Path) -> tuple[Event, ...]:
    """What the simulator did, which no packet reports. Raises ConfigError for a line that is no event."""
    events = []
    try:
        for number, line in enumerate(path.read_text().splitlines(), 1):
            try:
                row = json.loads(line)
                if row["terminal"] == WORLD:
                    events.append(Event(row["time_s"], Severity[row["severity"]], row["name"], row["text"]))
            except (ValueError, KeyError, TypeError):
                raise ConfigError(f"{path}, line {number}: expected an event as JSON, found {line[:60]!r}") from None
    except OSError as error:
        raise ConfigError(f"{path}: expected the events of the run, found: {error.strerror}") from None
    return tuple(events)


def _summary(path: Path, scenario: dict[str, Any], end_s: float, notes: list[str]) -> dict[str, Any] | None:
    """The summary, if there is one and it is of this very run: a folder may hold that of an earlier one."""
    if not path.exists():
        notes.append(f"There is no {path.name}: the run did not come to its end.")
        return None
    try:
        summary: dict[str, Any] = json.loads(path.read_text())
        of_this_run = (
            summary["scenario"] == scenario["name"]
            and summary["seed"] == scenario["seed"]
            and abs(summary["performance"]["simulated_s"] - end_s) < 1.0
        )
    except (OSError, ValueError, KeyError, TypeError):
        raise ConfigError(
            f"{path}: expected the summary of a run as JSON, found something else; run it again"
        ) from None
    if not of_this_run:
        notes.append(f"{path.name} belongs to another run than the record and was left out.")
        return None
    return summary
