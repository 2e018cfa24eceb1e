"""What a change to a series would do, date by date, before it is done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from sharebank.accounts import directory
from sharebank.accounts.actor import Actor
from sharebank.accounts.permissions import may_house, may_loan, require
from sharebank.catalog import service as catalog
from sharebank.catalog.service import Thing
from sharebank.core.errors import N_, NotFound, Refused
from sharebank.core.period import to_local
from sharebank.lending.calendar import french
from sharebank.reservations.deciding.judging import details_of
from sharebank.reservations.models import Reservation, Series, SeriesDate
from sharebank.reservations.rules import UnknownResource
from sharebank.reservations.series.series import DEFAULT_ZONE, OneHouse
from sharebank.reservations.series.series_judging import Date, Preview, Rules, judge
from sharebank.reservations.series.series_reading import OPEN
from sharebank.reservations.series.series_rules import Plan, Rule, dates_of, expand, read_rule

SCOPES = ("one", "from", "all")


class NothingToChange(Refused):
    """Its dates are over, or what is asked for is as it is."""

    status = 409
    code = "nothing_to_change"
    sentence = N_("There is no date left that this would change.")


@dataclass(frozen=True, slots=True)
class Wished:
    """What shall be otherwise; what is None stays."""

    scope: str
    at: int | None = None
    """The date it starts from (`SeriesDate.id`); none for all."""
    start: time | None = None
    end: time | None = None
    resource: str | None = None
    """What takes the place of the one thing it is about."""
    until: date | None = None


@dataclass(slots=True)
class Change:
    """What a change would do: dates that move (with their rows), that are added, that are given up."""

    preview: Preview
    wants: dict[str, int]
    moved: list[tuple[Date, SeriesDate, Reservation]]
    added: list[Date]
    dropped: list[tuple[SeriesDate, Reservation]]
    rest: list[SeriesDate] = field(default_factory=list)
    """Dates within its reach that are not booked: they take the new hours as well."""

    @property
    def bookable(self) -> list[str]:
        """Keys of the dates that can be as wished."""
        return [one.key for one in self.preview.dates if one.bookable and one.state != "holiday"]


def prepare(
    session: Session, actor: Actor, series: Series, wished: Wished, now: datetime, tz: ZoneInfo, *, lock: bool = False
) -> Change:
    """What a change would do, judged date by date; with `lock` on what is then written. Raises NothingToChange."""
    require(may_loan(actor, "cancel", series))
    reach = within(series, wished)
    loans = open_loans(session, reach, now, lock=lock)
    booked = [(row, loans[row.reservation_id]) for row in reach if row.reservation_id in loans]
    things, wants = _things(session, series, wished)
    if lock:
        things = catalog.lock_calendars(session, things)
    own = may_house(actor, "book_at_once", series.lender_id)
    kept = [entry for entry in booked if wished.until is None or _day(entry[1], tz) <= wished.until]
    dropped = [entry for entry in booked if entry not in kept]
    moves = (wished.start, wished.end, wished.resource) != (None, None, None)
    walls = [_retimed(series, loan.starts_at, loan.ends_at, wished, tz) for _, loan in kept] if moves else []
    agreed = wished.resource is None
    dates = [Date(one.start, one.end, one.period, agreed=agreed) for one in dates_of(walls, tz)]
    moved = [(one, *entry) for one, entry in zip(dates, kept, strict=moves)] if moves else []
    added = _added(series, wished, now, tz)
    if not (moved or added or dropped):
        raise NothingToChange
    borrower = directory.organisation(session, series.borrower.code)
    assert borrower is not None
    found = Preview(tuple(things), borrower, [*dates, *added], own)
    rules = Rules(series.purpose, details_of(session, series), asked_at=series.created_at)
    judge(session, actor, found, wants, now, tz, but=[loan.id for _, loan in booked], rules=rules)
    rest = [row for row in reach if row.state != "booked" and row.starts_at > now] if moves else []
    return Change(found, wants, moved, added, dropped, rest)


def within(series: Series, wished: Wished) -> list[SeriesDate]:
    """The dates an act reaches; raises NotFound when the one it starts from is not of this series."""
    if wished.scope not in SCOPES:
        raise NothingToChange("scope")
    if wished.scope == "all":
        return list(series.dates)
    first = next((row for row in series.dates if row.id == wished.at), None)
    if first is None:
        raise NotFound
    return [first] if wished.scope == "one" else [row for row in series.dates if row.starts_at >= first.starts_at]


def open_loans(
    session: Session, rows: Sequence[SeriesDate], now: datetime, *, lock: bool = True
) -> dict[int | None, Reservation]:
    """Reservations to come that are not handed over yet, by id; locked in one order when something is to be done."""
    ids = sorted(row.reservation_id for row in rows if row.reservation_id is not None)
    query = (
        select(Reservation)
        .where(Reservation.id.in_(ids), Reservation.status.in_(OPEN), Reservation.starts_at > now)
        .order_by(Reservation.id)
    )
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    return {loan.id: loan for loan in session.scalars(query)}


def _things(session: Session, series: Series, wished: Wished) -> tuple[list[Thing], dict[str, int]]:
    wants = dict(series.wants)
    if wished.resource is not None and wished.resource not in wants:
        if len(wants) > 1:
            raise OneHouse("resource")
        wants = {wished.resource: next(iter(wants.values()))}
    known = catalog.things_by_code(session, wants)
    for code in wants:
        if code not in known:
            raise UnknownResource("resource", value=code)
        if known[code].house_id != series.lender_id:
            raise OneHouse("resource")
    return [known[code] for code in wants], wants


def _day(loan: Reservation, tz: ZoneInfo) -> date:
    return to_local(loan.starts_at, tz).date()


def _retimed(
    series: Series, starts_at: datetime, ends_at: datetime, wished: Wished, tz: ZoneInfo
) -> tuple[datetime, datetime]:
    """The wall times of a date with the wished hours, on the day it begins."""
    first, last = to_local(starts_at, tz), to_local(ends_at, tz)
    nights = (datetime.fromisoformat(series.first_end).date() - datetime.fromisoformat(series.first_start).date()).days
    start = datetime.combine(first.date(), wished.start or first.time())
    end = datetime.combine(first.date() + timedelta(days=nights), wished.end or last.time())
    return start, end if end > start else end + timedelta(days=1)


def _added(series: Series, wished: Wished, now: datetime, tz: ZoneInfo) -> list[Date]:
    """Dates that a later last day brings."""
    last = max((row.starts_at for row in series.dates), default=series.created_at)
    if wished.until is None or wished.scope == "one" or wished.until <= to_local(last, tz).date():
        return []
    first, end = retimed_plan(series, wished)
    plan = Plan(first, end, open_ended(series.rule), wished.until, series.skip)
    found = expand(plan, tz, french(series.lender.school_zone or DEFAULT_ZONE))
    day = to_local(last, tz).date()
    return [
        Date(one.start, one.end, one.period, holiday=one.holiday)
        for one in found
        if one.start.date() > day and (one.period is None or one.period.start > now)
    ]


def retimed_plan(series: Series, wished: Wished) -> tuple[datetime, datetime]:
    """The wall times of the first date with the wished hours."""
    first, last = datetime.fromisoformat(series.first_start), datetime.fromisoformat(series.first_end)
    start = datetime.combine(first.date(), wished.start or first.time())
    end = datetime.combine(last.date(), wished.end or last.time())
    return start, end if end > start else end + timedelta(days=1)


def open_ended(text: str) -> Rule:
    """What repeats, without its end."""
    return replace(read_rule(text), count=None, until=None)
