"""Suppliers in files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from sharebank.core.errors import N_, Refused
from sharebank.core.values import parse_decimal
from sharebank.exchange import cells
from sharebank.exchange.columns import Column, Desk, Kind, Row, Write, facts, fill
from sharebank.exchange.refusals import short
from sharebank.orders.supply.supplier_models import Supplier


class BadRate(Refused):
    """No VAT rate."""

    code = "bad_rate"
    sentence = N_("“%(value)s” is not a VAT rate in percent.")


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


RATE = exact(BadRate, Decimal(0), Decimal(100), 2)
WORDS = cells.Cell(lambda cell: [word.strip() for word in cell.split(";") if word.strip()], ";".join)

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
    Column("delivery_vat_rate", RATE, Decimal(20), extra=True),
    Column("labels", WORDS, [], extra=True),
)


def by_code(session: Session) -> dict[str, Supplier]:
    """Every supplier."""
    return {supplier.code: supplier for supplier in session.scalars(select(Supplier).order_by(Supplier.id))}


def _check_suppliers(desk: Desk, rows: Sequence[Row]) -> Write:
    known = by_code(desk.session)

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
    for supplier in by_code(session).values():
        yield facts(supplier, _SUPPLIER) | {
            # The usual is not written: these columns are there only for those who need them.
            "min_order_gross": "yes" if supplier.minimum_gross else "",
            "delivery_vat_rate": None if supplier.fee_vat == 20 else supplier.fee_vat,
            "labels": supplier.labels,
        }


SUPPLIERS = Kind(_SUPPLIER, ("code",), _check_suppliers, _fetch_suppliers)
