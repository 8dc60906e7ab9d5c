"""What losses would do to the links of a mesh as they stand at some times: connectivity, cuts, curves, recovery.

| in | unit | out | |
| --- | --- | --- | --- |
| links that are up, their delays | s | `record.Resilience` | |
| pairs of ground points, how news spreads | | | |

A loss is of whole nodes. Pairs of a ground point that is lost itself are not counted: its users need another one.
Recovery from the loss of a satellite: until every source whose shortest path led through it knows of all breaks on it,
and so sends along another; the loss falls together with no other change.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sim.network.centrality import betweenness
from sim.network.connectivity import disjoint_paths, single_losses, smallest_cut, vertex_connectivity
from sim.network.knowledge import known_at
from sim.network.mesh import Mesh, RoutingModel
from sim.network.record import LOST_SHARE, LossCurve, Resilience
from sim.network.resilience import loss_curve, plane_orders, random_orders
from sim.network.restoration import connected_after
from sim.network.routing import Floats, Nodes, route, shortest

#: Losses are followed up to this share of the satellites.
_MOST_LOST = 0.5
_REPETITIONS = 20


@dataclass(frozen=True, slots=True)
class Picture:
    """The links that are up at one time: ends (M,) and delays (M,) s."""

    t_s: float
    a: Nodes
    b: Nodes
    delay_s: Floats


def survey(
    pictures: Sequence[Picture], mesh: Mesh, pairs: Nodes, flow_ends: Nodes, seed: np.random.SeedSequence
) -> Resilience:
    """Resilience at the times of `pictures` of the pairs (P, 2) of ground points; flow_ends (F, 2) nodes."""
    constellation, routing = mesh.constellation, mesh.routing
    satellites = len(constellation)
    n = satellites + len(mesh.points)
    rng = np.random.default_rng(seed)
    nodes = (satellites + pairs).astype(np.int32)
    disjoint, connectivity, parted, parted_ground, recovery = [], [], [], [], []
    for picture in pictures:
        edges = n, picture.a, picture.b, satellites
        disjoint.append(disjoint_paths(*edges, nodes))
        connectivity.append(_connectivity(picture, satellites))
        lost = single_losses(*edges, nodes).sum(axis=1)
        parted.append(lost[:satellites])
        parted_ground.append(lost[satellites:])
        recovery.append(recovery_times(picture, n, satellites, nodes, routing))
    first = pictures[0]
    cuts = [smallest_cut(n, first.a, first.b, satellites, int(a), int(b)) for a, b in flow_ends]
    return Resilience(
        t_s=np.array([picture.t_s for picture in pictures]),
        disjoint=np.array(disjoint),
        cut=tuple(np.zeros(0, np.int32) if cut is None else cut for cut in cuts),
        connectivity=np.array(connectivity, np.int32),
        parted=np.array(parted, np.int32),
        parted_ground=np.array(parted_ground, np.int32),
        recovery_s=np.array(recovery),
        curves=tuple(_curves(pictures, mesh, n, nodes, rng)),
    )


def _connectivity(picture: Picture, satellites: int) -> int:
    """Fewest satellites whose loss parts those that have a crosslink; 0 where they are in parts, or none has one."""
    crosslinks = (picture.a < satellites) & (picture.b < satellites)
    linked, ends = np.unique(np.stack((picture.a[crosslinks], picture.b[crosslinks])), return_inverse=True)
    if not len(linked):
        return 0
    a, b = ends.reshape(2, -1).astype(np.int32)
    return vertex_connectivity(len(linked), a, b)


def _curves(pictures: Sequence[Picture], mesh: Mesh, n: int, pairs: Nodes, rng: np.random.Generator) -> list[LossCurve]:
    constellation, satellites = mesh.constellation, len(mesh.constellation)
    most = max(1, round(_MOST_LOST * satellites))
    ends = np.unique(pairs)
    plane = None
    if (constellation.plane >= 0).all():
        number = constellation.shell * (constellation.plane.max() + 1) + constellation.plane
        plane = np.unique(number, return_inverse=True)[1].astype(np.int32)
    curves: dict[str, list[Floats]] = {}
    restored: dict[str, Floats] = {}
    for picture in pictures:
        centrality = betweenness(n, picture.a, picture.b, picture.delay_s, satellites, ends)[:satellites]
        orders = {
            "random": random_orders(satellites, most, _REPETITIONS, rng),
            "central": np.argsort(-centrality, kind="stable")[np.newaxis, :most].astype(np.int32),
        }
        if plane is not None:
            orders["planes"] = plane_orders(plane, most, _REPETITIONS, rng)
        for kind, order in orders.items():
            curves.setdefault(kind, []).append(loss_curve(n, picture.a, picture.b, satellites, pairs, order))
            if picture is pictures[0]:
                restored[kind] = _restored(picture, mesh, n, pairs, order[:, : round(LOST_SHARE * satellites)])
    share = np.arange(most + 1) / satellites
    return [LossCurve(kind, share, np.concatenate(rows).T, restored[kind]) for kind, rows in curves.items()]


def _restored(picture: Picture, mesh: Mesh, n: int, pairs: Nodes, lost: Nodes) -> Floats:
    """Share of pairs connected after each loss (D, k) and a replan (D,); none where demand makes the plan."""
    if mesh.policy == "demand":
        return np.zeros(0)
    ground = np.column_stack((picture.a, picture.b))[picture.b >= len(mesh.constellation)]
    return connected_after(mesh.constellation, mesh.terminals, mesh.policy, picture.t_s, n, ground, pairs, lost)[1]


def recovery_times(picture: Picture, n: int, relays: int, pairs: Nodes, routing: RoutingModel) -> Floats:
    """Time in s (S,) until the pairs routed over each satellite have a new route; NaN: none is, or none is left."""
    recovery = np.full(relays, np.nan)
    sources, row = np.unique(pairs[:, 0], return_inverse=True)
    _, before = shortest(n, picture.a, picture.b, picture.delay_s, sources, relays)
    users: dict[int, list[tuple[int, list[int]]]] = {}
    for q, (_, target) in zip(row, pairs, strict=True):
        path = route(before[q], int(target))
        for node in path[1:-1]:
            users.setdefault(node, []).append((int(q), path))
    for satellite, paths in users.items():
        if routing.kind == "precomputed":
            recovery[satellite] = routing.recompute_s
            continue
        kept = (picture.a != satellite) & (picture.b != satellite)
        who, who_row = np.unique([q for q, _ in paths], return_inverse=True)
        # what breaks on each path: the link to the satellite, and the one from it
        broken = [path[path.index(satellite) + side] for _, path in paths for side in (-1, 1)]
        around, column = np.unique(broken, return_inverse=True)
        heard = known_at(
            n,
            picture.a[kept],
            picture.b[kept],
            picture.delay_s[kept],
            np.column_stack((around, np.full(len(around), satellite))),
            np.full(len(around), routing.detection_s),
            sources[who],
            routing.processing_ms * 1e-3,
            relays,
        )
        recovery[satellite] = heard[np.repeat(who_row, 2), column].max()
    return recovery
