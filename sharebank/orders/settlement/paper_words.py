"""How the papers of a settlement write amounts, days and tables: in French, whatever the reader's language. Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from babel.numbers import format_decimal

from sharebank.core.days import written
from sharebank.core.money import euros
from sharebank.core.values import defuse

Json = dict[str, Any]
_NO_BREAK = "\u00a0"


def amount(cents: int) -> str:
    """`1 250,00 €`, from cents."""
    return f"{format_decimal(euros(cents), '#,##0.00', locale='fr')}{_NO_BREAK}€"


def price(each: Decimal) -> str:
    """`0,874 €`, of a unit."""
    return f"{format_decimal(each, '#,##0.00##', locale='fr')}{_NO_BREAK}€"


def number(value: int | Decimal) -> str:
    """`1 200`."""
    return str(format_decimal(value, "#,##0.##", locale="fr"))


def rate(percent: Decimal) -> str:
    """`5,5 %`."""
    return f"{number(percent)}{_NO_BREAK}%"


def day(value: date) -> str:
    """`28 novembre 2026`."""
    return written(value, "d MMMM y", "fr")


def heading(level: int, words: str) -> Json:
    """A heading of a paper."""
    return {"t": "h", "level": level, "runs": [[words, False]]}


def paragraph(words: str, *, strong: bool = False) -> Json:
    """A paragraph of a paper."""
    return {"t": "p", "runs": [[words, strong]]}


def facts(name: str, pairs: Iterable[Sequence[str]]) -> Json:
    """Labels and values under a name; what is not known is left out."""
    return {"t": "facts", "name": name, "pairs": [list(pair) for pair in pairs if pair[1]]}


def table(head: Sequence[str], widths: Sequence[float], right: Sequence[int], rows: Iterable[Sequence[str]]) -> Json:
    """A table of a paper; `right` names the columns of numbers."""
    rows = [list(row) for row in rows]
    return {"t": "table", "head": list(head), "widths": list(widths), "right": list(right), "rows": rows}


def csv_bytes(head: Sequence[str], rows: Iterable[Sequence[str | int | Decimal | date]]) -> bytes:
    """Rows as a French spreadsheet opens them at a double click: a byte order mark, `;`, decimal commas, 31/12/2026."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=";", lineterminator="\r\n")
    writer.writerow(head)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return b"\xef\xbb\xbf" + text.getvalue().encode()


def _cell(value: str | int | Decimal | date) -> str:
    # Numbers may begin with a minus; only what people typed could be taken for a formula.
    match value:
        case Decimal():
            return format(value, "f").replace(".", ",")
        case date():
            return value.strftime("%d/%m/%Y")
        case int():
            return str(value)
    return defuse(value)
