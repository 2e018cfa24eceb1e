"""What calling an approved loan off costs: by its rules, explained, told, correctable; or nothing at all."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import delete, select

from sharebank.core import clock
from sharebank.core.db import db, transaction
from sharebank.core.period import Period
from sharebank.lending.prices import Line, Quote
from sharebank.lending.terms import parse_terms
from sharebank.notifications.models import Letter
from sharebank.notifications.writing import write_out
from sharebank.reservations import cancelling, desk, hooks
from sharebank.reservations.handover import charges, handover_words
from sharebank.reservations.handover.handover_models import Charge
from sharebank.reservations.models import Reservation
from tests import world
from tests.counter import MEMBER, ROOM, STAFF, Book, Who, book, loan, rules
from tests.world import at

__all__ = ["book"]  # the fixture
TIERS = [{"days": 30, "percent": 50}, {"days": 10, "percent": 100}]
PRICES = {"grid": [{"audience": ["everyone"], "cents": 6000, "unit": "loan"}]}
Make = Callable[..., str]


@pytest.fixture
def lent(app: Flask, book: Book, actor: Who) -> Make:
    """The choir's room in two weeks, at 60 euros, approved."""
    rules(cancellation={"tiers": TIERS}, prices=PRICES, recall={"days": 1})

    def act(period: Period | None = None, approved: bool = True) -> str:
        [done] = book(MEMBER, period or at(5, "10:00", "18:00", month=12), {ROOM: 1})
        if approved:
            desk.change(actor(STAFF), done.ref, "approve")
        return done.ref

    return act


def owed(ref: str) -> list[tuple[str, int]]:
    return [(one.kind, one.due_cents) for one in charges.bill(db.session(), loan(ref)).charges]


def told() -> list[Letter]:
    return list(db.session().scalars(select(Letter).where(Letter.template == "loan_charges", Letter.state == "queued")))


def test_the_borrower_owes_what_the_rules_say_and_staff_may_waive_it(app: Flask, lent: Make, actor: Who) -> None:
    ref = lent()
    desk.change(actor(MEMBER), ref, "cancel")
    assert owed(ref) == [("cancellation", 3000)]
    assert told() == [], "nobody reads of their own act"
    [charge] = charges.bill(db.session(), loan(ref)).charges
    with app.test_request_context():
        said = handover_words.said(charge).replace("\xa0", " ").replace("\u202f", " ")
    assert said == "Annulation moins de 30 jours avant : 50 % de 60,00 €, soit 30,00 € (règles « Simple »)."
    with transaction() as session:
        charges.correct(session, actor(STAFF), charge.id, 0, "Salle relouée", clock.now())
    assert owed(ref) == [("cancellation", 0)]
    assert len(told()) == 1


def test_the_house_in_their_name_costs_the_same_and_they_read_why(app: Flask, lent: Make, actor: Who) -> None:
    ref = lent()
    desk.change(actor(STAFF), ref, "cancel", "Par téléphone")
    assert owed(ref) == [("cancellation", 3000)]
    [letter] = told()
    assert letter.to_address == MEMBER
    text = write_out(app, letter).text
    assert "Pour l’annulation" in text
    assert "30,00" in text
    assert "retour" not in text


FREE: dict[str, tuple[Period, bool, str, str]] = {
    "in good time": (at(22, "10:00", "18:00", month=12), True, MEMBER, "cancel"),
    "not approved yet": (at(5, "10:00", "18:00", month=12), False, MEMBER, "cancel"),
    "declined": (at(5, "10:00", "18:00", month=12), False, STAFF, "decline"),
    "taken back by the owner": (at(5, "10:00", "18:00", month=12), True, "admin@example.org", "recall"),
}


@pytest.mark.parametrize("name", FREE)
def test_nothing_is_owed(name: str, lent: Make, actor: Who) -> None:
    period, approved, who, act = FREE[name]
    ref = lent(period, approved)
    desk.change(actor(who), ref, act, "Il le faut")
    assert loan(ref).status in ("cancelled", "declined")
    assert owed(ref) == []
    assert told() == []


def test_the_clock_cancels_at_nobody_s_cost(lent: Make, actor: Who) -> None:
    ref = lent()
    desk.change(actor(MEMBER), ref, "cancel")
    with transaction() as session:
        session.execute(delete(Charge))
        one = session.scalars(select(Reservation).where(Reservation.ref == ref)).one()
        hooks.changed(session, None, one, "cancel", clock.now())
    assert owed(ref) == []


def fees(things: list[tuple[str, str, int]], *lines: tuple[str, int], ahead: int = 5, **more: Any) -> list[int]:
    """`things` by name, rule set and percent; `lines` by thing and price."""
    start = datetime(2026, 12, 5, 9, tzinfo=clock.now().tzinfo)
    quote = Quote(tuple(Line("Hire", 1, "day", cents, thing) for thing, cents in lines)).to_json()
    facts = {"kind": "loan", "quote": quote, "lender_id": 1, "borrower_id": 2}
    one = SimpleNamespace(**{**facts, "starts_at": start, "ends_at": start + timedelta(hours=8)} | more)
    known = [
        (name, parse_terms(ruled, {"cancellation": {"tiers": [{"days": 10, "percent": percent}]}}))
        for name, ruled, percent in things
    ]
    return [cents for cents, _ in cancelling.fees(one, known, start - timedelta(days=ahead), world.PARIS)]


def test_each_rule_set_looks_at_its_own_things() -> None:
    hall, bus, van = ("Hall", "halls", 50), ("Bus", "cars", 100), ("Van", "cars", 100)
    lines = ("Hall", 6000), ("Bus", 1000), ("Van", 500)
    assert fees([hall, bus, van], *lines) == [3000, 1500]
    assert fees([bus, van], *lines[1:]) == [1500]
    assert fees([hall], ("Its name of then", 6000)) == [3000]
    assert fees([hall], *lines[:1], ahead=10) == []
    assert fees([hall], *lines[:1], borrower_id=1) == []
    assert fees([hall], *lines[:1], kind="closure") == []
    assert fees([hall], *lines[:1], quote=None) == []
