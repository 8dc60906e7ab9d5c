"""Design of the fine loop: gains for each law, the residual that they leave, and how close they are to instability.

The plant is the mirror behind its delay, the disturbance a sum of drifts and tones, the noise white. All per axis.

- PI: u += ki y, with notches; `best_integrator` finds the gain with the least residual.
- LQG: steady-state Kalman filter of the disturbance and linear-quadratic control of the mirror, both from discrete
  algebraic Riccati equations. For an ideal mirror behind D samples it is the D-step predictor.

References: Kulcsar, Raynaud, Petit, Conan, Automatica 48 (2012); Astrom and Murray, "Feedback Systems" (2nd edition),
section 10.3 for gain, phase and delay margin and peak sensitivity.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import expm, solve_discrete_are

from flightsw.errors import ConfigError
from flightsw.pat.fine_loop import DELAY, MODES, NOTCHES, PARAMETERS, Law

# Weight of the command's distance from what the disturbance will be, relative to the residual's. It costs an ideal
# mirror nothing; it keeps the inversion of a real one from ringing near the Nyquist frequency, where it has no delay
# to spare.
_COMMAND_WEIGHT = 0.3
_GRID = 4000
_DELAY_STEP = 0.02  # samples


@dataclass(frozen=True, slots=True)
class MirrorDynamics:
    """What the flight software knows of its steering mirror. `resonance_hz` None: it is where it is told to be."""

    resonance_hz: float | None
    damping: float
    delay_samples: int
    limit_rad: float


@dataclass(frozen=True, slots=True)
class Drift:
    """First-order disturbance: rms and corner frequency."""

    rms_rad: float
    corner_hz: float


@dataclass(frozen=True, slots=True)
class Tone:
    """A line: rms, frequency, and the bandwidth within which its frequency and amplitude wander."""

    rms_rad: float
    frequency_hz: float
    bandwidth_hz: float = 0.05


@dataclass(frozen=True, slots=True)
class LoopConditions:
    """What the loop is designed for, per axis: disturbance, noise of one measurement, sample rate, plant."""

    drifts: Sequence[Drift]
    tones: Sequence[Tone]
    noise_rad: float
    sample_rate_hz: float
    mirror: MirrorDynamics


@dataclass(frozen=True, slots=True)
class LoopFigures:
    """What a design is worth. Margins are infinite where nothing would destabilise the loop."""

    residual_rad: float
    peak_sensitivity: float
    gain_margin_db: float
    delay_margin_s: float
    stable: bool
    tone_rejection_db: tuple[float, ...]


def integrator(conditions: LoopConditions, slope_rad: float, presence_w: float, gain: float) -> NDArray[np.void]:
    """Parameters of a pure integrator, u += gain y: scalar record of `PARAMETERS`."""
    return proportional_integral(conditions, slope_rad, presence_w, 0.0, gain, ())


def proportional_integral(
    conditions: LoopConditions,
    slope_rad: float,
    presence_w: float,
    proportional: float,
    integral: float,
    notches_hz: Sequence[float],
    notch_width: float = 0.3,
) -> NDArray[np.void]:
    """Parameters of the PI law with notches at `notches_hz`, each `notch_width` of its frequency wide."""
    if len(notches_hz) > NOTCHES:
        raise ConfigError(f"notches: expected at most {NOTCHES}, found {len(notches_hz)}; drop the weakest")
    p = _plant(conditions, slope_rad, presence_w)
    p["law"] = Law.PI
    p["proportional"], p["integral"] = proportional, integral
    p["notches"] = len(notches_hz)
    for i, frequency in enumerate(notches_hz):
        # bilinear notch, prewarped to its own frequency
        w = 2.0 * math.pi * frequency / conditions.sample_rate_hz
        alpha = math.sin(w) * notch_width / 2.0
        numerator = np.array([1.0, -2.0 * math.cos(w), 1.0])
        denominator = np.array([1.0 + alpha, -2.0 * math.cos(w), 1.0 - alpha])
        p["notch"][i] = *(numerator / denominator[0]), *(denominator[1:] / denominator[0])
    return p


def best_integrator(conditions: LoopConditions, slope_rad: float, presence_w: float) -> NDArray[np.void]:
    """The pure integrator that leaves the least residual."""

    def residual(gain: float) -> float:
        p = integrator(conditions, slope_rad, presence_w, gain)
        if _spectral_radius(p, _mirror_space(p)) >= 1.0:
            return math.inf
        rate = conditions.sample_rate_hz
        return _residual(p, conditions, loop_gain(p, _frequencies(rate), rate))

    coarse = min(np.geomspace(0.005, 1.0, 40), key=residual)
    fine = min(np.linspace(0.85 * coarse, 1.15 * coarse, 31), key=residual)
    return integrator(conditions, slope_rad, presence_w, float(fine))


def lqg(conditions: LoopConditions, slope_rad: float, presence_w: float) -> NDArray[np.void]:
    """Parameters of the LQG law for these conditions: scalar record of `PARAMETERS`.

    Raises ConfigError for more modes than the controller has room for.
    """
    count = len(conditions.drifts) + len(conditions.tones)
    if not 1 <= count <= MODES:
        raise ConfigError(f"LQG: expected 1 to {MODES} disturbance modes, found {count}; drop the weakest tones")
    p = _plant(conditions, slope_rad, presence_w)
    p["law"] = Law.LQG
    p["modes"] = count
    disturbances: list[Drift | Tone] = [*conditions.drifts, *conditions.tones]
    blocks = [_mode(mode, conditions.sample_rate_hz) for mode in disturbances]
    n = 2 * count
    transition = np.zeros((n, n))
    process = np.zeros((n, n))
    output = np.zeros((1, n))
    for i, (block, variance) in enumerate(blocks):
        at = slice(2 * i, 2 * i + 2)
        transition[at, at] = block
        process[at, at] = variance
        output[0, 2 * i] = 1.0
        p["transition"][i] = block.ravel()
    p["kalman"][:count] = _kalman(transition, process, output, conditions.noise_rad).reshape(count, 2)

    feed = _feedback(p, transition, output)
    p["feed"][:count] = -feed[:n].reshape(count, 2)
    p["feed_mirror"] = feed[n : n + 2]
    p["feed_command"][: int(p["delay"]) - 1] = feed[n + 2 :]
    return p


def _plant(conditions: LoopConditions, slope_rad: float, presence_w: float) -> NDArray[np.void]:
    mirror = conditions.mirror
    if not 1 <= mirror.delay_samples <= DELAY:
        raise ConfigError(f"mirror delay: expected 1 to {DELAY} samples, found {mirror.delay_samples}")
    p = np.zeros((), PARAMETERS)
    p["slope_rad"], p["presence_w"], p["limit_rad"] = slope_rad, presence_w, mirror.limit_rad
    p["delay"] = mirror.delay_samples
    if mirror.resonance_hz is None:
        p["mirror_input"] = 1.0, 0.0
    else:
        discrete = _held(mirror.resonance_hz, mirror.damping, conditions.sample_rate_hz)
        p["mirror_transition"] = discrete[:2, :2].ravel()
        p["mirror_input"] = discrete[:2, 2]
    return p


@lru_cache
def _held(resonance_hz: float, damping: float, sample_rate_hz: float) -> NDArray[np.float64]:
    """Mirror over one sample with its command held; the second state is the rate over the resonance, of like size."""
    w = 2.0 * math.pi * resonance_hz
    continuous = np.array([[0.0, w, 0.0], [-w, -2.0 * damping * w, w], [0.0, 0.0, 0.0]])
    discrete: NDArray[np.float64] = expm(continuous / sample_rate_hz)
    return discrete


def _mode(mode: Drift | Tone, sample_rate_hz: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Transition and process covariance over one sample, rad^2."""
    if isinstance(mode, Drift):
        pole = math.exp(-2.0 * math.pi * mode.corner_hz / sample_rate_hz)
        return np.diag([pole, 0.0]), np.diag([mode.rms_rad**2 * (1.0 - pole**2), 0.0])
    radius = math.exp(-2.0 * math.pi * mode.bandwidth_hz / sample_rate_hz)
    angle = 2.0 * math.pi * mode.frequency_hz / sample_rate_hz
    rotation = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    return radius * rotation, mode.rms_rad**2 * (1.0 - radius**2) * np.eye(2)


def _kalman(
    transition: NDArray[np.float64], process: NDArray[np.float64], output: NDArray[np.float64], noise_rad: float
) -> NDArray[np.float64]:
    """Gain of the steady-state filter, (states,)."""
    scale = np.max(process)
    noise = np.array([[max(noise_rad**2, 1e-6 * scale) / scale]])
    covariance = solve_discrete_are(transition.T, output.T, process / scale, noise)
    innovation = output @ covariance @ output.T + noise
    gain: NDArray[np.float64] = (covariance @ output.T / innovation)[:, 0]
    return gain


def _feedback(p: NDArray[np.void], transition: NDArray[np.float64], output: NDArray[np.float64]) -> NDArray[np.float64]:
    """Gain over (disturbance modes, mirror, commands under way): command = -gain @ state."""
    modes = transition.shape[0]
    under_way = int(p["delay"]) - 1
    size = modes + 2 + under_way
    a = np.zeros((size, size))
    b = np.zeros((size, 1))
    a[:modes, :modes] = transition
    mirror = slice(modes, modes + 2)
    a[mirror, mirror] = p["mirror_transition"].reshape(2, 2)
    if under_way:
        a[mirror, -1] = p["mirror_input"]
        a[np.arange(modes + 3, size), np.arange(modes + 2, size - 1)] = 1.0
        b[modes + 2] = 1.0
    else:
        b[mirror, 0] = p["mirror_input"]
    residual = np.zeros((1, size))
    residual[0, :modes] = output
    residual[0, modes] = -1.0
    ahead = np.zeros((1, size))
    ahead[0, :modes] = output @ np.linalg.matrix_power(transition, int(p["delay"]))
    state_cost = residual.T @ residual + _COMMAND_WEIGHT * ahead.T @ ahead + 1e-12 * np.eye(size)
    command_cost = np.array([[_COMMAND_WEIGHT]])
    cross = -_COMMAND_WEIGHT * ahead.T
    cost = solve_discrete_are(a, b, state_cost, command_cost, s=cross)
    gain: NDArray[np.float64] = np.linalg.solve(command_cost + b.T @ cost @ b, b.T @ cost @ a + cross.T)[0]
    return gain


def evaluate(p: NDArray[np.void], conditions: LoopConditions) -> LoopFigures:
    """Residual, margins and rejection of a design under the conditions, from its frequency response and its poles."""
    rate = conditions.sample_rate_hz
    frequency = _frequencies(rate)
    loop = loop_gain(p, frequency, rate)
    return LoopFigures(
        residual_rad=_residual(p, conditions, loop),
        peak_sensitivity=float(np.max(np.abs(1.0 / (1.0 + loop)))),
        gain_margin_db=_gain_margin(loop),
        delay_margin_s=_delay_margin(p, conditions, frequency, loop),
        stable=_spectral_radius(p, _mirror_space(p)) < 1.0,
        tone_rejection_db=tuple(20.0 * math.log10(r) for r in _rejection(p, conditions)),
    )


def _frequencies(sample_rate_hz: float) -> NDArray[np.float64]:
    return np.geomspace(1e-4, sample_rate_hz / 2.0, _GRID)


def _residual(p: NDArray[np.void], conditions: LoopConditions, loop: NDArray[np.complex128]) -> float:
    """Rms error in rad, of a loop gain at `_frequencies`.

    The disturbance spectrum is the sampled one, folded about the Nyquist frequency.
    """
    rate = conditions.sample_rate_hz
    frequency = _frequencies(rate)
    sensitivity = 1.0 / (1.0 + loop)
    density = np.zeros(_GRID)
    for drift in conditions.drifts:
        pole = math.exp(-2.0 * math.pi * drift.corner_hz / rate)
        z = np.exp(2j * math.pi * frequency / rate)
        density += drift.rms_rad**2 * (1.0 - pole**2) / np.abs(1.0 - pole / z) ** 2 * 2.0 / rate
    noise = conditions.noise_rad**2 * 2.0 / rate
    variance = np.trapezoid(density * np.abs(sensitivity) ** 2 + noise * np.abs(1.0 - sensitivity) ** 2, frequency)
    variance += sum((t.rms_rad * r) ** 2 for t, r in zip(conditions.tones, _rejection(p, conditions), strict=True))
    return math.sqrt(variance)


def _rejection(p: NDArray[np.void], conditions: LoopConditions) -> list[float]:
    """Part that is left of each tone."""
    frequency = np.array([tone.frequency_hz for tone in conditions.tones])
    return [float(abs(1.0 / (1.0 + gain))) for gain in loop_gain(p, frequency, conditions.sample_rate_hz)]


def _gain_margin(loop: NDArray[np.complex128]) -> float:
    """In dB, the least of all crossings of the negative real axis from which a larger gain reaches -1."""
    phase = np.unwrap(np.angle(loop))
    magnitude = np.abs(loop)
    turns = np.floor((phase + math.pi) / (2.0 * math.pi))
    i = np.flatnonzero(np.diff(turns) != 0)
    share = (2.0 * math.pi * np.maximum(turns[i], turns[i + 1]) - math.pi - phase[i]) / (phase[i + 1] - phase[i])
    crossing = magnitude[i] + share * (magnitude[i + 1] - magnitude[i])
    return -20.0 * math.log10(max(crossing[crossing < 1.0])) if np.any(crossing < 1.0) else math.inf


def _delay_margin(
    p: NDArray[np.void], conditions: LoopConditions, frequency: NDArray[np.float64], loop: NDArray[np.complex128]
) -> float:
    """Least extra delay in s that makes the loop unstable.

    Up to two samples it is tried out: a loop with much gain near the Nyquist frequency, as the LQG's, does not survive
    a fraction of a sample, and the crossings do not show it. Beyond, it is the least phase margin over its frequency.
    """
    for step in range(round(2.0 / _DELAY_STEP) + 1):
        late = step * _DELAY_STEP
        if _spectral_radius(p, _late_mirror_space(p, conditions, late)) >= 1.0:
            return max(late - 0.5 * _DELAY_STEP, 0.0) / conditions.sample_rate_hz
    unity = np.flatnonzero(np.diff(np.sign(np.abs(loop) - 1.0)) != 0)
    margins = np.mod(np.angle(loop[unity]) + math.pi, 2.0 * math.pi) / (2.0 * math.pi * frequency[unity])
    return float(np.min(margins, initial=math.inf))


def loop_gain(p: NDArray[np.void], frequency_hz: NDArray[np.float64], sample_rate_hz: float) -> NDArray[np.complex128]:
    """Gain from the measured error through controller and mirror back to the error, complex (frequencies,)."""
    z = np.exp(2j * math.pi * frequency_hz / sample_rate_hz)
    a, b, c = _mirror_space(p)
    mirror = _respond(a, b, c, np.zeros((1, 1)), z)
    return _respond(*_controller_space(p), z) * mirror


def _respond(
    a: NDArray[np.float64],
    b: NDArray[np.float64],
    c: NDArray[np.float64],
    d: NDArray[np.float64],
    z: NDArray[np.complex128],
) -> NDArray[np.complex128]:
    solved = np.linalg.solve(z[:, None, None] * np.eye(a.shape[0]) - a, np.broadcast_to(b, (len(z), *b.shape)))
    response: NDArray[np.complex128] = np.asarray(c @ solved + d, np.complex128)[:, 0, 0]
    return response


def _mirror_space(p: NDArray[np.void]) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Command to angle: the mirror's two states, then the commands under way, newest first."""
    under_way = int(p["delay"]) - 1
    size = 2 + under_way
    a = np.zeros((size, size))
    b = np.zeros((size, 1))
    a[:2, :2] = p["mirror_transition"].reshape(2, 2)
    if under_way:
        a[:2, -1] = p["mirror_input"]
        a[np.arange(3, size), np.arange(2, size - 1)] = 1.0
        b[2] = 1.0
    else:
        b[:2, 0] = p["mirror_input"]
    c = np.zeros((1, size))
    c[0, 0] = 1.0
    return a, b, c


def _late_mirror_space(
    p: NDArray[np.void], conditions: LoopConditions, late: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """As `_mirror_space`, the drive coming `late` samples later, so that it changes within a sample."""
    whole = int(late)
    later = p.copy()
    later["delay"] += whole + 1
    a, b, c = _mirror_space(later)
    if conditions.mirror.resonance_hz is None:
        new = p["mirror_input"] * (1.0 - (late - whole))
    else:
        remaining_hz = conditions.sample_rate_hz / (1.0 - (late - whole))
        new = _held(conditions.mirror.resonance_hz, conditions.mirror.damping, remaining_hz)[:2, 2]
    a[:2, -1] -= new
    if a.shape[0] > 3:
        a[:2, -2] += new
    else:
        b[:2, 0] += new
    return a, b, c


def _controller_space(
    p: NDArray[np.void],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Measured error to command, one axis of `fine_loop.step` as matrices."""
    if p["law"] == Law.PI:
        a, b = np.array([[1.0]]), np.array([[float(p["integral"])]])
        c, d = np.array([[1.0]]), np.array([[float(p["integral"] + p["proportional"])]])
        for i in range(int(p["notches"])):
            b0, b1, b2, a1, a2 = p["notch"][i]
            na = np.array([[-a1, 1.0], [-a2, 0.0]])
            nb = np.array([[b1 - a1 * b0], [b2 - a2 * b0]])
            # the notch comes first, its output drives what is there already
            size = a.shape[0]
            a = np.block([[a, b @ np.array([[1.0, 0.0]])], [np.zeros((2, size)), na]])
            c = np.hstack([c, d @ np.array([[1.0, 0.0]])])
            b, d = np.vstack([b * b0, nb]), d * b0
        return a, b, c, d
    modes = int(p["modes"])
    n = 2 * modes
    mirror_a, mirror_b, mirror_c = _mirror_space(p)
    inner = mirror_a.shape[0]
    transition = np.zeros((n, n))
    for i in range(modes):
        transition[2 * i : 2 * i + 2, 2 * i : 2 * i + 2] = p["transition"][i].reshape(2, 2)
    output = np.zeros((1, n))
    output[0, ::2] = 1.0
    kalman = p["kalman"][:modes].reshape(n, 1)
    feed = p["feed"][:modes].reshape(1, n)
    back = np.concatenate([p["feed_mirror"], p["feed_command"][: inner - 2]])[None, :]
    # filtered = predicted + kalman (y + m - output predicted)
    filter_a = np.hstack([np.eye(n) - kalman @ output, kalman @ mirror_c])
    c = feed @ filter_a - np.hstack([np.zeros((1, n)), back])
    d = feed @ kalman
    a = np.vstack([transition @ filter_a, np.hstack([np.zeros((inner, n)), mirror_a])])
    a[n:] += mirror_b @ c
    b = np.vstack([transition @ kalman, mirror_b @ d])
    return a, b, c, d


def _spectral_radius(
    p: NDArray[np.void], mirror: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]
) -> float:
    """Largest pole of the loop closed around a mirror."""
    ca, cb, cc, cd = _controller_space(p)
    ma, mb, mc = mirror
    closed = np.block([[ca, -cb @ mc], [mb @ cc, ma - mb @ cd @ mc]])
    return float(np.max(np.abs(np.linalg.eigvals(closed))))
