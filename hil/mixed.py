"""One frame of both terminals' hardware where not all of it is simulated.

```
 see --> quad cell, simulated or real --> the controller, in this process --> act --> mirror, simulated or real
 see --> a board that closes the loop itself: quad cell, controller, mirror -------> act
```

`see` and `act` are the world's part, compiled, of `hil.kernel`. Both terminals take turns of at most a light time, as
in the kernel: what one emits in a turn reaches the other after it. In wall time each sample of a loop that the host
closes begins at its own deadline, otherwise each frame.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flightsw.hal import SAMPLE
from flightsw.pat import fine_loop
from hil.drivers.fine_loop import FineLoopDriver
from hil.drivers.pointing import MirrorDriver, QuadCellDriver
from hil.drivers.terminal import GimbalDriver
from hil.kernel import act, run_turn, see
from hil.realtime import Pacer
from sim import quad_cell


@dataclass(frozen=True, slots=True)
class Station:
    """One terminal's part of the engine's arrays. Of records that the kernel takes there is an array of one."""

    hardware: NDArray[np.void]
    parameters: NDArray[np.void]
    state: NDArray[np.void]
    tally: NDArray[np.void]
    geometry: NDArray[np.void]  # of each frame
    columns: int  # of the platform's noise
    set_points: NDArray[np.float64]
    own: NDArray[np.float64]  # light that leaves
    other: NDArray[np.float64]  # light that comes
    noise: Sequence[NDArray[np.float64]]  # one entry for each frame of a second, as in the next two
    samples: Sequence[NDArray[np.void]]
    truth: Sequence[NDArray[np.void]]


class _Turns:
    """A terminal that takes turns within a frame."""

    def __init__(self, station: Station, step_s: float, block: int) -> None:
        self._station = station
        self._step_s = step_s
        self._block = block
        self._seen = np.zeros((block, 3))
        self._done = np.zeros((block, len(SAMPLE.names or ())))
        self._first = self._slot = 0
        self._geometry = station.geometry[:1]

    def begin(self, frame: int, slot: int) -> None:
        """Begin frame `frame`, which is the `slot`-th of its second."""
        self._first = frame * self._block
        self._slot = slot
        self._geometry = self._station.geometry[frame : frame + 1]

    def _see(self, start: int, end: int) -> None:
        s = self._station
        noise = s.noise[self._slot]
        see(start, end, self._first, self._step_s, s.hardware, self._geometry, noise, s.other, self._seen)

    def _act(self, start: int, end: int, presence_w: float) -> None:
        s, slot = self._station, self._slot
        act(
            start,
            end,
            self._first,
            s.hardware,
            self._geometry,
            self._seen,
            self._done,
            presence_w,
            s.own,
            s.samples[slot],
            s.truth[slot],
            s.tally,
        )


class SimulatedTurns(_Turns):
    """A terminal whose quad cell, controller and mirror are those of the kernel."""

    def run(self, start: int, end: int) -> None:
        """Samples `start` to `end`."""
        s, slot = self._station, self._slot
        run_turn(
            start,
            end,
            self._first,
            self._step_s,
            s.hardware,
            s.parameters,
            s.state,
            self._geometry,
            s.noise[slot],
            s.columns,
            s.set_points,
            s.other,
            s.own,
            s.samples[slot],
            s.truth[slot],
            s.tally,
        )


class BoardLoop(_Turns):
    """A terminal whose fine loop is closed by a board."""

    def __init__(self, station: Station, step_s: float, block: int, board: FineLoopDriver) -> None:
        super().__init__(station, step_s, block)
        self._board = board
        hardware = station.hardware[0]
        self._share = float(hardware["optics"]["quad_share"])
        self._cell = hardware["quad_cell"]

    def run(self, start: int, end: int) -> None:
        """Samples `start` to `end`."""
        self._see(start, end)
        rows = np.empty((end - start, 4))
        rows[:, :2] = self._seen[start:end, :2]
        rows[:, 2] = self._seen[start:end, 2] * self._share
        rows[:, 3] = background_w(self._cell)
        samples = self._station.samples[self._slot][start:end]
        self._board.run(rows, samples)
        for column, name in enumerate(SAMPLE.names or ()):
            self._done[start:end, column] = samples[name]
        self._act(start, end, self._board.presence_w)


class HostLoop(_Turns):
    """A terminal whose fine loop this process closes, over a real quad cell, a real mirror, or both."""

    def __init__(
        self, station: Station, step_s: float, block: int, cell: QuadCellDriver | None, steering: MirrorDriver | None
    ) -> None:
        super().__init__(station, step_s, block)
        self._driver = cell
        self._steering = steering
        hardware = station.hardware[0]
        self._mirror = hardware["mirror"]
        self._mirror["measured"] = steering is not None
        self._angle = self._mirror["angle"]
        self._cell = hardware["quad_cell"]
        self._share = float(hardware["optics"]["quad_share"])
        self._parameters, self._state = station.parameters[0], station.state[0]

    def sample(self, k: int) -> None:
        """Sample `k` of the frame."""
        self._see(k, k + 1)
        field_x, field_y, power = self._seen[k].tolist()
        angle_x, angle_y = self._angle.tolist()
        line_x, line_y, light = field_x - angle_x, field_y - angle_y, power * self._share
        p = self._parameters
        slope = float(p["slope_rad"])
        if self._driver is not None:
            error_x, error_y, light = self._driver.read(line_x, line_y, light, background_w(self._cell))
            x, y = error_x / slope, error_y / slope
        else:
            s = self._station
            x, y, light = quad_cell.read(self._cell, line_x, line_y, light, s.noise[self._slot][k], s.columns)
            error_x, error_y = x * slope, y * slope
        follow_x, follow_y = self._station.set_points[k].tolist()
        command = fine_loop.step(p, self._state, x, y, light, follow_x, follow_y)
        self._done[k] = (error_x, error_y, *command, light)
        self._act(k, k + 1, float(p["presence_w"]))
        if self._steering is not None:
            self._angle[:] = self._steering.steer(*command)


class MixedHardware:
    """The hardware of both terminals."""

    def __init__(
        self,
        terminals: Sequence[SimulatedTurns | BoardLoop | HostLoop],
        gimbals: Sequence[GimbalDriver],
        geometry: NDArray[np.void],
        step_s: float,
        block: int,
        pacer: Pacer | None,
    ) -> None:
        """`geometry`: GEOMETRY (frames, 2); `pacer`: of samples if the host closes a loop, else of frames."""
        self._all = terminals
        self._turns = [t for t in terminals if not isinstance(t, HostLoop)]
        self._loops = [t for t in terminals if isinstance(t, HostLoop)]
        self._gimbals = gimbals
        self._light_time_s = geometry["light_time_s"].min(axis=1)
        self._step_s = step_s
        self._block = block
        self._pacer = pacer

    def step(self, frame: int, slot: int) -> None:
        """Run one frame."""
        if self._pacer is not None and not self._loops:
            self._pacer.wait()
        for gimbal in self._gimbals:
            gimbal.move()
        for terminal in self._all:
            terminal.begin(frame, slot)
        turn = max(1, min(self._block, math.floor(self._light_time_s[frame] / self._step_s)))
        for start in range(0, self._block, turn):
            end = min(start + turn, self._block)
            for terminal in self._turns:
                terminal.run(start, end)
            if self._loops:
                self._close_loops(start, end)

    def _close_loops(self, start: int, end: int) -> None:
        pacer, loops = self._pacer, self._loops
        for k in range(start, end):
            if pacer is not None:
                pacer.wait()
            for loop in loops:
                loop.sample(k)


def background_w(cell: NDArray[np.void]) -> float:
    """Background in W on a quad cell, a record of `sim.quad_cell.QUAD_CELL`."""
    return float(cell["background"]) / float(cell["electrons_per_w"])
