"""A damaged thing stays in: a closure, or out of service until further notice; who counts on it is told."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select, update
from sqlalchemy.orm import Session, joinedload

from sharebank.accounts import directory
from sharebank.accounts.actor import Actor
from sharebank.accounts.permissions import may_house, require
from sharebank.catalog import editing
from sharebank.catalog import service as catalog
from sharebank.catalog.service import Thing
from sharebank.core.errors import N_, NotFound, Refused
from sharebank.core.period import Period, to_local, to_utc
from sharebank.notifications.service import post, withdraw
from sharebank.reservations import booking, lifecycle
from sharebank.reservations.availability import hold_of, ways_out
from sharebank.reservations.booking import Ask
from sharebank.reservations.handover.handover_models import Handover, HandoverLine
from sharebank.reservations.handover.handover_rules import Promise, free_from, squeezed
from sharebank.reservations.models import Reservation, ReservationEvent, ReservationLine
from sharebank.reservations.rules import BadQuantity, Conflict, NotEnough
from sharebank.reservations.states import ReasonMissing

FAR = timedelta(days=3650)


class LoansInTheWay(Refused):
    """Loans would lose what they were promised: staff confirm that, having read which."""

    status = 409
    code = "loans_in_the_way"
    sentence = N_("These loans count on it. Confirm, and their borrowers are told, with what else is free.")


class OverBeforeItBegins(Refused):
    """The last day is past, or the thing is out with somebody until then."""

    code = "closure_too_short"
    sentence = N_("Choose a later day: it would be over before it begins.")


class NotAllOfIt(Refused):
    """Out of service until further notice is said of a whole thing, not of some of its units."""

    code = "not_all_of_it"
    sentence = N_("Choose the last day: only all %(quantity)s together can be out of service until further notice.")


@dataclass(frozen=True, slots=True)
class Repair:
    """What stays in: so many units of a thing, until the end of a day (none: until further notice), and why."""

    code: str
    units: int
    until: date | None
    why: str


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


def hits(session: Session, repair: Repair, now: datetime, tz: ZoneInfo) -> list[Hit]:
    """Which loans it takes something from, earliest first."""
    thing = _thing(session, repair.code)
    return _hits(session, thing, _promises(session, thing, _span(repair, now, tz)), repair.units)


def keep_in(
    session: Session, actor: Actor, repair: Repair, confirmed: Collection[str], now: datetime, tz: ZoneInfo
) -> str | None:
    """Take units out of service; returns the closure's reference, if it is one.

    Loans in the way must be among those `confirmed` (references): each loses the units, or ends when nothing is left
    of it, in this transaction, and whoever asked reads so, with what else is free. Raises NotAllowed, BadQuantity,
    NotEnough, ReasonMissing, NotAllOfIt, OverBeforeItBegins, LoansInTheWay.
    """
    thing = _thing(session, repair.code)
    require(may_house(actor, "close", thing.house_id))
    if not repair.why.strip():
        raise ReasonMissing("why")
    if repair.units < 1:
        raise BadQuantity("units", thing=thing.name)
    if repair.units > thing.quantity:
        raise NotEnough("units", quantity=thing.quantity, wanted=repair.units)
    if repair.until is None and repair.units < thing.quantity:
        raise NotAllOfIt("until", quantity=thing.quantity)
    span = _span(repair, now, tz)
    found = _hits(session, thing, _promises(session, thing, span), repair.units)
    # The loans first, then the calendar: in the order every change of a loan takes them.
    _lock(session, [hit.loan for hit in found])
    [thing] = catalog.lock_calendars(session, [thing])
    promises = _promises(session, thing, span)
    found = _hits(session, thing, promises, repair.units)
    if not {hit.loan.ref for hit in found} <= set(confirmed):
        raise LoansInTheWay("confirmed")
    for hit in found:
        _take(session, actor, thing, hit, repair, now, tz)
    closure = None
    if repair.until is None:
        editing.take_out_of_service(session, actor, thing.code, repair.why.strip(), to_local(now, tz).date())
    else:
        start = free_from(promises, thing.quantity - repair.units, span.start, span.end)
        if start >= span.end:
            raise OverBeforeItBegins("until")
        ask = Ask("", repair.why.strip(), Period(start, span.end), {thing.code: repair.units})
        closure = booking.close(session, actor, ask, now, tz)[0].ref
    session.execute(
        update(HandoverLine)
        .where(HandoverLine.resource_id == thing.id, HandoverLine.out)
        .values(out=False)
        .execution_options(synchronize_session=False)
    )
    return closure


def keep_in_at_once(session: Session, actor: Actor, record: Handover, now: datetime, tz: ZoneInfo) -> list[str]:
    """Take what was found damaged out of service where nothing is in its way; returns the codes that must wait."""
    waiting = []
    for line in record.lines:
        if line.out:
            try:
                keep_in(session, actor, _of_line(line), (), now, tz)
            except Refused:  # nothing was written yet: staff see why on a page of its own
                waiting.append(line.resource.code)
    return waiting


def asked_for(session: Session, loan_id: int, code: str) -> Repair:
    """What was said of a thing when it came back."""
    found = next((line for line in pending(session, loan_id) if line.resource.code == code), None)
    return _of_line(found) if found else Repair(code, 1, None, "")


def pending(session: Session, loan_id: int) -> Sequence[HandoverLine]:
    """Things of a loan that are to be taken out of service and are not yet."""
    query = select(HandoverLine).join(Handover).where(Handover.reservation_id == loan_id, HandoverLine.out)
    return session.scalars(query.options(joinedload(HandoverLine.resource)).order_by(HandoverLine.id)).all()


def _of_line(line: HandoverLine) -> Repair:
    units = min(max(1, line.broken), line.resource.quantity)
    return Repair(line.resource.code, units, line.out_until, line.note)


def _thing(session: Session, code: str) -> Thing:
    found = catalog.things_by_code(session, [code])
    if code not in found:
        raise NotFound
    return found[code]


def _span(repair: Repair, now: datetime, tz: ZoneInfo) -> Period:
    """From now to the end of the last day; raises OverBeforeItBegins."""
    start = now.replace(microsecond=0)
    if repair.until is None:
        return Period(start, start + FAR)
    end = to_utc(datetime.combine(repair.until, time()) + timedelta(days=1), tz)
    if end <= start:
        raise OverBeforeItBegins("until")
    return Period(start, end)


def _promises(session: Session, thing: Thing, span: Period) -> list[Promise]:
    line = ReservationLine
    query = (
        select(line.reservation_id, line.starts_at, line.ends_at, line.quantity, Reservation)
        .join(Reservation, Reservation.id == line.reservation_id)
        .where(
            line.resource_id == thing.id,
            line.holds,
            line.starts_at < span.end,
            line.ends_at > span.start,
            line.starts_at > span.start - timedelta(seconds=thing.longest_hold + 1),
        )
        .execution_options(populate_existing=True)
    )
    return [
        # A closure stays as it is: what is closed already is in nobody's way.
        Promise(key, Period(start, end), units, loan.status == "collected" or loan.kind == "closure", loan.created_at)
        for key, start, end, units, loan in session.execute(query)
    ]


def _hits(session: Session, thing: Thing, promises: Sequence[Promise], units: int) -> list[Hit]:
    left = squeezed(promises, thing.quantity - units)
    had = {promise.loan_id: promise.quantity for promise in promises}
    query = select(Reservation).where(Reservation.id.in_(left)).order_by(Reservation.starts_at, Reservation.id)
    loans = session.scalars(query.options(joinedload(Reservation.borrower))) if left else ()
    return [Hit(loan, had[loan.id], left[loan.id]) for loan in loans]


def _lock(session: Session, loans: Sequence[Reservation]) -> None:
    ids = sorted(loan.id for loan in loans)
    query = select(Reservation).where(Reservation.id.in_(ids)).order_by(Reservation.id).with_for_update()
    session.scalars(query.execution_options(populate_existing=True)).all()


def _take(session: Session, actor: Actor, thing: Thing, hit: Hit, repair: Repair, now: datetime, tz: ZoneInfo) -> None:
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
    if repair.until:
        facts["until_at"] = _span(repair, now, tz).end.isoformat()
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
