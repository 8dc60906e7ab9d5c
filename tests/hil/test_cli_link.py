"""`beamlock link` on files."""

import json

import numpy as np
import pytest

from flightsw.ccsds.coding.crc import crc16_rows
from hil.cli import main
from hil.link_simulation import wilson


@pytest.fixture
def sent(tmp_path):
    frames = np.random.default_rng(1).integers(0, 256, (30, 1115), dtype=np.uint8)
    frames[:, -2:] = crc16_rows(frames[:, :-2]).astype(">u2").view(np.uint8).reshape(-1, 2)
    (tmp_path / "frames").write_bytes(frames.tobytes())
    return frames


def run(tmp_path, *words):
    return main(["link", *(str(tmp_path / w.removeprefix("@")) if w.startswith("@") else w for w in words)])


def test_frames_go_through_a_damaged_line_and_come_back_counted(tmp_path, sent):
    assert run(tmp_path, "encode", "--profile", "aos_rs_i5", "@frames", "@line") == 0
    line = bytearray((tmp_path / "line").read_bytes())
    assert len(line) == 30 * 1279
    line[2000:2010] = bytes(10)  # a burst of ten octets
    line[6 * 1279 + 10 : 6 * 1279 + 400] = bytes(390)  # more than the code corrects
    (tmp_path / "damaged").write_bytes(line)
    assert run(tmp_path, "decode", "--profile", "aos_rs_i5", "--stats", "@stats", "@damaged", "@out") == 0
    out = np.frombuffer((tmp_path / "out").read_bytes(), np.uint8).reshape(-1, 1115)
    assert np.array_equal(out, np.delete(sent, 6, axis=0))
    stats = json.loads((tmp_path / "stats").read_text())
    assert (stats["frames"], stats["uncorrectable"], stats["lost"], stats["bit_slips"]) == (29, 1, 1, 0)
    assert 1 <= stats["corrected_symbols"] <= 10


def test_soft_bits_are_read_as_float32(tmp_path, sent):
    assert run(tmp_path, "encode", "--profile", "tm_concatenated", "@frames", "@line") == 0
    bits = np.unpackbits(np.frombuffer((tmp_path / "line").read_bytes(), np.uint8))
    (4.0 - 8.0 * bits).astype("<f4").tofile(tmp_path / "soft")
    assert run(tmp_path, "decode", "--soft", "--profile", "tm_concatenated", "@soft", "@out") == 0
    assert (tmp_path / "out").read_bytes() == sent.tobytes()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["encode", "--profile", "nope", "@frames", "@x"], "expected a TOML file or one of aos_ldpc_c2"),
        (["encode", "--profile", "aos_ldpc_c2", "@frames", "@x"], "whole frames of 892 octets, found 33450 octets"),
        (["encode", "--profile", "aos_rs_i5", "@absent", "@x"], "No such file"),
        (["decode", "--soft", "--profile", "aos_rs_i5", "@odd", "@x"], "float32 values, 4 octets each, found 3 octets"),
        (["simulate", "--profile", "aos_rs_i5", "--photons-per-bit", "5"], "expected A:B:STEP"),
        (["simulate", "--profile", "aos_rs_i5", "--photons-per-bit", "9:5:1"], "0 < A <= B"),
    ],
)
def test_bad_input_is_one_line(tmp_path, sent, capsys, words, said):
    (tmp_path / "odd").write_bytes(b"abc")
    assert run(tmp_path, *words) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1


def test_a_truncated_stream_and_garbage_are_counted(tmp_path, sent):
    run(tmp_path, "encode", "--profile", "aos_rs_i5", "@frames", "@line")
    line = (tmp_path / "line").read_bytes()
    (tmp_path / "cut").write_bytes(line[: 10 * 1279 + 500])
    assert run(tmp_path, "decode", "--profile", "aos_rs_i5", "@cut", "@out") == 0
    assert (tmp_path / "out").read_bytes() == sent[:10].tobytes()
    (tmp_path / "garbage").write_bytes(np.random.default_rng(2).bytes(100_000))
    assert run(tmp_path, "decode", "--profile", "aos_rs_i5", "@garbage", "@out") == 0
    assert (tmp_path / "out").read_bytes() == b""


def test_the_simulated_curve_falls_and_is_plotted(tmp_path, capsys):
    words = [
        "simulate",
        "--profile",
        "aos_rs_i5",
        "--photons-per-bit",
        "6:12:6",
        "--frames",
        "80",
        "--plot",
        "@fer.png",
    ]
    assert run(tmp_path, *words) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()[1:3]]
    # 1.6 % of bits wrong is 12 % of octets, twice what the code corrects; 0.07 % is half a percent
    assert float(rows[0][3]) == 1.0 and float(rows[1][3]) == 0.0
    assert (tmp_path / "fer.png").read_bytes().startswith(b"\x89PNG")


def test_wilson_interval_against_published_values():
    # Newcombe 1998, Stat. Med. 17: 81 of 263 and 0 of 20
    assert wilson(81, 263, 1.959964) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert wilson(0, 20, 1.959964) == pytest.approx((0.0, 0.1611), abs=1e-4)
