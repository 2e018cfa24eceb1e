"""Agreements on screen: the two parties read and sign, nobody else knows; managers write the templates."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image
from sqlalchemy import select

from sharebank.agreements.models import Agreement, AgreementTemplate
from sharebank.catalog.models import RuleSet
from sharebank.core.db import db, transaction
from sharebank.reservations import booking
from sharebank.reservations.booking import Ask
from sharebank.reservations.models import Reservation
from tests import world

SignIn = Callable[[str], FlaskClient]


@pytest.fixture
def ref(app: Flask, actor: Callable[[str], Any]) -> str:
    """An approved loan of MCNG's room to the choir."""
    app.config["WTF_CSRF_ENABLED"] = False
    with transaction() as session:
        session.scalars(select(RuleSet)).one().terms = json.dumps({"agreement": {"mode": "per_loan"}})
        ask = Ask("CHORALE", "Répétition", world.at(28, "14:00", "18:00"), {"MCNG-R01": 1})
        found = booking.book(session, actor("member@example.org"), ask, world.NOW, world.PARIS)[0].ref
        session.scalars(select(Reservation).where(Reservation.ref == found)).one().status = "approved"
    return found


@pytest.fixture
def number(ref: str, signed_in: SignIn) -> str:
    """The agreement of that loan, made by the house."""
    answer = signed_in("staff@example.org").post(f"/reservations/{ref}/agreement")
    assert answer.status_code == 303
    return str(answer.headers["Location"]).rpartition("/")[2]


def picture() -> io.BytesIO:
    """A photographed page."""
    file = io.BytesIO()
    Image.new("RGB", (30, 40), "white").save(file, "PNG")
    file.seek(0)
    return file


def test_the_house_prepares_it_and_both_find_it(ref: str, number: str, signed_in: SignIn) -> None:
    assert number == "C-MCNG-2026-0001"
    member = signed_in("member@example.org")
    page = member.get(f"/reservations/{ref}").text
    assert f'href="/agreements/{number}"' in page
    assert "Préparer" not in page
    listed = member.get("/agreements").text
    assert listed.index("En attente de signature") < listed.index(number)
    shown = member.get(f"/agreements/{number}").text
    assert "Chorale du Vieux-Lavoir" in shown
    assert "Accepter la convention" in shown
    assert "Accepter la convention" not in signed_in("staff@example.org").get(f"/agreements/{number}").text


def test_others_do_not_know_of_it(number: str, signed_in: SignIn) -> None:
    for who in ("other@example.org", "staff.stn@example.org"):
        browser = signed_in(who)
        assert number not in browser.get("/agreements").text
        for path in ("", ".pdf", "/certificate.pdf", "/signed-copy"):
            assert browser.get(f"/agreements/{number}{path}").status_code == 404
        for act in ("accept", "signed-copy", "record"):
            assert browser.post(f"/agreements/{number}/{act}", data={"name": "x"}).status_code == 404


def test_the_pdf_stays_within_the_page(number: str, signed_in: SignIn) -> None:
    answer = signed_in("member@example.org").get(f"/agreements/{number}.pdf")
    assert answer.data.startswith(b"%PDF-")
    assert answer.headers["Content-Type"] == "application/pdf"
    assert answer.headers["Content-Disposition"] == f'inline; filename="{number}.pdf"'
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_accepting_online(ref: str, number: str, signed_in: SignIn) -> None:
    browser = signed_in("member@example.org")
    page = browser.get(f"/agreements/{number}").text
    read = re.search(r'name="read"[^>]*value="(\w+)"', page)
    assert read
    url = f"/agreements/{number}/accept"
    for data, said in (
        ({"read": read[1], "name": "Odile"}, "Cochez la case"),
        ({"read": read[1], "agreed": "y", "name": " "}, "Écrivez vos prénom et nom"),
        ({"read": read[1], "agreed": "y", "name": "x" * 201}, "200"),
    ):
        answer = browser.post(url, data=data)
        assert answer.status_code == 422
        assert said in answer.text
    assert browser.post(url, data={"read": "0" * 64, "agreed": "y", "name": "Odile"}).status_code == 409
    assert db.session().scalars(select(Agreement.status)).one() == "issued"
    answer = browser.post(url, data={"read": read[1], "agreed": "y", "name": "Odile Sarrazande"})
    assert answer.status_code == 303
    after = browser.get(f"/agreements/{number}").text
    assert "Odile Sarrazande" in after
    assert read[1] in after
    assert browser.get(f"/agreements/{number}/certificate.pdf").data.startswith(b"%PDF-")
    db.session().rollback()
    assert db.session().scalars(select(Reservation.signed_at).where(Reservation.ref == ref)).one() == world.NOW
    assert browser.post(url, data={"read": read[1], "agreed": "y", "name": "Odile"}).status_code == 409


def test_the_house_may_not_accept_for_the_borrower(number: str, signed_in: SignIn) -> None:
    staff = signed_in("staff@example.org")
    assert staff.post(f"/agreements/{number}/accept", data={"name": "x", "agreed": "y"}).status_code == 403
    assert signed_in("member@example.org").post(f"/agreements/{number}/record").status_code == 403


def test_a_signed_copy_is_looked_at_and_kept(number: str, signed_in: SignIn) -> None:
    browser, url = signed_in("member@example.org"), f"/agreements/{number}/signed-copy"
    assert browser.post(url, data={"name": "Odile"}).status_code == 422
    bad = {"name": "Odile", "file": (io.BytesIO(b"<html>"), "a.pdf")}
    assert browser.post(url, data=bad).status_code == 422
    good = {"name": "Odile", "file": (picture(), "../signé.PNG")}
    assert browser.post(url, data=good).status_code == 303
    answer = browser.get(url)
    assert answer.headers["Content-Type"] == "image/png"
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert answer.data == picture().getvalue()


def test_the_house_records_what_was_signed_on_paper(number: str, signed_in: SignIn) -> None:
    staff = signed_in("staff@example.org")
    assert staff.post(f"/agreements/{number}/record", data={"paper-name": ""}).status_code == 422
    assert staff.post(f"/agreements/{number}/record", data={"paper-name": "Odile S."}).status_code == 303
    page = staff.get(f"/agreements/{number}").text
    assert "Odile S." in page
    assert "signée sur papier" in page


def test_a_year_and_a_cooperation_are_made_by_hand(ref: str, signed_in: SignIn) -> None:
    staff = signed_in("staff@example.org")
    annual = {"kind": "annual", "house": "MCNG", "other": "CHORALE", "year": "2026", "years": "1"}
    assert staff.get("/agreements/new").status_code == 200
    first = staff.post("/agreements/new", data=annual)
    assert first.status_code == 303
    assert staff.post("/agreements/new", data=annual).headers["Location"] == first.headers["Location"]
    for wrong in ({"other": "MCNG"}, {"year": "99999999999"}, {"other": "NOBODY"}, {"years": "9"}, {"house": "STN"}):
        assert staff.post("/agreements/new", data={**annual, **wrong}).status_code == 422
    between = {**annual, "kind": "cooperation"}
    assert staff.post("/agreements/new", data=between).status_code == 422  # a choir is no house
    assert staff.post("/agreements/new", data={**between, "other": "STN"}).status_code == 303
    assert signed_in("member@example.org").get("/agreements/new").status_code == 404


def test_managers_write_templates_and_see_them_first(number: str, signed_in: SignIn) -> None:
    manager, url = signed_in("manager@example.org"), "/admin/agreement-templates/room"
    body = manager.get(url).text
    assert "{{parties}}" in body
    text = "# Ma convention\n\n{{parties}}\n\n## Objet\nPour **{{purpose}}** <script>x</script>\n\n{{signatures}}"
    seen = manager.post(url, data={"body": text, "preview": "1"})
    assert "Association d’exemple" in seen.text
    assert "<script>x" not in seen.text
    paper = manager.post(url, data={"body": text, "pdf": "1"})
    assert paper.data.startswith(b"%PDF-")
    assert not db.session().scalars(select(AgreementTemplate)).all()
    for wrong, said in (
        (text.replace("purpose", "nonsense"), "Ligne 6"),
        (text.replace("{{signatures}}", ""), "{{signatures}}"),
        ("Bonjour", "première ligne"),
        ("#" * 50_000, "40000"),
    ):
        answer = manager.post(url, data={"body": wrong})
        assert answer.status_code == 422
        assert said in answer.text.replace("\u202f", "").replace("\xa0", " ")
    assert manager.post(url, data={"body": text}).status_code == 303
    assert manager.post(url, data={"body": text}).status_code == 303  # nothing new, no new version
    db.session().rollback()
    kept = db.session().scalars(select(AgreementTemplate)).one()
    assert (kept.kind, kept.version) == ("room", 1)
    assert "Ma convention" in manager.get(url).text
    assert "Ma convention" not in manager.get(f"{url}?version=0").text
    # What was issued before keeps its text and its version.
    assert "Ma convention" not in manager.get(f"/agreements/{number}").text
    for who in ("staff@example.org", "member@example.org"):
        assert signed_in(who).get("/admin/agreement-templates").status_code == 404
        assert signed_in(who).get(url).status_code == 404
        assert signed_in(who).post(url, data={"body": text}).status_code == 404


@pytest.mark.parametrize("kind", ["loan", "weekly", "room", "cooperation", "annual", "short", "addendum"])
def test_each_template_shipped_can_be_looked_at(app: Flask, kind: str, signed_in: SignIn) -> None:
    app.config["WTF_CSRF_ENABLED"] = False
    manager, url = signed_in("manager@example.org"), f"/admin/agreement-templates/{kind}"
    found = re.search(r"<textarea[^>]*>(.*?)</textarea>", manager.get(url).text, re.DOTALL)
    assert found
    answer = manager.post(url, data={"body": found[1].strip(), "pdf": "1"})
    assert answer.data.startswith(b"%PDF-"), answer.text[-500:]
