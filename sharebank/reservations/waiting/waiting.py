"""The waiting list: who wants what is taken, first come first; what frees is held a day for the first in line.

Locks are taken in one order everywhere: a reservation, then calendars, then entries.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session, selectinload

from sharebank.accounts import directory
from sharebank.accounts.actor import Actor, Role
from sharebank.accounts.permissions import may_house
from sharebank.catalog import service as catalog
from sharebank.catalog.service import Thing
from sharebank.core.errors import N_, NotFound, Refused
from sharebank.core.period import Period
from sharebank.notifications.service import post
from sharebank.reservations.asking import Ask, look_up, stored
from sharebank.reservations.availability import claims, free_units, hold_of, shortage, widest
from sharebank.reservations.booking import borrower_of, new_ref, things_of
from sharebank.reservations.gate import unpromised, weigh
from sharebank.reservations.lifecycle import about, facts_of
from sharebank.reservations.models import Reservation, ReservationEvent, ReservationLine
from sharebank.reservations.rules import (
    InThePast,
    NotEnough,
    NothingChosen,
    OutOfService,
    broken,
)
from sharebank.reservations.states import LIFECYCLE, OFFER_STANDS, lapse_of
from sharebank.reservations.waiting.waiting_models import WaitingEntry, WaitingLine

MOST = 30
"""Entries one person may have in all lines together."""
MEANWHILE = ("documents", "quota")
"""Rules that one may come to keep while one waits: a document is shown, another loan is given up."""
_UTC = ZoneInfo("UTC")


class FreeNow(Refused):
    """Nobody waits for what can be had: it is booked."""

    status: ClassVar[int] = 409
    code = "free_now"
    sentence = N_("It is free at that time: book it.")


class WaitsAlready(Refused):
    """One place in the line is enough."""

    status: ClassVar[int] = 409
    code = "waits_already"
    sentence = N_("You are already on the waiting list for this.")


class WaitsForTooMuch(Refused):
    """A list that one person fills is of no use to the others."""

    status: ClassVar[int] = 409
    code = "waits_for_too_much"
    sentence = N_("You wait for %(most)s things already. Leave a line you no longer need first.")


def wait(session: Session, actor: Actor, ask: Ask, now: datetime, tz: ZoneInfo) -> list[WaitingEntry]:
    """Put somebody on the list, one entry a lender. Raises a Refused when they could not book it either, or may now."""
    things = _wanted(session, ask)
    if ask.period.start <= now:
        raise InThePast("starts_at")
    body = borrower_of(session, actor, ask.organisation)
    said = _keep_rules(session, actor, ask, body, things, now, tz)
    free = free_units(session, things, ask.period)
    if all(free[thing.id] >= ask.wants[thing.code] for thing in things):
        raise FreeNow
    mine = (WaitingEntry.user_id == actor.user_id, WaitingEntry.state.in_(("waiting", "offered")))
    waits = session.scalars(select(WaitingEntry).where(*mine).options(selectinload(WaitingEntry.lines))).all()
    if len(waits) >= MOST:
        raise WaitsForTooMuch(most=MOST)
    entries = []
    for house_id, own in groupby(sorted(things, key=lambda one: one.house_id), key=lambda one: one.house_id):
        wanted = {thing.id: ask.wants[thing.code] for thing in own}
        if all(free[thing_id] >= quantity for thing_id, quantity in wanted.items()):
            continue  # of this house it can be booked
        for other in waits:
            same = {line.resource_id: line.quantity for line in other.lines} == wanted
            if same and Period(other.starts_at, other.ends_at) == ask.period:
                raise WaitsAlready
        entry = WaitingEntry(
            lender_id=house_id,
            borrower_id=body.organisation_id,
            user_id=actor.user_id,
            starts_at=ask.period.start,
            ends_at=ask.period.end,
            purpose=ask.purpose,
            public=ask.public,
            headcount=ask.details.headcount,
            details=said,
            created_at=now,
            lines=[WaitingLine(resource_id=thing_id, quantity=quantity) for thing_id, quantity in wanted.items()],
        )
        session.add(entry)
        entries.append(entry)
    session.flush()
    return entries


def _keep_rules(
    session: Session, actor: Actor, ask: Ask, body: Role, things: Sequence[Thing], now: datetime, tz: ZoneInfo
) -> dict[str, Any]:
    """What was said besides, as it is kept; notice counts from the day one stands in line.

    Nobody waits for what the rules would not let them have then: raises RuleBroken, NotPromised.
    """
    own = {thing.house_id: may_house(actor, "book_at_once", thing.house_id) for thing in things}
    known = look_up(session, body, things, ask.period.start, ask.details, tz)
    weighed = weigh(things, ask.wants, known, own, ask.period, now, tz, ask.purpose, ask.details)
    for one in weighed:
        if refusal := broken(one.thing.code, [breach for breach in one.found if breach.kind not in MEANWHILE]):
            raise refusal
    for hindrance in unpromised(weighed, ask):
        raise hindrance.refusal
    return stored(ask.details, known)


def _wanted(session: Session, ask: Ask) -> list[Thing]:
    if not ask.wants:
        raise NothingChosen("lines")
    things = things_of(catalog.things_by_code(session, ask.wants), ask.wants)
    for thing in things:
        if ask.wants[thing.code] > thing.quantity:
            raise NotEnough("lines", quantity=thing.quantity, wanted=ask.wants[thing.code])
        if not thing.in_service:
            raise OutOfService("lines", thing=thing.name)
    return things


def leave(session: Session, actor: Actor, entry_id: int) -> None:
    """Leave a line. Raises NotFound unless the actor stands in it."""
    mine = (WaitingEntry.id == entry_id, WaitingEntry.user_id == actor.user_id, WaitingEntry.state == "waiting")
    gone = update(WaitingEntry).where(*mine).values(state="ended").returning(WaitingEntry.id)
    if session.execute(gone.execution_options(synchronize_session=False)).first() is None:
        raise NotFound


def lines_of(session: Session, actor: Actor, now: datetime) -> list[tuple[WaitingEntry, int]]:
    """What the actor waits for, soonest first, each with how many came before them for the same things then."""
    whole = (selectinload(WaitingEntry.lines).joinedload(WaitingLine.resource), selectinload(WaitingEntry.reservation))
    mine = (WaitingEntry.user_id == actor.user_id, WaitingEntry.state.in_(("waiting", "offered")))
    query = select(WaitingEntry).where(*mine, WaitingEntry.starts_at > now).options(*whole)
    found = session.scalars(query.order_by(WaitingEntry.starts_at, WaitingEntry.id)).all()
    return [(entry, _ahead(session, entry)) for entry in found]


def _ahead(session: Session, entry: WaitingEntry) -> int:
    others = (
        select(func.count(func.distinct(WaitingEntry.id)))
        .join(WaitingLine, WaitingLine.entry_id == WaitingEntry.id)
        .where(
            WaitingEntry.state.in_(("waiting", "offered")),
            WaitingEntry.id < entry.id,
            WaitingEntry.starts_at < entry.ends_at,
            WaitingEntry.ends_at > entry.starts_at,
            WaitingLine.resource_id.in_([line.resource_id for line in entry.lines]),
        )
    )
    return session.scalar(others) or 0


# -- something frees ---------------------------------------------------------------------------------


def follow(session: Session, _actor: Actor | None, loan: Reservation, act: str, now: datetime) -> None:
    """After each change of a reservation: an entry follows its offer, and what frees goes to the first in line.

    In the transaction that frees it, so that nobody is faster than those who wait. Only entries whose things are all
    of this reservation, whose calendars its change has locked: the others are the clock's, which locks what it needs.
    """
    if loan.details.get("offer") == "slot":
        state = {"accept": "served", "take": "served"}.get(act) or ("ended" if loan.status != "requested" else None)
        if state:
            own = (WaitingEntry.reservation_id == loan.id, WaitingEntry.state == "offered")
            moved = update(WaitingEntry).where(*own).values(state=state)
            session.execute(moved.execution_options(synchronize_session=False))
    rule = LIFECYCLE.get(act)
    if (rule is None or rule.slot != "keeps") and loan.ends_at > now:
        serve(session, now, {line.resource_id for line in loan.lines})


def serve(session: Session, now: datetime, freed: Collection[int] | None = None) -> int:
    """Offer what is free to those who wait for it, in the order they came; returns how many offers were made.

    `freed` are the things of which something has just been given back, their calendars locked; without, all are looked
    at, which finds what freed in any other way. Who wants more than is free is passed over, and keeps their place.
    """
    candidates = _standing(session, now, freed)
    if not candidates:
        return 0
    wanted = {line.resource_id for entry in candidates for line in entry.lines}
    things = catalog.things_by_id(session, wanted)
    if freed is None:
        # Without a lock first: most of the time nothing has freed, and nobody need wait for us to see that.
        candidates = [entry for entry in candidates if _free(session, entry, things)]
        wanted = {line.resource_id for entry in candidates for line in entry.lines}
        if not candidates:
            return 0
        things = {one.id: one for one in catalog.lock_calendars(session, (things[each] for each in sorted(wanted)))}
    made = 0
    for entry in _locked(session, [entry.id for entry in candidates]):
        if _free(session, entry, things):
            _offer(session, entry, things, now)
            made += 1
    return made


def _standing(session: Session, now: datetime, freed: Collection[int] | None) -> Sequence[WaitingEntry]:
    query = select(WaitingEntry).where(WaitingEntry.state == "waiting", WaitingEntry.starts_at > now)
    query = query.options(selectinload(WaitingEntry.lines)).order_by(WaitingEntry.created_at, WaitingEntry.id)
    if freed is not None:
        touched = select(WaitingLine.entry_id).where(WaitingLine.resource_id.in_(freed))
        query = query.where(WaitingEntry.id.in_(touched))
    found = session.scalars(query).all()
    return [one for one in found if freed is None or {line.resource_id for line in one.lines} <= set(freed)]


def _locked(session: Session, ids: Collection[int]) -> Sequence[WaitingEntry]:
    """The same entries under their locks, without those who left meanwhile."""
    query = select(WaitingEntry).where(WaitingEntry.id.in_(ids), WaitingEntry.state == "waiting")
    query = query.order_by(WaitingEntry.created_at, WaitingEntry.id).with_for_update()
    return session.scalars(query.execution_options(populate_existing=True)).all()


def _free(session: Session, entry: WaitingEntry, things: Mapping[int, Thing]) -> bool:
    period = Period(entry.starts_at, entry.ends_at)
    own = [things[line.resource_id] for line in entry.lines]
    taken = claims(session, own, widest(own, period))
    return all(
        (thing := things[line.resource_id]).in_service
        and shortage(thing, taken[thing.id], line.quantity, hold_of(thing, period)) is None
        for line in entry.lines
    )


def _offer(session: Session, entry: WaitingEntry, things: Mapping[int, Thing], now: datetime) -> None:
    """Hold the slot for a day, and say so."""
    period = Period(entry.starts_at, entry.ends_at)
    ref = new_ref(now, _UTC)
    while session.scalar(select(Reservation.id).where(Reservation.ref == ref)) is not None:
        ref = new_ref(now, _UTC)
    loan = Reservation(
        ref=ref,
        kind="loan",
        request=ref,
        lender_id=entry.lender_id,
        borrower_id=entry.borrower_id,
        user_id=entry.user_id,
        starts_at=entry.starts_at,
        ends_at=entry.ends_at,
        status="requested",
        purpose=entry.purpose,
        public=entry.public,
        created_at=now,
        headcount=entry.headcount,
        details={**entry.details, "offer": "slot", "waited_since": entry.created_at.isoformat()},
        offered=True,
        lapses_at=lapse_of(OFFER_STANDS, now, entry.starts_at),
        events=[ReservationEvent(at=now, user_id=None, status="requested", why="")],
    )
    for line in entry.lines:
        hold = hold_of(things[line.resource_id], period)
        loan.lines.append(
            ReservationLine(
                resource_id=line.resource_id, quantity=line.quantity, starts_at=hold.start, ends_at=hold.end
            )
        )
    session.add(loan)
    session.flush()
    entry.state, entry.reservation_id = "offered", loan.id
    session.flush()
    facts = facts_of(loan)
    post(session, f"{about(loan)}offered", "reservation_offered", [directory.reader(loan.user)], facts, now)


def anybody(session: Session) -> bool:
    """Does somebody wait? A look that takes no lock."""
    return session.scalar(select(WaitingEntry.id).where(WaitingEntry.state == "waiting").limit(1)) is not None


def end_past(session: Session, now: datetime) -> int:
    """Close the lines for what has begun; returns how many."""
    past = (WaitingEntry.state == "waiting", WaitingEntry.starts_at <= now)
    gone = update(WaitingEntry).where(*past).values(state="ended").returning(WaitingEntry.id)
    return len(session.execute(gone.execution_options(synchronize_session=False)).all())
