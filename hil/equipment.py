"""What a terminal is equipped with: each device simulated over the engine's arrays, or attached."""

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from flightsw.hal import FineLoop
from hil.drivers.attachment import Attachment
from hil.drivers.fine_loop import FineLoopDriver
from hil.drivers.pointing import MirrorDriver, QuadCellDriver
from hil.drivers.terminal import CameraDriver, GimbalDriver, LaserDriver, PointAheadDriver
from hil.mixed import BoardLoop, HostLoop, SimulatedTurns, Station
from hil.protocol import Kind
from hil.simulated import (
    Clock,
    SimulatedCamera,
    SimulatedDevices,
    SimulatedFineLoop,
    SimulatedGimbal,
    SimulatedLaser,
    SimulatedPointAhead,
)
from sim.sky import Sky
from sim.terminal import Hardware


class _Told(Protocol):
    """A driver of a device that has to be told things again when it is back."""

    attachment: Attachment

    def tell_all(self) -> None: ...

    def look_after(self) -> None: ...


D = TypeVar("D", bound=_Told)


class Equipment:
    """The devices of one terminal.

    Attributes:
        devices: what the flight software flies.
        turns: what runs the terminal's samples.
        gimbal: the driver of an attached gimbal.
    """

    def __init__(
        self,
        station: Station,
        blocks: Sequence[NDArray[np.void]],
        hardware: Hardware,
        sky: Sky,
        clock: Clock,
        step_s: float,
        attached: Mapping[Kind, Attachment],
    ) -> None:
        """`blocks`: SAMPLE (samples,) of each frame of a second; `attached`: the devices that are not simulated."""
        record = station.hardware[0, ...]
        samples_per_frame = len(blocks[0])
        self._attached = attached
        self._told: list[_Told] = []
        self.gimbal: GimbalDriver | None = None

        gimbal: SimulatedGimbal | GimbalDriver = SimulatedGimbal(record["gimbal"])
        if Kind.GIMBAL in attached:
            gimbal = self.gimbal = GimbalDriver(attached[Kind.GIMBAL], record["gimbal"], samples_per_frame)
        exposed = record["exposure"], hardware.camera, sky, clock, step_s
        camera = SimulatedCamera(*exposed)
        if Kind.CAMERA in attached:
            camera = self._tell(CameraDriver(attached[Kind.CAMERA], *exposed, hardware.model.camera.pixels))
        laser = SimulatedLaser(record["optics"])
        if Kind.LASER in attached:
            laser = self._tell(LaserDriver(attached[Kind.LASER], record["optics"]))
        point_ahead = SimulatedPointAhead(record["optics"])
        if Kind.POINT_AHEAD in attached:
            point_ahead = PointAheadDriver(attached[Kind.POINT_AHEAD], record["optics"])

        loop: FineLoop = SimulatedFineLoop(
            station.parameters[0, ...], station.state[0, ...], station.set_points, list(blocks), clock
        )
        self.turns: SimulatedTurns | BoardLoop | HostLoop
        if Kind.FINE_LOOP in attached:
            loop = board = self._tell(FineLoopDriver(attached[Kind.FINE_LOOP], list(blocks), clock))
            self.turns = BoardLoop(station, step_s, samples_per_frame, board)
        elif Kind.QUAD_CELL in attached or Kind.STEERING_MIRROR in attached:
            cell, steering = attached.get(Kind.QUAD_CELL), attached.get(Kind.STEERING_MIRROR)
            self.turns = HostLoop(
                station,
                step_s,
                samples_per_frame,
                None if cell is None else QuadCellDriver(cell),
                None if steering is None else MirrorDriver(steering),
            )
        else:
            self.turns = SimulatedTurns(station, step_s, samples_per_frame)
        self.devices = SimulatedDevices(
            gimbal=gimbal, camera=camera, laser=laser, point_ahead=point_ahead, fine_loop=loop
        )

    def look_after(self, now_s: float) -> None:
        """Once a frame: ask for devices that are lost, and tell those that are back, or did not listen, what holds."""
        back = {id(attachment) for attachment in self._attached.values() if attachment.look_after(now_s)}
        for driver in self._told:
            if id(driver.attachment) in back:
                driver.tell_all()
            elif driver.attachment.in_service:
                driver.look_after()

    def _tell(self, driver: D) -> D:
        self._told.append(driver)
        return driver
