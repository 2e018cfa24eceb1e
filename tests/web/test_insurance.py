"""The screens of deadlines over HTTP, and the gate as a borrower and the staff meet it."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from sharebank.core.db import db, transaction
from sharebank.insurance.models import Coverage, CoverageDocument
from sharebank.reservations.models import Reservation, ReservationEvent
from tests.insured import ask_for_papers, certify, cover, pdf

STAFF, MEMBER, OTHER = "staff@example.org", "member@example.org", "other@example.org"
SignIn = Callable[[str], FlaskClient]

pytestmark = pytest.mark.usefixtures("no_csrf")


@pytest.fixture
def no_csrf(app: Flask) -> None:
    """tests/web/test_access.py is about it."""
    app.config["WTF_CSRF_ENABLED"] = False


MINIBUS = {
    "kind": "vehicle",
    "body": "Mutuelle du Peuplier",
    "contract_number": "PB-1",
    "starts_on": "2026-01-01",
    "ends_on": "2026-11-28",
    "codes": ["MCNG-V01"],
    "responsible_id": "0",
    "premium_cents": "1 184,00",
    "notes": "",
}


def written(browser: FlaskClient, **changed: Any) -> int:
    answer = browser.post("/insurance/new?holder=MCNG", data={**MINIBUS, **changed})
    assert answer.status_code == 303, answer.text
    return int(answer.headers["Location"].rpartition("/")[2])


def test_a_contract_from_its_first_line_to_its_renewal(app: Flask, signed_in: SignIn) -> None:
    staff = signed_in(STAFF)
    assert "Aucune échéance suivie" in staff.get("/insurance").text
    assert "Maison citoyenne" in staff.get("/insurance/new").text
    assert "MCNG-V01" in staff.get("/insurance/new?holder=MCNG").text
    one = written(staff)
    page = staff.get(f"/insurance/{one}").text
    for words in (
        "Assurance du véhicule",
        "Mutuelle du Peuplier",
        "PB-1",
        "Minibus 9 places",
        "1 184,00",
        "À renouveler",
    ):
        assert words in page.replace("\u202f", " ").replace("\xa0", " ")
    board = staff.get("/insurance").text
    assert "À renouveler dans les 60 jours (1)" in board
    assert f"/insurance/{one}/renew" in board
    form = staff.get(f"/insurance/{one}/renew").text
    assert 'value="2026-11-29"' in form
    assert 'value="2027-11-28"' in form
    answer = staff.post(f"/insurance/{one}/renew", data={**MINIBUS, "starts_on": "2026-11-29", "ends_on": "2027-11-28"})
    assert answer.status_code == 303
    assert "En règle (1)" in staff.get("/insurance").text
    assert "Cette échéance a été renouvelée" in staff.get(f"/insurance/{one}").text
    timeline = staff.get("/insurance/timeline?year=2026").text
    assert timeline.count("Couvert<") == 12
    assert staff.get("/insurance/timeline?year=99999").status_code == 404


WRONG = [
    ("kind", "boat"), ("body", ""), ("body", "x" * 201), ("contract_number", "x" * 101), ("ends_on", ""),
    ("ends_on", "2026-02-31"), ("ends_on", "2026"), ("ends_on", "0026-01-01"), ("starts_on", "9999-12-31"),
    ("starts_on", "2026-11-29"), ("codes", []), ("codes", ["STN-R01"]), ("responsible_id", "99999999999999999999"),
    ("responsible_id", "x"), ("premium_cents", "beaucoup"), ("premium_cents", "-1"), ("premium_cents", "9" * 15),
    ("notes", "x" * 5001),
]  # fmt: skip


@pytest.mark.parametrize(("field", "value"), WRONG)
def test_a_bad_value_is_told_at_its_field_and_nothing_is_stored(
    app: Flask, signed_in: SignIn, field: str, value: Any
) -> None:
    answer = signed_in(STAFF).post("/insurance/new?holder=MCNG", data={**MINIBUS, field: value})
    assert answer.status_code == 422
    assert "error-summary" in answer.text
    assert "field-error" in answer.text
    assert db.session.scalar(select(func.count()).select_from(Coverage)) == 0


def test_a_document_is_a_download_and_only_for_who_may_see(app: Flask, signed_in: SignIn) -> None:
    staff = signed_in(STAFF)
    one = written(staff)
    sent = {"file": (io.BytesIO(pdf()), "Attestation été.pdf")}
    assert staff.post(f"/insurance/{one}/documents", data=sent).status_code == 303
    for bad in ((b"<html>", "a.pdf"), (b"", "a.pdf")):
        answer = staff.post(f"/insurance/{one}/documents", data={"file": (io.BytesIO(bad[0]), bad[1])})
        assert (answer.status_code, "field-error" in answer.text) == (422, True)
    assert staff.post(f"/insurance/{one}/documents", data={}).status_code == 422
    document = db.session.scalars(select(CoverageDocument)).one()
    answer = staff.get(f"/insurance/documents/{document.id}")
    assert answer.data == pdf()
    assert answer.mimetype == "application/pdf"
    assert answer.headers["Content-Disposition"].startswith("attachment; ")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    for who in ("staff.stn@example.org", MEMBER):
        assert signed_in(who).get(f"/insurance/documents/{document.id}").status_code == 404
    assert staff.post(f"/insurance/documents/{document.id}/delete").status_code == 422
    assert staff.post(f"/insurance/documents/{document.id}/delete", data={"sure": "y"}).status_code == 303
    assert staff.get(f"/insurance/documents/{document.id}").status_code == 404


def test_acknowledging_is_shown_and_taken_back(app: Flask, signed_in: SignIn) -> None:
    staff = signed_in(STAFF)
    one = written(staff)
    bad = staff.post(f"/insurance/{one}/acknowledge", data={"until": "2026-11-21", "why": "Devis"})
    assert (bad.status_code, "field-error" in bad.text) == (422, True)
    good = staff.post(f"/insurance/{one}/acknowledge", data={"until": "2026-11-27", "why": "Devis demandé"})
    assert good.status_code == 303
    assert "Devis demandé" in signed_in("manager@example.org").get("/insurance").text
    staff.post(f"/insurance/{one}/resume")
    assert "Devis demandé" not in staff.get(f"/insurance/{one}").text


def test_a_member_sees_their_certificate_and_nothing_else(app: Flask, signed_in: SignIn) -> None:
    written(signed_in(STAFF))
    certify("CHORALE", "2026-11-20")
    page = signed_in(MEMBER).get("/insurance").text
    assert "RC-2026-11-20" in page
    assert "Échue" in page
    assert "PB-1" not in page
    assert "/renew" not in page
    assert "Échéances</a>" not in page  # no menu entry: their certificate is not a place of daily work
    rows = list(csv.DictReader(io.StringIO(signed_in(MEMBER).get("/insurance.csv").text)))
    assert [(row["holder_house"], row["state"]) for row in rows] == [("CHORALE", "lapsed")]


def test_the_file_stays_text_in_a_spreadsheet(app: Flask, signed_in: SignIn) -> None:
    staff = signed_in(STAFF)
    written(staff, body='=HYPERLINK("x")', notes="a\nb")
    answer = staff.get("/insurance.csv")
    assert answer.headers["Content-Disposition"] == "attachment; filename=insurance-2026-11-21.csv"
    [row] = csv.DictReader(io.StringIO(answer.text))
    assert (row["insurer_or_body"], row["covers"], row["annual_premium_eur"]) == (
        '\'=HYPERLINK("x")',
        "MCNG-V01",
        "1184.00",
    )


def test_the_register_of_drivers(app: Flask, signed_in: SignIn) -> None:
    staff = signed_in(STAFF)
    ines = {
        "organisation": "CHORALE", "name": "Inès Chabert", "licence_class": "B",
        "licence_since": "2019-05-02", "seen_on": "2026-11-21",
    }  # fmt: skip
    assert staff.post("/insurance/drivers", data=ines).status_code == 303
    page = staff.get("/insurance/drivers").text
    assert "depuis 7 ans" in page
    assert "par Staff" in page
    for field, value in (("licence_since", "2027-01-01"), ("seen_on", ""), ("licence_class", "Z"), ("name", "")):
        assert staff.post("/insurance/drivers", data={**ines, "name": "X", field: value}).status_code == 422
    assert staff.post("/insurance/drivers", data=ines).status_code == 409
    assert "Inès" not in signed_in("staff.stn@example.org").get("/insurance/drivers").text
    line = int(page.partition("/insurance/drivers/")[2].partition('"')[0])
    assert staff.post(f"/insurance/drivers/{line}", data={**ines, "licence_class": "D1"}).status_code == 303
    assert staff.post(f"/insurance/drivers/{line}/delete").status_code == 422
    assert staff.post(f"/insurance/drivers/{line}/delete", data={"sure": "y"}).status_code == 303


def test_a_mark_in_words_on_the_thing_concerned(app: Flask, signed_in: SignIn) -> None:
    cover("MCNG-V01", (None, "2026-11-10"))
    cover("MCNG-R01", (None, "2026-12-05"), kind="fire_safety")
    member = signed_in(MEMBER)
    page = member.get("/resources").text
    assert page.count("échéance dépassée depuis le mar. 10 nov.") == 1
    assert page.count("valable jusqu’au sam. 5 déc.") == 1
    assert "échéance dépassée" in member.get("/resources/MCNG-V01").text
    assert "échéance dépassée" not in member.get("/resources/MCNG-R03").text


# -- the gate ----------------------------------------------------------------------------------------

ASK = {
    "lines-0-code": "MCNG-V01", "lines-0-quantity": "1", "day": "2026-11-28", "start": "14:00",
    "last_day": "2026-11-29", "end": "01:00", "organisation": "CHORALE", "purpose": "Concert",
}  # fmt: skip


def test_the_minibus_whose_insurance_ends_an_hour_before_the_return(app: Flask, signed_in: SignIn) -> None:
    cover("MCNG-V01", ("2026-01-01", "2026-11-28"))
    member, staff = signed_in(MEMBER), signed_in(STAFF)
    refused = member.post("/reservations/new", data=ASK)
    assert refused.status_code == 422
    assert "Assurance du véhicule (PB-vehicle-0), valable jusqu’au samedi 28 novembre 2026" in refused.text
    assert "Un autre moment" in refused.text or "Choisir ceci" in refused.text
    assert 'name="override"' not in refused.text
    assert "PB-vehicle-0" in member.get("/?day=2026-11-28&start=14:00&last_day=2026-11-29&end=01:00&kind=vehicle").text
    assert db.session.scalar(select(func.count()).select_from(Reservation)) == 0
    # Back at midnight, when its last day ends: accepted.
    assert member.post("/reservations/new", data={**ASK, "end": "00:00"}).status_code == 303
    # The staff are told the same, and may say why.
    other = {**ASK, "day": "2026-11-30", "last_day": "", "start": "10:00", "end": "12:00", "organisation": "MCNG"}
    told = staff.post("/reservations/new", data=other)
    assert (told.status_code, 'name="override"' in told.text) == (422, True)
    assert staff.post("/reservations/new", data={**other, "override": "Avenant reçu"}).status_code == 303
    db.session.rollback()  # what was read before is a picture of then
    whys = set(db.session.scalars(select(ReservationEvent.why)))
    assert whys == {"", "Avenant reçu (PB-vehicle-0 → 2026-11-28)"}


def test_a_certificate_that_expires_in_the_middle(app: Flask, signed_in: SignIn) -> None:
    ask_for_papers("liability_certificate")
    certify("CHORALE", "2026-11-28")
    asked = signed_in(MEMBER).post("/reservations/new", data={**ASK, "end": "10:00"})
    assert asked.status_code == 303
    ref, staff = asked.headers["Location"].rpartition("/")[2], signed_in(STAFF)
    refused = staff.post(f"/reservations/{ref}/approve", data={"override": "Je réponds d’eux"})
    assert refused.status_code == 422
    assert "RC-2026-11-28" in refused.text
    assert "samedi 28 novembre 2026" in refused.text
    with transaction() as session:
        session.scalars(select(Coverage)).one().ends_on = date(2026, 11, 29)
    assert staff.post(f"/reservations/{ref}/approve").status_code == 303


def test_at_hand_over_the_staff_may_say_why(app: Flask, signed_in: SignIn) -> None:
    ref = signed_in(STAFF).post("/reservations/new", data=ASK).headers["Location"].rpartition("/")[2]
    cover("MCNG-V01", ("2026-01-01", "2026-11-28"))
    staff = signed_in(STAFF)
    refused = staff.post(f"/reservations/{ref}/collect")
    assert (refused.status_code, 'name="override"' in refused.text) == (422, True)
    assert staff.post(f"/reservations/{ref}/collect", data={"override": "Avenant reçu"}).status_code == 303
    assert "Avenant reçu (PB-vehicle-0 → 2026-11-28)" in staff.get(f"/reservations/{ref}").text


def test_the_api_refuses_alike_and_lists_deadlines(app: Flask, signed_in: SignIn) -> None:
    from tests.web.api_client import Program, ask

    for number, end in enumerate(("2026-11-20", "2026-11-28", "2027-01-01")):
        cover(("MCNG-V01", "MCNG-R01", "MCNG-R03")[number], (None, end), kind="inspection")
    staff, member = Program(app, STAFF), Program(app, MEMBER)
    told = member.post("/reservations", ask(("MCNG-V01", 1)))
    assert (told.status_code, told.json["type"].rpartition("-")[2]) == (422, "insurance_lapses")
    assert told.json["errors"][0]["field"] == "ends_at"
    made = staff.post("/reservations", {**ask(("MCNG-V01", 1), organisation="MCNG"), "override": "Visite faite"})
    assert made.status_code == 201
    assert made.json[0]["events"][0]["why"] == "Visite faite (PB-inspection-0 → 2026-11-20)"
    assert staff.get(f"/reservations/{made.json[0]['ref']}").json["events"] == made.json[0]["events"]
    assert member.get("/coverages").json == {"items": [], "next": None}
    items = staff.get("/coverages").json["items"]
    assert [(one["ends_on"], one["state"]) for one in items] == [
        ("2026-11-20", "lapsed"), ("2026-11-28", "due"), ("2027-01-01", "due"),
    ]  # fmt: skip
    soon = staff.get("/coverages", expiring_before="2026-11-28").json["items"]
    assert [one["covers"] for one in soon] == [["MCNG-V01"]]
    first = staff.get("/coverages", limit=2).json
    second = staff.get("/coverages", limit=2, cursor=first["next"]).json
    assert [*first["items"], *second["items"]] == items
    assert second["next"] is None
    for bad in ({"expiring_before": "28/11/2026"}, {"cursor": "x"}, {"limit": 0}):
        assert staff.get("/coverages", **bad).status_code == 422
