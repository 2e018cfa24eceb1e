"""A thing that is late and promised to somebody soon: that borrower is warned, and the house, once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import literal, select
from sqlalchemy.orm import Session, joinedload

from sharebank.accounts import directory
from sharebank.catalog import service as catalog
from sharebank.catalog.service import Thing
from sharebank.core.period import Period
from sharebank.notifications.service import post
from sharebank.reservations.availability import claims
from sharebank.reservations.lifecycle import about, facts_of
from sharebank.reservations.models import Reservation, ReservationLine
from sharebank.reservations.rules import peak

WARN_BEFORE = timedelta(days=2)
"""How long before its start a loan is told that its thing is still out."""


def warn_next(session: Session, now: datetime) -> dict[str, int]:
    """Write to whoever borrows next what is late, when without it there are too few; how many letters."""
    written = 0
    late = _late(session, now)
    ids = {line.resource_id for loan in late for line in loan.lines if not line.back}
    for thing in catalog.things_by_id(session, ids).values() if ids else ():
        out = {
            loan: line.quantity
            for loan in late
            for line in loan.lines
            if line.resource_id == thing.id and not line.back
        }
        for loan in _next(session, thing, now):
            if _short(session, thing, loan, sum(out.values())):
                written += _warn(session, thing, loan, list(out), now)
    return {"loans_at_risk": written}


def _late(session: Session, now: datetime) -> Sequence[Reservation]:
    # Said to the database literally: it must see that its index of what stands open covers this.
    collected = Reservation.status == literal("collected", literal_execute=True)
    query = select(Reservation).where(collected, Reservation.kind == "loan", Reservation.ends_at <= now)
    return session.scalars(query.options(joinedload(Reservation.lines)).order_by(Reservation.ends_at)).unique().all()


def _next(session: Session, thing: Thing, now: datetime) -> Sequence[Reservation]:
    """Loans that hold the thing and start soon."""
    query = (
        select(Reservation)
        .join(ReservationLine)
        .where(
            ReservationLine.resource_id == thing.id,
            ReservationLine.holds,
            ReservationLine.starts_at > now - timedelta(seconds=thing.longest_hold + 1),
            ReservationLine.starts_at <= now + WARN_BEFORE,
            Reservation.starts_at > now,
            Reservation.starts_at <= now + WARN_BEFORE,
            Reservation.status.in_(("requested", "approved")),
            Reservation.kind == "loan",
        )
        .order_by(Reservation.starts_at, Reservation.id)
    )
    return session.scalars(query).all()


def _short(session: Session, thing: Thing, loan: Reservation, out: int) -> bool:
    """Would there be too few during a loan, should what is late stay out?"""
    span = Period(loan.starts_at, loan.ends_at)
    return peak(claims(session, [thing], span)[thing.id], span) + out > thing.quantity


def _warn(session: Session, thing: Thing, loan: Reservation, late: Sequence[Reservation], now: datetime) -> int:
    house = loan.lender
    facts = facts_of(loan) | {
        "thing": thing.name,
        "due_at": min(one.ends_at for one in late).isoformat(),
        "house": house.name,
        "phone": house.phone,
    }
    key = f"{about(loan)}at_risk:{thing.code}:{','.join(sorted(one.ref for one in late))}"
    written = post(session, key, "loan_at_risk", [directory.reader(loan.user)], facts, now)
    facts["late"] = [[one.ref, one.borrower.name] for one in late]
    return written + post(
        session, f"{key}:house", "loan_at_risk_house", directory.managers(session, loan.lender_id), facts, now
    )
