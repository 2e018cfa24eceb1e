"""What a loan costs: how units are counted, which price counts, deposits, cancelling, charges after the return."""

from __future__ import annotations

import ast
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharebank import lending
from sharebank.lending import counting, prices
from sharebank.lending.facts import Record
from sharebank.lending.money import UNITS
from sharebank.lending.prices import Quote, cancellation_fee, charges, quote, quote_loan
from tests.lending_facts import ASSOCIATION, HOUSE, OWN, OWN_HOUSE, PARTNER, asked, at, plain, terms

EVE = {"eve": "17:00", "morrow": "10:00"}
# 11 to 13 December 2026: Friday, Saturday, Sunday.
COUNTS = [
    # when, rules, hours, half-days, days
    ("12-12 09:00 / 12-12 10:00", {}, 1, 1, 1),
    ("12-12 09:00 / 12-12 10:01", {}, 2, 1, 1),
    ("12-12 09:00 / 12-12 14:00", {}, 5, 1, 1),
    ("12-12 09:00 / 12-12 14:01", {}, 6, 2, 1),
    ("12-12 09:00 / 12-12 13:00", {"half_day_hours": 4}, 4, 1, 1),
    ("12-12 09:00 / 12-12 13:30", {"half_day_hours": 4}, 5, 2, 1),
    ("12-12 00:00 / 12-13 00:00", {}, 24, 2, 1),
    ("12-12 20:00 / 12-13 02:00", {}, 6, 1, 1),
    ("12-12 20:00 / 12-13 05:00", {}, 9, 1, 1),
    ("12-12 20:00 / 12-13 05:01", {}, 10, 3, 2),
    ("12-12 09:00 / 12-13 18:00", {}, 33, 4, 2),
    ("12-11 17:00 / 12-13 10:00", {}, 41, 6, 3),
    ("12-11 17:00 / 12-13 10:00", EVE, 41, 2, 1),
    ("12-11 16:59 / 12-13 10:00", EVE, 42, 4, 2),
    ("12-11 17:00 / 12-13 10:01", EVE, 42, 4, 2),
    ("12-11 17:00 / 12-12 10:00", EVE, 17, 2, 1),
    ("12-12 17:00 / 12-12 23:00", EVE, 6, 2, 1),
]


@pytest.mark.parametrize(("when", "rules", "hours", "half_days", "days"), COUNTS)
def test_units_as_people_count_them(when: str, rules: dict[str, Any], hours: int, half_days: int, days: int) -> None:
    settings, wish = terms(prices=rules)["prices"], asked(when)
    assert counting.hours(wish.start, wish.end) == hours
    assert counting.half_days(settings, wish.start, wish.end) == half_days
    assert len(counting.days(settings, wish.start, wish.end)) == days


WEEK_ENDS = [
    ("12-11 16:00 / 12-14 10:00", True, 1),
    ("12-12 09:00 / 12-12 10:00", True, 1),
    ("12-11 15:59 / 12-13 10:00", False, 1),
    ("12-11 16:00 / 12-14 10:01", False, 2),
    ("12-14 09:00 / 12-14 10:00", False, 1),
    ("12-08 09:00 / 12-08 12:00", False, 1),
    ("12-11 18:00 / 12-11 22:00", False, 1),
    ("12-11 18:00 / 12-12 01:00", True, 1),
]


@pytest.mark.parametrize(("when", "within", "count"), WEEK_ENDS)
def test_week_ends(when: str, within: bool, count: int) -> None:
    settings, wish = terms(prices={})["prices"], asked(when)
    assert counting.is_week_end(settings, wish.start, wish.end) is within
    assert counting.week_ends(settings, wish.start, wish.end) == count


def row(audience: str, unit: str, cents: int, **more: Any) -> dict[str, Any]:
    return {"audience": audience.split(), "unit": unit, "cents": cents, **more}


HALL = [row("houses own", "hour", 0), row("associations", "hour", 400), row("everyone", "hour", 1200)]
MIXED = [row("everyone", "hour", 400), row("everyone", "day", 2500), row("everyone", "week_end", 4000)]
SEASONS = {
    "seasons": [{"name": "hiver", "first": "11-01", "last": "03-31"}],
    "grid": [row("houses", "day", 0), row("everyone", "day", 1000), row("everyone", "day", 1500, season="hiver")],
}
BY_SIZE = [row("everyone", "loan", 2000), row("everyone", "loan", 4500, headcount_from=30)]
OPTIONS = {
    "grid": [row("everyone", "day", 1000)],
    "options": [
        {"name": "Ménage", "cents": 3000},
        {"name": "Nappe", "cents": 150, "unit": "piece"},
        {"name": "Repas", "cents": 700, "unit": "person"},
        {"name": "Intérêt général", "cents": 0, "free": True},
    ],
}
QUOTES = [
    ("two hours for an association", {"grid": HALL}, asked("12-12 09:00 / 12-12 11:00"), 800),
    ("free for a house", {"grid": HALL}, asked(borrower=HOUSE), 0),
    ("free for its own association, named before the others", {"grid": HALL}, asked(borrower=OWN), 0),
    ("everyone else", {"grid": HALL}, asked("12-12 09:00 / 12-12 11:00", borrower=PARTNER), 2400),
    ("nobody named: nothing", {"grid": HALL[:1]}, asked(), 0),
    ("each of three pieces", {"grid": HALL}, asked("12-12 09:00 / 12-12 11:00", quantity=3), 2400),
    ("hours are cheapest", {"grid": MIXED}, asked("12-12 09:00 / 12-12 15:00"), 2400),
    ("then the day", {"grid": MIXED}, asked("12-12 09:00 / 12-12 18:00"), 2500),
    ("then the week-end", {"grid": MIXED}, asked("12-11 17:00 / 12-13 18:00"), 4000),
    ("no week-end price on weekdays", {"grid": MIXED}, asked("12-08 09:00 / 12-09 18:00"), 5000),
    ("a week-end price alone holds any day", {"grid": MIXED[2:]}, asked("12-08 09:00 / 12-09 18:00"), 4000),
    ("further days at half", {"grid": [row("everyone", "day", 2501)], "further_percent": 50},
     asked("12-12 09:00 / 12-14 18:00"), 5002),
    ("half a cent goes up, once", {"grid": [row("everyone", "day", 2501)], "further_percent": 50},
     asked("12-12 09:00 / 12-13 18:00"), 3752),
    ("the winter’s price", SEASONS, asked(), 1500),
    ("summer", SEASONS, asked("2027-06-12 09:00 / 2027-06-12 18:00"), 1000),
    ("winter is free for a house all the same", SEASONS, asked(borrower=HOUSE), 0),
    ("of two alike the first", {"grid": [row("everyone", "day", 900), row("everyone", "day", 800)]}, asked(), 900),
    ("small", {"grid": BY_SIZE}, asked(headcount=29), 2000),
    ("large", {"grid": BY_SIZE}, asked(headcount=30), 4500),
    ("by the piece, however long", {"grid": [row("everyone", "piece", 10)]},
     asked("12-12 09:00 / 12-20 09:00", quantity=120), 1200),
    ("by the person", {"grid": [row("everyone", "person", 150)]}, asked(headcount=20), 3000),
    ("on top of the day", {"grid": [row("everyone", "day", 50000), row("everyone", "loan", 30000)]}, asked(), 80000),
    ("options", OPTIONS,
     asked(options=("Ménage", "Nappe", "Repas"), quantity=2, headcount=10), 2000 + 3000 + 300 + 7000),
    ("an option nobody offers", OPTIONS, asked(options=("Jacuzzi",)), 1000),
    ("an option that makes it free", OPTIONS, asked(options=("Intérêt général", "Ménage")), 3000),
]  # fmt: skip


@pytest.mark.parametrize(("prices", "wish", "cents"), [q[1:] for q in QUOTES], ids=[q[0] for q in QUOTES])
def test_what_it_costs(prices: dict[str, Any], wish: Any, cents: int) -> None:
    found = quote(terms(prices=prices), wish)
    assert found.total_cents == cents
    assert all(line.cents > 0 and line.unit in UNITS for line in found.lines)
    assert Quote.from_json(found.to_json()) == found


def test_dearer_makes_the_loan_dearer_not_its_options() -> None:
    rules, wish = terms(prices={**OPTIONS, "dearer_percent": 125}), asked(options=("Ménage",))
    assert quote(rules, wish, dearer=True).total_cents == 1250 + 3000
    assert quote(rules, wish, dearer=True).dearer
    assert not quote(terms(), wish, dearer=True).dearer


def test_kilometres_are_foretold_there_and_back_and_reckoned_afterwards() -> None:
    rules = terms(prices={"grid": [row("associations", "km", 32), row("everyone", "km", 55)]})
    told = quote(rules, asked(distance_km=120))
    assert (told.total_cents, told.estimate_cents) == (0, 240 * 32)
    assert Quote.from_json(told.to_json()) == told
    (km,) = charges(rules, Record("Minibus Oslo", km=301), told)
    assert (km.kind, km.cents) == ("km", 301 * 32)
    assert quote(rules, asked()).estimate_cents == 0
    assert quote(rules, asked(), dearer=True).travel[0].cents == 48


def test_thirty_percent_in_advance() -> None:
    rules = terms(prices={"grid": [row("everyone", "day", 50000)], "advance_percent": 30})
    assert quote(rules, asked()).advance_cents == 15000


DEPOSITS = [
    ("the thing’s own", [{}], asked(deposit_cents=25000), [("Deposit", 25000, "money")]),
    ("none of its own", [{}], asked(), []),
    ("two", [{"cents": 70000}, {"label": "Caution ménage", "cents": 15000}], asked(),
     [("Deposit", 70000, "money"), ("Caution ménage", 15000, "money")]),
    ("a piece", [{"cents": 500, "per": "piece"}], asked(quantity=4), [("Deposit", 2000, "money")]),
    ("waived for houses", [{"cents": 8000, "waived": ["houses"]}], asked(borrower=OWN_HOUSE),
     [("Deposit", 8000, "waived")]),
    ("not for others", [{"cents": 8000, "waived": ["houses"]}], asked(), [("Deposit", 8000, "money")]),
    ("or a letter", [{"cents": 8000, "letter": True}], asked(), [("Deposit", 8000, "letter")]),
]  # fmt: skip


@pytest.mark.parametrize(("rows", "wish", "expected"), [d[1:] for d in DEPOSITS], ids=[d[0] for d in DEPOSITS])
def test_deposits(rows: list[dict[str, Any]], wish: Any, expected: list[tuple[str, int, str]]) -> None:
    found = quote(terms(deposits={"rows": rows}), wish)
    assert [(one.label, one.cents, one.kind) for one in found.deposits] == expected
    assert Quote.from_json(found.to_json()) == found
    assert found.total_cents == 0, "a deposit is no price"


def test_what_goes_by_the_loan_is_said_once_for_several_things_of_one_rule_set() -> None:
    grid = [row("everyone", "day", 1000), row("everyone", "loan", 500, name="Forfait ménage")]
    rules = terms(prices={"grid": grid, "options": OPTIONS["options"]}, deposits={"rows": [{"cents": 8000}]})
    wishes = [asked(thing=name, options=("Ménage",)) for name in ("Crêpière", "Percolateur")]
    found = quote_loan([(rules, wish) for wish in wishes])
    assert found.total_cents == 2 * 1000 + 500 + 3000
    assert [line.label for line in found.lines] == ["Hire", "Forfait ménage", "Ménage", "Hire"]
    assert [(one.cents, one.kind) for one in found.deposits] == [(8000, "money")]
    apart = quote_loan([(rules, wishes[0]), (rules, replace(wishes[1], rules="other"))], dearer={"other"})
    assert apart.total_cents == (1000 + 500 + 3000) + (1500 + 750 + 3000)
    assert apart.dearer


LATE_TIERS = [{"days": 30, "percent": 50, "week_end": True}, {"days": 2, "percent": 100}]
FEES = [
    ("a month ahead", "11-12 09:00", "12-12 09:00", 0),
    ("a day less, a week-end; half of an odd amount goes up", "11-13 09:00", "12-12 09:00", 5001),
    ("a day less, a Tuesday", "11-10 09:00", "12-08 09:00", 0),
    ("two days ahead of a Tuesday", "12-06 23:00", "12-08 09:00", 0),
    ("the eve of a Tuesday", "12-07 00:00", "12-08 09:00", 10001),
    ("the eve of a week-end: the higher share", "12-11 09:00", "12-12 09:00", 10001),
    ("not come at all", "12-13 09:00", "12-12 09:00", 10001),
]


@pytest.mark.parametrize(("cancelled", "start", "cents"), [f[1:] for f in FEES], ids=[f[0] for f in FEES])
def test_cancelling(cancelled: str, start: str, cents: int) -> None:
    rules = terms(prices={"grid": [row("everyone", "loan", 10001)]}, cancellation={"tiers": LATE_TIERS})
    told = quote(rules, asked())
    when, begins = (at(f"2026-{text}") for text in (cancelled, start))
    fee, why = cancellation_fee(rules, told, when, begins)
    assert fee == cents
    assert (why is None) == (cents == 0)
    assert why is None or "minibus" in plain(why)


def test_a_week_end_that_begins_on_friday_is_one() -> None:
    rules = terms(prices={"grid": [row("everyone", "loan", 10000)]}, cancellation={"tiers": LATE_TIERS})
    fee, _ = cancellation_fee(rules, quote(rules, asked()), at("12-01"), at("12-11 18:00"), at("12-13 18:00"))
    assert fee == 5000


def test_what_other_rooms_use_of_prices_comes_through_their_door() -> None:
    assert lending.__file__
    home, inner = Path(lending.__file__).parent, ("sharebank.lending.charges", "sharebank.lending.quotes")
    for path in {*home.parent.rglob("*.py")} - {*home.rglob("*.py")}:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module in inner:
                assert not {one.name for one in node.names} & {*prices.__all__, "kilometre"}, path


amounts = st.integers(0, 100_000)
lengths = st.integers(1, 60 * 24 * 20)


@given(
    units=st.lists(st.tuples(st.sampled_from(sorted(UNITS)), amounts), max_size=6),
    minutes=lengths,
    share=st.integers(0, 100),
    quantity=st.integers(1, 200),
    borrower=st.sampled_from([HOUSE, OWN, ASSOCIATION, PARTNER]),
    dearer=st.booleans(),
)
def test_a_quote_is_never_negative_and_lasting_longer_never_costs_less(
    units: list[tuple[str, int]], minutes: int, share: int, quantity: int, borrower: Any, dearer: bool
) -> None:
    grid = [row("everyone", unit, cents) for unit, cents in units if unit != "week_end"]
    rules = terms(prices={"grid": grid, "further_percent": share})
    wish = asked(borrower=borrower, quantity=quantity, headcount=7)
    one, longer = (
        quote(rules, replace(wish, end=wish.start + timedelta(minutes=length)), dearer)
        for length in (minutes, minutes + 90)
    )
    assert 0 <= one.total_cents <= longer.total_cents
    assert Quote.from_json(one.to_json()) == one


@given(total=st.integers(0, 10_000_000), days=st.integers(-5, 400), percent=st.integers(0, 100))
def test_cancelling_never_costs_more_than_the_loan(total: int, days: int, percent: int) -> None:
    rules = terms(
        prices={"grid": [row("everyone", "loan", total)]}, cancellation={"tiers": [{"days": 30, "percent": percent}]}
    )
    wish = asked()
    fee, why = cancellation_fee(rules, quote(rules, wish), wish.start - timedelta(days=days), wish.start)
    assert 0 <= fee <= total
    assert (why is None) == (fee == 0)
    if days >= 30:
        assert fee == 0
