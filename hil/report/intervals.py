"""Which parts of a run a figure is about: intervals of time in s, as pairs of start and end."""

from collections.abc import Sequence

from flightsw.pat.modes import CLOSED, Mode
from hil.run_data import RunData, TerminalData

Interval = tuple[float, float]

#: What follows a fault until the loops have settled again.
_SETTLING_S = 1.0


def both(a: Sequence[Interval], b: Sequence[Interval]) -> list[Interval]:
    """Where an interval of `a` and one of `b` overlap; both are in order of time, without overlaps of their own."""
    found = []
    for start, end in a:
        for other_start, other_end in b:
            left, right = max(start, other_start), min(end, other_end)
            if left < right:
                found.append((left, right))
    return found


def without(intervals: Sequence[Interval], gaps: Sequence[Interval]) -> list[Interval]:
    """`intervals` with every gap cut out."""
    rest = list(intervals)
    for start, end in gaps:
        rest = [piece for a, b in rest for piece in ((a, min(b, start)), (max(a, end), b)) if piece[0] < piece[1]]
    return rest


def in_mode(terminal: TerminalData, *modes: Mode) -> list[Interval]:
    """When a terminal was in any of these modes."""
    return [(span.start_s, span.end_s) for span in terminal.spans(*modes)]


def acquisition(run: RunData) -> Interval | None:
    """From the first moment of the search until both fine loops are closed for the first time, or to the end.

    None if no terminal ever searched.
    """
    searching = [span.start_s for t in run.terminals for span in t.spans(Mode.SCAN, Mode.STARE)]
    if not searching:
        return None
    locked = locks(run)
    return min(searching), locked[0][0] if locked else run.end_s


def locks(run: RunData) -> list[Interval]:
    """When the fine loops of both terminals were closed."""
    first, second = run.terminals
    return both(in_mode(first, *CLOSED), in_mode(second, *CLOSED))


def in_use(run: RunData) -> list[Interval]:
    """When both terminals were in COMM and no fault was in force or had just ended: what the tracking is judged by."""
    first, second = run.terminals
    faults = [(fault.start_s, fault.end_s + _SETTLING_S) for fault in run.faults]
    return without(both(in_mode(first, Mode.COMM), in_mode(second, Mode.COMM)), faults)


def longest(intervals: Sequence[Interval]) -> Interval | None:
    """The longest, or None of none."""
    return max(intervals, key=lambda interval: interval[1] - interval[0], default=None)
