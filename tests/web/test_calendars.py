"""Calendars over HTTP: made, shown once, fetched by programs that ask again; the public programme; the paper."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from icalendar import Calendar
from sqlalchemy import update

from sharebank.accounts.actor import Actor
from sharebank.accounts.models import Organisation, User
from sharebank.catalog.models import Resource
from sharebank.core import clock
from sharebank.core.db import transaction
from sharebank.reservations import booking, lifecycle
from sharebank.reservations.booking import Ask
from tests import world
from tests.world import NOW, PARIS

People = Callable[[str], Actor]
Browsers = Callable[[str], FlaskClient]


@pytest.fixture(autouse=True)
def _without_csrf(app: Flask) -> None:
    app.config["WTF_CSRF_ENABLED"] = False  # test_access.py is about it


def book(actor: Actor, day: int = 28, hours: tuple[str, str] = ("14:00", "18:00"), **more: Any) -> str:
    ask = Ask(
        "CHORALE", more.pop("purpose", "Répétition"), world.at(day, *hours), more.pop("wants", {"MCNG-R01": 1}), **more
    )
    with transaction() as session:
        return booking.book(session, actor, ask, NOW, PARIS)[0].ref


def change(actor: Actor, ref: str, act: str, why: str = "") -> None:
    with transaction() as session:
        lifecycle.change(session, actor, ref, act, why, NOW, PARIS)


def page_of(answer: Any) -> str:
    return unescape(answer.get_data(as_text=True))


def made(browser: FlaskClient, **of: str) -> str:
    """The path of a new calendar's address, read from the page."""
    answer = browser.post("/calendars", data=of)
    assert answer.status_code == 200
    (address,) = re.findall(r'value="(http[^"]+\.ics)"', page_of(answer))
    assert address.startswith("http://127.0.0.1:5000/calendar/")
    return address.removeprefix("http://127.0.0.1:5000")


# -- addresses -------------------------------------------------------------------------------------


def test_an_address_is_shown_once_and_works_without_sign_in(
    actor: People, signed_in: Browsers, client: FlaskClient
) -> None:
    ref = book(actor("member@example.org"))
    browser = signed_in("member@example.org")
    path = made(browser, kind="person")
    assert path not in page_of(browser.get("/calendars"))
    answer = client.get(path)
    assert answer.status_code == 200
    assert answer.content_type == "text/calendar; charset=utf-8"
    assert answer.headers["Cache-Control"].startswith("private")
    (event,) = Calendar.from_ical(answer.data).walk("VEVENT")
    assert str(event["UID"]) == f"{ref}@127.0.0.1"
    assert str(event["URL"]) == f"http://127.0.0.1:5000/reservations/{ref}"
    assert "À confirmer" in str(event["SUMMARY"])


def test_replaced_and_revoked_addresses_lead_nowhere(signed_in: Browsers, client: FlaskClient) -> None:
    browser = signed_in("member@example.org")
    old = made(browser, kind="person")
    new = made(browser, kind="person")
    assert (client.get(old).status_code, client.get(new).status_code) == (404, 200)
    (feed_id,) = re.findall(r"/calendars/(\d+)/revoke", page_of(browser.get("/calendars")))
    assert signed_in("other@example.org").post(f"/calendars/{feed_id}/revoke").status_code == 404
    assert client.get(new).status_code == 200
    assert browser.post(f"/calendars/{feed_id}/revoke").status_code == 303
    assert client.get(new).status_code == 404
    assert client.get("/calendar/" + "x" * 5000 + ".ics").status_code == 404


def test_a_program_that_asks_again_gets_it_again_only_when_it_changed(
    actor: People, signed_in: Browsers, client: FlaskClient
) -> None:
    staff, ref = actor("staff@example.org"), book(actor("member@example.org"))
    path = made(signed_in("member@example.org"), kind="person")
    first = client.get(path)
    tag, changed = first.headers["ETag"], first.headers["Last-Modified"]
    assert client.get(path, headers={"If-None-Match": tag}).status_code == 304
    assert client.get(path, headers={"If-Modified-Since": changed}).status_code == 304
    clock.set_source(lambda: NOW + timedelta(minutes=5))
    assert client.get(path, headers={"If-None-Match": tag}).status_code == 304
    with transaction() as session:
        lifecycle.change(session, staff, ref, "approve", "", clock.now(), PARIS)
    again = client.get(path, headers={"If-None-Match": tag})
    assert again.status_code == 200
    assert again.headers["ETag"] != tag
    assert client.get(path, headers={"If-Modified-Since": changed}).status_code == 200
    # What drops out does so at midnight: whoever asks by the date only learns of it too.
    clock.set_source(lambda: NOW + timedelta(days=60))
    gone = client.get(path, headers={"If-Modified-Since": again.headers["Last-Modified"]})
    assert gone.status_code == 200
    assert b"BEGIN:VEVENT" not in gone.data


def test_it_is_written_in_the_language_of_who_made_it(
    app: Flask, actor: People, signed_in: Browsers, client: FlaskClient
) -> None:
    book(actor("member@example.org"))
    path = made(signed_in("member@example.org"), kind="person")
    with transaction() as session:
        session.execute(update(User).where(User.email == "member@example.org").values(locale="en"))
    client.set_cookie("locale", "fr")
    assert b"SUMMARY:To be confirmed: R" in client.get(path).data


@pytest.mark.parametrize(
    ("who", "offered", "not_offered"),
    [
        ("staff@example.org", "Maison citoyenne Noël Guichard", "Tout ce que cette maison prête, et"),
        ("member@example.org", "Mes emprunts", None),
    ],
)
def test_the_page_offers_what_one_may_follow(
    signed_in: Browsers, who: str, offered: str, not_offered: str | None
) -> None:
    page = page_of(signed_in(who).get("/calendars?resource=mcng-r01"))
    assert offered in page
    assert "Grande salle" in page
    assert page.count('value="house"') == (1 if who.startswith("staff") else 0)
    assert not_offered is None or not_offered in page


@pytest.mark.parametrize(
    "data", [{}, {"kind": "town"}, {"kind": "house", "code": "'"}, {"kind": "resource", "code": "x" * 9999}]
)
def test_no_calendar_of_what_does_not_exist(signed_in: Browsers, data: dict[str, str]) -> None:
    assert signed_in("admin@example.org").post("/calendars", data=data).status_code == 404


def test_pages_lead_to_calendars_and_paper(signed_in: Browsers) -> None:
    staff = signed_in("staff@example.org")
    assert 'href="/calendars"' in page_of(staff.get("/account"))
    room = page_of(staff.get("/resources/MCNG-R01"))
    assert 'href="/calendars?resource=MCNG-R01"' in room
    assert 'href="/resources/MCNG-R01/week"' in room
    planning = page_of(staff.get("/planning?date=2026-11-28&house=STN"))
    assert 'href="/day?date=2026-11-28"' in planning
    assert 'href="/public/STN"' in planning
    assert 'href="/day' not in page_of(signed_in("member@example.org").get("/planning"))


# -- open to everybody -----------------------------------------------------------------------------


def test_the_programme_needs_no_sign_in_and_tells_no_more_than_it_should(
    app: Flask, actor: People, client: FlaskClient
) -> None:
    staff = actor("staff@example.org")
    shown = book(staff, day=26, purpose="Concert de <Noël> & Cie", public=True)
    book(staff, day=27, purpose="Réunion privée")
    book(actor("member@example.org"), day=28, purpose="Pas encore", public=True)
    answer = client.get("/public/mcng")
    page = page_of(answer)
    assert answer.status_code == 200
    assert "Concert de <Noël> & Cie" in page
    assert "Concert de <Noël>" not in answer.get_data(as_text=True)
    for hidden in ("privée", "Pas encore", shown, "Staff", "staff@example.org"):
        assert hidden not in page
    feed = client.get("/public/MCNG.ics")
    (event,) = Calendar.from_ical(feed.data).walk("VEVENT")
    assert str(event["SUMMARY"]) == "Concert de <Noël> & Cie – Chorale du Vieux-Lavoir"
    assert shown not in feed.get_data(as_text=True)
    assert client.get("/public/MCNG.ics", headers={"If-None-Match": feed.headers["ETag"]}).status_code == 304
    for nobody in ("CHORALE", "nowhere", "'"):
        assert client.get(f"/public/{nobody}").status_code == 404
        assert client.get(f"/public/{nobody}.ics").status_code == 404
    assert "Rien d’annoncé" in page_of(client.get("/public/STN"))


# -- a door ----------------------------------------------------------------------------------------


def test_a_door_says_what_staff_choose(actor: People, signed_in: Browsers) -> None:
    staff, member = actor("staff@example.org"), actor("member@example.org")
    book(staff, day=24, purpose="Secret")
    book(staff, day=25, purpose="Concert", public=True)
    book(member, day=26, purpose="Peut-être")
    with transaction() as session:
        works = Ask("", "Travaux", world.at(27, "08:00", "12:00"), {"MCNG-R01": 1})
        booking.close(session, staff, works, NOW, PARIS)
    doors = {
        "public": {"Concert": True, "Secret": False, "Chorale": False, "Travaux": True, "Peut-être": False},
        "bodies": {"Concert": True, "Secret": False, "Chorale": True, "Travaux": True, "Peut-être": False},
        "all": {"Concert": True, "Secret": True, "Chorale": True, "Travaux": True, "Peut-être": True},
    }
    path = "/resources/MCNG-R01/week?date=2026-11-26&door="
    for says, wanted in doors.items():
        page = page_of(signed_in("staff@example.org").get(path + says))
        assert {word: word in page for word in wanted} == wanted, says
        assert "lundi" in page
        assert "23 novembre" in page
        assert "14:00 – 18:00" in page
        assert "(à confirmer)" in page
        assert "Libre" in page
    for who in ("member@example.org", "staff.stn@example.org"):
        browser = signed_in(who)
        assert "Secret" not in page_of(browser.get(path + "public"))
        assert browser.get(path + "bodies").status_code == 403
        assert browser.get(path + "all").status_code == 403
    assert signed_in("staff@example.org").get("/resources/NOWHERE/week").status_code == 404
    assert signed_in("staff@example.org").get(path + "x&date=9999-99-99").status_code in (200, 422)
    assert signed_in("staff@example.org").get("/resources/MCNG-R01/week?date=9998-12-31").status_code == 422


def test_a_night_stands_on_both_its_days(actor: People, signed_in: Browsers) -> None:
    ask = Ask("CHORALE", "Nuit", world.at(24, "20:00", "02:00", until=26), {"MCNG-R01": 1})
    with transaction() as session:
        booking.book(session, actor("staff@example.org"), ask, NOW, PARIS)
    page = page_of(signed_in("staff@example.org").get("/resources/MCNG-R01/week?date=2026-11-26&door=all"))
    found = re.findall(r"<strong>([^<]+)</strong>\s+Nuit", page)
    assert found == ["à partir de 20:00", "toute la journée", "jusqu’à 02:00"]


# -- a day -----------------------------------------------------------------------------------------


def test_the_day_lists_who_comes_late_ones_first(actor: People, signed_in: Browsers) -> None:
    staff, member = actor("staff@example.org"), actor("member@example.org")
    with transaction() as session:
        session.execute(update(User).where(User.email == "member@example.org").values(phone="06 39 98 00 01"))
        session.execute(update(Organisation).where(Organisation.code == "CHORALE").values(phone="04 65 71 00 02"))
        where = {"location": "Rez-de-chaussée", "attributes": {"keys": "2"}}
        session.execute(update(Resource).where(Resource.code == "MCNG-R01").values(**where))
    late = book(staff, day=21, hours=("10:00", "11:00"), purpose="En retard", wants={"MCNG-V01": 1})
    change(staff, late, "collect")
    leaves = book(member, day=21, hours=("14:00", "18:00"), purpose="Part et revient")
    change(staff, leaves, "approve")
    back = book(staff, day=21, hours=("10:00", "17:00"), purpose="Revient", wants={"MCNG-R03": 1})
    change(staff, back, "collect")
    asked = book(member, day=21, hours=("19:00", "20:00"), purpose="Pas décidé")
    clock.set_source(lambda: NOW + timedelta(hours=4))  # 13:00
    page = page_of(signed_in("staff@example.org").get("/day?date=2026-11-21"))
    heads = re.findall(r"<h2 id=\"(\w+)\"", page)
    assert heads == ["late", "leaving", "back"]
    sections = dict(zip(heads, page.split("<h2 ")[1:], strict=True))
    listed = {name: re.findall(r'href="/reservations/([^"]+)"', text) for name, text in sections.items()}
    assert listed == {"late": [late], "leaving": [back, leaves], "back": [back, leaves]}
    assert asked not in page
    for fact in (
        "06 39 98 00 01",
        "04 65 71 00 02",
        "Rez-de-chaussée",
        "Clés : 2",
        "Chorale du Vieux-Lavoir",
        "Member",
    ):
        assert fact in sections["leaving"].replace("\u202f", " "), fact
    done = [section.count("<strong>Fait</strong>") for section in sections.values()]
    assert done == [0, 1, 0], "what has left already is ticked off"
    assert [section.count('class="tick"') for section in sections.values()] == [1, 1, 2]
    tomorrow = page_of(signed_in("staff@example.org").get("/day?date=2026-11-22"))
    assert late in tomorrow
    assert leaves not in tomorrow


def test_the_day_of_a_house_is_its_staffs(signed_in: Browsers) -> None:
    assert signed_in("member@example.org").get("/day").status_code == 404
    assert signed_in("staff@example.org").get("/day?house=STN").status_code == 403
    assert signed_in("staff@example.org").get("/day?house=nowhere").status_code == 404
    assert signed_in("admin@example.org").get("/day?house=STN").status_code == 200
    assert signed_in("staff@example.org").get("/day?date=0001-01-01").status_code == 422
