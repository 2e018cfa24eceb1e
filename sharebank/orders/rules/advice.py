"""What would help: units to the next pack or price break, the way to the minimum, and when more costs less."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from sharebank.core.money import cents
from sharebank.orders.rules.packs import Article, Pledge, unit_price, wanted, whole_packs


@dataclass(frozen=True, slots=True)
class Filling:
    """How one article stands: firm units and room, what is ordered for them, what is missing to the next step."""

    sku: str
    firm: int
    room: int
    units: int
    price: Decimal
    missing: int
    """Units that nobody pledged and nobody accepts, to the next full pack; 0 when the last pack is full."""
    lost: int
    """Firm units that are not ordered as it stands."""
    next_break: int | None
    """Units from which the next price holds."""
    to_break: int
    next_price: Decimal | None
    saves_cents: int
    """What everyone together would save on the units ordered now at that price; net."""
    costs_less: bool
    """Ordering up to the next break costs less than what is ordered now."""


def filling(article: Article, pledges: Iterable[Pledge]) -> Filling:
    """How an article stands while pledges come in."""
    firm, most = wanted(pledges)
    room = most - firm
    units = whole_packs(article, firm, room)
    price = unit_price(article, units)
    aim = full_packs(article, firm) if firm else 0
    threshold, next_price = next_step(article, units) or (0, price)
    return Filling(
        sku=article.sku,
        firm=firm,
        room=room,
        units=units,
        price=price,
        missing=max(0, aim - firm - room),
        lost=max(0, firm - units),
        next_break=threshold or None,
        to_break=max(0, threshold - max(units, firm)),
        next_price=next_price if threshold else None,
        saves_cents=cents(units * price) - cents(units * next_price),
        costs_less=bool(threshold and units and cents(threshold * next_price) <= cents(units * price)),
    )


def next_step(article: Article, units: int) -> tuple[int, Decimal] | None:
    """The full packs that reach a break, and their price: those that cost no more than now, else the next ones."""
    packed = (full_packs(article, threshold) for threshold, _price in article.breaks if threshold > units)
    # Full packs may go past a break, to the price of the one after it.
    steps = [(whole, unit_price(article, whole)) for whole in packed]
    now = cents(units * unit_price(article, units))
    return next((step for step in steps if units and cents(step[0] * step[1]) <= now), next(iter(steps), None))


def full_packs(article: Article, units: int) -> int:
    """The units at which the pack under way is full, the supplier's least counted in."""
    return max(-(-units // article.pack), article.least_packs) * article.pack


@dataclass(frozen=True, slots=True)
class Alone:
    """What one organisation would pay by itself for what it wants: whole packs, its own breaks."""

    units: int
    goods_cents: int


def alone(lines: Sequence[tuple[Article, int]]) -> Alone:
    """The goods of an order of one's own; delivery and VAT come on top as for any order."""
    units = goods = 0
    for article, quantity in lines:
        if quantity:
            bought = full_packs(article, quantity)
            units += bought
            goods += cents(bought * unit_price(article, bought))
    return Alone(units, goods)
