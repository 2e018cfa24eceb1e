"""Who comes today, and who has a thing now: what the counter wants to know at a glance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from sharebank.accounts.actor import Actor
from sharebank.catalog.models import Resource
from sharebank.reservations.models import Reservation, ReservationLine
from sharebank.reservations.reading import LoanRow, visible_loans

MOST = 200
SOON = timedelta(hours=24)
"""Whoever collects within so long may be at the counter already."""


@dataclass(frozen=True, slots=True)
class Day:
    """The loans of a day at the counter: late ones, those due back, those that leave."""

    late: tuple[LoanRow, ...]
    back: tuple[LoanRow, ...]
    leaving: tuple[LoanRow, ...]


def of(session: Session, actor: Actor, now: datetime, until: datetime) -> Day:
    """The day of the actor's houses, up to an instant."""
    out = visible_loans(session, actor, houses=True, kind="loan", status="collected", until=until, limit=MOST)
    leaving = visible_loans(
        session, actor, houses=True, kind="loan", status="approved", since=now, until=until, limit=MOST
    )
    due = sorted((loan for loan in out if loan.ends_at < until), key=lambda loan: loan.ends_at)
    late = tuple(loan for loan in due if loan.ends_at <= now)
    return Day(late, tuple(loan for loan in due if loan.ends_at > now), tuple(leaving))


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """A thing now: loans that have it and loans about to, as far as the actor may know; and whether it is out."""

    have: Sequence[LoanRow]
    soon: Sequence[LoanRow]
    out: bool


def whereabouts(session: Session, actor: Actor, code: str, now: datetime) -> Whereabouts:
    """Who has a thing, and who comes for it within the day."""
    out = (
        select(Reservation.id)
        .join(ReservationLine)
        .join(Resource)
        .where(Resource.code == code, ReservationLine.holds, Reservation.status == "collected")
        .limit(1)
    )
    is_out = session.scalar(out) is not None
    have = visible_loans(session, actor, resource=code, status="collected", kind="loan", limit=20) if is_out else []
    soon = visible_loans(
        session, actor, resource=code, status="approved", kind="loan", since=now, until=now + SOON, limit=5
    )
    return Whereabouts([loan for loan in have if _still_has(session, loan, code)], soon, is_out)


def _still_has(session: Session, loan: LoanRow, code: str) -> bool:
    query = select(ReservationLine.back).join(Resource).where(ReservationLine.reservation_id == loan.id)
    return not session.scalar(query.where(Resource.code == code))
