"""Many simulations of a mesh: their rows are those of each alone."""

from concurrent.futures import ThreadPoolExecutor

from pyarrow import parquet

from hil.mesh import run_mesh
from hil.mesh_campaign import TABLE, mesh_campaign
from hil.mesh_scenario import MeshScenario, load
from hil.workers import Workers


def test_a_row_is_what_its_seed_gives_alone(tmp_path):
    table = load("small_72").model_dump()
    scenario = MeshScenario.model_validate({**table, "duration_s": 60, "clouds": {"share": 0.3, "mean_s": 30}})
    counted = []
    rows = mesh_campaign(scenario, 3, tmp_path, Workers(2, lambda: ThreadPoolExecutor(2)), counted.append)
    assert counted == [1, 2, 3] and [row["seed"] for row in rows] == [1, 2, 3]
    assert parquet.read_table(tmp_path / TABLE).to_pylist() == rows
    alone = run_mesh(scenario.model_copy(update={"seed": 2}), tmp_path / "alone").summary
    assert rows[1]["flows.New York - London.lost_mb"] == alone["flows"]["New York - London"]["lost_mb"]
    assert rows[1]["recovery.start_s"] == alone["recovery"]["start_s"]
    least = min(pair["availability"] or 0.0 for pair in alone["pairs"].values())
    assert rows[1]["pairs.availability.least"] == least
    assert len({row["recovery.longest_s"] for row in rows}) > 1
