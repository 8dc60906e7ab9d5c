"""The devices that a terminal commands once a frame: gimbal, camera, laser, point-ahead mirror."""

import math

import numpy as np
from numpy.typing import NDArray

from flightsw.hal import FRAME_S, Angles, Image
from hil.bodies import (
    Exposure,
    GimbalCommand,
    decode_gimbal_samples,
    decode_image,
    encode_camera_enable,
    encode_exposure,
    encode_gimbal_command,
    encode_gimbal_stimulus,
    encode_laser_command,
    encode_point_ahead,
)
from hil.drivers.attachment import Attachment
from hil.parts import Joiner
from hil.simulated import Clock, SimulatedCamera, SimulatedLaser, SimulatedPointAhead
from sim.camera import Camera
from sim.sky import Sky

_NO_LIGHT = Exposure(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, math.inf)


class GimbalDriver:
    """`hal.Gimbal` over a link. The world's gimbal, a record of `sim.gimbal.GIMBAL`, goes where the encoder says."""

    def __init__(self, attachment: Attachment, record: NDArray[np.void], samples_per_frame: int) -> None:
        self.attachment = attachment
        self._record = record
        self._samples = samples_per_frame
        self._command: GimbalCommand | None = None
        self._reading = Angles(*record["reading"].tolist())
        record["measured"] = 1
        self._record["rate"] = 0.0

    def command(self, azimuth_rad: float, elevation_rad: float, azimuth_rate: float, elevation_rate: float) -> None:
        """Point at these angles, moving at these rates."""
        octets = encode_gimbal_command(GimbalCommand(azimuth_rad, elevation_rad, azimuth_rate, elevation_rate))
        self.attachment.ask(lambda: self.attachment.link.send(octets))

    def angles(self) -> Angles:
        """Encoder reading."""
        return self._reading

    def move(self) -> None:
        """Begin a frame: in its course the world's gimbal moves from the last reading to the newest."""
        link = self.attachment.link
        link.samples.clear()
        if self.attachment.shown:
            self.attachment.ask(lambda: link.stimulate(encode_gimbal_stimulus(self._samples)))
        else:
            self.attachment.ask(link.poll)
        before = self._reading
        if link.samples:
            octets = link.samples.pop().samples.octets
            readings = self.attachment.decode(decode_gimbal_samples, octets)
            if readings and all(map(math.isfinite, readings[-1])):
                self._reading = readings[-1]
        self._record["angle"] = before
        self._record["rate"] = (np.array(self._reading) - np.array(before)) / FRAME_S


class CameraDriver(SimulatedCamera):
    """`hal.Camera` over a link: the world exposes, and the device makes the image of it, or sends its own."""

    def __init__(
        self,
        attachment: Attachment,
        record: NDArray[np.void],
        camera: Camera,
        sky: Sky,
        clock: Clock,
        step_s: float,
        pixels: int,
    ) -> None:
        """`camera` is the simulated one, for the time that its readout takes; `pixels` on a side are expected."""
        super().__init__(record, camera, sky, clock, step_s)
        self.attachment = attachment
        self._pixels = pixels
        self._wanted = self._enabled = False
        self._joiner = Joiner()

    def enable(self, on: bool) -> None:
        """Start or stop exposing."""
        super().enable(on)
        self._wanted = on
        self.look_after()

    def look_after(self) -> None:
        """Tell the device again what it did not take."""
        if self._enabled != self._wanted:
            octets = encode_camera_enable(self._wanted)
            if self.attachment.ask(lambda: self.attachment.link.send(octets)) is not None:
                self._enabled = self._wanted

    def tell_all(self) -> None:
        """A device that is back knows nothing of before."""
        self._enabled = False
        self.look_after()

    def image(self) -> Image | None:
        """The image whose readout ended in the last frame."""
        if self.attachment.shown:
            exposure = self.exposure()
            return None if exposure is None else self._show(exposure)
        self.attachment.ask(self.attachment.link.poll)
        return self._newest()

    def dark_images(self, count: int) -> NDArray[np.float32]:
        """Images without light of an emulated camera; of a real one, which has no lid, images without hot pixels."""
        dark = np.zeros((count, self._pixels, self._pixels), np.float32)
        if self.attachment.shown:
            self.enable(True)
            for pixels in dark:
                image = self._show(_NO_LIGHT)
                if image is not None:
                    pixels[:] = image.pixels
            self.enable(False)
        return dark

    def _show(self, exposure: Exposure) -> Image | None:
        octets = encode_exposure(exposure)
        self.attachment.ask(lambda: self.attachment.link.stimulate(octets))
        return self._newest()

    def _newest(self) -> Image | None:
        """The last image that is whole with what has come."""
        newest = None
        samples = self.attachment.link.samples
        while samples:
            sequence, flags, octets = samples.popleft().samples
            whole = self._joiner.push(flags, octets, sequence)
            image = None if whole is None else self.attachment.decode(decode_image, whole)
            if image is not None and image.pixels.shape == (self._pixels, self._pixels):
                newest = image
        return newest


class LaserDriver(SimulatedLaser):
    """`hal.Laser` over a link. In the world it shines once the device has taken the command."""

    def __init__(self, attachment: Attachment, record: NDArray[np.void]) -> None:
        super().__init__(record)
        self.attachment = attachment
        self._wanted = (False, False)
        self._taken: tuple[bool, bool] | None = None

    def emit(self, signal: bool, beacon: bool) -> None:
        """Switch the two beams."""
        self._wanted = (signal, beacon)
        self.look_after()
        if self._taken is not None:
            super().emit(*self._taken)

    def look_after(self) -> None:
        """Tell the device again what it did not take."""
        if self._taken != self._wanted:
            octets = encode_laser_command(*self._wanted)
            if self.attachment.ask(lambda: self.attachment.link.send(octets)) is not None:
                self._taken = self._wanted

    def tell_all(self) -> None:
        """A device that is back knows nothing of before."""
        self._taken = None
        self.look_after()


class PointAheadDriver(SimulatedPointAhead):
    """`hal.PointAhead` over a link. In the world the mirror stands where the device was last told to be."""

    def __init__(self, attachment: Attachment, record: NDArray[np.void]) -> None:
        super().__init__(record)
        self.attachment = attachment

    def command(self, x_rad: float, y_rad: float) -> None:
        """Lead the received beam by this angle."""
        octets = encode_point_ahead(x_rad, y_rad)
        if self.attachment.ask(lambda: self.attachment.link.send(octets)) is not None:
            super().command(x_rad, y_rad)
