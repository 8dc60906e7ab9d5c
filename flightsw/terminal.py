"""One terminal's flight software, wired together: what happens in each frame of 10 ms.

```
 ephemerides --> pointing profile --> gimbal, point-ahead mirror
                       |
 camera --> detection -+-> mode manager --> laser, fine loop (follow, hold, close)
                       |        ^
 fine loop's samples --+--------+--> offload of the mirror to the gimbal, tones, gains
```

The terminal sees the world through `flightsw.hal` alone. `Terminal.frame` reads what the devices measured in the last
frame, lets fault protection look at it and the mode manager decide, and commands the devices for the next one. What
operators see and ask of it is declared in `flightsw.operations`; `flightsw.services.commanding` takes their
telecommands.
"""

import math
import traceback
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import numpy as np
from numpy.typing import NDArray

from flightsw.hal import FRAME_S, Devices, Image
from flightsw.interlock import LaserInterlock, LimitedFineLoop
from flightsw.navigation.ephemeris import Ephemeris
from flightsw.navigation.pointing_profile import PointingProfile
from flightsw.operations import (
    FRAME_FAILED,
    LIGHT_REFUSED,
    MODE_CHANGE,
    PARAMETERS,
    REASONS,
    TONE,
    TONES_IDENTIFIED,
    Status,
)
from flightsw.pat.detection import Detector, threshold
from flightsw.pat.fine_loop import summarise
from flightsw.pat.gains import Gains
from flightsw.pat.modes import CLOSED, EMITTING, Command, Mode, ModeManager, Role, Situation, Transition, negotiate_role
from flightsw.pat.search import Search
from flightsw.services.declarations import Value
from flightsw.services.events import Event, EventKind, Severity
from flightsw.services.fault_protection import SLOW_FRAMES, FaultProtection, Health, Watchdog, rows
from flightsw.services.parameters import Parameters
from flightsw.settings import TerminalSettings

_URAD = 1e-6
#: The beacon shines wherever light may leave; the signal does not while the responder waits for a flash.
_SIGNAL = EMITTING - {Mode.STARE}
_CAMERA = frozenset({Mode.SCAN, Mode.STARE, Mode.COARSE_TRACK, Mode.REACQUIRE})
_STILL = frozenset({Mode.STANDBY, Mode.SAFE})
#: Of the time from one frame to the next; less or more may be a fault.
_EARLIEST_S, _LATEST_S = 0.9 * FRAME_S, 1.1 * FRAME_S


class Terminal:
    """The flight software of one terminal.

    profile: pointing angles from the ephemeris product; partner_id, partner_role: spacecraft id of the other terminal
    and its fixed role or "any", both from the plan of the pass; hot_pixels: bool mask of the camera, from its dark
    calibration; parameters: what operators set, none for the defaults. Raises ConfigError for settings that contradict
    each other.

    Attributes:
        faults: what fault protection has found.
        watchdog: for whoever runs the frames to tick.
    """

    def __init__(
        self,
        name: str,
        settings: TerminalSettings,
        devices: Devices,
        profile: PointingProfile,
        partner_id: int,
        partner_role: str,
        hot_pixels: NDArray[np.bool_],
        parameters: Parameters | None = None,
    ) -> None:
        self.name = name
        self.settings = settings
        self.devices = devices
        self.status = Status()
        self.events: list[Event] = []
        self.parameters = Parameters(PARAMETERS) if parameters is None else parameters
        self._profile = profile
        self._partner_id = partner_id
        self._partner_role = partner_role
        self._asked_role: Role | None = None
        self._modes = ModeManager(settings)
        self._situation = Situation(role=self._role(0))
        self._laser = LaserInterlock(devices.laser, self._modes)
        self._fine_loop = LimitedFineLoop(devices.fine_loop, settings.tracking.mirror_range_urad * _URAD)
        self._health = Health()
        self.faults = FaultProtection(rows(settings), lambda kind, *values: self.tell(self._now_s, kind, *values))
        self.watchdog = Watchdog(self._fall_safe)
        self._now_s = 0.0
        self._begun = False
        self._heard_s = self._image_s = 0.0
        self._camera_on = self._not_stored = False
        self._frames = 0
        self._detector = Detector(
            threshold=threshold(settings.detection.false_alarms_per_image, hot_pixels.size),
            mask=hot_pixels,
            pixel_rad=settings.detection.pixel_urad * _URAD,
            read_noise=settings.detection.read_noise_electrons,
        )
        self._search = Search(settings, devices.fine_loop.sample_rate_hz)
        self.gains = Gains(settings.tracking, devices.fine_loop.sample_rate_hz)
        self._offload = 2.0 * math.pi * settings.tracking.offload_hz * FRAME_S
        self._presence_w = settings.tracking.presence_nw * 1e-9
        self._settled = settings.handover.fine_residual_urad * _URAD
        self._tolerance = settings.handover.point_tolerance_urad * _URAD
        self._slot_s = settings.acquisition.slot_s
        self._acquire_s = 0.0
        self._last_seen_s = -math.inf
        self._azimuth, self._elevation = devices.gimbal.angles()
        self._azimuth_rate = self._elevation_rate = 0.0
        self._lead = (0.0, 0.0)
        self._fine_loop.configure(self.gains.parameters)
        self._act(0.0)

    @property
    def mode(self) -> Mode:
        """The present mode."""
        return self._modes.mode

    def command(self, command: Command, role: Role | None = None) -> None:
        """Hand a command to the mode manager; it takes effect in the next frame. No other command takes SAFE's place.

        role: of a command to acquire, the part in the search, instead of the one that the plan of the pass leads to.
        """
        if self._situation.command == Command.SAFE:
            return
        self._situation.command = command
        if command == Command.ACQUIRE:
            self._asked_role = role

    def learn_tones(self) -> None:
        """Collect the disturbance anew, to find its tones."""
        self.gains.restart()

    def load_ephemeris(self, partner: Ephemeris, now_s: float) -> None:
        """Point by another ephemeris of the partner from now on. Raises ConfigError unless it holds for this time."""
        profile = self._profile.with_partner(partner)
        profile.at(now_s)
        self._profile = profile

    def hear_ground(self, now_s: float) -> None:
        """A telecommand frame was accepted: the ground is there."""
        self._heard_s = now_s

    def miss_storage(self) -> None:
        """What should outlive a restart could not be kept."""
        self._not_stored = True

    def tell(self, time_s: float, kind: EventKind, *values: Value, severity: Severity | None = None) -> None:
        """Report an event."""
        self.events.append(kind.at(time_s, *values, severity=severity))

    def frame(self, now_s: float) -> None:
        """Run one frame: everything measured up to `now_s`, everything commanded from `now_s` on. Raises nothing."""
        health, watchdog = self._health, self.watchdog
        if not self._begun:
            self._begun, self._now_s, self._heard_s = True, now_s - FRAME_S, now_s
        health.step_s, self._now_s = now_s - self._now_s, now_s
        health.periods, watchdog.periods = watchdog.periods, 0
        try:
            self._measure(now_s)
            self._protect(now_s)
            self._act(now_s)
            health.raised = False
        except Exception as error:
            if not health.raised:
                health.raised = True
                place = traceback.extract_tb(error.__traceback__)[-1]
                what = f"{type(error).__name__}: {error}, at {place.filename.rsplit('/', 1)[-1]}:{place.lineno}"
                self.tell(now_s, FRAME_FAILED, what)
            self._fall_safe()

    def _protect(self, now_s: float) -> None:
        """Let fault protection look at what was measured, and the mode manager act on it."""
        situation, faults, health = self._situation, self.faults, self._health
        self._frames += 1
        slow = self._frames == SLOW_FRAMES
        if slow:
            self._frames = 0
            self._examine(now_s)
        # most frames have nothing that any row of those looked at in every frame could hold for
        alarm = health.cell_invalid or health.gimbal_off or health.mirror_beyond or health.raised or health.periods > 1
        if alarm or slow or faults.busy or not _EARLIEST_S < health.step_s < _LATEST_S:
            faults.check(health, slow)
            situation.unsafe, situation.given_up, self._laser.inhibited = faults.unsafe, faults.given_up, faults.dark
            self.status.faults = faults.faults
        row = self._modes.step(situation)
        if row is not None:
            self._enter(row, now_s)

    def _examine(self, now_s: float) -> None:
        """Bring up to date what fault protection looks at now and then."""
        health, situation, status = self._health, self._situation, self.status
        health.mode_s = situation.mode_s
        if health.mode in CLOSED and status.lit > 0.5 and situation.residual > self._settled:
            health.unsettled_s += SLOW_FRAMES * FRAME_S
        elif health.mode not in EMITTING or situation.residual <= self._settled:
            health.unsettled_s = 0.0
        health.dark_images = situation.seen_dark
        health.blind_s = now_s - self._image_s if self._camera_on else 0.0
        x, y = self.devices.point_ahead.lead()
        health.lead_off = abs(x - self._lead[0]) + abs(y - self._lead[1])
        health.lit_asked, health.lit_found = self._laser.lit, self.devices.laser.emits()
        health.silence_s, health.silence_limit_s = now_s - self._heard_s, self.parameters["command_loss_time"]
        health.not_stored, self._not_stored = self._not_stored, False
        status.faults_inhibited = self.faults.inhibited

    def _fall_safe(self) -> None:
        """Go to SAFE where no frame can do so, with whatever still works."""
        self._health.periods = max(self._health.periods, self.watchdog.periods)
        rest: tuple[Callable[[], None], ...] = (
            partial(self._protect, self._now_s),
            partial(self._laser.emit, False, False),
            partial(self._fine_loop.hold, 0.0, 0.0),
            partial(self.devices.camera.enable, False),
            self._stand,
        )
        for command in rest:
            with suppress(Exception):
                command()
        self.status.mode = self._modes.mode

    def _measure(self, now_s: float) -> None:
        """Bring the situation and the health up to date from the devices' readings."""
        situation, status, health, mode = self._situation, self.status, self._health, self._modes.mode
        block = self._fine_loop.block()
        lit, x, y, mirror_x, mirror_y, power, invalid = summarise(block, self._presence_w)
        if not math.isfinite(mirror_x + mirror_y):
            # the gimbal follows the mean of these
            mirror_x, mirror_y, invalid = 0.0, 0.0, True
        status.lit, status.error_rms_x, status.error_rms_y = lit, x, y
        status.mirror_x, status.mirror_y, status.quad_power_w = mirror_x, mirror_y, power
        azimuth, elevation = self.devices.gimbal.angles()
        status.gimbal_azimuth, status.gimbal_elevation = azimuth, elevation
        # the gimbal was sent on its way a frame ago
        off_azimuth = abs(azimuth - self._azimuth - self._azimuth_rate * FRAME_S)
        off_elevation = abs(elevation - self._elevation - self._elevation_rate * FRAME_S)
        if off_azimuth < self._tolerance and off_elevation < self._tolerance:
            situation.pointed_s += FRAME_S
            health.gimbal_off, health.encoder_invalid = 0.0, False
        else:
            situation.pointed_s = 0.0
            health.gimbal_off = off_azimuth + off_elevation
            health.encoder_invalid = not math.isfinite(azimuth + elevation)

        situation.mode_s += FRAME_S
        if lit > 0.5:
            situation.lit_frames += 1
            situation.dark_s = 0.0
            situation.seen_dark = 0
            situation.residual += 0.1 * (max(x, y) - situation.residual)
        else:
            situation.lit_frames = 0
            situation.dark_s += FRAME_S

        situation.seen = False
        image = self.devices.camera.image()
        if image is not None:
            self._look(image, now_s)
            situation.seen_dark = situation.seen_dark + 1 if situation.seen and lit <= 0.5 else 0
            self._image_s = now_s
        unseen_s, mode_s = now_s - self._last_seen_s, situation.mode_s
        situation.unseen_s = unseen_s if unseen_s < mode_s else mode_s
        situation.slot_s = now_s - self._acquire_s - situation.slot * self._slot_s
        health.mode, health.cell_invalid = mode, invalid
        health.mirror_beyond, self._fine_loop.beyond = self._fine_loop.beyond, False
        if mode in CLOSED and lit == 1.0:
            self._learn(block, now_s)

    def _look(self, image: Image, now_s: float) -> None:
        """Look for the partner on an image and decide whether to believe it."""
        found = self._detector.find(image.pixels)
        if found is None:
            return
        mode, status = self.mode, self.status
        if mode == Mode.SCAN:
            believed = self._search.answers(found, image.time_s, self._situation.light_time_s)
        elif mode == Mode.REACQUIRE:
            believed = self._search.is_near(found)
        else:
            believed = True
        if not believed:
            self.tell(now_s, LIGHT_REFUSED, found.x_rad / _URAD, found.y_rad / _URAD)
            return
        status.spot_x, status.spot_y, status.spot_snr = found.x_rad, found.y_rad, found.snr
        self._situation.seen = True
        self._last_seen_s = now_s

    def _learn(self, block: NDArray[np.void], now_s: float) -> None:
        """Collect the disturbance, and load new gains when there is enough of it to know its tones."""
        if self.parameters["tone_learning"] and self.gains.collect(block):
            self._fine_loop.configure(self.gains.parameters)
            self.tell(now_s, TONES_IDENTIFIED, len(self.gains.tones))
            for tone in self.gains.tones:
                self.tell(now_s, TONE, tone.frequency_hz, tone.rms_rad / _URAD)
        self.status.tones = len(self.gains.tones)

    def _enter(self, row: Transition, now_s: float) -> None:
        """What a change of mode does once: report it, and set up the search or the loop."""
        situation, source, target = self._situation, row.source, row.target
        if target == Mode.SAFE:
            severity = Severity.HIGH
        elif target == Mode.REACQUIRE or (source == Mode.COMM and target != Mode.STANDBY):
            severity = Severity.MEDIUM
        else:
            severity = Severity.INFO
        self.tell(now_s, MODE_CHANGE, source, target, REASONS.index(row.reason), severity=severity)

        if target == Mode.POINT:
            if source == Mode.STANDBY:
                self._begin_search(now_s)
            else:
                situation.slot += 1
                situation.role = self._role(situation.slot)
                self._search.restart()
            self.status.bias_x = self.parameters["pointing_bias_x"]
            self.status.bias_y = self.parameters["pointing_bias_y"]
        elif target in (Mode.SCAN, Mode.STARE):
            if source == Mode.REACQUIRE:
                self._begin_search(now_s)
            situation.learnt = False
            self._search.resume(now_s)
        elif target == Mode.REACQUIRE:
            self._search.near(now_s)
        elif target == Mode.FINE_TRACK:
            situation.residual = max(self.status.error_rms_x, self.status.error_rms_y)
            self.gains.restart()
            self._fine_loop.close()
        elif target == Mode.COMM:
            situation.learnt = True
        elif target == Mode.SAFE:
            situation.learnt = False
            if not self._health.encoder_invalid:
                self._azimuth, self._elevation = self.status.gimbal_azimuth, self.status.gimbal_elevation

    def _role(self, slot: int) -> Role:
        if self._asked_role is not None:
            return self._asked_role
        return negotiate_role(self.settings, self._partner_id, slot, self._partner_role)

    def _begin_search(self, now_s: float) -> None:
        situation = self._situation
        self._acquire_s, situation.slot = now_s, 0
        situation.role = self._role(0)
        self._search.restart()

    def _act(self, now_s: float) -> None:
        """Command the devices for the next frame."""
        mode, situation, status, devices = self._modes.mode, self._situation, self.status, self.devices
        self._laser.emit(mode in _SIGNAL, mode in EMITTING)
        camera_on = mode in _CAMERA or (mode in CLOSED and situation.dark_s > 0.0)
        if camera_on and not self._camera_on:
            self._image_s = now_s
        self._camera_on = camera_on
        devices.camera.enable(camera_on)
        self._point(mode, now_s)
        if mode == Mode.SCAN or (mode == Mode.REACQUIRE and situation.role == Role.INITIATOR):
            if self._search.follow(now_s, self._fine_loop) and mode == Mode.SCAN:
                status.scans += 1
        elif mode == Mode.COARSE_TRACK:
            self._fine_loop.hold(status.spot_x, status.spot_y)
        elif mode not in CLOSED:
            self._fine_loop.hold(0.0, 0.0)
        status.mode, status.role = mode, situation.role

    def _point(self, mode: Mode, now_s: float) -> None:
        """Steer gimbal and point-ahead mirror by the profile; hand the mirror's mean over to the gimbal."""
        status, situation, devices = self.status, self._situation, self.devices
        azimuth, elevation, azimuth_rate, elevation_rate, range_m, light_time_s, lead_x, lead_y = self._profile.at(
            now_s
        )
        situation.light_time_s = light_time_s
        status.range_m = range_m
        status.point_ahead_x, status.point_ahead_y = lead_x, lead_y
        if mode in _STILL:
            self._stand()
            return
        if (mode in CLOSED and status.lit > 0.5) or (mode == Mode.COARSE_TRACK and situation.seen):
            status.bias_x += self._offload * status.mirror_x
            status.bias_y += self._offload * status.mirror_y
        self._azimuth = azimuth = azimuth + status.bias_x / math.cos(elevation)
        self._elevation = elevation = elevation + status.bias_y
        self._azimuth_rate, self._elevation_rate = azimuth_rate, elevation_rate
        devices.gimbal.command(azimuth, elevation, azimuth_rate, elevation_rate)
        self._lead = lead_x, lead_y
        devices.point_ahead.command(lead_x, lead_y)

    def _stand(self) -> None:
        """Keep the gimbal where it is."""
        self._azimuth_rate = self._elevation_rate = 0.0
        if math.isfinite(self._azimuth + self._elevation):
            self.devices.gimbal.command(self._azimuth, self._elevation, 0.0, 0.0)
