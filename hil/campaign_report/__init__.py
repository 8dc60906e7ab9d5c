"""The report of a campaign: one self-contained HTML file, drawn from its table."""

from pathlib import Path

REPORT = "report.html"


def write_campaign_report(folder: Path) -> Path:
    """Write `report.html` into the folder of a complete campaign and return its path.

    Raises ConfigError if the folder holds none, or cannot be written.
    """
    from hil.campaign_report.data import load
    from hil.campaign_report.page import page
    from hil.campaign_store import writing

    path = folder / REPORT
    html = page(load(folder))
    with writing(folder):
        path.write_text(html, encoding="utf-8")
    return path
