"""Need first: what could be had for a period, and why not what could not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from sharebank.accounts.actor import Actor
from sharebank.accounts.permissions import may_house
from sharebank.catalog import service as catalog
from sharebank.catalog.service import Thing, Wish
from sharebank.core.errors import Refused
from sharebank.core.period import Period
from sharebank.insurance.rules import Lapse, thing_refusal
from sharebank.insurance.service import first_lapses
from sharebank.lending.kinds import FORM_FIELDS
from sharebank.reservations.asking import NO_DETAILS, look_up
from sharebank.reservations.availability import free_units, open_for
from sharebank.reservations.gate import Weighed, weigh
from sharebank.reservations.rules import InThePast, NotEnough, OutOfService, TakenThen, broken

SHOWN = 30
"""Answers on one page: nobody reads further, they say more of what they need."""


@dataclass(frozen=True, slots=True)
class Offer:
    """One thing, how many could be had, and what speaks against it."""

    thing: Thing
    wanted: int
    free: int
    why_not: Refused | None
    outside_hours: bool
    at_once: bool
    """Booked, not asked for: the actor is of the owner's staff, or the rules want no decision."""
    begun: bool
    """It would begin in the past: the owner's staff note what was lent."""


def search(
    session: Session, actor: Actor, wish: Wish, number: int | None, period: Period, now: datetime, tz: ZoneInfo
) -> list[Offer]:
    """What fits: free first, then what is called so, the nearest house, the smallest that is large enough.

    `number` means people for a room or a vehicle and pieces for equipment. Without a word, a number alone looks
    for places to be and seats to travel, not for things by the piece.
    """
    found = catalog.find_things(session, wish)
    if number:
        found = [thing for thing in found if _large_enough(thing, number, bool(wish.words or wish.kind))]
    wanted = {thing.code: number if number and thing.kind == "equipment" else 1 for thing in found}
    offers = offer(session, actor, found, wanted, period, now, tz)
    sought = catalog.words(wish.words)
    offers.sort(
        key=lambda o: (
            o.why_not is not None,
            not _called_so(o.thing, sought),
            o.thing.house != actor.house,
            o.thing.capacity or o.thing.seats or 0,
            o.thing.code,
        )
    )
    return offers


def _called_so(thing: Thing, sought: Sequence[str]) -> bool:
    """Do the words stand in its name or category, and not only in what is said of it?"""
    called = catalog.fold(f"{thing.name} {thing.category}") if sought else ""
    return all(word in called for word in sought)


def _large_enough(thing: Thing, number: int, named: bool) -> bool:
    if thing.kind == "equipment":
        return named and thing.quantity >= min(number, 2)
    return (thing.capacity or thing.seats or 0) >= number


def offer(
    session: Session,
    actor: Actor,
    things: Sequence[Thing],
    wanted: Mapping[str, int],
    period: Period,
    now: datetime,
    tz: ZoneInfo,
) -> list[Offer]:
    """How each of these things stands for a period, for the first of the actor's organisations."""
    if not things:
        return []
    own = {thing.house_id: may_house(actor, "book_at_once", thing.house_id) for thing in things}
    known = look_up(session, actor.roles[0], things, period.start, NO_DETAILS, tz)
    return standing(session, weigh(things, wanted, known, own, period, now, tz), period, now, tz)


def standing(session: Session, weighed: Sequence[Weighed], period: Period, now: datetime, tz: ZoneInfo) -> list[Offer]:
    """How each of these things stands for a period, now that its rules were asked.

    A rule about what is not said yet (how many people, who drives) speaks against nothing: the next page asks.
    """
    things = [one.thing for one in weighed]
    free = free_units(session, things, period)
    lapsing = first_lapses(session, things, period, tz)
    return [
        Offer(
            one.thing,
            one.asked.quantity,
            free[one.thing.id],
            _why_not(one, free[one.thing.id], period, now, lapsing.get(one.thing.code)),
            not open_for(one.thing, period, tz),
            not one.decision.needed,
            period.start < now,
        )
        for one in weighed
    ]


def _why_not(one: Weighed, free: int, period: Period, now: datetime, lapse: Lapse | None) -> Refused | None:
    """The first reason a booking would be refused for, in the order the booking itself asks."""
    thing, wanted = one.thing, one.asked.quantity
    if not thing.in_service:
        return OutOfService(thing=thing.name)
    if not one.own and period.start < now:
        return InThePast("starts_at")
    unsaid = [breach for breach in one.found if breach.field not in FORM_FIELDS]
    if refusal := broken(thing.code, unsaid, overridable=one.own):
        return refusal
    if lapse:
        return thing_refusal(lapse, overridable=one.own)
    if wanted > thing.quantity:
        return NotEnough(thing=thing.name, quantity=thing.quantity, wanted=wanted)
    if wanted > free:
        return TakenThen(free=free, wanted=wanted)
    return None
