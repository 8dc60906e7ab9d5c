"""FARM-1, the receiving side of COP-1: CCSDS 232.1-B-2 section 6. It accepts in sequence; the CLCW says what it has.

`TABLE` is table 6-1. Of the standard, the text around the tables was at hand and the tables were not: the cells are
those on which two open implementations agree, OSDLP of the Libre Space Foundation and `ccsds` of D. Lucia; the limits
of the window are those of figure 6-1. It is symmetrical, PW = NW = W/2, as it must be where frames are retransmitted
(6.1.8).
"""

from collections import Counter
from enum import Enum, IntEnum
from typing import NamedTuple

from flightsw.ccsds.clcw import Clcw
from flightsw.ccsds.tc_frame import UNLOCK, TcFrame, set_v_r
from flightsw.errors import ConfigError

_SEQUENCE_NUMBERS = 256
_FARM_B_COUNTS = 4
_SET_V_R = set_v_r(0)[:-1]


class FarmState(IntEnum):
    """S1 to S3."""

    OPEN = 1
    WAIT = 2
    LOCKOUT = 3


class FarmEvent(IntEnum):
    """E1 to E11. N(S) is the number of a frame, V(R) the one that is expected next."""

    EXPECTED = 1  #: type AD, N(S) = V(R), and a buffer for it
    EXPECTED_NO_BUFFER = 2  #: type AD, N(S) = V(R), but no buffer
    AHEAD = 3  #: type AD, V(R) < N(S) < V(R) + PW: one before it is missing
    BEHIND = 4  #: type AD, V(R) - NW <= N(S) < V(R): accepted before
    OUTSIDE = 5  #: type AD, in neither part of the window
    TYPE_BD = 6
    UNLOCK = 7  #: type BC
    SET_V_R = 8  #: type BC, to V*(R)
    INVALID = 9  #: of another spacecraft or virtual channel, type AC, or type BC with an unknown command
    BUFFER_RELEASE = 10
    REPORT = 11


class FarmAction(Enum):
    """What becomes of the frame, the variables and the flags."""

    ACCEPT = "hand up the frame's data"
    NEXT = "V(R) := V(R) + 1"
    SET_V_R = "V(R) := V*(R)"
    COUNT_B = "FARM-B counter := FARM-B counter + 1"
    RETRANSMIT_1 = "Retransmit := 1"
    RETRANSMIT_0 = "Retransmit := 0"
    WAIT_1 = "Wait := 1"
    WAIT_0 = "Wait := 0"
    LOCKOUT_1 = "Lockout := 1"
    LOCKOUT_0 = "Lockout := 0"


class FarmCell(NamedTuple):
    """Actions and next state. A frame that is not accepted is discarded."""

    state: FarmState
    actions: tuple[FarmAction, ...]


def _to(state: FarmState, *actions: FarmAction) -> FarmCell:
    return FarmCell(state, actions)


_S1, _S2, _S3 = FarmState
_ACCEPT, _NEXT, _SET, _B, _R1, _R0, _W1, _W0, _L1, _L0 = FarmAction

#: Cells of S1, S2, S3 for each event; None where the event cannot be: in S2 there is no buffer.
TABLE: dict[FarmEvent, tuple[FarmCell | None, FarmCell | None, FarmCell | None]] = {
    FarmEvent.EXPECTED: (_to(_S1, _ACCEPT, _NEXT, _R0), None, _to(_S3)),
    FarmEvent.EXPECTED_NO_BUFFER: (_to(_S2, _R1, _W1), _to(_S2), _to(_S3)),
    FarmEvent.AHEAD: (_to(_S1, _R1), _to(_S2), _to(_S3)),
    FarmEvent.BEHIND: (_to(_S1), _to(_S2), _to(_S3)),
    FarmEvent.OUTSIDE: (_to(_S3, _L1), _to(_S3, _L1), _to(_S3)),
    FarmEvent.TYPE_BD: (_to(_S1, _ACCEPT, _B), _to(_S2, _ACCEPT, _B), _to(_S3, _ACCEPT, _B)),
    FarmEvent.UNLOCK: (_to(_S1, _B, _R0), _to(_S1, _B, _R0, _W0), _to(_S1, _B, _R0, _W0, _L0)),
    FarmEvent.SET_V_R: (_to(_S1, _B, _R0, _SET), _to(_S1, _B, _R0, _W0, _SET), _to(_S3, _B)),
    FarmEvent.INVALID: (_to(_S1), _to(_S2), _to(_S3)),
    FarmEvent.BUFFER_RELEASE: (_to(_S1), _to(_S1, _W0), _to(_S3, _W0)),
    FarmEvent.REPORT: (_to(_S1), _to(_S2), _to(_S3)),
}


class Farm:
    """The receiver of one virtual channel.

    Attributes:
        state: of the state machine.
        v_r: V(R), the number of the next frame to be accepted.
        lockout, wait, retransmit: flags of the CLCW.
        farm_b_counter: type B frames accepted, modulo 4.
        counts: of each event that there was.
    """

    def __init__(self, spacecraft_id: int, virtual_channel: int, window: int = 20) -> None:
        """W, the width of the window, is in frames. Raises ConfigError unless it is even and from 2 to 254."""
        if window % 2 or not 2 <= window <= 254:
            raise ConfigError(f"FARM sliding window: expected an even number from 2 to 254, found {window}")
        self._spacecraft_id = spacecraft_id
        self._virtual_channel = virtual_channel
        self._half_window = window // 2
        self._buffer = True
        self.state = FarmState.OPEN
        self.v_r = 0
        self.lockout = False
        self.wait = False
        self.retransmit = False
        self.farm_b_counter = 0
        self.counts: Counter[FarmEvent] = Counter()

    def receive(self, frame: TcFrame) -> bytes | None:
        """The data field of a data frame that is accepted; None for one that is not, and for control commands.

        Data of type BD are handed up whether or not there is a buffer.
        """
        event = self._event(frame)
        return frame.data if FarmAction.ACCEPT in self._apply(event, frame.data) else None

    def buffer_full(self) -> None:
        """There is no room for data of type AD until `buffer_released`."""
        self._buffer = False

    def buffer_released(self) -> None:
        """There is room again."""
        self._buffer = True
        self._apply(FarmEvent.BUFFER_RELEASE)

    def clcw(self) -> Clcw:
        """The report for the operational control field; those of the receiver before this one set the RF flags."""
        self._apply(FarmEvent.REPORT)
        return Clcw(
            self._virtual_channel,
            self.v_r,
            self.lockout,
            self.wait,
            self.retransmit,
            farm_b_counter=self.farm_b_counter,
        )

    def _event(self, frame: TcFrame) -> FarmEvent:
        if (frame.spacecraft_id, frame.virtual_channel) != (self._spacecraft_id, self._virtual_channel):
            return FarmEvent.INVALID
        if frame.control_command:
            if not frame.bypass:
                return FarmEvent.INVALID
            if frame.data == UNLOCK:
                return FarmEvent.UNLOCK
            is_set_v_r = frame.data[:-1] == _SET_V_R
            return FarmEvent.SET_V_R if is_set_v_r else FarmEvent.INVALID
        if frame.bypass:
            return FarmEvent.TYPE_BD
        ahead = (frame.sequence_number - self.v_r) % _SEQUENCE_NUMBERS
        if ahead == 0:
            return FarmEvent.EXPECTED if self._buffer else FarmEvent.EXPECTED_NO_BUFFER
        if ahead < self._half_window:
            return FarmEvent.AHEAD
        if _SEQUENCE_NUMBERS - ahead <= self._half_window:
            return FarmEvent.BEHIND
        return FarmEvent.OUTSIDE

    def _apply(self, event: FarmEvent, data: bytes = b"") -> tuple[FarmAction, ...]:
        self.counts[event] += 1
        cell = TABLE[event][self.state - 1]
        assert cell is not None
        for action in cell.actions:
            match action:
                case FarmAction.NEXT:
                    self.v_r = (self.v_r + 1) % _SEQUENCE_NUMBERS
                case FarmAction.SET_V_R:
                    self.v_r = data[-1]
                case FarmAction.COUNT_B:
                    self.farm_b_counter = (self.farm_b_counter + 1) % _FARM_B_COUNTS
                case FarmAction.RETRANSMIT_1 | FarmAction.RETRANSMIT_0:
                    self.retransmit = action is FarmAction.RETRANSMIT_1
                case FarmAction.WAIT_1 | FarmAction.WAIT_0:
                    self.wait = action is FarmAction.WAIT_1
                case FarmAction.LOCKOUT_1 | FarmAction.LOCKOUT_0:
                    self.lockout = action is FarmAction.LOCKOUT_1
        self.state = cell.state
        return cell.actions
