"""The kinds of transfer frame that carry packets over an optical link, by name."""

from flightsw.ccsds.aos_frame import AosFormat
from flightsw.ccsds.tm_frame import TmFormat
from flightsw.ccsds.transfer_frame import Fecf, FrameFormat
from flightsw.ccsds.uslp_frame import UslpFormat
from flightsw.errors import ConfigError

FORMATS: dict[str, type[FrameFormat]] = {"tm": TmFormat, "aos": AosFormat, "uslp": UslpFormat}


def frame_format(
    kind: str, length_octets: int, spacecraft_id: int, fecf: Fecf = "crc16", ocf: bool = False
) -> FrameFormat:
    """Managed parameters of a channel of "tm", "aos" or "uslp" frames, the special ones of each kind left as they are.

    Raises ConfigError for an unknown kind, and for parameters that its standard does not allow.
    """
    if kind not in FORMATS:
        raise ConfigError(f"frame kind: expected one of {', '.join(FORMATS)}, found {kind}")
    return FORMATS[kind](length_octets, spacecraft_id, fecf, ocf)
