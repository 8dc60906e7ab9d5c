"""The convolutional code against outputs worked out by hand, its distance spectrum, and exhaustive decoding."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from flightsw.ccsds.coding.convolutional import ConvolutionalCode, Rate, hard_llr
from flightsw.errors import ConfigError, FrameError

RATES: tuple[Rate, ...] = ("1/2", "2/3", "3/4", "5/6", "7/8")

# Sent symbols of a puncture period in their order, as table 3-2 of the standard writes them: (generator, bit).
SENT = {
    "1/2": ((1, 0), (2, 0)),
    "2/3": ((1, 0), (2, 0), (2, 1)),
    "3/4": ((1, 0), (2, 0), (2, 1), (1, 2)),
    "5/6": ((1, 0), (2, 0), (2, 1), (1, 2), (2, 3), (1, 4)),
    "7/8": ((1, 0), (2, 0), (2, 1), (2, 2), (2, 3), (1, 4), (2, 5), (1, 6)),
}
PERIOD_BITS = {"1/2": 1, "2/3": 2, "3/4": 3, "5/6": 5, "7/8": 7}
TAPS = {1: (1, 1, 1, 1, 0, 0, 1), 2: (1, 0, 1, 1, 0, 1, 1)}


def reference_symbols(bits: NDArray[np.uint8], rate: Rate) -> NDArray[np.uint8]:
    """The code as polynomial products over the integers, modulo 2, then punctured symbol by symbol."""
    streams = {g: np.convolve(bits, taps)[: len(bits)] % 2 for g, taps in TAPS.items()}
    if rate == "1/2":
        streams[2] = 1 - streams[2]
    period = PERIOD_BITS[rate]
    symbols = [
        streams[generator][start + bit]
        for start in range(0, len(bits), period)
        for generator, bit in SENT[rate]
        if start + bit < len(bits)
    ]
    return np.array(symbols, np.uint8)


def random_rows(seed: int, rows: int, octets: int) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (rows, octets), dtype=np.uint8)


@pytest.mark.parametrize(
    ("rate", "encoded"),
    [
        # A single one: C1 is 1111001 and C2 1011011, the octal vectors themselves, and C2 is inverted.
        ("1/2", "ba495555"),
        ("2/3", "dce000"),
        ("3/4", "dcc000"),
        ("5/6", "d98000"),
        ("7/8", "db0000"),
    ],
)
def test_impulse_response(rate: Rate, encoded: str) -> None:
    found = ConvolutionalCode(rate).encode(np.array([[0x80, 0]], np.uint8)).tobytes().hex()
    assert found == encoded[: len(found)]


def test_zeros_give_transitions_only_at_rate_1_2() -> None:
    zeros = np.zeros((1, 21), np.uint8)
    assert (ConvolutionalCode("1/2").encode(zeros) == 0x55).all()
    for rate in RATES[1:]:
        assert not ConvolutionalCode(rate).encode(zeros).any()


@pytest.mark.parametrize("rate", RATES)
@settings(max_examples=40, deadline=None)
@given(information=st.binary(min_size=1, max_size=40))
def test_encoder_is_the_polynomial_product(rate: Rate, information: bytes) -> None:
    code = ConvolutionalCode(rate)
    octets = np.frombuffer(information, np.uint8)[None, :]
    encoded = np.unpackbits(code.encode(octets)[0])
    # Whatever completes the last octet continues the stream with zeros.
    expected = reference_symbols(np.append(np.unpackbits(octets[0]), np.zeros(8, np.uint8)), rate)
    assert code.symbols(octets.shape[1]) == len(reference_symbols(np.unpackbits(octets[0]), rate))
    assert len(encoded) == -(-code.symbols(octets.shape[1]) // 8) * 8
    assert np.array_equal(encoded, expected[: len(encoded)])


@pytest.mark.parametrize("rate", RATES)
@settings(max_examples=25, deadline=None)
@given(pieces=st.lists(st.integers(0, 9), min_size=1, max_size=8), seed=st.integers(0, 999))
def test_encoding_in_pieces_continues_the_stream(rate: Rate, pieces: list[int], seed: int) -> None:
    code = ConvolutionalCode(rate)
    information = random_rows(seed, 2, sum(pieces))
    encoder = code.encoder(rows=2)
    for _ in range(2):
        ends = np.cumsum(pieces)
        parts = [encoder.encode(information[:, end - piece : end]) for piece, end in zip(pieces, ends, strict=True)]
        assert np.array_equal(np.concatenate([*parts, encoder.flush()], axis=1), code.encode(information))


@pytest.mark.parametrize(
    ("rate", "distance", "paths", "weight"),
    [
        # Free distance, paths and information weight: J. P. Odenwalder (1970) for rate 1/2; D. Haccoun and G. Begin,
        # "High-rate punctured convolutional codes for Viterbi and sequential decoding" (1989), for the punctured codes.
        ("1/2", 10, 11, 36),
        ("2/3", 6, 1, 3),
        ("3/4", 5, 8, 42),
        ("7/8", 3, 2, 9),
        # Its 14 paths of weight 92 contain some that are too long to be listed here.
        ("5/6", 4, None, None),
    ],
)
def test_free_distance_and_its_paths(rate: Rate, distance: int, paths: int | None, weight: int | None) -> None:
    code = ConvolutionalCode(rate)
    length = 17
    inputs = np.arange(1 << length - 1, 1 << length)
    bits = (inputs[:, None] >> np.arange(length - 1, -1, -1) & 1).astype(np.uint8)
    # A path that has met the all-zero one, after six zeros, must not leave it again.
    zeros = np.zeros(len(bits), int)
    one_event = np.ones(len(bits), bool)
    for column in bits.T:
        one_event &= ~((column == 1) & (zeros >= 6))
        zeros = np.where(column == 1, 0, zeros + 1)
    bits = bits[one_event]
    weights = []
    for start in range(code.period_bits):
        octets = -(-(start + length + 6 + code.period_bits) // 8)
        padded = np.zeros((len(bits), 8 * octets), np.uint8)
        padded[:, start : start + length] = bits
        encoded = code.encode(np.packbits(padded, axis=1)) ^ code.encode(np.zeros((1, octets), np.uint8))
        weights.append(np.bitwise_count(encoded).sum(axis=1))
    found = np.concatenate(weights)
    assert found.min() == distance
    if paths is not None:
        least = found == distance
        assert np.count_nonzero(least) == paths
        assert np.tile(bits.sum(axis=1), code.period_bits)[least].sum() == weight


@pytest.mark.parametrize("rate", RATES)
def test_viterbi_finds_the_most_likely_of_all_words(rate: Rate) -> None:
    """Against an exhaustive search over all words of twelve bits; heavy noise, so that many words are wrong."""
    code = ConvolutionalCode(rate)
    words = np.arange(1 << 12, dtype=np.uint32)
    octets = np.stack([words >> 4, words << 4 & 0xFF], axis=1).astype(np.uint8)
    symbols = len(reference_symbols(np.zeros(12, np.uint8), rate))
    codewords = np.stack([reference_symbols(row, rate) for row in np.unpackbits(octets, axis=1)[:, :12]])
    signs = 1 - 2 * codewords.astype(np.int32)
    rng = np.random.default_rng(7)
    sent = rng.integers(0, len(words), 300)
    llr = np.clip(np.rint(30 * signs[sent] + rng.normal(0, 50, (300, symbols))), -127, 127).astype(np.int8)
    likelihoods = llr.astype(np.int32) @ signs.T
    # Four bits that no symbol tells of make whole octets of twelve bits.
    erased = np.zeros((300, code.symbols(2) - symbols), np.int8)
    decoded, report = code.decode_soft(np.concatenate([llr, erased], axis=1))
    chosen = decoded[:, 0].astype(int) << 4 | decoded[:, 1] >> 4
    assert np.array_equal(likelihoods[np.arange(300), chosen], likelihoods.max(axis=1))
    assert np.count_nonzero(chosen != sent) > 30
    assert np.array_equal(report.symbols, np.count_nonzero(llr, axis=1))
    assert np.array_equal(report.corrected, np.count_nonzero(llr * signs[chosen] < 0, axis=1))


@pytest.mark.parametrize("rate", RATES)
@settings(max_examples=15, deadline=None)
@given(pieces=st.lists(st.integers(0, 1500), min_size=1, max_size=6), seed=st.integers(0, 999), soft=st.booleans())
def test_decoding_in_pieces_is_decoding_at_once(rate: Rate, pieces: list[int], seed: int, soft: bool) -> None:
    code = ConvolutionalCode(rate)
    # Little enough noise for survivors to merge within the window, wherever the tracebacks start.
    llr = 5 * hard_llr(code.encode(random_rows(seed, 2, sum(pieces) // 10)))
    llr[np.random.default_rng(seed).random(llr.shape) < 0.003] *= -1
    if soft:
        llr = llr.astype(np.float32)
    ends = np.minimum(np.cumsum(pieces), llr.shape[1])
    decoder = code.decoder(rows=2, known_start=True)
    results = [decoder.decode(part) for part in np.split(llr, ends, axis=1)]
    results.append(decoder.flush())
    information, report = code.decode_soft(llr)
    assert np.array_equal(np.concatenate([part for part, _ in results], axis=1), information)
    assert np.array_equal(sum(part.corrected for _, part in results), report.corrected)
    assert np.array_equal(sum(part.symbols for _, part in results), report.symbols)


@pytest.mark.parametrize("rate", RATES)
def test_decoder_joins_a_stream_at_any_symbol(rate: Rate) -> None:
    code = ConvolutionalCode(rate)
    information = random_rows(3, 1, 300)
    symbols = np.unpackbits(code.encode(information), axis=1)
    llr = np.subtract(1, 2 * symbols, dtype=np.int8)
    bits = np.unpackbits(information)
    for missed in range(1, 2 * code.period_symbols + 1):
        decoded, report = code.decode_soft(llr[:, missed:], phase=missed % code.period_symbols, known_start=False)
        # The first bit is the one that the first symbol belongs to.
        period, symbol = divmod(missed, code.period_symbols)
        first = period * code.period_bits + SENT[rate][symbol][1]
        expected = np.packbits(bits[first : first + decoded.size * 8])
        # It takes a constraint length to leave the unknown state behind.
        assert np.array_equal(decoded[0, 2:-2], expected[2:-2])
        assert report.corrected[0] == 0


@pytest.mark.parametrize("rate", RATES)
def test_wrong_phase_shows_in_the_report(rate: Rate) -> None:
    code = ConvolutionalCode(rate)
    rng = np.random.default_rng(5)
    symbols = np.unpackbits(code.encode(random_rows(5, 1, 2000)))
    symbols ^= (rng.random(symbols.size) < 0.005).astype(np.uint8)
    llr = np.subtract(1, 2 * symbols[None, :], dtype=np.int8)
    contradicted = [
        code.decode_soft(llr, phase=phase, known_start=False)[1].corrected[0] for phase in range(code.period_symbols)
    ]
    assert np.argmin(contradicted) == 0
    assert min(contradicted[1:]) > 3 * contradicted[0]


@settings(max_examples=100, deadline=None)
@given(places=st.sets(st.integers(0, 250), max_size=4), seed=st.integers(0, 999))
def test_four_errors_are_corrected(places: set[int], seed: int) -> None:
    """Half the free distance of 10, less one; also hard decisions, which weigh all errors the same."""
    code = ConvolutionalCode("1/2")
    information = random_rows(seed, 1, 24)
    symbols = np.unpackbits(code.encode(information), axis=1)
    symbols[0, list(places)] ^= 1
    decoded, report = code.decode_hard(np.packbits(symbols, axis=1))
    assert np.array_equal(decoded, information)
    assert report.corrected[0] == len(places)
    assert report.symbols[0] == 16 * 24


def test_metrics_wrap_around_unnoticed() -> None:
    code = ConvolutionalCode("1/2")
    information = random_rows(11, 1, 20000)
    llr = 127 * hard_llr(code.encode(information))
    llr[0, ::11] *= -1
    decoded, report = code.decode_soft(llr.astype(np.int8))
    assert np.array_equal(decoded[0, :-2], information[0, :-2])
    assert report.corrected[0] == pytest.approx(llr.size / 11, abs=2)


def test_float_llrs_are_quarters() -> None:
    code = ConvolutionalCode("3/4")
    rng = np.random.default_rng(9)
    llr = rng.normal(0, 12, (4, 800)).astype(np.float32)
    quarters = np.rint(np.clip(4 * llr, -127, 127)).astype(np.int8)
    assert np.array_equal(code.decode_soft(llr)[0], code.decode_soft(quarters)[0])


@pytest.mark.parametrize("rate", RATES)
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 9999), symbols=st.integers(0, 3000))
def test_noise_is_decoded_without_complaint(rate: Rate, seed: int, symbols: int) -> None:
    code = ConvolutionalCode(rate)
    rng = np.random.default_rng(seed)
    llr = rng.normal(0, 100, (2, symbols)).astype(np.float32)
    llr[rng.random(llr.shape) < 0.1] = np.nan
    llr[rng.random(llr.shape) < 0.1] = np.inf
    llr[rng.random(llr.shape) < 0.1] = -np.float32(3e38)
    decoded, report = code.decode_soft(llr, known_start=False)
    assert decoded.shape == (2, symbols * code.period_bits // code.period_symbols // 8)
    assert (report.corrected <= report.symbols).all()
    assert (report.symbols <= symbols).all()


def test_read_only_and_strided_input() -> None:
    code = ConvolutionalCode("5/6")
    information = random_rows(2, 6, 60)
    wide = np.repeat(information, 2, axis=1)
    frozen = information.copy()
    frozen.flags.writeable = False
    encoded = code.encode(information)
    assert np.array_equal(code.encode(wide[:, ::2]), encoded)
    assert np.array_equal(code.encode(frozen), encoded)
    assert np.array_equal(code.decode_hard(encoded[::2])[0], information[::2])


def test_no_rows_and_no_symbols() -> None:
    code = ConvolutionalCode("7/8")
    assert code.encode(np.empty((0, 5), np.uint8)).shape == (0, 6)
    assert code.encode(np.empty((3, 0), np.uint8)).shape == (3, 0)
    assert code.decode_soft(np.empty((0, 80), np.float32))[0].shape == (0, 8)
    assert code.decode_soft(np.empty((3, 0), np.float32))[0].shape == (3, 0)


def test_errors_say_what_was_expected() -> None:
    code = ConvolutionalCode("3/4")
    with pytest.raises(ConfigError, match="4/5"):
        ConvolutionalCode("4/5")  # type: ignore[arg-type]
    with pytest.raises(FrameError, match="int64"):
        code.encode(np.zeros((1, 4), np.int64))  # type: ignore[arg-type]
    with pytest.raises(FrameError, match=r"expected uint8 \(2, k\), found uint8 \(1, 4\)"):
        code.encoder(rows=2).encode(np.zeros((1, 4), np.uint8))
    with pytest.raises(FrameError, match="float64"):
        code.decode_soft(np.zeros((1, 4)))  # type: ignore[arg-type]
    with pytest.raises(FrameError, match=r"expected float32 or int8 \(2, symbols\)"):
        code.decoder(rows=2).decode(np.zeros((1, 4), np.int8))
    with pytest.raises(FrameError, match="float32"):
        code.decode_soft(np.zeros(4, np.float32))
    with pytest.raises(ConfigError, match="0 to 3 at rate 3/4, found 4"):
        code.decoder(phase=4)
    with pytest.raises(ConfigError, match="multiple of 8 steps, found 60"):
        code.decoder(traceback=60)
