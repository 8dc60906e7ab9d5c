"""How many pairs stay connected when satellites are lost: at once, and after the crosslinks are planned anew.

| in | unit | out | unit |
| --- | --- | --- | --- |
| constellation, terminals, policy, time | s | share of pairs with a path at once | 1 |
| ground links of that time, pairs, sets of satellites lost | nodes | share with one after restoration | 1 |

Restoration lasts until the next replan time, and then a slew and an acquisition: minutes in all. Satellites are taken
to stand where they did at the loss.
"""

import numpy as np
from numpy.typing import NDArray

from sim.network.acquisition import AcquisitionTimes
from sim.network.assignment import Policy, plan
from sim.network.connectivity import Nodes
from sim.network.constellation import Constellation
from sim.network.crosslinks import Crosslinks, State
from sim.network.resilience import Floats, loss_curve
from sim.network.terminals import TerminalsModel
from sim.sun import sun_direction


def connected_after(
    constellation: Constellation,
    terminals: TerminalsModel,
    policy: Policy,
    t_s: float,
    n: int,
    ground: Nodes,
    pairs: Nodes,
    lost: Nodes,
) -> tuple[Floats, Floats]:
    """Share of `pairs` (P, 2) of the n nodes that are connected after each loss: at once (D,), and restored (D,).

    ground (L, 2): a satellite and the ground point linked to it, as nodes; lost (D, k) satellites, k of them each time.
    Crosslinks are those of ideal terminals. Raises ConfigError as `plan` does.
    """
    satellites = len(constellation)
    # nothing is lost before each loss
    alive = np.ones((2 * len(lost), satellites), np.bool_)
    np.put_along_axis(alive[1::2], lost.astype(np.int64), False, axis=1)
    planned = plan(constellation, terminals, policy, np.full(len(alive), t_s), alive)

    position, velocity = (vectors[0] for vectors in constellation.states(np.array([t_s])))
    sun = sun_direction(constellation.epoch, np.array([t_s]), "TEME")[0]
    well = np.ones(satellites, np.bool_)

    def connected(mount: NDArray[np.int8], losses: Nodes) -> Floats:
        crosslinks = Crosslinks(planned.pairs, satellites, terminals, AcquisitionTimes.zero(), 1.0, 0)
        state, _ = crosslinks.step(0, position, velocity, sun, mount, well, well)
        a, b = np.concatenate((planned.pairs[state == State.UP], ground)).T.copy()
        return loss_curve(n, a, b, satellites, pairs, losses)[:, -1]

    at_once = connected(planned.mount[0], lost)
    restored = [connected(mount, lost[d : d + 1]) for d, mount in enumerate(planned.mount[1::2])]
    return at_once, np.concatenate(restored)
