"""The sending page over HTTP: preview, send, read what became of it, take back, send again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from sharebank.accounts.actor import Actor
from sharebank.core import press
from sharebank.core.db import db, transaction
from sharebank.exchange import import_bytes
from sharebank.orders import lifecycle, pledging
from sharebank.orders.desk import making
from sharebank.orders.desk.making import Draft
from sharebank.orders.life_models import OrderSending
from sharebank.orders.models import GroupOrder
from tests import world
from tests.world import NOW

PAGE = "/orders/hiver/sending"
SUPPLIERS = """code,name,kind,email,min_order_eur_excl_vat,delivery_fee_eur,free_delivery_from_eur,lead_time_days
PAP,Papeterie,school_office,ventes@example.org,100.00,4.90,50.00,5
"""
PRICES = """supplier,sku,name,unit,pack_size,unit_price_excl_vat_eur,vat_rate,price_breaks,labels,category
PAP,C1,<b>Cahier</b>,piece,10,0.92,20.0,,,cahiers
"""
NOBODY_THERE = "smtp://127.0.0.1:1?tls=none"


@pytest.fixture
def browser(
    app: Flask, actor: Callable[[str], Actor], signed_in: Callable[[str], FlaskClient], monkeypatch: pytest.MonkeyPatch
) -> FlaskClient:
    """Signed in as staff of the house the closed order is delivered to; letters go into a folder."""
    app.config["WTF_CSRF_ENABLED"] = False
    monkeypatch.setattr(press, "pdf", lambda document, _at: b"%PDF " + document["draft"].encode())
    staff = actor("staff@example.org")
    with transaction() as session:
        for kind, rows in (("suppliers", SUPPLIERS), ("price-list", PRICES)):
            import_bytes(session, kind, "f.csv", rows.encode(), NOW, world.PARIS)
    with transaction() as session:
        making.make_order(session, staff, Draft("hiver", "Fournitures", "PAP", "MCNG", NOW + timedelta(5)), NOW)
        lifecycle.change(session, staff, "hiver", "open", NOW)
        pledging.pledge(session, actor("member@example.org"), "hiver", "CHORALE", {"C1": (20, 20)}, NOW)
        lifecycle.change(session, staff, "hiver", "close", NOW)
    return signed_in("staff@example.org")


def order() -> GroupOrder:
    db.session.rollback()
    return db.session.scalars(select(GroupOrder).execution_options(populate_existing=True)).one()


def post(browser: FlaskClient, path: str = PAGE, **form: Any) -> Any:
    return browser.post(path, data=form, follow_redirects=True)


def test_before_it_is_sent_it_can_be_looked_at(browser: FlaskClient) -> None:
    page = browser.get(PAGE).text
    assert "100,00\xa0€ hors taxes" in page, "below the supplier's minimum"
    assert 'value="ventes@example.org"' in page
    seen = browser.get("/orders/hiver/order.pdf")
    assert seen.data == "%PDF APERÇU : CETTE COMMANDE N’EST PAS ENVOYÉE".encode()
    assert "Cahier" in browser.get("/orders/hiver/order.csv").text
    for missing in ("order.doc", "order.pdf?version=1", "order.pdf?version=٣", "order.pdf?version=99999999999"):
        assert browser.get(f"/orders/hiver/{missing}").status_code == 404, missing


def test_sent_the_page_says_so_at_once(browser: FlaskClient) -> None:
    answer = post(browser, how="email", words="Livrez le mardi.")
    assert answer.status_code == 200
    assert "La commande est envoyée à ventes@example.org." in answer.text
    assert order().state == "sent"
    kept = browser.get("/orders/hiver/order.pdf?version=1")
    assert kept.data == b"%PDF ", "no draft any more"
    assert browser.get("/orders/hiver/order.pdf").data == kept.data
    assert kept.headers["Content-Disposition"] == "inline; filename=commande-hiver-v1.pdf"
    again = post(browser, act="resend", how="email")
    assert "La commande est envoyée" in again.text
    assert order().state == "sent"
    assert len(db.session.scalars(select(OrderSending)).all()) == 2


def test_a_mail_server_that_is_down_is_said_and_the_order_can_be_taken_back(app: Flask, browser: FlaskClient) -> None:
    folder = app.config["SHAREBANK_MAIL_URL"]
    app.config["SHAREBANK_MAIL_URL"] = NOBODY_THERE
    page = post(browser, how="email").text
    assert "n’est pas encore parti" in page
    assert "ConnectionRefusedError" in page
    assert order().state == "closed"
    assert "n’est pas encore parti" in post(browser, f"{PAGE}/try").text
    assert "Le courriel ne partira pas." in post(browser, f"{PAGE}/take-back").text
    assert not order().leaving
    assert browser.post(f"{PAGE}/take-back").status_code == 409
    app.config["SHAREBANK_MAIL_URL"] = folder
    assert "La commande est envoyée" in post(browser, how="email").text


def test_by_hand_it_counts_as_sent(browser: FlaskClient) -> None:
    assert "compte comme envoyée" in post(browser, how="hand").text
    assert order().state == "sent"
    assert browser.post(PAGE, data={"how": "hand"}).status_code == 409, "twice"


def test_what_is_wrong_is_shown_and_nothing_typed_is_lost(browser: FlaskClient) -> None:
    for wrong in ({"how": "email", "to": "pas une adresse"}, {"to": "a@example.org"}, {"how": "pigeon"}):
        answer = browser.post(PAGE, data={"words": "Sonnez <fort>", **wrong})
        assert answer.status_code == 422, wrong
        assert "Sonnez &lt;fort&gt;" in answer.text
    assert browser.post(PAGE, data={"how": "hand", "words": "x" * 1001}).status_code == 422
    assert not db.session.scalars(select(OrderSending)).all()


def test_it_is_for_those_who_run_it(browser: FlaskClient, signed_in: Callable[[str], FlaskClient]) -> None:
    for path in (PAGE, "/orders/hiver/order.csv"):
        assert signed_in("member@example.org").get(path).status_code == 403
        assert signed_in("staff.stn@example.org").get(path).status_code == 403
    assert signed_in("member@example.org").post(PAGE, data={"how": "hand"}).status_code == 403
    assert browser.get("/orders/nothing/sending").status_code == 404
