"""Two campaigns side by side: what differs in what they are, what differs in what came out, and whether by chance.

Runs are paired where both campaigns have the same seeds: the same satellites with the same errors, which takes out most
of the chance. Differences are B less A with 95 % bootstrap intervals; p-values are those of Mann and Whitney, of
Kolmogorov and Smirnov, and of Wilcoxon's signed ranks for pairs.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import bootstrap, ks_2samp, mannwhitneyu, wilcoxon

from flightsw.errors import ConfigError
from hil.campaign_plan import Campaign
from hil.campaign_report.data import CampaignData
from hil.link_simulation import wilson

Values = NDArray[np.float64]
_RESAMPLES, _BATCH = 2000, 100
_LEAST = 5
_QUANTILES = {"median": 50.0, "90 %": 90.0, "99 %": 99.0}


@dataclass(frozen=True, slots=True)
class Row:
    """A figure of both campaigns, the difference B - A and its 95 % interval; `unit` for all."""

    name: str
    unit: str
    a: float
    b: float
    low: float
    high: float

    @property
    def difference(self) -> float:
        """B - A."""
        return self.b - self.a

    @property
    def differs(self) -> bool:
        """Whether zero is outside of the interval."""
        return not self.low <= 0.0 <= self.high


@dataclass(frozen=True, slots=True)
class Comparison:
    """Keys that differ, (key, A, B); how many runs are pairs; figures; p-values by test."""

    keys: list[tuple[str, str, str]]
    pairs: int
    rows: list[Row]
    p_values: dict[str, float]


def compare(a: CampaignData, b: CampaignData) -> Comparison:
    """Hold two campaigns against each other. Raises ConfigError for two that have no figure in common."""
    if a.plan.until != b.plan.until:
        raise ConfigError(
            f"compare: expected two campaigns whose runs end alike, found --until {a.plan.until} in {a.folder} and "
            f"--until {b.plan.until} in {b.folder}; make one of them anew"
        )
    if not (a.acquired.any() and b.acquired.any()):
        none = a if not a.acquired.any() else b
        raise ConfigError(f"compare: expected runs that acquired in both, found none in {none.folder}")
    rows = [_success(a, b)]
    times_a, times_b = a.times[a.acquired], b.times[b.acquired]
    paired = _pairs(a, b)
    both = _both(a, b, paired)
    if both is None:
        rows += _figures("acquisition time", "s", times_a, times_b, paired=False)
        p_values = {}
    else:
        rows += _figures("acquisition time", "s", *both, paired=True)
        p_values = {"signed ranks": _signed_ranks(*both)}
    p_values = {
        "Mann-Whitney": float(mannwhitneyu(times_a, times_b).pvalue),
        "Kolmogorov-Smirnov": float(ks_2samp(times_a, times_b, method="asymp").pvalue),
        **p_values,
    }
    for name in dict.fromkeys((*a.terminals, *b.terminals)):
        for column, label, unit, factor in (
            (f"tracking.{name}.residual_radial_rms_urad", f"residual, {name}", "urad", 1.0),
            (f"link.fades.{name}.share", f"in fades, {name}", "%", 100.0),
        ):
            x, y = (factor * d.numbers(column) for d in (a, b))
            x, y = x[~np.isnan(x)], y[~np.isnan(y)]
            if min(len(x), len(y)) >= _LEAST:
                rows.append(_row(f"{label}, mean", unit, x, y, np.mean, paired=False))
    return Comparison(list(_differing(a.plan, b.plan)), 0 if both is None else len(both[0]), rows, p_values)


def _pairs(a: CampaignData, b: CampaignData) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices of the runs of A and of B with the same seed."""
    _, i, j = np.intersect1d(a.column("seed"), b.column("seed"), return_indices=True)
    return i, j


def _both(
    a: CampaignData, b: CampaignData, pairs: tuple[NDArray[np.int64], NDArray[np.int64]]
) -> tuple[Values, Values] | None:
    """Times of the pairs that acquired in both; None if not all runs of the smaller campaign are in pairs."""
    if len(pairs[0]) < min(a.runs, b.runs):
        return None
    x, y = a.times[pairs[0]], b.times[pairs[1]]
    known = ~np.isnan(x) & ~np.isnan(y)
    return (x[known], y[known]) if known.sum() >= _LEAST else None


def _success(a: CampaignData, b: CampaignData) -> Row:
    """Shares acquired; the interval of their difference is Newcombe's, from both Wilson intervals."""
    p, q = a.acquired.mean(), b.acquired.mean()
    (l1, u1), (l2, u2) = (wilson(int(d.acquired.sum()), d.runs) for d in (a, b))
    low = q - p - float(np.hypot(q - l2, u1 - p))
    high = q - p + float(np.hypot(u2 - q, p - l1))
    return Row("acquired", "%", 100.0 * p, 100.0 * q, 100.0 * low, 100.0 * high)


def _figures(name: str, unit: str, x: Values, y: Values, paired: bool) -> Iterator[Row]:
    yield _row(f"{name}, mean", unit, x, y, np.mean, paired)
    for label, percent in _QUANTILES.items():

        def quantile(values: Values, axis: int = -1, percent: float = percent) -> Any:
            return np.percentile(values, percent, axis=axis)

        yield _row(f"{name}, {label}", unit, x, y, quantile, paired)


def _row(name: str, unit: str, x: Values, y: Values, statistic: Callable[..., Any], paired: bool) -> Row:
    interval = bootstrap(
        (x, y),
        lambda s, t, axis: statistic(t, axis=axis) - statistic(s, axis=axis),
        n_resamples=_RESAMPLES,
        batch=_BATCH,
        paired=paired,
        method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval
    return Row(name, unit, float(statistic(x)), float(statistic(y)), float(interval.low), float(interval.high))


def _signed_ranks(x: Values, y: Values) -> float:
    return 1.0 if np.array_equal(x, y) else float(wilcoxon(x, y).pvalue)


def _differing(a: Campaign, b: Campaign) -> Iterator[tuple[str, str, str]]:
    """Keys of the campaigns and of their scenarios with other values, a dash for a key that one has not."""
    tables = [dict(_leaves(plan.model_dump(mode="json"))) for plan in (a, b)]
    for key in dict.fromkeys((*tables[0], *tables[1])):
        one, other = (table.get(key, "–") for table in tables)
        if one != other:
            yield key, one, other


def _leaves(node: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(node, dict):
        for key, below in node.items():
            yield from _leaves(below, f"{path}.{key}" if path else key)
    elif isinstance(node, list) and any(isinstance(below, dict) for below in node):
        for i, below in enumerate(node):
            yield from _leaves(below, f"{path}.{i}")
    else:
        yield path, "none" if node is None else str(node)
