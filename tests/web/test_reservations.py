"""The reservation screens over real HTTP: what is shown, refused, and kept."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from sharebank.core.db import db, transaction
from sharebank.reservations import booking, lifecycle
from sharebank.reservations.booking import Ask
from sharebank.reservations.planning import planning_table
from tests import world

WHEN = {"day": "2026-11-28", "start": "14:00", "end": "18:00"}
SignedIn = Callable[[str], FlaskClient]


@pytest.fixture(autouse=True)
def _no_csrf(app: Flask) -> None:
    app.config["WTF_CSRF_ENABLED"] = False  # tests/web/test_access.py is about it


def page(answer: Any) -> str:
    """What a reader sees, tags and folds of white space taken out."""
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", " ", answer.text)))


def form(*wants: tuple[str, int], **more: str) -> dict[str, str]:
    """The request form as a browser sends it."""
    lines = {}
    for number, (code, quantity) in enumerate(wants):
        lines |= {f"lines-{number}-code": code, f"lines-{number}-quantity": str(quantity)}
    return {"organisation": "CHORALE", "purpose": "Concert", **WHEN, **lines, **more}


def counted(app: Flask) -> tuple[int, ...]:
    """Rows of all that a booking writes."""
    connection = db.session.connection()
    tables = ("reservation", "reservation_line", "reservation_event", "letter")
    found = tuple(connection.exec_driver_sql(f"SELECT COUNT(*) FROM {table}").scalar_one() for table in tables)
    db.session.rollback()
    return found


def book(actor: Any, code: str = "MCNG-R01", quantity: int = 1, body: str = "ECHECS", **when: Any) -> str:
    """A booking made beforehand; its reference."""
    with transaction() as session:
        ask = Ask(body, "Tournoi", when.get("period") or world.at(28, "14:00", "18:00"), {code: quantity})
        return booking.book(session, actor, ask, world.NOW, world.PARIS)[0].ref


def test_search_answers_a_number_of_people_with_places_and_seats_free_first(signed_in: SignedIn) -> None:
    answer = signed_in("member@example.org").get("/", query_string=WHEN | {"n": "40"})
    text = page(answer)
    assert "Grande salle" in text
    assert "Salle Jacquemart" in text
    assert "Salle Isère" not in text  # too small
    assert "Assiettes" not in text  # nobody named it
    assert text.index("Grande salle") < text.index("Salle Jacquemart")  # the nearest house first


def test_search_says_what_is_taken_and_how_many_are_left(signed_in: SignedIn, actor: Callable[[str], Any]) -> None:
    book(actor("other@example.org"), "STN-K03", 40)
    text = page(signed_in("member@example.org").get("/", query_string=WHEN | {"q": "assiettes", "n": "30"}))
    assert "il en reste 20, vous en demandez 30" in text
    text = page(signed_in("member@example.org").get("/", query_string=WHEN | {"q": "assiettes", "n": "20"}))
    assert "20 libres sur 60" in text


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"day": "2026-02-30"}, "Le"),
        ({"day": "0001-01-01"}, "Vérifiez l’année"),
        ({"day": "9999-12-31"}, "Vérifiez l’année"),
        ({"start": "25:00"}, "de"),
        ({"end": "13:00"}, "La fin doit venir après le début"),
        ({"day": "2027-03-28", "start": "02:30", "end": "04:00"}, "Cette heure n’existe pas"),
        ({"n": "0"}, "Pour combien"),
        ({"n": "99999999999999999999"}, "Pour combien"),
        ({"house": "NOWHERE"}, "Maison"),
        ({"q": "x" * 101}, "J’ai besoin de"),
    ],
)
def test_a_bad_search_shows_the_form_again_with_the_reason(
    change: dict[str, str], says: str, signed_in: SignedIn
) -> None:
    answer = signed_in("member@example.org").get("/", query_string=WHEN | change)
    assert answer.status_code == 422
    summary = answer.text[answer.text.index("error-summary") :]
    assert says in page(type("Part", (), {"text": "<" + summary}))


def test_a_request_over_two_lenders_becomes_one_reservation_each(app: Flask, signed_in: SignedIn) -> None:
    browser = signed_in("member@example.org")
    answer = browser.post("/reservations/new", data=form(("MCNG-R01", 1), ("STN-K03", 60)), follow_redirects=True)
    text = page(answer)
    assert "le créneau vous est gardé" in text
    assert "Demandé en même temps" in text
    # Two reservations, a line and an event each; a letter to who asked for each, and to each house's managers.
    assert counted(app)[:3] == (2, 2, 2)
    assert counted(app)[3] == 2 + 2 + 1


def test_a_collision_answers_409_keeps_what_was_typed_and_offers_ways_out(
    app: Flask, signed_in: SignedIn, actor: Callable[[str], Any]
) -> None:
    book(actor("other@example.org"))
    before = counted(app)
    data = form(("MCNG-R01", 1), ("STN-K03", 60), purpose="Bal <b>masqué</b>")
    answer = signed_in("member@example.org").post("/reservations/new", data=data)
    assert answer.status_code == 409
    assert counted(app) == before
    text = page(answer)
    assert "Grande salle : pas libre à ce moment" in text.replace("\u202f", " ")
    assert "Un autre moment" in text
    assert "Ailleurs" in text  # the other house's big room
    assert "Tournoi" not in text  # not theirs to know
    assert 'value="Bal &lt;b&gt;masqué&lt;/b&gt;"' in answer.text
    assert 'value="60"' in answer.text


def test_the_owners_staff_read_who_has_it(signed_in: SignedIn, actor: Callable[[str], Any]) -> None:
    book(actor("other@example.org"))
    data = form(("MCNG-R01", 1), organisation="MCNG")
    assert "Tournoi" in page(signed_in("staff@example.org").post("/reservations/new", data=data))


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (form(("MCNG-R01", 1), purpose=""), 422),
        (form(("MCNG-R01", 1), purpose="x" * 301), 422),
        (form(("MCNG-R01", 1), organisation="ECHECS"), 422),
        (form(("MCNG-R01", 1), day="2026-11-20"), 422),
        (form(("MCNG-R01", 1), day="2028-11-20"), 422),
        (form(("MCNG-R01", 1), last_day="2026-12-28"), 422),
        (form(("MCNG-R01", 1), end="14:00"), 422),
        (form(("NO-SUCH", 1)), 422),
        (form(("STN-K03", -1)), 422),
        (form(("STN-K03", 10**30)), 422),
        (form(("STN-K03", 0)), 422),
        (form(), 422),
        (form(("STN-K03", 61)), 409),
        (form(("MCNG-R01", 1), purpose="nul \0"), 400),
    ],
)
def test_a_bad_request_stores_nothing(data: dict[str, str], status: int, app: Flask, signed_in: SignedIn) -> None:
    answer = signed_in("member@example.org").post("/reservations/new", data=data)
    assert answer.status_code == status
    assert counted(app) == (0, 0, 0, 0)


def test_declining_needs_a_word_and_frees_the_slot(signed_in: SignedIn, actor: Callable[[str], Any]) -> None:
    ref = book(actor("other@example.org"))
    staff = signed_in("staff@example.org")
    assert staff.post(f"/reservations/{ref}/decline", data={"why": " "}).status_code == 422
    assert staff.post(f"/reservations/{ref}/decline", data={"why": "Travaux"}).status_code == 303
    assert "Travaux" in page(signed_in("other@example.org").get(f"/reservations/{ref}"))
    assert signed_in("member@example.org").post("/reservations/new", data=form(("MCNG-R01", 1))).status_code == 303


def test_who_comes_second_to_decide_is_told(app: Flask, signed_in: SignedIn, actor: Callable[[str], Any]) -> None:
    ref = book(actor("other@example.org"))
    with transaction() as session:
        lifecycle.change(session, actor("manager@example.org"), ref, "approve", "", world.NOW, world.PARIS)
    answer = signed_in("staff@example.org").post(f"/reservations/{ref}/approve")
    assert answer.status_code == 409
    assert "déjà « Validée »" in page(answer).replace("\u202f", " ")


def test_a_closure_holds_its_things_and_says_what_is_in_the_way(
    app: Flask, signed_in: SignedIn, actor: Callable[[str], Any]
) -> None:
    book(actor("other@example.org"))
    staff = signed_in("staff@example.org")
    closure = {"codes": "mcng-r01, MCNG-R03", "purpose": "Peinture", **WHEN}
    answer = staff.post("/closures/new", data=closure)
    assert answer.status_code == 409
    assert "Tournoi" in page(answer)
    assert staff.post("/closures/new", data=closure | {"codes": "MCNG-R03"}).status_code == 303
    answer = signed_in("member@example.org").post("/reservations/new", data=form(("MCNG-R03", 1)))
    assert answer.status_code == 409
    assert "fermé" in page(answer)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Minibus « Passerelle »", "Minibus <span {}>«\u202fPasserelle\u202f»</span>"),
        ("La « Grande Ourse »", "La «\u202fGrande <span {}>Ourse\u202f»</span>"),
        ("« Anticonstitutionnel »", "«\u202fAnticonst<span {}>itutionnel\u202f»</span>"),
        ("« l'eau&vie »", "<span {}>«\u202fl&#39;eau&amp;vie\u202f»</span>"),
        ("« A », « B »", "<span {}>«\u202fA\u202f»</span>, <span {}>«\u202fB\u202f»</span>"),
        ("Sono", "Sono"),
    ],
)
def test_a_closing_quotation_mark_stays_with_its_word(name: str, shown: str) -> None:
    """In the narrow first column of a telephone a long name breaks anywhere."""
    whole = 'class="nowrap"'
    _plain, link = planning_table._named("X", name, 1)
    assert link == f'<a class="name" href="/resources/X">{shown.replace("{}", whole)}</a>'


@pytest.mark.parametrize(
    ("day", "words"),
    [
        ("2026-11-28", "Semaine du 23 au 29 novembre 2026"),
        ("2026-12-01", "Semaine du 30 novembre au 6 décembre 2026"),
        ("2026-12-31", "Semaine du 28 décembre 2026 au 3 janvier 2027"),
        ("2027-03-07", "Semaine du 1er au 7 mars 2027"),
    ],
)
def test_a_week_is_named_as_people_name_it(signed_in: Callable[[str], FlaskClient], day: str, words: str) -> None:
    browser = signed_in("staff@example.org")
    for page in ("/planning?view=week&", "/resources/MCNG-R01/week?"):
        assert words in unescape(browser.get(f"{page}date={day}").text)


@pytest.mark.parametrize("view", ["day", "week", "month"])
def test_the_planning_tells_each_reader_what_is_theirs_to_know(
    view: str, signed_in: SignedIn, actor: Callable[[str], Any]
) -> None:
    ref = book(actor("other@example.org"))
    address = f"/planning?view={view}&date=2026-11-28&house=MCNG"
    mine = signed_in("other@example.org").get(address)
    theirs = signed_in("member@example.org").get(address)
    if view == "month":
        assert 'class="bar requested"' in mine.text
        assert 'class="bar busy"' in theirs.text
    else:
        assert f"/reservations/{ref}" in mine.text
        assert "Tournoi" in page(mine)
        assert "Tournoi" not in page(theirs)
        assert ref not in theirs.text
        assert "Pris" in page(theirs)
    listed = page(signed_in("member@example.org").get(address + "&list=1"))
    assert "Tournoi" not in listed
    assert "14:00" in listed


def test_a_loan_overnight_stands_on_both_days_and_a_pool_on_lanes(
    signed_in: SignedIn, actor: Callable[[str], Any]
) -> None:
    member = actor("other@example.org")
    for quantity in (10, 20):
        book(member, "STN-K03", quantity, period=world.at(28, "20:00", "02:00", until=29))
    reader = signed_in("other@example.org")
    saturday = reader.get("/planning?view=day&date=2026-11-28&house=STN").text
    sunday = reader.get("/planning?view=day&date=2026-11-29&house=STN").text
    assert 'rowspan="2"' in saturday
    assert "20:00 →" in saturday
    assert "→ 2:00" in sunday
    assert saturday.count("10 × Tournoi") == sunday.count("20 × Tournoi") == 1


@pytest.mark.parametrize(
    "query", ["view=year", "date=2026-99-99", "date=0001-01-01", "house=XX", "kind=boat", "date=9999-12-31"]
)
def test_a_bad_planning_address_says_so_and_shows_the_usual_one(query: str, signed_in: SignedIn) -> None:
    answer = signed_in("member@example.org").get(f"/planning?{query}")
    assert answer.status_code == 422
    assert "error-summary" in answer.text


def test_lists_show_mine_and_my_houses(signed_in: SignedIn, actor: Callable[[str], Any]) -> None:
    book(actor("other@example.org"))
    assert "Tournoi" in page(signed_in("other@example.org").get("/reservations"))
    assert "Tournoi" not in page(signed_in("member@example.org").get("/reservations"))
    assert "Tournoi" not in page(signed_in("staff@example.org").get("/reservations"))
    assert "Tournoi" in page(signed_in("staff@example.org").get("/reservations?scope=house"))
    assert "Tournoi" not in page(signed_in("staff.stn@example.org").get("/reservations?scope=house"))
    assert signed_in("staff@example.org").get("/reservations?when=past&month=x").status_code == 422


def test_what_people_type_is_shown_as_text(signed_in: SignedIn, actor: Callable[[str], Any]) -> None:
    hostile = "<script>alert(1)</script>\"'&{{7*7}}"
    with transaction() as session:
        ask = Ask("ECHECS", hostile, world.at(28, "14:00", "18:00"), {"MCNG-R01": 1})
        ref = booking.book(session, actor("other@example.org"), ask, world.NOW, world.PARIS)[0].ref
    reader = signed_in("other@example.org")
    for address in (
        f"/reservations/{ref}",
        "/reservations",
        "/planning?view=day&date=2026-11-28&house=MCNG",
        "/planning?view=week&date=2026-11-28&house=MCNG",
        "/planning?view=week&date=2026-11-28&house=MCNG&list=1",
        f"/reservations/new?pick=MCNG-R01&day=2026-11-28&start=14:00&end=18:00&purpose={hostile}",
    ):
        answer = reader.get(address)
        assert answer.status_code == 200, address
        assert "<script>alert" not in answer.text
        assert "{{7*7}}" in unescape(answer.text) or "purpose=" in address
