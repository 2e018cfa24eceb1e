"""Suppliers and price lists over HTTP: terms typed, a file looked at before it is kept, articles found."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from sharebank.core.db import db, transaction
from sharebank.exchange import import_bytes
from sharebank.orders.supply import prices
from sharebank.orders.supply.supplier_models import PriceDraft, PriceList, Supplier
from tests.world import NOW, PARIS

HEADING = "sku,name,pack_size,unit_price_excl_vat_eur,vat_rate,price_breaks,labels,category"
FIRST = f"""{HEADING}
C1,Cahier recyclé,10,0.92,20.0,100:0.874,recycled,cahiers
L1,Livre,1,12.00,5.5,,,livres
"""
SECOND = f"""{HEADING}
C1,Cahier recyclé,12,0.966,20.0,,recycled,cahiers
S1,Stylo <b>,50,0.20,20.0,,,stylos
"""
HOME = "/orders/suppliers/PAP"


@pytest.fixture
def desk(app: Flask, signed_in: Callable[[str], Any]) -> Any:
    """A member of the staff at a browser; a stationer with a price list."""
    app.config["WTF_CSRF_ENABLED"] = False
    rows = [f"PAP,{line}" if number else f"supplier,{line}" for number, line in enumerate(FIRST.splitlines())]
    with transaction() as session:
        import_bytes(session, "suppliers", "s.csv", b"code,name,kind\nPAP,Papeterie,school_office\n", NOW, PARIS)
        import_bytes(session, "price-list", "p.csv", "\n".join(rows).encode(), NOW, PARIS)
    return signed_in("staff@example.org")


def words(answer: Any, status: int = 200) -> str:
    """The page as it is read."""
    assert answer.status_code == status, answer.status_code
    text = re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", answer.text)))
    return text.replace("\u202f", " ").replace("\u00a0", " ")


def supplier(code: str = "PAP") -> Supplier:
    db.session.rollback()
    return db.session.scalars(select(Supplier).where(Supplier.code == code)).one()


def versions() -> list[int]:
    db.session.rollback()
    return sorted(db.session.scalars(select(PriceList.version)))


def upload(browser: Any, text: str | bytes) -> Any:
    raw = text.encode() if isinstance(text, str) else text
    return browser.post(f"{HOME}/prices/new", data={"file": (io.BytesIO(raw), "liste 2027.csv")})


FORM = {"name": "Papeterie du Pont", "kind": "school_office", "minimum_gross": "gross", "fee_vat": "5,5"}


def test_a_supplier_is_added_and_its_terms_are_changed(desk: Any) -> None:
    answer = desk.post(
        "/orders/suppliers/new",
        data={**FORM, "code": "NEU", "minimum_cents": "80", "fee_cents": "4,90", "labels": ["local", "organic"]},
    )
    assert (answer.status_code, answer.location) == (303, "/orders/suppliers/NEU")
    new = supplier("NEU")
    assert (new.minimum_cents, new.minimum_gross, new.fee_cents, new.free_from_cents) == (8000, True, 490, None)
    assert (str(new.fee_vat), new.labels, new.lead_days) == ("5.5", ["local", "organic"], 0)
    page = words(desk.get("/orders/suppliers/NEU"))
    assert "80,00 €" in page
    assert "4,90 €" in page
    seen = re.search(r'name="seen"[^>]*value="([^"]+)"', desk.get(f"{HOME}/edit").text)
    assert seen
    sent = {**FORM, "seen": seen[1], "free_from_cents": "0", "email": "ventes@example.org"}
    assert desk.post(f"{HOME}/edit", data=sent).status_code == 303
    assert (supplier().name, supplier().email, supplier().free_from_cents) == (
        "Papeterie du Pont",
        "ventes@example.org",
        0,
    )
    again = desk.post(f"{HOME}/edit", data={**sent, "name": "Autre nom"})
    assert (again.status_code, supplier().name) == (409, "Papeterie du Pont"), "somebody changed it meanwhile"
    assert "Autre nom" in again.text, "nothing typed is lost"


@pytest.mark.parametrize(
    "bad",
    [
        {"name": ""},
        {"fee_vat": ""},
        {"fee_vat": "101"},
        {"minimum_cents": "-1"},
        {"minimum_cents": "99999999999999"},
        {"minimum_cents": "beaucoup"},
        {"lead_days": "366"},
        {"email": "a@b"},
        {"kind": "nothing"},
        {"minimum_gross": "both"},
        {"labels": ["sold"]},
        {"name": "x" * 201},
        {"code": "new"},
        {"code": "a/b"},
        {"code": "PAP"},
    ],
)
def test_a_bad_value_stores_nothing(desk: Any, bad: dict[str, Any]) -> None:
    answer = desk.post("/orders/suppliers/new", data={**FORM, "code": "NEU", "city": "Bourg-de-Péage", **bad})
    assert answer.status_code in (409, 422)
    assert "error-summary" in answer.text
    assert "Bourg-de-Péage" in answer.text
    assert [one.code for one in db.session.scalars(select(Supplier))] == ["PAP"]


def test_members_and_strangers_see_nothing_of_it(desk: Any, signed_in: Callable[[str], Any]) -> None:
    member = signed_in("member@example.org")
    for path in ("", "/new", "/PAP", "/PAP/edit", "/PAP/prices", "/PAP/prices/new", "/PAP/articles/C1"):
        assert member.get(f"/orders/suppliers{path}").status_code == 404, path
    assert upload(member, SECOND).status_code == 404
    for path in ("/NONE", "/PAP/articles/X1", "/PAP/prices?version=9", "/PAP/prices/changes", "/PAP/prices/check/1"):
        assert desk.get(f"/orders/suppliers{path}").status_code == 404, path


def test_a_file_is_looked_at_before_it_is_kept(desk: Any, signed_in: Callable[[str], Any]) -> None:
    here = upload(desk, SECOND).location
    page = words(desk.get(here))
    assert versions() == [1]
    for said in ("Nouveau : 1", "Retiré du tarif : 1", "Plus cher : 1", "+5 %", "Cahier recyclé", "Stylo <b>"):
        assert said in page, said
    assert "Livre" not in words(desk.get(f"{here}?kind=new"))
    assert signed_in("staff.stn@example.org").get(here).status_code == 404, "another one's file"
    kept = desk.post(here, data={"act": "keep"})
    assert (kept.status_code, kept.location) == (303, f"{HOME}/prices")
    assert versions() == [1, 2]
    assert desk.post(here, data={"act": "keep"}).status_code == 404, "once"
    assert "0,966" in words(desk.get(f"{HOME}/prices"))
    old = words(desk.get(f"{HOME}/prices?version=1"))
    assert "Livre" in old
    assert "plus récents" in old
    assert "+5 %" in words(desk.get(f"{HOME}/prices/changes"))
    assert "Plus cher : 1" in words(desk.get(HOME))
    history = words(desk.get(f"{HOME}/articles/C1"))
    assert "0,966" in history
    assert "0,92" in history
    assert "n’est plus" in words(desk.get(f"{HOME}/articles/L1"))


def test_a_file_is_thrown_away_or_overtaken(desk: Any, signed_in: Callable[[str], Any]) -> None:
    here = upload(desk, SECOND).location
    assert desk.post(here, data={"act": "drop"}).status_code == 303
    assert desk.get(here).status_code == 404
    here = upload(desk, SECOND).location
    other = signed_in("staff.stn@example.org")
    assert other.post(upload(other, FIRST.replace("12.00", "13.00")).location, data={"act": "keep"}).status_code == 303
    late = desk.post(here, data={"act": "keep"})
    assert "Quelqu’un" in words(late, 409)
    assert versions() == [1, 2]
    assert desk.post(here, data={"act": "keep"}).status_code == 303, "now that it was seen beside the newest"
    assert versions() == [1, 2, 3]
    same = upload(desk, SECOND).location
    assert "rien à garder" in words(desk.get(same))
    assert desk.post(same, data={"act": "keep"}).status_code == 409


def test_a_file_with_mistakes_is_refused_line_by_line(desk: Any) -> None:
    bad = SECOND.replace("0.966", "cher").replace(",50,0.20", ",0,0.20")
    page = words(upload(desk, bad), 422)
    assert "2 unit_price_excl_vat_eur" in page
    assert "3 pack_size" in page
    assert "liste 2027.csv" in page
    for raw in (b"", b"\0\1\2", b"nom;prix\nCahier;1\n"):
        assert upload(desk, raw).status_code == 422
    assert desk.post(f"{HOME}/prices/new", data={}).status_code == 422
    assert versions() == [1]
    assert not db.session.scalars(select(PriceDraft)).all()


def test_what_a_spreadsheet_writes_is_read(desk: Any) -> None:
    """Windows-1252, semicolons and decimal commas: what Excel saves in France."""
    raw = FIRST.replace(",", ";").replace("0.92", "0,95").replace("\n", "\r\n").encode("cp1252")
    assert upload(desk, raw).status_code == 303
    assert "0,95" in words(desk.get(upload(desk, raw).location))


def test_articles_are_searched(desk: Any) -> None:
    def found(query: str) -> list[str]:
        return re.findall(rf'href="{HOME}/articles/([^"]+)"', desk.get(f"{HOME}/prices?{query}").text)

    assert found("") == ["C1", "L1"]
    assert found("q=cahiers") == ["C1"]
    assert found("label=recycled") == ["C1"]
    assert found("category=livres") == ["L1"]
    assert found("q=zzz") == found("page=2") == []
    assert desk.get(f"{HOME}/prices?category=none").status_code == 422
    assert desk.get(f"{HOME}/prices?q={'x' * 101}").status_code == 422


def test_what_to_take_instead_is_named(desk: Any) -> None:
    assert desk.post(f"{HOME}/articles/C1", data={"fallback": " L1 "}).status_code == 303
    assert prices.article(db.session(), supplier(), "C1").now.fallback_sku == "L1"
    answer = desk.post(f"{HOME}/articles/C1", data={"fallback": "C1"})
    assert (answer.status_code, "aria-invalid" in answer.text) == (422, True)
    assert desk.post(f"{HOME}/articles/C1", data={"fallback": ""}).status_code == 303
    assert prices.article(db.session(), supplier(), "C1").instead is None
