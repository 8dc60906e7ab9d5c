"""A terminal's device as a scenario describes it, emulated."""

import hashlib
from dataclasses import dataclass
from threading import Event

import numpy as np

from flightsw.errors import ConfigError
from hil.device_side import Device
from hil.emulators.actuators import GimbalEmulator, LaserEmulator, MirrorEmulator, PointAheadEmulator
from hil.emulators.emulator import Emulator
from hil.emulators.fine_loop import FineLoopEmulator
from hil.emulators.sensors import CameraEmulator, QuadCellEmulator
from hil.protocol import UNIQUE_ID_OCTETS, Capability, Kind
from hil.scenario import Scenario
from hil.transports import Transport


@dataclass(frozen=True, slots=True)
class Emulated:
    """An emulated device, on no line yet.

    name: of terminal and kind, for people; unique_id: made of it.
    """

    kind: Kind
    name: str
    handler: Emulator
    unique_id: bytes

    @property
    def capabilities(self) -> Capability:
        """What HELLO tells of it."""
        return self.handler.capabilities

    def device(self, transport: Transport) -> Device:
        """The device at the end of a line."""
        return Device(
            self.kind, transport, self.handler, unique_id=self.unique_id, capabilities=self.handler.capabilities
        )

    def serve(self, transport: Transport, stop: Event) -> None:
        """Answer a host until `stop` is set or it is gone."""
        self.device(transport).serve(stop)


def emulated(kind: Kind, scenario: Scenario, terminal: str, seed: int) -> Emulated:
    """The device of that kind of a terminal.

    Its noise depends on seed, kind and terminal alone. Raises ConfigError for a terminal that the scenario does not
    have, or the encoder, which is no simulated device.
    """
    names = list(scenario.terminals)
    if terminal not in names:
        raise ConfigError(f"{scenario.name}: expected terminal {' or '.join(names)}, found {terminal}")
    (other,) = (scenario.terminals[name] for name in names if name != terminal)
    name = f"{terminal}-{kind.label}"
    unique_id = hashlib.sha256(name.encode()).digest()[:UNIQUE_ID_OCTETS]
    entropy = np.random.SeedSequence([seed, int.from_bytes(unique_id, "big")])
    rng = np.random.Generator(np.random.SFC64(entropy))
    has = scenario.terminals[terminal].hardware
    rate = scenario.sample_rate_hz
    wavelength_m = other.hardware.laser.wavelength_nm * 1e-9
    handler: Emulator
    match kind:
        case Kind.STEERING_MIRROR:
            handler = MirrorEmulator(has.mirror, rate)
        case Kind.QUAD_CELL:
            handler = QuadCellEmulator(has.quad_cell, rate, wavelength_m, rng)
        case Kind.GIMBAL:
            handler = GimbalEmulator(has.gimbal, rate)
        case Kind.CAMERA:
            handler = CameraEmulator(has.camera, rate, wavelength_m, rng)
        case Kind.LASER:
            handler = LaserEmulator()
        case Kind.POINT_AHEAD:
            handler = PointAheadEmulator()
        case Kind.FINE_LOOP:
            handler = FineLoopEmulator(has.mirror, has.quad_cell, rate, wavelength_m, rng)
        case Kind.ENCODER:
            raise ConfigError(f"{name}: expected a simulated device, found the encoder: its RTL is emulated instead")
    return Emulated(kind, name, handler, unique_id)
