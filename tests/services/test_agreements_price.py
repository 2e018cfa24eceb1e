"""What an agreement says is paid: by the line, by the kilometre, or nothing at all; and when that changes."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from flask import Flask

from sharebank.agreements import desk, subjects
from sharebank.agreements.models import Agreement, AgreementTemplate
from sharebank.core.db import db, transaction
from sharebank.lending.prices import Deposit, Line, Quote, Travel
from sharebank.reservations.models import Reservation
from tests import world
from tests.agreed import ANNUAL, LATER, PER_LOAN, Find, ask_for, issued, loan_of, series_of, town, words

__all__ = ["town"]  # the fixture
BUS = "Minibus 9 places"
BY_KM = Quote(travel=(Travel(BUS, 60, 32),))
PAID = Quote((Line("Hire", 2, "day", 6000, BUS),))
CAUTION = Quote(deposits=(Deposit("Deposit", 30_000, "money"),))
SAVED = {"km_included": 50, "km_cents": 45}


def priced(loan: Reservation, quote: Quote | None) -> Reservation:
    """The loan as if that had been said when it was asked for."""
    with transaction() as session:
        session.get_one(Reservation, loan.id).quote = quote.to_json() if quote else None
    return loan


def text_of(agreement: Agreement) -> str:
    """What the press prints, as one line."""
    return words(desk.printed(agreement.id))


@pytest.mark.parametrize(
    ("quote", "charges", "said", "unsaid"),
    [
        (None, {}, ["à titre gracieux", "articles 1875"], ["Participation", "kilomètre", "Caution"]),
        (CAUTION, {}, ["à titre gracieux", "Caution : 300,00 €"], ["Participation"]),
        (
            BY_KM,
            {},
            ["l’emprunteur : 0,32 € le kilomètre, au compteur.", "Kilomètres, au compteur environ 60 km 0,32 €"],
            ["gracieux", "1875", "Total"],
        ),
        (BY_KM, {"km_included": 50}, ["0,32 € le kilomètre, au compteur, au-delà de 50 km."], ["gracieux"]),
        (None, SAVED, ["0,45 € le kilomètre, au compteur, au-delà de 50 km."], ["gracieux", "Total"]),
        (
            Quote(PAID.lines, travel=BY_KM.travel),
            {},
            ["60,00 € et 0,32 € le kilomètre", "Total hors kilomètres 60,00 €"],
            ["gracieux"],
        ),
        (PAID, {}, ["l’emprunteur : 60,00 €.", "2 jours", "Total 60,00 €"], ["gracieux", "kilomètre"]),
    ],
)
def test_a_loan_is_free_only_when_nothing_is_paid(
    town: Flask, actor: Find, quote: Quote | None, charges: dict[str, Any], said: list[str], unsaid: list[str]
) -> None:
    with transaction() as session:
        ask_for(session, {**PER_LOAN, **({"charges": charges} if charges else {})})
    loan = priced(loan_of(actor("member@example.org"), {"MCNG-V01": 1}), quote)
    agreement = issued(actor("staff@example.org"), loan)
    text = text_of(agreement)
    for expected in said:
        assert expected in text, text
    for wrong in unsaid:
        assert wrong not in text, text
    title = agreement.content["title"]
    assert title == "Convention de prêt de matériel" + " à titre gracieux" * ("gracieux" not in unsaid) + (
        f" – {agreement.number}"
    )


def test_kilometres_beside_other_things_say_whose_they_are(town: Flask, actor: Find) -> None:
    loan = priced(loan_of(actor("member@example.org"), {"MCNG-V01": 1, "MCNG-R01": 1}), BY_KM)
    text = text_of(issued(actor("staff@example.org"), loan))
    assert f"est de 0,32 € le kilomètre, au compteur ({BUS}), payable" in text
    assert "gracieux" not in text


def test_a_template_of_the_house_says_the_same(town: Flask, actor: Find) -> None:
    body = "# Prêt {{free?}}\n{{parties}}\n\nC’est {{free?}}.\n\nÀ payer : {{total?}}.\n\n{{prices}}\n{{signatures}}"
    with transaction() as session:
        session.add(AgreementTemplate(kind="loan", version=1, body=body, created_at=LATER))
    member, staff = actor("member@example.org"), actor("staff@example.org")
    paid = issued(staff, priced(loan_of(member, {"MCNG-V01": 1}), BY_KM))
    assert paid.content["title"] == f"Prêt – {paid.number}"
    assert "À payer : 0,32 € le kilomètre, au compteur." in text_of(paid)
    free = issued(staff, priced(loan_of(member, {"MCNG-V01": 1}, day=29), CAUTION))
    assert free.content["title"] == f"Prêt à titre gracieux – {free.number}"
    assert "C’est à titre gracieux. Pour" in text_of(free)


def test_another_price_alone_brings_an_addendum(town: Flask, actor: Find) -> None:
    staff = actor("staff@example.org")
    loan = priced(loan_of(actor("member@example.org"), {"MCNG-V01": 1}), BY_KM)
    first = issued(staff, loan)
    before = desk.printed(first.id)
    further = Quote(travel=(Travel(BUS, 90, 32),), deposits=BY_KM.deposits)
    assert issued(staff, priced(loan, further)).id == first.id  # how far they mean to drive is no price
    dearer = issued(staff, priced(loan, Quote(travel=(Travel(BUS, 90, 40),))))
    assert (dearer.kind, dearer.amendment, dearer.amends_id) == ("addendum", 1, first.id)
    assert "Prix : 0,40 € le kilomètre, au compteur." in text_of(dearer)
    assert "Caution : aucune." in text_of(dearer)
    free = issued(staff, priced(loan, None))
    assert free.amendment == 2
    assert "consentie à titre gracieux." in text_of(free)
    assert issued(staff, loan).id == free.id
    assert desk.printed(first.id) == before


def test_what_was_issued_before_prices_counted_stands_as_it_is(town: Flask, actor: Find) -> None:
    staff = actor("staff@example.org")
    loan = priced(loan_of(actor("member@example.org"), {"MCNG-V01": 1}), BY_KM)
    first = issued(staff, loan)
    with transaction() as session:
        there = session.get_one(Agreement, first.id)
        there.basis = subjects.of_loan(session, session.get_one(Reservation, loan.id), world.PARIS).before
    assert issued(staff, loan).id == first.id
    with transaction() as session:
        session.get_one(Reservation, loan.id).ends_at += timedelta(hours=1)
    assert "0,32 € le kilomètre" in text_of(issued(staff, loan))


def test_a_short_form_says_what_a_kilometre_costs(town: Flask, actor: Find) -> None:
    with transaction() as session:
        ask_for(session, {**ANNUAL, "charges": {"km_included": 50}})
    short = issued(actor("staff@example.org"), priced(loan_of(actor("member@example.org"), {"MCNG-V01": 1}), BY_KM))
    assert short.kind == "short"
    text = text_of(short)
    assert "Prix : 0,32 € le kilomètre, au compteur, au-delà de 50 km." in text
    assert "gracieux" not in text


def test_a_series_with_a_paid_date_is_not_free(town: Flask, actor: Find) -> None:
    member, staff = actor("member@example.org"), actor("staff@example.org")
    loans = series_of(member, (24, 25, 26, 27), "FREQ=DAILY", date(2026, 11, 27))
    with transaction() as session:
        for each, cents in zip(loans, (0, 1500, 1500, 1900), strict=True):
            found = session.get_one(Reservation, each.id)
            found.quote = Quote((Line("Hire", 4, "hour", cents),) if cents else ()).to_json()
            if cents == 1900:
                found.status = "requested"
    made = {issued(staff, each).id for each in loans[:3]}
    assert len(made) == 1  # dates at other prices bring no addendum each
    first = made.pop()
    text = text_of(db.session().get_one(Agreement, first))
    assert "Pour chaque séance : à titre gracieux ou 15,00 €, selon la date." in text
    assert "consentie à titre gracieux" not in text
    assert "Total 15,00 €" in text
    with transaction() as session:  # decided on later, at another price
        session.get_one(Reservation, loans[3].id).status = "approved"
    dearer = issued(staff, loans[3])
    assert (dearer.kind, dearer.amendment, dearer.amends_id) == ("addendum", 1, first)
    assert "19,00 €" in text_of(dearer), "what covers a date says its price"
    assert {issued(staff, each).id for each in loans} == {dearer.id}
