"""The operator's client against the spacecraft's end of the link, in one process and without a wall clock."""

import os
import pty
import re
import select
import socket
import struct
import subprocess
import sys
import time
from codecs import getincrementaldecoder
from collections import deque
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flightsw.ccsds.coding.crc import crc16
from flightsw.ccsds.coding.synchronizer import cadu
from flightsw.errors import BeamlockError, ConfigError, DeviceAccess, DeviceDisconnected, DeviceNotFound
from flightsw.operations import PARAMETERS
from flightsw.services import ground_operations, keys
from flightsw.services.cfdp.entity import Entity
from flightsw.services.cfdp.filestore import MemoryFilestore
from flightsw.services.commanding import Commanding
from flightsw.services.declarations import time_octets
from flightsw.services.dictionary import PACKETS
from flightsw.services.ground_channel import SEGMENT_OCTETS, GroundChannel
from flightsw.services.ground_link import GroundLink
from flightsw.services.keys import KeyStore
from flightsw.services.parameters import NOTHING, Parameters
from flightsw.services.pus.failure import FailureCode
from flightsw.services.pus.packet import Report, Telecommand, Telemetry, build_telecommand
from flightsw.services.two_copies import TwoCopies
from hil.ground import port
from hil.ground.client.archive import Archive
from hil.ground.client.console import Console
from hil.ground.client.contact import Contact
from hil.ground.client.line import TcpLine, UdpLine
from hil.ground.client.script import follow, lines_of
from hil.ground.client.session import Session
from hil.ground.client.telecommand import request
from hil.ground.client.verification import SentCommand, Verification
from hil.ground.port import PortAddress
from hil.ground.spacecraft import FILE_TIMING, open_security

_SPEC = spec_from_file_location("bench", Path(__file__).parents[1] / "flightsw/services/conftest.py")
_bench = module_from_spec(_SPEC)
_SPEC.loader.exec_module(_bench)
make_terminal = _bench.make_terminal

ROOT = Path(__file__).parents[2]
FRAME_S = 0.01
#: Nothing waits for this: it ends a test that hangs.
HANGS_S = 60.0
ADDRESS = PortAddress("127.0.0.1", 10015)


class Board:
    """A terminal on the bench and its end of the link; as a line, too: what one end sends, the other has."""

    def __init__(self, terminal, kind="aos", security=None):
        self.terminal = terminal
        self.now_s = 0.0
        self.files = MemoryFilestore()
        entity = Entity(77, 0, self.files, FILE_TIMING, 0, SEGMENT_OCTETS)
        self.loaded = []
        self.commanding = Commanding(
            terminal, functions=ground_operations.functions(entity, self.loaded.append, security, self.tell)
        )
        self.link = GroundLink(GroundChannel(77, kind), terminal, self.commanding, entity, security)
        self.up, self.down = b"", b""
        self.deaf = False
        self.gone = None
        self.damage = None

    def tell(self, kind, *values):
        self.terminal.tell(self.now_s, kind, *values)

    def fly(self):
        self.now_s += FRAME_S
        self.terminal.frame(self.now_s)
        if not self.deaf:
            self.link.receive(self.up, self.now_s)
        self.up = b""
        frames = self.link.frames(self.now_s)
        self.terminal.events.clear()
        if self.damage is not None and len(frames):
            frames = self.damage(frames.copy())
        self.down += cadu(frames).tobytes()
        return frames

    def fileno(self):
        return 0

    def receive(self):
        if self.gone is not None:
            raise self.gone
        received, self.down = self.down, b""
        return received

    def send(self, octets):
        self.up += octets

    def close(self):
        self.up = self.down = b""


class Pass:
    """A contact with boards: the present one is at the address."""

    def __init__(self, board, folder=None, names=None, **security):
        self.board = board
        self.now_s = 100.0
        self.notes = deque()
        self.contact = Contact(
            ADDRESS, self.notes, names or {}, 1, folder=folder, line=lambda _: self.board, **security
        )

    def go_on(self, frames=20):
        for _ in range(frames):
            self.now_s += FRAME_S
            self.board.fly()
            self.contact.turn(self.now_s)
        return self

    def until(self, over, frames=2000):
        for _ in range(frames):
            if over():
                return self
            self.go_on(1)
        raise AssertionError([str(note) for note in self.notes])

    def command(self, line, at_s=None):
        name, *arguments = line.split()
        return self.contact.command(request(name, arguments), at_s)

    def carried_out(self, line):
        command = self.command(line)
        self.until(lambda: command.over)
        return command

    @property
    def texts(self):
        return [note.text for note in self.notes]


@pytest.fixture
def begun(make_terminal):
    def begin(kind="aos", **settings):
        return Pass(Board(make_terminal(), kind), **settings).go_on()

    return begin


@pytest.mark.parametrize("kind", ["aos", "tm"])
def test_a_spacecraft_says_who_it_is_by_its_first_frame(begun, kind):
    contact = begun(kind).contact
    assert contact.is_up and contact.name == "sc77"
    assert contact.state().startswith(f"{ADDRESS}, spacecraft 77, {kind}, in the clear; telecommands in order")


def test_noise_ahead_of_the_first_frame_is_passed_over(make_terminal):
    board = Board(make_terminal())
    board.down = np.random.default_rng(1).bytes(5000)
    assert Pass(board, names={77: "alpha"}).go_on(40).contact.name == "alpha"


def test_a_damaged_frame_says_nothing_of_who_sent_it(make_terminal):
    board = Board(make_terminal())

    def damage(frames):
        board.damage = None
        frames[:, 0] ^= 0x20
        return frames

    board.damage = damage
    way = Pass(board)
    way.until(lambda: board.damage is None)
    assert not way.contact.is_up and way.go_on(40).contact.name == "sc77"


def test_items_have_the_values_of_the_terminal(begun):
    way = begun()
    way.board.terminal.status.range_m = 123456.789
    way.board.terminal.status.tones = 3
    way.board.terminal.frame = lambda now_s: None
    archive = way.go_on(30).contact.archive
    status = way.board.terminal.status
    assert archive.values["tones"] == 3 and archive.values["mode"] == status.mode
    assert archive.values["range_m"] == struct.unpack(">f", struct.pack(">f", 123456.789))[0]
    assert archive.now_s == pytest.approx(way.board.now_s, abs=0.11)
    times = np.array(archive.past["tones"])[:, 0]
    assert np.diff(times) == pytest.approx(0.1)


def test_a_telecommand_is_done_and_followed(begun):
    way = begun()
    command = way.command("ACQUIRE role=RESPONDER")
    assert str(command).endswith(": sent")
    way.until(lambda: command.over)
    assert str(command) == f"ACQUIRE role=RESPONDER, count {command.sequence_count}: completed"
    way.go_on()
    assert way.board.terminal.mode.name == "STARE" and str(command) in way.texts
    assert any(text.startswith("MODE_CHANGE: STANDBY -> POINT") for text in way.texts)
    assert way.contact.archive.events[-1].name == "MODE_CHANGE"


def test_a_refusal_has_its_code_and_its_event(begun):
    way = begun()
    way.carried_out("ACQUIRE")
    command = way.go_on().carried_out("ACQUIRE")
    assert command.failure == "start: NOT_ALLOWED_IN_MODE"
    way.go_on()
    (event,) = [text for text in way.texts if text.startswith("COMMAND_REFUSED")]
    assert f"count {command.sequence_count}" in event and "ACQUIRE is allowed in STANDBY, and not in SCAN" in event


SAFE = build_telecommand(Telecommand(8, 1, b"\x03", 5))


def crafted(service, subtype, data=b"", **more):
    return build_telecommand(Telecommand(service, subtype, data, 5, **more))


def repaired(octets):
    """A packet with the checksum that it should have."""
    return octets[:-2] + crc16(octets[:-2]).to_bytes(2, "big")


REFUSED = {
    FailureCode.ILLEGAL_APID: crafted(17, 1, apid=7),
    FailureCode.WRONG_LENGTH: SAFE[:-1],
    FailureCode.WRONG_CHECKSUM: SAFE[:-2] + b"\0\0",
    FailureCode.UNKNOWN_SERVICE: crafted(99, 1),
    FailureCode.UNKNOWN_SUBTYPE: crafted(17, 9),
    FailureCode.ILLEGAL_DATA: crafted(8, 1, b"\x03\x00"),
    FailureCode.ILLEGAL_HEADER: repaired(SAFE[:6] + b"\x1f" + SAFE[7:]),
    FailureCode.OUT_OF_RANGE: crafted(20, 3, b"\x01\x01\x01" + struct.pack(">f", 0.5)),
    FailureCode.NOT_ALLOWED_IN_MODE: crafted(8, 1, b"\x04"),
    FailureCode.EXPIRED: crafted(11, 4, b"\x01" + time_octets(1000) + SAFE),
    FailureCode.UNKNOWN_NUMBER: crafted(8, 1, b"\x63"),
    FailureCode.NO_ROOM: crafted(3, 1, struct.pack(">HIBHB", 70, 1, 1, 1, 0)),
    FailureCode.NOT_STORED: crafted(20, 3, b"\x01\x01\x01" + struct.pack(">f", 1e-4)),
    FailureCode.NOT_DONE: crafted(8, 1, b"\x14\x00\x05a.oem"),
}


@pytest.mark.parametrize("code", FailureCode)
def test_each_reason_of_a_refusal_is_in_the_documents_as_it_is_seen(make_terminal, tmp_path, code):
    store = TwoCopies(tmp_path / "parameters", NOTHING)
    way = Pass(Board(make_terminal(Parameters(PARAMETERS, store)))).go_on()
    if code is FailureCode.NO_ROOM:
        for number in range(2, 65):
            way.board.commanding.receive(crafted(3, 1, struct.pack(">HIBHB", number, 1, 1, 1, 0)), way.board.now_s)
        way.go_on(1)
    if code is FailureCode.NOT_STORED:
        (tmp_path / "parameters").unlink()
        (tmp_path / "parameters").mkdir()
    packet = REFUSED[code]
    command = SentCommand("", 5, way.now_s)
    way.contact.verification.sent(command, packet[:4], way.contact._station.command(packet))
    way.until(lambda: command.over).go_on(2)
    store.close()
    assert command.failure.endswith(f": {code.name}")
    (seen,) = [text for text in way.texts if text.startswith("COMMAND_REFUSED")]
    # what depends on the moment, and on the machine, is left to it
    as_written = re.sub(r"\d\.\d{6} s", "... s", seen.partition(f"{code.name}: ")[2].replace(f"{tmp_path}/", "FOLDER/"))
    assert f"| {code.value} | `{code.name}` | {as_written} |" in (ROOT / "docs/ground.md").read_text()


def test_a_telecommand_that_does_not_get_through_fails(begun):
    way = begun()
    way.board.deaf = True
    assert way.carried_out("SAFE").failure.startswith("not delivered: ")
    way.board.deaf = False
    way.until(lambda: way.contact.state().count("in order"))
    assert not way.carried_out("SAFE").failure


def test_a_telecommand_that_nothing_is_heard_of_fails(begun):
    way = begun()
    way.board.commanding.receive = lambda packet, now_s: []
    assert way.carried_out("SAFE").failure == "no report within 15 s"


def test_a_telecommand_in_the_schedule_is_done_at_its_time(begun):
    way = begun()
    assert not way.carried_out("SCHEDULE_ENABLE").failure
    at_s = way.board.now_s + 0.5
    outer = way.command("ACQUIRE", at_s)
    way.until(lambda: outer.over)
    _, inner, _ = way.contact.verification.commands
    assert not outer.failure and inner.progress.name == "SCHEDULED" and not inner.over
    assert not way.carried_out("SCHEDULE_DETAILS").failure
    assert f"Requests of the schedule in order of time: {at_s:.6g} s ACQUIRE role=AS_PLANNED" in way.texts
    assert not way.carried_out("SCHEDULE_SUMMARY").failure
    assert any(f"sequence_count {inner.sequence_count}" in text for text in way.texts)
    way.until(lambda: inner.over).go_on(2)
    assert not inner.failure and way.contact.archive.events[0].time_s == pytest.approx(at_s, abs=0.021)
    assert way.command("ACQUIRE", 0.001) and way.until(lambda: way.contact.verification.commands[-1].over)
    assert way.contact.verification.commands[-1].failure == "start: EXPIRED"


def test_reports_are_told_in_words(begun):
    way = begun()
    for line, said in (
        ("PING", "A sign of life"),
        ("SET_POINTING_BIAS_X 2e-4", ""),
        ("GET_PARAMETER pointing_bias_x", "Values of on-board parameters: pointing_bias_x 0.0002 rad"),
        ("EVENT_DISABLE TONE", ""),
        ("EVENT_LIST_DISABLED", "Events that are not reported: event TONE"),
        ("MONITOR_ADD 7 lit 10 3 0.5 1", ""),
        (
            "MONITOR_DESCRIBE 7",
            "Definitions of monitoring: monitor 7, parameter lit, interval 10 frames, repetition 3, low 0.5, high 1, "
            "enabled DISABLED",
        ),
        ("MONITOR_STATUS", "Statuses of all definitions: monitor 7, enabled DISABLED, now UNCHECKED"),
        ("SCHEDULE_DETAILS", "Requests of the schedule in order of time: none"),
    ):
        assert not way.carried_out(line).failure
        assert not said or (way.go_on(2) and said in way.texts)
    assert way.contact.archive.values["pointing_bias_x"] == struct.unpack(">f", struct.pack(">f", 2e-4))[0]
    assert way.contact.undecoded == 0


def test_a_structure_is_known_once_it_is_described(begun):
    way = begun()
    way.board.terminal.parameters.set({"pointing_bias_y": 0.5**12})
    way.carried_out("HOUSEKEEPING_CREATE 9 5 pointing_bias_y")
    way.carried_out("HOUSEKEEPING_ENABLE 9")
    way.go_on()
    unknown = "structure 9 is not known here: HOUSEKEEPING_DESCRIBE 9 asks for it"
    assert way.texts.count(unknown) == 1 and "pointing_bias_y" not in way.contact.archive.values
    way.carried_out("HOUSEKEEPING_DESCRIBE 9")
    way.go_on()
    assert any("structure 9, ENABLED, every 5 frames: pointing_bias_y" in text for text in way.texts)
    assert way.contact.archive.values["pointing_bias_y"] == 0.5**12


def test_packets_that_are_not_the_dictionary_s_are_counted_and_told_once(begun):
    way = begun()
    strange = [Report(99, 1), Report(5, 1, b"\xff\xff"), Report(20, 2, b"\x01\xff\xff"), Report(3, 25, b"\x00\x01\x00")]
    receive = way.board.commanding.receive
    way.board.commanding.receive = lambda packet, now_s: [
        *receive(packet, now_s),
        *way.board.commanding._packets(strange),
    ]
    assert not way.carried_out("PING").failure
    way.go_on(2)
    assert way.contact.undecoded == 4 and sum("is not understood" in text for text in way.texts) == 1
    assert "4 packets not understood" in way.contact.state()


def test_files_go_both_ways_and_their_numbers_are_not_used_again(begun, tmp_path):
    octets = np.random.default_rng(2).bytes(30_000)
    way = begun(folder=tmp_path)
    number = way.contact.files.put(octets, "up")
    way.until(lambda: way.contact.files.transfers)
    assert way.contact.files.transfers[0].complete and way.board.files.files == {"up": octets}
    assert not way.carried_out("SEND_FILE up").failure
    way.until(lambda: len(way.contact.files.transfers) == 2)
    assert (tmp_path / "sc77/up").read_bytes() == octets
    assert way.contact.files.place("up") == tmp_path / "sc77/up"
    assert way.carried_out("SEND_FILE nothing").failure == "completion: NOT_DONE"
    way.contact.close()
    again = Pass(way.board, folder=tmp_path).go_on(300)
    assert again.contact.files.put(octets, "more") == number + 1


def test_without_a_folder_there_are_no_files(begun):
    contact = begun().contact
    for ask in (lambda: contact.files.put(b"", "up"), lambda: contact.files.place("up")):
        with pytest.raises(ConfigError, match="expected --files DIR"):
            ask()


def test_a_name_that_leads_out_of_the_folder_is_refused(begun, tmp_path):
    with pytest.raises(ConfigError, match="expected a name in the folder of --files"):
        begun(folder=tmp_path).contact.files.place("../out")


def test_a_line_that_is_lost_is_connected_again(begun, make_terminal):
    way = begun()
    waiting = way.command("SAFE")
    way.board.gone = DeviceDisconnected("it has gone")
    way.go_on(200)
    assert not way.contact.is_up and waiting.failure == "the connection was lost"
    assert str(waiting) in way.texts and way.texts.count("it has gone; trying again") == 1
    with pytest.raises(DeviceDisconnected, match="sc77: expected a spacecraft that is heard, found: it has gone"):
        way.command("SAFE")
    # the next run begins: its receiver of telecommands counts from 0 again
    way.board = Board(make_terminal())
    way.until(lambda: way.contact.is_up)
    # nothing of the run before is taken for the present
    archive = way.contact.archive
    assert (archive.now_s is None or archive.now_s < 1.0) and way.notes[-1].time_s is None
    assert not way.carried_out("ACQUIRE").failure


def test_nothing_is_taken_in_twice_after_a_loss(begun):
    way = begun()
    before = list(way.contact.archive.past["mode"])
    way.board.gone = DeviceDisconnected("it has gone")
    way.go_on(1)
    way.board.gone = None
    way.until(lambda: way.contact.is_up).go_on(50)
    past = list(way.contact.archive.past["mode"])
    assert len(past) > 5 and past[: len(before)] == before and np.all(np.diff(np.array(past)[:, 0]) > 0)


def test_the_past_begins_anew_with_another_run(begun, make_terminal):
    way = begun()
    way.go_on(300)
    way.board.gone = DeviceDisconnected("it has gone")
    way.go_on(1)
    way.board = Board(make_terminal())
    way.until(lambda: way.contact.is_up).go_on(50)
    assert max(time_s for time_s, _ in way.contact.archive.past["mode"]) < 2.0


@given(
    st.sampled_from([(kind.service, kind.subtype) for kind in PACKETS] + [(5, n) for n in range(6)]),
    st.sampled_from([*range(1, 60), 101, 102]),
    st.binary(max_size=80),
)
def test_no_packet_raises_anything_but_that_it_is_not_understood(kind, number, rest):
    for data in (rest, number.to_bytes(2, "big") + rest, b"\x01" + number.to_bytes(2, "big") + rest):
        try:
            told = Archive().take(Telemetry(*kind, data, 1_000_000, 0, 0))
        except BeamlockError as error:
            assert "expected" in str(error)
        else:
            assert told is None or told[1]


def test_a_report_that_comes_after_all_changes_nothing():
    verification = Verification()
    command = SentCommand("SAFE", 1, 0.0)
    verification.sent(command, b"\x18\x01\xc0\x01", 0)
    assert list(verification.expire(14.0)) == [] and list(verification.expire(16.0)) == [command]
    assert verification.report(Telemetry(1, 7, b"\x18\x01\xc0\x01", 0, 0, 0)) is None
    assert command.progress.name == "SENT" and command.failure


def test_a_spacecraft_that_falls_silent_is_lost(begun):
    way = begun()
    way.board.damage = lambda frames: frames[:0]
    way.until(lambda: not way.contact.is_up, 700)
    assert "expected frames, found none for 5 s" in str(way.contact.problem)


@pytest.fixture
def stores(tmp_path):
    """Key stores of the spacecraft and of the ground."""
    paths = [tmp_path / "board", tmp_path / "ground"]
    keys.generate(paths[0], range(1, 7))
    paths[1].write_bytes(paths[0].read_bytes())
    paths[1].chmod(0o600)
    opened = [KeyStore(path) for path in paths]
    for store in opened:
        for key in range(1, 4):
            store.activate(key)
    yield opened
    for store in opened:
        store.close()


def test_with_security_both_ways(make_terminal, stores, tmp_path):
    security = open_security(GroundChannel(77), stores[0], tmp_path / "associations", on_board=True)
    way = Pass(Board(make_terminal(), security=security), keys=stores[1], key_file=tmp_path / "ground").go_on()
    assert not way.carried_out("ACQUIRE").failure and "keys from 1 on" in way.contact.state()
    assert way.contact.archive.values["mode"] == way.board.terminal.mode

    def forge(frames):
        frames[:, 100] ^= 1
        for frame in frames:
            frame[-2:] = np.frombuffer(crc16(frame[:-2].tobytes()).to_bytes(2, "big"), np.uint8)
        return frames

    before = way.contact.archive.now_s
    way.board.damage = forge
    way.go_on(100)
    assert way.contact.archive.now_s == before
    assert any(re.match(r"\d+ frames were dropped: BAD_MAC, ", text) for text in way.texts)
    assert re.search(r"frames dropped: \d+ BAD_MAC", way.contact.state())
    way.contact.close()
    security.close()


def test_both_ends_prove_that_they_have_the_same_key(make_terminal, stores, tmp_path, capsys):
    security = open_security(GroundChannel(77), stores[0], tmp_path / "associations", on_board=True)
    way = Pass(Board(make_terminal(), security=security), keys=stores[1], key_file=tmp_path / "ground").go_on()
    line = "KEY_VERIFY 1 " + "5a" * 16
    Console(Flown([way]), print, print).execute(f"own {line}")
    proof = capsys.readouterr().out.strip().rsplit(" ", 1)[1]
    assert len(proof) == 32
    assert not way.carried_out(line).failure
    way.go_on(20)
    assert any(text.endswith(f"key 1 answers {proof}") for text in way.texts)
    assert way.carried_out("KEY_VERIFY 1 5a").failure == "completion: NOT_DONE"
    way.contact.close()
    security.close()


def test_keys_are_rolled_over_without_a_gap(make_terminal, stores, tmp_path):
    security = open_security(GroundChannel(77), stores[0], tmp_path / "associations", on_board=True)
    way = Pass(Board(make_terminal(), security=security), keys=stores[1], key_file=tmp_path / "ground").go_on()
    console = Console(Flown([way]), print, print)

    def both(line):
        assert not way.carried_out(line).failure
        console.execute(f"own {line}")

    for key in (4, 5, 6):
        for line in (f"KEY_ACTIVATE {key}", f"ASSOCIATION_REKEY {key} {key}", f"ASSOCIATION_START {key}"):
            both(line)
    # the sender first: the ground of telecommands and files, the spacecraft of its frames
    console.execute("own ASSOCIATION_STOP 1")
    console.execute("own ASSOCIATION_STOP 2")
    for spi in (1, 2, 3):
        assert not way.carried_out(f"ASSOCIATION_STOP {spi}").failure
    console.execute("own ASSOCIATION_STOP 3")
    for key in (1, 2, 3):
        both(f"KEY_DEACTIVATE {key}")
    assert not way.carried_out("PING").failure
    assert not any("were dropped" in text for text in way.texts)
    for store in stores:
        assert [state.value for state in store.states.values()] == ["deactivated"] * 3 + ["active"] * 3
    with pytest.raises(ConfigError, match="own ASSOCIATION_STOP 4: expected another one at work"):
        console.execute("own ASSOCIATION_STOP 4")
    with pytest.raises(ConfigError, match=r"own: expected KEY_ACTIVATE, KEY_DEACTIVATE, .*, found SAFE"):
        console.execute("own SAFE")
    way.contact.close()
    security.close()


def test_keys_that_are_not_active_are_named(make_terminal, tmp_path):
    keys.generate(tmp_path / "ground", range(1, 4))
    with (
        KeyStore(tmp_path / "ground") as store,
        pytest.raises(ConfigError, match="expected keys 1 to 3 active, found "),
    ):
        Pass(Board(make_terminal()), keys=store, key_file=tmp_path / "ground").go_on()


class Flown(Session):
    """A session whose rounds are frames of the boards."""

    def __init__(self, passes):
        super().__init__([each.contact for each in passes], deque())
        self.passes = passes

    def turn(self, longest_s=0.0, also=()):
        for each in self.passes:
            each.go_on(1)
            self.notes.extend(each.notes)
            each.notes.clear()
        return list(also)


@pytest.fixture
def session(make_terminal, tmp_path):
    return Flown(
        [Pass(Board(make_terminal()), folder=tmp_path / name, names={77: name}).go_on() for name in ("alpha", "bravo")]
    )


def test_a_script_is_followed_to_its_end(session, capsys, tmp_path):
    (tmp_path / "new.oem").write_text("an ephemeris")
    lines = f"""
    # both are told, and only then anything else
    alpha ACQUIRE
    bravo ACQUIRE role=RESPONDER
    wait alpha.mode=SCAN
    wait bravo.mode=STARE 5
    wait alpha.scans>0
    alpha put {tmp_path / "new.oem"}
    alpha load new.oem
    alpha get new.oem
    alpha @+100 SAFE
    watch mode alpha.lit
    plot alpha.mode
    plot alpha.mode --png {tmp_path / "mode.png"}
    events 1
    alpha events
    sent 1
    links
    commands TEST
    commands SCHEDULE_EN
    help
    help ACQUIRE
    help wait
    quit
    nonsense
    """
    assert follow(session, lines.split("\n")) == 0
    alpha, bravo = (each.board for each in session.passes)
    assert [each.terminal.mode.name for each in (alpha, bravo)] == ["SCAN", "STARE"]
    assert alpha.loaded == ["new.oem"] and (tmp_path / "alpha/alpha/new.oem").read_text() == "an ephemeris"
    printed = capsys.readouterr().out
    assert re.search(r"^ +alpha +bravo\ntime .*\nmode +SCAN +STARE\nlit +0 *\n", printed, re.M)
    assert "alpha.mode\n" in printed and (tmp_path / "mode.png").exists()
    assert float(re.findall(r"SCHEDULE_INSERT SAFE at (\S+) s", printed)[0]) > 100.0
    assert "\nSCHEDULE_ENABLE\n" in printed
    assert re.search(r"^bravo +ACQUIRE role=RESPONDER, count \d+: completed$", printed, re.M)
    assert "\nACQUIRE [role=AS_PLANNED|INITIATOR|RESPONDER]\n" in printed and "\nwait ITEM=VALUE [S]\n" in printed


def test_a_script_stops_at_what_fails(session, capsys):
    assert follow(session, ["alpha LEARN_TONES", "alpha ACQUIRE"]) == 1
    assert session.passes[0].board.terminal.mode.name == "STANDBY"
    captured = capsys.readouterr()
    assert captured.err == "beamlock: alpha LEARN_TONES: expected it to be done, found: start: NOT_ALLOWED_IN_MODE\n"
    assert "LEARN_TONES is allowed in FINE_TRACK, COMM, and not in STANDBY" in captured.out


def test_a_file_that_is_not_on_board_does_not_arrive(session, capsys):
    assert follow(session, ["alpha get nothing"]) == 1
    assert "alpha get nothing: expected it to be done, found: completion: NOT_DONE" in capsys.readouterr().err


def test_waiting_ends(session, capsys):
    assert follow(session, ["wait mode=COMM 0"]) == 1
    said = "wait mode=COMM 0: expected it to be done, found: not within 0 s, alpha.mode=STANDBY, bravo.mode=STANDBY"
    assert said in capsys.readouterr().err
    # of both, as no spacecraft is named
    assert follow(session, ["alpha ACQUIRE", "wait alpha.mode=SCAN", "wait mode=SCAN 0"]) == 1


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("ACQUIRE", "ACQUIRE: expected alpha or bravo ahead of it, found none"),
        ("alpha AQUIRE", r"AQUIRE: expected a command; did you mean ACQUIRE\?"),
        ("alfa", r"alfa: expected a command; did you mean alpha\?"),
        ("alpha", "alpha: expected a command behind it, found none"),
        ("@5", "@5: expected a command behind it, found none"),
        ("alpha @soon SAFE", "@soon: expected a time in s since the epoch as @120, or from now on as @[+]5"),
        ("@5 alpha watch", "watch: expected a command; "),
        ("wait mode", "wait mode: expected ITEM=VALUE"),
        ("wait mode=COM", r"wait mode: expected .*, found 'COM'; did you mean COMM\?"),
        ("wait mod=COMM", r"mod: expected an item of housekeeping or a parameter; did you mean mode\?"),
        ("wait alfa.mode=COMM", r"alfa.mode: expected alpha or bravo, found alfa; did you mean alpha\?"),
        ("wait mode=COMM soon", "wait mode=COMM: expected a time in s, found 'soon'"),
        ("wait", r"wait: expected wait ITEM=VALUE \[S\], found 0 words behind it"),
        ("plot mode", "plot mode: expected alpha or bravo ahead of it, found none"),
        ("plot alpha.mode mode.png", r"plot: expected plot ITEM \[--png FILE\], found alpha.mode mode.png"),
        ("alpha put /nowhere/at/all", "put /nowhere/at/all: expected a file that can be read, found: No such file"),
        ("alpha own KEY_ACTIVATE 4", "own KEY_ACTIVATE key=4: expected a link with security, found one in the clear"),
        ("alpha own", "own: expected own COMMAND ..., found no command"),
        ("events none", r"events: expected events \[N\], found 'none'"),
        ("help AQUIRE", r"help AQUIRE: expected a command; did you mean ACQUIRE\?"),
        ("quit now", "quit: expected quit, found 1 words behind it"),
    ],
)
def test_what_is_wrong_is_said(session, line, said):
    with pytest.raises(ConfigError, match="^" + said):
        Console(session, print, print).execute(line)


def test_lines_come_from_a_pipe_while_the_session_goes_on(session):
    reader, writer = os.pipe()
    os.write(writer, b"first\nsecond\nlast without an end")
    os.close(writer)
    before = session.passes[0].now_s
    assert list(lines_of(session, reader)) == ["first", "second", "last without an end"]
    assert session.passes[0].now_s > before
    os.close(reader)


def polled(line, done):
    """What comes down a line until it is enough; each poll waits for the other end's turn in the kernel."""
    received = b""
    for _ in range(100_000):
        received += line.receive()
        if done(received):
            return received
    raise AssertionError(received)


def test_tcp_line_and_port():
    listening = PortAddress("127.0.0.1", 0).open()
    at = PortAddress("127.0.0.1", listening._socket.getsockname()[1])
    line = TcpLine(at)
    polled(line, lambda _: line._connected)
    frames = np.arange(20, dtype=np.uint8).reshape(2, 10)
    line.send(b"up")
    polled(listening, lambda received: received == b"up")
    listening.send(frames)
    assert polled(line, lambda received: len(received) == 28) == b"".join(
        b"\x1a\xcf\xfc\x1d" + frame.tobytes() for frame in frames
    )
    listening.close()
    with pytest.raises(DeviceDisconnected, match=re.escape(f"{at}: expected the spacecraft to stay, found: ")):
        polled(line, lambda _: False)
    line.close()
    line = TcpLine(at)
    with pytest.raises(DeviceNotFound, match=re.escape(f"{at}: expected a spacecraft that listens there")):
        polled(line, lambda _: False)
    line.close()


def test_udp_line_and_port():
    taken = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
    for each in taken:
        each.bind(("127.0.0.1", 0))
    up, down = (each.getsockname()[1] for each in taken)
    for each in taken:
        each.close()
    at = port.parse(f"udp:{up},{down}")
    listening, line = at.open(), UdpLine(at)
    with pytest.raises(DeviceAccess, match=f"expected to listen at {down}"):
        UdpLine(at)
    line.send(b"up")
    polled(listening, lambda received: received == b"up")
    listening.send(np.arange(20, dtype=np.uint8).reshape(2, 10))
    received = polled(line, lambda received: len(received) == 28)
    assert received[:6] == b"\x1a\xcf\xfc\x1d\x00\x01" and received[14:20] == b"\x1a\xcf\xfc\x1d\x0a\x0b"
    line.close()
    listening.close()


def test_nobody_at_the_address():
    listening = PortAddress("127.0.0.1", 0).open()
    at = PortAddress("127.0.0.1", listening._socket.getsockname()[1])
    listening.close()
    notes = deque()
    with (
        Session([Contact(at, notes, {}, 1)], notes) as session,
        pytest.raises(DeviceNotFound, match=f"start `beamlock run SCENARIO --ground {at}`"),
    ):
        session.hear_all(0.0)


class Desk:
    """A person at a pseudo-terminal with `beamlock ground`, and the board that it is connected to."""

    def __init__(self, terminal):
        self.board = Board(terminal)
        self.port = PortAddress("127.0.0.1", 0).open()
        self.seen = ""
        self.decoder = getincrementaldecoder("utf-8")()
        address = f"tcp:{self.port._socket.getsockname()[1]}"
        self.screen, slave = pty.openpty()
        self.child = subprocess.Popen(
            [sys.executable, "-m", "hil.cli", "ground", address],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={**os.environ, "TERM": "xterm", "COLUMNS": "100", "LINES": "30"},
        )
        os.close(slave)

    def leaves(self):
        """The exit code."""
        os.write(self.screen, b"\x04")
        return self.child.wait(HANGS_S)

    def types(self, keys, until):
        """Type, and fly on until something is seen; all that was seen by then."""
        os.write(self.screen, keys.encode())
        seen, self.seen = self.seen, ""
        end_s = time.monotonic() + HANGS_S
        while until not in seen:
            assert time.monotonic() < end_s, seen
            self.board.up += self.port.receive()
            self.port.send(self.board.fly())
            if select.select([self.screen], [], [], FRAME_S)[0]:
                seen += self.decoder.decode(os.read(self.screen, 65536))
        before, _, self.seen = seen.partition(until)
        return before + until


@pytest.fixture
def desk(make_terminal):
    sat_at = Desk(make_terminal())
    yield sat_at
    sat_at.child.kill()
    sat_at.child.wait()
    os.close(sat_at.screen)
    sat_at.port.close()


def test_a_person_at_a_terminal(desk):
    assert "heard at tcp:" in desk.types("", "ground> ")
    # the rest of the word, and of the only argument, is filled in
    assert "ACQUIRE role=R" in desk.types("sc77 ACQ\trole=R\t", "ESPONDER ")
    desk.types("\r", "ground> ")
    # an event goes above the line that is being typed, and that stays what it is
    told = desk.types("hel", "MODE_CHANGE: POINT -> STARE")
    assert "\x1b[1L\r" in told and "ACQUIRE role=RESPONDER, count" in told
    assert "help [COMMAND]" in desk.types("p\r", "ground> ")
    assert "sc77\r\n" in desk.types("watch mode\r", "\nmode  ")
    # drawn anew in the same place, until a key is pressed
    desk.types("", "\x1b[3A\x1b[J")
    desk.types("q", "ground> ")
    desk.types("plot mode\r", "STANDBY ")
    desk.types("q", "ground> ")
    desk.types("wait scans<9\r", "so it is\r\nground> ")
    desk.types("sc77 AQUIRE\r", "beamlock: AQUIRE: expected a command; did you mean ACQUIRE?\r\nground> ")
    assert desk.leaves() == 0
