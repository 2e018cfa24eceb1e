"""Storing series of a file: each date is booked where it is free, the others stay with the series.

A file is history and agreement, as with reservations: notice, advance and approval are not asked. Reservations that
are there already with the same purpose, borrower, things and hours are the series' own: taken up, not booked twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from sharebank.catalog import service as catalog
from sharebank.catalog.service import Thing
from sharebank.core.period import Period
from sharebank.exchange.calendars import Calendars
from sharebank.exchange.columns import Desk, Row
from sharebank.reservations.booking import new_ref
from sharebank.reservations.models import Reservation, ReservationLine, Series
from sharebank.reservations.series.series_judging import Date
from sharebank.reservations.series.series_reading import HELD
from sharebank.reservations.series.series_rows import Terms, keep, store
from sharebank.reservations.series.series_rules import Plan, holds


@dataclass(slots=True)
class Repeated:
    """One row among the things and people it names, with its dates."""

    row: Row
    things: list[Thing]
    wants: dict[str, int]
    body: Any
    user_id: int
    plan: Plan
    dates: list[Date]

    @property
    def key(self) -> tuple[Any, ...]:
        """What a series is known by: the same again is the same one."""
        wants = tuple(sorted(self.wants.items()))
        return (self.row["title"], self.body.id, wants, self.plan.rule.text, f"{self.plan.first:%Y-%m-%dT%H:%M}")


def write(desk: Desk, fresh: Sequence[Repeated]) -> None:
    """The locks first; then each date is booked where it is free, or taken up where its reservation is there."""
    named = {thing.id: thing for one in fresh for thing in one.things}
    things = {thing.id: thing for thing in catalog.lock_calendars(desk.session, named.values())}
    for one in fresh:
        _hold(one, things)
    every = [hold for one in fresh for date in one.dates for hold in date.holds.values()]
    if not fresh:
        return
    calendars = Calendars(desk, things, every)
    for one in fresh:
        _book(desk, one, things, calendars)


def _hold(one: Repeated, things: Mapping[int, Thing]) -> None:
    there = [(date, date.period) for date in one.dates if date.period]
    for thing in one.things:
        limits = things[thing.id].limits
        found = holds([period for _, period in there], limits.buffer_before_min, limits.buffer_after_min)
        for (date, _), hold in zip(there, found, strict=True):
            date.holds[thing.id] = hold


def _book(desk: Desk, one: Repeated, things: Mapping[int, Thing], calendars: Calendars) -> None:
    own = [things[thing.id] for thing in one.things]
    mine = _adoptable(desk.session, one)
    taken, adopted = [], dict[str, int]()
    for date in one.dates:
        if date.period is None:
            continue
        there = mine.get(date.period)
        if there is not None:
            adopted[date.key] = there.id
            date.state = "booked" if there.status in HELD else "cancelled"
            continue
        if not date.bookable:
            continue
        # All its things or none: what one refuses, the others have not taken.
        free = all(calendars.fits(thing, one.wants[thing.code], date.holds[thing.id]) for thing in own) and all(
            thing.in_service for thing in own
        )
        if not free:
            date.state, date.bookable = "conflict", False
            continue
        for thing in own:
            calendars.take(thing, one.wants[thing.code], date.period, date.holds[thing.id], "series")
        taken.append(date)
    series = Series(
        ref="S" + new_ref(desk.now, desk.tz)[1:],
        purpose=one.row["title"],
        lender_id=own[0].house_id,
        borrower_id=one.body.id,
        user_id=one.user_id,
        wants=one.wants,
        rule=one.plan.rule.text,
        zone=str(desk.tz),
        first_start=f"{one.plan.first:%Y-%m-%dT%H:%M}",
        first_end=f"{one.plan.last:%Y-%m-%dT%H:%M}",
        until=one.plan.until,
        skip=one.plan.skip,
        status="active",
        created_at=desk.now,
        public=one.row.get("public") == "yes",
        details={},
    )
    desk.session.add(series)
    desk.session.flush()
    made: dict[str, tuple[int, str]] = {}
    for status, dates in (
        ("returned", [date for date in taken if date.period and date.period.end <= desk.now]),
        ("approved", [date for date in taken if date.period and date.period.end > desk.now]),
    ):
        by = desk.actor.user_id if desk.actor else one.user_id
        made |= store(desk.session, series, dates, own, Terms(status, by), desk.now, desk.tz)
    made |= {key: (reservation_id, "") for key, reservation_id in adopted.items()}
    keep(desk.session, series, one.dates, made)
    if adopted:
        ours = Reservation.id.in_(list(adopted.values()))
        desk.session.execute(update(Reservation).where(ours).values(series_id=series.id))


def _adoptable(session: Session, one: Repeated) -> dict[Period, Any]:
    """Reservations of no series with just these things for this borrower, by their hours."""
    loan, line = Reservation.__table__.c, ReservationLine.__table__.c
    query = (
        select(loan.id, loan.status, loan.starts_at, loan.ends_at, line.resource_id, line.quantity)
        .join_from(Reservation.__table__, ReservationLine.__table__)
        .where(loan.borrower_id == one.body.id, loan.purpose == one.row["title"], loan.series_id.is_(None))
        .where(loan.kind == "loan", loan.lender_id == one.things[0].house_id)
    )
    wanted = {(thing.id, one.wants[thing.code]) for thing in one.things}
    rows: dict[int, tuple[Any, set[tuple[int, int]]]] = {}
    for row in session.execute(query):
        rows.setdefault(row.id, (row, set()))[1].add((row.resource_id, row.quantity))
    found: dict[Period, Any] = {}
    for row, units in rows.values():
        period = Period(row.starts_at, row.ends_at)
        if units == wanted and (period not in found or row.status in HELD):
            found[period] = row
    return found
