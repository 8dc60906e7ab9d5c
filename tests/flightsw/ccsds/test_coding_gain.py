"""Whole link profiles over a channel with white Gaussian noise, against curves in closed form.

Reed-Solomon: symbols err independently, so a codeword fails with the binomial tail beyond 16 errors. The concatenated
chain: the same tail over the symbol error rate of the inner decoder, as for ideal interleaving (J. P. Odenwalder 1970;
CCSDS 130.1-G-3, section 5); at an interleave of 5 the published curves lie within 0.1 dB of it.
"""

import numpy as np
import pytest
from scipy.stats import binom, norm

from flightsw.ccsds.coding import ConvolutionalCode, crc16_rows
from flightsw.ccsds.link import LinkDecoder, LinkEncoder
from flightsw.ccsds.profile import load

RS_RATE = 223 / 255


def noise_of(ebn0_db: float, rate: float) -> float:
    """Standard deviation of the noise for bits of +-1 at a code rate."""
    return (2.0 * rate * 10.0 ** (ebn0_db / 10.0)) ** -0.5


def llr_of(octets, sigma, rng):
    bits = np.unpackbits(octets)
    received = (1.0 - 2.0 * bits) + sigma * rng.standard_normal(len(bits))
    return (2.0 / sigma**2 * received).astype(np.float32)


def frame_error_rate(name, ebn0_db, rate, n, seed):
    """Share of frames that do not come out, over n frames."""
    profile, rng = load(name), np.random.default_rng(seed)
    sent = rng.integers(0, 256, (n, profile.frame.length_octets), dtype=np.uint8)
    sent[:, -2:] = crc16_rows(sent[:, :-2]).astype(">u2").view(np.uint8).reshape(n, 2)
    encoder, decoder = LinkEncoder(profile), LinkDecoder(profile, "llrs")
    line = np.concatenate([encoder.encode(sent), encoder.flush()])
    out = np.concatenate([decoder.push(llr_of(line, noise_of(ebn0_db, rate), rng)), decoder.flush()])
    right = {row.tobytes() for row in out} & {row.tobytes() for row in sent}
    return 1.0 - len(right) / n


def frames_failing(symbol_error_rate: float, codewords: int) -> float:
    """Frames of that many codewords, one of which has more than 16 wrong symbols."""
    return 1.0 - (1.0 - binom.sf(16, 255, symbol_error_rate)) ** codewords


@pytest.mark.parametrize(("name", "codewords", "ebn0_db"), [("aos_rs_i5", 5, 5.9), ("aos_rs_i8", 8, 6.0)])
def test_reed_solomon_is_within_a_fifth_of_a_decibel_of_the_binomial_curve(name, codewords, ebn0_db):
    measured = frame_error_rate(name, ebn0_db, RS_RATE, 1500, 1)

    def curve(db):
        bit = norm.sf(1.0 / noise_of(db, RS_RATE))
        return frames_failing(1.0 - (1.0 - bit) ** 8, codewords)

    assert curve(ebn0_db + 0.2) < measured < curve(ebn0_db - 0.2)
    assert 0.01 < measured < 0.9, "a point where the curve is steep"


def test_the_concatenated_chain_is_within_a_fifth_of_a_decibel_of_ideal_interleaving():
    ebn0_db = 2.1
    measured = frame_error_rate("tm_concatenated", ebn0_db, 0.5 * RS_RATE, 1200, 2)
    code, rng = ConvolutionalCode("1/2"), np.random.default_rng(3)
    information = rng.integers(0, 256, (1, 600_000), dtype=np.uint8)
    encoded = code.encode(information)[0]

    def curve(db):
        decoded = code.decode_soft(llr_of(encoded, noise_of(db, 0.5 * RS_RATE), rng)[None, :])[0]
        return frames_failing(float(np.mean(decoded[0, :600_000] != information[0])), 5)

    assert curve(ebn0_db + 0.2) < measured < curve(ebn0_db - 0.2)
    assert 0.01 < measured < 0.99


def test_a_randomizer_a_marker_and_the_check_cost_nothing_but_their_octets():
    assert frame_error_rate("aos_rs_i5", 9.0, RS_RATE, 400, 4) == 0.0
