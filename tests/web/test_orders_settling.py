"""The accounts of an order over HTTP: what staff do, what an association sees of it and what it never sees."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from sharebank.accounts.actor import Actor
from sharebank.core import press
from sharebank.core.db import db, transaction
from sharebank.exchange import import_bytes
from sharebank.orders import lifecycle, pledging
from sharebank.orders.desk import making
from sharebank.orders.desk.making import Draft
from sharebank.orders.incoming import receiving
from sharebank.orders.life_models import Payment
from sharebank.orders.models import GroupOrder
from sharebank.orders.outgoing import sending
from sharebank.orders.settlement import settling
from tests.world import NOW, PARIS

SUPPLIERS = """code,name,kind,email,min_order_eur_excl_vat,delivery_fee_eur,free_delivery_from_eur,lead_time_days
PAP,Papeterie,school_office,,10.00,4.90,50.00,5
"""
PRICES = """supplier,sku,name,unit,pack_size,unit_price_excl_vat_eur,vat_rate,price_breaks,labels,category
PAP,C1,Cahier,piece,10,1.00,20.0,,,cahiers
"""
HOME = "/orders/hiver/accounts"
# 7 notebooks of 10, and 7/10 of the delivery: 7.00 + 3.43 + VAT 2.09.
CHORALE = 1252


@pytest.fixture(autouse=True)
def no_press(monkeypatch: pytest.MonkeyPatch) -> None:
    """Papers are pressed in tests/services/test_orders_settling.py; here it matters who gets them."""
    monkeypatch.setattr(press, "pdf", lambda document, at: f"%PDF {document['title']} {at}".encode())


@pytest.fixture
def order(app: Flask, actor: Callable[[str], Actor]) -> str:
    """An order that came: 7 for the choir, 3 for the chess club."""
    app.config["WTF_CSRF_ENABLED"] = False
    staff = actor("staff@example.org")
    for kind, text in (("suppliers", SUPPLIERS), ("price-list", PRICES)):
        with transaction() as session:
            import_bytes(session, kind, "f.csv", text.encode(), NOW, PARIS)
    with transaction() as session:
        making.make_order(session, staff, Draft("hiver", "Hiver", "PAP", "MCNG", NOW + timedelta(days=5)), NOW)
        lifecycle.change(session, staff, "hiver", "open", NOW)
        order = session.scalars(select(GroupOrder)).one()
        for body, units in {"CHORALE": 7, "ECHECS": 3}.items():
            role = settling.bodies_of(session)[body]
            pledging.pledge_many(session, order, role, staff.user_id, {"C1": (units, units)}, NOW)
    with transaction() as session:
        lifecycle.change(session, staff, "hiver", "close", NOW)
        sending.send(session, staff, "hiver", NOW, how="hand")
        receiving.receive(session, staff, "hiver", None, NOW)
    return "hiver"


def words(answer: Any, status: int = 200) -> str:
    """The page as it is read."""
    assert answer.status_code == status, answer.status_code
    text = re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", answer.text)))
    return text.replace("\u202f", " ").replace("\u00a0", " ")


def paid(**more: str) -> dict[str, str]:
    return {"payer": "CHORALE", "payee": "MCNG", "cents": "12,52", "day": "2026-11-21", **more}


def stored() -> int:
    db.session.rollback()
    return db.session.scalar(select(func.count(Payment.id)).where(Payment.undone_at.is_(None))) or 0


def test_from_received_to_settled_and_paid(app: Flask, order: str, signed_in: Callable[[str], Any]) -> None:
    staff = signed_in("staff@example.org")
    page = words(staff.get(HOME))
    assert "la commande telle que reçue en tient lieu" in page
    assert "12,52 € à payer à Maison citoyenne Noël Guichard" in page
    answer = staff.post("/orders/hiver/settle")
    assert (answer.status_code, answer.headers["Location"]) == (303, HOME)
    assert "Aucun paiement n’est encore noté." in words(staff.get(HOME))
    assert staff.post("/orders/hiver/payments", data=paid()).status_code == 303
    page = words(staff.get(HOME))
    assert "12,52 € à payer" not in page
    assert "De Chorale du Vieux-Lavoir à Maison citoyenne Noël Guichard" in page
    assert staff.post("/orders/hiver/settle").status_code == 409


def test_the_one_tap_button_notes_what_is_owed_once(app: Flask, order: str, signed_in: Callable[[str], Any]) -> None:
    staff = signed_in("staff@example.org")
    form = re.search(
        r'action="/orders/hiver/payments" class="button-form">(.*?)</form>', staff.get(HOME).text, re.DOTALL
    )
    assert form
    data = dict(re.findall(r'name="(\w+)"\s+value="([^"]*)"', form[1]))
    first, again = (staff.post("/orders/hiver/payments", data=data) for _ in range(2))
    assert (first.status_code, again.status_code) == (303, 409)
    assert "Chorale du Vieux-Lavoir" in words(again, 409).partition("Votre part")[0], "what is noted already"
    assert stored() == 1
    data.pop("seen")
    assert staff.post("/orders/hiver/payments", data=data).status_code == 409
    assert stored() == 1, "nor where a page does not say what it showed"


@pytest.mark.parametrize("path", ["/orders/hiver/payments", "/orders/balances"])
def test_a_part_noted_by_two_clicks_counts_once(
    app: Flask, order: str, signed_in: Callable[[str], Any], path: str
) -> None:
    staff = signed_in("staff@example.org")
    staff.post("/orders/hiver/settle")
    between = "balances" in path
    home = path if between else HOME
    data = paid(payer="STN", cents="2,00") if between else paid(cents="5,00")
    data["seen"] = newest(staff.get(home).text)
    first, again = (staff.post(path, data=data) for _ in range(2))
    assert (first.status_code, again.status_code, stored()) == (303, 409, 1)
    said = words(again, 409)
    assert ("3,36 €" if between else "7,52 €") in said.partition("Votre part")[0], "and what is still owed"
    assert f'value="{data["cents"]}"' in again.text, "nothing typed is lost"
    answer = staff.post(path, data={**data, "seen": newest(again.text)})
    assert (answer.status_code, stored()) == (303, 2), "whoever was told, and sends it once more, means another one"


@pytest.mark.parametrize("path", ["/orders/hiver/payments", "/orders/balances"])
@pytest.mark.parametrize("seen", ["9999999999", "2147483648", "9" * 40, "²", "-1"])
def test_a_number_no_payment_has_showed_none(
    app: Flask, order: str, signed_in: Callable[[str], Any], path: str, seen: str
) -> None:
    staff = signed_in("staff@example.org")
    staff.post("/orders/hiver/settle")
    data = paid(payer="STN", cents="2,00") if "balances" in path else paid(cents="5,00")
    first, again = (staff.post(path, data={**data, "seen": seen}) for _ in range(2))
    assert (first.status_code, again.status_code, stored()) == (303, 409, 1)


def test_a_payment_of_others_or_one_taken_back_stands_in_nobodys_way(
    app: Flask, order: str, signed_in: Callable[[str], Any]
) -> None:
    staff = signed_in("staff@example.org")
    seen = newest(staff.get(HOME).text)
    staff.post("/orders/hiver/payments", data=paid(payer="MCNG", payee="", cents="5", seen=seen))
    assert staff.post("/orders/hiver/payments", data=paid(cents="5", seen=seen)).status_code == 303
    number = db.session.scalar(select(func.max(Payment.id)))
    assert staff.post(f"/orders/payments/{number}/undo", data={"why": "Erreur"}).status_code == 303
    assert staff.post("/orders/hiver/payments", data=paid(cents="5", seen=seen)).status_code == 303


def newest(page: str) -> str:
    found = re.search(r'id="seen" name="seen" type="hidden" value="(\d+)"', page)
    assert found, page
    return found[1]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"cents": "12,53"}, "Il n’est pas dû plus de 12,52 €"),
        ({"cents": "99999999999"}, "entre 0 et 1 000 000 euros"),
        ({"cents": "douze"}, "entre 0 et 1 000 000 euros"),
        ({"cents": "0"}, "Il n’est pas dû plus de"),
        ({"day": "2026-11-22"}, "aujourd’hui ou avant"),
        ({"day": ""}, "Payé le"),
        ({"payer": "NOBODY"}, "Qui a payé"),
        ({"payee": "NOBODY"}, "À qui"),
        ({"note": "x" * 301}, "Remarque"),
    ],
)
def test_a_wrong_payment_comes_back_with_what_was_typed(
    app: Flask, order: str, signed_in: Callable[[str], Any], change: dict[str, str], says: str
) -> None:
    staff = signed_in("staff@example.org")
    answer = staff.post("/orders/hiver/payments", data=paid(**{"note": "Chèque 12", **change}))
    page = words(answer, 422)
    assert "Vérifiez" in page
    assert says in page.partition("Votre part")[0].partition("Vérifiez")[2], "at the top"
    assert f'value="{change.get("note", "Chèque 12")}"' in answer.text, "nothing typed is lost"
    assert stored() == 0


def test_a_payment_is_taken_back_with_a_reason(app: Flask, order: str, signed_in: Callable[[str], Any]) -> None:
    staff = signed_in("staff@example.org")
    staff.post("/orders/hiver/payments", data=paid())
    number = db.session.scalars(select(Payment.id)).one()
    address = f"/orders/payments/{number}/undo"
    assert "Pourquoi" in words(staff.post(address, data={"why": " "}), 422)
    assert signed_in("member@example.org").post(address, data={"why": "x"}).status_code == 404
    assert signed_in("staff.stn@example.org").post(address, data={"why": "x"}).status_code == 403
    assert staff.post(address, data={"why": "Chèque <b>refusé</b>"}).status_code == 303
    assert "Chèque &lt;b&gt;refusé&lt;/b&gt;" in staff.get(HOME).text
    assert "12,52 € à payer" in words(staff.get(HOME))
    assert staff.post(address, data={"why": "encore"}).status_code == 409
    assert staff.post("/orders/payments/2147483647/undo", data={"why": "x"}).status_code == 404


PAPERS = {
    "statements/CHORALE.pdf": 200,
    "statements/ECHECS.pdf": 404,
    "statements/NOBODY.pdf": 404,
    "statements.pdf": 403,
    "slips.pdf": 403,
    "matrix.html": 403,
    "matrix.pdf": 403,
    "matrix.xlsx": 403,
    "accounts.csv": 403,
    "payments.csv": 403,
}


def test_an_association_sees_its_own_share_and_statement_only(
    app: Flask, order: str, signed_in: Callable[[str], Any]
) -> None:
    member, staff = signed_in("member@example.org"), signed_in("staff.stn@example.org")
    page = words(member.get(HOME))
    assert "Votre part : Chorale du Vieux-Lavoir" in page
    assert "12,52 €" in page
    assert "Échiquier" not in page
    for path, status in PAPERS.items():
        assert member.get(f"/orders/hiver/{path}").status_code == status, path
        assert staff.get(f"/orders/hiver/{path}").status_code == (404 if "NOBODY" in path else 200), path
    assert staff.get("/orders/hiver/matrix.exe").status_code == 404
    assert member.post("/orders/hiver/payments", data=paid()).status_code == 403
    assert member.post("/orders/hiver/settle").status_code == 403
    assert member.get("/orders/balances").status_code == 404


def test_who_has_no_share_is_told_so(app: Flask, order: str, signed_in: Callable[[str], Any]) -> None:
    with transaction() as session:
        order_row = session.scalars(select(GroupOrder)).one()
        order_row.items[0].received, order_row.pledge_version = 0, 99
    assert "Vous n’avez pas de part" in words(signed_in("member@example.org").get(HOME))


def test_there_are_no_accounts_before_it_is_sent(app: Flask, order: str, signed_in: Callable[[str], Any]) -> None:
    with transaction() as session:
        session.scalars(select(GroupOrder)).one().state = "closed"
    for path in ("accounts", "statements/CHORALE.pdf", "matrix.html"):
        assert signed_in("staff@example.org").get(f"/orders/hiver/{path}").status_code == 404


def test_houses_see_their_balance_and_pay_each_other(app: Flask, order: str, signed_in: Callable[[str], Any]) -> None:
    staff = signed_in("staff@example.org")
    assert "Rien à régler" in words(staff.get("/orders/balances"))
    staff.post("/orders/hiver/settle")
    page = words(staff.get("/orders/balances"))
    assert "Maison de quartier Saint-Nicolas verse à Maison citoyenne Noël Guichard 5,36 €" in page
    pay = paid(payer="STN", cents="5,36")
    assert "Il n’est pas dû plus de 5,36 €" in words(staff.post("/orders/balances", data={**pay, "cents": "6"}), 422)
    assert staff.post("/orders/balances", data=pay).status_code == 303
    assert "Aucune maison ne doit rien" in words(staff.get("/orders/balances"))
    assert staff.post("/orders/balances", data=pay).status_code == 409
    number = db.session.scalars(select(Payment.id)).one()
    assert "Pourquoi" in words(staff.post(f"/orders/payments/{number}/undo", data={"why": ""}), 422)
    assert staff.post(f"/orders/payments/{number}/undo", data={"why": "Erreur"}).status_code == 303
    assert "5,36 €" in words(staff.get("/orders/balances"))


def test_savings_are_shown_to_each_its_own(app: Flask, order: str, signed_in: Callable[[str], Any]) -> None:
    staff, member = signed_in("staff@example.org"), signed_in("member@example.org")
    assert "Rien à comparer" in words(staff.get("/orders/savings"))
    staff.post("/orders/hiver/settle")
    # Alone: a pack of 10 and the whole delivery, 14.90 and VAT 2.98.
    assert "Chorale du Vieux-Lavoir 1 12,52 € 17,88 € 5,36 €" in words(member.get("/orders/savings"))
    assert "Échiquier" not in words(member.get("/orders/savings"))
    assert "Échiquier romanais" in words(staff.get("/orders/savings"))
    assert "ECHECS" in staff.get("/orders/savings.csv").text
    assert "ECHECS" not in member.get("/orders/savings.csv").text
