"""The fine loop of a scenario, swept: residual against gain, rate and delay for each controller, with margins.

Gains are the flight software's own, `flightsw.pat.gains`, designed from the settings and the platform's tones. A PI law
that the scenario does not set has the two gains that leave the least residual. The disturbance is the platform's
spectrum as the samples see it: folded about the Nyquist frequency, not cut there. Margins as in Astrom and Murray,
"Feedback Systems" (2nd edition), section 10.3.
"""

import math
from dataclasses import dataclass, replace
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from flightsw.errors import ConfigError
from flightsw.pat.gains import Gains, loop_conditions, quad_cell_slope
from flightsw.pat.loop_design import LoopFigures, loop_gain, proportional_integral
from flightsw.settings import ToneSettings, TrackingSettings
from hil.scenario import Scenario
from sim.platform import PlatformModel, sections

Values = NDArray[np.float64]
Law = Literal["integrator", "pi", "lqg"]
LAWS: dict[Law, str] = {"integrator": "integrator", "pi": "PI with notches", "lqg": "LQG"}
#: Factors on the gain that is designed.
GAINS: Values = np.geomspace(0.1, 4.0, 81)
RATES_HZ = (1000, 2000, 5000, 10_000, 20_000, 30_000)
DELAYS = tuple(range(1, 9))
_FREQUENCIES = 4000
_LOWEST_HZ = 1e-4
#: Images of the spectrum that are folded back; what lies beyond a hundred sample rates is less than a thousandth.
_FOLDS = 100


@dataclass(frozen=True, slots=True)
class Loop:
    """What the loop of one terminal has to do: its settings, its platform, the rate of its samples."""

    settings: TrackingSettings
    platform: PlatformModel
    rate_hz: int


@dataclass(frozen=True, slots=True)
class Design:
    """A controller as the flight software designs it; residual in rad per axis.

    proportional, integral: gains, None for the LQG; least_gain, most_gain: factors on the loop's gain between which it
    is stable.
    """

    law: Law
    proportional: float | None
    integral: float | None
    residual_rad: float
    figures: LoopFigures
    phase_margin_deg: float
    least_gain: float
    most_gain: float


def loop_of(scenario: Scenario, terminal: str | None) -> Loop:
    """The loop of a terminal, of the first if None. Raises ConfigError for one that the scenario does not have."""
    names = list(scenario.terminals)
    name = names[0] if terminal is None else terminal
    if name not in names:
        raise ConfigError(f"--terminal {name}: expected {' or '.join(names)}, found neither")
    model = scenario.terminals[name]
    settings = model.flight.tracking
    if settings.tones == "identify":
        # what the loop finds within seconds, the strongest first
        known = sorted(model.hardware.platform.tones, key=lambda tone: -tone.rms_urad)[: settings.tones_at_most]
        tones = [ToneSettings(frequency_hz=t.frequency_hz, rms_urad=t.rms_urad) for t in known]
        settings = settings.model_copy(update={"tones": tones})
    return Loop(settings, model.hardware.platform, scenario.sample_rate_hz)


def design(loop: Loop, law: Law) -> Design:
    """A controller at the scenario's rate and delay."""
    gains = _gains(loop, law)
    response = Response.of(loop, gains.parameters)
    least, most = response.gain_limits()
    p = gains.parameters
    return Design(
        law=law,
        proportional=None if law == "lqg" else float(p["proportional"]),
        integral=None if law == "lqg" else float(p["integral"]),
        residual_rad=response.residual(1.0),
        figures=gains.figures(),
        phase_margin_deg=response.phase_margin_deg(),
        least_gain=least,
        most_gain=most,
    )


def against_gain(loop: Loop, law: Law) -> Values:
    """Residual per axis in rad at each of `GAINS`; NaN where the loop is not stable."""
    response = Response.of(loop, _gains(loop, law).parameters)
    least, most = response.gain_limits()
    return np.array([response.residual(g) if least < g < most else math.nan for g in GAINS])


def against_rate(loop: Loop, law: Law) -> Values:
    """Residual per axis in rad at each of `RATES_HZ`, the delay the same number of samples."""
    return np.array([_residual(replace(loop, rate_hz=rate), law) for rate in RATES_HZ])


def against_delay(loop: Loop, law: Law) -> Values:
    """Residual per axis in rad at each of `DELAYS`, in samples of the scenario's rate."""
    return np.array([_residual(_changed(loop, loop_delay_samples=delay), law) for delay in DELAYS])


def _residual(loop: Loop, law: Law) -> float:
    response = Response.of(loop, _gains(loop, law).parameters)
    # the regulator is stable by its design; a PI law is, where nothing crosses the negative real axis beyond -1
    stable = law == "lqg" or response.gain_limits()[0] == 0.0
    return response.residual(1.0) if stable else math.nan


def _changed(loop: Loop, **settings: object) -> Loop:
    return replace(loop, settings=loop.settings.model_copy(update=settings))


def _gains(loop: Loop, law: Law) -> Gains:
    if law != loop.settings.law:
        # a gain that was chosen for one law says nothing of another
        loop = _changed(loop, law=law, integrator_gain=None)
        if law == "pi":
            proportional, integral = _best_pi(loop)
            loop = _changed(loop, proportional_gain=proportional, integrator_gain=integral)
    return Gains(loop.settings, loop.rate_hz)


def _best_pi(loop: Loop) -> tuple[float, float]:
    """Proportional and integral gain that leave the least residual, without notches."""
    conditions = loop_conditions(loop.settings, loop.rate_hz, ())
    slope = quad_cell_slope(loop.settings.quad_cell_spot_urad * 1e-6)
    best = Gains(_changed(loop, law="integrator").settings, loop.rate_hz).parameters
    start, known = float(best["integral"]), Response.of(loop, best)

    def residual(gains: Values) -> float:
        if not (0.0 <= gains[0] < 2.0 and 0.0 < gains[1] < 2.0):
            return math.inf
        response = known.under(proportional_integral(conditions, slope, 0.0, gains[0], gains[1], ()))
        return response.residual(1.0) if response.gain_limits()[0] == 0.0 else math.inf

    simplex = np.array([[0.0, start], [0.3, start], [0.0, 0.7 * start]])
    found = minimize(residual, simplex[0], method="Nelder-Mead", options={"initial_simplex": simplex, "xatol": 1e-3})
    return float(found.x[0]), float(found.x[1])


@dataclass(frozen=True, slots=True)
class Response:
    """Gain of the open loop, and what disturbs it.

    frequency_hz, gain: (frequencies,), up to Nyquist; density: of the platform, rad^2/Hz; noise: of the measurement,
    rad^2/Hz; tone_hz, tone_gain, tone_power: (tones,), rad^2.
    """

    rate_hz: float
    frequency_hz: Values
    density: Values
    noise: float
    tone_hz: Values
    tone_power: Values
    gain: NDArray[np.complex128]
    tone_gain: NDArray[np.complex128]

    @classmethod
    def of(cls, loop: Loop, parameters: NDArray[np.void]) -> Self:
        """The response of a design, a scalar record of `fine_loop.PARAMETERS`."""
        rate, tones = float(loop.rate_hz), loop.platform.tones
        frequency = np.geomspace(_LOWEST_HZ, 0.5 * rate, _FREQUENCIES)
        tone_hz = np.array([tone.frequency_hz for tone in tones])
        return cls(
            rate_hz=rate,
            frequency_hz=frequency,
            density=folded(loop.platform, frequency, rate),
            noise=(loop.settings.noise_urad * 1e-6) ** 2 * 2.0 / rate,
            tone_hz=tone_hz,
            tone_power=np.array([tone.rms_urad * 1e-6 for tone in tones]) ** 2,
            gain=loop_gain(parameters, frequency, rate),
            tone_gain=loop_gain(parameters, tone_hz, rate),
        )

    def under(self, parameters: NDArray[np.void]) -> Self:
        """The response of another design against the same disturbance."""
        gain, tone_gain = (loop_gain(parameters, f, self.rate_hz) for f in (self.frequency_hz, self.tone_hz))
        return replace(self, gain=gain, tone_gain=tone_gain)

    def residual(self, factor: float) -> float:
        """Rms error per axis in rad with the loop's gain times `factor`, which must leave it stable."""
        left = 1.0 / (1.0 + factor * self.gain)
        power = self.density * np.abs(left) ** 2 + self.noise * np.abs(1.0 - left) ** 2
        tones = self.tone_power / np.abs(1.0 + factor * self.tone_gain) ** 2
        return math.sqrt(float(np.trapezoid(power, self.frequency_hz)) + float(tones.sum()))

    def gain_limits(self) -> tuple[float, float]:
        """Factors on the gain, below and above 1, at which the loop stops to be stable; 0 and infinity for none."""
        real, imaginary = self.gain.real, self.gain.imag
        i = np.flatnonzero(np.diff(np.sign(imaginary)) != 0)
        share = imaginary[i] / (imaginary[i] - imaginary[i + 1])
        at = -(real[i] + share * (real[i + 1] - real[i]))
        least, most = at[at > 1.0], at[(at > 0.0) & (at < 1.0)]
        return 1.0 / float(least.min()) if len(least) else 0.0, 1.0 / float(most.max()) if len(most) else math.inf

    def phase_margin_deg(self) -> float:
        """Least change of phase in degrees that makes the loop unstable; infinite if its gain never is 1."""
        crossing = np.flatnonzero(np.diff(np.sign(np.abs(self.gain) - 1.0)) != 0)
        return math.degrees(float(np.min(np.abs(np.angle(-self.gain[crossing])), initial=math.inf)))


def folded(platform: PlatformModel, frequency_hz: Values, rate_hz: float) -> Values:
    """Spectral density of the platform without its tones, rad^2/Hz per axis, one-sided, as samples show it."""
    density = np.zeros_like(frequency_hz)
    for section in sections(platform):
        for fold in range(_FOLDS + 1):
            density += section.density(fold * rate_hz + frequency_hz)
        for fold in range(1, _FOLDS + 1):
            density += section.density(fold * rate_hz - frequency_hz)
    return density
