"""Hardware that streams by its own clock: the newest sample holds, silence is noticed, and what is back is back."""

from collections.abc import Callable

import numpy as np
import pytest

from hil.bodies import decode_mirror_set_points, encode_mirror_angles, encode_quad_samples
from hil.device_side import Device, Handler
from hil.drivers.attachment import RETRY_S, SILENCE_S, Attachment
from hil.drivers.pointing import STALE_SAMPLES, MirrorDriver, QuadCellDriver
from hil.link import DeviceLink
from hil.protocol import Capability, Kind
from hil.transports.in_process import pair

FRAME_S = 0.01


class Board(Handler):
    """Streams when told to, and takes set-points."""

    def __init__(self) -> None:
        self.streaming = False
        self.angle = (0.0, 0.0)

    def stream(self, enable: bool, decimation: int) -> tuple[bool, int]:
        self.streaming = enable
        return enable, decimation

    def data(self, flags: int, octets: bytes) -> int:
        self.angle = tuple(decode_mirror_set_points(octets)[-1].tolist())
        return 0xFFFF


class Bench:
    """A board on a line, whose device works while the host waits; `events` has what was told of it."""

    def __init__(self, kind: Kind) -> None:
        self.handler = Board()
        self.plugged = True
        self.events: list[tuple[str, str]] = []
        self._kind = kind
        self.attachment = Attachment(
            DeviceLink(kind, self._connect, timeout_s=0.02), lambda _, name, text: self.events.append((name, text))
        )
        self.attachment.open()

    def _connect(self):
        host, end = pair("board")
        self.device = Device(self._kind, end, self.handler, capabilities=Capability.STREAM)
        host.wait = lambda _: self.device.step() if self.plugged else None
        return host

    def frames(self, first: int, count: int, each: Callable[[], object] = lambda: None) -> list[bool]:
        back = []
        for k in range(first, first + count):
            back.append(self.attachment.look_after(k * FRAME_S))
            each()
        return back


def test_the_newest_sample_of_a_stream_is_the_reading():
    bench = Bench(Kind.QUAD_CELL)
    cell = QuadCellDriver(bench.attachment)
    assert bench.handler.streaming and not bench.attachment.shown
    assert cell.read(0, 0, 0, 0) == (0.0, 0.0, 0.0)
    bench.device.send_samples(encode_quad_samples([(1e-6, 2e-6, 3e-9), (4e-6, 5e-6, 6e-9)]))
    bench.device.send_samples(encode_quad_samples([(7e-6, 8e-6, 9e-9)]))
    assert cell.read(0, 0, 0, 0) == tuple(np.float32([7e-6, 8e-6, 9e-9]).tolist())
    for _ in range(STALE_SAMPLES - 1):
        assert cell.read(0, 0, 0, 0)[2] > 0.0
    assert cell.read(0, 0, 0, 0) == (0.0, 0.0, 0.0)


def test_a_mirror_is_where_it_says_and_not_where_it_was_sent():
    bench = Bench(Kind.STEERING_MIRROR)
    mirror = MirrorDriver(bench.attachment)
    assert mirror.steer(1e-4, -1e-4) == (0.0, 0.0)
    bench.device.step()
    assert bench.handler.angle == tuple(np.float32([1e-4, -1e-4]).tolist())
    bench.device.send_samples(encode_mirror_angles([(9e-5, -9e-5)]))
    measured = tuple(np.float32([9e-5, -9e-5]).tolist())
    assert mirror.steer(1e-4, -1e-4) == measured
    assert mirror.steer(float("nan"), 0.0) == measured
    bench.device.step()
    assert bench.handler.angle == tuple(np.float32([1e-4, -1e-4]).tolist())
    bench.device.send_samples(encode_mirror_angles([(float("nan"), 0.0)]))
    assert mirror.steer(1e-4, -1e-4) == measured


def test_a_stream_that_falls_silent_is_a_device_that_is_lost():
    bench = Bench(Kind.QUAD_CELL)
    cell = QuadCellDriver(bench.attachment)

    def stream() -> None:
        bench.device.send_samples(encode_quad_samples([(0, 0, 1e-9)]))
        cell.read(0, 0, 0, 0)

    bench.frames(0, 300, stream)
    assert bench.attachment.in_service and not bench.events
    bench.plugged = False
    silent = round(SILENCE_S / FRAME_S)
    bench.frames(300, silent, lambda: cell.read(0, 0, 0, 0))
    assert bench.attachment.in_service
    bench.frames(300 + silent, 2, lambda: cell.read(0, 0, 0, 0))
    assert not bench.attachment.in_service and bench.attachment.times_lost == 1
    assert [name for name, _ in bench.events] == ["DEVICE_LOST"] and "silent" in bench.events[0][1]

    bench.handler.streaming = False
    bench.plugged = True
    back = bench.frames(302 + silent, round(RETRY_S / FRAME_S) + 1)
    assert back.count(True) == 1 and bench.attachment.in_service and bench.handler.streaming
    assert bench.events[-1][0] == "DEVICE_BACK"
    stream()
    assert cell.read(0, 0, 0, 0)[2] == pytest.approx(1e-9)
