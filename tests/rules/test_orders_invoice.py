"""The supplier's invoice: each difference by line, and shares that add up to his amounts once they are taken over."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharebank.core.money import cents
from sharebank.orders.rules.invoices import (
    Invoice,
    InvoiceLine,
    differences,
    from_json,
    open_ones,
    taken_over,
    to_json,
    vat_of,
)
from sharebank.orders.rules.packs import SHARINGS, Article, Pledge
from sharebank.orders.rules.shares import Bill, Delivery, Line, Share, bill, line_of

DAY = date(2026, 12, 3)
RATES = tuple(map(Decimal, ("5.5", "10", "20.0")))


def line(sku: str, units: int, price: str, vat: str = "20.0") -> Line:
    return Line(sku, units, Decimal(price), cents(units * Decimal(price)), Decimal(vat), {"A": units})


LINES = [line("C1", 12, "0.874"), line("L1", 2, "12.00", "5.5")]
FEE = Delivery(490, 5_000)


def invoice(
    c1: int = 1049, l1: int = 2400, fee: int = 490, vat20: int = 308, vat5: int = 132, total: int = 0
) -> Invoice:
    lines = {"C1": InvoiceLine(12, Decimal("0.874"), c1), "L1": InvoiceLine(2, Decimal("12.00"), l1)}
    total = total or c1 + l1 + fee + vat20 + vat5
    return Invoice("F-1", DAY, lines, fee, {Decimal(20): vat20, Decimal("5.5"): vat5}, total)


@pytest.mark.parametrize(
    ("why", "given", "expected"),
    [
        ("as we reckon", invoice(), {}),
        ("a line rounded otherwise, its VAT as it says", invoice(c1=1048), {"line:C1": -1}),
        ("a line at another price, VAT with it", invoice(c1=1099, vat20=318), {"line:C1": 50}),
        ("VAT rounded by line", invoice(vat20=309), {"vat:20": 1}),
        ("VAT at one rate forgotten", invoice(vat5=0), {"vat:5.5": -132}),
        ("a fee where another was agreed", invoice(fee=990, vat20=408), {"delivery": 500}),
        ("a total its parts do not make", invoice(total=4400), {"sum": 21}),
        ("two at once", invoice(c1=1048, vat5=133), {"line:C1": -1, "vat:5.5": 1}),
        ("free from what he asks for the goods", invoice(l1=4000, fee=0, vat20=210, vat5=220), {"line:L1": 1600}),
    ],
)
def test_each_difference_stands_on_its_line(why: str, given: Invoice, expected: dict[str, int]) -> None:
    found = differences(LINES, FEE, given)
    assert {one.key: one.cents for one in found} == expected, why
    assert open_ones(found) == found


def test_packs_on_the_invoice_where_we_count_units() -> None:
    packed = replace(invoice(), lines={"C1": InvoiceLine(1, Decimal("10.49"), 1049), "L1": invoice().lines["L1"]})
    assert not differences(LINES, FEE, packed), "the amount is what must agree"


def test_an_article_that_is_not_on_the_invoice() -> None:
    (found,) = differences(LINES, FEE, replace(invoice(vat5=0, total=1847), lines={"C1": invoice().lines["C1"]}))
    assert (found.key, found.cents, found.ours) == ("line:L1", -2400, (2, Decimal("12.00")))


def test_what_is_taken_over_is_no_longer_open_but_the_sum_is_not_to_be_taken() -> None:
    given = replace(invoice(c1=1048, total=4400), taken=frozenset({"line:C1", "sum"}))
    found = differences(LINES, FEE, given)
    assert [(one.key, one.taken, one.takeable) for one in found] == [("line:C1", True, True), ("sum", False, False)]
    assert [one.key for one in open_ones(found)] == ["sum"]


def test_an_invoice_is_kept_as_plain_values_and_read_back() -> None:
    given = replace(invoice(c1=1048, vat20=309), taken=frozenset({"line:C1", "vat:20"}), why="arrondi")
    kept = to_json(given)
    assert from_json(kept) == given
    sums = [kept[name] for name in ("goods_cents", "delivery_cents", "vat_cents", "total_cents")]
    assert sums == [3448, 490, 441, 4379]
    stands = taken_over(kept)
    assert stands.goods == {"C1": given.lines["C1"]}
    assert (stands.delivery_cents, stands.vat) == (None, {Decimal(20): 309})
    assert taken_over(None) == taken_over(to_json(invoice()))
    gone = taken_over(to_json(replace(given, lines={}, vat={}, taken=given.taken | {"delivery"})))
    assert (gone.goods["C1"].amount_cents, gone.delivery_cents, gone.vat) == (0, 490, {Decimal(20): 0})


# -- the shares, with the supplier's amounts ---------------------------------------------------------


def any_order(chance: random.Random) -> tuple[list[Line], Delivery, dict[str, int]]:
    """Lines as they came for 1 to 12 organisations, the fee, and what each had asked for."""
    bodies = [f"O{number:02}" for number in range(chance.randint(1, 12))]
    wanted = dict.fromkeys(bodies, 0)
    lines = []
    for number in range(chance.randint(1, 5)):
        article = Article(
            f"S{number}", chance.choice([1, 6, 10]), Decimal(chance.randint(0, 20_000)) / 1000, chance.choice(RATES)
        )
        pledges = [Pledge(one, n := chance.randint(0, 20), n + chance.randint(0, 3)) for one in bodies]
        for one in pledges:
            wanted[one.organisation] += one.quantity
        came = chance.choice([None, 0, chance.randint(0, 60)])
        lines.append(line_of(article, pledges, chance.choice(SHARINGS), bodies[:1], units=came, keeper="HOUSE"))
    return lines, Delivery(chance.choice([0, 990]), chance.choice([None, 3_000]), chance.choice(RATES)), wanted


def as_he_wrote_it(chance: random.Random, lines: list[Line], delivery: Delivery) -> Invoice:
    """The supplier's: some lines, the fee and VAT off by a little or a lot, now and then a rate none of ours has."""
    off = lambda amount: max(0, amount + chance.choice([0, 0, -1, 1, 37, -500]))  # noqa: E731
    written = {one.sku: InvoiceLine(one.units, one.price, off(one.goods_cents)) for one in lines}
    fee = off(delivery.cents(sum(one.goods_cents for one in lines), sum(one.units for one in lines)))
    vat = vat_of([(one.vat, one.goods_cents) for one in lines] + [(delivery.vat, fee)])
    vat = {rate: off(amount) for rate, amount in vat.items()} | chance.choice([{}, {Decimal("2.1"): 12}])
    total = sum(one.amount_cents for one in written.values()) + fee + sum(vat.values())
    return Invoice("F", DAY, written, fee, vat, total)


def billed(lines: list[Line], delivery: Delivery, given: Invoice, wanted: dict[str, int]) -> Bill:
    stands = taken_over(to_json(given))
    lines = [
        replace(one, goods_cents=stands.goods[one.sku].amount_cents) if one.sku in stands.goods else one
        for one in lines
    ]
    return bill(lines, delivery, delivery_cents=stands.delivery_cents, vat_cents=stands.vat, bearers=wanted)


@settings(max_examples=1000, deadline=None)
@given(st.integers(0, 2**32))
def test_shares_add_up_to_the_supplier_s_own_amounts(seed: int) -> None:
    chance = random.Random(seed)
    lines, delivery, wanted = any_order(chance)
    given = as_he_wrote_it(chance, lines, delivery)
    found = differences(lines, delivery, given)
    taken = replace(given, taken=frozenset(one.key for one in found))
    assert not open_ones(differences(lines, delivery, taken))
    whole = billed(lines, delivery, taken, wanted)
    assert whole.invoice == Share(given.goods_cents, given.delivery_cents, given.vat_cents, whole.invoice.vat_by_rate)
    assert whole.invoice.total_cents == given.total_cents
    charged = {rate: amount for rate, amount in given.vat.items() if amount}
    assert {rate: amount for rate, amount in whole.invoice.vat_by_rate.items() if amount} == charged
    for name in ("goods_cents", "delivery_cents", "vat_cents", "total_cents"):
        assert sum(getattr(share, name) for share in whole.shares.values()) == getattr(whole.invoice, name), name
    for share in whole.shares.values():
        assert min(share.goods_cents, share.delivery_cents, share.vat_cents, *share.vat_by_rate.values(), 0) == 0
        assert sum(share.vat_by_rate.values()) == share.vat_cents
    mixed = [
        replace(one, allocations=dict(chance.sample(list(one.allocations.items()), len(one.allocations))))
        for one in lines
    ]
    assert billed(mixed, delivery, taken, dict(sorted(wanted.items(), reverse=True))) == whole


def test_what_came_for_nobody_is_borne_by_those_who_had_asked() -> None:
    nothing = line("C1", 0, "1")
    found = bill([replace(nothing, goods_cents=300, allocations={"A": 0})], Delivery(), bearers={"A": 2, "B": 1})
    assert {body: share.goods_cents for body, share in found.shares.items()} == {"A": 200, "B": 100}
    with pytest.raises(ValueError, match="nobody"):
        bill([replace(nothing, goods_cents=300, allocations={})], Delivery())


def test_vat_at_a_rate_none_of_ours_has_follows_everything() -> None:
    found = bill([line("C1", 3, "1")], Delivery(100), vat_cents={Decimal("2.1"): 40, Decimal(20): 80})
    assert found.invoice.vat_by_rate == {Decimal("2.1"): 40, Decimal(20): 80}
    assert found.shares["A"].vat_cents == 120
