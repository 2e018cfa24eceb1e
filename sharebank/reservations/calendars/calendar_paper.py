"""What stands on paper: a room's week for its door, a house's day of departures and returns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import groupby
from math import ceil
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session, aliased

from sharebank.accounts.models import Organisation, User
from sharebank.catalog.models import Resource
from sharebank.core.errors import NotFound
from sharebank.core.period import first_instant, to_local
from sharebank.reservations.models import Reservation, ReservationLine

SHOWN = ("requested", "approved", "collected", "returned")
OUT_OR_BACK = ("approved", "collected", "returned")
DOORS = ("public", "bodies", "all")
"""What a door may say beside what is open to everybody: nothing, for whom it is reserved, or what for as well."""


# -- a room's week -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Slot:
    """A time on the door, of one day; no start or end when it is on another day."""

    start: time | None
    end: time | None
    state: str
    """`requested`, `approved`, … or `closure`."""
    what: str
    """Empty: it says no more than that it is taken."""
    whose: str


@dataclass(frozen=True, slots=True)
class Door:
    """A thing's week, Monday first."""

    code: str
    name: str
    kind: str
    house_id: int
    house: str
    house_name: str
    phone: str
    days: tuple[tuple[date, tuple[Slot, ...]], ...]


class Type(NamedTuple):
    """A size of type for a door, in mm: the style sheet's `door-…` (print.css) says the same."""

    name: str
    row: float
    """Least height of a day."""
    line: float
    around: float
    """Of a slot, beside its lines."""
    letters: int
    """In a line."""
    most: int
    """Lines of a slot; the rest is left out."""
    columns: int


TYPES = (
    Type("few", 30, 7.9, 5.2, 42, 3, 1),
    Type("some", 20, 5.7, 3.8, 60, 2, 1),
    Type("more", 17, 5.2, 3.5, 35, 2, 2),
    Type("many", 15, 4.5, 3.1, 42, 2, 2),
    Type("full", 10, 3.4, 1.5, 36, 1, 3),
)
"""Largest first: a week is set in the largest that holds it on one page."""
SHEET = 222
"""Height for seven days."""


def type_for(days: Sequence[Sequence[str]]) -> str:
    """The size of type for what stands on each day."""

    def height(size: Type, said: Sequence[str]) -> float:
        slots = [min(size.most, ceil(len(text) / size.letters)) * size.line + size.around for text in said]
        return max(size.row, ceil(len(slots) / size.columns) * max(slots, default=0) + 6)

    fits = (size.name for size in TYPES if sum(height(size, said) for said in days) <= SHEET)
    return next(fits, TYPES[-1].name)


_THING = select(
    Resource.id,
    Resource.code,
    Resource.name,
    Resource.kind,
    Resource.longest_hold,
    Organisation.id.label("house_id"),
    Organisation.code.label("house"),
    Organisation.name.label("house_name"),
    Organisation.phone,
).join(Organisation, Organisation.id == Resource.house_id)
_loan, _line = Reservation.__table__.c, ReservationLine.__table__.c
_Borrower = aliased(Organisation)


def door(session: Session, code: str, monday: date, says: str, tz: ZoneInfo) -> Door:
    """What hangs on a door for a week; `says` is one of DOORS. Raises NotFound."""
    thing = session.execute(_THING.where(Resource.code == code)).one_or_none()
    if thing is None:
        raise NotFound
    since, until = first_instant(monday, tz), first_instant(monday + timedelta(days=7), tz)
    query = (
        select(_loan.starts_at, _loan.ends_at, _loan.kind, _loan.status, _loan.purpose, _loan.public, _Borrower.name)
        .join_from(ReservationLine.__table__, Reservation.__table__, _loan.id == _line.reservation_id)
        .join(_Borrower, _Borrower.id == _loan.borrower_id)
        .where(
            _line.resource_id == thing.id,
            _line.starts_at < until,
            _line.starts_at > since - timedelta(seconds=thing.longest_hold + 1),
            _loan.starts_at < until,
            _loan.ends_at > since,
            _loan.status.in_(SHOWN),
        )
        .order_by(_loan.starts_at, _loan.id)
    )
    rows = session.execute(query).all()
    days = [monday + timedelta(days=n) for n in range(7)]
    return Door(
        thing.code,
        thing.name,
        thing.kind,
        thing.house_id,
        thing.house,
        thing.house_name,
        thing.phone,
        tuple((day, tuple(_slots(rows, day, says, tz))) for day in days),
    )


def _slots(rows: Iterable[Any], day: date, says: str, tz: ZoneInfo) -> Iterable[Slot]:
    opens, closes = first_instant(day, tz), first_instant(day + timedelta(days=1), tz)
    for row in rows:
        if row.starts_at >= closes or row.ends_at <= opens:
            continue
        closure = row.kind == "closure"
        announced = closure or (row.public and row.status in OUT_OR_BACK)
        yield Slot(
            to_local(row.starts_at, tz).time() if row.starts_at >= opens else None,
            to_local(row.ends_at, tz).time() if row.ends_at < closes else None,
            "closure" if closure else row.status,
            row.purpose if announced or says == "all" else "",
            row.name if says != "public" and not closure else "",
        )


# -- a house's day -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Item:
    """So many of a thing, where it is kept, how many keys go with it."""

    name: str
    code: str
    quantity: int
    where: str
    keys: str


@dataclass(frozen=True, slots=True)
class Coming:
    """Somebody at the counter: when, who, what; `done` when they have been."""

    at: datetime
    ref: str
    purpose: str
    body: str
    person: str
    phones: tuple[str, ...]
    items: tuple[Item, ...]
    headcount: int | None
    done: bool


@dataclass(frozen=True, slots=True)
class Day:
    """The people of a day: who is late comes first."""

    late: tuple[Coming, ...]
    leaving: tuple[Coming, ...]
    back: tuple[Coming, ...]


_COMING = (
    select(
        _loan.id,
        _loan.ref,
        _loan.status,
        _loan.starts_at,
        _loan.ends_at,
        _loan.purpose,
        _loan.headcount,
        _loan.details,
        _Borrower.name.label("body"),
        _Borrower.phone.label("body_phone"),
        (User.first_name + " " + User.last_name).label("person"),
        User.phone,
        _line.quantity,
        _line.back,
        Resource.name.label("thing"),
        Resource.code,
        Resource.location,
        Resource.attributes,
    )
    .join_from(Reservation.__table__, ReservationLine.__table__, _line.reservation_id == _loan.id)
    .join(Resource, Resource.id == _line.resource_id)
    .join(_Borrower, _Borrower.id == _loan.borrower_id)
    .join(User, User.id == _loan.user_id)
    .where(_loan.kind == "loan")
    .order_by(_loan.starts_at, _loan.id, _line.id)
)
_LONGEST = select(func.max(Resource.longest_hold))


def day_of(session: Session, house_id: int, day: date, now: datetime, tz: ZoneInfo) -> Day:
    """Who comes to a house on a day, by the times agreed for it; whether the reader may know was asked before."""
    opens, closes = first_instant(day, tz), first_instant(day + timedelta(days=1), tz)
    reach = timedelta(seconds=(session.scalar(_LONGEST) or 0) + 1)
    # Keys may be fetched the day before, or brought back the day after.
    near = (_loan.ends_at > opens - timedelta(days=7), _loan.starts_at < closes + timedelta(days=7))
    query = _COMING.where(
        _loan.lender_id == house_id,
        or_(
            (_loan.status == "collected") & (_loan.starts_at < closes),
            _loan.status.in_(OUT_OR_BACK) & near[0] & near[1] & (_loan.starts_at > opens - reach - timedelta(days=7)),
        ),
    )
    late, leaving, back = [], [], []
    for _, group in groupby(session.execute(query).all(), key=lambda row: row.id):
        lines = list(group)
        loan = lines[0]
        leaves, returns = (_agreed(loan.details, name) for name in ("collect_at", "return_at"))
        leaves, returns = leaves or loan.starts_at, returns or loan.ends_at
        if loan.status == "collected" and max(returns, loan.ends_at) <= now:
            late.append(_coming(loan, lines, returns, done=False))
            continue
        # Promised and not fetched yet: expected until it would be over.
        waits = loan.status == "approved" and leaves <= now and leaves < opens < loan.ends_at
        if opens <= leaves < closes or waits:
            leaving.append(_coming(loan, lines, leaves, done=loan.status != "approved"))
        if opens <= returns < closes:
            back.append(_coming(loan, lines, returns, done=loan.status == "returned"))
    return Day(*(tuple(sorted(some, key=lambda one: (one.at, one.ref))) for some in (late, leaving, back)))


def _agreed(details: Mapping[str, Any], name: str) -> datetime | None:
    kept = details.get(name)
    return datetime.fromisoformat(kept) if kept else None


def _coming(loan: Any, lines: Sequence[Any], at: datetime, *, done: bool) -> Coming:
    return Coming(
        at,
        loan.ref,
        loan.purpose,
        loan.body,
        loan.person,
        tuple(dict.fromkeys(filter(None, (loan.phone, loan.body_phone)))),
        tuple(
            Item(line.thing, line.code, line.quantity, line.location, (line.attributes or {}).get("keys", ""))
            for line in lines
            if done or not line.back
        ),
        loan.headcount,
        done,
    )
