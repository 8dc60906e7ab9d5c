"""Tables of a mesh as Parquet files, the unit in each column's name; acquisition times out of those of a campaign."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flightsw.errors import ConfigError
from sim.network.crosslinks import Cause
from sim.network.record import GAP_CAUSES, STATES, MeshRecord

_TIME = "acquisition.time_s"


def require_pyarrow() -> None:
    """Raise ConfigError unless Parquet files can be written and read."""
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        raise ConfigError("mesh: expected the package pyarrow, found none; pip install 'beamlock[export]'") from None


def write_tables(record: MeshRecord, folder: Path) -> None:
    """Write the tables of a mesh to `folder`. Raises OSError if it cannot be written."""
    network = record.network
    pairs = pair_names(record)
    delays: dict[str, Any] = {"time_s": record.t_s}
    _write(folder / "delays.parquet", delays | {f"{name}_s": record.delay_s[:, p] for p, name in enumerate(pairs)})
    steps, flows = len(record.t_s), len(network.flows)
    series = {name: getattr(record.flows, name).ravel() for name in record.flows.__slots__}
    times = {"time_s": np.repeat(record.t_s, flows), "flow": np.tile(np.array(network.flows, object), steps)}
    _write(folder / "flows.parquet", times | series)
    ends = {end: _named(network.satellites, network.crosslinks[:, i]) for i, end in enumerate("ab")}
    _write(folder / "crosslinks.parquet", ends | {"availability": record.availability})
    events = record.events
    _write(
        folder / "crosslink_events.parquet",
        {
            "time_s": events["time_s"],
            **{end: names[events["crosslink"]] for end, names in ends.items()},
            "before": _named(STATES, events["before"]),
            "after": _named(STATES, events["after"]),
            "cause": _named([cause.name.lower() for cause in Cause], events["cause"]),
        },
    )
    gaps = np.concatenate((record.gaps, record.flow_gaps))
    of = np.concatenate((_named(pairs, record.gaps["of"]), _named(network.flows, record.flow_gaps["of"])))
    is_flow = np.arange(len(gaps)) >= len(record.gaps)
    columns = {"of": of, "is_flow": is_flow, "start_s": gaps["start_s"], "length_s": gaps["length_s"]}
    _write(folder / "gaps.parquet", columns | {"cause": _named(GAP_CAUSES, gaps["cause"]), "over": gaps["over"]})


def pair_names(record: MeshRecord) -> list[str]:
    """The pairs of gateways, as in "London - Singapore"."""
    ground = record.network.ground
    return [f"{ground[a]} - {ground[b]}" for a, b in record.network.pairs]


def read_acquisition_times(path: Path) -> NDArray[np.float64]:
    """Acquisition times in s (runs,) of a campaign's table; inf for a run that did not acquire.

    Raises ConfigError for a file that is no such table.
    """
    require_pyarrow()
    import pyarrow
    from pyarrow import parquet

    try:
        table = parquet.read_table(path, columns=[_TIME])
    except (OSError, pyarrow.ArrowException) as error:
        # of a file that is not there pyarrow says its name alone
        reason = str(error).splitlines()[0] if path.exists() else "no file"
        raise ConfigError(
            f"{path}: expected the campaign.parquet of a campaign, found: {reason}; "
            "make one by `beamlock campaign`, or take measured or zero"
        ) from None
    times: NDArray[np.float64] = table[_TIME].cast(pyarrow.float64()).fill_null(np.inf).to_numpy()
    return times


def _named(names: Any, index: NDArray[Any]) -> NDArray[Any]:
    named: NDArray[Any] = np.array(names, object)[index]
    return named


def _write(path: Path, columns: dict[str, Any]) -> None:
    from pyarrow import parquet, table

    parquet.write_table(table(columns), path, compression="zstd")
