"""CLTUs against those of other implementations, the code against its definition and all its errors."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flightsw.ccsds import cltu, tc_frame
from flightsw.ccsds.cltu import bch_decode, bch_encode
from flightsw.ccsds.tc_frame import TcFrame
from flightsw.errors import FrameError

GENERATOR = 0b1100_0101


def flipped(octets: bytes, *bits: int) -> bytes:
    value = int.from_bytes(octets, "big")
    for bit in bits:
        value ^= 1 << (8 * len(octets) - 1 - bit)
    return value.to_bytes(len(octets), "big")


def at_bit(octets: bytes, offset: int, before: bytes = b"", after: bytes = b"") -> bytes:
    """Octets shifted by a few zero bits between others."""
    value = int.from_bytes(octets, "big") << (8 - offset)
    return before + value.to_bytes(len(octets) + 1, "big") + after


@pytest.mark.parametrize(
    ("data", "octets"),
    [
        ("0000000000000000", "EB90 00000000000000FE 0055555555555568 C5C5C5C5C5C5C579"),
        ("8000000000000000", "EB90 800000000000003A 0055555555555568 C5C5C5C5C5C5C579"),
        ("01020304", "EB90 010203045555556A C5C5C5C5C5C5C579"),
    ],
)
def test_cltus_are_those_of_yamcs(data, octets):
    assert cltu.encode(bytes.fromhex(data)) == bytes.fromhex(octets)


# From the tests of Dario Lucia's CCSDS library: spacecraft 123, channel 1, octets 1 to 10, without a check.
RANDOMIZED = bytes.fromhex("EB90 FF429A5468E804BE F6688C29A63957C2 0255555555555556 C5C5C5C5C5C5C579")
FRAME = TcFrame(123, 1, 0, bytes(range(1, 11)))


def test_a_randomized_cltu_is_that_of_another_library():
    assert cltu.encode(tc_frame.build(FRAME, "none"), randomize=True) == RANDOMIZED
    (found,), _ = cltu.decode(RANDOMIZED, randomized=True)
    assert list(tc_frame.split(found.data, "none")) == [FRAME]


def test_randomized_fill_is_the_other_choice():
    # The sequence's octets under the fill: 21 octets of FF399E5A68E906F56C892FA1315E08C052A8BBAE4E.
    randomized = cltu.encode(tc_frame.build(FRAME, "none"), randomize=True, randomize_fill=True)
    fill = bytes(a ^ 0x55 for a in bytes.fromhex("C052A8BBAE4E"))
    assert randomized[:19] == RANDOMIZED[:19]
    assert randomized[19:25] == fill
    (found,), _ = cltu.decode(randomized, randomized=True)
    assert found.data == tc_frame.build(FRAME, "none") + b"\x55" * 6


@given(st.binary(min_size=7, max_size=7))
def test_codeblocks_are_multiples_of_the_generator(information):
    (codeblock,) = bch_encode(np.frombuffer(information, np.uint8)[None, :])
    assert codeblock[:7].tobytes() == information
    assert codeblock[7] & 1 == 0
    polynomial = int.from_bytes(codeblock.tobytes(), "big") >> 1 ^ 0x7F
    while polynomial.bit_length() > 7:
        polynomial ^= GENERATOR << (polynomial.bit_length() - 8)
    assert polynomial == 0


@given(st.binary(min_size=7, max_size=7))
def test_all_single_errors_are_corrected_and_all_double_errors_flagged(information):
    right = np.frombuffer(information, np.uint8)
    sent = bch_encode(right[None, :]).tobytes()
    singles = np.frombuffer(b"".join(flipped(sent, bit) for bit in range(63)), np.uint8).reshape(-1, 8)
    found, corrected = bch_decode(singles)
    assert (found == right).all()
    assert (corrected == 1).all()
    assert (bch_decode(singles, correct=False)[1] == -1).all()
    doubles = np.frombuffer(b"".join(flipped(sent, a, b) for a, b in combinations(range(63), 2)), np.uint8)
    assert (bch_decode(doubles.reshape(-1, 8))[1] == -1).all()
    assert (bch_decode(doubles.reshape(-1, 8), correct=False)[1] == -1).all()


def test_all_triple_errors_are_detected_where_none_is_corrected():
    triples = np.array(list(combinations(range(63), 3)))
    errors = np.zeros((len(triples), 64), np.uint8)
    errors[np.arange(len(triples))[:, None], triples] = 1
    sent = bch_encode(np.array([[1, 2, 3, 4, 5, 6, 7]], np.uint8))
    assert (bch_decode(sent ^ np.packbits(errors, axis=1), correct=False)[1] == -1).all()


def test_a_good_codeblock_and_its_filler_bit():
    sent = bch_encode(np.array([[1, 2, 3, 4, 5, 6, 7]], np.uint8))
    assert bch_decode(sent)[1].tolist() == [0]
    assert bch_decode(sent ^ np.uint8([0] * 7 + [1]))[1].tolist() == [0]


def test_the_tail_is_no_codeblock_whatever_bit_of_it_is_wrong():
    tails = [cltu.TAIL_SEQUENCE, *(flipped(cltu.TAIL_SEQUENCE, bit) for bit in range(64))]
    assert (bch_decode(np.frombuffer(b"".join(tails), np.uint8).reshape(-1, 8))[1] == -1).all()


@given(
    st.binary(min_size=1, max_size=100), st.integers(0, 7), st.integers(0, 40), st.booleans(), st.booleans(), st.data()
)
def test_a_cltu_is_found_at_any_bit_with_an_error_in_every_part(data, offset, idle, randomize, wrong, draws):
    sent = cltu.encode(data, randomize)
    if wrong:
        n = (len(sent) - 10) // 8
        # A start sequence one bit off at another place is taken for one: so its error is in its first bit.
        bits = [0, *(16 + 64 * i + draws.draw(st.integers(0, 62)) for i in range(n)), 16 + 64 * n + 5]
        sent = flipped(sent, *bits)
    stream = at_bit(sent, offset, b"\x55" * idle, b"\x55" * 3)
    found, counts = cltu.decode(stream, randomize)
    blocks = -(-len(data) // 7)
    first = next(c for c in found if c.position == 8 * idle + offset)
    assert first.data[: len(data)] == data
    if not randomize:
        assert first.data[len(data) :] == b"\x55" * (7 * blocks - len(data))
    assert (first.codeblocks, first.corrected, first.tail) == (blocks, blocks if wrong else 0, True)
    assert counts.codeblocks == sum(c.codeblocks for c in found)


def test_cltus_end_to_end_and_one_that_is_cut():
    one, two = cltu.encode(b"first"), cltu.encode(b"and the second")
    found, counts = cltu.decode(one + two + one[:10])
    assert [c.data.rstrip(b"\x55") for c in found] == [b"first", b"and the second", b"first"]
    assert [c.tail for c in found] == [True, True, False]
    assert [c.position for c in found] == [0, 144, 352]
    assert (counts.start_sequences, counts.false_starts, counts.codeblocks, counts.corrected) == (3, 0, 4, 0)


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=6), st.integers(1, 60), st.binary(max_size=9))
def test_a_stream_in_pieces_gives_what_it_gives_in_one(frames, piece, noise):
    stream = b"".join(noise + cltu.encode(frame) for frame in frames) + b"\x55"
    receiver = cltu.CltuReceiver()
    taken = [data for at in range(0, len(stream), piece) for data in receiver.push(stream[at : at + piece])]
    assert taken == [found.data for found in cltu.decode(stream)[0]]
    assert receiver.overlong == 0


def test_a_cltu_without_an_end_does_not_take_all_memory():
    receiver = cltu.CltuReceiver(longest_octets=100)
    endless = cltu.encode(bytes(700))[:-8]
    assert receiver.push(endless) == []
    assert receiver.overlong == 1
    assert receiver.push(cltu.encode(b"next")) == [b"next\x55\x55\x55"]


def test_a_start_sequence_at_the_end_of_the_stream():
    found, counts = cltu.decode(b"\0\0" + cltu.START_SEQUENCE, start_errors=0)
    assert (found, counts.start_sequences, counts.false_starts) == ([], 1, 1)


def test_a_codeblock_beyond_correction_ends_its_cltu():
    sent = flipped(cltu.encode(bytes(21)), 16 + 64 + 3, 16 + 64 + 4)
    (found,), _ = cltu.decode(sent)
    assert (found.data, found.codeblocks, found.tail) == (bytes(7), 1, True)
    assert cltu.decode(flipped(cltu.encode(bytes(21)), 16 + 3), correct=False)[1].false_starts == 1


def test_long_cltus():
    data = bytes(range(256)) * 4
    (found,), _ = cltu.decode(cltu.encode(data))
    assert found.data[:1024] == data
    assert found.codeblocks == 147


@given(st.binary(max_size=300), st.booleans(), st.integers(0, 3), st.booleans())
def test_noise_is_counted(noise, randomized, start_errors, correct):
    found, counts = cltu.decode(noise, randomized, start_errors, correct)
    assert counts.start_sequences == counts.false_starts + len(found)
    assert all(len(c.data) == 7 * c.codeblocks for c in found)
    assert cltu.decode(np.frombuffer(noise, np.uint8), randomized, start_errors, correct) == (found, counts)


def test_other_shapes_are_refused():
    rows = np.zeros((2, 8), np.uint8)
    for attempt in (lambda: cltu.encode(b""), lambda: cltu.decode(rows), lambda: bch_encode(rows)):
        with pytest.raises(FrameError):
            attempt()
    with pytest.raises(FrameError, match=r"expected uint8 \(n, 8\), found int64 \(1, 8\)"):
        bch_decode(np.zeros((1, 8), np.int64))
