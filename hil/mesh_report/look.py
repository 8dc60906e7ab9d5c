"""What the figures of a mesh share: colours of link states and routes, clock times, the axis of time."""

from matplotlib.axes import Axes

from hil.report.style import FAULT
from sim.network.crosslinks import State
from sim.network.record import MeshRecord

STATE_COLOURS = {
    State.OFF: "#cfd5dc",
    State.ACQUIRING: "#d9a441",
    State.UP: "#86b8ad",
    State.OUT: "#c0509a",
    State.FAILED: FAULT,
}
#: Of the flows, in order; blue, vermilion, green, ochre, dark blue, grey.
ROUTES = ("#0b69a8", "#c2501c", "#2a7d4f", "#946c00", "#27348b", "#47515c")
_MINUTE, _HOUR = 60.0, 3600.0


def clock(t_s: float) -> str:
    """A time for readers, as 1:02:03."""
    whole = round(t_s)
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def time_unit(record: MeshRecord) -> tuple[float, str]:
    """The unit of an axis of time, in s, and its name."""
    end = end_s(record)
    if end > 3.0 * _HOUR:
        return _HOUR, "h"
    return (_MINUTE, "min") if end > 5.0 * _MINUTE else (1.0, "s")


def time_axis(axes: Axes, record: MeshRecord) -> None:
    """Limits and label of an axis of time in `time_unit`."""
    unit_s, name = time_unit(record)
    axes.set_xlim(0.0, end_s(record) / unit_s)
    axes.set_xlabel(f"time since the epoch [{name}]")


def end_s(record: MeshRecord) -> float:
    """The end of the last step."""
    return float(record.t_s[-1]) + (float(record.t_s[1] - record.t_s[0]) if len(record.t_s) > 1 else 1.0)
