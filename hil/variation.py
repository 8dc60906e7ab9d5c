"""What differs between the runs of a campaign: keys of the scenario, and the values that they take.

A key is a path of docs/scenario.md: `sample_rate_hz`, `terminals.alpha.flight.acquisition.pitch_urad`, or the same for
both terminals, `both.hardware.platform.initial_error_urad`; rows of a list have numbers, `timeline.0.at_s`.
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import partial
from typing import Any

import numpy as np
from pydantic import ValidationError

from flightsw.errors import ConfigError
from hil.configuration import first_problem
from hil.scenario import Scenario

Value = bool | int | float | str
Draw = Callable[[np.random.Generator], Value]
_CALL = re.compile(r"\s*(\w+)\s*\((.*)\)\s*", re.DOTALL)
_BOTH, _TERMINALS, _SEED = "both", "terminals", "seed"


def assignment(option: str, text: str, example: str) -> tuple[str, str]:
    """Key and value of KEY=VALUE. Raises ConfigError for anything else."""
    key, sign, value = (part.strip() for part in text.partition("="))
    if not (key and sign and value):
        raise ConfigError(f"{option} {text}: expected {example}")
    return key, value


def values(key: str, text: str) -> list[Value]:
    """The values of `a,b,c`, all numbers or all of one other kind; numbers are float if any of them is.

    Raises ConfigError for an empty one, one that is not finite, or a mixture.
    """
    found = [_value(key, part.strip()) for part in text.split(",")]
    kinds = {type(value) for value in found}
    if kinds == {int, float}:
        return [float(value) for value in found]
    if len(kinds) > 1:
        raise ConfigError(f"{key}: expected values of one kind, found {text}")
    return found


def distribution(key: str, text: str) -> Draw:
    """What draws a value of `normal(m, s)`, `uniform(a, b)`, `loguniform(a, b)`, `choice(a, b, ...)` or a constant.

    Raises ConfigError for a distribution that is not known, or cannot be.
    """
    call = _CALL.fullmatch(text)
    if call is None:
        return partial(_choose, values(key, text))
    name, arguments = call.groups()
    if name == "choice":
        return partial(_choose, values(key, arguments))
    if name not in _CONTINUOUS:
        raise ConfigError(f"{key}: expected {', '.join(_CONTINUOUS)}, choice or a value, found {text}")
    form, possible, draw = _CONTINUOUS[name]
    try:
        a, b = (float(part) for part in arguments.split(","))
    except ValueError:
        raise ConfigError(f"{key}: expected {form}, found {text}") from None
    if not (math.isfinite(a) and math.isfinite(b) and math.isfinite(b - a) and possible(a, b)):
        raise ConfigError(f"{key}: expected {form}, found {text}")
    return partial(draw, a, b)


def _choose(among: Sequence[Value], rng: np.random.Generator) -> Value:
    return among[int(rng.integers(len(among)))]


def _normal(mean: float, sigma: float, rng: np.random.Generator) -> Value:
    return float(rng.normal(mean, sigma))


def _uniform(low: float, high: float, rng: np.random.Generator) -> Value:
    return float(rng.uniform(low, high))


def _loguniform(low: float, high: float, rng: np.random.Generator) -> Value:
    # the exponential of a logarithm may leave the interval by a rounding
    return min(max(math.exp(rng.uniform(math.log(low), math.log(high))), low), high)


_CONTINUOUS: dict[str, tuple[str, Callable[[float, float], bool], Callable[[float, float, np.random.Generator], Value]]]
_CONTINUOUS = {
    "normal": ("normal(mean, sigma) with sigma > 0", lambda _, sigma: sigma > 0.0, _normal),
    "uniform": ("uniform(a, b) with a < b", lambda low, high: low < high, _uniform),
    "loguniform": ("loguniform(a, b) with 0 < a < b", lambda low, high: 0.0 < low < high, _loguniform),
}


def _value(key: str, text: str) -> Value:
    if text in ("true", "false"):
        return text == "true"
    for kind in (int, float):
        try:
            value = kind(text)
        except ValueError:
            continue
        if not -1e300 < value < 1e300:
            raise ConfigError(f"{key}: expected a finite number, found {text}")
        return value
    if not re.fullmatch(r"[\w./-]+", text):
        raise ConfigError(f"{key}: expected a number, true, false or a name, found {text or 'nothing'}")
    return text


def require_keys(scenario: Scenario, keys: Sequence[str]) -> None:
    """Raise ConfigError for a key that the scenario does not have, with the nearest, or that two of them set."""
    table = scenario.model_dump()
    taken: dict[tuple[str, ...], str] = {}
    for key in keys:
        if key == _SEED:
            raise ConfigError(f"{key}: expected another key, each run has a seed of its own")
        for path in _paths(key, scenario):
            try:
                found = _node(table, path)
            except (KeyError, IndexError, ValueError, TypeError):
                raise ConfigError(f"{key}: unknown key{_nearest(key, table)}; docs/scenario.md lists them") from None
            if isinstance(found, dict | list | tuple):
                raise ConfigError(f"{key}: expected the key of one value, found that of a table or list")
            if path in taken:
                raise ConfigError(f"{key}: expected to be set once, found it set by {taken[path]} too")
            taken[path] = key


def with_values(scenario: Scenario, values: Mapping[str, Value]) -> Scenario:
    """The scenario with other values at some keys. Raises ConfigError for a value that its model refuses."""
    if not values:
        return scenario
    table = scenario.model_dump()
    for key, value in values.items():
        for path in _paths(key, scenario):
            node = _node(table, path[:-1])
            node[int(path[-1]) if isinstance(node, list) else path[-1]] = value
    try:
        return Scenario.model_validate(table)
    except ValidationError as error:
        given = ", ".join(f"{key}={value}" for key, value in values.items())
        raise ConfigError(f"{given}: {first_problem(error)}") from None


def _paths(key: str, scenario: Scenario) -> list[tuple[str, ...]]:
    parts = tuple(key.split("."))
    if parts[0] == _BOTH:
        return [(_TERMINALS, name, *parts[1:]) for name in scenario.terminals]
    return [parts]


def _node(table: Any, path: Sequence[str]) -> Any:
    for part in path:
        table = table[int(part) if isinstance(table, list | tuple) else part]
    return table


def _nearest(key: str, table: dict[str, Any]) -> str:
    names = [".".join(path) for path in _leaves(table)]
    if key.startswith(_BOTH):
        names = [".".join((_BOTH, *name.split(".")[2:])) for name in names if name.startswith(_TERMINALS)]
    near = get_close_matches(key, names, 1)
    return f", the nearest is {near[0]}" if near else ""


def _leaves(node: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if isinstance(node, dict):
        for name, below in node.items():
            yield from _leaves(below, (*path, name))
    elif isinstance(node, list):
        for i, below in enumerate(node):
            yield from _leaves(below, (*path, str(i)))
    else:
        yield path
