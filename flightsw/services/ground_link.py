"""The spacecraft's end of the ground link: CLTUs in, telecommands carried out, telemetry frames out.

```
 CLTU --> TC frames --> FARM-1 --> security --> segment --> packet --+--> Commanding --> reports --+
                          |                                          +--> file entity --> PDUs ----+
                          +--> CLCW --> operational control field of every frame                   |
 frames <-- security <-- multiplexer <-------------------------------------------------------------+
```

Nothing that comes up the line raises an error: it is counted, dropped and told in an event, at most one a second for
each reason.
"""

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from flightsw.ccsds import clcw, space_packet
from flightsw.ccsds.cltu import CltuReceiver
from flightsw.ccsds.farm import Farm
from flightsw.ccsds.multiplexer import Multiplexer
from flightsw.ccsds.security.association import Verdict
from flightsw.ccsds.security.frames import FrameSecurity
from flightsw.ccsds.security.tc import TcSecurity
from flightsw.ccsds.space_packet import HEADER_OCTETS, SequenceFlags
from flightsw.ccsds.tc_frame import TcFrame, parse_segment, split
from flightsw.ccsds.transfer_frame import Octets
from flightsw.errors import ConfigError, FrameError
from flightsw.hal import FRAME_S
from flightsw.services.cfdp.entity import Entity
from flightsw.services.commanding import Commanding
from flightsw.services.ground_channel import (
    COMMANDS,
    FARM_WINDOW,
    FILES_DOWN,
    FILES_UP,
    MAP,
    TELEMETRY,
    GroundChannel,
)
from flightsw.services.ground_operations import FRAMES_REFUSED, told
from flightsw.services.security import SecurityServices
from flightsw.terminal import Terminal

#: Rate down in b/s, and the longest time without a frame: the ground waits for the CLCW in it.
DOWNLINK_BPS = 10e6
_CLCW_S = 0.1
_EVENT_S = 1.0


class Counts(NamedTuple):
    """What came up since the start, and what did not get through.

    damaged: TC frames that are none. packets: handed on. malformed: segments of a longer unit, packets of files that
    are none. withheld: frames down that had no association at work.
    """

    frames: int = 0
    damaged: int = 0
    packets: int = 0
    malformed: int = 0
    withheld: int = 0


class GroundLink:
    """One terminal's end.

    Attributes:
        counts: see `Counts`.
        verdicts: of security, with how many frames.
        telemetry: packets of the last frame, for a recorder.
    """

    def __init__(
        self,
        channel: GroundChannel,
        terminal: Terminal,
        commanding: Commanding,
        files: Entity,
        security: SecurityServices | None,
    ) -> None:
        """`security`: keys and associations, or none for a link in the clear.

        Raises ConfigError for a channel that its standards do not allow.
        """
        self.counts = Counts()
        self.telemetry: list[bytes] = []
        self._terminal = terminal
        self._commanding = commanding
        self._files = files
        self._cltus = CltuReceiver()
        self._farms = {each: Farm(channel.spacecraft_id, each, FARM_WINDOW) for each in (COMMANDS, FILES_UP)}
        outer = channel.frames_down()
        self._up = None if security is None else TcSecurity(security.associations)
        self._down = None if security is None else FrameSecurity(outer, security.associations)
        self._multiplexer = Multiplexer(outer if self._down is None else self._down.inner, [TELEMETRY, FILES_DOWN])
        self._reports: list[bytes] = []
        self._frames_a_turn = max(1, round(DOWNLINK_BPS * FRAME_S / (8 * outer.length_octets)))
        self._none: Octets = np.zeros((0, outer.length_octets), np.uint8)
        self._quiet_s = 0.0
        self._untold: Counter[Verdict] = Counter()
        self._told_s = dict.fromkeys(Verdict, -_EVENT_S)

    @property
    def verdicts(self) -> dict[Verdict, int]:
        """What security found so far."""
        return {} if self._up is None else self._up.counts

    def receive(self, octets: bytes, now_s: float) -> None:
        """Take in what came up the line; telecommands are carried out at once."""
        for data in self._cltus.push(octets):
            try:
                for frame in split(data):
                    self.counts = self.counts._replace(frames=self.counts.frames + 1)
                    self._take(frame, now_s)
            except FrameError:
                self.counts = self.counts._replace(damaged=self.counts.damaged + 1)

    def frames(self, now_s: float) -> Octets:
        """Once a frame, after the terminal's: the frames to send, uint8 (n, octets)."""
        self._files.tick(now_s)
        while self._files.finished:
            self._terminal.tell(now_s, *told(self._files.finished.popleft()))
        self._tell_refused(now_s)
        self.telemetry = [*self._reports, *self._commanding.frame(now_s)]
        self._reports = []
        multiplexer = self._multiplexer
        if self.telemetry:
            multiplexer.put(TELEMETRY, b"".join(self.telemetry))
        room = self._frames_a_turn * multiplexer.frame_format.zone_octets - multiplexer.waiting_octets
        pdus = self._files.packets(room)
        if pdus:
            multiplexer.put(FILES_DOWN, b"".join(pdus))
        self._quiet_s += FRAME_S
        n = min(multiplexer.waiting_frames, self._frames_a_turn) or int(self._quiet_s >= _CLCW_S)
        if not n:
            return self._none
        self._quiet_s = 0.0
        frames = multiplexer.frames(n, clcw.pack(self._farms[COMMANDS].clcw()))
        if self._down is None:
            return frames
        try:
            return self._down.apply(frames)
        except ConfigError:
            # its association was stopped by command: nothing goes down in the clear instead
            self.counts = self.counts._replace(withheld=self.counts.withheld + n)
            return self._none

    def _take(self, frame: TcFrame, now_s: float) -> None:
        farm = self._farms.get(frame.virtual_channel)
        if farm is None or farm.receive(frame) is None:
            return
        if self._up is not None:
            try:
                accepted, verdict = self._up.process(frame)
            except ConfigError:
                # what cannot be kept as seen could come again after a restart
                self._terminal.miss_storage()
                return
            if accepted is None:
                self._untold[verdict] += 1
                return
            frame = accepted
        self._terminal.hear_ground(now_s)
        segment = parse_segment(frame.data)
        if segment.map_id != MAP or segment.flags != SequenceFlags.UNSEGMENTED:
            self.counts = self.counts._replace(malformed=self.counts.malformed + 1)
            return
        for packet in _packets(segment.data):
            self.counts = self.counts._replace(packets=self.counts.packets + 1)
            if frame.virtual_channel == COMMANDS:
                self._reports += self._commanding.receive(packet, now_s)
            else:
                self._take_of_a_file(packet)

    def _take_of_a_file(self, packet: bytes) -> None:
        try:
            self._files.receive(space_packet.parse(packet).data)
        except FrameError:
            self.counts = self.counts._replace(malformed=self.counts.malformed + 1)

    def _tell_refused(self, now_s: float) -> None:
        for verdict, frames in list(self._untold.items()):
            if now_s - self._told_s[verdict] >= _EVENT_S:
                self._told_s[verdict] = now_s
                self._terminal.tell(now_s, FRAMES_REFUSED, frames, verdict)
                del self._untold[verdict]


def _packets(data: bytes) -> Iterator[bytes]:
    """Packets of a segment by their lengths (232.0-B-4, 4.1.3.2.2: it may have several); a rest counts as one."""
    while data:
        end = HEADER_OCTETS + 1 + int.from_bytes(data[HEADER_OCTETS - 2 : HEADER_OCTETS], "big")
        yield data[:end]
        data = data[end:]
