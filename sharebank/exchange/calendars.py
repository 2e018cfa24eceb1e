"""The calendars of the things an import touches, in memory: what is stored, and what the file adds row by row."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from operator import attrgetter

from sqlalchemy import bindparam, select

from sharebank.catalog.service import Thing
from sharebank.core.errors import Refused
from sharebank.core.period import Period, to_local
from sharebank.exchange.columns import Desk
from sharebank.exchange.refusals import Buffer, Overlap, OverQuantity
from sharebank.reservations.models import Reservation, ReservationLine
from sharebank.reservations.rules import Claim, peak

_start = attrgetter("start")
_loan, _line = Reservation.__table__.c, ReservationLine.__table__.c


@dataclass(frozen=True, slots=True)
class Taken:
    """Units taken over a hold, and the loan's own period within it."""

    start: datetime
    hold: Period
    period: Period
    quantity: int
    ref: str


@dataclass(slots=True)
class Calendar:
    """One thing's: sorted by start; the longest hold says how far back one must look."""

    taken: list[Taken] = field(default_factory=list)
    longest: timedelta = timedelta()

    def add(self, one: Taken) -> None:
        """Take units; the order is kept."""
        insort(self.taken, one, key=_start)
        self.longest = max(self.longest, one.hold.length)

    def near(self, hold: Period) -> list[Taken]:
        """What overlaps a hold."""
        first = bisect_left(self.taken, hold.start - self.longest, key=_start)
        last = bisect_left(self.taken, hold.end, key=_start)
        return [one for one in self.taken[first:last] if one.hold.end > hold.start]


class Calendars:
    """Every touched thing's calendar, read in one go."""

    def __init__(self, desk: Desk, things: Mapping[int, Thing], holds: Sequence[Period]) -> None:
        self.tz = desk.tz
        self.by_thing = {key: Calendar() for key in things}
        if not things:
            return
        reach = timedelta(seconds=max(thing.longest_hold for thing in things.values()) + 1)
        first, last = min(hold.start for hold in holds), max(hold.end for hold in holds)
        query = (
            select(
                _line.resource_id,
                _line.starts_at,
                _line.ends_at,
                _loan.starts_at.label("since"),
                _loan.ends_at.label("until"),
                _line.quantity,
                _loan.ref,
            )
            .join_from(ReservationLine.__table__, Reservation.__table__)
            .where(
                _line.resource_id.in_(bindparam("ids", expanding=True)),
                _line.starts_at > first - reach,
                _line.starts_at < last,
                _line.holds,
            )
        )
        for row in desk.find(query, "ids", things):
            hold, period = Period(row.starts_at, row.ends_at), Period(row.since, row.until)
            self.by_thing[row.resource_id].add(Taken(hold.start, hold, period, row.quantity, row.ref))

    def fits(self, thing: Thing, wanted: int, hold: Period) -> bool:
        """Are so many units free over a hold?"""
        used = peak([Claim(one.hold, one.quantity) for one in self.by_thing[thing.id].near(hold)], hold)
        return used + wanted <= thing.quantity

    def take(self, thing: Thing, wanted: int, period: Period, hold: Period, ref: str) -> Refused | None:
        """Take units of a thing, or say why not; the refusal's field is the column to look at."""
        calendar = self.by_thing[thing.id]
        near = calendar.near(hold)
        used = peak([Claim(one.hold, one.quantity) for one in near], hold)
        if used + wanted <= thing.quantity:
            calendar.add(Taken(hold.start, hold, period, wanted, ref))
            return None
        bare = peak([Claim(one.period, one.quantity) for one in near], period)
        if bare + wanted <= thing.quantity:
            limits = thing.limits
            return Buffer("starts_at", ref=near[0].ref, before=limits.buffer_before_min, after=limits.buffer_after_min)
        if thing.quantity > 1 or wanted > 1:
            return OverQuantity("quantity", free=max(0, thing.quantity - used), quantity=thing.quantity)
        other = next(one for one in near if one.period.overlaps(period))
        start, end = (f"{to_local(at, self.tz):%Y-%m-%d %H:%M}" for at in (other.period.start, other.period.end))
        return Overlap("starts_at", start=start, end=end, ref=other.ref)
