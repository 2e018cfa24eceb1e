"""The managers' page about what the program does by itself, and what `/readyz` says of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from flask import Blueprint, render_template
from sqlalchemy.orm import Session

from sharebank.accounts.web import me
from sharebank.core import clock
from sharebank.core.db import db
from sharebank.core.errors import N_, NotFound
from sharebank.core.texts import gettext as _
from sharebank.notifications import outbox, runs
from sharebank.notifications.models import JobRun
from sharebank.scheduler import TIMETABLE, Job

bp = Blueprint("watch", __name__)

JOB_WORDS = {
    "loans": N_("Reminders of loans that begin, end or are late"),
    "requests": N_("Requests that wait for an answer"),
    "series": N_("Reservations that repeat: are they still needed?"),
    "offers": N_("Offers from the waiting list"),
    "at_risk": N_("Word to those whose loan may not be back in time"),
    "agreements": N_("Agreements of approved loans"),
    "orders": N_("Group orders: opening, closing, reminders"),
    "deadlines": N_("Reminders of insurances and inspections"),
    "digests": N_("Daily letters"),
    "letters": N_("Sending letters"),
    "backup": N_("Nightly backup"),
    "clean_up": N_("Clearing what is no longer needed"),
}
LATE = timedelta(minutes=10)
"""Beyond its interval, how long a job may be away before that is trouble."""


@dataclass(frozen=True, slots=True)
class Line:
    """A job of the timetable: when it last ran, when it is due next, what is wrong with it, if anything."""

    words: str
    last: datetime | None
    next: datetime
    trouble: str

    @property
    def well(self) -> bool:
        """Is all as it should be?"""
        return not self.trouble


@bp.app_template_global()
def job_words(name: str) -> str:
    """A job as the page names it; one that is no longer in the timetable by its name."""
    return str(_(JOB_WORDS[name])) if name in JOB_WORDS else name


@bp.get("/admin/health")
def timetable() -> str:
    """Are the reminders well: each job, when it last ran, when it is due next."""
    if not me().manager_ids:
        raise NotFound
    session, now = db.session(), clock.now()
    latest, since, stuck = runs.latest(session), runs.first_tick(session), outbox.stuck(session, now)
    jobs = [_line(job, latest.get(job.name), since, now) for job in TIMETABLE]
    return render_template(
        "notifications/timetable.html",
        jobs=jobs,
        stuck=stuck,
        healthy=not stuck and all(job.well for job in jobs),
        failures=runs.troubles(session),
    )


def _line(job: Job, run: JobRun | None, since: datetime | None, now: datetime) -> Line:
    last = run.started_at if run else None
    trouble = ""
    if run is not None and run.error:
        trouble = _("Failed")
    elif last is not None and last < now - job.every - LATE:
        trouble = _("Late")
    elif last is None and (since is None or job.next_after(since) < now - LATE):
        # A new installation's night jobs wait for their first night; where nothing ever ran, nobody looks after them.
        trouble = _("Never done")
    return Line(job_words(job.name), last, job.next_after(now), trouble)


def letters_trouble(session: Session, now: datetime) -> str | None:
    """What `/readyz` says of letters when some are stuck."""
    number = outbox.stuck(session, now)
    return f"{number} stuck" if number else None
