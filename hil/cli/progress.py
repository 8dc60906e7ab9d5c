"""A bar for long runs, on a terminal only."""

import sys
from collections.abc import Callable


def bar(duration_s: float | None) -> Callable[[float, float], None] | None:
    """What to call with the simulated and the wall time in s; None where nobody looks.

    duration_s: simulated time until the end, or None if that is not known.
    """
    if not sys.stderr.isatty():
        return None

    def show(simulated_s: float, wall_s: float) -> None:
        done = "" if duration_s is None else _filled(simulated_s / duration_s)
        ratio = simulated_s / wall_s if wall_s else 0.0
        line = f"\r{done}{simulated_s:6.0f} s simulated, {ratio:4.1f} x real time"
        print(line, end="", file=sys.stderr, flush=True)

    return show


def _filled(share: float) -> str:
    done = int(30 * min(share, 1.0))
    return f"[{'#' * done}{'.' * (30 - done)}] "
