"""What goes wrong in a mesh on purpose, and when: satellites, planes and gateways lost, jamming, a wrong ephemeris.

| in | unit | out | |
| --- | --- | --- | --- |
| failures of a scenario, each from `at_s` until `until_s` | s | satellites that are alive | (S,) bool |
| names, planes and places of satellites and ground points | deg | ground points that are up | (G,) bool |
| time | s | satellites whose broadcast ephemeris is right | (S,) bool |
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from flightsw.errors import ConfigError
from sim.configuration import WorldModel
from sim.network.constellation import Constellation
from sim.network.ground import GroundPointModel
from sim.network.sight import great_circle

Mask = NDArray[np.bool_]


class _Failure(WorldModel):
    """From when to when."""

    at_s: float = Field(ge=0)
    until_s: float | None = Field(None, description="none: for good")

    @model_validator(mode="after")
    def _ends_later(self) -> Self:
        if self.until_s is not None and self.until_s <= self.at_s:
            raise ValueError(f"expected until_s after at_s = {self.at_s:g}, found {self.until_s:g}")
        return self


class SatellitesLost(_Failure):
    """Satellites lost, by name or at random."""

    kind: Literal["satellites"]
    names: list[str] = Field([])
    share: float | None = Field(None, gt=0, le=1, description="of all satellites, at random")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if bool(self.names) == (self.share is not None):
            raise ValueError("expected names or share, one of the two")
        return self


class PlaneLost(_Failure):
    """A share of the satellites of one plane lost, at random."""

    kind: Literal["plane"]
    shell: str
    plane: int = Field(ge=0, description="counted from 0")
    share: float = Field(1.0, gt=0, le=1)


class CentralLost(_Failure):
    """The satellites lost that carry the most shortest paths at that time."""

    kind: Literal["central"]
    count: int = Field(ge=1)


class GatewaysLost(_Failure):
    """Ground points lost."""

    kind: Literal["gateways"]
    names: list[str] = Field(min_length=1)


class Jamming(_Failure):
    """The links of all ground points in a region out."""

    kind: Literal["jamming"]
    latitude_deg: float = Field(ge=-90, le=90)
    longitude_deg: float = Field(ge=-180, le=180)
    radius_km: float = Field(gt=0, description="along the ground")


class WrongEphemeris(_Failure):
    """A wrong ephemeris broadcast: whoever acquires these satellites looks in the wrong place."""

    kind: Literal["ephemeris"]
    names: list[str] = Field(min_length=1)


FailureModel = Annotated[
    SatellitesLost | PlaneLost | CentralLost | GatewaysLost | Jamming | WrongEphemeris, Field(discriminator="kind")
]


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands at one time."""

    alive: Mask  # (S,) satellites
    ground_up: Mask  # (G,) neither lost nor jammed
    ephemeris_ok: Mask  # (S,)


class Failures:
    """The failures of a scenario over time; what is lost at random is drawn once, at the start."""

    def __init__(
        self,
        models: Sequence[FailureModel],
        constellation: Constellation,
        points: Sequence[GroundPointModel],
        rng: np.random.Generator,
    ) -> None:
        """Raises ConfigError for a failure of something that the mesh does not have: which, and how many."""
        self._models = tuple(models)
        self._satellites, self._points = len(constellation), len(points)
        #: Satellites or ground points that each failure is of; None until the most central ones are known.
        self._hit = [_hit(model, constellation, points, rng) for model in self._models]

    def at(self, t_s: float, centrality: Callable[[], NDArray[np.float64]]) -> Standing:
        """What stands at `t_s`.

        `centrality` gives that of the satellites (S,) in the network of then; it is asked once, the first time that the
        most central ones are lost. Ties: the first.
        """
        standing = Standing(
            np.ones(self._satellites, np.bool_), np.ones(self._points, np.bool_), np.ones(self._satellites, np.bool_)
        )
        for i, model in enumerate(self._models):
            if t_s < model.at_s or (model.until_s is not None and t_s >= model.until_s):
                continue
            hit = self._hit[i]
            if hit is None:
                assert isinstance(model, CentralLost)
                hit = self._hit[i] = np.argsort(-centrality(), kind="stable")[: model.count]
            if isinstance(model, GatewaysLost | Jamming):
                standing.ground_up[hit] = False
            elif isinstance(model, WrongEphemeris):
                standing.ephemeris_ok[hit] = False
            else:
                standing.alive[hit] = False
        return standing


def _hit(
    model: FailureModel, constellation: Constellation, points: Sequence[GroundPointModel], rng: np.random.Generator
) -> NDArray[np.intp] | None:
    """Indices of what a failure is of, satellites or ground points; None for the most central."""
    match model:
        case SatellitesLost(share=float(share)):
            return _drawn(np.arange(len(constellation)), share, rng)
        case SatellitesLost() | WrongEphemeris():
            return _named(model.names, constellation.names, f"failure {model.kind}", "satellites")
        case GatewaysLost():
            return _named(model.names, [point.name for point in points], "failure gateways", "ground points")
        case PlaneLost():
            names = [shell.name for shell in constellation.shells]
            shell = _named([model.shell], names, "failure plane", "shells")[0]
            members = np.flatnonzero((constellation.shell == shell) & (constellation.plane == model.plane))
            if not members.size:
                raise ConfigError(
                    f"failure plane: expected a plane of {model.shell} from 0 to "
                    f"{constellation.shells[shell].planes - 1}, found {model.plane}; take one of these"
                )
            return _drawn(members, model.share, rng)
        case CentralLost():
            if model.count > len(constellation):
                raise ConfigError(
                    f"failure central: expected a count of at most {len(constellation)} satellites, found "
                    f"{model.count}; lower count"
                )
            return None
        case Jamming():
            centre = GroundPointModel(
                name="jamming", latitude_deg=model.latitude_deg, longitude_deg=model.longitude_deg, kind="user"
            )
            distance = np.array([great_circle(centre, point) for point in points])
            inside = np.flatnonzero(distance <= model.radius_km * 1e3)
            if not inside.size:
                raise ConfigError(
                    f"failure jamming: expected a ground point within {model.radius_km:g} km of "
                    f"{model.latitude_deg:g}, {model.longitude_deg:g} deg, found none of {len(points)}; the nearest is "
                    f"{distance.min() / 1e3:.0f} km away; move or widen the region"
                )
            return inside


def _drawn(members: NDArray[np.intp], share: float, rng: np.random.Generator) -> NDArray[np.intp]:
    return rng.permutation(members)[: max(1, round(share * len(members)))]


def _named(names: Sequence[str], known: Sequence[str], where: str, what: str) -> NDArray[np.intp]:
    index = {name: i for i, name in enumerate(known)}
    unknown = [name for name in names if name not in index]
    if unknown:
        raise ConfigError(
            f"{where}: expected names of {what}, found {len(unknown)} unknown: {', '.join(unknown[:5])}"
            f"{', ...' if len(unknown) > 5 else ''}; mind the spelling, as in {', '.join(known[:2])}"
        )
    return np.array([index[name] for name in names])
