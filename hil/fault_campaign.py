"""Thousands of faults on the lines of all devices, by seed, and whether anything came of them that must not.

`python -m hil.fault_campaign --faults 10000 --seed 1` prints a table. A run is the acquisition of `leo_crosslink`, the
devices of one terminal and a board that closes the other's fine loop on the virtual USB bus; then frames go through the
encoder board's RTL at its pins. Every line has every fault that it can have. Of each run must hold:

- nothing raises, and the run ends;
- no device gets a command that is not a number, or beyond the flight software's limit;
- each packet that is missing, or there twice, has its event, and each event its packet;
- no packet reaches either end that the other did not send;
- a device that is lost is back within `BACK_S`, counted from when it is plugged in again;
- the encoder's codeblocks are those of the Python encoder, or zeros where a frame was lost.
"""

import argparse
import faulthandler
import math
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.random import Generator

from flightsw.ccsds import profile as profiles
from flightsw.ccsds.link import LinkEncoder
from flightsw.ccsds.space_packet import Packet
from flightsw.services.events import Event, Severity
from hdl.verilated_board import BoardModel
from hil.attached import AttachedDevices
from hil.bench import Bench
from hil.bodies import (
    FineLoopCommand,
    decode_camera_enable,
    decode_fine_loop,
    decode_gimbal_command,
    decode_laser_command,
    decode_mirror_set_points,
    decode_point_ahead,
)
from hil.compilation import compile_kernels
from hil.drivers.attachment import Attachment
from hil.drivers.encoder import BoardEncoder
from hil.emulators.encoder import ICEBREAKER
from hil.fault_witness import Told, forged, packets, told, unexplained
from hil.faults import SENSORS, Fault, FaultModel, FaultyLine
from hil.link import DeviceLink, Direction
from hil.lockstep import Lockstep
from hil.protocol import Data, Kind, MessageError, decode, message_id
from hil.scenario import Scenario, load
from hil.traffic import TrafficLog
from hil.traffic import decode as operations_of
from hil.transports import Transport
from hil.transports.in_process import InProcessTransport, pair
from hil.world import build

BACK_S = 1.0
DURATION_S = 12
#: Of the encoder, whose time passes quickly whenever something is lost.
ENCODING_S = 40
#: A run that takes longer on the wall hangs; where, the traceback tells.
PATIENCE_S = 600.0

ON_THE_BUS = (
    ("alpha", Kind.STEERING_MIRROR),
    ("alpha", Kind.QUAD_CELL),
    ("alpha", Kind.GIMBAL),
    ("alpha", Kind.CAMERA),
    ("alpha", Kind.LASER),
    ("alpha", Kind.POINT_AHEAD),
    ("bravo", Kind.FINE_LOOP),
)
#: Packets a second, each way, to the nearest power of ten.
_PACKETS_HZ = {Kind.STEERING_MIRROR: 1000.0, Kind.QUAD_CELL: 1000.0, Kind.LASER: 10.0}
_OTHERS_HZ = 100.0
#: With more, six such faults at once might keep a device that is there from being heard for longer than `BACK_S`.
_LARGEST_SHARE = 0.03
_LASTING = (Fault.DISCONNECT, Fault.STUCK, Fault.SATURATE, Fault.DRIFT)
_FRAME_S = 0.01
#: Frames of 10 ms between two that the encoder gets.
_ENCODED_EVERY = 10
_SLICE_CYCLES = 800
#: After so many cycles without an octet the board has nothing more to say.
_QUIET_CYCLES = 100 * _SLICE_CYCLES


@dataclass(slots=True)
class Findings:
    """What came of a campaign.

    done: faults by kind and device, as events tell; wrong: what must not be, for people; lost: how often a device was
    lost; longest_s: how long it took until one was back; commands: that reached devices; packets: that reached the
    host.
    """

    done: Counter[tuple[Fault, Kind]] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    lost: int = 0
    longest_s: float = 0.0
    commands: int = 0
    packets: int = 0
    runs: int = 0
    simulated_s: float = 0.0

    @property
    def total(self) -> int:
        """Faults that were done."""
        return self.done.total()


def campaign(faults: int, seed: int, progress: Callable[[Findings], None] | None = None) -> Findings:
    """Runs, one after the other, until there were so many faults. Raises what a run raises, with a note of which."""
    findings = Findings()
    while findings.total < faults:
        faulthandler.dump_traceback_later(PATIENCE_S, exit=True)
        rng = np.random.default_rng([seed, findings.runs])
        try:
            crosslink(rng, DURATION_S, findings)
            encode(rng, ENCODING_S, findings)
        except BaseException as error:
            error.add_note(f"in run {findings.runs} of seed {seed}")
            raise
        finally:
            faulthandler.cancel_dump_traceback_later()
        findings.runs += 1
        if progress is not None:
            progress(findings)
    return findings


def draw(rng: Generator, terminal: str, kind: Kind, duration_s: float) -> list[FaultModel]:
    """One of each fault that a device's line can have, at random times; nothing begins in the last quarter."""
    faults = []
    for fault in Fault:
        if (fault is Fault.STUCK and kind not in SENSORS) or (
            fault is Fault.SATURATE and kind is not Kind.STEERING_MIRROR
        ):
            continue
        table: dict[str, object] = {"terminal": terminal, "device": kind, "fault": fault}
        table["at_s"] = rng.uniform(0.05, 0.5) * duration_s
        lasts_s = table["duration_s"] = rng.uniform(0.05, 0.4) * duration_s
        if fault not in _LASTING:
            expected = rng.uniform(4.0, 20.0)
            table["share"] = min(_LARGEST_SHARE, expected / (lasts_s * _PACKETS_HZ.get(kind, _OTHERS_HZ)))
        match fault:
            case Fault.DELAY:
                table["delay_ms"] = rng.uniform(1.0, 50.0)
            case Fault.SATURATE:
                table["limit_urad"] = rng.uniform(50.0, 1000.0)
            case Fault.DRIFT:
                table["drift_ppm"] = rng.uniform(-500.0, 500.0)
        faults.append(FaultModel.model_validate(table))
    return faults


class _WitnessedDevices(AttachedDevices):
    """Devices of a bench whose lines are logged behind the faults as well."""

    def __init__(self, bench: Bench, scenario: Scenario, seed: int, faults: Sequence[FaultModel]) -> None:
        super().__init__(bench, scenario, seed, faults)
        self.behind: dict[tuple[str, Kind], TrafficLog] = {}

    def _attach(self, key: tuple[str, Kind], connect: Callable[[], Transport]) -> None:
        log = self.behind[key] = TrafficLog(time.monotonic_ns)
        super()._attach(key, log.wrap(connect))


def crosslink(rng: Generator, duration_s: int, findings: Findings) -> None:
    """A run of `leo_crosslink`, at 1 kHz for speed."""
    scenario = load("leo_crosslink").model_copy(update={"sample_rate_hz": 1000})
    seed = int(rng.integers(1 << 32))
    terminals: dict[str, dict[str, str]] = {}
    for terminal, kind in ON_THE_BUS:
        terminals.setdefault(terminal, {})[kind.label] = "emulate:usb"
    bench = Bench.model_validate({"name": "faults", "description": "", "timeout_ms": 5, "terminals": terminals})
    faults = [fault for terminal, kind in ON_THE_BUS for fault in draw(rng, terminal, kind, duration_s)]
    compile_kernels()
    with (
        tempfile.TemporaryDirectory() as folder,
        _WitnessedDevices(bench, scenario, seed, faults) as attached,
    ):
        engine = Lockstep(scenario, build(scenario, seed, duration_s, Path(folder)), attached)
        outcome = engine.run()
        before = {(terminal, kind): octets for terminal, kind, octets in attached.traffic()}
        behind = {key: log.take() for key, log in attached.behind.items()}
    findings.simulated_s += outcome.simulated_s
    findings.wrong += [f"{name}: {event.text}" for name, event in outcome.events if event.name == "FRAME_FAILED"]
    for key in ON_THE_BUS:
        terminal, kind = key
        events = [event for name, event in outcome.events if name == terminal]
        limit_rad = scenario.terminals[terminal].flight.tracking.mirror_range_urad * 1e-6
        line = _Line(kind, [f for f in faults if (f.terminal, f.device) == key], events, before[key], behind[key])
        line.judge(outcome.simulated_s, limit_rad, findings)
        for text in line.accounts():
            findings.wrong.append(f"{kind.label}: {text}")


class _Line:
    """A line after a run: its faults, its terminal's events, and its traffic before and behind the faults."""

    def __init__(
        self, kind: Kind, faults: Sequence[FaultModel], events: Sequence[Event], before: bytes, behind: bytes
    ) -> None:
        self._kind = kind
        self._faults = faults
        self._events = events
        host, device = operations_of(before), operations_of(behind)
        to, back = Direction.TO_DEVICE, Direction.FROM_DEVICE
        self._ways = {
            to: (packets(host, to), packets(device, to)),
            back: (packets(device, back), packets(host, back)),
        }
        found = (told(event.text) for event in events if event.name == "FAULT")
        self._told: list[Told] = [fault for fault in found if fault is not None and fault.device is kind]

    def judge(self, end_s: float, limit_rad: float, findings: Findings) -> None:
        """Add to the findings."""
        kind = self._kind
        findings.done.update((fault.fault, kind) for fault in self._told)
        wrong = list(self._lasting())
        for direction, (entered, left) in self._ways.items():
            false = forged(entered, left, self._faults)
            if false:
                wrong.append(f"{len(false)} packets {direction.value} that nobody sent, the first {false[0]}")
        commands = [p for p, _ in self._ways[Direction.TO_DEVICE][1] if p.data[0] == message_id(Data)]
        findings.commands += len(commands)
        wrong += [f"a command beyond its limits: {p.data.hex()}" for p in commands if is_beyond(kind, p, limit_rad)]
        findings.packets += len(self._ways[Direction.FROM_DEVICE][1])
        for lost_s, back_s in self._outages():
            findings.lost += 1
            since_s = lost_s
            for fault in self._faults:
                # it may be unplugged while it is lost for another reason
                if fault.fault is Fault.DISCONNECT and fault.at_s <= lost_s + BACK_S and fault.end_s > lost_s:
                    since_s = fault.end_s
            if back_s is not None:
                findings.longest_s = max(findings.longest_s, back_s - since_s)
            # a frame may begin just before
            if (end_s if back_s is None else back_s) > since_s + BACK_S + _FRAME_S:
                wrong.append(f"lost at {lost_s:.2f} s, could be back at {since_s:.2f} s, was at {back_s} s")
        findings.wrong += [f"{kind.label}: {text}" for text in wrong]

    def accounts(self) -> Iterator[str]:
        """Packets that are missing without an event, or the other way round, where a packet is a transfer.

        In a stream the next one is lost as well with a packet that is cut.
        """
        for direction, (entered, left) in self._ways.items():
            events = [fault for fault in self._told if fault.direction is direction]
            numbers = unexplained(entered, left, events)
            if numbers:
                yield f"events and packets {direction.value} do not agree for {len(numbers)} numbers: {numbers[:10]}"

    def _lasting(self) -> Iterator[str]:
        for fault in _LASTING:
            drawn = sum(f.fault is fault for f in self._faults)
            begun = sum(f.fault is fault for f in self._told)
            if drawn != begun:
                yield f"{fault}: expected {drawn} events, found {begun}"

    def _outages(self) -> Iterator[tuple[float, float | None]]:
        """When the device was lost, and when it was back."""
        lost_s = None
        for event in self._events:
            if event.name in ("DEVICE_LOST", "DEVICE_BACK") and event.text.startswith(f"{self._kind.label} on "):
                if event.name == "DEVICE_LOST":
                    lost_s = event.time_s
                elif lost_s is not None:
                    yield lost_s, event.time_s
                    lost_s = None
        if lost_s is not None:
            yield lost_s, None


def is_beyond(kind: Kind, packet: Packet, limit_rad: float) -> bool:
    """Whether a packet with DATA is a command that a device must not get: no number, or an angle above the limit."""
    try:
        message = decode(packet)
        assert isinstance(message, Data)
        octets = message.octets
        match kind:
            case Kind.STEERING_MIRROR:
                return _is_above(decode_mirror_set_points(octets), limit_rad)
            case Kind.FINE_LOOP:
                command, values = decode_fine_loop(octets)
                return command is not FineLoopCommand.CONFIGURE and _is_above(values, limit_rad)
            case Kind.GIMBAL:
                decode_gimbal_command(octets)
            case Kind.POINT_AHEAD:
                decode_point_ahead(octets)
            case Kind.CAMERA:
                decode_camera_enable(octets)
            case Kind.LASER:
                decode_laser_command(octets)
    except MessageError:
        return True
    return False


def _is_above(angles: np.ndarray, limit_rad: float) -> bool:
    # on the line they are in single precision
    return bool((np.abs(angles) > limit_rad * (1.0 + 1e-6)).any())


class _BoardLine:
    """The encoder board's RTL in this process, its UART, and the time of both."""

    def __init__(self) -> None:
        self.now_ns = 0
        self._model = BoardModel(ICEBREAKER)
        self._quiet = _QUIET_CYCLES
        self._end: InProcessTransport | None = None

    def clock_ns(self) -> int:
        return self.now_ns

    def now_s(self) -> float:
        return self.now_ns * 1e-9

    def connect(self) -> Transport:
        host, self._end = pair("board", wait=self._work)
        return host

    def _work(self, timeout_s: float) -> None:
        """Clock the board until it says something, or has nothing more to say: then the time just passes."""
        assert self._end is not None
        # rounded down, it might never be as late as what waits for it
        model, end_ns = self._model, self.now_ns + math.ceil(timeout_s * 1e9)
        came = self._end.read(0.0)
        if came:
            model.put(came)
            self._quiet = 0
        while self._quiet < _QUIET_CYCLES:
            said = model.run(_SLICE_CYCLES)
            self.now_ns += _SLICE_CYCLES * 1_000_000_000 // model.clock_hz
            if said:
                self._quiet = 0
                self._end.write(said)
                return
            self._quiet = 0 if model.waiting else self._quiet + _SLICE_CYCLES
        self.now_ns = max(self.now_ns, end_ns)


def encode(rng: Generator, duration_s: float, findings: Findings) -> None:
    """Frames through the encoder board's RTL."""
    board = _BoardLine()
    events: list[Event] = []

    def tell(severity: Severity, name: str, text: str) -> None:
        events.append(Event(board.now_s(), severity, name, text))

    faults = draw(rng, "alpha", Kind.ENCODER, duration_s)
    line = FaultyLine(faults, rng, board.now_s, lambda name, text: tell(Severity.INFO, name, text))
    before, behind = TrafficLog(board.clock_ns), TrafficLog(board.clock_ns)
    link = DeviceLink(Kind.ENCODER, before.wrap(line.wrap(behind.wrap(board.connect))), clock_ns=before.clock_ns)
    attachment = Attachment(link, tell)
    attachment.open()
    profile = profiles.load("aos_rs_i5")
    encoder, reference = BoardEncoder(profile, None, attachment), LinkEncoder(profile)
    false = frame = 0
    while board.now_s() < duration_s:
        board.now_ns += round(_FRAME_S * 1e9)
        attachment.look_after(board.now_s())
        frame += 1
        if frame % _ENCODED_EVERY == 0:
            sent = rng.integers(0, 256, (1, profile.frame.length_octets), dtype=np.uint8)
            coded = encoder.encode(sent)
            false += bool(coded.any()) and coded.tobytes() != reference.encode(sent).tobytes()
    attachment.close()
    if false:
        findings.wrong.append(f"encoder: {false} codeblocks are not those of the Python encoder")
    _Line(Kind.ENCODER, faults, events, before.take(), behind.take()).judge(board.now_s(), 0.0, findings)


def main() -> int:
    """Run a campaign and print its table. Returns 1 if anything is wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m hil.fault_campaign", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--faults", type=int, default=10_000, metavar="N", help="at least so many (default: 10000)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of everything random (default: 1)")
    arguments = parser.parse_args()
    began_s = time.monotonic()

    def show(findings: Findings) -> None:
        line = f"run {findings.runs}: {findings.total} of {arguments.faults} faults, {len(findings.wrong)} wrong"
        print(f"{line}, {time.monotonic() - began_s:.0f} s", file=sys.stderr, flush=True)

    findings = campaign(arguments.faults, arguments.seed, show)
    _print(findings, time.monotonic() - began_s)
    return 1 if findings.wrong else 0


def _print(findings: Findings, wall_s: float) -> None:
    kinds = list(Kind)
    print(f"{'faults in the events':21}" + "".join(f"{kind.label:>16}" for kind in kinds))
    for fault in Fault:
        print(f"{fault:21}" + "".join(f"{findings.done[fault, kind] or '-':>16}" for kind in kinds))
    print(
        f"{findings.total} faults in {findings.runs} runs, {findings.simulated_s:g} s simulated, {wall_s:.0f} s wall; "
        f"{findings.commands} commands reached devices, {findings.packets} packets the host"
    )
    print(f"devices lost {findings.lost} times, back at most {findings.longest_s:.2f} s after they could be")
    for text in findings.wrong:
        print(f"wrong: {text}")
    print(f"verdict: {'wrong' if findings.wrong else 'as it must be'}")


if __name__ == "__main__":
    raise SystemExit(main())
