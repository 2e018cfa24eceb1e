"""Reception on a phone and the invoice, as people meet them: forms, photos, refusals with nothing typed lost."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image
from sqlalchemy import select

from sharebank.accounts.actor import Actor
from sharebank.core.db import db, transaction
from sharebank.exchange import import_bytes
from sharebank.orders import lifecycle, pledging
from sharebank.orders.desk import making
from sharebank.orders.desk.making import Draft
from sharebank.orders.incoming import receiving
from sharebank.orders.life_models import OrderPhoto
from sharebank.orders.models import GroupOrder
from sharebank.orders.outgoing import sending
from tests import world
from tests.world import NOW

SUPPLIERS = """code,name,kind,min_order_eur_excl_vat,delivery_fee_eur,free_delivery_from_eur,lead_time_days
PAP,Papeterie,school_office,10.00,4.90,50.00,5
"""
PRICES = """supplier,sku,name,unit,pack_size,unit_price_excl_vat_eur,vat_rate,price_breaks,labels,category
PAP,C1,Cahier recyclé,piece,10,0.92,20.0,20:0.874,recycled,cahiers
PAP,L1,Livre,piece,1,12.00,5.5,,,livres
PAP,S1,Stylo,piece,1,1.00,20.0,,,stylos
"""
RECEPTION, INVOICE = "/orders/hiver/reception", "/orders/hiver/invoice"


@pytest.fixture
def staff(app: Flask, actor: Callable[[str], Actor], signed_in: Callable[[str], FlaskClient]) -> FlaskClient:
    """Who runs an order that was sent: 20 notebooks at 0.874 (12 and 8), one book, no pen."""
    runner, choir, chess = actor("staff@example.org"), actor("member@example.org"), actor("other@example.org")
    with transaction() as session:
        import_bytes(session, "suppliers", "s.csv", SUPPLIERS.encode(), NOW, world.PARIS)
        import_bytes(session, "price-list", "p.csv", PRICES.encode(), NOW, world.PARIS)
        making.make_order(session, runner, Draft("hiver", "Hiver", "PAP", "MCNG", NOW + timedelta(days=5)), NOW)
        lifecycle.change(session, runner, "hiver", "open", NOW)
        pledging.pledge(session, choir, "hiver", "CHORALE", {"C1": (12, 12)}, NOW)
        pledging.pledge(session, chess, "hiver", "ECHECS", {"C1": (6, 8)}, NOW)
        pledging.pledge(session, chess, "hiver", "ECHECS", {"L1": (1, 1)}, NOW)
        lifecycle.change(session, runner, "hiver", "close", NOW)
        sending.send(session, runner, "hiver", NOW, "hand")
    return signed_in("staff@example.org")


def send(browser: FlaskClient, path: str, **typed: Any) -> Any:
    """A form of the page, as it stands there but for what is typed, the CSRF token with it."""
    page = browser.get(path.partition("?")[0] if "photos" not in path else RECEPTION).text
    token = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert token
    return browser.post(path, data={"csrf_token": token[1], **typed})


def value(page: str, name: str) -> str:
    found = re.search(rf'name="{name}"[^>]*value="([^"]*)"|value="([^"]*)"[^>]*name="{name}"', page)
    assert found, name
    return found[1] or found[2] or ""


def here() -> GroupOrder:
    db.session.rollback()
    return db.session.scalars(select(GroupOrder).execution_options(populate_existing=True)).one()


def cell(sku: str, name: str) -> str:
    return f"l{next(item.id for item in here().items if item.sku == sku)}-{name}"


def photo() -> tuple[io.BytesIO, str]:
    out = io.BytesIO()
    Image.new("RGB", (64, 48), "red").save(out, "JPEG")
    return io.BytesIO(out.getvalue()), "bon.jpg"


def test_one_tap_when_all_is_there_and_a_second_tap_changes_nothing(staff: FlaskClient) -> None:
    page = staff.get(RECEPTION).text
    assert value(page, cell("C1", "came")) == "20"
    assert cell("S1", "came") not in page, "not ordered"
    answer = send(staff, RECEPTION, act="all", seen=value(page, "seen"))
    assert (answer.status_code, answer.headers["Location"]) == (303, RECEPTION)
    assert here().state == "received"
    assert send(staff, RECEPTION, act="all", seen="0").status_code == 409
    assert len(receiving.arrivals(db.session(), here())) == 1
    assert (
        "Tout est arrivé comme commandé" in staff.get(RECEPTION).text
        or "as it was ordered" in staff.get(RECEPTION).text
    )


def test_a_part_today_the_rest_later_short_and_damaged(staff: FlaskClient) -> None:
    typed = {cell("C1", "came"): "10", cell("L1", "came"): "", "seen": "0", "note": "Un carton sur deux"}
    assert send(staff, RECEPTION, act="part", **typed).status_code == 303
    page = staff.get(RECEPTION).text
    assert value(page, cell("C1", "came")) == "10", "what is still expected"
    assert "Un carton sur deux" in page
    answer = send(
        staff,
        RECEPTION,
        act="finish",
        seen=value(page, "seen"),
        **{
            cell("C1", "came"): "8",
            cell("C1", "damaged"): "1",
            cell("C1", "price"): "0,90",
            cell("L1", "came"): "1",
            "other": "S1",
            "other_received": "3",
        },
    )
    assert answer.status_code == 303
    counted = {item.sku: (item.received, item.damaged, item.invoiced_price) for item in here().items}
    assert counted == {"C1": (17, 1, Decimal("0.90")), "L1": (1, 0, None), "S1": (3, 0, None)}
    page = staff.get(RECEPTION).text
    assert "Chorale du Vieux-Lavoir" in page
    assert "Maison citoyenne" in page, "the pens nobody asked for stay with the house"


@pytest.mark.parametrize("act", [{"act": "other"}, {"act": "all", "part": "1"}])
def test_what_the_page_never_sends_finishes_nothing(staff: FlaskClient, act: dict[str, str]) -> None:
    assert send(staff, RECEPTION, **act).status_code == 404
    assert here().state == "sent"


def test_a_part_is_counted_anew(staff: FlaskClient) -> None:
    send(staff, RECEPTION, act="part", seen="0", **{cell("C1", "came"): "10"})
    (part,) = receiving.arrivals(db.session(), here())
    page = staff.get(f"{RECEPTION}?part={part.id}").text
    assert value(page, cell("C1", "came")) == "10"
    answer = send(staff, RECEPTION, part=part.id, seen=value(page, "seen"), **{cell("C1", "came"): "9"})
    assert answer.status_code == 303
    assert [one.counts for one in receiving.arrivals(db.session(), here())] == [{"C1": [9, 0, None]}]
    assert staff.get(f"{RECEPTION}?part=99").status_code == 404
    for nonsense in ("abc", "9" * 5000):
        assert staff.get(f"{RECEPTION}?part={nonsense}").status_code == 404


def test_a_bad_count_is_shown_again(staff: FlaskClient) -> None:
    for typed in ("-1", "2,5", "deux", "99999999999", "1e3"):
        answer = send(staff, RECEPTION, act="finish", seen="0", note="pluie", **{cell("C1", "came"): typed})
        assert answer.status_code == 422, typed
        assert value(answer.text, cell("C1", "came")) == typed
        assert value(answer.text, "note") == "pluie"
        assert "Cahier recyclé – " in answer.text, "the summary says which article"
    assert here().state == "sent"


def test_what_another_telephone_counted_is_seen_before_it_is_counted_twice(staff: FlaskClient) -> None:
    send(staff, RECEPTION, act="part", seen="0", **{cell("C1", "came"): "10"})
    answer = send(staff, RECEPTION, act="part", seen="0", **{cell("C1", "came"): "11"})
    assert answer.status_code == 409
    assert value(answer.text, cell("C1", "came")) == "11", "nothing typed is lost"
    assert len(receiving.arrivals(db.session(), here())) == 1


def test_the_delivery_note_is_photographed(
    staff: FlaskClient, signed_in: Callable[[str], FlaskClient], app: Flask
) -> None:
    where = "/orders/hiver/photos"
    assert send(staff, where, photos=photo()).status_code == 303
    assert send(staff, where).status_code == 422, "no photo"
    assert send(staff, where, photos=(io.BytesIO(b"%PDF-"), "bon.jpg")).status_code == 422
    (kept,) = db.session.scalars(select(OrderPhoto)).all()
    for name in (f"{kept.id}-{kept.sha256[:8]}.jpg", f"{kept.id}-{kept.sha256[:8]}-s.jpg"):
        answer = staff.get(f"{where}/{name}")
        assert (answer.status_code, answer.mimetype) == (200, "image/jpeg")
        assert signed_in("member@example.org").get(f"{where}/{name}").status_code == 404
    assert staff.get(f"{where}/{kept.id}-00000000.jpg").status_code == 404
    assert f"{where}/{kept.id}-{kept.sha256[:8]}-s.jpg" in staff.get(RECEPTION).text
    assert send(staff, f"{where}/{kept.id}/remove").status_code == 303
    db.session.rollback()
    assert not db.session.scalars(select(OrderPhoto)).all()


def test_it_is_for_who_runs_the_order(staff: FlaskClient, signed_in: Callable[[str], FlaskClient]) -> None:
    for who in ("member@example.org", "staff.stn@example.org"):
        browser = signed_in(who)
        assert {browser.get(path).status_code for path in (RECEPTION, INVOICE)} == {403}
    assert staff.get("/orders/none/reception").status_code == 404


GOOD = {"number": "F26-1", "day": "2026-12-03", "delivery": "4,90", "total": "39,52"}


def typed_lines(**other: str) -> dict[str, str]:
    lines = {("C1", "units"): "20", ("C1", "price"): "0,874", ("L1", "units"): "1", ("L1", "price"): "12"}
    return {cell(*where): text for where, text in lines.items()} | other


def test_an_invoice_that_agrees_is_three_things_to_type(staff: FlaskClient) -> None:
    assert "reception" in staff.get(INVOICE).text, "nothing to compare with yet"
    send(staff, RECEPTION, act="all", seen="0")
    page = staff.get(INVOICE).text
    assert (value(page, cell("C1", "units")), value(page, "delivery")) in {("20", "4,90"), ("20", "4.90")}
    assert send(staff, INVOICE, **typed_lines(), **GOOD).status_code == 303
    assert here().invoice["vat"] == {"5.5": 66, "20": 448}
    assert here().invoice["total_cents"] == 3952


def test_each_difference_is_shown_and_taken_over_with_a_reason(staff: FlaskClient) -> None:
    send(staff, RECEPTION, act="all", seen="0")
    lines = typed_lines(**{cell("C1", "amount"): "17,49"})
    wrong = {**GOOD, "total": "39,53"}
    assert send(staff, INVOICE, **lines, **wrong).status_code == 303
    page = staff.get(INVOICE).text
    key = 'name="taken" value="line:C1"'
    assert key in " ".join(page.split())
    assert value(page, cell("C1", "amount")) in {"17,49", "17.49"}
    assert value(page, "v1") == "", "VAT that follows from the lines goes on following them"
    answer = send(staff, INVOICE, **lines, **wrong, taken="line:C1")
    assert answer.status_code == 422, "no reason given"
    answer = send(staff, INVOICE, **lines, **wrong, taken="line:C1", why="arrondi par ligne")
    assert answer.status_code == 303
    assert here().invoice["taken"] == ["line:C1"]
    assert "arrondi par ligne" in staff.get(INVOICE).text
    assert send(staff, f"{INVOICE}/remove").status_code in (303, 400)


BAD = (
    ("total", ""),
    ("total", "abc"),
    ("total", "9" * 20),
    ("number", ""),
    ("number", "x" * 61),
    ("day", ""),
    ("day", "0001-01-01"),
    ("delivery", "-1"),
    ("v0", "1,234"),
)


def test_a_bad_invoice_is_shown_again(staff: FlaskClient) -> None:
    send(staff, RECEPTION, act="all", seen="0")
    for name, typed in BAD:
        answer = send(staff, INVOICE, **typed_lines(), **{**GOOD, "why": "gardé", name: typed})
        assert answer.status_code == 422, (name, typed)
        assert value(answer.text, cell("C1", "price")) == "0,874", "nothing typed is lost"
    assert here().invoice is None
