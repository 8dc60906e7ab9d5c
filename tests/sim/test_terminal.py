"""One terminal's hardware: whose wavelength counts, what the seed fixes, what a scenario may say."""

import math

import numpy as np
import pytest
from pydantic import ValidationError
from scipy import constants

from sim.configuration import WorldModel
from sim.quad_cell import NOISE_COLUMNS
from sim.terminal import TERMINAL, Hardware, HardwareModel

RATE_HZ = 5_000.0
LASER = {"signal": {"power_w": 2.5, "divergence_fwhm_urad": 15.0}}


def model(**kinds) -> HardwareModel:
    return HardwareModel.model_validate({"laser": LASER} | kinds)


def hardware(seed: int = 1, partner: HardwareModel | None = None, **kinds) -> Hardware:
    own = model(**kinds)
    return Hardware(own, partner or own, RATE_HZ, np.random.SeedSequence(seed))


def draw(terminal: Hardware, samples: int = 50) -> np.ndarray:
    out = np.empty((samples, terminal.noise_columns))
    terminal.draw_noise(out)
    return out


def test_detectors_work_at_the_wavelength_of_the_partner():
    infrared = model(laser=LASER | {"wavelength_nm": 1550.0})
    near = hardware(partner=infrared, laser=LASER | {"wavelength_nm": 1064.0})
    photons = 1550e-9 / (constants.h * constants.c) / RATE_HZ
    assert near.record["quad_cell"]["electrons_per_w"] == pytest.approx(0.8 * photons)
    quiet = {"dark_electrons": 0.0, "hot_pixels": 0, "read_noise_electrons": 0.0, "full_well_electrons": 1e9}
    near = hardware(partner=infrared, laser=LASER | {"wavelength_nm": 1064.0}, camera=quiet)
    light = 1e8 / (0.7 * photons)  # 10^8 electrons, whose shot noise is 10^-4 of them
    image = near.camera.render(light, 0.0, 0.0, 0.0, None)
    assert image.sum(dtype=np.float64) == pytest.approx(1e8, rel=5e-4)


def test_beam_has_the_wavelength_of_its_own_terminal():
    """The wavefront error costs more at the shorter wavelength."""
    own = hardware(partner=model(), laser=LASER | {"wavelength_nm": 1064.0}, optics={"transmit_loss_db": 0.0})
    radius = 15e-6 / math.sqrt(2.0 * math.log(2.0))
    strehl = math.exp(-((2.0 * math.pi * 80.0 / 1064.0) ** 2))
    assert own.record["optics"]["signal_intensity"] == pytest.approx(5.0 / (math.pi * radius**2) * strehl)


def test_camera_sees_the_beacon_that_the_partner_has():
    beacon = {"beacon": {"power_w": 10.0, "divergence_fwhm_urad": 750.0}}
    assert hardware(partner=model(laser=LASER | beacon)).record["optics"]["camera_sees_beacon"] == 1
    assert hardware(partner=model(), laser=LASER | beacon).record["optics"]["camera_sees_beacon"] == 0


def test_record_holds_every_device_set_up_at_the_sample_rate():
    record = hardware(mirror={"delay_samples": 3}, camera={"exposure_ms": 4.0}).record
    assert record.dtype == TERMINAL
    assert record.shape == ()
    assert record["gimbal"]["step_s"] == pytest.approx(1.0 / RATE_HZ)
    assert record["mirror"]["delay"] == 3
    assert record["mirror"]["slew"] == pytest.approx(5.0 / RATE_HZ)
    assert (record["exposure"]["period"], record["exposure"]["open"]) == (50, 20)
    assert record["platform"]["sections"] == 1
    assert record["platform"]["transition"][0, 0] == pytest.approx(math.exp(-2.0 * math.pi / RATE_HZ))
    assert record["optics"]["clear"] == 1.0


@pytest.mark.parametrize(("spectrum", "states"), [("still", 0), ("olympus", 1), ("micius", 8)])
def test_noise_has_columns_for_both_axes_of_the_platform_and_the_quad_cell(spectrum, states):
    terminal = hardware(platform={"spectrum": spectrum})
    assert terminal.platform_columns == 2 * states
    assert terminal.noise_columns == 2 * states + NOISE_COLUMNS == 2 * states + 4


def test_noise_is_standard_normal_and_never_the_same_twice():
    terminal = hardware()
    first, second = draw(terminal, 20_000), draw(terminal, 20_000)
    n = first.size
    assert first.mean() == pytest.approx(0.0, abs=5.0 / math.sqrt(n))
    assert first.std() == pytest.approx(1.0, abs=5.0 / math.sqrt(2.0 * n))
    assert not (first == second).any()
    assert np.abs(np.corrcoef(np.hstack([first, second]).T) - np.eye(12)).max() < 5.0 / math.sqrt(20_000)


def test_same_seed_gives_the_same_terminal():
    first, second = hardware(7), hardware(7)
    assert first.record.tobytes() == second.record.tobytes()
    assert (draw(first) == draw(second)).all()
    assert (first.camera.dark == second.camera.dark).all()
    images = [t.camera.render(1e-9, 0.0, 0.0, 0.0, None) for t in (first, second)]
    assert (images[0] == images[1]).all()


def test_another_seed_gives_another_terminal():
    first, second = hardware(7), hardware(8)
    assert (first.record["platform"]["bias"] != second.record["platform"]["bias"]).all()
    assert (draw(first) != draw(second)).all()
    assert (first.camera.dark != second.camera.dark).any()


def test_camera_platform_and_noise_draw_from_sources_of_their_own():
    """A change of one device leaves the luck of the others as it was: runs can be compared."""
    plain = hardware(7)
    other = hardware(7, camera={"hot_pixels": 100}, platform={"tones": [{"frequency_hz": 67, "rms_urad": 1.0}]})
    assert (draw(plain) == draw(other)).all()
    assert (plain.record["platform"]["bias"] == other.record["platform"]["bias"]).all()
    assert (plain.record["platform"]["drift"] == other.record["platform"]["drift"]).all()
    shaken = hardware(7, platform={"spectrum": "micius"})
    assert (shaken.camera.dark == plain.camera.dark).all()
    assert (shaken.record["platform"]["bias"] == plain.record["platform"]["bias"]).all()


# what is refused


@pytest.mark.parametrize(
    "wrong",
    [
        {"thruster": {}},
        {"laser": None},
        {"platform": {"jitter": 1.0}},
        {"gimbal": {"bandwidth_hz": -4.0}},
        {"mirror": {"dac_bits": 40}},
        {"optics": {"split": {"communication": 0.5, "quad_cell": 0.5, "camera": 0.5}}},
        {"camera": {"exposure_ms": 12.0}},
        {"quad_cell": {"field_radius_urad": 0.0}},
    ],
    ids=str,
)
def test_hardware_refuses_and_names_the_part(wrong):
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        model(**wrong)


def test_hardware_needs_a_laser():
    with pytest.raises(ValidationError, match="laser"):
        HardwareModel.model_validate({})


def test_values_of_the_world_never_change():
    class Part(WorldModel):
        size_m: float = 1.0

    with pytest.raises(ValidationError, match="frozen"):
        Part().size_m = 2.0
    with pytest.raises(ValidationError, match="colour"):
        Part.model_validate({"colour": "red"})
    with pytest.raises(ValidationError, match="finite"):
        Part(size_m=math.nan)
