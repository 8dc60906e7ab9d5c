"""The page around a campaign's figures."""

from html import escape

from hil.campaign_report.data import CampaignData
from hil.campaign_report.grid import success, success_table
from hil.campaign_report.headline import headline
from hil.campaign_report.sensitivity import tornado
from hil.campaign_report.times import times
from hil.campaign_report.tracking import tracking
from hil.campaign_report.worst import worst_table
from hil.report import style
from hil.report.document import document, picture

_TIMES = (
    "Left: density of the acquisition time, up to what 99 % need. Right: share of runs that had not yet acquired, on "
    "logarithmic axes. Dashed: the formulas of docs/acquisition.md, with the link's own capture radius, the median "
    "time that pointing took in these runs, and the way of the answer."
)
_GRID = "A line for each point of the grid. Bars: 95 % Wilson interval; middle 80 % of the times."
_TRACKING = "Each run counts once. Left: radial residual of its whole time in COMM. Right: how many runs fade how much."
_TORNADO = (
    "Each bar compares the runs with the highest fifth of a key's values with the lowest fifth, of a few values the "
    "last with the first. Lines: 95 % bootstrap interval. Rank correlation is Spearman's, with the acquisition time."
)


def page(data: CampaignData) -> str:
    """The whole report as HTML."""
    with style.applied():
        sections = {"Acquisition time": picture(times(data), "Acquisition time", _TIMES)}
        if data.plan.grid:
            keys = ", ".join(f"<code>{escape(key)}</code>" for key in data.plan.grid)
            drawn = picture(success(data), "Success by point of the grid", _GRID)
            sections["Success by point of the grid"] = f"<p>{keys}</p>{drawn}{success_table(data)}"
        sections["Residual and fades"] = picture(tracking(data), "Residual and fades", _TRACKING)
        sections["What acquisition time depends on"] = picture(tornado(data), "Sensitivity", _TORNADO)
    repeat = (
        "<p><code>beamlock run SCENARIO --seed SEED</code> repeats a run, with the varied values set; of a failed one, "
        "<code>beamlock run failed/RUN/scenario.toml</code>.</p>"
    )
    sections["The ten worst runs"] = worst_table(data) + repeat
    footer = "Drawn from campaign.json and campaign.parquet of this folder."
    return document(f"campaign {data.plan.scenario.name}", headline(data), sections, footer)
