"""The reference of scenario keys, `docs/scenario.md`, written from the models that read them.

`python -m hil.scenario_reference` prints it; a test keeps the file in step.
"""

import sys
import types
from enum import Enum
from typing import Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MultipleOf
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from hil.scenario import Scenario

_INTRODUCTION = """# Scenario files

A scenario is a TOML file. What both terminals share stands below `[both]`; `[terminals.NAME]`, of which there are two,
adds to it or overrides it. The unit is part of each key's name. An unknown key, a missing one or a value out of range
is refused with its path. File names are taken from the folder of the scenario.

This page is written by `python -m hil.scenario_reference`.
"""
_LIMITS = {Gt: "> {gt}", Ge: ">= {ge}", Lt: "< {lt}", Le: "<= {le}", MultipleOf: "multiple of {multiple_of}"}


def markdown() -> str:
    """The page."""
    tables: list[str] = []
    _describe(Scenario, "", tables)
    return _INTRODUCTION + "\n" + "\n".join(tables)


def _describe(model: type[BaseModel], path: str, tables: list[str]) -> None:
    """Append the table of `model`, found at `path`, and those of the models within it."""
    rows, inner = [], []
    for name, field in model.model_fields.items():
        child, suffix = _model_in(field.annotation)
        if child is not None:
            inner.append((child, f"{path}{name}{suffix}"))
            if not (field.is_required() or field.description):
                continue
        rows.append(f"| `{name}` | {_kind(field)} | {_default(field)} | {field.description or ''} |")
    heading = f"## `{path.removesuffix('.')}`" if path else "## The scenario"
    if rows:
        tables.append(
            f"{heading}\n\n{model.__doc__}\n\n| key | value | default | meaning |\n| --- | --- | --- | --- |\n"
            + "\n".join(rows)
            + "\n"
        )
    for child, place in inner:
        _describe(child, place + ".", tables)


def _model_in(annotation: Any) -> tuple[type[BaseModel] | None, str]:
    """The model that an annotation holds, itself or as an element, and what its path adds."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, ""
    suffix = {dict: ".NAME", list: "[]"}.get(get_origin(annotation), "")
    for argument in get_args(annotation):
        found, more = _model_in(argument)
        if found is not None:
            return found, suffix + more
    return None, ""


def _kind(field: FieldInfo) -> str:
    limits = [
        form.format(**{key: f"{getattr(limit, key):g}" for key in _names_of(limit)})
        for limit in field.metadata
        for kind, form in _LIMITS.items()
        if isinstance(limit, kind)
    ]
    return ", ".join([_words(field.annotation), *limits])


def _names_of(limit: Any) -> list[str]:
    """Names of the values of a limit."""
    return list(limit.__slots__) if hasattr(limit, "__slots__") else list(vars(limit))


def _words(annotation: Any) -> str:
    """An annotation in words."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " or ".join(f"`{argument}`" for argument in arguments)
    if origin in (Union, types.UnionType):
        return " or ".join(_words(argument) for argument in arguments if argument is not type(None))
    if origin is list:
        return f"list of {_words(arguments[0])}"
    if origin is tuple:
        return "[" + ", ".join(_words(argument) for argument in arguments) + "]"
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return " or ".join(f"`{getattr(member, 'label', member.value)}`" for member in annotation)
    if isinstance(annotation, type):
        names = {"float": "number", "int": "integer", "bool": "true or false", "str": "text", "Path": "file name"}
        return "table" if issubclass(annotation, BaseModel) else names.get(annotation.__name__, annotation.__name__)
    return "table"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if value is None:
        return "none"
    if isinstance(value, BaseModel):
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


if __name__ == "__main__":
    sys.stdout.write(markdown())
