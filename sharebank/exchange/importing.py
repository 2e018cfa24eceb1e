"""Taking a file in: every row is looked at, everything wrong is said, and only a faultless file is stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from sharebank.accounts.actor import Actor
from sharebank.core.errors import Refused
from sharebank.exchange.columns import Desk, Kind, Row
from sharebank.exchange.kinds import kind_named
from sharebank.exchange.reading import Line, read_sheet
from sharebank.exchange.refusals import DuplicateRow, ImportRefused, short


@dataclass(frozen=True, slots=True)
class Report:
    """What an import took in: how many rows, and lines about what it did not read."""

    rows: int
    warnings: tuple[str, ...] = ()


def import_file(
    session: Session,
    kind: str,
    path: str | Path,
    now: datetime,
    tz: ZoneInfo,
    actor: Actor | None = None,
) -> Report:
    """Import a CSV file, all of it or nothing; raises UnknownKind, or ImportRefused with every problem."""
    kind_named(kind)
    return import_bytes(session, kind, str(path), Path(path).read_bytes(), now, tz, actor)


def import_bytes(
    session: Session,
    kind: str,
    file: str,
    raw: bytes,
    now: datetime,
    tz: ZoneInfo,
    actor: Actor | None = None,
) -> Report:
    """The same with the bytes at hand; `file` is the name problems are told under."""
    shape = kind_named(kind)
    known = [column.name for column in shape.columns]
    sheet = read_sheet(raw, file, known, [column.name for column in shape.columns if column.needed])
    desk = Desk(session, now, tz, actor, list(sheet.problems))
    write = shape.check(desk, _rows(desk, shape, sheet.lines))
    if desk.problems:
        raise ImportRefused(file, desk.problems)
    write()
    return Report(len(sheet.lines), tuple(warning.said(file) for warning in sheet.warnings))


def _rows(desk: Desk, shape: Kind, lines: Sequence[Line]) -> list[Row]:
    """The rows whose every cell could be read, none the same as one before; the others are noted."""
    good, first = [], dict[tuple[Any, ...], int]()
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
        if len(desk.problems) == before:
            good.append(row)
    return good
