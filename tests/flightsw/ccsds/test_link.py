"""Profiles, the chain from frames to the line and back, and the interleaver."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flightsw.ccsds.coding.crc import crc16_rows
from flightsw.ccsds.interleaver import Deinterleaver, Interleaver, span_of
from flightsw.ccsds.link import LinkDecoder, LinkEncoder
from flightsw.ccsds.profile import LinkProfile, load, shipped
from flightsw.errors import ConfigError, FrameError

RATE = 100e6


def frames(profile, n, seed=1):
    rows = np.random.default_rng(seed).integers(0, 256, (n, profile.frame.length_octets), dtype=np.uint8)
    rows[:, -2:] = crc16_rows(rows[:, :-2]).astype(">u2").view(np.uint8).reshape(n, 2)
    return rows


def changed(name, **coding):
    profile = load(name).model_dump()
    profile["coding"].update(coding)
    return LinkProfile.model_validate(profile)


def line_of(profile, sent):
    encoder = LinkEncoder(profile, RATE)
    return np.concatenate([encoder.encode(sent[:7]), encoder.encode(sent[7:]), encoder.flush()])


def received_by(decoder, line, pieces=5):
    return np.concatenate([*(decoder.push(piece) for piece in np.array_split(line, pieces)), decoder.flush()])


def test_the_first_octets_of_the_line_are_the_marker_and_the_randomized_frame():
    profile = load("aos_rs_i5")
    line = LinkEncoder(profile).encode(np.zeros((1, 1115), np.uint8))
    assert len(line) == 4 + 1275
    assert line[:16].tobytes().hex() == "1acffc1d" + "1c71b91ba9ba8457b4bc5054"


def test_the_concatenated_line_begins_as_by_hand():
    """Rate 1/2 of the marker 1ACFFC1D from the zero state, G1 = 171, G2 = 133 inverted, octal, bit by bit."""
    register, bits = 0, []
    for bit in np.unpackbits(np.frombuffer(bytes.fromhex("1ACFFC1D"), np.uint8)):
        register = (register >> 1) | (int(bit) << 6)
        bits += [bin(register & 0o171).count("1") & 1, 1 - (bin(register & 0o133).count("1") & 1)]
    line = LinkEncoder(load("tm_concatenated")).encode(np.zeros((1, 1115), np.uint8))
    assert line[:8].tobytes() == np.packbits(bits).tobytes()


@pytest.mark.parametrize("name", list(shipped()))
@pytest.mark.parametrize("interleaver_ms", [0.0, 1.0])
def test_frames_come_out_of_hard_and_soft_bits(name, interleaver_ms):
    profile = changed(name, interleaver_ms=interleaver_ms)
    sent = frames(profile, 40)
    line = line_of(profile, sent)
    hard = LinkDecoder(profile, "octets", RATE)
    assert np.array_equal(received_by(hard, line), sent)
    noise = np.random.default_rng(2).standard_normal(8 * len(line))
    llr = ((1.0 - 2.0 * np.unpackbits(line)) * 8.0 + 1.4 * noise).astype(np.float32)
    soft = LinkDecoder(profile, "llrs", RATE)
    assert np.array_equal(received_by(soft, llr), sent)
    for decoder in (hard, soft):
        assert decoder.statistics.frames == 40 and decoder.statistics.lost == 0


def test_errors_within_the_code_are_corrected_and_counted_and_beyond_it_are_never_passed_on():
    profile = load("aos_rs_i5")
    sent = frames(profile, 20)
    line = line_of(profile, sent).reshape(20, 1279)
    line[3, 4 : 4 + 80] ^= 0x55  # 16 symbols of each of five codewords
    line[9, 4 : 4 + 85] ^= 0x55  # 17 of each
    decoder = LinkDecoder(profile)
    out = received_by(decoder, line.reshape(-1))
    assert np.array_equal(out, np.delete(sent, 9, axis=0))
    s = decoder.statistics
    assert (s.frames, s.corrected_frames, s.corrected_symbols, s.uncorrectable, s.lost) == (19, 1, 80, 1, 1)


def test_a_fade_that_destroys_codeblocks_is_bridged_by_the_interleaver():
    sent = frames(load("aos_rs_i5"), 400)
    lost = {}
    for depth in (0.0, 20.0):
        profile = changed("aos_rs_i5", interleaver_ms=depth)
        line = line_of(profile, sent)
        start = len(line) // 2
        line[start : start + 10_000] = np.random.default_rng(3).integers(0, 256, 10_000)  # 0.8 ms at 100 Mb/s
        decoder = LinkDecoder(profile, "octets", RATE)
        lost[depth] = 400 - len(received_by(decoder, line, 50))
    assert lost[0.0] >= 7 and lost[20.0] == 0


def test_every_phase_of_the_convolutional_code_is_found():
    profile = changed("tm_concatenated", convolutional="3/4")
    sent = frames(profile, 12)
    llr = (4.0 - 8.0 * np.unpackbits(line_of(profile, sent))).astype(np.float32)
    for missing in range(4):
        out = received_by(LinkDecoder(profile, "llrs"), llr[missing:])
        # the first marker is cut, and the last octet is not complete any more
        assert len(out) >= 10
        assert any(np.array_equal(out, sent[first : first + len(out)]) for first in (0, 1))


@settings(max_examples=30, deadline=None)
@given(st.binary(max_size=6000), st.sampled_from(["aos_rs_i5", "tm_concatenated", "uslp_ar4ja", "tm_uncoded"]))
def test_noise_is_counted_and_never_raised(noise, name):
    decoder = LinkDecoder(load(name))
    out = np.concatenate([decoder.push(np.frombuffer(noise, np.uint8)), decoder.flush()])
    assert len(out) == decoder.statistics.frames == 0


def test_frames_of_another_length_are_refused():
    with pytest.raises(FrameError, match=r"expected uint8 \(n, 1115\), found uint8 \(2, 1114\)"):
        LinkEncoder(load("aos_rs_i5")).encode(np.zeros((2, 1114), np.uint8))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("rs_interleave = 5", "rs_interleave = 5\nrs_virtual_fill = 7", "multiple of the interleave 5"),
        ("length_octets = 1115", "length_octets = 1000", "1115 information octets, found 1000"),
        ("rs_interleave = 5", "rs_interleave = 6", "coding.rs_interleave"),
        ('"1ACFFC1D"', '"1ACFFCXX"', "hexadecimal"),
        ('block = "rs"', 'block = "rs"\nblok = 1', "coding.blok"),
    ],
)
def test_a_profile_that_contradicts_itself_is_refused(tmp_path, old, new, said):
    from importlib.resources import files

    text = files("flightsw.ccsds").joinpath("profiles/aos_rs_i5.toml").read_text()
    path = tmp_path / "p.toml"
    path.write_text(text.replace(old, new))
    with pytest.raises(ConfigError, match=said) as error:
        load(str(path))
    assert "\n" not in str(error.value)


def test_an_interleaver_needs_the_line_rate():
    with pytest.raises(ConfigError, match="line rate"):
        LinkEncoder(changed("aos_rs_i5", interleaver_ms=1.0))


@given(st.integers(1, 9), st.integers(1, 40), st.lists(st.integers(0, 7), min_size=1, max_size=8))
def test_the_interleaver_delays_each_octet_by_its_share_of_the_span(span, columns, pieces):
    n = sum(pieces) + 1
    rows = np.random.default_rng(4).integers(0, 256, (n, columns), dtype=np.uint8)
    interleaver = Interleaver(columns, span)
    cuts = np.split(rows, np.cumsum(pieces))
    units = np.concatenate([*(interleaver.push(cut) for cut in cuts), interleaver.flush()])
    for j in range(columns):
        delay = j * span // columns
        assert np.array_equal(units[delay : delay + n, j], rows[:, j])
    back, gone = Deinterleaver(columns, span).push(units, np.zeros(len(units), np.bool_))
    assert np.array_equal(back[:n], rows) and not gone.any()


def test_a_span_is_the_depth_in_units():
    assert span_of(0.01, 1e8, 10_232) == 98
