"""Bodies against octets packed by struct, construct's declarations, and what a corrupt one could do."""

import math
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from flightsw.hal import SAMPLE, Angles, Image
from flightsw.pat.fine_loop import PARAMETERS
from hil import bodies
from hil.bodies import Exposure, FineLoopCommand, GimbalCommand
from hil.protocol import ErrorCode, Kind, MessageError

f4 = st.floats(width=32, allow_nan=False, allow_infinity=False)
f8 = st.floats(allow_nan=False, allow_infinity=False)


def rows(dtype, columns, elements):
    return arrays(dtype, st.tuples(st.integers(0, 20), st.just(columns)), elements=elements)


def some_parameters() -> np.ndarray:
    rng = np.random.default_rng(1)
    parameters = np.zeros((), PARAMETERS)
    for name in PARAMETERS.names:
        parameters[name] = rng.normal(size=parameters[name].shape)
    for name, value in (("law", 2), ("notches", 3), ("modes", 8), ("delay", 1)):
        parameters[name] = value
    return parameters


@given(rows("f4", 2, f4))
def test_mirror_angles(angles):
    octets = b"".join(struct.pack(">ff", *row) for row in angles.tolist())
    assert bodies.encode_mirror_angles(angles) == octets
    for found in (bodies.decode_mirror_set_points(octets), bodies.decode_mirror_samples(octets)):
        assert found.dtype == np.float32
        assert np.array_equal(found, angles)
    declared = bodies.DATA[Kind.STEERING_MIRROR].parse(octets)
    assert [(row.x, row.y) for row in declared] == [tuple(row) for row in angles.tolist()]


@given(rows("f4", 3, f4))
def test_quad_cell_samples(samples):
    declared = bodies.SAMPLES[Kind.QUAD_CELL].build(
        [{"error_x": x, "error_y": y, "power_w": p} for x, y, p in samples.tolist()]
    )
    assert bodies.encode_quad_samples(samples) == declared
    assert np.array_equal(bodies.decode_quad_samples(declared), samples)


@given(f8, f8, f8, f8)
def test_gimbal_commands(azimuth, elevation, azimuth_rate, elevation_rate):
    octets = struct.pack(">dddd", azimuth, elevation, azimuth_rate, elevation_rate)
    command = GimbalCommand(azimuth, elevation, azimuth_rate, elevation_rate)
    assert bodies.encode_gimbal_command(command) == octets
    assert bodies.decode_gimbal_command(octets) == command
    declared = bodies.DATA[Kind.GIMBAL].parse(octets)
    assert (declared.azimuth, declared.elevation_rate) == (azimuth, elevation_rate)


@given(rows("f8", 2, f8))
def test_gimbal_samples(angles):
    octets = b"".join(struct.pack(">dd", *row) for row in angles.tolist())
    assert bodies.encode_gimbal_samples(angles) == octets
    assert bodies.decode_gimbal_samples(octets) == [Angles(*row) for row in angles.tolist()]
    declared = bodies.SAMPLES[Kind.GIMBAL].parse(octets)
    assert [Angles(row.azimuth, row.elevation) for row in declared] == bodies.decode_gimbal_samples(octets)


@pytest.mark.parametrize("on", [False, True])
def test_camera_enable(on):
    assert bodies.encode_camera_enable(on) == bytes([int(on)])
    assert bodies.decode_camera_enable(bytes([int(on)])) is on


@given(arrays("f4", array_shapes(min_dims=2, max_dims=2, max_side=9), elements=f4), f8)
def test_images(pixels, time_s):
    octets = struct.pack(f">HHd{pixels.size}f", *pixels.shape, time_s, *pixels.ravel().tolist())
    assert bodies.encode_image(Image(pixels, time_s)) == octets
    found = bodies.decode_image(octets)
    assert found.time_s == time_s
    assert found.pixels.dtype == np.float32
    assert np.array_equal(found.pixels, pixels)
    declared = bodies.SAMPLES[Kind.CAMERA].parse(octets)
    assert (declared.rows, declared.columns) == pixels.shape
    assert list(declared.pixels) == pixels.ravel().tolist()


def test_an_image_too_wide_is_refused():
    with pytest.raises(MessageError, match="expected at most 65535 rows and columns, found 1 x 65536"):
        bodies.encode_image(Image(np.zeros((1, 65536), np.float32), 0.0))


@pytest.mark.parametrize(("signal", "beacon", "octets"), [(True, False, b"\1\0"), (False, True, b"\0\1")])
def test_laser_commands(signal, beacon, octets):
    assert bodies.encode_laser_command(signal, beacon) == octets
    assert bodies.decode_laser_command(octets) == (signal, beacon)


@given(f4, f4)
def test_point_ahead(x, y):
    octets = struct.pack(">ff", x, y)
    assert bodies.encode_point_ahead(x, y) == octets
    assert bodies.decode_point_ahead(octets) == (x, y)


def test_fine_loop_parameters_are_their_fields_in_order():
    parameters = some_parameters()
    octets = b"\x01"
    for name in PARAMETERS.names:
        code = "q" if PARAMETERS[name].base.kind == "i" else "d"
        values = parameters[name].ravel().tolist()
        octets += struct.pack(f">{len(values)}{code}", *values)
    assert bodies.encode_configure(parameters) == octets
    command, found = bodies.decode_fine_loop(octets)
    assert command is FineLoopCommand.CONFIGURE
    assert found.dtype == PARAMETERS
    assert found.shape == ()
    assert found.flags.writeable
    assert found == parameters


@given(rows("f8", 2, f8))
def test_fine_loop_trajectories(trajectory):
    octets = b"\x02" + b"".join(struct.pack(">dd", *row) for row in trajectory.tolist())
    assert bodies.encode_follow(trajectory) == octets
    command, found = bodies.decode_fine_loop(octets)
    assert command is FineLoopCommand.FOLLOW
    assert np.array_equal(found, trajectory)


def test_other_fine_loop_commands():
    assert bodies.encode_hold(1.5, -2.5) == b"\x03" + struct.pack(">dd", 1.5, -2.5)
    command, found = bodies.decode_fine_loop(b"\x03" + struct.pack(">dd", 1.5, -2.5))
    assert (command, found.tolist()) == (FineLoopCommand.HOLD, [1.5, -2.5])
    assert bodies.encode_close() == b"\x04"
    command, found = bodies.decode_fine_loop(b"\x04")
    assert (command, found.shape) == (FineLoopCommand.CLOSE, (0,))


@given(arrays(SAMPLE, st.integers(0, 20), elements=st.tuples(f4, f4, f4, f4, f4)))
def test_fine_loop_blocks(block):
    octets = b"".join(struct.pack(">fffff", *row) for row in block.tolist())
    assert bodies.encode_block(block) == octets
    found = bodies.decode_block(octets)
    assert found.dtype == SAMPLE
    assert found.tolist() == block.tolist()
    assert [row.power_w for row in bodies.SAMPLES[Kind.FINE_LOOP].parse(octets)] == block["power_w"].tolist()


@given(rows("f8", 4, f8))
@pytest.mark.parametrize(
    ("kind", "encode", "decode"),
    [
        (Kind.QUAD_CELL, bodies.encode_quad_stimulus, bodies.decode_quad_stimulus),
        (Kind.FINE_LOOP, bodies.encode_fine_loop_stimulus, bodies.decode_fine_loop_stimulus),
    ],
)
def test_what_quad_cells_see(kind, encode, decode, seen):
    octets = b"".join(struct.pack(">dddd", *row) for row in seen.tolist())
    assert encode(seen) == octets
    found = decode(octets)
    assert found.dtype == np.float64
    assert np.array_equal(found, seen)
    declared = bodies.STIMULUS[kind].parse(octets)
    assert [(row.x, row.y, row.light_w, row.background_w) for row in declared] == [tuple(row) for row in seen.tolist()]


@given(st.integers(1, 30_000))
def test_how_far_a_gimbal_moves_on(samples):
    octets = struct.pack(">I", samples)
    assert bodies.encode_gimbal_stimulus(samples) == octets
    assert bodies.decode_gimbal_stimulus(octets) == samples
    assert bodies.STIMULUS[Kind.GIMBAL].parse(octets).samples == samples


@given(st.tuples(f8, f8, f8, f8, f8, f8, f8, st.floats(min_value=0.0, allow_nan=False)))
def test_exposures(fields):
    octets = struct.pack(">8d", *fields)
    assert bodies.encode_exposure(Exposure(*fields)) == octets
    assert bodies.decode_exposure(octets) == fields
    declared = bodies.STIMULUS[Kind.CAMERA].parse(octets)
    assert (declared.time_s, declared.light_w, declared.x, declared.y) == fields[:4]
    assert (declared.background_w, declared.disc_x, declared.disc_y, declared.disc_radius) == fields[4:]


@pytest.mark.parametrize("samples", [0, 30_001])
def test_a_gimbal_moves_on_by_at_most_a_second(samples):
    with pytest.raises(MessageError, match=f"samples to move on: expected 1 to 30000, found {samples}"):
        bodies.encode_gimbal_stimulus(samples)
    with pytest.raises(MessageError, match=f"samples to move on: expected 1 to 30000, found {samples}"):
        bodies.decode_gimbal_stimulus(struct.pack(">I", samples))


@pytest.mark.parametrize("radius", [-1e-9, -math.inf, math.nan])
def test_a_disc_has_a_radius(radius):
    with pytest.raises(MessageError, match="disc radius: expected 0 to infinity, found"):
        bodies.decode_exposure(struct.pack(">8d", *[0.0] * 7, radius))


COMMANDS = [
    (bodies.decode_mirror_set_points, ">ff"),
    (bodies.decode_point_ahead, ">ff"),
    (bodies.decode_gimbal_command, ">dddd"),
    (lambda octets: bodies.decode_fine_loop(b"\x02" + octets), ">dd"),
    (lambda octets: bodies.decode_fine_loop(b"\x03" + octets), ">dd"),
    (bodies.decode_quad_stimulus, ">dddd"),
    (bodies.decode_fine_loop_stimulus, ">dddd"),
    (lambda octets: bodies.decode_exposure(octets + bytes(8)), ">ddddddd"),
]


@pytest.mark.parametrize(("decode", "layout"), COMMANDS)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_no_device_is_told_to_go_nowhere(decode, layout, value):
    for at in range(len(layout) - 1):
        values = [0.0] * (len(layout) - 1)
        values[at] = value
        with pytest.raises(MessageError, match=f"expected finite numbers, found {value}") as caught:
            decode(struct.pack(layout, *values))
        assert caught.value.code == ErrorCode.OUT_OF_RANGE


def test_a_reading_that_is_not_a_number_passes():
    assert np.isnan(bodies.decode_quad_samples(struct.pack(">fff", math.nan, 0, 0))[0, 0])
    assert np.isnan(bodies.decode_mirror_samples(struct.pack(">ff", math.nan, 0))[0, 0])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("law", 3),
        ("law", -1),
        ("notches", 5),
        ("modes", 9),
        ("modes", -1),
        ("delay", 0),
        ("delay", 9),
        ("kalman", math.nan),
    ],
)
def test_parameters_beyond_their_arrays_are_refused(name, value):
    parameters = some_parameters()
    parameters[name] = value
    with pytest.raises(MessageError, match=f"parameter {name}: expected") as caught:
        bodies.decode_fine_loop(bodies.encode_configure(parameters))
    assert caught.value.code == ErrorCode.OUT_OF_RANGE


@pytest.mark.parametrize(
    ("decode", "octets", "what"),
    [
        (bodies.decode_mirror_set_points, bytes(7), "mirror angles: expected a multiple of 8 octets, found 7"),
        (bodies.decode_quad_samples, bytes(13), "expected a multiple of 12 octets, found 13"),
        (bodies.decode_gimbal_command, bytes(31), "gimbal command: expected 32 octets, found 31"),
        (bodies.decode_gimbal_samples, bytes(8), "expected a multiple of 16 octets, found 8"),
        (bodies.decode_camera_enable, b"", "camera enable: expected 1 octets, found 0"),
        (bodies.decode_camera_enable, b"\2", "camera enable: expected 0 or 1, found 2"),
        (bodies.decode_laser_command, b"\1", "laser command: expected 2 octets, found 1"),
        (bodies.decode_laser_command, b"\0\xff", "laser command: expected 0 or 1, found 255"),
        (bodies.decode_image, bytes(11), "image: expected at least 12 octets, found 11"),
        (bodies.decode_image, struct.pack(">HHd", 2, 3, 0.0), "image of 2 x 3: expected 36 octets, found 12"),
        (bodies.decode_image, struct.pack(">HHd", 65535, 65535, 0.0), "expected 17179344912 octets, found 12"),
        (bodies.decode_point_ahead, bytes(9), "point-ahead angle: expected 8 octets, found 9"),
        (bodies.decode_block, bytes(19), "block: expected a multiple of 20 octets, found 19"),
        (bodies.decode_fine_loop, b"", "fine loop command: expected at least 1 octet, found 0"),
        (bodies.decode_fine_loop, b"\x05", "expected one of 1 CONFIGURE, 2 FOLLOW, 3 HOLD, 4 CLOSE, found 5"),
        (bodies.decode_fine_loop, b"\x01ab", "parameters: expected [0-9]+ octets, found 2"),
        (bodies.decode_fine_loop, b"\x02ab", "trajectory: expected a multiple of 16 octets, found 2"),
        (bodies.decode_fine_loop, b"\x03ab", "held angle: expected 16 octets, found 2"),
        (bodies.decode_fine_loop, b"\x04ab", "close: expected no octets, found 2"),
        (bodies.decode_quad_stimulus, bytes(31), "quad cell stimulus: expected a multiple of 32 octets, found 31"),
        (bodies.decode_fine_loop_stimulus, bytes(8), "fine loop stimulus: expected a multiple of 32 octets, found 8"),
        (bodies.decode_gimbal_stimulus, bytes(3), "gimbal stimulus: expected 4 octets, found 3"),
        (bodies.decode_exposure, bytes(63), "exposure: expected 64 octets, found 63"),
    ],
)
def test_what_is_wrong_is_named(decode, octets, what):
    with pytest.raises(MessageError, match=what):
        decode(octets)


def test_arrays_of_another_shape_are_not_sent():
    with pytest.raises(MessageError, match=r"expected shape \(n, 2\), found \(3,\)"):
        bodies.encode_mirror_angles([1.0, 2.0, 3.0])


@given(st.binary(max_size=80))
@pytest.mark.parametrize(
    "decode",
    [
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
    ],
)
def test_arbitrary_octets_are_refused_with_a_message_error(decode, octets):
    try:
        decode(octets)
    except MessageError as error:
        assert error.code in (ErrorCode.BAD_LENGTH, ErrorCode.OUT_OF_RANGE)


@given(st.binary(min_size=PARAMETERS.itemsize, max_size=PARAMETERS.itemsize))
def test_arbitrary_parameters_are_refused_or_within_their_arrays(octets):
    try:
        _, parameters = bodies.decode_fine_loop(b"\x01" + octets)
    except MessageError:
        return
    assert 0 <= parameters["modes"] <= len(parameters["kalman"])
    assert 0 <= parameters["notches"] <= len(parameters["notch"])
    assert 1 <= parameters["delay"] <= len(parameters["feed_command"])
