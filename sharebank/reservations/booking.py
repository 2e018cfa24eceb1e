"""Taking a reservation: several things of several lenders in one go, all or nothing."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import bindparam, insert, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from sharebank.accounts import directory
from sharebank.accounts.actor import Actor, Role
from sharebank.accounts.permissions import may_body, may_house, require
from sharebank.catalog import service as catalog
from sharebank.catalog.service import Thing
from sharebank.core.period import Period, to_local
from sharebank.core.prepared import Prepared
from sharebank.notifications.service import Recipient, post
from sharebank.reservations.asking import Ask, look_up, stored
from sharebank.reservations.availability import claims, hold_of, open_for, shortage, ways_out
from sharebank.reservations.deciding.links import ask_to_decide
from sharebank.reservations.gate import Permits, Verdict, judge
from sharebank.reservations.models import Reservation, ReservationEvent, ReservationLine
from sharebank.reservations.rules import (
    BadQuantity,
    Collision,
    Conflict,
    InThePast,
    NothingChosen,
    OutOfService,
    UnknownOrganisation,
    UnknownResource,
    WayOut,
)

__all__ = ["Ask", "Booked", "book", "close"]

REF_LETTERS = "23456789BCDFGHJKLMNPQRSTVWXZ"
"""No vowels, no 0/O or 1/I: read aloud without a mistake, and never a word."""


@dataclass(frozen=True, slots=True)
class Booked:
    """One reservation just made, with what its maker needs to say so."""

    ref: str
    status: str
    lender_id: int
    lender: str
    things: tuple[tuple[Thing, int], ...]
    outside_hours: bool
    why: str = ""
    """What its first event says: a rule overruled, with the reason."""


def new_ref(now: datetime, tz: ZoneInfo) -> str:
    """A reference such as `R26-7KQ4MX`: the year, then six letters nobody can guess or mistake."""
    many = len(REF_LETTERS)
    drawn = secrets.randbelow(many**6)
    return f"R{to_local(now, tz):%y}-" + "".join(REF_LETTERS[drawn // many**place % many] for place in range(6))


def book(session: Session, actor: Actor, ask: Ask, now: datetime, tz: ZoneInfo) -> list[Booked]:
    """Reserve everything asked for, one reservation a lender, or nothing at all.

    The owner's staff book at once, and so does whoever keeps to rules that want no decision; else the request holds the
    slot. Raises a Refused; a Collision carries what is in the way, RuleBroken which rules are not kept,
    InsuranceLapses which contract ends too early.
    """
    if not ask.wants:
        raise NothingChosen("lines")
    things = things_of(catalog.locked_by_code(session, ask.wants), ask.wants)
    borrower = borrower_of(session, actor, ask.organisation)
    own = {thing.house_id: may_house(actor, "book_at_once", thing.house_id) for thing in things}
    for thing in things:
        if not thing.in_service:
            raise OutOfService("lines", thing=thing.name)
    if ask.period.start < now and not all(own.values()):
        raise InThePast("starts_at")
    known = look_up(session, borrower, things, ask.period.start, ask.details, tz)
    verdicts = judge(session, things, own, borrower, ask, known, now, tz)
    holds = {thing.id: hold_of(thing, ask.period) for thing in things}
    _refuse_collisions(session, things, holds, ask)
    return _store(session, actor, ask, borrower, things, holds, verdicts, now, tz, details=stored(ask.details, known))


def close(session: Session, actor: Actor, ask: Ask, now: datetime, tz: ZoneInfo) -> list[Booked]:
    """Take things out of the calendar for a period: a closure is a line like any other, without buffers.

    Raises NotAllowed unless the actor is of the owner's staff, Collision when somebody has them.
    """
    if not ask.wants:
        raise NothingChosen("lines")
    things = things_of(catalog.locked_by_code(session, ask.wants), ask.wants)
    for thing in things:
        require(may_house(actor, "close", thing.house_id))
    holds = {thing.id: ask.period for thing in things}
    _refuse_collisions(session, things, holds, ask)
    owner = borrower_of(session, actor, things[0].house)
    closed = {thing.house_id: Verdict("approved") for thing in things}
    return _store(session, actor, ask, owner, things, holds, closed, now, tz, kind="closure")


def things_of(found: Mapping[str, Thing], wants: Mapping[str, int]) -> list[Thing]:
    """The things that are wanted, in that order; raises a Refused when one is unknown or none of it is asked for."""
    for code, quantity in wants.items():
        if code not in found:
            raise UnknownResource("lines", value=code)
        if quantity < 1:
            raise BadQuantity("lines", thing=found[code].name)
    return [found[code] for code in wants]


def borrower_of(session: Session, actor: Actor, code: str) -> Role:
    """The organisation a loan is for: one of the actor's own costs no query. Raises UnknownOrganisation."""
    own = next((role for role in actor.roles if role.organisation == code), None)
    borrower = own or directory.organisation(session, code)
    if borrower is None or not may_body(actor, "borrow_for", borrower):
        raise UnknownOrganisation("organisation", value=code)
    return borrower


def _refuse_collisions(session: Session, things: Sequence[Thing], holds: Mapping[int, Period], ask: Ask) -> None:
    found = _shortages(session, things, holds, ask)
    between_check_and_insert()
    if found:
        raise Collision(found)


def _shortages(session: Session, things: Sequence[Thing], holds: Mapping[int, Period], ask: Ask) -> list[Conflict]:
    span = Period(min(hold.start for hold in holds.values()), max(hold.end for hold in holds.values()))
    taken = claims(session, things, span)
    short = (shortage(thing, taken[thing.id], ask.wants[thing.code], holds[thing.id]) for thing in things)
    return [conflict for conflict in short if conflict]


def conflicts(session: Session, ask: Ask) -> list[Conflict]:
    """What stands in the way of an ask at this moment."""
    things = things_of(catalog.things_by_code(session, ask.wants), ask.wants)
    return _shortages(session, things, {thing.id: hold_of(thing, ask.period) for thing in things}, ask)


def permits(session: Session, actor: Actor, ask: Ask, now: datetime, tz: ZoneInfo) -> Permits | None:
    """What the rules would say of other slots and things; nothing of a closure, which they do not bind."""
    return (
        Permits(session, actor, borrower_of(session, actor, ask.organisation), now, tz, ask.details)
        if ask.organisation
        else None
    )


def around(
    session: Session, barred: str, ask: Ask, now: datetime, tz: ZoneInfo, allowed: Permits | None
) -> tuple[WayOut, ...]:
    """What could be had instead of a thing that its rules or its insurance bar: another time, or the like elsewhere."""
    thing = catalog.things_by_code(session, [barred])[barred]
    wanted = ask.wants[thing.code]
    conflict = Conflict(thing.code, thing.name, wanted, thing.quantity, 0, hold_of(thing, ask.period))
    return tuple(ways_out(session, conflict, ask.period, now, tz, allowed))


def between_check_and_insert() -> None:
    """Nothing; the race tests pause here, where a naive service would lose the race."""


_loan = Reservation.__table__.c
_INSERT = {
    name: dialect.insert(Reservation).on_conflict_do_nothing(index_elements=["ref"])
    for name, dialect in {"sqlite": sqlite, "postgresql": postgresql}.items()
}
_RESERVATION = Prepared({name: statement.returning(_loan.id) for name, statement in _INSERT.items()})
_RESERVATIONS = Prepared({name: statement.inline() for name, statement in _INSERT.items()})
_OF_SERIES = Prepared(select(_loan.id, _loan.ref).where(_loan.series_id == bindparam("series")))
LINE, EVENT = (Prepared(insert(model).inline()) for model in (ReservationLine, ReservationEvent))


def add(session: Session, facts: dict[str, Any], now: datetime, tz: ZoneInfo, request: str = "") -> tuple[int, str]:
    """Write a reservation, asked for with the one that `request` names or alone; its id and its reference."""
    while True:
        # A reference drawn at random may be taken already: then no row is written, and another one is drawn.
        ref = new_ref(now, tz)
        for row in _RESERVATION.all(session, {**facts, "ref": ref, "request": request or ref}):
            return row.id, ref


def add_dates(
    session: Session, series_id: int, dates: Sequence[dict[str, Any]], now: datetime, tz: ZoneInfo
) -> list[tuple[int, str]]:
    """Insert reservations of a series, locked or new, in one trip; ids and references in the order of the dates."""

    def there() -> dict[str, int]:
        return {row.ref: row.id for row in _OF_SERIES.all(session, {"series": series_id})}

    found, made = there() if dates else {}, dict[int, tuple[int, str]]()
    while left := [place for place in range(len(dates)) if place not in made]:
        drawn = {ref: place for place in left if (ref := new_ref(now, tz)) not in found}
        rows = [{**dates[place], "series_id": series_id, "ref": ref, "request": ref} for ref, place in drawn.items()]
        _RESERVATIONS.add(session, rows)
        found = there()
        made |= {drawn[ref]: (found[ref], ref) for ref in drawn.keys() & found}
    return [made[place] for place in range(len(dates))]


def _store(
    session: Session,
    actor: Actor,
    ask: Ask,
    borrower: Role,
    things: Sequence[Thing],
    holds: Mapping[int, Period],
    verdicts: Mapping[int, Verdict],
    now: datetime,
    tz: ZoneInfo,
    *,
    details: Mapping[str, Any] = MappingProxyType({}),
    kind: str = "loan",
) -> list[Booked]:
    """Write the rows, one reservation a lender, and post their letters; plain inserts, this is the hot path."""
    booked: list[Booked] = []
    for house_id, own in groupby(sorted(things, key=lambda t: t.house_id), key=lambda t: t.house_id):
        lent, verdict = list(own), verdicts[house_id]
        facts = {
            "kind": kind,
            "lender_id": house_id,
            "borrower_id": house_id if kind == "closure" else borrower.organisation_id,
            "user_id": actor.user_id,
            "starts_at": ask.period.start,
            "ends_at": ask.period.end,
            "status": verdict.status,
            "purpose": ask.purpose,
            "public": ask.public,
            "created_at": now,
            "headcount": ask.details.headcount,
            "details": dict(details),
            "quote": verdict.quote and verdict.quote.to_json(),
            "lapses_at": verdict.lapses_at,
            "approved_once_by_id": actor.user_id if verdict.first_approval else None,
        }
        reservation_id, ref = add(session, facts, now, tz, booked[0].ref if booked else "")
        LINE.add(
            session,
            [
                {
                    "reservation_id": reservation_id,
                    "resource_id": thing.id,
                    "quantity": ask.wants[thing.code],
                    "starts_at": holds[thing.id].start,
                    "ends_at": holds[thing.id].end,
                    "holds": True,
                    "exclusive": False,
                }
                for thing in lent
            ],
        )
        event = {"reservation_id": reservation_id, "at": now, "user_id": actor.user_id, "why": verdict.why}
        EVENT.add(session, [{**event, "status": verdict.status}])
        outside = any(not open_for(thing, ask.period, tz) for thing in lent)
        quantities = tuple((thing, ask.wants[thing.code]) for thing in lent)
        done = Booked(ref, verdict.status, house_id, lent[0].house, quantities, outside, verdict.why)
        if kind == "loan":
            _write_letters(session, actor, ask, borrower, done, reservation_id, now)
        booked.append(done)
    return booked


def _write_letters(
    session: Session, actor: Actor, ask: Ask, borrower: Role, done: Booked, reservation_id: int, now: datetime
) -> None:
    """Whoever booked reads the confirmation; the owner's managers of a request, or that the rules let others book."""
    facts = {
        "ref": done.ref,
        "purpose": ask.purpose,
        "borrower": borrower.name,
        "lender": done.lender,
        "place": done.things[0][0].house_name,
        "status": done.status,
        "starts_at": ask.period.start.isoformat(),
        "ends_at": ask.period.end.isoformat(),
        "things": [[thing.name, quantity] for thing, quantity in done.things],
        "by": actor.name,
    }
    me = Recipient(actor.email, actor.name, actor.locale, actor.user_id, actor.letters)
    post(session, f"reservation:{done.ref}:{done.status}", f"reservation_{done.status}", [me], facts, now)
    if done.status == "requested":
        managers = directory.managers(session, done.lender_id)
        ask_to_decide(session, reservation_id, f"reservation:{done.ref}:to_decide", managers, facts, now)
    elif done.lender_id not in actor.staff_ids:
        # Its key stands apart: what becomes of the loan takes back the letters about it, this one only when it is off.
        managers = directory.managers(session, done.lender_id)
        post(session, f"booked:{done.ref}:", "reservation_booked", managers, facts, now)
