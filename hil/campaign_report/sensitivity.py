"""What acquisition time depends on: each key that differs between runs, most important first."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.stats import bootstrap, spearmanr

from hil.campaign_report.data import CampaignData
from hil.campaign_report.grid import short, value
from hil.report import style

_FEW = 5
_RESAMPLES, _BATCH = 1000, 100


@dataclass(frozen=True, slots=True)
class Effect:
    """What a key does: mean time in s at its upper less that at its lower values, 95 % interval, rank correlation.

    lower, upper: the values that were taken, for readers; correlation: Spearman's, None for a key that has no order.
    """

    key: str
    lower: str
    upper: str
    difference: float
    low: float
    high: float
    correlation: float | None


def effects(data: CampaignData) -> list[Effect]:
    """The effect of each key that has at least two runs on either side; the strongest first."""
    times = data.times[data.acquired]
    found = []
    for key in data.plan.keys:
        entries = [entry for entry, acquired in zip(data.column(key), data.acquired, strict=True) if acquired]
        effect = _effect(key, entries, times)
        if effect is not None:
            found.append(effect)
    return sorted(found, key=lambda effect: -abs(effect.difference))


def _effect(key: str, entries: list[Any], times: NDArray[np.float64]) -> Effect | None:
    distinct = sorted(set(entries))
    if len(distinct) < 2:
        return None
    if len(distinct) <= _FEW:
        texts = [value(distinct[0]), value(distinct[-1])]
        groups = [times[[entry == end for entry in entries]] for end in (distinct[0], distinct[-1])]
    else:
        column = np.array(entries, np.float64)
        low, high = np.quantile(column, (0.2, 0.8))
        texts = [f"≤ {low:.3g}", f"≥ {high:.3g}"]
        groups = [times[column <= low], times[column >= high]]
    if min(len(group) for group in groups) < 2:
        return None
    interval = bootstrap(
        (groups[1], groups[0]),
        lambda a, b, axis: np.mean(a, axis=axis) - np.mean(b, axis=axis),
        n_resamples=_RESAMPLES,
        batch=_BATCH,
        method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval
    ordered = not isinstance(distinct[0], str)
    correlation = float(spearmanr(np.array(entries, np.float64), times).statistic) if ordered else None
    difference = float(groups[1].mean() - groups[0].mean())
    return Effect(key, texts[0], texts[1], difference, float(interval.low), float(interval.high), correlation)


def tornado(data: CampaignData) -> Figure | str:
    """A bar a key: how much longer acquisition takes at its upper values."""
    rows = effects(data)
    if not rows:
        return "Nothing differs between these runs but the seed: --vary and --grid make them differ."
    height = 1.0 + 0.34 * len(rows)
    figure = style.new_figure(height)
    axes = figure.add_axes((0.30, 0.55 / height, 0.40, 1.0 - 0.75 / height))
    for i, row in enumerate(rows):
        colour = style.ACCENTS[1] if row.difference > 0.0 else style.ACCENTS[0]
        axes.barh(i, row.difference, 0.62, color=colour, alpha=0.8)
        axes.plot([row.low, row.high], [i, i], color=style.INK, linewidth=1.2)
        interval = f"{style.number(row.difference, 2)} s ({style.number(row.low, 2)} to {style.number(row.high, 2)})"
        axes.annotate(interval, (1.03, i), xycoords=("axes fraction", "data"), va="center", fontsize=7.5)
        if row.correlation is not None:
            known = f"rank correlation {style.number(row.correlation, 2)}"
            axes.annotate(known, (1.43, i), xycoords=("axes fraction", "data"), va="center", fontsize=7.5)
    axes.axvline(0.0, color=style.INK, linewidth=0.8)
    axes.set_yticks(range(len(rows)), [f"{short(row.key)}: {row.upper} against {row.lower}" for row in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel("mean acquisition time at the upper less that at the lower values [s], 95 % interval")
    return figure
