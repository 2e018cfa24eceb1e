"""The whole timetable. The scheduler only ticks: what is due, each function asks the database."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from apscheduler.schedulers.blocking import BlockingScheduler
from apscheduler.triggers.interval import IntervalTrigger
from flask import Flask

from sharebank.accounts import service as accounts
from sharebank.api import idempotency
from sharebank.core import clock
from sharebank.core.db import transaction
from sharebank.notifications import delivery

log = logging.getLogger(__name__)
Counts = dict[str, int]


@dataclass(frozen=True, slots=True)
class Job:
    """Something done again and again; counted from `first` o'clock UTC, so that summer time moves nothing."""

    name: str
    every: timedelta
    first: timedelta
    act: Callable[[Flask, datetime], Counts]


def clean_up(app: Flask, now: datetime) -> Counts:
    """Delete what no longer counts: sessions, tokens, attempts, answers kept for programs."""
    with app.app_context(), transaction() as session:
        return {"forgotten": accounts.forget(session, now) + idempotency.forget_old(session, now)}


TIMETABLE = [
    Job("letters", every=timedelta(seconds=15), first=timedelta(0), act=delivery.deliver),
    Job("clean_up", every=timedelta(days=1), first=timedelta(hours=2, minutes=30), act=clean_up),
]


def tick(app: Flask, now: datetime) -> Counts:
    """Do everything due once; counts by name, `jobs_failed` among them."""
    counts = Counter(jobs_failed=0)
    for job in TIMETABLE:
        counts.update(_do(app, job, now))
    return dict(counts)


def _do(app: Flask, job: Job, now: datetime) -> Counts:
    """Run one job; a fault in it is logged and leaves the others running."""
    try:
        return job.act(app, now)
    except Exception:
        log.exception("the job %s failed", job.name)
        return {"jobs_failed": 1}


def run(app: Flask) -> None:
    """Keep the timetable until told to stop; any number of processes may."""
    scheduler = BlockingScheduler(timezone=UTC)
    for job in TIMETABLE:
        scheduler.add_job(
            lambda job=job: _do(app, job, clock.now()),
            IntervalTrigger(seconds=int(job.every.total_seconds()), start_date=_EPOCH + job.first, timezone=UTC),
            name=job.name,
            coalesce=True,
            max_instances=1,
            misfire_grace_time=None,
        )
    scheduler.start()


_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
