"""The ground's end of one spacecraft's link, without sockets or clock: telecommands in order and once, telemetry out.

```
 command --> segment --> security --> FOP-1 ---+--> TC frames --> CLTUs
 file ------> PDUs ----> security --> type BD --+
 packets, PDUs <-- demultiplexer <-- security <-- frames <-- CADUs
                                        CLCW <-----+
```
"""

from collections import deque
from typing import NamedTuple

import numpy as np

from flightsw.ccsds import clcw, cltu, space_packet, tc_frame
from flightsw.ccsds.clcw import Clcw
from flightsw.ccsds.coding.synchronizer import ASM_32, FrameSynchronizer
from flightsw.ccsds.demultiplexer import Demultiplexer
from flightsw.ccsds.fop import Directive, Fop, FopState, Notice, Order, Transfer
from flightsw.ccsds.security.association import Verdict
from flightsw.ccsds.security.frames import FrameSecurity
from flightsw.ccsds.security.tc import TcSecurity
from flightsw.ccsds.tc_frame import Segment, TcFrame, build_segment
from flightsw.ccsds.transfer_frame import FrameStatus
from flightsw.errors import FrameError
from flightsw.services.cfdp.entity import Entity
from flightsw.services.ground_channel import (
    COMMANDS,
    FILES_DOWN,
    FILES_UP,
    FOP_WINDOW,
    MAP,
    TELEMETRY,
    GroundChannel,
)
from flightsw.services.security import SecurityServices

UPLINK_BPS = 1e6
_T1_S = 2.0
_TRANSMISSION_LIMIT = 5
#: Segment header and security, around a packet in its frame.
_AROUND_OCTETS = 31
#: A round that took longer than this sends no more than this one would have.
_LONGEST_ROUND_S = 0.1


class Outcome(NamedTuple):
    """What became of a telecommand on its way up: accepted on board, or not known to be, and why."""

    number: int
    accepted: bool
    why: str = ""


class GroundStation:
    """One spacecraft's link.

    Attributes:
        clcw: the last one that came down.
        outcomes: of telecommands, since the caller emptied it last.
        verdicts: of the frames that came down, by security.
    """

    def __init__(self, channel: GroundChannel, files: Entity, security: SecurityServices | None = None) -> None:
        """`security`: keys and associations of the ground. Raises ConfigError for a channel that cannot be."""
        self.clcw: Clcw | None = None
        self.outcomes: list[Outcome] = []
        self._spacecraft_id = channel.spacecraft_id
        self._files = files
        outer = channel.frames_down()
        self._outer = outer
        self._up = None if security is None else TcSecurity(security.associations)
        self._down = None if security is None else FrameSecurity(outer, security.associations)
        self._synchronizer = FrameSynchronizer(outer.length_octets, ASM_32)
        inner = outer if self._down is None else self._down.inner
        self._demultiplexer = Demultiplexer(inner, [TELEMETRY, FILES_DOWN])
        self._fop = Fop(channel.spacecraft_id, COMMANDS, FOP_WINDOW, _T1_S, _TRANSMISSION_LIMIT)
        self._waiting: deque[tuple[int, bytes]] = deque()
        self._taken = True
        self._last = -1
        self._alert = ""
        self._sent_s: float | None = None

    @property
    def verdicts(self) -> dict[Verdict, int]:
        """What security found of the frames down."""
        return {} if self._down is None else self._down.counts

    @property
    def ready(self) -> bool:
        """Telecommands go up in order: the spacecraft was heard, and it hears."""
        return self._fop.state <= FopState.RETRANSMIT_WITH_WAIT

    def command(self, packet: bytes) -> int:
        """Queue a telecommand packet; `outcomes` says by this number what becomes of it.

        Raises FrameError for one that no frame can carry.
        """
        tc_frame.build(TcFrame(self._spacecraft_id, COMMANDS, 0, packet + bytes(_AROUND_OCTETS)))
        self._last += 1
        self._waiting.append((self._last, packet))
        return self._last

    def receive(self, octets: bytes) -> list[bytes]:
        """Take in what came down the line; the telemetry packets in it. PDUs go to the file entity."""
        frames = np.asarray(self._synchronizer.push(np.frombuffer(octets, np.uint8)).frames, np.uint8)
        if not len(frames):
            return []
        fields = self._outer.read(frames)
        assert fields.ocf is not None, "the format has one"
        for row in fields.ocf[fields.status == FrameStatus.GOOD]:
            self._hear(row.tobytes())
        if self._down is not None:
            frames = self._down.process(frames).frames
        packets = self._demultiplexer.push(frames)
        if FILES_DOWN in packets:
            for packet in space_packet.read(packets[FILES_DOWN])[0]:
                self._files.receive(packet.data)
        return list(packets.get(TELEMETRY, ()))

    def send(self, now_s: float) -> bytes:
        """The CLTUs to send now, end to end. `now_s`: of any clock that does not run back."""
        self._fop.tick(now_s)
        self._files.tick(now_s)
        self._note()
        while self._waiting and self._taken and self.ready:
            number, packet = self._waiting.popleft()
            self._taken = False
            self._fop.request(Transfer(number, self._data(COMMANDS, packet)))
            self._note()
        frames = self._fop.frames_to_send()
        self._note()
        since_s = 0.0 if self._sent_s is None else now_s - self._sent_s
        self._sent_s = now_s
        for packet in self._files.packets(int(UPLINK_BPS * min(since_s, _LONGEST_ROUND_S) / 8)):
            frames.append(TcFrame(self._spacecraft_id, FILES_UP, 0, self._data(FILES_UP, packet), bypass=True))
        return b"".join(cltu.encode(tc_frame.build(frame)) for frame in frames)

    def _data(self, virtual_channel: int, packet: bytes) -> bytes:
        """The data field with one packet, security included."""
        frame = TcFrame(self._spacecraft_id, virtual_channel, 0, build_segment(Segment(MAP, packet)))
        return frame.data if self._up is None else self._up.apply(frame).data

    def _hear(self, word: bytes) -> None:
        """Take in a CLCW, and begin the service with it where there is none."""
        try:
            heard = clcw.unpack(word)
        except FrameError:
            return
        if heard.virtual_channel != COMMANDS:
            return
        self.clcw = heard
        if self._fop.state != FopState.INITIAL:
            self._fop.clcw(word)
            self._note()
        if self._fop.state == FopState.INITIAL:
            disturbed = heard.lockout or heard.wait or heard.retransmit
            begin = Order.INITIATE_WITH_UNLOCK if disturbed else Order.INITIATE_WITHOUT_CLCW
            self._fop.request(Directive(0, Order.SET_V_S, heard.report_value))
            self._fop.request(Directive(0, begin))
            self._note()

    def _note(self) -> None:
        """What the sender notified of telecommands."""
        for notice, request, alert in self._fop.notifications():
            if alert is not None:
                self._alert = alert.value
            if not isinstance(request, Transfer):
                continue
            if notice is Notice.POSITIVE_CONFIRM:
                self.outcomes.append(Outcome(request.identifier, True))
            elif notice in (Notice.NEGATIVE_CONFIRM, Notice.REJECT):
                self.outcomes.append(Outcome(request.identifier, False, self._alert))
            if notice in (Notice.ACCEPT, Notice.REJECT):
                self._taken = True
