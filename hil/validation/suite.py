"""All checks of the validation, run side by side, and the tables made of what they found."""

import inspect
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hil.validation import fading, links, navigation, search, terminals, tracking
from hil.validation.check import Check, Estimate, Figure
from hil.workers import Workers

CHECKS = (
    Check(1, "Spiral", search.spiral),
    Check(2, "Repeated scans", search.repeated_scans),
    Check(3, "Scan jitter", search.scan_jitter),
    Check(4, "Full runs of two terminals", terminals.full_runs),
    Check(5, "Light time", terminals.light_time),
    Check(6, "Step-stare of the lunar uplink", search.step_stare),
    Check(7, "Fades", fading.fades),
    Check(8, "Best divergence", fading.best_divergence),
    Check(9, "Bursts", fading.bursts),
    Check(10, "Quad cell", tracking.quad_cell_noise),
    Check(11, "Fine loop", tracking.fine_loop_table),
    Check(12, "Micius", tracking.micius),
    Check(13, "Link budget and receivers", links.link),
    Check(14, "Navigation", navigation.navigation),
)
#: Begun first, in this order, so that none of them is left to the end alone.
_LONG = (4, 9, 12, 3, 11)


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check came to."""

    check: Check
    figures: tuple[Figure, ...]
    wall_s: float

    @property
    def holds(self) -> bool:
        """Whether every figure holds."""
        return all(figure.holds for figure in self.figures)


def findings(numbers: Sequence[int], quick: bool, workers: Workers) -> Iterator[Finding]:
    """Run the checks of these numbers; each finding as soon as it is there."""
    chosen = [check for check in CHECKS if check.number in numbers]
    chosen.sort(key=lambda check: _LONG.index(check.number) if check.number in _LONG else len(_LONG))
    yield from workers.results(_find, [(check, quick) for check in chosen])


def _find(check: Check, quick: bool) -> Finding:
    begin = time.perf_counter()
    figures = tuple(check.measure(quick))
    return Finding(check, figures, time.perf_counter() - begin)


def verdict(holds: bool) -> str:
    """The word for it."""
    return "holds" if holds else "fails"


def number(value: float) -> str:
    """Five significant digits."""
    return f"{value:.5g}"


def interval(estimate: Estimate) -> str:
    """The 95 % interval, or a word for none."""
    if estimate.low == estimate.high:
        return "exact"
    return f"{number(estimate.low)} to {number(estimate.high)}"


def markdown(found: Sequence[Finding], quick: bool) -> str:
    """The document: what was checked, a table a check."""
    failed = sum(not finding.holds for finding in found)
    command = f"beamlock validate{' --quick' if quick else ''} --markdown docs/validation.md"
    parts = [
        "# The models against formulas and published figures",
        "",
        f"Written by `{command}`. Each figure is measured through the code that a run",
        "uses: the flight software's patterns, controller and ephemerides, the world's beam, platform, mirror and",
        "sensors, the compiled step of both terminals. It holds when the whole 95 % interval of what was measured lies",
        "within what is accepted; `exact` marks a figure that nothing random went into.",
        "",
        f"{len(found)} checks, {failed} of them failed." if failed else f"{len(found)} checks, all of them hold.",
        "",
    ]
    for finding in found:
        parts += [
            f"## {finding.check.number}. {finding.check.title}",
            "",
            (inspect.getdoc(finding.check.measure) or "").partition("\n")[0],
            f"Inputs: {finding.check.inputs}. Time: {finding.wall_s:.1f} s.",
            "",
            "| Figure | Expected | Source | Measured | 95 % interval | Verdict |",
            "| --- | --- | --- | --- | --- | --- |",
        ]
        parts += [_row(figure) for figure in finding.figures]
        parts.append("")
    return "\n".join(parts)


def _row(figure: Figure) -> str:
    measured = f"{number(figure.measured.value)} {figure.unit}".rstrip()
    cells = (
        figure.name,
        figure.wanted,
        figure.expected.source,
        measured,
        interval(figure.measured),
        verdict(figure.holds),
    )
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"
