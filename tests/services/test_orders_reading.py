"""How an order stands is reckoned only where something changed, and is always what reckoning everything gives."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from flask import Flask
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from sharebank.accounts.actor import Actor
from sharebank.accounts.models import Organisation
from sharebank.core.db import db, transaction
from sharebank.orders import lifecycle, pledging, reading
from sharebank.orders.desk import making
from sharebank.orders.desk.making import Draft
from sharebank.orders.life_models import Adjustment
from sharebank.orders.models import GroupOrder, OrderItem
from sharebank.orders.models import Pledge as PledgeRow
from sharebank.orders.reading import Standing
from sharebank.orders.recall import Recall, Shelf
from sharebank.orders.rules import advice, packs, shares
from sharebank.orders.rules.packs import SHARINGS, Article, Pledge, Sharing
from sharebank.orders.summary import summary
from sharebank.orders.supply.supplier_models import PriceItem, PriceList, Supplier
from tests import world

SKUS = tuple(f"A{number}" for number in range(6))
BODIES = ("CHORALE", "ECHECS", "MCNG", "STN")


@pytest.fixture
def admin(app: Flask, actor: Callable[[str], Actor], monkeypatch: pytest.MonkeyPatch) -> Actor:
    """Who runs an open order for six articles, of which this process knows nothing yet."""
    monkeypatch.setattr(reading, "_recalls", Shelf(reading.KEPT))
    admin = actor("admin@example.org")
    with transaction() as session:
        paper = Supplier(code="PAP", name="Papeterie", minimum_cents=5000, fee_cents=490, free_from_cents=20_000)
        prices = PriceList(supplier=paper, version=1, created_at=world.NOW)
        session.add(prices)
        session.flush()
        for number, sku in enumerate(SKUS):
            pack, price = (1, 5, 12)[number % 3], Decimal(875 + number) / 1000
            steps = [[pack * 4, format(price - Decimal("0.1"), "f")]] if number % 2 else []
            facts = {"name": sku, "unit": "piece", "pack": pack, "price": price, "breaks": steps}
            vat = Decimal("5.5") if number % 2 else Decimal(20)
            session.add(PriceItem(price_list_id=prices.id, sku=sku, vat=vat, **facts))
        session.flush()
        draft = Draft("hiver", "Fournitures", "PAP", "MCNG", world.NOW + timedelta(days=9))
        making.make_order(session, admin, draft, world.NOW)
        lifecycle.change(session, admin, "hiver", "open", world.NOW)
    return admin


def fresh() -> GroupOrder:
    db.session.rollback()
    db.session.expire_all()
    return db.session.scalars(select(GroupOrder)).one()


def plainly(order: GroupOrder, rule: Sharing) -> Standing:
    """The same, article by article from the rows, with nothing remembered."""
    session = db.session()
    codes = dict(session.execute(select(Organisation.id, Organisation.code)).all())  # type: ignore[arg-type]
    articles, pledges, lines, fillings = {}, {}, {}, {}
    for item in session.scalars(select(OrderItem).where(OrderItem.dropped.is_(False)).order_by(OrderItem.id)):
        steps = tuple((units, Decimal(price)) for units, price in item.breaks)
        article = Article(item.sku, item.pack, item.price, item.vat, item.least_packs, steps)
        rows = session.scalars(select(PledgeRow).where(PledgeRow.item_id == item.id).order_by(PledgeRow.id))
        own = {codes[row.organisation_id]: (row.quantity, row.accept_up_to, row.id) for row in rows}
        put: Counter[str] = Counter()
        for more in session.scalars(select(Adjustment).where(Adjustment.item_id == item.id)):
            put[codes[more.organisation_id]] += more.units
        for code, units in put.items():
            quantity, most, turn = own.get(code, (0, 0, 2**62))
            if units:
                quantity = max(0, quantity + units)
                own[code] = quantity, max(quantity, most) if units > 0 else quantity, turn
        found = [Pledge(code, quantity, most, turn) for code, (quantity, most, turn) in own.items()]
        units, price = item.received if item.received is not None else item.ordered, item.ordered_price
        line = shares.line_of(article, found, rule, order.first, units=units, price=price, keeper="MCNG")
        articles[item.sku], pledges[item.sku] = article, found
        lines[item.sku], fillings[item.sku] = line, advice.filling(article, found)
    terms = reading.terms_of(order)
    whole = shares.bill(lines.values(), terms.delivery)
    return Standing(articles, pledges, lines, fillings, whole, whole.reaches(terms.minimum))


def change(session: Session, admin: Actor, chance: random.Random, state: str) -> str:
    """One change of some sort; its name."""
    order = session.scalars(select(GroupOrder)).one()
    item = chance.choice(order.items)
    kind = chance.choice(["pledge"] * 4 + ["take back"] if state == "open" else ["more", "drop", "rule", "received"])
    code = chance.choice(BODIES)
    if kind in ("pledge", "take back"):
        quantity = chance.randint(1, 9) if kind == "pledge" else 0
        most = quantity + (chance.choice((0, 3, 8)) if quantity else 0)
        if not item.dropped:
            pledging.pledge(session, admin, "hiver", code, {item.sku: (quantity, most)}, world.NOW)
        return kind
    order.pledge_version = pledging.change_stamp()
    if kind == "more":
        body = session.scalars(select(Organisation.id).where(Organisation.code == code)).one()
        session.add(
            Adjustment(
                order_id=order.id,
                item_id=item.id,
                organisation_id=body,
                units=chance.choice((-3, 4)),
                event_id=order.events[0].id,
            )
        )
    elif kind == "drop":
        item.dropped = not item.dropped
    elif kind == "rule":
        order.sharing, order.first = chance.choice(SHARINGS), [code]
    else:
        item.ordered, item.ordered_price = 12, Decimal("0.5")
        item.received = chance.choice((None, 0, 7, 30))
    session.flush()
    return kind


def under(rule: Sharing) -> reading.Standing:
    """The order as it would stand under another rule; nothing of it is stored."""
    order = fresh()
    order.sharing = rule
    found = reading.reckon(db.session(), order)
    db.session.rollback()
    return found


@pytest.mark.parametrize("seed", [1, 2])
def test_whatever_changes_it_is_what_reckoning_everything_gives(app: Flask, admin: Actor, seed: int) -> None:
    chance, seen = random.Random(seed), set()
    for number in range(60):
        with transaction() as session:
            if number == 30:
                lifecycle.change(session, admin, "hiver", "close", world.NOW)
            else:
                seen.add(change(session, admin, chance, "open" if number < 30 else "closed"))
        order = fresh()
        found, plain = reading.standing(db.session(), order), plainly(order, order.sharing)  # type: ignore[arg-type]
        assert summary(found) == summary(plain), f"after change {number}"
        assert {sku: sorted(own) for sku, own in found.pledges.items()} == {
            sku: sorted(own) for sku, own in plain.pledges.items()
        }
        assert (found.articles, found.fillings) == (plain.articles, plain.fillings)
        if number % 10 == 0:
            for rule in SHARINGS:
                assert summary(under(rule)) == summary(plainly(fresh(), rule)), rule
    assert seen == {"pledge", "take back", "more", "drop", "rule", "received"}


def test_only_what_changed_is_reckoned(app: Flask, admin: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def line_of(article: Article, *args: object, **more: object) -> shares.Line:
        asked.append(article.sku)
        return shares.line_of(article, *args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(reading, "line_of", line_of)
    reading.standing(db.session(), fresh())
    assert sorted(asked) == list(SKUS)
    for sku in ("A1", "A4"):
        with transaction() as session:
            pledging.pledge(session, admin, "hiver", "CHORALE", {sku: (3, 3)}, world.NOW)
        asked.clear()
        reading.standing(db.session(), fresh())
        assert asked == [sku]
    asked.clear()
    reading.standing(db.session(), fresh())
    assert asked == [], "nothing changed"


def test_who_came_first_is_who_was_stored_first(app: Flask, admin: Actor) -> None:
    """Also when somebody takes a pledge back and makes it again: then they came last."""

    def first_served() -> dict[str, int]:
        return {code: units for code, units in under("first_come").lines["A1"].allocations.items() if units}

    def take(code: str, quantity: int) -> None:
        with transaction() as session:
            pledging.pledge(session, admin, "hiver", code, {"A1": (quantity, quantity)}, world.NOW)

    take("ECHECS", 4)
    take("CHORALE", 4)
    assert first_served() == {"ECHECS": 4, "CHORALE": 1}
    take("ECHECS", 0)
    take("ECHECS", 4)
    assert first_served() == {"CHORALE": 4, "ECHECS": 1}


def test_a_change_past_the_services_is_seen_too(app: Flask, admin: Actor) -> None:
    """By a hand at a console that forgot the stamp: reckoning compares what is stored."""
    with transaction() as session:
        pledging.pledge(session, admin, "hiver", "CHORALE", {"A0": (3, 3)}, world.NOW)
    reading.reckon(db.session(), fresh())
    with transaction() as session:
        session.execute(update(PledgeRow).values(quantity=5, accept_up_to=5))
    assert reading.reckon(db.session(), fresh()).lines["A0"].units == 5
    with transaction() as session:
        session.execute(update(OrderItem).where(OrderItem.sku == "A0").values(price=Decimal(2)))
        session.execute(update(Organisation).where(Organisation.code == "CHORALE").values(code="CHOEUR"))
    found = reading.reckon(db.session(), fresh())
    assert (found.lines["A0"].price, found.lines["A0"].allocations) == (Decimal(2), {"CHOEUR": 5})
    with transaction() as session:
        session.execute(delete(PledgeRow))
    assert reading.reckon(db.session(), fresh()).bill.shares == {}


def test_a_recall_answers_the_question_that_is_asked() -> None:
    asked: list[tuple[int, int]] = []

    def add(one: int, other: int = 0) -> int:
        asked.append((one, other))
        return one + other

    recall = Recall()
    assert [recall.ask("a", add, 1, other=2) for _ in range(2)] == [3, 3]
    assert (recall.ask("b", add, 1, other=2), recall.ask("a", add, 1, other=3), recall.ask("a", add, 1)) == (3, 4, 1)
    assert asked == [(1, 2), (1, 2), (1, 3), (1, 0)]


def test_a_shelf_lets_go_of_what_was_not_used_for_longest() -> None:
    shelf: Shelf[str, int] = Shelf(2)
    for number, key in enumerate("aba"):
        shelf.put(key, number)
    shelf.put("c", 3)
    assert (shelf.get("a"), shelf.get("b"), shelf.get("c")) == (2, None, 3)


def test_the_largest_remainder_is_the_plain_one() -> None:
    """Written for speed; this is how one would do it by hand."""
    chance = random.Random(4)
    for _ in range(300):
        weights = {key: chance.randint(0, 9) for key in "abcdefg"[: chance.randint(1, 7)]}
        total, whole = chance.randint(0, 60), sum(weights.values())
        parts = packs.largest_remainder(total, weights)
        fair = {key: Decimal(total) * weight / whole for key, weight in weights.items()} if whole else {}
        assert sum(parts.values()) == total
        assert all(abs(parts[key] - share) < 1 for key, share in fair.items())
        up = sorted(fair, key=lambda key: (-(fair[key] % 1), key))[: total - sum(map(int, fair.values()))]
        assert not whole or parts == {key: int(share) + (key in up) for key, share in fair.items()}
