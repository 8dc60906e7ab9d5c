"""Emulated actuators: steering mirror, gimbal, laser and point-ahead mirror."""

import numpy as np
from numpy.typing import NDArray

from hil.bodies import (
    Register,
    decode_gimbal_command,
    decode_gimbal_stimulus,
    decode_laser_command,
    decode_mirror_set_points,
    decode_point_ahead,
    encode_gimbal_samples,
    encode_mirror_angles,
)
from hil.emulators.emulator import Emulator
from hil.emulators.kernels import move_gimbal, move_mirror
from hil.protocol import Capability
from sim.gimbal import GimbalModel, new_gimbal
from sim.mirror import MirrorModel, new_mirror


class MirrorEmulator(Emulator):
    """A steering mirror that moves one sample on for each set-point.

    Attributes:
        mirror: record of `sim.mirror.MIRROR`, shape (1,).
    """

    def __init__(self, model: MirrorModel, sample_rate_hz: int) -> None:
        limit_nrad = round(model.range_urad * 1e3)
        super().__init__({Register.SAMPLE_RATE_HZ: sample_rate_hz, Register.LIMIT_NRAD: limit_nrad})
        self.mirror = new_mirror(model, sample_rate_hz).reshape(1)
        self._follow(np.empty((0, 2), np.float32))  # compiles

    @property
    def beyond(self) -> int:
        """Set-points, of either axis, that lay beyond the range and were clamped to it."""
        return int(self.mirror["beyond"][0])

    @property
    def faulty(self) -> bool:
        """Whether the mirror is stuck."""
        return bool(self.mirror["stuck"][0])

    def command(self, octets: bytes) -> None:
        """Follow set-points, and measure the angle after each."""
        self.send(encode_mirror_angles(self._follow(decode_mirror_set_points(octets))))

    def _follow(self, set_points: NDArray[np.float32]) -> NDArray[np.float32]:
        angles = np.empty_like(set_points)
        move_mirror(self.mirror, set_points, angles)
        return angles


class GimbalEmulator(Emulator):
    """A gimbal that moves on by as many samples as it is told.

    Attributes:
        gimbal: record of `sim.gimbal.GIMBAL`, shape (1,).
    """

    def __init__(self, model: GimbalModel, sample_rate_hz: int) -> None:
        super().__init__({Register.SAMPLE_RATE_HZ: sample_rate_hz})
        self.gimbal = new_gimbal(model, sample_rate_hz).reshape(1)
        move_gimbal(self.gimbal, 0)  # compiles

    def command(self, octets: bytes) -> None:
        """Point at angles, moving at rates, from now on."""
        command = decode_gimbal_command(octets)
        self.gimbal["command"][0] = command[:2]
        self.gimbal["command_rate"][0] = command[2:]

    def stimulus(self, octets: bytes) -> None:
        """Move on, and read the encoders at the end."""
        move_gimbal(self.gimbal, decode_gimbal_stimulus(octets))
        self.send(encode_gimbal_samples(self.gimbal["reading"]))


class LaserEmulator(Emulator):
    """Signal and beacon laser.

    Attributes:
        signal, beacon: whether each is on.
    """

    capabilities = Capability.STIMULUS

    def __init__(self) -> None:
        super().__init__({Register.SAMPLE_RATE_HZ: 0})
        self.streaming = False
        self.signal = self.beacon = False

    def command(self, octets: bytes) -> None:
        """Switch both."""
        self.signal, self.beacon = decode_laser_command(octets)


class PointAheadEmulator(Emulator):
    """Point-ahead mirror.

    Attributes:
        angle: x and y in rad.
    """

    capabilities = Capability.STIMULUS

    def __init__(self) -> None:
        super().__init__({Register.SAMPLE_RATE_HZ: 0})
        self.streaming = False
        self.angle = (0.0, 0.0)

    def command(self, octets: bytes) -> None:
        """Lead the received beam by an angle."""
        self.angle = decode_point_ahead(octets)
