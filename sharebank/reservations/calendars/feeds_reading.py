"""What calendars show: a person's loans, a thing's or a house's, and what a house has open to everybody.

What a feed shows is asked of permissions at every fetch, for who made it as they are now.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, func, or_, select, true
from sqlalchemy.orm import Session, aliased

from sharebank.accounts.models import Organisation
from sharebank.accounts.permissions import may_house
from sharebank.catalog.models import Resource
from sharebank.core.period import first_instant, to_local
from sharebank.reservations.calendars.calendar_writing import Entry
from sharebank.reservations.calendars.feeds import Opened
from sharebank.reservations.models import Reservation, ReservationEvent, ReservationLine

PAST = timedelta(days=31)
"""How long what is over stays in a calendar."""
GONE = timedelta(days=30)
"""How long what was called off stays, marked so: long enough for every program to look again."""
SHOWN = ("requested", "approved", "collected", "returned")
FIRM = ("approved", "collected", "returned")

_loan, _line, _event = Reservation.__table__.c, ReservationLine.__table__.c, ReservationEvent.__table__.c
_Borrower = aliased(Organisation)
_changed_at = (
    select(func.max(_event.at))
    .where(_event.reservation_id == _loan.id)
    .correlate(Reservation.__table__)
    .scalar_subquery()
)
_ENTRIES = (
    select(
        _loan.id,
        _loan.ref,
        _loan.kind,
        _loan.status,
        _loan.starts_at,
        _loan.ends_at,
        func.coalesce(_changed_at, _loan.created_at).label("changed_at"),
        _loan.revision,
        _loan.purpose,
        _loan.public,
        _loan.lender_id,
        _loan.borrower_id,
        _loan.user_id,
        Organisation.name.label("house"),
        Organisation.address,
        Organisation.postal_code,
        Organisation.city,
        _Borrower.name.label("borrower"),
        _line.quantity,
        Resource.name.label("thing"),
        Resource.location,
        Resource.kind.label("thing_kind"),
    )
    .join_from(Reservation.__table__, ReservationLine.__table__, _line.reservation_id == _loan.id)
    .join(Resource, Resource.id == _line.resource_id)
    .join(Organisation, Organisation.id == _loan.lender_id)
    .join(_Borrower, _Borrower.id == _loan.borrower_id)
    .order_by(_loan.starts_at, _loan.id, _line.id)
)
_LONGEST = select(func.max(Resource.longest_hold))


def entries(session: Session, feed: Opened, key: str, now: datetime, tz: ZoneInfo) -> tuple[list[Entry], datetime]:
    """What a feed shows today, by start, and the last instant at which that changed; `key` hides references.

    What is over and what was called off drops out at midnight, so that a calendar changes by itself no oftener.
    """
    midnight = first_instant(to_local(now, tz).date(), tz)
    actor = feed.actor
    if actor is None or (feed.house_id is not None and not may_house(actor, "follow", feed.house_id)):
        return [], midnight  # an empty calendar takes what it knew off the phone; a missing one would leave it there
    match feed.kind:
        case "house":
            scope = _loan.lender_id == feed.house_id
        case "resource":
            scope = _line.resource_id == feed.resource_id
        case _:
            scope = or_(_loan.user_id == actor.user_id, _loan.borrower_id.in_(sorted(actor.organisation_ids)))
            scope = scope & (_loan.kind == "loan")
    kept = or_(_loan.status.in_(SHOWN), _changed_at >= midnight - GONE)
    rows = _read(session, midnight - PAST, scope, kept)
    lends, belongs = actor.staff_ids, actor.organisation_ids

    def known(row: Any) -> bool:
        """The rule "see" of the permissions table, on plain columns."""
        return actor.admin or row.lender_id in lends or row.borrower_id in belongs or row.user_id == actor.user_id

    found = _gathered(rows, known, key)
    return found, max((midnight, *(entry.changed_at for entry in found)))


def public_entries(
    session: Session, house_id: int, key: str, now: datetime, tz: ZoneInfo, *, ahead: timedelta | None = None
) -> list[Entry]:
    """The activities of a house that are open to the public, from today on: what, when, by whom, in which room."""
    midnight = first_instant(to_local(now, tz).date(), tz)
    scope = (_loan.lender_id == house_id) & _loan.public & (_loan.kind == "loan")
    until = _loan.starts_at < midnight + ahead if ahead else true()
    rows = _read(session, midnight, scope, _loan.status.in_(FIRM), until)
    found = _gathered(rows, lambda _row: False, key, only="room")
    borrowers = {row.id: row.borrower for row in rows}
    by_uid = {_hidden(row.ref, key): borrowers[row.id] for row in rows}
    return [entry._replace(borrower=by_uid[entry.uid]) for entry in found]


def _read(session: Session, since: datetime, *wanted: ColumnElement[bool]) -> Sequence[Any]:
    connection = session.connection()
    # No reservation is longer than the longest of its lines: a bounded start spares the index all of history.
    reach = timedelta(seconds=(connection.scalar(_LONGEST) or 0) + 1)
    window = (_loan.ends_at > since, _loan.starts_at > since - reach)
    return connection.execute(_ENTRIES.where(*wanted, *window)).all()


def _gathered(rows: Sequence[Any], known: Callable[[Any], bool], key: str, only: str = "") -> list[Entry]:
    """Rows of lines to one entry a reservation; what is not known is a time that is taken, and no more."""
    found = []
    for _, group in groupby(rows, key=lambda row: row.id):
        lines = list(group)
        row, sees = lines[0], known(lines[0])
        told = sees or (row.status in SHOWN and (row.public or row.kind == "closure"))
        found.append(
            Entry(
                row.ref if sees else _hidden(row.ref, key),
                row.ref if sees else "",
                row.kind,
                row.status,
                row.starts_at,
                row.ends_at,
                row.changed_at,
                row.revision,
                row.purpose if told else "",
                row.borrower if sees else "",
                row.house,
                ", ".join(filter(None, (row.address, f"{row.postal_code} {row.city}".strip()))),
                tuple(
                    (line.thing, line.quantity, line.location) for line in lines if not only or line.thing_kind == only
                ),
            )
        )
    return found


def _hidden(ref: str, key: str) -> str:
    """A name that stays the same and tells no reference."""
    return "t-" + hmac.new(key.encode(), f"calendar:{ref}".encode(), hashlib.sha256).hexdigest()[:32]
