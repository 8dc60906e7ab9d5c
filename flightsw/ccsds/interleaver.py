"""Channel interleaver across fades: a codeblock's octets are spread over many transmission units.

Fades of a jittering beam last milliseconds, codeblocks microseconds: a code alone sees all or nothing of a fade. Octet
j of codeblock m is sent in unit m + d(j), with d(j) = j S / n: each unit has octets of S codeblocks, and a fade of a
share f of the span S takes a share f of each codeblock. The sync marker of each unit is all the synchronisation that it
needs. This is the convolutional interleaver of J. L. Ramsey, "Realization of optimum interleavers", IEEE Trans. Inf.
Theory 16 (1970), with as many branches as octets; the choice of a linear delay is beamlock's own, no CCSDS standard
for such links prescribes one.
"""

import numpy as np
from numpy.typing import NDArray

from flightsw.errors import ConfigError

Rows = NDArray[np.uint8] | NDArray[np.float32] | NDArray[np.bool_]


def span_of(depth_s: float, rate_hz: float, unit_bits: int) -> int:
    """Units that `depth_s` lasts at `rate_hz` bits per second, at least one."""
    return max(round(depth_s * rate_hz / unit_bits), 1)


def _delays(columns: int, span: int, group: int) -> NDArray[np.int64]:
    octets = columns // group
    return np.repeat(np.arange(octets, dtype=np.int64) * span // octets, group)


class Interleaver:
    """Spreads rows over `span` units; rows go in and units come out in step, state carries over between calls."""

    def __init__(self, columns: int, span: int) -> None:
        if span < 1:
            raise ConfigError(f"interleaver span: expected at least 1 unit, found {span}")
        self.span = span
        self._delay = _delays(columns, span, 1)
        self._past = np.zeros((span - 1, columns), np.uint8)

    def push(self, rows: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Units uint8 (n, columns) for codeblocks uint8 (n, columns)."""
        if self.span == 1 or len(rows) == 0:
            return rows
        both = np.concatenate([self._past, rows])
        self._past = both[len(both) - (self.span - 1) :].copy()
        at = (self.span - 1 + np.arange(len(rows)))[:, None] - self._delay
        units: NDArray[np.uint8] = both[at, np.arange(both.shape[1])]
        return units

    def flush(self) -> NDArray[np.uint8]:
        """The units that bring what is still under way, (span - 1, columns)."""
        return self.push(np.zeros((self.span - 1, self._past.shape[1]), np.uint8))


class Deinterleaver:
    """Puts codeblocks together again. `group`: columns that belong to one octet, 8 for soft bits."""

    def __init__(self, columns: int, span: int, group: int = 1) -> None:
        self.span = span
        self._delay = _delays(columns, span, group)
        self._units: Rows | None = None
        self._missing = np.zeros(0, np.bool_)

    def push(self, units: Rows, missing: NDArray[np.bool_]) -> tuple[Rows, NDArray[np.bool_]]:
        """Codeblocks that are complete by now, (n, columns), and which of their columns were in missing units.

        units: (m, columns), without gaps: where `missing` bool (m,) is true, the row holds nothing of use.
        """
        if self.span == 1:
            return units, np.repeat(missing[:, None], units.shape[1], axis=1)
        both = units if self._units is None else np.concatenate([self._units, units])
        gone = np.concatenate([self._missing, missing])
        count = max(len(both) - (self.span - 1), 0)
        at = np.arange(count)[:, None] + self._delay
        rows = both[at, np.arange(both.shape[1])]
        self._units, self._missing = both[count:].copy(), gone[count:].copy()
        return rows, gone[at]
