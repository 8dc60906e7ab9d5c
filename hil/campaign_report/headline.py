"""The head of a campaign's report: what was counted, and the figures that one asks for first."""

from html import escape

import numpy as np

from hil.campaign_report.data import CampaignData
from hil.link_simulation import wilson
from hil.report.document import tile
from hil.report.style import number

#: SDA OCT standard 3.2: time to acquire that is required, and that is the goal.
_REQUIRED_S, _GOAL_S = 100.0, 10.0


def headline(data: CampaignData) -> str:
    """The head as HTML."""
    plan = data.plan
    distributions = [f"{key} = {text}" for key, text in plan.vary.items()]
    grids = [f"{key} = {', '.join(map(str, values))}" for key, values in plan.grid.items()]
    varied = "".join(f"<br><code>{escape(text)}</code>" for text in (*grids, *distributions))
    begun = plan.total - data.runs
    stopped = f", {begun} runs fewer than planned: {plan.stop_when} held" if begun else ""
    tiles = "".join(tile(*entry) for entry in tiles_of(data))
    return f"""<p class="kicker">beamlock campaign</p>
<h1>{escape(plan.scenario.name)}</h1>
<p class="description">{escape(plan.scenario.description)}</p>
<p class="facts">seed {plan.seed} · each run until {"it has acquired" if plan.until == "acquired" else "its end"},
at most {plan.scenario.duration_s:g} s{escape(stopped)}{varied}</p>
<div class="tiles">{tiles}</div>"""


def tiles_of(data: CampaignData) -> list[tuple[str, str, str, str]]:
    """Label, value, unit and remark of each tile."""
    count = int(data.acquired.sum())
    raised = sum(error is not None for error in data.column("error"))
    rows = [
        (
            "runs",
            f"{data.runs:,}".replace(",", " "),
            "",
            f"{raised} ended by an error" if raised else "none by an error",
        ),
        ("acquired", *_share(count, data.runs)),
    ]
    times = data.times[data.acquired]
    if count:
        half = 1.96 * float(times.std()) / np.sqrt(count)
        p50, p90, p99 = (float(q) for q in np.quantile(times, (0.5, 0.9, 0.99)))
        rows += [
            ("mean time", number(float(times.mean()), 2), "s", f"± {half:.2f} s with 95 % confidence"),
            ("median", number(p50, 2), "s", "half of those that acquired"),
            ("90 % within", number(p90, 2), "s", f"99 % within {number(p99, 2)} s"),
        ]
        for label, limit in (("within 10 s", _GOAL_S), ("within 100 s", _REQUIRED_S)):
            if limit <= data.plan.scenario.duration_s:
                rows.append((label, *_share(int((times <= limit).sum()), data.runs)))
    return rows


def _share(count: int, runs: int) -> tuple[str, str, str]:
    low, high = wilson(count, runs)
    return f"{100.0 * count / runs:.2f}", "%", f"{100.0 * low:.2f} to {100.0 * high:.2f} % with 95 % confidence"
