"""Fault protection: one table of what is watched, its limit, for how long, and what is done about it.

A row's fault is found when its monitor has held at as many looks in a row as its persistence, and is over when it has
not at as many. Either is an event. While a fault is there its response holds: no light, or no link, or SAFE, which a
telecommand alone leaves. What is done otherwise is the mode manager's; the laser's part is `flightsw.interlock`'s.
`docs/fault_protection.md` has the table to read.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum

from flightsw.hal import FRAME_S
from flightsw.pat.modes import CLOSED, EMITTING, Mode
from flightsw.services.declarations import Item
from flightsw.services.events import EventKind, Severity
from flightsw.services.pus.failure import CommandRefused, FailureCode
from flightsw.settings import TerminalSettings

#: Periods of the frame loop without a frame after which the watchdog bites.
WATCHDOG_PERIODS = 10

#: Frames from one look to the next at what changes slowly.
SLOW_FRAMES = 10

_DARK_IMAGES = 60
#: Devices whose line is cut for less come back by themselves, and the link with them.
_OUTAGE_S = 10.0
_OUTAGE_LOOKS = 100
_UNSETTLED_S = 5.0
_POINTING_RAD = 500e-6
_LEAD_RAD = 5e-6
_TIME_STEP_S = 0.05
_PARTNER_SEEN = CLOSED | {Mode.COARSE_TRACK}


class Response(IntEnum):
    """What is done about a fault, besides the event."""

    EVENT = 0
    INHIBIT_LASER = 1
    STANDBY = 2
    SAFE = 3


@dataclass(slots=True)
class Health:
    """What the rows look at. The first part is brought up to date in each frame, the second one every `SLOW_FRAMES`."""

    mode: Mode = Mode.STANDBY
    cell_invalid: bool = False  # a sample of the fine loop that is no number
    encoder_invalid: bool = False  # a gimbal angle that is no number
    gimbal_off: float = 0.0  # rad, of the gimbal's reading from where it was sent, both axes together
    mirror_beyond: bool = False  # the mirror was asked beyond its range
    step_s: float = FRAME_S  # of the time from one frame to the next
    periods: int = 1  # of the frame loop since the last frame
    raised: bool = False  # the frame was not run to its end

    mode_s: float = 0.0  # since the mode was entered
    unsettled_s: float = 0.0  # time with light in a closed fine loop that has not settled since
    dark_images: int = 0  # in a row, with the partner and no light on the quad cell
    blind_s: float = 0.0  # since the last image, or since the camera is on
    lead_off: float = 0.0  # rad, of the point-ahead mirror's reading from where it was sent, both axes together
    lit_asked: bool = False  # the laser was told to shine
    lit_found: bool = False  # its monitor diode sees light
    silence_s: float = 0.0  # since the ground was heard
    silence_limit_s: float = 0.0  # 0: any
    not_stored: bool = False  # parameters or the schedule could not be kept


@dataclass(frozen=True, slots=True)
class Row:
    """One row.

    monitored, limit: for people; holds: what is monitored is beyond the limit; persistence: looks in a row; interval:
    frames from one look to the next, 1 or `SLOW_FRAMES`; guards_laser: no operator can inhibit it.
    """

    name: str
    monitored: str
    limit: str
    holds: Callable[[Health], bool]
    interval: int
    persistence: int
    response: Response
    severity: Severity
    meaning: str
    guards_laser: bool = False


def rows(settings: TerminalSettings) -> tuple[Row, ...]:
    """The table. All but limits is the same for all settings."""
    late_s = settings.handover.point_timeout_s
    slow = SLOW_FRAMES
    event, inhibit, standby, safe = Response.EVENT, Response.INHIBIT_LASER, Response.STANDBY, Response.SAFE
    low, medium, high = Severity.LOW, Severity.MEDIUM, Severity.HIGH
    # fmt: off
    return (
        Row("QUAD_CELL_INVALID", "samples of the fine loop", "a number",
            lambda h: h.cell_invalid,
            1, 5, safe, high, "the quad cell reads no number"),
        Row("QUAD_CELL_DARK", "images with the partner and no light on the quad cell, in a row", f"{_DARK_IMAGES}",
            lambda h: h.dark_images > _DARK_IMAGES and h.mode in _PARTNER_SEEN,
            slow, 1, event, medium, "the camera sees the partner, the quad cell or the mirror before it does not"),
        Row("CAMERA_SILENT", "images of a camera that is on", f"{_OUTAGE_S:g} s without",
            lambda h: h.blind_s > _OUTAGE_S,
            slow, 1, standby, medium, "the camera is on and sends no image"),
        Row("ENCODER_INVALID", "angles of the gimbal", "a number",
            lambda h: h.encoder_invalid,
            1, 5, safe, high, "the gimbal's encoder reads no number"),
        Row("POINTING_OFF", "gimbal from where it was sent, in a mode that emits", f"{_POINTING_RAD * 1e6:g} urad",
            lambda h: h.gimbal_off > _POINTING_RAD and h.mode in EMITTING,
            1, 10, inhibit, medium, "the gimbal is not where it should be, so no light may leave", guards_laser=True),
        Row("GIMBAL_STUCK", "gimbal from where it was sent, in a mode that emits", f"{_POINTING_RAD * 1e6:g} urad",
            lambda h: h.gimbal_off > _POINTING_RAD and h.mode in EMITTING,
            slow, _OUTAGE_LOOKS, standby, medium, "the gimbal does not go where it is sent, or its encoder stands"),
        Row("GIMBAL_LATE", "time in POINT", "`handover.point_timeout_s`",
            lambda h: h.mode_s > late_s and h.mode == Mode.POINT,
            slow, 1, safe, high, "the gimbal did not arrive in time"),
        Row("MIRROR_BEYOND_RANGE", "set-points of the steering mirror", "`tracking.mirror_range_urad`",
            lambda h: h.mirror_beyond,
            1, 1, safe, high, "the steering mirror was asked beyond its range"),
        Row("MIRROR_STUCK", "time with light above `handover.fine_residual_urad`", f"{_UNSETTLED_S:g} s",
            lambda h: h.unsettled_s > _UNSETTLED_S,
            slow, 1, standby, medium, "the fine loop does not settle with light: the steering mirror stays behind"),
        Row("POINT_AHEAD_OFF", "point-ahead mirror from where it was sent", f"{_LEAD_RAD * 1e6:g} urad",
            lambda h: not h.lead_off <= _LEAD_RAD,
            slow, _OUTAGE_LOOKS, standby, medium, "the point-ahead mirror is not where it was sent"),
        Row("LASER_DARK", "monitor diode of a laser that is on", "light",
            lambda h: h.lit_asked and not h.lit_found,
            slow, 2, event, medium, "the laser is told to shine and is dark"),
        Row("LASER_LIT", "monitor diode of a laser that is off", "no light",
            lambda h: h.lit_found and not h.lit_asked,
            slow, 2, safe, high, "the laser is told to be dark and shines: cut its power", guards_laser=True),
        Row("TIME_JUMPED", "time from one frame to the next", f"{_TIME_STEP_S * 1e3:g} ms from {FRAME_S * 1e3:g} ms",
            lambda h: not -_TIME_STEP_S <= h.step_s - FRAME_S <= _TIME_STEP_S,
            1, 1, safe, high, "the time jumped, so the pointing is not to be trusted"),
        Row("TIME_STANDS", "time from one frame to the next", f"{0.5 * FRAME_S * 1e3:g} ms at least",
            lambda h: h.step_s < 0.5 * FRAME_S,
            1, 5, safe, high, "the time stands or runs back, so the pointing is not to be trusted"),
        Row("GROUND_SILENT", "time since a telecommand frame was accepted", "parameter `command_loss_time`",
            lambda h: 0.0 < h.silence_limit_s < h.silence_s,
            slow, 1, safe, high, "nothing has been heard from the ground for too long"),
        Row("FRAME_LATE", "periods of the frame loop since the last frame", "1",
            lambda h: h.periods > 1,
            1, 1, event, low, "a frame of the flight software came late"),
        Row("FRAME_MISSED", "periods of the frame loop since the last frame", f"{WATCHDOG_PERIODS}",
            lambda h: h.periods > WATCHDOG_PERIODS,
            1, 1, safe, high, "the watchdog has bitten: the flight software ran no frame", guards_laser=True),
        Row("FRAME_RAISED", "frames that were not run to their end", "none",
            lambda h: h.raised,
            1, 1, safe, high, "the flight software failed in a frame; FRAME_FAILED says where", guards_laser=True),
        Row("STORAGE_FAILED", "writes of parameters and of the schedule", "done",
            lambda h: h.not_stored,
            slow, 1, event, medium, "parameters or the schedule cannot be kept over a restart"),
    )
    # fmt: on


#: For what is the same for all settings.
TABLE = rows(TerminalSettings(spacecraft_id=0))
NAMES = tuple(row.name for row in TABLE)
ROW = Item("row", "u1", "", "row of the table of faults", NAMES)

_FIRST_EVENT = 101
FAULT_OVER = EventKind(100, "FAULT_OVER", Severity.INFO, "{row} is over", (ROW,))
#: What an event of each row says.
FOUND = tuple(EventKind(number, row.name, row.severity, row.meaning) for number, row in enumerate(TABLE, _FIRST_EVENT))
EVENTS = (FAULT_OVER, *FOUND)


class FaultProtection:
    """Watches the rows of the table. tell: takes an event's kind and values.

    Attributes:
        faults: those that are there, a bit for each row, the first one in the lowest.
        inhibited: rows that are not watched, likewise.
        busy: a fault is there, or on its way: the next frame must be looked at.
        dark, given_up, unsafe: whether one of them asks for no light, the end of the link, SAFE.
    """

    def __init__(self, table: Sequence[Row], tell: Callable[..., None]) -> None:
        self._table = table
        every = list(range(len(table)))
        quick = [number for number in every if table[number].interval == 1]
        self._looks = [[(number, table[number].holds) for number in looked] for looked in (quick, every)]
        self._tell = tell
        self._times = [0] * len(table)  # looks in a row that contradict what has been found
        self.busy = False
        self.faults = 0
        self.inhibited = 0
        self.dark = self.given_up = self.unsafe = False

    def check(self, health: Health, slow: bool) -> None:
        """Look at the rows, once a frame; slow: at those that change slowly, too."""
        looks = self._looks[slow]
        holding = [number for number, holds in looks if holds(health)]
        if not holding and not self.busy:
            return
        for number, _ in looks:
            self._count(number, number in holding)
        responses = {row.response for number, row in enumerate(self._table) if self.faults >> number & 1}
        self.dark = Response.INHIBIT_LASER in responses
        self.given_up = Response.STANDBY in responses
        self.unsafe = Response.SAFE in responses
        self.busy = self.faults != 0 or any(self._times)

    def inhibit(self, number: int) -> None:
        """Watch a row no more. Raises CommandRefused for one that guards the laser."""
        if self._table[number].guards_laser:
            raise CommandRefused(
                FailureCode.OUT_OF_RANGE, f"expected a row that does not guard the laser, found {NAMES[number]}"
            )
        self.inhibited |= 1 << number

    def enable(self, number: int) -> None:
        """Watch a row again."""
        self.inhibited &= ~(1 << number)

    def _count(self, number: int, holds: bool) -> None:
        bit = 1 << number
        if (holds and not self.inhibited & bit) == bool(self.faults & bit):
            self._times[number] = 0
            return
        self._times[number] += 1
        if self._times[number] < self._table[number].persistence:
            return
        self._times[number] = 0
        self.faults ^= bit
        if self.faults & bit:
            self._tell(FOUND[number])
        else:
            self._tell(FAULT_OVER, number)


class Watchdog:
    """Counts the periods of the frame loop against the frames that are run.

    Whoever runs the loop calls `tick` once a period, whether a frame comes or not; each frame sets `periods` back.
    After `WATCHDOG_PERIODS` without a frame it bites, in every period until there is one. bite: brings the terminal to
    SAFE.

    Attributes:
        periods: since the last frame.
    """

    def __init__(self, bite: Callable[[], None]) -> None:
        self._bite = bite
        self.periods = 0

    def tick(self) -> None:
        """A period begins."""
        self.periods += 1
        if self.periods > WATCHDOG_PERIODS:
            self._bite()
