"""Parts of long frames: what is put together is what was cut, and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil.parts import Joiner, split

FIRST, LAST = 1, 2


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        (b"", [(3, b"")]),
        (b"abc", [(3, b"abc")]),
        (b"abcd", [(1, b"abc"), (2, b"d")]),
        (b"abcdefg", [(1, b"abc"), (0, b"def"), (2, b"g")]),
    ],
)
def test_parts(octets, expected):
    assert list(split(octets, 3)) == expected


@given(st.lists(st.binary(max_size=40), max_size=6), st.integers(1, 9), st.integers(0, 2**32 - 1), st.data())
def test_wholes_come_out_unless_a_part_is_missing(wholes, part_octets, sequence, data):
    parts = [
        ((sequence + i) % 2**32, number, flags, octets)
        for i, (number, flags, octets) in enumerate(
            (number, *part) for number, whole in enumerate(wholes) for part in split(whole, part_octets)
        )
    ]
    lost = data.draw(st.sets(st.integers(0, max(0, len(parts) - 1)), max_size=len(parts) // 2))
    joiner = Joiner()
    arrived = [part for i, part in enumerate(parts) if i not in lost]
    found = [joiner.push(flags, octets, sequence) for sequence, _, flags, octets in arrived]
    damaged = {part[1] for i, part in enumerate(parts) if i in lost}
    assert [whole for whole in found if whole is not None] == [
        whole for number, whole in enumerate(wholes) if number not in damaged
    ]
    seen = {number for _, number, _, _ in arrived}
    touched = seen & damaged
    # neighbours that lost the parts between them cannot be told apart; the last may still be under way
    assert joiner.dropped <= len(touched)
    assert joiner.dropped > 0 or touched <= {max(seen, default=0)}


def test_without_a_sequence_parts_are_taken_as_they_come():
    joiner = Joiner()
    assert [joiner.push(0, b"x"), joiner.push(LAST, b"y")] == [None, None]
    assert joiner.dropped == 1
    assert [joiner.push(FIRST, b"a"), joiner.push(0, b"b"), joiner.push(LAST, b"c")] == [None, None, b"abc"]
    assert [joiner.push(FIRST, b"a"), joiner.push(FIRST | LAST, b"b")] == [None, b"b"]
    assert joiner.dropped == 2


def test_a_whole_without_end_is_dropped():
    joiner = Joiner(largest=4)
    assert joiner.push(FIRST, b"abc") is None
    assert joiner.push(0, b"de") is None
    assert joiner.push(LAST, b"") is None
    assert joiner.dropped == 1
    assert joiner.push(FIRST | LAST, b"abcd") == b"abcd"
    assert joiner.push(FIRST | LAST, b"abcde") is None
    assert joiner.dropped == 2
