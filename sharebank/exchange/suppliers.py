"""Suppliers and their price lists in files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import groupby, pairwise
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from sharebank.catalog.service import search_text
from sharebank.core.errors import N_, Refused
from sharebank.core.values import parse_decimal
from sharebank.exchange import cells
from sharebank.exchange.columns import Column, Desk, Kind, Row, Write, facts, fill
from sharebank.exchange.refusals import short
from sharebank.orders.making import latest_list
from sharebank.orders.models import PriceItem, PriceList, Supplier

# -- suppliers -------------------------------------------------------------------------------------


class BadRate(Refused):
    """No VAT rate."""

    code = "bad_rate"
    sentence = N_("“%(value)s” is not a VAT rate in percent.")


class BadPrice(Refused):
    """No unit price."""

    code = "bad_price"
    sentence = N_("“%(value)s” is not a unit price: more than 0, four decimals at most.")


def exact(refusal: type[Refused], low: Decimal, high: Decimal, places: int) -> cells.Cell:
    """A decimal kept as it is written."""

    def read(cell: str) -> Decimal:
        try:
            number = parse_decimal(cell)
        except ValueError:
            raise refusal(value=short(cell)) from None
        exponent = number.as_tuple().exponent
        if not low <= number <= high or not isinstance(exponent, int) or exponent < -places:
            raise refusal(value=short(cell))
        return number

    return cells.Cell(read, lambda number: "" if number is None else format(number, "f"))


_RATE = exact(BadRate, Decimal(0), Decimal(100), 2)
_PRICE = exact(BadPrice, Decimal("0.0001"), Decimal(100_000), 4)
_WORDS = cells.Cell(lambda cell: [word.strip() for word in cell.split(";") if word.strip()], ";".join)

_SUPPLIER = (
    Column("code", cells.code(), field="code"),
    Column("name", cells.text(200), field="name"),
    Column("kind", cells.text(40), "", "kind"),
    Column("email", cells.EMAIL, "", "email"),
    Column("phone", cells.text(30), "", "phone"),
    Column("address", cells.text(200), "", "address"),
    Column("postal_code", cells.text(10), "", "postal_code"),
    Column("city", cells.text(100), "", "city"),
    Column("min_order_eur_excl_vat", cells.MONEY, 0, "minimum_cents"),
    Column("delivery_fee_eur", cells.MONEY, 0, "fee_cents"),
    Column("free_delivery_from_eur", cells.MONEY, None, "free_from_cents"),
    Column("lead_time_days", cells.whole(0, 365), 0, "lead_days"),
    Column("notes", cells.text(20_000), "", "notes"),
    Column("min_order_gross", cells.choice("yes", "no"), "no", extra=True),
    Column("delivery_vat_rate", _RATE, Decimal(20), extra=True),
    Column("labels", _WORDS, [], extra=True),
)


def _suppliers(session: Session) -> dict[str, Supplier]:
    return {supplier.code: supplier for supplier in session.scalars(select(Supplier).order_by(Supplier.id))}


def _check_suppliers(desk: Desk, rows: Sequence[Row]) -> Write:
    known = _suppliers(desk.session)

    def write() -> None:
        for row in rows:
            supplier = known.get(row["code"]) or Supplier(fee_vat=Decimal(20), labels=[], minimum_gross=False)
            fill(supplier, _SUPPLIER, row)
            if "min_order_gross" in row.values:
                supplier.minimum_gross = row["min_order_gross"] == "yes"
            supplier.fee_vat = row.get("delivery_vat_rate", supplier.fee_vat)
            supplier.labels = row.get("labels", supplier.labels)
            desk.session.add(supplier)
        desk.session.flush()

    return write


def _fetch_suppliers(session: Session, _tz: ZoneInfo) -> Iterator[Mapping[str, Any]]:
    for supplier in _suppliers(session).values():
        yield facts(supplier, _SUPPLIER) | {
            # The usual is not written: these columns are there only for those who need them.
            "min_order_gross": "yes" if supplier.minimum_gross else "",
            "delivery_vat_rate": None if supplier.fee_vat == 20 else supplier.fee_vat,
            "labels": supplier.labels,
        }


# -- price lists -----------------------------------------------------------------------------------


class UnknownSupplier(Refused):
    """No such supplier."""

    code = "unknown_supplier"
    sentence = N_("There is no supplier with the code “%(value)s”.")


class BadBreaks(Refused):
    """Thresholds rise in whole packs, prices fall."""

    code = "bad_breaks"
    sentence = N_("Write price breaks as units:price;units:price, units rising in whole packs and prices falling.")


class SkuElsewhere(Refused):
    """An article number is one supplier's."""

    code = "sku_elsewhere"
    sentence = N_("“%(value)s” is an article of another supplier.")


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
    Column("vat_rate", _RATE, field="vat"),
    Column("min_order_packs", cells.whole(1, 1_000_000), 1, "least_packs"),
    Column("price_breaks", _BREAKS, [], "breaks"),
    Column("labels", _WORDS, [], "labels"),
    Column("category", cells.text(60), "", "category"),
    Column("fallback_sku", cells.code(40), "", "fallback_sku", extra=True),
)
_VALUES = {column.field: column.empty for column in _ITEM if column.field}


def _stored_items(session: Session, prices: PriceList | None) -> list[dict[str, Any]]:
    if prices is None:
        return []
    own = PriceItem.__table__.c
    query = select(*(own[name] for name in _VALUES)).where(own.price_list_id == prices.id).order_by(own.id)
    return [dict(row._mapping) for row in session.connection().execute(query)]


def _check_prices(desk: Desk, rows: Sequence[Row]) -> Write:
    known = _suppliers(desk.session)
    current = {code: latest_list(desk.session, supplier.id) for code, supplier in known.items()}
    owners: dict[str, str] = {}
    for code, prices in current.items():
        owners |= {item["sku"]: code for item in _stored_items(desk.session, prices)}
    for row in rows:
        if row["supplier"] not in known:
            desk.refuse(row, "supplier", UnknownSupplier(value=row["supplier"]))
        elif owners.get(row["sku"], row["supplier"]) != row["supplier"]:
            desk.refuse(row, "sku", SkuElsewhere(value=row["sku"]))
        thresholds = [units for units, _price in row.get("price_breaks", [])]
        cheaper = [Decimal(price) for _units, price in row.get("price_breaks", [])]
        if any(units % row["pack_size"] for units in thresholds) or any(
            price >= row["unit_price_excl_vat_eur"] for price in cheaper
        ):
            desk.refuse(row, "price_breaks", BadBreaks())

    def write() -> None:
        for code, own in groupby(
            sorted(rows, key=lambda row: str(row["supplier"])), key=lambda row: str(row["supplier"])
        ):
            items = [_item(row) for row in own]
            prices = current[code]
            if items == _stored_items(desk.session, prices):
                continue  # the same list again makes no new version
            by_id = desk.actor.user_id if desk.actor else None
            version = prices.version + 1 if prices else 1
            new = PriceList(supplier_id=known[code].id, version=version, created_at=desk.now, by_id=by_id)
            desk.session.add(new)
            desk.session.flush()
            searched = ("sku", "name", "category")
            desk.session.connection().execute(
                insert(PriceItem.__table__),  # type: ignore[arg-type]
                [
                    {**item, "price_list_id": new.id}
                    | {"search_text": search_text([*(item[name] for name in searched), *item["labels"]])}
                    for item in items
                ],
            )

    return write


def _item(row: Row) -> dict[str, Any]:
    return {column.field: row.get(column.name, column.empty) for column in _ITEM if column.field}


def _fetch_prices(session: Session, _tz: ZoneInfo) -> Iterator[Mapping[str, Any]]:
    for code, supplier in _suppliers(session).items():
        for item in _stored_items(session, latest_list(session, supplier.id)):
            yield {"supplier": code} | {column.name: item[column.field] for column in _ITEM if column.field}


SUPPLIERS = Kind(_SUPPLIER, ("code",), _check_suppliers, _fetch_suppliers)
PRICE_LIST = Kind(_ITEM, ("sku",), _check_prices, _fetch_prices)
