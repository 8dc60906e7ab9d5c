"""What the TOML files that people write have in common: how they are found and checked, and what is said of a fault."""

import tomllib
from datetime import UTC, datetime
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from flightsw.errors import ConfigError


def _utc(epoch: datetime) -> datetime:
    if epoch.tzinfo is None:
        raise ValueError("expected a time zone, as in 2026-03-20T12:00:00Z")
    return epoch.astimezone(UTC)


#: A moment with its time zone, kept in UTC.
Epoch = Annotated[datetime, AfterValidator(_utc)]


class Model(BaseModel):
    """A table of a file: unknown keys are refused, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


Table = TypeVar("Table", bound=Model)


def checked(model: type[Table], path: Path, table: dict[str, Any], **context: Any) -> Table:
    """A file's table as a model, whose validators see `context`. Raises ConfigError naming file and key."""
    try:
        return model.model_validate(table, context=context)
    except ValidationError as error:
        raise ConfigError(f"{path}: {first_problem(error)}") from None


def shipped_in(folder: Traversable) -> dict[str, str]:
    """Names of the TOML files in a folder of the package, each with its description."""
    found = {}
    for entry in sorted(folder.iterdir(), key=lambda e: e.name):
        if entry.name.endswith(".toml"):
            found[entry.name.removesuffix(".toml")] = str(tomllib.loads(entry.read_text())["description"])
    return found


def read_table(kind: str, name: str, folder: Traversable, those_shipped: str) -> tuple[Path, dict[str, Any]]:
    """Path and table of a file of that kind, by its path or by the name of one that is shipped in `folder`.

    `those_shipped` ends the message for a path with nothing there. Raises ConfigError for what is not there, cannot be
    read, or is no TOML.
    """
    path = Path(name)
    if not name.endswith(".toml") and not path.exists():
        known = shipped_in(folder)
        if name not in known:
            raise ConfigError(f"{kind} {name}: expected a TOML file or one of {', '.join(known)}; found neither")
        path = Path(str(folder.joinpath(f"{name}.toml")))
    try:
        return path, tomllib.loads(path.read_text())
    except FileNotFoundError:
        raise ConfigError(f"{path}: expected a {kind} file, found none; {those_shipped}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: expected a readable text file, found: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: expected TOML, found: {error}") from None


def first_problem(error: ValidationError) -> str:
    """The first of pydantic's findings as: key, what was expected, what was found."""
    problem = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in problem["loc"])
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    if problem["type"] == "extra_forbidden":
        return f"{key}: unknown key; remove it or mind its spelling{more}"
    if problem["type"] == "missing":
        return f"{key}: missing; add this key{more}"
    message = problem["msg"].removeprefix("Value error, ")
    found = "" if isinstance(problem["input"], dict) else f", found {problem['input']!r}"
    return f"{key + ': ' if key else ''}{message}{found}{more}"
