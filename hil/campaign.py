"""A campaign: many runs of a scenario, counted. What `beamlock campaign` does.

```
 Campaign --> batches --> workers --> parts --> campaign.parquet --> failed/
              (plan)     (workers,     +------- (store) ---------------+
                          batch)
```

The parent holds no rows: a batch comes back as the file that it is written to.
"""

import os
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from hil.acquisition import Runner
from hil.campaign_batch import run_batch
from hil.campaign_plan import Campaign
from hil.campaign_store import CampaignStore, alone, writing
from hil.failed_run import keep_failed_run
from hil.workers import Workers, processes


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a campaign is: runs done and acquired of how many; those done since `wall_s`, in s."""

    done: int
    acquired: int
    total: int
    done_now: int
    wall_s: float


def campaign(
    plan: Campaign,
    folder: Path,
    workers: Workers,
    resume: bool = False,
    progress: Callable[[Progress], None] | None = None,
    recorded: Callable[[int, int], None] | None = None,
) -> None:
    """Do all runs of a campaign, or those that `folder` lacks, make its table, and record those that failed.

    progress: called with each batch; recorded: with how many of the failed runs have their record, and how many there
    are. Raises ConfigError for what cannot be run, before anything is, and for a folder or workers that fail on the
    way: what is done is kept.
    """
    plan.check()
    # orbits without sight of each other are said now, and not once a run
    Runner(plan.scenario_of(0))
    with alone(folder):
        store = CampaignStore(folder, plan, resume)
        if not store.is_merged:
            store.merge(_count(plan, store, workers, progress))
        store.remove_parts()
        _keep_failed(plan, store, workers, recorded)


def _count(plan: Campaign, store: CampaignStore, workers: Workers, progress: Callable[[Progress], None] | None) -> int:
    """Do the batches that are not done; returns how many make up the campaign."""
    acquired = store.done()
    begin, done_before = time.perf_counter(), sum(len(plan.batch(index)) for index in acquired)
    todo = [(index,) for index in range(plan.batches) if index not in acquired]
    done = done_before
    with writing(store.folder), closing(workers.results(partial(run_batch, plan.model_dump_json()), todo)) as batches:
        while (end := plan.complete(acquired)) is None:
            batch = next(batches)
            store.add(batch)
            acquired[batch.index] = batch.acquired
            done += len(plan.batch(batch.index))
            if progress is not None:
                wall_s = time.perf_counter() - begin
                progress(Progress(done, sum(acquired.values()), plan.total, done - done_before, wall_s))
    return end


def _keep_failed(
    plan: Campaign, store: CampaignStore, workers: Workers, recorded: Callable[[int, int], None] | None
) -> None:
    missed = [(run, store.failed_run(run)) for run in store.missed()]
    todo = [job for job in missed if not job[1].exists()]
    if not workers.see_folder:
        workers = processes(os.cpu_count() or 1)
    done = len(missed) - len(todo)
    with writing(store.folder):
        for _ in workers.results(partial(keep_failed_run, plan.model_dump_json()), todo):
            done += 1
            if recorded is not None:
                recorded(done, len(missed))
