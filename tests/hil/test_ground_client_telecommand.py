"""Telecommands as lines of text: what is sent, what is refused and why, what completion offers; curves."""

import re
import struct
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flightsw.errors import ConfigError
from flightsw.services.dictionary import COMMANDS
from flightsw.services.pus.packet import Telecommand
from hil.ground.client.archive import ITEMS
from hil.ground.client.completion import candidates
from hil.ground.client.console import WORDS
from hil.ground.client.plot import braille, picture
from hil.ground.client.telecommand import described, explanation, request, shown, usage, words

NAMES = ["alpha", "bravo"]


def data(line):
    name, *arguments = words(line)
    found = request(name, arguments)
    return found.kind.service, found.kind.subtype, found.kind.encode(*found.values)


@pytest.mark.parametrize(
    ("line", "sent"),
    [
        ("ACQUIRE role=RESPONDER", (8, 1, b"\x01\x02")),
        ("acquire responder", (8, 1, b"\x01\x02")),
        ("ACQUIRE 1", (8, 1, b"\x01\x01")),
        ("ACQUIRE", (8, 1, b"\x01\x00")),
        ("SAFE  # at once", (8, 1, b"\x03")),
        ("SET_POINTING_BIAS_X 1e-4", (20, 3, b"\x01\x01\x01" + struct.pack(">f", 1e-4))),
        ("SET_TONE_LEARNING off", (20, 3, b"\x01\x01\x03\x00")),
        ("GET_PARAMETER pointing_bias_y", (20, 1, b"\x01\x01\x02")),
        ("GET_PARAMETER mode", (20, 1, b"\x01\x00\x01")),
        ("GET_PARAMETER 0x102", (20, 1, b"\x01\x01\x02")),
        ("EVENT_DISABLE TONE", (5, 6, b"\x01\x00\x04")),
        ("SEND_FILE 'a file'", (8, 1, b"\x14\x00\x06a file")),
        ("MONITOR_ADD 7 lit high=1 low=0.5 10 3", (12, 5, struct.pack(">BHHIBdd", 1, 7, 5, 10, 3, 0.5, 1.0))),
        ("SCHEDULE_DELETE sequence_count=9 apid=1 source=0", (11, 5, struct.pack(">BHHH", 1, 0, 1, 9))),
    ],
)
def test_a_line_becomes_the_data_of_its_telecommand(line, sent):
    assert data(line) == sent


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("AQUIRE", "AQUIRE: expected a command; did you mean ACQUIRE?"),
        ("XYZZY", "XYZZY: expected a command; `commands` lists them"),
        (
            "ACQUIRE INITATOR",
            "ACQUIRE role: expected AS_PLANNED or INITIATOR or RESPONDER, found 'INITATOR'; did you mean INITIATOR?",
        ),
        ("ACQUIRE 3", "ACQUIRE role: expected AS_PLANNED or INITIATOR or RESPONDER, found 3"),
        (
            "ACQUIRE rle=INITIATOR",
            "ACQUIRE: expected ACQUIRE [role=AS_PLANNED|INITIATOR|RESPONDER], found rle=INITIATOR; did you mean role?",
        ),
        ("ACQUIRE role=INITIATOR role=RESPONDER", "ACQUIRE role: expected one value, found two"),
        ("SAFE now", "SAFE: expected SAFE, found now as well"),
        (
            "SET_POINTING_BIAS_X 1",
            "SET_POINTING_BIAS_X pointing_bias_x: expected -0.001 to 0.001 rad, found 1",
        ),
        (
            "SET_POINTING_BIAS_X much",
            "SET_POINTING_BIAS_X pointing_bias_x: expected a number, found 'much'",
        ),
        (
            "SET_POINTING_BIAS_X",
            "SET_POINTING_BIAS_X: expected SET_POINTING_BIAS_X pointing_bias_x=-0.001..0.001 rad, "
            "found no pointing_bias_x",
        ),
        ("SET_POINTING_BIAS_X nan", "SET_POINTING_BIAS_X pointing_bias_x: expected -0.001 to 0.001 rad, found nan"),
        (
            "GET_PARAMETER mod",
            "GET_PARAMETER parameter: expected a whole number of 0 to 65535, found 'mod'; did you mean mode?",
        ),
        ("GET_PARAMETER 65536", "GET_PARAMETER parameter: expected a value of u2, found 65536"),
        ("KEY_ACTIVATE -1", "KEY_ACTIVATE key: expected a value of u2, found -1"),
        ("HOUSEKEEPING_REPORT 0", "HOUSEKEEPING_REPORT structure: expected 1 to any, found 0"),
        ("SEND_FILE 'a", '"SEND_FILE \'a": expected quotes in pairs, found: No closing quotation'),
    ],
)
def test_what_is_wrong_with_a_line_is_said_before_anything_is_sent(line, said):
    with pytest.raises(ConfigError, match=re.escape(said) + "$"):
        data(line)


@given(st.text())
def test_no_line_raises_anything_else(line):
    try:
        name, *arguments = words(line) or [""]
        request(name, arguments)
    except ConfigError as error:
        assert "expected" in str(error)


@given(st.sampled_from(sorted(COMMANDS)), st.lists(st.text(max_size=12), max_size=7))
def test_no_argument_raises_anything_else(name, arguments):
    try:
        found = request(name, arguments)
    except ConfigError as error:
        assert str(error).startswith(name)
    else:
        assert found.kind is COMMANDS[name] and len(found.values) == len(found.kind.asked)


@pytest.mark.parametrize("line", ["ACQUIRE role=INITIATOR", "SAFE", "GET_PARAMETER parameter=mode"])
def test_a_telecommand_on_board_is_read_back_as_it_was_written(line):
    assert described(Telecommand(*data(line))) == line


def test_a_telecommand_that_is_in_no_dictionary_is_shown_in_hexadecimal():
    assert described(Telecommand(99, 1, b"\xab")) == "TC(99,1) ab"


def test_the_words_of_the_ground_are_no_telecommands():
    assert not {word.upper() for word in WORDS} & set(COMMANDS)


def test_help_has_range_unit_modes_and_meaning():
    assert usage(COMMANDS["SET_POINTING_BIAS_Y"]) == "SET_POINTING_BIAS_Y pointing_bias_y=-0.001..0.001 rad"
    text = explanation(COMMANDS["ACQUIRE"])
    assert "allowed in STANDBY; TC(8,1)" in text and "part in the search" in text


def test_values_are_shown_with_state_and_unit():
    assert shown(ITEMS["mode"], 0) == "STANDBY"
    assert shown(ITEMS["mode"], 200) == "200"
    assert shown(ITEMS["range_m"], 1999992.75) == "1.99999e+06 m"
    assert shown(COMMANDS["SCHEDULE_INSERT"].asked[0], 12_500_000) == "12.5 s"


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("alp", ["alpha"]),
        ("alpha ACQ", ["ACQUIRE"]),
        ("acq", ["ACQUIRE"]),
        ("wa", ["wait", "watch"]),
        ("alpha ACQUIRE ro", ["role=AS_PLANNED", "role=INITIATOR", "role=RESPONDER"]),
        ("alpha @+5 ACQUIRE role=I", ["role=INITIATOR"]),
        ("ACQUIRE IN", ["INITIATOR"]),
        ("ACQUIRE role=INITIATOR ", []),
        ("MONITOR_ADD monitor=7 par", ["parameter="]),
        ("MONITOR_ADD 7 lit 1 ", ["repetition=", "low=", "high="]),
        ("plot bravo.spot_s", ["bravo.spot_snr"]),
        ("wait alpha.mode=C", ["alpha.mode=COARSE_TRACK", "alpha.mode=COMM"]),
        ("wait lit", ["lit="]),
        ("alpha own KEY_A", ["KEY_ACTIVATE"]),
        ("own KEY_ACTIVATE k", ["key="]),
        ("help ACQ", ["ACQUIRE"]),
        ("get tel", ["telemetry.packets"]),
        ("load ", ["telemetry.packets", "new.oem"]),
        ("nonsense x", []),
    ],
)
def test_completion(line, offered):
    assert candidates(line, NAMES, ["new.oem"]) == offered


def test_everything_can_be_completed_from_nothing():
    assert set(candidates("", NAMES, [])) == {*NAMES, *WORDS, *COMMANDS}


def test_completion_knows_the_files_of_this_machine(tmp_path, monkeypatch):
    (tmp_path / "new.oem").touch()
    (tmp_path / "more").mkdir()
    (tmp_path / "more/old.oem").touch()
    monkeypatch.chdir(tmp_path)
    assert candidates("put ", NAMES, []) == ["more/", "new.oem"]
    assert candidates("put more/", NAMES, []) == ["more/old.oem"]
    assert candidates("alpha put nowhere/", NAMES, []) == []


def dots(curve):
    """Which dots of a curve are set, {(row, column)}, by the names of the characters in the Unicode standard."""
    places = {"1": (0, 0), "2": (1, 0), "3": (2, 0), "7": (3, 0), "4": (0, 1), "5": (1, 1), "6": (2, 1), "8": (3, 1)}
    found = set()
    for row, line in enumerate(curve):
        for column, character in enumerate(line):
            for dot in unicodedata.name(character).removeprefix("BRAILLE PATTERN ").removeprefix("DOTS-"):
                if dot in places:
                    found.add((4 * row + places[dot][0], 2 * column + places[dot][1]))
    return found


def curve(text):
    title, *rows, axis = text.split("\n")
    return title, [re.split("[┤│]", row)[0].strip() for row in rows], [re.split("[┤│]", row)[1] for row in rows], axis


def test_a_ramp_is_a_diagonal():
    past = [(t, 3.0 * t) for t in range(11)]
    title, labels, rows, axis = curve(braille("alpha.range_m", ITEMS["range_m"], past, 28, 6))
    assert title == "alpha.range_m [m]" and labels == ["30", "", "", "0"] and axis.split() == ["0.00", "10.00", "s"]
    assert all(len(row) == 16 for row in rows)
    # 16 dots down, 32 across: the line is where it must be to half a dot and the width of one
    found = dots(rows)
    assert {column for _, column in found} == set(range(32))
    for row, column in found:
        assert abs(row - (15 - 15 * (column + 0.5) / 32)) <= 0.5 + 15 / 64


def test_a_steep_line_has_no_holes():
    _, _, rows, _ = curve(braille("x", ITEMS["scans"], [(0, 0), (10, 1)], 20, 10))
    assert {row for row, _ in dots(rows)} == set(range(32))


def test_a_gap_between_two_values_is_bridged_and_a_peak_is_seen():
    _, _, rows, _ = curve(braille("x", ITEMS["scans"], [(0, 0), (4.9, 0), (5, 1), (5.1, 0), (10, 0)], 28, 6))
    found = dots(rows)
    assert {column for row, column in found if row == 0} <= {15, 16} and (0, 16) in found
    assert {column for row, column in found if row == 15} >= set(range(15))


def test_states_stand_at_the_axis_and_values_that_never_change_in_the_middle():
    _, labels, _, _ = curve(braille("mode", ITEMS["mode"], [(0, 0), (1, 6)], 40, 6))
    assert labels == ["COMM", "", "", "STANDBY"]
    _, _, rows, _ = curve(braille("lit", ITEMS["lit"], [(0, 0.5), (1, 0.5)], 40, 6))
    assert len({row for row, _ in dots(rows)}) == 1
    assert braille("lit", ITEMS["lit"], [], 40, 6) == "lit: no values yet"
    assert braille("lit", ITEMS["lit"], [(0.0, float("nan"))], 40, 6) == "lit: no values yet"


def test_a_picture_is_written(tmp_path):
    picture("alpha.mode", ITEMS["mode"], [(0, 0), (1, 6)], tmp_path / "mode.png")
    assert (tmp_path / "mode.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    with pytest.raises(ConfigError, match="expected a picture that can be written"):
        picture("alpha.mode", ITEMS["mode"], [], tmp_path / "mode.nothing")
