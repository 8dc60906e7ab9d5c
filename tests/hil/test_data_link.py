"""A file over the link of a run: what arrives, what is lost in fades, and what the interleaver does about it."""

import json
from importlib.resources import files

import numpy as np
import pytest

from flightsw.ccsds.link import LinkEncoder
from flightsw.errors import ConfigError
from hil.cli import main
from hil.data_link import DataLink
from hil.encoders import PYTHON, EncoderKind
from hil.lockstep import Lockstep
from hil.world import build


@pytest.fixture(scope="module")
def payload():
    return np.random.default_rng(0).bytes(10_000_000)


@pytest.fixture
def carry(scenario, tmp_path, payload):
    """Carry the payload over leo_crosslink with some settings changed."""

    def run(changes, seconds=20, data=payload, profile="aos_rs_i5", interleaver_ms=0.0):
        text = files("flightsw.ccsds").joinpath(f"profiles/{profile}.toml").read_text()
        path = tmp_path / "profile.toml"
        path.write_text(f"{text}\ninterleaver_ms = {interleaver_ms}\n")
        s = scenario("leo_crosslink", {"/data.profile": str(path), **changes})
        world = build(s, 1, seconds, tmp_path)
        engine, link = Lockstep(s, world), DataLink(s, world, data, 1)
        engine.run(data=link)
        return link.summary()

    return run


def test_ten_megabytes_arrive_octet_for_octet(tmp_path, payload, capsys):
    (tmp_path / "payload").write_bytes(payload)
    out = tmp_path / "run"
    words = ["run", "leo_crosslink", "--duration-s", "10", "--payload", str(tmp_path / "payload"), "--out", str(out)]
    assert main(words) == 0
    data = json.loads((out / "summary.json").read_text())["data"]
    assert data["sha256_match"] is True and data["octets"] == 10_000_000 and data["frames_lost"] == 0
    # 1,000 of 1,032 octets of a packet, 1,105 of 1,279 of a frame, of 100 Mb/s
    assert data["goodput_mbps"] == pytest.approx(100.0 * 1000 / 1032 * 1105 / 1279, rel=0.03)
    # a frame of 10 ms at the sender, 6.7 ms of light, and up to 10 ms until the receiver's next frame
    assert 16.7 <= data["latency_ms"] <= 30.0
    assert data["rate_scale"] == 25.0
    assert "SHA-256 equal" in capsys.readouterr().out
    assert "What became of the data" in (out / "report.html").read_text()


@pytest.mark.parametrize("profile", ["aos_rs_i8", "tm_concatenated", "aos_ldpc_c2", "uslp_ar4ja", "tm_uncoded"])
def test_every_profile_carries_a_file(carry, profile):
    data = np.random.default_rng(3).bytes(40_001)
    summary = carry({"/data.carried_rate_mbps": 5.0}, 6, data, profile)
    assert summary["sha256_match"] is True and summary["octets"] == 40_001


def test_fades_of_a_detuned_loop_lose_frames_without_the_interleaver_and_none_with_it(carry, payload):
    weak = {
        "flight.tracking.law": "integrator",
        "flight.tracking.integrator_gain": 0.65,  # a breath below instability
        "hardware.laser.signal.power_w": 0.02,
        "/data.carried_rate_mbps": 20.0,
    }
    bare = carry(weak, 10, payload[:5_000_000])
    spread = carry(weak, 10, payload[:5_000_000], interleaver_ms=50.0)
    assert bare["frames_lost"] > 50 and bare["segments_resent"] > 50
    assert spread["frames_lost"] <= bare["frames_lost"] / 20
    assert bare["sha256_match"] is True and spread["sha256_match"] is True
    assert spread["latency_ms"] == pytest.approx(bare["latency_ms"] + 48.0, abs=8.0)


def test_a_blockage_interrupts_the_transfer_and_what_was_lost_is_sent_again(carry, payload):
    fault = {"at_s": 5.0, "fault": "blockage", "duration_s": 1.0}
    summary = carry({"/timeline": [fault], "/data.carried_rate_mbps": 10.0}, 10, payload[:2_000_000])
    assert summary["segments_resent"] > 100 and summary["sha256_match"] is True


@pytest.mark.parametrize("slow_way", [0, 1])
def test_each_way_is_as_fast_as_its_encoder(scenario, tmp_path, payload, slow_way):
    data, s = payload[:400_000], scenario("leo_crosslink", {"/data.carried_rate_mbps": 20.0})
    octets = [0, 0]

    def counting(way):
        class Counting(LinkEncoder):
            def encode(self, frames):
                line = super().encode(frames)
                octets[way] += line.size
                return line

        return EncoderKind("slow" if way == slow_way else "fast", Counting, 5.0 if way == slow_way else 50.0)

    world = build(s, 1, 6, tmp_path)
    engine, link = Lockstep(s, world), DataLink(s, world, data, 1, [counting(0), counting(1)])
    engine.run(data=link)
    summary = link.summary()
    assert summary["sha256_match"] is True
    assert summary["encoder"] == ("slow, fast" if slow_way == 0 else "fast, slow")
    assert summary["rate_scale"] == 2500.0 / (5.0 if slow_way == 0 else 20.0)
    there, back = octets
    # both lines are full for about as long
    assert there / back == pytest.approx(0.25 if slow_way == 0 else 4.0, rel=0.1)
    share = 1000 / 1032 * 1105 / 1279
    assert summary["goodput_mbps"] == pytest.approx((5.0 if slow_way == 0 else 20.0) * share, rel=0.1)


def test_a_rate_that_takes_a_frame_too_long_is_refused_with_what_limits_it(scenario, tmp_path):
    s = scenario("leo_crosslink")
    world = build(s, 1, 6, tmp_path)
    with pytest.raises(ConfigError, match=r"^rate of encoder board in Mb/s: .* half a second, found 0.02; raise it"):
        DataLink(s, world, b"file", 1, [PYTHON, EncoderKind("board", LinkEncoder, 0.02)])
    slow = scenario("leo_crosslink", {"/data.carried_rate_mbps": 0.02})
    with pytest.raises(ConfigError, match=r"^data.carried_rate_mbps: .* half a second, found 0.02; raise it"):
        DataLink(slow, world, b"file", 1, [PYTHON, EncoderKind("board", LinkEncoder, 2.0)])


def test_bit_slips_cost_frames_and_not_the_file(carry):
    summary = carry({"/data.bit_slips_per_s": 20.0}, 12)
    assert summary["bit_slips"] > 0 and summary["frames_lost"] > 0 and summary["sha256_match"] is True


def test_an_empty_payload_is_refused(tmp_path, capsys):
    (tmp_path / "empty").write_bytes(b"")
    words = ["run", "leo_crosslink", "--payload", str(tmp_path / "empty"), "--out", str(tmp_path / "run")]
    assert main(words) == 2
    assert "found an empty one" in capsys.readouterr().err
