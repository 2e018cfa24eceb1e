"""A group order's sums as plain JSON values: what programs read, and what is kept of a step."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sharebank.orders.reading import Standing
from sharebank.orders.rules.shares import Share


def summary(standing: Standing) -> dict[str, Any]:
    """Items, shares, invoice, whether the minimum is reached, and what would help; money in cents, prices as text."""
    return {
        "items": [_item(standing, sku) for sku in standing.lines],
        "shares": {organisation: money(share) for organisation, share in standing.bill.shares.items()},
        "invoice": money(standing.bill.invoice),
        "minimum_reached": standing.minimum_reached,
        "hints": list(hints(standing)),
    }


def _item(standing: Standing, sku: str) -> dict[str, Any]:
    line, filling = standing.lines[sku], standing.fillings[sku]
    return {
        "sku": sku,
        "firm": filling.firm,
        "room": filling.room,
        "packs": line.units // standing.articles[sku].pack,
        "units": line.units,
        "unit_price": format(line.price, "f"),
        "goods_cents": line.goods_cents,
        "allocations": {organisation: units for organisation, units in sorted(line.allocations.items()) if units},
    }


def money(share: Share) -> dict[str, int]:
    """The four sums of an invoice or of a share."""
    return {
        "goods_cents": share.goods_cents,
        "vat_cents": share.vat_cents,
        "delivery_cents": share.delivery_cents,
        "total_cents": share.total_cents,
    }


def hints(standing: Standing) -> Iterator[dict[str, Any]]:
    """What would help: `pack` (units missing to fill it), `break` (to the next price), `costs_less` (it is cheaper)."""
    for sku, filling in standing.fillings.items():
        if filling.lost and filling.missing:
            yield {"sku": sku, "kind": "pack", "units": filling.missing, "lost": filling.lost}
        if filling.firm and filling.next_break is not None and filling.next_price is not None:
            kind = "costs_less" if filling.costs_less else "break"
            saves = {"saves_cents": filling.saves_cents, "unit_price": format(filling.next_price, "f")}
            yield {"sku": sku, "kind": kind, "units": filling.to_break, **saves}
