"""A link that telecommands bring up, in the loop: alpha is told at once, bravo's schedule does it unattended."""

import pytest
from spacepackets.ecss.tc import PusTc
from spacepackets.ecss.tm import PusTm

from flightsw.pat.modes import Mode
from flightsw.services.commanding import Commanding
from flightsw.services.declarations import time_octets
from hil.compilation import compile_kernels
from hil.lockstep import Lockstep
from hil.scenario import TimelineEntry
from hil.world import build

DURATION_S = 8


def telecommand(service, subtype, data, count=0):
    command = PusTc(service=service, message_subtype=subtype, apid=1, app_data=data, seq_count=count, ack_flags=0b1001)
    return bytes(command.pack())


ACQUIRE = telecommand(8, 1, b"\x01\x00", count=7)
LEARN_TONES = telecommand(8, 1, b"\x04")


def listened(engine):
    """Command handlers of both terminals, and the telemetry of each, as `spacepackets` reads it."""
    handlers = [Commanding(terminal) for terminal in engine.terminals]
    telemetry = [[], []]

    def run_both(terminal, handler, heard):
        fly = terminal.frame

        def frame(now_s):
            fly(now_s)
            heard.extend(PusTm.unpack(octets, timestamp_len=7) for octets in handler.frame(now_s))

        return frame

    for terminal, handler, heard in zip(engine.terminals, handlers, telemetry, strict=True):
        terminal.frame = run_both(terminal, handler, heard)
    return handlers, telemetry


def test_telecommands_bring_the_link_up(scenario, tmp_path):
    idle = scenario("leo_crosslink").model_copy(update={"timeline": [TimelineEntry(at_s=1000.0, command="standby")]})
    compile_kernels()
    engine = Lockstep(idle, build(idle, 3, DURATION_S, tmp_path))
    (alpha, bravo), telemetry = listened(engine)
    bravo.receive(telecommand(11, 1, b""), 0.0)
    bravo.receive(telecommand(11, 4, b"\x01" + time_octets(250_000) + ACQUIRE), 0.0)
    alpha.receive(telecommand(20, 3, b"\x01\x01\x03\x00"), 0.0)  # tone_learning, parameter 0x103, OFF
    answers = [PusTm.unpack(octets, timestamp_len=7).message_subtype for octets in alpha.receive(ACQUIRE, 0.0)]
    assert answers == [1, 7]

    outcome = engine.run()
    assert outcome.acquired_s is not None
    assert [terminal.mode for terminal in engine.terminals] == [Mode.COMM, Mode.COMM]
    # alpha was told to leave its gains alone
    assert {name for name, event in outcome.events if event.name == "TONES_IDENTIFIED"} == {"bravo"}
    # what is allowed in COMM alone
    answers = [PusTm.unpack(octets, timestamp_len=7).message_subtype for octets in alpha.receive(LEARN_TONES, 9.0)]
    assert answers == [1, 7]
    # bravo's clock is the frame in which it was due
    answered = [tm for tm in telemetry[1] if tm.service == 1]
    assert [(tm.message_subtype, tm.source_data) for tm in answered] == [(1, ACQUIRE[:4]), (7, ACQUIRE[:4])]
    assert int.from_bytes(answered[0].timestamp, "big") / (1 << 24) == pytest.approx(0.25, abs=1e-6)
    for terminal, heard in zip(engine.terminals, telemetry, strict=True):
        told = [tm for tm in heard if tm.service == 5]
        assert len(told) == sum(name == terminal.name for name, _ in outcome.events)
        # the last change of mode is that to COMM, event 1, source, target, reason
        changes = [tm.source_data for tm in told if tm.source_data[:2] == b"\x00\x01"]
        assert changes[-1][3] == Mode.COMM
        assert sum(tm.service == 3 for tm in heard) == 10 * DURATION_S
        counts = [tm.packet_seq_control.seq_count for tm in heard]
        assert counts == list(range(counts[0], counts[0] + len(counts)))
