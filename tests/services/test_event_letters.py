"""Files that go along with letters: the event of a confirmation and of a cancellation."""

from __future__ import annotations

import email
from collections.abc import Callable
from datetime import datetime, timedelta
from email.policy import default
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask
from icalendar import Calendar
from sqlalchemy import select, update

from sharebank.core.db import db, transaction
from sharebank.notifications import attachments, delivery, rules, writing
from sharebank.notifications.attachments import Attachment
from sharebank.notifications.models import Letter
from sharebank.notifications.service import Recipient, post
from sharebank.reservations.models import Reservation, SeriesDate
from sharebank.reservations.series import series_booking, series_changes, series_deciding
from sharebank.reservations.series.series import SeriesAsk
from sharebank.reservations.series.series_rules import Plan
from tests import world
from tests.followed import (
    LATER,
    WEEKLY,
    People,
    book,
    by_ical,
    by_vobject,
    change,
    events,
    fetched,
    revision,
    subscribed,
)
from tests.world import NOW, PARIS


def written(app: Flask, template: str) -> Any:
    letter = db.session.scalars(
        select(Letter).where(Letter.template == template).execution_options(populate_existing=True)
    ).one()
    return email.message_from_bytes(writing.write_out(app, letter).message.as_bytes(), policy=default)


def attached(message: Any) -> Any:
    (part,) = message.iter_attachments()
    return part


def test_a_confirmation_brings_its_event_and_a_cancellation_takes_it_out(app: Flask, actor: People) -> None:
    member, staff = actor("member@example.org"), actor("staff@example.org")
    ref = book(member)
    change(staff, ref, "approve", now=NOW)
    part = attached(written(app, "reservation_approved"))
    assert part.get_content_type() == "text/calendar"
    assert (part.get_param("method"), part.get_filename()) == ("PUBLISH", f"{ref}.ics")
    content = part.get_payload(decode=True)
    (confirmed,) = Calendar.from_ical(content).walk("VEVENT")
    period = world.at(28, "14:00", "18:00")
    assert by_ical(content) == by_vobject(content) == {f"{ref}@127.0.0.1": (period.start, period.end)}
    assert (confirmed["STATUS"], str(confirmed["SUMMARY"])) == ("CONFIRMED", "Répétition")
    assert confirmed["SEQUENCE"] == revision(ref) == 1
    assert "Maison citoyenne Noël Guichard" in str(confirmed["LOCATION"])
    change(staff, ref, "cancel", "Fuite d’eau", now=NOW + timedelta(hours=1))
    part = attached(written(app, "reservation_cancelled"))
    (gone,) = Calendar.from_ical(part.get_payload(decode=True)).walk("VEVENT")
    assert part.get_param("method") == "CANCEL"
    assert (gone["STATUS"], gone["UID"]) == ("CANCELLED", confirmed["UID"])
    assert gone["SEQUENCE"] == revision(ref) > confirmed["SEQUENCE"]
    feed = events(fetched(app, subscribed(member, "person")))
    assert feed[ref]["SEQUENCE"] == gone["SEQUENCE"], "letters and feeds count alike"


def test_what_staff_book_at_once_is_confirmed_with_its_event(app: Flask, actor: People) -> None:
    ref = book(actor("staff@example.org"))
    content = attached(written(app, "reservation_approved")).get_payload(decode=True)
    assert list(events(content)) == [ref]


def test_a_series_brings_all_its_dates_and_takes_out_those_given_up(app: Flask, actor: People) -> None:
    member, staff = actor("member@example.org"), actor("staff@example.org")
    plan = Plan(datetime.fromisoformat("2026-12-01T14:00"), datetime.fromisoformat("2026-12-01T16:00"), WEEKLY)
    ask = SeriesAsk("CHORALE", "Chorale", {"MCNG-R01": 1}, plan)
    with transaction() as session:
        made = series_booking.book(session, member, ask, None, NOW, PARIS)
    with transaction() as session:
        series_deciding.approve_series(session, staff, made.ref, "", NOW, PARIS)
    part = attached(written(app, "series_approved"))
    stored = db.session.execute(select(Reservation.ref, Reservation.starts_at, Reservation.ends_at)).all()
    assert len(stored) == 4
    expected = {f"{row.ref}@127.0.0.1": (row.starts_at, row.ends_at) for row in stored}
    assert part.get_param("method") == "PUBLISH"
    assert by_ical(part.get_payload(decode=True)) == by_vobject(part.get_payload(decode=True)) == expected
    third = db.session.scalars(select(SeriesDate).order_by(SeriesDate.starts_at)).all()[2]
    with transaction() as session:
        series_changes.cancel(session, staff, made.ref, "from", third.id, "Travaux", NOW)
    part = attached(written(app, "series_cancelled"))
    gone = events(part.get_payload(decode=True))
    assert part.get_param("method") == "CANCEL"
    assert {event["STATUS"] for event in gone.values()} == {"CANCELLED"}
    assert {event["DTSTART"].dt for event in gone.values()} == {row.starts_at for row in stored[2:]}
    assert min(event["SEQUENCE"] for event in gone.values()) >= 2


def test_each_try_sends_the_same_bytes(app: Flask, actor: People) -> None:
    member, staff = actor("member@example.org"), actor("staff@example.org")
    ref = book(member)
    change(staff, ref, "approve")
    letter = db.session.scalars(select(Letter).where(Letter.template == "reservation_approved")).one()
    first = writing.write_out(app, letter).message.as_bytes()
    with transaction() as session:
        session.execute(update(Reservation).values(purpose="Autre chose"))
    assert writing.write_out(app, letter).message.as_bytes() == first
    assert f"<{letter.message_id}@".encode() in first


@pytest.fixture
def carries(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Callable[[Attachment | None], Any]:
    """Write a letter out with this file."""

    def write(one: Attachment | None) -> Any:
        monkeypatch.setitem(rules.LETTERS, "reset", rules.Kind(rules.ACCOUNT, attach=("test",)))  # type: ignore[arg-type]
        monkeypatch.setitem(app.extensions["letter_attachments"], "test", lambda _facts, _at: one)
        with transaction() as session:
            post(session, f"k{one}"[:300], "reset", [Recipient("m@example.org", "M", "fr")], {"secret": "s"}, NOW)
        letter = db.session.scalars(select(Letter).order_by(Letter.id.desc())).first()
        return email.message_from_bytes(writing.write_out(app, letter).message.as_bytes(), policy=default)

    return write


def test_any_file_may_go_along(carries: Callable[[Attachment | None], Any]) -> None:
    pdf = b"%PDF-1.7\n" + bytes(range(256)) * 40
    part = attached(carries(Attachment("Convention n° 12 – été.pdf", "application/pdf", pdf)))
    assert (part.get_content_type(), part.get_filename()) == ("application/pdf", "Convention n° 12 – été.pdf")
    assert part.get_payload(decode=True) == pdf
    assert list(carries(None).iter_attachments()) == []


@pytest.mark.parametrize(
    "name",
    [
        "a\r\nBcc: x@evil.example\r\n.pdf",
        "../../etc/passwd",
        '"; x="',
        "=?UTF-8?Q?=0ABcc:_x?=",
        "",
        "." * 300,
        "🎺" * 200,
    ],
)
def test_no_file_name_becomes_a_header_or_a_path(carries: Callable[[Attachment | None], Any], name: str) -> None:
    message = carries(Attachment(name, "application/pdf", b"%PDF-"))
    assert "Bcc" not in message
    part = attached(message)
    assert part.get_payload(decode=True) == b"%PDF-"
    found = part.get_filename()
    assert found
    assert not set(found) & set('/\\"\r\n:')
    assert len(found) <= 100


@pytest.mark.parametrize(
    "one",
    [
        Attachment("a", "application/pdf\r\nBcc: x@evil.example", b""),
        Attachment("a", "pdf", b""),
        Attachment("a", "text/calendar", b"", {"method": "X\r\nBcc: x@evil.example"}),
        Attachment("a", "application/pdf", b"x" * (attachments.MOST_BYTES + 1)),
    ],
    ids=["line break", "no kind", "parameter", "too large"],
)
def test_what_no_letter_may_carry_stops_the_letter(
    carries: Callable[[Attachment | None], Any], one: Attachment
) -> None:
    with pytest.raises(writing.Unwritable):
        carries(one)


def test_nobody_can_type_the_line_between_two_parts(app: Flask, actor: People) -> None:
    """Whoever knew it could begin a part of their own inside a letter."""
    ref = book(actor("staff@example.org"))
    letter = db.session.scalars(select(Letter).where(Letter.template == "reservation_approved")).one()
    message = writing.write_out(app, letter).message
    boundary = message.get_boundary()
    assert boundary
    app.config["SECRET_KEY"] += "another"
    assert writing.write_out(app, letter).message.get_boundary() != boundary
    app.config["SECRET_KEY"] = app.config["SECRET_KEY"].removesuffix("another")
    with transaction() as session:
        facts = {**letter.facts, "purpose": f"--{boundary}"}
        session.execute(update(Letter).where(Letter.id == letter.id).values(facts=facts))
    forged = SimpleNamespace(**{c.name: getattr(letter, c.name) for c in Letter.__table__.columns} | {"facts": facts})
    # Were it known all the same, the letter would not leave.
    with pytest.raises(writing.Unwritable, match="parts"):
        writing.write_out(app, forged)
    assert ref


def test_the_outbox_delivers_it(app: Flask, actor: People) -> None:
    book(actor("staff@example.org"))
    assert delivery.deliver(app, LATER)["letters_sent"] == 1
