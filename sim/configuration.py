"""The base of every model of the world that is read from a scenario: unknown keys are refused, values never change."""

from pydantic import BaseModel, ConfigDict


class WorldModel(BaseModel):
    """A part of a scenario, as its TOML table gives it, the unit in each key's name."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
