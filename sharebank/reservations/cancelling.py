"""What calling off an approved loan costs: said before, charged after."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from sharebank.catalog import service as catalog
from sharebank.core.errors import Said
from sharebank.core.period import Period, to_local
from sharebank.lending.prices import Quote, cancellation_fee
from sharebank.lending.terms import Terms
from sharebank.reservations.models import Reservation

Fee = tuple[int, Said]


def fees(loan: Any, things: Iterable[tuple[str, Terms]], now: datetime, tz: ZoneInfo) -> list[Fee]:
    """What the borrower would owe for calling an approved loan off now: cents and why, by rule set.

    `things` by name, with their rules; each rule set looks only at what its own things cost. Taking it back is the
    owner's doing and costs nothing.
    """
    if loan.kind != "loan" or not loan.quote or loan.lender_id == loan.borrower_id:
        return []
    quote, parts = Quote.from_json(loan.quote), dict[str, tuple[Terms, set[str]]]()
    for name, terms in things:
        parts.setdefault(terms.name, (terms, set()))[1].add(name)
    at, start, end = (to_local(each, tz) for each in (now, loan.starts_at, loan.ends_at))
    found = []
    for terms, names in parts.values():
        lines = tuple(line for line in quote.lines if len(parts) == 1 or line.thing in names)
        cents, why = cancellation_fee(terms, replace(quote, lines=lines), at, start, end)
        if why:
            found.append((cents, why))
    return found


def of_series(session: Session, series_id: int, now: datetime, tz: ZoneInfo) -> list[tuple[Period, int]]:
    """The approved dates to come that it would cost something to give up now, and how much; three queries."""
    to_come = (Reservation.series_id == series_id, Reservation.status == "approved", Reservation.starts_at > now)
    query = select(Reservation).where(*to_come).order_by(Reservation.starts_at).options(selectinload(Reservation.lines))
    loans = [loan for loan in session.scalars(query) if loan.quote]
    things = catalog.things_by_id(session, {line.resource_id for loan in loans for line in loan.lines}) if loans else {}
    found = []
    for loan in loans:
        lent = [things[line.resource_id] for line in loan.lines if line.resource_id in things]
        if cents := sum(cents for cents, _ in fees(loan, [(thing.name, thing.terms) for thing in lent], now, tz)):
            found.append((Period(loan.starts_at, loan.ends_at), cents))
    return found
