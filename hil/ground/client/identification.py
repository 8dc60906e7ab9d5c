"""Which spacecraft is at the other end of a line, and in which frames it speaks: told by the first whole frame."""

from flightsw.ccsds import aos_frame, tm_frame
from flightsw.ccsds.coding.synchronizer import ASM_32, FrameSynchronizer
from flightsw.ccsds.transfer_frame import FrameStatus
from flightsw.services.ground_channel import GroundChannel

#: Octets of a frame down.
FRAME_OCTETS = GroundChannel(0).frame_octets
_VERSION_BITS = 6


class Identification:
    """Reads the header of the first frame whose check is right: version 0 is TM, 1 is AOS.

    Attributes:
        octets: everything that came, for the station that this is about.
    """

    def __init__(self, first_key: int) -> None:
        """`first_key`: of the channel's associations."""
        self.octets = b""
        self._first_key = first_key
        self._synchronizer = FrameSynchronizer(FRAME_OCTETS, ASM_32)

    def push(self, octets: bytes) -> GroundChannel | None:
        """Take in what came; the channel as soon as it is known."""
        self.octets += octets
        for frame in self._synchronizer.push(octets).frames:
            head = bytes(frame[: aos_frame.HEADER_OCTETS])
            if head[0] >> _VERSION_BITS:
                channel = GroundChannel(aos_frame.HEADER.parse(head).spacecraft_id, "aos", first_key=self._first_key)
            else:
                channel = GroundChannel(tm_frame.HEADER.parse(head).spacecraft_id, "tm", first_key=self._first_key)
            if channel.frames_down().read(frame[None, :]).status[0] == FrameStatus.GOOD:
                return channel
        return None
