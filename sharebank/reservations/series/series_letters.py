"""One letter for a whole series, however many dates it is about."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from sharebank.accounts import directory
from sharebank.accounts.actor import Actor
from sharebank.catalog import service as catalog
from sharebank.core.period import Period
from sharebank.notifications.service import Recipient, post
from sharebank.reservations.models import Reservation, Series
from sharebank.reservations.series.series_judging import Date

CALENDARS = ("approved", "changed", "cancelled", "released")
"""Letters with which dates go into their reader's own calendar, or out of it."""


def tell_booked(
    session: Session, actor: Actor, series: Series, status: str, taken: Sequence[Date], now: datetime
) -> None:
    """Whoever booked reads the confirmation, the owner's managers of a request."""
    periods = [one.period for one in taken if one.period]
    me = Recipient(actor.email, actor.name, actor.locale, actor.user_id, actor.letters)
    tell(session, actor, series, status, [me], periods, now)
    if status == "requested":
        tell(session, actor, series, "to_decide", directory.managers(session, series.lender_id), periods, now)


def tell(
    session: Session,
    actor: Actor | None,
    series: Series,
    what: str,
    readers: Sequence[Recipient],
    periods: Sequence[Period],
    now: datetime,
    why: str = "",
    stage: str = "",
    **more: Any,
) -> int:
    """One letter for all the dates it is about, however many they are; how many are new.

    `stage` tells it from the one before about the same thing: the time by default.
    """
    if not periods:
        return 0
    things = catalog.things_by_code(session, series.wants)
    facts = {
        "ref": series.ref,
        "purpose": series.purpose,
        "borrower": series.borrower.name,
        "lender": series.lender.code,
        "things": [[things[code].name, quantity] for code, quantity in series.wants.items() if code in things],
        "rule": series.rule,
        "count": len(periods),
        "starts_at": periods[0].start.isoformat(),
        "ends_at": periods[0].end.isoformat(),
        "last_at": periods[-1].start.isoformat(),
        "by": actor.name if actor else "",
        "why": why,
        "place": series.lender.name,
        **({"dates": _dates(session, series, periods)} if what in CALENDARS else {}),
        **more,
    }
    key = f"series:{series.ref}:{what}:{stage or now.isoformat()}"
    return post(session, key, f"series_{what}", readers, facts, now)


def _dates(session: Session, series: Series, periods: Sequence[Period]) -> list[dict[str, Any]]:
    """The reservations a letter is about, as calendars want them (`calendar_letters`)."""
    session.flush()
    query = select(
        Reservation.ref, Reservation.status, Reservation.revision, Reservation.starts_at, Reservation.ends_at
    )
    # A date that was tried again is a reservation of its own: the last one made is the one that counts.
    query = query.where(Reservation.series_id == series.id).order_by(Reservation.id)
    starts = {period.start for period in periods}
    rows = {row.starts_at: row for row in session.execute(query) if row.starts_at in starts}
    return [
        {
            "ref": row.ref,
            "status": row.status,
            "revision": row.revision,
            "starts_at": row.starts_at.isoformat(),
            "ends_at": row.ends_at.isoformat(),
        }
        for _, row in sorted(rows.items())
    ]


def tell_parties(
    session: Session,
    actor: Actor | None,
    series: Series,
    what: str,
    periods: Sequence[Period],
    now: datetime,
    why: str = "",
) -> None:
    """Whoever asked and, when it was not its own staff, the owner's managers; nobody reads of their own act."""
    readers = [directory.reader(series.user)]
    if actor is None or series.lender_id not in actor.staff_ids:
        readers += directory.managers(session, series.lender_id)
    others = {reader.user_id: reader for reader in readers if actor is None or reader.user_id != actor.user_id}
    tell(session, actor, series, what, list(others.values()), periods, now, why)
