"""Calendars as other programs read them: the instants of the database, one name each, nothing that is not theirs."""

from __future__ import annotations

import email
import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.policy import default
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import vobject
from flask import Flask
from flask_babel import force_locale
from ical.calendar_stream import IcsCalendarStream
from icalendar import Calendar
from sqlalchemy import delete, event, insert, select, update

from sharebank.accounts.actor import Actor
from sharebank.accounts.models import Membership
from sharebank.catalog.models import Resource
from sharebank.core.db import db, transaction
from sharebank.core.errors import NotAllowed, NotFound
from sharebank.notifications import attachments, delivery, rules, writing
from sharebank.notifications.attachments import Attachment
from sharebank.notifications.models import Letter
from sharebank.notifications.service import Recipient, post
from sharebank.reservations import booking, lifecycle
from sharebank.reservations.booking import Ask
from sharebank.reservations.calendars import calendar_writing, feeds, feeds_reading
from sharebank.reservations.calendars.calendar_models import CalendarFeed
from sharebank.reservations.calendars.calendar_writing import Entry, calendar
from sharebank.reservations.models import Reservation, ReservationEvent, ReservationLine, SeriesDate
from sharebank.reservations.series import series_booking, series_changes, series_deciding
from sharebank.reservations.series.series import SeriesAsk
from sharebank.reservations.series.series_rules import Plan, read_rule
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


# -- the same instants, the same words -------------------------------------------------------------


@pytest.mark.parametrize("read", [by_ical, by_vobject])
def test_two_libraries_read_the_instants_of_the_database(app: Flask, actor: People, read: Any) -> None:
    staff = actor("staff.stn@example.org")
    with transaction() as session:
        plates = session.scalars(select(Resource).where(Resource.code == "STN-K03")).one()
        plates.longest_hold = 48 * 3600
        for number, (start, end) in enumerate(CLOCKS.values()):
            session.add(loan_of(plates, staff, f"R26-C{number}", start, end))
    content = fetched(app, subscribed(staff, "house", "STN"), datetime(2026, 11, 1, tzinfo=UTC))
    stored = db.session.execute(select(Reservation.ref, Reservation.starts_at, Reservation.ends_at)).all()
    assert len(stored) == len(CLOCKS)
    assert read(content) == {f"{row.ref}@127.0.0.1": (row.starts_at, row.ends_at) for row in stored}
    assert set(read(content).values()) == set(CLOCKS.values())


def loan_of(room: Resource, staff: Actor, ref: str, start: datetime, end: datetime, **facts: Any) -> Reservation:
    return Reservation(
        **{
            "ref": ref,
            "request": ref,
            "lender_id": room.house_id,
            "borrower_id": room.house_id,
            "user_id": staff.user_id,
            "starts_at": start,
            "ends_at": end,
            "status": "approved",
            "purpose": "Fête",
            "created_at": NOW,
            **facts,
        },
        lines=[ReservationLine(resource_id=room.id, quantity=1, starts_at=start, ends_at=end)],
        events=[ReservationEvent(at=NOW, status="approved")],
    )


def test_the_zone_that_comes_along_says_when_clocks_change(app: Flask, actor: People) -> None:
    content = fetched(app, subscribed(actor("member@example.org"), "person"))
    read = vobject.readOne(content.decode())
    zone = read.vtimezone.gettzinfo()
    paris = ZoneInfo("Europe/Paris")
    for day in ("2026-10-25T12", "2027-03-28T12", "2027-01-05T12", "2027-07-05T12"):
        wall = datetime.fromisoformat(day)
        assert zone.utcoffset(wall) == paris.utcoffset(wall), wall
    assert b"X-WR-TIMEZONE:Europe/Paris" in content
    parts = [part for part in Calendar.from_ical(content).walk() if part.name in ("STANDARD", "DAYLIGHT")]
    changes = {part["DTSTART"].dt - part["TZOFFSETFROM"].td for part in parts}
    assert {datetime.fromisoformat("2026-10-25T01:00"), datetime.fromisoformat("2027-03-28T01:00")} <= changes


@pytest.mark.parametrize("purpose", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_stays_text(app: Flask, purpose: str) -> None:
    entry = sample(purpose=purpose, house=purpose[:200], things=((purpose[:200], 2, purpose[:200]),))
    with app.test_request_context(), force_locale("fr"):
        content = calendar(purpose, [entry], PARIS.key, NOW, whose="house")
    lines = content.split(b"\r\n")
    assert max(map(len, lines)) <= 75
    assert not any(b"\n" in line or b"\r" in line for line in lines)
    content.decode()  # no character is cut in two by a fold... which a reader undoes first
    assert content.count(b"\r\nBEGIN:VEVENT\r\n") == 1
    properties = {line.partition(b":")[0].partition(b";")[0] for line in content.replace(b"\r\n ", b"").split(b"\r\n")}
    assert b"ATTENDEE" not in properties
    (ours,) = events(content).values()
    (theirs,) = IcsCalendarStream.calendar_from_ics(content.decode()).events
    (others,) = vobject.readOne(content.decode()).vevent_list
    assert str(ours["SUMMARY"]) == theirs.summary == others.summary.value
    start = purpose.strip().split("\r")[0].split("\0")[0].strip()[:40]
    assert start in theirs.summary


def sample(**facts: Any) -> Entry:
    usual = Entry(
        *("R26-ABC234", "R26-ABC234", "loan", "approved", NOW, NOW + timedelta(hours=2), NOW, 0),
        *("Répétition", "Chorale", "Maison", "1 rue du Lavoir", (("Grande salle", 1, "Rez-de-chaussée"),)),
    )
    return usual._replace(**facts)


@pytest.mark.parametrize(
    ("state", "status", "begins"),
    [
        ("requested", "TENTATIVE", "À confirmer"),
        ("approved", "CONFIRMED", "Répétition"),
        ("collected", "CONFIRMED", "Répétition"),
        ("returned", "CONFIRMED", "Répétition"),
        ("declined", "CANCELLED", "Annulé"),
        ("cancelled", "CANCELLED", "Annulé"),
        ("expired", "CANCELLED", "Annulé"),
    ],
)
def test_each_state_says_so_by_property_and_by_word(app: Flask, state: str, status: str, begins: str) -> None:
    with app.test_request_context(), force_locale("fr"):
        (event,) = events(calendar("x", [sample(state=state)], PARIS.key, NOW)).values()
    assert event["STATUS"] == status
    assert str(event["SUMMARY"]).startswith(begins)


# -- names and numbers -----------------------------------------------------------------------------


def test_every_change_of_what_is_shown_counts(app: Flask, actor: People) -> None:
    member, staff = actor("member@example.org"), actor("staff@example.org")
    secret = subscribed(member, "person")
    ref = book(member, resource="STN-K03", quantity=10)
    seen = [revision(ref)]
    assert seen == [0]

    def grew(what: str) -> None:
        seen.append(revision(ref))
        assert seen[-1] > seen[-2], what
        (event,) = events(fetched(app, secret)).values()
        assert event["SEQUENCE"] == seen[-1]
        assert str(event["UID"]) == f"{ref}@127.0.0.1"

    change(actor("staff.stn@example.org"), ref, "approve")
    grew("state")
    loan_id = db.session.scalars(select(Reservation.id).where(Reservation.ref == ref)).one()
    for what, statement in {
        "period, by hand": update(Reservation).values(ends_at=world.at(28, "14:00", "17:00").end),
        "purpose": update(Reservation).values(purpose="Concert"),
        "units": update(ReservationLine).values(quantity=8),
    }.items():
        with transaction() as session:
            session.execute(statement)
        grew(what)
    with transaction() as session:
        # As a series moves: its lines go, and come back elsewhere.
        lines = [dict(row._mapping) for row in session.execute(select(*ReservationLine.__table__.c))]
        session.execute(delete(ReservationLine).where(ReservationLine.reservation_id == loan_id))
        again = [{**line, "id": line["id"] + 50} for line in lines]
        session.execute(insert(ReservationLine.__table__), again)  # type: ignore[arg-type]
    grew("lines")
    before = revision(ref)
    with transaction() as session:
        session.execute(update(Reservation).values(lapses_at=NOW, starts_at=Reservation.starts_at))
        session.execute(update(Resource).values(quantity=Resource.quantity))
    assert revision(ref) == before, "what nobody sees does not count"
    assert staff.staff_of == ("MCNG",)


def test_called_off_stays_marked_for_a_month_then_goes(app: Flask, actor: People) -> None:
    member = actor("member@example.org")
    secret = subscribed(member, "person")
    ref = book_far(member)
    change(member, ref, "cancel")
    for days, there in ((0, True), (30, True), (32, False)):
        found = events(fetched(app, secret, NOW + timedelta(days=days)))
        assert (ref in found) is there, days
        if there:
            assert found[ref]["STATUS"] == "CANCELLED"
            assert found[ref]["SEQUENCE"] == 1


def book_far(actor: Actor) -> str:
    period = world.at(6, "14:00", "18:00", month=12).moved(timedelta(days=90))
    ask = Ask("CHORALE", "Loto", period, {"MCNG-R01": 1})
    with transaction() as session:
        return booking.book(session, actor, ask, NOW, PARIS)[0].ref


def test_what_is_over_stays_a_month(app: Flask, actor: People) -> None:
    member = actor("member@example.org")
    secret, ref = subscribed(member, "person"), book(member)
    assert ref in events(fetched(app, secret, NOW + timedelta(days=35)))
    assert ref not in events(fetched(app, secret, NOW + timedelta(days=40)))


# -- whose eyes ------------------------------------------------------------------------------------


def test_a_feed_shows_what_its_maker_may_know_and_no_more(app: Flask, actor: People) -> None:
    member, other, staff = (actor(f"{who}@example.org") for who in ("member", "other", "staff"))
    ref = book(member, purpose="Secret de famille")
    for who, sees in ((member, True), (staff, True), (other, False)):
        content = fetched(app, subscribed(who, "resource", "MCNG-R01"))
        (event,) = events(content).values()
        assert ("Secret" in content.decode(), ref in content.decode()) == (sees, sees), who.email
        assert ("URL" in event, "DESCRIPTION" in event) == (sees, sees)
        if not sees:
            assert "Occupé" in str(event["SUMMARY"])
            assert "Chorale" not in content.decode()
    assert ref in events(fetched(app, subscribed(member, "person")))
    assert ref not in events(fetched(app, subscribed(other, "person")))
    assert ref not in events(fetched(app, subscribed(staff, "person"))), "their house lends it, it does not borrow it"


def test_who_lost_the_role_sees_nothing_more(app: Flask, actor: People) -> None:
    member, staff = actor("member@example.org"), actor("staff@example.org")
    ref = book(member, purpose="Secret")
    house, thing = subscribed(staff, "house", "MCNG"), subscribed(staff, "resource", "MCNG-R01")
    assert ref in events(fetched(app, house))
    with transaction() as session:
        elsewhere = {"role": "member", "organisation_id": actor("other@example.org").roles[0].organisation_id}
        session.execute(update(Membership).where(Membership.user_id == staff.user_id).values(**elsewhere))
    assert events(fetched(app, house)) == {}
    assert b"Secret" not in fetched(app, thing)
    with transaction() as session:
        session.execute(delete(Membership).where(Membership.user_id == staff.user_id))
    assert events(fetched(app, thing)) == {}


def test_closures_stand_in_the_calendars_of_house_and_thing(app: Flask, actor: People) -> None:
    staff, other = actor("staff@example.org"), actor("other@example.org")
    with transaction() as session:
        booking.close(session, staff, Ask("", "Travaux", world.at(28, "08:00", "18:00"), {"MCNG-R01": 1}), NOW, PARIS)
    for secret in (subscribed(staff, "house", "MCNG"), subscribed(other, "resource", "MCNG-R01")):
        (event,) = events(fetched(app, secret)).values()
        assert "Fermé" in str(event["SUMMARY"])
        assert "Travaux" in str(event["SUMMARY"])
    assert events(fetched(app, subscribed(staff, "person"))) == {}


def test_addresses_are_secret_shown_once_replaced_and_revoked(app: Flask, actor: People) -> None:
    member, other = actor("member@example.org"), actor("other@example.org")
    first = subscribed(member, "person")
    assert len(first) >= 43  # 256 bits
    stored = db.session.scalars(select(CalendarFeed)).one()
    assert stored.token_hash == hashlib.sha256(first.encode()).hexdigest()
    second = subscribed(member, "person")
    assert first != second
    with pytest.raises(NotFound):
        feeds.opened(db.session(), first)
    (row,) = feeds.feeds_of(db.session(), member)
    assert feeds.feeds_of(db.session(), other) == []
    with pytest.raises(NotFound), transaction() as session:
        feeds.revoke(session, other, row.id)
    with transaction() as session:
        feeds.revoke(session, member, row.id)
    with pytest.raises(NotFound):
        feeds.opened(db.session(), second)


@pytest.mark.parametrize(
    ("who", "kind", "code", "refused"),
    [
        ("member", "person", "", None),
        ("member", "resource", "MCNG-R01", None),
        ("member", "house", "MCNG", NotAllowed),
        ("staff", "house", "MCNG", None),
        ("staff", "house", "STN", NotAllowed),
        ("admin", "house", "STN", None),
        ("staff", "house", "CHORALE", NotFound),
        ("staff", "resource", "MCNG-R99", NotFound),
        ("staff", "town", "", NotFound),
    ],
)
def test_who_may_follow_what(
    app: Flask, actor: People, who: str, kind: str, code: str, refused: type[Exception] | None
) -> None:
    person = actor(f"{who}@example.org")
    if refused is None:
        subscribed(person, kind, code)
        return
    with pytest.raises(refused):
        subscribed(person, kind, code)
    assert feeds.feeds_of(db.session(), person) == []


# -- what is open to everybody ---------------------------------------------------------------------


def test_the_public_programme_holds_what_is_public_and_firm(app: Flask, actor: People) -> None:
    staff, member = actor("staff@example.org"), actor("member@example.org")
    shown = book(staff, day=26, purpose="Concert", public=True)
    book(staff, day=27, purpose="Réunion privée")
    book(member, day=28, purpose="Pas encore", public=True)
    gone = book(staff, day=29, purpose="Annulé", public=True)
    change(staff, gone, "cancel")
    house_id = staff.roles[0].organisation_id
    (entry,) = feeds_reading.public_entries(db.session(), house_id, KEY, NOW, PARIS)
    assert (entry.purpose, entry.borrower, entry.things[0][0]) == ("Concert", "Chorale du Vieux-Lavoir", "Grande salle")
    assert shown not in str(entry), "a reference is not everybody's"
    assert feeds_reading.public_entries(db.session(), house_id, KEY, NOW, PARIS, ahead=timedelta(days=3)) == []


# -- many ------------------------------------------------------------------------------------------


def test_many_events_ask_as_little_as_none_and_each_is_written_once(app: Flask, actor: People) -> None:
    """What 1,000 of them take is measured by benchmarks/."""
    staff = actor("staff@example.org")
    secret = subscribed(staff, "house", "MCNG")
    db.session.rollback()
    asked: list[str] = []
    event.listen(db.engine, "before_cursor_execute", lambda *facts: asked.append(facts[2]))
    assert fetched(app, secret).count(b"BEGIN:VEVENT") == 0
    for_none = len(asked)
    calendar_writing._event.cache_clear()
    assert (calendar_writing._event.cache_info().maxsize or 0) >= 10_000, "a house of 5,000, in both languages"
    with transaction() as session:
        rooms = session.scalars(select(Resource).where(Resource.code.like("MCNG-R%"))).all()
        first = NOW.replace(minute=0)
        facts = [
            {
                "id": n + 1,
                "ref": f"R26-N{n:05}",
                "request": "x",
                "kind": "loan",
                "status": "approved",
                "public": False,
                "lender_id": rooms[0].house_id,
                "borrower_id": rooms[0].house_id,
                "user_id": staff.user_id,
                "purpose": f"Atelier {n % 40}",
                "details": {},
                "offered": False,
                "created_at": NOW,
                "starts_at": first + timedelta(hours=3 * (n // 2)),
                "ends_at": first + timedelta(hours=3 * (n // 2) + 2),
            }
            for n in range(300)
        ]
        session.execute(insert(Reservation.__table__), facts)  # type: ignore[arg-type]
        lines = [
            {"reservation_id": one["id"], "resource_id": rooms[n % 2].id, "quantity": 1, "starts_at": one["starts_at"]}
            | {"ends_at": one["ends_at"], "exclusive": False, "holds": True, "back": False}
            for n, one in enumerate(facts)
        ]
        session.execute(insert(ReservationLine.__table__), lines)  # type: ignore[arg-type]
        happened = [{"reservation_id": one["id"], "at": NOW, "status": "approved", "why": ""} for one in facts]
        session.execute(insert(ReservationEvent.__table__), happened)  # type: ignore[arg-type]
    asked.clear()
    db.session.rollback()
    content = fetched(app, secret)
    assert content.count(b"BEGIN:VEVENT") == 300
    written = calendar_writing._event.cache_info()
    assert (len(asked), written.misses) == (for_none, 300)
    assert fetched(app, secret) == content
    assert calendar_writing._event.cache_info().misses == written.misses


# -- along with letters ----------------------------------------------------------------------------


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
