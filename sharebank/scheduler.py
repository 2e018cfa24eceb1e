"""The whole timetable. The scheduler only ticks: what is due, each function asks the database, looking back.

Any number of processes may keep it: a letter is claimed by one of them, everything else is keyed by what it is about.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from apscheduler.schedulers.blocking import BlockingScheduler
from apscheduler.triggers.interval import IntervalTrigger
from flask import Flask
from sqlalchemy.orm import Session

from sharebank.accounts import service as accounts
from sharebank.agreements import desk as agreements
from sharebank.api import idempotency
from sharebank.core import backup, clock
from sharebank.core.db import db, transaction
from sharebank.insurance import reminders as deadlines
from sharebank.notifications import delivery, digest, runs
from sharebank.orders.ticking import look_after_orders
from sharebank.reservations import reminders
from sharebank.reservations.deciding import links
from sharebank.reservations.handover import handover_reminders
from sharebank.reservations.series import series_care
from sharebank.reservations.waiting import offers

log = logging.getLogger(__name__)
Counts = dict[str, int]
T = TypeVar("T")
BACKUPS_KEPT = 14


@dataclass(frozen=True, slots=True)
class Job:
    """Something done again and again; counted from `first` o'clock UTC, so that summer time moves nothing."""

    name: str
    every: timedelta
    act: Callable[[Flask, datetime], Counts]
    first: timedelta = timedelta(0)

    def next_after(self, now: datetime) -> datetime:
        """When it is due next."""
        start = _EPOCH + self.first
        return start + ((now - start) // self.every + 1) * self.every


_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


# -- what is done ----------------------------------------------------------------------------------


def _in_one_go(work: Callable[[Session, datetime], Counts]) -> Callable[[Flask, datetime], Counts]:
    """A job that is one transaction of a service."""

    def act(app: Flask, now: datetime) -> Counts:
        with app.app_context(), transaction() as session:
            return work(session, now)

    return act


def _clean_up(session: Session, now: datetime) -> Counts:
    """Delete what no longer counts: sessions, tokens, attempts, answers kept for programs, old runs."""
    old = accounts.forget(session, now) + idempotency.forget_old(session, now) + links.forget(session, now)
    return {"forgotten": old + runs.forget(session, clock.now())}  # runs are dated by the machine's clock


def back_up(app: Flask, now: datetime) -> Counts:
    """A copy of tonight's database, once a night, the last fourteen kept.

    For PostgreSQL it takes a pg_dump of the server's version on this machine; without one none is made.
    """
    with app.app_context():
        if not backup.possible(db.engine):
            return {"backups": 0}
        url = db.engine.url
    folder, night = Path(app.instance_path) / "backups", (now - NIGHT).date()
    file = folder / f"nightly-{night:%Y%m%d}.db"
    if file.exists():
        return {"backups": 0}
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    backup.backup(url, file)
    for old in sorted(folder.glob("nightly-*.db"))[:-BACKUPS_KEPT]:
        old.unlink(missing_ok=True)  # another process may be as tidy
    return {"backups": 1}


# -- when ------------------------------------------------------------------------------------------

NIGHT = timedelta(hours=2, minutes=30)
"""After midnight, UTC."""

# What writes letters stands before what delivers them: one tick does both.
TIMETABLE = [
    Job("loans", every=timedelta(minutes=15), act=_in_one_go(reminders.remind)),
    Job("requests", every=timedelta(hours=1), act=_in_one_go(reminders.look_after_requests)),
    Job("series", every=timedelta(hours=1), act=_in_one_go(series_care.look_after)),
    Job("offers", every=timedelta(minutes=1), act=offers.look_after),
    Job("at_risk", every=timedelta(minutes=15), act=_in_one_go(handover_reminders.warn_next)),
    Job("agreements", every=timedelta(minutes=1), act=agreements.look_after),
    Job("orders", every=timedelta(minutes=1), act=_in_one_go(look_after_orders)),
    Job("deadlines", every=timedelta(hours=1), act=deadlines.remind),
    Job("digests", every=timedelta(minutes=15), act=digest.write_digests),
    Job("letters", every=timedelta(seconds=15), act=delivery.deliver),
    Job("backup", every=timedelta(days=1), first=NIGHT, act=back_up),
    Job("clean_up", every=timedelta(days=1), first=NIGHT, act=_in_one_go(_clean_up)),
]


def tick(app: Flask, now: datetime) -> Counts:
    """Do everything due once; counts by name, `jobs_failed` among them."""
    counts = Counter(jobs_failed=0)
    for job in TIMETABLE:
        counts.update(_do(app, job, now))
    return dict(counts)


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


def _do(app: Flask, job: Job, now: datetime) -> Counts:
    """Run one job and note it; a fault in it is logged, kept for the page, and leaves the others running."""
    run_id = _note(app, lambda session: runs.begin(session, job.name, clock.now()))
    did, error = {"jobs_failed": 1}, None
    try:
        did = job.act(app, now)
    except Exception as trouble:
        log.exception("the job %s failed", job.name)
        # The first line: a database goes on with the values it was given, which are people's.
        error = f"{type(trouble).__name__}: {trouble}".partition("\n")[0][:1000]
    if run_id is not None:
        _note(app, lambda session: runs.finish(session, run_id, clock.now(), did, error))
    return did


def _note(app: Flask, write: Callable[[Session], T]) -> T | None:
    """Write about a run; a database that cannot be written to must not keep the job itself from trying."""
    try:
        with app.app_context(), transaction() as session:
            return write(session)
    except Exception:
        log.exception("a run could not be noted")
        return None
