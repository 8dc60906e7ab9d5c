"""Where the beam searched and where the partner was: the scan on the sky of the one, the flash on the sky of the other.

All views are fixed to the gimbal, which points along the expected line of sight plus what bias was learnt. The partner
stands at the true error of the receive axis plus the mirror's angle, of which the record has the command.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from flightsw.hal import FRAME_S
from flightsw.pat.modes import Mode
from hil.report import style
from hil.report.intervals import acquisition
from hil.run_data import RunData, Span, TerminalData

_SPEED_OF_LIGHT = 299_792_458.0
_URAD = 1e6
#: A longer path is drawn as an image: as a vector it would be most of the page.
_VECTOR_POINTS = 100_000
_CLOUD_POINTS = 300
_ZOOM_S = 0.1
_PARTNER = "#2f8f7f"
_HEIGHT_IN = 4.65

Points = NDArray[np.float64]


@dataclass(frozen=True)
class Search:
    """One terminal's part in the first acquisition. Points on its sky are float64 (samples, 2), in urad."""

    index: int
    terminal: TerminalData
    settings: dict[str, Any]
    spans: tuple[Span, ...]
    detections_s: tuple[float, ...]  # a spot was believed and the search left

    @property
    def scans(self) -> bool:
        """Whether it scanned, and did not only wait."""
        return any(span.mode == Mode.SCAN for span in self.spans)

    @property
    def sigma(self) -> float:
        """Expected error per axis in urad."""
        return float(self.settings["flight"]["acquisition"]["uncertainty_urad"])

    @cached_property
    def time_s(self) -> NDArray[np.float64]:
        """Time of each sample of the run."""
        return self.terminal.in_step()[0].time_s

    @cached_property
    def mirror(self) -> Points:
        """Mirror command."""
        samples = self.terminal.in_step()[0].values
        return _URAD * np.stack([samples["mirror_x"], samples["mirror_y"]], axis=1).astype(np.float64)

    @cached_property
    def partner(self) -> Points:
        """True place of the partner."""
        truth = self.terminal.in_step()[1].values
        return self.mirror + _URAD * np.stack([truth["error_x"], truth["error_y"]], axis=1).astype(np.float64)

    def during(self, mode: Mode) -> NDArray[np.bool_]:
        """Which samples were taken in the spans of this mode, (samples,)."""
        spans = [span for span in self.spans if span.mode == mode]
        inside = np.zeros(len(self.time_s), np.bool_)
        for span in spans:
            inside |= (self.time_s >= span.start_s) & (self.time_s < span.end_s)
        return inside

    def around(self, time_s: float, before_s: float, after_s: float) -> slice:
        """The samples from `before_s` before a time until `after_s` after it."""
        first, last = np.searchsorted(self.time_s, (time_s - before_s, time_s + after_s))
        return slice(int(first), int(last))

    def spot(self, detected_s: float) -> Points:
        """The spot that was believed: in the frame after the detection the mirror is sent there."""
        at = min(int(np.searchsorted(self.time_s, detected_s + 0.5 * FRAME_S)), len(self.mirror) - 1)
        place: Points = self.mirror[at]
        return place


def sky(run: RunData) -> Figure | str:
    """Both terminals' parts in the first acquisition, in urad."""
    window = acquisition(run)
    if window is None:
        return "Neither terminal searched: there is no scan and no stare in this run."
    searches = [_search(run, i, window[1]) for i in range(len(run.terminals))]
    searches = sorted((s for s in searches if s.spans), key=lambda s: not s.scans)
    if not searches:
        return "The record ends before the search."
    figure = style.new_figure(_HEIGHT_IN)
    if not searches[0].scans:
        for place, search in enumerate(searches):
            _overview(_square(figure, 0.06 + 0.5 * place, 0.36), search)
        _legend(figure, 0.05, columns=4)
        return figure
    _overview(_square(figure, 0.06, 0.36), searches[0])
    if searches[0].detections_s:
        _zoom(_square(figure, 0.487, 0.222), searches[0])
    else:
        figure.text(0.487, 0.7, "No answer was believed.", color=style.MUTED)
    if len(searches) > 1:
        _overview(_square(figure, 0.767, 0.222), searches[1], small=True)
    _legend(figure, 0.475, columns=2)
    return figure


def _square(figure: Figure, left: float, side: float) -> Axes:
    """Square axes whose top is that of all others."""
    high = side * style.WIDTH_IN / _HEIGHT_IN
    return figure.add_axes((left, 0.95 - high, side, high))


def _search(run: RunData, index: int, until_s: float) -> Search:
    terminal = run.terminals[index]
    spans = tuple(s for s in terminal.spans(Mode.SCAN, Mode.STARE) if s.start_s < until_s)
    left = {span.start_s: span.mode for span in terminal.modes}
    time_s = terminal.in_step()[0].time_s
    # of a record that was cut the samples around a change of mode may be gone
    known_s = float(time_s[-1]) - FRAME_S if len(time_s) else 0.0
    detections = tuple(s.end_s for s in spans if left.get(s.end_s) == Mode.COARSE_TRACK and s.end_s < known_s)
    return Search(index, terminal, run.scenario["terminals"][terminal.name], spans, detections)


def _overview(axes: Axes, search: Search, small: bool = False) -> None:
    """The uncertainty, the scans, the partner and every spot that was believed."""
    reach = 3.0 * search.sigma
    for k in (1, 2, 3):
        radius = k * search.sigma
        axes.add_patch(Circle((0, 0), radius, fill=False, edgecolor="#9aa5b1", linewidth=0.7, linestyle=(0, (4, 3))))
        at = radius * math.sqrt(0.5)
        paper = {"facecolor": style.PAPER, "edgecolor": "none", "pad": 0.8, "alpha": 0.85}
        axes.text(at, at, f"{k}σ", color=style.MUTED, fontsize=7, ha="center", va="center", bbox=paper, zorder=3)
    axes.plot(0, 0, "+", color=style.INK, markersize=8, markeredgewidth=0.9, label="expected line of sight")
    scanning = search.during(Mode.SCAN)
    if search.scans:
        earlier, last = _scans(search, scanning)
        _path(axes, earlier, "#c9d3dd", 1.8, "earlier scans", search)
        _path(axes, last, style.ACCENTS[search.index], 0.75, "scan, mirror command", search)
        reach = max(reach, float(np.abs(search.mirror[scanning]).max(initial=0.0)))
    cloud = search.partner[scanning | search.during(Mode.STARE)]
    cloud = cloud[:: max(len(cloud) // _CLOUD_POINTS, 1)]
    _partner(axes, cloud)
    reach = max(reach, float(np.abs(cloud).max(initial=0.0)))
    for detected_s in search.detections_s:
        _believed(axes, search, detected_s, size=8)
    if search.scans and search.detections_s:
        x, y = search.mirror[search.around(search.detections_s[-1], FRAME_S, 0.0)][-1]
        axes.plot(
            x,
            y,
            "x",
            color=style.INK,
            markersize=6,
            markeredgewidth=1.2,
            label="beam when the answer is read",
            zorder=6,
        )
    axes.set_xlim(-1.05 * reach, 1.05 * reach)
    axes.set_ylim(-1.05 * reach, 1.05 * reach)
    what = "searches" if search.scans else "waits for light"
    _label(axes, search, what, small)


def _zoom(axes: Axes, search: Search) -> None:
    """The last detection of the initiator: the partner, the answer, and where the time tag says that the beam was."""
    detected_s = search.detections_s[-1]
    capture = float(search.settings["flight"]["acquisition"]["capture_radius_urad"])
    near = search.mirror[search.during(Mode.SCAN)]
    _path(axes, near, style.ACCENTS[search.index], 0.75, None, search)
    now = search.around(detected_s, _ZOOM_S, 0.0)
    cloud = search.partner[now][:: max((now.stop - now.start) // 60, 1)]
    _partner(axes, cloud)
    centre = cloud.mean(axis=0)
    turn = np.linspace(0.0, 2.0 * math.pi, 73)
    ring = centre + capture * np.stack([np.cos(turn), np.sin(turn)], axis=1)
    axes.plot(ring[:, 0], ring[:, 1], color=_PARTNER, linewidth=0.8, label="capture radius around the partner")
    tagged = _tagged(search, detected_s)
    _path(axes, tagged, style.INK, 2.4, "backed-up place, by time tag", search)
    _believed(axes, search, detected_s, size=12)
    shown = np.vstack([tagged, search.spot(detected_s), centre])
    middle = 0.5 * (shown.min(axis=0) + shown.max(axis=0))
    reach = max(0.6 * float(np.ptp(shown, axis=0).max()), 2.5 * capture)
    axes.set_xlim(middle[0] - reach, middle[0] + reach)
    axes.set_ylim(middle[1] - reach, middle[1] + reach)
    _label(axes, search, f"is answered, {detected_s:.2f} s", small=True)


def _tagged(search: Search, detected_s: float) -> Points:
    """The path of the beam, (samples, 2), at the times at which it may have passed the partner, by the time tag.

    Empty where the flight software does not back up.
    """
    flight, camera = search.settings["flight"]["acquisition"], search.settings["hardware"]["camera"]
    if not flight["back_up_by_time_tag"]:
        return search.mirror[:0]
    exposure_s, readout_s = camera["exposure_ms"] * 1e-3, camera["readout_ms"] * 1e-3
    # exposures begin with a frame, and an image is read in the frame in which its readout has ended
    exposed_s = detected_s - math.ceil((exposure_s + readout_s) / FRAME_S - 1e-6) * FRAME_S + 0.5 * exposure_s
    housekeeping, time_s = search.terminal.housekeeping, search.terminal.housekeeping_time_s
    range_m = float(np.interp(detected_s, time_s, housekeeping["range_m"])) if len(time_s) else 0.0
    tag_s = exposed_s - 2.0 * range_m / _SPEED_OF_LIGHT - flight["responder_delay_ms"] * 1e-3
    error_s = flight["time_tag_error_ms"] * 1e-3
    return search.mirror[search.around(tag_s, error_s, error_s)]


def _scans(search: Search, scanning: NDArray[np.bool_]) -> tuple[Points, Points]:
    """The path of the earlier scans and that of the last one, which begins where the mirror leaps furthest."""
    path, time_s = search.mirror[scanning], search.time_s[scanning]
    housekeeping, hk_time_s = search.terminal.housekeeping, search.terminal.housekeeping_time_s
    begun = hk_time_s[1:][np.diff(housekeeping["scans"].astype(np.int64)) > 0]
    begun = begun[(begun > time_s[0]) & (begun <= time_s[-1] + FRAME_S)] if len(time_s) else begun
    if len(begun) < 2:
        return path[:0], path
    # housekeeping comes ten times a second: the new scan began within the tenth before it counts
    near = np.flatnonzero((time_s > begun[-1] - 0.11) & (time_s <= begun[-1]))
    leap = near[0] + int(np.argmax(np.hypot(*np.diff(path[near], axis=0).T))) + 1
    return path[:leap], path[leap:]


def _path(axes: Axes, path: Points, colour: str, width: float, label: str | None, search: Search) -> None:
    if not len(path):
        return
    if search.settings["flight"]["acquisition"]["pattern"] == "step_stare":
        moved = np.any(np.diff(path, axis=0, prepend=np.nan) != 0.0, axis=1)
        path = path[moved]
        axes.plot(path[:, 0], path[:, 1], ".", color=colour, markersize=2.0 + width, linewidth=0, label=label)
        return
    axes.plot(
        path[:, 0], path[:, 1], color=colour, linewidth=width, label=label, solid_capstyle="round",
        rasterized=len(path) > _VECTOR_POINTS,
    )  # fmt: skip


def _partner(axes: Axes, cloud: Points) -> None:
    axes.plot(
        cloud[:, 0], cloud[:, 1], ".", color=_PARTNER, markersize=2.4, alpha=0.55, label="partner, true", zorder=4
    )


def _believed(axes: Axes, search: Search, detected_s: float, size: float) -> None:
    x, y = search.spot(detected_s)
    axes.plot(
        x, y, "o", color=style.FAULT, markersize=size, markerfacecolor="none", markeredgewidth=1.4,
        label="camera spot that is believed", zorder=7,
    )  # fmt: skip


def _label(axes: Axes, search: Search, what: str, small: bool) -> None:
    axes.set_aspect("equal")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(5 if small else 7, steps=[1, 2, 5, 10]))
    axes.set_xlabel("cross-elevation [µrad]")
    if not small:
        axes.set_ylabel("elevation [µrad]")
    axes.set_title(f"{search.terminal.name} {what}", color=style.ACCENTS[search.index])


def _legend(figure: Figure, left: float, columns: int) -> None:
    """One legend for all axes, each label once."""
    handles: dict[str, Artist] = {}
    for axes in figure.axes:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    figure.legend(list(handles.values()), list(handles), loc="lower left", bbox_to_anchor=(left, 0.015), ncols=columns)
