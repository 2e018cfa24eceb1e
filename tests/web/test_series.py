"""The pages and the call of series, over HTTP."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from sharebank.accounts import service as accounts
from sharebank.accounts.models import Organisation
from sharebank.catalog.models import Resource
from sharebank.core.db import db, transaction
from sharebank.notifications.models import Letter
from sharebank.notifications.writing import write_out
from sharebank.reservations.models import Reservation, Series
from sharebank.reservations.series import series_care
from tests import world
from tests.counter import BUS, MEMBER, OTHER, PRICES, ROOM, STAFF, Book, book, register, rules, stored
from tests.world import at

__all__ = ["book"]  # the fixture
SignedIn = Callable[[str], FlaskClient]
VIDEO = "Vidéoprojecteur"
FORM = {
    "day": "2026-12-01",
    "start": "14:00",
    "end": "16:00",
    "freq": "weekly",
    "count": "6",
    "organisation": "MCNG",
    "purpose": "Chorale",
    "lines-0-code": ROOM,
    "lines-0-quantity": "1",
}


@pytest.fixture
def staff(app: Flask, signed_in: SignedIn) -> FlaskClient:
    """A browser of the house's staff; the token of forms is tested elsewhere."""
    app.config["WTF_CSRF_ENABLED"] = False
    return signed_in(STAFF)


def preview(browser: FlaskClient, **more: Any) -> Any:
    return browser.get("/series/new", query_string={**FORM, "show": "1", **more})


def keys(page: str, attribute: str = "checked") -> list[str]:
    boxes = re.findall(r"<input type=\"checkbox\"[^>]*name=\"chosen\"[^>]*>", page)
    return [re.findall(r'value="([^"]*)"', box)[0] for box in boxes if attribute in box]


def make(browser: FlaskClient, **more: Any) -> str:
    ticked = keys(preview(browser, **more).get_data(as_text=True))
    answer = browser.post("/series/new", data={**FORM, **more, "chosen": ticked})
    assert answer.status_code == 303, answer.get_data(as_text=True)
    return answer.headers["Location"].rpartition("/")[2]


def test_from_a_thing_to_its_booked_dates(staff: FlaskClient, book: Book) -> None:
    book(STAFF, at(8, "15:00", "17:00", month=12), {ROOM: 1}, purpose="Loto")
    empty = staff.get("/series/new", query_string={"pick": ROOM})
    assert empty.status_code == 200
    assert "Grande salle" in empty.get_data(as_text=True)
    page = preview(staff).get_data(as_text=True)
    assert len(keys(page, "name")) == 6
    assert keys(page) == [f"2026-12-{day:02}T14:00" for day in (1, 15, 22, 29)] + ["2027-01-05T14:00"]
    assert keys(page, "disabled") == ["2026-12-08T14:00"]
    assert "Loto" in page
    assert re.search(r'href="/reservations/new\?[^"]*pick=STN-R01', page)
    ref = make(staff)
    shown = staff.get(f"/series/{ref}").get_data(as_text=True)
    assert shown.count('class="status approved"') == 5
    assert "Pris" in shown
    loan = db.session().scalars(select(Reservation.ref).where(Reservation.series_id.is_not(None)).limit(1)).one()
    assert re.search(r"Date 1 sur 5 de\s+<a href=\"/series/", staff.get(f"/reservations/{loan}").get_data(as_text=True))
    assert ref in staff.get("/series").get_data(as_text=True)


def test_a_date_taken_meanwhile_is_named_and_nothing_is_booked(staff: FlaskClient, book: Book) -> None:
    ticked = keys(preview(staff).get_data(as_text=True))
    book(STAFF, at(8, "15:00", "17:00", month=12), {ROOM: 1})
    before = stored()
    answer = staff.post("/series/new", data={**FORM, "chosen": ticked})
    page = answer.get_data(as_text=True)
    assert answer.status_code == 409
    assert "8 déc." in page
    assert stored() == before
    assert keys(page) == [key for key in ticked if "12-08" not in key]  # the others stay ticked


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"count": ""}, "until"),
        ({"count": "0"}, "count"),
        ({"count": "99999999999999999999"}, "count"),
        ({"count": "6", "until": "2027-01-01"}, "until"),
        ({"day": ""}, "day"),
        ({"day": "2026-11-01", "end": "13:00"}, "end"),
        ({"freq": "hourly"}, "freq"),
        ({"weekdays": "XX"}, "weekdays"),
        ({"purpose": ""}, "purpose"),
        ({"organisation": "ECHECS"}, "organisation"),
        ({"purpose": "x" * 301}, "purpose"),
    ],
)
def test_what_is_wrong_is_said_at_its_field(staff: FlaskClient, wrong: dict[str, str], field: str) -> None:
    before = stored()
    for answer in (preview(staff, **wrong), staff.post("/series/new", data={**FORM, **wrong, "chosen": "x"})):
        page = answer.get_data(as_text=True)
        assert answer.status_code == 422
        assert re.search(rf'id="{field}-error"', page), field
    assert stored() == before


@pytest.mark.parametrize(
    "wrong", [{"organisation": "STN2"}, {"count": "x"}, {"lines-0-quantity": "9999999"}, {"until": "hier"}]
)
def test_what_is_wrong_is_said_in_the_readers_language(staff: FlaskClient, wrong: dict[str, str]) -> None:
    page = preview(staff, **wrong).text
    assert "valide" in page or "doit être" in page
    assert not re.search(r"Not a valid|Number must", page)


def test_a_member_asks_and_the_house_decides_once(app: Flask, staff: FlaskClient, signed_in: SignedIn) -> None:
    member = signed_in(MEMBER)
    ref = make(member, organisation="CHORALE")
    assert "Valider toutes ces dates" not in member.get(f"/series/{ref}").get_data(as_text=True)
    assert member.post(f"/series/{ref}/approve").status_code == 403
    assert signed_in(OTHER).get(f"/series/{ref}").status_code == 404
    assert "Valider toutes ces dates" in staff.get(f"/series/{ref}").get_data(as_text=True)
    assert staff.post(f"/series/{ref}/decline", data={"why": ""}).status_code == 422
    kept = staff.post(f"/series/{ref}/decline", data={"why": "\u00a0"}).get_data(as_text=True)
    assert ">\u00a0</textarea>" in kept, "what was typed is still there"
    assert staff.post(f"/series/{ref}/approve", data={"why": "Bienvenue"}).status_code == 303
    assert member.get(f"/series/{ref}").get_data(as_text=True).count('class="status approved"') == 6


def test_the_form_asks_what_the_rules_of_the_things_want(app: Flask, staff: FlaskClient, signed_in: SignedIn) -> None:
    register("Samir Ancien", date(2010, 6, 1))
    asked = {"headcount": "8", "distance_km": "9", "drivers": "Samir Ancien", "other_drivers": "Nora", "options": VIDEO}
    names = [*asked, "accepts", "letter", "collect_at"]

    def named(page: str) -> list[str]:
        return [name for name in names if f'name="{name}"' in page]

    member = signed_in(MEMBER)
    mine = {"organisation": "CHORALE", "lines-0-code": BUS, "count": "2"}
    assert named(preview(member, **mine).text) == [], "nothing that no rule wants"
    rules(
        headcount={}, radius={"km": 300}, drivers={"named": True}, collection={"days_before": 1}, prices=PRICES,
        undertakings={"which": ["charter"]}, deposits={"rows": [{"cents": 30000, "letter": True}]},
    )  # fmt: skip
    first = member.get("/series/new", query_string={"pick": BUS, "day": "2026-12-01", "start": "14:00", "end": "16:00"})
    assert named(first.text) == list(asked)
    without = preview(member, **mine | asked | {"other_drivers": "", "drivers": []})
    assert 'id="drivers-error"' in without.text, "what no date keeps is said once, where it is typed"
    assert keys(without.text) == []
    page = preview(member, **mine | asked).text
    assert named(page) == [*asked, "accepts", "letter"], "a promise is made where the dates are sent"
    ticked = keys(page)
    assert len(ticked) == 2
    sent = FORM | mine | asked | {"chosen": ticked[:1]}
    refused = member.post("/series/new", data=sent)
    assert refused.status_code == 422
    assert 'id="accepts-error"' in refused.text
    assert keys(refused.text) == ticked[:1], "what was ticked is still ticked"
    assert "Nora" in refused.text
    assert member.post("/series/new", data=sent | {"accepts": "charter", "letter": "y"}).status_code == 303
    made = db.session().scalars(select(Reservation)).one()
    assert made.headcount == 8
    assert made.details.pop("drivers")
    said = {"distance_km": 9, "named": ["Nora"], "options": [VIDEO], "accepts": ["charter"], "letter": True}
    assert made.details == said
    assert made.quote
    assert made.quote["total_cents"] == 2500
    instead = re.search(r'href="(/reservations/new[^"]*)"', preview(member, **mine | asked).text)
    assert instead
    assert "distance_km=9" in instead[1], "what could be had instead is asked for with the same words"


def test_what_is_typed_stays_in_its_own_form(app: Flask, staff: FlaskClient, signed_in: SignedIn) -> None:
    """Who decides and tries dates again on one page finds each word where it was typed."""
    ref = make(signed_in(MEMBER), organisation="CHORALE")
    about = {"scope": "moon", "why": "Travaux"}
    page = staff.post(f"/series/{ref}/cancel", data=about).text
    assert "Travaux" not in page, "a word about dates given up is no answer to the request"
    date_id = re.findall(r'id="date-(\d+)"', page)[0]
    assert staff.post(f"/series/{ref}/cancel", data={"scope": "one", "at": date_id}).status_code == 303
    rules(length={"hours": 1})
    refused = staff.post(f"/series/{ref}/retry", data={"chosen": date_id, "override": "\u00a0", "why": "Non"})
    assert refused.status_code == 422
    assert re.search(r'id="override"\s+name="override"\s+value="\u00a0"', refused.text)
    assert f'id="retry-{date_id}"' in refused.text
    assert keys(refused.text) == [date_id]
    assert 'id="decide-override"' not in refused.text, "it is not the decision that wants a reason"
    assert ">Non</textarea>" not in refused.text


def test_change_shows_first_then_changes(staff: FlaskClient, book: Book) -> None:
    ref = make(staff)
    book(STAFF, at(8, "16:30", "18:00", month=12), {ROOM: 1}, purpose="Loto")
    wish = {"scope": "all", "start": "16:00", "end": "17:00", "resource": ROOM, "until": ""}
    page = staff.get(f"/series/{ref}/change", query_string={**wish, "show": "1"}).get_data(as_text=True)
    assert "Loto" in page
    assert keys(page, "disabled") == ["2026-12-08T16:00"]
    assert staff.post(f"/series/{ref}/change", data={**wish, "chosen": keys(page, "name")}).status_code == 409
    done = staff.post(f"/series/{ref}/change", data={**wish, "chosen": keys(page)})
    assert done.status_code == 303
    shown = staff.get(done.headers["Location"]).get_data(as_text=True)
    assert shown.count("16:00 – 17:00") == 5
    assert shown.count("14:00 – 16:00") == 1


def test_give_up_and_try_again(staff: FlaskClient) -> None:
    ref = make(staff)
    assert staff.post(f"/series/{ref}/cancel", data={"scope": "all", "why": "Travaux"}).status_code == 303
    page = staff.get(f"/series/{ref}").get_data(as_text=True)
    assert page.count('class="status cancelled"') == 6
    assert staff.post(f"/series/{ref}/retry", data={"chosen": "9" * 5000}).status_code < 500
    first, second = keys(page, "name")[:2]
    with transaction() as session:
        session.execute(update(Resource).where(Resource.code == ROOM).values(in_service=False))
    refused = staff.post(f"/series/{ref}/retry", data={"chosen": [first, second], "override": "Fête"})
    assert refused.status_code == 422
    assert refused.get_data(as_text=True).count("checked") == 2, "what was ticked is still ticked"
    with transaction() as session:
        session.execute(update(Resource).where(Resource.code == ROOM).values(in_service=True))
    again = staff.post(f"/series/{ref}/retry", data={"chosen": [first, second]})
    assert again.status_code == 303
    assert staff.get(f"/series/{ref}").get_data(as_text=True).count('class="status approved"') == 2
    assert staff.post(f"/series/{ref}/cancel", data={"scope": "moon"}).status_code == 409
    for nonsense in ({"scope": "one", "at": "9999999"}, {"scope": "from", "at": "x"}):
        assert staff.post(f"/series/{ref}/cancel", data=nonsense).status_code == 404


def test_still_needed_is_answered_from_the_letter(app: Flask, staff: FlaskClient, signed_in: SignedIn) -> None:
    make(signed_in(MEMBER), organisation="CHORALE", count="", until="2027-06-29")
    with transaction() as session:
        session.execute(update(Organisation).values(school_zone="A"))
        later = world.NOW + timedelta(days=(date(2027, 1, 4) - world.NOW.date()).days)
        series_care.look_after(session, later)
    letter = db.session().scalars(select(Letter).where(Letter.template == "series_needed")).one()
    written = write_out(app, letter)
    secret = letter.facts["secret"]
    plain = written.message.get_body(("plain",))
    assert plain is not None
    assert f"/series/needed/{secret}" in plain.get_content()
    assert secret not in written.text
    browser = app.test_client()  # nobody is signed in
    page = browser.get(f"/series/needed/{secret}").get_data(as_text=True)
    assert "Oui, on en a encore besoin" in page
    assert "Non, libérer" in page
    db.session().expire_all()
    assert db.session().scalars(select(Series.release_at)).one() is not None  # opening changes nothing
    assert "gardées" in browser.post(f"/series/needed/{secret}", data={"answer": "yes"}).get_data(as_text=True)
    assert "gardées" in browser.post(f"/series/needed/{secret}", data={"answer": "no"}).get_data(as_text=True)
    assert browser.get("/series/needed/guessed").status_code == 410


def test_every_letter_can_be_written(app: Flask, staff: FlaskClient, signed_in: SignedIn) -> None:
    ref = make(signed_in(MEMBER), organisation="CHORALE", weekdays=["MO", "TH"])
    staff.post(f"/series/{ref}/approve")
    staff.post(f"/series/{ref}/cancel", data={"scope": "all", "why": "Travaux"})
    for letter in db.session().scalars(select(Letter)):
        written = write_out(app, letter)
        assert f"/series/{ref}" in written.text
        assert "Chaque lundi et jeudi" in written.text
        assert written.html.count("Chorale") >= 1


# -- the call ----------------------------------------------------------------------------------------

BODY: dict[str, Any] = {
    "organisation": "MCNG",
    "purpose": "Chorale",
    "starts_at": "2027-03-16T18:00:00+01:00",
    "ends_at": "2027-03-16T20:00:00+01:00",
    "lines": [{"resource": ROOM, "quantity": 1}],
    "rule": {"freq": "weekly", "count": 4},
}


@pytest.fixture
def call(app: Flask) -> Callable[..., Any]:
    """`call(STAFF, body)`."""

    def post(who: str, body: dict[str, Any], **headers: str) -> Any:
        with transaction() as session:
            token = accounts.issue_api_token(session, who, world.NOW)
        sent = {"Authorization": f"Bearer {token}", **headers}
        return app.test_client().post("/api/v1/series", json=body, headers=sent)

    return post


def test_preview_and_booking_agree_over_the_clock_change(call: Callable[..., Any], book: Book) -> None:
    book(STAFF, at(23, "18:00", "19:00", month=12), {ROOM: 1})
    looked = call(STAFF, {**BODY, "preview": True})
    assert looked.status_code == 200
    before = stored()
    assert [one["starts_at"] for one in looked.json["occurrences"]] == [
        "2027-03-16T17:00:00Z",
        "2027-03-23T17:00:00Z",
        "2027-03-30T16:00:00Z",
        "2027-04-06T16:00:00Z",
    ]
    assert looked.json["reservations"] == []
    assert stored() == before
    booked = call(STAFF, {**BODY, "preview": False})
    assert booked.status_code == 201
    assert len(booked.json["reservations"]) == 4
    said = [{key: one[key] for key in ("starts_at", "ends_at", "state")} for one in booked.json["occurrences"]]
    assert said == [{key: one[key] for key in ("starts_at", "ends_at", "state")} for one in looked.json["occurrences"]]
    again = call(STAFF, {**BODY, "preview": True})
    assert {one["state"] for one in again.json["occurrences"]} == {"conflict"}
    assert {way["kind"] for one in again.json["occurrences"] for way in one["alternatives"]} == {"slot", "elsewhere"}
    assert call(STAFF, BODY).status_code == 409


def test_the_same_key_books_once(call: Callable[..., Any]) -> None:
    first = call(STAFF, BODY, **{"Idempotency-Key": "one"})
    second = call(STAFF, BODY, **{"Idempotency-Key": "one"})
    assert (first.status_code, first.json) == (second.status_code, second.json)
    assert stored()["reservation"] == 4


def test_those_chosen_or_none(call: Callable[..., Any], book: Book) -> None:
    chosen = ["2027-03-16T18:00:00+01:00", "2027-03-30T18:00:00+02:00"]
    book(STAFF, world.at(30, "17:00", "19:00", month=11), {ROOM: 1})
    made = call(STAFF, {**BODY, "chosen": chosen})
    assert [one["state"] for one in made.json["occurrences"]][1::2] == ["skipped", "skipped"]
    assert [one["starts_at"] for one in made.json["occurrences"] if "reservation" in one] == [
        "2027-03-16T17:00:00Z",
        "2027-03-30T16:00:00Z",
    ]
    clash = call(STAFF, {**BODY, "chosen": [*chosen, "2027-03-23T18:00:00+01:00"]})
    assert clash.status_code == 409
    assert len(clash.json["conflicts"]) == 2


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"rule": {"freq": "weekly"}}, "until"),
        ({"rule": {"freq": "hourly", "count": 2}}, "rule.freq"),
        ({"rule": {"freq": "weekly", "count": 401}}, "rule.count"),
        ({"rule": {"freq": "weekly", "count": 2, "until": "2027-04-01"}}, "until"),
        ({"rule": {"freq": "weekly", "until": "soon"}}, "rule.until"),
        ({"rule": {"freq": "weekly", "until": "2027-04-01T10:00:00"}}, "rule.until"),
        ({"rule": {"freq": "weekly", "weekdays": ["xx"], "count": 2}}, "weekdays"),
        ({"skip": ["mondays"]}, "skip[0]"),
        ({"ends_at": "2027-03-16T18:00:00+01:00"}, "ends_at"),
        ({"starts_at": "2027-03-16T18:00:00"}, "starts_at"),
    ],
)
def test_a_call_that_cannot_be_taken(call: Callable[..., Any], wrong: dict[str, Any], field: str) -> None:
    answer = call(STAFF, {**BODY, **wrong})
    assert answer.status_code == 422, answer.json
    assert field in [error["field"] for error in answer.json["errors"]]
