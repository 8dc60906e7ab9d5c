"""One run from scenario to report: what `beamlock run` does."""

import json
import math
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flightsw.errors import ConfigError
from flightsw.hal import FRAME_RATE_HZ
from flightsw.pat.modes import Mode
from hil.attached import AttachedDevices
from hil.bench import ALL_SIMULATED, Bench, Rtl, Simulated, check
from hil.compilation import compile_kernels
from hil.data_link import DataLink
from hil.encoders import PYTHON, EncoderKind, board_encoder_kind, encoder_kind
from hil.faults import FaultModel
from hil.ground.spacecraft import GroundSettings, Spacecraft, remembered
from hil.lockstep import Lockstep, Outcome
from hil.protocol import Kind
from hil.realtime import Pacer, RealTimeModel, real_time
from hil.recorder import Recorder
from hil.scenario import Scenario
from hil.world import build
from sim.link_budget import budget, dbm

RECORD = "record.mcap"
EVENTS = "events.jsonl"
SUMMARY = "summary.json"
REPORT = "report.html"


@dataclass(frozen=True, slots=True)
class Run:
    """A finished run: its folder and its summary."""

    folder: Path
    summary: dict[str, Any]

    @property
    def goal_met(self) -> bool:
        """Both terminals acquired and were in COMM at the end."""
        return bool(self.summary["goal_met"])


def run(
    scenario: Scenario,
    folder: Path,
    seed: int | None = None,
    duration_s: float | None = None,
    progress: Callable[[float, float], None] | None = None,
    payload: bytes | None = None,
    encoder: EncoderKind = PYTHON,
    bench: Bench = ALL_SIMULATED,
    faults: Sequence[FaultModel] = (),
    announce: Callable[[str], None] | None = None,
    ground: GroundSettings | None = None,
) -> Run:
    """Run a scenario with the devices of a bench; record, events and summary go to `folder`.

    payload: sent during COMM, through `encoder` at both ends but where the bench has another; faults: on the lines of
    devices, beside those of the scenario; announce: called with a line that a person should read; ground: links to the
    ground, which run in wall time and leave the timeline's commands to the operator.

    Raises ConfigError if the scenario cannot be run, or the folder cannot be written, and DeviceError or ProtocolError
    if a device is not there, or not the one that it should be, at the start.
    """
    check(bench, scenario)
    if bench.sample_rate_hz is not None:
        scenario = scenario.model_copy(update={"sample_rate_hz": bench.sample_rate_hz})
    seed = scenario.seed if seed is None else seed
    duration_s = math.floor(scenario.duration_s if duration_s is None else duration_s)
    if duration_s < 1:
        raise ConfigError(f"duration: expected at least 1 s, found {duration_s:g} s")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{folder}: expected a folder that can be made, found: {error.strerror}") from None
    for stale in (EVENTS, SUMMARY, REPORT):
        (folder / stale).unlink(missing_ok=True)
    compile_s = compile_kernels()
    world = build(scenario, seed, duration_s, folder)
    as_json = json.dumps({**scenario.model_dump(mode="json"), "seed": seed, "duration_s": duration_s}).encode()
    with ExitStack() as stack:
        attached = pacer = None
        memories = [] if ground is None else stack.enter_context(remembered(ground, scenario, folder))
        faults = (*scenario.faults, *faults)
        if faults or any(bench.terminal(name).bound for name in world.names):
            attached = stack.enter_context(AttachedDevices(bench, scenario, seed, faults))
        wall_time = bench.real_time or (None if ground is None else RealTimeModel())
        if wall_time is not None:
            for note in stack.enter_context(real_time(wall_time)):
                (announce or _ignore)(note)
            host_closes = attached is not None and attached.host_closes_a_loop
            pacer = Pacer(scenario.sample_rate_hz if host_closes else FRAME_RATE_HZ, wall_time)
        parameters = [memory.parameters for memory in memories] or (None, None)
        engine = Lockstep(scenario, world, attached, pacer, parameters, ground is not None)
        spacecraft = [
            stack.enter_context(Spacecraft(terminal, memory, scenario.epoch))
            for terminal, memory in zip(engine.terminals, memories, strict=False)
        ]
        for each in spacecraft:
            (announce or _ignore)(each.about)
        recorder = stack.enter_context(Recorder(folder / RECORD, world.names, as_json, scenario.sample_rate_hz))
        if attached is not None:
            about = {
                "devices": attached.bindings(),
                "encoder_rate_mbps": bench.encoder_rate_mbps,
                "timeout_ms": bench.timeout_ms,
            }
            recorder.bench(about, payload or b"")
        data = None
        if payload is not None:
            encoders = encoders_of(bench, scenario, attached, encoder, announce)
            data = DataLink(scenario, world, payload, seed, encoders)
        outcome = engine.run(recorder, progress, data=data, ground=[each.frame for each in spacecraft])
        devices = None if attached is None else attached.summary()
    with (folder / EVENTS).open("w") as file:
        for terminal, event in outcome.events:
            row = {
                "time_s": round(event.time_s, 6),
                "terminal": terminal,
                "severity": event.severity.name,
                "name": event.name,
                "text": event.text,
            }
            file.write(json.dumps(row) + "\n")
    summary = summarise(scenario, seed, engine, outcome, compile_s)
    if devices is not None:
        summary["devices"] = devices
    if pacer is not None:
        summary["real_time"] = pacer.summary()
    latencies = {**({} if pacer is None else pacer.latencies()), **({} if attached is None else attached.latencies())}
    if spacecraft:
        summary["ground"] = {each.name: each.summary() for each in spacecraft}
    if latencies:
        summary["latency"] = {name: latency.state() for name, latency in latencies.items()}
    if data is not None:
        summary["data"] = data.summary()
        summary["goal_met"] = summary["goal_met"] and data.arrived
    (folder / SUMMARY).write_text(json.dumps(summary, indent=2) + "\n")
    return Run(folder, summary)


def summarise(scenario: Scenario, seed: int, engine: Lockstep, outcome: Outcome, compile_s: float) -> dict[str, Any]:
    """The figures of a run, as `summary.json` has them: units in the keys, null where there is nothing to say."""
    world, rate = engine.world, scenario.sample_rate_hz
    models = list(scenario.terminals.values())
    last = world.frames[min(round(outcome.simulated_s * 100), len(world.frames)) - 1]
    in_comm = all(t.status.mode == Mode.COMM for t in engine.terminals)
    tracking, power, fades, budgets = {}, {}, {}, {}
    for i, name in enumerate(world.names):
        c = engine.tally[i]
        n, lit = int(c["samples"]), int(c["lit"])
        x, y = (math.sqrt(c[key] / lit) * 1e6 if lit else None for key in ("square_x", "square_y"))
        tracking[name] = {
            "residual_rms_urad": [_short(x), _short(y)],
            "residual_radial_rms_urad": _short(math.hypot(x, y)) if x is not None and y is not None else None,
            "comm_s": n / rate,
            "dark_s": (n - lit) / rate,
            "law": models[i].flight.tracking.law,
            "loop": _loop(engine, i),
        }
        power[name] = _short(dbm(c["power_w"] / lit)) if lit else None
        count = int(c["fades"])
        fades[name] = {
            "below_dbm": scenario.fade_dbm,
            "count": count,
            "share": float(c["faded"]) / n if n else None,
            "mean_ms": float(c["faded"]) / count / rate * 1e3 if count else None,
            "longest_ms": float(c["longest"]) / rate * 1e3,
        }
        # the light that a terminal receives left its partner: the partner's pointing loss belongs to this row
        other = engine.tally[1 - i]
        loss = float(other["transmit_gain"] / other["lit"]) if other["lit"] else 1.0
        partner = models[1 - i].hardware
        rows = budget(partner.laser, partner.optics, models[i].hardware.optics, float(last[i]["range_m"]), loss)
        budgets[name] = [{"item": item, "value": _short(value), "unit": unit} for item, value, unit in rows]
    return {
        "scenario": scenario.name,
        "seed": seed,
        "goal_met": outcome.acquired_s is not None and in_comm,
        "acquisition": {
            "acquired": outcome.acquired_s is not None,
            "time_s": _short(outcome.acquired_s),
            "attempts": outcome.scans,
            "false_locks": outcome.false_locks,
        },
        "blockages": _blockages(scenario, outcome),
        "tracking": tracking,
        "modes": {
            name: {mode.name: round(s, 2) for mode, s in outcome.mode_s[i].items() if s > 0.0}
            for i, name in enumerate(world.names)
        },
        "link": {
            "range_km": _short(float(last[0]["range_m"]) / 1e3),
            "point_ahead_urad": _short(math.hypot(float(last[0]["lead_x"]), float(last[0]["lead_y"])) * 1e6),
            "received_power_dbm": power,
            "fades": fades,
            "budget": budgets,
        },
        "performance": {
            "simulated_s": round(outcome.simulated_s, 3),
            "wall_s": round(outcome.wall_s, 4),
            "real_time_factor": round(outcome.simulated_s / outcome.wall_s, 1),
            "compile_s": round(compile_s, 3),
        },
    }


def encoders_of(
    bench: Bench,
    scenario: Scenario,
    attached: AttachedDevices | None,
    encoder: EncoderKind = PYTHON,
    announce: Callable[[str], None] | None = None,
) -> list[EncoderKind]:
    """The encoder of each terminal: the bench's, or `encoder` where it has none."""
    kinds = []
    for name in scenario.terminals:
        binding = bench.terminal(name).encoder
        if isinstance(binding, Rtl):
            kinds.append(encoder_kind("rtl", announce))
        elif attached is None or isinstance(binding, Simulated):
            kinds.append(encoder)
        else:
            kinds.append(board_encoder_kind(attached.of(name)[Kind.ENCODER], bench.encoder_rate_mbps))
    return kinds


def _ignore(_: str) -> None:
    """What nobody wants to read."""


def _loop(engine: Lockstep, i: int) -> dict[str, Any]:
    """The fine loop's design at the end of the run, and how often it ran into the mirror's range."""
    gains = engine.terminals[i].gains
    figures = gains.figures()
    tones = zip(gains.tones, figures.tone_rejection_db, strict=True)
    return {
        "expected_residual_urad": _short(figures.residual_rad * 1e6),
        "peak_sensitivity": _short(figures.peak_sensitivity),
        "gain_margin_db": _short(figures.gain_margin_db),
        "delay_margin_ms": _short(figures.delay_margin_s * 1e3),
        "tones": [
            {"frequency_hz": _short(t.frequency_hz), "rms_urad": _short(t.rms_rad * 1e6), "rejection_db": _short(db)}
            for t, db in tones
        ],
        "saturated_share": engine.saturated_share(i),
    }


def _blockages(scenario: Scenario, outcome: Outcome) -> list[dict[str, Any]]:
    """What became of the lock in each blockage of the timeline: held through, or lost and how soon it was back."""
    rows = []
    for entry in scenario.timeline:
        if entry.fault != "blockage" or entry.duration_s is None or entry.at_s > outcome.simulated_s:
            continue
        end = entry.at_s + entry.duration_s
        lost = next((t for t, locked in outcome.locked if not locked and entry.at_s <= t <= end + 1.0), None)
        back = next((t for t, locked in outcome.locked if lost is not None and locked and t > lost), None)
        rows.append(
            {
                "at_s": entry.at_s,
                "duration_s": entry.duration_s,
                "held": lost is None,
                "back_after_s": _short(back - end) if back is not None else None,
            }
        )
    return rows


def _short(value: float | None) -> float | None:
    """Six significant digits; null for what is not a number or not finite."""
    return float(f"{value:.6g}") if value is not None and math.isfinite(value) else None
