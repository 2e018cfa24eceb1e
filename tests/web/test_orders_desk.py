"""Preparing, closing and correcting a group order in a browser without scripts."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from sharebank.accounts import directory
from sharebank.core.db import db, transaction
from sharebank.exchange import import_bytes
from sharebank.orders import pledging, reading
from sharebank.orders.models import GroupOrder
from tests import world
from tests.services.test_orders_desk import PRICES, SUPPLIERS
from tests.world import NOW

STAFF, MEMBER = "staff@example.org", "member@example.org"
FACTS: dict[str, Any] = {
    "title": "Rentrée 2027",
    "house": "MCNG",
    "closes_day": "2026-12-01",
    "closes_hour": "18:00",
    "sharing": "pro_rata",
    "categories": ["cahiers", "livres"],
}
CODE = "rentree-2027-pap"


@pytest.fixture
def desk(app: Flask, signed_in: Callable[[str], Any]) -> Any:
    """Staff's browser, in a town with a stationer."""
    for kind, text in (("suppliers", SUPPLIERS), ("price-list", PRICES)):
        with transaction() as session:
            import_bytes(session, kind, "f.csv", text.encode(), NOW, world.PARIS)
    return signed_in(STAFF)


def send(browser: Any, path: str, form: dict[str, Any] | None = None, status: int = 303) -> str:
    """Send a form with its page's token; the page that answers, after a redirect the one it leads to."""
    page = browser.get(path).text
    token = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert token, page
    answer = browser.post(path, data={"csrf_token": token[1], **(form or {})})
    assert answer.status_code == status, answer.text
    return str(browser.get(answer.location).text if status == 303 else answer.text)


def step(browser: Any, act: str, status: int = 303, **form: str) -> str:
    return send(browser, f"/orders/{CODE}/step?act={act}", {"act": act, **form}, status)


def pledge(body: str, sku: str, quantity: int) -> None:
    with transaction() as session:
        admin = directory.actor_of_email(session, "admin@example.org")
        assert admin
        pledging.pledge(session, admin, CODE, sku, body, quantity, quantity, NOW)


def found() -> GroupOrder:
    db.session.rollback()
    db.session.expire_all()
    return db.session.scalars(select(GroupOrder)).one()


@pytest.fixture
def closed(desk: Any) -> Any:
    """An order closed with 7 + 5 notebooks, which come by ten."""
    send(desk, "/orders/new?supplier=PAP", FACTS)
    step(desk, "open")
    pledge("CHORALE", "C1", 7)
    pledge("ECHECS", "C1", 5)
    step(desk, "close")
    return desk


def test_from_supplier_to_open_order(desk: Any, signed_in: Callable[[str], Any]) -> None:
    assert "supplier=PAP" in desk.get("/orders/new").text
    page = send(desk, "/orders/new?supplier=PAP", {**FACTS, "categories": ["cahiers"]})
    assert "2 articles" in page
    assert signed_in(MEMBER).get(f"/orders/{CODE}/assistant").status_code == 404, "nobody else sees a draft"
    page = send(desk, f"/orders/{CODE}/articles?q=livre", {"shown": ["L1"], "taken": ["L1"]})
    assert "3 articles" in page
    send(desk, f"/orders/{CODE}/edit", {**FACTS, "coordinator": "3", "pickup": "Jeudi", "sharing": "priority"})
    step(desk, "open")
    order = found()
    assert (order.state, order.pickup, order.sharing, len(order.items)) == ("open", "Jeudi", "priority", 3)
    assert signed_in(MEMBER).get(f"/orders/{CODE}/assistant").status_code == 403
    assert "Jeudi" in desk.get(f"/orders/{CODE}/edit").text


def test_a_day_of_opening_and_a_campaign_are_taken_out_again(desk: Any) -> None:
    later = {"opens_day": "2026-11-29", "opens_hour": "08:00", "campaign": "Rentrée"}
    send(desk, "/orders/new?supplier=PAP", {**FACTS, **later})
    assert (found().campaign, found().opens_at > NOW) == ("Rentrée", True)
    send(desk, f"/orders/{CODE}/edit", {**FACTS, "coordinator": "3"})
    assert (found().campaign, found().opens_at) == ("rentree-2027", NOW), "as where they were never typed"


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"title": ""}, "title"),
        ({"closes_day": "2020-01-01"}, "closes_day"),
        ({"closes_day": "99999-01-01"}, "closes_day"),
        ({"closes_day": "2026-03-29", "closes_hour": "02:30"}, "closes_day"),
        ({"code": "new"}, "code"),
        ({"opens_day": "2026-12-02", "opens_hour": "18:00"}, "closes_day"),
        ({"house": "STN"}, "house"),
        ({"first": ["NOBODY"]}, "first"),
    ],
)
def test_a_bad_draft_is_shown_again_and_nothing_is_lost(desk: Any, wrong: dict[str, Any], field: str) -> None:
    page = send(desk, "/orders/new?supplier=PAP", {**FACTS, "pickup": "Jeudi à 16 h", **wrong}, 422)
    assert f'id="{field}-error"' in page
    assert "Jeudi à 16 h" in page
    assert not db.session.scalars(select(GroupOrder)).all()


def test_the_assistant_compares_the_rules_and_a_top_up_is_seen_before_it_is_done(closed: Any) -> None:
    page = closed.get(f"/orders/{CODE}/assistant").text
    assert page.count('scope="col" class="num-wrap"') == 6, "the rules side by side, for all and for the article"
    assert "(−2)" in page
    path = f"/orders/{CODE}/adjust?act=more&sku=C1&units=8&organisation=MCNG"
    assert closed.get(path.replace("units=8", "units=huit")).status_code == 422
    page = closed.get(path).text
    assert "18,40" in page, "twenty at 0,92 €"
    assert reading.standing(db.session(), found()).lines["C1"].units == 10, "looked at, not done"
    what = {"act": "more", "sku": "C1", "units": "8", "organisation": "MCNG"}
    assert 'id="why-error"' in send(closed, path, what, 422)
    page = send(closed, path, {**what, "why": "Pour la réserve"})
    assert "Pour la réserve" in page
    assert reading.standing(db.session(), found()).lines["C1"].units == 20
    assert "Pour la réserve" in send(closed, path, {**what, "why": "Pour la réserve", "seen": "1"}, 409), "sent twice"
    assert reading.standing(db.session(), found()).lines["C1"].units == 20
    event = re.search(r"act=take_back&amp;event=(\d+)", page)
    assert event
    back = {"act": "take_back", "event": event[1], "why": "Trop"}
    send(closed, f"/orders/{CODE}/adjust?act=take_back&event={event[1]}", back)
    assert reading.standing(db.session(), found()).lines["C1"].units == 10


def test_the_rule_is_changed_with_a_reason(closed: Any) -> None:
    rule = {"act": "share", "sharing": "priority", "first": ["ECHECS"]}
    send(closed, f"/orders/{CODE}/adjust?act=share", rule, 422)
    send(closed, f"/orders/{CODE}/adjust?act=share", {**rule, "why": "Ils attendent depuis juin"})
    assert reading.standing(db.session(), found()).lines["C1"].allocations == {"CHORALE": 5, "ECHECS": 5}


def test_more_time_back_and_cancelled(closed: Any) -> None:
    when = {"closes_day": "2026-12-05", "closes_hour": "12:00"}
    assert 'id="why-error"' in step(closed, "extend", 422, **when)
    assert 'id="closes_day-error"' in step(closed, "extend", 422, closes_day="2020-01-01", closes_hour="12:00", why="x")
    step(closed, "extend", **when, why="Trop peu")
    assert found().state == "open"
    assert 'id="why-error"' in step(closed, "cancel", 422)
    step(closed, "cancel", why="Personne n’en veut")
    assert found().state == "cancelled"
    assert closed.get(f"/orders/{CODE}/step?act=open").status_code == 409


@pytest.mark.parametrize("path", ["adjust?act=more&sku=X", "adjust?act=fly", "step?act=send", "adjust?act=take_back"])
def test_what_is_not_there_is_not_found(closed: Any, path: str) -> None:
    assert closed.get(f"/orders/{CODE}/{path}").status_code == 404
