"""The initiator's search: which scan comes next, where it is, and whether light is an answer to it.

An answer comes one round trip and the partner's reaction after the beam passed over the partner, and the beam has moved
on by v (2 L / c + t_d) since. The time tag of the answer says where the beam was then. Light from anywhere else is
not the partner's answer: a hot pixel, the sun, another satellite.
"""

import math

import numpy as np

from flightsw.errors import ConfigError
from flightsw.hal import FRAME_RATE_HZ, FRAME_S, FineLoop
from flightsw.pat.detection import Detection
from flightsw.pat.scan import Pattern, Raster, Spiral, hexagonal, track_pitch
from flightsw.settings import TerminalSettings

_URAD = 1e-6
_GATE_POINTS = 9


class Search:
    """Scans around the expected line of sight, each wider than the one before until the mirror's range is reached.

    Raises ConfigError when the first scan exceeds the mirror's range, or no pitch meets the wanted probability.
    """

    def __init__(self, settings: TerminalSettings, sample_rate_hz: float) -> None:
        a, h = settings.acquisition, settings.handover
        self._settings = a
        self._limit = settings.tracking.mirror_range_urad * _URAD
        self._first_radius = a.window_sigma * a.uncertainty_urad * _URAD
        if self._first_radius > self._limit:
            raise ConfigError(
                f"acquisition.window_sigma: expected a scan within the mirror's range of {self._limit / _URAD:g} urad, "
                f"found a radius of {self._first_radius / _URAD:g} urad; narrow the window or the uncertainty"
            )
        pitch = a.pitch_urad or track_pitch(a.capture_radius_urad, a.jitter_urad, a.wanted_probability)
        self._pitch = pitch * _URAD
        self._speed = a.scan_speed_mrad_s * 1e-3
        self._gate = a.answer_gate_urad * _URAD
        self._near = h.reacquire_radius_urad * _URAD
        self._step_s = 1.0 / sample_rate_hz
        self._points = np.zeros((round(sample_rate_hz / FRAME_RATE_HZ), 2))
        self._start_s = 0.0
        self._running = False
        self._wide = True
        self.restart()

    @property
    def pattern(self) -> Pattern:
        """The scan that is drawn now or comes next."""
        return self._pattern

    def restart(self) -> None:
        """Begin again with the first window."""
        self._radius = self._first_radius
        self._pattern = self._draw(self._radius)
        self._paused_s = 0.0
        self._wide = True

    def near(self, now_s: float) -> None:
        """Search close to where the partner was last seen."""
        self._wide = False
        self._pattern = Spiral(self._near, self._pitch, self._speed)
        self._start_s, self._running = now_s, False

    def resume(self, now_s: float) -> None:
        """Go on where the scan was left, a little before the place that seemed to be answered."""
        if not self._wide:
            self.restart()
        self._start_s, self._running = now_s - self._paused_s, False

    def follow(self, now_s: float, fine_loop: FineLoop) -> bool:
        """Steer the mirror along the scan in the next frame. True when a scan begins with it."""
        began = not self._running
        self._running = True
        if now_s - self._start_s > self._pattern.duration_s:
            pause = self._settings.scan_reset_s if self._wide else FRAME_S
            if now_s - self._start_s > self._pattern.duration_s + pause:
                self._widen()
                self._start_s, began = now_s, True
        self._pattern.trajectory(now_s - self._start_s, self._step_s, self._points)
        fine_loop.follow(self._points)
        return began

    def answers(self, spot: Detection, image_s: float, light_time_s: float) -> bool:
        """Whether a spot, on an image exposed at `image_s`, lies on the path of the beam at the time that the tag says.

        Remembers that place, so that a scan that is taken up again does not miss it.
        """
        error_s = self._settings.time_tag_error_ms * 1e-3
        tag_s = image_s - self._start_s
        if self._settings.back_up_by_time_tag:
            tag_s -= 2.0 * light_time_s + self._settings.responder_delay_ms * 1e-3
        for t in np.linspace(tag_s - error_s, tag_s + error_s, _GATE_POINTS):
            x, y = self._pattern.position(float(t))
            if math.hypot(spot.x_rad - x, spot.y_rad - y) <= self._gate:
                self._paused_s = max(tag_s - 2.0 * error_s, 0.0)
                return True
        return False

    def is_near(self, spot: Detection) -> bool:
        """Whether a spot lies where a partner that was tracked a moment ago may be."""
        return math.hypot(spot.x_rad, spot.y_rad) <= 2.0 * self._near

    def _widen(self) -> None:
        if self._wide:
            self._radius = min(self._radius * self._settings.window_growth, self._limit)
            self._pattern = self._draw(self._radius)
            self._paused_s = 0.0

    def _draw(self, radius: float) -> Pattern:
        a = self._settings
        if a.pattern == "spiral":
            return Spiral(radius, self._pitch, self._speed)
        if a.pattern == "raster":
            return Raster(radius, self._pitch, self._speed)
        # a cell covers the capture radius when its corners lie that far from its centre
        return hexagonal(radius, math.sqrt(3.0) * a.capture_radius_urad * _URAD, a.dwell_ms * 1e-3)
