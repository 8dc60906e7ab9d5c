"""The scenario epoch and seconds since it.

A day has 86,400 s here: UTC differences are taken without leap seconds, as SGP4 and `datetime` take them.
"""

from datetime import UTC, datetime

import numpy as np

from flightsw.errors import ConfigError
from flightsw.navigation.constants import FloatArray

DAY_S = 86_400.0


def utc_epoch(epoch: datetime) -> datetime:
    """Return the scenario epoch in UTC; raises ConfigError for one without a time zone."""
    if epoch.utcoffset() is None:
        raise ConfigError(
            f"scenario epoch: expected a datetime with a time zone, found {epoch.isoformat()}; add tzinfo=UTC"
        )
    return epoch.astimezone(UTC)


def second_of_day(epoch: datetime) -> float:
    """Return the seconds since midnight of a UTC datetime."""
    return epoch.hour * 3600.0 + epoch.minute * 60.0 + epoch.second + epoch.microsecond * 1e-6


def checked_times(t_s: FloatArray) -> FloatArray:
    """Return `t_s` as float64 (n,), s since the epoch; raises ConfigError for another shape or a time not finite."""
    times = np.asarray(t_s, dtype=np.float64)
    if times.ndim != 1:
        raise ConfigError(f"times: expected an array of shape (n,), found shape {times.shape}; pass a 1-D array")
    if not np.isfinite(times).all():
        raise ConfigError(f"times: expected finite seconds since the epoch, found {times[~np.isfinite(times)][0]}")
    return times
