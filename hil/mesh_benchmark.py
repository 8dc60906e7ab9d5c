"""Speed of the mesh: routing beside SciPy's, an hour of 1,584 satellites, and how the cost grows with satellites.

`python -m hil.mesh_benchmark FILE.png` plots the processor time of a step against the number of satellites.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from hil.benchmark import Figure
from hil.mesh import build
from hil.mesh_scenario import load
from sim.network.acquisition import AcquisitionTimes
from sim.network.assignment import plan
from sim.network.constellation import Constellation
from sim.network.preparation import all_well
from sim.network.routing import shortest
from sim.network.scenes import scene
from sim.network.simulation import simulate
from sim.network.topology import Topology

_SHELL = "shell_1584"
_REPEATS = 20
_STEPS = 120
#: Planes and satellites a plane of shells of growing size, all but for that as shell_1584.
_SIZES = ((8, 9), (15, 20), (72, 22), (144, 44))


def figures() -> Iterator[Figure]:
    """Measure one figure after the other, and yield each when it is there."""
    yield _routing()
    yield _hour()
    yield _growth()


def cost_s(planes: int, satellites_per_plane: int) -> float:
    """Processor time of a step of a shell of that size, all-pairs delays from 20 gateways included."""
    mesh = build(load(_SHELL))
    shell = mesh.constellation.shells[0].model_copy(
        update={"planes": planes, "satellites_per_plane": satellites_per_plane, "phasing": 1}
    )
    # small shells do not see the ground all the time from 25 deg up, and are linked over longer ways
    points = [point.model_copy(update={"minimum_elevation_deg": 0.0}) for point in mesh.points]
    terminals = mesh.terminals.model_copy(update={"range_km": 10_000.0, "clearance_km": 0.0})
    constellation = Constellation.of_shells([shell], mesh.constellation.epoch)
    mesh = replace(
        mesh, constellation=constellation, points=points, terminals=terminals, flows=(), duration_s=float(_STEPS)
    )
    spent: list[float] = []
    simulate(mesh, lambda *_: spent.append(time.process_time()))
    # the first half has the start in it, which floods the network with news
    half = _STEPS // 2
    return (spent[-1] - spent[half - 1]) / (_STEPS - half)


def _routing() -> Figure:
    """Delays from 20 gateways at one step, beside SciPy's compiled Dijkstra on the same graph."""
    mesh = build(load(_SHELL))
    crosslinks = plan(
        mesh.constellation, mesh.terminals, "grid", np.zeros(1), np.ones(len(mesh.constellation), np.bool_)
    )
    topology = Topology(crosslinks, mesh, AcquisitionTimes.zero(), mesh.step_s, np.random.SeedSequence(0))
    satellites, points = len(mesh.constellation), len(mesh.points)
    step = topology.step(0, scene(mesh, 0.0), all_well(mesh), np.zeros(points, np.bool_))
    links = topology.links
    a, b, delay = links.a[step.up], links.b[step.up], step.delay_s[step.up]
    sources = np.arange(satellites, satellites + points)
    graph = csr_array((delay, (a, b)), shape=(links.n, links.n))
    ours = _least_s(lambda: shortest(links.n, a, b, delay, sources, satellites))
    peer = _least_s(lambda: dijkstra(graph, directed=False, indices=sources, return_predecessors=True))
    return Figure(
        f"mesh, delays from {points} gateways to {links.n} nodes over {len(a)} links",
        f"{1e3 * ours:.1f} ms",
        "<= 4 ms",
        ours <= 4e-3,
        f"scipy.sparse.csgraph.dijkstra, {1e3 * peer:.1f} ms",
        peer / ours,
    )


def _hour() -> Figure:
    """An hour of the shell at 1 s, in a process of its own, beside its SGP4 alone."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "hil.cli", "mesh", _SHELL, "--no-report", "--out", str(Path(folder) / "mesh")]
        begin = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
    mesh = build(load(_SHELL))
    begin = time.perf_counter()
    for start in range(0, mesh.steps, _STEPS):
        mesh.constellation.states(np.arange(start, start + _STEPS, dtype=np.float64))
    orbits_s = time.perf_counter() - begin
    gib = usage.ru_maxrss / 2**20
    return Figure(
        f"mesh {_SHELL}, one hour at 1 s, all pairs of 20 gateways",
        f"{wall_s:.0f} s, {gib:.2f} GiB",
        "<= 60 s, 2 GiB",
        process.returncode == 0 and wall_s <= 60.0 and gib <= 2.0,
        f"SGP4 of its satellites alone, {orbits_s:.1f} s",
        wall_s / orbits_s,
    )


def _growth() -> Figure:
    satellites = [planes * each for planes, each in _SIZES]
    costs = [cost_s(*size) for size in _SIZES]
    ratio = costs[-1] / costs[-2] / (satellites[-1] / satellites[-2])
    listed = ", ".join(f"{count}: {1e3 * cost:.1f} ms" for count, cost in zip(satellites, costs, strict=True))
    return Figure(
        "mesh, cost of a step by satellites",
        listed,
        "about linear",
        ratio <= 1.5,
        f"linear from {satellites[-2]} to {satellites[-1]}",
        ratio,
    )


def _least_s(work: Callable[[], object]) -> float:
    work()
    times = []
    for _ in range(_REPEATS):
        begin = time.perf_counter()
        work()
        times.append(time.perf_counter() - begin)
    return min(times)


def _plot(path: Path) -> None:
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    satellites = [planes * each for planes, each in _SIZES]
    costs = [1e3 * cost_s(*size) for size in _SIZES]
    figure, axes = pyplot.subplots(figsize=(6, 4), layout="constrained")
    axes.loglog(satellites, costs, "o-", label="measured")
    axes.loglog(satellites, [costs[-1] * count / satellites[-1] for count in satellites], "--", label="linear")
    axes.set(xlabel="satellites", ylabel="processor time of a step / ms", title="all pairs of 20 gateways")
    axes.legend()
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    _plot(Path(sys.argv[1]))
