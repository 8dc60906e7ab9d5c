"""The seam between the flight software and its devices: one small protocol per device, SI units, no implementation.

A terminal is flown through these protocols alone, so the world, the Verilated RTL and hardware on a port are equals.
Angles are on the sky, in rad, in the gimbal-fixed frame: x is cross-elevation, y is elevation. Times are seconds since
the scenario epoch. The fine loop is a device of its own: it runs at kilohertz, the flight software at 100 Hz.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

FRAME_RATE_HZ = 100
FRAME_S = 1.0 / FRAME_RATE_HZ
#: A laser goes dark by itself when it has not been commanded for so many frames.
LASER_HOLD_FRAMES = 5

#: One element of a structured array: compiled code reads its fields as attributes, which NumPy's types do not know of.
Record = Any

#: One sample of the fine loop: error seen by the quad cell (rad), commanded mirror angle (rad), light on the cell (W).
SAMPLE = np.dtype([("error_x", "f4"), ("error_y", "f4"), ("mirror_x", "f4"), ("mirror_y", "f4"), ("power_w", "f4")])


class Angles(NamedTuple):
    """Two gimbal angles in rad."""

    azimuth_rad: float
    elevation_rad: float


@dataclass(frozen=True, slots=True)
class Image:
    """One exposure of the acquisition camera.

    pixels: float32 (rows, columns) in electrons, row 0 at the lowest elevation, column 0 at the lowest cross-elevation.
    time_s: the middle of the exposure.
    """

    pixels: NDArray[np.float32]
    time_s: float


class Gimbal(Protocol):
    """Two-axis gimbal that servos itself to the commanded angles and rates."""

    def command(self, azimuth_rad: float, elevation_rad: float, azimuth_rate: float, elevation_rate: float) -> None:
        """Point at these angles (rad), moving at these rates (rad/s), from now on."""

    def angles(self) -> Angles:
        """Encoder reading at the end of the last frame."""


class Camera(Protocol):
    """Acquisition camera, fixed to the gimbal."""

    def enable(self, on: bool) -> None:
        """Start or stop exposing."""

    def image(self) -> Image | None:
        """The image that became ready during the last frame, or None."""


class Laser(Protocol):
    """Signal laser and, where the terminal has one, the beacon. It wants to be commanded in every frame."""

    def emit(self, signal: bool, beacon: bool) -> None:
        """Switch the two beams, for `LASER_HOLD_FRAMES`."""

    def emits(self) -> bool:
        """Whether the monitor diode of either beam sees light."""


class PointAhead(Protocol):
    """Point-ahead mirror in the transmit path alone."""

    def command(self, x_rad: float, y_rad: float) -> None:
        """Lead the received beam by this angle on the sky."""

    def lead(self) -> tuple[float, float]:
        """The angle that its sensor reads, x and y in rad."""


class FineLoop(Protocol):
    """Quad cell and steering mirror with the loop between them.

    The loop runs at its own sample rate. Each 10 ms frame it returns the block of samples that it took.
    """

    @property
    def sample_rate_hz(self) -> float:
        """Samples per second."""

    def configure(self, parameters: NDArray[np.void]) -> None:
        """Load control parameters, a record of `flightsw.pat.fine_loop.PARAMETERS`, and keep the loop's state."""

    def follow(self, trajectory: NDArray[np.float64]) -> None:
        """Open the loop; in the next frame steer along `trajectory`, float64 (samples per frame, 2) in rad."""

    def hold(self, x_rad: float, y_rad: float) -> None:
        """Open the loop; steer the mirror to one angle and stay there."""

    def close(self) -> None:
        """Close the loop on the quad cell, from where the mirror is."""

    def block(self) -> NDArray[np.void]:
        """Samples of the last frame, `SAMPLE` (samples per frame,), oldest first."""


@dataclass(frozen=True, slots=True)
class Devices:
    """The devices of one terminal."""

    gimbal: Gimbal
    camera: Camera
    laser: Laser
    point_ahead: PointAhead
    fine_loop: FineLoop
