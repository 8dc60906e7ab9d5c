"""Security of TC frames: CCSDS 355.0-B-2 with 232.0-B-4.

```
 ground   segments -> security applied -> FOP-1 -> frame error control field -> CLTU
 board    CLTU -> frame error control field -> FARM-1 -> security processed -> segments
```

COP-1 is the inner loop and security the outer one (232.0-B-4 figure 6-3, 350.5-G figure 3-3: order of processing): a
frame is protected once, before FOP-1 numbers it, and goes out again as it is, so what FARM-1 lets through comes in the
order of the sequence numbers. What follows: control commands (Unlock, Set V(R)) are for FARM-1 itself and have no
security; and as FARM-1 stands ahead, a forged frame may disturb COP-1, but carries no command through.

The data field is segment header, if the virtual channel has them, SPI, number, data, MAC. The authentication bit mask
keeps the virtual channel and the segment header.
"""

from flightsw.ccsds.security.association import Associations, SecurityAssociation, Verdict
from flightsw.ccsds.security.ciphers import SPI_OCTETS
from flightsw.ccsds.tc_frame import HEADER_OCTETS, TcFrame, parse_segment
from flightsw.errors import FrameError

_VIRTUAL_CHANNEL_OCTET = 2


class TcSecurity:
    """The virtual channels of one spacecraft that have segment headers, or those that have none.

    Attributes:
        counts: received frames of each Verdict.
    """

    def __init__(self, associations: Associations, segment_headers: bool = True) -> None:
        self._associations = associations
        self._segment_header_octets = int(segment_headers)
        self.counts = dict.fromkeys(Verdict, 0)

    def apply(self, frame: TcFrame) -> TcFrame:
        """A protected frame, or a control command as it is.

        Raises ConfigError where no association is operational for the channel, FrameError for an empty data field.
        """
        if frame.control_command:
            return frame
        if not frame.data:
            raise FrameError("TC data field", expected="at least 1 octet", found=0)
        at = self._segment_header_octets
        sender = self._associations.sender("tc", frame.spacecraft_id, frame.virtual_channel, self._map_id(frame))
        (field,) = sender.apply([self._prefix(frame)], [frame.data[at:]])
        return frame._replace(data=frame.data[:at] + field)

    def process(self, frame: TcFrame) -> tuple[TcFrame | None, Verdict]:
        """A received frame without its security, or None, and why. Nothing about the frame raises an error.

        Raises ConfigError if it cannot be kept that the frame was seen.
        """
        accepted, verdict = self._process(frame)
        self.counts[verdict] += 1
        return accepted, verdict

    def _process(self, frame: TcFrame) -> tuple[TcFrame | None, Verdict]:
        if frame.control_command:
            return None, Verdict.NOT_PROTECTED
        at = self._segment_header_octets
        field = frame.data[at:]
        if len(field) < SPI_OCTETS:
            return None, Verdict.BAD_LENGTH
        receiver = self._receiver(frame, int.from_bytes(field[:SPI_OCTETS], "big"))
        if receiver is None:
            return None, Verdict.UNKNOWN_SPI
        if not receiver.covers(frame.virtual_channel, self._map_id(frame)):
            return None, Verdict.WRONG_CHANNEL
        (result,) = receiver.process([self._prefix(frame)], [field])
        if isinstance(result, Verdict):
            return None, result
        return frame._replace(data=frame.data[:at] + result), Verdict.ACCEPTED

    def _receiver(self, frame: TcFrame, spi: int) -> SecurityAssociation | None:
        for each in self._associations.of("tc", frame.spacecraft_id):
            if each.settings.spi == spi and each.settings.direction == "receive":
                return each
        return None

    def _map_id(self, frame: TcFrame) -> int | None:
        return parse_segment(frame.data).map_id if self._segment_header_octets else None

    def _prefix(self, frame: TcFrame) -> bytes:
        header = bytearray(HEADER_OCTETS)
        header[_VIRTUAL_CHANNEL_OCTET] = frame.virtual_channel << 2
        return bytes(header) + frame.data[: self._segment_header_octets]
