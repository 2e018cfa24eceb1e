"""Reading calendars: what is taken, what is free, and what else there is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from sharebank.accounts.actor import Actor
from sharebank.accounts.hours import within_opening_hours
from sharebank.accounts.permissions import may_loan
from sharebank.catalog import service as catalog
from sharebank.catalog.models import Resource
from sharebank.catalog.service import Thing, Wish
from sharebank.core.db import Instant
from sharebank.core.period import NonexistentTime, Period, to_local, to_utc
from sharebank.core.prepared import Prepared, one_of, unseen
from sharebank.insurance.rules import gap
from sharebank.insurance.service import days_of_loan, first_lapses, spans_in_doubt
from sharebank.reservations.models import Reservation, ReservationLine
from sharebank.reservations.rules import Claim, Collision, Conflict, Use, WayOut, free_starts, peak, uses

NEAREST = 3
"""How many of each way out are offered."""
REACH = timedelta(days=14)
"""How far from the wished time another slot of the same thing is looked for."""

_line = ReservationLine.__table__.c
WITHIN = (
    # Equality on the resource and a start bounded on both sides: the index finds these rows alone. With
    # `starts_at < x AND ends_at > y` a database reads all the history before x.
    one_of(_line.resource_id, "ids"),
    _line.starts_at < unseen("until", Instant()),
    _line.starts_at > unseen("look_back", Instant()),
    _line.ends_at > unseen("since", Instant()),
)
"""Lines of these `ids` that touch the time between `since` and `until`, none of them longer than from `look_back`."""
_claims = select(_line.resource_id, _line.starts_at, _line.ends_at, _line.quantity).where(*WITHIN, _line.holds)
_CLAIMS = Prepared(_claims)
_CLAIMS_BUT = Prepared(_claims.where(_line.reservation_id.not_in(bindparam("but", expanding=True))))


def claims(
    session: Session, things: Iterable[Thing], over: Period, *, but: Collection[int] = ()
) -> Mapping[int, list[Claim]]:
    """What takes units of these things at some instant of `over`, by resource id; `but` leaves out reservations."""
    found: dict[int, list[Claim]] = defaultdict(list)
    reach: dict[int, int] = {thing.id: thing.longest_hold for thing in things}
    if not reach:
        return found
    look_back = over.start - timedelta(seconds=max(reach.values()) + 1)
    facts: dict[str, Any] = {"ids": list(reach), "until": over.end, "since": over.start, "look_back": look_back}
    rows = _CLAIMS_BUT.all(session, {**facts, "but": list(but)}) if but else _CLAIMS.all(session, facts)
    for row in rows:
        found[row.resource_id].append(Claim(Period(row.starts_at, row.ends_at), row.quantity))
    return found


def hold_of(thing: Thing, period: Period) -> Period:
    """The time a loan takes from a thing: its period and the buffers around it."""
    return period.widened(thing.limits.buffer_before_min, thing.limits.buffer_after_min)


def widest(things: Iterable[Thing], period: Period) -> Period:
    """A period that covers every thing's hold."""
    holds = [hold_of(thing, period) for thing in things] or [period]
    return Period(min(hold.start for hold in holds), max(hold.end for hold in holds))


def free_units(session: Session, things: Sequence[Thing], period: Period) -> dict[int, int]:
    """How many units of each thing can be had over the whole period, by resource id; out of service: 0."""
    taken = claims(session, things, widest(things, period))
    return {
        thing.id: max(0, thing.quantity - peak(taken[thing.id], hold_of(thing, period))) if thing.in_service else 0
        for thing in things
    }


def busy(session: Session, thing: Thing, over: Period) -> list[Use]:
    """When units of one thing are in use within `over`: merged, sorted, cut to it."""
    return [
        Use(Period(max(use.period.start, over.start), min(use.period.end, over.end)), use.used)
        for use in uses(claims(session, [thing], over)[thing.id])
        if use.period.overlaps(over)
    ]


def open_for(thing: Thing, period: Period, tz: ZoneInfo) -> bool:
    """Can it be had without a key holder?"""
    return within_opening_hours(thing.hours, thing.kind, to_local(period.start, tz), to_local(period.end, tz))


def shortage(thing: Thing, taken: Sequence[Claim], wanted: int, hold: Period) -> Conflict | None:
    """What keeps `wanted` units from being had over `hold`, or nothing; says when, and how many are free."""
    free = max(0, thing.quantity - peak(taken, hold))
    if wanted <= free:
        return None
    tight = [use.period for use in uses(taken) if use.used + wanted > thing.quantity and use.period.overlaps(hold)]
    when = Period(tight[0].start, tight[-1].end) if tight else hold
    return Conflict(thing.code, thing.name, wanted, thing.quantity, free, when)


Permit = Callable[[Thing, Period, int], bool]
"""Do the rules of lending let somebody have so many units of a thing then?"""


def explain(
    session: Session,
    actor: Actor,
    conflicts: Iterable[Conflict],
    period: Period,
    now: datetime,
    tz: ZoneInfo,
    permits: Permit | None = None,
) -> Collision:
    """The same refusal with what a person needs: who has it, where the actor may know, and the ways out."""
    told, out = [], []
    for conflict in conflicts:
        told.append(replace(conflict, **_holders(session, actor, conflict)))
        out += ways_out(session, conflict, period, now, tz, permits)
    return Collision(told, out)


def _holders(session: Session, actor: Actor, conflict: Conflict) -> dict[str, Any]:
    """Who is in the way: the purposes the actor may know, and whether it is closed rather than lent."""
    query = (
        select(Reservation)
        .join(ReservationLine)
        .join(Resource)
        .where(
            Resource.code == conflict.resource,
            ReservationLine.holds,
            ReservationLine.starts_at < conflict.period.end,
            ReservationLine.ends_at > conflict.period.start,
        )
        .order_by(Reservation.starts_at)
        .limit(20)
    )
    loans = list(session.scalars(query))
    return {
        "holders": tuple(loan.purpose for loan in loans if loan.public or may_loan(actor, "see", loan)),
        "closed": any(loan.kind == "closure" for loan in loans),
    }


def ways_out(
    session: Session, conflict: Conflict, period: Period, now: datetime, tz: ZoneInfo, permits: Permit | None = None
) -> list[WayOut]:
    """What could be had instead: fewer, the nearest other slots, the same kind of thing elsewhere.

    If the wished time was within opening hours, so is every slot offered; and nothing is offered past the end of its
    insurance, nor what the rules forbid.
    """
    permits = permits or _anything
    thing = catalog.things_by_code(session, [conflict.resource])[conflict.resource]
    wanted = conflict.wanted
    found = [_way(thing, thing, period, conflict.free, conflict.free, "less")] if conflict.free else []
    if thing.in_service and wanted <= thing.quantity:
        found += [
            _way(thing, thing, slot, wanted, wanted, "slot")
            for slot in _slots(session, thing, wanted, period, now, tz, permits)
        ]
    same_kind = Wish(kind=thing.kind, category=thing.category, in_service_only=True)
    others = [other for other in catalog.find_things(session, same_kind) if other.id != thing.id]
    free = free_units(session, others, period)
    size = thing.capacity or thing.seats or 0
    others.sort(key=lambda other: (abs((other.capacity or other.seats or 0) - size), other.code))
    lapsing = first_lapses(session, others, period, tz)
    elsewhere = (
        other
        for other in others
        if free[other.id] >= wanted and other.code not in lapsing and permits(other, period, wanted)
    )
    return found + [
        _way(thing, other, period, wanted, free[other.id], "elsewhere") for other in islice(elsewhere, NEAREST)
    ]


def _anything(_thing: Thing, _period: Period, _wanted: int) -> bool:
    return True


def _slots(
    session: Session, thing: Thing, wanted: int, period: Period, now: datetime, tz: ZoneInfo, permits: Permit
) -> Iterator[Period]:
    """The nearest slots of the same length in which a thing can be had."""
    hold = hold_of(thing, period)
    around = Period(hold.start - REACH, hold.end + REACH)
    taken, doubts = claims(session, [thing], around)[thing.id], spans_in_doubt(session, thing.id, around, tz)
    was_open, since = open_for(thing, period, tz), min(now, period.start)
    same_hour = [start - (period.start - hold.start) for start in same_hour_starts(period, tz)]
    slots = (
        period.moved(slot.start - hold.start)
        for slot in free_starts(taken, thing.quantity, wanted, hold, reach=REACH, also=same_hour)
    )
    usable = (
        slot
        for slot in slots
        if slot.start >= since
        and (open_for(thing, slot, tz) or not was_open)
        and permits(thing, slot, wanted)
        and all(gap(spans, *days_of_loan(slot, tz)) is None for spans in doubts)
    )
    return islice(usable, NEAREST)


def same_hour_starts(period: Period, tz: ZoneInfo) -> Iterator[datetime]:
    """The hour it was wished for, on the wall, on each other day within reach."""
    wall = to_local(period.start, tz)
    for days in range(-REACH.days, REACH.days + 1):
        with suppress(NonexistentTime):
            yield to_utc(wall + timedelta(days=days), tz)


def _way(asked: Thing, thing: Thing, period: Period, quantity: int, free: int, kind: str) -> WayOut:
    return WayOut(thing.code, thing.name, thing.house, period, quantity, free, kind, asked.code)
