"""The dictionary: every telemetry packet, declared once, with unit and meaning; layouts and documents follow."""

from dataclasses import dataclass
from functools import cached_property

import construct
import numpy as np
from numpy.typing import NDArray

from flightsw.errors import FrameError
from flightsw.pat.modes import Mode, Role

_CONSTRUCTS = {"u1": construct.Int8ub, "u2": construct.Int16ub, "u4": construct.Int32ub, "f4": construct.Float32b}


@dataclass(frozen=True, slots=True)
class Item:
    """One value of a packet: name, NumPy type without byte order, unit, what it means, names of its states."""

    name: str
    kind: str
    unit: str
    meaning: str
    states: tuple[str, ...] = ()


@dataclass(frozen=True)
class PacketKind:
    """One kind of packet: `repeat` groups of its items follow each other, or one group."""

    name: str
    apid: int
    meaning: str
    items: tuple[Item, ...]
    repeat: int = 1

    @cached_property
    def dtype(self) -> np.dtype[np.void]:
        """Layout of one group on the wire: big-endian, packed."""
        return np.dtype([(item.name, ">" + item.kind) for item in self.items])

    @cached_property
    def layout(self) -> construct.Construct:
        """The same layout for construct."""
        group = construct.Struct(*(item.name / _CONSTRUCTS[item.kind] for item in self.items))
        return group if self.repeat == 1 else construct.GreedyRange(group)

    def decode(self, data: bytes) -> NDArray[np.void]:
        """User data of one packet as records of `dtype`, (groups,). Raises FrameError for a wrong length."""
        if not data or len(data) % self.dtype.itemsize:
            raise FrameError(
                f"{self.name} packet", expected=f"a multiple of {self.dtype.itemsize} octets", found=len(data)
            )
        return np.frombuffer(data, self.dtype)


_MODES = tuple(mode.name for mode in Mode)
_ROLES = tuple(role.name for role in Role)

HOUSEKEEPING = PacketKind(
    "housekeeping",
    apid=1,
    meaning="State of the terminal, ten times a second",
    items=(
        Item("mode", "u1", "", "mode of the terminal", _MODES),
        Item("role", "u1", "", "part in the search", _ROLES),
        Item("scans", "u2", "", "scans begun since the start"),
        Item("tones", "u1", "", "disturbance tones that the fine loop models"),
        Item("lit", "f4", "", "share of the last frame's samples with light on the quad cell"),
        Item("gimbal_azimuth", "f4", "rad", "gimbal encoder, azimuth"),
        Item("gimbal_elevation", "f4", "rad", "gimbal encoder, elevation"),
        Item("bias_x", "f4", "rad", "learnt pointing bias, cross-elevation"),
        Item("bias_y", "f4", "rad", "learnt pointing bias, elevation"),
        Item("mirror_x", "f4", "rad", "mean mirror command of the last frame, cross-elevation"),
        Item("mirror_y", "f4", "rad", "mean mirror command of the last frame, elevation"),
        Item("error_rms_x", "f4", "rad", "rms of the quad cell's error in the last frame, cross-elevation"),
        Item("error_rms_y", "f4", "rad", "rms of the quad cell's error in the last frame, elevation"),
        Item("quad_power_w", "f4", "W", "mean light on the quad cell in the last frame"),
        Item("spot_x", "f4", "rad", "last believed spot on the camera, cross-elevation"),
        Item("spot_y", "f4", "rad", "last believed spot on the camera, elevation"),
        Item("spot_snr", "f4", "", "peak of that spot over the noise"),
        Item("range_m", "f4", "m", "expected range of the partner"),
        Item("point_ahead_x", "f4", "rad", "point-ahead angle, cross-elevation"),
        Item("point_ahead_y", "f4", "rad", "point-ahead angle, elevation"),
    ),
)

FINE_SAMPLES = PacketKind(
    "fine_samples",
    apid=2,
    meaning="Samples of the fine loop, a tenth of a second in each packet",
    items=(
        Item("error_x", "f4", "rad", "error on the quad cell, cross-elevation"),
        Item("error_y", "f4", "rad", "error on the quad cell, elevation"),
        Item("mirror_x", "f4", "rad", "mirror command, cross-elevation"),
        Item("mirror_y", "f4", "rad", "mirror command, elevation"),
        Item("power_w", "f4", "W", "light on the quad cell"),
    ),
    repeat=0,
)

EVENT = PacketKind(
    "event",
    apid=3,
    meaning="An event; its name and text follow as UTF-8 with a colon between them",
    items=(Item("severity", "u1", "", "", ("", "INFO", "LOW", "MEDIUM", "HIGH")),),
)

PACKETS = (HOUSEKEEPING, FINE_SAMPLES, EVENT)
