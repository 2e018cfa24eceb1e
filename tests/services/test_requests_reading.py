"""What one decides by, of many requests at once: right for each of them, in as many queries as for a few."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, select, update

from sharebank.accounts.models import Organisation
from sharebank.core.db import db, transaction
from sharebank.insurance import papers
from sharebank.insurance.papers import Shown
from sharebank.reservations.asking import Details
from sharebank.reservations.booking import Ask
from sharebank.reservations.deciding.requests_reading import Request, to_decide
from sharebank.reservations.models import Reservation
from sharebank.reservations.waiting import waiting
from tests.counter import (
    MEMBER,
    OTHER,
    PLATES,
    ROOM,
    SMALL,
    STAFF,
    STAFF_STN,
    STN_ROOM,
    Book,
    Who,
    book,
    register,
    rules,
)
from tests.insured import certify, cover
from tests.web.test_requests import repeated
from tests.world import NOW, PARIS, at

__all__ = ["book"]  # the fixture
ADMIN = "admin@example.org"
DRIVERS = {"licence": "B", "years": 3, "effect": "approve"}
PAPERS = {"papers": [{"paper": "statutes"}, {"paper": "liability_certificate"}], "effect": "approve"}


def facts(actor: Who, who: str = ADMIN) -> dict[str, Request]:
    """What waits, by reference."""
    db.session().rollback()
    db.session().expire_all()
    return {one.loan.ref: one for one in to_decide(db.session(), actor(who), PARIS, NOW, 99)}


def structure(code: str) -> None:
    """One more association, with a driver, a document and a certificate of its own."""
    with transaction() as session:
        house = session.scalars(select(Organisation.id).where(Organisation.code == "STN")).one()
        session.add(Organisation(code=code, name=f"Asso {code}", kind="association", house_id=house))
    register(f"Driver of {code}", date(2010, 1, 1), code=code)
    certify(code, "2027-06-30")


@pytest.fixture
def crowd(app: Flask, book: Book, actor: Who, signed_in: Callable[[str], FlaskClient]) -> Callable[[int, int], None]:
    """`crowd(0, 2)`: of two more structures each a request, somebody who waits for the same, and a series."""

    def come(first: int, last: int) -> None:
        rules()
        for number in range(first, last):
            code = f"ASSO{number}"
            structure(code)
            with transaction() as session:
                papers.note(session, actor(STAFF_STN), code, Shown("statutes", date(2027, 1, 1)), NOW.date())
            slot = at(1 + number, "10:00", "12:00", month=12)
            said = Details(drivers=(f"Driver of {code}", "Somebody else"))
            book(ADMIN, slot, {STN_ROOM: 1, PLATES: 5}, organisation=code, details=said)
            with transaction() as session:
                waiting.wait(session, actor(OTHER), Ask("ECHECS", "Tournoi", slot, {STN_ROOM: 1}), NOW, PARIS)
            hours = {"start": f"{8 + number}:00", "end": f"{8 + number}:30"}
            repeated(signed_in(MEMBER), **hours, **{"lines-0-code": SMALL})
        rules(drivers=DRIVERS, documents=PAPERS, quota={"loans": 1, "effect": "approve"})

    return come


def test_a_page_of_many_requests_asks_as_little_as_one_of_few(
    app: Flask, crowd: Callable[[int, int], None], signed_in: Callable[[str], FlaskClient]
) -> None:
    app.config["WTF_CSRF_ENABLED"] = False  # tests/web/test_access.py is about it
    cover(STN_ROOM, (None, "2026-12-01"), ("2026-12-02", "2027-12-31"), kind="premises")
    crowd(0, 2)
    browser, asked = signed_in(ADMIN), list[str]()
    event.listen(db.engine, "before_cursor_execute", lambda *facts: asked.append(facts[2]))
    counts = []
    for more in (0, 5):
        crowd(2, 2 + more)
        browser.get("/requests")
        asked.clear()
        db.session.rollback()
        page = browser.get("/requests").text
        assert page.count("<article") == 2 * (2 + more)
        assert page.count("liste d’attente") >= 2 + more
        counts.append(len(asked))
    assert counts[0] == counts[1] > 0, counts


def test_each_of_many_keeps_its_own_history(book: Book, actor: Who) -> None:
    rules(quota={"loans": 2, "effect": "approve"}, advance={"days": 900})
    mine = [book(MEMBER, at(day, "10:00", "12:00", month=12), {ROOM: 1})[0].ref for day in (1, 2)]
    [theirs] = book(OTHER, at(3, "10:00", "12:00", month=12), {ROOM: 1})
    [later] = book(MEMBER, at(4, "10:00", "12:00", month=12), {SMALL: 1})
    with transaction() as session:
        # The year turns at midnight in Paris, an hour before it does in Greenwich.
        for ref, start in ((mine[0], NOW.replace(year=2026, month=12, day=31, hour=22, minute=59)),
                           (later.ref, NOW.replace(year=2026, month=12, day=31, hour=23))):  # fmt: skip
            moved = {"starts_at": start, "ends_at": start + timedelta(hours=1)}
            session.execute(update(Reservation).where(Reservation.ref == ref).values(moved))
    found = facts(actor)
    assert not any(found[ref].remarks for ref in (*mine, theirs.ref, later.ref)), "one other this year, or none"
    [third] = book(MEMBER, at(5, "10:00", "12:00", month=12), {ROOM: 1})
    found = facts(actor)
    over = {ref for ref, one in found.items() if one.remarks}
    assert over == {*mine, third.ref}, "itself is no history of its own; another year's is none; another's is none"


def test_each_of_many_has_its_own_days_drivers_papers_and_certificate(book: Book, actor: Who) -> None:
    rules(drivers=DRIVERS, documents=PAPERS)
    register("Anne Route", date(2010, 1, 1))
    register("Paule Neuve", date(2026, 1, 1), code="ECHECS")
    certify("CHORALE", "2026-11-30", "2027-06-30")
    with transaction() as session:
        papers.note(session, actor(STAFF), "CHORALE", Shown("statutes", date(2026, 12, 4)), NOW.date())
    old, new = Details(drivers=("anne route",)), Details(drivers=("Paule Neuve", "Anne Route"))
    refs = {}
    for name, who, day, code, said in (
        ("kept", MEMBER, 1, ROOM, old),
        ("between", MEMBER, 3, ROOM, old),
        ("after", MEMBER, 6, ROOM, old),
        ("theirs", OTHER, 1, STN_ROOM, new),
    ):
        refs[name] = book(who, at(day, "10:00", "12:00", month=12), {code: 1}, details=said)[0].ref
    cover(ROOM, (None, "2026-12-01"), ("2026-12-05", "2027-12-31"), kind="premises")
    every = facts(actor)
    found = {name: every[ref] for name, ref in refs.items()}
    told = {name: [said.sentence for said in one.remarks] for name, one in found.items()}
    assert told["kept"] == []
    assert found["kept"].drivers == ("Anne Route",)
    assert found["kept"].papers == (("statutes", date(2026, 12, 4)),)
    assert found["kept"].certificate_until == date(2027, 6, 30)
    assert [said.partition(":")[2][:16] for said in told["between"]] == [" %(what)s (%(con"], "the room is not insured"
    assert len(told["after"]) == 1, told
    assert told["after"] != told["between"], "insured again, but the document is over"
    assert found["theirs"].drivers == ("Anne Route", "Paule Neuve")
    assert found["theirs"].certificate_until is None
    assert not found["theirs"].papers
    assert len(told["theirs"]) == 3, told
