"""The clock's offset against clocks whose offset is known."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil.clock_offset import DRIFT, ClockOffset

OFFSET_US = -123456.0


def test_there_is_no_offset_before_the_first_round_trip():
    assert ClockOffset().at(0.0) is None


def test_a_symmetric_round_trip_gives_the_offset():
    clock = ClockOffset()
    clock.observe(1000.0, 1010.0 + OFFSET_US, 1020.0)
    assert clock.at(1010.0) == (OFFSET_US, 11.0)


@given(
    st.lists(st.tuples(st.floats(1, 1e4), st.floats(1, 1e4), st.floats(0, 1e4)), min_size=1, max_size=100),
    st.floats(-1, 1),
)
def test_the_truth_is_within_the_uncertainty(trips, drift):
    """Delays there and back, and pauses, of any length; clocks that run apart no faster than is allowed for."""
    rate = drift * DRIFT
    clock = ClockOffset()
    now = 0.0
    for there, back, pause in trips:
        device = now + there
        clock.observe(now, device + OFFSET_US + rate * device, device + back)
        now = device + back
        found = clock.at(now)
        assert abs(found.offset_us - (OFFSET_US + rate * now)) <= found.uncertainty_us
        now += pause


def test_the_shortest_round_trip_counts():
    clock = ClockOffset()
    clock.observe(0.0, 900.0 + OFFSET_US, 1000.0)
    clock.observe(2000.0, 2005.0 + OFFSET_US, 2010.0)
    clock.observe(3000.0, 3000.0 + OFFSET_US, 4000.0)
    assert clock.at(4000.0).offset_us == OFFSET_US


def test_an_old_round_trip_counts_for_less():
    clock = ClockOffset()
    clock.observe(0.0, 1.0, 2.0)
    clock.observe(1e7, 1e7 + 50.0, 1e7 + 100.0)
    # 10 s of drift are 1000 us
    assert clock.at(1e7 + 100.0).uncertainty_us == pytest.approx(51.0, abs=0.1)
