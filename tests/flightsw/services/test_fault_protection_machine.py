"""Any sequence of telecommands, faults and wrong clocks: light leaves where it may, the mirror stays within its range.

A state machine of hypothesis sends packets and breaks devices. After every step must hold: no emission outside of the
modes that emit, no mirror command beyond the range, SAFE left by STANDBY alone, and nothing raised.
"""

import math
import struct
from collections import Counter
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from spacepackets.ecss.tc import PusTc

from flightsw.pat.modes import EMITTING, Command, Mode
from flightsw.services.commanding import Commanding
from flightsw.services.declarations import time_octets
from flightsw.services.dictionary import COMMANDS

STANDBY, ACQUIRE = b"\x02", b"\x01"
#: Of the default settings.
MIRROR_LIMIT_RAD = 1500e-6
WRONG = st.sampled_from([math.nan, math.inf, -math.inf, 1e30, -1.0, 1.0, 2e-3, 4e-4])

_numbers = {"u1": ">B", "u2": ">H", "u4": ">I", "f4": ">f", "f8": ">d"}


def telecommand(service, subtype, data):
    return bytes(PusTc(service=service, message_subtype=subtype, apid=1, app_data=data, ack_flags=0b1111).pack())


@st.composite
def valued(draw, item):
    """Octets of an argument, within its range or not."""
    if item.fixed is not None:
        return item.encode(item.fixed)
    if item.states:
        return bytes([draw(st.integers(0, len(item.states)))])
    if item.kind == "time":
        return time_octets(draw(st.integers(0, 10**9)))
    if item.kind == "octets":
        return telecommand(8, 1, draw(st.sampled_from([STANDBY, ACQUIRE + b"\x00", b"\x03"])))
    if item.kind == "text":
        return item.encode(draw(st.text(max_size=9)))
    if item.kind.startswith("f"):
        return struct.pack(_numbers[item.kind], draw(st.floats(-1e-3, 1e-3)))
    highest = 256 ** int(item.kind[1]) - 1
    return struct.pack(_numbers[item.kind], draw(st.sampled_from([0, 1, 2, 257, 300, highest]).filter(highest.__ge__)))


@st.composite
def telecommands(draw):
    kind = draw(st.sampled_from(sorted(COMMANDS.values(), key=lambda kind: kind.name)))
    return telecommand(kind.service, kind.subtype, b"".join(draw(valued(item)) for item in kind.arguments))


class Flight(RuleBasedStateMachine):
    """make: a terminal on the bench; steps: what was done by all machines, by kind."""

    make = None
    steps: ClassVar[Counter] = Counter()

    @initialize()
    def begin(self):
        self.terminal = Flight.make()
        self.devices = self.terminal.devices
        self.commanding = Commanding(self.terminal)
        self.obey, self.terminal.command, self.asked = self.terminal.command, self.ask, set()
        self.now_s = 10.0
        self.frames(1)

    def ask(self, command, *role):
        """What a telecommand comes to, seen on its way to the mode manager."""
        self.asked.add(command)
        self.obey(command, *role)

    # ------------------------------------------------------------------ commands

    @rule(role=st.integers(0, 2))
    def acquire(self, role):
        self.receive(telecommand(8, 1, ACQUIRE + bytes([role])))

    @rule()
    def standby(self):
        self.receive(telecommand(8, 1, STANDBY))

    @rule(packet=telecommands())
    def command(self, packet):
        self.receive(packet)

    @rule(octets=st.binary(max_size=40))
    def noise(self, octets):
        self.receive(octets)

    @rule(packet=telecommands(), at=st.integers(0), bit=st.integers(0, 7))
    def flipped(self, packet, at, bit):
        octets = bytearray(packet)
        octets[at % len(octets)] ^= 1 << bit
        self.receive(bytes(octets))

    # ------------------------------------------------------------------ the world

    @rule(column=st.none() | st.integers(-9, 9))
    def show(self, column):
        Flight.steps["world"] += 1
        self.devices.camera.spot = column

    @rule(power_w=st.sampled_from([0.0, 1e-6]), error_rad=st.sampled_from([0.0, 1e-6, 3e-5]))
    def shine(self, power_w, error_rad):
        Flight.steps["world"] += 1
        samples = self.devices.fine_loop.samples
        samples[:] = 0
        samples["power_w"], samples["error_x"] = power_w, error_rad

    @rule(depth=st.integers(0, 4), role=st.integers(1, 2))
    def link(self, depth, role):
        """As it goes without faults: to a search, a partner, a link, and its loss."""
        self.repair()
        self.standby()
        self.frames(2)
        self.acquire(role)
        self.frames(6)
        for do, frames in (
            (lambda: None, 25),
            (lambda: self.show(1), 6),
            (lambda: self.shine(1e-6, 0.0), 60),
            (lambda: [self.show(None), self.shine(0.0, 0.0)], 260),
        )[:depth]:
            do()
            self.frames(frames)

    # ------------------------------------------------------------------ faults

    @rule(field=st.sampled_from(["error_x", "error_y", "mirror_x", "mirror_y", "power_w"]), value=WRONG)
    def break_loop(self, field, value):
        Flight.steps["fault"] += 1
        self.devices.fine_loop.samples[field][:5] = value

    @rule(off=WRONG)
    def break_encoder(self, off):
        Flight.steps["fault"] += 1
        self.devices.gimbal.off = off

    @rule(off=WRONG)
    def break_point_ahead(self, off):
        Flight.steps["fault"] += 1
        self.devices.point_ahead.off = off

    @rule(device=st.sampled_from(["camera", "laser"]), how=st.sampled_from(["dead", "leaks"]), on=st.booleans())
    def break_device(self, device, how, on):
        Flight.steps["fault"] += 1
        setattr(getattr(self.devices, device), how, on)

    @rule(on=st.booleans())
    def break_gimbal(self, on):
        Flight.steps["fault"] += 1
        self.devices.gimbal.broken = on

    @rule()
    def repair(self):
        Flight.steps["world"] += 1
        devices = self.devices
        devices.gimbal.off = devices.point_ahead.off = 0.0
        devices.gimbal.broken = devices.camera.dead = devices.laser.dead = devices.laser.leaks = False
        devices.fine_loop.samples[:] = 0
        devices.camera.spot = None

    @rule(step_s=st.sampled_from([0.06, 3.0, 100.0, -0.06, -3.0, -0.01]))
    def jump(self, step_s):
        Flight.steps["fault"] += 1
        self.now_s = max(self.now_s + step_s, 0.02)
        self.frames(1)

    @rule(periods=st.integers(1, 15))
    def hang(self, periods):
        Flight.steps["fault"] += 1
        for _ in range(periods):
            before = self.terminal.mode
            self.terminal.watchdog.tick()
            self.judge(before)

    # ------------------------------------------------------------------ time

    @rule(count=st.sampled_from([1, 2, 6, 25]))
    def frames(self, count):
        for _ in range(count):
            Flight.steps["frame"] += 1
            self.now_s += 0.01
            before = self.terminal.mode
            self.terminal.watchdog.tick()
            self.terminal.frame(self.now_s)
            self.judge(before)
            # a frame has used it up; what the schedule asks for now is for the next one
            self.asked.clear()
            self.commanding.frame(self.now_s)
            self.terminal.events.clear()

    def receive(self, packet):
        Flight.steps["command"] += 1
        self.commanding.receive(packet, self.now_s)

    def judge(self, before):
        mode = self.terminal.mode
        Flight.steps[mode] += 1
        if before == Mode.SAFE and mode != Mode.SAFE:
            assert mode == Mode.STANDBY and Command.STANDBY in self.asked
        self.emission_and_mirror()

    @invariant()
    def emission_and_mirror(self):
        if hasattr(self, "terminal"):
            assert not any(self.devices.laser.on) or self.terminal.mode in EMITTING
            assert self.devices.fine_loop.asked <= MIRROR_LIMIT_RAD
            assert np.isfinite(self.devices.gimbal.at).all() and np.isfinite(self.devices.point_ahead.at).all()


def fly(make_terminal, examples, steps):
    Flight.make, Flight.steps = make_terminal, Counter()
    chosen = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        derandomize=True,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Flight, settings=chosen)
    assert all(Flight.steps[mode] for mode in Mode), Flight.steps
    return Flight.steps


def test_no_sequence_of_commands_and_faults_lights_the_laser_where_it_must_be_dark(make_terminal):
    steps = fly(make_terminal, 30, 60)
    assert steps["command"] + steps["fault"] > 900


@pytest.mark.slow
def test_nor_do_a_hundred_thousand(make_terminal):
    steps = fly(make_terminal, 1500, 120)
    print(dict(steps))
    assert steps["command"] + steps["fault"] >= 100_000
