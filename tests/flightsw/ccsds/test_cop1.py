"""COP-1: FOP-1 and FARM-1 at the two ends of a link that loses, delays and repeats what it carries, in both directions.

What is asserted is what COP-1 is for: the commands arrive in order, and once.
"""

import random
from collections import deque
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from flightsw.ccsds import clcw, tc_frame
from flightsw.ccsds.farm import Farm, FarmState
from flightsw.ccsds.fop import Alert, Directive, Fop, FopState, Notice, Order, Transfer
from flightsw.ccsds.tc_frame import TcFrame

SCID, VCID = 0x2A, 3
STEP_S = 0.1


@dataclass
class Line:
    """One direction: what is put in comes out in order some steps later, or not, or twice."""

    rng: random.Random
    delay: int
    loss: float
    repeat: float
    carried: deque[tuple[int, object]] = field(default_factory=deque)

    def put(self, step: int, item: object) -> None:
        if self.rng.random() >= self.loss:
            self.carried.append((step + self.delay, item))
            if self.rng.random() < self.repeat:
                self.carried.append((step + self.delay, item))

    def take(self, step: int) -> list[object]:
        taken = []
        while self.carried and self.carried[0][0] <= step:
            taken.append(self.carried.popleft()[1])
        return taken


@dataclass
class Link:
    """Both ends, and the operator at the sending one, who asks again for what was rejected and resumes at once."""

    fop: Fop
    farm: Farm
    up: Line
    down: Line
    sent: int = 0
    resumed: int = 0
    accepted: int = 0
    is_asked: bool = False
    arrived: list[bytes] = field(default_factory=list)
    confirmed: list[bytes] = field(default_factory=list)

    def run(self, commands: list[bytes], steps: int) -> None:
        for step in range(1, steps):
            self.fop.tick(step * STEP_S)
            self.ask(commands, step)
            for frame in self.up.take(step):
                data = self.farm.receive(frame)
                if data is not None:
                    self.arrived.append(data)
            self.down.put(step, clcw.pack(self.farm.clcw()))
            for word in self.down.take(step):
                self.fop.clcw(word)
            self.listen()
            if len(self.confirmed) == len(commands):
                return

    def ask(self, commands: list[bytes], step: int) -> None:
        accepted = -1
        while accepted < self.accepted:
            accepted = self.accepted
            if not self.is_asked and accepted < len(commands):
                self.is_asked = True
                self.fop.request(Transfer(accepted, commands[accepted]))
            for frame in self.fop.frames_to_send():
                self.sent += 1
                self.up.put(step, frame)
            self.listen()

    def listen(self) -> None:
        for notice, request, alert in self.fop.notifications():
            assert alert is None
            if notice is Notice.SUSPEND:
                self.resumed += 1
                self.fop.request(Directive(0, Order.SET_TRANSMISSION_LIMIT, self.fop.transmission_limit + 1))
                self.fop.request(Directive(0, Order.RESUME))
            elif isinstance(request, Transfer):
                if notice is Notice.POSITIVE_CONFIRM:
                    self.confirmed.append(request.data)
                else:
                    self.is_asked = False
                    self.accepted += notice is Notice.ACCEPT


def a_link(
    seed: int, loss: float, repeat: float = 0.1, delays: tuple[int, int] = (1, 1), first: int = 250, **parameters: float
) -> Link:
    rng = random.Random(seed)
    fop = Fop(SCID, VCID, **({"window": 10, "t1_s": 8 * STEP_S, "transmission_limit": 30} | parameters))
    farm = Farm(SCID, VCID, window=20)
    link = Link(fop, farm, Line(rng, delays[0], loss, repeat), Line(rng, delays[1], loss, repeat))
    fop.request(Directive(0, Order.INITIATE_WITH_SET_V_R, first))
    return link


def numbered(n: int) -> list[bytes]:
    return [b"command %d" % i for i in range(n)]


def test_ten_thousand_commands_arrive_in_order_and_once_through_thirty_percent_loss_both_ways():
    commands = numbered(10_000)
    link = a_link(seed=232, loss=0.3)
    link.run(commands, steps=60_000)
    assert link.arrived == commands
    assert link.confirmed == commands
    assert link.sent > 10_000 / 0.7


@pytest.mark.parametrize("seed", range(8))
def test_any_delay_and_repetition(seed):
    rng = random.Random(seed)
    commands = numbered(600)
    link = a_link(
        seed,
        loss=rng.uniform(0, 0.5),
        repeat=rng.uniform(0, 0.5),
        delays=(rng.randint(0, 9), rng.randint(0, 9)),
        first=rng.randrange(256),
        window=rng.randint(1, 10),
        transmission_limit=100,
    )
    link.run(commands, steps=60_000)
    assert link.arrived == link.confirmed == commands


def test_a_service_that_is_suspended_and_resumed_loses_and_repeats_nothing():
    commands = numbered(300)
    link = a_link(seed=1, loss=0.4, transmission_limit=2, timeout_type=1)
    link.fop.request(Directive(0, Order.TERMINATE))
    link.fop.frames_to_send()
    link.fop.notifications()
    link.fop.request(Directive(0, Order.INITIATE_WITHOUT_CLCW))
    link.farm.receive(TcFrame(SCID, VCID, 0, tc_frame.set_v_r(link.fop.v_s), bypass=True, control_command=True))
    link.run(commands, steps=60_000)
    assert link.arrived == link.confirmed == commands
    assert link.resumed > 1


def test_without_loss_every_frame_is_sent_once():
    link = a_link(seed=1, loss=0.0, repeat=0.0)
    link.run(numbered(1000), steps=10_000)
    assert link.sent == 1 + 1000


def test_one_lost_frame_costs_that_frame_and_those_behind_it():
    fop, farm = Fop(SCID, VCID), Farm(SCID, VCID)
    fop.request(Directive(0, Order.INITIATE_WITHOUT_CLCW))
    frames = []
    for i in range(6):
        fop.request(Transfer(i, b"%d" % i))
        frames += fop.frames_to_send()
    assert [farm.receive(frame) for frame in frames if frame.sequence_number != 2] == [b"0", b"1", None, None, None]
    fop.clcw(clcw.pack(farm.clcw()))
    again = fop.frames_to_send()
    assert again == frames[2:]
    assert [farm.receive(frame) for frame in again] == [b"2", b"3", b"4", b"5"]
    fop.clcw(clcw.pack(farm.clcw()))
    assert (fop.state, fop.nn_r) == (FopState.ACTIVE, 6)


def test_the_link_as_octets():
    fop, farm = Fop(SCID, VCID), Farm(SCID, VCID)
    fop.request(Directive(0, Order.INITIATE_WITH_SET_V_R, 200))
    fop.request(Transfer(1, b"expedited", expedited=True))
    received = []
    for i in range(100):
        fop.request(Transfer(i, b"%d" % i))
        octets = b"".join(tc_frame.build(frame) for frame in fop.frames_to_send())
        received += [farm.receive(frame) for frame in tc_frame.split(octets)]
        fop.clcw(clcw.pack(farm.clcw()))
    # The first is asked for before the service is initiated.
    assert received == [None, b"expedited"] + [b"%d" % i for i in range(1, 100)]
    assert (farm.v_r, farm.farm_b_counter) == ((200 + 99) % 256, 2)


def test_a_lockout_is_ended_by_unlock():
    fop, farm = Fop(SCID, VCID), Farm(SCID, VCID)
    fop.request(Directive(0, Order.INITIATE_WITHOUT_CLCW))
    farm.receive(TcFrame(SCID, VCID, 100, b"of somebody else"))
    fop.request(Transfer(0, b"lost"))
    assert [farm.receive(frame) for frame in fop.frames_to_send()] == [None]
    fop.clcw(clcw.pack(farm.clcw()))
    assert [n.alert for n in fop.notifications() if n.alert] == [Alert.LOCKOUT]

    fop.request(Directive(1, Order.INITIATE_WITH_SET_V_R, 0))
    for frame in fop.frames_to_send():
        farm.receive(frame)
    assert farm.state is FarmState.LOCKOUT
    fop.request(Directive(2, Order.TERMINATE))

    fop.request(Directive(3, Order.SET_V_S, farm.clcw().report_value))
    fop.request(Directive(4, Order.INITIATE_WITH_UNLOCK))
    for frame in fop.frames_to_send():
        farm.receive(frame)
    fop.clcw(clcw.pack(farm.clcw()))
    fop.request(Transfer(5, b"arrives"))
    assert [farm.receive(frame) for frame in fop.frames_to_send()] == [b"arrives"]


def test_a_receiver_without_a_buffer_is_waited_for():
    fop, farm = Fop(SCID, VCID), Farm(SCID, VCID)
    fop.request(Directive(0, Order.INITIATE_WITHOUT_CLCW))
    farm.buffer_full()
    for i in range(3):
        fop.request(Transfer(i, b"%d" % i))
        assert [farm.receive(frame) for frame in fop.frames_to_send()] == [None]
    fop.clcw(clcw.pack(farm.clcw()))
    assert fop.state is FopState.RETRANSMIT_WITH_WAIT
    fop.request(Transfer(3, b"3"))
    fop.tick(5.0)
    assert fop.frames_to_send() == []
    farm.buffer_released()
    fop.clcw(clcw.pack(farm.clcw()))
    assert [farm.receive(frame) for frame in fop.frames_to_send()] == [b"0", b"1", b"2", b"3"]


any_frame = st.builds(
    TcFrame,
    spacecraft_id=st.just(SCID),
    virtual_channel=st.just(VCID) | st.integers(0, 63),
    sequence_number=st.integers(0, 255) | st.integers(0, 12),
    data=st.sampled_from([tc_frame.UNLOCK, tc_frame.set_v_r(3)]) | st.binary(min_size=1, max_size=4),
    bypass=st.booleans(),
    control_command=st.booleans(),
)


@given(st.integers(1, 127), st.lists(any_frame | st.booleans(), max_size=60))
def test_whatever_arrives_only_the_expected_frame_is_accepted(half, arrivals):
    farm = Farm(SCID, VCID, 2 * half)
    is_buffer = True
    for arrival in arrivals:
        if isinstance(arrival, bool):
            is_buffer = arrival
            (farm.buffer_released if arrival else farm.buffer_full)()
            continue
        state, expected = farm.state, farm.v_r
        data = farm.receive(arrival)
        if data is not None and not arrival.bypass:
            assert (state, arrival.sequence_number, is_buffer) == (FarmState.OPEN, expected, True)
            assert farm.v_r == (expected + 1) % 256
        elif not arrival.control_command:
            assert farm.v_r == expected
        assert arrival.virtual_channel == VCID or data is None
        assert farm.lockout == (farm.state is FarmState.LOCKOUT)
        assert farm.wait or farm.state is not FarmState.WAIT


class BothEnds(RuleBasedStateMachine):
    """Any order of requests, expiries, losses, delays, repetitions, full buffers, refusals and directives."""

    @initialize(window=st.integers(1, 5), limit=st.integers(1, 4), kind=st.integers(0, 1), first=st.integers(0, 255))
    def start(self, window: int, limit: int, kind: int, first: int) -> None:
        self.fop = Fop(SCID, VCID, window, 1.0, limit, kind)
        self.farm = Farm(SCID, VCID, 2 * window)
        self.farm.receive(TcFrame(SCID, VCID, 0, tc_frame.set_v_r(first), bypass=True, control_command=True))
        self.up: deque[TcFrame] = deque()
        self.down: deque[bytes] = deque()
        self.now_s = 0.0
        self.asked = 0
        self.rejected: set[int] = set()
        self.confirmed: list[int] = []
        self.arrived: list[int] = []

    def listen(self) -> None:
        for notice, request, _ in self.fop.notifications():
            if isinstance(request, Transfer):
                if notice is Notice.POSITIVE_CONFIRM:
                    self.confirmed.append(request.identifier)
                elif notice is Notice.REJECT:
                    self.rejected.add(request.identifier)

    @rule()
    def transfer(self) -> None:
        self.fop.request(Transfer(self.asked, b"%d" % self.asked))
        self.asked += 1

    @rule(part=st.sampled_from([0.3, 1.0]))
    def time_passes(self, part: float) -> None:
        self.now_s += part
        self.fop.tick(self.now_s)

    @rule()
    def send(self) -> None:
        self.up += self.fop.frames_to_send()

    @precondition(lambda self: self.up)
    @rule(fate=st.sampled_from(["arrives", "is lost", "arrives", "arrives twice"]))
    def frame(self, fate: str) -> None:
        frame = self.up[0] if fate == "arrives twice" else self.up.popleft()
        if fate != "is lost":
            data = self.farm.receive(frame)
            if data is not None:
                self.arrived.append(int(data))

    @rule()
    def report(self) -> None:
        self.down.append(clcw.pack(self.farm.clcw()))

    @precondition(lambda self: self.down)
    @rule(fate=st.sampled_from(["arrives", "is lost", "arrives", "arrives twice"]))
    def word(self, fate: str) -> None:
        word = self.down[0] if fate == "arrives twice" else self.down.popleft()
        if fate != "is lost":
            self.fop.clcw(word)

    @rule(is_full=st.booleans())
    def buffer(self, is_full: bool) -> None:
        (self.farm.buffer_full if is_full else self.farm.buffer_released)()

    @precondition(lambda self: self.up)
    @rule()
    def refuse(self) -> None:
        self.fop.refused(self.up.popleft())

    @rule(order=st.sampled_from([Order.TERMINATE, Order.RESUME]))
    def direct(self, order: Order) -> None:
        self.fop.request(Directive(0, order))

    @precondition(lambda self: self.fop.state is FopState.INITIAL and self.fop.suspend_state is None)
    @rule(
        order=st.sampled_from(
            [
                Order.INITIATE_WITHOUT_CLCW,
                Order.INITIATE_WITH_CLCW,
                Order.INITIATE_WITH_UNLOCK,
                Order.INITIATE_WITH_SET_V_R,
            ]
        )
    )
    def initiate(self, order: Order) -> None:
        """The operator lets what is on its way die away, and goes by the last report."""
        self.up.clear()
        self.down.clear()
        n_r = self.farm.clcw().report_value
        self.fop.request(Directive(0, Order.SET_V_S, n_r))
        self.fop.request(Directive(0, order, n_r))

    @invariant()
    def commands_arrive_in_order_and_once(self) -> None:
        self.listen()
        assert self.arrived == sorted(set(self.arrived))

    @invariant()
    def what_is_confirmed_has_arrived_and_what_is_rejected_has_not(self) -> None:
        assert self.confirmed == sorted(set(self.confirmed))
        assert set(self.confirmed) <= set(self.arrived)
        assert not self.rejected & set(self.arrived)

    @invariant()
    def no_frame_is_outside_the_window(self) -> None:
        assert (self.fop.v_s - self.fop.nn_r) % 256 <= self.fop.window
        assert self.farm.state is not FarmState.LOCKOUT


BothEnds.TestCase.settings = settings(max_examples=100, stateful_step_count=60, deadline=None)
TestBothEnds = BothEnds.TestCase
