"""Suppliers and price lists on both databases: terms, versions, what changed, found fast."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal

import pytest
from flask import Flask
from sqlalchemy import event, select

from sharebank.accounts.actor import Actor
from sharebank.core.db import db, transaction
from sharebank.core.errors import ChangedMeanwhile, NotAllowed, NotFound, Refused
from sharebank.exchange import ImportRefused, export_text, import_bytes, prices_of_file
from sharebank.orders import lifecycle
from sharebank.orders.desk import making
from sharebank.orders.desk.making import Draft
from sharebank.orders.models import OrderItem
from sharebank.orders.supply import prices, suppliers
from sharebank.orders.supply.prices import Wish
from sharebank.orders.supply.supplier_models import PriceDraft, PriceList, Supplier
from tests import world
from tests.world import NOW

HEADING = (
    "supplier,sku,name,unit,pack_size,unit_price_excl_vat_eur,vat_rate,min_order_packs,price_breaks,labels,category"
)
FIRST = f"""{HEADING}
PAP,C1,Cahier recyclé,piece,10,0.92,20.0,1,100:0.874,recycled;ecolabel,cahiers
PAP,C2,Cahier grand,piece,10,1.58,20.0,1,,recycled,cahiers
PAP,L1,Livre,piece,1,12.00,5.5,1,,,livres
"""
SECOND = f"""{HEADING}
PAP,C1,Cahier recyclé,piece,12,0.96,20.0,1,,recycled;ecolabel,cahiers
PAP,L1,Livre,piece,1,11.00,5.5,1,,,livres
PAP,S1,Stylo,piece,50,0.20,20.0,1,,,écriture
"""


def take(kind: str, text: str) -> None:
    with transaction() as session:
        import_bytes(session, kind, "f.csv", text.encode(), NOW, world.PARIS)


@pytest.fixture
def stationer(app: Flask) -> None:
    """A stationer with a first price list, and a grocer without."""
    take("suppliers", "code,name\nPAP,Papeterie\nEPI,Épicerie\n")
    take("price-list", FIRST)


def supplier(code: str = "PAP") -> Supplier:
    return db.session.scalars(select(Supplier).where(Supplier.code == code)).one()


def newest() -> PriceList:
    found = prices.version(db.session(), supplier())
    assert found is not None
    return found


def found(**wish: str | int) -> list[str]:
    return [item.sku for item in prices.find(db.session(), newest(), Wish(**wish)).items]  # type: ignore[arg-type]


# -- suppliers -------------------------------------------------------------------------------------

TERMS = {"name": "Papeterie du Pont", "minimum_cents": 8000, "minimum_gross": True, "fee_vat": Decimal("5.5")}


def test_terms_are_changed_for_orders_to_come(stationer: None, actor: Callable[[str], Actor]) -> None:
    staff = actor("staff@example.org")
    with transaction() as session:
        draft = Draft("hiver", "Hiver", "PAP", "MCNG", NOW + timedelta(days=5))
        making.make_order(session, staff, draft, NOW)
        lifecycle.change(session, staff, "hiver", "open", NOW)
    seen = suppliers.mark(supplier())
    with transaction() as session:
        changed = suppliers.change(session, staff, "PAP", TERMS, seen)
        assert (changed.name, changed.minimum_cents, changed.minimum_gross) == ("Papeterie du Pont", 8000, True)
    with transaction() as session:
        order = lifecycle.change(session, staff, "hiver", "close", NOW)
        assert (order.terms["minimum_cents"], order.terms["fee_vat"]) == (0, "20"), "frozen when it opened"
    with pytest.raises(ChangedMeanwhile), transaction() as session:
        suppliers.change(session, staff, "PAP", {"name": "Autre"}, seen)
    assert supplier().name == "Papeterie du Pont"


def test_suppliers_are_the_affair_of_who_runs_orders(stationer: None, actor: Callable[[str], Actor]) -> None:
    member = actor("member@example.org")
    with pytest.raises(NotFound):
        suppliers.all_suppliers(db.session(), member)
    with pytest.raises(NotFound):
        suppliers.supplier_of_code(db.session(), member, "PAP")
    with pytest.raises(NotAllowed), transaction() as session:
        suppliers.add(session, member, "NEU", {"name": "Neuf"})
    listed = suppliers.all_suppliers(db.session(), actor("staff.stn@example.org"))
    assert [(one.supplier.code, one.prices is None) for one in listed] == [("PAP", False), ("EPI", True)]


@pytest.mark.parametrize(
    ("code", "why"), [("new", "bad_code"), ("N P", "bad_code"), ("é", "bad_code"), ("pap", "code_taken")]
)
def test_a_code_is_an_address_of_its_own(stationer: None, actor: Callable[[str], Actor], code: str, why: str) -> None:
    with pytest.raises(Refused) as refused, transaction() as session:
        suppliers.add(session, actor("staff@example.org"), code, {"name": "Neuf"})
    assert refused.value.code == why


# -- price lists -----------------------------------------------------------------------------------


def test_a_version_says_what_it_changed(stationer: None) -> None:
    first = newest()
    assert first.facts == {
        "articles": 3,
        "labels": ["ecolabel", "recycled"],
        "categories": ["cahiers", "livres"],
        "changes": {},
    }
    take("price-list", SECOND)
    assert newest().facts["changes"] == {"new": 1, "gone": 1, "dearer": 1, "cheaper": 1, "pack": 1, "breaks": 1}
    assert {change.sku: change.kinds for change in prices.changes(db.session(), newest())} == {
        "C1": ("dearer", "pack", "breaks"),
        "L1": ("cheaper",),
        "S1": ("new",),
        "C2": ("gone",),
    }
    history = prices.article(db.session(), supplier(), "C1").history
    assert [(one.version, listed.price) for one, listed in history] == [(2, Decimal("0.96")), (1, Decimal("0.92"))]
    assert prices.article(db.session(), supplier(), "C2").history[0][0].version == 1
    with pytest.raises(NotFound):
        prices.article(db.session(), supplier(), "X1")


def test_two_files_at_the_same_moment_become_two_versions(app: Flask, stationer: None) -> None:
    """While the first one is not stored yet, the second one waits, and is compared with it."""
    reached = threading.Event()

    def second() -> None:
        with app.app_context():
            take("price-list", SECOND)
            db.session.remove()

    def hear(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        waits = "INSERT INTO price_list" in statement or "FOR NO KEY UPDATE" in statement
        if waits and threading.current_thread() is not threading.main_thread():
            reached.set()

    event.listen(db.engine, "before_cursor_execute", hear)
    with ThreadPoolExecutor(1) as pool:
        with transaction() as session:
            import_bytes(session, "price-list", "f.csv", FIRST.replace("0.92", "0.93").encode(), NOW, world.PARIS)
            job = pool.submit(second)
            if session.get_bind().dialect.name == "postgresql":  # on SQLite it does not begin before we end
                assert reached.wait(20)
        job.result(60)
    event.remove(db.engine, "before_cursor_execute", hear)
    db.session.rollback()
    assert [one.version for one in prices.versions(db.session(), supplier())] == [3, 2, 1]
    changed = {change.sku for change in prices.changes(db.session(), newest())}
    assert changed == {"C1", "C2", "L1", "S1"}


def test_articles_are_found_by_words_labels_and_category(stationer: None) -> None:
    assert found() == ["C1", "C2", "L1"]
    assert found(q="CAHIERS recycle") == ["C1", "C2"], "labels are words too"
    assert found(q="grand cahier") == ["C2"]
    assert found(label="ecolabel") == ["C1"]
    assert found(label="eco") == [], "a label is a whole one"
    assert found(category="livres", q="c") == []
    assert found(q="100%") == []
    assert found(page=2) == []


def test_who_runs_orders_names_what_to_take_instead(stationer: None, actor: Callable[[str], Actor]) -> None:
    staff = actor("staff.stn@example.org")

    def name(sku: str, fallback: str, who: Actor = staff) -> None:
        with transaction() as session:
            prices.name_fallback(session, who, "PAP", sku, fallback)

    name("C1", "C2")
    db.session.expire_all()
    instead = prices.article(db.session(), supplier(), "C1").instead
    assert instead is not None
    assert instead.name == "Cahier grand"
    for bad in ("C1", "X9"):
        with pytest.raises(prices.UnknownFallback):
            name("C1", bad)
    with pytest.raises(NotFound):
        name("X9", "C1")
    with pytest.raises(NotFound):
        name("C2", "C1", actor("member@example.org"))
    with transaction() as session:
        draft = Draft("hiver", "Hiver", "PAP", "MCNG", NOW + timedelta(days=5))
        making.make_order(session, actor("staff@example.org"), draft, NOW)
    assert dict(db.session.execute(select(OrderItem.sku, OrderItem.fallback_sku)).all()) == {
        "C1": "C2",
        "C2": "",
        "L1": "",
    }
    # A list that does not speak of it leaves it, while both are sold.
    take("price-list", FIRST.replace("12.00", "12.50"))
    assert (newest().version, prices.article(db.session(), supplier(), "C1").now.fallback_sku) == (2, "C2")
    whole = export_text(db.session(), "price-list", world.PARIS)
    assert "fallback_sku" in whole
    take("price-list", whole)
    assert newest().version == 2
    take("price-list", SECOND)
    assert prices.article(db.session(), supplier(), "C1").now.fallback_sku == "", "what is gone replaces nothing"
    with pytest.raises(ImportRefused) as refused:
        take("price-list", f"{HEADING},fallback_sku\nPAP,C1,Cahier,piece,10,0.92,20.0,1,,,c,C9\n")
    assert [one.column for one in refused.value.problems] == ["fallback_sku"]


# -- a file that is looked at first ----------------------------------------------------------------


def read(text: str, code: str = "PAP") -> list[prices.Listed]:
    return prices_of_file(db.session(), code, "liste.csv", text.encode(), NOW, world.PARIS)[0]


def test_a_file_is_looked_at_then_kept_once(stationer: None, actor: Callable[[str], Actor]) -> None:
    staff, other = actor("staff@example.org"), actor("staff.stn@example.org")

    def lay_aside(who: Actor, text: str) -> int:
        with transaction() as session:
            return prices.put_draft(session, who, "PAP", "liste.csv", text.encode(), NOW).id

    def keep(who: Actor, draft: int, text: str) -> None:
        with transaction() as session:
            prices.keep_draft(session, who, "PAP", draft, read(text), NOW)

    mine, theirs = lay_aside(staff, SECOND), lay_aside(other, FIRST.replace("12.00", "12.50"))
    assert newest().version == 1, "looking keeps nothing"
    with pytest.raises(NotFound):
        keep(other, mine, SECOND)
    keep(staff, mine, SECOND)
    assert (newest().version, newest().by_id) == (2, staff.user_id)
    with pytest.raises(NotFound):
        keep(staff, mine, SECOND)
    with pytest.raises(prices.PricesChanged):
        keep(other, theirs, FIRST.replace("12.00", "12.50"))
    assert newest().version == 2
    with transaction() as session:
        prices.renew_draft(session, other, "PAP", theirs)
    keep(other, theirs, FIRST.replace("12.00", "12.50"))
    assert newest().version == 3
    with pytest.raises(prices.SamePrices):
        keep(staff, lay_aside(staff, FIRST.replace("12.00", "12.50")), FIRST.replace("12.00", "12.50"))
    with transaction() as session:
        late = NOW + prices.DRAFT_LIVES + timedelta(hours=1)
        prices.put_draft(session, other, "PAP", "l.csv", b"", late)
    assert db.session.scalars(select(PriceDraft.user_id)).all() == [other.user_id], "old ones are forgotten"


def test_a_file_need_not_name_its_supplier_and_may_not_name_another(stationer: None) -> None:
    assert [item.sku for item in read(SECOND.replace("PAP,", ","))] == [
        "C1",
        "L1",
        "S1",
    ]
    plain = "\n".join(line.partition(",")[2] for line in SECOND.splitlines())
    assert read(plain) == read(SECOND)
    with pytest.raises(prices.PricesRefused) as refused:
        read(SECOND.replace("PAP,S1", "EPI,S1").replace("11.00", "onze"))
    assert [(line, column, one.code) for line, column, one in refused.value.problems] == [
        (3, "unit_price_excl_vat_eur", "bad_price"),
        (4, "supplier", "other_supplier"),
    ]
    with pytest.raises(prices.PricesRefused) as refused:
        read(SECOND.replace("PAP,", "EPI,"), "EPI")
    assert [(line, one.code) for line, _, one in refused.value.problems] == [(2, "sku_elsewhere"), (3, "sku_elsewhere")]


@pytest.fixture
def asked(app: Flask) -> Iterator[list[str]]:
    """The statements the database is given."""
    heard: list[str] = []

    def hear(*facts: object) -> None:
        heard.append(str(facts[2]))

    event.listen(db.engine, "before_cursor_execute", hear)
    yield heard
    event.remove(db.engine, "before_cursor_execute", hear)


def test_a_long_list_asks_the_database_no_more_often_than_a_short_one(stationer: None, asked: list[str]) -> None:
    kinds = ("Cahier", "Stylo", "Classeur", "Enveloppe", "Bocal")
    rows = [
        f"PAP,A{n:05},{kinds[n % 5]} modèle {n},piece,10,{1 + n % 900 / 100:.2f},20,1,100:0.50,recycled,rayon {n % 40}"
        for n in range(2000)
    ]

    def statements(many: int) -> int:
        asked.clear()
        take("price-list", "\n".join([HEADING, *rows[:many]]))
        return len(asked)

    statements(20)  # the first list has none before it to be compared with
    assert statements(2000) == statements(40)
    take("price-list", "\n".join([HEADING, *rows]))
    wishes = {
        Wish(): 2000,
        Wish("cahier 123"): sum("123" in row for row in rows[::5]),
        Wish("modele 1999"): 1,
        Wish("rien du tout"): 0,
        Wish("stylo", "recycled", "rayon 1"): 50,
    }
    for wish, hits in wishes.items():
        asked.clear()
        list_now = newest()
        before = len(asked)
        assert prices.find(db.session(), list_now, wish).total == hits
        assert len(asked) - before <= 2, "it costs a page, not the list"
