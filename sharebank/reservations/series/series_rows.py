"""The rows of a series: a reservation for each date that is booked, and every date with how it stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import insert
from sqlalchemy.orm import Session

from sharebank.catalog.service import Thing
from sharebank.core.period import Period
from sharebank.core.prepared import Prepared
from sharebank.reservations import booking, gate
from sharebank.reservations.models import Series, SeriesDate
from sharebank.reservations.series.series_judging import Date


@dataclass(frozen=True, slots=True)
class Terms:
    """What the reservations of a series have in common besides what the series says."""

    status: str
    user_id: int | None
    """Who acts; nobody when a file does."""
    why: str = ""
    """What was overruled, with the reason."""
    approved_once_by_id: int | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


_DATE = Prepared(insert(SeriesDate).inline())


def store(
    session: Session,
    series: Series,
    taken: Sequence[Date],
    things: Sequence[Thing],
    terms: Terms,
    now: datetime,
    tz: ZoneInfo,
) -> dict[str, tuple[int, str]]:
    """Write one reservation a date; id and reference of each by the date's key."""
    dates = [(one, _record(series, one, one.period, terms, now)) for one in taken if one.period]
    added = booking.add_dates(session, series.id, [record for _, record in dates], now, tz)
    there = [(one, key) for (one, _), (key, _) in zip(dates, added, strict=True)]
    booking.LINE.add(session, [line for one, key in there for line in lines_of(one, key, things, series.wants)])
    event = {"at": now, "user_id": terms.user_id, "status": terms.status, "why": terms.why}
    booking.EVENT.add(session, [{**event, "reservation_id": key} for _, key in there])
    return {one.key: ids for (one, _), ids in zip(dates, added, strict=True)}


def _record(series: Series, one: Date, period: Period, terms: Terms, now: datetime) -> dict[str, Any]:
    quote = gate.quote_of(one.weighed) if one.weighed else None
    return {
        "kind": "loan",
        "lender_id": series.lender_id,
        "borrower_id": series.borrower_id,
        "user_id": series.user_id,
        "starts_at": period.start,
        "ends_at": period.end,
        "status": terms.status,
        "purpose": series.purpose,
        "public": series.public,
        "created_at": now,
        "headcount": series.headcount,
        "details": series.details,
        "quote": quote and quote.to_json(),
        "approved_once_by_id": terms.approved_once_by_id,
    }


def lines_of(one: Date, reservation_id: int, things: Sequence[Thing], wants: Mapping[str, int]) -> list[dict[str, Any]]:
    """What a date takes, as rows."""
    return [
        {
            "reservation_id": reservation_id,
            "resource_id": thing.id,
            "quantity": wants[thing.code],
            "starts_at": one.holds[thing.id].start,
            "ends_at": one.holds[thing.id].end,
            "holds": True,
            "exclusive": False,
        }
        for thing in things
    ]


def keep(session: Session, series: Series, dates: Sequence[Date], made: Mapping[str, tuple[int, str]]) -> None:
    """Every date stays with its series: booked, or why not."""
    rows = []
    for one in dates:
        period = one.period or missing_hour(one, series.zone)
        booked = made.get(one.key)
        state = "booked" if booked else "skipped" if one.state in ("free", "outside_hours") else one.state
        rows.append(
            {
                "series_id": series.id,
                "starts_at": period.start,
                "ends_at": period.end,
                "state": state,
                "reservation_id": booked[0] if booked else None,
            }
        )
    _DATE.add(session, rows)


def missing_hour(one: Date, zone: str) -> Period:
    """What RFC 5545 makes of a time that the clock jumps over: as many minutes later."""
    tz = ZoneInfo(zone)
    start, end = (wall.replace(tzinfo=tz).astimezone(UTC) for wall in (one.start, one.end))
    return Period(start, end if end > start else start + (one.end - one.start))
