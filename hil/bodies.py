"""What the octets in DATA, SAMPLES and STIMULUS mean for each kind of device: functions that both ends use.

Numbers are big-endian; angles in rad, power in W, times in s since the scenario epoch, as in `flightsw.hal`.

| kind | DATA | SAMPLES |
| --- | --- | --- |
| steering_mirror | set-points, float32 x, y | measured angles, float32 x, y |
| quad_cell | | float32 error x, error y, power |
| gimbal | float64 azimuth, elevation, and their rates | float64 azimuth, elevation |
| camera | uint8 enable | uint16 rows, columns, float64 time, float32 pixels in electrons |
| laser | uint8 signal, beacon | |
| encoder | octets of a transfer frame | octets for the line |
| fine_loop | uint8 command, and what belongs to it | records of `hal.SAMPLE` |
| point_ahead | float32 x, y | |

An emulator is told what the world shows it, and by that how far time has gone on:

| kind | STIMULUS |
| --- | --- |
| quad_cell | for each sample float64 line of sight x, y behind the mirror, light and background on the cell |
| fine_loop | for each sample float64 line of sight x, y before the mirror, light and background on the cell |
| gimbal | uint32 samples to move on |
| camera | an `Exposure`, float64 |

Decoders raise MessageError. Those of commands refuse numbers that are not finite, for no device may move to one; a
reading that is not a number passes, as the flight software has to know of it.
"""

import struct
from enum import IntEnum
from typing import NamedTuple, TypeVar

import numpy as np
from construct import Float32b, Float64b, GreedyBytes, GreedyRange, Int8ub, Int16ub, Int32ub, Struct
from numpy.typing import ArrayLike, NDArray

from flightsw.hal import SAMPLE, Angles, Image
from flightsw.pat.fine_loop import DELAY, MODES, NOTCHES, PARAMETERS, Law
from hil.protocol import ErrorCode, Kind, MessageError

Scalar = TypeVar("Scalar", bound=np.generic)

_F4 = np.dtype(">f4")
_F8 = np.dtype(">f8")
_WIRE_SAMPLE = SAMPLE.newbyteorder(">")
_WIRE_PARAMETERS = PARAMETERS.newbyteorder(">")
_IMAGE_HEAD = struct.Struct(">HHd")
_SAMPLES = struct.Struct(">I")
#: A second at the highest rate that a scenario may have.
MOST_SAMPLES = 30_000
#: What a record of the fine loop's parameters may hold where compiled code counts or indexes with it.
_COUNTS = {"law": (0, max(Law)), "notches": (0, NOTCHES), "modes": (0, MODES), "delay": (1, DELAY)}


class FineLoopCommand(IntEnum):
    """First octet of the fine loop's DATA."""

    CONFIGURE = 1  #: a record of `fine_loop.PARAMETERS`, packed
    FOLLOW = 2  #: a trajectory, float64 x, y for each sample of a frame
    HOLD = 3  #: float64 x, y
    CLOSE = 4  #: nothing


#: Bodies of DATA, as construct declares them; the fine loop's parameters are `fine_loop.PARAMETERS` in order, packed.
DATA = {
    Kind.STEERING_MIRROR: GreedyRange(Struct("x" / Float32b, "y" / Float32b)),
    Kind.GIMBAL: Struct(
        "azimuth" / Float64b, "elevation" / Float64b, "azimuth_rate" / Float64b, "elevation_rate" / Float64b
    ),
    Kind.CAMERA: Struct("enable" / Int8ub),
    Kind.LASER: Struct("signal" / Int8ub, "beacon" / Int8ub),
    Kind.ENCODER: GreedyBytes,
    Kind.FINE_LOOP: Struct("command" / Int8ub, "payload" / GreedyBytes),
    Kind.POINT_AHEAD: Struct("x" / Float32b, "y" / Float32b),
}
#: Bodies of SAMPLES.
SAMPLES = {
    Kind.STEERING_MIRROR: GreedyRange(Struct("x" / Float32b, "y" / Float32b)),
    Kind.QUAD_CELL: GreedyRange(Struct("error_x" / Float32b, "error_y" / Float32b, "power_w" / Float32b)),
    Kind.GIMBAL: GreedyRange(Struct("azimuth" / Float64b, "elevation" / Float64b)),
    Kind.CAMERA: Struct("rows" / Int16ub, "columns" / Int16ub, "time_s" / Float64b, "pixels" / GreedyRange(Float32b)),
    Kind.ENCODER: GreedyBytes,
    Kind.FINE_LOOP: GreedyRange(
        Struct(
            "error_x" / Float32b,
            "error_y" / Float32b,
            "mirror_x" / Float32b,
            "mirror_y" / Float32b,
            "power_w" / Float32b,
        )
    ),
}
_LIT_LINE = GreedyRange(Struct("x" / Float64b, "y" / Float64b, "light_w" / Float64b, "background_w" / Float64b))
#: Bodies of STIMULUS.
STIMULUS = {
    Kind.QUAD_CELL: _LIT_LINE,
    Kind.GIMBAL: Struct("samples" / Int32ub),
    Kind.CAMERA: Struct(
        "time_s" / Float64b,
        "light_w" / Float64b,
        "x" / Float64b,
        "y" / Float64b,
        "background_w" / Float64b,
        "disc_x" / Float64b,
        "disc_y" / Float64b,
        "disc_radius" / Float64b,
    ),
    Kind.FINE_LOOP: _LIT_LINE,
}


class Register(IntEnum):
    """Read-only registers that emulators have."""

    SAMPLE_RATE_HZ = 0x0000  #: 0 for a kind that takes no samples
    LIMIT_NRAD = 0x0001  #: a steering mirror's range: the largest angle of each axis


def encode_mirror_angles(angles: ArrayLike) -> bytes:
    """Mirror angles, (n, 2) in rad: set-points and samples alike."""
    return _rows(angles, _F4, 2)


def decode_mirror_set_points(octets: bytes) -> NDArray[np.float32]:
    """Set-points of a mirror, float32 (n, 2) in rad, finite."""
    return _finite("mirror set-points", decode_mirror_samples(octets))


def decode_mirror_samples(octets: bytes) -> NDArray[np.float32]:
    """Measured mirror angles, float32 (n, 2) in rad."""
    return _table("mirror angles", octets, _F4, 2).astype(np.float32)


def encode_quad_samples(samples: ArrayLike) -> bytes:
    """Quad cell samples, (n, 3): error x and y in rad, power in W."""
    return _rows(samples, _F4, 3)


def decode_quad_samples(octets: bytes) -> NDArray[np.float32]:
    """Quad cell samples, float32 (n, 3): error x and y in rad, power in W."""
    return _table("quad cell samples", octets, _F4, 3).astype(np.float32)


class GimbalCommand(NamedTuple):
    """Angles in rad and rates in rad/s."""

    azimuth_rad: float
    elevation_rad: float
    azimuth_rate: float
    elevation_rate: float


def encode_gimbal_command(command: GimbalCommand) -> bytes:
    """A gimbal's set-point."""
    return _rows(command, _F8, 4)


def decode_gimbal_command(octets: bytes) -> GimbalCommand:
    """A gimbal's set-point, finite."""
    return GimbalCommand(*_finite("gimbal command", _one("gimbal command", octets, _F8, 4)).tolist())


def encode_gimbal_samples(angles: ArrayLike) -> bytes:
    """Encoder readings, (n, 2): azimuth and elevation in rad."""
    return _rows(angles, _F8, 2)


def decode_gimbal_samples(octets: bytes) -> list[Angles]:
    """Encoder readings, oldest first."""
    return [Angles(*row) for row in _table("gimbal angles", octets, _F8, 2).tolist()]


def encode_camera_enable(on: bool) -> bytes:
    """Start or stop exposing."""
    return bytes([on])


def decode_camera_enable(octets: bytes) -> bool:
    """Whether to expose."""
    return _switches("camera enable", octets, 1)[0]


def encode_image(image: Image) -> bytes:
    """An image, whole: `hil.parts` cuts it into messages. Raises MessageError for one of more than 65535 on a side."""
    rows, columns = image.pixels.shape
    if max(rows, columns) > 0xFFFF:
        raise _wrong(ErrorCode.OUT_OF_RANGE, "image", "at most 65535 rows and columns", f"{rows} x {columns}")
    return _IMAGE_HEAD.pack(rows, columns, image.time_s) + image.pixels.astype(_F4).tobytes()


def decode_image(octets: bytes) -> Image:
    """An image from all its parts."""
    if len(octets) < _IMAGE_HEAD.size:
        raise _wrong(ErrorCode.BAD_LENGTH, "image", f"at least {_IMAGE_HEAD.size} octets", len(octets))
    rows, columns, time_s = _IMAGE_HEAD.unpack_from(octets)
    expected = _IMAGE_HEAD.size + rows * columns * _F4.itemsize
    if len(octets) != expected:
        raise _wrong(ErrorCode.BAD_LENGTH, f"image of {rows} x {columns}", f"{expected} octets", len(octets))
    pixels = np.frombuffer(octets, _F4, offset=_IMAGE_HEAD.size).reshape(rows, columns)
    return Image(pixels.astype(np.float32), time_s)


def encode_laser_command(signal: bool, beacon: bool) -> bytes:
    """Both beams, on or off."""
    return bytes([signal, beacon])


def decode_laser_command(octets: bytes) -> tuple[bool, bool]:
    """Signal and beacon, on or off."""
    signal, beacon = _switches("laser command", octets, 2)
    return signal, beacon


def encode_point_ahead(x_rad: float, y_rad: float) -> bytes:
    """A point-ahead angle."""
    return _rows((x_rad, y_rad), _F4, 2)


def decode_point_ahead(octets: bytes) -> tuple[float, float]:
    """A point-ahead angle in rad, finite."""
    x, y = _finite("point-ahead angle", _one("point-ahead angle", octets, _F4, 2)).tolist()
    return x, y


def encode_configure(parameters: NDArray[np.void]) -> bytes:
    """The fine loop's DATA that loads a record of `fine_loop.PARAMETERS`."""
    return bytes([FineLoopCommand.CONFIGURE]) + np.asarray(parameters, PARAMETERS).astype(_WIRE_PARAMETERS).tobytes()


def encode_follow(trajectory: ArrayLike) -> bytes:
    """The fine loop's DATA that steers along a trajectory, (samples per frame, 2) in rad."""
    return bytes([FineLoopCommand.FOLLOW]) + _rows(trajectory, _F8, 2)


def encode_hold(x_rad: float, y_rad: float) -> bytes:
    """The fine loop's DATA that steers to one angle."""
    return bytes([FineLoopCommand.HOLD]) + _rows((x_rad, y_rad), _F8, 2)


def encode_close() -> bytes:
    """The fine loop's DATA that closes the loop."""
    return bytes([FineLoopCommand.CLOSE])


def decode_fine_loop(octets: bytes) -> tuple[FineLoopCommand, NDArray[np.void] | NDArray[np.float64]]:
    """The fine loop's DATA: the command and what belongs to it.

    That is a record of PARAMETERS of shape () for CONFIGURE, float64 (n, 2) in rad for FOLLOW, float64 (2,) in rad for
    HOLD and (0,) for CLOSE. All numbers are finite, and counts within the arrays that they count in.
    """
    if not octets:
        raise _wrong(ErrorCode.BAD_LENGTH, "fine loop command", "at least 1 octet", 0)
    payload = octets[1:]
    if octets[0] == FineLoopCommand.CONFIGURE:
        return FineLoopCommand.CONFIGURE, _parameters(payload)
    if octets[0] == FineLoopCommand.FOLLOW:
        return FineLoopCommand.FOLLOW, _finite("trajectory", _table("trajectory", payload, _F8, 2).astype(np.float64))
    if octets[0] == FineLoopCommand.HOLD:
        return FineLoopCommand.HOLD, _finite("held angle", _one("held angle", payload, _F8, 2).astype(np.float64))
    if octets[0] == FineLoopCommand.CLOSE:
        if payload:
            raise _wrong(ErrorCode.BAD_LENGTH, "close", "no octets", len(payload))
        return FineLoopCommand.CLOSE, np.empty(0)
    expected = ", ".join(f"{command:d} {command.name}" for command in FineLoopCommand)
    raise _wrong(ErrorCode.OUT_OF_RANGE, "fine loop command", f"one of {expected}", octets[0])


def encode_block(block: NDArray[np.void]) -> bytes:
    """Samples of the fine loop, records of `hal.SAMPLE` (n,)."""
    return block.astype(_WIRE_SAMPLE).tobytes()


def decode_block(octets: bytes) -> NDArray[np.void]:
    """Samples of the fine loop, records of `hal.SAMPLE` (n,)."""
    if len(octets) % SAMPLE.itemsize:
        raise _wrong(ErrorCode.BAD_LENGTH, "block", f"a multiple of {SAMPLE.itemsize} octets", len(octets))
    return np.frombuffer(octets, _WIRE_SAMPLE).astype(SAMPLE)


def encode_quad_stimulus(rows: ArrayLike) -> bytes:
    """What a quad cell sees, (n, 4): line of sight x, y behind the mirror (rad), light and background on it (W)."""
    return _rows(rows, _F8, 4)


def decode_quad_stimulus(octets: bytes) -> NDArray[np.float64]:
    """What a quad cell sees, float64 (n, 4), finite."""
    return _finite("quad cell stimulus", _table("quad cell stimulus", octets, _F8, 4).astype(np.float64))


def encode_fine_loop_stimulus(rows: ArrayLike) -> bytes:
    """What a fine loop sees, (n, 4): line of sight x, y before the mirror (rad), light, background on the cell (W)."""
    return _rows(rows, _F8, 4)


def decode_fine_loop_stimulus(octets: bytes) -> NDArray[np.float64]:
    """What a fine loop sees, float64 (n, 4), finite."""
    return _finite("fine loop stimulus", _table("fine loop stimulus", octets, _F8, 4).astype(np.float64))


def encode_gimbal_stimulus(samples: int) -> bytes:
    """How many samples a gimbal has to move on, 1 to MOST_SAMPLES; MessageError for another number."""
    return _SAMPLES.pack(_within_a_second(samples))


def decode_gimbal_stimulus(octets: bytes) -> int:
    """How many samples to move on, 1 to MOST_SAMPLES."""
    if len(octets) != _SAMPLES.size:
        raise _wrong(ErrorCode.BAD_LENGTH, "gimbal stimulus", f"{_SAMPLES.size} octets", len(octets))
    return _within_a_second(_SAMPLES.unpack(octets)[0])


class Exposure(NamedTuple):
    """What a camera sees in one exposure, as `sim.camera.Camera.render` takes it.

    time_s: the exposure's middle; light_w: of the partner, summed over the exposure's samples; x_rad, y_rad: where, in
    the field; background_w: on each pixel within a disc of which the rest is centre and radius in rad. A radius of
    infinity is even background.
    """

    time_s: float
    light_w: float
    x_rad: float
    y_rad: float
    background_w: float
    disc_x_rad: float
    disc_y_rad: float
    disc_radius_rad: float


def encode_exposure(exposure: Exposure) -> bytes:
    """What a camera sees."""
    return _rows(exposure, _F8, 8)


def decode_exposure(octets: bytes) -> Exposure:
    """What a camera sees: finite numbers, but the radius, which is not negative and may be infinite."""
    values = _one("exposure", octets, _F8, 8)
    _finite("exposure", values[:-1])
    exposure = Exposure(*values.tolist())
    if not exposure.disc_radius_rad >= 0.0:
        raise _wrong(ErrorCode.OUT_OF_RANGE, "disc radius", "0 to infinity", exposure.disc_radius_rad)
    return exposure


def _within_a_second(samples: int) -> int:
    if not 1 <= samples <= MOST_SAMPLES:
        raise _wrong(ErrorCode.OUT_OF_RANGE, "samples to move on", f"1 to {MOST_SAMPLES}", samples)
    return samples


def _parameters(payload: bytes) -> NDArray[np.void]:
    if len(payload) != PARAMETERS.itemsize:
        raise _wrong(ErrorCode.BAD_LENGTH, "parameters", f"{PARAMETERS.itemsize} octets", len(payload))
    parameters = np.frombuffer(payload, _WIRE_PARAMETERS).astype(PARAMETERS).reshape(())
    for name, (least, most) in _COUNTS.items():
        if not least <= parameters[name] <= most:
            raise _wrong(ErrorCode.OUT_OF_RANGE, f"parameter {name}", f"{least} to {most}", parameters[name])
    for name in PARAMETERS.names or ():
        _finite(f"parameter {name}", parameters[name])
    return parameters


def _rows(values: ArrayLike, dtype: np.dtype[np.floating], columns: int) -> bytes:
    array = np.asarray(values, dtype)
    if array.ndim not in (1, 2) or array.shape[-1] != columns:
        raise _wrong(ErrorCode.BAD_LENGTH, "values", f"shape (n, {columns})", array.shape)
    return array.tobytes()


def _table(what: str, octets: bytes, dtype: np.dtype[np.floating], columns: int) -> NDArray[np.floating]:
    row = columns * dtype.itemsize
    if len(octets) % row:
        raise _wrong(ErrorCode.BAD_LENGTH, what, f"a multiple of {row} octets", len(octets))
    return np.frombuffer(octets, dtype).reshape(-1, columns)


def _one(what: str, octets: bytes, dtype: np.dtype[np.floating], columns: int) -> NDArray[np.floating]:
    if len(octets) != columns * dtype.itemsize:
        raise _wrong(ErrorCode.BAD_LENGTH, what, f"{columns * dtype.itemsize} octets", len(octets))
    return np.frombuffer(octets, dtype)


def _finite(what: str, values: NDArray[Scalar]) -> NDArray[Scalar]:
    if not np.isfinite(values).all():
        raise _wrong(ErrorCode.OUT_OF_RANGE, what, "finite numbers", values[~np.isfinite(values)].ravel()[0])
    return values


def _switches(what: str, octets: bytes, n: int) -> list[bool]:
    if len(octets) != n:
        raise _wrong(ErrorCode.BAD_LENGTH, what, f"{n} octets", len(octets))
    if max(octets) > 1:
        raise _wrong(ErrorCode.OUT_OF_RANGE, what, "0 or 1", max(octets))
    return [octet == 1 for octet in octets]


def _wrong(code: ErrorCode, what: str, expected: str, found: object) -> MessageError:
    return MessageError(code, f"{what}: expected {expected}, found {found}")
