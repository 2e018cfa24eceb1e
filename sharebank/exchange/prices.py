"""Price lists in files: imported as they are, or read to be looked at first."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, replace
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from sharebank.core.errors import N_, Refused
from sharebank.exchange import cells
from sharebank.exchange.checking import check_bytes
from sharebank.exchange.columns import Column, Desk, Kind, Names, Row, Write
from sharebank.exchange.refusals import ImportRefused
from sharebank.exchange.suppliers import RATE, WORDS, by_code, exact
from sharebank.orders.desk.making import latest_list
from sharebank.orders.rules.prices import Listed
from sharebank.orders.supply import prices
from sharebank.orders.supply.supplier_models import Supplier


class BadPrice(Refused):
    """No unit price."""

    code = "bad_price"
    sentence = N_("“%(value)s” is not a unit price: more than 0, four decimals at most.")


class UnknownSupplier(Refused):
    """No such supplier."""

    code = "unknown_supplier"
    sentence = N_("There is no supplier with the code “%(value)s”.")


class OtherSupplier(Refused):
    """A list given for one supplier holds that one's articles."""

    code = "other_supplier"
    sentence = N_("This row is of the supplier “%(value)s”, and the list is for “%(supplier)s”.")


class BadBreaks(Refused):
    """Thresholds rise in whole packs, prices fall."""

    code = "bad_breaks"
    sentence = N_("Write price breaks as units:price;units:price, units rising in whole packs and prices falling.")


class SkuElsewhere(Refused):
    """An article number is one supplier's."""

    code = "sku_elsewhere"
    sentence = N_("“%(value)s” is an article of another supplier.")


_PRICE = exact(BadPrice, Decimal("0.0001"), Decimal(100_000), 4)


def _read_breaks(cell: str) -> list[list[Any]]:
    steps = []
    for part in cell.split(";"):
        units, colon, price = part.partition(":")
        try:
            steps.append([cells.whole(1).read(units.strip()), format(_PRICE.read(price.strip()), "f")])
        except Refused:
            raise BadBreaks from None
        if not colon:
            raise BadBreaks
    if any(low[0] >= high[0] or Decimal(low[1]) <= Decimal(high[1]) for low, high in pairwise(steps)):
        raise BadBreaks
    return steps


_BREAKS = cells.Cell(_read_breaks, lambda steps: ";".join(f"{units}:{price}" for units, price in steps))
_ITEM = (
    Column("supplier", cells.code()),
    Column("sku", cells.code(40), field="sku"),
    Column("name", cells.text(300), field="name"),
    Column("unit", cells.text(20), "piece", "unit"),
    Column("pack_size", cells.whole(1, 1_000_000), field="pack"),
    Column("unit_price_excl_vat_eur", _PRICE, field="price"),
    Column("vat_rate", RATE, field="vat"),
    Column("min_order_packs", cells.whole(1, 1_000_000), 1, "least_packs"),
    Column("price_breaks", _BREAKS, [], "breaks"),
    Column("labels", WORDS, [], "labels"),
    Column("category", cells.text(60), "", "category"),
    Column("fallback_sku", cells.code(40), "", "fallback_sku", extra=True),
)
_NAMED = {column.field: column.name for column in _ITEM if column.field}
assert list(_NAMED) == [field.name for field in fields(Listed)]


def _checked(desk: Desk, rows: Sequence[Row], only: str = "") -> dict[str, list[Listed]]:
    """Articles by supplier, in the file's order; what is wrong with them is noted. `only`: of this supplier."""
    known, owners = by_code(desk.session), prices.owners(desk.session)
    found: dict[str, list[Listed]] = defaultdict(list)
    places: dict[tuple[str, str], Row] = {}
    for row in rows:
        code = row.get("supplier") or only
        if code not in known:
            desk.refuse(row, "supplier", UnknownSupplier(value=code))
        elif only and code != only:
            desk.refuse(row, "supplier", OtherSupplier(value=code, supplier=only))
        elif owners.get(row["sku"], code) != code:
            desk.refuse(row, "sku", SkuElsewhere(value=row["sku"]))
        steps, price = row.get("price_breaks", []), row["unit_price_excl_vat_eur"]
        if any(units % row["pack_size"] or Decimal(lower) >= price for units, lower in steps):
            desk.refuse(row, "price_breaks", BadBreaks())
        found[code].append(Listed(**{name: row.get(column, _EMPTY.get(name)) for name, column in _NAMED.items()}))
        places[code, row["sku"]] = row
    for code, items in found.items():
        for item in items:
            if item.fallback_sku and (item.fallback_sku == item.sku or (code, item.fallback_sku) not in places):
                refusal = prices.UnknownFallback(value=item.fallback_sku)
                desk.refuse(places[code, item.sku], "fallback_sku", refusal)
    if rows and "fallback_sku" not in rows[0].values:
        return {code: _as_before(desk.session, known.get(code), items) for code, items in found.items()}
    return found


_EMPTY = {column.field: column.empty for column in _ITEM if column.field}


def _as_before(session: Session, supplier: Supplier | None, items: list[Listed]) -> list[Listed]:
    """What is taken instead of an article is ours to say: a file that does not speak of it leaves it."""
    if supplier is None:
        return items
    said = {item.sku: item.fallback_sku for item in prices.items_of(session, latest_list(session, supplier.id))}
    listed = {item.sku for item in items}
    return [
        replace(item, fallback_sku=old) if (old := said.get(item.sku)) in listed and old else item for item in items
    ]


def _check_prices(desk: Desk, rows: Sequence[Row]) -> Write:
    prices.hold(desk.session)
    found = _checked(desk, rows)

    def write() -> None:
        known = by_code(desk.session)
        for code, items in sorted(found.items()):
            prices.keep(desk.session, known[code], items, desk.now, desk.actor.user_id if desk.actor else None)

    return write


def prices_of_file(
    session: Session, supplier: str, file: str, raw: bytes, now: datetime, tz: ZoneInfo
) -> tuple[list[Listed], tuple[str, ...]]:
    """The articles of one supplier's file, and what of it was not read; raises PricesRefused with every mistake.

    The file need not name the supplier.
    """
    found: list[Listed] = []

    def look(desk: Desk, rows: Sequence[Row]) -> Write:
        found.extend(_checked(desk, rows, supplier).get(supplier, []))
        return lambda: None

    own = Kind((Column("supplier", cells.code(), ""), *_ITEM[1:]), ("sku",), look, _fetch_prices)
    try:
        _write, report = check_bytes(session, own, file, raw, now, tz)
    except ImportRefused as refused:
        mistakes = [(problem.line, problem.column, problem.refusal) for problem in refused.problems]
        raise prices.PricesRefused(file, mistakes) from refused
    return found, tuple(warning.said(file) for warning in report.warnings)


def _fetch_prices(session: Session, _tz: ZoneInfo) -> Iterator[Mapping[str, Any]]:
    for code, supplier in by_code(session).items():
        for item in prices.items_of(session, latest_list(session, supplier.id)):
            yield {"supplier": code} | {column: getattr(item, name) for name, column in _NAMED.items()}


PRICE_LIST = Kind(
    _ITEM,
    ("sku",),
    _check_prices,
    _fetch_prices,
    {"supplier": Names(lambda desk, _rows: by_code(desk.session), UnknownSupplier)},
)
