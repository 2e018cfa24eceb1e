"""The life of a reservation after it was made: approve, decline, cancel, collect, return."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from sharebank.accounts.actor import Actor
from sharebank.accounts.permissions import may_loan, require
from sharebank.core.errors import NotFound
from sharebank.notifications.service import Recipient, post
from sharebank.reservations.models import Reservation, ReservationEvent
from sharebank.reservations.rules import transition


def visible(session: Session, actor: Actor, ref: str) -> Reservation:
    """The reservation with this reference; raises NotFound when there is none or it is not the actor's to see."""
    found = session.scalar(select(Reservation).where(Reservation.ref == ref))
    if found is None or not may_loan(actor, "see", found):
        raise NotFound
    return found


def change(session: Session, actor: Actor, ref: str, act: str, why: str, now: datetime) -> Reservation:
    """Move a reservation on, record the event, tell the borrower.

    The row is locked first: of two people who decide at once, the second reads what the first decided.
    Raises NotFound, NotAllowed, WrongState or ReasonMissing.
    """
    query = (
        select(Reservation).where(Reservation.ref == ref).with_for_update().execution_options(populate_existing=True)
    )
    loan = session.scalar(query)
    if loan is None or not may_loan(actor, "see", loan):
        raise NotFound
    require(may_loan(actor, act, loan))
    # Should it give units back, the database's guard on the status does it: lines follow their reservation.
    loan.status = transition(act, loan.status, why)
    loan.events.append(ReservationEvent(at=now, user_id=actor.user_id, status=loan.status, why=why.strip()))
    session.flush()
    if loan.user_id != actor.user_id:
        asked = loan.user
        facts = {
            "ref": loan.ref,
            "purpose": loan.purpose,
            "lender": loan.lender.code,
            "starts_at": loan.starts_at.isoformat(),
            "ends_at": loan.ends_at.isoformat(),
            "things": [[line.resource.name, line.quantity] for line in loan.lines],
            "by": actor.name,
            "why": why.strip(),
        }
        reader = Recipient(asked.email, asked.name, asked.locale, asked.id)
        post(session, f"reservation:{loan.ref}:{loan.status}", f"reservation_{loan.status}", [reader], facts, now)
    return loan
