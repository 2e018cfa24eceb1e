"""Suppliers and their prices in words."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from babel.numbers import format_decimal

from sharebank.core import web
from sharebank.core.errors import N_
from sharebank.core.texts import gettext
from sharebank.orders.rules.prices import KINDS
from sharebank.orders.supply.supplier_models import Supplier
from sharebank.orders.supply.suppliers import KINDS as TRADES
from sharebank.orders.words import price_words


def kind_word(kind: str) -> str:
    """What a supplier sells; another word as it came."""
    return str(gettext(TRADES[kind])) if kind in TRADES else kind


def change_word(kind: str) -> str:
    """How an article changed."""
    return str(gettext(KINDS[kind]))


def changes_words(counts: Mapping[str, int]) -> str:
    """`Nouveau : 3 · Plus cher : 12`."""
    facts = [(change_word(kind), web.number_words(counts[kind])) for kind in KINDS if counts.get(kind)]
    return " · ".join(str(gettext("%(label)s: %(num)s", label=label, num=num)) for label, num in facts)


def percent_words(percent: Decimal) -> str:
    """`+4,5 %`."""
    number = format_decimal(abs(percent), "0.#", locale=web.locale_code())
    sign = "+" if percent > 0 else "−"
    return f"{sign}{number}\N{NARROW NO-BREAK SPACE}%"


def minimum_words(supplier: Supplier) -> str:
    """The minimum order, net or gross."""
    if not supplier.minimum_cents:
        return str(gettext("no minimum"))
    amount = web.euros_words(supplier.minimum_cents)
    if supplier.minimum_gross:
        return str(gettext("%(amount)s, VAT and delivery included", amount=amount))
    return str(gettext("%(amount)s of goods, net", amount=amount))


def delivery_words(supplier: Supplier) -> str:
    """What delivery costs, and from when on it is free."""
    if not supplier.fee_cents or supplier.free_from_cents == 0:
        return str(gettext("free"))
    fee = web.euros_words(supplier.fee_cents)
    if supplier.free_from_cents is None:
        return str(gettext("%(fee)s net", fee=fee))
    amount = web.euros_words(supplier.free_from_cents)
    return str(gettext("%(fee)s net, free from %(amount)s of goods on", fee=fee, amount=amount))


def break_price(price: str) -> str:
    """The price of a break, which is kept as text."""
    return price_words(Decimal(price))


_COLUMNS = {
    "sku": N_("Article number, which no other supplier uses."),
    "name": N_("What it is."),
    "pack_size": N_("Units in a pack: only whole packs are ordered."),
    "unit_price_excl_vat_eur": N_("Price of one unit, net: 0.92 or 0,874."),
    "vat_rate": N_("VAT in percent: 20 or 5.5."),
    "unit": N_("What one unit is, if not a piece: kg, litre, bottle."),
    "min_order_packs": N_("The least the supplier sells, in packs, if not one."),
    "price_breaks": N_("Units and the price from there on: 100:0.874;500:0.819."),
    "labels": N_("recycled, ecolabel, local, organic; several with “;” between them."),
    "category": N_("To search by."),
    "fallback_sku": N_("The article to take when this one cannot be had; without this column it stays as it is."),
    "supplier": N_("The supplier’s code; it may be left out here."),
}


def columns() -> list[tuple[str, str]]:
    """The columns of a file of prices, each in a sentence."""
    return [(name, str(gettext(words))) for name, words in _COLUMNS.items()]
