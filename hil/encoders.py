"""Which encoder makes the bits of a link: the Python reference, the RTL compiled by Verilator, or a board."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from flightsw.ccsds.link import LinkEncoder
from flightsw.ccsds.profile import LinkProfile
from flightsw.errors import ConfigError

if TYPE_CHECKING:
    from hil.drivers.attachment import Attachment

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
    """A kind of encoder.

    name: for people; make: makes one for a profile and the line rate in Hz; rate_mbps: what it can keep up with on the
    optical line, or None where nothing limits it.
    """

    name: str
    make: Callable[[LinkProfile, float | None], Encoder]
    rate_mbps: float | None = None


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


def board_encoder_kind(attachment: "Attachment", rate_mbps: float | None) -> EncoderKind:
    """The board behind an attachment, whose line can carry `rate_mbps`."""
    from hil.drivers.encoder import BoardEncoder

    return EncoderKind(
        "board", lambda profile, line_rate_hz: BoardEncoder(profile, line_rate_hz, attachment), rate_mbps
    )
