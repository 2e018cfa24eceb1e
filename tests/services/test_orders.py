"""Group orders on both databases: pledging, the closing minute, import, standing, versions."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import event, func, select, text
from sqlalchemy.exc import DatabaseError

from sharebank.accounts.actor import Actor
from sharebank.accounts.models import Organisation
from sharebank.core.db import db, transaction
from sharebank.core.errors import NotAllowed, NotFound, Refused
from sharebank.demo.loader import FOLDER
from sharebank.demo.orders import load_orders
from sharebank.exchange import ImportRefused, export_text, import_bytes
from sharebank.notifications.models import Letter
from sharebank.orders import lifecycle, pledging, reading, ticking
from sharebank.orders.desk import making
from sharebank.orders.desk.making import Draft
from sharebank.orders.life_models import OrderEvent, OrderVersion
from sharebank.orders.models import GroupOrder, OrderItem, Pledge, PledgeChange
from sharebank.orders.summary import summary
from sharebank.orders.supply.supplier_models import PriceList
from tests import world
from tests.world import NOW

DATA = Path(__file__).parent.parent / "data"
CLOSES = NOW + timedelta(days=5)
SUPPLIERS = """code,name,kind,email,min_order_eur_excl_vat,delivery_fee_eur,free_delivery_from_eur,lead_time_days
PAP,Papeterie,school_office,ventes@example.org,10.00,4.90,50.00,5
"""
PRICES = """supplier,sku,name,unit,pack_size,unit_price_excl_vat_eur,vat_rate,price_breaks,labels,category
PAP,C1,Cahier recyclé,piece,10,0.92,20.0,100:0.874,recycled,cahiers
PAP,L1,Livre,piece,1,12.00,5.5,,,livres
"""


def take(kind: str, text: str | bytes, now: datetime = NOW) -> None:
    raw = text.encode() if isinstance(text, str) else text
    with transaction() as session:
        import_bytes(session, kind, "f.csv", raw, now, world.PARIS)


@pytest.fixture
def order(app: Flask, actor: Callable[[str], Actor]) -> str:
    """An open order at a stationer's, for two articles."""
    take("suppliers", SUPPLIERS)
    take("price-list", PRICES)
    staff = actor("staff@example.org")
    with transaction() as session:
        making.make_order(session, staff, Draft("hiver", "Fournitures", "PAP", "MCNG", CLOSES), NOW)
        lifecycle.change(session, staff, "hiver", "open", NOW)
    return "hiver"


def pledge(
    actor: Actor, organisation: str, sku: str, quantity: int, most: int | None = None, now: datetime = NOW
) -> None:
    with transaction() as session:
        pledging.pledge(session, actor, "hiver", organisation, {sku: (quantity, most or quantity)}, now)


def standing() -> reading.Standing:
    db.session.rollback()  # what others wrote meanwhile
    found = db.session.scalars(select(GroupOrder)).one()
    return reading.standing(db.session(), found)


def test_pledges_are_set_changed_and_taken_back(app: Flask, order: str, actor: Callable[[str], Actor]) -> None:
    member, other = actor("member@example.org"), actor("other@example.org")
    pledge(member, "CHORALE", "C1", 7, 9)
    assert summary(standing())["items"][0]["units"] == 0, "the pack is not full"
    pledge(other, "ECHECS", "C1", 2)
    found = summary(standing())
    assert found["items"][0] == {
        "sku": "C1",
        "firm": 9,
        "room": 2,
        "packs": 1,
        "units": 10,
        "unit_price": "0.92",
        "goods_cents": 920,
        "allocations": {"CHORALE": 8, "ECHECS": 2},
    }
    assert found["invoice"] == {"goods_cents": 920, "vat_cents": 282, "delivery_cents": 490, "total_cents": 1692}
    assert not found["minimum_reached"]
    pledge(member, "CHORALE", "C1", 0)
    assert summary(standing())["shares"] == {}
    changes = db.session.execute(select(PledgeChange.before, PledgeChange.after).order_by(PledgeChange.id)).all()
    assert changes == [([], [7, 9]), ([], [2, 2]), ([7, 9], [0, 0])], "each change is kept"


@pytest.mark.parametrize(
    ("who", "organisation", "sku", "quantity", "most", "why"),
    [
        ("member@example.org", "ECHECS", "C1", 1, 1, pledging.MayNotJoin),
        ("member@example.org", "NOBODY", "C1", 1, 1, pledging.MayNotJoin),
        ("member@example.org", "CHORALE", "X1", 1, 1, pledging.UnknownArticle),
        ("member@example.org", "CHORALE", "C1", 2, 1, pledging.BadPledge),
        ("member@example.org", "CHORALE", "C1", -1, 1, pledging.BadPledge),
        ("member@example.org", "CHORALE", "C1", 1, pledging.MOST + 1, pledging.BadPledge),
    ],
)
def test_a_bad_pledge_stores_nothing(
    app: Flask,
    order: str,
    actor: Callable[[str], Actor],
    who: str,
    organisation: str,
    sku: str,
    quantity: int,
    most: int,
    why: type[Refused],
) -> None:
    with pytest.raises(why):
        pledge(actor(who), organisation, sku, quantity, most)
    assert not db.session.scalar(select(func.count(Pledge.id)))


def test_staff_of_its_house_may_pledge_for_an_association(
    app: Flask, order: str, actor: Callable[[str], Actor]
) -> None:
    pledge(actor("staff@example.org"), "CHORALE", "L1", 1)
    with pytest.raises(pledging.MayNotJoin):
        pledge(actor("staff@example.org"), "ECHECS", "L1", 1)


def test_an_order_for_some_is_not_for_others(app: Flask, order: str, actor: Callable[[str], Actor]) -> None:
    with transaction() as session:
        session.scalars(select(GroupOrder)).one().joins = ["house:MCNG"]
    pledge(actor("member@example.org"), "CHORALE", "L1", 1)
    with pytest.raises(pledging.MayNotJoin):
        pledge(actor("other@example.org"), "ECHECS", "L1", 1)


def test_nothing_comes_after_the_close(app: Flask, order: str, actor: Callable[[str], Actor]) -> None:
    member = actor("member@example.org")
    pledge(member, "CHORALE", "L1", 1, now=CLOSES - timedelta(seconds=1))
    with pytest.raises(pledging.OrderClosed):
        pledge(member, "CHORALE", "L1", 2, now=CLOSES)
    with transaction() as session:
        assert ticking.look_after_orders(session, CLOSES)["orders_closed"] == 1
    with transaction() as session:
        assert ticking.look_after_orders(session, CLOSES + timedelta(days=2))["orders_closed"] == 0, "once"
    db.session.expire_all()
    with pytest.raises(pledging.OrderClosed):
        pledge(member, "CHORALE", "L1", 2)
    letters = db.session.scalars(select(Letter.to_address).where(Letter.template == "order_closed")).all()
    assert letters == ["member@example.org"]


def test_the_database_has_the_last_word(app: Flask, order: str, actor: Callable[[str], Actor]) -> None:
    pledge(actor("member@example.org"), "CHORALE", "L1", 1)
    with transaction() as session:
        lifecycle.change(session, actor("staff@example.org"), "hiver", "close", NOW)
    columns = "order_id, item_id, organisation_id, quantity, accept_up_to, at"
    echecs = "(SELECT id FROM organisation WHERE code = 'ECHECS')"
    for statement in (
        "UPDATE pledge SET quantity = 5, accept_up_to = 5",
        "DELETE FROM pledge",
        f"INSERT INTO pledge ({columns}) SELECT {columns.replace('organisation_id', echecs)} FROM pledge",
    ):
        with pytest.raises((DatabaseError, Refused)), transaction() as session:
            session.execute(text(statement))
    assert db.session.scalars(select(Pledge.quantity)).all() == [1]


def test_a_pledge_is_about_an_article_of_its_order(app: Flask, order: str, actor: Callable[[str], Actor]) -> None:
    staff = actor("staff@example.org")
    with transaction() as session:
        making.make_order(session, staff, Draft("autre", "Autre", "PAP", "MCNG", CLOSES), NOW)
        lifecycle.change(session, staff, "autre", "open", NOW)
    with pytest.raises((DatabaseError, Refused)), transaction() as session:
        session.execute(
            text(
                "INSERT INTO pledge (order_id, item_id, organisation_id, quantity, accept_up_to, at)"
                " SELECT (SELECT id FROM group_order WHERE code = 'autre'), MIN(id), 1, 1, 1, '2026-11-21 08:00:00'"
                " FROM order_item WHERE order_id = (SELECT id FROM group_order WHERE code = 'hiver')"
            )
        )


def test_what_is_counted_is_what_came_before_the_close(app: Flask, order: str, actor: Callable[[str], Actor]) -> None:
    """50 clients pledge on one article while it closes: each is told yes and counted, or told no and not counted."""
    with transaction() as session:
        house = session.scalars(select(Organisation.id).where(Organisation.code == "MCNG")).one()
        for number in range(50):
            session.add(Organisation(code=f"A{number:02}", name=f"A{number}", kind="association", house_id=house))
    admin, gate = actor("admin@example.org"), threading.Barrier(6)
    stored: list[str] = []

    def work(mine: list[int]) -> None:
        with app.app_context():
            gate.wait(20)
            for number in mine:
                try:
                    pledge(admin, f"A{number:02}", "L1", number + 1)
                except pledging.OrderClosed:
                    continue
                stored.append(f"A{number:02}")
            db.session.remove()

    def close() -> None:
        with app.app_context():
            gate.wait(20)
            while len(stored) < 20:
                pass  # in the middle of them
            with transaction() as session:
                lifecycle.change(session, admin, "hiver", "close", NOW)
            db.session.remove()

    with ThreadPoolExecutor(6) as pool:
        jobs = [pool.submit(work, list(range(start, 50, 5))) for start in range(5)]
        for job in [*jobs, pool.submit(close)]:
            job.result()
    assert 20 <= len(stored) <= 50
    counted = standing().lines["L1"].allocations
    assert counted == {code: int(code[1:]) + 1 for code in stored}
    assert db.session.scalar(select(func.count(PledgeChange.id))) == len(stored)


def test_steps_are_for_those_who_run_it(app: Flask, order: str, actor: Callable[[str], Actor]) -> None:
    with pytest.raises(NotAllowed), transaction() as session:
        lifecycle.change(session, actor("member@example.org"), "hiver", "close", NOW)
    with transaction() as session:
        draft = Draft("secret", "Brouillon", "PAP", "MCNG", CLOSES)
        making.make_order(session, actor("staff@example.org"), draft, NOW)
    with pytest.raises(NotFound):
        reading.order_of_code(db.session(), actor("member@example.org"), "secret")
    with pytest.raises(NotAllowed), transaction() as session:
        making.make_order(session, actor("member@example.org"), Draft("x", "x", "PAP", "MCNG", CLOSES), NOW)


def test_reopened_it_takes_pledges_and_keeps_what_it_was(app: Flask, order: str, actor: Callable[[str], Actor]) -> None:
    staff, member = actor("staff@example.org"), actor("member@example.org")
    pledge(member, "CHORALE", "L1", 3)
    with transaction() as session:
        lifecycle.change(session, staff, "hiver", "close", NOW)
        lifecycle.change(session, staff, "hiver", "reopen", NOW)
    pledge(member, "CHORALE", "L1", 5)
    assert standing().lines["L1"].units == 5
    kept = db.session.scalars(select(OrderVersion)).one()
    assert (kept.act, kept.number, kept.summary["items"][1]["units"]) == ("closed", 1, 3)
    acts = db.session.scalars(select(OrderEvent.act).order_by(OrderEvent.id)).all()
    assert acts == ["make", "open", "close", "reopen"]


def test_reminders_go_to_those_who_have_not_pledged(app: Flask, order: str, actor: Callable[[str], Actor]) -> None:
    pledge(actor("member@example.org"), "CHORALE", "L1", 1)

    def remind(before: timedelta) -> set[str]:
        with transaction() as session:
            seen = set(session.scalars(select(Letter.id)))
            ticking.look_after_orders(session, CLOSES - before)
            return set(session.scalars(select(Letter.to_address).where(Letter.id.not_in(seen))))

    assert remind(timedelta(days=4)) == set()
    first = remind(timedelta(days=3))
    assert "other@example.org" in first
    assert "member@example.org" not in first
    assert remind(timedelta(days=2)) == set(), "once a stage"
    asked: list[str] = []

    def hear(*facts: object) -> None:
        asked.append(str(facts[2]))

    event.listen(db.engine, "before_cursor_execute", hear)
    assert remind(timedelta(days=2)) == set()
    event.remove(db.engine, "before_cursor_execute", hear)
    assert not [one for one in asked if not one.startswith(("SELECT", "BEGIN"))], "nor tried again"
    assert not [one for one in asked if "FROM pledge" in one or "FOR UPDATE" in one], "nor looked for, nor held"
    assert remind(timedelta(hours=2)) == first, "and once more on the last day"
    with transaction() as session:
        later = CLOSES + timedelta(days=7)
        lifecycle.change(
            session, actor("staff@example.org"), "hiver", "extend", CLOSES - timedelta(hours=1), "x", later
        )
    assert remind(timedelta(days=-5)) >= first, "a new closing time reminds anew"


def test_orders_are_reminded_of_in_one_order(app: Flask, order: str, actor: Callable[[str], Actor]) -> None:
    """Each is held meanwhile: two processes that take them crosswise would wait for each other."""
    staff = actor("staff@example.org")
    with transaction() as session:
        making.make_order(session, staff, Draft("printemps", "Fournitures", "PAP", "MCNG", CLOSES), NOW)
        lifecycle.change(session, staff, "printemps", "open", NOW)
    asked: list[str] = []

    def hear(*facts: object) -> None:
        asked.append(str(facts[2]))

    event.listen(db.engine, "before_cursor_execute", hear)
    with transaction() as session:
        assert ticking.look_after_orders(session, CLOSES - timedelta(days=1))["order_reminders"]
    event.remove(db.engine, "before_cursor_execute", hear)
    begun = [one for one in asked if "opens_at <=" in one]
    assert begun
    assert all("ORDER BY group_order.id" in one for one in begun)
    query = select(OrderEvent.order_id).where(OrderEvent.act == "remind").order_by(OrderEvent.id)
    reminded = db.session.scalars(query).all()
    assert len(reminded) == 2
    assert reminded == sorted(reminded)


# -- files -----------------------------------------------------------------------------------------


def problems(kind: str, raw: str | bytes) -> list[tuple[int, str, str]]:
    with pytest.raises(ImportRefused) as refused:
        take(kind, raw)
    return [(one.line, one.column, one.refusal.code) for one in refused.value.problems]


def test_the_same_prices_make_no_new_version_and_others_do(app: Flask, order: str) -> None:
    take("price-list", PRICES)
    assert db.session.scalars(select(PriceList.version)).all() == [1]
    take("price-list", PRICES.replace("12.00", "12.50"))
    assert sorted(db.session.scalars(select(PriceList.version))) == [1, 2]
    assert db.session.scalars(select(OrderItem.price).where(OrderItem.sku == "L1")).one() == Decimal("12.00"), "frozen"


@pytest.mark.parametrize(
    ("row", "column", "code"),
    [
        ("NONE,C1,Cahier,piece,10,0.92,20.0,1,,,c", "supplier", "unknown_supplier"),
        ("PAP,C1,Cahier,piece,0,0.92,20.0,1,,,c", "pack_size", "out_of_bounds"),
        ("PAP,C1,Cahier,piece,10,0,20.0,1,,,c", "unit_price_excl_vat_eur", "bad_price"),
        ("PAP,C1,Cahier,piece,10,0.92345,20.0,1,,,c", "unit_price_excl_vat_eur", "bad_price"),
        ("PAP,C1,Cahier,piece,10,0.92,200,1,,,c", "vat_rate", "bad_rate"),
        ("PAP,C1,Cahier,piece,10,0.92,20.0,1,95:0.90,,c", "price_breaks", "bad_breaks"),
        ("PAP,C1,Cahier,piece,10,0.92,20.0,1,100:0.95,,c", "price_breaks", "bad_breaks"),
        ("PAP,C1,Cahier,piece,10,0.92,20.0,1,200:0.90;100:0.80,,c", "price_breaks", "bad_breaks"),
        ("PAP,C1,Cahier,piece,10,0.92,20.0,1,100,,c", "price_breaks", "bad_breaks"),
    ],
)
def test_a_bad_price_is_named(app: Flask, order: str, row: str, column: str, code: str) -> None:
    heading = PRICES.splitlines()[0].replace(",price_breaks", ",min_order_packs,price_breaks")
    assert problems("price-list", f"{heading}\n{row}\n") == [(2, column, code)]


BAD_PLEDGES = {
    5: ("quantity", "negative_quantity"),
    6: ("quantity", "not_whole"),
    7: ("sku", "unknown_sku"),
    8: ("quantity", "not_whole"),
    9: ("quantity", "not_whole"),
    10: ("quantity", "not_whole"),
    11: ("quantity", "not_whole"),
    12: ("quantity", "not_whole"),
    13: ("quantity", "missing"),
    14: ("quantity", "zero_quantity"),
    15: ("accept_up_to", "accepts_less"),
    16: ("organisation", "unknown_organisation"),
    17: ("campaign", "unknown_campaign"),
    18: ("organisation", "pledged_already"),
    19: ("quantity", "not_whole"),
    20: ("quantity", "not_whole"),
    21: ("quantity", "not_whole"),
    22: ("quantity", "not_whole"),
    23: ("row", "wrong_width"),
    24: ("row", "wrong_width"),
    25: ("accept_up_to", "out_of_bounds"),
}


def test_pledges_of_the_demonstration_and_bad_ones_row_by_row(app: Flask) -> None:
    for kind in ("houses", "organisations", "users"):
        take(kind, (FOLDER / f"{kind}.csv").read_bytes())
    with transaction() as session:
        load_orders(session, NOW, 0, world.PARIS, all_open=True)
    assert set(db.session.scalars(select(GroupOrder.state))) == {"open"}
    for kind, file in (("suppliers", "suppliers.csv"), ("pledges", "order_pledges.csv")):
        assert export_text(db.session(), kind, world.PARIS).encode() == (FOLDER / file).read_bytes()
    found = problems("pledges", (DATA / "messy" / "pledges_bad.csv").read_bytes())
    by_line: dict[int, tuple[str, str]] = {}
    for line, column, code in found:
        by_line.setdefault(line, (column, code))
    assert by_line == BAD_PLEDGES
    assert db.session.scalar(select(func.count(Pledge.id))) == 436
