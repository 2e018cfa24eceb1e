"""Agreements: frozen means frozen, numbers without gaps, signatures and addenda."""

from __future__ import annotations

import hashlib
import io
import threading
from datetime import date, timedelta

import pypdf
import pytest
from flask import Flask
from sqlalchemy import select

from sharebank.accounts.models import Organisation
from sharebank.agreements import desk, general, issuing, reading, signing
from sharebank.agreements.drafting import document
from sharebank.agreements.models import Agreement, AgreementTemplate
from sharebank.agreements.rules import NothingToSign, NotTheText, weigh
from sharebank.catalog.models import Resource, RuleSet
from sharebank.core import press
from sharebank.core.db import db, transaction
from sharebank.core.errors import NotAllowed, NotFound
from sharebank.insurance.models import Coverage, Driver
from sharebank.notifications.models import Letter
from sharebank.reservations import booking, lifecycle
from sharebank.reservations.booking import Ask
from sharebank.reservations.models import Reservation
from sharebank.reservations.rules import NotSigned
from tests import world
from tests.agreed import ANNUAL, LATER, Find, ask_for, issued, loan_of, series_of, town, words

__all__ = ["town"]  # the fixture


def test_what_was_issued_never_changes(town: Flask, actor: Find) -> None:
    agreement = issued(actor("staff@example.org"), loan_of(actor("member@example.org"), {"MCNG-V01": 1}))
    before = desk.printed(agreement.id)
    with transaction() as session:
        for body in session.scalars(select(Organisation)):
            body.name, body.siret = "Autre nom", ""
        for thing in session.scalars(select(Resource)):
            thing.name = "Autre chose"
        for cover in session.scalars(select(Coverage)):
            cover.body = "Autre assureur"
        session.add(
            AgreementTemplate(kind="loan", version=1, body="# Autre\n{{parties}}\n{{signatures}}", created_at=LATER)
        )
    kept = reading.content_of(db.session(), agreement.id)
    assert desk.printed(agreement.id) == before
    assert hashlib.sha256(before).hexdigest() == kept.pdf_sha256
    assert weigh(kept.content) == kept.text_sha256
    assert press.pdf(document(kept.content, kept.text_sha256), kept.issued_at) == before
    assert kept.template_version == 0
    assert (
        issued(actor("staff@example.org"), loan_of(actor("member@example.org"), {"MCNG-R01": 1})).template_version == 0
    )
    loan = loan_of(actor("member@example.org"), {"MCNG-V01": 1}, day=29)
    assert issued(actor("staff@example.org"), loan).template_version == 1


def test_numbers_run_without_gaps_when_many_issue_at_once(town: Flask, actor: Find) -> None:
    staff, member = actor("staff@example.org"), actor("member@example.org")
    loans = [loan_of(member, {"MCNG-R03": 1}, day=day).id for day in range(22, 30)]
    ready = threading.Barrier(len(loans) * 2)
    wrong: list[BaseException] = []

    def one(loan_id: int, gives_up: bool) -> None:
        try:
            ready.wait(30)
            with town.app_context(), transaction() as session:
                issuing.ensure(session, staff, session.get_one(Reservation, loan_id), LATER, world.PARIS)
                if gives_up:
                    raise KeyError
        except KeyError:
            pass
        except BaseException as error:  # noqa: BLE001
            wrong.append(error)
        finally:
            with town.app_context():
                db.session.remove()

    # Each loan twice: half of the transactions come to nothing after they had taken a number.
    threads = [threading.Thread(target=one, args=(loan, quits)) for loan in loans for quits in (True, False)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not wrong
    db.session().rollback()
    numbers = sorted(db.session().scalars(select(Agreement.number)))
    assert numbers == [f"C-MCNG-2026-{n:04d}" for n in range(1, len(loans) + 1)]


def test_approving_issues_it_once_and_writes_to_the_borrower(town: Flask, actor: Find) -> None:
    member, staff = actor("member@example.org"), actor("staff@example.org")
    with transaction() as session:
        session.scalars(select(RuleSet)).one().approval = "always"
        ask = Ask("CHORALE", "Concert", world.at(28, "14:00", "18:00"), {"MCNG-R01": 1})
        ref = booking.book(session, member, ask, world.NOW, world.PARIS)[0].ref
        session.execute(Reservation.__table__.update().values(status="requested"))
    with transaction() as session:
        lifecycle.change(session, staff, ref, "approve", "", LATER, world.PARIS)
    found = db.session().scalars(select(Agreement)).one()
    assert (found.kind, found.user_id, found.issued_by_id) == ("room", member.user_id, staff.user_id)
    assert [one.party for one in found.signatures] == ["lender"]
    to_sign = db.session().scalars(select(Letter).where(Letter.template == "agreement_to_sign")).one()
    assert to_sign.to_address == member.email
    assert to_sign.facts["number"] == found.number
    done = desk.look_after(town, LATER)
    assert done == {"agreements": 0, "agreements_printed": 1, "agreements_failed": 0}
    text = words(desk.printed(found.id))
    for expected in ("Grande salle", "162 m²", "150 personnes", "GC-LOC-77", "Clés remises", "ADC-045021"):
        assert expected in text, expected


def test_the_clock_issues_what_was_approved_without_anybody(town: Flask, actor: Find) -> None:
    loan_of(actor("member@example.org"), {"MCNG-R01": 1})
    loan_of(actor("member@example.org"), {"STN-R01": 1}, day=29)
    assert desk.look_after(town, LATER)["agreements"] == 2
    assert desk.look_after(town, LATER)["agreements"] == 0
    assert sorted(db.session().scalars(select(Agreement.number))) == ["C-MCNG-2026-0001", "C-STN-2026-0001"]


def test_rules_that_ask_for_nothing_get_nothing(town: Flask, actor: Find) -> None:
    with transaction() as session:
        ask_for(session, {})
    loan = loan_of(actor("member@example.org"), {"MCNG-R01": 1})
    assert desk.look_after(town, LATER)["agreements"] == 0
    assert issued(actor("staff@example.org"), loan, asked=True).number == "C-MCNG-2026-0001"


def test_the_borrower_accepts_what_they_read(town: Flask, actor: Find) -> None:
    member, staff = actor("member@example.org"), actor("staff@example.org")
    loan = loan_of(member, {"MCNG-R01": 1})
    agreement = issued(staff, loan)
    desk.printed(agreement.id)

    def accept(who: str, read: str) -> None:
        with transaction() as session:
            signing.accept(session, actor(who), agreement.number, "  Odile   Sarrazande ", read, LATER)

    with pytest.raises(NotFound):
        accept("other@example.org", agreement.text_sha256)
    with pytest.raises(NotAllowed):
        accept("staff@example.org", agreement.text_sha256)
    with pytest.raises(NotTheText):
        accept("member@example.org", "0" * 64)
    accept("member@example.org", agreement.text_sha256)
    with pytest.raises(NothingToSign):
        accept("member@example.org", agreement.text_sha256)
    kept = reading.of_number(db.session(), member, agreement.number)
    mine = kept.signatures[-1]
    assert (mine.party, mine.way, mine.name, mine.user_id) == ("borrower", "online", "Odile Sarrazande", member.user_id)
    assert (mine.at, mine.text_sha256, mine.pdf_sha256) == (LATER, kept.text_sha256, kept.pdf_sha256)
    assert db.session().get_one(Reservation, loan.id, populate_existing=True).signed_at == LATER
    assert db.session().scalars(select(Letter.to_address).where(Letter.template == "agreement_signed")).all() == [
        "admin@example.org",
        "manager@example.org",
    ]


def test_a_change_brings_an_addendum_that_is_signed_like_the_first(town: Flask, actor: Find) -> None:
    member, staff = actor("member@example.org"), actor("staff@example.org")
    loan = loan_of(member, {"STN-K03": 40, "STN-R01": 1})
    first = issued(actor("staff.stn@example.org"), loan)
    with transaction() as session:
        signing.accept(session, member, first.number, "Odile", first.text_sha256, LATER)
    with transaction() as session:
        changed = session.get_one(Reservation, loan.id)
        next(line for line in changed.lines if line.quantity == 40).quantity = 25
        session.flush()
        issuing.after_change(session, staff, changed, "approve_less", LATER, tz=world.PARIS)
        assert changed.signed_at is None
    second = issued(staff, loan)
    assert (second.kind, second.amendment, second.amends_id) == ("addendum", 1, first.id)
    assert second.number == "C-STN-2026-0002"
    text = words(desk.printed(second.id))
    assert "Avenant n° 1" in text
    assert first.number in text
    assert "25" in text
    with transaction() as session:
        signing.accept(session, member, second.number, "Odile", second.text_sha256, LATER)
    assert db.session().get_one(Reservation, loan.id, populate_existing=True).signed_at == LATER


def test_whoever_signs_an_addendum_signs_what_it_changes(town: Flask, actor: Find) -> None:
    member, staff = actor("member@example.org"), actor("staff@example.org")
    loan = loan_of(member, {"MCNG-R01": 1})
    first = issued(staff, loan)
    with transaction() as session:
        session.get_one(Reservation, loan.id).ends_at += timedelta(hours=1)
    second = issued(staff, loan)
    with transaction() as session:
        signing.accept(session, member, second.number, "Odile", second.text_sha256, LATER)
    states = dict(db.session().execute(select(Agreement.number, Agreement.status)).all())
    assert states == {first.number: "signed", second.number: "signed"}


def test_a_year_is_signed_once_and_each_loan_has_its_short_form(town: Flask, actor: Find) -> None:
    member, staff = actor("member@example.org"), actor("staff@example.org")
    with transaction() as session:
        ask_for(session, ANNUAL)
    loan = loan_of(member, {"MCNG-V01": 1})
    short = issued(staff, loan)
    annual = db.session().scalars(select(Agreement).where(Agreement.kind == "annual")).one()
    assert (short.kind, short.under_id, short.status) == ("short", annual.id, "issued")
    assert db.session().scalars(select(Letter.facts).where(Letter.template == "agreement_to_sign")).all()[0][
        "number"
    ] == (annual.number)
    with transaction() as session:
        signing.accept(session, member, annual.number, "Odile", annual.text_sha256, LATER)
    assert db.session().get_one(Reservation, loan.id, populate_existing=True).signed_at == LATER
    again = loan_of(member, {"MCNG-R01": 1}, day=29)
    second = issued(staff, again)
    assert (second.status, second.under_id) == ("signed", annual.id)
    assert db.session().get_one(Reservation, again.id, populate_existing=True).signed_at == LATER
    text = words(desk.printed(second.id))
    assert annual.number in text
    assert len(pypdf.PdfReader(io.BytesIO(desk.printed(second.id))).pages) == 1
    assert "convention annuelle de prêt 2026" in words(desk.printed(annual.id)).lower()


def test_a_series_has_one_agreement_for_all_its_dates(town: Flask, actor: Find) -> None:
    member, staff = actor("member@example.org"), actor("staff@example.org")
    loans = series_of(member, (24, 25), "FREQ=WEEKLY;BYDAY=TU", date(2027, 7, 6))
    first, second = (issued(staff, each) for each in loans)
    assert first.id == second.id
    assert first.kind == "weekly"
    text = words(desk.printed(first.id))
    for expected in ("Chaque mardi, de 14 h à 18 h", "mardi 6 juillet 2027", "24 et 25", "trente jours", "recommandée"):
        assert expected in text, expected
    with transaction() as session:
        signing.accept(session, member, first.number, "Odile", first.text_sha256, LATER)
    signed = db.session().scalars(select(Reservation.signed_at).where(Reservation.series_id.is_not(None))).all()
    assert signed == [LATER, LATER]


def test_two_houses_cooperate(town: Flask, actor: Find) -> None:
    manager = actor("manager@example.org")
    with transaction() as session:
        asked = ("cooperation", "MCNG", "STN", 2026, 3)
        made = general.of_bodies(session, manager, *asked, LATER, world.PARIS)
    text = words(desk.printed(made.id))
    for expected in ("Florence d’Argentelles", "Brigitte Talancieux", "comptes 86 et 87", "31 décembre 2028"):
        assert expected in text, expected
    with pytest.raises(NotAllowed), transaction() as session:
        signing.accept(session, manager, made.number, "x", made.text_sha256, LATER)
    with transaction() as session:
        signing.accept(session, actor("manager.stn@example.org"), made.number, "Flo", made.text_sha256, LATER)


def test_what_is_cancelled_is_without_object(town: Flask, actor: Find) -> None:
    member = actor("member@example.org")
    loan = loan_of(member, {"MCNG-R01": 1})
    agreement = issued(actor("staff@example.org"), loan)
    with transaction() as session:
        lifecycle.change(session, member, loan.ref, "cancel", "", LATER, world.PARIS)
    assert db.session().get_one(Agreement, agreement.id, populate_existing=True).status == "void"
    assert db.session().scalars(select(Letter.state).where(Letter.template == "agreement_to_sign")).all() == [
        "withdrawn"
    ]


def test_drivers_and_people_are_named(town: Flask, actor: Find) -> None:
    loan = loan_of(actor("member@example.org"), {"MCNG-V01": 1})
    with transaction() as session:
        driver = Driver(
            organisation_id=loan.borrower_id,
            name="Inès Faure",
            licence_class="B",
            licence_since=date(2010, 1, 1),
            seen_on=date(2026, 11, 2),
        )
        session.add(driver)
        session.flush()
        session.get_one(Reservation, loan.id).details = {"drivers": [driver.id], "collect_at": "2026-11-27T18:00"}
    text = words(desk.printed(issued(actor("staff@example.org"), loan).id))
    assert "Inès Faure (permis B)" in text
    assert "retrait vendredi 27 novembre 2026 à 18 h" in text


def test_nothing_is_handed_over_before_it_is_signed(town: Flask, actor: Find) -> None:
    member, staff = actor("member@example.org"), actor("staff@example.org")
    loan = loan_of(member, {"MCNG-R01": 1})
    agreement = issued(staff, loan)
    with pytest.raises(NotSigned), transaction() as session:
        lifecycle.change(session, staff, loan.ref, "collect", "", LATER, world.PARIS)
    with transaction() as session:
        signing.record(session, staff, agreement.number, "Odile", None, LATER)
        lifecycle.change(session, staff, loan.ref, "collect", "", LATER, world.PARIS)
    assert db.session().get_one(Reservation, loan.id, populate_existing=True).status == "collected"
