"""The waiting list over real HTTP: stand in line with all that booking asks, see one's place, leave."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from html import unescape
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from sharebank.core.db import db
from sharebank.reservations.waiting.waiting_models import WaitingEntry
from tests.counter import BUS, MEMBER, OTHER, PRICES, ROOM, STAFF, Book, book, register, rules
from tests.web.test_requests import page
from tests.world import at

__all__ = ["book"]  # the fixture
WHEN = at(28, "14:00", "18:00")
FORM = {"day": "2026-11-28", "start": "14:00", "end": "18:00"}
SignedIn = Callable[[str], FlaskClient]


@pytest.fixture(autouse=True)
def _no_csrf(app: Flask) -> None:
    app.config["WTF_CSRF_ENABLED"] = False  # tests/web/test_access.py is about it


def test_stand_in_line_see_ones_place_and_leave(book: Book, signed_in: SignedIn) -> None:
    book(STAFF, WHEN, {ROOM: 1})
    browser = signed_in(OTHER)
    address = f"/waiting/new?pick={ROOM}:1&day=2026-11-28&start=14:00&end=18:00&purpose=Tournoi"
    assert 'value="Tournoi"' in browser.get(address).text
    data = FORM | {"organisation": "ECHECS", "purpose": "Tournoi", "lines-0-code": ROOM, "lines-0-quantity": "1"}
    answer = browser.post("/waiting/new", data=data, follow_redirects=True)
    assert "Vous êtes en tête de la liste" in page(answer)
    assert browser.post("/waiting/new", data=data).status_code == 409
    entry = db.session().scalars(select(WaitingEntry.id)).one()
    assert signed_in(MEMBER).post(f"/waiting/{entry}/leave").status_code == 404
    assert "Vous n’attendez rien" in page(browser.post(f"/waiting/{entry}/leave", follow_redirects=True))


def test_what_is_free_is_booked_instead(book: Book, signed_in: SignedIn) -> None:
    data = FORM | {"organisation": "ECHECS", "purpose": "Tournoi", "lines-0-code": ROOM, "lines-0-quantity": "1"}
    answer = signed_in(OTHER).post("/waiting/new", data=data)
    assert answer.status_code == 409
    assert "/reservations/new?pick=MCNG-R01:1" in unescape(answer.text).replace("%3A", ":")


@pytest.mark.parametrize(
    "change",
    [
        {"lines-0-quantity": "99999999999999999999"},
        {"lines-0-quantity": "0"},
        {"lines-0-code": "NO-SUCH"},
        {"purpose": ""},
        {"purpose": "x" * 301},
        {"organisation": "CHORALE"},
        {"headcount": "-1"},
        {"day": "2026-02-30"},
    ],
)
def test_a_bad_place_in_line_shows_the_form_again(change: dict[str, str], book: Book, signed_in: SignedIn) -> None:
    book(STAFF, WHEN, {ROOM: 1})
    rules(headcount={"effect": "approve"})
    data = FORM | {"organisation": "ECHECS", "purpose": "Tournoi", "lines-0-code": ROOM, "lines-0-quantity": "1"}
    answer = signed_in(OTHER).post("/waiting/new", data=data | change)
    assert answer.status_code == 422
    assert "error-summary" in answer.text
    assert db.session().scalars(select(WaitingEntry)).all() == []


# -- what the rules of the things ask ------------------------------------------------------------------

ASKS: dict[str, Any] = {
    "headcount": {"least": 5},
    "radius": {"km": 300},
    "drivers": {"named": True},
    "collection": {"days_before": 1, "days_after": 1},
    "undertakings": {"which": ["charter"]},
    "deposits": {"rows": [{"cents": 30000, "letter": True}]},
    "prices": PRICES,
}
NAMES = (
    "public", "headcount", "distance_km", "drivers", "other_drivers", "collect_at", "return_at", "options", "accepts",
    "letter",
)  # fmt: skip
SAID = {
    "organisation": "ECHECS",
    "purpose": "Tournoi",
    "public": "y",
    "headcount": "8",
    "distance_km": "120",
    "drivers": "Samir Ancien",
    "other_drivers": "Nora Neuve",
    "collect_at": "2026-11-28T13:00",
    "return_at": "2026-11-28T19:00",
    "options": "Vidéoprojecteur",
    "accepts": "charter",
    "letter": "y",
}
LINE = {"lines-0-code": BUS, "lines-0-quantity": "1"}


def named(text: str, among: tuple[str, ...] = NAMES) -> list[str]:
    return [name for name in among if f'name="{name}"' in text]


def test_the_line_asks_what_booking_asks_and_keeps_it(book: Book, signed_in: SignedIn) -> None:
    book(STAFF, WHEN, {BUS: 1})
    browser, address = signed_in(OTHER), f"/waiting/new?pick={BUS}&day=2026-11-28&start=14:00&end=18:00"
    assert named(browser.get(address).text) == ["public"], "nothing that no rule wants"
    register("Samir Ancien", date(2010, 6, 1), code="ECHECS")
    rules(**ASKS)
    assert named(browser.get(address).text) == list(NAMES)
    assert "override" not in browser.get(address).text
    wrong = browser.post("/waiting/new", data=FORM | LINE | SAID | {"headcount": "4"})
    assert wrong.status_code == 422
    assert 'id="headcount-error"' in wrong.text
    assert "Nora Neuve" in wrong.text, "nothing typed is lost"
    promise = browser.post("/waiting/new", data=FORM | LINE | SAID | {"accepts": []})
    assert 'id="accepts-error"' in promise.text
    hour = browser.post("/waiting/new", data=FORM | LINE | SAID | {"collect_at": "2026-03-29T02:30"})
    assert 'id="collect_at-error"' in hour.text
    assert db.session().scalars(select(WaitingEntry)).all() == []
    assert browser.post("/waiting/new", data=FORM | LINE | SAID).status_code == 303
    db.session().rollback()
    entry = db.session().scalars(select(WaitingEntry)).one()
    assert (entry.public, entry.headcount) == (True, 8)
    drivers = entry.details.pop("drivers")
    assert len(drivers) == 1
    assert entry.details == {
        "distance_km": 120,
        "named": ["Nora Neuve"],
        "collect_at": "2026-11-28T12:00:00+00:00",
        "return_at": "2026-11-28T18:00:00+00:00",
        "options": ["Vidéoprojecteur"],
        "accepts": ["charter"],
        "letter": True,
    }


def test_from_what_is_taken_into_the_line_and_back_nothing_is_typed_twice(book: Book, signed_in: SignedIn) -> None:
    [done] = book(STAFF, WHEN, {BUS: 1})
    register("Samir Ancien", date(2010, 6, 1), code="ECHECS")
    rules(**ASKS)
    browser = signed_in(OTHER)
    taken = browser.post("/reservations/new", data=FORM | LINE | SAID)
    assert taken.status_code == 409
    link = re.search(r'href="(/waiting/new[^"]*)"', taken.text)
    assert link
    shown = browser.get(unescape(link[1])).text
    for value in ("8", "120", "Nora Neuve", "2026-11-28T13:00", "2026-11-28T19:00"):
        assert f'value="{value}"' in shown
    assert shown.count("checked") == 5, "public, driver, option, promise, letter"
    assert browser.post(f"/reservations/{done.ref}/cancel").status_code == 404
    signed_in(STAFF).post(f"/reservations/{done.ref}/cancel")
    free = browser.post("/waiting/new", data=FORM | LINE | SAID)
    assert free.status_code == 409
    back = re.search(r'href="(/reservations/new[^"]*)"', free.text)
    assert back
    shown = browser.get(unescape(back[1])).text
    assert 'value="2026-11-28T19:00"' in shown
    assert shown.count("checked") == 5
