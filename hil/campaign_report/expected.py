"""What the formulas expect of a campaign's acquisition time; how long pointing takes they learn from its runs."""

import numpy as np
from numpy.typing import NDArray

from flightsw.errors import ConfigError
from flightsw.pat.modes import Mode
from hil.campaign_report.data import CampaignData
from hil.design.prediction import initiator, predict, situation
from hil.variation import with_values

#: Runs that stand for all where each has settings of its own.
_RUNS = 32


def expected(data: CampaignData, time_s: NDArray[np.float64]) -> NDArray[np.float64] | str:
    """Probability that a run has acquired by each time in s, (n,); or why there is no formula for that."""
    plan = data.plan
    pointed = data.numbers(f"modes.{initiator(plan.scenario)}.{Mode.POINT.name}")[data.acquired]
    if not len(pointed):
        return "No run acquired: there is nothing to hold against the formulas."
    range_km = float(np.median(data.numbers("link.range_km")[data.acquired]))
    points = data.runs // plan.runs
    chosen = range(min(data.runs, max(_RUNS // points, 1) * points)) if plan.keys else range(1)
    total = np.zeros(len(time_s))
    try:
        for run in chosen:
            scenario = with_values(plan.scenario, plan.draw(run)[1])
            # a run that needed another time slot pointed twice
            total += predict(situation(scenario, range_km, float(np.median(pointed)))).cdf(time_s)
    except ConfigError as error:
        return f"No curve by the formulas: {error}"
    return total / len(chosen)
