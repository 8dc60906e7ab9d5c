"""What a check of the validation is made of: estimates with their intervals, what is expected, and the verdict.

A figure holds when its whole 95 % interval lies in the accepted range: too few samples fail as a wrong model does.
"""

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm, t

from hil.link_simulation import wilson

_Z = float(norm.ppf(0.975))


@dataclass(frozen=True, slots=True)
class Estimate:
    """A measured value with its 95 % confidence interval."""

    value: float
    low: float
    high: float

    def root(self) -> "Estimate":
        """The square root, as of a mean square; a lower end below zero becomes zero."""
        return Estimate(math.sqrt(self.value), math.sqrt(max(self.low, 0.0)), math.sqrt(self.high))


def exact(value: float) -> Estimate:
    """A value that nothing random went into."""
    return Estimate(value, value, value)


def mean(samples: ArrayLike) -> Estimate:
    """Mean of independent samples (n,); Student's interval, so that they may be few."""
    values = np.asarray(samples, np.float64)
    half = float(t.ppf(0.975, len(values) - 1)) * float(np.std(values, ddof=1)) / math.sqrt(len(values))
    value = float(np.mean(values))
    return Estimate(value, value - half, value + half)


def share(hits: int, trials: int) -> Estimate:
    """Share of hits in independent trials, with Wilson's interval."""
    low, high = wilson(hits, trials)
    return Estimate(hits / trials, low if hits else 0.0, high if hits < trials else 1.0)


def quantile(samples: NDArray[np.float64], p: float) -> Estimate:
    """Quantile `p` of independent samples (n,), which may be infinite; its interval from the order statistics."""
    half = _Z * math.sqrt(p * (1.0 - p) / len(samples))
    at = p, max(p - half, 0.0), min(p + half, 1.0)
    value, low, high = np.quantile(samples, at, method="inverted_cdf")
    return Estimate(float(value), float(low), float(high))


def deviation(samples: NDArray[np.float64]) -> Estimate:
    """Standard deviation of independent Gaussian samples (n,)."""
    value = float(np.std(samples, ddof=1))
    half = _Z * value / math.sqrt(2.0 * len(samples))
    return Estimate(value, value - half, value + half)


def minimum(x: NDArray[np.float64], batches: NDArray[np.float64]) -> Estimate:
    """Where a smooth function of `x` (n,) is least, from independent batches of it (m, n): of a cubic, by jackknife."""

    def least(values: NDArray[np.float64]) -> float:
        cubic = np.polynomial.Polynomial.fit(x, values, 3)
        turns = cubic.deriv().roots()
        inside = turns.real[(np.abs(turns.imag) < 1e-9) & (x[0] < turns.real) & (turns.real < x[-1])]
        return float(min((*inside, x[0], x[-1]), key=cubic))

    m = len(batches)
    value = least(batches.mean(axis=0))
    without = [least(np.delete(batches, i, axis=0).mean(axis=0)) for i in range(m)]
    half = float(t.ppf(0.975, m - 1)) * math.sqrt((m - 1) * float(np.var(without)))
    return Estimate(value, value - half, value + half)


@dataclass(frozen=True, slots=True)
class Expected:
    """What a figure should be and its tolerance, as written; where that is from; the range that is accepted."""

    value: str
    tolerance: str
    source: str
    least: float
    most: float


def equal(value: float, source: str) -> Expected:
    """`value` and no other."""
    return Expected(f"{value:g}", "", source, value, value)


def near(value: float, source: str, relative: float = 0.0, absolute: float = 0.0) -> Expected:
    """`value` within a relative or an absolute tolerance."""
    half = abs(value) * relative + absolute
    tolerance = f"{100.0 * relative:g} %" if relative else f"{absolute:g}"
    return Expected(f"{value:g}", f"± {tolerance}", source, value - half, value + half)


def within_db(value: float, source: str, db: float) -> Expected:
    """A positive `value` within so many dB."""
    factor = 10.0 ** (db / 10.0)
    return Expected(f"{value:g}", f"± {db:g} dB", source, value / factor, value * factor)


def at_most(value: float, source: str) -> Expected:
    """No more than `value`."""
    return Expected(f"≤ {value:g}", "", source, -math.inf, value)


def at_least(value: float, source: str) -> Expected:
    """No less than `value`."""
    return Expected(f"≥ {value:g}", "", source, value, math.inf)


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table: a quantity, its unit ("" for none), expected and measured."""

    name: str
    unit: str
    expected: Expected
    measured: Estimate

    @property
    def wanted(self) -> str:
        """What is expected, with unit and tolerance."""
        return " ".join(part for part in (self.expected.value, self.unit, self.expected.tolerance) if part)

    @property
    def holds(self) -> bool:
        """Whether the whole interval is in the accepted range."""
        return self.expected.least <= self.measured.low and self.measured.high <= self.expected.most


@dataclass(frozen=True, slots=True)
class Check:
    """A numbered check. `measure(quick)` gives its figures; its other arguments are the inputs, the unit in each name.

    quick: fewer samples, as many as the tolerances need.
    """

    number: int
    title: str
    measure: Callable[..., list[Figure]]

    @property
    def inputs(self) -> str:
        """The inputs in one line, from the defaults of `measure`."""
        parameters = inspect.signature(self.measure).parameters.values()
        given = [(p.name, p.default) for p in parameters if p.default is not inspect.Parameter.empty]
        return ", ".join(
            f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}" for name, value in given
        )
