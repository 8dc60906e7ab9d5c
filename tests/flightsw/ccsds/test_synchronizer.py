"""Frame synchronisation on streams put together bit by bit, with every slip, error and inversion in a known place."""

from dataclasses import astuple
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flightsw.ccsds.coding.synchronizer import ASM_32, ASM_64, FrameSynchronizer, SynchronizerState, cadu
from flightsw.errors import ConfigError, FrameError

FRAME = 60
PERIOD = 32 + 8 * FRAME


def frames_of(seed: int, n: int, octets: int = FRAME) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, octets), dtype=np.uint8)


def noise(seed: int, n: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2, n, dtype=np.uint8)


def stream_of(frames: np.ndarray, marker: bytes = ASM_32) -> np.ndarray:
    """Bits of markers and frames in turn, uint8 (n, bits of a period)."""
    units = b"".join(marker + frame.tobytes() for frame in frames)
    return np.unpackbits(np.frombuffer(units, np.uint8)).reshape(len(frames), -1)


def samples_of(bits: np.ndarray, kind: str) -> np.ndarray:
    if kind == "octets":
        return np.packbits(bits)
    return bits if kind == "bits" else 1 - 2 * bits.astype(np.float32)


def frame_octets(found) -> np.ndarray:
    frames = found.frames
    return np.packbits(frames < 0, axis=1) if frames.dtype == np.float32 else frames


def run(bits: np.ndarray, kind: str = "bits", marker: bytes = ASM_32, **settings_):
    synchronizer = FrameSynchronizer(FRAME, marker, kind, **settings_)
    return synchronizer.push(samples_of(bits, kind)), synchronizer


def test_markers_are_those_of_the_standard():
    assert ASM_32.hex() == "1acffc1d"
    assert ASM_64.hex() == "034776c7272895b0"


def test_cadus_carry_the_marker_ahead():
    frames = frames_of(1, 3)
    assert cadu(frames).tobytes() == b"".join(b"\x1a\xcf\xfc\x1d" + frame.tobytes() for frame in frames)
    assert cadu(frames[:, ::2], ASM_64).shape == (3, 38)
    with pytest.raises(FrameError, match=r"expected uint8 \(n, m\), found uint8 \(60,\)"):
        cadu(frames[0])


@pytest.mark.parametrize("kind", ["octets", "bits", "llrs"])
@pytest.mark.parametrize("marker", [ASM_32, ASM_64, b"\xeb\x90\x5a"])
@pytest.mark.parametrize("ahead", range(10))
def test_every_alignment(kind, marker, ahead):
    frames = frames_of(ahead, 5)
    bits = np.concatenate([noise(ahead, ahead), stream_of(frames, marker).ravel()])
    found, synchronizer = run(bits, kind, marker)
    period = 8 * (len(marker) + FRAME)
    assert np.array_equal(frame_octets(found), frames)
    assert found.position.tolist() == [ahead + i * period for i in range(5)]
    assert not found.marker_errors.any()
    assert not (found.missed | found.inverted | (found.slip != 0)).any()
    assert synchronizer.counts.skipped_bits == ahead
    assert synchronizer.state is SynchronizerState.LOCK


@pytest.mark.parametrize("kind", ["octets", "bits", "llrs"])
def test_inverted_polarity_is_put_right(kind):
    frames = frames_of(2, 6)
    bits = stream_of(frames)
    bits[3:] ^= 1
    found, synchronizer = run(bits.ravel(), kind)
    assert np.array_equal(frame_octets(found), frames)
    assert found.inverted.tolist() == [False] * 3 + [True] * 3
    found, synchronizer = run(1 ^ stream_of(frames).ravel(), kind)
    assert np.array_equal(frame_octets(found), frames)
    assert synchronizer.counts.inverted == 6


@pytest.mark.parametrize("kind", ["octets", "bits", "llrs"])
@pytest.mark.parametrize("slip", [-2, -1, 1, 2])
def test_bit_slips_are_followed(kind, slip):
    frames = frames_of(3, 6)
    rows = list(stream_of(frames))
    # The slip hits frame 2, which keeps its first half; all others must be whole.
    half = PERIOD // 2
    rows[2] = np.concatenate([rows[2][:half], noise(1, max(slip, 0)), rows[2][half + max(-slip, 0) :]])
    padding = noise(2, -sum(row.size for row in rows) % 8)
    found, synchronizer = run(np.concatenate([*rows, padding]), kind)
    decoded = frame_octets(found)
    assert [np.array_equal(a, b) for a, b in zip(decoded, frames, strict=True)] == [True, True, False, True, True, True]
    assert np.array_equal(decoded[2, : FRAME // 2 - 3], frames[2, : FRAME // 2 - 3])
    assert found.slip.tolist() == [0, 0, 0, slip, 0, 0]
    assert synchronizer.counts.slips == 1
    assert synchronizer.counts.lost_locks == 0


@pytest.mark.parametrize("check_errors", [4, 12])
def test_the_best_place_is_preferred_to_others_that_would_do(check_errors):
    """Two bits beside itself the marker differs from itself in 13 bits at least, one bit beside in 11."""
    frames = frames_of(23, 200)
    rows = [row[:-2] if i else row for i, row in enumerate(stream_of(frames))]
    found, synchronizer = run(np.append(np.concatenate(rows), noise(15, 2)), check_errors=check_errors, lock_errors=15)
    assert np.array_equal(found.frames[:, :-1], frames[:, :-1])
    assert synchronizer.counts.slips == 198


def test_the_last_frame_needs_nothing_behind_it_even_after_a_lost_bit():
    frames = frames_of(4, 3)
    rows = list(stream_of(frames))
    rows[1] = rows[1][:-2]
    found, _ = run(np.concatenate(rows))
    assert np.array_equal(found.frames[[0, 2]], frames[[0, 2]])
    assert found.slip.tolist() == [0, 0, -2]


@pytest.mark.parametrize("slip", [-41, 7, 300])
def test_no_frame_is_lost_to_a_slip_too_great_to_follow(slip):
    frames = frames_of(5, 9)
    # The new search passes over frame 3, and over what looks like a marker in it.
    frames[3, 20:24] = np.frombuffer(ASM_32, np.uint8)
    rows = list(stream_of(frames))
    rows[3] = rows[3][:slip] if slip < 0 else np.concatenate([rows[3], noise(3, slip)])
    found, synchronizer = run(np.concatenate(rows), flywheel=2)
    whole = {frame.tobytes() for frame in found.frames[~found.missed]}
    assert whole >= {frame.tobytes() for i, frame in enumerate(frames) if i != 3}
    assert synchronizer.counts.lost_locks == synchronizer.counts.rejected == 1
    assert synchronizer.counts.missed_markers == found.missed.sum() == 2
    assert synchronizer.counts.skipped_bits == max(slip, 0)


def spoil_marker(bits: np.ndarray, frame: int, errors: int) -> None:
    bits[frame, np.random.default_rng(frame).choice(32, errors, replace=False)] ^= 1


@pytest.mark.parametrize("kind", ["bits", "llrs"])
@pytest.mark.parametrize(("errors", "first"), [(3, 0), (4, 1)])
def test_search_tolerance(kind, errors, first):
    bits = stream_of(frames_of(6, 4))
    spoil_marker(bits, 0, errors)
    found, synchronizer = run(bits.ravel(), kind, search_errors=3, check_errors=5)
    assert found.position.tolist() == [i * PERIOD for i in range(first, 4)]
    assert found.marker_errors[0] == (errors if first == 0 else 0)
    assert synchronizer.counts.skipped_bits == first * PERIOD


@pytest.mark.parametrize(("errors", "first"), [(5, 0), (6, 2)])
def test_check_tolerance(errors, first):
    bits = stream_of(frames_of(7, 5))
    spoil_marker(bits, 1, errors)
    found, synchronizer = run(bits.ravel(), search_errors=0, check_errors=5)
    assert found.position.tolist() == [i * PERIOD for i in range(first, 5)]
    assert synchronizer.counts.rejected == (first > 0)


@pytest.mark.parametrize(("errors", "missed"), [(7, False), (8, True)])
def test_lock_tolerance(errors, missed):
    frames = frames_of(8, 5)
    bits = stream_of(frames)
    spoil_marker(bits, 3, errors)
    found, synchronizer = run(bits.ravel(), search_errors=0, check_errors=0, lock_errors=7)
    assert np.array_equal(found.frames, frames)
    assert found.missed.tolist() == [False, False, False, missed, False]
    assert found.marker_errors[3] == errors
    assert synchronizer.counts.missed_markers == missed


@pytest.mark.parametrize("flywheel", [0, 1, 3])
def test_flywheel(flywheel):
    frames = frames_of(9, 12)
    bits = stream_of(frames)
    for i in range(flywheel):
        spoil_marker(bits, 3 + i, 16)
    found, synchronizer = run(bits.ravel(), flywheel=flywheel)
    assert np.array_equal(found.frames, frames)
    assert synchronizer.counts.missed_markers == flywheel
    assert synchronizer.counts.lost_locks == 0

    spoil_marker(bits, 3 + flywheel, 16)
    found, synchronizer = run(bits.ravel(), flywheel=flywheel)
    assert synchronizer.counts.lost_locks == 1
    assert np.array_equal(found.frames, np.delete(frames, 3 + flywheel, axis=0))
    assert synchronizer.counts.skipped_bits == (flywheel + 1) * PERIOD


@pytest.mark.parametrize("check_frames", [0, 1, 3])
def test_check_frames(check_frames):
    bits = stream_of(frames_of(10, 6)).ravel()
    synchronizer = FrameSynchronizer(FRAME, samples="bits", check_frames=check_frames)
    before = synchronizer.push(bits[: max(1, check_frames) * PERIOD + 31])
    assert len(before) == (check_frames == 0)
    assert synchronizer.state is (SynchronizerState.CHECK if check_frames else SynchronizerState.LOCK)
    after = synchronizer.push(bits[max(1, check_frames) * PERIOD + 31 :])
    assert len(before) + len(after) == 6


@pytest.mark.parametrize("check_frames", [1, 2])
def test_a_marker_within_the_data_does_not_hold_the_search(check_frames):
    frames = frames_of(11, 6)
    frames[0, 20:24] = np.frombuffer(ASM_32, np.uint8)
    bits = stream_of(frames)[:, 40:].copy()
    bits = np.concatenate([bits[0], stream_of(frames)[1:].ravel()])
    found, synchronizer = run(bits, check_frames=check_frames)
    assert np.array_equal(found.frames, frames[1:])
    assert synchronizer.counts.rejected == 1
    assert synchronizer.counts.skipped_bits == PERIOD - 40


@pytest.mark.parametrize("kind", ["octets", "bits", "llrs"])
def test_a_single_frame_waits_for_the_end_of_the_stream(kind):
    frames = frames_of(12, 1)
    bits = np.concatenate([noise(4, 19), stream_of(frames).ravel(), noise(5, 13)])
    found, synchronizer = run(bits, kind)
    assert len(found) == 0
    assert np.array_equal(frame_octets(synchronizer.flush()), frames)
    assert synchronizer.counts.skipped_bits == 19 + 13
    assert len(synchronizer.flush()) == 0
    again = synchronizer.push(samples_of(stream_of(frames_of(13, 3)).ravel(), kind))
    assert np.array_equal(frame_octets(again), frames_of(13, 3))
    assert again.position.tolist() == [PERIOD + 32 + i * PERIOD for i in range(3)]


def test_the_end_of_the_stream_amid_an_octet():
    synchronizer = FrameSynchronizer(FRAME, samples="bits")
    synchronizer.push(noise(6, 13))
    assert len(synchronizer.flush()) == 0
    frames = frames_of(14, 2)
    assert np.array_equal(synchronizer.push(stream_of(frames).ravel()).frames, frames)


def eventful_stream() -> np.ndarray:
    """A slip, an inversion, spoiled markers, a burst of noise and a lost lock, in frames one can tell apart."""
    bits = stream_of(frames_of(15, 30))
    bits[12:] ^= 1
    for frame in (6, 15, 16, 17):
        spoil_marker(bits, frame, 13)
    spoil_marker(bits, 8, 6)
    rows = list(bits)
    rows[3] = rows[3][:-1]
    rows[9] = np.concatenate([rows[9], noise(7, 2)])
    rows[22] = np.concatenate([noise(8, 1301), rows[22]])
    return np.concatenate([noise(9, 333), *rows, noise(10, 7)])


EVENTFUL = eventful_stream()


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(["octets", "bits", "llrs"]), st.lists(st.integers(0, 3000), max_size=60))
def test_the_size_of_the_pieces_does_not_matter(kind, cuts):
    samples = samples_of(EVENTFUL, kind)
    whole = FrameSynchronizer(FRAME, samples=kind)
    pieces = FrameSynchronizer(FRAME, samples=kind)
    expected = [whole.push(samples), whole.flush()]
    found = [pieces.push(piece) for piece in np.split(samples, np.minimum(np.cumsum(cuts), samples.size))]
    found.append(pieces.flush())
    for ours, theirs in zip(
        zip(*map(astuple, found), strict=True), zip(*map(astuple, expected), strict=True), strict=True
    ):
        assert np.array_equal(np.concatenate(ours), np.concatenate(theirs))
    assert pieces.counts == whole.counts
    assert (whole.counts.slips, whole.counts.lost_locks) == (2, 2)


@pytest.mark.parametrize("kind", ["octets", "bits", "llrs"])
def test_element_by_element(kind):
    samples = samples_of(EVENTFUL[:4000], kind)
    synchronizer = FrameSynchronizer(FRAME, samples=kind)
    found = [synchronizer.push(samples[i : i + 1]) for i in range(samples.size)]
    assert np.array_equal(np.concatenate([f.frames for f in found]), run(EVENTFUL[:4000], kind)[0].frames)


def test_a_long_stream_in_one_piece():
    frames = frames_of(16, 20_000)
    samples = np.packbits(np.concatenate([noise(11, 5), stream_of(frames).ravel(), noise(12, 3)]))
    found = FrameSynchronizer(FRAME).push(samples.tobytes())
    assert np.array_equal(found.frames, frames)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["octets", "bits", "llrs"]),
    st.integers(0, 2**32 - 1),
    st.integers(0, 15),
    st.integers(0, 2),
    st.integers(0, 3),
    st.integers(0, 16),
)
def test_noise_never_raises(kind, seed, tolerance, check_frames, flywheel, slip_bits):
    synchronizer = FrameSynchronizer(
        5,
        samples=kind,
        search_errors=tolerance,
        check_errors=tolerance,
        lock_errors=15,
        check_frames=check_frames,
        flywheel=flywheel,
        slip_bits=slip_bits,
    )
    rng = np.random.default_rng(seed)
    pieces = [noise(seed + i, 8 * int(rng.integers(0, 200))) for i in range(4)]
    found = [synchronizer.push(samples_of(piece, kind)) for piece in pieces]
    found.append(synchronizer.flush())
    assert synchronizer.counts.frames == sum(map(len, found))
    assert synchronizer.counts.bits == sum(piece.size for piece in pieces)
    assert synchronizer.counts.skipped_bits <= synchronizer.counts.bits


def test_candidates_in_noise_are_as_many_as_chance_makes():
    n = 4_000_000
    chance = 2 * sum(comb(32, i) for i in range(5)) / 2**32
    for kind in ("octets", "llrs"):
        found, synchronizer = run(noise(13, n), kind, search_errors=4, check_errors=4)
        assert len(found) == 0
        assert abs(synchronizer.counts.rejected - n * chance) < 5 * (n * chance) ** 0.5
        assert synchronizer.counts.skipped_bits > n - PERIOD - 32


def test_soft_bits_find_what_hard_bits_miss():
    """At the threshold of the rate 1/2 code, Es/N0 = -1.3 dB, one bit in nine is wrong: 7 in a marker of 64."""
    sent = 1 - 2 * stream_of(frames_of(17, 400), ASM_64).ravel().astype(np.float32)
    sigma = np.float32((2 * 10**-0.13) ** -0.5)
    received = sent + sigma * np.random.default_rng(18).standard_normal(sent.size, dtype=np.float32)
    soft = FrameSynchronizer(FRAME, ASM_64, "llrs", lock_errors=8).push(received)
    hard = FrameSynchronizer(FRAME, ASM_64, "bits", lock_errors=8).push(received < 0)
    assert len(soft) == 400
    assert soft.missed.mean() < 0.005
    assert hard.missed.mean() > 0.2
    # Mean of the wrong side's share of the magnitude, by the normal distribution: 4.1 % of 64 bits.
    assert soft.marker_errors.mean() == pytest.approx(2.62, abs=0.2)


def test_soft_frames_keep_their_magnitudes():
    rng = np.random.default_rng(19)
    llrs = (1 - 2 * stream_of(frames_of(20, 3)).astype(np.float32)) * rng.uniform(0.5, 9, (3, PERIOD)).astype(
        np.float32
    )
    found = FrameSynchronizer(FRAME, samples="llrs").push(-llrs.ravel())
    assert found.inverted.all()
    assert np.array_equal(found.frames, llrs[:, 32:])


def test_bits_that_say_nothing_are_no_marker():
    """After silence a few bits of the marker's end would otherwise pass for all of it."""
    llrs = np.zeros(20_000, np.float32)
    llrs[5000:5016] = 1 - 2 * noise(14, 16).astype(np.float32)
    llrs[9000:] = np.random.default_rng(21).standard_normal(11_000)
    synchronizer = FrameSynchronizer(FRAME, samples="llrs")
    assert len(synchronizer.push(llrs)) == 0
    assert synchronizer.counts.rejected == 0


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_certain_and_undefined_soft_bits(dtype):
    frames = frames_of(22, 6)
    llrs = ((1 - 2 * stream_of(frames).astype(dtype)) * dtype(np.inf)).astype(dtype)
    llrs[4, 3] = np.nan
    found = FrameSynchronizer(FRAME, samples="llrs").push(llrs.ravel())
    assert np.array_equal(frame_octets(found), frames)
    assert found.missed.tolist() == [False] * 4 + [True, False]
    assert np.isfinite(found.frames).all()


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"marker": b""}, "expected 1 to 8 octets, found 0"),
        ({"marker": bytes(9)}, "found 9"),
        ({"samples": "soft"}, "found 'soft'"),
        ({"frame_octets": 0}, "expected at least 1, found 0"),
        ({"search_errors": 5}, r"half the marker, found \(5, 4, 8\)"),
        ({"lock_errors": 16}, r"< 16, half the marker, found \(2, 4, 16\)"),
        ({"search_errors": -1}, r"found \(-1, 4, 8\)"),
        ({"flywheel": -1}, r"found \(1, -1, 2\)"),
        ({"slip_bits": 17}, r"at most 16, found \(1, 2, 17\)"),
        ({"frame_octets": 1, "slip_bits": 5}, r"at most 4, found \(1, 2, 5\)"),
    ],
)
def test_contradictory_parameters(parameters, message):
    with pytest.raises(ConfigError, match=message):
        FrameSynchronizer(**{"frame_octets": FRAME} | parameters)


@pytest.mark.parametrize(
    ("kind", "samples", "message"),
    [
        ("octets", np.zeros(8), r"expected uint8 \(n,\), found float64 \(8,\)"),
        ("octets", np.zeros((1, 8), np.uint8), r"found uint8 \(1, 8\)"),
        ("octets", np.zeros(8, np.uint16), "found uint16"),
        ("bits", np.zeros(8, np.int64), r"expected uint8 or bool \(n,\), found int64"),
        ("llrs", b"12345678", r"expected floating point \(n,\), found uint8 \(8,\)"),
    ],
)
def test_samples_of_the_wrong_kind(kind, samples, message):
    with pytest.raises(FrameError, match=message):
        FrameSynchronizer(FRAME, samples=kind).push(samples)
