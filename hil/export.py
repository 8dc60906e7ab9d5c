"""A run's record as tables: Parquet or CSV, one file a terminal and table, the unit in each column's name."""

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flightsw.errors import ConfigError
from flightsw.services.dictionary import FINE_SAMPLES, HOUSEKEEPING, PacketKind
from hil.run_data import Series, TerminalData, load

Columns = dict[str, NDArray[np.generic]]

_TRUTH_COLUMNS = {
    "error_x": "error_x_rad",
    "error_y": "error_y_rad",
    "transmit": "intensity_w_sr",
    "power_w": "power_w",
}


def export(folder: Path, out: Path, parquet: bool) -> list[Path]:
    """Write the tables of the run in `folder` to `out` and return their paths.

    Raises ConfigError for a folder without a run, a place that cannot be written, or Parquet without pyarrow.
    """
    run = load(folder)
    try:
        out.mkdir(parents=True, exist_ok=True)
        paths = []
        for terminal in run.terminals:
            for name, columns in _tables(terminal):
                path = out / f"{terminal.name}_{name}.{'parquet' if parquet else 'csv'}"
                (_write_parquet if parquet else _write_csv)(path, columns)
                paths.append(path)
    except OSError as error:
        raise ConfigError(f"{out}: expected a folder that can be written, found: {error.strerror}") from None
    return paths


def _tables(terminal: TerminalData) -> Iterator[tuple[str, Columns]]:
    yield "housekeeping", {"time_s": terminal.housekeeping_time_s, **_items(HOUSEKEEPING, terminal.housekeeping)}
    yield "fine_samples", {"time_s": terminal.samples.time_s, **_items(FINE_SAMPLES, terminal.samples.values)}
    yield "truth", {"time_s": terminal.truth.time_s, **_truth(terminal.truth)}
    events = terminal.events
    yield (
        "events",
        {
            "time_s": np.array([e.time_s for e in events], np.float64),
            "severity": np.array([e.severity.name for e in events], np.str_),
            "name": np.array([e.name for e in events], np.str_),
            "text": np.array([e.text for e in events], np.str_),
        },
    )


def _items(kind: PacketKind, rows: NDArray[np.void]) -> Columns:
    """Columns of a packet's items: states by name, units in the column's name where the item's has none."""
    columns: Columns = {}
    for item in kind.items:
        values = rows[item.name] if len(rows) else np.zeros(0, item.kind)
        if item.states:
            columns[item.name] = np.array(item.states)[values.astype(np.int64)]
            continue
        unit = "_" + item.unit.lower() if item.unit else ""
        columns[item.name if item.name.endswith(unit) else item.name + unit] = values
    return columns


def _truth(truth: Series) -> Columns:
    values = truth.values
    return {column: values[name] if len(values) else np.zeros(0, "f4") for name, column in _TRUTH_COLUMNS.items()}


def _write_csv(path: Path, columns: Columns) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*(column.tolist() for column in columns.values()), strict=True))


def _write_parquet(path: Path, columns: Columns) -> None:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise ConfigError(
            "export --parquet: expected the package pyarrow, found none; pip install 'beamlock[export]', or use --csv"
        ) from None
    arrays = {
        name: pyarrow.array(column.tolist() if column.dtype.kind == "U" else column) for name, column in columns.items()
    }
    parquet.write_table(pyarrow.table(arrays), path)
