"""Need first: what could be had for a period, and why not what could not."""

from __future__ import annotations

from collections.abc import Sequence
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
from sharebank.reservations.availability import free_units, open_for
from sharebank.reservations.rules import NotEnough, OutOfService, TakenThen, check_length, check_limits

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
    """The actor is of the owner's staff: booked, not asked for."""


def search(
    session: Session, actor: Actor, wish: Wish, number: int | None, period: Period, now: datetime, tz: ZoneInfo
) -> list[Offer]:
    """What fits, free first, nearest house first, smallest that is large enough first.

    `number` means people for a room or a vehicle and pieces for equipment. Without a word, a number alone looks
    for places to be and seats to travel, not for things by the piece.
    """
    found = catalog.find_things(session, wish)
    if number:
        found = [thing for thing in found if _large_enough(thing, number, bool(wish.words or wish.kind))]
    wanted = {thing.code: number if number and thing.kind == "equipment" else 1 for thing in found}
    offers = offer(session, actor, found, wanted, period, now, tz)
    offers.sort(
        key=lambda o: (
            o.why_not is not None,
            o.thing.house != actor.house,
            o.thing.capacity or o.thing.seats or 0,
            o.thing.code,
        )
    )
    return offers


def _large_enough(thing: Thing, number: int, named: bool) -> bool:
    if thing.kind == "equipment":
        return named and thing.quantity >= min(number, 2)
    return (thing.capacity or thing.seats or 0) >= number


def offer(
    session: Session,
    actor: Actor,
    things: Sequence[Thing],
    wanted: dict[str, int],
    period: Period,
    now: datetime,
    tz: ZoneInfo,
) -> list[Offer]:
    """How each of these things stands for a period."""
    free = free_units(session, things, period)
    lapsing = first_lapses(session, things, period, tz)
    return [
        Offer(
            thing,
            wanted[thing.code],
            free[thing.id],
            _why_not(
                thing,
                wanted[thing.code],
                free[thing.id],
                period,
                now,
                tz,
                lapsing.get(thing.code),
                own := _own(actor, thing),
            ),
            not open_for(thing, period, tz),
            own,
        )
        for thing in things
    ]


def _own(actor: Actor, thing: Thing) -> bool:
    return may_house(actor, "book_at_once", thing.house_id)


def _why_not(
    thing: Thing, wanted: int, free: int, period: Period, now: datetime, tz: ZoneInfo, lapse: Lapse | None, own: bool
) -> Refused | None:
    """The first reason a booking would be refused for, in the order the booking itself asks."""
    if not thing.in_service:
        return OutOfService(thing=thing.name)
    try:
        if own:
            check_length(thing.limits, period, tz, thing.name)
        else:
            check_limits(thing.limits, period, now, tz, thing.name)
    except Refused as refused:
        return refused
    if lapse:
        return thing_refusal(lapse, overridable=own)
    if wanted > thing.quantity:
        return NotEnough(thing=thing.name, quantity=thing.quantity, wanted=wanted)
    if wanted > free:
        return TakenThen(free=free, wanted=wanted)
    return None
