"""Emulators against the simulated devices that they are made around, called directly; and what they refuse."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from flightsw.errors import ConfigError, DeviceTimeout, ProtocolError
from flightsw.hal import SAMPLE
from flightsw.pat import fine_loop
from flightsw.pat.gains import Gains
from hil import bodies
from hil.bodies import Exposure, GimbalCommand
from hil.emulators.actuators import GimbalEmulator, MirrorEmulator
from hil.emulators.emulated import Emulated, emulated
from hil.emulators.fine_loop import FineLoopEmulator
from hil.emulators.sensors import CameraEmulator, QuadCellEmulator
from hil.framing import build, frame, packet_reader
from hil.kernel import GEOMETRY, TALLY, TRUTH, run_frame
from hil.link import DeviceLink
from hil.protocol import (
    OVERRUN,
    WHOLE,
    Accepted,
    Capability,
    Data,
    Error,
    ErrorCode,
    Identity,
    Kind,
    MessageError,
    Packet,
    Samples,
    Status,
    Stimulated,
    Stimulus,
    decode,
    encode,
)
from hil.scenario import load
from hil.transports import Framing
from hil.transports.in_process import pair
from sim import gimbal, mirror, quad_cell
from sim.camera import Camera
from sim.terminal import TERMINAL

SCENARIO = load("leo_crosslink")
ALPHA, BRAVO = SCENARIO.terminals
HARDWARE = SCENARIO.terminals[ALPHA].hardware
RATE = SCENARIO.sample_rate_hz
WAVELENGTH_M = SCENARIO.terminals[BRAVO].hardware.laser.wavelength_nm * 1e-9
SIMULATED = [kind for kind in Kind if kind is not Kind.ENCODER]


def seeded() -> np.random.Generator:
    return np.random.default_rng(7)


def linked(kind: Kind, handler) -> DeviceLink:
    """A link to an emulator that works while the host waits."""
    host, end = pair()
    device = Emulated(kind, "tested", handler, bytes(8)).device(end)
    host.wait = lambda timeout_s: device.step()
    link = DeviceLink(kind, lambda: host)
    link.open()
    return link


def taken(link: DeviceLink) -> bytes:
    """The octets of the only samples that wait."""
    (received,) = link.samples
    link.samples.clear()
    assert received.samples.flags == WHOLE
    return received.samples.octets


def test_a_mirror_moves_one_sample_on_for_each_set_point():
    emulator = MirrorEmulator(HARDWARE.mirror, RATE)
    link = linked(Kind.STEERING_MIRROR, emulator)
    set_points = seeded().normal(0.0, 300e-6, (50, 2)).astype(np.float32)
    alone = mirror.new_mirror(HARDWARE.mirror, RATE).reshape(1)
    expected = []
    for x, y in set_points:
        mirror.step(alone[0], x, y)
        expected.append(alone["angle"][0].astype(np.float32))
    for part in (set_points[:1], set_points[1:]):
        link.send(bodies.encode_mirror_angles(part))
    found = np.concatenate([bodies.decode_mirror_samples(r.samples.octets) for r in link.samples])
    assert np.array_equal(found, expected)
    assert np.abs(found).max() > 100e-6
    assert [len(r.samples.octets) for r in link.samples] == [8, 49 * 8]


def test_a_mirror_stays_in_its_range_and_counts_who_would_not():
    emulator = MirrorEmulator(HARDWARE.mirror, RATE)
    link = linked(Kind.STEERING_MIRROR, emulator)
    limit = HARDWARE.mirror.range_urad * 1e-6
    link.send(bodies.encode_mirror_angles([[1.0, -1.0]] * 500))
    angles = bodies.decode_mirror_samples(taken(link))
    assert np.abs(angles).max() == np.float32(limit)
    assert emulator.beyond == 1000
    assert link.read(bodies.Register.LIMIT_NRAD) == round(limit * 1e9)
    with pytest.raises(MessageError, match="expected finite numbers, found nan"):
        link.send(bodies.encode_mirror_angles([[math.nan, 0.0]]))
    assert not link.samples


def test_a_quad_cell_takes_a_sample_of_each_row():
    link = linked(Kind.QUAD_CELL, QuadCellEmulator(HARDWARE.quad_cell, RATE, WAVELENGTH_M, seeded()))
    rows = seeded().normal(0.0, 20e-6, (40, 4))
    rows[:, 2] = 2e-8
    rows[:, 3] = np.linspace(0.0, 1e-8, 40)
    noise = seeded().standard_normal((40, 4))
    alone = quad_cell.new_quad_cell(HARDWARE.quad_cell, RATE, WAVELENGTH_M).reshape(1)
    # the inverse slope of erf(sqrt(2) x / w) at 0
    slope = HARDWARE.quad_cell.spot_radius_urad * 1e-6 / (math.sqrt(2.0) * 2.0 / math.sqrt(math.pi))
    expected = []
    for k, (x, y, light, background) in enumerate(rows):
        alone["background"] = background * alone["electrons_per_w"]
        expected.append(quad_cell.read(alone[0], x, y, light, noise[k], 0))
    for part in np.split(rows, [1, 3]):
        link.stimulate(bodies.encode_quad_stimulus(part))
    found = np.concatenate([bodies.decode_quad_samples(r.samples.octets) for r in link.samples])
    assert len(link.samples) == 3
    assert np.allclose(found, np.array(expected) * (slope, slope, 1.0), rtol=1e-6, atol=0.0)


def test_a_gimbal_moves_on_as_far_as_it_is_told():
    link = linked(Kind.GIMBAL, GimbalEmulator(HARDWARE.gimbal, RATE))
    alone = gimbal.new_gimbal(HARDWARE.gimbal, RATE).reshape(1)
    alone["command"], alone["command_rate"] = (0.1, -0.2), (0.01, 0.02)
    link.send(bodies.encode_gimbal_command(GimbalCommand(0.1, -0.2, 0.01, 0.02)))
    assert not link.samples
    for samples in (1, 100, 899):
        for _ in range(samples):
            gimbal.step(alone[0])
        link.stimulate(bodies.encode_gimbal_stimulus(samples))
        assert bodies.decode_gimbal_samples(taken(link)) == [tuple(alone["reading"][0])]
    assert abs(alone["reading"][0, 0]) > 1e-4


@pytest.mark.parametrize("disc", [(0.0, 0.0, math.inf), (0.0, 3e-4, 5e-4)])
def test_a_camera_makes_an_image_of_each_exposure_while_it_is_enabled(disc):
    link = linked(Kind.CAMERA, CameraEmulator(HARDWARE.camera, RATE, WAVELENGTH_M, seeded()))
    alone = Camera(HARDWARE.camera, WAVELENGTH_M, RATE, seeded())
    octets = bodies.encode_exposure(Exposure(12.25, 3e-10, 1e-4, -2e-4, 1e-13, *disc))
    link.stimulate(octets)
    assert not link.samples
    link.send(bodies.encode_camera_enable(True))
    link.stimulate(octets)
    whole = b"".join(received.samples.octets for received in link.samples)
    image = bodies.decode_image(whole)
    assert image.time_s == 12.25
    assert np.array_equal(image.pixels, alone.render(3e-10, 1e-4, -2e-4, 1e-13, None if math.isinf(disc[2]) else disc))
    assert len(link.samples) == math.ceil(len(whole) / 8192) > 1
    link.samples.clear()
    link.send(bodies.encode_camera_enable(False))
    link.stimulate(octets)
    assert not link.samples


def test_switches_and_the_point_ahead_mirror_do_as_they_are_told():
    laser, lead = (emulated(kind, SCENARIO, ALPHA, 1).handler for kind in (Kind.LASER, Kind.POINT_AHEAD))
    linked(Kind.LASER, laser).send(bodies.encode_laser_command(True, False))
    assert (laser.signal, laser.beacon) == (True, False)
    linked(Kind.POINT_AHEAD, lead).send(bodies.encode_point_ahead(0.25, -0.5))
    assert lead.angle == (0.25, -0.5)


class Still:
    """One terminal of the lockstep kernel on a satellite that does not shake, its gimbal at zero, in constant light."""

    def __init__(self, watts: float) -> None:
        """`watts`: what each emits toward the other, in W/sr."""
        self.watts = watts
        self.block = RATE // 100
        self.world = np.zeros(2, TERMINAL)
        self.world["exposure"]["period"] = 1
        self.world["gimbal"]["quantum"] = self.world["gimbal"]["damping"] = 1.0
        self.world["optics"]["clear"] = self.world["optics"]["aperture"] = 1.0
        self.world["optics"]["quad_share"] = 0.75
        self.world["optics"]["signal_on"] = 1
        self.world["optics"]["signal_intensity"] = watts
        self.world["mirror"] = mirror.new_mirror(HARDWARE.mirror, RATE)
        self.world["quad_cell"] = quad_cell.new_quad_cell(HARDWARE.quad_cell, RATE, WAVELENGTH_M)
        self.parameters = np.zeros(2, fine_loop.PARAMETERS)
        self.parameters["delay"] = 1
        self.states = np.zeros(2, fine_loop.STATE)
        self.geometry = np.zeros(2, GEOMETRY)
        self.geometry["azimuth_rate"], self.geometry["elevation_rate"] = 1e-2, -2e-2
        self.geometry["cos_elevation"] = 0.5
        self.geometry["range_m"], self.geometry["light_time_s"] = 1024.0, 1e-3
        self.set_points = np.zeros((2, self.block, 2))

    def frame(self, first: int, noise: np.ndarray) -> np.ndarray:
        """The block of samples of one frame."""
        samples = np.zeros((2, self.block), SAMPLE)
        run_frame(
            first,
            1.0 / RATE,
            self.world,
            self.parameters,
            self.states,
            self.geometry,
            (noise, noise),
            np.zeros(2, np.int64),
            self.set_points,
            np.full((2, 256, 2), self.watts),
            samples,
            np.zeros((2, self.block), TRUTH),
            np.zeros(2, TALLY),
        )
        return samples[0]

    def rows(self, background: float) -> np.ndarray:
        """The same, as a stimulus."""
        t = np.arange(self.block) * (1.0 / RATE)
        rows = np.empty((self.block, 4))
        rows[:, 0] = t * 1e-2 * 0.5
        rows[:, 1] = t * -2e-2
        rows[:, 2] = self.watts / 1024.0**2 * 0.75
        rows[:, 3] = background
        return rows


def test_a_fine_loop_takes_the_very_samples_of_the_lockstep_kernel():
    still = Still(0.02)
    link = linked(Kind.FINE_LOOP, FineLoopEmulator(HARDWARE.mirror, HARDWARE.quad_cell, RATE, WAVELENGTH_M, seeded()))
    rng = seeded()
    parameters = Gains(SCENARIO.terminals[ALPHA].flight.tracking, RATE).parameters
    trajectory = np.stack([np.linspace(0, 1e-4, still.block), np.linspace(5e-5, 0, still.block)], axis=1)
    background = 1e-9
    still.world["quad_cell"]["background"] = background * still.world["quad_cell"]["electrons_per_w"]

    def both(frame: int) -> np.ndarray:
        expected = still.frame(frame * still.block, rng.standard_normal((still.block, 4)))
        # in turns, as the host gives them where light takes less than a frame
        for turn in np.split(still.rows(background), [1, 40]):
            link.stimulate(bodies.encode_fine_loop_stimulus(turn))
        found = np.concatenate([bodies.decode_block(r.samples.octets) for r in link.samples])
        link.samples.clear()
        assert found.tolist() == expected.tolist()
        return found

    both(0)
    link.send(bodies.encode_configure(parameters))
    fine_loop.load(still.parameters[0, ...], still.states[0, ...], parameters)
    link.send(bodies.encode_follow(trajectory))
    still.set_points[0] = trajectory
    followed = both(1)
    assert np.array_equal(followed["mirror_x"], trajectory[:, 0].astype(np.float32))
    link.send(bodies.encode_close())
    still.states["closed"][0] = 1
    assert not np.array_equal(both(2)["mirror_x"], followed["mirror_x"])
    both(3)
    link.send(bodies.encode_hold(1e-5, 2e-5))
    still.set_points[0], still.states["closed"][0] = (1e-5, 2e-5), 0
    assert set(both(4)["mirror_y"].tolist()) == {float(np.float32(2e-5))}


def test_where_a_trajectory_ends_its_last_point_is_held():
    link = linked(Kind.FINE_LOOP, FineLoopEmulator(HARDWARE.mirror, HARDWARE.quad_cell, RATE, WAVELENGTH_M, seeded()))
    link.send(bodies.encode_configure(Gains(SCENARIO.terminals[ALPHA].flight.tracking, RATE).parameters))
    trajectory = np.zeros((RATE // 100, 2))
    trajectory[:, 0] = np.arange(1, RATE // 100 + 1) * 1e-6
    link.send(bodies.encode_follow(trajectory))
    link.stimulate(bodies.encode_fine_loop_stimulus(np.zeros((RATE // 100 + 3, 4))))
    commands = bodies.decode_block(taken(link))["mirror_x"]
    assert np.array_equal(commands, np.append(trajectory[:, 0], [trajectory[-1, 0]] * 3).astype(np.float32))
    with pytest.raises(MessageError, match="expected 100 points, one a sample of a frame, found 99"):
        link.send(bodies.encode_follow(trajectory[1:]))


@pytest.mark.parametrize("framing", list(Framing))
def test_samples_come_before_the_reply_and_in_one_write_on_a_stream(framing):
    writes: list[bytes] = []
    host, end = pair(framing=framing)
    device = emulated(Kind.QUAD_CELL, SCENARIO, ALPHA, 1).device(end)
    end.write = writes.append
    stimulus = Stimulus(bodies.encode_quad_stimulus(np.zeros((3, 4))))
    host.write(frame(build(Packet(Kind.QUAD_CELL, 9, 0, encode(stimulus), telecommand=True)), framing))
    assert device.step()
    assert not device.step()
    reader = packet_reader(framing)
    samples, reply = [packet for octets in writes for packet in reader.push(octets)]
    assert isinstance(decode(samples), Samples)
    assert (decode(reply), reply.sequence_count) == (Stimulated(), 9)
    assert len(writes) == (1 if framing is Framing.STREAM else 2)


def test_samples_that_the_line_did_not_take_are_said_to_be_missing():
    host, end = pair()
    device = emulated(Kind.QUAD_CELL, SCENARIO, ALPHA, 1).device(end)
    host.wait = lambda timeout_s: device.step()
    link = DeviceLink(Kind.QUAD_CELL, lambda: host, timeout_s=0.01)
    link.open()
    write = end.write

    def refuse(octets):
        end.write = write
        raise DeviceTimeout("full")

    end.write = refuse
    stimulus = bodies.encode_quad_stimulus(np.zeros((1, 4)))
    with pytest.raises(DeviceTimeout):
        link.stimulate(stimulus)
    for flags in (WHOLE | OVERRUN, WHOLE):
        link.stimulate(stimulus)
        assert link.samples.popleft().samples.flags == flags
    assert device.unsent == 1


@pytest.mark.parametrize("kind", SIMULATED)
def test_what_an_emulator_says_of_itself(kind):
    emulator = emulated(kind, SCENARIO, ALPHA, 1)
    link = linked(kind, emulator.handler)
    assert isinstance(link.identity, Identity)
    streams = kind not in (Kind.LASER, Kind.POINT_AHEAD)
    assert link.identity.capabilities == Capability.STIMULUS | (Capability.STREAM if streams else 0)
    sampled = kind in (Kind.STEERING_MIRROR, Kind.QUAD_CELL, Kind.GIMBAL, Kind.FINE_LOOP)
    assert link.read(0) == (10_000 if sampled else 0)
    assert link.heartbeat().status == (Status.STREAMING if streams else 0)
    with pytest.raises(MessageError, match=r"read.only.* found SAMPLE_RATE_HZ"):
        link.write(0, 1)
    for refused in (lambda: link.read(2), lambda: link.write(2, 1)):
        with pytest.raises(MessageError, match="no such register"):
            refused()
    if not streams:
        with pytest.raises(MessageError, match="unknown message: STREAM"):
            link.stream(True)


def test_samples_may_be_stopped():
    link = linked(Kind.GIMBAL, GimbalEmulator(HARDWARE.gimbal, RATE))
    assert link.stream(False, 5) == (0, 1)
    link.stimulate(bodies.encode_gimbal_stimulus(1))
    assert not link.samples
    assert link.stream(True, 5) == (1, 1)
    link.stimulate(bodies.encode_gimbal_stimulus(1))
    assert len(link.samples) == 1


@pytest.mark.parametrize(
    ("kind", "record", "fault"),
    [
        (Kind.STEERING_MIRROR, "mirror", "stuck"),
        (Kind.QUAD_CELL, "cell", "dead"),
        (Kind.FINE_LOOP, "mirror", "stuck"),
        (Kind.FINE_LOOP, "cell", "dead"),
    ],
)
def test_a_fault_shows_in_the_heartbeat(kind, record, fault):
    handler = emulated(kind, SCENARIO, ALPHA, 1).handler
    link = linked(kind, handler)
    getattr(handler, record)[fault] = 1
    assert link.heartbeat().status & Status.FAULT


def test_messages_that_a_kind_does_not_know_are_refused():
    cell, mirror = (
        linked(kind, emulated(kind, SCENARIO, ALPHA, 1).handler) for kind in (Kind.QUAD_CELL, Kind.STEERING_MIRROR)
    )
    with pytest.raises(MessageError, match="unknown message: DATA"):
        cell.send(b"\1")
    with pytest.raises(MessageError, match="unknown message: STIMULUS"):
        mirror.stimulate(b"\1")
    with pytest.raises(MessageError, match="expected a command in one message, found a part with flags 0x01"):
        mirror.send(bytes(16), part_octets=8)


def test_noise_is_of_seed_kind_and_terminal_alone():
    def read(terminal: str, seed: int) -> bytes:
        handler = emulated(Kind.QUAD_CELL, SCENARIO, terminal, seed).handler
        handler.stimulus(bodies.encode_quad_stimulus([0.0, 0.0, 1e-9, 0.0]))
        return handler.samples

    assert read(ALPHA, 1) == read(ALPHA, 1)
    assert len({read(ALPHA, 1), read(BRAVO, 1), read(ALPHA, 2)}) == 3


def test_unique_ids_are_unique():
    ids = {emulated(kind, SCENARIO, terminal, 1).unique_id for kind in SIMULATED for terminal in (ALPHA, BRAVO)}
    assert len(ids) == 2 * len(SIMULATED)


@pytest.mark.parametrize(
    ("kind", "terminal", "what"),
    [
        (Kind.LASER, "gamma", f"leo_crosslink: expected terminal {ALPHA} or {BRAVO}, found gamma"),
        (Kind.ENCODER, ALPHA, f"{ALPHA}-encoder: expected a simulated device, found the encoder"),
    ],
)
def test_devices_that_are_not_there(kind, terminal, what):
    with pytest.raises(ConfigError, match=what):
        emulated(kind, SCENARIO, terminal, 1)


DEVICES = {kind: emulated(kind, SCENARIO, ALPHA, 1) for kind in SIMULATED}
finite = st.floats(allow_nan=False, allow_infinity=False)
BODIES = st.one_of(
    st.binary(max_size=64),
    st.integers(0, 60).map(lambda n: n.to_bytes(4, "big")),
    arrays(">f8", st.tuples(st.integers(1, 6), st.sampled_from([1, 2, 4])), elements=finite).map(lambda a: a.tobytes()),
    arrays(">f8", 8, elements=finite).map(lambda a: a.tobytes()),
    arrays(">f4", (3, 2), elements=st.floats(width=32)).map(lambda a: a.tobytes()),
    arrays(">f8", (RATE // 100, 2), elements=finite, fill=finite).map(lambda a: b"\2" + a.tobytes()),
    arrays(">f8", 2, elements=finite).map(lambda a: b"\3" + a.tobytes()),
    st.builds(
        lambda scale, law: bodies.encode_configure(_parameters(scale, law)),
        finite,
        st.integers(0, len(fine_loop.Law) - 1),
    ),
    st.sampled_from([b"\0", b"\1", b"\1\1", b"\4"]),
)


def _parameters(scale: float, law: int) -> np.ndarray:
    parameters = np.zeros((), fine_loop.PARAMETERS)
    for name in fine_loop.PARAMETERS.names:
        parameters[name] = 1 if fine_loop.PARAMETERS[name].base.kind == "i" else scale
    parameters["law"] = law
    return parameters


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(SIMULATED), st.lists(st.tuples(st.booleans(), st.integers(0, 255), BODIES), max_size=6))
def test_whatever_an_emulator_is_told_it_answers(kind, told):
    host, end = pair()
    device = DEVICES[kind].device(end)
    reader = packet_reader(Framing.STREAM)
    for count, (is_data, flags, octets) in enumerate(told):
        message = Data(flags, octets) if is_data else Stimulus(octets)
        host.write(frame(build(Packet(kind, count, 0, encode(message), telecommand=True)), Framing.STREAM))
        device.step()
        *samples, reply = reader.push(host.read(0.0))
        assert all(isinstance(decode(packet), Samples) for packet in samples)
        answer = decode(reply)
        assert reply.sequence_count == count
        assert isinstance(answer, Error | (Accepted if is_data else Stimulated))
        if isinstance(answer, Error):
            assert not samples
            assert answer.code in (ErrorCode.UNKNOWN_MESSAGE, ErrorCode.BAD_LENGTH, ErrorCode.OUT_OF_RANGE)


def test_a_wrong_device_is_named():
    host, end = pair()
    device = emulated(Kind.LASER, SCENARIO, ALPHA, 1).device(end)
    host.wait = lambda timeout_s: device.step()
    with pytest.raises(ProtocolError, match="expected a gimbal, found a laser"):
        DeviceLink(Kind.GIMBAL, lambda: host).open()
