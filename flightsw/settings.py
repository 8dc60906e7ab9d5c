"""What an operator sets of a terminal's flight software: pydantic models, the unit in each key's name."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Settings(BaseModel):
    """A table of settings: unknown keys are refused, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class AcquisitionSettings(Settings):
    """How the partner is searched for."""

    role: Literal["any", "initiator", "responder"] = Field(
        "any", description="any: the lower spacecraft id initiates in even slots"
    )
    search: Literal["scan", "beacon"] = Field("scan", description="beacon: wider than the uncertainty, so nobody scans")
    pattern: Literal["spiral", "step_stare", "raster"] = "spiral"
    uncertainty_urad: float = Field(200.0, gt=0, description="1 sigma per axis of the open-loop pointing")
    window_sigma: float = Field(3.0, gt=0, description="radius of the first scan in units of the uncertainty")
    window_growth: float = Field(1.3, ge=1, description="factor on the radius after each failed try, that is one scan")
    scan_speed_mrad_s: float = Field(8.0, gt=0)
    dwell_ms: float = Field(20.0, gt=0, description="of the step-stare pattern")
    capture_radius_urad: float = Field(20.0, gt=0, description="offset at which the partner still sees the beam")
    jitter_urad: float = Field(3.0, ge=0, description="rms per axis from one track to the next")
    wanted_probability: float = Field(0.99, gt=0, lt=1, description="of touching the partner in one scan")
    pitch_urad: float | None = Field(None, gt=0, description="none: from capture radius, jitter and probability")
    back_up_by_time_tag: bool = True
    responder_delay_ms: float = Field(15.0, ge=0, description="mean, from a flash to the answer that leaves")
    time_tag_error_ms: float = Field(10.0, gt=0, description="largest; the exposures of both cameras make it up")
    answer_gate_urad: float = Field(
        40.0, gt=0, description="from the scan's path of then to an answer that is believed"
    )
    scan_reset_s: float = Field(0.5, ge=0, description="between two scans")
    slot_s: float = Field(60.0, gt=0, description="time that roles are kept for; both terminals count from the command")
    slots: int = Field(5, ge=1, description="slots without success before the search is given up")


class DetectionSettings(Settings):
    """How light is told from noise on the camera's images."""

    false_alarms_per_image: float = Field(1e-6, gt=0, lt=1)
    pixel_urad: float = Field(30.0, gt=0)
    read_noise_electrons: float = Field(50.0, gt=0)


class ToneSettings(Settings):
    """A tone that the loop is told of."""

    frequency_hz: float = Field(gt=0)
    rms_urad: float = Field(gt=0)


class TrackingSettings(Settings):
    """The fine loop: law, what it is designed for, what it knows of its mirror and quad cell."""

    law: Literal["lqg", "integrator", "pi"] = "lqg"
    integrator_gain: float | None = Field(None, gt=0, lt=2, description="none: the gain with the least residual")
    proportional_gain: float = Field(0.0, ge=0, lt=2)
    drift_rms_urad: float = Field(11.21, gt=0, description="of the platform, per axis")
    drift_corner_hz: float = Field(1.0, gt=0)
    tones: list[ToneSettings] | Literal["identify"] = Field("identify", description="given, or found on line")
    tones_at_most: int = Field(4, ge=0, le=7)
    noise_urad: float = Field(0.1, gt=0, description="of one sample of the quad cell")
    mirror_resonance_hz: float | None = Field(2500.0, gt=0)
    mirror_damping: float = Field(0.2, gt=0)
    mirror_range_urad: float = Field(1500.0, gt=0)
    loop_delay_samples: int = Field(2, ge=1, le=8)
    quad_cell_spot_urad: float = Field(50.0, gt=0, description="1/e^2 radius of the spot on the quad cell")
    presence_nw: float = Field(1.0, gt=0, description="light on the quad cell above which there is light")
    offload_hz: float = Field(
        0.2, gt=0, lt=1, description="bandwidth with which the gimbal takes over the mirror's mean"
    )


class HandoverSettings(Settings):
    """Guards and timeouts between the modes."""

    point_tolerance_urad: float = Field(20.0, gt=0, description="of the gimbal's readings")
    point_settle_s: float = Field(0.2, ge=0, description="time that the gimbal must stay within the tolerance")
    point_timeout_s: float = Field(120.0, gt=0)
    answer_margin_s: float = Field(0.1, gt=0, description="beyond the round trip, for the initiator to come back")
    coarse_timeout_s: float = Field(2.0, gt=0)
    lit_frames: int = Field(2, ge=1, description="frames with light on the quad cell before the fine loop closes")
    fine_settle_s: float = Field(0.3, gt=0)
    fine_residual_urad: float = Field(8.0, gt=0, description="rms per axis below which the link may carry data")
    fine_timeout_s: float = Field(5.0, gt=0)
    dropout_hold_s: float = Field(2.5, ge=0, description="longest dropout that is held through")
    reacquire_radius_urad: float = Field(60.0, gt=0)
    reacquire_timeout_s: float = Field(10.0, gt=0)


class TerminalSettings(Settings):
    """Everything that the flight software of one terminal is told."""

    spacecraft_id: int = Field(ge=0, le=65535)
    acquisition: AcquisitionSettings = AcquisitionSettings()
    detection: DetectionSettings = DetectionSettings()
    tracking: TrackingSettings = TrackingSettings()
    handover: HandoverSettings = HandoverSettings()
