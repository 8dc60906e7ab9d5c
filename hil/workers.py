"""Who does the runs of a campaign: processes of this machine, or a Dask cluster, by way of concurrent.futures."""

import asyncio
import logging
import os
import signal
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ProcessPoolExecutor,
    wait,
)
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import active_children, get_context, parent_process
from threading import Thread
from typing import Any, TypeVar

from flightsw.errors import ConfigError
from hil.linear_algebra import on_one_thread

Result = TypeVar("Result")
#: A scheduler that has not answered by then is not there.
ANSWER_S = 10


#: Tasks on their way for each worker, so that none waits for the parent.
_AHEAD = 2
#: Workers that may die one after the other with nothing done in between.
_DEATHS = 3


@dataclass(frozen=True, slots=True)
class Workers:
    """`start` gives an executor as long as its context lasts, and drops what is not finished at the end.

    count: how many work side by side; died: what a future raises when its worker is no more; see_folder: whether the
    files here are theirs too.
    """

    count: int
    start: Callable[[], AbstractContextManager[Executor]]
    died: tuple[type[BaseException], ...] = (BrokenExecutor,)
    see_folder: bool = True

    def results(
        self, task: Callable[..., Result], arguments: Iterable[tuple[Any, ...]]
    ) -> Generator[Result, None, None]:
        """Results of task(*arguments) as they come, in any order. What a worker that died had is done again.

        Raises what the task raises, and ConfigError for workers that cannot write, are gone, or die of the task.
        """
        waiting = deque(arguments)
        deaths = 0
        while waiting:
            pending: dict[Future[Result], tuple[Any, ...]] = {}
            try:
                with self.start() as executor:
                    while waiting or pending:
                        while waiting and len(pending) < _AHEAD * self.count:
                            pending[executor.submit(task, *waiting[0])] = waiting[0]
                            waiting.popleft()
                        for future in wait(pending, return_when=FIRST_COMPLETED).done:
                            result = future.result()
                            del pending[future]
                            deaths = 0
                            yield result
            except self.died:
                waiting.extendleft(pending.values())
                deaths += 1
                if deaths == _DEATHS:
                    raise ConfigError(
                        f"workers: expected to live, found {deaths} that died in a row, at {waiting[0]}; "
                        f"has the machine enough memory?"
                    ) from None
            except CancelledError:
                raise ConfigError(
                    "workers: expected them to the end, found them gone; what is done is kept, go on with --resume"
                ) from None


def processes(count: int) -> Workers:
    """Processes of this machine."""
    return Workers(count, partial(_pool, count))


def dask(address: str) -> Workers:
    """The workers of a Dask scheduler at `tcp://HOST:PORT`. They must have beamlock, of the same version.

    Raises ConfigError if the package is not there, or the scheduler does not answer within ten seconds.
    """
    try:
        from distributed import Client, KilledWorker
        from distributed.comm.core import connect
    except ImportError:
        raise ConfigError(
            "--dask: expected the package distributed, found none; pip install 'beamlock[dask]'"
        ) from None

    # what goes wrong is said here, and not by tracebacks of reconnections
    logging.getLogger("distributed").setLevel(logging.CRITICAL)

    async def answer() -> None:
        # a client would wait for ever for the greeting of whatever else listens there
        async with asyncio.timeout(ANSWER_S):
            comm = await connect(address, timeout=ANSWER_S)
        await comm.close()

    @contextmanager
    def connected() -> Iterator[Client]:
        try:
            asyncio.run(answer())
            client = Client(address, timeout=ANSWER_S, set_as_default=False)
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"--dask {address}: expected a Dask scheduler that answers within {ANSWER_S} s, found "
                f"{error if f'{error}' else 'no answer'}"
            ) from None
        with client:
            yield client

    @contextmanager
    def start() -> Iterator[Executor]:
        with connected() as client:
            yield client.get_executor()

    with connected() as client:
        count = sum(client.nthreads().values())
    if count == 0:
        raise ConfigError(f"--dask {address}: expected workers, found none; start some with `dask worker {address}`")
    return Workers(count, start, (KilledWorker,), see_folder=False)


@contextmanager
def _pool(count: int) -> Iterator[Executor]:
    others = set(active_children())
    pool = ProcessPoolExecutor(count, get_context("spawn"), _begin)
    try:
        yield pool
    finally:
        for process in set(active_children()) - others:
            process.terminate()
        pool.shutdown(cancel_futures=True)


def _begin() -> None:
    """What a worker process does first: load the kernels, leave Ctrl-C to the parent, and never outlive it."""
    on_one_thread()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_leave_with_the_parent, daemon=True).start()

    from hil.compilation import compile_kernels

    compile_kernels()


def _leave_with_the_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
