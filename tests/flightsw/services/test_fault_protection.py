"""Each row of the table: its fault is put on the devices, found within its time, and answered."""

import math
import re
from pathlib import Path

import pytest
from spacepackets.ecss.tc import PusTc

from flightsw.errors import ConfigError
from flightsw.hal import FRAME_S
from flightsw.operations import PARAMETERS
from flightsw.pat.modes import Command, Mode, Role
from flightsw.secret import Secret
from flightsw.services.commanding import Commanding
from flightsw.services.fault_protection import NAMES, TABLE, Health, Response, rows
from flightsw.services.parameters import NOTHING, Parameters
from flightsw.services.pus.failure import CommandRefused, FailureCode
from flightsw.services.pus.schedule import EMPTY
from flightsw.services.two_copies import TwoCopies
from flightsw.settings import TerminalSettings


class Flight:
    """A terminal in frames of 10 ms, with a watchdog's timer. clock_s: how far its time is off; runs: whether it
    runs its frames.
    """

    def __init__(self, terminal):
        self.terminal = terminal
        self.devices = terminal.devices
        self.now_s = 0.0
        self.clock_s = 0.0
        self.runs = True
        self.events = []

    def frame(self):
        self.now_s = round(self.now_s + FRAME_S, 2)
        self.terminal.watchdog.tick()
        if self.runs:
            self.terminal.frame(self.now_s + self.clock_s)
        self.events += self.terminal.events
        self.terminal.events.clear()
        return self.terminal.mode

    def until(self, mode, longest=400):
        for _ in range(longest):
            if self.frame() == mode:
                return
        raise AssertionError(f"expected {mode.name}, found {self.terminal.mode.name}")

    def frames_until(self, name, longest):
        """Frames until there is an event of this name."""
        for k in range(1, longest + 1):
            self.frame()
            if name in self.names():
                return k
        raise AssertionError(f"expected {name} in {longest} frames, found {self.names()}")

    def names(self):
        return [event.name for event in self.events]


def light(flight, error_rad=0.0):
    flight.devices.fine_loop.samples["power_w"] = 1e-6
    flight.devices.fine_loop.samples["error_x"] = error_rad


def to(mode):
    """What brings a responder to a mode."""

    def bring(flight):
        flight.terminal.command(Command.ACQUIRE, Role.RESPONDER)
        flight.until(Mode.POINT)
        if mode == Mode.POINT:
            return
        flight.until(Mode.STARE)
        if mode == Mode.STARE:
            return
        flight.devices.camera.spot = 2
        flight.until(Mode.COARSE_TRACK)
        if mode == Mode.COARSE_TRACK:
            return
        light(flight)
        flight.until(mode)

    return bring


def stay(flight):
    flight.until(Mode.STANDBY)


def invalid_samples(flight):
    flight.devices.fine_loop.samples["error_y"][3] = math.nan


def invalid_mirror(flight):
    flight.devices.fine_loop.samples["mirror_x"][3] = math.inf


def dead_camera(flight):
    flight.devices.camera.dead = True


def blind_encoder(flight):
    flight.devices.gimbal.off = math.nan


def gimbal_away(flight):
    flight.devices.gimbal.off = 501e-6


def spot_beyond_the_mirror(flight):
    flight.devices.camera.spot = 9


def restless_loop(flight):
    light(flight, 30e-6)


def lead_away(flight):
    flight.devices.point_ahead.off = 5.1e-6


def lead_invalid(flight):
    flight.devices.point_ahead.off = math.nan


def dead_laser(flight):
    flight.devices.laser.dead = True


def leaking_laser(flight):
    flight.devices.laser.leaks = True


def clock_jumps(flight):
    flight.clock_s += 0.051


def clock_jumps_back(flight):
    flight.clock_s -= 0.051


def clock_stands(flight):
    flight.frame_of = flight.frame

    def frame():
        flight.clock_s -= FRAME_S
        return flight.frame_of()

    flight.frame = frame


def silent_ground(flight):
    flight.terminal.parameters.set({"command_loss_time": 1})
    flight.terminal.hear_ground(flight.now_s)


def late_frame(flight):
    flight.terminal.watchdog.tick()


def no_frames(flight):
    flight.runs = False


def broken_gimbal(flight):
    flight.devices.gimbal.broken = True


def nothing_kept(flight):
    flight.terminal.miss_storage()


NOTHING_DONE = None
#: Row, what is needed for it, the fault, frames that its limit is long, what it comes to.
CASES = [
    ("QUAD_CELL_INVALID", to(Mode.COMM), invalid_samples, 0, Mode.SAFE),
    ("QUAD_CELL_INVALID", to(Mode.STARE), invalid_mirror, 0, Mode.SAFE),
    ("QUAD_CELL_DARK", to(Mode.COARSE_TRACK), lambda flight: None, 60, NOTHING_DONE),
    ("CAMERA_SILENT", to(Mode.STARE), dead_camera, 1000, Mode.STANDBY),
    ("ENCODER_INVALID", to(Mode.STARE), blind_encoder, 0, Mode.SAFE),
    ("ENCODER_INVALID", stay, blind_encoder, 0, Mode.SAFE),
    ("POINTING_OFF", to(Mode.STARE), gimbal_away, 0, Mode.STARE),
    ("GIMBAL_STUCK", to(Mode.STARE), gimbal_away, 0, Mode.STANDBY),
    ("GIMBAL_LATE", stay, lambda flight: [gimbal_away(flight), to(Mode.POINT)(flight)], 12_000, Mode.SAFE),
    ("MIRROR_BEYOND_RANGE", to(Mode.COARSE_TRACK), spot_beyond_the_mirror, 1, Mode.SAFE),
    ("MIRROR_STUCK", to(Mode.COMM), restless_loop, 490, Mode.STANDBY),
    ("POINT_AHEAD_OFF", to(Mode.STARE), lead_away, 0, Mode.STANDBY),
    ("POINT_AHEAD_OFF", to(Mode.COMM), lead_invalid, 0, Mode.STANDBY),
    ("LASER_DARK", to(Mode.COMM), dead_laser, 0, NOTHING_DONE),
    ("LASER_LIT", stay, leaking_laser, 0, Mode.SAFE),
    ("TIME_JUMPED", to(Mode.STARE), clock_jumps, 0, Mode.SAFE),
    ("TIME_JUMPED", to(Mode.STARE), clock_jumps_back, 0, Mode.SAFE),
    ("TIME_STANDS", to(Mode.STARE), clock_stands, 0, Mode.SAFE),
    ("GROUND_SILENT", stay, silent_ground, 100, Mode.SAFE),
    ("FRAME_LATE", to(Mode.STARE), late_frame, 0, NOTHING_DONE),
    ("FRAME_MISSED", to(Mode.COMM), no_frames, 10, Mode.SAFE),
    ("FRAME_RAISED", to(Mode.COMM), broken_gimbal, 0, Mode.SAFE),
    ("STORAGE_FAILED", stay, nothing_kept, 0, NOTHING_DONE),
]
ROWS = dict(zip(NAMES, TABLE, strict=True))
#: A mirror that the camera's field reaches beyond.
NARROW = TerminalSettings.model_validate(
    {"spacecraft_id": 1, "acquisition": {"uncertainty_urad": 50}, "tracking": {"mirror_range_urad": 200}}
)


@pytest.fixture
def flight(make_terminal):
    return Flight(make_terminal(settings=NARROW))


@pytest.mark.parametrize(("name", "bring", "fault", "limit", "comes_to"), CASES)
def test_a_fault_is_found_within_its_time_and_answered(flight, name, bring, fault, limit, comes_to):
    bring(flight)
    flight.events.clear()
    before = flight.terminal.mode
    row = ROWS[name]
    fault(flight)
    # some frames until it is measured, and one look that it may just have missed
    longest = limit + 5 + row.interval * (row.persistence + 1)
    assert flight.frames_until(name, longest) >= limit + row.persistence - 1
    (event,) = [event for event in flight.events if event.name == name]
    assert event.severity == row.severity and event.text == row.meaning
    assert flight.terminal.mode == (before if comes_to is NOTHING_DONE else comes_to)
    assert flight.terminal.status.faults >> NAMES.index(name) & 1
    if row.response in (Response.INHIBIT_LASER, Response.STANDBY, Response.SAFE):
        assert flight.devices.laser.on == (False, False)


def test_every_row_has_a_case():
    assert {case[0] for case in CASES} == set(NAMES)


def test_a_fault_that_is_over_is_told_and_the_laser_allowed_again(flight):
    to(Mode.STARE)(flight)
    gimbal_away(flight)
    flight.frames_until("POINTING_OFF", 12)
    flight.devices.gimbal.off = 0.0
    flight.frames_until("FAULT_OVER", 12)
    assert [event.text for event in flight.events][-1] == "POINTING_OFF is over"
    assert flight.terminal.mode == Mode.STARE and flight.devices.laser.on == (False, True)
    assert flight.terminal.status.faults == 0


def test_what_holds_for_less_than_the_persistence_is_no_fault(flight):
    to(Mode.STARE)(flight)
    flight.events.clear()
    for _ in range(5):
        blind_encoder(flight)
        for _ in range(4):
            flight.frame()
        flight.devices.gimbal.off = 0.0
        flight.frame()
    assert flight.events == [] and flight.terminal.mode == Mode.STARE


def test_safe_is_dark_still_and_parked_and_left_by_standby_alone(flight):
    to(Mode.COMM)(flight)
    devices = flight.devices
    invalid_samples(flight)
    flight.until(Mode.SAFE)
    at = devices.gimbal.at
    assert devices.laser.on == (False, False) and not devices.camera.on
    assert devices.fine_loop.held == (0.0, 0.0) and not devices.fine_loop.closed
    light(flight)
    for command in (Command.ACQUIRE, Command.SAFE, Command.NONE):
        flight.terminal.command(command)
        for _ in range(30):
            assert flight.frame() == Mode.SAFE
    assert devices.gimbal.at == at and devices.laser.on == (False, False)
    flight.terminal.command(Command.STANDBY)
    assert flight.frame() == Mode.STANDBY


def test_a_gimbal_on_its_way_stops_in_safe(flight):
    to(Mode.POINT)(flight)
    flight.devices.gimbal.off = -0.05
    flight.frame()
    flight.terminal.command(Command.SAFE)
    flight.frame()
    assert flight.devices.gimbal.at == pytest.approx((0.1, 0.15))


def test_a_gimbal_without_an_encoder_is_told_to_stand_as_well(flight):
    to(Mode.COMM)(flight)
    at = flight.devices.gimbal.at
    blind_encoder(flight)
    flight.until(Mode.SAFE)
    flight.devices.gimbal.at = None
    flight.devices.gimbal.angles = lambda: (math.nan, math.nan)
    flight.frame()
    assert flight.devices.gimbal.at == at


def test_safe_is_entered_again_while_its_fault_is_there(flight):
    blind_encoder(flight)
    flight.until(Mode.SAFE)
    flight.terminal.command(Command.STANDBY)
    assert flight.frame() == Mode.STANDBY
    assert flight.frame() == Mode.SAFE
    assert flight.names().count("ENCODER_INVALID") == 1


def test_a_frame_that_fails_says_where_once_and_flies_on_when_it_can(flight):
    to(Mode.COMM)(flight)
    flight.devices.gimbal.broken = True
    for _ in range(20):
        flight.frame()
    (told,) = [event for event in flight.events if event.name == "FRAME_FAILED"]
    assert "ValueError: no answer, at conftest.py:" in told.text
    assert flight.devices.fine_loop.held == (0.0, 0.0) and not flight.devices.camera.on
    flight.devices.gimbal.broken = False
    flight.terminal.command(Command.STANDBY)
    flight.frames_until("FAULT_OVER", 3)
    assert flight.terminal.mode == Mode.STANDBY


def test_a_device_that_fails_does_not_keep_the_laser_lit(flight):
    def broken(*_):
        raise OSError("gone")

    to(Mode.COMM)(flight)
    for device, command in ((flight.devices.camera, "enable"), (flight.devices.fine_loop, "hold")):
        setattr(device, command, broken)
    flight.devices.gimbal.command = broken
    flight.frame()
    assert flight.terminal.mode == Mode.SAFE and flight.devices.laser.on == (False, False)


def test_the_watchdog_keeps_a_terminal_safe_until_frames_come_again(flight):
    to(Mode.COMM)(flight)
    flight.runs = False
    for _ in range(10):
        assert flight.frame() == Mode.COMM
    assert flight.frame() == Mode.SAFE and flight.devices.laser.on == (False, False)
    for _ in range(30):
        flight.frame()
    assert flight.names().count("FRAME_MISSED") == 1
    flight.runs = True
    flight.frame()
    flight.terminal.command(Command.STANDBY)
    flight.frames_until("FAULT_OVER", 3)
    assert flight.terminal.mode == Mode.STANDBY


def test_the_ground_may_be_silent_for_ever_where_that_is_asked_for(flight):
    flight.terminal.parameters.set({"command_loss_time": 0})
    for _ in range(300):
        assert flight.frame() == Mode.STANDBY


def test_each_word_from_the_ground_starts_the_command_loss_timer_anew(flight):
    flight.terminal.parameters.set({"command_loss_time": 1})
    for _ in range(5):
        flight.terminal.hear_ground(flight.now_s)
        for _ in range(95):
            assert flight.frame() == Mode.STANDBY
    for _ in range(20):
        flight.frame()
    assert flight.terminal.mode == Mode.SAFE


def test_the_command_loss_time_survives_a_restart(tmp_path):
    with TwoCopies(tmp_path / "parameters", NOTHING) as store:
        Parameters(PARAMETERS, store).set({"command_loss_time": 3600})
    with TwoCopies(tmp_path / "parameters") as store:
        assert Parameters(PARAMETERS, store)["command_loss_time"] == 3600


# ------------------------------------------------------------------ telecommands


def row_command(function, name):
    command = PusTc(service=8, message_subtype=1, apid=1, app_data=bytes([function, NAMES.index(name)]), ack_flags=9)
    return bytes(command.pack())


def test_a_row_is_inhibited_and_enabled_by_telecommand(flight):
    commanding = Commanding(flight.terminal)
    commanding.receive(row_command(5, "ENCODER_INVALID"), 0.0)
    blind_encoder(flight)
    for _ in range(30):
        assert flight.frame() == Mode.STANDBY
    assert flight.terminal.status.faults_inhibited == 1 << NAMES.index("ENCODER_INVALID")
    commanding.receive(row_command(6, "ENCODER_INVALID"), 0.3)
    flight.frames_until("ENCODER_INVALID", 6)
    assert flight.terminal.mode == Mode.SAFE


def test_a_fault_is_over_when_its_row_is_inhibited(flight):
    blind_encoder(flight)
    flight.until(Mode.SAFE)
    flight.terminal.faults.inhibit(NAMES.index("ENCODER_INVALID"))
    flight.frames_until("FAULT_OVER", 6)
    flight.terminal.command(Command.STANDBY)
    for _ in range(10):
        assert flight.frame() == Mode.STANDBY


@pytest.mark.parametrize("name", ["POINTING_OFF", "LASER_LIT", "FRAME_MISSED", "FRAME_RAISED"])
def test_no_operator_inhibits_what_guards_the_laser(flight, name):
    with pytest.raises(CommandRefused, match=f"does not guard the laser, found {name}") as refusal:
        flight.terminal.faults.inhibit(NAMES.index(name))
    assert refusal.value.code == FailureCode.OUT_OF_RANGE
    commanding = Commanding(flight.terminal)
    commanding.receive(row_command(5, name), 0.0)
    assert commanding.refused == {FailureCode.OUT_OF_RANGE: 1} and flight.terminal.faults.inhibited == 0


def test_rows_that_let_light_leave_where_it_must_not_are_those_that_guard_the_laser():
    guarding = {row.name for row in TABLE if row.guards_laser}
    assert guarding == {"POINTING_OFF", "LASER_LIT", "FRAME_MISSED", "FRAME_RAISED"}
    assert all(row.response in (Response.INHIBIT_LASER, Response.SAFE) for row in TABLE if row.guards_laser)


def test_a_schedule_that_cannot_be_kept_is_a_fault(flight, tmp_path, monkeypatch):
    def full(self, contents):
        raise ConfigError("the disk is full")

    with TwoCopies(tmp_path / "schedule", Secret(EMPTY)) as store:
        monkeypatch.setattr(TwoCopies, "write", full)
        commanding = Commanding(flight.terminal, store)
        reset = PusTc(service=11, message_subtype=3, apid=1, ack_flags=9)
        commanding.receive(bytes(reset.pack()), 0.0)
    assert commanding.refused == {FailureCode.NOT_STORED: 1}
    flight.frames_until("STORAGE_FAILED", 10)
    flight.frames_until("FAULT_OVER", 10)


# ------------------------------------------------------------------ table and page


def test_limits_follow_the_settings():
    settings = TerminalSettings.model_validate({"spacecraft_id": 1, "handover": {"point_timeout_s": 7}})
    late = next(row for row in rows(settings) if row.name == "GIMBAL_LATE")
    health = Health(mode=Mode.POINT, mode_s=7.1)
    assert late.holds(health) and not ROWS["GIMBAL_LATE"].holds(health)


def test_the_table_in_the_docs_is_the_one_that_is_flown():
    page = Path(__file__).parents[3] / "docs" / "fault_protection.md"
    assert [line for line in page.read_text().splitlines() if re.match(r"\| \d", line)] == [
        f"| {number} | `{row.name}` | {row.monitored} | {row.limit} | {row.persistence * row.interval} | "
        f"{row.response.name} | {row.severity.name} | {'no' if row.guards_laser else 'yes'} | {row.meaning} |"
        for number, row in enumerate(TABLE)
    ]


def test_the_rows_fit_the_bits_that_tell_of_them():
    assert len(set(NAMES)) == len(TABLE) <= 32
