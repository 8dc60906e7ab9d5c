"""A channel as a curve: of braille characters in a terminal, or as a picture."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flightsw.errors import ConfigError
from flightsw.services.declarations import Item

#: Dots of one character, by row and column, as bits above U+2800.
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
_BLANK = 0x2800
_DOTS_DOWN, _DOTS_ACROSS = 4, 2
_MARGIN = 12


def braille(name: str, item: Item, past: Sequence[tuple[float, float]], width: int, height: int) -> str:
    """`height` lines of at most `width` characters: a title, the curve, and the axes with their units."""
    title = f"{name} [{item.unit}]" if item.unit else name
    finite = np.array([row for row in past if math.isfinite(row[1])]).reshape(-1, 2)
    if not len(finite):
        return f"{title}: no values yet"
    columns, rows = max(width - _MARGIN, 8), max(height - 2, 2)
    low, high = _limits(finite[:, 1])
    dots = _curve(finite, low, high, rows * _DOTS_DOWN, columns * _DOTS_ACROSS)
    lines = [title]
    for row, text in enumerate(_characters(dots)):
        label = {0: _label(item, high), rows - 1: _label(item, low)}.get(row, "")
        lines.append(f"{label:>{_MARGIN - 2}.{_MARGIN - 2}} {'┤' if label else '│'}{text}")
    begin, end = f"{finite[0, 0]:.2f}", f"{finite[-1, 0]:.2f} s"
    lines.append(" " * _MARGIN + begin + end.rjust(columns - len(begin)))
    return "\n".join(lines)


def picture(name: str, item: Item, past: Sequence[tuple[float, float]], path: Path) -> None:
    """Write it as a picture, its format by the ending of `path`. Raises ConfigError if that cannot be done."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot(*np.array(past).reshape(-1, 2).T, color="#0072b2")
    axes.set(xlabel="time since the epoch in s", ylabel=f"{name} in {item.unit}" if item.unit else name)
    if item.states:
        axes.set_yticks(range(len(item.states)), item.states)
    axes.grid(alpha=0.3)
    try:
        figure.savefig(path)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: expected a picture that can be written, found: {error}") from None


def _limits(values: NDArray[np.float64]) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    if low == high:
        room = abs(low) or 1.0
        return low - 0.5 * room, high + 0.5 * room
    return low, high


def _curve(points: NDArray[np.float64], low: float, high: float, down: int, across: int) -> NDArray[np.bool_]:
    """Dots, bool (down, across): in each column those that the line from point to point goes through."""
    edges = np.linspace(points[0, 0], points[-1, 0], across + 1)
    at = np.concatenate([edges, points[:, 0]])
    values = np.concatenate([np.interp(edges, points[:, 0], points[:, 1]), points[:, 1]])
    row = np.rint((high - values) / (high - low) * (down - 1)).astype(int)
    column = np.clip(np.searchsorted(edges, at, side="right") - 1, 0, across - 1)
    dots = np.zeros((down, across), np.bool_)
    for each in range(across):
        # the right edge of a column is the left one of the next
        rows = np.append(row[column == each], row[each + 1])
        dots[rows.min() : rows.max() + 1, each] = True
    return dots


def _characters(dots: NDArray[np.bool_]) -> list[str]:
    down, across = dots.shape
    cells = dots.reshape(down // _DOTS_DOWN, _DOTS_DOWN, across // _DOTS_ACROSS, _DOTS_ACROSS)
    codes = _BLANK + np.einsum("rdca,da->rc", cells.astype(int), np.array(_DOTS))
    return ["".join(map(chr, row)) for row in codes.tolist()]


def _label(item: Item, value: float) -> str:
    if item.states and 0 <= value < len(item.states) and value == int(value):
        return item.states[int(value)]
    return f"{value:.4g}"
