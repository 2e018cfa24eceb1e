"""A reservation's page on what comes next: to sign, the counter, what cancelling costs, what is still to be said."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, update

from sharebank.catalog.models import Resource
from sharebank.core import clock
from sharebank.core.db import db, transaction
from sharebank.reservations import desk
from sharebank.reservations.handover import handover
from sharebank.reservations.handover.handover import Meeting
from sharebank.reservations.handover.handover_models import Charge
from sharebank.reservations.handover.handover_rules import Found
from sharebank.reservations.models import Reservation
from tests import world
from tests.counter import MEMBER, PLATES, ROOM, STAFF, STAFF_STN, Book, Who, book, rules
from tests.web.test_reservations import page
from tests.web.test_series import make
from tests.world import at

__all__ = ["book"]  # the fixture
SATURDAY = at(28, "14:00", "18:00")
Read = Callable[[str, str], str]


@pytest.fixture
def read(app: Flask, signed_in: Callable[[str], Any]) -> Read:
    """What somebody reads on the page of a reservation."""
    app.config["WTF_CSRF_ENABLED"] = False
    return lambda who, ref: page(signed_in(who).get(f"/reservations/{ref}"))


def approved(book: Book, actor: Who, thing: str = ROOM, staff: str = STAFF) -> str:
    [done] = book(MEMBER, SATURDAY, {thing: 1})
    if done.status == "requested":
        desk.change(actor(staff), done.ref, "approve")
    return done.ref


def test_cancelling_says_beforehand_what_it_costs_and_afterwards_what_is_owed(
    book: Book, actor: Who, read: Read, signed_in: Callable[[str], Any]
) -> None:
    grid = [{"audience": ["everyone"], "cents": 6000, "unit": "loan"}]
    rules(cancellation={"tiers": [{"days": 30, "percent": 50}]}, prices={"grid": grid})
    [asked] = book(MEMBER, SATURDAY, {ROOM: 1})
    costs = "L’annuler maintenant coûte 30,00 € à l’emprunteur. Annulation moins de 30 jours avant"
    assert "coûte 30,00" not in read(MEMBER, asked.ref)
    desk.change(actor(STAFF), asked.ref, "approve")
    for who in (MEMBER, STAFF):
        assert costs in read(who, asked.ref).replace("\xa0", " ").replace("\u202f", " ")
    assert signed_in(MEMBER).post(f"/reservations/{asked.ref}/cancel").status_code == 303
    for who in (MEMBER, STAFF):
        text = read(who, asked.ref)
        assert "coûte 30,00" not in text
        assert "Frais d’annulation" in text
        assert "30,00" in text
        assert "Remise et retour" not in text
    assert "Corriger" in read(STAFF, asked.ref)
    assert "Corriger" not in read(MEMBER, asked.ref)


def test_what_costs_nothing_is_cancelled_without_a_word(book: Book, actor: Who, read: Read) -> None:
    ref = approved(book, actor)
    assert "L’annuler maintenant" not in read(MEMBER, ref)
    desk.change(actor(MEMBER), ref, "cancel")
    assert "Ce qui est dû" not in read(MEMBER, ref)


def test_of_a_series_each_date_that_costs_something_is_named(signed_in: Callable[[str], Any], read: Read) -> None:
    grid = [{"audience": ["everyone"], "cents": 6000, "unit": "loan"}]
    rules(cancellation={"tiers": [{"days": 12, "percent": 50}]}, prices={"grid": grid})
    browser = signed_in(STAFF)
    ref = make(browser, organisation="CHORALE", count="3")
    text = page(browser.get(f"/series/{ref}/change")).replace("\xa0", " ").replace("\u202f", " ")
    assert "Y renoncer maintenant coûte à l’emprunteur : " in text
    assert len(re.findall(r"l’emprunteur : [^€]*\b1(?:er)? déc[^€]*30,00 €", text)) == 1
    assert text.count("30,00 €") == 1
    assert browser.post(f"/series/{ref}/cancel", data={"scope": "all"}).status_code == 303
    assert db.session().scalars(select(Charge.cents)).all() == [3000]


def test_before_the_signature_the_next_step_is_to_sign(book: Book, actor: Who, read: Read) -> None:
    rules(agreement={"mode": "per_loan", "firm": "signed"})
    ref = approved(book, actor)
    assert "Signez la convention" in read(MEMBER, ref)
    assert "Attendre la signature" in read(STAFF, ref)
    with transaction() as session:
        session.execute(update(Reservation).values(signed_at=clock.now()))
    assert "Signez la convention" not in read(MEMBER, ref)
    assert "Attendre la signature" not in read(STAFF, ref)


def test_what_is_firm_once_approved_waits_for_no_signature(book: Book, actor: Who, read: Read) -> None:
    rules(agreement={"mode": "per_loan", "firm": "approval"})
    ref = approved(book, actor)
    assert "Signez la convention" not in read(MEMBER, ref)
    assert "Attendre la signature" not in read(STAFF, ref)


def test_one_button_leads_to_the_counter(book: Book, actor: Who, signed_in: Callable[[str], Any], read: Read) -> None:
    ref = approved(book, actor)
    for words, act in (("Remettre", "collect"), ("Reprendre", "return")):
        text = signed_in(STAFF).get(f"/reservations/{ref}").text
        [link] = re.findall(rf'<a[^>]*href="/handover/{ref}"[^>]*>[^<]*', text)
        assert 'class="button primary"' in link
        assert words in link
        assert f"/reservations/{ref}/{act}" not in text
        assert f"/handover/{ref}" not in signed_in(MEMBER).get(f"/reservations/{ref}").text
        desk.change(actor(STAFF), ref, act)


def test_staff_say_the_amount_that_only_people_can_tell(
    book: Book, actor: Who, read: Read, signed_in: Callable[[str], Any]
) -> None:
    rules(charges={"damage_percent": 10})
    with transaction() as session:
        session.execute(update(Resource).values(replacement_value_cents=None))
    ref = approved(book, actor, PLATES, STAFF_STN)
    with transaction() as session:
        handover.collect(session, actor(STAFF_STN), ref, Meeting("O", "H"), (), clock.now(), world.PARIS)
    with transaction() as session:
        meeting = Meeting("O", "H", "", {PLATES: Found(1, broken=1)})
        handover.take_back(session, actor(STAFF_STN), ref, meeting, (), SATURDAY.end - timedelta(hours=1), world.PARIS)
    assert "à fixer" in read(MEMBER, ref)
    assert "Fixer le montant" not in read(MEMBER, ref)
    browser = signed_in(STAFF_STN)
    text = browser.get(f"/reservations/{ref}").text
    assert "Fixer le montant" in text
    [where] = re.findall(r'href="(/handover/charges/\d+)"', text)
    form = browser.get(where).text
    assert re.search(r'name="cents"[^>]*value=""', form) or not re.search(r'name="cents"[^>]*value="', form)
    assert browser.post(where, data={"cents": "12,50", "why": "Devis"}).status_code == 303
    assert "à fixer" not in read(STAFF_STN, ref)
    assert "12,50" in read(MEMBER, ref)
