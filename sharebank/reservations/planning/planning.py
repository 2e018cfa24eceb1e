"""Who has what when, as rows of a table: the facts, without a word of HTML."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import String, bindparam, or_, select
from sqlalchemy.orm import Session

from sharebank.accounts.actor import Actor
from sharebank.accounts.hours import Week, parse_opening_hours
from sharebank.accounts.models import Organisation
from sharebank.catalog.models import Resource
from sharebank.core.period import Period
from sharebank.core.prepared import Prepared
from sharebank.reservations.availability import WITHIN
from sharebank.reservations.models import Reservation, ReservationLine

VIEWS = ("day", "week", "month")
SHOWN_STATES = ("requested", "approved", "collected", "returned")


class Shelf(NamedTuple):
    """One thing, as the planning needs it."""

    id: int
    code: str
    name: str
    kind: str
    quantity: int
    longest_hold: int
    in_service: bool
    house: str
    opening_hours: str

    @property
    def hours(self) -> Week:
        """When its house is open."""
        return parse_opening_hours(self.opening_hours)


class Bar(NamedTuple):
    """One reservation of one thing, in wall time; what the actor may not know is empty."""

    start: datetime
    end: datetime
    state: str
    """A reservation's state, `closure`, or `busy` when the actor may not know more."""
    ref: str
    label: str
    quantity: int


@dataclass(frozen=True)
class Plan:
    """A planning: the days it covers, its things, and the bars of each by resource id, sorted by start."""

    view: str
    first: date
    days: int
    shelves: Sequence[Shelf]
    bars: dict[int, list[Bar]]

    @property
    def dates(self) -> list[date]:
        """The days, in order."""
        return [self.first + timedelta(days=n) for n in range(self.days)]


def span(view: str, day: date) -> tuple[date, int]:
    """The first day and the number of days of the day, week or month that holds a day."""
    if view == "day":
        return day, 1
    if view == "week":
        return day - timedelta(days=day.weekday()), 7
    first = day.replace(day=1)
    return first, ((first + timedelta(days=31)).replace(day=1) - first).days


def step(view: str, day: date, by: int) -> date:
    """The same view one earlier (`by` -1) or later (1)."""
    if view != "month":
        return day + timedelta(days=by * (7 if view == "week" else 1))
    first = day.replace(day=1)
    return (first - timedelta(days=1)).replace(day=1) if by < 0 else (first + timedelta(days=31)).replace(day=1)


def month_bounds(day: date, tz: ZoneInfo) -> tuple[datetime, datetime]:
    """The instants a local month begins and ends."""
    over = _period(*span("month", day), tz)
    return over.start, over.end


# Empty: any. One statement for all, for building one anew costs more than asking it.
_house, _kind = bindparam("house", type_=String), bindparam("kind", type_=String)
_SHELVES = Prepared(
    select(
        Resource.id,
        Resource.code,
        Resource.name,
        Resource.kind,
        Resource.quantity,
        Resource.longest_hold,
        Resource.in_service,
        Organisation.code.label("house"),
        Organisation.opening_hours,
    )
    .join(Organisation, Organisation.id == Resource.house_id)
    .where(or_(_house == "", Organisation.code == _house), or_(_kind == "", Resource.kind == _kind))
    .order_by(Organisation.code, Resource.kind.desc(), Resource.code)
)
_line, _loan = ReservationLine.__table__.c, Reservation.__table__.c
_BARS = Prepared(
    select(
        _line.resource_id,
        _line.quantity,
        _loan.starts_at,
        _loan.ends_at,
        _loan.status,
        _loan.kind,
        _loan.ref,
        _loan.purpose,
        _loan.public,
        _loan.lender_id,
        _loan.borrower_id,
        _loan.user_id,
    )
    .join_from(ReservationLine.__table__, Reservation.__table__, _loan.id == _line.reservation_id)
    .where(*WITHIN, _loan.status.in_(SHOWN_STATES))
    .order_by(_line.starts_at)
)


def plan(
    session: Session, actor: Actor, view: str, day: date, tz: ZoneInfo, *, house: str = "", kind: str = ""
) -> Plan:
    """The planning of one house or all, of one kind or all."""
    first, days = span(view, day)
    shelves = [Shelf._make(row) for row in _SHELVES.all(session, {"house": house, "kind": kind})]
    over = _period(first, days, tz)
    bars: dict[int, list[Bar]] = defaultdict(list)
    if shelves:
        reach = timedelta(seconds=max(shelf.longest_hold for shelf in shelves) + 1)
        facts = {"ids": [shelf.id for shelf in shelves], "until": over.end, "since": over.start}
        lends, belongs, everything = actor.staff_ids, actor.organisation_ids, actor.admin
        me = actor.user_id
        for row in _BARS.all(session, {**facts, "look_back": over.start - reach}):
            resource_id, quantity, start, end, status, what, ref, purpose, public, lender, borrower, user = row
            if start >= over.end or end <= over.start:
                continue  # only its buffers touch these days
            # The rule "see" of the permissions table, on plain columns.
            known = everything or lender in lends or borrower in belongs or user == me
            bars[resource_id].append(
                Bar(
                    start.astimezone(tz).replace(tzinfo=None),
                    end.astimezone(tz).replace(tzinfo=None),
                    "closure" if what == "closure" else status if known else "busy",
                    ref if known else "",
                    purpose if known or public or what == "closure" else "",
                    quantity,
                )
            )
    return Plan(view, first, days, shelves, bars)


def _period(first: date, days: int, tz: ZoneInfo) -> Period:
    start, end = (datetime.combine(day, time(), tz) for day in (first, first + timedelta(days=days)))
    return Period(start.astimezone(UTC), end.astimezone(UTC))


Strip = tuple[int, int, Bar]
"""A bar from one minute of the day to another."""


def lanes(strips: Sequence[Strip]) -> list[list[Strip]]:
    """Strips, sorted by start, that share a minute stand on lanes of their own; as few lanes as can be."""
    found: list[list[Strip]] = []
    for strip in strips:
        lane = next((lane for lane in found if lane[-1][1] <= strip[0]), None)
        if lane is None:
            found.append([strip])
        else:
            lane.append(strip)
    return found
