"""What an order costs and what each organisation bears of it, to the cent."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from types import MappingProxyType

from sharebank.core.money import cents
from sharebank.orders.rules.packs import (
    Article,
    Pledge,
    Sharing,
    allocate,
    largest_remainder,
    unit_price,
    units_to_order,
)

STANDARD_RATE = Decimal(20)
"""VAT on delivery unless the supplier says otherwise, in percent."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What a supplier asks for bringing it: a net fee, none from an amount of net goods on; None: never free."""

    fee_cents: int = 0
    free_from_cents: int | None = None
    vat: Decimal = STANDARD_RATE

    def cents(self, goods_cents: int, units: int) -> int:
        """The fee for this much; nothing ordered, nothing brought."""
        free = self.free_from_cents is not None and goods_cents >= self.free_from_cents
        return 0 if free or not units else self.fee_cents


@dataclass(frozen=True, slots=True)
class Minimum:
    """The least a supplier takes an order for; net, or gross (VAT and delivery included)."""

    cents: int = 0
    gross: bool = False


@dataclass(frozen=True)
class Line:
    """One article as it is ordered or as it came: units, their price, what they cost, who gets how many."""

    sku: str
    units: int
    price: Decimal
    goods_cents: int
    vat: Decimal
    allocations: Mapping[str, int]
    surplus: int = 0
    """Units nobody accepts; somebody must take them before the order can be settled."""

    @cached_property
    def parts(self) -> Mapping[str, int]:
        """Its goods in proportion to units, in cents; empty when nobody gets any. Kept: many bills are made of it."""
        return follow(self.goods_cents, self.allocations, {}) if any(self.allocations.values()) else {}


@dataclass(frozen=True, slots=True)
class Share:
    """What one organisation bears."""

    goods_cents: int = 0
    delivery_cents: int = 0
    vat_cents: int = 0
    vat_by_rate: Mapping[Decimal, int] = field(default_factory=dict)

    @property
    def total_cents(self) -> int:
        """Everything together."""
        return self.goods_cents + self.delivery_cents + self.vat_cents


@dataclass(frozen=True, slots=True)
class Bill:
    """An order's money: the invoice, and the shares that add up to it."""

    lines: tuple[Line, ...]
    invoice: Share
    shares: Mapping[str, Share]

    def reaches(self, minimum: Minimum) -> bool:
        """Would the supplier take it?"""
        return (self.invoice.total_cents if minimum.gross else self.invoice.goods_cents) >= minimum.cents


def line_of(
    article: Article,
    pledges: Sequence[Pledge],
    sharing: Sharing,
    first: Sequence[str] = (),
    *,
    units: int | None = None,
    price: Decimal | None = None,
    goods_cents: int | None = None,
    keeper: str | None = None,
) -> Line:
    """An article's line; `units` and `price` when they are not what the rule says (what came, what was changed).

    `goods_cents` when the supplier's amount stands, not ours. Units that nobody accepts are the `keeper`'s, when
    there is one.
    """
    units = units_to_order(article, pledges) if units is None else units
    price = unit_price(article, units) if price is None else price
    allocations, surplus = allocate(pledges, units, sharing, first)
    if surplus and keeper is not None:
        allocations[keeper] = allocations.get(keeper, 0) + surplus
        surplus = 0
    goods_cents = cents(units * price) if goods_cents is None else goods_cents
    return Line(article.sku, units, price, goods_cents, article.vat, allocations, surplus)


def bill(
    lines: Iterable[Line],
    delivery: Delivery,
    *,
    delivery_cents: int | None = None,
    vat_cents: Mapping[Decimal, int] = MappingProxyType({}),
    bearers: Mapping[str, int] = MappingProxyType({}),
) -> Bill:
    """The invoice of these lines, and its shares: by largest remainder each time, ties by organisation code.

    Goods follow the units of each line, delivery follows all goods, each rate's VAT follows what each bears at that
    rate. `delivery_cents` when the supplier asked for another fee, `vat_cents` for the rates whose VAT he rounded or
    reckoned otherwise. What has nothing to follow follows `bearers` (what each had asked for). Raises ValueError
    when units have no owner, or cents nobody to bear them.
    """
    lines = tuple(lines)
    at_rate: dict[Decimal, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for line in lines:
        if line.surplus:
            raise ValueError(f"{line.surplus} units of {line.sku} belong to nobody")
        base = at_rate[line.vat]
        for organisation, part in (line.parts or follow(line.goods_cents, {}, bearers)).items():
            base[organisation] += part
    goods = _added(at_rate.values())
    goods_cents = sum(line.goods_cents for line in lines)
    fee = delivery.cents(goods_cents, sum(line.units for line in lines)) if delivery_cents is None else delivery_cents
    # Where all goods are free of charge, delivery follows the units.
    followed = goods if goods_cents else _some(_added(line.allocations for line in lines))
    brought = largest_remainder(fee, followed or bearers) if fee else {}
    for organisation, part in brought.items():
        if part:
            at_rate[delivery.vat][organisation] += part
    for rate, whole in vat_cents.items():
        if whole and not at_rate[rate]:  # VAT at a rate none of ours bears: it follows everything
            at_rate[rate].update(_some(_added((goods, brought))) or bearers)
    vat = {rate: cents(Decimal(sum(base.values())) * rate / 10_000) for rate, base in at_rate.items()}
    vat |= {rate: whole for rate, whole in vat_cents.items() if rate in at_rate}
    borne = {rate: largest_remainder(vat[rate], dict(base)) for rate, base in at_rate.items()}
    shares = {
        organisation: _share(goods.get(organisation, 0), brought.get(organisation, 0), borne, organisation)
        for organisation in sorted({*goods, *brought, *(one for base in borne.values() for one in base)})
    }
    invoice = Share(goods_cents, fee, sum(vat.values()), dict(sorted(vat.items())))
    return Bill(lines, invoice, shares)


def follow(whole: int, allocations: Mapping[str, int], bearers: Mapping[str, int]) -> dict[str, int]:
    """A line's goods in proportion to units; those who get none bear nothing, unless nobody gets any."""
    return largest_remainder(whole, _some(allocations) or (bearers if whole else {}))


def _added(amounts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    added: dict[str, int] = defaultdict(int)
    for each in amounts:
        for organisation, amount in each.items():
            added[organisation] += amount
    return added


def _some(amounts: Mapping[str, int]) -> dict[str, int]:
    return {organisation: amount for organisation, amount in amounts.items() if amount}


def _share(
    goods_cents: int, delivery_cents: int, borne: Mapping[Decimal, Mapping[str, int]], organisation: str
) -> Share:
    by_rate = {rate: shares[organisation] for rate, shares in sorted(borne.items()) if organisation in shares}
    return Share(goods_cents, delivery_cents, sum(by_rate.values()), by_rate)
