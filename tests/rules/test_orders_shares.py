"""Shares add up to the invoice, always; fees, minimums, VAT, transfers and advice at their boundaries."""

from __future__ import annotations

import random
from decimal import Decimal
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharebank.core.money import cents
from sharebank.orders.rules.advice import alone, filling
from sharebank.orders.rules.packs import SHARINGS, Article, Pledge
from sharebank.orders.rules.shares import Bill, Delivery, Line, Minimum, Share, bill, line_of
from sharebank.orders.rules.transfers import EXACT, settle

RATES = tuple(map(Decimal, ("5.5", "10", "20")))


def order(seed: int, most: int = 95) -> tuple[list[tuple[Article, list[Pledge]]], Delivery]:
    """Any order: 1 to 95 organisations, packs, breaks, rates, fees."""
    chance = random.Random(seed)
    bodies = [f"ORG{number:02}" for number in range(chance.randint(1, most))]
    articles = []
    for number in range(chance.randint(1, 6)):
        pack = chance.choice([1, 1, 2, 5, 6, 10, 12, 25])
        price = Decimal(chance.randint(1, 40_000)) / 1000
        thresholds = sorted(chance.sample(range(1, 60), chance.randint(0, 3)))
        breaks = tuple((pack * at, price * (10 - step) / 10) for step, at in enumerate(thresholds, 1))
        article = Article(f"S{number}", pack, price, chance.choice(RATES), chance.randint(1, 4), breaks)
        takers = chance.sample(bodies, chance.randint(0, len(bodies)))
        own = []
        for taker in takers:
            quantity = chance.randint(0, 30)
            most = quantity + chance.choice([0, 0, 1, 5])
            own.append(Pledge(taker, quantity, most, chance.randint(0, 99)))
        articles.append((article, own))
    fee = chance.choice([0, 990, 1490, 1800])
    free_from = chance.choice([None, 0, 5_000, 30_000])
    return articles, Delivery(fee, free_from, chance.choice(RATES))


def billed(articles: list[tuple[Article, list[Pledge]]], delivery: Delivery, seed: int) -> Bill:
    chance = random.Random(seed)
    sharing = chance.choice(SHARINGS)
    lines = []
    for article, own in articles:
        most = sum(one.accept_up_to for one in own)
        came = chance.choice([None, 0, chance.randint(0, most), most])
        lines.append(line_of(article, own, sharing, ("ORG01", "ORG03"), units=came))
    return bill(lines, delivery)


def adds_up(bill: Bill) -> None:
    for name in ("goods_cents", "delivery_cents", "vat_cents", "total_cents"):
        assert sum(getattr(share, name) for share in bill.shares.values()) == getattr(bill.invoice, name), name
    for rate, whole in bill.invoice.vat_by_rate.items():
        assert sum(share.vat_by_rate.get(rate, 0) for share in bill.shares.values()) == whole
    for share in bill.shares.values():
        assert min(share.goods_cents, share.delivery_cents, share.vat_cents, *share.vat_by_rate.values(), 0) == 0
    for line in bill.lines:
        assert sum(line.allocations.values()) == line.units


@settings(max_examples=5000, deadline=None)
@given(st.integers(0, 2**32))
def test_shares_add_up_to_the_invoice_whatever_the_order(seed: int) -> None:
    articles, delivery = order(seed)
    found = billed(articles, delivery, seed)
    adds_up(found)
    mixed = [(article, random.Random(seed + 1).sample(own, len(own))) for article, own in articles]
    assert billed(mixed, delivery, seed) == found, "the order they are listed in changes nothing"


def line(units: int, price: str, vat: str, **allocations: int) -> Line:
    return Line("S", units, Decimal(price), cents(units * Decimal(price)), Decimal(vat), allocations)


def test_an_invoice_by_hand() -> None:
    """3 × 0.335 = 1.005 → 1.01; 7 × 2.00 = 14.00; delivery 9.90: VAT 20 % on 24.90… and 5.5 % on 14.00."""
    found = bill([line(3, "0.335", "20", A=1, B=1, C=1), line(7, "2.00", "5.5", A=7)], Delivery(990, 5_000))
    assert found.invoice == Share(1501, 990, 295, {Decimal("5.5"): 77, Decimal(20): 218})
    assert found.shares["A"].goods_cents == 1434, "the odd cent goes to the first by code"
    assert found.shares["B"] == Share(34, 22, 11, {Decimal(20): 11})
    assert found.shares["C"].goods_cents == 33
    adds_up(found)


@pytest.mark.parametrize(
    ("why", "goods", "units", "free_from", "fee"),
    [
        ("below free-from", 29_999, 1, 30_000, 1490),
        ("at free-from", 30_000, 1, 30_000, 0),
        ("above free-from", 30_001, 1, 30_000, 0),
        ("always free", 1, 1, 0, 0),
        ("never free", 10**9, 1, None, 1490),
        ("nothing ordered", 0, 0, 30_000, 0),
        ("everything free of charge", 0, 3, 30_000, 1490),
    ],
)
def test_delivery(why: str, goods: int, units: int, free_from: int | None, fee: int) -> None:
    assert Delivery(1490, free_from).cents(goods, units) == fee, why


@pytest.mark.parametrize(
    ("price", "net", "gross"), [("9.99", False, False), ("10.00", False, True), ("12.00", True, True)]
)
def test_a_minimum_is_net_or_gross(price: str, net: bool, gross: bool) -> None:
    found = bill([line(1, price, "20", A=1)], Delivery())
    assert (found.reaches(Minimum(1200)), found.reaches(Minimum(1200, gross=True))) == (net, gross)


def test_units_that_belong_to_nobody_cannot_be_billed() -> None:
    lines = [line_of(Article("S", 1, Decimal(1), Decimal(20)), [Pledge("A", 1, 1)], "pro_rata", units=3)]
    with pytest.raises(ValueError, match="2 units of S"):
        bill(lines, Delivery())


def test_units_nobody_accepts_are_the_keepers() -> None:
    article, own = Article("S", 1, Decimal(1), Decimal(20)), [Pledge("A", 1, 1)]
    assert line_of(article, own, "pro_rata", units=3, keeper="H").allocations == {"A": 1, "H": 2}
    assert line_of(article, own, "pro_rata", units=3, keeper="A").allocations == {"A": 3}


def test_a_fee_without_goods_follows_what_was_asked_for() -> None:
    found = bill([line(0, "1", "20", A=0, B=0)], Delivery(), delivery_cents=1000, bearers={"A": 3, "B": 1})
    assert {one: share.delivery_cents for one, share in found.shares.items()} == {"A": 750, "B": 250}
    adds_up(found)


# -- transfers -------------------------------------------------------------------------------------


def fewest_by_trying(balances: dict[str, int]) -> int:
    """n parties less the most groups of sum 0 they split into."""
    names = [name for name, owed in balances.items() if owed]

    def groups(left: frozenset[str]) -> int:
        if not left:
            return 0
        first = min(left)
        rest = sorted(left - {first})
        ways = (frozenset((first, *more)) for size in range(len(rest) + 1) for more in combinations(rest, size))
        return max(1 + groups(left - way) for way in ways if sum(balances[name] for name in way) == 0)

    return len(names) - groups(frozenset(names))


@given(st.lists(st.integers(-6, 6), max_size=6))
def test_the_fewest_transfers_settle_all(owed: list[int]) -> None:
    balances = dict(zip("ABCDEFG", [*owed, -sum(owed)], strict=False))
    transfers = settle(balances)
    for transfer in transfers:
        assert transfer.cents > 0
        balances[transfer.payer] += transfer.cents
        balances[transfer.payee] -= transfer.cents
    assert not any(balances.values())
    assert len(transfers) == fewest_by_trying(dict(zip("ABCDEFG", [*owed, -sum(owed)], strict=False)))


def test_many_parties_are_settled_too() -> None:
    balances = {f"P{number:02}": number for number in range(1, 2 * EXACT)}
    balances["Z"] = -sum(balances.values())
    assert len(settle(balances)) == 2 * EXACT - 1
    with pytest.raises(ValueError, match="add up"):
        settle({"A": 1})


# -- advice ----------------------------------------------------------------------------------------

BOOK = Article("S", 10, Decimal("0.92"), Decimal(20), 1, ((100, Decimal("0.88")),))


@pytest.mark.parametrize(
    ("why", "quantity", "most", "missing", "lost", "to_break", "saves", "less"),
    [
        ("nothing yet", 0, 0, 0, 0, 100, 0, False),
        ("three to the pack", 7, 7, 3, 7, 93, 0, False),
        ("room fills it", 7, 10, 0, 0, 90, 40, False),
        ("twelve to the break", 88, 88, 2, 8, 12, 320, False),
        ("more would cost less", 96, 99, 1, 6, 4, 360, False),
        ("at the break", 100, 100, 0, 0, 0, 0, False),
    ],
)
def test_filling(
    why: str, quantity: int, most: int, missing: int, lost: int, to_break: int, saves: int, less: bool
) -> None:
    found = filling(BOOK, [Pledge("A", quantity, most)])
    assert (found.missing, found.lost, found.to_break, found.saves_cents, found.costs_less) == (
        missing,
        lost,
        to_break,
        saves,
        less,
    ), why


def test_it_says_when_ordering_more_costs_less() -> None:
    steep = Article("S", 1, Decimal("1.00"), Decimal(20), 1, ((100, Decimal("0.80")),))
    assert filling(steep, [Pledge("A", 80, 80)]).costs_less, "80 × 1.00 = 100 × 0.80"
    assert not filling(steep, [Pledge("A", 79, 79)]).costs_less


CHEAP = ((50, Decimal("0.99")), (60, Decimal("0.50")))


@pytest.mark.parametrize(
    ("why", "pack", "quantity", "threshold", "price", "less"),
    [
        ("packs go past the first break", 100, 30, 100, "0.50", False),
        ("60 × 0.50 < 45 × 1.00 < 50 × 0.99", 1, 45, 60, "0.50", True),
        ("neither costs less: the next one", 1, 29, 50, "0.99", False),
    ],
)
def test_the_price_that_is_promised_is_the_one_that_is_paid(
    why: str, pack: int, quantity: int, threshold: int, price: str, less: bool
) -> None:
    found = filling(Article("S", pack, Decimal(1), Decimal(20), 1, CHEAP), [Pledge("A", quantity, quantity)])
    assert (found.next_break, found.next_price, found.costs_less) == (threshold, Decimal(price), less), why


def test_alone_one_buys_whole_packs_at_ones_own_break() -> None:
    assert (alone([(BOOK, 11), (BOOK, 0)]).units, alone([(BOOK, 95)]).goods_cents) == (20, 8800)
