"""An emulated board that closes the fine loop itself, by the flight software's own compiled controller."""

import numpy as np
from numpy.typing import NDArray

from flightsw.hal import FRAME_RATE_HZ, SAMPLE
from flightsw.pat import fine_loop
from hil.bodies import FineLoopCommand, Register, decode_fine_loop, decode_fine_loop_stimulus, encode_block
from hil.emulators.emulator import Emulator
from hil.emulators.kernels import run_fine_loop
from hil.protocol import ErrorCode, MessageError
from sim.mirror import MirrorModel, new_mirror
from sim.quad_cell import NOISE_COLUMNS, QuadCellModel, new_quad_cell


class FineLoopEmulator(Emulator):
    """Quad cell, controller and steering mirror; a sample for each row of light that it is shown.

    A trajectory begins with the next sample; where it ends, its last point is held.

    Attributes:
        mirror, cell: records of `sim.mirror.MIRROR` and `sim.quad_cell.QUAD_CELL`, shape (1,).
        parameters, state: of the controller, records of `fine_loop.PARAMETERS` and `fine_loop.STATE`, shape (1,).
    """

    def __init__(
        self,
        mirror: MirrorModel,
        quad_cell: QuadCellModel,
        sample_rate_hz: int,
        wavelength_m: float,
        rng: np.random.Generator,
    ) -> None:
        super().__init__({Register.SAMPLE_RATE_HZ: sample_rate_hz})
        self.mirror = new_mirror(mirror, sample_rate_hz).reshape(1)
        self.cell = new_quad_cell(quad_cell, sample_rate_hz, wavelength_m).reshape(1)
        self.parameters = np.zeros(1, fine_loop.PARAMETERS)
        self.parameters["delay"] = 1
        self.state = fine_loop.new_state().reshape(1)
        self._set_points = np.zeros((sample_rate_hz // FRAME_RATE_HZ, 2))
        self._at = 0
        self._rng = rng
        self._run(np.empty((0, 4)))  # compiles

    @property
    def faulty(self) -> bool:
        """Whether the mirror is stuck or the cell is dead."""
        return bool(self.mirror["stuck"][0]) or bool(self.cell["dead"][0])

    def command(self, octets: bytes) -> None:
        """Load parameters, or say what to follow."""
        command, values = decode_fine_loop(octets)
        if command is FineLoopCommand.CONFIGURE:
            fine_loop.load(self.parameters[0, ...], self.state[0, ...], np.asarray(values, fine_loop.PARAMETERS))
            return
        if command is FineLoopCommand.FOLLOW and len(values) != len(self._set_points):
            raise MessageError(
                ErrorCode.BAD_LENGTH,
                f"trajectory: expected {len(self._set_points)} points, one a sample of a frame, found {len(values)}",
            )
        if command is not FineLoopCommand.CLOSE:
            self._set_points[:] = values
            self._at = 0
        self.state["closed"] = command is FineLoopCommand.CLOSE

    def stimulus(self, octets: bytes) -> None:
        """Run a sample of the loop for each row."""
        self.send(encode_block(self._run(decode_fine_loop_stimulus(octets))))

    def _run(self, seen: NDArray[np.float64]) -> NDArray[np.void]:
        noise = self._rng.standard_normal((len(seen), NOISE_COLUMNS))
        block = np.empty(len(seen), SAMPLE)
        controller = self.parameters, self.state
        run_fine_loop(*controller, self.mirror, self.cell, seen, noise, self._set_points, self._at, block)
        self._at = min(self._at + len(seen), len(self._set_points))
        return block
