"""The fine loop's gains over time: designed from the settings, and again when tones were identified.

The disturbance is rebuilt from the loop's own samples. The first seconds of tracking give the tones; ten seconds later
they are looked for anew, and so on.
"""

import math

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


def loop_conditions(settings: TrackingSettings, sample_rate_hz: float, lines: list[Tone]) -> LoopConditions:
    """What the loop is designed for, from the settings and the tones known so far."""
    return LoopConditions(
        drifts=[Drift(settings.drift_rms_urad * _URAD, settings.drift_corner_hz)],
        tones=lines,
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


class Gains:
    """Designs `parameters` (a record of `fine_loop.PARAMETERS`) for the tones that are known."""

    def __init__(self, settings: TrackingSettings, sample_rate_hz: float) -> None:
        self._settings = settings
        self._rate = sample_rate_hz
        self._identifies = settings.tones == "identify" and settings.law != "integrator"
        given = [] if settings.tones == "identify" else settings.tones
        self.tones = [Tone(t.rms_urad * _URAD, t.frequency_hz) for t in given]
        self.parameters = self._design()
        samples = round(_COLLECT_S * sample_rate_hz)
        self._error = np.zeros((2, samples), np.float32)
        self._command = np.zeros((2, samples), np.float32)
        self._block = round(sample_rate_hz / FRAME_RATE_HZ)
        self._filled = 0
        self._pause = 0

    def figures(self) -> LoopFigures:
        """What the present design is worth against the disturbance that it knows of."""
        return loop_design.evaluate(self.parameters, loop_conditions(self._settings, self._rate, self.tones))

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
        self.parameters = self._design()
        return True

    def _lag(self) -> float:
        """Samples by which the mirror follows its command at low frequencies."""
        s = self._settings
        lag = float(s.loop_delay_samples)
        if s.mirror_resonance_hz is not None:
            lag += 2.0 * s.mirror_damping / (2.0 * math.pi * s.mirror_resonance_hz) * self._rate - 0.5
        return lag

    def _design(self) -> NDArray[np.void]:
        s = self._settings
        conditions = loop_conditions(s, self._rate, self.tones)
        slope = quad_cell_slope(s.quad_cell_spot_urad * _URAD)
        presence_w = s.presence_nw * 1e-9
        if s.law == "lqg":
            return loop_design.lqg(conditions, slope, presence_w)
        if s.integrator_gain is None:
            best = loop_design.best_integrator(conditions, slope, presence_w)
            gain = float(best["integral"])
        else:
            gain = s.integrator_gain

        def notched(frequencies: list[float]) -> NDArray[np.void]:
            return loop_design.proportional_integral(
                conditions, slope, presence_w, s.proportional_gain, gain, frequencies
            )

        notches: list[float] = []
        if s.law == "pi":
            # A notch passes its tone on untouched and costs phase below it: it pays where the loop would amplify the
            # tone, and ruins the loop where it would reject it.
            least = loop_design.evaluate(notched(notches), conditions).residual_rad
            for tone in self.tones:
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
