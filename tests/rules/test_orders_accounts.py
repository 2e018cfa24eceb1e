"""Who owes whom, and what ordering alone would have cost: truth tables, and one property over random towns."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharebank.orders.rules.accounts import SUPPLIER, Accounts, Moved, alone_share, reckon_accounts, together
from sharebank.orders.rules.packs import Article
from sharebank.orders.rules.shares import Delivery
from sharebank.orders.rules.transfers import Transfer

HOMES = {"MCNG": "MCNG", "STN": "STN", "ORS": "ORS", "CHORALE": "MCNG", "ECHECS": "STN", "MAIRIE": "MCNG"}
SHARES = {"MCNG": 1000, "CHORALE": 250, "STN": 400, "ECHECS": 350}


def accounts(*moved: Moved) -> Accounts:
    return reckon_accounts(2000, SHARES, HOMES, "MCNG", moved)


def test_the_delivery_house_pays_unless_somebody_else_did() -> None:
    found = accounts()
    assert found.paid == {"MCNG": 2000}
    assert found.unnoted == 2000
    assert found.owed == {"CHORALE": 250, "ECHECS": 350}
    assert found.balances == {"MCNG": 750, "STN": -750}
    assert found.transfers == [Transfer("STN", "MCNG", 750)]


def test_an_association_that_paid_the_supplier_is_paid_back_by_its_house() -> None:
    found = accounts(Moved("ECHECS", SUPPLIER, 500))
    assert found.paid == {"ECHECS": 500, "MCNG": 1500}
    assert found.owed["ECHECS"] == -150
    assert found.transfers == [Transfer("STN", "MCNG", 250)]
    assert found.most("STN", "ECHECS") == 150


def test_an_association_that_paid_the_delivery_house_has_paid() -> None:
    found = accounts(Moved("ECHECS", "MCNG", 350))
    assert found.owed["ECHECS"] == 0
    assert found.transfers == [Transfer("STN", "MCNG", 400)]


@pytest.mark.parametrize(
    ("payer", "payee", "most"),
    [
        ("MCNG", SUPPLIER, 2000),
        ("CHORALE", "MCNG", 250),
        ("CHORALE", "STN", 250),
        ("CHORALE", "ECHECS", 0),
        ("CHORALE", "CHORALE", 0),
        ("MCNG", "CHORALE", 0),
        ("STN", "MCNG", 0),
        ("MCNG", "STN", 0),
        ("ORS", "MCNG", 0),
        ("MAIRIE", "MCNG", 0),
    ],
)
def test_nothing_is_paid_that_is_not_owed(payer: str, payee: str, most: int) -> None:
    assert accounts().most(payer, payee) == most


def open_ones(found: Accounts) -> dict[str, int]:
    """What associations and their houses still owe each other."""
    return {code: cents for code, cents in found.owed.items() if cents}


def test_all_is_settled_when_everything_is_paid() -> None:
    paid = [Moved("MCNG", SUPPLIER, 2000), Moved("CHORALE", "MCNG", 250), Moved("ECHECS", "STN", 350)]
    assert open_ones(accounts(*paid[:2])) == {"ECHECS": 350}
    found = accounts(*paid)
    assert (found.unnoted, open_ones(found)) == (0, {})
    assert not any(together([found.balances], [Moved("STN", "MCNG", 750)]).values())


def test_orders_are_settled_together() -> None:
    both = together([{"MCNG": 750, "STN": -750}, {"STN": 500, "ORS": -500}], [Moved("STN", "MCNG", 250)])
    assert both == {"MCNG": 500, "ORS": -500, "STN": 0}


CODES = sorted(HOMES)


@settings(max_examples=300, deadline=None)
@given(
    shares=st.dictionaries(st.sampled_from(CODES), st.integers(0, 100_000)),
    moved=st.lists(
        st.builds(Moved, st.sampled_from(CODES), st.sampled_from([SUPPLIER, *CODES]), st.integers(1, 90_000)),
        max_size=8,
    ),
    house=st.sampled_from(["MCNG", "STN", "ORS"]),
)
def test_paying_what_is_owed_settles_everything(shares: dict[str, int], moved: list[Moved], house: str) -> None:
    total = sum(shares.values())
    start = reckon_accounts(total, shares, HOMES, house, moved)
    assert sum(start.balances.values()) == 0
    more = [Moved(house, SUPPLIER, start.unnoted)]
    for party, amount in start.owed.items():
        more.append(Moved(party, HOMES[party], amount) if amount > 0 else Moved(HOMES[party], party, -amount))
    end = reckon_accounts(total, shares, HOMES, house, [*moved, *more])
    assert (end.unnoted, open_ones(end)) == (0, {})
    between = [Moved(one.payer, one.payee, one.cents) for one in end.transfers]
    assert not any(together([end.balances], between).values())


@pytest.mark.parametrize(
    ("units", "goods", "delivery", "vat"),
    [
        (0, 0, 0, 0),
        (1, 920, 490, 282),  # a whole pack of 10, and the delivery
        (10, 920, 490, 282),
        (11, 1840, 490, 466),
        (95, 8740, 0, 1748),  # ten packs: the break at 100, and delivery is free from 50 €
    ],
)
def test_alone_one_buys_whole_packs_and_pays_the_delivery(units: int, goods: int, delivery: int, vat: int) -> None:
    article = Article("C1", 10, Decimal("0.92"), Decimal(20), breaks=((100, Decimal("0.874")),))
    found = alone_share([(article, units)], Delivery(490, 5000))
    assert (found.goods_cents, found.delivery_cents, found.vat_cents) == (goods, delivery, vat)


def test_alone_each_rate_has_its_own_vat() -> None:
    book = Article("L1", 1, Decimal("12.00"), Decimal("5.5"))
    pen = Article("S1", 1, Decimal("1.10"), Decimal(20))
    found = alone_share([(book, 2), (pen, 3)], Delivery(500, None, Decimal("5.5")))
    assert found.vat_by_rate == {Decimal("5.5"): 160, Decimal(20): 66}  # (2400 + 500) × 5.5 % = 159.5
    assert found.total_cents == 2400 + 330 + 500 + 226
