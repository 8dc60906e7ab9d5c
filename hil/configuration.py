"""What the TOML files that people write have in common: how their tables are checked, and what is said of a fault."""

from pydantic import BaseModel, ConfigDict, ValidationError


class Model(BaseModel):
    """A table of a file: unknown keys are refused, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


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
