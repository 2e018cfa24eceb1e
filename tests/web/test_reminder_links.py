"""The reminder of a request that waits: its link is as the first letter's, once a manager, beside it."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import delete, func, select, update

from sharebank.accounts.models import Membership, User
from sharebank.core import clock
from sharebank.core.db import db, transaction
from sharebank.notifications import delivery, outbox
from sharebank.notifications.models import Letter
from sharebank.notifications.writing import write_out
from sharebank.reservations import desk, lifecycle, reminders
from sharebank.reservations.models import Reservation
from sharebank.reservations.waiting.waiting_models import DecisionLink
from tests.counter import MEMBER, ROOM, Book, Who, book, loan, rules
from tests.web.test_requests import dump, page
from tests.world import NOW, PARIS, at

__all__ = ["book"]  # the fixture
ADMIN, MANAGER = "admin@example.org", "manager@example.org"
WHEN = at(28, "14:00", "18:00")
LATER = NOW + timedelta(days=2)


@pytest.fixture(autouse=True)
def _no_csrf(app: Flask) -> None:
    app.config["WTF_CSRF_ENABLED"] = False  # tests/web/test_access.py is about it


def tick(now: datetime = LATER) -> int:
    """How many reminders are new."""
    with transaction() as session:
        return reminders.look_after_requests(session, now)["requests_unanswered"]


def link(template: str = "reservation_unanswered", reader: str = MANAGER) -> str:
    query = select(Letter).where(Letter.template == template, Letter.to_address == reader)
    return f"/decide/{db.session().scalars(query).one().facts['secret']}"


@pytest.fixture
def reminded(app: Flask, book: Book) -> str:
    """A request that has waited two days; its reference."""
    [done] = book(MEMBER, WHEN, {ROOM: 1}, purpose="Concert")
    clock.set_source(lambda: LATER)
    assert tick() == 2
    return done.ref


def count(what: type[DecisionLink] | type[Letter]) -> int:
    db.session().rollback()
    return db.session().scalar(select(func.count()).select_from(what)) or 0


def test_each_manager_is_reminded_once_with_a_link_of_their_own(reminded: str, app: Flask) -> None:
    links = {link(template, reader) for template in ("reservation_to_decide", "reservation_unanswered")
             for reader in (ADMIN, MANAGER)}  # fmt: skip
    assert len(links) == 4
    rows, letters = count(DecisionLink), count(Letter)
    assert rows == 4
    for hours in (1, 2, 30):
        assert tick(LATER + timedelta(hours=hours)) == 0
    assert (count(DecisionLink), count(Letter)) == (rows, letters), "no link without a letter"


def test_the_letter_says_what_the_first_one_did_and_keeps_no_secret(reminded: str, app: Flask) -> None:
    letter = db.session().scalars(select(Letter).where(Letter.key.endswith(f"unanswered:{MANAGER}"))).one()
    address, written = link(), write_out(app, letter)
    for kind in ("plain", "html"):
        body = written.message.get_body((kind,))
        assert body is not None
        words = body.get_content()
        assert address in words
        assert "deux jours" in words
        assert "fait une demande" not in words
    assert written.subject.startswith("Toujours à décider")
    assert address not in written.text + written.html
    assert delivery.deliver(app, LATER)["letters_dead"] == 0
    db.session().rollback()
    db.session().expire_all()
    letter = db.session().scalars(select(Letter).where(Letter.key.endswith(f"unanswered:{MANAGER}"))).one()
    assert (letter.state, "secret" in letter.facts) == ("sent", False)


def test_a_dead_reminder_goes_again_with_a_plain_link(reminded: str, app: Flask) -> None:
    query = select(Letter).where(Letter.key.endswith(f"unanswered:{MANAGER}"))
    with transaction() as session:
        letter = session.scalars(query).one()
        letter.state, letter.facts = "dead", {name: said for name, said in letter.facts.items() if name != "secret"}
        session.flush()
        outbox.send_again(session, letter.id, LATER)
    db.session().expire_all()
    text = write_out(app, db.session().scalars(query).one()).text
    assert f"/reservations/{reminded}" in text
    assert "/decide/" not in text


def test_opening_it_changes_nothing_then_it_decides_once(reminded: str, client: FlaskClient) -> None:
    address, first, before = link(), link("reservation_to_decide"), dump()
    for method in ("GET", "HEAD", "GET"):
        assert client.open(address, method=method).status_code == 200
    assert dump() == before
    text = page(client.get(address))
    for said in ("Concert", "Valider", "Refuser", "Vous répondez en tant que Manager Test"):
        assert said in text
    assert client.post(address, data={"act": "decline", "why": " "}).status_code == 422
    assert client.post(address, data={"act": "approve"}).status_code == 303
    assert loan(reminded).status == "approved"
    assert client.post(address, data={"act": "decline", "why": "Non"}).status_code in (409, 410)
    assert loan(reminded).status == "approved"
    # The first letter's link is another; what was decided is decided.
    answer = client.post(first, data={"act": "decline", "why": "Non"})
    assert answer.status_code == 409
    assert "Décidé par Manager Test" in page(answer)


def test_a_reader_who_lost_the_role_is_refused_and_reads_nothing(reminded: str, client: FlaskClient) -> None:
    address = link()
    for change in (update(Membership).values(role="member"), delete(Membership)):
        with transaction() as session:
            user_id = session.scalars(select(User.id).where(User.email == MANAGER)).one()
            session.execute(change.where(Membership.user_id == user_id))
        for answer in (client.get(address), client.post(address, data={"act": "approve"})):
            assert answer.status_code == 403
            assert "Concert" not in answer.text
    assert loan(reminded).status == "requested"


def test_it_ends_when_the_loan_starts(reminded: str, client: FlaskClient) -> None:
    address = link()
    clock.set_source(lambda: WHEN.start)
    assert client.get(address).status_code == 410
    assert client.post(address, data={"act": "approve"}).status_code == 410


def test_whoever_gave_the_first_of_two_approvals_is_not_asked_again(app: Flask, book: Book, actor: Who) -> None:
    rules(approval={"mode": "always", "second_above_hours": 2})
    [done] = book(MEMBER, WHEN, {ROOM: 1})
    desk.change(actor(MANAGER), done.ref, "approve")
    with transaction() as session:
        session.execute(update(Reservation).values(created_at=NOW))
    assert loan(done.ref).status == "requested"
    assert tick() == 1
    assert link(reader=ADMIN)


def test_answered_before_it_left_it_is_taken_back(reminded: str, actor: Who) -> None:
    with transaction() as session:
        lifecycle.change(session, actor(ADMIN), reminded, "approve", "", LATER, PARIS)
    db.session().expire_all()
    [state] = set(db.session().scalars(select(Letter.state).where(Letter.template == "reservation_unanswered")))
    assert state == "withdrawn"
