"""How long a pair of terminals takes to acquire each other, drawn from what a campaign measured.

| in | unit | out | unit |
| --- | --- | --- | --- |
| time of each run from start to both fine loops closed; inf: not acquired | s | acquisition times of new links | s |

An attempt that fails costs a timeout, and the next is drawn anew: with a probability P of success the time lost before
the attempt that succeeds has a mean of timeout (1 - P) / P.

`leo_crosslink()` is what ships: 1,001 quantiles of 10,000 runs of the scenario of that name. Its times begin with the
gimbals at rest, 8.3 deg from the partner, so that slews of a mesh, which are added to them, are counted 1.7 s too long.

Validated against: the empirical distribution by Kolmogorov-Smirnov, the mean of the geometric distribution.
"""

from importlib.resources import files

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flightsw.errors import ConfigError


class AcquisitionTimes:
    """A distribution of acquisition times."""

    def __init__(self, samples_s: ArrayLike, timeout_s: float = 60.0) -> None:
        """Measured times or equally likely quantiles (n,), inf for an attempt that failed, which costs `timeout_s`.

        Raises ConfigError for times that are negative or NaN, and for none that is finite.
        """
        samples = np.sort(np.asarray(samples_s, dtype=np.float64))
        bad = int(np.count_nonzero(np.isnan(samples) | (samples < 0.0)))
        if bad:
            raise ConfigError(
                f"acquisition times: expected 0 s or more, found {bad} of {len(samples)} that are negative or NaN; "
                "give inf for an attempt that failed"
            )
        self._acquired = samples[np.isfinite(samples)]
        if not len(self._acquired):
            raise ConfigError(
                f"acquisition times: expected one attempt that succeeds, found none in {len(samples)}; "
                "take a campaign in which terminals acquire"
            )
        self.probability = len(self._acquired) / len(samples)
        self._timeout = timeout_s

    @classmethod
    def zero(cls) -> "AcquisitionTimes":
        """Of ideal links, which are up as soon as they can be."""
        return cls([0.0])

    @property
    def is_zero(self) -> bool:
        """Whether every link is up at once."""
        return self.probability == 1.0 and float(self._acquired[-1]) == 0.0

    def draw(self, rng: np.random.Generator, n: int) -> NDArray[np.float64]:
        """Times in s (n,), failed attempts in them; between two samples the distribution is linear."""
        rank = rng.random(n) * (len(self._acquired) - 1)
        times = np.interp(rank, np.arange(len(self._acquired)), self._acquired)
        failed = rng.geometric(self.probability, n) - 1
        return np.asarray(times + failed * self._timeout)


def leo_crosslink() -> AcquisitionTimes:
    """As measured by `beamlock campaign leo_crosslink --runs 10000`: 2.6 to 22.2 s, half of them below 3.2 s."""
    text = files("sim.network").joinpath("leo_crosslink_acquisition.csv").read_text(encoding="ascii")
    return AcquisitionTimes([float(line) for line in text.splitlines() if line and line[0] not in "#t"])
