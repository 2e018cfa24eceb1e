"""What the timetable did: a row a run, so that a page can say whether reminders are healthy."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import and_, delete, func, insert, or_, select, update
from sqlalchemy.orm import Session

from sharebank.notifications.models import JobRun

KEPT = timedelta(days=30)
QUIET_KEPT = timedelta(days=1)
"""Runs that had nothing to do are the most, and the least worth keeping."""


def begin(session: Session, job: str, now: datetime) -> int:
    """A run starts; returns its id."""
    query = insert(JobRun).values(job=job, started_at=now).returning(JobRun.id)
    return session.execute(query).scalar_one()


def finish(session: Session, run_id: int, now: datetime, did: Mapping[str, int] | None, error: str | None) -> None:
    """A run ends: with what it did, or with what went wrong."""
    quiet = error is None and not any((did or {}).values())
    done = {"finished_at": now, "did": dict(did or {}), "quiet": quiet, "error": error}
    session.execute(update(JobRun).where(JobRun.id == run_id).values(**done))


def latest(session: Session) -> dict[str, JobRun]:
    """The last run of each job."""
    newest = select(func.max(JobRun.id)).group_by(JobRun.job)
    return {run.job: run for run in session.scalars(select(JobRun).where(JobRun.id.in_(newest)))}


def last_tick(session: Session) -> datetime | None:
    """When anything of the timetable last began."""
    return session.scalar(select(JobRun.started_at).order_by(JobRun.id.desc()).limit(1))


def first_tick(session: Session) -> datetime | None:
    """Since when, as far as is kept, the timetable is being looked after."""
    return session.scalar(select(func.min(JobRun.started_at)))


def troubles(session: Session, limit: int = 20) -> list[JobRun]:
    """The last runs that ended in an error, newest first."""
    query = select(JobRun).where(JobRun.error.is_not(None)).order_by(JobRun.id.desc()).limit(limit)
    return list(session.scalars(query))


def forget(session: Session, now: datetime) -> int:
    """Delete old runs; returns how many."""
    idle = and_(JobRun.quiet, JobRun.started_at < now - QUIET_KEPT)
    old = delete(JobRun).where(or_(JobRun.started_at < now - KEPT, idle)).returning(JobRun.id)
    return len(session.execute(old.execution_options(synchronize_session=False)).all())
