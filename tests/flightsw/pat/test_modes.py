"""The table of modes: every row reached, precedence, the way into and out of SAFE, roles, and when light may leave."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from flightsw.hal import SAMPLE, Angles, Devices
from flightsw.navigation.pointing_profile import PointingAngles
from flightsw.pat.modes import (
    CLOSED,
    EMITTING,
    Command,
    Mode,
    ModeManager,
    Role,
    Situation,
    negotiate_role,
    transitions,
)
from flightsw.settings import TerminalSettings
from flightsw.terminal import Terminal

SETTINGS = TerminalSettings.model_validate(
    {
        "spacecraft_id": 1,
        "acquisition": {"slot_s": 60.0, "slots": 5},
        "handover": {
            "point_settle_s": 0.2, "point_timeout_s": 120.0, "answer_margin_s": 0.1, "coarse_timeout_s": 2.0,
            "lit_frames": 2, "fine_settle_s": 0.3, "fine_residual_urad": 8.0, "fine_timeout_s": 5.0,
            "dropout_hold_s": 2.5, "reacquire_timeout_s": 10.0,
        },
    }
)  # fmt: skip
URAD = 1e-6


def quiet(**fields: object) -> Situation:
    """A situation in which nothing happens in any mode, but for `fields`. The residual is far too large for a link."""
    return Situation(**{"role": Role.INITIATOR, "residual": 1000.0 * URAD, **fields})


def take(mode: Mode, situation: Situation, settings: TerminalSettings = SETTINGS):
    """The row that a manager in `mode` takes."""
    manager = ModeManager(settings)
    manager.mode = mode
    row = manager.step(situation)
    assert manager.mode == (mode if row is None else row.target)
    return row


RESPONDS = {"role": Role.RESPONDER}
LEARNT = {"learnt": True}

#: Source, target, reason, and the least that must happen for it.
ROWS = [
    (Mode.STANDBY, Mode.POINT, "commanded to acquire", {"command": Command.ACQUIRE}),
    (Mode.POINT, Mode.SCAN, "pointed, initiator", {"pointed_s": 0.21}),
    (Mode.POINT, Mode.STARE, "pointed, waits for light", {"pointed_s": 0.21, **RESPONDS}),
    (Mode.SCAN, Mode.COARSE_TRACK, "the partner answers", {"seen": True}),
    (Mode.SCAN, Mode.POINT, "next time slot", {"slot_s": 60.1}),
    (Mode.SCAN, Mode.STANDBY, "no partner in any time slot", {"slot_s": 60.1, "slot": 4}),
    (Mode.STARE, Mode.COARSE_TRACK, "light in the field", {"seen": True}),
    (Mode.STARE, Mode.POINT, "next time slot", {"slot_s": 60.1}),
    (Mode.STARE, Mode.STANDBY, "no partner in any time slot", {"slot_s": 60.1, "slot": 4}),
    (Mode.COARSE_TRACK, Mode.FINE_TRACK, "light on the quad cell", {"lit_frames": 2}),
    (Mode.COARSE_TRACK, Mode.SCAN, "no light in the field, to search again", {"unseen_s": 0.11}),
    (Mode.COARSE_TRACK, Mode.STARE, "no light in the field, to search again", {"unseen_s": 0.11, **RESPONDS}),
    (Mode.COARSE_TRACK, Mode.REACQUIRE, "no light in the field, with the learnt bias", {"unseen_s": 0.11, **LEARNT}),
    (Mode.COARSE_TRACK, Mode.SCAN, "no light on the quad cell in time, to search again", {"mode_s": 2.01}),
    (Mode.COARSE_TRACK, Mode.STARE, "no light on the quad cell in time, to search again", {"mode_s": 2.01, **RESPONDS}),
    (
        Mode.COARSE_TRACK,
        Mode.REACQUIRE,
        "no light on the quad cell in time, with the learnt bias",
        {"mode_s": 2.01, **LEARNT},
    ),
    (Mode.FINE_TRACK, Mode.COMM, "settled", {"mode_s": 0.31, "residual": 7.9 * URAD}),
    (Mode.FINE_TRACK, Mode.COARSE_TRACK, "light in the field but not on the quad cell", {"seen_dark": 5}),
    (Mode.FINE_TRACK, Mode.SCAN, "dark too long, to search again", {"dark_s": 0.11}),
    (Mode.FINE_TRACK, Mode.STARE, "dark too long, to search again", {"dark_s": 0.11, **RESPONDS}),
    (Mode.FINE_TRACK, Mode.REACQUIRE, "dark too long, with the learnt bias", {"dark_s": 2.51, **LEARNT}),
    (Mode.FINE_TRACK, Mode.SCAN, "did not settle in time, to search again", {"mode_s": 5.1, "dark_s": 0.05}),
    (Mode.FINE_TRACK, Mode.COARSE_TRACK, "does not settle with light", {"mode_s": 5.1}),
    (
        Mode.FINE_TRACK,
        Mode.STARE,
        "did not settle in time, to search again",
        {"mode_s": 5.1, "dark_s": 0.05, **RESPONDS},
    ),
    (
        Mode.FINE_TRACK,
        Mode.REACQUIRE,
        "did not settle in time, with the learnt bias",
        {"mode_s": 5.1, "dark_s": 0.05, **LEARNT},
    ),
    (Mode.COMM, Mode.COARSE_TRACK, "light in the field but not on the quad cell", {"seen_dark": 5}),
    (Mode.COMM, Mode.REACQUIRE, "dark longer than is held through", {"dark_s": 2.51}),
    (Mode.REACQUIRE, Mode.FINE_TRACK, "light on the quad cell", {"lit_frames": 2}),
    (Mode.REACQUIRE, Mode.COARSE_TRACK, "light in the field", {"seen": True}),
    (Mode.REACQUIRE, Mode.SCAN, "not found near the learnt bias", {"mode_s": 10.1}),
    (Mode.REACQUIRE, Mode.STARE, "not found near the learnt bias", {"mode_s": 10.1, **RESPONDS}),
]
for _mode in Mode:
    if _mode != Mode.STANDBY:
        ROWS.append((_mode, Mode.STANDBY, "commanded", {"command": Command.STANDBY}))
    if _mode != Mode.SAFE:
        ROWS.append((_mode, Mode.SAFE, "commanded", {"command": Command.SAFE}))
        ROWS.append((_mode, Mode.SAFE, "fault protection", {"unsafe": True}))
    if _mode not in (Mode.STANDBY, Mode.SAFE):
        ROWS.append((_mode, Mode.STANDBY, "fault protection", {"given_up": True}))


@pytest.mark.parametrize(
    ("source", "target", "reason", "fields"), ROWS, ids=[f"{r[0].name}-{r[1].name}-{r[2]}" for r in ROWS]
)
def test_a_row_is_taken_when_its_guard_holds_and_for_no_less(source, target, reason, fields) -> None:
    row = take(source, quiet(**fields))
    assert (row.source, row.target, row.reason) == (source, target, reason)
    for name in fields:
        less = {other: value for other, value in fields.items() if other != name}
        other_row = take(source, quiet(**less))
        assert other_row is None or (other_row.target, other_row.reason) != (target, reason)


def test_the_table_has_no_row_that_is_not_reached_here() -> None:
    table = [(row.source, row.target, row.reason) for row in transitions(SETTINGS)]
    assert sorted(table) == sorted(row[:3] for row in ROWS)


@pytest.mark.parametrize("mode", list(Mode))
def test_nothing_happens_in_a_quiet_situation(mode) -> None:
    assert take(mode, quiet()) is None


#: Just not enough for a transition.
SHORT = [
    (Mode.POINT, {"pointed_s": 0.19}),
    (Mode.SCAN, {"slot_s": 59.9, "slot": 4}),
    (Mode.COARSE_TRACK, {"lit_frames": 1, "unseen_s": 0.09, "mode_s": 1.99}),
    (Mode.COARSE_TRACK, {"unseen_s": 0.13, "light_time_s": 0.0167}),
    (Mode.FINE_TRACK, {"mode_s": 0.29, "residual": 7.9 * URAD}),
    (Mode.FINE_TRACK, {"mode_s": 4.0, "residual": 8.1 * URAD}),
    (Mode.FINE_TRACK, {"mode_s": 0.31, "residual": 7.9 * URAD, "dark_s": 0.01}),
    (Mode.FINE_TRACK, {"dark_s": 0.13, "light_time_s": 0.0167}),
    (Mode.FINE_TRACK, {"dark_s": 2.49, "learnt": True}),
    (Mode.FINE_TRACK, {"seen_dark": 4}),
    (Mode.COMM, {"dark_s": 2.49, "seen_dark": 4}),
    (Mode.REACQUIRE, {"lit_frames": 1, "mode_s": 9.9}),
    (Mode.STANDBY, {"given_up": True}),
    (Mode.SAFE, {"given_up": True, "unsafe": True}),
]


@pytest.mark.parametrize(("mode", "fields"), SHORT)
def test_a_mode_is_kept_just_below_its_limits(mode, fields) -> None:
    assert take(mode, quiet(**fields)) is None


#: Of two that hold at once, the one that goes first.
FIRST = [
    (Mode.SCAN, {"seen": True, "slot_s": 70.0}, Mode.COARSE_TRACK),
    (Mode.STARE, {"seen": True, "slot_s": 70.0}, Mode.COARSE_TRACK),
    (Mode.COARSE_TRACK, {"lit_frames": 2, "unseen_s": 1.0, "mode_s": 3.0}, Mode.FINE_TRACK),
    (Mode.FINE_TRACK, {"seen_dark": 5, "dark_s": 10.0, "mode_s": 6.0}, Mode.COARSE_TRACK),
    (Mode.COMM, {"seen_dark": 5, "dark_s": 10.0}, Mode.COARSE_TRACK),
    (Mode.REACQUIRE, {"seen": True, "lit_frames": 2, "mode_s": 11.0}, Mode.FINE_TRACK),
    (Mode.POINT, {"pointed_s": 1.0, "given_up": True}, Mode.STANDBY),
    (Mode.COMM, {"command": Command.STANDBY, "dark_s": 10.0}, Mode.STANDBY),
    (Mode.COMM, {"command": Command.STANDBY, "unsafe": True}, Mode.SAFE),
    (Mode.COMM, {"given_up": True, "unsafe": True}, Mode.SAFE),
    (Mode.STANDBY, {"command": Command.ACQUIRE, "unsafe": True}, Mode.SAFE),
]


@pytest.mark.parametrize(("mode", "fields", "target"), FIRST)
def test_precedence(mode, fields, target) -> None:
    assert take(mode, quiet(**fields)).target == target


@pytest.mark.parametrize("mode", [Mode.COARSE_TRACK, Mode.FINE_TRACK, Mode.COMM])
def test_a_tracked_partner_is_looked_for_again_near_the_learnt_bias(mode) -> None:
    assert take(mode, quiet(unseen_s=9.0, dark_s=9.0, learnt=True)).target == Mode.REACQUIRE


def test_with_a_beacon_nobody_scans() -> None:
    settings = TerminalSettings.model_validate({"spacecraft_id": 1, "acquisition": {"search": "beacon"}})
    assert take(Mode.POINT, quiet(pointed_s=1.0), settings).target == Mode.STARE
    assert take(Mode.COARSE_TRACK, quiet(unseen_s=1.0), settings).target == Mode.STARE
    assert take(Mode.REACQUIRE, quiet(mode_s=11.0), settings).target == Mode.STARE


def test_a_transition_resets_the_time_in_the_mode_and_uses_the_command_up() -> None:
    situation = quiet(command=Command.ACQUIRE, mode_s=7.0)
    take(Mode.STANDBY, situation)
    assert (situation.command, situation.mode_s) == (Command.NONE, 0.0)


def test_a_command_that_does_not_apply_is_used_up_too() -> None:
    situation = quiet(command=Command.ACQUIRE, mode_s=7.0)
    assert take(Mode.COMM, situation) is None
    assert (situation.command, situation.mode_s) == (Command.NONE, 7.0)


def test_light_may_leave_only_after_pointing() -> None:
    assert {Mode.STANDBY, Mode.POINT, Mode.SAFE}.isdisjoint(EMITTING)
    assert EMITTING >= CLOSED
    entries = [row for row in transitions(SETTINGS) if row.target in EMITTING and row.source not in EMITTING]
    assert {row.source for row in entries} == {Mode.POINT}
    everything = quiet(seen=True, lit_frames=9, seen_dark=9, unseen_s=9.0, slot_s=99.0, residual=0.0, learnt=True)
    for role in Role:
        everything.role = role
        assert not any(row.guard(everything) for row in entries)


times = st.floats(0.0, 200.0) | st.sampled_from([math.nan, math.inf])
counts = st.integers(0, 10)
situations = st.builds(
    Situation,
    role=st.sampled_from(Role),
    command=st.sampled_from(Command),
    mode_s=times,
    slot_s=times,
    slot=counts,
    pointed_s=times,
    seen=st.booleans(),
    unseen_s=times,
    lit_frames=counts,
    dark_s=times,
    seen_dark=counts,
    residual=st.floats(0.0, 1e-3) | st.just(math.nan),
    light_time_s=st.floats(0.0, 0.3),
    learnt=st.booleans(),
    unsafe=st.booleans(),
    given_up=st.booleans(),
)


@hypothesis_settings(max_examples=300, deadline=None)
@given(st.lists(situations, min_size=1, max_size=30))
def test_any_course_of_events_ends_in_a_mode_by_the_table(course) -> None:
    manager = ModeManager(SETTINGS)
    for situation in course:
        before, asked, danger = manager.mode, situation.command, situation.unsafe
        row = manager.step(situation)
        assert manager.mode in Mode
        assert situation.command == Command.NONE
        if before == Mode.SAFE:
            assert manager.mode == (Mode.STANDBY if asked == Command.STANDBY else Mode.SAFE)
        elif danger or asked == Command.SAFE:
            assert manager.mode == Mode.SAFE
        elif asked == Command.STANDBY or (situation.given_up and before != Mode.STANDBY):
            assert manager.mode == Mode.STANDBY
        if row is None:
            assert manager.mode == before
        else:
            assert (row.source, row.target) == (before, manager.mode)
            assert row.reason


def terminal_settings(spacecraft_id: int, role: str = "any") -> TerminalSettings:
    return TerminalSettings.model_validate({"spacecraft_id": spacecraft_id, "acquisition": {"role": role}})


ids = st.integers(0, 65535)


@given(st.tuples(ids, ids).filter(lambda pair: pair[0] != pair[1]), st.integers(0, 1000))
def test_in_every_slot_one_initiates_and_the_other_responds(pair, slot) -> None:
    one, other = pair
    roles = {
        negotiate_role(terminal_settings(one), other, slot),
        negotiate_role(terminal_settings(other), one, slot),
    }
    assert roles == {Role.INITIATOR, Role.RESPONDER}


def test_the_lower_id_begins_and_roles_change_with_the_slot() -> None:
    own = terminal_settings(101)
    initiator, responder = Role.INITIATOR, Role.RESPONDER
    assert [negotiate_role(own, 102, slot) for slot in range(4)] == [initiator, responder, initiator, responder]
    assert [negotiate_role(own, 100, slot) for slot in range(4)] == [responder, initiator, responder, initiator]


@given(ids, ids, st.integers(0, 1000))
def test_a_fixed_role_is_kept(one, other, slot) -> None:
    assert negotiate_role(terminal_settings(one, "initiator"), other, slot) == Role.INITIATOR
    assert negotiate_role(terminal_settings(one, "responder"), other, slot) == Role.RESPONDER
    # the partner that leaves it open takes the other part
    assert negotiate_role(terminal_settings(other), one, slot, "initiator") == Role.RESPONDER
    assert negotiate_role(terminal_settings(other), one, slot, "responder") == Role.INITIATOR


class Device:
    """Every device of a terminal at once: in place, dark, and recording what the lasers are told."""

    sample_rate_hz = 1000.0

    def __init__(self) -> None:
        self.emitted: list[tuple[bool, bool]] = []

    def command(self, *values: float) -> None: ...
    def enable(self, on: bool) -> None: ...
    def configure(self, parameters: np.ndarray) -> None: ...
    def follow(self, trajectory: np.ndarray) -> None: ...
    def hold(self, x_rad: float, y_rad: float) -> None: ...
    def close(self) -> None: ...
    def image(self) -> None: ...

    def angles(self) -> Angles:
        return Angles(0.0, 0.0)

    def block(self) -> np.ndarray:
        return np.zeros(10, SAMPLE)

    def emit(self, signal: bool, beacon: bool) -> None:
        self.emitted.append((signal, beacon))

    def emits(self) -> bool:
        return any(self.emitted[-1])

    def lead(self) -> tuple[float, float]:
        return 0.0, 0.0


#: Signal and beacon.
LIGHT = {
    Mode.STANDBY: (False, False),
    Mode.POINT: (False, False),
    Mode.SCAN: (True, True),
    Mode.STARE: (False, True),
    Mode.COARSE_TRACK: (True, True),
    Mode.FINE_TRACK: (True, True),
    Mode.COMM: (True, True),
    Mode.REACQUIRE: (True, True),
    Mode.SAFE: (False, False),
}


@pytest.mark.parametrize("mode", list(Mode))
def test_a_terminal_emits_what_its_mode_allows(mode) -> None:
    device = Device()
    aim = PointingAngles(0.0, 0.0, 0.0, 0.0, 3e6, 0.01, 0.0, 0.0)
    terminal = Terminal(
        "a", SETTINGS, Devices(*[device] * 5), SimpleNamespace(at=lambda now_s: aim), 2, "any", np.zeros((64, 64), bool)
    )
    assert device.emitted == [(False, False)]
    terminal._modes.mode = mode
    terminal.frame(0.01)
    assert terminal.mode == mode
    assert device.emitted[-1] == LIGHT[mode]
    terminal.command(Command.SAFE)
    terminal.frame(0.02)
    assert terminal.mode == Mode.SAFE
    assert device.emitted[-1] == (False, False)
