"""Whom it hits that a thing is damaged or gone: what they lose, and the letter that says so."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session, joinedload

from sharebank.accounts import directory
from sharebank.accounts.actor import Actor
from sharebank.catalog.service import Thing
from sharebank.core.errors import N_, Refused
from sharebank.core.period import Period, to_local, to_utc
from sharebank.notifications.service import post, withdraw
from sharebank.reservations import lifecycle
from sharebank.reservations.availability import hold_of, ways_out
from sharebank.reservations.handover.handover_rules import ASKED, CLOSED, HELD, Promise, squeezed
from sharebank.reservations.models import Reservation, ReservationEvent, ReservationLine
from sharebank.reservations.rules import Conflict

FAR = datetime(2100, 1, 1, tzinfo=UTC)
"""The end of the calendar."""


class OverBeforeItBegins(Refused):
    """The last day is past, or the thing is out with somebody until then."""

    code = "closure_too_short"
    sentence = N_("Choose a later day: it would be over before it begins.")


@dataclass(frozen=True, slots=True)
class Repair:
    """What stays in: so many units of a thing, until the end of a day (none: until further notice), and why.

    Or what is `gone` for good; `loan_id` says with which loan.
    """

    code: str
    units: int
    until: date | None
    why: str
    gone: bool = False
    loan_id: int | None = None


@dataclass(frozen=True, slots=True)
class Hit:
    """A loan that would keep `left` of the units it has now."""

    loan: Reservation
    had: int
    left: int

    @property
    def ends(self) -> bool:
        """Is there nothing left of the whole loan?"""
        return self.left == 0 and len(self.loan.lines) == 1


def span(repair: Repair, now: datetime, tz: ZoneInfo) -> Period:
    """From now to the end of the last day; raises OverBeforeItBegins."""
    start = now.replace(microsecond=0)
    if repair.until is None:
        return Period(start, FAR)
    end = to_utc(datetime.combine(repair.until, time()) + timedelta(days=1), tz)
    if end <= start:
        raise OverBeforeItBegins("until")
    return Period(start, end)


def promised(session: Session, thing: Thing, repair: Repair, over: Period) -> list[Promise]:
    """What holds units of a thing while some are to stay in."""
    line = ReservationLine
    reach = over.start - timedelta(seconds=thing.longest_hold + 1)
    lasts = and_(line.ends_at > over.start, line.starts_at > reach)
    if repair.gone:  # what is late is out still: the guards look at its past when some of it comes back
        lasts = or_(lasts, Reservation.status == "collected")
    query = (
        select(line.reservation_id, line.starts_at, line.ends_at, line.quantity, Reservation)
        .join(Reservation, Reservation.id == line.reservation_id)
        .where(
            line.resource_id == thing.id,
            line.holds,
            line.starts_at < over.end,
            lasts,
        )
        .execution_options(populate_existing=True)
    )
    found = [
        Promise(key, Period(start, end), units, _rank(loan), loan.created_at)
        for key, start, end, units, loan in session.execute(query)
    ]
    first = min((promise.hold.start for promise in found), default=over.start)
    if repair.gone and first < over.start:  # the guards look at the whole of what lasts still, its past as well
        return promised(session, thing, replace(repair, gone=False), Period(first, over.end))
    return found


def _rank(loan: Reservation) -> int:
    if loan.kind == "closure":
        return CLOSED
    return HELD if loan.status == "collected" else ASKED


def those_hit(session: Session, thing: Thing, found: Sequence[Promise], repair: Repair) -> list[Hit]:
    """Which of them lose something, earliest first."""
    # What is closed already is in nobody's way; but no closure can keep in what is gone.
    left = squeezed(found, thing.quantity - repair.units, HELD if repair.gone else CLOSED)
    had = {promise.loan_id: promise.quantity for promise in found}
    query = select(Reservation).where(Reservation.id.in_(left)).order_by(Reservation.starts_at, Reservation.id)
    loans = session.scalars(query.options(joinedload(Reservation.borrower))) if left else ()
    return [Hit(loan, had[loan.id], left[loan.id]) for loan in loans]


def lock(session: Session, loans: Iterable[Reservation]) -> None:
    """In the order of their ids, as everybody takes them."""
    ids = sorted(loan.id for loan in loans)
    query = select(Reservation).where(Reservation.id.in_(ids)).order_by(Reservation.id).with_for_update()
    session.scalars(query.execution_options(populate_existing=True)).all()


def take(session: Session, actor: Actor, thing: Thing, hit: Hit, repair: Repair, now: datetime, tz: ZoneInfo) -> None:
    """Take the units from one loan, and tell whoever asked."""
    loan = hit.loan
    facts = lifecycle.facts_of(loan) | {
        "thing": thing.name,
        "had": hit.had,
        "left": hit.left,
        "ended": hit.ends,
        "why": repair.why.strip(),
        "ways": _ways(session, thing, hit, now, tz),
    }
    if repair.gone:
        facts["gone"] = repair.units
    if repair.until:
        facts["until_at"] = span(repair, now, tz).end.isoformat()
    if hit.ends:
        lifecycle.settle(session, actor, loan, "recall" if loan.status == "approved" else "decline", repair.why, now)
        # One letter says it all, with what else is free; the plain one need not leave.
        withdraw(session, lifecycle.about(loan))
    else:
        line = next(line for line in loan.lines if line.resource_id == thing.id)
        if hit.left:
            line.quantity = hit.left
        else:
            loan.lines.remove(line)
        said = f"{thing.name} : {hit.had} → {hit.left} – {repair.why.strip()}"
        loan.events.append(ReservationEvent(at=now, user_id=actor.user_id, status=loan.status, why=said))
        session.flush()
    if loan.kind == "closure":
        return
    session.refresh(loan, ["revision"])
    facts |= {
        name: value for name, value in lifecycle.facts_of(loan).items() if name in ("revision", "status", "things")
    }
    stage = f"out:{thing.code}:{now:%Y%m%d%H%M%S}"
    post(session, f"{lifecycle.about(loan)}{stage}", "loan_hit", [directory.reader(loan.user)], facts, now)


def _ways(session: Session, thing: Thing, hit: Hit, now: datetime, tz: ZoneInfo) -> list[dict[str, Any]]:
    """The like elsewhere at the same time, as links of a letter want it; another time is not what it was for."""
    loan = hit.loan
    period = Period(loan.starts_at, loan.ends_at)
    barred = Conflict(thing.code, thing.name, hit.had - hit.left, thing.quantity, 0, hold_of(thing, period))
    first, last = to_local(period.start, tz), to_local(period.end, tz)
    when = {"day": first.date().isoformat(), "start": f"{first:%H:%M}", "end": f"{last:%H:%M}"}
    if last.date() != first.date():
        when["last_day"] = last.date().isoformat()
    return [
        {"thing": way.thing, "house": way.house, "pick": f"{way.resource}:{way.quantity}", "when": when}
        for way in ways_out(session, barred, period, now, tz)
        if way.kind == "elsewhere"
    ]
