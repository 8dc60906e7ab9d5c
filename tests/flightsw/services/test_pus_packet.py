"""PUS packets against `spacepackets`, which others fly with, and against octets that are none."""

import numpy as np
import pytest
from fastcrc import crc16
from hypothesis import given
from hypothesis import strategies as st
from spacepackets.ecss.tc import PusTc
from spacepackets.ecss.tm import PusTm

from flightsw.errors import FrameError
from flightsw.services.pus.failure import CommandRefused, FailureCode
from flightsw.services.pus.packet import (
    Acknowledge,
    Report,
    Telecommand,
    TelemetryCounter,
    build_telecommand,
    parse_telecommand,
    parse_telemetry,
    telemetry_packets,
    times_us,
)

OCTET = st.integers(0, 255)
COMMANDS = st.builds(
    Telecommand,
    service=OCTET,
    subtype=OCTET,
    data=st.binary(max_size=60),
    sequence_count=st.integers(0, 0x3FFF),
    acknowledge=st.sampled_from(list(Acknowledge)) | st.just(Acknowledge.ALL),
    source=st.integers(0, 0xFFFF),
    apid=st.integers(0, 2046),
)


def theirs(command: Telecommand) -> bytes:
    return bytes(
        PusTc(
            service=command.service,
            message_subtype=command.subtype,
            apid=command.apid,
            app_data=command.data,
            seq_count=command.sequence_count,
            source_id=command.source,
            ack_flags=int(command.acknowledge),
        ).pack()
    )


@given(COMMANDS)
def test_telecommands_are_those_of_spacepackets(command):
    packet = theirs(command)
    assert build_telecommand(command) == packet
    assert parse_telecommand(packet) == command
    assert command.request == packet[:4]


@given(
    OCTET,
    OCTET,
    st.integers(0, 0x3FFF),
    st.integers(0, 0xFFFF),
    st.integers(0, (1 << 32) * 1_000_000 - 1),
    st.binary(max_size=60),
)
def test_spacepackets_reads_our_telemetry(service, subtype, count, messages, time_us, data):
    row = np.frombuffer(data, np.uint8)[None, :]
    packet = telemetry_packets(service, subtype, count, messages, np.array([time_us]), row)[0].tobytes()
    read = PusTm.unpack(packet, timestamp_len=7)
    assert (read.service, read.message_subtype, read.apid, read.source_data) == (service, subtype, 1, data)
    assert read.packet_seq_control.seq_count == count
    assert read.pus_tm_sec_header.message_counter == messages
    assert read.timestamp == ((time_us << 24) // 1_000_000).to_bytes(7, "big")
    ours = parse_telemetry(packet)
    assert ours[:6] == (service, subtype, data, time_us, count, messages)


@given(st.lists(st.integers(0, (1 << 32) * 1_000_000 - 1), min_size=1, max_size=20))
def test_times_of_many_packets_come_back(wanted):
    rows = np.zeros((len(wanted), 3), np.uint8)
    assert times_us(telemetry_packets(3, 25, 0, 0, np.array(wanted), rows)).tolist() == wanted


def test_counts_run_on_and_begin_again():
    packets = telemetry_packets(3, 25, 0x3FFF, 0xFFFF, np.array([0, 0]), np.zeros((2, 1), np.uint8))
    read = [PusTm.unpack(packet.tobytes(), timestamp_len=7) for packet in packets]
    assert [tm.packet_seq_control.seq_count for tm in read] == [0x3FFF, 0]
    assert [tm.pus_tm_sec_header.message_counter for tm in read] == [0xFFFF, 0]


def test_all_packets_are_counted_and_those_of_each_kind():
    counter = TelemetryCounter()
    sent = [Report(3, 25), Report(5, 1), Report(3, 25)]
    read = [parse_telemetry(counter.packet(report, 0)) for report in sent]
    assert [(tm.sequence_count, tm.message_count) for tm in read] == [(0, 0), (1, 0), (2, 1)]


@pytest.mark.parametrize("time_us", [-1, (1 << 32) * 1_000_000])
def test_a_time_that_the_code_cannot_hold_is_refused(time_us):
    with pytest.raises(FrameError, match="time: expected 0 to 2"):
        telemetry_packets(3, 25, 0, 0, np.array([time_us]), np.zeros((1, 1), np.uint8))


def test_too_much_data_is_refused_and_the_most_is_read():
    fits = 65536 + 6 - 20 - 2
    packet = telemetry_packets(1, 1, 0, 0, np.array([0]), np.zeros((1, fits), np.uint8))[0].tobytes()
    assert len(packet) == 65542 and len(PusTm.unpack(packet, timestamp_len=7).source_data) == fits
    with pytest.raises(FrameError, match=f"at most {fits} octets"):
        telemetry_packets(1, 1, 0, 0, np.array([0]), np.zeros((1, fits + 1), np.uint8))


PING = theirs(Telecommand(17, 1, b"data"))


def spoilt(at, value):
    """A whole packet with one octet changed and a right checksum."""
    octets = bytearray(PING[:-2])
    octets[at] = value
    return bytes(octets) + crc16.ibm_3740(bytes(octets)).to_bytes(2, "big")


@pytest.mark.parametrize(
    ("packet", "code", "says"),
    [
        (b"", FailureCode.WRONG_LENGTH, "at least 13 octets, found 0"),
        (PING[:12], FailureCode.WRONG_LENGTH, "at least 13 octets, found 12"),
        (PING[:-1], FailureCode.WRONG_LENGTH, "expected 17 octets, found 16"),
        (PING + b"x", FailureCode.WRONG_LENGTH, "expected 17 octets, found 18"),
        (PING[:-3] + b"x" + PING[-2:], FailureCode.WRONG_CHECKSUM, "expected .*, found"),
        (spoilt(0, 0x38), FailureCode.ILLEGAL_HEADER, "packet version: expected 0, found 1"),
        (spoilt(0, 0x08), FailureCode.ILLEGAL_HEADER, "packet type: expected 1, found 0"),
        (spoilt(0, 0x10), FailureCode.ILLEGAL_HEADER, "secondary header flag: expected 1, found 0"),
        (spoilt(2, 0x40), FailureCode.ILLEGAL_HEADER, "sequence flags: expected 3, found 1"),
        (spoilt(6, 0x1F), FailureCode.ILLEGAL_HEADER, "PUS version: expected 2, found 1"),
    ],
)
def test_a_telecommand_of_another_form_is_refused(packet, code, says):
    with pytest.raises(CommandRefused, match=says) as caught:
        parse_telecommand(packet)
    assert caught.value.code is code


@given(st.binary(max_size=80) | st.binary(max_size=60).map(lambda more: PING[:6] + more))
def test_any_octets_are_read_or_refused(octets):
    for parse, refusal in ((parse_telecommand, CommandRefused), (parse_telemetry, FrameError)):
        try:
            parse(octets)
        except refusal:
            continue
        # nothing but a right checksum lets octets through
        assert crc16.ibm_3740(octets) == 0


def test_telemetry_that_is_cut_or_changed_or_a_command_is_refused():
    packet = telemetry_packets(3, 25, 0, 0, np.array([0]), np.zeros((1, 4), np.uint8))[0].tobytes()
    for wrong in (packet[:21], packet[:-1], packet[:25] + b"\xff" + packet[26:], theirs(Telecommand(17, 1, bytes(20)))):
        with pytest.raises(FrameError):
            parse_telemetry(wrong)
