"""The head of the report: what was run, whether it met its goal, and the figures that one asks for first."""

from collections.abc import Sequence
from html import escape

from hil.report.intervals import acquisition, locks
from hil.report.style import ACCENTS, number
from hil.run_data import RunData

#: A tile: label, value, unit, and a remark below.
Tile = tuple[str, str, str, str]


def headline(run: RunData) -> str:
    """The head as HTML."""
    scenario = run.scenario
    tiles = "".join(_tile(*tile) for tile in _tiles(run))
    notes = "".join(f'<p class="notice">{escape(note)}</p>' for note in run.notes)
    legend = " ".join(
        f'<span class="terminal" style="--accent:{accent}">{escape(terminal.name)}</span>'
        for terminal, accent in zip(run.terminals, ACCENTS, strict=True)
    )
    return f"""<header>
<p class="kicker">beamlock run</p>
<h1>{escape(scenario["name"])} {_badge(run)}</h1>
<p class="description">{escape(scenario["description"])}</p>
<p class="facts">{legend} seed {scenario["seed"]} · {run.end_s:g} s from {escape(scenario["epoch"])} ·
fine loop at {run.rate_hz / 1e3:g} kHz</p>
{notes}<div class="tiles">{tiles}</div>
</header>"""


def _badge(run: RunData) -> str:
    if run.summary is None:
        return '<span class="badge unknown">no verdict</span>'
    return (
        '<span class="badge met">goal met</span>'
        if run.summary["goal_met"]
        else '<span class="badge missed">goal not met</span>'
    )


def _tile(label: str, value: str, unit: str, remark: str) -> str:
    return (
        f'<div class="tile"><div class="label">{escape(label)}</div>'
        f'<div class="value">{escape(value)} <small>{escape(unit)}</small></div>'
        f'<div class="remark">{escape(remark)}</div></div>'
    )


def _tiles(run: RunData) -> list[Tile]:
    """What a summary says; of a run that was cut, what the record shows."""
    summary = run.summary
    if summary is None:
        window, locked = acquisition(run), bool(locks(run))
        took = f"{window[1]:.2f}" if window is not None and locked else "no"
        return [
            ("acquired", took, "s" if locked else "", "from the epoch to both fine loops closed"),
            ("recorded", f"{run.end_s:g}", "s", f"of {run.scenario['duration_s']:g} s"),
        ]
    acquired, link, performance = summary["acquisition"], summary["link"], summary["performance"]
    names = list(summary["tracking"])
    scans = int(acquired["attempts"])
    found = f"{scans} scan{'' if scans == 1 else 's'} begun"
    if acquired["false_locks"]:
        found += f", {acquired['false_locks']} false locks"
    residuals = [summary["tracking"][name]["residual_radial_rms_urad"] for name in names]
    powers = [link["received_power_dbm"][name] for name in names]
    fades = [link["fades"][name] for name in names]
    longest = max(fade["longest_ms"] for fade in fades)
    return [
        (
            ("acquired after", f"{acquired['time_s']:.2f}", "s", found)
            if acquired["acquired"]
            else ("acquired", "no", "", found)
        ),
        ("residual in COMM", _pair(residuals, 2), "µrad", f"radial rms, {' and '.join(names)}"),
        ("received power", _pair(powers, 1), "dBm", "mean in the aperture, in COMM"),
        (
            "fades",
            _pair([float(fade["count"]) for fade in fades], 0),
            "",
            f"below {number(fades[0]['below_dbm'])} dBm, longest {_milliseconds(longest)}",
        ),
        (
            "range",
            f"{link['range_km']:,.0f}".replace(",", " "),
            "km",
            f"point-ahead {link['point_ahead_urad']:.2f} µrad",
        ),
        (
            "speed",
            f"{performance['real_time_factor']:.0f}",
            "× real time",
            f"{performance['simulated_s']:g} s in {performance['wall_s']:.2f} s",
        ),
    ]


def _milliseconds(length_ms: float) -> str:
    return f"{length_ms:.3g} ms" if length_ms < 1000.0 else f"{1e-3 * length_ms:.3g} s"


def _pair(values: Sequence[float | None], digits: int) -> str:
    """Both terminals' values, or one if they look the same; a dash for none."""
    texts = ["–" if value is None else number(value, digits) for value in values]
    return texts[0] if len(set(texts)) == 1 else " / ".join(texts)
