"""What managers read of what went by itself, and the calendar file of a daily letter; on both databases."""

from __future__ import annotations

import email
from collections.abc import Callable
from datetime import datetime, timedelta
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from icalendar import Calendar
from sqlalchemy import event, select, update

from config import MailFolder, read_mail_url
from sharebank.accounts.models import User
from sharebank.core.db import db, transaction
from sharebank.notifications import delivery, digest
from sharebank.notifications import rules as rules_of_letters
from sharebank.notifications.models import Letter
from sharebank.notifications.rules import LETTERS
from sharebank.reservations import lifecycle
from sharebank.reservations.models import Reservation, SeriesDate
from sharebank.reservations.series import series_booking, series_changes, series_deciding
from sharebank.reservations.series.series import SeriesAsk
from sharebank.reservations.series.series_rules import Plan, read_rule
from tests.counter import HOME, MEMBER, ROOM, SMALL, STAFF, STN_ROOM, Book, Who, book, rules
from tests.world import NOW, PARIS, at

__all__ = ["book"]  # the fixture
ADMIN, MANAGER, MANAGER_STN = "admin@example.org", "manager@example.org", "manager.stn@example.org"
WHEN = at(28, "14:00", "18:00")
SignedIn = Callable[[str], FlaskClient]
MORNING = NOW + timedelta(hours=22)  # 07:00 in Paris


def letters(template: str) -> dict[str, str]:
    """State of the letters of a sort, by reader."""
    session = db.session()
    session.rollback()
    rows = session.execute(select(Letter.to_address, Letter.state).where(Letter.template == template))
    return {row.to_address: row.state for row in rows}


def prefer(letters: str, *emails: str) -> None:
    with transaction() as session:
        session.execute(update(User).where(User.email.in_(emails)).values(letters=letters))


def repeated(actor: Who, who: str, start: str = "14:00") -> str:
    """A series of four weeks; its reference."""
    first, last = (datetime.fromisoformat(f"2026-12-01T{hour}") for hour in (start, f"{int(start[:2]) + 2}:00"))
    ask = SeriesAsk(HOME[who], "Chorale", {ROOM: 1}, Plan(first, last, read_rule("FREQ=WEEKLY;COUNT=4")))
    with transaction() as session:
        return series_booking.book(session, actor(who), ask, None, NOW, PARIS).ref


def change(actor: Who, who: str, ref: str, act: str, now: datetime = NOW, why: str = "Fuite d’eau") -> None:
    with transaction() as session:
        lifecycle.change(session, actor(who), ref, act, why, now, PARIS)


def daily(app: Flask, reader: str, now: datetime = MORNING) -> Any:
    """The daily letter as it lies in the folder."""
    digest.write_digests(app, now)
    assert delivery.deliver(app, now)["letters_dead"] == 0
    mail = read_mail_url(app.config["SHAREBANK_MAIL_URL"], Path("/"))
    assert isinstance(mail, MailFolder)
    found = [email.message_from_bytes(file.read_bytes(), policy=default) for file in mail.directory.glob("*.eml")]
    [message] = [
        one
        for one in found
        if one["To"].addresses[0].addr_spec == reader and ("nouvelle" in one["Subject"] or "piece" in one["Subject"])
    ]
    return message


def events(message: Any) -> dict[str, Any]:
    (part,) = message.iter_attachments()
    assert (part.get_content_type(), part.get_filename()) == ("text/calendar", "sharebank.ics")
    found = Calendar.from_ical(part.get_payload(decode=True)).walk("VEVENT")
    by_uid = {str(one["UID"]).partition("@")[0]: one for one in found}
    assert len(by_uid) == len(found), "each reservation once"
    return by_uid


# -- booked at once by a member ------------------------------------------------------------------------


def test_managers_read_once_a_day_of_what_the_rules_let_a_member_book(app: Flask, book: Book) -> None:
    rules(approval=None)
    prefer("acts", ADMIN)
    done = [book(MEMBER, at(day, "14:00", "18:00"), {ROOM: 1}, purpose=f"Atelier {day}")[0] for day in (28, 29)]
    assert {one.status for one in done} == {"approved"}
    assert letters("reservation_booked") == {MANAGER: "digest"}, "wants news at once: even so no flood"
    assert delivery.deliver(app, NOW + timedelta(hours=1)) == {
        "letters_sent": 2,
        "letters_failed": 0,
        "letters_dead": 0,
    }
    message = daily(app, MANAGER)
    text = message.get_body(("plain",)).get_content()
    for one, day in zip(done, (28, 29), strict=True):
        assert f": Atelier {day}" in text
        assert f"/reservations/{one.ref}" in text
    assert list(message.iter_attachments()) == [], "it is not theirs to go to"
    assert digest.write_digests(app, MORNING + timedelta(hours=1)) == {"digests": 0}


def test_nobody_reads_of_what_their_own_staff_books_or_decides_on(book: Book) -> None:
    book(STAFF, WHEN, {ROOM: 1})
    [asked] = book(MEMBER, at(29, "14:00", "18:00"), {ROOM: 1})
    assert asked.status == "requested"
    assert letters("reservation_booked") == {}
    rules(approval=None)
    book(STAFF, WHEN, {SMALL: 1})
    assert letters("reservation_booked") == {}
    book(STAFF, WHEN, {STN_ROOM: 1})
    assert letters("reservation_booked") == {MANAGER_STN: "digest"}, "they are not that house's staff"


def test_the_owners_staff_book_with_as_few_statements_as_ever(app: Flask, book: Book) -> None:
    """Letters to others must not slow down the counter."""
    rules(approval=None)
    asked: list[str] = []
    event.listen(db.engine, "before_cursor_execute", lambda *facts: asked.append(facts[2]))
    for who, looked_up, posted in ((STAFF, 0, 1), (MEMBER, 1, 3)):
        asked.clear()
        book(who, WHEN, {ROOM if who == STAFF else SMALL: 1})
        assert len([one for one in asked if "user_account.letters" in one and "role IN" in one]) == looked_up
        assert len([one for one in asked if one.startswith("INSERT INTO letter")]) == posted


def test_called_off_before_they_read_it_there_is_nothing_to_read(book: Book, actor: Who) -> None:
    rules(approval=None)
    [done] = book(MEMBER, WHEN, {ROOM: 1})
    change(actor, MEMBER, done.ref, "cancel")
    assert set(letters("reservation_booked").values()) == {"withdrawn"}
    assert letters("reservation_cancelled") == {}


def test_called_off_after_they_read_it_they_read_that_too(app: Flask, book: Book, actor: Who) -> None:
    rules(approval=None)
    [done] = book(MEMBER, WHEN, {ROOM: 1})
    digest.write_digests(app, MORNING)
    change(actor, MEMBER, done.ref, "cancel", MORNING + timedelta(hours=1))
    assert letters("reservation_cancelled").keys() == {ADMIN, MANAGER}


def test_collected_the_same_day_it_is_still_news(book: Book, actor: Who) -> None:
    rules(approval=None)
    [done] = book(MEMBER, at(21, "10:00", "12:00"), {ROOM: 1})
    change(actor, STAFF, done.ref, "collect", NOW + timedelta(hours=1))
    assert set(letters("reservation_booked").values()) == {"digest"}


# -- the calendar file of the daily letter -------------------------------------------------------------


@pytest.fixture
def reader(app: Flask) -> str:
    prefer("digest", MEMBER)
    return MEMBER


def test_a_daily_letter_brings_its_confirmations_into_the_calendar_in_one_file(
    app: Flask, book: Book, actor: Who, reader: str
) -> None:
    one, two, asked = (book(reader, at(day, "14:00", "18:00"), {ROOM: 1})[0].ref for day in (27, 28, 29))
    [far] = book(reader, at(28, "9:00", "12:00"), {STN_ROOM: 1})
    for ref in (one, two):
        change(actor, STAFF, ref, "approve")
    change(actor, "staff.stn@example.org", far.ref, "approve")
    message = daily(app, reader)
    (part,) = message.iter_attachments()
    assert part.get_param("method") == "PUBLISH"
    found = events(message)
    assert found.keys() == {one, two, far.ref}, "what only waits for an answer is in no calendar"
    assert asked not in found
    assert {str(event["STATUS"]) for event in found.values()} == {"CONFIRMED"}
    assert (found[two]["DTSTART"].dt, found[two]["DTEND"].dt) == (WHEN.start, WHEN.end)
    assert found[one]["DTSTAMP"].dt == NOW, "when it was confirmed, as in a letter of its own"
    assert "Guichard" in found[one]["ORGANIZER"].params["CN"]
    assert "Saint-Nicolas" in found[far.ref]["ORGANIZER"].params["CN"]


def test_what_was_called_off_since_is_taken_out(app: Flask, book: Book, actor: Who, reader: str) -> None:
    told, fresh, kept = (book(reader, at(day, "14:00", "18:00"), {ROOM: 1})[0].ref for day in (27, 28, 29))
    change(actor, STAFF, told, "approve")
    first = events(daily(app, reader))
    assert first.keys() == {told}
    for ref in (fresh, kept):
        change(actor, STAFF, ref, "approve", MORNING)
    for ref in (told, fresh):
        change(actor, STAFF, ref, "cancel", MORNING + timedelta(hours=1))
    (part,) = (message := daily_second(app, reader)).iter_attachments()
    assert part.get_param("method") == "PUBLISH", "one of them stays"
    found = events(message)
    assert {ref: str(event["STATUS"]) for ref, event in found.items()} == {
        told: "CANCELLED",
        fresh: "CANCELLED",
        kept: "CONFIRMED",
    }
    assert found[told]["SEQUENCE"] > first[told]["SEQUENCE"]


def daily_second(app: Flask, reader: str) -> Any:
    """That of the day after; the first one is put away."""
    mail = read_mail_url(app.config["SHAREBANK_MAIL_URL"], Path("/"))
    assert isinstance(mail, MailFolder)
    for file in mail.directory.glob("*.eml"):
        file.unlink()
    return daily(app, reader, MORNING + timedelta(days=1))


def test_only_called_off_it_says_so_as_a_letter_of_its_own_would(
    app: Flask, book: Book, actor: Who, reader: str
) -> None:
    [done] = book(reader, WHEN, {ROOM: 1})
    change(actor, STAFF, done.ref, "approve")
    daily(app, reader)
    change(actor, STAFF, done.ref, "cancel", MORNING + timedelta(hours=1))
    (part,) = (message := daily_second(app, reader)).iter_attachments()
    assert part.get_param("method") == "CANCEL"
    assert str(events(message)[done.ref]["STATUS"]) == "CANCELLED"


def test_of_a_series_approved_and_cut_short_the_last_word_counts(app: Flask, actor: Who, reader: str) -> None:
    ref = repeated(actor, reader)
    with transaction() as session:
        series_deciding.approve_series(session, actor(STAFF), ref, "", NOW, PARIS)
    third = db.session.scalars(select(SeriesDate).order_by(SeriesDate.starts_at)).all()[2].id
    with transaction() as session:
        series_changes.cancel(session, actor(STAFF), ref, "from", third, "Travaux", NOW + timedelta(hours=1))
    found = events(daily(app, reader))
    stored = db.session.execute(select(Reservation.ref, Reservation.status, Reservation.starts_at)).all()
    expected = {row.ref: "CANCELLED" if row.status == "cancelled" else "CONFIRMED" for row in stored}
    assert sorted(expected.values()) == ["CANCELLED", "CANCELLED", "CONFIRMED", "CONFIRMED"]
    assert {ref: str(event["STATUS"]) for ref, event in found.items()} == expected


def test_a_daily_letter_without_confirmations_carries_no_file(app: Flask, book: Book, reader: str) -> None:
    book(reader, WHEN, {ROOM: 1})
    assert list(daily(app, reader).iter_attachments()) == []


def test_news_of_a_series_lead_to_the_series(app: Flask, actor: Who, reader: str, signed_in: SignedIn) -> None:
    ref = repeated(actor, reader)
    for kind in ("plain", "html"):
        body = daily(app, reader).get_body((kind,)).get_content()
        assert f"http://127.0.0.1:5000/series/{ref}" in body
        assert "/reservations/" not in body
    assert signed_in(reader).get(f"/series/{ref}").status_code == 200


def test_each_line_of_the_daily_letter_knows_its_page(app: Flask) -> None:
    optional = {name.partition("_")[0] for name in LETTERS if rules_of_letters.optional(name) and name != "digest"}
    assert optional == {*digest.PAGES, "reservation", "handover"}, "what is no loan says where it leads"
    for page, argument, _fact in (*digest.PAGES.values(), digest.LOAN):
        assert [argument in rule.arguments for rule in app.url_map.iter_rules(page)] == [True]
