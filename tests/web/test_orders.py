"""The pledging pages over HTTP: what a page says, what it stores, what it never overwrites or shows."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from html import unescape
from threading import Barrier
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from werkzeug.datastructures import MultiDict

from sharebank.accounts.actor import Actor
from sharebank.accounts.models import Membership, Organisation, User
from sharebank.core.db import db, transaction
from sharebank.exchange import import_bytes
from sharebank.orders import lifecycle, pledging
from sharebank.orders.articles import PAGE
from sharebank.orders.desk import making
from sharebank.orders.desk.making import Draft
from sharebank.orders.models import GroupOrder, OrderItem, Pledge
from sharebank.orders.pledge_forms import PledgeSheet
from tests import world
from tests.world import NOW

CLOSES = NOW + timedelta(days=5)
SUPPLIERS = """code,name,kind,email,min_order_eur_excl_vat,delivery_fee_eur,free_delivery_from_eur,lead_time_days
PAP,Papeterie,school_office,ventes@example.org,100.00,4.90,150.00,5
"""
PRICES = """supplier,sku,name,unit,pack_size,unit_price_excl_vat_eur,vat_rate,price_breaks,labels,category
PAP,C1,Cahier recyclé,piece,10,0.92,20.0,100:0.874,recycled;ecolabel,cahiers
PAP,C2,Cahier simple,piece,10,0.50,20.0,,,cahiers
PAP,L1,Livre <b>de</b> l'été,piece,1,12.00,5.5,20:10.00,local,livres
PAP,P1,Papier,ream,5,4.00,20.0,50:2.00,recycled,papier
"""


@pytest.fixture
def order(app: Flask, actor: Callable[[str], Actor]) -> str:
    """An open order for four articles."""
    for kind, text in (("suppliers", SUPPLIERS), ("price-list", PRICES)):
        with transaction() as session:
            import_bytes(session, kind, "f.csv", text.encode(), NOW, world.PARIS)
    staff = actor("staff@example.org")
    with transaction() as session:
        making.make_order(session, staff, Draft("hiver", "Fournitures d'hiver", "PAP", "MCNG", CLOSES), NOW)
        session.scalars(select(OrderItem).where(OrderItem.sku == "C1")).one().fallback_sku = "C2"
        lifecycle.change(session, staff, "hiver", "open", NOW)
    return "hiver"


def pledge(actor: Actor, organisation: str, sku: str, quantity: int, most: int | None = None) -> None:
    with transaction() as session:
        pledging.pledge(session, actor, "hiver", organisation, {sku: (quantity, most or quantity)}, NOW)


def page(browser: Any, address: str = "/orders/hiver", status: int = 200) -> str:
    answer = browser.get(address)
    assert answer.status_code == status
    return words(answer)


def words(answer: Any) -> str:
    """What a reader reads, its spaces plain, inputs and marks gone."""
    text = re.sub(r"<[^>]+>", " ", answer.text)
    return re.sub(r"\s+", " ", unescape(text))


def form(browser: Any, address: str = "/orders/hiver") -> dict[str, str]:
    """The pledging form as a browser would send it back untouched."""
    text = browser.get(address).text
    inside = text[text.index('class="pledges"') :]
    return fields(inside)


def fields(text: str) -> dict[str, str]:
    """Names and values of a page's inputs."""
    found = {}
    for one in re.findall(r"<input[^>]+>", text):
        facts = dict(re.findall(r'(\w+)="([^"]*)"', one))
        if facts.get("type") != "checkbox":
            found[unescape(facts["name"])] = unescape(facts.get("value", ""))
    return found


def typed(text: str) -> set[str]:
    """Which articles can be pledged on a page."""
    return {name[2:] for name in fields(text) if name.startswith("q:")}


def send(browser: Any, address: str = "/orders/hiver/pledges", /, **written: Any) -> Any:
    """Type into the form one has seen: `q_C1=3` is the quantity of C1, `m_C1` what one accepts."""
    seen = written.pop("seen", None) or form(browser)
    return browser.post(address, data=seen | {name.replace("_", ":", 1): value for name, value in written.items()})


def stored() -> dict[tuple[str, str], tuple[int, int]]:
    db.session.rollback()
    rows = db.session.execute(
        select(Organisation.code, OrderItem.sku, Pledge.quantity, Pledge.accept_up_to)
        .join(Pledge, Pledge.organisation_id == Organisation.id)
        .join(OrderItem)
    )
    return {(code, sku): (quantity, most) for code, sku, quantity, most in rows}


@pytest.fixture
def member(signed_in: Callable[[str], Any], order: str) -> Any:
    """The choir's browser."""
    return signed_in("member@example.org")


# -- reading what was typed --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seen", "quantity", "most", "wanted"),
    [
        ("", "3", "", (3, 3)),
        ("", "3", "5", (3, 5)),
        ("", "", "5", (0, 5)),
        ("", "1 200", "", (1200, 1200)),
        ("3,5", "3", "5", None),
        ("3,5", "4", "5", (4, 5)),
        ("3,5", "8", "5", (8, 8)),  # the second number was not touched: it follows
        ("3,5", "", "5", (0, 0)),  # taken back whole
        ("3,5", "0", "5", (0, 0)),
        ("3,5", "0", "4", (0, 4)),
        ("3,5", "3", "", (3, 3)),
        ("3,3", "4", "", (4, 4)),
        ("0,5", "0", "5", None),
        ("", "4", "3", "cannot be less"),
        ("", "2,5", "", "whole number"),
        ("", "-1", "", "whole number"),
        ("", "1e3", "", "whole number"),
        ("", "1000001", "", "whole number"),
        ("", "9" * 40, "", "whole number"),
        ("", "1", "many", "whole number"),
    ],
)
def test_a_line_of_the_form(seen: str, quantity: str, most: str, wanted: Any) -> None:
    known = f'{{"C1":[{seen}]}}' if seen else "{}"
    sheet = PledgeSheet(MultiDict({"seen": known, "q:C1": quantity, "m:C1": most}))
    if isinstance(wanted, str):
        assert wanted in sheet.errors["C1"]
        assert not sheet.wanted
    else:
        assert not sheet.errors
        assert sheet.wanted.get("C1") == wanted


@pytest.mark.parametrize("seen", ["", "rubbish", "[]", '{"C1":3}', '{"C1":["a",2]}', "[" * 5000])
def test_what_cannot_be_read_was_not_seen(seen: str) -> None:
    assert PledgeSheet(MultiDict({"seen": seen, "q:C1": "2"})).seen == {}


# -- the page ----------------------------------------------------------------------------------------


def test_the_page_says_how_full_each_article_is(app: Flask, member: Any, actor: Callable[[str], Actor]) -> None:
    pledge(actor("other@example.org"), "ECHECS", "C1", 5, 7)
    pledge(actor("other@example.org"), "ECHECS", "L1", 15)
    pledge(actor("other@example.org"), "ECHECS", "P1", 45)
    said = page(member)
    assert "encore 3 pour le carton" in said
    assert "À défaut : Cahier simple" in said
    assert "Livre <b>de</b> l'été" in said, "a name is a name"
    assert "encore 5 pour passer à 10,00 € : −30,00 € pour tous" in said
    assert "En commander plus coûte moins : avec 5 de plus, à 2,00 €, tous ensemble paient 80,00 € de moins" in said
    assert "commandé à partir de 10" in said, "C2: nobody asked"
    assert "Le minimum du fournisseur est atteint" in said
    assert "ferme dans 5 jours" in said


def test_ones_own_total_and_what_packs_take_away(app: Flask, member: Any, actor: Callable[[str], Actor]) -> None:
    choir = actor("member@example.org")
    pledge(choir, "CHORALE", "L1", 2)
    pledge(choir, "CHORALE", "C1", 4)
    said = page(member)
    # 24.00 net, delivery 4.90; VAT 5.5 % of 24.00, 20 % of 4.90.
    assert "Chorale du Vieux-Lavoir : 31,20 € TTC" in said
    assert "cartons incomplets : 3,68 € HT en moins" in said
    assert "4 × Cahier recyclé : 3,68 € HT" in said
    assert "Pour l’instant, vous en recevrez 0 sur les 4 demandés" in said
    assert "encore 76,00 € pour le minimum du fournisseur" in said
    assert "offerte dès 150,00 € HT de marchandises : encore 126,00 €" in said


FOUND = {
    "": {"C1", "C2", "L1", "P1"},
    "q=cahiers": {"C1", "C2"},
    "q=RECYCL%C3%89+cahier": {"C1"},
    "label=recycled": {"C1", "P1"},
    "label=recycled&label=ecolabel": {"C1"},
    "label=%25": set(),
    "category=livres": {"L1"},
    "q=cahier&label=recycled&category=cahiers&show=all": {"C1"},
    "show=mine": {"L1"},
    "show=fill": {"C2"},
    "q=_": set(),
    "page=99": {"C1", "C2", "L1", "P1"},
    "show=fill&page=2": {"C2"},
    "page=0&q=l1": {"L1"},
    "structure=ECHECS&page=x": {"C1", "C2", "L1", "P1"},
}


def test_articles_are_found(member: Any, actor: Callable[[str], Actor]) -> None:
    assert "Vous ne prenez rien dans cette commande" in page(member, "/orders/hiver?show=mine")
    pledge(actor("member@example.org"), "CHORALE", "L1", 2)
    pledge(actor("other@example.org"), "ECHECS", "C2", 4)
    assert {query: typed(member.get(f"/orders/hiver?{query}").text) for query in FOUND} == FOUND
    assert "Aucun article ne convient" in page(member, "/orders/hiver?q=zzz")


def test_a_long_list_comes_in_light_pages(app: Flask, member: Any) -> None:
    with transaction() as session:
        order_id = session.scalars(select(GroupOrder.id)).one()
        item = {"name": "Chemise à élastique 3 rabats carte recyclée, couleurs assorties", "unit": "piece", "pack": 10}
        for number in range(PAGE + 3):
            price = {"price": Decimal("1.12"), "vat": Decimal(20), "breaks": [[100, "1.06"], [400, "1.01"]]}
            session.add(
                OrderItem(order_id=order_id, sku=f"Z{number}", labels=["recycled", "ecolabel"], **item, **price)
            )
    first = member.get("/orders/hiver")
    assert len(first.data) < 60_000
    second = member.get("/orders/hiver?page=2").text
    both = [typed(text) for text in (first.text, second)]
    assert [len(page) for page in both] == [PAGE, 7]
    assert len({*both[0], *both[1]}) == PAGE + 7
    answer = send(member, "/orders/hiver/pledges?q=chemise", q_Z0="3", go="next")
    assert answer.status_code == 303
    assert answer.location.endswith("/orders/hiver?structure=CHORALE&q=chemise&page=2")


# -- storing -------------------------------------------------------------------------------------------


def test_only_what_was_changed_is_stored(app: Flask, member: Any, actor: Callable[[str], Actor]) -> None:
    pledge(actor("member@example.org"), "CHORALE", "L1", 2)
    answer = send(member, q_C1="4", m_C1="9", q_P1="")
    assert answer.status_code == 303
    assert stored() == {("CHORALE", "L1"): (2, 2), ("CHORALE", "C1"): (4, 9)}
    assert "C’est noté : 1 article modifié" in page(member, answer.location)
    assert send(member, q_L1="").status_code == 303
    assert stored() == {("CHORALE", "C1"): (4, 9)}
    assert "Rien n’a changé" in page(member, send(member).location)


def test_a_slip_stores_nothing_and_loses_nothing(app: Flask, member: Any) -> None:
    answer = send(member, q_C1="4", q_C2="douze", q_P1="5", m_P1="3")
    assert answer.status_code == 422
    said = words(answer)
    assert "Cahier simple : Écrivez un nombre entier entre 0 et 1 000 000." in said
    assert "Papier : Vous ne pouvez pas accepter moins que ce que vous demandez." in said
    kept = fields(answer.text)
    assert (kept["q:C1"], kept["q:C2"]) == ("4", "douze")
    assert stored() == {}


def test_a_colleagues_change_is_never_overwritten_unseen(
    app: Flask, member: Any, actor: Callable[[str], Actor]
) -> None:
    staff = actor("staff@example.org")  # of the choir's house: pledges for it too
    pledge(staff, "CHORALE", "L1", 2)
    pledge(staff, "CHORALE", "C2", 10)
    seen = form(member)
    pledge(staff, "CHORALE", "L1", 7, 9)
    pledge(staff, "CHORALE", "C2", 20)
    answer = send(member, seen=seen, q_L1="3", q_C1="10")
    assert answer.status_code == 409
    assert stored() == {("CHORALE", "L1"): (7, 9), ("CHORALE", "C2"): (20, 20)}, "all or nothing"
    assert "Staff Test a noté 7, jusqu’à 9, le samedi 21 novembre 2026" in words(answer)
    again = fields(answer.text)
    assert (again["q:L1"], again["q:C1"]) == ("3", "10")
    # Having seen it, they may: and what they did not touch stays the colleague's.
    assert member.post("/orders/hiver/pledges", data=again).status_code == 303
    assert stored() == {("CHORALE", "L1"): (3, 3), ("CHORALE", "C1"): (10, 10), ("CHORALE", "C2"): (20, 20)}


def test_two_colleagues_at_the_same_moment(app: Flask, member: Any, signed_in: Callable[[str], Any]) -> None:
    staff, gate = signed_in("staff@example.org"), Barrier(2)
    mine, theirs = form(member), form(staff, "/orders/hiver?structure=CHORALE")

    def press(browser: Any, seen: dict[str, str], quantity: str) -> int:
        gate.wait(20)
        return int(send(browser, seen=seen, q_L1=quantity).status_code)

    with ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(press, member, mine, "3"), pool.submit(press, staff, theirs, "8")]
        answers = [job.result() for job in jobs]
    assert sorted(answers) == [303, 409], "one is stored, the other one hears of it"
    kept = (3, 3) if answers[0] == 303 else (8, 8)
    assert stored() == {("CHORALE", "L1"): kept}


def test_the_same_change_twice_is_one(app: Flask, member: Any) -> None:
    seen = form(member)
    assert send(member, seen=seen, q_L1="3").status_code == 303
    assert send(member, seen=seen, q_L1="3").status_code == 303, "sent twice by an impatient finger"
    assert stored() == {("CHORALE", "L1"): (3, 3)}


def test_too_late_says_so_and_shows_what_was_typed(app: Flask, member: Any, actor: Callable[[str], Actor]) -> None:
    seen = form(member)
    with transaction() as session:
        lifecycle.change(session, actor("staff@example.org"), "hiver", "close", NOW)
    answer = send(member, seen=seen, q_L1="3")
    assert answer.status_code == 409
    assert "on ne peut plus rien y demander" in words(answer)
    assert "Non enregistré : 3" in words(answer)
    assert not typed(answer.text)
    assert stored() == {}


def test_for_whom_one_pledges(app: Flask, member: Any, signed_in: Callable[[str], Any]) -> None:
    seen = form(member)
    assert 'id="structure"' not in member.get("/orders/hiver").text, "one structure: nothing to choose"
    answer = send(member, seen=seen | {"structure": "ECHECS"}, q_L1="3")
    assert answer.status_code == 422
    staff = signed_in("staff@example.org")
    choices = re.findall(r'<option value="([A-Z]+)"', staff.get("/orders/hiver").text)
    assert choices == ["MCNG", "CHORALE"], "their house, then its structures"
    theirs = form(staff, "/orders/hiver?structure=CHORALE")
    assert theirs["structure"] == "CHORALE"
    assert send(staff, seen=theirs, q_L1="3").status_code == 303
    assert stored() == {("CHORALE", "L1"): (3, 3)}


def test_an_order_for_others_is_looked_at(app: Flask, member: Any, signed_in: Callable[[str], Any]) -> None:
    with transaction() as session:
        session.scalars(select(GroupOrder)).one().joins = ["house:MCNG"]
        both = session.scalars(select(User).where(User.email == "member@example.org")).one()
        chess = session.scalars(select(Organisation).where(Organisation.code == "ECHECS")).one()
        both.memberships.append(Membership(organisation=chess, role="member"))
    other = signed_in("other@example.org")
    assert "Cette commande est pour d’autres" in page(other)
    assert not typed(other.get("/orders/hiver").text)
    assert "Cette commande est pour d’autres" in page(other, "/orders")
    assert form(member)["structure"] == "CHORALE", "of two structures only one may join"


# -- the list and the history ------------------------------------------------------------------------


def test_the_list_of_orders(app: Flask, member: Any, actor: Callable[[str], Actor]) -> None:
    staff = actor("staff@example.org")
    with transaction() as session:
        making.make_order(session, staff, Draft("secret", "Brouillon", "PAP", "MCNG", CLOSES), NOW)
    said = page(member, "/orders")
    assert "Fournitures d'hiver" in said
    assert "Vous n’avez encore rien demandé" in said
    assert "Brouillon" not in said
    page(member, "/orders/secret", 404)
    page(member, "/orders/secret/history", 404)
    assert member.post("/orders/secret/pledges", data=form(member)).status_code == 404
    pledge(actor("member@example.org"), "CHORALE", "L1", 2)
    assert "Chorale du Vieux-Lavoir : 1 article" in page(member, "/orders")


def test_the_history_shows_ones_own_and_the_staff_everything(
    app: Flask, member: Any, signed_in: Callable[[str], Any], actor: Callable[[str], Actor]
) -> None:
    pledge(actor("member@example.org"), "CHORALE", "L1", 2, 4)
    pledge(actor("staff@example.org"), "CHORALE", "L1", 1)
    pledge(actor("other@example.org"), "ECHECS", "C1", 33)
    mine = page(member, "/orders/hiver/history")
    assert "Member Test Chorale du Vieux-Lavoir Livre <b>de</b> l'été L1 rien 2 (jusqu’à 4)" in mine
    assert "Staff Test Chorale du Vieux-Lavoir Livre <b>de</b> l'été L1 2 (jusqu’à 4) 1" in mine
    assert "Ouverte – Staff Test" in mine
    assert "Échiquier" not in mine
    assert "Other" not in mine
    for email in ("staff@example.org", "staff.stn@example.org", "admin@example.org"):
        assert "Échiquier romanais Cahier recyclé C1 rien 33" in page(signed_in(email), "/orders/hiver/history")
    assert "Échiquier" not in page(signed_in("staff@example.org"), "/orders/hiver/history?structure=CHORALE")
    assert page(member, "/orders/hiver/history?before=99999999999999999999")


def test_places_are_those_that_make_sense(app: Flask, member: Any, signed_in: Callable[[str], Any]) -> None:
    def places(browser: Any) -> list[str]:
        inside = re.search(r'class="order-tabs.*?</nav>', browser.get("/orders/hiver").text, re.DOTALL)
        assert inside
        return re.findall(r">([^<>\n]+)</a>", inside[0])

    staff = signed_in("staff@example.org")
    assert places(member) == ["Articles", "Historique"]
    assert places(staff) == ["Articles", "Préparer", "Historique"]
    with transaction() as session:
        session.scalars(select(GroupOrder)).one().state = "received"
    assert places(member) == ["Articles", "Comptes", "Historique"]
    assert places(staff) == ["Articles", "Préparer", "Envoi", "Réception", "Facture", "Comptes", "Historique"]


@pytest.mark.parametrize(
    "seen", ['{"C1":[1e999,1]}', '{"\\ud800":[1,1]}', '{"C1":[[],{}]}', "[1]", '{"C1":3}', "[" * 9999]
)
def test_what_no_page_of_ours_showed_counts_as_nothing_seen(
    order: str, actor: Callable[[str], Actor], signed_in: Callable[[str], Any], seen: str
) -> None:
    pledge(actor("member@example.org"), "CHORALE", "C1", 3)
    browser = signed_in("member@example.org")
    for typed, status in (("x", 422), ("5", 409)):
        sent = {**form(browser), "seen": seen, "q:C1": typed}
        assert browser.post("/orders/hiver/pledges", data=sent).status_code == status
    assert db.session.scalars(select(Pledge.quantity)).all() == [3]
