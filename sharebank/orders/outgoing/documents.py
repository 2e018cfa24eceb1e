"""An order as its supplier reads it: PDF, spreadsheet, CSV, all made of one frozen content.

In French, whatever the reader's language, and without a word of who shares it. The same content gives the same bytes.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import xlsxwriter

from sharebank.core import press
from sharebank.core.money import euros
from sharebank.core.period import to_local
from sharebank.core.values import defuse
from sharebank.orders.settlement import paper_words as words

Json = Mapping[str, Any]

MEDIA = {
    "pdf": "application/pdf",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "csv": "text/csv",
}
"""The forms there are."""

_UNITS = {
    "piece": ("pièce", "pièces"),
    "packet": ("paquet", "paquets"),
    "box": ("boîte", "boîtes"),
    "set": ("lot", "lots"),
    "bottle": ("bouteille", "bouteilles"),
    "ream": ("ramette", "ramettes"),
    "roll": ("rouleau", "rouleaux"),
    "sheet": ("feuille", "feuilles"),
    "litre": ("litre", "litres"),
    "unit": ("unité", "unités"),
}
_HEADS = (
    "Référence",
    "Désignation",
    "Cartons",
    "Unités par colis",
    "Unités",
    "Unité",
    "Prix unitaire HT (€)",
    "TVA (%)",
    "Montant HT (€)",
)
_DRAFT = "APERÇU : CETTE COMMANDE N’EST PAS ENVOYÉE"


def made(content: Json, form: str, tz: ZoneInfo, *, draft: bool = False) -> bytes:
    """The file of that form. Raises NotPrinted."""
    if form == "pdf":
        return press.pdf(document(content, tz, draft=draft), _at(content))
    return sheet(content, tz, draft=draft) if form == "xlsx" else table(content, tz)


def file_name(content: Json, form: str) -> str:
    """`commande-rentree-2026-jacq-v1.pdf`."""
    return f"commande-{content['code']}-v{content['version']}.{form}"


# -- what all forms say ------------------------------------------------------------------------------


def _at(content: Json) -> datetime:
    return datetime.fromisoformat(content["at"]).astimezone(UTC)


def _date(content: Json, tz: ZoneInfo) -> date:
    return to_local(_at(content), tz).date()


def _version(content: Json) -> str:
    number = content["version"]
    return f"{number}, annule et remplace la version {number - 1}" if number > 1 else str(number)


def _unit(word: str, count: int) -> str:
    one, many = _UNITS.get(word, (word, word))
    return many if count > 1 else one


def _address(body: Json) -> str:
    return ", ".join(part for part in (body["name"], body["address"], body["place"]) if part)


def _reach(body: Json) -> str:
    return ", ".join(part for part in (body["name"], body["phone"], body["email"]) if part)


def facts(content: Json, tz: ZoneInfo) -> list[list[str]]:
    """Label and value of all that stands above the lines; what is not known is left out."""
    lead = content["lead_days"]
    pairs = [
        ["Commande", f"{content['code']} – {content['title']}"],
        ["Version", _version(content)],
        ["Date", words.day(_date(content, tz))],
        ["Fournisseur", _address(content["supplier"])],
        ["Livraison et facturation", _address(content["house"])],
        ["Contact", _reach(content["contact"])],
        ["Accueil sur place", ", ".join(filter(None, (content["house"]["phone"], content["house"]["email"])))],
        ["Délai annoncé", f"{words.number(lead)}\u00a0jour{'s' if lead > 1 else ''}" if lead else ""],
    ]
    return [pair for pair in pairs if pair[1]]


def totals(content: Json) -> Iterator[tuple[str, int]]:
    """What stands below the lines, in cents."""
    yield "Marchandises HT", content["goods_cents"]
    yield "Livraison HT", content["delivery_cents"]
    for rate, cents in content["vat"]:
        yield f"TVA {words.rate(Decimal(rate))}", cents
    yield "Total TTC", content["total_cents"]


# -- on paper ----------------------------------------------------------------------------------------


def document(content: Json, tz: ZoneInfo, *, draft: bool = False) -> dict[str, Any]:
    """Plain values for the press."""
    number = f"Commande {content['code']}, version {content['version']}"
    sums = [[label, words.amount(cents)] for label, cents in totals(content)]
    return {
        "title": number,
        "author": content["house"]["name"],
        "foot": f"{number}, du {words.day(_date(content, tz))}",
        "draft": _DRAFT if draft else "",
        "blocks": [
            words.heading(1, "Bon de commande"),
            words.facts(content["house"]["name"], facts(content, tz)),
            words.table(_PAPER_HEADS, _PAPER_WIDTHS, (2, 3, 4, 5, 6), [_paper_row(line) for line in content["lines"]]),
            words.table(("Total", "Montant"), (3, 1), (1,), sums),
        ],
    }


_PAPER_HEADS = ("Référence", "Désignation", "Cartons", "Quantité", "Prix unitaire HT", "TVA", "Montant HT")
_PAPER_WIDTHS = (2.2, 4.6, 1.9, 2.7, 2, 1.5, 2.4)


def _paper_row(line: Json) -> list[str]:
    pack, units = line["pack"], line["units"]
    return [
        line["sku"],
        line["name"],
        f"{words.number(units // pack)} × {words.number(pack)}" if pack > 1 else words.number(units),
        f"{words.number(units)}\u00a0{_unit(line['unit'], units)}",
        words.price(Decimal(line["price"])),
        words.rate(Decimal(line["vat"])),
        words.amount(line["cents"]),
    ]


# -- as a spreadsheet --------------------------------------------------------------------------------

_COLUMNS = (16, 48, 8, 10, 9, 12, 14, 9, 15)


def sheet(content: Json, tz: ZoneInfo, *, draft: bool = False) -> bytes:
    """An XLSX file: numbers as numbers, text as text and no cell a spreadsheet would compute."""
    out = io.BytesIO()
    plain = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    book = xlsxwriter.Workbook(out, {"in_memory": True, **plain})
    book.set_properties(
        {
            "title": f"Commande {content['code']}, version {content['version']}",
            "author": content["house"]["name"],
            "created": _at(content).replace(tzinfo=None),  # else the machine's clock: another file each time
        }
    )
    page = book.add_worksheet("Commande")
    bold, head = book.add_format({"bold": True}), book.add_format({"bold": True, "bg_color": "#E8E8E8", "border": 1})
    head.set_text_wrap()
    head.set_align("top")
    whole = book.add_format({"num_format": "#,##0"})
    price = book.add_format({"num_format": "#,##0.00##"})
    money, total = (book.add_format({"num_format": "#,##0.00", "bold": heavy}) for heavy in (False, True))
    rate = book.add_format({"num_format": "0.##"})
    above = ([["Aperçu", _DRAFT]] if draft else []) + facts(content, tz)
    for row, (label, value) in enumerate(above):
        page.write_string(row, 0, label, bold)
        page.write_string(row, 1, defuse(value))
    top = len(above) + 1
    for column, (name, width) in enumerate(zip(_HEADS, _COLUMNS, strict=True)):
        page.write_string(top, column, name, head)
        page.set_column(column, column, width)
    shapes = (None, None, whole, whole, whole, None, price, rate, money)
    for row, line in enumerate(content["lines"], top + 1):
        for column, (cell, shape) in enumerate(zip(_row(line), shapes, strict=True)):
            if isinstance(cell, str):
                page.write_string(row, column, defuse(cell))
            else:
                page.write_number(row, column, float(cell), shape)
    for row, (label, cents) in enumerate(totals(content), top + len(content["lines"]) + 2):
        page.write_string(row, 6, label, bold)
        page.write_number(row, 8, float(euros(cents)), total)
    page.freeze_panes(top + 1, 0)
    page.repeat_rows(top)
    page.set_landscape()
    page.set_paper(9)  # A4
    page.fit_to_pages(1, 0)
    page.set_footer(f"&L{content['code'].replace('&', '&&')}, version {content['version']}&R&P / &N")
    book.close()
    return out.getvalue()


def _row(line: Json) -> list[str | int | Decimal]:
    pack, units = line["pack"], line["units"]
    each, vat, whole = Decimal(line["price"]), Decimal(line["vat"]), euros(line["cents"])
    return [line["sku"], line["name"], units // pack, pack, units, _unit(line["unit"], units), each, vat, whole]


# -- as plain rows -----------------------------------------------------------------------------------


def table(content: Json, tz: ZoneInfo) -> bytes:
    """CSV: each row says of which order it is and where it goes, so that rows may be sorted or pasted together."""
    before = [content["code"], content["version"], _date(content, tz)]
    after = [_address(content["house"]), _reach(content["contact"])]
    rows = [_row(line) for line in content["lines"]]
    if content["delivery_cents"]:
        fee = euros(content["delivery_cents"])
        rows.append(["", "Livraison", 1, 1, 1, "", fee, Decimal(content["delivery_vat"]), fee])
    head = ["Commande", "Version", "Date", *_HEADS, "Livraison", "Contact"]
    return words.csv_bytes(head, [[*before, *row, *after] for row in rows])
