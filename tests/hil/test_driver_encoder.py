"""An encoder board in a link: whatever becomes of its packets, a codeblock is in its place as the reference has it."""

from collections import deque

import numpy as np
import pytest
from cobs import cobs
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flightsw.ccsds import profile as profiles
from flightsw.ccsds.coding import LdpcC2, Randomizer, ReedSolomon, cadu
from flightsw.ccsds.coding.crc import crc16_rows
from flightsw.ccsds.link import LinkEncoder
from flightsw.errors import ConfigError, DeviceDisconnected, DeviceTimeout, FrameError, ProtocolError
from hil.data_link import DataLink
from hil.device_side import Device, Handler
from hil.drivers import encoder as driver
from hil.drivers.attachment import Attachment
from hil.drivers.encoder import BoardEncoder
from hil.emulators.process import EmulatorProcess
from hil.encoders import PYTHON, board_encoder_kind
from hil.link import DeviceLink
from hil.lockstep import Lockstep
from hil.parts import Joiner
from hil.protocol import Capability, ErrorCode, Kind, MessageError
from hil.transports.in_process import pair
from hil.world import build

CAPABILITIES, CODEBLOCK_OCTETS, CONTROL = 0x08, 0x10, 0x14
AT_RESET = 0b000_1_10_1_1
SAMPLES, DATA = 0xC0, 4
PART_OCTETS = 232


class Board(Handler):
    """A board after `docs/hdl.md`, with the reference's codes: frames wait in its buffer until it works."""

    def __init__(self, code: ReedSolomon | LdpcC2, capabilities: int, buffer_octets: int = 4096) -> None:
        self.code = code
        self.capabilities = capabilities
        self.buffer_octets = buffer_octets
        self.registers = {CAPABILITIES: capabilities, CODEBLOCK_OCTETS: code.n_out, CONTROL: AT_RESET}
        self.frames: deque[bytes] = deque()
        self.most_waiting = self.coded = 0
        self.joiner = Joiner()

    def read(self, address):
        return self.registers[address]

    def write(self, address, value):
        assert address == CONTROL
        self.registers[CONTROL] = value
        return value

    def stream(self, enable, decimation):
        return enable, decimation

    @property
    def room(self):
        return self.buffer_octets - sum(map(len, self.frames)) - sum(map(len, self.joiner._parts))

    def data(self, flags, octets):
        if len(octets) > 2028:
            raise MessageError(ErrorCode.BAD_LENGTH, f"DATA: expected at most 2028 octets, found {len(octets)}")
        if len(octets) > self.room:
            raise MessageError(ErrorCode.BUSY, "")
        frame = self.joiner.push(flags, octets)
        if frame is not None:
            self.frames.append(frame)
            self.most_waiting = max(self.most_waiting, len(self.frames))
        return self.room

    def work(self) -> bytes | None:
        """Code a frame, if one waits."""
        if not self.frames:
            return None
        self.coded += 1
        rows = np.frombuffer(self.frames.popleft(), np.uint8)[None]
        settings = self.registers[CONTROL]
        if settings & 1:
            rows = np.concatenate([rows, crc16_rows(rows).astype(">u2").view(np.uint8).reshape(-1, 2)], axis=1)
        if settings & 2:
            # what is too long is cut, as the RTL does; that it spoils the parity does not matter here
            rows = self.code.encode(rows[:, : self.code.k])
        kind = settings >> 2 & 3
        if kind:
            rows = Randomizer([None, "255", "131071"][kind]).apply(rows)
        return (cadu(rows) if settings & 16 else rows).tobytes()


class Line:
    """A board and its host in one thread: the board works while the host waits, and time passes as it waits.

    damage: called with each message of samples, returns the octets that reach the host in its place.
    deaf: DATA that does not reach the board, by number. chatter: samples that the board sends behind each codeblock.
    """

    def __init__(self, board: Board) -> None:
        self.board = board
        self.now_ns = 0
        self.there = True
        self.damage = lambda octets: [octets]
        self.deaf: set[int] = set()
        self.chatter = b""
        self.data = 0
        self.events: list[tuple[str, str]] = []
        self.link = DeviceLink(Kind.ENCODER, self.connect, clock_ns=lambda: self.now_ns)
        self.attachment = Attachment(self.link, lambda severity, name, text: self.events.append((name, text)))
        self.attachment.open()

    def connect(self):
        if not self.there:
            raise DeviceDisconnected("nobody there")
        host, end = pair("line", wait=self.wait)
        self.name, self.framing = end.name, end.framing
        self.end = end
        self.device = Device(Kind.ENCODER, self, self.board, capabilities=Capability(self.board.capabilities))
        return host

    def wait(self, timeout_s: float) -> None:
        self.device.step()
        octets = self.board.work()
        if octets is not None:
            self.device.send_samples(octets, part_octets=PART_OCTETS)
            if self.chatter:
                self.device.send_samples(self.chatter)
        self.now_ns += 0 if self.link._transport._inbox else round(timeout_s * 1e9)

    def read(self, timeout_s: float) -> bytes:
        frames = []
        for frame in filter(None, self.end.read(timeout_s).split(b"\0")):
            if cobs.decode(frame)[14] == DATA:
                self.data += 1
                if self.data - 1 in self.deaf:
                    continue
            frames.append(frame + b"\0")
        return b"".join(frames)

    def write(self, octets: bytes) -> None:
        is_samples = cobs.decode(octets.split(b"\0")[0])[14] == SAMPLES
        for message in self.damage(octets) if is_samples else [octets]:
            self.end.write(message)

    def unplug(self) -> None:
        self.there = False
        self.end.close()


def dropping(*numbers: int):
    """Damage: messages of samples of these numbers are lost."""
    count = iter(range(10**9))
    return lambda octets: [] if next(count) in numbers else [octets]


BOARDS = {
    "aos_rs_i5": lambda: Board(ReedSolomon(16, 5), 0x01_05_10_01),
    "aos_rs_i8": lambda: Board(ReedSolomon(16, 8), 0x01_08_10_08, 8192),
    "aos_ldpc_c2": lambda: Board(LdpcC2(), 0x02_00_00_08),
    # its code is passed by
    "tm_uncoded": lambda: Board(ReedSolomon(16, 1), 0x01_01_10_08),
}
I5 = profiles.load("aos_rs_i5")
UNIT = 1279
PARTS = 6


def changed(name: str, **coding: object) -> profiles.LinkProfile:
    table = profiles.load(name).model_dump()
    table["coding"].update(coding)
    return profiles.LinkProfile.model_validate(table)


def frames(count: int, length: int = 1115, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, length), dtype=np.uint8)


def units(sent: np.ndarray) -> np.ndarray:
    return LinkEncoder(I5).encode(sent).reshape(-1, UNIT)


@pytest.fixture
def line() -> Line:
    return Line(BOARDS["aos_rs_i5"]())


@pytest.mark.parametrize(
    ("name", "coding"),
    [
        ("aos_rs_i5", {}),
        ("aos_rs_i5", {"randomizer": "255"}),
        ("aos_rs_i5", {"randomizer": "none"}),
        ("aos_rs_i5", {"interleaver_ms": 1.0}),
        ("aos_rs_i8", {}),
        ("aos_ldpc_c2", {}),
        ("tm_uncoded", {}),
        ("tm_uncoded", {"interleaver_ms": 2.0}),
    ],
)
def test_octets_of_the_line_are_those_of_the_python_encoder(name, coding):
    profile = changed(name, **coding)
    line = Line(BOARDS[name]())
    expected, found = LinkEncoder(profile, 20e6), BoardEncoder(profile, 20e6, line.attachment)
    assert found.line_octets_per_frame == expected.line_octets_per_frame
    for n, count in enumerate([1, 0, 9, -1, 2, 1, -1, -1, 4]):
        if count < 0:
            octets, wanted = found.flush(), expected.flush()
        else:
            sent = frames(count, profile.frame.length_octets, n)
            octets, wanted = found.encode(sent), expected.encode(sent)
        assert np.array_equal(octets, wanted), f"call {n}"
    assert found.lost == line.attachment.refused == line.attachment.missed == 0
    assert line.board.coded == 17 and line.events == []


def test_as_many_frames_are_under_way_as_the_board_has_room_for(line):
    encoder = BoardEncoder(I5, None, line.attachment)
    encoder.encode(frames(1))
    assert line.board.most_waiting == 1
    encoder.encode(frames(20))
    assert line.board.most_waiting == 4096 // 1115
    assert line.attachment.refused == 0


def test_frames_in_several_messages():
    table = profiles.load("tm_uncoded").model_dump()
    table["frame"]["length_octets"] = 2040
    profile = profiles.LinkProfile.model_validate(table)
    line = Line(Board(ReedSolomon(16, 5), 0x01_05_10_01, 8192))
    sent = frames(7, 2040)
    octets = BoardEncoder(profile, None, line.attachment).encode(sent)
    assert np.array_equal(octets, LinkEncoder(profile).encode(sent))
    assert line.data == 14 and line.attachment.refused == 0


def test_equal_frames_all_have_their_codeblock(line):
    sent = frames(6)
    sent[3] = sent[5] = sent[1]
    assert np.array_equal(BoardEncoder(I5, None, line.attachment).encode(sent).reshape(-1, UNIT), units(sent))


@pytest.mark.parametrize("frame", [0, 3, 7])
@pytest.mark.parametrize("part", range(PARTS))
def test_a_lost_part_costs_a_second_try(line, frame, part):
    encoder = BoardEncoder(I5, None, line.attachment)
    line.damage = dropping(PARTS * frame + part)
    sent = frames(8)
    assert np.array_equal(encoder.encode(sent).reshape(-1, UNIT), units(sent))
    assert encoder.lost == 0 and line.board.coded == 9
    # the next codeblock tells, where one follows
    assert line.attachment.missed == (frame in (0, 7))


@pytest.mark.parametrize("frame", [0, 3, 7])
def test_a_frame_that_is_lost_twice_is_lost_and_no_other(line, frame):
    encoder = BoardEncoder(I5, None, line.attachment)
    # it is sent again behind the others
    line.damage = dropping(PARTS * frame + 2, PARTS * 8 + 4)
    sent = frames(8)
    found, expected = encoder.encode(sent).reshape(-1, UNIT), units(sent)
    expected[frame] = 0
    assert np.array_equal(found, expected)
    assert encoder.lost == 1
    line.damage = dropping()
    assert np.array_equal(encoder.encode(sent).reshape(-1, UNIT), units(sent))
    assert encoder.lost == 1 and line.attachment.in_service


def test_parts_of_two_codeblocks_make_none(line):
    encoder = BoardEncoder(I5, None, line.attachment)
    # what is left is as long as a codeblock, and begins as the first one
    line.damage = dropping(*range(5, 11))
    sent = frames(8)
    assert np.array_equal(encoder.encode(sent).reshape(-1, UNIT), units(sent))
    assert line.board.coded == 10


def test_what_else_a_board_says_is_let_pass(line):
    encoder = BoardEncoder(I5, None, line.attachment)
    line.chatter = bytes(20)
    sent = frames(8)
    assert np.array_equal(encoder.encode(sent).reshape(-1, UNIT), units(sent))
    assert line.attachment.missed == 0 and line.board.coded == 8


@pytest.mark.parametrize("number", range(8))
def test_a_frame_that_does_not_reach_the_board_is_sent_again(line, number):
    encoder = BoardEncoder(I5, None, line.attachment)
    line.deaf = {number}
    sent = frames(8)
    assert np.array_equal(encoder.encode(sent).reshape(-1, UNIT), units(sent))
    assert encoder.lost == 0 and line.data == 9


def test_a_codeblock_that_comes_too_late_belongs_to_nobody(line):
    encoder = BoardEncoder(I5, None, line.attachment)
    late: list[bytes] = []

    def keep(octets: bytes) -> list[bytes]:
        late.append(octets)
        return []

    line.damage = keep
    sent = frames(1)
    assert not encoder.encode(sent).any() and encoder.lost == 1
    line.damage = lambda octets: [*late, octets]
    again = frames(4, seed=2)
    assert np.array_equal(encoder.encode(again).reshape(-1, UNIT), units(again))


def test_what_comes_late_need_not_be_sent_again(line):
    encoder = BoardEncoder(I5, None, line.attachment)
    encoder.encode(frames(1))
    held: list[bytes] = []

    def hold_until_missed(octets: bytes) -> list[bytes]:
        held.append(octets)
        if not line.attachment.missed:
            return []
        come, held[:] = list(held), []
        return come

    line.damage = hold_until_missed
    sent = frames(9)
    assert np.array_equal(encoder.encode(sent).reshape(-1, UNIT), units(sent))
    assert line.attachment.missed == 1 and line.board.coded == 10


def test_without_a_board_frames_are_lost_and_when_it_is_back_it_is_told_again(line):
    encoder = BoardEncoder(changed("aos_rs_i5", randomizer="255"), None, line.attachment)
    sent = frames(5)
    sent[4] = sent[2]
    encoder.encode(sent)
    line.unplug()
    octets = encoder.encode(sent)
    assert octets.shape == (5 * UNIT,) and not octets.any()
    assert encoder.lost == 5 and [name for name, _ in line.events] == ["DEVICE_LOST"]
    assert not encoder.encode(sent).any() and encoder.lost == 10
    line.there = True
    # not quite the same
    line.board = Board(ReedSolomon(16, 5), 0x01_05_10_01, 2048)
    assert line.attachment.look_after(1.0)
    expected = LinkEncoder(changed("aos_rs_i5", randomizer="255")).encode(sent)
    assert np.array_equal(encoder.encode(sent), expected)
    assert encoder.lost == 10 and line.attachment.refused == 0


def test_a_board_that_falls_silent_is_lost_after_three_misses(line):
    encoder = BoardEncoder(I5, None, line.attachment)
    line.damage = lambda octets: []
    began_ns = line.now_ns
    assert not encoder.encode(frames(9)).any()
    assert encoder.lost == 9 and line.attachment.missed == 3
    assert not line.attachment.in_service
    assert line.now_ns - began_ns == pytest.approx(3e9 * driver.PATIENCE_S, rel=0.1)


def test_a_board_that_was_reset_is_told_its_settings_again(line):
    encoder = BoardEncoder(I5, None, line.attachment)
    line.board.registers[CONTROL] = AT_RESET & ~0b1100
    sent = frames(4)
    assert np.array_equal(encoder.encode(sent).reshape(-1, UNIT), units(sent))
    assert encoder.lost == 0 and line.attachment.missed == 1


@pytest.mark.parametrize("error", [ProtocolError("nonsense"), MessageError(ErrorCode.HARDWARE_FAULT, "broken")])
def test_a_board_that_does_not_take_its_settings_keeps_nobody(line, monkeypatch, error):
    encoder = BoardEncoder(I5, None, line.attachment)
    line.unplug()
    encoder.encode(frames(1))
    line.there = True
    assert line.attachment.look_after(1.0)

    def refuse(address, value):
        raise error

    monkeypatch.setattr(line.link, "write", refuse)
    assert not encoder.encode(frames(3)).any() and encoder.lost == 4
    assert [name for name, _ in line.events] == ["DEVICE_LOST", "DEVICE_BACK", "DEVICE_REFUSED"]


def test_frames_that_the_board_has_no_room_for_are_lost():
    line = Line(Board(ReedSolomon(16, 5), 0x01_05_10_01, 1024))
    encoder = BoardEncoder(I5, None, line.attachment)
    assert not encoder.encode(frames(3)).any()
    assert encoder.lost == 3 and line.attachment.in_service
    assert line.attachment.refused == 6 and [name for name, _ in line.events] == ["DEVICE_REFUSED"]


@pytest.mark.parametrize(
    "said", [bytes(3), bytes(UNIT), units(frames(1))[0, :-1].tobytes(), units(frames(1)).tobytes() + b"\0"]
)
def test_a_board_that_says_other_things_all_the_time_keeps_nobody(line, said):
    encoder = BoardEncoder(I5, None, line.attachment)
    line.board.work = lambda: said
    assert not encoder.encode(frames(4)).any() and encoder.lost == 4


@pytest.mark.parametrize(
    ("board", "profile", "words"),
    [
        (BOARDS["aos_rs_i8"], "aos_rs_i5", "interleave 5, .* 1275 octets, .* interleave 8, .* 2040 octets"),
        (BOARDS["aos_ldpc_c2"], "aos_rs_i5", "e 16, interleave 5, .* found ldpc-c2 with codeblocks of 1020 octets"),
        (BOARDS["aos_rs_i5"], "aos_ldpc_c2", "expected ldpc-c2 .* found rs with e 16"),
        (lambda: Board(ReedSolomon(16, 5, 0), 0x00_05_10_01), "aos_rs_i5", "dual basis .* found .* conventional"),
        (lambda: Board(ReedSolomon(8, 5, 0), 0x01_05_08_01), "aos_rs_i5", "e 16, .* found rs with e 8"),
        (lambda: Board(ReedSolomon(16, 5, 100), 0x01_05_10_01), "aos_rs_i5", "1275 octets, .* 1175 octets"),
        (BOARDS["aos_rs_i5"], "tm_concatenated", "coding.convolutional none, found 1/2"),
        (BOARDS["aos_rs_i5"], "uslp_ar4ja", "found ar4ja"),
    ],
)
def test_a_board_that_does_not_fit_the_profile_is_refused_in_one_line(board, profile, words):
    line = Line(board())
    with pytest.raises(ConfigError, match=words) as refused:
        BoardEncoder(profiles.load(profile), None, line.attachment)
    assert "\n" not in str(refused.value)


def test_an_interleaver_needs_the_line_rate(line):
    with pytest.raises(ConfigError, match="expected the line rate"):
        BoardEncoder(changed("aos_rs_i5", interleaver_ms=1.0), None, line.attachment)


def test_frames_of_another_length_are_refused(line):
    with pytest.raises(FrameError, match="1115"):
        BoardEncoder(I5, None, line.attachment).encode(frames(1, 1113))


def test_a_board_that_does_not_answer_at_the_start_is_an_error(line, monkeypatch):
    monkeypatch.setattr(line.device, "step", lambda: None)
    with pytest.raises(DeviceTimeout):
        BoardEncoder(I5, None, line.attachment)


ACTS = st.lists(st.sampled_from(["pass"] * 12 + ["drop", "twice", "hold", "garble", "cut"]), max_size=60)


@given(acts=ACTS, deaf=st.sets(st.integers(0, 12), max_size=3))
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_happens_on_the_line_each_unit_is_right_or_zeros(acts, deaf):
    line = Line(BOARDS["aos_rs_i5"]())
    line.deaf = deaf
    script, held = iter(acts), []

    def damage(octets: bytes) -> list[bytes]:
        act = next(script, "pass")
        before, held[:] = list(held), []
        if act == "drop":
            return before
        if act == "hold":
            held[:] = [*before, octets]
            return []
        if act == "garble":
            octets = octets[:30] + bytes([octets[30] ^ 0x55 or 1]) + octets[31:]
        if act == "cut":
            octets = octets[:20]
        return [octets, *before] if act != "twice" else [octets, octets, *before]

    line.damage = damage
    encoder = BoardEncoder(I5, None, line.attachment)
    lost = 0
    for seed in range(2):
        sent = frames(5, seed=seed)
        found, expected = encoder.encode(sent).reshape(-1, UNIT), units(sent)
        empty = ~found.any(axis=1)
        assert np.array_equal(found[~empty], expected[~empty])
        lost += int(empty.sum())
    assert encoder.lost == lost


def test_a_file_arrives_though_frames_are_lost_on_the_way_to_the_board_and_back(scenario, tmp_path):
    payload = np.random.default_rng(3).bytes(60_001)
    s = scenario("leo_crosslink")
    line = Line(BOARDS["aos_rs_i5"]())
    count = iter(range(10**9))
    # a part of a frame, and the same of its second try
    line.damage = lambda octets: [] if next(count) % 200 in (20, 20 + PARTS) else [octets]
    world = build(s, 1, 6, tmp_path)
    link = DataLink(s, world, payload, 1, [board_encoder_kind(line.attachment, 1.0), PYTHON])
    Lockstep(s, world).run(data=link)
    summary = link.summary()
    assert summary["sha256_match"] is True and summary["encoder"] == "board, python"
    assert summary["frames_lost"] >= link._there._encoder.lost > 0
    assert summary["segments_resent"] > 0
    assert summary["rate_scale"] == 2500.0


def test_the_board_itself_at_its_pins_behind_a_pseudo_terminal(monkeypatch):
    # a machine that is busy must not look like a board that is silent
    monkeypatch.setattr(driver, "PATIENCE_S", 60.0)
    sent = frames(3)
    with EmulatorProcess(Kind.ENCODER, None, "alpha", 1) as board:
        link = DeviceLink(Kind.ENCODER, board.connect, timeout_s=10.0)
        attachment = Attachment(link, lambda *_: None)
        attachment.open()
        encoder = BoardEncoder(I5, None, attachment)
        found = encoder.encode(sent)
        attachment.close()
    assert np.array_equal(found.reshape(-1, UNIT), units(sent))
    assert encoder.lost == attachment.missed == attachment.refused == 0
