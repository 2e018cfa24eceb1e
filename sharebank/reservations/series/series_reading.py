"""Series as somebody may read them: one with its dates, lists of them, and where a reservation stands in its own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import ColumnElement, false, func, or_, select, true
from sqlalchemy.orm import Session, joinedload, selectinload

from sharebank.accounts.actor import Actor
from sharebank.accounts.permissions import may_loan
from sharebank.core.errors import NotFound
from sharebank.core.period import Period, to_local, zone
from sharebank.reservations.models import Reservation, Series, SeriesDate
from sharebank.reservations.reading import LoanRow

OPEN = ("requested", "approved")
"""What can still be changed or cancelled."""
HELD = (*OPEN, "collected", "returned")
"""A date whose reservation is in one of these is, or was, had."""


@dataclass(frozen=True, slots=True)
class DateRow:
    """One date of a series, with its reservation where it has one."""

    id: int
    period: Period
    state: str
    """The reservation's when there is one, else why there is none."""
    ref: str | None
    number: int
    """Counted among those that are held; 0 for the others."""
    wall: date
    """The local day it begins."""

    @property
    def held(self) -> bool:
        """Does it take the thing?"""
        return self.state in HELD

    @property
    def open(self) -> bool:
        """Can it still be changed?"""
        return self.state in OPEN


_WHOLE = select(Series).options(
    joinedload(Series.lender), joinedload(Series.borrower), joinedload(Series.user), selectinload(Series.dates)
)


def series_of_ref(session: Session, actor: Actor, ref: str) -> Series:
    """One series with its dates; raises NotFound when there is none or it is not the actor's to see."""
    return _seen(actor, session.scalars(_WHOLE.where(Series.ref == ref)).one_or_none())


def locked_series(session: Session, actor: Actor, ref: str) -> Series:
    """The same under its lock: of two people who change it at once, the second reads what the first did."""
    session.execute(select(Series.id).where(Series.ref == ref).with_for_update())
    query = _WHOLE.where(Series.ref == ref).execution_options(populate_existing=True)
    return _seen(actor, session.scalars(query).one_or_none())


def _seen(actor: Actor, found: Series | None) -> Series:
    if found is None or not may_loan(actor, "see", found):
        raise NotFound
    return found


def dates_of_series(session: Session, series: Series) -> list[DateRow]:
    """Every date in order, as it stands."""
    query = (
        select(
            SeriesDate.id, SeriesDate.starts_at, SeriesDate.ends_at, SeriesDate.state,
            Reservation.ref, Reservation.status, Reservation.starts_at, Reservation.ends_at,
        )
        .outerjoin(Reservation, Reservation.id == SeriesDate.reservation_id)
        .where(SeriesDate.series_id == series.id)
    )  # fmt: skip
    rows, number, tz = [], 0, zone(series.zone)
    found = [
        (key, Period(loan_start, loan_end) if ref else Period(start, end), status if ref else state, ref)
        for key, start, end, state, ref, status, loan_start, loan_end in session.connection().execute(query)
    ]
    for key, period, state, ref in sorted(found, key=lambda row: row[1]):
        held = state in HELD
        number += held
        rows.append(DateRow(key, period, state, ref, number if held else 0, to_local(period.start, tz).date()))
    return rows


@dataclass(frozen=True, slots=True)
class Listed:
    """A series in a list: what remains of it."""

    series: Series
    left: int
    """Dates to come that are held."""
    next: datetime | None


def visible_series(session: Session, actor: Actor, now: datetime, *, houses: bool, limit: int = 200) -> list[Listed]:
    """Those the actor asked for or borrows by, or those their houses lend; what goes on first."""
    coming = (
        select(Reservation.series_id, func.count().label("left"), func.min(Reservation.starts_at).label("next"))
        .where(Reservation.series_id.is_not(None), Reservation.starts_at > now, Reservation.status.in_(OPEN))
        .group_by(Reservation.series_id)
        .subquery()
    )
    query = (
        select(Series, coming.c.left, coming.c.next)
        .outerjoin(coming, coming.c.series_id == Series.id)
        .options(joinedload(Series.lender), joinedload(Series.borrower))
        .where(_scope(actor, houses))
        .order_by(coming.c.next.is_(None), coming.c.next, Series.id.desc())
        .limit(limit)
    )
    return [Listed(series, left or 0, at) for series, left, at in session.execute(query)]


def _scope(actor: Actor, houses: bool) -> ColumnElement[bool]:
    if houses:
        return true() if actor.admin else Series.lender_id.in_(actor.staff_ids)
    return or_(false(), Series.user_id == actor.user_id, Series.borrower_id.in_(actor.organisation_ids))


@dataclass(frozen=True, slots=True)
class Waiting:
    """A series with dates that wait for its house, to be decided on as a whole."""

    series: Series
    periods: tuple[Period, ...]
    """Of the dates that wait, in order."""
    total_cents: int
    """What they cost together."""

    @property
    def barred(self) -> tuple[Period, ...]:
        """Dates that it does not have because somebody else does, or the house is closed."""
        return tuple(
            Period(one.starts_at, one.ends_at) for one in self.series.dates if one.state in ("conflict", "closed")
        )


def waiting_series(session: Session, ids: Iterable[int | None], now: datetime) -> dict[int | None, Waiting]:
    """Those of these series that have dates to come which wait for a decision, by id."""
    wanted = {each for each in ids if each is not None}
    if not wanted:
        return {}
    query = (
        select(Reservation.series_id, Reservation.starts_at, Reservation.ends_at, Reservation.quote)
        .where(Reservation.series_id.in_(wanted), Reservation.status == "requested", ~Reservation.offered)
        .where(Reservation.starts_at > now)
        .order_by(Reservation.starts_at)
    )
    periods: dict[int | None, list[Period]] = defaultdict(list)
    cents: dict[int | None, int] = defaultdict(int)
    for key, start, end, quote in session.execute(query):
        periods[key].append(Period(start, end))
        cents[key] += (quote or {}).get("total_cents", 0)
    return {
        one.id: Waiting(one, tuple(periods[one.id]), cents[one.id])
        for one in session.scalars(_WHOLE.where(Series.id.in_(list(periods))))
    }


@dataclass(frozen=True, slots=True)
class Place:
    """Where a reservation stands in its series."""

    ref: str
    purpose: str
    date_id: int
    number: int
    """0 when it is no longer held."""
    of: int


def place_of(session: Session, loan: LoanRow) -> Place | None:
    """Which date of its series a reservation is."""
    found = session.get(Series, loan.series_id)
    if found is None:
        return None
    dates = dates_of_series(session, found)
    own = next((one for one in dates if one.ref == loan.ref), None)
    if own is None:
        return None
    return Place(found.ref, found.purpose, own.id, own.number, sum(one.held for one in dates))


def that_follows(session: Session, series: Series) -> Series | None:
    """The series that goes on from this one with other hours."""
    return session.scalars(select(Series).where(Series.follows_id == series.id).limit(1)).one_or_none()
