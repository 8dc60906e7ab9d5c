"""FOP-1 against table 5-1 of CCSDS 232.1-B-2, written out a second time as what can be seen of each cell."""

import math
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flightsw.ccsds import clcw
from flightsw.ccsds.clcw import Clcw
from flightsw.ccsds.fop import TABLE, Alert, Directive, Fop, FopState, Notice, Notification, Order, Transfer
from flightsw.ccsds.tc_frame import TcFrame
from flightsw.errors import ConfigError, FrameError

SCID, VCID = 0x155, 9
T1_S = 2.0
# V(S) of the first frame, so near the end of the numbers that those of a window wrap.
FIRST = 254

# State after each event in S1 to S6, and what is seen: ok is an accept or confirm of the request at hand, acked a
# positive confirm of an earlier transfer, capitals an alert's reason or the type of a frame that is sent. A dot is
# "not applicable".
CELLS = """
E1   S1           S6 SYNCH     S6 SYNCH     S1 ok        S1 ok        S6
E2   S1 acked,acked,AD S1 acked,acked,AD S1 acked,acked,AD . .       S6
E3   S6 CLCW      S6 CLCW      S6 CLCW      S6 CLCW      S6 CLCW      S6
E4   S6 SYNCH     S6 SYNCH     S6 SYNCH     S6 SYNCH     S5           S6
E5   S1           S6 SYNCH     S6 SYNCH     .            .            S6
E6   S1 acked,AD  S1 acked,AD  S1 acked,AD  .            .            S6
E7   S6 CLCW      S6 CLCW      S6 CLCW      .            .            S6
E101 S6 acked,LIMIT S6 acked,LIMIT S6 acked,LIMIT .      .            S6
E102 S6 LIMIT     S6 LIMIT     S6 LIMIT     .            .            S6
E8   S2 acked,AD,AD S2 acked,AD,AD S2 acked,AD,AD .      .            S6
E9   S3 acked     S3 acked     S3 acked     .            .            S6
E10  S2 AD,AD     S2           S2 AD,AD     .            .            S6
E11  S3           S3           S3           .            .            S6
E12  S2           S2           S2           .            .            S6
E103 S3           S3           S3           .            .            S6
E13  S6 NN_R      S6 NN_R      S6 NN_R      S6 NN_R      S5           S6
E14  S6 LOCKOUT   S6 LOCKOUT   S6 LOCKOUT   S6 LOCKOUT   S5           S6
E15  S6 CLCW      S6 CLCW      S6 CLCW      S6 CLCW      S6 CLCW      S6
E16  S1 AD,AD     S2 AD,AD     S3           S6 T1        S5 BC        .
E104 S1 AD,AD     S2 AD,AD     S3           S6 suspend   S5 BC        .
E17  S6 T1        S6 T1        S6 T1        S6 T1        S6 T1        .
E18  S6 suspend   S6 suspend   S6 suspend   S6 suspend   S6 T1        .
E19  S1 ok,AD     S2 ok,AD     S3           S4 no        S5 no        S6 no
E20  S1 no        S2 no        S3 no        S4 no        S5 no        S6 no
E21  S1 ok,BD     S2 ok,BD     S3 ok,BD     S4 ok,BD     S5 ok,BD     S6 ok,BD
E22  S1 no        S2 no        S3 no        S4 no        S5 no        S6 no
E23  S1 no        S2 no        S3 no        S4 no        S5 no        S1 ok,ok
E24  S1 no        S2 no        S3 no        S4 no        S5 no        S4 ok
E25  S1 no        S2 no        S3 no        S4 no        S5 no        S5 ok,BC
E26  S1 no        S2 no        S3 no        S4 no        S5 no        S6 no
E27  S1 no        S2 no        S3 no        S4 no        S5 no        S5 ok,BC
E28  S1 no        S2 no        S3 no        S4 no        S5 no        S6 no
E29  S6 ok,TERM,ok S6 ok,TERM,ok S6 ok,TERM,ok S6 ok,TERM,ok S6 ok,TERM,ok S6 ok,ok
E30  S1 no        S2 no        S3 no        S4 no        S5 no        S6 no
E31  .            .            .            .            .            S1 ok,ok
E32  .            .            .            .            .            S2 ok,ok
E33  .            .            .            .            .            S3 ok,ok
E34  .            .            .            .            .            S4 ok,ok
E35  S1 no        S2 no        S3 no        S4 no        S5 no        S6 ok,ok
E36  S1 ok,ok     S2 ok,ok     S3 ok,ok     S4 ok,ok     S5 ok,ok     S6 ok,ok
E37  S1 ok,ok     S2 ok,ok     S3 ok,ok     S4 ok,ok     S5 ok,ok     S6 ok,ok
E38  S1 ok,ok     S2 ok,ok     S3 ok,ok     S4 ok,ok     S5 ok,ok     S6 ok,ok
E39  S1 ok,ok     S2 ok,ok     S3 ok,ok     S4 ok,ok     S5 ok,ok     S6 ok,ok
E40  S1 no        S2 no        S3 no        S4 no        S5 no        S6 no
E41  S1 AD,AD     S2 AD,AD     S3 AD        S4 AD        S5 AD        S6 AD
E42  S6 LLIF      S6 LLIF      S6 LLIF      S6 LLIF      S6 LLIF      S6 LLIF
E43  S1 BC        S2 BC        S3 BC        S4 BC        S5 BC        S6 BC
E44  S6 LLIF      S6 LLIF      S6 LLIF      S6 LLIF      S6 LLIF      S6 LLIF
E45  S1 BD        S2 BD        S3 BD        S4 BD        S5 BD        S6 BD
E46  S6 LLIF      S6 LLIF      S6 LLIF      S6 LLIF      S6 LLIF      S6 LLIF
"""
EXPECTED = {line.split()[0]: line for line in CELLS.split("\n") if line}
identifiers = count()


def cells(line: str) -> list[str]:
    """The six cells of a line, each "state" or "state what,is,seen"."""
    found: list[str] = []
    for word in line.split()[1:]:
        if word == "." or (word[0] == "S" and word[1:].isdigit()):
            found.append(word)
        else:
            found[-1] += " " + word
    return found


def directive(order: Order, qualifier: float = 0) -> Directive:
    return Directive(next(identifiers), order, qualifier)


def transfer(data: bytes = b"FDU", expedited: bool = False) -> Transfer:
    return Transfer(next(identifiers), data, expedited)


def a_fop(**parameters: float) -> Fop:
    return Fop(SCID, VCID, **({"window": 10, "t1_s": T1_S, "transmission_limit": 3} | parameters))


def report(n_r: int, lockout: bool = False, wait: bool = False, retransmit: bool = False) -> bytes:
    return clcw.pack(Clcw(VCID, n_r % 256, lockout, wait, retransmit))


def active(outstanding: int = 2, **parameters: float) -> Fop:
    """S1, frames from FIRST on sent and not acknowledged."""
    fop = a_fop(**parameters)
    fop.request(directive(Order.SET_V_S, FIRST))
    fop.request(directive(Order.INITIATE_WITHOUT_CLCW))
    for _ in range(outstanding):
        fop.request(transfer())
        fop.frames_to_send()
    fop.notifications()
    return fop


def initialising(order: Order, pull: bool = True) -> Fop:
    """S4 or S5, V(S) = FIRST."""
    fop = a_fop()
    fop.request(directive(Order.SET_V_S, FIRST))
    fop.request(directive(order, FIRST))
    if pull:
        fop.frames_to_send()
    fop.notifications()
    return fop


def in_state(state: int, outstanding: int = 2, waiting: bool = False) -> Fop:
    """A FOP of that state, with frames outstanding where that can be, and perhaps one that waits for the window.

    S2, S3 and S6 are forced upon an active one.
    """
    if state in (4, 5):
        return initialising(Order.INITIATE_WITH_CLCW if state == 4 else Order.INITIATE_WITH_SET_V_R)
    fop = active(outstanding, window=2 if waiting else 10)
    if waiting:
        fop.request(transfer())
    fop.state = FopState(state)
    return fop


def provoke(event: str, state: int) -> tuple[Fop, object]:
    """Bring about an event in a state; returns the FOP, and the request that was made, if one was."""
    number = int(event[1:])
    if number <= 4:
        outstanding = 0 if number == 1 else 2
        fop = in_state(state, outstanding, waiting=number == 2)
        acknowledged = FIRST + (outstanding if state not in (4, 5) else 0)
        fop.clcw(report(acknowledged, wait=number == 3, retransmit=number == 4))
        return fop, None
    if number <= 12 or number in (101, 102, 103):
        fop = in_state(state, waiting=True)
        if number in (101, 102):
            fop.transmission_limit = 1
        if number in (12, 103):
            fop.transmission_count = fop.transmission_limit
        new, wait, retransmit = {
            5: (0, 0, 0),
            6: (1, 0, 0),
            7: (0, 1, 0),
            8: (1, 0, 1),
            9: (1, 1, 1),
            10: (0, 0, 1),
            11: (0, 1, 1),
            12: (0, 0, 1),
            101: (1, 0, 1),
            102: (0, 0, 1),
            103: (0, 1, 1),
        }[number]
        fop.clcw(report(FIRST + new, wait=bool(wait), retransmit=bool(retransmit)))
        return fop, None
    if number <= 15:
        fop = in_state(state)
        fop.clcw({13: report(FIRST - 1), 14: report(FIRST, lockout=True), 15: b"\x61\x24\x00\x00"}[number])
        return fop, None
    if number <= 18 or number == 104:
        fop = in_state(state)
        fop.timeout_type = int(number in (104, 18))
        if number in (17, 18):
            fop.transmission_count = fop.transmission_limit
        fop.tick(T1_S)
        return fop, None
    if number <= 22:
        return ask_for_transfer(number, state)
    if number <= 40:
        return ask_for_directive(number, state)
    return answer_from_below(number, state), None


def ask_for_transfer(number: int, state: int) -> tuple[Fop, object]:
    request = transfer(expedited=number >= 21)
    if number == 20:
        fop = active(2, window=2)
        fop.request(transfer())
        fop.state = FopState(state)
    else:
        fop = in_state(state)
    if number == 22:
        fop.request(transfer(expedited=True))
        fop.notifications()
    fop.request(request)
    if number == 22:
        assert len(fop.frames_to_send()) == 1
    return fop, request


def ask_for_directive(number: int, state: int) -> tuple[Fop, object]:
    if number in (26, 28):
        fop = initialising(Order.INITIATE_WITH_SET_V_R, pull=False)
        fop.state = FopState(state)
    else:
        fop = in_state(state)
    if 31 <= number <= 34:
        fop.suspend_state = FopState(number - 30)
    request = directive(
        *{
            23: (Order.INITIATE_WITHOUT_CLCW,),
            24: (Order.INITIATE_WITH_CLCW,),
            25: (Order.INITIATE_WITH_UNLOCK,),
            26: (Order.INITIATE_WITH_UNLOCK,),
            27: (Order.INITIATE_WITH_SET_V_R, 5),
            28: (Order.INITIATE_WITH_SET_V_R, 5),
            29: (Order.TERMINATE,),
            35: (Order.SET_V_S, 5),
            36: (Order.SET_WINDOW, 5),
            37: (Order.SET_T1, 5.5),
            38: (Order.SET_TRANSMISSION_LIMIT, 5),
            39: (Order.SET_TIMEOUT_TYPE, 1),
            40: (Order.SET_TIMEOUT_TYPE, 2),
        }.get(number, (Order.RESUME,))
    )
    fop.request(request)
    if number in (26, 28):
        assert len(fop.frames_to_send()) == 1
    return fop, request


def answer_from_below(number: int, state: int) -> Fop:
    if number in (41, 42):
        fop = active()
        fop.request(transfer())
        fop.request(transfer())
        fop.notifications()
    elif number in (43, 44):
        fop = initialising(Order.INITIATE_WITH_UNLOCK, pull=False)
    else:
        fop = in_state(state)
        fop.request(transfer(expedited=True))
        fop.notifications()
    fop.state = FopState(state)
    if number % 2 == 0:
        fop.refused(fop.frames_to_send()[0])
    return fop


def type_of(frame: TcFrame) -> str:
    return "AD" if not frame.bypass else "BC" if frame.control_command else "BD"


def seen(fop: Fop, request: object) -> str:
    words = []
    kinds = [type_of(frame) for frame in fop.frames_to_send()]
    for notice, of, alert in fop.notifications():
        if alert is not None:
            words.append(alert.name)
        elif notice is Notice.SUSPEND:
            words.append("suspend")
        elif notice is Notice.REJECT and of is request:
            words.append("no")
        elif notice is Notice.POSITIVE_CONFIRM and isinstance(of, Transfer):
            words.append("acked")
        elif notice is Notice.POSITIVE_CONFIRM or (notice is Notice.ACCEPT and of is request):
            words.append("ok")
    return f"S{fop.state.value} {','.join(words + kinds)}".strip()


@pytest.mark.parametrize(
    ("event", "state", "then"),
    [(event, i + 1, cell) for event, line in EXPECTED.items() for i, cell in enumerate(cells(line)) if cell != "."],
)
def test_each_cell(event, state, then):
    fop, request = provoke(event, state)
    assert seen(fop, request) == then


def test_the_table_has_the_events_of_the_standard_and_the_cells_that_apply():
    assert set(TABLE) == {f"E{n}" for n in (*range(1, 47), *range(101, 105))} == set(EXPECTED)
    for event, line in EXPECTED.items():
        assert [cell is None for cell in TABLE[event]] == [cell == "." for cell in cells(line)], event


def test_a_window_of_frames_is_sent_and_the_next_one_waits():
    fop = active(3, window=3)
    waiting, rejected = transfer(b"waits"), transfer()
    fop.request(waiting)
    fop.request(rejected)
    assert fop.frames_to_send() == []
    assert fop.notifications() == [Notification(Notice.REJECT, rejected)]
    fop.clcw(report(FIRST + 1))
    assert fop.frames_to_send() == [TcFrame(SCID, VCID, FIRST + 3 - 256, b"waits")]
    assert fop.notifications()[1:] == [Notification(Notice.ACCEPT, waiting)]
    assert (fop.nn_r, fop.v_s) == (FIRST + 1, (FIRST + 4) % 256)


def test_frames_are_sent_again_in_order_when_the_timer_expires_and_not_before():
    fop = a_fop()
    fop.request(directive(Order.INITIATE_WITHOUT_CLCW))
    sent = []
    for now_s in (100.0, 100.5, 101.0):
        fop.tick(now_s)
        fop.request(transfer(b"at %f" % now_s))
        sent += fop.frames_to_send()
    fop.tick(102.875)
    assert fop.frames_to_send() == []
    fop.tick(103.0)
    assert fop.frames_to_send() == sent
    fop.clcw(report(1))
    fop.tick(104.875)
    assert fop.frames_to_send() == []
    fop.tick(105.0)
    assert fop.frames_to_send() == sent[1:]
    fop.clcw(report(3))
    fop.tick(1000.0)
    assert fop.frames_to_send() == []
    assert fop.state is FopState.ACTIVE


def test_only_what_was_sent_can_be_acknowledged():
    valid = []
    for n_r in range(256):
        fop = active(2)
        fop.clcw(report(n_r))
        if [n.alert for n in fop.notifications() if n.alert] != [Alert.NN_R]:
            valid.append(n_r)
    assert valid == [0, 254, 255]


@pytest.mark.parametrize("state", range(1, 6))
def test_nothing_is_timed_once_everything_is_acknowledged(state):
    fop = in_state(state)
    fop.clcw(report(fop.v_s))
    fop.tick(1e9)
    assert (fop.state, fop.frames_to_send()) == (FopState.ACTIVE, [])


def test_a_frame_is_sent_as_often_as_the_limit_allows():
    fop = active(1, transmission_limit=4)
    times = 0
    for expiry in range(1, 10):
        fop.tick(expiry * T1_S)
        times += len(fop.frames_to_send())
    assert times == 3
    assert [n.alert for n in fop.notifications() if n.alert] == [Alert.T1]


def test_progress_starts_the_count_anew():
    fop = active(2, transmission_limit=2)
    fop.tick(T1_S)
    fop.clcw(report(FIRST + 1))
    fop.tick(2 * T1_S)
    assert fop.state is FopState.ACTIVE
    fop.tick(3 * T1_S)
    assert fop.state is FopState.INITIAL


def test_the_first_frame_is_not_charged_with_the_control_commands_repetitions():
    fop = initialising(Order.INITIATE_WITH_SET_V_R)
    for expiry in (1, 2):
        fop.tick(expiry * T1_S)
        assert len(fop.frames_to_send()) == 1
    fop.clcw(report(FIRST))
    fop.request(transfer())
    assert len(fop.frames_to_send()) == 1
    fop.tick(3 * T1_S)
    assert len(fop.frames_to_send()) == 1


def test_a_frame_that_was_not_taken_is_not_sent_twice():
    fop = active(2)
    fop.request(transfer(b"not taken"))
    fop.clcw(report(FIRST, retransmit=True))
    assert [frame.sequence_number for frame in fop.frames_to_send()] == [254, 255, 0]


def test_an_alert_answers_every_request_that_is_open():
    fop = a_fop(window=1)
    fop.request(directive(Order.INITIATE_WITHOUT_CLCW))
    sent, waiting = transfer(), transfer()
    fop.request(sent)
    fop.request(waiting)
    fop.notifications()
    fop.clcw(report(0, lockout=True))
    assert fop.notifications() == [
        Notification(Notice.NEGATIVE_CONFIRM, sent),
        Notification(Notice.REJECT, waiting),
        Notification(Notice.ALERT, None, Alert.LOCKOUT),
    ]
    assert fop.frames_to_send() == []
    fop.tick(1e9)
    assert fop.notifications() == []


@pytest.mark.parametrize(
    ("order", "word", "answer"),
    [
        (Order.INITIATE_WITH_CLCW, report(FIRST), Notice.POSITIVE_CONFIRM),
        (Order.INITIATE_WITH_UNLOCK, report(FIRST), Notice.POSITIVE_CONFIRM),
        (Order.INITIATE_WITH_SET_V_R, report(FIRST), Notice.POSITIVE_CONFIRM),
        (Order.INITIATE_WITH_CLCW, report(FIRST - 1), Notice.NEGATIVE_CONFIRM),
        (Order.INITIATE_WITH_SET_V_R, report(FIRST, wait=True), Notice.NEGATIVE_CONFIRM),
    ],
)
def test_a_clcw_confirms_the_directive_that_initiates(order, word, answer):
    fop = a_fop()
    fop.request(directive(Order.SET_V_S, FIRST))
    fop.notifications()
    request = directive(order, FIRST)
    fop.request(request)
    assert fop.notifications() == [Notification(Notice.ACCEPT, request)]
    fop.clcw(word)
    assert Notification(answer, request) in fop.notifications()
    fop.request(directive(Order.TERMINATE))
    assert request not in [n.request for n in fop.notifications()]


def test_control_commands_are_those_of_the_standard():
    assert initialising(Order.INITIATE_WITH_UNLOCK, pull=False).frames_to_send() == [
        TcFrame(SCID, VCID, 0, b"\x00", bypass=True, control_command=True)
    ]
    set_v_r = initialising(Order.INITIATE_WITH_SET_V_R, pull=False)
    assert set_v_r.frames_to_send() == [TcFrame(SCID, VCID, 0, b"\x82\x00\xfe", bypass=True, control_command=True)]
    assert (set_v_r.v_s, set_v_r.nn_r) == (254, 254)


def test_expedited_data_pass_by_everything():
    fop = active(2, window=2)
    fop.request(transfer(b"now", expedited=True))
    assert fop.frames_to_send() == [TcFrame(SCID, VCID, 0, b"now", bypass=True)]
    assert fop.v_s == (FIRST + 2) % 256


def test_a_suspended_service_goes_on_where_it_stopped():
    fop = active(2, transmission_limit=1, timeout_type=1)
    fop.tick(T1_S)
    assert (fop.state, fop.suspend_state) == (FopState.INITIAL, FopState.ACTIVE)
    assert [n.notice for n in fop.notifications()] == [Notice.SUSPEND]
    fop.request(directive(Order.SET_V_S, 7))
    assert [n.notice for n in fop.notifications()] == [Notice.REJECT]
    fop.tick(100.0)
    fop.request(directive(Order.SET_TRANSMISSION_LIMIT, 2))
    fop.request(directive(Order.RESUME))
    fop.tick(100.0 + T1_S)
    assert [frame.sequence_number for frame in fop.frames_to_send()] == [254, 255]
    fop.clcw(report(FIRST + 2))
    assert [n.notice for n in fop.notifications()].count(Notice.POSITIVE_CONFIRM) == 4


@pytest.mark.parametrize("state", range(1, 7))
def test_directives_set_what_they_name_in_every_state(state):
    fop = in_state(state)
    for order, value in (
        (Order.SET_WINDOW, 6),
        (Order.SET_T1, 0.25),
        (Order.SET_TRANSMISSION_LIMIT, 7),
        (Order.SET_TIMEOUT_TYPE, 1),
    ):
        fop.request(directive(order, value))
    assert (fop.window, fop.t1_s, fop.transmission_limit, fop.timeout_type) == (6, 0.25, 7, 1)


@pytest.mark.parametrize("state", range(1, 5))
def test_the_timer_runs_again_after_a_resumption(state):
    fop = in_state(state)
    fop.transmission_count = fop.transmission_limit
    fop.timeout_type = 1
    fop.tick(T1_S)
    assert (fop.state, fop.suspend_state) == (FopState.INITIAL, state)
    fop.timeout_type = 0
    fop.tick(10.0)
    fop.request(directive(Order.RESUME))
    assert (fop.state.value, fop.suspend_state) == (state, None)
    fop.tick(10.0 + T1_S)
    assert [n.alert for n in fop.notifications() if n.alert] == [Alert.T1]


@pytest.mark.parametrize(
    "order",
    [Order.INITIATE_WITHOUT_CLCW, Order.INITIATE_WITH_CLCW, Order.INITIATE_WITH_UNLOCK, Order.INITIATE_WITH_SET_V_R],
)
def test_a_service_that_is_initiated_anew_is_not_resumed(order):
    fop = active(2, transmission_limit=1, timeout_type=1)
    fop.tick(T1_S)
    fop.notifications()
    fop.request(directive(order, 9))
    assert [n.notice for n in fop.notifications()].count(Notice.NEGATIVE_CONFIRM) == 2
    assert (fop.suspend_state, fop.nn_r) == (None, fop.v_s)


WRONG = [
    (Order.SET_V_S, (-1, 256, 0.5)),
    (Order.INITIATE_WITH_SET_V_R, (-1, 256, 0.5)),
    (Order.SET_WINDOW, (0, 256, 1.5)),
    (Order.SET_T1, (0, -1)),
    (Order.SET_TRANSMISSION_LIMIT, (0, 1.5)),
    (Order.SET_TIMEOUT_TYPE, (-1, 2, 0.5)),
]


@pytest.mark.parametrize(
    ("order", "value"), [(order, value) for order, values in WRONG for value in (*values, math.nan, math.inf)]
)
def test_a_qualifier_out_of_range_is_rejected(order, value):
    fop = a_fop()
    request = directive(order, value)
    fop.request(request)
    assert fop.notifications() == [Notification(Notice.REJECT, request)]
    assert (fop.state, fop.v_s, fop.window, fop.t1_s, fop.transmission_limit) == (FopState.INITIAL, 0, 10, T1_S, 3)


@pytest.mark.parametrize(
    ("parameter", "value", "expected"),
    [
        ("window", 0, "set FOP sliding window, to 1 to 255 frames, found 0"),
        ("t1_s", -1.0, "set T1 initial, to more than 0 s, found -1.0"),
        ("transmission_limit", 0, "set transmission limit, to 1 or more, found 0"),
        ("timeout_type", 2, r"set timeout type, to 0 \(alert\) or 1 \(suspend\), found 2"),
    ],
)
def test_a_parameter_out_of_range_is_refused(parameter, value, expected):
    with pytest.raises(ConfigError, match=expected):
        a_fop(**{parameter: value})


@pytest.mark.parametrize("data", [b"", bytes(1018)])
def test_data_that_no_frame_can_carry_are_refused_before_they_are_numbered(data):
    fop = active()
    with pytest.raises(FrameError):
        fop.request(transfer(data))
    assert fop.v_s == (FIRST + 2) % 256


@pytest.mark.parametrize(
    "word",
    [
        clcw.pack(Clcw(VCID + 1, 99, lockout=True)),
        clcw.pack(Clcw(VCID, 99, lockout=True, cop_in_effect=2)),
        b"\x80\x00\x00\x00",
    ],
)
def test_reports_of_others_are_passed_over(word):
    fop = active()
    fop.clcw(word)
    assert (fop.state, fop.notifications()) == (FopState.ACTIVE, [])


@given(st.integers(1, 6), st.lists(st.binary(max_size=5) | st.binary(min_size=4, max_size=4), max_size=20))
def test_no_octets_in_place_of_a_clcw_raise(state, words):
    fop = in_state(state)
    for word in words:
        fop.clcw(word)
    assert 0 <= (fop.v_s - fop.nn_r) % 256 <= 2
