"""Telecommands that `spacepackets` builds, carried out and refused; what comes back is read by `spacepackets`, too."""

import math
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spacepackets.ecss.tc import PusTc
from spacepackets.ecss.tm import PusTm

from flightsw.errors import ConfigError
from flightsw.operations import PARAMETERS
from flightsw.pat.modes import Mode, Role
from flightsw.secret import Secret
from flightsw.services.commanding import Commanding
from flightsw.services.declarations import OutOfRange, time_octets
from flightsw.services.dictionary import COMMANDS, EVENTS, HOUSEKEEPING
from flightsw.services.parameters import NOTHING, Parameters
from flightsw.services.pus.failure import FailureCode
from flightsw.services.pus.schedule import EMPTY
from flightsw.services.two_copies import TwoCopies

ACCEPTED, BEGUN, DONE = (1, 1), (1, 3), (1, 7)


def telecommand(service, subtype, data=b"", count=5, ack=0b1111, apid=1, source=0):
    command = PusTc(
        service=service, message_subtype=subtype, apid=apid, app_data=data, seq_count=count, ack_flags=ack,
        source_id=source,
    )  # fmt: skip
    return bytes(command.pack())


class Bench:
    """A terminal, its command handler, and the time."""

    def __init__(self, terminal, schedule=None, now_s=0.0):
        self.terminal, self.now_s = terminal, now_s
        self.commanding = Commanding(terminal, schedule, now_s)

    def send(self, packet):
        """The answers to a packet, as (service, subtype) and data."""
        answers = [PusTm.unpack(tm, timestamp_len=7) for tm in self.commanding.receive(packet, self.now_s)]
        return [((tm.service, tm.message_subtype), bytes(tm.source_data)) for tm in answers]

    def do(self, service, subtype, data=b"", **more):
        """Send a telecommand that must succeed; what it reports itself."""
        answers = self.send(telecommand(service, subtype, data, **more))
        assert [kind for kind, _ in answers if kind[0] == 1] == [ACCEPTED, BEGUN, DONE], answers
        return [answer for answer in answers if answer[0][0] != 1]

    def refused(self, packet, code, stage=1):
        """Send a packet that must be refused, and its event's text."""
        before = dict(self.commanding.refused)
        answers = self.send(packet)
        assert answers[-1] == ((1, stage + 1), packet[:4] + bytes([code])), answers
        assert [kind for kind, _ in answers[:-1]] == [ACCEPTED, BEGUN][: (stage - 1) // 2] or stage == 7
        assert self.commanding.refused[code] == before.get(code, 0) + 1
        event = self.terminal.events[-1]
        assert event.name == "COMMAND_REFUSED" and code.name in event.text
        return event.text

    def frames(self, count=1):
        """Run frames of 10 ms; what is reported in them, with the times in microseconds."""
        reports = []
        for _ in range(count):
            self.now_s = round(self.now_s + 0.01, 2)
            self.terminal.frame(self.now_s)
            for octets in self.commanding.frame(self.now_s):
                tm = PusTm.unpack(octets, timestamp_len=7)
                reports.append(((tm.service, tm.message_subtype), bytes(tm.source_data)))
            self.terminal.events.clear()
        return reports


@pytest.fixture
def bench(terminal):
    return Bench(terminal)


# ------------------------------------------------------------------ verification


def test_a_command_is_answered_as_far_as_it_asks_for_it(bench):
    packet = telecommand(17, 1, count=77)
    assert bench.send(packet) == [
        (ACCEPTED, packet[:4]), (BEGUN, packet[:4]), ((17, 2), b""), (DONE, packet[:4]),
    ]  # fmt: skip
    for ack, kinds in ((0b0001, [ACCEPTED]), (0b0010, [BEGUN]), (0b1000, [DONE]), (0, []), (0b0100, [])):
        answers = [kind for kind, _ in bench.send(telecommand(17, 1, ack=ack)) if kind[0] == 1]
        assert answers == kinds


def wrong_checksum(packet):
    return packet[:-1] + bytes([packet[-1] ^ 1])


BIAS = COMMANDS["SET_POINTING_BIAS_X"]


@pytest.mark.parametrize(
    ("packet", "code", "stage", "says"),
    [
        (telecommand(99, 1), FailureCode.UNKNOWN_SERVICE, 1, "expected a service of 3, 5, 8, 11, 12, 17, 20, found 99"),
        (telecommand(17, 9), FailureCode.UNKNOWN_SUBTYPE, 1, "expected a subtype of 1, found 9"),
        (telecommand(17, 1, apid=2), FailureCode.ILLEGAL_APID, 1, "expected APID 1, found 2"),
        (telecommand(17, 1, b"x"), FailureCode.ILLEGAL_DATA, 1, "expected 0 octets, found 1"),
        (telecommand(17, 1) + b"x", FailureCode.WRONG_LENGTH, 1, "expected 13 octets, found 14"),
        (telecommand(17, 1)[:9], FailureCode.WRONG_LENGTH, 1, "at least 13 octets, found 9"),
        (wrong_checksum(telecommand(17, 1)), FailureCode.WRONG_CHECKSUM, 1, "expected"),
        (telecommand(8, 1, b"\x09"), FailureCode.UNKNOWN_NUMBER, 3, "no function has the number 9"),
        (telecommand(8, 1, b"\x01"), FailureCode.ILLEGAL_DATA, 1, "role: expected 1 octets, found 0"),
        (telecommand(8, 1, b"\x01\x03"), FailureCode.OUT_OF_RANGE, 3, "AS_PLANNED or INITIATOR or RESPONDER, found 3"),
        (telecommand(8, 1, b"\x04"), FailureCode.NOT_ALLOWED_IN_MODE, 3, "FINE_TRACK, COMM, and not in STANDBY"),
        (
            telecommand(20, 3, struct.pack(">BHf", 1, 257, 0.5)),
            FailureCode.OUT_OF_RANGE,
            3,
            "pointing_bias_x: expected -0.001 to 0.001 rad, found 0.5",
        ),
        (telecommand(20, 3, struct.pack(">BHf", 1, 257, math.nan)), FailureCode.OUT_OF_RANGE, 3, "found nan"),
        (telecommand(20, 3, struct.pack(">BHB", 1, 1, 0)), FailureCode.UNKNOWN_NUMBER, 3, "mode is telemetry"),
        (telecommand(20, 1, struct.pack(">BH", 1, 999)), FailureCode.UNKNOWN_NUMBER, 3, "has the number 999"),
        (telecommand(20, 1, b"\x00"), FailureCode.OUT_OF_RANGE, 3, "count: expected 1 to any, found 0"),
        (
            telecommand(11, 4, b"\x01" + time_octets(0) + telecommand(17, 1)),
            FailureCode.EXPIRED,
            3,
            "expected a time after 0.000000 s",
        ),
        (telecommand(11, 4, b"\x01" + time_octets(9) + wrong_checksum(telecommand(17, 1))), FailureCode.ILLEGAL_DATA, 1,
         "telecommand in the schedule: expected a whole one"),
        (telecommand(3, 5, struct.pack(">BH", 1, 7)), FailureCode.UNKNOWN_NUMBER, 3, "no structure has the number 7"),
        (telecommand(5, 6, struct.pack(">BH", 1, 999)), FailureCode.UNKNOWN_NUMBER, 3, "no event has the number 999"),
        (telecommand(12, 1, struct.pack(">BH", 1, 9)), FailureCode.UNKNOWN_NUMBER, 3, "no monitor has the number 9"),
        (telecommand(12, 5, struct.pack(">BHHIBdd", 1, 1, 5, 1, 1, 2.0, 1.0)), FailureCode.OUT_OF_RANGE, 3, "low <="),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_command_is_said(bench, packet, code, stage, says):
    text = bench.refused(packet, code, stage)
    assert says in text
    assert f"command {packet[7]}.{packet[8]}, count 5, is refused" in text
    assert [kind for kind, _ in bench.frames()] == [(5, 2)]
    bench.do(17, 1)


def test_a_packet_too_short_for_a_name_is_counted_and_told(bench):
    assert bench.send(b"\x18\x01") == []
    assert bench.commanding.refused == {FailureCode.WRONG_LENGTH: 1}
    assert bench.terminal.events[-1].name == "COMMAND_REFUSED"


# Services take octets of any kind for what they are, right headers and checksums ahead of the rest.
ANY_DATA = st.binary(max_size=30) | st.builds(
    lambda n, rest: bytes([n]) + rest, st.integers(1, 3), st.binary(max_size=40)
)
SERVICES = st.sampled_from([3, 5, 8, 11, 12, 17, 20]) | st.integers(0, 255)
SUBTYPES = st.integers(0, 40) | st.integers(0, 255)
NUMBERS = st.sampled_from([0, 1, 2, 3, 257, 258, 259, 260, 30, 0xFFFF])
LISTS = st.lists(NUMBERS, min_size=1, max_size=3).map(
    lambda numbers: bytes([len(numbers)]) + b"".join(struct.pack(">H", number) for number in numbers)
)


def test_whatever_arrives_is_answered_or_counted_and_nothing_is_raised(make_terminal):
    @settings(max_examples=300, deadline=None)
    @given(
        st.lists(
            st.binary(max_size=40) | st.builds(telecommand, SERVICES, SUBTYPES, ANY_DATA | LISTS),
            min_size=1,
            max_size=6,
        )
    )
    def check(packets):
        bench = Bench(make_terminal())
        for packet in packets:
            before = sum(bench.commanding.refused.values())
            answers = bench.send(packet)
            refused = sum(bench.commanding.refused.values()) - before
            assert refused == (0 if answers and answers[-1][0] == DONE else 1)
            assert refused == 0 or len(packet) < 4 or answers[-1][0] in ((1, 2), (1, 4), (1, 8))
            bench.frames()

    check()


# ------------------------------------------------------------------ functions


def test_functions_change_the_mode_as_far_as_it_allows_them(bench):
    bench.do(8, 1, b"\x01\x00")
    assert bench.frames(2)[0] == (
        (5, 1),
        b"\x00\x01" + bytes([Mode.STANDBY, Mode.POINT, bench_reason("commanded to acquire")]),
    )
    assert bench.terminal.mode == Mode.POINT
    bench.refused(telecommand(8, 1, b"\x01\x00"), FailureCode.NOT_ALLOWED_IN_MODE, 3)
    bench.do(8, 1, b"\x03")
    assert (5, 4) in [kind for kind, _ in bench.frames()]
    assert bench.terminal.mode == Mode.SAFE
    bench.refused(telecommand(8, 1, b"\x01\x00"), FailureCode.NOT_ALLOWED_IN_MODE, 3)
    bench.do(8, 1, b"\x02")
    bench.frames()
    assert bench.terminal.mode == Mode.STANDBY


def bench_reason(text):
    """The number of a reason among the states of the event's argument."""
    return EVENTS["MODE_CHANGE"].arguments[2].states.index(text)


@pytest.mark.parametrize(("asked", "role"), [(0, Role.INITIATOR), (1, Role.INITIATOR), (2, Role.RESPONDER)])
def test_a_role_may_be_asked_for(bench, asked, role):
    # the plan has the lower spacecraft id initiate
    bench.do(8, 1, bytes([1, asked]))
    bench.frames(2)
    assert bench.terminal.status.role == role


def test_no_command_of_the_same_frame_takes_the_place_of_safe(bench):
    bench.do(8, 1, b"\x03")
    bench.do(8, 1, b"\x01\x00")
    bench.frames()
    assert bench.terminal.mode == Mode.SAFE


# ------------------------------------------------------------------ parameters


def test_parameters_are_read_and_set_all_or_none(bench):
    assert bench.do(20, 1, struct.pack(">BHHH", 3, 257, 259, 1)) == [
        ((20, 2), struct.pack(">BHfHBHB", 3, 257, 0.0, 259, 1, 1, Mode.STANDBY))
    ]
    bench.refused(telecommand(20, 3, struct.pack(">BHfHf", 2, 257, 5e-4, 258, 1.0)), FailureCode.OUT_OF_RANGE, 3)
    assert bench.terminal.parameters["pointing_bias_x"] == 0.0
    bench.do(20, 3, struct.pack(">BHfHB", 2, 257, 5e-4, 259, 0))
    assert bench.terminal.parameters["pointing_bias_x"] == pytest.approx(5e-4, rel=1e-6)
    assert bench.terminal.parameters["tone_learning"] == 0


def test_a_search_begins_with_the_bias_that_was_set(bench):
    bench.do(20, 3, BIAS.encode(4e-4))
    bench.do(8, 1, b"\x01\x00")
    bench.frames(2)
    assert bench.terminal.status.bias_x == pytest.approx(4e-4, rel=1e-6)
    # the profile of the bench points to 0.1, 0.2 rad
    assert bench.terminal.devices.gimbal.at.azimuth_rad == pytest.approx(0.1 + 4e-4 / math.cos(0.2), rel=1e-7)


def test_what_survives_a_restart_does_and_the_rest_does_not(tmp_path, make_terminal):
    path = tmp_path / "parameters"
    with TwoCopies(path, NOTHING) as store:
        bench = Bench(make_terminal(Parameters(PARAMETERS, store)))
        bench.do(20, 3, struct.pack(">BHfHB", 2, 257, -2e-4, 259, 0))
    path.write_bytes(b"damaged")
    with TwoCopies(path) as store:
        kept = Parameters(PARAMETERS, store)
    assert kept["pointing_bias_x"] == pytest.approx(-2e-4, rel=1e-6) and kept["tone_learning"] == 1


def test_a_value_that_cannot_be_stored_is_not_in_force(tmp_path, make_terminal):
    folder = tmp_path / "gone"
    folder.mkdir()
    with TwoCopies(folder / "parameters", NOTHING) as store:
        bench = Bench(make_terminal(Parameters(PARAMETERS, store)))
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()
        text = bench.refused(telecommand(20, 3, BIAS.encode(1e-4)), FailureCode.NOT_STORED, 7)
        assert "expected that it can be written" in text
        assert bench.terminal.parameters["pointing_bias_x"] == 0.0
        # what does not survive a restart needs no store
        bench.do(20, 3, COMMANDS["SET_TONE_LEARNING"].encode(0))


@pytest.mark.parametrize("contents", [b"no JSON", b"[1]", b'{"pointing_bias_x": "far"}', b"3"])
def test_a_store_of_something_else_is_refused(tmp_path, contents):
    with (
        TwoCopies(tmp_path / "parameters", Secret(contents)) as store,
        pytest.raises(ConfigError, match="expected the parameters of a terminal"),
    ):
        Parameters(PARAMETERS, store)


def test_a_value_beyond_its_range_sets_nothing():
    parameters = Parameters(PARAMETERS)
    with pytest.raises(OutOfRange, match=r"pointing_bias_y: expected -0\.001 to 0\.001 rad, found 1"):
        parameters.set({"pointing_bias_x": 1e-4, "pointing_bias_y": 1.0})
    assert parameters["pointing_bias_x"] == 0.0


def test_kept_values_that_the_dictionary_does_not_allow_are_dropped(tmp_path):
    contents = Secret(b'{"pointing_bias_x": 7.0, "pointing_bias_y": 1e-4, "of_old": 1}')
    with TwoCopies(tmp_path / "parameters", contents) as store:
        parameters = Parameters(PARAMETERS, store)
    assert (parameters["pointing_bias_x"], parameters["pointing_bias_y"]) == (0.0, 1e-4)


# ------------------------------------------------------------------ housekeeping


def test_the_dictionarys_structure_is_reported_ten_times_a_second(bench):
    reports = [data for kind, data in bench.frames(50) if kind == (3, 25)]
    assert len(reports) == 5 and all(data[:2] == b"\x00\x01" for data in reports)
    row = HOUSEKEEPING.decode(reports[-1][2:])[0]
    # the bench's profile has these
    assert row["range_m"] == 1e6 and row["mode"] == Mode.STANDBY


def test_a_structure_of_ones_own_is_made_reported_changed_and_forgotten(bench):
    bench.do(3, 6, b"\x01\x00\x01")
    assert bench.frames(30) == []
    range_number = 1 + [item.name for item in HOUSEKEEPING.items].index("range_m")
    made = struct.pack(">HIBHHB", 9, 7, 2, range_number, 257, 0)
    bench.do(3, 1, made)
    assert bench.frames(20) == []
    bench.do(3, 5, b"\x01\x00\x09")
    report = ((3, 25), struct.pack(">Hff", 9, 1e6, 0.0))
    assert bench.frames(14) == [report, report]
    assert bench.do(3, 9, b"\x01\x00\x09") == [((3, 10), struct.pack(">HBIBHHB", 9, 1, 7, 2, range_number, 257, 0))]
    assert bench.do(3, 27, b"\x01\x00\x09") == [report]
    bench.do(3, 31, struct.pack(">BHI", 1, 9, 3))
    assert len(bench.frames(9)) == 3
    bench.refused(telecommand(3, 3, b"\x01\x00\x09"), FailureCode.UNKNOWN_NUMBER, 3)
    bench.refused(telecommand(3, 1, made), FailureCode.UNKNOWN_NUMBER, 3)
    bench.do(3, 6, b"\x01\x00\x09")
    bench.do(3, 3, b"\x01\x00\x09")
    bench.refused(telecommand(3, 27, b"\x01\x00\x09"), FailureCode.UNKNOWN_NUMBER, 3)
    bench.refused(telecommand(3, 3, b"\x01\x00\x01"), FailureCode.UNKNOWN_NUMBER, 3)


def test_there_is_room_for_64_structures(bench):
    for number in range(2, 65):
        bench.do(3, 1, struct.pack(">HIBHB", number, 1, 1, 1, 0))
    bench.refused(telecommand(3, 1, struct.pack(">HIBHB", 65, 1, 1, 1, 0)), FailureCode.NO_ROOM, 3)


# ------------------------------------------------------------------ events


def test_events_that_are_disabled_are_not_reported(bench):
    number = struct.pack(">H", EVENTS["MODE_CHANGE"].number)
    bench.do(5, 6, b"\x01" + number)
    assert bench.do(5, 7) == [((5, 8), b"\x01" + number)]
    bench.do(8, 1, b"\x03")
    assert bench.frames(2) == []
    assert bench.terminal.mode == Mode.SAFE
    bench.do(5, 5, b"\x01" + number)
    assert bench.do(5, 7) == [((5, 8), b"\x00")]
    bench.do(8, 1, b"\x02")
    assert [kind for kind, _ in bench.frames()] == [(5, 1)]


# ------------------------------------------------------------------ schedule


def insert(*requests):
    """Requests as (time in s, packet)."""
    body = b"".join(time_octets(round(time_s * 1e6)) + packet for time_s, packet in requests)
    return bytes([len(requests)]) + body


SAFE_AT, STANDBY_AT = telecommand(8, 1, b"\x03", count=100, ack=0), telecommand(8, 1, b"\x02", count=101)


def test_a_command_is_carried_out_at_its_time(bench):
    bench.do(11, 1)
    bench.do(11, 4, insert((0.5, STANDBY_AT), (0.2, SAFE_AT)))
    assert len(bench.do(11, 17)[0][1]) == 1 + 2 * (7 + 6)
    reports = bench.frames(19)
    assert bench.terminal.mode == Mode.STANDBY and not [kind for kind, _ in reports if kind == (5, 4)]
    # it is handed over in the frame of its time, and takes effect in the next
    bench.frames(2)
    assert bench.terminal.mode == Mode.SAFE
    reports = bench.frames(30)
    assert bench.terminal.mode == Mode.STANDBY
    assert [data for kind, data in reports if kind == DONE] == [STANDBY_AT[:4]]
    assert bench.do(11, 16) == [((11, 10), b"\x00")]


def test_a_schedule_that_is_disabled_lets_its_commands_pass_and_says_so(bench):
    bench.do(11, 4, insert((0.05, SAFE_AT)))
    reports = bench.frames(10)
    assert bench.terminal.mode == Mode.STANDBY
    assert [data for kind, data in reports if kind == (5, 2)] == [struct.pack(">HBB", 25, 1, 0)]
    bench.do(11, 1)
    bench.frames(10)
    assert bench.terminal.mode == Mode.STANDBY


def test_requests_are_listed_and_taken_out_by_their_names(bench):
    bench.do(11, 4, insert((9.0, SAFE_AT), (8.0, STANDBY_AT)))
    summary = b"\x02" + b"".join(
        time_octets(t) + struct.pack(">HHH", 0, 1, count) for t, count in ((8_000_000, 101), (9_000_000, 100))
    )
    assert bench.do(11, 17) == [((11, 13), summary)]
    details = b"\x02" + time_octets(8_000_000) + STANDBY_AT + time_octets(9_000_000) + SAFE_AT
    assert bench.do(11, 16) == [((11, 10), details)]
    again = telecommand(11, 4, insert((7.0, SAFE_AT)))
    assert "is there already" in bench.refused(again, FailureCode.UNKNOWN_NUMBER, 3)
    wrong = telecommand(11, 5, struct.pack(">BHHH", 1, 0, 1, 77))
    assert "source 0, APID 1 and count 77" in bench.refused(wrong, FailureCode.UNKNOWN_NUMBER, 3)
    bench.do(11, 5, struct.pack(">BHHH", 1, 0, 1, 101))
    assert bench.do(11, 17)[0][1][0] == 1
    bench.do(11, 3)
    assert bench.do(11, 17) == [((11, 13), b"\x00")]


def test_a_late_request_keeps_the_whole_list_out(bench):
    bench.now_s = 5.0
    packet = telecommand(11, 4, insert((9.0, SAFE_AT), (5.0, STANDBY_AT)))
    bench.refused(packet, FailureCode.EXPIRED, 3)
    assert bench.do(11, 17) == [((11, 13), b"\x00")]


def test_the_schedule_has_room_for_255_requests_of_248_octets(bench):
    for count in range(255):
        bench.do(11, 4, insert((9.0, telecommand(17, 1, bytes(235), count=count))))
    bench.refused(telecommand(11, 4, insert((9.0, SAFE_AT[:2] + SAFE_AT[2:]))), FailureCode.UNKNOWN_NUMBER, 3)
    other = telecommand(17, 1, count=300)
    bench.refused(telecommand(11, 4, insert((9.0, other))), FailureCode.NO_ROOM, 3)
    ((_, details),) = bench.do(11, 16)
    assert len(details) == 1 + 255 * (7 + 248)
    bench.do(11, 3)
    too_long = telecommand(17, 1, bytes(236))
    bench.refused(telecommand(11, 4, insert((9.0, too_long))), FailureCode.ILLEGAL_DATA, 1)


def test_the_schedule_survives_a_restart_but_for_what_has_expired(tmp_path, make_terminal):
    path = tmp_path / "schedule"
    with TwoCopies(path, Secret(EMPTY)) as store:
        bench = Bench(make_terminal(), store)
        bench.do(11, 1)
        bench.do(11, 4, insert((3.0, SAFE_AT), (6.0, STANDBY_AT)))
    with TwoCopies(path) as store:
        bench = Bench(make_terminal(), store, now_s=5.0)
        assert bench.terminal.events[-1].values == (1, 1)
        bench.terminal.command(3)
        bench.frames(2)
        assert bench.terminal.mode == Mode.SAFE
        bench.frames(100)
        assert bench.terminal.mode == Mode.STANDBY


@pytest.mark.parametrize("contents", [b"", b"\x00\x01", b"\x02\x00", b"\x00\x00rest"])
def test_a_schedule_file_of_something_else_is_refused(tmp_path, terminal, contents):
    with (
        TwoCopies(tmp_path / "schedule", Secret(contents)) as store,
        pytest.raises(ConfigError, match="expected the schedule of a terminal"),
    ):
        Commanding(terminal, store)


# ------------------------------------------------------------------ monitoring

LIT = 1 + [item.name for item in HOUSEKEEPING.items].index("lit")
MONITOR = struct.pack(">BHHIBdd", 1, 4, 257, 2, 3, -1e-4, 1e-4)


def test_a_limit_is_told_after_so_many_checks_and_told_when_it_is_over(bench):
    bench.do(12, 5, MONITOR)
    bench.do(12, 1, b"\x01\x00\x04")
    assert [kind for kind, _ in bench.frames(9) if kind != (3, 25)] == []
    assert bench.do(12, 13) == [((12, 14), struct.pack(">BHBB", 1, 4, 1, 1))]
    bench.do(20, 3, BIAS.encode(5e-4))
    # checks of frames 10, 12 and 14 are three in a row; those of later ones find nothing new
    assert [kind for kind, _ in bench.frames(4) if kind != (3, 25)] == []
    reports = [report for report in bench.frames(9) if report[0] != (3, 25)]
    high = struct.unpack(">f", struct.pack(">f", 5e-4))[0]
    (transition, body), (event, _) = reports
    assert transition == (12, 12) and event == (5, 3)
    assert body[:15] == struct.pack(">BHHdBB", 1, 4, 257, high, 1, 3)
    bench.do(20, 3, BIAS.encode(0.0))
    assert [kind for kind, _ in bench.frames(8) if kind != (3, 25)] == [(12, 12), (5, 1)]


def test_what_is_no_number_is_neither_within_nor_beyond(bench):
    bench.do(12, 5, struct.pack(">BHHIBdd", 1, 4, LIT, 1, 1, -1.0, 1.0))
    bench.do(12, 1, b"\x01\x00\x04")
    bench.terminal.status.lit = math.nan
    bench.commanding.frame(1.0)
    assert "lit is nan, NO_NUMBER" in bench.terminal.events[-1].text


def test_definitions_are_described_disabled_and_forgotten(bench):
    bench.do(12, 5, MONITOR)
    described = [((12, 9), MONITOR + b"\x00")]
    assert bench.do(12, 8, b"\x01\x00\x04") == described
    bench.refused(telecommand(12, 5, MONITOR), FailureCode.UNKNOWN_NUMBER, 3)
    bench.do(12, 1, b"\x01\x00\x04")
    bench.refused(telecommand(12, 6, b"\x01\x00\x04"), FailureCode.UNKNOWN_NUMBER, 3)
    assert [kind for kind, _ in bench.frames(4)] == [(5, 2), (5, 2)]
    bench.do(20, 3, BIAS.encode(5e-4))
    bench.do(12, 16)
    assert [kind for kind, _ in bench.frames(20) if kind != (3, 25)] == []
    bench.do(12, 15)
    assert [kind for kind, _ in bench.frames(20) if kind != (3, 25)] == [(12, 12), (5, 3)]
    bench.do(12, 2, b"\x01\x00\x04")
    bench.do(12, 6, b"\x01\x00\x04")
    assert bench.do(12, 13) == [((12, 14), b"\x00")]


# ------------------------------------------------------------------ the dictionary and the services agree


def test_every_command_of_the_dictionary_is_taken(bench):
    """With what an operator would give; nothing is refused for its form."""
    values = {
        "u1": 1,
        "u2": 1,
        "u4": 100,
        "f4": 0.0,
        "f8": 0.0,
        "time": 9_000_000,
        "text": "a",
        "octets": telecommand(17, 1),
    }
    for kind in COMMANDS.values():
        data = kind.encode(*[values[item.kind] for item in kind.asked])
        bench.send(telecommand(kind.service, kind.subtype, data))
    of_form = [
        code
        for code in bench.commanding.refused
        if code not in (FailureCode.UNKNOWN_NUMBER, FailureCode.NOT_ALLOWED_IN_MODE)
    ]
    assert of_form == []
