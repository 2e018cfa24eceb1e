"""The sheet of the pick-up: who gets how many of what, on a screen, on paper, in a spreadsheet. In French. Pure."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import xlsxwriter

from sharebank.core.period import to_local
from sharebank.core.values import defuse
from sharebank.orders.models import OrderItem
from sharebank.orders.settlement.paper_words import Json, day, heading, number, paragraph, table
from sharebank.orders.settlement.settling import Books

COLUMNS, WIDEST = 9, 8
"""Organisations side by side on a sheet of paper; letters of a code on a line."""


@dataclass(frozen=True, slots=True)
class Matrix:
    """Articles down, organisations across."""

    codes: Sequence[str]
    rows: Sequence[tuple[OrderItem, Mapping[str, int]]]

    def total(self, units: Mapping[str, int]) -> int:
        """Units of a row on this sheet."""
        return sum(units.get(code, 0) for code in self.codes)


def matrix(found: Books) -> Matrix:
    """Everybody who gets something, house by house, and every article somebody gets."""
    items = {item.sku: item for item in found.order.items}
    rows = [
        (items[line.sku], {code: units for code, units in line.allocations.items() if units})
        for line in found.standing.bill.lines
    ]
    rows = sorted(((item, units) for item, units in rows if units), key=lambda row: (row[0].category, row[0].id))
    homes = found.accounts.homes
    codes = {code for _item, units in rows for code in units}
    return Matrix(sorted(codes, key=lambda code: (homes[code], homes[code] != code, code)), rows)


def sheets(whole: Matrix) -> Iterator[Matrix]:
    """The same for paper: so many organisations a sheet, and only the articles they get."""
    for start in range(0, len(whole.codes), COLUMNS):
        codes = whole.codes[start : start + COLUMNS]
        yield Matrix(codes, [(item, units) for item, units in whole.rows if units.keys() & set(codes)])


def document(found: Books, tz: ZoneInfo) -> Json:
    """For the press, in landscape."""
    order, blocks = found.order, list[Json]()
    title = f"Répartition {order.code}"
    top = heading(1, f"Répartition : {order.title}, {order.supplier.name}")
    for sheet in sheets(matrix(found)):
        blocks.append({"t": "break"} if blocks else top)
        blocks.append(heading(2, f"{sheet.codes[0]} à {sheet.codes[-1]}"))
        codes = (" ".join(code[at : at + WIDEST] for at in range(0, len(code), WIDEST)) for code in sheet.codes)
        heads = ("Référence", "Désignation", "Total", *codes)
        blocks.append(
            table(
                heads,
                (1.8, 4.6, 1, *(2.1 for _ in sheet.codes)),
                tuple(range(2, len(heads))),
                (
                    [item.sku, item.name, number(sheet.total(units)), *_cells(sheet, units)]
                    for item, units in sheet.rows
                ),
            )
        )
        names = " ; ".join(f"{code} : {found.bodies[code].name}" for code in sheet.codes)
        blocks.append(paragraph(names))
    return {
        "title": title,
        "author": order.house.name,
        "foot": f"{title}, état au {day(to_local(found.last_change, tz).date())}",
        "draft": "",
        "landscape": True,
        "points": 8,
        "blocks": blocks or [top, paragraph("Personne ne reçoit rien.")],
    }


def _cells(sheet: Matrix, units: Mapping[str, int]) -> Iterator[str]:
    for code in sheet.codes:
        yield number(units[code]) if units.get(code) else ""


def workbook(found: Books) -> bytes:
    """An XLSX file: numbers as numbers, totals as numbers too, text that no spreadsheet computes."""
    out = io.BytesIO()
    plain = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    book = xlsxwriter.Workbook(out, {"in_memory": True, **plain})
    # Else the machine's clock: another file each time.
    book.set_properties({"title": f"Répartition {found.order.code}", "created": found.last_change.replace(tzinfo=None)})
    page, whole = book.add_worksheet("Répartition"), matrix(found)
    bold = book.add_format({"bold": True, "bg_color": "#E8E8E8", "border": 1, "text_wrap": True, "valign": "top"})
    units_shape, heavy = (
        book.add_format({"num_format": "#,##0"}),
        book.add_format({"num_format": "#,##0", "bold": True}),
    )
    heads = ["Référence", "Désignation", "Total", *whole.codes]
    names = ["", "", "", *(found.bodies[code].name for code in whole.codes)]
    for column, (head, name) in enumerate(zip(heads, names, strict=True)):
        page.write_string(0, column, defuse(head), bold)
        page.write_string(1, column, defuse(name), bold)
    page.set_column(0, 0, 16)
    page.set_column(1, 1, 42)
    page.set_column(2, len(heads) - 1, 11)
    for row, (item, units) in enumerate(whole.rows, 2):
        page.write_string(row, 0, defuse(item.sku))
        page.write_string(row, 1, defuse(item.name))
        page.write_number(row, 2, whole.total(units), heavy)
        for column, code in enumerate(whole.codes, 3):
            if units.get(code):
                page.write_number(row, column, units[code], units_shape)
    page.freeze_panes(2, 3)
    page.repeat_rows(0, 1)
    page.repeat_columns(0, 2)
    page.set_landscape()
    page.set_paper(9)  # A4
    book.close()
    return out.getvalue()
