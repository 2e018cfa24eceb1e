"""The supplier's invoice against what was agreed and what came: every difference, by line, to zero."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from sharebank.core.money import cents
from sharebank.orders.rules.shares import Delivery, Line

DELIVERY, SUM, _LINE, _VAT = "delivery", "sum", "line:", "vat:"


@dataclass(frozen=True, slots=True)
class InvoiceLine:
    """One line as the supplier wrote it; he may count packs where we count units: only the amount must agree."""

    units: int
    price: Decimal
    amount_cents: int


@dataclass(frozen=True, slots=True)
class Invoice:
    """An invoice as it was typed, by article number and VAT rate; `taken` are the differences taken over."""

    number: str
    day: date
    lines: Mapping[str, InvoiceLine]
    delivery_cents: int
    vat: Mapping[Decimal, int]
    total_cents: int
    taken: frozenset[str] = frozenset()
    why: str = ""
    """Why they were taken over."""

    @property
    def goods_cents(self) -> int:
        """All its lines."""
        return sum(line.amount_cents for line in self.lines.values())

    @property
    def vat_cents(self) -> int:
        """All its rates."""
        return sum(self.vat.values())


@dataclass(frozen=True, slots=True)
class Difference:
    """One amount of the invoice that is not what we reckon; `key`: `line:SKU`, `vat:20`, DELIVERY or SUM."""

    key: str
    ours_cents: int
    theirs_cents: int
    taken: bool = False
    sku: str = ""
    ours: tuple[int, Decimal] | None = None
    """Units and unit price we reckon with, of an article."""
    theirs: tuple[int, Decimal] | None = None
    rate: Decimal | None = None

    @property
    def cents(self) -> int:
        """What the invoice asks for on top; below 0: less."""
        return self.theirs_cents - self.ours_cents

    @property
    def takeable(self) -> bool:
        """May it be taken over? An invoice whose own parts do not make its total was typed wrong."""
        return self.key != SUM


def line_key(sku: str) -> str:
    """`line:PAP-1`."""
    return f"{_LINE}{sku}"


def vat_key(rate: Decimal) -> str:
    """`vat:5.5`."""
    return f"{_VAT}{plain(rate)}"


def plain(rate: Decimal) -> str:
    """A rate however it was written: `20` for 20.0 too."""
    text = format(rate, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def vat_of(amounts: Iterable[tuple[Decimal, int]]) -> dict[Decimal, int]:
    """VAT once a rate on the sum of what is taxed at it, rounded half up."""
    bases: dict[Decimal, int] = defaultdict(int)
    for rate, amount in amounts:
        bases[rate] += amount
    return {rate: cents(Decimal(base) * rate / 10_000) for rate, base in sorted(bases.items())}


def differences(lines: Iterable[Line], delivery: Delivery, invoice: Invoice) -> tuple[Difference, ...]:
    """Every difference between an invoice and the order as we reckon it without: taken over or still to clear.

    VAT and delivery are compared on what the invoice itself asks for the goods, so that one wrong line is one
    difference and not three.
    """
    lines = tuple(lines)
    found = []
    for line in lines:
        theirs = invoice.lines.get(line.sku, InvoiceLine(0, line.price, 0))
        if theirs.amount_cents != line.goods_cents:
            ours_by, theirs_by = (line.units, line.price), (theirs.units, theirs.price)
            key, amounts = line_key(line.sku), (line.goods_cents, theirs.amount_cents)
            found.append(Difference(key, *amounts, key in invoice.taken, line.sku, ours_by, theirs_by))
    fee = delivery.cents(invoice.goods_cents, sum(line.units for line in lines))
    if fee != invoice.delivery_cents:
        found.append(Difference(DELIVERY, fee, invoice.delivery_cents, DELIVERY in invoice.taken))
    rates = {line.sku: line.vat for line in lines}
    asked = [(rates[sku], theirs.amount_cents) for sku, theirs in invoice.lines.items() if sku in rates]
    ours = vat_of([*asked, (delivery.vat, invoice.delivery_cents)])
    for rate in sorted({*ours, *invoice.vat}):
        key, mine, theirs_cents = vat_key(rate), ours.get(rate, 0), invoice.vat.get(rate, 0)
        if mine != theirs_cents:
            found.append(Difference(key, mine, theirs_cents, key in invoice.taken, rate=rate))
    whole = invoice.goods_cents + invoice.delivery_cents + invoice.vat_cents
    if whole != invoice.total_cents:
        found.append(Difference(SUM, whole, invoice.total_cents))
    return tuple(found)


def open_ones(found: Iterable[Difference]) -> tuple[Difference, ...]:
    """Those that are not taken over: the invoice is reconciled when there is none."""
    return tuple(one for one in found if not one.taken)


@dataclass(frozen=True, slots=True)
class Taken:
    """What of the supplier's amounts stands instead of ours."""

    goods: Mapping[str, InvoiceLine] = field(default_factory=lambda: MappingProxyType({}))
    delivery_cents: int | None = None
    vat: Mapping[Decimal, int] = field(default_factory=lambda: MappingProxyType({}))


def taken_over(kept: Mapping[str, Any] | None) -> Taken:
    """The supplier's amounts that stand, of an invoice as it is kept; nothing without one."""
    if not kept or not kept.get("taken"):
        return Taken()
    invoice, nothing = from_json(kept), InvoiceLine(0, Decimal(0), 0)
    skus = [key.removeprefix(_LINE) for key in invoice.taken if key.startswith(_LINE)]
    rates = [Decimal(key.removeprefix(_VAT)) for key in invoice.taken if key.startswith(_VAT)]
    return Taken(
        {sku: invoice.lines.get(sku, nothing) for sku in skus},
        invoice.delivery_cents if DELIVERY in invoice.taken else None,
        {rate: invoice.vat.get(rate, 0) for rate in rates},
    )


# -- as it is kept -----------------------------------------------------------------------------------


def to_json(invoice: Invoice) -> dict[str, Any]:
    """Plain JSON values, with the four sums that programs read."""
    return {
        "number": invoice.number,
        "day": invoice.day.isoformat(),
        "lines": {sku: [line.units, format(line.price, "f"), line.amount_cents] for sku, line in invoice.lines.items()},
        "vat": {plain(rate): amount for rate, amount in invoice.vat.items()},
        "goods_cents": invoice.goods_cents,
        "delivery_cents": invoice.delivery_cents,
        "vat_cents": invoice.vat_cents,
        "total_cents": invoice.total_cents,
        "taken": sorted(invoice.taken),
        "why": invoice.why,
    }


def from_json(kept: Mapping[str, Any]) -> Invoice:
    """What `to_json` wrote."""
    return Invoice(
        kept["number"],
        date.fromisoformat(kept["day"]),
        {sku: InvoiceLine(units, Decimal(price), amount) for sku, (units, price, amount) in kept["lines"].items()},
        kept["delivery_cents"],
        {Decimal(rate): amount for rate, amount in kept["vat"].items()},
        kept["total_cents"],
        frozenset(kept["taken"]),
        kept["why"],
    )
