"""What the clock says about loans: come and collect, bring it back, it is late, somebody waits for an answer.

Each looks back from `now` and is keyed by what it is about, so that any number of runs write a letter once, and an
outage makes a letter late but never lost, nor a heap of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import literal, select
from sqlalchemy.orm import Session

from sharebank.accounts import directory
from sharebank.notifications.service import Recipient, post
from sharebank.reservations.deciding.links import ask_to_decide
from sharebank.reservations.lifecycle import about, expire, facts_of
from sharebank.reservations.models import Reservation
from sharebank.reservations.states import (
    ANSWER_WITHIN,
    LATE_AFTER,
    LATE_UNTIL,
    REMIND_BEFORE_END,
    REMIND_BEFORE_START,
    WORTH_A_REMINDER,
    days_late,
)


def remind(session: Session, now: datetime) -> dict[str, int]:
    """Write to those who collect within a day, who bring back within hours, and who are late; how many letters."""
    written = {"loans_tomorrow": 0, "loans_ending": 0, "loans_overdue": 0}
    for loan in _starting(session, now, now + REMIND_BEFORE_START):
        # Whoever booked it within the day has just read the confirmation.
        if loan.created_at <= loan.starts_at - REMIND_BEFORE_START:
            written["loans_tomorrow"] += _write(session, loan, "tomorrow", [directory.reader(loan.user)], now)
    for loan in _standing(session, "collected"):
        if now < loan.ends_at <= now + REMIND_BEFORE_END and loan.ends_at - loan.starts_at >= WORTH_A_REMINDER:
            written["loans_ending"] += _write(session, loan, "ending", [directory.reader(loan.user)], now)
        elif loan.ends_at + LATE_AFTER <= now < loan.ends_at + LATE_UNTIL:
            written["loans_overdue"] += _bring_up(session, loan, now)
    return written


def look_after_requests(session: Session, now: datetime) -> dict[str, int]:
    """Remind managers of what waits for their answer, and let go what was not answered before its time."""
    written = {"requests_unanswered": 0, "requests_expired": 0}
    for loan in _standing(session, "requested"):
        if loan.starts_at <= now:
            written["requests_expired"] += expire(session, loan.ref, now)
        elif not loan.offered and loan.series_id is None and loan.created_at <= now - ANSWER_WITHIN:
            written["requests_unanswered"] += _ask_again(session, loan, now)
    return written


def _starting(session: Session, after: datetime, until: datetime) -> Sequence[Reservation]:
    """Approved loans that start between two instants."""
    # House by house: that and the start are what an index knows.
    houses = [house.id for house in directory.houses(session)]
    span = (Reservation.starts_at > after, Reservation.starts_at <= until)
    query = select(Reservation).where(Reservation.lender_id.in_(houses), Reservation.status == "approved", *span)
    return session.scalars(query.where(Reservation.kind == "loan").order_by(Reservation.starts_at)).all()


def _standing(session: Session, status: str) -> Sequence[Reservation]:
    """All loans now in a state that passes: `requested` or `collected`."""
    # Said to the database literally: it must see that its index of what stands open covers this.
    query = select(Reservation).where(Reservation.status == literal(status, literal_execute=True))
    return session.scalars(query.where(Reservation.kind == "loan").order_by(Reservation.starts_at)).all()


def _bring_up(session: Session, loan: Reservation, now: datetime) -> int:
    """Whoever has it is asked to bring it back; the lender's managers learn whom to call."""
    stage = f"overdue:{days_late(loan.ends_at, now)}"
    phones = dict.fromkeys(filter(None, (loan.user.phone, loan.borrower.phone)))
    whom = {"call": loan.user.name, "phone": ", ".join(phones)}
    # In this order: whoever is both has had a letter of this stage by then, and gets no second one.
    asked = _write(session, loan, "overdue", [directory.reader(loan.user)], now, stage)
    managers = directory.managers(session, loan.lender_id)
    return asked + _write(session, loan, "overdue", managers, now, stage, **whom)


def _write(
    session: Session,
    loan: Reservation,
    what: str,
    readers: Iterable[Recipient],
    now: datetime,
    stage: str = "",
    **more: str,
) -> int:
    template = f"reservation_{what}"
    return post(session, f"{about(loan)}{stage or what}", template, readers, facts_of(loan, **more), now)


def _ask_again(session: Session, loan: Reservation, now: datetime) -> int:
    """Each manager once, with a link as in the first letter; not whoever has given the first of two approvals."""
    readers = [one for one in directory.managers(session, loan.lender_id) if one.user_id != loan.approved_once_by_id]
    key = f"{about(loan)}unanswered"
    return ask_to_decide(session, loan.id, key, readers, facts_of(loan), now, "reservation_unanswered")
