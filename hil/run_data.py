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
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flightsw.ccsds.coding.crc import crc16_rows
from flightsw.ccsds.space_packet import CRC_OCTETS, HEADER_OCTETS, OVERHEAD, TIME_OCTETS
from flightsw.errors import ConfigError
from flightsw.hal import SAMPLE
from flightsw.pat.modes import Mode
from flightsw.services.dictionary import EVENT, FINE_SAMPLES, HOUSEKEEPING
from flightsw.services.events import Event, Severity
from hil.kernel import TRUTH
from hil.lockstep import WORLD
from hil.recorder import is_complete, read
from hil.run import EVENTS, RECORD, SUMMARY

_USER_DATA = HEADER_OCTETS + TIME_OCTETS
_APID_BITS = 0x07FF
_ARROW = " -> "


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
        return (self.start_us[:, None] * 1e-6 + within).reshape(-1)

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

    housekeeping: records of the dictionary's items (packets,), SI units; samples: of `flightsw.hal.SAMPLE`; truth: of
    `hil.kernel.TRUTH`; modes: without a gap from 0 s to the end of the record.
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


@dataclass(frozen=True)
class RunData:
    """One run. `scenario` has the seed and the duration that were run; `summary` is None for a run that was killed.

    end_s: the time up to which the record reaches; notes: what a reader must know of the record, a sentence each.
    """

    folder: Path
    scenario: dict[str, Any]
    terminals: tuple[TerminalData, ...]
    world_events: tuple[Event, ...]
    summary: dict[str, Any] | None
    cut: bool
    end_s: float
    notes: tuple[str, ...]

    @property
    def rate_hz(self) -> int:
        """Samples of the fine loop per second."""
        return int(self.scenario["sample_rate_hz"])


def load(folder: Path) -> RunData:
    """Read a run folder.

    Raises ConfigError if there is no run in it, or if its record was cut before the first second was written.
    """
    if not folder.is_dir():
        raise ConfigError(f"{folder}: expected the folder of a run, found none; `beamlock run SCENARIO` makes one")
    path = folder / RECORD
    if not path.exists():
        raise ConfigError(f"{folder}: expected {RECORD} of a run, found none; `beamlock run SCENARIO` makes one")
    payloads: dict[str, list[bytes]] = defaultdict(list)
    times_us: dict[str, list[int]] = defaultdict(list)
    for message in read(path):
        payloads[message.topic].append(message.data)
        times_us[message.topic].append(round(message.time_s * 1e6))
    cut = not is_complete(path)
    if not payloads["scenario"]:
        what = "a record cut before its first second was written" if cut else "none"
        raise ConfigError(f"{path}: expected a scenario in the record, found {what}; run it again")
    scenario = json.loads(payloads["scenario"][0])
    rate_hz = int(scenario["sample_rate_hz"])

    notes: list[str] = []
    read_terminals = [
        _Packets(name, payloads[f"{name}/telemetry"], notes).terminal(
            payloads[f"{name}/truth"], times_us[f"{name}/truth"], rate_hz
        )
        for name in scenario["terminals"]
    ]
    end_s = max((float(t.samples.time_s[-1]) + 1.0 / rate_hz for t in read_terminals if len(t.samples)), default=0.0)
    if cut:
        notes.insert(0, f"The record was cut: it ends at {end_s:.1f} s of {scenario['duration_s']:g} s.")
    return RunData(
        folder=folder,
        scenario=scenario,
        terminals=tuple(_with_modes(terminal, end_s) for terminal in read_terminals),
        world_events=_world_events(folder / EVENTS),
        summary=_summary(folder / SUMMARY),
        cut=cut,
        end_s=end_s,
        notes=tuple(notes),
    )
