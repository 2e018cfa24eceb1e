"""Packs and who gets what: boundaries as a table, small orders against a solver that tries everything."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from fractions import Fraction
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharebank.orders.rules.packs import (
    SHARINGS,
    Article,
    Pledge,
    Sharing,
    allocate,
    largest_remainder,
    unit_price,
    units_to_order,
)


def article(pack: int = 10, least: int = 1, breaks: tuple[tuple[int, str], ...] = ()) -> Article:
    steps = tuple((units, Decimal(price)) for units, price in breaks)
    return Article("A", pack, Decimal("1.00"), Decimal(20), least, steps)


def pledges(*wanted: tuple[int, int]) -> list[Pledge]:
    """(quantity, accept up to) of A, B, C…, who came in that order."""
    return [Pledge(chr(65 + number), quantity, most, number) for number, (quantity, most) in enumerate(wanted)]


@pytest.mark.parametrize(
    ("why", "pack", "least", "wanted", "ordered"),
    [
        ("nobody pledges", 10, 1, [], 0),
        ("everybody withdrew", 10, 1, [(0, 0), (0, 0)], 0),
        ("room alone opens no pack", 10, 1, [(0, 10)], 0),
        ("one unit below the pack, no room", 10, 1, [(9, 9)], 0),
        ("one unit below the pack, room for it", 10, 1, [(9, 10)], 10),
        ("at the pack", 10, 1, [(10, 10)], 10),
        ("one unit above the pack, no room", 10, 1, [(11, 11)], 10),
        ("one unit above, room one short", 10, 1, [(11, 19)], 10),
        ("one unit above, room enough", 10, 1, [(11, 20)], 20),
        ("full packs do not grow by room", 10, 1, [(10, 30)], 10),
        ("pack of one", 1, 1, [(7, 9)], 7),
        ("below the minimum", 10, 3, [(20, 20)], 0),
        ("one unit below the minimum, no room", 10, 3, [(29, 29)], 0),
        ("at the minimum", 10, 3, [(30, 30)], 30),
        ("above the minimum", 10, 3, [(31, 31)], 30),
        ("the minimum reached with room", 10, 3, [(21, 30)], 30),
        ("the minimum reached with room alone: below it nobody gets anything", 1, 5, [(4, 5)], 5),
        ("the minimum one short, with all room", 1, 5, [(3, 4)], 0),
    ],
)
def test_units_to_order(why: str, pack: int, least: int, wanted: list[tuple[int, int]], ordered: int) -> None:
    assert units_to_order(article(pack, least), pledges(*wanted)) == ordered, why


@pytest.mark.parametrize(("units", "price"), [(0, "1.00"), (99, "1.00"), (100, "0.874"), (499, "0.874"), (500, "0.8")])
def test_a_break_counts_when_it_is_reached(units: int, price: str) -> None:
    assert unit_price(article(breaks=((100, "0.874"), (500, "0.8"))), units) == Decimal(price)


@pytest.mark.parametrize(
    ("why", "sharing", "first", "wanted", "units", "given", "surplus"),
    [
        ("enough for all", "pro_rata", (), [(6, 6), (4, 4)], 10, [6, 4], 0),
        ("more goes to those who accept more", "pro_rata", (), [(6, 6), (3, 5)], 10, [6, 4], 0),
        ("more in proportion to room", "pro_rata", (), [(1, 4), (1, 7)], 5, [2, 3], 0),
        ("missing in proportion to what was asked", "pro_rata", (), [(6, 6), (3, 3)], 6, [4, 2], 0),
        ("ties by code", "pro_rata", (), [(1, 1), (1, 1), (1, 1)], 2, [1, 1, 0], 0),
        ("who came first is served", "first_come", (), [(6, 6), (4, 4)], 7, [6, 1], 0),
        ("named ones are served first", "priority", ("C",), [(5, 5), (5, 5), (5, 5)], 10, [3, 2, 5], 0),
        (
            "named ones share when there is too little",
            "priority",
            ("A", "C"),
            [(4, 4), (5, 5), (2, 2)],
            3,
            [2, 0, 1],
            0,
        ),
        ("nothing came", "pro_rata", (), [(6, 9), (4, 4)], 0, [0, 0], 0),
        ("more came than anybody accepts", "pro_rata", (), [(6, 7), (4, 4)], 15, [7, 4], 4),
    ],
)
def test_allocate(
    why: str,
    sharing: Sharing,
    first: Sequence[str],
    wanted: list[tuple[int, int]],
    units: int,
    given: list[int],
    surplus: int,
) -> None:
    assert allocate(pledges(*wanted), units, sharing, first) == (dict(zip("ABC", given, strict=False)), surplus), why


# -- a solver that tries everything ----------------------------------------------------------------

small = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3)), min_size=1, max_size=4)


def every_way(units: int, caps: Sequence[int]) -> Iterator[tuple[int, ...]]:
    return (way for way in product(*(range(cap + 1) for cap in caps)) if sum(way) == units)


def fairest(units: int, weights: Sequence[int]) -> tuple[int, ...]:
    """Nearest to the exact proportion (squares), the first in order on a tie."""
    whole = sum(weights)
    exact = [Fraction(units * weight, whole) if whole else Fraction(0) for weight in weights]
    distance = {
        way: sum((part - share) ** 2 for part, share in zip(way, exact, strict=True))
        for way in every_way(units, weights)
    }
    return max((way for way in distance if distance[way] == min(distance.values())), default=(0,) * len(weights))


def by_trying(wanted: Sequence[Pledge], units: int, sharing: Sharing, first: Sequence[str]) -> list[int]:
    firm, room = [one.quantity for one in wanted], [one.room for one in wanted]
    base = [0] * len(wanted) if units < sum(firm) else firm
    caps = firm if units < sum(firm) else room
    left = units - sum(base)
    if sharing == "pro_rata":
        best = fairest(left, caps)
    elif sharing == "first_come":
        best = max(every_way(left, caps))
    else:
        named = [cap if one.organisation in first else 0 for one, cap in zip(wanted, caps, strict=True)]
        to_named = min(left, sum(named))
        others = [cap - part for cap, part in zip(caps, named, strict=True)]
        pairs = zip(fairest(to_named, named), fairest(left - to_named, others), strict=True)
        best = tuple(one + other for one, other in pairs)
    return [one + more for one, more in zip(base, best, strict=True)]


@given(small, st.integers(1, 6), st.integers(1, 3))
def test_packs_against_every_way(wanted: list[tuple[int, int]], pack: int, least: int) -> None:
    """Of all whole packs, the nearest above the firm units that everyone accepts, else the nearest below."""
    own = pledges(*((quantity, quantity + room) for quantity, room in wanted))
    firm, most = sum(one.quantity for one in own), sum(one.accept_up_to for one in own)
    possible = [units for units in range(0, most + firm + pack, pack) if units == 0 or units >= least * pack]
    filled = [units for units in possible if firm <= units <= most and (units < firm + pack or units == least * pack)]
    expected = (min(filled) if filled else max(units for units in possible if units <= firm)) if firm else 0
    assert units_to_order(article(pack, least), own) == expected


@given(small, st.integers(0, 40), st.sampled_from(SHARINGS), st.sets(st.sampled_from("ABCD")))
def test_allocations_against_every_way(
    wanted: list[tuple[int, int]], units: int, sharing: Sharing, first: set[str]
) -> None:
    own = pledges(*((quantity, quantity + room) for quantity, room in wanted))
    most = sum(one.accept_up_to for one in own)
    given_, surplus = allocate(own, units, sharing, sorted(first))
    assert surplus == max(0, units - most)
    assert sum(given_.values()) + surplus == units
    assert all(0 <= given_[one.organisation] <= one.accept_up_to for one in own)
    assert list(given_.values()) == by_trying(own, units - surplus, sharing, sorted(first))


@given(
    st.integers(0, 10_000), st.dictionaries(st.text("ABCDEF", min_size=1, max_size=3), st.integers(0, 50), min_size=1)
)
def test_parts_add_up_whoever_comes_first(total: int, weights: dict[str, int]) -> None:
    parts = largest_remainder(total, weights)
    assert sum(parts.values()) == total
    assert min(parts.values()) >= 0
    backwards = dict(reversed(weights.items()))
    assert largest_remainder(total, backwards) == parts


def test_nobody_to_share_with() -> None:
    assert largest_remainder(0, {}) == {}
    with pytest.raises(ValueError, match="nobody"):
        largest_remainder(1, {})
