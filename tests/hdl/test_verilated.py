"""The RTL as a device: the encoder's registers and frames, and the sending side of a link made of it."""

import subprocess
import sys

import numpy as np
import pytest

from flightsw.ccsds import profile as profiles
from flightsw.ccsds.link import LinkEncoder
from flightsw.errors import ConfigError, DeviceTimeout, FrameError
from hdl.model_library import load_model, sources
from hdl.registers import CONTROL_AT_RESET, IDENTITY, RANDOMIZERS, Register, control
from hdl.tb.reference import AT_RESET, Reference, Settings
from hdl.verilated import EncoderModel, Stalls, VerilatedEncoder

# those of the profile aos_rs_i5, so that one build serves all
PARAMETERS = {"DATA_WIDTH": 64, "CONVOLUTIONAL": 0, "E": 16, "INTERLEAVE": 5, "FILL": 0, "DUAL_BASIS": 1}
STALLS = [Stalls(), Stalls(0.1, 3), Stalls(0.9, 4)]


@pytest.fixture(scope="module")
def reference() -> Reference:
    return Reference(PARAMETERS)


@pytest.fixture
def model() -> EncoderModel:
    return EncoderModel(PARAMETERS)


def frames(count: int, length: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, length), dtype=np.uint8)


def changed(name: str, **coding: object) -> profiles.LinkProfile:
    table = profiles.load(name).model_dump()
    table["coding"].update(coding)
    return profiles.LinkProfile.model_validate(table)


def test_registers_say_what_is_there(model):
    assert model.read(Register.ID) == IDENTITY == int.from_bytes(b"BLTM")
    assert model.read(Register.CAPABILITIES) == 0x01_05_10_08
    assert model.read(Register.FRAME_OCTETS) == 1115 and model.read(Register.CODEBLOCK_OCTETS) == 1275
    assert model.read(Register.CONTROL) == CONTROL_AT_RESET
    with pytest.raises(ConfigError, match="0x1C"):
        model.read(0x1C)
    with pytest.raises(ConfigError, match="0x00"):
        model.write(Register.ID, 1)


def test_printed_octets_of_marker_and_randomizers(model):
    # CCSDS 131.0-B-5, 9.3 and 10.4
    printed = {"255": "FF480EC09A0D70BC8E2C93ADA7B746CE", "131071": "1C71B91BA9BA8457B4BC5054"}
    for kind, octets in printed.items():
        model.write(Register.CONTROL, control(crc=False, code=False, randomizer=kind, marker=True))
        expected = bytes.fromhex("1ACFFC1D" + octets)
        zeros = np.zeros((1, len(expected) - 4), np.uint8)
        assert model.encode(zeros).octets.tobytes() == expected


@pytest.mark.parametrize("idle", STALLS)
@pytest.mark.parametrize("back_pressure", STALLS)
def test_frames_under_random_stalls(model, reference, idle, back_pressure):
    sent = frames(7, 1113)
    passed = model.encode(sent, idle=idle, back_pressure=back_pressure)
    assert np.array_equal(passed.octets, reference.line(sent, AT_RESET))
    assert passed.lengths.tolist() == [1279] * 7
    assert model.read(Register.FRAMES_OUT) == 7 and model.read(Register.OCTETS_IN) == 7 * 1113
    assert (model.read(Register.OUTPUT_STALLS) == 0) == (back_pressure.probability == 0.0)


def test_every_setting_on_a_running_device(model, reference):
    for n, (crc, code, kind, marker) in enumerate(np.ndindex(2, 2, 3, 2)):
        settings = Settings(bool(crc), bool(code), list(RANDOMIZERS)[kind], bool(marker))
        model.write(Register.CONTROL, settings.word)
        sent = frames(3, reference.length(settings), n)
        assert np.array_equal(model.encode(sent).octets, reference.line(sent, settings)), settings


def test_a_beat_leaves_in_every_cycle_over_a_thousand_frames(model, reference):
    model.encode(frames(1, 1113))  # what the settings wait for after a reset is over
    sent = frames(1000, 1113)
    passed = model.encode(sent)
    assert np.array_equal(passed.octets, reference.line(sent, AT_RESET))
    # each frame begins a beat of its own; 12 cycles is the latency
    assert passed.cycles == 12 + 1000 * -(-1279 // 8)


def test_frames_of_a_wrong_length_are_counted_and_spoilt(model, reference):
    lengths = [1113, 1, 1113, 1112, 1114, 1113, 3000, 1113]
    sent = [frames(1, length, n) for n, length in enumerate(lengths)]
    passed = model.encode(np.concatenate(sent, axis=1)[0], np.array(lengths))
    assert np.array_equal(passed.octets, np.concatenate([reference.line(frame, AT_RESET) for frame in sent]))
    assert model.read(Register.LENGTH_ERRORS) == 4
    assert model.read(Register.STATUS) == 1
    model.write(Register.STATUS, 1)
    assert model.read(Register.STATUS) == 0


def test_a_device_that_is_stuck_says_so_and_is_clean_after_a_reset(reference):
    model = EncoderModel(PARAMETERS, patience=1000)
    with pytest.raises(DeviceTimeout, match=r"within 1000 cycles, found none .* 3 frames"):
        model.encode(frames(3, 1113), back_pressure=Stalls(1.0))
    model.reset()
    assert np.array_equal(model.encode(frames(2, 1113)).octets, reference.line(frames(2, 1113), AT_RESET))
    assert model.read(Register.FRAMES_IN) == 2


def test_devices_share_nothing(model, reference):
    other = EncoderModel(PARAMETERS)
    other.write(Register.CONTROL, Settings(randomizer="255").word)
    assert np.array_equal(model.encode(frames(2, 1113)).octets, reference.line(frames(2, 1113), AT_RESET))
    assert other.read(Register.FRAMES_IN) == 0


@pytest.mark.parametrize("sent", [np.zeros(5, np.uint8), np.zeros((2, 5), np.int16), np.zeros((2, 0), np.uint8)])
def test_frames_of_another_form_are_refused(model, sent):
    with pytest.raises(FrameError, match="expected uint8"):
        model.encode(sent)


@pytest.mark.parametrize(
    ("name", "coding"),
    [
        ("aos_rs_i5", {}),
        ("aos_rs_i5", {"interleaver_ms": 1.0}),
        ("tm_uncoded", {}),
        ("tm_uncoded", {"randomizer": "none", "interleaver_ms": 2.0}),
        *(("tm_concatenated", {"convolutional": rate}) for rate in ("1/2", "2/3", "3/4", "5/6", "7/8")),
        ("tm_concatenated", {"convolutional": "7/8", "interleaver_ms": 1.0}),
    ],
)
def test_octets_of_the_line_are_those_of_the_python_encoder(name, coding):
    profile = changed(name, **coding)
    expected, found = LinkEncoder(profile, 20e6), VerilatedEncoder(profile, 20e6)
    assert found.line_octets_per_frame == expected.line_octets_per_frame
    for n, count in enumerate([1, 0, 5, 3, -1, 2, 1, -1, -1, 4]):
        if count < 0:
            line, wanted = found.flush(), expected.flush()
        else:
            sent = frames(count, profile.frame.length_octets, n)
            line, wanted = found.encode(sent), expected.encode(sent)
        assert np.array_equal(line, wanted), f"call {n}"


def test_coding_that_the_rtl_does_not_have_is_refused():
    with pytest.raises(ConfigError, match=r"none, rs or ldpc-c2 .* found ar4ja"):
        VerilatedEncoder(profiles.load("uslp_ar4ja"))
    with pytest.raises(ConfigError, match=r"1ACFFC1D.*352EF853"):
        VerilatedEncoder(changed("aos_rs_i5", sync_marker="352EF853"))
    with pytest.raises(ConfigError, match="line rate"):
        VerilatedEncoder(changed("aos_rs_i5", interleaver_ms=1.0))
    with pytest.raises(FrameError, match="1115"):
        VerilatedEncoder(profiles.load("aos_rs_i5")).encode(np.zeros((1, 1114), np.uint8))


def test_without_a_compiler_one_line_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match=r"expected on PATH .* (apt|pip) install"):
        EncoderModel(PARAMETERS)


def test_a_library_depends_on_what_its_module_is_made_of_and_on_nothing_else():
    names = {path.name for path in sources("ccsds_tm_encoder")}
    assert {"ccsds_tm_encoder.v", "axis_append.v", "ccsds_rs_rows.vh", "sequence_word.v"} <= names
    assert not {"board_core.v", "uart_rx.v"} & names


def test_a_build_that_fails_says_why(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(ConfigError, match=r"ccsds_tm_encoder: expected that Verilator compiles it, found: .*NO_SUCH"):
        EncoderModel({"NO_SUCH": 1})
    assert list((tmp_path / "beamlock" / "models").iterdir()) == []
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(ConfigError, match="XDG_CACHE_HOME"):
        EncoderModel(PARAMETERS)


@pytest.mark.slow
def test_parameters_that_the_module_refuses(capfd):
    with pytest.raises(ConfigError, match="parameters that the module allows"):
        EncoderModel({"DATA_WIDTH": 64, "CONVOLUTIONAL": 1})
    assert "CONVOLUTIONAL: expected 0" in capfd.readouterr().out


@pytest.mark.slow
def test_two_processes_build_the_same_library_at_the_same_time(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    code = "from hdl.model_library import load_model as load; load('ccsds_tm_encoder', {'INTERLEAVE': 1})"
    builds = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(2)]
    assert [build.wait() for build in builds] == [0, 0]
    said: list[str] = []
    load_model("ccsds_tm_encoder", {"INTERLEAVE": 1}, said.append)
    assert said == []
    assert [path.suffix for path in (tmp_path / "beamlock" / "models").iterdir()] == [".so"]
