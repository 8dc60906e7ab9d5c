"""What a scenario's search should take, by the formulas: from its beam, its camera and its flight software."""

import math
from dataclasses import dataclass

import numpy as np

from flightsw.errors import ConfigError
from flightsw.hal import FRAME_RATE_HZ, FRAME_S
from flightsw.pat.detection import BLIND_PIXELS, Detection
from flightsw.pat.modes import Role, negotiate_role
from flightsw.pat.scan import Spiral, miss_probability, track_pitch
from flightsw.pat.search import Search
from flightsw.settings import AcquisitionSettings, TerminalSettings
from hil.design.search_time import Schedule, SearchTime, spiral, step_stare
from hil.design.sighting import Sighting
from hil.scenario import Scenario, TerminalModel
from sim.link_budget import SPEED_OF_LIGHT

_URAD = 1e-6
_ANSWERS = 200


@dataclass(frozen=True, slots=True)
class Situation:
    """A search in the first time slot. pointed_s: time in s until the initiator begins it."""

    initiator: TerminalModel
    responder: TerminalModel
    range_m: float
    pointed_s: float

    @property
    def sighting(self) -> Sighting:
        """The initiator's beam on the responder's camera."""
        return Sighting.of(self.initiator, self.responder, self.range_m)

    @property
    def settings(self) -> AcquisitionSettings:
        """How the initiator searches."""
        return self.initiator.flight.acquisition

    @property
    def light_time_s(self) -> float:
        """One way, in s."""
        return self.range_m / SPEED_OF_LIGHT


def initiator(scenario: Scenario) -> str:
    """The name of the terminal that searches in the first time slot."""
    (first, one), (second, other) = scenario.terminals.items()
    role = negotiate_role(one.flight, other.flight.spacecraft_id, 0, other.flight.acquisition.role)
    return first if role == Role.INITIATOR else second


def situation(scenario: Scenario, range_km: float, pointed_s: float) -> Situation:
    """The search of a scenario at a range. Raises ConfigError for one that no formula is known of."""
    require_formula(scenario)
    name = initiator(scenario)
    searching = scenario.terminals[name]
    other = next(terminal for key, terminal in scenario.terminals.items() if key != name)
    return Situation(searching, other, range_km * 1e3, pointed_s)


def require_formula(scenario: Scenario) -> None:
    """Raise ConfigError for a search that no formula is known of."""
    settings = scenario.terminals[initiator(scenario)].flight.acquisition
    if settings.search != "scan" or settings.pattern == "raster":
        raise ConfigError(
            f"{scenario.name}: expected a search by spiral or step_stare, found "
            f"{'a beacon' if settings.search == 'beacon' else settings.pattern}; there is no formula for that"
        )


def field_urad(terminal: TerminalModel) -> float:
    """How far from its middle the acquisition camera's image is looked at."""
    camera = terminal.hardware.camera
    return (0.5 * camera.pixels - BLIND_PIXELS) * camera.pixel_urad


def pitch_urad(settings: AcquisitionSettings) -> float:
    """The spiral's pitch that the flight software draws with."""
    return settings.pitch_urad or track_pitch(
        settings.capture_radius_urad, settings.jitter_urad, settings.wanted_probability
    )


def predict(search: Situation) -> SearchTime:
    """Distribution of the time until both fine loops are closed, the two terminals taken for alike.

    Raises ConfigError if the responder never sees the beam.
    """
    settings, flight = search.settings, search.initiator.flight
    sigma = search.initiator.hardware.platform.initial_error_urad * _URAD
    # the responder's own error must leave the beam in the field of its camera
    off, field = search.responder.hardware.platform.initial_error_urad, field_urad(search.responder)
    closing_s = (flight.handover.lit_frames + 1) * FRAME_S
    schedule = Schedule(
        radius=settings.window_sigma * settings.uncertainty_urad * _URAD,
        growth=settings.window_growth,
        limit=flight.tracking.mirror_range_urad * _URAD,
        reset_s=settings.scan_reset_s,
        detected=detected(search),
        visible=1.0 - math.exp(-0.5 * (field / off) ** 2) if off else 1.0,
        slot_s=settings.slot_s,
        slots=settings.slots,
        pointed_s=search.pointed_s,
        # the light goes there and back, and each camera takes its time
        answer_s=2.0 * (search.light_time_s + settings.responder_delay_ms * 1e-3) + closing_s,
    )
    if settings.pattern == "step_stare":
        spacing = math.sqrt(3.0) * settings.capture_radius_urad * _URAD
        return step_stare(sigma, spacing, settings.dwell_ms * 1e-3, search.sighting.staring(), schedule)
    speed = settings.scan_speed_mrad_s * 1e-3
    return spiral(sigma, pitch_urad(settings) * _URAD, speed, search.sighting.passing(speed), schedule)


def detected(search: Situation) -> float:
    """Probability that one scan finds a target within it: none slips through, and its answer is believed."""
    settings = search.settings
    if settings.pattern == "step_stare":
        return 1.0
    pitch = pitch_urad(settings)
    capture = search.sighting.passing(settings.scan_speed_mrad_s * 1e-3)
    touched = 1.0 - miss_probability(pitch * _URAD, capture, settings.jitter_urad * _URAD)
    return touched * _believed(search.initiator.flight, pitch, capture, search.light_time_s)


def _believed(settings: TerminalSettings, pitch: float, capture: float, light_time_s: float) -> float:
    """Share of answers that the flight software believes, asked for some whose time tags are off by two exposures.

    `pitch` in urad, `capture` in rad.
    """
    a = settings.acquisition
    search = Search(settings, FRAME_RATE_HZ)
    search.resume(0.0)
    path = Spiral(a.window_sigma * a.uncertainty_urad * _URAD, pitch * _URAD, a.scan_speed_mrad_s * 1e-3)
    rng = np.random.default_rng(0)
    believed = 0
    reach = min(capture, 0.5 * pitch * _URAD)
    for part, aside, tag in rng.random((_ANSWERS, 3)):
        t = (0.02 + 0.98 * part) * path.duration_s
        x, y = path.position(t)
        further = 1.0 + (2.0 * aside - 1.0) * reach / math.hypot(x, y)
        # the sum of two even errors of half the size
        off_s = (1.0 - math.sqrt(2.0 * min(tag, 1.0 - tag))) * math.copysign(a.time_tag_error_ms * 1e-3, tag - 0.5)
        image_s = t + 2.0 * light_time_s + a.responder_delay_ms * 1e-3 + off_s
        believed += search.answers(Detection(further * x, further * y, 0.0, 0.0), image_s, light_time_s)
    return believed / _ANSWERS
