"""Randomizers against the printed octets of CCSDS 131.0-B-5 and 231.0-B-4 and SciPy's maximum length sequences."""

import numpy as np
import pytest
from scipy.signal import max_len_seq

from flightsw.ccsds.coding.randomizer import Randomizer
from flightsw.errors import ConfigError, FrameError

FIRST_OCTETS = {
    "131071": "1C71B91BA9BA8457B4BC5054",
    "255": "FF480EC09A0D70BC8E2C93ADA7B746CE",
    "tc": "FF399E5A68",
}
# Exponents of the printed polynomials, and the printed seed of the long one.
TAPS = {"131071": [14], "255": [7, 5, 3], "tc": [6, 4, 3, 2, 1]}
SEED = {"131071": "11000111000111000", "255": "1" * 8, "tc": "1" * 8}


@pytest.mark.parametrize("kind", FIRST_OCTETS)
def test_first_octets(kind):
    printed = bytes.fromhex(FIRST_OCTETS[kind])
    assert Randomizer(kind).sequence(len(printed)).tobytes() == printed


@pytest.mark.parametrize("kind", FIRST_OCTETS)
def test_a_whole_period_equals_that_of_scipy(kind):
    bits, _ = max_len_seq(len(SEED[kind]), state=[int(bit) for bit in SEED[kind][::-1]], taps=TAPS[kind])
    sequence = Randomizer(kind).sequence(len(bits) // 8 + 1)
    assert np.array_equal(np.unpackbits(sequence, count=len(bits)), bits)


@pytest.mark.parametrize("kind", FIRST_OCTETS)
def test_the_period_is_odd(kind):
    period = 2 ** len(SEED[kind]) - 1
    bits = np.unpackbits(Randomizer(kind).sequence(3 * period))
    assert np.array_equal(bits[:-period], bits[period:])
    assert not np.array_equal(bits[: -period - 1], bits[period + 1 :])


@pytest.mark.parametrize("kind", FIRST_OCTETS)
@pytest.mark.parametrize("length", [0, 1, 255, 1275, 140_000])
def test_every_row_starts_the_sequence_anew(kind, length):
    rows = np.random.default_rng(length).integers(0, 256, (3, length), dtype=np.uint8)
    original = rows.copy()
    randomized = Randomizer(kind).apply(rows)
    for row, was in zip(randomized, original, strict=True):
        assert np.array_equal(row ^ was, Randomizer(kind).sequence(length))
    assert np.array_equal(rows, original)
    assert np.array_equal(Randomizer(kind).apply(randomized), original)


def test_what_a_caller_does_to_a_sequence_stays_with_the_caller():
    Randomizer("255").sequence(255)[:] = 0
    assert Randomizer("255").sequence(2).tobytes() == b"\xff\x48"


def test_bad_input():
    with pytest.raises(ConfigError, match=r"expected one of \('131071', '255', 'tc'\), found '256'"):
        Randomizer("256")
    with pytest.raises(FrameError, match=r"expected uint8 \(n, length\), found uint8 \(8,\)"):
        Randomizer("255").apply(np.zeros(8, np.uint8))
    with pytest.raises(FrameError, match=r"found float64 \(1, 8\)"):
        Randomizer("255").apply(np.zeros((1, 8)))
