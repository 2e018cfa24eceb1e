"""What is owed after the return: lateness with its ceiling, loss, damage, cleaning, kilometres."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharebank.lending.charges import KINDS
from sharebank.lending.facts import Record
from sharebank.lending.prices import Charge, charges, quote
from tests.lending_facts import asked, plain, terms

HOURLY = {"late_cents": 500, "late_grace_min": 15, "late_most_cents": 2000}
BY_VALUE = {"loss_percent": 100, "damage_percent": 10}
BY_PIECE = {"loss_cents": 250, "damage_cents": 120, "washing_cents": 15, "cleaning_cents": 3000}
NAMED = {"pieces": [{"name": "Verre", "loss_cents": 200}, {"name": "Assiette", "loss_cents": 450}]}
DAILY = {"late_cents": 1000, "late_per": "day"}


def back(**facts: Any) -> Record:
    return Record("Crêpière", **{"value_cents": 12345, "pieces_out": 10, "pieces_back": 10, **facts})


CHARGES: list[tuple[str, dict[str, Any], Record, list[tuple[str, int]]]] = [
    ("all well", {**HOURLY, **BY_VALUE, **BY_PIECE, **NAMED}, back(), []),
    ("late within what is forgiven", HOURLY, back(late=timedelta(minutes=15)), []),
    ("a minute more is an hour begun", HOURLY, back(late=timedelta(minutes=16)), [("late", 500)]),
    ("two hours begun", HOURLY, back(late=timedelta(minutes=61)), [("late", 1000)]),
    ("the ceiling", HOURLY, back(late=timedelta(hours=4)), [("late", 2000)]),
    ("never beyond it", HOURLY, back(late=timedelta(days=40)), [("late", 2000)]),
    ("days begun", DAILY, back(late=timedelta(hours=25)), [("late", 2000)]),
    ("missing, by value", BY_VALUE, back(pieces_back=8), [("loss", 24690)]),
    ("missing, as it was counted", BY_VALUE, back(missing=1), [("loss", 12345)]),
    ("counted both ways is not counted twice", BY_VALUE, back(pieces_back=8, missing=2), [("loss", 24690)]),
    ("a tenth of the value, half a cent up", BY_VALUE, back(broken=1), [("damage", 1235)]),
    ("rounded once for three", BY_VALUE, back(broken=3), [("damage", 3704)]),
    ("value unknown: people say", BY_VALUE, back(missing=1, value_cents=None), [("loss", 0)]),
    ("by the piece goes before the share", {**BY_VALUE, **BY_PIECE}, back(missing=1, broken=2),
     [("loss", 250), ("damage", 240)]),
    ("named pieces", NAMED, back(named_pieces={"Verre": 3, "Assiette": 1, "Nappe": 9}), [("loss", 600), ("loss", 450)]),
    ("to be washed", BY_PIECE, back(dirty=40), [("cleaning", 600)]),
    ("the room left dirty", BY_PIECE, back(unclean=True), [("cleaning", 3000)]),
    ("kilometres beyond those included", {"km_included": 50, "km_cents": 40}, back(km=80), [("km", 1200)]),
    ("just those", {"km_included": 50, "km_cents": 40}, back(km=50), []),
    ("an odometer nobody read", {"km_included": 50, "km_cents": 40}, back(), []),
    ("no rule, no charge", {}, back(pieces_back=0, broken=9, dirty=9, unclean=True, late=timedelta(days=9)), []),
]  # fmt: skip


@pytest.mark.parametrize(("rules", "record", "expected"), [c[1:] for c in CHARGES], ids=[c[0] for c in CHARGES])
def test_charges(rules: dict[str, Any], record: Record, expected: list[tuple[str, int]]) -> None:
    found = charges(terms(charges=rules), record)
    assert [(charge.kind, charge.cents) for charge in found] == expected
    for charge in found:
        assert charge.kind in KINDS
        assert "Crêpière" in plain(charge.said)


def test_kilometres_included_are_at_the_price_quoted() -> None:
    rules = terms(
        prices={"grid": [{"audience": ["everyone"], "unit": "km", "cents": 32}]},
        charges={"km_included": 50, "km_cents": 99},
    )
    told = quote(rules, replace(asked(distance_km=40), thing="Crêpière"))
    assert [(one.kind, one.cents) for one in charges(rules, back(km=150), told)] == [("km", 3200)]


@given(
    rate=st.integers(0, 100_000),
    most=st.integers(1, 50_000),
    minutes=st.integers(0, 100_000),
    per=st.sampled_from(["hour", "day"]),
)
def test_the_ceiling_of_lateness_is_kept(rate: int, most: int, minutes: int, per: str) -> None:
    rules = terms(charges={"late_cents": rate, "late_most_cents": most, "late_per": per})
    owed = [charge.cents for charge in charges(rules, back(late=timedelta(minutes=minutes)))]
    assert sum(owed) <= most
    assert bool(owed) == bool(rate and minutes)


def test_a_charge_says_how_it_was_reckoned() -> None:
    (charge,) = charges(terms(charges=HOURLY), back(late=timedelta(hours=9)))
    assert isinstance(charge, Charge)
    assert plain(charge.said) == "Crêpière is 9 hours late at 5.00 €, 20.00 € at most."
