"""What a simulation of the mesh is of: satellites, terminals, ground points, the rules by which data goes its way."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from sim.configuration import WorldModel
from sim.network.acquisition import AcquisitionTimes
from sim.network.assignment import Policy
from sim.network.constellation import Constellation
from sim.network.failures import FailureModel
from sim.network.ground import CloudsModel, GroundPointModel
from sim.network.terminals import TerminalsModel
from sim.network.traffic import FlowModel


class RoutingModel(WorldModel):
    """How sources learn of the network (`sim.network.knowledge`)."""

    kind: Literal["link_state", "precomputed"] = "link_state"
    detection_s: float = Field(0.05, ge=0, description="link_state: until the ends of a link know of a change")
    processing_ms: float = Field(0.2, ge=0, description="link_state: of a node, before it passes news on")
    recompute_s: float = Field(5.0, ge=0, description="precomputed: until what was not foreseen is known everywhere")


class GatewaysModel(WorldModel):
    """What a ground point can carry."""

    rate_mbps: float = Field(10_000.0, gt=0, description="sent, received, and of each link to a satellite")
    queue_mb: float = Field(2_000.0, ge=0, description="data that waits at one source at most")


@dataclass(frozen=True, slots=True)
class Mesh:
    """Everything that a simulation needs. `line_rate`: of crosslinks, bit/s (E,) at ranges in m (E,)."""

    constellation: Constellation
    points: Sequence[GroundPointModel]
    terminals: TerminalsModel
    policy: Policy
    replan_s: float
    acquisition: AcquisitionTimes
    line_rate: Callable[[NDArray[np.float64]], NDArray[np.float64]]
    clouds: CloudsModel | None
    routing: RoutingModel
    flows: Sequence[FlowModel]
    gateways: GatewaysModel
    failures: Sequence[FailureModel]
    duration_s: float
    step_s: float
    seed: int

    @property
    def steps(self) -> int:
        """How many there are; the last ends at the end of the simulation, or before."""
        return int(self.duration_s / self.step_s + 1e-9)
