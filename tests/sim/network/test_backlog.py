"""Order of arrival and conservation of what waits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.network.backlog import Backlog

AMOUNTS = st.floats(0.0, 1e3)


def test_the_oldest_leaves_first_and_the_newest_is_dropped() -> None:
    backlog = Backlog()
    backlog.put([(1.0, 10.0), (2.0, 0.0), (3.0, 5.0), (4.0, 5.0)])
    assert backlog.take(12.0) == [(1.0, 10.0), (3.0, 2.0)]
    assert backlog.drop(6.0) == 6.0
    assert backlog.mb == 2.0
    assert backlog.take(50.0) == [(3.0, 2.0)]
    assert (backlog.drop(1.0), backlog.mb) == (0.0, 0.0)


@given(st.lists(st.tuples(st.sampled_from(("put", "take", "drop")), AMOUNTS), max_size=30))
def test_nothing_appears_or_disappears(calls: list[tuple[str, float]]) -> None:
    backlog = Backlog()
    put = left = 0.0
    for call, mb in calls:
        if call == "put":
            backlog.put([(0.0, mb)])
            put += mb
        elif call == "take":
            taken = sum(here for _, here in backlog.take(mb))
            assert taken <= mb + 1e-8
            left += taken
        else:
            left += backlog.drop(mb)
    assert backlog.mb == pytest.approx(put - left, abs=1e-6)
