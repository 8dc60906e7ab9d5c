"""Campaigns: one table, whoever does the runs, in whatever order, and whatever happens meanwhile."""

import errno
import json
import os
import random
import select
import signal
import socket
import subprocess
import sys
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from multiprocessing import active_children
from pathlib import Path

import pyarrow
import pytest
from pyarrow import parquet
from scipy.stats import binomtest

import hil.campaign_batch
import hil.failed_run
import hil.workers
from flightsw.errors import ConfigError
from hil.acquisition import Runner
from hil.campaign import campaign
from hil.campaign_plan import Campaign
from hil.campaign_store import TABLE, CampaignStore, read
from hil.cli import main
from hil.failed_run import as_toml
from hil.run import RECORD, run
from hil.scenario import load, shipped
from hil.workers import Workers, dask, processes

ERROR, LAW = "both.hardware.platform.initial_error_urad", "both.flight.tracking.law"
SHORT = {"/sample_rate_hz": 1000, "/duration_s": 4}


class Here(Executor):
    """Does a task when it is submitted."""

    def submit(self, task, /, *arguments):
        future = Future()
        try:
            future.set_result(task(*arguments))
        except Exception as error:
            future.set_exception(error)
        return future


class Shuffled(Executor):
    """Does what has been submitted in another order, a task each time that somebody waits."""

    def __init__(self):
        self._pool = ThreadPoolExecutor(1)
        self._tasks = []
        self._random = random.Random(5)

    def submit(self, task, /, *arguments):
        future = Future()
        self._tasks.append((future, task, arguments))
        self._random.shuffle(self._tasks)
        self._pool.submit(self._one)
        return future

    def _one(self):
        future, task, arguments = self._tasks.pop()
        future.set_result(task(*arguments))


@contextmanager
def started(kind):
    yield kind()


HERE = Workers(1, partial(started, Here))
SHUFFLED = Workers(8, partial(started, Shuffled))


@pytest.fixture(scope="module")
def plan(scenario):
    """Twenty short runs, of which some do not acquire, a batch each."""
    return Campaign(
        scenario=scenario("leo_crosslink", SHORT),
        seed=11,
        runs=10,
        until="acquired",
        grid={LAW: ["lqg", "integrator"]},
        vary={ERROR: "uniform(100, 300)"},
    )


def table(folder):
    return parquet.read_table(folder / TABLE)


@pytest.fixture(scope="module")
def reference(plan, tmp_path_factory):
    folder = tmp_path_factory.mktemp("reference")
    campaign(plan, folder, HERE)
    return folder


def test_a_row_has_the_figures_of_that_run_alone(plan, reference, scenario, tmp_path):
    for row in table(reference).slice(4, 2).to_pylist():
        alone = scenario(
            "leo_crosslink", {**SHORT, ERROR.removeprefix("both."): row[ERROR], "flight.tracking.law": row[LAW]}
        )
        _, outcome, _ = Runner(alone).run(row["seed"], until_acquired=True)
        assert row["acquisition.time_s"] == outcome.acquired_s
        assert row["acquisition.attempts"] == outcome.scans
        assert row["performance.simulated_s"] == pytest.approx(outcome.simulated_s)
        assert row["tracking.alpha.law"] == row[LAW]
        assert row["goal_met"] == row["acquisition.acquired"] == (outcome.acquired_s is not None)
        assert not any("wall" in name for name in row)


def test_seeds_and_values_follow_from_campaign_and_run_alone(plan):
    longer = plan.model_copy(update={"runs": 1000})
    assert [plan.draw(run) for run in range(plan.total)] == [longer.draw(run) for run in range(plan.total)]
    seeds = {longer.draw(run)[0] for run in range(longer.total)}
    assert len(seeds) == longer.total


def test_every_point_of_the_grid_has_its_runs(plan, reference):
    rows = table(reference)
    assert rows["run"].to_pylist() == list(range(20))
    assert sorted(rows[LAW].to_pylist()) == ["integrator"] * 10 + ["lqg"] * 10
    drawn = rows[ERROR].to_pylist()
    assert len(set(drawn)) == 20
    assert min(drawn) >= 100.0 and max(drawn) <= 300.0


def test_the_order_of_the_runs_does_not_matter(plan, reference, tmp_path):
    campaign(plan, tmp_path, SHUFFLED)
    assert table(tmp_path).equals(table(reference))


def test_two_processes_of_which_one_is_killed_give_the_same_table(plan, reference, tmp_path, monkeypatch):
    monkeypatch.setattr(hil.campaign, "_keep_failed", lambda *_: None)
    killed = []

    def kill_one(_):
        if not killed:
            killed.append(active_children()[0].pid)
            os.kill(killed[0], signal.SIGKILL)

    campaign(plan, tmp_path, processes(2), progress=kill_one)
    assert killed
    assert table(tmp_path).equals(table(reference))
    assert not active_children()


def test_dask_workers_of_which_one_is_killed_give_the_same_table(plan, reference, tmp_path):
    from distributed import LocalCluster

    killed = []
    with LocalCluster(
        n_workers=2, threads_per_worker=1, protocol="tcp", dashboard_address=None, silence_logs=50
    ) as cluster:

        def kill_one(_):
            if not killed:
                killed.extend(worker.pid for worker in list(cluster.workers.values())[:1])
                os.kill(killed[0], signal.SIGKILL)

        assert cluster.scheduler_address.startswith("tcp://")
        campaign(plan, tmp_path, dask(cluster.scheduler_address), progress=kill_one)
    assert killed
    assert table(tmp_path).equals(table(reference))


#: A campaign in a process of its own, which is killed before it renames something for the MOMENT-th time.
_DOOMED = """
import multiprocessing, os, signal, sys
from pathlib import Path
from hil.campaign import campaign
from hil.campaign_store import read
from hil.workers import processes

folder, moment = Path(sys.argv[1]), int(sys.argv[2])
replace, count = Path.replace, 0

def counted(self, target):
    global count
    count += 1
    if count == moment:
        print(*(child.pid for child in multiprocessing.active_children()), flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    return replace(self, target)

Path.replace = counted
campaign(read(folder), folder, processes(1), resume=True)
"""


def wait_until_gone(pid):
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    gone = bool(select.select([process], [], [], 30.0)[0])
    os.close(process)
    if not gone:
        os.kill(pid, signal.SIGKILL)
    assert gone, f"worker {pid} outlives its parent"


@pytest.mark.parametrize(("moment", "parts", "workers"), [(3, 2, 1), (21, 20, 0)], ids=["third part", "table"])
def test_a_campaign_that_was_killed_goes_on_to_the_same_table(plan, reference, tmp_path, moment, parts, workers):
    CampaignStore(tmp_path, plan, resume=False)
    command = [sys.executable, "-c", _DOOMED, tmp_path, str(moment)]
    # a file and no pipe: its end would wait for workers too
    with (tmp_path / "pids").open("w") as said:
        doomed = subprocess.run(list(map(str, command)), stdout=said, check=False)
    assert doomed.returncode == -signal.SIGKILL
    pids = list(map(int, (tmp_path / "pids").read_text().split()))
    assert len(pids) == workers
    for pid in pids:
        wait_until_gone(pid)
    assert len(list((tmp_path / "parts").glob("*.parquet"))) == parts
    assert not (tmp_path / TABLE).exists()
    done = []
    campaign(plan, tmp_path, HERE, resume=True, progress=done.append)
    assert [p.done_now for p in done] == list(range(1, 21 - parts))
    assert table(tmp_path).equals(table(reference))
    assert not list(tmp_path.rglob("*.unfinished"))
    assert not (tmp_path / "parts").exists()


@pytest.mark.slow
def test_ten_kills_at_any_moment_change_nothing(plan, reference, tmp_path):
    CampaignStore(tmp_path, plan, resume=False)
    command = [sys.executable, "-c", _DOOMED, str(tmp_path), "0"]
    moments = random.Random(3)
    for _ in range(10):
        with subprocess.Popen(command) as process:
            try:
                process.wait(moments.uniform(0.5, 8.0))
            except subprocess.TimeoutExpired:
                process.kill()
    campaign(plan, tmp_path, HERE, resume=True)
    assert table(tmp_path).equals(table(reference))


@pytest.fixture
def file(plan, tmp_path):
    """The plan's scenario as a file."""
    path = tmp_path / "short.toml"
    path.write_text(as_toml(plan.scenario))
    return path


@pytest.fixture
def command(plan, file, tmp_path, monkeypatch):
    """`beamlock campaign` for the plan, in this process, with other options appended."""
    monkeypatch.setattr(hil.workers, "processes", lambda count: HERE)
    words = ["campaign", str(file), "--runs", "10", "--seed", "11", "--out", str(tmp_path / "out")]
    words += ["--grid", f"{LAW}=lqg,integrator", "--vary", f"{ERROR}=uniform(100, 300)"]
    return lambda *more: main([*words, *more])


def test_control_c_keeps_what_is_done_and_says_how_to_go_on(command, reference, tmp_path, monkeypatch, capsys):
    add, count = CampaignStore.add, []

    def interrupted(self, batch):
        add(self, batch)
        count.append(batch)
        if len(count) == 5:
            raise KeyboardInterrupt

    monkeypatch.setattr(CampaignStore, "add", interrupted)
    assert command() == 130
    assert "--resume" in capsys.readouterr().err
    assert len(list((tmp_path / "out" / "parts").glob("*.parquet"))) == 5
    assert command("--resume") == 0
    assert len(count) == 20
    assert table(tmp_path / "out").equals(table(reference))
    rows = table(reference).to_pylist()
    acquired = [row["acquisition.time_s"] for row in rows if row["acquisition.acquired"]]
    said = capsys.readouterr().out
    assert f"acquired    {len(acquired)}: " in said
    assert f"mean {sum(acquired) / len(acquired):.2f} s" in said
    assert f"goal missed {20 - len(acquired)}\n" in said


def raise_full(*_, **__):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def raise_full_behind_an_error(*_):
    try:
        raise_full()
    except OSError:
        raise ConfigError("expected a file that can be written") from None


def test_a_full_disk_is_said_and_costs_nothing(command, reference, tmp_path, monkeypatch, capsys):
    write, count = Path.write_bytes, []

    def full(self, octets):
        count.append(self)
        if len(count) == 7:
            write(self, octets[: len(octets) // 2])
            raise_full()
        return write(self, octets)

    monkeypatch.setattr(Path, "write_bytes", full)
    assert command() == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert str(tmp_path / "out") in said and "No space left on device" in said and "--resume" in said
    assert command("--resume") == 0
    assert table(tmp_path / "out").equals(table(reference))


def test_a_disk_that_is_full_for_the_table_keeps_the_parts(command, reference, tmp_path, monkeypatch, capsys):
    with monkeypatch.context() as patch:
        patch.setattr(pyarrow, "concat_tables", raise_full)
        assert command() == 2
    assert "No space left on device" in capsys.readouterr().err
    assert len(list((tmp_path / "out" / "parts").glob("*.parquet"))) == 20
    assert command("--resume") == 0
    assert table(tmp_path / "out").equals(table(reference))


def test_a_failed_run_repeats_alone(reference, tmp_path):
    missed = [row for row in table(reference).to_pylist() if not row["goal_met"]]
    assert sorted(int(folder.name) for folder in (reference / "failed").iterdir()) == [row["run"] for row in missed]
    assert missed
    row = missed[0]
    kept = reference / "failed" / str(row["run"])
    assert (
        main(["run", str(kept / "scenario.toml"), "--seed", str(row["seed"]), "--no-report", "--out", str(tmp_path)])
        == 1
    )
    assert (tmp_path / RECORD).read_bytes() == (kept / RECORD).read_bytes()
    again = load(str(kept / "scenario.toml"))
    assert (again.seed, again.terminals["bravo"].flight.tracking.law) == (row["seed"], row[LAW])
    assert json.loads((tmp_path / "summary.json").read_text())["modes"]["alpha"]["SCAN"] == row["modes.alpha.SCAN"]


def test_every_failed_run_has_its_record(plan, reference, tmp_path):
    said = []
    campaign(plan, tmp_path, HERE, recorded=lambda done, total: said.append((done, total)))
    missed = [row["run"] for row in table(reference).to_pylist() if not row["goal_met"]]
    assert len(missed) > 1
    assert said == [(i + 1, len(missed)) for i in range(len(missed))]
    assert {int(path.parent.name) for path in tmp_path.rglob(RECORD)} == set(missed)


@pytest.mark.parametrize("fail", [raise_full, raise_full_behind_an_error])
def test_a_disk_that_is_full_for_a_record_keeps_the_table_and_the_record_is_made_later(
    plan, reference, tmp_path, monkeypatch, fail
):
    make, count = hil.failed_run.run, []

    def full(scenario, folder):
        count.append(folder)
        if len(count) == 2:
            (folder / RECORD).write_bytes(b"half")
            fail()
        return make(scenario, folder)

    monkeypatch.setattr(hil.failed_run, "run", full)
    with pytest.raises(ConfigError, match=r"No space left on device.*--resume"):
        campaign(plan, tmp_path, HERE)
    assert table(tmp_path).equals(table(reference))
    assert len(list((tmp_path / "failed").iterdir())) == 1
    campaign(plan, tmp_path, HERE, resume=True)
    for kept in (reference / "failed").iterdir():
        assert (tmp_path / "failed" / kept.name / RECORD).read_bytes() == (kept / RECORD).read_bytes()
    assert not list(tmp_path.rglob("error.txt"))


def test_a_folder_in_which_a_campaign_is_under_way_is_refused_in_one_line(command, tmp_path, monkeypatch, capsys):
    add, codes = CampaignStore.add, []

    def another(self, batch):
        add(self, batch)
        if not codes:
            codes.append(command("--resume"))

    monkeypatch.setattr(CampaignStore, "add", another)
    assert command() == 0
    assert codes == [2]
    said = capsys.readouterr().err
    assert f"{tmp_path / 'out'}: expected a folder that no other process is at work with" in said
    assert said.count("\n") == 1


@pytest.mark.parametrize("name", list(shipped()))
def test_a_scenario_comes_back_from_its_file(name, tmp_path):
    path = tmp_path / "scenario.toml"
    path.write_text(as_toml(load(name)))
    assert load(str(path)) == load(name)


def test_a_run_that_raises_has_its_row_and_the_others_go_on(plan, reference, tmp_path, monkeypatch):
    poor, _ = plan.draw(7)
    make = hil.campaign_batch.summarise

    def summarise(scenario, seed, *others):
        if seed == poor:
            raise ZeroDivisionError("by nought")
        return make(scenario, seed, *others)

    monkeypatch.setattr(hil.campaign_batch, "summarise", summarise)
    campaign(plan, tmp_path, HERE)
    rows, expected = table(tmp_path).to_pylist(), table(reference).to_pylist()
    assert rows[7]["error"] == "ZeroDivisionError: by nought"
    assert (rows[7]["seed"], rows[7]["goal_met"], rows[7]["acquisition.acquired"]) == (poor, False, False)
    assert rows[7]["acquisition.time_s"] is None
    assert rows[:7] + rows[8:] == expected[:7] + expected[8:]
    assert (tmp_path / "failed" / "7" / "scenario.toml").exists()


@pytest.mark.parametrize("fail", [raise_full, raise_full_behind_an_error])
def test_a_disk_that_is_full_at_a_worker_is_no_property_of_the_run(plan, tmp_path, monkeypatch, fail):
    monkeypatch.setattr(hil.campaign_batch, "summarise", fail)
    with pytest.raises(ConfigError, match=r"No space left on device.*--resume"):
        campaign(plan, tmp_path, HERE)
    assert not list((tmp_path / "parts").iterdir())


def test_until_the_end_the_goal_is_that_of_the_run(plan, tmp_path):
    whole = plan.model_copy(
        update={"until": "end", "runs": 1, "scenario": plan.scenario.model_copy(update={"duration_s": 6})}
    )
    campaign(whole, tmp_path / "out", HERE)
    row = table(tmp_path / "out").to_pylist()[0]
    alone = run(whole.scenario_of(0), tmp_path / "alone", row["seed"])
    assert row["goal_met"] == alone.summary["goal_met"]
    tracking = alone.summary["tracking"]["alpha"]
    assert [row[f"tracking.alpha.residual_rms_urad.{axis}"] for axis in "xy"] == tracking["residual_rms_urad"]
    budget = alone.summary["link"]["budget"]["bravo"][-1]
    assert row["link.budget.bravo.power_on_the_communication_receiver_dbm"] == budget["value"]
    assert row["performance.simulated_s"] == 6.0


@pytest.mark.parametrize("workers", [HERE, SHUFFLED], ids=["in order", "out of order"])
def test_a_campaign_stops_at_the_first_run_where_the_interval_is_narrow(plan, reference, tmp_path, workers):
    rows = table(reference)
    acquired = rows["acquisition.acquired"].to_pylist()
    widths = []
    for count in range(1, 21):
        interval = binomtest(sum(acquired[:count]), count).proportion_ci(0.95, method="wilson")
        widths.append(interval.high - interval.low)
    expected = next(i for i, width in enumerate(widths) if width < 0.35) + 1
    assert 5 < expected < 20
    campaign(plan.model_copy(update={"stop_when": "ci(p_acquired) < 0.35"}), tmp_path, workers)
    assert table(tmp_path).to_pylist() == rows.slice(0, expected).to_pylist()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--vary", "both.hardware.platform.scal=1"], "the nearest is both.hardware.platform.scale"),
        (["--vary", "both.hardware.platform.scale=uniform(2, 1)"], "expected uniform(a, b) with a < b"),
        (["--vary", "both.hardware.platform.scale=normal(1, 10)"], "both.hardware.platform.scale="),
        (["--vary", "sample_rate_hz=choice(1000, 1050)"], "sample_rate_hz=1050: sample_rate_hz"),
        (["--grid", "duration_s=0,1"], "duration_s: Input should be greater than 0, found 0"),
        (["--vary", f"{LAW}=pi"], "set by"),
        (["--vary", "x"], "--vary x: expected KEY="),
        (["--vary", f"{ERROR}=1"], f"--vary {ERROR}: expected once"),
        (["--stop-when", "ci(p_acquired) < 2"], "--stop-when: expected ci(p_acquired) < X"),
        (["--stop-when", "soon"], "--stop-when: expected ci(p_acquired) < X"),
        (["--runs", "0"], "--runs: expected at least 1, found 0"),
        (["--jobs", "0"], "--jobs: expected at least 1, found 0"),
        (["--seed", "-1"], "--seed: expected at least 0, found -1"),
        (["--vary", "terminals.bravo.orbit.kepler.mean_anomaly_deg=180"], "expected alpha and bravo in sight"),
    ],
)
def test_bad_input_is_said_in_one_line_before_anything_runs(command, tmp_path, capsys, words, said):
    assert command(*words) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"seed": 12}, "another seed: 11, and not 12"),
        ({"runs": 30}, "another runs: 10, and not 30"),
        ({"vary": {}}, "another vary"),
        ({"beamlock": "9.9"}, "another beamlock"),
        ({}, "go on with --resume"),
    ],
)
def test_a_folder_with_another_campaign_or_one_begun_is_refused(plan, reference, change, said):
    before = {path: path.read_bytes() for path in reference.iterdir() if path.is_file()}
    with pytest.raises(ConfigError, match=said):
        campaign(plan.model_copy(update=change), reference, HERE)
    assert {path: path.read_bytes() for path in reference.iterdir() if path.is_file()} == before


def test_a_campaign_that_is_complete_has_nothing_left_to_do(plan, reference):
    before = (reference / TABLE).stat().st_mtime_ns
    campaign(plan, reference, HERE, resume=True, progress=lambda _: pytest.fail("a run was done again"))
    assert (reference / TABLE).stat().st_mtime_ns == before


@pytest.mark.parametrize("text", ["", "{}", "[1]", "\0"])
def test_a_plan_that_cannot_be_read_is_said(tmp_path, text):
    (tmp_path / "campaign.json").write_text(text)
    with pytest.raises(ConfigError, match=r"campaign\.json: expected a campaign"):
        read(tmp_path)


def test_a_scheduler_that_does_not_answer_is_said_with_its_address(monkeypatch):
    monkeypatch.setattr(hil.workers, "ANSWER_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        address = f"tcp://127.0.0.1:{mute.getsockname()[1]}"
        with pytest.raises(ConfigError, match=f"--dask {address}: expected a Dask scheduler that answers within 0.2 s"):
            dask(address)


@pytest.mark.parametrize("address", ["nonsense://x:1", "tcp://", "tcp://no.such.host.invalid:1"])
def test_an_address_that_is_none_is_said(monkeypatch, address):
    monkeypatch.setattr(hil.workers, "ANSWER_S", 0.2)
    with pytest.raises(ConfigError, match=f"--dask {address}: expected"):
        dask(address)


def test_a_task_that_kills_its_worker_each_time_is_said():
    class Deadly(Executor):
        def submit(self, task, /, *arguments):
            future = Future()
            if arguments == (2,):
                future.set_exception(BrokenExecutor())
            else:
                future.set_result(task(*arguments))
            return future

    found = []
    with pytest.raises(ConfigError, match=r"expected to live, found 3 that died in a row, at \(2,\)"):
        found.extend(Workers(1, partial(started, Deadly)).results(abs, [(1,), (2,), (3,)]))


def test_workers_that_are_gone_are_said():
    class Gone(Executor):
        def submit(self, task, /, *arguments):
            future = Future()
            future.cancel()
            future.set_running_or_notify_cancel()
            return future

    with pytest.raises(ConfigError, match=r"found them gone; .*--resume"):
        list(Workers(1, partial(started, Gone)).results(abs, [(1,)]))
