"""The fine loop's controller: what steers the mirror, one call per sample, compiled.

```
 quad cell --> y --+--> estimator of the disturbance (Kalman, modes) --> u = F d - Fm m --> clamp --> mirror command
                   |                 ^                                      ^                 |
                   |                 +---- mirror model m <------ delay <---|-----------------+
                   +--> notches --> PI ---------------------------------> u
```

`step` is a pure function of its parameters, its state and one measurement. The lockstep engine fuses it with the world,
the real-time engine calls it a sample at a time, and the two are the same machine code.

The estimator works on the pseudo-open-loop measurement y + m, the disturbance as if the mirror stood still, so it may
run with the loop open and is converged when the loop closes. It models the disturbance as a sum of independent modes of
first or second order (platform drift, tones). The law and its gains come from `flightsw.pat.loop_design`.

Reference: Kulcsar, Raynaud, Petit, Conan, "Minimum variance prediction and control for adaptive optics", Automatica 48
(2012), for the separation into predictor and actuator inversion.
"""

import math
from enum import IntEnum

import numpy as np
from numba import njit
from numpy.typing import NDArray

from flightsw.hal import Record

MODES = 8  #: disturbance modes per axis, at most
NOTCHES = 4  #: notch filters per axis, at most
DELAY = 8  #: samples of loop delay, at most


class Law(IntEnum):
    """What the mirror follows."""

    FOLLOW = 0  #: the set-point; the loop is open
    PI = 1  #: proportional and integral on the quad cell, through notches
    LQG = 2  #: the estimated disturbance, ahead by the loop's delay


PARAMETERS = np.dtype(
    [
        ("law", "i8"),  # used when the loop is closed
        ("slope_rad", "f8"),  # rad of line of sight for an error signal of 1
        ("presence_w", "f8"),  # below this power on the cell there is no light to follow
        ("limit_rad", "f8"),  # largest mirror command per axis
        ("proportional", "f8"),
        ("integral", "f8"),  # per sample
        ("notches", "i8"),
        ("notch", "f8", (NOTCHES, 5)),  # b0 b1 b2 a1 a2
        ("modes", "i8"),
        ("transition", "f8", (MODES, 4)),  # row-major 2 x 2 for each mode
        ("kalman", "f8", (MODES, 2)),
        ("feed", "f8", (MODES, 2)),
        ("delay", "i8"),  # samples from measurement to the mirror's input, at least 1
        ("mirror_transition", "f8", (4,)),
        ("mirror_input", "f8", (2,)),
        ("feed_mirror", "f8", (2,)),
        ("feed_command", "f8", (DELAY,)),  # newest first
    ]
)

STATE = np.dtype(
    [
        ("closed", "i8"),
        ("mode", "f8", (2, MODES, 2)),
        ("mirror", "f8", (2, 2)),  # modelled angle and rate over the resonance (rad) of each axis
        ("sent", "f8", (2, DELAY)),  # commands, newest first
        ("integral", "f8", (2,)),
        ("notch", "f8", (2, NOTCHES, 2)),
        ("samples", "i8"),
        ("saturated", "i8"),  # samples with a clamped command or integral
        ("invalid", "i8"),  # samples with a reading that is not a number
    ]
)


def new_state() -> NDArray[np.void]:
    """A loop at rest: open, mirror centred. Scalar record of `STATE`, as an array of shape ()."""
    return np.zeros((), STATE)


@njit(cache=True, nogil=True)
def step(
    p: Record,
    s: Record,
    signal_x: float,
    signal_y: float,
    power_w: float,
    follow_x: float,
    follow_y: float,
) -> tuple[float, float]:
    """One sample: take the quad cell's normalised signals, return the mirror command of both axes in rad.

    signal_x, signal_y: (right - left) / sum, without unit; power_w: light on the cell; follow_x, follow_y: set-point in
    rad while the loop is open. `p` and `s` are records of PARAMETERS and STATE; `s` is updated in place.
    Without light, or with a reading that is not a number, the modes coast and the integrator holds.
    """
    finite = math.isfinite(signal_x) and math.isfinite(signal_y) and math.isfinite(power_w)
    if not finite:
        s.invalid += 1
    lit = finite and power_w >= p.presence_w
    saturated = False
    x = 0.0
    y = 0.0
    for axis in range(2):
        measured = p.slope_rad * (signal_x if axis == 0 else signal_y)
        mode = s.mode[axis]
        mirror = s.mirror[axis]
        sent = s.sent[axis]

        if lit and p.modes > 0:
            predicted = 0.0
            for i in range(p.modes):
                predicted += mode[i, 0]
            innovation = measured + mirror[0] - predicted
            for i in range(p.modes):
                mode[i, 0] += p.kalman[i, 0] * innovation
                mode[i, 1] += p.kalman[i, 1] * innovation

        if s.closed == 0 or p.law == 0:
            command = follow_x if axis == 0 else follow_y
            s.integral[axis] = command
        elif p.law == 1:
            command = s.integral[axis]
            if lit:
                filtered = measured
                for i in range(p.notches):
                    delayed = s.notch[axis, i]
                    out = p.notch[i, 0] * filtered + delayed[0]
                    delayed[0] = p.notch[i, 1] * filtered - p.notch[i, 3] * out + delayed[1]
                    delayed[1] = p.notch[i, 2] * filtered - p.notch[i, 4] * out
                    filtered = out
                total = s.integral[axis] + p.integral * filtered
                s.integral[axis] = min(max(total, -p.limit_rad), p.limit_rad)
                saturated = saturated or s.integral[axis] != total
                command = s.integral[axis] + p.proportional * filtered
        else:
            command = -p.feed_mirror[0] * mirror[0] - p.feed_mirror[1] * mirror[1]
            for i in range(p.modes):
                command += p.feed[i, 0] * mode[i, 0] + p.feed[i, 1] * mode[i, 1]
            for i in range(p.delay - 1):
                command -= p.feed_command[i] * sent[i]
            s.integral[axis] = command

        if command > p.limit_rad:
            command = p.limit_rad
            saturated = True
        elif command < -p.limit_rad:
            command = -p.limit_rad
            saturated = True
        elif not math.isfinite(command):
            # of gains that overflow; the mirror stays
            command = sent[0]
            saturated = True

        for i in range(p.delay - 1, 0, -1):
            sent[i] = sent[i - 1]
        sent[0] = command
        drive = sent[p.delay - 1]
        angle = p.mirror_transition[0] * mirror[0] + p.mirror_transition[1] * mirror[1] + p.mirror_input[0] * drive
        rate = p.mirror_transition[2] * mirror[0] + p.mirror_transition[3] * mirror[1] + p.mirror_input[1] * drive
        mirror[0] = angle
        mirror[1] = rate
        for i in range(p.modes):
            first = p.transition[i, 0] * mode[i, 0] + p.transition[i, 1] * mode[i, 1]
            mode[i, 1] = p.transition[i, 2] * mode[i, 0] + p.transition[i, 3] * mode[i, 1]
            mode[i, 0] = first
        if axis == 0:
            x = command
        else:
            y = command
    s.samples += 1
    if saturated:
        s.saturated += 1
    return x, y


@njit(cache=True, nogil=True)
def summarise(block: NDArray[np.void], presence_w: float) -> tuple[float, float, float, float, float, float, bool]:
    """A block of `hal.SAMPLE` in numbers.

    Returns the share of samples with light, the rms error of those on x and y (rad), the mean mirror command on x and y
    (rad), the mean light (W), and whether any reading is not a number.
    """
    lit = 0
    square_x = 0.0
    square_y = 0.0
    mirror_x = 0.0
    mirror_y = 0.0
    power = 0.0
    invalid = False
    for k in range(block.shape[0]):
        sample = block[k]
        mirror_x += sample.mirror_x
        mirror_y += sample.mirror_y
        if not (math.isfinite(sample.error_x) and math.isfinite(sample.error_y) and math.isfinite(sample.power_w)):
            invalid = True
            continue
        power += sample.power_w
        if sample.power_w >= presence_w:
            lit += 1
            square_x += sample.error_x * sample.error_x
            square_y += sample.error_y * sample.error_y
    n = block.shape[0]
    rms_x = math.sqrt(square_x / lit) if lit > 0 else 0.0
    rms_y = math.sqrt(square_y / lit) if lit > 0 else 0.0
    return lit / n, rms_x, rms_y, mirror_x / n, mirror_y / n, power / n, invalid


def load(p: NDArray[np.void], s: NDArray[np.void], new: NDArray[np.void]) -> None:
    """Put `new` parameters in the place of `p`, and keep what still holds of the state `s`.

    All three are arrays of shape (). A mode that moves otherwise than before starts from rest; notches start from rest;
    all else goes on.
    """
    changed = np.any(p["transition"] != new["transition"], axis=1)
    s["mode"][:, changed, :] = 0.0
    s["notch"][:] = 0.0
    p[...] = new
