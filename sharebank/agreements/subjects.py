"""What an agreement is about: a loan, a series, a year; each with the mark that tells when it has changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from sharebank.accounts.models import Organisation, User
from sharebank.agreements import french, priced
from sharebank.agreements.drafting import Subject, wall_period
from sharebank.agreements.models import Agreement
from sharebank.agreements.priced import Fare, Price
from sharebank.agreements.rules import UNDER_WAY, basis_of, kind_of, period_basis
from sharebank.catalog.models import Resource
from sharebank.core.period import Period, to_local
from sharebank.lending.prices import Quote, kilometre
from sharebank.lending.terms import read_terms
from sharebank.reservations.models import Reservation, Series, SeriesDate


@dataclass(frozen=True, slots=True)
class Matter:
    """What is to be issued: once for its key; `basis` marks what it was made for, its price included."""

    key: str
    basis: str
    subject: Subject
    user: User
    """Who asked, and is written to."""
    loans: Sequence[Reservation] = ()
    amends: Agreement | None = None
    """The first of a chain this one belongs to, as number `rank`."""
    rank: int = 0
    under: Agreement | None = None
    before: str = ""
    """The mark of agreements issued before the price was part of it: they stand as they are."""


def of_loan(session: Session, loan: Reservation, tz: ZoneInfo) -> Matter:
    """A loan by itself; a date of a series with all the series."""
    if loan.series_id:
        return _of_series(session, session.get_one(Series, loan.series_id), loan)
    start, end, length = wall_period(Period(loan.starts_at, loan.ends_at), tz)
    things = [(line.resource, line.quantity) for line in loan.lines]
    subject = Subject(
        kind=kind_of((thing.kind for thing, _count in things), in_series=False),
        lender=loan.lender,
        borrower=loan.borrower,
        start=start,
        end=end,
        length=length,
        purpose=loan.purpose,
        things=things,
        headcount=loan.headcount,
        details=loan.details or {},
        prices=_prices([quote_of(loan)], [thing for thing, _count in things]),
    )
    wants = [(thing.code, count) for thing, count in things]
    when = loan.starts_at, loan.ends_at
    before, basis = period_basis(*when, wants), period_basis(*when, wants, priced.mark(quote_of(loan)))
    return Matter(f"loan:{loan.id}", basis, subject, loan.user, [loan], before=before)


def quote_of(loan: Reservation) -> Quote | None:
    """What was said of its price when it was asked for."""
    return Quote.from_json(loan.quote) if loan.quote else None


def _prices(quotes: Iterable[Quote | None], things: Sequence[Resource]) -> list[Price]:
    """What is paid under each; kilometres that no quote speaks of may still cost something by the rules."""
    return [
        Price(
            [replace(line, thing=line.thing if len(things) > 1 else "") for line in quote.lines] if quote else (),
            list(_fares(quote or Quote(), things)),
            [one for one in quote.deposits if one.kind != "waived"] if quote else None,
        )
        for quote in quotes
    ]


def _fares(quote: Quote, things: Sequence[Resource]) -> Iterator[Fare]:
    expected = {travel.thing: travel.km for travel in quote.travel}
    for thing in things:
        rule = read_terms(thing.rule_set.name, thing.rule_set.terms).get("charges", {})
        cents, included = kilometre(rule, thing.name, quote)
        if cents and (thing.kind == "vehicle" or thing.name in expected):
            yield Fare(cents, included, expected.get(thing.name, 0), thing.name if len(things) > 1 else "")


def _of_series(session: Session, series: Series, loan: Reservation) -> Matter:
    query = select(Resource).where(Resource.code.in_(series.wants)).order_by(Resource.code)
    resources = session.scalars(query).all()
    start, end = datetime.fromisoformat(series.first_start), datetime.fromisoformat(series.first_end)
    zone = ZoneInfo(series.zone)
    booked = select(SeriesDate.starts_at).where(SeriesDate.series_id == series.id, SeriesDate.state == "booked")
    dates = [to_local(at, zone).date() for at in session.scalars(booked)] or [to_local(loan.starts_at, zone).date()]
    own = Reservation.series_id == series.id
    held = select(Reservation).where(own, Reservation.status.in_((*UNDER_WAY, "returned")))
    all_loans = session.scalars(held.order_by(Reservation.starts_at)).all()
    loans = [each for each in all_loans if each.status in UNDER_WAY]
    quotes = {str(priced.mark(quote_of(each))): quote_of(each) for each in loans}
    subject = Subject(
        kind="weekly",
        lender=series.lender,
        borrower=series.borrower,
        start=start,
        end=datetime.combine(max([*dates, *([series.until] if series.until else [])]), end.time()),
        length="",
        purpose=series.purpose,
        things=[(thing, series.wants[thing.code]) for thing in resources],
        headcount=loan.headcount,
        prices=_prices(quotes.values(), resources),
        rhythm=french.rhythm(series.rule, start, end),
        dates=sorted(dates),
    )
    when = (series.rule, series.zone, series.first_start, series.first_end, str(series.until or ""), series.skip)
    # Of those given back too: that a date is over changes no price.
    prices = sorted({str(priced.mark(quote_of(each))) for each in all_loans})
    before, basis = basis_of(when, series.wants.items()), basis_of(when, series.wants.items(), prices)
    return Matter(f"series:{series.id}", basis, subject, loan.user, loans, before=before)


def of_year(lender: Organisation, borrower: Organisation, year: int, today: date, user: User) -> Matter:
    """All that a borrower has from a lender within a year, or what is left of it."""
    subject = _span("annual", lender, borrower, max(date(year, 1, 1), min(today, date(year, 12, 31))), year)
    return Matter(f"annual:{lender.id}:{borrower.id}:{year}", basis_of([str(year)], ()), subject, user)


def of_houses(lender: Organisation, other: Organisation, since: date, years: int, user: User) -> Matter:
    """Two houses that cooperate, from a day to the end of a year; whichever of the two writes it, one a year."""
    subject = _span("cooperation", lender, other, since, since.year + years - 1)
    first, second = sorted((lender.id, other.id))
    return Matter(f"cooperation:{first}:{second}:{since.year}", basis_of([str(since), str(years)], ()), subject, user)


def _span(kind: str, lender: Organisation, borrower: Organisation, since: date, last_year: int) -> Subject:
    start, end = (datetime.combine(day, datetime.min.time()) for day in (since, date(last_year, 12, 31)))
    return Subject(kind, lender, borrower, start, end, french.counted(last_year - since.year + 1, "an", "ans"))
