"""Deadlines put in order for screens and spreadsheets."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date

from sharebank.core.money import euros
from sharebank.core.values import defuse
from sharebank.insurance.models import Coverage
from sharebank.insurance.rules import standing

ORDER = ("lapsed", "due", "unknown", "fine")
"""What is most pressing comes first."""


@dataclass(slots=True)
class Shelf:
    """What one house looks after: its own deadlines and the certificates of its structures, by how they stand."""

    house: str
    name: str
    own: dict[str, list[Coverage]] = field(default_factory=lambda: {standing: [] for standing in ORDER})
    certificates: dict[str, list[Coverage]] = field(default_factory=lambda: {standing: [] for standing in ORDER})


def shelves(coverages: Iterable[Coverage], nearest: str, today: date) -> list[Shelf]:
    """House by house, the reader's own (`nearest`) first; within each, in the order given."""
    found: dict[str, Shelf] = {}
    for coverage in coverages:
        house = coverage.holder.house or coverage.holder
        shelf = found.setdefault(house.code, Shelf(house.code, house.name))
        part = shelf.own if coverage.holder.kind == "house" else shelf.certificates
        part[standing(coverage.ends_on, today)].append(coverage)
    return sorted(found.values(), key=lambda shelf: (shelf.house != nearest, shelf.house))


# The columns of the file that imports, with those a person wants beside.
COLUMNS = (
    "holder_house",
    "kind",
    "insurer_or_body",
    "contract_number",
    "covers",
    "starts_on",
    "ends_on",
    "responsible_email",
    "annual_premium_eur",
    "notes",
    "state",
    "renewed",
    "acknowledged_until",
)


def as_csv(coverages: Iterable[Coverage], today: date) -> str:
    """A file for a spreadsheet, which also imports again."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for one in coverages:
        cells = (
            one.holder.code,
            one.kind,
            one.body,
            one.contract_number,
            ";".join(thing.code for thing in one.things),
            one.starts_on or "",
            one.ends_on or "",
            one.responsible.email if one.responsible else "",
            "" if one.premium_cents is None else euros(one.premium_cents),
            one.notes,
            standing(one.ends_on, today),
            "yes" if one.renewed_by_id else "",
            one.silent_until or "",
        )
        writer.writerow([defuse(str(cell)) for cell in cells])
    return text.getvalue()
