"""The sweeps of a fine loop as a table, a picture and a page."""

import io
import math
from html import escape
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from flightsw.errors import ConfigError
from hil.design import loop
from hil.design.loop import DELAYS, GAINS, LAWS, RATES_HZ, Design, Loop
from hil.report import style
from hil.report.document import document, picture
from hil.report.tables import table

_COLOURS = {"integrator": style.MUTED, "pi": style.ACCENTS[1], "lqg": style.ACCENTS[0]}
HEAD = (
    "controller", "P", "I", "residual [urad]", "gain margin [dB]", "phase margin [deg]", "delay margin [us]", "peak S"
)  # fmt: skip
_CAPTION = (
    "Residual per axis. Left: the loop's gain times a factor, as of a quad cell whose slope is not what it should be, "
    "up to where it is unstable. Middle: sample rate, the delay the same number of samples. Right: delay in samples. "
    "Circles: the scenario's own point, filled for its own controller."
)


def row(design: Design) -> tuple[str, ...]:
    """A line of the table below `HEAD`."""
    figures = design.figures
    low = f"{20.0 * math.log10(design.least_gain):.1f} to " if design.least_gain > 0.0 else ""
    return (
        LAWS[design.law],
        "–" if design.proportional is None else f"{design.proportional:.2f}",
        "–" if design.integral is None else f"{design.integral:.2f}",
        f"{1e6 * design.residual_rad:.3f}",
        f"{low}{figures.gain_margin_db:.1f}",
        f"{design.phase_margin_deg:.0f}",
        f"{1e6 * figures.delay_margin_s:.0f}",
        f"{figures.peak_sensitivity:.2f}",
    )


def sweeps(swept: Loop, designs: list[Design]) -> Figure:
    """Residual against gain, rate and delay."""
    figure = style.new_figure(3.3)
    axes = [figure.add_axes((0.055 + 0.325 * i, 0.25, 0.275, 0.70)) for i in range(3)]
    own = 1.0, float(swept.rate_hz), float(swept.settings.loop_delay_samples)
    for design in designs:
        law, colour = design.law, _COLOURS[design.law]
        curves = loop.against_gain(swept, law), loop.against_rate(swept, law), loop.against_delay(swept, law)
        filled = colour if law == swept.settings.law else style.PAPER
        for at, ax, x, y in zip(own, axes, (GAINS, np.array(RATES_HZ), np.array(DELAYS)), curves, strict=True):
            marker = "" if ax is axes[0] else "."
            ax.plot(x, 1e6 * y, color=colour, linewidth=1.2, marker=marker, markersize=4.0, label=LAWS[law])
            ax.plot(at, 1e6 * design.residual_rad, "o", markersize=6.5, markeredgecolor=colour, markerfacecolor=filled)
    for ax, label in zip(axes, ("gain, of the designed one", "sample rate [kHz]", "delay [samples]"), strict=True):
        ax.set_xlabel(label)
        ax.set_ylim(bottom=0.0)
    _logarithmic(axes[0], (0.1, 0.2, 0.5, 1.0, 2.0, 4.0), 1.0)
    _logarithmic(axes[1], RATES_HZ, 1e3)
    axes[0].set_ylim(0.0, 3.0 * max(1e6 * design.residual_rad for design in designs))
    axes[0].set_ylabel("residual [µrad rms per axis]")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower left", bbox_to_anchor=(0.05, -0.01), ncols=3)
    return figure


def _logarithmic(axes: Axes, ticks: tuple[float, ...], unit: float) -> None:
    axes.set_xscale("log")
    axes.set_xticks(ticks, [f"{tick / unit:g}" for tick in ticks])
    axes.set_xticks([], minor=True)


def write(swept: Loop, designs: list[Design], title: str, folder: Path) -> None:
    """Write `loop.html` and `loop.png`. Raises ConfigError if the folder cannot be written."""
    with style.applied():
        drawn = sweeps(swept, designs)
        svg, png = picture(drawn, "Residual", _CAPTION), io.BytesIO()
        drawn.savefig(png, dpi=150, facecolor=style.PAPER)
    tones = ", ".join(f"{t.rms_urad:g} µrad at {t.frequency_hz:g} Hz" for t in swept.platform.tones) or "no tones"
    head = f"""<p class="kicker">beamlock design loop</p>
<h1>{escape(title)}</h1>
<p class="facts">{swept.rate_hz / 1e3:g} kHz, {swept.settings.loop_delay_samples} samples of delay,
{swept.settings.noise_urad:g} µrad of noise, {escape(tones)}; flies {LAWS[swept.settings.law]}</p>"""
    rows = [row(design) for design in designs]
    sections = {
        "Controllers at the scenario's own point": table([text.replace("[u", "[µ") for text in HEAD], rows),
        "Residual against gain, rate and delay": svg,
    }
    html = document(title, head, sections, "Designed by flightsw/pat/loop_design.py.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "loop.png").write_bytes(png.getvalue())
        (folder / "loop.html").write_text(html, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{folder}: expected a folder that can be written, found: {error.strerror}") from None
