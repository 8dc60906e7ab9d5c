"""Both ends of the ground link against each other, over lines that lose, forge and replay; `spacepackets` between."""

import random

import numpy as np
import pytest
from spacepackets.ecss.tc import PusTc
from spacepackets.ecss.tm import PusTm

from flightsw.ccsds import cltu, tc_frame
from flightsw.ccsds.aos_frame import parse as parse_aos
from flightsw.ccsds.clcw import unpack
from flightsw.ccsds.security.association import Verdict
from flightsw.ccsds.tc_frame import TcFrame
from flightsw.ccsds.tm_frame import parse as parse_tm
from flightsw.errors import ConfigError
from flightsw.hal import FRAME_S
from flightsw.services import keys
from flightsw.services.cfdp.entity import Entity
from flightsw.services.cfdp.filestore import FolderFilestore
from flightsw.services.commanding import Commanding
from flightsw.services.ground_channel import COMMANDS, SEGMENT_OCTETS, GroundChannel
from flightsw.services.ground_link import GroundLink
from flightsw.services.ground_operations import (
    ASSOCIATION_REKEY,
    ASSOCIATION_START,
    ASSOCIATION_STATUS,
    ASSOCIATION_STOP,
    KEY_ACTIVATE,
    KEY_DEACTIVATE,
    KEY_INVENTORY,
    KEY_VERIFY,
    functions,
)
from flightsw.services.keys import KeyStore
from flightsw.services.pus.failure import FailureCode
from hil.ground.spacecraft import FILE_TIMING, open_security
from hil.ground.station import GroundStation

SPACECRAFT = 101
MARKER = b"\x1a\xcf\xfc\x1d"
UNIT = 4 + 1115


def ping(count):
    return bytes(PusTc(service=17, message_subtype=1, apid=1, seq_count=count, ack_flags=0b1111).pack())


class Line:
    """A spacecraft and a ground station, 10 ms at a time; `up` and `down` may lose or change what passes."""

    def __init__(self, terminal, folder, channel=None, secured=False):
        self.terminal, self.now_s = terminal, 0.0
        self.channel = channel or GroundChannel(SPACECRAFT)
        self.up = self.down = lambda octets: octets
        self.ends, securities = [], []
        for name in ("board", "ground"):
            (folder / name / "files").mkdir(parents=True, exist_ok=True)
            self.ends.append(folder / name)
            securities.append(self.security(folder / name, name == "board") if secured else None)
        board, ground = (FolderFilestore(end / "files") for end in self.ends)
        self.files = Entity(SPACECRAFT, 0, board, FILE_TIMING, 0, SEGMENT_OCTETS)
        self.loaded = []
        commanding = Commanding(
            terminal, None, 0.0, functions(self.files, self.loaded.append, securities[0], self.tell)
        )
        self.link = GroundLink(self.channel, terminal, commanding, self.files, securities[0])
        self.ground_files = Entity(0, SPACECRAFT, ground, FILE_TIMING, 0, SEGMENT_OCTETS)
        self.station = GroundStation(self.channel, self.ground_files, securities[1])
        self.events, self.telemetry, self.sent = [], [], b""
        self.securities = securities

    def security(self, end, on_board):
        store = KeyStore(end / "keys")
        for number in range(1, 4):
            if store.states[number] is keys.KeyState.PRE_ACTIVATION:
                store.activate(number)
        self.stores = [*getattr(self, "stores", []), store]
        return open_security(self.channel, store, end / "associations", on_board)

    def tell(self, kind, *values):
        self.terminal.tell(self.now_s, kind, *values)

    def close(self):
        for security in self.securities:
            security.close()
        for store in self.stores:
            store.close()

    def step(self):
        self.now_s += FRAME_S
        self.sent = self.station.send(self.now_s)
        self.terminal.frame(self.now_s)
        self.link.receive(self.up(self.sent), self.now_s)
        frames = self.link.frames(self.now_s)
        units = b"".join(MARKER + frame.tobytes() for frame in frames)
        self.events += self.terminal.events
        self.terminal.events.clear()
        self.telemetry += [PusTm.unpack(packet, timestamp_len=7) for packet in self.station.receive(self.down(units))]

    def run(self, until, longest_s=60.0):
        end = self.now_s + longest_s
        while not until():
            assert self.now_s < end, "it never came to that"
            self.step()

    def reports(self, service, subtype):
        return [tm for tm in self.telemetry if (tm.service, tm.message_subtype) == (service, subtype)]


@pytest.fixture
def line(terminal, tmp_path):
    return Line(terminal, tmp_path)


def copied_keys(folder):
    """A key store for each end, the same before any key is active."""
    folder.mkdir(parents=True)
    keys.generate(folder / "keys", range(1, 10))
    for name in ("board", "ground"):
        (folder / name).mkdir()
        for file in ("keys", "keys.copy"):
            (folder / name / file).write_bytes((folder / file).read_bytes())
            (folder / name / file).chmod(0o600)


@pytest.fixture
def secured(terminal, tmp_path):
    copied_keys(tmp_path / "link")
    made = Line(terminal, tmp_path / "link", secured=True)
    yield made
    made.close()


@pytest.mark.parametrize("kind", ["aos", "tm"])
def test_a_telecommand_is_carried_out_and_verified(terminal, tmp_path, kind):
    line = Line(terminal, tmp_path, GroundChannel(SPACECRAFT, kind))
    line.station.command(ping(77))
    line.run(lambda: line.reports(17, 2) and line.reports(1, 7))
    assert line.station.outcomes == [(0, True, "")]
    for stage in (1, 3, 7):
        (report,) = line.reports(1, stage)
        assert bytes(report.source_data)[:4] == ping(77)[:4]
    assert line.link.counts.packets == 1


def test_a_frame_may_have_several_packets(line):
    frame = tc_frame.build(TcFrame(SPACECRAFT, COMMANDS, 0, b"\xc0" + ping(5) + ping(6) + ping(7)[:-1], bypass=True))
    line.link.receive(cltu.encode(frame), 0.0)
    line.run(lambda: len(line.reports(17, 2)) == 2 and line.reports(1, 2))
    assert bytes(line.reports(1, 2)[0].source_data) == ping(7)[:4] + bytes([FailureCode.WRONG_LENGTH])
    assert line.link.counts.packets == 3


@pytest.mark.parametrize(("kind", "parse"), [("aos", parse_aos), ("tm", parse_tm)])
def test_every_frame_down_is_whole_and_has_the_clcw(terminal, tmp_path, kind, parse):
    line = Line(terminal, tmp_path, GroundChannel(SPACECRAFT, kind))
    caught = []
    line.down = lambda octets: caught.append(octets) or octets
    line.station.command(ping(1))
    line.run(lambda: line.now_s > 1.0)
    stream = b"".join(caught)
    units = [stream[at : at + UNIT] for at in range(0, len(stream), UNIT)]
    assert len(units) >= 10
    words = []
    for unit in units:
        assert unit[:4] == MARKER
        frame = parse(unit[4:], ocf=True) if kind == "aos" else parse(unit[4:])
        assert frame.spacecraft_id == SPACECRAFT
        words.append(unpack(frame.ocf).report_value)
    assert (words[0], words[-1]) == (0, 1)


def test_telecommands_arrive_in_order_and_once_through_loss_both_ways(line):
    rng = random.Random(5)
    line.up = lambda octets: b"" if rng.random() < 0.3 else octets
    line.down = lambda octets: b"".join(
        octets[at : at + UNIT] for at in range(0, len(octets), UNIT) if rng.random() >= 0.3
    )
    carried_out = []
    inner = line.link._commanding.receive
    line.link._commanding.receive = lambda packet, now_s: carried_out.append(packet) or inner(packet, now_s)
    commands = [ping(count) for count in range(200)]
    for command in commands:
        line.station.command(command)
    line.run(lambda: len(line.station.outcomes) == len(commands), 600.0)
    assert all(outcome.accepted for outcome in line.station.outcomes)
    assert carried_out == commands


def test_telecommands_that_are_sent_again_are_no_replays_beside_a_file(secured):
    rng = random.Random(11)
    secured.up = lambda octets: b"" if rng.random() < 0.3 else octets
    secured.ground_files.put(rng.randbytes(30_000), "partner.oem")
    for count in range(20):
        secured.station.command(ping(count))
    secured.run(lambda: len(secured.station.outcomes) == 20, 300.0)
    secured.run(lambda: any(event.name == "FILE_ARRIVED" for event in secured.events), 300.0)
    assert len(secured.reports(17, 2)) == 20
    assert secured.link.verdicts[Verdict.REPLAYED] == 0


@pytest.mark.parametrize("loss", [0.0, 0.2])
def test_files_go_both_ways(line, loss):
    rng = random.Random(7)
    line.up = lambda octets: b"" if rng.random() < loss else octets
    line.down = lambda octets: b"".join(
        octets[at : at + UNIT] for at in range(0, len(octets), UNIT) if rng.random() >= loss
    )
    ephemeris, recording = rng.randbytes(20_000), rng.randbytes(60_000)
    line.ground_files.put(ephemeris, "partner.oem")
    (line.ends[0] / "files" / "telemetry.packets").write_bytes(recording)
    line.files.put(line.ends[0].joinpath("telemetry.packets").relative_to(line.ends[0]), "telemetry.packets")
    line.run(lambda: {event.name for event in line.events} >= {"FILE_ARRIVED", "FILE_SENT"}, 300.0)
    assert (line.ends[0] / "files" / "partner.oem").read_bytes() == ephemeris
    assert (line.ends[1] / "files" / "telemetry.packets").read_bytes() == recording


def test_with_security_the_same_telecommand_gets_through_and_nothing_in_the_clear_does(secured):
    secured.station.command(ping(3))
    secured.run(lambda: secured.reports(17, 2))
    clear = tc_frame.build(TcFrame(SPACECRAFT, COMMANDS, 0, b"\xc0" + ping(4), bypass=True))
    before = secured.link.counts.packets
    secured.link.receive(cltu.encode(clear), secured.now_s)
    assert secured.link.counts.packets == before
    secured.run(lambda: any(event.name == "FRAMES_REFUSED" for event in secured.events), 3.0)
    assert sum(secured.link.verdicts.values()) - secured.link.verdicts[Verdict.ACCEPTED] == 1


def test_what_was_recorded_is_refused_again_and_after_a_restart(terminal, make_terminal, tmp_path):
    copied_keys(tmp_path / "link")
    first = Line(terminal, tmp_path / "link", secured=True)
    recorded = []
    first.up = lambda octets: recorded.append(octets) or octets
    first.station.command(ping(9))
    first.run(lambda: first.reports(17, 2))
    first.close()
    second = Line(make_terminal(), tmp_path / "link", secured=True)
    try:
        second.link.receive(b"".join(recorded), 0.0)
        assert second.link.counts.packets == 0
        assert second.link.verdicts[Verdict.REPLAYED] == 1
        # the ground's own restart uses no number twice, and takes the next frame down as if nothing had been
        second.station.command(ping(10))
        second.run(lambda: second.reports(17, 2), 2.0)
        assert second.station.verdicts[Verdict.REPLAYED] == 0
    finally:
        second.close()


def test_a_key_is_replaced_by_command_without_a_gap(secured):
    board, ground = secured.securities

    def function(kind, *values):
        data = kind.encode(*values)
        packet = bytes(
            PusTc(
                service=8, message_subtype=1, apid=1, seq_count=kind.arguments[0].fixed, app_data=data, ack_flags=0b1111
            ).pack()
        )
        before = len(secured.reports(1, 7))
        secured.station.command(packet)
        secured.run(lambda: len(secured.reports(1, 7)) > before)

    # association 1 of telecommands, key 1, gives way to association 4 with key 4
    function(KEY_ACTIVATE, 4)
    ground.activate_key(4)
    function(ASSOCIATION_REKEY, 4, 4)
    function(ASSOCIATION_START, 4)
    ground.rekey(4, 4)
    ground.start(4)
    ground.stop(1)
    function(ASSOCIATION_STOP, 1)
    function(KEY_DEACTIVATE, 1)
    assert board.key_inventory()[1] is keys.KeyState.DEACTIVATED
    assert board.status(4).state == 2
    secured.station.command(ping(500))
    secured.run(lambda: secured.reports(17, 2))
    # what an operator may ask of it
    challenge = "00112233445566778899aabbccddeeff"
    function(KEY_VERIFY, 4, challenge)
    function(KEY_INVENTORY)
    function(ASSOCIATION_STATUS, 4)
    function(ASSOCIATION_STATUS, 1)
    texts = [event.text for event in secured.events]
    assert f"key 4 answers {ground.verify_key(4, bytes.fromhex(challenge)).hex()}" in texts
    assert {"key 1: DEACTIVATED", "key 2: ACTIVE", "key 9: PRE_ACTIVATION"} <= set(texts)
    counter = next(text for text in texts if text.startswith("association 4: OPERATIONAL, key 4, counter "))
    assert int(counter.rsplit(" ", 1)[1]) > 1
    assert "association 1: UNKEYED, key none, counter none" in texts
    # the last one that takes telecommands stays
    secured.station.command(
        bytes(PusTc(service=8, message_subtype=1, apid=1, seq_count=9, app_data=ASSOCIATION_STOP.encode(4)).pack())
    )
    secured.run(lambda: secured.reports(1, 8))
    assert bytes(secured.reports(1, 8)[0].source_data)[-1] == FailureCode.NOT_DONE
    assert "expected another one at work for its telecommands" in next(
        e.text for e in secured.events if e.name == "COMMAND_REFUSED"
    )


def test_nothing_goes_down_in_the_clear_when_its_association_is_stopped(secured):
    secured.run(lambda: secured.station.ready)
    secured.securities[0].stop(3)
    caught = []
    secured.down = lambda octets: caught.append(octets) or octets
    secured.run(lambda: secured.now_s > 1.0)
    assert b"".join(caught) == b""
    assert secured.link.counts.withheld > 0


def test_a_telecommand_that_cannot_be_kept_as_seen_is_not_carried_out(secured, monkeypatch):
    one, other = (
        cltu.encode(tc_frame.build(TcFrame(SPACECRAFT, COMMANDS, 0, secured.station._data(COMMANDS, ping(n)), True)))
        for n in (1, 2)
    )
    secured.link.receive(one, 0.0)

    def full(*_):
        raise ConfigError("counters: expected room, found a full disk")

    monkeypatch.setattr("flightsw.services.counters.TwoCopies.write", full)
    secured.link.receive(other, 0.0)
    assert secured.link.counts.packets == 1


def test_a_flood_of_forged_frames_makes_one_event_a_second(secured):
    rng = np.random.default_rng(1)
    secured.run(lambda: secured.station.ready)
    forged = b"".join(
        cltu.encode(tc_frame.build(TcFrame(SPACECRAFT, COMMANDS, 0, b"\xc0\x00\x01" + rng.bytes(60), bypass=True)))
        for _ in range(20)
    )
    start = secured.now_s
    secured.up = lambda octets: octets + forged
    secured.run(lambda: secured.now_s > start + 2.5)
    told = [event for event in secured.events if event.name == "FRAMES_REFUSED"]
    assert 2 <= len(told) <= 3
    assert secured.link.verdicts[Verdict.BAD_MAC] + secured.link.verdicts[Verdict.BEYOND_WINDOW] >= 4000
    assert secured.link.counts.packets == 0


def test_keys_that_are_not_active_are_said(tmp_path):
    keys.generate(tmp_path / "keys", range(1, 7))
    with KeyStore(tmp_path / "keys") as store, pytest.raises(ConfigError, match="expected keys 1 to 3 active"):
        open_security(GroundChannel(SPACECRAFT), store, tmp_path / "associations", on_board=True)
