"""How many of a thing there are: what is gone for good leaves the stock, what turns up comes back, with a trace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload

from sharebank.accounts.actor import Actor
from sharebank.accounts.permissions import may_house, require
from sharebank.catalog import editing
from sharebank.catalog import service as catalog
from sharebank.catalog.models import Resource
from sharebank.catalog.service import Thing
from sharebank.core.errors import N_, ChangedMeanwhile, NotFound, Refused
from sharebank.reservations.handover import handover
from sharebank.reservations.handover.handover_models import Handover, HandoverLine, StockChange
from sharebank.reservations.handover.handover_rules import MoreThanWentOut, pieces_counted
from sharebank.reservations.models import Reservation, ReservationLine
from sharebank.reservations.rules import BadQuantity
from sharebank.reservations.states import ReasonMissing

SHOWN = 20


class StockChanged(ChangedMeanwhile):
    """What was on the page is no longer what there is: somebody else said so, or the same button was pressed twice."""

    code = "stock_changed"
    sentence = N_(
        "How many there are, or are out of service, changed meanwhile: perhaps this was sent already. Nothing was"
        " stored this time: look at the thing, then send it once more if it still has to be."
    )


class MoreThanGone(Refused):
    """More would be found again than was taken off."""

    code = "more_than_gone"
    sentence = N_("Only %(gone)s were taken off the stock.")


def change(
    session: Session, actor: Actor, thing: Thing, units: int, why: str, now: datetime, loan_id: int | None = None
) -> None:
    """So many more, or fewer, under the lock of the thing's calendar; raises NotAllowed, StillBooked."""
    editing.restock(session, actor, thing.code, units)
    trace = {"reservation_id": loan_id, "at": now, "user_id": actor.user_id, "units": units, "why": why}
    session.add(StockChange(resource_id=thing.id, **trace))
    session.flush()


def mark(session: Session, code: str) -> str:
    """What a page of a thing's stock rests on: another one each time units leave, come back or go out of service."""
    changed = select(func.max(StockChange.id)).where(StockChange.resource_id == Resource.id)
    closed = select(func.max(ReservationLine.id)).join(Reservation)
    closed = closed.where(ReservationLine.resource_id == Resource.id, Reservation.kind == "closure")
    last = (query.correlate(Resource).scalar_subquery() for query in (changed, closed))
    found = session.execute(select(Resource.quantity, Resource.in_service, *last).where(Resource.code == code)).one()
    return "-".join(map(str, found))


def check_mark(session: Session, thing: Thing, seen: str | None) -> None:
    """Raises StockChanged unless the thing's mark is still the one that was `seen`, where that is said."""
    if seen is not None and seen != mark(session, thing.code):
        raise StockChanged


def found_again(
    session: Session, actor: Actor, code: str, units: int, why: str, now: datetime, seen: str | None = None
) -> Thing:
    """Put back what turned up; raises NotFound, NotAllowed, ReasonMissing, BadQuantity, StockChanged, MoreThanGone."""
    thing = editable(session, actor, code)
    if not why.strip():
        raise ReasonMissing("why")
    if units < 1:
        raise BadQuantity("units", thing=thing.name)
    [thing] = catalog.lock_calendars(session, [thing])
    check_mark(session, thing, seen)
    if units > (most := gone(session, thing.id)):
        raise MoreThanGone("units", gone=most)
    change(session, actor, thing, units, why.strip(), now)
    return thing


def editable(session: Session, actor: Actor, code: str) -> Thing:
    """The thing, by somebody who may say how many there are; raises NotFound, NotAllowed."""
    thing = catalog.things_by_code(session, [code]).get(code)
    if thing is None:
        raise NotFound
    require(may_house(actor, "edit_catalogue", thing.house_id))
    return thing


def gone(session: Session, resource_id: int) -> int:
    """Units taken off the stock and not found again."""
    query = select(func.coalesce(func.sum(StockChange.units), 0)).where(StockChange.resource_id == resource_id)
    return -int(session.scalar(query) or 0)


def out(session: Session, resource_id: int) -> int:
    """Units with borrowers now, those that are late too."""
    query = select(func.sum(ReservationLine.quantity)).join(Reservation)
    query = query.where(ReservationLine.resource_id == resource_id, ReservationLine.holds)
    return int(session.scalar(query.where(Reservation.status == "collected")) or 0)


def check_taken(session: Session, thing: Thing, units: int, loan_id: int) -> None:
    """A loan cannot lose more than it took, at however many returns: raises MoreThanWentOut."""
    line, went = ReservationLine, select(HandoverLine.quantity).join(Handover)
    went = went.where(Handover.reservation_id == loan_id, Handover.kind == "collect")
    most = session.scalar(went.where(HandoverLine.resource_id == thing.id))
    if most is None:  # nothing was written down: it took what was booked
        booked = select(line.quantity).where(line.reservation_id == loan_id, line.resource_id == thing.id)
        most = session.scalar(booked) or 0
    if _taken(session, loan_id, thing.id) + units > most:
        raise MoreThanWentOut("units", thing=thing.name, out=most)


def in_units(line: HandoverLine, out: Mapping[int, HandoverLine]) -> bool:
    """Are missing and broken ones of a return units, not pieces? `out` is what was collected."""
    then = [out[line.resource_id].facts] if line.resource_id in out else []
    return handover.is_pool(line.resource) and not pieces_counted(line.facts, *then)


def missing(session: Session, loan_id: int, thing: Thing) -> int:
    """Units a loan did not bring back that the stock still counts; none where pieces are counted."""
    done = handover.meetings(session, loan_id)
    before = handover.went_out(done)
    back = [line for meeting in done if meeting.kind == "return" for line in meeting.lines]
    lines = [line for line in back if line.resource_id == thing.id and in_units(line, before)]
    return sum(line.missing for line in lines) - _taken(session, loan_id, thing.id)


def _taken(session: Session, loan_id: int, resource_id: int) -> int:
    """Units that left the stock with a loan."""
    query = select(func.sum(StockChange.units)).where(StockChange.reservation_id == loan_id, StockChange.units < 0)
    return -int(session.scalar(query.where(StockChange.resource_id == resource_id)) or 0)


def trace(session: Session, actor: Actor, thing: Resource) -> Sequence[StockChange]:
    """What left the stock and came back, newest first; the house's to read."""
    if not may_house(actor, "edit_catalogue", thing.house_id):
        return ()
    query = select(StockChange).where(StockChange.resource_id == thing.id)
    query = query.options(joinedload(StockChange.reservation), joinedload(StockChange.user))
    return session.scalars(query.order_by(StockChange.id.desc()).limit(SHOWN)).all()
