"""What the clock says about loans: come and collect, bring it back, it is late, somebody waits for an answer.

Each looks back from `now` and is keyed by what it is about, so that any number of runs write a letter once, and an
outage makes a letter late but never lost, nor a heap of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from sharebank.accounts import directory
from sharebank.catalog.models import Resource
from sharebank.notifications.service import Recipient, post
from sharebank.reservations.lifecycle import about, expire, facts_of
from sharebank.reservations.models import Reservation
from sharebank.reservations.rules import (
    ANSWER_WITHIN,
    LATE_AFTER,
    LATE_UNTIL,
    REMIND_BEFORE_END,
    REMIND_BEFORE_START,
    WORTH_A_REMINDER,
    days_late,
)


def remind(session: Session, now: datetime) -> dict[str, int]:
    """Write to those who collect within a day, who bring back within hours, and who are late."""
    written = {"loans_tomorrow": 0, "loans_ending": 0, "loans_overdue": 0}
    for loan in _loans(session, "approved", now, now + REMIND_BEFORE_START):
        # Whoever booked it within the day has just read the confirmation.
        if loan.created_at <= loan.starts_at - REMIND_BEFORE_START:
            _write(session, loan, "tomorrow", "tomorrow", [directory.reader(loan.user)], now)
            written["loans_tomorrow"] += 1
    longest = timedelta(seconds=session.scalar(select(func.max(Resource.longest_hold))) or 0)
    for loan in _loans(session, "collected", now - LATE_UNTIL - longest, now + REMIND_BEFORE_END):
        if loan.ends_at > now:
            if loan.ends_at <= now + REMIND_BEFORE_END and loan.ends_at - loan.starts_at >= WORTH_A_REMINDER:
                _write(session, loan, "ending", "ending", [directory.reader(loan.user)], now)
                written["loans_ending"] += 1
        elif loan.ends_at + LATE_AFTER <= now < loan.ends_at + LATE_UNTIL:
            readers = [directory.reader(loan.user), *directory.managers(session, loan.lender_id)]
            _write(session, loan, f"overdue:{days_late(loan.ends_at, now)}", "overdue", readers, now)
            written["loans_overdue"] += 1
    return written


def look_after_requests(session: Session, now: datetime) -> dict[str, int]:
    """Remind managers of what waits for their answer, and let go what was not answered before its time."""
    written = {"requests_unanswered": 0, "requests_expired": 0}
    for loan in _loans(session, "requested", now, None):
        if loan.created_at <= now - ANSWER_WITHIN:
            _write(session, loan, "unanswered", "unanswered", directory.managers(session, loan.lender_id), now)
            written["requests_unanswered"] += 1
    for loan in _loans(session, "requested", None, now):
        written["requests_expired"] += expire(session, loan.ref, now)
    return written


def _loans(session: Session, status: str, after: datetime | None, until: datetime | None) -> list[Reservation]:
    """Loans in a state that start after one instant, and not after another."""
    # House by house: that and the start are what the index knows.
    houses = [house.id for house in directory.houses(session)]
    wanted: list[ColumnElement[bool]] = [Reservation.lender_id.in_(houses), Reservation.status == status]
    wanted.append(Reservation.kind == "loan")
    if after is not None:
        wanted.append(Reservation.starts_at > after)
    if until is not None:
        wanted.append(Reservation.starts_at <= until)
    return list(session.scalars(select(Reservation).where(*wanted).order_by(Reservation.starts_at)))


def _write(
    session: Session, loan: Reservation, stage: str, template: str, readers: Iterable[Recipient], now: datetime
) -> None:
    once = {reader.email: reader for reader in readers}
    post(session, f"{about(loan)}{stage}", f"reservation_{template}", once.values(), facts_of(loan), now)
