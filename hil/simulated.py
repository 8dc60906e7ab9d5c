"""Simulated devices: the protocols of `flightsw.hal` over the records that the lockstep kernel steps."""

import math
from collections import deque
from collections.abc import Set
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flightsw.hal import FRAME_RATE_HZ, LASER_HOLD_FRAMES, Angles, Devices, Image
from flightsw.pat import fine_loop
from hil.bodies import Exposure
from sim.camera import Camera
from sim.sky import Sky

#: A disc that the whole image is within.
_EVEN = (0.0, 0.0, math.inf)
_NO_ANGLES = Angles(math.nan, math.nan)


@dataclass(slots=True)
class Clock:
    """The time that all simulated devices share, at a frame's boundary; `slot` counts the frames of a second."""

    now_s: float = 0.0
    slot: int = 0


class SimulatedGimbal:
    """`hal.Gimbal` over a record of `sim.gimbal.GIMBAL`."""

    def __init__(self, record: NDArray[np.void]) -> None:
        self._command = record["command"]
        self._command_rate = record["command_rate"]
        self._reading = record["reading"]
        self._rate = record["rate"]
        self._measured = record["measured"].reshape(1)
        self.blind = False

    def stick(self, stuck: bool) -> None:
        """Stay where it is, or move again."""
        if stuck:
            self._rate[:] = 0.0
        # of a gimbal that is measured the model leaves the rate alone
        self._measured[0] = stuck

    def command(self, azimuth_rad: float, elevation_rad: float, azimuth_rate: float, elevation_rate: float) -> None:
        """Point at these angles, moving at these rates."""
        self._command[0] = azimuth_rad
        self._command[1] = elevation_rad
        self._command_rate[0] = azimuth_rate
        self._command_rate[1] = elevation_rate

    def angles(self) -> Angles:
        """Encoder reading."""
        if self.blind:
            return _NO_ANGLES
        azimuth, elevation = self._reading.tolist()
        return Angles(azimuth, elevation)


class SimulatedCamera:
    """`hal.Camera` over a record of `sim.camera.EXPOSURE`: an image is there when its readout is over."""

    def __init__(self, record: NDArray[np.void], camera: Camera, sky: Sky, clock: Clock, step_s: float) -> None:
        self._record = record
        self._on = record["on"].reshape(1)
        self._ready = record["ready"].reshape(1)
        self._camera = camera
        self._sky = sky
        self._clock = clock
        self._step_s = step_s
        self._pending: deque[tuple[float, float, float, float, float]] = deque()
        self._exposing = False
        self.truth = (0.0, 0.0, 0.0)  # light and position of the spot on the last image
        self.dead = False

    def enable(self, on: bool) -> None:
        """Start or stop exposing; what was not read out is gone."""
        if self._exposing != on:
            self._exposing = on
            record = self._record
            for name in ("clock", "light", "light_x", "light_y", "ready"):
                record[name] = 0
            self._on[0] = on
            self._pending.clear()

    def image(self) -> Image | None:
        """The image whose readout ended in the last frame."""
        e = self.exposure()
        if e is None or self.dead:
            return None
        sun = e.disc_x_rad, e.disc_y_rad, e.disc_radius_rad
        return Image(self._camera.render(e.light_w, e.x_rad, e.y_rad, e.background_w, sun), e.time_s)

    def dark_images(self, count: int) -> NDArray[np.float32]:
        """Images without light, (count, rows, columns), for the calibration before the run."""
        return np.stack([self._camera.render(0.0, 0.0, 0.0, 0.0, None) for _ in range(count)])

    def exposure(self) -> Exposure | None:
        """What the image whose readout ended in the last frame was exposed to."""
        now = self._clock.now_s
        if self._ready[0]:
            r = self._record
            middle_s = now - float(r["age"]) * self._step_s
            end_s = middle_s + 0.5 * float(r["open"]) * self._step_s
            exposure = float(r["ready_light"]), float(r["ready_x"]), float(r["ready_y"])
            self._pending.append((end_s + self._camera.readout_s, middle_s, *exposure))
            self._ready[0] = 0
        if not self._pending or self._pending[0][0] > now + 1e-9:
            return None
        _, middle_s, light, x, y = self._pending.popleft()
        self.truth = (light, x, y)
        background_w, sun = self._sky.on_camera(middle_s)
        return Exposure(middle_s, light, x, y, background_w, *(sun or _EVEN))


class SimulatedLaser:
    """`hal.Laser` over a record of `sim.optics.OPTICS`."""

    def __init__(self, record: NDArray[np.void]) -> None:
        self._signal = record["signal_on"].reshape(1)
        self._beacon = record["beacon_on"].reshape(1)
        self._shines = (False, False)
        self._left = 0
        self.failed = self.stuck = False

    def emit(self, signal: bool, beacon: bool) -> None:
        """Switch the two beams."""
        self._left = LASER_HOLD_FRAMES
        if self.failed:
            signal = beacon = False
        if (signal, beacon) != self._shines and not self.stuck:
            self._shines = signal, beacon
            self._signal[0], self._beacon[0] = self._shines

    def emits(self) -> bool:
        """Whether either beam is on."""
        return True in self._shines

    def step(self) -> None:
        """A frame passes: dark, if it was the last one that the command was good for."""
        self._left -= 1
        if self._left < 0 and self.emits():
            self.emit(False, False)


class SimulatedPointAhead:
    """`hal.PointAhead` over a record of `sim.optics.OPTICS`."""

    def __init__(self, record: NDArray[np.void]) -> None:
        self._record = record["point_ahead"]
        self._lead = (0.0, 0.0)
        self.stuck = False

    def command(self, x_rad: float, y_rad: float) -> None:
        """Lead the received beam by this angle."""
        if not self.stuck:
            self._lead = x_rad, y_rad
            self._record[0] = x_rad
            self._record[1] = y_rad

    def lead(self) -> tuple[float, float]:
        """Where it stands."""
        return self._lead


class SimulatedFineLoop:
    """`hal.FineLoop` over the records of the compiled controller; the kernel runs it."""

    def __init__(
        self,
        parameters: NDArray[np.void],
        state: NDArray[np.void],
        set_points: NDArray[np.float64],
        blocks: list[NDArray[np.void]],
        clock: Clock,
    ) -> None:
        self._parameters = parameters
        self._state = state
        self._closed = state["closed"].reshape(1)
        self._set_points = set_points
        self._blocks = blocks
        self._clock = clock
        self._held: tuple[float, float] | None = None

    @property
    def sample_rate_hz(self) -> float:
        """Samples per second."""
        return float(len(self._set_points) * FRAME_RATE_HZ)

    def configure(self, parameters: NDArray[np.void]) -> None:
        """Load control parameters."""
        fine_loop.load(self._parameters, self._state, parameters)

    def follow(self, trajectory: NDArray[np.float64]) -> None:
        """Steer the mirror along a trajectory."""
        self._set_points[:] = trajectory
        self._held = None
        self._closed[0] = 0

    def hold(self, x_rad: float, y_rad: float) -> None:
        """Steer the mirror to one angle."""
        if self._held != (x_rad, y_rad):
            self._held = (x_rad, y_rad)
            self._set_points[:] = self._held
        self._closed[0] = 0

    def close(self) -> None:
        """Close the loop on the quad cell."""
        self._closed[0] = 1

    def block(self) -> NDArray[np.void]:
        """Samples of the last frame."""
        return self._blocks[self._clock.slot]


@dataclass(frozen=True, slots=True)
class SimulatedDevices(Devices):
    """The devices of a terminal, all simulated, with the access that faults need."""

    camera: SimulatedCamera
    laser: SimulatedLaser
    point_ahead: SimulatedPointAhead

    def fail(self, faults: Set[str]) -> None:
        """Let these faults of a scenario's timeline be in force, and no others; an attached gimbal has none."""
        self.camera.dead = "camera_dead" in faults
        self.laser.failed = "laser_off" in faults
        self.laser.stuck = "laser_stuck" in faults
        self.point_ahead.stuck = "point_ahead_stuck" in faults
        if isinstance(self.gimbal, SimulatedGimbal):
            self.gimbal.stick("gimbal_stuck" in faults)
            self.gimbal.blind = "gimbal_encoder_dead" in faults
