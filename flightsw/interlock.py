"""What every command to the laser and to the steering mirror passes through, whatever the mode logic asks for.

```
 mode manager --> LaserInterlock --> hal.Laser          dark outside of the emitting modes, and while inhibited
 search, spot --> LimitedFineLoop --> hal.FineLoop      no angle beyond the mirror's range, and none that is no number
```

A closed fine loop is clamped to the same range by its controller, `flightsw.pat.fine_loop`.
"""

import math

import numpy as np
from numpy.typing import NDArray

from flightsw.hal import FineLoop, Laser
from flightsw.pat.modes import EMITTING, ModeManager


class LaserInterlock:
    """The one way to the laser. It asks the mode manager itself whether light may leave.

    Attributes:
        inhibited: no light, whatever the mode.
        lit: whether light was asked of the laser last.
    """

    def __init__(self, laser: Laser, modes: ModeManager) -> None:
        self._laser = laser
        self._modes = modes
        self.inhibited = False
        self.lit = False

    def emit(self, signal: bool, beacon: bool) -> None:
        """Switch the two beams as far as they are allowed, from now on."""
        allowed = not self.inhibited and self._modes.mode in EMITTING
        self.lit = allowed and (signal or beacon)
        self._laser.emit(allowed and signal, allowed and beacon)


class LimitedFineLoop:
    """`hal.FineLoop` whose set-points stay within the mirror's range.

    limit_rad: largest angle per axis.

    Attributes:
        beyond: an angle beyond the range, or none at all, has been asked for; for whoever acts on it to reset.
    """

    def __init__(self, fine_loop: FineLoop, limit_rad: float) -> None:
        self._fine_loop = fine_loop
        self._limit = limit_rad
        self.beyond = False

    @property
    def sample_rate_hz(self) -> float:
        """Samples per second."""
        return self._fine_loop.sample_rate_hz

    def configure(self, parameters: NDArray[np.void]) -> None:
        """Load control parameters."""
        self._fine_loop.configure(parameters)

    def follow(self, trajectory: NDArray[np.float64]) -> None:
        """Steer along a trajectory, cut off at the range."""
        if not max(trajectory.max(), -trajectory.min()) <= self._limit:
            self.beyond = True
            trajectory = np.clip(np.nan_to_num(trajectory), -self._limit, self._limit)
        self._fine_loop.follow(trajectory)

    def hold(self, x_rad: float, y_rad: float) -> None:
        """Steer to one angle within the range."""
        self._fine_loop.hold(self._within(x_rad), self._within(y_rad))

    def close(self) -> None:
        """Close the loop."""
        self._fine_loop.close()

    def block(self) -> NDArray[np.void]:
        """Samples of the last frame."""
        return self._fine_loop.block()

    def _within(self, angle: float) -> float:
        if abs(angle) <= self._limit:
            return angle
        self.beyond = True
        return math.copysign(self._limit, angle) if math.isfinite(angle) else 0.0
