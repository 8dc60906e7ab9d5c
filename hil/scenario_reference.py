"""The reference of scenario keys, `docs/scenario.md` and `docs/mesh_scenario.md`, from the models that read them.

`python -m hil.scenario_reference` prints the one, `python -m hil.scenario_reference mesh` the other; tests keep the
files in step.
"""

import sys
import types
from enum import Enum
from typing import Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MultipleOf
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from hil.mesh_scenario import MeshScenario
from hil.scenario import Scenario

_INTRODUCTION = """# Scenario files

A scenario is a TOML file. What both terminals share stands below `[both]`; `[terminals.NAME]`, of which there are two,
adds to it or overrides it. The unit is part of each key's name. An unknown key, a missing one or a value out of range
is refused with its path. File names are taken from the folder of the scenario.

This page is written by `python -m hil.scenario_reference`.
"""
_OF_A_MESH = """# Scenario files of the mesh

What `beamlock mesh` reads: a TOML file, the unit in each key's name. An unknown key, a missing one or a value out of
range is refused with its path. File names are taken from the folder of the scenario.

This page is written by `python -m hil.scenario_reference mesh`.
"""
_LIMITS = {Gt: "> {gt}", Ge: ">= {ge}", Lt: "< {lt}", Le: "<= {le}", MultipleOf: "multiple of {multiple_of}"}


def markdown() -> str:
    """The page of scenarios of `beamlock run`."""
    return _page(_INTRODUCTION, Scenario)


def mesh_markdown() -> str:
    """The page of scenarios of `beamlock mesh`."""
    return _page(_OF_A_MESH, MeshScenario)


def _page(introduction: str, scenario: type[BaseModel]) -> str:
    tables: list[str] = []
    _describe(scenario, "", tables)
    return introduction + "\n" + "\n".join(tables)


def _describe(model: type[BaseModel], path: str, tables: list[str]) -> None:
    """Append the table of `model`, found at `path`, and those of the models within it."""
    rows, inner = [], []
    for name, field in model.model_fields.items():
        children = _models_in(field.annotation)
        inner += [(child, f"{path}{name}{suffix}") for child, suffix in children]
        if children and not (field.is_required() or field.description):
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


def _models_in(annotation: Any) -> list[tuple[type[BaseModel], str]]:
    """The models that an annotation holds, itself or as elements, each with what its path adds."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [(annotation, "")]
    suffix = {dict: ".NAME", list: "[]"}.get(get_origin(annotation), "")
    return [(found, suffix + more) for argument in get_args(annotation) for found, more in _models_in(argument)]


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
        return "[" + ", ".join("..." if argument is ... else _words(argument) for argument in arguments) + "]"
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
    sys.stdout.write(mesh_markdown() if sys.argv[1:] == ["mesh"] else markdown())
