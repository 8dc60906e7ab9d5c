"""Settings of a terminal: what is out of range, unknown or missing is refused by name."""

import math

import pytest
from pydantic import BaseModel, ValidationError

from flightsw.settings import (
    AcquisitionSettings,
    DetectionSettings,
    HandoverSettings,
    TerminalSettings,
    ToneSettings,
    TrackingSettings,
)

MODELS = [AcquisitionSettings, DetectionSettings, HandoverSettings, ToneSettings, TrackingSettings, TerminalSettings]
REQUIRED = {ToneSettings: {"frequency_hz": 67.0, "rms_urad": 0.8}, TerminalSettings: {"spacecraft_id": 1}}


def place(error: pytest.ExceptionInfo[ValidationError]) -> tuple[str | int, ...]:
    """Where the first complaint is."""
    return error.value.errors()[0]["loc"]


@pytest.mark.parametrize("model", MODELS)
def test_an_unknown_key_is_refused_by_name(model) -> None:
    with pytest.raises(ValidationError) as error:
        model.model_validate({**REQUIRED.get(model, {}), "jitter_mrad": 1.0})
    assert place(error) == ("jitter_mrad",)
    assert error.value.errors()[0]["type"] == "extra_forbidden"


def test_an_unknown_key_within_a_table_is_refused_with_its_path() -> None:
    with pytest.raises(ValidationError) as error:
        TerminalSettings.model_validate({"spacecraft_id": 1, "acquisition": {"scan_speed_urad_s": 8.0}})
    assert place(error) == ("acquisition", "scan_speed_urad_s")


@pytest.mark.parametrize(("model", "missing"), [(TerminalSettings, "spacecraft_id"), (ToneSettings, "rms_urad")])
def test_a_missing_key_is_refused_by_name(model, missing) -> None:
    with pytest.raises(ValidationError) as error:
        model.model_validate({key: value for key, value in REQUIRED[model].items() if key != missing})
    assert place(error) == (missing,)
    assert error.value.errors()[0]["type"] == "missing"


OUT_OF_RANGE = [
    (AcquisitionSettings, "uncertainty_urad", [0.0, -1.0]),
    (AcquisitionSettings, "window_sigma", [0.0]),
    (AcquisitionSettings, "window_growth", [0.99]),
    (AcquisitionSettings, "scan_speed_mrad_s", [0.0, -8.0]),
    (AcquisitionSettings, "dwell_ms", [0.0]),
    (AcquisitionSettings, "capture_radius_urad", [0.0]),
    (AcquisitionSettings, "jitter_urad", [-0.1]),
    (AcquisitionSettings, "wanted_probability", [0.0, 1.0]),
    (AcquisitionSettings, "pitch_urad", [0.0, -30.0]),
    (AcquisitionSettings, "slots", [0, 1.5]),
    (AcquisitionSettings, "role", ["leader"]),
    (AcquisitionSettings, "pattern", ["circle"]),
    (AcquisitionSettings, "search", ["radar"]),
    (DetectionSettings, "false_alarms_per_image", [0.0, 1.0]),
    (DetectionSettings, "pixel_urad", [0.0]),
    (DetectionSettings, "read_noise_electrons", [0.0]),
    (ToneSettings, "frequency_hz", [0.0]),
    (TrackingSettings, "law", ["pid"]),
    (TrackingSettings, "integrator_gain", [0.0, 2.0]),
    (TrackingSettings, "proportional_gain", [-0.1, 2.0]),
    (TrackingSettings, "drift_rms_urad", [0.0]),
    (TrackingSettings, "tones", ["none", [{"frequency_hz": 67.0}]]),
    (TrackingSettings, "tones_at_most", [-1, 8]),
    (TrackingSettings, "noise_urad", [0.0]),
    (TrackingSettings, "mirror_resonance_hz", [0.0]),
    (TrackingSettings, "mirror_range_urad", [0.0]),
    (TrackingSettings, "loop_delay_samples", [0, 9]),
    (TrackingSettings, "offload_hz", [0.0, 1.0]),
    (HandoverSettings, "lit_frames", [0]),
    (HandoverSettings, "dropout_hold_s", [-0.1]),
    (HandoverSettings, "point_timeout_s", [0.0]),
    (TerminalSettings, "spacecraft_id", [-1, 65_536]),
]


@pytest.mark.parametrize(
    ("model", "key", "value"), [(model, key, value) for model, key, values in OUT_OF_RANGE for value in values]
)
def test_a_value_out_of_range_is_refused_by_name(model, key, value) -> None:
    with pytest.raises(ValidationError) as error:
        model.model_validate({**REQUIRED.get(model, {}), key: value})
    assert place(error)[0] == key


NUMBERS = [
    (model, key)
    for model in MODELS
    for key, field in model.model_fields.items()
    if field.annotation in (float, float | None)
]


@pytest.mark.parametrize(("model", "key"), NUMBERS)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_no_setting_takes_what_is_not_a_finite_number(model, key, value) -> None:
    with pytest.raises(ValidationError) as error:
        model.model_validate({**REQUIRED.get(model, {}), key: value})
    assert place(error) == (key,)


@pytest.mark.parametrize("model", MODELS)
def test_settings_never_change(model) -> None:
    settings = model.model_validate(REQUIRED.get(model, {}))
    key = next(iter(model.model_fields))
    with pytest.raises(ValidationError, match="frozen"):
        setattr(settings, key, getattr(settings, key))


def test_defaults_lie_within_their_own_ranges() -> None:
    def check(settings: BaseModel) -> None:
        type(settings).model_validate(settings.model_dump())
        for value in dict(settings).values():
            if isinstance(value, BaseModel):
                check(value)

    check(TerminalSettings(spacecraft_id=1))


def test_tables_and_lists_of_tones_are_read() -> None:
    settings = TerminalSettings.model_validate(
        {
            "spacecraft_id": 101,
            "acquisition": {"role": "initiator", "pitch_urad": None},
            "tracking": {"tones": [{"frequency_hz": 67, "rms_urad": 0.8}], "mirror_resonance_hz": None},
        }
    )
    assert settings.acquisition.role == "initiator"
    assert settings.tracking.mirror_resonance_hz is None
    assert [(tone.frequency_hz, tone.rms_urad) for tone in settings.tracking.tones] == [(67.0, 0.8)]
    assert settings.handover == HandoverSettings()
