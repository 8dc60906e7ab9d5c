"""Faults of a line: as text, seen through a link, and on streams of any kind."""

import numpy as np
import pytest
from cobs import cobs
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from flightsw.ccsds import space_packet
from flightsw.ccsds.space_packet import Packet
from flightsw.errors import BeamlockError, ConfigError, DeviceDisconnected, DeviceError, DeviceNotFound, DeviceTimeout
from hil import framing as framing_module
from hil.bodies import (
    decode_mirror_set_points,
    decode_quad_samples,
    encode_mirror_angles,
    encode_quad_samples,
)
from hil.device_side import Device, Handler
from hil.faults import Fault, FaultModel, FaultyLine, parse
from hil.framing import StreamReader, packet_reader
from hil.link import DeviceLink
from hil.parts import Joiner
from hil.protocol import Capability, Kind
from hil.transports import Framing
from hil.transports.in_process import pair

BY_CHANCE = ("drop", "corrupt", "duplicate", "reorder", "truncate")


class Recorded(Handler):
    """A handler that keeps what it is given, and counts what it is asked."""

    def __init__(self) -> None:
        self.data_taken: list[bytes] = []
        self.reads = 0

    def read(self, address: int) -> int:
        self.reads += 1
        return address + 1

    def write(self, address: int, value: int) -> int:
        return value

    def data(self, flags: int, octets: bytes) -> int:
        self.data_taken.append(octets)
        return 1000


class Rig:
    """A device and a link in one thread, with faults between them; what waits lets the device work, and time pass."""

    def __init__(self, *faults: str | FaultModel, kind: Kind = Kind.QUAD_CELL, framing=Framing.STREAM, seed=1) -> None:
        self.now_s = 1.0
        self.told: list[str] = []
        self.framing = framing
        self.kind = kind
        self.handler = Recorded()
        models = [parse(f"alpha.{kind.label}:{fault}") if isinstance(fault, str) else fault for fault in faults]
        self.line = FaultyLine(models, np.random.default_rng(seed), lambda: self.now_s, self.tell)
        self.link = DeviceLink(kind, self.line.wrap(self.connect), clock_ns=lambda: round(self.now_s * 1e9))

    def tell(self, name: str, text: str) -> None:
        assert name == "FAULT"
        self.told.append(text)

    def connect(self):
        host, self.end = pair("rig", self.framing, self.wait)
        self.device = Device(
            self.kind,
            self.end,
            self.handler,
            capabilities=Capability.STREAM,
            clock_us=lambda: round(self.now_s * 1e6),
        )
        self.host = host
        return host

    def wait(self, timeout_s: float) -> None:
        if timeout_s > 0:
            self.device.step()
            self.now_s += 0.0 if self.host._inbox else timeout_s


def stream_of(*numbers: int) -> bytes:
    return b"".join(framed(number) for number in numbers)


def packet_octets(number: int, data: bytes = b"\xc0\0\0\0\0\x03abc", telecommand: bool = False) -> bytes:
    return space_packet.build(Packet(0x102, number, 1000 + number, data, telecommand=telecommand))


def framed(number: int, data: bytes = b"\xc0\0\0\0\0\x03abc") -> bytes:
    return cobs.encode(packet_octets(number, data)) + b"\0"


class Bare:
    """A line without a device: `sent` comes from it, `written` went to it."""

    def __init__(self, *faults: str, framing: Framing = Framing.STREAM, seed: int = 1) -> None:
        self.now_s = 1.0
        self.told: list[str] = []
        self.host, self.end = pair("bare", framing)
        self.line = FaultyLine(
            [parse(f"alpha.quad_cell:{fault}") for fault in faults],
            np.random.default_rng(seed),
            lambda: self.now_s,
            lambda name, text: self.told.append(text),
        )
        self.transport = self.line.wrap(lambda: self.host)()

    def read(self, *pieces: bytes) -> bytes:
        """What comes of what is sent piece by piece."""
        came = []
        for piece in pieces:
            self.end.write(piece)
            while self.end._far._inbox:
                came.append(self.transport.read(0.0))
            came.append(self.transport.read(0.0))
        return b"".join(came)

    def write(self, *pieces: bytes) -> bytes:
        for piece in pieces:
            self.transport.write(piece)
        return b"".join(iter(lambda: self.end.read(0.0), b""))


# as text


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("alpha.quad_cell:drop=0.02", {"share": 0.02}),
        ("alpha.quad_cell:drop", {"share": 0.01}),
        ("alpha.quad_cell:delay=0.5,2.5@3", {"share": 0.5, "delay_ms": 2.5, "at_s": 3.0}),
        ("alpha.steering_mirror:disconnect@10+5", {"at_s": 10.0, "duration_s": 5.0}),
        ("alpha.steering_mirror:saturate=40@10+5", {"limit_urad": 40.0, "at_s": 10.0, "duration_s": 5.0}),
        ("bravo.quad_cell:drift=-200", {"drift_ppm": -200.0}),
        ("br.avo-2.camera:stuck@0+1.5", {"at_s": 0.0, "duration_s": 1.5}),
    ],
)
def test_faults_by_hand(text, keys):
    fault = parse(text)
    where, _, rest = text.partition(":")
    terminal, _, device = where.rpartition(".")
    assert (fault.terminal, fault.device.label) == (terminal, device)
    assert rest.startswith(fault.fault)
    assert {key: getattr(fault, key) for key in keys} == keys
    others = {"at_s", "duration_s", "delay_ms", "limit_urad", "drift_ppm"} - set(keys)
    assert {key: getattr(fault, key) for key in others if getattr(fault, key)} == {}
    if text != "alpha.quad_cell:drop":
        assert str(fault) == text


TIMES = st.floats(0, 86_400)
LENGTHS = st.floats(1e-9, 86_400)
SHARES = st.floats(0, 1)
TERMINALS = st.text("ab.-_+ é\n", min_size=1)


@given(
    TERMINALS,
    st.sampled_from([Kind.STEERING_MIRROR, Kind.QUAD_CELL, Kind.CAMERA]),
    st.one_of(
        st.fixed_dictionaries({"fault": st.sampled_from(BY_CHANCE), "share": SHARES}),
        st.fixed_dictionaries({"fault": st.just("delay"), "share": SHARES, "delay_ms": st.floats(1e-9, 60_000)}),
        st.fixed_dictionaries({"fault": st.just("drift"), "drift_ppm": st.floats(-1e6, 1e6)}),
        st.fixed_dictionaries({"fault": st.just("saturate"), "limit_urad": st.floats(1e-300, 1e300)}),
        st.fixed_dictionaries({"fault": st.sampled_from(["disconnect", "stuck"])}),
    ),
    TIMES,
    LENGTHS,
)
def test_text_and_model_are_one(terminal, kind, keys, at_s, duration_s):
    if keys["fault"] == "saturate":
        kind = Kind.STEERING_MIRROR
    fault = FaultModel(terminal=terminal, device=kind.label, at_s=at_s, duration_s=duration_s, **keys)
    assert parse(str(fault)) == fault
    assert FaultModel.model_validate_json(fault.model_dump_json()) == fault
    assert f'"device":"{kind.label}"' in fault.model_dump_json()
    if keys["fault"] in (*BY_CHANCE, "delay", "drift"):
        endless = fault.model_copy(update={"duration_s": None})
        assert parse(str(endless)) == endless
        assert endless.end_s == float("inf")
    assert fault.end_s == at_s + duration_s


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "expected TERMINAL.DEVICE:FAULT"),
        ("alpha:drop", "expected TERMINAL.DEVICE:FAULT.*alpha.quad_cell:drop=0.02"),
        ("alpha.quad_cell", "expected TERMINAL.DEVICE:FAULT"),
        (".quad_cell:drop", "expected TERMINAL.DEVICE:FAULT"),
        ("alpha.quadcell:drop", "device: expected one of steering_mirror, quad_cell, .*, found 'quadcell'"),
        ("alpha.quad_cell:explode", "fault: Input should be 'drop', 'corrupt', .*, found 'explode'"),
        ("alpha.quad_cell:drop=2", "share: .* less than or equal to 1, found '2'"),
        ("alpha.quad_cell:drop=", "share: .* valid number, .*found ''"),
        ("alpha.quad_cell:drop=nan", "share: .*, found 'nan'"),
        ("alpha.quad_cell:drop=0.1,2", "expected share after =, found '0.1,2'"),
        ("alpha.quad_cell:drop@x", "at_s: .* valid number, .*found 'x'"),
        ("alpha.quad_cell:drop@1+", "duration_s: .* valid number, .*found ''"),
        ("alpha.quad_cell:drop@-1", "at_s: .* greater than or equal to 0, found '-1'"),
        ("alpha.quad_cell:drop@1+0", "duration_s: .* greater than 0, found '0'"),
        ("alpha.quad_cell:delay=0.1", "expected share and delay_ms after =, found '0.1'"),
        ("alpha.quad_cell:delay", "delay: expected delay_ms, found none"),
        ("alpha.quad_cell:drift", "drift: expected drift_ppm, found none"),
        ("alpha.quad_cell:disconnect=1@1+1", "expected no number after =, found '1'"),
        ("alpha.quad_cell:disconnect@1", "disconnect: expected duration_s, found none"),
        ("alpha.quad_cell:stuck", "stuck: expected duration_s, found none"),
        ("alpha.encoder:stuck@1+1", "stuck: expected one of steering_mirror, .*camera, found encoder"),
        ("alpha.quad_cell:saturate=5@1+1", "saturate: expected a steering_mirror, found a quad_cell"),
    ],
)
def test_what_is_wrong_with_a_text_is_said_in_one_line(text, what):
    with pytest.raises(ConfigError, match=what) as caught:
        parse(text)
    assert str(caught.value).startswith(f"fault {text!r}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("keys", "what"),
    [
        ({"fault": "drop", "delay_ms": 1}, "drop: expected no delay_ms, found 1"),
        ({"fault": "drift", "drift_ppm": 1, "share": 0.5}, "drift: expected no share of packets"),
        ({"fault": "drop", "device": 0x102}, "expected one of steering_mirror"),
        ({"fault": "drop", "terminal": "a:b"}, "String should match"),
        ({"fault": "drop", "at": 1}, "Extra inputs"),
    ],
)
def test_keys_that_do_not_belong(keys, what):
    with pytest.raises(ValidationError, match=what):
        FaultModel.model_validate({"terminal": "alpha", "device": "quad_cell"} | keys)


@given(st.text())
def test_any_text_is_a_fault_or_refused(text):
    for candidate in (text, "alpha.quad_cell:drop" + text, "alpha.quad_cell:delay=" + text):
        try:
            fault = parse(candidate)
        except ConfigError:
            continue
        assert parse(str(fault)) == fault


# through a link


@pytest.mark.parametrize("framing", Framing)
def test_a_packet_that_is_dropped_never_comes(framing):
    rig = Rig("drop=1@2+1", framing=framing)
    rig.link.open()
    assert rig.told == []
    rig.now_s = 2.0
    with pytest.raises(DeviceTimeout):
        rig.link.send(b"x")
    assert rig.handler.data_taken == []
    assert rig.told == ["quad_cell: dropped packet 2 to device"]
    rig.device.send_samples(b"y")
    rig.link.poll()
    assert rig.told[1] == "quad_cell: dropped packet 0 from device"
    assert rig.line.counts == {Fault.DROP: 2}
    rig.now_s = 3.0
    assert rig.link.send(b"z") == 1000
    assert rig.handler.data_taken == [b"z"]
    assert len(rig.told) == 2
    assert len(rig.link.samples) == 0


@pytest.mark.parametrize("framing", Framing)
@pytest.mark.parametrize("fault", ["corrupt", "truncate"])
def test_a_packet_that_is_damaged_is_a_bad_frame(framing, fault):
    rig = Rig(f"{fault}=1@2+1", framing=framing)
    rig.link.open()
    rig.now_s = 2.0
    for _ in range(20):
        rig.device.send_samples(b"y" * 20)
        rig.link.poll()
    with pytest.raises(DeviceTimeout):
        rig.link.send(b"x")
    assert rig.handler.data_taken == []
    assert len(rig.link.samples) == 0
    rig.now_s = 3.0
    # lost with what lost its delimiter before it
    rig.device.send_samples(b"lost")
    rig.link.poll()
    assert rig.link.send(b"z") == 1000
    assert rig.link.counts.bad_frames >= 10
    # a wrong bit may be a delimiter
    assert rig.device.bad_frames >= 1
    done = "corrupted" if fault == "corrupt" else "truncated"
    assert rig.told == [
        *(f"quad_cell: {done} packet {n} from device" for n in range(20)),
        f"quad_cell: {done} packet 2 to device",
    ]


@pytest.mark.parametrize("framing", Framing)
def test_a_packet_that_is_delayed_comes_when_it_is_due(framing):
    rig = Rig("delay=1,30@2+1", framing=framing)
    rig.link.open()
    rig.now_s = 2.0
    rig.device.send_samples(b"y")
    assert rig.link.poll() == 0
    # a read that waits longer wakes when it comes
    assert rig.link.poll(1.0) == 1
    assert rig.now_s == pytest.approx(2.03)
    assert rig.link.samples[0].time_us == 2_000_000
    rig.now_s = 2.5
    # 30 ms there, 30 ms back
    assert rig.link.read(4) == 5
    assert rig.now_s == pytest.approx(2.56)
    assert rig.handler.reads == 1
    # what is delayed still comes when the fault is over
    rig.now_s = 2.999
    rig.device.send_samples(b"z")
    rig.link.poll()
    rig.now_s = 3.0
    assert rig.link.poll() == 1
    rig.now_s = 3.03
    assert rig.link.poll() == 2
    assert rig.line.counts == {Fault.DELAY: 4}


@pytest.mark.parametrize("framing", Framing)
def test_a_packet_that_is_duplicated_comes_twice(framing):
    rig = Rig("duplicate=1@2+1", framing=framing)
    rig.link.open()
    rig.now_s = 2.0
    rig.device.send_samples(b"y")
    rig.link.poll()
    # the second is there at once
    rig.link.poll(1.0 if framing is Framing.TRANSFER else 0.0)
    assert rig.now_s == 2.0
    assert rig.link.counts.samples_repeated == 1
    assert rig.link.read(4) == 5
    # on transfers each is a write of its own, and the device takes one a step
    while rig.end._inbox:
        rig.device.step()
    assert rig.handler.reads == 2
    assert rig.told[:2] == ["quad_cell: duplicated packet 0 from device", "quad_cell: duplicated packet 2 to device"]


@pytest.mark.parametrize("framing", Framing)
def test_a_packet_that_is_reordered_comes_after_the_next(framing):
    rig = Rig("reorder=1@2+1", framing=framing)
    rig.link.open()
    rig.now_s = 2.0
    came = []
    for octets in (b"1", b"2", b"3", b"4", b"5"):
        rig.device.send_samples(octets)
    rig.link._take_samples = lambda packet: came.append(packet.data[-1:])
    for _ in range(9):
        rig.link.poll()
    # the fifth waits for the next, which comes when the fault is over
    assert came == [b"2", b"1", b"4", b"3"]
    rig.now_s = 3.0
    rig.device.send_samples(b"6")
    for _ in range(3):
        rig.link.poll()
    assert came[4:] == [b"6", b"5"]
    assert rig.told == [f"quad_cell: reordered packet {n} from device" for n in (0, 2, 4)]


@pytest.mark.parametrize("framing", Framing)
def test_a_device_that_is_unplugged_has_to_be_opened_again(framing):
    rig = Rig("disconnect@2+3", framing=framing)
    rig.link.open()
    rig.now_s = 1.999
    assert rig.link.read(0) == 1
    rig.now_s = 2.0
    for ask in (lambda: rig.link.read(0), rig.link.poll):
        with pytest.raises(DeviceDisconnected, match="rig: expected the device, found it unplugged"):
            ask()
    assert rig.told == ["quad_cell: disconnect begins"]
    with pytest.raises(DeviceNotFound, match="quad_cell: expected a device, found it unplugged"):
        rig.link.open()
    rig.now_s = 5.0
    rig.link.open()
    assert rig.link.read(0) == 1
    assert rig.told == ["quad_cell: disconnect begins", "quad_cell: disconnect ends"]
    assert rig.line.counts == {Fault.DISCONNECT: 1}


def test_a_device_that_was_unplugged_between_two_calls_is_gone():
    rig = Rig("disconnect@2+3")
    rig.link.open()
    rig.now_s = 6.0
    with pytest.raises(DeviceDisconnected):
        rig.link.read(0)
    assert rig.told == ["quad_cell: disconnect begins", "quad_cell: disconnect ends"]
    rig.link.open()
    assert rig.link.read(0) == 1


@pytest.mark.parametrize("framing", Framing)
def test_a_sensor_that_is_stuck_says_the_same_again(framing):
    rig = Rig("stuck@2+1", "stuck@4+1", framing=framing)
    rig.link.open()
    rows = np.arange(12, dtype=np.float32).reshape(4, 3)

    def said(values) -> np.ndarray:
        rig.link.samples.clear()
        rig.device.send_samples(encode_quad_samples(values))
        rig.link.poll()
        received = rig.link.samples.popleft()
        assert received.time_us == round(rig.now_s * 1e6)
        return decode_quad_samples(received.samples.octets)

    assert said(rows[:1]).tolist() == rows[:1].tolist()
    rig.now_s = 2.0
    assert said(rows[1:3]).tolist() == [rows[1].tolist()] * 2
    rig.now_s = 2.5
    assert said(rows[3:]).tolist() == rows[1:2].tolist()
    assert said(rows).tolist() == [rows[1].tolist()] * 4
    assert said(rows[:0]).tolist() == []
    assert rig.link.read(0) == 1
    rig.now_s = 3.0
    assert said(rows).tolist() == rows.tolist()
    rig.now_s = 4.5
    assert said(rows[:0]).tolist() == []
    assert said(rows[2:]).tolist() == [rows[2].tolist()] * 2
    assert rig.told == ["quad_cell: stuck begins", "quad_cell: stuck ends", "quad_cell: stuck begins"]
    assert rig.link.counts.bad_frames == 0


def test_a_camera_that_is_stuck_sends_its_first_image():
    rig = Rig("stuck@2+1", kind=Kind.CAMERA)
    rig.link.open()
    images = [bytes((i + n) % 251 for i in range(1000)) for n in range(3)]
    rig.now_s = 2.0
    for image in images:
        rig.device.send_samples(image, part_octets=300)
    rig.link.poll()
    joiner = Joiner()
    wholes = [joiner.push(s.flags, s.octets, s.sequence) for _, s in rig.link.samples]
    assert [whole for whole in wholes if whole is not None] == [images[0]] * 3


def test_a_mirror_that_saturates_goes_no_farther():
    rig = Rig("saturate=50@2+1", kind=Kind.STEERING_MIRROR)
    rig.link.open()
    asked = np.array([[10e-6, -20e-6], [60e-6, -49e-6], [-51e-6, 1.0]])
    rig.now_s = 2.0
    rig.link.send(encode_mirror_angles(asked))
    got = decode_mirror_set_points(rig.handler.data_taken[0])
    expected = [[10e-6, -20e-6], [50e-6, -49e-6], [-50e-6, 50e-6]]
    assert got == pytest.approx(np.array(expected), rel=1e-6)
    for odd in (b"odd", encode_mirror_angles([[np.nan, 1.0]]), b""):
        rig.link.send(odd)
        assert rig.handler.data_taken[-1] == odd
    assert rig.link.write(0, 4) == 4
    rig.now_s = 3.0
    rig.link.send(encode_mirror_angles(asked))
    assert decode_mirror_set_points(rig.handler.data_taken[-1]) == pytest.approx(asked)
    assert rig.told == ["steering_mirror: saturate begins", "steering_mirror: saturate ends"]


@pytest.mark.parametrize("framing", Framing)
def test_a_clock_that_drifts_runs_away(framing):
    rig = Rig("drift=200@2+10", framing=framing)
    rig.link.open()
    for now_s, ahead_us in ((1.5, 0), (2.0, 0), (7.0, 1000), (11.9, 1980), (12.0, 0)):
        rig.now_s = now_s
        rig.link._clock._round_trips.clear()
        rig.link.heartbeat()
        assert rig.link.clock_offset().offset_us == pytest.approx(ahead_us, abs=0.5)
    assert rig.told == ["quad_cell: drift begins", "quad_cell: drift ends"]
    assert rig.link.counts.bad_frames == 0


def test_a_clock_that_drifts_back_past_zero_stays_on_the_wire():
    bare = Bare("drift=-1000000@0+100")
    bare.now_s = 2.0
    (packet,) = StreamReader().push(bare.read(framed(0)))
    assert packet.time_us == 2**64 - 2_000_000 + 1000


# on streams of any kind

FRAMES = st.lists(st.integers(0, 200).flatmap(lambda n: st.binary(max_size=40).map(lambda data: framed(n, data))))
ANY_STREAM = st.lists(st.one_of(st.binary(max_size=30), st.just(b"\0"), FRAMES.map(b"".join)), max_size=8).map(b"".join)
EVERYTHING = (*(f"{fault}=0.3" for fault in BY_CHANCE), "delay=0.3,1", "drift=10", "stuck@0+50")


def cut(octets: bytes, lengths: list[int]) -> list[bytes]:
    pieces = []
    for length in lengths:
        pieces.append(octets[:length])
        octets = octets[length:]
    return [piece for piece in (*pieces, octets) if piece]


@given(ANY_STREAM, st.lists(st.integers(1, 40)), st.booleans())
def test_without_a_fault_all_octets_pass(octets, lengths, not_yet):
    pieces = cut(octets, lengths)
    faults = ["drop=1@10", "disconnect@20+1"] if not_yet else [f"{fault}=0" for fault in BY_CHANCE]
    for way in ("read", "write"):
        came = getattr(Bare(*faults), way)(*pieces)
        # what is of a frame that has not ended may wait for its end
        end = len(octets) if not_yet else octets.rfind(b"\0") + 1
        assert came[:end] == octets[:end]
        assert came in (octets, octets[:end])


def test_octets_that_never_end_pass():
    endless = bytes([7]) * 70_000
    bare = Bare("drop=1")
    # the rest of it passes with the delimiter, and then there is a packet to drop
    came = bare.read(endless, endless, b"end\0" + framed(3))
    assert came == endless * 2 + b"end\0"
    assert bare.told == ["quad_cell: dropped packet 3 from device"]


@pytest.mark.parametrize("framing", Framing)
def test_what_has_begun_before_the_fault_passes(framing):
    bare = Bare("drop=1@2", framing=framing)
    if framing is Framing.STREAM:
        sent = framed(1)
        pieces = sent[:9], sent[9:] + framed(2)
    else:
        sent = packet_octets(1, b"\xc0" + bytes(100))
        pieces = sent[:64], sent[64:]
    assert bare.read(pieces[0]) == pieces[0]
    bare.now_s = 2.0
    assert bare.read(pieces[1]) == sent[len(pieces[0]) :]
    if framing is Framing.TRANSFER:
        assert bare.read(packet_octets(2)) == b""
    assert bare.told == ["quad_cell: dropped packet 2 from device"]


def test_what_has_begun_before_the_end_of_the_fault_comes_whole():
    bare = Bare("drop=0@0+2")
    sent = framed(1)
    assert bare.read(sent[:9]) == b""
    bare.now_s = 2.0
    assert bare.read(sent[9:]) == sent
    assert bare.read(sent[:9]) == sent[:9]


def test_what_is_delayed_comes_between_frames():
    bare = Bare("delay=1,1000@0+1.5")
    first, second = framed(1), framed(2)
    assert bare.read(first) == b""
    bare.now_s = 1.6
    assert bare.read(second[:9]) == b""
    bare.now_s = 2.0
    assert bare.transport.read(0.0) == first
    assert bare.read(second[9:]) == second


def test_what_is_delayed_does_not_come_into_what_passes():
    bare = Bare("delay=1,1000@0+1.5")
    endless = bytes([7]) * 70_000
    assert bare.read(framed(1), endless) == endless
    bare.now_s = 2.0
    assert bare.transport.read(0.0) == b""
    assert bare.read(b"end\0") == b"end\0" + framed(1)


def test_a_transfer_that_fills_its_bulk_packets_is_whole():
    sent = packet_octets(1, b"\xc0" + bytes(64 - 17))
    assert len(sent) == 64
    assert Bare("drop=0", framing=Framing.TRANSFER).read(sent) == sent


def test_a_transfer_in_two_parts_is_one_packet():
    for fault, told in (("drop=1", "dropped"), ("duplicate=1", "duplicated"), ("corrupt=1", "corrupted")):
        bare = Bare(fault, framing=Framing.TRANSFER)
        sent = packet_octets(1, b"\xc0" + bytes(100))
        came = bare.read(sent[:64], sent[64:])
        assert bare.told == [f"quad_cell: {told} packet 1 from device"]
        assert (came == sent * {"dropped": 0, "duplicated": 2}[told]) if told != "corrupted" else (came != sent)


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=12), st.integers(0, 2**32), st.sampled_from(Framing))
def test_what_is_damaged_is_never_taken(bodies, seed, framing):
    sent = [packet_octets(number, b"\xc0" + body) for number, body in enumerate(bodies)]
    for faults in (["corrupt=1"], ["truncate=1"], ["corrupt=0.5", "truncate=0.5"]):
        bare = Bare(*faults, framing=framing, seed=seed)
        reader = packet_reader(framing)
        packets = []
        for octets in sent:
            octets = octets if framing is Framing.TRANSFER else cobs.encode(octets) + b"\0"
            packets += reader.push(bare.read(octets))
        damaged = len(bare.told)
        # neighbours of those that lost their delimiter are lost with them
        assert {space_packet.build(packet) for packet in packets} <= set(sent)
        assert len(packets) <= len(sent) - damaged
        if len(faults) == 1:
            assert packets == []


def test_pieces_that_would_make_a_packet_are_kept_apart():
    whole = framed(5, b"\xc0" + bytes(range(1, 60)))
    kept = 0
    for seed in range(400):
        bare = Bare("truncate=1@0+2", seed=seed)
        came = bare.read(whole)
        if not came or came[-1:] == b"\0":
            continue
        kept += 1
        bare.now_s = 3.0
        # what follows is just what is missing, to a receiver that joins them
        assert StreamReader().push(came + whole[len(came) :])
        came += bare.read(whole[len(came) :])
        assert StreamReader().push(came) == []
        assert came.replace(b"\0", b"") == whole[:-1]
    assert kept > 100


def observed(way, name: str) -> list[bytes]:
    """What a method of a way gives from now on."""
    results: list[bytes] = []
    method = getattr(way, name)

    def observe(unit: bytes) -> bytes:
        results.append(method(unit))
        return results[-1]

    setattr(way, name, observe)
    return results


def test_damage_that_the_crc_misses_is_drawn_again(monkeypatch):
    # a checksum that misses most: some right packets are damaged into others that it takes
    monkeypatch.setattr(framing_module.binascii, "crc_hqx", lambda octets, preset: int(octets[-3]))
    octets = packet_octets(1, b"\xc0" + bytes(range(1, 100)) + b"\0")
    taken = 0
    for seed in range(300):
        for framing in Framing:
            sent = octets if framing is Framing.TRANSFER else cobs.encode(octets) + b"\0"
            bare = Bare("corrupt=1", framing=framing, seed=seed)
            draws = observed(bare.transport._from_device, "_flipped")
            came = bare.read(sent)
            assert came == draws[-1] != sent
            taken += len(draws) - 1
            for end in (b"", b"\0") if framing is Framing.STREAM else (b"",):
                assert packet_reader(framing).push(came + end) == []
    assert taken > 100


def test_damage_that_a_delimiter_would_heal_is_drawn_again():
    # a last block of 254 octets, and behind it a delimiter with its last bit wrong: an empty block
    sent = next(
        octets
        for length in range(200, 300)
        if cobs.decode((octets := framed(1, b"\xc0" + b"\1" * length))[:-1] + b"\1") == cobs.decode(octets[:-1])
    )
    draws = [sent[:-1] + b"\1", sent[:-2] + b"\1\0"]
    bare = Bare("corrupt=1")
    bare.transport._from_device._flipped = lambda unit: draws.pop(0)
    assert bare.read(sent) == sent[:-2] + b"\1\0"


@pytest.mark.parametrize("fault", ["corrupt", "truncate"])
def test_damage_that_would_take_the_next_transfer_along_is_drawn_again(fault):
    sent = packet_octets(1, b"\xc0" + bytes(128 - 17))
    longer, cut_off = bytearray(sent), sent[:64]
    longer[4] ^= 1
    wrong = sent[:-1] + b"?"
    draws = [bytes(longer), cut_off, wrong]
    bare = Bare(f"{fault}=1", framing=Framing.TRANSFER)
    bare.transport._from_device._flipped = bare.transport._from_device._cut = lambda unit: draws.pop(0)
    assert bare.read(sent) == wrong


@given(st.lists(st.sampled_from([0.0, 1e-3, 0.5]), max_size=20), st.integers(0, 2**32), st.sampled_from(Framing))
def test_the_same_calls_have_the_same_faults(steps, seed, framing):
    def session():
        bare = Bare(*EVERYTHING, framing=framing, seed=seed)
        results = []
        for number, step in enumerate(steps):
            bare.now_s += step
            octets = packet_octets(number)
            octets = octets if framing is Framing.TRANSFER else cobs.encode(octets) + b"\0"
            results += [bare.read(octets), bare.write(octets)]
        return results, bare.told, bare.line.counts

    assert session() == session()


def test_another_seed_has_other_faults():
    sent = stream_of(*range(50))
    told = [Bare("drop=0.5", seed=seed) for seed in range(2)]
    for bare in told:
        bare.read(sent)
    assert told[0].told != told[1].told


@pytest.mark.parametrize("share", [0.02, 0.3, 0.9])
def test_a_share_is_a_share(share):
    bare = Bare(f"drop={share}")
    came = bare.read(stream_of(*range(2000)))
    dropped = bare.line.counts[Fault.DROP]
    assert came.count(b"\0") + dropped == 2000
    # five standard deviations of a binomial
    assert abs(dropped - 2000 * share) <= 5 * np.sqrt(2000 * share * (1 - share))


ACTIONS = ("read", "write", "send", "poll", "samples", "heartbeat", "open")


@given(
    st.lists(st.tuples(st.sampled_from(ACTIONS), st.floats(0, 0.3)), max_size=30),
    st.sampled_from([Kind.STEERING_MIRROR, Kind.QUAD_CELL, Kind.CAMERA]),
    st.sampled_from(Framing),
    st.integers(0, 2**32),
)
def test_everything_at_once_raises_what_a_link_raises(actions, kind, framing, seed):
    faults = [f"{fault}=0.15" for fault in BY_CHANCE]
    faults += ["delay=0.15,5", "drift=1000", "stuck@1.2+2", "disconnect@2+0.5", "disconnect@3+0.1"]
    if kind is Kind.STEERING_MIRROR:
        faults.append("saturate=1@1+1")
    rig = Rig(*faults, kind=kind, framing=framing, seed=seed)
    calls = {
        "read": lambda: rig.link.read(1) == 2,
        "write": lambda: rig.link.write(1, 77) == 77,
        "send": lambda: rig.link.send(encode_mirror_angles([[1e-6, 2e-6]])) == 1000,
        "poll": lambda: rig.link.poll(0.01) >= 0,
        "samples": lambda: rig.device.send_samples(b"abcd" * 6) is None,
        "heartbeat": lambda: rig.link.heartbeat().status == 0,
        "open": lambda: rig.link.open().kind == kind.octet,
    }
    for name, step in [("open", 0.0), *actions]:
        rig.now_s += step
        try:
            assert calls[name]()
        except AttributeError:
            # no device before the first connection
            assert name == "samples"
            assert not hasattr(rig, "device")
        except DeviceError:
            continue
        except BeamlockError as error:
            # garbage in the place of a reply to HELLO
            assert name == "open", error
    ends = sum(text.endswith(" ends") for text in rig.told)
    assert sum(rig.line.counts.values()) == len(rig.told) - ends
    assert set(rig.handler.data_taken) <= {encode_mirror_angles([[x, y]]) for x, y in LIMITED}
    for _, samples in rig.link.samples:
        assert samples.octets == b"abcd" * 6


LIMITED = ((1e-6, 2e-6), (1e-6, 1e-6))
