"""A slice of the campaign of faults, what it finds in broken lines, and quiet devices that vanish."""

import numpy as np
import pytest

from flightsw.ccsds.space_packet import Packet
from flightsw.errors import DeviceNotFound
from hil import fault_campaign, faults
from hil.bodies import encode_gimbal_command, encode_hold, encode_mirror_angles, encode_point_ahead
from hil.device_side import Device, Handler
from hil.drivers import attachment
from hil.drivers.attachment import HEARTBEAT_S, MISSES, RETRY_S, Attachment
from hil.fault_campaign import Findings, campaign, crosslink, draw, encode, is_beyond
from hil.fault_witness import Told, Witnessed, forged, told, unexplained
from hil.faults import Fault, FaultModel, FaultyLine
from hil.framing import build, frame, packet_reader
from hil.link import DeviceLink, Direction
from hil.protocol import FIRST, LAST, WHOLE, Data, Kind, Samples
from hil.protocol import encode as message
from hil.traffic import Operation, What
from hil.transports.in_process import pair

LIMIT_RAD = 1.5e-3


def test_hundreds_of_faults_on_all_lines_do_no_harm():
    findings = Findings()
    crosslink(np.random.default_rng(5), 3, findings)
    encode(np.random.default_rng(5), 6, findings)
    assert findings.wrong == []
    assert findings.total > 300
    for kind in Kind:
        assert findings.done[Fault.DISCONNECT, kind] == 1
    for kind in (Kind.STEERING_MIRROR, Kind.QUAD_CELL):
        assert all(findings.done[fault, kind] for fault in Fault if fault is not Fault.SATURATE)
    assert findings.done[Fault.SATURATE, Kind.STEERING_MIRROR] == 1
    assert findings.lost and findings.commands > 1000


def test_a_fault_without_an_event_is_found(monkeypatch):
    do, silent = FaultyLine._do, []

    def sometimes_silent(line, fault, text):
        silent.append(text)
        if len(silent) % 10:
            do(line, fault, text)

    monkeypatch.setattr(FaultyLine, "_do", sometimes_silent)
    findings = Findings()
    crosslink(np.random.default_rng(5), 1, findings)
    assert any("events and packets" in text for text in findings.wrong)


def test_a_device_that_is_not_looked_for_is_found(monkeypatch):
    monkeypatch.setattr(attachment, "RETRY_S", 3.0)
    findings = Findings()
    encode(np.random.default_rng(5), 6, findings)
    assert any("could be back at" in text for text in findings.wrong)


def test_damage_with_a_right_checksum_is_found(monkeypatch):
    def rebuilt(way, unit, draw):
        (packet,) = packet_reader(way._framing).push(unit)
        octets = packet.data[:-1] + bytes([packet.data[-1] ^ 1])
        way._go(frame(build(packet._replace(data=octets)), way._framing))

    monkeypatch.setattr(faults._Way, "_damage", rebuilt)
    findings = Findings()
    crosslink(np.random.default_rng(5), 1, findings)
    assert any("that nobody sent" in text for text in findings.wrong)


def test_a_campaign_goes_on_until_there_were_enough_and_says_which_run_failed(monkeypatch):
    def ten(rng, duration_s, findings):
        findings.done[Fault.DROP, Kind.LASER] += 10
        if findings.total == 60:
            raise ZeroDivisionError

    monkeypatch.setattr(fault_campaign, "crosslink", ten)
    monkeypatch.setattr(fault_campaign, "encode", lambda rng, duration_s, findings: None)
    seen: list[int] = []
    assert campaign(35, 1, lambda findings: seen.append(findings.total)).runs == 4
    assert seen == [10, 20, 30, 40]
    with pytest.raises(ZeroDivisionError) as raised:
        campaign(100, 7)
    assert raised.value.__notes__ == ["in run 5 of seed 7"]


@pytest.mark.parametrize("kind", list(Kind), ids=lambda kind: kind.label)
def test_every_fault_that_a_line_can_have_is_drawn(kind):
    drawn = draw(np.random.default_rng(1), "alpha", kind, 10.0)
    missing = set(Fault) - {fault.fault for fault in drawn}
    assert missing == (
        ({Fault.SATURATE} if kind is not Kind.STEERING_MIRROR else set())
        | ({Fault.STUCK} if kind in (Kind.LASER, Kind.POINT_AHEAD, Kind.ENCODER) else set())
    )
    assert all(0.0 < fault.at_s < fault.end_s < 10.0 for fault in drawn)


def test_verdicts_in_the_table(monkeypatch, capsys):
    def findings_of(*wrong):
        def findings(faults, seed, progress):
            assert (faults, seed) == (5, 3)
            return Findings(
                done=fault_campaign.Counter({(Fault.DROP, Kind.LASER): 5}), wrong=list(wrong), runs=1, simulated_s=12.0
            )

        return findings

    monkeypatch.setattr("sys.argv", ["fault_campaign", "--faults", "5", "--seed", "3"])
    monkeypatch.setattr(fault_campaign, "campaign", findings_of())
    assert fault_campaign.main() == 0
    told = capsys.readouterr().out
    assert "drop" in told and " 5 " in told and told.endswith("verdict: as it must be\n")
    monkeypatch.setattr(fault_campaign, "campaign", findings_of("laser: on fire"))
    assert fault_campaign.main() == 1
    assert "wrong: laser: on fire\nverdict: wrong\n" in capsys.readouterr().out


def command(octets: bytes) -> Packet:
    return Packet(0, 0, 0, message(Data(WHOLE, octets)), telecommand=True)


@pytest.mark.parametrize(
    ("kind", "octets", "beyond"),
    [
        (Kind.STEERING_MIRROR, encode_mirror_angles((1.5e-3, -1.5e-3)), False),
        (Kind.STEERING_MIRROR, encode_mirror_angles((0.0, -1.6e-3)), True),
        (Kind.STEERING_MIRROR, encode_mirror_angles((np.nan, 0.0)), True),
        (Kind.STEERING_MIRROR, b"\0", True),
        (Kind.FINE_LOOP, encode_hold(1.0e-3, 0.0), False),
        (Kind.FINE_LOOP, encode_hold(1.6e-3, 0.0), True),
        (Kind.GIMBAL, encode_gimbal_command((1.0, 2.0, 3.0, 4.0)), False),
        (Kind.GIMBAL, encode_gimbal_command((1.0, np.inf, 3.0, 4.0)), True),
        (Kind.POINT_AHEAD, encode_point_ahead(1e-5, np.nan), True),
        (Kind.LASER, b"\1\2", True),
        (Kind.CAMERA, b"\2", True),
        (Kind.ENCODER, b"\2", False),
    ],
)
def test_commands_beyond_limits(kind, octets, beyond):
    assert is_beyond(kind, command(octets), LIMIT_RAD) is beyond


def numbered(*numbers: int) -> list[Witnessed]:
    return [Witnessed(Packet(0, n, 0, b""), False) for n in numbers]


@pytest.mark.parametrize(
    ("left", "events", "found"),
    [
        ([1, 2, 3], [], []),
        ([1, 3], [], [2]),
        ([1, 3], [(Fault.DROP, 2)], []),
        ([1, 3], [(Fault.DROP, 2), (Fault.DROP, 2)], [2]),
        ([1, 3], [(Fault.DELAY, 2)], []),
        ([1, 3, 2], [(Fault.REORDER, 2)], []),
        ([1, 2, 3], [(Fault.CORRUPT, 2)], [2]),
        ([1, 2, 3, 3], [(Fault.DUPLICATE, 3)], []),
        ([1, 2, 3, 3], [], [3]),
        ([1, 2, 3], [(Fault.DUPLICATE, 3)], [3]),
        ([1, 2, 3], [(Fault.TRUNCATE, 4)], [4]),
    ],
)
def test_what_is_missing_is_held_against_events(left, events, found):
    told = [Told(Kind.LASER, fault, number, Direction.TO_DEVICE) for fault, number in events]
    assert unexplained(numbered(1, 2, 3), numbered(*left), told) == found


def test_what_was_read_last_of_a_device_that_vanishes_may_be_missing():
    entered = [*numbered(1, 2), Witnessed(Packet(0, 3, 0, b""), True)]
    assert unexplained(entered, numbered(1, 2), []) == []
    assert unexplained(entered, numbered(1), []) == [2]


def lasting(fault: str, **more: object) -> FaultModel:
    return FaultModel.model_validate(
        {"terminal": "alpha", "device": "steering_mirror", "fault": fault, "duration_s": 1, **more}
    )


def test_what_nobody_sent_is_told_from_what_a_fault_changes_on_purpose():
    samples = Packet(0, 1, 5, message(Samples(9, FIRST | LAST, b"ab")))
    later, other = samples._replace(time_us=6), samples._replace(data=message(Samples(9, FIRST | LAST, b"cd")))
    sent = [Witnessed(samples, False)]
    assert forged(sent, sent, []) == []
    for packet, fault in [(later, lasting("drift", drift_ppm=1)), (other, lasting("stuck"))]:
        assert forged(sent, [Witnessed(packet, False)], []) == [packet]
        assert forged(sent, [Witnessed(packet, False)], [fault]) == []
    one, two = command(b"ab"), command(b"cd")
    assert forged([Witnessed(one, False)], [Witnessed(two, False)], [lasting("stuck")]) == [two]
    assert forged([Witnessed(one, False)], [Witnessed(two, False)], [lasting("saturate", limit_urad=1)]) == []


def test_packets_out_of_a_log_connection_by_connection():
    octets = [frame(build(Packet(7, n, 0, b"x")), faults.Framing.STREAM) for n in range(40)]
    operations = [Operation(0, What.OPENED, b"stream a")]
    operations += [Operation(0, What.READ, o) for o in octets[:30]]
    # half of a packet is lost with its connection
    operations += [Operation(0, What.READ, octets[30][:5]), Operation(0, What.OPENED, b"stream a")]
    operations += [Operation(0, What.READ, octets[31]), Operation(0, What.WRITE, octets[32])]
    found = fault_campaign.packets(operations, Direction.FROM_DEVICE)
    assert [packet.sequence_count for packet, _ in found] == [*range(30), 31]
    assert [at_the_end for _, at_the_end in found] == [False] * 14 + [True] * 17
    assert [w.packet.sequence_count for w in fault_campaign.packets(operations, Direction.TO_DEVICE)] == [32]


def test_events_tell_of_faults():
    assert told("laser: dropped packet 7 to device") == Told(Kind.LASER, Fault.DROP, 7, Direction.TO_DEVICE)
    assert told("camera: truncated packet 16383 from device") == Told(
        Kind.CAMERA, Fault.TRUNCATE, 16383, Direction.FROM_DEVICE
    )
    assert told("encoder: dropped what is no packet to device") == Told(
        Kind.ENCODER, Fault.DROP, None, Direction.TO_DEVICE
    )
    assert told("fine_loop: stuck begins") == Told(Kind.FINE_LOOP, Fault.STUCK, None, None)
    assert told("fine_loop: stuck ends") is None
    assert told("bravo: blockage begins") is None


class Quiet:
    """A device that nothing is asked of, and that may be unplugged, or fall silent."""

    def __init__(self) -> None:
        self.there = True
        self.silent = False
        self.asked = 0
        self.now_ns = 0
        self.events: list[str] = []
        link = DeviceLink(Kind.LASER, self.connect, clock_ns=lambda: self.now_ns)
        self.attachment = Attachment(link, lambda severity, name, text: self.events.append(name))
        self.attachment.open()
        self.asked = 0

    def connect(self):
        if not self.there:
            raise DeviceNotFound("nobody there")
        host, self.end = pair("quiet", wait=self.work)
        self.device = Device(Kind.LASER, self.end, Handler())
        return host

    def work(self, timeout_s: float) -> None:
        self.now_ns += round(timeout_s * 1e9)
        if self.silent:
            self.end.read(0.0)
        else:
            self.asked += self.device.step()

    def look_after(self, seconds: float, begin_s: float = 0.0) -> None:
        for n in range(1, round(100 * seconds) + 1):
            self.attachment.look_after(begin_s + n * 0.01)


def test_a_quiet_device_is_asked_for_a_heartbeat_and_no_other_is():
    quiet = Quiet()
    quiet.look_after(10 * HEARTBEAT_S)
    assert 9 <= quiet.asked <= 11
    asked = quiet.asked
    for n in range(100):
        quiet.attachment.ask(lambda: None)
        quiet.attachment.look_after(100.0 + n * 0.01)
    assert quiet.asked == asked


def test_a_quiet_device_that_is_unplugged_is_missed_and_found_again():
    quiet = Quiet()
    quiet.there = False
    quiet.end.close()
    quiet.look_after(2 * HEARTBEAT_S)
    assert quiet.events == ["DEVICE_LOST"] and not quiet.attachment.in_service
    quiet.there = True
    quiet.look_after(RETRY_S, begin_s=10.0)
    assert quiet.events == ["DEVICE_LOST", "DEVICE_BACK"] and quiet.attachment.in_service


def test_a_quiet_device_that_falls_silent_is_missed():
    quiet = Quiet()
    quiet.silent = True
    quiet.look_after((MISSES + 1) * HEARTBEAT_S)
    assert quiet.events[0] == "DEVICE_LOST" and quiet.attachment.missed >= MISSES
