"""What could be had instead of the dates of a series that cannot: few queries, whatever the number of dates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from sharebank.catalog import service as catalog
from sharebank.catalog.service import Thing, Wish
from sharebank.core.period import Period, first_instant, to_local
from sharebank.insurance.rules import gap
from sharebank.insurance.service import days_of_loan, spans_by_thing
from sharebank.reservations.availability import claims, hold_of, open_for
from sharebank.reservations.rules import WayOut, free_starts, peak
from sharebank.reservations.series.series_judging import Date, Preview, Taken

SAME_DAY = 2
"""Other hours of the day that are offered, and as many things elsewhere."""
LIKEST = 4
"""Things whose calendars are read first; those of the others only when some date finds too few among these."""


def advise(session: Session, found: Preview, wants: Mapping[str, int], now: datetime, tz: ZoneInfo) -> None:
    """Offer another hour that day, or the like elsewhere, for each date that cannot be had; six queries a thing."""
    barred = [one for one in found.dates if one.period and not one.bookable and one.state in ("conflict", "closed")]
    for thing in found.things:
        own = [
            (one, one.period)
            for one in barred
            if one.period and (not one.conflicts or any(thing.code == short.resource for short in one.conflicts))
        ]
        if own:
            span = Period(min(period.start for _, period in own) - DAY, max(period.end for _, period in own) + DAY)
            taken = Taken(claims(session, [thing], span)[thing.id])
            for one, period in own:
                if one.conflicts and one.why is None and wants[thing.code] <= thing.quantity:
                    one.ways_out += tuple(_same_day(thing, wants[thing.code], period, taken, now, tz))
            _elsewhere(session, thing, wants[thing.code], own, span, tz)


DAY = timedelta(days=1)


def _elsewhere(
    session: Session, thing: Thing, wanted: int, barred: Sequence[tuple[Date, Period]], span: Period, tz: ZoneInfo
) -> None:
    """Things of the same kind, of the likest size first."""
    same_kind = Wish(kind=thing.kind, category=thing.category, in_service_only=True)
    size = thing.capacity or thing.seats or 0
    others = [other for other in catalog.find_things(session, same_kind) if other.id != thing.id]
    others.sort(key=lambda other: (abs((other.capacity or other.seats or 0) - size), other.code))
    offers: dict[Date, list[WayOut]] = {one: [] for one, _ in barred}
    for batch in (others[:LIKEST], others[LIKEST:]):
        short = [(one, period, days_of_loan(period, tz)) for one, period in barred if len(offers[one]) < SAME_DAY]
        if not (batch and short):
            break
        found = claims(session, batch, span)
        taken = {other.id: Taken(found[other.id]) for other in batch}
        doubts = spans_by_thing(session, [other.id for other in batch], span, tz)
        for one, period, days in short:
            free = (
                (other, other.quantity - peak(taken[other.id].near(hold), hold))
                for other in batch
                for hold in (hold_of(other, period),)
            )
            insured = (
                WayOut(other.code, other.name, other.house, period, wanted, left, "elsewhere")
                for other, left in free
                if left >= wanted and all(gap(spans, *days) is None for spans in doubts[other.id])
            )
            offers[one] += islice(insured, SAME_DAY - len(offers[one]))
    for one, ways in offers.items():
        one.ways_out += tuple(ways)


def _same_day(thing: Thing, wanted: int, period: Period, taken: Taken, now: datetime, tz: ZoneInfo) -> list[WayOut]:
    """The nearest other hours of that day; within opening hours if the wished one was."""
    hold, local = hold_of(thing, period), to_local(period.start, tz).date()
    today = Period(first_instant(local, tz), first_instant(local + timedelta(days=1), tz))
    was_open = open_for(thing, period, tz)
    reach = timedelta(days=1)
    near = taken.near(Period(hold.start - reach, hold.end + reach))
    moved = (
        period.moved(slot.start - hold.start) for slot in free_starts(near, thing.quantity, wanted, hold, reach=reach)
    )
    good = (
        slot
        for slot in moved
        if today.start <= slot.start < today.end
        and slot.start >= now
        and (slot.end <= today.end or period.end > today.end)
        and (open_for(thing, slot, tz) or not was_open)
    )
    return [
        WayOut(thing.code, thing.name, thing.house, slot, wanted, wanted, "slot") for slot in islice(good, SAME_DAY)
    ]
