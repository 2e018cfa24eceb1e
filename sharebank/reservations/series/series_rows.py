"""The rows of a series: a reservation for each date that is booked, and every date with how it stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import insert
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from sharebank.catalog.service import Thing
from sharebank.core.period import Period
from sharebank.reservations import gate
from sharebank.reservations.booking import new_ref
from sharebank.reservations.models import Reservation, ReservationEvent, ReservationLine, Series, SeriesDate
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


# A reference drawn at random may be taken already: its row is not written, and another one is drawn.
_RESERVATIONS = {
    name: dialect.insert(Reservation.__table__)
    .on_conflict_do_nothing(index_elements=["ref"])
    .returning(Reservation.__table__.c.id, Reservation.__table__.c.ref)
    for name, dialect in {"sqlite": sqlite, "postgresql": postgresql}.items()
}
_LINES, _EVENTS, _DATES = (
    insert(table.__table__)  # type: ignore[arg-type]
    for table in (ReservationLine, ReservationEvent, SeriesDate)
)


def store(
    session: Session,
    series: Series,
    taken: Sequence[Date],
    things: Sequence[Thing],
    terms: Terms,
    now: datetime,
    tz: ZoneInfo,
) -> dict[str, tuple[int, str]]:
    """Write one reservation a date, all of a table at once; id and reference of each by the date's key."""
    connection = session.connection()
    left = there = [(one, one.period) for one in taken if one.period]
    if not there:
        return {}
    made: dict[str, tuple[int, str]] = {}
    while left:
        drawn = {new_ref(now, tz): pair for pair in left}
        rows = [_record(series, ref, one, period, terms, now) for ref, (one, period) in drawn.items()]
        for key, ref in connection.execute(_RESERVATIONS[connection.dialect.name], rows):
            made[drawn[ref][0].key] = (key, ref)
        left = [pair for pair in left if pair[0].key not in made]
    lines = [line for one, _ in there for line in lines_of(one, made[one.key][0], things, series.wants)]
    connection.execute(_LINES, lines)
    event = {"at": now, "user_id": terms.user_id, "status": terms.status, "why": terms.why}
    connection.execute(_EVENTS, [{**event, "reservation_id": made[one.key][0]} for one, _ in there])
    return made


def _record(series: Series, ref: str, one: Date, period: Period, terms: Terms, now: datetime) -> dict[str, Any]:
    quote = gate.quote_of(one.weighed) if one.weighed else None
    return {
        "ref": ref,
        "kind": "loan",
        "request": ref,
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
        "series_id": series.id,
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
    if rows:
        session.connection().execute(_DATES, rows)


def missing_hour(one: Date, zone: str) -> Period:
    """What RFC 5545 makes of a time that the clock jumps over: as many minutes later."""
    tz = ZoneInfo(zone)
    start, end = (wall.replace(tzinfo=tz).astimezone(UTC) for wall in (one.start, one.end))
    return Period(start, end if end > start else start + (one.end - one.start))
