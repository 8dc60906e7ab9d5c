"""Speed of devices on a line: packets, round trips, and a loop that the host closes in wall time."""

import os
import select
import statistics
import tempfile
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from flightsw.ccsds.space_packet import Packet
from hil import bench
from hil.benchmark import Figure
from hil.bodies import encode_quad_stimulus
from hil.emulators.process import EmulatorProcess
from hil.framing import UNSEGMENTED, build, frame, packet_reader
from hil.link import DeviceLink
from hil.protocol import PACKET, WHOLE, Data, Kind, Stimulated, Stimulus, decode, encode
from hil.run import run
from hil.scenario import load
from hil.transports import Framing

_SCENARIO, _TERMINAL = "leo_crosslink", "alpha"
_ECHO_OCTETS = 64
_TRIPS = 5000
_PACKETS = 20_000
_LOOP_S = 60


def figures() -> Iterator[Figure]:
    """Measure, and yield one figure after the other."""
    yield _packets()
    yield from _round_trips()
    yield _loop()


def _packets() -> Figure:
    """A set-point as a packet on a stream, made and taken apart, against construct's own building and parsing."""
    octets = bytes(8)
    reader = packet_reader(Framing.STREAM)

    def ours() -> None:
        packet = Packet(Kind.STEERING_MIRROR, 1, 2, encode(Data(WHOLE, octets)), UNSEGMENTED, True)
        (found,) = reader.push(frame(build(packet), Framing.STREAM))
        decode(found)

    plain = build(Packet(Kind.STEERING_MIRROR, 1, 2, encode(Data(WHOLE, octets)), UNSEGMENTED, True))
    parsed = PACKET.parse(plain)

    def theirs() -> None:
        PACKET.build({"covered": {"value": parsed.covered.value}})
        PACKET.parse(plain)

    each_us, peer_us = _each_us(ours, _PACKETS), _each_us(theirs, _PACKETS // 40)
    return Figure(
        "wire protocol: a packet encoded, framed, unframed and decoded",
        f"{each_us:.1f} us",
        "<= 15 us",
        each_us <= 15.0,
        f"construct's own building and parsing of the same packet, without COBS, {peer_us:.0f} us",
        each_us / peer_us,
    )


def _round_trips() -> Iterator[Figure]:
    scenario = load(_SCENARIO)
    stimulus = Stimulus(encode_quad_stimulus((1e-6, 0.0, 1e-9, 0.0)))
    with (
        EmulatorProcess(Kind.QUAD_CELL, scenario, _TERMINAL, 1) as emulator,
        DeviceLink(Kind.QUAD_CELL, emulator.connect) as link,
        _echo() as echo,
    ):

        def sample() -> None:
            link.samples.clear()
            link.request(stimulus, Stimulated)

        for name, action, wanted in (
            ("request and reply through pyserial and a pty to an emulator in another process", link.heartbeat, 2.0),
            ("the same with a sample of the quad cell", sample, 3.0),
        ):
            # turn by turn, so that whatever else the machine does meets both
            ours, bare = zip(*((_p50_us(action), _p50_us(echo)) for _ in range(5)), strict=True)
            p50, peer = statistics.median(ours), statistics.median(bare)
            yield Figure(
                name,
                f"p50 {p50:.1f} us",
                f"p50 <= {wanted:g} x a bare echo",
                p50 <= wanted * peer,
                f"a bare echo of {_ECHO_OCTETS} octets over a pty, p50 {peer:.1f} us",
                p50 / peer,
            )


def _loop() -> Figure:
    with tempfile.TemporaryDirectory() as folder:
        summary = run(load(_SCENARIO), Path(folder), duration_s=_LOOP_S, bench=bench.load("real_time")).summary
    row, late = summary["real_time"], summary["latency"]["loop, late"]
    work = summary["latency"]["loop, work"]
    share = row["on_time_share"]
    return Figure(
        f"fine loop closed by the host at {row['rate_hz']} Hz through two serial devices for {_LOOP_S} s",
        f"{100.0 * share:.2f} % of {row['periods']} periods on time, {row['late']} late; lateness p99 "
        f"{late['p99_us']:.0f} us, work p50 {work['p50_us']:.0f} us, p99 {work['p99_us']:.0f} us",
        ">= 99 % on time, acquired",
        share >= 0.99 and summary["goal_met"],
        f"the period of {1e6 / row['rate_hz']:.0f} us, of which the work's p99 takes",
        work["p99_us"] * row["rate_hz"] * 1e-6,
    )


@contextmanager
def _echo() -> Iterator[Callable[[], None]]:
    """A process that sends back what comes over a pty, with as little as can be done about it."""
    device, line = os.openpty()
    tty.setraw(line)
    child = os.fork()
    if child == 0:
        try:
            while octets := os.read(device, 4096):
                os.write(device, octets)
        finally:
            os._exit(0)
    readable = select.poll()
    readable.register(line, select.POLLIN)
    octets = bytes(_ECHO_OCTETS)

    def trip() -> None:
        os.write(line, octets)
        came = 0
        while came < _ECHO_OCTETS:
            readable.poll()
            came += len(os.read(line, 4096))

    try:
        yield trip
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)
        os.close(device)
        os.close(line)


def _p50_us(action: Callable[[], object]) -> float:
    times = []
    for _ in range(_TRIPS):
        begin = time.perf_counter_ns()
        action()
        times.append(time.perf_counter_ns() - begin)
    return statistics.median(times) / 1e3


def _each_us(action: Callable[[], object], count: int) -> float:
    """The best of five means."""
    means = []
    for _ in range(5):
        begin = time.perf_counter_ns()
        for _ in range(count // 5):
            action()
        means.append((time.perf_counter_ns() - begin) / (count // 5))
    return min(means) / 1e3
