"""A recorded run again: the same flight software, or another, on the traffic that was recorded.

Devices that were attached are played back, all others simulated as they were. What the flight software commands now is
held against what it commanded then.
"""

import json
import math
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from flightsw.errors import ConfigError
from hil.attached import AttachedDevices
from hil.bench import Bench
from hil.compilation import compile_kernels
from hil.data_link import DataLink
from hil.lockstep import Lockstep
from hil.recorder import BENCH, PAYLOAD, SCENARIO, is_complete, read
from hil.replay import Difference
from hil.run import encoders_of
from hil.scenario import Scenario
from hil.world import build


@dataclass(frozen=True, slots=True)
class Replay:
    """What a replay found.

    differences: of each device, by terminal and kind, the first ones; counts: how many there are of each; commands: how
    many messages each was sent; unplayed: devices of which more was recorded than was asked for now; simulated_s: how
    long the record was; cut: whether it ended before its run did.
    """

    differences: Mapping[str, list[Difference]]
    counts: Mapping[str, int]
    commands: Mapping[str, int]
    unplayed: list[str]
    simulated_s: float
    cut: bool

    @property
    def identical(self) -> bool:
        """Whether every command was what it had been."""
        return not any(self.counts.values()) and not self.unplayed


def replay(path: Path, progress: Callable[[float, float], None] | None = None) -> Replay:
    """Run the flight software again on the traffic in a record.

    Raises ConfigError for a file that is no record, that has no traffic, or of a scenario that is none any more.
    """
    once: dict[str, bytes] = {}
    end_s = 0.0
    for message in read(path):
        if message.topic in (SCENARIO, BENCH, PAYLOAD):
            once[message.topic] = message.data
        elif message.topic.endswith("/traffic"):
            end_s = message.time_s
    if BENCH not in once or not end_s:
        raise ConfigError(
            f"{path}: expected the record of a run with attached devices, found none attached: "
            "run the scenario with --bench, and replay that"
        )
    about = json.loads(once[BENCH])
    cut = not is_complete(path)
    try:
        scenario = Scenario.model_validate_json(once[SCENARIO])
    except ValidationError:
        raise ConfigError(
            f"{path}: expected a scenario as this version of beamlock has them, found another; run it again"
        ) from None
    terminals: dict[str, dict[str, str]] = {}
    for name in about["devices"]:
        terminal, _, device = name.partition(".")
        terminals.setdefault(terminal, {})[device] = f"replay:{path.resolve()}"
    bench = Bench.model_validate(
        {
            "name": "replay",
            "description": "",
            "terminals": terminals,
            "encoder_rate_mbps": about["encoder_rate_mbps"],
            "timeout_ms": about["timeout_ms"],
        }
    )
    compile_kernels()
    with (
        tempfile.TemporaryDirectory() as folder,
        AttachedDevices(bench, scenario, scenario.seed) as attached,
    ):
        world = build(scenario, scenario.seed, math.floor(scenario.duration_s), Path(folder))
        engine = Lockstep(scenario, world, attached)
        payload = once.get(PAYLOAD)
        data = None
        if payload:
            data = DataLink(scenario, world, payload, scenario.seed, encoders_of(bench, scenario, attached))
        until = (lambda _: engine.clock.now_s > end_s - 1e-6) if cut else None
        outcome = engine.run(progress=progress, until=until, data=data)
        playbacks = {f"{terminal}.{kind.label}": playback for (terminal, kind), playback in attached.playbacks.items()}
        return Replay(
            differences={name: playback.differences for name, playback in playbacks.items()},
            counts={name: playback.difference_count for name, playback in playbacks.items()},
            commands={name: row["requests"] for name, row in attached.summary().items()},
            unplayed=[name for name, playback in playbacks.items() if not (playback.is_over or cut)],
            simulated_s=outcome.simulated_s,
            cut=cut,
        )
