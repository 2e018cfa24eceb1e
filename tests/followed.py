"""Whoever subscribes to a calendar, and what two libraries read in it; for the tests of calendars."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import vobject
from flask import Flask
from flask_babel import force_locale
from ical.calendar_stream import IcsCalendarStream
from icalendar import Calendar
from sqlalchemy import select

from sharebank.accounts.actor import Actor
from sharebank.core.db import db, transaction
from sharebank.reservations import booking, lifecycle
from sharebank.reservations.booking import Ask
from sharebank.reservations.calendars import feeds, feeds_reading
from sharebank.reservations.calendars.calendar_writing import calendar
from sharebank.reservations.models import Reservation
from sharebank.reservations.series.series_rules import read_rule
from tests import world
from tests.world import NOW, PARIS

People = Callable[[str], Actor]
KEY = "a key of the tests"
LATER = NOW + timedelta(minutes=2)
WEEKLY = read_rule("FREQ=WEEKLY;COUNT=4")

# Both yearly changes of the clocks, an event that spans each, and the hour that happens twice.
CLOCKS = {
    "spans the autumn change": (datetime(2026, 10, 24, 16, tzinfo=UTC), datetime(2026, 10, 25, 16, tzinfo=UTC)),
    "first of the two o'clocks": (datetime(2026, 10, 25, 0, 15, tzinfo=UTC), datetime(2026, 10, 25, 0, 45, tzinfo=UTC)),
    "second of the two o'clocks": (
        datetime(2026, 10, 25, 1, 15, tzinfo=UTC),
        datetime(2026, 10, 25, 1, 45, tzinfo=UTC),
    ),
    "spans the spring change": (datetime(2027, 3, 27, 20, tzinfo=UTC), datetime(2027, 3, 28, 4, tzinfo=UTC)),
    "just before spring": (datetime(2027, 3, 28, 0, 30, tzinfo=UTC), datetime(2027, 3, 28, 1, tzinfo=UTC)),
    "summer": (datetime(2027, 7, 1, 7, tzinfo=UTC), datetime(2027, 7, 1, 9, tzinfo=UTC)),
    "winter": (datetime(2026, 12, 1, 8, tzinfo=UTC), datetime(2026, 12, 1, 10, tzinfo=UTC)),
}
HOSTILE = {
    "commas; semicolons, and \\ backslashes \\n": None,
    "line\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\nSUMMARY:evil": None,
    "\nATTENDEE:mailto:x@evil.example\n": None,
    "émoji 🎺🎻 – « fête » ’n’ Nguyễn": None,
    "x" * 10_000: None,
    "🎺" * 400: None,
    "nul\0bell\x07 \x85 \u2028 end": None,
    '"quoted": ^n ^^ CN="x"': None,
}


def book(actor: Actor, day: int = 28, resource: str = "MCNG-R01", quantity: int = 1, **more: Any) -> str:
    ask = Ask(
        more.pop("body", "CHORALE"),
        more.pop("purpose", "Répétition"),
        world.at(day, "14:00", "18:00"),
        {resource: quantity},
        **more,
    )
    with transaction() as session:
        return booking.book(session, actor, ask, NOW, PARIS)[0].ref


def change(actor: Actor, ref: str, act: str, why: str = "", now: datetime = NOW) -> None:
    with transaction() as session:
        lifecycle.change(session, actor, ref, act, why, now, PARIS)


def subscribed(actor: Actor, kind: str, code: str = "") -> str:
    with transaction() as session:
        return feeds.make(session, actor, kind, code, NOW)[1]


def fetched(app: Flask, secret: str, now: datetime = NOW) -> bytes:
    with app.test_request_context(), force_locale("fr"):
        opened = feeds.opened(db.session(), secret)
        found, _ = feeds_reading.entries(db.session(), opened, KEY, now, PARIS)
        return calendar("test", found, PARIS.key, now, whose=opened.kind)


def events(content: bytes) -> dict[str, Any]:
    return {str(event["UID"]).partition("@")[0]: event for event in Calendar.from_ical(content).walk("VEVENT")}


def revision(ref: str) -> int:
    db.session.rollback()
    return db.session.scalars(select(Reservation.revision).where(Reservation.ref == ref)).one()


def by_ical(content: bytes) -> dict[str, tuple[datetime, datetime]]:
    read = IcsCalendarStream.calendar_from_ics(content.decode())
    return {event.uid: (event.dtstart, event.dtend) for event in read.events}


def by_vobject(content: bytes) -> dict[str, tuple[datetime, datetime]]:
    read = vobject.readOne(content.decode())
    return {event.uid.value: (event.dtstart.value, event.dtend.value) for event in read.vevent_list}
