"""One code path: with attached devices a run is what it is without."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from flightsw.pat.modes import Mode
from hil.attached import AttachedDevices
from hil.bench import ALL_SIMULATED, Bench
from hil.lockstep import Lockstep
from hil.mixed import HostLoop, MixedHardware
from hil.run import run
from hil.scenario import Scenario
from hil.world import build


def bench(devices: dict[str, str], **keys: object) -> Bench:
    return Bench.model_validate({"name": "b", "description": "", "terminals": {"alpha": devices}, **keys})


def engine(scenario: Scenario, folder: Path, duration_s: int = 5) -> Lockstep:
    return Lockstep(scenario, build(scenario, 1, duration_s, folder))


def mix(engine: Lockstep, turns: list[object]) -> None:
    engine._mixed = MixedHardware(turns, [], engine.world.frames, engine._step_s, engine._block, None)


def same(a: Lockstep, b: Lockstep) -> None:
    assert a.outcome.acquired_s == b.outcome.acquired_s is not None
    assert a._samples.tobytes() == b._samples.tobytes()
    assert a._truth.tobytes() == b._truth.tobytes()
    assert a.tally.tobytes() == b.tally.tobytes()


@pytest.fixture(scope="module")
def kernel(scenario, tmp_path_factory):
    run = engine(scenario("leo_crosslink"), tmp_path_factory.mktemp("kernel"))
    run.run()
    return run


def test_turns_of_simulated_terminals_are_the_kernel_s_frame(kernel, scenario, tmp_path):
    turns = engine(scenario("leo_crosslink"), tmp_path)
    mix(turns, [equipment.turns for equipment in turns._equipment])
    turns.run()
    same(turns, kernel)


def test_a_sample_at_a_time_is_the_kernel_s_frame(kernel, scenario, tmp_path):
    sampled = engine(scenario("leo_crosslink"), tmp_path)
    loops = [HostLoop(e.turns._station, sampled._step_s, sampled._block, None, None) for e in sampled._equipment]
    mix(sampled, loops)
    sampled.run()
    same(sampled, kernel)


def test_an_empty_bench_is_the_run_without_one(kernel, scenario, tmp_path):
    s = scenario("leo_crosslink")
    with AttachedDevices(ALL_SIMULATED, s, 1) as attached:
        empty = Lockstep(s, build(s, 1, 5, tmp_path), attached)
        empty.run()
    same(empty, kernel)


ON_USB = dict.fromkeys(
    ("steering_mirror", "quad_cell", "gimbal", "camera", "laser", "point_ahead"),
    "emulate:usb",
)


@pytest.mark.parametrize(
    "devices",
    [
        {"steering_mirror": "emulate:pty", "quad_cell": "emulate:tcp"},
        ON_USB,
        {"fine_loop": "emulate:usb"},
        {"steering_mirror": "emulate:usb"},
        {"quad_cell": "emulate:usb"},
    ],
    ids=lambda devices: ",".join(devices),
)
def test_attached_devices_acquire_when_the_simulated_ones_do(devices, scenario, tmp_path):
    """At 2 kHz, for speed. What differs is noise, and angles and readings in single precision."""
    s = scenario("leo_crosslink", {"/sample_rate_hz": 2000})
    simulated = run(s, tmp_path / "simulated", duration_s=5).summary
    attached = run(s, tmp_path / "attached", duration_s=5, bench=bench(devices, timeout_ms=1000)).summary
    assert attached["goal_met"] and simulated["goal_met"]
    assert attached["acquisition"]["time_s"] == pytest.approx(simulated["acquisition"]["time_s"], abs=0.03)
    for name in ("alpha", "bravo"):
        expected = simulated["tracking"][name]["residual_radial_rms_urad"]
        assert attached["tracking"][name]["residual_radial_rms_urad"] == pytest.approx(expected, rel=0.2)
    rows = attached["devices"]
    assert set(rows) == {f"alpha.{device}" for device in devices}
    for row in rows.values():
        assert row["in_service"] and row["missed"] == row["refused"] == row["times_lost"] == row["bad_frames"] == 0


def test_the_world_takes_the_measured_angle_of_a_mirror(scenario, tmp_path):
    """Bit for bit what the emulator, a `sim.mirror` of its own, tells: the world's own does not move."""
    s = scenario("leo_crosslink", {"/sample_rate_hz": 1000})
    with AttachedDevices(bench({"steering_mirror": "emulate:usb"}), s, 1) as attached:
        engine = Lockstep(s, build(s, 1, 3, tmp_path), attached)
        engine.run()
        emulator = attached._buses["alpha"].emulators[next(iter(attached.of("alpha")))].handler
        measured = np.asarray(emulator.mirror["angle"], np.float32).ravel()
    world = engine._records["mirror"]["angle"][0]
    assert world.tolist() == measured.tolist() != [0.0, 0.0]


def test_a_device_that_was_gone_for_five_seconds_is_back_within_one(scenario, tmp_path):
    s = scenario("leo_crosslink", {"/sample_rate_hz": 1000})
    faults = [
        {"terminal": "alpha", "device": device, "fault": "disconnect", "at_s": 5, "duration_s": 5}
        for device in ("quad_cell", "steering_mirror", "gimbal", "camera", "laser")
    ]
    s = Scenario.model_validate({**s.model_dump(), "faults": faults})
    summary = run(s, tmp_path, duration_s=14, bench=bench(dict.fromkeys(ON_USB, "emulate:usb"), timeout_ms=5)).summary
    events = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    for device in ("quad_cell", "steering_mirror", "gimbal", "camera", "laser"):
        row = summary["devices"][f"alpha.{device}"]
        assert row["in_service"]
        if row["times_lost"]:
            back = [e["time_s"] for e in events if e["name"] == "DEVICE_BACK" and f"alpha-{device}" in e["text"]]
            assert len(back) == 1 and 10.0 <= back[0] <= 11.0
    assert summary["devices"]["alpha.quad_cell"]["times_lost"] == 1
    assert summary["devices"]["alpha.gimbal"]["times_lost"] == 1
    # light is lost with the quad cell, and found again with it
    assert summary["goal_met"] and summary["modes"]["alpha"].get(Mode.SAFE.name) is None
    assert not math.isnan(summary["tracking"]["alpha"]["residual_radial_rms_urad"])
