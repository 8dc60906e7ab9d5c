"""The offset of a device's clock from the host's, from round trips.

```
 host    sent ----------------------------- received
                \\                       /
 device           ------- replied -----
```

The device replied somewhere between the two; the middle is the best guess and half the round trip its bound. The
shortest of the last round trips says most, as in RFC 5905 clause 10, and says less the older it is, for clocks drift.
"""

from collections import deque
from typing import NamedTuple

#: Round trips that are kept.
WINDOW = 64
#: Rate at which two crystals may run apart, in seconds a second.
DRIFT = 100e-6
#: Both ends stamp whole microseconds.
RESOLUTION_US = 1.0


class Offset(NamedTuple):
    """Device time minus host time, and how far that may be off, both in us."""

    offset_us: float
    uncertainty_us: float


class _RoundTrip(NamedTuple):
    at_us: float
    offset_us: float
    half_us: float


class ClockOffset:
    """Estimates one device's clock."""

    def __init__(self) -> None:
        self._round_trips: deque[_RoundTrip] = deque(maxlen=WINDOW)

    def observe(self, sent_us: float, device_us: float, received_us: float) -> None:
        """Take a round trip: host time of the request, device time in its reply, host time of the reply."""
        middle = 0.5 * (sent_us + received_us)
        self._round_trips.append(_RoundTrip(middle, device_us - middle, 0.5 * (received_us - sent_us)))

    def at(self, host_us: float) -> Offset | None:
        """The offset at a host time; None before the first round trip."""

        def uncertainty(trip: _RoundTrip) -> float:
            return trip.half_us + RESOLUTION_US + DRIFT * abs(host_us - trip.at_us)

        best = min(self._round_trips, key=uncertainty, default=None)
        return None if best is None else Offset(best.offset_us, uncertainty(best))
