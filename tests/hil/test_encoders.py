"""The RTL in the loop: what goes into the channel is what the Python encoder would have sent."""

import hashlib
import json

import numpy as np
import pytest

from flightsw.ccsds import profile as profiles
from flightsw.errors import ConfigError
from hil.cli import main
from hil.data_link import DataLink
from hil.encoders import EncoderKind, encoder_kind
from hil.lockstep import Lockstep
from hil.world import build

PAYLOAD = np.random.default_rng(4).bytes(300_000)


class Tapped:
    """An encoder whose octets are hashed on their way to the channel."""

    def __init__(self, encoder, taps):
        self.encoder = encoder
        self.line_octets_per_frame = encoder.line_octets_per_frame
        self.tap = hashlib.sha256()
        taps.append(self.tap)

    def encode(self, frames):
        octets = self.encoder.encode(frames)
        self.tap.update(octets.tobytes())
        return octets

    def flush(self):
        return self.encoder.flush()


@pytest.mark.parametrize("interleaver_ms", [0.0, 20.0])
def test_both_encoders_send_the_same_bits_into_the_channel(scenario, tmp_path, interleaver_ms):
    table = profiles.load("aos_rs_i5").model_dump()
    table["coding"]["interleaver_ms"] = interleaver_ms
    profile = tmp_path / "profile.toml"
    profile.write_text(
        "\n".join(
            f"[{name}]\n" + "\n".join(f"{key} = {json.dumps(value)}" for key, value in table[name].items())
            for name in ("frame", "coding")
        )
    )
    s = scenario("leo_crosslink", {"/data.profile": str(profile)})
    seen, summaries = [], []
    for name in ("python", "rtl"):
        taps: list = []
        kind = encoder_kind(name)
        world = build(s, 1, 6, tmp_path)
        tapped = EncoderKind(name, lambda *a, kind=kind, taps=taps: Tapped(kind.make(*a), taps))
        link = DataLink(s, world, PAYLOAD, 1, [tapped, tapped])
        Lockstep(s, world).run(data=link)
        assert link.arrived
        # there and back, and not the same
        assert len(taps) == 2 and len({tap.digest() for tap in taps}) == 2
        seen.append([tap.hexdigest() for tap in taps])
        summaries.append(link.summary())
    assert seen[0] == seen[1]
    assert [summary.pop("encoder") for summary in summaries] == ["python", "rtl"]
    assert summaries[0] == summaries[1]


def test_a_run_delivers_its_payload_through_the_rtl(tmp_path, capsys):
    (tmp_path / "payload").write_bytes(PAYLOAD)
    out = tmp_path / "run"
    words = ["run", "leo_crosslink", "--duration-s", "6", "--payload", str(tmp_path / "payload"), "--out", str(out)]
    assert main([*words, "--encoder", "rtl", "--no-report"]) == 0
    assert "SHA-256 equal" in capsys.readouterr().out
    data = json.loads((out / "summary.json").read_text())["data"]
    assert data["encoder"] == "rtl" and data["sha256_match"] is True


def test_link_encode_writes_the_same_file(tmp_path):
    frames = np.random.default_rng(2).integers(0, 256, (9, 1115), dtype=np.uint8)
    (tmp_path / "frames").write_bytes(frames.tobytes())
    for name in ("python", "rtl"):
        words = ["link", "encode", "--profile", "aos_rs_i5", "--encoder", name]
        assert main([*words, str(tmp_path / "frames"), str(tmp_path / name)]) == 0
    line = (tmp_path / "rtl").read_bytes()
    assert len(line) == 9 * 1279 and line == (tmp_path / "python").read_bytes()


def test_what_cannot_be_encoded_is_refused_in_one_line(tmp_path, capsys):
    assert main(["run", "leo_crosslink", "--encoder", "rtl"]) == 2
    assert "--payload" in capsys.readouterr().err
    (tmp_path / "frames").write_bytes(bytes(512))
    words = ["link", "encode", "--profile", "uslp_ar4ja", "--encoder", "rtl"]
    assert main([*words, str(tmp_path / "frames"), str(tmp_path / "line")]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "ldpc-c2" in error
    with pytest.raises(ConfigError, match="python, rtl"):
        encoder_kind("fpga")


def test_without_a_compiler_the_python_encoder_still_works(monkeypatch, tmp_path, capsys):
    (tmp_path / "frames").write_bytes(bytes(1115))
    monkeypatch.setenv("PATH", str(tmp_path))
    words = ["link", "encode", "--profile", "aos_rs_i5", str(tmp_path / "frames"), str(tmp_path / "line")]
    assert main([*words, "--encoder", "rtl"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "install" in error
    assert main([*words, "--encoder", "python"]) == 0


def test_a_build_is_announced_on_stderr(monkeypatch, tmp_path, capsys):
    (tmp_path / "frames").write_bytes(bytes(1115))

    def load(top, parameters, announce):
        announce(f"compiling {top}")
        raise ConfigError("stop here")

    monkeypatch.setattr("hdl.verilated.load_model", load)
    words = ["link", "encode", "--profile", "aos_rs_i5", str(tmp_path / "frames"), str(tmp_path / "line")]
    assert main([*words, "--encoder", "rtl"]) == 2
    assert capsys.readouterr().err.splitlines() == ["beamlock: compiling ccsds_tm_encoder", "beamlock: stop here"]
