"""The fine loop's gains over time: designed from the settings, and again when tones were identified.

The disturbance is rebuilt from the loop's own samples. The first seconds of tracking give the tones; ten seconds later
they are looked for anew, and so on.
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from flightsw.hal import FRAME_RATE_HZ
from flightsw.pat import loop_design, tones
from flightsw.pat.fine_loop import NOTCHES
from flightsw.pat.loop_design import Drift, LoopConditions, LoopFigures, MirrorDynamics, Tone
from flightsw.settings import TrackingSettings

_URAD = 1e-6
_COLLECT_S = 2.5
_PAUSE_S = 10.0
_SAME_HZ = 0.2  # closer than this, it is the tone that is known


def loop_conditions(settings: TrackingSettings, sample_rate_hz: float, lines: Sequence[Tone]) -> LoopConditions:
    """What the loop is designed for, from the settings and the tones known so far."""
    return LoopConditions(
        drifts=(Drift(settings.drift_rms_urad * _URAD, settings.drift_corner_hz),),
        tones=tuple(lines),
        noise_rad=settings.noise_urad * _URAD,
        sample_rate_hz=sample_rate_hz,
        mirror=MirrorDynamics(
            settings.mirror_resonance_hz,
            settings.mirror_damping,
            settings.loop_delay_samples,
            settings.mirror_range_urad * _URAD,
        ),
    )


def quad_cell_slope(spot_radius_rad: float) -> float:
    """Angle in rad per unit of error signal near the centre: the inverse slope of erf(sqrt(2) x / w)."""
    return math.sqrt(math.pi / 8.0) * spot_radius_rad


class _Task(NamedTuple):
    """All that a design follows from."""

    law: Literal["lqg", "integrator", "pi"]
    integrator_gain: float | None
    proportional_gain: float
    conditions: LoopConditions
    slope_rad: float
    presence_w: float


class Gains:
    """Designs `parameters` (a record of `fine_loop.PARAMETERS`) for the tones that are known."""

    def __init__(self, settings: TrackingSettings, sample_rate_hz: float) -> None:
        self._settings = settings
        self._rate = sample_rate_hz
        self._identifies = settings.tones == "identify" and settings.law != "integrator"
        given = [] if settings.tones == "identify" else settings.tones
        self.tones = [Tone(t.rms_urad * _URAD, t.frequency_hz) for t in given]
        self.parameters = _design(self._task())
        samples = round(_COLLECT_S * sample_rate_hz)
        self._error = np.zeros((2, samples), np.float32)
        self._command = np.zeros((2, samples), np.float32)
        self._block = round(sample_rate_hz / FRAME_RATE_HZ)
        self._filled = 0
        self._pause = 0

    def figures(self) -> LoopFigures:
        """What the present design is worth against the disturbance that it knows of."""
        return _figures(self._task())

    def restart(self) -> None:
        """Collect anew: the loop was open in between."""
        self._filled = 0
        self._pause = 0

    def collect(self, block: NDArray[np.void]) -> bool:
        """Take a block of `hal.SAMPLE` of the closed, lit loop. True when `parameters` has changed."""
        if not self._identifies:
            return False
        if self._pause > 0:
            self._pause -= 1
            return False
        at = slice(self._filled, self._filled + self._block)
        self._error[0, at] = block["error_x"]
        self._error[1, at] = block["error_y"]
        self._command[0, at] = block["mirror_x"]
        self._command[1, at] = block["mirror_y"]
        self._filled += self._block
        if self._filled < self._error.shape[1]:
            return False
        self._filled = 0
        self._pause = round(_PAUSE_S * FRAME_RATE_HZ)
        axes = np.stack([tones.disturbance(self._error[i], self._command[i], self._lag()) for i in range(2)])
        found = tones.identify(axes, self._rate, self._settings.tones_at_most)
        if _same(found, self.tones):
            return False
        self.tones = found
        self.parameters = _design(self._task())
        return True

    def _lag(self) -> float:
        """Samples by which the mirror follows its command at low frequencies."""
        s = self._settings
        lag = float(s.loop_delay_samples)
        if s.mirror_resonance_hz is not None:
            lag += 2.0 * s.mirror_damping / (2.0 * math.pi * s.mirror_resonance_hz) * self._rate - 0.5
        return lag

    def _task(self) -> _Task:
        s = self._settings
        return _Task(
            s.law,
            s.integrator_gain,
            s.proportional_gain,
            loop_conditions(s, self._rate, self.tones),
            quad_cell_slope(s.quad_cell_spot_urad * _URAD),
            s.presence_nw * 1e-9,
        )


# A design takes as long as the acquisition that it is for, and both terminals of a thousand runs begin with the same.
@lru_cache
def _design(task: _Task) -> NDArray[np.void]:
    parameters = _designed(task)
    parameters.flags.writeable = False
    return parameters


@lru_cache
def _figures(task: _Task) -> LoopFigures:
    return loop_design.evaluate(_design(task), task.conditions)


def _designed(task: _Task) -> NDArray[np.void]:
    conditions, slope_rad, presence_w = task.conditions, task.slope_rad, task.presence_w
    if task.law == "lqg":
        return loop_design.lqg(conditions, slope_rad, presence_w)
    gain = task.integrator_gain
    if gain is None:
        gain = float(loop_design.best_integrator(conditions, slope_rad, presence_w)["integral"])

    def notched(frequencies: list[float]) -> NDArray[np.void]:
        return loop_design.proportional_integral(
            conditions, slope_rad, presence_w, task.proportional_gain, gain, frequencies
        )

    notches: list[float] = []
    if task.law == "pi":
        # A notch passes its tone on untouched and costs phase below it: it pays where the loop would amplify the tone,
        # and ruins the loop where it would reject it.
        least = loop_design.evaluate(notched(notches), conditions).residual_rad
        for tone in conditions.tones:
            tried = [*notches, tone.frequency_hz]
            if len(tried) > NOTCHES:
                break
            figures = loop_design.evaluate(notched(tried), conditions)
            if figures.stable and figures.residual_rad < least:
                notches, least = tried, figures.residual_rad
    return notched(notches)


def _same(found: list[Tone], known: list[Tone]) -> bool:
    if len(found) != len(known):
        return False
    return all(min(abs(f.frequency_hz - k.frequency_hz) for k in known) < _SAME_HZ for f in found)
