"""At the counter of the small town: people who book, and what is then stored; for the tests of the services."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from sqlalchemy import func, select, update

from sharebank.accounts.actor import Actor
from sharebank.accounts.models import Organisation
from sharebank.catalog import service as catalog
from sharebank.catalog.models import RuleSet
from sharebank.core.db import db, transaction
from sharebank.core.period import Period
from sharebank.insurance.models import Driver
from sharebank.lending.terms import write_terms
from sharebank.notifications.models import Letter
from sharebank.reservations import availability, desk
from sharebank.reservations.booking import Ask, Booked
from sharebank.reservations.models import Reservation, ReservationEvent, ReservationLine
from tests import world

Who = Callable[[str], Actor]
MEMBER, OTHER = "member@example.org", "other@example.org"
STAFF, STAFF_STN = "staff@example.org", "staff.stn@example.org"
ROOM, SMALL, BUS, STN_ROOM, PLATES = "MCNG-R01", "MCNG-R03", "MCNG-V01", "STN-R01", "STN-K03"
HOME = {MEMBER: "CHORALE", OTHER: "ECHECS", STAFF: "MCNG", STAFF_STN: "STN", "admin@example.org": "MCNG"}


@pytest.fixture
def book(actor: Who) -> Callable[..., list[Booked]]:
    """`book(MEMBER, at(…), MCNG_R01=1)`: through the edge, for their own organisation unless said otherwise."""

    def act(who: str, period: Period, wants: dict[str, int], **more: Any) -> list[Booked]:
        do = more.pop("do", desk.reserve)
        body = more.pop("organisation", HOME[who])
        return do(actor(who), Ask(body, more.pop("purpose", f"for {who}"), period, wants, **more))

    return act


Book = Callable[..., list[Booked]]


def rules(**values: Any) -> None:
    """Change the town's rules: buffers in minutes, or a kind of rule and its settings (None takes it out)."""
    columns = {name: values.pop(name) for name in ("buffer_before_min", "buffer_after_min") if name in values}
    kept = {kind: settings for kind, settings in (world.TERMS | values).items() if settings is not None}
    with transaction() as session:
        session.execute(update(RuleSet).values(**columns, terms=write_terms(kept)))


PRICES = {
    "grid": [
        {"audience": ["houses"], "unit": "day", "cents": 0},
        {"audience": ["associations"], "unit": "day", "cents": 2000},
    ],
    "options": [{"name": "Vidéoprojecteur", "cents": 500}],
    "dearer_percent": 150,
}


def register(name: str, since: date, licence: str = "B", code: str = "CHORALE") -> None:
    """Somebody's licence was seen."""
    with transaction() as session:
        holder = session.query(Organisation.id).filter_by(code=code).scalar()
        line = Driver(organisation_id=holder, name=name, licence_class=licence, licence_since=since)
        line.seen_on = date(2026, 3, 3)
        session.add(line)


def stored() -> dict[str, int]:
    """How many rows of each sort there are."""
    session = db.session()
    session.rollback()
    tables = (Reservation, ReservationLine, ReservationEvent, Letter)
    return {table.__tablename__: session.scalar(select(func.count()).select_from(table)) or 0 for table in tables}


NOTHING = {"reservation": 0, "reservation_line": 0, "reservation_event": 0, "letter": 0}


def letters() -> set[tuple[str, str]]:
    session = db.session()
    session.rollback()
    return {(letter.template, letter.to_address) for letter in session.scalars(select(Letter))}


def loan(ref: str) -> Reservation:
    session = db.session()
    session.rollback()
    session.expire_all()
    return session.scalars(select(Reservation).where(Reservation.ref == ref)).one()


def free(code: str, period: Period) -> int:
    session = db.session()
    session.rollback()
    things = list(catalog.things_by_code(session, [code]).values())
    return availability.free_units(session, things, period)[things[0].id]
