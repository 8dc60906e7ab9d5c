"""Where everything is at each step: satellites, ground points, the sun."""

from collections.abc import Generator
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.network.ground import positions
from sim.network.mesh import Mesh
from sim.sun import sun_direction

Floats = NDArray[np.float64]

#: Steps whose scenes are made together: of 1,584 satellites they take 5 MB.
_BLOCK = 30


@dataclass(frozen=True, slots=True)
class Scene:
    """One step, in inertial axes (TEME)."""

    position: Floats  # (S, 3) m
    velocity: Floats  # (S, 3) m/s
    ground: Floats  # (G, 3) m
    sun: Floats  # (3,) unit vector from Earth's centre


def scenes(mesh: Mesh, t_s: Floats, pool: Executor) -> Generator[Scene, None, None]:
    """The scene at each of `t_s` (T,), made a block ahead by `pool`."""
    blocks = np.split(t_s, range(_BLOCK, len(t_s), _BLOCK))
    ahead = pool.submit(_block, mesh, blocks[0])
    for following in [*blocks[1:], None]:
        block = ahead.result()
        if following is not None:
            ahead = pool.submit(_block, mesh, following)
        yield from block


def scene(mesh: Mesh, t_s: float) -> Scene:
    """The scene at one time."""
    return _block(mesh, np.array([t_s]))[0]


def _block(mesh: Mesh, t_s: Floats) -> list[Scene]:
    position, velocity = mesh.constellation.states(t_s)
    ground = positions(mesh.points, mesh.constellation.epoch, t_s)
    sun = sun_direction(mesh.constellation.epoch, t_s, "TEME")
    return [Scene(*of_step) for of_step in zip(position, velocity, ground, sun, strict=True)]
