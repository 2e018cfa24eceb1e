"""Looking a file over: every row that can be read, every problem, and what would store it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from sharebank.accounts.actor import Actor
from sharebank.core.errors import Refused
from sharebank.exchange.columns import Desk, Kind, Row, Write
from sharebank.exchange.reading import Line, read_sheet
from sharebank.exchange.refusals import DuplicateRow, ImportRefused, Problem, short


@dataclass(frozen=True, slots=True)
class Report:
    """What an import took in: how many rows, and what may be a mistake all the same."""

    rows: int
    warnings: tuple[Problem, ...] = ()


def check_bytes(
    session: Session,
    shape: Kind,
    file: str,
    raw: bytes,
    now: datetime,
    tz: ZoneInfo,
    actor: Actor | None = None,
) -> tuple[Write, Report]:
    """What would store a file, and what to say of it; nothing is stored yet. Raises ImportRefused."""
    known = [column.name for column in shape.columns]
    sheet = read_sheet(raw, file, known, [column.name for column in shape.columns if column.needed])
    desk = Desk(session, now, tz, actor, list(sheet.problems), list(sheet.warnings))
    write = shape.check(desk, _rows(desk, shape, sheet.lines))
    if desk.problems:
        raise ImportRefused(file, desk.problems)
    return write, Report(len(sheet.lines), tuple(desk.warnings))


def _rows(desk: Desk, shape: Kind, lines: Sequence[Line]) -> list[Row]:
    """The rows whose every cell could be read, none the same as one before; the others are noted."""
    good, bad, first = list[Row](), list[Row](), dict[tuple[Any, ...], int]()
    for line in lines:
        row = Row(line.number, {})
        before = len(desk.problems)
        for column in shape.columns:
            if column.name in line.cells:
                try:
                    row.values[column.name] = column.value(line.cells[column.name])
                except Refused as refusal:
                    desk.refuse(row, column.name, refusal)
        key = tuple(row.get(name) for name in shape.key)
        if key and None not in key and first.setdefault(key, line.number) != line.number:
            desk.refuse(row, shape.key[0], DuplicateRow(value=short(str(key[0])), line=first[key]))
        (good if len(desk.problems) == before else bad).append(row)
    if bad:
        for naming, names in shape.names.items():
            known = names.known(desk, [*good, *bad])
            for row in bad:
                said = row.get(naming)
                for name in said if isinstance(said, list) else [said]:
                    if name and name not in known:
                        desk.refuse(row, naming, names.unknown(value=short(name)))
    return good
