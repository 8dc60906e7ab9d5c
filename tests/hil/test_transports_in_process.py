"""Both ends in one process, with threads and without."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flightsw.errors import DeviceDisconnected, DeviceTimeout
from hil.transports import Framing
from hil.transports.in_process import LARGEST_BUFFER, pair


@given(st.lists(st.binary(max_size=10), max_size=10))
def test_streams_run_together_and_transfers_do_not(writes):
    for framing in Framing:
        host, device = pair(framing=framing)
        for octets in writes:
            host.write(octets)
        if framing is Framing.STREAM:
            assert device.read(0.0) == b"".join(writes)
        else:
            assert [device.read(0.0) for _ in writes] == writes
        assert device.read(0.0) == b""


def test_an_end_waits_for_the_other_in_another_thread():
    host, device = pair()
    answer = threading.Thread(target=lambda: device.write(device.read(10.0) + b" pong"))
    answer.start()
    host.write(b"ping")
    assert host.read(10.0) == b"ping pong"
    answer.join()


def test_without_threads_the_other_end_works_while_this_one_waits():
    waited = []
    host, device = pair()

    def work(timeout_s):
        waited.append(timeout_s)
        if octets := device.read(0.0):
            device.write(octets.upper())

    host.wait = work
    host.write(b"ping")
    assert host.read(0.5) == b"PING"
    assert host.read(0.25) == b""
    assert host.read(0.0) == b""
    assert waited == [0.5, 0.25, 0.0]


def test_what_was_sent_is_read_before_the_end_is_found():
    host, device = pair("mirror")
    host.write(b"last words")
    host.close()
    host.close()
    assert device.read(10.0) == b"last words"
    for attempt in (lambda: device.read(10.0), lambda: device.write(b"x")):
        with pytest.raises(DeviceDisconnected, match="mirror: the other side is gone"):
            attempt()
    for attempt in (lambda: host.read(10.0), lambda: host.write(b"x")):
        with pytest.raises(DeviceDisconnected, match="mirror: expected an open line, found it closed"):
            attempt()


def test_an_end_that_waits_finds_the_other_gone():
    host, device = pair()
    waiting = threading.Thread(target=host.close)
    waiting.start()
    with pytest.raises(DeviceDisconnected):
        while True:
            device.read(10.0)
    waiting.join()


def test_an_end_that_does_not_read_is_full_at_last():
    host, device = pair()
    host.write(bytes(LARGEST_BUFFER))
    with pytest.raises(DeviceTimeout, match="expected the other side to read"):
        host.write(b"x")
    assert len(device.read(0.0)) == LARGEST_BUFFER
    host.write(b"x")
