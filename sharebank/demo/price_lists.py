"""The demonstration's price lists: last year's and this year's, and what to take instead of some articles."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from sharebank.exchange import import_bytes

FOLDER = Path(__file__).parent
FILES = ("price_list_school.csv", "price_list_kitchen.csv")
INSTEAD = {
    "PJ-1002": "PJ-1003",
    "PJ-1202": "PJ-1201",
    "PJ-1304": "PJ-1303",
    "SD-20031": "SD-20030",
    "GM-302": "GM-303",
    "GM-320": "GM-321",
    "NV-703": "NV-702",
}
"""An article, and the one to take when it cannot be had."""
GONE = {
    "price_list_school.csv": "JACQ,PJ-1098,Buvard 17×22 cm rose,piece,50,0.12,20.0,1,,,cahiers",
    "price_list_kitchen.csv": "GMAR,GM-399,Paraffine alimentaire 500 g,piece,6,3.90,20.0,1,,,bocaux",
}
"""Sold last year only."""


def load_price_lists(session: Session, now: datetime, tz: ZoneInfo) -> None:
    """Suppliers and two versions of their prices, so that one sees what changed."""
    import_bytes(session, "suppliers", "suppliers.csv", (FOLDER / "suppliers.csv").read_bytes(), now, tz)
    for file in FILES:
        with (FOLDER / file).open(encoding="utf-8", newline="") as text:
            rows = list(csv.DictReader(text))
        former = [*_last_year(rows), dict(zip(rows[0], GONE[file].split(","), strict=True))]
        today = [row | {"fallback_sku": INSTEAD.get(row["sku"], "")} for row in rows]
        for version, at in ((former, now - timedelta(days=364)), (today, now)):
            import_bytes(session, "price-list", file, _written(version), at, tz)


def _last_year(rows: list[dict[str, str]]) -> Iterator[dict[str, str]]:
    """Some articles were not there yet, some were cheaper, and some dearer."""
    for number, row in enumerate(rows):
        price = Decimal(row["unit_price_excl_vat_eur"])
        if number % 5 == 0:
            price = round(price * Decimal("1.05" if row["price_breaks"] else "0.96"), 2)
        if number % 13 != 7:
            yield row | {"unit_price_excl_vat_eur": str(price)}


def _written(rows: list[dict[str, str]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()
