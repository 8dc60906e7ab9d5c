"""Which encoder makes the bits of a link: the Python reference, or the RTL compiled by Verilator."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from flightsw.ccsds.link import LinkEncoder
from flightsw.ccsds.profile import LinkProfile
from flightsw.errors import ConfigError

Octets = NDArray[np.uint8]


class Encoder(Protocol):
    """The sending side of a link: transfer frames to the octets of the line, as `flightsw.ccsds.link.LinkEncoder`."""

    @property
    def line_octets_per_frame(self) -> float:
        """Octets of the line that one transfer frame takes."""
        ...

    def encode(self, frames: Octets) -> Octets:
        """Octets of the line, (m,), for frames uint8 (n, length)."""
        ...

    def flush(self) -> Octets:
        """What is still under way."""
        ...


@dataclass(frozen=True, slots=True)
class EncoderKind:
    """A kind of encoder, by name, and what makes one for a profile and the line rate in Hz."""

    name: str
    make: Callable[[LinkProfile, float | None], Encoder]


PYTHON = EncoderKind("python", LinkEncoder)

NAMES = ("python", "rtl")


def encoder_kind(name: str, announce: Callable[[str], None] | None = None) -> EncoderKind:
    """The kind of that name. `announce` is called with a line before something takes long, as compiling the RTL does.

    Raises ConfigError for another name.
    """
    if name == "python":
        return PYTHON
    if name == "rtl":
        from hdl.verilated import VerilatedEncoder

        return EncoderKind("rtl", lambda profile, line_rate_hz: VerilatedEncoder(profile, line_rate_hz, announce))
    raise ConfigError(f"encoder: expected one of {', '.join(NAMES)}, found {name}")
