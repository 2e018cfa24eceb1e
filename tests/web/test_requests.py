"""Deciding and waiting over real HTTP: the list, the letter's link, less, otherwise, the lines."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import delete, select, update

from sharebank.accounts.models import Membership, User
from sharebank.core import clock
from sharebank.core.db import db, transaction
from sharebank.notifications.models import Letter
from sharebank.reservations import desk
from sharebank.reservations.models import Reservation, Series
from sharebank.reservations.waiting.waiting_models import DecisionLink
from tests.counter import MEMBER, OTHER, PLATES, ROOM, SMALL, STAFF, Book, Who, book, loan, rules
from tests.world import NOW, at

__all__ = ["book"]  # the fixture
MANAGER = "manager@example.org"
HOUR = timedelta(hours=1)
WHEN = at(28, "14:00", "18:00")
FORM = {"day": "2026-11-28", "start": "14:00", "end": "18:00"}
SignedIn = Callable[[str], FlaskClient]


@pytest.fixture
def _no_csrf(app: Flask) -> None:
    app.config["WTF_CSRF_ENABLED"] = False  # tests/web/test_access.py is about it


def page(answer: Any) -> str:
    """What a reader sees, tags and folds of white space taken out."""
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", " ", answer.text)))


def dump() -> tuple[Any, ...]:
    """All that a decision would change."""
    session = db.session()
    session.rollback()
    session.expire_all()
    loans = [(one.ref, one.status, one.offered, len(one.events)) for one in session.scalars(select(Reservation))]
    links = [(one.token_hash, one.used_at) for one in session.scalars(select(DecisionLink))]
    letters = [(one.id, one.state) for one in session.scalars(select(Letter))]
    session.rollback()
    return loans, links, letters


def link_of(email: str = MANAGER) -> str:
    """The address in this reader's letter."""
    query = select(Letter).where(Letter.template == "reservation_to_decide", Letter.to_address == email)
    letter = db.session().scalars(query.order_by(Letter.id.desc())).first()
    assert letter is not None
    return f"/decide/{letter.facts['secret']}"


pytestmark = pytest.mark.usefixtures("_no_csrf")


# -- the list ------------------------------------------------------------------------------------------


def test_what_waits_for_me_with_the_facts_and_decided_from_there(book: Book, signed_in: SignedIn) -> None:
    [done] = book(MEMBER, WHEN, {ROOM: 1}, purpose="Concert <b>d’hiver</b>")
    browser = signed_in(STAFF)
    text = page(answer := browser.get("/requests"))
    assert answer.status_code == 200
    for said in (
        "1 attend votre réponse",
        "Concert <b>d’hiver</b>",
        "Chorale du Vieux-Lavoir",
        "Grande salle",
        "Premier prêt",
    ):
        assert said in text
    assert "Toutes les règles sont respectées" in text
    assert "<b>d’hiver" not in answer.text
    answer = browser.post(f"/reservations/{done.ref}/decline", data={"why": ""})
    assert answer.status_code == 422
    browser.post(f"/reservations/{done.ref}/approve", data={"why": "Bienvenue"})
    assert loan(done.ref).status == "approved"
    assert "Aucune demande en attente" in page(browser.get("/requests"))


def test_each_sees_the_requests_to_their_own_house(book: Book, signed_in: SignedIn) -> None:
    book(OTHER, WHEN, {ROOM: 1}, purpose="Tournoi")
    assert "Tournoi" in page(signed_in(MANAGER).get("/requests"))
    assert "Tournoi" in page(signed_in("admin@example.org").get("/requests"))
    for who in ("staff.stn@example.org", MEMBER, OTHER):
        assert "Tournoi" not in page(signed_in(who).get("/requests"))


def test_a_long_list_has_pages(book: Book, signed_in: SignedIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sharebank.reservations.deciding.requests_views.PAGE", 2)
    refs = [book(MEMBER, at(day, "10:00", "11:00", month=12), {ROOM: 1})[0].ref for day in (9, 8, 7)]
    browser, seen = signed_in(STAFF), []
    address: str | None = "/requests"
    while address:
        text = browser.get(address).text
        seen += re.findall(r'<article.*?/reservations/(R26-\w+)"', text, re.DOTALL)
        following = re.search(r'href="(/requests\?after=[^"]+)"', text)
        address = unescape(following[1]) if following else None
    assert seen == refs
    assert browser.get("/requests?after=nonsense").status_code == 200
    assert browser.get("/requests?after=20261124T080000-o20261121T080000-99999999999999999999").status_code == 200
    assert browser.get("/reservations?after=20261121T080000-99999999999999999999").status_code == 200


def test_what_presses_comes_before_all_else(book: Book, signed_in: SignedIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """NOW is Saturday the 21st, 9:00: three days on it is Tuesday the 24th, 9:00."""
    monkeypatch.setattr("sharebank.reservations.deciding.requests_views.PAGE", 2)
    slots = {"old": at(9, "10:00", "11:00", month=12), "new": at(8, "10:00", "11:00", month=12)}
    slots |= {
        "just not": at(24, "10:00", "11:00"),
        "third": at(24, "08:00", "09:00"),
        "second": at(23, "10:00", "11:00"),
    }
    refs = {name: book(MEMBER, slot, {ROOM: 1}, purpose=name)[0].ref for name, slot in slots.items()}
    lapses = book(MEMBER, at(30, "10:00", "11:00", month=12), {ROOM: 1}, purpose="first")[0].ref
    for age, (ref, values) in enumerate([(ref, {}) for ref in refs.values()] + [(lapses, {"lapses_at": NOW + HOUR})]):
        with transaction() as session:
            aged = {"created_at": NOW - timedelta(days=9 - age), **values}
            session.execute(update(Reservation).where(Reservation.ref == ref).values(**aged))
    browser, seen = signed_in(STAFF), []
    address: str | None = "/requests"
    while address:
        text = browser.get(address).text
        seen.append(re.findall(r"<h2>(.*?)</h2>|<h[23] id=\"request-.*?<a [^>]*>(.*?)</a>", text, re.DOTALL))
        following = re.search(r'href="(/requests\?after=[^"]+)"', text)
        address = unescape(following[1]) if following else None
        clock.set_source(
            lambda: NOW + timedelta(minutes=61)
        )  # what has become pressing meanwhile is shown all the same
    clock.set_source(None)
    told = [[first or second for first, second in page] for page in seen]
    assert told == [
        ["Avant tout", "first", "second"],
        ["Avant tout", "third", "Ensuite, les plus anciennes d’abord", "old"],
        ["new", "just not"],
    ]


@pytest.mark.parametrize(
    ("acts", "said"),
    [
        (["approve"], "La demande est validée."),
        (["decline"], "La demande est refusée."),
        (["cancel"], "C’est annulé."),
        (["approve", "collect"], "La remise est notée."),
        (["approve", "collect", "return"], "Le retour est noté."),
    ],
)
def test_what_was_done_is_said_in_one_sentence(book: Book, signed_in: SignedIn, acts: list[str], said: str) -> None:
    [done] = book(MEMBER, WHEN, {ROOM: 1})
    for act in acts:
        who = signed_in(MEMBER if act == "cancel" else STAFF)
        answer = who.post(f"/reservations/{done.ref}/{act}", data={"why": "Parce que"}, follow_redirects=True)
    assert said in page(answer)
    assert "C’est fait" not in page(answer)


def test_a_first_approval_says_that_a_second_is_needed(book: Book, signed_in: SignedIn) -> None:
    rules(approval={"mode": "always", "second_above_hours": 1})
    [done] = book(MEMBER, WHEN, {ROOM: 1})
    answer = signed_in(STAFF).post(f"/reservations/{done.ref}/approve", data={"why": ""}, follow_redirects=True)
    assert "Votre accord est noté" in page(answer)


def test_a_word_to_the_borrower_is_not_called_optional_where_declining_needs_it(
    book: Book, signed_in: SignedIn, client: FlaskClient
) -> None:
    [done] = book(MEMBER, WHEN, {ROOM: 1})
    for text in (page(client.get(link_of())), page(signed_in(STAFF).get(f"/reservations/{done.ref}"))):
        assert "Obligatoire pour refuser" in text
        assert "(facultatif)" not in text


def test_a_rule_not_kept_stands_beside_the_request(book: Book, signed_in: SignedIn) -> None:
    book(MEMBER, WHEN, {ROOM: 1})
    rules(length={"hours": 2})
    text = page(signed_in(STAFF).get("/requests"))
    assert "Toutes les règles sont respectées" not in text
    assert "2 h" in text.replace("\u202f", " ").replace("\u00a0", " ")


SERIES = {
    "day": "2026-12-01",
    "start": "14:00",
    "end": "16:00",
    "freq": "weekly",
    "count": "6",
    "organisation": "CHORALE",
    "purpose": "Répétitions",
    "lines-0-code": ROOM,
    "lines-0-quantity": "1",
}


def repeated(browser: FlaskClient, **more: str) -> str:
    """Ask for a series with all its dates that are free; its reference."""
    shown = browser.get("/series/new", query_string={**SERIES, "show": "1", **more}).text
    boxes = re.findall(r'<input type="checkbox"[^>]*name="chosen"[^>]*>', shown)
    ticked = [re.findall(r'value="([^"]*)"', box)[0] for box in boxes if "checked" in box]
    answer = browser.post("/series/new", data={**SERIES, **more, "chosen": ticked})
    assert answer.status_code == 303
    return answer.headers["Location"].rpartition("/")[2]


def states_of_series(ref: str) -> list[str]:
    session = db.session()
    session.rollback()
    session.expire_all()
    query = select(Reservation.status).join(Series, Series.id == Reservation.series_id).where(Series.ref == ref)
    return list(session.scalars(query))


def test_a_series_is_one_request_and_decided_as_one(book: Book, signed_in: SignedIn) -> None:
    book(STAFF, at(8, "15:00", "17:00", month=12), {ROOM: 1}, purpose="Loto")
    [other] = book(OTHER, at(22, "12:00", "14:00", month=12), {SMALL: 1})
    ref = repeated(signed_in(MEMBER))
    assert states_of_series(ref) == ["requested"] * 5
    browser = signed_in(STAFF)
    answer = browser.get("/requests")
    cards = re.findall(r"<article.*?</article>", answer.text, re.DOTALL)
    [card] = [each for each in cards if "Répétitions" in each]
    text = re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", " ", card)))
    for said in (
        "Chaque mardi, 14:00 – 16:00",
        "5 dates, du mardi 1er décembre 2026 au mardi 5 janvier 2027",
        "Grande salle",
        "Chorale du Vieux-Lavoir",
        "1 date n’en fait pas partie",
        "8 déc.",
    ):
        assert said in text, (said, text)
    assert f'action="/series/{ref}/approve"' in card
    assert f'formaction="/series/{ref}/decline"' in card
    assert f"/reservations/{other.ref}" in answer.text
    assert "/reservations/R" not in card  # no date of it is decided on by itself here
    assert browser.post(f"/series/{ref}/approve", data={"why": ""}).status_code == 303
    assert states_of_series(ref) == ["approved"] * 5
    assert "Répétitions" not in browser.get("/requests").text


def test_a_series_is_declined_with_a_reason_only(signed_in: SignedIn) -> None:
    ref = repeated(signed_in(MEMBER))
    browser = signed_in(STAFF)
    assert browser.post(f"/series/{ref}/decline", data={"why": " "}).status_code == 422
    assert states_of_series(ref) == ["requested"] * 6
    assert browser.post(f"/series/{ref}/decline", data={"why": "Travaux"}).status_code == 303
    assert states_of_series(ref) == ["declined"] * 6
    assert "Aucune demande en attente" in page(browser.get("/requests"))


def test_who_else_wants_one_of_its_dates_stands_beside_the_series(book: Book, signed_in: SignedIn) -> None:
    wants = {"lines-0-code": PLATES, "lines-0-quantity": "10"}
    ref = repeated(signed_in(MEMBER), **wants)
    theirs = repeated(signed_in(OTHER), **wants, organisation="ECHECS", purpose="Tournoi", day="2026-12-15")
    [one] = book(OTHER, at(22, "15:00", "17:00", month=12), {PLATES: 5}, purpose="Goûter")
    cards = re.findall(r"<article.*?</article>", signed_in("staff.stn@example.org").get("/requests").text, re.DOTALL)
    assert len(cards) == 3
    [mine] = [each for each in cards if f'action="/series/{ref}/approve"' in each]
    assert len(re.findall(r'<a href="/reservations/R', mine)) == 2  # the other series once, and the single one
    assert f"/reservations/{one.ref}" in mine
    [other] = [each for each in cards if f'action="/series/{theirs}/approve"' in each]
    assert len(re.findall(r'<a href="/reservations/R', other)) == 2


def test_a_date_offered_otherwise_waits_for_the_borrower_not_for_the_series(signed_in: SignedIn) -> None:
    ref = repeated(signed_in(MEMBER))
    with transaction() as session:
        first = session.scalars(select(Reservation).order_by(Reservation.starts_at).limit(1)).one()
        first.offered = True
    browser = signed_in(STAFF)
    assert "5 dates, du mardi 8 décembre" in page(browser.get("/requests"))
    assert browser.post(f"/series/{ref}/approve", data={"why": ""}).status_code == 303
    assert sorted(states_of_series(ref)) == ["approved"] * 5 + ["requested"]


# -- less, or otherwise --------------------------------------------------------------------------------


def test_fewer_from_the_page(book: Book, signed_in: SignedIn) -> None:
    [done] = book(MEMBER, WHEN, {PLATES: 50})
    browser = signed_in("staff.stn@example.org")
    text = browser.get(f"/reservations/{done.ref}/instead").text
    assert 'value="50"' in text
    lines = {"lines-0-code": PLATES, "lines-0-quantity": "30"}
    answer = browser.post(f"/reservations/{done.ref}/instead/approve_less", data=FORM | lines)
    assert answer.status_code == 303
    told = page(signed_in(MEMBER).get(f"/reservations/{done.ref}"))
    assert "Ce qui était demandé" in told
    assert "50 × Assiettes plates" in told
    assert "30 × Assiettes plates" in told
    assert browser.get(f"/reservations/{done.ref}/instead").status_code == 409


def test_another_slot_proposed_and_taken(book: Book, signed_in: SignedIn) -> None:
    [done] = book(MEMBER, WHEN, {ROOM: 1})
    browser, borrower = signed_in(STAFF), signed_in(MEMBER)
    data = FORM | {"day": "2026-11-29", "lines-0-code": ROOM, "lines-0-quantity": "1", "why": "Bal"}
    assert browser.post(f"/reservations/{done.ref}/instead/propose", data=data).status_code == 303
    assert "L’emprunteur dit oui ou non" in page(browser.get(f"/reservations/{done.ref}"))
    for address in ("/reservations", "/requests", "/waiting", f"/reservations/{done.ref}"):
        assert "Accepter" in page(borrower.get(address)), address
    assert borrower.post(f"/reservations/{done.ref}/accept", data={}).status_code == 303
    assert loan(done.ref).status == "approved"


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"day": ""}, 422),
        ({"day": "9999-01-01"}, 422),
        ({"lines-0-quantity": ""}, 422),
        ({"lines-0-quantity": "99999999999999999999"}, 422),
        ({"lines-0-quantity": "2"}, 422),
        ({"why": "x" * 1001}, 422),
        ({"end": "13:00"}, 422),
        ({}, 422),
        ({"day": "2026-11-30"}, 409),
    ],
)
def test_a_bad_proposal_shows_the_form_again(
    change: dict[str, str], status: int, book: Book, signed_in: SignedIn
) -> None:
    book(OTHER, at(30, "10:00", "20:00"), {ROOM: 1})
    [done] = book(MEMBER, WHEN, {ROOM: 1})
    data = FORM | {"lines-0-code": ROOM, "lines-0-quantity": "1", "why": "Ménage"} | change
    before = dump()
    answer = signed_in(STAFF).post(f"/reservations/{done.ref}/instead/propose", data=data)
    assert answer.status_code == status
    assert "error-summary" in answer.text
    assert ("Ménage" in answer.text) == ("why" not in change)
    assert dump() == before


# -- from the letter -----------------------------------------------------------------------------------


def test_opening_the_link_changes_nothing_and_needs_no_sign_in(book: Book, client: FlaskClient) -> None:
    book(MEMBER, WHEN, {ROOM: 1}, purpose="Concert")
    address, before = link_of(), dump()
    for method, headers in (("GET", {}), ("HEAD", {}), ("GET", {"Purpose": "prefetch", "Sec-Purpose": "prefetch"})):
        answer = client.open(address, method=method, headers=headers)
        assert answer.status_code == 200
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Referrer-Policy"] == "same-origin"
    assert dump() == before
    text = page(client.get(address))
    for said in ("Concert", "Valider", "Refuser", "Vous répondez en tant que Manager Test"):
        assert said in text


@pytest.mark.parametrize("signed_in_as", [None, OTHER])
def test_the_links_reader_acts_whoever_is_signed_in(
    signed_in_as: str | None, book: Book, client: FlaskClient, signed_in: SignedIn
) -> None:
    [done] = book(MEMBER, WHEN, {ROOM: 1})
    browser = signed_in(signed_in_as) if signed_in_as else client
    address = link_of()
    answer = browser.post(address, data={"act": "decline", "why": " "})
    assert answer.status_code == 422
    assert "Dites pourquoi" in page(answer)
    assert browser.post(address, data={"act": "decline", "why": "Fermé"}).status_code == 303
    now = loan(done.ref)
    assert (now.status, now.events[-1].user.email, now.events[-1].why) == ("declined", MANAGER, "Fermé")
    text = page(browser.get(address))
    assert "Refusée" in text
    assert "Décidé par Manager Test" in text
    assert browser.post(address, data={"act": "approve"}).status_code in (409, 410)
    assert loan(done.ref).status == "declined"


def test_decided_by_somebody_else_the_link_says_so(book: Book, client: FlaskClient, actor: Who) -> None:
    [done] = book(MEMBER, WHEN, {ROOM: 1})
    address = link_of()
    desk.change(actor(STAFF), done.ref, "approve")
    assert "Décidé par Staff Test" in page(client.get(address))
    answer = client.post(address, data={"act": "decline", "why": "Non"})
    assert answer.status_code == 409
    assert "Décidé par Staff Test" in page(answer)
    assert loan(done.ref).status == "approved"


def test_a_reader_who_lost_the_role_is_refused_and_reads_nothing(book: Book, client: FlaskClient) -> None:
    [done] = book(MEMBER, WHEN, {ROOM: 1}, purpose="Concert")
    address = link_of()
    for change in (update(Membership).values(role="member"), delete(Membership)):
        with transaction() as session:
            user_id = session.scalars(select(User.id).where(User.email == MANAGER)).one()
            session.execute(change.where(Membership.user_id == user_id))
        for answer in (client.get(address), client.post(address, data={"act": "approve"})):
            assert answer.status_code == 403
            assert "Concert" not in answer.text
    assert loan(done.ref).status == "requested"


def test_a_link_ends_when_the_loan_starts(book: Book, client: FlaskClient) -> None:
    book(MEMBER, WHEN, {ROOM: 1})
    address = link_of()
    clock.set_source(lambda: WHEN.start)
    assert client.get(address).status_code == 410
    assert client.post(address, data={"act": "approve"}).status_code == 410
    assert client.get("/decide/" + "x" * 500).status_code == 410


@pytest.mark.parametrize("act", ["", "cancel", "collect", "approve_second", "recall"])
def test_a_link_is_for_two_acts(act: str, book: Book, client: FlaskClient) -> None:
    book(MEMBER, WHEN, {ROOM: 1})
    before = dump()
    assert client.post(link_of(), data={"act": act}).status_code in (200, 400)
    assert dump() == before


def test_the_link_wants_its_csrf_token(app: Flask, book: Book, client: FlaskClient) -> None:
    [done] = book(MEMBER, WHEN, {ROOM: 1})
    app.config["WTF_CSRF_ENABLED"] = True
    address = link_of()
    assert client.post(address, data={"act": "approve"}).status_code == 400
    token = re.search(r'name="csrf_token" value="([^"]+)"', client.get(address).text)
    assert token
    # Over HTTPS the form must say where it comes from: the page lets a browser tell this site, and no other.
    assert client.get(address).headers["Referrer-Policy"] == "same-origin"
    safe = {"base_url": "https://localhost", "data": {"act": "approve", "csrf_token": token[1]}}
    client.set_cookie("sharebank", client.get_cookie("sharebank").value, secure=True)  # type: ignore[union-attr]
    assert client.post(address, headers={"Referer": f"https://localhost{address}"}, **safe).status_code == 303
    assert loan(done.ref).status == "approved"


def test_the_menu_leads_there_for_those_who_decide(book: Book, signed_in: SignedIn) -> None:
    assert 'href="/requests"' in signed_in(STAFF).get("/reservations").text
    assert 'href="/requests"' not in signed_in(MEMBER).get("/reservations").text


def test_the_page_of_a_reservation_says_when_it_ends_by_itself(book: Book, signed_in: SignedIn) -> None:
    [done] = book(MEMBER, WHEN, {ROOM: 1})
    with transaction() as session:
        session.execute(update(Reservation).values(lapses_at=NOW + timedelta(days=2)))
    assert "Sans réponse, la demande expire le lundi 23 novembre 2026" in page(
        signed_in(MEMBER).get(f"/reservations/{done.ref}")
    )


def test_recall_has_a_button_only_where_the_rules_let_it(book: Book, signed_in: SignedIn, actor: Who) -> None:
    [done] = book(MEMBER, WHEN, {ROOM: 1})
    desk.change(actor(STAFF), done.ref, "approve")
    button = f"/reservations/{done.ref}/recall"
    assert button not in signed_in(MANAGER).get(f"/reservations/{done.ref}").text
    rules(recall={"days": 2})
    assert button in signed_in(MANAGER).get(f"/reservations/{done.ref}").text
    for who in (STAFF, MEMBER):
        assert button not in signed_in(who).get(f"/reservations/{done.ref}").text
    assert signed_in(MANAGER).post(button, data={"why": ""}).status_code == 422
    assert signed_in(MANAGER).post(button, data={"why": "Élections"}).status_code == 303
    assert loan(done.ref).status == "cancelled"
