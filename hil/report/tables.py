"""The tables of the report: link budget, tracking, modes, fades, blockages, events; as HTML."""

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from flightsw.pat.modes import Mode
from flightsw.services.events import Event, Severity
from hil.report.style import number
from hil.run_data import RunData

#: Events of one kind from one terminal, with nothing between them, become one row from this many on.
_ALIKE = 3
_MOST_ROWS = 300


def table(head: Sequence[str], rows: Iterable[Sequence[str]], numeric: bool = True, foot: bool = False) -> str:
    """A table; texts are escaped here. numeric: all columns but the first are numbers; foot: the last row is a sum."""
    kind = ' class="numeric"' if numeric else ""
    cells = "".join(f"<th>{escape(text)}</th>" for text in head)
    lines = ["".join(f"<td>{escape(text)}</td>" for text in row) for row in rows]
    body = "".join(
        f'<tr class="sum">{line}</tr>' if foot and line is lines[-1] else f"<tr>{line}</tr>" for line in lines
    )
    return f'<div class="scroll"><table{kind}><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table></div>'


def link_budget(run: RunData) -> str:
    """Both directions side by side, named by their ends."""
    if run.summary is None:
        return _missing("link budget")
    budgets: dict[str, list[dict[str, Any]]] = run.summary["link"]["budget"]
    receivers = list(budgets)
    directions = [f"{receivers[1 - i]} → {name}" for i, name in enumerate(receivers)]
    rows = [
        (row["item"].replace("^2", "²"), *(_value(budgets[name][k]["value"], 2) for name in receivers), row["unit"])
        for k, row in enumerate(budgets[receivers[0]])
    ]
    return table(("item", *directions, "unit"), rows, foot=True)


def tracking(run: RunData) -> str:
    """Residual, law, power and fades in COMM, a column a terminal."""
    if run.summary is None:
        return _missing("tracking")
    figures, link = run.summary["tracking"], run.summary["link"]
    rows: list[tuple[str, ...]] = []

    def row(label: str, text: dict[str, str]) -> None:
        rows.append((label, *text.values()))

    row("residual, cross-elevation [µrad rms]", {n: _value(t["residual_rms_urad"][0], 3) for n, t in figures.items()})
    row("residual, elevation [µrad rms]", {n: _value(t["residual_rms_urad"][1], 3) for n, t in figures.items()})
    row("residual, radial [µrad rms]", {n: _value(t["residual_radial_rms_urad"], 3) for n, t in figures.items()})
    row("control law", {n: str(t["law"]) for n, t in figures.items()})
    row("tones modelled", {n: str(len(t["loop"]["tones"])) for n, t in figures.items()})
    row(
        "residual that the design expects [µrad rms]",
        {n: _loop(t, "expected_residual_urad", 3) for n, t in figures.items()},
    )
    row("peak sensitivity", {n: _loop(t, "peak_sensitivity", 2) for n, t in figures.items()})
    row("gain margin [dB]", {n: _loop(t, "gain_margin_db", 1) for n, t in figures.items()})
    row("delay margin [ms]", {n: _loop(t, "delay_margin_ms", 3) for n, t in figures.items()})
    row("mirror at its range", {n: _percent(t["loop"]["saturated_share"]) for n, t in figures.items()})
    row("time in COMM [s]", {n: _value(t["comm_s"], 2) for n, t in figures.items()})
    row("received power, mean [dBm]", {n: _value(link["received_power_dbm"][n], 2) for n in figures})
    row("fade threshold [dBm]", {n: _value(link["fades"][n]["below_dbm"], 1) for n in figures})
    row("fades", {n: str(link["fades"][n]["count"]) for n in figures})
    row("share of COMM in fades", {n: _percent(link["fades"][n]["share"]) for n in figures})
    row("fade length, mean [ms]", {n: _value(link["fades"][n]["mean_ms"], 2) for n in figures})
    row("fade length, longest [ms]", {n: _value(link["fades"][n]["longest_ms"], 2) for n in figures})
    return table(("in COMM", *figures), rows)


def modes(run: RunData) -> str:
    """Seconds in each mode, from the events of the record."""
    seconds = [
        {mode: sum(span.duration_s for span in terminal.spans(mode)) for mode in Mode} for terminal in run.terminals
    ]
    rows = [
        (mode.name, *(_value(column[mode], 2) for column in seconds))
        for mode in Mode
        if any(column[mode] > 0.0 for column in seconds)
    ]
    return table(("mode [s]", *(terminal.name for terminal in run.terminals)), rows)


def blockages(run: RunData) -> str:
    """What became of the lock in each blockage; a sentence if there was none."""
    rows = run.summary["blockages"] if run.summary is not None else []
    if not rows:
        return "<p>No blockage in this run.</p>"
    return table(
        ("blockage at [s]", "length [s]", "lock", "back after its end [s]"),
        [
            (
                f"{row['at_s']:g}",
                f"{row['duration_s']:g}",
                "held" if row["held"] else "lost",
                "" if row["held"] else _value(row["back_after_s"], 2, "never"),
            )
            for row in rows
        ],
    )


def events(run: RunData) -> str:
    """All events in order of time; many alike in a row become one line."""
    told = [(event.time_s, 1 + i, t.name, event) for i, t in enumerate(run.terminals) for event in t.events]
    told += [(event.time_s, 0, "world", event) for event in run.world_events]
    told.sort(key=lambda entry: entry[:2])
    rows = []
    for alike in _runs([(name, event) for _, _, name, event in told]):
        name, first = alike[0]
        text = first.text
        if len(alike) >= _ALIKE:
            text = f"{text} (and {len(alike) - 1} more until {alike[-1][1].time_s:.2f} s)"
        rows.append((f"{first.time_s:.2f}", name, _severity(first.severity), first.name, text))
    if not rows:
        return "<p>No event in this run.</p>"
    more = f"<p>{len(rows) - _MOST_ROWS} more in events.jsonl.</p>" if len(rows) > _MOST_ROWS else ""
    head = ("time [s]", "terminal", "severity", "event", "what happened")
    return table(head, rows[:_MOST_ROWS], numeric=False) + more


def _runs(entries: list[tuple[str, Event]]) -> Iterable[list[tuple[str, Event]]]:
    """Entries in order, those in a group that are alike but for numbers if there are enough of them."""
    group: list[tuple[str, Event]] = []
    for entry in [*entries, None]:
        if entry is not None and group and _is_alike(group[0], entry):
            group.append(entry)
            continue
        if len(group) >= _ALIKE:
            yield group
        else:
            yield from ([single] for single in group)
        group = [entry] if entry is not None else []


def _is_alike(first: tuple[str, Event], second: tuple[str, Event]) -> bool:
    """Same terminal and name, and neither informative nor grave: such as light that is refused image after image."""
    return first[0] == second[0] and first[1][1:3] == second[1][1:3] and first[1].severity == Severity.LOW


def _loop(figures: dict[str, Any], key: str, digits: int) -> str:
    return _value(figures["loop"][key], digits)


def _severity(severity: Severity) -> str:
    return "" if severity == Severity.INFO else severity.name.lower()


def _value(value: float | None, digits: int, nothing: str = "–") -> str:
    return nothing if value is None else number(value, digits)


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100.0 * share:.3g} %"


def _missing(what: str) -> str:
    return f"<p>No {what}: the run has no summary.</p>"
