"""The folder of a campaign: what it is, its finished batches, and in the end one table.

```
DIR/campaign.json            what the campaign is: `Campaign`
DIR/parts/NNNNNN.parquet     the rows of one finished batch each, until all are merged
DIR/campaign.parquet         the table, in run order; there once the campaign is complete
DIR/failed/RUN/              of each failed run: scenario.toml, which repeats it, and its run folder
DIR/campaign.lock            held by the process that is at work with the folder
```

The columns of the table, the unit in each name; null where a run has nothing to say:

| column | type | content |
| --- | --- | --- |
| `run`, `seed` | int64 | `beamlock run SCENARIO --seed SEED` repeats the run, with the varied values set |
| each varied key, as it was given | float64, int64, bool or string | grid first, then what is drawn |
| `goal_met` | bool | the summary's; of runs that end when they have acquired: they have |
| `error` | string | of a run that raised one: it has not acquired, and its other figures are null |
| `acquisition.acquired`, `.time_s`, `.attempts`, `.false_locks` | bool, float64, int64, int64 | from the summary |
| `tracking.NAME.residual_rms_urad.x`, `.y` | float64 | a pair of axes |
| `tracking.NAME.loop.tones.0.frequency_hz` | float64 | a row of a list, by its number |
| `link.budget.NAME.laser_power_dbm` | float64 | a row of the budget: its item and unit |
| `performance.simulated_s` | float64 | length of the run; wall times are left out |

and so on for every figure of `summary.json`, flattened with dots. A mode that a run never was in has no entry there,
and null here.
"""

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow
from pyarrow import parquet
from pydantic import ValidationError

from flightsw.errors import ConfigError
from hil.campaign_batch import Batch
from hil.campaign_plan import Campaign
from hil.configuration import first_problem

TABLE = "campaign.parquet"
_PLAN, _PARTS, _FAILED, _LOCK = "campaign.json", "parts", "failed", "campaign.lock"
#: Ends the name of what is not whole yet.
UNFINISHED = ".unfinished"
#: Parts that are held at a time: some thousand rows.
_PARTS_A_GROUP = 100


def read(folder: Path) -> Campaign:
    """What the campaign in a folder is. Raises ConfigError if there is none that can be read."""
    path = folder / _PLAN
    try:
        return Campaign.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"{path}: expected the folder of a campaign, found: {error.strerror}") from None
    except ValidationError as error:
        raise ConfigError(f"{path}: expected a campaign of this version of beamlock: {first_problem(error)}") from None


class CampaignStore:
    """The folder of one campaign while it is written. Whatever has its final name is whole."""

    def __init__(self, folder: Path, campaign: Campaign, resume: bool) -> None:
        """Make the folder of a new campaign or, with `resume`, open that of the same one.

        Raises ConfigError if the folder cannot be written, or holds a campaign that is another, or is not to go on.
        """
        self.folder = folder
        self._parts, self._table = folder / _PARTS, folder / TABLE
        plan = folder / _PLAN
        if plan.exists():
            _require_same(folder, read(folder), campaign, resume)
        with writing(folder):
            self._parts.mkdir(parents=True, exist_ok=True)
            for path in (*folder.glob(f"*{UNFINISHED}"), *self._parts.glob(f"*{UNFINISHED}")):
                path.unlink()
            if not plan.exists():
                self._write(plan, campaign.model_dump_json(indent=2).encode() + b"\n")

    @property
    def is_merged(self) -> bool:
        """Whether the table is there."""
        return self._table.exists()

    def done(self) -> dict[int, int]:
        """Runs that acquired, by finished batch."""
        return {int(path.stem): _acquired(path) for path in self._parts.glob("*.parquet")}

    def add(self, batch: Batch) -> None:
        """Keep a batch. Raises OSError if there is no room for it."""
        self._write(self._part(batch.index), batch.table)

    def merge(self, batches: int) -> None:
        """Make the table of the first `batches` batches. Never holds more than some thousand rows.

        Raises ConfigError if there is no room for it.
        """
        parts = [self._part(index) for index in range(batches)]
        schema = pyarrow.unify_schemas([parquet.read_schema(part) for part in parts], promote_options="permissive")
        head = pyarrow.schema([_typed(field) for field in schema]).empty_table()
        unfinished = self._table.with_name(TABLE + UNFINISHED)
        with writing(self.folder):
            with parquet.ParquetWriter(unfinished, head.schema, compression="zstd") as writer:
                for group in range(0, batches, _PARTS_A_GROUP):
                    tables = [parquet.read_table(part) for part in parts[group : group + _PARTS_A_GROUP]]
                    writer.write_table(pyarrow.concat_tables([head, *tables], promote_options="permissive"))
            unfinished.replace(self._table)

    def remove_parts(self) -> None:
        """Remove what is in the table already."""
        shutil.rmtree(self._parts, ignore_errors=True)

    def missed(self) -> list[int]:
        """The runs of the table that did not meet their goal."""
        table = parquet.read_table(self._table, columns=["run", "goal_met"])
        return [
            run for run, met in zip(*(table[name].to_pylist() for name in table.column_names), strict=True) if not met
        ]

    def failed_run(self, run: int) -> Path:
        """The folder of a failed run."""
        return self.folder / _FAILED / f"{run}"

    def _part(self, index: int) -> Path:
        return self._parts / f"{index:06}.parquet"

    def _write(self, path: Path, octets: bytes) -> None:
        unfinished = path.with_name(path.name + UNFINISHED)
        unfinished.write_bytes(octets)
        unfinished.replace(path)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """The folder of a campaign, made if need be, to oneself; a process that ends in any way lets go of it.

    Raises ConfigError if it cannot be made, or another process is at work with it.
    """
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / _LOCK).open("w")
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigError(
                f"{folder}: expected a folder that no other process is at work with, found a campaign under way in it; "
                f"wait for its end, or give another folder"
            ) from None
        yield


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """What is written to the folder of a campaign: raises ConfigError, with what to do, if it cannot be."""
    try:
        yield
    except OSError as error:
        raise ConfigError(
            f"{folder}: expected to be able to write, found: {error.strerror or error}; what is done is kept: "
            f"make room, and go on with --resume"
        ) from None


def _require_same(folder: Path, found: Campaign, wanted: Campaign, resume: bool) -> None:
    differing = [name for name in Campaign.model_fields if getattr(found, name) != getattr(wanted, name)]
    if differing:
        name = differing[0]
        values = "" if name == "scenario" else f": {getattr(found, name)}, and not {getattr(wanted, name)}"
        raise ConfigError(f"{folder}: expected this campaign, found one of another {name}{values}; give another folder")
    if not resume:
        raise ConfigError(f"{folder}: expected an empty folder, found this campaign begun; go on with --resume")


def _typed(field: pyarrow.Field) -> pyarrow.Field:
    """What no run had anything of is a number that none of them had, or an error."""
    if not pyarrow.types.is_null(field.type):
        return field
    return field.with_type(pyarrow.string() if field.name == "error" else pyarrow.float64())


def _acquired(part: Path) -> int:
    column = "acquisition.acquired"
    return sum(parquet.read_table(part, columns=[column])[column].to_pylist())
