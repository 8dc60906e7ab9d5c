"""FOP-1, the sending side of COP-1: CCSDS 232.1-B-2 section 5. It repeats frames until the CLCW has acknowledged them.

`TABLE` is table 5-1, with the events of revision B (E101 to E104). Of the standard, the text around the table was at
hand and the table was not. The cells are those on which four open implementations agree: OSDLP of the Libre Space
Foundation, `ccsds` of D. Lucia, Yamcs, and the PyPI package ccsds-cop. Where they differ:

- E3 in S5 is an alert in the first three and nothing in ccsds-cop: an alert here, as no FARM-1 sends such a CLCW.
- E10 in S3 looks for an FDU in all but D. Lucia's: so here, or the repetition would not begin.
- E18 in S5 suspends in ccsds-cop and is Alert[T1] elsewhere: so here, by table 4-4, as no suspend state is named S5.
- E104 in S5 is missing in ccsds-cop.
- E42 in S2 to S5 keeps the state in ccsds-cop and leads to S6 elsewhere: so here.
- E45 accepts the request, for the second time after E21, in all but Yamcs: here E21 alone does.

NN(R) is not kept but follows from the Sent_Queue: it is V(S) as soon as that is purged, as in Yamcs. V(S) is set by its
directive alone, not by 'Initiate AD Service with CLCW check' from the CLCW, as Yamcs and D. Lucia have it.
"""

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Literal, NamedTuple

from flightsw.ccsds import tc_frame
from flightsw.ccsds.clcw import COP_1, Clcw, unpack
from flightsw.ccsds.tc_frame import TcFrame
from flightsw.errors import ConfigError, FrameError

_SEQUENCE_NUMBERS = 256
_OTHER_REPORT = 0x80


class FopState(IntEnum):
    """S1 to S6."""

    ACTIVE = 1
    RETRANSMIT_WITHOUT_WAIT = 2
    RETRANSMIT_WITH_WAIT = 3
    INITIALISING_WITHOUT_BC = 4
    INITIALISING_WITH_BC = 5
    INITIAL = 6


class Order(Enum):
    """The directives of table 4-1, and what their qualifier is."""

    INITIATE_WITHOUT_CLCW = "initiate AD service without CLCW check"
    INITIATE_WITH_CLCW = "initiate AD service with CLCW check"
    INITIATE_WITH_UNLOCK = "initiate AD service with Unlock"
    INITIATE_WITH_SET_V_R = "initiate AD service with Set V(R), to 0 to 255"
    TERMINATE = "terminate AD service"
    RESUME = "resume AD service"
    SET_V_S = "set V(S), to 0 to 255"
    SET_WINDOW = "set FOP sliding window, to 1 to 255 frames"
    SET_T1 = "set T1 initial, to more than 0 s"
    SET_TRANSMISSION_LIMIT = "set transmission limit, to 1 or more"
    SET_TIMEOUT_TYPE = "set timeout type, to 0 (alert) or 1 (suspend)"


class Directive(NamedTuple):
    """A request to change something. The identifier is the requester's own and comes back in notifications."""

    identifier: int
    order: Order
    qualifier: float = 0


class Transfer(NamedTuple):
    """A request to transfer a frame data unit, the data field of one frame; expedited makes that type BD."""

    identifier: int
    data: bytes
    expedited: bool = False


Request = Directive | Transfer
Kind = Literal["AD", "BC", "BD"]


class Notice(Enum):
    """Tables 4-3, 4-5 and 4-6."""

    ACCEPT = "accepted"
    REJECT = "rejected"
    POSITIVE_CONFIRM = "done"
    NEGATIVE_CONFIRM = "not known to be done"
    ALERT = "AD service ended"
    SUSPEND = "AD service suspended"


class Alert(Enum):
    """Reasons of table 4-4."""

    LIMIT = "transmission limit reached at a request to retransmit"
    T1 = "transmission limit reached when the timer expired"
    LOCKOUT = "lockout detected"
    SYNCH = "CLCW and what was sent do not fit together"
    NN_R = "CLCW acknowledges what was not sent"
    CLCW = "CLCW invalid"
    LLIF = "frame refused by the link below"
    TERM = "terminated by directive"


class Notification(NamedTuple):
    """What became of a request, or of the service: an alert has its reason and no request, a suspension neither."""

    notice: Notice
    request: Request | None = None
    alert: Alert | None = None


class FopAction(Enum):
    """Clauses 5.2.2 to 5.2.17, as far as they are not an `Alert`."""

    ACCEPT = "accept"
    REJECT = "reject"
    CONFIRM = "confirm"
    INITIALISE = "initialise"
    SUSPEND = "suspend"
    RESUME = "resume"
    START_TIMER = "start timer"
    CANCEL_TIMER = "cancel timer"
    REMOVE = "remove acknowledged frames from Sent_Queue"
    RETRANSMIT_AD = "initiate AD retransmission"
    RETRANSMIT_BC = "initiate BC retransmission"
    LOOK_FOR_FDU = "look for FDU"
    LOOK_FOR_DIRECTIVE = "look for directive"
    ADD = "add to Wait_Queue"
    RELEASE_BC = "release copy of type BC frame"
    TRANSMIT_BD = "transmit type BD frame"
    TRANSMIT_UNLOCK = "transmit type BC frame Unlock"
    TRANSMIT_SET_V_R = "transmit type BC frame Set V(R)"
    SET = "set V(S), K, T1, transmission limit or timeout type"


class FopCell(NamedTuple):
    """Actions and next state; without a state, that of before."""

    actions: tuple[FopAction | Alert, ...] = ()
    state: FopState | None = None


def _do(*actions: FopAction, to: FopState | None = None) -> FopCell:
    return FopCell(actions, to)


def _alert(reason: Alert, *before: FopAction) -> FopCell:
    return FopCell((*before, reason), FopState.INITIAL)


_S1, _S2, _S3, _S4, _S5, _S6 = FopState
_A = FopAction
_IGNORE = FopCell()
_REJECT = _do(_A.REJECT)
_ACKNOWLEDGED_ALL = _do(_A.REMOVE, _A.CANCEL_TIMER, _A.LOOK_FOR_FDU, to=_S1)
_ACKNOWLEDGED = _do(_A.REMOVE, _A.LOOK_FOR_FDU, to=_S1)
_ACKNOWLEDGED_SOME = _do(_A.REMOVE, _A.RETRANSMIT_AD, _A.LOOK_FOR_FDU, to=_S2)
_ACKNOWLEDGED_WAIT = _do(_A.REMOVE, to=_S3)
_REPEAT_AD = _do(_A.RETRANSMIT_AD, _A.LOOK_FOR_FDU)
_REPEAT_BC = _do(_A.RETRANSMIT_BC, _A.LOOK_FOR_DIRECTIVE)
_REPEAT_S2 = _do(_A.RETRANSMIT_AD, _A.LOOK_FOR_FDU, to=_S2)
_TERMINATE = FopCell((_A.ACCEPT, Alert.TERM, _A.CONFIRM), _S6)
_SET = _do(_A.ACCEPT, _A.SET, _A.CONFIRM)
_BD = _do(_A.ACCEPT, _A.TRANSMIT_BD)
_CLCW, _SYNCH, _LIMIT, _T1 = _alert(Alert.CLCW), _alert(Alert.SYNCH), _alert(Alert.LIMIT), _alert(Alert.T1)
_NN_R, _LOCKOUT, _LLIF = _alert(Alert.NN_R), _alert(Alert.LOCKOUT), _alert(Alert.LLIF)
_LAST_LIMIT = _alert(Alert.LIMIT, _A.REMOVE)
_SUSPEND = _do(_A.SUSPEND, to=_S6)

Row = tuple[FopCell | None, FopCell | None, FopCell | None, FopCell | None, FopCell | None, FopCell | None]


def _initiate(*actions: FopAction, to: FopState) -> Row:
    return (_REJECT, _REJECT, _REJECT, _REJECT, _REJECT, _do(_A.ACCEPT, _A.INITIALISE, *actions, to=to))


def _resume(to: FopState) -> Row:
    return (None, None, None, None, None, _do(_A.ACCEPT, _A.RESUME, _A.CONFIRM, to=to))


#: Cells of S1 to S6 for each event; None where the event cannot be. R and W are the flags Retransmit and Wait of the
#: CLCW, SS the suspend state, TC the transmission count.
TABLE: dict[str, Row] = {
    # CLCW, lockout 0, N(R) = V(S)
    "E1": (  # R 0, W 0, N(R) = NN(R)
        _IGNORE,
        _SYNCH,
        _SYNCH,
        _do(_A.CONFIRM, _A.CANCEL_TIMER, to=_S1),
        _do(_A.CONFIRM, _A.RELEASE_BC, _A.CANCEL_TIMER, to=_S1),
        _IGNORE,
    ),
    "E2": (_ACKNOWLEDGED_ALL, _ACKNOWLEDGED_ALL, _ACKNOWLEDGED_ALL, None, None, _IGNORE),  # R 0, W 0, N(R) > NN(R)
    "E3": (_CLCW, _CLCW, _CLCW, _CLCW, _CLCW, _IGNORE),  # R 0, W 1
    "E4": (_SYNCH, _SYNCH, _SYNCH, _SYNCH, _IGNORE, _IGNORE),  # R 1
    # CLCW, lockout 0, NN(R) <= N(R) < V(S)
    "E5": (_IGNORE, _SYNCH, _SYNCH, None, None, _IGNORE),  # R 0, W 0, N(R) = NN(R)
    "E6": (_ACKNOWLEDGED, _ACKNOWLEDGED, _ACKNOWLEDGED, None, None, _IGNORE),  # R 0, W 0, N(R) > NN(R)
    "E7": (_CLCW, _CLCW, _CLCW, None, None, _IGNORE),  # R 0, W 1
    "E101": (_LAST_LIMIT, _LAST_LIMIT, _LAST_LIMIT, None, None, _IGNORE),  # R 1, limit 1, N(R) > NN(R)
    "E102": (_LIMIT, _LIMIT, _LIMIT, None, None, _IGNORE),  # R 1, limit 1, N(R) = NN(R)
    "E8": (_ACKNOWLEDGED_SOME, _ACKNOWLEDGED_SOME, _ACKNOWLEDGED_SOME, None, None, _IGNORE),  # R 1, W 0, N(R) > NN(R)
    "E9": (_ACKNOWLEDGED_WAIT, _ACKNOWLEDGED_WAIT, _ACKNOWLEDGED_WAIT, None, None, _IGNORE),  # R 1, W 1, N(R) > NN(R)
    "E10": (_REPEAT_S2, _IGNORE, _REPEAT_S2, None, None, _IGNORE),  # R 1, W 0, N(R) = NN(R), TC < limit
    "E11": (_do(to=_S3), _do(to=_S3), _IGNORE, None, None, _IGNORE),  # R 1, W 1, N(R) = NN(R), TC < limit
    "E12": (_do(to=_S2), _IGNORE, _do(to=_S2), None, None, _IGNORE),  # R 1, W 0, N(R) = NN(R), TC = limit
    "E103": (_do(to=_S3), _do(to=_S3), _IGNORE, None, None, _IGNORE),  # R 1, W 1, N(R) = NN(R), TC = limit
    # other CLCW
    "E13": (_NN_R, _NN_R, _NN_R, _NN_R, _IGNORE, _IGNORE),  # lockout 0, any other N(R)
    "E14": (_LOCKOUT, _LOCKOUT, _LOCKOUT, _LOCKOUT, _IGNORE, _IGNORE),  # lockout 1
    "E15": (_CLCW, _CLCW, _CLCW, _CLCW, _CLCW, _IGNORE),  # invalid
    # timer expired
    "E16": (_REPEAT_AD, _REPEAT_AD, _IGNORE, _T1, _REPEAT_BC, None),  # TC < limit, timeout type 0
    "E104": (_REPEAT_AD, _REPEAT_AD, _IGNORE, _SUSPEND, _REPEAT_BC, None),  # TC < limit, timeout type 1
    "E17": (_T1, _T1, _T1, _T1, _T1, None),  # TC = limit, timeout type 0
    "E18": (_SUSPEND, _SUSPEND, _SUSPEND, _SUSPEND, _T1, None),  # TC = limit, timeout type 1
    # request to transfer an FDU
    "E19": (  # AD, Wait_Queue empty
        _do(_A.ADD, _A.LOOK_FOR_FDU),
        _do(_A.ADD, _A.LOOK_FOR_FDU),
        _do(_A.ADD),
        _REJECT,
        _REJECT,
        _REJECT,
    ),
    "E20": (_REJECT, _REJECT, _REJECT, _REJECT, _REJECT, _REJECT),  # AD, Wait_Queue taken
    "E21": (_BD, _BD, _BD, _BD, _BD, _BD),  # BD, BD_Out ready
    "E22": (_REJECT, _REJECT, _REJECT, _REJECT, _REJECT, _REJECT),  # BD, BD_Out not ready
    # directives
    "E23": _initiate(_A.CONFIRM, to=_S1),  # without CLCW check
    "E24": _initiate(_A.START_TIMER, to=_S4),  # with CLCW check
    "E25": _initiate(_A.TRANSMIT_UNLOCK, to=_S5),  # with Unlock, BC_Out ready
    "E26": (_REJECT, _REJECT, _REJECT, _REJECT, _REJECT, _REJECT),  # with Unlock, BC_Out not ready
    "E27": _initiate(_A.SET, _A.TRANSMIT_SET_V_R, to=_S5),  # with Set V(R), BC_Out ready
    "E28": (_REJECT, _REJECT, _REJECT, _REJECT, _REJECT, _REJECT),  # with Set V(R), BC_Out not ready
    "E29": (_TERMINATE, _TERMINATE, _TERMINATE, _TERMINATE, _TERMINATE, _do(_A.ACCEPT, _A.CONFIRM)),
    "E30": (_REJECT, _REJECT, _REJECT, _REJECT, _REJECT, _REJECT),  # resume, SS = 0
    "E31": _resume(to=_S1),  # resume, SS = 1
    "E32": _resume(to=_S2),  # resume, SS = 2
    "E33": _resume(to=_S3),  # resume, SS = 3
    "E34": _resume(to=_S4),  # resume, SS = 4
    "E35": (_REJECT, _REJECT, _REJECT, _REJECT, _REJECT, _SET),  # set V(S); the standard rejects it in S6 if SS > 0
    "E36": (_SET, _SET, _SET, _SET, _SET, _SET),  # set window
    "E37": (_SET, _SET, _SET, _SET, _SET, _SET),  # set T1
    "E38": (_SET, _SET, _SET, _SET, _SET, _SET),  # set transmission limit
    "E39": (_SET, _SET, _SET, _SET, _SET, _SET),  # set timeout type
    "E40": (_REJECT, _REJECT, _REJECT, _REJECT, _REJECT, _REJECT),  # invalid; and E35 if SS > 0
    # answers of the link below
    "E41": (_do(_A.LOOK_FOR_FDU), _do(_A.LOOK_FOR_FDU), _IGNORE, _IGNORE, _IGNORE, _IGNORE),  # AD taken
    "E42": (_LLIF, _LLIF, _LLIF, _LLIF, _LLIF, _LLIF),  # AD refused
    "E43": (_IGNORE, _IGNORE, _IGNORE, _IGNORE, _do(_A.LOOK_FOR_DIRECTIVE), _IGNORE),  # BC taken
    "E44": (_LLIF, _LLIF, _LLIF, _LLIF, _LLIF, _LLIF),  # BC refused
    "E45": (_IGNORE, _IGNORE, _IGNORE, _IGNORE, _IGNORE, _IGNORE),  # BD taken
    "E46": (_LLIF, _LLIF, _LLIF, _LLIF, _LLIF, _LLIF),  # BD refused
}

_DIRECTIVE_EVENTS = {
    Order.INITIATE_WITHOUT_CLCW: "E23",
    Order.INITIATE_WITH_CLCW: "E24",
    Order.TERMINATE: "E29",
    Order.SET_WINDOW: "E36",
    Order.SET_T1: "E37",
    Order.SET_TRANSMISSION_LIMIT: "E38",
    Order.SET_TIMEOUT_TYPE: "E39",
}
_TAKEN: dict[Kind, str] = {"AD": "E41", "BC": "E43", "BD": "E45"}
_REFUSED: dict[Kind, str] = {"AD": "E42", "BC": "E44", "BD": "E46"}


@dataclass(slots=True)
class _Sent:
    """A frame of the Sent_Queue; that of a control command has no request."""

    frame: TcFrame
    request: Transfer | None = None
    to_be_retransmitted: bool = False


class Fop:
    """The sender of one virtual channel: requests and CLCWs in, frames and notifications out.

    It waits for nothing and has no clock. What it hands out as frames to send counts as taken by the link below.

    Attributes:
        state: of the state machine.
        v_s: V(S), the number of the next type AD frame.
        suspend_state: SS, the state to resume, or None.
        transmission_count: of the first frame that is not acknowledged.
        window: K, the most frames that may be unacknowledged.
        t1_s: time after which what is not acknowledged is sent again.
        transmission_limit: the most times that a frame is sent.
        timeout_type: what becomes of the service then: 0 ends it, 1 suspends it.
    """

    def __init__(
        self,
        spacecraft_id: int,
        virtual_channel: int,
        window: int = 10,
        t1_s: float = 5.0,
        transmission_limit: int = 5,
        timeout_type: int = 0,
    ) -> None:
        """The window may not be wider than PW, half the window of the FARM at the other end.

        Raises ConfigError for a value that the directive to set it would not take.
        """
        for order, value in (
            (Order.SET_WINDOW, window),
            (Order.SET_T1, t1_s),
            (Order.SET_TRANSMISSION_LIMIT, transmission_limit),
            (Order.SET_TIMEOUT_TYPE, timeout_type),
        ):
            if not _is_valid(order, value):
                raise ConfigError(f"FOP-1: expected a value to {order.value}, found {value}")
        self._spacecraft_id = spacecraft_id
        self._virtual_channel = virtual_channel
        self._now_s = 0.0
        self._deadline_s: float | None = None
        self._wait: Transfer | None = None
        self._sent: deque[_Sent] = deque()
        self._command: _Sent | None = None
        self._initiating: Directive | None = None
        self._outgoing: deque[TcFrame] = deque()
        self._notifications: list[Notification] = []
        self.state = FopState.INITIAL
        self.v_s = 0
        self.suspend_state: FopState | None = None
        self.transmission_count = 1
        self.window = window
        self.t1_s = t1_s
        self.transmission_limit = transmission_limit
        self.timeout_type = timeout_type

    @property
    def nn_r(self) -> int:
        """NN(R), the number of the oldest frame that is not acknowledged; V(S) if there is none."""
        return (self.v_s - len(self._sent)) % _SEQUENCE_NUMBERS

    def tick(self, now_s: float) -> None:
        """Let it be that time, s, of any clock that does not run back; what is sent later is sent at that time."""
        self._now_s = now_s
        if self._deadline_s is not None and now_s >= self._deadline_s:
            self._deadline_s = None
            if self.transmission_count < self.transmission_limit:
                self._apply("E104" if self.timeout_type else "E16")
            else:
                self._apply("E18" if self.timeout_type else "E17")

    def request(self, request: Request) -> None:
        """Ask for something; notifications answer. A second type AD transfer before the first is accepted is rejected.

        Raises FrameError for data that no frame can carry.
        """
        if isinstance(request, Transfer):
            tc_frame.build(self._frame(request.data))
            self._apply(self._transfer_event(request), request)
        else:
            self._apply(self._directive_event(request), request)

    def clcw(self, octets: bytes) -> None:
        """Take in an operational control field, 4 octets; what is no CLCW of this virtual channel is passed over."""
        if octets and octets[0] & _OTHER_REPORT:
            return
        try:
            clcw = unpack(octets)
        except FrameError:
            self._apply("E15")
            return
        if clcw.cop_in_effect == COP_1 and clcw.virtual_channel == self._virtual_channel:
            self._apply(self._clcw_event(clcw), n_r=clcw.report_value)

    def frames_to_send(self) -> list[TcFrame]:
        """All frames to be sent now, in order."""
        frames = []
        while self._outgoing:
            frame = self._outgoing.popleft()
            frames.append(frame)
            self._apply(_TAKEN[_kind(frame)])
        return frames

    def refused(self, frame: TcFrame) -> None:
        """The link below could not send one of them."""
        self._apply(_REFUSED[_kind(frame)])

    def notifications(self) -> list[Notification]:
        """Those since the last call, in order."""
        notifications, self._notifications = self._notifications, []
        return notifications

    def _clcw_event(self, clcw: Clcw) -> str:
        if clcw.lockout:
            return "E14"
        acknowledged = (clcw.report_value - self.nn_r) % _SEQUENCE_NUMBERS
        if acknowledged > len(self._sent):
            return "E13"
        if acknowledged == len(self._sent):
            if clcw.retransmit:
                return "E4"
            if clcw.wait:
                return "E3"
            return "E2" if acknowledged else "E1"
        if not clcw.retransmit:
            if clcw.wait:
                return "E7"
            return "E6" if acknowledged else "E5"
        if self.transmission_limit == 1:
            return "E101" if acknowledged else "E102"
        if acknowledged:
            return "E9" if clcw.wait else "E8"
        if self.transmission_count < self.transmission_limit:
            return "E11" if clcw.wait else "E10"
        return "E103" if clcw.wait else "E12"

    def _transfer_event(self, transfer: Transfer) -> str:
        if transfer.expedited:
            return "E21" if self._is_ready("BD") else "E22"
        return "E19" if self._wait is None else "E20"

    def _directive_event(self, directive: Directive) -> str:
        if not _is_valid(directive.order, directive.qualifier):
            return "E40"
        match directive.order:
            case Order.INITIATE_WITH_UNLOCK:
                return "E25" if self._is_ready("BC") else "E26"
            case Order.INITIATE_WITH_SET_V_R:
                return "E27" if self._is_ready("BC") else "E28"
            case Order.RESUME:
                return f"E{30 + (self.suspend_state or 0)}"
            case Order.SET_V_S:
                return "E35" if self.suspend_state is None else "E40"
        return _DIRECTIVE_EVENTS[directive.order]

    def _is_ready(self, kind: Kind) -> bool:
        """The AD_Out, BC_Out or BD_Out flag."""
        return all(_kind(frame) != kind for frame in self._outgoing)

    def _apply(self, event: str, request: Request | None = None, n_r: int = 0) -> None:
        cell = TABLE[event][self.state - 1]
        assert cell is not None
        for action in cell.actions:
            if isinstance(action, Alert):
                self._end(action)
            else:
                self._perform(action, request, n_r)
        if cell.state is not None:
            self.state = cell.state

    def _perform(self, action: FopAction, request: Request | None, n_r: int) -> None:
        match action:
            case FopAction.ACCEPT:
                self._notify(Notice.ACCEPT, request)
            case FopAction.REJECT:
                self._notify(Notice.REJECT, request)
            case FopAction.CONFIRM:
                self._confirm(request)
            case FopAction.INITIALISE:
                assert isinstance(request, Directive)
                self._purge()
                self.transmission_count = 1
                self.suspend_state = None
                self._initiating = request
            case FopAction.SUSPEND:
                self.suspend_state = self.state
                self._notify(Notice.SUSPEND)
            case FopAction.RESUME:
                self._start_timer()
                self.suspend_state = None
            case FopAction.START_TIMER:
                self._start_timer()
            case FopAction.CANCEL_TIMER:
                self._deadline_s = None
            case FopAction.REMOVE:
                self._remove_acknowledged(n_r)
            case FopAction.RETRANSMIT_AD:
                self._retransmit("AD", self._sent)
            case FopAction.RETRANSMIT_BC:
                assert self._command is not None
                self._retransmit("BC", [self._command])
            case FopAction.LOOK_FOR_FDU:
                self._look_for_fdu()
            case FopAction.LOOK_FOR_DIRECTIVE:
                self._look_for_directive()
            case FopAction.ADD:
                assert isinstance(request, Transfer)
                self._wait = request
            case FopAction.RELEASE_BC:
                self._command = None
            case FopAction.TRANSMIT_BD:
                assert isinstance(request, Transfer)
                self._outgoing.append(self._frame(request.data, bypass=True))
            case FopAction.TRANSMIT_UNLOCK:
                self._transmit_bc(tc_frame.UNLOCK)
            case FopAction.TRANSMIT_SET_V_R:
                self._transmit_bc(tc_frame.set_v_r(self.v_s))
            case FopAction.SET:
                assert isinstance(request, Directive)
                self._set(request)

    def _set(self, directive: Directive) -> None:
        match directive.order:
            case Order.SET_V_S | Order.INITIATE_WITH_SET_V_R:
                self.v_s = int(directive.qualifier)
            case Order.SET_WINDOW:
                self.window = int(directive.qualifier)
            case Order.SET_T1:
                self.t1_s = directive.qualifier
            case Order.SET_TRANSMISSION_LIMIT:
                self.transmission_limit = int(directive.qualifier)
            case Order.SET_TIMEOUT_TYPE:
                self.timeout_type = int(directive.qualifier)

    def _notify(self, notice: Notice, request: Request | None = None, alert: Alert | None = None) -> None:
        self._notifications.append(Notification(notice, request, alert))

    def _confirm(self, request: Request | None) -> None:
        """Of the directive at hand; a CLCW confirms that which initiated the service."""
        confirmed = request or self._initiating
        self._notify(Notice.POSITIVE_CONFIRM, confirmed)
        if confirmed is self._initiating:
            self._initiating = None

    def _purge(self) -> None:
        """Empty both queues, and be done with a directive that has not initiated the service."""
        self._abort("AD", "BC")
        for sent in self._sent:
            self._notify(Notice.NEGATIVE_CONFIRM, sent.request)
        self._sent.clear()
        self._command = None
        if self._wait is not None:
            self._notify(Notice.REJECT, self._wait)
            self._wait = None
        if self._initiating is not None:
            self._notify(Notice.NEGATIVE_CONFIRM, self._initiating)
            self._initiating = None

    def _end(self, alert: Alert) -> None:
        self._deadline_s = None
        self._purge()
        self._notify(Notice.ALERT, alert=alert)

    def _start_timer(self) -> None:
        self._deadline_s = self._now_s + self.t1_s

    def _remove_acknowledged(self, n_r: int) -> None:
        while self.nn_r != n_r:
            self._notify(Notice.POSITIVE_CONFIRM, self._sent.popleft().request)
        self.transmission_count = 1

    def _abort(self, *kinds: Kind) -> None:
        """Hold back what the link below has not taken."""
        self._outgoing = deque(frame for frame in self._outgoing if _kind(frame) not in kinds)

    def _retransmit(self, kind: Kind, queue: Iterable[_Sent]) -> None:
        self._abort(kind)
        self.transmission_count += 1
        self._start_timer()
        for sent in queue:
            sent.to_be_retransmitted = True

    def _look_for_fdu(self) -> None:
        if not self._is_ready("AD"):
            return
        for sent in self._sent:
            if sent.to_be_retransmitted:
                sent.to_be_retransmitted = False
                self._outgoing.append(sent.frame)
                return
        if self._wait is not None and len(self._sent) < self.window:
            transfer, self._wait = self._wait, None
            self._notify(Notice.ACCEPT, transfer)
            self._transmit_ad(transfer)

    def _look_for_directive(self) -> None:
        if self._is_ready("BC") and self._command is not None and self._command.to_be_retransmitted:
            self._command.to_be_retransmitted = False
            self._outgoing.append(self._command.frame)

    def _transmit_ad(self, transfer: Transfer) -> None:
        frame = self._frame(transfer.data, sequence_number=self.v_s)
        self.v_s = (self.v_s + 1) % _SEQUENCE_NUMBERS
        if not self._sent:
            self.transmission_count = 1
        self._sent.append(_Sent(frame, transfer))
        self._start_timer()
        self._outgoing.append(frame)

    def _transmit_bc(self, command: bytes) -> None:
        frame = self._frame(command, bypass=True, control_command=True)
        self._command = _Sent(frame)
        self.transmission_count = 1
        self._start_timer()
        self._outgoing.append(frame)

    def _frame(
        self, data: bytes, sequence_number: int = 0, bypass: bool = False, control_command: bool = False
    ) -> TcFrame:
        return TcFrame(self._spacecraft_id, self._virtual_channel, sequence_number, data, bypass, control_command)


def _kind(frame: TcFrame) -> Kind:
    if not frame.bypass:
        return "AD"
    return "BC" if frame.control_command else "BD"


def _is_valid(order: Order, qualifier: float) -> bool:
    match order:
        case Order.SET_T1:
            return 0 < qualifier < math.inf
        case Order.SET_V_S | Order.INITIATE_WITH_SET_V_R:
            return qualifier in range(_SEQUENCE_NUMBERS)
        case Order.SET_WINDOW:
            return qualifier in range(1, _SEQUENCE_NUMBERS)
        case Order.SET_TRANSMISSION_LIMIT:
            return qualifier >= 1 and float(qualifier).is_integer()
        case Order.SET_TIMEOUT_TYPE:
            return qualifier in (0, 1)
    return True
