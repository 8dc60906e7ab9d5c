"""A run's record as tables: Parquet or CSV, one file a terminal and table, the unit in each column's name.

| table | a row is |
| --- | --- |
| `housekeeping` | one packet, with modes and roles by name |
| `fine_samples` | one sample of the fine loop, as the terminal measured and commanded it |
| `truth` | the same sample, as only the simulator knows it |
| `events` | one event; those of the world stand in a file of their own |

Parquet keeps the dictionary's meaning and unit in each column's metadata, and the scenario in that of the file.
"""

import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flightsw.errors import ConfigError
from flightsw.services.dictionary import FINE_SAMPLES, HOUSEKEEPING, Item, PacketKind
from flightsw.services.events import Event
from hil.lockstep import WORLD
from hil.run_data import RunData, TerminalData

_TIME = Item("time", "f8", "s", "since the epoch of the run")
_TRUTH = (
    Item("error_x", "f4", "rad", "true error of the receive axis, cross-elevation"),
    Item("error_y", "f4", "rad", "true error of the receive axis, elevation"),
    Item("transmit", "f4", "W/sr", "radiant intensity toward the partner"),
    Item("power_w", "f4", "W", "light in the aperture"),
)
_EVENT = (
    Item("severity", "", "", "as ECSS-E-ST-70-41C grades it"),
    Item("name", "", "", "what kind of event"),
    Item("text", "", "", "what happened"),
)
#: Rows of CSV that are put into text at a time.
_BLOCK = 4096


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table: what it is, and its values (rows,), numbers or texts."""

    item: Item
    values: NDArray[Any]

    @property
    def name(self) -> str:
        """The item's name, with its unit at the end."""
        unit = "_" + self.item.unit.lower().replace("/", "_")
        return self.item.name if len(unit) == 1 or self.item.name.endswith(unit) else self.item.name + unit


def export(run: RunData, out: Path, parquet: bool) -> list[Path]:
    """Write the tables of a run to `out`, as Parquet or else as CSV, and return their paths.

    Raises ConfigError for a place that cannot be written, or for Parquet without pyarrow.
    """
    if parquet:
        _require_pyarrow()
    paths = []
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, columns in _tables(run):
            path = out / f"{name}.{'parquet' if parquet else 'csv'}"
            if parquet:
                _write_parquet(path, columns, run.scenario)
            else:
                _write_csv(path, columns)
            paths.append(path)
    except OSError as error:
        raise ConfigError(f"{out}: expected a folder that can be written, found: {error.strerror}") from None
    return paths


def _require_pyarrow() -> None:
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        raise ConfigError(
            "export --parquet: expected the package pyarrow, found none; pip install 'beamlock[export]', or use --csv"
        ) from None


def _tables(run: RunData) -> Iterator[tuple[str, list[Column]]]:
    for terminal in run.terminals:
        for table, columns in _terminal_tables(terminal):
            yield f"{terminal.name}_{table}", columns
    if run.world_events:
        yield f"{WORLD}_events", _events(run.world_events)


def _terminal_tables(terminal: TerminalData) -> Iterator[tuple[str, list[Column]]]:
    yield "housekeeping", _packets(HOUSEKEEPING, terminal.housekeeping_time_s, terminal.housekeeping)
    yield "fine_samples", _packets(FINE_SAMPLES, terminal.samples.time_s, terminal.samples.values)
    truth = [Column(item, terminal.truth.values[item.name]) for item in _TRUTH]
    yield "truth", [Column(_TIME, terminal.truth.time_s), *truth]
    yield "events", _events(terminal.events)


def _packets(kind: PacketKind, time_s: NDArray[np.float64], rows: NDArray[np.void]) -> list[Column]:
    columns = [Column(_TIME, time_s)]
    for item in kind.items:
        values = rows[item.name]
        columns.append(Column(item, np.array(item.states)[values] if item.states else values))
    return columns


def _events(events: Sequence[Event]) -> list[Column]:
    texts = [[e.severity.name for e in events], [e.name for e in events], [e.text for e in events]]
    columns = [Column(item, np.array(column, np.str_)) for item, column in zip(_EVENT, texts, strict=True)]
    return [Column(_TIME, np.array([e.time_s for e in events], np.float64)), *columns]


def _write_csv(path: Path, columns: Sequence[Column]) -> None:
    rows = zip(*(column.values.tolist() for column in columns), strict=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(column.name for column in columns)
        if any(column.values.dtype.kind == "U" for column in columns):
            formats = [_format(column.values.dtype) for column in columns]
            writer.writerows([text % value for text, value in zip(formats, row, strict=True)] for row in rows)
            return
        # nothing needs quotes, and formatting each value alone takes twice as long
        line = ",".join(_format(column.values.dtype) for column in columns) + "\n"
        while block := list(islice(rows, _BLOCK)):
            file.write(line * len(block) % tuple(chain.from_iterable(block)))


def _format(dtype: np.dtype[Any]) -> str:
    """Digits enough to come back to the same float32, or to the microsecond of a day."""
    if dtype.kind != "f":
        return "%s"
    return "%.9g" if dtype.itemsize == 4 else "%.12g"


def _write_parquet(path: Path, columns: Sequence[Column], scenario: dict[str, Any]) -> None:
    import pyarrow
    from pyarrow import parquet

    arrays, fields = [], []
    for column in columns:
        if column.values.dtype.kind == "U":
            array = pyarrow.array(column.values.tolist(), pyarrow.string())
        else:
            array = pyarrow.array(np.ascontiguousarray(column.values))
        metadata = {"unit": column.item.unit, "meaning": column.item.meaning}
        arrays.append(array)
        fields.append(pyarrow.field(column.name, array.type, metadata=metadata))
    schema = pyarrow.schema(fields, metadata={"beamlock_scenario": json.dumps(scenario)})
    parquet.write_table(pyarrow.Table.from_arrays(arrays, schema=schema), path, compression="zstd")
