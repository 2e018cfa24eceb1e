"""What changed between two versions of a price list."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from sharebank.orders.rules.prices import Listed, compare, count

NOTEBOOK = Listed("C1", "Cahier", "piece", 10, Decimal("0.92"), Decimal("20.0"), 1, [[100, "0.874"]], ["recycled"], "c")


@pytest.mark.parametrize(
    ("other", "kinds", "percent"),
    [
        ({}, None, None),
        ({"vat": Decimal(20), "price": Decimal("0.920"), "breaks": [[100, "0.8740"]]}, None, None),
        ({"price": Decimal("0.966")}, ("dearer",), Decimal("5.0")),
        ({"price": Decimal("0.90")}, ("cheaper",), Decimal("-2.2")),
        ({"pack": 12}, ("pack",), None),
        ({"unit": "kg"}, ("pack",), None),
        ({"breaks": []}, ("breaks",), None),
        ({"breaks": [[200, "0.874"]]}, ("breaks",), None),
        ({"least_packs": 2}, ("least",), None),
        ({"vat": Decimal("5.5")}, ("vat",), None),
        ({"name": "Cahier vert"}, ("words",), None),
        ({"labels": []}, ("words",), None),
        ({"fallback_sku": "C2"}, ("fallback",), None),
        ({"price": Decimal("1.84"), "pack": 5}, ("dearer", "pack"), Decimal("100.0")),
    ],
)
def test_what_changed_about_an_article(other: dict[str, Any], kinds: tuple[str, ...], percent: Decimal | None) -> None:
    found = compare([NOTEBOOK], [replace(NOTEBOOK, **other)])
    assert [(change.kinds, change.percent) for change in found] == ([(kinds, percent)] if kinds else [])


def test_what_is_new_and_what_is_gone() -> None:
    pen = replace(NOTEBOOK, sku="S1", name="Stylo")
    found = compare([NOTEBOOK, replace(NOTEBOOK, sku="C2")], [replace(NOTEBOOK, price=Decimal(1), sku="C2"), pen])
    assert [(change.sku, change.kinds, change.listed.name) for change in found] == [
        ("C2", ("dearer",), "Cahier"),
        ("S1", ("new",), "Stylo"),
        ("C1", ("gone",), "Cahier"),
    ]
    assert count(found) == {"new": 1, "gone": 1, "dearer": 1}
    assert found[1].percent is found[2].percent is None
