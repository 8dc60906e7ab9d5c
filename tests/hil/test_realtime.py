"""Periods by a clock of the test's own, latencies against numpy and closed forms, and a thread left as it was found."""

import errno
import gc
import math
import os
import resource
import threading
import weakref
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from flightsw.errors import ConfigError, DeviceTimeout
from hil import realtime
from hil.realtime import Latency, Pacer, Policy, RealTimeModel, real_time
from hil.report import style
from hil.report.latency import histogram, latency_table

MS, US = 1_000_000, 1000


class Clock:
    """Stands still but for sleep, which may oversleep, and for what the test adds."""

    def __init__(self, now=0, oversleep=0):
        self.now, self.oversleep, self.slept = now, oversleep, []

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += round(seconds * 1e9) + self.oversleep


def paced(clock, rate_hz=1000, policy=Policy.SLIP, tolerance_us=100.0, spin_us=0.0):
    settings = RealTimeModel(policy=policy, tolerance_us=tolerance_us, spin_us=spin_us)
    return Pacer(rate_hz, settings, clock, clock.sleep)


def test_periods_begin_at_absolute_deadlines_however_long_each_works():
    clock = Clock(now=5 * MS)
    pacer = paced(clock)
    begun = []
    for work in (0, 300 * US, 999 * US, 1 * MS):
        assert pacer.wait() == (len(begun), 0, False, 0)
        begun.append(clock.now)
        clock.now += work
    assert begun == [5 * MS, 6 * MS, 7 * MS, 8 * MS]
    assert pacer.wait() == (4, 0, False, 0) and clock.now == 9 * MS
    assert pacer.on_time_share == 1.0 and pacer.lateness.max_ns == 0
    assert pacer.work.count == 4 and pacer.work.max_ns == 1 * MS


def test_a_period_of_no_whole_nanoseconds_does_not_drift():
    clock = Clock()
    pacer = paced(clock, rate_hz=3)
    begun = [clock.now for _ in range(3001) if pacer.wait()]
    assert begun[:4] == [0, 333_333_333, 666_666_666, 1_000_000_000]
    assert begun[-1] == 1000 * 1_000_000_000


def test_slip_moves_the_schedule_by_what_was_late():
    clock = Clock()
    pacer = paced(clock)
    pacer.wait()
    clock.now = 2_500 * US
    assert pacer.wait() == (1, 1_500 * US, True, 0)
    assert pacer.wait() == (2, 0, False, 0) and clock.now == 3_500 * US
    assert pacer.wait() == (3, 0, False, 0) and clock.now == 4_500 * US
    assert (pacer.slipped_ns, pacer.skipped, pacer.lateness.late) == (1_500 * US, 0, 1)
    assert pacer.on_time_share == 0.75


@pytest.mark.parametrize(
    ("now", "number"),
    [(1_999_999, 1), (2_000_000, 2), (2_500_000, 2), (2_999_999, 2), (3_000_000, 3), (10_000_001, 10)],
)
def test_skip_leaves_out_the_periods_that_are_over_and_counts_them(now, number):
    clock = Clock()
    pacer = paced(clock, policy=Policy.SKIP)
    pacer.wait()
    clock.now = now
    assert pacer.wait() == (number, now - 1 * MS, True, number - 1)
    assert pacer.wait() == (number + 1, 0, False, 0) and clock.now == (number + 1) * MS
    assert (pacer.slipped_ns, pacer.skipped, pacer.lateness.late) == (0, number - 1, 1)
    assert pacer.on_time_share == pytest.approx(2 / (number + 2))
    # a period that was left out did not run: it has no entry of its own
    assert pacer.lateness.count == 3


def test_skip_at_a_rate_of_no_whole_nanoseconds():
    clock = Clock()
    pacer = paced(clock, rate_hz=3000, policy=Policy.SKIP)
    pacer.wait()
    clock.now = 666_665
    assert pacer.wait().number == 1
    clock.now = 1_333_333
    assert pacer.wait() == (4, 1_333_333 - 666_666, True, 2)


def test_abort_says_which_period_how_late_and_what_to_do():
    clock = Clock()
    pacer = paced(clock, policy=Policy.ABORT)
    pacer.wait()
    pacer.wait()
    clock.now = 3_500 * US
    with pytest.raises(DeviceTimeout) as caught:
        pacer.wait()
    line = str(caught.value)
    assert "period 2 at 1000 Hz" in line and "within 100 us" in line and "1500 us late" in line
    assert "beamlock doctor" in line and "\n" not in line
    assert pacer.lateness.late == 1


@pytest.mark.parametrize("policy", Policy)
def test_within_the_tolerance_the_loop_catches_up_by_itself(policy):
    clock = Clock(oversleep=100 * US)
    pacer = paced(clock, policy=policy)
    pacer.wait()
    assert [pacer.wait().lateness_ns for _ in range(3)] == [100 * US] * 3
    assert clock.now == 3_100 * US
    assert (pacer.lateness.late, pacer.slipped_ns, pacer.skipped) == (0, 0, 0)


def test_a_backlog_that_is_tolerated_is_worked_off():
    clock = Clock()
    pacer = paced(clock, policy=Policy.SKIP, tolerance_us=10_000)
    pacer.wait()
    clock.now = 3_200 * US
    assert [pacer.wait()[:2] for _ in range(4)] == [(1, 2_200 * US), (2, 1_200 * US), (3, 200 * US), (4, 0)]


def test_the_end_of_a_wait_is_spent_awake():
    class Ticking(Clock):
        def __call__(self):
            self.now += 10 * US
            return self.now

    clock = Ticking()
    pacer = paced(clock, spin_us=50.0)
    pacer.wait()
    first = clock.now - 10 * US
    period = pacer.wait()
    # asked at 20 us after the first period began: 1000 - 50 - 20 us of sleep, then spins of 10 us to the deadline
    assert clock.slept == [pytest.approx(930e-6)]
    assert clock.now == first + 1 * MS and period.lateness_ns == 0


def test_what_remains_of_a_period():
    clock = Clock()
    pacer = paced(clock)
    assert pacer.remaining_s() == 0.0
    pacer.wait()
    clock.now += 400 * US
    assert pacer.remaining_s() == pytest.approx(600e-6)
    clock.now += 1 * MS
    assert pacer.remaining_s() == pytest.approx(-400e-6)


class Node:
    pass


def garbage():
    """More than the collector's threshold, in a ring, and a way to see it go."""
    nodes = [Node() for _ in range(2000)]
    for node, after in zip(nodes, nodes[1:] + nodes[:1], strict=True):
        node.after = after
    return weakref.ref(nodes[0])


@pytest.mark.parametrize(("slack_us", "gone"), [(900, True), (100, False)])
def test_garbage_is_collected_in_the_slack_alone(slack_us, gone):
    clock = Clock()
    pacer = paced(clock)
    with real_time(RealTimeModel()):
        pacer.wait()
        seen = garbage()
        clock.now += 1 * MS - slack_us * US
        pacer.wait()
        assert (seen() is None) == gone


def test_the_real_clock_is_never_early():
    pacer = Pacer(2000, RealTimeModel())
    periods = [pacer.wait() for _ in range(20)]
    assert [period.number for period in periods] == list(range(20))
    assert all(period.lateness_ns >= 0 for period in periods)


# Latencies


@given(st.integers(0, 2**40 - 1))
def test_a_time_falls_into_the_bin_that_holds_it(ns):
    latency = Latency()
    latency.record(ns)
    lower, upper, counts = latency.bins()
    place = int(counts.argmax())
    assert counts.sum() == 1 and lower[place] <= ns <= upper[place]
    assert upper[place] - lower[place] < max(1, ns / 32)


def test_bins_leave_no_gap():
    lower, upper, _ = Latency().bins()
    assert lower[0] == 0 and upper[-1] == 2**40 - 1
    assert (lower[1:] == upper[:-1] + 1).all()


def test_times_out_of_range_are_counted_at_the_ends():
    latency = Latency()
    latency.record(-5)
    latency.record(2**50)
    counts = latency.bins()[2]
    assert counts[0] == counts[-1] == 1 and latency.max_ns == 2**50
    assert latency.percentile(50) == 0


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "draw",
    [
        lambda rng, n: rng.lognormal(11.0, 1.5, n),
        lambda rng, n: rng.uniform(0, 1e6, n),
        lambda rng, n: rng.uniform(0, 40, n),
        lambda rng, n: np.where(rng.random(n) < 0.98, rng.normal(2e4, 1e3, n), rng.normal(3e6, 1e5, n)),
    ],
)
def test_percentiles_are_numpy_s_to_the_width_of_a_bin(draw, seed):
    # a prime number, so that no rank is a tie
    values = draw(np.random.default_rng(seed), 10_007).astype(np.int64)
    latency = Latency()
    for value in values:
        latency.record(int(value))
    for percent in (0.0, 1.0, 50.0, 90.0, 99.0, 99.9, 100.0):
        exact = np.percentile(values, percent, method="inverted_cdf")
        assert exact <= latency.percentile(percent) <= exact * (1 + 1 / 32)
    assert latency.percentile(100) == latency.max_ns == values.max()


def test_percentiles_of_an_exponential_distribution():
    mean_ns, count = 1e5, 20_001
    latency = Latency(tolerance_us=460.517)
    for k in range(count):
        latency.record(round(-mean_ns * math.log(1 - (k + 0.5) / count)))
    for percent in (50, 99, 99.9):
        assert latency.percentile(percent) == pytest.approx(-mean_ns * math.log(1 - percent / 100), rel=1 / 32)
    # 460.517 us is its 99th percentile
    assert latency.late == pytest.approx(0.01 * count, abs=1)


def test_a_constant_is_told_exactly_and_nothing_as_zero():
    latency = Latency(tolerance_us=12.345)
    assert latency.rows() == [("count", 0), ("late", 0), ("p50_us", 0), ("p99_us", 0), ("p99.9_us", 0), ("max_us", 0)]
    for _ in range(7):
        latency.record(12_345)
    assert dict(latency.rows()) == {
        "count": 7,
        "late": 0,
        "p50_us": 12.345,
        "p99_us": 12.345,
        "p99.9_us": 12.345,
        "max_us": 12.345,
    }
    latency.record(12_346)
    assert latency.late == 1 and latency.tolerance_us == 12.345


def test_merging_is_counting_in_one():
    values = np.random.default_rng(1).lognormal(10, 2, 3000).astype(int)
    parts, whole = [Latency(50), Latency(50)], Latency(50)
    for k, value in enumerate(values):
        parts[k % 2].record(int(value))
        whole.record(int(value))
    parts[0].merge(parts[1])
    assert parts[0].rows() == whole.rows()
    assert (parts[0].bins()[2] == whole.bins()[2]).all()


def test_the_report_shows_latencies():
    latency = Latency(tolerance_us=200)
    for k in range(1000):
        latency.record(20_000 + 100 * k)
    latency.record(1_500_000)
    with style.applied():
        figure = histogram({"loop": latency, "mirror <a>": Latency()})
        svg = style.to_svg(figure, "latency", "latencies")
    assert ">loop<" in svg and "mirror" not in svg
    share = figure.axes[0].patches[0].get_data().values
    assert share.sum() == pytest.approx(1.0)
    text = latency_table({"mirror <a>": latency})
    assert "mirror &lt;a&gt;" in text and "<td>1001</td><td>1</td>" in text and "<td>1500.0</td>" in text
    assert isinstance(histogram({"loop": Latency()}), str)


def test_the_report_shows_a_single_time_of_nothing():
    latency = Latency()
    latency.record(0)
    assert style.to_svg(histogram({"loop": latency}), "latency", "latencies").startswith("<svg")


# The process


@pytest.mark.parametrize(
    "settings", [{"cpus": (-1,)}, {"priority": 0}, {"priority": 100}, {"policy": "hope"}, {"tolerance_us": 0}, {"x": 1}]
)
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(ValidationError):
        RealTimeModel.model_validate(settings)


def state():
    slack = Path(f"/proc/{threading.get_native_id()}/timerslack_ns")
    return (
        os.sched_getscheduler(0),
        os.sched_getparam(0).sched_priority,
        os.sched_getaffinity(0),
        slack.read_text() if slack.exists() else None,
        gc.isenabled(),
    )


def test_everything_is_as_before_after_an_error_too():
    before = state()
    cpu = min(os.sched_getaffinity(0))
    settings = RealTimeModel(cpus=(cpu,), priority=1)
    with pytest.raises(ZeroDivisionError), real_time(settings) as notes:
        assert os.sched_getaffinity(0) == {cpu}
        assert not gc.isenabled() and gc.get_freeze_count() > 0
        # whether it may is the machine's business; it says so
        assert (os.sched_getscheduler(0) == os.SCHED_FIFO) == (notes == [])
        raise ZeroDivisionError
    assert state() == before and gc.get_freeze_count() == 0


class Kernel:
    """Takes the place of the system calls, and refuses what it is told to."""

    def __init__(self, monkeypatch, refused=(), memlock=resource.RLIM_INFINITY, user=1000):
        self.calls, self.refused = [], refused
        monkeypatch.setattr(os, "sched_getscheduler", lambda pid: os.SCHED_BATCH)
        monkeypatch.setattr(os, "sched_getparam", lambda pid: os.sched_param(0))
        monkeypatch.setattr(os, "sched_setscheduler", lambda pid, p, x: self.call("scheduler", p, x.sched_priority))
        monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1, 2})
        monkeypatch.setattr(os, "sched_setaffinity", lambda pid, cpus: self.call("cpus", *cpus))
        monkeypatch.setattr(os, "geteuid", lambda: user)
        monkeypatch.setattr(resource, "getrlimit", lambda which: (memlock, memlock))
        monkeypatch.setattr(realtime, "_call", self.call)

    def call(self, name, *arguments):
        if name in self.refused:
            raise PermissionError(errno.EPERM, "Operation not permitted")
        if arguments[:1] == (30,):
            return 50_000
        self.calls.append((name, *arguments))
        return 0


ALL = RealTimeModel(priority=50, lock_memory=True, cpus=(2,))
SLACK = ("prctl", 29, 1)


def test_all_that_is_asked_for_is_asked_of_the_kernel_and_given_back_in_reverse(monkeypatch):
    kernel = Kernel(monkeypatch)
    with real_time(ALL) as notes:
        assert notes == []
        assert kernel.calls == [SLACK, ("cpus", 2), ("mlockall", 3), ("scheduler", os.SCHED_FIFO, 50)]
        kernel.calls.clear()
    assert kernel.calls == [
        ("scheduler", os.SCHED_BATCH, 0),
        ("munlockall",),
        ("cpus", 0, 1, 2),
        ("prctl", 29, 50_000),
    ]


def test_nothing_else_is_asked_for(monkeypatch):
    kernel = Kernel(monkeypatch)
    with real_time(RealTimeModel()):
        assert kernel.calls == [SLACK]


def test_what_cannot_be_had_is_noted_and_the_rest_is_had(monkeypatch):
    kernel = Kernel(monkeypatch, refused=("scheduler",), memlock=8 << 20)
    with real_time(ALL) as notes:
        assert kernel.calls == [SLACK, ("cpus", 2)]
    memory, priority = notes
    assert "lock_memory" in memory and "a limit of 8192 KiB" in memory and "beamlock doctor" in memory
    assert "priority 50" in priority and "Operation not permitted" in priority


def test_the_superuser_s_memory_has_no_limit(monkeypatch):
    kernel = Kernel(monkeypatch, memlock=8 << 20, user=0)
    with real_time(ALL) as notes:
        assert notes == [] and ("mlockall", 3) in kernel.calls


def test_what_is_demanded_and_cannot_be_had_is_an_error_that_leaves_nothing_behind(monkeypatch):
    kernel = Kernel(monkeypatch, refused=("scheduler",))
    enabled = gc.isenabled()
    with (
        pytest.raises(ConfigError, match=r"expected priority 50 of SCHED_FIFO, found: Operation not permitted"),
        real_time(ALL.model_copy(update={"demand": True})),
    ):
        pytest.fail("was let run")
    assert kernel.calls[-3:] == [("munlockall",), ("cpus", 0, 1, 2), ("prctl", 29, 50_000)]
    assert gc.isenabled() == enabled


def test_a_cpu_that_is_not_there_is_noted():
    with real_time(RealTimeModel(cpus=(1023,))) as notes:
        assert len(notes) == 1 and "cpus [1023]" in notes[0]
