"""Preparing, closing and correcting a group order in a browser without scripts."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from sharebank.accounts import directory
from sharebank.core.db import db, transaction
from sharebank.exchange import import_bytes
from sharebank.notifications.service import Ended
from sharebank.orders import pledging, reading
from sharebank.orders.desk import desk_views
from sharebank.orders.life_models import OrderSending
from sharebank.orders.models import GroupOrder
from sharebank.orders.outgoing import sending
from sharebank.orders.supply.supplier_models import Supplier
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


def hidden(browser: Any, path: str) -> dict[str, str]:
    """What the form of a page brings back unseen: its token, and what it showed."""
    return hidden_of(browser.get(path).text)


def hidden_of(page: str) -> dict[str, str]:
    """The same of a page that is there."""
    token = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert token, page
    seen = re.search(r'name="seen" type="hidden" value="(.*?)">', page)
    return {"csrf_token": token[1]} | ({"seen": unescape(seen[1])} if seen else {})


def send(browser: Any, path: str, form: dict[str, Any] | None = None, status: int = 303) -> str:
    """Send a form with its page's token; the page that answers, after a redirect the one it leads to."""
    answer = browser.post(path, data={**hidden(browser, path), **(form or {})})
    assert answer.status_code == status, answer.text
    return str(browser.get(answer.location).text if status == 303 else answer.text)


def step(browser: Any, act: str, status: int = 303, **form: str) -> str:
    return send(browser, f"/orders/{CODE}/step?act={act}", {"act": act, **form}, status)


def pledge(body: str, sku: str, quantity: int) -> None:
    with transaction() as session:
        admin = directory.actor_of_email(session, "admin@example.org")
        assert admin
        pledging.pledge(session, admin, CODE, body, {sku: (quantity, quantity)}, NOW)


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


def edit(browser: Any, form: dict[str, Any], status: int = 409) -> str:
    answer = browser.post(f"/orders/{CODE}/edit", data=form)
    assert answer.status_code == status, answer.text
    return unescape(answer.text).replace("\u00a0", " ")


def value(page: str, name: str) -> str:
    found = re.search(rf'name="{name}"[^>]* value="([^"]*)"', page)
    assert found, page
    return found[1]


def test_two_who_change_the_facts_do_not_undo_each_other(desk: Any, signed_in: Callable[[str], Any]) -> None:
    send(desk, "/orders/new?supplier=PAP", FACTS)
    path, facts = f"/orders/{CODE}/edit", {**FACTS, "coordinator": "3"}
    slow = {**facts, **hidden(desk, path), "pickup": "Jeudi", "title": "Rentrée des classes"}
    other = signed_in("admin@example.org")
    send(other, path, {**facts, "pickup": "Vendredi", "closes_hour": "12:00", "joins": ["house"]})
    page = edit(desk, slow)
    assert (found().title, found().pickup, found().joins) == ("Rentrée 2027", "Vendredi", ["house"]), "nothing stored"
    assert (value(page, "title"), value(page, "pickup")) == ("Rentrée des classes", "Jeudi"), "nothing typed lost"
    assert re.search(r'id="pickup-error"[^/]*/span>[^<]*Vendredi', page), "both values"
    assert value(page, "closes_hour") == "12:00", "what was left alone goes on from the colleague's"
    assert re.search(r'id="closes_day-error".*?mardi 1er décembre 2026, 18:00', page, re.DOTALL)
    assert 'checked id="joins-0"' in page
    seen = re.search(r'name="seen"[^>]* value="(.*?)">', page)
    assert seen
    again = {**slow, "seen": seen[1], "closes_hour": "12:00", "joins": ["house"]}
    assert desk.post(path, data=again).status_code == 303, "whoever sends it once more means it"
    assert (found().title, found().pickup, found().joins) == ("Rentrée des classes", "Jeudi", ["house"])


def test_what_only_a_draft_lets_change_is_not_dropped_unsaid(desk: Any) -> None:
    send(desk, "/orders/new?supplier=PAP", FACTS)
    path = f"/orders/{CODE}/edit"
    slow = {**FACTS, **hidden(desk, path), "coordinator": "3", "closes_day": "2026-12-09", "pickup": "Jeudi"}
    step(desk, "open")
    page = edit(desk, slow)
    assert value(page, "pickup") == "Jeudi"
    assert "mercredi 9 décembre 2026, 18:00" in page, "what could not be stored is not lost"
    assert not re.search(r'name="(closes_day|house|joins)"', page)
    assert found().pickup == ""
    again = {**hidden_of(page), "title": "Rentrée 2027", "coordinator": "3", "pickup": "Jeudi"}
    assert desk.post(path, data=again).status_code == 303, "what may still change is stored by whoever sends it again"
    assert found().pickup == "Jeudi"


def test_what_changed_after_the_refusal_was_not_seen(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the refusal and the page that says so, a third one stores something."""
    send(desk, "/orders/new?supplier=PAP", FACTS)
    path, blame = f"/orders/{CODE}/edit", desk_views._blame
    slow = {**FACTS, **hidden(desk, path), "coordinator": "3", "pickup": "Jeudi"}

    def colleague(pickup: str) -> None:
        with transaction() as session:
            session.scalars(select(GroupOrder)).one().pickup = pickup

    def then_another(*refused: Any) -> int:
        colleague("Samedi")
        return blame(*refused)

    colleague("Vendredi")
    with monkeypatch.context() as third:
        third.setattr(desk_views, "_blame", then_another)
        page = edit(desk, slow)
    page = edit(desk, {**slow, **hidden_of(page)})
    assert "Samedi" in page
    assert found().pickup == "Samedi"


@pytest.mark.parametrize("seen", ["", "[]", "{", "[" * 3000, '{"title": "\\ud800"}', '{"closes_at": 5}'])
def test_a_form_that_does_not_say_what_it_showed_overwrites_nothing(desk: Any, seen: str) -> None:
    send(desk, "/orders/new?supplier=PAP", FACTS)
    form = {**FACTS, **hidden(desk, f"/orders/{CODE}/edit"), "coordinator": "3", "title": "Autre", "seen": seen}
    edit(desk, form)
    assert found().title == "Rentrée 2027"


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


def test_a_reason_stays_when_what_it_is_about_must_be_said_again(closed: Any) -> None:
    path, why = f"/orders/{CODE}/adjust?act=less&sku=C1", "Deux cahiers sont abîmés"
    what = {"act": "less", "sku": "C1", "organisation": "CHORALE", "units": "8", "why": why}
    for wrong in ({"units": "8"}, {"units": ""}, {"organisation": ""}):
        page = send(closed, path, what | wrong, 422)
        assert value(page, "why") == why
        assert page.index('name="why"') < page.index("Voir ce que cela change"), "in the form that is sent next"
    page = closed.get("/orders/" + CODE + "/adjust", query_string=what | {"units": "2"}).text
    assert value(page, "why") == why
    send(closed, path, what | {"units": "2"})
    replaced = send(
        closed, f"/orders/{CODE}/adjust?act=replace&sku=L1", {"act": "replace", "sku": "L1", "why": why}, 422
    )
    assert value(replaced, "why") == why


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


# -- cancelled once the supplier has it ------------------------------------------------------------------


@pytest.mark.parametrize("how", ["hand", "email"])
def test_who_cancels_an_order_reads_how_its_supplier_learns_of_it(closed: Any, how: str) -> None:
    with transaction() as session:
        supplier = session.scalars(select(Supplier)).one()
        supplier.email, supplier.phone = "ventes@example.org", "04 75 00 00 00"
    send(closed, f"/orders/{CODE}/sending", {"act": "send", "how": how, "to": "ventes@example.org"})
    if how == "email":
        with transaction() as session:
            one = session.scalars(select(OrderSending)).one()
            facts = {"order": CODE, "sending": one.id}
            sending.letter_ended(session, facts, Ended(taken=True, error="", at=NOW))
    before = closed.get(f"/orders/{CODE}/step?act=cancel").text
    after = step(closed, "cancel", why="Trop cher")
    page = closed.get(f"/orders/{CODE}/sending").text
    for said in (before, after, page):
        assert ('href="tel:0475000000"' in said) == (how == "hand"), "whom to call"
        assert ("ventes@example.org" in said.partition("<section")[0]) == (how == "email")
    history = closed.get(f"/orders/{CODE}/history").text
    assert ("version 1" in history) == (how == "email")
    assert '<p class="why">Trop cher</p>' in page, "whatever came after it"


def test_nobody_is_to_call_a_supplier_who_has_nothing(closed: Any) -> None:
    with transaction() as session:
        session.scalars(select(Supplier)).one().phone = "04 75 00 00 00"
    assert "tel:" not in closed.get(f"/orders/{CODE}/step?act=cancel").text
    assert "tel:" not in step(closed, "cancel", why="Trop cher")


# -- the list --------------------------------------------------------------------------------------------


def test_orders_of_one_campaign_stand_together(desk: Any) -> None:
    for title, campaign in (("Un", "Rentrée"), ("Deux", ""), ("Trois", "Rentrée"), ("Quatre", "Seule")):
        send(desk, "/orders/new?supplier=PAP", {**FACTS, "title": title, "campaign": campaign})
    page = desk.get("/orders").text
    parts = re.findall(r'<h2 id="now-\d">(.*?)</h2>(.*?)</section>', page, re.DOTALL)
    found = {re.sub(r"<.*|\s+", "", name): re.findall(r"<h3><a[^>]*>(\w+)<", orders) for name, orders in parts}
    assert [set(orders) for orders in found.values()] in (
        [{"Un", "Trois"}, {"Deux", "Quatre"}],
        [{"Deux", "Quatre"}, {"Un", "Trois"}],
    ), page
    assert [name for name in found if "Rentrée" in name]
    send(desk, "/orders/un-pap/step?act=cancel", {"act": "cancel", "why": "x"})
    page = desk.get("/orders").text
    assert 'id="now-' not in page, "nothing to put together: no headings"
