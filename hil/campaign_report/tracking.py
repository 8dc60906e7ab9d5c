"""What tracking left, over all runs that came to COMM: residual, and time in fades."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from hil.campaign_report.data import CampaignData
from hil.report import style

_BINS = 40


def tracking(data: CampaignData) -> Figure | str:
    """Radial residual on the left, share of COMM in fades on the right, each run counted once."""
    residuals = {name: data.numbers(f"tracking.{name}.residual_radial_rms_urad") for name in data.terminals}
    fades = {name: 100.0 * data.numbers(f"link.fades.{name}.share") for name in data.terminals}
    if all(np.isnan(column).all() for column in residuals.values()):
        return "No run came to COMM: runs that end when they have acquired do not. --until end lets them go on."
    figure = style.new_figure(2.8)
    left, right = figure.add_axes((0.06, 0.25, 0.42, 0.69)), figure.add_axes((0.565, 0.25, 0.42, 0.69))
    _histogram(left, residuals)
    left.set_xlabel("residual in COMM [µrad, radial rms]")
    left.set_ylabel("share of runs [%]")
    for (name, column), colour in zip(fades.items(), style.ACCENTS, strict=True):
        seen = np.sort(column[~np.isnan(column)])
        if len(seen):
            reached = 100.0 * (1.0 - np.arange(len(seen)) / len(seen))
            right.step(seen, reached, where="post", color=colour, label=name)
    right.set_xlabel(f"part of COMM in fades below {style.number(data.plan.scenario.fade_dbm)} dBm [%]")
    right.set_ylabel("share of runs with at least that [%]")
    right.set_ylim(0.0, 103.0)
    right.set_xlim(left=0.0)
    if all(np.nansum(column) == 0.0 for column in fades.values()):
        right.set_xlim(0.0, 1.0)
        right.text(0.5, 0.5, "no run had a fade", transform=right.transAxes, ha="center", color=style.MUTED)
    handles, labels = left.get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower left", bbox_to_anchor=(0.055, -0.015), ncols=2)
    return figure


def _histogram(axes: Axes, columns: dict[str, NDArray[np.float64]]) -> None:
    known = {name: column[~np.isnan(column)] for name, column in columns.items()}
    joint = np.concatenate(list(known.values()))
    edges = np.linspace(joint.min() - 1e-6, joint.max() + 1e-6, min(_BINS, 6 + len(joint) // 10))
    for (name, column), colour in zip(known.items(), style.ACCENTS, strict=True):
        if len(column):
            counts, _ = np.histogram(column, edges)
            label = f"{name}: half {np.median(column):.2f} µrad, 99 % {np.quantile(column, 0.99):.2f} µrad"
            axes.stairs(100.0 * counts / len(column), edges, color=colour, linewidth=1.2, label=label)
    axes.set_ylim(bottom=0.0)
