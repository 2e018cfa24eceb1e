"""What is damaged stays in, what is gone leaves the stock; who counts on it is shown first, then told."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import select, update
from sqlalchemy.orm import Session, joinedload

from sharebank.accounts.actor import Actor
from sharebank.accounts.permissions import may_house, require
from sharebank.catalog import editing
from sharebank.catalog import service as catalog
from sharebank.catalog.service import Thing
from sharebank.core.errors import N_, NotFound, Refused
from sharebank.core.period import Period, to_local
from sharebank.reservations import booking
from sharebank.reservations.booking import Ask
from sharebank.reservations.handover import handover
from sharebank.reservations.handover import handover_stock as stock
from sharebank.reservations.handover.handover_hits import (
    Hit,
    OverBeforeItBegins,
    Repair,
    lock,
    promised,
    span,
    take,
    those_hit,
)
from sharebank.reservations.handover.handover_models import Handover, HandoverLine
from sharebank.reservations.handover.handover_rules import free_from
from sharebank.reservations.rules import BadQuantity, NotEnough
from sharebank.reservations.states import ReasonMissing

MOST_WHY = 200


class LoansInTheWay(Refused):
    """Loans would lose what they were promised: staff confirm that, having read which."""

    status = 409
    code = "loans_in_the_way"
    sentence = N_("These loans count on it. Confirm, and their borrowers are told, with what else is free.")


class StillOut(Refused):
    """More is with borrowers than would be left: what came back is to be written down first."""

    code = "still_out"
    sentence = N_("%(out)s are with borrowers at once: first write down what came back.")


class NotAllOfIt(Refused):
    """Out of service until further notice is said of a whole thing, not of some of its units."""

    code = "not_all_of_it"
    sentence = N_("Choose the last day: only all %(quantity)s together can be out of service until further notice.")


class Kept(NamedTuple):
    """What was done: so many units left the stock, or it is out of service, perhaps by a closure."""

    fewer: int = 0
    closure: str | None = None


def hits(session: Session, repair: Repair, now: datetime, tz: ZoneInfo) -> list[Hit]:
    """Which loans it takes something from, earliest first."""
    thing = _thing(session, repair.code)
    found = those_hit(session, thing, promised(session, thing, repair, span(repair, now, tz)), repair)
    return [hit for hit in found if hit.loan.kind == "loan"]


def keep_in(
    session: Session,
    actor: Actor,
    repair: Repair,
    confirmed: Collection[str],
    now: datetime,
    tz: ZoneInfo,
    seen: str | None = None,
) -> Kept:
    """Take units out of service, or off the stock.

    Loans in the way must be among those `confirmed` (references): each loses the units, or ends when nothing is left
    of it, in this transaction, and whoever asked reads so, with what else is free. A closure of more than is left
    closes what is left. `seen` is the stock's mark on the page that was sent. Raises NotAllowed, BadQuantity,
    NotEnough, ReasonMissing, NotAllOfIt, OverBeforeItBegins, StillOut, MoreThanWentOut, LoansInTheWay, StillBooked,
    StockChanged.
    """
    thing, said = _thing(session, repair.code), repair
    stock.check_mark(session, thing, seen)  # before what the first of two presses did is told as a fault of the second
    repair = _possible(actor, thing, said)
    over = span(repair, now, tz)
    found = those_hit(session, thing, promised(session, thing, repair, over), repair)
    # Nobody is asked about a closure.
    agreed = {*confirmed, *(hit.loan.ref for hit in found if hit.loan.kind == "closure")}
    _check_agreed(found, agreed)
    # The loans first, then the calendar: in the order every change of a loan takes them.
    lock(session, [hit.loan for hit in found])
    [thing] = catalog.lock_calendars(session, [thing])
    stock.check_mark(session, thing, seen)
    repair = _possible(actor, thing, said)
    promises = promised(session, thing, repair, over)
    found = those_hit(session, thing, promises, repair)
    if repair.gone and (held := stock.out(session, thing.id)) > thing.quantity - repair.units:
        raise StillOut("units", out=held)
    if repair.gone and repair.loan_id is not None:
        stock.check_taken(session, thing, repair.units, repair.loan_id)
    _check_agreed(found, agreed)
    for hit in found:
        take(session, actor, thing, hit, repair, now, tz)
    kept = Kept()
    if repair.gone:
        kept = Kept(fewer=repair.units)
        stock.change(session, actor, thing, -repair.units, repair.why.strip(), now, repair.loan_id)
    elif repair.until is None:
        editing.take_out_of_service(session, actor, thing.code, repair.why.strip(), to_local(now, tz).date())
    else:
        start = free_from(promises, thing.quantity - repair.units, over.start, over.end)
        if start >= over.end:
            raise OverBeforeItBegins("until")
        ask = Ask("", repair.why.strip(), Period(start, over.end), {thing.code: repair.units})
        kept = Kept(closure=booking.close(session, actor, ask, now, tz)[0].ref)
    _done(session, thing, said)
    return kept


def _possible(actor: Actor, thing: Thing, repair: Repair) -> Repair:
    """What is asked for, as it can be done: a thing of which nothing would be left goes out of service."""
    require(may_house(actor, "close", thing.house_id))
    if not repair.why.strip():
        raise ReasonMissing("why")
    if repair.units < 1:
        raise BadQuantity("units", thing=thing.name)
    if repair.units > thing.quantity:
        raise NotEnough("units", quantity=thing.quantity, wanted=repair.units)
    if repair.until is None and not repair.gone and repair.units < thing.quantity:
        raise NotAllOfIt("until", quantity=thing.quantity)
    return replace(repair, gone=repair.gone and repair.units < thing.quantity)


def _check_agreed(found: Sequence[Hit], agreed: Collection[str]) -> None:
    if any(hit.loan.ref not in agreed for hit in found):
        raise LoansInTheWay("confirmed")


def _done(session: Session, thing: Thing, said: Repair) -> None:
    """What was said of it at its return no longer waits."""
    lines = update(HandoverLine).where(HandoverLine.resource_id == thing.id)
    if said.gone:
        of_loan = select(Handover.id).where(Handover.reservation_id == said.loan_id)
        lines = lines.where(HandoverLine.gone > 0, HandoverLine.handover_id.in_(of_loan)).values(gone=0)
    else:
        lines = lines.where(HandoverLine.out).values(out=False)
    session.execute(lines.execution_options(synchronize_session=False))


def said_at(session: Session, record: Handover) -> list[Repair]:
    """What was said at a return of what is damaged or gone, in the order it is done."""
    return _of_lines(session, record.lines, record.reservation_id)


def asked_for(session: Session, loan_id: int, code: str, gone: bool = False) -> Repair:
    """What was said of a thing when it came back, of being kept in or of being gone; else what was missing."""
    said, thing = _of_lines(session, pending(session, loan_id), loan_id), _thing(session, code)
    found = (one for one in said if (one.code, one.gone) == (code, gone))
    units = min(max(1, stock.missing(session, loan_id, thing) if gone else 1), thing.quantity)
    return next(found, Repair(code, units, None, "", gone, loan_id))


def pending(session: Session, loan_id: int) -> Sequence[HandoverLine]:
    """Things of a loan that are to be taken out of service, or off the stock, and are not yet."""
    query = select(HandoverLine).join(Handover).where(Handover.reservation_id == loan_id)
    query = query.where(HandoverLine.out | (HandoverLine.gone > 0))
    return session.scalars(query.options(joinedload(HandoverLine.resource)).order_by(HandoverLine.id)).all()


def _of_lines(session: Session, lines: Sequence[HandoverLine], loan_id: int) -> list[Repair]:
    out = handover.went_out(handover.meetings(session, loan_id))
    return [repair for line in lines for repair in _of_line(line, loan_id, stock.in_units(line, out))]


def _of_line(line: HandoverLine, loan_id: int, in_units: bool) -> Iterator[Repair]:
    """What is gone first; what is missing is gone before what is broken, of which the rest stays in.

    Broken pieces are no units: one stays in, unless staff say more.
    """
    code, most = line.resource.code, line.resource.quantity
    if line.gone:
        yield Repair(code, line.gone, None, line.note[:MOST_WHY], gone=True, loan_id=loan_id)
    if line.out:
        units = line.broken - max(0, line.gone - line.missing) if in_units else 1
        yield Repair(code, min(max(1, units), most), line.out_until, line.note[:MOST_WHY], loan_id=loan_id)


def _thing(session: Session, code: str) -> Thing:
    found = catalog.things_by_code(session, [code])
    if code not in found:
        raise NotFound
    return found[code]
