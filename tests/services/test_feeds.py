"""Calendars to subscribe to: the same instants and words, whose eyes, many."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
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
from sharebank.reservations import booking
from sharebank.reservations.booking import Ask
from sharebank.reservations.calendars import calendar_writing, feeds, feeds_reading
from sharebank.reservations.calendars.calendar_models import CalendarFeed
from sharebank.reservations.calendars.calendar_writing import Entry, calendar
from sharebank.reservations.models import Reservation, ReservationEvent, ReservationLine
from tests import world
from tests.followed import (
    CLOCKS,
    HOSTILE,
    KEY,
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
