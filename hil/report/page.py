"""The page around the figures: one HTML file that needs nothing else, on a screen or on paper."""

from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from importlib.resources import files

from matplotlib.figure import Figure

from hil.report import style, tables
from hil.report.data import data
from hil.report.headline import headline
from hil.report.latency import devices, latency, times
from hil.report.pointing import pointing
from hil.report.power import received_power
from hil.report.residual import histogram, spectra
from hil.report.sky import sky
from hil.report.stroke import stroke
from hil.report.timeline import timeline
from hil.run_data import RunData


@dataclass(frozen=True, slots=True)
class Picture:
    """A section with a figure, or with the words that stand in for one that has nothing to show."""

    key: str
    title: str
    caption: str
    draw: Callable[[RunData], Figure | str]
    needs: str = ""  # the key of the summary without which the section is left out


@dataclass(frozen=True, slots=True)
class Tables:
    """A section of tables side by side."""

    key: str
    title: str
    draw: tuple[Callable[[RunData], str], ...]
    needs: str = ""


SECTIONS: tuple[Picture | Tables, ...] = (
    Picture(
        "modes",
        "Modes",
        "What both terminals did. Coloured bars are modes, marks above them events, red lines below them faults.",
        timeline,
    ),
    Picture(
        "sky",
        "Search on the sky",
        "Angles as the gimbal sees them: the origin is the line of sight that the ephemeris product promises. The"
        " initiator steers its beam along the scan; the responder sees the flash where the partner really is and "
        "answers. When that answer is read the beam has moved on, so the initiator goes back to where it was a "
        "round trip ago: the black stretch of its path is as long as the time tag is uncertain.",
        sky,
    ),
    Picture(
        "pointing",
        "Pointing error from acquisition to fine tracking",
        "True angle between the receive axis, which the mirror steers, and the partner: a scan shows as swings. The "
        "band above each figure shows the modes of both terminals; red shading is a fault.",
        pointing,
    ),
    Picture(
        "spectrum",
        "Residual spectrum in COMM",
        "Welch average of the true error over the longest undisturbed time in COMM, after the last change of "
        "gains. The platform's spectrum is that of the error plus the mirror's angle: what a fixed mirror would "
        "leave. Tones carry their frequency and the change of the power around it. Logarithmic bins keep areas, "
        "not the height of lines.",
        spectra,
    ),
    Picture(
        "histogram",
        "Residual by size",
        "Radial error over the same time, against the Rayleigh distribution of the same rms. The right side "
        "decides how often a beam misses.",
        histogram,
    ),
    Picture(
        "power",
        "Received power",
        "Light in the aperture before any receiver loss; the line is the mean, the band reaches from the least to the "
        "greatest sample. Fades count from the threshold down. Fades that a fault explains are not enlarged.",
        received_power,
    ),
    Picture(
        "data",
        "What became of the data",
        "Pointing error, light and transfer frames on one time axis. A fade at the receiver loses frames, unless the "
        "code or the channel interleaver bridges it.",
        data,
    ),
    Picture(
        "stroke",
        "Mirror stroke and gimbal",
        "Cross-elevation in the darker, elevation in the lighter colour. What the mirror holds for long the "
        "gimbal takes over, and keeps as learnt pointing bias for a reacquisition.",
        stroke,
    ),
    Picture(
        "latency",
        "Wall time and devices",
        "How late the loop's periods began and how long each worked, and how long each device took to answer. A dashed "
        "line is the time after which a period is late.",
        latency,
        needs="latency",
    ),
    Tables("lateness", "Times in figures", (times,), needs="latency"),
    Tables("devices", "Devices of the bench", (devices,), needs="devices"),
    Tables("budget", "Link budget and tracking", (tables.link_budget, tables.tracking)),
    Tables("times", "Time in each mode, and blockages", (tables.modes, tables.blockages)),
    Tables("events", "Events", (tables.events,)),
)


def page(run: RunData) -> str:
    """The whole report as HTML."""
    shown = [section for section in SECTIONS if not section.needs or section.needs in (run.summary or {})]
    with style.applied():
        sections = "\n".join(_section(run, section) for section in shown)
    links = " ".join(f'<a href="#{section.key}">{escape(section.title)}</a>' for section in shown)
    title = f"{run.scenario['name']}, seed {run.scenario['seed']}"
    sheet = files("hil.report").joinpath("style.css").read_text()
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)} – beamlock</title>
<style>
{sheet}</style>
</head>
<body>
<main>
{headline(run)}
<nav>{links}</nav>
{sections}
<footer>Drawn from record.mcap, events.jsonl and summary.json of this folder. <code>beamlock export</code> turns the
record into Parquet or CSV.</footer>
</main>
</body>
</html>
"""


def _section(run: RunData, section: Picture | Tables) -> str:
    head = f'<section id="{section.key}">\n<h2>{escape(section.title)}</h2>\n'
    if isinstance(section, Tables):
        parts = "\n".join(f"<div>{draw(run)}</div>" for draw in section.draw)
        return f'{head}<div class="tables">{parts}</div>\n</section>'
    drawn = section.draw(run)
    if isinstance(drawn, str):
        return f'{head}<p class="nothing">{escape(drawn)}</p>\n</section>'
    svg = style.to_svg(drawn, section.key, section.title)
    return f"{head}<figure>{svg}<figcaption>{escape(section.caption)}</figcaption></figure>\n</section>"
