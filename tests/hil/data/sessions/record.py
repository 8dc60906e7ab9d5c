"""Records the sessions in this folder: what a driver asks of its device, and what the device answers.

Drivers are told fixed numbers, and not those of a run, which differ in the last bit from one processor to another.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from mcap.writer import CompressionType, Writer

from flightsw.ccsds import profile as profiles
from flightsw.hal import SAMPLE
from flightsw.pat.gains import Gains
from hil.attached import AttachedDevices
from hil.bench import Bench
from hil.drivers.attachment import Attachment
from hil.drivers.encoder import BoardEncoder
from hil.drivers.fine_loop import FineLoopDriver
from hil.drivers.pointing import MirrorDriver, QuadCellDriver
from hil.drivers.terminal import CameraDriver, GimbalDriver, LaserDriver, PointAheadDriver
from hil.protocol import Kind
from hil.recorder import traffic_topic
from hil.scenario import load
from hil.simulated import Clock
from sim.camera import Camera, new_exposure
from sim.gimbal import new_gimbal
from sim.optics import OPTICS

RESULTS = "results"
TERMINAL = "alpha"
RATE_HZ = 1000
TIMEOUT_MS = 2000
SAMPLES_PER_FRAME = 10
SCENARIO = load("leo_crosslink").model_copy(update={"sample_rate_hz": RATE_HZ})
HAS = SCENARIO.terminals[TERMINAL]


class Dark:
    """A sky without a sun."""

    def on_camera(self, time_s: float) -> tuple[float, None]:
        return 0.0, None


def steering_mirror(attachment: Attachment) -> Iterator[list[float]]:
    driver = MirrorDriver(attachment)
    for n in range(100):
        yield list(driver.steer(n * 2.0**-20, -n * 2.0**-21))


def quad_cell(attachment: Attachment) -> Iterator[list[float]]:
    driver = QuadCellDriver(attachment)
    for n in range(100):
        yield list(driver.read((n - 50) * 2.0**-20, (50 - n) * 2.0**-21, n * 2.0**-30, 2.0**-40))


def gimbal(attachment: Attachment) -> Iterator[list[float]]:
    driver = GimbalDriver(attachment, new_gimbal(HAS.hardware.gimbal, RATE_HZ).reshape(1)[0, ...], SAMPLES_PER_FRAME)
    for n in range(50):
        driver.command(n * 2.0**-12, -n * 2.0**-13, 2.0**-6, -(2.0**-7))
        driver.move()
        yield list(driver.angles())


def camera(attachment: Attachment) -> Iterator[list[str]]:
    model, clock = HAS.hardware.camera, Clock()
    simulated = Camera(model, 1550e-9, RATE_HZ, np.random.default_rng(1))
    record = new_exposure(model, RATE_HZ).reshape(1)[0, ...]
    driver = CameraDriver(attachment, record, simulated, Dark(), clock, 1.0 / RATE_HZ, model.pixels)
    yield [digest(driver.dark_images(2))]
    driver.enable(True)
    for n in range(1, 3):
        clock.now_s += 1.0
        record["ready"], record["ready_light"] = 1, n * 2.0**-30
        record["ready_x"], record["ready_y"] = n * 2.0**-14, -n * 2.0**-13
        driver.image()
        clock.now_s += 1.0
        image = driver.image()
        yield ["none" if image is None else digest(image.pixels)]
    driver.enable(False)


def laser(attachment: Attachment) -> Iterator[list[bool]]:
    record = np.zeros((), OPTICS)
    driver = LaserDriver(attachment, record)
    for signal, beacon in [(False, True), (True, True), (True, False), (False, False)]:
        driver.emit(signal, beacon)
        yield [bool(record["signal_on"]), bool(record["beacon_on"])]
    for n in range(4):
        attachment.look_after(float(n))
        yield [attachment.in_service]


def point_ahead(attachment: Attachment) -> Iterator[list[float]]:
    record = np.zeros((), OPTICS)
    driver = PointAheadDriver(attachment, record)
    for n in range(20):
        driver.command(n * 2.0**-16, -n * 2.0**-17)
        yield record["point_ahead"].tolist()


def fine_loop(attachment: Attachment) -> Iterator[list[float]]:
    blocks = [np.zeros(SAMPLES_PER_FRAME, SAMPLE) for _ in range(100)]
    driver = FineLoopDriver(attachment, blocks, Clock())
    driver.configure(integrator())
    driver.hold(2.0**-14, -(2.0**-15))
    rows = np.zeros((SAMPLES_PER_FRAME, 4))
    rows[:, 0], rows[:, 2], rows[:, 3] = 2.0**-17, 2.0**-26, 2.0**-40
    for frame in range(20):
        if frame == 5:
            driver.follow(np.arange(2 * SAMPLES_PER_FRAME).reshape(-1, 2) * 2.0**-20)
        if frame == 10:
            driver.close()
        driver.run(rows, blocks[0])
        yield [float(blocks[0][-1][name]) for name in SAMPLE.names]


def integrator() -> np.ndarray:
    """Parameters of the simplest law, every one of them a number that each processor has alike."""
    parameters = np.zeros((), Gains(HAS.flight.tracking, RATE_HZ).parameters.dtype)
    parameters["law"], parameters["delay"], parameters["integral"] = 1, 1, 0.25
    parameters["slope_rad"], parameters["presence_w"], parameters["limit_rad"] = 2.0**-15, 2.0**-30, 2.0**-10
    return parameters


def encoder(attachment: Attachment) -> Iterator[list[str]]:
    driver = BoardEncoder(profiles.load("aos_rs_i5"), None, attachment)
    for n in range(4):
        octets = (np.arange(2 * 1115) * (2 * n + 3)) % 251
        yield [digest(driver.encode(octets.astype(np.uint8).reshape(2, 1115)))]


def digest(array: np.ndarray) -> str:
    return hashlib.sha256(array.tobytes()).hexdigest()


SESSIONS: dict[Kind, Callable[[Attachment], Iterator[list[object]]]] = {kind: globals()[kind.label] for kind in Kind}


def record(kind: Kind, path: Path) -> None:
    """Record the session of one kind of device."""
    binding = "emulate:pty" if kind is Kind.ENCODER else "emulate:usb"
    bench = Bench.model_validate(
        {"name": "session", "description": "", "timeout_ms": TIMEOUT_MS, "terminals": {TERMINAL: {kind.label: binding}}}
    )
    with AttachedDevices(bench, SCENARIO, 1) as attached:
        results = list(SESSIONS[kind](attached.of(TERMINAL)[kind]))
        (traffic,) = attached.traffic()
    with path.open("wb") as file:
        writer = Writer(file, compression=CompressionType.ZSTD)
        writer.start()
        for topic, octets in ((traffic_topic(TERMINAL, kind), traffic.octets), (RESULTS, json.dumps(results).encode())):
            writer.add_message(writer.register_channel(topic, "", 0), 0, octets, 0)
        writer.finish()


if __name__ == "__main__":
    for kind in SESSIONS:
        record(kind, Path(__file__).with_name(f"{kind.label}.mcap"))
