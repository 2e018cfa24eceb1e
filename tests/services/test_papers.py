"""The register of documents seen: who keeps and sees it, what the rules of lending make of it; on both databases."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from html import unescape
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, select

from sharebank.accounts.models import User
from sharebank.core.db import db, transaction
from sharebank.core.errors import NotAllowed, NotFound
from sharebank.insurance import papers
from sharebank.insurance.models import SeenPaper
from sharebank.insurance.papers import KnownPaper, Shown
from sharebank.insurance.rules import PaperElsewhere
from sharebank.lending.kinds import PAPERS
from sharebank.reservations.deciding.requests_reading import to_decide
from tests import world
from tests.counter import MEMBER, OTHER, ROOM, STAFF, STAFF_STN, STN_ROOM, Book, Who, book, rules
from tests.insured import certify
from tests.world import at

__all__ = ["book"]  # the fixture
pytestmark = pytest.mark.usefixtures("app")
TODAY = world.NOW.date()
SATURDAY = at(28, "14:00", "18:00")
WHEN = {"day": "2026-11-28", "start": "14:00", "end": "18:00"}
ADDRESS = "/insurance/papers"
SignIn = Callable[[str], FlaskClient]


@pytest.fixture
def seen(actor: Who) -> Callable[..., None]:
    """`seen("statutes", date(…))`: the staff of its house have seen it of the choir."""

    def note(kind: str, until: date | None = None, note: str = "", *, by: str = STAFF, of: str = "CHORALE") -> None:
        with transaction() as session:
            papers.note(session, actor(by), of, Shown(kind, until, note), TODAY)

    return note


Seen = Callable[..., None]


def asks(*rows: str, effect: str = "approve") -> None:
    """The rules want these documents, each `kind` or `kind:valid`, and no decision besides."""
    table = [
        {"paper": kind, **({"valid": valid} if valid else {})} for kind, _, valid in (r.partition(":") for r in rows)
    ]
    rules(approval=None, documents={"papers": table, "effect": effect})


def page(answer: Any) -> str:
    text = re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", " ", answer.text)))
    return text.replace("\u202f", " ").replace("\xa0", " ")


# -- the register ------------------------------------------------------------------------------------


def test_staff_of_its_house_note_what_its_own_people_see(app: Flask, actor: Who, seen: Seen) -> None:
    seen("statutes", note="déposés en 2019")
    [line] = papers.register(db.session(), actor(MEMBER))
    assert line.seen_by
    assert (line.kind, line.valid_until, line.seen_on, line.note) == ("statutes", None, TODAY, "déposés en 2019")
    assert line.seen_by.email == STAFF
    for who, count in {"admin@example.org": 1, "manager@example.org": 1, STAFF_STN: 0, OTHER: 0}.items():
        assert len(papers.register(db.session(), actor(who))) == count, who
    for who in (MEMBER, OTHER, STAFF_STN):
        with pytest.raises(NotFound):
            seen("officers", by=who)
    for who, refusal in {MEMBER: NotAllowed, OTHER: NotFound, STAFF_STN: NotFound}.items():
        with pytest.raises(refusal), transaction() as session:
            papers.remove(session, actor(who), line.id)
    with pytest.raises(PaperElsewhere):
        seen("liability_certificate")
    assert papers.papers_of(db.session(), line.organisation_id) == [KnownPaper("statutes", None, TODAY)]
    with transaction() as session:
        papers.remove(session, actor("manager@example.org"), line.id)
    assert not papers.register(db.session(), actor(STAFF))


def test_what_is_seen_again_takes_the_place_of_what_was(app: Flask, actor: Who, seen: Seen) -> None:
    seen("officers", date(2026, 12, 31), "bureau de 2026")
    before = papers.register(db.session(), actor(STAFF))[0].id
    db.session.rollback()
    seen("officers", date(2027, 12, 31), by="manager@example.org")
    [line] = papers.register(db.session(), actor(STAFF))
    assert line.seen_by
    assert (line.id, line.valid_until, line.note) == (before, date(2027, 12, 31), "")
    assert line.seen_by.email == "manager@example.org"


def test_a_line_outlives_the_person_who_wrote_it(app: Flask, actor: Who, seen: Seen) -> None:
    seen("statutes")
    with transaction() as session:
        session.delete(session.scalars(select(User).where(User.email == STAFF)).one())
    [line] = papers.register(db.session(), actor("manager@example.org"))
    assert line.seen_by is None


def test_every_document_a_rule_may_ask_for_has_its_place() -> None:
    assert {*papers.KEPT, "liability_certificate"} == set(PAPERS)


# -- the gate ----------------------------------------------------------------------------------------

# What the rules ask for, what the register holds, and whether the loan is booked at once.
GATE: list[tuple[str, list[str], list[tuple[str, date | None]], str]] = [
    ("never shown", ["statutes:once"], [], "requested"),
    ("shown once, without end", ["statutes:once"], [("statutes", None)], "approved"),
    ("shown once, and over since", ["statutes:once"], [("statutes", date(2020, 1, 1))], "approved"),
    ("without end, for the whole loan", ["officers"], [("officers", None)], "approved"),
    ("until the loan's day", ["officers"], [("officers", date(2026, 11, 28))], "approved"),
    ("over the day before it", ["officers"], [("officers", date(2026, 11, 27))], "requested"),
    ("over by then, good today", ["officers:asked"], [("officers", TODAY)], "approved"),
    ("over yesterday", ["officers:asked"], [("officers", date(2026, 11, 20))], "requested"),
    ("another one", ["officers"], [("statutes", None)], "requested"),
    ("one of two", ["statutes:once", "officers"], [("statutes", None)], "requested"),
    ("both", ["statutes:once", "officers"], [("statutes", None), ("officers", None)], "approved"),
]


@pytest.mark.parametrize(("wanted", "held", "status"), [pytest.param(*row[1:], id=row[0]) for row in GATE])
def test_what_was_seen_needs_no_decision(
    book: Book, seen: Seen, wanted: list[str], held: list[tuple[str, date | None]], status: str
) -> None:
    asks(*wanted)
    for kind, until in held:
        seen(kind, until)
    [done] = book(MEMBER, SATURDAY, {ROOM: 1})
    assert done.status == status


def test_it_is_over_during_the_loan(book: Book, seen: Seen) -> None:
    asks("officers")
    seen("officers", date(2026, 11, 28))
    assert book(MEMBER, at(28, "20:00", "00:00", until=29), {ROOM: 1})[0].status == "approved"
    assert book(MEMBER, at(28, "20:00", "00:01", until=29), {STN_ROOM: 1})[0].status == "requested"


def test_each_shows_their_own_and_the_certificate_stays_with_the_insurances(book: Book, seen: Seen) -> None:
    asks("statutes:once", "liability_certificate")
    seen("statutes")
    assert book(MEMBER, SATURDAY, {ROOM: 1})[0].status == "requested"  # no certificate
    certify("CHORALE", "2027-09-30")
    certify("ECHECS", "2027-09-30")
    assert book(MEMBER, at(29, "14:00", "18:00"), {ROOM: 1})[0].status == "approved"
    assert book(OTHER, at(30, "14:00", "18:00"), {ROOM: 1})[0].status == "requested"  # their statutes nobody saw
    with pytest.raises(NotFound):
        seen("statutes", of="ECHECS")
    seen("statutes", of="ECHECS", by=STAFF_STN)
    assert book(OTHER, at(30, "19:00", "20:00"), {ROOM: 1})[0].status == "approved"


@pytest.mark.parametrize(
    ("wanted", "more"), [(["liability_certificate"], 0), (["statutes:once"], 1), (["statutes:once", "officers"], 1)]
)
def test_one_query_only_where_a_rule_asks_for_a_document(book: Book, wanted: list[str], more: int) -> None:
    counts = []
    for number, papers_asked in enumerate((["liability_certificate"], wanted)):
        asks(*papers_asked)
        reads: list[str] = []

        def note(*facts: Any, reads: list[str] = reads) -> None:
            reads.extend([facts[2]] if facts[2].lstrip().upper().startswith("SELECT") and "paper" in facts[2] else [])

        event.listen(db.engine, "before_cursor_execute", note)
        book(MEMBER, at(28, f"{9 + number}:00", f"{10 + number}:00"), {ROOM: 1, STN_ROOM: 1})
        event.remove(db.engine, "before_cursor_execute", note)
        counts.append(len(reads))
    assert counts == [0, more]


def test_who_decides_reads_what_was_shown_and_what_is_missing(book: Book, actor: Who, seen: Seen) -> None:
    asks("statutes:once", "officers")
    seen("statutes")
    seen("officers", date(2026, 11, 27))
    seen("form")  # no rule of it asks for that
    book(MEMBER, SATURDAY, {ROOM: 1})
    [one] = to_decide(db.session(), actor(STAFF), world.PARIS, world.NOW, 10)
    assert dict(one.papers) == {"statutes": None, "officers": date(2026, 11, 27)}
    assert [remark.sentence.partition(":")[0] for remark in one.remarks] == ["%(thing)s"]
    seen("officers", date(2026, 12, 31))
    [one] = to_decide(db.session(), actor(STAFF), world.PARIS, world.NOW, 10)
    assert not one.remarks


# -- the pages ---------------------------------------------------------------------------------------


@pytest.fixture
def _no_csrf(app: Flask) -> None:
    app.config["WTF_CSRF_ENABLED"] = False  # tests/web/test_access.py is about it


@pytest.mark.usefixtures("_no_csrf")
def test_the_screen_of_the_register(app: Flask, signed_in: SignIn) -> None:
    staff = signed_in(STAFF)
    assert ADDRESS in staff.get("/insurance").text
    assert ADDRESS in staff.get("/insurance/drivers").text
    typed = {"organisation": "CHORALE", "kind": "officers", "valid_until": "2026-11-20", "note": "bureau <b>2026</b>"}
    assert staff.post(ADDRESS, data=typed).status_code == 303
    text = staff.get(ADDRESS).text
    assert "bureau &lt;b&gt;2026" in text
    for words in ("Liste des membres du bureau", "expiré depuis le", "par Staff Test", "Chorale du Vieux-Lavoir"):
        assert words in page(staff.get(ADDRESS)), words
    wrong = {"kind": "liability_certificate", "valid_until": "3026-01-01", "note": "x" * 301, "organisation": "ECHECS"}
    for name, value in wrong.items():
        answer = staff.post(ADDRESS, data=typed | {name: value})
        assert (name, answer.status_code) == (name, 422)
        assert f'id="{name}-error"' in answer.text
    assert staff.post(f"{ADDRESS}?organisation=CHORALE", data=typed).headers["Location"].endswith("=CHORALE")
    assert 'selected value="CHORALE"' in staff.get(f"{ADDRESS}?organisation=CHORALE").text
    assert "membres du bureau" not in page(staff.get(f"{ADDRESS}?organisation=MCNG")).partition("Un document que")[0]
    member = signed_in(MEMBER)
    text = member.get(ADDRESS).text
    assert "Liste des membres du bureau" in text
    assert "<form" not in text.partition("<main")[2].partition("</main>")[0]
    assert ADDRESS in member.get("/insurance").text
    assert member.post(ADDRESS, data=typed).status_code == 403
    assert "membres du bureau" not in signed_in(OTHER).get(ADDRESS).text
    line = db.session().scalars(select(SeenPaper.id)).one()
    db.session.rollback()
    assert staff.post(f"{ADDRESS}/{line}/delete").status_code == 422
    assert staff.post(f"{ADDRESS}/{line}/delete", data={"sure": "y"}).status_code == 303
    assert staff.post(f"{ADDRESS}/{line}/delete", data={"sure": "y"}).status_code == 404


@pytest.mark.usefixtures("_no_csrf")
def test_the_request_page_says_what_is_there_and_what_is_missing(signed_in: SignIn, seen: Seen) -> None:
    member = signed_in(MEMBER)

    def text() -> str:
        return page(member.get("/reservations/new", query_string=WHEN | {"pick": ROOM}))

    asks("statutes:once", "officers")
    assert "document vu le" not in text()
    assert "statuts (" in text()
    assert "pièces à fournir" in text()
    seen("statutes")
    seen("officers", date(2026, 11, 27))
    before = text()
    assert "Statuts : document vu le 21 novembre 2026, rien à envoyer" in before
    assert (
        "Liste des membres du bureau : document vu le 21 novembre 2026, mais valable jusqu’au 27 novembre 2026"
        in before
    )
    assert "Réservé tout de suite" not in before
    seen("officers", date(2026, 12, 31))
    after = text()
    assert "valable jusqu’au 31 décembre 2026, rien à envoyer" in after
    assert "Réservé tout de suite" in after
    asks("statutes:once")
    assert "membres du bureau" not in text()


@pytest.mark.usefixtures("_no_csrf")
def test_the_list_of_requests_says_what_was_shown(book: Book, signed_in: SignIn, seen: Seen) -> None:
    asks("statutes:once", "officers")
    seen("statutes")
    book(MEMBER, SATURDAY, {ROOM: 1})
    text = page(signed_in(STAFF).get("/requests"))
    assert "Documents vus Statuts" in text
    assert "liste des membres du bureau (" in text  # to be shown
