"""What is fuzzed: every parser and decoder that takes octets from outside, chosen by the first octet of the input.

`python tests/fuzz/fuzz.py tests/fuzz/corpus -max_total_time=600` fuzzes them, with the package atheris. The corpus that
such runs found is replayed by `tests/fuzz/test_corpus.py`.
"""

import copy
import importlib.util
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from flightsw.ccsds import aos_frame, clcw, cltu, space_packet, tc_frame, tm_frame, uslp_frame
from flightsw.ccsds.demultiplexer import Demultiplexer
from flightsw.ccsds.frame_formats import frame_format
from flightsw.ccsds.link import LinkDecoder
from flightsw.ccsds.profile import load
from flightsw.ccsds.space_packet import Packet
from flightsw.ccsds.time_code import Cds, Cuc
from flightsw.errors import BeamlockError, ConfigError, DeviceError, FrameError, ProtocolError
from flightsw.hal import FRAME_S, SAMPLE, Devices
from flightsw.pat.modes import EMITTING
from flightsw.services.cfdp.entity import CFDP_APID, Entity
from flightsw.services.cfdp.filestore import MemoryFilestore
from flightsw.services.cfdp.handlers import Timing
from flightsw.services.commanding import Commanding
from flightsw.services.ground_channel import GroundChannel
from flightsw.services.ground_link import GroundLink
from flightsw.services.ground_operations import functions
from flightsw.services.pus.packet import Telecommand, build_telecommand
from flightsw.settings import TerminalSettings
from flightsw.terminal import Terminal
from hil import bench, bodies, faults, scenario, traffic
from hil.drivers.attachment import Attachment
from hil.drivers.fine_loop import FineLoopDriver
from hil.drivers.pointing import MirrorDriver, QuadCellDriver
from hil.drivers.terminal import GimbalDriver
from hil.emulators.emulated import Emulated, emulated
from hil.framing import build, frame, packet_reader
from hil.link import DeviceLink
from hil.parts import Joiner
from hil.protocol import SAMPLES_ID, WHOLE, Accepted, Data, Hello, Identity, Kind, MessageError, decode, encode
from hil.recorder import read
from hil.replay import Playback
from hil.run import RECORD
from hil.simulated import Clock
from hil.transports import Framing
from hil.transports.in_process import pair
from sim.oem import parse_oem

# devices that do as they are told and see nothing: those of the tests of services
_SPEC = importlib.util.spec_from_file_location(
    "standing", Path(__file__).parents[1] / "flightsw" / "services" / "conftest.py"
)
assert _SPEC is not None and _SPEC.loader is not None
standing = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(standing)

_PROFILES = {name: load(name) for name in ("aos_rs_i5", "tm_concatenated", "uslp_ar4ja", "aos_ldpc_c2", "tm_uncoded")}
_SCENARIO = scenario.load("leo_crosslink")
_EMULATED = tuple(kind for kind in Kind if kind is not Kind.ENCODER)
_SAMPLES_A_FRAME = _SCENARIO.sample_rate_hz // 100


@cache
def _fresh(kind: Kind) -> Emulated:
    """An emulator that nobody has used: to be copied, for making one takes longer."""
    return emulated(kind, _SCENARIO, "alpha", 1)


def _time_code(data: bytes) -> None:
    for code in (Cuc, Cds):
        try:
            parsed, octets = code.from_p_field(data)
            parsed.decode(data[octets : octets + parsed.octets])
        except (FrameError, ConfigError):
            continue


def _frames(kind: str) -> Callable[[bytes], None]:
    def run(data: bytes) -> None:
        rows = np.frombuffer(data[: len(data) // 64 * 64], np.uint8).reshape(-1, 64)
        for _ in Demultiplexer(frame_format(kind, 64, 42, "none")).push(rows).values():
            pass

    return run


def _link(name: str) -> Callable[[bytes], None]:
    def run(data: bytes) -> None:
        decoder = LinkDecoder(_PROFILES[name])
        half = len(data) // 2
        for part in (data[:half], data[half:]):
            decoder.push(np.frombuffer(part, np.uint8))
        decoder.flush()

    return run


def _file(data: bytes) -> None:
    """PDUs of a peer, while a file of one's own is under way."""
    entity = Entity(1, 2, MemoryFilestore(), Timing(1.0, 3, 10.0))
    entity.put(bytes(3000), "file")
    entity.pdus(2000)
    for wait_s, pdu in _parts(data):
        entity.receive(pdu)
        entity.tick(0.1 * wait_s)
        entity.pdus(4000)


def _terminal() -> Terminal:
    devices = Devices(
        standing.StandingGimbal(),
        standing.StaringCamera(),
        standing.WatchedLaser(),
        standing.StandingMirror(),
        standing.StandingLoop(),
    )
    dark = np.zeros((32, 32), bool)
    return Terminal("alpha", TerminalSettings(spacecraft_id=1), devices, standing.StillProfile(), 2, "any", dark)


def _telecommand(part: bytes) -> bytes:
    """A packet that is right, with any service, subtype and data."""
    service, subtype = part[:2].ljust(2, b"\0")
    return build_telecommand(Telecommand(service, subtype, part[2:]))


def _commanded(data: bytes) -> None:
    """Packets, right ones and others, in the life of a terminal: it shines where it may, and nowhere else."""
    terminal = _terminal()
    commanding = Commanding(terminal)
    now_s = 0.0
    for what, part in _parts(data):
        commanding.receive(_telecommand(part) if what % 4 else part, now_s)
        for _ in range(what >> 4):
            now_s += FRAME_S
            terminal.frame(now_s)
            commanding.frame(now_s)
            terminal.events.clear()
            assert not terminal.devices.laser.emits() or terminal.mode in EMITTING


def _ground(data: bytes) -> None:
    """A line from the ground: noise, CLTUs of anything, frames of anything, packets of anything."""
    terminal = _terminal()
    files = Entity(1, 0, MemoryFilestore(), Timing(1.0, 3, 10.0))
    commanding = Commanding(terminal, functions=functions(files, lambda name: None, None, lambda *_: None))
    link = GroundLink(GroundChannel(1), terminal, commanding, files, None)
    sequence_number = 0
    for what, part in _parts(data):
        virtual_channel = what >> 4 & 1
        octets = part
        if what % 4 == 3:
            whole = _telecommand(part) if virtual_channel == 0 else space_packet.build(Packet(CFDP_APID, 0, 0, part))
            part = b"\xc0" + whole
        if what % 4 > 1 and 0 < len(part) < 1000:
            bypass = virtual_channel == 1
            octets = tc_frame.build(tc_frame.TcFrame(1, virtual_channel, sequence_number, part, bypass, what % 8 == 6))
            sequence_number = (sequence_number + (not bypass)) % 256
        if what % 4 and octets:
            octets = cltu.encode(octets)
        now_s = terminal.events[-1].time_s if terminal.events else 0.0
        link.receive(octets, now_s)
        link.frames(now_s)
        terminal.events.clear()


def _parts(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Parts of an input: an octet that says something of the part, two of length, and the part."""
    while data:
        end = 3 + int.from_bytes(data[1:3], "big")
        yield data[0], data[3:end]
        data = data[end:]


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _stream(data: bytes) -> None:
    """However a stream is cut, its packets are the same."""
    whole = packet_reader(Framing.STREAM).push(data[1:])
    step = 1 + (data[0] if data else 0)
    reader = packet_reader(Framing.STREAM)
    pieces = [packet for at in range(1, len(data), step) for packet in reader.push(data[at : at + step])]
    assert pieces == whole
    _decode_all(whole)


def _transfers(data: bytes) -> None:
    reader = packet_reader(Framing.TRANSFER)
    for _, transfer in _parts(data):
        _decode_all(reader.push(transfer))


def _decode_all(packets: list[Packet]) -> None:
    for packet in packets:
        # one that is taken comes out again as it was
        assert space_packet.parse(build(packet)) == packet
        try:
            decode(packet)
        except MessageError:
            continue


def _message(data: bytes) -> None:
    """A message that is taken is encoded to what it was decoded from."""
    message = decode(Packet(0x101, 0, 0, data[1:], telecommand=bool(data[:1] > b"\x7f")))
    assert encode(message) == data[1:]


_BODIES = (
    bodies.decode_mirror_set_points,
    bodies.decode_mirror_samples,
    bodies.decode_quad_samples,
    bodies.decode_gimbal_command,
    bodies.decode_gimbal_samples,
    bodies.decode_camera_enable,
    bodies.decode_image,
    bodies.decode_laser_command,
    bodies.decode_point_ahead,
    bodies.decode_fine_loop,
    bodies.decode_block,
    bodies.decode_quad_stimulus,
    bodies.decode_fine_loop_stimulus,
    bodies.decode_gimbal_stimulus,
    bodies.decode_exposure,
)


def _body(data: bytes) -> None:
    if data:
        _BODIES[data[0] % len(_BODIES)](data[1:])


def _joined(data: bytes) -> None:
    joiner = Joiner(largest=64)
    for sequence, (flags, part) in enumerate(_parts(data)):
        whole = joiner.push(flags, part, sequence if flags & 0x80 else None)
        assert whole is None or len(whole) <= 64


def _emulator_raw(data: bytes) -> None:
    """Any octets, to an emulator of any kind, on either framing."""
    if not data:
        return
    framing = Framing.STREAM if data[0] & 0x80 else Framing.TRANSFER
    host, end = pair("fuzzed", framing)
    device = copy.deepcopy(_fresh(_EMULATED[data[0] % len(_EMULATED)])).device(end)
    for _, part in _parts(data[1:]):
        host.write(part)
        while device.step():
            pass


def _emulator(kind: Kind) -> Callable[[bytes], None]:
    """Packets that are right, with any user data: each has one reply, and nothing leaves its range."""

    def run(data: bytes) -> None:
        emulator = copy.deepcopy(_fresh(kind))
        host, end = pair("fuzzed", Framing.TRANSFER)
        device = emulator.device(end)
        for count, (_, part) in enumerate(_parts(data)):
            host.write(build(Packet(kind, count & 0x3FFF, 0, part, telecommand=True)))
            device.step()
            reader = packet_reader(Framing.TRANSFER)
            packets = []
            while octets := host.read(0.0):
                packets += reader.push(octets)
            assert reader.bad_frames == 0
            *samples, reply = packets
            assert reply.sequence_count == count & 0x3FFF and not reply.telecommand
            assert all(packet.data[0] == SAMPLES_ID for packet in samples)
            decode(reply)
        mirror, gimbal = (getattr(emulator.handler, name, None) for name in ("mirror", "gimbal"))
        assert mirror is None or (np.abs(mirror["angle"]) <= mirror["limit"]).all(), mirror["angle"]
        assert gimbal is None or np.isfinite(gimbal["angle"]).all(), gimbal["angle"]

    return run


class _Line:
    """A device that says what the input has, in whatever time; a read that finds nothing takes its timeout."""

    name = "fuzzed"

    def __init__(self, parts: Iterator[tuple[int, bytes]], framing: Framing) -> None:
        self.framing = framing
        self.parts = parts
        self.now_ns = 0

    def clock_ns(self) -> int:
        return self.now_ns

    def write(self, octets: bytes) -> None:
        pass

    def read(self, timeout_s: float) -> bytes:
        octets = next(self.parts, (0, b""))[1]
        self.now_ns += 1000 if octets else max(1000, round(timeout_s * 1e9))
        return octets

    def close(self) -> None:
        pass


class _Speaker(_Line):
    """A device that answers in right packets, with any user data, but to HELLO, to which it tells its kind.

    The octet of a part: 1, it answers; 2, the sequence count is another; 4, more follows.
    """

    def __init__(self, kind: Kind, parts: Iterator[tuple[int, bytes]]) -> None:
        super().__init__(parts, Framing.STREAM)
        self.kind = kind
        self.reader = packet_reader(Framing.STREAM)
        self.said = b""

    def write(self, octets: bytes) -> None:
        for packet in self.reader.push(octets):
            flags, part = next(self.parts, (0, b""))
            if isinstance(decode(packet), Hello):
                identity = Identity(1, self.kind.octet, 1, 0, 0, flags, bytes(8))
                self._say(packet.sequence_count, encode(identity))
                continue
            while flags & 1:
                self._say(packet.sequence_count ^ (flags >> 1 & 1), part)
                flags, part = next(self.parts, (0, b"")) if flags & 4 else (0, b"")

    def _say(self, count: int, data: bytes) -> None:
        self.said += frame(build(Packet(self.kind, count, 0, data)), Framing.STREAM)

    def read(self, timeout_s: float) -> bytes:
        octets, self.said = self.said, b""
        self.now_ns += 1000 if octets else max(1000, round(timeout_s * 1e9))
        return octets


_CALLS: tuple[Callable[[DeviceLink], object], ...] = (
    DeviceLink.open,
    DeviceLink.heartbeat,
    DeviceLink.poll,
    DeviceLink.clock_offset,
    lambda link: link.read(0),
    lambda link: link.write(0, 1),
    lambda link: link.send(bytes(9), part_octets=8),
    lambda link: link.post(Data(WHOLE, b"1")),
    lambda link: link.stream(True),
    lambda link: link.stimulate(b"1"),
    lambda link: link.request(Data(WHOLE, b""), Accepted),
)


def _use(link: DeviceLink) -> None:
    """All that a link can be asked, twice. Raises nothing but what it says that it raises."""
    for call in (*_CALLS, *_CALLS):
        try:
            call(link)
        except (DeviceError, ProtocolError):
            continue
    link.close()


def _host(framing: Framing) -> Callable[[bytes], None]:
    def run(data: bytes) -> None:
        line = _Line(_parts(data), framing)
        _use(DeviceLink(Kind.CAMERA, lambda: line, clock_ns=line.clock_ns))

    return run


def _host_spoken_to(data: bytes) -> None:
    line = _Speaker(Kind.CAMERA, _parts(data))
    _use(DeviceLink(Kind.CAMERA, lambda: line, clock_ns=line.clock_ns))


def _driver(kind: Kind) -> Callable[[bytes], None]:
    """Nothing that a device says makes a driver fail, or the world's record of it no number."""

    def run(data: bytes) -> None:
        line = _Speaker(kind, _parts(data))
        attachment = Attachment(
            DeviceLink(kind, lambda: line, clock_ns=line.clock_ns), lambda severity, name, text: None
        )
        attachment.open()
        use = _DRIVERS[kind]
        for now_s in range(3):
            use(attachment)
            attachment.look_after(now_s)
        attachment.close()

    return run


def _quad_cell(attachment: Attachment) -> None:
    QuadCellDriver(attachment).read(1e-6, 1e-6, 1e-9, 0.0)


def _mirror(attachment: Attachment) -> None:
    assert np.isfinite(MirrorDriver(attachment).steer(1e-5, 1e-5)).all()


def _gimbal(attachment: Attachment) -> None:
    record = copy.deepcopy(_fresh(Kind.GIMBAL).handler.gimbal)[0, ...]
    driver = GimbalDriver(attachment, record, _SAMPLES_A_FRAME)
    driver.command(1.0, 0.0, 0.1, 0.0)
    driver.move()
    assert np.isfinite([*driver.angles(), *record["angle"], *record["rate"]]).all()


def _fine_loop(attachment: Attachment) -> None:
    samples = np.zeros(_SAMPLES_A_FRAME, SAMPLE)
    driver = FineLoopDriver(attachment, [samples], Clock())
    driver.configure(_fresh(Kind.FINE_LOOP).handler.parameters[0])
    driver.hold(1e-5, 0.0)
    driver.close()
    driver.run(np.zeros((_SAMPLES_A_FRAME, 4)), samples)
    driver.look_after()


_DRIVERS = {
    Kind.QUAD_CELL: _quad_cell,
    Kind.STEERING_MIRROR: _mirror,
    Kind.GIMBAL: _gimbal,
    Kind.FINE_LOOP: _fine_loop,
}


def _playback(data: bytes) -> None:
    playback = Playback(traffic.decode(data))
    _use(DeviceLink(Kind.CAMERA, playback.connect, clock_ns=playback.clock_ns))


def _record(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / RECORD
        path.write_bytes(data)
        for _ in read(path):
            pass


class Target(NamedTuple):
    """What takes octets, and the errors that it may raise."""

    run: Callable[[bytes], object]
    errors: tuple[type[BeamlockError], ...] = (FrameError, ConfigError)


#: An input's first octet counts them: new ones go to the end.
TARGETS: tuple[Target, ...] = (
    Target(space_packet.parse),
    Target(lambda data: list(space_packet.split(data))),
    Target(lambda data: tm_frame.parse(data, "none")),
    Target(lambda data: aos_frame.parse(data, "none")),
    Target(lambda data: aos_frame.parse(data, "none", header_error_control=True)),
    Target(lambda data: uslp_frame.parse(data, "none")),
    Target(lambda data: tc_frame.parse(data, "none")),
    Target(lambda data: list(tc_frame.split(data))),
    Target(cltu.decode),
    Target(clcw.unpack),
    Target(aos_frame.parse_m_pdu),
    Target(aos_frame.parse_b_pdu),
    Target(tc_frame.parse_segment),
    Target(_time_code),
    Target(_frames("tm")),
    Target(_frames("aos")),
    Target(_frames("uslp")),
    *(Target(_link(name)) for name in _PROFILES),
    Target(_file),
    Target(lambda data: parse_oem(_text(data), "fuzzed")),
    Target(_stream, ()),
    Target(_transfers, ()),
    Target(_message, (ProtocolError,)),
    Target(_body, (ProtocolError,)),
    Target(_joined, ()),
    Target(traffic.decode, (ProtocolError,)),
    Target(_playback, (ProtocolError,)),
    Target(_emulator_raw, ()),
    *(Target(_emulator(kind), ()) for kind in _EMULATED),
    Target(_host(Framing.STREAM), ()),
    Target(_host(Framing.TRANSFER), ()),
    Target(_host_spoken_to, ()),
    *(Target(_driver(kind), ()) for kind in _DRIVERS),
    Target(lambda data: bench.binding(_text(data)), (ConfigError,)),
    Target(lambda data: faults.parse(_text(data)), (ConfigError,)),
    Target(_record, (ConfigError,)),
    Target(_commanded, ()),
    Target(_ground, ()),
)


def one(data: bytes) -> None:
    """Feed one input to the target that its first octet names. Anything but the target's own errors is a bug."""
    if not data:
        return
    target = TARGETS[data[0] % len(TARGETS)]
    try:
        target.run(data[1:])
    except target.errors:
        return
