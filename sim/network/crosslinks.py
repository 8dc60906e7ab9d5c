"""The crosslinks of a mesh: each assigned pair of terminals slews, acquires, carries, is interrupted and acquires anew.

| in, each step | unit | out | unit |
| --- | --- | --- | --- |
| positions and velocities of all satellites, inertial | m, m/s | state of each crosslink | `State` |
| direction of the sun | 1 | its range | m |
| terminals assigned to each, satellites alive, ephemerides good | | changes of state, when and why | `EVENT` |

```
                assigned                       slewed, acquired
   OFF --------------------------> ACQUIRING -------------------> UP
   OUT, FAILED: no longer so ----->    |                           |
                                       +---------------------------+--> OFF, OUT or FAILED
```

A link is up a slew and an acquisition time after it became possible. The slew is that of the slower end, from where its
terminal last followed a partner, and one that is cut short counts as not begun. While a wrong ephemeris of an end is
broadcast acquisition fails, and begins again when it is corrected; a link that is up tracks the light and stays.

Validated against: a scripted passage of three satellites, to the step; slews of known angle; ideal links, up exactly
where they are possible.
"""

import math
from enum import IntEnum

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sim.network.acquisition import AcquisitionTimes
from sim.network.record import EVENT
from sim.network.terminals import Limits, Obstacle, TerminalsModel, body_axes, limits, obstacle, seen_from

Floats = NDArray[np.float64]


class State(IntEnum):
    """What a crosslink is doing."""

    OFF = 0  # not assigned
    ACQUIRING = 1  # slew and acquisition are under way
    UP = 2
    OUT = 3  # assigned, and not possible
    FAILED = 4  # assigned, and an end is lost


class Cause(IntEnum):
    """Why a crosslink changed its state; the first are those of `Obstacle`."""

    CLEAR = 0  # what was in the way is gone
    RANGE = 1
    EARTH = 2
    REGARD = 3
    TURN = 4
    SUN = 5
    LOSS = 6  # of an end
    ASSIGNED = 7
    RELEASED = 8  # no longer assigned, or to another terminal of the same satellite
    ACQUIRED = 9


_NEVER = math.inf
#: By the state before: one that is taken from another terminal was acquiring or up.
_CAUSE_OF_START = (
    int(Cause.ASSIGNED),
    int(Cause.RELEASED),
    int(Cause.RELEASED),
    int(Cause.CLEAR),
    int(Cause.CLEAR),
)


class Crosslinks:
    """All pairs of a plan, stepped together. Arrays are (E,) unless a shape is given."""

    def __init__(
        self,
        pairs: NDArray[np.int32],
        satellites: int,
        terminals: TerminalsModel,
        acquisition: AcquisitionTimes,
        step_s: float,
        seed: int | np.random.SeedSequence,
    ) -> None:
        """Crosslinks between `pairs` (E, 2), all off, all terminals at rest; with zero times slews take none either."""
        count = len(pairs)
        self.state = np.zeros(count, np.uint8)
        self.range_m = np.zeros(count)
        self._pairs = np.ascontiguousarray(pairs, dtype=np.int32)
        self._limits = limits(terminals)
        self._slew = _NEVER if acquisition.is_zero else terminals.slew_rad_s
        self._step_s = step_s
        self._acquisition = acquisition
        self._rng = np.random.Generator(np.random.SFC64(seed))
        self._next_s = acquisition.draw(self._rng, count)
        self._timers = np.zeros((count, 2))  # when the slew ends, and when the link is up
        self._mount = np.full((count, 2), -1, np.int8)
        self._pointing = np.tile(self._limits.mounts, (satellites, 1, 1))
        self._cause = np.zeros(count, np.uint8)
        self._events: list[NDArray[np.void]] = []

    @property
    def events(self) -> NDArray[np.void]:
        """All changes so far, in order of time: `record.EVENT`, with `State` before and after, and `Cause`."""
        return np.concatenate(self._events) if self._events else np.zeros(0, EVENT)

    def step(
        self,
        k: int,
        position: Floats,
        velocity: Floats,
        sun: Floats,
        mount: NDArray[np.int8],
        alive: NDArray[np.bool_],
        ephemeris_ok: NDArray[np.bool_],
    ) -> tuple[NDArray[np.uint8], Floats]:
        """State and range in m at step `k`; both are overwritten by the next step.

        position, velocity (S, 3); sun (3,) unit vector from Earth's centre; mount (E, 2) terminals that the plan
        assigns to each pair, -1 for none; alive, ephemeris_ok (S,).
        """
        before = self.state.copy()
        time_s = k * self._step_s
        axes, turn = body_axes(position, velocity)
        started = _step(
            time_s,
            self._limits,
            self._slew,
            (position, velocity, axes, turn, sun),
            self._pairs,
            mount,
            (alive, ephemeris_ok),
            self._next_s,
            self._timers,
            self._mount,
            self._pointing,
            self.state,
            self._cause,
            self.range_m,
        )
        if len(started):
            self._next_s[started] = self._acquisition.draw(self._rng, len(started))
        changed = np.flatnonzero(self.state != before)
        if len(changed):
            events = np.zeros(len(changed), EVENT)
            events["time_s"], events["crosslink"] = time_s, changed
            events["before"], events["after"] = before[changed], self.state[changed]
            events["cause"] = self._cause[changed]
            self._events.append(events)
        return self.state, self.range_m


@njit(cache=True, nogil=True)
def _step(
    time_s: float,
    limits: Limits,
    slew: float,
    geometry: tuple[Floats, Floats, Floats, Floats, Floats],
    pairs: NDArray[np.int32],
    wanted: NDArray[np.int8],
    health: tuple[NDArray[np.bool_], NDArray[np.bool_]],
    next_s: Floats,
    timers: Floats,
    mount: NDArray[np.int8],
    pointing: Floats,
    state: NDArray[np.uint8],
    cause: NDArray[np.uint8],
    range_m: Floats,
) -> NDArray[np.int64]:
    """Move all crosslinks on; returns those that took their acquisition time from `next_s`."""
    position, velocity, axes, turn, sun = geometry
    alive, ephemeris_ok = health
    started = np.empty(len(pairs), np.int64)
    count = 0
    for e in range(len(pairs)):
        a, b = pairs[e, 0], pairs[e, 1]
        range_m[e] = _distance(position, a, b)
        before = state[e]
        if wanted[e, 0] != mount[e, 0] or wanted[e, 1] != mount[e, 1]:
            if mount[e, 0] >= 0:
                state[e], cause[e] = State.OFF, Cause.RELEASED
            mount[e, 0], mount[e, 1] = wanted[e, 0], wanted[e, 1]
        i, j = mount[e, 0], mount[e, 1]
        if i < 0:
            continue
        if not (alive[a] and alive[b]):
            state[e], cause[e] = State.FAILED, Cause.LOSS
            continue
        found = obstacle(limits, position, velocity, axes, turn, sun, a, b, i, j)
        if found != Obstacle.NONE:
            state[e], cause[e] = State.OUT, found
            continue
        seen_a, seen_b = seen_from(axes, position, a, b), seen_from(axes, position, b, a)
        if state[e] != State.ACQUIRING and state[e] != State.UP:
            cause[e] = _CAUSE_OF_START[before]
            angle = max(_angle(pointing[a, i], seen_a), _angle(pointing[b, j], seen_b))
            timers[e, 0], timers[e, 1] = time_s + angle / slew, _NEVER
            state[e] = State.ACQUIRING
        if state[e] == State.ACQUIRING:
            if not (ephemeris_ok[a] and ephemeris_ok[b]):
                timers[e, 1] = _NEVER
            elif timers[e, 1] == _NEVER:
                timers[e, 1] = max(timers[e, 0], time_s) + next_s[e]
                started[count] = e
                count += 1
            if time_s >= timers[e, 1]:
                state[e] = State.UP
                if before == State.ACQUIRING:
                    cause[e] = Cause.ACQUIRED
        if time_s >= timers[e, 0]:
            pointing[a, i], pointing[b, j] = seen_a, seen_b
    return started[:count]


@njit(cache=True, nogil=True)
def _distance(position: Floats, a: int, b: int) -> float:
    dx, dy, dz = position[b, 0] - position[a, 0], position[b, 1] - position[a, 1], position[b, 2] - position[a, 2]
    return math.sqrt(dx * dx + dy * dy + dz * dz)


@njit(cache=True, nogil=True)
def _angle(a: Floats, b: tuple[float, float, float]) -> float:
    """Between two unit vectors; by the chord, since the arc cosine of what points there already is not quite 0."""
    dx, dy, dz = a[0] - b[0], a[1] - b[1], a[2] - b[2]
    return 2.0 * math.asin(min(0.5 * math.sqrt(dx * dx + dy * dy + dz * dz), 1.0))
