"""The mode manager: one table of transitions, each with its guard and its reason.

```
  STANDBY --> POINT --+--> SCAN  (initiator) --+--> COARSE_TRACK --> FINE_TRACK --> COMM
                      |                        |         |                |           |
                      +--> STARE (responder) --+         |                v           |
                             ^                           +---------> REACQUIRE <------+
                             +-------------------------------------------+
  every mode --> SAFE, which is left by command alone; why, `flightsw.services.fault_protection` has in its table
```
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from flightsw.settings import TerminalSettings


class Mode(IntEnum):
    """What a terminal is doing."""

    STANDBY = 0
    POINT = 1
    SCAN = 2
    STARE = 3
    COARSE_TRACK = 4
    FINE_TRACK = 5
    COMM = 6
    REACQUIRE = 7
    SAFE = 8


class Role(IntEnum):
    """Who searches and who waits."""

    INITIATOR = 0
    RESPONDER = 1


class Command(IntEnum):
    """What an operator or a schedule asks of the mode manager."""

    NONE = 0
    ACQUIRE = 1
    STANDBY = 2
    SAFE = 3


#: Modes in which light may leave the terminal.
EMITTING = frozenset({Mode.SCAN, Mode.STARE, Mode.COARSE_TRACK, Mode.FINE_TRACK, Mode.COMM, Mode.REACQUIRE})
#: Modes in which the fine loop is closed.
CLOSED = frozenset({Mode.FINE_TRACK, Mode.COMM})


@dataclass(slots=True)
class Situation:
    """What the guards look at, brought up to date each frame. Times in s, angles in rad."""

    role: Role
    command: Command = Command.NONE
    mode_s: float = 0.0  # since the mode was entered
    slot_s: float = 0.0  # since the time slot of the search began
    slot: int = 0
    pointed_s: float = 0.0  # since the gimbal is where it was sent
    seen: bool = False  # a spot on this frame's image that is believed
    unseen_s: float = 0.0  # since the last such spot
    lit_frames: int = 0  # frames in a row with light on the quad cell
    dark_s: float = 0.0  # since there was light on the quad cell
    seen_dark: int = 0  # images in a row with a believed spot and no light on the quad cell
    residual: float = 0.0  # rms per axis of the fine loop's error over the last frames
    light_time_s: float = 0.0
    learnt: bool = False  # the pointing bias is known from tracking
    unsafe: bool = False  # fault protection asks for SAFE
    given_up: bool = False  # fault protection asks for the end of the link


class Transition(NamedTuple):
    """From one mode to another when the guard holds. The first that holds is taken."""

    source: Mode
    target: Mode
    guard: Callable[[Situation], bool]
    reason: str


#: What operators and fault protection ask for, which goes before all else.
ORDERS = (
    *(Transition(m, Mode.SAFE, lambda s: s.command == Command.SAFE, "commanded") for m in Mode if m != Mode.SAFE),
    *(Transition(m, Mode.SAFE, lambda s: s.unsafe, "fault protection") for m in Mode if m != Mode.SAFE),
    *(
        Transition(m, Mode.STANDBY, lambda s: s.command == Command.STANDBY, "commanded")
        for m in Mode
        if m != Mode.STANDBY
    ),
    *(
        Transition(m, Mode.STANDBY, lambda s: s.given_up, "fault protection")
        for m in Mode
        if m not in (Mode.STANDBY, Mode.SAFE)
    ),
)


def transitions(settings: TerminalSettings) -> list[Transition]:
    """The table, in order of precedence within each mode."""
    h, a = settings.handover, settings.acquisition
    scans = a.search == "scan"

    def answer_overdue(s: Situation) -> bool:
        return s.unseen_s > 2.0 * s.light_time_s + h.answer_margin_s

    def pointed(s: Situation) -> bool:
        return s.pointed_s > h.point_settle_s

    def initiates(s: Situation) -> bool:
        return scans and s.role == Role.INITIATOR

    lost: list[tuple[Mode, Callable[[Situation], bool], str]] = [
        (Mode.REACQUIRE, lambda s: s.learnt, "with the learnt bias"),
        (Mode.SCAN, initiates, "to search again"),
        (Mode.STARE, lambda s: not initiates(s), "to search again"),
    ]

    def when(source: Mode, guard: Callable[[Situation], bool], reason: str) -> list[Transition]:
        """Rows from `source` to wherever a lost partner is looked for."""

        def both(outlet: Callable[[Situation], bool]) -> Callable[[Situation], bool]:
            return lambda s: guard(s) and outlet(s)

        return [Transition(source, target, both(outlet), f"{reason}, {purpose}") for target, outlet, purpose in lost]

    return [
        *ORDERS,
        Transition(Mode.STANDBY, Mode.POINT, lambda s: s.command == Command.ACQUIRE, "commanded to acquire"),
        Transition(Mode.POINT, Mode.SCAN, lambda s: pointed(s) and initiates(s), "pointed, initiator"),
        Transition(Mode.POINT, Mode.STARE, lambda s: pointed(s) and not initiates(s), "pointed, waits for light"),
        Transition(Mode.SCAN, Mode.COARSE_TRACK, lambda s: s.seen, "the partner answers"),
        Transition(Mode.SCAN, Mode.POINT, lambda s: _slot_over(s, a.slot_s, a.slots), "next time slot"),
        Transition(Mode.SCAN, Mode.STANDBY, lambda s: s.slot_s > a.slot_s, "no partner in any time slot"),
        Transition(Mode.STARE, Mode.COARSE_TRACK, lambda s: s.seen, "light in the field"),
        Transition(Mode.STARE, Mode.POINT, lambda s: _slot_over(s, a.slot_s, a.slots), "next time slot"),
        Transition(Mode.STARE, Mode.STANDBY, lambda s: s.slot_s > a.slot_s, "no partner in any time slot"),
        Transition(
            Mode.COARSE_TRACK, Mode.FINE_TRACK, lambda s: s.lit_frames >= h.lit_frames, "light on the quad cell"
        ),
        *when(Mode.COARSE_TRACK, answer_overdue, "no light in the field"),
        *when(Mode.COARSE_TRACK, lambda s: s.mode_s > h.coarse_timeout_s, "no light on the quad cell in time"),
        Transition(
            Mode.FINE_TRACK,
            Mode.COMM,
            lambda s: s.mode_s > h.fine_settle_s and s.dark_s == 0.0 and s.residual < h.fine_residual_urad * 1e-6,
            "settled",
        ),
        Transition(Mode.FINE_TRACK, Mode.COARSE_TRACK, _slipped, "light in the field but not on the quad cell"),
        *when(
            Mode.FINE_TRACK,
            lambda s: s.dark_s > max(2.0 * s.light_time_s + h.answer_margin_s, h.dropout_hold_s if s.learnt else 0.0),
            "dark too long",
        ),
        *when(Mode.FINE_TRACK, lambda s: s.mode_s > h.fine_timeout_s and s.dark_s > 0.0, "did not settle in time"),
        Transition(
            Mode.FINE_TRACK,
            Mode.COARSE_TRACK,
            lambda s: s.mode_s > h.fine_timeout_s and s.residual >= h.fine_residual_urad * 1e-6,
            "does not settle with light",
        ),
        Transition(Mode.COMM, Mode.COARSE_TRACK, _slipped, "light in the field but not on the quad cell"),
        Transition(
            Mode.COMM, Mode.REACQUIRE, lambda s: s.dark_s > h.dropout_hold_s, "dark longer than is held through"
        ),
        Transition(Mode.REACQUIRE, Mode.FINE_TRACK, lambda s: s.lit_frames >= h.lit_frames, "light on the quad cell"),
        Transition(Mode.REACQUIRE, Mode.COARSE_TRACK, lambda s: s.seen, "light in the field"),
        Transition(
            Mode.REACQUIRE,
            Mode.SCAN,
            lambda s: s.mode_s > h.reacquire_timeout_s and initiates(s),
            "not found near the learnt bias",
        ),
        Transition(
            Mode.REACQUIRE,
            Mode.STARE,
            lambda s: s.mode_s > h.reacquire_timeout_s and not initiates(s),
            "not found near the learnt bias",
        ),
    ]


_SLIP_IMAGES = 5  # that many images with the partner on them and none of its light on the quad cell are not a fade


def _slipped(s: Situation) -> bool:
    return s.seen_dark >= _SLIP_IMAGES


def _slot_over(s: Situation, slot_s: float, slots: int) -> bool:
    return s.slot_s > slot_s and s.slot + 1 < slots


class ModeManager:
    """Holds the mode and moves it along the table."""

    def __init__(self, settings: TerminalSettings) -> None:
        table = transitions(settings)
        self._table = [[row for row in table if row.source == mode] for mode in Mode]
        self._unordered = [[row for row in rows if row not in ORDERS] for rows in self._table]
        self.mode = Mode.STANDBY

    def step(self, situation: Situation) -> Transition | None:
        """Take the first transition whose guard holds, or none. A command is used up by being looked at."""
        ordered = situation.command or situation.unsafe or situation.given_up
        for row in (self._table if ordered else self._unordered)[self.mode]:
            if row.guard(situation):
                self.mode = row.target
                situation.command = Command.NONE
                situation.mode_s = 0.0
                return row
        situation.command = Command.NONE
        return None


def negotiate_role(settings: TerminalSettings, partner_id: int, slot: int, partner_role: str = "any") -> Role:
    """The role of this terminal in a time slot, from what both know before they see each other.

    A fixed role is kept, and a partner's fixed role leaves the other one. Otherwise the lower spacecraft id initiates
    in even slots and the higher one in odd ones, so a terminal whose own light does not reach the partner still gets to
    answer.
    """
    fixed = settings.acquisition.role
    if fixed != "any":
        return Role.INITIATOR if fixed == "initiator" else Role.RESPONDER
    if partner_role != "any":
        return Role.RESPONDER if partner_role == "initiator" else Role.INITIATOR
    lower = settings.spacecraft_id < partner_id
    return Role.INITIATOR if lower == (slot % 2 == 0) else Role.RESPONDER
