"""What people see before a request is sent, and before a reservation is called off."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from sharebank.catalog.models import Resource, RuleSet
from sharebank.catalog.service import search_text
from sharebank.core import clock
from sharebank.core.db import db, transaction
from sharebank.notifications.models import Letter
from sharebank.notifications.writing import write_out
from sharebank.reservations import lifecycle
from tests import world
from tests.counter import BUS, MEMBER, OTHER, PLATES, ROOM, SMALL, STAFF, STN_ROOM, Book, Who, book, rules
from tests.web.api_client import Program, ask
from tests.web.test_requests import page
from tests.world import at

__all__ = ["book"]  # the fixture
SignedIn = Callable[[str], FlaskClient]
FORM = {"day": "2026-11-28", "start": "14:00", "end": "18:00"}
NEW = "/reservations/new?day=2026-11-28&start=14:00&end=18:00"
AFTERNOON = at(28, "14:00", "18:00")
PROMISE = "Le créneau vous est gardé"


@pytest.fixture(autouse=True)
def _no_csrf(app: Flask) -> None:
    app.config["WTF_CSRF_ENABLED"] = False  # tests/web/test_access.py is about it


def form(*codes: str, **more: str) -> dict[str, str]:
    """The request form as a browser sends it."""
    lines = {f"lines-{number}-code": code for number, code in enumerate(codes)}
    lines |= {f"lines-{number}-quantity": "1" for number in range(len(codes))}
    return {"organisation": "CHORALE", "purpose": "Concert", **FORM, **lines, **more}


def ways(answer: Any) -> list[str]:
    """What each link out of a refusal would ask for."""
    hrefs = [unescape(href) for href in re.findall(r'class="button secondary" href="([^"]*)"', answer.text)]
    return ["&".join(re.findall(r"pick=[^&]*", href)).replace("%3A", ":") for href in hrefs]


# -- what else there is, at once ---------------------------------------------------------------------


def test_what_is_taken_is_said_with_its_ways_out_before_anything_is_sent(book: Book, signed_in: SignedIn) -> None:
    book(OTHER, AFTERNOON, {ROOM: 1}, purpose="Tournoi")
    answer = signed_in(MEMBER).get(f"{NEW}&pick={ROOM}")
    assert answer.status_code == 200
    text = page(answer)
    for said in ("Pas libre à ce moment", "Un autre moment", "Ailleurs", "Me prévenir si cela se libère"):
        assert said in text, said
    assert PROMISE not in text
    assert "Rien n’a été réservé" not in text
    assert "Tournoi" not in text  # not theirs to know
    assert "Tournoi" in page(signed_in(STAFF).get(f"{NEW}&pick={ROOM}"))
    assert PROMISE in page(signed_in(MEMBER).get(f"{NEW}&pick={SMALL}"))


def test_each_way_out_replaces_the_thing_that_it_is_for(book: Book, signed_in: SignedIn) -> None:
    book(OTHER, AFTERNOON, {ROOM: 1, PLATES: 40})
    found = ways(signed_in(MEMBER).get(f"{NEW}&pick={SMALL}&pick={ROOM}&pick={PLATES}:30"))
    assert f"pick={SMALL}:1&pick={PLATES}:30&pick={STN_ROOM}:1" in found
    assert f"pick={SMALL}:1&pick={ROOM}:1&pick={PLATES}:20" in found


def test_more_than_there_are_is_answered_with_fewer(signed_in: SignedIn) -> None:
    found = signed_in(MEMBER).get("/", query_string=FORM | {"q": "assiettes", "n": "61"}).text
    asked = found[found.index('class="take"') :]
    assert asked[asked.index("<form") :].partition(">")[0].endswith("novalidate"), "a browser would stop at the number"
    answer = signed_in(MEMBER).get(f"{NEW}&pick={PLATES}:61")
    assert ways(answer) == [f"pick={PLATES}:60"]
    assert "Me prévenir" not in page(answer), "there will never be so many"
    assert PROMISE not in page(answer)


def test_what_a_rule_bars_is_answered_with_another_time_and_so_is_a_form_half_filled(signed_in: SignedIn) -> None:
    rules(notice={"days": 9})
    member = signed_in(MEMBER)
    for answer in (member.get(f"{NEW}&pick={ROOM}"), member.post("/reservations/new", data=form(ROOM, purpose=""))):
        assert "Un autre moment : " in page(answer).replace("\u202f", " ")
        assert PROMISE not in page(answer)


def test_what_is_out_of_service_is_answered_with_the_like_elsewhere_only(signed_in: SignedIn) -> None:
    with transaction() as session:
        session.execute(update(Resource).where(Resource.code == ROOM).values(in_service=False))
    assert ways(signed_in(MEMBER).get(f"{NEW}&pick={ROOM}")) == [f"pick={STN_ROOM}:1"]


def test_nothing_is_offered_that_is_not_lent_to_the_borrower(signed_in: SignedIn) -> None:
    """The same rules everywhere: neither another time nor the like would do."""
    rules(borrowers={"allowed": ["houses"]}, notice={"days": 9})
    answer = signed_in(MEMBER).get(f"{NEW}&pick={ROOM}")
    assert ways(answer) == []
    assert "prêt pour" in page(answer), "every rule that bars it, not the first alone"
    assert "Rien de comparable à ce moment" in page(answer)


def test_staff_who_may_overrule_are_asked_why_at_once(signed_in: SignedIn) -> None:
    rules(length={"hours": 3})
    assert 'name="override"' in signed_in(STAFF).get(f"{NEW}&pick={ROOM}").text
    assert 'name="override"' not in signed_in(MEMBER).get(f"{NEW}&pick={ROOM}").text


# -- taken out again ---------------------------------------------------------------------------------


def test_a_thing_is_taken_out_and_nothing_typed_is_lost(signed_in: SignedIn) -> None:
    member = signed_in(MEMBER)
    for address in ("/reservations/new", "/waiting/new"):
        answer = member.post(address, data=form(ROOM, BUS, purpose="Bal masqué", drop=ROOM))
        assert answer.status_code == 200
        text = answer.text
        assert f'value="{ROOM}"' not in text
        assert f'value="{BUS}"' in text
        assert 'value="Bal masqué"' in text
    query = form(ROOM, BUS, purpose="Bal masqué", drop=ROOM, show="1", count="3")
    answer = member.get("/series/new", query_string=query)
    assert answer.status_code == 200
    assert f'value="{ROOM}"' not in answer.text
    assert 'value="Bal masqué"' in answer.text
    assert "Rien n’est encore choisi" in page(member.post("/reservations/new", data=form(ROOM, drop=ROOM)))


def test_enter_never_takes_anything_out(signed_in: SignedIn) -> None:
    """Browsers press the first button of the form."""
    member = signed_in(MEMBER)
    for address in (f"{NEW}&pick={ROOM}", f"/waiting/new?pick={ROOM}", f"/series/new?pick={ROOM}"):
        text = member.get(address).text
        first = re.search(r"<button[^>]*>", text[text.index('class="form') :])
        assert first
        assert "drop" not in first.group()


def test_what_was_chosen_on_the_search_page_is_let_go(signed_in: SignedIn) -> None:
    member = signed_in(MEMBER)
    query = FORM | {"q": "salle", "pick": [f"{ROOM}:1", f"{PLATES}:20"], "_scheme": "x"}
    text = member.get("/", query_string=query).text
    [without, _plates] = [unescape(href) for href in re.findall(r'<a href="(/\?[^"]*pick[^"]*)">\s*Retirer', text)]
    assert ROOM not in without
    assert "q=salle" in without
    after = page(member.get(without))
    assert "20 × Assiettes plates" in after
    assert "Votre choix" in after or "Choisi" in after


# -- called off --------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", [MEMBER, STAFF])
def test_calling_off_asks_once_more(who: str, book: Book, actor: Who, signed_in: SignedIn) -> None:
    [done] = book(MEMBER, AFTERNOON, {ROOM: 1})
    with transaction() as session:
        lifecycle.change(session, actor(STAFF), done.ref, "approve", "", world.NOW, world.PARIS)
    text = signed_in(who).get(f"/reservations/{done.ref}").text
    opened = re.search(r'<details class="confirm" >(.*?)</details>', text, re.DOTALL)
    assert opened
    button = f'formaction="/reservations/{done.ref}/cancel"'
    assert button in opened.group(1)
    assert text.count(button) == 1
    assert "Oui, annuler" in opened.group(1)
    assert text.count('name="why"') == 1
    assert signed_in(who).post(f"/reservations/{done.ref}/cancel").status_code == 303


# -- the past ----------------------------------------------------------------------------------------


def test_staff_who_note_what_was_lent_are_told_that_it_has_begun(signed_in: SignedIn) -> None:
    staff, past = signed_in(STAFF), {"day": "2026-11-20", "organisation": "MCNG"}
    begun = "Ce moment a déjà commencé"
    assert begun in page(staff.get(f"/reservations/new?day=2026-11-20&start=14:00&end=18:00&pick={ROOM}"))
    assert begun in page(staff.get("/?day=2026-11-20&start=14:00&end=18:00&q=salle"))
    assert begun not in page(staff.get(f"{NEW}&pick={ROOM}"))
    said = page(staff.post("/reservations/new", data=form(ROOM, **past), follow_redirects=True))
    assert "Ce prêt commence dans le passé : ven. 20 nov., 14:00 – 18:00" in said.replace("\u202f", " ")
    assert "dans le passé" not in page(
        staff.post("/reservations/new", data=form(ROOM, organisation="MCNG"), follow_redirects=True)
    )


@pytest.mark.parametrize(
    ("hour", "day", "proposed"),
    [
        (9, "2026-11-21", "day=2026-11-21&start=14:00&end=18:00"),
        (17, "2026-11-21", "day=2026-11-21&start=18:00&end=22:00"),
        (21, "2026-11-21", "day=2026-11-21&start=22:00&end=02:00&last_day=2026-11-22"),
        (23, "2026-11-21", "day=2026-11-22&start=00:00&end=04:00"),
        (17, "2026-11-22", "day=2026-11-22&start=14:00&end=18:00"),
    ],
)
def test_the_planning_proposes_what_is_left_of_the_afternoon(
    hour: int, day: str, proposed: str, signed_in: SignedIn
) -> None:
    staff = signed_in(STAFF)
    clock.set_source(lambda: datetime(2026, 11, 21, hour, 20, tzinfo=world.PARIS).astimezone(UTC))
    answer = staff.get(f"/planning?view=day&date={day}")
    assert f"/reservations/new?{proposed}&pick=" in unescape(answer.text)


# -- in people's words -------------------------------------------------------------------------------


def test_people_read_names_and_not_codes(app: Flask, book: Book, signed_in: SignedIn) -> None:
    with transaction() as session:
        session.execute(update(RuleSet).values(name="salle_convention_annuelle"))
    rules(headcount={"least": 5})
    member = signed_in(MEMBER)
    answer = member.post("/reservations/new", data=form(ROOM, headcount="3"))
    assert "(règles « Salle convention annuelle »)" in page(answer).replace("\u202f", " ")
    answer = member.post("/reservations/new", data=form(ROOM, headcount="8"), follow_redirects=True)
    assert "En attente de : Maison citoyenne Noël Guichard." in page(answer).replace("\u202f", " ")


def test_letters_name_the_house(app: Flask, book: Book) -> None:
    book(MEMBER, AFTERNOON, {ROOM: 1})
    query = select(Letter).where(Letter.template == "reservation_requested")
    said = write_out(app, db.session().scalars(query).one()).text
    assert "Prêté par : Maison citoyenne Noël Guichard" in said.replace("\u202f", " ")


def test_the_history_names_the_clock(book: Book, actor: Who, signed_in: SignedIn) -> None:
    [done] = book(MEMBER, AFTERNOON, {ROOM: 1})
    with transaction() as session:
        assert lifecycle.expire(session, done.ref, AFTERNOON.start + timedelta(minutes=1))
    text = page(signed_in(MEMBER).get(f"/reservations/{done.ref}"))
    assert "Expirée d’elle-même, à son heure" in text
    assert "None" not in text


def test_the_dates_of_a_series_are_where_the_page_opens(signed_in: SignedIn) -> None:
    text = signed_in(MEMBER).get("/series/new", query_string=form(ROOM, show="1", freq="weekly", count="3")).text
    assert 'action="/series/new#dates-title"' in text
    assert 'id="dates-title"' in text


def test_a_search_puts_what_is_called_so_before_what_is_only_said_to_be_so(signed_in: SignedIn) -> None:
    with transaction() as session:
        told = search_text([PLATES, "Assiettes plates", "pour la salle"])
        session.execute(update(Resource).where(Resource.code == PLATES).values(search_text=told))
        told = search_text([BUS, "Minibus", "se gare devant la salle"])
        session.execute(update(Resource).where(Resource.code == BUS).values(search_text=told))
    text = page(signed_in(STAFF).get("/", query_string=FORM | {"q": "salles"}))
    names = ["Salle Isère", "Salle Jacquemart", "Minibus 9 places"]
    assert sorted(names, key=text.index) == names


def test_who_decides_reads_what_nobody_promised(app: Flask, signed_in: SignedIn) -> None:
    """A program may leave the promises out: the house is not told that all the rules are kept."""
    rules(undertakings={"which": ["charter"]})
    assert Program(app, MEMBER).post("/reservations", ask((ROOM, 1))).status_code == 201
    text = page(signed_in("manager@example.org").get("/requests"))
    assert "Grande salle, engagement non pris avec cette demande" in text
    assert "Toutes les règles sont respectées" not in text
    assert signed_in(MEMBER).post("/reservations/new", data=form(SMALL, accepts="charter")).status_code == 303
    assert "Toutes les règles sont respectées" in page(signed_in("manager@example.org").get("/requests"))
