"""Reservations that repeat in the small town: asked for, looked at, booked; for the tests of series."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import select

from sharebank.core.db import db, transaction
from sharebank.core.period import to_local
from sharebank.reservations.models import Series
from sharebank.reservations.series import series as service
from sharebank.reservations.series import series_booking, series_reading
from sharebank.reservations.series.series import SeriesAsk
from sharebank.reservations.series.series_rules import Plan, read_rule
from tests import world
from tests.counter import ROOM, STAFF, Who, book

__all__ = ["book"]  # the fixture


NOW, PARIS = world.NOW, world.PARIS
FIRST = "2026-12-01"  # a Tuesday


def ask(
    organisation: str = "MCNG",
    rule: str = "FREQ=WEEKLY;COUNT=6",
    hours: tuple[str, str] = ("14:00", "16:00"),
    first: str = FIRST,
    wants: dict[str, int] | None = None,
    **more: Any,
) -> SeriesAsk:
    start, end = (datetime.fromisoformat(f"{first}T{hour}") for hour in hours)
    plan = Plan(start, end, read_rule(rule), more.pop("until", None), more.pop("skip", "none"))
    return SeriesAsk(organisation, more.pop("purpose", "Chorale"), wants or {ROOM: 1}, plan, **more)


@pytest.fixture
def repeat(actor: Who) -> Callable[..., series_booking.Made]:
    """Book a series: `repeat(STAFF)`."""

    def act(who: str = STAFF, chosen: list[str] | None = None, **asked: Any) -> series_booking.Made:
        with transaction() as session:
            return series_booking.book(session, actor(who), ask(**asked), chosen, NOW, PARIS)

    return act


Repeat = Callable[..., series_booking.Made]


def look(actor: Who, who: str = STAFF, **asked: Any) -> service.Preview:
    session = db.session()
    session.rollback()
    return service.preview(session, actor(who), ask(**asked), NOW, PARIS)


def states(found: service.Preview) -> list[str]:
    return [one.state for one in found.dates]


def dates(ref: str) -> list[series_reading.DateRow]:
    session = db.session()
    session.rollback()
    session.expire_all()
    return series_reading.dates_of_series(session, session.scalars(select(Series).where(Series.ref == ref)).one())


def walls(ref: str) -> list[str]:
    return [f"{to_local(one.period.start, PARIS):%d/%m %H:%M} {one.state}" for one in dates(ref)]
