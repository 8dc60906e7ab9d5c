"""Wall time: periods that begin at absolute deadlines, a process that is let run, and how late it was all the same.

`Pacer` makes the periods, `real_time` asks the kernel for what makes them punctual, `Latency` counts how punctual they
were. Priority, CPUs and timer slack are the calling thread's, and what it starts inherits them: start emulators first.

Since Python 3.11 time.sleep is clock_nanosleep(2) with TIMER_ABSTIME, so nothing is won by calling that. What counts is
the timer slack of 50 us that Linux grants itself for ordinary threads, prctl(2), and a short spin after the sleep.
"""

import ctypes
import gc
import os
import resource
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from enum import StrEnum
from functools import partial
from typing import Annotated, Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from flightsw.errors import ConfigError, DeviceTimeout
from hil.configuration import Model

_S, _US = 1_000_000_000, 1000

#: From prctl(2) and mlockall(2).
_PR_SET_TIMERSLACK, _PR_GET_TIMERSLACK = 29, 30
_MCL_CURRENT, _MCL_FUTURE = 1, 2

#: Python's own threshold for a collection of the youngest generation, and time enough for one several times over.
_YOUNG, _COLLECTION_NS = 700, 200 * _US

_PER_OCTAVE_BITS = 5
_PER_OCTAVE = 1 << _PER_OCTAVE_BITS
#: Up to 2^40 ns, 18 minutes; what takes longer counts as that.
_BINS = (40 - _PER_OCTAVE_BITS + 1) * _PER_OCTAVE
_NEVER = 1 << 62


class Policy(StrEnum):
    """What becomes of the schedule when a period begins late."""

    SLIP = "slip"  #: it moves by what was late: every period runs, simulated time falls behind wall time
    SKIP = "skip"  #: it stands: periods that are over already are left out and counted
    ABORT = "abort"  #: it ends: DeviceTimeout


class RealTimeModel(Model):
    """How wall time is kept, and what the process asks of the kernel for it."""

    policy: Policy = Policy.SLIP
    tolerance_us: float = Field(200.0, gt=0, description="a period that begins so much after its time is not yet late")
    spin_us: float = Field(50.0, ge=0, le=1000, description="the end of each wait that is spent awake")
    priority: int | None = Field(None, ge=1, le=99, description="of SCHED_FIFO; none: the ordinary scheduler")
    lock_memory: bool = Field(False, description="keep every page in memory")
    cpus: tuple[Annotated[int, Field(ge=0, lt=1024)], ...] = Field((), description="those to run on; none: any")
    demand: bool = Field(False, description="refuse to run where any of this cannot be had")


class Latency:
    """A histogram of times in ns: 32 bins an octave, so what it tells is at most 1/32 above the truth."""

    __slots__ = ("_counts", "_tolerance", "count", "late", "max_ns")

    def __init__(self, tolerance_us: float | None = None) -> None:
        """`tolerance_us`: longer times count as late; none: no time does."""
        self._counts = [0] * _BINS
        self._tolerance = _NEVER if tolerance_us is None else round(tolerance_us * _US)
        self.count = self.late = self.max_ns = 0

    @property
    def tolerance_us(self) -> float | None:
        """Above this a time is late."""
        return None if self._tolerance == _NEVER else self._tolerance / _US

    def record(self, ns: int) -> None:
        """Count a time; a negative one as 0."""
        if ns < 0:
            ns = 0
        shift = ns.bit_length() - _PER_OCTAVE_BITS - 1
        # a list of ints takes a count in a third of the time that an array does
        place = ns if shift <= 0 else (shift << _PER_OCTAVE_BITS) + (ns >> shift)
        self._counts[place if place < _BINS else -1] += 1
        self.count += 1
        if ns > self.max_ns:
            self.max_ns = ns
        if ns > self._tolerance:
            self.late += 1

    def merge(self, other: Self) -> None:
        """Add what another histogram counted, its late ones by its own tolerance."""
        self._counts = [a + b for a, b in zip(self._counts, other._counts, strict=True)]
        self.count += other.count
        self.late += other.late
        self.max_ns = max(self.max_ns, other.max_ns)

    def percentile(self, percent: float) -> int:
        """The time in ns that `percent` of all do not exceed, to the upper edge of its bin; 0 if there are none."""
        if not self.count:
            return 0
        _, upper, counts = self.bins()
        rank = max(1.0, np.ceil(self.count * percent / 100.0))
        return min(int(upper[np.searchsorted(np.cumsum(counts), rank)]), self.max_ns)

    def bins(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Lowest and highest whole ns of each bin, and its count."""
        place = np.arange(_BINS)
        shift = np.maximum((place >> _PER_OCTAVE_BITS) - 1, 0)
        lower = (place - (shift << _PER_OCTAVE_BITS)) << shift
        return lower, lower + (1 << shift) - 1, np.array(self._counts, np.int64)

    def state(self) -> dict[str, Any]:
        """All of it, for JSON: figures, tolerance, and the bins that are not empty as [lowest ns, count]."""
        lower, _, counts = self.bins()
        held = np.flatnonzero(counts)
        return {
            **dict(self.rows()),
            "tolerance_us": self.tolerance_us,
            "max_ns": self.max_ns,
            "bins_ns": np.stack([lower[held], counts[held]], axis=1).tolist(),
        }

    @classmethod
    def of(cls, state: Mapping[str, Any]) -> Self:
        """The histogram that had this `state`."""
        latency = cls(state["tolerance_us"])
        lower, _, _ = latency.bins()
        for ns, count in state["bins_ns"]:
            latency._counts[int(np.searchsorted(lower, ns))] += count
        latency.count, latency.late, latency.max_ns = state["count"], state["late"], state["max_ns"]
        return latency

    def rows(self) -> list[tuple[str, float]]:
        """Name and value of each figure, as for a table or a summary."""
        percentiles = [(f"p{p:g}_us", self.percentile(p) / _US) for p in (50, 99, 99.9)]
        return [("count", self.count), ("late", self.late), *percentiles, ("max_us", self.max_ns / _US)]


class Period(NamedTuple):
    """A period that has just begun."""

    number: int  #: from 0 on, those left out included
    lateness_ns: int  #: since the time at which the period after the last one was due
    late: bool  #: by more than the tolerance
    skipped: int  #: periods left out just before it


class Pacer:
    """Begins periods at a fixed rate by the monotonic clock.

    `lateness` has when each period began, `work` how long it took until the next was waited for. What is late within
    the tolerance the loop catches up with by itself, whatever the policy.
    """

    def __init__(
        self,
        rate_hz: int,
        settings: RealTimeModel,
        clock: Callable[[], int] = time.monotonic_ns,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`clock` tells ns, `sleep` takes s; a test brings its own."""
        self.lateness = Latency(settings.tolerance_us)
        self.work = Latency()
        self.skipped = self.slipped_ns = 0
        self._rate_hz = rate_hz
        self._policy = settings.policy
        self._tolerance_us = settings.tolerance_us
        self._tolerance = round(settings.tolerance_us * _US)
        self._spin = round(settings.spin_us * _US)
        self._clock, self._sleep = clock, sleep
        self._number = -1
        self._origin = self._began = 0

    @property
    def on_time_share(self) -> float:
        """Share of the periods so far that began on time; those left out did not."""
        periods = self._number + 1
        return 1.0 - (self.lateness.late + self.skipped) / periods if periods else 1.0

    def latencies(self) -> dict[str, Latency]:
        """How late periods began and how long they worked, each with its name."""
        return {"loop, late": self.lateness, "loop, work": self.work}

    def summary(self) -> dict[str, Any]:
        """Figures of the periods so far."""
        return {
            "rate_hz": self._rate_hz,
            "policy": self._policy.value,
            "periods": self._number + 1,
            "late": self.lateness.late,
            "skipped": self.skipped,
            "slipped_s": self.slipped_ns / _S,
            "on_time_share": self.on_time_share,
        }

    def remaining_s(self) -> float:
        """Time until the next period is due; negative if it is overdue, 0 before the first."""
        return (self._deadline(self._number + 1) - self._clock()) / _S if self._number >= 0 else 0.0

    def wait(self) -> Period:
        """Wait for the next period; the first begins at once.

        Raises DeviceTimeout if it begins late and the policy is to abort.
        """
        now = self._clock()
        if self._number < 0:
            self._origin = now
        else:
            self.work.record(now - self._began)
        number, skipped = self._number + 1, 0
        deadline = self._deadline(number)
        now = self._wait_until(deadline, now)
        lateness = now - deadline
        self.lateness.record(lateness)
        late = lateness > self._tolerance
        if late:
            if self._policy == Policy.ABORT:
                raise self._missed(number, lateness)
            if self._policy == Policy.SLIP:
                self._origin += lateness
                self.slipped_ns += lateness
            else:
                skipped = self._last_due(now) - number
                self.skipped += skipped
        self._number, self._began = number + skipped, now
        return Period(number + skipped, lateness, late, skipped)

    def _deadline(self, number: int) -> int:
        # of the origin each time: adding up rounded periods would drift
        return self._origin + number * _S // self._rate_hz

    def _last_due(self, now: int) -> int:
        """The greatest number whose deadline is not after `now`."""
        return ((now - self._origin + 1) * self._rate_hz - 1) // _S

    def _wait_until(self, deadline: int, now: int) -> int:
        if deadline - now > _COLLECTION_NS and not gc.isenabled() and gc.get_count()[0] > _YOUNG:
            gc.collect(0)
            now = self._clock()
        asleep = deadline - self._spin - now
        if asleep > 0:
            self._sleep(asleep / _S)
        while (now := self._clock()) < deadline:
            pass
        return now

    def _missed(self, number: int, lateness: int) -> DeviceTimeout:
        return DeviceTimeout(
            f"real time: expected period {number} at {self._rate_hz} Hz to begin within {self._tolerance_us:g} us of "
            f"its time, found it {lateness / _US:.0f} us late: stop other programs (`beamlock doctor` shows what this "
            "machine can do), raise tolerance_us, or set policy to slip or skip"
        )


@contextmanager
def real_time(settings: RealTimeModel) -> Iterator[list[str]]:
    """Make this thread punctual while in this context, and everything as it was afterwards.

    Gives a line for each thing that was asked for and could not be had. Raises ConfigError for the first of them if the
    settings demand them all.
    """
    asked: list[tuple[str, Callable[[], Callable[[], object]]]] = [("timer slack of 1 ns", _without_timer_slack)]
    if settings.cpus:
        asked.append((f"cpus {list(settings.cpus)}", partial(_on_cpus, settings.cpus)))
    if settings.lock_memory:
        asked.append(("lock_memory", _with_locked_memory))
    if settings.priority is not None:
        asked.append((f"priority {settings.priority} of SCHED_FIFO", partial(_with_priority, settings.priority)))
    notes: list[str] = []
    with ExitStack() as stack:
        stack.callback(_without_collector())
        for what, ask in asked:
            try:
                stack.callback(ask())
            # other systems have no such calls
            except (OSError, AttributeError) as error:
                found = getattr(error, "strerror", None) or error
                note = f"real time: expected {what}, found: {found}: `beamlock doctor` says what to do"
                if settings.demand:
                    raise ConfigError(f"{note}; or set demand to false") from None
                notes.append(note)
        yield notes


def _without_collector() -> Callable[[], object]:
    """Leave what is there out of all collections, and collections to the slack of each period."""
    enabled = gc.isenabled()
    gc.collect()
    gc.freeze()
    gc.disable()

    def undo() -> None:
        gc.unfreeze()
        if enabled:
            gc.enable()

    return undo


def _without_timer_slack() -> Callable[[], object]:
    before = _call("prctl", _PR_GET_TIMERSLACK, 0)
    # 0 would mean the default
    _call("prctl", _PR_SET_TIMERSLACK, 1)
    return partial(_call, "prctl", _PR_SET_TIMERSLACK, before)


def _on_cpus(cpus: tuple[int, ...]) -> Callable[[], object]:
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cpus)
    return partial(os.sched_setaffinity, 0, before)


def _with_locked_memory() -> Callable[[], object]:
    limit, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    # below a limit the call may succeed, and the next allocation fail
    if limit != resource.RLIM_INFINITY and os.geteuid() != 0:
        raise OSError(0, f"a limit of {limit >> 10} KiB")
    _call("mlockall", _MCL_CURRENT | _MCL_FUTURE)
    return partial(_call, "munlockall")


def _with_priority(priority: int) -> Callable[[], object]:
    before = os.sched_getscheduler(0), os.sched_getparam(0)
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(priority))
    return partial(os.sched_setscheduler, 0, *before)


def _call(name: str, *arguments: int) -> int:
    """A function of the C library. Raises OSError, or AttributeError where there is none of this name."""
    function = getattr(ctypes.CDLL(None, use_errno=True), name)
    result: int = function(*map(ctypes.c_ulong, arguments))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
