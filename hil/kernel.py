"""The compiled step of the lockstep engine: both terminals' hardware and fine loops, one frame at a time.

```
          ring of A <---- light of A ----  A: platform, gimbal, mirror, quad cell, controller
              |                                           ^
         one light time                              one light time
              v                                           |
          B: platform, gimbal, mirror, quad cell, controller ---- light of B ----> ring of B
```

`run_frame` is the whole of it. Where a device of a terminal is no simulated one, `hil.host_loop` runs that terminal's
turn with `see`, the device, and `act`, and the other's with `run_turn`.
"""

import hashlib
import math
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from flightsw.hal import Record
from flightsw.pat import fine_loop
from sim import camera, gimbal, mirror, optics, platform, quad_cell

#: Geometry of one frame, seen from one terminal: the values at its start and their derivatives.
GEOMETRY = np.dtype(
    [
        ("azimuth", "f8"),
        ("azimuth_rate", "f8"),
        ("azimuth_acceleration", "f8"),
        ("elevation", "f8"),
        ("elevation_rate", "f8"),
        ("elevation_acceleration", "f8"),
        ("cos_elevation", "f8"),
        ("range_m", "f8"),
        ("light_time_s", "f8"),
        ("lead_x", "f8"),
        ("lead_y", "f8"),
    ]
)

#: What really happened in one sample: receive and transmit pointing error (rad), light in the aperture (W).
TRUTH = np.dtype([("error_x", "f4"), ("error_y", "f4"), ("transmit", "f4"), ("power_w", "f4")])

#: Sums over the samples in which the link was in use.
TALLY = np.dtype(
    [
        ("on", "i8"),
        ("fade_w", "f8"),  # light in the aperture below which the link fades, if nothing is in the way
        ("samples", "i8"),
        ("lit", "i8"),  # samples with light on the quad cell; the sums below are over these
        ("square_x", "f8"),
        ("square_y", "f8"),
        ("power_w", "f8"),
        ("transmit_gain", "f8"),
        ("faded", "i8"),
        ("fades", "i8"),
        ("longest", "i8"),
        ("fading", "i8"),  # samples of the fade under way
    ]
)


@njit(nogil=True, inline="always")
def _see(
    now: int,
    t: float,
    rate_hz: float,
    w: Record,
    g: Record,
    row: NDArray[np.float64],
    other: NDArray[np.float64],
) -> tuple[float, float, float]:
    """What reaches one terminal in sample `now`, `t` seconds into the frame: line of sight in the gimbal's field (rad)
    and light in the aperture (W). Platform and gimbal move on, and the camera exposes.
    """
    bias_x, bias_y = platform.step(w.platform, row)
    gimbal.step(w.gimbal)
    azimuth = g.azimuth + t * (g.azimuth_rate + 0.5 * t * g.azimuth_acceleration)
    elevation = g.elevation + t * (g.elevation_rate + 0.5 * t * g.elevation_acceleration)
    field_x = (azimuth - w.gimbal.angle[0]) * g.cos_elevation - bias_x
    field_y = elevation - w.gimbal.angle[1] - bias_y

    mask = other.shape[0] - 1
    delay = g.light_time_s * rate_hz
    whole = math.floor(delay)
    late = delay - whole
    newer = (now - whole) & mask
    older = (newer - 1) & mask
    signal = (1.0 - late) * other[newer, 0] + late * other[older, 0]
    beacon = (1.0 - late) * other[newer, 1] + late * other[older, 1]
    collected = w.optics.clear * w.optics.aperture / (g.range_m * g.range_m)
    power = signal * collected
    seen = beacon * collected if w.optics.camera_sees_beacon != 0 else power
    camera.expose(w.exposure, seen * w.optics.camera_share, field_x, field_y)
    return field_x, field_y, power


@njit(nogil=True, inline="always")
def _act(
    now: int,
    w: Record,
    g: Record,
    line_x: float,
    line_y: float,
    power: float,
    error_x: float,
    error_y: float,
    light: float,
    command_x: float,
    command_y: float,
    presence_w: float,
    own: NDArray[np.float64],
    sample: Record,
    actual: Record,
    c: Record,
) -> None:
    """Emit, note the sample and the truth, and let the mirror follow its command.

    line_x, line_y: line of sight behind the mirror (rad); power: light in the aperture (W); error_x, error_y, light:
    what the quad cell reads (rad, W).
    """
    emitted, beaconed = optics.emit(w.optics, line_x, line_y, g.lead_x, g.lead_y)
    at = now & (own.shape[0] - 1)
    own[at, 0] = emitted
    own[at, 1] = beaconed

    sample.error_x = error_x
    sample.error_y = error_y
    sample.mirror_x = command_x
    sample.mirror_y = command_y
    sample.power_w = light
    actual.error_x = line_x
    actual.error_y = line_y
    actual.transmit = emitted
    actual.power_w = power
    if c.on != 0:
        gain = emitted / w.optics.signal_intensity
        fades = power < c.fade_w and w.optics.clear > 0.0
        _count(c, line_x, line_y, power, gain, light >= presence_w, fades)

    mirror.step(w.mirror, command_x, command_y)


@njit(nogil=True, inline="always")
def _terminal(
    start: int,
    end: int,
    first: int,
    step_s: float,
    w: Record,
    p: Record,
    s: Record,
    g: Record,
    noise: NDArray[np.float64],
    columns: int,
    follow: NDArray[np.float64],
    other: NDArray[np.float64],
    own: NDArray[np.float64],
    samples: NDArray[np.void],
    truth: NDArray[np.void],
    c: Record,
) -> None:
    """Samples `start` to `end` of a frame, at one terminal; all light that arrives in them is in `other`."""
    for k in range(start, end):
        now = first + k
        field_x, field_y, power = _see(now, k * step_s, 1.0 / step_s, w, g, noise[k], other)
        line_x = field_x - w.mirror.angle[0]
        line_y = field_y - w.mirror.angle[1]
        a, b, light = quad_cell.read(w.quad_cell, line_x, line_y, power * w.optics.quad_share, noise[k], columns)
        x, y = fine_loop.step(p, s, a, b, light, follow[k, 0], follow[k, 1])
        error_x = a * p.slope_rad
        error_y = b * p.slope_rad
        _act(
            now, w, g, line_x, line_y, power, error_x, error_y, light, x, y, p.presence_w, own, samples[k], truth[k], c
        )


@njit(nogil=True)
def _turn(
    start: int,
    end: int,
    first: int,
    step_s: float,
    w: NDArray[np.void],
    p: NDArray[np.void],
    s: NDArray[np.void],
    g: NDArray[np.void],
    noise: NDArray[np.float64],
    columns: int,
    follow: NDArray[np.float64],
    other: NDArray[np.float64],
    own: NDArray[np.float64],
    samples: NDArray[np.void],
    truth: NDArray[np.void],
    c: NDArray[np.void],
) -> None:
    """`_terminal` with arrays of one record each."""
    _terminal(
        start, end, first, step_s, w[0], p[0], s[0], g[0], noise, columns, follow, other, own, samples, truth, c[0]
    )


@njit(nogil=True)
def _see_turn(
    start: int,
    end: int,
    first: int,
    step_s: float,
    w: NDArray[np.void],
    g: NDArray[np.void],
    noise: NDArray[np.float64],
    other: NDArray[np.float64],
    seen: NDArray[np.float64],
) -> None:
    """`_see` for samples `start` to `end` of a frame, into `seen` (samples, 3). `w`, `g`: arrays of one record."""
    for k in range(start, end):
        seen[k] = _see(first + k, k * step_s, 1.0 / step_s, w[0], g[0], noise[k], other)


@njit(nogil=True)
def _act_turn(
    start: int,
    end: int,
    first: int,
    w: NDArray[np.void],
    g: NDArray[np.void],
    seen: NDArray[np.float64],
    done: NDArray[np.float64],
    presence_w: float,
    own: NDArray[np.float64],
    samples: NDArray[np.void],
    truth: NDArray[np.void],
    c: NDArray[np.void],
) -> None:
    """`_act` for samples `start` to `end` of a frame, by what was seen and done in them.

    done: (samples, 5), the fields of `hal.SAMPLE`.
    """
    for k in range(start, end):
        line_x = seen[k, 0] - w[0].mirror.angle[0]
        line_y = seen[k, 1] - w[0].mirror.angle[1]
        _act(
            first + k,
            w[0],
            g[0],
            line_x,
            line_y,
            seen[k, 2],
            done[k, 0],
            done[k, 1],
            done[k, 4],
            done[k, 2],
            done[k, 3],
            presence_w,
            own,
            samples[k],
            truth[k],
            c[0],
        )


@njit(nogil=True)
def _frame(
    first: int,
    step_s: float,
    world: NDArray[np.void],
    parameters: NDArray[np.void],
    states: NDArray[np.void],
    geometry: NDArray[np.void],
    noise: tuple[NDArray[np.float64], NDArray[np.float64]],
    platform_columns: NDArray[np.int64],
    follow: NDArray[np.float64],
    ring: NDArray[np.float64],
    samples: NDArray[np.void],
    truth: NDArray[np.void],
    tally: NDArray[np.void],
) -> None:
    """Run one frame of samples of both terminals, in turns of at most a light time.

    first: index of the frame's first sample since the epoch; world: `sim.terminal.TERMINAL` (2,); parameters, states:
    of the fine loops (2,); geometry: GEOMETRY (2,); noise: two arrays (samples, columns); follow: set-points in rad
    (2, samples, 2); ring: emitted intensity in W/sr (2, length, 2), length a power of two above the light time;
    samples: SAMPLE (2, samples); truth: TRUTH (2, samples); tally: TALLY (2,).
    """
    block = samples.shape[1]
    turn = max(1, min(block, math.floor(min(geometry[0].light_time_s, geometry[1].light_time_s) / step_s)))
    for start in range(0, block, turn):
        end = min(start + turn, block)
        for i in range(2):
            _terminal(
                start,
                end,
                first,
                step_s,
                world[i],
                parameters[i],
                states[i],
                geometry[i],
                noise[0] if i == 0 else noise[1],
                platform_columns[i],
                follow[i],
                ring[1 - i],
                ring[i],
                samples[i],
                truth[i],
                tally[i],
            )


@njit(cache=True, nogil=True)
def _count(c: Record, x: float, y: float, power: float, gain: float, lit: bool, fades: bool) -> None:
    c.samples += 1
    if lit:
        c.lit += 1
        c.square_x += x * x
        c.square_y += y * y
        c.power_w += power
        c.transmit_gain += gain
    if fades:
        c.faded += 1
        c.fading += 1
        if c.fading == 1:
            c.fades += 1
        c.longest = max(c.longest, c.fading)
    else:
        c.fading = 0


def fingerprint_of(modules: tuple[ModuleType, ...]) -> int:
    """A number that changes with the source of any of the modules."""
    digest = hashlib.sha256()
    for module in modules:
        assert module.__file__ is not None, "a kernel's module has a file"
        digest.update(Path(module.__file__).read_bytes())
    return int.from_bytes(digest.digest()[:7], "big")


def _cached(fingerprint: int) -> tuple[Callable[..., None], ...]:
    """The kernels under a cache of compiled code that knows of the modules they were fused from.

    Numba looks at the file of a cached function alone; a value that the function encloses is part of its key.
    """

    @njit(cache=True, nogil=True)
    def run_frame(*arguments: Any) -> None:
        if fingerprint != 0:
            _frame(*arguments)

    @njit(cache=True, nogil=True)
    def run_turn(*arguments: Any) -> None:
        if fingerprint != 0:
            _turn(*arguments)

    @njit(cache=True, nogil=True)
    def see(*arguments: Any) -> None:
        if fingerprint != 0:
            _see_turn(*arguments)

    @njit(cache=True, nogil=True)
    def act(*arguments: Any) -> None:
        if fingerprint != 0:
            _act_turn(*arguments)

    return run_frame, run_turn, see, act


#: `_frame`, `_turn`, `_see_turn` and `_act_turn`, compiled once an installation.
run_frame, run_turn, see, act = _cached(
    fingerprint_of((fine_loop, camera, gimbal, mirror, optics, platform, quad_cell))
)
