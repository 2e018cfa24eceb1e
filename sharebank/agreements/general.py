"""Agreements made by hand: of a loan whatever its rules say, of a year, of two houses."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import case, select
from sqlalchemy.orm import Session

from sharebank.accounts.actor import Actor
from sharebank.accounts.models import Membership, Organisation, User
from sharebank.accounts.permissions import require
from sharebank.agreements.issuing import ensure, issue
from sharebank.agreements.models import Agreement
from sharebank.agreements.rules import NotAHouse, NotReady, OwnHouse
from sharebank.agreements.subjects import of_houses, of_year
from sharebank.core.errors import NotFound
from sharebank.core.period import to_local
from sharebank.reservations.models import Reservation


def of_loan(session: Session, actor: Actor, reservation_id: int, now: datetime, tz: ZoneInfo) -> Agreement:
    """The agreement of a loan because its house wants one; raises NotReady."""
    query = select(Reservation).where(Reservation.id == reservation_id).with_for_update()
    loan = session.scalars(query.execution_options(populate_existing=True)).one()
    found = ensure(session, actor, loan, now, tz, asked=True)
    if found is None:
        raise NotReady
    return found


def of_bodies(
    session: Session,
    actor: Actor,
    kind: str,
    house: str,
    other: str,
    year: int,
    years: int,
    now: datetime,
    tz: ZoneInfo,
) -> Agreement:
    """An `annual` agreement or a `cooperation`, by the codes of both; what is there already is given back.

    Raises OwnHouse, NotFound, NotAllowed, NotAHouse.
    """
    if house == other:
        raise OwnHouse("other")
    query = select(Organisation).where(Organisation.code.in_((house, other)))
    bodies = {body.code: body for body in session.scalars(query)}
    if house not in bodies or other not in bodies:
        raise NotFound
    lender, borrower = bodies[house], bodies[other]
    require(lender.kind == "house" and lender.id in actor.staff_ids)
    reader, today = _reader(session, actor, borrower), to_local(now, tz).date()
    if kind == "annual":
        return issue(session, actor, of_year(lender, borrower, year, today, reader), now, tz)
    if borrower.kind != "house":
        raise NotAHouse("other")
    return issue(session, actor, of_houses(lender, borrower, today, years, reader), now, tz)


def _reader(session: Session, actor: Actor, body: Organisation) -> User:
    """Who is written to when no loan says who asked: a manager, else anybody of the body."""
    query = select(User).join(Membership, Membership.user_id == User.id).where(Membership.organisation_id == body.id)
    leading = case((Membership.role.in_(("manager", "admin")), 0), else_=1)
    found = session.scalars(query.order_by(leading, Membership.id).limit(1)).one_or_none()
    return found or session.get_one(User, actor.user_id)
