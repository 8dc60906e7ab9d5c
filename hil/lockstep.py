"""The lockstep engine: simulated time, as fast as the machine goes.

Each frame of 10 ms the compiled kernel steps both terminals' hardware and fine loops; then the flight software of each
runs one frame on what its devices measured. The same scenario and seed give the same octets, on any run.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from flightsw.hal import FRAME_RATE_HZ, FRAME_S, SAMPLE
from flightsw.pat import fine_loop
from flightsw.pat.detection import hot_pixel_mask
from flightsw.pat.modes import CLOSED, Mode
from flightsw.services.events import Event, Severity
from flightsw.services.parameters import Parameters
from flightsw.terminal import Terminal
from hil.attached import AttachedDevices
from hil.data_link import STRIP, DataLink
from hil.equipment import Equipment
from hil.kernel import TALLY, TRUTH, run_frame
from hil.mixed import MixedHardware, Station
from hil.realtime import Pacer
from hil.recorder import HOUSEKEEPING_HZ, Recorder
from hil.scenario import Scenario
from hil.simulated import Clock, SimulatedDevices
from hil.timeline import EARTH, Timeline
from hil.world import World
from sim.terminal import TERMINAL

WORLD = "world"
_DARK_IMAGES = 16
_HOUSEKEEPING_FRAMES = FRAME_RATE_HZ // HOUSEKEEPING_HZ
#: A spot that is believed farther than this from where light was is a false lock.
_FALSE_LOCK_RAD = 90e-6
#: Of a terminal's clock, while the fault is in force.
_CLOCK_JUMP_S = 10.0


@dataclass(slots=True)
class Outcome:
    """What a run came to. Lists have one entry a terminal; times are in s."""

    acquired_s: float | None = None
    scans: int = 0
    locked: list[tuple[float, bool]] = field(default_factory=list)  # when both fine loops closed, or one opened
    mode_s: list[dict[Mode, float]] = field(default_factory=lambda: [dict.fromkeys(Mode, 0.0) for _ in range(2)])
    events: list[tuple[str, Event]] = field(default_factory=list)
    false_locks: int = 0
    simulated_s: float = 0.0
    wall_s: float = 0.0


class Lockstep:
    """One run of two terminals in simulated time."""

    def __init__(
        self,
        scenario: Scenario,
        world: World,
        attached: AttachedDevices | None = None,
        pacer: Pacer | None = None,
        parameters: Sequence[Parameters | None] = (None, None),
        from_ground: bool = False,
    ) -> None:
        """`attached`: devices that are not simulated; `pacer`: keeps wall time, of samples where the host closes a fine
        loop over attached devices, else of frames; `parameters`: those of each terminal, none for the defaults;
        `from_ground`: the timeline's commands are left to operators.
        """
        rate = scenario.sample_rate_hz
        block = rate // FRAME_RATE_HZ
        self.world = world
        self.outcome = Outcome()
        self.clock = Clock()
        self.tally = np.zeros(2, TALLY)
        self.tally["fade_w"] = 1e-3 * 10.0 ** (scenario.fade_dbm / 10.0)
        self._step_s = 1.0 / rate
        self._block = block
        self._records = np.zeros(2, TERMINAL)
        for i in range(2):
            self._records[i] = world.hardware[i].record
        self._parameters = np.zeros(2, fine_loop.PARAMETERS)
        self._states = np.zeros(2, fine_loop.STATE)
        self._set_points = np.zeros((2, block, 2))
        longest = float(world.frames["light_time_s"].max()) * rate + 2.0
        self._ring = np.zeros((2, 1 << math.ceil(math.log2(longest + block)), 2))
        self._platform_columns = np.array([h.platform_columns for h in world.hardware])
        self._noise = (
            np.zeros((block, world.hardware[0].noise_columns)),
            np.zeros((block, world.hardware[1].noise_columns)),
        )
        self._samples = np.zeros((2, rate), SAMPLE)
        self._truth = np.zeros((2, rate), TRUTH)
        # views for each frame of a second, made once: making them anew costs as much as the mode manager
        slots = [slice(k * block, (k + 1) * block) for k in range(FRAME_RATE_HZ)]
        self._samples_of = [self._samples[:, s] for s in slots]
        self._truth_of = [self._truth[:, s] for s in slots]
        self._in_comm = [self.tally["on"][i : i + 1] for i in range(2)]

        models = list(scenario.terminals.values())
        self.devices: list[SimulatedDevices] = []
        self.terminals: list[Terminal] = []
        self._equipment: list[Equipment] = []
        for i, name in enumerate(world.names):
            blocks = [self._samples[i, s] for s in slots]
            equipment = Equipment(
                self._station(i, blocks),
                blocks,
                world.hardware[i],
                world.sky[i],
                self.clock,
                self._step_s,
                {} if attached is None else attached.of(name),
            )
            dark = equipment.devices.camera.dark_images(_DARK_IMAGES)
            hot = hot_pixel_mask(dark, models[i].flight.detection.read_noise_electrons)
            partner = models[1 - i].flight
            plan = partner.spacecraft_id, partner.acquisition.role
            self.devices.append(equipment.devices)
            self.terminals.append(
                Terminal(name, models[i].flight, equipment.devices, world.profiles[i], *plan, hot, parameters[i])
            )
            self._equipment.append(equipment)
        self._attached = attached
        self._pacer = pacer
        self._late = 0
        self._mixed = None if attached is None and pacer is None else self._mix(pacer)
        self._timeline = Timeline(scenario.timeline, world.names, world.blocked, from_ground)
        self._faults: set[tuple[int, str]] = set()
        # terminals whose frames are run, and by how much their clocks are wrong
        self._flying = [(terminal, 0.0) for terminal in self.terminals]
        self._locked = False

    def saturated_share(self, i: int) -> float:
        """Share of the samples of terminal `i` whose mirror command was clamped to the range."""
        return float(self._states["saturated"][i]) / max(float(self._states["samples"][i]), 1.0)

    def _station(self, i: int, blocks: list[NDArray[np.void]]) -> Station:
        one = slice(i, i + 1)
        return Station(
            hardware=self._records[one],
            parameters=self._parameters[one],
            state=self._states[one],
            tally=self.tally[one],
            geometry=self.world.frames[:, i],
            columns=int(self._platform_columns[i]),
            set_points=self._set_points[i],
            own=self._ring[i],
            other=self._ring[1 - i],
            noise=[self._noise[i]] * FRAME_RATE_HZ,
            samples=blocks,
            truth=[truth[i] for truth in self._truth_of],
        )

    def _mix(self, pacer: Pacer | None) -> MixedHardware:
        return MixedHardware(
            [equipment.turns for equipment in self._equipment],
            [equipment.gimbal for equipment in self._equipment if equipment.gimbal is not None],
            self.world.frames,
            self._step_s,
            self._block,
            pacer,
        )

    def run(
        self,
        recorder: Recorder | None = None,
        progress: Callable[[float, float], None] | None = None,
        until: Callable[[Outcome], bool] | None = None,
        data: DataLink | None = None,
        ground: Sequence[Callable[[float], None]] = (),
    ) -> Outcome:
        """Run to the end of the scenario, or until `until` says so.

        progress: called every simulated second with the simulated and the wall time since the start, in s; data: what
        the link carries; ground: links of the terminals to the ground, called with the time in each frame, behind both.
        """
        outcome, clock = self.outcome, self.clock
        begin = time.perf_counter()
        for f in range(len(self.world.frames)):
            self.step_hardware(f)
            slot = f % FRAME_RATE_HZ
            before, now = clock.now_s, (f + 1) * FRAME_S
            clock.now_s, clock.slot = now, slot
            if self._timeline.next_s <= now:
                self._apply_timeline(before, now)
            self._shine(f)
            if self._attached is not None:
                self._look_after(self._attached, now)
            for terminal in self.terminals:
                terminal.watchdog.tick()
            for terminal, error_s in self._flying:
                terminal.frame(now + error_s)
            for link in ground:
                link(now)
            self._observe(now, recorder)
            if self._attached is not None and recorder is not None:
                for traffic in self._attached.traffic():
                    recorder.traffic(now, *traffic)
            if data is not None:
                light_time_s = float(self.world.frames[f][0]["light_time_s"])
                in_comm = [terminal.status.mode == Mode.COMM for terminal in self.terminals]
                data.frame(now, self._truth_of[slot]["power_w"], in_comm, light_time_s)
            if recorder is not None and f % _HOUSEKEEPING_FRAMES == _HOUSEKEEPING_FRAMES - 1:
                recorder.housekeeping(now, [terminal.status for terminal in self.terminals])
            if slot == FRAME_RATE_HZ - 1:
                if recorder is not None:
                    if data is not None:
                        recorder.data(now, np.array(data.strip[-FRAME_RATE_HZ:], STRIP))
                    recorder.second(now, self._samples, self._truth)
                if self._pacer is not None:
                    self._report_lateness(self._pacer, now)
                if progress is not None:
                    progress(now, time.perf_counter() - begin)
            if until is not None and until(outcome):
                break
        outcome.simulated_s = clock.now_s
        outcome.wall_s = time.perf_counter() - begin
        outcome.scans = max(terminal.status.scans for terminal in self.terminals)
        return outcome

    def step_hardware(self, frame: int) -> None:
        """Run the hardware and the fine loops of both terminals through one frame."""
        slot = frame % FRAME_RATE_HZ
        for devices in self.devices:
            devices.laser.step()
        for hardware, noise in zip(self.world.hardware, self._noise, strict=True):
            hardware.draw_noise(noise)
        if self._mixed is not None:
            self._mixed.step(frame, slot)
            return
        run_frame(
            frame * self._block,
            self._step_s,
            self._records,
            self._parameters,
            self._states,
            self.world.frames[frame],
            self._noise,
            self._platform_columns,
            self._set_points,
            self._ring,
            self._samples_of[slot],
            self._truth_of[slot],
            self.tally,
        )

    def _shine(self, frame: int) -> None:
        """The sun on the quad cells."""
        for i, sky in enumerate(self.world.sky):
            if sky.near[frame]:
                cell = self._records[i, ...]["quad_cell"]
                cell["background"] = sky.on_quad_cell[frame] * cell["electrons_per_w"]

    def _apply_timeline(self, before: float, now: float) -> None:
        """Give the commands that are due, and let the faults of this moment, and no others, be in force."""
        for i, command in self._timeline.commands(before if before > 0.0 else -1.0, now):
            self.terminals[i].command(command)
        self._timeline.advance(now)
        faults = self._timeline.in_force(now)
        for i, fault in sorted(faults ^ self._faults):
            begins = (i, fault) in faults
            text = f"{self.world.names[i]}: {fault} {'begins' if begins else 'ends'}"
            self.outcome.events.append((WORLD, Event(now, Severity.INFO, "FAULT", text)))
        self._faults = faults
        for i in range(2):
            record = self._records[i, ...]
            dark = (i, "blockage") in faults or (i, EARTH) in faults
            record["optics"]["clear"] = 0.0 if dark else 1.0
            record["quad_cell"]["dead"] = (i, "quad_cell_dead") in faults
            record["mirror"]["stuck"] = (i, "mirror_stuck") in faults
            self.devices[i].fail({fault for j, fault in faults if j == i})
        self._flying = [
            (terminal, _CLOCK_JUMP_S if (i, "clock_jump") in faults else 0.0)
            for i, terminal in enumerate(self.terminals)
            if (i, "frames_missed") not in faults
        ]

    def _look_after(self, attached: AttachedDevices, now: float) -> None:
        """Bring lost devices back, and note what became of all of them."""
        attached.now_s = now
        for equipment in self._equipment:
            equipment.look_after(now)
        for name, severity, event, text in attached.take_events():
            terminal = self.terminals[self.world.names.index(name)]
            terminal.events.append(Event(now, severity, event, text))

    def _report_lateness(self, pacer: Pacer, now: float) -> None:
        """Say, once a second, how many periods began late."""
        late = pacer.lateness.late + pacer.skipped
        if late > self._late:
            text = f"{late - self._late} periods of the last second began late or were skipped"
            self.outcome.events.append((WORLD, Event(now, Severity.LOW, "LATE", text)))
            self._late = late

    def _observe(self, now: float, recorder: Recorder | None) -> None:
        """Note what happened: modes, events, whether both are locked, and on what."""
        outcome = self.outcome
        closed = True
        for i, terminal in enumerate(self.terminals):
            mode = terminal.status.mode
            outcome.mode_s[i][mode] += FRAME_S
            self._in_comm[i][0] = mode == Mode.COMM
            closed = closed and mode in CLOSED
            if terminal.events:
                if mode == Mode.COARSE_TRACK and any(e.name == "MODE_CHANGE" for e in terminal.events):
                    outcome.false_locks += self._is_false_lock(i)
                if recorder is not None:
                    recorder.events(i, terminal.events)
                outcome.events.extend((terminal.name, event) for event in terminal.events)
                terminal.events.clear()
        if closed != self._locked:
            self._locked = closed
            outcome.locked.append((now, closed))
            if closed and outcome.acquired_s is None:
                outcome.acquired_s = now

    def _is_false_lock(self, i: int) -> bool:
        status = self.terminals[i].status
        light, x, y = self.devices[i].camera.truth
        return light <= 0.0 or math.hypot(status.spot_x - x, status.spot_y - y) > _FALSE_LOCK_RAD
