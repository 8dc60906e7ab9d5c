"""The best search of a scenario: found by the formulas within what the hardware can do, confirmed by runs around it."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pyarrow import parquet
from scipy.optimize import minimize
from scipy.stats import bootstrap

from flightsw.errors import ConfigError
from flightsw.hal import FRAME_S
from hil.acquisition import Runner
from hil.campaign import campaign
from hil.campaign_plan import Campaign
from hil.campaign_store import TABLE
from hil.design.prediction import Situation, field_urad, initiator, pitch_urad, predict, require_formula, situation
from hil.design.search_time import SearchTime
from hil.scenario import Scenario
from hil.variation import Value, with_values
from hil.workers import Workers

Objective = Literal["mean", "p99"]
Values = dict[str, float]
_KEY = "both.flight.acquisition."
_PITCH, _SPEED = "pitch_urad", "scan_speed_mrad_s"
_RADIUS, _CAPTURE, _DWELL = "window_sigma", "capture_radius_urad", "dwell_ms"
#: The mirror follows a turn of the spiral well up to this share of its resonance.
_OF_RESONANCE = 0.25
_STEPS: Mapping[str, tuple[float, ...]] = {
    _PITCH: (1 / 1.25, 1.0, 1.25),
    _SPEED: (1 / 1.4, 1.0, 1.4),
    _CAPTURE: (1 / 1.25, 1.0, 1.25),
    _DWELL: (1.0, 1.5),
}
_RESAMPLES = 2000


@dataclass(frozen=True, slots=True)
class Design:
    """A search: its settings by the name of their key, and what the formulas say of it."""

    values: Values
    predicted: SearchTime


@dataclass(frozen=True, slots=True)
class Measured:
    """Runs at a point: acquisition times in s (runs,), the whole length of the run for one that did not acquire."""

    values: Values
    times: NDArray[np.float64]
    acquired: int

    def interval(self, objective: Objective) -> tuple[float, float]:
        """95 % interval of the objective, in s."""
        found = bootstrap(
            (self.times,),
            STATISTICS[objective],
            n_resamples=_RESAMPLES,
            method="percentile",
            rng=np.random.default_rng(0),
        ).confidence_interval
        return float(found.low), float(found.high)


def _p99(times: NDArray[np.float64], axis: int = -1) -> NDArray[np.float64]:
    percentile: NDArray[np.float64] = np.percentile(times, 99.0, axis=axis)
    return percentile


STATISTICS: Mapping[Objective, Callable[..., NDArray[np.float64]]] = {"mean": np.mean, "p99": _p99}


def observe(scenario: Scenario) -> Situation:
    """The search of a scenario as it begins: the range, and how long the initiator takes to point, from one run.

    Raises ConfigError for a search that no formula is known of, or that does not begin.
    """
    require_formula(scenario)
    _, outcome, world = Runner(scenario).run(scenario.seed, until_acquired=True)
    name = initiator(scenario)
    begins = (event.time_s for who, event in outcome.events if who == name and event.text.startswith("POINT -> SCAN"))
    pointed_s = next(begins, None)
    if pointed_s is None:
        raise ConfigError(
            f"{scenario.name}: expected a search that begins in its {scenario.duration_s:g} s, found none"
        )
    return situation(scenario, float(world.frames[0, 0]["range_m"]) / 1e3, pointed_s)


def present(search: Situation) -> Design:
    """The search as the scenario has it."""
    a = search.settings
    if a.pattern == "step_stare":
        values = {_CAPTURE: a.capture_radius_urad, _DWELL: a.dwell_ms, _RADIUS: a.window_sigma}
    else:
        values = {_PITCH: pitch_urad(a), _SPEED: a.scan_speed_mrad_s, _RADIUS: a.window_sigma}
    return Design(values, predict(search))


def limits(search: Situation) -> Values:
    """The largest, of the dwell the least, that the hardware allows, by the name of the key."""
    hardware, a = search.initiator.hardware, search.settings
    camera = search.responder.hardware.camera
    reach = min(search.initiator.flight.tracking.mirror_range_urad, field_urad(search.initiator))
    capture = search.sighting.staring()
    if a.pattern == "step_stare":
        # whenever the cell is reached, a whole exposure falls into its dwell
        dwell = math.ceil((1.0 / camera.frame_rate_hz + camera.exposure_ms * 1e-3) / FRAME_S - 1e-9) * FRAME_S
        return {_CAPTURE: capture * 1e6, _DWELL: dwell * 1e3, _RADIUS: reach / a.uncertainty_urad}
    mirror = hardware.mirror
    fastest = mirror.slew_rad_s
    if mirror.resonance_hz is not None:
        fastest = min(fastest, 2.0 * math.pi * capture * _OF_RESONANCE * mirror.resonance_hz)
    return {_PITCH: 2.0 * capture * 1e6, _SPEED: fastest * 1e3, _RADIUS: reach / a.uncertainty_urad}


def best(search: Situation, objective: Objective) -> Design:
    """The search that takes least by the formulas, its settings to three digits.

    Raises ConfigError if there is none within the limits.
    """
    most = limits(search)
    if search.settings.pattern == "step_stare":
        fixed = {_DWELL: most.pop(_DWELL)}
        names = [_CAPTURE, _RADIUS]
    else:
        fixed, names = {}, [_PITCH, _SPEED, _RADIUS]

    def at(point: NDArray[np.float64]) -> Values:
        return {
            name: float(f"{most[name] * share:.3g}") for name, share in zip(names, np.exp(point), strict=True)
        } | fixed

    def cost(point: NDArray[np.float64]) -> float:
        if np.any(point > 0.0):
            return math.inf
        try:
            return objective_of(predict(_with(search, at(point))), objective)
        except ConfigError:
            return math.inf

    axes = [np.log(np.geomspace(0.01 if name == _SPEED else 0.25, 1.0, 10 if name == _SPEED else 5)) for name in names]
    grid = np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, len(names))
    start = min(grid, key=cost)
    if cost(start) == math.inf:
        raise ConfigError("scan: expected a search within the limits of the hardware, found none; emit more light")
    simplex = np.vstack([start, *(start - 0.2 * np.eye(len(names)))])
    found = minimize(
        cost,
        start,
        method="Nelder-Mead",
        options={"initial_simplex": simplex, "maxfev": 100, "xatol": 0.01, "fatol": 1e-4},
    )
    values = at(found.x)
    return Design(values, predict(_with(search, values)))


def objective_of(time: SearchTime, objective: Objective) -> float:
    """The objective in s; infinite if less than half of all targets is ever found."""
    if objective == "p99":
        return time.quantile(0.99)
    return time.mean if time.found > 0.5 else math.inf


def confirm(
    scenario: Scenario, designs: tuple[Design, Design], runs: int, folder: Path, workers: Workers
) -> tuple[Measured, list[Measured]]:
    """Runs at the present point, and at the best one and its neighbours, the best first; tables go to `folder`.

    Raises ConfigError as `hil.campaign.campaign` does.
    """
    now, then = designs
    grid = {
        name: [float(f"{value * step:.3g}") for step in _STEPS[name]]
        for name, value in then.values.items()
        if name in _STEPS
    }
    rest = {_KEY + name: value for name, value in then.values.items() if name not in _STEPS}
    at_present = _runs(
        scenario, {name: [value] for name, value in now.values.items()}, runs, folder / "present", workers
    )
    around = _runs(with_values(scenario, rest), grid, runs, folder / "around", workers)
    around.sort(key=lambda point: any(point.values[name] != then.values[name] for name in grid))
    return at_present[0], around


def better(one: Measured, other: Measured, objective: Objective, level: float) -> bool:
    """Whether `one` takes less than `other` by more than chance, at a confidence level."""
    statistic = STATISTICS[objective]
    found = bootstrap(
        (one.times, other.times),
        lambda a, b, axis: statistic(a, axis=axis) - statistic(b, axis=axis),
        n_resamples=_RESAMPLES,
        method="percentile",
        confidence_level=level,
        rng=np.random.default_rng(0),
    )
    return bool(found.confidence_interval.high < 0.0)


def _with(search: Situation, values: Values) -> Situation:
    settings = search.settings.model_copy(update=values)
    flight = search.initiator.flight.model_copy(update={"acquisition": settings})
    terminal = search.initiator.model_copy(update={"flight": flight})
    return Situation(terminal, search.responder, search.range_m, search.pointed_s)


def _runs(
    scenario: Scenario, grid: Mapping[str, list[float]], runs: int, folder: Path, workers: Workers
) -> list[Measured]:
    keys: dict[str, list[Value]] = {_KEY + name: list(values) for name, values in grid.items()}
    plan = Campaign(scenario=scenario, seed=scenario.seed, runs=runs, until="acquired", grid=keys, stop_when=None)
    campaign(plan, folder, workers, resume=True)
    columns = [*keys, "acquisition.time_s"]
    table = parquet.read_table(folder / TABLE, columns=columns)
    times = table["acquisition.time_s"].to_numpy()
    points = list(zip(*(table[key].to_pylist() for key in keys), strict=True))
    measured = []
    for point in dict.fromkeys(points):
        own = times[[i for i, other in enumerate(points) if other == point]]
        lost = np.isnan(own)
        values = dict(zip(grid, point, strict=True))
        measured.append(Measured(values, np.where(lost, scenario.duration_s, own), int(np.sum(~lost))))
    return measured
